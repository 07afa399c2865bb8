"""OLTR's memory head."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from engine.data.dataset import Rows, Task
from engine.events import Event, Phase
from engine.losses import cross_entropy
from engine.methods.base import balanced_rows, param
from engine.methods.decoupled import DecoupledMethod, Refit, head_batches, head_frames
from engine.models.memory import Memory, attract_gradient, attract_loss, repel_loss, squared_distances
from engine.models.net import Net, WithHead, fresh_head
from engine.spec.fields import LATER
from engine.spec.pens import Pen
from engine.training.camera import Camera
from engine.training.fitted import Fitted
from engine.training.heads import embedded, half_cosine
from engine.training.loop import Batch, Chosen, Meter, streams, train
from engine.training.optimisers import SGD, Rate, mean_under

LEARN = ("no", "yes", "as released")
SHARE = 0.1
"""Step size of the means over that of the head, and weight of the feature losses squared: each counts .01."""


@dataclass(frozen=True)
class OLTR(DecoupledMethod):
    """Train plainly, then enrich the features by a memory of the class means and classify by cosines, on batches with as many rows of
    every class. With two classes the memory has two entries; it is made for many classes."""

    name = "oltr"
    title = "Memory of class means (OLTR)"
    family = "deep"
    kinds = ("tabular", "points", "images")
    source = (
        "Liu et al. 2019, OLTR's meta-embedding as released: the layers below stay and the means are fixed, without attention on the map "
        "and without open classes."
    )
    share = 0.7
    comparison = 95
    controls: ClassVar = {"memory as the classes come": {"balanced": False}}
    pen = Pen("green", "dashdot", "circle")
    control_pens: ClassVar = {"memory as the classes come": Pen("green", "dash", "circle")}

    head_epochs: int = param(20, low=1, high=500, log=True, help="Passes over the features of the largest class.")
    head_rate: float = param(
        0.1, low=0.0, high=1.0, stacks=LATER, advanced=True, help="First step size of the head; it falls to 0."
    )
    learn_centroids: str = param(
        "no", choices=LEARN, advanced=True,
        help="Class means stay, learn by their losses at a tenth of the step size, or by the smaller gradient of the authors' code.",
    )  # fmt: skip
    balanced: bool = param(True, advanced=True, help="Batches have as many rows of every class.")

    @classmethod
    def estimate_rows(cls, params: Mapping[str, Any], counts: Sequence[int]) -> float:
        """See Method.estimate_rows. A row of the head's training costs about a fifth of one of the network's."""
        return float(super().estimate_rows(params, counts) + params["head_epochs"] * balanced_rows(counts) / 5)

    def class_shares(self, task: Task, fitted: Fitted) -> Tensor:
        """See Method.class_shares. The memory is trained on as many rows of every class."""
        counts = super().class_shares(task, fitted)
        return (counts > 0).double() if self.balanced else counts

    def head_steps(self, task: Task) -> int:
        """See DecoupledMethod."""
        return self.head_epochs * max(head_batches(task, self.batch, balanced=self.balanced).per_pass())

    def refit(self, net: Net, task: Task, *, chosen: Chosen, meter: Meter, camera: Camera) -> Generator[Event, None, Refit]:
        """See DecoupledMethod."""
        head_frames(net, task, camera)
        yield Phase("head", "Training a memory of the class means")
        rows = embedded(net, task.train)
        memory = begin_memory(net, rows, task)
        step = MemorySGD(
            memory,
            rate=half_cosine(self.number(task, "head_rate", host=True), self.head_epochs),
            decay=5e-4,
            learn=self.learn_centroids,
        )
        last = yield from train(
            memory, task, step, head_batches(task, self.batch, balanced=self.balanced), rows=rows, epochs=self.head_epochs, phase="head",
            meter=meter, camera=camera,
        )  # fmt: skip
        head = memory.make_head()
        return Refit(WithHead(net, head, head.weights), last.score, last.epoch, chosen={"head": last.epoch})


def begin_memory(net: Net, rows: Rows, task: Task) -> Memory:
    """A new memory of the class means of features `rows`. Its least distance is 0.001 of the median of the rows' to their own mean."""
    classes = len(task.classes)
    own = torch.nn.functional.one_hot(rows.y, classes).to(rows.x) * rows.mask.unsqueeze(2)
    weighted = own if rows.weight is None else own * rows.weight.unsqueeze(2)
    total = weighted.sum(1)
    there = total > 0
    means = weighted.mT @ rows.x / torch.where(there, total, 1).unsqueeze(2)
    apart = squared_distances(rows.x, means).gather(2, rows.y.unsqueeze(2)).squeeze(2).sqrt()
    middle = torch.where(rows.mask, apart, torch.nan).nanmedian(1).values
    floor = (1e-3 * middle).clamp(min=1e-6).view(-1, 1, 1)
    fresh, head = (
        fresh_head(net.width, width, streams(task, name), device=rows.x.device, dtype=rows.x.dtype)
        for width, name in ((net.width, "memory"), (classes, "head-init"))
    )
    return Memory.begin(net, means, floor, there, fresh, head)


class MemorySGD(SGD):
    """SGD with momentum on a memory head. Batches hold features [R, B, H].

    learn: "no", the class means stay; "yes", they learn by the derivative of all losses, at SHARE of the step size; "as released", with
    the authors' gradient of the loss that attracts.
    """

    obstacle = "its head is none that is recorded"

    def __init__(self, net: Memory, *, rate: Rate, decay: float, learn: str) -> None:
        super().__init__(net, cross_entropy, rate=rate, decay=0.0)
        self.shrink, self.learn = decay, learn

    @property
    def keeps_bits(self) -> bool:
        """See Step."""
        return False

    def gradient(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """See Descent. The losses of features have no gradient in anything else: the layers below stay."""
        assert isinstance(self.net, Memory)
        weights, at = mean_under(self.loss, batch), self.net.places
        losses, gradient = self.net.derive(lambda net: self._value(net, batch, weights))
        gradient = gradient.add(self.net.flat, alpha=self.shrink)
        if self.learn == "no":
            gradient[:, at] = 0.0
            return losses, gradient
        if self.learn == "as released":
            own = attract_gradient(batch.x, batch.y, self.net.make_head().means, weights, released=True)[1]
            gradient[:, at] += SHARE**2 * own.flatten(1)
        gradient[:, at] *= SHARE
        return losses, gradient

    def _value(self, net: Net, batch: Batch, weights: Tensor) -> Tensor:
        assert isinstance(net, Memory)
        losses = (self.loss(net.head(batch.x), batch.y) * weights).sum(1)
        if self.learn == "no":
            return losses
        means = net.make_head().means
        near = means.detach() if self.learn == "as released" else means
        features = attract_loss(batch.x, batch.y, near, weights) + SHARE**2 * repel_loss(batch.x, batch.y, means, weights)
        return losses + SHARE**2 * features
