"""Bootstrap draws of test rows."""

from __future__ import annotations

import numpy as np


def bootstrap_weights(y: np.ndarray, rng: np.random.Generator, n: int = 1000) -> np.ndarray:
    """How often each of n stratified bootstrap draws holds each row: [n, T] uint16.

    Rows are drawn with replacement within their class, so every draw keeps every class's count. y [T] int. The same y and state
    of `rng` give the same draws, so methods can be compared on the same rows.
    """
    weights = np.zeros((n, len(y)), dtype=np.uint16)
    for c in np.unique(y):
        rows = np.flatnonzero(y == c)
        k = len(rows)
        cells = rng.integers(k, size=(n, k)) + k * np.arange(n)[:, None]
        weights[:, rows] = np.bincount(cells.ravel(), minlength=n * k).reshape(n, k)
    return weights
