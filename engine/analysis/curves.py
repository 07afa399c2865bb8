"""Precision-recall curves on a fixed grid of recalls, so that replicates can be averaged."""

from __future__ import annotations

import numpy as np

from engine.analysis.metrics import Ranking, safe_ratio

GRID = np.arange(101) / 100
"""Recalls 0, 0.01, ..., 1. Computed as quotients, so that 29 positive rows found of 100 equals the grid's 0.29 exactly."""
GRID.setflags(write=False)
BAND = (0.025, 0.975)
"""Quantiles over replicates between which the band lies."""


def precision_on_grid(score: np.ndarray, positive: np.ndarray, grid: np.ndarray = GRID) -> np.ndarray:
    """Precision at the smallest attained recall >= each recall of the grid: [G]. NaN where there is no positive row.

    score [T] float, larger is more positive; positive [T] bool; grid [G] ascending, in [0, 1]. Rows of equal score are taken
    together. A recall of 0 is read at the first positive row found, since precision is undefined before it. Raises ValueError
    for NaN in `score`.
    """
    if np.isnan(score).any():
        raise ValueError("score holds NaN: such rows cannot be ranked")
    if not positive.any():
        return np.full(len(grid), np.nan)
    hits, seen = Ranking.of(score, positive).tally(np.ones((len(score), 1)))
    recall, precision = hits[:, 0] / hits[-1, 0], safe_ratio(hits, seen, 0.0)[:, 0]
    found = recall > 0
    curve: np.ndarray = precision[found][np.searchsorted(recall[found], grid)]
    return curve


def macro_precision_on_grid(probability: np.ndarray, y: np.ndarray, grid: np.ndarray = GRID) -> np.ndarray:
    """Mean over the classes of their one-against-the-rest curves: [G]; NaN where a class has no rows.

    probability [T, C], y [T] int.
    """
    curves = [precision_on_grid(probability[:, c], y == c, grid) for c in range(probability.shape[1])]
    mean: np.ndarray = np.mean(curves, axis=0)
    return mean


def precision_recall(
    probability: np.ndarray, y: np.ndarray, *, positive: int | None = None, grid: np.ndarray = GRID
) -> np.ndarray:
    """The curve shown for a run, [G]: of class `positive`. None means class 1 of two classes, or the macro mean of more.

    probability [T, C], y [T] int.
    """
    if positive is None and probability.shape[1] != 2:
        return macro_precision_on_grid(probability, y, grid)
    c = 1 if positive is None else positive
    return precision_on_grid(probability[:, c], y == c, grid)


def percentile_band(curves: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, 2.5% and 97.5% quantile over replicates, each [G]. curves [R, G]; replicates with NaN are left out.

    With one replicate all three are its curve; with none left all are NaN.
    """
    kept = curves[~np.isnan(curves).any(axis=1)]
    if not len(kept):
        nothing = np.full(curves.shape[1], np.nan)
        return nothing, nothing.copy(), nothing.copy()
    low, high = np.quantile(kept, BAND, axis=0)
    return kept.mean(axis=0), low, high
