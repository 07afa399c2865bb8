"""A page with a map of 100,000 made points, for benchmarks/map.py: `streamlit run benchmarks/map_page.py`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import streamlit as st

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from app.charts.embedding import list_colours
from app.map import SYNTHETIC, Layout, encode_map, mount_map
from app.words.deep import MAP

POINTS, CLASSES = 100_000, 10


def make_points() -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Ten clouds, the rare ones smaller, a third of the points synthetic: (scene, places)."""
    rng = np.random.default_rng(0)
    share = np.linspace(2, 0.3, CLASSES)
    part = np.sort(rng.choice(3, POINTS, p=[0.5, 0.2, 0.3])).astype(np.uint8)
    y = rng.choice(CLASSES, POINTS, p=share / share.sum())
    xy = 4 * rng.normal(size=(CLASSES, 2))[y] + 0.7 * rng.normal(size=(POINTS, 2))
    real = part != SYNTHETIC
    lost = np.full(POINTS, -1)
    scene = {"y": y, "part": part, "predicted": y, "row": np.where(real, np.arange(POINTS), -1), "enemy": lost}
    return scene, xy


st.set_page_config(layout="wide")
SCENE, PLACES = make_points()
LAYOUT = Layout("pca", "PCA", PLACES, said="Made points.", alt="Made points.")
NAMES = [str(c) for c in range(CLASSES)]
mount_map(encode_map("made", [LAYOUT], classes=NAMES, colours=list_colours(CLASSES), words=MAP, scene=SCENE), key="map")
