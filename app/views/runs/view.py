"""Runs: everything in the store that a visitor may see, to find, name, pin, compare, run again or delete."""

from __future__ import annotations

from typing import Any

import streamlit as st

from app.frame import headline, top
from app.frame.opening import open_page
from app.run import listing
from app.session import recorded, uploads, visitor
from app.session.store import get_store, read_catalog
from app.views.runs import activity
from app.views.runs.actions import draw_bar, draw_trouble
from app.views.runs.filters import (
    PAGE,
    draw_filters,
    offer_everything,
    read_filters,
    search_runs,
    turn_page,
    warn_unknown,
    write_filters,
)
from app.views.runs.table import CHOSEN, draw_table
from app.words import runs as words
from app.words.text import escape
from engine.errors import LabError
from engine.spec.run import upload_id
from engine.store import Store
from engine.store.uploads import Upload

STYLE = """<style>
.st-key-runs-head > :first-child { flex: 1 1 240px; }
.st-key-runs-filters [data-testid="stTextInput"] { min-width: 220px; }
.st-key-runs-narrow, div:has(> .st-key-runs-narrow) { display: none; }
@media (max-width: 767px) {
  .st-key-runs-wide, div:has(> .st-key-runs-wide) { display: none; }
  .st-key-runs-narrow, div:has(> .st-key-runs-narrow) { display: flex; }
}
@media (min-height: 560px) { div:has(> .st-key-runs-bar) { position: sticky; bottom: 0; z-index: 5; } }
.st-key-runs-bar { padding: .6rem .8rem; border-radius: .5rem; background: light-dark(#F8F8F7, #21201D);
  border: 1px solid rgba(128, 128, 128, .35); }
</style>"""


def page() -> None:
    """Draw the page."""
    opened = open_page(_load, style=STYLE)
    if opened is None:
        return
    store, catalog, mine, (datasets, methods) = opened
    owner = visitor.read_owner()
    known = listing.list_titles(catalog, mine)
    quiet = bool(mine) or any(upload_id(name) is not None for name in datasets)
    read_filters(datasets, methods, quiet)
    chosen: list[str] = st.session_state.setdefault(CHOSEN, [])
    top.draw_head(False)
    with st.container(horizontal=True, vertical_alignment="center", key="runs-head"):
        headline.draw_title(words.TITLE)
        query = draw_filters(listing.list_options(datasets, known), listing.list_options(methods, known))
    warn_unknown()
    draw_trouble()
    activity.draw_activity(catalog, mine, leave=bool(chosen))
    try:
        rows, total = search_runs(store, owner, query, known, catalog)
        last = max(1, -(-total // PAGE))
        if query.page > last:  # the list is shorter than the address says
            query = turn_page(query, last)
            rows, total = search_runs(store, owner, query, known, catalog)
    except LabError as error:
        write_filters(query, quiet)
        with st.container(key="runs-wrong"):
            st.error(escape(error, 400), icon=":material/error:")
            offer_everything()
        return
    write_filters(query, quiet)
    draw_table(rows, total, last, query, known, catalog)
    draw_bar(store, owner, chosen, rows, known, catalog)
    if visitor.is_demo():
        st.caption(f":material/movie: {visitor.explain_demo()}")


def _load() -> tuple[Store, dict[str, Any], list[Upload], tuple[list[str], list[str]]]:
    """Return the store, the catalog, this browser's tables, and the names of datasets and methods that runs are of."""
    store, catalog, mine = get_store(), read_catalog(), uploads.list_uploads()
    recorded.load_first_example()
    return store, catalog, mine, store.list_names(visitor.read_owner())
