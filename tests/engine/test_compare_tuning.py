"""Tuning inside a comparison: equal shares of the time, validation rows alone, and tuned against tuned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from engine.compare import comparison as module
from engine.compare import tuning
from engine.compare.bench import Evaluator
from engine.compare.comparison import compare
from engine.compare.halving import Resource
from engine.compare.installed import find_method
from engine.data.dataset import Dataset, Task
from engine.events import Progress, finish
from engine.spec import fields
from engine.spec.contest import NETWORK, list_rows
from tests.engine.contenders import CATALOG
from tests.engine.test_compare import SPEC, looked, table, ticking

TUNED = replace(SPEC, models=("logistic", "boosting"), remedies=("rus",), ensembles=(), tune=True)
LEVEL = Resource(None, 4)
"""Of few trees."""


def make_bench(data: Dataset | None = None, clock: Callable[[], float] = lambda: 0.0, **more: Any) -> Evaluator:
    return module._make_evaluator(table() if data is None else data, replace(TUNED, **more), clock)[0]


def study(
    bench: Evaluator, name: str = "logistic", most: int = 4, metric: str = "average_precision"
) -> dict[tuple[int, ...], float]:
    return finish(tuning.tune_model(bench, name, metric, 1.0, [LEVEL], lambda: Progress(0, 1), most=most)).tried


@pytest.mark.parametrize("model", tuning.SPACES)
def test_a_space_has_the_defaults_and_only_what_the_method_takes(model):
    kind = find_method(model)
    rows = list_rows(replace(SPEC, methods=(model,)), CATALOG, installed={"lightgbm": "1", "xgboost": "1"})
    bench = make_bench()
    bench.rows = {row.name: row for row in rows}
    space = tuning.SPACES[model]
    default = tuning._find_default(bench, model)
    assert all(0 <= k < len(values) for k, values in zip(default, space.values(), strict=True))
    usual = bench.choose_params(model, Resource())
    for key, values in space.items():
        assert len(set(values)) == len(values) >= 3
        for value in values:
            assert fields.check(kind.describe()["fields"], usual | {key: value}, model)[key] == value


def test_trials_are_the_same_every_time_and_more_time_only_adds_some():
    few, again, more = (list(study(make_bench(), most=most).items()) for most in (3, 3, 5))
    assert few == again == more[:3] and len(more) == 5
    assert few[0][0] == tuning._find_default(make_bench(), "logistic")
    assert [key for key, _ in study(make_bench(seed=1), most=5).items()] != [key for key, _ in more]


def test_a_trial_is_scored_as_the_rounds_score_validation_rows():
    bench = make_bench()
    (_, value), *_ = study(bench, "boosting", most=1).items()
    outcomes, _ = finish(bench.evaluate("boosting", LEVEL, (0,)))
    theirs = [average_precision_score(one.valid_y == 1, one.valid_p[:, 1]) for one in outcomes.values()]
    assert value == pytest.approx(np.mean(theirs), abs=1e-6)


@pytest.mark.parametrize(("poisoned", "same"), [("test", True), ("valid", False)])
def test_poisoned_test_rows_change_nothing(monkeypatch, poisoned, same):
    plain = study(make_bench())
    real = Evaluator.prepare

    def poison(self: Evaluator, level: Resource, seeds: tuple[int, ...]) -> Task:
        task = real(self, level, seeds)
        part = getattr(task, poisoned)
        return replace(task, **{poisoned: replace(part, x=torch.full_like(part.x, 9.0), y=(1 - part.y) * part.mask)})

    monkeypatch.setattr(Evaluator, "prepare", poison)
    assert (study(make_bench()) == plain) is same


def test_by_time_no_row_that_a_replicate_tests_on_counts():
    data = table((400, 160))
    order = np.random.default_rng(1).permutation(len(data.y)).astype(float)
    data = replace(data, order=order)
    asked = {"time": "when"}
    bench = make_bench(data, **asked)
    plain = study(bench)
    tested = np.unique(np.concatenate(bench.prepare(LEVEL, (0,)).test_source))
    assert bench.plan.folds > 1 and len(tested) < len(data.y)
    assert any(not some.any() for some in tuning.find_unseen(bench, LEVEL)) and any(
        some.all() for some in tuning.find_unseen(bench, LEVEL)
    )
    numeric = data.numeric.copy()
    numeric[tested] = 7.0
    assert study(make_bench(replace(data, numeric=numeric), **asked)) == plain
    numeric[~np.isin(np.arange(len(data.y)), tested)] = 7.0
    assert study(make_bench(replace(data, numeric=numeric), **asked)) != plain


def test_tuned_settings_are_those_of_remedies_and_of_the_second_fit():
    bench = make_bench()
    bench.tuned = {"logistic": {"inverse_penalty": 0.01}}
    for name in ("logistic", "logistic+rus"):
        assert bench.choose_params(name, Resource())["inverse_penalty"] == 0.01
        finish(bench.evaluate(name, LEVEL, (0,)))
        fits = (bench.kept[name, LEVEL][0], bench.refitted[name, LEVEL].fitted)
        assert [fit.net.members[0].estimator.C for fit in fits] == [0.01, 0.01]
    assert bench.choose_params("boosting", Resource()) == make_bench().choose_params("boosting", Resource())


def test_shares_are_equal_and_the_budget_is_kept():
    step, spec = 0.02, replace(TUNED, models=("logistic",), ensembles=("self-paced",))
    found, _ = finish(compare(table(), spec, clock=ticking(step)))
    told = found["tuning"]
    assert set(told) == {"logistic", "self-paced"} and len({one["share"] for one in told.values()}) == 1
    shares = sum(one["share"] for one in told.values())
    assert 0.2 * TUNED.budget < shares <= tuning.SHARE * TUNED.budget
    for one in told.values():
        assert one["trials"] >= tuning.LEAST and one["seconds"] <= one["share"] + 5 * step
        assert one["validation"]["best"] >= one["validation"]["default"]
    assert found["seconds"] <= TUNED.budget
    assert tuning.SHARED in found["notes"]
    for row in found["methods"]:
        settings = told[row["model"]]["settings"]
        assert settings and settings.items() <= row["params"].items()


def test_without_time_the_defaults_stay_and_it_is_told():
    _, found, _ = looked(spec=TUNED)
    _, plain, _ = looked(spec=replace(TUNED, tune=False))
    assert sum("not tuned, since its share of the time allowed 0 of the 3" in text for text in found["shortened"]) == 2
    assert [row["metrics"] for row in found["methods"]] == [row["metrics"] for row in plain["methods"]]
    assert "tuning" not in plain and all(one["settings"] == {} for one in found["tuning"].values())


def test_a_lower_level_is_told():
    assert tuning._describe_level(NETWORK, Resource(2048, 25)) == "2,048 training rows and 25 epochs"
    assert tuning._describe_level("forest", Resource(None, 12)) == "24 trees"
    assert tuning._describe_level("logistic", Resource(None, 12)) == tuning._describe_level("forest", Resource()) == ""


def test_settings_that_fail_are_no_choice(monkeypatch):
    kind = find_method("logistic")
    real = kind.grow

    def grow(self: Any, sample: Any) -> Any:
        if self.inverse_penalty != 1.0:
            raise ValueError("no")
        return (yield from real(self, sample))

    monkeypatch.setattr(kind, "grow", grow)
    tried = study(make_bench(), most=4)
    assert sum(value == value for value in tried.values()) == 1
    assert tuning.Tuned("logistic", 1.0, tried).settings == {}
