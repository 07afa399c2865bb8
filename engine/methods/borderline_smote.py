"""Borderline-SMOTE before training."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from functools import partial

from engine.data.dataset import Task
from engine.events import Event
from engine.methods.base import DeepMethod, param
from engine.samplers.lines import borderline_smote
from engine.spec.fields import FIRST
from engine.spec.pens import Pen
from engine.training.camera import Camera
from engine.training.fitted import Fitted
from engine.training.oversampling import DANGER


@dataclass(frozen=True)
class BorderlineSMOTE(DeepMethod):
    """SMOTE from the minority rows at the border alone: those with many rows of other classes near them, but not only those. Made
    once, before training, until every class is as large as the largest."""

    name = "borderline-smote"
    title = "Borderline-SMOTE"
    family = "sampling"
    kinds = ("tabular", "points", "images")
    source = (
        "Han et al. 2005, the first kind, as imbalanced-learn, whose rows these are for the same draws; a class without a row in danger, "
        "which that leaves as it is, is made by SMOTE."
    )
    pen = Pen("sky", "longdashdot", "x")

    k_neighbors: int = param(
        5, low=1, high=50, stacks=FIRST, help="How many nearest rows of the same class a new row may lie towards."
    )
    m_neighbors: int = param(
        10,
        low=1,
        high=300,
        stacks=FIRST,
        help="Nearest rows of any class among which those of others are counted: half of them is danger.",
    )
    danger_min: int = param(
        0, low=0, high=300, stacks=FIRST, advanced=True,
        help="Rows of other classes that a border row has near it at least; 0 is half of its neighbours, 1 the EOS paper's wording.",
    )  # fmt: skip

    def fit(self, task: Task, *, camera: Camera) -> Generator[Event, None, Fitted]:
        """See Method.fit. A class of one row is copied; a Note reports it."""
        draws = [
            partial(
                borderline_smote, k_neighbors=one.k_neighbors, m_neighbors=one.m_neighbors, danger_min=one.danger_min or None
            )
            for one in self.list_members(task)
        ]
        return (yield from self.fit_sampled(task, draws, camera=camera, near=DANGER))
