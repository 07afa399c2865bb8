"""The parts of an exported model's zip, and what is accepted in them."""

from __future__ import annotations

from typing import Any

import numpy as np

FORMAT = 2
"""Version of the format. It increases when older programs cannot read a new file, or would read it wrong: 2 has calibrated
probabilities."""
READABLE = (1, 2)
"""Versions that are read. Files of version 1 have no decision and no facts of columns."""

MAX_UNPACKED = 256 << 20
"""Largest number of bytes that a model may unpack to."""

TRUSTED = ("sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",)
"""The one type accepted beyond those skops trusts: scikit-learn's tables of nodes of boosted trees. The code is scikit-learn's
and takes plain arrays; skops leaves it out because the class is private. `check_trees` checks the tables on loading.
"""

MODEL, PREPROCESSING, WEIGHTS, TREES, README = (
    "model.json",
    "preprocessing.json",
    "weights.safetensors",
    "trees.skops",
    "README.md",
)


def check_trees(trees: Any, width: int) -> None:
    """Raises ValueError if an index of a node is out of range, since scikit-learn's compiled code does not check."""
    if trees.n_features_in_ != width or trees._n_features != width or trees.is_categorical_ is not None:
        raise ValueError("its trees do not fit its columns")
    if trees._preprocessor is not None or not trees._predictors:
        raise ValueError("its trees cannot predict")
    for predictor in (p for stage in trees._predictors for p in stage):
        nodes = predictor.nodes
        if nodes.ndim != 1 or not len(nodes):
            raise ValueError("its trees have no nodes")
        inner = nodes[nodes["is_leaf"] == 0]
        own = np.flatnonzero(nodes["is_leaf"] == 0)
        # children come after their parent, so every path ends
        for side in ("left", "right"):
            to = inner[side].astype(np.int64)
            if (to <= own).any() or (to >= len(nodes)).any():
                raise ValueError("the nodes of its trees do not end")
        if (inner["feature_idx"] < 0).any() or (inner["feature_idx"] >= width).any() or nodes["is_categorical"].any():
            raise ValueError("its trees ask for columns that are not there")
