"""Interface of every network: features of rows (`embed`), logits from features (`head`), and derivatives."""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from engine.losses import Loss

ALIGNED = 16
"""float32 numbers in 64 bytes, at which tensors begin."""
FEWEST_ROWS = 4
"""Products of fewer rows are sums whose order depends on where in memory a replicate lies (oneMKL)."""


class Net(abc.ABC):
    """R networks of one shape, one per replicate. Replicates do not affect each other.

    width: features H. classes: C. cosine: the head multiplies normalised features by normalised weights, without a bias (as LDAM needs).
    learns_features: False where the features are the input rows, so that they have no generalisation gap. `flat` [R, P] holds every
    parameter. The last (H + 1) C of a row are the head: weights [H, C] row by row, then biases [C]. obstacle: why its gradient cannot
    be recorded (`engine.training.graph`); empty where it can.
    """

    width: int
    classes: int
    cosine: bool = False
    learns_features: bool = True
    obstacle: str = "it does not say that it can be recorded"

    @property
    @abc.abstractmethod
    def flat(self) -> Tensor:
        """All parameters [R, P]; assign a tensor of that shape to set them."""

    @flat.setter
    @abc.abstractmethod
    def flat(self, value: Tensor) -> None: ...

    @abc.abstractmethod
    def embed(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x [R, N, D] -> features [R, N, H]. mask [R, N]: rows outside it may have any finite features."""

    @abc.abstractmethod
    def derive(self, objective: Callable[[Net], Tensor]) -> tuple[Tensor, Tensor]:
        """(objective(net) [R], the gradient [R, P] of each replicate's value in its own parameters), by autograd.

        The objective calls `embed` and `head` of the network it is given. Batch norm is in training mode: it uses and updates
        its statistics from the batch.
        """

    @property
    def keeps_bits(self) -> bool:
        """Whether a replicate gets the same float32 bits at every place in a stack of any height, for batches of at least FEWEST_ROWS:
        the features of each replicate then begin at a multiple of 64 bytes.
        """
        return self.width % ALIGNED == 0

    @abc.abstractmethod
    def copy(self) -> Net:
        """A copy with its own parameters."""

    @abc.abstractmethod
    def first(self, count: int) -> Net:
        """The first `count` replicates; may share parameters with this one."""

    @abc.abstractmethod
    def select(self, index: Tensor) -> Net:
        """Replicates `index` [r] of the stack, in that order, with their own parameters."""

    def gradient(self, x: Tensor, y: Tensor, weights: Tensor, loss: Loss) -> tuple[Tensor, Tensor]:
        """Weighted loss of each replicate [R] and its gradient [R, P]. x [R, N, D]; y, weights [R, N], weight 0 for padding."""
        return self.derive(lambda net: (loss(net.head(net.embed(x, weights > 0)), y) * weights).sum(1))

    def head(self, z: Tensor) -> Tensor:
        """z [R, N, H] -> logits [R, N, C]."""
        return apply_head(z, *split_head(self._tail(), self.width, self.classes), self.cosine)

    def __call__(self, x: Tensor) -> Tensor:
        """x [R, N, D] -> logits [R, N, C]."""
        return self.head(self.embed(x))

    def head_weights(self) -> Tensor:
        """The head's weights [R, H, C]."""
        return split_head(self._tail(), self.width, self.classes)[0]

    def state(self) -> list[Tensor]:
        """State of the trained network besides `flat`, each [R, ...]: running statistics of batch norm."""
        return []

    def restore(self, state: Sequence[Tensor]) -> None:  # noqa: B027
        """Restores what `state` returned."""

    def _tail(self) -> Tensor:
        return self.flat[:, -(self.width + 1) * self.classes :]


class WithHead(Net):
    """The features of `net` with another classifier. classify: features [R, N, H] -> scores [R, N, C], used as logits.

    weights [R, H, C]: of a linear classifier, for the norms; None gives NaN. This network is not trained further.
    """

    def __init__(self, net: Net, classify: Callable[[Tensor], Tensor], weights: Tensor | None = None) -> None:
        self.net, self.classify, self.weights = net, classify, weights
        self.width, self.classes = net.width, net.classes

    @property
    def flat(self) -> Tensor:
        """The network's parameters below the classifier, and its previous head."""
        return self.net.flat

    @flat.setter
    def flat(self, value: Tensor) -> None:
        self.net.flat = value

    def embed(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """See Net."""
        return self.net.embed(x, mask)

    def head(self, z: Tensor) -> Tensor:
        """See Net."""
        return self.classify(z)

    def head_weights(self) -> Tensor:
        """See Net."""
        return torch.full_like(self.net.head_weights(), torch.nan) if self.weights is None else self.weights

    def derive(self, objective: Callable[[Net], Tensor]) -> tuple[Tensor, Tensor]:
        """See Net. Raises TypeError: a classifier that is not a head has no gradient."""
        raise TypeError("a network with a fitted classifier on top cannot be trained")

    def copy(self) -> Net:
        """See Net."""
        return WithHead(self.net.copy(), self.classify, self.weights)

    def first(self, count: int) -> Net:
        """See Net. The classifier expects all replicates, so features of the others are zeros."""

        def classify(z: Tensor) -> Tensor:
            padded = z.new_zeros(len(self.flat), *z.shape[1:])
            padded[:count] = z
            return self.classify(padded)[:count]

        return WithHead(self.net.first(count), classify, None if self.weights is None else self.weights[:count])

    def select(self, index: Tensor) -> Net:
        """See Net and `first`."""

        def classify(z: Tensor) -> Tensor:
            padded = z.new_zeros(len(self.flat), *z.shape[1:])
            padded[index] = z
            return self.classify(padded)[index]

        return WithHead(self.net.select(index), classify, None if self.weights is None else self.weights[index])

    def state(self) -> list[Tensor]:
        """See Net."""
        return self.net.state()

    def restore(self, state: Sequence[Tensor]) -> None:
        """See Net."""
        self.net.restore(state)


def split_head(tail: Tensor, width: int, classes: int) -> tuple[Tensor, Tensor]:
    """The head's weights [R, H, C] and biases [R, 1, C], as views of the end of `flat`."""
    return tail[:, : width * classes].view(-1, width, classes), tail[:, width * classes :].view(-1, 1, classes)


def apply_head(z: Tensor, weight: Tensor, bias: Tensor, cosine: bool) -> Tensor:
    """Logits [R, N, C] of features [R, N, H]."""
    if cosine:
        return product(torch.nn.functional.normalize(z, dim=2), torch.nn.functional.normalize(weight, dim=1))
    return product(z, weight) + bias


def fresh_head(
    width: int, classes: int, streams: Sequence[torch.Generator], *, device: torch.device, dtype: torch.dtype
) -> Tensor:
    """A head initialised as torch's Linear, U(-1/sqrt(H), 1/sqrt(H)): [R, (H + 1) C], one stream per replicate."""
    rows = [
        (2 * torch.rand((width + 1) * classes, generator=stream, dtype=torch.float64) - 1) / max(1, width) ** 0.5
        for stream in streams
    ]
    return torch.stack(rows).to(device=device, dtype=dtype)


def product(a: Tensor, b: Tensor) -> Tensor:
    """torch.bmm(a [R, i, j], b [R, j, k]), fast also for few columns k. For those the CPU's library takes five times as long as
    for the transposed product.
    """
    if b.shape[2] >= 16:
        return torch.bmm(a, b)
    return torch.bmm(b.mT.contiguous(), a.mT).mT
