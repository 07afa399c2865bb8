"""Data drawn from a seed, where a benchmark's own are not on the machine."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.data.table import Dataset


def count_rows(most: int, ratio: float = 100.0, classes: int = 10) -> list[int]:
    """Rows of classes that fall exponentially, to a `ratio`-th."""
    return [int(most * ratio ** (-c / (classes - 1))) for c in range(classes)]


def make_embeddings(counts: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """64 features as after a ReLU: overlapping classes, no negative number."""
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(len(counts)), counts)
    x = 0.6 * rng.normal(size=(len(counts), 64))[y] + rng.normal(size=(len(y), 64))
    return np.maximum(x, 0).astype(np.float32), y


def make_table(name: str, columns: int, counts: Sequence[int]) -> Dataset:
    """Numbers of overlapping classes, in a random order."""
    rng = np.random.default_rng(len(name) + columns)
    y = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    x = 0.7 * rng.normal(size=(len(counts), columns))[y] + rng.normal(size=(len(y), columns))
    none = np.zeros((len(y), 0), np.int64)
    names = tuple(f"v{i}" for i in range(columns))
    return Dataset(name, "tabular", x, none, (), names, (), y.astype(np.int64), tuple(str(c) for c in range(len(counts))))


def make_images(train: Sequence[int], others: int, side: int = 32) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Colour images of classes that differ in their mean colours: uint8 [n, 3, side, side], class [n], part [n].

    train: training rows of each class; others: validation rows of each class, and as many test rows.
    """
    rng = np.random.default_rng(0)
    y = np.concatenate([np.repeat(np.arange(len(train)), n) for n in (train, [others] * len(train), [others] * len(train))])
    part = np.repeat([0, 1, 2], [sum(train), others * len(train), others * len(train)])
    means = rng.integers(96, 160, (len(train), 3, 1, 1))
    images = np.empty((len(y), 3, side, side), np.uint8)
    for start in range(0, len(y), 2000):  # a block at a time: float64 takes eight times the memory
        own = y[start : start + 2000]
        noise = rng.normal(0, 40, (len(own), 3, side, side))
        images[start : start + 2000] = np.clip(means[own] + noise, 0, 255).astype(np.uint8)
    return images, y, part


def as_dataset(images: np.ndarray, y: np.ndarray, part: np.ndarray, name: str = "images") -> Dataset:
    """Images whose rows name their part: 0 training, 1 validation, 2 test."""
    none = np.zeros((len(y), 0))
    classes = tuple(str(c) for c in range(int(y.max()) + 1))
    return Dataset(
        name, "images", none, none.astype(np.int64), (), (), (), y.astype(np.int64), classes, images=images, parts=part
    )
