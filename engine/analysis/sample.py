"""Samples the rows whose features are stored for a run: the artifact `features/<replicate>`.

Imports NumPy alone. The sample is stratified by part (training, test, synthetic) and class. A class gets at least half of an
equal share, so that rare classes are visible. The sample is therefore less imbalanced than the data; `size` holds the rows of
each part in all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from engine.errors import BadData

MakeImages: TypeAlias = Callable[[np.ndarray], np.ndarray]
"""Numbers of synthetic rows [m] -> what they look like, uint8 [m, channels, height, width]."""
Cells: TypeAlias = Callable[[np.ndarray], dict[str, np.ndarray]]
"""Numbers of rows in the dataset [m] -> what stands in their columns, as arrays to keep."""

TRAIN, TEST, SYNTHETIC = range(3)
"""Values of `part`."""
MAX_SAMPLED = (1200, 600, 700)
"""Most rows of each part."""
THUMB_SIDE = 32
"""Pixels: the longer side of a thumbnail, at most."""


@dataclass(frozen=True)
class Part:
    """Rows of one part of one replicate, without padding.

    x: features under the final network, float [n, H]. y: classes, int [n]. predicted: the network's class of each row, int [n].
    rows: row numbers in the dataset, int [n]; None for synthetic rows. lines: for synthetic rows, the positions of base and partner in
    the training part and the share of the way from one to the other, float [n, 3], -1 for none; None where they are not known.
    attention: how much of each class's entry the classifier's memory gives a row, float [n, C]; None without a memory.
    """

    x: np.ndarray
    y: np.ndarray
    predicted: np.ndarray
    rows: np.ndarray | None = None
    lines: np.ndarray | None = None
    attention: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.y)


def make_features_artifact(
    train: Part,
    test: Part,
    synthetic: Part | None,
    *,
    classes: int,
    images: np.ndarray | None = None,
    made: MakeImages | None = None,
    cells: Cells | None = None,
    rng: np.random.Generator,
    most: tuple[int, int, int] = MAX_SAMPLED,
) -> dict[str, np.ndarray]:
    """The arrays of the artifact `features/<replicate>`, in the order training, test, synthetic.

    x float32 [n, H]; y int16 [n]; part uint8 [n]; row int64 [n], the number in the dataset, -1 for synthetic rows; predicted int16
    [n]; size int64 [3], rows of each part in all. base, partner int32 [n]: the places in this sample of the two rows that a
    synthetic one lies between, -1 where that row was not drawn or is not known; step float32 [n], its share of the way from base
    to partner, NaN where that is not known; enemy int32 [n]: partner where its class is not the base's, else -1. For images thumbs
    uint8 [real rows, h, w, channels], sides of at most THUMB, and for input rows that a method made of them made, the same of
    the synthetic rows. For tables what `Cells` holds. Of a classifier with a memory attention float32 [n, C].

    classes: their number. images: `Dataset.images`, uint8 [rows of the dataset, channels, height, width]. rng: the draw depends
    on it and on the classes alone, not on x. Enemies of the drawn synthetic rows come before other training rows, the most
    frequent first, then the other ends of their lines. They fill at most half of their class's places, so that the rest shows where
    the class lies.
    """
    parts = [train, test] + ([synthetic] if synthetic is not None else [])
    widths = {part.x.shape[1] for part in parts if len(part)}
    if len(widths) > 1:
        raise BadData(f"the parts have features of {sorted(widths)} columns; they must be of one net's feature space.")
    streams = rng.spawn(3)  # so that the rows drawn from one part do not change those of another
    drawn = [
        sample_stratified(part.y, classes, limit, stream) for part, limit, stream in zip(parts, most, streams, strict=False)
    ]
    lines = None if synthetic is None or synthetic.lines is None else synthetic.lines[drawn[SYNTHETIC]]
    if lines is not None:
        drawn[TRAIN] = _sample_with_ends(train.y, classes, most[TRAIN], lines, rng.spawn(1)[0])
    rows = [np.full(len(at), -1) if part.rows is None else part.rows[at] for part, at in zip(parts, drawn, strict=True)]

    def joined(name: str, kind: type) -> np.ndarray:
        return np.concatenate([getattr(part, name)[at] for part, at in zip(parts, drawn, strict=True)]).astype(kind)

    out = {
        "x": joined("x", np.float32),
        "y": joined("y", np.int16),
        "part": np.repeat(np.arange(len(parts), dtype=np.uint8), [len(at) for at in drawn]),
        "row": np.concatenate(rows).astype(np.int64),
        "predicted": joined("predicted", np.int16),
        "size": np.array([len(train), len(test), 0 if synthetic is None else len(synthetic)], np.int64),
    }
    out |= _place_ends(lines, train.y, drawn)
    if all(part.attention is not None for part in parts):
        out["attention"] = joined("attention", np.float32)
    real = np.concatenate(rows[:SYNTHETIC])
    if images is not None:
        out["thumbs"] = make_thumbnails(images[real])
        if made is not None and synthetic is not None and len(drawn[SYNTHETIC]):
            out["made"] = make_thumbnails(made(drawn[SYNTHETIC]))
    return out | (cells(real) if cells is not None else {})


def _place_ends(lines: np.ndarray | None, y: np.ndarray, drawn: list[np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays base, partner, enemy and step of a sample. lines [m, 3]: of its synthetic rows; y: classes of the training part."""
    n, before = sum(map(len, drawn)), len(drawn[TRAIN]) + len(drawn[TEST])
    out = {name: np.full(n, -1, np.int32) for name in ("base", "partner", "enemy")} | {"step": np.full(n, np.nan, np.float32)}
    if lines is None:
        return out
    place = np.full(len(y) + 1, -1, np.int32)  # the last entry serves -1, no row
    place[drawn[TRAIN]] = np.arange(len(drawn[TRAIN]))
    base, partner = lines[:, 0].astype(int), lines[:, 1].astype(int)
    out["base"][before:], out["partner"][before:] = place[base], place[partner]
    out["enemy"][before:] = np.where((partner >= 0) & (y[partner] != y[base]), place[partner], -1)
    out["step"][before:] = np.where(base >= 0, lines[:, 2], np.nan)
    return out


def split_quota(counts: np.ndarray, most: int) -> np.ndarray:
    """Rows to draw from each class, int [C], for class sizes counts [C]: all where they are at most `most`, else `most` in sum.

    Every class first gets up to half of an equal share. The rest is split in proportion to the remaining rows, by largest
    remainder.
    """
    counts = np.asarray(counts, np.int64)
    if counts.sum() <= most:
        return counts
    given = np.minimum(counts, most // (2 * max(1, int(np.count_nonzero(counts)))))
    left = counts - given
    share = left * (most - int(given.sum())) / int(left.sum())
    whole = np.floor(share).astype(np.int64)
    order = np.argsort(whole - share, kind="stable")
    whole[order[: most - given.sum() - whole.sum()]] += 1
    return np.asarray(given + whole)


def sample_stratified(y: np.ndarray, classes: int, most: int, rng: np.random.Generator) -> np.ndarray:
    """Ascending positions of at most `most` rows of classes y [n]; `split_quota` gives the number per class."""
    wanted = split_quota(np.bincount(y, minlength=classes), most)
    return _draw(y, wanted, np.zeros(len(y)), rng)


def _sample_with_ends(y: np.ndarray, classes: int, most: int, lines: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """As `sample_stratified`, but the ends of `lines` come first, in at most half of each class's places: partners of another class,
    then the others.
    """
    wanted = split_quota(np.bincount(y, minlength=classes), most)
    base, partner = lines[:, 0].astype(int), lines[:, 1].astype(int)
    across = (partner >= 0) & (y[partner] != y[base])
    often = np.bincount(partner[across], minlength=len(y)).astype(float)
    rest = np.concatenate([base[base >= 0], partner[(partner >= 0) & ~across]])
    often += np.bincount(rest, minlength=len(y)) / (len(rest) + 1)
    for c in range(classes):
        of_class = np.flatnonzero(y == c)
        by_turn = of_class[np.argsort(-often[of_class], kind="stable")]
        often[by_turn[wanted[c] // 2 :]] = 0
    return _draw(y, wanted, often, rng)


def _draw(y: np.ndarray, wanted: np.ndarray, first: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Ascending: wanted[c] positions of every class, largest `first` [n] first, ties at random."""
    order = rng.permutation(len(y))
    order = order[np.argsort(-first[order], kind="stable")]
    return np.sort(np.concatenate([order[y[order] == c][:count] for c, count in enumerate(wanted)]))


def make_thumbnails(images: np.ndarray) -> np.ndarray:
    """uint8 [n, channels, height, width] -> [n, h, w, channels] with h, w <= THUMB. Larger images are shrunk by area averages."""
    shrunk = images.transpose(0, 2, 3, 1)
    longest = max(shrunk.shape[1:3])
    if longest > THUMB_SIDE:
        means: np.ndarray = shrunk.astype(np.float32)
        for axis in (1, 2):
            side = shrunk.shape[axis]
            cuts = np.linspace(0, side, max(1, round(side * THUMB_SIDE / longest)) + 1).round().astype(int)
            sizes = np.diff(cuts).reshape([-1 if a == axis else 1 for a in range(4)])
            means = np.add.reduceat(means, cuts[:-1], axis) / sizes
        shrunk = means.round().astype(np.uint8)
    return np.ascontiguousarray(shrunk)
