"""A model as ONNX: onnxruntime gives its probabilities from typed columns, for every kind of model that has a converter."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from engine.data.prepare import encode, fit_scale
from engine.data.tables.profile import to_dataset
from engine.data.tables.reading import read_sheet
from engine.data.tables.target import describe_target
from engine.errors import BadInput
from engine.export.decision import CALIBRATIONS, Calibration, Decision
from engine.export.onnx import CLOSE, check_onnx, feed_columns, run_onnx, to_onnx
from engine.export.pipeline import Pipeline
from engine.export.read import Model, UnknownLevel
from engine.models.committee import Bag, Committee, Folded, Member, Networks
from engine.models.cost_head import with_costs
from engine.models.feature_classifiers import nearest_mean
from engine.models.mlp import MLP
from engine.models.net import Net, WithHead
from engine.models.voting import Voting
from engine.training.probes import knn, logistic

N = 400


def make_table(classes: int = 2, pca: int = 0) -> tuple[Pipeline, list[np.ndarray], list[np.ndarray], np.ndarray, np.ndarray]:
    """(pipeline, numbers, codes, features, classes) of a table with gaps, a date, a yes and no, and levels."""
    rng = np.random.default_rng(0)
    lines = ["lab/1,probability,since,member,colour,size,answer"]
    for i in range(N):
        y = i % (3 + classes)
        y = y if y < classes else 0
        amount = "" if i % 11 == 0 else f"{rng.normal() + y:.6f}"
        size = "" if i % 7 == 0 else ("small", "large", "Größe 'x'")[rng.integers(3)]
        member, colour = ("yes", "no")[rng.integers(2)], ("red", "green", "blue", "grey")[rng.integers(4)]
        when = f"2024-{1 + i % 12:02d}-{1 + i % 28:02d} 1{i % 10}:0{i % 6}"
        lines.append(f"{amount},{1e6 * rng.normal():.4f},{when},{member},{colour},{size},class {y}")
    sheet = read_sheet("\n".join(lines).encode(), "a.csv", target="answer")
    dataset = to_dataset(sheet, "answer")
    rows = np.arange(N)
    scale = fit_scale(encode(dataset)[0], len(dataset.numeric_names), rows[: N // 2], pca, "a")
    pipeline = Pipeline.of(dataset, scale, describe_target(sheet, "answer"))
    numbers, codes = list(dataset.numeric.T), list(dataset.categorical.T)
    return pipeline, numbers, codes, pipeline.encode_values(numbers, codes, N), dataset.y


def make_model(
    pipeline: Pipeline, fitted: Any, classes: int = 2, decision: Decision | None = None, precision: str = "float32"
) -> Model:
    """A model whose probabilities are those of `fitted`."""
    kind = getattr(torch, precision)

    def compute(x: np.ndarray) -> np.ndarray:
        net = fitted if isinstance(fitted, Net) else Committee([Member(fitted, classes)], x.shape[1])
        out: np.ndarray = net(torch.from_numpy(x).to(kind).unsqueeze(0))[0].double().softmax(-1).numpy()
        return out

    names = np.array([f"class {k}" for k in range(classes)], object)
    return Model(names, pipeline, {}, "", "", compute, decision, fitted=fitted, precision=precision)


def check(model: Model, numbers: list[np.ndarray], codes: list[np.ndarray]) -> None:
    """Equal on all rows, and on rows with gaps and levels that training did not have."""
    data = to_onnx(model)
    assert check_onnx(data, model, numbers, codes) <= CLOSE
    odd = [np.where(np.arange(N) % 5 == 0, np.nan, v) for v in numbers], [np.where(np.arange(N) % 3 == 0, -1, v) for v in codes]
    assert check_onnx(data, model, *odd) <= CLOSE


def mlp(sizes: list[int], activation: str = "relu", cosine: bool = False, dtype: torch.dtype = torch.float32) -> MLP:
    stream = torch.Generator().manual_seed(0)
    made = MLP.create(sizes, activation, [stream], device=torch.device("cpu"), dtype=dtype)
    return MLP(sizes, activation, made.flat * 3, cosine)


@pytest.mark.parametrize("pca", [0, 4])
@pytest.mark.parametrize(
    ("activation", "cosine", "precision"), [("relu", False, "float32"), ("tanh", True, "float64"), ("leaky", False, "float32")]
)
def test_a_network_is_equal(activation, cosine, precision, pca):
    pipeline, numbers, codes, x, _ = make_table(pca=pca)
    net = mlp([x.shape[1], 16, 8, 2], activation, cosine, getattr(torch, precision))
    check(make_model(pipeline, net, precision=precision), numbers, codes)


@pytest.mark.parametrize("head", ["raw", "l2", "cl2n", "logistic"])
def test_other_heads_are_equal(head):
    pipeline, numbers, codes, x, y = make_table(3)
    net = mlp([x.shape[1], 16, 3])
    z = net.embed(torch.from_numpy(x).float().unsqueeze(0))
    labels, mask = torch.from_numpy(y).unsqueeze(0), torch.ones(1, N, dtype=torch.bool)
    mask[0, y == 2] = head == "logistic"  # a class without a row scores -inf
    classify = logistic(z, labels, mask, 3)[0] if head == "logistic" else nearest_mean(z, labels, mask, 3, head)[0]
    check(make_model(pipeline, WithHead(net, classify), 3), numbers, codes)
    with pytest.raises(BadInput, match="nearest-neighbour"):
        to_onnx(make_model(pipeline, WithHead(net, knn(z, labels, mask, 3)), 3))


def test_a_head_of_costs_is_equal_and_votes_are_refused():
    pipeline, numbers, codes, x, _ = make_table(3)
    net = mlp([x.shape[1], 16, 3])
    costs = torch.tensor([[[0, 1, 1], [5, 0, 1], [10, 2, 0]]], dtype=torch.float64)
    check(make_model(pipeline, with_costs(net, costs), 3), numbers, codes)
    with pytest.raises(BadInput, match="Networks that vote have no ONNX file"):
        to_onnx(make_model(pipeline, Voting([net, net], soft=True), 3))


@pytest.mark.parametrize("classes", [2, 3])
def test_a_committee_of_networks_is_equal(classes):
    pipeline, numbers, codes, x, _ = make_table(classes)
    streams = [torch.Generator().manual_seed(k) for k in range(3)]
    net = MLP.create([x.shape[1], 16, classes], "relu", streams, device=torch.device("cpu"), dtype=torch.float32)
    committee = Networks(MLP(net.sizes, "relu", net.flat * 3), np.arange(classes))
    check(make_model(pipeline, committee, classes), numbers, codes)
    check(make_model(pipeline, committee.reach(1), classes), numbers, codes)


def estimators(classes: int) -> dict[str, Any]:
    from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression

    return {
        "logistic": LogisticRegression(),
        "forest": RandomForestClassifier(10, random_state=0),
        "extra-trees": ExtraTreesClassifier(10, random_state=0),
        "boosting": HistGradientBoostingClassifier(max_iter=20, min_samples_leaf=3, random_state=0),
    }


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", list(estimators(2)))
def test_models_of_scikit_learn_are_equal(name, classes):
    pipeline, numbers, codes, x, y = make_table(classes)
    fitted = estimators(classes)[name].fit(x.astype(np.float32), y)
    check(make_model(pipeline, fitted, classes), numbers, codes)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("encoder", [False, True])
def test_native_categories_are_encoded_first(classes, encoder):
    """Splits of categories, which skl2onnx converts to something else; rows without a level go where training sent them."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    pipeline, numbers, codes, x, y = make_table(classes)
    levels = tuple(len(column.levels) for column in pipeline.categorical)
    rng = np.random.default_rng(1)
    y = np.where(np.isin(codes[0], (0, 2)), y, rng.integers(classes, size=N))  # the colour decides too
    some = x[codes[0] != 3].astype(np.float32)  # one colour is no training row's
    folded = Folded.look(some, levels)
    rows = folded.fold(some)
    which = np.arange(rows.shape[1]) < folded.count
    trees = HistGradientBoostingClassifier(max_iter=20, min_samples_leaf=3, categorical_features=which, random_state=0)
    trees.fit(rows, y[codes[0] != 3])
    assert any(tree.nodes["is_categorical"].any() for stage in trees._predictors for tree in stage)
    if not encoder:
        trees._preprocessor = None
    committee = Committee([Member(dataclasses.replace(folded, estimator=trees), classes)], x.shape[1])
    check(make_model(pipeline, committee, classes), numbers, codes)
    shifts = torch.tensor([[0.5, -1.0, 0.2][:classes]], dtype=torch.float64)
    check(make_model(pipeline, Committee(committee.members, x.shape[1], shifts), classes), numbers, codes)


@pytest.mark.parametrize("kind", CALIBRATIONS)
@pytest.mark.parametrize("classes", [2, 3])
def test_calibration_is_equal(kind, classes):
    pipeline, numbers, codes, x, _ = make_table(classes)
    corners = (np.array([0.1, 0.2, 0.5, 0.9]), np.array([0.0, 0.3, 0.3, 0.8])) if kind == "isotonic" else ((), ())
    calibration = Calibration(kind, 0.7, -0.4, *(tuple(float(v) for v in of) for of in corners))
    net = mlp([x.shape[1], 8, classes], dtype=torch.float64)
    decision = Decision(1, 0.2, calibration, cut=0.3)
    model = make_model(pipeline, net, classes, decision, "float64")
    check(model, numbers, codes)
    own = run_onnx(to_onnx(model), feed_columns(pipeline, numbers, codes))[:, 1]
    assert kind == "as trained" or np.abs(own - model._probabilities(x)[:, 1]).max() > 0.01


def test_inputs_are_the_columns_and_outputs_have_names_of_their_own():
    import onnx
    import onnxruntime

    pipeline, _, _, x, _ = make_table()
    data = to_onnx(make_model(pipeline, mlp([x.shape[1], 2])))
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    kinds = {one.name: one.type for one in session.get_inputs()}
    assert kinds == {c.name: "tensor(string)" if c.kind == "categorical" else "tensor(double)" for c in pipeline.columns}
    assert [one.name for one in session.get_outputs()] == ["probability_", "probabilities"]
    facts = {one.key: one.value for one in onnx.load_from_string(data).metadata_props}
    assert facts == {"classes": '["class 0", "class 1"]', "positive": "class 1", "cut": ""}


def test_what_has_no_converter_is_said_in_one_sentence():
    from imblearn.ensemble import BalancedRandomForestClassifier
    from sklearn.neighbors import KNeighborsClassifier

    pipeline, _, _, x, y = make_table()
    for estimator in (BalancedRandomForestClassifier(3, random_state=0), KNeighborsClassifier()):
        with pytest.raises(BadInput, match=f"no converter for a {type(estimator).__name__}") as caught:
            to_onnx(make_model(pipeline, estimator.fit(x, y)))
        assert str(caught.value).endswith(".")
    with pytest.raises(BadInput, match="ensemble of trees"):
        to_onnx(make_model(pipeline, Bag(np.array([0, 1]), [([], None)])))


def test_a_file_that_differs_is_not_handed_out():
    pipeline, numbers, codes, x, _ = make_table()
    model = make_model(pipeline, mlp([x.shape[1], 8, 2]))
    other = make_model(pipeline, mlp([x.shape[1], 4, 2]))
    with pytest.raises(BadInput, match="differs from the model by"):
        check_onnx(to_onnx(other), model, numbers, codes)


def test_a_comparison_hands_out_a_file_and_a_script_that_scores_with_it(tmp_path, capsys):
    """The script needs onnxruntime and pandas alone; it gives the model's own probabilities."""
    from engine import load_model
    from engine.commands.main import main
    from tests.engine.scorers import write_csv
    from tests.engine.test_score import draw

    rng = np.random.default_rng(0)
    table, model, onnx = tmp_path / "a.csv", tmp_path / "m.zip", tmp_path / "m.onnx"
    table.write_bytes(write_csv(draw(rng, 300)))
    asked = [
        "compare",
        str(table),
        "--target",
        "answer",
        "--budget",
        "5",
        "--of",
        "ce",
        "--model",
        str(model),
        "--onnx",
        str(onnx),
    ]
    assert main(asked) == 0
    new = draw(rng, 100)
    new["member"] = np.where(np.arange(100) % 4 == 0, "", new["member"])
    new["colour"] = np.where(np.arange(100) % 5 == 0, "", new["colour"])
    (tmp_path / "new.csv").write_bytes(write_csv(new))
    script = tmp_path / "m.onnx.py"
    absent = "import sys; sys.modules |= dict.fromkeys(('torch', 'sklearn', 'engine'));"
    code = f"{absent} exec(open({str(script)!r}).read())"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    loaded = load_model(model)
    rows = pd.read_csv(tmp_path / "scored.csv")
    with pytest.warns(UnknownLevel):  # no training row lacks its colour
        expected = loaded.predict_proba(tmp_path / "new.csv")[:, loaded.classes.index("bad")]
    assert np.abs(rows["probability"] - expected).max() < CLOSE and len(script.read_text().splitlines()) <= 12


def test_where_pandas_reads_otherwise_the_script_takes_the_typed_table():
    from engine.export.onnx_script import TYPED, write_script
    from tests.engine.scorers import make_scorer, write_csv
    from tests.engine.test_score import draw

    new = draw(np.random.default_rng(0), 200)
    for data, typed in (
        (write_csv(new), False),
        (write_csv(new, ";"), True),
        (write_csv(new | {"age": [f"{v} kg" for v in new["age"]]}), True),
        (write_csv(new | {"age": ["n/a" if i < 5 else v for i, v in enumerate(new["age"])]}), True),
        (write_csv(new | {"age": [f"2024-05-{1 + i % 28:02d}" for i in range(200)]}), True),
        (b"# from a machine\n" + write_csv(new), True),
    ):
        pipeline = make_scorer(data, {}).pipeline
        assert (TYPED.splitlines()[0] in write_script(make_model(pipeline, None), "m.onnx")) is typed, data[:60]
