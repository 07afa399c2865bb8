"""Self-paced ensemble."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np

from engine.methods.base import param
from engine.methods.picked_base import PickedMethod
from engine.samplers.hardness import COUNTS, Pick, pick_by_hardness
from engine.spec.pens import Pen


@dataclass(frozen=True)
class SelfPaced(PickedMethod):
    """Trees on all rows of the smallest class and as many of the others. Later trees see rows of every
    hardness, no longer mostly easy ones."""

    name = "self-paced"
    title = "Self-paced ensemble"
    family = "ensemble"
    kinds = ("tabular", "points", "images")
    source = (
        "Liu et al. 2020. Bins of hardness are fixed on [0, 1]; counts are rounded by largest remainders, "
        "so that no member has too many rows."
    )
    presets: ClassVar = {**PickedMethod.presets, "released": {"members": 50, "counts": "released"}}
    deviations: ClassVar = {
        "released": ("Bins are fixed on [0, 1]; the released code's run from the least to the greatest hardness.",)
    }
    pen = Pen("sky", "longdashdot", "star")
    comparison = 31
    follows = True

    bins: int = param(5, low=1, high=100, help="Bins of hardness from 0 to 1.")
    counts: str = param(
        "largest remainders", choices=COUNTS, advanced=True,
        help="How shares of rows become whole numbers: by largest remainders, or as released, which draws up to a row a bin too many, "
        "with repetition.",
    )  # fmt: skip

    def start(self, y: np.ndarray) -> Pick:
        """See PickedMethod."""
        return partial(self._pick, y)

    def _pick(self, y: np.ndarray, t: int, hardness: np.ndarray | None, rng: np.random.Generator) -> np.ndarray:
        return pick_by_hardness(hardness, y, t, self.members, self.bins, rng, self.counts)
