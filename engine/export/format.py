"""The parts of an exported model's zip, and what is accepted in them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from engine.errors import BadData
from engine.text import one_line

FORMAT = 2
"""Version of the format. It increases when older programs cannot read a new file, or would read it wrong: 2 has calibrated
probabilities."""
READABLE = (1, 2)
"""Versions that are read. Files of version 1 have no decision and no facts of columns."""

BITSET = 8
"""Words of 32 bits that say for each of 256 levels on which side of a split it is."""

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


@contextmanager
def refuse_other_versions() -> Iterator[None]:
    """A context in which scikit-learn's objects of another version raise BadData, with one sentence, instead of a warning."""
    import sklearn
    from sklearn.exceptions import InconsistentVersionWarning

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", InconsistentVersionWarning)
            yield
    except InconsistentVersionWarning as error:
        made = one_line(error.original_sklearn_version, 20)
        raise BadData(
            f"This model was made with scikit-learn {made}, and {sklearn.__version__} is here, which may read it wrong: install "
            f"scikit-learn {made}, or make the model again."
        ) from error


def check_trees(trees: Any, width: int) -> None:
    """Raises ValueError if an index of a node is out of range, since scikit-learn's compiled code does not check."""
    if trees.is_categorical_ is not None:
        raise ValueError("its trees do not fit its columns")
    check_nodes(trees, width)


def check_nodes(trees: Any, width: int, *, categories: bool = False) -> None:
    """The same of boosted trees whose last columns may be level numbers. categories: whether they may."""
    if trees.n_features_in_ != width or trees._n_features != width:
        raise ValueError("its trees do not fit its columns")
    if trees._preprocessor is not None or not trees._predictors:
        raise ValueError("its trees cannot predict")
    is_categorical = trees.is_categorical_
    if is_categorical is not None:
        own = np.asarray(is_categorical)
        if own.dtype != bool or own.shape != (width,):
            raise ValueError("its categories do not fit its columns")
        known = trees._bin_mapper.bin_thresholds_
        levels = [np.asarray(known[k], np.float64) for k in np.flatnonzero(own)] if len(known) == width else []
        if len(levels) != own.sum() or any(not ((v >= 0) & (v < 32 * BITSET)).all() for v in levels):
            raise ValueError("the levels of its trees are no numbers of levels")
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
        if (inner["feature_idx"] < 0).any() or (inner["feature_idx"] >= width).any():
            raise ValueError("its trees ask for columns that are not there")
        by_level = inner["is_categorical"] != 0
        if by_level.any():
            _check_levels(trees, predictor, inner[by_level], allowed=categories and is_categorical is not None)


def _check_levels(trees: Any, predictor: Any, nodes: np.ndarray, *, allowed: bool) -> None:
    """Raises ValueError where nodes that split levels point outside of their tables of bits."""
    if not allowed:
        raise ValueError("its trees ask for columns that are not there")
    bits = predictor.raw_left_cat_bitsets
    if bits.ndim != 2 or bits.shape[1] != BITSET or bits.dtype != np.uint32:
        raise ValueError("the levels of its trees are no tables of bits")
    if (nodes["bitset_idx"].astype(np.int64) >= len(bits)).any() or not trees.is_categorical_[nodes["feature_idx"]].all():
        raise ValueError("its trees ask for levels that are not there")
