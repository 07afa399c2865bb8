"""A table's columns among the features of a task, and which of them say nearly the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.data.dataset import Dataset

LIKE = 0.7
"""Columns whose association is at least this, on average, form one group."""

MOST_ROWS, MOST_CELLS = 4096, 8_000_000
"""Rows that associations are measured on, and cells of their matrix, at most."""


@dataclass(frozen=True)
class Column:
    """A column of the table. features: numbers of its features (`engine.data.prepare.encode`). number: its place among the numeric or
    the categorical columns. levels: of a categorical column, in the order of its features; empty for a numeric one.
    """

    name: str
    number: int
    features: tuple[int, ...]
    levels: tuple[str, ...] = ()


def list_columns(dataset: Dataset) -> list[Column]:
    """The columns of a table, numeric ones first. A numeric column with missing values has a second feature that marks them."""
    gaps = np.isnan(dataset.numeric).any(0)
    width = dataset.numeric.shape[1]
    marks = iter(range(width, width + int(gaps.sum())))
    out = [Column(name, j, (j, next(marks)) if gaps[j] else (j,)) for j, name in enumerate(dataset.numeric_names)]
    begin = width + int(gaps.sum())
    for j, (name, levels) in enumerate(zip(dataset.categorical_names, dataset.categories, strict=True)):
        out.append(Column(name, j, tuple(range(begin, begin + len(levels))), tuple(levels)))
        begin += len(levels)
    return out


def measure_association(dataset: Dataset, rows: np.ndarray) -> np.ndarray:
    """Association of every two columns in [0, 1], [P, P]: of numbers |Spearman's rank correlation|, of levels Cramer's V, of a number
    and levels the correlation ratio of the ranks; the last two with Bergsma's correction (2013). The classes are not looked at.

    A column becomes one standardised feature (ranks) or one for each level, (is level - share) / sqrt(share). The sum of the squared
    mean products of two columns' features is then the squared rank correlation, the squared correlation ratio, or chi-square / n.
    """
    from scipy.stats import rankdata

    n, parts, sizes = max(1, len(rows)), [], []
    for values in dataset.numeric[rows].T:
        known = ~np.isnan(values)
        ranks = np.zeros(n)
        if known.any():
            own = rankdata(values[known])
            ranks[known] = own - own.mean()
        sd = ranks.std()
        parts.append((ranks / sd if sd > 0 else ranks)[:, None])
        sizes.append(1)
    for codes in dataset.categorical[rows].T:
        there, place = np.unique(codes, return_inverse=True)
        share = np.bincount(place) / n
        parts.append(((place[:, None] == np.arange(len(there))) - share) / np.sqrt(share))
        sizes.append(len(there))
    if not parts:
        return np.zeros((0, 0))
    width, starts = np.array(sizes), np.cumsum([0, *sizes[:-1]])
    features = np.concatenate(parts, axis=1)
    squares = (features.T @ features / n) ** 2
    squares = np.add.reduceat(np.add.reduceat(squares, starts, axis=0), starts, axis=1)
    numbers = len(dataset.numeric_names)
    free = np.where(np.arange(len(width)) < numbers, 1, np.maximum(width - 1, 0)).astype(float)
    chance = np.outer(free, free) / n
    chance[:numbers, :numbers] = 0.0
    least = np.minimum.outer(free, free)
    share = np.where(least > 0, (squares - chance) / np.where(least > 0, least - chance, 1), 0.0)
    out: np.ndarray = np.sqrt(np.clip(np.nan_to_num(share), 0, 1))
    np.fill_diagonal(out, 1.0)
    return out


def group_columns(dataset: Dataset, rng: np.random.Generator) -> list[list[int]]:
    """Numbers of the columns (`list_columns`), those that go together in one list: average linkage, cut at LIKE.

    A group stands where its first column stands.
    """
    columns = list_columns(dataset)
    if len(columns) < 2:
        return [[i] for i in range(len(columns))]
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    width = max(1, sum(max(1, len(c.levels)) for c in columns))
    most = max(100, min(MOST_ROWS, MOST_CELLS // width))
    rows = np.arange(len(dataset.y))
    if len(rows) > most:
        rows = np.sort(rng.permutation(len(rows))[:most])
    apart = 1 - measure_association(dataset, rows)
    apart = (apart + apart.T) / 2
    np.fill_diagonal(apart, 0.0)
    label = fcluster(linkage(squareform(apart, checks=False), "average"), 1 - LIKE, "distance")
    groups: dict[int, list[int]] = {}
    for i, c in enumerate(label.tolist()):
        groups.setdefault(c, []).append(i)
    return sorted(groups.values())
