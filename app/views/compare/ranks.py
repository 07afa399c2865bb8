"""Compare's view of mean ranks, as a critical-difference diagram."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.charts import ranks
from app.parts.elements import draw_chart, draw_heading, draw_numbers
from app.views.compare import sweep_words
from app.views.compare.context import Context, View
from app.views.compare.sweep_words import format_p
from app.words import naming
from app.words.text import format_count
from engine.sweep.table import compare_over_cells

PIECE = View(3, "Ranks", needs=("records",))


def draw(context: Context) -> None:
    """Draw the critical-difference diagram."""
    draw_heading(
        f"Mean ranks by {context.label}",
        "In every cell (a dataset at a ratio) the methods are ranked, 1 the best; the potential is left out. Methods joined by a bar "
        "cannot be told apart: their mean ranks differ by less than Nemenyi's critical difference at 5%. Friedman's test asks first "
        "whether any differs.",
    )
    result = compare_over_cells(context.records, context.metric)
    if result is None:
        st.info(
            "Ranks need three methods, plain training among them, done on two cells or more. Add methods, ratios or datasets to the plan.",
            icon=":material/leaderboard:",
        )
        return
    titles = {r["method"]: r["title"] for r in context.records}
    shown = naming.label_names([titles[name] for name in result["ranks"]])
    named = {name: shown[titles[name]] for name in result["ranks"]}
    drawn = result | {
        "ranks": {named[name]: value for name, value in result["ranks"].items()},
        "cliques": [[named[name] for name in clique] for clique in result["cliques"]],
    }
    draw_chart(ranks.figure(drawn), "chart-ranks", ranks.alt(drawn))
    st.markdown(sweep_words.describe_ranks(result, context.records))

    def table() -> pd.DataFrame:
        rows = [
            {
                "method": titles[name],
                "mean rank": round(result["ranks"][name], 2),
                "mean score": round(result["means"][name], 3),
                "best or within 0.01": result["best"][name],
                "cells": result["sets"],
            }
            for name in sorted(result["ranks"], key=result["ranks"].__getitem__)
        ]
        pairs = {q["right"]: q["p_holm"] for q in result["pairs"]}
        for name, row in zip(sorted(result["ranks"], key=result["ranks"].__getitem__), rows, strict=True):
            p = pairs.get(name)
            row["against plain training (Wilcoxon, Holm)"] = "" if p is None else format_p(p)
        return pd.DataFrame(rows)

    draw_numbers("ranks", table, f"Mean ranks by {context.label} over {format_count(result['sets'], 'cell')}", name="ranks")
