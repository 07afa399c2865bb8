"""Nearest class mean."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from engine.data.dataset import Task
from engine.events import Event, Phase
from engine.losses import cross_entropy
from engine.methods.base import DeepMethod, param
from engine.models.feature_classifiers import FEATURES, nearest_mean
from engine.models.net import WithHead
from engine.spec.pens import Pen
from engine.training.batches import Passes
from engine.training.camera import Camera
from engine.training.fitted import Fitted
from engine.training.heads import embedded
from engine.training.loop import Meter, evaluate


@dataclass(frozen=True)
class NearestMean(DeepMethod):
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
    reuses_plain = True

    features: str = param(
        "cl2n", choices=FEATURES,
        help="raw: features as they are; l2: each row's divided by their length; cl2n: less the mean of all training rows first.",
    )  # fmt: skip

    def fit(self, task: Task, *, camera: Camera) -> Generator[Event, None, Fitted]:
        """See Method.fit."""
        meter = Meter(self.epochs * max(Passes(task.train.sizes.tolist(), self.batch, []).per_pass()))
        yield Phase("training", "Training the network")
        earlier, chosen = yield from self.pretrain(task, cross_entropy, rows=task.train, meter=meter, camera=camera)
        yield Phase("head", "Taking the mean of every class")
        seen = embedded(earlier, task.train)
        net = WithHead(earlier, *nearest_mean(seen.x, seen.y, seen.mask, len(task.classes), self.features))
        score, _ = evaluate(net, task.valid)
        yield from camera.record_final_frame(net, "chosen", chosen.epoch, meter.step, score)
        return Fitted(net, chosen.epoch, earlier=earlier)
