"""Paired tests over seeds, and Holm's correction for many of them. numpy and scipy.special alone: the page may use this file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

LEVEL = 0.95
REDRAWN = "95% corrected resampled t (Nadeau and Bengio); every seed redraws the test rows"
FIXED = "95% t over seeds; the test rows are the same for every seed"


@dataclass(frozen=True)
class TTest:
    """A mean over n values with its 95% interval (not clipped) and the two-sided p that the mean is 0. NaN where n < 2."""

    mean: float
    low: float
    high: float
    p: float
    n: int


def t_test(values: Sequence[float] | np.ndarray, test_share: float = 0.0) -> TTest:
    """Two-sided t test that the mean of `values` is 0; for a paired test, give the differences. NaN values are left out.

    t = mean / sqrt((1/n + test_share) s^2) with n - 1 degrees of freedom, s^2 the sample variance.

    test_share > 0, where every seed or fold draws its own test rows (Nadeau and Bengio's case, Machine Learning 52, 2003):
    n_test / n_train of the split. Their argument: two replicates' values are correlated about as much as their test parts
    overlap, rho = n_test / (n_test + n_train), and rho / (1 - rho) = n_test / n_train. It is the split that overlaps, so n_train is
    the training share before an imbalance is cut out of it (`split_share`).
    test_share = 0, where the test part is fixed: the plain t test. Given the rows of the data, each seed then draws its
    training rows, weights and batches independently of the others, so the values are independent draws; the answer is about
    this pool of rows and this test part, not about others like them.

    Values that are all alike have no variance: p is 1 where they are 0, else 0.
    """
    kept = np.asarray(values, dtype=float)
    kept = kept[np.isfinite(kept)]
    n = len(kept)
    mean = float(kept.mean()) if n else float("nan")
    if n < 2:
        return TTest(mean, float("nan"), float("nan"), float("nan"), n)
    error = float(np.sqrt((1 / n + test_share) * kept.var(ddof=1)))
    half = float(stdtrit(n - 1, 0.5 + LEVEL / 2)) * error
    if error == 0:
        return TTest(mean, mean, mean, 1.0 if mean == 0 else 0.0, n)
    return TTest(mean, mean - half, mean + half, float(2 * stdtr(n - 1, -abs(mean) / error)), n)


def split_share(folds: int) -> float:
    """n_test / n_train of a split without an official test part: a fifth is validation, the rest is cut into folds.

    One 60/20/20 split (folds = 1) is the first replicate of a cut into four.
    """
    return 1 / ((4 if folds == 1 else folds) - 1)


def holm(p: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p values (1979): rejecting those <= 0.05 errs anywhere with probability at most 0.05.

    NaN stays NaN and does not count as a test.
    """
    tested = sorted((value, i) for i, value in enumerate(p) if np.isfinite(value))
    out = [float("nan")] * len(p)
    worst = 0.0
    for rank, (value, i) in enumerate(tested):
        worst = max(worst, min(1.0, (len(tested) - rank) * value))
        out[i] = worst
    return out
