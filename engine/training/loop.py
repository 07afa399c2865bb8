"""The training loop: one generator that every method uses.

A method defines its step and its batches. The loop runs the epochs of R replicates together, evaluates them on validation after
each epoch, keeps each replicate's best parameters, stops replicates that no longer improve, and yields events. `train` is a
generator, so a call alone does nothing: `net = yield from train(...)`.

Selection: the epoch with the highest validation average precision. Ties, common with few positive validation rows, go to the
lowest validation loss. Test rows are not used here. Where an earlier fit has chosen the epochs (`Task.chosen`), each replicate ends at its
own, and no row is looked at to choose.
"""

from __future__ import annotations

import abc
import math
import time
from collections.abc import Callable, Generator, Hashable, Sequence
from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from engine.analysis.stacked import macro_average_precision
from engine.data.dataset import Rows, Task
from engine.data.rows import select
from engine.events import Epoch, Event, Progress
from engine.losses import cross_entropy, mean_weights, weighted_sum
from engine.models.mlp import MLP
from engine.models.net import FEWEST_ROWS, Net
from engine.seeds import torch_stream
from engine.training import graph
from engine.training.batches import Drawn, Plan, read
from engine.training.camera import Camera

MOST_LEFT = 1.0
"""Replicates that have stopped leave the stack once at most this share of it goes on."""
TICK = 0.1
"""Seconds between Progress events, so a cancellation takes at most this and one step."""


@dataclass(frozen=True)
class Batch:
    """Real rows of one step: x [R, B, D], y [R, B], mask [R, B] bool, alive [R] bool (on the CPU), weight [R, B] or None.

    alive: whether the replicate takes this step. The others have stopped, or used up their rows of this epoch, and have no rows
    in the batch. k: number of the batch in the epoch. weight: how much each row counts; None: all the same. counter: see
    `engine.training.batches.read`.
    """

    x: Tensor
    y: Tensor
    mask: Tensor
    alive: Tensor
    k: int
    weight: Tensor | None = None
    counter: Tensor | None = None

    def read(self, table: Tensor) -> Tensor:
        """This batch's part of a table [K, ...] of all batches of the epoch."""
        return read(table, self.k, self.counter)


Leaves = Callable[[int, Tensor], Tensor]
"""(epoch, best validation score so far [R]) -> which replicates go on, bool [R]. Who has stopped does not come back."""


class Step(abc.ABC):
    """The update that a method makes with a batch. Only `__call__` is required.

    obstacle: why its operations cannot be recorded on a device and replayed (`engine.training.graph`); empty where they can. Such a
    step changes its state in place, reads an epoch's tables by `Batch.read` alone, keeps what else it makes in `begin` by `hold`, and
    takes nothing from the device to the host or back. held: what `hold` keeps; None where nothing is recorded.
    """

    obstacle: str = "it does not say that it can be recorded"
    held: dict[str, Tensor] | None = None

    @abc.abstractmethod
    def __call__(self, batch: Batch) -> Tensor:
        """Updates the net in place. Returns the mean loss of each replicate [R] before the update."""

    def use(self, net: Net) -> None:  # noqa: B027
        """Goes on with this network, which has the parameters of the step's own one, or of those replicates of it that `select` named."""

    @property
    def keeps_bits(self) -> bool:
        """Whether what the step computes besides the network's products on the batch has the same bits in every stack, as
        `Net.keeps_bits`.
        """
        return True

    def select(self, index: Tensor) -> None:
        """Goes on with replicates `index` [r] of its stack alone; called between epochs, before `use`. In place: optimiser, rows,
        batches, streams and losses, and all else that is per replicate. A step without it is trained with all replicates to the end.
        """
        raise NotImplementedError

    def begin(self, wanted: Sequence[int]) -> None:  # noqa: B027
        """Called at the start of an epoch, in which replicate r takes wanted[r] steps."""

    def hold(self, name: str, tensor: Tensor) -> Tensor:
        """A tensor made in `begin`, in the place of the last one of this name where a recording reads that."""
        return graph.hold(self.held, name, tensor)

    def shape(self, k: int) -> Hashable:
        """What the step's Python looks at in batch k besides its width and whether all replicates take it."""
        return None

    def parts(self) -> Sequence[Step]:
        """Steps that are a part of this one."""
        return ()

    def lasting(self) -> list[Tensor]:
        """Tensors that it changes in place from step to step."""
        return self.kept()

    def values(self) -> dict[str, Tensor]:
        """Further values of the epoch that ended: name -> [R]."""
        return {}

    def kept(self) -> list[Tensor]:
        """State [R, ...] besides the net's parameters that is saved with the best epoch."""
        return []

    def restore(self, kept: list[Tensor]) -> None:  # noqa: B027
        """Restores the best epoch's state, as returned by `kept`: of all replicates, also where some have left the stack."""


@dataclass(frozen=True)
class Chosen:
    """The epochs [R] chosen on validation, from 1, and their validation average precision [R]."""

    epoch: Tensor
    score: Tensor


class Batches(Protocol):
    """Either kind of batches: Passes or Balanced."""

    @property
    def fewest(self) -> int: ...
    def per_pass(self) -> list[int]: ...
    def select(self, index: Tensor) -> None: ...
    def take(self, wanted: Sequence[int], device: torch.device) -> Plan: ...


class Meter:
    """Counts a run's steps over its phases and reports progress at most every TICK seconds.

    step: steps taken. done: steps taken and steps saved by early stops, of `total` planned.
    """

    def __init__(self, total: int) -> None:
        self.total = max(1, total)
        self.done = self.step = 0
        self.last = time.monotonic()

    def tick(self) -> Progress | None:
        """Counts one step. Returns a Progress event where one is due."""
        self.done += 1
        self.step += 1
        now = time.monotonic()
        if now - self.last < TICK:
            return None
        self.last = now
        return Progress(min(self.done, self.total), self.total)


def streams(task: Task, name: str) -> list[torch.Generator]:
    """One CPU generator per replicate, derived from `name`, the spec's seed, and the replicate's seed index, fold and member."""
    return [torch_stream(task.seed, name, r.seed, r.fold, *([r.member] if r.member else [])) for r in task.replicates]


def new_net(task: Task, hidden: Sequence[int], activation: str = "relu") -> MLP:
    """A fresh stacked MLP for this task: one logit per class."""
    sizes = (task.train.x.shape[2], *hidden, len(task.classes))
    return MLP.create(sizes, activation, streams(task, "init"), device=task.device, dtype=task.dtype)


@torch.no_grad()
def evaluate(net: Net, rows: Rows) -> tuple[Tensor, Tensor]:
    """(average precision [R], mean cross-entropy [R]) on a part, by the weights of its rows. More than two classes: macro average,
    one against the rest.
    """
    logits = net(rows.x)
    loss = weighted_sum(cross_entropy(logits, rows.y), mean_weights(rows.mask, logits.dtype, rows.weight))
    return macro_average_precision(logits.softmax(-1), rows.y, rows.mask, rows.weight), loss


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
    leaves: Leaves | None = None,
) -> Generator[Event, None, Chosen]:
    """Runs the epochs. Leaves each replicate's best parameters in `net` and best state in `step`. Returns the chosen epochs.

    rows: the part that the batches index. patience: epochs without a better score after which a replicate stops; None takes the
    task's, which by default means all epochs. meter counts the steps; camera records frames. Where the task holds the epochs of this phase,
    `epochs` is their planned number alone, on which step sizes may depend. leaves: called after every epoch, says which replicates go on.

    A replicate that has stopped leaves the stack: the others are trained without it, where their numbers stay the same to the bit, or where
    `leaves` is given or members differ in settings. Events and frames are of all replicates, a stopped one as it was when it stopped.
    """
    ends = task.chosen.get(phase)
    patience = None if ends is not None else task.patience or None if patience is None else patience
    going = torch.ones(len(net.flat), dtype=torch.bool) if ends is None else ends.cpu() > 0
    stack = _Stack(net, task.chosen_on, step, batches)
    planned = epochs * max(batches.per_pass())
    taken = 0
    last = torch.full_like(stack.best.score, torch.nan)  # score of all replicates
    replay = graph.start_replay(step, net.flat.device)
    for epoch in range(1, epochs + 1):
        if not going.any():
            break
        stack.narrow(going, exact=leaves is None and not task.settings)
        among = going[stack.numbers]
        wanted = [n if go else 0 for n, go in zip(batches.per_pass(), among.tolist(), strict=True)]
        plan = batches.take(wanted, task.device)
        drawn = plan.draw(rows, stack.members)
        step.begin(wanted)
        wanted_now = torch.tensor(wanted)
        total = torch.zeros_like(stack.best.loss)
        drawn = drawn if replay is None else replay.begin(drawn, total)
        for k in range(plan.length):
            shown = stack.show() if camera.views else net
            yield from camera.record_frame(shown, phase, epoch, meter.step, last, taken=taken, planned=planned)
            take = partial(_take, step, drawn, wanted_now, k)
            total += take() if replay is None else replay(k, (drawn.widths[k], min(wanted) > k), take)
            taken += 1
            if (tick := meter.tick()) is not None:
                yield tick
        if ends is None:
            score, loss = evaluate(stack.net, stack.valid)
            last = stack.spread(score, last)
        else:
            score = loss = torch.full_like(stack.best.loss, torch.nan)
        stack.best.update(stack.net, step, epoch, score, loss, among, every=not task.held_out or ends is not None)
        reported = {"train_loss": total, "valid_loss": loss, "valid_ap": score, "": stack.best.epoch} | step.values()
        fetched = fetch(reported)
        fetched["train_loss"] /= wanted_now.clamp(min=1)
        chosen = fetched.pop("")
        yield Epoch(phase, epoch, meter.step, task.replicates[0].number, stack.list_values(fetched, among))
        if ends is not None:
            going &= epoch < ends.cpu()
        elif patience is not None:
            going[stack.numbers] &= epoch - chosen < patience
        if leaves is not None:
            going &= leaves(epoch, stack.spread(stack.best.score, stack.all_best.score)).cpu()
    meter.done += planned - taken
    return stack.finish()


def _take(step: Step, drawn: Drawn, wanted: Tensor, k: int, counter: Tensor | None = None) -> Tensor:
    """Step k of an epoch, in which replicate r takes wanted[r] steps; its losses [R]."""
    x, y, mask, weight = drawn.at(k, counter)
    return step(Batch(x, y, mask, wanted > k, k, weight, counter))


class _Best:
    """The best epoch of each replicate so far: its parameters and state, number [R], validation score [R] and loss [R]."""

    def __init__(self, net: Net, step: Step) -> None:
        self.tensors = [tensor.clone() for tensor in (net.flat, *net.state(), *step.kept())]
        self.score = torch.full((len(net.flat),), -torch.inf, dtype=net.flat.dtype, device=net.flat.device)
        self.loss = -self.score
        self.epoch = torch.zeros(len(net.flat), dtype=torch.int64, device=net.flat.device)

    def update(self, net: Net, step: Step, epoch: int, score: Tensor, loss: Tensor, going: Tensor, *, every: bool) -> None:
        """Saves this epoch where it is better, for replicates that are `going` [R]. every: saves it without a comparison."""
        better = (score > self.score) | ((score == self.score) & (loss < self.loss)) | every
        if not going.all():
            better &= going.to(better.device)
        now = (net.flat, *net.state(), *step.kept())
        if better.device.type != "cpu":
            self.tensors = [_where(better, new, old) for new, old in zip(now, self.tensors, strict=True)]
        else:  # copies what has changed alone; on a device asking for it would be a wait
            rows = torch.nonzero(better).squeeze(1)
            for new, old in zip(now, self.tensors, strict=True):
                if len(rows) == len(old):
                    old.copy_(new)
                elif len(rows):
                    old.index_copy_(0, rows, new.index_select(0, rows))
        self.score, self.loss = torch.where(better, score, self.score), torch.where(better, loss, self.loss)
        self.epoch = torch.where(better, epoch, self.epoch)

    def parts(self) -> list[Tensor]:
        """All of it, each [R, ...]."""
        return [self.score, self.loss, self.epoch, *self.tensors]

    def of(self, parts: Sequence[Tensor]) -> _Best:
        """The same of other replicates, from their `parts`."""
        other = copy(self)
        other.score, other.loss, other.epoch, *other.tensors = parts
        return other


class _Stack:
    """The replicates that are trained together, fewer and fewer as they stop, and the best epochs of all.

    net, valid, step, batches, best: of these replicates alone. numbers [r], on the CPU, and members [r], on the device: which they are;
    members is None while none has left.
    """

    def __init__(self, net: Net, valid: Rows, step: Step, batches: Batches) -> None:
        self.net, self.valid, self.step, self.batches = net, valid, step, batches
        self.whole = net
        self.best = self.all_best = _Best(net, step)
        self.numbers = torch.arange(len(net.flat))
        self.members: Tensor | None = None
        rows = min(batches.fewest, valid.y.shape[1])
        self.keeps_bits = net.keeps_bits and step.keeps_bits and rows >= FEWEST_ROWS

    def narrow(self, going: Tensor, *, exact: bool) -> None:
        """Lets those leave that are not `going` [R]. exact: only where the others' numbers stay the same to the bit."""
        stay = going[self.numbers]
        count = int(stay.sum())
        if count == len(stay) or count > MOST_LEFT * len(stay) or type(self.step).select is Step.select:
            return
        if exact and not self.keeps_bits:
            return
        index = torch.nonzero(stay).squeeze(1).to(self.net.flat.device)
        self.show()
        self.all_best = self.every_best()
        self.net = self.net.select(index)
        self.step.select(index)
        self.step.use(self.net)
        self.batches.select(index)
        self.valid = select(self.valid, index)
        self.best = self.best.of([part.index_select(0, index) for part in self.best.parts()])
        self.numbers = self.numbers[stay]
        self.members = index if self.members is None else self.members[index]

    def spread(self, part: Tensor, others: Tensor) -> Tensor:
        """Of all replicates [R, ...]: `part` [r, ...] of those in the stack, `others` [R, ...] of those that have left."""
        return part if self.members is None else others.to(part.dtype).index_copy(0, self.members, part)

    def show(self) -> Net:
        """The network of all replicates, as each is now or was when it left."""
        if self.members is not None:
            self.whole.flat = self.spread(self.net.flat, self.whole.flat)
            self.whole.restore([self.spread(*both) for both in zip(self.net.state(), self.whole.state(), strict=True)])
        return self.whole

    def every_best(self) -> _Best:
        """The best epochs of all replicates."""
        parts = zip(self.best.parts(), self.all_best.parts(), strict=True)
        return self.best.of([self.spread(part, others) for part, others in parts])

    def list_values(self, values: dict[str, Tensor], going: Tensor) -> dict[str, list[float]]:
        """values [r], on the CPU, of all replicates; NaN for those that have stopped. going [r]: on the CPU."""
        out = {}
        at = self.numbers.tolist()
        for name, value in values.items():
            out[name] = [math.nan] * len(self.whole.flat)
            for r, one, go in zip(at, value.tolist(), going.tolist(), strict=True):
                if go:
                    out[name][r] = one
        return out

    def finish(self) -> Chosen:
        """Gives network and step the best parameters and state of all replicates."""
        best = self.every_best()
        if self.members is not None:
            self.step.use(self.whole)
        beside = 1 + len(self.whole.state())
        self.whole.flat = best.tensors[0]
        self.whole.restore(best.tensors[1:beside])
        self.step.restore(best.tensors[beside:])
        return Chosen(best.epoch, best.score)


def fetch(values: dict[str, Tensor]) -> dict[str, Tensor]:
    """The values [R] on the CPU, by one copy; each has its own precision again."""
    every = torch.stack([value.double() for value in values.values()]).cpu()
    return {name: row.to(value.dtype) for (name, value), row in zip(values.items(), every, strict=True)}


def _where(which: Tensor, new: Tensor, old: Tensor) -> Tensor:
    return torch.where(which.view(-1, *[1] * (new.dim() - 1)), new, old)
