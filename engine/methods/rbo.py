"""RBO before training."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from engine.data.dataset import Task
from engine.methods.base import param
from engine.methods.walk_base import WalkMethod
from engine.samplers.rbo import rbo
from engine.spec.fields import FIRST
from engine.spec.pens import Pen
from engine.training.oversampling import Draw


@dataclass(frozen=True)
class RBO(WalkMethod):
    """A copy of a minority row walks by small steps to where the potentials of both classes cancel. A step is taken where it brings them
    nearer to each other. It changes one column, so that in many columns new rows stay near their seeds."""

    name = "rbo"
    title = "RBO"
    source = (
        "Koziarski, Krawczyk and Wozniak 2017; on standardised columns with the Euclidean norm and wider potentials, in fewer and longer "
        "steps than the authors' code, which takes 500 of .001 on columns from 0 to 1."
    )
    pen = Pen("green", "longdashdot", "pentagon")
    comparison = 75

    stop: float = param(
        0.02, low=0.0, high=1.0, stacks=FIRST, advanced=True, help="Probability that a walk ends before each step."
    )
    k_neighbors: int = param(
        0, low=0, high=300, stacks=FIRST, advanced=True,
        help="Nearest rows of the seed that a walk feels. 0: all, or 25 where there are very many pairs of rows.",
    )  # fmt: skip

    def draws(self, task: Task) -> list[Draw]:
        """See SampledMethod."""
        return [
            partial(rbo, stop=one.stop, k_neighbors=one.k_neighbors, **one.read_options()) for one in self.list_members(task)
        ]
