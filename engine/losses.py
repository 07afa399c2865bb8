"""Losses: logits [..., C] and labels [...] -> one loss per row [...]. The training step averages them.

A loss also has its slope (derivative in the logits) and its curve (second derivative along a direction). A network needs
nothing more of it for a gradient or a meta-gradient. Two classes have two logits, so sigmoid forms become softmax forms of the
difference of logits: the same loss of the same probability. A number of a loss, such as focal's gamma, is one for all, or a tensor
[R, 1] with one for each replicate of logits [R, N, C].
"""

from __future__ import annotations

import abc
import copy
import math
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor


class Loss(abc.ABC):
    """A loss per row. Autograd derives `slope` and `curve` from `__call__`; subclasses may override them with closed forms."""

    @abc.abstractmethod
    def __call__(self, logits: Tensor, y: Tensor) -> Tensor:
        """logits [..., C], y [...] int64 -> loss [...]."""

    def begin(self, epoch: int, epochs: int) -> None:  # noqa: B027
        """Called at the start of epoch `epoch` of `epochs`, from 1, for losses that change with time."""

    def stage(self) -> Hashable:
        """What of its formula has changed with time, as far as Python chooses it; to be overridden together with `begin`."""
        return None

    def values(self) -> dict[str, Tensor]:
        """Further values of the epoch that ended, for its event: name -> [R]."""
        return {}

    def row_weights(self, y: Tensor) -> Tensor | None:
        """y [R, N] -> row weights [R, N] of a step's average (torch's weighted mean); None: equal weights."""
        return None

    def select(self, index: Tensor) -> Self:
        """The loss of the replicates `index` [R'] of a stack. Every tensor with two or more axes has one entry for each replicate."""
        changed = {
            name: value.select(index) if isinstance(value, Loss) else value[index.to(value.device)]
            for name, value in vars(self).items()
            if isinstance(value, Loss) or (isinstance(value, Tensor) and value.dim() > 1)
        }
        chosen = copy.copy(self) if changed else self
        vars(chosen).update(changed)
        return chosen

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

    alpha in (0, 1): weight of the minority classes, 1 - alpha that of class `largest`; 0 or None: no weights. gamma = 0 is
    cross-entropy.
    """

    gamma: float | Tensor = 2.0
    alpha: float | Tensor | None = None
    largest: int = 0

    def __call__(self, logits: Tensor, y: Tensor) -> Tensor:
        log_p = torch.log_softmax(logits, -1).gather(-1, y.unsqueeze(-1)).squeeze(-1)
        miss = (-torch.expm1(log_p)).clamp(min=1e-12)  # at 0 the derivative of the power is infinite for gamma < 1
        loss = -(miss ** broadcast(self.gamma, miss)) * log_p
        if self.alpha is None or (not isinstance(self.alpha, Tensor) and not self.alpha):
            return loss
        alpha = broadcast(self.alpha, loss)
        if isinstance(alpha, Tensor):
            return torch.where(alpha > 0, torch.where(y == self.largest, 1 - alpha, alpha), 1.0) * loss
        # whole tensors: two numbers would be rounded to float32
        return torch.where(y == self.largest, torch.full_like(loss, 1 - alpha), torch.full_like(loss, alpha)) * loss


@dataclass(frozen=True)
class ASL(Loss):
    """Asymmetric loss of one label per row (Ben-Baruch et al. 2021, their single-label code; card B6).

    -sum_j q_j w_j log p_j with q = (1 - smoothing) onehot(y) + smoothing / C, w_y = (1 - p_y)^gamma_positive and w_j =
    p_j^gamma_negative elsewhere. The other classes enter by log p_j, not log(1 - p_j). Without smoothing and with
    gamma_positive 0 it is cross-entropy, so at the defaults its whole effect is label smoothing.
    """

    gamma_positive: float | Tensor = 0.0
    gamma_negative: float | Tensor = 4.0
    smoothing: float | Tensor = 0.1

    def __call__(self, logits: Tensor, y: Tensor) -> Tensor:
        log_p = torch.log_softmax(logits, -1)
        own = torch.nn.functional.one_hot(y, logits.shape[-1]).bool()
        miss = (-torch.expm1(log_p)).clamp(min=1e-12)  # as in Focal
        positive, negative = broadcast(self.gamma_positive, miss), broadcast(self.gamma_negative, log_p)
        weight = torch.where(own, miss**positive, (negative * log_p).exp())
        smoothing = broadcast(self.smoothing, log_p)
        target = (1 - smoothing) * own.to(log_p.dtype) + smoothing / logits.shape[-1]
        return -(target * weight * log_p).sum(-1)


@dataclass(frozen=True)
class BinaryASL(Loss):
    """Asymmetric loss as in its paper, for two classes (Ben-Baruch et al. 2021, eqs. 4-7).

    With p the probability of the class that is not `largest`: -(1 - p)^gamma_positive log p for its rows, and
    -p_m^gamma_negative log(1 - p_m), p_m = max(p - margin, 0), for the others. So easy majority rows have loss 0. Raises
    ValueError for other than two classes.
    """

    gamma_positive: float | Tensor = 0.0
    gamma_negative: float | Tensor = 4.0
    margin: float | Tensor = 0.05
    largest: int = 0

    def __call__(self, logits: Tensor, y: Tensor) -> Tensor:
        if logits.shape[-1] != 2:
            raise ValueError(f"BinaryASL needs two logits; got {logits.shape[-1]}")
        log_p = torch.log_softmax(logits, -1)[..., 1 - self.largest]
        miss = (-torch.expm1(log_p)).clamp(min=1e-12)
        margin = broadcast(self.margin, log_p)
        shifted = (log_p.exp() - margin).clamp(min=0)
        missed = shifted.clamp(min=1e-12) ** broadcast(self.gamma_negative, shifted)
        # without a margin log(1 - p), not log1p(-shifted): it is exact also for p near 1
        if isinstance(margin, Tensor):
            zero = margin == 0
            tail = torch.where(
                zero, torch.log_softmax(logits, -1)[..., self.largest], torch.log1p(-shifted.masked_fill(zero, 0))
            )
        else:
            tail = torch.log1p(-shifted) if margin else torch.log_softmax(logits, -1)[..., self.largest]
        return -torch.where(y == self.largest, missed * tail, miss ** broadcast(self.gamma_positive, miss) * log_p)


class LDAM(Loss):
    """Label-distribution-aware margins with deferred re-weighting (Cao et al. 2019, eqs. 12 and 13; card B7).

    Cross-entropy of scale * (logits - margin of the true class on its logit), margin_j = max_margin (n_min / n_j)^(1/4). The
    logits should be cosines (a network with `cosine`). deferred: from epoch floor(0.8 epochs) on, counted from 0 (160 of 200),
    rows are weighted by `class_balanced_weights` of their class with `beta`; `begin` sets the epoch.

    counts [R, C] or [C]: training rows of each class. n_min is the smallest count above 0. A class without a row has the
    largest margin and weight 0; the other weights are scaled to sum to the number of their classes. Raises ValueError where a
    replicate has no row, or for a scale or margin below 0.
    """

    def __init__(
        self,
        counts: Tensor,
        *,
        max_margin: float | Tensor = 0.5,
        scale: float | Tensor = 30.0,
        deferred: bool = True,
        beta: float = 0.9999,
    ) -> None:
        there = counts > 0
        if not (_is_within(max_margin, 0) and _is_within(scale, 0)) or not bool(there.any(-1).all()):
            raise ValueError("LDAM needs a row in every replicate, max_margin >= 0 and scale >= 0")
        self.scale, self.deferred, self.weighing = scale, deferred, False
        self.max_margin, self.beta = max_margin, beta
        least = torch.where(there, counts, counts.amax(-1, keepdim=True)).amin(-1, keepdim=True)
        share = least.double() / counts.double().clamp(min=1)
        self.margins = torch.where(there, max_margin * share**0.25, max_margin)
        weights = class_balanced_weights(counts.clamp(min=1), beta) * there
        self.weights = weights * there.sum(-1, keepdim=True) / weights.sum(-1, keepdim=True)

    def __call__(self, logits: Tensor, y: Tensor) -> Tensor:
        return cross_entropy(self._shifted(logits, y), y)

    def slope(self, logits: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """See Loss."""
        losses, slope = cross_entropy.slope(self._shifted(logits, y), y)
        return losses, broadcast(self.scale, slope) * slope

    def curve(self, logits: Tensor, y: Tensor, along: Tensor) -> tuple[Tensor, Tensor]:
        """See Loss."""
        slope, curve = cross_entropy.curve(self._shifted(logits, y), y, along)
        scale = broadcast(self.scale, slope)
        return scale * slope, scale**2 * curve

    def begin(self, epoch: int, epochs: int) -> None:
        """See Loss."""
        self.weighing = self.deferred and epoch - 1 >= 4 * epochs // 5

    def stage(self) -> Hashable:
        """See Loss."""
        return self.weighing

    def row_weights(self, y: Tensor) -> Tensor | None:
        """See Loss. None before re-weighting begins."""
        return self._of(self.weights, y) if self.weighing else None

    def _shifted(self, logits: Tensor, y: Tensor) -> Tensor:
        own = torch.nn.functional.one_hot(y, logits.shape[-1]).to(logits.dtype)
        return broadcast(self.scale, logits) * (logits - own * self._of(self.margins, y).to(logits.dtype).unsqueeze(-1))

    def _of(self, table: Tensor, y: Tensor) -> Tensor:
        """Entry of table [R, C] or [C] for every label y ([R, N] or [...])."""
        return table[y] if table.dim() == 1 else table.gather(1, y)


class ClassWeighted(Loss):
    """Cross-entropy averaged with class weights (n / (C n_c))^power: scikit-learn's "balanced" for power 1, unweighted for
    power 0.

    A step divides by the sum of its rows' weights, as torch's CrossEntropyLoss(weight=...) does. counts [R, C]: training rows
    of each class; classes without rows get a weight that no row uses. Raises ValueError for a negative power.
    """

    def __init__(self, counts: Tensor, power: float | Tensor = 1.0) -> None:
        if not _is_within(power, 0):
            raise ValueError(f"power must be at least 0; got {power}")
        self.power = power
        self.weights = (counts.double().mean(-1, keepdim=True) / counts.double().clamp(min=1)) ** power

    def __call__(self, logits: Tensor, y: Tensor) -> Tensor:
        return cross_entropy(logits, y)

    def row_weights(self, y: Tensor) -> Tensor:
        """See Loss."""
        return self.weights.gather(1, y)

    def slope(self, logits: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """See Loss."""
        return cross_entropy.slope(logits, y)

    def curve(self, logits: Tensor, y: Tensor, along: Tensor) -> tuple[Tensor, Tensor]:
        """See Loss."""
        return cross_entropy.curve(logits, y, along)


class CostWeighted(ClassWeighted):
    """Cross-entropy averaged with given class weights [R, C]; a step divides by the sum of its rows' weights."""

    def __init__(self, weights: Tensor) -> None:
        self.weights = weights


class ClassBalanced(Loss):
    """A loss averaged with `class_balanced_weights` (Cui et al. 2019, eq. 10; card C3).

    A step divides by the sum of its rows' weights, as torch's weighted mean does, so the scale of the weights has no effect.
    counts [R, C]: training rows of each class; classes without rows get a weight that no row uses. loss: the loss of a row;
    cross-entropy or focal. Raises ValueError for beta outside [0, 1).
    """

    def __init__(self, counts: Tensor, beta: float | Tensor = 0.9999, loss: Loss | None = None) -> None:
        self.beta, self.loss = beta, cross_entropy if loss is None else loss
        self.weights = class_balanced_weights(counts.clamp(min=1), beta)

    def __call__(self, logits: Tensor, y: Tensor) -> Tensor:
        return self.loss(logits, y)

    def row_weights(self, y: Tensor) -> Tensor | None:
        """See Loss."""
        return self.weights.gather(1, y)

    def slope(self, logits: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """See Loss."""
        return self.loss.slope(logits, y)

    def curve(self, logits: Tensor, y: Tensor, along: Tensor) -> tuple[Tensor, Tensor]:
        """See Loss."""
        return self.loss.curve(logits, y, along)


class Deferred(ClassBalanced):
    """`ClassBalanced` from 80% of the epochs on, and without weights before; `begin` sets the epoch. The start is LDAM's."""

    weighing = False

    def begin(self, epoch: int, epochs: int) -> None:
        """See Loss."""
        self.weighing = epoch - 1 >= 4 * epochs // 5

    def stage(self) -> Hashable:
        """See Loss."""
        return self.weighing

    def row_weights(self, y: Tensor) -> Tensor | None:
        """See Loss. None before weights begin."""
        return super().row_weights(y) if self.weighing else None


@dataclass(frozen=True)
class Mixed(Loss):
    """share * loss of the row's label + (1 - share) * loss of `second` [...], a second label: cross-entropy with soft labels.

    share: in [0, 1], of a shape that broadcasts to that of the labels. Where the loss weighs rows by their label, each of the two labels
    counts by its own weight, and `row_weights` is their sum. Time goes on to the loss, so that it may change.
    """

    second: Tensor
    share: Tensor
    loss: Loss = cross_entropy

    def begin(self, epoch: int, epochs: int) -> None:
        """See Loss."""
        self.loss.begin(epoch, epochs)

    def stage(self) -> Hashable:
        """See Loss."""
        return self.loss.stage()

    def row_weights(self, y: Tensor) -> Tensor | None:
        """See Loss: share * weight of the first label + (1 - share) * weight of the second."""
        first, second = self.loss.row_weights(y), self.loss.row_weights(self.second)
        return None if first is None or second is None else self.share * first + (1 - self.share) * second

    def __call__(self, logits: Tensor, y: Tensor) -> Tensor:
        share = self._share(y)
        return share * self.loss(logits, y) + (1 - share) * self.loss(logits, self.second)

    def slope(self, logits: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """See Loss."""
        (losses, slope), (losses2, slope2) = self.loss.slope(logits, y), self.loss.slope(logits, self.second)
        share = self._share(y)
        wide = share.unsqueeze(-1)
        return share * losses + (1 - share) * losses2, wide * slope + (1 - wide) * slope2

    def curve(self, logits: Tensor, y: Tensor, along: Tensor) -> tuple[Tensor, Tensor]:
        """See Loss."""
        (slope, curve), (slope2, curve2) = self.loss.curve(logits, y, along), self.loss.curve(logits, self.second, along)
        wide = self._share(y).unsqueeze(-1)
        return wide * slope + (1 - wide) * slope2, wide * curve + (1 - wide) * curve2

    def _share(self, y: Tensor) -> Tensor:
        """The first label's share of the row's weight."""
        first, every = self.loss.row_weights(y), self.row_weights(y)
        if first is None or every is None:
            return self.share
        return (self.share * first / every.clamp(min=1e-30)).to(self.share.dtype)


class LogitAdjusted(Loss):
    """Cross-entropy of logits + tau log pi, with pi the class shares of the training rows (Menon et al. 2021, eq. 10).

    With tau 1 it is balanced softmax (Ren et al. 2020): log n_c and log pi_c differ by one number a row, which no softmax sees.
    counts [R, C] or [C]: training rows of each class; a class without rows counts as one of one row. Raises ValueError for a negative tau.
    """

    def __init__(self, counts: Tensor, tau: float | Tensor = 1.0) -> None:
        if not _is_within(tau, 0):
            raise ValueError(f"tau must be at least 0; got {tau}")
        self.tau = tau
        self.shift = tau * log_priors(counts)

    def __call__(self, logits: Tensor, y: Tensor) -> Tensor:
        return cross_entropy(logits + _per_class(self.shift, logits), y)

    def slope(self, logits: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """See Loss."""
        return cross_entropy.slope(logits + _per_class(self.shift, logits), y)

    def curve(self, logits: Tensor, y: Tensor, along: Tensor) -> tuple[Tensor, Tensor]:
        """See Loss."""
        return cross_entropy.curve(logits + _per_class(self.shift, logits), y, along)


class CDT(Loss):
    """Cross-entropy of logits divided by their class's temperature (n_max / n_c)^gamma, the higher the rarer the class (Ye et al. 2020).

    counts [R, C] or [C]: training rows of each class; a class without rows counts as one of one row. deferred: temperatures are 1 before
    80% of the epochs; `begin` sets the epoch. Raises ValueError for a negative gamma.
    """

    def __init__(self, counts: Tensor, gamma: float | Tensor = 0.2, *, deferred: bool = False) -> None:
        if not _is_within(gamma, 0):
            raise ValueError(f"gamma must be at least 0; got {gamma}")
        self.gamma, self.deferred, self.waiting = gamma, deferred, deferred
        share = counts.double().clamp(min=1)
        self.temperatures = (share.amax(-1, keepdim=True) / share) ** gamma

    def __call__(self, logits: Tensor, y: Tensor) -> Tensor:
        return cross_entropy(logits / self._of(logits), y)

    def slope(self, logits: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """See Loss."""
        by = self._of(logits)
        losses, slope = cross_entropy.slope(logits / by, y)
        return losses, slope / by

    def curve(self, logits: Tensor, y: Tensor, along: Tensor) -> tuple[Tensor, Tensor]:
        """See Loss."""
        by = self._of(logits)
        slope, curve = cross_entropy.curve(logits / by, y, along / by)
        return slope / by, curve / by

    def begin(self, epoch: int, epochs: int) -> None:
        """See Loss."""
        self.waiting = self.deferred and epoch - 1 < 4 * epochs // 5

    def stage(self) -> Hashable:
        """See Loss."""
        return self.waiting

    def _of(self, logits: Tensor) -> Tensor:
        own = _per_class(self.temperatures, logits)
        return torch.ones_like(own) if self.waiting else own


def log_priors(counts: Tensor) -> Tensor:
    """Log of the class shares [..., C], float64, of counts [..., C]; a class without rows counts as one of one row."""
    counts = counts.double().clamp(min=1)
    return (counts / counts.sum(-1, keepdim=True)).log()


def _per_class(table: Tensor, logits: Tensor) -> Tensor:
    """A number of every class, [C] or [R, C], in the type of logits [..., C] or [R, ..., C] and so that it broadcasts to them."""
    table = table.to(logits)
    return table if table.dim() == 1 else table.view(len(table), *[1] * (logits.dim() - 2), -1)


def class_balanced_weights(counts: Tensor, beta: float | Tensor = 0.9999) -> Tensor:
    """Weight of every class by its effective number of rows (Cui et al. 2019): (1 - beta) / (1 - beta^n), scaled to sum to C.

    counts [..., C], each at least 1. beta in [0, 1), one or [R, 1]: 0 gives equal weights, near 1 weights by 1 / n. LDAM's deferred weights
    use 0.9999.
    """
    if not _is_within(beta, 0, 1) or bool((counts < 1).any()):
        raise ValueError("class_balanced_weights needs beta in [0, 1) and a row of every class")
    weights = 1 / (1 - beta ** counts.double())
    return weights * counts.shape[-1] / weights.sum(-1, keepdim=True)


def broadcast(number: float | Tensor, x: Tensor) -> float | Tensor:
    """One number as it is, or one for each replicate [R, 1] in the type of x [R, ...] and with as many axes."""
    return number.to(x).view(-1, *[1] * (x.dim() - 1)) if isinstance(number, Tensor) else number


def _is_within(number: float | Tensor, low: float, high: float = math.inf) -> bool:
    """Whether a number, or all of [R, 1], are in [low, high)."""
    return bool(((number >= low) & (number < high)).all()) if isinstance(number, Tensor) else low <= number < high


def weighted_sum(losses: Tensor, weights: Tensor) -> Tensor:
    """Losses [R, N] with weights [R, N] -> their weighted sum [R]: a mean where a replicate's weights sum to 1."""
    return (losses * weights).sum(1)


def mean_weights(mask: Tensor, dtype: torch.dtype, *by: Tensor | None) -> Tensor:
    """mask [R, ..., N] -> weights of a mean over the last axis; all 0 where the mask is empty.

    by: weights of the rows, each of the mask's shape; the mean is weighted by their product. None counts all rows the same.
    """
    weights = mask.to(dtype)
    weights = weights / weights.sum(-1, keepdim=True).clamp(min=1)
    given = [one for one in by if one is not None]
    if not given:
        return weights
    for one in given:
        weights = weights * one.to(weights)
    return weights / weights.sum(-1, keepdim=True).clamp(min=1e-30)


class Complement(Loss):
    """Cross-entropy of the softmax of -z on the complement of the class, an equal share for each other class (CMTNN's falsity network).

    The logits z are those of the falsity network turned over: the highest is that of the class which it holds for least false. Slope
    t - q, with q the softmax of -z and t the complement.
    """

    def __call__(self, logits: Tensor, y: Tensor) -> Tensor:
        log_q = torch.log_softmax(-logits, -1)
        own = log_q.gather(-1, y.unsqueeze(-1)).squeeze(-1)
        return (own - log_q.sum(-1)) / (logits.shape[-1] - 1)

    def slope(self, logits: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """See Loss."""
        log_q, at = torch.log_softmax(-logits, -1), y.unsqueeze(-1)
        share = 1 / (logits.shape[-1] - 1)
        losses = share * (log_q.gather(-1, at).squeeze(-1) - log_q.sum(-1))
        return losses, log_q.exp_().neg_().add_(share).scatter_add_(-1, at, torch.full_like(at, -share, dtype=log_q.dtype))
