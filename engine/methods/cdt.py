"""CDT: class-dependent temperatures."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import ClassVar

from engine import losses
from engine.data.dataset import Task
from engine.events import Event
from engine.methods.base import DeepMethod, param
from engine.spec.fields import FIRST
from engine.spec.pens import Pen
from engine.training.camera import Camera
from engine.training.fitted import Fitted


@dataclass(frozen=True)
class CDT(DeepMethod):
    """Training divides each logit by a temperature that is higher for rarer classes, and testing does not. So the network learns larger
    logits for rare classes.

    With classes of equal size it is plain training.
    """

    name = "cdt"
    title = "Class temperatures (CDT)"
    family = "loss"
    kinds = ("tabular", "points", "images")
    source = "Ye et al. 2020, temperatures (n_max / n_c)^0.2, none in testing; the text scans exponents up to 0.4."
    controls: ClassVar = {"temperatures at the end": {"deferred": True}}
    pen = Pen("green", "longdash", "pentagon")
    control_pens: ClassVar = {"temperatures at the end": Pen("green", "dashdot", "diamond")}
    comparison = 42

    gamma: float = param(
        0.2,
        low=0.0,
        high=2.0,
        stacks=FIRST,
        help="Temperatures are (largest class / class) to this power; 0 is plain training.",
    )
    deferred: bool = param(
        False, advanced=True, help="Temperatures are 1 in the first four fifths of the epochs; the last epoch is taken."
    )

    def fit(self, task: Task, *, camera: Camera) -> Generator[Event, None, Fitted]:
        """See Method.fit. Temperatures that begin late need all epochs, so neither patience nor validation ends training then."""
        loss = losses.CDT(task.train.counts(len(task.classes)), self.number(task, "gamma"), deferred=self.deferred)
        on = replace(task, held_out=False) if self.deferred else task
        return (yield from self.fit_plain(on, loss, camera=camera))
