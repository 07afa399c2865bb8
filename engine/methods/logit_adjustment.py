"""Logit adjustment: the log of the class shares in the loss, or taken off the logits after training."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from engine.data.dataset import Task
from engine.events import Event
from engine.methods.base import DeepMethod, param
from engine.methods.prior_shift_base import fit_shifted, fit_shifted_afterwards, shift_shares
from engine.spec.fields import FIRST
from engine.spec.pens import Pen
from engine.training.camera import Camera
from engine.training.fitted import Fitted


@dataclass(frozen=True)
class LogitAdjustment(DeepMethod):
    """Training adds the log of each class's share to its logit, and testing does not: a rare class has to win by as much as it is rare.
    So probabilities are those of equal classes.

    After training instead, the shift moves the decisions of a plainly trained network. With two classes it is then a threshold that the
    class shares set: the ranking and average precision stay.
    """

    name = "logit-adjustment"
    title = "Logit adjustment"
    family = "loss"
    kinds = ("tabular", "points", "images")
    source = (
        "Menon et al. 2021, eq. 10 with tau 1; eq. 9 after training. The released code's 1e-12 inside the logarithm, which stops the "
        "shift at 27.6, is left out."
    )
    controls: ClassVar = {"shift after training": {"posthoc": True}}
    pen = Pen("green", "solid", "hexagon")
    control_pens: ClassVar = {"shift after training": Pen("green", "longdash", "triangle-up")}
    comparison = 40

    tau: float = param(
        1.0, low=0.0, high=10.0, stacks=FIRST, help="How much of the log of the class shares is added; 0 is plain training."
    )
    posthoc: bool = param(False, help="Trains plainly, and takes the shift off the logits afterwards.")
    choose: bool = param(
        False, advanced=True,
        help="Takes the shift off afterwards, with the one of tau = 0, 0.25, ..., 2 that has the best balanced accuracy on the "
        "validation rows.",
    )  # fmt: skip

    def fit(self, task: Task, *, camera: Camera) -> Generator[Event, None, Fitted]:
        """See Method.fit."""
        if self.choose:
            return (yield from fit_shifted_afterwards(self, task, None, camera=camera))
        fit = fit_shifted_afterwards if self.posthoc else fit_shifted
        return (yield from fit(self, task, self.number(task, "tau"), camera=camera))

    def class_shares(self, task: Task, fitted: Fitted) -> Tensor:
        """See Method.class_shares. With tau 1 the logits are those of equal classes."""
        shares = super().class_shares(task, fitted)
        tau = fitted.chosen["tau"].unsqueeze(1) if self.choose else self.number(task, "tau")
        return shift_shares(shares, task.train.counts(len(task.classes)), tau)
