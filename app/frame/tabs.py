"""The tabs of a page. Only the open one is built; the address names it, so that a link and the browser's back button find it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

WORD = "tab"
"""The address's word for the open tab; the first tab has none."""


def take_tab(query: Mapping[str, str], titles: Mapping[str, str], key: str, *, word: str = WORD) -> None:
    """Open the tab that an address names, the first one where it names none. Call it where `Address.read` gave the query."""
    name = query.get(word, "")
    st.session_state[key] = titles[name] if name in titles else next(iter(titles.values()))


def find_tab(titles: Mapping[str, str], key: str) -> str:
    """Return the name of the open tab, before it is drawn too."""
    shown = st.session_state.get(key)
    return next((name for name, title in titles.items() if title == shown), next(iter(titles)))


def write_tab(titles: Mapping[str, str], key: str, *, word: str = WORD) -> dict[str, str]:
    """Return the address's words for the open tab."""
    name = find_tab(titles, key)
    return {} if name == next(iter(titles)) else {word: name}


def draw_tabs(titles: Mapping[str, str], key: str) -> tuple[str, Any]:
    """Draw the tabs; return the name of the open one and the place for what it holds.

    titles: name -> title, in order. Names stand in addresses, so they stay when a title changes. The page writes `write_tab` into
    its address. What is drawn outside the returned place lies below the tabs.
    """
    if st.session_state.get(key) not in titles.values():  # a tab that is gone, or none yet
        st.session_state[key] = next(iter(titles.values()))
    places = dict(zip(titles, st.tabs(list(titles.values()), key=key, on_change="rerun"), strict=True))
    name = find_tab(titles, key)
    return name, places[name]
