"""DenseNet with bottlenecks and compression (Huang et al. 2017)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Bottleneck(nn.Module):
    """A 1 x 1 convolution to four times the growth, then a 3 x 3 one to the growth. Its output is appended to the input's
    channels.
    """

    def __init__(self, inside: int, growth: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inside)
        self.conv1 = nn.Conv2d(inside, 4 * growth, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(4 * growth)
        self.conv2 = nn.Conv2d(4 * growth, growth, 3, 1, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, inside, h, w] -> [B, inside + growth, h, w]."""
        return torch.cat([x, self.conv2(torch.relu(self.bn2(self.conv1(torch.relu(self.bn1(x))))))], 1)


class DenseNet(nn.Module):
    """DenseNet-BC: three blocks of (depth - 4) / 6 bottlenecks. Between blocks, channels and side are halved."""

    def __init__(self, shape: tuple[int, int, int], depth: int = 100, growth: int = 12) -> None:
        super().__init__()
        inside = 2 * growth
        parts: list[nn.Module] = [nn.Conv2d(shape[0], inside, 3, 1, 1, bias=False)]
        for stage in range(3):
            if stage:
                half = inside // 2
                parts += [
                    nn.BatchNorm2d(inside),
                    nn.ReLU(inplace=True),
                    nn.Conv2d(inside, half, 1, bias=False),
                    nn.AvgPool2d(2),
                ]
                inside = half
            for _ in range((depth - 4) // 6):
                parts.append(Bottleneck(inside, growth))
                inside += growth
        self.layers = nn.Sequential(*parts)
        self.bn = nn.BatchNorm2d(inside)
        self.width = inside

    def forward(self, x: Tensor) -> Tensor:
        """x [B, channels, height, width] -> features [B, 342 for depth 100, growth 12]."""
        return torch.relu(self.bn(self.layers(x))).mean((2, 3))
