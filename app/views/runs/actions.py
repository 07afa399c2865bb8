"""Actions on the chosen runs: links, names, pins, running again, cancelling, exporting, deleting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.frame import links
from app.run import listing
from app.session import lab_address, recorded, visitor
from app.session.jobs import BUNDLED, ask_comparison, bundle_url, cancel_job
from app.session.store import get_store
from app.views.runs.table import CHOSEN, choose_none, drop_question, reset_ticks
from app.words import runs as words
from app.words.text import escape, format_count
from engine.errors import BadInput, LabError, UnknownName
from engine.spec import RunSpec
from engine.spec.comparison import CompareSpec
from engine.spec.run import upload_id
from engine.store import PRIORITY_INTERACTIVE, Job, Store
from engine.store.library import Row
from engine.store.sweeps import Sweep
from engine.sweep import SweepSpec

NOT_DONE = ("failed", "cancelled", "interrupted")
MOST_SAID = 3
"""Ticked runs whose settings are said."""


def draw_bar(
    store: Store,
    owner: str | None,
    chosen: list[str],
    rows: Sequence[Row],
    known: Mapping[str, str],
    catalog: Mapping[str, Any],
) -> None:
    """Draw the actions on the ticked rows, whichever page of the list they are on."""
    if not chosen:
        return
    answers = store.read_results(chosen, owner, fields=False)
    sweeps = {row.id: row.sweep for row in rows if row.sweep is not None}
    if not {*answers, *sweeps} >= set(chosen):  # some are on another page of the list
        sweeps |= {one.id: one for one in store.sweeps(1000)}
    there = [id for id in chosen if id in answers or id in sweeps]
    if there != chosen:  # deleted in another tab, or forgotten
        st.session_state[CHOSEN] = there
    jobs = [answers[id][0] for id in there if id in answers]
    if not there:
        return
    with st.container(key="runs-bar"):
        here = sum(row.id in there for row in rows)
        far = words.FAR.format(count=len(there) - here) if here < len(there) else ""
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f"{words.TICKED.format(rows=format_count(len(there), 'row'))}{far}")
            _draw_links(jobs, [sweeps[id] for id in there if id in sweeps], catalog)
            if not visitor.is_demo():
                _draw_actions(store, owner, there, jobs)
            st.button(words.NONE, key="runs.none", icon=":material/deselect:", on_click=choose_none)
        if len(jobs) == len(there) <= MOST_SAID:
            st.caption("  \n".join(listing.describe_job(job, known, catalog) for job in jobs))
        if st.session_state.get("runs.asking") == there:
            _draw_question(store, owner, there, len(jobs) < len(there) or any(job.owner is None for job in jobs))


def _draw_actions(store: Store, owner: str | None, there: list[str], jobs: Sequence[Job]) -> None:
    """Draw what changes the ticked rows."""
    marks = store.bookmarks(owner)
    pinned = all(id in marks and marks[id].pinned for id in there)
    sign = ":material/keep_off:" if pinned else ":material/keep:"
    st.button(words.UNPIN if pinned else words.PIN, key="runs.pin", icon=sign, on_click=_set_pin, args=(there, not pinned))
    if len(there) == 1:
        _draw_name(there[0], marks[there[0]].name if there[0] in marks else "")
    ended = [job for job in jobs if job.state in NOT_DONE]
    if ended:
        st.button(words.AGAIN, key="runs.again", icon=":material/replay:", on_click=_submit_again, args=(ended,))
    active = [job.id for job in jobs if job.active]
    if active:
        st.button(words.CANCEL, key="runs.stop", icon=":material/stop:", on_click=_cancel_jobs, args=(active,))
    _draw_export(jobs, len(there))
    st.button(words.DELETE, key="runs.delete", icon=":material/delete:", on_click=_ask_deletion, args=(there,))


def _draw_links(jobs: Sequence[Job], sweeps: Sequence[Sweep], catalog: Mapping[str, Any]) -> None:
    """Draw links to other pages with the ticked rows."""
    done = [job for job in jobs if job.kind == "run" and job.state == "done"]
    count = len(jobs) + len(sweeps)
    if len(done) == count == 2:
        links.draw_link("compare", words.COMPARE, ":material/compare:", view="pair", run=done[0].id, beside=done[1].id)
    if count != 1:
        return
    if sweeps:
        _open_sweep(sweeps[0])
        return
    (job,) = jobs
    if job.kind == "compare":
        links.draw_link("data", words.OPEN, ":material/table_view:", compare=job.id)
    elif job.kind == "embed":
        links.draw_link("deep", words.OPEN, ":material/scatter_plot:", run=job.fingerprint)
    else:
        links.draw_link("lab", words.OPEN, ":material/science:", run=job.id)
    if done:
        links.draw_link("deep", words.DEEP, ":material/scatter_plot:", run=done[0].id)
    if job.kind == "run" and not visitor.is_demo() and (query := write_change(job, catalog)):
        links.draw_link("lab", words.CHANGE, ":material/tune:", **query)


def _open_sweep(sweep: Sweep) -> None:
    try:
        query = SweepSpec.from_json(sweep.spec).to_query()
    except BadInput:
        return
    links.draw_link("compare", words.OPEN, ":material/leaderboard:", **query)


def write_change(job: Job, catalog: Mapping[str, Any]) -> dict[str, str]:
    """Return the words of the Lab's address that fill its form with a run's settings and start nothing.

    {} where the form has no place for the run.
    """
    try:
        spec = RunSpec.from_json(job.spec)
        if upload_id(spec.dataset):
            return {}
        return lab_address.write_address(lab_address.LabAddress(spec.complete(catalog), job.device), catalog)
    except BadInput:  # the catalog lacks its dataset or method
        return {}


def _draw_name(id: str, now: str) -> None:
    """Draw the field for the name of the chosen row."""
    with st.popover(words.NAME, icon=":material/label:", key="runs-naming"):
        key = f"mine.runs.name.{id}"  # the key of a private run's name is deleted with its table
        st.session_state.setdefault(key, now)
        st.text_input(words.NAME, key=key, on_change=_set_name, args=(id, key), placeholder=words.NAME_PLACE)
        st.caption(words.NAME_HELP)


def _draw_export(jobs: Sequence[Job], count: int) -> None:
    """Draw the link to the chosen runs as one file."""
    ids = [job.id for job in jobs if job.state == "done" and job.kind == "run" and job.owner is None]
    if ids and len(ids) == count <= BUNDLED:
        st.link_button(
            words.EXPORT,
            bundle_url(ids),
            key="runs.export",
            icon=":material/download:",
            help=words.EXPORT_HELP,
        )


def _set_pin(ids: Sequence[str], pinned: bool) -> None:
    with _Reported():
        for id in ids:
            get_store().bookmark(id, visitor.read_owner(), pinned=pinned)


def _set_name(id: str, key: str) -> None:
    with _Reported():
        get_store().bookmark(id, visitor.read_owner(), name=st.session_state[key])


def _cancel_jobs(ids: Sequence[str]) -> None:
    with _Reported():
        for id in ids:
            cancel_job(id)


def _submit_again(jobs: Sequence[Job]) -> None:
    """Queue jobs that ended without a result once more."""
    store, owner = get_store(), visitor.read_owner()
    with _Reported():
        for job in jobs:
            match job.kind:
                case "run":
                    spec = RunSpec.from_json(job.spec)
                    store.submit(
                        spec,
                        fingerprint=job.fingerprint,
                        owner=job.owner,
                        device=job.device,
                        priority=PRIORITY_INTERACTIVE,
                        asker=owner,
                    )
                case "compare":
                    ask_comparison(CompareSpec.from_json(job.spec))
                case "embed":
                    store.submit_embed(job.fingerprint, job.spec["technique"], job.spec["params"], job.spec["seed"], owner)


def _ask_deletion(ids: Sequence[str]) -> None:
    st.session_state["runs.asking"] = list(ids)


def _draw_question(store: Store, owner: str | None, ids: list[str], public: bool) -> None:
    """Draw what is about to be deleted, and the button that does it."""
    kept = recorded.list_bundled() & set(ids)
    ids = [id for id in ids if id not in kept]
    held = store.count_contents(ids, owner)
    with st.container(key="runs-confirm"):
        if kept:
            st.info(words.STAYS.format(runs=format_count(len(kept), "run")), icon=":material/verified:")
        if not ids:
            return
        lines = [words.WHAT_JOBS.format(count=held.jobs) if held.jobs > 1 else words.WHAT_ONE if held.jobs else ""]
        lines += [words.WHAT_MAPS.format(maps=format_count(held.maps, "map")) if held.maps else ""]
        lines += [words.WHAT_SWEEPS.format(sweeps=format_count(held.sweeps, "sweep")) if held.sweeps else ""]
        lines += [words.WHAT_SIZE.format(size=f"{held.size / 1e6:,.1f}") if held.jobs else ""]
        what = ", ".join(line for line in lines if line)
        asked = words.QUESTION.format(what=what, whose=words.EVERYBODY if public else "")
        st.warning(f"{asked} {words.QUESTION_MORE if held.jobs else ''}", icon=":material/delete_forever:")
        with st.container(horizontal=True):
            st.button(
                words.DELETE_SURE,
                key="runs.sure",
                type="primary",
                icon=":material/delete:",
                on_click=_delete_chosen,
                args=(ids,),
            )
            st.button(words.KEEP, key="runs.keep", on_click=drop_question)


def _delete_chosen(ids: Sequence[str]) -> None:
    with _Reported():
        get_store().delete_many(ids, visitor.read_owner())
        st.session_state[CHOSEN] = [id for id in st.session_state[CHOSEN] if id not in ids]
        reset_ticks()
    drop_question()


class _Reported:
    """Catches the errors of a button's callback, which `draw_trouble` then shows on top of the page."""

    def __enter__(self) -> None:
        st.session_state.pop("runs.trouble", None)

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> bool:
        if isinstance(error, LabError):
            st.session_state["runs.trouble"] = words.GONE if isinstance(error, UnknownName) else str(error)
            return True
        return False


def draw_trouble() -> None:
    """Draw the error of the last button's callback, once."""
    if text := st.session_state.pop("runs.trouble", None):
        st.error(escape(text, 400), icon=":material/error:")
