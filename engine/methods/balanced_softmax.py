"""Balanced softmax: cross-entropy of a softmax in which every class counts by its rows."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from torch import Tensor

from engine.data.dataset import Task
from engine.events import Event
from engine.methods.base import DeepMethod
from engine.methods.prior_shift_base import fit_shifted, shift_shares
from engine.spec.pens import Pen
from engine.training.camera import Camera
from engine.training.fitted import Fitted


@dataclass(frozen=True)
class BalancedSoftmax(DeepMethod):
    """Training weighs every class in the softmax by its rows, and testing does not. It is logit adjustment with tau 1: the two shifts
    differ by one number a row, which a softmax does not see."""

    name = "balanced-softmax"
    title = "Balanced softmax"
    family = "loss"
    kinds = ("tabular", "points", "images")
    source = "Ren et al. 2020, eq. 4, without their meta sampler; the same as Menon et al. 2021 with tau 1."
    pen = Pen("green", "dash", "hexagon")
    comparison = 41

    def fit(self, task: Task, *, camera: Camera) -> Generator[Event, None, Fitted]:
        """See Method.fit."""
        return (yield from fit_shifted(self, task, 1.0, camera=camera))

    def class_shares(self, task: Task, fitted: Fitted) -> Tensor:
        """See Method.class_shares. The logits are those of equal classes."""
        return shift_shares(super().class_shares(task, fitted), task.train.counts(len(task.classes)), 1.0)
