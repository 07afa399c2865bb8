"""Compare's view of the share of the potential that each method recovers."""

from __future__ import annotations

import streamlit as st

from app.charts import recovered
from app.charts.recovered import Share
from app.parts.elements import draw_chart, draw_heading, draw_numbers
from app.views.compare import sweep_words
from app.views.compare.context import Context, View, name_place
from app.views.compare.sweep_words import read_interval
from app.words.text import escape

PIECE = View(5, "Potential", needs=("records",))

LINES = 40
"""Shares in one picture at most; the table below has all."""


def draw(context: Context) -> None:
    """Draw the share of the potential that each method recovers."""
    draw_heading(
        "Share of the potential recovered",
        "What a method gains over plain training, as a share of what having the withheld rows back gains (the potential, an oracle). It is "
        "shown only where that gain has an interval above 0. Brackets: 95% Fieller intervals over paired replicates.",
    )
    records = [r for r in context.records if r["role"] == "method"]
    shares = [
        Share(
            r["method"],
            r["title"],
            name_place(r),
            *(read_interval(r["share"]).__getattribute__(n) for n in ("mean", "low", "high")),
        )
        for r in records
        if r["share"] and r["share"]["mean"] is not None
    ]
    without = [r for r in records if not r["share"]]
    if shares:
        draw_chart(recovered.figure(shares[:LINES]), "chart-share", recovered.alt(shares[:LINES]))
        if len(shares) > LINES:
            st.caption(f"The picture has the first {LINES} of {len(shares)} shares.")
    st.markdown(sweep_words.describe_shares(shares, len(without)))
    reasons: dict[str, list[str]] = {}
    for r in without:
        reasons.setdefault(r["share_why"], []).append(name_place(r))
    for why, where in reasons.items():
        at = list(dict.fromkeys(where))
        more = f" and {len(at) - 6} more" if len(at) > 6 else ""
        st.caption(f"{escape('; '.join(at[:6]), 400)}{more}: {escape(why, 300)}")
    if shares:
        draw_numbers("share", lambda: recovered.table(shares), "Share of the potential recovered", name="share")
