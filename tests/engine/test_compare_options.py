"""Options of `python -m engine compare` that the page has too, and what it writes beside the answer."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import engine
from app.views.data import columns as page_columns
from engine.commands import compare as command
from engine.commands import table_options
from engine.commands.main import main
from engine.data.tables.reading import OPTIONS
from engine.report.leaderboard import sort_rows
from tests.engine.comparisons import comparison


def write_table(path: Path) -> Path:
    """160 rows: amounts in EUR, days first, a mark that a person names, an ID, and marks in the target."""
    rng = np.random.default_rng(0)
    lines = ["Kunde;Betrag;seit;Punkte;Grund"]
    for i in range(160):
        y = i % 4 == 0
        amount = f"{1000 + 300 * rng.normal() + 900 * y:,.2f}".replace(",", "#").replace(".", ",").replace("#", ".")
        points = "-999" if i % 16 == 3 else str(rng.integers(1, 60))
        reason = "" if i in (5, 9) else "None" if y else "Preis"
        lines.append(f"k-{i:05d}-{i * 7919 % 1000};EUR {amount};{1 + i % 28:02d}.{1 + i % 12:02d}.2021;{points};{reason}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What `compare` was asked, without comparing: (name, spec)."""
    seen: list[Any] = []
    found, _ = comparison()
    artifacts = {"model/ce": b"a model", "model/trees": b"trees"}
    monkeypatch.setattr(command, "_compare", lambda data, name, spec, *_: seen.append((name, spec)) or (found, artifacts, {}))
    return seen


def test_every_option_of_the_page_is_one_of_the_terminal() -> None:
    arguments = main.__globals__["build_parser"]().parse_args(
        [
            "compare",
            "t.csv",
            "--target",
            "y",
            "--encoding",
            "cp1252",
            "--delimiter",
            "tab",
            "--decimal",
            ",",
            "--thousands",
            "none",
        ]
        + [
            "--header",
            "no",
            "--sheet",
            "two",
            "--missing=-999",
            "--missing",
            "?",
            "--target-missing=NA",
            "--types",
            "a=b=numeric",
        ]
        + ["c=ignore"]
    )
    given = table_options.parse_reading(arguments)
    assert set(given) == set(OPTIONS)
    assert given == {
        "encoding": "cp1252", "delimiter": "\t", "decimal": ",", "thousands": "", "header": False, "sheet": "two",
        "types": {"a=b": "numeric", "c": "ignore"}, "missing": ["-999", "?"], "target_missing": ["NA"],
    }  # fmt: skip
    assert set(table_options.TYPES) == set(page_columns.TYPES)


def test_what_is_asked_is_the_spec(tmp_path: Path, asked: list[Any]) -> None:
    path = write_table(tmp_path / "t.csv")
    assert main(["compare", str(path), "--target", "Grund", "--missing=-999", "--header", "yes", "--json"]) == 0
    assert asked[0][1].reading == {"missing": ["-999"], "header": True}
    assert main(["compare", str(path), "--target", "Grund", "--json"]) == 0
    assert asked[1][1].reading == {}


def test_the_model_and_the_code_of_a_row(tmp_path: Path, asked: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    path, model, code = write_table(tmp_path / "t.csv"), tmp_path / "m.zip", tmp_path / "c.py"
    best = sort_rows(comparison()[0])[0]["name"]
    ask = ["compare", str(path), "--target", "Grund", "--json", "--model", str(model), "--code", str(code)]
    for of, name, data in (
        ([], best, b"trees"),
        (["--of", "CE"], "ce", b"a model"),
        (["--of", "plain training"], "ce", b"a model"),
    ):
        assert main([*ask, *of]) == 0
        assert json.loads(capsys.readouterr().out)["model_of"] == name
        assert model.read_bytes() == data and repr(str(path)) in code.read_text(encoding="utf-8")
    assert main(["compare", str(path), "--target", "Grund", "--json"]) == 0
    assert "model_of" not in json.loads(capsys.readouterr().out)
    assert main([*ask, "--of", "smote"]) == 2  # its model was not kept, which only the comparison tells
    assert "no fitted model of" in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--of", "best of all", "--model", "m.zip"], "--of 'best of all': is not compared here; there are: ce, logistic"),
        (["--of", "ce"], "give --model, --onnx or --code too"),
        (["--model", "nowhere/m.zip"], "--model 'nowhere/m.zip': must be the name of a file in a folder that exists"),
        (["--code", "."], "--code '.'"),
        (["--model", "t.csv"], "that is the table itself"),
        (["--model", "a", "--code", "a"], "--model and --code: must be different files"),
        (["--types", "Betrag"], "--types 'Betrag': write NAME=KIND with one of numeric"),
        (["--types", "Betrag=number"], "--types 'Betrag=number'"),
        (["--types", "Betrug=numeric"], "Betrug"),
        (["--header", "maybe"], "--header"),
        (["--decimal", ";"], "decimal"),
        (["--encoding", "ebcdic-99"], "ncoding"),
        (["--sheet", "two", "--thousands", "x"], "thousands"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else "",
)
def test_a_mistake_is_one_sentence_before_anything_is_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    before = write_table(tmp_path / "t.csv").read_bytes()
    monkeypatch.setattr("engine.compare.comparison.compare", lambda *_, **__: pytest.fail("compared"))
    assert main(["compare", "t.csv", "--target", "Grund", *words]) == 2
    out, err = capsys.readouterr()
    assert out == "" and says in err.strip().splitlines()[-1] and "Traceback" not in err
    assert (tmp_path / "t.csv").read_bytes() == before and not (tmp_path / "m.zip").exists()


def test_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    write_table(tmp_path / "t.csv")
    status = main(
        ["compare", "t.csv", "--target", "grund", "--positive", "none", "--missing=-999", "--budget", "5", "--json"]
        + ["--model", "m.zip", "--code", "c.py", "--of", "ce"]
    )
    out, err = capsys.readouterr()
    assert status == 0, err
    found = json.loads(out)
    assert found["model_of"] == "ce" and found["spec"]["reading"] == {"missing": ["-999"]}
    assert found["spec"]["target"] == "grund" and found["reading"]["target"]["name"] == "Grund"
    assert found["data"]["counts"] == {"Preis": 118, "None": 40} and found["data"]["positive"] == "None"
    assert {d["name"]: d["kind"] for d in found["data"]["dropped"]} == {"Kunde": "id"}
    said = " ".join(found["notes"])
    for words in (
        "2 rows without an answer",
        "'Kunde'",
        "'Preis' 118",
        "40 rows say 'None' in 'Grund': a class, or no answer?",
    ):
        assert words in said and words in err, words
    reading = engine.load_model("m.zip").pipeline.reading
    assert reading is not None and reading.to_json() == found["reading"]
    model = engine.load_model("m.zip")
    assert found["refit_all"]["rows"] == 158 and model.facts.rows == 158 and model.about["trained_on"].startswith("all rows")
    assert "trained on all 158 rows" in err and model.cut == found["refit_all"]["cut"] and model.promised
    chances = model.predict_proba("t.csv")
    assert chances.shape == (160, 2) and model.classes_.tolist() == ["Preis", "None"] and np.isfinite(chances).all()
    script = (tmp_path / "c.py").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    exec(compile(re.sub(r"for number in \[.*\]:", "for number in [0]:", script), "c.py", "exec"), names)
    assert 0 < names["found"][0] <= 1 and len(names["y"]) == 158
    scaled = model.pipeline.scale(names["X"])
    answered = [i for i in range(160) if i not in (5, 9)]
    np.testing.assert_allclose(model.pipeline("t.csv")[0][answered], scaled, rtol=0, atol=1e-9)
