"""The board as CSV, Markdown and LaTeX, and its rows as Python that runs."""

from __future__ import annotations

import ast
import csv
import io
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from engine import estimators
from engine.compare.comparison import compare, describe_sheet
from engine.data.dataset import Dataset
from engine.data.prepare import encode
from engine.data.tables.reading import read_sheet
from engine.data.tables.target import describe_target, to_dataset
from engine.events import finish, unpack
from engine.methods import methods
from engine.plain import to_plain
from engine.report.comparison_code import _choose_classifier, _list_arguments, _list_classifiers, write_row
from engine.report.leaderboard import (
    compare_to_plain,
    find_baseline,
    sort_rows,
    write_leaderboard_csv,
    write_leaderboard_latex,
    write_leaderboard_markdown,
)
from engine.spec.comparison import CompareSpec
from engine.spec.contest import list_rows
from engine.spec.result import METRICS
from engine.spec.run import default_params
from tests.engine.comparisons import HOSTILE, comparison, hostile
from tests.engine.contenders import CATALOG


def cells(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_the_best_stands_first_and_the_unmeasured_last():
    found, _ = comparison()
    assert sort_rows(found)[0]["name"] == "trees"
    found["methods"][0]["metrics"] = {}
    found["methods"][3]["metrics"]["average_precision"]["mean"] = None
    assert [m["name"] for m in sort_rows(found)][-2:] == ["ce", "smote"]
    assert find_baseline(found) == "ce"
    assert sort_rows({}) == [] and find_baseline({}) == ""


def test_a_lucky_mean_on_few_replicates_does_not_stand_first():
    found, _ = comparison()
    lucky = next(m for m in found["methods"] if m["name"] == "smote")
    lucky["metrics"]["average_precision"]["mean"] = 0.999
    lucky["difference"] = {"metric": "average_precision", "mean": -0.01, "low": -0.1, "high": 0.1}
    names = [m["name"] for m in sort_rows(found)]
    assert names.index("smote") > names.index("ce")


def test_the_csv_has_every_metric_with_its_interval():
    found, _ = comparison()
    rows = cells(write_leaderboard_csv(found))
    assert [r["name"] for r in rows] == [m["name"] for m in sort_rows(found)]
    by_name = {m["name"]: m for m in found["methods"]}
    for row in rows:
        one = by_name[row["name"]]
        for metric in METRICS:
            assert [float(row[metric]), float(row[f"{metric}_low"]), float(row[f"{metric}_high"])] == [
                one["metrics"][metric][k] for k in ("mean", "low", "high")
            ]
        assert int(row["replicates"]) == one["replicates"]
        assert row["against_plain"] == compare_to_plain(one, found)
        assert row["p_holm"] == "" if one["difference"] is None else float(row["p_holm"]) == one["difference"]["p_holm"]
    assert {r["against_plain"] for r in rows} == {"better", "reference", "no difference found"}


def test_a_title_is_no_formula_no_cell_and_no_command():
    found, _ = hostile()
    found["methods"][0]["title"] = "=HYPERLINK(1)"
    titles = {r["method"] for r in cells(write_leaderboard_csv(found))}
    assert titles == {"'=HYPERLINK(1)", HOSTILE}
    text = write_leaderboard_markdown(found)
    assert "<script" not in text and "[a](" not in text
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len(table) == 2 + len(found["methods"])
    assert {line.replace("\\|", "").count("|") for line in table} == {table[1].count("|")}
    latex = write_leaderboard_latex(found)
    assert "\\end{document}" not in latex and latex.count("\\end{") == 1
    rows = [line for line in latex.splitlines() if line.endswith("\\\\")]
    assert {line.replace("\\&", "").count("&") for line in rows} == {rows[0].count("&")}


def test_what_befell_a_method_is_in_the_csv():
    found, _ = comparison()
    found["methods"][3] |= {"failed": "=SMOTE: too few rows.", "replicates": 0, "difference": None}
    found["methods"][3]["metrics"] = {m: {"mean": None, "low": None, "high": None, "values": []} for m in METRICS}
    rows = {r["name"]: r for r in cells(write_leaderboard_csv(found))}
    assert rows["smote"]["failed"] == "'=SMOTE: too few rows." and rows["smote"]["average_precision"] == ""
    assert rows["dos"]["dropped_after_round"] == "1" and rows["ce"]["dropped_after_round"] == rows["ce"]["failed"] == ""
    assert list(rows)[-1] == "smote"
    assert "SMOTE & --" in write_leaderboard_latex(found) and "| SMOTE | \N{EN DASH}" in write_leaderboard_markdown(found)


def test_the_short_tables_show_intervals_and_n():
    found, _ = comparison()
    trees = next(m for m in found["methods"] if m["name"] == "trees")["metrics"]["average_precision"]
    shown = f"{trees['mean']:.3f} [{trees['low']:.3f}, {trees['high']:.3f}]"
    latex = write_leaderboard_latex(found)
    assert shown.replace("[", "{[}").replace("]", "{]}") in latex and "& 10 &" in latex
    text = write_leaderboard_markdown(found)
    assert f"| {shown} |" in text
    assert text.startswith("Gradient\\-boosted trees beat plain training") and "reference" in text


def test_tables_of_little_are_tables():
    row = {
        "name": "ce",
        "title": "CE",
        "metrics": {"average_precision": {"mean": 0.5, "low": None, "high": None}},
        "difference": None,
    }
    for found in ({}, {"methods": []}, {"methods": [row]}, {"methods": [row | {"metrics": {}}]}):
        assert write_leaderboard_csv(found).startswith("place,method") and "tabular" in write_leaderboard_latex(found)
        assert "Method" in write_leaderboard_markdown(found)


def test_the_catalog_names_the_classifiers():
    named = {m.name: m.describe()["classifier"] for m in methods().values()}
    assert {name for name in named.values() if name} == set(estimators.classifiers())
    assert all(estimators.classifiers()[c].method.name == m for m, c in named.items() if c)
    assert all(named[m] == c for m, c in _list_classifiers().items())


# ---- a row as Python


def table(classes: tuple[str, ...], counts: tuple[int, ...] = (70, 25, 20), seed: int = 0) -> pd.DataFrame:
    """Every kind of column there is, with gaps."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat(np.arange(len(classes)), counts[: len(classes)]))
    n = len(y)
    made = pd.DataFrame({"customer_id": np.arange(n) + 5000, "a": rng.normal(size=n) + 2 * (y == 1), "b": rng.normal(size=n)})
    made["colour"] = [("red", "blue", "green")[k] for k in (rng.random(n) < 0.2 + 0.6 * (y > 0)).astype(int) + (y == 2)]
    made["member"] = np.where(rng.random(n) < 0.5, "yes", "no")
    made["since"] = (pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, n), "D")).strftime("%Y-%m-%d")
    made.loc[::9, "b"] = None
    made.loc[::17, "colour"] = None
    made["left"] = [classes[k] for k in y]
    made.loc[3, "left"] = None
    return made


def execute(script: str, folder: Path, monkeypatch) -> dict[str, Any]:
    """What the script's names are after it ran in the folder."""
    monkeypatch.chdir(folder)
    names: dict[str, Any] = {}
    exec(compile(script, "row.py", "exec"), names)
    return names


@pytest.fixture(scope="module")
def compared() -> tuple[pd.DataFrame, Dataset, dict, dict[str, bytes]]:
    """A comparison as it is made; the clock jumps, so the quick look on 256 training rows is all of it."""
    frame = table(("no", "yes"), (500, 100))
    sheet = read_sheet(frame.to_csv(index=False, sep=";", decimal=",").encode(), "churn.csv")
    data = to_dataset(sheet, "left", name="churn.csv")
    clock = itertools.count(0, 3)
    spec = CompareSpec(
        {"upload": "u-secret-id"},
        "left",
        methods=("ce", "smote", "trees", "boosting+smote", "self-paced"),
        reading={"delimiter": ";", "decimal": ","},
        seed=7,
    )
    steps = compare(data, spec, clock=lambda: float(next(clock)), **describe_sheet(sheet, "left"))
    return frame, data, *finish(steps)


@pytest.mark.parametrize("name", ["smote", "boosting", "boosting+smote", "self-paced"])
def test_the_code_of_a_row_tests_the_rows_that_the_comparison_tested(tmp_path, monkeypatch, capsys, compared, name):
    frame, data, found, artifacts = compared
    found = json.loads(json.dumps(found))
    frame.to_csv(tmp_path / "churn.csv", index=False, sep=";", decimal=",")
    row = next(m for m in found["methods"] if m["name"] == name)
    assert row["numbers"] == [0, 1, 2, 3, 4] and row["look"]
    row["numbers"] = [1]
    script = write_row(found, name)
    names = execute(script, tmp_path, monkeypatch)
    assert capsys.readouterr().out.splitlines()[0] == f"average_precision {names['found'][0]:.3f}, n = 1"
    assert "u-secret-id" not in script
    assert "# that was a quick look" in script and "quick look" not in write_row(
        {**found, "methods": [row | {"look": False}]}, name
    )
    np.testing.assert_array_equal(names["y"], data.y)
    arrays = unpack(artifacts["arrays"])
    tested = arrays["truth"][(arrays["fold"] == 1) & (arrays["seed"] == 0)]
    np.testing.assert_array_equal(names["y"][names["parts"].test] == 1, tested)
    # as many training rows, of each class too
    assert len(names["parts"].train) == row["train_rows"] and len(names["parts"].train) < found["data"]["rows"] * 0.6
    fitted = names["model"][-1]
    if name == "smote":
        assert isinstance(fitted, estimators.SMOTEClassifier) and fitted.epoch_ >= 1 and fitted.method_.amount == "balance"
        assert fitted.get_params()["epochs"] == row["params"]["epochs"] and fitted.random_state == 8
    else:
        assert fitted.method_.name == row["model"] and getattr(fitted.method_, "remedy", "none") == row["remedy"]
        assert (
            fitted.epoch_ >= 1
            and to_plain({k: v for k, v in fitted.get_params().items() if k in row["params"]}) == row["params"]
        )
    assert 0.2 < names["found"][0] <= 1


def test_the_columns_of_the_code_are_those_of_the_comparison(tmp_path, monkeypatch, compared):
    frame, data, found, _ = compared
    frame.to_csv(tmp_path / "churn.csv", index=False, sep=";", decimal=",")
    for reading in (json.loads(json.dumps(found["reading"])), None):  # None: the reader guesses again
        script = write_row({**found, "reading": reading}, "boosting").partition("# the comparison's splits")[0]
        names = execute(script, tmp_path, monkeypatch)
        encoded, columns = encode(data)
        assert encode(names["data"])[1] == columns and list(data.numeric_names) == ["a", "b", "member", "since"]
        np.testing.assert_array_equal(names["X"], encoded)
        assert ("reading = TableReading.from_json" in script) == (reading is not None)


def test_another_ratio_is_made_by_the_same_rows(tmp_path, monkeypatch, capsys, compared):
    frame, _, found, _ = compared
    frame.iloc[:-1].to_csv(tmp_path / "t.csv", index=False, sep=";", decimal=",")
    found = json.loads(json.dumps(found)) | {"spec": found["spec"] | {"ratio": 12.5}}
    row = next(m for m in found["methods"] if m["name"] == "boosting")
    row |= {"numbers": [0], "most_rows": None}
    names = execute(write_row(found, "boosting", "t.csv"), tmp_path, monkeypatch)
    train = names["y"][names["parts"].train]
    assert np.bincount(train)[0] / np.bincount(train)[1] == pytest.approx(12.5, rel=0.1)
    assert "598 rows have an answer here, 599 had in the comparison" in capsys.readouterr().out


def test_the_code_of_many_classes_and_odd_names_runs(tmp_path, monkeypatch):
    odd = ("'a\"\\", "b\n=1", '"""\nraise SystemExit(1)#')
    target = "'; raise SystemExit(2) #"
    table(odd).rename(columns={"left": target}).to_csv(tmp_path / "t.csv", index=False, sep=";", decimal=",")
    sheet = read_sheet((tmp_path / "t.csv").read_bytes(), "t.csv", target=target)
    told = describe_target(sheet, target)
    found, _ = comparison(classes=told.target.classes)
    found["spec"] |= {"target": target}
    found |= {"metric": "balanced_accuracy", "reading": told.to_json()}
    row = next(m for m in found["methods"] if m["name"] == "trees")
    row["numbers"] = [0]
    names = execute(write_row(found, "trees", "t.csv"), tmp_path, monkeypatch)
    assert names["model"].classes_.tolist() == [0, 1, 2] and 1 / 3 < names["found"][0] <= 1


def test_classes_that_are_numbers_and_no_header(tmp_path, monkeypatch):
    table(("0.0", "1.50")).to_csv(tmp_path / "t.csv", index=False, header=False)
    sheet = read_sheet((tmp_path / "t.csv").read_bytes(), "t.csv", {"header": False})
    found, _ = comparison(classes=("0", "1.5"))
    found["spec"] |= {"target": "column 7", "reading": {"header": False}}
    row = next(m for m in found["methods"] if m["name"] == "trees")
    row["numbers"] = [0]
    for reading in (describe_target(sheet, "column 7").to_json(), None):
        names = execute(write_row({**found, "reading": reading}, "trees", "t.csv"), tmp_path, monkeypatch)
        assert np.bincount(names["y"]).tolist() in ([69, 25], [70, 24])


def test_the_code_of_a_set_of_ours_runs(tmp_path, monkeypatch):
    found, _ = comparison(classes=("majority", "minority"))
    found["spec"] |= {"source": {"dataset": "moons"}, "ratio": 10.0, "target": None}
    found["methods"][0]["numbers"] = [0]
    names = execute(write_row(found, "ce"), tmp_path, monkeypatch)
    assert isinstance(names["model"][-1], estimators.CEClassifier) and 0 < names["found"][0] <= 1


@pytest.mark.parametrize("name", [row.name for row in list_rows(CompareSpec({"upload": "u"}, budget=600), CATALOG)])
def test_every_method_takes_its_arguments(name):
    row = next(row for row in list_rows(CompareSpec({"upload": "u"}, budget=600), CATALOG) if row.name == name)
    params = {"patience": 20, **default_params(methods()[row.method].describe(), "tabular"), **row.params}
    cls = estimators.classifiers()[_choose_classifier({"name": name, "model": row.model})]
    made = cls(
        **{k: ast.literal_eval(v) for k, v in _list_arguments({"params": json.loads(json.dumps(params))}, cls.__name__).items()}
    )
    own, door = made._parameters()
    assert own.name == row.method and door.patience == params["patience"]
    assert getattr(own, "remedy", "none") == (row.remedy if row.model != "network" else "none")


def test_what_stands_for_missing_is_said(tmp_path, monkeypatch):
    frame = table(("no", "yes"))
    frame["a"] = frame["a"].astype(object)
    frame.loc[:2, "a"] = ["NA", "?", "-99"]
    frame.to_csv(tmp_path / "t.csv", index=False)
    sheet = read_sheet((tmp_path / "t.csv").read_bytes(), "t.csv", {"missing": ["-99"]})
    found, _ = comparison()
    found["reading"] = describe_target(sheet, "left").to_json()
    script = write_row(found, "trees", "t.csv").partition("# the comparison's splits")[0]
    numbers = execute(script, tmp_path, monkeypatch)["data"].numeric[:, 0]
    assert np.isnan(numbers).tolist()[:4] == [True, True, True, False]


def test_a_method_that_is_not_there():
    with pytest.raises(KeyError):
        write_row(comparison()[0], "nothing")
