"""Compare's view of a score beside the seconds of training."""

from __future__ import annotations

import streamlit as st

from app.charts import cost
from app.marks import draw_marks
from app.views.compare import sweep_words
from app.views.compare.context import Context, View, keep_choice, list_places
from app.views.compare.sweep_words import read_interval
from app.words import compare as words
from app.words.text import escape

PIECE = View(4, "Cost", needs=("records",), selections=("at",))


def _choose_place(context: Context) -> str:
    """Draw the choice of a dataset and ratio; return it as 'dataset@ratio'."""
    names = list_places(context)
    state = st.session_state
    chosen = context.chosen.get("at")
    state["compare.at"] = chosen if chosen in names else next(iter(names))
    return st.selectbox(
        words.PLACE,
        list(names),
        format_func=names.__getitem__,
        key="compare.at",
        on_change=keep_choice("at", "compare.at"),
        width=420,
        label_visibility="collapsed",
    )


def draw(context: Context) -> None:
    """Draw seconds of training and the score, at one dataset and ratio."""
    at = _choose_place(context)
    points = []
    for r in context.there:
        if r["seconds"] and f"{r['dataset']}@{r['ratio']:g}" == at:
            one = read_interval(r)
            points.append(
                cost.Point(r["method"], r["title"], float(r["seconds"]), one.mean, one.low, one.high, r["role"] == "oracle")
            )
    if not points:
        st.caption(words.COST_NONE)
        return
    st.markdown(escape(sweep_words.describe_cost(points), 300))
    draw_marks(cost.draw(points, context.label, words.COST_SECONDS), key="compare-cost")
    st.caption(words.COST_NOTE)
