"""Classifier re-training."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import ClassVar

from engine.data.dataset import Task
from engine.events import Event, Phase
from engine.methods.base import param
from engine.methods.decoupled import DecoupledMethod, Refit, head_batches, head_frames, train_head
from engine.models.net import Net
from engine.spec.fields import LATER
from engine.spec.pens import Pen
from engine.training.camera import Camera
from engine.training.heads import embedded, half_cosine
from engine.training.loop import Chosen, Meter


@dataclass(frozen=True)
class CRT(DecoupledMethod):
    """Train plainly, then train a new last layer on batches with as many rows of every class; the layers below stay.

    Nothing is made: minority rows come up more often. What EOS does beyond this is the worth of its new rows.
    """

    name = "crt"
    title = "Classifier re-training (cRT)"
    family = "deep"
    kinds = ("tabular", "points", "images")
    source = (
        "Kang et al. 2020, cRT: 10 passes of SGD with momentum 0.9 and weight decay 0.0005 over class-balanced batches of features, step "
        "size from 0.2 down half a cosine."
    )
    presets: ClassVar = {k: v for k, v in DecoupledMethod.presets.items() if k != "dos-paper"}
    deviations: ClassVar = {
        **{k: v for k, v in DecoupledMethod.deviations.items() if k != "dos-paper"},
        "eos-paper": (
            *DecoupledMethod.deviations["eos-paper"], "Kang et al. train on batches of 512; the step size of 0.2 is kept at 128.",
        ),
    }  # fmt: skip
    share = 0.7
    controls: ClassVar = {"as the classes come": {"balanced": False}}
    pen = Pen("pink", "solid", "triangle-up")
    control_pens: ClassVar = {"as the classes come": Pen("pink", "dash", "square")}

    head_epochs: int = param(
        10, low=1, high=500, log=True, help="Passes over the features of the largest class, each with as many of every other."
    )
    head_rate: float = param(
        0.2,
        low=0.0,
        high=1.0,
        stacks=LATER,
        advanced=True,
        help="First step size of the new last layer; it falls to 0 along half a cosine.",
    )
    warm_start: bool = param(False, advanced=True, help="The new last layer begins as the old one, not afresh.")
    balanced: bool = param(
        True, advanced=True, help="Batches have as many rows of every class; off, classes come up as often as they are."
    )

    def head_steps(self, task: Task) -> int:
        """See DecoupledMethod."""
        return self.head_epochs * max(head_batches(task, self.batch, balanced=self.balanced).per_pass())

    def refit(self, net: Net, task: Task, *, chosen: Chosen, meter: Meter, camera: Camera) -> Generator[Event, None, Refit]:
        """See DecoupledMethod."""
        head_frames(net, task, camera)
        yield Phase("head", "Training a new last layer on balanced batches")
        batches = head_batches(task, self.batch, balanced=self.balanced)
        rate = half_cosine(self.number(task, "head_rate", host=True), self.head_epochs)
        return (yield from train_head(
            task, net, embedded(net, task.train), batches, rate=rate, decay=5e-4,
            epochs=self.head_epochs, warm_start=self.warm_start, meter=meter, camera=camera,
        ))  # fmt: skip
