"""What methods share that shift logits by the log of the class shares."""

from __future__ import annotations

from collections.abc import Generator

import torch
from torch import Tensor

from engine.analysis.shifts import TIE_TOLERANCE
from engine.data.dataset import Task
from engine.events import Event, Phase
from engine.losses import LogitAdjusted, broadcast, cross_entropy, log_priors
from engine.methods.base import DeepMethod
from engine.methods.decoupled import set_head
from engine.models.net import Net
from engine.training.batches import steps_of_pass
from engine.training.camera import Camera
from engine.training.fitted import Fitted
from engine.training.loop import Meter, evaluate

TAUS = tuple(k / 4 for k in range(9))
"""Among which `choose_tau` chooses."""


def fit_shifted(method: DeepMethod, task: Task, tau: float | Tensor, *, camera: Camera) -> Generator[Event, None, Fitted]:
    """Trains with tau log pi added to the logits, and leaves it out afterwards. tau: one, or [R, 1]."""
    loss = LogitAdjusted(task.train.counts(len(task.classes)), tau)
    return (yield from method.fit_plain(task, loss, camera=camera))


def fit_shifted_afterwards(
    method: DeepMethod, task: Task, tau: float | Tensor | None, *, camera: Camera
) -> Generator[Event, None, Fitted]:
    """Trains plainly, then subtracts tau log pi from the biases of the last layer. tau: one, or [R, 1]; None: `choose_tau`'s."""
    meter = Meter(method.epochs * steps_of_pass(task.train.sizes.tolist(), method.batch))
    yield Phase("training", "Training the network")
    net, chosen = yield from method.pretrain(task, cross_entropy, rows=task.train, meter=meter, camera=camera)
    earlier = net.copy()
    yield Phase("head", "Shifting the logits by the class shares")
    chosen_tau: dict[str, Tensor] = {}
    with torch.no_grad():
        if tau is None:
            chosen_tau["tau"] = task.chosen["tau"] if "tau" in task.chosen else choose_tau(net, task)
            tau = chosen_tau["tau"].to(net.flat.device).unsqueeze(1)
        biases = net.flat[:, -net.classes :]
        set_head(net, biases - (tau * log_priors(task.train.counts(net.classes))).to(biases))
    yield from camera.record_final_frame(net, "chosen", chosen.epoch, meter.step, evaluate(net, task.valid)[0])
    return Fitted(net, chosen.epoch, earlier=earlier, chosen={"training": chosen.epoch} | chosen_tau)


def choose_tau(net: Net, task: Task) -> Tensor:
    """The tau [R] float64 of TAUS whose shift has the best balanced accuracy on the validation rows; of equal ones the nearest to 1.

    Classes without validation rows do not count.
    """
    valid, classes = task.valid, net.classes
    logits, log_shares = net(valid.x).double(), log_priors(task.train.counts(classes)).double()
    own = torch.nn.functional.one_hot(valid.y, classes).double() * valid.mask.unsqueeze(2)
    if valid.weight is not None:
        own = own * valid.weight.unsqueeze(2)
    total, taus = own.sum(1), sorted(TAUS, key=lambda tau: abs(tau - 1))
    there, scores = total > 0, []
    for tau in taus:
        right = (logits - tau * log_shares.unsqueeze(1)).argmax(2) == valid.y
        recall = (own * right.unsqueeze(2)).sum(1) / torch.where(there, total, 1.0)
        scores.append(recall.sum(1) / there.sum(1).clamp(min=1))
    score = torch.stack(scores)
    first = (score >= score.amax(0) - TIE_TOLERANCE).int().argmax(0)
    return torch.tensor(taus, dtype=torch.float64, device=logits.device)[first]


def shift_shares(shares: Tensor, counts: Tensor, tau: float | Tensor) -> Tensor:
    """Class shares [R, C], up to a factor, that logits stand for once tau log pi is left out. counts [R, C]: training rows."""
    return shares * (-broadcast(tau, shares) * log_priors(counts)).exp()
