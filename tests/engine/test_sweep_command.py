"""`python -m engine sweep`: what is missing is run cheapest first, kept as it comes, and told to a person and to a program."""

from __future__ import annotations

import ast
import json
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine import runner as runner_module
from engine.catalog import build_catalog
from engine.commands import main
from engine.errors import OutOfMemory
from engine.events import Progress
from engine.report.sweep_code import list_arguments, write_command, write_python
from engine.spec import RunSpec
from engine.store import Store
from engine.sweep import SweepSpec
from engine.sweep.standing import read_standing
from engine.sweep.table import build_table
from tests.app import fabricate
from tests.engine.hostile import Page

CATALOG = build_catalog()
ASKED = ("sweep", "--datasets", "glass2,moons", "--methods", "smote,rus", "--ratios", "20", "--folds", "2", "--seeds", "2")
SPEC = SweepSpec(("glass2", "moons"), ("smote", "rus"), (20,), folds=2, seeds=2)

Ask = Callable[..., tuple[int, str, str]]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path / 'lab.db'}"
    monkeypatch.setenv("LAB_STORE", url)
    store = Store(url)
    yield store
    store.close()


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[RunSpec]:
    """The runner is made up: it notes what it was asked for, and gives a plausible result at once."""
    asked: list[RunSpec] = []

    def run(spec: RunSpec, *, device: str = "auto") -> Any:
        asked.append(spec)
        yield Progress(1, 1)
        level = {"ce": 0.3, "smote": 0.45, "potential": 0.7}.get(spec.method, 0.3)
        return fabricate.result(spec, ap=level, seed=len(asked)), {}

    monkeypatch.setattr(runner_module, "run", run)
    return asked


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Ask:
    def carry_out(*words: str) -> tuple[int, str, str]:
        status = main.main(words)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return carry_out


def test_the_python_of_a_sweep_trains_its_cells(capsys):
    spec = SweepSpec(("wine",), ("ce",), (2,), folds=1, seed=3, seeds=1)
    names: dict[str, Any] = {}
    exec(compile(write_python(spec, "f1"), "sweep.py", "exec"), names)
    assert names["spec"] == spec and list(names["results"]) == [("wine", 2.0, "ce"), ("wine", 2.0, "potential")]
    assert [result.run_id for result in names["results"].values()] == [cell.id for cell in spec.cells(CATALOG)]
    said = capsys.readouterr().out.splitlines()
    for line, ((_, _, method), result) in zip(said, names["results"].items(), strict=True):
        assert line.startswith(f"wine 2:1 {method} f1 {result.metric('f1').mean:.3f} [") and line.endswith(", n = 1")


def test_the_words_of_a_sweep_are_safe_in_a_shell_and_in_python():
    evil = SweepSpec(("a'); import os #", "$(x) y"), ("smote",), (5,))
    words = shlex.split(write_command(evil, "f1"))
    assert words == [*list_arguments(evil), "--metric", "f1"] and write_command(evil) == shlex.join(list_arguments(evil))
    made = next(node for node in ast.walk(ast.parse(write_python(evil))) if isinstance(node, ast.Call))
    assert {k.arg: ast.literal_eval(k.value) for k in made.keywords} == vars(evil)


def test_it_runs_everything_once_cheapest_first_and_tells_a_person(store, ran, ask):
    status, out, said = ask(*ASKED)
    cells = SPEC.cells(CATALOG)
    assert status == 0 and ran == [cell.spec for cell in cells] and len(cells) == 8
    assert said.splitlines()[0] == "1 of 8: Random under-sampling (RUS) on glass2 at 20:1"
    assert all("; about " in line and " left" in line for line in said.splitlines()[1:8])
    assert out.splitlines()[0] == "glass2 20:1" and "moons 20:1" in out.splitlines()
    row = next(line for line in out.splitlines() if "SMOTE" in line)
    smote = build_table(store, SPEC, CATALOG)[1]
    assert (
        f"{smote['mean']:.3f} [{smote['low']:.3f}, {smote['high']:.3f}]" in row and f"{smote['difference']['mean']:+.3f}" in row
    )
    assert f"{smote['difference']['p_holm']:.3f}" in row and "%" in row
    assert "Holm over the 4 differences shown" in out and "Mean rank over 2 cells" in out
    assert [sweep.spec for sweep in store.sweeps()] == [SPEC.to_json()]
    assert ask(*ASKED)[0] == 0 and len(ran) == 8, "what is in the store is free"


def test_the_program_s_answer_is_the_table(store, ran, ask):
    status, out, _ = ask(*ASKED, "--json", "--metric", "f1")
    answer = json.loads(out)
    assert status == 0 and answer["cells"] == build_table(store, SPEC, CATALOG, "f1") and answer["metric"] == "f1"
    assert SweepSpec.from_json(answer["sweep"]) == SPEC
    assert answer["impossible"] == [] and answer["over_cells"]["sets"] == 2


def test_what_cannot_be_is_said_and_the_rest_is_run(store, ran, ask):
    status, out, _ = ask(
        "sweep", "--datasets", "wine,digits", "--methods", "smotenc", "--ratios", "5,40", "--seeds", "1", "--folds", "1"
    )
    assert status == 0 and {(s.dataset, s.imbalance.ratio) for s in ran} == {("wine", 5.0), ("digits", 5.0)}
    assert "Not possible: wine at 40:1. At most" in out
    assert "Not possible: smotenc on digits. smotenc takes tabular data" in out


def test_a_failed_cell_stops_nobody_and_ends_in_1(store, ran, ask, monkeypatch):
    real = runner_module.run

    def run(spec: RunSpec, *, device: str = "auto") -> Any:
        if (spec.dataset, spec.method) == ("glass2", "rus"):
            raise OutOfMemory("No memory for this.")
        if (spec.dataset, spec.method) == ("moons", "smote"):
            raise ZeroDivisionError("by\nzero")
        return (yield from real(spec, device=device))

    monkeypatch.setattr(runner_module, "run", run)
    status, out, said = ask(*ASKED)
    assert status == 1 and len(ran) == 6
    assert "Random under-sampling (RUS) on glass2 at 20:1 failed: No memory for this." in said
    assert "SMOTE on moons at 20:1 failed: The run failed with an error in the engine (ZeroDivisionError: by zero)." in out
    assert read_standing(store, SPEC, CATALOG).missing == 2, "they can be asked for again"
    monkeypatch.setattr(runner_module, "run", real)
    assert ask(*ASKED)[0] == 0 and len(ran) == 8


def test_ctrl_c_keeps_what_is_done_and_the_next_one_goes_on(store, ran, ask, monkeypatch, tmp_path):
    real = runner_module.run

    def run(spec: RunSpec, *, device: str = "auto") -> Any:
        if len(ran) == 3:
            raise KeyboardInterrupt
        return (yield from real(spec, device=device))

    monkeypatch.setattr(runner_module, "run", run)
    report = tmp_path / "part.html"
    status, out, said = ask(*ASKED, "--report", str(report))
    assert status == 130 and "stopped: 3 of 8 runs are kept" in said
    assert (
        read_standing(store, SPEC, CATALOG).done == 3
        and "missing" in out
        and "3 of 8 are done" in Page(report.read_text()).text
    )
    monkeypatch.setattr(runner_module, "run", real)
    assert ask(*ASKED)[0] == 0 and len(ran) == 8


def test_the_report_is_one_file_that_says_how_to_get_it(store, ran, ask, tmp_path):
    report = tmp_path / "out.html"
    assert ask(*ASKED, "--report", str(report))[0] == 0
    text = Page(report.read_text(encoding="utf-8")).text
    assert "python -m engine sweep --datasets glass2,moons --methods smote,rus --ratios 20" in text and "SMOTE" in text
    words = list_arguments(SPEC)
    assert words[:4] == ["python", "-m", "engine", "sweep"]
    ran.clear()
    assert ask(*words[3:])[0] == 0 and ran == [], "that command is this sweep"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--datasets", "mars"), "no dataset is called 'mars'"),
        (("--methods", "smoke"), "no method is called 'smoke'"),
        (("--ratios", "5,x"), "'x' is not a number"),
        (("--ratios", "600"), "numbers in [1, 500]"),
        (("--folds", "0"), "folds=0"),
        (("--metric", "luck"), "--metric"),
        (("--report", "/nowhere/at/all.html"), "folder that exists"),
    ],
)
def test_a_mistake_is_one_sentence_and_2_before_anything_is_run(store, ran, ask, words, said):
    status, out, err = ask(*ASKED, *words)
    assert (status, out, ran) == (2, "", []) and said in err and len(err.strip().splitlines()) == 1
    assert store.sweeps() == []


def test_a_real_sweep_from_nothing_to_its_table(store, ask):
    asked = ("sweep", "--datasets", "iris", "--methods", "rus", "--ratios", "8", "--folds", "1", "--seeds", "2")
    status, out, _ = ask(*asked, "--json", "--device", "cpu")
    cells = {cell["method"]: cell for cell in json.loads(out)["cells"]}
    assert status == 0 and cells.keys() == {"ce", "rus", "potential"} and {c["n"] for c in cells.values()} == {2}
    assert cells["rus"]["difference"]["n"] == 2 and cells["ce"]["seconds"] > 0
