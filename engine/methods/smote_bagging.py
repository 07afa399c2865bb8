"""SMOTE-bagging."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from engine.methods.picked_base import PickedMethod
from engine.samplers.hardness import Pick, count_bagged, pick_with_repetition
from engine.spec.pens import Pen


@dataclass(frozen=True)
class SMOTEBagging(PickedMethod):
    """Trees on as many rows of every class as the largest has. Of smaller classes some are drawn with repetition, and SMOTE
    makes the rest."""

    name = "smote-bagging"
    title = "SMOTE-bagging"
    family = "ensemble"
    kinds = ("tabular", "points", "images")
    source = (
        "Wang and Yao 2009: 10% of a smaller class's rows are drawn for the first member, 20% for the second, up to all, then again; "
        "SMOTE has 5 neighbours (SMOTE-NC where columns are categories)."
    )
    pen = Pen("green", "solid", "square")
    comparison = 52

    @classmethod
    def count_grown(cls, counts: Sequence[int]) -> int:
        """See EstimatorMethod."""
        return len(counts) * max(counts)

    def start(self, y: np.ndarray) -> Pick:
        """See PickedMethod."""
        sizes = np.bincount(y)
        return lambda t, hardness, rng: pick_with_repetition(y, count_bagged(sizes, t)[0], rng)

    def count_made(self, y: np.ndarray, t: int) -> Mapping[int, int]:
        """See PickedMethod."""
        return dict(enumerate(count_bagged(np.bincount(y), t)[1].tolist()))
