"""What samplers share that make new rows around seeds, which are old rows of the class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from engine.samplers.lines import Drawn, pick

BLOCK = 2**22
"""Numbers computed at once, or kept of paths."""

Random = np.random.Generator | np.random.RandomState


def pick_seeds(rng: Random, count: int, own: Tensor) -> Tensor:
    """Numbers of `count` rows, drawn uniformly from the rows `own` of a class."""
    return own[pick(torch.from_numpy(rng.random(count)).to(own.device), len(own))]


def join(x: Tensor, y: Tensor, parts: Sequence[tuple[Tensor, Tensor]], **how: object) -> Drawn:
    """New rows of several classes: of each class its seeds' numbers [m] and its rows [m, d]. how: further fields of Drawn."""
    base = torch.cat([*(seeds for seeds, _ in parts), y.new_zeros(0)])
    made = torch.cat([*(rows.to(x) for _, rows in parts), x[:0]])
    return Drawn(made, y[base], base, base, torch.zeros(len(base), dtype=torch.float64, device=x.device), **how)  # type: ignore[arg-type]


def distances(a: Tensor, b: Tensor) -> Tensor:
    """Euclidean distances [m, n] of a [m, d] and b [n, d], without the rounding of products."""
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")


def median_distance(x: Tensor) -> float:
    """The median over all pairs of rows; 1 where all rows are alike, or there is one alone."""
    apart = torch.pdist(x).sort().values
    middle = (apart[(len(apart) - 1) // 2] + apart[len(apart) // 2]) / 2 if len(apart) else 0.0
    return float(middle) or 1.0


def in_blocks(x: Tensor, width: int) -> tuple[Tensor, ...]:
    """x [m, ...] in parts, so that `width` numbers per row are at most BLOCK at once."""
    return torch.split(x, max(1, BLOCK // max(1, width)))
