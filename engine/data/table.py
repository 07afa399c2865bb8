"""A dataset as read. Imports no torch, since the catalog and the readers of files need none."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Ints = np.ndarray

DELETE = ("copies", "originals")


@dataclass(frozen=True)
class Multiply:
    """How training images are multiplied (`engine.data.multiplied`). copies: images made of one, itself among them.

    delete: what an imbalance removes. "copies": images are multiplied first, then single ones removed, as DOS's text has it.
    "originals": images are removed first, and the others multiplied.
    """

    copies: int
    delete: str


PARTS = ("train", "valid", "test")
"""The parts that the rows of some sets name (`Dataset.parts`)."""


BESIDE = ("order", "owner", "cost", "score", "number")
"""What is known of each row besides features and class; nothing is learnt from it."""


@dataclass(frozen=True)
class Dataset:
    """A table or a set of images as read: not scaled, not encoded, missing values not replaced.

    numeric [n, p] float64, NaN where a value is missing (`engine.data.prepare` replaces it). categorical [n, q] int64: codes
    into `categories` (one tuple of level names per column). Levels come from the source's schema, not from the rows; for an
    uploaded table from all its rows. y [n] int64 in 0..C-1: an index into `classes`. With two classes 0 is the larger one (the
    majority) and 1 the minority before any imbalance, or 1 is the class of interest. official_test: row numbers of an official
    test part, or None. images: uint8 [n, channels, height, width] where kind is "images" (numeric and categorical then have no
    columns), else None. copy: a sentence about the copy that was read; empty where there is only one.

    parts: where the rows name their part, an index into PARTS per row [n]; else None, and a split makes the parts. redraw: where every
    seed index has rows of its own, (seed, seed index) -> those rows; else None. faint [n] bool: rows that a film shows faintly where they
    are validation rows; None where there are none.

    order: float64 [n], when a row happens: days since 1970-01-01 UTC where `is_date`, else the number of an order column; NaN where
    missing. owner: int64 [n], whom a row belongs to, a code; -1 where missing. cost: float64 [n], what a missed case costs, NaN where
    missing. score: float64 [n], the score or rule in use, higher where a case is likelier; NaN where missing. None where a table has no
    such column. number: int64 [n], number of each row in what was read, from 0; None where all rows are there.

    multiply: where training images are multiplied after the split (`engine.data.multiplied`), how; else None. original: int64 [n], the row
    that each is a copy of, itself for a row as read; None where no image was multiplied.
    """

    name: str
    kind: str  # points | tabular | images
    numeric: np.ndarray
    categorical: np.ndarray
    categories: tuple[tuple[str, ...], ...]
    numeric_names: tuple[str, ...]
    categorical_names: tuple[str, ...]
    y: Ints
    classes: tuple[str, ...]
    official_test: Ints | None = None
    images: np.ndarray | None = None
    copy: str = ""
    parts: Ints | None = None
    redraw: Callable[[int, int], Dataset] | None = None
    faint: np.ndarray | None = None
    order: np.ndarray | None = None
    is_date: bool = False
    owner: Ints | None = None
    cost: np.ndarray | None = None
    score: np.ndarray | None = None
    number: Ints | None = None
    multiply: Multiply | None = None
    original: Ints | None = None

    @property
    def counts(self) -> np.ndarray:
        """Rows per class [C]."""
        return np.bincount(self.y, minlength=len(self.classes))

    def draw(self, seed: int, index: int) -> Dataset:
        """The rows of seed index `index` of a run with this seed: these, where the rows do not depend on it."""
        return self if self.redraw is None else self.redraw(seed, index)

    def join_parts(self) -> Dataset:
        """The same rows, none of which belongs to a part."""
        return dataclasses.replace(self, official_test=None, parts=None, redraw=None, faint=None)

    def rows(self, which: Ints) -> Dataset:
        """These rows alone, in this order."""
        if self.official_test is not None or self.parts is not None:
            raise ValueError("rows of a dataset with parts of its own would lose their numbers")
        images = None if self.images is None else self.images[which]
        numeric, categorical = self.numeric[which], self.categorical[which]
        beside: dict[str, Any] = {name: None if (v := getattr(self, name)) is None else v[which] for name in BESIDE}
        if self.number is None:
            beside["number"] = np.arange(len(self.y))[which]
        return dataclasses.replace(self, numeric=numeric, categorical=categorical, y=self.y[which], images=images, **beside)


def numeric_only(
    name: str, kind: str, x: np.ndarray, y: np.ndarray, names: tuple[str, ...], classes: tuple[str, ...]
) -> Dataset:
    """A dataset without categorical columns. x [n, p], y [n]."""
    none = np.zeros((len(y), 0), np.int64)
    return Dataset(name, kind, x.astype(np.float64), none, (), names, (), y.astype(np.int64), classes)


def image_set(
    name: str,
    images: np.ndarray,
    y: np.ndarray,
    classes: tuple[str, ...],
    official_test: np.ndarray | None = None,
    copy: str = "",
) -> Dataset:
    """A dataset of images alone. images uint8 [n, channels, height, width], y [n], official_test: numbers of its test rows."""
    if images.dtype != np.uint8 or images.ndim != 4 or len(images) != len(y):
        raise ValueError(f"images are uint8 [n, channels, height, width], one label each; got {images.dtype} {images.shape}")
    none, codes = np.zeros((len(y), 0), np.float64), np.zeros((len(y), 0), np.int64)
    test = None if official_test is None else np.asarray(official_test, np.int64)
    return Dataset(name, "images", none, codes, (), (), (), np.asarray(y, np.int64), classes, test, images, copy)
