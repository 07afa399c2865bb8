"""Class-balanced loss."""

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
class ClassBalanced(DeepMethod):
    """Rows weigh by the effective number of rows of their class: a class of many rows counts less than by plain training, but not as
    much less as its size, since its later rows tell little that is new."""

    name = "class-balanced"
    title = "Class-balanced loss"
    family = "loss"
    kinds = ("tabular", "points", "images")
    source = (
        "Cui et al. 2019: weights (1 - beta) / (1 - beta^n) for a class of n rows, on the softmax or the focal loss; a step divides by "
        "the sum of its rows' weights, where their code divides by the number of rows."
    )
    pen = Pen("vermilion", "dash", "star")

    unique_rows: float = param(
        10_000.0, low=1.0, high=1e6, log=True, stacks=FIRST, label="unique rows",
        help="How many rows of a class tell something new at most (N); beta is 1 - 1/N. 1 is plain training, many weighs by inverse class "
        "size. Cui et al. choose among 10, 100, 1000 and 10000, that is beta 0.9 to 0.9999.",
    )  # fmt: skip
    loss: str = param("softmax", choices=("softmax", "focal"), help="The loss that is weighed: cross-entropy, or focal.")
    gamma: float = param(
        2.0, low=0.0, high=10.0, stacks=FIRST, advanced=True, help="Of the focal loss: how fast well classified rows fade."
    )

    def fit(self, task: Task, *, camera: Camera) -> Generator[Event, None, Fitted]:
        """See Method.fit."""
        each = losses.Focal(self.number(task, "gamma")) if self.loss == "focal" else losses.cross_entropy
        loss = losses.ClassBalanced(task.train.counts(len(task.classes)), 1 - 1 / self.number(task, "unique_rows"), each)
        return (yield from self.fit_plain(task, loss, camera=camera))
