"""The list of all methods that the papers use or name, with a state and a filter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app.parts import share
from app.words import naming
from app.words import papers as words
from engine.papers.method_list import STATES, MethodRow, list_methods

HEIGHT = 640
"""Pixels of the table."""


def draw_methods(catalog: Mapping[str, Any]) -> None:
    """Draw the list, those rows that fit the words and states that are chosen."""
    rows = list_methods(catalog)
    with st.container(horizontal=True, vertical_alignment="center", key="papers-filter"):
        asked = st.text_input(
            words.METHODS_FILTER, key="papers.find", placeholder=words.METHODS_FILTER, label_visibility="collapsed", width=320
        )
        states = st.pills(
            words.METHODS_STATE, list(STATES), selection_mode="multi", key="papers.states", label_visibility="collapsed",
            format_func=str.capitalize,
        )  # fmt: skip
    titles = {entry["name"]: entry["title"] for entry in catalog["methods"]}
    frame = make_frame(find_rows(rows, asked or "", states or STATES, titles), titles)
    st.caption(words.METHODS_COUNT.format(shown=len(frame), count=len(rows)))
    if frame.empty:
        st.caption(words.METHODS_NONE)
        return
    st.dataframe(frame, hide_index=True, alt=words.TITLES["methods"], height=min(HEIGHT, 36 * len(frame) + 39))
    share.offer_table(frame, "methods", "papers-methods", words.TITLES["methods"])


def find_rows(rows: list[MethodRow], asked: str, states: object, titles: Mapping[str, str]) -> list[MethodRow]:
    """Return the rows in these states that have every word somewhere."""
    wanted = asked.lower().split()

    def fits(row: MethodRow) -> bool:
        text = " ".join((row.name, row.papers, row.where, row.state, row.how, titles.get(row.method, ""))).lower()
        return row.state in states and all(word in text for word in wanted)  # type: ignore[operator]

    return [row for row in rows if fits(row)]


def make_frame(rows: list[MethodRow], titles: Mapping[str, str]) -> pd.DataFrame:
    """Return the rows as they are shown."""
    shown = [
        {
            "name": row.name,
            "papers": row.papers,
            "where": row.where,
            "state": row.state,
            "here": ", ".join(part for part in (naming.format_cell(titles.get(row.method, "")), row.how) if part),
        }
        for row in rows
    ]
    return pd.DataFrame(
        [{words.METHODS_COLUMNS[name]: value for name, value in row.items()} for row in shown],
        columns=list(words.METHODS_COLUMNS.values()),
    )
