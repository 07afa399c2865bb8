"""Gradient steps for R replicates at once: Adam, SGD, step-size schedules and image augmentation."""

from __future__ import annotations

import abc
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import Any, Protocol

import torch
from torch import Tensor

from engine.losses import Loss, broadcast, mean_weights
from engine.models.net import Net
from engine.training.batches import keep
from engine.training.loop import Batch, Step

Number = float | Tensor
"""A number, or one for each replicate [R, 1]."""
Rate = Number | Callable[[int], Number]
"""A step size, or one for every epoch from 1. Tensors are on the CPU, float64."""


class Change(Protocol):
    """A change of every batch, such as augmentation."""

    def __call__(self, batch: Batch) -> Batch: ...
    def select(self, index: Tensor) -> None: ...


def select_number(number: Number, index: Tensor) -> Number:
    """The number of replicates `index` [r], where each has its own."""
    return number[index.to(number.device)] if isinstance(number, Tensor) else number


class Descent(Step):
    """A step on the mean loss of each replicate's rows. This class computes the gradient; `update` applies it.

    rate: step size; see `Rate`. decay: L2 penalty on all parameters, added to the gradient. epochs: their planned
    number, for a loss that changes with time. change: applied to each batch first (augmentation). objective: replaces the loss:
    the value [R] that each replicate minimises, as in `Net.derive`.
    """

    def __init__(
        self,
        net: Net,
        loss: Loss,
        *,
        rate: Rate,
        decay: float | Tensor = 0.0,
        epochs: int = 1,
        change: Change | None = None,
        objective: Callable[[Net, Batch], Tensor] | None = None,
    ) -> None:
        self.net, self.loss, self.epochs, self.change = net, loss, epochs, change
        self.decay = decay.to(net.flat) if isinstance(decay, Tensor) else decay
        self.objective = objective
        self._rate = rate
        self.epoch = 0
        self.spare: list[
            Tensor
        ] = []  # room for the state of replicates that pause; new room for each step costs six times the step
        self.table: Tensor  # of `factors`, and whether a replicate takes the step: [K, F + 1, R, 1] on the device

    @property
    def obstacle(self) -> str:  # type: ignore[override]
        """See Step."""
        cls, change = type(self.loss), self.change
        if change is not None:
            return getattr(change, "obstacle", "its batches are changed on the CPU")
        if cls.begin is not Loss.begin and cls.stage is Loss.stage:
            return "its loss changes with time"
        return getattr(self.objective, "obstacle", "") or self.net.obstacle

    def shape(self, k: int) -> Hashable:
        """See Step."""
        return self.loss.stage()

    def lasting(self) -> list[Tensor]:
        """See Step."""
        return [self.net.flat, *self.net.state(), *self.memory(), *self.spare]

    @property
    def rate(self) -> Number:
        """The current step size, one or [R, 1]."""
        return self._rate(max(1, self.epoch)) if callable(self._rate) else self._rate

    def use(self, net: Net) -> None:
        """See Step."""
        self.net = net

    def select(self, index: Tensor) -> None:
        """See Step."""
        self.loss, self.decay = self.loss.select(index), select_number(self.decay, index)
        rate = self._rate
        self._rate = (lambda epoch: select_number(rate(epoch), index)) if callable(rate) else select_number(rate, index)
        if self.change is not None:
            self.change.select(index)

    def values(self) -> dict[str, Tensor]:
        """See Step: those of the loss."""
        return self.loss.values()

    def begin(self, wanted: Sequence[int]) -> None:
        """See Step. Computes the epoch's factors and moves them to the device at once."""
        self.epoch += 1
        self.loss.begin(self.epoch, self.epochs)
        steps = torch.tensor(wanted)
        number = torch.arange(max(wanted)).unsqueeze(1)  # of the step, [K, 1]
        taken = torch.minimum(number + 1, steps).unsqueeze(2)  # by each replicate after it, [K, R, 1]
        alive = (number < steps).unsqueeze(2)
        factors = torch.stack([*self.factors(taken), alive.double()], 1)  # [K, F + 1, R, 1]
        if min(wanted) < max(wanted) and (not self.spare or self.spare[0].shape != self.net.flat.shape):
            self.spare = [torch.empty_like(tensor) for tensor in (self.net.flat, *self.memory())]
        self.table = self.hold("factors", factors.to(self.net.flat.dtype).to(self.net.flat.device))

    def __call__(self, batch: Batch) -> Tensor:
        """One step. A paused replicate keeps the same bits as if the others had not moved."""
        if self.change is not None:
            batch = self.change(batch)
        losses, gradient = self.gradient(batch)
        self.apply(gradient, batch)
        return losses

    def apply(self, gradient: Tensor, batch: Batch) -> None:
        """Replicates that are alive in the batch take its step by this gradient [R, P]. The others keep their bits, optimiser state
        included.
        """
        if isinstance(self.decay, Tensor):
            gradient = gradient.addcmul(self.net.flat, self.decay)
        elif self.decay:
            gradient = gradient.add(self.net.flat, alpha=self.decay)
        *factors, alive = batch.read(self.table).unbind()
        everyone = bool(batch.alive.all())  # `batch.alive` is on the CPU, so this does not wait for the device
        state = [self.net.flat, *self.memory()]
        before = [] if everyone else [spare.copy_(tensor) for spare, tensor in zip(self.spare, state, strict=True)]
        self.update(gradient, *factors)
        for tensor, old in zip(state, before, strict=False):  # none where everyone steps
            torch.where(alive > 0, tensor, old, out=tensor)

    def gradient(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """(minimised value of each replicate [R], its gradient [R, P])."""
        objective = self.objective
        if objective is not None:
            return self.net.derive(lambda net: objective(net, batch))
        return self.net.gradient(batch.x, batch.y, mean_under(self.loss, batch), self.loss)

    @abc.abstractmethod
    def memory(self) -> list[Tensor]:
        """The optimiser's state tensors [R, ...], changed in place."""

    @abc.abstractmethod
    def factors(self, taken: Tensor) -> list[Tensor]:
        """What every step of an epoch multiplies by: tensors [K, R, 1] float64 on the CPU, computed as it begins.

        taken [K, R, 1] int64: the steps of this epoch that a replicate has taken after step k; a paused one takes none.
        """

    @abc.abstractmethod
    def update(self, gradient: Tensor, *factors: Tensor) -> None:
        """Changes `net.flat` in place by this gradient [R, P]. factors: those of this step, each [R, 1]."""


def descend(x: Tensor, gradient: Tensor, rate: float | Tensor) -> None:
    """Takes `rate` times its gradient from x [R, ...], in place. rate: one, or [R, 1], with the same bits."""
    size = broadcast(rate, x)
    if isinstance(size, Tensor):
        x.addcmul_(gradient, size, value=-1)
    else:
        x.sub_(gradient, alpha=size)


def mean_under(loss: Loss, batch: Batch) -> Tensor:
    """Row weights [R, B] that sum to 1 per replicate: equal, or from the loss's row weights and the batch's own."""
    return mean_weights(batch.mask, batch.x.dtype, loss.row_weights(batch.y), batch.weight)


class Adam(Descent):
    """Adam (Kingma and Ba 2015, algorithm 1) for R replicates. Each can pause on its own, so each has its own step count."""

    def __init__(
        self, net: Net, loss: Loss, *, betas: tuple[float, float] = (0.5, 0.999), eps: float = 1e-8, **others: Any
    ) -> None:
        super().__init__(net, loss, **others)
        self.betas, self.eps = betas, eps
        self.mean = torch.zeros_like(net.flat)
        self.square = torch.zeros_like(net.flat)
        self.count = torch.zeros(len(net.flat), 1, dtype=torch.float64)  # steps taken by the epoch's end

    def select(self, index: Tensor) -> None:
        """See Step."""
        super().select(index)
        self.mean, self.square = self.mean.index_select(0, index), self.square.index_select(0, index)
        self.count = self.count.index_select(0, index.cpu())

    def memory(self) -> list[Tensor]:
        """See Descent."""
        return [self.mean, self.square]

    def factors(self, taken: Tensor) -> list[Tensor]:
        """See Descent: step size over the first moment's correction, and the root of the second's."""
        count = self.count + taken  # 0 only for replicates that wait; they keep what they have
        self.count = count[-1] if len(count) else self.count
        b1, b2 = self.betas
        return [self.rate / (1 - b1**count), (1 - b2**count).sqrt()]

    def update(self, gradient: Tensor, *factors: Tensor) -> None:
        """See Descent."""
        first, second = factors
        b1, b2 = self.betas
        self.mean.lerp_(gradient, 1 - b1)
        self.square.mul_(b2).addcmul_(gradient, gradient, value=1 - b2)
        self.net.flat.sub_(first * self.mean / (self.square.sqrt() / second + self.eps))


class SGD(Descent):
    """Gradient descent with momentum, as torch's: velocity = momentum velocity + gradient, step = rate velocity."""

    def __init__(self, net: Net, loss: Loss, *, momentum: Number = 0.9, **others: Any) -> None:
        super().__init__(net, loss, **others)
        self.momentum = momentum.to(net.flat) if isinstance(momentum, Tensor) else momentum
        self.velocity = torch.zeros_like(net.flat)

    def select(self, index: Tensor) -> None:
        """See Step."""
        super().select(index)
        self.momentum = select_number(self.momentum, index)
        self.velocity = self.velocity.index_select(0, index)

    def memory(self) -> list[Tensor]:
        """See Descent."""
        return [self.velocity]

    def factors(self, taken: Tensor) -> list[Tensor]:
        """See Descent: the step size."""
        return [self.rate * torch.ones_like(taken, dtype=torch.float64)]

    def update(self, gradient: Tensor, *factors: Tensor) -> None:
        """See Descent."""
        (rate,) = factors
        self.velocity.mul_(self.momentum).add_(gradient)
        self.net.flat.addcmul_(self.velocity, rate, value=-1)  # the bits of `sub_` with alpha=rate


def warm_up_and_drops(rate: Number, epochs: int, warm_up: int = 5) -> Callable[[int], Number]:
    """The step size of Cui et al. 2019 as in the EOS paper's code: linear over the first 5 epochs, a hundredth after 80% of the
    epochs and a ten-thousandth after 90% (160 and 180 of 200). Epochs count from 1. Runs shorter than 10 epochs warm up for
    half of them.
    """
    rise = min(warm_up, max(1, epochs // 2))

    def at(epoch: int) -> Number:
        drop = 1e-4 if epoch > 0.9 * epochs else 1e-2 if epoch > 0.8 * epochs else 1.0
        return rate * drop * min(1.0, epoch / rise)

    return at


class Augment:
    """Random crops after padding by an eighth of the side, and left-right flips. Drawn per replicate on the CPU, applied on the
    device.

    As in the EOS paper's code for CIFAR-10 (4 pixels of 32, flips). Rows stay flat. shape: channels, height, width.
    """

    def __init__(self, shape: tuple[int, int, int], streams: Sequence[torch.Generator]) -> None:
        self.shape, self.streams = shape, list(streams)

    def select(self, index: Tensor) -> None:
        """Goes on with replicates `index` [r] alone."""
        self.streams = keep(self.streams, index)

    def __call__(self, batch: Batch) -> Batch:
        """The batch with every image shifted at random, and flipped at random."""
        channels, height, width = self.shape
        replicates, rows = batch.mask.shape
        pad = (max(1, height // 8), max(1, width // 8))
        draws = torch.zeros(replicates, rows, 3, dtype=torch.float64)
        for r, (stream, count) in enumerate(zip(self.streams, batch.mask.sum(1).tolist(), strict=True)):
            draws[r, :count] = torch.rand(count, 3, generator=stream, dtype=torch.float64)
        draws = draws.view(-1, 3).to(batch.x.device)
        images = batch.x.reshape(-1, channels, height, width)
        padded = torch.nn.functional.pad(images, (pad[1], pad[1], pad[0], pad[0]))
        down = (draws[:, :1] * (2 * pad[0] + 1)).long() + torch.arange(height, device=draws.device)
        across = (draws[:, 1:2] * (2 * pad[1] + 1)).long() + torch.arange(width, device=draws.device)
        across = torch.where(draws[:, 2:] < 0.5, across, across.flip(1))
        at = down[:, :, None] * padded.shape[3] + across[:, None, :]  # of every pixel in its padded channel [B, height, width]
        moved = padded.flatten(2).gather(2, at.view(len(images), 1, -1).expand(-1, channels, -1))
        return replace(batch, x=moved.view(batch.x.shape))
