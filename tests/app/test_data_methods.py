"""The list of all methods on *Your data*: what it offers, what a press changes, and what a comparison then asks for."""

from __future__ import annotations

import re
from typing import Any

import pytest

from app.form import fields
from app.session import jobs, visitor
from app.views.data import all_methods, chooser
from app.words import data as words
from engine.errors import BadParameter
from engine.spec.comparison import CompareSpec
from engine.spec.row_seconds import DRAWING, Guess, Size, Timing
from engine.store import Store
from tests.app import boards, fabricate, tables
from tests.engine.contenders import CATALOG

DIGEST = "d" * 64
TABLE = all_methods.Table(Size(400, 6, 100), folds=5, counts=(350, 50))


def own(name: str, family: str, digest: str = DIGEST) -> dict[str, Any]:
    """A method as a plugin file adds it to the catalog."""
    first = next(entry for entry in CATALOG["methods"] if entry["name"] == "forest")
    return {**first, "name": name, "title": f"My {name}", "family": family, "plugin": digest, "comparison": 90}


OWN = {"mine-model": "model", "mine-bag": "ensemble", "mine-sampler": "sampling"}
LIVE = {"methods": [*CATALOG["methods"], *(own(name, family) for name, family in OWN.items())], "datasets": []}


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The session's state, with a live catalog that has plugin methods of three families."""
    kept: dict[str, Any] = {chooser._SAID: {}}
    monkeypatch.setattr(chooser.st, "session_state", kept)
    for module in (chooser, all_methods, jobs):
        monkeypatch.setattr(module, "read_catalog", lambda: LIVE)
    return kept


def rows(state: dict[str, Any], budget: float = 60) -> list[str]:
    return [row.name for row in chooser.count_rows(budget, state[chooser._SAID])]


def press(state: dict[str, Any], name: str, budget: float = 60) -> list[str]:
    """Press a method; return the rows that are compared then."""
    chooser._switch(budget, name)
    return rows(state, budget)


@pytest.mark.parametrize("budget", [15, 60, 300])
@pytest.mark.parametrize("name", ["swim", "lmnn", "mesa", "cost-tree", *OWN])
def test_a_press_adds_a_method_and_a_second_one_takes_it_out(state: dict[str, Any], name: str, budget: int) -> None:
    usual = rows(state, budget)
    more = press(state, name, budget)
    assert name in more and {row.partition("+")[0] for row in set(more) - set(usual)} == {name}, (
        "and nothing else comes or goes"
    )
    assert set(usual) <= set(more)
    if name == "mine-model":
        assert ("mine-model+smote" in more) == (budget > 15), "its remedies are those of the other models"
    assert press(state, name, budget) == usual


def test_a_press_on_a_usual_row_takes_it_out(state: dict[str, Any]) -> None:
    assert "forest" in rows(state) and "forest" not in press(state, "forest") and "forest" in press(state, "forest")
    assert "eos" not in press(state, "eos") and "eos" in press(state, "eos")
    less = press(state, "ce")
    assert not {"ce", "eos", "smote"} & set(less) and "logistic" in less, "the network with all of its remedies"
    assert {"ce", "eos"} <= set(press(state, "eos")), "a remedy of the network brings the network back"
    assert "eos" not in press(state, "eos")


def test_the_list_has_every_method_for_tables_with_its_seconds(state: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    said: list[str] = []
    monkeypatch.setattr(fields, "draw_marks", lambda html, **_: drawn.append(html))
    for module in (fields, all_methods):
        monkeypatch.setattr(module.st, "caption", said.append)
    monkeypatch.setattr(jobs, "read_timings", lambda count: [Timing("mine-bag", Size(400, 6, 100), 4.0)])
    found = chooser.count_rows(60, {})
    all_methods.draw_list(TABLE, 60, lambda: found, lambda name: None)
    (html,) = drawn
    named = set(re.findall('data-mark="(.*?)"', html))
    tabular = {entry["name"] for entry in LIVE["methods"] if "tabular" in entry["kinds"] and entry["ranked"]}
    assert named == tabular | {"lightgbm", "xgboost", "catboost", "tabpfn"} and set(OWN) < named
    pressed = {name for name in named if re.search(f'data-mark="{re.escape(name)}"[^>]* aria-pressed="true"', html)}
    assert pressed == {row.name for row in found if "+" not in row.name}
    assert re.search(r'data-mark="mine-bag".*?2 to 8 s</span></button>', html), "a plugin that was compared here"
    assert re.search(r'data-mark="mine-model".*?seconds unknown</span></button>', html), "one that was not"
    assert re.search(r'data-mark="xgboost"[^>]* aria-disabled="true">.*?Not installed here\.</span>', html)
    assert (
        "5 folds on 400 rows, on one free core. Plain training counts once. Comparisons and runs made here move it." in said[0]
    )
    assert said[1].startswith(f"Chosen: {len(found)} rows, ") and "that take images alone." in said[1]


def test_a_sum_says_what_it_does_not_know() -> None:
    guesses = {"a": Guess(1, 2, 4), "b": None}
    total, unknown = all_methods.sum_guesses(["a", "a", "b"], guesses)
    assert total == Guess(2, 4, 8) and unknown == 1 and all_methods.sum_guesses(["b"], guesses) == (None, 1)
    assert all_methods.describe_guess(None) == words.SECONDS_UNKNOWN


def test_what_was_chosen_is_asked_for_and_comes_back(state: dict[str, Any]) -> None:
    for name in ("swim", "mine-model"):
        chooser._switch(60, name)
    asked = CompareSpec({"upload": "u"}, "left", **chooser.make_fields(60, state[chooser._SAID]))
    spec = asked.complete(LIVE)
    assert "swim" in (spec.methods or ()) and "mine-model" in (spec.models or ()) and spec.remedies is None
    assert spec.plugins == {"mine-model": DIGEST} and asked.plugins == {}
    before = rows(state)
    chooser.take_choice(spec.to_json())
    assert rows(state) == before
    chooser.take_choice({"methods": ["ce", "swim"]})  # of a comparison that names its rows alone
    assert rows(state) == ["ce", "swim"]


def test_a_plugins_digest_is_in_the_id_of_a_comparison(
    state: dict[str, Any], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visitor, "read_owner", lambda: tables.OWNER)
    spec = CompareSpec({"upload": tables.upload(store)}, "left", models=("forest", "mine-model"), ensembles=(), remedies=())
    first = jobs.ask_comparison(spec)
    assert first.spec["plugins"] == {"mine-model": DIGEST} and jobs.ask_comparison(spec).id == first.id
    changed = {"methods": [*CATALOG["methods"], own("mine-model", "model", "e" * 64)], "datasets": []}
    monkeypatch.setattr(jobs, "read_catalog", lambda: changed)
    assert jobs.ask_comparison(spec).id != first.id
    monkeypatch.setattr(jobs, "read_catalog", lambda: {**CATALOG, "datasets": []})
    with pytest.raises(BadParameter, match="'mine-model' is not known here"):
        jobs.ask_comparison(spec)


def test_seconds_of_finished_comparisons_are_read(state: dict[str, Any], store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitor, "read_owner", lambda: tables.OWNER)
    table = tables.upload(store)
    assert jobs.read_timings(8) == []
    tables.compared(store, table, found=boards.comparison(), artifacts=())
    found = jobs.read_timings(8)
    assert found and {one.method for one in found} <= {entry["name"] for entry in CATALOG["methods"]}
    assert all(one.seconds > 0 and one.size.rows > 0 for one in found)
    monkeypatch.setattr(visitor, "read_owner", lambda: tables.STRANGER)
    assert jobs.read_timings(8) == [], "another browser's are not"


def test_seconds_of_runs_are_read(state: dict[str, Any], store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "read_catalog", fabricate.catalog)
    fabricate.done(store, fabricate.spec("glass2", "smote", None, folds=5, seeds=2))
    for other in (
        fabricate.spec("glass2", "ce", None, folds=5, params={"epochs": 7}),  # shorter than in a comparison
        fabricate.spec("moons", "ce", None),
    ):
        fabricate.done(store, other)
    (found,) = jobs.read_timings(8)
    assert (found.method, found.size.columns, found.drawing) == ("smote", 9, 5 * DRAWING[False])
    assert found.size.rows == pytest.approx(214, abs=3) and found.seconds == pytest.approx(12.3 * 5 / 10)
    assert jobs.read_timings(1) == [], "of the newest ones alone"
