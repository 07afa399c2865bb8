"""SWIM before training, or among features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from engine.data.dataset import Task
from engine.methods.base import param
from engine.methods.sampled_base import SampledMethod
from engine.samplers.swim import MEASURES, SPREAD, swim
from engine.spec.fields import FIRST
from engine.spec.pens import Pen
from engine.training.oversampling import Draw


@dataclass(frozen=True)
class SWIM(SampledMethod):
    """New minority rows at the same distance from the bulk of the other classes as a minority row, not between minority rows. Works from a
    single minority row; with more columns than other rows it moves only in the directions in which those vary."""

    name = "swim"
    title = "SWIM"
    source = (
        "Sharma et al. 2018 (Mahalanobis) and Bellinger et al. 2019 (RBF) as released. But a single row takes the others' spread, a "
        "singular covariance is used in its range, RBF's width is a median distance, and where no step is accepted the best one is taken."
    )
    pen = Pen("green", "solid", "cross")
    comparison = 66

    measure: str = param(
        "mahalanobis", choices=MEASURES, stacks=FIRST,
        help="What a new row keeps of its seed: the Mahalanobis distance from the other classes, or at most their density (RBF kernel).",
    )  # fmt: skip
    spread: float = param(
        SPREAD, low=0.0, high=10.0, stacks=FIRST, help="How large steps are, in standard deviations of the class."
    )

    def draws(self, task: Task) -> Sequence[Draw]:
        """See SampledMethod."""
        return [partial(swim, measure=one.measure, spread=one.spread) for one in self.list_members(task)]
