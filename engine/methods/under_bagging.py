"""Bagging of trees on under-sampled rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.methods.picked_base import PickedMethod
from engine.samplers.hardness import Pick, pick_equally
from engine.spec.pens import Pen


@dataclass(frozen=True)
class UnderBagging(PickedMethod):
    """Trees that each see all rows of the smallest class and as many of every other, drawn anew for each."""

    name = "under-bagging"
    title = "Under-bagging"
    family = "ensemble"
    kinds = ("tabular", "points", "images")
    source = "Barandela, Valdovinos and Sánchez 2003. Rows are drawn without repetition."
    pen = Pen("green", "longdash", "hexagon")
    comparison = 50

    def start(self, y: np.ndarray) -> Pick:
        """See PickedMethod."""
        return lambda t, hardness, rng: pick_equally(y, rng)
