"""How certain a comparison's means and differences are, by the kind of its split.

Seeds of a random split, or of one by owner, redraw the test rows: the corrected resampled t over replicates. By time every seed has the
same test rows: a bootstrap of their blocks (`engine.stats.blocks`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from engine.analysis import metrics
from engine.data.splits.plan import SplitPlan
from engine.seeds import numpy_stream
from engine.stats.blocks import BY_OWNER, BY_TIME, Score, block_interval, block_test, draw_weights
from engine.stats.compared import Difference, adjust_tests
from engine.stats.intervals import CORRECTED_T, Interval, corrected_t
from engine.stats.significance import find_test_share, t_test

if TYPE_CHECKING:
    from engine.compare.bench import ReplicateScore


def read_value(outcome: ReplicateScore, metric: str) -> Score:
    """A replicate's value of a metric, with its draws where there are some."""
    return Score(outcome.metrics[metric], outcome.draws.get(metric), outcome.blocks, outcome.replicate.fold)


COVERS = {
    "random": "It covers other random splits of these rows. It does not cover rows of a later time or of other owners.",
    "group": "It covers other owners like these. It does not cover a later time.",
    "time": "It covers other days like these and the chance of training. It does not cover a later time or other training rows.",
    "time-group": "It covers other owners of these days and the chance of training. It does not cover a later time or other training rows.",
}
"""Kind of split -> what its intervals cover and what not."""


@dataclass(frozen=True)
class Spread:
    """kind: of the split. folds: replicates of a seed. blocks: see `SplitPlan`. share: n_test / n_train, for the corrected t."""

    kind: str = "random"
    folds: int = 5
    blocks: np.ndarray | None = None
    has_owners: bool = False

    @classmethod
    def of(cls, plan: SplitPlan, has_owners: bool) -> Spread:
        return cls(plan.kind, plan.folds, plan.blocks, has_owners)

    @property
    def share(self) -> float:
        return find_test_share(self.folds)

    @property
    def name(self) -> str:
        """The kind of interval, for display."""
        return CORRECTED_T if self.blocks is None else BY_OWNER if self.has_owners else BY_TIME

    @property
    def covers(self) -> str:
        """What the intervals cover and what not."""
        return COVERS[self.kind]

    def draw(self, rows: np.ndarray, y: np.ndarray, p: np.ndarray, seed: int, fold: int) -> tuple[dict[str, np.ndarray], int]:
        """(metric -> values on draws of the test rows, the number of blocks); nothing where seeds redraw the test rows.

        rows [t]: numbers in the dataset. y [t], p [t, C]. seed: the run's. All methods and seeds of an origin have the same draws.
        """
        if self.blocks is None:
            return {}, 0
        own = self.blocks[rows]
        weights = draw_weights(own, int(self.blocks.max()) + 1, numpy_stream(seed, "blocks", fold))
        return metrics.scores(p, y, weights=weights), len(np.unique(own))

    def interval(self, scores: Sequence[Score], bounds: tuple[float, float] | None) -> Interval:
        """The 95% interval of the mean over replicates, clipped to `bounds`."""
        if self.blocks is None:
            return corrected_t(np.array([one.value for one in scores]), self.share, bounds)
        return block_interval(scores, self.name, bounds)

    def compare(self, values: Mapping[str, Mapping[int, Score]], base: str) -> dict[str, Difference]:
        """Every other row minus `base` on their common replicates; one family of tests by Holm."""
        tests = {}
        for name, own in values.items():
            if name != base:
                common = sorted(own.keys() & values[base].keys())
                gaps = [own[r] - values[base][r] for r in common]
                tests[name] = (
                    t_test(np.array([gap.value for gap in gaps]), self.share) if self.blocks is None else block_test(gaps)
                )
        return adjust_tests(tests, self.name)
