"""The fitted replicates of one row of a comparison, with the test rows that questions are asked on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from engine.data.dataset import Rows, Task
from engine.data.thin import draw_rows

RATIO = 10.0
"""Where test rows are left out, those of the largest classes go first, down to this ratio."""


@dataclass(frozen=True)
class Fits:
    """net(x [R, N, D]) -> logits [R, N, C], as of `engine.training.fitted.Fitted`. rows: test rows of each replicate.

    weight [R][1 + B, n]: how many test rows each of them stands for, then its weights in B draws of the test rows (none where every
    seed redraws them). constant [R, D] bool: features that are 0 in every row of a replicate since they are constant in its training
    rows. units: as of the task.
    """

    net: Callable[[Tensor], Tensor]
    rows: Rows
    weight: tuple[np.ndarray, ...]
    constant: np.ndarray
    units: tuple[tuple[np.ndarray, np.ndarray], ...]

    @classmethod
    def of(cls, task: Task, net: Callable[[Tensor], Tensor], draw: Callable[[int], np.ndarray | None] = lambda r: None) -> Fits:
        """All test rows of a task's replicates, each counting once. draw(r): weights [B, n] of replicate r's draws."""
        ones = [np.ones((1, n)) for n in task.test.sizes.tolist()]
        drawn = [draw(r) for r in range(len(ones))]
        weight = tuple(one if more is None else np.concatenate([one, more]) for one, more in zip(ones, drawn, strict=True))
        parts = (task.train, task.valid, task.test)  # a feature that is constant in training is 0 in all of them
        moves = torch.stack([((part.x != 0) & part.mask.unsqueeze(2)).any(1) for part in parts]).any(0)
        return cls(net, task.test, weight, ~moves.cpu().numpy(), task.units)

    @property
    def y(self) -> list[np.ndarray]:
        """Classes of the test rows, [R][n]."""
        return [y[mask].cpu().numpy() for y, mask in zip(self.rows.y, self.rows.mask, strict=True)]

    @torch.no_grad()
    def predict(self, x: Tensor | None = None) -> list[np.ndarray]:
        """Probabilities [R][n, C] of the test rows, or of x [R, N, D] in their place."""
        p = self.net(self.rows.x if x is None else x).double().softmax(-1)
        return [p[r][mask].cpu().numpy() for r, mask in enumerate(self.rows.mask)]

    def take(self, most: int, streams: Callable[[int], np.random.Generator]) -> Fits:
        """The same with at most about `most` test rows a replicate; rows of a class that lost some count for more.

        streams(r): the generator that draws those of replicate r.
        """
        sizes = self.rows.sizes.tolist()
        if max(sizes) <= most:
            return self
        kept, weight = [], []
        for r, (y, own) in enumerate(zip(self.y, self.weight, strict=True)):
            rows = np.arange(len(y))
            if len(rows) > most:
                rows = draw_rows(y, rows, most, streams(r), RATIO)
            before, after = np.bincount(y), np.bincount(y[rows], minlength=int(y.max()) + 1)
            weight.append(own[:, rows] * (before[y[rows]] / after[y[rows]]))
            kept.append(rows)
        wide = max(map(len, kept))
        at = torch.zeros(len(kept), wide, dtype=torch.int64)
        mask = torch.zeros(len(kept), wide, dtype=torch.bool)
        for r, rows in enumerate(kept):
            at[r, : len(rows)], mask[r, : len(rows)] = torch.from_numpy(rows), True
        at, mask = at.to(self.rows.x.device), mask.to(self.rows.x.device)
        x = self.rows.x.gather(1, at.unsqueeze(2).expand(-1, -1, self.rows.x.shape[2])) * mask.unsqueeze(2)
        return replace(self, rows=Rows(x, self.rows.y.gather(1, at) * mask, mask), weight=tuple(weight))
