"""Wide residual networks (Zagoruyko and Komodakis 2016)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class WideBlock(nn.Module):
    """Batch norm and ReLU before each of two 3 x 3 convolutions; a 1 x 1 convolution as shortcut where the shape changes."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inside)
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.shortcut = nn.Conv2d(inside, outside, 1, stride, bias=False) if stride > 1 or inside != outside else None

    def forward(self, x: Tensor) -> Tensor:
        """x [B, inside, h, w] -> [B, outside, h / stride, w / stride]."""
        active = torch.relu(self.bn1(x))
        out: Tensor = self.conv2(torch.relu(self.bn2(self.conv1(active))))
        return out + (x if self.shortcut is None else self.shortcut(active))


class WideResNet(nn.Module):
    """WRN-depth-factor: three stages of (depth - 4) / 6 blocks of 16, 32, 64 times `factor` channels, mean over pixels."""

    def __init__(self, shape: tuple[int, int, int], depth: int, factor: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(shape[0], 16, 3, 1, 1, bias=False)
        parts, inside = [], 16
        for stage in range(3):
            outside = 16 * 2**stage * factor
            for block in range((depth - 4) // 6):
                parts.append(WideBlock(inside, outside, 2 if stage and not block else 1))
                inside = outside
        self.blocks = nn.Sequential(*parts)
        self.bn = nn.BatchNorm2d(inside)
        self.width = inside

    def forward(self, x: Tensor) -> Tensor:
        """x [B, channels, height, width] -> features [B, 64 factor]."""
        return torch.relu(self.bn(self.blocks(self.conv(x)))).mean((2, 3))
