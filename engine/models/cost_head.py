"""A last layer whose answer is the class of lowest expected cost."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from engine.models.net import Net, WithHead, product, split_head

LEAST = 1e-12
"""Least expected cost whose logarithm is taken."""


@dataclass(frozen=True)
class CostHead:
    """Features z [R, N, H] -> -log of the expected costs [R, N, C]: of p = softmax(z weight + bias), sum_i p_i K[i, j].

    weight [R, H, C], bias [R, 1, C], costs [R, C, C] float64. Plain data, so that a network with it can be written to a file.
    """

    weight: Tensor
    bias: Tensor
    costs: Tensor

    def __call__(self, z: Tensor) -> Tensor:
        """Logits [R, N, C]."""
        p = (product(z, self.weight) + self.bias).double().softmax(-1)
        return -(p @ self.costs).clamp(min=LEAST).log().to(z.dtype)


def with_costs(net: Net, costs: Tensor) -> WithHead:
    """The network with its linear last layer under costs [R, C, C]."""
    weight, bias = split_head(net.flat[:, -(net.width + 1) * net.classes :], net.width, net.classes)
    return WithHead(net, CostHead(weight.clone(), bias.clone(), costs), net.head_weights())
