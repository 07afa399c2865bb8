"""Intervals over the test rows of a split by time: whole days, or whole owners, are drawn, since rows within one are alike.

A Bayesian bootstrap of blocks (Rubin 1981): each block has a weight from an exponential distribution. Replicates of one origin share
their weights, so that differences are paired; origins have weights of their own. NumPy and scipy.special alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.stats.intervals import LEVEL, NONE, Interval
from engine.stats.significance import TTest
from engine.stats.student_t import stdtr, stdtrit

BY_TIME = "95% bootstrap of the test rows, whole days or times drawn, with the spread of training"
BY_OWNER = "95% bootstrap of the test rows, whole owners drawn, with the spread of training"
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
    """The mean over replicates with its 95% interval and the p that it is 0. NaN without draws or with fewer than two blocks.

    Its variance has two parts. Test rows: that of the draws, times (n + 1) / (n - 1) for n blocks, since the weights of a Bayesian
    bootstrap spread a mean by the population variance over n + 1; origins beyond the first take a degree of freedom each. Training: the
    variance of an origin's seeds over the number of replicates; where each origin has one seed, what the variance of origins is above the
    first part; nothing for a single replicate. `n` is one more than the degrees of freedom by Welch and Satterthwaite, rounded down.
    """
    kept = [one for one in scores if np.isfinite(one.value)]
    mean = float(np.mean([one.value for one in kept])) if kept else float("nan")
    by_fold = {one.fold: one.blocks for one in kept}
    n = sum(by_fold.values()) - max(0, len(by_fold) - 1)
    nothing = TTest(mean, float("nan"), float("nan"), float("nan"), n)
    shortest = min((len(one.draws) for one in kept if one.draws is not None), default=0)
    if n < 2 or shortest < 2 or any(one.draws is None for one in kept):
        return nothing
    drawn = np.mean([one.draws[:shortest] for one in kept if one.draws is not None], axis=0)
    drawn = drawn[np.isfinite(drawn)]
    if len(drawn) < 2:
        return nothing
    tested = float(drawn.var(ddof=1)) * (n + 1) / (n - 1)
    trained, degrees = _estimate_training(kept, tested)
    error = float(np.sqrt(tested + trained))
    if error == 0:
        return TTest(mean, mean, mean, 1.0 if mean == 0 else 0.0, n)
    spread = tested**2 / (n - 1) + (trained**2 / degrees if trained else 0.0)
    df = max(1, int(error**4 / spread * (1 + 1e-9)))
    half = float(stdtrit(df, 0.5 + LEVEL / 2)) * error
    return TTest(mean, mean - half, mean + half, float(2 * stdtr(df, -abs(mean) / error)), df + 1)


def _estimate_training(scores: Sequence[Score], tested: float) -> tuple[float, int]:
    """(variance of the mean by the chance of training, its degrees of freedom). tested: variance by test rows."""
    by_fold: dict[int, list[float]] = {}
    for one in scores:
        by_fold.setdefault(one.fold, []).append(one.value)
    degrees = sum(len(values) - 1 for values in by_fold.values())
    if degrees:
        within = sum(float(np.var(values)) * len(values) for values in by_fold.values()) / degrees
        return within / len(scores), degrees
    if len(scores) < 2:
        return 0.0, 0
    between = float(np.var([one.value for one in scores], ddof=1)) / len(scores)
    return max(0.0, between - tested), len(scores) - 1


def block_interval(scores: Sequence[Score], kind: str, bounds: tuple[float, float] | None) -> Interval:
    """The interval of `block_test`, clipped to `bounds`."""
    found = block_test(scores)
    if not np.isfinite(found.low):
        return Interval(found.mean, float("nan"), float("nan"), found.n, NONE)
    low, high = (found.low, found.high) if bounds is None else (max(found.low, bounds[0]), min(found.high, bounds[1]))
    return Interval(found.mean, low, high, found.n, kind)
