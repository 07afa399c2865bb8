"""ReMix: balanced and mixed batches."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from engine.data.dataset import Task
from engine.events import Event
from engine.losses import Loss, Mixed, cross_entropy
from engine.methods.base import DeepMethod, param
from engine.models.net import Net
from engine.samplers.remix import remix
from engine.seeds import numpy_stream
from engine.spec.fields import FIRST
from engine.spec.pens import Pen
from engine.training.batches import keep
from engine.training.camera import Camera
from engine.training.fitted import Fitted
from engine.training.loop import Batch, Batches
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
        step.change = _Mixing(step, loss, len(task.classes), streams, alphas)
        return step


class _Mixing:
    """Balances and mixes every batch of `step`, after the change that the step had, and gives the step the loss of its labels. One
    stream per replicate.
    """

    def __init__(
        self, step: Descent, loss: Loss, classes: int, streams: Sequence[np.random.Generator], alphas: Sequence[float]
    ) -> None:
        self.step, self.before, self.loss = step, step.change, loss
        self.classes, self.streams, self.alphas = classes, list(streams), list(alphas)

    def select(self, index: Tensor) -> None:
        """Goes on with replicates `index` [r] alone."""
        self.loss, self.streams, self.alphas = self.loss.select(index), keep(self.streams, index), keep(self.alphas, index)
        if self.before is not None:
            self.before.select(index)

    def __call__(self, batch: Batch) -> Batch:
        batch = batch if self.before is None else self.before(batch)
        x, y, second = batch.x.clone(), batch.y.clone(), batch.y.clone()
        share = torch.ones(len(y), 1, dtype=x.dtype)
        pairs = torch.zeros(2, *y.shape, dtype=torch.int64, device=x.device)
        for r, n in enumerate(batch.mask.sum(1).tolist()):
            if n:  # a paused replicate draws nothing
                made = remix(batch.x[r, :n], batch.y[r, :n], self.classes, self.streams[r], alpha=self.alphas[r])
                x[r, :n], y[r, :n], second[r, :n], share[r] = made.x, made.y_first, made.y_second, made.share
                if batch.weight is not None:
                    pairs[0, r, :n], pairs[1, r, :n] = made.first, made.second
        share = share.to(x.device)
        if batch.weight is None:
            self.step.loss = Mixed(second, share, self.loss)
            return replace(batch, x=x, y=y)
        one, other = (batch.weight.gather(1, which) for which in pairs)
        weight = (share * one + (1 - share) * other) * batch.mask
        # both labels count by the weight of their row: share of the first one's in the sum of the pair's
        self.step.loss = Mixed(second, torch.where(weight > 0, share * one / weight.clamp(min=1e-30), 1.0).to(x), self.loss)
        return replace(batch, x=x, y=y, weight=weight)
