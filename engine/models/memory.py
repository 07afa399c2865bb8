"""The memory head of Liu et al. 2019 (OLTR): features are enriched by an attention over class means, then classified by cosines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.models.net import Net, product

SCALE = 16.0
"""What the cosines are multiplied by; no logit is larger."""
REACH = 10.0
"""A row's features are multiplied by this over their distance to the nearest class mean."""


@dataclass(frozen=True)
class MemoryHead:
    """Features v [R, N, H] -> logits [R, N, C].

    attend [R, H, C] with bias [R, 1, C] gives the attention o over the means [R, C, H]; select [R, H, H] with bias [R, 1, H] gives
    e = tanh(...), how much of the memory m = sum_j o_j means_j each feature takes. u = REACH / (distance of v to the nearest mean) times
    (v + e m), and logits are SCALE |u| / (1 + |u|) times the cosines of u and weights [R, H, C].
    floor [R, 1, 1]: least distance. there [R, C]: classes with rows; the others have no place in the memory.
    Plain data, so that a network with it can be written to a file.
    """

    attend: Tensor
    attend_bias: Tensor
    select: Tensor
    select_bias: Tensor
    means: Tensor
    weights: Tensor
    floor: Tensor
    there: Tensor

    def __call__(self, v: Tensor) -> Tensor:
        """Logits [R, N, C]."""
        enriched = self.enrich(v)
        weights = torch.nn.functional.normalize(self.weights, dim=1)
        logits: Tensor = SCALE * product(enriched, weights) / (1 + enriched.norm(dim=2, keepdim=True))
        return logits

    def attention(self, v: Tensor) -> Tensor:
        """Attention o over the classes [R, N, C]."""
        logits = product(v, self.attend) + self.attend_bias
        return torch.where(self.there.unsqueeze(1), logits, -torch.inf).softmax(-1)

    def enrich(self, v: Tensor) -> Tensor:
        """Features u [R, N, H] with what they take from the memory, by their reach."""
        memory = self.attention(v) @ self.means
        taken = torch.tanh(product(v, self.select) + self.select_bias)
        apart = torch.where(self.there.unsqueeze(1), squared_distances(v, self.means), torch.inf).amin(2, keepdim=True)
        return REACH / torch.maximum(apart, self.floor.square()).sqrt() * (v + taken * memory)


def squared_distances(v: Tensor, means: Tensor) -> Tensor:
    """Squared distances [R, N, C] of features v [R, N, H] to means [R, C, H]."""
    return torch.stack([(v - mean.unsqueeze(1)).square().sum(2) for mean in means.unbind(1)], 2)


def attract_loss(v: Tensor, y: Tensor, means: Tensor, weights: Tensor) -> Tensor:
    """Half the squared distance of rows to the mean of their class [R]. v [R, B, H], y [R, B]; weights [R, B] sum to 1."""
    own = means.gather(1, y.unsqueeze(2).expand(-1, -1, means.shape[2]))
    return ((v - own).square().sum(2) * weights).sum(1) / 2


def repel_loss(v: Tensor, y: Tensor, means: Tensor, weights: Tensor) -> Tensor:
    """How much less than REACH the mean squared distance of rows to the means of all other classes is, over C [R]."""
    other = 1 - torch.nn.functional.one_hot(y, means.shape[1]).to(v)
    return (REACH - ((squared_distances(v, means) * other).sum(2) * weights).sum(1) / means.shape[1]).clamp(min=0)


def attract_gradient(v: Tensor, y: Tensor, means: Tensor, weights: Tensor, *, released: bool = False) -> tuple[Tensor, Tensor]:
    """The gradient of `attract_loss` in v [R, B, H] and in the means [R, C, H].

    released: as the authors' code has it, where the gradient in a mean is divided by 1 + the rows of its class in the batch besides.
    """
    own = torch.nn.functional.one_hot(y, means.shape[1]).to(v) * (weights > 0).unsqueeze(2)
    at_rows = weights.unsqueeze(2) * (v - own @ means)
    at_means = -own.mT @ at_rows
    return at_rows, at_means / (1 + own.sum(1)).unsqueeze(2) if released else at_means


class Memory(Net):
    """The features of `base`, which stays as it is, under a memory head that can be trained.

    flat [R, P]: attend, its bias, select, its bias, means, then weights and biases that nothing uses: the end has the size of a last layer.
    """

    obstacle = "its parts are no recorded network"

    def __init__(self, base: Net, flat: Tensor, floor: Tensor, there: Tensor) -> None:
        self.base, self._flat, self.floor, self.there = base, flat, floor, there
        self.width, self.classes = base.width, base.classes
        h, c = self.width, self.classes
        self.shapes = ((h, c), (1, c), (h, h), (1, h), (c, h), (h, c), (1, c))
        self.lengths = [a * b for a, b in self.shapes]

    @classmethod
    def begin(cls, base: Net, means: Tensor, floor: Tensor, there: Tensor, fresh: Tensor, head: Tensor) -> Memory:
        """A new one: the attention is the base's last layer. fresh [R, (H + 1) H]: select and its bias; head [R, (H + 1) C]: the
        weights, biases unused.
        """
        last = base.flat[:, -(base.width + 1) * base.classes :]
        return cls(base, torch.cat([last, fresh, means.flatten(1), head], 1), floor, there)

    @property
    def flat(self) -> Tensor:
        """See Net."""
        return self._flat

    @flat.setter
    def flat(self, value: Tensor) -> None:
        self._flat = value

    @property
    def places(self) -> slice:
        """Where the means are in `flat`."""
        start = sum(self.lengths[:4])
        return slice(start, start + self.lengths[4])

    def make_head(self) -> MemoryHead:
        """The head at the current parameters."""
        parts = torch.split(self.flat, self.lengths, dim=1)
        own = [part.view(-1, *shape) for part, shape in zip(parts, self.shapes, strict=True)]
        attend, attend_bias, select, select_bias, means, weights, _ = own
        return MemoryHead(attend, attend_bias, select, select_bias, means, weights, self.floor, self.there)

    def embed(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """See Net."""
        return self.base.embed(x, mask)

    def head(self, z: Tensor) -> Tensor:
        """See Net."""
        return self.make_head()(z)

    def derive(self, objective: Callable[[Net], Tensor]) -> tuple[Tensor, Tensor]:
        """See Net. The gradient of the features' network is none of it."""
        with torch.enable_grad():
            leaf = self.flat.detach().clone().requires_grad_()
            values = objective(Memory(self.base, leaf, self.floor, self.there))
            (gradient,) = torch.autograd.grad(values.sum(), leaf)
        return values.detach(), gradient

    @property
    def keeps_bits(self) -> bool:
        """See Net. Not shown for the products of the attention."""
        return False

    def copy(self) -> Memory:
        """See Net."""
        return Memory(self.base.copy(), self.flat.clone(), self.floor, self.there)

    def first(self, count: int) -> Memory:
        """See Net."""
        return Memory(self.base.first(count), self.flat[:count], self.floor[:count], self.there[:count])

    def select(self, index: Tensor) -> Memory:
        """See Net."""
        return Memory(self.base.select(index), *(t.index_select(0, index) for t in (self.flat, self.floor, self.there)))
