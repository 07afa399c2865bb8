"""Your data: a private table, how it was read, which method helps on it, where to put the threshold, and what to take along."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.frame import address, links, top
from app.frame.opening import open_page
from app.run import panel
from app.session import jobs, uploads, visitor
from app.session.store import get_store
from app.views.data import classes, columns, contest, decide, takeaway, upload
from app.words.text import escape, format_count
from engine.errors import LabError, UnknownName
from engine.store import Job
from engine.store.uploads import Upload

ADDRESS_WORDS = ("data", "compare")
ADDRESS = address.Address("data", {}, echo_seconds=0.0)


def page() -> None:
    """Draw the page."""
    mine = open_page(_load)
    if mine is None:
        return
    named = _read_address(mine)
    job = named[1] if named is not None else None
    top.draw_head(job is not None and job.active)
    with st.container(key="data-top"):
        upload.draw_forgotten()
        upload.draw_trouble()
    if named is None:
        upload.draw_unknown(_go_to)
        return
    table, job = named
    if table is None and job is None:
        with st.container(key="data-state-empty"):
            upload.draw_empty(_go_to)
        if visitor.is_demo():
            links.draw_link("gallery", "See a recorded comparison in the gallery", ":material/collections_bookmark:")
        else:
            panel.warn_no_engine(get_store())
        return
    if table is not None:
        upload.draw_head(table, mine, _go_to)
        _draw_table(table, job)
    if job is not None:
        _draw_comparison(job)
    if table is not None:
        st.divider()
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f":material/lock: {upload.explain_privacy()}", width="stretch")
            upload.draw_forget(table, "end", _go_to)


def _load() -> list[Upload]:
    get_store()  # raises StoreError, in a demonstration too
    return uploads.list_uploads()


def _read_address(mine: list[Upload]) -> tuple[Upload | None, Job | None] | None:
    """Return (table, comparison) that the address names, the newest table where it names none; None where it is not there for
    them."""
    query = _read_words(mine)
    job = None
    try:
        if "compare" in query:
            job = jobs.read_progress(query["compare"]).job
            if job.kind != "compare":
                return None
            _take_settings(job, query)
        id = job.upload if job is not None else query.get("data")
        if job is not None and id is None:
            return None, job  # on a public dataset
        if id is not None:
            return uploads.find_upload(id), job
    except UnknownName:
        return None
    if not mine:
        return None, None
    ADDRESS.write({"data": mine[0].id})  # so that the page can say when this table is gone
    return mine[0], None


def _read_words(mine: list[Upload]) -> dict[str, str]:
    """Return the words of the address; after coming back by the menu, those that the page showed before, if the table is there."""
    shown = ADDRESS.last_query() or {}
    query = ADDRESS.read()
    if query is None:
        return shown
    if not query and shown.get("data") in {table.id for table in mine}:
        ADDRESS.write(shown)
        return shown
    return query


def _go_to(table: str | None, compare: str | None = None) -> None:
    """Go to a table, or to the page without one."""
    ADDRESS.write({word: id for word, id in zip(ADDRESS_WORDS, (table, compare), strict=True) if id})


def _take_settings(job: Job, query: Mapping[str, str]) -> None:
    """Take over the settings of a comparison that a link names, once, and the method that the link says."""
    state = st.session_state
    if state.get("mine.from") != job.id:
        state["mine.from"] = job.id
        if "method" in query:
            state["data.method"] = query["method"]
        state["mine.options"] = {
            "table": job.upload,
            "reading": dict(job.spec.get("reading") or {}),
            "target": job.spec.get("target"),
            "positive": job.spec.get("positive"),
        }
        budget = int(job.spec.get("budget") or 60)
        state["data.budget"] = budget if budget in contest.BUDGETS else 60
        state["data.ratio.kind"] = "native" if job.spec.get("ratio") is None else "other"
        if job.spec.get("ratio") is not None:
            state["data.ratio"] = float(job.spec["ratio"])


def _go_to_new(table: Upload, job: Job) -> None:
    """Go to a comparison that was asked for just now; the settings stay as they are."""
    st.session_state["mine.from"] = job.id
    _go_to(table.id, job.id)


def _read_options(table: Upload) -> dict[str, Any]:
    """Return what the person has said of this table."""
    options: dict[str, Any] = st.session_state.get("mine.options") or {}
    if options.get("table") != table.id:
        options = {"table": table.id, "reading": {}, "target": None, "positive": None}
        st.session_state["mine.options"] = options
    return options


def _change_options(**changes: Any) -> None:
    st.session_state["mine.options"] = {**st.session_state["mine.options"], **changes}


def _draw_table(table: Upload, job: Job | None) -> None:
    """Draw how the table was read, what is in it, and the Compare button."""
    options = _read_options(table)
    reading_job = _find_profile_job(table, options)
    if reading_job is None:
        return
    if reading_job.active:
        with st.container(key="data-state-reading"):
            st.fragment(_draw_reading, run_every=panel.TICK)(reading_job.id)
        return
    profile = jobs.read_profile(reading_job.id) if reading_job.state == "done" else None
    if profile is None:
        with st.container(key="data-state-unread"):
            _draw_unread(reading_job, options)
    else:
        with st.container(key="data-state-profile"):
            if job is not None and job.state == "done":
                st.markdown(
                    "On this page: [what is to be predicted](#target) · [compare](#compare) · [verdict](#verdict) · [curves](#curves) · "
                    "[decide](#decide) · [take away](#take-away)"
                )
            _draw_profile(profile, table, options, reading_job)
            return
    reading = columns.draw_columns(None, options["reading"], reading_job.id)
    if reading is not None:
        _change_options(reading=reading, target=None, positive=None)
        st.rerun()


def _find_profile_job(table: Upload, options: Mapping[str, Any]) -> Job | None:
    """Return the job that reads this table this way, submitted once: one that failed stays failed until a button is pressed."""
    state = st.session_state
    wanted_reading = {"reading": options["reading"], "target": options["target"], "positive": options["positive"]}
    wanted = json.dumps([table.id, wanted_reading], sort_keys=True)
    try:
        if state.get("mine.wanted") != wanted:
            state["mine.profile"] = jobs.ask_profile(table.id, wanted_reading).id
            state["mine.wanted"] = wanted
        return jobs.read_progress(state["mine.profile"]).job
    except LabError as error:
        st.error(escape(error, 500), icon=":material/error:")
        if options["reading"] or options["target"]:
            st.button("Guess everything again", key="data.reset", icon=":material/auto_fix:", on_click=_reset_options)
        return None


def _choose_target(profile: Mapping[str, Any], target: str | None, positive: str | None) -> None:
    """Take another target or class; marks that are no answer are of one target alone."""
    reading = dict(st.session_state["mine.options"]["reading"])
    if target != (profile.get("target") or {}).get("name"):
        reading.pop("target_missing", None)
    _change_options(reading=reading, target=target, positive=positive)


def _choose_marks(profile: Mapping[str, Any], marks: list[str]) -> None:
    """Take the marks of the target that are no answer."""
    options = st.session_state["mine.options"]
    reading = {k: v for k, v in options["reading"].items() if k != "target_missing"} | (
        {"target_missing": marks} if marks else {}
    )
    positive = None if options["positive"] in marks else options["positive"]
    _change_options(reading=reading, target=profile["target"]["name"], positive=positive)


def _reset_options() -> None:
    _change_options(reading={}, target=None, positive=None)


def _draw_reading(id: str) -> None:
    """Draw the progress of the reading. A fragment; it reruns the page when that has ended."""
    try:
        live = jobs.read_progress(id)
    except UnknownName:
        st.rerun()
    if not live.job.active:
        st.rerun()
    alive = bool(get_store().engines())
    if live.job.state == "queued":
        st.progress(
            0.0,
            text="Waiting for the engine. "
            + (f"{format_count(live.ahead, 'job')} before it." if live.ahead else "Next in line."),
        )
    else:
        st.progress(0.5, text=f"{escape(live.phase or 'Reading the table', 80)} …")
    if not alive:
        st.warning(panel.NO_ENGINE, icon=":material/power_off:")


def _draw_unread(job: Job, options: Mapping[str, Any]) -> None:
    """Draw why the reading failed, and what to do."""
    if job.state == "failed":
        st.error(f"**The table could not be read as asked.** {escape(job.reason, 600)}", icon=":material/error:")
        st.markdown("Say below how it is to be read, mend the file and send it again, or forget it.")
    else:
        st.warning(f"**Reading was {job.state}.**", icon=":material/power_off:")
    with st.container(horizontal=True):
        st.button("Try again", key="data.reread", icon=":material/replay:", on_click=_read_again)
        if options["reading"] or options["target"]:
            st.button("Guess everything again", key="data.reset", icon=":material/auto_fix:", on_click=_reset_options)


def _read_again() -> None:
    st.session_state.pop("mine.wanted", None)


def _draw_profile(profile: Mapping[str, Any], table: Upload, options: Mapping[str, Any], reading_job: Job) -> None:
    reading = columns.draw_columns(profile, options["reading"], reading_job.id)
    if reading is not None:
        _change_options(reading=reading, target=None, positive=None)
        st.rerun()
    ready = classes.draw_classes(
        profile,
        lambda target, positive: _choose_target(profile, target, positive),
        reading_job.id,
        no_answer=list(options["reading"].get("target_missing") or ()),
        take_marks=lambda marks: _choose_marks(profile, marks),
    )
    if profile["target"] is None:
        return
    contest.draw_bar(profile, {"upload": table.id}, options["reading"], ready, lambda job: _go_to_new(table, job))
    _draw_earlier(table)


def _draw_earlier(table: Upload) -> None:
    """Draw links to other comparisons of this table."""
    others = [j for j in jobs.list_comparisons(table.id) if j.id != (ADDRESS.last_query() or {}).get("compare")]
    if not others:
        return
    with st.expander(f"Earlier: {format_count(len(others), 'comparison')}", icon=":material/history:"):
        for job in others[:20]:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"{contest.describe_request(job.spec)} · {job.state}", width="stretch")
                st.button(
                    "Show", key=f"mine.show.{job.id}", icon=":material/visibility:", on_click=_go_to, args=(table.id, job.id)
                )


def _draw_comparison(job: Job) -> None:
    st.subheader("Verdict" if job.state == "done" else "Comparison", anchor="verdict")
    with st.container(key=f"data-state-{job.state}"):
        if job.active:
            st.caption(contest.describe_request(job.spec))
            contest.watch_comparison(job)
            return
        result = jobs.read_comparison(job.id) if job.state == "done" else None
        if job.state == "done" and result is None:
            st.warning("What this comparison found is gone; compare again.", icon=":material/search_off:")
            return
        if result is None:
            st.caption(contest.describe_request(job.spec))
            contest.draw_ending(job, lambda: contest.repeat_comparison(job))
            return
        contest.draw_verdict(job.id, result)
        contest.draw_curves(job.id, result)
        decide.draw_decision(job.id, result)
        takeaway.draw_takeaway(job.id, result)
