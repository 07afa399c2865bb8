"""Mixing of a batch's rows and labels in every step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from engine.losses import Mixed
from engine.samplers.remix import Mix
from engine.training.batches import keep
from engine.training.loop import Batch
from engine.training.optimisers import Descent


class MakeMix(Protocol):
    """Mixes the rows of a batch: x [B, D], y [B] -> `Mix` of as many rows."""

    def __call__(self, x: Tensor, y: Tensor, *, rng: np.random.Generator, alpha: float) -> Mix: ...


class Mixing:
    """Mixes every batch of `step`, after the change that the step had, and gives the step the loss of both labels. One stream and one
    alpha per replicate.
    """

    def __init__(self, step: Descent, make: MakeMix, streams: Sequence[np.random.Generator], alphas: Sequence[float]) -> None:
        self.step, self.before, self.make = step, step.change, make
        self.streams, self.alphas = list(streams), list(alphas)

    def select(self, index: Tensor) -> None:
        """Goes on with replicates `index` [r] alone."""
        self.streams, self.alphas = keep(self.streams, index), keep(self.alphas, index)
        if self.before is not None:
            self.before.select(index)

    def __call__(self, batch: Batch) -> Batch:
        batch = batch if self.before is None else self.before(batch)
        loss = self.step.loss.loss if isinstance(self.step.loss, Mixed) else self.step.loss  # the one that time goes on to
        x, y, second = batch.x.clone(), batch.y.clone(), batch.y.clone()
        share = torch.ones(len(y), 1, dtype=x.dtype)
        pairs = torch.zeros(2, *y.shape, dtype=torch.int64, device=x.device)
        for r, n in enumerate(batch.mask.sum(1).tolist()):
            if n:  # a paused replicate draws nothing
                made = self.make(batch.x[r, :n], batch.y[r, :n], rng=self.streams[r], alpha=self.alphas[r])
                x[r, :n], y[r, :n], second[r, :n], share[r] = made.x, made.y_first, made.y_second, made.share
                if batch.weight is not None:
                    pairs[0, r, :n], pairs[1, r, :n] = made.first, made.second
        share = share.to(x.device)
        if batch.weight is None:
            self.step.loss = Mixed(second, share, loss)
            return replace(batch, x=x, y=y)
        one, other = (batch.weight.gather(1, which) for which in pairs)
        weight = (share * one + (1 - share) * other) * batch.mask
        # both labels count by the weight of their row: share of the first one's in the sum of the pair's
        self.step.loss = Mixed(second, torch.where(weight > 0, share * one / weight.clamp(min=1e-30), 1.0).to(x), loss)
        return replace(batch, x=x, y=y, weight=weight)
