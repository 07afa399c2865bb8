"""Padded parts of R replicates: joining them, taking some of their rows, taking test rows away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import TypeVar

import torch
from torch import Tensor

from engine.data.dataset import Rows, Task

Part = TypeVar("Part", bound=Rows)


def take(rows: Rows, keep: Tensor) -> Rows:
    """The rows where keep [R, N] is True, in their order, padded anew."""
    keep = keep & rows.mask
    width = max(1, int(keep.sum(1).max()))
    order = torch.argsort(~keep, dim=1, stable=True)[:, :width]
    mask = keep.gather(1, order)
    x = rows.x.gather(1, order.unsqueeze(2).expand(-1, -1, rows.x.shape[2]))
    weight = None if rows.weight is None else rows.weight.gather(1, order) * mask
    return Rows(x * mask.unsqueeze(2), rows.y.gather(1, order) * mask, mask, weight=weight)


def select(rows: Part, index: Tensor) -> Part:
    """The rows of replicates `index` [r], in that order, as wide as before."""
    parts = {f.name: getattr(rows, f.name) for f in fields(rows)}
    return replace(rows, **{name: part.index_select(0, index) for name, part in parts.items() if part is not None})


def append(first: Rows, second: Rows) -> Rows:
    """Each replicate's rows of `first`, then of `second`.

    Where the first ones have weights and the second ones have none, as rows that a sampler made, each of the second counts as much
    as the rows of its class do on average.
    """
    weight = None
    if first.weight is not None:
        beside = second.weight
        if beside is None:
            classes = 1 + max(int(first.y.max()), int(second.y.max()))
            by_class = first.class_weights(classes)
            assert by_class is not None
            beside = by_class.gather(1, second.y) * second.mask
        weight = torch.cat([first.weight, beside.to(first.weight)], 1)
    joined = Rows(
        torch.cat([first.x, second.x], 1),
        torch.cat([first.y, second.y], 1),
        torch.cat([first.mask, second.mask], 1),
        weight=weight,
    )
    return take(joined, joined.mask)


def pad(parts: Sequence[tuple[Tensor, Tensor]]) -> Rows:
    """One (x [n, D], y [n]) per replicate, of different lengths, as Rows."""
    width = max(1, *(len(y) for _, y in parts))
    x = parts[0][0].new_zeros(len(parts), width, parts[0][0].shape[1])
    y = parts[0][1].new_zeros(len(parts), width)
    mask = torch.zeros(len(parts), width, dtype=torch.bool, device=x.device)
    for r, (xs, ys) in enumerate(parts):
        x[r, : len(ys)], y[r, : len(ys)], mask[r, : len(ys)] = xs, ys, True
    return Rows(x, y, mask)


def remove_test_rows(task: Task) -> Task:
    """A task without its test rows, and without those that were withheld."""
    test, withheld, elsewhere = (_mask_all(rows) for rows in (task.test, task.withheld, task.withheld_elsewhere))
    sources = tuple(source[:0] for source in task.test_source)
    return replace(task, test=test, withheld=withheld, withheld_elsewhere=elsewhere, test_source=sources)


def _mask_all(rows: Rows) -> Rows:
    return replace(rows, x=torch.zeros_like(rows.x), y=torch.zeros_like(rows.y), mask=torch.zeros_like(rows.mask))
