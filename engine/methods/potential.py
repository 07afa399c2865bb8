"""The potential: plain training on all rows, the withheld ones included."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import ClassVar

from engine.data.dataset import Task
from engine.data.rows import append
from engine.errors import BadInput
from engine.events import Event
from engine.losses import cross_entropy
from engine.methods.base import DeepMethod, param
from engine.spec.pens import Pen
from engine.training.camera import Camera
from engine.training.fitted import Fitted


@dataclass(frozen=True)
class Potential(DeepMethod):
    """An oracle, not a method: plain training with the withheld real minority rows given back. What better rows could give."""

    name = "potential"
    title = "All rows"
    family = "oracle"
    kinds = ("tabular", "points", "images")
    ranked: ClassVar[bool] = False
    source = "Yasinnik et al., section 5.1: trained from scratch with the rows dropped when the imbalance was made."
    presets: ClassVar = {**DeepMethod.presets, "paper": {"give_back": "all", "hidden": (128, 16)}}
    deviations = {"paper": ("Two logits with softmax instead of one with a sigmoid.",)}
    pen = Pen("pink", "longdash", "star")
    paper_rows = ("Potential",)

    give_back: str = param(
        "share", choices=("share", "all"), advanced=True,
        help="share: the rows dropped from training's part, so that training has its natural classes again; "
        "all: also those dropped from validation's and test's part, as the paper does.",
    )  # fmt: skip

    def fit(self, task: Task, *, camera: Camera) -> Generator[Event, None, Fitted]:
        """See Method.fit. Raises BadInput where no rows are withheld."""
        if not task.withheld.mask.any():
            raise BadInput(
                "nothing was withheld here, so there is no potential; make an imbalance first, such as a ratio of 20."
            )
        rows = append(task.train, task.withheld)
        if self.give_back == "all":
            rows = append(rows, task.withheld_elsewhere)
        return (yield from self.fit_plain(task, cross_entropy, camera=camera, rows=rows))
