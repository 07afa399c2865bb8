"""Tau-normalisation of the last layer."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import ClassVar

import torch

from engine.data.dataset import Task
from engine.events import Event, Phase
from engine.methods.base import param
from engine.methods.decoupled import DecoupledMethod, Refit, set_head
from engine.models.feature_classifiers import class_biases, scan_tau, tau_normalised
from engine.models.net import Net
from engine.spec.fields import LATER
from engine.spec.pens import Pen
from engine.training.camera import Camera
from engine.training.loop import Chosen, Meter


@dataclass(frozen=True)
class TauNormalised(DecoupledMethod):
    """Train plainly, then divide each class's weights in the last layer by a power of their length and drop the biases: classes with
    many rows have long weights, and lose by it. Nothing is trained anew."""

    name = "tau"
    title = "Tau-normalisation"
    family = "deep"
    kinds = ("tabular", "points", "images")
    source = (
        "Kang et al. 2020, tau-normalised classifier. They choose tau by the accuracy on balanced validation rows; here by the balanced "
        "accuracy on validation rows as they come."
    )
    controls: ClassVar = {"without biases": {"choose": False, "tau": 0.0}}
    pen = Pen("pink", "dashdot", "pentagon")
    control_pens: ClassVar = {"without biases": Pen("pink", "longdashdot", "diamond")}

    choose: bool = param(True, help="Validation rows choose tau from 0, 0.1, ... 2 for each replicate; off, it is as given.")
    tau: float = param(
        1.0,
        low=0.0,
        high=2.0,
        stacks=LATER,
        advanced=True,
        help="The power: 0 leaves the weights as they are, 1 makes them equally long.",
    )

    def refit(self, net: Net, task: Task, *, chosen: Chosen, meter: Meter, camera: Camera) -> Generator[Event, None, Refit]:
        """See DecoupledMethod."""
        yield Phase("head", "Normalising the weights of the last layer")
        with torch.no_grad():
            weights, valid = net.head_weights(), task.valid
            given = self.number(task, "tau")
            tau = torch.ones(len(weights), 1, dtype=torch.float64, device=weights.device).mul_(given).squeeze(1)
            if self.choose and "tau" in task.chosen:
                tau = task.chosen["tau"].to(tau)
            elif self.choose:
                tau, _ = scan_tau(net.embed(valid.x, valid.mask), valid.y, valid.mask, weights, weight=valid.weight)
            head = tau_normalised(weights, tau).flatten(1)
            biases = class_biases(task.train.y, task.train.mask, task.train.weight, net.classes)
            beside = torch.zeros_like(head[:, : net.classes]) if biases is None else biases.to(head)
            set_head(net, torch.cat([head, beside], 1))
        return Refit(net, chosen={"tau": tau} if self.choose else {})
