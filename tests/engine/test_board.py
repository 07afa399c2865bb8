"""The board as CSV, Markdown and LaTeX, and its rows as Python that runs."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engine import estimators
from engine.board import (
    _classifiers,
    baseline,
    code,
    leaderboard_csv,
    leaderboard_latex,
    leaderboard_markdown,
    ordered,
    standing,
)
from engine.methods import methods
from engine.result import METRICS
from tests.engine.comparisons import HOSTILE, comparison, hostile

ROOT = Path(__file__).resolve().parents[2]


def cells(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_the_best_stands_first_and_the_unmeasured_last():
    found, _ = comparison()
    assert ordered(found)[0]["name"] == "trees"
    found["methods"][0]["metrics"] = {}
    found["methods"][3]["metrics"]["average_precision"]["mean"] = None
    assert [m["name"] for m in ordered(found)][-2:] == ["ce", "smote"]
    assert baseline(found) == "ce"
    assert ordered({}) == [] and baseline({}) == ""


def test_the_csv_has_every_metric_with_its_interval():
    found, _ = comparison()
    rows = cells(leaderboard_csv(found))
    assert [r["name"] for r in rows] == [m["name"] for m in ordered(found)]
    by_name = {m["name"]: m for m in found["methods"]}
    for row in rows:
        one = by_name[row["name"]]
        for metric in METRICS:
            assert [float(row[metric]), float(row[f"{metric}_low"]), float(row[f"{metric}_high"])] == [
                one["metrics"][metric][k] for k in ("mean", "low", "high")
            ]
        assert int(row["replicates"]) == one["replicates"]
        assert row["against_plain"] == standing(one, found)
        assert row["p_holm"] == "" if one["difference"] is None else float(row["p_holm"]) == one["difference"]["p_holm"]
    assert {r["against_plain"] for r in rows} == {"better", "reference", "not told apart"}


def test_a_title_is_no_formula_no_cell_and_no_command():
    found, _ = hostile()
    found["methods"][0]["title"] = "=HYPERLINK(1)"
    titles = {r["method"] for r in cells(leaderboard_csv(found))}
    assert titles == {"'=HYPERLINK(1)", HOSTILE}
    text = leaderboard_markdown(found)
    assert "<script" not in text and "[a](" not in text
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len(table) == 2 + len(found["methods"])
    assert {line.replace("\\|", "").count("|") for line in table} == {table[1].count("|")}
    latex = leaderboard_latex(found)
    assert "\\end{document}" not in latex and latex.count("\\end{") == 1
    rows = [line for line in latex.splitlines() if line.endswith("\\\\")]
    assert {line.replace("\\&", "").count("&") for line in rows} == {rows[0].count("&")}


def test_the_short_tables_show_intervals_and_n():
    found, _ = comparison()
    trees = next(m for m in found["methods"] if m["name"] == "trees")["metrics"]["average_precision"]
    shown = f"{trees['mean']:.3f} [{trees['low']:.3f}, {trees['high']:.3f}]"
    latex = leaderboard_latex(found)
    assert shown.replace("[", "{[}").replace("]", "{]}") in latex and "& 10 &" in latex
    text = leaderboard_markdown(found)
    assert shown.replace(".", "\\.").replace("[", "\\[").replace("]", "\\]") in text
    assert text.startswith("Gradient\\-boosted trees beat plain training") and "reference" in text


def test_tables_of_little_are_tables():
    row = {
        "name": "ce",
        "title": "CE",
        "metrics": {"average_precision": {"mean": 0.5, "low": None, "high": None}},
        "difference": None,
    }
    for found in ({}, {"methods": []}, {"methods": [row]}, {"methods": [row | {"metrics": {}}]}):
        assert leaderboard_csv(found).startswith("place,method") and "tabular" in leaderboard_latex(found)
        assert "Method" in leaderboard_markdown(found)


def test_the_catalog_names_the_classifiers():
    named = {m.name: m.describe()["classifier"] for m in methods().values()}
    assert {name for name in named.values() if name} == set(estimators.classifiers())
    assert all(estimators.classifiers()[c].method.name == m for m, c in named.items() if c)
    assert all(named[m] == c for m, c in _classifiers().items())


# ---- a row as Python


def table(classes: tuple[str, ...], seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(len(classes)), (70, 25, 20)[: len(classes)])
    made = pd.DataFrame(
        {"customer_id": np.arange(len(y)), "a": rng.normal(size=len(y)) + 2 * (y == 1), "b": rng.normal(size=len(y))}
    )
    made["colour"] = [("red", "blue")[k] for k in (rng.random(len(y)) < 0.2 + 0.6 * (y > 0)).astype(int)]
    made.loc[::9, "b"] = None
    made["left"] = [classes[k] for k in y]
    return made


def execute(script: str, folder: Path) -> str:
    (folder / "row.py").write_text(f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n{script}", encoding="utf-8")
    done = subprocess.run([sys.executable, "row.py"], cwd=folder, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(("name", "ratio"), [("smote", None), ("trees", 4.0)])
def test_the_code_of_a_row_runs(tmp_path, name, ratio):
    found, _ = comparison()
    found["spec"]["ratio"] = ratio
    row = next(m for m in found["methods"] if m["name"] == name)
    row["replicates"] = 2
    table(("no", "yes")).to_csv(tmp_path / "table.csv", index=False)
    script = code(found, name)
    said = execute(script, tmp_path)
    assert "n = 2" in said and 0.2 < float(said.split()[2].rstrip(",")) <= 1
    assert "u-secret-id" not in script and "customer_id" in script


def test_the_code_of_many_classes_and_odd_names_runs(tmp_path):
    odd = ("'a\"\\", "b\n=1", '"""\nraise SystemExit(1)#')
    found, _ = comparison(classes=odd)
    target = "'; raise SystemExit(2) #\u202e"
    found["spec"] |= {"target": target, "reading": {"delimiter": ";", "decimal": ",", "encoding": "utf-8"}}
    found["methods"][0]["replicates"] = 1
    table(odd).rename(columns={"left": target}).to_csv(tmp_path / "t.csv", index=False, sep=";", decimal=",")
    assert "n = 1" in execute(code(found, "ce", "t.csv"), tmp_path)


def test_the_code_of_a_set_of_ours_runs(tmp_path):
    found, _ = comparison()
    found["spec"] |= {"source": {"dataset": "moons"}, "ratio": 10.0, "target": None}
    found["methods"][0]["replicates"] = 1
    assert "n = 1" in execute(code(found, "ce"), tmp_path)


def test_a_method_that_is_not_there():
    with pytest.raises(KeyError):
        code(comparison()[0], "nothing")
