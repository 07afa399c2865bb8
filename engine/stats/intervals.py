"""Confidence intervals over replicates, and paired differences. Imports NumPy alone at first, for the page."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.stats.student_t import stdtrit

LEVEL = 0.95
NORMAL = 1.959963984540054
"""97.5% quantile of the normal distribution."""
CORRECTED_T = "95% corrected resampled t (Nadeau and Bengio)"
INDEPENDENT = "95% t over independent draws"
FIXED = "95% t over seeds; the test rows are the same for every seed"
BOOTSTRAP = "95% stratified bootstrap of the test rows"
"""The interval of one split in results of earlier versions."""
BAYESIAN = "95% Bayesian bootstrap of the test rows, with one prior row a class"
"""The interval of one split: of three, the one whose simulated coverage is nearest to 95% (`engine.papers.coverage`)."""
WILSON = "95% Wilson interval of a share of rows"
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


def draw_interval(
    value: float, draws: np.ndarray, bounds: tuple[float, float] = (-np.inf, np.inf), kind: str = BAYESIAN
) -> Interval:
    """95% interval of one replicate's value from draws: their quantiles. NaN draws are left out. kind: its name.

    An end equals the value only where that is the end of `bounds`. Where fewer than 2.5% of the draws lie beyond the value, that end is
    as far from it as the other one, cut to `bounds`. Draws that are all alike say nothing: there is no interval.
    """
    kept = np.asarray(draws, dtype=float)
    kept = kept[np.isfinite(kept)]
    if len(kept) < 2 or not np.isfinite(value) or kept.min() == kept.max():
        return Interval(float(value), float("nan"), float("nan"), 1, NONE)
    value = float(value)
    low, high = (float(q) for q in np.quantile(kept, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2]))
    if low == high:
        low, high = float(kept.min()), float(kept.max())
    below, above = value - low, high - value
    low = low if below > 0 else value - above
    high = high if above > 0 else value + below
    return Interval(value, max(low, bounds[0]), min(high, bounds[1]), 1, kind)


def find_open_end(mean: float, low: float, high: float, bounds: tuple[float, float]) -> int:
    """-1 or 1 where an interval is one-sided: that end is the value itself, at the metric's bound. It is drawn as an arrow. Else 0."""
    return 1 if low < mean == high == bounds[1] else -1 if bounds[0] == low == mean < high else 0


def difference_interval(
    values: np.ndarray,
    other: np.ndarray,
    test_share: float,
    draws: np.ndarray | None = None,
    other_draws: np.ndarray | None = None,
    *,
    kind: str = CORRECTED_T,
) -> Interval:
    """Paired difference `values - other` on common replicates. A single replicate uses draws of the same test rows.

    kind: the name of the interval. That of one replicate is BOOTSTRAP or BAYESIAN, as the draws are.
    """
    delta = np.asarray(values, dtype=float) - np.asarray(other, dtype=float)
    if len(delta) == 1 and draws is not None and other_draws is not None:
        gap = np.asarray(draws) - np.asarray(other_draws)
        return (
            percentile_interval(float(delta[0]), gap) if kind == BOOTSTRAP else draw_interval(float(delta[0]), gap, kind=kind)
        )
    return corrected_t(delta, test_share, bounds=None, kind=kind)


def wilson_interval(hits: int, rows: int) -> Interval:
    """The share of `rows` that are hits with its 95% interval (Wilson 1927), which stays in [0, 1]. NaN without rows. n: 1."""
    if not rows:
        return Interval(float("nan"), float("nan"), float("nan"), 1, NONE)
    share, square = hits / rows, NORMAL**2 / rows
    centre, half = share + square / 2, NORMAL * float(np.sqrt(share * (1 - share) / rows + square / (4 * rows)))
    return Interval(share, max(0.0, (centre - half) / (1 + square)), min(1.0, (centre + half) / (1 + square)), 1, WILSON)
