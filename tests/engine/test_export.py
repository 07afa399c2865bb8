"""A fitted model in a zip predicts as it did before; a forged or damaged one ends in one sentence; training rows come back as a table."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skops.io
import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier
from sklearn.neighbors import KDTree

import engine
from engine.data.dataset import Dataset
from engine.data.prepare import encode, fit_scale, prepare
from engine.data.tables.profile import ENOUGH
from engine.data.tables.target import FEWEST
from engine.errors import BadData, BadInput, LabError
from engine.export import load_model
from engine.export.format import FORMAT, TRUSTED
from engine.export.pipeline import Pipeline
from engine.export.read import UnknownLevel
from engine.export.readme import EXAMPLE, FRAME_EXAMPLE
from engine.export.rows import write_augmented_csv
from engine.export.write import model_bytes, save_model
from engine.methods import method
from engine.samplers.lines import Moved
from engine.spec import Imbalance, RunSpec, table_limits
from engine.spec.table_reading import ColumnReading, DateFormat, TableReading
from engine.training.fitted import Fitted
from tests.engine import tasks
from tests.engine.test_methods import fit as drive

ROOT = Path(__file__).resolve().parents[2]
COLOURS = ("red", "green, dark", "=blue")


def table(counts: tuple[int, ...] = (120, 30), seed: int = 0) -> Dataset:
    """Numbers on several scales, a constant, two columns of levels; a level that no row has."""
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(len(counts)), counts)
    n = len(y)
    numeric = np.stack([rng.normal(size=n) * 1e4 + 5e4 * y, rng.integers(0, 90, n), np.full(n, 7.0), rng.normal(size=n) + y], 1)
    codes = np.stack([(rng.random(n) < 0.3 + 0.4 * (y > 0)).astype(np.int64), rng.integers(0, 2, n)], 1)
    return Dataset(
        name="mixed", kind="tabular", numeric=numeric, categorical=codes, categories=(("no", "yes"), COLOURS),
        numeric_names=("income", "age", "same", "- score"), categorical_names=("owner", "colour"), y=y,
        classes=tuple(["common", "rare", "<b>third</b>"][: len(counts)]),
    )  # fmt: skip


def frame(data: Dataset, which: np.ndarray | None = None) -> pd.DataFrame:
    """The rows as a person has them, with a column more and the columns turned round."""
    which = np.arange(len(data.y)) if which is None else which
    made = {name: data.numeric[which, i] for i, name in enumerate(data.numeric_names)}
    for j, name in enumerate(data.categorical_names):
        made[name] = [data.categories[j][k] for k in data.categorical[which, j]]
    return pd.DataFrame(made | {"note": "anything"}).iloc[:, ::-1]


def fitted(name: str, data: Dataset | None = None, **params) -> tuple[Dataset, torch.Tensor, Fitted, Pipeline, np.ndarray]:
    """(dataset, the test rows' probabilities [T, C], what was fitted, its pipeline, numbers of the test rows) of replicate 1 of 3."""
    data = table() if data is None else data
    cls = method(name)
    spec = RunSpec(data.name, name, Imbalance("native"), folds=3)
    task = prepare(data, spec)
    known = {f["name"] for f in cls.describe()["fields"]}
    small = {"hidden": (16, 8), "epochs": 12, "head_epochs": 3, "rounds": 2, "meta_epochs": 3}
    _, out = drive(cls(**{k: v for k, v in (small | params).items() if k in known}), task)
    scale = fit_scale(encode(data)[0], len(data.numeric_names), task.source[1])
    before = out.net(task.test.x).double().softmax(-1)[1][task.test.mask[1]]
    return data, before.detach(), out, Pipeline.of(data, scale), task.test_source[1]


NETWORKS = [
    ("ce", {}), ("focal", {"activation": "tanh"}), ("smote", {"hidden": (12,)}), ("explicit-gradient", {}), ("rs", {}),
    ("eos", {}), ("eos", {"loss": "ldam", "space": "pixel"}), ("crt", {}), ("tau", {}), ("dos", {}), ("dos", {"classifier": "knn"}),
    ("triplet", {}), ("lmle", {}), ("dos", {"classifier": "lr"}), ("cost-sensitive", {}),
    ("ncm", {"features": "raw"}), ("ncm", {"features": "cl2n"}),
    ("gamo", {"steps": 3}), ("gamo", {"steps": 3, "role": "classifier"}), ("gamo", {"steps": 3, "space": "feature"}),
]  # fmt: skip


@pytest.mark.parametrize("counts", [(120, 30), (90, 40, 20)], ids=["two", "three"])
@pytest.mark.parametrize(
    ("name", "params"), NETWORKS, ids=lambda v: v if isinstance(v, str) else ",".join(map(str, v.values()))
)
def test_a_network_predicts_as_before(tmp_path, name, params, counts):
    data, before, out, pipeline, test = fitted(name, table(counts), **params)
    save_model(tmp_path / "m.zip", out.net, pipeline, classes=data.classes, about={"name": name}, replicate=1)
    model = engine.load_model(tmp_path / "m.zip")
    now = model.predict_proba(frame(data, test))
    assert now.shape == (len(test), len(counts)) and now.dtype == np.float64
    np.testing.assert_allclose(now, before.numpy(), rtol=0, atol=1e-6)
    np.testing.assert_allclose(now.sum(1), 1, atol=1e-6)
    assert model.classes_.tolist() == list(data.classes)
    assert (model.predict(frame(data, test)) == model.classes_[now.argmax(1)]).all()


@pytest.mark.parametrize("counts", [(120, 30), (90, 40, 20)], ids=["two", "three"])
def test_trees_predict_as_before(counts):
    data = table(counts)
    encoded, _ = encode(data)
    train = np.arange(0, len(data.y), 2)
    scale = fit_scale(encoded, len(data.numeric_names), train)
    x = scale(encoded).astype(np.float32)
    trees = HistGradientBoostingClassifier(max_iter=15, min_samples_leaf=5, random_state=0).fit(x[train], data.y[train])
    saved = model_bytes(trees, Pipeline.of(data, scale), classes=data.classes)
    model = load_model(io.BytesIO(saved))
    np.testing.assert_allclose(model.predict_proba(frame(data)), trees.predict_proba(x), rtol=0, atol=1e-6)
    inner = zipfile.ZipFile(io.BytesIO(saved)).read("trees.skops")
    assert skops.io.get_untrusted_types(data=inner) == list(TRUSTED)


def test_trees_without_a_class_give_it_no_probability():
    data = table((90, 40, 20))
    encoded, _ = encode(data)
    train = np.flatnonzero(data.y != 1)
    scale = fit_scale(encoded, 4, train)
    trees = HistGradientBoostingClassifier(max_iter=3).fit(scale(encoded)[train], data.y[train])
    saved = model_bytes(trees, Pipeline.of(data, scale), classes=data.classes, precision="float64")
    assert (load_model(io.BytesIO(saved)).predict_proba(frame(data))[:, 1] == 0).all()


def test_what_cannot_be_exact_is_refused():
    data = table()
    encoded, _ = encode(data)
    pipeline = Pipeline.of(data, fit_scale(encoded, 4, np.arange(150)))
    with pytest.raises(BadInput, match="GradientBoostingClassifier cannot be exported"):
        model_bytes(GradientBoostingClassifier(n_estimators=2).fit(encoded, data.y), pipeline, classes=data.classes)
    own = HistGradientBoostingClassifier(max_iter=2, categorical_features=[0], max_bins=255).fit(encoded[:, 4:], data.y)
    with pytest.raises(BadInput, match="not loaded unseen"):
        model_bytes(own, pipeline, classes=data.classes)
    pictures = tasks.pictures()
    with pytest.raises(BadInput, match="images"):
        Pipeline.of(pictures, pipeline.scale)
    from engine.models.net import WithHead

    _, _, out, pipeline, _ = fitted("ce")
    with pytest.raises(BadInput, match="cannot be exported"):
        model_bytes(WithHead(out.net, lambda z: z), pipeline, classes=data.classes)


def test_a_cnn_is_refused():
    task = tasks.task(tasks.pictures(), folds=2, seeds=1, ratio=None)
    _, out = drive(method("ce")(model="lenet", epochs=1), task)
    with pytest.raises(BadInput, match="convolutional"):
        model_bytes(out.net, fitted("ce")[3], classes=task.classes)


# ---- new rows


@pytest.fixture(scope="module")
def saved() -> tuple[Dataset, bytes]:
    data, _, out, pipeline, _ = fitted("smote")
    about = {
        "title": "SMOTE <b>", "name": "smote", "target": "owner?", "params": {"epochs": 12}, "provenance": {"date": "2026-01-01"},
    }  # fmt: skip
    return data, model_bytes(out.net, pipeline, classes=data.classes, about=about, replicate=1)


@pytest.fixture
def model(saved):
    return load_model(io.BytesIO(saved[1]))


def test_rows_come_in_several_shapes(saved, model):
    rows = frame(saved[0], np.array([0, 60, 149]))
    a = model.predict_proba(rows)
    assert (a == model.predict_proba(rows.to_dict("records"))).all()
    assert (a == model.predict_proba({name: rows[name].tolist() for name in rows})).all()
    assert (a == model.predict_proba(rows.astype(str))).all()
    assert (a == model.predict_proba(rows.convert_dtypes())).all()
    assert model.predict_proba(rows.iloc[:0]).shape == (0, 2) and model.predict([]).shape == (0,)


def test_what_is_missing_unknown_or_too_much(saved, model):
    rows = frame(saved[0], np.arange(5))
    mean = model.pipeline.scale.mean[0]
    gone = rows.assign(income=[None, *rows["income"][1:]])
    expected = model.predict_proba(rows.assign(income=[mean, *rows["income"][1:]]))
    np.testing.assert_allclose(model.predict_proba(gone), expected, atol=1e-7)
    assert (model.predict_proba(gone) == model.predict_proba(gone.astype(object).fillna("?"))).all()
    with pytest.warns(UnknownLevel, match=r"'colour' \(2\)"):
        strange = model.predict_proba(rows.assign(colour=["pink", "grey", "red", "red", "red"]))
    assert np.isfinite(strange).all() and not (strange[:2] == model.predict_proba(rows)[:2]).all()
    with pytest.raises(BadData, match="lacks 2 of the 6 columns that the model takes: 'income', 'owner'"):
        model.predict(rows.drop(columns=["income", "owner"]))
    with pytest.raises(BadData, match=r"Row 3 \(from 0\) has 'tall' in the column 'age', where the model takes a number"):
        model.predict(rows.assign(age=[1, 2, 3, "tall", 5]))
    with pytest.raises(BadData, match="inf"):
        model.predict(rows.assign(age=[1, 2, np.inf, 4, 5]))
    with pytest.raises(BadData, match="2 columns called 'age'"):
        model.predict(pd.concat([rows, rows[["age"]]], axis=1))
    for wrong in ("rows", [1, 2], 5):
        with pytest.raises(BadData, match="data frame"):
            model.predict(wrong)
    with pytest.raises(BadData, match="too large"):
        model.predict(rows.assign(income=1e308))
    far = 1e29 * model.pipeline.scale.sd[0]
    try:
        assert np.isfinite(model.predict_proba(rows.assign(income=far))).all()
    except BadData as error:
        assert "too far" in str(error)


def test_it_says_what_it_is(model):
    said = model.describe()
    assert said.splitlines()[:3] == ["SMOTE <b>: neural network", "predicts: owner?", "classes: common, rare"]
    assert "income" in said and "2026-01-01" in said
    assert model.about["params"] == {"epochs": 12}


def test_the_example_of_the_readme_runs(saved, tmp_path, monkeypatch, capsys):
    data, content = saved
    readme = zipfile.ZipFile(io.BytesIO(content)).read("README.md").decode()
    assert "SMOTE &lt;b&gt;" in readme and "<b>" not in readme
    (example,) = re.findall(r"```python\n(.*?)```", readme, re.S)
    assert example == FRAME_EXAMPLE and len(example.splitlines()) == 10 == len(EXAMPLE.splitlines())
    (tmp_path / "model.zip").write_bytes(content)
    frame(data).to_csv(tmp_path / "new-rows.csv", index=False)
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "README.md", "exec"), {})
    assert "classes: " in capsys.readouterr().out
    back = pd.read_csv(tmp_path / "predicted.csv")
    assert set(back["predicted"]) <= set(data.classes) and back["probability"].between(0.5, 1).all()


def test_importing_the_engine_is_light():
    code = "import sys, engine\nassert not {'torch', 'sklearn', 'numpy'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    with pytest.raises(AttributeError, match="nothing"):
        _ = engine.nothing


def test_the_same_model_gives_the_same_bytes(saved):
    data, _, out, pipeline, _ = fitted("smote")
    about = load_model(io.BytesIO(saved[1])).about
    assert model_bytes(out.net, pipeline, classes=data.classes, about=about, replicate=1) == saved[1]


# ---- dates, yes and no, missing values


def test_dates_and_booleans_are_read_as_they_were():
    data = replace(
        table(), numeric=np.stack([np.arange(150) + 18000.5, np.arange(150) % 2.0], 1), numeric_names=("when", "smokes"),
        categorical=np.zeros((150, 0), np.int64), categories=(), categorical_names=(),
    )  # fmt: skip
    scale = fit_scale(encode(data)[0], 2, np.arange(150))
    when = ColumnReading("when", 0, "date", date=DateFormat("%Y-%m-%d %H:%M:%S"))
    smokes = ColumnReading("smokes", 1, "boolean", levels=("no", "Yes"))
    pipeline = replace(Pipeline.of(data, scale, TableReading("text", columns=(when, smokes))), reading=None)
    pipeline = Pipeline.from_json(json.loads(json.dumps(pipeline.to_json())))
    want = scale(np.array([[18262.5, 1.0], [18262.0, 0.0]]))
    for rows in (
        [{"when": "2020-01-01 12:00", "smokes": "yes"}, {"when": "2020-01-01", "smokes": "NO"}],
        [{"when": "2020-01-01T13:00+01:00", "smokes": True}, {"when": "2020-01-01", "smokes": 0}],
        pd.DataFrame({"when": pd.to_datetime(["2020-01-01 12:00", "2020-01-01 00:00"]), "smokes": [1.0, 0.0]}),
        pd.DataFrame({"when": pd.to_datetime(["2020-01-01 12:00", "2020-01-01 00:00"], utc=True), "smokes": [True, False]}),
    ):
        np.testing.assert_allclose(pipeline(rows)[0], want, atol=1e-12)
    with pytest.raises(BadData, match="a date such as 2024-05-31"):
        pipeline([{"when": "soon", "smokes": "no"}])
    with pytest.raises(BadData, match="'no' or 'Yes'"):
        pipeline([{"when": "2020-01-01", "smokes": "often"}])
    gone, _ = pipeline([{"when": None, "smokes": float("nan")}, {"when": pd.NaT, "smokes": pd.NA}])
    assert (gone == 0).all()
    assert pipeline.original(data, np.array([1])) == [["2019-04-15 12:00:00", "Yes"]]
    assert pipeline.back(np.array([[1e12, 0.0], [-1e12, 1.0]]), np.zeros(2))[0][0].startswith("9999")


# ---- files that are not what they should be


def forged(content: bytes, **changes: bytes | None) -> io.BytesIO:
    """The zip with parts put in another's place, added, or left out (None). Names with __ for a dot."""
    parts = {i.filename: zipfile.ZipFile(io.BytesIO(content)).read(i) for i in zipfile.ZipFile(io.BytesIO(content)).infolist()}
    for name, data in changes.items():
        parts[name.replace("__", ".")] = data
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as zipped:
        for name, data in parts.items():
            if data is not None:
                zipped.writestr(name, data)
    return io.BytesIO(out.getvalue())


def words(content: bytes, member: str = "model.json") -> dict:
    return json.loads(zipfile.ZipFile(io.BytesIO(content)).read(member))


def one_sentence(file) -> str:
    with pytest.raises(BadData) as caught:
        load_model(file)
    said = str(caught.value)
    assert said.endswith(".") and "\n" not in said and len(said) < 300
    return said


def test_damaged_files_end_in_one_sentence(saved, tmp_path):
    content = saved[1]
    rng = np.random.default_rng(0)
    for cut in (0, 1, 10, 200, len(content) // 2, len(content) - 1):
        one_sentence(io.BytesIO(content[:cut]))
    refused = 0
    for _ in range(150):
        data = bytearray(content)
        for at in rng.integers(0, len(data), 3):
            data[at] ^= int(rng.integers(1, 256))
        try:
            load_model(io.BytesIO(bytes(data))).predict_proba(frame(saved[0]))
        except LabError:
            refused += 1
    assert refused > 100  # a flipped bit in a date or a comment is no harm
    for text in (b"", b"PK\x05\x06" + bytes(18), b"{}", b"\x80\x04K\x01."):
        one_sentence(io.BytesIO(text))
    with pytest.raises(FileNotFoundError):
        load_model(tmp_path / "none.zip")


def test_other_versions_and_strange_parts(saved):
    content = saved[1]
    changed = json.dumps(words(content) | {"format": FORMAT + 1}).encode()
    assert f"reads formats 1 and {FORMAT}" in one_sentence(forged(content, model__json=changed))
    for name in ("../../evil.py", "/etc/passwd", "C:\\x", "x.pkl", "model.json/", "sub/model.json"):
        out = forged(content)
        with zipfile.ZipFile(out, "a") as zipped:
            zipped.writestr(name, b"x")
        assert "no exported model does" in one_sentence(io.BytesIO(out.getvalue()))
    out = forged(content)
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(out, "a") as zipped:
        zipped.writestr("model.json", b"{}")
    assert "two parts of one name" in one_sentence(io.BytesIO(out.getvalue()))
    assert "no weights" in one_sentence(forged(content, weights__safetensors=None))
    assert "no model.json" in one_sentence(forged(content, model__json=None))
    for junk in (b"", b"[]", b"null", b"{", b"\xff", b'{"format": 1}', b"[" * 100_000):
        one_sentence(forged(content, model__json=junk))
        one_sentence(forged(content, preprocessing__json=junk))
    for junk in (b"", b"\x80\x04K\x01.", b"\xff" * 100, bytes(8)):
        one_sentence(forged(content, weights__safetensors=junk))


def test_a_bomb_is_not_unpacked(saved, monkeypatch):
    monkeypatch.setattr("engine.export.read.MAX_UNPACKED", 1 << 20)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("model.json", b" " * (2 << 20))
    assert "more than 1 MiB" in one_sentence(io.BytesIO(out.getvalue()))


def test_words_and_weights_must_fit(saved):
    content = saved[1]
    good, columns = words(content), words(content, "preprocessing.json")

    def swap(**changes) -> io.BytesIO:
        return forged(content, model__json=json.dumps(good | changes).encode())

    net = good["network"]
    for changes in (
        {"classes": ["a"]}, {"classes": [1, 2]}, {"classes": []}, {"kind": "pickle"}, {"precision": "object"}, {"about": []},
        {"network": net | {"sizes": [10**9, 2]}}, {"network": net | {"sizes": [True, 2]}}, {"network": net | {"activation": "eval"}},
        {"network": net | {"sizes": [*net["sizes"][:-1], 3]}}, {"head": {"kind": "exec"}},
        {"head": {"kind": "class means", "features": "raw"}},
        {"head": {"kind": "nearest neighbours", "k": 5}}, {"head": {}}, {"kind": "trees"},
    ):  # fmt: skip
        one_sentence(swap(**changes))
    tensors = load_tensors(zipfile.ZipFile(io.BytesIO(content)).read("weights.safetensors"))
    first = tensors["layers.0.weight"]
    for bad in (first * torch.nan, first * torch.inf, first.double(), first[:, :-1].contiguous()):
        one_sentence(forged(content, weights__safetensors=save_tensors(tensors | {"layers.0.weight": bad})))
    one_sentence(forged(content, weights__safetensors=save_tensors(tensors | {"more": torch.zeros(1)})))
    for bad in (
        {"columns": columns["columns"][::-1]},
        {"encoded": columns["encoded"][:-1]},
        {"columns": columns["columns"] * 2},
    ):
        one_sentence(forged(content, preprocessing__json=json.dumps(columns | bad).encode()))
    still = [e | {"sd": 0.0} for e in columns["encoded"]]
    one_sentence(forged(content, preprocessing__json=json.dumps(columns | {"encoded": still}).encode()))
    one_sentence(forged(content, preprocessing__json=json.dumps(columns).replace('"sd": 1.0', '"sd": NaN').encode()))


@pytest.fixture(scope="module")
def trees() -> tuple[HistGradientBoostingClassifier, bytes]:
    data = table()
    encoded, _ = encode(data)
    scale = fit_scale(encoded, 4, np.arange(150))
    made = HistGradientBoostingClassifier(max_iter=3, min_samples_leaf=5).fit(scale(encoded).astype(np.float32), data.y)
    return made, model_bytes(made, Pipeline.of(data, scale), classes=data.classes)


@pytest.mark.parametrize(
    ("field", "value"), [("left", 0), ("right", 10**6), ("feature_idx", 99), ("feature_idx", -1), ("is_categorical", 1)]
)
def test_forged_trees_do_not_leave_their_nodes(trees, field, value):
    made, content = trees
    nodes = made._predictors[0][0].nodes
    kept = nodes.copy()
    try:
        nodes[field][0] = value
        bad = skops.io.dumps(made)
    finally:
        nodes[:] = kept
    assert "damaged" in one_sentence(forged(content, trees__skops=bad))


def test_trees_hold_nothing_else(trees):
    _, content = trees
    one_sentence(forged(content, trees__skops=b"PK junk"))
    assert "no exported model does" in one_sentence(forged(content, trees__skops=skops.io.dumps(KDTree(np.zeros((3, 2))))))
    assert "none of scikit-learn's" in one_sentence(forged(content, trees__skops=skops.io.dumps({"a": 1})))
    evil = skops.io.dumps(print)
    one_sentence(forged(content, trees__skops=evil))


# ---- training rows with the synthetic ones


def read_csv(text: str) -> tuple[list[str], list[list[str]]]:
    head, *rows = csv.reader(io.StringIO(text, newline=""))
    return head, rows


@pytest.mark.parametrize(("name", "params"), [("smote", {}), ("explicit-gradient", {}), ("eos", {"space": "pixel"})])
def test_augmented_rows_come_back_in_the_columns(name, params):
    data, _, out, pipeline, _ = fitted(name, **params)
    task = prepare(data, RunSpec(data.name, name, Imbalance("native"), folds=3))
    train = task.source[1]
    head, rows = read_csv(
        write_augmented_csv(data, pipeline, train, out, target="=target", replicate=1, order=["owner", "income"])
    )
    assert head == ["owner", "income", "age", "same", "'- score", "colour", "'=target", "synthetic"]
    real, made = [r for r in rows if r[-1] == "0"], [r for r in rows if r[-1] == "1"]
    assert len(real) == len(train) and len(made) == int(out.synthetic.mask[1].sum()) > 0
    for cells, i in zip(real, train, strict=True):
        assert [float(c) for c in cells[1:5]] == data.numeric[i].tolist()
        assert cells[0] == data.categories[0][data.categorical[i, 0]]
        assert cells[5].removeprefix("'") == COLOURS[data.categorical[i, 1]]
    assert {r[3] for r in rows} == {"7"}  # a constant column stays what it is
    assert {r[-2] for r in made} == {"rare"}
    # encoded again, the numbers are the synthetic rows' features
    x = out.synthetic.x[1][out.synthetic.mask[1]].numpy()
    again, _ = pipeline([{**dict(zip(head[:6], r[:6], strict=True)), "- score": r[4]} for r in made])
    moved = [0, 1, 3]  # not the constant column
    np.testing.assert_allclose(again[:, moved], x[:, moved], atol=2e-5)
    level = x[:, 4:6].argmax(1)
    assert [r[0] for r in made] == [data.categories[0][k] for k in level]


def test_moved_rows_are_written_at_their_new_places_and_removed_ones_are_not():
    data, _, out, pipeline, _ = fitted("smote")
    task = prepare(data, RunSpec(data.name, "smote", Imbalance("native"), folds=3))
    train = task.source[1]
    to = task.train.x[1][[3, 7]] + 0.5
    rows = torch.tensor([[-1, -1], [3, 7], [-1, -1]])
    kept = task.train.mask.clone()
    kept[1, [0, 7]] = False
    changed = replace(out, moved=Moved(rows, to.expand(3, 2, -1), torch.full_like(rows, -1)), kept=kept)
    head, plain = read_csv(write_augmented_csv(data, pipeline, train, out, target="moved", replicate=1))
    again, lines = read_csv(write_augmented_csv(data, pipeline, train, changed, target="moved", replicate=1))
    assert again == [*head, "moved_"] and len(lines) == len(plain) - 2
    left = [i for i in range(len(train)) if i not in (0, 7)]
    real, made = lines[: len(left)], lines[len(left) :]
    assert [line[:-1] for line in made] == plain[len(train) :] and {line[-1] for line in made} == {"0"}
    assert [line[-1] for line in real] == [str(int(i == 3)) for i in left]
    assert all(line[:-1] == plain[i] for line, i in zip(real, left, strict=True) if i != 3)
    at = left.index(3)
    encoded, _ = pipeline([dict(zip(again, real[at], strict=True)) | {"- score": real[at][again.index("'- score")]}])
    np.testing.assert_allclose(encoded[0, [0, 1, 3]], to[0, [0, 1, 3]].numpy(), atol=2e-5)


def test_synthetic_is_a_name_of_its_own_and_reasons_are_given():
    data = replace(table(), numeric_names=("synthetic", "a", "b", "c"))
    data, _, out, pipeline, _ = fitted("smote", data)
    head, _ = read_csv(write_augmented_csv(data, pipeline, np.arange(100), out, target="synthetic_", replicate=1))
    assert head[-2:] == ["synthetic_", "synthetic__"]
    for name, words in (("eos", "among the features of the network"), ("ce", "makes no rows")):
        data, _, out, pipeline, _ = fitted(name)
        with pytest.raises(BadInput, match=words):
            write_augmented_csv(data, pipeline, np.arange(100), out, target="y")


def test_a_column_of_one_level_keeps_it():
    data = table()
    data = replace(data, categorical=np.stack([np.ones(150, np.int64), data.categorical[:, 1]], 1))
    data, _, out, pipeline, _ = fitted("smote", data)
    _, rows = read_csv(write_augmented_csv(data, pipeline, np.arange(150), out, target="y", replicate=1))
    assert {r[4] for r in rows} == {"yes"}


def test_the_guide_says_what_is_true():
    text = (ROOT / "docs" / "your-data.md").read_text(encoding="utf-8")
    assert f"```python\n{EXAMPLE}```" in text
    for number in (
        f"{table_limits.MAX_BYTES >> 20} MiB",
        f"{table_limits.MAX_ROWS:,} rows",
        f"{table_limits.MAX_COLUMNS:,} columns",
        f"{table_limits.MAX_CELLS:,} cells",
    ):
        assert number in text, number
    assert f"At least {FEWEST} rows of every class" in text and f"below {ENOUGH} a warning" in text
