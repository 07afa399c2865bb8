"""Random under-sampling."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from torch import Tensor

from engine.data.dataset import Task
from engine.data.rows import take
from engine.events import Event, Phase
from engine.losses import cross_entropy
from engine.methods.base import DeepMethod, param
from engine.spec.fields import FIRST
from engine.spec.pens import Pen
from engine.training.camera import Camera
from engine.training.fitted import Fitted
from engine.training.undersampling import keep_rows


@dataclass(frozen=True)
class RUS(DeepMethod):
    """Majority rows are dropped at random, once, before training, until no class has more rows than the smallest. Quick, and most
    rows are never seen."""

    name = "rus"
    title = "Random under-sampling (RUS)"
    family = "sampling"
    kinds = ("tabular", "points", "images")
    source = "As imbalanced-learn's RandomUnderSampler, whose rows are kept for the same draws; a pass is as short as the rows are few."
    pen = Pen("sky", "longdash", "triangle-up")
    comparison = 9
    cost = 0.3

    ratio: float = param(
        1.0, low=1.0, high=1000.0, log=True, stacks=FIRST,
        help="Rows that a class keeps at most, for each row of the smallest class: 1 makes all classes alike.",
    )  # fmt: skip

    def fit(self, task: Task, *, camera: Camera) -> Generator[Event, None, Fitted]:
        """See Method.fit."""
        yield Phase("sampling", "Choosing the rows that stay")
        rows = take(task.train, self.keep(task))
        return (yield from self.fit_plain(task, cross_entropy, camera=camera, rows=rows))

    def keep(self, task: Task) -> Tensor:
        """Which training rows are kept, [R, N] bool."""
        return keep_rows(task, [one.ratio for one in self.list_members(task)])
