"""Compare's view of a score against the seconds of training."""

from __future__ import annotations

import streamlit as st

from app.charts import cost
from app.parts.elements import draw_chart, draw_heading, draw_numbers
from app.views.compare import sweep_words
from app.views.compare.context import Context, View, keep_choice, list_places, name_place
from app.views.compare.sweep_words import read_interval

PIECE = View(4, "Cost", needs=("records",), selections=("at", "cell"))


def _choose_place(context: Context) -> str:
    """Draw the choice of a dataset and ratio; return it as 'dataset@ratio'."""
    names = list_places(context)
    state = st.session_state
    chosen = context.chosen.get("at")
    state["compare.at"] = chosen if chosen in names else next(iter(names))
    return st.selectbox(
        "Dataset and ratio",
        list(names),
        format_func=names.__getitem__,
        key="compare.at",
        on_change=keep_choice("at", "compare.at"),
        width=420,
    )


def draw(context: Context) -> None:
    """Draw score against seconds of training, at one dataset and ratio."""
    draw_heading(
        f"{context.label} against seconds of training",
        "Seconds of the whole run, all replicates, as measured on the engine's machine: they depend on what else it did. The dotted line "
        "joins methods to which nothing cheaper is equal in the mean.",
    )
    at = _choose_place(context)
    records = [r for r in context.there if f"{r['dataset']}@{r['ratio']:g}" == at]
    points = []
    for r in records:
        if r["seconds"]:
            one = read_interval(r)
            points.append(
                cost.Point(r["method"], r["title"], float(r["seconds"]), one.mean, one.low, one.high, r["role"] == "oracle")
            )
    if not points:
        st.caption("These runs kept no seconds.")
        return
    draw_chart(cost.figure(points, context.label), "chart-cost", cost.alt(points, context.label))
    there = {p.key for p in points}
    lacking = [
        r
        for r in context.records
        if f"{r['dataset']}@{r['ratio']:g}" == at and r["role"] != "oracle" and r["method"] not in there
    ]
    st.markdown(sweep_words.describe_cost(points, len(lacking)))
    draw_numbers("cost", lambda: cost.table(points), f"{context.label} and seconds on {name_place(records[0])}", name="seconds")
