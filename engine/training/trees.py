"""Gradient-boosted trees of scikit-learn, on the same features, rows and validation part as the networks."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from engine.data.dataset import Task
from engine.seeds import numpy_stream

PARAMS: dict[str, Any] = {"max_iter": 200, "learning_rate": 0.1, "n_iter_no_change": 10}
"""Parameters that differ from scikit-learn's defaults: 31 leaves, at least 20 rows each, no regularisation."""


def fit_trees(task: Task, r: int, max_iter: int) -> Any:
    """HistGradientBoostingClassifier on replicate r's training rows. It stops after 10 trees without a lower loss on its
    validation rows.

    Its features are the networks': categorical columns as 0 and 1. Uses one thread.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    replicate = task.replicates[r]
    seed = int(numpy_stream(task.seed, "trees", replicate.seed, replicate.fold).integers(2**31))
    (x, y), (valid_x, valid_y) = _rows(task.train, r), _rows(task.valid, r)
    trees = HistGradientBoostingClassifier(**{**PARAMS, "max_iter": max_iter}, early_stopping=True, random_state=seed)
    with _pools().limit(limits=1, user_api="openmp"):
        return trees.fit(x, y, X_val=valid_x, y_val=valid_y)


def probabilities(trees: Any, x: np.ndarray, classes: int) -> np.ndarray:
    """Class probabilities [n, C]; 0 for a class without a training row."""
    out = np.zeros((len(x), classes))
    with _pools().limit(limits=1, user_api="openmp"):
        out[:, trees.classes_] = trees.predict_proba(x)
    return out


@cache
def _pools() -> Any:
    """The thread pools of this process, cached: finding them takes longer than a small prediction."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _rows(part: Any, r: int) -> tuple[np.ndarray, np.ndarray]:
    mask = part.mask[r]
    return part.x[r][mask].cpu().numpy(), part.y[r][mask].cpu().numpy()
