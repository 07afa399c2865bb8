"""Writes and reads models besides the network: boosted trees, forests, ensembles of trees, logistic regression.

A file holds scikit-learn's objects, as skops writes them, never imbalanced-learn's. What is read is looked at first: its types, then every
node, since scikit-learn's compiled code follows any number without looking. Forests and regressions answer by their arrays alone.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from scipy.special import softmax

from engine.errors import BadData, BadInput
from engine.export.format import MAX_UNPACKED, TRUSTED, check_nodes, refuse_other_versions
from engine.models.committee import MAX_LEVELS, Bag, Committee, Folded, Member, Networks, take_log
from engine.models.mlp import EVERY_ACTIVATION, MLP
from engine.text import one_line

TREE = "sklearn.tree._tree.Tree"
"""scikit-learn's table of nodes of a tree. skops leaves it out because its code is compiled; `check_tree` looks at every node."""
MAX_NODES = 2_000_000
"""Nodes of all trees of a model that is written, so that it unpacks to less than MAX_UNPACKED."""

MOST_UNITS = 1 << 20
"""Units of a layer, so that sizes of a damaged file can be multiplied."""

Predict = Callable[[np.ndarray], np.ndarray]


def pack_estimator(member: Member, shift: np.ndarray | None) -> tuple[dict[str, Any], bytes]:
    """(JSON values, what skops writes). shift [C]: added to the logarithms of probabilities, or None. Raises BadInput for an estimator
    that is no part of scikit-learn, and for too many nodes.
    """
    import skops.io
    from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression

    estimator, folded = member.estimator, {}
    if isinstance(estimator, Folded):
        folded = {"levels": list(estimator.levels), "seen": [list(own) for own in estimator.seen]}
        estimator = estimator.estimator
    kind: str
    whole: Any = estimator
    if isinstance(estimator, Bag):
        kind, whole = (
            "bag",
            {"classes": estimator.classes_, "groups": [[trees, weights] for trees, weights in estimator.groups]},
        )
    elif isinstance(estimator, Networks):
        net = estimator.net
        if net.flat.nbytes > MAX_UNPACKED - (1 << 20):
            raise BadInput(
                f"These networks hold more than {MAX_UNPACKED >> 20} MiB, which no file here does. Train fewer or smaller ones."
            )
        words_of_net = {"sizes": [int(n) for n in net.sizes], "activation": net.activation, "cosine": bool(net.cosine)}
        kind, whole = "networks", {"classes": estimator.classes_, "flat": net.flat.detach().cpu().numpy(), **words_of_net}
    elif type(estimator) is HistGradientBoostingClassifier:
        kind = "boosting"
    elif type(estimator) in (RandomForestClassifier, ExtraTreesClassifier):
        kind = "forest"
    elif type(estimator) is LogisticRegression:
        kind = "logistic"
    else:
        raise BadInput(f"A {type(estimator).__name__} cannot be exported: only models of scikit-learn and the network can.")
    if isinstance(estimator, Bag):
        for tree in (tree for trees, _ in estimator.groups for tree in trees):
            check_tree(tree, tree.tree_.n_features, len(estimator.classes_))
    if (nodes := count_nodes(estimator)) > MAX_NODES:
        raise BadInput(f"These trees have {nodes:,} nodes; models of up to {MAX_NODES:,} are exported. Grow fewer trees.")
    data: bytes = skops.io.dumps(whole)
    if untrusted := set(skops.io.get_untrusted_types(data=data)) - {*TRUSTED, TREE}:
        raise BadInput(f"This model cannot be exported: it holds {', '.join(sorted(untrusted))}, which is not loaded unseen.")
    words: dict[str, Any] = {"kind": "estimator", "estimator": kind, **folded}
    if shift is not None:
        words["shift"] = [float(v) for v in shift]
    return words, data


def count_nodes(estimator: Any) -> int:
    """Nodes of all trees of a forest or an ensemble; 0 of anything else."""
    trees = (
        [tree for own, _ in estimator.groups for tree in own]
        if isinstance(estimator, Bag)
        else getattr(estimator, "estimators_", [])
    )
    return sum(tree.tree_.node_count for tree in trees)


def read_estimator(words: Mapping[str, Any], data: bytes, width: int, classes: int) -> tuple[Predict, Committee]:
    """(features [n, width] -> probabilities [n, classes], the model) of what `pack_estimator` wrote. Raises BadData and ValueError."""
    import skops.io
    from skops.io.exceptions import UnsupportedTypeException, UntrustedTypesFoundException

    with zipfile.ZipFile(io.BytesIO(data)) as inner:
        if sum(entry.file_size for entry in inner.infolist()) > MAX_UNPACKED:
            raise BadData(
                f"The trees unpack to more than {MAX_UNPACKED >> 20} MiB, which no exported model does; they are not loaded."
            )
    trusted = [*TRUSTED, TREE]
    try:
        if untrusted := set(skops.io.get_untrusted_types(data=data)) - set(trusted):
            raise BadData(
                f"The model holds {one_line(sorted(untrusted)[0], 60)!r}, which no exported model does; it is not loaded."
            )
        with refuse_other_versions():
            whole = skops.io.loads(data, trusted=trusted)
    except (UntrustedTypesFoundException, UnsupportedTypeException) as error:
        raise BadData("The model holds things that no exported model does; it is not loaded.") from error
    levels, seen = _read_levels(words, width)
    own = count_columns(width, levels)
    kind = str(words["estimator"])
    if kind == "networks":
        whole = _read_networks(whole, own, classes)
    predict = {
        "bag": _read_bag,
        "forest": _read_forest,
        "boosting": _read_boosting,
        "logistic": _read_logistic,
        "networks": _answer_networks,
    }.get(kind)
    if predict is None:
        raise ValueError("its model is of an unknown kind")
    answer = predict(whole, own, classes)
    shift = None if "shift" not in words else np.array(words["shift"], float)
    if shift is not None and (shift.shape != (classes,) or not np.isfinite(shift).all()):
        raise ValueError("its threshold does not fit its classes")

    def of_rows(x: np.ndarray) -> np.ndarray:
        p = answer(Folded(None, levels, seen).fold(x) if levels else x)
        out: np.ndarray = softmax(take_log(p) + (0.0 if shift is None else shift), axis=1)
        return out

    estimator: Any = (
        Bag(np.asarray(whole["classes"]), [(t, w) for t, w in whole["groups"]]) if isinstance(whole, dict) else whole
    )
    member = Member(Folded(estimator, levels, seen) if levels else estimator, classes)
    return of_rows, Committee([member], width, None if shift is None else torch.from_numpy(shift[None]))


def count_columns(width: int, levels: Sequence[int]) -> int:
    """Columns of the features once their levels are folded."""
    few = [n for n in levels if n <= MAX_LEVELS]
    return width - sum(few) + len(few)


def _read_levels(words: Mapping[str, Any], width: int) -> tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]:
    levels, seen = words.get("levels", []), words.get("seen", [])
    if len(levels) != len(seen) or not all(type(n) is int and n > 0 for n in levels) or sum(levels) > width:
        raise ValueError("its levels do not fit its columns")
    for n, own in zip(levels, seen, strict=True):
        if not all(type(v) is int and 0 <= v < n for v in own) or sorted(set(own)) != own:
            raise ValueError("its levels are not in order")
    return tuple(levels), tuple(map(tuple, seen))


def _read_classes(values: Any, classes: int) -> np.ndarray:
    own = np.asarray(values)
    if own.ndim != 1 or own.dtype.kind not in "iuf" or not len(own) or not set(own.tolist()) <= set(range(classes)):
        raise ValueError("its trees are not of its classes")
    return own.astype(np.int64)


def check_tree(tree: Any, width: int, classes: int) -> None:
    """Raises ValueError where a tree is no DecisionTree of scikit-learn's for so many columns and classes, or its nodes do not end."""
    from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier

    if type(tree) not in (DecisionTreeClassifier, ExtraTreeClassifier):
        raise ValueError("its trees are none of scikit-learn's")
    own = _read_classes(tree.classes_, classes)
    state = tree.tree_.__getstate__()
    nodes, values = state["nodes"], state["values"]
    if tree.tree_.n_features != width or tree.tree_.n_outputs != 1 or len(nodes) != state["node_count"] or not len(nodes):
        raise ValueError("its trees do not fit its columns")
    if values.shape != (len(nodes), 1, len(own)) or not np.isfinite(values).all() or (values < 0).any():
        raise ValueError("the leaves of its trees hold no shares")
    leaf = nodes["left_child"] == -1
    if (leaf != (nodes["right_child"] == -1)).any():
        raise ValueError("the nodes of its trees do not end")
    at, inner = np.flatnonzero(~leaf), nodes[~leaf]
    for side in ("left_child", "right_child"):
        if (inner[side] <= at).any() or (inner[side] >= len(nodes)).any():
            raise ValueError("the nodes of its trees do not end")
    if (inner["feature"] < 0).any() or (inner["feature"] >= width).any() or not np.isfinite(inner["threshold"]).all():
        raise ValueError("its trees ask for columns that are not there")


def _answer(bag: Bag, width: int, classes: int) -> Predict:
    for trees, weights in bag.groups:
        if type(trees) is not list or not trees:
            raise ValueError("its trees cannot predict")
        for tree in trees:
            check_tree(tree, width, len(bag.classes_))
        if weights is not None:
            own = np.asarray(weights)
            if own.dtype.kind != "f" or own.shape != (len(trees),) or not np.isfinite(own).all():
                raise ValueError("the weights of its trees are no numbers")

    def predict(x: np.ndarray) -> np.ndarray:
        out = np.zeros((len(x), classes))
        out[:, bag.classes_] = bag.predict_proba(x)
        return out

    return predict


def _read_bag(whole: Any, width: int, classes: int) -> Predict:
    groups = [(trees, weights) for trees, weights in whole["groups"]]
    if not groups:
        raise ValueError("its trees cannot predict")
    return _answer(Bag(_read_classes(whole["classes"], classes), groups), width, classes)


def _read_networks(whole: Any, width: int, classes: int) -> Networks:
    """The networks of a committee, each with all classes for outputs."""
    sizes, flat = whole["sizes"], whole["flat"]
    if (
        not all(type(n) is int and 0 < n <= MOST_UNITS for n in sizes)
        or len(sizes) < 2
        or (sizes[0], sizes[-1]) != (width, classes)
    ):
        raise ValueError("its layers do not fit its columns and classes")
    if whole["activation"] not in EVERY_ACTIVATION or type(whole["cosine"]) is not bool:
        raise ValueError("its activation is unknown")
    numbers = sum((i + 1) * o for i, o in zip(sizes, sizes[1:], strict=False))
    if type(flat) is not np.ndarray or flat.dtype not in (np.float32, np.float64) or flat.ndim != 2 or flat.shape[1] != numbers:
        raise ValueError("its weights do not fit its layers")
    if not len(flat) or not np.isfinite(flat).all():
        raise ValueError("its weights are no numbers")
    if _read_classes(whole["classes"], classes).tolist() != list(range(classes)):
        raise ValueError("its networks are not of its classes")
    return Networks(MLP(sizes, whole["activation"], torch.from_numpy(flat.copy()), whole["cosine"]), np.arange(classes))


def _answer_networks(networks: Networks, width: int, classes: int) -> Predict:
    return networks.predict_proba


def _read_forest(whole: Any, width: int, classes: int) -> Predict:
    from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier

    if type(whole) not in (RandomForestClassifier, ExtraTreesClassifier):
        raise BadData("The model in this file is no forest of scikit-learn's; it is not loaded.")
    return _answer(Bag(_read_classes(whole.classes_, classes), [(whole.estimators_, None)]), width, classes)


def _read_boosting(whole: Any, width: int, classes: int) -> Predict:
    from sklearn.ensemble import HistGradientBoostingClassifier

    if type(whole) is not HistGradientBoostingClassifier:
        raise BadData("The model in this file is no boosted trees of scikit-learn's; it is not loaded.")
    own = _read_classes(whole.classes_, classes)
    check_nodes(whole, width, categories=True)

    def predict(x: np.ndarray) -> np.ndarray:
        out = np.zeros((len(x), classes))
        out[:, own] = whole.predict_proba(x)
        return out

    try:
        predict(np.zeros((1, width)))
    except (ValueError, TypeError, AttributeError, IndexError, KeyError) as error:
        raise BadData("The trees in this file cannot predict; it is damaged.") from error
    return predict


def _read_logistic(whole: Any, width: int, classes: int) -> Predict:
    from sklearn.linear_model import LogisticRegression

    if type(whole) is not LogisticRegression:
        raise BadData("The model in this file is no logistic regression of scikit-learn's; it is not loaded.")
    own = _read_classes(whole.classes_, classes)
    weights, bias = np.asarray(whole.coef_), np.asarray(whole.intercept_)
    rows = 1 if len(own) == 2 else len(own)
    fits = weights.shape == (rows, width) and bias.shape == (rows,) and {weights.dtype.kind, bias.dtype.kind} == {"f"}
    if not fits or not np.isfinite(weights).all() or not np.isfinite(bias).all():
        raise ValueError("its weights do not fit its columns")

    def predict(x: np.ndarray) -> np.ndarray:
        z = x.astype(np.float64) @ weights.T + bias
        z = np.concatenate([np.zeros_like(z), z], 1) if rows == 1 else z
        out = np.zeros((len(x), classes))
        out[:, own] = softmax(z, axis=1)
        return out

    return predict
