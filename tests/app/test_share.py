"""Copy as table and copy as code on the page: closed they cost nothing, open they hold what is shown."""

from __future__ import annotations

from typing import Any

import pandas as pd
from streamlit.testing.v1 import AppTest

from app.widgets import share
from tests.app.fabricate import HOSTILE


def test_a_frame_is_records_with_its_named_index():
    frame = pd.DataFrame({"a": [1, 2]}, index=pd.Index(["x", "y"], name="class"))
    assert share.records(frame) == [{"class": "x", "a": 1}, {"class": "y", "a": 2}]
    assert share.records(frame.rename_axis(None)) == [{"a": 1}, {"a": 2}]
    assert share.records([{"a": 1}]) == [{"a": 1}]


def test_each_form_is_there_and_hostile_text_is_text():
    texts = share.written([{"class": name, "AP": "0.41 [0.36, 0.46]"} for name in (*HOSTILE, "=1+1")], "What <b>it</b> is")
    assert list(texts) == list(share.FORMS)
    assert "<img" not in texts["Markdown"] and "<b>" not in texts["Markdown"] and "0.41 [0.36, 0.46]" in texts["Markdown"]
    assert "'=1+1" in texts["CSV"] and "0.41,0.36,0.46" in texts["CSV"] and r"\begin{tabular}{lr}" in texts["LaTeX"]


def opened(script: Any) -> AppTest:
    page = AppTest.from_function(script, default_timeout=30)
    page.run()
    assert not page.exception
    return page


def closed_table() -> None:
    from app.widgets import share

    def never():
        raise AssertionError("made although nobody pressed")

    share.table(never, "classes", "here")


def open_table() -> None:
    import streamlit as st

    from app.widgets import share

    st.session_state["share-here"] = True
    share.table([{"class": "=1+1", "AP": 0.5}], "classes", "here", "Test results", download=True)


def test_nothing_is_made_before_somebody_presses():
    page = opened(closed_table)
    assert not page.code


def open_code() -> None:
    import streamlit as st

    from app.widgets import share
    from engine.spec import Imbalance, RunSpec
    from tests.app.fabricate import catalog

    st.session_state["code-here"] = True
    share.code(RunSpec("moons", "smote", Imbalance("ratio", 20.0), seed=3), catalog(), "here")


def test_pressing_shows_every_form():
    page = opened(open_table)
    shown = [block.value for block in page.code]
    assert len(shown) == 3 and "'=1+1,0.5" in shown[2] and page.exception == []


def test_pressing_shows_both_languages():
    page = opened(open_code)
    command, script = (block.value for block in page.code)
    assert command.startswith("python -m engine run --dataset moons --method smote ") and "--seed 3" in command
    assert "SmoteClassifier(" in script
