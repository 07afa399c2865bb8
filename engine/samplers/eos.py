"""EOS with the interface of imbalanced-learn."""

from __future__ import annotations

import numbers
import warnings
from typing import Any, ClassVar

import numpy as np
import torch
from imblearn.over_sampling.base import BaseOverSampler
from scipy import sparse
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from engine.samplers.lines import DIRECTIONS, VARIANTS, eos


class EOS(BaseOverSampler):  # type: ignore[misc]
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

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseOverSampler._parameter_constraints,
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

    def _fit_resample(self, X: Any, y: np.ndarray) -> tuple[Any, np.ndarray]:
        dense = X.toarray() if sparse.issparse(X) else X
        if dense.dtype not in (np.float16, np.float32, np.float64):  # whole numbers, truth values, long doubles
            dense = dense.astype(np.float64)
        classes, numbers_of = np.unique(y, return_inverse=True)
        wanted = {i: int(self.sampling_strategy_.get(c, 0)) for i, c in enumerate(classes.tolist())}
        drawn = eos(
            torch.from_numpy(np.ascontiguousarray(dense)),
            torch.from_numpy(numbers_of.astype(np.int64)),
            wanted,
            check_random_state(self.random_state),
            k_neighbors=self.k_neighbors,
            direction=self.direction,
            variant=self.variant,
        )
        for c, how in drawn.instead.items():
            way = "SMOTE within the class" if how == "smote" else "copies of its only row"
            warnings.warn(
                f"no row of class {classes[c]} has another class among its {self.k_neighbors} nearest rows: "
                f"{way} was used instead of EOS.",
                stacklevel=2,
            )
        made, labels = drawn.x.numpy(), classes[drawn.y.numpy()].astype(y.dtype)
        if sparse.issparse(X):
            return sparse.vstack([X, sparse.csr_matrix(made)], format=X.format), np.concatenate([y, labels])
        return np.concatenate([dense, made]), np.concatenate([y, labels])
