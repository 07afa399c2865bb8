"""Floating-point operations of what is trained, counted from the sizes of its layers: a product of an i x j and a j x k matrix is 2 i j k.

Biases, activations, losses and optimisers are not counted, nor is padding: these are the operations that the numbers need.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from engine.models.cnn import TRUNKS


def forward(sizes: Sequence[int]) -> int:
    """Of one row through fully connected layers of these sizes."""
    return sum(2 * i * o for i, o in pairwise(sizes))


def gradient(sizes: Sequence[int]) -> int:
    """Of one row's loss and its gradient: forward, at the weights, and at the inputs of every layer but the first."""
    return 3 * forward(sizes) - forward(sizes[:2])


def mixed(sizes: Sequence[int]) -> int:
    """Of one synthetic row's second derivative (`MLP.mixed`): three products a layer forwards and three back, two in the first."""
    return 6 * forward(sizes) - 2 * forward(sizes[:2])


def meta_epoch(sizes: Sequence[int], rows: int, points: int, held: int, batch: int) -> float:
    """Of an epoch of explicit gradient on a replicate with so many rows, synthetic points and held-out rows.

    Every step takes a batch of each, on average; the points' loss is taken once at the end.
    """
    steps = -(-rows // batch)
    some = points / max(1, -(-points // batch))
    others = held / max(1, -(-held // batch))
    return gradient(sizes) * (rows + steps * (some + others)) + mixed(sizes) * steps * some + forward(sizes) * points


def image_forward(model: str, shape: tuple[int, int, int], classes: int) -> tuple[int, int]:
    """(of one image through a convolutional network and its head, of its first layer alone)."""
    trunk = TRUNKS[model](shape).eval()
    counts: list[int] = []

    def count(module: Any, _: Any, out: torch.Tensor) -> None:
        weight = module.weight
        counts.append(2 * weight.numel() * (out[0, 0].numel() if weight.dim() == 4 else 1))

    for module in trunk.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.register_forward_hook(count)
    with torch.no_grad():
        trunk(torch.zeros(1, *shape))
    return sum(counts) + 2 * int(trunk.width) * classes, counts[0]  # type: ignore[arg-type]


def image_gradient(model: str, shape: tuple[int, int, int], classes: int) -> int:
    """Of one image's loss and its gradient, as in `gradient`."""
    whole, first = image_forward(model, shape, classes)
    return 3 * whole - first
