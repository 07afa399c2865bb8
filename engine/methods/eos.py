"""Expansive over-sampling in feature space, within the three-phase framework."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import ClassVar

import torch

from engine import losses
from engine.batches import Passes
from engine.data.dataset import Rows, Task
from engine.data.rows import append, pad
from engine.errors import BadInput
from engine.events import Event, Note, Phase
from engine.heads import HeadSGD, warm_up
from engine.losses import Loss, cross_entropy
from engine.methods.base import Fitted, TableMethod, param
from engine.models.net import Net
from engine.samplers.lines import DIRECTIONS, VARIANTS, eos, smote
from engine.scene import Camera
from engine.seeds import numpy_stream
from engine.training import Meter, streams, train

LOSSES = ("ce", "focal", "asl", "asl-binary")


@dataclass(frozen=True)
class EOS(TableMethod):
    """Over-sampling between what the network makes of minority rows and of the rows of other classes near them: train, sample in
    the last hidden layer, train a new last layer.

    Three phases: the whole network by any loss; new rows among the embeddings of its training rows; a fresh last layer on real and
    new embeddings, by cross-entropy. Validation chooses the epoch in the first and in the third phase.
    """

    name = "eos"
    title = "EOS (three-phase)"
    family = "deep"
    kinds = ("tabular", "points")
    source = (
        "EOS paper, Algorithm 2 and the three-phase framework, on the MLP; the third phase as in the authors' code, but its epoch "
        "is chosen on validation rows, not on test rows."
    )
    presets: ClassVar = {"released": {"variant": "released"}}
    deviations: ClassVar = {
        "released": (
            "An MLP trained by Adam instead of a ResNet-32 trained by SGD.",
            "The epoch is chosen on validation rows; the code takes the best one on the test rows.",
        )
    }
    controls: ClassVar = {"no over-sampling": {"sampler": "none"}}

    sampler: str = param(
        "eos", choices=("eos", "smote", "none"),
        help="How new rows are made among the embeddings, until every class is as large as the largest. The new rows live in the last "
        "hidden layer, so the picture shows the boundary they lead to but not the rows.",
    )  # fmt: skip
    k_neighbors: int = param(
        10, low=1, high=300, help="Nearest embeddings among which enemies (SMOTE: partners) are looked for (K)."
    )
    direction: str = param(
        "toward", choices=DIRECTIONS, advanced=True,
        help="New rows lie towards the enemy, as the text says, or away from it, as the formula is printed.",
    )  # fmt: skip
    variant: str = param(
        "paper", choices=VARIANTS, advanced=True,
        help="released: as the code, which takes the row before the enemy in the order of distance, often the base itself.",
    )  # fmt: skip
    loss: str = param(
        "ce", choices=LOSSES,
        help="Loss of the first phase: cross-entropy, focal, asymmetric, or asymmetric as its paper writes it (two classes).",
    )  # fmt: skip
    head_epochs: int = param(10, low=1, high=500, log=True, help="Passes over real and new embeddings in the third phase.")
    head_rate: float = param(
        0.1, low=0.0, high=1.0, advanced=True,
        help="Step size of the third phase (SGD, momentum 0.9, weight decay 0.0002), reached over its first five passes.",
    )  # fmt: skip
    warm_start: bool = param(
        False, advanced=True, help="The third phase begins with the first one's last layer, not a fresh one."
    )

    def fit(self, task: Task, *, camera: Camera) -> Generator[Event, None, Fitted]:
        """See Method.fit. Raises BadInput for asl-binary with more than two classes."""
        loss = self._loss(task)
        counts = task.train.counts(len(task.classes))
        after = counts.amax(1) * (counts > 0).sum(1) if self.sampler != "none" else counts.sum(1)
        meter = Meter(
            self.epochs * max(Passes(task.train.sizes.tolist(), self.batch, []).per_pass())
            + self.head_epochs * max(Passes(after.tolist(), self.batch, []).per_pass())
        )
        camera.share = 0.7
        yield Phase("training", "Training the network")
        net, _ = yield from self.pretrain(task, loss, rows=task.train, meter=meter, camera=camera)
        yield Phase("sampling", "Making new rows among the embeddings")
        rows = yield from self._sampled(net, task)
        camera.share = 0.3
        yield Phase("head", "Training the last layer")
        step = HeadSGD(net, cross_entropy, rate=warm_up(self.head_rate), momentum=0.9, decay=2e-4)
        if not self.warm_start:
            step.replace(streams(task, "head-init"))
        batches = Passes(rows.sizes.tolist(), self.batch, streams(task, "head-batch"))
        chosen = yield from train(
            net, task, step, batches, rows=rows, epochs=self.head_epochs, phase="head", meter=meter, camera=camera
        )
        yield from camera.picture(net, "chosen", chosen.epoch, meter.step, chosen.score)
        return Fitted(net, chosen.epoch)

    def _loss(self, task: Task) -> Loss:
        if self.loss == "asl-binary":
            if len(task.classes) != 2:
                raise BadInput(f"eos(loss='asl-binary') is for two classes, these data have {len(task.classes)}; use asl.")
            return losses.BinaryASL(largest=task.largest)
        return {"ce": cross_entropy, "focal": losses.Focal(), "asl": losses.ASL()}[self.loss]

    @torch.no_grad()
    def _sampled(self, net: Net, task: Task) -> Generator[Event, None, Rows]:
        """Embeddings of the training rows, then of the new ones."""
        real = Rows(net.embed(task.train.x) * task.train.mask.unsqueeze(2), task.train.y, task.train.mask)
        if self.sampler == "none":
            return real
        parts, instead = [], set()
        for r, replicate in enumerate(task.replicates):
            x, y = real.x[r][real.mask[r]], real.y[r][real.mask[r]]
            counts = torch.bincount(y, minlength=len(task.classes)).tolist()
            wanted = {c: max(counts) - n for c, n in enumerate(counts) if n}
            rng = numpy_stream(task.seed, "points", replicate.seed, replicate.fold)
            if self.sampler == "smote":
                drawn = smote(x, y, wanted, rng, k_neighbors=self.k_neighbors)
            else:
                drawn = eos(x, y, wanted, rng, k_neighbors=self.k_neighbors, direction=self.direction, variant=self.variant)
            parts.append((drawn.x, drawn.y))
            instead |= set(drawn.instead.values())
        if "smote" in instead:
            yield Note("A class has no embedding with another class near it, so its new rows were made by SMOTE.", "warning")
        if "copies" in instead:
            yield Note(
                "A class with a single training row has no neighbour to lie towards: it was repeated instead.", "warning"
            )
        return append(real, pad(parts))
