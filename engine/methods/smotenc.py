"""SMOTE-NC before training."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from functools import partial

from engine.data.dataset import Task
from engine.events import Event, Note
from engine.methods.base import DeepMethod, param
from engine.samplers.lines import smote
from engine.samplers.mixed import smotenc
from engine.spec.fields import FIRST
from engine.spec.pens import Pen
from engine.training.camera import Camera
from engine.training.fitted import Fitted
from engine.training.oversampling import Draw


@dataclass(frozen=True)
class SMOTENC(DeepMethod):
    """SMOTE for tables of numbers and categories: a new row's numbers lie on the line between two minority rows, its categories are
    the most frequent ones near it, never a share of each. Made once, before training."""

    name = "smotenc"
    title = "SMOTE-NC (mixed data)"
    family = "sampling"
    kinds = ("tabular",)
    source = "Chawla et al. 2002, section 6.1, as imbalanced-learn's SMOTENC; without categorical columns it is SMOTE."
    pen = Pen("pink", "dot", "hexagon")

    k_neighbors: int = param(
        5, low=1, high=50, stacks=FIRST, help="How many nearest rows of the same class a new row may lie towards."
    )
    levels: tuple[int, ...] = param(
        (), low=2, high=10_000, longest=2_000, advanced=True,
        help="How many levels each categorical column has, where the table's last columns are theirs, one for each level, 1 for the "
        "row's own. Empty: as the data set says; a table given to a classifier says nothing.",
    )  # fmt: skip

    def fit(self, task: Task, *, camera: Camera) -> Generator[Event, None, Fitted]:
        """See Method.fit. A class of one row is copied; a Note reports it. Raises BadData where the last columns are not
        levels.
        """
        levels = self.levels or task.levels
        draws: list[Draw]
        if not levels:
            draws = [partial(smote, k_neighbors=one.k_neighbors) for one in self.list_members(task)]
            fitting = self.fit_sampled(task, draws, camera=camera)
            yield next(fitting)
            yield Note("These data have no categorical columns: new rows are made as by SMOTE.")
            return (yield from fitting)
        draws = [partial(smotenc, k_neighbors=one.k_neighbors, levels=levels) for one in self.list_members(task)]
        return (yield from self.fit_sampled(task, draws, camera=camera))
