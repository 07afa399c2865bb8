"""What people have from the version at commit 0210391 goes on: its store, bundle, models, pickles, printed code and addresses.

`tests/held/make.py` says how the files were made.
"""

from __future__ import annotations

import ast
import asyncio
import csv
import io
import json
import lzma
import os
import pickle  # noqa: TID251 - scikit-learn's users pickle what they fit
import re
import shlex
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

import numpy as np
import pytest
import streamlit as st
from starlette.applications import Starlette
from streamlit.testing.v1 import AppTest

import engine
from app.api import routes
from engine import export
from engine.catalog import build_catalog
from engine.errors import UnknownName
from engine.events import Phase, Progress, unpack
from engine.report import comparison_code, run_code, sweep_code
from engine.spec import RunSpec
from engine.store import Store
from engine.sweep import SweepSpec
from tests.app import tables
from tests.app.conftest import opened
from tests.held import kept
from tests.held.kept import BASELINE, DIGITS, LONG, MOONS, NAME, NEW, OWNER, POINTS, SWEEP, TARGET

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
HELD: dict[str, Any] = json.loads((HERE / "held.json").read_text(encoding="utf-8"))
IDS: dict[str, str] = HELD["ids"]
JOBS: dict[str, Any] = HELD["jobs"]
PRIVATE = ("profile", "private run", "private")
STRANGER = "s" * 43
CODE = {path.stem.removeprefix("code-"): path.read_text(encoding="utf-8") for path in sorted(HERE.glob("code-*.txt"))}


@pytest.fixture(scope="module")
def database() -> bytes:
    """The store's file."""
    return lzma.decompress((HERE / "lab.db.xz").read_bytes())


@pytest.fixture
def store(database: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A copy of the store that is held, under LAB_STORE."""
    file = tmp_path / "lab.db"
    file.write_bytes(database)
    monkeypatch.setenv("LAB_STORE", f"sqlite:///{file}")
    store = Store()
    yield store
    st.cache_resource.clear()
    store.close()


def as_json(value: Any) -> Any:
    """As held.json has it."""
    return json.loads(json.dumps(value))


# ---- the store


def test_the_store_is_of_schema_3(tmp_path: Path, database: bytes) -> None:
    (tmp_path / "raw.db").write_bytes(database)
    raw = sqlite3.connect(tmp_path / "raw.db")
    assert raw.execute("SELECT value FROM meta WHERE key = 'schema'").fetchall() == [("3",)]
    assert raw.execute("SELECT count(*) FROM jobs").fetchall() == [(len(JOBS) - 1,)]
    raw.close()


@pytest.mark.parametrize("name", [name for name in JOBS if name != "public"])
def test_a_job_reads_as_it_did(store: Store, name: str) -> None:
    owner = OWNER if name in PRIVATE else None
    assert as_json(kept.of_job(store, IDS[name], owner, HELD["names"])) == JOBS[name]


def test_states_results_and_numbers_are_there() -> None:
    """What the digests stand for is more than nothing."""
    states = {name: job["job"]["state"] for name, job in JOBS.items()}
    assert set(states.values()) == {"done", "failed", "cancelled", "interrupted", "queued"}
    assert {job["job"]["kind"] for job in JOBS.values()} == {"run", "embed", "profile", "compare"}
    for name in ("moons", "baseline", "digits", "private run", "cell ce", "cell smote", "cell potential"):
        assert JOBS[name]["result"]["metrics"]["average_precision"]["mean"] > 0.1 and JOBS[name]["result"]["arrays"]
    assert set(JOBS["moons"]["artifacts"]) >= {"features/0", "frames/0", "frames/1", "contributions/0"}
    assert len(JOBS["private"]["artifacts"]) >= 8 and JOBS["moons"]["events"][0] > 20
    assert set(JOBS["digits"]["artifacts"]) == {"features/0", "frames/0", f"embedding/pca-{IDS['map'][:8]}"}


def test_the_same_question_has_the_same_id(store: Store) -> None:
    """Completed by the catalog of this version and by the one in the store, and asked of the store again: nothing is queued but what
    hangs on a person's table, which an older reader has read (`engine.spec.table_reading.READER`).
    """
    asked = {"moons": MOONS, "baseline": BASELINE, "digits": DIGITS, "failed": LONG, "interrupted": LONG.with_(seed=2)}
    live, published = build_catalog(found=True), store.catalog()
    assert published is not None and kept.digest(published) == HELD["catalog"]
    for name, bare in asked.items():
        fingerprint = store.job(IDS[name]).fingerprint
        assert fingerprint == next(entry["fingerprint"] for entry in live["datasets"] if entry["name"] == bare.dataset)
        for catalog in (live, published):
            assert bare.complete(catalog).run_id(fingerprint) == IDS[name], name
    for cell in SWEEP.cells(live):
        assert cell.id == IDS[f"cell {cell.method}"]
    own = RunSpec(f"upload/{IDS['upload']}", "smote", data={"target": TARGET}, params={"epochs": 6, "hidden": [8]}).complete(
        live
    )
    again = {
        "moons": store.submit(MOONS.complete(live), fingerprint=store.job(IDS["moons"]).fingerprint),
        "map": store.submit_embed(IDS["digits"], "pca"),
    }
    assert {name: (job.id, job.state, job.attempt) for name, job in again.items()} == {
        name: (IDS[name], "done", 1) for name in again
    }
    anew = {
        "private run": store.submit(own, owner=OWNER),
        "profile": store.submit_profile(OWNER, IDS["upload"], {"target": TARGET}),
        "private": store.submit_compare(OWNER, JOBS["private"]["job"]["spec"]),
    }
    for name, job in anew.items():
        assert job.id != IDS[name] and job.state == "queued", name
        assert store.job(IDS[name], OWNER).state == "done", name


def test_features_and_maps_are_arrays_that_fit_together(store: Store) -> None:
    features, xy = unpack(store.features(IDS["digits"])), store.embedding(IDS["digits"], "pca")
    assert xy is not None and xy.shape == (len(features["x"]), 2) and xy.dtype == np.float32 and xy.std() > 0
    assert features["thumbs"].shape[1:] == (8, 8, 1) and set(np.unique(features["part"])) == {0, 1, 2}


def test_names_pins_and_sweeps_are_there(store: Store) -> None:
    def marks(owner: str | None) -> dict[str, tuple[str, bool]]:
        return {id: (mark.name, mark.pinned) for id, mark in store.bookmarks(owner).items()}

    assert marks(OWNER) == {
        IDS["moons"]: ("First try", True),
        IDS["baseline"]: ("", True),
        IDS["private run"]: ("Mine alone", False),
        IDS["sweep"]: ("", True),
    }
    assert marks(None) == {IDS["moons"]: ("Everybody's", False)} and marks(STRANGER) == {}
    (kept_one,) = store.sweeps()
    assert (kept_one.id, kept_one.name, SweepSpec.from_json(kept_one.spec)) == (IDS["sweep"], "Wine at 3:1", SWEEP)
    assert store.keep_sweep(SWEEP.to_json(), "Wine at 3:1") == IDS["sweep"]

    def found(owner: str | None, text: str = "", **how: Any) -> list[str]:
        names = {id: name for name, id in IDS.items()}
        return [names[row.id] for row in store.search(owner, text, sort="name", descending=False, **how)[0]]

    assert found(OWNER)[0] == "moons" and set(found(OWNER)[:3]) == {"moons", "baseline", "sweep"}
    assert set(found(OWNER)) == set(IDS) - {"upload", "profile", "public"}
    assert set(found(STRANGER)) == set(found(OWNER)) - {"private run", "private"}
    assert found(OWNER, "mine alone") == ["private run"] and found(None, "mine alone") == []
    assert found(OWNER, "first") == ["moons"] and found(OWNER, kinds=("embed",)) == ["map"]
    assert set(found(OWNER, method="smote")) == {"private run", "cell smote", "sweep"}
    assert set(found(OWNER, dataset=f"upload/{IDS['upload']}")) == {"private run", "private"}
    assert set(found(None, states=("failed", "interrupted"))) == {"failed", "interrupted"}


def test_the_table_is_its_owners_alone(store: Store) -> None:
    one = store.upload(IDS["upload"], OWNER)
    name, data = store.read_upload(IDS["upload"], OWNER) or ("", b"")
    assert one.name == name == NAME and one.size == len(data) and kept.digest(data) == HELD["table"]
    profile, comparison = (
        store.read_answer(IDS["profile"], "profile", OWNER),
        store.read_answer(IDS["private"], "comparison", OWNER),
    )
    assert isinstance(profile, dict) and (profile["target"]["name"], profile["positive"], profile["ratio"]) == (
        TARGET,
        "yes",
        4.0,
    )
    assert isinstance(comparison, dict) and {row["name"] for row in comparison["methods"]} == {"ce", "smote", "trees"}
    for other in (STRANGER, None):
        assert store.uploads(other) == [] and store.read_upload(IDS["upload"], other) is None
        assert (
            store.read_answer(IDS["private"], "comparison", other) is None and store.result(IDS["private run"], other) is None
        )
        for job in PRIVATE:
            assert store.events(IDS[job], owner=other) == [] and store.artifacts(IDS[job], owner=other) == []
            with pytest.raises(UnknownName):
                store.job(IDS[job], other)


def test_the_table_can_be_forgotten_without_a_trace(store: Store, tmp_path: Path) -> None:
    traces = (NAME.encode(), b"Mine alone", b'"plan"')
    before = (tmp_path / "lab.db").read_bytes()
    assert all(trace in before for trace in traces)
    gone = store.forget(OWNER, IDS["upload"])
    assert (gone.tables, gone.jobs, gone.clean) == (1, len(PRIVATE), True)
    for job in PRIVATE:
        with pytest.raises(UnknownName):
            store.job(IDS[job], OWNER)
    assert store.uploads(OWNER) == [] and IDS["private run"] not in store.bookmarks(OWNER)
    left = b"".join(path.read_bytes() for path in tmp_path.glob("lab.db*"))
    assert not any(trace in left for trace in traces)
    assert as_json(kept.of_job(store, IDS["moons"], None, HELD["names"])) == JOBS["moons"]
    assert store.bookmarks(OWNER)[IDS["moons"]].name == "First try"


def test_an_engine_goes_on_with_it(store: Store) -> None:
    """The job that waits is taken, its events and its result kept; what ended without one can be asked for again."""
    job = store.claim("engine")
    assert job is not None and job.id == IDS["queued"] and RunSpec.from_json(job.spec).params["hidden"] == [8]
    assert store.append(job.id, [Phase("fit", "Training"), Progress(1, 2)], attempt=job.attempt)
    result = store.result(IDS["baseline"])
    assert result is not None and store.save_result(job.id, result, {"blob": b"data"}, attempt=job.attempt)
    done = store.job(job.id)
    assert (done.state, done.done, done.total, store.artifact(job.id, "blob")) == ("done", 1, 2, b"data")
    assert store.result(job.id) == result and [number for number, _ in store.events(job.id)] == [1, 2]
    failed = store.job(IDS["failed"])
    again = store.submit(RunSpec.from_json(failed.spec), fingerprint=failed.fingerprint)
    assert (again.id, again.state, again.attempt, again.reason) == (failed.id, "queued", 2, "")
    store.delete(IDS["moons"])
    with pytest.raises(UnknownName):
        store.job(IDS["moons"])
    assert IDS["moons"] not in store.bookmarks(OWNER) and store.artifacts(IDS["moons"]) == []


# ---- the bundle

BUNDLE = HERE / "runs.zip"


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """An empty store under LAB_STORE."""
    monkeypatch.setenv("LAB_STORE", f"sqlite:///{tmp_path / 'empty.db'}")
    store = Store()
    yield store
    st.cache_resource.clear()
    store.close()


def of_bundle(store: Store, name: str) -> dict[str, Any]:
    """What a bundle holds of a job."""
    found = as_json(kept.of_job(store, IDS[name], None, HELD["names"]))
    found["job"] = {word: found["job"][word] for word in ("id", "kind", "spec", "fingerprint", "state", "done", "total")}
    return found


def test_the_bundle_loads_into_an_empty_store_and_is_written_again_as_it_was(empty: Store, tmp_path: Path) -> None:
    ids = [IDS["moons"], IDS["public"]]
    assert empty.load(BUNDLE) == ids
    for name in ("moons", "public"):
        held = JOBS[name] | {"job": {word: JOBS[name]["job"][word] for word in of_bundle(empty, name)["job"]}}
        assert of_bundle(empty, name) == held
    comparison = empty.read_answer(IDS["public"], "comparison")
    assert isinstance(comparison, dict) and comparison["spec"]["metric"] == "f1" and comparison["methods"][0]["name"] == "ce"
    empty.export(ids, tmp_path / "again.zip")
    with zipfile.ZipFile(BUNDLE) as old, zipfile.ZipFile(tmp_path / "again.zip") as new:
        assert {name: old.read(name) for name in old.namelist()} == {name: new.read(name) for name in new.namelist()}


def test_the_bundle_leaves_what_the_store_has_and_adds_what_it_lacks(store: Store) -> None:
    store.load(BUNDLE)
    assert as_json(kept.of_job(store, IDS["moons"], None, HELD["names"])) == JOBS["moons"]
    assert of_bundle(store, "public")["artifacts"] == JOBS["public"]["artifacts"]
    asked = JOBS["public"]["job"]
    job = store.submit_compare(None, asked["spec"], fingerprint=asked["fingerprint"])
    assert (job.id, job.state) == (IDS["public"], "done")


# ---- models, rows, estimators


@pytest.mark.parametrize("name", HELD["models"])
def test_a_model_predicts_what_it_did(name: str) -> None:
    held = HELD["models"][name]
    for load in (engine.load_model, export.load_model):
        model = load(HERE / f"model-{name}.zip")
        assert model.classes_.tolist() == held["classes"] and model.describe() == held["described"]
        assert model.about == held["about"]
        np.testing.assert_allclose(model.predict_proba(NEW), held["probabilities"], rtol=1e-6, atol=1e-9)
        assert model.predict(NEW).tolist() == held["predicted"]
    assert np.ptp(held["probabilities"], axis=0).min() > 0.01  # rows that are told apart


def test_files_of_the_comparison_are_those_that_were_taken_away(store: Store) -> None:
    for artifact, file in (
        ("model/smote", "model-smote.zip"),
        ("model/trees", "model-trees.zip"),
        ("augmented/smote", "augmented-smote.csv"),
    ):
        assert store.artifact(IDS["private"], artifact, owner=OWNER) == (HERE / file).read_bytes()
    rows = list(csv.DictReader(io.StringIO((HERE / "augmented-smote.csv").read_text(encoding="utf-8"))))
    _, data = store.read_upload(IDS["upload"], OWNER) or ("", b"")
    own = list(csv.DictReader(io.StringIO(data.decode())))
    assert list(rows[0]) == ["age", "visits", "plan", TARGET, "synthetic"] and len(rows) > 40

    def key(row: dict[str, str]) -> tuple[Any, ...]:
        return float(row["age"]), row["visits"] and float(row["visits"]), row["plan"], row[TARGET]

    real, made = ([row for row in rows if row["synthetic"] == flag] for flag in "01")
    assert {key(row) for row in real} <= {key(row) for row in own} and {row[TARGET] for row in made} == {"yes"}


def test_a_pickled_estimator_predicts_what_it_did() -> None:
    fitted = pickle.loads((HERE / "ce.pickle").read_bytes())
    assert f"{type(fitted).__module__}.{type(fitted).__name__}" == "engine.estimators.CEClassifier"
    params = as_json(fitted.get_params())
    assert {name: params[name] for name in HELD["estimator"]["params"]} == HELD["estimator"]["params"]
    np.testing.assert_allclose(fitted.predict_proba(np.array(POINTS)), HELD["estimator"]["probabilities"], rtol=1e-6)


# ---- printed code

CLASSIFIERS = [
    *("ADASYN", "ASL", "BalancedSVM", "BorderlineSMOTE", "CE", "CNNCL", "CRT", "ClassBalanced", "ClassWeights", "DOS", "EOS"),
    *("ExplicitGradient", "Focal", "LDAM", "MetaWeightNet", "NearestMean", "RS", "RUS", "ReMix", "SMOTE", "SMOTENC"),
    *("TauNormalised", "Threshold"),
]
PRINTED = {
    "engine": ["load_model"],
    "engine.analysis.metrics": ["scores"],
    "engine.catalog": ["build_catalog"],
    "engine.data.catalog": ["load"],
    "engine.data.prepare": ["encode"],
    "engine.data.split": ["split"],
    "engine.data.table": ["numeric_only"],
    "engine.data.thin": ["thin"],
    "engine.estimators": [f"{name}Classifier" for name in CLASSIFIERS],
    "engine.export": ["load_model"],
    "engine.runner": ["drive", "run"],
    "engine.samplers": ["EOS"],
    "engine.seeds": ["numpy_stream"],
    "engine.spec": ["Imbalance", "RunSpec"],
    "engine.sweep": ["SweepSpec"],
}
"""Names that stand in code that people took away, by the path they are imported from."""
CARRIED_OUT = ("run", "images", "private", "public", "thinned")
"""Code that is done quickly."""
COMMANDS = CODE["commands"].splitlines()
FRESH = """
import contextlib, importlib, io, json, runpy, sys
asked = json.load(sys.stdin)
answer = {"wrong": [], "moved": [], "printed": {}, "commands": []}
for path, names in asked["names"].items():
    for name in names:
        try:
            found = getattr(importlib.import_module(path), name)
            if path == "engine.estimators" and found.__module__ != path:
                answer["moved"].append(name)
        except (ImportError, AttributeError) as error:
            answer["wrong"].append(f"{path} {name}: {error}")
for line in asked["lines"]:
    try:
        exec(line, {})
    except ImportError as error:
        answer["wrong"].append(f"{line}: {error}")
for name, text in asked["code"].items():
    with contextlib.redirect_stdout(io.StringIO()) as said:
        exec(compile(text, name, "exec"), {})
    answer["printed"][name] = said.getvalue()
for words in asked["commands"]:
    sys.argv = words
    with contextlib.redirect_stdout(io.StringIO()) as said:
        try:
            runpy.run_module(words[0], run_name="__main__")
        except SystemExit as end:
            answer["commands"].append([end.code, json.loads(said.getvalue())])
print(json.dumps(answer))
"""


def import_lines() -> list[str]:
    """Every import of the code that is held, once."""
    trees = [ast.parse(text) for name, text in CODE.items() if name != "commands"]
    found = [ast.unparse(node) for tree in trees for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    return list(dict.fromkeys(found))


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory, database: bytes) -> dict[str, Any]:
    """What one new process says that has the product on its path and the store: names that fail, what code and commands print."""
    folder = tmp_path_factory.mktemp("fresh")
    (folder / "lab.db").write_bytes(database)
    store = Store(f"sqlite:///{folder / 'lab.db'}")
    _, data = store.read_upload(IDS["upload"], OWNER) or ("", b"")
    store.close()
    (folder / NAME).write_bytes(data)
    asked: dict[str, Any] = {"names": PRINTED, "lines": import_lines(), "code": {name: CODE[name] for name in CARRIED_OUT}}
    asked["commands"] = [[*shlex.split(line)[2:], "--json"] for line in COMMANDS]
    asked["commands"][0].append("--no-controls")
    done = subprocess.run(
        [sys.executable, "-c", FRESH],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "LAB_STORE": store.url},
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_every_printed_import_still_imports(fresh: dict[str, Any]) -> None:
    assert fresh["wrong"] == [] and fresh["moved"] == []
    for line in import_lines():
        node = ast.parse(line).body[0]
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("engine"):
            assert {alias.name for alias in node.names} <= set(PRINTED[str(node.module)]), line


def test_code_is_printed_as_it_was(store: Store) -> None:
    catalog = store.catalog()
    assert catalog is not None
    for name, run in (("run", "moons"), ("images", "digits")):
        assert run_code.write_python(RunSpec.from_json(store.job(IDS[run]).spec), catalog) == CODE[name]
    assert sweep_code.write_python(SWEEP, "f1") == CODE["sweep"]
    assert [run_code.write_command(BASELINE.complete(catalog), catalog), sweep_code.write_command(SWEEP, "f1")] == COMMANDS
    store.load(BUNDLE)
    comparison = store.read_answer(IDS["public"], "comparison")
    assert isinstance(comparison, dict) and comparison_code.write_row(comparison, "ce") == CODE["public"]
    comparison["methods"] = [row | {"most_rows": 100} for row in comparison["methods"]]
    assert comparison_code.write_row(comparison, "ce") == CODE["thinned"]


@pytest.mark.parametrize("name", CARRIED_OUT)
def test_printed_code_prints_what_it_did(fresh: dict[str, Any], name: str) -> None:
    number = re.compile(r"\d+\.\d+")
    now, held = fresh["printed"][name], HELD["printed"][name]
    assert number.sub("#", now) == number.sub("#", held) and number.search(held)
    pairs = list(zip(number.findall(now), number.findall(held), strict=True))
    for place, (new, old) in enumerate(pairs):  # after the value: the ends of an interval of one split, whose rule has changed
        assert float(new) == pytest.approx(float(old), abs=0.0011 if place == 0 else 0.02)


def test_a_printed_command_shows_what_the_store_has(fresh: dict[str, Any]) -> None:
    assert all(line.startswith("python -m engine ") for line in COMMANDS)
    (run_status, run), (sweep_status, swept) = fresh["commands"]
    assert (run_status, sweep_status) == (0, 0)
    held = JOBS["baseline"]["result"]
    assert run["run_id"] == IDS["baseline"] and run["metrics"] == held["metrics"]
    assert {name: kept.digest(run[name]) for name in ("spec", "seconds", "provenance")}.items() <= held["words"].items()
    assert swept["sweep"] == as_json(SWEEP.to_json()) and len(swept["cells"]) == 3
    for cell in swept["cells"]:
        name = f"cell {cell['method']}"
        job, metrics = JOBS[name]["job"], JOBS[name]["result"]["metrics"]
        assert (cell["run"], cell["state"]) == (IDS[name], "done")
        assert {word: cell[word] for word in ("mean", "low", "high", "values")} == metrics["f1"]
        assert cell["seconds"] == pytest.approx(job["finished"] - job["started"], abs=1e-3)  # nothing was trained anew


# ---- addresses


@pytest.fixture
def cookie(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page is opened in OWNER's browser."""
    monkeypatch.setattr(type(st.context), "cookies", {"lab_owner": OWNER})


def words(page: AppTest) -> str:
    """All prose on the page."""
    kinds = ("markdown", "caption", "warning", "error", "info", "subheader")
    return "\n".join(str(e.value) for kind in kinds for e in page.get(kind)).replace("\\", "")


def score(name: str, digits: int = 2) -> str:
    """Average precision of a run as a page writes it."""
    held = JOBS[name]["result"]["metrics"]["average_precision"]
    return f"{held['mean']:.{digits}f} [{held['low']:.{digits}f}, {held['high']:.{digits}f}]"


def heading(page: AppTest) -> str:
    """The page's one h1."""
    (found,) = re.findall(r"<h1[^>]*>(.*?)</h1>", bodies(page))
    return unescape(found)


def bodies(page: AppTest) -> str:
    """All HTML on the page."""
    return "".join(e.proto.body for e in page.get("html"))


def kept_words(page: AppTest) -> dict[str, str]:
    """The address of the page, word by word."""
    return {word: value for word, (value,) in parse_qs(urlencode(page.query_params, doseq=True)).items()}


def turn(page: AppTest, step: str) -> AppTest:
    """The Data page at another of its steps."""
    page.segmented_control(key="data.step").set_value(step).run()
    assert not page.exception and not page.error and kept_words(page)["step"] == step
    return page


def numbers(page: AppTest) -> dict[str, dict[str, str]]:
    """What the Lab's tab Numbers says at the page's address: {method: {measure: score}}."""
    page = opened("lab", **kept_words(page) | {"tab": "numbers"})
    assert not page.error
    (table,) = [table.value for table in page.dataframe if "measure" in table.value]
    found: dict[str, dict[str, str]] = table.set_index("measure").to_dict()
    return found


def lab(page: AppTest) -> None:
    assert heading(page) == "No difference found between explicit gradient and plain training."
    assert "explicit gradient · two moons · 10:1 · 2 replicates" in bodies(page) and page.get("bidi_component")
    assert {method: scores["Average precision"] for method, scores in numbers(page).items()} == {
        "Explicit gradient": score("moons", 3),
        "Plain training (CE)": score("baseline", 3),
    }
    assert (page.selectbox(key="dataset").value, page.selectbox(key="method").value) == ("moons", "explicit-gradient")
    assert (page.selectbox(key="profile").value, page.session_state["ratio"]) == ("ratio", 10.0)
    assert [page.number_input(key=key).value for key in ("folds", "seeds", "seed")] == [2, 1, 3]
    assert page.text_input(key="p.explicit-gradient.points.hidden").value == "8"
    assert page.session_state["p.explicit-gradient.points.meta_epochs"] == 5
    assert page.session_state["d.moons.noise"] == 0.25 and "replicate 2 of 2" in bodies(page)


def compare(page: AppTest) -> None:
    assert heading(page) == "No difference found between SMOTE and plain training."
    assert "3 of 3 runs done" in bodies(page) and page.session_state["compare.metric"] == "f1"
    assert page.multiselect(key="compare.curves").value == [IDS["cell smote"], IDS["cell ce"]]
    assert page.multiselect(key="plan.datasets").value == ["wine"] and page.multiselect(key="plan.methods").value == ["smote"]
    assert [page.number_input(key=f"plan.{key}").value for key in ("folds", "seeds", "seed")] == [2, 1, 5]
    assert page.session_state["plan.ratios"] == [3.0] and len(page.get("plotly_chart")) == 1


def deep(page: AppTest) -> None:
    assert page.selectbox(key="deep.pick").value == IDS["digits"] and len(page.get("bidi_component")) == 1
    assert len(page.get("plotly_chart")) == 4
    page.button(key="deep.change").click().run()
    assert page.selectbox(key="dataset").value == "digits" and page.selectbox(key="method").value == "eos"
    assert page.session_state["d.digits.per_class"] == 60 and kept_words(page) == {"run": IDS["digits"]}


def deep_beside(page: AppTest) -> None:
    assert page.selectbox(key="deep.pick").value == IDS["moons"]
    page = opened("deep", **kept_words(page) | {"tab": "what-if"})
    assert page.selectbox(key="deep.pick").value == IDS["moons"]
    assert page.selectbox(key="deep.other").value == IDS["baseline"] and "Settings that differ" in words(page)


def data(page: AppTest) -> None:
    assert f"{NAME} · 80 rows · yes 20%" in bodies(page)
    assert heading(page) == "No difference found between SMOTE and plain training."
    board = next(body for e in page.get("html") if 'class="board"' in (body := e.proto.body))
    assert all(title in board for title in ("Network", "SMOTE", "Gradient boosting"))
    turn(page, "decide")
    assert page.selectbox(key="data.method").value == "trees" and page.get("bidi_component")
    page.session_state["use-more"] = True
    links = bodies(turn(page, "use"))
    assert f"/api/jobs/{IDS['private']}/report.html" in links and f"/api/jobs/{IDS['private']}/leaderboard.csv" in links
    turn(page, "questions")
    assert "16 minority rows: " in words(page)


def papers(page: AppTest) -> None:
    assert page.segmented_control(key="papers.group").value == "explicit"
    assert page.segmented_control(key="papers.table").value == ("keel", "3")
    assert heading(page) == "0 of 6 claims hold here." and "154 of 154 cells measured" in bodies(page)


def gallery(page: AppTest) -> None:
    assert heading(page) == "Gallery"
    assert bodies(page).count('<div class="card-setting">') >= 8 and len(page.get("page_link")) >= 8


def runs(page: AppTest) -> None:
    wide, narrow = (table.value for table in page.dataframe)
    assert list(wide.index) == list(narrow.index) == [IDS["moons"], IDS["baseline"]]
    mean = JOBS["moons"]["result"]["metrics"]["average_precision"]["mean"]
    assert {"First try", f"{mean:.3f}".removeprefix("0")} <= set(wide.iloc[0].astype(str))
    assert f"First try · Two moons · 10:1 · done · {mean:.3f}".replace("0.", ".") in narrow["lines"].iloc[0]
    chosen = [page.selectbox(key=f"runs.{word}").value for word in ("kind", "state", "dataset", "sort")]
    assert chosen == ["run", "done", "moons", "name"] and page.checkbox(key="runs.pinned").value is True


OF_MOONS = (
    "dataset=moons&method=explicit-gradient&profile=ratio&ratio=10&where=all&folds=2&seeds=1&seed=3&d.rows=200&d.noise=0.25"
)
ADDRESSES: tuple[tuple[str, str, Callable[[AppTest], None]], ...] = (
    (
        "lab",
        f"run={IDS['moons']}&{OF_MOONS}&p.hidden=8&p.learning_rate=0.1&p.epochs=6&p.meta_epochs=5&replicate=1",
        lab,
    ),
    (
        "compare",
        "datasets=wine&methods=smote&ratios=3&where=all&folds=2&seeds=1&seed=5&view=curves&metric=f1"
        f"&curves={IDS['cell smote']},{IDS['cell ce']}",
        compare,
    ),
    ("deep", f"run={IDS['digits']}", deep),
    ("deep", f"run={IDS['moons']}&beside={IDS['baseline']}", deep_beside),
    ("data", f"data={IDS['upload']}&compare={IDS['private']}&method=trees", data),
    ("papers", "paper=keel&table=3", papers),
    ("gallery", "size=big", gallery),
    ("runs", "kind=run&state=done&dataset=moons&pinned=1&sort=name", runs),
)


def rewrite(name: str, query: dict[str, str]) -> dict[str, str]:
    """The address as the page has it now: Compare's views are tabs, and Papers opens on KEEL by itself."""
    if name == "papers":
        return {}
    return {{"view": "tab"}.get(word, word): value for word, value in query.items()}


@pytest.mark.parametrize(("name", "address", "shows"), ADDRESSES, ids=[shows.__name__ for _, _, shows in ADDRESSES])
@pytest.mark.usefixtures("cookie")
def test_an_address_opens_on_what_it_names(store: Store, name: str, address: str, shows: Callable[[AppTest], None]) -> None:
    query = {word: value for word, (value,) in parse_qs(address).items()}
    page = opened(name, **query)
    while waiting := store.jobs(owner=OWNER, kinds=("profile",), states=("queued",)):
        tables.work(store, waiting[0], OWNER)  # this version reads the table anew
        page = opened(name, **query)
    assert not page.error
    assert kept_words(page) == rewrite(name, query)
    shows(opened(name, **kept_words(page)))
    shows(page)


def test_a_loaded_bundle_is_shown_with_the_same_numbers(empty: Store) -> None:
    empty.load(BUNDLE)
    page = opened("lab", run=IDS["moons"])
    assert numbers(page)["Explicit gradient"]["Average precision"] == score("moons", 3)
    page = opened("data", compare=IDS["public"])
    assert any('class="board"' in e.proto.body and "Network" in e.proto.body for e in page.get("html"))


def fetched(path: str, owner: str) -> tuple[int, bytes]:
    """(status, body) of what the server answers to a browser's link."""
    sent: list[dict[str, Any]] = []
    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "root_path": ""}
    scope |= {"headers": [(b"cookie", f"lab_owner={owner}".encode())]}

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()  # there is no body, and the browser stays
        return {}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(Starlette(routes=routes)(scope, receive, send))
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


def test_links_to_files_give_them_to_their_owner(store: Store, tmp_path: Path) -> None:
    for file in ("model-smote.zip", "model-trees.zip", "augmented-smote.csv"):
        assert fetched(f"/api/jobs/{IDS['private']}/{file}", OWNER) == (200, (HERE / file).read_bytes())
        assert fetched(f"/api/jobs/{IDS['private']}/{file}", STRANGER)[0] == 404
    status, code = fetched(f"/api/jobs/{IDS['private']}/code-smote.py", OWNER)
    assert (status, code.decode()) == (200, CODE["private"])
    status, board = fetched(f"/api/jobs/{IDS['private']}/leaderboard.csv", OWNER)
    assert status == 200 and len(board.decode().splitlines()) == 4
    status, report = fetched(f"/api/jobs/{IDS['moons']}/report.html", STRANGER)
    assert status == 200 and score("moons", 3).encode() in report
    status, bundle = fetched(f"/api/runs/{IDS['moons']}-{IDS['baseline']}", STRANGER)
    assert status == 200
    (tmp_path / "runs.zip").write_bytes(bundle)
    other = Store(f"sqlite:///{tmp_path / 'other.db'}")
    assert other.load(tmp_path / "runs.zip") == [IDS["moons"], IDS["baseline"]]
    assert of_bundle(other, "moons")["result"] == JOBS["moons"]["result"]
    other.close()
