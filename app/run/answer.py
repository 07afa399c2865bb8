"""A finished run as pictures, numbers and tables, beside what it is compared with."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from app.charts import learning, losses, norms, pr
from app.parts import share
from app.parts.elements import draw_chart, draw_fold, draw_heading, draw_numbers
from app.run import gaps, perclass
from app.run.shown import Shown
from app.words import glossary
from app.words.sentence import write_story
from app.words.text import escape, format_bounds, format_difference, format_duration, format_interval
from engine.spec.result import DEFAULT_METRIC, METRICS, Result
from engine.stats.intervals import Interval

CARDS = (DEFAULT_METRIC, "balanced_accuracy", "g_mean", "f1")
PARTS = {"train": "training", "validation": "validation", "test": "test", "withheld": "withheld"}


def list_entries(shown: Shown) -> list[gaps.Entry]:
    """Return the finished runs of a family for the pictures per class, the run itself first."""
    return [gaps.Entry(m.key, m.label, r) for m, r in shown.there]


def draw_sentences(shown: Shown) -> None:
    """Draw what is shown and what was measured, in sentences."""
    story = write_story(shown.members, shown.results, native=shown.native, why=shown.why)
    title = escape(shown.entry["title"] if shown.entry is not None else shown.main.spec.dataset)
    with st.container(key="headline", gap=None):
        st.markdown(f"**{title}.** {story.headline}")
    with st.container(key="findings", gap=None):
        st.markdown(" ".join(story.findings))
        st.caption(story.fine)
        for note in shown.result.notes if shown.result is not None else ():
            st.caption(f":material/info: {escape(note, 300)}")


def draw_precision_recall(shown: Shown) -> None:
    """Draw the precision-recall curves on the test rows."""
    curves = []
    for member, result in shown.there:
        if "pr_recall" in result.arrays:
            ap = result.metric(DEFAULT_METRIC)
            arrays = (result.arrays["pr_recall"], np.atleast_2d(result.arrays["pr_precision"]))
            curves.append(pr.Curve(member.key, member.label, *arrays, ap.mean, ap.low, ap.high, member.role == "oracle"))
    result = shown.result
    if result is None or not curves:
        return
    several = "The bands hold 95% of the replicates' curves." if result.n > 1 else ""
    draw_heading(
        "Precision and recall on the test rows",
        glossary.explain_terms("precision-recall curve", "precision", "recall", last=several),
    )
    draw_chart(partial(pr.figure, curves, result.prevalence), "chart-pr", pr.alt(curves, result.prevalence))
    draw_numbers("pr", lambda: pr.table(curves), "Precision at a few recalls, one row a method")


def draw_cards(shown: Shown) -> None:
    """Draw four measures with interval and paired difference to plain training."""
    result = shown.result
    if result is None:
        return
    baseline = next((r for m, r in shown.there if m.role == "baseline" and m.key != shown.main.key), None)
    against = "Below: its 95% interval and n"
    against += ", then the paired difference to CE, coloured only where its interval excludes 0." if baseline else "."
    with st.container(horizontal=True, gap="small", key="cards"):
        for name in CARDS:
            label = METRICS[name][0]
            interval = result.metric(name)
            with st.container(border=True, width="stretch", gap=None, key=f"card-{name}"):
                value = f"{interval.mean:.3f}" if np.isfinite(interval.mean) else "–"
                st.metric(label, value, help=f"{glossary.explain_term(label)} {against}", width="stretch")
                st.caption(f"{format_bounds(interval, 3).strip() or 'no interval'}, n = {result.n}")
                if baseline is not None:
                    st.caption(_format_gap(result.difference(baseline, name)))


def _format_gap(gap: Interval) -> str:
    """Return '▲ +0.08 [+0.04, +0.12] to CE', green or red where the interval excludes 0."""
    text = escape(format_difference(gap, 2))
    if gap.above_zero or gap.below_zero:
        colour, sign = ("green", "▲") if gap.above_zero else ("red", "▼")
        return f":{colour}[{sign} {text}] to CE"
    return f"{text} to CE"


def draw_pictures(shown: Shown) -> None:
    """Draw validation score, losses, weight norms, gap, rows of each class, and results per class."""
    result = shown.result
    if result is None:
        return
    left, right = st.columns(2, gap="large")
    with left:
        _draw_learning(shown)
    with right:
        _draw_losses(result)
    left, right = st.columns(2, gap="large")
    with left:
        _draw_norms(shown, result)
    with right:
        if result.gap:
            gaps.draw_gap(list_entries(shown), "lab")
        else:
            _draw_rows(result)
    if result.gap:
        _draw_rows(result)
    draw_heading(
        "Test results per class",
        glossary.explain_terms("precision", "recall", "interval", first="Each class is held against all others."),
    )
    perclass.draw_classes(result, "classes")


def _draw_learning(shown: Shown) -> None:
    traces = []
    for member, other in shown.there:
        values, phases = learning.join_phases(other.arrays, "valid_ap")
        if values.size:
            traces.append(learning.Trace(member.key, member.label, values, phases))
    if traces:
        draw_heading("Average precision on the validation rows", glossary.explain_terms("epoch", "validation rows"))
        draw_chart(partial(learning.figure, traces), "chart-learning", learning.alt(traces))
        draw_numbers("learning", lambda: learning.table(traces), "Validation average precision per epoch, one column a method")


def _draw_losses(result: Result) -> None:
    history = losses.read_history(result.arrays)
    if history:
        draw_heading(
            "Losses while the points move" if "adapted_loss" in history else "Losses",
            "As figure 5 of Yasinnik et al. The points move to bring down the stepped classifier's loss on the validation rows; "
            "the loss on the synthetic points alone says how hard they have become."
            if "adapted_loss" in history
            else "Mean cross-entropy per row.",
        )
        draw_chart(partial(losses.figure, history), "chart-losses", losses.alt(history))
        draw_numbers("losses", lambda: losses.table(history), "Losses per epoch")


def _draw_norms(shown: Shown, result: Result) -> None:
    classes = list(result.class_counts.get("train", {}))
    counts = [float(n) for n in result.class_counts.get("train", {}).values()]
    bars = [
        norms.Norms(m.key, m.label, values, gaps.read_norms(r, "before"))
        for m, r in shown.there
        if (values := gaps.read_norms(r, "after")) is not None and values.shape[1] == len(classes)
    ]
    if bars:
        draw_heading(
            "Output weights per class",
            glossary.explain_terms("weight norm", last="A diamond is the length before a method trained the last layer anew."),
        )
        draw_chart(partial(norms.figure, bars, classes, counts), "chart-norms", norms.alt(bars, classes))
        draw_numbers("norms", lambda: norms.table(bars, classes, counts), "Weight norms, one row a class")


def _draw_rows(result: Result) -> None:
    mean = ", means over the replicates" if result.n > 1 else ""
    draw_heading(
        "Rows of each class", glossary.explain_terms("withheld", "validation rows", first=f"How many rows each part has{mean}.")
    )
    rows = []
    for name in result.class_counts.get("train", {}):
        counts = {word: result.class_counts.get(part, {}).get(name, 0.0) for part, word in PARTS.items()}
        rows.append({"class": name} | {word: f"{n:,.0f}" for word, n in counts.items()})
    alt = "Rows in each part, one row a class"
    st.dataframe(pd.DataFrame(rows), hide_index=True, alt=alt, column_config=perclass.NARROW)
    share.offer_table(rows, f"rows-{result.run_id}", "rows", alt, text=["class"])
    if result.positive == "macro":
        st.caption(f"On the test rows a random ranking has macro average precision {result.prevalence:.3g}.")
    else:
        st.caption(
            f"{100 * result.prevalence:.3g}% of the test rows are positive ({escape(result.positive, 30)}): "
            f"a random ranking has average precision {result.prevalence:.3g}."
        )


def draw_measures(shown: Shown) -> None:
    """Draw the table of every measure of all members."""
    with draw_fold("All measures of all methods", "all-measures", ":material/table:") as fold:
        if not fold.open:
            return
        alt = "Every measure with its 95% interval, one column a method"
        st.dataframe(
            pd.DataFrame(list_measures(shown, lambda interval: format_interval(interval, 3))), hide_index=True, alt=alt
        )
        main = shown.there[0][1]
        caption = f"{alt}, n = {main.n}; {main.interval}"
        share.offer_table(lambda: list_measures(shown, _ends), f"measures-{shown.job.id}", "measures", caption)


def list_measures(shown: Shown, show: Callable[[Interval], Any]) -> list[dict[str, Any]]:
    """Return one record a measure, one column a method. show: makes the content of a cell."""
    rows = []
    for name, (label, _, _) in METRICS.items():
        row: dict[str, Any] = {"measure": label}
        for member, result in shown.there:
            if name in result.metrics:
                row[member.label] = show(result.metric(name))
        rows.append(row)
    return rows


def _ends(interval: Interval) -> dict[str, float]:
    return {"mean": interval.mean, "low": interval.low, "high": interval.high}


def draw_provenance(shown: Shown) -> None:
    """Draw where and how the numbers were made, in one line and in full."""
    result = shown.result
    if result is None:
        return
    origin = result.provenance
    parts = [f"Run {escape(shown.job.id)}", f"trained on {escape(origin.get('device', 'an unknown device'))}"]
    parts[-1] += f" in {format_duration(result.seconds)}"
    parts += [escape(origin[name], 60) for name in ("machine", "cpu", "date") if origin.get(name)]
    st.caption(" · ".join(parts))
    with draw_fold("How it was made", "provenance", ":material/receipt_long:") as fold:
        if fold.open:
            st.json({"spec": result.spec, "provenance": origin}, expanded=1)
