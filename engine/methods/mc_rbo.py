"""MC-RBO before training."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from engine.data.dataset import Task
from engine.methods.base import param
from engine.methods.walk_base import WalkMethod
from engine.samplers.rbo import NEAREST, mc_rbo
from engine.spec.fields import FIRST
from engine.spec.pens import Pen
from engine.training.oversampling import Draw


@dataclass(frozen=True)
class MCRBO(WalkMethod):
    """RBO for many classes, from the large to the small. Rows walk among equally many rows of every larger class. A walk tries every
    direction once and ends where none is better. In many columns new rows stay near their seeds."""

    name = "mc-rbo"
    title = "MC-RBO"
    source = (
        "Krawczyk, Koziarski and Wozniak 2020; the decomposition of the authors' code in its mode of sampling, with the nearest rows of "
        "each seed by its own number; columns, norm and steps as in RBO."
    )
    pen = Pen("green", "dash", "cross")
    comparison = 76

    k_neighbors: int = param(
        NEAREST,
        low=1,
        high=300,
        stacks=FIRST,
        advanced=True,
        help="Nearest rows of the seed that a walk feels, besides the seed itself.",
    )

    def draws(self, task: Task) -> list[Draw]:
        """See SampledMethod."""
        return [partial(mc_rbo, k_neighbors=one.k_neighbors, **one.read_options()) for one in self.list_members(task)]
