"""SUGAR before training, or among features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from engine.data.dataset import Task
from engine.methods.base import param
from engine.methods.sampled_base import SampledMethod
from engine.samplers.sugar import BANDWIDTHS, SUGAR_NEIGHBORS, sugar
from engine.spec.fields import FIRST
from engine.spec.pens import Pen
from engine.training.oversampling import Draw


@dataclass(frozen=True)
class SUGAR(SampledMethod):
    """New rows where a class is thin, then pulled along its shape. It does not look at the other classes, so rows may lie among them; with
    more columns than rows the noise stays in the span of a few neighbours."""

    name = "sugar"
    title = "SUGAR"
    source = (
        "Lindenbaum et al. 2018, class by class. Against the release: numbers follow the paper, the kernel's width is the median distance "
        "(the release's may be 0), rows without weight stay, and rows are not rescaled by percentiles."
    )
    pen = Pen("green", "dot", "cross")
    comparison = 67

    k_neighbors: int = param(
        SUGAR_NEIGHBORS, low=2, high=50, stacks=FIRST,
        help="Rows of the class, itself among them, whose covariance is the noise's; fewer where the class has fewer.",
    )  # fmt: skip
    passes: int = param(
        1, low=0, high=10, stacks=FIRST, help="How often new rows are smoothed along the class's shape; 0: they stay as drawn."
    )
    bandwidth: str = param(
        "median", choices=BANDWIDTHS, stacks=FIRST, advanced=True,
        help="Width of the kernel that says where the class is thin: the median distance, or as released.",
    )  # fmt: skip
    equalize: bool = param(
        True, advanced=True, help="Numbers of new rows follow the neighbours' spread too, not density alone."
    )

    def draws(self, task: Task) -> Sequence[Draw]:
        """See SampledMethod."""
        return [
            partial(sugar, k_neighbors=one.k_neighbors, passes=one.passes, bandwidth=one.bandwidth, equalize=one.equalize)
            for one in self.list_members(task)
        ]
