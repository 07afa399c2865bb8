"""The status line: whether an engine is alive, its device and memory, and the length of the queue."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import streamlit as st

from app.session import shared, visitor
from app.session.store import get_store
from app.words.text import escape, format_count, format_duration
from engine.errors import LabError
from engine.store import EngineInfo, Store

REAP_AFTER = 12.0
"""Seconds without a heartbeat after which the page marks running jobs as interrupted, where no new engine has done so."""
SAY_REPLACED = 600.0
"""Seconds for which the page says that the store's file was deleted or replaced."""
_FORGET = 7 * 24 * 3600.0


def draw_status(*, active: bool) -> None:
    """Draw the status line. It is drawn again every 2 s while something runs, else every 5 s."""
    st.fragment(_draw_status, run_every=2.0 if active else 5.0)()


def _draw_status() -> None:
    try:
        store = get_store()
        living = shared.read_engines(store)
        queue = shared.count_active(store)
        if not living and queue["running"] and store.interrupt_orphans(max(REAP_AFTER, store.database.silence)):
            st.rerun()
    except LabError as error:
        st.markdown(f":red[:material/error:] {escape(error, 300)}")
        return
    if store.replaced is not None and time.time() - store.replaced < SAY_REPLACED:
        st.markdown(REPLACED.format(ago=format_duration(max(1.0, time.time() - store.replaced))))
    if visitor.is_demo():
        with st.container(key="status-demo"):
            st.markdown(DEMO, help=visitor.explain_demo())
        return
    with st.container(key="status-alive" if living else "status-silent"):
        said = describe_status(living, describe_silence(store) if not living else "")
        st.markdown(said, help=describe_engine(living, queue))


DEMO = ":blue[:material/movie:] **Demonstration**: recorded runs"
REPLACED = (
    ":orange[:material/warning:] The store's file was deleted or replaced {ago} ago. What was in it, runs in progress too, "
    "is no longer shown. These pages show the file that is there now."
)
STARTING = ":blue[:material/hourglass_top:] Engine starting"
DRAINING = ":orange[:material/power_off:] **No engine takes new runs**"
HELP = "The engine is the process that trains; this page shows."


def describe_status(living: Sequence[EngineInfo], silence: str) -> str:
    """Return the engine's state in two or three words, as markdown. silence: for how long no engine has answered."""
    if not living:
        return f":orange[:material/power_off:] **No engine** · {silence}"
    if trouble := next((e.trouble for e in living if e.trouble), ""):
        return f":orange[:material/warning:] **Engine in trouble**: {escape(trouble, 200)}"
    if all(e.draining for e in living):
        return DRAINING
    return ":green[:material/check_circle:] Engine ready" if any(e.ready for e in living) else STARTING


def describe_engine(living: Sequence[EngineInfo], queue: Mapping[str, int]) -> str:
    """Return what the engine runs on and what it does now, one short sentence each."""
    waiting = f"Runs of everybody: {queue['running']} running, {queue['queued']} waiting."
    if not living:
        return f"{HELP} {waiting}"
    devices = {one.device or ", ".join(one.devices) or "unknown": None for one in living}
    device = escape("; ".join(devices), 40 * len(devices))
    slots, memory = sum(e.slots for e in living), sum(e.memory_mb for e in living)
    busy = f"{sum(e.busy for e in living)} of {format_count(slots, 'slot')} busy. {memory:,.0f} MiB in use."
    draining = sum(one.draining for one in living)
    several = "" if len(living) == 1 else f"{len(living)} engines. "
    several += f"{draining} of them {'takes' if draining == 1 else 'take'} nothing new. " if draining else ""
    return f"{HELP} {several}Device: {device}. {busy} {waiting}"


def describe_silence(store: Store) -> str:
    """Return 'silent for 8 s' of the engine with the last heartbeat, 'none is running here' where there is none."""
    known = store.engines(alive_within=_FORGET)
    if not known:
        return "none is running here"
    return f"silent for {format_duration(max(0.0, time.time() - max(e.heartbeat for e in known)))}"
