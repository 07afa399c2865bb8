"""The code of rows that are no method of the catalog, and the row whose files the terminal writes."""

from __future__ import annotations

import itertools
import json
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

from engine.commands import taken_away
from engine.commands.main import main
from engine.compare import comparison as module
from engine.compare.comparison import compare, describe_sheet
from engine.data.tables.reading import read_sheet
from engine.data.tables.target import to_dataset
from engine.events import finish
from engine.report.comparison_code import name_code, write_row
from engine.spec.comparison import CompareSpec
from engine.spec.contest import IN_USE

SPEC = CompareSpec({"file": "t.csv"}, "left", score_column="rule", models=("logistic", "lightgbm"), remedies=(), ensembles=())


class Stranger(LogisticRegression):
    """In LightGBM's place: it keeps what it was given."""

    given: list[dict[str, Any]] = []

    def __init__(self, **how: Any) -> None:
        self.given.append(how)
        super().__init__()


def write_table(path: Path, kind: str) -> Path:
    rng = np.random.default_rng(3)
    lines = ["a,b,rule,left"]
    for i in range(300):
        y = i % 5 == 0
        rule = 400 + 60 * rng.normal() + 70 * y
        rule = np.round(rule) if kind == "points" else 1 / (1 + np.exp((450 - rule) / 40))
        cell = "" if i % 23 == 0 else f"{rule:.4f}"
        lines.append(f"{rng.normal() + y:.4f},{rng.normal():.4f},{cell},{'gone' if y else 'here'}")
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = ModuleType("lightgbm")
    fake.LGBMClassifier = Stranger  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "lightgbm", fake)
    for place in (module, taken_away):
        monkeypatch.setattr(place, "find_installed", lambda: {"lightgbm": "1.2.3"})
    Stranger.given.clear()


def measure(path: Path, **more: Any) -> dict[str, Any]:
    """A comparison of the table; the clock jumps, so the quick look is all of it."""
    spec = replace(SPEC, **more)
    sheet = read_sheet(path.read_bytes(), path.name)
    data = to_dataset(sheet, "left", "gone", name=path.name, **spec.columns)
    clock = itertools.count(0, 3)
    steps = compare(data, spec, clock=lambda: float(next(clock)), **describe_sheet(sheet, "left", "gone", **spec.columns))
    found: dict[str, Any] = json.loads(json.dumps(finish(steps, lambda event: None)[0]))
    return found


def execute(script: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    names: dict[str, Any] = {}
    monkeypatch.chdir(folder)
    exec(compile(script, "row.py", "exec"), names)
    return names


@pytest.mark.parametrize("kind", ["points", "share"])
@pytest.mark.parametrize("metric", ["average_precision", "balanced_accuracy"])
def test_the_code_of_the_score_in_use_gives_the_row_itself(tmp_path, monkeypatch, capsys, installed, kind, metric):
    found = measure(write_table(tmp_path / "t.csv", kind), models=("logistic",), metric=metric)
    row = next(m for m in found["methods"] if m["name"] == IN_USE)
    for reading in (True, False):
        script = write_row(found, IN_USE, reading=reading)
        names = execute(script, tmp_path, monkeypatch)
        assert "Classifier" not in script and "SimpleImputer" not in script and "quick look" not in script
        assert np.abs(np.subtract(names["found"], row["metrics"][metric]["values"])).max() < 1e-9
        assert f"{metric} {row['metrics'][metric]['mean']:.3f}, n = {row['replicates']}" in capsys.readouterr().out
        score, test = np.nan_to_num(names["data"].score, nan=-1e9), names["parts"].test
        if metric == "average_precision":  # the column as it stands
            assert names["found"][-1] == pytest.approx(average_precision_score(names["y"][test], score[test]), abs=1e-9)


@pytest.mark.parametrize("name", ["lightgbm", "lightgbm+class-weights", "lightgbm+smote"])
def test_the_code_of_an_installed_model_trains_it_as_the_row_did(tmp_path, monkeypatch, capsys, installed, name):
    found = measure(write_table(tmp_path / "t.csv", "share"), remedies=("class-weights", "smote"))
    row = next(m for m in found["methods"] if m["name"] == name)
    assert row["failed"] is None and row["refit"] is not None
    compared = Stranger.given[0]
    Stranger.given.clear()
    script = write_row(found, name)
    names = execute(script, tmp_path, monkeypatch)
    printed = float(capsys.readouterr().out.split()[1].rstrip(","))
    assert len(Stranger.given) == 2 * row["replicates"]  # each is trained again, on validation rows too
    assert [{**given, "random_state": 0} for given in Stranger.given] == [{**compared, "random_state": 0}] * len(Stranger.given)
    fitted = names["model"][-1]
    assert type(fitted).__name__ == "LightGBMClassifier" and fitted.remedy == row["remedy"]
    assert printed == pytest.approx(row["metrics"]["average_precision"]["mean"], abs=0.03)
    if name == "lightgbm":  # the learner in its place draws nothing, so only the scaling is apart
        own = np.concatenate([names["parts"].train, names["parts"].valid])
        alone = LogisticRegression().fit(names["X"][own], names["y"][own])
        theirs = average_precision_score(
            names["y"][names["parts"].test], alone.predict_proba(names["X"][names["parts"].test])[:, 1]
        )
        assert names["found"][-1] == pytest.approx(theirs, abs=0.01)


def test_rows_that_were_trained_again_say_how(tmp_path, installed):
    found = measure(
        write_table(tmp_path / "t.csv", "share"),
        models=("forest",), remedies=("threshold",), ensembles=("self-paced", "rus-boost", "balanced-forest"),
    )  # fmt: skip
    lengths = {"self-paced": ", members=model[-1].epoch_", "rus-boost": "", "forest": ", trees=model[-1].epoch_"}
    for name, length in lengths.items():
        assert f"model[-1].set_params(validation_fraction=0{length})" in write_row(found, name)
    assert "with all that was chosen; this code does not" in write_row(found, "forest+threshold")  # the decision is more


def test_training_rows_are_those_of_the_leading_row(tmp_path, installed):
    found = measure(write_table(tmp_path / "t.csv", "share"))
    name = next(name for name in found["ranked"] if name != IN_USE)
    row = next(m for m in found["methods"] if m["name"] == name)
    assert found["data"]["train_rows"] == sum(found["data"]["train_counts"].values())
    assert found["data"]["train_rows"] == pytest.approx(row["train_rows"], abs=2)


def test_the_terminal_writes_the_first_row_that_has_a_model(tmp_path, monkeypatch, capsys, installed):
    monkeypatch.chdir(tmp_path)
    path = write_table(tmp_path / "t.csv", "share")
    for i, line in enumerate(lines := path.read_text().splitlines()):
        if i:
            lines[i] = ",".join([*line.split(",")[:2], f"{float(i % 5 == 1):.1f}", line.split(",")[3]])
    path.write_text("\n".join(lines))  # the score in use is the answer itself, so it ranks first
    ask = ["compare", "t.csv", "--target", "left", "--positive", "gone", "--budget", "5", "--json", "--score-column", "rule"]
    ask += ["--models", "logistic", "lightgbm", "--remedies", "none"]
    assert main([*ask, "--code", "c.py", "--model", "m.zip"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["model_of"] == "logistic" and (tmp_path / "m.zip").read_bytes()[:2] == b"PK"
    assert "Score in use ranks first and is a column of the table: the files are of Logistic regression." in err
    assert "# Logistic regression: average_precision" in (tmp_path / "c.py").read_text()
    monkeypatch.setattr("engine.compare.comparison.compare", lambda *_, **__: pytest.fail("compared"))
    for of, says in ((IN_USE, "column of the table and has no model file"), ("lightgbm", "LightGBM is not part of the engine")):
        for option in ("--model", "--onnx"):
            assert main([*ask, option, "x.zip", "--of", of]) == 2
            err = capsys.readouterr().err.strip().splitlines()
            assert says in err[-1] and option in err[-1] and not (tmp_path / "x.zip").exists()


def test_the_first_row_with_what_is_asked_for_is_taken():
    rows = [
        {"name": name, "title": name, "metrics": {}, "model": name} for name in ("in use", "lightgbm", "forest", "logistic")
    ]
    found = {"methods": rows, "ranked": [row["name"] for row in rows], "onnx": {"forest": "No converter."}}
    kept = {"model/forest": b"", "model/logistic": b"", "onnx/logistic": b""}

    def choose(*options: str, asked: str | None = None) -> str:
        arguments = taken_away.argparse.Namespace(**{"model": None, "onnx": None, "code": None} | dict.fromkeys(options, "x"))
        return taken_away.choose_row(found, asked, arguments, kept)

    assert choose("code") == "in use" and choose("model") == "forest" and choose("onnx", "model") == "logistic"
    assert choose("model", asked="lightgbm") == "lightgbm"
    assert taken_away.explain_choice(found, None, "in use") == "" == taken_away.explain_choice(found, "forest", "forest")


def test_names_of_code_files_hold_no_space():
    assert name_code(IN_USE) == "code-in-use.py" and name_code("forest+smote") == "code-forest+smote.py"
