"""The comparison of methods on a table: watched while it runs, and read when it is done."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import streamlit as st

from app.charts import pr
from app.frame import headline
from app.frame.status import describe_silence
from app.parts import share
from app.parts.elements import WIDE, draw_chart, draw_fold, draw_heading, draw_numbers
from app.run import panel
from app.session import jobs, visitor
from app.session.store import get_store
from app.views.data import board, board_table, cards, contest
from app.words import data as words
from app.words import glossary
from app.words.text import escape, format_count, format_duration
from engine.errors import BadInput, UnknownName
from engine.report.leaderboard import (
    deciding_metric,
    write_leaderboard_csv,
    write_leaderboard_latex,
    write_leaderboard_markdown,
)
from engine.spec.companions import BASELINE
from engine.spec.comparison import CompareSpec
from engine.spec.result import DEFAULT_METRIC
from engine.stats.verdict import State, Verdict, verdict
from engine.store import Job
from engine.text import one_line

TICK = 1.0
"""Seconds between two reads of a comparison that is going on."""
SHOWN = 4
"""Curves that are drawn first."""
ENDINGS = {
    "failed": words.STEP_FAILED,
    "cancelled": words.STEP_CANCELLED,
    "interrupted": words.STEP_INTERRUPTED,
}
"""State of a comparison without a result -> the next step."""


def draw_comparison(
    job: Job,
    result: Mapping[str, Any] | None,
    earlier: Sequence[Job],
    show: Callable[[str], None],
    decide: Callable[[str], None],
) -> None:
    """Draw a comparison in its state. result: what it found, None while there is nothing. earlier: others of the table.

    show(id) goes to one of those, decide(name) to the choice of a cut with a method.
    """
    if job.active:
        _draw_head(lambda: _draw_title(job), contest.describe_request(job.spec), earlier, show)
        st.fragment(_draw_watch, run_every=TICK)(job.id, job.state)
    elif result is None:
        _draw_head(lambda: _draw_end_title(job), contest.describe_request(job.spec), earlier, show)
        _draw_ending(job)
    else:
        _draw_result(job.id, result, earlier, show, decide)


def _draw_head(
    title: Callable[[], object],
    texts: Sequence[str],
    earlier: Sequence[Job],
    show: Callable[[str], None],
    *,
    apart: bool = False,
) -> None:
    """Draw the heading with short facts at its right. apart: the facts below it, where a difference is drawn at its right."""
    if apart:
        title()
        _draw_chips(texts, earlier, show)
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="data-title"):
        title()
        with st.container(width="content", key="data-facts"):
            _draw_chips(texts, earlier, show)


def _draw_chips(texts: Sequence[str], earlier: Sequence[Job], show: Callable[[str], None]) -> None:
    """Draw short facts, and behind a press the other comparisons of the table."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        headline.draw_chips(texts)
        if not earlier:
            return
        with st.popover(words.EARLIER, type="tertiary", key="mine.earlier"):
            for job in earlier[:20]:
                with st.container(horizontal=True, vertical_alignment="center"):
                    request = " · ".join(contest.describe_request(job.spec))
                    st.markdown(f"{escape(request, 120)} · {job.state}", width="stretch")
                    st.button(words.SHOW, key=f"mine.show.{job.id}", on_click=show, args=(job.id,))


# ---- while it runs


def _draw_title(job: Job) -> None:
    """Draw the heading of a comparison that waits or runs."""
    if job.state == "queued":
        headline.draw_headline(verdict("", "", None, 0, State(waiting=get_store().position(job.id))))
    else:
        headline.draw_title(words.COMPARING)


def _draw_watch(id: str, state: str) -> None:
    """Draw the board and the progress. A fragment; it reruns the page when the comparison has ended."""
    try:
        live = jobs.read_progress(id)
    except UnknownName:
        st.rerun()
    if not live.job.active or live.job.state != state:
        st.rerun()
    with st.container(key="data-progress"):  # always one container, so that what follows keeps its place
        spent = _draw_progress(live)
    with st.container(horizontal=True, vertical_alignment="center"):
        if not visitor.is_demo():
            st.button(words.CANCEL, icon=":material/stop:", key="data.cancel", on_click=jobs.cancel_job, args=(id,))
        if live.board is not None:
            rows = board.rows_of_event(live.board.rows)
            st.button(
                words.SORT, icon=":material/sort:", key="data.sort", on_click=_take_order, args=(id, board.rank_names(rows)),
                help=words.SORT_HELP,
            )  # fmt: skip
    if live.board is not None:
        rows = board.rows_of_event(live.board.rows)
        metric = str(live.board.rows[0]["metric"]) if live.board.rows else DEFAULT_METRIC
        budget, kind = float(live.job.spec.get("budget") or 60), board.find_kind({"spec": live.job.spec})
        board_table.draw_board(
            board.sort_rows(rows, _keep_order(id, [row.name for row in rows])), metric, spent=spent, budget=budget, kind=kind
        )
    for note in live.notes:
        st.caption(f":material/info: {escape(note, 400)}")


def _draw_progress(live: jobs.JobProgress) -> float:
    """Draw the progress, in time; return the seconds so far."""
    job = live.job
    alive = bool(get_store().engines())
    if job.state == "queued":
        ahead = words.AHEAD.format(jobs=format_count(live.ahead, "job")) if live.ahead else words.NEXT
        st.progress(0.0, text=f"{words.WAITING} {ahead}")
        if not alive:
            st.warning(panel.NO_ENGINE, icon=":material/power_off:")
        return 0.0
    budget = float(job.spec.get("budget") or 60)
    spent = max(0.0, time.time() - (job.started or time.time()))
    left = budget - spent
    phase = escape(live.phase or words.GETTING_READY, 80)
    rest = words.LEFT.format(time=format_duration(max(1.0, left))) if left > 0.5 else words.FINISHING
    st.progress(min(1.0, spent / budget), text=f"{phase} · {rest}")
    if not alive:
        st.warning(f"{_say_silence()} {words.SILENT_MORE}", icon=":material/power_off:")
    return spent


def _say_silence() -> str:
    text = describe_silence(get_store())
    return f"{text[:1].upper()}{text[1:]}."


def _keep_order(id: str, otherwise: list[str]) -> list[str]:
    """Return the order that somebody asked for, else the first that was shown, so that rows do not move by themselves."""
    kept = st.session_state.get("data.order")
    if kept is None or kept[0] != id:
        st.session_state["data.order"] = kept = (id, otherwise)
    names: list[str] = kept[1]
    return names


def _take_order(id: str, names: list[str]) -> None:
    st.session_state["data.order"] = (id, names)


def _draw_end_title(job: Job) -> None:
    """Draw the heading of a comparison that ended without a result."""
    if job.state == "done":
        headline.draw_title(words.ANSWER_GONE)
    elif job.state == "failed":
        headline.draw_headline(verdict("", "", None, 0, State(failed=job.reason)))
    else:
        headline.draw_title(words.CANCELLED if job.state == "cancelled" else words.INTERRUPTED)


def _draw_ending(job: Job) -> None:
    """Draw why a comparison ended without a result, and the next step."""
    if job.state == "done":
        return
    if job.state == "failed":
        st.error(escape(job.reason, 600), icon=":material/error:")
    if panel.caption_demo():
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(words.AGAIN, icon=":material/replay:", key="data.again", on_click=_repeat, args=(job,))
        st.caption(ENDINGS[job.state])


def _repeat(job: Job) -> None:
    """Queue a comparison that ended without a result once more."""
    try:
        jobs.ask_comparison(CompareSpec.from_json(job.spec), again=True)
    except BadInput as error:
        st.session_state["data.trouble"] = str(error)


# ---- what it found


def _draw_result(
    id: str, result: Mapping[str, Any], earlier: Sequence[Job], show: Callable[[str], None], decide: Callable[[str], None]
) -> None:
    """Draw the verdict, the board with its cards, the curves, and what limits the comparison."""
    rows = board.rows_of_result(result)
    said = _shorten(board.judge_comparison(result))
    seconds = float(result["seconds"])
    used = words.USED.format(time=f"{seconds:.0f} s" if 10 <= seconds < 100 else format_duration(seconds))
    spec = result["spec"] | {"budget": None}
    if (spec.get("source") or {}).get("upload") is not None:  # the bar says it beside the table
        spec |= {"target": None, "split": "", "time": None, "group": None}
    asked = contest.describe_request(spec)
    facts = [*asked, used, board.describe_replicates(rows)]
    _draw_head(lambda: headline.draw_headline(said, baseline="plain"), facts, earlier, show, apart=said.dot.look != "none")
    left, right = st.columns([1000, 280], gap="medium")
    with left:
        board_table.draw_board(rows, deciding_metric(result), kind=board.find_kind(result))
    with right:
        _draw_cards(result, rows, decide)
    with draw_fold(words.CURVES, "data-curves", "") as fold:
        if fold.open:
            _draw_curves(id, result)
    with st.container(horizontal=True, vertical_alignment="top", key="data-feet"):
        with draw_fold(words.LIMITS, "data-limits", "") as fold:
            if fold.open:
                listed = list_limits(result)
                st.markdown("\n".join(f"- {escape(text, 500)}" for text in listed) or words.NO_LIMITS)
        share.offer_forms(
            lambda: {
                "Markdown": write_leaderboard_markdown(result),
                "LaTeX": write_leaderboard_latex(result),
                "CSV": write_leaderboard_csv(result),
            },
            "leaderboard",
            "mine.board",
            download=False,
        )
        st.caption(_say_counted(rows))


def list_limits(result: Mapping[str, Any]) -> list[str]:
    """Return what was cut to keep the time, what the intervals do not cover, how the rows were split, and other notes."""
    split = result.get("split") or {}
    covers = [str(result["interval_covers"])] if result.get("interval_covers") else []
    return [str(text) for text in (*result["shortened"], *covers, *(split.get("notes") or ()), *(result.get("notes") or ()))]


def _say_counted(rows: Sequence[board.Row]) -> str:
    """Return what a filled dot means and over how many rows Holm's correction went."""
    ranked = board.rank_rows(rows)
    if not ranked or ranked[0].earlier:
        return words.FILLED
    remedies = format_count(sum(row.against is not None for row in rows), "remedy").replace("remedys", "remedies")
    models = format_count(len({row.model for row in ranked if row.plain and row.model != board.IN_USE}), "model")
    return f"{words.FILLED} {words.COUNTED.format(remedies=remedies, models=models)}"


def _shorten(said: Verdict) -> Verdict:
    """Return a verdict for a heading: a quick look's own sentence is text of a result."""
    return Verdict(one_line(said.text, 160), said.dot, said.more, said.chips, said.button)


def _draw_cards(result: Mapping[str, Any], rows: Sequence[board.Row], decide: Callable[[str], None]) -> None:
    """Draw what a random split would have read, the leading row's facts, and the way to a cut with it."""
    st.html(cards.STYLE)
    if optimism := cards.write_optimism(result):
        st.html(optimism)
    ranked = board.rank_rows(rows)
    if not ranked:
        return
    st.html(cards.write_leader(result, ranked))
    st.button(words.DECIDE_WITH, type="primary", width="stretch", key="data.decide", on_click=decide, args=(ranked[0].name,))


def _draw_curves(id: str, result: Mapping[str, Any]) -> None:
    """Draw precision-recall curves of the chosen methods."""
    arrays = jobs.read_arrays(id)
    rows = [row for row in board.rows_of_result(result) if arrays is not None and f"pr/{row.name}" in arrays]
    if arrays is None or not rows:
        return
    names = board.rank_names(rows)
    first = list(dict.fromkeys([*names[: SHOWN - 1], *(n for n in names if n == BASELINE)]))
    if "data.curves" not in st.session_state:
        st.session_state["data.curves"] = first
    titles = {row.name: row.title for row in rows}
    st.fragment(_make_curves)(arrays, rows, names, titles, result)


def _make_curves(
    arrays: Mapping[str, np.ndarray],
    rows: list[board.Row],
    names: list[str],
    titles: Mapping[str, str],
    result: Mapping[str, Any],
) -> None:
    kept = [n for n in st.session_state.get("data.curves") or [] if n in titles]
    if kept != st.session_state.get("data.curves"):
        st.session_state["data.curves"] = kept
    picked = st.pills(words.CURVES_PICK, names, selection_mode="multi", format_func=titles.__getitem__, key="data.curves")
    by_name = {row.name: row for row in rows}
    grid = arrays.get("pr_recall", np.linspace(0, 1, len(arrays[f"pr/{names[0]}"])))
    drawn = [
        pr.Curve(
            n, titles[n], grid, arrays[f"pr/{n}"][None], by_name[n].score.mean, by_name[n].score.low, by_name[n].score.high
        )
        for n in names
        if n in picked
    ]
    several = len(result["data"]["classes"]) > 2
    last = words.CURVES_LAST_MANY if several else words.CURVES_LAST
    draw_heading(words.CURVES_HEAD, glossary.explain_terms("precision-recall curve", "precision", "recall", last=last))
    if not drawn:
        st.caption(words.CURVES_NONE)
        return
    prevalence = float(np.mean(arrays["truth"] > 0)) if not several else 1 / len(result["data"]["classes"])
    with st.container(width=WIDE):
        draw_chart(pr.figure(drawn, prevalence), "chart-pr-compare", pr.alt(drawn, prevalence))
        draw_numbers("pr-compare", lambda: pr.table(drawn), "Precision at a few recalls, one row a method", download=False)
