"""CCR, MC-CCR and RB-CCR with the interface of imbalanced-learn."""

from __future__ import annotations

import numbers
from functools import partial
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval, StrOptions

from engine.samplers.ccr import CLASSES, CLEANINGS, REGIONS, VARIANTS, ccr, rb_ccr
from engine.samplers.resampler import Resampler

_ENERGY = [Interval(numbers.Real, 0, None, closed="left")]
_SHARED: dict[str, list[Any]] = {
    **Resampler._parameter_constraints,
    "energy": _ENERGY,
    "cleaning": [StrOptions(set(CLEANINGS))],
}
_BALLS: dict[str, list[Any]] = {"p": [Interval(numbers.Integral, 1, 2, closed="both")], "volume": ["boolean"]}
_BALLS |= {"variant": [StrOptions(set(VARIANTS))]}


class CCR(Resampler):
    """Combined cleaning and resampling: minority rows grow spheres, rows of other classes inside are pushed out, new rows lie within.

    Distances compare columns as they are: standardise them first. energy: what a sphere grows by; 0 is 1.3 times the root of the number
    of columns. p: norm, 1 or 2. cleaning: "push" the rows inside to the surface, "remove" or "ignore" them. classes: with many classes,
    each meets all others ("one-by-one") or as many rows of each larger one ("sampling"). volume: new rows fill the sphere evenly; else
    they crowd at its middle. variant: "paper", or "released" with the code's division where all rows are inside. sampling_strategy: as
    in imbalanced-learn. random_state: int, RandomState or None. See `Resampler` for what is returned and fitted.
    """

    sampler: ClassVar = staticmethod(ccr)
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {**_SHARED, **_BALLS, "classes": [StrOptions(set(CLASSES))]}

    def __init__(
        self,
        energy: float = 0.0,
        p: int = 2,
        cleaning: str = "push",
        classes: str = "one-by-one",
        volume: bool = False,
        variant: str = "paper",
        sampling_strategy: Any = "auto",
        random_state: Any = None,
    ) -> None:
        super().__init__(sampling_strategy=sampling_strategy)
        self.energy = energy
        self.p = p
        self.cleaning = cleaning
        self.classes = classes
        self.volume = volume
        self.variant = variant
        self.random_state = random_state


class MCCCR(Resampler):
    """CCR for many classes: each meets as many rows of every larger class as the largest has, divided by its place in the order.

    Parameters as in `CCR`; with two classes the two are alike.
    """

    sampler: ClassVar = staticmethod(partial(ccr, classes="sampling"))
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {**_SHARED, **_BALLS}

    def __init__(
        self,
        energy: float = 0.0,
        p: int = 2,
        cleaning: str = "push",
        volume: bool = False,
        variant: str = "paper",
        sampling_strategy: Any = "auto",
        random_state: Any = None,
    ) -> None:
        super().__init__(sampling_strategy=sampling_strategy)
        self.energy = energy
        self.p = p
        self.cleaning = cleaning
        self.volume = volume
        self.variant = variant
        self.random_state = random_state


class RBCCR(Resampler):
    """CCR whose new rows lie where the class's own potential is as at the seed, lower or higher.

    gamma: width of the potential, 0 for none. region: letters of the regions that rows are drawn from: L lower, E equal, H higher.
    candidates: places tried in each sphere. threshold: share of the way to the lowest or highest potential at which a region begins. The
    other parameters as in `CCR`.
    """

    sampler: ClassVar = staticmethod(rb_ccr)
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **_SHARED,
        "gamma": [Interval(numbers.Real, 0, None, closed="left")],
        "region": [StrOptions(set(REGIONS))],
        "candidates": [Interval(numbers.Integral, 1, None, closed="left")],
        "threshold": [Interval(numbers.Real, 0, 1, closed="both")],
        "classes": [StrOptions(set(CLASSES))],
    }

    def __init__(
        self,
        energy: float = 0.0,
        gamma: float = 2.5,
        region: str = "E",
        candidates: int = 100,
        threshold: float = 0.33,
        cleaning: str = "push",
        classes: str = "one-by-one",
        sampling_strategy: Any = "auto",
        random_state: Any = None,
    ) -> None:
        super().__init__(sampling_strategy=sampling_strategy)
        self.energy = energy
        self.gamma = gamma
        self.region = region
        self.candidates = candidates
        self.threshold = threshold
        self.cleaning = cleaning
        self.classes = classes
        self.random_state = random_state
