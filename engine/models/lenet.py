"""The basic CNN of the DOS paper (table 4): two convolutions with pooling, two hidden layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LeNet(nn.Module):
    """conv - pool - conv - pool - hidden - hidden, ReLU; the features are the last hidden layer (card B16).

    Convolutions of 6 and 16 channels and hidden layers of 400 and 120 units for grey images; 20, 50, 500 and 120 for colour.
    Kernels are 5 x 5 without padding, pools 2 x 2 maxima: assumptions, since the paper does not specify them. Images below 16
    pixels are too small for that and get 3 x 3 kernels with padding.
    """

    def __init__(self, shape: tuple[int, int, int]) -> None:
        super().__init__()
        channels, height, width = shape
        first, second, hidden = (6, 16, 400) if channels == 1 else (20, 50, 500)
        kernel, padding = (5, 0) if min(height, width) >= 16 else (3, 1)
        left = [_pooled(_pooled(side, kernel, padding), kernel, padding) for side in (height, width)]
        self.width = 120
        self.layers = nn.Sequential(
            nn.Conv2d(channels, first, kernel, padding=padding),
            Pool(),
            nn.ReLU(inplace=True),
            nn.Conv2d(first, second, kernel, padding=padding),
            Pool(),
            nn.ReLU(inplace=True),
            nn.Flatten(),
            nn.Linear(second * left[0] * left[1], hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, self.width),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        """x [B, channels, height, width] -> features [B, 120]."""
        z: Tensor = self.layers(x)
        return z


class Pool(nn.Module):
    """Maxima of 2 x 2 pixels, as nn.MaxPool2d(2) to the bit.

    It stands before ReLU, which has a quarter of the work there and gives the same numbers and gradients. Without gradients nobody
    asks for the place of a maximum, and maxima of whole rows take the CPU a tenth of the time.
    """

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, h, w] -> [B, C, h // 2, w // 2]."""
        if x.device.type != "cpu" or torch.is_grad_enabled():
            return nn.functional.max_pool2d(x, 2)
        height, width = x.shape[2] // 2 * 2, x.shape[3] // 2 * 2
        rows = torch.maximum(x[:, :, 0:height:2, :width], x[:, :, 1:height:2, :width])
        return torch.maximum(rows[..., 0::2], rows[..., 1::2])


def _pooled(side: int, kernel: int, padding: int) -> int:
    return (side + 2 * padding - kernel + 1) // 2
