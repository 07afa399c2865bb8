"""A comparison of methods on a table: asked for, watched while it runs, and read."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import streamlit as st

from app.charts import pr
from app.frame.status import describe_silence
from app.parts import share
from app.parts.elements import WIDE, draw_chart, draw_heading, draw_numbers
from app.run import panel
from app.session import jobs, visitor
from app.session.store import get_store
from app.views.data import board
from app.words import glossary
from app.words.naming import shorten_name
from app.words.text import escape, format_count, format_duration, format_ratio
from engine.errors import BadInput, LabError, UnknownName
from engine.events import Board
from engine.report.leaderboard import (
    deciding_metric,
    write_leaderboard_csv,
    write_leaderboard_latex,
    write_leaderboard_markdown,
)
from engine.spec import limits
from engine.spec.companions import BASELINE
from engine.spec.comparison import CompareSpec
from engine.spec.result import DEFAULT_METRIC
from engine.store import Job

TICK = 1.0
"""Seconds between two reads of a comparison that is going on."""
BUDGETS = {15: "15 s", 60: "1 min", 300: "5 min"}
SHOWN = 4
"""Curves that are drawn first."""
ICONS = {"failed": ":material/error:", "cancelled": ":material/block:", "interrupted": ":material/power_off:"}
DRAWS = {"failed": st.error, "cancelled": st.info, "interrupted": st.warning}


def draw_bar(
    profile: Mapping[str, Any], source: Mapping[str, str], reading: Mapping[str, Any], ready: bool, go: Callable[[Job], object]
) -> None:
    """Draw budget, ratio and the Compare button. go(job) is called when it is pressed."""
    st.subheader("Compare", anchor="compare")
    counts = [int(c["rows"]) for c in profile["classes"]]
    st.session_state.setdefault("data.budget", 60)
    st.session_state.setdefault("data.ratio.kind", "native")
    left, right = st.columns(2)
    with left:
        budget = st.segmented_control(
            "Time",
            list(BUDGETS),
            format_func=BUDGETS.__getitem__,
            key="data.budget",
            persist_state="session",  # the choice stays while the table is read again
            required=True,
            help="The comparison ends within it. More time gives more replicates, and narrower intervals.",
        )
    with right:
        chosen_ratio = _choose_ratio(profile, counts) if counts else None
    if st.button("Compare", type="primary", icon=":material/play_arrow:", key="data.compare", disabled=not ready):
        try:
            spec = CompareSpec(
                source,
                target=profile["target"]["name"],
                positive=profile["positive"],
                reading=reading,
                budget=float(budget or 60),
                ratio=chosen_ratio,
            )
            go(jobs.ask_comparison(spec))
        except LabError as error:
            st.error(escape(error, 500), icon=":material/error:")
            return
        st.rerun()
    if not ready:
        st.caption("Nothing can be compared until what is said above in red is mended.")


def _choose_ratio(profile: Mapping[str, Any], counts: list[int]) -> float | None:
    native = format_ratio(profile["ratio"])
    kind = st.segmented_control(
        "Ratio of the classes",
        ["native", "other"],
        format_func={"native": f"As it is ({native})", "other": "Other"}.__getitem__,
        key="data.ratio.kind",
        persist_state="session",
        required=True,
        help="Another ratio leaves out rows of a class, in training and test alike: how would the methods do if the class were rarer?",
    )
    if kind != "other":
        return None
    highest, why = limits.highest_ratio(counts, profile["folds"] or 1)
    state = st.session_state
    if not isinstance(state.get("data.ratio"), float) or not 1 <= state["data.ratio"] <= highest:
        state["data.ratio"] = float(min(highest, max(1.0, round(2 * profile["ratio"]))))
    value = st.number_input("to 1", 1.0, highest, step=1.0, key="data.ratio", persist_state="session", help=escape(why, 300))
    return float(value)


def watch_comparison(job: Job) -> None:
    """Draw the leaderboard of a comparison that waits or runs."""
    st.fragment(_draw_watch, run_every=TICK)(job.id, job.state)


def _draw_watch(id: str, state: str) -> None:
    """Draw the leaderboard and the progress. A fragment; it reruns the page when the comparison has ended."""
    try:
        live = jobs.read_progress(id)
    except UnknownName:
        st.rerun()
    if not live.job.active or live.job.state != state:
        st.rerun()
    with st.container(key="data-progress"):  # always one container, so that what follows keeps its place
        _draw_progress(live)
    with st.container(horizontal=True, vertical_alignment="center"):
        if not visitor.is_demo():
            st.button("Cancel", icon=":material/stop:", key="data.cancel", on_click=jobs.cancel_job, args=(id,))
        if live.board is not None:
            _draw_sort(id, board.rows_of_event(live.board.rows))
    if live.board is not None:
        _draw_board(id, live.board)
    for note in live.notes:
        st.caption(f":material/info: {escape(note, 400)}")


def _draw_progress(live: jobs.JobProgress) -> None:
    """Draw the progress, in time."""
    job = live.job
    alive = bool(get_store().engines())
    budget = float(job.spec.get("budget") or 60)
    if job.state == "queued":
        st.progress(
            0.0,
            text="Waiting for the engine. "
            + (f"{format_count(live.ahead, 'job')} before it." if live.ahead else "Next in line."),
        )
        if not alive:
            st.warning(panel.NO_ENGINE, icon=":material/power_off:")
    else:
        spent = max(0.0, time.time() - (job.started or time.time()))
        left = budget - spent
        text = [escape(live.phase or "Getting ready", 80)]
        text.append(f"{format_duration(max(1.0, left))} left" if left > 0.5 else "finishing")
        st.progress(min(1.0, spent / budget), text=" · ".join(text))
        if not alive:
            st.warning(
                f"The engine is {describe_silence(get_store())}. If it does not come back, this comparison will be marked as interrupted.",
                icon=":material/power_off:",
            )


def _draw_board(id: str, event: Board) -> None:
    rows = board.rows_of_event(event.rows)
    metric = str(event.rows[0]["metric"]) if event.rows else DEFAULT_METRIC
    board.draw_board(board.sort_rows(rows, keep_order(id, [row.name for row in rows])), metric)


def keep_order(id: str, otherwise: list[str]) -> list[str]:
    """Return the order that somebody asked for, else the first that was shown, so that rows do not move by themselves."""
    kept = st.session_state.get("data.order")
    if kept is None or kept[0] != id:
        st.session_state["data.order"] = kept = (id, otherwise)
    names: list[str] = kept[1]
    return names


def _draw_sort(id: str, rows: list[board.Row]) -> None:
    st.button(
        "Sort by score now", icon=":material/sort:", key="data.sort", on_click=_take_order, args=(id, board.rank_names(rows)),
        help="Rows keep their places while scores change; this puts the highest on top, by the difference to plain training on the same "
        "replicates.",
    )  # fmt: skip


def _take_order(id: str, names: list[str]) -> None:
    st.session_state["data.order"] = (id, names)


def draw_ending(job: Job, again: Callable[[], object]) -> None:
    """Draw why a comparison ended without a result, and the next step."""
    what = {
        "failed": "The comparison failed.",
        "cancelled": "The comparison was cancelled.",
        "interrupted": "The comparison was interrupted: its engine went away.",
    }[job.state]
    reason = f" {escape(job.reason, 600)}" if job.state == "failed" else ""
    DRAWS[job.state](f"**{what}**{reason}", icon=ICONS[job.state])
    if panel.caption_demo():
        return
    step = {
        "failed": "Change what the reason names, or try once more.",
        "cancelled": "Start it over, or choose another time or ratio.",
        "interrupted": "Start it over; it will wait until an engine is alive.",
    }[job.state]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Compare again", icon=":material/replay:", key="data.again", on_click=again)
        st.caption(step)


def repeat_comparison(job: Job) -> None:
    """Queue a comparison that ended without a result once more."""
    try:
        jobs.ask_comparison(CompareSpec.from_json(job.spec), again=True)
    except BadInput as error:
        st.session_state["data.trouble"] = str(error)


def describe_request(spec: Mapping[str, Any]) -> str:
    """Return 'left = yes, 1 min, classes as they are' of a comparison, as markdown."""
    skew = "classes as they are" if spec.get("ratio") is None else f"classes at {format_ratio(float(spec['ratio']))}"
    budget = int(spec.get("budget") or 0)
    positive = f" = {shorten_name(spec['positive'], 30)}" if spec.get("positive") is not None else ""
    target = f"{shorten_name(spec['target'])}{positive}, " if spec.get("target") is not None else ""
    return f"{target}{BUDGETS.get(budget) or format_duration(budget)}, {skew}"


def draw_verdict(id: str, result: Mapping[str, Any]) -> None:
    """Draw the sentence, the leaderboard, and what was cut to keep the time."""
    rows = board.rows_of_result(result)
    icon = ":material/trophy:" if result.get("best") else ":material/balance:"
    with st.container(key="headline"):
        st.markdown(f"{icon} {escape(result['verdict'], 1200)}")
    if more := result.get("verdict_more"):
        st.caption(escape(" ".join(more), 1200))
    data = result["data"]
    counts = data["counts"]
    pairs = counts.items() if isinstance(counts, Mapping) else zip(data["classes"], counts, strict=True)
    sizes = ", ".join(f"{shorten_name(name, 30)} {n:,}" for name, n in pairs)
    st.caption(
        f"{describe_request(result['spec'])} · {board.describe_replicates(rows)} · {format_count(data['used_rows'], 'row')} ({sizes}), "
        f"{format_count(data['features'], 'feature')} · {format_duration(result['seconds'])}"
    )
    _draw_sort(id, rows)
    board.draw_board(
        board.sort_rows(rows, keep_order(id, board.rank_names(rows))), deciding_metric(result), best=result.get("best")
    )
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
    more = [*result["shortened"], *(result.get("notes") or ())]
    if more:
        st.markdown(
            "**What was cut to keep the time, and other things to know**\n"
            + "\n".join(f"- {escape(text, 500)}" for text in more)
        )
    else:
        st.caption("Nothing was cut to keep the time.")


def draw_curves(id: str, result: Mapping[str, Any]) -> None:
    """Draw precision-recall curves of the chosen methods."""
    arrays = jobs.read_arrays(id)
    rows = [row for row in board.rows_of_result(result) if arrays is not None and f"pr/{row.name}" in arrays]
    if arrays is None or not rows:
        return
    st.subheader("Precision and recall", anchor="curves")
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
    picked = st.pills("Methods", names, selection_mode="multi", format_func=titles.__getitem__, key="data.curves")
    by_name = {row.name: row for row in rows}
    grid = arrays.get("pr_recall", np.linspace(0, 1, len(arrays[f"pr/{names[0]}"])))
    drawn = [
        pr.Curve(
            n, titles[n], grid, arrays[f"pr/{n}"][None], by_name[n].score.mean, by_name[n].score.low, by_name[n].score.high
        )
        for n in names
        if n in picked
    ]
    data = result["data"]
    several = len(data["classes"]) > 2
    draw_heading(
        "Precision and recall on the test rows",
        glossary.explain_terms(
            "precision-recall curve",
            "precision",
            "recall",
            last="Curves are means over replicates" + (" and over all classes, each against the rest." if several else "."),
        ),
    )
    if not drawn:
        st.caption("Choose a method to see its curve.")
        return
    prevalence = float(np.mean(arrays["truth"] > 0)) if not several else 1 / len(data["classes"])
    with st.container(width=WIDE):
        draw_chart(pr.figure(drawn, prevalence), "chart-pr-compare", pr.alt(drawn, prevalence))
        draw_numbers("pr-compare", lambda: pr.table(drawn), "Precision at a few recalls, one row a method", download=False)
