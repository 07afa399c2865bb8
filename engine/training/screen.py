"""Screens settings of plain training by successive halving: all train at once, and at rungs the worse ones leave.

    rungs = []
    yield from screen(build, task, settings, stacks=("learning_rate", "weight_decay"), schedule=plan_rungs(64, 200), rungs=rungs)

Settings that differ in numbers of the optimiser alone train as members of one stack (`engine.training.settings`). What changes the
shapes, such as `hidden`, makes stacks of its own: padding to the widest would cost more than stacks of each width. On large tables every
replicate has its own stacks, since all members then share its rows without a copy; small ones have all replicates in a stack. All stacks
stop at a rung; a setting is scored by the mean over replicates at their best epochs so far.

What is screened is not stored. The numbers of a setting do not depend on which other settings leave: to the bit where a network keeps bits
(`Net.keeps_bits`), else to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, isfinite
from typing import Any, Protocol

import numpy as np
import torch

from engine.data.dataset import Task
from engine.data.rows import select_task, take
from engine.events import Epoch, Progress, Running
from engine.losses import Loss, cross_entropy
from engine.models.net import Net
from engine.training.camera import Camera
from engine.training.loop import Meter, train
from engine.training.optimisers import Descent
from engine.training.settings import repeat_task
from engine.training.shared_batches import SharedPasses

FACTOR = 2
"""One in FACTOR settings goes on after a rung, and rungs lie FACTOR times as many epochs apart."""
FEWEST_EPOCHS, MOST_RUNGS = 3, 5
"""Epochs before the first rung at least; rungs at most, the last epoch included."""
FEWEST_LEFT = 3
"""Settings that train to the last epoch, where there are as many."""
MOST_WORK, RANKING = 1 << 32, 10_000
"""Members of a stack x rows that choose epochs x (weights + RANKING) at most: an evaluation, in which nothing is reported, then takes up
to 0.2 s on one core. RANKING: what a row's place in the ranking costs, in weights.
"""
MOST_COPIED = 1 << 22
"""Members x rows that choose epochs x columns, up to which all replicates are in one stack and each member has a copy of its rows."""


class Plain(Protocol):
    """A method, as far as plain training needs it."""

    @property
    def hidden(self) -> tuple[int, ...]: ...
    @property
    def batch(self) -> int: ...
    @property
    def epochs(self) -> int: ...
    def create(self, task: Task) -> Net: ...
    def step(self, net: Net, task: Task, loss: Loss) -> Descent: ...


@dataclass(frozen=True)
class Rung:
    """What is known after `epoch` epochs, of the settings that were left. scores: setting -> mean score over replicates. trained:
    setting -> epochs that its replicates trained together so far, which are fewer where patience stopped some.
    """

    epoch: int
    scores: Mapping[int, float]
    trained: Mapping[int, int]


Score = Callable[[np.ndarray, np.ndarray], float]
"""(probabilities [n, C], classes [n]) of a replicate's validation rows -> the value to be maximised."""


def plan_rungs(settings: int, epochs: int) -> list[tuple[int, int]]:
    """[(epoch of a rung, settings that go on)], the last one at the last epoch.

    >>> plan_rungs(64, 200)
    [(12, 32), (25, 16), (50, 8), (100, 4), (200, 4)]
    """
    ends = [epochs // FACTOR**k for k in range(MOST_RUNGS - 1, -1, -1)]
    ends = [end for end in ends if end >= FEWEST_EPOCHS] or [epochs]
    out = []
    for end in ends:
        settings = settings if end == epochs else max(min(FEWEST_LEFT, settings), ceil(settings / FACTOR))
        out.append((end, settings))
    return out


def screen(
    build: Callable[[Mapping[str, Any]], Plain],
    task: Task,
    settings: Sequence[Mapping[str, Any]],
    *,
    stacks: Sequence[str],
    schedule: Sequence[tuple[int, int]],
    rungs: list[Rung],
    score: Score | None = None,
    counts: Sequence[np.ndarray] | None = None,
    keep: Sequence[int] = (),
) -> Generator[Progress, None, None]:
    """Trains the settings on every replicate of a task and fills `rungs`, one after the other: what ends early keeps what is complete.

    build: a method's instance with a setting's values. settings: name of a parameter -> value, the same names in each. stacks: names in
    which members of a stack may differ. schedule: see `plan_rungs`. score: None for the average precision by which epochs are chosen.
    counts [R][v]: which validation rows count, all by default; a replicate is left out where a class has none. keep: settings that do
    not leave. Test rows are not read.
    """
    last = schedule[-1][0]
    task = _keep_rows(task, counts)
    made = [_Stack(build, part, settings, each, stacks, last) for part, each in _group(build, task, settings, stacks)]
    left = list(range(len(settings)))
    done, total = 0, len(made) * len(schedule)
    try:
        for epoch, most in schedule:
            values: dict[int, list[float]] = {number: [] for number in left}
            trained = dict.fromkeys(left, 0)
            for stack in made:
                for _ in stack.advance(epoch):
                    yield Progress(done, total)
                for number, value, epochs in stack.scores(score):
                    values[number].append(value)
                    trained[number] += epochs
                    yield Progress(done, total)
                done += 1
            scores = {number: sum(each) / len(each) if each else float("nan") for number, each in values.items()}
            rungs.append(Rung(epoch, scores, trained))
            left = choose_settings(scores, most, keep)
            made = [stack for stack in made if stack.retain(left)]
    finally:
        for stack in made:
            stack.running.close()


def choose_settings(scores: Mapping[int, float], most: int, keep: Sequence[int] = ()) -> list[int]:
    """The settings that go on, ascending: the highest scores, the first of equal ones, NaN last. Those of `keep` are among them."""
    order = sorted(scores, key=lambda n: (n not in keep, -scores[n] if isfinite(scores[n]) else np.inf, n))
    return sorted(order[:most])


def _keep_rows(task: Task, counts: Sequence[np.ndarray] | None) -> Task:
    """The task with the validation rows that count, of those replicates where these have every class."""
    some = task.valid.mask.clone()
    for r, own in enumerate(counts or ()):
        some[r, task.valid.mask[r]] = torch.from_numpy(own).to(some.device)
    full = [r for r in range(len(some)) if len(set(task.valid.y[r][some[r]].tolist())) == len(task.classes)]
    if not some.equal(task.valid.mask):
        task = replace(task, valid=take(task.valid, some), sample=None)
    return task if len(full) == len(some) else select_task(task, torch.tensor(full, dtype=torch.int64))


def _group(
    build: Callable[[Mapping[str, Any]], Plain], task: Task, settings: Sequence[Mapping[str, Any]], stacks: Sequence[str]
) -> list[tuple[Task, list[int]]]:
    """(replicates, settings of one shape) of every stack: as many as MOST_WORK and MOST_COPIED allow."""
    count, rows, columns = task.chosen_on.x.shape
    if not count:
        return []
    by_shape: dict[str, list[int]] = {}
    for number, setting in enumerate(settings):
        shape = repr({name: value for name, value in setting.items() if name not in stacks})
        by_shape.setdefault(shape, []).append(number)
    alone = [task] if count == 1 else [select_task(task, torch.tensor([r])) for r in range(count)]
    out = []
    for numbers in by_shape.values():
        sizes = (columns, *build(settings[numbers[0]]).hidden, len(task.classes))
        weights = sum(a * b for a, b in zip(sizes, sizes[1:], strict=False))
        most = max(1, MOST_WORK // (rows * (weights + RANKING)))
        members = count * len(numbers)
        if members <= most and members * rows * columns <= MOST_COPIED:
            out.append((task, numbers))
        else:
            parts = [part.tolist() for part in np.array_split(numbers, ceil(len(numbers) / most))]
            out += [(one, part) for part in parts for one in alone]
    return out


class _Stack:
    """Settings of one shape on R replicates of a task: member s R + r is replicate r under setting numbers[s]."""

    def __init__(
        self,
        build: Callable[[Mapping[str, Any]], Plain],
        task: Task,
        settings: Sequence[Mapping[str, Any]],
        numbers: Sequence[int],
        stacks: Sequence[str],
        epochs: int,
    ) -> None:
        self.task = task
        self.setting_of = np.repeat(numbers, len(task.replicates)).tolist()
        method = build(settings[numbers[0]])
        names = [name for name in stacks if name in settings[0]]
        repeated = repeat_task(task, [{name: settings[n][name] for name in names} for n in numbers])
        net = method.create(repeated)
        self.step = method.step(net, repeated, cross_entropy)
        self.batches = SharedPasses(task, method.batch, len(numbers))
        self.best, self.ranks = net.copy(), [(-np.inf, -np.inf)] * len(self.setting_of)
        self.known: dict[int, float] = {}
        self.stays = torch.ones(len(self.setting_of), dtype=torch.bool)
        self.epoch, self.trained = 0, [0] * len(self.setting_of)
        meter = Meter(epochs * self.batches.length)
        self.running = Running(
            train(
                net, repeated, self.step, self.batches, rows=task.train, epochs=epochs, phase="screening", meter=meter,
                camera=Camera(repeated, 0), leaves=lambda epoch, score: self.stays,
            )
        )  # fmt: skip

    def advance(self, to: int) -> Iterator[None]:
        """Trains up to an epoch, or until every member has stopped. Yields at every event."""
        while self.epoch < to and (event := self.running.pull()) is not None:
            if isinstance(event, Epoch):
                self._keep(event)
            yield

    def _keep(self, event: Epoch) -> None:
        """Keeps the networks of members for which this epoch is the best: by average precision, then by loss, as `train` does."""
        self.epoch = event.epoch
        net, now = self.step.net, zip(event.values["valid_ap"], event.values["valid_loss"], strict=True)
        ranks = [(score, -loss) for score, loss in now]
        for row, m in enumerate(self.batches.members.tolist()):
            self.trained[m] += int(ranks[m][0] == ranks[m][0])
            if ranks[m] > self.ranks[m] or not self.task.held_out:
                self.ranks[m] = ranks[m]
                self.best.flat[m] = net.flat[row]
                self.known.pop(m, None)

    def scores(self, score: Score | None) -> Iterator[tuple[int, float, int]]:
        """(setting, score on validation rows at the best epoch, epochs trained) of every member that stays."""
        members = torch.nonzero(self.stays).flatten().tolist()
        fresh = [m for m in members if m not in self.known]
        if score is None:
            self.known |= {m: self.ranks[m][0] for m in fresh}
        else:
            for m in fresh:  # the networks that are new at this rung
                r = m % len(self.task.replicates)
                mask = self.task.valid.mask[r]
                with torch.no_grad():
                    logits = self.best.select(torch.tensor([m]))(self.task.valid.x[r : r + 1, mask])[0]
                self.known[m] = score(logits.double().softmax(-1).cpu().numpy(), self.task.valid.y[r, mask].cpu().numpy())
                yield self.setting_of[m], self.known[m], self.trained[m]
        old = members if score is None else [m for m in members if m not in fresh]
        yield from ((self.setting_of[m], self.known[m], self.trained[m]) for m in old)

    def retain(self, settings: Sequence[int]) -> bool:
        """Lets the others leave. Returns whether any is left; where none is, training ends."""
        self.stays &= torch.tensor([number in settings for number in self.setting_of])
        if not self.stays.any():
            self.running.close()
        return bool(self.stays.any())
