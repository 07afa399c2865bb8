"""Reads an exported model. No code of the file runs: numbers and text are checked and put into classes of this program."""

from __future__ import annotations

import io
import json
import math
import os
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from engine.errors import BadData
from engine.export.decision import Decision
from engine.export.estimators import read_estimator
from engine.export.flags import UNDECIDED, check_budget, find_time, flag_days, flag_most, read_days
from engine.export.format import (
    MAX_UNPACKED,
    MODEL,
    PREPROCESSING,
    READABLE,
    README,
    TREES,
    TRUSTED,
    WEIGHTS,
    check_trees,
    refuse_other_versions,
)
from engine.export.inputs import open_table
from engine.export.model_facts import ModelFacts
from engine.export.pipeline import Pipeline
from engine.models.centres import Centres
from engine.models.cost_head import CostHead
from engine.models.feature_classifiers import FEATURES, ClassMeans, Mapped, Normalised
from engine.models.memory import MemoryHead
from engine.models.mlp import EVERY_ACTIVATION, MLP
from engine.models.net import Net, WithHead
from engine.text import one_line
from engine.training.probes import Linear, Neighbours

BLOCK = 2**16
"""Largest number of rows predicted at once."""


class UnknownLevel(UserWarning):
    """Rows have levels of a categorical column that no training row had."""


@dataclass(frozen=True, eq=False)
class Model:
    """A fitted model, read by `load_model`.

    classes_: labels [C], columns of `predict_proba`. about: the facts saved with it. pipeline: its columns and scaling. decision: the
    class looked for, its calibration, the cut and what was promised, None where the file holds none. facts: of the training rows'
    columns, None where it holds none. made_with: versions of what made it, by name. fitted: the network or estimator on features of
    `precision`.
    """

    classes_: np.ndarray
    pipeline: Pipeline
    about: dict[str, Any]
    kind: str
    head: str
    _probabilities: Callable[[np.ndarray], np.ndarray] = field(repr=False)
    decision: Decision | None = None
    facts: ModelFacts | None = None
    made_with: Mapping[str, str] = field(default_factory=dict)
    fitted: Any = field(default=None, repr=False)
    precision: str = "float32"

    @property
    def classes(self) -> tuple[str, ...]:
        """Labels of the classes."""
        return tuple(map(str, self.classes_))

    @property
    def positive(self) -> int:
        """Number of the class looked for. Raises BadData where the model has several classes and looks for none."""
        if self.decision is not None:
            return self.decision.positive
        if len(self.classes_) == 2:
            return 1
        raise BadData("This model looks for no class among its several: take its probabilities instead.")

    @property
    def cut(self) -> float | None:
        """The calibrated probability from which on its rule flags a row; None where the file holds none."""
        return None if self.decision is None else self.decision.cut

    @property
    def rule(self) -> Mapping[str, Any] | None:
        """The rule that chose the cut, None where the file holds none."""
        return None if self.decision is None else self.decision.rule

    @property
    def promised(self) -> Mapping[str, Mapping[str, float | None]] | None:
        """What was promised at the cut: {precision, recall, alerts (per 1,000 rows): {mean, low, high}}, or None."""
        return None if self.decision is None else self.decision.promised

    @property
    def time(self) -> str | None:
        """The column that says when a row happens, None where the model knows none."""
        told = self.about.get("time")
        return told if isinstance(told, str) else find_time(self.pipeline.reading)

    @property
    def names(self) -> list[str]:
        """Names of its columns."""
        return [column.name for column in self.pipeline.columns]

    def compute(self, x: np.ndarray) -> np.ndarray:
        """Calibrated probabilities [n, C] float64 of features x [n, width] of its pipeline."""
        p = self._probabilities(x)
        return p if self.decision is None else self.decision.calibration.apply(p, self.decision.positive)

    def probability(self, x: np.ndarray) -> np.ndarray:
        """Calibrated probability of the class looked for [n], of features x."""
        out: np.ndarray = self.compute(x)[:, self.positive]
        return out

    def predict_proba(self, table: Any) -> np.ndarray:
        """Probabilities [n, C] float64 of the rows of a data frame, or of a list of one dict per row, calibrated as the model was.

        Columns may come in any order, and others are ignored. A missing number counts as the training mean. An unknown level
        counts as no level (or as "(other)"), and an UnknownLevel warning names the columns. Raises BadData for a missing
        column, and for text in a number column.
        """
        x, unknown = self.pipeline(table)
        if unknown:
            names = ", ".join(f"{one_line(name, 40)!r} ({n})" for name, n in list(unknown.items())[:5])
            warnings.warn(
                f"training did not know the level of some rows in {len(unknown)} columns: {names}; they belong to no level there.",
                UnknownLevel,
                stacklevel=2,
            )
        parts = [self.compute(x[i : i + BLOCK]) for i in range(0, len(x), BLOCK)]
        out = np.concatenate(parts) if parts else np.zeros((0, len(self.classes_)))
        if np.isnan(out).any():
            raise BadData(
                f"Row {int(np.isnan(out).any(1).argmax())} (from 0) lies too far from the training rows to be computed."
            )
        return out

    def predict(self, table: Any) -> np.ndarray:
        """The most likely class of each row [n], by `predict_proba`."""
        best = self.predict_proba(table).argmax(1)
        labels: np.ndarray = self.classes_[best]
        return labels

    def flag(self, table: Any, alerts: float | None = None, per: str | None = None) -> np.ndarray:
        """Which rows are flagged [n] bool: by the model's own rule, or the most likely `alerts` rows `per` "1000" rows or "day".

        table: as `predict_proba` takes it. The model's own rule is its budget of alerts, else its cut; without either rows are flagged
        from one half on. A budget is never exceeded: of rows with one probability the first are flagged. Raises BadData, BadParameter.
        """
        rule = self.rule or {}
        if alerts is None and per is None and rule.get("kind") == "alerts":
            alerts, per = rule["value"], rule.get("per")
        per = per or "1000"
        check_budget(alerts, per)
        given = open_table(table, self.pipeline.reading)
        p = self.predict_proba(given)[:, self.positive]
        if alerts is None:
            flagged: np.ndarray = p >= (UNDECIDED if self.cut is None else self.cut)
            return flagged
        return flag_most(p, alerts) if per == "1000" else flag_days(p, alerts, read_days(given, self.time))

    def describe(self) -> str:
        """The model in a few lines of text."""
        about = self.about
        name = one_line(about.get("title") or about.get("name") or "model", 60)
        made = about.get("provenance") or {}
        lines = [
            f"{name}: {self.kind}" + (f" with {self.head}" if self.head not in ("", "linear") else ""),
            f"classes: {', '.join(one_line(c, 40) for c in self.classes_)}",
            f"columns: {', '.join(one_line(c.name, 40) for c in self.pipeline.columns)}",
        ]
        if about.get("target"):
            lines.insert(1, f"predicts: {one_line(about['target'], 60)}")
        if about.get("trained_on"):
            lines.append(f"trained on: {one_line(about['trained_on'], 120)}")
        if self.decision is not None:
            own = self.decision
            calibrated = "" if own.calibration.kind == "as trained" else f", calibrated ({own.calibration.kind})"
            lines.append(
                f"looks for: {one_line(self.classes[own.positive], 40)}, {100 * own.share:.4g}% of the table{calibrated}"
            )
            if own.cut is not None:
                lines.append(f"flags: from a probability of {own.cut:.4g} on")
            for name, figure in (own.promised or {}).items():
                bounds = (
                    "" if figure["low"] is None or figure["high"] is None else f" [{figure['low']:.3g}, {figure['high']:.3g}]"
                )
                lines.append(f"promised {name}: " + ("-" if figure["mean"] is None else f"{figure['mean']:.3g}{bounds}"))
        if isinstance(made, dict) and made.get("date"):
            lines.append(f"made: {one_line(made['date'], 40)}")
        return "\n".join(lines)


ESTIMATORS = {
    "boosting": "gradient-boosted trees",
    "forest": "a forest of trees",
    "bag": "an ensemble of trees",
    "networks": "a committee of networks",
    "logistic": "logistic regression",
}
"""Kind of an estimator in a file -> in words."""

_UNREADABLE = (
    *(OSError, EOFError, ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError, RecursionError),
    *(MemoryError, RuntimeError, ImportError, struct.error, zipfile.BadZipFile, zlib.error),
)
"""What the parsers raise on damaged bytes."""


def load_model(path: str | os.PathLike[str] | BinaryIO | bytes) -> Model:
    """The model in a zip of `save_model`. path: a file name, an open file, or the bytes of one. No code of the file runs and nothing
    is unpickled; sizes are looked at before anything is unpacked.

    Raises BadData, with one sentence, for a file that is damaged, was written by a newer program, or holds parts that no
    exported model has. Raises OSError as `open` does.
    """
    if isinstance(path, (bytes, bytearray, memoryview)):
        return load_model(io.BytesIO(path))
    if not hasattr(path, "read"):
        with open(path, "rb") as file:
            return load_model(file)
    try:
        with zipfile.ZipFile(path) as zipped:
            parts = _members(zipped)
        words, columns = (_json(parts[name]) for name in (MODEL, PREPROCESSING))
        if words["format"] not in READABLE or isinstance(words["format"], bool):
            raise BadData(
                f"The model was written in format {one_line(words['format'], 20)}; this version reads formats "
                f"{' and '.join(map(str, READABLE))}."
            )
        return _model(words, Pipeline.from_json(columns), parts)
    except BadData:
        raise
    except _UNREADABLE as error:
        raise BadData(
            f"This is no exported model, or it is damaged: {one_line(error, 160) or type(error).__name__}."
        ) from error


def _members(zipped: zipfile.ZipFile) -> dict[str, bytes]:
    """The parts by name, read into memory, so that no file name from the zip is used on disk."""
    entries = zipped.infolist()
    names = [entry.filename for entry in entries]
    known = {README, MODEL, PREPROCESSING, WEIGHTS, TREES}
    if strange := [name for name in names if name not in known]:
        raise BadData(f"The file holds {one_line(strange[0], 40)!r}, which no exported model does; it is not loaded.")
    if len(set(names)) != len(names):
        raise BadData("The file holds two parts of one name, which no exported model does; it is not loaded.")
    if sum(entry.file_size for entry in entries) > MAX_UNPACKED:
        raise BadData(
            f"The file unpacks to more than {MAX_UNPACKED >> 20} MiB, which no exported model does; it is not loaded."
        )
    if absent := [name for name in (MODEL, PREPROCESSING) if name not in names] or (
        ["weights"] if len({WEIGHTS, TREES} & set(names)) != 1 else []
    ):
        raise BadData(f"The file has no {absent[0]}, so it is no exported model.")
    return {entry.filename: zipped.read(entry) for entry in entries}


def _json(data: bytes) -> Any:
    def refuse(name: str) -> float:
        raise ValueError(f"{name} is no number")

    return json.loads(data.decode(), parse_constant=refuse)


def _model(words: Mapping[str, Any], pipeline: Pipeline, parts: Mapping[str, bytes]) -> Model:
    classes = np.array(words["classes"], object)
    if not len(classes) or not all(isinstance(c, str) for c in classes):
        raise ValueError("its classes are not names")
    about = words["about"]
    if not isinstance(about, dict):
        raise TypeError("its facts are not named")
    decision, facts, versions = words.get("decision"), words.get("facts"), words.get("made_with", {})
    if not isinstance(versions, dict):
        raise TypeError("the versions of what made it are not named")
    made_with = {one_line(name, 40): one_line(version, 40) for name, version in list(versions.items())[:20]}
    kind, head, compute, fitted = _read_kind(words, parts, pipeline.width, len(classes))
    return Model(
        classes,
        pipeline,
        about,
        kind,
        head,
        compute,
        None if decision is None else Decision.from_json(decision, len(classes)),
        None if facts is None else ModelFacts.from_json(facts, pipeline),
        made_with,
        fitted,
        str(words["precision"]),
    )


def _read_kind(
    words: Mapping[str, Any], parts: Mapping[str, bytes], width: int, classes: int
) -> tuple[str, str, Callable[[np.ndarray], np.ndarray], Any]:
    """(what it is, its last layer, features [n, width] -> probabilities as trained [n, C], the network or estimator)."""
    dtype = {"float32": np.float32, "float64": np.float64}[words["precision"]]
    if words["kind"] == "trees":
        trees = _read_trees(parts[TREES], width, classes)

        def of_trees(x: np.ndarray) -> np.ndarray:
            out = np.zeros((len(x), classes))
            out[:, trees.classes_.astype(int)] = trees.predict_proba(x.astype(dtype))
            return out

        try:
            of_trees(np.zeros((1, width)))
        except _UNREADABLE as error:
            raise BadData("The trees in this file cannot predict; it is damaged.") from error
        return "gradient-boosted trees", "", of_trees, trees
    if words["kind"] == "estimator":
        answer, estimator = read_estimator(words, parts[TREES], width, classes)
        return ESTIMATORS[str(words["estimator"])], "", lambda x: answer(x.astype(dtype)), estimator
    if words["kind"] != "network":
        raise ValueError("it is of an unknown kind")
    net = _read_network(words, parts[WEIGHTS], width, classes)

    @torch.no_grad()
    def of_network(x: np.ndarray) -> np.ndarray:
        logits = net(torch.from_numpy(x.astype(dtype)).unsqueeze(0))[0]
        probabilities: np.ndarray = logits.double().softmax(-1).numpy()
        return probabilities

    return "neural network", str(words["head"]["kind"]), of_network, net


def _read_network(words: Mapping[str, Any], data: bytes, width: int, classes: int) -> Net:
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        tensors = load(data)
    except SafetensorError as error:
        raise ValueError(f"its weights cannot be read ({error})") from error
    shape, head = words["network"], words["head"]
    sizes = shape["sizes"]
    if not all(type(n) is int and n > 0 for n in sizes) or len(sizes) < 2 or (sizes[0], sizes[-1]) != (width, classes):
        raise ValueError("its layers do not fit its columns and classes")
    if shape["activation"] not in EVERY_ACTIVATION:
        raise ValueError("its activation is unknown")
    dtype = getattr(torch, words["precision"])

    def take(name: str, *size: int, dtype: torch.dtype = dtype, low: float = -math.inf) -> Tensor:
        tensor = tensors.pop(name)
        if tensor.shape != size or tensor.dtype != dtype or bool((tensor != tensor).any()) or bool((tensor == math.inf).any()):
            raise ValueError(f"its weights {name!r} are not {' x '.join(map(str, size))} numbers of {words['precision']}")
        if low == -math.inf and bool((tensor == -math.inf).any()) and name != "head.bias":
            raise ValueError(f"its weights {name!r} are not finite")
        return tensor

    flat = []
    for k, (i, o) in enumerate(zip(sizes, sizes[1:], strict=False)):
        flat += [take(f"layers.{k}.weight", o, i).T.reshape(-1), take(f"layers.{k}.bias", o)]
    net = MLP(sizes, shape["activation"], torch.cat(flat).unsqueeze(0), shape["cosine"] is True)
    h = sizes[-2]
    made: Net = net
    if head["kind"] == "class means":
        if head["features"] not in FEATURES:
            raise ValueError("its features are unknown")
        means, counts, centre = take("head.means", classes, h), take("head.counts", classes), take("head.centre", 1, h)
        biases = take("head.biases", classes).unsqueeze(0) if "head.biases" in tensors else None
        made = WithHead(net, ClassMeans(means.unsqueeze(0), counts.unsqueeze(0), centre.unsqueeze(0), head["features"], biases))
    elif head["kind"] == "logistic regression":
        weight, bias = take("head.weight", classes, h), take("head.bias", classes)
        made = WithHead(net, Linear(weight.T.unsqueeze(0), bias.view(1, 1, -1)))
    elif head["kind"] == "expected cost":
        weight, bias = take("head.weight", classes, h).T.unsqueeze(0), take("head.bias", classes).view(1, 1, -1)
        costs = take("head.costs", classes, classes, dtype=torch.float64)
        if bool((costs < 0).any()):
            raise ValueError("its costs are below 0")
        made = WithHead(net, CostHead(weight, bias, costs.unsqueeze(0)), weight)
    elif head["kind"] == "nearest neighbours":
        n, k, mapped = len(tensors["head.rows"]), head["k"], head.get("mapped", h)
        rows, labels = take("head.rows", n, mapped, dtype=torch.float64), take("head.labels", n, dtype=torch.int64)
        if type(k) is not int or k < 1 or not n or int(labels.min()) < 0 or int(labels.max()) >= classes:
            raise ValueError("its neighbours are not of its classes")
        if head.get("normalised", True) is not True:
            raise ValueError("its features are unknown")
        votes = torch.nn.functional.one_hot(labels, classes).double()
        if "head.votes" in tensors:
            each = take("head.votes", n, dtype=torch.float64)
            if not bool((each > 0).all()):
                raise ValueError("the votes of its neighbours are not above 0")
            votes = votes * each.unsqueeze(1)
        classify: Any = Neighbours(((rows, votes),), k)
        if "mapped" in head:
            mean, scale = (take(f"head.{name}", h, dtype=torch.float64).view(1, 1, -1) for name in ("mean", "scale"))
            if not bool((scale > 0).all()):
                raise ValueError("its scales are not above 0")
            classify = Mapped(classify, mean, scale, take("head.map", mapped, h, dtype=torch.float64).T.unsqueeze(0))
        made = WithHead(net, Normalised(classify) if "normalised" in head else classify)
    elif head["kind"] == "centres":
        n, k = len(tensors["head.centres"]), head["k"]
        centres, labels = take("head.centres", n, h, dtype=torch.float64), take("head.labels", n, dtype=torch.int64)
        if type(k) is not int or k < 1 or not n or int(labels.min()) < 0 or int(labels.max()) >= classes:
            raise ValueError("its centres are not of its classes")
        biases = take("head.biases", classes).unsqueeze(0) if "head.biases" in tensors else None
        made = WithHead(net, Centres(((centres, labels),), (k,), classes, biases))
    elif head["kind"] == "memory":
        sizes = {
            "attend": (h, classes),
            "attend_bias": (1, classes),
            "select": (h, h),
            "select_bias": (1, h),
            "means": (classes, h),
        }
        parts = {
            name: take(f"head.{name}", *size) for name, size in {**sizes, "weights": (h, classes), "floor": (1, 1)}.items()
        }
        parts["there"] = take("head.there", classes, dtype=torch.bool)
        if not bool((parts["floor"] > 0).all()) or not bool(parts["there"].any()):
            raise ValueError("its memory has no least distance, or no class")
        made = WithHead(
            net, MemoryHead(**{name: part.unsqueeze(0) for name, part in parts.items()}), parts["weights"].unsqueeze(0)
        )
    elif head["kind"] != "linear":
        raise ValueError("its last layer is of an unknown kind")
    if tensors:
        raise ValueError("it has weights that its layers do not use")
    return made


def _read_trees(data: bytes, width: int, classes: int) -> Any:
    import skops.io
    from sklearn.ensemble import HistGradientBoostingClassifier
    from skops.io.exceptions import UnsupportedTypeException, UntrustedTypesFoundException

    with zipfile.ZipFile(io.BytesIO(data)) as inner:
        if sum(entry.file_size for entry in inner.infolist()) > MAX_UNPACKED:
            raise BadData(
                f"The trees unpack to more than {MAX_UNPACKED >> 20} MiB, which no exported model does; they are not loaded."
            )
    try:
        if untrusted := set(skops.io.get_untrusted_types(data=data)) - set(TRUSTED):
            raise BadData(
                f"The trees hold {one_line(sorted(untrusted)[0], 60)!r}, which no exported model does; they are not loaded."
            )
        with refuse_other_versions():
            trees = skops.io.loads(data, trusted=list(TRUSTED))
    except (UntrustedTypesFoundException, UnsupportedTypeException) as error:
        raise BadData("The trees hold things that no exported model does; they are not loaded.") from error
    if type(trees) is not HistGradientBoostingClassifier:
        raise BadData("The trees in this file are none of scikit-learn's gradient-boosted ones; they are not loaded.")
    check_trees(trees, width)
    if not set(np.asarray(trees.classes_).tolist()) <= set(range(classes)):
        raise ValueError("its trees are not of its classes")
    return trees
