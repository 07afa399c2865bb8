"""Asymmetric loss."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from engine import losses
from engine.data.dataset import Task
from engine.errors import BadInput
from engine.events import Event
from engine.losses import Loss
from engine.methods.base import DeepMethod, param
from engine.spec.fields import FIRST
from engine.spec.pens import Pen
from engine.training.camera import Camera
from engine.training.fitted import Fitted

FORMS = ("auto", "two classes", "one label")


@dataclass(frozen=True)
class ASL(DeepMethod):
    """Focal loss with a focus of its own for each side: majority rows fade when they are well classified, and cost nothing below a
    margin; minority rows keep their weight."""

    name = "asl"
    title = "Asymmetric loss (ASL)"
    family = "loss"
    kinds = ("tabular", "points", "images")
    source = (
        "Ben-Baruch et al. 2021, eqs. 4 to 7 for two classes, their single-label code for more: that one is cross-entropy with label "
        "smoothing alone at its own values."
    )
    pen = Pen("blue", "longdash", "diamond")
    expected_failed_checks = {
        "check_classifiers_train": "on two classes of equal size the one that counts as the larger costs little (gamma_negative, "
        "margin), so the other is predicted too often: accuracy is at most .83, and the check asks for more."
    }

    form: str = param(
        "auto", choices=FORMS,
        help="two classes: as the paper writes it, the smaller class being the positive one. one label: their code for any number of "
        "classes, as the EOS paper uses it. auto: the first where there are two classes.",
    )  # fmt: skip
    gamma_positive: float = param(
        0.0,
        low=0.0,
        high=10.0,
        stacks=FIRST,
        help="How fast well classified rows of the smaller class (one label: of the row's own) fade.",
    )
    gamma_negative: float = param(
        4.0,
        low=0.0,
        high=10.0,
        stacks=FIRST,
        help="How fast well classified rows of the larger class (one label: the other classes) fade.",
    )
    margin: float = param(
        0.05, low=0.0, high=0.9, stacks=FIRST, advanced=True,
        help="Two classes: probabilities of a majority row that cost nothing. The paper chooses it between 0 and 0.3.",
    )  # fmt: skip
    smoothing: float = param(
        0.1,
        low=0.0,
        high=0.9,
        stacks=FIRST,
        advanced=True,
        help="One label: share of the label that is spread over all classes.",
    )

    def fit(self, task: Task, *, camera: Camera) -> Generator[Event, None, Fitted]:
        """See Method.fit. Raises BadInput for the two-class form with more than two classes."""
        return (yield from self.fit_plain(task, self._loss(task), camera=camera))

    def _loss(self, task: Task) -> Loss:
        two = len(task.classes) == 2
        if self.form == "two classes" and not two:
            raise BadInput(
                f"asl(form='two classes') is for two classes, these data have {len(task.classes)}; use form='one label'."
            )
        positive, negative = self.number(task, "gamma_positive"), self.number(task, "gamma_negative")
        if self.form == "one label" or not two:
            return losses.ASL(positive, negative, self.number(task, "smoothing"))
        return losses.BinaryASL(positive, negative, self.number(task, "margin"), task.largest)
