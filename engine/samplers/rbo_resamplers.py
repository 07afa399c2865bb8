"""RBO and MC-RBO with the interface of imbalanced-learn."""

from __future__ import annotations

import numbers
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval, StrOptions

from engine.samplers.rbo import GOALS, NEAREST, mc_rbo, rbo
from engine.samplers.resampler import Resampler

_SHARED: dict[str, list[Any]] = {
    **Resampler._parameter_constraints,
    "gamma": [Interval(numbers.Real, 0, None, closed="neither")],
    "steps": [Interval(numbers.Integral, 0, None, closed="left")],
    "step_size": [Interval(numbers.Real, 0, None, closed="neither")],
    "p": [Interval(numbers.Integral, 1, 2, closed="both")],
    "goal": [StrOptions(set(GOALS))],
}


class RBO(Resampler):
    """Radial-based over-sampling: copies of minority rows walk by small steps to where the classes' potentials cancel.

    Distances compare columns as they are: standardise them first. gamma: width of each row's potential. steps, step_size: how many steps of
    which size, each in one column. stop: probability that a walk ends before a step. p: norm, 1 or 2. goal: "balance" the potential,
    "minimize" or "maximize" it. k_neighbors: nearest rows of the seed that its walk feels; 0: all, or 25 where that would be too slow.
    sampling_strategy: as in imbalanced-learn. random_state: int, RandomState or None. See `Resampler` for what is returned and fitted.
    """

    sampler: ClassVar = staticmethod(rbo)
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **_SHARED,
        "stop": [Interval(numbers.Real, 0, 1, closed="both")],
        "k_neighbors": [Interval(numbers.Integral, 0, None, closed="left")],
    }

    def __init__(
        self,
        gamma: float = 1.0,
        steps: int = 100,
        step_size: float = 0.05,
        stop: float = 0.02,
        p: int = 2,
        goal: str = "balance",
        k_neighbors: int = 0,
        sampling_strategy: Any = "auto",
        random_state: Any = None,
    ) -> None:
        super().__init__(sampling_strategy=sampling_strategy)
        self.gamma = gamma
        self.steps = steps
        self.step_size = step_size
        self.stop = stop
        self.p = p
        self.goal = goal
        self.k_neighbors = k_neighbors
        self.random_state = random_state


class MCRBO(Resampler):
    """RBO for many classes: each walks among as many rows of every larger class as the largest has, divided by its place in the order.

    A walk tries each column and way once between two steps, and ends where none is left. Parameters as in `RBO`.
    """

    sampler: ClassVar = staticmethod(mc_rbo)
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **_SHARED,
        "k_neighbors": [Interval(numbers.Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        gamma: float = 1.0,
        steps: int = 100,
        step_size: float = 0.05,
        p: int = 2,
        goal: str = "balance",
        k_neighbors: int = NEAREST,
        sampling_strategy: Any = "auto",
        random_state: Any = None,
    ) -> None:
        super().__init__(sampling_strategy=sampling_strategy)
        self.gamma = gamma
        self.steps = steps
        self.step_size = step_size
        self.p = p
        self.goal = goal
        self.k_neighbors = k_neighbors
        self.random_state = random_state
