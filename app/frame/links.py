"""Links from one page to another."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st
from streamlit.navigation.page import Page

from app.frame import address


def remember_pages(pages: Mapping[str, Page]) -> None:
    """Keep the pages of this session by name, for the links between them."""
    st.session_state["pages"] = dict(pages)


def draw_link(name: str, label: str, icon: str | None = None, **query: str) -> None:
    """Draw a link to the page of that name. query: the words of its address."""
    st.page_link(st.session_state["pages"][name], label=label, icon=icon, query_params={**query, **address.shared_words()})
