"""ReMix: balanced and mixed batches."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from engine.data.dataset import Task
from engine.events import Event
from engine.losses import Loss, cross_entropy
from engine.methods.base import DeepMethod, param
from engine.models.net import Net
from engine.samplers.remix import remix
from engine.seeds import numpy_stream
from engine.spec.fields import FIRST
from engine.spec.pens import Pen
from engine.training.camera import Camera
from engine.training.fitted import Fitted
from engine.training.loop import Batches
from engine.training.mixing import Mixing
from engine.training.optimisers import Descent


@dataclass(frozen=True)
class ReMix(DeepMethod):
    """Every step balances its batch by copies and mixes pairs of its rows, and their labels: as many rows of each class, and always
    new ones. The classes of a batch are mixed, those that are absent from it are not made up."""

    name = "remix"
    title = "ReMix"
    family = "sampling"
    kinds = ("tabular", "points", "images")
    source = (
        "Bellinger et al. 2021 (not the Remix of Chou et al. 2020): cross-entropy with mixed labels, one share per batch by "
        "Beta(0.2, 0.2) as in their released image experiments."
    )
    presets: ClassVar = {k: v for k, v in DeepMethod.presets.items() if k != "dos-paper"}
    deviations: ClassVar = {
        "paper": DeepMethod.deviations["paper"],
        "eos-paper": (
            *DeepMethod.deviations["eos-paper"],
            "The EOS paper gives neither the law of the shares nor the optimiser: Beta(0.2, 0.2) and its own are assumed.",
        ),
    }
    controls: ClassVar = {"no mixing": {"alpha": 0.0}}
    pen = Pen("orange", "dashdot", "pentagon")
    control_pens: ClassVar = {"no mixing": Pen("orange", "longdashdot", "diamond")}

    alpha: float = param(
        0.2, low=0.0, high=10.0, stacks=FIRST,
        help="The share of a pair's first row has the law Beta(alpha, alpha): small, and it is mostly one of the two; 0 mixes nothing, "
        "so batches are balanced by copies alone.",
    )  # fmt: skip

    def fit(self, task: Task, *, camera: Camera) -> Generator[Event, None, Fitted]:
        """See Method.fit."""
        return (yield from self.fit_plain(task, cross_entropy, camera=camera))

    def _recipe(self, task: Task, loss: Loss, net: Net, batches: Batches) -> str:
        """See TableMethod. Includes how rows are mixed."""
        return repr((super()._recipe(task, loss, net, batches), self.alpha))

    def step(self, net: Net, task: Task, loss: Loss) -> Descent:
        """See TableMethod. Batches are augmented first, then mixed."""
        step = super().step(net, task, loss)
        streams = [numpy_stream(task.seed, "remix", r.seed, r.fold) for r in task.replicates]
        alphas = [way.alpha for way in self.list_members(task)]
        step.change = Mixing(step, partial(remix, classes=len(task.classes)), streams, alphas)
        return step
