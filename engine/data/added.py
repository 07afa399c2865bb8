"""Adds the points of a spec to the training rows of a points set."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from engine.data.split import Parts
from engine.data.table import Dataset
from engine.errors import BadParameter
from engine.spec.points import decode_points

MINORITY = 1
"""The class of added points: the smaller one of every points set before an imbalance is made."""


def append_points(dataset: Dataset, text: str) -> Dataset:
    """The set with the points of `text` behind its rows, also where it is drawn anew. Raises BadParameter."""
    points = decode_points(text)
    if not points:
        return dataset
    if dataset.kind != "points":
        raise BadParameter(f"{dataset.name}: points can be added to sets of points alone.")
    redraw = dataset.redraw
    return dataclasses.replace(
        dataset,
        numeric=np.concatenate([dataset.numeric, np.array(points)]),
        categorical=np.concatenate([dataset.categorical, np.zeros((len(points), 0), np.int64)]),
        y=np.concatenate([dataset.y, np.full(len(points), MINORITY)]),
        parts=_pad(dataset.parts, len(points)),
        faint=_pad(dataset.faint, len(points)),
        redraw=None if redraw is None else lambda seed, index: append_points(redraw(seed, index), text),
    )


def add_points(dataset: Dataset, cuts: Sequence[Parts], text: str) -> tuple[Dataset, list[Parts]]:
    """`append_points`, and each cut with the numbers of the points in training alone.

    The cuts are made without them, so the rows of every part stay what they are without added points. Raises BadParameter.
    """
    more = append_points(dataset, text)
    numbers = np.arange(len(dataset.y), len(more.y))
    return more, [dataclasses.replace(cut, train=np.concatenate([cut.train, numbers])) for cut in cuts]


def _pad(values: np.ndarray | None, count: int) -> np.ndarray | None:
    """What the rows are marked with, and 0 for each of the points: of training, and not shown faintly."""
    return None if values is None else np.concatenate([values, np.zeros(count, values.dtype)])
