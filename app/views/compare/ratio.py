"""Compare's view by ratio: score against imbalance ratio, one picture a dataset."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from app.charts import against_ratio
from app.charts.against_ratio import Line
from app.parts.elements import draw_chart
from app.views.compare import offers, sweep_words
from app.views.compare.context import Context, View
from app.views.compare.sweep_words import Record, read_interval
from app.words import compare as words
from app.words.text import escape
from engine.spec.result import METRICS

PIECE = View(2, "By ratio", needs=("records",))

PICTURES = 6
"""Datasets with a picture of their own at most."""


def draw(context: Context) -> None:
    """Draw score against ratio, one picture a dataset, and where each method is better or worse."""
    if offers.offer_ratio(context):
        return
    places = sweep_words.group_places(context.records or ())
    shown = list(places.values())[:PICTURES]
    for start in range(0, len(shown), 2):
        columns = st.columns(2, gap="medium") if len(shown) > 1 else [st.container()]
        for i, (column, records) in enumerate(zip(columns, shown[start : start + 2], strict=False), start):
            with column:
                _draw_dataset(context, records, i)
    more = words.MORE_DATASETS.format(shown=PICTURES, count=len(places)) if len(places) > PICTURES else ""
    st.caption(f"{words.RATIO_NOTE} {more}".strip())


def _draw_dataset(context: Context, records: Sequence[Record], i: int) -> None:
    stops = sweep_words.describe_stops(records)
    st.markdown(f"**{escape(records[0]['dataset_title'])}**" + (f" {escape(stops, 300)}" if stops else ""))
    lines = make_lines(records)
    if not lines:
        st.caption(words.NO_RESULT)
        return
    draw_chart(
        against_ratio.figure(lines, context.label, METRICS[context.metric][1], [r["ratio"] for r in records]),
        f"chart-ratio-{i}",
        against_ratio.alt(lines, context.label),
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
            oracle = there[0]["role"] == "oracle"
            label = words.ALL_ROWS if oracle else words.PLAIN_LABEL if there[0]["role"] == "baseline" else there[0]["title"]
            out.append(Line(method, label, values, mean, low, high, oracle))
    return out
