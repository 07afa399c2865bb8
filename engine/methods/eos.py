"""Expansive over-sampling and other samplers, on a network's features (the three-phase framework) or on its input rows."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from torch import Tensor

from engine import losses
from engine.data.dataset import Rows, Task
from engine.errors import BadInput
from engine.events import Event, Phase
from engine.losses import Loss, cross_entropy
from engine.methods.base import DeepMethod, balanced_rows, param
from engine.methods.decoupled import DecoupledMethod, Refit, head_frames, train_head
from engine.models.net import Net
from engine.samplers.lines import DIRECTIONS, VARIANTS, Drawn, borderline_smote, eos, smote
from engine.samplers.svm import RELABEL, balanced_svm, most_rows
from engine.spec.fields import LATER
from engine.spec.pens import Pen
from engine.training.batches import Passes, steps_of_pass
from engine.training.camera import Camera
from engine.training.fitted import Fitted
from engine.training.heads import embedded, warm_up
from engine.training.loop import Chosen, Meter, streams
from engine.training.oversampling import DANGER, NEAR, Sampled, explain_machine, oversample

LOSSES = ("ce", "focal", "asl", "asl-binary", "ldam")
SAMPLERS = ("eos", "smote", "borderline-smote", "balanced-svm", "none")
SPACES = ("feature", "pixel")


@dataclass(frozen=True)
class EOS(DecoupledMethod):
    """Over-sampling between what the network makes of minority rows and of the rows of other classes near them: train, sample in
    the last hidden layer, train a new last layer.

    Three phases: the whole network by any loss; new rows among the features of its training rows, by EOS or another sampler; a
    fresh last layer on real and new features, by cross-entropy. Validation chooses the epoch in the first and in the third
    phase. In pixel space the same samplers make new input rows, and the network is trained once, on all of them.
    """

    name = "eos"
    title = "EOS (three-phase)"
    named: ClassVar = (
        ({"sampler": "none", "space": "pixel"}, "Plain training without sampling"),
        ({"sampler": "none"}, "Three-phase without sampling"),
        ({"sampler": "eos", "space": "pixel"}, "EOS on input rows"),
        ({"sampler": "smote", "space": "pixel"}, "SMOTE on input rows"),
        ({"sampler": "borderline-smote", "space": "pixel"}, "Borderline-SMOTE on input rows"),
        ({"sampler": "balanced-svm", "space": "pixel"}, "Balanced SVM on input rows"),
        ({"sampler": "smote"}, "Three-phase with SMOTE"),
        ({"sampler": "borderline-smote"}, "Three-phase with Borderline-SMOTE"),
        ({"sampler": "balanced-svm"}, "Three-phase with balanced SVM"),
    )
    family = "deep"
    kinds = ("tabular", "points", "images")
    source = (
        "EOS paper, Algorithm 2 and the three-phase framework; the third phase as in the authors' code, but its epoch is chosen on "
        "validation rows, not on test rows."
    )
    presets: ClassVar = {
        **{name: values for name, values in DeepMethod.presets.items() if name in ("images", "eos-paper")},
        "released": {**DeepMethod.presets["eos-paper"], "variant": "released", "deferred": False},
    }
    deviations: ClassVar = {
        "eos-paper": (
            "The epoch is chosen on validation rows; the authors' code takes the best one on the test rows.",
            "New pixel rows are made among standardised pixels and not rounded to whole grey values.",
            "The paper does not say how many neighbours SMOTE has: 5.",
        ),
        "released": (
            "The epoch is chosen on validation rows; the code takes the best one on the test rows.",
            "The code has the class counts of CIFAR-10 written in; here they come from the labels.",
            "After LDAM the code cannot put its new last layer back; here the cosine layer becomes a plain one.",
        ),
    }
    share = 0.7
    controls: ClassVar = {"no over-sampling": {"sampler": "none"}}
    pen = Pen("blue", "solid", "triangle-down")
    control_pens: ClassVar = {"no over-sampling": Pen("orange", "dash", "circle")}
    cost = 1.1
    comparison = 6

    sampler: str = param(
        "eos", choices=SAMPLERS,
        help="How new rows are made, until every class is as large as the largest. Among the features of a table's rows the picture "
        "shows the boundary they lead to but not the new rows.",
    )  # fmt: skip
    space: str = param(
        "feature",
        choices=SPACES,
        help="Where new rows are made: in the last hidden layer, or among the network's input rows before it is trained at all.",
    )
    k_neighbors: int = param(
        10, low=1, high=300, stacks=LATER,
        help="Nearest rows of any class among which enemies are looked for (K): by EOS to lie towards, by Borderline-SMOTE to count.",
    )  # fmt: skip
    partners: int = param(
        5, low=1, high=300, stacks=LATER, advanced=True,
        help="Nearest rows of its own class that a new row of SMOTE, Borderline-SMOTE or the balanced SVM may lie towards.",
    )  # fmt: skip
    direction: str = param(
        "toward", choices=DIRECTIONS, stacks=LATER, advanced=True,
        help="New rows lie towards the enemy, as the text says, or away from it, as the formula is printed.",
    )  # fmt: skip
    variant: str = param(
        "paper", choices=VARIANTS, stacks=LATER, advanced=True,
        help="released: as the code, which takes the row before the enemy in the order of distance, often the base itself.",
    )  # fmt: skip
    danger_min: int = param(
        0, low=0, high=300, stacks=LATER, advanced=True,
        help="Enemies that a base of Borderline-SMOTE has at least; 0 is half of its neighbours, 1 the EOS paper's wording.",
    )  # fmt: skip
    relabel: str = param(
        "synthetic", choices=RELABEL, stacks=LATER, advanced=True,
        help="Which rows get the labels of the balanced SVM: the new ones, or the real ones too.",
    )  # fmt: skip
    loss: str = param(
        "ce", choices=LOSSES,
        help="Loss of the network: cross-entropy, focal, asymmetric, asymmetric as its paper writes it (two classes), or LDAM (margins "
        "by class size, cosines for logits).",
    )  # fmt: skip
    deferred: bool = param(
        True, advanced=True, help="LDAM weighs rows by their class in the last fifth of the epochs (deferred re-weighting)."
    )
    head_epochs: int = param(10, low=1, high=500, log=True, help="Passes over real and new features in the third phase.")
    head_rate: float = param(
        0.1, low=0.0, high=1.0, stacks=LATER, advanced=True,
        help="Step size of the third phase (SGD, momentum 0.9, weight decay 0.0002), reached over its first five passes.",
    )  # fmt: skip
    warm_start: bool = param(
        False, advanced=True, help="The third phase begins with the first one's last layer, not a fresh one."
    )

    def create(self, task: Task) -> Net:
        """See DeepMethod. LDAM has a cosine head."""
        net = super().create(task)
        net.cosine = self.loss == "ldam"
        return net

    def first_loss(self, task: Task) -> Loss:
        """See DecoupledMethod. Raises BadInput for asl-binary with more than two classes."""
        return self._loss(task, task.train.counts(len(task.classes)))

    def head_steps(self, task: Task) -> int:
        """See DecoupledMethod."""
        return self.head_epochs * self._sampled_steps(task)

    def fit(self, task: Task, *, camera: Camera) -> Generator[Event, None, Fitted]:
        """See Method.fit. Raises BadInput for asl-binary with more than two classes."""
        self.first_loss(task)  # raises BadInput before anything is sampled
        if self.space == "pixel":
            return (yield from self._fit_pixels(task, camera))
        return (yield from super().fit(task, camera=camera))

    @classmethod
    def estimate_rows(cls, params: Mapping[str, Any], counts: Sequence[int]) -> float:
        """See Method.estimate_rows. A row of the last layer's training costs about a fifth of one of the network's."""
        return float(super().estimate_rows(params, counts) + params["head_epochs"] * balanced_rows(counts) / 5)

    def _fit_pixels(self, task: Task, camera: Camera) -> Generator[Event, None, Fitted]:
        meter = Meter(self.epochs * self._sampled_steps(task))
        yield Phase("sampling", "Making new input rows")
        sampled = yield from self._sampled(task.train, task, meter)
        synthetic = sampled.build_synthetic()
        if synthetic is not None and sampled.new is not None and task.shape is None:
            camera.describe_points(sampled)
            camera.track_points(sampled.new, lambda: synthetic.x)
        yield Phase("training", "Training the network")
        loss = self._loss(task, sampled.rows.counts(len(task.classes)))
        net, chosen = yield from self.pretrain(task, loss, rows=sampled.rows, meter=meter, camera=camera)
        if task.shape is not None:
            camera.show_features(net)
            if sampled.new is not None:
                features = embedded(net, sampled.new)
                camera.describe_points(sampled)
                camera.track_points(features, lambda: features.x)
        yield from camera.record_final_frame(net, "chosen", chosen.epoch, meter.step, chosen.score)
        return Fitted(net, chosen.epoch, synthetic, lines=sampled.lines, chosen={"training": chosen.epoch})

    def refit(self, net: Net, task: Task, *, chosen: Chosen, meter: Meter, camera: Camera) -> Generator[Event, None, Refit]:
        """See DecoupledMethod."""
        yield Phase("sampling", "Making new rows among the features")
        sampled = yield from self._sampled(embedded(net, task.train), task, meter)
        head_frames(net, task, camera)
        if task.shape is not None and sampled.new is not None:  # frames of a table stay in the plane of its input rows
            new = sampled.new
            camera.describe_points(sampled)
            camera.track_points(new, lambda: new.x)
        yield Phase("head", "Training the last layer")
        batches = Passes(sampled.rows.sizes.tolist(), self.batch, streams(task, "head-batch"))
        trained = yield from train_head(
            task, net, sampled.rows, batches, rate=warm_up(self.number(task, "head_rate", host=True)), decay=2e-4, epochs=self.head_epochs,
            warm_start=self.warm_start, meter=meter, camera=camera,
        )  # fmt: skip
        return replace(trained, embedded=sampled.new, lines=sampled.lines)

    def _sampled_steps(self, task: Task) -> int:
        """Steps of one pass over the over-sampled rows."""
        counts = task.train.counts(len(task.classes))
        balanced = counts.amax(1) * (counts > 0).sum(1) if self.sampler != "none" else counts.sum(1)
        return steps_of_pass(balanced.tolist(), self.batch)

    def _loss(self, task: Task, counts: Tensor) -> Loss:
        """The network's loss for classes with these counts [R, C]."""
        if self.loss == "asl-binary":
            if len(task.classes) != 2:
                raise BadInput(f"eos(loss='asl-binary') is for two classes, these data have {len(task.classes)}; use asl.")
            return losses.BinaryASL(largest=task.largest)
        if self.loss == "ldam":
            return losses.LDAM(counts, deferred=self.deferred)
        return {"ce": cross_entropy, "focal": losses.Focal(), "asl": losses.ASL()}[self.loss]

    def _sampled(self, real: Rows, task: Task, meter: Meter) -> Generator[Event, None, Sampled]:
        """Over-samples each replicate's rows, which are input rows or features."""
        if self.sampler == "none":
            return Sampled(real)
        thing = "row" if self.space == "pixel" else "embedding"
        near = DANGER if self.sampler == "borderline-smote" else NEAR
        sampled = yield from oversample(
            real, task, [one._draw for one in self.list_members(task)], meter=meter, thing=thing, near=near
        )
        if self.sampler == "balanced-svm":
            yield from explain_machine(sampled, task, most_rows(real.x.shape[2]))
        return sampled

    def _draw(self, x: Tensor, y: Tensor, wanted: Mapping[int, int], rng: np.random.Generator) -> Drawn:
        if self.sampler == "smote":
            return smote(x, y, wanted, rng, k_neighbors=self.partners)
        if self.sampler == "borderline-smote":
            return borderline_smote(
                x, y, wanted, rng,
                k_neighbors=self.partners, m_neighbors=self.k_neighbors, danger_min=self.danger_min or None,
            )  # fmt: skip
        if self.sampler == "balanced-svm":
            return balanced_svm(x, y, wanted, rng, k_neighbors=self.partners, relabel=self.relabel)
        return eos(x, y, wanted, rng, k_neighbors=self.k_neighbors, direction=self.direction, variant=self.variant)
