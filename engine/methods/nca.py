"""Neighbourhood components analysis: a metric on the features of plain training."""

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
from engine.spec.pens import Pen
from engine.training.camera import Camera
from engine.training.feature_maps import fit_mapped, fit_nca
from engine.training.loop import Chosen, Meter

ROWS = 1000
"""Most rows that the map is fitted on."""


@dataclass(frozen=True)
class NCA(DecoupledMethod):
    """Train plainly, then learn a linear map of the features under which a row's random neighbour is of its class; the 5 nearest
    neighbours there decide. The larger class keeps its larger share of votes."""

    name = "nca"
    title = "Neighbourhood components (NCA)"
    family = "metric"
    kinds = ("tabular", "points", "images")
    source = (
        "Goldberger et al. 2004, by scikit-learn's NeighborhoodComponentsAnalysis on a network's features: at most 1,000 rows, then the "
        "probe of 5 nearest neighbours."
    )
    comparison = 86
    controls: ClassVar = {"no components are learnt": {"steps": 0}}
    pen = Pen("green", "longdash", "star")
    control_pens: ClassVar = {"no components are learnt": Pen("orange", "dashdot", "star")}

    steps: int = param(50, low=0, high=500, help="Most steps of scikit-learn's L-BFGS; with 0 the map stays as it begins.")

    def refit(self, net: Net, task: Task, *, chosen: Chosen, meter: Meter, camera: Camera) -> Generator[Event, None, Refit]:
        """See DecoupledMethod. The score is that of the network's own last layer, by which the epoch was chosen."""
        yield Phase("metric", "Fitting a map of the features")
        fit = partial(fit_nca, steps=self.steps)
        made = yield from fit_mapped(net, task, lambda r: fit, k=1, most=ROWS, meter=meter)
        return Refit(made, score=chosen.score)
