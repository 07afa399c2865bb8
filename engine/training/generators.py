"""Trains the generators of a task's replicates side by side and reports their values. One trained before is taken from the cache."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from engine.events import Epoch, Event, Phase, Running
from engine.models.generators import kept
from engine.models.generators.adversarial import EVENTS, RowGenerator
from engine.models.generators.kept import Kept
from engine.training.loop import Meter


def train_generators(
    makes: Sequence[Callable[[], RowGenerator]], keys: Sequence[str], *, first: int, meter: Meter
) -> Generator[Event, None, list[RowGenerator]]:
    """The trained generators of R replicates. Each owns its streams, so it does not depend on the others.

    makes: builds the untrained generator of a replicate; all have the same stages, of equally many steps, or of none where there is nothing
    to learn. keys: text of all that its training depends on, those steps among it; "" where it shall not be kept.
    first: number of the first replicate. meter counts every replicate's steps.
    """
    if (
        len(set(keys)) < len(keys) and "" not in keys
    ):  # members of a stack that differ in the classifier alone share a generator
        return (yield from _train_distinct(makes, keys, first=first, meter=meter))
    before = [kept.get(key) if key else None for key in keys]
    every = [make() if old is None else old.generator for make, old in zip(makes, before, strict=True)]
    plans = [
        [(stage.name, stage.text, stage.steps) for stage in one.stages] if old is None else old.plan
        for one, old in zip(every, before, strict=True)
    ]
    history: list[list[list[Mapping[str, float]]]] = [[[] for _ in plan] for plan in plans]
    for s, (phase, text, _) in enumerate(plans[0]):
        yield Phase(phase, text)
        points = min(EVENTS, max(plan[s][2] for plan in plans))
        for point in range(1, points + 1):
            for r, old in enumerate(before):
                begin, end = (at * plans[r][s][2] // points for at in (point - 1, point))
                if old is not None:
                    meter.step += end - begin
                    meter.done += end - begin
                    history[r][s].append(old.history[s][point - 1])
                    continue
                values = _Means()
                for _ in range(begin, end):
                    values.add(every[r].stages[s].step())
                    if (tick := meter.tick()) is not None:
                        yield tick
                history[r][s].append(values.fetch())
            now = [own[s][-1] for own in history]
            if names := dict.fromkeys(name for one in now for name in one):
                yield Epoch(phase, point, meter.step, first, {n: [one.get(n, math.nan) for one in now] for n in names})
        for one, old in zip(every, before, strict=True):
            if old is None:
                one.stages[s].end()
    for key, one, plan, values_of, old in zip(keys, every, plans, history, before, strict=True):
        if old is None:
            one.settle()
            if key:
                kept.put(key, Kept(one, plan, values_of))
    return every


def _train_distinct(
    makes: Sequence[Callable[[], RowGenerator]], keys: Sequence[str], *, first: int, meter: Meter
) -> Generator[Event, None, list[RowGenerator]]:
    """Trains one generator for each key, and gives it and its values to all that have the key."""
    distinct = list(dict.fromkeys(keys))
    which = [distinct.index(key) for key in keys]
    training = Running(
        train_generators([makes[which.index(n)] for n in range(len(distinct))], distinct, first=first, meter=meter)
    )
    for event in training:
        if isinstance(event, Epoch):
            event = replace(event, values={name: [of[n] for n in which] for name, of in event.values.items()})
        yield event
    return [training.value[n] for n in which]


class _Means:
    """Means of the steps' values, kept on the device until they are asked for."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.count = 0

    def add(self, values: Mapping[str, Tensor]) -> None:
        self.count += 1
        for name, value in values.items():
            self.sums[name] = self.sums[name] + value.detach() if name in self.sums else value.detach()

    def fetch(self) -> dict[str, float]:
        if not self.sums:
            return {}
        means = (torch.stack(list(self.sums.values())).double() / self.count).tolist()
        return dict(zip(self.sums, means, strict=True))
