"""SMOTE for rows of numbers and categories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from engine.errors import BadData
from engine.samplers.lines import SMOTE_NEIGHBORS, Drawn, on_lines, pick, uniforms
from engine.samplers.neighbours import nearest


@torch.no_grad()
def smotenc(
    x: Tensor,
    y: Tensor,
    wanted: Mapping[int, int],
    rng: np.random.Generator | np.random.RandomState,
    *,
    levels: Sequence[int],
    k_neighbors: int = SMOTE_NEIGHBORS,
) -> Drawn:
    """SMOTE-NC (Chawla et al. 2002, section 6.1): numbers by SMOTE; each category is the most frequent among the base's
    neighbours.

    Arguments as in `lines.smote`. The last sum(levels) columns of x hold one column per level of each categorical column in
    turn. Each has two values, the larger one where the row has that level: 0 and 1, standardised or not. A categorical column
    that does not vary may have equal values in all its columns, and keeps them. In the distance two different levels count as
    much as the median, over the numeric columns, of the standard deviation within the class (1 where there are none). Ties
    between levels are broken uniformly. Follows imbalanced-learn's SMOTENC, which rejects classes of k_neighbors rows or fewer
    and tables without numeric columns. `Drawn.instead` lists classes of one row, which are copied. Draws 3 + len(levels)
    numbers from `rng` per new row. Raises BadData for columns that do not fit this.
    """
    numeric = x.shape[1] - sum(levels)
    low, high, x = _as_levels(x, levels)
    parts, categories, instead = [], [], {}
    for c in sorted(wanted):
        if wanted[c] <= 0:
            continue
        own = torch.nonzero(y == c).squeeze(1)
        if len(own) == 1:
            instead[c] = "copies"
        rows = x[own]
        placed = rows.to(torch.float64, copy=True)
        spread = placed[:, :numeric].std(0, correction=0).quantile(0.5) if numeric else 1.0
        placed[:, numeric:] *= spread / 2**0.5
        table = nearest(placed, torch.arange(len(own), device=own.device), k_neighbors)
        draw, ties = uniforms(rng, wanted[c], x), torch.from_numpy(rng.random((wanted[c], len(levels)))).to(x.device)
        at = pick(draw[0], len(own))
        other = table[at, pick(draw[1], table.shape[1])] if table.shape[1] else at
        parts.append((own[at], own[other], draw[2]))
        near = rows[table[at] if table.shape[1] else at.unsqueeze(1)][:, :, numeric:]
        categories.append(_frequent(near.sum(1).round(), rows[at][:, numeric:], levels, ties))
    drawn = on_lines(x, y, parts, instead)
    if not categories:
        return drawn
    return replace(drawn, x=torch.cat([drawn.x[:, :numeric], low + (high - low) * torch.cat(categories)], 1))


def _as_levels(x: Tensor, levels: Sequence[int]) -> tuple[Tensor, Tensor, Tensor]:
    """(lower and higher value of the level columns, x with 0 and 1 in them, 0 where a column does not vary). Raises BadData."""
    numeric = x.shape[1] - sum(levels)
    if numeric < 0 or any(n < 2 for n in levels):
        raise BadData(
            f"{x.shape[1]} columns cannot end with those of categories of {', '.join(map(str, levels))} levels; each has two or more, and "
            "a column for each of them."
        )
    tail = x[:, numeric:]
    low, high = tail.amin(0), tail.amax(0)
    own = (tail == high) & (high > low)
    begin = 0
    for j, count in enumerate(levels):
        group = slice(begin, begin + count)
        begin += count
        found = own[:, group].sum(1)
        whole = bool((own[:, group] | (tail[:, group] == low[group])).all())
        if not whole or not bool((found == found[0]).all()) or int(found[0]) > 1:
            raise BadData(
                f"columns {numeric + group.start} to {numeric + group.stop - 1} (from 0) should be the {count} levels of category {j + 1}, "
                "with 1 in one of them and 0 in the others in every row: encode it by a OneHotEncoder that drops nothing."
            )
    return low, high, torch.cat([x[:, :numeric], own.to(x.dtype)], 1)


def _frequent(votes: Tensor, base: Tensor, levels: Sequence[int], ties: Tensor) -> Tensor:
    """Votes [m, sum(levels)] for each level -> 0/1 columns of the level with most votes; `ties` [m, columns] breaks ties.

    base: the bases' own columns, all 0 where a categorical column is left out.
    """
    out = torch.zeros_like(base)
    begin = 0
    for j, count in enumerate(levels):
        own = slice(begin, begin + count)
        begin += count
        most = votes[:, own] == votes[:, own].amax(1, keepdim=True)
        which = pick(ties[:, j], most.sum(1)) + 1
        chosen = most & (most.cumsum(1) == which.unsqueeze(1))
        out[:, own] = chosen.to(base.dtype) * base[:, own].sum(1, keepdim=True)
    return out
