"""Class-balanced minibatches."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from engine.data.dataset import Task
from engine.events import Event
from engine.losses import cross_entropy
from engine.methods.base import DeepMethod
from engine.spec.pens import Pen
from engine.training.camera import Camera
from engine.training.fitted import Fitted


@dataclass(frozen=True)
class RS(DeepMethod):
    """Every step sees the same number of rows of each class: minority rows are repeated. Simple, and hard to beat."""

    name = "rs"
    title = "Balanced batches (RS)"
    family = "sampling"
    kinds = ("tabular", "points", "images")
    source = "Baseline RS of Yasinnik et al., section 5, as the text says: exactly balanced batches. Their code balances only on average."
    pen = Pen("orange", "solid", "square")
    comparison = 8
    suggested = 1
    paper_rows = ("RS",)

    def fit(self, task: Task, *, camera: Camera) -> Generator[Event, None, Fitted]:
        """See Method.fit."""
        return (yield from self.fit_plain(task, cross_entropy, camera=camera, balanced=True))
