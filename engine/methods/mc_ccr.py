"""MC-CCR before training."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from engine.data.dataset import Task
from engine.methods.ccr_base import BallMethod
from engine.samplers.ccr import ccr
from engine.spec.pens import Pen
from engine.training.oversampling import Draw


@dataclass(frozen=True)
class MCCCR(BallMethod):
    """CCR for many classes, from the large to the small. Each class's spheres meet equally many rows of every larger class. With two
    classes it is CCR, and has its limits."""

    name = "mc-ccr"
    title = "MC-CCR"
    source = (
        "Koziarski et al. 2020; the decomposition of the authors' code in its mode of sampling, with rows that were made or moved before; "
        "radii and numbers of rows as in CCR."
    )
    pen = Pen("green", "dash", "x")
    comparison = 73

    def draws(self, task: Task) -> list[Draw]:
        """See SampledMethod."""
        fixed = self.count_fixed(task)
        return [partial(ccr, classes="sampling", fixed=fixed, **one.read_options()) for one in self.list_members(task)]
