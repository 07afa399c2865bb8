"""Large-margin nearest neighbours: a metric on the features of plain training."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from engine.data.dataset import Task
from engine.events import Event, Phase
from engine.methods.base import param
from engine.methods.decoupled import DecoupledMethod, Refit
from engine.models.net import Net
from engine.spec.fields import LATER
from engine.spec.pens import Pen
from engine.training.camera import Camera
from engine.training.feature_maps import fit_lmnn, fit_mapped
from engine.training.loop import Chosen, Meter

ROWS = 500
"""Most rows that the map is fitted on."""


@dataclass(frozen=True)
class LMNN(DecoupledMethod):
    """Train plainly, then learn a linear map of the features under which a row's nearest rows are of its class, with a margin; the 5
    nearest neighbours there decide. The larger class keeps its larger share of votes."""

    name = "lmnn"
    title = "Large-margin neighbours (LMNN)"
    family = "metric"
    kinds = ("tabular", "points", "images")
    source = (
        "Weinberger and Saul 2009, on a network's features: L-BFGS on the map itself, 3 targets, at most 500 rows, then the probe of 5 "
        "nearest neighbours."
    )
    comparison = 85
    controls: ClassVar = {"no map is learnt": {"steps": 0}}
    pen = Pen("green", "longdash", "triangle-down")
    control_pens: ClassVar = {"no map is learnt": Pen("green", "solid", "diamond")}

    targets: int = param(3, low=1, high=20, help="Nearest rows of its own class that each row is drawn to.")
    mu: float = param(
        0.5,
        low=0.0,
        high=1.0,
        stacks=LATER,
        help="Weight of rows of other classes that come too near; the targets have the rest.",
    )
    steps: int = param(50, low=0, high=500, help="Most steps of L-BFGS; with 0 the map stays as it begins.")
    balanced: bool = param(False, advanced=True, help="Every class counts alike in the loss; off, every row does.")

    def refit(self, net: Net, task: Task, *, chosen: Chosen, meter: Meter, camera: Camera) -> Generator[Event, None, Refit]:
        """See DecoupledMethod. The score is that of the network's own last layer, by which the epoch was chosen."""
        yield Phase("metric", "Fitting a map of the features")
        fits = [
            partial(fit_lmnn, k=one.targets, mu=one.mu, steps=one.steps, balanced=one.balanced)
            for one in self.list_members(task)
        ]
        made = yield from fit_mapped(net, task, fits.__getitem__, k=self.targets, most=ROWS, meter=meter)
        return Refit(made, score=chosen.score)
