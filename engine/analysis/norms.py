"""Norms of the output weights: a head fitted to imbalanced data gives its larger classes longer weights."""

from __future__ import annotations

import numpy as np


def weight_norms(weight: np.ndarray) -> np.ndarray:
    """L2 norm of each class's output weights, without the bias: [R, C].

    weight [R, H, C]: the stacked heads as `engine.models` keeps them, [replicate, input of the head, class].
    """
    if weight.ndim != 3:
        raise ValueError(f"head weights must be [R, H, C]; got {weight.shape}")
    norms: np.ndarray = np.sqrt((weight.astype(float) ** 2).sum(axis=1))
    return norms
