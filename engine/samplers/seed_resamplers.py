"""SWIM, SUGAR and manifold over-sampling with the interface of imbalanced-learn."""

from __future__ import annotations

import numbers
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval, StrOptions

from engine.samplers import manifold as surfaces
from engine.samplers import sugar as thin
from engine.samplers import swim as kept
from engine.samplers.resampler import Resampler

WHOLE = Interval(numbers.Integral, 0, None, closed="left")
NUMBER = Interval(numbers.Real, 0, None, closed="left")


class SWIM(Resampler):
    """Sampling with the majority: a new row is as far from the other classes as a row of its class.

    measure: "mahalanobis" keeps the distance from the other classes' mean in units of their covariance; "rbf" takes steps to where
    they are no denser. spread: size of the steps, in standard deviations of the class. sampling_strategy: as in imbalanced-learn.
    random_state: int, RandomState or None; one generator serves the whole fit.

    A class of one row takes the others' spread, with a UserWarning; so do more columns than other rows, where it moves only in the
    directions in which those vary. Categories as columns of 0 and 1 become fractions.
    """

    sampler: ClassVar = staticmethod(kept.swim)
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **Resampler._parameter_constraints,
        "measure": [StrOptions(set(kept.MEASURES))],
        "spread": [NUMBER],
    }

    def __init__(
        self,
        measure: str = "mahalanobis",
        spread: float = kept.SPREAD,
        sampling_strategy: Any = "auto",
        random_state: Any = None,
    ) -> None:
        super().__init__(sampling_strategy=sampling_strategy)
        self.measure = measure
        self.spread = spread
        self.random_state = random_state


class SUGAR(Resampler):
    """New rows where a class is thin, pulled along its shape.

    k_neighbors: rows of the class, itself among them, whose covariance is the noise's. passes: how often new rows are smoothed.
    bandwidth: "median" distance in the class, or "std" of mean distances, as released. equalize: numbers follow the neighbours' spread
    too. sampling_strategy: as in imbalanced-learn. random_state: int, RandomState or None; one generator serves the whole fit.

    A class of one row is copied, with a UserWarning. The other classes are not looked at. Categories as columns of 0 and 1 become
    fractions.
    """

    sampler: ClassVar = staticmethod(thin.sugar)
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **Resampler._parameter_constraints,
        "k_neighbors": [Interval(numbers.Integral, 2, None, closed="left")],
        "passes": [WHOLE],
        "bandwidth": [StrOptions(set(thin.BANDWIDTHS))],
        "equalize": ["boolean"],
    }

    def __init__(
        self,
        k_neighbors: int = thin.SUGAR_NEIGHBORS,
        passes: int = 1,
        bandwidth: str = "median",
        equalize: bool = True,
        sampling_strategy: Any = "auto",
        random_state: Any = None,
    ) -> None:
        super().__init__(sampling_strategy=sampling_strategy)
        self.k_neighbors = k_neighbors
        self.passes = passes
        self.bandwidth = bandwidth
        self.equalize = equalize
        self.random_state = random_state


class Manifold(Resampler):
    """Steps along the plane (PCA) or surface (denoising auto-encoder) in which a class lies. An interpretation of the source.

    surface: "pca" or "auto-encoder". components: of PCA; 0: the fewest with 95% of the variance. residual: keep what a seed has outside
    the plane. spread: size of the steps, in standard deviations of the class. steps: of the auto-encoder's training. sampling_strategy:
    as in imbalanced-learn. random_state: int, RandomState or None; one generator serves the whole fit.

    A class of one row is copied, one of fewer than five takes PCA, both with a UserWarning. Categories as columns of 0 and 1 become
    fractions.
    """

    sampler: ClassVar = staticmethod(surfaces.manifold)
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **Resampler._parameter_constraints,
        "surface": [StrOptions(set(surfaces.SURFACES))],
        "components": [WHOLE],
        "residual": ["boolean"],
        "spread": [NUMBER],
        "steps": [Interval(numbers.Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        surface: str = "pca",
        components: int = 0,
        residual: bool = False,
        spread: float = surfaces.SPREAD,
        steps: int = 300,
        sampling_strategy: Any = "auto",
        random_state: Any = None,
    ) -> None:
        super().__init__(sampling_strategy=sampling_strategy)
        self.surface = surface
        self.components = components
        self.residual = residual
        self.spread = spread
        self.steps = steps
        self.random_state = random_state
