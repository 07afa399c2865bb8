"""Partial dependence: the mean probability of the class looked for if every test row had one value in a column (Friedman 2001).

scikit-learn's `partial_dependence` gives the same numbers for one estimator. Values are those of the table, not scaled.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.data.dataset import Dataset
from engine.why.columns import Column
from engine.why.fits import Fits
from engine.why.importance import stack_draws

POINTS = 10
"""Values of a column that are tried, at most."""

ENDS = (0.05, 0.95)
"""Quantiles of a numeric column between which values are tried, as in scikit-learn."""


def choose_values(dataset: Dataset, column: Column) -> np.ndarray:
    """Values at which a column is set: all where it has few, else equally spaced quantiles; of levels their numbers, the most frequent
    POINTS in the order of the levels. Fewer than two where the column has one value.
    """
    if column.levels:
        counts = np.bincount(dataset.categorical[:, column.number], minlength=len(column.levels))
        frequent = np.argsort(-counts, kind="stable")[:POINTS]
        return np.sort(frequent[counts[frequent] > 0])
    values = dataset.numeric[:, column.number]
    values = values[np.isfinite(values)]
    distinct = np.unique(values)
    if len(distinct) <= POINTS:
        return distinct
    return np.unique(np.quantile(values, np.linspace(*ENDS, POINTS)))


def measure_dependence(fits: Fits, column: Column, values: Sequence[float] | np.ndarray, positive: int) -> np.ndarray:
    """Mean probability of class `positive` at each value, by replicate and draw, [R, V, 1 + B].

    A replicate's feature that is constant in training stays 0.
    """
    out: list[list[np.ndarray]] = [[] for _ in fits.weight]
    for value in values:
        x = fits.rows.x.clone()
        for r in range(len(out)):
            for k, feature in enumerate(column.features):
                if column.levels:
                    placed = float(k == int(value))
                elif k:
                    placed = 0.0  # no value is missing
                else:
                    mean, sd = (units[feature] for units in fits.units[r])
                    placed = float((value - mean) / sd)
                x[r, :, feature] = 0.0 if fits.constant[r, feature] else placed
        for r, (p, weight) in enumerate(zip(fits.predict(x), fits.weight, strict=True)):
            out[r].append(weight @ p[:, positive] / weight.sum(1))
    return stack_draws([np.stack(each) for each in out])
