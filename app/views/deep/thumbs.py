"""Images of each class side by side: rows of training, and test rows with those classified wrongly first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import streamlit as st

from app.charts.embedding import TEST, TRAIN
from app.words import deep as words
from app.words.text import escape

EACH = 10
"""Images of a class and kind at most."""
SIDE = 48
"""Pixels a side."""
SHOWN = 12
"""Classes at most; the rarest ones."""


def choose_rows(arrays: Mapping[str, np.ndarray], label: int, kind: int) -> np.ndarray:
    """Return the places of at most EACH rows of a class and kind, those classified wrongly first."""
    at = np.flatnonzero((arrays["y"] == label) & (arrays["part"] == kind))
    right = arrays["predicted"][at] == arrays["y"][at]
    return at[np.argsort(right, kind="stable")][:EACH] if kind == TEST else at[:EACH]


def draw_classes(arrays: Mapping[str, np.ndarray], classes: Sequence[str]) -> None:
    """Draw the images of the rarest classes, one line a class. arrays: `engine.analysis.sample`, with thumbs."""
    rows = [int(((arrays["y"] == c) & (arrays["part"] == TRAIN)).sum()) for c in range(len(classes))]
    rarest = sorted(np.argsort(rows, kind="stable")[:SHOWN].tolist())
    with st.container(key="thumbs", gap="small"):
        _, left, right = st.columns([1, 6, 6])
        left.caption(words.IMAGES_TRAIN)
        right.caption(words.IMAGES_TEST)
        for label in rarest:
            name, left, right = st.columns([1, 6, 6], vertical_alignment="center")
            name.markdown(f"**{escape(classes[label], 20)}**")
            for place, kind in ((left, TRAIN), (right, TEST)):
                at = choose_rows(arrays, label, kind)
                if len(at):
                    wrong = int((arrays["predicted"][at] != arrays["y"][at]).sum())
                    alt = words.IMAGES_ALT.format(n=len(at), kind=words.IMAGES_KINDS[kind], name=classes[label], wrong=wrong)
                    place.image(join_images(arrays["thumbs"][at]), alt=alt)


def join_images(images: np.ndarray) -> np.ndarray:
    """Return images [n, h, w, channels] side by side with a gap, every pixel as a block so that the browser does not blur it."""
    times = max(1, SIDE // max(images.shape[1:3]))
    big = images.repeat(times, axis=1).repeat(times, axis=2)
    gap = np.full((len(big), big.shape[1], 6, big.shape[3]), 255, np.uint8)
    row = np.concatenate(np.concatenate([big, gap], axis=2), axis=1)[:, :-6]
    return row[..., 0] if row.shape[-1] == 1 else row
