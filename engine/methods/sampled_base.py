"""Base of methods that make rows by a sampler: among the input rows, before training, or among the features of a trained network."""

from __future__ import annotations

import abc
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from engine.data.dataset import Rows, Task
from engine.errors import BadInput
from engine.events import Event, Note, Phase
from engine.methods.base import balanced_rows, param
from engine.methods.decoupled import DecoupledMethod, Refit, head_frames, train_head
from engine.models.net import Net
from engine.spec.fields import LATER
from engine.training.batches import Passes, steps_of_pass
from engine.training.camera import Camera
from engine.training.fitted import Fitted
from engine.training.heads import embedded, warm_up
from engine.training.loop import Chosen, Meter, streams
from engine.training.oversampling import Draw, oversample

SPACES = ("auto", "input", "feature")


@dataclass(frozen=True)
class SampledMethod(DecoupledMethod, abc.ABC):
    """A sampler in one of two places. input: it changes the training rows, and the network is trained plainly on what comes out.
    feature: the network is trained plainly, the sampler changes the features of its training rows, and a fresh last layer is trained on
    them, as EOS does. Every class becomes as large as the largest.

    A subclass has `draws`. pixels: why the sampler does not work on images' pixels, one sentence; '' where it does.
    """

    reuses_plain = False
    adds_rows = True
    share = 0.7
    family = "sampling"
    kinds = ("tabular", "points", "images")
    pixels: ClassVar[str] = ""

    space: str = param(
        "auto", choices=SPACES,
        help="Where rows are made: among the input rows before training, or in the last hidden layer of the trained network. auto: among "
        "the features for images, among the input rows for all else.",
    )  # fmt: skip
    head_epochs: int = param(
        10,
        low=1,
        high=500,
        log=True,
        advanced=True,
        help="Passes over the features in the last phase, where rows are made there.",
    )
    head_rate: float = param(
        0.1, low=0.0, high=1.0, stacks=LATER, advanced=True,
        help="Step size of the last phase (SGD, momentum 0.9, weight decay 0.0002), reached over its first five passes.",
    )  # fmt: skip

    @abc.abstractmethod
    def draws(self, task: Task) -> Sequence[Draw]:
        """The sampler of every member of the stack."""

    def draws_on(self, real: Rows, task: Task) -> Sequence[Draw]:
        """The samplers for these rows, [R, N, D]: what they have to learn of all replicates is learnt at the first draw."""
        return self.draws(task)

    def count_fixed(self, task: Task) -> int:
        """How many of the last columns are those of categories, in which no row is moved."""
        return 0 if self.on_features(task) else sum(task.levels)

    def on_features(self, task: Task) -> bool:
        """Whether rows are made among the features. Raises BadInput for pixels where the sampler does not work on them."""
        if self.space == "input" and task.shape is not None and self.pixels:
            raise BadInput(f"{self.name}(space='input') does not take images: {self.pixels}")
        return self.space == "feature" or (self.space == "auto" and task.shape is not None)

    def fit(self, task: Task, *, camera: Camera) -> Generator[Event, None, Fitted]:
        """See Method.fit. Raises BadInput for pixels where the sampler does not work on them."""
        if self.on_features(task):
            return (yield from super().fit(task, camera=camera))
        if task.levels:
            yield Note("New rows are made as if every column held numbers, so that their categories become fractions.")
        return (yield from self.fit_sampled(task, self.draws_on(task.train, task), camera=camera))

    def head_steps(self, task: Task) -> int:
        """See DecoupledMethod."""
        counts = task.train.counts(len(task.classes))
        return self.head_epochs * steps_of_pass((counts.amax(1) * (counts > 0).sum(1)).tolist(), self.batch)

    def refit(self, net: Net, task: Task, *, chosen: Chosen, meter: Meter, camera: Camera) -> Generator[Event, None, Refit]:
        """See DecoupledMethod."""
        yield Phase("sampling", "Making new rows among the features")
        real = embedded(net, task.train)
        sampled = yield from oversample(real, task, self.draws_on(real, task), meter=meter, thing="embedding")
        head_frames(net, task, camera)
        if task.shape is not None and sampled.new is not None:  # frames of a table stay in the plane of its input rows
            new = sampled.new
            camera.describe_points(sampled)
            camera.track_points(new, lambda: new.x)
        yield Phase("head", "Training the last layer")
        batches = Passes(sampled.rows.sizes.tolist(), self.batch, streams(task, "head-batch"))
        trained = yield from train_head(
            task, net, sampled.rows, batches, rate=warm_up(self.number(task, "head_rate", host=True)), decay=2e-4, epochs=self.head_epochs,
            warm_start=False, meter=meter, camera=camera,
        )  # fmt: skip
        return replace(trained, embedded=sampled.new, lines=sampled.lines, moved=sampled.moved, kept=sampled.kept)

    @classmethod
    def estimate_rows(cls, params: Mapping[str, Any], counts: Sequence[int]) -> float:
        """See Method.estimate_rows. In feature space only the last layer sees the new rows, at a fifth of the network's cost."""
        if params.get("space") == "feature":
            return float(super().estimate_rows(params, counts) + params["head_epochs"] * balanced_rows(counts) / 5)
        return float(super().estimate_rows(params, [max(counts)] * len(counts)))
