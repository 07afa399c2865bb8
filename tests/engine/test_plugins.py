"""A folder of one's own adds methods, sources and tables; what is wrong in it is a sentence and stops nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine import plugins
from engine.data.sources import plugin_tables
from engine.errors import BadData, BadInput, UnknownName
from engine.spec import RunSpec
from engine.spec.pens import RESERVED, Pen, list_free
from tests.engine.plugged import FAULTS, METHOD, OWN, make_folder
from tests.test_imports import ROOT

ASK = """
import json, sys
from engine import plugins
from engine.catalog import build_catalog
from engine.data.sources import load
from engine.errors import BadInput
from engine.runner.execute import drive, run
from engine.spec import RunSpec
from engine.sweep import SweepSpec
live, committed = build_catalog(live=True), build_catalog()
told = {"names": [[e["name"] for e in c[k]] for c in (live, committed) for k in ("methods", "datasets")], "unreadable": live["unreadable"]}
told["entries"] = [e for k in ("methods", "datasets") for e in live[k] if e["name"] in ("naive-bayes", "stripes", "tables/apples")]
told["digests"] = plugins.list_digests()
if "naive-bayes" in told["names"][0]:
    spec = RunSpec("stripes", "naive-bayes").complete(live)
    plan = SweepSpec(("stripes", "tables/apples"), ("naive-bayes",), (2.0,), folds=2, seeds=1)
    told["cells"] = [[cell.spec.dataset, cell.spec.plugin] for cell in plan.cells(live) if cell.spec.method == "naive-bayes"]
    _, result, _ = drive(run(spec, frames=0))
    told |= {"id": result.run_id, "spec": result.spec, "provenance": result.provenance}
    try:
        drive(run(spec.with_(plugin="0" * 64), frames=0))
    except BadInput as error:
        told["stale"] = str(error)
    from engine.compare.comparison import compare
    from engine.spec.comparison import CompareSpec
    from engine.spec.contest import list_contenders
    told["rows"] = [name for name in list_contenders(live) if "naive" in name]
    asked = CompareSpec({"dataset": "stripes"}, models=("naive-bayes",), remedies=("rus",), ensembles=(), budget=5)
    told["asked"] = asked.complete(live).to_json()
    told["compare_ids"] = [one.complete(live).id("f") for one in (asked, CompareSpec({"dataset": "stripes"}))]
    seconds = iter(range(0, 10**6, 10))
    data = load("tables/apples")
    found = drive(compare(data, asked, clock=lambda: next(seconds)))
    told["compared"] = [[row["name"], row["failed"], row["remedy"]] for row in found[1]["methods"]]
    told["compared_spec"] = found[1]["spec"]["plugins"]
    from engine.report.comparison_code import write_row
    told["row_code"] = write_row(found[1], "naive-bayes")
    try:
        drive(compare(data, CompareSpec.from_json(told["asked"] | {"plugins": {"naive-bayes": "0" * 64}})))
    except BadInput as error:
        told["stale_comparison"] = str(error)
    import engine.estimators
    told["classifier"] = engine.estimators.NaiveBayesClassifier.__name__
if "own-bag" in told["names"][0]:
    import os, pathlib
    from engine.data.tables.reading import read_sheet
    from engine.data.tables.target import to_dataset
    table = pathlib.Path(os.environ["LAB_PLUGINS"]) / "tables" / "apples.csv"
    data = to_dataset(read_sheet(table.read_bytes(), "apples.csv", target="ripe"), "ripe")
    asked = CompareSpec({"upload": "secret-id"}, "ripe", models=("logistic",), remedies=(), ensembles=("own-bag",), methods=("own-copies",),
                        budget=5, tune=False)
    seconds = iter(range(10**9))
    _, found, kept = drive(compare(data, asked.complete(live), clock=lambda: next(seconds) / 50))
    told["whole"] = [[row[name] for name in ("name", "failed", "model", "remedy", "replicates")] for row in found["methods"]]
    told["aps"] = {row["name"]: row["metrics"]["average_precision"] for row in found["methods"]}
    told["whole_plugins"], told["whole_kept"] = found["spec"]["plugins"], sorted(kept)
print(json.dumps(told))
"""


def ask(folder: Path, **more: str) -> dict:
    """What a process of its own finds with this folder."""
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        cwd=ROOT,
        env=os.environ | {"LAB_PLUGINS": str(folder)} | more,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    answer: dict = json.loads(done.stdout)
    return answer


def test_a_folder_adds_methods_sources_and_tables(tmp_path):
    folder = make_folder(tmp_path / "own", faults=True)
    for name, text in OWN.items():
        (folder / name).write_text(text, encoding="utf-8")
    told = ask(folder)
    methods, datasets, usual_methods, usual_datasets = map(set, told["names"])
    assert {"naive-bayes", "own-bag", "own-copies"} == methods - usual_methods
    assert {"stripes", "tables/apples", "tables/pears"} == {
        name for name in datasets - usual_datasets if not name.startswith("images/")
    }
    assert len([line for line in told["unreadable"] if line.startswith("Plugin ")]) == len(FAULTS)
    for name, why in (
        ("broken.py", "SyntaxError"),
        ("clash.py", "called 'focal' already"),
        ("family.py", "'no such'"),
        ("leaves.py", "3"),
        ("huge.py", "5 MiB"),
        ("name.py", "'../x'"),
        ("silent.py", "Silent"),
        ("taken.py", "a class of this name already"),
        ("title.py", "60 letters"),
    ):
        assert any(name in line and why in line for line in told["unreadable"]), (name, told["unreadable"])
    digest = told["digests"]["naive_bayes.py"]
    by_name = {entry["name"]: entry for entry in told["entries"]}
    assert by_name["naive-bayes"]["plugin"] == digest == told["spec"]["plugin"] and by_name["naive-bayes"]["pen"]
    assert told["digests"]["stripes.py"] in by_name["stripes"]["fingerprint"]
    assert told["cells"] == [["stripes", digest], ["tables/apples", digest]], "as Compare asks for them"
    assert told["provenance"]["plugins"] == told["digests"]
    assert "has changed: start the engine anew" in told["stale"] and told["classifier"] == "NaiveBayesClassifier"
    assert told["rows"] == ["naive-bayes", *(f"naive-bayes+{name}" for name in ("class-weights", "threshold", "rus", "smote"))]
    assert told["asked"]["plugins"] == told["compared_spec"] == {"naive-bayes": digest}
    assert told["compared"] == [["naive-bayes", None, "none"], ["naive-bayes+rus", None, "rus"]]
    assert "has changed: start the engine anew" in told["stale_comparison"]
    assert f"LAB_PLUGINS must name the folder of its file, sha256 {digest}" in told["row_code"]
    assert "make_classifier(find_method('naive-bayes'))" in told["row_code"]
    compile(told["row_code"], "code.py", "exec")
    assert told["whole"] == [
        ["ce", None, "network", "none", 5],
        ["logistic", None, "logistic", "none", 5],
        ["own-bag", None, "own-bag", "none", 5],
        ["own-copies", None, "network", "own-copies", 5],
    ], "a comparison of a person's table, its second round done"
    for one in told["aps"].values():
        assert len(one["values"]) == 5 and 0.2 < one["mean"] <= 1 and one["low"] < one["mean"] <= one["high"]
    assert len({tuple(one["values"]) for one in told["aps"].values()}) == 4
    assert told["whole_plugins"] == {
        name: told["digests"][f"{name.replace('-', '_')}.py"] for name in ("own-bag", "own-copies")
    }
    assert {"augmented/own-copies", "model/own-copies", "decide/own-bag", "thresholds/own-copies"} <= set(told["whole_kept"])
    for name in (*FAULTS, *OWN):
        (folder / name).unlink()
    (folder / "naive_bayes.py").write_text(METHOD + "\n", encoding="utf-8")
    again = ask(folder)
    assert again["id"] != told["id"] and again["digests"]["naive_bayes.py"] != digest
    assert again["compare_ids"][0] != told["compare_ids"][0], "the file's digest is in the id"
    assert again["compare_ids"][1] == told["compare_ids"][1], "of a comparison without it, it is not"
    assert not [line for line in again["unreadable"] if line.startswith("Plugin ")]


def test_a_pipe_and_a_folder_are_not_read(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "folder.py").mkdir()
    monkeypatch.setenv("LAB_PLUGINS", str(tmp_path))
    monkeypatch.setattr(plugins, "_problems", {})
    assert plugins.load_plugins.__wrapped__() == ()
    assert [line.split(" is left")[0] for line in plugins.list_problems()] == ["Plugin folder.py", "Plugin pipe.py"]


def test_a_demonstration_has_none(tmp_path):
    told = ask(make_folder(tmp_path / "own"), LAB_DEMO="1")
    assert "naive-bayes" not in told["names"][0] and "tables/apples" not in told["names"][1] and told["digests"] == {}


def test_the_digest_is_in_the_id_and_only_where_there_is_one():
    spec = RunSpec("glass2", "ce")
    assert "plugin" not in spec.to_json() and "plugin" in spec.with_(plugin="a").to_json()
    assert len({spec.with_(plugin=digest).run_id("f") for digest in ("", "a", "b")}) == 3
    assert RunSpec.from_json(spec.with_(plugin="a").to_json()) == spec.with_(plugin="a")


def test_what_own_code_raises_is_one_sentence():
    with (
        pytest.raises(BadInput, match=r"^Plugin mine failed: ZeroDivisionError: division by zero\.$"),
        plugins.tell_faults("mine"),
    ):
        _ = 1 / 0
    with pytest.raises(ZeroDivisionError), plugins.tell_faults(""):
        _ = 1 / 0
    with pytest.raises(BadData, match="^as it is$"), plugins.tell_faults("mine"):
        raise BadData("as it is")


def test_free_pens_are_free():
    taken = {*RESERVED.values(), Pen("green", "solid", "circle")}
    pens = list(list_free(taken))
    assert not taken & set(pens) and len(set(pens)) == len(pens) > 300


# ---- tables


@pytest.fixture
def folder(tmp_path, monkeypatch):
    path = make_folder(tmp_path / "own")
    monkeypatch.setenv("LAB_PLUGINS", str(path))
    return path


def test_a_table_is_read_whole(folder):
    facts = plugin_tables.facts_of("tables/apples")
    data = plugin_tables.load("tables/apples", {})
    assert facts.classes == data.classes == ("no", "yes") and sum(facts.counts) == 160 and facts.counts[0] > facts.counts[1]
    assert data.numeric_names == ("weight",) and data.categories == (("green", "red"),) and facts.columns == 3
    lines = (folder / "tables" / "apples.csv").read_text().splitlines()[1:]
    assert [line.split(",")[2] for line in lines] == [data.classes[y] for y in data.y]
    assert [line.split(",")[1] for line in lines] == [data.categories[0][c] for c in data.categorical[:, 0]]
    assert [float(line.split(",")[0]) for line in lines] == data.numeric[:, 0].tolist()
    assert plugin_tables.available("tables/apples") and not plugin_tables.available("tables/none")


def test_changed_rows_change_the_fingerprint(folder):
    before = plugin_tables.facts_of("tables/apples").fingerprint
    path = folder / "tables" / "apples.csv"
    path.write_text(path.read_text() + "3.5,red,no\n")
    assert plugin_tables.facts_of("tables/apples").fingerprint != before


@pytest.mark.parametrize(
    ("line", "text", "why"),
    [
        ("t, y", "", "has no rows below a line of column names"),
        ("t, z", "x,y\n1,a\n2,b\n", "has no column 'z'; it has: x, y"),
        ("t, y", "x,y\n1,a\n2\n", "row 3: 1 values in a table of 2 columns"),
        ("t, y", "x,y\n1,a\n,b\n", "column 'x' has empty cells"),
        ("t, y", "x,x,y\n1,2,a\n3,4,b\n", "every column needs a name of its own"),
        ("t, y", "x,y\n1,a\n2,a\n", "has 1 values"),
        ("t, y", "y\na\nb\n", "no column beside its target"),
        ("t, y, c", "x,y\n1,a\n2,b\n", "'c' is not one of two values"),
        ("t, y", 'x,y\n1,"a\n', "is no CSV"),
        ("none, y", "", "none.csv cannot be read"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_table_is_a_sentence(folder, line, text, why):
    (folder / "tables" / "tables.txt").write_text(line + "\n", encoding="utf-8")
    (folder / "tables" / "t.csv").write_text(text, encoding="utf-8")
    (sentence,) = plugin_tables.unreadable()
    assert why in sentence and plugin_tables.facts() == []
    with pytest.raises(BadData):
        plugin_tables.load(f"tables/{line.split(',')[0]}", {})


def test_a_pipe_is_no_table(folder):
    (folder / "tables" / "tables.txt").write_text("t, y\n", encoding="utf-8")
    os.mkfifo(folder / "tables" / "t.csv")
    (sentence,) = plugin_tables.unreadable()
    assert "t.csv cannot be read" in sentence and plugin_tables.facts() == []


def test_lines_that_name_no_table_are_left_out(folder):
    (folder / "tables" / "tables.txt").write_text(
        "alone\n../up, y\n\n# a remark\n.hidden, y\napples.csv, ripe\n", encoding="utf-8"
    )
    assert list(plugin_tables.find_sets()) == ["tables/apples"]
    wrong = plugin_tables.unreadable()
    assert len(wrong) == 3 and all(f"line {n}" in line for n, line in zip((1, 2, 5), wrong, strict=True))
    with pytest.raises(UnknownName):
        plugin_tables.facts_of("tables/up")


def test_a_setting_that_names_no_folder_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("LAB_PLUGINS", str(tmp_path / "none"))
    monkeypatch.setattr(plugins, "_problems", {})
    plugins.load_plugins.cache_clear()
    assert plugins.load_plugins() == () and "names no folder" in plugins.list_problems()[0] and plugin_tables.facts() == []
    plugins.load_plugins.cache_clear()
