"""Base of methods that first train a whole network, then replace or retrain its last layer while the layers below stay."""

from __future__ import annotations

import abc
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor

from engine.data.dataset import Rows, Task
from engine.events import Event, Phase
from engine.losses import Loss, cross_entropy
from engine.methods.base import DeepMethod
from engine.models.net import Net
from engine.samplers.lines import Moved
from engine.training.batches import Balanced, Passes, steps_of_pass
from engine.training.camera import Camera
from engine.training.fitted import Fitted
from engine.training.heads import HeadSGD
from engine.training.loop import Batches, Chosen, Meter, evaluate, streams, train
from engine.training.optimisers import Rate


@dataclass(frozen=True)
class Refit:
    """The result of the second part of a decoupled method.

    net: the network with its final head. score [R]: its validation average precision; None: `fit` evaluates it. epoch [R]: the
    chosen epochs; None: those of the first phase. embedded, lines, moved, kept, chosen (of this part alone): see `Fitted`.
    """

    net: Net
    score: Tensor | None = None
    epoch: Tensor | None = None
    embedded: Rows | None = None
    lines: Tensor | None = None
    chosen: Mapping[str, Tensor] = field(default_factory=dict)
    moved: Moved | None = None
    kept: Tensor | None = None


@dataclass(frozen=True)
class DecoupledMethod(DeepMethod, abc.ABC):
    """A method of two parts: plain training (or another loss), then `refit`, which changes the last layer alone.

    share: share of the frames for the first phase; None: the camera's usual schedule.
    """

    reuses_plain = True
    share: ClassVar[float | None] = None

    def first_loss(self, task: Task) -> Loss:
        """The loss of the first phase."""
        return cross_entropy

    def head_steps(self, task: Task) -> int:
        """Optimiser steps that `refit` takes."""
        return 0

    @abc.abstractmethod
    def refit(self, net: Net, task: Task, *, chosen: Chosen, meter: Meter, camera: Camera) -> Generator[Event, None, Refit]:
        """The network with a new last layer. net: from the first phase, at the chosen epochs; may be changed."""

    def fit(self, task: Task, *, camera: Camera) -> Generator[Event, None, Fitted]:
        """See Method.fit."""
        steps = steps_of_pass(task.train.sizes.tolist(), self.batch)
        meter = Meter(self.epochs * steps + self.head_steps(task))
        loss = self.first_loss(task)
        if self.share is not None:
            camera.share = self.share
        yield Phase("training", "Training the network")
        net, chosen = yield from self.pretrain(task, loss, rows=task.train, meter=meter, camera=camera)
        earlier = net.copy()
        refitted = yield from self.refit(net, task, chosen=chosen, meter=meter, camera=camera)
        score = evaluate(refitted.net, task.valid)[0] if refitted.score is None else refitted.score
        epoch = chosen.epoch if refitted.epoch is None else refitted.epoch
        yield from camera.record_final_frame(refitted.net, "chosen", epoch, meter.step, score)
        every = {"training": chosen.epoch, **refitted.chosen}
        return Fitted(
            refitted.net, epoch, embedded=refitted.embedded, lines=refitted.lines, earlier=earlier, chosen=every, moved=refitted.moved,
            kept=refitted.kept,
        )  # fmt: skip


def train_head(
    task: Task,
    net: Net,
    rows: Rows,
    batches: Batches,
    *,
    rate: Rate,
    decay: float,
    epochs: int,
    warm_start: bool,
    meter: Meter,
    camera: Camera,
) -> Generator[Event, None, Refit]:
    """Trains the last layer of `net` on features by cross-entropy and SGD with momentum 0.9.

    rows: features [R, N, H] that the batches index. rate: step size; see `Rate`. decay: L2 penalty on weights and
    biases. warm_start: starts from the current layer, not from a fresh one.
    """
    step = HeadSGD(net, cross_entropy, rate=rate, momentum=0.9, decay=decay)
    if not warm_start:
        step.replace(streams(task, "head-init"))
    chosen = yield from train(net, task, step, batches, rows=rows, epochs=epochs, phase="head", meter=meter, camera=camera)
    return Refit(net, chosen.score, chosen.epoch, chosen={"head": chosen.epoch})


def head_batches(task: Task, size: int, *, balanced: bool) -> Batches:
    """Batches of at most `size` training rows for the last layer. balanced: equally many rows of every class."""
    rows, chances = task.train, streams(task, "head-batch")
    return Balanced(rows, len(task.classes), size, chances) if balanced else Passes(rows.sizes.tolist(), size, chances)


def set_head(net: Net, head: Tensor) -> None:
    """Replaces the end of `flat`: the whole last layer by head [R, (H + 1) C] (weights, then biases), or its biases by [R, C]."""
    flat = net.flat.clone()
    flat[:, -head.shape[1] :] = head
    net.flat = flat


def head_frames(net: Net, task: Task, camera: Camera) -> None:
    """Schedules frames of a phase that trains the last layer. On images all frames are of this phase, in the plane of the
    features; on tables the remaining frames are.
    """
    camera.share = 0.3
    if task.shape is not None:
        camera.share = 1.0
        camera.show_features(net)
