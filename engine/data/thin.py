"""Reduces the training rows, the largest classes first. A comparison does this when its time is short."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from engine.data.split import Parts

KEPT_RATIO = 10.0
"""Down to this ratio only the larger classes lose rows; below it, or where the data are less skewed, all classes do. Otherwise
a few thousand rows would be balanced, and the effect of methods for imbalance would not show.
"""

FEW = 10
"""A class keeps at least this many rows, or all it has, however small its share."""


def reduce_counts(counts: Sequence[int], limit: int, ratio: float = KEPT_RATIO) -> list[int]:
    """Rows each class keeps, about `limit` in sum. First the larger classes are cut to a common size, until the largest is
    `ratio` times the smallest; then all are cut by the same factor. Every class keeps FEW rows, or all.

    Data less skewed than `ratio` are cut by one factor alone. A smaller `limit` never keeps more of any class.
    """
    total = sum(counts)
    if total <= limit:
        return list(counts)
    smallest = min(n for n in counts if n) if any(counts) else 0
    lowest = min(max(counts), int(smallest * ratio))
    level = _find_level(counts, limit)
    if level >= lowest:
        return [min(n, level) for n in counts]
    cut = [min(n, lowest) for n in counts]
    share = limit / sum(cut)
    return [min(n, max(int(n * share), min(n, FEW))) for n in cut]


def _find_level(counts: Sequence[int], limit: int) -> int:
    """The largest size L such that classes cut to L have at most `limit` rows together."""
    low, high = 0, max(counts)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if sum(min(n, middle) for n in counts) <= limit else (low, middle - 1)
    return low


def draw_rows(y: np.ndarray, rows: np.ndarray, limit: int, rng: np.random.Generator, ratio: float = KEPT_RATIO) -> np.ndarray:
    """The rows kept of `rows` [m] (numbers into y [n]), ascending. With the same generator state a smaller `limit` keeps a
    subset.
    """
    by_class = [rng.permutation(rows[y[rows] == c]) for c in range(int(y.max()) + 1)]
    kept = reduce_counts([len(r) for r in by_class], limit, ratio)
    return np.sort(np.concatenate([r[:n] for r, n in zip(by_class, kept, strict=True)]))


def thin(parts: Parts, y: np.ndarray, most: int, rng: np.random.Generator) -> Parts:
    """A replicate with at most about `most` training rows and, in proportion, fewer validation rows. Test rows are unchanged."""
    share = most / len(parts.train)
    if share >= 1:
        return parts
    train = draw_rows(y, parts.train, most, rng)
    return replace(parts, train=train, valid=draw_rows(y, parts.valid, max(1, round(share * len(parts.valid))), rng))
