"""Deep: a finished run from inside: the map of its features with their images, then gap and norms, classes, training and what-if."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.frame import tabs, top
from app.frame.headline import draw_title
from app.frame.opening import open_page
from app.run import answer, heading, panel
from app.run.gaps import Entry
from app.run.shown import Shown
from app.session import recorded, visitor
from app.session.store import get_store, read_catalog
from app.views.deep import chooser, internals, plane
from app.views.deep.address import TAB, go_to, read_address, write_address
from app.words import deep as words
from app.words.text import escape
from engine.store import Store

STYLE = """<style>
.st-key-deep-row { min-height: 40px; }
@media (max-width: 900px) { .st-key-deep-map-place { margin-inline: calc(50% - 50vw); width: 100vw !important; max-width: none; } }
@media (max-width: 767px) { .st-key-deep-row [data-testid="stPopover"] { display: none; } }
@media (min-width: 768px) { .st-key-deep-row .stSelectbox { flex: none; } }
</style>"""


def page() -> None:
    """Draw the page."""
    opened = open_page(lambda: (get_store(), read_catalog(), recorded.load_first_example()), style=STYLE)
    if opened is None:
        return
    store, catalog, _ = opened
    owner = visitor.read_owner()
    jobs = chooser.list_finished(store, catalog, owner)
    link = read_address(lambda: chooser.find_first(jobs, catalog, store, owner))
    shown, problem = panel.load_run(store, catalog, link.run, owner)
    other = panel.load_run(store, catalog, link.beside, owner)[0] if shown is not None else None
    top.draw_head(any(s is not None and s.active for s in (shown, other)))
    for text in link.problems:
        st.warning(escape(text, 400), icon=":material/link_off:")
    specs = chooser.draw_row(store, catalog, jobs, link.run, shown, owner)
    if shown is None:
        draw_title(words.TITLE)
        _draw_nothing(store, catalog, problem)
        return
    panel.draw_heading(shown, None)
    with st.container(key=f"deep-state-{shown.job.state}", gap="small"):
        with st.container(key="deep-map-place"):
            if shown.result is not None:
                plane.draw_map(shown, specs, heading.judge(shown).text)
            else:
                _draw_waiting(shown)
        _draw_tabs(store, shown, other, link.run, link.beside, catalog, owner)
    write_address()


def _draw_nothing(store: Store, catalog: Mapping[str, Any], problem: str) -> None:
    """Draw why no run is shown, and what begins one."""
    if problem:
        with st.container(key="deep-state-unknown"):
            st.error(problem, icon=":material/search_off:")
            st.button(words.LEAVE, key="deep.leave", icon=":material/home:", on_click=go_to, args=(None,))
        return
    with st.container(key="deep-state-empty"):
        chooser.draw_nothing(store, catalog)


def _draw_waiting(shown: Shown) -> None:
    """Draw the place of the map of a run without a result: its progress, or how it ended."""
    with plane.draw_place():
        panel.draw_ending(shown, shown.job.device)
        if shown.job.active:
            st.caption(words.BEGINS)
            panel.draw_panel(shown)


def _draw_tabs(
    store: Store,
    shown: Shown,
    other: Shown | None,
    run: str | None,
    beside: str | None,
    catalog: Mapping[str, Any],
    owner: str | None,
) -> None:
    """Draw the tabs and what the open one holds."""
    name, place = tabs.draw_tabs(words.TABS, TAB)
    with place:
        if name == "what-if":
            chooser.draw_beside(store, shown, run or shown.job.id, beside, owner)
            internals.draw_what_if(shown, other, catalog)
        elif shown.result is None:
            st.caption(words.NOT_YET)
        else:
            internals.TABS[name](internals.Inside(shown, other, list_entries(shown, other), catalog))


def list_entries(shown: Shown, other: Shown | None) -> list[Entry]:
    """Return the finished runs that the pictures show: the run, its companions, and the one beside it."""
    entries = answer.list_entries(shown)
    if other is not None and other.result is not None and all(m.spec != other.main.spec for m, _ in shown.there):
        entries.append(Entry("beside", words.FILM_OTHER, other.result))
    return entries
