"""RB-CCR before training."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from engine.data.dataset import Task
from engine.methods.base import DeepMethod, param
from engine.methods.ccr_base import SphereMethod
from engine.samplers.ccr import CLASSES, REGIONS, rb_ccr
from engine.spec.fields import FIRST
from engine.spec.pens import Pen
from engine.training.oversampling import Draw


@dataclass(frozen=True)
class RBCCR(SphereMethod):
    """CCR that chooses where in a sphere new rows lie: as dense in minority rows as its seed, sparser, or denser. A single minority row
    has no denser place in its sphere: its rows then come from the others."""

    name = "rb-ccr"
    title = "RB-CCR"
    source = (
        "Koziarski, Bellinger and Wozniak 2021; a seed itself is no candidate, a sphere of one potential is all of region E, and the "
        "parameters that the authors search are fixed."
    )
    presets: ClassVar = {**DeepMethod.presets, "rb-ccr": {"energy": 10.0}}
    deviations: ClassVar = {
        **DeepMethod.deviations,
        "rb-ccr": (
            "The authors search energy, width and regions by cross-validation; here they are values from the middle of their lists.",
        ),
    }
    pen = Pen("green", "longdashdot", "circle")
    comparison = 74

    region: str = param(
        "E", choices=REGIONS, stacks=FIRST,
        help="Where rows are drawn: minority density as at the seed (E), lower (L), higher (H), or in several of these.",
    )  # fmt: skip
    gamma: float = param(
        2.5, low=0.0, high=100.0, stacks=FIRST, help="Width of each minority row's share of the density; 0 draws as CCR does."
    )
    candidates: int = param(100, low=1, high=1000, stacks=FIRST, advanced=True, help="Places tried in each sphere.")
    threshold: float = param(
        0.33, low=0.0, high=1.0, stacks=FIRST, advanced=True,
        help="Share of the way from the seed's density to the sphere's lowest or highest at which L or H begins.",
    )  # fmt: skip
    classes: str = param(
        "one-by-one", choices=CLASSES, stacks=FIRST, advanced=True,
        help="With many classes, a class's spheres meet all other rows, or as many rows of every larger class, as MC-CCR does.",
    )  # fmt: skip

    def draws(self, task: Task) -> list[Draw]:
        """See SampledMethod."""
        fixed = self.count_fixed(task)
        return [
            partial(
                rb_ccr, energy=one.energy, gamma=one.gamma, region=one.region, candidates=one.candidates, threshold=one.threshold,
                cleaning=one.cleaning, classes=one.classes, fixed=fixed,
            )
            for one in self.list_members(task)
        ]  # fmt: skip
