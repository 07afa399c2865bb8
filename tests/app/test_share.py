"""Copy as table and copy as code on the page: closed they cost nothing, open they hold what is shown."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from app.parts import share
from app.session import recorded, visitor
from app.session.recorded import EXAMPLES
from engine.store import Store
from engine.store.schema import JOBS
from tests.app import fabricate
from tests.app.conftest import MAIN
from tests.app.fabricate import HOSTILE


def test_a_frame_is_records_with_its_named_index():
    frame = pd.DataFrame({"a": [1, 2]}, index=pd.Index(["x", "y"], name="class"))
    assert share.list_records(frame) == [{"class": "x", "a": 1}, {"class": "y", "a": 2}]
    assert share.list_records(frame.rename_axis(None)) == [{"a": 1}, {"a": 2}]
    assert share.list_records([{"a": 1}]) == [{"a": 1}]


def test_each_form_is_there_and_hostile_text_is_text():
    texts = share.write_forms([{"class": name, "AP": "0.41 [0.36, 0.46]"} for name in (*HOSTILE, "=1+1")], "What <b>it</b> is")
    assert list(texts) == list(share.FORMS)
    assert "<img" not in texts["Markdown"] and "<b>" not in texts["Markdown"] and "0.41 [0.36, 0.46]" in texts["Markdown"]
    assert "'=1+1" in texts["CSV"] and "0.41,0.36,0.46" in texts["CSV"] and r"\begin{tabular}{lr}" in texts["LaTeX"]


def opened(script: Any) -> AppTest:
    page = AppTest.from_function(script, default_timeout=30)
    page.run()
    assert not page.exception
    return page


def closed_table() -> None:
    from app.parts import share

    def never():
        raise AssertionError("made although nobody pressed")

    share.offer_table(never, "classes", "here")


def open_table() -> None:
    import streamlit as st

    from app.parts import share

    st.session_state["share-here"] = True
    share.offer_table([{"class": "=1+1", "AP": 0.5}], "classes", "here", "Test results", download=True)


def test_nothing_is_made_before_somebody_presses():
    page = opened(closed_table)
    assert not page.code


def open_code() -> None:
    import streamlit as st

    from app.parts import share
    from engine.spec import Imbalance, RunSpec
    from tests.app.fabricate import catalog

    st.session_state["code-here"] = True
    share.offer_code(RunSpec("moons", "smote", Imbalance("ratio", 20.0), seed=3), catalog(), "here")


def test_pressing_shows_every_form():
    page = opened(open_table)
    shown = [block.value for block in page.code]
    assert len(shown) == 3 and "'=1+1,0.5" in shown[2] and page.exception == []


def test_pressing_shows_both_languages():
    page = opened(open_code)
    command, script = (block.value for block in page.code)
    assert command.startswith("python -m engine run --dataset moons --method smote ") and "--seed 3" in command
    assert "SmoteClassifier(" in script


# ---- on the pages


class Taken:
    """What every 'Copy as table' of a page was given, by its key: the text in each form, and whether it can be downloaded."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.forms: dict[str, Callable[[], Any]] = {}
        self.download: dict[str, bool] = {}

        def remember(made: Callable[[], Any], name: str, key: str, download: bool) -> None:
            self.forms[key], self.download[key] = made, download

        monkeypatch.setattr(share, "_offer_forms", remember)


def look(name: str, **query: str) -> AppTest:
    page = AppTest.from_file(str(MAIN), default_timeout=60)
    page._page_hash = calc_hash(name) if name else ""
    page.query_params.update(query)
    page.run()
    assert not page.exception, page.exception
    return page


def test_what_differs_between_two_runs_is_copied_as_it_is_said(store: Store, monkeypatch: pytest.MonkeyPatch):
    one = fabricate.deep(store, fabricate.spec("wine", "ce", None))
    other = fabricate.deep(store, fabricate.spec("wine", "ce", None, params={"hidden": [128, 640]}))
    taken = Taken(monkeypatch)
    look("deep", run=one.id, beside=other.id, tab="what-if")
    rows = taken.forms["deep-differing"]()["CSV"].splitlines()
    assert rows == ["setting,this run,the other", 'hidden,"64,64","128,640"']


def test_the_scores_of_the_list_and_the_numbers_of_the_gallery_are_copied(store: Store, monkeypatch: pytest.MonkeyPatch):
    me = "m" * 43
    monkeypatch.setattr(visitor, "read_owner", lambda: me)
    one = fabricate.deep(store, fabricate.spec("wine", "ce", None, seed=3))
    fabricate.queued(store, fabricate.spec("wine", "smote", None))
    store.bookmark(one.id, me, name="1,500")
    taken = Taken(monkeypatch)
    look("runs")
    found = list(csv.DictReader(io.StringIO(taken.forms["runs"]()["CSV"])))
    score = store.result(one.id).metric("average_precision")
    assert [(row["run"], row["name"], row["dataset"], row["seed"]) for row in found] == [(one.id, "1,500", "Wine", "3")]
    assert [float(found[0][f"average precision{end}"]) for end in ("", " low", " high")] == [score.mean, score.low, score.high]
    assert found[0]["n"] == str(score.n) and "bootstrap" in found[0]["interval"] and taken.download["runs"] is False
    store.bookmark(one.id, me, name="")  # a name is its maker's alone
    look("runs")
    assert taken.download["runs"] is True
    with store.database.writing() as db:
        db.execute(JOBS.update().where(JOBS.c.id == one.id).values(owner=me))
    look("runs")
    assert taken.download["runs"] is False
    monkeypatch.setattr(recorded, "EXAMPLES", EXAMPLES)
    look("gallery")
    rows = list(csv.DictReader(io.StringIO(taken.forms["gallery"]()["CSV"])))
    facts = [fact for card in recorded.read_cards() for fact in card["facts"]]
    assert len(rows) == len(facts) > 5 and [row["number"] for row in rows] == [fact["said"] for fact in facts]
    assert [float(row["value"]) for row in rows] == [fact["mean"] for fact in facts] and taken.download["gallery"]


def test_of_a_private_run_nothing_can_be_downloaded(store: Store, monkeypatch: pytest.MonkeyPatch):
    me = "m" * 43
    monkeypatch.setattr(visitor, "read_owner", lambda: me)
    public = fabricate.deep(store, fabricate.spec("wine", "ce", None))
    mine = fabricate.deep(store, fabricate.spec("wine", "ce", None, seed=1))
    with store.database.writing() as db:
        db.execute(JOBS.update().where(JOBS.c.id == mine.id).values(owner=me))
    taken = Taken(monkeypatch)
    for page, query in (
        ("", {"run": mine.id, "tab": "numbers"}),
        ("deep", {"run": mine.id, "tab": "classes"}),
        ("deep", {"run": public.id, "beside": mine.id, "tab": "what-if"}),
    ):
        taken.download.clear()
        shown = look(page, **query)
        assert taken.download and not any(taken.download.values()), (page, taken.download)
    taken.download.clear()
    shown.query_params.clear()
    shown.query_params.update({"run": public.id, "tab": "classes"})  # the same tab, another run
    shown.run()
    assert not shown.exception and taken.download and all(taken.download.values()), taken.download
