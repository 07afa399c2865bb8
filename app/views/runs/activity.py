"""What runs and what waits in the store, in which order, and how long it may take."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.run import listing, panel
from app.session import jobs, visitor
from app.session.store import get_store
from app.words.text import escape, format_count, format_duration
from engine.errors import LabError
from engine.store import KINDS, PRIORITY_INTERACTIVE, Job, Store
from engine.store.uploads import Upload

LOOK = 2.0
"""Seconds between two reads while something waits or runs; three times that otherwise."""
SHOWN = 5
"""Waiting jobs that are listed one by one."""
RUNNING = 6
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
        st.caption(":material/bedtime: Nothing runs and nothing waits.")
        return
    alive = store.engines()
    with st.container(border=True, key="runs-going", gap="small"):
        others = queue["running"] - len(running)
        if queue["running"]:
            st.markdown(
                f"**Running: {queue['running']}**" + (f", {others} of them of other people's tables" if others > 0 else "")
            )
        for job in running[:RUNNING]:
            _draw_running(job, known, catalog)
        if len(running) > RUNNING:
            st.caption(f"and {len(running) - RUNNING} more")
        if queue["queued"]:
            _draw_waiting(store, queue["queued"], waiting, known, catalog, sum(engine.slots for engine in alive))
        panel.warn_no_engine(store)
        if changed and leave:
            st.button("Runs came or ended: update the list", key="runs.update", icon=":material/refresh:", on_click=_do_nothing)


def _do_nothing() -> None:
    """Do nothing: the press of a button redraws the page."""


def _draw_running(job: Job, known: Mapping[str, str], catalog: Mapping[str, Any]) -> None:
    share = min(1.0, job.done / job.total) if job.total else 0.0
    spent = max(0.0, time.time() - (job.started or time.time()))
    left = f", at most {format_duration(spent * (1 - share) / share)} left" if share > 0.05 and spent > 1 else ""
    with st.container(horizontal=True, vertical_alignment="center"):
        with st.container(width="stretch"):
            st.progress(
                share,
                text=f"{listing.describe_job(job, known, catalog)} · {100 * share:.0f}%, {format_duration(spent)} so far{left}",
            )
        if not visitor.is_demo():
            st.button("Cancel", key=f"runs.cancel.{job.id}", icon=":material/stop:", on_click=_cancel_job, args=(job.id,))


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
        expected = (
            f" · about {format_duration(pace * total / slots)} for all of it, at the pace of the latest runs "
            f"({format_duration(pace)} each, {format_count(slots, 'slot')})"
        )
    st.markdown(f"**Waiting: {total:,}**{expected}")
    lines, now = [], time.time()
    for before, job in waiting:
        kind = "" if job.priority == PRIORITY_INTERACTIVE else ", after what people wait for"
        age = listing.format_age(now - job.created, job.created)
        lines.append(f"{before + 1}. {listing.describe_job(job, known, catalog)} · asked for {age}{kind}")
    if lines:
        st.markdown("\n".join(lines))
    if total > len(lines):
        st.caption(
            f"and {total - len(lines):,} more further back, or of other people's tables; those that are yours to see are in the list below."
        )


def _cancel_job(id: str) -> None:
    try:
        jobs.cancel_job(id)
    except LabError as error:  # deleted meanwhile, or its table forgotten
        st.session_state["runs.trouble"] = str(error)
