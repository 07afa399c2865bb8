"""Why rows are flagged: the columns whose values raise the probability most."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

REASONS = 3
"""Columns named for a flagged row."""

MOST_CELLS = 2_000_000
"""Flagged rows times columns that are looked into: where there are more, the most likely rows are."""

BLOCK = 2**14
"""Rows predicted at once."""

Probability = Callable[[np.ndarray], np.ndarray]


def count_explained(flagged: int, columns: int) -> int:
    """Of how many flagged rows reasons are found."""
    return min(flagged, max(1, MOST_CELLS // max(1, columns)))


def find_reasons(
    x: np.ndarray, p: np.ndarray, replacements: Sequence[tuple[np.ndarray, np.ndarray]], probability: Probability
) -> np.ndarray:
    """[n, REASONS] int64: numbers of the columns that raise each row's probability most, -1 where fewer do.

    x [n, width]: features. p [n]: their probabilities. replacements: for every column which features are its own, and their values where
    it has its training median or mode. One column at a time is set to that; by how much the probability falls is what the column
    raises it by. A row whose column has that value already is not predicted again.
    """
    raised = np.zeros((len(x), len(replacements)))
    for k, (indices, usual) in enumerate(replacements):
        differs = np.flatnonzero((x[:, indices] != usual).any(1))
        for start in range(0, len(differs), BLOCK):
            rows = differs[start : start + BLOCK]
            changed = x[rows].copy()
            changed[:, indices] = usual
            raised[rows, k] = p[rows] - probability(changed)
    best = np.argsort(-raised, axis=1, kind="stable")[:, :REASONS]
    out = np.where(np.take_along_axis(raised, best, axis=1) > 0, best, -1)
    short = REASONS - out.shape[1]
    return np.pad(out, ((0, 0), (0, max(0, short))), constant_values=-1).astype(np.int64)
