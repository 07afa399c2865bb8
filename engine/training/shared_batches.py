"""Batches of a stack whose members are R replicates under several settings: each replicate's are drawn once, for all settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.data.dataset import Rows, Task
from engine.training.batches import Drawn, Passes, Plan
from engine.training.loop import streams


class SharedPasses:
    """Passes over the training rows of a task. Member s R + r of the stack has those of replicate r, as in `repeat_task`.

    members: of the whole stack, those that are left. Members that have stopped without leaving are in a plan too; the loop leaves them
    unchanged.
    """

    def __init__(self, task: Task, size: int, settings: int) -> None:
        self.one = Passes(task.train.sizes.tolist(), size, streams(task, "batch"))
        self.replicates = len(task.replicates)
        self.members = torch.arange(settings * self.replicates)

    @property
    def which(self) -> Tensor:
        """The replicate of each member that is left."""
        return self.members % self.replicates

    @property
    def length(self) -> int:
        """Batches in the longest pass."""
        return max(self.one.per_pass())

    @property
    def fewest(self) -> int:
        """See Passes."""
        return self.one.fewest

    def per_pass(self) -> list[int]:
        """See Batches."""
        each = self.one.per_pass()
        return [each[r] for r in self.which.tolist()]

    def select(self, index: Tensor) -> None:
        """See Batches."""
        self.members = self.members[index.cpu()]

    def take(self, wanted: Sequence[int], device: torch.device) -> Plan:
        """See Batches."""
        most = [0] * self.replicates
        for r, count in zip(self.which.tolist(), wanted, strict=True):
            most[r] = max(most[r], count)
        plan = self.one.take(most, device)
        return SharedPlan(plan.index, plan.mask, plan.fresh, plan.widths, self.which.to(device))


@dataclass(frozen=True)
class SharedPlan(Plan):
    """A plan of R replicates for members of a stack. which [m]: the replicate of each member."""

    which: Tensor

    def draw(self, part: Rows, members: Tensor | None = None) -> Drawn:
        """See Plan. part: of the R replicates."""
        return SharedDrawn(**vars(super().draw(part)), which=self.which)


@dataclass(frozen=True)
class SharedDrawn(Drawn):
    """The rows of R replicates for members of a stack. which [m]: as in SharedPlan."""

    which: Tensor

    def at(self, k: int, counter: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """See Drawn: of every member, views of the replicate's rows for R = 1."""
        x, y, mask, weight = super().at(k, counter)
        return self._spread(x), self._spread(y), self._spread(mask), None if weight is None else self._spread(weight)

    def _spread(self, part: Tensor) -> Tensor:
        return part.expand(len(self.which), *part.shape[1:]) if len(part) == 1 else part.index_select(0, self.which)
