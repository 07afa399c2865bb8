"""Admin: engines, queue, sizes, counts per person and the audit log, for the people whom LAB_ADMINS names.

Every verb of the store that is called here checks that again (`engine.store.administration`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence, Set
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import streamlit as st

from app.frame import headline, top
from app.frame.opening import open_page
from app.frame.pages import MenuEntry
from app.parts.elements import draw_heading
from app.session import visitor
from app.session.store import get_store
from app.words import admin as words
from app.words.text import escape, format_count, format_duration
from engine.errors import LabError
from engine.store import EngineInfo, Store
from engine.store.administration import Act, ActiveJob, PersonCounts, Sizes
from engine.store.quotas import Quota, read_quota

MENU = MenuEntry(8, "Admin", is_open=lambda: visitor.can_sign_in(), is_listed=lambda: visitor.is_admin())
DAY = 24 * 3600.0
DRAIN_VERB = "drain"
"""The store's verb that asks an engine, by its id, to take nothing new. The button is there where the verb is."""
_SAID, _ASKED = "admin.said", "admin.asked"


def page() -> None:
    """Draw the page."""
    opened = open_page(get_store)
    if opened is None:
        return
    store: Store = opened
    top.draw_head(False)
    try:
        if not visitor.is_admin():
            headline.draw_title(words.TITLE)
            st.error(words.NOT_ALLOWED, icon=":material/block:")
            return
        admin = visitor.read_owner()
        _draw(store, admin)
    except LabError as error:
        st.error(escape(error, 400), icon=":material/error:")


def _draw(store: Store, admin: str | None) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        headline.draw_title(words.TITLE)
        st.button(words.REFRESH, icon=":material/refresh:", key="admin.refresh")
    st.caption(words.WHAT)
    if said := st.session_state.pop(_SAID, ""):
        st.info(escape(said, 300), icon=":material/info:")
    st.markdown(describe_sizes(store.read_sizes(admin)))
    st.caption(describe_quota(read_quota()))
    _draw_engines(store, admin)
    _draw_jobs(store, admin)
    _draw_people(store, admin)
    draw_heading(words.LOG, words.LOG_HELP)
    _draw_table(list_act_rows(store.list_acts(admin)), words.LOG_COLUMNS, words.LOG, words.NO_ACTS)


def _draw_engines(store: Store, admin: str | None) -> None:
    draw_heading(words.ENGINES, words.ENGINES_HELP.format(seconds=f"{store.database.silence:.0f}"))
    known, living = store.engines(alive_within=DAY), {one.id for one in store.engines()}
    _draw_table(list_engine_rows(known, living, time.time()), words.ENGINE_COLUMNS, words.ENGINES, words.NO_ENGINES)
    for text in list_troubles(known, living):
        st.warning(escape(text, 300), icon=":material/warning:")
    drain: Callable[[str], object] | None = getattr(store, DRAIN_VERB, None)
    if known and drain is not None:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            engine = _draw_choice(words.ENGINE, [one.id for one in known], "admin.engine")
            asked = (store, admin, engine, drain)
            st.button(
                words.DRAIN,
                icon=":material/hourglass_bottom:",
                help=words.DRAIN_HELP,
                key="admin.drain",
                on_click=_drain,
                args=asked,
            )


def _draw_jobs(store: Store, admin: str | None) -> None:
    draw_heading(words.JOBS, words.JOBS_HELP)
    jobs = store.list_active(admin)
    _draw_table(list_job_rows(jobs, time.time()), words.JOB_COLUMNS, words.JOBS, words.NO_JOBS)
    if jobs:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            job = _draw_choice(words.JOB, [one.id for one in jobs], "admin.job")
            st.button(words.CANCEL, icon=":material/stop:", key="admin.cancel", on_click=_cancel, args=(store, admin, job))


def _draw_people(store: Store, admin: str | None) -> None:
    draw_heading(words.PEOPLE, words.PEOPLE_HELP)
    people = store.count_people(admin)
    _draw_table(list_person_rows(people, time.time()), words.PERSON_COLUMNS, words.PEOPLE, words.NO_PEOPLE)
    if not people:
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        person = _draw_choice(words.PERSON, [one.person for one in people], "admin.person")
        st.button(words.FORGET, icon=":material/delete:", key="admin.forget", on_click=_ask, args=(person,))
    if st.session_state.get(_ASKED) == person:
        st.warning(words.FORGET_ASK.format(person=escape(person)), icon=":material/delete:")
        with st.container(horizontal=True):
            st.button(words.FORGET_SURE, key="admin.sure", on_click=_forget, args=(store, admin, person))
            st.button(words.KEEP, key="admin.keep", on_click=_ask, args=("",))


def _draw_choice(label: str, options: list[str], key: str) -> str:
    return str(st.selectbox(label, options, key=key, width=340))


def _draw_table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], alt: str, empty: str) -> None:
    if not rows:
        st.caption(empty)
        return
    frame = pd.DataFrame([{title: row[name] for name, title in columns.items()} for row in rows])
    st.dataframe(frame, hide_index=True, alt=alt, width="stretch")


# ---- acts: callbacks of buttons


def _cancel(store: Store, admin: str | None, job: str) -> None:
    _say(lambda: (words.CANCELLED if store.cancel_for(admin, job) else words.NOT_CANCELLED).format(job=job))


def _drain(store: Store, admin: str | None, engine: str, drain: Callable[[str], object]) -> None:
    def act() -> str:
        store.drain_for(admin, engine, drain)
        return words.DRAINED.format(engine=engine)

    _say(act)


def _ask(person: str) -> None:
    st.session_state[_ASKED] = person


def _forget(store: Store, admin: str | None, person: str) -> None:
    def act() -> str:
        gone = store.forget_for(admin, person)
        tables, jobs = format_count(gone.tables, "table"), format_count(gone.jobs, "job")
        return words.FORGOTTEN.format(person=person, tables=tables, jobs=jobs)

    st.session_state.pop(_ASKED, None)
    _say(act)


def _say(act: Callable[[], str]) -> None:
    """Do something, and keep for the page what came of it."""
    try:
        st.session_state[_SAID] = act()
    except LabError as error:
        st.session_state[_SAID] = str(error)


# ---- what the tables hold


def describe_sizes(sizes: Sizes) -> str:
    """Return what the store holds, in a sentence."""
    return words.HOLDS.format(
        runs=format_count(sum(sizes.jobs.values()), "job"),
        events=format_count(sizes.events, "event"),
        artifacts=format_count(sizes.artifacts, "artifact"),
        artifact_size=_format_bytes(sizes.artifact_bytes),
        tables=format_count(sizes.tables, "private table"),
        table_size=_format_bytes(sizes.table_bytes),
    )


def describe_quota(quota: Quota) -> str:
    """Return what one person may have, in a sentence."""

    def limit(number: int, what: str) -> str:
        return f"{number:,} {what}" if number else words.NO_LIMIT.format(what=what)

    return words.QUOTAS.format(
        tables=format_count(quota.tables, "table"),
        mib=limit(quota.mib, "MiB"),
        queued=limit(quota.queued, "waiting jobs"),
        seconds=limit(quota.seconds, "engine seconds in 24 hours"),
    )


def list_engine_rows(engines: Sequence[EngineInfo], living: Set[str], now: float) -> list[dict[str, Any]]:
    """Return the rows of the table of engines. living: ids of those whose heartbeat counts; now: unix seconds."""
    rows = []
    for one in engines:
        silent = words.SILENT.format(time=format_duration(max(1.0, now - one.heartbeat)))
        state = (
            silent
            if one.id not in living
            else one.trouble or (words.DRAINING if one.draining else words.ALIVE if one.ready else words.STARTING)
        )
        device = one.device or ", ".join(one.devices)
        facts = {"id": one.id, "host": one.host, "device": device, "slots": one.slots, "busy": one.busy}
        rows.append(
            facts | {"memory": round(one.memory_mb), "state": state, "up": format_duration(max(0.0, now - one.started))}
        )
    return rows


def list_troubles(engines: Sequence[EngineInfo], living: Set[str]) -> list[str]:
    """Return why slots of engines that live are not ready, such as another version on a machine of a cluster: a sentence each, once."""
    found = (words.TROUBLE.format(host=one.host, why=why) for one in engines if one.id in living for why in one.troubles)
    return list(dict.fromkeys(found))


def list_job_rows(jobs: Sequence[ActiveJob], now: float) -> list[dict[str, Any]]:
    """Return the rows of the table of jobs. now: unix seconds."""
    return [
        {
            "id": job.id,
            "kind": job.kind,
            "state": job.state,
            "data": words.PRIVATE if job.private else job.dataset,
            "method": words.PRIVATE if job.private else job.method,
            "person": job.person or words.UNKNOWN,
            "since": format_duration(max(0.0, now - (job.started or job.created))),
            "engine": job.engine or "",
        }
        for job in jobs
    ]


def list_person_rows(people: Sequence[PersonCounts], now: float) -> list[dict[str, Any]]:
    """Return the rows of the table of people. now: unix seconds."""
    return [
        {
            "person": one.person,
            "tables": one.tables,
            "size": _format_bytes(one.table_bytes),
            "private": one.private_jobs,
            "queued": one.queued,
            "running": one.running,
            "seconds": round(one.seconds),
            "seen": "" if one.seen is None else f"{format_duration(max(0.0, now - one.seen))} ago",
        }
        for one in people
    ]


def list_act_rows(acts: Sequence[Act]) -> list[dict[str, Any]]:
    """Return the rows of the audit log."""
    return [
        {
            "at": f"{datetime.fromtimestamp(one.at, UTC):%Y-%m-%d %H:%M:%S}",
            "admin": one.admin,
            "act": one.act,
            "subject": one.subject,
            "outcome": one.outcome,
        }
        for one in acts
    ]


def _format_bytes(size: int) -> str:
    return f"{size / 2**20:,.1f} MiB" if size >= 1 << 20 else f"{size / 2**10:,.1f} KiB"
