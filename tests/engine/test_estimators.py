"""The scikit-learn door: scikit-learn's own suite for every classifier, and what it does not ask."""

from __future__ import annotations

import inspect
import io
import os
import pickle  # noqa: TID251 - scikit-learn's users pickle what they fit
import random
import re
import subprocess
import sys
import warnings
from collections.abc import Generator, Iterable
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from dataclasses import fields as dataclass_fields
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from engine import estimators
from engine.data import prepare as preparing
from engine.data.dataset import Task
from engine.data.split import Parts
from engine.data.table import numeric_only
from engine.errors import BadData, BadInput, BadParameter, OutOfMemory, RunFailed
from engine.estimators import (
    EXPECTED_FAILED_CHECKS,
    CEClassifier,
    EOSClassifier,
    ExplicitGradientClassifier,
    SMOTEClassifier,
    TableClassifier,
    TrainingWarning,
    classifiers,
    make_task,
    split_validation,
)
from engine.events import Event, Phase
from engine.methods import methods
from engine.methods.base import Method, TableMethod, param
from engine.methods.ce import CE
from engine.methods.estimator import EstimatorMethod
from engine.spec import RunSpec, fields
from engine.spec.pens import Pen
from engine.spec.run import default_params
from engine.training import network_cache
from engine.training.camera import Camera
from engine.training.fitted import Fitted
from tests.engine.test_methods import fit as drive
from tests.engine.test_methods import learned

ROOT = Path(__file__).resolve().parents[2]
SMALL = {"hidden": (16,), "epochs": 40, "meta_epochs": 5, "learning_rate": 0.02, "patience": 10, "steps": 5}
FEW = {"trees": 3, "members": 3, "rounds": 3, "steps": 4}
"""Trees of the models besides the network."""
NETWORKS = {name: cls for name, cls in classifiers().items() if not issubclass(cls.method, EstimatorMethod)}
TRAINED = pytest.mark.parametrize("cls", NETWORKS.values(), ids=NETWORKS)
TO_THE_END = {"mixup-drw", "bbn"}
"""Methods whose schedule has to run to its end."""
ALL = pytest.mark.parametrize("cls", classifiers().values(), ids=classifiers())
QUIET = pytest.mark.filterwarnings("ignore::engine.estimators.TrainingWarning")


def small(cls: type[TableClassifier], **changes: Any) -> TableClassifier:
    known = cls().get_params()
    usual = SMALL if cls in NETWORKS.values() else FEW
    return cls(**{"random_state": 0} | {k: v for k, v in (usual | changes).items() if k in known})


def rows(counts: tuple[int, ...] = (90, 25), features: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    return 1.5 * rng.normal(size=(len(counts), features))[y] + rng.normal(size=(len(y), features)), y


# ---- scikit-learn's suite, with the parameters that the classifiers have by default; docs/estimators.md names the others

LONGER: tuple[str, ...] = (
    "BBNClassifier",
    "CMTNNClassifier",
    "MetaWeightNetClassifier",
    "MixupDRWClassifier",
)
"""Classifiers whose fit of 100 rows takes .3 to 2 s with default parameters: their suite is a long test."""
LIGHTER: dict[str, dict[str, Any]] = {
    "GAMOClassifier": {"steps": 6},
    "MESAClassifier": {"members": 3, "steps": 6, "validation_fraction": 0.0},
}
"""Those whose fit takes longer, and the parameters that the suite has instead."""


FITS: dict[Any, bytes] = {}
"""What was trained for the checks of the classifier named under ""; see `trained_once`."""


@pytest.fixture
def trained_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checks fit the same rows again and again, in other containers and with other names of classes. A classifier's method is trained once
    on equal rows for all its checks, but for check_fit_idempotent, whose fits are all trained. Where random_state is None, the seed is 0.
    """
    monkeypatch.setattr(network_cache, "MOST", 1000)
    if "check_fit_idempotent" in request.node.name:
        monkeypatch.setattr(network_cache, "get", lambda key: None)
        return
    train, draw, name = estimators._train, estimators._draw_seed, type(request.getfixturevalue("estimator")).__name__
    if FITS.get("") != name.encode():
        FITS.clear()
        FITS[""] = name.encode()

    def train_once(method: Method, task: Task) -> Any:
        tensors = [getattr(part, field.name) for part in (task.train, task.valid) for field in dataclass_fields(part)]
        rows = [None if t is None else (t.dtype, tuple(t.shape), t.numpy().tobytes()) for t in tensors]
        key = (repr(method), len(task.classes), task.seed, task.patience, task.held_out, *rows)
        if key not in FITS:
            FITS[key] = pickle.dumps(train(method, task))
        return pickle.loads(FITS[key])

    monkeypatch.setattr(estimators, "_train", train_once)
    monkeypatch.setattr(estimators, "_draw_seed", lambda state: 0 if state is None else draw(state))


def suite(names: Iterable[str]) -> Any:
    """Each of these classifiers with each check; those that fail by design are long: they have to fail, which guards nothing else."""
    known = classifiers()
    mark = parametrize_with_checks(
        [known[name](**LIGHTER.get(name, {})) for name in names],
        expected_failed_checks=lambda estimator: {**EXPECTED_FAILED_CHECKS, **estimator.method.expected_failed_checks},
        xfail_strict=True,
    ).mark
    given, pairs = mark.args
    long = (pytest.mark.long, pytest.mark.timeout(120))
    cases = [pytest.param(*p.values, marks=(*p.marks, *long)) if isinstance(p, type(pytest.param())) else p for p in pairs]
    return pytest.mark.parametrize(given, cases, **mark.kwargs)


@QUIET  # many of these data are balanced, and methods say that there is nothing to sample
@pytest.mark.usefixtures("trained_once")
@suite(name for name in classifiers() if name not in LONGER)
def test_scikit_learns_suite(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.skipif(not LONGER, reason="no classifier takes so long")
@pytest.mark.long
@pytest.mark.timeout(300)
@QUIET
@pytest.mark.usefixtures("trained_once")
@suite(LONGER)
def test_scikit_learns_suite_takes_longer(estimator: Any, check: Any) -> None:
    check(estimator)


def test_parameters_of_the_suite_are_in_the_docs() -> None:
    docs = " ".join((ROOT / "docs" / "estimators.md").read_text(encoding="utf-8").split())
    for name in LONGER:
        assert f"`{name}`" in docs
    for name, params in LIGHTER.items():
        assert f"`{name}({', '.join(f'{k}={v!r}' for k, v in params.items())})`" in docs


def test_checks_that_fail_by_design_are_in_the_docs() -> None:
    docs = " ".join((ROOT / "docs" / "estimators.md").read_text(encoding="utf-8").split())
    for check, reason in EXPECTED_FAILED_CHECKS.items():
        assert f"`{check}`" in docs and reason in docs
    for name, cls in classifiers().items():
        for check, reason in cls.method.expected_failed_checks.items():
            assert f"`{name}`" in docs and f"`{check}`" in docs and reason in docs


def test_the_one_check_that_needs_its_own_process() -> None:
    """scikit-learn skips its check of array namespaces where scipy was imported without this variable."""
    lines = f"LIGHTER = {LIGHTER!r}\n"
    lines += """
import warnings; warnings.simplefilter("error")
from functools import partial
from sklearn.utils.estimator_checks import check_array_api_input
from engine.estimators import TrainingWarning, classifiers
warnings.simplefilter("ignore", TrainingWarning)
for name, cls in classifiers().items():
    few = {k: 3 for k in ("epochs", "trees", "members", "steps") if k in cls().get_params()}
    check_array_api_input(name, cls(**few | LIGHTER.get(name, {})), array_namespace="numpy", expect_only_array_outputs=False)
print("done", len(classifiers()))
"""
    environment = os.environ | {"SCIPY_ARRAY_API": "1"}
    done = subprocess.run(
        [sys.executable, "-c", lines], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=200
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["done", str(len(classifiers()))]


# ---- the classes


def test_every_method_for_tables_but_oracles_has_a_classifier() -> None:
    wanted = {m for m in methods().values() if "tabular" in m.kinds and m.ranked}
    assert {cls.method for cls in classifiers().values()} == wanted and len(wanted) > 5
    assert {"EOSClassifier", "SMOTEClassifier", "FocalClassifier", "RSClassifier"} <= set(classifiers())
    assert "PotentialClassifier" not in classifiers()
    for name, cls in classifiers().items():
        assert getattr(estimators, name) is cls and name in estimators.__all__ and cls.__module__ == "engine.estimators"
        assert pickle.loads(pickle.dumps(cls)) is cls


@ALL
def test_parameters_are_the_methods_fields(cls: type[TableClassifier]) -> None:
    parameters = inspect.signature(cls).parameters
    described = fields.describe(cls.method)
    assert list(parameters) == list(dict.fromkeys([d["name"] for d in described if d["name"] != "patience"])) + [
        "validation_fraction",
        "patience",
        "device",
        "random_state",
    ]
    for d in described:
        default, suited = parameters[d["name"]].default, default_params(cls.method.describe(), "tabular")[d["name"]]
        assert default == (tuple(suited) if isinstance(suited, list) else suited)
        assert getattr(cls(), d["name"]) == default == cls().get_params()[d["name"]]
        if d["name"] != "patience":
            assert " ".join(d["help"].split()) in " ".join((cls.__doc__ or "").split())
    values = {name: p.default for name, p in parameters.items()}
    patience = {d["name"]: d["default"] for d in described}.get("patience", 20)
    assert (values["validation_fraction"], values["patience"], values["device"]) == (0.2, patience, "auto")
    if cls in NETWORKS.values():
        assert parameters["hidden"].annotation == tuple[int, ...] and parameters["epochs"].annotation is int
    assert cls.method.title in inspect.getdoc(cls) and "classes_ [C]" in inspect.getdoc(cls)  # type: ignore[operator]
    with pytest.raises(TypeError, match="no_such"):
        cls(no_such=1)


def test_a_new_method_has_its_classifier_at_once() -> None:
    @dataclass(frozen=True)
    class Halved(TableMethod):
        """Plain training with half of the epochs."""

        family = "plain"
        title = "Halved"
        name = "halved-for-a-test"
        source = "None."
        kinds = ("tabular",)
        pen = Pen("grey", "dot", "star")
        share: float = param(0.5, low=0.1, high=1.0, help="Of the epochs.")

        def fit(self, task: Task, *, camera: Camera) -> Generator[Event, None, Fitted]:
            yield Phase("training", "Training")
            return (yield from CE(hidden=self.hidden, epochs=int(self.epochs * self.share)).fit(task, camera=camera))

    made = estimators.make_classifier(Halved)
    assert made.__name__ == "HalvedClassifier" and "share : float, default=0.5" in (made.__doc__ or "")
    assert len(made(epochs=8, patience=0, random_state=0).fit(*rows()).history_) == 4

    @dataclass(frozen=True)
    class Taken(Halved):
        device: str = param("here", choices=("here",), help="In the way.")

    with pytest.raises(TypeError, match="device"):
        estimators.make_classifier(Taken)


# ---- what is trained


@ALL
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_it_trains_what_the_method_trains(cls: type[TableClassifier], dtype: type) -> None:
    x, y = rows((70, 40, 21)[: cls.method.most_classes])
    fitted = small(cls, random_state=5).fit(x.astype(dtype), y)
    names = tuple(f"x{i}" for i in range(4))
    classes = ("0", "1", "2")[: cls.method.most_classes]
    task, _ = make_task(x.astype(dtype), y, classes, names, fraction=0.2, patience=10, seed=5, device="cpu")
    assert task.dtype == {np.float64: torch.float64, np.float32: torch.float32}[dtype]
    _, theirs = drive(fitted.method_, task, frames=0)
    assert (
        torch.equal(learned(theirs, task), learned(Fitted(fitted.net_, theirs.epoch), task))
        and int(theirs.epoch[0]) == fitted.epoch_
    )
    p = theirs.net(task.valid.x).softmax(2)[0].double().numpy()
    _, valid = split_validation(y, 0.2, 5)
    assert np.allclose(fitted.predict_proba(x.astype(dtype))[valid], p, rtol=0, atol=1e-6)


def test_the_task_is_the_one_that_runs_prepare() -> None:
    x, y = rows((70, 40, 21))
    x[:, 2] = 3.0  # constant
    train, valid = split_validation(y, 0.2, 5)
    dataset = numeric_only("made", "tabular", x, y, ("x0", "x1", "x2", "x3"), ("0", "1", "2"))
    nothing = np.arange(0)
    parts = [Parts(train, valid, nothing, nothing, nothing)]
    theirs = preparing.prepare(dataset, RunSpec("made", "ce", seed=5), dtype=torch.float64, cut=lambda *_: parts)
    ours, scale = make_task(x, y, dataset.classes, dataset.numeric_names, fraction=0.2, patience=0, seed=5, device="cpu")
    for part in ("train", "valid"):
        one, two = getattr(ours, part), getattr(theirs, part)
        assert one.weight is None and two.weight is None
        assert all(torch.equal(getattr(one, name), getattr(two, name)) for name in ("x", "y", "mask"))
    assert (ours.seed, ours.replicates, ours.features) == (theirs.seed, theirs.replicates, theirs.features)
    assert np.allclose(scale(x)[train], np.where(x.std(0) > 0, StandardScaler().fit_transform(x[train]), 0), atol=1e-12)


@pytest.mark.parametrize("fraction", [0.1, 0.2, 0.5, 0.9])
def test_validation_rows_are_a_share_of_every_class(fraction: float) -> None:
    y = rows((60, 31, 5, 2))[1]
    train, valid = split_validation(y, fraction, 0)
    assert sorted([*train, *valid]) == list(range(len(y)))
    for c, n in enumerate((60, 31, 5, 2)):
        kept = int((y[valid] == c).sum())
        assert 1 <= kept < n and abs(kept - n * fraction) <= max(0.5, 1 - n * fraction, 1 - n * (1 - fraction)) + 1e-9
    assert np.array_equal(split_validation(y, fraction, 0)[1], valid) and not np.array_equal(
        split_validation(y, fraction, 1)[1], valid
    )


@QUIET
@TRAINED
def test_patience_ends_training(cls: type[TableClassifier]) -> None:
    x, y = rows((60, 30), seed=3)
    y[np.random.default_rng(0).random(len(y)) < 0.3] = 1  # noise, so that validation soon is at its best

    def first_phase(patience: int) -> int:
        history = small(cls, epochs=60, patience=patience).fit(x, y).history_
        return sum(h["phase"] == history[0]["phase"] for h in history)

    if cls.method.name in TO_THE_END:
        assert first_phase(3) == 60
        return
    assert first_phase(3) < 60
    if "patience" not in {f["name"] for f in fields.describe(cls.method)}:
        assert first_phase(0) == 60


@pytest.mark.parametrize("counts", [(60, 1), (40, 1, 1)])
def test_too_few_rows_for_a_validation_part(counts: tuple[int, ...]) -> None:
    x, y = rows(counts)
    who = "class '1' has" if len(counts) == 2 else r"2 classes \('1', \.\.\.\) have"
    with pytest.warns(TrainingWarning, match=f"{who} a single row, so no rows are kept for validation: the last epoch"):
        fitted = small(CEClassifier, patience=2).fit(x, y)
    assert fitted.epoch_ == 40 == len(fitted.history_)
    scale = StandardScaler().fit(x)
    assert np.allclose(fitted.scale_(x), scale.transform(x), atol=1e-12)  # nothing is held back


@QUIET
@TRAINED
def test_every_method_does_without_validation_rows(cls: type[TableClassifier]) -> None:
    fitted = small(cls, epochs=15).fit(*rows((60, 30, 1)))
    trained = [h for h in fitted.history_ if "train_loss" in h]  # not a generator's phases
    last = trained[-1]["epoch"]
    first = [h["epoch"] for h in trained if h["phase"] == trained[0]["phase"]]
    assert len(first) == 15 and fitted.epoch_ in (last, 15)
    assert set(fitted.predict(rows((60, 30, 1))[0])) <= {0, 1, 2}


def test_no_validation_rows_if_none_are_wanted() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted = small(CEClassifier, validation_fraction=0).fit(*rows())
    assert fitted.epoch_ == 40


def test_a_methods_warnings_are_pythons() -> None:
    with pytest.warns(TrainingWarning, match="No class is smaller than the largest") as caught:
        small(ExplicitGradientClassifier).fit(*rows((30, 30)))
    assert Path(caught[0].filename) == Path(__file__)


# ---- labels and columns


LABELS = {
    "text": ["no", "yes", "a very long one"],
    "ints": [7, -3, 100],
    "floats": [1.0, 2.0, 0.0],
    "bools": [True, False],
    "texts and numbers as text": ["10", "9", "x"],
}


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
def test_labels_come_back(labels: list[Any]) -> None:
    x, codes = rows((70, 40, 20)[: len(labels)])
    y = np.array(labels)[codes]
    texts = [y.astype(object), pd.Series(y).astype("category")] if isinstance(labels[0], str) else []
    for given in (y, pd.Series(y), y.tolist(), *texts):
        fitted = small(CEClassifier).fit(x, given)
        assert fitted.classes_.tolist() == sorted(labels)
        assert [type(v) for v in fitted.classes_.tolist()] == [type(v) for v in sorted(labels)]
        assert (fitted.predict(x) == y).mean() > 0.8
        assert np.array_equal(fitted.classes_[fitted.predict_proba(x).argmax(1)], fitted.predict(x))


@pytest.mark.parametrize(
    "y, error",
    [
        (np.array(["a", 1] * 20, dtype=object), TypeError),
        (np.array([1, "a"] * 20, dtype=object), ValueError),
        (np.array(["a", np.nan] * 20, dtype=object), ValueError),
        (np.linspace(0, 1, 40), ValueError),
        (np.eye(2, dtype=int)[[0, 1] * 20], ValueError),
    ],
)
def test_labels_that_scikit_learn_refuses(y: np.ndarray, error: type[Exception]) -> None:
    with pytest.raises(error):
        small(CEClassifier).fit(np.random.default_rng(0).normal(size=(40, 2)), y)


@QUIET
@ALL
def test_the_smaller_class_is_the_positive_one_whatever_it_is_called(cls: type[TableClassifier]) -> None:
    x, codes = rows((80, 24))
    one, other = (small(cls).fit(x, np.array(labels)[codes]) for labels in (["a", "b"], ["b", "a"]))
    assert np.array_equal(one.predict_proba(x), other.predict_proba(x)[:, ::-1])
    assert np.array_equal(one.decision_function(x), -other.decision_function(x))
    assert np.array_equal(one.predict(x) == "b", other.predict(x) == "a")


def test_decision_function_is_the_logarithm_of_probabilities() -> None:
    x, y = rows()
    fitted = small(CEClassifier).fit(x, y)
    p = fitted.predict_proba(x)
    assert p.dtype == np.float64 and np.allclose(fitted.decision_function(x), np.log(p[:, 1] / p[:, 0]), rtol=1e-9, atol=1e-9)
    x, y = rows((60, 30, 20))
    fitted = small(CEClassifier).fit(x, y)
    scores = fitted.decision_function(x)
    assert np.allclose(np.exp(scores), fitted.predict_proba(x)) and np.allclose(logsumexp(scores, axis=1), 0, atol=1e-12)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = rows()
    fitted = small(CEClassifier).fit(x, y)
    whole = fitted.predict_proba(x)
    monkeypatch.setattr(estimators, "BLOCK_ROWS", 7)
    assert np.allclose(fitted.predict_proba(x), whole, rtol=0, atol=1e-12)


def test_data_frames() -> None:
    x, y = rows()
    frame = pd.DataFrame(x, columns=["a", "b", "c", "d"]).assign(e=np.arange(len(x)) % 3, f=y == 0)
    fitted = small(CEClassifier).fit(frame, y)
    assert fitted.feature_names_in_.tolist() == list("abcdef") and fitted.n_features_in_ == 6
    assert np.array_equal(
        fitted.predict_proba(frame), small(CEClassifier).fit(frame.to_numpy(float), y).predict_proba(frame.to_numpy(float))
    )
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.predict(frame[list("fedcba")])


# ---- with the rest of scikit-learn


@ALL
@QUIET
def test_clone_pickle_and_every_choice(cls: type[TableClassifier]) -> None:
    x, y = rows((60, 25), features=3)
    choices = [{}] + [{d["name"]: c} for d in fields.describe(cls.method) for c in d["choices"] or () if c != d["default"]]
    for choice in choices:
        made = small(cls, epochs=4, **choice)
        try:
            made.fit(x, y)
        except BadInput as error:
            assert "images" in str(error), error
            continue
        back = pickle.loads(pickle.dumps(made))
        assert np.array_equal(back.predict_proba(x), made.predict_proba(x))
        fresh = clone(made)
        assert fresh.get_params() == made.get_params() and not hasattr(fresh, "classes_")
        assert np.array_equal(fresh.fit(x, y).predict_proba(x), made.predict_proba(x))


def test_pipeline_with_text_columns() -> None:
    x, y = rows()
    frame = pd.DataFrame(x, columns=list("abcd")).assign(town=np.where(y == 1, "Oslo", "Bergen"))
    encode = ColumnTransformer([("text", OneHotEncoder(), ["town"])], remainder="passthrough")
    assert make_pipeline(encode, small(SMOTEClassifier)).fit(frame, y).score(frame, y) == 1


@QUIET
def test_grid_search_and_cross_validation() -> None:
    x, y = rows((90, 36))
    grid = {"k_neighbors": np.array([2, 5]), "hidden": [(4,), [8, 8], np.array([5])], "learning_rate": np.logspace(-3, -2, 2)}
    search = GridSearchCV(small(EOSClassifier, epochs=5), grid, scoring="balanced_accuracy", cv=2, error_score="raise")
    search.fit(x, np.where(y == 1, "rare", "common"))
    assert set(search.predict(x)) <= {"rare", "common"} and 0.5 < search.best_score_ <= 1
    scores = cross_val_score(small(CEClassifier), x, y, scoring="average_precision", cv=3)
    assert scores.shape == (3,) and scores.min() > 0.5


# ---- randomness and the caller's process


def test_an_int_seed_repeats_and_touches_nothing() -> None:
    x, y = rows()
    np.random.seed(1)
    before = np.random.get_state()[1].copy(), torch.random.get_rng_state(), random.getstate(), torch.get_num_threads()  # type: ignore[union-attr]
    one, same, numpys, other = (
        small(SMOTEClassifier, random_state=s).fit(x, y).predict_proba(x) for s in (3, 3, np.int64(3), 4)
    )
    after = np.random.get_state()[1], torch.random.get_rng_state(), random.getstate(), torch.get_num_threads()  # type: ignore[union-attr]
    assert np.array_equal(before[0], after[0]) and torch.equal(before[1], after[1]) and before[2:] == after[2:]
    assert np.array_equal(one, same) and np.array_equal(one, numpys) and not np.array_equal(one, other)


def test_generators_go_on() -> None:
    x, y = rows()

    def two(state: Any) -> list[np.ndarray]:
        made = small(CEClassifier, epochs=3, random_state=state)
        return [made.fit(x, y).predict_proba(x) for _ in range(2)]

    a, b = two(np.random.RandomState(0)), two(np.random.RandomState(0))
    assert np.array_equal(a, b) and not np.array_equal(a[0], a[1])
    np.random.seed(0)
    c = two(None)
    np.random.seed(0)
    assert np.array_equal(two(None), c) and not np.array_equal(c[0], c[1])


def test_threads_are_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def failing(self: Method, task: Task, *, camera: Camera) -> Generator[Event, None, Fitted]:
        seen.append(torch.get_num_threads())
        raise torch.cuda.OutOfMemoryError("out of memory")
        yield

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        monkeypatch.setattr(CE, "fit", failing)
        with pytest.raises(OutOfMemory, match="use device='cpu' or a smaller batch"):
            CEClassifier().fit(*rows())
        assert seen == [1] and torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


# ---- bad input, one sentence each


def bad(place: tuple[int, int], value: Any) -> np.ndarray:
    x = rows()[0].astype(object)
    x[place] = value
    return x


@pytest.mark.parametrize(
    "x, sentence",
    [
        (
            bad((3, 1), np.nan),
            r"X holds NaN in row 3 \(from 0\), column 'x1': fill in or drop .* SimpleImputer in a Pipeline\.",
        ),
        (bad((7, 0), -np.inf), r"X holds infinity \(inf\) in row 7 \(from 0\), column 'x0': fill in or drop"),
        (bad((0, 2), "Oslo"), "X holds text, and CEClassifier takes numbers: .* OneHotEncoder, in a Pipeline."),
        (
            pd.DataFrame(bad((0, 2), "Oslo"), columns=list("abcd")),
            "X holds text in column 'c', and CEClassifier takes numbers:",
        ),
        (bad((4, 3), 1e300), "column 'x3' of X holds values too large to standardise; divide it by a constant."),
    ],
)
def test_tables_that_cannot_be_read(x: Any, sentence: str) -> None:
    with pytest.raises(BadData, match=sentence):
        small(CEClassifier).fit(x, rows()[1])


def test_rows_that_cannot_be_predicted() -> None:
    x, y = rows()
    fitted = small(CEClassifier).fit(x, y)
    with pytest.raises(BadData, match=r"X holds NaN in row 3 \(from 0\), column 'x1'"):
        fitted.predict(bad((3, 1), np.nan))
    with pytest.raises(ValueError, match="X has 3 features, but CEClassifier is expecting 4 features as input"):
        fitted.predict(x[:, :3])
    narrow = small(CEClassifier).fit(x.astype(np.float32), y)
    x[5, 0] = 1e39
    assert np.isfinite(fitted.predict_proba(x)).all()
    with pytest.raises(BadData, match="column 'x0' of X holds values too large"):
        narrow.predict(x)
    fitted.net_.flat = fitted.net_.flat * 1e200
    with pytest.raises(BadData, match=r"row 0 \(from 0\) of X lies too far from the rows that were trained on"):
        fitted.predict(x)


def test_one_class() -> None:
    with pytest.raises(BadData, match=r"y has one class alone, 'a'; a classifier needs rows of two or more\."):
        small(CEClassifier).fit(rows()[0], ["a"] * 115)


@pytest.mark.parametrize(
    "changes, sentence",
    [
        ({"epochs": 0}, r"ce\(epochs=0\): must be a whole number in"),
        ({"hidden": 8}, r"ce\(hidden=8\): must be whole numbers"),
        ({"activation": "sine"}, r"ce\(activation='sine'\): must be one of relu, tanh"),
        ({"validation_fraction": 1.0}, r"CEClassifier\(validation_fraction=1\.0\): must be a number in \[0, 0\.9\]"),
        ({"patience": -1}, r"CEClassifier\(patience=-1\): must be a whole number in \[0, 2000\]"),
        ({"device": "tpu"}, r"CEClassifier\(device='tpu'\): must be one of auto, cpu, cuda"),
    ],
)
def test_parameters_out_of_range(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadParameter, match=sentence):
        CEClassifier(**changes).fit(*rows())


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has that device")
def test_a_device_that_is_not_here() -> None:
    with pytest.raises(BadParameter, match="device 'cuda' is not on this machine; it has: cpu"):
        CEClassifier(device="cuda").fit(*rows())


def test_a_seed_that_is_none() -> None:
    with pytest.raises(ValueError, match="cannot be used to seed"):
        CEClassifier(random_state="seven").fit(*rows())


def test_training_that_runs_off_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(self: Method, task: Task, *, camera: Camera) -> Generator[Event, None, Fitted]:
        fitted = yield from plain(self, task, camera=camera)
        fitted.net.flat = fitted.net.flat * torch.nan
        return replace(fitted)

    plain = CE.fit
    monkeypatch.setattr(CE, "fit", lost)
    with pytest.raises(RunFailed, match="ce: training ran off to no numbers; a smaller learning_rate would keep it in range"):
        small(CEClassifier).fit(*rows())


# ---- the page of examples


class TestExamples:
    """docs/estimators.md: its blocks run one after the other, and print what it says, figures up to 0.05."""

    text: ClassVar[str] = (ROOT / "docs" / "estimators.md").read_text(encoding="utf-8")

    def test_they_print_what_is_written(self) -> None:
        blocks = re.findall(r"```python\n(.*?)```\n(?:\nprints\n\n```\n(.*?)```)?", self.text, re.DOTALL)
        assert len(blocks) >= 3 and sum(bool(said) for _, said in blocks) >= 3
        names: dict[str, Any] = {}
        for code, said in blocks:
            out = io.StringIO()
            with redirect_stdout(out):
                exec(compile(code, "docs/estimators.md", "exec"), names)
            number = r"-?\d+\.\d+"
            assert re.sub(number, "#", out.getvalue()) == re.sub(number, "#", said)
            printed, written = ([float(v) for v in re.findall(number, text)] for text in (out.getvalue(), said))
            assert np.allclose(printed, written, rtol=0, atol=0.05)


def test_a_table_of_a_thousand_rows_as_it_comes() -> None:
    x, y = make_classification(2000, 10, n_informative=5, weights=[0.9], class_sep=1.5, random_state=0)
    for cls in (CEClassifier, ExplicitGradientClassifier):
        assert cls(random_state=0).fit(x[:1000], y[:1000]).score(x[1000:], y[1000:]) > 0.9
