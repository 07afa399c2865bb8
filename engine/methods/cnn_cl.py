"""A classifier on the features of plain training."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from engine.data.dataset import Task
from engine.events import Event, Note, Phase
from engine.losses import cross_entropy
from engine.methods.base import DeepMethod, param
from engine.spec.pens import Pen
from engine.training.batches import Passes
from engine.training.camera import Camera
from engine.training.fitted import Fitted
from engine.training.loop import Meter
from engine.training.probes import PROBES, with_probe


@dataclass(frozen=True)
class CNNCL(DeepMethod):
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
    reuses_plain = True

    classifier: str = param("knn", choices=PROBES, help="5 nearest neighbours, or logistic regression.")

    def fit(self, task: Task, *, camera: Camera) -> Generator[Event, None, Fitted]:
        """See Method.fit."""
        meter = Meter(self.epochs * max(Passes(task.train.sizes.tolist(), self.batch, []).per_pass()))
        yield Phase("training", "Training the network")
        net, chosen = yield from self.pretrain(task, cross_entropy, rows=task.train, meter=meter, camera=camera)
        yield Phase("classifier", "Fitting a classifier on the features")
        final, converged = with_probe(net, task.train, self.classifier)
        if not converged:
            yield Note("Logistic regression on the features reached its limit of steps.", "warning")
        yield from camera.record_final_frame(final, "chosen", chosen.epoch, meter.step, chosen.score)
        return Fitted(final, chosen.epoch, earlier=net)
