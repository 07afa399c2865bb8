"""Focal loss."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from engine import losses
from engine.data.dataset import Task
from engine.events import Event
from engine.methods.base import DeepMethod, param
from engine.spec.fields import FIRST
from engine.spec.pens import Pen
from engine.training.camera import Camera
from engine.training.fitted import Fitted


@dataclass(frozen=True)
class Focal(DeepMethod):
    """Rows that are already classified well count less, so the hard ones, often the rare ones, count more."""

    name = "focal"
    title = "Focal loss"
    family = "loss"
    kinds = ("tabular", "points", "images")
    source = "Lin et al. 2018, eq. 5, gamma 2 without alpha; Yasinnik et al. give neither value nor code."
    pen = Pen("vermilion", "solid", "x")
    comparison = 4
    suggested = 2
    paper_rows = ("Focal",)

    gamma: float = param(2.0, low=0.0, high=10.0, stacks=FIRST, help="How fast well classified rows fade; 0 is plain training.")
    alpha: float = param(
        0.0, low=0.0, high=0.99, stacks=FIRST, advanced=True,
        help="Weight of the minority classes (the largest gets 1 - alpha); 0 leaves it out. Lin et al.'s 0.25 weighs the minority down.",
    )  # fmt: skip

    def fit(self, task: Task, *, camera: Camera) -> Generator[Event, None, Fitted]:
        """See Method.fit."""
        loss = losses.Focal(self.number(task, "gamma"), self.number(task, "alpha"), task.largest)
        return (yield from self.fit_plain(task, loss, camera=camera))
