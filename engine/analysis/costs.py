"""Costs of mistaking one class for another: typed ones and what follows from them (Zhou and Liu 2006), and costs from class sizes,
separability of features and confusion (Khan et al. 2018). A matrix K has the true class first: K[i, j] is the cost of calling i j.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from engine.errors import BadInput

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


# ---- typed costs


def fill_costs(costs: Sequence[Sequence[float]], counts: Tensor, who: str) -> Tensor:
    """The typed costs for every replicate [R, C, C], float64; without them n_max / n_i for every mistake on class i.

    counts [R, C]: training rows; a class without rows counts as one of one row. Raises BadInput where the typed costs are of another number
    of classes. who: named in the error.
    """
    classes = counts.shape[1]
    if costs and len(costs) != classes:
        raise BadInput(f"{who}: the costs have {len(costs)} rows; these data have {classes} classes.")
    if costs:
        return torch.tensor(costs, dtype=torch.float64, device=counts.device).expand(len(counts), classes, classes)
    counts = counts.double().clamp(min=1)
    rare = (counts.amax(1, keepdim=True) / counts).unsqueeze(2)
    return rare * (1 - torch.eye(classes, dtype=torch.float64, device=counts.device))


def class_costs(costs: Tensor) -> Tensor:
    """The cost of each class [..., C]: the sum of its row of costs [..., C, C]."""
    return costs.sum(-1)


def size_by_costs(counts: Tensor, costs: Tensor, *, grow: bool) -> Tensor:
    """Rows of each class [C] in proportion to its cost: as many as no class then shrinks (grow), or none grows. counts, costs [C].

    The class l that stays has the least cost a row, or the most: n_i = floor(costs_i counts_l / costs_l). 0 for a class without rows.
    """
    there = counts > 0
    each = torch.where(there, costs / counts.clamp(min=1), torch.inf if grow else -torch.inf)
    stays = int(each.argmin() if grow else each.argmax())
    wanted = (costs * counts[stays] / costs[stays] + 1e-9).floor().long()
    return torch.where(there, wanted, 0)


def weigh_by_costs(counts: Tensor, costs: Tensor) -> Tensor:
    """Weights of the classes [..., C] in proportion to their costs, with mean 1 over the rows. counts, costs [..., C]."""
    counts = counts.double()
    return costs * counts.sum(-1, keepdim=True) / (costs * counts).sum(-1, keepdim=True)


def expect_costs(p: Tensor, costs: Tensor) -> Tensor:
    """Expected cost of every answer [..., C], by probabilities p [..., C] and costs [C, C] or [R, C, C] for p [R, N, C]."""
    return p @ costs
