"""Learnable weight scaling: one factor per class on a frozen network's logits."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from engine.data.dataset import Task
from engine.events import Event, Note, Phase
from engine.losses import cross_entropy
from engine.methods.base import param
from engine.methods.decoupled import DecoupledMethod, Refit, head_batches, head_frames, set_head
from engine.models.mlp import MLP
from engine.models.net import Net, product
from engine.spec.fields import LATER
from engine.spec.pens import Pen
from engine.training.camera import Camera
from engine.training.heads import embedded, half_cosine
from engine.training.loop import Batch, Chosen, Meter, train
from engine.training.optimisers import SGD, Rate, mean_under


@dataclass(frozen=True)
class LWS(DecoupledMethod):
    """Train plainly, then learn one factor per class for the logits, on batches with as many rows of every class. With two classes the
    logits are nearly opposite, so positive factors change neither the decisions nor the ranking; it is made for many classes."""

    name = "lws"
    title = "Learnable weight scaling (LWS)"
    family = "deep"
    kinds = ("tabular", "points", "images")
    source = "Kang et al. 2020, LWS as released, biases scaled too; batch norm stays as trained and the last epoch is taken."
    controls: ClassVar = {"factors as the classes come": {"balanced": False}}
    pen = Pen("pink", "dot", "diamond")
    control_pens: ClassVar = {"factors as the classes come": Pen("pink", "dash", "x")}
    share = 0.7

    head_epochs: int = param(10, low=1, high=500, log=True, help="Passes over the features of the largest class.")
    head_rate: float = param(
        0.2, low=0.0, high=1.0, stacks=LATER, advanced=True, help="First step size of the factors; it falls to 0."
    )
    bias: bool = param(True, advanced=True, help="The factors multiply the biases too; off, the weights alone, as in the text.")
    balanced: bool = param(True, advanced=True, help="Batches have as many rows of every class.")

    def head_steps(self, task: Task) -> int:
        """See DecoupledMethod."""
        return self.head_epochs * max(head_batches(task, self.batch, balanced=self.balanced).per_pass())

    def refit(self, net: Net, task: Task, *, chosen: Chosen, meter: Meter, camera: Camera) -> Generator[Event, None, Refit]:
        """See DecoupledMethod. Average precision is hardly affected by a change of scale, so it does not choose the epoch."""
        head_frames(net, task, camera)
        yield Phase("head", "Learning a factor for every class")
        step = ScaleSGD(
            net, rate=half_cosine(self.number(task, "head_rate", host=True), self.head_epochs), decay=5e-4, bias=self.bias
        )
        batches = head_batches(task, self.batch, balanced=self.balanced)
        last = yield from train(
            net, replace(task, held_out=False), step, batches, rows=embedded(net, task.train), epochs=self.head_epochs, phase="head",
            meter=meter, camera=camera,
        )  # fmt: skip
        if bool((step.net.flat < 0).any()):
            yield Note("The factor of a class is negative: its logit is turned over.", "warning")
        return Refit(net, last.score, last.epoch, chosen={"head": last.epoch})


class ScaleSGD(SGD):
    """SGD with momentum on one factor per class, starting at 1: `net`'s last layer is its initial one times the factors.

    Batches hold features [R, B, H]. decay shrinks the factors towards 0. bias: the biases are multiplied too.
    """

    obstacle = "it puts a new last layer into the network"

    def __init__(self, net: Net, *, rate: Rate, decay: float, bias: bool) -> None:
        self.whole = net
        self.scaled = net.flat[:, -(net.width + 1) * net.classes :].clone().view(-1, net.width + 1, net.classes)
        self.fixed = torch.zeros_like(self.scaled)
        if not bias:
            self.fixed[:, -1], self.scaled[:, -1] = self.scaled[:, -1].clone(), 0.0
        factors = MLP((0, net.classes), "relu", torch.ones_like(self.scaled[:, 0]))  # the factors are its biases
        super().__init__(factors, cross_entropy, rate=rate, decay=decay)

    def use(self, net: Net) -> None:
        """See Step. The step's own network is the factors."""
        self.whole = net

    def select(self, index: Tensor) -> None:
        """See Step."""
        super().select(index)
        self.net.flat = self.net.flat.index_select(0, index)
        self.scaled, self.fixed = self.scaled.index_select(0, index), self.fixed.index_select(0, index)

    @property
    def keeps_bits(self) -> bool:
        """See Step. Weights and biases together are no multiple of 64 bytes."""
        return False

    def kept(self) -> list[Tensor]:
        """The factors, saved with the layer that they give."""
        return [self.net.flat]

    def restore(self, kept: list[Tensor]) -> None:
        """Restores the chosen epoch's factors."""
        (self.net.flat,) = kept

    def gradient(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """See Descent. The derivative in a factor is the mean of the logit's slope times the multiplied term."""
        x = torch.nn.functional.pad(batch.x, (0, 1), value=1.0)
        base, weights = product(x, self.scaled), mean_under(self.loss, batch)
        losses, slope = self.loss.slope(base * self.net.flat.unsqueeze(1) + product(x, self.fixed), batch.y)
        return (losses * weights).sum(1), (slope * base * weights.unsqueeze(2)).sum(1)

    def apply(self, gradient: Tensor, batch: Batch) -> None:
        """See Descent. Multiplies the factors into the network's last layer afterwards."""
        super().apply(gradient, batch)
        set_head(self.whole, (self.scaled * self.net.flat.unsqueeze(1) + self.fixed).flatten(1))
