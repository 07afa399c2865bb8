"""Losses: logits [..., C] and labels [...] in, one loss per row [...] out. The trainer averages.

A loss also gives its slope (derivative in the logits) and its curve (second derivative along a direction), which is all that a
network needs of it for a gradient or a meta-gradient. Two classes have two logits, so sigmoid forms become softmax forms of
the difference of logits: the same loss of the same probability.
"""

from __future__ import annotations

import abc
from dataclasses import dataclass

import torch
from torch import Tensor


class Loss(abc.ABC):
    """A loss per row. `slope` and `curve` are derived by autograd from `__call__`; a loss may give closed forms instead."""

    @abc.abstractmethod
    def __call__(self, logits: Tensor, y: Tensor) -> Tensor:
        """logits [..., C], y [...] int64 -> loss [...]."""

    def slope(self, logits: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """(loss [...], its derivative in the logits [..., C])."""
        with torch.enable_grad():
            leaf = logits.detach().requires_grad_()
            losses = self(leaf, y)
            (slope,) = torch.autograd.grad(losses.sum(), leaf)
        return losses.detach(), slope

    def curve(self, logits: Tensor, y: Tensor, along: Tensor) -> tuple[Tensor, Tensor]:
        """(slope [..., C], Hessian of each row's loss in its logits times `along` [..., C])."""
        with torch.enable_grad():
            leaf = logits.detach().requires_grad_()
            (slope,) = torch.autograd.grad(self(leaf, y).sum(), leaf, create_graph=True)
            (curve,) = torch.autograd.grad((slope * along).sum(), leaf)
        return slope.detach(), curve


class CrossEntropy(Loss):
    """-log p_y with p the softmax of the logits (card B1). Slope p - onehot(y), curve p * (along - <p, along>)."""

    def __call__(self, logits: Tensor, y: Tensor) -> Tensor:
        return -torch.log_softmax(logits, -1).gather(-1, y.unsqueeze(-1)).squeeze(-1)

    def slope(self, logits: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """See Loss."""
        log_p, at = torch.log_softmax(logits, -1), y.unsqueeze(-1)
        losses = -log_p.gather(-1, at).squeeze(-1)
        return losses, log_p.exp_().scatter_add_(-1, at, torch.full_like(at, -1, dtype=log_p.dtype))

    def curve(self, logits: Tensor, y: Tensor, along: Tensor) -> tuple[Tensor, Tensor]:
        """See Loss."""
        p, at = torch.log_softmax(logits, -1).exp_(), y.unsqueeze(-1)
        curve = p * (along - (p * along).sum(-1, keepdim=True))
        return p.scatter_add_(-1, at, torch.full_like(at, -1, dtype=p.dtype)), curve


cross_entropy = CrossEntropy()


@dataclass(frozen=True)
class Focal(Loss):
    """-alpha_t (1 - p_t)^gamma log p_t (Lin et al. 2018, eq. 5).

    alpha in (0, 1): weight of the minority classes, 1 - alpha of class `largest`; None leaves it out. gamma = 0 is CE.
    """

    gamma: float = 2.0
    alpha: float | None = None
    largest: int = 0

    def __call__(self, logits: Tensor, y: Tensor) -> Tensor:
        log_p = torch.log_softmax(logits, -1).gather(-1, y.unsqueeze(-1)).squeeze(-1)
        miss = (-torch.expm1(log_p)).clamp(min=1e-12)  # at 0 the power's derivative is infinite for gamma < 1
        loss = -(miss**self.gamma) * log_p
        if self.alpha is None:
            return loss
        return torch.where(y == self.largest, 1 - self.alpha, self.alpha) * loss


def weighted_sum(losses: Tensor, weights: Tensor) -> Tensor:
    """Losses [R, N] under weights [R, N] -> [R]. Weights of a replicate's rows that sum to 1 make it a mean."""
    return (losses * weights).sum(1)


def mean_weights(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """mask [R, ..., N] -> weights that make a mean over the last axis; all zero where it has none."""
    weights = mask.to(dtype)
    return weights / weights.sum(-1, keepdim=True).clamp(min=1)
