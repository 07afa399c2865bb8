"""The base of samplers with the interface of imbalanced-learn."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from imblearn.over_sampling.base import BaseOverSampler
from scipy import sparse
from sklearn.utils import check_random_state
from torch import Tensor

from engine.samplers.lines import Drawn

INSTEAD = {"smote": "SMOTE within the class", "copies": "copies of its only row"}
"""What replaces a sampler that cannot be applied to a class, in words."""
MOST = 1e100
"""Largest magnitude of a value: sums of its square are far from what a float64 holds."""


class Resampler(BaseOverSampler):  # type: ignore[misc]
    """A sampler whose `draw` makes new rows. `fit_resample(X, y)` returns the given rows, then the new ones, class after class.

    Rows that the sampler moves lie at their new places, rows that it removes are left out. X is an array, a sparse matrix (converted to
    an array inside) or a data frame. New rows of integers are floats, except in a data frame, whose columns imbalanced-learn casts back
    to their types. Raises ValueError for values so large that their squares overflow. random_state: int, RandomState or None; one
    generator serves the whole fit.

    A subclass has its parameters in `__init__` (with `random_state`), their constraints in `_parameter_constraints`, and `sampler`, a
    function of (x, y, wanted, rng) and of all parameters but imbalanced-learn's two by name; or a `draw` of its own.

    sampling_strategy_: class -> new rows, as fitted. n_features_in_, feature_names_in_: as in scikit-learn. moved_: numbers of the given
    rows that lie elsewhere now. spheres_: (numbers of rows [s], radius [s]) of all spheres, empty where the sampler has none.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {**BaseOverSampler._parameter_constraints}
    sampler: ClassVar[Callable[..., Drawn]]
    random_state: Any

    def draw(self, x: Tensor, y: Tensor, wanted: Mapping[int, int], rng: np.random.RandomState) -> Drawn:
        """New rows: wanted[c] of each class c. x [n, d] floats, y [n] int64."""
        given = self.get_params(deep=False)
        options = {name: value for name, value in given.items() if name not in ("sampling_strategy", "random_state")}
        return type(self).sampler(x, y, wanted, rng, **options)

    def explain_instead(self, label: Any, how: str) -> str:
        """The warning for a class that the sampler could not be applied to. how: as in `Drawn.instead`."""
        return f"class {label} has a single row: {INSTEAD[how]} were used instead of {type(self).__name__}."

    def _fit_resample(self, X: Any, y: np.ndarray) -> tuple[Any, np.ndarray]:
        dense = X.toarray() if sparse.issparse(X) else X
        if dense.dtype not in (np.float16, np.float32, np.float64):  # whole numbers, truth values, long doubles
            dense = dense.astype(np.float64)
        if not float(np.abs(dense).max()) <= MOST:
            raise ValueError(
                f"{type(self).__name__} squares distances: values above {MOST:g} are too large; divide them by a constant."
            )
        classes, numbers_of = np.unique(y, return_inverse=True)
        wanted = {i: int(self.sampling_strategy_.get(c, 0)) for i, c in enumerate(classes.tolist())}
        drawn = self.draw(
            torch.from_numpy(np.ascontiguousarray(dense)),
            torch.from_numpy(numbers_of.astype(np.int64)),
            wanted,
            check_random_state(self.random_state),
        )
        if not drawn.x.isfinite().all():
            raise ValueError(
                f"{type(self).__name__} made values that are too large for {dense.dtype}; divide the columns by a constant."
            )
        for c, how in drawn.instead.items():
            warnings.warn(self.explain_instead(classes[c], how), stacklevel=2)
        for text in drawn.said:
            warnings.warn(text, stacklevel=2)
        made, labels = drawn.x.numpy(), classes[drawn.y.numpy()].astype(y.dtype)
        self.moved_ = np.zeros(0, np.int64) if drawn.moved is None else drawn.moved.rows.numpy()
        none = (np.zeros(0, np.int64), np.zeros(0))
        self.spheres_ = none if drawn.spheres is None else tuple(part.numpy() for part in drawn.spheres)
        old, old_y = dense, y
        if len(self.moved_):
            assert drawn.moved is not None
            old = dense.copy()
            old[self.moved_] = drawn.moved.to.numpy()
        if drawn.kept is not None:
            old, old_y = old[drawn.kept.numpy()], y[drawn.kept.numpy()]
        if sparse.issparse(X):
            first = X if old is dense else sparse.csr_matrix(old)
            return sparse.vstack([first, sparse.csr_matrix(made)], format=X.format), np.concatenate([old_y, labels])
        return np.concatenate([old, made]), np.concatenate([old_y, labels])
