"""Draws of test rows for the interval of one split."""

from __future__ import annotations

import numpy as np

PLACES = 20
"""Places of prior rows of each class, evenly spaced over all test rows in the order of that class's score."""
PRIOR_ROWS = 1.0
"""Prior rows of each class in the mean draw, all places together."""


def bootstrap_weights(y: np.ndarray, rng: np.random.Generator, n: int = 1000) -> np.ndarray:
    """How often each of n stratified bootstrap draws holds each row: [n, T] uint16.

    Rows are drawn with replacement within their class, so every draw keeps every class's count. y [T] int. The same y and state
    of `rng` give the same draws, so methods can be compared on the same rows.
    """
    weights = np.zeros((n, len(y)), dtype=np.uint16)
    for c in np.unique(y):
        rows = np.flatnonzero(y == c)
        k = len(rows)
        cells = rng.integers(k, size=(n, k)) + k * np.arange(n)[:, None]
        weights[:, rows] = np.bincount(cells.ravel(), minlength=n * k).reshape(n, k)
    return weights


def add_prior_rows(probability: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows [T, C] with PLACES prior rows of each class after them, and all labels: [T + PLACES C, C] and [T + PLACES C].

    A prior row of a class has the scores of a test row of any class: before it is seen, a row of the class may lie anywhere. Without
    it, three positive rows that are ranked first leave no other place for a fourth one.
    """
    rows, classes = probability.shape
    at = ((np.arange(PLACES) + 0.5) / PLACES * rows).astype(int)
    placed = [np.argsort(probability[:, c], kind="stable")[at] for c in range(classes)]
    labels = np.repeat(np.arange(classes), PLACES).astype(y.dtype)
    return np.concatenate([probability, *(probability[found] for found in placed)]), np.concatenate([y, labels])


def bayesian_weights(y: np.ndarray, classes: int, rng: np.random.Generator, n: int = 1000) -> np.ndarray:
    """Weights of the rows of `add_prior_rows` in n draws of a Bayesian bootstrap: [n, T + PLACES C] float32.

    Within a class the weights are of a Dirichlet distribution: 1 for each row (Rubin 1981), PRIOR_ROWS for all prior rows (a Dirichlet
    process). They add up to the class's count; a class without rows has none. The same y and state of `rng` give the same draws.
    """
    weights = np.zeros((n, len(y) + PLACES * classes), dtype=np.float32)
    for c in range(classes):
        own = np.flatnonzero(y == c)
        if not len(own):
            continue
        prior = len(y) + PLACES * c + np.arange(PLACES)
        weights[:, own] = rng.standard_exponential((n, len(own)), dtype=np.float32)
        weights[:, prior] = rng.standard_gamma(PRIOR_ROWS / PLACES, (n, PLACES), dtype=np.float32)
        both = np.concatenate([own, prior])
        weights[:, both] *= len(own) / weights[:, both].sum(1, keepdims=True)
    return weights
