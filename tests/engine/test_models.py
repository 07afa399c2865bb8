"""Models besides the network: their libraries' own answers, remedies on training rows alone, categories, files."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import skops.io
import torch
from imblearn.ensemble import (
    BalancedBaggingClassifier,
    BalancedRandomForestClassifier,
    EasyEnsembleClassifier,
    RUSBoostClassifier,
)
from imblearn.over_sampling import SMOTENC
from sklearn.base import BaseEstimator
from sklearn.ensemble import AdaBoostClassifier, ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from engine.analysis.shifts import find_shifts
from engine.data.dataset import Dataset, Task
from engine.data.prepare import encode, fit_scale
from engine.errors import BadData, BadInput
from engine.events import Epoch, Frame, Note
from engine.export.format import MODEL, TREES
from engine.export.pipeline import Pipeline
from engine.export.read import load_model
from engine.export.write import model_bytes
from engine.methods import method, methods
from engine.methods.estimator import EstimatorMethod, ModelMethod
from engine.methods.picked_base import PickedMethod
from engine.models.committee import Bag, Committee, Folded
from engine.runner import drive, run
from engine.spec import Imbalance, RunSpec
from engine.training.refit import join_rows, refit
from tests.engine.tasks import blobs, task
from tests.engine.test_methods import fit, learned

NAMES = [name for name, cls in methods().items() if issubclass(cls, EstimatorMethod)]
MODELS = [name for name in NAMES if issubclass(methods()[name], ModelMethod)]
OURS = {"boosting", "mesa", "cost-tree", *(name for name in NAMES if issubclass(methods()[name], PickedMethod))} - {
    "balanced-bagging"
}
LIBRARIES = [name for name in NAMES if name not in OURS]
SMALL = {"trees": 6, "members": 3, "rounds": 4, "steps": 4}


def make(name: str, **changes: Any) -> EstimatorMethod:
    known = {d["name"] for d in method(name).describe()["fields"]}
    return method(name)(**{k: v for k, v in (SMALL | changes).items() if k in known})


def rows(on: Task, r: int, part: str = "train") -> tuple[np.ndarray, np.ndarray]:
    own = getattr(on, part)
    return own.x[r][own.mask[r]].numpy(), own.y[r][own.mask[r]].numpy()


def mixed(counts: tuple[int, ...] = (120, 40), levels: tuple[int, ...] = (4, 300), seed: int = 0) -> Dataset:
    """Two numbers and a column for each number of levels; the class shows in the level alone."""
    data = blobs(counts, features=2, seed=seed)
    rng = np.random.default_rng(seed)
    codes = np.stack([(rng.integers(0, 1 + n // 2, len(data.y)) + data.y * (n // 2)) % n for n in levels], 1)
    return replace(
        data,
        numeric=rng.normal(size=data.numeric.shape),
        categorical=codes.astype(np.int64),
        categories=tuple(tuple(f"level {k}" for k in range(n)) for n in levels),
        categorical_names=tuple(f"c{j}" for j in range(len(levels))),
    )


# ---- the libraries' own answers


def library(name: str, seed: int) -> BaseEstimator:
    if name == "easy-ensemble":
        return EasyEnsembleClassifier(3, estimator=AdaBoostClassifier(n_estimators=4), random_state=seed, n_jobs=1)
    if name == "rus-boost":
        return RUSBoostClassifier(DecisionTreeClassifier(max_depth=5), n_estimators=4, learning_rate=0.1, random_state=seed)
    return {
        "logistic": lambda: LogisticRegression(max_iter=1000, random_state=seed),
        "forest": lambda: RandomForestClassifier(6, random_state=seed),
        "extra-trees": lambda: ExtraTreesClassifier(6, random_state=seed),
        "balanced-forest": lambda: BalancedRandomForestClassifier(6, random_state=seed),
        "balanced-bagging": lambda: BalancedBaggingClassifier(n_estimators=3, random_state=seed, n_jobs=1),
    }[name]()


@pytest.mark.parametrize("counts", [(90, 60), (80, 60, 70)])
@pytest.mark.parametrize("name", LIBRARIES)
def test_it_answers_as_its_library_does(monkeypatch, name, counts):
    monkeypatch.setattr("engine.methods.estimator.Sample.draw", lambda self, stream, *keys: 11)
    on = task(blobs(counts), ratio=None, folds=2, seeds=1)
    _, fitted = fit(make(name), on)
    for r in range(2):
        theirs = library(name, 11).fit(*rows(on, r))
        mine = fitted.net(on.test.x).softmax(-1)[r][on.test.mask[r]].numpy()
        np.testing.assert_allclose(mine, theirs.predict_proba(rows(on, r, "test")[0]), rtol=0, atol=1e-11)


@pytest.mark.parametrize(("fails", "trees", "notes"), [(5, 4, 0), (6, 1, 1)])
def test_a_weak_first_tree_is_drawn_anew(monkeypatch, fails, trees, notes):
    fit_library, tried = RUSBoostClassifier.fit, []

    def fail_first(model, *args, **kwargs):
        tried.append(model.random_state)
        if len(tried) <= fails:
            raise ValueError("BaseClassifier in AdaBoostClassifier ensemble is worse than random, ensemble can not be fit.")
        return fit_library(model, *args, **kwargs)

    monkeypatch.setattr(RUSBoostClassifier, "fit", fail_first)
    events, fitted = fit(make("rus-boost"), task(blobs((90, 30)), ratio=None, folds=1, seeds=1))
    assert len(tried) == 6 and len(set(tried)) == 6
    assert sum(len(group) for group, _ in fitted.net.members[0].estimator.groups) == trees
    assert sum(isinstance(e, Note) and "worse than chance" in e.text for e in events) == notes


def test_boosted_trees_stop_on_validation_rows():
    on = task(blobs((90, 60)), ratio=None, folds=2, seeds=1)
    _, fitted = fit(make("boosting", trees=200), on)
    seed = int(np.random.default_rng(0).integers(9))
    theirs = HistGradientBoostingClassifier(max_iter=200, early_stopping=True, n_iter_no_change=10, random_state=seed)
    x, y = rows(on, 0, "valid")
    theirs.fit(*rows(on, 0), X_val=x, y_val=y)
    mine = fitted.net(on.test.x).softmax(-1)[0][on.test.mask[0]].numpy()
    assert int(fitted.epoch[0]) == theirs.n_iter_ < 200  # without a draw of rows or columns the seed changes nothing
    np.testing.assert_allclose(mine, theirs.predict_proba(rows(on, 0, "test")[0]), rtol=0, atol=1e-11)


def test_the_last_stage_is_the_answer():
    on = task(blobs((90, 60)), ratio=None, folds=2, seeds=1)
    for name in NAMES:
        events, fitted = fit(make(name), on)
        member = fitted.net.members[0]
        x = rows(on, 0, "test")[0]
        *_, last = member.stages(x)
        np.testing.assert_allclose(last, member.predict(x), rtol=0, atol=1e-12, err_msg=name)
        told = [e for e in events if isinstance(e, Epoch) and e.phase == "training"]
        assert len(told) == int(fitted.epoch.max()) and all(0 <= v <= 1 for v in told[-1].values["valid_ap"])


# ---- remedies


@pytest.mark.parametrize("name", MODELS)
def test_remedies_change_training_rows_alone(name):
    on = task(blobs((101, 34)))
    counts = on.train.counts(2)
    answers = {}
    for remedy in ("none", "class-weights", "rus", "smote", "threshold"):
        _, fitted = fit(make(name, remedy=remedy), on)
        answers[remedy] = fitted.net(on.test.x).softmax(-1)
        shares = make(name, remedy=remedy).class_shares(on, fitted)
        if remedy in ("class-weights", "rus", "smote"):
            assert torch.allclose(shares[:, 0], shares[:, 1])
        if remedy == "smote":
            assert fitted.synthetic is not None and fitted.lines is not None
            assert torch.equal(fitted.synthetic.mask.sum(1), counts[:, 0] - counts[:, 1])
        if remedy == "threshold":
            z = fitted.net(on.valid.x) - fitted.net.shifts.unsqueeze(1)
            own = on.valid.mask[0].numpy()
            expected = find_shifts(z[0].numpy()[own], on.valid.y[0].numpy()[own])
            np.testing.assert_allclose(fitted.net.shifts[0].numpy(), expected, atol=1e-9)
            plain = answers["none"][..., 1]
            for r in range(len(plain)):  # the order of two classes stays
                mask = on.test.mask[r]
                assert torch.equal(plain[r][mask].argsort(stable=True), answers[remedy][r][mask][:, 1].argsort(stable=True))
    assert not torch.equal(answers["none"], answers["class-weights"]) and not torch.equal(answers["none"], answers["smote"])


def test_class_weights_are_scikit_learns():
    on = task(blobs((101, 34)), folds=2, seeds=1)
    _, fitted = fit(method("logistic")(remedy="class-weights"), on)
    theirs = LogisticRegression(max_iter=1000, class_weight="balanced").fit(*rows(on, 1))
    mine = fitted.net(on.test.x).softmax(-1)[1][on.test.mask[1]].numpy()
    np.testing.assert_allclose(mine, theirs.predict_proba(rows(on, 1, "test")[0]), rtol=0, atol=1e-6)


def test_smote_on_mixed_columns_makes_whole_levels():
    on = task(mixed(levels=(4, 3)), folds=2, seeds=1)
    _, fitted = fit(make("forest", remedy="smote"), on)
    made = fitted.synthetic.x[0][fitted.synthetic.mask[0]]
    levels = made[:, 2:]
    assert set(levels.unique().tolist()) <= {0.0, 1.0} and bool((levels[:, :4].sum(1) == 1).all())
    x, y = rows(on, 0)
    codes = np.concatenate([x[:, :2], x[:, 2:6].argmax(1)[:, None], x[:, 6:].argmax(1)[:, None]], 1)
    theirs, _ = SMOTENC(categorical_features=[2, 3], random_state=0).fit_resample(codes, y)
    new = theirs[len(y) :]
    own = x[y == 1]
    # as theirs, numbers lie within those of the minority
    for rows_of in (made.numpy()[:, :2], new[:, :2].astype(float)):
        assert (rows_of >= own[:, :2].min(0) - 1e-9).all() and (rows_of <= own[:, :2].max(0) + 1e-9).all()


# ---- categories


def test_boosted_trees_take_categories_as_they_are():
    on = task(mixed(), folds=2, seeds=1)
    _, fitted = fit(make("boosting", trees=30), on)
    folded = fitted.net.members[0].estimator
    assert isinstance(folded, Folded) and folded.count == 1  # 300 levels are too many for one column
    assert folded.estimator.is_categorical_.tolist() == [True, False, False, *[False] * 300]
    x, y = rows(on, 0)
    codes = np.concatenate([x[:, 2:6].argmax(1)[:, None], x[:, :2], x[:, 6:]], 1)
    vx, vy = rows(on, 0, "valid")
    valid = np.concatenate([vx[:, 2:6].argmax(1)[:, None], vx[:, :2], vx[:, 6:]], 1)
    theirs = HistGradientBoostingClassifier(
        max_iter=30, early_stopping=True, n_iter_no_change=10, categorical_features=[0], random_state=0
    ).fit(codes, y, X_val=valid, y_val=vy)
    tx, _ = rows(on, 0, "test")
    test = np.concatenate([tx[:, 2:6].argmax(1)[:, None], tx[:, :2], tx[:, 6:]], 1)
    np.testing.assert_allclose(fitted.net.members[0].predict(tx), theirs.predict_proba(test), rtol=0, atol=1e-12)


def test_levels_fold_to_numbers_of_those_seen():
    x = np.array([[5.0, 1, 0, 0, 1, 0], [6.0, 0, 0, 1, 0, 1], [7.0, 0, 0, 0, 0, 0], [8.0, 0, 1, 0, 1, 0]])
    folded = Folded.look(x[:3], (3, 2))
    assert folded.seen == ((0, 2), (0, 1)) and folded.count == 2
    np.testing.assert_array_equal(folded.fold(x), [[0, 0, 5], [1, 1, 6], [np.nan, np.nan, 7], [np.nan, 0, 8]])


# ---- what a run without a network records


@pytest.mark.parametrize("folds", [1, 2])
def test_a_run_has_a_surface_and_neither_norms_nor_a_gap(folds):
    spec = RunSpec(
        "moons", "self-paced", Imbalance("ratio", 5.0), data={"rows": 200}, params={"members": 2}, folds=folds, seeds=1
    )
    events, result, artifacts = drive(run(spec, device="cpu", frames=5))
    frames = [e for e in events if isinstance(e, Frame)]
    assert frames[-1].phase == "chosen" and frames[-1].surface.std() > 0
    assert np.isnan(result.arrays["weight_norms"]).all() and np.isnan(result.gap["net"]["before"]["values"]).all()
    assert result.arrays["epoch"].tolist() == [2] * folds and {"frames/0", "features/0"} <= set(artifacts)
    assert 0 < result.metrics["average_precision"]["mean"] <= 1


def test_weights_of_rows_that_are_not_used_are_told():
    on = task(folds=2, seeds=1)
    weighted = replace(on, train=replace(on.train, weight=on.train.mask.to(on.train.x)))
    told = [e.text for e in fit(make("easy-ensemble"), weighted)[0] if isinstance(e, Note)]
    assert any("the weights of the rows are not used" in text for text in told)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_refitted_with_what_validation_rows_chose(name):
    data = blobs((101, 34))
    on = task(data, folds=2, seeds=1)
    trained = make(name, remedy="threshold", trees=40)
    _, fitted = fit(trained, on)
    running = refit(trained, join_rows(data, on), fitted)
    while True:
        try:
            next(running)
        except StopIteration as end:
            again = end.value
            break
    if name != "rus-boost":  # its number of trees is what came of it, not a choice
        assert torch.equal(again.epoch, fitted.epoch)
    if fitted.net.shifts is not None:
        assert torch.equal(again.net.shifts, fitted.net.shifts)
    assert not torch.equal(learned(again, on), learned(fitted, on))


# ---- files


def exported(name: str, data: Dataset | None = None, **changes: Any) -> tuple[bytes, Committee, Task, Pipeline]:
    data = mixed(levels=(4, 3)) if data is None else data
    on = task(data, folds=2, seeds=1, dtype=torch.float32)
    _, fitted = fit(make(name, **changes), on)
    scale = fit_scale(encode(data)[0], 2, on.source[0])
    pipeline = Pipeline.of(data, scale)
    return model_bytes(fitted.net, pipeline, classes=data.classes, about={}), fitted.net, on, pipeline


@pytest.mark.parametrize("remedy", ["none", "threshold"])
@pytest.mark.parametrize("name", NAMES)
def test_a_file_answers_as_the_model_did(name, remedy):
    if remedy != "none" and name not in MODELS:
        return
    file, net, on, pipeline = exported(name, remedy=remedy)
    assert b"imblearn" not in zipfile.ZipFile(io.BytesIO(file)).read(TREES)
    model = load_model(io.BytesIO(file))
    x = on.test.x[0][on.test.mask[0]]
    mine = net(on.test.x).softmax(-1)[0][on.test.mask[0]].numpy()
    np.testing.assert_allclose(model._probabilities(x.numpy()), mine, rtol=0, atol=1e-11)


NETWORKS: dict[str, Any] = {"learner": "network", "hidden": (6,), "epochs": 2, "members": 3}


@pytest.fixture(scope="module")
def file_of_networks() -> bytes:
    return exported("under-bagging", **NETWORKS)[0]


@pytest.mark.parametrize("data", [None, blobs((60, 34, 21))], ids=["mixed", "three classes"])
def test_a_file_of_networks_answers_as_the_committee_did(data):
    if data is None:
        file, net, on, _ = exported("under-bagging", **NETWORKS)
    else:
        on = task(data, folds=2, seeds=1, dtype=torch.float32)
        net = fit(make("self-paced", **NETWORKS), on)[1].net
        scale = fit_scale(encode(data)[0], len(data.numeric_names), on.source[0])
        file = model_bytes(net, Pipeline.of(data, scale), classes=data.classes, about={})
    model = load_model(io.BytesIO(file))
    x = on.test.x[0][on.test.mask[0]]
    mine = net(on.test.x).softmax(-1)[0][on.test.mask[0]].numpy()
    assert len(net.members[0].estimator.net.flat) == 3 and model.kind == "a committee of networks"
    np.testing.assert_allclose(model._probabilities(x.numpy()), mine, rtol=0, atol=1e-11)
    again = Committee([*model.fitted.members], model.fitted.width)
    assert torch.equal(again.members[0].estimator.net.flat, net.members[0].estimator.net.flat)


@pytest.mark.parametrize(
    "change",
    [
        {"sizes": [3, 6, 2]}, {"sizes": [True, 6, 2]}, {"sizes": [1 << 40, 2]}, {"activation": "exec"}, {"cosine": 1},
        {"classes": np.arange(3)}, {"classes": np.array([1, 0])},
        {"flat": np.zeros((0, 5), np.float32)}, {"flat": np.zeros((2, 5), np.float32)}, {"flat": [[0.0]]}, {"flat": None},
        {"flat": "nan"}, {"flat": "ints"},
    ],
    ids=str,
)  # fmt: skip
def test_networks_that_do_not_fit_are_refused(file_of_networks, change):
    def spoiled(whole: Any) -> Any:
        own = {"nan": np.where(np.arange(whole["flat"].size).reshape(whole["flat"].shape) == 7, np.nan, whole["flat"])}
        own["ints"] = whole["flat"].astype(np.int64)
        return whole | {
            name: own[value] if isinstance(value, str) and value in own else value for name, value in change.items()
        }

    load_model(repack(file_of_networks, lambda whole: whole))
    with pytest.raises(BadData, match="no exported model, or it is damaged"):
        load_model(repack(file_of_networks, spoiled))


def repack(file: bytes, change: Any, words: dict[str, Any] | None = None) -> io.BytesIO:
    """The file with a changed model in it."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(file)) as old, zipfile.ZipFile(out, "w") as new:
        for entry in old.namelist():
            content = old.read(entry)
            if entry == TREES:
                trusted = skops.io.get_untrusted_types(data=content)
                content = skops.io.dumps(change(skops.io.loads(content, trusted=trusted)))
            if entry == MODEL and words:
                content = json.dumps(json.loads(content) | words).encode()
            new.writestr(entry, content)
    out.seek(0)
    return out


def spoil(field: str, value: float | str) -> Any:
    """value: a number, or "own": the node's own number, "count": that of nodes, "width": that of columns."""

    def change(whole: Any) -> Any:
        trees = whole["groups"][0][0] if isinstance(whole, dict) else whole.estimators_
        state = trees[0].tree_.__getstate__()
        inner = np.flatnonzero(state["nodes"]["left_child"] >= 0)[0]
        state["nodes"] = state["nodes"].copy()
        named = {"own": inner, "count": state["node_count"], "width": trees[0].tree_.n_features}
        state["nodes"][field][inner] = named.get(value, value)
        tree = type(trees[0].tree_)(trees[0].tree_.n_features, trees[0].tree_.n_classes, 1)
        tree.__setstate__(state)
        trees[0].tree_ = tree
        return whole

    return change


@pytest.mark.parametrize("name", ["forest", "self-paced"])
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("left_child", 0), ("right_child", 10_000), ("feature", 99), ("feature", -3), ("threshold", np.nan), ("left_child", "own"),
        ("right_child", "own"), ("left_child", "count"), ("right_child", "count"), ("feature", "width"), ("right_child", -1),
    ],
)  # fmt: skip
def test_nodes_that_lead_astray_are_refused(name, field, value):
    file = exported(name)[0]
    with pytest.raises(BadData, match="no exported model, or it is damaged"):
        load_model(repack(file, spoil(field, value)))


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("forest", lambda whole: LogisticRegression().fit([[0.0], [1.0]], [0, 1]), None),
        ("self-paced", lambda whole: {**whole, "groups": []}, None),
        ("self-paced", lambda whole: {**whole, "classes": np.array([0, 7])}, None),
        ("rus-boost", lambda whole: {**whole, "groups": [[whole["groups"][0][0], np.array([np.inf])]]}, None),
        ("logistic", lambda whole: LogisticRegression().fit([[0.0], [1.0]], [0, 1]), None),
        ("boosting", lambda whole: whole, {"levels": [], "seen": []}),
        ("boosting", lambda whole: whole, {"seen": [[0, 9], [0]]}),
        ("boosting", lambda whole: whole, {"levels": [400, 3]}),
        ("forest", lambda whole: whole, {"shift": [0.0]}),
        ("forest", lambda whole: whole, {"estimator": "pickle"}),
    ],
)
def test_files_that_no_export_makes_are_refused(name, change, words):
    with pytest.raises(BadData):
        load_model(repack(exported(name)[0], change, words))


def test_levels_of_boosted_trees_that_lead_astray_are_refused():
    def change(whole: Any) -> Any:
        for stage in whole._predictors:
            for predictor in stage:
                predictor.nodes["bitset_idx"][predictor.nodes["is_categorical"] == 1] = 60
        return whole

    file, net, _, _ = exported("boosting", mixed((600, 200), (4, 3)), trees=30, smallest_leaf=5)
    stages = net.members[0].estimator.estimator._predictors
    nodes = np.concatenate([predictor.nodes for stage in stages for predictor in stage])
    assert nodes["is_categorical"].any()
    with pytest.raises(BadData, match="levels that are not there"):
        load_model(repack(file, change))


def test_a_model_of_another_library_has_no_file():
    class Stranger(BaseEstimator):
        classes_ = np.array([0, 1])

    _, net, _, pipeline = exported("forest")
    strange = Committee([replace(net.members[0], estimator=Stranger())], net.width)
    with pytest.raises(BadInput, match="A Stranger cannot be exported: only models of scikit-learn and the network can"):
        model_bytes(strange, pipeline, classes=("a", "b"))


def test_a_bag_without_a_class_in_a_tree():
    one, two = DecisionTreeClassifier().fit([[0.0], [1.0]], [0, 1]), DecisionTreeClassifier().fit([[0.0], [1.0]], [0, 0])
    bag = Bag(np.array([0, 2]), [([one, two], None)])
    np.testing.assert_allclose(bag.predict_proba(np.array([[0.0], [1.0]])), [[1, 0], [0.5, 0.5]])
