"""Over-samples every replicate of a task by a sampler of `engine.samplers`, with notes on how the rows were made."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.data.dataset import Rows, Task
from engine.data.rows import append, pad
from engine.events import Event, Note, Progress
from engine.samplers.lines import Drawn
from engine.seeds import numpy_stream
from engine.training.loop import TICK, Meter

Draw = Callable[[Tensor, Tensor, Mapping[int, int], np.random.Generator], Drawn]
"""Rows x [n, D], their classes y [n], how many new rows of each class, and the replicate's stream -> the new rows."""

NEAR = "with another class near it"
DANGER = "in danger, that is with enough rows of other classes near it but not only those"


@dataclass(frozen=True)
class Sampled:
    """Rows to train on (the old ones, then the new), the new ones alone, and the line that each lies on.

    rows: the given rows, relabelled where the sampler does that. new: None where no row is needed. lines [R, n, 3]: base
    and partner of a new row, as numbers among the old rows, and its share of the way between them; -1 on padding.
    """

    rows: Rows
    new: Rows | None = None
    lines: Tensor | None = None


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
    """
    real = Rows(real.x, real.y.clone(), real.mask, weight=real.weight)
    parts, lines, instead = [], [], set()
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
        if drawn.relabelled is not None:
            real.y[r, : len(y)] = drawn.relabelled
        if time.monotonic() - last > TICK:
            last = time.monotonic()
            yield Progress(meter.done, meter.total)
    if "smote" in instead:
        yield Note(f"A class has no {thing} {near}, so its new rows were made by SMOTE.", "warning")
    if "copies" in instead:
        yield Note("A class with a single training row has no neighbour to lie towards: it was repeated instead.", "warning")
    new, along = pad(parts), pad(lines)
    return Sampled(append(real, new), new, torch.where(along.mask.unsqueeze(2), along.x, -1.0))


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
