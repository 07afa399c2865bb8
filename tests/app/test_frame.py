"""The heading and the tabs of a page."""

from __future__ import annotations

import math
import re

import pytest
from streamlit.testing.v1 import AppTest

from app.frame import headline
from engine.stats.intervals import Interval
from engine.stats.verdict import Dot, State, verdict


def draw(dot: Dot) -> str:
    return headline._draw_dot(dot, "plain", "Difference: +.054.")


def at(drawing: str, part: str) -> float:
    return float(re.findall(rf'class="{part}" style="left: ([^%]+)%', drawing)[-1])


def test_a_difference_is_drawn_where_its_interval_says() -> None:
    better = draw(verdict("A", "B", Interval(0.05, 0.03, 0.07, 20, "paired"), 20).dot)
    worse = draw(verdict("A", "B", Interval(-0.05, -0.07, -0.03, 20, "paired"), 20).dot)
    assert at(better, "mark") - 50 == pytest.approx(50 - at(worse, "mark"), abs=0.2) and at(better, "mark") > 50
    assert at(better, "line") > 50
    assert headline._COLOURS[True] in better and headline._COLOURS[False] in worse and "n = 20" in better


def test_a_difference_around_zero_is_hollow_and_grey() -> None:
    drawing = draw(verdict("A", "B", Interval(0.01, -0.03, 0.05, 20, "paired"), 20).dot)
    assert (
        f"background: {headline._PAPER}" in drawing
        and headline._COLOURS[True] not in drawing
        and headline._COLOURS[False] not in drawing
    )


def test_one_split_has_a_dot_without_n_and_no_line_without_an_interval() -> None:
    drawing = draw(verdict("A", "B", Interval(0.01, math.nan, math.nan, 1, "paired"), 1).dot)
    assert "n = " not in drawing and "line" not in drawing and 'class="mark"' in drawing


def test_nothing_is_drawn_where_there_is_no_difference_and_the_axis_while_it_runs() -> None:
    assert draw(verdict("A", "", None, 5).dot) == ""
    axis = draw(verdict("A", "B", None, 0, State(running=(3, 20))).dot)
    assert 'class="axis"' in axis and 'class="mark"' not in axis


def test_texts_of_a_heading_are_escaped() -> None:
    def page() -> None:
        from app.frame.headline import draw_chips, draw_headline, draw_title
        from engine.stats.intervals import Interval
        from engine.stats.verdict import verdict

        draw_headline(verdict("<b>A</b>", "<i>", Interval(0.1, 0.05, 0.2, 9, "paired"), 9), baseline="<u>")
        draw_title("<s>", key="title")
        draw_chips(["<em>"])

    bodies = "".join(h.proto.body for h in AppTest.from_function(page).run().get("html"))
    assert not re.search(r"<(b|i|u|s|em)>", bodies) and "&lt;u&gt;" in bodies and bodies.count("<h1") == 2


def test_only_the_open_tab_is_named_and_an_address_opens_it() -> None:
    def page() -> None:
        import streamlit as st

        from app.frame import tabs

        titles = {"one": "First", "two": "Second"}
        if "seen" not in st.session_state:
            tabs.take_tab(st.query_params.to_dict(), titles, "t")
            st.session_state["seen"] = True
        name, place = tabs.draw_tabs(titles, "t")
        with place:
            st.markdown(f"{name} {tabs.write_tab(titles, 't')}")

    run = AppTest.from_function(page).run()
    assert [m.value for m in run.markdown] == ["one {}"]
    link = AppTest.from_function(page)
    link.query_params["tab"] = "two"
    assert [m.value for m in link.run().markdown] == ["two {'tab': 'two'}"]
    link = AppTest.from_function(page)
    link.query_params["tab"] = "<x>"
    assert [m.value for m in link.run().markdown] == ["one {}"]
