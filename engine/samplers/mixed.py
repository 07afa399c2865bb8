"""SMOTE for rows of numbers and categories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

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
    """SMOTE-NC (Chawla et al. 2002, section 6.1): numbers as by SMOTE, every category the most frequent among the base's neighbours.

    Arguments as in `lines.smote`. The last sum(levels) columns of x are 0 and 1, one for each level of each categorical column in
    turn; a column that does not vary may be 0 throughout, and stays so. In the distance two different levels count as much as the
    median, over the numeric columns, of the standard deviation within the class (1 where there are none). Of equally
    frequent levels each is as likely. As imbalanced-learn's SMOTENC, which refuses classes of k_neighbors rows or fewer and tables
    without numeric columns; `Drawn.instead` says where a class of one row was copied. Four numbers or more from `rng` per new row.
    Raises ValueError where the columns cannot be so many.
    """
    numeric = x.shape[1] - sum(levels)
    if numeric < 0 or any(n < 1 for n in levels):
        raise ValueError(f"{x.shape[1]} columns cannot end with the 0/1 columns of {tuple(levels)} levels")
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
    return replace(drawn, x=torch.cat([drawn.x[:, :numeric], torch.cat(categories)], 1))


def _frequent(votes: Tensor, base: Tensor, levels: Sequence[int], ties: Tensor) -> Tensor:
    """Votes [m, sum(levels)] for each level -> 0/1 columns of the level with most, of several the one that ties [m, columns] says.

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
