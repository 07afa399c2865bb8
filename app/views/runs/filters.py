"""The filters of the list of runs, their address, and the search."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from app.frame.address import Address
from app.run import listing
from app.session import visitor
from app.words import runs as words
from app.words.text import escape
from engine.store import STATES, Store
from engine.store.library import MAX_WORDS, Meant, Row

PAGE = 100
"""Rows at a time."""
EVERY = "all"
LONGEST = 200
"""Characters of the words that are looked for."""
SORTS = {
    "new": ("created", True), "old": ("created", False), "name": ("name", False), "dataset": ("dataset", False),
    "method": ("method", False), "state": ("state", False), "long": ("seconds", True),
}  # fmt: skip
"""Word of the address -> (what the store sorts by, whether the largest comes first)."""
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
_KIND_WORDS = {"sweep": words.SWEEP, "compare": words.COMPARISON.lower(), "embed": words.MAP.lower()}
_FULL = 3
"""Letters of a word at least that stands for a state, a kind or a control."""
_RATIO, _SCORE = re.compile(r"(\d+(?:\.\d+)?):1?"), re.compile(r"0?\.(\d{1,3})")
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
    allowed = {"kind": words.KINDS, "state": STATES, "dataset": datasets, "method": methods, "sort": SORTS}
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

    def choose(label: str, word: str, every: str, named: Mapping[str, str]) -> None:
        names = {EVERY: every} | dict(named)
        st.selectbox(label, list(names), format_func=names.__getitem__, key=f"runs.{word}", on_change=_start_over)

    with st.container(horizontal=True, vertical_alignment="center", width="content", key="runs-filters"):
        st.text_input(
            words.FIND,
            key=_key("text"),
            max_chars=LONGEST,
            on_change=_start_over,
            placeholder=words.FIND_PLACE,
            label_visibility="collapsed",
            width=300,
            help=words.FIND_HELP.format(most=MAX_WORDS),
        )
        st.checkbox(words.PINNED, key="runs.pinned", on_change=_start_over)
        with st.popover(words.FILTER, icon=":material/filter_list:", key="runs-more"):
            choose(words.WHAT, "kind", words.EVERYTHING, words.KINDS)
            choose(words.STATE, "state", words.ANY_STATE, words.STATES)
            choose(words.DATASET, "dataset", words.ANY_DATASET, datasets)
            choose(words.METHOD, "method", words.ANY_METHOD, methods)
            st.selectbox(
                words.SORT, list(words.SORTS), format_func=words.SORTS.__getitem__, key="runs.sort", on_change=_start_over
            )
    return RunsQuery(**{word: state[_key(word)] for word in USUAL})


def warn_unknown() -> None:
    """Draw which words of the address are unknown."""
    if wrong := st.session_state.get("runs.wrong"):
        names = ", ".join(escape(word, 30) for word in wrong)
        st.warning(words.UNKNOWN_LINK.format(words=names), icon=":material/link_off:")


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
    st.button(words.RESET, key="runs.everything", icon=":material/filter_alt_off:", on_click=_reset_filters)


def turn_page(query: RunsQuery, to: int) -> RunsQuery:
    """Return the query with another page, and make the list show that."""
    go_to_page(to)
    return RunsQuery(**vars(query) | {"page": to})


def search_runs(
    store: Store, owner: str | None, query: RunsQuery, known: Mapping[str, str], catalog: Mapping[str, Any]
) -> tuple[list[Row], int]:
    """Return the rows of a page of the list, and how many rows match in all. known: name -> title, which is searched too."""
    key, descending = SORTS[query.sort]
    asked = [word.rstrip(",;:") or word for word in query.text.split()]
    return store.search(
        owner,
        " ".join(asked),
        None if query.dataset == EVERY else query.dataset,
        None if query.method == EVERY else query.method,
        () if query.state == EVERY else (query.state,),
        tuple(words.KINDS) if query.kind == EVERY else (query.kind,),
        key,
        descending,
        (query.page - 1) * PAGE,
        PAGE,
        pinned=query.pinned,
        known=known,
        meant={word: find_meaning(word, catalog) for word in asked},
    )


def find_meaning(word: str, catalog: Mapping[str, Any]) -> Meant:
    """Return which rows show a word in other cells than those of names: state, kind, ratio, score, control."""
    low = word.casefold()
    ratio = _RATIO.fullmatch(low)
    score = _SCORE.fullmatch(low)
    mean = None
    if score is not None:
        digits = len(score[1])
        first = int(score[1]) / 10**digits - 0.0005
        mean = (first, first + 10.0**-digits)
    if len(low) < _FULL:
        return Meant(ratio=float(ratio[1]) if ratio is not None else None, mean=mean)
    return Meant(
        states=tuple(state for state, title in words.STATES.items() if low in title),
        kinds=tuple(kind for kind, title in _KIND_WORDS.items() if low in title),
        ratio=float(ratio[1]) if ratio is not None else None,
        profile="native" if low in words.NATURAL else "",
        mean=mean,
        own=low in words.YOURS,
        controls=tuple((method, params) for method, title, params in listing.list_controls(catalog) if low in title),
    )


def go_to_page(number: int) -> None:
    """Make the list show that page."""
    st.session_state["runs.page"] = number
