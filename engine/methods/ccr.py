"""CCR before training."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from engine.data.dataset import Task
from engine.methods.base import param
from engine.methods.ccr_base import BallMethod
from engine.samplers.ccr import CLASSES, ccr
from engine.spec.fields import FIRST
from engine.spec.pens import Pen
from engine.training.oversampling import Draw


@dataclass(frozen=True)
class CCR(BallMethod):
    """Every minority row grows a sphere, small where majority rows are near. Majority rows inside are pushed to its surface. New minority
    rows are drawn inside, more in small spheres. Where columns are many, distances are alike: a sphere then holds no majority row, or
    all. Works from a single minority row."""

    name = "ccr"
    title = "CCR"
    source = (
        "Koziarski and Wozniak 2017; radii by the paper's formula in closed form, whole numbers of rows by largest remainders, on "
        "standardised columns with the Euclidean norm."
    )
    pen = Pen("green", "longdashdot", "triangle-down")
    comparison = 72

    classes: str = param(
        "one-by-one", choices=CLASSES, stacks=FIRST, advanced=True,
        help="With many classes, a class's spheres meet all other rows, or as many rows of every larger class, as MC-CCR does.",
    )  # fmt: skip

    def draws(self, task: Task) -> list[Draw]:
        """See SampledMethod."""
        fixed = self.count_fixed(task)
        return [partial(ccr, classes=one.classes, fixed=fixed, **one.read_options()) for one in self.list_members(task)]
