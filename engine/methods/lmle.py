"""LMLE: quintuplets of rows, and a decision by margins between cluster centres."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from engine.data.dataset import Rows, Task
from engine.errors import BadParameter
from engine.events import Event, Note, Phase
from engine.losses import cross_entropy
from engine.methods.base import balanced_rows, param
from engine.methods.decoupled import DecoupledMethod, Refit
from engine.models.centres import Centres
from engine.models.feature_classifiers import class_biases
from engine.models.net import Net, WithHead
from engine.seeds import numpy_stream
from engine.spec.fields import LATER
from engine.spec.pens import Pen
from engine.training.batches import Balanced
from engine.training.camera import Camera
from engine.training.class_means import RunningMeans
from engine.training.loop import Chosen, Meter, streams, train
from engine.training.optimisers import Descent
from engine.training.quintuplets import PLACES, QuintupletObjective, Quintuplets, cluster_classes, list_features

MOST_CENTRES = 20
"""Most centres that decide."""


@dataclass(frozen=True)
class LMLE(DecoupledMethod):
    """Train plainly, then train the features on quintuplets: clusters inside a class stay apart from each other, and classes farther. The
    class with the largest margin among the nearest cluster centres wins.

    Every anchor takes five rows through the network. Scores are margins, not probabilities. The epoch is chosen by the cosines with the
    class means.
    """

    name = "lmle"
    title = "Large-margin embedding (LMLE)"
    family = "metric"
    kinds = ("tabular", "points", "images")
    source = (
        "Huang et al. 2016, quintuplets and the decision over cluster centres; their margins, numbers of clusters and k are not given: "
        "0.1 each, 20 rows a cluster, a third of the centres and 20 at most."
    )
    presets: ClassVar = {
        "paper": DecoupledMethod.presets["paper"],
        "images": {**DecoupledMethod.presets["images"], "cluster_rows": 50, "refresh": 5, "head_epochs": 10},
        "eos-paper": DecoupledMethod.presets["eos-paper"],
    }
    deviations: ClassVar = {k: v for k, v in DecoupledMethod.deviations.items() if k != "dos-paper"}
    controls: ClassVar = {"one cluster per class": {"cluster_rows": 100_000}}
    pen = Pen("sky", "longdash", "pentagon")
    control_pens: ClassVar = {"one cluster per class": Pen("sky", "dot", "circle")}
    share = 0.3
    cost = 6.0
    comparison = 88

    head_epochs: int = param(
        50, low=1, high=500, log=True, help="Passes over the largest class on quintuplets; all layers learn."
    )
    refresh: int = param(
        10, low=1, high=500, log=True, advanced=True, help="Passes after which clusters and quintuplets are made anew."
    )
    cluster_rows: int = param(20, low=1, high=100_000, log=True, help="Rows of a cluster; a class has 1 to 20 clusters.")
    margin_inside: float = param(
        0.1,
        low=0.0,
        high=2.0,
        stacks=LATER,
        advanced=True,
        help="How much farther another cluster of the class is than one's own.",
    )
    margin_within: float = param(
        0.1, low=0.0, high=2.0, stacks=LATER, advanced=True, help="How much farther the farthest row of the class is than that."
    )
    margin_between: float = param(
        0.1, low=0.0, high=2.0, stacks=LATER, help="How much farther a row of another class is than all of one's own."
    )
    candidates: float = param(
        0.5, low=0.01, high=1.0, advanced=True, help="Share of the rows that quintuplets are made of; all of fewer than 200."
    )

    def create(self, task: Task) -> Net:
        """See DeepMethod."""
        net = super().create(task)
        if not net.flat.shape[1] > (net.width + 1) * net.classes:
            raise BadParameter("lmle(hidden): it needs a hidden layer, whose features it trains.")
        return net

    @classmethod
    def estimate_rows(cls, params: Mapping[str, Any], counts: Sequence[int]) -> float:
        """See Method.estimate_rows. Every anchor takes PLACES rows."""
        return float(super().estimate_rows(params, counts) + PLACES * params["head_epochs"] * balanced_rows(counts))

    def anchors(self, task: Task) -> Balanced:
        """Batches of anchors, equally many of every class."""
        return Balanced(task.train, len(task.classes), self.batch, streams(task, "quintuplet-batch"))

    def head_steps(self, task: Task) -> int:
        """See DecoupledMethod."""
        return self.head_epochs * max(self.anchors(task).per_pass())

    def refit(self, net: Net, task: Task, *, chosen: Chosen, meter: Meter, camera: Camera) -> Generator[Event, None, Refit]:
        """See DecoupledMethod. All layers are trained."""
        yield Phase("metric", "Training the features on quintuplets")
        net.cosine = True
        inner: Descent = self.step(net, task, cross_entropy)
        margins = [self.number(task, f"margin_{which}") for which in ("inside", "within", "between")]
        objective = QuintupletObjective(inner.change, margins)
        inner.change, inner.objective = objective, objective.value
        batches = Quintuplets(
            self.anchors(task), inner, task.train, len(task.classes),
            [numpy_stream(task.seed, "clusters", r.seed, r.fold) for r in task.replicates],
            size=self.cluster_rows, share=self.candidates, every=self.refresh,
        )  # fmt: skip
        last = yield from train(
            net, task, RunningMeans(inner, task.train), batches, rows=task.train, epochs=self.head_epochs, phase="metric",
            meter=meter, camera=camera,
        )  # fmt: skip
        yield Note("Scores of LMLE are margins between cluster centres: they rank rows, and are no probabilities.")
        final = WithHead(net, find_centres(net, task.train, task, self.cluster_rows))
        return Refit(final, last.score, last.epoch, chosen={"metric": last.epoch})


def find_centres(net: Net, rows: Rows, task: Task, size: int) -> Centres:
    """The centres of the final features of the training rows."""
    classes, kept, k = len(task.classes), [], []
    for (z, y), replicate in zip(list_features(net, rows), task.replicates, strict=True):
        draws = numpy_stream(task.seed, "centres", replicate.seed, replicate.fold)
        _, centres, labels = cluster_classes(z, y, classes, size, draws)
        kept.append((torch.from_numpy(centres).to(rows.x.device), torch.from_numpy(labels).to(rows.x.device)))
        k.append(max(1, min(MOST_CENTRES, len(centres) // 3)))
    biases = class_biases(rows.y, rows.mask, rows.weight, classes)
    return Centres(tuple(kept), tuple(k), classes, None if biases is None else biases.to(rows.x))
