"""Compare's view of mean ranks, as a critical-difference diagram."""

from __future__ import annotations

import streamlit as st

from app.charts import ranks
from app.parts.elements import draw_chart
from app.views.compare import offers, sweep_words
from app.views.compare.context import Context, View
from app.words import compare as words
from app.words import naming
from app.words.text import escape
from engine.sweep.table import compare_over_cells

PIECE = View(3, "Ranks", needs=("records",))


def draw(context: Context) -> None:
    """Draw the critical-difference diagram, or what it lacks."""
    if offers.offer_ranks(context):
        return
    result = compare_over_cells(context.records or (), context.metric)
    if result is None:
        st.info(words.RANKS_WAIT, icon=":material/hourglass_empty:")
        return
    titles = {r["method"]: r["title"] for r in context.records or ()}
    shown = naming.label_names([titles[name] for name in result["ranks"]])
    named = {name: shown[titles[name]] for name in result["ranks"]}
    drawn = result | {
        "ranks": {named[name]: value for name, value in result["ranks"].items()},
        "cliques": [[named[name] for name in clique] for clique in result["cliques"]],
    }
    st.markdown(escape(" ".join(sweep_words.describe_ranks(result, context.records or ())), 600))
    draw_chart(ranks.figure(drawn), "chart-ranks", ranks.alt(drawn))
    st.caption(words.RANKS_NOTE)
