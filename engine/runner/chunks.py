"""Which replicates are trained together: stacks of a size that the spec and the dataset fix."""

from __future__ import annotations

from collections.abc import Iterator

from engine.data.table import Dataset

CHUNK = 20
"""Replicates trained together at most. Fixed by the spec, so that numbers do not depend on the machine or on what ran beside."""

MAX_VALUES = 20_000_000
"""Values (rows x columns x replicates) that the rows of a chunk may have: images come one replicate at a time."""


def split_replicates(replicates: int, size: int) -> Iterator[range]:
    """Replicate numbers in stacks of at most `size`."""
    for first in range(0, replicates, size):
        yield range(first, min(first + size, replicates))


def chunk_size(dataset: Dataset) -> int:
    """Replicates trained together for this dataset."""
    images = 0 if dataset.images is None else int(dataset.images[0].size)
    columns = int(dataset.numeric.shape[1]) + sum(map(len, dataset.categories)) + images
    return max(1, min(CHUNK, MAX_VALUES // max(1, len(dataset.y) * columns)))


def count_chunks(replicates: int) -> int:
    """Chunks of `CHUNK` replicates that hold so many."""
    return -(-replicates // CHUNK)
