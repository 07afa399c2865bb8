"""Over-samples every replicate of a task by a sampler of `engine.samplers`, with notes on how the rows were made."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from engine.data.dataset import Rows, Task
from engine.data.rows import append, pad, take
from engine.events import Event, Note, Progress
from engine.samplers.lines import Drawn, Moved
from engine.seeds import numpy_stream
from engine.training.fitted import Synthetic
from engine.training.loop import TICK, Meter

Draw = Callable[[Tensor, Tensor, Mapping[int, int], np.random.Generator], Drawn]
"""Rows x [n, D], their classes y [n], how many new rows of each class, and the replicate's stream -> the new rows."""

NEAR = "with another class near it"
DANGER = "in danger, that is with enough rows of other classes near it but not only those"


@dataclass(frozen=True)
class Sampled:
    """Rows to train on (the old ones, then the new), the new ones alone, and the line that each lies on.

    rows: the given rows, relabelled, moved and without those that are removed, where the sampler does that. new: None where no row is
    needed. lines [R, n, 3]: base and partner of a new row, as numbers among the given rows, and its share of the way between them; -1 on
    padding. moved, kept: see `Fitted`. kind, radius, path: see `Synthetic`; norm: see `Drawn`. spheres: (rows [R, s] padded by -1,
    radius [R, s]). sources: of rows that are means, ([R, n, S] numbers of the rows with the largest weights, the weights [R, n, S]).
    """

    rows: Rows
    new: Rows | None = None
    lines: Tensor | None = None
    moved: Moved | None = None
    kept: Tensor | None = None
    kind: str = "line"
    norm: int = 2
    radius: Tensor | None = None
    path: Tensor | None = None
    spheres: tuple[Tensor, Tensor] | None = None
    sources: tuple[Tensor, Tensor] | None = None

    def build_synthetic(self) -> Synthetic | None:
        """The new rows as rows that do not move, with how they were made."""
        if self.new is None:
            return None
        base = None if self.lines is None else self.lines[..., 0].long()
        return Synthetic(
            self.new.x, self.new.x, self.new.y, self.new.mask, kind=self.kind, radius=self.radius, path=self.path, base=base
        )


@torch.no_grad()
def oversample(
    real: Rows,
    task: Task,
    draws: Sequence[Draw],
    *,
    meter: Meter,
    share: float | Sequence[float] = 1.0,
    thing: str = "row",
    near: str = NEAR,
) -> Generator[Event, None, Sampled]:
    """Makes new rows until every class of a replicate is as large as its largest. Each replicate draws from its stream
    "points".

    real: input rows or features of the task's replicates. draws: one for each replicate. share in [0, 1], one or for each replicate: how
    much of the difference to the largest class is filled, rounded. meter: the run's, for Progress events. thing, near: the noun for a row,
    and for the missing neighbour where SMOTE replaced the sampler; both appear in notes.

    Rows that a sampler moves or removes do so in a copy; the task's own stay.
    """
    real = Rows(real.x, real.y.clone(), real.mask, weight=real.weight)
    parts, lines, instead, every = [], [], set(), []
    last = time.monotonic()
    shares = share if isinstance(share, Sequence) else [share] * len(draws)
    for r, (replicate, draw) in enumerate(zip(task.replicates, draws, strict=True)):
        x, y = real.x[r][real.mask[r]], real.y[r][real.mask[r]]
        counts = torch.bincount(y, minlength=len(task.classes)).tolist()
        wanted = {c: round(shares[r] * (max(counts) - n)) for c, n in enumerate(counts) if n}
        drawn = draw(x, y, wanted, numpy_stream(task.seed, "points", replicate.seed, replicate.fold))
        parts.append((drawn.x, drawn.y))
        lines.append((torch.stack([drawn.base.double(), drawn.other.double(), drawn.step.double()], 1), drawn.y))
        instead |= set(drawn.instead.values())
        every.append(drawn)
        if drawn.relabelled is not None:
            real.y[r, : len(y)] = drawn.relabelled
        if task.replicates[r].number == 0:
            yield from _explain_changes(drawn, len(y), thing)
        if time.monotonic() - last > TICK:
            last = time.monotonic()
            yield Progress(meter.done, meter.total)
    if "smote" in instead:
        yield Note(f"A class has no {thing} {near}, so its new rows were made by SMOTE.", "warning")
    if "copies" in instead:
        yield Note("A class with a single training row has no neighbour to lie towards: it was repeated instead.", "warning")
    new, along = pad(parts), pad(lines)
    moved, kept = _join_moved(every), None
    if moved is not None:
        real = replace(real, x=apply_moves(real.x, moved))
    if any(one.kept is not None for one in every):
        kept = real.mask.clone()
        for r, one in enumerate(every):
            if one.kept is not None:
                kept[r, : len(one.kept)] = one.kept
        real = take(real, kept)
    spheres = None
    if any(one.spheres is not None for one in every):
        none = (new.y.new_zeros(0), new.x.new_zeros(0, dtype=torch.float64))
        given = [one.spheres or none for one in every]
        spheres = (_pad([rows for rows, _ in given], -1), _pad([radius for _, radius in given], math.nan))
    placed, first = torch.where(along.mask.unsqueeze(2), along.x, -1.0), every[0]
    radius, path = (_pad_some([getattr(one, name) for one in every]) for name in ("radius", "path"))
    return Sampled(append(real, new), new, placed, moved, kept, first.kind, first.norm, radius, path, spheres)


def apply_moves(x: Tensor, moved: Moved) -> Tensor:
    """A copy of x [R, N, D] with the rows `moved` at their new places."""
    out = x.clone()
    for r, (rows, to) in enumerate(zip(moved.rows, moved.to, strict=True)):
        own = rows >= 0
        out[r, rows[own]] = to[own].to(out)
    return out


def _join_moved(every: Sequence[Drawn]) -> Moved | None:
    """The replicates' moved rows, padded: rows [R, q], to [R, q, D], by [R, q]; None where the sampler moves none."""
    given = [one.moved for one in every]
    first = next((one for one in given if one is not None), None)
    if first is None:
        return None
    none = Moved(first.rows[:0], first.to[:0], first.by[:0])
    given = [one or none for one in given]
    return Moved(*(_pad([getattr(one, name) for one in given], fill) for name, fill in (("rows", -1), ("to", 0.0), ("by", -1))))


def _pad_some(parts: Sequence[Tensor | None]) -> Tensor | None:
    """As `_pad`, with NaN; None where a part is missing."""
    given = [part for part in parts if part is not None]
    return _pad(given, math.nan) if len(given) == len(parts) else None


def _pad(parts: Sequence[Tensor], fill: float) -> Tensor:
    """Tensors [n, ...] as one [R, longest, ...], filled up; further dimensions are filled up as well."""
    shape = [max(sizes) for sizes in zip(*(part.shape for part in parts), strict=True)]
    out = parts[0].new_full((len(parts), *shape), fill)
    for own, part in zip(out, parts, strict=True):
        own[tuple(slice(n) for n in part.shape)] = part
    return out


def _explain_changes(drawn: Drawn, count: int, thing: str) -> Generator[Event, None, None]:
    """Notes on what happened to the old rows of the first replicate, and what its sampler says. count: of its old rows."""
    if drawn.moved is not None and len(drawn.moved.rows):
        yield Note(
            f"In the first replicate {len(drawn.moved.rows)} of {count} training {thing}s were moved. The generalisation gap after "
            "training is taken with them at their new places."
        )
    if drawn.kept is not None:
        gone = count - int(drawn.kept.sum())
        yield Note(f"In the first replicate {gone} of {count} training {thing}s were removed.")
    for text in drawn.said:
        yield Note(text, "warning")


def explain_machine(sampled: Sampled, task: Task, most: int) -> Generator[Event, None, None]:
    """Notes on the balanced SVM: the class sizes of the first replicate, and the number of rows it was fitted on (at most
    `most`).
    """
    if task.replicates[0].number == 0:
        labels = sampled.rows.y[0][sampled.rows.mask[0]]
        yield Note(
            "With the labels of the support vector machine the classes of the first replicate have "
            f"{', '.join(map(str, torch.bincount(labels).tolist()))} training rows."
        )
        if len(labels) > most:
            yield Note(f"The machine was fitted on {most} of {len(labels)} rows, as many of every class.")
