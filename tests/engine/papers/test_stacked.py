"""The first paper's tables from the command: an arm's replicates are one run, with tests over sets and figures beside them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.catalog import build_catalog
from engine.commands.main import main
from engine.papers import adult, keel, measured, moving, sine
from engine.papers.protocol import Arm
from engine.papers.result_cache import summarise_result
from engine.papers.verdicts import judge
from engine.reproduce import parallel
from engine.runner import drive, run
from engine.spec import Imbalance, RunSpec
from engine.spec.result import Result
from engine.training import network_cache

SETS = ("breast-cancer", "wine")
SHORT = {"hidden": [8], "epochs": 2}


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Small protocols, on data that come with the product. Returns an empty folder."""
    monkeypatch.setenv("LAB_DATA", str(tmp_path / "nothing"))
    meta = {**keel.FULL.meta, "meta_epochs": 2}
    monkeypatch.setattr(keel, "FULL", replace(keel.FULL, datasets=SETS, params=SHORT, meta=meta, seeds=2))
    monkeypatch.setattr(sine, "SMALL", replace(sine.SMALL, seeds=3, steps=(5, 5)))
    study = replace(keel.FULL, datasets=("wine",), seeds=1)
    monkeypatch.setattr(moving, "FULL", replace(moving.FULL, keel=study))
    yield tmp_path
    network_cache.clear()


def ask(capsys: pytest.CaptureFixture[str], *asked: str) -> tuple[str, str]:
    """Carry out `table`: (stdout, stderr)."""
    assert main(["table", *asked]) == 0
    captured = capsys.readouterr()
    return captured.out, captured.err


def test_keel_end_to_end(toy, capsys):
    asked = ("keel", "--folder", str(toy / "runs"))
    out, err = ask(capsys, *asked, "--json", "--out", str(toy))
    answer = json.loads(out)
    assert "14 of 14: smote on wine, 8 replicates, about" in err and len(list((toy / "runs").glob("*.json"))) == 14
    here = [row for row in answer["rows"] if row["ours"]]
    assert len(here) == 14 and all(len(row["values"]) == row["ours"]["n"] == 8 and len(row["runs"]) == 1 for row in here)
    assert (
        all(row["test_share"] == pytest.approx(1 / 3) for row in here)
        and len({run for row in here for run in row["runs"]}) == 14
    )
    # the same as the runs by themselves: folds in order, seed after seed
    arm = keel.build_arms("wine", keel.FULL)["RS"]
    alone = drive(run(arm.spec(0, 4, 2).complete(build_catalog(found=True)), frames=0))[1]
    mine = next(row for row in here if row["dataset"] == "wine" and row["labels"]["method"] == "RS")
    assert mine["values"] == pytest.approx(alone.metrics["average_precision"]["values"], abs=1e-6)
    # replicates are paired, and tested as such
    claim = next(c for c in answer["claims"] if c["dataset"] == "wine" and "above RS" in c["text"])
    assert claim["right"] == mine["values"] and claim["n"] == 8
    ours = answer["beside"]["3"]["over_sets"]["ours with the controls"]
    assert ours["sets"] == 2 and set(ours["methods"]) == {
        "CE",
        "RS",
        "Focal",
        "SMOTE",
        "ExplicitGradient",
        "frozen",
        "CE, equal steps",
    }
    assert ours["means"]["RS"] == pytest.approx(
        np.mean([row["ours"]["mean"] for row in here if row["labels"]["method"] == "RS"])
    )
    published = answer["beside"]["3"]["over_sets"]["as published"]
    assert published["sets"] == 22 and published["pairs"][0]["wins"] == 9
    # as it would be shipped
    document = json.loads(gzip.decompress((toy / "keel_table_3_full.json.gz").read_bytes()))
    assert document["over_sets"] == answer["beside"]["3"]["over_sets"] and document["provenance"]["runs"] == 14
    assert document["provenance"]["command"] == "python -m engine table keel --table 3" and document["provenance"]["n"] == 8
    assert list(judge(document["rows"], document["claims"])) == [document["rows"], document["claims"]]
    # again: nothing is run; as text
    out, err = ask(capsys, *asked)
    assert "14 runs, 14 of them kept from before" in err and out.startswith("KEEL table 3: Average precision on 22 KEEL sets")
    for said in (
        "Over 22 data sets, as published:",
        "ExplicitGradient: mean rank 2.86, mean 0.7071, within 0 of the best on 13 sets, alone ahead on 5",
        "ExplicitGradient against CE: +0.0325; 9 wins, 5 ties, 8 losses by more than 0; Wilcoxon p = ",
        "Over 2 data sets, ours:",
        "ExplicitGradient outperforms the traditional methods on most data sets: does not hold",
        "Nemenyi's critical difference of mean ranks 1.30 (0.05)",
    ):
        assert said in out, said


def test_a_shipped_cell_is_checked(toy, capsys, monkeypatch):
    monkeypatch.setattr(measured, "HERE", toy)
    ask(capsys, "keel", "--folder", str(toy / "runs"), "--methods", "CE", "RS", "--datasets", "wine", "--out", str(toy))

    def check(status, *words):
        assert main(["table", "keel", "--check", *words]) == status
        return capsys.readouterr().out

    assert check(0) == "wine, CE, average precision, 8 values: equal to 1e-9 (largest difference 0)\n"
    cells = json.loads(check(0, "--json", "--datasets", "wine"))["cells"]
    assert [(c["cell"], c["equal"], c["alike"], c["ok"]) for c in cells] == [
        (f"wine, {method}, average precision", True, True, True) for method in ("CE", "RS")
    ]
    document = measured.read_table("keel", "3", False)
    row = next(r for r in document["rows"] if r["dataset"] == "wine" and r["labels"]["method"] == "RS")
    row["values"][3] += 2e-9
    measured.write_table(measured.table_path("keel", "3", False), document)
    assert "largest difference 2e-09; the mean" in check(1, "--cell", "RS, wine")  # this machine: no excuse
    document["provenance"]["cpus"] = ["another"]
    measured.write_table(measured.table_path("keel", "3", False), document)
    assert "is inside the shipped interval" in (said := check(0, "--cell", "rs,WINE")) and "cpus another there, " in said
    row["ours"] |= {"low": 2.0, "high": 3.0}
    measured.write_table(measured.table_path("keel", "3", False), document)
    assert "is outside the shipped interval [2.0000, 3.0000]" in check(1, "--cell", "wine, RS, average precision")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--cell", "glass2, CE"), "--cell names a cell to be checked"),
        (("--check", "--seeds", "2"), "leave --seeds out."),
        (("--check", "--ship"), "leave --ship, --kept and --folder out."),
        (
            ("--check", "--cell", "nothing"),
            "has no measured cell called 'nothing'; one is 'yeast-2_vs_4, CE, average precision'.",
        ),
        (("--check", "--reduced"), "no reduced table 3 of keel is shipped; there is the full one."),
        (("--jobs", "0"), "--jobs 0: must be a whole number in [1, 64]."),
    ],
)
def test_a_check_that_cannot_be_is_one_sentence(capsys, words, said):
    assert main(["table", "keel", *words]) == 2
    assert said in (err := capsys.readouterr().err) and err.count("\n") == 1


def test_two_at_once_give_what_one_after_the_other_does(toy, capsys):
    asked = ("keel", "--methods", "CE", "frozen", "RS", "--json")
    alone = json.loads(ask(capsys, *asked, "--folder", str(toy / "one"))[0])
    out, err = ask(capsys, *asked, "--folder", str(toy / "two"), "--jobs", "2")
    together = json.loads(out)
    assert together["rows"] == alone["rows"] and len(list((toy / "two").glob("*.json"))) == 6
    assert [line[:6] for line in err.splitlines() if " of 6:" in line] == [f"{i} of 6" for i in range(1, 7)]
    assert "6 runs, 6 of them kept from before" in ask(capsys, *asked, "--folder", str(toy / "two"), "--jobs", "2")[1]


def test_a_process_that_dies_takes_one_run_along(toy, monkeypatch):
    specs = [RunSpec("wine", "ce", params=SHORT, seed=s).complete(build_catalog(found=True)).to_json() for s in range(2)]
    bad = specs[0] | {"params": {"epochs": "many"}}
    strange = specs[0] | {"dataset": "nowhere"}
    began = []

    def start(item):
        began.append(item)
        return item != "left out"

    todo = [[("bad", bad), ("good", specs[1])], [("strange", strange), ("left out", specs[0])]]
    found = dict(parallel.run_groups(todo, 1, "cpu", start))
    assert began == ["bad", "good", "strange", "left out"] and set(found) == {"bad", "good", "strange"}
    assert isinstance(found["good"], Result) and "nowhere" in found["strange"] and "epochs" in found["bad"]
    monkeypatch.setattr(parallel, "_serve_specs", print)  # a child that is gone before it answers
    assert dict(parallel.run_groups([[("a", specs[0])], [("b", specs[1])]], 2, "cpu", lambda _: True)) == {
        "a": parallel.DIED,
        "b": parallel.DIED,
    }


def test_folds_and_seeds_can_be_asked_for(toy, capsys):
    asked = (
        "keel",
        "--folder",
        str(toy / "runs"),
        "--methods",
        "CE",
        "RS",
        "--datasets",
        "wine",
        "--folds",
        "2",
        "--seeds",
        "3",
    )
    answer = json.loads(ask(capsys, *asked, "--json")[0])
    assert {len(row["values"]) for row in answer["rows"] if row["ours"]} == {6} and "beside" not in answer
    assert {row["test_share"] for row in answer["rows"] if row["ours"]} == {1.0}


def test_sine_end_to_end(toy, capsys):
    out, err = ask(capsys, "sine", "--table", "2", "--reduced", "--folder", str(toy / "runs"), "--json", "--out", str(toy))
    answer = json.loads(out)
    assert "5 of 5: regression on sine, 3 draws" in err and not list((toy / "runs").glob("*.json"))
    assert len(answer["rows"]) == 9 and {row["verdict"] for row in answer["rows"]} == {"not published"}
    assert all(row["ours"]["n"] == 3 and row["test_share"] == 0 for row in answer["rows"])
    assert len(answer["claims"]) == 5 and all(claim["n"] == 3 for claim in answer["claims"])
    assert set(answer["beside"]["2"]["figures"]["2"]) == {"left", "middle", "right"}
    document = json.loads(gzip.decompress((toy / "sine_table_2_reduced.json.gz").read_bytes()))
    assert document["figures"] == answer["beside"]["2"]["figures"] and document["provenance"]["runs"] == 5
    text = ask(capsys, "sine", "--table", "2", "--reduced", "--folder", str(toy / "runs"))[0]
    assert text.startswith("Sine table 2: Regression of a sine") and "sine, frozen, test mse" in text


def test_moving_is_chosen_on_validation(toy, capsys):
    out, err = ask(capsys, "moving", "--folder", str(toy / "runs"), "--json")
    answer = json.loads(out)
    assert "24 of 24: smote on wine, 4 replicates" in err
    rows = {row["labels"]["method"]: row for row in answer["rows"]}
    runs = {path.stem: json.loads(path.read_text()) for path in (toy / "runs").glob("*.json")}
    for method, arms in (
        (moving.MOVING, moving.build_variants("wine", keel.FULL)[0]),
        (moving.FROZEN, moving.build_variants("wine", keel.FULL)[1]),
    ):
        assert len(rows[method]["runs"]) == len(arms) and rows[method]["ours"]["n"] == 4
        results = [runs[id] for id in rows[method]["runs"]]
        for r, value in enumerate(rows[method]["values"]):
            best = max(results, key=lambda result: result["validation"][r])  # the first of equals
            assert value == pytest.approx(best["metrics"]["average_precision"]["values"][r], abs=1e-6)
    assert {c["text"] for c in answer["claims"]} >= {f"{moving.MOVING}, above RS, average precision"}
    over = answer["beside"]["steps"]["over_sets"]
    assert set(over) == {"chosen on validation", "frozen against each step"} and over["chosen on validation"]["sets"] == 1


def test_what_was_chosen_is_the_best_epoch():
    spec = RunSpec("breast-cancer", "explicit-gradient", params={**SHORT, "meta_epochs": 3}, folds=2, seeds=1)
    result = drive(run(spec.complete(build_catalog(found=True)), frames=0))[1]
    history, epoch = result.arrays["history/points/valid_ap"], result.arrays["epoch"].astype(int)
    assert summarise_result(result)["validation"] == pytest.approx([history[r, epoch[r] - 1] for r in range(2)])


def test_adults_figures_are_means_over_replicates(toy):
    spec = RunSpec(
        "breast-cancer", "explicit-gradient", Imbalance("ratio", 5.0), params={**SHORT, "meta_epochs": 3}, folds=2, seeds=2
    )
    result = drive(run(spec.complete(build_catalog(found=True)), frames=0))[1]
    lines = summarise_result(result)["lines"]
    assert lines["precision"] == pytest.approx(result.arrays["pr_precision"].mean(0), abs=1e-5)
    history = result.arrays["history/points/adapted_loss"]
    assert lines["history"]["points/adapted_loss"] == pytest.approx(np.nanmean(history, 0), abs=1e-5)
    json.dumps(summarise_result(result), allow_nan=False)
    found = adult.table("1")
    keys = {arm.key: lines for arm in found.arms()}
    figures = adult.figures(found, keys)
    assert list(figures["3"]) == list(adult.RATIOS) and set(figures["3"]["50:1"]) == set(adult.FIGURE_3)
    assert len(figures["3"]["50:1"]["SMOTE"]["precision"]) == len(figures["3"]["50:1"]["SMOTE"]["recall"]) == 101
    assert set(figures["4"]) == {row.labels["method"] for row in found.rows}
    assert {phase: len(values) for phase, values in figures["4"]["ExplicitGradient"].items()} == {"training": 2, "points": 3}
    assert set(figures["5"]) == {"adapted_loss", "synthetic_loss", "train_loss", "valid_loss"}
    assert adult.figures(found, {}) == {}


def test_one_replicate_at_a_time_stays_what_it_was():
    arm = Arm("digits", "ce", Imbalance())
    assert arm.spec(3, 2, 5) == RunSpec("digits", "ce", folds=2, seed=3) and arm.max_runs > 1000
    assert replace(arm, stacked=True).spec(0, 2, 5) == RunSpec("digits", "ce", folds=2, seeds=5)
    assert replace(arm, stacked=True).key != arm.key
