"""GAMO: a generator of convex combinations, a discriminator and a classifier that train against each other."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from engine.data.dataset import Rows, Task
from engine.events import Event, Note, Phase
from engine.methods.base import param
from engine.methods.decoupled import head_frames, train_head
from engine.methods.generator import GeneratorMethod, describe_filled
from engine.models.generators import gamo
from engine.models.generators.adversarial import EVENTS, Made, RowGenerator, Scale, Standardised, Streams
from engine.models.generators.gamo import AGAINST, LOSSES, ORDERS
from engine.models.net import Net, WithHead
from engine.spec.pens import Pen
from engine.training.batches import Passes, steps_of_pass
from engine.training.camera import Camera
from engine.training.fitted import Fitted, Synthetic
from engine.training.heads import embedded, warm_up
from engine.training.loop import Meter, streams

SPACES = ("pixel", "feature")
ROLES = ("sampler", "classifier")
NEAR_COPY = 0.95
"""Largest weight above which a new row counts as a near-copy."""
STEP_ROWS = 400.0
"""Cost of a step of the three players, in training rows of a small table."""


@dataclass(frozen=True)
class GAMO(GeneratorMethod):
    """New rows are weighted means of a class's own rows. A generator learns the weights: it wants a classifier to misjudge its rows and a
    discriminator to take them for real. The classifier itself can be the answer.

    No new row leaves the hull of its class. The longer it trains, the more of them are near-copies of a single row: the largest weight says
    how far that has gone.
    """

    name = "gamo"
    title = "GAMO"
    kinds = ("tabular", "points", "images")
    source = (
        "Mullick et al. 2019 with the values of their code: least squares, Adam 0.0002. The generator steps once for all classes together "
        "(released: apart), and every player has an Adam of its own."
    )
    presets: ClassVar = {
        "images": {**GeneratorMethod.presets["images"], "steps": 1000},
        "full": {"steps": 25_000, "epochs": 30, "batch": 64},
        "released": {"steps": 25_000, "order": "released", "role": "classifier"},
    }
    deviations: ClassVar = {
        "full": (
            "The generator steps on rows of all classes together; the code steps class by class, so batch norm sees one label at a time.",
            "Training rows are shuffled anew in each pass; the code's batches never change.",
            "New images are not rounded to whole grey values.",
        ),
        "released": (
            "Every player has an Adam of its own; the code's players share one counter of steps.",
            "Training rows are shuffled anew in each pass; the code's batches never change.",
        ),
    }
    controls: ClassVar = {"untrained generator": {"steps": 0}}
    pen = Pen("green", "dot", "x")
    control_pens: ClassVar = {"untrained generator": Pen("green", "longdash", "x")}
    cost = 3.0
    comparison = 80
    quick: ClassVar = {"steps": 150}
    adds_rows = True
    paper_rows = ("GAMO",)

    space: str = param(
        "pixel",
        choices=SPACES,
        help="Where new rows are made: among the input rows, or among the features of the trained network.",
    )
    role: str = param(
        "sampler", choices=ROLES,
        help="sampler: the network is trained on real and new rows. classifier: GAMO's own classifier is the answer.",
    )  # fmt: skip
    steps: int = param(400, low=0, high=200_000, help="Batches of real rows that the three players train on.")
    order: str = param(
        "joint", choices=ORDERS, advanced=True,
        help="joint: one step of the generator on rows of all classes and both losses. released: two steps for each class, "
        "3 times as long.",
    )  # fmt: skip
    players: str = param(
        "ls",
        choices=LOSSES,
        advanced=True,
        help="Losses of the three players: least squares of probabilities, or cross-entropy.",
    )
    against: str = param(
        "complement", choices=AGAINST, advanced=True,
        help="What the generator wants of the classifier: all other classes alike, or log: its own class as unlikely as can be.",
    )  # fmt: skip
    noise: int = param(100, low=1, high=4096, advanced=True, help="Numbers of noise that a new row is made from.")
    width: tuple[int, ...] = param(
        (256, 64),
        low=2,
        high=1024,
        longest=2,
        product=1 << 20,
        advanced=True,
        help="Units of the two layers that all classes share.",
    )
    head_epochs: int = param(
        10, low=1, high=500, log=True, help="Passes over real and new features, for new rows among features."
    )
    head_rate: float = param(
        0.1, low=0.0, high=1.0, advanced=True,
        help="Step size of the new last layer (SGD, momentum 0.9, weight decay 0.0002), reached over its first five passes.",
    )  # fmt: skip
    generator_rate: float = param(2e-4, low=1e-6, high=0.1, log=True, advanced=True, help="Step size of each player's Adam.")
    generator_batch: int = param(32, low=2, high=4096, log=True, advanced=True, help="Real rows in one step of the players.")

    def check_task(self, task: Task) -> None:
        """See GeneratorMethod. It takes any rows."""

    def count_generator_steps(self, task: Task) -> int:
        """See GeneratorMethod."""
        return self.steps

    def explain(self, generator: RowGenerator, made: Made, task: Task) -> list[str]:
        """See GeneratorMethod. The largest weights tell means from copies."""
        if not len(made.y):
            return []
        largest = made.how["alpha"][:, 0]
        return [
            f"The largest weight of a new row is {float(largest.mean()):.2f} on average in the first replicate. A weight near 1 makes a "
            f"near-copy of one training row: {float((largest > NEAR_COPY).double().mean()):.0%} of the new rows are."
        ]

    def make_generator(self, x: Tensor, y: Tensor, task: Task, own: Streams) -> gamo.GAMO:
        """See GeneratorMethod."""
        first, *second = self.width
        options = gamo.Options(
            steps=self.steps,
            order=self.order,
            loss=self.players,
            against=self.against,
            noise=self.noise,
            width=(first, *(second or [first])),  # type: ignore[arg-type]
            batch=self.generator_batch,
            rate=self.generator_rate,
            answers=self.role == "classifier",
        )
        return gamo.GAMO(x, y, len(task.classes), options, own)

    def scale_rows(self, task: Task, r: int, real: Rows) -> Scale:
        """See GeneratorMethod. Features are standardised."""
        if real is task.train:
            return super().scale_rows(task, r, real)
        return Standardised.fit(real.x[r][real.mask[r]])

    def fit(self, task: Task, *, camera: Camera) -> Generator[Event, None, Fitted]:
        """See Method.fit. One-hot columns become fractions, as under SMOTE."""
        if self.space == "feature":
            return (yield from self._fit_features(task, camera))
        if task.levels:
            yield Note("New rows are made as if every column held numbers, so that their categories become fractions.")
        if self.role == "classifier":
            return (yield from self._fit_classifier(task, camera))
        return (yield from self.fit_filled(task, camera))

    @classmethod
    def estimate_rows(cls, params: Mapping[str, Any], counts: Sequence[int]) -> float:
        """See Method.estimate_rows."""
        alone = (params["role"], params["space"]) == ("classifier", "pixel")
        return (0.0 if alone else super().estimate_rows(params, counts)) + STEP_ROWS * float(params["steps"])

    def class_shares(self, task: Task, fitted: Fitted) -> Tensor:
        """See Method.class_shares. GAMO's own classifier sees as many made rows as real ones."""
        if self.role == "sampler":
            return super().class_shares(task, fitted)
        counts = task.train.counts(len(task.classes))
        return torch.stack([own / own.sum() + gamo.find_label_law(own) for own in counts.double()])

    def _fit_classifier(self, task: Task, camera: Camera) -> Generator[Event, None, Fitted]:
        """The classifier M on input rows is the answer, as it is after the last step."""
        meter = Meter(len(task.replicates) * self.steps)
        filled = yield from self.fill(task.train, task, meter)
        net = self._stack(filled.generators, task.train, task)
        synthetic = Synthetic(filled.new.x, filled.new.x, filled.new.y, filled.new.mask)
        if task.shape is None:
            camera.describe_points(describe_filled(filled, len(camera.views)))
            camera.track_points(filled.new, lambda: synthetic.x)
        else:
            camera.show_features(net)
        epoch, score = self._last(task)
        yield from camera.record_final_frame(net, "chosen", epoch, meter.step, score)
        return Fitted(net, epoch, synthetic, generated=filled.generated)

    def _fit_features(self, task: Task, camera: Camera) -> Generator[Event, None, Fitted]:
        """Plain training; GAMO among the features; then a new last layer on all, or the classifier M on the features."""
        counts = task.train.counts(len(task.classes))
        full = (counts + self._lacking(counts)).sum(1).tolist()
        head = 0 if self.role == "classifier" else self.head_epochs * steps_of_pass(full, self.batch)
        first = self.epochs * steps_of_pass(task.train.sizes.tolist(), self.batch)
        meter = Meter(first + len(task.replicates) * self.steps + head)
        camera.share = 0.7
        yield Phase("training", "Training the network")
        loss = self.classifier_loss(counts)
        net, chosen = yield from self.pretrain(task, loss, rows=task.train, meter=meter, camera=camera)
        earlier, real = net.copy(), embedded(net, task.train)
        filled = yield from self.fill(real, task, meter)
        head_frames(net, task, camera)
        if task.shape is not None:
            camera.describe_points(describe_filled(filled, len(camera.views)))
            camera.track_points(filled.new, lambda: filled.new.x)
        fitted = Fitted(
            net,
            chosen.epoch,
            embedded=filled.new,
            earlier=earlier,
            chosen={"training": chosen.epoch},
            generated=filled.generated,
        )
        if self.role == "classifier":
            fitted = replace(fitted, net=WithHead(net, self._stack(filled.generators, real, task)))
            epoch, score = self._last(task)
            fitted = replace(fitted, epoch=epoch)
        else:
            yield Phase("head", "Training the last layer")
            batches = Passes(filled.rows.sizes.tolist(), self.batch, streams(task, "head-batch"))
            trained = yield from train_head(
                task, net, filled.rows, batches, rate=warm_up(self.head_rate), decay=2e-4, epochs=self.head_epochs,
                warm_start=False, meter=meter, camera=camera,
            )  # fmt: skip
            assert trained.epoch is not None and trained.score is not None
            epoch, score = trained.epoch, trained.score
            fitted = replace(fitted, net=trained.net, epoch=epoch, chosen={**fitted.chosen, **trained.chosen})
        yield from camera.record_final_frame(fitted.net, "chosen", epoch, meter.step, score)
        return fitted

    def _stack(self, generators: Sequence[Any], real: Rows, task: Task) -> Net:
        """The replicates' classifiers M on rows like `real`."""
        lines = [self.scale_rows(task, r, real).line(real.x[r]) for r in range(len(task.replicates))]
        return gamo.stack_classifiers(generators, lines)

    def _last(self, task: Task) -> tuple[Tensor, Tensor]:
        """The last event of the generator [R], which is what the classifier M is of, and no validation score [R]."""
        count = len(task.replicates)
        last = max(1, min(EVENTS, self.steps))
        return (
            torch.full((count,), last, dtype=torch.int64, device=task.device),
            torch.full((count,), torch.nan, dtype=task.dtype, device=task.device),
        )
