"""EOS with the interface of imbalanced-learn."""

from __future__ import annotations

import numbers
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval, StrOptions

from engine.samplers.lines import DIRECTIONS, VARIANTS, eos
from engine.samplers.resampler import INSTEAD, Resampler


class EOS(Resampler):
    """Expansive over-sampling: new rows on the lines between a class's border rows and their near rows of other classes.

    Made for embeddings (Algorithm 2 of the EOS paper), but works on any numbers. `fit_resample(X, y)` returns the given rows,
    then the new ones, class after class. X is an array, a sparse matrix (converted to an array inside) or a data frame. New
    rows of integers are floats, except in a data frame, whose columns imbalanced-learn casts back to their types.

    k_neighbors: nearest rows, of all classes, that are searched for enemies. direction: "toward" the enemy, or "away" from it
    as the printed formula has it. variant: "paper", or "released" with the code's shift by one rank (it takes the row before
    the enemy in the order of distance). sampling_strategy: as in imbalanced-learn. random_state: int, RandomState or None; one
    generator serves the whole fit. A class in which no row has a near enemy is sampled by SMOTE, or by copies of its only row,
    with a UserWarning.

    sampling_strategy_: class -> new rows, as fitted. n_features_in_, feature_names_in_: as in scikit-learn.
    """

    sampler: ClassVar = staticmethod(eos)
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **Resampler._parameter_constraints,
        "k_neighbors": [Interval(numbers.Integral, 1, None, closed="left")],
        "direction": [StrOptions(set(DIRECTIONS))],
        "variant": [StrOptions(set(VARIANTS))],
    }

    def __init__(
        self,
        k_neighbors: int = 10,
        direction: str = "toward",
        variant: str = "paper",
        sampling_strategy: Any = "auto",
        random_state: Any = None,
    ) -> None:
        super().__init__(sampling_strategy=sampling_strategy)
        self.k_neighbors = k_neighbors
        self.direction = direction
        self.variant = variant
        self.random_state = random_state

    def explain_instead(self, label: Any, how: str) -> str:
        """See Resampler."""
        return (
            f"no row of class {label} has another class among its {self.k_neighbors} nearest rows: {INSTEAD[how]} "
            "was used instead of EOS."
        )
