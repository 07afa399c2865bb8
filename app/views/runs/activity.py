"""What runs and what waits in the store, in which order, and how long it may take."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.run import listing
from app.session import jobs, visitor
from app.session.store import get_store
from app.words import runs as words
from app.words.text import escape, format_count, format_duration
from engine.errors import LabError
from engine.store import KINDS, PRIORITY_INTERACTIVE, Job, Store
from engine.store.uploads import Upload

LOOK = 2.0
"""Seconds between two reads while something waits or runs; three times that otherwise."""
SHOWN = 3
"""Waiting jobs that are listed one by one."""
RUNNING = 4
"""Running jobs that are listed one by one."""
PATIENCE = 6.0
"""Seconds between two redraws of the list at least, while runs come and end."""


def draw_activity(catalog: Mapping[str, Any], tables: Sequence[Upload], *, leave: bool) -> None:
    """Draw what runs and waits, again every few seconds. leave: the list below is not redrawn unasked, since somebody chooses
    in it."""
    queue = get_store().count_active()
    active = bool(queue["queued"] or queue["running"])
    state = (_list_running(), queue["queued"])
    st.fragment(_draw_activity, run_every=LOOK if active else 3 * LOOK)(
        catalog, listing.list_titles(catalog, tables), state, time.time(), leave
    )


def _list_running() -> tuple[str, ...]:
    return tuple(job.id for job in get_store().jobs(owner=visitor.read_owner(), states=("running",), kinds=KINDS))


def _draw_activity(catalog: Mapping[str, Any], known: Mapping[str, str], state: Any, since: float, leave: bool) -> None:
    store, owner = get_store(), visitor.read_owner()
    try:
        queue = store.count_active()
        running = store.jobs(owner=owner, states=("running",), kinds=KINDS)
        waiting = store.list_queued(owner, SHOWN) if queue["queued"] else []
    except LabError as error:
        st.error(escape(error, 400), icon=":material/error:")
        return
    changed = (tuple(job.id for job in running), queue["queued"]) != state
    if changed and not leave and time.time() - since > PATIENCE:
        st.rerun()
    if not queue["running"] and not queue["queued"]:
        return
    alive = store.engines()
    with st.container(border=True, key="runs-going", gap="small"):
        others = queue["running"] - len(running)
        if queue["running"]:
            more = words.RUNNING_OTHERS.format(others=others) if others > 0 else ""
            st.markdown(f"{words.RUNNING.format(count=queue['running'])}{more}")
        for job in running[:RUNNING]:
            _draw_running(job, known, catalog)
        if len(running) > RUNNING:
            st.caption(words.MORE.format(count=len(running) - RUNNING))
        if queue["queued"]:
            _draw_waiting(store, queue["queued"], waiting, known, catalog, sum(engine.slots for engine in alive))
        if changed and leave:
            st.button(words.UPDATE, key="runs.update", icon=":material/refresh:", on_click=_do_nothing)


def _do_nothing() -> None:
    """Do nothing: the press of a button redraws the page."""


def _draw_running(job: Job, known: Mapping[str, str], catalog: Mapping[str, Any]) -> None:
    share = min(1.0, job.done / job.total) if job.total else 0.0
    spent = max(0.0, time.time() - (job.started or time.time()))
    left = ""
    if share > 0.05 and spent > 1:
        left = words.PROGRESS_LEFT.format(left=format_duration(spent * (1 - share) / share))
    what = listing.describe_job(job, known, catalog)
    with st.container(horizontal=True, vertical_alignment="center"):
        with st.container(width="stretch"):
            text = words.PROGRESS.format(what=what, share=f"{100 * share:.0f}", spent=format_duration(spent))
            st.progress(share, text=f"{text}{left}")
        if not visitor.is_demo():
            st.button(words.CANCEL, key=f"runs.cancel.{job.id}", icon=":material/stop:", on_click=_cancel_job, args=(job.id,))


def _draw_waiting(
    store: Store,
    total: int,
    waiting: Sequence[tuple[int, Job]],
    known: Mapping[str, str],
    catalog: Mapping[str, Any],
    slots: int,
) -> None:
    """Draw the queue in order, and how long it may take at the pace of the latest runs."""
    pace = store.median_seconds()
    expected = ""
    if pace is not None and slots:
        whole, each = format_duration(pace * total / slots), format_duration(pace)
        expected = words.PACE.format(all=whole, each=each, slots=format_count(slots, "slot"))
    st.markdown(f"{words.WAITING.format(count=f'{total:,}')}{expected}")
    lines, now = [], time.time()
    for before, job in waiting:
        later = "" if job.priority == PRIORITY_INTERACTIVE else words.LATER
        age = listing.format_age(now - job.created, job.created)
        what = listing.describe_job(job, known, catalog)
        lines.append(f"{words.ASKED.format(place=before + 1, what=what, age=age)}{later}")
    if lines:
        st.markdown("\n".join(lines))
    if total > len(lines):
        st.caption(words.MORE_WAITING.format(count=f"{total - len(lines):,}"))


def _cancel_job(id: str) -> None:
    try:
        jobs.cancel_job(id)
    except LabError as error:  # deleted meanwhile, or its table forgotten
        st.session_state["runs.trouble"] = str(error)
