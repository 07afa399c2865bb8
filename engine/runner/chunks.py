"""Which replicates are trained together: stacks whose size depends on the spec and the dataset alone."""

from __future__ import annotations

from collections.abc import Iterator

from engine.data.table import Dataset

CHUNK = 20
"""Largest number of replicates trained together. A constant, so that numbers do not depend on the machine or its load."""

MAX_VALUES = 20_000_000
"""Largest number of values (rows x columns x replicates) in the rows of a chunk. Image datasets train one replicate at a time.
"""


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
    """Number of chunks of `CHUNK` replicates."""
    return -(-replicates // CHUNK)
