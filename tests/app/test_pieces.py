"""The pieces of a page are files of its package, and its address is read where it is news."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from app.frame import address
from app.frame.pages import find_pages
from app.frame.pieces import Piece, find_pieces
from tests.one_file import copied_tree, run_in

EXTRA = '''"""A view that a test adds."""

import streamlit as st

from app.views.compare.context import Context, View

PIECE = View(3, "Added", icon=":material/add:", measured=False)


def draw(context: Context) -> None:
    st.markdown("The added view is drawn.")
'''
OPEN = """
from tests.app.conftest import opened
page = opened("compare", tab="ranks_added")
print([one.label for one in page.tabs], [one.value for one in page.markdown])
"""


def test_a_file_that_is_dropped_into_a_page_is_a_tab(tmp_path: Path) -> None:
    tree = copied_tree(tmp_path)
    (tree / "app" / "views" / "compare" / "ranks_added.py").write_text(EXTRA)
    said = run_in(tree, "-c", OPEN, LAB_STORE=f"sqlite:///{tmp_path / 'lab.db'}")
    assert "'Ranks', 'Added', 'Cost'" in said and "The added view is drawn." in said


PAGE = '''"""A page that a test adds."""

import streamlit as st

from app.frame.pages import MenuEntry

MENU = MenuEntry(2, "Added")


def page() -> None:
    st.markdown("The added page is drawn.")
'''
HIDDEN = PAGE.replace('"Added"', '"Hidden", is_open=lambda: False')
OPEN_PAGE = """
from tests.app.conftest import opened
page = opened("added")
print(list(page.session_state["pages"]), [one.value for one in page.markdown])
"""


@pytest.mark.long
@pytest.mark.timeout(240)
def test_a_file_that_is_dropped_into_the_pages_is_a_page(tmp_path: Path) -> None:
    tree = copied_tree(tmp_path)
    for name, text in (("added", PAGE), ("hidden", HIDDEN)):
        (tree / "app" / "views" / f"{name}.py").write_text(text)
    said = run_in(tree, "-c", OPEN_PAGE, LAB_STORE=f"sqlite:///{tmp_path / 'lab.db'}")
    assert "['lab', 'added', 'compare', 'deep', 'data', 'papers', 'gallery', 'runs']" in said
    assert "The added page is drawn." in said


def test_the_pages_are_in_their_order() -> None:
    assert list(find_pages("app.views")) == ["lab", "compare", "deep", "data", "papers", "gallery", "runs", "admin"]


def test_the_views_of_compare_are_in_their_order() -> None:
    assert list(find_pieces("app.views.compare")) == ["differences", "ratio", "ranks", "cost", "curves", "pair", "numbers"]


def test_a_piece_is_ready_where_the_context_has_what_it_needs() -> None:
    piece = Piece(1, "Curves", needs=("records", "spec"))
    assert piece.is_ready(SimpleNamespace(records=[], spec=0)) and not piece.is_ready(SimpleNamespace(records=[], spec=None))


def test_an_address_is_read_where_it_is_news(monkeypatch: pytest.MonkeyPatch) -> None:
    def script() -> None:
        import streamlit as st

        from app.frame.address import Address

        one, state = Address("one", {"a": "1"}), st.session_state
        if state.get("forget"):
            one.forget()
        state["read"] = one.read()
        if state.get("words") is not None:
            one.write(state["words"])

    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(address, "time", SimpleNamespace(monotonic=lambda: clock.now))
    page = AppTest.from_function(script)

    def at(query: dict[str, str], **state: Any) -> tuple[Any, dict[str, Any]]:
        page.query_params.clear()
        page.query_params.update(query)
        for key in ("words", "forget"):
            page.session_state[key] = state.get(key)
        page.run()
        assert not page.exception
        return page.session_state["read"], dict(page.query_params.items())

    link = {"b": "2", "size": "big"}
    assert at(link)[0] == {"b": "2"}, "a first look"
    assert at(link)[0] is None, "the same again"
    assert at(link, words={"a": "1", "b": "3"}) == (None, {"b": "3", "size": "big"}), "as usual is left out, shared words stay"
    assert at({"b": "3"})[0] is None, "written by the page"
    assert at(link, words={"b": "3"}) == (None, {"b": "3", "size": "big"}), "a late echo is written over"
    clock.now += address.ECHO_SECONDS
    assert at(link)[0] == {"b": "2"}, "later it is the browser's back button"
    assert at({"b": "4"})[0] == {"b": "4"}, "a link"
    assert at({"b": "4"}, forget=True)[0] == {"b": "4"}, "forgotten"
