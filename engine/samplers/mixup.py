"""Mixup: mixes each row of a batch with another one."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from engine.samplers.remix import Mix, draw_share, mix_rows


def mixup(x: Tensor, y: Tensor, rng: np.random.Generator, *, alpha: float = 1.0) -> Mix:
    """One batch x [B, D], y [B] -> every row mixed with its place in a permutation (Zhang et al. 2018).

    One share ~ Beta(alpha, alpha) for the batch; with alpha 0 it is 0 or 1, so rows stay as they are. Columns of levels become
    fractions. Draws from `rng` on the CPU: the permutation, then the share.
    """
    other = rng.permutation(len(y))
    return mix_rows(x, y, np.arange(len(y)), other, draw_share(rng, alpha))
