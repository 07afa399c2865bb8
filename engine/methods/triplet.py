"""Triplet loss with re-sampling and costs."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import ClassVar

from engine.data.dataset import Task
from engine.errors import BadParameter
from engine.events import Event, Note, Phase
from engine.losses import Loss, cross_entropy
from engine.methods.base import DeepMethod, param
from engine.models.net import Net
from engine.spec.fields import FIRST
from engine.spec.pens import Pen
from engine.training.batches import Balanced, Passes
from engine.training.camera import Camera
from engine.training.class_means import RunningMeans
from engine.training.fitted import Fitted
from engine.training.loop import Batches, Meter, streams, train
from engine.training.optimisers import Descent
from engine.training.probes import with_normalised_knn
from engine.training.triplets import TripletObjective, rarity_weights

MOST_ROWS = 512
"""Most rows of a batch, whose every row is compared with every other one."""


@dataclass(frozen=True)
class Triplet(DeepMethod):
    """Features are trained so that a row lies nearer to one of its class than to one of another; batches are balanced and rare classes
    weigh more. The 5 nearest neighbours decide, so there are few levels of probability.

    There is no last layer: the epoch is chosen by the cosines with the class means.
    """

    name = "triplet"
    title = "Triplet loss (TL-RS-CSL)"
    family = "metric"
    kinds = ("tabular", "points", "images")
    source = (
        "TL-RS-CSL as Huang et al. 2016 compare with it: triplet loss on normalised features with margin 0.2, semi-hard negatives of "
        "Schroff et al. 2015, and one positive per row, drawn, where they take all."
    )
    presets: ClassVar = {k: v for k, v in DeepMethod.presets.items() if k != "dos-paper"}
    deviations: ClassVar = {k: v for k, v in DeepMethod.deviations.items() if k != "dos-paper"}
    controls: ClassVar = {"triplet alone": {"resample": False, "costs": False}}
    pen = Pen("sky", "solid", "square")
    control_pens: ClassVar = {"triplet alone": Pen("sky", "dot", "cross")}
    cost = 3.0
    comparison = 87

    margin: float = param(
        0.2, low=0.0, high=2.0, stacks=FIRST, help="How much farther the row of another class shall lie, in squared distance."
    )
    resample: bool = param(True, help="Batches have as many rows of every class.")
    costs: bool = param(True, help="Rows weigh by 1 / rows of their class, so that with balanced batches rarity counts twice.")
    classifier: str = param("knn", choices=("knn", "means"), help="5 nearest neighbours, or the cosines with the class means.")

    def create(self, task: Task) -> Net:
        """See DeepMethod. The network has a cosine head, for the class means."""
        net = super().create(task)
        if not net.flat.shape[1] > (net.width + 1) * net.classes:
            raise BadParameter("triplet(hidden): it needs a hidden layer, whose features it trains.")
        net.cosine = True
        return net

    def batch_rows(self, task: Task) -> int:
        """Rows of a batch: two of every class at least."""
        return max(min(self.batch, MOST_ROWS), 2 * len(task.classes))

    def step(self, net: Net, task: Task, loss: Loss) -> Descent:
        """See DeepMethod. It minimises the triplet loss."""
        step = super().step(net, task, loss)
        weights = rarity_weights(task.train.counts(len(task.classes))) if self.costs else None
        objective = TripletObjective(
            step.change, streams(task, "positive"), margin=self.number(task, "margin"), weights=weights
        )
        step.change, step.objective = objective, objective.value
        return step

    def fit(self, task: Task, *, camera: Camera) -> Generator[Event, None, Fitted]:
        """See Method.fit."""
        rows, size, chances = task.train, self.batch_rows(task), streams(task, "batch")
        batches: Batches = (
            Balanced(rows, len(task.classes), size, chances) if self.resample else Passes(rows.sizes.tolist(), size, chances)
        )
        yield Phase("training", "Training the features on triplets")
        if size < self.batch:
            yield Note(f"A batch has {size} rows, not {self.batch:,}: the triplet loss compares all of them.")
        meter = Meter(self.epochs * max(batches.per_pass()))
        net = self.create(task)
        step = RunningMeans(self.step(net, task, cross_entropy), rows)
        chosen = yield from train(
            net, task, step, batches, rows=rows, epochs=self.epochs, phase="training", meter=meter, camera=camera
        )
        final = with_normalised_knn(net, rows) if self.classifier == "knn" else net
        yield from camera.record_final_frame(final, "chosen", chosen.epoch, meter.step, chosen.score)
        return Fitted(final, chosen.epoch, earlier=net.copy(), chosen={"training": chosen.epoch})
