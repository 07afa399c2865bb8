"""Intervals over the test rows of a split by time: whole days, or whole owners, are drawn, since rows within one are alike.

A Bayesian bootstrap of blocks (Rubin 1981): each block has a weight from an exponential distribution. Replicates of one origin share
their weights, so that differences are paired; origins have weights of their own. NumPy and scipy.special alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from engine.stats.intervals import LEVEL, NONE, Interval
from engine.stats.significance import TTest

BY_TIME = "95% bootstrap of the test rows, whole days or times drawn"
BY_OWNER = "95% bootstrap of the test rows, whole owners drawn"
KINDS = (BY_TIME, BY_OWNER)

CELLS = 3_000_000
"""Weights of one replicate, rows times draws, about; they set the number of draws."""
FEWEST, MOST = 60, 400
"""Draws of a replicate."""


@dataclass(frozen=True)
class Score:
    """A replicate's value. draws [B]: the value on draws of its test rows; None where seeds redraw the test rows. blocks: of its test
    rows. fold: its origin.
    """

    value: float
    draws: np.ndarray | None = None
    blocks: int = 0
    fold: int = 0

    def __sub__(self, other: Score) -> Score:
        """The paired difference of two replicates of one number."""
        draws = None if self.draws is None or other.draws is None else self.draws - other.draws
        return Score(self.value - other.value, draws, min(self.blocks, other.blocks), self.fold)


def count_draws(size: int) -> int:
    """Draws for this many test rows, or blocks of the table."""
    return int(np.clip(CELLS // max(1, size), FEWEST, MOST))


def draw_weights(blocks: np.ndarray, known: int, rng: np.random.Generator) -> np.ndarray:
    """float32 [draws, T]: the weight of each test row, that of its block. blocks [T]: numbers of blocks, from 0. known: blocks of the
    whole table. With one state of `rng` a block has the same weights whichever rows are tested; fewer draws are the first of more.
    """
    draws = count_draws(max(known, len(blocks)))
    weights: np.ndarray = rng.standard_exponential((draws, known), dtype=np.float32)[:, blocks]
    return weights


def block_test(scores: Sequence[Score]) -> TTest:
    """The mean over replicates with its 95% interval and the p that it is 0. `n` is the number of blocks less those that the means of
    further origins take, so that t has n - 1 degrees of freedom. NaN without draws or with fewer than two blocks.

    The standard error is that of the draws, times sqrt((n + 1) / (n - 1)): the weights of a Bayesian bootstrap spread a mean by the
    population variance over n + 1.
    """
    kept = [one for one in scores if np.isfinite(one.value)]
    mean = float(np.mean([one.value for one in kept])) if kept else float("nan")
    by_fold = {one.fold: one.blocks for one in kept}
    n = sum(by_fold.values()) - max(0, len(by_fold) - 1)
    shortest = min((len(one.draws) for one in kept if one.draws is not None), default=0)
    if n < 2 or shortest < 2 or any(one.draws is None for one in kept):
        return TTest(mean, float("nan"), float("nan"), float("nan"), n)
    drawn = np.mean([one.draws[:shortest] for one in kept if one.draws is not None], axis=0)
    drawn = drawn[np.isfinite(drawn)]
    if len(drawn) < 2:
        return TTest(mean, float("nan"), float("nan"), float("nan"), n)
    error = float(drawn.std(ddof=1)) * float(np.sqrt((n + 1) / (n - 1)))
    if error == 0:
        return TTest(mean, mean, mean, 1.0 if mean == 0 else 0.0, n)
    half = float(stdtrit(n - 1, 0.5 + LEVEL / 2)) * error
    return TTest(mean, mean - half, mean + half, float(2 * stdtr(n - 1, -abs(mean) / error)), n)


def block_interval(scores: Sequence[Score], kind: str, bounds: tuple[float, float] | None) -> Interval:
    """The interval of `block_test`, clipped to `bounds`."""
    found = block_test(scores)
    if not np.isfinite(found.low):
        return Interval(found.mean, float("nan"), float("nan"), found.n, NONE)
    low, high = (found.low, found.high) if bounds is None else (max(found.low, bounds[0]), min(found.high, bounds[1]))
    return Interval(found.mean, low, high, found.n, kind)
