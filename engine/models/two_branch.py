"""Convolutional layers whose last block stands twice, side by side, on shared ones below (Zhou et al. 2020)."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from engine.models.densenet import DenseNet
from engine.models.lenet import LeNet
from engine.models.resnet import ResNet
from engine.models.wideresnet import WideResNet


class Mean(nn.Module):
    """The mean over pixels."""

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, h, w] -> [B, C]."""
        return x.mean((2, 3))


class TwoBranch(nn.Module):
    """The layers of `trunk`, the last block twice, each with parameters of its own; the features are those of the first, then of the
    second.
    """

    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.width = 2 * int(trunk.width)  # type: ignore[arg-type]
        self.shared, branch = split(trunk)
        self.branches = nn.ModuleList([branch, copy.deepcopy(branch)])

    def forward(self, x: Tensor) -> Tensor:
        """x [B, channels, height, width] -> features [B, width]."""
        z = self.shared(x)
        return torch.cat([branch(z) for branch in self.branches], 1)


def split(trunk: nn.Module) -> tuple[nn.Sequential, nn.Sequential]:
    """(the layers below the last block, the last block and what follows it); one after the other they compute what `trunk` does."""
    if isinstance(trunk, LeNet):
        layers = list(trunk.layers)
        return nn.Sequential(*layers[:-2]), nn.Sequential(*layers[-2:])
    if isinstance(trunk, ResNet):
        *below, last = trunk.blocks
        return nn.Sequential(trunk.conv, trunk.bn, nn.ReLU(), *below), nn.Sequential(last, Mean())
    if isinstance(trunk, WideResNet):
        *below, last = trunk.blocks
        return nn.Sequential(trunk.conv, *below), nn.Sequential(last, trunk.bn, nn.ReLU(), Mean())
    assert isinstance(trunk, DenseNet)
    *below, last = trunk.layers
    return nn.Sequential(*below), nn.Sequential(last, trunk.bn, nn.ReLU(), Mean())
