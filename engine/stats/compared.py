"""Paired differences to plain training with Holm's correction, and the interval that says the same as the correction does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from engine.stats.intervals import CORRECTED_T, LEVEL, Interval
from engine.stats.significance import TTest, holm, holm_levels, t_test
from engine.stats.student_t import stdtr, stdtrit

ALPHA = 1 - LEVEL


@dataclass(frozen=True)
class Difference:
    """A method minus plain training on common replicates. test: mean, 95% interval, p and n; p_holm: adjusted over all methods.

    level: of `interval`, that of the test's step of Holm's correction. kind: of the interval.
    """

    test: TTest
    p_holm: float
    level: float = LEVEL
    kind: str = CORRECTED_T

    @property
    def better(self) -> bool:
        """Above plain training after Holm's correction."""
        return bool(self.p_holm < ALPHA and self.test.mean > 0)

    @property
    def worse(self) -> bool:
        """Below plain training after Holm's correction."""
        return bool(self.p_holm < ALPHA and self.test.mean < 0)

    @property
    def interval(self) -> Interval:
        """The interval that leaves out 0 exactly where Holm's correction finds a difference."""
        found = Interval(self.test.mean, self.test.low, self.test.high, self.test.n, self.kind)
        return change_level(found, self.level)


Values = Mapping[int, float]
"""Number of the replicate -> value."""


def compute_differences(values: Mapping[str, Values], plain: str, test_share: float) -> dict[str, Difference]:
    """Every other method minus `plain`, by the corrected resampled t on their common replicates.

    values: method -> its values; values that are not finite are left out. test_share: as in `significance.t_test`.
    """
    base = values[plain]
    tests = {}
    for name, own in values.items():
        if name != plain:
            common = sorted(own.keys() & base.keys())
            tests[name] = t_test(np.array([own[r] - base[r] for r in common]), test_share)
    return adjust_tests(tests)


def adjust_tests(tests: Mapping[str, TTest], kind: str = CORRECTED_T) -> dict[str, Difference]:
    """Tests of one family, with Holm's correction. kind: of their intervals."""
    p = [t.p for t in tests.values()]
    return {
        name: Difference(test, adjusted, level, kind)
        for (name, test), adjusted, level in zip(tests.items(), holm(p), holm_levels(p), strict=True)
    }


def find_best(differences: Mapping[str, Difference]) -> str | None:
    """The method with the largest mean difference among those better than plain training after Holm; None where there is none."""
    better = {name: d.test.mean for name, d in differences.items() if d.better}
    return max(better, key=lambda name: better[name]) if better else None


def change_level(interval: Interval, level: float) -> Interval:
    """A symmetric 95% t interval over n >= 2 replicates at another level; any other one as it is."""
    if interval.n < 2 or level == LEVEL or not np.isfinite(interval.high - interval.low):
        return interval
    half = (interval.high - interval.low) / 2
    half *= float(stdtrit(interval.n - 1, 0.5 + level / 2) / stdtrit(interval.n - 1, 0.5 + LEVEL / 2))
    return Interval(interval.mean, interval.mean - half, interval.mean + half, interval.n, interval.kind)


def compute_p(interval: Interval) -> float:
    """Two-sided p that the mean is 0, of a symmetric 95% t interval over n >= 2 replicates; NaN of any other."""
    half = (interval.high - interval.low) / 2
    if interval.n < 2 or not np.isfinite(half):
        return float("nan")
    if half == 0:
        return 1.0 if interval.mean == 0 else 0.0
    t = abs(interval.mean) / half * float(stdtrit(interval.n - 1, 0.5 + LEVEL / 2))
    return float(2 * stdtr(interval.n - 1, -t))


def hold_together(intervals: Sequence[Interval]) -> list[tuple[Interval, float]]:
    """Paired 95% intervals that are tested together, each at the level of its step of Holm's correction, with that level."""
    levels = holm_levels([compute_p(one) for one in intervals])
    return [(change_level(one, level), level) for one, level in zip(intervals, levels, strict=True)]
