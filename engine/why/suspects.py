"""Rows whose label the out-of-fold scores contradict, and how many there would be if every label were right.

Every score is that of a row the model was not trained on. If the scores are right as probabilities, a row whose label has probability
p has that label once in 1 / p such rows: some rows with unlikely labels are expected though no label is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

UNLIKELY = 0.1
"""A row is a suspect where its label has at most this probability."""

MOST_LISTED = 50


@dataclass(frozen=True)
class Suspects:
    """rows [k], label [k], p [k]: numbers in the table, classes and probabilities of the label of the MOST_LISTED most contradicted rows.
    found: suspects in all. expected: how many there would be by chance. tested: rows that were looked at.
    """

    rows: np.ndarray
    label: np.ndarray
    p: np.ndarray
    found: int
    expected: float
    tested: int


def pool_scores(parts: Sequence[tuple[np.ndarray, np.ndarray]], rows: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """(numbers of the rows tested [m], their mean probabilities [m, C]). parts: (rows [t], probabilities [t, C]) of each replicate."""
    total, times = np.zeros((rows, classes)), np.zeros(rows)
    for which, p in parts:  # a replicate tests no row twice
        total[which] += p
        times[which] += 1
    at = np.flatnonzero(times)
    return at, total[at] / times[at, None]


def bound_shares(p: np.ndarray, known: int) -> np.ndarray:
    """Probabilities [n, C] no nearer to 0 and 1 than `known` rows can tell: at least 1 / (known + 2)."""
    least = 1.0 / (known + 2)
    kept = np.clip(p, least, 1 - least)
    out: np.ndarray = kept / kept.sum(1, keepdims=True)
    return out


def find_suspects(rows: np.ndarray, p: np.ndarray, y: np.ndarray, trained: np.ndarray | None = None) -> Suspects:
    """rows [m]: numbers of the rows tested, p [m, C]: their out-of-fold probabilities, y [m]: their labels. trained [m, C]: scores before
    calibration, which order rows of equal probability.

    Expected by chance: the sum over rows of the probabilities that are at most UNLIKELY.
    """
    own = p[np.arange(len(y)), y]
    under = np.flatnonzero(own <= UNLIKELY)
    first = own if trained is None else trained[np.arange(len(y)), y]
    order = under[np.lexsort((rows[under], first[under], own[under]))][:MOST_LISTED]
    return Suspects(rows[order], y[order], own[order], len(under), float(np.where(p <= UNLIKELY, p, 0.0).sum()), len(y))
