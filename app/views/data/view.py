"""Your data, in five steps: the table, questions about it, the comparison of methods, a cut, and what is taken along."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

import streamlit as st

from app.frame import account, address, headline, links, top
from app.frame.opening import open_page
from app.run import panel
from app.session import jobs, uploads, visitor
from app.session.store import get_store
from app.views.data import answers, chooser, columns, compare, contest, decide, questions, steps, upload, use
from app.words import data as words
from app.words.text import escape, format_count
from engine.errors import LabError, UnknownName
from engine.store import Job
from engine.store.uploads import Upload

ADDRESS = address.Address("data", {}, echo_seconds=0.0)
_SHOWN, _BARE = "data.words", "data.bare"
"""Session keys: the address's words for what is shown; what an address without words stands for."""
_NAMES = ("data", "compare")
STYLE = """<style>
.st-key-data-head { min-height: 40px; }
.st-key-data-head > :has(.st-key-data-tools) { margin-left: auto; }
.st-key-data-title > :has(.st-key-verdict) { flex: 1 1 520px; min-width: 0; }
.st-key-data-step button { min-height: 34px; }
.st-key-data-step button::after { position: absolute; top: calc(100% + 6px); left: 0; z-index: 9; padding: 4px 10px; border-radius: 8px;
  font-size: 13px; white-space: nowrap; pointer-events: none; background: light-dark(#26282C, #EDEEF0); color: light-dark(#FFF, #121315); }
@media (max-width: 767px) { .st-key-data-head > :has(.st-key-data-tools) { margin-left: 0; }
  .st-key-data-head .chips { max-width: calc(100vw - 24px); overflow: hidden; } }
</style>"""


def page() -> None:
    """Draw the page."""
    mine = open_page(_load, style=STYLE)
    if mine is None:
        return
    words_shown = _read_words(mine)
    here = _find(mine, words_shown)
    top.draw_head(here is not None and here.job is not None and here.job.active)
    with st.container(key="data-top"):
        upload.draw_forgotten()
        lost = upload.draw_lost()
        upload.draw_trouble()
        account.draw_offer("data")
    if here is None:
        headline.draw_title(words.GONE)
        upload.draw_unknown(_go_to, lost)
        return
    step = here.find_step(words_shown.get("step"))
    steps.draw_bar(here, step, partial(_go_to_step, _name_shown(here)), _go_to)
    draw = {
        "table": _draw_table,
        "questions": _draw_questions,
        "compare": _draw_compare,
        "decide": _draw_decide,
        "use": _draw_use,
    }
    draw[step](here)


def _load() -> list[Upload]:
    get_store()  # raises StoreError, in a demonstration too
    return uploads.list_uploads()


# ---- the address


def _read_words(mine: list[Upload]) -> dict[str, str]:
    """Return the words of the address; where it names nothing, those of what was shown last, else of the newest table.

    Nothing is written into the address for that: the browser's back button would then need two presses.
    """
    state = st.session_state
    arrived = state.get("page") != ADDRESS.page
    query = ADDRESS.read()
    if query is None:
        shown: dict[str, str] = state.get(_SHOWN, {})
        return shown
    if not any(name in query for name in _NAMES):
        if arrived or _BARE not in state:
            kept = state.get(_SHOWN, {})
            there = {table.id for table in mine}
            state[_BARE] = dict(kept) if kept.get("data") in there else _name_newest(mine)
        query = {**state[_BARE], **query}
    state[_SHOWN] = query
    return query


def _name_newest(mine: list[Upload]) -> dict[str, str]:
    """Return the words for the newest table; tables and model files that were sent for a scoring come last."""
    if len(mine) < 2:
        return {"data": mine[0].id} if mine else {}
    scorings = jobs.list_scorings()
    sent = {one.upload for one in scorings} | {(one.spec.get("model") or {}).get("upload") for one in scorings}
    return {"data": next((table.id for table in mine if table.id not in sent), mine[0].id)}


def _go(query: Mapping[str, str]) -> None:
    """Go to what these words name."""
    st.session_state[_SHOWN] = dict(query)
    ADDRESS.write(query)


def _go_to(table: str | None, compare: str | None = None) -> None:
    """Go to a table, or to the page without one."""
    if table is None:
        st.session_state.pop(_BARE, None)
    _go({word: id for word, id in zip(_NAMES, (table, compare), strict=True) if id})


def _name_shown(here: steps.Here) -> dict[str, str]:
    """Return the address's words for the table and the comparison shown. Callbacks hold these alone: Streamlit keeps them for long."""
    named = {"data": here.table.id if here.table is not None else "", "compare": here.job.id if here.job is not None else ""}
    return {word: id for word, id in named.items() if id}


def _go_to_step(shown: Mapping[str, str], name: str) -> None:
    """Open a step of what is shown; answers that were given stay."""
    _go({**shown, "step": name, **answers.list_words(st.session_state.get(_SHOWN) or {})})


def _find(mine: list[Upload], query: Mapping[str, str]) -> steps.Here | None:
    """Return what the words name, with the table's last comparison where they name none; None where it is not there for them."""
    table, job = None, None
    try:
        if "compare" in query:
            job = jobs.read_progress(query["compare"]).job
            if job.kind != "compare":
                return None
            _take_settings(job, query)
        id = job.upload if job is not None else query.get("data")
        if id is not None:
            table = uploads.find_upload(id)
    except UnknownName:
        return None
    if table is not None and job is None:
        job = next(iter(jobs.list_comparisons(table.id)), None)
        if job is not None and (st.session_state.get("mine.options") or {}).get("table") != table.id:
            _take_settings(job, query)
    reading = _find_profile_job(table) if table is not None else None
    profile = jobs.read_profile(reading.id) if reading is not None and reading.state == "done" else None
    result = jobs.read_comparison(job.id) if job is not None and job.state == "done" else None
    return steps.Here(mine, table, job, reading, profile, result)


def _take_settings(job: Job, query: Mapping[str, str]) -> None:
    """Take over the settings of a comparison, once, and the method that a link says."""
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
            "answers": {field: job.spec.get(field) for field in answers.FIELDS},
        }
        budget = int(job.spec.get("budget") or 60)
        state["data.budget"] = budget if budget in contest.BUDGETS else 60
        chooser.take_choice(job.spec)


def _go_to_new(table: Upload, job: Job) -> None:
    """Go to a comparison that was asked for just now; the settings stay as they are, the answers are now its own."""
    st.session_state["mine.from"] = job.id
    _change_options(answers={field: job.spec.get(field) for field in answers.FIELDS})
    _go({"data": table.id, "compare": job.id, "step": "compare"})


# ---- how the table is read


def _read_options(table: Upload) -> dict[str, Any]:
    """Return what the person has said of this table."""
    options: dict[str, Any] = st.session_state.get("mine.options") or {}
    if options.get("table") != table.id:
        options = {"table": table.id, "reading": {}, "target": None, "positive": None}
        st.session_state["mine.options"] = options
    return options


def _change_options(**changes: Any) -> None:
    st.session_state["mine.options"] = {**st.session_state["mine.options"], **changes}


def _find_profile_job(table: Upload) -> Job | None:
    """Return the job that reads the table as asked, submitted once: one that failed stays failed until a button is pressed."""
    state, options = st.session_state, _read_options(table)
    wanted_reading = {"reading": options["reading"], "target": options["target"], "positive": options["positive"]}
    wanted = json.dumps([table.id, wanted_reading], sort_keys=True)
    try:
        if state.get("mine.wanted") != wanted:
            state["mine.profile"] = jobs.ask_profile(table.id, wanted_reading).id
            state["mine.wanted"] = wanted
        return jobs.read_progress(state["mine.profile"]).job
    except LabError as error:
        state["data.trouble"] = str(error)
        return None


def _read_said(profile: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, str]:
    """Return the answers so far as words of the address: its own where it has any, else those of the comparison shown."""
    own = answers.list_words(st.session_state.get(_SHOWN) or {})
    if own or not options.get("answers"):
        return own
    return answers.write_answers(options["answers"], profile)


def _take_answers(shown: Mapping[str, str], said: Mapping[str, str], changed: Mapping[str, str]) -> None:
    """Take answers into the address. shown: words of what is shown; said: the answers before, as words."""
    words_said = {word: value for word, value in {**said, **changed}.items() if value}
    _go({**shown, "step": "questions", **words_said})


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


def _read_again() -> None:
    st.session_state.pop("mine.wanted", None)


def _draw_unless_read(here: steps.Here) -> bool:
    """Draw what there is to say until the table is read; return whether it is."""
    if here.profile is not None:
        return True
    if here.table is None:
        return False
    options = _read_options(here.table)
    if here.reading is None:
        if options["reading"] or options["target"]:
            st.button(words.GUESS_ALL, key="data.reset", icon=":material/auto_fix:", on_click=_reset_options)
    elif here.reading.active:
        with st.container(key="data-state-reading"):
            st.fragment(_draw_reading, run_every=panel.TICK)(here.reading.id)
    else:
        with st.container(key="data-state-unread"):
            _draw_unread(here.reading, options)
            _take_reading(columns.draw_format(None, options["reading"], here.reading.id))
    return False


def _take_reading(reading: dict[str, Any] | None) -> None:
    """Read the table another way where a form asked for it."""
    if reading is not None:
        _change_options(reading=reading, target=None, positive=None, answers={})  # columns may stand in other places
        words_shown = st.session_state.get(_SHOWN) or {}
        _go({word: value for word, value in words_shown.items() if word not in answers.WORDS})
        st.rerun()


def _draw_reading(id: str) -> None:
    """Draw the progress of the reading. A fragment; it reruns the page when that has ended."""
    try:
        live = jobs.read_progress(id)
    except UnknownName:
        st.rerun()
    if not live.job.active:
        st.rerun()
    if live.job.state == "queued":
        st.progress(0.0, text=describe_wait(live.ahead))
    else:
        st.progress(0.5, text=f"{escape(live.phase or words.READING, 80)} …")
    if not get_store().engines():
        st.warning(panel.NO_ENGINE, icon=":material/power_off:")


def describe_wait(ahead: int) -> str:
    """Return 'Waiting for the engine. 2 jobs before it.'"""
    return f"{words.WAITING} {words.AHEAD.format(jobs=format_count(ahead, 'job')) if ahead else words.NEXT}"


def _draw_unread(job: Job, options: Mapping[str, Any]) -> None:
    """Draw why the reading failed, and what to do."""
    if job.state == "failed":
        st.error(words.UNREAD.format(reason=escape(job.reason, 600)), icon=":material/error:")
        st.markdown(words.UNREAD_HELP)
    else:
        st.warning(words.NOT_READ.format(state=job.state), icon=":material/power_off:")
    with st.container(horizontal=True):
        st.button(words.TRY_AGAIN, key="data.reread", icon=":material/replay:", on_click=_read_again)
        if options["reading"] or options["target"]:
            st.button(words.GUESS_ALL, key="data.reset", icon=":material/auto_fix:", on_click=_reset_options)


# ---- the steps


def _draw_table(here: steps.Here) -> None:
    headline.draw_title(words.STEPS["table"])
    if here.table is None:
        with st.container(key="data-state-empty"):
            upload.draw_empty(_go_to)
        if visitor.is_demo():
            links.draw_link("gallery", words.GALLERY, ":material/collections_bookmark:")
        else:
            panel.warn_no_engine(get_store())
        return
    if _draw_unless_read(here) and here.profile is not None and here.reading is not None:
        with st.container(key="data-state-table"):
            columns.draw_reading(here.profile)
            _take_reading(columns.draw_format(here.profile, _read_options(here.table)["reading"], here.reading.id))
    upload.draw_replacement(here.table, _go_to)


def _draw_questions(here: steps.Here) -> None:
    headline.draw_title(words.STEPS["questions"])
    if not _draw_unless_read(here):
        return
    profile, table, reading = here.profile, here.table, here.reading
    assert profile is not None and table is not None and reading is not None
    options = _read_options(table)
    said = _read_said(profile, options)
    shown = _name_shown(here)
    with st.container(key="data-state-profile"):
        asked = questions.draw_questions(
            profile,
            options["reading"],
            reading.id,
            said,
            take_answers=lambda changed: _take_answers(shown, said, changed),
            take=lambda target, positive: _choose_target(profile, target, positive),
            take_marks=lambda marks: _choose_marks(profile, marks),
            bar=lambda ready, found: contest.draw_bar(
                profile, {"upload": table.id}, options["reading"], ready, found, lambda job: _go_to_new(table, job)
            ),
        )
    _take_reading(asked)


def _draw_compare(here: steps.Here) -> None:
    assert here.job is not None
    earlier = [j for j in jobs.list_comparisons(here.table.id) if j.id != here.job.id] if here.table is not None else []
    with st.container(key=f"data-state-{here.job.state}", gap="small"):
        shown = _name_shown(here)
        show, decide_with = partial(_go_to, shown.get("data")), partial(_decide_with, shown)
        compare.draw_comparison(here.job, here.result, earlier, show, decide_with)


def _decide_with(shown: Mapping[str, str], name: str) -> None:
    """Open the choice of a cut with a row of the board."""
    st.session_state["data.method"] = name
    _go_to_step(shown, "decide")


def _draw_decide(here: steps.Here) -> None:
    assert here.job is not None and here.result is not None
    decide.draw_decision(here.job.id, here.result, partial(_go_to_step, _name_shown(here), "use"))


def _draw_use(here: steps.Here) -> None:
    assert here.job is not None and here.result is not None
    use.draw_use(here.job.id, here.result)
