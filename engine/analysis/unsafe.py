"""Unsafe synthetic rows: rows made for a class that lie nearer to hidden rows of the majority than to any row of their own class.

Tarawneh et al. 2022 (IEEE Access 10): a random part of the majority is hidden from the method that makes the rows. A synthetic row
beside a hidden majority row stands where the majority lives.
"""

from __future__ import annotations

import torch
from torch import Tensor

BLOCK = 2**22
"""Distances computed at once."""


@torch.no_grad()
def find_unsafe(x: Tensor, y: Tensor, real: Tensor, real_y: Tensor, hidden: Tensor) -> Tensor:
    """Which synthetic rows are unsafe, [n] bool. x [n, D], y [n]: synthetic rows and their classes. real [m, D], real_y [m]: training
    rows. hidden [h, D]: rows of the majority that nothing was trained on.

    A row as near to both is safe. Rows of a class without training rows, and rows that are not finite, are safe: nothing is known.
    """
    out = torch.zeros(len(x), dtype=torch.bool, device=x.device)
    if not len(hidden):
        return out
    finite = torch.isfinite(x).all(1)
    for c in sorted(set(y.tolist())):
        own = real[real_y == c]
        at = torch.nonzero((y == c) & finite).squeeze(1)
        if len(own) and len(at):
            out[at] = _nearest_squares(x[at], hidden) < _nearest_squares(x[at], own)
    return out


def _nearest_squares(x: Tensor, others: Tensor) -> Tensor:
    """Squared distance of each row to the nearest of `others`, [n] float64.

    Products choose the nearest row and its distance is then summed in double precision, so a copy of a row has distance 0.
    """
    out = torch.empty(len(x), dtype=torch.float64, device=x.device)
    centre = others.double().mean(0)
    placed = others.double() - centre
    size = placed.square().sum(1)
    height = max(1, BLOCK // len(others))
    for begin in range(0, len(x), height):
        own = x[begin : begin + height].double() - centre
        at = torch.addmm(size, own, placed.T, alpha=-2).argmin(1)
        out[begin : begin + height] = (own - placed[at]).square().sum(1)
    return out
