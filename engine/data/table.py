"""A dataset as read. No torch here: the catalog and the readers of files need none."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

Ints = np.ndarray


@dataclass(frozen=True)
class Dataset:
    """A table as read: nothing scaled, nothing encoded, no missing values.

    numeric [n, p] float64; categorical [n, q] int64 codes into `categories` (one tuple of level names per column; levels
    come from the source's schema, not from the rows). y [n] int64 in 0..C-1, an index into `classes`; with two classes
    0 is the larger one (the majority) and 1 the minority, as the data come.
    official_test: row numbers of an official test part, or None.
    """

    name: str
    kind: str  # points | tabular
    numeric: np.ndarray
    categorical: np.ndarray
    categories: tuple[tuple[str, ...], ...]
    numeric_names: tuple[str, ...]
    categorical_names: tuple[str, ...]
    y: Ints
    classes: tuple[str, ...]
    official_test: Ints | None = None

    @property
    def counts(self) -> np.ndarray:
        """Rows per class [C]."""
        return np.bincount(self.y, minlength=len(self.classes))

    def rows(self, which: Ints) -> Dataset:
        """These rows alone, in this order."""
        if self.official_test is not None:
            raise ValueError("rows of a dataset with an official test part would lose their numbers")
        part = {"numeric": self.numeric[which], "categorical": self.categorical[which], "y": self.y[which]}
        return dataclasses.replace(self, **part)


def numeric_only(
    name: str, kind: str, x: np.ndarray, y: np.ndarray, names: tuple[str, ...], classes: tuple[str, ...]
) -> Dataset:
    """A dataset without categorical columns. x [n, p], y [n]."""
    none = np.zeros((len(y), 0), np.int64)
    return Dataset(name, kind, x.astype(np.float64), none, (), names, (), y.astype(np.int64), classes)
