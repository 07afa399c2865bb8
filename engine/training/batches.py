"""Minibatches for R replicates at once. Each replicate has its own random order.

An epoch's batches are drawn together as index tensors [R, K, B] with a mask. Replicates with fewer rows have padded places, and
batches without any row where they need fewer batches. No row is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from engine.data.dataset import Rows

T = TypeVar("T")


@dataclass(frozen=True)
class Plan:
    """K batches of at most B rows: index [R, K, B] into a part's rows, mask [R, K, B]; fresh [R, K]: a new pass begins with
    this batch.

    widths [K]: the longest batch of any replicate; all places beyond it are padding. The rows of a batch come first.
    """

    index: Tensor
    mask: Tensor
    fresh: Tensor
    widths: list[int]

    @classmethod
    def of(cls, index: Tensor, mask: Tensor, fresh: Tensor, device: torch.device) -> Plan:
        """The plan with its tensors on `device`, moved there as one; they are drawn on the CPU."""
        widths = mask.sum(2).amax(0).tolist()
        if device.type == "cpu":
            return cls(index, mask, fresh, widths)
        moved = torch.cat([torch.where(mask, index, -1), fresh.unsqueeze(2)], 2).to(device)
        index = moved[:, :, :-1]
        return cls(index.clamp(min=0), index >= 0, moved[:, :, -1] > 0, widths)

    @property
    def length(self) -> int:
        """K, the number of batches."""
        return self.index.shape[1]

    def draw(self, part: Rows, members: Tensor | None = None) -> Drawn:
        """The rows of all batches. Gathered at once, because many small gathers are slower. members [R]: the plan's replicates among those
        of `part`; None: they are the same.
        """
        index, mask = self.index.transpose(0, 1), self.mask.transpose(0, 1)
        weight = None if part.weight is None else pick(part.weight, index, members) * mask
        return Drawn(pick(part.x, index, members), pick(part.y, index, members), mask, weight, self.widths)


@dataclass(frozen=True)
class Drawn:
    """The rows of an epoch's batches: x [K, R, B, D]; y, mask [K, R, B]; weight [K, R, B], 0 on padding, or None where all rows count
    the same; widths [K] as in Plan.
    """

    x: Tensor
    y: Tensor
    mask: Tensor
    weight: Tensor | None
    widths: list[int]

    def at(self, k: int, counter: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Batch k's x [R, b, D], y [R, b], mask [R, b] and weight [R, b] or None, where b is its width. counter: see `read`."""
        x, y, mask = (read(table, k, counter)[:, : self.widths[k]] for table in (self.x, self.y, self.mask))
        return x, y, mask, None if self.weight is None else read(self.weight, k, counter)[:, : self.widths[k]]

    def move(self, place: Callable[[str, Tensor], Tensor]) -> Drawn:
        """The same rows where `place(name, tensor)` puts them."""
        own = {"x": self.x, "y": self.y, "mask": self.mask} | ({} if self.weight is None else {"weight": self.weight})
        return replace(self, **{name: place(name, tensor) for name, tensor in own.items()})  # type: ignore[arg-type]


def read(table: Tensor, k: int, counter: Tensor | None = None) -> Tensor:
    """Row k of a table [K, ...]. counter [1] int64: holds k on the table's device, where a recorded step shall read another row each
    time (`engine.training.graph`).
    """
    return table[k] if counter is None else table.index_select(0, counter).squeeze(0)


def pick(table: Tensor, index: Tensor, members: Tensor | None = None) -> Tensor:
    """table [R, N, ...] and index [..., R, B] -> table[r, index[..., r, b]] as [..., R, B, ...]. Copies whole rows.

    members [r]: index [..., r, B] is of these replicates of the table alone.
    """
    if not table.stride(0) and len(table) > 1:  # copies of one replicate
        return table[0].index_select(0, index.reshape(-1)).view(*index.shape, *table.shape[2:])
    first = (torch.arange(table.shape[0], device=table.device) if members is None else members) * table.shape[1]
    flat = (index + first.unsqueeze(1)).reshape(-1)
    return table.flatten(0, 1).index_select(0, flat).view(*index.shape, *table.shape[2:])


def keep(values: Sequence[T], index: Tensor) -> list[T]:
    """The values of replicates `index` [r]."""
    return [values[r] for r in index.tolist()]


class Passes:
    """Endless passes over each replicate's rows, in a new random order every pass. The last batch of a pass may be shorter.

    Rows that fit into one batch keep their order, since a mean does not depend on it. `take` draws from a replicate's stream
    only what that replicate needs, so runs alone and stacked draw the same numbers.
    """

    def __init__(self, sizes: Sequence[int], size: int, streams: Sequence[torch.Generator]) -> None:
        self.sizes = list(sizes)
        self.size = min(size, max(1, *self.sizes))
        self.shuffled = [n > size for n in self.sizes]
        self.streams = list(streams)
        # NumPy: torch takes ten times as long to slice a few dozen numbers
        places = [np.arange(n * self.size).reshape(n, self.size) for n in self.per_pass()]
        self.full = [place < n for place, n in zip(places, self.sizes, strict=True)]
        self.order = [place * full for place, full in zip(places, self.full, strict=True)]  # of the current pass
        self.at = self.per_pass()  # batches of the current pass that are used up

    def per_pass(self) -> list[int]:
        """Batches in one pass, per replicate."""
        return [-(-n // self.size) for n in self.sizes]

    @property
    def fewest(self) -> int:
        """Rows of the smallest batch of a replicate that has rows."""
        return min((n % self.size or self.size for n in self.sizes if n), default=self.size)

    def select(self, index: Tensor) -> None:
        """Goes on with replicates `index` [r] alone. The size of a batch stays."""
        self.sizes, self.shuffled = keep(self.sizes, index), keep(self.shuffled, index)
        self.full, self.order, self.at = keep(self.full, index), keep(self.order, index), keep(self.at, index)
        self.streams = keep(self.streams, index)

    def take(self, wanted: Sequence[int], device: torch.device) -> Plan:
        """The next wanted[r] batches of each replicate."""
        index = np.zeros((len(self.sizes), max(wanted), self.size), np.int64)
        mask = np.zeros(index.shape, bool)
        fresh = np.zeros(index.shape[:2], bool)
        for r, count in enumerate(wanted):
            done = 0 if self.sizes[r] else count
            order, full = self.order[r], self.full[r]
            while done < count:
                if self.at[r] == len(order):
                    self.at[r] = 0
                    fresh[r, done] = True
                    if self.shuffled[r]:
                        order.reshape(-1)[: self.sizes[r]] = torch.randperm(self.sizes[r], generator=self.streams[r]).numpy()
                at = self.at[r]
                n = min(count - done, len(order) - at)
                index[r, done : done + n], mask[r, done : done + n] = order[at : at + n], full[at : at + n]
                self.at[r] += n
                done += n
        return Plan.of(torch.from_numpy(index), torch.from_numpy(mask), torch.from_numpy(fresh), device)


def steps_of_pass(sizes: Sequence[int], batch: int) -> int:
    """Steps that one pass of `Passes` over replicates of these sizes takes, for all of them together."""
    return max(-(-n // batch) for n in sizes)


class Balanced:
    """Batches with the same number of rows of every class (card B2).

    size // C rows of each class. The largest class comes in a random order without replacement, pass after pass; the others are
    drawn with replacement. An epoch has as many batches as the largest class fills, rounded up.
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

    @property
    def fewest(self) -> int:
        """Rows of every batch."""
        return self.share * len(self.members[0])

    def select(self, index: Tensor) -> None:
        """Goes on with replicates `index` [r] alone."""
        self.streams, self.members = keep(self.streams, index), keep(self.members, index)
        self.left = keep(self.left, index)

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
        return Plan.of(index, mask, torch.zeros(replicates, max(wanted), dtype=torch.bool), device)

    def _in_order(self, r: int, rows: Tensor, count: int) -> Tensor:
        parts = [self.left[r]]
        while sum(map(len, parts)) < count:
            parts.append(rows[torch.randperm(len(rows), generator=self.streams[r])])
        joined = torch.cat(parts)
        self.left[r] = joined[count:]
        return joined[:count]
