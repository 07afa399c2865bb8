"""Small tasks for tests: unequal replicates, two and three classes."""

from __future__ import annotations

import numpy as np
import torch

from engine.data.dataset import Dataset, Task
from engine.data.prepare import prepare
from engine.spec import Imbalance, RunSpec


def blobs(counts: tuple[int, ...] = (101, 21), features: int = 3, seed: int = 0) -> Dataset:
    """Overlapping Gaussian classes."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(len(counts), features)) * 1.2
    x = np.concatenate([rng.normal(size=(n, features)) + c for n, c in zip(counts, centres, strict=True)])
    return Dataset(
        name="blobs",
        kind="tabular",
        numeric=x,
        categorical=np.zeros((len(x), 0), np.int64),
        categories=(),
        numeric_names=tuple(f"f{i}" for i in range(features)),
        categorical_names=(),
        y=np.repeat(np.arange(len(counts)), counts),
        classes=tuple(f"class {c}" for c in range(len(counts))),
    )


def pictures(counts: tuple[int, ...] = (64, 24, 18), side: int = 8, seed: int = 0) -> Dataset:
    """Grey images: a soft spot in a place of the class's own, in noise."""
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(len(counts)), counts)
    down, across = np.mgrid[:side, :side]
    turn = 2 * np.pi * y / len(counts)
    centre = side / 2 + side / 5 * np.stack([np.sin(turn), np.cos(turn)], 1) + rng.normal(size=(len(y), 2))
    far = (down - centre[:, :1, None]) ** 2 + (across - centre[:, 1:, None]) ** 2
    light = 150 * np.exp(-far / 3) + rng.normal(size=far.shape) * 25 + 50
    return Dataset(
        name="pictures",
        kind="images",
        numeric=np.zeros((len(y), 0)),
        categorical=np.zeros((len(y), 0), np.int64),
        categories=(),
        numeric_names=(),
        categorical_names=(),
        y=y,
        classes=tuple(f"class {c}" for c in range(len(counts))),
        images=light.clip(0, 255).astype(np.uint8)[:, None],
    )


def task(
    dataset: Dataset | None = None,
    *,
    ratio: float | None = 8.0,
    folds: int = 3,
    seeds: int = 2,
    numbers: list[int] | None = None,
    dtype: torch.dtype = torch.float64,
    seed: int = 0,
) -> Task:
    """A prepared task with folds x seeds replicates."""
    imbalance = Imbalance() if ratio is None else Imbalance("ratio", ratio)
    spec = RunSpec("blobs", "ce", imbalance, folds=folds, seeds=seeds, seed=seed)
    return prepare(dataset or blobs(), spec, numbers, dtype=dtype)
