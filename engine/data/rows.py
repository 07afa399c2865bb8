"""Padded parts of R replicates: joining them, taking some of their rows, taking test rows away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar

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


def draw(rows: Rows, numbers: Sequence[Tensor]) -> Rows:
    """The rows with these numbers, of each replicate [n_r], padded anew. A number may come more than once."""
    width = max(1, *map(len, numbers))
    order = torch.zeros(len(numbers), width, dtype=torch.int64)
    mask = torch.zeros(len(numbers), width, dtype=torch.bool)
    for r, own in enumerate(numbers):
        order[r, : len(own)], mask[r, : len(own)] = own, True
    order, mask = order.to(rows.y.device), mask.to(rows.y.device)
    x = rows.x.gather(1, order.unsqueeze(2).expand(-1, -1, rows.x.shape[2]))
    weight = None if rows.weight is None else rows.weight.gather(1, order) * mask
    return Rows(x * mask.unsqueeze(2), rows.y.gather(1, order) * mask, mask, weight=weight)


def select(rows: Part, index: Tensor) -> Part:
    """The rows of the replicates `index` [R'], padded as before. Copies of one replicate alone share its memory."""

    def pick(tensor: Tensor) -> Tensor:
        if len(tensor) == 1 or not tensor.stride(0):  # every replicate is the same one
            return tensor[:1].expand(len(index), *tensor.shape[1:])
        return tensor[index.to(tensor.device)]

    return replace(rows, **{f.name: pick(value) for f in fields(rows) if (value := getattr(rows, f.name)) is not None})


def select_task(task: Task, index: Tensor) -> Task:
    """The task of the replicates `index` [R'] alone, in that order; one may come more than once."""
    names = ("train", "valid", "test", "withheld", "withheld_elsewhere")
    changed: dict[str, Any] = {name: select(getattr(task, name), index) for name in names}
    for name in ("replicates", "source", "valid_source", "test_source", "units", "faint", "greys"):
        own = getattr(task, name)
        changed[name] = tuple(own[r] for r in index.tolist()) if own else own
    for name in ("chosen", "settings"):
        changed[name] = {key: value[index.to(value.device)] for key, value in getattr(task, name).items()}
    changed["sample"] = None if task.sample is None else select(task.sample, index)
    return replace(task, **changed)


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
