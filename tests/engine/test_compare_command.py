"""`python -m engine compare`: one JSON object or a table on stdout, a report where it is asked for, one sentence and 2 for a mistake."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.commands.compare import summarise_comparison
from engine.commands.main import main
from engine.spec.comparison import CompareSpec
from engine.spec.contest import list_rows
from tests.engine.comparisons import HOSTILE, comparison
from tests.engine.contenders import CATALOG

ROWS = [row.name for row in list_rows(CompareSpec({"file": "f"}, budget=5), CATALOG)]


def write(path: Path, rows: int = 160, rare: int = 40) -> Path:
    """A European CSV: numbers with decimal commas, a yes-no column, a date, levels with gaps, an ID."""
    rng = np.random.default_rng(0)
    lines = ["id;amount;since;member;colour;left"]
    for i in range(rows):
        y = i % (rows // rare) == 0
        amount = "" if i % 17 == 0 else f"{rng.normal() + 2 * y:.3f}".replace(".", ",")
        colour = "" if i % 13 == 0 else ("red" if rng.random() < 0.3 + 0.4 * y else "blue")
        since, member = f"2024-{1 + i % 12:02d}-{1 + i % 28:02d}", "yes" if rng.random() < 0.5 else "no"
        lines.append(f"c-{i:05d}-{i * 7919 % 1000};{amount};{since};{member};{colour};{'gone' if y else 'here'}")
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def answer(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str, str]:
    """(the JSON, the report, stderr) of one real comparison."""
    folder = tmp_path_factory.mktemp("compare")
    file, report = write(folder / "churn.csv"), folder / "out.html"
    with pytest.MonkeyPatch.context() as patch:
        said: dict[str, list[str]] = {"out": [], "err": []}
        patch.setattr(
            "builtins.print", lambda *words, file=None, **_: said["out" if file is None else "err"].extend(map(str, words))
        )
        status = main(
            ["compare", str(file), "--target", "left", "--positive", "gone", "--budget", "5", "--json", "--report", str(report)]
        )
    assert status == 0 and len(said["out"]) == 1
    return json.loads(said["out"][0]), report.read_text(encoding="utf-8"), "\n".join(said["err"])


def test_one_object(answer):
    found, _, _ = answer
    assert {"methods", "data", "spec", "seconds", "verdict", "best"} <= set(found)
    assert [m["name"] for m in found["methods"]] == ROWS
    for row in found["methods"]:
        assert {"name", "metrics", "difference", "seconds", "replicates"} <= set(row) and row["failed"] is None
        assert row["replicates"] >= 5 and 0 < row["metrics"]["average_precision"]["mean"] <= 1
    data = found["data"]
    assert data["counts"] == {"here": 120, "gone": 40} and data["positive"] == "gone" and data["name"] == "churn.csv"
    assert {d["name"] for d in data["dropped"]} == {"id"} and data["features"] == 4
    assert found["spec"]["source"] == {"file": "churn.csv"} and found["spec"]["budget"] == 5


def test_a_report_stands_alone(answer):
    found, report, said = answer
    assert report.startswith("<!") and len(report) < 6 << 20 and not re.search(r"(src|href)=.https?://", report)
    assert "churn.csv" in report and all(m["title"] in report for m in found["methods"]) and "out.html" in said


def test_it_says_on_stderr_how_far_it_is(answer):
    assert "Round 1 of at most" in answer[2]


def test_a_table_for_a_person(answer):
    found, _, _ = answer
    lines = summarise_comparison(found).splitlines()
    assert lines[0] == "churn.csv, target left: 160 rows, 4 columns, gone 40, largest to smallest class 3.0:1"
    rows = [line for line in lines if line.startswith("  ")][1:]
    titles = {m["name"]: m["title"] for m in found["methods"]}
    leader = next(m for m in found["methods"] if m["name"] == found["ranked"][0])
    plain = next(m["name"] for m in found["methods"] if m["model"] == leader["model"] and m["remedy"] == "none")
    assert len(rows) == len(ROWS) and titles[plain] in rows[0]  # the model of the leading row stands first, its plain row ahead
    places = [int(row.split()[0]) for row in rows if row.split()[0].isdigit()]
    assert sorted(places) == list(range(1, len(found["ranked"]) + 1))
    plain = next(row for row in rows if "Plain training" in row)
    assert not re.search(r"[+-]\d\.\d{3} \[[+-]", plain)
    remedies = [m for m in found["methods"] if m["difference"] is not None]
    assert sum(bool(re.search(r"[+-]\d\.\d{3} \[[+-]", row)) for row in rows) == len(remedies) > 5
    assert found["verdict"] in lines and "paired" in summarise_comparison(found)
    summarise_comparison(found).encode("ascii")


def test_a_failed_method_has_its_sentence_and_text_stays_text():
    found, _ = comparison(classes=("a", HOSTILE), name=HOSTILE)
    found |= {"metric": "average_precision", "interval": "an interval", "provenance": {"device": "cpu"}}
    found["data"]["counts"] = dict(zip(found["data"]["classes"], (1110, 90), strict=True))
    for row in found["methods"]:
        row["failed"] = None
    eos = found["methods"][6]
    eos |= {"failed": "It needed more memory than there is.", "replicates": 0, "difference": dict.fromkeys(eos["difference"])}
    eos["metrics"]["average_precision"] = dict.fromkeys(("mean", "low", "high"))
    said = summarise_comparison(found)
    assert "EOS (three-phase): It needed more memory than there is." in said
    assert next(line for line in said.splitlines() if line.startswith("  EOS")).split()[2] == "-"
    assert "\u202e" not in said and "better" in next(line for line in said.splitlines() if "boosted" in line)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["no-such.csv", "--target", "left"], "no-such.csv' cannot be read: no such file"),
        ([".", "--target", "left"], "cannot be read: is a directory"),
        (["t.csv", "--target", "right"], "right"),
        (["t.csv", "--target", "left", "--positive", "lost"], "lost"),
        (["t.csv", "--target", "amount"], "amount"),
        (["t.csv"], "--target"),
        (["t.csv", "--target", "left", "--budget", "2"], "budget"),
        (["t.csv", "--target", "left", "--budget", "soon"], "soon"),
        (["t.csv", "--target", "left", "--ratio", "0.2"], "ratio"),
        (["t.csv", "--target", "left", "--seed", "-1"], "seed"),
        (["t.csv", "--target", "left", "--report", "nowhere/out.html"], "--report 'nowhere/out.html'"),
        (["t.csv", "--target", "left", "--report", "."], "--report '.'"),
        (["empty.csv", "--target", "left"], "empty"),
        (["few.csv", "--target", "left"], "5"),
        (["noise.csv", "--target", "left"], ""),
        (["t.csv", "--target", "left", "--ratio", "400"], "use a lower ratio"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else "",
)
def test_a_mistake_is_one_sentence_and_2(tmp_path, monkeypatch, capsys, words, says):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "t.csv")
    (tmp_path / "empty.csv").touch()
    write(tmp_path / "few.csv", rows=40, rare=2)
    (tmp_path / "noise.csv").write_bytes(bytes(range(256)) * 8)
    assert main(["compare", *words]) == 2
    out, err = capsys.readouterr()
    said = err.strip().splitlines()[-1]
    assert out == "" and says in said and "Traceback" not in err and str(tmp_path) not in said


def test_a_refusal_is_said_once(tmp_path, capsys):
    """The sentence of a table that cannot be compared is the error, and no note besides."""
    few, none = write(tmp_path / "few.csv", rows=40, rare=2), tmp_path / "none.csv"
    none.write_text("id,left\n" + "".join(f"c-{i},{'gone' if i % 4 else 'here'}\n" for i in range(80)), encoding="utf-8")
    for file, sentence in ((few, "at least 5 of every class"), (none, "No column is left to learn from")):
        assert main(["compare", str(file), "--target", "left"]) == 2
        lines = capsys.readouterr().err.strip().splitlines()
        assert sum(sentence in line for line in lines) == 1 and sentence in lines[-1], lines
        assert any("with an answer in 'left'" in line for line in lines)  # the other notes are there


def test_a_report_that_cannot_be_written_is_said(tmp_path, monkeypatch, capsys):
    from engine.commands import compare

    found, _ = comparison()
    monkeypatch.setattr(compare, "_compare", lambda *_: (found, {}, {}))
    monkeypatch.setattr("engine.report.comparison.write_from_artifacts", lambda *_, **__: "x")
    monkeypatch.setattr(Path, "write_text", lambda *_, **__: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,left\n1,x\n")
    assert main(["compare", str(path), "--target", "left", "--json", "--report", str(tmp_path / "out.html")]) == 2
    answer, said = capsys.readouterr()
    assert "out.html' cannot be written: no space left on device." in said and json.loads(answer) == found


def test_what_is_asked_is_what_is_compared(tmp_path, monkeypatch, capsys):
    from engine.commands import compare

    asked: list[Any] = []
    found, _ = comparison()
    monkeypatch.setattr(compare, "_compare", lambda data, name, spec, *_: asked.extend((data, name, spec)) or (found, {}, {}))
    path = write(tmp_path / "t.csv")
    assert main(["compare", str(path), "--target", "left", "--ratio", "4", "--seed", "3", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == found
    data, name, spec = asked
    assert data == path.read_bytes() and name == "t.csv" and spec.source == {"file": "t.csv"}  # no folder of this machine
    assert (spec.target, spec.positive, spec.ratio, spec.budget, spec.seed, spec.methods) == ("left", None, 4.0, 60.0, 3, None)


def test_a_file_that_is_too_large_is_not_read(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("engine.spec.table_limits.MAX_BYTES", 1 << 20)
    (tmp_path / "big.csv").write_bytes(b"a,b\n" * (1 << 19))
    assert main(["compare", str(tmp_path / "big.csv"), "--target", "a"]) == 2
    assert "has more than 1 MiB, and no more are read" in capsys.readouterr().err
