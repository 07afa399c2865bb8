"""Distances that synthetic points moved."""

from __future__ import annotations

import torch


def move_lengths(start: torch.Tensor, end: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
    """Euclidean distance of each point from its start: [R, n], NaN where `mask` is False.

    start, end [R, n, D] in a task's feature space, where one unit is one sd of a numeric column in training. One-hot columns and
    components are not scaled to that: one unit of theirs is not one sd. mask [R, n] bool, False on padding.
    """
    length = (end - start).norm(dim=2)
    return length if mask is None else torch.where(mask, length, torch.nan)


def summarise_moves(lengths: torch.Tensor) -> dict[str, float | list[float]]:
    """`engine.spec.result.Result.moves` from lengths [R, n] of `move_lengths`.

    median, largest: over the points of all replicates. values: each replicate's median (of an even number, the mean of the
    middle two). NaN where there are no points.
    """
    lengths = lengths.detach().double().cpu()
    kept = lengths[~lengths.isnan()]
    values = [_median(row[~row.isnan()]) for row in lengths]
    return {"median": _median(kept), "largest": float(kept.max()) if len(kept) else float("nan"), "values": values}


def _median(values: torch.Tensor) -> float:
    return float(values.sort().values[[(len(values) - 1) // 2, len(values) // 2]].mean()) if len(values) else float("nan")
