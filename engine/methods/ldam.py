"""LDAM with deferred re-weighting."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import ClassVar

from engine import losses
from engine.data.dataset import Task
from engine.events import Event
from engine.methods.base import DeepMethod, param
from engine.models.net import Net
from engine.spec.fields import FIRST
from engine.spec.pens import Pen
from engine.training.camera import Camera
from engine.training.fitted import Fitted


@dataclass(frozen=True)
class LDAM(DeepMethod):
    """Every class keeps a distance from the boundary, the larger the fewer its rows are; the last layer gives cosines. In the last
    fifth of the epochs rows also weigh by how rare their class is (deferred re-weighting).

    Probabilities are the softmax of the cosines, so they stay near even; decisions and, with two classes, the order of rows do not
    depend on that. A run that ends early for want of a better score may end before the weights begin.
    """

    name = "ldam"
    title = "LDAM (+ DRW)"
    family = "loss"
    kinds = ("tabular", "points", "images")
    source = "Cao et al. 2019, eqs. 12 and 13, with the values of their code: margin 0.5, scale 30, weights from 80% of the epochs on."
    controls: ClassVar = {"no re-weighting": {"deferred": False}}
    pen = Pen("vermilion", "longdash", "pentagon")
    control_pens: ClassVar = {"no re-weighting": Pen("vermilion", "dot", "diamond")}

    max_margin: float = param(
        0.5,
        low=0.0,
        high=2.0,
        stacks=FIRST,
        help="Margin of the rarest class, in cosines; one of n rows has it times (rarest / n)^(1/4).",
    )
    scale: float = param(
        30.0, low=0.1, high=1000.0, log=True, stacks=FIRST, help="What cosines are multiplied by before the softmax."
    )
    deferred: bool = param(
        True, help="Rows weigh by the effective number of rows of their class (beta 0.9999) in the last fifth of the epochs."
    )

    def create(self, task: Task) -> Net:
        """See DeepMethod. The network has a cosine head."""
        net = super().create(task)
        net.cosine = True
        return net

    def fit(self, task: Task, *, camera: Camera) -> Generator[Event, None, Fitted]:
        """See Method.fit."""
        loss = losses.LDAM(
            task.train.counts(len(task.classes)),
            max_margin=self.number(task, "max_margin"),
            scale=self.number(task, "scale"),
            deferred=self.deferred,
        )
        return (yield from self.fit_plain(task, loss, camera=camera))
