"""Feature deviation: how far the mean of a class's test features lies from that of its training features (Ye et al. 2020).

    deviation_c = || mean of training features - mean of test features ||

A mean of few rows is uncertain, so rare classes deviate more even where training and test rows have one distribution:
E deviation_c^2 = trace(Sigma_c) (1 / n_c + 1 / m_c). `expected_deviation` says how much that is, and `deviation_at_equal_sizes` compares
classes on equally many training rows.
"""

from __future__ import annotations

import numpy as np


def deviation(train: np.ndarray, train_y: np.ndarray, test: np.ndarray, test_y: np.ndarray, classes: int) -> np.ndarray:
    """The deviation of every class [C]; NaN for a class without training rows or without test rows.

    train [n, d], test [m, d] numbers; train_y [n], test_y [m] int in [0, classes).
    """
    out = np.full(classes, np.nan)
    for c in range(classes):
        known, new = train[train_y == c], test[test_y == c]
        if len(known) and len(new):
            out[c] = np.linalg.norm(known.mean(0) - new.mean(0))
    return out


def deviation_at_equal_sizes(
    train: np.ndarray,
    train_y: np.ndarray,
    test: np.ndarray,
    test_y: np.ndarray,
    classes: int,
    rng: np.random.Generator,
    *,
    repeats: int = 20,
) -> np.ndarray:
    """Deviations [repeats, C] from as many training rows of every class as the smallest one has, drawn without replacement anew in each
    repeat. Classes without training rows do not count. Arguments as in `deviation`.
    """
    own = [np.flatnonzero(train_y == c) for c in range(classes)]
    fewest = min((len(rows) for rows in own if len(rows)), default=0)
    out = np.full((repeats, classes), np.nan)
    for at in range(repeats):
        kept = np.concatenate([rng.permutation(rows)[:fewest] for rows in own])
        out[at] = deviation(train[kept], train_y[kept], test, test_y, classes)
    return out


def expected_deviation(train: np.ndarray, train_y: np.ndarray, test_y: np.ndarray, classes: int) -> np.ndarray:
    """The root of the mean squared deviation that sampling alone gives [C], where training and test rows have one distribution.

    Its variances are those of the training rows, so a class needs two of them, and a test row; NaN elsewhere.
    """
    out = np.full(classes, np.nan)
    for c in range(classes):
        known, new = train[train_y == c], int((test_y == c).sum())
        if len(known) > 1 and new:
            out[c] = np.sqrt(known.var(0, ddof=1).sum() * (1 / len(known) + 1 / new))
    return out
