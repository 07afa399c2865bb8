"""The numbers of the gallery's cards, read from their bundles."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from engine.catalog import build_catalog
from engine.data.sources.points import HiddenCluster
from engine.errors import BadData
from engine.events import UNIT, unpack
from engine.examples.bundle import ABOVE, BELOW, HOLDS, Bundle, Fact, Judged
from engine.examples.titles import judge_change, judge_moving
from engine.report.judge import hold_differences, judge_sweep
from engine.spec import RunSpec
from engine.spec.companions import BASELINE
from engine.spec.result import DEFAULT_METRIC, METRICS, PROBABILITY_METRICS, Result
from engine.stats import thresholds
from engine.stats.intervals import CORRECTED_T, INDEPENDENT, Interval, corrected_t, name_interval
from engine.stats.significance import split_share
from engine.stats.verdict import Dot
from engine.sweep import SweepSpec
from engine.sweep.table import build_table as sweep_table


def _compare_runs(bundle: Bundle, other: int, metric: str, other_name: str) -> Fact:
    """The first run minus another one."""
    label = (METRICS | PROBABILITY_METRICS)[metric][0]
    found = bundle.result(0).difference(bundle.result(other), metric)
    return _state(f"{label}, minus {other_name}", found)


def _sense(interval: Interval) -> str:
    return ABOVE if interval.above_zero else BELOW if interval.below_zero else HOLDS


def _state(said: str, found: Interval) -> Fact:
    """A difference, with the place of its interval."""
    return Fact(said, found, _sense(found))


# ---- moving points


def _measure_way(bundle: Bundle) -> Fact:
    """Distance that the median point moved, in sd of a feature."""
    result = bundle.result(0)
    if result.moves is None:
        raise BadData("no point of this run moved.")
    values = np.array(result.moves["values"], float)
    kind = name_interval(result.test_share, drawn=result.interval == INDEPENDENT)
    return Fact(
        "Way of the median point by the chosen epoch, in sd",
        corrected_t(values, result.test_share, (0.0, math.inf), kind),
        ABOVE,
    )


def measure_moving(bundle: Bundle, spec: RunSpec) -> list[Fact]:
    """How far the points moved, and average precision minus each other run, at the level of its step of Holm's correction."""
    members, results = bundle.family(spec)
    held = hold_differences(members, results)
    labels = {m.key: m.label for m in members}
    said = [_state(f"Average precision, minus {labels[key]}", one) for key, (one, _) in held.items()]
    return [_measure_way(bundle), *said]


def measure_hidden(bundle: Bundle, spec: RunSpec) -> list[Fact]:
    """As `measure_moving`, and how many points walk to the hidden cluster."""
    return [*measure_moving(bundle, spec), _measure_walk(bundle)]


def judge_hidden(bundle: Bundle, spec: RunSpec) -> Judged:
    """As `judge_moving`; the setting says how many points walk to the hidden cluster."""
    found = _measure_walk(bundle).found
    walk = WALK_MOST if found.low > 50 else WALK_SOME.format(share=f"{found.mean:.0f}")
    return judge_moving(bundle, spec, f"{LACKS} {walk}")


LACKS = "Validation shows a cluster that training lacks."
WALK_MOST, WALK_SOME = "The points walk there.", "{share} of 100 points walk there."
"""The first one only where the interval of the share lies above half."""


def _measure_walk(bundle: Bundle) -> Fact:
    """Share of the points that end nearer to the hidden cluster than to the one they were copied from, in percent."""
    shares = []
    result = bundle.result(0)
    near, far = (np.array(centre) for centre in HiddenCluster.CENTRES[1:])
    for number in range(result.n):
        scene, frames = replace(bundle, shown=number).film()
        if scene.data_centre is None or scene.data_half is None:
            raise BadData("the pictures of this bundle lack the units of the data.")
        places = frames[-1].points / UNIT * np.array(scene.data_half) + np.array(scene.data_centre)
        closer = np.linalg.norm(places - far, axis=1) < np.linalg.norm(places - near, axis=1)
        started = scene.parents / UNIT * np.array(scene.data_half) + np.array(scene.data_centre)
        from_near = np.linalg.norm(started - near, axis=1) < np.linalg.norm(started - far, axis=1)
        shares.append(100 * float(closer[from_near].mean()))
    return Fact(
        "Points of the first cluster that end nearer to the hidden one, in percent",
        corrected_t(np.array(shares), 0.0, (0.0, 100.0), INDEPENDENT),
        ABOVE,
    )


# ---- gap


def _net_gaps(result: Result, state: str) -> np.ndarray:
    return np.array(result.gap["net"][state]["values"], float)


def average_gap(result: Result, state: str, title: str) -> Fact:
    """Mean of a run's net gap over its replicates."""
    return Fact(title, corrected_t(_net_gaps(result, state), result.test_share, (0.0, math.inf)))


def _compare_gaps(one: Result, other: Result, state: str, title: str, sense: str = "") -> Fact:
    """Mean gap of one run minus the other's, on the same test rows."""
    interval = corrected_t(_net_gaps(one, state) - _net_gaps(other, state), one.test_share, (-math.inf, math.inf))
    return Fact(title, interval, sense or _sense(interval))


def measure_gap_rise(bundle: Bundle) -> list[Fact]:
    """The gap at two ratios minus the gap at 5:1."""
    high, low, middle = (bundle.result(2 * k) for k in range(3))
    return [
        _compare_gaps(middle, low, "before", "Gap at 20:1 minus gap at 5:1", ABOVE),
        _compare_gaps(high, low, "before", "Gap at 100:1 minus gap at 5:1", ABOVE),
    ]


def judge_gap_rise(bundle: Bundle) -> Judged:
    """Whether the gap at 100:1 is larger than at 5:1."""
    return judge_change(
        measure_gap_rise(bundle)[1].found,
        above="The gap is larger at 100:1 than at 5:1.",
        below="The gap is smaller at 100:1 than at 5:1.",
        holds="No difference in the gap found between 100:1 and 5:1.",
        zero="gap at 5:1",
        setting=f"Digits, plain training, {bundle.result(0).n} replicates",
        lower_better=True,
    )


def judge_eos(bundle: Bundle) -> Judged:
    """The gap with EOS against SMOTE's, and the ranking against SMOTE's, which decides."""
    eos, smote = bundle.result(0), bundle.result(4)
    gap = measure_eos(bundle)[0].found
    first = "smaller" if gap.below_zero else "larger" if gap.above_zero else "no different"
    return judge_change(
        eos.difference(smote),
        above=f"EOS against SMOTE: the gap is {first}. Ranking is better.",
        below=f"EOS against SMOTE: the gap is {first}. Ranking is worse.",
        holds=f"EOS against SMOTE: the gap is {first}. No gain in ranking found.",
        zero="SMOTE",
        setting=f"Digits, 20:1, {eos.n} replicates",
    )


def measure_eos(bundle: Bundle) -> list[Fact]:
    """The gaps with EOS and with SMOTE, and their accuracy."""
    eos, smote = bundle.result(0), bundle.result(4)
    return [
        _compare_gaps(eos, smote, "after", "Gap with EOS minus gap with SMOTE"),
        _state(
            "Change of the gap by SMOTE",
            corrected_t(_net_gaps(smote, "after") - _net_gaps(smote, "before"), smote.test_share),
        ),
        _state("Balanced accuracy, EOS minus SMOTE", eos.difference(smote, "balanced_accuracy")),
        _state("Average precision, EOS minus SMOTE", eos.difference(smote)),
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
        _compare_runs(bundle, 3, "average_precision", "plain training"),
        _compare_runs(bundle, 2, "average_precision", "equal steps"),
        _compare_runs(bundle, 3, "balanced_accuracy", "plain training"),
        _compare_runs(bundle, 2, "balanced_accuracy", "equal steps"),
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
        _state(
            "SMOTE: promised minus true share, in percent points", corrected_t(scores.each(_overstated, "smote"), share, free)
        ),
        _state("Plain training: the same", corrected_t(scores.each(_overstated, BASELINE), share, free)),
        Fact(
            "SMOTE after prior correction, all rows at once; no interval",
            Interval(left, math.nan, math.nan, scores.passes, "no interval"),
        ),
    ]


def judge_calibration(bundle: Bundle) -> Judged:
    """Whether SMOTE's probabilities are too high on average."""
    found = measure_calibration(bundle)[0].found
    return judge_change(
        replace(found, mean=found.mean / 100, low=found.low / 100, high=found.high / 100),
        above="Probabilities of SMOTE are too high.",
        below="Probabilities of SMOTE are too low.",
        holds="No bias found in the probabilities of SMOTE.",
        zero="true share",
        setting="Rings, 10:1, promised minus true share",
        lower_better=True,
    )


# ---- a sweep


SWEEP = SweepSpec(("moons",), ("class-weights", "focal", "smote", "explicit-gradient"), (5, 20, 50), folds=4, seeds=2)
"""Four methods at three ratios on two moons, with plain training and the potential."""


def read_records(bundle: Bundle) -> list[dict[str, Any]]:
    """The records of the bundle's sweep."""
    return sweep_table(bundle.store, SWEEP, build_catalog())


def _best_cell(records: list[dict[str, Any]]) -> Interval:
    """The largest gain of a method over plain training."""
    tested = [r for r in records if r["role"] == "method" and r["difference"] is not None]
    best = max(tested, key=lambda r: r["difference"]["mean"])["difference"]
    return Interval(best["mean"], best["low"], best["high"], best["n"], CORRECTED_T)


def judge_sweep_card(bundle: Bundle) -> Judged:
    """The verdict on the sweep, and the largest gain."""
    records = read_records(bundle)
    best = _best_cell(records)
    hollow = Dot("hollow", best, None, best.n)  # of several, so its own interval decides nothing
    return Judged(
        judge_sweep(records, DEFAULT_METRIC).text,
        hollow,
        "plain",
        f"Two moons, {len(SWEEP.methods)} methods, {len(SWEEP.ratios)} ratios",
    )


def measure_sweep(bundle: Bundle) -> list[Fact]:
    """How much plain training loses with the ratio, and the largest gain of a method."""
    records = read_records(bundle)
    score = {r["ratio"]: np.array(r["values"], float) for r in records if r["method"] == BASELINE}
    share = bundle.result(bundle.ids.index(next(r["run"] for r in records if r["method"] == BASELINE))).test_share
    unpaired = corrected_t(score[5.0], share, (0.0, 1.0)), corrected_t(score[50.0], share, (0.0, 1.0))
    levels = [
        Fact(f"Plain training at {name}: average precision", interval)
        for name, interval in zip(("5:1", "50:1"), unpaired, strict=True)
    ]
    return [*levels, _state("Largest gain of a method over plain training", _best_cell(records))]
