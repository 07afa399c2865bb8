"""Small pictures of the real images that lie nearest to what was selected in a map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from app.charts.embedding import SYNTHETIC, TEST
from app.words.text import escape

MOST = 24
"""Pictures shown at most."""
SIDE = 56
"""Pixels a side."""


def find_nearest_real(x: np.ndarray, part: np.ndarray, chosen: Sequence[int], most: int = MOST) -> list[int]:
    """Return the places in the sample of at most `most` real rows that are nearest to the chosen ones, each once.

    x [n, H] features, part [n]. Each chosen row (a real one is nearest to itself) gives its most // len(chosen) nearest real
    rows, at least one. Those named by more chosen rows go first, then the nearer ones.
    """
    rows = np.asarray(chosen, dtype=int)
    real = np.flatnonzero(part != SYNTHETIC)
    if not len(rows) or not len(real):
        return []
    known = x[real].astype(float)
    square = (known**2).sum(1)
    votes, distance = np.zeros(len(real)), np.full(len(real), np.inf)
    each = min(max(1, most // len(rows)), len(real))
    for row in rows:
        apart = np.maximum(square - 2 * known @ x[row].astype(float) + squared_length(x[row]), 0)
        apart[real == row] = -1  # itself, also where another row has the same features
        nearest = np.argpartition(apart, each - 1)[:each]
        votes[nearest] += 1
        distance[nearest] = np.minimum(distance[nearest], apart[nearest])
    order = np.lexsort((distance, -votes))
    return [int(real[i]) for i in order[:most] if votes[i]]


def squared_length(row: np.ndarray) -> float:
    """Return the squared length of a row."""
    return float((row.astype(float) ** 2).sum())


def draw_thumbs(
    thumbs: np.ndarray,
    at: Sequence[int],
    y: np.ndarray,
    predicted: np.ndarray,
    part: np.ndarray,
    row: np.ndarray,
    classes: Sequence[str],
) -> None:
    """Draw the thumbnails of these places, each with its class, and the predicted class where that is another one."""
    shown, captions, alts = [], [], []
    for i in at:
        name, taken = escape(classes[y[i]], 14), escape(classes[predicted[i]], 14)
        shown.append(_enlarge(thumbs[i]))
        captions.append(name if y[i] == predicted[i] else f"{name}, taken for {taken}")
        kind = "test" if part[i] == TEST else "training"
        mistake = "" if y[i] == predicted[i] else f", taken for {classes[predicted[i]]}"
        alts.append(f"{kind} row {row[i]}: {classes[y[i]]}{mistake}")
    with st.container(key="thumbs"):
        st.image(shown, caption=captions, width=SIDE, alt=alts)


def _enlarge(image: np.ndarray) -> np.ndarray:
    """Return the image with every pixel as a block, so that the browser does not blur a picture of 8 x 8."""
    times = max(1, SIDE // max(image.shape[:2]))
    big = image.repeat(times, axis=0).repeat(times, axis=1)
    return big[..., 0] if big.shape[-1] == 1 else big
