"""The decision of LMLE over cluster centres (Huang et al. 2016)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

FARTHEST = 4.0
"""Squared distance that stands for a centre that is not there: no two unit vectors are farther apart."""


@dataclass(frozen=True)
class Centres:
    """Features [R, M, H] -> margin of each class [R, M, C], used as logits. kept: per replicate centres [L, H] float64 and their classes
    [L]. k: per replicate, centres that decide.

    The margin of a class is the distance to the nearest centre of another class less that to the farthest of its own, among the k
    nearest centres; distances are squared, of normalised features, and FARTHEST where there is no such centre. biases [R, C]: added to
    the margins; None: nothing is. Plain data, so that a network with it can be written to a file.
    """

    kept: tuple[tuple[Tensor, Tensor], ...]
    k: tuple[int, ...]
    classes: int
    biases: Tensor | None = None

    def __call__(self, z: Tensor) -> Tensor:
        """Margins [R, M, C] of features z [R, M, H]."""
        out = []
        for (centres, labels), k, rows in zip(self.kept, self.k, z, strict=True):
            unit = torch.nn.functional.normalize(rows.double(), dim=1)
            square = unit.square().sum(1, keepdim=True) + centres.square().sum(1) - 2 * unit @ centres.T
            near, at = square.clamp(min=0).topk(min(k, len(centres)), largest=False)
            own = torch.nn.functional.one_hot(labels[at], self.classes).bool()  # [M, k, C]
            apart = near.unsqueeze(2)
            other = torch.where(own, torch.inf, apart).amin(1)
            inside = torch.where(own, apart, -torch.inf).amax(1)
            other, inside = (torch.where(part.isfinite(), part, FARTHEST) for part in (other, inside))
            out.append(other - inside)
        margins = torch.stack(out)
        return (margins if self.biases is None else margins + self.biases.to(margins).unsqueeze(1)).to(z.dtype)
