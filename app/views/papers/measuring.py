"""Running a paper's table in this lab: the runs that are missing, their time, the button, the progress, and the results."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.session import refusals, visitor
from app.words import papers as words
from app.words.text import escape, format_count, format_duration
from engine.errors import LabError
from engine.papers import measured, stored
from engine.papers.stored import ENDED, Plan, Run, State
from engine.papers.tables import build_table
from engine.store import ACTIVE, Store

EVERY = 2.0
"""Seconds between two reads of runs that wait or run."""
REDRAW = 6.0
"""Seconds between two reruns of the whole page while results come in."""
_NAMES = {True: "reduced", False: "full"}
_HERE = "papers.here"
_PLAN = "papers.plan"
SEEN = "papers.measuring"
"""Session key: the table whose own runs were looked at. Until then only the shipped runs are looked for in the store."""
_PROTOCOL, _OF = "papers.protocol.kept", "papers.protocol.of"


def settle_protocol(paper: str, table: str) -> str:
    """Return the protocol that this lab runs a table by: that of the shipped numbers until another one is chosen."""
    state = st.session_state
    if state.get(_OF) != (paper, table):
        there = {_NAMES[reduced] for p, t, reduced in measured.list_tables() if (p, t) == (paper, table)}
        state[_OF], state[_PROTOCOL] = (paper, table), "full" if "full" in there else "reduced"
        state.pop("papers.sets", None)
    return str(state[_PROTOCOL])


def read_mine(paper: str, table: str, catalog: Mapping[str, Any], store: Store) -> dict[str, Any] | None:
    """Return what this store's runs give for the table (`engine.papers.stored.build_stored_document`), None where they give nothing."""
    whole = build_table(paper, table, settle_protocol(paper, table) == "reduced", catalog)
    return _read_document(_read_plan(whole, [], catalog), store)


def draw_measuring(paper: str, table: str, catalog: Mapping[str, Any], store: Store) -> None:
    """Draw what to run of the table, and how far it is."""
    state = st.session_state
    state["papers.protocol"] = settle_protocol(paper, table)
    left, right = st.columns([1, 2], vertical_alignment="bottom")
    protocol = left.segmented_control(
        words.PROTOCOL, list(words.PROTOCOLS), format_func=words.PROTOCOLS.__getitem__, key="papers.protocol", required=True,
        help=words.PROTOCOL_HELP, on_change=lambda: state.update({_PROTOCOL: state["papers.protocol"]}),
    )  # fmt: skip
    whole = build_table(paper, table, protocol == "reduced", catalog)
    names = {row.dataset_name: row.dataset for row in whole.rows if row.reading}
    chosen: Sequence[str] = []
    if len(names) > 1:
        chosen = right.multiselect(
            words.SETS, list(names), format_func=names.__getitem__, key="papers.sets", placeholder=words.ALL, select_all=False
        )
    chosen = [name for name in chosen if name in names]
    wanted = _read_plan(whole, chosen, catalog)
    standing = stored.read_states(store, [run.id for run in wanted.each])
    state["papers.drawn"] = (stored.count_states(wanted, standing)["done"], time.monotonic())
    command = ["python -m engine table", paper, "--table", table, *(["--reduced"] if whole.reduced else [])]
    command += ["--datasets", *chosen] if chosen else []
    _draw_panel(wanted, standing, store, " ".join(command))


def _read_plan(table: Any, datasets: Sequence[str], catalog: Mapping[str, Any]) -> Plan:
    """Return the plan, kept in the session: computing the ids of hundreds of runs takes a while."""
    data = [(d["name"], d["fingerprint"], d.get("available")) for d in catalog["datasets"]]
    key = (table.paper, table.name, table.reduced, tuple(datasets), hash(str((data, catalog["numerics"]))))
    kept: dict[Any, Plan] = st.session_state.setdefault(_PLAN, {})
    if key not in kept:
        while len(kept) > 3:
            kept.pop(next(iter(kept)))
        kept[key] = stored.plan_runs(table.select((), datasets) if datasets else table, catalog)
    return kept[key]


def _read_document(wanted: Plan, store: Store) -> dict[str, Any] | None:
    """Return what this store's runs give for the whole table; made again when there are more of them."""
    standing = stored.read_states(store, [run.id for run in wanted.each])
    done = tuple((id, state.attempt) for id, state in standing.items() if state.state == "done")
    if not done:
        return None
    kept = st.session_state.setdefault(_HERE, {"arrays": {}})
    key = (wanted.table.paper, wanted.table.name, wanted.table.reduced, hash(done))
    if kept.get("key") != key:
        if kept.get("key", ())[:3] != key[:3]:
            kept["arrays"] = {}
        kept["document"], kept["key"] = stored.build_stored_document(store, wanted, kept["arrays"]), key
    document: dict[str, Any] | None = kept["document"]
    return document


def _draw_panel(wanted: Plan, standing: Mapping[str, State], store: Store, command: str) -> None:
    if not wanted.runs:
        why = "; ".join(dict.fromkeys(wanted.absent.values())) or "the protocol leaves it out"
        st.info(escape(words.NOTHING_TO_RUN.format(why=why), 400), icon=":material/info:")
        st.code(command, language="bash")
        return
    active = bool(wanted.in_states(standing, *ACTIVE))
    st.fragment(_draw_progress, run_every=EVERY if active else None)(wanted, store, active)
    for why in list(dict.fromkeys(wanted.absent.values()))[:3]:
        st.caption(escape(words.LEFT_OUT.format(why=why), 300))
    st.caption(words.COMMAND)
    st.code(command, language="bash")


def _draw_progress(wanted: Plan, store: Store, active: bool) -> None:
    """Draw the state of the runs with its buttons. A fragment that is drawn again while some wait or run."""
    try:
        standing = stored.read_states(store, [run.id for run in wanted.each])
        living = store.engines()
    except LabError as error:
        st.error(escape(error, 300), icon=":material/error:")
        return
    counts, missing = stored.count_states(wanted, standing), wanted.missing(standing)
    running = wanted.in_states(standing, *ACTIVE)
    all_of, done = len(wanted.each), counts["done"]
    parts = [words.PROGRESS.format(done=done, runs=format_count(all_of, "run"))]
    parts += [text.format(count=counts[name]) for name, text in words.STATES.items() if counts[name]]
    parts += [f":red[{counts[name]} {name}]" for name in ENDED if counts[name]]
    st.markdown(" · ".join(parts))
    if running:
        share = sum(standing[run.id].share for run in running)
        st.progress((done + share) / all_of)
    slots = max(1, sum(engine.slots for engine in living) - 1)  # one is kept for what a person waits for
    left = stored.foresee_seconds(wanted, standing, running or missing)
    if running:
        _draw_running(running, store, None if left is None else left / slots, bool(living))
    elif missing:
        label = words.RUN_MISSING if done else words.RUN
        _draw_missing(missing, store, None if left is None else left / slots, slots, label)
    for reason in list(dict.fromkeys(standing[run.id].reason for run in wanted.in_states(standing, "failed")))[:3]:
        st.caption(f"Failed: {escape(reason, 300)}")
    _redraw_page(done, active, bool(running))


def _draw_running(running: Sequence[Run], store: Store, left: float | None, living: bool) -> None:
    """Draw the time left (s) of the runs that wait or run, and the button that stops them. living: an engine is alive."""
    text = words.TIME_UNKNOWN if left is None else words.TIME_LEFT.format(time=format_duration(left))
    st.caption(text if living else words.NO_ENGINE)
    if visitor.is_demo():
        st.caption(visitor.explain_demo())
    elif st.button(words.STOP, icon=":material/stop:", key="papers-stop", help=words.STOP_HELP):
        stored.cancel_runs(store, running)
        st.rerun()


def _draw_missing(missing: Sequence[Run], store: Store, left: float | None, slots: int, label: str) -> None:
    """Draw how many runs are missing, their time (s) on that many slots, and the button that queues them."""
    runs = format_count(len(missing), "run")
    given = {"runs": runs, "replicates": format_count(sum(run.spec.replicates for run in missing), "replicate")}
    if left is None:
        text = words.COST_UNKNOWN.format(**given)
    else:
        text = words.COST.format(**given, time=format_duration(left), slots=format_count(slots, "slot"))
    st.caption(f"{text} {words.WAITS}")
    if visitor.is_demo():
        st.caption(visitor.explain_demo())
    elif st.button(label.format(runs=runs), icon=":material/play_arrow:", key="papers-run", type="primary"):
        with st.spinner(words.QUEUEING), refusals.Reported():
            stored.queue_runs(store, missing, visitor.read_owner())
        st.rerun()


def _redraw_page(done: int, active: bool, running: bool) -> None:
    """Rerun the whole page where there are new results, not too often, or where the watching must begin or end."""
    drawn, when = st.session_state["papers.drawn"]
    if active != running or (done != drawn and (time.monotonic() - when > REDRAW or not running)):
        st.rerun()


def find_row(document: Mapping[str, Any] | None, row: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return this lab's row for a shipped one, None where it has none."""
    names = ("dataset", "labels", "metric")
    rows = document["rows"] if document else []
    return next((mine for mine in rows if mine["ours"] and all(mine[name] == row[name] for name in names)), None)
