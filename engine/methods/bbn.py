"""BBN: two branches, one for rows as they come and one for a reversed law."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from engine.data.dataset import Task
from engine.errors import BadParameter
from engine.events import Event, Phase
from engine.losses import Loss, cross_entropy, mean_weights
from engine.methods.base import EPOCH_OVERHEAD, SCHEDULES, DeepMethod, param
from engine.models.cnn import BRANCHED, CNN
from engine.models.net import Net
from engine.spec.pens import Pen
from engine.training.camera import Camera
from engine.training.fitted import Fitted
from engine.training.loop import Batch, Meter, new_net, streams, train
from engine.training.optimisers import Descent, Number, Rate
from engine.training.two_laws import TwoLaws, reversed_law


@dataclass(frozen=True)
class BBN(DeepMethod):
    """Two branches on shared layers: one gets rows as they come, the other rare classes more often than common ones. A weight moves from
    the first to the second over the epochs, so a short run ends before the second has learnt."""

    name = "bbn"
    title = "Bilateral-branch network (BBN)"
    family = "deep"
    kinds = ("tabular", "points", "images")
    source = (
        "Zhou et al. 2020, BBN as released: the weight is 1 - ((t - 1) / T)^2 in epoch t of T, and the last epoch is taken. The last "
        "hidden layer or block stands twice."
    )
    presets: ClassVar = {k: v for k, v in DeepMethod.presets.items() if k != "dos-paper"}
    deviations: ClassVar = {
        "paper": DeepMethod.deviations["paper"],
        "eos-paper": (
            "The last epoch is taken; the authors' code takes the best one on the test rows.",
            "Momentum is not Nesterov's. The last batch of a pass may be shorter, and the last block has no layer of 128 above it.",
        ),
    }
    controls: ClassVar = {"both branches as the classes come": {"reverse": False}}
    pen = Pen("sky", "longdashdot", "hexagon")
    control_pens: ClassVar = {"both branches as the classes come": Pen("sky", "dash", "pentagon")}
    cost = 2.0
    comparison = 96

    schedule: str = param(
        "constant", choices=SCHEDULES, advanced=True,
        help="Step size over the epochs: constant, or as the authors': rising from a third for 5 epochs, divided by 100 after 60% and "
        "again after 80% of them.",
    )  # fmt: skip
    reverse: bool = param(True, help="The second branch gets rare classes more often; off, rows as they come, like the first.")
    last_epoch: bool = param(True, advanced=True, help="Takes the last epoch; off, the best one on validation rows.")

    def create(self, task: Task) -> Net:
        """See DeepMethod. The last hidden layer, or the last block, stands twice."""
        network = self.network(task)
        if network == "mlp":
            if not self.hidden:
                raise BadParameter("bbn(hidden): it needs a hidden layer, which its branches are.")
            return new_net(task, (*self.hidden[:-1], 2 * self.hidden[-1]), self.activation)
        assert task.shape is not None
        return CNN.create(
            BRANCHED + network, task.shape, len(task.classes), streams(task, "init"), device=task.device, dtype=task.dtype
        )

    @classmethod
    def estimate_rows(cls, params: Mapping[str, Any], counts: Sequence[int]) -> float:
        """See Method.estimate_rows. All epochs are trained, on rows of two laws."""
        return float(params["epochs"] * (2 * sum(counts) + EPOCH_OVERHEAD))

    def class_shares(self, task: Task, fitted: Fitted) -> Tensor:
        """See Method.class_shares. Those of both laws by the mean weight of their branch over the epochs."""
        counts = super().class_shares(task, fitted)
        natural = counts / counts.sum(1, keepdim=True)
        other = torch.stack([reversed_law(own) for own in counts]) if self.reverse else natural
        first = sum(weigh_first(epoch, self.epochs) for epoch in range(1, self.epochs + 1)) / self.epochs
        return first * natural + (1 - first) * other

    def lower_rate(self, rate: Number) -> Rate:
        """See DeepMethod."""
        return third_and_drops(rate, self.epochs)

    def step(self, net: Net, task: Task, loss: Loss) -> Descent:
        """See DeepMethod. It minimises the loss of both branches together."""
        step = super().step(net, task, loss)
        step.objective = BothBranches(step, loss, self.epochs)
        return step

    def fit(self, task: Task, *, camera: Camera) -> Generator[Event, None, Fitted]:
        """See Method.fit."""
        rows = task.train
        batches = TwoLaws(
            rows, len(task.classes), self.batch, streams(task, "batch"), streams(task, "reversed"), reverse=self.reverse
        )
        yield Phase("training", "Training two branches")
        meter = Meter(self.epochs * max(batches.per_pass()))
        net = self.create(task)
        on = replace(task, held_out=False) if self.last_epoch else task
        chosen = yield from train(
            net, on, self.step(net, task, cross_entropy), batches, rows=rows, epochs=self.epochs, phase="training", meter=meter,
            camera=camera,
        )  # fmt: skip
        yield from camera.record_final_frame(net, "chosen", chosen.epoch, meter.step, chosen.score)
        return Fitted(net, chosen.epoch, chosen={"training": chosen.epoch})


@dataclass(frozen=True)
class BothBranches:
    """The objective of `step` in its current epoch of `epochs`: `mix_branches`."""

    obstacle: ClassVar[str] = "the weight of its branches moves with the epoch"
    step: Descent
    loss: Loss
    epochs: int

    def __call__(self, net: Net, batch: Batch) -> Tensor:
        """Loss of each replicate [R]."""
        return mix_branches(net, batch, self.loss, weigh_first(self.step.epoch, self.epochs))


def weigh_first(epoch: int, epochs: int) -> float:
    """Weight of the first branch in an epoch, from 1: 1 there, and near 0 in the last one."""
    return 1 - ((epoch - 1) / epochs) ** 2


def mix_branches(net: Net, batch: Batch, loss: Loss, share: float) -> Tensor:
    """The loss of each replicate [R] on a batch of `TwoLaws`. share: weight of the first branch, in its features and its loss.

    At a share of a half the features are those of the network itself.
    """
    half = net.width // 2
    z, losses = [], []
    parts = [(share, slice(0, None, 2), slice(None, half)), (1 - share, slice(1, None, 2), slice(half, None))]
    for part, rows, own in parts:
        z.append(2 * part * net.embed(batch.x[:, rows], batch.mask[:, rows])[:, :, own])
    logits = net.head(torch.cat(z, 2))
    for part, rows, _ in parts:
        weight = None if batch.weight is None else batch.weight[:, rows]
        weights = mean_weights(batch.mask[:, rows], batch.x.dtype, weight)
        losses.append(part * (loss(logits, batch.y[:, rows]) * weights).sum(1))
    return losses[0] + losses[1]


def third_and_drops(rate: Number, epochs: int) -> Callable[[int], Number]:
    """The step size of the authors' code: from a third of `rate` up to it over 5 epochs, a hundredth after 60% of the epochs and a
    ten-thousandth after 80% (120 and 160 of 200). Epochs count from 1.
    """

    def at(epoch: int) -> Number:
        drop = 1e-4 if epoch > 0.8 * epochs else 1e-2 if epoch > 0.6 * epochs else 1.0
        return rate * drop * (1 / 3 + 2 / 3 * min(1.0, (epoch - 1) / 5))

    return at
