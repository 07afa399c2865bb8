"""What a map of features needs beside its places: colours of classes, and the nearest real rows of each point. It draws nothing."""

from __future__ import annotations

import numpy as np

from app.charts.palette import CLASSES, TWO_CLASSES

TRAIN, TEST, SYNTHETIC = range(3)
NEAR = 8
"""Nearest rows of a point."""
_AT_ONCE = 512
"""Points whose distances are found at once."""


def list_colours(count: int) -> list[tuple[str, str]]:
    """A light and a dark colour for each of that many classes, as in all charts."""
    return list(TWO_CLASSES) if count == 2 else [CLASSES[c % len(CLASSES)] for c in range(count)]


def find_near(x: np.ndarray, part: np.ndarray, most: int = NEAR) -> np.ndarray:
    """Places of the nearest real rows of each point, by distance in all features, int32 [n, most], -1 where there are fewer.

    x [n, H] features, part [n]. A row is not near to itself, but a row with the same features is.
    """
    real = np.flatnonzero(part != SYNTHETIC)
    out = np.full((len(x), most), -1, np.int32)
    known = x[real].astype(np.float32)
    square = (known**2).sum(1)
    place = np.full(len(x), -1)
    place[real] = np.arange(len(real))
    k = min(most, len(real) - 1)
    if k < 1:
        return out
    for first in range(0, len(x), _AT_ONCE):
        some = np.arange(first, min(first + _AT_ONCE, len(x)))
        apart = (
            square - 2 * x[some].astype(np.float32) @ known.T
        )  # and the square of the point itself, the same for all its rows
        own = place[some] >= 0
        apart[np.flatnonzero(own), place[some][own]] = np.inf
        nearest = np.argpartition(apart, k - 1, axis=1)[:, :k]
        order = np.argsort(np.take_along_axis(apart, nearest, 1), axis=1, kind="stable")
        out[some, :k] = real[np.take_along_axis(nearest, order, 1)]
    return out
