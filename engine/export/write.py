"""What a person takes away of a fitted model: a zip that `engine.load_model` reads, and its training rows with the synthetic ones as CSV.

The zip holds README.md, model.json, preprocessing.json and either weights.safetensors (networks) or trees.skops (gradient-boosted trees).
Loading runs nothing of the file: numbers and words are read, checked against each other, and put into classes of this program.
"""

from __future__ import annotations

import io
import json
import math
import os
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from engine.data.table import Dataset
from engine.errors import BadData, BadInput
from engine.export.pipeline import Pipeline
from engine.models.feature_classifiers import FEATURES, ClassMeans
from engine.models.mlp import ACTIVATIONS, MLP
from engine.models.net import Net, WithHead
from engine.plain import to_plain
from engine.text import csv_table, line, markdown
from engine.training.fitted import Fitted
from engine.training.probes import Linear, Neighbours

FORMAT = 1
"""Raised when an older program could not read what is written."""

MOST = 256 << 20
"""Bytes that a model may unpack to."""

BLOCK = 2**16
"""Rows predicted at once."""

TRUSTED = ("sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",)
"""The one type beyond those skops itself trusts: the tables of nodes that scikit-learn's boosted trees are. Its code is scikit-learn's and
takes plain arrays; skops leaves it out because it is a private class. What is in the tables is checked on loading (`_check_trees`)."""

WORDS, COLUMNS, WEIGHTS, TREES, README = "model.json", "preprocessing.json", "weights.safetensors", "trees.skops", "README.md"

EXAMPLE = """\
import pandas as pd

import engine

model = engine.load_model("model.zip")
print(model.describe())
table = pd.read_csv("new-rows.csv")
table["predicted"] = model.predict(table)
table["probability"] = model.predict_proba(table).max(axis=1)
table.to_csv("predicted.csv", index=False)
"""
"""Ten lines that use an exported model."""


class UnknownLevel(UserWarning):
    """Rows have levels of a categorical column that no training row had."""


# ---- writing


def save_model(
    where: str | os.PathLike[str] | BinaryIO,
    classifier: Any,
    pipeline: Pipeline,
    *,
    classes: Sequence[str],
    about: Mapping[str, Any] | None = None,
    replicate: int = 0,
    precision: str = "float32",
) -> None:
    """One replicate of a fitted model as a zip.

    classifier: a Net whose features are an MLP's (its own last layer, or a classifier of
    `engine.models.feature_classifiers` or `engine.training.probes` on top),
    or scikit-learn's HistGradientBoostingClassifier fitted on the pipeline's features and the numbers of classes. about: JSON-plain facts
    that go with it: name, title, params, spec, provenance, target ... precision: of the features that trees were fitted on.
    Raises BadInput for a classifier that cannot be written exactly: convolutional networks, other estimators.
    """
    words: dict[str, Any] = {"format": FORMAT, "classes": [str(c) for c in classes]}
    if isinstance(classifier, Net):
        described, tensors = _network(classifier, replicate)
        words |= described
        data, name = _safetensors(tensors), WEIGHTS
        if words["network"]["sizes"][0] != pipeline.width:
            raise ValueError("the network does not take as many features as the pipeline makes")
    else:
        data, name = _trees(classifier), TREES
        words |= {"kind": "trees", "precision": precision}
    words["about"] = to_plain(dict(about or {}))
    parts = {
        README: _readme(words, pipeline).encode(),
        WORDS: json.dumps(words, indent=1, allow_nan=False).encode(),
        COLUMNS: json.dumps(pipeline.to_json(), indent=1, allow_nan=False).encode(),
        name: data,
    }
    with zipfile.ZipFile(where, "w", zipfile.ZIP_DEFLATED) as zipped:
        for member, content in parts.items():
            # a fixed date: the same model gives the same bytes
            entry = zipfile.ZipInfo(member, date_time=(1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            zipped.writestr(entry, content, zipfile.ZIP_DEFLATED)


def model_bytes(classifier: Any, pipeline: Pipeline, **how: Any) -> bytes:
    """The zip of `save_model` as bytes."""
    buffer = io.BytesIO()
    save_model(buffer, classifier, pipeline, **how)
    return buffer.getvalue()


def _network(net: Net, replicate: int) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """(words, tensors by name) of one replicate. Weights are [out, in], as torch.nn.Linear has them."""
    base = net.net if isinstance(net, WithHead) else net
    if not isinstance(base, MLP):
        raise BadInput("A convolutional network cannot be exported: what is exported takes the rows of a table.")
    views = [view[replicate].detach().cpu() for view in base.views(base.flat)]
    tensors = {}
    for k in range(len(views) // 2):
        tensors[f"layers.{k}.weight"], tensors[f"layers.{k}.bias"] = views[2 * k].T, views[2 * k + 1][0]
    head: dict[str, Any] = {"kind": "linear"}
    if isinstance(net, WithHead):
        head, own = _head(net.classify, replicate)
        tensors |= {f"head.{name}": tensor.detach().cpu() for name, tensor in own.items()}
    shape = {"sizes": list(base.sizes), "activation": base.activation, "cosine": base.cosine}
    precision = str(base.flat.dtype).removeprefix("torch.")
    return {"kind": "network", "precision": precision, "network": shape, "head": head}, tensors


def _head(classify: Callable[[Tensor], Tensor], r: int) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """(words, tensors) of one replicate of a classifier on features. Raises BadInput for one that is not known."""
    if isinstance(classify, ClassMeans):
        own = {"means": classify.means[r], "counts": classify.counts[r], "centre": classify.centre[r]}
        return {"kind": "class means", "features": classify.features}, own
    if isinstance(classify, Linear):
        bias = classify.bias[r, 0]
        # safetensors holds -inf as it holds any number: a class without a row
        return {"kind": "logistic regression"}, {"weight": classify.weight[r].T, "bias": bias}
    if isinstance(classify, Neighbours):
        rows, labels = classify.kept[r]
        return {"kind": "nearest neighbours", "k": classify.k}, {"rows": rows, "labels": labels.argmax(1)}
    raise BadInput("This method's classifier on the features cannot be exported: it is none that can be written as numbers.")


def _safetensors(tensors: Mapping[str, Tensor]) -> bytes:
    from safetensors.torch import save

    data: bytes = save({name: tensor.contiguous() for name, tensor in tensors.items()})
    return data


def _trees(classifier: Any) -> bytes:
    import skops.io
    from sklearn.ensemble import HistGradientBoostingClassifier

    if type(classifier) is not HistGradientBoostingClassifier:
        raise BadInput(f"A {type(classifier).__name__} cannot be exported; networks and HistGradientBoostingClassifier can.")
    data: bytes = skops.io.dumps(classifier)
    if untrusted := set(skops.io.get_untrusted_types(data=data)) - set(TRUSTED):
        raise BadInput(f"These trees cannot be exported: they hold {', '.join(sorted(untrusted))}, which is not loaded unseen.")
    _check_trees(classifier, classifier.n_features_in_)
    return data


def _readme(words: Mapping[str, Any], pipeline: Pipeline) -> str:
    """What is in the zip, for a person."""
    about = words["about"]
    title = about.get("title") or about.get("name") or "A model"
    head = words.get("head", {}).get("kind")
    keeps = (
        "\nThis classifier compares with its training rows, so the file holds the features of each of them: who has the file has those.\n"
        if head == "nearest neighbours"
        else ""
    )
    what = "scikit-learn's gradient-boosted trees" if words["kind"] == "trees" else "a neural network"
    columns = "\n".join(f"- {markdown(c.name, 80)} ({c.kind})" for c in pipeline.columns[:200])
    more = f"\n- and {len(pipeline.columns) - 200} more" if len(pipeline.columns) > 200 else ""
    target = f" of {markdown(about['target'], 80)}" if about.get("target") else ""
    return f"""# {markdown(title, 80)}

{what[0].upper() + what[1:]}, fitted by Imbalance Lab. It gives the probability of each class{target}:
{", ".join(markdown(c, 80) for c in words["classes"])}.

## Use it

In a folder with Imbalance Lab's `engine` (and its requirements installed), this zip as `model.zip`, and new rows:

```python
{EXAMPLE}```

## What it takes

A data frame, or a list of one dict per row, with these columns in any order:

{columns}{more}

- Other columns are ignored. A column that is not there is an error.
- A missing number counts as the mean of the training rows (and is told to the model where training rows lacked it too).
- A level that training did not know belongs to none of the levels (or to "{
        "(other)"
    }", where rare levels were made one); a warning
  says in which columns.
{keeps}
## What is in it

- `model.json`: classes, the shape of the model, its method, parameters and where it was made.
- `preprocessing.json`: columns in their order, levels, means, standard deviations.
- `{TREES if words["kind"] == "trees" else WEIGHTS}`: {
        "the trees, as skops writes them"
        if words["kind"] == "trees"
        else "the weights, layer by layer, [out, in] as torch.nn.Linear has them"
    }.

No part of it is a pickle, and loading it runs nothing of it.
"""


# ---- reading


@dataclass(frozen=True, eq=False)
class Model:
    """A fitted model, read by `load_model`.

    classes_: labels [C], columns of `predict_proba`. about: the facts that were saved with it. pipeline: its columns and scaling.
    """

    classes_: np.ndarray
    pipeline: Pipeline
    about: dict[str, Any]
    kind: str
    head: str
    _probabilities: Callable[[np.ndarray], np.ndarray] = field(repr=False)

    def predict_proba(self, table: Any) -> np.ndarray:
        """Probabilities [n, C] float64 of the rows of a data frame, or of a list of one dict per row.

        Columns may come in any order, and others are ignored. A missing number counts as the training mean; a level that training did
        not know belongs to none (or to "(other)"), and an UnknownLevel warning names the columns. Raises BadData for a column that is
        not there, and for text where a number is due.
        """
        x, unknown = self.pipeline(table)
        if unknown:
            names = ", ".join(f"{line(name, 40)!r} ({n})" for name, n in list(unknown.items())[:5])
            warnings.warn(
                f"training did not know the level of some rows in {len(unknown)} columns: {names}; they belong to no level there.",
                UnknownLevel,
                stacklevel=2,
            )
        parts = [self._probabilities(x[i : i + BLOCK]) for i in range(0, len(x), BLOCK)]
        out = np.concatenate(parts) if parts else np.zeros((0, len(self.classes_)))
        if np.isnan(out).any():
            raise BadData(
                f"Row {int(np.isnan(out).any(1).argmax())} (from 0) lies too far from the training rows to be computed."
            )
        return out

    def predict(self, table: Any) -> np.ndarray:
        """The likeliest class of each row [n], as `predict_proba` has it."""
        best = self.predict_proba(table).argmax(1)
        labels: np.ndarray = self.classes_[best]
        return labels

    def describe(self) -> str:
        """What this is, in a few lines."""
        about = self.about
        name = line(about.get("title") or about.get("name") or "model", 60)
        made = about.get("provenance") or {}
        lines = [
            f"{name}: {self.kind}" + (f" with {self.head}" if self.head not in ("", "linear") else ""),
            f"classes: {', '.join(line(c, 40) for c in self.classes_)}",
            f"columns: {', '.join(line(c.name, 40) for c in self.pipeline.columns)}",
        ]
        if about.get("target"):
            lines.insert(1, f"predicts: {line(about['target'], 60)}")
        if isinstance(made, dict) and made.get("date"):
            lines.append(f"made: {line(made['date'], 40)}")
        return "\n".join(lines)


_UNREADABLE = (
    *(OSError, EOFError, ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError, RecursionError),
    *(MemoryError, RuntimeError, ImportError, struct.error, zipfile.BadZipFile, zlib.error),
)
"""What readers say of bytes that are not what they should be."""


def load_model(path: str | os.PathLike[str] | BinaryIO) -> Model:
    """The model in a zip of `save_model`; a file's name or an open file. Nothing of the file is run and nothing unpickled.

    Raises BadData, with one sentence, for a file that is damaged, was written by a newer program, or holds what no exported model does.
    OSError as `open` raises it where there is no such file.
    """
    if not hasattr(path, "read"):
        with open(path, "rb") as file:
            return load_model(file)
    try:
        with zipfile.ZipFile(path) as zipped:
            parts = _members(zipped)
        words, columns = (_json(parts[name]) for name in (WORDS, COLUMNS))
        if words["format"] != FORMAT:
            raise BadData(f"The model was written in format {line(words['format'], 20)}; this version reads format {FORMAT}.")
        return _model(words, Pipeline.from_json(columns), parts)
    except BadData:
        raise
    except _UNREADABLE as error:
        raise BadData(f"This is no exported model, or it is damaged: {line(error, 160) or type(error).__name__}.") from error


def _members(zipped: zipfile.ZipFile) -> dict[str, bytes]:
    """The parts by name, each read into memory: nothing is written to a disk under a name of the file's choice."""
    entries = zipped.infolist()
    names = [entry.filename for entry in entries]
    known = {README, WORDS, COLUMNS, WEIGHTS, TREES}
    if strange := [name for name in names if name not in known]:
        raise BadData(f"The file holds {line(strange[0], 40)!r}, which no exported model does; it is not loaded.")
    if len(set(names)) != len(names):
        raise BadData("The file holds two parts of one name, which no exported model does; it is not loaded.")
    if sum(entry.file_size for entry in entries) > MOST:
        raise BadData(f"The file unpacks to more than {MOST >> 20} MiB, which no exported model does; it is not loaded.")
    if absent := [name for name in (WORDS, COLUMNS) if name not in names] or (
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
    dtype = {"float32": np.float32, "float64": np.float64}[words["precision"]]
    if words["kind"] == "trees":
        trees = _read_trees(parts[TREES], pipeline.width, len(classes))

        def of_trees(x: np.ndarray) -> np.ndarray:
            out = np.zeros((len(x), len(classes)))
            out[:, trees.classes_.astype(int)] = trees.predict_proba(x.astype(dtype))
            return out

        try:
            of_trees(np.zeros((1, pipeline.width)))
        except _UNREADABLE as error:
            raise BadData("The trees in this file cannot predict; it is damaged.") from error
        return Model(classes, pipeline, about, "gradient-boosted trees", "", of_trees)
    if words["kind"] != "network":
        raise ValueError("it is of an unknown kind")
    net = _read_network(words, parts[WEIGHTS], pipeline.width, len(classes))

    @torch.no_grad()
    def of_network(x: np.ndarray) -> np.ndarray:
        logits = net(torch.from_numpy(x.astype(dtype)).unsqueeze(0))[0]
        probabilities: np.ndarray = logits.double().softmax(-1).numpy()
        return probabilities

    return Model(classes, pipeline, about, "neural network", str(words["head"]["kind"]), of_network)


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
    if shape["activation"] not in ACTIVATIONS:
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
        made = WithHead(net, ClassMeans(means.unsqueeze(0), counts.unsqueeze(0), centre.unsqueeze(0), head["features"]))
    elif head["kind"] == "logistic regression":
        weight, bias = take("head.weight", classes, h), take("head.bias", classes)
        made = WithHead(net, Linear(weight.T.unsqueeze(0), bias.view(1, 1, -1)))
    elif head["kind"] == "nearest neighbours":
        n, k = len(tensors["head.rows"]), head["k"]
        rows, labels = take("head.rows", n, h, dtype=torch.float64), take("head.labels", n, dtype=torch.int64)
        if type(k) is not int or k < 1 or not n or int(labels.min()) < 0 or int(labels.max()) >= classes:
            raise ValueError("its neighbours are not of its classes")
        made = WithHead(net, Neighbours(((rows, torch.nn.functional.one_hot(labels, classes).double()),), k))
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
        if sum(entry.file_size for entry in inner.infolist()) > MOST:
            raise BadData(f"The trees unpack to more than {MOST >> 20} MiB, which no exported model does; they are not loaded.")
    try:
        if untrusted := set(skops.io.get_untrusted_types(data=data)) - set(TRUSTED):
            raise BadData(
                f"The trees hold {line(sorted(untrusted)[0], 60)!r}, which no exported model does; they are not loaded."
            )
        trees = skops.io.loads(data, trusted=list(TRUSTED))
    except (UntrustedTypesFoundException, UnsupportedTypeException) as error:
        raise BadData("The trees hold things that no exported model does; they are not loaded.") from error
    if type(trees) is not HistGradientBoostingClassifier:
        raise BadData("The trees in this file are none of scikit-learn's gradient-boosted ones; they are not loaded.")
    _check_trees(trees, width)
    if not set(np.asarray(trees.classes_).tolist()) <= set(range(classes)):
        raise ValueError("its trees are not of its classes")
    return trees


def _check_trees(trees: Any, width: int) -> None:
    """Raises ValueError where following the nodes could leave them: scikit-learn's compiled code does not look."""
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
        # children stand after their parent, so every path ends
        for side in ("left", "right"):
            to = inner[side].astype(np.int64)
            if (to <= own).any() or (to >= len(nodes)).any():
                raise ValueError("the nodes of its trees do not end")
        if (inner["feature_idx"] < 0).any() or (inner["feature_idx"] >= width).any() or nodes["is_categorical"].any():
            raise ValueError("its trees ask for columns that are not there")


# ---- the rows that were trained on


def why_no_rows(fitted: Fitted) -> str:
    """Why there is no augmented training set, in one sentence; nothing where there is one."""
    if fitted.synthetic is not None:
        return ""
    if fitted.embedded is not None:
        return (
            "This method makes its rows among the features of the network, after training it: they have no values in the columns of the "
            "table, so there is no augmented training set to take away."
        )
    return "This method makes no rows, so its training set is the table's own."


def augmented_csv(
    dataset: Dataset,
    pipeline: Pipeline,
    train: np.ndarray,
    fitted: Fitted,
    *,
    target: str,
    replicate: int = 0,
    order: Sequence[str] | None = None,
) -> str:
    """A replicate's training rows, as they came, and the method's synthetic ones, as CSV in the columns of the table.

    train [n]: numbers of the training rows in the dataset, as `Task.source` has them. Then the column of the target, and `synthetic`, 0 or
    1. Numbers of synthetic rows are the inverse of the scaling, with seven digits, so whole numbers become fractions; categorical columns
    have the likeliest level; what is constant in training stays. order: names of columns, where they should come in another order than
    numbers first. Cells that a spreadsheet would take for a formula have an apostrophe before them. Raises BadInput where there are no
    such rows.
    """
    if reason := why_no_rows(fitted):
        raise BadInput(reason)
    assert fitted.synthetic is not None
    own = fitted.synthetic.mask[replicate]
    x = fitted.synthetic.x[replicate][own].detach().double().cpu().numpy()
    labels = fitted.synthetic.y[replicate][own].cpu().numpy()
    constants = _constants(pipeline, dataset, train)
    names = [c.name for c in pipeline.columns]
    wanted = [names.index(name) for name in order if name in names] if order is not None else []
    wanted += [i for i in range(len(names)) if i not in set(wanted)]
    mark = "synthetic"
    while mark in (*names, target):
        mark += "_"

    def rows() -> Iterator[list[Any]]:
        yield [names[i] for i in wanted] + [target, mark]
        for cells, y in zip(pipeline.original(dataset, train), dataset.y[train], strict=True):
            yield [cells[i] for i in wanted] + [dataset.classes[y], 0]
        for cells, y in zip(pipeline.back(x, constants), labels, strict=True):
            yield [cells[i] for i in wanted] + [dataset.classes[y], 1]

    return csv_table(rows())


def _constants(pipeline: Pipeline, dataset: Dataset, train: np.ndarray) -> np.ndarray:
    """What the first training row has in each of the encoded columns [D]."""
    first = train[0]
    numbers = dataset.numeric[first]
    gone = np.isnan(numbers)
    indicators = [gone[i] for i, c in enumerate(pipeline.numeric) if c.indicator]
    levels = [
        float(dataset.categorical[first, j] == k) for j, c in enumerate(pipeline.categorical) for k in range(len(c.levels))
    ]
    means = pipeline.scale.mean[: len(numbers)]
    return np.array([*np.where(gone, means, numbers), *indicators, *levels], np.float64)
