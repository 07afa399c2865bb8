"""`table keel --tune` at toy size: the same budget for all, going on where it stopped, and never a look at test rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.catalog import build_catalog
from engine.commands.main import main
from engine.papers import keel
from engine.reproduce import tuning
from engine.spec import RunSpec
from engine.training import network_cache

SHORT = {"hidden": [8], "epochs": 3}


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A small protocol on data that come with the product. Returns an empty folder."""
    monkeypatch.setenv("LAB_DATA", str(tmp_path / "nothing"))
    meta = {**keel.FULL.meta, "meta_epochs": 2}
    monkeypatch.setattr(keel, "FULL", replace(keel.FULL, datasets=("wine",), params=SHORT, meta=meta, seeds=1, folds=2))
    monkeypatch.setattr(tuning, "WIDTHS", (2, 4, 8))
    yield tmp_path
    network_cache.clear()


def tune(folder: Path, trials: int, *methods: str):
    table = keel.table("3").select(methods)
    return tuning.tune_table(table, trials, folder, build_catalog(found=True), "cpu", lambda line: None)


def test_every_method_has_the_same_budget_and_is_run_with_what_was_chosen(toy, capsys):
    words = ("keel", "--tune", "3", "--folder", str(toy / "runs"), "--methods", "CE", "RS", "ExplicitGradient", "--json")
    assert main(["table", *words]) == 0
    captured = capsys.readouterr()
    answer = json.loads(captured.out)
    assert "Tuned: layers 1, 2 or 3" in captured.err and "by 3 trials" in captured.err
    told = {one["method"]: one for one in answer["tuning"]}
    assert set(told) == {"CE", "RS", "ExplicitGradient"} and {one["trials"] for one in told.values()} == {3}
    assert all(0 < one["value"] <= 1 and set(one["params"]) == {"hidden", "learning_rate"} for one in told.values())
    runs = {path.stem: json.loads(path.read_text()) for path in (toy / "runs").glob("*.json")}
    assert len(runs) == 3  # the test rows were looked at by three runs, one a method
    for row in answer["rows"]:
        if row["ours"]:
            params = runs[row["runs"][0]]["spec"]["params"]
            assert {name: params[name] for name in ("hidden", "learning_rate")} == told[row["labels"]["method"]]["params"]
            assert params["epochs"] == 3
    # asked again, no trial and no run is made
    assert main(["table", *words]) == 0
    captured = capsys.readouterr()
    assert captured.err.count("3 of 3 trials kept from before") == 3 and json.loads(captured.out) == answer


def test_stopped_and_gone_on_is_as_if_it_had_not_been(toy, monkeypatch):
    whole, told = tune(toy / "one", 5, "CE")
    tune(toy / "two", 2, "CE")
    scores = tuning.score_epochs

    def interrupted(spec, task):
        yield next(scores(spec, task))
        raise KeyboardInterrupt

    monkeypatch.setattr(tuning, "score_epochs", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tune(toy / "two", 5, "CE")
    monkeypatch.setattr(tuning, "score_epochs", scores)
    assert tune(toy / "two", 5, "CE") == (whole, told)
    assert "layers 1, 2 or 3" in whole.description and whole.description.endswith("single split.")


def test_test_labels_do_not_change_what_is_chosen(toy, monkeypatch):
    made = tuning._prepare_task

    def permuted(spec, device):
        task = made(spec, device)
        assert task.test.mask.any()
        return replace(task, test=replace(task.test, y=task.test.y.roll(7, 1), x=torch.full_like(task.test.x, torch.nan)))

    _, told = tune(toy / "one", 3, "SMOTE", "ExplicitGradient")
    monkeypatch.setattr(tuning, "_prepare_task", permuted)
    assert tune(toy / "two", 3, "SMOTE", "ExplicitGradient")[1] == told
    spec = RunSpec("wine", "ce", params=SHORT, folds=2).complete(build_catalog(found=True))
    task = tuning.remove_test_rows(made(spec, "cpu"))
    for part in (task.test, task.withheld, task.withheld_elsewhere):
        assert not part.mask.any() and not part.x.any() and not part.y.any()
    assert all(len(source) == 0 for source in task.test_source)


def test_a_trial_is_judged_by_what_a_run_keeps(toy):
    """The score is the mean of what `validation` of a result says, and hopeless trials end early."""
    from engine.papers.result_cache import summarise_result
    from engine.runner import drive, run

    spec = RunSpec("wine", "explicit-gradient", params={**SHORT, **keel.FULL.meta}, folds=2).complete(build_catalog(found=True))
    *_, last = tuning.score_epochs(spec, tuning.remove_test_rows(tuning._prepare_task(spec, "cpu")))
    validation = summarise_result(drive(run(spec, frames=0))[1])["validation"]
    assert last == pytest.approx(sum(validation) / 2, abs=1e-6)


def test_hopeless_trials_end_early_and_count(toy, monkeypatch):
    asked: list[int] = []

    def scores(spec, task):
        asked.append(0)
        value = {0.1: 0.1, 0.01: 0.9, 0.001: 0.5}[spec.params["learning_rate"]] + len(spec.params["hidden"]) / 100
        for _ in range(10):
            asked[-1] += 1
            yield value

    monkeypatch.setattr(tuning, "score_epochs", scores)
    _, (told,) = tune(toy, 20, "CE")
    assert told["trials"] == 20 and told["pruned"] > 0 and told["params"]["learning_rate"] == 0.01
    assert min(asked) < 10 and len(asked) <= 20  # a setting that was tried is not tried again


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("keel", "--tune"), "--tune keeps its trials in a folder"),
        (("keel", "--tune", "99", "--folder", "x"), "--tune 99: must be a whole number in [1, 27]"),
        (("adult", "--tune", "2", "--folder", "x"), "--tune is for keel"),
        (("keel", "--tune", "--folder", "x", "--ship"), "goes where --out says"),
        (("keel", "--tune", "--check"), "leave --tune out"),
    ],
)
def test_what_cannot_be_is_one_sentence(capsys, monkeypatch, toy, words, said):
    monkeypatch.chdir(toy)
    monkeypatch.setattr(tuning, "MAX_TRIALS", 27)
    assert main(["table", *words]) == 2
    assert said in (err := capsys.readouterr().err) and "Traceback" not in err
