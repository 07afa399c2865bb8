"""The last step: the model of one row with its files, and the scoring of a new table with it or with a model file of one's own."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.drop import draw_drop_zone
from app.frame import headline
from app.marks import draw_marks
from app.run import panel
from app.session import jobs, uploads, visitor
from app.session.store import get_store
from app.views.data import board, cards, decide, scored, takeaway
from app.views.data.reasons import number
from app.words import data as data_words
from app.words import decide as decide_words
from app.words import use as words
from app.words.naming import BLANK
from app.words.text import escape
from engine.errors import LabError, UnknownName
from engine.report.comparison_code import name_code
from engine.spec.contest import IN_USE, INSTALLED, NETWORK, read_model
from engine.spec.refit import RefitSpec
from engine.spec.score import ScoreSpec
from engine.store import Job
from engine.store.uploads import ENDINGS
from engine.text import one_line

TICK = 0.7
"""Seconds between two reads of a scoring that is going on."""
ROW, _MODEL, _BUDGET, _ALERTS, _PER = "data.take", "data.own-model", "data.score-budget", "data.score-alerts", "data.score-per"
SHOWN = "data.score"
"""Session key: {comparison: scoring} of what is shown."""
_STYLE = """<style>
.st-key-use-head { min-height: 48px; flex-wrap: nowrap; }
.st-key-use-head > :first-child { flex: 1 1 auto; min-width: 0; }
.st-key-use-head .take a { min-height: 40px; white-space: nowrap; }
.st-key-use-model .card.facts { border: 0; padding: 0; }
@media (max-width: 767px) { .st-key-use-head { flex-wrap: wrap; } }
</style>"""


def draw_use(job: str, result: Mapping[str, Any]) -> None:
    """Draw the step for a finished comparison."""
    st.html(_STYLE)
    st.html(cards.STYLE)
    rows = board.rows_of_result(result)
    titles = {row.name: row.title for row in rows}
    there = set(jobs.list_artifacts(job))
    taken = decide.read_taken(job)
    state = st.session_state
    names = [*board.rank_names(rows)]
    if state.get(ROW) not in titles:
        known = [taken.row if taken else "", state.get(decide.METHOD), decide.find_first(result, titles), *names]
        state[ROW] = next(name for name in known if name in titles and (f"model/{name}" in there or not _any_model(there)))
    if taken is not None and state.get("data.take-of") != taken:
        state["data.take-of"] = taken  # a cut was taken just now: its row is used
        state[ROW] = taken.row
    scoring = _find_scoring(job)
    if scoring is not None and scoring.active:
        st.fragment(_draw_running, run_every=TICK)(scoring.id, scoring.state)
    else:
        _draw_title(scoring)
    left, right = st.columns([304, 984], gap="medium")
    with left:
        with st.container(border=True, key="use-model"):
            _draw_model(job, result, titles, names, there)
        _draw_drop(job, result, there)
    with right:
        found = jobs.read_score(scoring.id) if scoring is not None and scoring.state == "done" else None
        if found is not None:
            with st.container(key="use-scored"):
                _draw_scored(found)
        elif scoring is None or not scoring.active:
            with st.container(key="use-empty"):
                st.html(_write_empty())
        takeaway.draw_more(job, result, str(state[ROW]), there)


def _any_model(there: set[str]) -> bool:
    return any(name.startswith("model/") for name in there)


# ---- the heading, by the state of the scoring


def _draw_title(scoring: Job | None) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="use-head", gap="small"):
        if scoring is None:
            headline.draw_title(data_words.STEPS["use"])
        elif scoring.state == "done" and (found := jobs.read_score(scoring.id)) is not None:
            headline.draw_title(scored.say_flagged(found))
            st.html(takeaway.write_links([(words.DOWNLOAD, jobs.file_url(scoring.id, "scored.csv"))]), width="content")
        else:
            headline.draw_title(words.FAILED.format(name=_name_file(scoring)))
    if scoring is not None and scoring.state == "failed":
        with st.container(key="use-failed"):
            st.error(escape(scoring.reason, 600), icon=":material/error:")
    elif scoring is not None and scoring.state not in ("done", "failed"):
        st.warning(words.CANCELLED.format(state=scoring.state), icon=":material/power_off:")
    if scoring is not None and scoring.state not in ("done",):
        st.button(words.TRY_AGAIN, key="use-again", icon=":material/replay:", on_click=_score_again, args=(scoring,))


def _name_file(scoring: Job) -> str:
    """The name of the file that is scored."""
    try:
        return one_line(uploads.find_upload(str(scoring.upload)).name, 40) or BLANK
    except UnknownName:
        return BLANK


def _draw_running(id: str, state: str) -> None:
    """Draw the progress of a scoring. A fragment; it reruns the page when that has ended."""
    try:
        live = jobs.read_progress(id)
    except UnknownName:
        st.rerun()
    if live.job.state != state:
        st.rerun()
    headline.draw_title(words.SCORING.format(name=_name_file(live.job)))
    with st.container(horizontal=True, vertical_alignment="center", key="use-running"):
        if live.job.state == "queued":
            st.progress(0.0, text=words.WAITING)
        else:
            st.progress(0.5, text=f"{escape(live.phase or words.SCORING.format(name=''), 80)} …")
        if not visitor.is_demo():
            st.button(words.CANCEL, icon=":material/stop:", key="use-cancel", on_click=jobs.cancel_job, args=(id,))
    if not get_store().engines():
        st.warning(panel.NO_ENGINE, icon=":material/power_off:")


# ---- the model


def _draw_model(job: str, result: Mapping[str, Any], titles: Mapping[str, str], names: list[str], there: set[str]) -> None:
    """Draw the model's facts and files: of the model on all rows where there is one, else of a replicate's."""
    st.markdown(f"**{words.MODEL_HEAD}**")
    name = str(st.selectbox(words.ROW, names, format_func=titles.__getitem__, key=ROW, label_visibility="collapsed"))
    taken = decide.read_taken(job)
    refit = _find_refit(job, name, taken)
    facts = jobs.read_refit(refit.id) if refit is not None and refit.state == "done" else None
    st.html(write_facts(result, name, taken, facts))
    if can_have_model(result, name):
        _draw_refit(job, name, taken, refit, facts)
    owner, kept = (refit.id, set(jobs.list_artifacts(refit.id))) if refit is not None and facts is not None else (job, there)
    files = []
    for what, file, title in (
        ("model", f"model-{name}.zip", words.MODEL_FILE), ("onnx", f"onnx-{name}.onnx", words.ONNX_FILE),
        ("onnx-script", f"onnx-script-{name}.py", words.SCRIPT_FILE),
    ):  # fmt: skip
        if f"{what}/{name}" in kept:
            files.append((title, jobs.file_url(owner, file)))
    files += [(words.CODE_FILE, jobs.file_url(job, name_code(name))), (words.REPORT_FILE, jobs.file_url(job, "report.html"))]
    st.html(takeaway.write_links(files, first=False))
    if f"model/{name}" not in kept:
        st.caption(explain_no_model(result, name))
    elif f"onnx/{name}" not in kept and (why := explain_no_onnx(result, name, facts)):
        st.caption(words.NO_ONNX.format(reason=escape(why, 240)))


def find_row(result: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The record of a row."""
    found: Mapping[str, Any] = next((one for one in result.get("methods") or () if one["name"] == name), {})
    return found


def can_have_model(result: Mapping[str, Any], name: str) -> bool:
    """Whether a row's model can be written: not the score in use, which is a column, nor a model that a person installed."""
    return read_model({"name": name, **find_row(result, name)}) not in (IN_USE, *INSTALLED)


def explain_no_model(result: Mapping[str, Any], name: str) -> str:
    """Why a row has no model file."""
    row = find_row(result, name)
    model = read_model({"name": name, **row})
    if model == IN_USE:
        return words.NO_MODEL_IN_USE
    if model in INSTALLED:
        return words.NO_MODEL_INSTALLED.format(title=INSTALLED[model])
    return words.NO_MODEL


def explain_no_onnx(result: Mapping[str, Any], name: str, facts: Mapping[str, Any] | None = None) -> str:
    """Why a row has no ONNX file, '' where nothing is known of it. facts: of its model on all rows."""
    found = (facts or {}).get("onnx") if facts is not None else (result.get("onnx") or {})
    if isinstance(found, Mapping):
        found = found.get(name)
    return found if isinstance(found, str) else ""


# ---- a model on all rows


def _make_refit(job: str, name: str, taken: decide.Taken | None) -> RefitSpec:
    """What is asked for: the row on all rows, with the rule and the probabilities of the cut that was taken with it."""
    if taken is None or taken.row != name:
        return RefitSpec(job, name)
    return RefitSpec(job, name, taken.rule, taken.kind)


def _find_refit(job: str, name: str, taken: decide.Taken | None) -> Job | None:
    """The model on all rows that was asked for with this row and cut."""
    asked = _make_refit(job, name, taken).to_json()
    return next((one for one in jobs.list_refits(job) if one.spec == asked), None)


def _draw_refit(job: str, name: str, taken: decide.Taken | None, refit: Job | None, facts: Mapping[str, Any] | None) -> None:
    """Draw the button that trains the row on all rows, or how far that is."""
    if refit is not None and refit.active:
        st.fragment(_draw_refitting, run_every=TICK)(refit.id, refit.state)
        return
    if facts is not None:
        st.caption(escape(str(facts.get("text") or ""), 300))
        return
    if refit is not None:
        with st.container(key="use-refit-failed"):
            st.error(words.REFIT_ENDED.format(reason=escape(refit.reason or refit.state, 400)))
    if visitor.is_demo() or visitor.read_owner() is None:
        return
    st.button(
        words.REFIT_AGAIN if refit is not None else words.REFIT, key="use-refit", on_click=_refit,
        args=(job, name, taken, refit is not None), help=words.REFIT_HELP, width="stretch",
    )  # fmt: skip


def _refit(job: str, name: str, taken: decide.Taken | None, again: bool) -> None:
    try:
        jobs.ask_refit(_make_refit(job, name, taken), again=again)
    except LabError as error:
        st.session_state["data.trouble"] = str(error)


def _draw_refitting(id: str, state: str) -> None:
    """Draw the progress of a model on all rows. A fragment; it reruns the page when that has ended."""
    try:
        live = jobs.read_progress(id)
    except UnknownName:
        st.rerun()
    if live.job.state != state:
        st.rerun()
    phase = words.WAITING if live.job.state == "queued" else f"{escape(live.phase or words.REFIT, 80)} …"
    st.progress(0.0 if live.job.state == "queued" else 0.5, text=phase)
    if not get_store().engines():
        st.warning(panel.NO_ENGINE, icon=":material/power_off:")


def write_facts(
    result: Mapping[str, Any], name: str, taken: decide.Taken | None, model: Mapping[str, Any] | None = None
) -> str:
    """Return the model's facts as HTML, every text escaped. model: facts of the one on all rows."""
    row = find_row(result, name)
    refit, made, data = row.get("refit") or {}, result.get("provenance") or {}, result.get("data") or {}
    facts = []
    rows = number(refit.get("rows")) if refit else number(row.get("rows"))
    if model is not None:
        facts.append((words.REFIT_ROWS, words.ALL_ROWS.format(rows=f"{number(model.get('rows')):,.0f}")))
    elif math.isfinite(rows) and read_model({"name": name, **row}) != IN_USE:
        facts.append((words.REFIT_ROWS if refit else words.TRAINED_ROWS, words.ROWS_EACH.format(rows=f"{rows:,.0f}")))
    facts.append((words.LOOKED_FOR, one_line(str(data.get("positive")), 30) or BLANK))
    chosen = result.get("decide") or {}
    kind = (chosen.get("calibration") or {}).get("chosen") if name == chosen.get("row") else None
    if model is not None:
        kind = (model.get("calibration") or {}).get("kind")
    counts = data.get("counts") or {}
    share = number(counts.get(data.get("positive"))) / sum(counts.values()) if sum(counts.values() or [0]) else math.nan
    if kind and math.isfinite(share):
        title = decide_words.KINDS.get(str(kind), str(kind))
        facts.append((words.CALIBRATED, words.AT_SHARE.format(kind=title.lower(), share=f"{100 * share:.2g}%")))
    mine = taken is not None and taken.row == name
    alerts, per = _read_alerts(taken) if taken is not None else (math.nan, "1000")
    said = (words.A_DAY if per == "day" else words.AT_ALERTS).format(alerts=f"{alerts:.3g}")
    facts.append((words.CUT, said if mine else words.OWN_RULE))
    key, title = ("torch", "torch") if read_model({"name": name, **row}) == NETWORK else ("scikit_learn", "scikit-learn")
    if made.get(key):
        facts.append((words.MADE_WITH, f"{title} {made[key]}"))
    body = "".join(f"<tr><td>{html.escape(what)}</td><td>{html.escape(one_line(text, 40))}</td></tr>" for what, text in facts)
    return f"<div class='card facts'><table>{body}</table></div>"


# ---- a new table


def _draw_drop(job: str, result: Mapping[str, Any], there: set[str]) -> None:
    """Draw the place for a new table, the budget, and the one for a model file."""
    if why := uploads.explain_refusal():
        st.caption(escape(why, 400))
        return
    state = st.session_state
    own = _find_own_model()
    name = str(state[ROW])
    if own is None and f"model/{name}" not in there:
        st.caption(words.NO_SCORING)
    else:
        _draw_budget(job, name, own is not None)
        drop_words = {**data_words.DROP_WORDS, "pick": words.CHOOSE}
        draw_drop_zone(
            words.DROP, words.DROP_NOTE if own is None else "", endings=ENDINGS, key="use.drop", sent=lambda id: _score(job, id),
            texts=drop_words, small=True,
        )  # fmt: skip
    if own is not None:
        st.caption(words.OWN_MODEL_NAMED.format(name=escape(own[1], 60)))
        st.button(words.OWN_MODEL_LEAVE, key="use-leave", type="tertiary", on_click=_leave_model)
        return
    with st.popover(words.OWN_MODEL, type="tertiary", key="use-own"):
        draw_drop_zone(
            words.OWN_MODEL_DROP,
            words.OWN_MODEL_NOTE,
            endings=(".zip",),
            key="use.model",
            sent=_take_model,
            texts=data_words.DROP_WORDS,
            small=True,
        )


def _draw_budget(job: str, name: str, own: bool) -> None:
    """Draw by which rule rows are flagged: the model's own, the cut that was taken, or another budget."""
    state = st.session_state
    taken = decide.read_taken(job)
    refit = _find_refit(job, name, taken)
    is_refit = refit is not None and refit.state == "done"  # its own rule is the cut that was taken
    mine = taken is not None and taken.row == name and not own and not is_refit
    if _BUDGET not in state or state.get("data.score-of") != (job, taken, is_refit):
        state["data.score-of"] = (job, taken, is_refit)
        state[_BUDGET] = "set" if mine else "own"
        if mine and taken is not None:
            alerts, state[_PER] = _read_alerts(taken)
            state[_ALERTS] = max(0.001, float(f"{alerts:.3g}"))
    rule = {"own": words.BUDGET_OWN, "set": words.BUDGET_SET}
    st.selectbox(words.BUDGET, list(rule), format_func=rule.__getitem__, key=_BUDGET)
    if state[_BUDGET] == "set":
        state.setdefault(_ALERTS, 5.0)
        state.setdefault(_PER, "1000")
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            st.number_input(words.BUDGET, 0.001, 1e6, key=_ALERTS, label_visibility="collapsed", width=120)
            st.selectbox(
                words.BUDGET, list(words.PER), format_func=words.PER.__getitem__, key=_PER, label_visibility="collapsed"
            )
    scoring = _find_scoring(job)
    if scoring is not None and not scoring.active and _asks_otherwise(scoring):
        st.button(words.APPLY, key="use-apply", on_click=_score, args=(job, str(scoring.upload)), width="stretch")


def _read_alerts(taken: decide.Taken) -> tuple[float, str]:
    """(alerts, what they count) of the cut that was taken: the budget where that chose it, else what the cut was read to flag."""
    if taken.rule.get("kind") == "alerts":
        return float(taken.rule["value"]), str(taken.rule.get("per", "1000"))
    return taken.alerts, "1000"


def _asks_otherwise(scoring: Job) -> bool:
    """Whether the budget on the page is another than that of the scoring."""
    alerts, per = _read_budget()
    return (scoring.spec.get("alerts"), scoring.spec.get("per") if alerts is not None else "1000") != (alerts, per)


def _read_budget() -> tuple[float | None, str]:
    state = st.session_state
    if state.get(_BUDGET) != "set":
        return None, "1000"
    return float(state.get(_ALERTS) or 5.0), str(state.get(_PER) or "1000")


def _find_own_model() -> tuple[str, str] | None:
    """(id, name) of the model file that the person sent, None where it is gone or there is none."""
    id = st.session_state.get(_MODEL)
    try:
        return None if id is None else (id, uploads.find_upload(id).name)
    except UnknownName:
        return None


def _take_model(id: str) -> None:
    st.session_state[_MODEL] = id


def _leave_model() -> None:
    st.session_state.pop(_MODEL, None)


def _score(job: str, file: str) -> None:
    """Ask for a scoring of a file by the model of the page."""
    own = _find_own_model()
    name = str(st.session_state[ROW])
    refit = _find_refit(job, name, decide.read_taken(job)) if own is None else None
    made = refit.id if refit is not None and refit.state == "done" else job
    model = {"upload": own[0]} if own is not None else {"job": made, "artifact": f"model/{name}"}
    alerts, per = _read_budget()
    try:
        asked = jobs.ask_score(ScoreSpec(file, model, alerts, per))
    except LabError as error:
        st.session_state["data.trouble"] = str(error)
        return
    st.session_state[SHOWN] = {**st.session_state.get(SHOWN, {}), job: asked.id}


def _score_again(scoring: Job) -> None:
    try:
        jobs.ask_score(ScoreSpec.from_json(scoring.spec), again=True)
    except LabError as error:
        st.session_state["data.trouble"] = str(error)


def _find_scoring(job: str) -> Job | None:
    """The scoring that is shown with a comparison: the one asked for here, else the newest by a model of it."""
    shown = st.session_state.get(SHOWN, {}).get(job)
    every = jobs.list_scorings()
    made = {job, *(one.id for one in jobs.list_refits(job))} if every else {job}
    return next((one for one in every if one.id == shown), None) or next(
        (one for one in every if (one.spec.get("model") or {}).get("job") in made), None
    )


# ---- what was found


def _write_empty() -> str:
    lines = "".join(f"<li>{html.escape(line)}</li>" for line in words.EMPTY)
    return f"<div class='card'><h2>{words.EMPTY_HEAD}</h2><ol>{lines}</ol></div>"


def _draw_scored(found: Mapping[str, Any]) -> None:
    """Draw drift, then the rows, the histogram and the promise, and what is said of the file."""
    body = (
        f'<div class="scored"><div>{scored.draw_drift(found)}</div><div>{scored.draw_promise(found)}{scored.draw_top(found)}'
        f"{scored.draw_histogram(found)}</div></div>"
    )
    draw_marks(body, key="use-found")
    notes = [(found.get("rule") or {}).get("text"), *(found.get("notes") or ())]
    for note in [str(one) for one in notes if one][:6]:
        st.caption(escape(note, 400))
