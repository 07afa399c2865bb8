"""Nearest class mean."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from engine.data.dataset import Task
from engine.events import Event, Phase
from engine.methods.base import param
from engine.methods.decoupled import DecoupledMethod, Refit
from engine.models.feature_classifiers import FEATURES, nearest_mean
from engine.models.net import Net, WithHead
from engine.spec.pens import Pen
from engine.training.camera import Camera
from engine.training.heads import embedded
from engine.training.loop import Chosen, Meter


@dataclass(frozen=True)
class NearestMean(DecoupledMethod):
    """Train plainly, then give each row to the class whose mean among the features is nearest. A mean does not know how many rows it is
    of, so the size of a class no longer speaks for it."""

    name = "ncm"
    title = "Nearest class mean (NCM)"
    family = "deep"
    kinds = ("tabular", "points", "images")
    source = (
        "Kang et al. 2020, nearest class mean; squared Euclidean distance as in their code. Scores are minus the distances."
    )
    pen = Pen("green", "dot", "diamond")

    features: str = param(
        "cl2n", choices=FEATURES,
        help="raw: features as they are; l2: each row's divided by their length; cl2n: less the mean of all training rows first.",
    )  # fmt: skip

    def refit(self, net: Net, task: Task, *, chosen: Chosen, meter: Meter, camera: Camera) -> Generator[Event, None, Refit]:
        """See DecoupledMethod."""
        yield Phase("head", "Taking the mean of every class")
        rows = embedded(net, task.train)
        made = nearest_mean(rows.x, rows.y, rows.mask, len(task.classes), self.features, weight=rows.weight)
        return Refit(WithHead(net, *made))
