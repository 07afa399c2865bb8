"""The triplet loss on a batch: one positive per row, drawn, and the semi-hard negative (Schroff et al. 2015)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from engine.losses import broadcast
from engine.models.net import Net
from engine.training.batches import keep
from engine.training.loop import Batch
from engine.training.optimisers import Change, Number, select_number


def rarity_weights(counts: Tensor) -> Tensor:
    """A weight per class in proportion to 1 / its rows, with mean 1 over the classes that have rows. counts [..., C]."""
    there = counts > 0
    weights = torch.where(there, 1 / counts.double().clamp(min=1), 0.0)
    return weights * there.sum(-1, keepdim=True) / weights.sum(-1, keepdim=True)


def squared_distances(z: Tensor) -> Tensor:
    """Squared distances [R, B, B] between rows z [R, B, H]."""
    square = z.square().sum(2)
    return (square.unsqueeze(2) + square.unsqueeze(1) - 2 * z @ z.mT).clamp(min=0)


@torch.no_grad()
def choose_triplets(z: Tensor, y: Tensor, mask: Tensor, chance: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(positives [R, B], negatives [R, B], rows that have both [R, B] bool) of normalised features z [R, B, H], y, mask [R, B].

    The positive is a row of the same class, all alike, by chance [R, B] in [0, 1). The negative is the nearest row of another class that is
    farther than the positive, or the farthest one where there is none. Distances are rounded, so that of equal ones the first is taken in
    every stack.
    """
    apart = squared_distances(z).round(decimals=9 if z.dtype == torch.float64 else 5)
    both = mask.unsqueeze(2) & mask.unsqueeze(1)
    same = (y.unsqueeze(2) == y.unsqueeze(1)) & both
    other = both & ~same
    same = same & ~torch.eye(y.shape[1], dtype=torch.bool, device=y.device)
    count = same.sum(2)
    number = (chance.to(z.device) * count).long().clamp(max=(count - 1).clamp(min=0)).unsqueeze(2)
    positive = (same.cumsum(2) <= number).sum(2).clamp(max=y.shape[1] - 1)
    farther = other & (apart > apart.gather(2, positive.unsqueeze(2)))
    near = torch.where(farther, apart, torch.inf).argmin(2)
    far = torch.where(other, apart, -torch.inf).argmax(2)
    return positive, torch.where(farther.any(2), near, far), (count > 0) & other.any(2)


def triplet_loss(
    z: Tensor, y: Tensor, mask: Tensor, chance: Tensor, *, margin: Number, weights: Tensor | None = None
) -> Tensor:
    """The mean over rows that have a positive and a negative of max(0, margin + D(row, positive) - D(row, negative)) [R].

    z [R, B, H]: features, which are normalised here; D is the squared distance. weights [R, B]: of the rows; the mean is under them. 0
    where no row has both.
    """
    z = torch.nn.functional.normalize(z, dim=2)
    positive, negative, valid = choose_triplets(z, y, mask, chance)
    pull, push = ((z - _pick(z, at)).square().sum(2) for at in (positive, negative))
    hinge = (broadcast(margin, z[..., 0]) + pull - push).clamp(min=0)
    own = valid.to(z) if weights is None else valid * weights.to(z)
    return (own * hinge).sum(1) / own.sum(1).clamp(min=1e-30)


def _pick(z: Tensor, at: Tensor) -> Tensor:
    return z.gather(1, at.unsqueeze(2).expand(-1, -1, z.shape[2]))


class TripletObjective:
    """What a step on triplets minimises, and the change of its batches: after `before` it draws the chance by which each row's positive is
    chosen. One stream per replicate. weights [R, C]: of the rows of a class; None: all alike.
    """

    obstacle = "its positives are drawn on the CPU"

    def __init__(
        self, before: Change | None, streams: Sequence[torch.Generator], *, margin: Number, weights: Tensor | None
    ) -> None:
        self.before, self.streams, self.margin, self.weights = before, list(streams), margin, weights
        self.drawn = torch.zeros(0)

    def select(self, index: Tensor) -> None:
        """Goes on with replicates `index` [r] alone."""
        self.streams, self.margin = keep(self.streams, index), select_number(self.margin, index)
        if self.weights is not None:
            self.weights = self.weights.index_select(0, index)
        if self.before is not None:
            self.before.select(index)

    def __call__(self, batch: Batch) -> Batch:
        """The changed batch."""
        batch = batch if self.before is None else self.before(batch)
        chance = torch.zeros(batch.mask.shape, dtype=torch.float64)
        for r, count in enumerate(batch.mask.sum(1).tolist()):
            chance[r, :count] = torch.rand(count, generator=self.streams[r], dtype=torch.float64)
        self.drawn = chance.to(batch.x.device)
        return batch

    def value(self, net: Net, batch: Batch) -> Tensor:
        """The loss of each replicate [R]."""
        weights = None if self.weights is None else self.weights.gather(1, batch.y)
        if batch.weight is not None:
            weights = batch.weight if weights is None else weights * batch.weight
        z = net.embed(batch.x, batch.mask)
        return triplet_loss(z, batch.y, batch.mask, self.drawn, margin=self.margin, weights=weights)
