"""Costs of mistaking one class for another, from class sizes, separability of features and confusion (Khan et al. 2018)."""

from __future__ import annotations

import torch
from torch import Tensor

MOST_RATIO = 2.0
"""Largest ratio of two distances: also where a row of another class has the same features."""


def size_costs(counts: Tensor) -> Tensor:
    """Costs [..., C, C] by class size: the larger one of the two classes' shares. counts [..., C]; 0 rows count as one."""
    counts = counts.double().clamp(min=1)
    shares = counts / counts.sum(-1, keepdim=True)
    return torch.maximum(shares.unsqueeze(-1), shares.unsqueeze(-2))


def measure_separability(x: Tensor, y: Tensor, classes: int) -> Tensor:
    """How near a class's own rows lie beside those of another one [C, C]: of each row of class p, the distance to its nearest other row
    of p over the distance to the nearest row of q, mean over the rows. 1 on the diagonal, for a class without rows, and for a class p of
    one row.

    x [n, d] features, y [n] int64 in [0, classes).
    """
    far = torch.cdist(x, x).fill_diagonal_(torch.inf)
    near = torch.full((len(x), classes), torch.nan, dtype=x.dtype)
    for q in range(classes):
        if bool((y == q).any()):
            near[:, q] = far[:, y == q].amin(1)
    own = near.gather(1, y.unsqueeze(1))
    ratio = torch.nan_to_num(own / near, nan=MOST_RATIO).clamp(max=MOST_RATIO)
    out = torch.ones(classes, classes, dtype=x.dtype)
    for p in range(classes):
        if int((y == p).sum()) > 1:
            out[p] = ratio[y == p].mean(0)
    there = torch.bincount(y, minlength=classes) > 0
    out = torch.where(there.unsqueeze(0), out, 1.0)
    return out.fill_diagonal_(1.0)


def measure_confusion(y: Tensor, predicted: Tensor, classes: int) -> Tensor:
    """Shares of the rows of class p that are called q [C, C], float64; 0 for a class without rows. y, predicted [n] int64."""
    counts = torch.bincount(y * classes + predicted, minlength=classes * classes).view(classes, classes).double()
    return counts / counts.sum(1, keepdim=True).clamp(min=1)


def target_costs(sizes: Tensor, separability: Tensor, confusion: Tensor, mean: float, spread: float) -> Tensor:
    """The costs that are aimed at [C, C]: those by size, times a Gaussian of separability and one of confusion."""
    bells = ((part - mean) ** 2 / (2 * spread**2) for part in (separability, confusion))
    return sizes * torch.exp(-sum(bells, torch.zeros_like(sizes)))
