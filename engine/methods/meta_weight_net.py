"""Meta-Weight-Net: a small network learns the weight of each training row."""

from __future__ import annotations

from collections.abc import Generator, Hashable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from engine.data.dataset import Task
from engine.data.rows import select
from engine.events import Event, Phase
from engine.losses import ClassWeighted, broadcast, cross_entropy, mean_weights, weighted_sum
from engine.methods.base import TableMethod, param
from engine.models.mlp import MLP
from engine.models.net import Net
from engine.spec.fields import FIRST
from engine.spec.pens import Pen
from engine.training.batches import Drawn, Passes
from engine.training.camera import Camera
from engine.training.fitted import Fitted
from engine.training.loop import Batch, Meter, Step, streams, train
from engine.training.optimisers import Adam, mean_under, select_number


@dataclass(frozen=True)
class MetaWeightNet(TableMethod):
    """A second, small network learns how much a training row counts, from that row's loss: at every step it is changed so that the
    step would have lowered the loss on validation rows, in which every class weighs as much.

    Nothing says that rare rows should count more: it is learnt, by the meta-gradient that explicit gradient moves its points by.
    """

    name = "meta-weight-net"
    title = "Meta-Weight-Net"
    family = "meta"
    kinds = ("tabular", "points", "images")
    source = (
        "Shu et al. 2019, algorithm 1, with the weights of a batch made to sum to 1 as in their code for imbalance; the meta rows are "
        "the validation rows."
    )
    presets: ClassVar = {
        **TableMethod.presets,
        "not normalised": {"normalise": False},
    }
    deviations: ClassVar = {
        "paper": (
            *TableMethod.deviations["paper"],
            "Both networks are trained by Adam; the code for imbalance takes gradient descent with momentum for both (0.1 and 0.00001).",
            "The code draws ten meta images of every class; here all validation rows serve, each class with the same weight.",
            "Validation rows choose the epoch too, so that their score is optimistic; the score on test rows is not.",
        ),
        "not normalised": ("As the code for noisy labels; both networks are trained by Adam here.",),
    }
    controls: ClassVar = {"weights not learnt": {"eta_weights": 0.0}}
    pen = Pen("green", "dashdot", "triangle-up")
    control_pens: ClassVar = {"weights not learnt": Pen("green", "longdashdot", "star")}
    cost = 5.0
    reads_validation = True

    eta_weights: float = param(
        1e-3, low=0.0, high=1.0, log=True, stacks=FIRST, label="step of the weights",
        help="Step size of Adam for the network that gives the weights; 0 leaves it as it was drawn.",
    )  # fmt: skip
    eta_virtual: float = param(
        0.1, low=1e-5, high=10.0, log=True, stacks=FIRST, label="step looked through", advanced=True,
        help="Size of the plain step of the classifier through which the weights are judged; the source's own step size is 0.1.",
    )  # fmt: skip
    units: int = param(100, low=1, high=1024, advanced=True, help="Hidden units of the network that gives the weights.")
    batch_outer: int = param(128, low=1, high=4096, log=True, advanced=True, help="Validation rows in one step.")
    normalise: bool = param(
        True, advanced=True, help="Weights of a batch sum to 1; without, each is a share of the row's loss, in [0, 1]."
    )
    balanced_outer: bool = param(
        True, advanced=True, help="Every class weighs as much among the validation rows; without, every row does."
    )

    @property
    def needs_validation(self) -> bool:
        """See Method. Weights that are not learnt do not hang on validation rows."""
        return self.eta_weights > 0

    def fit(self, task: Task, *, camera: Camera) -> Generator[Event, None, Fitted]:
        """See Method.fit."""
        batches = Passes(task.train.sizes.tolist(), self.batch, streams(task, "batch"))
        meter = Meter(self.epochs * max(batches.per_pass()))
        yield Phase("training", "Training the network and what weighs its rows")
        net = self.create(task)
        assert isinstance(net, MLP)  # only the MLP has the derivative along parameters
        step = Weighing(self, net, task)
        chosen = yield from train(
            net, task, step, batches, rows=task.train, epochs=self.epochs, phase="training", meter=meter, camera=camera
        )
        yield from camera.record_final_frame(net, "chosen", chosen.epoch, meter.step, chosen.score)
        return Fitted(net, chosen.epoch, chosen={"training": chosen.epoch})


class Weighing(Step):
    """One round of the algorithm for all replicates: the weight network steps, then the classifier with its weights. A
    `training.Step`.

    V maps the loss l_i of row i to its weight w_i; no gradient passes through l_i. With the virtual step theta' = theta - eta
    sum_i w_i grad l_i(theta) and v = grad M(theta') of the loss M on validation rows,

        dM(theta') / dw_i = -eta <grad l_i(theta), v>,

    the derivative of row i's loss as theta moves along v: a forward-mode pass, no second derivative. V's gradient is that of
    sum_i w_i dM/dw_i with dM/dw_i constant.
    """

    obstacle = ""

    def __init__(self, method: MetaWeightNet, net: MLP, task: Task) -> None:
        self.method, self.net, self.outer = method, net, task.valid
        self.minority = task.minority
        self.weigher = MLP.create(
            (1, method.units, 1), "relu", streams(task, "weights-init"), device=task.device, dtype=task.dtype
        )
        self.model = method.step(net, task, cross_entropy)
        eta = method.number(task, "eta_weights", host=True)
        self.learns = any(way.eta_weights > 0 for way in method.list_members(task))
        self.virtual = method.number(task, "eta_virtual")
        self.tuner = Adam(self.weigher, cross_entropy, rate=eta, betas=(0.9, 0.999))
        power = 1.0 if method.balanced_outer else 0.0
        self.judge = ClassWeighted(task.valid.counts(len(task.classes)), power)
        self.passes = Passes(task.valid.sizes.tolist(), method.batch_outer, streams(task, "outer"))
        self.others: Drawn
        self.judged = torch.zeros(len(net.flat), dtype=task.dtype, device=task.device)
        self.rare = torch.zeros_like(self.judged)
        self.rounds = torch.zeros_like(self.judged)

    @property
    def keeps_bits(self) -> bool:
        """See Step. Products with a single column, as the weight network has, depend on where in memory they lie."""
        return False

    def use(self, net: Net) -> None:
        """See Step."""
        assert isinstance(net, MLP)
        self.net = net
        self.model.use(net)

    def select(self, index: Tensor) -> None:
        """See Step."""
        self.weigher.flat = self.weigher.flat.index_select(0, index)
        for own in (self.model, self.tuner, self.passes):
            own.select(index)
        self.virtual = select_number(self.virtual, index)
        self.judge, self.outer = self.judge.select(index), select(self.outer, index)
        self.judged, self.rare, self.rounds = (t.index_select(0, index) for t in (self.judged, self.rare, self.rounds))

    def begin(self, wanted: Sequence[int]) -> None:
        """Draws the epoch's validation batches."""
        self.model.begin(wanted)
        self.tuner.begin(wanted)
        plan = self.passes.take(wanted, self.net.flat.device)
        self.others = plan.draw(self.outer).move(self.hold)
        for tensor in (self.judged, self.rare, self.rounds):
            tensor.zero_()

    def __call__(self, batch: Batch) -> Tensor:
        """Steps the weight network, then the classifier."""
        losses = cross_entropy(self.net(batch.x), batch.y)
        judged, gradient = self.meta_gradient(batch, losses)
        if self.learns:
            self.tuner.apply(gradient, batch)
        weights = self.weigh(self.weigher, losses, batch.mask, batch.weight)
        _, gradient = self.net.gradient(batch.x, batch.y, weights, cross_entropy)
        self.model.apply(gradient, batch)
        self.judged += judged
        total = weights.sum(1).clamp(min=torch.finfo(weights.dtype).tiny)
        self.rare += (weights * self.minority[batch.y]).sum(1) / total
        self.rounds += batch.mask.any(1)
        return weighted_sum(losses, mean_weights(batch.mask, losses.dtype, batch.weight))

    def meta_gradient(self, batch: Batch, losses: Tensor) -> tuple[Tensor, Tensor]:
        """(M after the virtual step [R], its gradient in the weight network [R, P']). losses [R, B]: of the batch's rows."""
        theta = self.net.flat
        eta = broadcast(self.virtual, theta)
        _, gradient = self.net.gradient(
            batch.x, batch.y, self.weigh(self.weigher, losses, batch.mask, batch.weight), cross_entropy, theta
        )
        x, y, mask, given = self.others.at(batch.k, batch.counter)
        weights = mean_under(self.judge, Batch(x, y, mask, batch.alive, batch.k, given))
        judged, v = self.net.gradient(x, y, weights, self.judge, theta - eta * gradient)
        influence = -eta * self.net.along(batch.x, batch.y, cross_entropy, v)
        return judged, self.weigher.derive(lambda net: (self.weigh(net, losses, batch.mask, batch.weight) * influence).sum(1))[
            1
        ]

    def weigh(self, weigher: Net, losses: Tensor, mask: Tensor, given: Tensor | None = None) -> Tensor:
        """Losses [R, B] -> weights [R, B] of the rows, times the given ones; 0 on padding."""
        weights = weigher(losses.unsqueeze(2)).squeeze(2).sigmoid() * mask
        if not self.method.normalise:
            return weights * mean_weights(mask, weights.dtype, given)
        if given is not None:
            weights = weights * given.to(weights)
        return weights / weights.sum(1, keepdim=True).clamp(min=torch.finfo(weights.dtype).tiny)

    def values(self) -> dict[str, Tensor]:
        """meta_loss: on validation rows after the virtual step, mean over the epoch. minority_weight: share of the weights on
        rows of the smaller classes.
        """
        rounds = self.rounds.clamp(min=1)
        return {"meta_loss": self.judged / rounds, "minority_weight": self.rare / rounds}

    def shape(self, k: int) -> Hashable:
        """See Step."""
        return self.others.widths[k]

    def parts(self) -> Sequence[Step]:
        """See Step."""
        return self.model, self.tuner

    def lasting(self) -> list[Tensor]:
        """See Step."""
        return [self.judged, self.rare, self.rounds]

    def kept(self) -> list[Tensor]:
        """The weight network, saved with the classifier it trained."""
        return [self.weigher.flat]

    def restore(self, kept: list[Tensor]) -> None:
        """Restores the chosen epoch's weight network."""
        (self.weigher.flat,) = kept
