"""The list of all methods that the papers use or name, with a state, what was decided, a link, and a filter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.charts.method_rows import Line, draw_lines
from app.marks import draw_marks
from app.parts import share
from app.words import papers as words
from engine.papers.method_list import STATES, MethodRow, list_methods, make_link

GO = "papers.go"
"""Session key: the page to go to and the words of its address."""


def draw_methods(catalog: Mapping[str, Any]) -> None:
    """Draw the list, those rows that fit the words and states that are chosen."""
    rows = list_methods(catalog)
    entries = {entry["name"]: entry for entry in catalog["methods"]}
    counts = {state: sum(row.state == state for row in rows) for state in STATES}
    with st.container(horizontal=True, vertical_alignment="center", key="papers-filter"):
        asked = st.text_input(
            words.METHODS_FILTER, key="papers.find", placeholder=words.METHODS_FILTER, label_visibility="collapsed", width=320
        )
        states = st.pills(
            words.METHODS_STATE, [state for state in STATES if counts[state]], selection_mode="multi", key="papers.states",
            label_visibility="collapsed", format_func=lambda state: f"{state.capitalize()} {counts[state]}",
        )  # fmt: skip
    found = find_rows(rows, asked or "", states or STATES, entries)
    st.caption(f"{words.METHODS_COUNT.format(shown=len(found), count=len(rows))} {words.METHODS_KEYS}")
    if not found:
        st.caption(words.METHODS_NONE)
        return
    links = {row.id: link for row in found if (link := make_link(row, catalog)) is not None}

    def go(id: str) -> None:
        if id in links:
            st.session_state[GO] = links[id]

    lines = [make_line(row, entries.get(row.method), row.id in links) for row in found]
    draw_marks(draw_lines(lines, words.TITLES["methods"], words.METHODS_OPEN), key="papers-methods", pressed=go)
    share.offer_table(
        lambda: [make_record(row, entries) for row in found], "methods", "papers-methods-table", words.TITLES["methods"]
    )


def find_rows(rows: list[MethodRow], asked: str, states: object, entries: Mapping[str, Mapping[str, Any]]) -> list[MethodRow]:
    """Return the rows in these states that have every word somewhere."""
    wanted = asked.lower().split()

    def fits(row: MethodRow) -> bool:
        told = (entry.get("title", ""), entry.get("source", "")) if (entry := entries.get(row.method)) else ()
        parts = (row.name, row.papers, row.where, row.state, row.how, row.reason, row.method, *told)
        text = " ".join(parts).lower()
        return row.state in states and all(word in text for word in wanted)  # type: ignore[operator]

    return [row for row in rows if fits(row)]


def make_line(row: MethodRow, entry: Mapping[str, Any] | None, linked: bool) -> Line:
    """Return a row as it is drawn. entry: of its method; linked: whether it has a button."""
    told = [row.reason] if row.reason else []
    if entry is not None:
        notes = [sentence for preset in entry["deviations"].values() for sentence in preset]
        told = [entry["summary"], words.METHODS_DECIDED.format(source=entry["source"]), *told, *dict.fromkeys(notes)]
    elif row.page is not None:
        told = [*told, words.METHODS_PAGE.format(what=row.how)]
    return Line(
        row.id, row.name, row.state, bool(row.method or row.page), f"{row.papers}, {row.where}", name_here(row, entry), told,
        words.METHODS_OPEN_ONE.format(name=row.name) if linked else "",
    )  # fmt: skip


def name_here(row: MethodRow, entry: Mapping[str, Any] | None) -> str:
    """Return what a row runs as: 'EOS, sampler: SMOTE'. '' where it does not run."""
    return ", ".join(part for part in (entry["title"] if entry is not None else "", row.how) if part)


def make_record(row: MethodRow, entries: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return a row of the table that can be taken away."""
    entry = entries.get(row.method)
    values = {"name": row.name, "papers": row.papers, "where": row.where, "state": row.state, "here": name_here(row, entry)}
    values |= {"decided": entry["source"] if entry is not None else "", "reason": row.reason}
    return {words.METHODS_COLUMNS[name]: value for name, value in values.items()}
