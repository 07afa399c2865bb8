"""Comparisons that are split by time or owner: what their results say of parts, intervals and the optimism of a random split."""

from __future__ import annotations

import itertools
import json
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from engine.compare.comparison import compare, describe_sheet
from engine.data.table import Dataset, numeric_only
from engine.data.tables.reading import read_sheet
from engine.data.tables.target import to_dataset
from engine.errors import BadData
from engine.events import finish, unpack
from engine.report.comparison_code import write_row
from engine.spec.comparison import CompareSpec
from engine.stats.blocks import BY_TIME
from engine.stats.intervals import CORRECTED_T
from engine.stats.time_cuts import PARTS
from tests.engine.test_no_leak import plant

SPEC = CompareSpec(
    {"file": "t.csv"}, "left", budget=6.0, models=("logistic", "network"), remedies=("none", "class-weights"), ensembles=()
)


def table(n: int = 400) -> Dataset:
    rng = np.random.default_rng(0)
    y = (rng.random(n) < 0.3).astype(np.int64)
    data = numeric_only("t.csv", "tabular", rng.normal(size=(n, 2)) + 1.2 * y[:, None], y, ("a", "b"), ("no", "yes"))
    return replace(data, order=np.arange(n) * 100 // n + rng.random(n), is_date=True)


def ask(data: Dataset, **more: Any) -> dict[str, Any]:
    found, artifacts = finish(compare(data, replace(SPEC, **more), clock=time.process_time), lambda event: None)
    assert "arrays" in artifacts
    out: dict[str, Any] = json.loads(json.dumps(found, allow_nan=False))
    return out


@pytest.fixture(scope="module")
def by_time() -> dict[str, Any]:
    return ask(table(), time="day", delay=2.0)


def test_parts_follow_each_other_and_the_delay_is_said(by_time):
    split = by_time["split"]
    assert (split["kind"], split["time"], split["group"], split["delay"], split["unit"]) == ("time", "day", None, 2.0, "days")
    assert by_time["protocol"]["folds"] == len(split["parts"]) > 1
    for one in split["parts"]:
        assert one["train"]["to"] < one["valid"]["from"] <= one["valid"]["to"] < one["test"]["from"]
        assert all(sum(one[name]["counts"]) == one[name]["rows"] and min(one[name]["counts"]) >= 5 for name in PARTS)
    assert split["dropped"]["delay"] > 0 and any("2 days of delay" in note for note in split["notes"])


def test_intervals_are_over_days(by_time):
    assert by_time["interval"] == BY_TIME and "does not cover a later time" in by_time["interval_covers"]
    rows = {row["name"]: row for row in by_time["methods"]}
    days = 100
    for row in rows.values():
        found = row["metrics"]["average_precision"]
        assert row["failed"] is None and found["low"] < found["mean"] < found["high"] and found["n"] == row["replicates"]
    gap = rows["class-weights"]["difference"]
    assert (
        2 <= gap["n"] < days
        and gap["low"] < gap["mean"] < gap["high"]
        and (gap["p"] < 0.05) == (gap["low"] > 0 or gap["high"] < 0)
    )


def test_a_random_split_reads_no_higher_where_days_are_alike(by_time):
    optimism = by_time["optimism"]
    assert optimism["name"] == "ce" and optimism["difference"]["mean"] == pytest.approx(optimism["random"] - optimism["used"])
    assert abs(optimism["difference"]["mean"]) < 0.15
    assert optimism["shown"] == (optimism["difference"]["low"] > 0 or optimism["difference"]["high"] < 0)
    assert ("too high" in optimism["text"]) == (optimism["difference"]["low"] > 0)
    assert by_time["seconds"] < 6.6


def test_a_random_split_reads_too_high_where_owners_are_known_again():
    found = ask(plant(), group="owner", models=("network",), remedies=("none",))
    optimism = found["optimism"]
    assert found["split"]["kind"] == "group" and found["interval"] == CORRECTED_T
    assert optimism["difference"]["low"] > 0 and optimism["random"] > optimism["used"] + 0.2
    assert optimism["text"].startswith("A random split reads too high: average precision") and "by owner" in optimism["text"]


def test_at_random_nothing_is_asked_of_it():
    found = ask(replace(table(200), order=None), budget=5.0, remedies=("none",), models=("logistic",))
    assert found["split"]["kind"] == "random" and found["optimism"] is None and found["interval"] == CORRECTED_T


def test_a_split_that_cannot_be_made_is_refused_before_anything_is_trained():
    for more, says in (({"time": "day", "delay": 95.0}, "delay"), ({"split": "group", "group": "owner"}, "needs")):
        data = replace(table(), owner=np.arange(400) % 2)
        with pytest.raises(BadData, match=says):
            ask(data, **more)


@pytest.mark.parametrize("group", [None, "card"])
def test_the_code_that_is_taken_away_splits_as_the_comparison_did(tmp_path, monkeypatch, capsys, group):
    rng = np.random.default_rng(1)
    lines = ["day,card,a,rule,left"]
    for i in range(500):
        y = rng.random() < 0.3
        day = f"2024-{1 + i // 50:02d}-{1 + i % 28:02d}"
        lines.append(f"{day},c{rng.integers(0, 60)},{rng.normal() + 2 * y:.4f},{rng.random():.3f},{'yes' if y else 'no'}")
    (tmp_path / "t.csv").write_text("\n".join(lines), encoding="utf-8")
    sheet = read_sheet((tmp_path / "t.csv").read_bytes(), "t.csv")
    spec = replace(SPEC, time="day", delay=3.0, group=group, score_column="rule", models=("network",), remedies=("none",))
    data = to_dataset(sheet, "left", "yes", name="t.csv", **spec.columns)
    clock = itertools.count(0, 3)
    running = compare(data, spec, clock=lambda: float(next(clock)), **describe_sheet(sheet, "left", "yes", **spec.columns))
    found, artifacts = finish(running, lambda event: None)
    found = json.loads(json.dumps(found))
    row = next(m for m in found["methods"] if m["name"] == "ce")
    row["numbers"] = [found["protocol"]["folds"] - 1]  # the last origin of the first seed
    names: dict[str, Any] = {}
    monkeypatch.chdir(tmp_path)
    exec(compile(write_row(found, "ce"), "row.py", "exec"), names)
    arrays = unpack(artifacts["arrays"])
    truth = arrays["truth"][(arrays["fold"] == row["numbers"][0]) & (arrays["seed"] == 0)]
    np.testing.assert_array_equal(names["y"][names["parts"].test] == 1, truth)
    order = names["data"].order
    assert order[names["parts"].train].max() + 3 <= order[names["parts"].test].min()
    assert "rule" not in names["data"].numeric_names and ("card" in found["split"].values()) == (group is not None)
    capsys.readouterr()
