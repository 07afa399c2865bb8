"""Compare's view by ratio: score against imbalance ratio, one picture a dataset."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from app.charts import against_ratio
from app.charts.against_ratio import Line
from app.parts.elements import draw_chart, draw_heading, draw_numbers
from app.views.compare import sweep_words
from app.views.compare.context import Context, View
from app.views.compare.sweep_words import Record, read_interval
from app.words.text import escape
from engine.spec.result import METRICS

PIECE = View(1, "By ratio", needs=("records",))

PICTURES = 6
"""Datasets with a picture of their own at most."""


def draw(context: Context) -> None:
    """Draw score against ratio, one picture a dataset, and where each method stops helping."""
    draw_heading(
        f"{context.label} against the imbalance ratio",
        f"Means over replicates with their 95% intervals. {METRICS[context.metric][2]} The potential has the withheld rows back: it shows "
        f"what there is to gain and is never ranked. {sweep_words.describe_correction(context.records)}",
    )
    places = sweep_words.group_places(context.records)
    if len(places) > PICTURES:
        st.caption(f"The first {PICTURES} of {len(places)} datasets are drawn; choose fewer to see the others.")
    shown = list(places.values())[:PICTURES]
    for start in range(0, len(shown), 2):
        columns = st.columns(2, gap="medium") if len(shown) > 1 else [st.container()]
        for i, (column, records) in enumerate(zip(columns, shown[start : start + 2], strict=False), start):
            with column:
                _draw_dataset(context, records, i)
    st.caption(
        "Where a method stops helping, more of it will not do: try another, or look under *Potential* whether the rows that are withheld "
        "would still bring anything there."
    )


def _draw_dataset(context: Context, records: Sequence[Record], i: int) -> None:
    st.markdown(f"**{escape(records[0]['dataset_title'])}**")
    lines = make_lines(records)
    if not lines:
        st.caption("Nothing is done here yet.")
        return
    draw_chart(
        against_ratio.figure(lines, context.label, METRICS[context.metric][1], [r["ratio"] for r in records]),
        f"chart-ratio-{i}",
        against_ratio.alt(lines, context.label),
    )
    stops = sweep_words.describe_stops(records)
    if stops:
        st.markdown("\n".join(f"- {text}" for text in stops))
    else:
        st.caption(
            "Where methods help cannot be said yet: a test needs plain training beside them, with two replicates or more."
        )
    draw_numbers(
        f"ratio-{i}",
        lambda: against_ratio.table(lines),
        f"{context.label} on {records[0]['dataset_title']}, one row a method",
        name="score",
    )


def make_lines(records: Sequence[Record]) -> list[Line]:
    """Return the lines of the methods of one dataset that have a number at any ratio, in the records' order."""
    out = []
    for method in dict.fromkeys(r["method"] for r in records):
        there = sorted((r for r in records if r["method"] == method and r["mean"] is not None), key=lambda r: r["ratio"])
        if there:
            intervals = [read_interval(r) for r in there]
            mean, low, high = (np.array([getattr(v, name) for v in intervals]) for name in ("mean", "low", "high"))
            values = np.array([r["ratio"] for r in there])
            out.append(Line(method, there[0]["title"], values, mean, low, high, there[0]["role"] == "oracle"))
    return out
