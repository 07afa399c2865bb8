"""Residual networks for small images (He et al. 2016, section 4.2) as in the EOS paper, and a small one for machines without a
GPU.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Block(nn.Module):
    """Two 3 x 3 convolutions and a shortcut without parameters ("option A"): every second pixel, zeros for new channels."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outside)
        self.stride, self.more = stride, outside - inside

    def forward(self, x: Tensor) -> Tensor:
        """x [B, inside, h, w] -> [B, outside, h / stride, w / stride]."""
        out = self.bn2(self.conv2(torch.relu_(self.bn1(self.conv1(x)))))  # batch norm keeps its input, not what it returns
        if self.stride > 1 or self.more:
            x = x[:, :, :: self.stride, :: self.stride]
            x = torch.nn.functional.pad(x, (0, 0, 0, 0, self.more // 2, self.more - self.more // 2))
        return torch.relu_(out.add_(x))


class ResNet(nn.Module):
    """A 3 x 3 convolution, three stages of `blocks` residual blocks with these channels, mean over pixels: card B15.

    6 blocks + 2 layers: blocks = 5 is ResNet-32 (464,154 parameters with a head for 10 classes), 9 is ResNet-56. stride: of the
    first convolution; 1 in the paper.
    """

    def __init__(
        self, shape: tuple[int, int, int], blocks: int, channels: Sequence[int] = (16, 32, 64), stride: int = 1
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(shape[0], channels[0], 3, stride, 1, bias=False)
        self.bn = nn.BatchNorm2d(channels[0])
        parts, inside = [], channels[0]
        for stage, outside in enumerate(channels):
            for block in range(blocks):
                parts.append(Block(inside, outside, 2 if stage and not block else 1))
                inside = outside
        self.blocks = nn.Sequential(*parts)
        self.width = channels[-1]

    def forward(self, x: Tensor) -> Tensor:
        """x [B, channels, height, width] -> features [B, width]."""
        z: Tensor = self.blocks(torch.relu_(self.bn(self.conv(x)))).mean((2, 3))
        return z


def small(shape: tuple[int, int, int]) -> ResNet:
    """One block per stage and 64 features, for a machine without a GPU. The first convolution halves images of 24 pixels or
    more.
    """
    return ResNet(shape, 1, stride=2 if min(shape[1:]) >= 24 else 1)
