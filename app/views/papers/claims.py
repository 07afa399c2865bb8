"""A paper's claims with their verdicts, one dataset at a time and over all datasets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app.charts import ranks
from app.parts import share
from app.parts.elements import draw_chart, draw_fold, draw_heading
from app.words import glossary
from app.words.text import escape, format_count, format_signed
from engine.papers.verdicts import FAILS, HOLDS, NOT_MEASURED, UNDECIDED

FEW = 6
"""Undecided claims that are listed without an expander."""
MARKS = {
    HOLDS: ":green[:material/check_circle:] **holds**",
    FAILS: ":red[:material/cancel:] **does not hold**",
    UNDECIDED: ":material/help: undecided",
    NOT_MEASURED: ":material/hourglass_empty: not measured here yet",
}


def draw_claims(claims: Sequence[Mapping[str, Any]]) -> None:
    """Draw every claim with its verdict, those that are decided against the paper first."""
    if not claims:
        return
    draw_heading(
        "Claims of the paper",
        "Each claim is tested on pairs of runs with the same seed; p is corrected by Holm over the claims of this table on one "
        "dataset. Holds and does not hold: decided at 5%. Undecided: these replicates cannot tell.",
    )
    counts = Counter(c["verdict"] for c in claims)
    st.markdown(
        " · ".join(f"{MARKS.get(v, escape(v))}: {counts[v]}" for v in (HOLDS, FAILS, UNDECIDED, NOT_MEASURED) if counts[v])
    )
    places = list(dict.fromkeys(c["dataset"] for c in claims))
    chosen = places
    if len(places) > 1:
        chosen = st.pills("Dataset", places, selection_mode="multi", default=places, key="papers.claims") or places
    order = {FAILS: 0, HOLDS: 1, UNDECIDED: 2, NOT_MEASURED: 3}
    shown = sorted((c for c in claims if c["dataset"] in chosen), key=lambda c: order.get(c["verdict"], 4))
    decided = [c for c in shown if c["verdict"] in (HOLDS, FAILS)]
    others = [c for c in shown if c["verdict"] not in (HOLDS, FAILS)]
    st.markdown("\n".join(f"- {describe_claim(c)}" for c in decided))
    if not others:
        return
    if len(others) <= FEW:
        st.markdown("\n".join(f"- {describe_claim(c)}" for c in others))
        return
    with draw_fold(f"{len(others)} claims that these replicates do not decide", "papers-undecided", ":material/help:") as fold:
        if fold.open:
            st.markdown("\n".join(f"- {describe_claim(c)}" for c in others))


def draw_over_sets(tables: Mapping[str, Mapping[str, Any]]) -> None:
    """Draw what several data sets mean together: mean ranks with the critical difference, and pairs of methods."""
    tables = {name: one for name, one in tables.items() if one["ranks"] and one["friedman"]}  # from two sets on
    if not tables:
        return
    draw_heading(
        "Over all data sets",
        glossary.explain_terms(
            "CD diagram",
            "critical difference",
            "Friedman's test",
            "Wilcoxon's signed ranks",
            "Holm",
            last="A win or loss is a difference beyond the margin.",
        ),
    )
    names = list(tables)
    if st.session_state.get("papers.over") not in names:
        st.session_state["papers.over"] = "ours" if "ours" in names else names[0]
    which = st.segmented_control("Numbers", names, key="papers.over", required=True)
    one = tables[which]
    draw_chart(ranks.figure(one), "chart-papers-ranks", ranks.alt(one))
    p = one["friedman"]["p"]
    text = f"{format_count(one['sets'], 'set')}; Friedman p {'< 0.0001' if p < 1e-4 else f'= {p:.2g}'}."
    if claim := one.get("claim"):
        text += f" Claim: *{escape(claim['text'], 200)}*: {MARKS.get(claim['verdict'], escape(claim['verdict']))}"
    st.markdown(text)
    rows = [
        {
            "pair": f"{q['left']} against {q['right']}",
            "mean difference": format_signed(q["mean"]),
            "wins": q["wins"],
            "ties": q["ties"],
            "losses": q["losses"],
            "p (Holm)": f"{q['p_holm']:.2g}",
        }
        for q in one["pairs"]
    ]
    alt = f"Pairs of methods over {one['sets']} sets, margin {one['margin']}"
    st.dataframe(pd.DataFrame(rows), hide_index=True, alt=alt)
    share.offer_table(rows, "pairs", f"papers-pairs-{which}", alt)


def describe_claim(claim: Mapping[str, Any]) -> str:
    """Return a claim with its verdict, and its difference or the reason why there is none, as markdown."""
    text = (
        f"{MARKS.get(claim['verdict'], escape(claim['verdict']))} · {escape(claim['dataset'])} · {escape(claim['text'], 200)}"
    )
    if claim["reason"]:
        return f"{text}: {escape(claim['reason'], 200)}"
    if d := claim["difference"]:
        p = "" if claim["p_holm"] is None else ", p < 0.0001" if claim["p_holm"] < 1e-4 else f", p = {claim['p_holm']:.2g}"
        text += (
            f": {format_signed(d['mean'])} [{format_signed(d['low'])}, {format_signed(d['high'])}], n = {claim['n']}{escape(p)}"
        )
    return text
