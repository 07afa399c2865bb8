"""The numbers of the gallery's cards, read from their bundles."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.catalog import build_catalog
from engine.errors import BadData
from engine.events import unpack
from engine.examples.bundle import ABOVE, BELOW, HOLDS, Bundle, Fact
from engine.spec.companions import BASELINE
from engine.spec.result import METRICS, Result
from engine.stats import thresholds
from engine.stats.intervals import Interval, corrected_t
from engine.stats.significance import split_share
from engine.sweep import SweepSpec
from engine.sweep.table import build_table as sweep_table


def _compare_runs(bundle: Bundle, other: int, metric: str, other_name: str, sense: str) -> Fact:
    """The first run minus another one."""
    return Fact(f"{METRICS[metric][0]} against {other_name}", bundle.result(0).difference(bundle.result(other), metric), sense)


# ---- moving points


def _measure_way(bundle: Bundle) -> Fact:
    """Distance that the median point moved, in sd of a feature."""
    result = bundle.result(0)
    if result.moves is None:
        raise BadData("no point of this run moved.")
    values = np.array(result.moves["values"], float)
    return Fact("Way of the median point, in sd", corrected_t(values, result.test_share, (0.0, math.inf)), ABOVE)


def measure_rings(bundle: Bundle) -> list[Fact]:
    """Moving copies against fixed copies, and against plain training."""
    return [
        _compare_runs(bundle, 1, "f1", "copies that stand still", ABOVE),
        _compare_runs(bundle, 1, "balanced_accuracy", "copies that stand still", BELOW),
        _compare_runs(bundle, 3, "average_precision", "plain training", HOLDS),
    ]


def measure_clusters(bundle: Bundle) -> list[Fact]:
    """How far the points moved, and the loss of average precision."""
    return [
        _measure_way(bundle),
        _compare_runs(bundle, 3, "average_precision", "plain training", BELOW),
        _compare_runs(bundle, 1, "average_precision", "copies that stand still", BELOW),
    ]


def measure_moons(bundle: Bundle) -> list[Fact]:
    """How far the points moved, and that average precision did not change."""
    return [
        _measure_way(bundle),
        _compare_runs(bundle, 3, "average_precision", "plain training", HOLDS),
        _compare_runs(bundle, 1, "average_precision", "copies that stand still", HOLDS),
    ]


# ---- gap


def _net_gaps(result: Result, state: str) -> np.ndarray:
    return np.array(result.gap["net"][state]["values"], float)


def average_gap(result: Result, state: str, title: str) -> Fact:
    """Mean of a run's net gap over its replicates."""
    return Fact(title, corrected_t(_net_gaps(result, state), result.test_share, (0.0, math.inf)))


def _compare_gaps(one: Result, other: Result, state: str, title: str, sense: str) -> Fact:
    """Mean gap of one run minus the other's, on the same test rows."""
    interval = corrected_t(_net_gaps(one, state) - _net_gaps(other, state), one.test_share, (-math.inf, math.inf))
    return Fact(title, interval, sense)


def measure_gap_rise(bundle: Bundle) -> list[Fact]:
    """The gap at two ratios minus the gap at 5:1."""
    high, low, middle = (bundle.result(2 * k) for k in range(3))
    return [
        _compare_gaps(middle, low, "before", "Gap at 20:1 minus gap at 5:1", ABOVE),
        _compare_gaps(high, low, "before", "Gap at 100:1 minus gap at 5:1", ABOVE),
    ]


def measure_eos(bundle: Bundle) -> list[Fact]:
    """The gaps with EOS and with SMOTE, and their accuracy."""
    eos, smote = bundle.result(0), bundle.result(4)
    return [
        _compare_gaps(eos, smote, "after", "Gap with EOS minus gap with SMOTE", BELOW),
        Fact(
            "Change of the gap by SMOTE",
            corrected_t(_net_gaps(smote, "after") - _net_gaps(smote, "before"), smote.test_share),
            HOLDS,
        ),
        Fact("Balanced accuracy, EOS against SMOTE", eos.difference(smote, "balanced_accuracy"), HOLDS),
    ]


# ---- DOS


def read_history(result: Result, name: str) -> np.ndarray:
    """History of a DOS run, [R, rounds]."""
    found = [key for key in result.arrays if key.endswith(f"/{name}")]
    if not found:
        raise BadData(f"this run has no history of {name}.")
    return np.asarray(result.arrays[found[0]], float)


def measure_dos(bundle: Bundle) -> list[Fact]:
    """Change of the minority's spread, and accuracy against two other methods."""
    result = bundle.result(0)
    spread = read_history(result, "variance_minority")
    change = 100 * (spread[:, -1] / spread[:, 0] - 1)
    return [
        Fact(
            "Change of the minority's spread, in percent", corrected_t(change, result.test_share, (-math.inf, math.inf)), BELOW
        ),
        _compare_runs(bundle, 3, "balanced_accuracy", "plain training", ABOVE),
        _compare_runs(bundle, 2, "balanced_accuracy", "copies and as many steps", HOLDS),
    ]


# ---- calibration


@dataclass(frozen=True)
class Scores:
    """Test rows of a comparison. truth [n] bool; replicate [n]; score: method -> [n]."""

    truth: np.ndarray
    replicate: np.ndarray
    score: dict[str, np.ndarray]
    test_share: float

    @property
    def passes(self) -> int:
        """Number of replicates."""
        return len(np.unique(self.replicate))

    def each(self, what: Callable[[np.ndarray, np.ndarray], float], name: str) -> np.ndarray:
        """`what` of (score, truth), for each replicate [R]."""
        score = self.score[name]
        which = self.replicate[: len(score)]
        return np.array([what(score[which == r], self.truth[: len(score)][which == r]) for r in np.unique(which)])


def read_scores(bundle: Bundle) -> Scores:
    """The test rows of the bundle's comparison."""
    arrays = unpack(bundle.artifact(0, "arrays"))
    replicate = 1000 * arrays["seed"].astype(int) + arrays["fold"].astype(int)
    score = {name.removeprefix("score/"): arrays[name].astype(float) for name in arrays if name.startswith("score/")}
    return Scores(arrays["truth"].astype(bool), replicate, score, split_share(len(np.unique(arrays["fold"]))))


def _overstated(score: np.ndarray, truth: np.ndarray) -> float:
    """Mean probability minus the share of positive rows, in percentage points."""
    return float(100 * (score.mean() - truth.mean()))


def measure_calibration(bundle: Bundle) -> list[Fact]:
    """How far probabilities lie above the true share: SMOTE, plain training, SMOTE corrected."""
    scores = read_scores(bundle)
    share, free = scores.test_share, (-math.inf, math.inf)
    corrected = thresholds.describe_calibration(unpack(bundle.artifact(0, "thresholds/smote")), "prior corrected")["bins"]
    rows = sum(b["rows"] for b in corrected)
    left = 100 * sum(b["rows"] * (b["predicted"] - b["observed"]) for b in corrected) / rows
    return [
        Fact(
            "SMOTE: promised minus true share, in percent points",
            corrected_t(scores.each(_overstated, "smote"), share, free),
            ABOVE,
        ),
        Fact("Plain training: the same", corrected_t(scores.each(_overstated, BASELINE), share, free), HOLDS),
        Fact(
            "SMOTE after prior correction, all rows at once; no interval",
            Interval(left, math.nan, math.nan, scores.passes, "no interval"),
        ),
    ]


# ---- a sweep


SWEEP = SweepSpec(("moons",), ("class-weights", "focal", "smote", "explicit-gradient"), (5, 20, 50), folds=4, seeds=2)
"""Four methods at three ratios on two moons, with plain training and the potential."""


def read_records(bundle: Bundle) -> list[dict[str, Any]]:
    """The records of the bundle's sweep."""
    return sweep_table(bundle.store, SWEEP, build_catalog())


def measure_sweep(bundle: Bundle) -> list[Fact]:
    """How much plain training loses, and how many methods differ from it. The card's sentences claim the directions."""
    records = read_records(bundle)
    score = {r["ratio"]: np.array(r["values"], float) for r in records if r["method"] == BASELINE}
    share = bundle.result(bundle.ids.index(next(r["run"] for r in records if r["method"] == BASELINE))).test_share
    unpaired = corrected_t(score[5.0], share, (0.0, 1.0)), corrected_t(score[50.0], share, (0.0, 1.0))
    levels = [
        Fact(f"Plain training at {name}: average precision", interval)
        for name, interval in zip(("5:1", "50:1"), unpaired, strict=True)
    ]
    tested = [r for r in records if r["role"] == "method" and r["difference"] is not None]
    if better := [r["method"] for r in tested if r["difference"]["better"]]:
        raise BadData(f"{better[0]} is above plain training here, which the card denies.")
    best = max(tested, key=lambda r: r["difference"]["mean"])["difference"]
    return [
        *levels,
        Fact(
            "Largest gain of a method over plain training",
            Interval(best["mean"], best["low"], best["high"], best["n"], levels[0].found.kind),
            HOLDS,
        ),
    ]
