"""What methods share that shift logits by the log of the class shares."""

from __future__ import annotations

from collections.abc import Generator

import torch
from torch import Tensor

from engine.data.dataset import Task
from engine.events import Event, Phase
from engine.losses import LogitAdjusted, broadcast, cross_entropy, log_priors
from engine.methods.base import DeepMethod
from engine.methods.decoupled import set_head
from engine.training.batches import steps_of_pass
from engine.training.camera import Camera
from engine.training.fitted import Fitted
from engine.training.loop import Meter, evaluate


def fit_shifted(method: DeepMethod, task: Task, tau: float | Tensor, *, camera: Camera) -> Generator[Event, None, Fitted]:
    """Trains with tau log pi added to the logits, and leaves it out afterwards. tau: one, or [R, 1]."""
    loss = LogitAdjusted(task.train.counts(len(task.classes)), tau)
    return (yield from method.fit_plain(task, loss, camera=camera))


def fit_shifted_afterwards(
    method: DeepMethod, task: Task, tau: float | Tensor, *, camera: Camera
) -> Generator[Event, None, Fitted]:
    """Trains plainly, then subtracts tau log pi from the biases of the last layer. tau: one, or [R, 1]."""
    meter = Meter(method.epochs * steps_of_pass(task.train.sizes.tolist(), method.batch))
    yield Phase("training", "Training the network")
    net, chosen = yield from method.pretrain(task, cross_entropy, rows=task.train, meter=meter, camera=camera)
    earlier = net.copy()
    yield Phase("head", "Shifting the logits by the class shares")
    with torch.no_grad():
        biases = net.flat[:, -net.classes :]
        set_head(net, biases - (tau * log_priors(task.train.counts(net.classes))).to(biases))
    yield from camera.record_final_frame(net, "chosen", chosen.epoch, meter.step, evaluate(net, task.valid)[0])
    return Fitted(net, chosen.epoch, earlier=earlier, chosen={"training": chosen.epoch})


def shift_shares(shares: Tensor, counts: Tensor, tau: float | Tensor) -> Tensor:
    """Class shares [R, C], up to a factor, that logits stand for once tau log pi is left out. counts [R, C]: training rows."""
    return shares * (-broadcast(tau, shares) * log_priors(counts)).exp()
