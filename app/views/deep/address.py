"""The address of the page: the run that is shown, one beside it, the open tab, and the way in which the map is laid out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from app.frame import address, tabs
from app.session import lab_address
from app.words import deep as words

RUNS = ("run", "beside")
TAB, WAY = "deep.tab", "deep.way"
"""Session keys: the open tab, and the way in which the map is laid out."""
MAP, FIRST = "map", "pca"
"""The address's word for that way, and the one that has none."""
ADDRESS = address.Address("deep", {}, echo_seconds=0.0)


@dataclass(frozen=True)
class DeepAddress:
    """What is looked at: a run, and one beside it; problems: what was wrong with the link."""

    run: str | None
    beside: str | None
    problems: tuple[str, ...] = ()


def read_address(find_first: Callable[[], str | None]) -> DeepAddress:
    """Return what the address asks for. find_first(): the run of an address that names none, asked as the page is opened."""
    state, query = st.session_state, address.page_words()
    if ADDRESS.read() is not None:
        tabs.take_tab(query, words.TABS, TAB)
        state[WAY] = query.get(MAP, FIRST)
        state["deep.problems"] = _list_problems(query)
        state["deep.first"] = find_first() if "run" not in query else None
    named = {word: query.get(word) if lab_address.is_run_id(query.get(word, "")) else None for word in RUNS}
    run = named["run"] if "run" in query else state.get("deep.first")
    return DeepAddress(run, named["beside"], tuple(state.get("deep.problems", ())))


def write_address() -> None:
    """Put the open tab and the map's way into the address, beside the runs that it names."""
    query = {word: value for word, value in address.page_words().items() if word in RUNS}
    way = find_way()
    ADDRESS.write(query | tabs.write_tab(words.TABS, TAB) | ({MAP: way} if way != FIRST else {}))


def find_way() -> str:
    """Return the way in which the map is laid out."""
    return str(st.session_state.get(WAY, FIRST))


def _list_problems(query: dict[str, str]) -> list[str]:
    out = [words.LINK_WORD.format(word=repr(word)) for word in query if word not in (*RUNS, tabs.WORD, MAP)]
    wrong = [word for word in RUNS if word in query and not lab_address.is_run_id(query[word])]
    return out + [words.LINK_RUN.format(run=repr(query[word])) for word in wrong]


def go_to(run: str | None, beside: str | None = None) -> None:
    """Go to a run as its link would, with the tab that is open."""
    named = {name: value for name, value in (("run", run), ("beside", beside)) if value}
    address.follow_link(named | (tabs.write_tab(words.TABS, TAB) if run else {}))
