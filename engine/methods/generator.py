"""Base of methods that train a generator on the training rows, fill every class with rows it makes, and train the network on all."""

from __future__ import annotations

import abc
import dataclasses
import hashlib
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor

from engine import losses
from engine.data.dataset import Rows, Task
from engine.data.rows import append, pad
from engine.events import Event, Note, Phase
from engine.losses import Loss, cross_entropy
from engine.methods.base import USUAL_EPOCHS, DeepMethod, balanced_rows, param
from engine.models.generators.adversarial import Made, Pixels, RowGenerator, Scale, Streams, Unscaled
from engine.models.net import Net
from engine.seeds import numpy_stream
from engine.training.batches import steps_of_pass
from engine.training.camera import Camera
from engine.training.fitted import Fitted, Generated, Synthetic
from engine.training.generators import train_generators
from engine.training.heads import embedded
from engine.training.loop import Meter, streams
from engine.training.oversampling import Sampled

LOSSES = ("ce", "focal", "asl", "ldam")


@dataclass(frozen=True)
class Filled:
    """Real rows with the new ones after them, the new ones alone, how they were made, and the trained generators [R]."""

    rows: Rows
    new: Rows
    generated: Generated
    generators: Sequence[RowGenerator]


@dataclass(frozen=True)
class GeneratorMethod(DeepMethod, abc.ABC):
    """A generator makes new rows of every class below the largest; the network is trained once, on all rows.

    Generators see training rows alone, and stop at their last step. Replicates do not affect each other.
    """

    family = "deep"
    presets: ClassVar = {"images": {"epochs": 10, "batch": 64}}
    deviations: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    loss: str = param(
        "ce", choices=LOSSES,
        help="Loss of the network: cross-entropy, focal, asymmetric, or LDAM (margins by class size, cosines for logits).",
    )  # fmt: skip
    deferred: bool = param(
        True, advanced=True, help="LDAM weighs rows by their class in the last fifth of the epochs (deferred re-weighting)."
    )
    share: float = param(
        1.0, low=0.0, high=1.0, help="Share of what each class lacks to the largest one that new rows make up for."
    )

    @abc.abstractmethod
    def check_task(self, task: Task) -> None:
        """Raises BadInput where the generator cannot work on these rows."""

    @abc.abstractmethod
    def count_generator_steps(self, task: Task) -> int:
        """Steps of one generator, over all its stages."""

    @abc.abstractmethod
    def make_generator(self, x: Tensor, y: Tensor, task: Task, own: Streams) -> RowGenerator:
        """An untrained generator of rows like x [n, d], as `scale_rows` leaves them, with classes y [n]."""

    def explain(self, generator: RowGenerator, made: Made, task: Task) -> list[str]:
        """What a person should know of the first replicate's generator, a sentence each."""
        return []

    def create(self, task: Task) -> Net:
        """See DeepMethod. LDAM has a cosine head."""
        net = super().create(task)
        net.cosine = self.loss == "ldam"
        return net

    def fit(self, task: Task, *, camera: Camera) -> Generator[Event, None, Fitted]:
        """See Method.fit. Raises BadInput as `check_task` does."""
        self.check_task(task)
        return (yield from self.fit_filled(task, camera))

    @classmethod
    def estimate_rows(cls, params: Mapping[str, Any], counts: Sequence[int]) -> float:
        """See Method.estimate_rows. The generator's steps are counted by `cost`."""
        return float(min(params["epochs"], USUAL_EPOCHS) * balanced_rows(counts))

    def fit_filled(self, task: Task, camera: Camera) -> Generator[Event, None, Fitted]:
        """Trains the generators and then the network, on input rows."""
        counts = task.train.counts(len(task.classes))
        full = counts + self._lacking(counts)
        meter = Meter(
            len(task.replicates) * self.count_generator_steps(task)
            + self.epochs * steps_of_pass(full.sum(1).tolist(), self.batch)
        )
        filled = yield from self.fill(task.train, task, meter)
        new = filled.new
        synthetic = Synthetic(new.x, new.x, new.y, new.mask)
        if task.shape is None:
            camera.describe_points(describe_filled(filled, len(camera.views)))
            camera.track_points(new, lambda: synthetic.x)
        yield Phase("training", "Training the network")
        loss = self.classifier_loss(filled.rows.counts(len(task.classes)))
        net, chosen = yield from self.pretrain(task, loss, rows=filled.rows, meter=meter, camera=camera)
        if task.shape is not None:
            camera.show_features(net)
            features = embedded(net, new)
            camera.describe_points(describe_filled(filled, len(camera.views)))
            camera.track_points(features, lambda: features.x)
        yield from camera.record_final_frame(net, "chosen", chosen.epoch, meter.step, chosen.score)
        return Fitted(
            net, chosen.epoch, synthetic, lines=_lines(filled), chosen={"training": chosen.epoch}, generated=filled.generated
        )

    def classifier_loss(self, counts: Tensor) -> Loss:
        """The network's loss for classes with these counts [R, C]."""
        if self.loss == "ldam":
            return losses.LDAM(counts, deferred=self.deferred)
        return {"ce": cross_entropy, "focal": losses.Focal(), "asl": losses.ASL()}[self.loss]

    def fill(self, real: Rows, task: Task, meter: Meter) -> Generator[Event, None, Filled]:
        """Trains the generators on `real`, input rows or features of the task's replicates, and fills every class with their rows.

        Every replicate trains on its streams "gen-init", "gen-batch" and "gen-noise" and draws from its stream "points".
        """
        scales = [self.scale_rows(task, r, real) for r in range(len(task.replicates))]
        generators = yield from self.train_on(real, scales, task, meter)
        yield Phase("sampling", "Making new rows")
        parts, hows, pictures, repeated = [], [], [], set()
        counts = real.counts(len(task.classes))
        lacking = self._lacking(counts).tolist()
        for r, (replicate, generator) in enumerate(zip(task.replicates, generators, strict=True)):
            wanted = {c: n for c, n in enumerate(lacking[r]) if n}
            made = generator.draw(wanted, numpy_stream(task.seed, "points", replicate.seed, replicate.fold))
            parts.append((scales[r].leave(made.x).to(real.x), made.y.to(real.y)))
            hows.append((made.how, made.y))
            pictures.append({name: _leave(scales[r], each) for name, each in made.pictures.items()})
            repeated |= set(made.instead)
            if replicate.number == 0:
                for text in self.explain(generator, made, task):
                    yield Note(text)
        if repeated:
            yield Note("A class with a single training row was repeated instead.", "warning")
        new = pad(parts)
        names = hows[0][0].keys()
        how = {name: torch.stack([_widen(each[name], new.mask.shape[1]) for each, _ in hows]) for name in names}
        return Filled(append(real, new), new, Generated(how, tuple(pictures)), generators)

    def train_on(
        self, real: Rows, scales: Sequence[Scale], task: Task, meter: Meter
    ) -> Generator[Event, None, list[RowGenerator]]:
        """The trained generators of the replicates' rows. See `fill`."""
        makes, keys = [], []
        own = [streams(task, f"gen-{name}") for name in ("init", "batch", "noise")]
        for r, three in enumerate(zip(*own, strict=True)):
            x, y = scales[r].enter(real.x[r][real.mask[r]]), real.y[r][real.mask[r]]
            makes.append(partial(self.make_generator, x, y, task, Streams(*three)))
            keys.append(self._generator_recipe(x, y, task, r))
        return (yield from train_generators(makes, keys, first=task.replicates[0].number, meter=meter))

    def scale_rows(self, task: Task, r: int, real: Rows) -> Scale:
        """How replicate r's generator sees rows: images as pixels in [-1, 1], all else as they are."""
        if task.shape is None:
            return Unscaled()
        return Pixels(*(torch.from_numpy(part).to(real.x) for part in task.greys[r]))

    def _lacking(self, counts: Tensor) -> Tensor:
        """New rows [R, C] that classes of these counts get; none for a class without a row."""
        return (self.share * (counts.amax(1, keepdim=True) - counts)).round().long() * (counts > 0)

    def _generator_recipe(self, x: Tensor, y: Tensor, task: Task, r: int) -> str:
        """Text of all that training replicate r's generator depends on: the classifier's own parameters are not among it."""
        known = {f.name for f in dataclasses.fields(GeneratorMethod)}
        own = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in known}
        rows = hashlib.sha256(x.cpu().contiguous().numpy().data)
        rows.update(y.cpu().contiguous().numpy().data)
        one = task.replicates[r]
        where = (task.seed, one.seed, one.fold, len(task.classes), task.shape, str(task.device), x.dtype)
        return repr((self.name, own, where, rows.hexdigest()))


def describe_filled(filled: Filled, pictures: int) -> Sampled:
    """How the new rows of the first `pictures` replicates were made. kind: "generated", of which rows with which weights; "codes", between
    the codes of which rows; "nearest", of a drawn code, with the nearest row of the class for a seed.
    """
    how, lines = filled.generated.how, _lines(filled)
    if {"top", "alpha"} <= how.keys():
        return Sampled(
            filled.rows, filled.new, _start_at(how["top"][..., 0]), kind="generated", sources=(how["top"], how["alpha"])
        )
    if lines is not None:
        weights = torch.stack([1 - how["step"], how["step"]], 2)
        return Sampled(filled.rows, filled.new, lines, kind="codes", sources=(lines[..., :2].long(), weights))
    near = [find_nearest(filled.rows, filled.new, r) for r in range(pictures)]
    return Sampled(filled.rows, filled.new, _start_at(torch.stack(near)) if near else None, kind="nearest")


def _start_at(rows: Tensor) -> Tensor:
    """Lines [R, n, 3] that begin and end at rows [R, n]."""
    return torch.stack([rows, rows, torch.zeros_like(rows)], 2).double()


def find_nearest(rows: Rows, new: Rows, r: int) -> Tensor:
    """The number of the real row of its class nearest to each of replicate r's new rows, [n], -1 on padding. rows: real ones, then new."""
    out = torch.full_like(new.y[r], -1)
    real = torch.arange(rows.mask.shape[1], device=out.device) < rows.mask[r].sum() - new.mask[r].sum()
    for c in torch.unique(new.y[r][new.mask[r]]).tolist():
        at, own = (torch.nonzero(mask).squeeze(1) for mask in (new.mask[r] & (new.y[r] == c), real & (rows.y[r] == c)))
        out[at] = own[torch.cdist(new.x[r][at].double(), rows.x[r][own].double()).argmin(1)]
    return out


def _lines(filled: Filled) -> Tensor | None:
    """`Fitted.lines` of generators that say between which rows theirs lie."""
    how = filled.generated.how
    if not {"base", "other", "step"} <= how.keys():
        return None
    lines = torch.stack([how[name].double() for name in ("base", "other", "step")], 2)
    return torch.where(filled.new.mask.unsqueeze(2), lines, -1.0)


def _leave(scale: Scale, rows: Tensor) -> Tensor:
    """Rows [C, k, p, d] of a generator in the scale of the task."""
    return scale.leave(rows.flatten(0, 2)).view(rows.shape)


def _widen(values: Tensor, width: int) -> Tensor:
    """values [m, ...] with zeros after them, [width, ...]."""
    out = values.new_zeros(width, *values.shape[1:])
    out[: len(values)] = values
    return out
