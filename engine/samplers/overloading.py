"""Mathematics of deep over-sampling: in-class neighbours, and the two losses of rows with several targets.

Ando and Huang 2017 (card A7). A row x with features f has targets v_0 ... v_k: its own stored features and those of its k
nearest rows of the same class. With weights w on the simplex, d_i = ||f - v_i||^2 and H the cross-entropy of the head g:

    l'_f = sum_i w_i d_i                        (eq. 8), least at sum_i w_i v_i, gradient 2 (f - sum_i w_i v_i)
    rho'_i = softmax_i(-w_i d_i)                (eq. 9), as printed
    l'_g = sum_i rho'_i H(g(v_i), y)            (eq. 10)

With weights of 1 they are the unweighted l_f, rho and l_g of eqs. (2) to (5).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.losses import cross_entropy
from engine.samplers.neighbours import nearest

RHO = ("literal", "w*exp(-d2)")
SELF = ("stored", "live")
LAWS = ("dirichlet", "uniform")
OVER = ("all", "neighbours")


@torch.no_grad()
def in_class(z: Tensor, y: Tensor, k: Sequence[int]) -> tuple[Tensor, Tensor]:
    """N(x): (rows [n, K + 1] int64, mask [n, K + 1]): every row itself, then its k[y] nearest rows of its class, nearest first.

    z [n, H] features, y [n] labels, k [C] neighbours by class, K the largest of them. A class of n_c rows has n_c - 1 neighbours at
    most. Of equally near rows the lower number comes first. Masked places hold the row itself.
    """
    own = torch.arange(len(y), device=z.device)
    rows = own.unsqueeze(1).repeat(1, max(k) + 1)
    mask = torch.zeros_like(rows, dtype=torch.bool)
    mask[:, 0] = True
    for c, wanted in enumerate(k):
        members = torch.nonzero(y == c).squeeze(1)
        found = min(wanted, len(members) - 1)
        if found < 1:
            continue
        near = nearest(z[members], own[: len(members)], found)
        rows[members, 1 : found + 1] = members[near]
        mask[members, 1 : found + 1] = True
    return rows, mask


def simplex(draws: Tensor, mask: Tensor, law: str = "dirichlet", over: str = "all") -> Tensor:
    """Weights w [M, K + 1] that sum to 1 over the places in mask [M, K + 1] and are 0 elsewhere.

    draws [M, K + 1]: uniform on [0, 1). law: "dirichlet" is Dirichlet(1, ..., 1), uniform on the simplex; "uniform" divides the
    draws by their sum. over: "neighbours" gives the row itself, place 0, weight 0 where it has a neighbour. The mean weight is
    1/(k + 1), or 1/k over neighbours.
    """
    if over == "neighbours":
        mask = mask.clone()
        mask[:, 0] &= ~mask[:, 1:].any(1)
    positive = -torch.log1p(-draws) if law == "dirichlet" else draws
    weights = positive.clamp(min=1e-12) * mask
    return weights / weights.sum(1, keepdim=True)


@dataclass(frozen=True)
class Overloading:
    """Choices for the two losses that the paper leaves open.

    self_f, self_g: whether the row's own target in l'_f and l'_g is its stored features or the live f(x). With live ones the
    distance is 0, and the head's loss also trains f. rho: "literal" as eq. (9), or "w*exp(-d2)", where a larger weight counts
    more. rho_grad: the gradient of l'_g also passes through rho' into f.
    """

    self_f: str = "stored"
    self_g: str = "live"
    rho: str = "literal"
    rho_grad: bool = False

    def __call__(
        self,
        head: Callable[[Tensor], Tensor],
        z: Tensor,
        y: Tensor,
        targets: Tensor,
        weights: Tensor,
        mask: Tensor,
        scale: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """(l'_f [R, B], l'_g [R, B], rho' [R, B, K + 1]).

        head: features [R, N, H] -> logits [R, N, C]. z [R, B, H]: f(x), live. y [R, B]. targets [R, B, K + 1, H]: stored features, the
        row's own first. weights, mask [R, B, K + 1], weights 0 outside the mask. scale [R, B]: squared distances are divided by it.
        """
        replicates, rows, places, width = targets.shape
        distance = (z.unsqueeze(2) - targets).square().sum(3)
        if scale is not None:
            distance = distance / scale.unsqueeze(2)
        first = torch.arange(places, device=z.device) == 0
        loss_f = (weights * self._from(self.self_f, distance, first)).sum(2)
        rho = self.shares(self._from(self.self_g, distance, first), weights, mask)
        if not self.rho_grad:
            rho = rho.detach()
        seen = targets
        if self.self_g == "live":
            seen = torch.cat([z.unsqueeze(2), targets[:, :, 1:]], 2)
        logits = head(seen.reshape(replicates, rows * places, width))
        labels = y.unsqueeze(2).expand(-1, -1, places)
        loss_g = (rho * cross_entropy(logits.view(replicates, rows, places, -1), labels)).sum(2)
        return loss_f, loss_g, rho

    def shares(self, distance: Tensor, weights: Tensor, mask: Tensor) -> Tensor:
        """rho' [..., K + 1] from squared distances and weights [..., K + 1]; 0 outside the mask."""
        exponent = -weights * distance if self.rho == "literal" else weights.log() - distance
        return torch.softmax(exponent.masked_fill(~mask, -torch.inf), -1)

    @staticmethod
    def _from(which: str, distance: Tensor, first: Tensor) -> Tensor:
        """Squared distances [R, B, K + 1], the first one 0 where the row's own target is live."""
        return distance if which == "stored" else distance.masked_fill(first, 0.0)


def spread(z: Tensor, y: Tensor, mask: Tensor, classes: int) -> Tensor:
    """Within-class variance [R, C]: mean squared distance of a class's features from their mean; NaN for a class without a row.

    z [R, N, H], y [R, N], mask [R, N]. The mean squared distance of two rows drawn with replacement is twice this.
    """
    own = torch.nn.functional.one_hot(y, classes).to(z) * mask.unsqueeze(2).to(z)  # [R, N, C]
    counts = own.sum(1)  # [R, C]
    means = own.mT @ z / counts.clamp(min=1).unsqueeze(2)
    each = (z - means.gather(1, y.unsqueeze(2).expand(-1, -1, z.shape[2]))).square().sum(2)  # [R, N]
    return (own * each.unsqueeze(2)).sum(1) / torch.where(counts > 0, counts, torch.nan)


def overloaded(counts: Tensor) -> Tensor:
    """Whether each class is a minority, bool like counts [R, C] or [C]: it has at most two thirds of the largest class's rows.

    So the largest is at least 1.5 times as large, and `copies` takes each minority row at least twice. Real data are seldom
    exactly balanced, and a class slightly below the largest is not rare.
    """
    return (counts > 0) & (copies(counts) > 1)


def copies(counts: Tensor) -> Tensor:
    """round(n_max / n_c), like counts, halves up: how often each row of a class is taken, so that classes have about equally
    many items.
    """
    most = counts.amax(-1, keepdim=True)
    return torch.where(counts > 0, (2 * most + counts) // (2 * counts.clamp(min=1)), 0)
