"""Minibatches for R replicates at once: which rows, for whom, in each replicate's own random order.

An epoch's batches are drawn together as index tensors [R, K, B] with a mask; replicates with fewer rows have
padded places, and whole batches without a row where they need fewer of them. Nothing is truncated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.data.dataset import Rows


@dataclass(frozen=True)
class Plan:
    """K batches of at most B rows: index [R, K, B] into a part's rows, mask [R, K, B]; fresh [R, K]: a new pass begins here."""

    index: Tensor
    mask: Tensor
    fresh: Tensor

    @property
    def length(self) -> int:
        """K."""
        return self.index.shape[1]


class Passes:
    """Endless passes over each replicate's rows in a new random order every pass; the last batch of a pass may be shorter.

    `take` draws from a replicate's stream only what that replicate needs, so alone and stacked runs draw the same.
    """

    def __init__(self, sizes: Sequence[int], size: int, streams: Sequence[torch.Generator]) -> None:
        self.sizes = list(sizes)
        self.size = size
        self.streams = list(streams)
        self.pending: list[list[Tensor]] = [[] for _ in self.sizes]  # batches of the pass under way
        self.untouched = [True] * len(self.sizes)

    def per_pass(self) -> list[int]:
        """Batches in one pass, per replicate."""
        return [-(-n // self.size) for n in self.sizes]

    def take(self, wanted: Sequence[int], device: torch.device) -> Plan:
        """The next wanted[r] batches of each replicate."""
        width, length = min(self.size, max(self.sizes)), max(wanted)
        index = torch.zeros(len(self.sizes), length, width, dtype=torch.int64)
        mask = torch.zeros(len(self.sizes), length, width, dtype=torch.bool)
        fresh = torch.zeros(len(self.sizes), length, dtype=torch.bool)
        for r, count in enumerate(wanted):
            for k in range(count if self.sizes[r] else 0):
                if not self.pending[r]:
                    self.pending[r] = list(torch.split(torch.randperm(self.sizes[r], generator=self.streams[r]), self.size))
                    fresh[r, k] = True
                rows = self.pending[r].pop(0)
                index[r, k, : len(rows)] = rows
                mask[r, k, : len(rows)] = True
        return Plan(index.to(device), mask.to(device), fresh.to(device))


class Balanced:
    """Batches with the same number of rows of every class (card B2).

    size // C rows of each class: the largest class in a random order without replacement, pass after pass; the others
    with replacement. An epoch is as many batches as the largest class fills, rounded up.
    """

    def __init__(self, rows: Rows, classes: int, size: int, streams: Sequence[torch.Generator]) -> None:
        self.share = max(1, size // classes)
        self.streams = list(streams)
        self.members = [
            [torch.nonzero(mask & (y == c)).squeeze(1) for c in range(classes)]
            for y, mask in zip(rows.y.cpu(), rows.mask.cpu(), strict=True)
        ]
        self.left: list[Tensor] = [torch.zeros(0, dtype=torch.int64) for _ in self.members]

    def per_pass(self) -> list[int]:
        """Batches in one epoch, per replicate."""
        return [-(-max(len(m) for m in classes) // self.share) for classes in self.members]

    def take(self, wanted: Sequence[int], device: torch.device) -> Plan:
        """The next wanted[r] batches of each replicate."""
        replicates, classes = len(self.members), len(self.members[0])
        index = torch.zeros(replicates, max(wanted), classes * self.share, dtype=torch.int64)
        mask = torch.zeros_like(index, dtype=torch.bool)
        for r, count in enumerate(wanted):
            if not count:
                continue
            members = self.members[r]
            largest = max(range(classes), key=lambda c: len(members[c]))
            drawn = [
                self._in_order(r, members[c], count * self.share)
                if c == largest
                else members[c][torch.randint(len(members[c]), (count * self.share,), generator=self.streams[r])]
                for c in range(classes)
            ]
            index[r, :count] = torch.stack(drawn, 1).view(count, -1)
            mask[r, :count] = True
        return Plan(index.to(device), mask.to(device), torch.zeros(replicates, max(wanted), dtype=torch.bool, device=device))

    def _in_order(self, r: int, rows: Tensor, count: int) -> Tensor:
        parts = [self.left[r]]
        while sum(map(len, parts)) < count:
            parts.append(rows[torch.randperm(len(rows), generator=self.streams[r])])
        joined = torch.cat(parts)
        self.left[r] = joined[count:]
        return joined[:count]
