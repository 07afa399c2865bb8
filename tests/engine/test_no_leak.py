"""Nothing crosses a split by owner or by time: a column that only a leak can use scores at chance, for every row of a comparison.

Labels are those of owners (of days), drawn at random, and the planted column names the owner (the day). What trains, scales, samples,
looks for neighbours, chooses or calibrates on an owner's (a later day's) rows reads far above chance, as all models do at random.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from engine.compare.comparison import _make_evaluator
from engine.compare.halving import Resource
from engine.data.table import Dataset
from engine.events import Running
from engine.spec.comparison import CompareSpec

LEVEL = Resource(epochs=12)
SPEC = CompareSpec(
    {"file": "t.csv"},
    models=("logistic", "network", "forest", "extra-trees", "boosting"),
    ensembles=("balanced-forest", "self-paced"),
)
UNITS, ROWS = 90, 8


def plant(seed: int = 0) -> Dataset:
    """Rows of 90 owners, each on a day of their own: the label, the one column of use and a noisy number are the owner's."""
    rng = np.random.default_rng(seed)
    unit = np.repeat(np.arange(UNITS), ROWS)
    y = (rng.permutation(UNITS) < UNITS // 3).astype(np.int64)[unit]
    place, noise = rng.permutation(UNITS)[unit], rng.normal(size=(len(unit), 1))
    numeric = np.concatenate([rng.normal(size=UNITS)[unit, None] + 0.01 * noise, noise], 1)
    data = Dataset(
        "t",
        "tabular",
        numeric,
        place[:, None],
        (tuple(f"o{i}" for i in range(UNITS)),),
        ("near", "noise"),
        ("owner",),
        y,
        ("no", "yes"),
    )
    return replace(data, order=unit.astype(float), is_date=True, owner=rng.permutation(UNITS)[unit])


def score(data: Dataset, spec: CompareSpec, names: list[str] | None = None) -> dict[str, list[Any]]:
    """The outcomes of one seed of every row of the comparison."""
    bench, _ = _make_evaluator(data, spec, time.monotonic)
    out = {}
    for name in names or list(bench.rows):
        running = Running(bench.evaluate(name, LEVEL, (0,)))
        while running.pull() is not None:
            pass
        out[name] = list(running.value[0].values())
    return out


def find_top(truth: np.ndarray, scores: np.ndarray) -> float:
    """Precision of as many rows as are positive, those with the highest scores, less what chance has."""
    top = np.argsort(-scores, kind="stable")[: max(1, int(truth.sum()))]
    return float(truth[top].mean() - truth.mean())


@pytest.mark.parametrize("kind", ["group", "time", "time-group"])
def test_a_column_that_only_a_leak_can_use_scores_at_chance(kind):
    spec = replace(SPEC, split=kind, time="day" if "time" in kind else None, group="owner" if "group" in kind else None)
    data = plant()
    found = score(data, spec)
    assert {"ce", "smote", "explicit-gradient", "forest", "boosting", "logistic", "balanced-forest", "self-paced"} <= set(found)
    for name, outcomes in found.items():
        lifts = [one.metrics["average_precision"] - one.truth.mean() for one in outcomes]
        assert np.mean(lifts) < 0.25, (name, kind, lifts)  # at random 0.5 and more
        for variant in outcomes[0].scores:  # as trained, corrected, calibrated
            tops = [find_top(one.truth, one.scores[variant]) for one in outcomes]
            assert np.mean(tops) < 0.25, (name, kind, variant, tops)


def test_at_random_the_same_column_is_learnt():
    """The test above can fail: with owners on both sides models read far above chance."""
    found = score(plant(), replace(SPEC, split="random"), ["ce", "forest", "boosting", "logistic"])
    for name, outcomes in found.items():
        lift = np.mean([one.metrics["average_precision"] - one.truth.mean() for one in outcomes])
        assert lift > (0.3 if name == "ce" else 0.5), (name, lift)
