"""scikit-learn classifiers of all methods that take tables, such as `EOSClassifier`.

The classes are made from the methods' own fields when this module is imported, so a new method file has its classifier without
further code. `classifiers()` lists them. A classifier trains with the `Method.fit` that runs use, on a Task of one replicate.
"""

from __future__ import annotations

import dataclasses
import numbers
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import Parameter, Signature
from textwrap import fill
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from engine.data.arrays import find_not_finite, plain_labels, read_weights, to_dense
from engine.data.dataset import Replicate, Rows, Task
from engine.data.prepare import Scale, fit_scale
from engine.data.rows import pad
from engine.devices import choose_device
from engine.errors import BadData, OutOfMemory, RunFailed
from engine.events import Epoch, Note, Running
from engine.methods import methods
from engine.methods.base import Method
from engine.models.net import Net
from engine.seeds import numpy_stream
from engine.settings import read_setting
from engine.spec import fields, run
from engine.spec.fields import MATRIX, param
from engine.training.camera import Camera
from engine.training.fitted import Fitted

BLOCK_ROWS = 2**16
"""Largest number of rows predicted at once."""

NEVER_LOG_ODDS = 1000.0
"""Log-odds whose probability is 0 in double precision."""


@dataclass(frozen=True)
class CommonParameters:
    """Parameters of every classifier besides its method's fields and `random_state`."""

    validation_fraction: float = param(
        0.2, low=0.0, high=0.9,
        help="Share of each class, at least one row, that is kept from training to choose the epoch. 0: none is, and the last epoch "
        "is taken.",
    )  # fmt: skip
    patience: int = param(
        20, low=0, high=2000,
        help="Training ends after so many epochs without a better average precision on the validation rows. 0: all epochs.",
    )  # fmt: skip
    device: str = param(
        "auto", choices=("auto", "cpu", "cuda"), help="Where to train and predict. auto: on a GPU where there is one."
    )


COMMON = frozenset(f.name for f in dataclasses.fields(CommonParameters))

RANDOM_STATE = (
    "Draws the validation rows, the initial weights, the batches and the synthetic rows. An int gives the same classifier every time; "
    "None takes a seed from numpy's global generator, as in scikit-learn."
)


REPEATED = (
    "training draws batches and validation rows by their number, so a row repeated twice is not a row of weight 2 to the digit."
)
EXPECTED_FAILED_CHECKS = dict.fromkeys(
    ("check_sample_weight_equivalence_on_dense_data", "check_sample_weight_equivalence_on_sparse_data"), REPEATED
)
"""scikit-learn's check -> why every classifier fails it by design, besides those of its method."""


class TrainingWarning(UserWarning):
    """A caution about how a classifier was trained: no validation rows, or a note of the method."""


class TableClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """What the classifiers share; use one of `classifiers()`.

    classes_ [C]: labels, sorted. n_features_in_, feature_names_in_: as in scikit-learn. method_: the Method with the parameters
    used. net_: the trained network. scale_: rows -> its features, fitted on the training part. epoch_: the epoch chosen in the
    last phase, from 1. history_: one dict per epoch: phase, epoch, train_loss, valid_loss, valid_ap (average precision, macro for
    more than two classes), and what the method adds; valid_ are of the training rows where none are kept for validation.
    """

    method: ClassVar[type[Method]]

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Trains. X [n, d]: numbers, an array, a sparse matrix or a data frame. y [n]: labels of two or more classes.

        float32 is trained on as it is, everything else as float64. sample_weight [n]: how much each row counts, 0 or more; one of
        weight 0 is left out. A row counts by its weight in the loss of training and wherever validation rows choose something; a row
        that a sampler makes counts as its class does on average. What a method does about class sizes it does by the number of rows, and
        weights come on top of it. Raises BadData (a ValueError) for data that cannot be trained on, BadParameter (a ValueError) for
        parameters out of range, and RunFailed if training gives values that are not finite. Warns (TrainingWarning) if a class has too
        few rows for a validation part, and for each note of the method.
        """
        method, door = self._parameters()
        table, y = self._read(X, y=plain_labels(y))
        check_classification_targets(y)
        weight = read_weights(sample_weight, table)
        if weight is not None and not weight.all():
            table, y, weight = table[weight > 0], y[weight > 0], weight[weight > 0]
        table = to_dense(table)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise BadData(f"y has one class alone, {self.classes_.tolist()[0]!r}; a classifier needs rows of two or more.")
        # methods take the smaller of two classes as class 1, the positive one
        swap = len(self.classes_) == 2 and 2 * int(codes.sum()) > len(codes)
        self._columns = np.array([1, 0]) if swap else np.arange(len(self.classes_))
        task, self.scale_ = make_task(
            table,
            self._columns[codes],
            tuple(str(label) for label in self.classes_[self._columns]),
            self._names(),
            fraction=door.validation_fraction,
            patience=door.patience,
            seed=_draw_seed(self.random_state),
            device=choose_device(door.device),
            weight=weight,
        )
        with one_thread():
            fitted, self.history_ = _train(method, task)
        self._dtype = table.dtype
        self.method_, self.net_, self.epoch_ = method, fitted.net, int(fitted.epoch[0])
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """Two classes: the log-odds of `classes_[1]`, [n]. More: the logarithm of every class's probability, [n, C]."""
        logits = self._logits(X)
        if logits.shape[1] == 2:
            return (logits[:, 1] - logits[:, 0]).numpy()
        return logits.log_softmax(1).numpy()

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities [n, C], columns as in `classes_`."""
        return self._logits(X).softmax(1).numpy()

    def predict(self, X: Any) -> np.ndarray:
        """The most likely class of each row, [n]."""
        best = self._logits(X).argmax(1).numpy()
        labels: np.ndarray = self.classes_[best]
        return labels

    def _parameters(self) -> tuple[Method, CommonParameters]:
        """The method and the common parameters, both checked. numpy numbers and arrays are converted to Python values."""
        given = {name: _plain(value) for name, value in self.get_params(deep=False).items() if name != "random_state"}
        own = {f.name for f in dataclasses.fields(self.method)}
        beside = fields.check(
            fields.describe(CommonParameters), {n: v for n, v in given.items() if n in COMMON}, type(self).__name__
        )
        return self.method(**{n: v for n, v in given.items() if n in own}), CommonParameters(**beside)

    @torch.no_grad()
    def _logits(self, X: Any) -> torch.Tensor:
        """[n, C] float64 on the CPU, columns as in `classes_`."""
        check_is_fitted(self)
        table = self._read(X)
        net: Net = self.net_
        parts = []
        for first in range(0, table.shape[0], BLOCK_ROWS):
            rows = to_dense(table[first : first + BLOCK_ROWS])
            x = torch.from_numpy(_scale(self.scale_, rows, self._names(), self._dtype)).to(net.flat.device)
            parts.append(net(x.unsqueeze(0))[0])
        logits = torch.cat(parts).to("cpu", torch.float64)
        # an impossible class, such as one without a neighbour, gets a finite logit that is as good as -inf
        logits = torch.where(logits == -torch.inf, logits.amax(1, keepdim=True) - NEVER_LOG_ODDS, logits)
        if not bool(logits.isfinite().all()):
            row = int((~logits.isfinite()).any(1).int().argmax())
            raise BadData(
                f"row {row} (from 0) of X lies too far from the rows that were trained on to be computed; look at its values."
            )
        return logits[:, self._columns]

    def _read(self, X: Any, **y: Any) -> Any:
        """X [n, d] of finite float32 or float64, sparse as it comes, with y [n] if it is given. Raises BadData for NaN, infinity and
        text.
        """
        try:
            read = validate_data(
                self, X, reset=bool(y), dtype=[np.float64, np.float32], ensure_all_finite=False, accept_sparse="csr", **y
            )
        except ValueError as error:
            if "could not convert string" not in str(error):
                raise
            raise BadData(
                f"X holds text{_text_column(X)}, and {type(self).__name__} takes numbers: encode such columns first, for example by a "
                "ColumnTransformer with a OneHotEncoder, in a Pipeline."
            ) from error
        table = read[0] if y else read
        if (place := find_not_finite(table)) is not None:
            row, column = place
            what = "NaN" if np.isnan(table[row, column]) else "infinity (inf)"
            raise BadData(
                f"X holds {what} in row {row} (from 0), column {self._names()[column]!r}: fill in or drop such values first, for example "
                "by a SimpleImputer in a Pipeline."
            )
        return read

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.classifier_tags.multi_class = self.method.most_classes != 2
        return tags

    def _names(self) -> tuple[str, ...]:
        """Names of the columns of X."""
        given = getattr(self, "feature_names_in_", None)
        return tuple(given) if given is not None else tuple(f"x{i}" for i in range(self.n_features_in_))


def split_validation(y: np.ndarray, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(training rows, validation rows), ascending. Validation rows are this share of each class, rounded half up, at least one
    and never all.

    y [n] int64. No validation rows with fraction 0, or if a class has a single row.
    """
    rng = numpy_stream(seed, "split", 0)
    by_class = [rng.permutation(np.flatnonzero(y == c)) for c in np.unique(y)]
    if not fraction or min(map(len, by_class)) == 1:
        return np.arange(len(y)), np.arange(0)
    counts = [min(max(1, int(len(rows) * fraction + 0.5)), len(rows) - 1) for rows in by_class]
    valid = np.sort(np.concatenate([rows[:n] for rows, n in zip(by_class, counts, strict=True)]))
    return np.setdiff1d(np.arange(len(y)), valid), valid


def make_task(
    table: np.ndarray,
    y: np.ndarray,
    classes: tuple[str, ...],
    features: tuple[str, ...],
    *,
    fraction: float,
    patience: int,
    seed: int,
    device: str,
    weight: np.ndarray | None = None,
) -> tuple[Task, Scale]:
    """A task of one replicate without test rows, and the scale for other rows, fitted on its training rows as in `prepare`.

    table [n, D] float32 or float64, the task's precision. y [n] int64 in 0..C-1, with rows of every class. fraction: for
    validation, see `split_validation`. If it gives no validation rows although it is above 0, a TrainingWarning says so and the
    last epoch is used. weight [n]: of the rows, above 0, as `engine.data.arrays.read_weights` has them.
    """
    train, valid = split_validation(y, fraction, seed)
    with np.errstate(over="ignore", invalid="ignore"):
        scale = fit_scale(table.astype(np.float64), table.shape[1], train)
    x = _scale(scale, table, features, table.dtype)
    if fraction and not len(valid):
        single = [repr(name) for name, n in zip(classes, np.bincount(y), strict=True) if n == 1]
        who = f"class {single[0]} has" if len(single) == 1 else f"{len(single)} classes ({single[0]}, ...) have"
        warnings.warn(
            f"{who} a single row, so no rows are kept for validation: the last epoch is taken, not the best one.",
            TrainingWarning,
            stacklevel=3,
        )

    def part(rows: np.ndarray) -> Rows:
        padded = pad([(torch.from_numpy(x[rows]), torch.from_numpy(y[rows].astype(np.int64)))])
        own = None if weight is None else torch.from_numpy(weight[rows].astype(x.dtype)).unsqueeze(0).to(device)
        if own is not None and not len(rows):
            own = own.new_zeros(padded.mask.shape)
        return Rows(padded.x.to(device), padded.y.to(device), padded.mask.to(device), weight=own)

    none = part(train[:0])
    task = Task(
        classes=classes,
        features=features,
        kind="tabular",
        train=part(train),
        valid=part(valid if len(valid) else train),
        test=none,
        withheld=none,
        withheld_elsewhere=none,
        replicates=(Replicate(0, 0, 0),),
        seed=seed,
        patience=patience,
        held_out=len(valid) > 0,
    )
    return task, scale


@contextmanager
def one_thread() -> Iterator[None]:
    """Uses the CPU threads of a run (LAB_THREADS, 1), then restores the caller's. More threads are slower on small matrices and
    change sums.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(read_setting("LAB_THREADS", 1))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _train(method: Method, task: Task) -> tuple[Fitted, list[dict[str, Any]]]:
    """What the method fitted, and its epochs. Its warnings become Python warnings."""
    history: list[dict[str, Any]] = []
    fitting = Running(method.fit(task, camera=Camera(task, 0)))
    try:
        for event in fitting:
            if isinstance(event, Note) and event.level == "warning":
                warnings.warn(event.text, TrainingWarning, stacklevel=3)
            elif isinstance(event, Epoch):
                history.append({"phase": event.phase, "epoch": event.epoch} | {n: v[0] for n, v in event.values.items()})
    except torch.cuda.OutOfMemoryError as error:
        raise OutOfMemory("the GPU's memory is not enough; use device='cpu' or a smaller batch.") from error
    fitted = fitting.value
    if fitted.epoch[0] < 1 or not bool(fitted.net.flat.isfinite().all()):
        raise RunFailed(f"{method.name}: training ran off to no numbers; a smaller learning_rate would keep it in range.")
    return fitted, history


def _scale(scale: Scale, table: np.ndarray, names: tuple[str, ...], dtype: np.dtype[Any]) -> np.ndarray:
    """The features of rows [n, D], rounded once. Raises BadData if values are too large to be averaged or scaled."""
    with np.errstate(over="ignore", invalid="ignore"):
        x: np.ndarray = scale(table.astype(np.float64)).astype(dtype)
    lost = ~np.isfinite(x).all(0) | ~np.isfinite(scale.sd)
    if lost.any():
        raise BadData(
            f"column {names[int(lost.argmax())]!r} of X holds values too large to standardise; divide it by a constant."
        )
    return x


def _text_column(X: Any) -> str:
    """Which column of a data frame holds text, as part of a sentence; '' for an array."""
    for name in getattr(X, "columns", ()):
        try:
            np.asarray(X[name], dtype=np.float64)
        except (TypeError, ValueError):
            return f" in column {name!r}"
    return ""


def _draw_seed(random_state: Any) -> int:
    """The seed: an int itself, or one draw of a generator (None: numpy's global one). Raises ValueError for other types."""
    generator = check_random_state(random_state)
    return int(random_state) if isinstance(random_state, numbers.Integral) else int(generator.randint(2**31 - 1))


def _plain(value: Any) -> Any:
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    return [_plain(v) for v in value] if isinstance(value, (tuple, list)) else value


# ---- making the classes

KINDS = {
    "int": int,
    "float": float,
    "bool": bool,
    "choice": str,
    "ints": tuple[int, ...],
    MATRIX: tuple[tuple[float, ...], ...],
}


def make_classifier(method: type[Method]) -> type[TableClassifier]:
    """The method's classifier. Its keywords are the method's fields, the common parameters and `random_state`.

    Those of `classifiers()` can be pickled; one made of a method that is not in the catalog cannot.
    """
    suited = run.default_params(method.describe(), "tabular")
    own = {d["name"]: d | {"default": suited[d["name"]]} for d in fields.describe(method)}
    door = {d["name"]: d for d in fields.describe(CommonParameters)}
    if taken := {"random_state", "device", "validation_fraction"} & own.keys():
        raise TypeError(
            f"method {method.name!r}: a classifier's own parameters cannot be fields too: {', '.join(sorted(taken))}"
        )
    # a method's own patience for a later phase is merged with this one, which applies to every phase
    shared = {name: own[name] | {"help": d["help"]} for name, d in door.items() if name in own}
    described = {n: d for n, d in own.items() if n not in door} | door | shared
    defaults = {n: tuple(d["default"]) if isinstance(d["default"], list) else d["default"] for n, d in described.items()}
    parameters = [
        Parameter(n, Parameter.KEYWORD_ONLY, default=defaults[n], annotation=KINDS[d["kind"]]) for n, d in described.items()
    ]
    parameters.append(Parameter("random_state", Parameter.KEYWORD_ONLY, default=None, annotation=Any))
    signature = Signature([Parameter("self", Parameter.POSITIONAL_OR_KEYWORD), *parameters])

    def __init__(self: TableClassifier, **given: Any) -> None:
        bound = signature.bind(self, **given)
        bound.apply_defaults()
        for name, value in bound.arguments.items():
            if name != "self":
                setattr(self, name, value)

    name = f"{method.__name__}Classifier"
    __init__.__qualname__ = f"{name}.__init__"
    __init__.__signature__ = signature  # type: ignore[attr-defined]
    inside = {"__init__": __init__, "__doc__": _text(method, described, defaults), "__module__": __name__, "method": method}
    return type(name, (TableClassifier,), inside)


def _text(method: type[Method], described: Mapping[str, Mapping[str, Any]], defaults: Mapping[str, Any]) -> str:
    """The docstring of a classifier, in numpy's form."""
    lines = [
        f"{method.title}, as a scikit-learn classifier.",
        "",
        _wrapped(method.__doc__ or ""),
        "",
        "Parameters",
        "----------",
    ]
    for name, d in described.items():
        kind = (
            "{" + ", ".join(map(repr, d["choices"])) + "}"
            if d["choices"]
            else d["kind"].replace("ints", "tuple of int").replace(MATRIX, "matrix as nested lists")
        )
        inside = f" In [{d['low']:g}, {d['high']:g}]." if d["low"] is not None and d["high"] is not None else ""
        lines += [f"{name} : {kind}, default={defaults[name]!r}", _wrapped(d["help"] + inside, "    ")]
    lines += ["random_state : int, RandomState or None, default=None", _wrapped(RANDOM_STATE, "    ")]
    shared = (TableClassifier.__doc__ or "").partition("\n\n")[2]
    return "\n".join([*lines, "", "Notes", "-----", _wrapped(f"Source: {method.source}"), "", _wrapped(shared), ""])


def _wrapped(text: str, indent: str = "") -> str:
    return fill(" ".join(text.split()), 100, initial_indent=indent, subsequent_indent=indent)


_MADE = {made.__name__: made for made in (make_classifier(m) for m in methods().values() if m.ranked and "tabular" in m.kinds)}
globals().update(_MADE)

__all__ = ["TableClassifier", "TrainingWarning", "classifiers", "make_classifier", *_MADE]


def classifiers() -> dict[str, type[TableClassifier]]:
    """Every classifier by its name, plain ones first."""
    return dict(_MADE)


if TYPE_CHECKING:

    def __getattr__(name: str) -> type[TableClassifier]:
        """For type checkers, which cannot see classes made at import."""
