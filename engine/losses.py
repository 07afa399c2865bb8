"""Losses as pure functions: logits [..., C] and labels [...] in, one loss per row [...] out. The trainer averages.

Two classes have two logits, so sigmoid forms become softmax forms of the difference of logits: the same loss of the same
probability.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

Loss = Callable[[Tensor, Tensor], Tensor]


def cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """-log p_y with p the softmax of the logits (card B1)."""
    return functional.cross_entropy(logits.flatten(0, -2), y.flatten(), reduction="none").view(y.shape)


def focal(logits: Tensor, y: Tensor, gamma: float = 2.0, alpha: float | None = None, largest: int = 0) -> Tensor:
    """-alpha_t (1 - p_t)^gamma log p_t (Lin et al. 2018, eq. 5).

    alpha in (0, 1): weight of the minority classes, 1 - alpha of class `largest`; None leaves it out. gamma = 0 is CE.
    """
    log_p = functional.log_softmax(logits, -1).gather(-1, y.unsqueeze(-1)).squeeze(-1)
    miss = (-torch.expm1(log_p)).clamp(min=1e-12)  # at 0 the power's derivative is infinite for gamma < 1
    loss = -(miss**gamma) * log_p
    if alpha is None:
        return loss
    return torch.where(y == largest, 1 - alpha, alpha) * loss


def weighted_sum(losses: Tensor, weights: Tensor) -> Tensor:
    """Losses [R, N] under weights [R, N] -> [R]. Weights of a replicate's rows that sum to 1 make it a mean."""
    return (losses * weights).sum(1)


def mean_weights(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """mask [R, N] -> weights [R, N] that make a mean over each replicate's rows; all zero where it has none."""
    weights = mask.to(dtype)
    return weights / weights.sum(1, keepdim=True).clamp(min=1)
