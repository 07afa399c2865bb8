"""The list of runs: a row each, boxes to choose them by, and the way to other pages of the list."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.frame import links
from app.parts import share
from app.run import listing
from app.session import visitor
from app.views.runs.filters import PAGE, USUAL, RunsQuery, go_to_page, offer_everything
from app.words.text import escape
from engine.errors import BadInput
from engine.store.library import Row
from engine.sweep import SweepSpec


def draw_list(
    rows: Sequence[Row], total: int, last: int, query: RunsQuery, known: Mapping[str, str], catalog: Mapping[str, Any]
) -> None:
    """Draw the rows of this page of the list, and the way to the others."""
    if not total:
        with st.container(key="runs-none"):
            if query == RunsQuery(**USUAL):
                st.info("There is nothing here yet: press **Run** in the Lab.", icon=":material/inbox:")
            else:
                st.info("Nothing here is like that.", icon=":material/search_off:")
                offer_everything()
        return
    first = (query.page - 1) * PAGE
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{first + 1:,} to {first + len(rows):,} of {total:,}**", width="stretch")
        if not visitor.is_demo():
            st.button(
                "Choose all on this page",
                key="runs.all",
                icon=":material/select_all:",
                on_click=_choose_all,
                args=(_list_ids(rows),),
            )
    now = time.time()
    with st.container(key="runs-list", gap="small"):
        for row in rows:
            _draw_row(row, known, catalog, now)
    kinds = sorted({str(row.score["interval"]) for row in rows if row.score is not None})
    if kinds:
        st.caption(f"Brackets: {'; '.join(escape(kind, 100) for kind in kinds)}. n: replicates.")
        share.offer_table(
            lambda: listing.list_scores(rows, known),
            "runs",
            "runs",
            f"Finished runs of this page of the list; brackets: {'; '.join(kinds)}; n: replicates",
            download=not any(
                row.bookmark.name or row.job is not None and row.job.owner is not None for row in rows
            ),  # one's own
            text=listing.WORDY,
        )
    if last > 1:
        _draw_pages(query.page, last)


def _draw_pages(now: int, last: int) -> None:
    """Draw buttons to the page before and after."""
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="center", key="runs-pages"):
        for word, to, icon, key in (
            ("Before", now - 1, ":material/chevron_left:", "runs.before.page"),
            ("Next", now + 1, ":material/chevron_right:", "runs.next.page"),
        ):
            st.button(word, key=key, icon=icon, disabled=not 1 <= to <= last, on_click=go_to_page, args=(to,))
            if to < now:
                st.markdown(f"Page {now:,} of {last:,}", width="content")


def _list_ids(rows: Sequence[Row]) -> list[str]:
    return [row.id for row in rows]


def _draw_row(row: Row, known: Mapping[str, str], catalog: Mapping[str, Any], now: float) -> None:
    """Draw one row: a checkbox with its text, and a link to its page."""
    state, key = st.session_state, f"runs.pick.{row.id}"
    text = listing.describe_row(row, known, catalog, now)
    with st.container(horizontal=True, vertical_alignment="center", key=f"runs-row-{row.id}"):
        if visitor.is_demo():
            st.markdown(text, width="stretch")
        else:
            state[key] = row.id in state["runs.chosen"]
            st.checkbox(text, key=key, on_change=_toggle, args=(row.id,), width="stretch")
        _draw_open(row)


def _draw_open(row: Row) -> None:
    """Draw the link to the page that shows a row."""
    if row.sweep is not None:
        try:
            query = SweepSpec.from_json(row.sweep.spec).to_query()
        except BadInput:
            return
        links.draw_link("compare", "Compare", ":material/leaderboard:", **query)
    elif row.job is None:
        return
    elif row.job.kind == "compare":
        links.draw_link("data", "Open", ":material/table_view:", compare=row.id)
    elif row.job.kind == "embed":
        links.draw_link("deep", "Deep", ":material/scatter_plot:", run=row.job.fingerprint)
    else:
        links.draw_link("lab", "Open", ":material/science:", run=row.id)


def _toggle(id: str) -> None:
    chosen = [one for one in st.session_state["runs.chosen"] if one != id]
    st.session_state["runs.chosen"] = [*chosen, id] if st.session_state[f"runs.pick.{id}"] else chosen
    drop_question()


def _choose_all(ids: Sequence[str]) -> None:
    st.session_state["runs.chosen"] = list(dict.fromkeys([*st.session_state["runs.chosen"], *ids]))
    drop_question()


def choose_none() -> None:
    """Choose no row."""
    st.session_state["runs.chosen"] = []
    drop_question()


def drop_question() -> None:
    """Drop the question whether to delete: the choice has changed."""
    st.session_state.pop("runs.asking", None)
