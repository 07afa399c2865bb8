"""What the methods of the CCR family share."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import Any, ClassVar

from engine.methods.base import DeepMethod, param
from engine.methods.sampled_base import SampledMethod
from engine.samplers.ccr import CLEANINGS, VARIANTS
from engine.spec.fields import FIRST


@dataclass(frozen=True)
class SphereMethod(SampledMethod, abc.ABC):
    """A sampler whose minority rows grow spheres."""

    energy: float = param(
        0.0, low=0.0, high=1000.0, stacks=FIRST,
        help="What each sphere grows by: 1 for a unit of radius, and 1 more for each row of other classes inside. 0: 1.3 times the root of "
        "the number of columns.",
    )  # fmt: skip
    cleaning: str = param(
        "push", choices=CLEANINGS, stacks=FIRST, advanced=True,
        help="Rows of other classes inside a sphere are pushed to its surface, removed, or left where they are.",
    )  # fmt: skip


@dataclass(frozen=True)
class BallMethod(SphereMethod, abc.ABC):
    """One whose new rows lie anywhere in the spheres."""

    presets: ClassVar = {**DeepMethod.presets, "ccr": {"p": 1, "energy": 0.25}}
    deviations: ClassVar = {
        **DeepMethod.deviations,
        "ccr": ("The authors scale columns to 0 to 1; here they are standardised, so the same energy reaches less far.",),
    }

    p: int = param(
        2, low=1, high=2, stacks=FIRST, advanced=True, help="Norm of all distances: 2 Euclidean, 1 the sum of differences."
    )
    volume: bool = param(
        False,
        advanced=True,
        help="New rows fill a sphere evenly. Else their distances from its middle do, as in the authors' code.",
    )
    variant: str = param(
        "paper", choices=VARIANTS, stacks=FIRST, advanced=True,
        help="released: as the code, which divides by one row too few where a sphere holds all rows of other classes.",
    )  # fmt: skip

    def read_options(self) -> dict[str, Any]:
        """Arguments of `samplers.ccr.ccr`."""
        return {
            "energy": self.energy, "p": self.p, "cleaning": self.cleaning, "volume": self.volume, "variant": self.variant,
        }  # fmt: skip
