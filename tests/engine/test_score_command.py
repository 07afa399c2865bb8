"""`python -m engine score`: one JSON object or a summary on stdout, the rows as a file, one sentence and 2 for a mistake."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from engine.commands.main import main
from engine.spec.score import ROW_COLUMNS
from tests.engine.test_compare_command import write


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(a model that a comparison wrote, its table)."""
    folder = tmp_path_factory.mktemp("score")
    table, model = write(folder / "churn.csv"), folder / "model.zip"
    assert (
        main(["compare", str(table), "--target", "left", "--budget", "5", "--model", str(model), "--of", "ce", "--json"]) == 0
    )
    return model, table


def run(capsys: pytest.CaptureFixture[str], *arguments: Any) -> tuple[int, str, str]:
    capsys.readouterr()
    status = main(["score", *map(str, arguments)])
    said = capsys.readouterr()
    return status, said.out, said.err


def test_a_file_is_scored_as_the_model_itself_scores_it(files, tmp_path, capsys):
    from engine import load_model

    model, table = files
    out = tmp_path / "scored.csv"
    status, said, _ = run(capsys, model, table, "--alerts", 100, "--target", "left", "--out", out, "--json")
    answer = json.loads(said)
    assert status == 0 and {"rows", "flagged", "drift", "unknown", "lacking", "promise"} <= answer.keys()
    assert (answer["rows"], answer["flagged"], answer["lacking"], answer["unknown"]) == (160, 16, [], [])
    rows = pd.read_csv(out, sep=";", decimal=",")
    assert list(rows) == ["id", "amount", "since", "member", "colour", "left", *ROW_COLUMNS]
    loaded = load_model(model)
    expected = loaded.predict_proba(table)[:, list(loaded.classes_).index("gone")]
    assert np.abs(rows["probability"] - expected).max() < 1e-12
    assert rows.loc[rows["flagged"] == 1, "probability"].min() >= rows.loc[rows["flagged"] == 0, "probability"].max()
    assert answer["promise"]["rows"] == 160 and answer["promise"]["positives"] == 40


def test_a_person_reads_what_is_lacking_and_unknown(files, tmp_path, capsys):
    model, table = files
    text = table.read_text(encoding="utf-8").replace("red", "ochre")
    lines = [";".join(cells[:2] + cells[3:]) for cells in (line.split(";") for line in text.splitlines())]
    (tmp_path / "new.csv").write_text("\n".join(lines), encoding="utf-8")
    status, said, _ = run(capsys, model, tmp_path / "new.csv")
    assert status == 0 and "new.csv: 160 rows, " in said
    assert "lacking: since counts as its training mean" in said and "(ochre), count as no level" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("MODEL", "nothing.csv"), "cannot be read"),
        (("nothing.zip", "TABLE"), "cannot be read"),
        (("TABLE", "TABLE"), "no exported model"),
        (("MODEL", "MODEL"), "put one table"),
        (("MODEL", "TABLE", "--per", "day"), "give --alerts too"),
        (("MODEL", "TABLE", "--alerts", "5", "--per", "day"), "needs the time"),
        (("MODEL", "TABLE", "--alerts", "-5"), "above 0"),
        (("MODEL", "TABLE", "--target", "churn"), "no column called 'churn'"),
        (("MODEL", "TABLE", "--out", "TABLE"), "not written over"),
        (("MODEL", "TABLE", "--out", "/nowhere/a.csv"), "folder that exists"),
    ],
)
def test_a_mistake_is_one_sentence_and_2(files, capsys, arguments, said):
    model, table = files
    named = [{"MODEL": model, "TABLE": table}.get(one, one) for one in arguments]
    status, out, err = run(capsys, *named)
    assert status == 2 and out == "" and said in err.splitlines()[-1] and err.splitlines()[-1].endswith(".")
