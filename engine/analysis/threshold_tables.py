"""Tables for choosing a threshold (read by `engine.stats.thresholds`), and corrections of probabilities that over-sampling
distorts.

Test predictions are pooled over the replicates of whole seeds. Within a seed every row outside the validation part is tested
once, in one fold, so a seed is one pass over the tested rows. Counts are sums over the seeds divided by their number, so no row
counts twice.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from engine.stats.thresholds import VARIANTS

GRID = np.unique(np.concatenate([np.arange(101) / 100, 1 / (1 + np.exp(-np.arange(-100, 101) / 10)), [np.nextafter(1, 2)]]))
"""Thresholds: every hundredth, and every tenth of log-odds between -10 and 10, since probabilities of rare classes are small.
The last one, just above 1, flags nothing.
"""
GRID.setflags(write=False)

BINS = 10
"""Bins of equal width for reliability."""


def correct_prior(probability: np.ndarray, given: np.ndarray, natural: np.ndarray) -> np.ndarray:
    """Probabilities [n, C] of a model trained with class shares `given` [C], corrected to shares `natural` [C] (Saerens et al.
    2002): p_c natural_c / given_c, scaled to sum to 1. Shares need not sum to 1. A class whose given share is 0 keeps its
    probability before scaling.
    """
    factor = np.where(np.asarray(given) > 0, natural / np.where(np.asarray(given) > 0, given, 1), 1.0)
    moved = np.asarray(probability, np.float64) * (factor / factor.max())
    total = moved.sum(1, keepdims=True)
    corrected: np.ndarray = np.where(total > 0, moved / np.where(total > 0, total, 1), probability)
    return corrected


def calibrate_isotonic(score: np.ndarray, truth: np.ndarray, weight: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Probabilities of `new` [m] scores by isotonic regression of truth [n] on score [n]. Linear between scores, constant
    beyond both ends (as scikit-learn's IsotonicRegression; SciPy's is used because it imports faster).

    weight [n] above 0: weights of the validation rows, which restore the data's class shares where rows were left out.
    """
    from scipy.optimize import isotonic_regression

    at, which = np.unique(np.asarray(score, np.float64), return_inverse=True)
    weights = np.bincount(which, weights=weight)
    means = np.bincount(which, weights=weight * truth) / weights
    out: np.ndarray = np.clip(np.interp(new, at, isotonic_regression(means, weights=weights).x), 0.0, 1.0)
    return out


def count_outcomes(score: np.ndarray, truth: np.ndarray, grid: np.ndarray = GRID) -> dict[str, np.ndarray]:
    """tp, fp, fn, tn [G] when rows with score [n] >= threshold are flagged. truth [n] bool."""
    place = np.searchsorted(grid, score, side="right")  # thresholds 0 .. place - 1 flag the row
    hits = np.bincount(place[truth], minlength=len(grid) + 1)
    misses = np.bincount(place[~truth], minlength=len(grid) + 1)
    tp, fp = (flagged[::-1].cumsum()[::-1][1:] for flagged in (hits, misses))
    return {"tp": tp, "fp": fp, "fn": truth.sum() - tp, "tn": (~truth).sum() - fp}


def compute_reliability(score: np.ndarray, truth: np.ndarray, bins: int = BINS) -> dict[str, np.ndarray]:
    """mean (of score), observed (share of positive rows) and count of rows, all [B], in equally wide bins over [0, 1]; NaN
    where a bin is empty.

    Bins exclude their lower and include their upper end, except the first, which includes both, as in scikit-learn's
    calibration_curve.
    """
    edges = np.linspace(0, 1, bins + 1)
    place = np.searchsorted(edges[1:-1], score)
    n = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(place, weights=score, minlength=bins) / n
        observed = np.bincount(place, weights=truth, minlength=bins) / n
    return {"mean": mean, "observed": observed, "count": n}


def build_table(scores: Mapping[str, np.ndarray], truth: np.ndarray, passes: int) -> dict[str, np.ndarray]:
    """The table of one method (see `engine.stats.thresholds`). scores: variant -> [n] probabilities of the positive class,
    pooled over `passes` passes; truth [n] bool.
    """
    out: dict[str, list[np.ndarray]] = {}
    for name in VARIANTS:
        score = np.asarray(scores[name], np.float64)
        parts = {key: value / passes for key, value in count_outcomes(score, truth).items()}
        bins = compute_reliability(score, truth)
        held = bins["count"] > 0
        gap = np.abs(bins["mean"][held] - bins["observed"][held])
        parts |= {"mean": bins["mean"], "observed": bins["observed"], "count": bins["count"] / passes}
        parts["brier"] = np.mean((score - truth) ** 2)
        parts["ece"] = (gap * bins["count"][held]).sum() / len(score)
        for key, value in parts.items():
            out.setdefault(key, []).append(value)
    return {
        "grid": GRID,
        **{key: np.stack(values).astype(np.float64) for key, values in out.items()},
        "passes": np.array(passes),
    }
