"""ADASYN before training."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from functools import partial

from engine.data.dataset import Task
from engine.events import Event
from engine.methods.base import DeepMethod, param
from engine.samplers.lines import adasyn
from engine.spec.fields import FIRST
from engine.spec.pens import Pen
from engine.training.camera import Camera
from engine.training.fitted import Fitted


@dataclass(frozen=True)
class ADASYN(DeepMethod):
    """As SMOTE, but a minority row begins the more new rows the more rows of other classes are near it: most are made where the
    classes meet. Made once, before training."""

    name = "adasyn"
    title = "ADASYN"
    family = "sampling"
    kinds = ("tabular", "points", "images")
    source = (
        "He et al. 2008, one class against the rest as in imbalanced-learn, whose rows these are for the same draws; numbers are rounded "
        "row by row, so classes end up about as large as the share asked for, not exactly."
    )
    pen = Pen("sky", "dashdot", "triangle-down")

    share: float = param(
        1.0, low=0.0, high=1.0, stacks=FIRST,
        help="Of the rows that a class has fewer than the largest, so many are made (beta): 1 makes all classes alike.",
    )  # fmt: skip
    k_neighbors: int = param(
        5, low=1, high=50, stacks=FIRST,
        help="Nearest rows: of any class to count those of others among, and of the same class for a new row to lie towards.",
    )  # fmt: skip

    def fit(self, task: Task, *, camera: Camera) -> Generator[Event, None, Fitted]:
        """See Method.fit. A class without near rows of other classes is sampled by SMOTE, a class of one row is copied; a Note
        reports it.
        """
        each = self.list_members(task)
        draws = [partial(adasyn, k_neighbors=one.k_neighbors) for one in each]
        return (yield from self.fit_sampled(task, draws, camera=camera, share=[one.share for one in each]))
