"""Multiplies the training images of a replicate: each is there once as it is and again turned and mirrored (DOS, table 5)."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Sequence

import numpy as np

from engine.data.split import Parts
from engine.data.table import Dataset, Multiply
from engine.seeds import numpy_stream


def multiply_rows(dataset: Dataset, cuts: Sequence[Parts], seed: int, index: int) -> tuple[Dataset, list[Parts]]:
    """The set with the images that its cuts need behind its rows, and each cut with them in training alone.

    A class keeps as many images for either `delete`: those of its remaining training rows times the copies. seed, index: of the spec's
    seed and seed index; images that "copies" keeps are drawn from their stream "multiplied".
    """
    how = dataset.multiply
    if how is None or how.copies == 1:
        return dataset, list(cuts)
    made: dict[tuple[int, int], int] = {}  # (row, number of the copy) -> number of the new row
    out = []
    for fold, cut in enumerate(cuts):
        rng = numpy_stream(seed, "multiplied", index, fold)
        own = [_choose(dataset, cut, c, how, rng) for c in range(len(dataset.classes))]
        pairs = [pair for chosen in own for pair in chosen]
        for pair in pairs:
            if pair[1]:
                made.setdefault(pair, len(dataset.y) + len(made))
        train = np.array([made.get(pair, pair[0]) for pair in pairs], np.int64)
        gone = np.setdiff1d(np.concatenate([cut.train, cut.withheld]), [row for row, _ in pairs])
        out.append(dataclasses.replace(cut, train=np.sort(train), withheld=gone))
    assert dataset.images is not None
    new = [turn(dataset.images[row], number) for row, number in made]
    rows = np.array([row for row, _ in made], np.int64)
    return dataclasses.replace(
        dataset,
        images=np.concatenate([dataset.images, np.stack(new)]),
        y=np.concatenate([dataset.y, dataset.y[rows]]),
        numeric=np.zeros((len(dataset.y) + len(rows), 0)),
        categorical=np.zeros((len(dataset.y) + len(rows), 0), np.int64),
        original=np.concatenate([np.arange(len(dataset.y)), rows]),
    ), out


def _choose(dataset: Dataset, cut: Parts, c: int, how: Multiply, rng: np.random.Generator) -> list[tuple[int, int]]:
    """(row, number of the copy) of a class's training images, number 0 is the row itself."""
    kept = cut.train[dataset.y[cut.train] == c]
    if how.delete == "originals":
        return [(int(row), k) for row in kept for k in range(how.copies)]
    whole = np.concatenate([kept, cut.withheld[dataset.y[cut.withheld] == c]])
    chosen = np.sort(rng.permutation(len(whole) * how.copies)[: len(kept) * how.copies])
    return [(int(whole[i // how.copies]), int(i % how.copies)) for i in chosen]


def turn(image: np.ndarray, number: int) -> np.ndarray:
    """A copy of an image [channels, h, w] uint8: turned by a uniform angle about its centre, mirrored with chance 1/2, bilinear, its edges
    reflected. The draw depends on the image and the number of the copy alone.
    """
    from scipy import ndimage

    rng = np.random.default_rng([zlib.crc32(b"multiplied"), zlib.crc32(np.ascontiguousarray(image).data), number])
    angle, mirrored = rng.uniform(0, 360), rng.uniform() < 0.5
    given = image[:, :, ::-1] if mirrored else image
    turned = ndimage.rotate(given.astype(np.float32), angle, axes=(1, 2), reshape=False, order=1, mode="reflect")
    return turned.round().clip(0, 255).astype(np.uint8)  # type: ignore[no-any-return]
