"""Mixup with deferred re-weighting."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import ClassVar

from engine.data.dataset import Task
from engine.events import Event
from engine.losses import Deferred, Loss, cross_entropy
from engine.methods.base import DeepMethod, param
from engine.models.net import Net
from engine.samplers.mixup import mixup
from engine.seeds import numpy_stream
from engine.spec.fields import FIRST
from engine.spec.pens import Pen
from engine.training.camera import Camera
from engine.training.fitted import Fitted
from engine.training.loop import Batches
from engine.training.mixing import Mixing
from engine.training.optimisers import Descent


@dataclass(frozen=True)
class MixupDRW(DeepMethod):
    """Every step mixes each row of its batch with another one, and their labels. In the last fifth of the epochs both labels weigh by
    how rare their class is. Training runs to its end, and the last epoch is taken.

    Mixed rows of two far classes can fall into a third, and columns of levels become fractions within a batch.
    """

    name = "mixup-drw"
    title = "Mixup (+ DRW)"
    family = "loss"
    kinds = ("tabular", "points", "images")
    source = (
        "Zhang et al. 2018, shares by Beta(1, 1), one per batch, with the deferred weights of Cao et al. 2019. The last epoch is taken, "
        "not the best one."
    )
    presets: ClassVar = {
        **DeepMethod.presets,
        "eos-paper": {**DeepMethod.presets["eos-paper"], "epochs": 400},
    }
    deviations: ClassVar = {
        **DeepMethod.deviations,
        "eos-paper": ("Twice as many epochs as without mixup, and the last one is taken.",),
    }
    controls: ClassVar = {"only re-weighting": {"alpha": 0.0}, "only mixup": {"deferred": False}}
    pen = Pen("green", "solid", "triangle-down")
    control_pens: ClassVar = {
        "only re-weighting": Pen("green", "dash", "square"),
        "only mixup": Pen("sky", "longdashdot", "triangle-up"),
    }
    comparison = 43

    alpha: float = param(
        1.0, low=0.0, high=10.0, stacks=FIRST,
        help="The share of a pair's first row has the law Beta(alpha, alpha): 1 is uniform; 0 mixes nothing.",
    )  # fmt: skip
    deferred: bool = param(
        True, help="Rows weigh by the effective number of rows of their class (beta 0.9999) in the last fifth of the epochs."
    )

    def fit(self, task: Task, *, camera: Camera) -> Generator[Event, None, Fitted]:
        """See Method.fit. Weights that begin late need all epochs, so neither patience nor validation ends training."""
        loss = Deferred(task.train.counts(len(task.classes))) if self.deferred else cross_entropy
        return (yield from self.fit_plain(replace(task, held_out=False), loss, camera=camera))

    def _recipe(self, task: Task, loss: Loss, net: Net, batches: Batches) -> str:
        """See TableMethod. Includes how rows are mixed."""
        return repr((super()._recipe(task, loss, net, batches), self.alpha))

    def step(self, net: Net, task: Task, loss: Loss) -> Descent:
        """See TableMethod. Batches are augmented first, then mixed."""
        step = super().step(net, task, loss)
        streams = [numpy_stream(task.seed, "mixup", r.seed, r.fold) for r in task.replicates]
        step.change = Mixing(step, mixup, streams, [way.alpha for way in self.list_members(task)])
        return step
