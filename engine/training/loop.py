"""The training loop: one generator, used by every method.

A method says what a step is and which batches it takes; the loop runs the epochs of R replicates together, evaluates them
on validation after each, keeps each replicate's best parameters, stops those that no longer improve, and yields
what happened. Calling `train` does nothing until it is driven (`net = yield from train(...)`).

Selection: the epoch with the highest validation average precision; among equals (with a handful of positive validation
rows there are many) the one with the lowest validation loss. Test rows are not touched here.
"""

from __future__ import annotations

import abc
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from engine.analysis.stacked import macro_average_precision
from engine.data.dataset import Rows, Task
from engine.events import Epoch, Event, Progress
from engine.losses import Loss, cross_entropy, mean_weights, weighted_sum
from engine.models.mlp import MLP
from engine.models.net import Net
from engine.seeds import torch_stream
from engine.training.batches import Plan
from engine.training.camera import Camera

TICK = 0.25
"""Seconds between Progress events: a person who cancels waits at most this and one step."""


@dataclass(frozen=True)
class Batch:
    """Real rows of one step: x [R, B, D], y [R, B], mask [R, B] bool, alive [R] bool (on the CPU).

    alive: this replicate takes this step; the others (stopped, or out of rows this epoch) have no rows in the batch.
    k: number of the batch in the epoch.
    """

    x: Tensor
    y: Tensor
    mask: Tensor
    alive: Tensor
    k: int


class Step(abc.ABC):
    """What a method does with a batch. Only the step itself must be given."""

    @abc.abstractmethod
    def __call__(self, batch: Batch) -> Tensor:
        """Update the net in place; returns the mean loss of each replicate [R] before the update."""

    def begin(self, wanted: Sequence[int]) -> None:  # noqa: B027
        """An epoch begins: replicate r will take wanted[r] steps."""

    def values(self) -> dict[str, Tensor]:
        """More to report of the epoch that ended: name -> [R]."""
        return {}

    def kept(self) -> list[Tensor]:
        """State [R, ...] beside the net's parameters that belongs to the best epoch."""
        return []

    def restore(self, kept: list[Tensor]) -> None:  # noqa: B027
        """Put the best epoch's state back, as `kept` gave it."""


@dataclass(frozen=True)
class Chosen:
    """The epochs [R] chosen on validation, from 1, and their validation average precision [R]."""

    epoch: Tensor
    score: Tensor


class Batches(Protocol):
    """Passes or Balanced."""

    def per_pass(self) -> list[int]: ...
    def take(self, wanted: Sequence[int], device: torch.device) -> Plan: ...


class Meter:
    """Counts a run's steps over its phases and says so at most every TICK seconds.

    step: steps taken. done: the same and what early stops saved, of `total` planned.
    """

    def __init__(self, total: int) -> None:
        self.total = max(1, total)
        self.done = self.step = 0
        self.last = time.monotonic()

    def tick(self) -> Progress | None:
        """One step is done."""
        self.done += 1
        self.step += 1
        now = time.monotonic()
        if now - self.last < TICK:
            return None
        self.last = now
        return Progress(min(self.done, self.total), self.total)


class Descent(Step):
    """A step on the mean loss of each replicate's rows: the gradient here, what is done with it in `update`.

    rate(epoch): step size in that epoch, from 1. decay: L2 penalty on all parameters, added to the gradient. epochs: how many there
    will be, for a loss that changes with time. change: what happens to a batch first (augmentation). objective: what each replicate
    minimises [R] instead, for `Net.derive`; the loss is not used then.
    """

    def __init__(
        self,
        net: Net,
        loss: Loss,
        *,
        rate: float | Callable[[int], float],
        decay: float = 0.0,
        epochs: int = 1,
        change: Callable[[Batch], Batch] | None = None,
        objective: Callable[[Net, Batch], Tensor] | None = None,
    ) -> None:
        self.net, self.loss, self.decay, self.epochs, self.change = net, loss, decay, epochs, change
        self.objective = objective
        self._rate = rate
        self.epoch = 0

    @property
    def rate(self) -> float:
        """The step size now."""
        return self._rate(max(1, self.epoch)) if callable(self._rate) else self._rate

    def begin(self, wanted: Sequence[int]) -> None:
        """An epoch begins."""
        self.epoch += 1
        self.loss.begin(self.epoch, self.epochs)

    def __call__(self, batch: Batch) -> Tensor:
        """One step. A replicate that pauses is bit for bit as if the others had not gone on."""
        if self.change is not None:
            batch = self.change(batch)
        losses, gradient = self.gradient(batch)
        self.apply(gradient, batch.alive)
        return losses

    def apply(self, gradient: Tensor, alive: Tensor) -> None:
        """The replicates that are `alive` [R] take a step by this gradient [R, P]; the others stay bit for bit, their memory too."""
        if self.decay:
            gradient = gradient.add(self.net.flat, alpha=self.decay)
        everyone = bool(alive.all())  # `alive` is kept on the CPU: no wait for the device
        state = [self.net.flat, *self.memory()]
        kept = None if everyone else [t.clone() for t in state]
        self.update(gradient, alive)
        if kept is not None:
            paused = ~alive
            for tensor, old in zip(state, kept, strict=True):
                tensor[paused] = old[paused]

    def gradient(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """(what is minimised of each replicate [R], its gradient [R, P])."""
        objective = self.objective
        if objective is not None:
            return self.net.derive(lambda net: objective(net, batch))
        return self.net.gradient(batch.x, batch.y, mean_under(self.loss, batch), self.loss)

    @abc.abstractmethod
    def memory(self) -> list[Tensor]:
        """The optimiser's own tensors [R, ...], changed in place."""

    @abc.abstractmethod
    def update(self, gradient: Tensor, alive: Tensor) -> None:
        """Change `net.flat` in place by this gradient [R, P]."""


def mean_under(loss: Loss, batch: Batch) -> Tensor:
    """Row weights [R, B] that sum to 1 per replicate: equal, or as the loss weighs its classes."""
    weights = mean_weights(batch.mask, batch.x.dtype)
    by_class = loss.row_weights(batch.y)
    if by_class is None:
        return weights
    weights = weights * by_class.to(weights)
    return weights / weights.sum(1, keepdim=True).clamp(min=1e-30)


class Adam(Descent):
    """Adam (Kingma and Ba 2015, algorithm 1) for R replicates that may pause one by one; each has its own step count."""

    def __init__(
        self, net: Net, loss: Loss, *, betas: tuple[float, float] = (0.5, 0.999), eps: float = 1e-8, **others: Any
    ) -> None:
        super().__init__(net, loss, **others)
        self.betas, self.eps = betas, eps
        self.mean = torch.zeros_like(net.flat)
        self.square = torch.zeros_like(net.flat)
        self.count = torch.zeros(len(net.flat), 1, dtype=torch.float64)

    def memory(self) -> list[Tensor]:
        """See Descent."""
        return [self.mean, self.square]

    def update(self, gradient: Tensor, alive: Tensor) -> None:
        """See Descent."""
        self.count += alive.unsqueeze(1)
        b1, b2 = self.betas
        first = (self.rate / (1 - b1**self.count)).to(gradient)  # count 0 only for paused rows, put back afterwards
        second = (1 - b2**self.count).sqrt().to(gradient)
        self.mean.lerp_(gradient, 1 - b1)
        self.square.mul_(b2).addcmul_(gradient, gradient, value=1 - b2)
        self.net.flat.sub_(first * self.mean / (self.square.sqrt() / second + self.eps))


class SGD(Descent):
    """Gradient descent with momentum, as torch's: velocity = momentum velocity + gradient, step = rate velocity."""

    def __init__(self, net: Net, loss: Loss, *, momentum: float = 0.9, **others: Any) -> None:
        super().__init__(net, loss, **others)
        self.momentum = momentum
        self.velocity = torch.zeros_like(net.flat)

    def memory(self) -> list[Tensor]:
        """See Descent."""
        return [self.velocity]

    def update(self, gradient: Tensor, alive: Tensor) -> None:
        """See Descent."""
        self.velocity.mul_(self.momentum).add_(gradient)
        self.net.flat.sub_(self.velocity, alpha=self.rate)


def warm_up_and_drops(rate: float, epochs: int, warm_up: int = 5) -> Callable[[int], float]:
    """The step size of Cui et al. 2019 as the EOS paper's code has it: linear over the first 5 epochs, a hundredth after 80% of the
    epochs and a ten-thousandth after 90% (160 and 180 of 200). Epochs from 1; runs shorter than 10 warm up for half of them."""
    rise = min(warm_up, max(1, epochs // 2))

    def at(epoch: int) -> float:
        drop = 1e-4 if epoch > 0.9 * epochs else 1e-2 if epoch > 0.8 * epochs else 1.0
        return rate * drop * min(1.0, epoch / rise)

    return at


class Augment:
    """Random crops after padding by an eighth of the side, and left-right flips, drawn per replicate on the CPU, done on the device.

    As the EOS paper's code does with CIFAR-10 (4 pixels of 32, flips). Rows stay flat. shape: channels, height, width.
    """

    def __init__(self, shape: tuple[int, int, int], streams: Sequence[torch.Generator]) -> None:
        self.shape, self.streams = shape, list(streams)

    def __call__(self, batch: Batch) -> Batch:
        """The batch with every image moved, and flipped or not."""
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
        which = torch.arange(len(images), device=draws.device)
        moved = padded[which[:, None, None], :, down[:, :, None], across[:, None, :]]  # [B, height, width, channels]
        return replace(batch, x=moved.permute(0, 3, 1, 2).reshape(batch.x.shape))


def streams(task: Task, name: str) -> list[torch.Generator]:
    """One CPU generator per replicate, named by the spec's seed, the replicate's seed index and fold."""
    return [torch_stream(task.seed, name, r.seed, r.fold) for r in task.replicates]


def new_net(task: Task, hidden: Sequence[int], activation: str = "relu") -> MLP:
    """A fresh stacked MLP for this task: one logit per class."""
    sizes = (task.train.x.shape[2], *hidden, len(task.classes))
    return MLP.create(sizes, activation, streams(task, "init"), device=task.device, dtype=task.dtype)


@torch.no_grad()
def evaluate(net: Net, rows: Rows) -> tuple[Tensor, Tensor]:
    """(average precision [R], mean cross-entropy [R]) on a part; macro one against rest for more than two classes."""
    logits = net(rows.x)
    loss = weighted_sum(cross_entropy(logits, rows.y), mean_weights(rows.mask, logits.dtype))
    return macro_average_precision(logits.softmax(-1), rows.y, rows.mask), loss


def train(
    net: Net,
    task: Task,
    step: Step,
    batches: Batches,
    *,
    rows: Rows,
    epochs: int,
    phase: str,
    meter: Meter,
    camera: Camera,
    patience: int | None = None,
) -> Generator[Event, None, Chosen]:
    """Run the epochs; leaves each replicate's best parameters in `net` and best state in `step`; returns what was chosen.

    rows: the part the batches index. patience: a replicate stops after so many epochs without a better score; None: the task's, by
    default all epochs. meter counts the steps; camera takes the pictures.
    """
    patience = task.patience or None if patience is None else patience
    best = [tensor.clone() for tensor in (net.flat, *net.state(), *step.kept())]
    best_score = torch.full((len(net.flat),), -torch.inf, dtype=net.flat.dtype, device=net.flat.device)
    best_loss = -best_score
    best_epoch = torch.zeros(len(net.flat), dtype=torch.int64, device=net.flat.device)
    going = torch.ones(len(net.flat), dtype=torch.bool)
    per_pass = batches.per_pass()
    planned = epochs * max(per_pass)
    taken = 0
    score = torch.full_like(best_score, torch.nan)
    for epoch in range(1, epochs + 1):
        wanted = [n if go else 0 for n, go in zip(per_pass, going.tolist(), strict=True)]
        plan = batches.take(wanted, task.device)
        drawn = plan.rows(rows)
        step.begin(wanted)
        wanted_now = torch.tensor(wanted)
        total = torch.zeros_like(best_loss)
        for k in range(plan.length):
            yield from camera.shoot(net, phase, epoch, meter.step, score, taken=taken, planned=planned)
            x, y, mask = drawn[k]
            total += step(Batch(x, y, mask, wanted_now > k, k))
            taken += 1
            if (tick := meter.tick()) is not None:
                yield tick
        score, loss = evaluate(net, task.valid)
        better = (score > best_score) | ((score == best_score) & (loss < best_loss))
        better = (better | (not task.held_out)) & going.to(better.device)
        best = [_where(better, new, old) for new, old in zip((net.flat, *net.state(), *step.kept()), best, strict=True)]
        best_score, best_loss = torch.where(better, score, best_score), torch.where(better, loss, best_loss)
        best_epoch = torch.where(better, epoch, best_epoch)
        train_loss = total.cpu() / wanted_now.clamp(min=1)
        reported = {"train_loss": train_loss, "valid_loss": loss, "valid_ap": score} | step.values()
        yield Epoch(phase, epoch, meter.step, task.replicates[0].number, {n: _listed(v, going) for n, v in reported.items()})
        if patience is not None:
            going &= epoch - best_epoch.cpu() < patience
            if not going.any():
                break
    meter.done += planned - taken
    beside = 1 + len(net.state())
    net.flat = best[0]
    net.restore(best[1:beside])
    step.restore(best[beside:])
    return Chosen(best_epoch, best_score)


def _where(which: Tensor, new: Tensor, old: Tensor) -> Tensor:
    return torch.where(which.view(-1, *[1] * (new.dim() - 1)), new, old)


def _listed(values: Tensor, going: Tensor) -> list[float]:
    return [v if go else float("nan") for v, go in zip(values.tolist(), going.tolist(), strict=True)]
