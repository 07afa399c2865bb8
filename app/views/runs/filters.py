"""The filters of the list of runs, their address, and the search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from app.frame.address import Address
from app.run import listing
from app.session import visitor
from app.words.text import escape
from engine.store import STATES, Store
from engine.store.library import MAX_WORDS, Row

PAGE = 25
"""Rows at a time."""
EVERY = "all"
LONGEST = 200
"""Characters of the words that are looked for."""
SORTS = {
    "new": ("Newest first", "created", True),
    "old": ("Oldest first", "created", False),
    "name": ("Name", "name", False),
    "dataset": ("Dataset", "dataset", False),
    "method": ("Method", "method", False),
    "state": ("State", "state", False),
    "long": ("Longest first", "seconds", True),
}
USUAL: dict[str, Any] = {
    "text": "",
    "kind": EVERY,
    "state": EVERY,
    "dataset": EVERY,
    "method": EVERY,
    "pinned": False,
    "sort": "new",
    "page": 1,
}
"""Word of the address -> its value where the address lacks it. The filters' keys (`_key`) end in these words."""
ADDRESS = Address("runs", {word: str(usual) for word, usual in USUAL.items()}, private={"text"})


@dataclass(frozen=True)
class RunsQuery:
    """What is looked for; the fields are the words of `USUAL`."""

    text: str
    kind: str
    state: str
    dataset: str
    method: str
    pinned: bool
    sort: str
    page: int


def _key(word: str) -> str:
    """Return the key of a filter. The text may be the name of a person's own table or run: its key goes with their tables."""
    return f"{visitor.MINE}runs.{word}" if word == "text" else f"runs.{word}"


def read_filters(datasets: Sequence[str], methods: Sequence[str], quiet: bool) -> None:
    """Make the filters show what the address says, where it is a first look, a link or the browser's back button.

    quiet: the address says nothing of the text that is looked for, which stays as it is.
    """
    state = st.session_state
    kept = state.get(_key("text"), "") if quiet and state.get("page") == ADDRESS.page else ""
    query = ADDRESS.read()
    if query is None:
        for word, names in (("dataset", datasets), ("method", methods)):  # the last of its runs may have been deleted
            if state.get(f"runs.{word}") not in (EVERY, *names):
                state[f"runs.{word}"] = EVERY
        state.setdefault(_key("text"), "")  # an empty value also empties the field in the browser
        return
    allowed = {"kind": listing.KINDS, "state": STATES, "dataset": datasets, "method": methods, "sort": SORTS}
    wrong = [word for word in query if word not in USUAL]
    for word, usual in USUAL.items():
        value: Any = query.get(word, kept if word == "text" else usual)
        if word == "pinned":
            value = value in (True, "1")
        elif word == "page":
            value = int(value) if str(value).isdecimal() and 0 < int(value) < 10**6 else 1
        elif word in allowed and value != usual and value not in allowed[word]:
            wrong.append(word)
            value = usual
        state[_key(word)] = value[:LONGEST] if isinstance(value, str) else value
    state["runs.wrong"] = wrong


def write_filters(query: RunsQuery, quiet: bool) -> None:
    """Put what is asked into the address.

    quiet: this browser has something of its own. The text that is looked for is then left out: logs and the browser's history
    keep addresses, and names of one's own are in neither.
    """
    words = {word: "1" if value is True else str(value) for word, value in vars(query).items()}
    ADDRESS.write(words | ({"text": USUAL["text"]} if quiet else {}))


def draw_filters(datasets: Mapping[str, str], methods: Mapping[str, str]) -> RunsQuery:
    """Draw the row of filters; return what is looked for."""
    state = st.session_state
    if wrong := state.get("runs.wrong"):
        names = ", ".join(escape(word, 30) for word in wrong)
        st.warning(
            f"Not all of this link could be followed: {names}. Everything there is is shown instead.",
            icon=":material/link_off:",
        )

    def choose(label: str, word: str, every: str, named: Mapping[str, str], width: int) -> None:
        names = {EVERY: every} | dict(named)
        st.selectbox(label, list(names), format_func=names.__getitem__, key=f"runs.{word}", on_change=_start_over, width=width)

    with st.container(horizontal=True, vertical_alignment="bottom", key="runs-filters"):
        st.text_input(
            "Find",
            key=_key("text"),
            max_chars=LONGEST,
            on_change=_start_over,
            placeholder="words, or a run's id",
            width=240,
            help=f"Words, {MAX_WORDS} at most, that must all be found in the name, dataset, method, id, or the reason why it failed.",
        )
        choose("What", "kind", "everything", listing.KINDS, 150)
        choose("State", "state", "any state", {s: text.split(": ")[1] for s, text in listing.STATES.items()}, 150)
        choose("Dataset", "dataset", "any dataset", datasets, 210)
        choose("Method", "method", "any method", methods, 210)
        sorts = {word: text for word, (text, _, _) in SORTS.items()}
        st.selectbox("Sort by", list(sorts), format_func=sorts.__getitem__, key="runs.sort", on_change=_start_over, width=160)
        st.checkbox("Pinned only", key="runs.pinned", on_change=_start_over)
    return RunsQuery(**{word: state[_key(word)] for word in USUAL})


def _start_over() -> None:
    """Go to the first page of the list, as another query begins there."""
    st.session_state["runs.page"] = 1
    st.session_state["runs.wrong"] = []


def _reset_filters() -> None:
    for word, usual in USUAL.items():
        st.session_state[_key(word)] = usual
    st.session_state["runs.wrong"] = []


def offer_everything() -> None:
    """Draw the button that resets all filters."""
    st.button("Show everything", key="runs.everything", icon=":material/filter_alt_off:", on_click=_reset_filters)


def turn_page(query: RunsQuery, to: int) -> RunsQuery:
    """Return the query with another page, and make the list show that."""
    go_to_page(to)
    return RunsQuery(**vars(query) | {"page": to})


def search_runs(store: Store, owner: str | None, query: RunsQuery, known: Mapping[str, str]) -> tuple[list[Row], int]:
    """Return the rows of a page of the list, and how many rows match in all. known: name -> title, which is searched too."""
    _, key, descending = SORTS[query.sort]
    return store.search(
        owner,
        query.text,
        None if query.dataset == EVERY else query.dataset,
        None if query.method == EVERY else query.method,
        () if query.state == EVERY else (query.state,),
        tuple(listing.KINDS) if query.kind == EVERY else (query.kind,),
        key,
        descending,
        (query.page - 1) * PAGE,
        PAGE,
        pinned=query.pinned,
        known=known,
    )


def go_to_page(number: int) -> None:
    """Make the list show that page."""
    st.session_state["runs.page"] = number
