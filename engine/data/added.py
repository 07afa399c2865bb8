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


def add_points(dataset: Dataset, cuts: Sequence[Parts], text: str) -> tuple[Dataset, list[Parts]]:
    """The set with the points of `text` behind its rows, and each cut with their numbers in training alone.

    The cuts are made without them, so the rows of every part stay what they are without added points. Raises BadParameter.
    """
    points = decode_points(text)
    if not points:
        return dataset, list(cuts)
    if dataset.kind != "points":
        raise BadParameter(f"{dataset.name}: points can be added to sets of points alone.")
    numbers = len(dataset.y) + np.arange(len(points))
    parts = None if dataset.parts is None else np.concatenate([dataset.parts, np.zeros(len(points), dataset.parts.dtype)])
    more = dataclasses.replace(
        dataset,
        numeric=np.concatenate([dataset.numeric, np.array(points)]),
        categorical=np.concatenate([dataset.categorical, np.zeros((len(points), 0), np.int64)]),
        y=np.concatenate([dataset.y, np.full(len(points), MINORITY)]),
        parts=parts,
    )
    return more, [dataclasses.replace(cut, train=np.concatenate([cut.train, numbers])) for cut in cuts]
