"""Class weights in the loss."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from torch import Tensor

from engine.data.dataset import Task
from engine.events import Event
from engine.losses import ClassWeighted, broadcast
from engine.methods.base import DeepMethod, param
from engine.spec.fields import FIRST
from engine.spec.pens import Pen
from engine.training.camera import Camera
from engine.training.fitted import Fitted


@dataclass(frozen=True)
class ClassWeights(DeepMethod):
    """Every class counts as much in the loss, however few its rows are: a row weighs by how rare its class is in training."""

    name = "class-weights"
    title = "Class weights"
    family = "loss"
    kinds = ("tabular", "points", "images")
    source = (
        "Cost-sensitive training by inverse class frequency (King and Zeng 2001), as scikit-learn's class_weight='balanced'."
    )
    pen = Pen("vermilion", "dashdot", "hexagon")
    comparison = 1

    power: float = param(
        1.0, low=0.0, high=2.0, stacks=FIRST,
        help="Weights are inverse class frequencies to this power; 0 is plain training, 1 makes classes equal."
    )  # fmt: skip

    def fit(self, task: Task, *, camera: Camera) -> Generator[Event, None, Fitted]:
        """See Method.fit."""
        loss = ClassWeighted(task.train.counts(len(task.classes)), self.number(task, "power"))
        return (yield from self.fit_plain(task, loss, camera=camera))

    def class_shares(self, task: Task, fitted: Fitted) -> Tensor:
        """See Method.class_shares."""
        counts = super().class_shares(task, fitted)
        inverse = counts.mean(1, keepdim=True) / counts.clamp(min=1)
        return counts * inverse ** broadcast(self.number(task, "power"), inverse)
