"""Confidence intervals over replicates, and paired differences. Imports only NumPy and scipy.special, for the page."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

LEVEL = 0.95
CORRECTED_T = "95% corrected resampled t (Nadeau and Bengio)"
INDEPENDENT = "95% t over independent draws"
FIXED = "95% t over seeds; the test rows are the same for every seed"
BOOTSTRAP = "95% stratified bootstrap of the test rows"
NONE = "no interval"


@dataclass(frozen=True)
class Interval:
    """A mean with its 95% interval. low and high are NaN where there is none. n: replicates. kind: kind of interval."""

    mean: float
    low: float
    high: float
    n: int
    kind: str

    @property
    def above_zero(self) -> bool:
        """True where the whole interval lies above 0."""
        return bool(self.low > 0)

    @property
    def below_zero(self) -> bool:
        """True where the whole interval lies below 0."""
        return bool(self.high < 0)


def name_interval(test_share: float, *, drawn: bool) -> str:
    """The kind of interval over several replicates. test_share, drawn: as in `significance.find_test_share`."""
    return INDEPENDENT if drawn else CORRECTED_T if test_share else FIXED


def corrected_t(
    values: np.ndarray, test_share: float, bounds: tuple[float, float] | None = (0.0, 1.0), kind: str = CORRECTED_T
) -> Interval:
    """95% interval of the mean over n >= 2 replicates. kind: its name (`name_interval`).

    mean -+ t(0.975, n - 1) sqrt((1/n + test_share) s^2), s^2 the sample variance (Nadeau and Bengio 2003, Machine
    Learning 52, eq. 9's variance). `test_share`: as in `significance.find_test_share`. Clipped to `bounds`. NaN values are left out.
    """
    kept = np.asarray(values, dtype=float)
    kept = kept[np.isfinite(kept)]
    n = len(kept)
    if n < 2:
        mean = float(kept.mean()) if n else float("nan")
        return Interval(mean, float("nan"), float("nan"), n, NONE)
    mean = float(kept.mean())
    half = float(stdtrit(n - 1, 0.5 + LEVEL / 2)) * float(np.sqrt((1 / n + test_share) * kept.var(ddof=1)))
    low, high = mean - half, mean + half
    if bounds is not None:
        low, high = max(low, bounds[0]), min(high, bounds[1])
    return Interval(mean, low, high, n, kind)


def percentile_interval(value: float, draws: np.ndarray) -> Interval:
    """95% percentile interval of one replicate's value from its bootstrap draws. NaN draws are left out.

    Widened to contain the value. Draws repeat rows, which raises the average precision of a ranking worse than chance, so
    nearly all draws can lie above the value.
    """
    kept = np.asarray(draws, dtype=float)
    kept = kept[np.isfinite(kept)]
    if len(kept) < 2 or not np.isfinite(value):
        return Interval(float(value), float("nan"), float("nan"), 1, NONE)
    low, high = np.quantile(kept, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    return Interval(float(value), min(float(low), float(value)), max(float(high), float(value)), 1, BOOTSTRAP)


def difference_interval(
    values: np.ndarray,
    other: np.ndarray,
    test_share: float,
    draws: np.ndarray | None = None,
    other_draws: np.ndarray | None = None,
    *,
    kind: str = CORRECTED_T,
) -> Interval:
    """Paired difference `values - other` on common replicates. A single replicate uses bootstrap draws of the same test rows."""
    delta = np.asarray(values, dtype=float) - np.asarray(other, dtype=float)
    if len(delta) == 1 and draws is not None and other_draws is not None:
        return percentile_interval(float(delta[0]), np.asarray(draws) - np.asarray(other_draws))
    return corrected_t(delta, test_share, bounds=None, kind=kind)
