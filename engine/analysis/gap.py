"""Generalisation gap: how far test features lie outside the range of the training features of their class, feature by feature.

Card A5, from Algorithm 1 of the EOS paper. For class c and feature k

    gap = max(0, max_test - max_train) + max(0, min_train - min_test);

The gap of a class is the mean (or the sum) over features; that of a network is the mean over its classes. After over-sampling,
the training rows are the real and the synthetic ones.

The gap grows with the number of test rows and shrinks with the number of training rows, even where both come from one
distribution. So part of an apparent effect of imbalance is sample size; `gaps_at_equal_sizes` controls for it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.stats.bootstrap import bootstrap_weights
from engine.stats.intervals import Interval, percentile_interval


@dataclass(frozen=True)
class Gap:
    """features [C, d]: the gap of each class and feature; NaN for a class without training rows or without test rows."""

    features: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """Per class, mean over features [C]."""
        averaged: np.ndarray = self.features.mean(1)
        return averaged

    @property
    def sum(self) -> np.ndarray:
        """Per class, sum over features [C]: the Manhattan distance between the two boxes' corners."""
        added: np.ndarray = self.features.sum(1)
        return added

    @property
    def net(self) -> float:
        """Mean of `mean` over the classes that have a gap; NaN where none has."""
        return mean_over_classes(self.mean)


def mean_over_classes(values: np.ndarray) -> float:
    """Mean of values [C] without NaN; NaN where all are."""
    there = values[~np.isnan(values)]
    return float(there.mean()) if len(there) else float("nan")


def compute_gap(
    train: np.ndarray, train_y: np.ndarray, test: np.ndarray, test_y: np.ndarray, classes: int, *, literal: bool = False
) -> Gap:
    """The gap of every class and feature.

    train [n, d], test [m, d] numbers; train_y [n], test_y [m] int in [0, classes). literal: as Algorithm 1 is printed,
    min(0, max_train - max_test) + min(0, min_train - min_test), which is never positive and charges a test minimum inside the
    range. Raises ValueError for tables of unequal width.
    """
    if train.ndim != 2 or test.ndim != 2 or train.shape[1] != test.shape[1]:
        raise ValueError(f"train and test must be [n, d] with one d; got {train.shape} and {test.shape}")
    out = np.full((classes, train.shape[1]), np.nan)
    for c in range(classes):
        known, new = train[train_y == c], test[test_y == c]
        if len(known) and len(new):
            above, below = new.max(0).astype(float) - known.max(0), known.min(0).astype(float) - new.min(0)
            out[c] = np.minimum(-above, 0) + np.minimum(below, 0) if literal else np.maximum(above, 0) + np.maximum(below, 0)
    return Gap(out)


@dataclass(frozen=True)
class Outcomes:
    """The gap of correctly classified test rows, and of errors. rows [2, C]: number of rows in each group."""

    correct: Gap
    errors: Gap
    rows: np.ndarray

    @property
    def ratio(self) -> float:
        """Net gap of the errors divided by that of the correct rows, over classes that have both; NaN where none has."""
        both = ~np.isnan(self.correct.mean) & ~np.isnan(self.errors.mean)
        if not both.any() or not self.correct.mean[both].any():
            return float("nan")
        return mean_over_classes(self.errors.mean[both]) / mean_over_classes(self.correct.mean[both])


def gaps_by_outcome(
    train: np.ndarray,
    train_y: np.ndarray,
    test: np.ndarray,
    test_y: np.ndarray,
    predicted: np.ndarray,
    classes: int,
    *,
    errors_by: str = "true",
    equal: np.random.Generator | None = None,
) -> Outcomes:
    """The gaps of correctly classified test rows and of errors (card A6). predicted [m] int; other arguments as in
    `compute_gap`.

    errors_by: "true" groups errors by their true class, "predicted" by the predicted class (false positives). equal: draws from
    this generator, per class and without replacement, as many rows of the larger group as the smaller one has.
    """
    if errors_by not in ("true", "predicted"):
        raise ValueError(f"errors_by must be 'true' or 'predicted'; got {errors_by!r}")
    right = predicted == test_y
    group = np.where(right, test_y, test_y if errors_by == "true" else predicted)
    kept = np.ones(len(test_y), dtype=bool)
    if equal is not None:
        for c in range(classes):
            hits, misses = np.flatnonzero(right & (group == c)), np.flatnonzero(~right & (group == c))
            count = min(len(hits), len(misses))
            for rows in (hits, misses):
                kept[equal.permutation(rows)[count:]] = False
    parts = [kept & right, kept & ~right]
    gaps = [compute_gap(train, train_y, test[part], group[part], classes) for part in parts]
    return Outcomes(gaps[0], gaps[1], np.array([np.bincount(group[part], minlength=classes) for part in parts]))


def gaps_at_equal_sizes(
    train: np.ndarray,
    train_y: np.ndarray,
    test: np.ndarray,
    test_y: np.ndarray,
    classes: int,
    rng: np.random.Generator,
    *,
    test_rows: int | None = None,
    train_rows: int | None = None,
    repeats: int = 20,
) -> np.ndarray:
    """Controls for sample size: class gaps (means over features) [repeats, C] with equally many test rows of every class.

    test_rows: rows of each class, drawn without replacement anew in each repeat; None takes the size of the smallest class that
    has rows. train_rows: the same for training rows; None uses all. A class with fewer rows is NaN, as it cannot be compared.
    """
    if test_rows is None:
        counts = np.bincount(test_y, minlength=classes)
        test_rows = int(counts[counts > 0].min(initial=len(test_y)))
    out = np.full((repeats, classes), np.nan)
    for repeat in range(repeats):
        new = _draw_equally(test_y, classes, test_rows, rng)
        known = slice(None) if train_rows is None else _draw_equally(train_y, classes, train_rows, rng)
        out[repeat] = compute_gap(train[known], train_y[known], test[new], test_y[new], classes).mean
    return out


def _draw_equally(y: np.ndarray, classes: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Row numbers: `count` rows of every class that has that many."""
    drawn = [rng.permutation(np.flatnonzero(y == c))[:count] for c in range(classes)]
    return np.concatenate([np.zeros(0, dtype=np.int64), *(rows for rows in drawn if len(rows) == count)])


def bootstrap_gap(
    train: np.ndarray,
    train_y: np.ndarray,
    test: np.ndarray,
    test_y: np.ndarray,
    classes: int,
    rng: np.random.Generator,
    *,
    n: int = 1000,
) -> np.ndarray:
    """Class gaps (means over features) [n, C] in n stratified bootstrap draws of the test rows (`engine.stats.bootstrap`).

    The same rng state gives the same draws, so networks can be compared on the same rows. No draw exceeds the gap itself, since
    a sample of the rows spans no wider range. The intervals show how much the gap depends on single rows. They do not cover the
    gap that more test rows would show.
    """
    return gaps_of_ranges(train, train_y, draw_ranges(test, test_y, classes, rng, n=n))


def draw_ranges(
    test: np.ndarray, test_y: np.ndarray, classes: int, rng: np.random.Generator, *, n: int = 1000
) -> tuple[np.ndarray, np.ndarray]:
    """(least, most) value of every class and feature in n draws of the test rows, each [C, d, n]; NaN for a class without rows."""
    present = bootstrap_weights(test_y, rng, n) > 0
    least, most = np.full((2, classes, test.shape[1], n), np.nan)
    for c in range(classes):
        own = np.flatnonzero(test_y == c)
        if not len(own):
            continue
        order = np.argsort(test[own], axis=0, kind="stable")  # [k, d]
        there = present[:, own]
        for f in range(test.shape[1]):
            ranked = order[:, f]
            sorted_values = test[own, f][ranked].astype(float)
            inside = there[:, ranked]
            least[c, f] = sorted_values[inside.argmax(1)]
            most[c, f] = sorted_values[len(own) - 1 - inside[:, ::-1].argmax(1)]
    return least, most


def gaps_of_ranges(train: np.ndarray, train_y: np.ndarray, ranges: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Class gaps (means over features) [n, C] of the test ranges of `draw_ranges`."""
    least, most = ranges
    classes, width, n = least.shape
    out = np.full((n, classes), np.nan)
    for c in range(classes):
        known = train[train_y == c]
        if len(known):
            high, low = known.max(0).astype(float)[:, None], known.min(0).astype(float)[:, None]
            out[:, c] = (np.maximum(most[c] - high, 0) + np.maximum(low - least[c], 0)).sum(0) / max(1, width)
    return out


def gap_intervals(found: Gap, drawn: np.ndarray) -> tuple[list[Interval], Interval]:
    """95% percentile intervals of every class's mean gap and of the network's, from the draws [n, C] of `bootstrap_gap`."""
    per_class = [percentile_interval(float(value), drawn[:, c]) for c, value in enumerate(found.mean)]
    net = np.array([mean_over_classes(row) for row in drawn])
    return per_class, percentile_interval(found.net, net)
