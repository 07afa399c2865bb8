"""Classifiers as parts of an ONNX graph: our networks by onnx.helper, scikit-learn's models by skl2onnx."""

from __future__ import annotations

import copy
from functools import partial, reduce
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from engine.errors import BadInput
from engine.export.onnx_graph import OPSETS, Graph
from engine.models.centres import Centres
from engine.models.committee import LEAST, MAX_LEVELS, Bag, Folded, Networks
from engine.models.cost_head import LEAST as LEAST_COST
from engine.models.cost_head import CostHead
from engine.models.feature_classifiers import ClassMeans
from engine.models.memory import MemoryHead
from engine.models.mlp import LEAK, MLP
from engine.models.net import Net, WithHead
from engine.models.voting import Voting
from engine.training.probes import Linear

CONVERTED = ("LogisticRegression", "RandomForestClassifier", "ExtraTreesClassifier", "HistGradientBoostingClassifier")
"""Models of scikit-learn that have a converter here."""

LEAST_LENGTH = 1e-12
"""As torch's normalize: the least length that a row is divided by."""


def add_classifier(graph: Graph, fitted: Any, x: str, classes: int) -> str:
    """Probabilities [n, C] double of features x. fitted: a Net of one replicate, or an estimator of scikit-learn.

    Raises BadInput, with one sentence, where there is no converter.
    """
    if hasattr(fitted, "members"):  # a Committee, or what a model file holds of one
        p = _add_estimator(graph, fitted.members[0].estimator, x, classes)
        logits = graph.add("Log", graph.add("Max", p, graph.constant(np.array(LEAST))))
        if fitted.shifts is not None:
            logits = graph.add("Add", logits, graph.constant(fitted.shifts[:1].double().cpu().numpy()))
        return graph.add("Softmax", logits, axis=-1)
    if isinstance(fitted, Net):
        return graph.add("Softmax", graph.cast(_add_network(graph, fitted, x), "float64"), axis=-1)
    return _add_estimator(graph, fitted, x, classes)


# ---- networks


def _add_network(graph: Graph, net: Net, x: str) -> str:
    """Logits [n, C]."""
    base = net.net if isinstance(net, WithHead) else net
    if isinstance(base, Voting):
        raise BadInput("Networks that vote have no ONNX file here: there is no converter for them.")
    if not isinstance(base, MLP):
        raise BadInput("A convolutional network has no ONNX file here: it takes the rows of a table.")
    views = [view[0].detach().cpu().numpy() for view in base.views(base.flat)]
    activation = {"relu": "Relu", "tanh": "Tanh", "leaky": "LeakyRelu"}[base.activation]
    own = {"alpha": LEAK} if base.activation == "leaky" else {}
    for weight, bias in zip(views[:-2:2], views[1:-2:2], strict=True):
        x = graph.add(activation, _add_layer(graph, x, weight, bias), **own)
    if isinstance(net, WithHead):
        return _add_head(graph, net.classify, x)
    if not base.cosine:
        return _add_layer(graph, x, views[-2], views[-1])
    weight = views[-2] / np.maximum(np.linalg.norm(views[-2], axis=0, keepdims=True), LEAST_LENGTH)
    return graph.add("MatMul", _normalise(graph, x, weight.dtype), graph.constant(weight))


def _add_layer(graph: Graph, x: str, weight: np.ndarray, bias: np.ndarray) -> str:
    return graph.add("Add", graph.add("MatMul", x, graph.constant(weight)), graph.constant(bias.reshape(1, -1)))


def _normalise(graph: Graph, x: str, kind: Any) -> str:
    """Each row divided by its length."""
    length = graph.add("ReduceL2", x, graph.constant(np.array([1], np.int64)), keepdims=1)
    return graph.add("Div", x, graph.add("Max", length, graph.constant(np.array(LEAST_LENGTH, kind))))


def _add_head(graph: Graph, classify: Any, z: str) -> str:
    """Scores [n, C] of features z of a classifier on a network's features."""
    if isinstance(classify, Linear):
        weight, bias = (tensor[0].detach().cpu().numpy() for tensor in (classify.weight, classify.bias))
        return _add_layer(graph, z, weight, bias)
    if isinstance(classify, CostHead):
        weight, bias, costs = (tensor[0].detach().cpu().numpy() for tensor in (classify.weight, classify.bias, classify.costs))
        p = graph.add("Softmax", graph.cast(_add_layer(graph, z, weight, bias), "float64"), axis=-1)
        cost = graph.add("Max", graph.add("MatMul", p, graph.constant(costs)), graph.constant(np.array(LEAST_COST)))
        return graph.cast(graph.add("Neg", graph.add("Log", cost)), str(weight.dtype))
    if isinstance(classify, Centres):
        raise BadInput("Margins between cluster centres have no ONNX file here: there is no converter for them.")
    if isinstance(classify, MemoryHead):
        raise BadInput("A memory of class means has no ONNX file here: there is no converter for it.")
    if not isinstance(classify, ClassMeans):
        raise BadInput("A nearest-neighbour classifier has no ONNX file here: it compares each row with all training rows.")
    means, counts, centre = (tensor[0].detach().cpu().numpy() for tensor in (classify.means, classify.counts, classify.centre))
    if classify.features != "raw":
        z = graph.add("Sub", z, graph.constant(centre)) if classify.features == "cl2n" else z
        z = _normalise(graph, z, means.dtype)
    apart = graph.add("Sub", graph.add("Unsqueeze", z, graph.constant(np.array([1], np.int64))), graph.constant(means[None]))
    distance = graph.add("ReduceSum", graph.add("Mul", apart, apart), graph.constant(np.array([2], np.int64)), keepdims=0)
    biases = np.zeros(len(means), means.dtype) if classify.biases is None else classify.biases[0].detach().cpu().numpy()
    scores = graph.add("Sub", graph.constant(biases.astype(means.dtype)[None]), distance)
    there = graph.constant((counts > 0)[None])
    return graph.add("Where", there, scores, graph.constant(np.array(-np.inf, means.dtype)))


# ---- scikit-learn's models


def _add_estimator(graph: Graph, estimator: Any, x: str, classes: int) -> str:
    """Probabilities [n, C] double of a fitted estimator."""
    if isinstance(estimator, Networks):
        nets = [estimator.net.select(torch.tensor([t])) for t in range(len(estimator.net.flat))]
        rows = graph.cast(x, str(estimator.net.flat.dtype).removeprefix("torch."))
        each = [graph.add("Softmax", graph.cast(_add_network(graph, net, rows), "float64"), axis=-1) for net in nets]
        total = reduce(partial(graph.add, "Add"), each)  # onnxruntime has no Mean of doubles
        return graph.add("Div", total, graph.constant(np.array(float(len(each)))))
    if isinstance(estimator, (Bag, dict)):
        raise BadInput("This model has no ONNX file: there is no converter for an ensemble of trees on drawn rows.")
    own = estimator.estimator if isinstance(estimator, Folded) else estimator
    name = type(own).__name__
    if name not in CONVERTED or not type(own).__module__.startswith("sklearn."):
        raise BadInput(f"This model has no ONNX file: there is no converter for a {name}.")
    if name == "HistGradientBoostingClassifier":
        estimator, x = _encode_levels(graph, estimator, x)
    p = graph.cast(graph.join(_convert(estimator), graph.cast(x, "float32"), "probabilities"), "float64")
    own = np.asarray(estimator.classes_).astype(np.int64)
    if own.tolist() == list(range(classes)):
        return p
    return graph.add("MatMul", p, graph.constant(np.eye(classes)[own]))


def _encode_levels(graph: Graph, estimator: Any, x: str) -> tuple[Any, str]:
    """(boosted trees without native categories, their features). estimator: the trees, or a `Folded` with them.

    A split of a column of categories becomes a column of its own, 0 for rows that go left, since skl2onnx converts such splits to
    something else. Thresholds become the next lower number of single precision, which parts the same rows.
    """
    fitted = estimator.estimator if isinstance(estimator, Folded) else estimator
    trees = copy.copy(fitted)
    stages = [[_copy_tree(tree) for tree in stage] for stage in trees._predictors]
    trees._predictors = stages
    if not isinstance(estimator, Folded):
        if trees.is_categorical_ is not None:
            raise BadInput("These boosted trees have no ONNX file: what their categories were is not known.")
        return trees, x
    columns = _Columns(estimator)
    splits: dict[tuple[int, bytes], int] = {}
    for tree, own in zip((t for s in stages for t in s), (t for s in fitted._predictors for t in s), strict=True):
        for i in np.flatnonzero(tree.nodes["is_leaf"] == 0):
            node = own.nodes[i]
            place = int(node["feature_idx"])
            if node["is_categorical"]:
                right = columns.find_right(
                    place, own.raw_left_cat_bitsets[node["bitset_idx"]], bool(node["missing_go_to_left"])
                )
                split = splits.setdefault((place, right.tobytes()), len(splits))
                tree.nodes[i]["feature_idx"], tree.nodes[i]["num_threshold"] = len(columns.plain) + split, 0.5
            else:
                tree.nodes[i]["feature_idx"] = columns.find_plain(place)
            tree.nodes[i]["is_categorical"] = 0
    weights = np.zeros((columns.width, len(splits)), np.float32)
    start = np.zeros((1, len(splits)), np.float32)
    for (place, packed), split in splits.items():
        right = np.frombuffer(packed, np.float32)
        at, seen = columns.levels[place]
        start[0, split] = right[-1]
        weights[[at + level for level in seen], split] = right[:-1] - right[-1]
    x = graph.cast(x, "float32")
    parts = [graph.add("Gather", x, graph.constant(np.array(columns.plain, np.int64)), axis=1)] if columns.plain else []
    if splits:
        parts.append(graph.add("Add", graph.add("MatMul", x, graph.constant(weights)), graph.constant(start)))
    trees.n_features_in_ = len(columns.plain) + len(splits)
    trees.is_categorical_ = None
    return trees, graph.concat(parts)


def _copy_tree(tree: Any) -> Any:
    """A tree of scikit-learn's boosting with nodes of its own, its thresholds rounded down to single precision."""
    nodes = tree.nodes.copy()
    with np.errstate(over="ignore"):
        low = nodes["num_threshold"].astype(np.float32)
    low = np.where(low > nodes["num_threshold"], np.nextafter(low, np.float32(-np.inf)), low)
    nodes["num_threshold"] = low
    return SimpleNamespace(nodes=nodes)


class _Columns:
    """Where boosted trees on folded features (`Folded.fold`) have their columns: level numbers first, then all others.

    width: of the features before. levels: (first feature, levels that training had) of each column of level numbers. plain: features that
    go in as numbers, in the order in which the trees have them.
    """

    def __init__(self, folded: Folded) -> None:
        trees = folded.estimator
        self._encoder = trees._preprocessor
        self._inputs = int(trees.n_features_in_)
        wide = [n > MAX_LEVELS for n in folded.levels]
        numeric = self._inputs - folded.count - sum(n for n, own in zip(folded.levels, wide, strict=True) if own)
        ends = (numeric + np.cumsum(folded.levels)).tolist()
        self.width = int(ends[-1]) if ends else numeric
        starts = [end - n for end, n in zip(ends, folded.levels, strict=True)]
        kept = [range(at, end) for at, end, own in zip(starts, ends, wide, strict=True) if own]
        self.plain = [*range(numeric), *(i for own in kept for i in own)]
        self.levels = [(at, seen) for at, seen, own in zip(starts, folded.seen, wide, strict=True) if not own]

    def find_plain(self, place: int) -> int:
        """The converted trees' number of a column of numbers. place: the trees' own."""
        return place - len(self.levels)

    def find_right(self, place: int, left: np.ndarray, missing_left: bool) -> np.ndarray:
        """float32 [levels + 1]: 1 for the levels that go right at a split, the last for a row without a level.

        left: the split's set of codes as bits of uint32.
        """
        count = len(self.levels[place][1])
        rows = np.full((count + 1, self._inputs), np.nan)
        rows[:count, place] = np.arange(count)
        codes = rows[:, place] if self._encoder is None else np.asarray(self._encoder.transform(rows), np.float64)[:, place]
        known = np.nan_to_num(codes, nan=0).astype(np.int64)
        goes_left = np.where(np.isnan(codes), missing_left, (left[known // 32] >> (known % 32).astype(np.uint32)) & 1)
        return (1 - goes_left).astype(np.float32)


def _convert(estimator: Any) -> Any:
    """skl2onnx's model of an estimator, from `x` to `label` and `probabilities`."""
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType
    from skl2onnx.operator_converters.random_forest import convert_sklearn_random_forest_classifier
    from sklearn.ensemble import HistGradientBoostingClassifier

    def convert_boosting(scope: Any, operator: Any, container: Any) -> None:
        """skl2onnx's own, with flags of missing values as numbers, which onnx asks for."""
        add = container.add_node

        def add_numbers(*arguments: Any, **attributes: Any) -> Any:
            key = "nodes_missing_value_tracks_true"
            if key in attributes:
                attributes[key] = [int(flag) for flag in attributes[key]]
            return add(*arguments, **attributes)

        container.add_node = add_numbers
        try:
            convert_sklearn_random_forest_classifier(scope, operator, container)
        finally:
            container.add_node = add

    return convert_sklearn(
        estimator,
        initial_types=[("x", FloatTensorType([None, estimator.n_features_in_]))],
        options={id(estimator): {"zipmap": False}},
        target_opset=OPSETS,
        custom_conversion_functions={HistGradientBoostingClassifier: convert_boosting},
    )
