"""Another classifier on the features of plain training."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from engine.data.dataset import Task
from engine.events import Event, Note, Phase
from engine.methods.base import param
from engine.methods.decoupled import DecoupledMethod, Refit
from engine.models.net import Net
from engine.spec.pens import Pen
from engine.training.camera import Camera
from engine.training.loop import Chosen, Meter
from engine.training.probes import PROBES, with_probe


@dataclass(frozen=True)
class CNNCL(DecoupledMethod):
    """Plain training, then another classifier on the features it has learnt: 5 nearest neighbours or logistic regression. Shows what
    over-sampling changes in the features, apart from what it changes in the last layer.

    Both are fitted on the training rows as they are; the epoch is the one plain training chose by its own last layer.
    """

    name = "cnn-cl"
    title = "Plain features + kNN / LR"
    family = "deep"
    kinds = ("tabular", "points", "images")
    source = "CNN-CL of Ando and Huang 2017 (k not given: 5), with scikit-learn's penalty for logistic regression."
    pen = Pen("blue", "dash", "square")

    classifier: str = param("knn", choices=PROBES, help="5 nearest neighbours, or logistic regression.")

    def refit(self, net: Net, task: Task, *, chosen: Chosen, meter: Meter, camera: Camera) -> Generator[Event, None, Refit]:
        """See DecoupledMethod. The score is that of the network's own last layer, by which the epoch was chosen."""
        yield Phase("classifier", "Fitting a classifier on the features")
        final, converged = with_probe(net, task.train, self.classifier)
        if not converged:
            yield Note("Logistic regression on the features reached its limit of steps.", "warning")
        return Refit(final, score=chosen.score)
