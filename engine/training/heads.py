"""Training of the last layer alone, on features: the third phase of EOS, and classifier re-training."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from engine.data.dataset import Rows
from engine.losses import Loss
from engine.models.mlp import MLP
from engine.models.net import Net, fresh_head
from engine.training.loop import Batch
from engine.training.optimisers import SGD, Number, Rate


class HeadSGD(SGD):
    """SGD with momentum on the last layer of R networks; a `training.Step`. Batches hold features [R, B, H].

    rate, decay, epochs: as in `training.Descent`; decay covers weights and biases, as in torch's SGD. The layers below
    stay unchanged to the bit. A cosine head becomes a plain linear one.
    """

    def __init__(self, net: Net, loss: Loss, *, rate: Rate, momentum: float, decay: float, epochs: int = 1) -> None:
        size = (net.width + 1) * net.classes
        self.whole = net
        head = MLP((net.width, net.classes), "relu", net.flat[:, -size:].clone())
        super().__init__(head, loss, rate=rate, momentum=momentum, decay=decay, epochs=epochs)
        net.cosine = False

    def use(self, net: Net) -> None:
        """See Step. The step's own network is the last layer."""
        self.whole = net

    def select(self, index: Tensor) -> None:
        """See Step."""
        super().select(index)
        self.net.flat = self.net.flat.index_select(0, index)

    def replace(self, streams: Sequence[torch.Generator]) -> None:
        """Replaces the last layer by a fresh one, drawn by `fresh_head`, one stream per replicate."""
        flat = self.net.flat
        self.net.flat = fresh_head(self.net.width, self.net.classes, streams, device=flat.device, dtype=flat.dtype)
        self._put()

    def lasting(self) -> list[Tensor]:
        """See Step."""
        return [*super().lasting(), self.whole.flat]

    def __call__(self, batch: Batch) -> Tensor:
        """One step on the mean loss of each replicate's embeddings."""
        losses = super().__call__(batch)
        self._put()
        return losses

    def _put(self) -> None:
        self.whole.flat[:, -self.net.flat.shape[1] :] = self.net.flat


def warm_up(rate: Number, epochs: int = 5) -> Callable[[int], Number]:
    """A step size that grows linearly over the first `epochs` epochs, then stays at `rate`."""
    return lambda epoch: rate * min(1.0, epoch / max(1, epochs))


def half_cosine(rate: Number, epochs: int) -> Callable[[int], Number]:
    """A step size that falls from `rate` in the first epoch along half a cosine, to 0 after the last (Loshchilov and Hutter
    2017).
    """
    return lambda epoch: rate * (1 + math.cos(math.pi * (epoch - 1) / max(1, epochs))) / 2


@torch.no_grad()
def embedded(net: Net, rows: Rows) -> Rows:
    """The rows' features under the current network; 0 on padding."""
    return Rows(net.embed(rows.x, rows.mask) * rows.mask.unsqueeze(2), rows.y, rows.mask, weight=rows.weight)
