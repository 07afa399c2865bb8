"""Several networks that answer as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from engine.models.net import Net

LEAST = 1e-12
"""Least share whose logarithm is taken."""


class Voting(Net):
    """Networks whose answers are joined: by the mean of their probabilities (soft), or each has one vote (hard). Of equally many votes the
    lower class has it. The features are those of all, side by side; logits are logarithms of the shares. `flat` is the first one's.
    """

    def __init__(self, nets: Sequence[Net], *, soft: bool) -> None:
        self.nets, self.soft = tuple(nets), soft
        self.width, self.classes = sum(net.width for net in nets), nets[0].classes

    @property
    def flat(self) -> Tensor:
        """See Net."""
        return self.nets[0].flat

    @flat.setter
    def flat(self, value: Tensor) -> None:
        self.nets[0].flat = value

    def embed(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """See Net."""
        return torch.cat([net.embed(x, mask) for net in self.nets], 2)

    def head(self, z: Tensor) -> Tensor:
        """See Net."""
        parts = torch.split(z, [net.width for net in self.nets], 2)  # type: ignore[no-untyped-call]
        each = torch.stack([net.head(part).softmax(-1) for net, part in zip(self.nets, parts, strict=True)])
        if not self.soft:
            each = torch.nn.functional.one_hot(each.argmax(-1), self.classes).to(each)
        return each.mean(0).clamp(min=LEAST).log()

    def __call__(self, x: Tensor) -> Tensor:
        """See Net."""
        return self.head(self.embed(x))

    def head_weights(self) -> Tensor:
        """See Net. NaN: there is no one output layer."""
        return torch.full((len(self.flat), self.width, self.classes), torch.nan, dtype=self.flat.dtype, device=self.flat.device)

    def derive(self, objective: Callable[[Net], Tensor]) -> tuple[Tensor, Tensor]:
        """See Net. Raises TypeError."""
        raise TypeError("networks that vote are not trained further")

    def copy(self) -> Net:
        """See Net."""
        return Voting([net.copy() for net in self.nets], soft=self.soft)

    def first(self, count: int) -> Net:
        """See Net."""
        return Voting([net.first(count) for net in self.nets], soft=self.soft)

    def select(self, index: Tensor) -> Net:
        """See Net."""
        return Voting([net.select(index) for net in self.nets], soft=self.soft)

    def state(self) -> list[Tensor]:
        """See Net."""
        return [tensor for net in self.nets for tensor in net.state()]

    def restore(self, state: Sequence[Tensor]) -> None:
        """See Net."""
        at = 0
        for net in self.nets:
            own = len(net.state())
            net.restore(state[at : at + own])
            at += own
