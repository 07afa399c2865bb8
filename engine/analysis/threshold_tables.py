"""Tables from which thresholds are read (engine.stats.thresholds), and calibration: what over-sampling does to
probabilities, and what undoes it.

Test predictions are pooled over the replicates of whole seeds: within a seed every row outside the validation part is tested once, in one
fold, so a seed is one pass over the tested rows. Counts are sums over the seeds divided by their number: no row counts twice.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from engine.stats.thresholds import VARIANTS

GRID = np.unique(np.concatenate([np.arange(101) / 100, 1 / (1 + np.exp(-np.arange(-100, 101) / 10)), [np.nextafter(1, 2)]]))
"""Thresholds: every hundredth, and every tenth of log-odds between -10 and 10, as probabilities of rare classes are small; the last
one, just above 1, flags nothing."""
GRID.setflags(write=False)

BINS = 10
"""Bins of equal width for reliability."""


def correct_prior(probability: np.ndarray, given: np.ndarray, natural: np.ndarray) -> np.ndarray:
    """Probabilities [n, C] of a model trained with class shares `given` [C] as they would be with `natural` [C] (Saerens et al. 2002):
    p_c natural_c / given_c, made to sum to 1. Shares need not sum to 1; a class with none given keeps its place."""
    factor = np.where(np.asarray(given) > 0, natural / np.where(np.asarray(given) > 0, given, 1), 1.0)
    moved = np.asarray(probability, np.float64) * (factor / factor.max())
    total = moved.sum(1, keepdims=True)
    corrected: np.ndarray = np.where(total > 0, moved / np.where(total > 0, total, 1), probability)
    return corrected


def calibrate_isotonic(score: np.ndarray, truth: np.ndarray, weight: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Probabilities of `new` [m] scores by isotonic regression of truth [n] on score [n], between scores on a straight line, beyond the
    ends as at them (scikit-learn's IsotonicRegression; scipy's is there sooner).

    weight [n] above 0: of each validation row, so that classes count as in the data where some of their rows were left out.
    """
    from scipy.optimize import isotonic_regression

    at, which = np.unique(np.asarray(score, np.float64), return_inverse=True)
    weights = np.bincount(which, weights=weight)
    means = np.bincount(which, weights=weight * truth) / weights
    out: np.ndarray = np.clip(np.interp(new, at, isotonic_regression(means, weights=weights).x), 0.0, 1.0)
    return out


def count_outcomes(score: np.ndarray, truth: np.ndarray, grid: np.ndarray = GRID) -> dict[str, np.ndarray]:
    """tp, fp, fn, tn [G] of flagging rows whose score [n] is at least the threshold; truth [n] bool."""
    place = np.searchsorted(grid, score, side="right")  # thresholds 0 .. place - 1 flag it
    hits = np.bincount(place[truth], minlength=len(grid) + 1)
    misses = np.bincount(place[~truth], minlength=len(grid) + 1)
    tp, fp = (flagged[::-1].cumsum()[::-1][1:] for flagged in (hits, misses))
    return {"tp": tp, "fp": fp, "fn": truth.sum() - tp, "tn": (~truth).sum() - fp}


def compute_reliability(score: np.ndarray, truth: np.ndarray, bins: int = BINS) -> dict[str, np.ndarray]:
    """mean (score), observed (share of positive rows) and count of rows [B] in bins of equal width over [0, 1]; NaN where none is.

    Bins are open below and closed above but for the first, as scikit-learn's calibration_curve has them.
    """
    edges = np.linspace(0, 1, bins + 1)
    place = np.searchsorted(edges[1:-1], score)
    n = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(place, weights=score, minlength=bins) / n
        observed = np.bincount(place, weights=truth, minlength=bins) / n
    return {"mean": mean, "observed": observed, "count": n}


def build_table(scores: Mapping[str, np.ndarray], truth: np.ndarray, passes: int) -> dict[str, np.ndarray]:
    """The table of one method (see engine.stats.thresholds). scores: variant -> [n] probabilities of the positive class, of
    `passes` passes;
    truth [n] bool."""
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
