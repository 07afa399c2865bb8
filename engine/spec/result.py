"""The result of a run: metric values per replicate with intervals, curves, arrays, timings, provenance.

`to_json` holds everything but the arrays, which are stored as npz (`arrays`). Imports no torch, since the page reads results.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engine.plain import to_plain
from engine.stats import intervals
from engine.stats.intervals import Interval

DEFAULT_METRIC = "average_precision"
"""The metric shown first; it decides unless another one is chosen."""

METRICS: dict[str, tuple[str, tuple[float, float], str]] = {
    "average_precision": (
        "Average precision",
        (0, 1),
        "Area under the precision-recall curve: the mean precision over the ranking's hits. A random ranking scores the share of positive rows.",
    ),
    "balanced_accuracy": ("Balanced accuracy", (0, 1), "Mean recall over the classes."),
    "g_mean": ("G-mean", (0, 1), "Square root of macro recall x macro specificity."),
    "f1": ("F1", (0, 1), "Harmonic mean of precision and recall; of the minority class for two classes, macro mean for more."),
    "mcc": ("MCC", (-1, 1), "Matthews correlation: 0 is chance, 1 is perfect."),
    "kappa": ("Cohen's kappa", (-1, 1), "Agreement with the truth beyond chance: 0 is chance, 1 is perfect."),
    "roc_auc": ("ROC AUC", (0, 1), "Chance that a random positive row is ranked above a random negative one."),
    "precision_at_recall_0.25": (
        "Precision at recall 0.25",
        (0, 1),
        "Precision when a quarter of the positive rows must be found.",
    ),
    "precision_at_recall_0.5": ("Precision at recall 0.5", (0, 1), "Precision when half of the positive rows must be found."),
    "precision_at_recall_0.75": (
        "Precision at recall 0.75",
        (0, 1),
        "Precision when three quarters of the positive rows must be found.",
    ),
}
"""name -> (label, range, one sentence of help). The order is the order of display. Higher is better in all of them."""

PROBABILITY_METRICS: dict[str, tuple[str, tuple[float, float], str]] = {
    "log_loss": (
        "Log loss",
        (0, float("inf")),
        "Mean of minus the logarithm of the probability of the true class. Lower is better; a rare class weighs by its share.",
    ),
    "calibration_error": (
        "Calibration error",
        (0, 1),
        "Mean distance between predicted probability and observed share over ten bins of equally many rows. Lower is better.",
    ),
}
"""As METRICS, of probabilities: lower is better. They decide nothing. Results of earlier versions lack them."""


@dataclass(frozen=True)
class Result:
    """The result of one spec.

    metrics: name -> {mean, low, high, values [R]}; the names of METRICS, then of PROBABILITY_METRICS.
    per_class: class -> {support, precision, recall, f1, average_precision: {mean, low, high, values}}.
    class_counts: train | validation | test | withheld -> class -> mean rows per replicate.
    interval: kind of interval, in words. n: replicates. test_share: of `significance.find_test_share`;
        results of earlier versions have n_test / n_train of the rows, and keep it. positive: the class of
    average precision, or 'macro'. prevalence: share of positive rows in test (mean over replicates; for macro, mean over classes).
    seconds: wall time of the run. provenance: device, machine, cpu, versions, numerics, date, resampling notes.
    moves: None, or {median, largest} in sd of the numeric columns (`engine.analysis.moves`), over all replicates' synthetic points, with {values: [R] medians}.
    notes: sentences for display.
    averages: minority | majority -> {classes, precision, recall, f1, average_precision: {mean, low, high, values}}, means over the
        classes that lost rows under profile `remove`, else over those below the largest in training, and over the others.
    gap: generalisation gap (`engine.analysis.gap`, means over features): {classes, before, after, correct, errors, equal_size: [R][C],
        net: {before, after, difference: {mean, low, high, values}}, interval: kind of its interval, where it is another one}. before: features of the net before its head (or all of it) was
        trained anew, real training rows; after: final net, real and synthetic rows; the others as in `engine.runner.features.compute_gaps`.
        deviation, deviation_equal_size, deviation_expected [R][C]: of `compute_deviations`; results of earlier versions lack them.
    contributions: of the synthetic points (`engine.runner.contributions`), empty where there are none: {points: mean number per
        replicate, helpful: share of them that lower the validation loss, mean: their mean contribution, helpful_alike, mean_alike: the
        same with equal class weights; each {mean, low, high, values}}.
    weight_norms: {before, after: [R][C]}, None where a head has no such norms (cosine, nearest neighbours).

    arrays (R replicates, C classes):
        pr_recall [G], pr_precision [R, G]      precision at the smallest attained recall >= the grid's (positive or macro)
        history/<phase>/<name> [R, E]           per epoch; NaN after a replicate stopped. names as in events.Epoch
        history/<phase>/step [E]                optimiser steps since the run began
        weight_norms [R, C]                     L2 norm of each class's output weights, as `weight_norms` after
        factors [R, C]                          where each class's output weights are the earlier ones times a factor
        pr_class [R, C, G]                      each class's curve against the rest
        bootstrap/<metric> [B]                  only for n = 1: the metric on draws of the test rows (same draws for every method), of
                                                the kind that `interval` names
        epoch [R]                               the epoch chosen on validation, in the last phase
    """

    run_id: str
    spec: dict[str, Any]
    metrics: dict[str, dict[str, Any]]
    per_class: dict[str, dict[str, Any]]
    class_counts: dict[str, dict[str, float]]
    interval: str
    n: int
    test_share: float
    positive: str
    prevalence: float
    seconds: float
    provenance: dict[str, Any]
    moves: dict[str, Any] | None = None
    notes: list[str] = field(default_factory=list)
    averages: dict[str, dict[str, Any]] = field(default_factory=dict)
    gap: dict[str, Any] = field(default_factory=dict)
    weight_norms: dict[str, Any] = field(default_factory=dict)
    contributions: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict, compare=False)

    def to_json(self) -> dict[str, Any]:
        """Everything but the arrays, JSON-plain (NaN becomes None)."""
        return {name: to_plain(getattr(self, name)) for name in self.__dataclass_fields__ if name != "arrays"}

    @classmethod
    def from_json(cls, fields: dict[str, Any], arrays: dict[str, np.ndarray]) -> Result:
        """The result of its two parts."""
        return cls(**{name: value for name, value in fields.items() if name in cls.__dataclass_fields__}, arrays=arrays)

    def metric(self, name: str) -> Interval:
        """One metric's mean and interval."""
        m = self.metrics[name]
        return Interval(_number(m["mean"]), _number(m["low"]), _number(m["high"]), self.n, self.interval)

    def difference(self, other: Result, name: str = DEFAULT_METRIC) -> Interval:
        """Paired difference self - other in one metric. Both results must have the same dataset, imbalance and protocol."""
        mine, theirs = (np.array([_number(v) for v in r.metrics[name]["values"]]) for r in (self, other))
        if self.n == 1 == other.n:  # draws of two kinds are of different rows
            draws = [r.arrays.get(f"bootstrap/{name}") if self.interval == other.interval else None for r in (self, other)]
            return intervals.difference_interval(mine, theirs, self.test_share, *draws, kind=self.interval)
        kind = intervals.name_interval(self.test_share, drawn=self.interval == intervals.INDEPENDENT)
        return intervals.difference_interval(mine, theirs, self.test_share, kind=kind)


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)
