"""Plain training with the decision tuned afterwards."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from engine.analysis.shifts import CRITERIA, find_shifts
from engine.data.dataset import Task
from engine.events import Event, Phase
from engine.methods.base import param
from engine.methods.decoupled import DecoupledMethod, Refit, set_head
from engine.models.net import Net
from engine.spec.fields import LATER
from engine.spec.pens import Pen
from engine.training.camera import Camera
from engine.training.fitted import Fitted
from engine.training.loop import Chosen, Meter


@dataclass(frozen=True)
class Threshold(DecoupledMethod):
    """Train plainly, then move the line between the classes to where validation rows say it is best. The ranking of two classes stays
    as it is, and with it average precision; what changes are the decisions."""

    name = "threshold"
    title = "Threshold tuning"
    family = "plain"
    kinds = ("tabular", "points", "images")
    source = (
        "Moving the threshold (Provost 2000), as scikit-learn's TunedThresholdClassifierCV but on the validation rows, and for more "
        "than two classes a number added to each class's logit, found one class after the other."
    )
    pen = Pen("grey", "longdash", "hexagon")
    comparison = 2

    criterion: str = param(
        "balanced accuracy", choices=CRITERIA, stacks=LATER,
        help="What is made as large as can be on the validation rows; F1 is macro for many classes."
    )  # fmt: skip

    def refit(self, net: Net, task: Task, *, chosen: Chosen, meter: Meter, camera: Camera) -> Generator[Event, None, Refit]:
        """See DecoupledMethod. Adds the shifts to the biases of the last layer, so that the network's argmax is the tuned
        decision.
        """
        yield Phase("head", "Tuning the decision on validation rows")
        with torch.no_grad():
            shifts = task.chosen.get("shifts")
            if shifts is None:
                shifts = self._find(net, task)
            biases = net.flat[:, -net.classes :]
            set_head(net, biases + shifts.to(biases))
        return Refit(net, chosen={"shifts": shifts})

    def _find(self, net: Net, task: Task) -> Tensor:
        """The shifts of the logits [R, C] that are best on the validation rows."""
        valid = task.valid
        logits = net(valid.x).double().cpu()
        weights: list[Any] = [None] * len(logits)
        if valid.weight is not None:
            weights = [w[mask].double().cpu().numpy() for w, mask in zip(valid.weight, valid.mask, strict=True)]
        return torch.stack(
            [
                torch.from_numpy(find_shifts(z[mask].numpy(), y[mask].numpy(), own.criterion, w))
                for z, y, mask, w, own in zip(
                    logits, valid.y.cpu(), valid.mask.cpu(), weights, self.list_members(task), strict=True
                )
            ]
        )

    def class_shares(self, task: Task, fitted: Fitted) -> Tensor:
        """See Method.class_shares. A shift of a class's logit has the effect of multiplying its share by exp(shift)."""
        assert fitted.earlier is not None
        biases, before = (net.flat[:, -net.classes :] for net in (fitted.net, fitted.earlier))
        return super().class_shares(task, fitted) * (biases - before).double().exp()
