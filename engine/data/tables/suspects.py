"""Columns that leak the target, and rows that contradict each other. Pure functions of arrays; imports NumPy alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

ALMOST = 0.995
"""ROC AUC (two classes) or balanced accuracy (more) above which a single column is suspicious."""

SAMPLE, CELLS = 20_000, 4_000_000
"""Most rows and values inspected; of the smallest classes all rows, as far as they fit."""

BINS = 256


def sample(y: np.ndarray, columns: int = 1, seed: int = 0) -> np.ndarray:
    """Ascending row numbers, at most SAMPLE. With many columns at most CELLS values, but at least 2,000 rows. Every class gets
    an equal share, or all its rows; the rest goes to the larger classes.
    """
    counts = np.bincount(y)
    left, classes = min(SAMPLE, max(2_000, CELLS // max(1, columns))), len(counts)
    rng = np.random.default_rng(seed)
    keep: list[np.ndarray] = []
    for c in np.argsort(counts, kind="stable"):
        rows = np.flatnonzero(y == c)
        share = left // max(1, classes)
        if len(rows) > share:
            rows = rng.permutation(rows)[:share]
        keep.append(rows)
        left -= len(rows)
        classes -= 1
    return np.sort(np.concatenate(keep))


def auc(score: np.ndarray, positive: np.ndarray) -> float:
    """ROC AUC of a score, ties counted half: the share of (positive, negative) pairs in the right order. 0.5 where a class is
    empty.
    """
    p, n = int(positive.sum()), int((~positive).sum())
    if not p or not n:
        return 0.5
    _, codes, counts = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[codes]
    return float((ranks[positive].sum() - p * (p + 1) / 2) / (p * n))


def score_alone(values: np.ndarray, y: np.ndarray, classes: int, numeric: bool) -> float:
    """How well one column alone predicts the classes. values [n]: float64 with NaN, or codes with -1 where missing.

    Two classes and numbers: ROC AUC in the better direction, with missing values on the side that is worse. Else: balanced
    accuracy of the rule "the likeliest class of this value", learnt on one half of the rows and tested on the other, averaged
    over both directions. Numbers are cut at up to 256 quantiles.
    """
    if numeric and classes == 2:
        known = values[~np.isnan(values)]
        if not len(known):
            return 0.5
        sides = (known.min() - 1, known.max() + 1) if len(known) < len(values) else (0.0,)
        found = [auc(np.where(np.isnan(values), side, values), y == 1) for side in sides]
        return max(min(found), 1 - max(found))
    codes = _bin(values) if numeric else values + 1
    rank = np.empty(len(y), np.int64)  # every class is split evenly between the halves
    order = np.argsort(y, kind="stable")
    rank[order] = np.arange(len(y))
    half = rank % 2 == 0
    return (_score_rule(codes, y, classes, half) + _score_rule(codes, y, classes, ~half)) / 2


def _score_rule(codes: np.ndarray, y: np.ndarray, classes: int, learn: np.ndarray) -> float:
    """Balanced accuracy on the rows that are not `learn`."""
    table = np.zeros((int(codes.max()) + 1, classes))
    np.add.at(table, (codes[learn], y[learn]), 1)
    table /= np.maximum(table.sum(0), 1)
    says = np.where(table.any(1), table.argmax(1), -1)[codes]
    right = [float((says[~learn & (y == c)] == c).mean()) for c in range(classes) if (~learn & (y == c)).any()]
    return float(np.mean(right)) if right else 0.0


def _bin(values: np.ndarray) -> np.ndarray:
    """Bin of each number, from 1; 0 where missing."""
    known = np.unique(values[~np.isnan(values)])
    if len(known) > BINS:
        known = np.unique(np.quantile(values[~np.isnan(values)], np.linspace(0, 1, BINS)))
    out = np.searchsorted(known, np.nan_to_num(values), side="right")
    return np.where(np.isnan(values), 0, out + 1)


def is_copy(codes: np.ndarray, y: np.ndarray) -> bool:
    """Whether values and classes correspond one to one in all rows. codes int64 [n] from -1."""
    pairs = np.unique(np.column_stack([codes, y]), axis=0)
    return len(pairs) == len(np.unique(pairs[:, 0])) == len(np.unique(pairs[:, 1]))


def count_duplicates(columns: Sequence[np.ndarray], y: np.ndarray) -> tuple[int, int]:
    """(rows whose features equal those of an earlier row, rows whose features also occur with another class).

    columns: float64 (NaN equals NaN) or int64, each [n]. Rows are compared by a 64-bit hash.
    """
    if not columns:
        return 0, 0
    mix = np.zeros(len(y), np.uint64)
    for column in columns:
        bits = np.ascontiguousarray(column + 0.0 if column.dtype == np.float64 else column).view(np.uint64).copy()
        if column.dtype == np.float64:
            bits[np.isnan(column)] = 0x7FF8000000000000
        mix = _scramble(mix * np.uint64(0x9E3779B97F4A7C15) + bits)
    _, group = np.unique(mix, return_inverse=True)
    size = np.bincount(group)
    low, high = np.full(len(size), np.iinfo(np.int64).max), np.full(len(size), -1)
    np.minimum.at(low, group, y)
    np.maximum.at(high, group, y)
    return int((size - 1).sum()), int((low != high)[group].sum())


def _scramble(x: np.ndarray) -> np.ndarray:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014): every bit of the input moves half of the output's."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    out: np.ndarray = x ^ (x >> np.uint64(31))
    return out
