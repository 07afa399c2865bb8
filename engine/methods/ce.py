"""Plain training."""

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
class CE(DeepMethod):
    """Plain training with cross-entropy: nothing is done about the imbalance. The baseline every method is held against."""

    name = "ce"
    title = "Plain training"
    family = "plain"
    kinds = ("tabular", "points", "images")
    source = "Baseline CE of Yasinnik et al., section 5; two logits instead of one."
    pen = Pen("grey", "dashdot", "cross")
    comparison = 0
    paper_rows = ("CE",)

    def fit(self, task: Task, *, camera: Camera) -> Generator[Event, None, Fitted]:
        """See Method.fit."""
        return (yield from self.fit_plain(task, cross_entropy, camera=camera))
