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


def class_factors(before: np.ndarray, after: np.ndarray) -> np.ndarray | None:
    """What each class's output weights were multiplied by, [R, C]; None where they changed otherwise, or not at all.

    before, after [R, H, C]: as in `weight_norms`.
    """
    if before.shape != after.shape or not (np.isfinite(before).all() and np.isfinite(after).all()):
        return None
    before, after = before.astype(float), after.astype(float)
    length = (before**2).sum(axis=1)
    factors: np.ndarray = (before * after).sum(axis=1) / np.where(length > 0, length, 1.0)
    apart = np.sqrt(((after - factors[:, None] * before) ** 2).sum(axis=1))
    scaled = (length > 0).all() and (apart <= 1e-4 * np.sqrt((after**2).sum(axis=1)) + 1e-12).all()
    return factors if scaled and not np.allclose(factors, 1.0) else None
