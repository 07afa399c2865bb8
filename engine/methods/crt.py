"""Classifier re-training."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import ClassVar

from engine.data.dataset import Task
from engine.events import Event, Phase
from engine.losses import cross_entropy
from engine.methods.base import DeepMethod, param
from engine.spec.pens import Pen
from engine.training.batches import Balanced, Passes
from engine.training.camera import Camera
from engine.training.fitted import Fitted
from engine.training.heads import HeadSGD, embedded, half_cosine
from engine.training.loop import Meter, streams, train


@dataclass(frozen=True)
class CRT(DeepMethod):
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
    presets: ClassVar = {k: v for k, v in DeepMethod.presets.items() if k != "dos-paper"}
    deviations: ClassVar = {
        **{k: v for k, v in DeepMethod.deviations.items() if k != "dos-paper"},
        "eos-paper": (
            *DeepMethod.deviations["eos-paper"],
            "Kang et al. train on batches of 512; the step size of 0.2 is kept at 128.",
        ),
    }
    controls: ClassVar = {"as the classes come": {"balanced": False}}
    pen = Pen("pink", "solid", "triangle-up")
    control_pens: ClassVar = {"as the classes come": Pen("pink", "dash", "square")}
    reuses_plain = True

    head_epochs: int = param(
        10, low=1, high=500, log=True, help="Passes over the features of the largest class, each with as many of every other."
    )
    head_rate: float = param(
        0.2, low=0.0, high=1.0, advanced=True, help="First step size of the new last layer; it falls to 0 along half a cosine."
    )
    warm_start: bool = param(False, advanced=True, help="The new last layer begins as the old one, not afresh.")
    balanced: bool = param(
        True, advanced=True, help="Batches have as many rows of every class; off, classes come up as often as they are."
    )

    def fit(self, task: Task, *, camera: Camera) -> Generator[Event, None, Fitted]:
        """See Method.fit."""
        rows, chances = task.train, streams(task, "head-batch")
        balanced = Balanced(rows, len(task.classes), self.batch, chances)
        batches = balanced if self.balanced else Passes(rows.sizes.tolist(), self.batch, chances)
        first = max(Passes(rows.sizes.tolist(), self.batch, []).per_pass())
        meter = Meter(self.epochs * first + self.head_epochs * max(batches.per_pass()))
        camera.share = 0.7
        yield Phase("training", "Training the network")
        net, _ = yield from self.pretrain(task, cross_entropy, rows=rows, meter=meter, camera=camera)
        earlier = net.copy()
        camera.share = 0.3
        if task.shape is not None:
            camera.share = 1.0
            camera.show_features(net)
        yield Phase("head", "Training a new last layer on balanced batches")
        rate = half_cosine(self.head_rate, self.head_epochs)
        step = HeadSGD(net, cross_entropy, rate=rate, momentum=0.9, decay=5e-4)
        if not self.warm_start:
            step.replace(streams(task, "head-init"))
        chosen = yield from train(
            net, task, step, batches,
            rows=embedded(net, rows), epochs=self.head_epochs, phase="head", meter=meter, camera=camera,
        )  # fmt: skip
        yield from camera.record_final_frame(net, "chosen", chosen.epoch, meter.step, chosen.score)
        return Fitted(net, chosen.epoch, earlier=earlier)
