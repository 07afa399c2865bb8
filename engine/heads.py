"""Training the last layer alone, on embeddings: the third phase of EOS."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from engine.losses import Loss, mean_weights
from engine.models.mlp import MLP
from engine.training import Batch, Step


class HeadSGD(Step):
    """SGD with momentum on the last layer of R nets; a gradient step, see `training.Step`. Batches hold embeddings [R, B, H].

    The step size of epoch e is rate * min(1, e / warm_up). decay is an L2 penalty on weights and biases, as in torch's SGD. The
    layers below are not touched: their bits stay. A replicate that pauses is as if the others had not gone on.
    """

    def __init__(self, net: MLP, loss: Loss, *, rate: float, momentum: float, decay: float, warm_up: int) -> None:
        self.net, self.loss, self.rate, self.momentum, self.decay, self.warm_up = net, loss, rate, momentum, decay, warm_up
        self.head = MLP(net.sizes[-2:], net.activation, net.flat[:, -(net.sizes[-2] + 1) * net.sizes[-1] :].clone())
        self.velocity = torch.zeros_like(self.head.flat)
        self.epoch = 0

    def replace(self, streams: Sequence[torch.Generator]) -> None:
        """A fresh last layer, drawn as `MLP.create` draws it, one stream per replicate."""
        flat = self.head.flat
        self.head = MLP.create(self.head.sizes, self.net.activation, streams, device=flat.device, dtype=flat.dtype)
        self._put()

    def begin(self, wanted: Sequence[int]) -> None:
        """One epoch further in the warm-up."""
        self.epoch += 1

    def __call__(self, batch: Batch) -> Tensor:
        """One step on the mean loss of each replicate's embeddings."""
        losses, gradient = self.head.gradient(
            batch.x, batch.y, mean_weights(batch.mask, batch.x.dtype), self.loss, self.head.flat
        )
        alive = batch.alive.to(gradient.device).unsqueeze(1)
        velocity = self.momentum * self.velocity + gradient + self.decay * self.head.flat
        rate = self.rate * min(1.0, self.epoch / max(1, self.warm_up))
        self.velocity = torch.where(alive, velocity, self.velocity)
        self.head.flat = torch.where(alive, self.head.flat - rate * velocity, self.head.flat)
        self._put()
        return losses

    def _put(self) -> None:
        self.net.flat[:, -self.head.flat.shape[1] :] = self.head.flat
