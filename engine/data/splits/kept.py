"""What the splits by owner and time share: the rows that an imbalance keeps, and parts that have enough rows of every class."""

from __future__ import annotations

import numpy as np

from engine.data.imbalance import cut_rows, target_counts
from engine.data.split import Parts
from engine.data.table import Dataset
from engine.errors import BadData
from engine.seeds import numpy_stream
from engine.spec import RunSpec
from engine.stats.time_cuts import LEAST, PARTS, describe_short


def keep_rows(dataset: Dataset, spec: RunSpec) -> np.ndarray:
    """Numbers of the rows that the spec's imbalance keeps, ascending; the same for every seed index, since times and owners are."""
    rng = numpy_stream(spec.seed, "split")
    rows = [rng.permutation(np.flatnonzero(dataset.y == c)) for c in range(len(dataset.classes))]
    sizes = target_counts([len(r) for r in rows], spec.imbalance, numpy_stream(spec.seed, "classes"))
    return np.sort(np.concatenate(cut_rows(rows, sizes)[0]))


def build_parts(train: np.ndarray, valid: np.ndarray, test: np.ndarray) -> Parts:
    none = np.zeros(0, np.int64)
    return Parts(np.sort(train), np.sort(valid), np.sort(test), none, none)


def find_short(dataset: Dataset, parts: Parts, least: int = LEAST) -> tuple[str, int, int] | None:
    """(part, class, rows) of a part that has fewer rows of a class than it needs: LEAST in training, else `least`; None where each has
    enough.
    """
    for name in PARTS:
        counts = np.bincount(dataset.y[getattr(parts, name)], minlength=len(dataset.classes))
        if counts.min() < (LEAST if name == "train" else least):
            return name, int(counts.argmin()), int(counts.min())
    return None


def refuse_short(dataset: Dataset, kind: str, short: tuple[str, int, int], delayed: bool = False) -> BadData:
    """The error of a split that leaves a part with too few rows of a class."""
    part, c, n = short
    return BadData(describe_short(kind, part, dataset.classes[c], n, delayed))


def split_owners(owner: np.ndarray) -> np.ndarray:
    """int64 [n]: owners from 0 on. A row without an owner (-1) is one of its own."""
    codes = owner.astype(np.int64).copy()
    alone = codes < 0
    codes[alone] = (codes.max() + 1 if len(codes) else 0) + np.arange(int(alone.sum()))
    found: np.ndarray = np.unique(codes, return_inverse=True)[1]
    return found
