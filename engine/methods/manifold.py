"""Manifold over-sampling before training, or among features."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np

from engine.data.dataset import Rows, Task
from engine.errors import BadInput
from engine.methods.base import param
from engine.methods.sampled_base import SampledMethod
from engine.samplers.manifold import FEWEST, SPREAD, SURFACES, AutoEncoders, Rebuild, manifold
from engine.seeds import numpy_stream
from engine.spec.fields import FIRST
from engine.spec.pens import Pen
from engine.training.oversampling import Draw


@dataclass(frozen=True)
class Manifold(SampledMethod):
    """Steps along the plane or surface in which a minority class lies, from one of its rows. With more columns than rows there are at most
    as many directions as rows, less one. An interpretation: neither text nor code was at hand."""

    name = "manifold"
    title = "Manifold over-sampling"
    named: ClassVar = (({"surface": "auto-encoder"}, "Manifold over-sampling (auto-encoder)"),)
    source = (
        "Bellinger et al. 2018, an interpretation: the plane of principal components with 95% of the variance, or a denoising auto-encoder "
        "of one hidden layer, two passes; steps of a quarter standard deviation."
    )
    pen = Pen("green", "dot", "hexagon")
    comparison = 68

    surface: str = param(
        "pca", choices=SURFACES, help="Where the class lies: in the plane of its principal components, or as an auto-encoder learns it."
    )  # fmt: skip
    components: int = param(
        0, low=0, high=1000, stacks=FIRST, advanced=True, help="Principal components; 0: the fewest with 95% of the variance."
    )
    residual: bool = param(False, advanced=True, help="A new row keeps what its seed has outside the plane of the components.")
    spread: float = param(
        SPREAD, low=0.0, high=10.0, stacks=FIRST, help="How large steps are, in standard deviations of the class."
    )
    steps: int = param(300, low=1, high=10_000, log=True, advanced=True, help="Steps of training of the auto-encoder.")

    def draws(self, task: Task) -> Sequence[Draw]:
        """See SampledMethod. Raises BadInput for an auto-encoder of pixels."""
        if self.surface == "auto-encoder" and task.shape is not None and not self.on_features(task):
            raise BadInput(
                "manifold(surface='auto-encoder', space='input') does not take images: a few hidden units cannot rebuild pixels; use "
                "space='feature'."
            )
        return [one.bind() for one in self.list_members(task)]

    def bind(self, trained: Callable[[int], Rebuild] | None = None) -> Draw:
        """The sampler with these parameters. trained: see `manifold`."""
        return partial(
            manifold,
            surface=self.surface,
            components=self.components,
            residual=self.residual,
            spread=self.spread,
            steps=self.steps,
            trained=trained,
        )

    def draws_on(self, real: Rows, task: Task) -> Sequence[Draw]:
        """See SampledMethod. Auto-encoders of all replicates are trained in stacks, from the streams manifold-init and manifold-noise."""
        draws = self.draws(task)
        if self.surface != "auto-encoder":
            return draws
        counts = real.counts(len(task.classes))
        below = ((counts >= FEWEST) & (counts < counts.amax(1, keepdim=True))).nonzero().tolist()
        rows = {(r, c): real.x[r][real.mask[r] & (real.y[r] == c)].double().cpu().numpy() for r, c in below}

        def find_streams(key: tuple[int, int]) -> tuple[np.random.Generator, np.random.Generator]:
            one = task.replicates[key[0]]
            init, noise = (
                numpy_stream(task.seed, f"manifold-{name}", one.seed, one.fold, key[1]) for name in ("init", "noise")
            )
            return init, noise

        every = AutoEncoders(rows, find_streams, self.steps)

        def find(r: int, c: int) -> Rebuild:
            return every.find((r, c))

        return [one.bind(partial(find, r)) for r, one in enumerate(self.list_members(task))]
