"""What RBO and MC-RBO share as methods."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import Any, ClassVar

from engine.methods.base import DeepMethod, param
from engine.methods.sampled_base import SampledMethod
from engine.samplers.rbo import GOALS
from engine.spec.fields import FIRST


@dataclass(frozen=True)
class WalkMethod(SampledMethod, abc.ABC):
    """A sampler whose new rows walk."""

    presets: ClassVar = {**DeepMethod.presets, "released": {"p": 1, "gamma": 0.05, "steps": 500, "step_size": 0.001}}
    deviations: ClassVar = {
        **DeepMethod.deviations,
        "released": ("The authors scale columns to 0 to 1; here they are standardised, so that a step is shorter.",),
    }
    pixels: ClassVar[str] = (
        "a walk changes one column in a step, so 100 steps change at most 100 of the pixels; use space='feature'."
    )

    gamma: float = param(
        1.0,
        low=0.001,
        high=100.0,
        log=True,
        stacks=FIRST,
        help="Width of each row's potential, in standard deviations of a column.",
    )
    steps: int = param(100, low=0, high=5000, stacks=FIRST, help="Steps of a walk, at most; each changes one column.")
    step_size: float = param(
        0.05, low=0.0001, high=1.0, log=True, stacks=FIRST, help="Size of a step, in standard deviations of a column."
    )
    p: int = param(
        2, low=1, high=2, stacks=FIRST, advanced=True, help="Norm of all distances: 2 Euclidean, 1 the sum of differences."
    )
    goal: str = param(
        "balance", choices=GOALS, stacks=FIRST, advanced=True,
        help="A step is taken where the potential comes nearer to 0, falls (towards the class's own rows), or rises.",
    )  # fmt: skip

    def read_options(self) -> dict[str, Any]:
        """Arguments of both samplers."""
        return {"gamma": self.gamma, "steps": self.steps, "step_size": self.step_size, "p": self.p, "goal": self.goal}
