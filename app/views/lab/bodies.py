"""What the tabs of the Lab hold. Only the open one is drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from app.charts import learning, losses, norms
from app.frame import links
from app.parts import share
from app.parts.elements import draw_chart, draw_heading, draw_numbers
from app.run import answer, gaps, generated, panel, perclass, training
from app.run.differences import Row, list_differences
from app.run.shown import Shown
from app.session import jobs, recorded, visitor
from app.session.store import get_store
from app.views.lab import contributions, dots, state
from app.words import glossary
from app.words import lab as words
from app.words.text import escape, format_count, format_duration, format_interval
from engine.spec.companions import BASELINE
from engine.spec.result import DEFAULT_METRIC, METRICS, PROBABILITY_METRICS, Result
from engine.stats.intervals import Interval
from engine.stats.verdict import format_change

HARDLY = 0.05
"""Median movement in sd below which it is not given as a number."""


@dataclass(frozen=True)
class Body:
    """What a tab is about: the run, its differences, the replicate shown, the catalog, and the device of the form."""

    shown: Shown
    rows: Sequence[Row]
    replicate: int
    catalog: Mapping[str, Any]
    device: str


def draw(name: str, body: Body) -> None:
    """Draw the tab of that name (`words.TABS`)."""
    shown = body.shown
    if name in ("settings", "reproduce", "differences") or shown.result is not None:
        _DRAW[name](body)
    else:
        st.markdown(words.NOT_YET)


# ---- differences


def _draw_differences(body: Body) -> None:
    """Draw the paired differences as dots on one scale, the runs that are not done below them, and what was said of the points."""
    shown, result = body.shown, body.shown.result
    with st.container(horizontal=True, key="lab-paired", gap="medium"):
        with st.container(width="stretch", key="lab-dots"):
            if body.rows:
                st.html(dots.write_dots(body.rows))
            elif result is not None and not _list_pending(shown):
                st.caption(words.NOTHING_BESIDE)
            _draw_pending(shown, body.device)
        with st.container(width=300, key="lab-said", gap=None):
            if said := recorded.find_sentence(shown.job.id):
                st.markdown(said)
            for text in list_findings(shown, body.replicate):
                st.markdown(text)
            if result is None:
                st.markdown(words.NOT_YET)
            else:
                over = format_count(result.n, "replicate")
                st.caption(words.PAIRED.format(replicates=over) if result.n > 1 else words.PAIRED_ONE)
                st.caption(words.UNDER_NUMBERS)


def list_findings(shown: Shown, replicate: int) -> list[str]:
    """Return how far the points of the shown replicate moved, and what more real rows would add."""
    result = shown.result
    if result is None:
        return []
    out = []
    moved = read_moved(result, replicate)
    if moved is not None:
        out.append(words.MOVED_LITTLE if moved < HARDLY else words.MOVED.format(moved=f"{moved:.2f}"))
    return out + _describe_potential(shown, result)


def read_moved(result: Result, replicate: int) -> float | None:
    """Return the median move of a replicate's points in sd of the column; None where there are none."""
    if result.moves is None:
        return None
    values = result.moves.get("values") or [result.moves.get("median")]
    value = values[replicate] if replicate < len(values) else None
    return float(value) if value is not None and np.isfinite(value) else None


def _describe_potential(shown: Shown, result: Result) -> list[str]:
    """Return what all rows would add to plain training, and the share of it that the run recovers, as far as intervals allow."""
    oracle = next((r for m, r in shown.there if m.role == "oracle" and m.key != shown.main.key), None)
    plain = next((r for m, r in shown.there if m.role == "baseline"), None)
    if oracle is None or plain is None or oracle.n != plain.n or result.n < 2:
        return []
    gain = oracle.difference(plain, DEFAULT_METRIC)
    if not gain.above_zero:
        return [words.NO_GAIN]
    out = [words.ALL_ROWS_ADD.format(change=format_change(gain.mean).lstrip("+"))]
    own = next((row.interval for row in list_differences(shown) if row.key == BASELINE), None)
    if result is plain or own is None:
        return out
    if not own.above_zero:
        return [*out, words.RECOVERS_NONE]
    return [*out, words.RECOVERS.format(share=f"{100 * own.mean / gain.mean:.0f}")]


def _list_pending(shown: Shown) -> list[Any]:
    return [m for m in shown.members[1:] if m.key not in shown.jobs or shown.jobs[m.key].state != "done"]


def _draw_pending(shown: Shown, device: str) -> None:
    """Draw the companions that are not done, with their state, and a button that runs what is missing."""
    pending = _list_pending(shown)
    if shown.main.key not in shown.results and not shown.job.active:
        return
    for member in pending:
        job = shown.jobs.get(member.key)
        what = panel.describe_progress(get_store(), job) if job is not None else words.STATES[""]
        st.caption(f"{escape(member.label)}: {what}")
    if shown.why:
        st.caption(shown.why)
    absent = [m for m in pending if m.key not in shown.jobs or not shown.jobs[m.key].active]
    if absent and shown.job.state == "done" and not visitor.is_demo():
        st.button(
            words.MISSING, key="missing", icon=":material/playlist_add:", on_click=panel.submit_again,
            args=(shown.job, shown.main.spec, device),
        )  # fmt: skip


# ---- learning


def _draw_learning(body: Body) -> None:
    """Draw validation score and losses per epoch."""
    shown, result = body.shown, body.shown.result
    assert result is not None
    traces = []
    for member, other in shown.there:
        values, phases = learning.join_phases(other.arrays, "valid_ap")
        if values.size:
            traces.append(learning.Trace(member.key, member.label, values, phases))
    history = losses.read_history(result.arrays)
    if not traces and not history:
        st.caption(words.NO_CURVES)
    left, right = st.columns(2, gap="large")
    with left:
        if traces:
            draw_heading(words.LEARNING, glossary.explain_terms("epoch", "validation rows"))
            draw_chart(partial(learning.figure, traces), "chart-learning", learning.alt(traces))
            draw_numbers("learning", lambda: learning.table(traces), words.LEARNING)
    with right:
        if history:
            moving = "adapted_loss" in history
            draw_heading(
                words.LOSSES_MOVING if moving else words.LOSSES, words.LOSSES_MOVING_HELP if moving else words.LOSSES_HELP
            )
            draw_chart(partial(losses.figure, history), "chart-losses", losses.alt(history))
            draw_numbers("losses", lambda: losses.table(history), words.LOSSES)
    training.draw_generator(result, "lab")
    training.draw_policy(result, "lab")


# ---- classes


def _draw_classes(body: Body) -> None:
    """Draw test results, weight norms, gap and rows of each class."""
    shown, result = body.shown, body.shown.result
    assert result is not None
    left, right = st.columns(2, gap="large")
    with left:
        draw_heading(
            words.CLASS_RESULTS, glossary.explain_terms("precision", "recall", "interval", first=words.CLASS_RESULTS_HELP)
        )
        perclass.draw_classes(result, "classes")
        _draw_rows(result)
    with right:
        _draw_norms(shown, result)
        if result.gap:
            entries = answer.list_entries(shown)
            gaps.draw_gap(entries, "lab")
            gaps.draw_deviation(entries[0], "lab")
    links.draw_link("deep", words.OPEN_DEEP, ":material/scatter_plot:", run=shown.job.id)


def _draw_norms(shown: Shown, result: Result) -> None:
    classes = list(result.class_counts.get("train", {}))
    counts = [float(n) for n in result.class_counts.get("train", {}).values()]
    bars = [
        norms.Norms(m.key, m.label, values, gaps.read_norms(r, "before"))
        for m, r in shown.there
        if (values := gaps.read_norms(r, "after")) is not None and values.shape[1] == len(classes)
    ]
    if bars:
        draw_heading(words.NORMS, glossary.explain_terms("weight norm", last=words.NORMS_HELP))
        draw_chart(partial(norms.figure, bars, classes, counts), "chart-norms", norms.alt(bars, classes))
        draw_numbers("norms", lambda: norms.table(bars, classes, counts), words.NORMS)


def _draw_rows(result: Result) -> None:
    draw_heading(words.ROWS, glossary.explain_terms("withheld", "validation rows", first=words.ROWS_HELP))
    rows = []
    for name in result.class_counts.get("train", {}):
        counts = {word: result.class_counts.get(part, {}).get(name, 0.0) for part, word in words.PARTS.items()}
        rows.append({"class": name} | {word: f"{n:,.0f}" for word, n in counts.items()})
    st.dataframe(pd.DataFrame(rows), hide_index=True, alt=words.ROWS_HELP, column_config=perclass.NARROW)
    share.offer_table(rows, f"rows-{result.run_id}", "rows", words.ROWS_HELP, text=["class"])


# ---- points


def _draw_points(body: Body) -> None:
    """Draw the choice of the replicate, how far its points moved, and what each of them does to the validation loss."""
    shown, result = body.shown, body.shown.result
    assert result is not None
    place = st.container(horizontal=True, vertical_alignment="center", gap="medium")
    with place:
        replicate = _choose_replicate(shown, result, body.replicate)
    if generated.draw_generated(shown, "lab"):
        found = []
    else:
        found = list_findings(shown, replicate)[:1] if result.moves is not None else [words.NO_POINTS]
    for text in found:
        place.markdown(text, width="content")
    contributions.draw_contributions(shown, replicate)


def _choose_replicate(shown: Shown, result: Result, replicate: int) -> int:
    """Draw the choice of the replicate that film and table show, where there are several; return it."""
    count, folds = result.n, shown.main.spec.folds
    if count < 2:
        return 0
    st.session_state["replicate"] = replicate

    def take() -> None:
        st.session_state[state.REPLICATE] = st.session_state["replicate"]

    def name(r: int) -> str:
        text = words.REPLICATE_OF.format(number=r + 1, count=count)
        return words.FOLD_OF.format(replicate=text, seed=r // folds + 1, fold=r % folds + 1) if folds > 1 else text

    chosen: int = st.selectbox(
        words.REPLICATE,
        range(count),
        format_func=name,
        key="replicate",
        on_change=take,
        width=260,
        label_visibility="collapsed",
    )
    return chosen


# ---- numbers


def _draw_numbers(body: Body) -> None:
    """Draw every measure of all runs with its interval, and what the intervals and chance are."""
    shown, result = body.shown, body.shown.result
    assert result is not None
    records = list_measures(shown, lambda interval: format_interval(interval, 3))
    st.dataframe(pd.DataFrame(records), hide_index=True, alt=words.MEASURES, height=min(35 * (len(records) + 1) + 3, 560))
    caption = f"{words.MEASURES}, n = {result.n}; {result.interval}"
    for text in describe_numbers(result):
        st.caption(text)
    for note in result.notes:
        st.caption(f":material/info: {escape(note, 300)}")
    share.offer_table(lambda: list_measures(shown, _ends), f"measures-{shown.job.id}", "measures", caption)


def describe_numbers(result: Result) -> list[str]:
    """Return what the intervals are, what chance is, and how long the run took, one sentence each."""
    over, kind = format_count(result.n, "replicate"), escape(result.interval, 120)
    has = np.isfinite(result.metric(DEFAULT_METRIC).low)
    out = [words.INTERVALS.format(kind=kind, replicates=over) if has else words.NO_INTERVALS.format(replicates=over)]
    chance = f"{result.prevalence:.3g}"
    if result.positive == "macro":
        out.append(words.CHANCE_MACRO.format(value=chance))
    else:
        out.append(words.CHANCE.format(value=chance, share=f"{100 * result.prevalence:.3g}"))
    return [*out, words.TOOK.format(time=format_duration(result.seconds))]


def list_measures(shown: Shown, show: Callable[[Interval], Any]) -> list[dict[str, Any]]:
    """Return one record a measure, what is measured of probabilities after the first; one column a run. show: makes a cell."""
    rows = []
    first = {DEFAULT_METRIC: METRICS[DEFAULT_METRIC]}
    for name, (label, *_) in (first | PROBABILITY_METRICS | METRICS).items():
        if not any(name in result.metrics for _, result in shown.there):
            continue  # a run of an earlier version
        row: dict[str, Any] = {"measure": label}
        for member, result in shown.there:
            if name in result.metrics:
                row[member.label] = show(result.metric(name))
        rows.append(row)
    return rows


def _ends(interval: Interval) -> dict[str, float]:
    return {"mean": interval.mean, "low": interval.low, "high": interval.high}


# ---- settings and reproduce


def _draw_settings(body: Body) -> None:
    """Draw what the run was asked to be, and where and how its numbers were made."""
    shown = body.shown
    panel.describe_request(shown)
    result = shown.result
    if result is None:
        st.json(shown.main.spec.to_json(), expanded=2)
        return
    made = words.MADE.format(
        run=escape(shown.job.id),
        device=escape(result.provenance.get("device", "an unknown device")),
        time=format_duration(result.seconds),
    )
    parts = [escape(result.provenance[name], 60) for name in ("machine", "cpu", "date") if result.provenance.get(name)]
    st.caption(" · ".join([made, *parts]))
    st.json({"spec": result.spec, "provenance": result.provenance}, expanded=2)


def _draw_reproduce(body: Body) -> None:
    """Draw the run as code, and its report."""
    shown = body.shown
    if shown.result is not None:
        st.link_button(
            words.REPORT, jobs.file_url(shown.job.id, "report.html"), icon=":material/description:", help=words.REPORT_HELP
        )
    share.draw_code(shown.main.spec, body.catalog)


_DRAW: Mapping[str, Callable[[Body], None]] = {
    "differences": _draw_differences,
    "learning": _draw_learning,
    "classes": _draw_classes,
    "points": _draw_points,
    "numbers": _draw_numbers,
    "settings": _draw_settings,
    "reproduce": _draw_reproduce,
}
