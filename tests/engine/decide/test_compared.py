"""The cut of a comparison's rows: from the scores of its replicates to the result and the artifacts."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from engine.compare.decide import decide
from engine.stats.decide import read_about, read_decide
from engine.stats.decide_curves import choose_classes
from tests.engine.decide.made import SPEC, N, compared, table


def test_the_leading_row_is_decided_with_the_best_f1_of_validation():
    data = table()
    found, arrays, outcomes = compared(data)
    assert set(arrays) == {"decide/ce", "decide/forest"} and found["row"] == "forest"
    assert found["chosen_on"] == "validation" and found["rule"]["kind"] == "f-beta" and found["rule"]["value"] == 1.0
    for one, cut in zip(outcomes["forest"].values(), found["cuts"], strict=True):
        score, y = one.valid_p[:, 1].astype(float), one.valid_y == 1
        best = max(2 * (y & (score >= c)).sum() / (y.sum() + (score >= c).sum()) for c in score)
        assert 2 * (y & (score >= cut)).sum() / (y.sum() + (score >= cut).sum()) == pytest.approx(best)
    recall = np.mean([
        (one.test_p[one.test_y == 1, 1].astype(float) >= cut).mean()
        for one, cut in zip(outcomes["forest"].values(), found["cuts"], strict=True)
    ])  # fmt: skip
    assert found["recall"]["mean"] == pytest.approx(recall) and found["recall"]["low"] < recall < found["recall"]["high"]
    names = [one["name"] for one in found["calibration"]["candidates"]]
    assert names == ["as trained", "prior corrected", "sigmoid", "temperature"] and found["calibration"]["chosen"] in names
    assert {"cut", "alerts", "precision", "recall", "net_benefit", "cost"} <= found.keys()
    assert compared(data, ranked=["ce", "forest"])[0]["row"] == "ce"


def test_a_budget_is_that_of_the_spec():
    found, arrays, _ = compared(table(), replace(SPEC, alerts=50.0))
    assert found["rule"]["kind"] == "alerts" and 20 < found["alerts"]["mean"] < 80
    assert read_decide(arrays["decide/forest"])["readings"]["precision"]["mean"] == pytest.approx(found["precision"]["mean"])
    assert found["note"] == ""


def test_a_budget_a_day_needs_whole_days():
    order = np.random.default_rng(2).uniform(0, 30, N)
    data, spec = table(order=order, is_date=True), replace(SPEC, time="when", alerts=2.0, per="day")
    found, arrays, _ = compared(data, spec, kind="time")
    assert found["rule"]["per"] == "day" and 1.5 < found["alerts_per_day"]["mean"] <= 2
    assert read_about(arrays["decide/forest"])["has_days"]
    found, arrays, _ = compared(data, replace(spec, split="random"))
    assert found["rule"]["per"] == "1000" and "split by time" in found["note"]
    assert found["rule"]["value"] == pytest.approx(1000 * 2 * 30 / N)
    assert not read_about(arrays["decide/forest"])["has_days"]


def test_owners_are_cases_per_day_or_where_their_rows_have_one_class():
    rng = np.random.default_rng(3)
    mixed = rng.integers(-1, 200, N)
    data = table(owner=mixed, order=rng.uniform(0, 9, N), is_date=True)
    found, arrays, _ = compared(data)
    assert found["unit"] == "row" and set(read_about(arrays["decide/ce"])["units"]) == {"row", "owner"}
    spec = replace(SPEC, time="when", group="who", alerts=3.0, per="day")
    assert compared(data, spec, kind="time-group")[0]["unit"] == "owner"
    pure = 2 * rng.integers(0, 100, N) + data.y
    assert compared(replace(data, owner=pure), kind="group")[0]["unit"] == "owner"
    assert compared(table())[0]["unit"] == "row"


def test_a_cost_column_is_read_and_its_gaps_are_filled():
    cost = np.full(N, 10.0)
    cost[::7] = np.nan
    found, arrays, _ = compared(table(cost=cost))
    assert found["rule"]["miss"] is None and found["cost_none"]["mean"] == pytest.approx(10 * 1000 * 0.2, rel=0.1)
    assert "row/test_cost" in arrays["decide/ce"]


def test_one_split_by_time_has_intervals_over_blocks():
    order = np.repeat(np.arange(30.0), N // 30)
    found, arrays, _ = compared(table(order=order, is_date=True), replace(SPEC, time="when"), kind="time", folds=1)
    assert arrays["decide/ce"]["row/draws"].shape == (200, 30)
    for name in ("precision", "recall", "alerts", "net_benefit"):
        assert found[name]["low"] < found[name]["mean"] < found[name]["high"]


def test_by_time_the_replicates_are_those_of_the_first_seed():
    data, spec = table(order=np.repeat(np.arange(30.0), N // 30), is_date=True), replace(SPEC, time="when")
    found, arrays, _ = compared(data, spec, kind="time", folds=1, seeds=3)
    assert found["replicates"] == 1 and found["numbers"] == [0] and found["interval"] == "95% made"
    found, arrays, _ = compared(data, spec, kind="time", folds=2, seeds=3)
    assert found["numbers"] == [0, 1] and "row/draws" not in arrays["decide/ce"] and "corrected" in found["interval"]
    assert compared(data, folds=2, seeds=3)[0]["numbers"] == [0, 1, 2, 3, 4, 5]


def test_several_classes_are_one_against_the_rest_and_keep_rows_for_a_cost_matrix():
    found, arrays, outcomes = compared(table(3))
    assert found["recall"]["mean"] > 0
    answer = choose_classes(arrays["decide/forest"], 1 - np.eye(3))
    every = outcomes["forest"].values()
    wrong = [((one.test_p * one.natural / one.given).argmax(1) != one.test_y).mean() for one in every]
    assert answer["cost"]["mean"] == pytest.approx(1000 * np.mean(wrong), abs=5)  # as half precision rounds


def test_without_scores_there_is_no_cut():
    data = table()
    halving = SimpleNamespace(names=("ce",), outcomes=lambda name: {})
    bench = SimpleNamespace(dataset=data, positive=1, natural={})
    facts = {
        "data": {"counts": {"x": 720, "y": 180}}, "protocol": {"test_share": 0.25}, "interval": "none", "metric": "average_precision",
        "methods": [{"name": "ce", "replicates": 0, "metrics": {"average_precision": {"mean": None}}}],
    }  # fmt: skip
    assert decide(halving, bench, SPEC, facts) == ({"decide": None}, {})
