"""Batches in which rows as they come and rows of a reversed law stand in turn (Zhou et al. 2020)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from engine.data.dataset import Rows
from engine.training.batches import Passes, Plan, keep


def reversed_law(counts: Tensor) -> Tensor:
    """Chance of each class, in proportion to 1 / its rows [C] float64; 0 for a class without rows. counts [C]."""
    shares = torch.where(counts > 0, 1 / counts.double().clamp(min=1), 0.0)
    return shares / shares.sum()


class TwoLaws:
    """The batches of `Passes`, each with as many rows more: place 2 i has its row i, place 2 i + 1 one of the other law.

    That draws a class by `reversed_law`, then one of its rows, all with equal chances. reverse: off, the class is drawn as often as it is.
    streams: of the passes; drawn: of the other law; one each per replicate, of which a batch takes only what it needs.
    """

    def __init__(
        self,
        rows: Rows,
        classes: int,
        size: int,
        streams: Sequence[torch.Generator],
        drawn: Sequence[torch.Generator],
        *,
        reverse: bool = True,
    ) -> None:
        self.passes, self.drawn = Passes(rows.sizes.tolist(), size, streams), list(drawn)
        labels = [y[mask] for y, mask in zip(rows.y.cpu(), rows.mask.cpu(), strict=True)]
        self.order = [torch.argsort(y, stable=True) for y in labels]  # of a replicate's rows: class after class
        self.counts = [torch.bincount(y, minlength=classes) for y in labels]
        self.laws = [reversed_law(n) if reverse else n.double() / n.sum() for n in self.counts]

    def per_pass(self) -> list[int]:
        """Batches in one pass, per replicate."""
        return self.passes.per_pass()

    @property
    def fewest(self) -> int:
        """Rows of the smallest batch, of both laws."""
        return 2 * self.passes.fewest

    def select(self, index: Tensor) -> None:
        """Goes on with replicates `index` [r] alone."""
        self.passes.select(index)
        self.drawn, self.order = keep(self.drawn, index), keep(self.order, index)
        self.counts, self.laws = keep(self.counts, index), keep(self.laws, index)

    def take(self, wanted: Sequence[int], device: torch.device) -> Plan:
        """The next wanted[r] batches of each replicate."""
        plan = self.passes.take(wanted, torch.device("cpu"))
        other = torch.zeros_like(plan.index)
        for r, mask in enumerate(plan.mask):
            other[r][mask] = self._draw(r, int(mask.sum()))
        index = torch.stack([plan.index, other], 3).flatten(2)
        return Plan.of(index, plan.mask.repeat_interleave(2, dim=2), plan.fresh, device)

    def _draw(self, r: int, count: int) -> Tensor:
        """Numbers of `count` rows by the other law."""
        chance = torch.rand(count, 2, generator=self.drawn[r], dtype=torch.float64)
        ends, counts = self.laws[r].cumsum(0), self.counts[r]
        there = torch.nonzero(counts).squeeze(1)
        c = there[torch.searchsorted(ends[there], chance[:, 0] * ends[-1], right=True).clamp(max=len(there) - 1)]
        first = counts.cumsum(0) - counts
        place = torch.minimum((chance[:, 1] * counts[c]).long(), counts[c] - 1)
        return self.order[r][first[c] + place]
