"""What several data sets mean together: mean ranks with the critical difference, and pairs of methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app.charts import ranks
from app.parts import share
from app.parts.elements import draw_chart
from app.views.papers.claims import SHOWN, format_p
from app.words import papers as words
from app.words.text import escape, format_count
from engine.papers.verdicts import ALPHA
from engine.stats.verdict import format_change

NAMED = 6
"""Methods that a sentence names of many."""


def describe_above(tables: Mapping[str, Mapping[str, Any]], of: str) -> str:
    """Return which methods are above those that they are tested against, after Holm's correction; '' without a test.

    tables: over_sets of a table. of: what a row is, such as 'method'.
    """
    clauses: list[str] = []
    bare: list[str] = []
    firsts: dict[str, Mapping[str, Any]] = {}
    for one in tables.values():  # of two tests against the same, the first has more rows
        firsts.setdefault(one["first"], one)
    for one in firsts.values():
        above = [q["right"] for q in one["pairs"] if q["p_holm"] is not None and q["p_holm"] <= ALPHA and q["mean"] < 0]
        if above:
            clauses.append(
                words.ABOVE.format(names=_join(above, "and"), are="is" if len(above) == 1 else "are", first=one["first"])
            )
        else:
            bare.append(one["first"])
    if bare:
        clauses.append(words.NONE_ABOVE.format(firsts=_join(bare, "or")))
    if not clauses:
        return ""
    first = next(iter(tables.values()))
    rows, sets = format_count(len(first["methods"]), of), format_count(first["sets"], "dataset")
    return words.AFTER_HOLM.format(rows=rows, sets=sets, clauses="; ".join(clauses))


def _join(names: Sequence[str], last: str) -> str:
    """Return 'a, b and c'; of many the first ones and how many more."""
    if len(names) > NAMED:
        names = [*names[:NAMED], words.OTHERS.format(count=len(names) - NAMED)]
    return f" {last} ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def draw_ranks(tables: Mapping[str, Mapping[str, Any]]) -> None:
    """Draw mean ranks and pairs of methods."""
    tables = {name: one for name, one in tables.items() if one["ranks"] and one["friedman"]}
    if not tables:  # from two sets on
        st.caption(words.NO_RANKS)
        return
    names = list(tables)
    if st.session_state.get("papers.over") not in names:
        st.session_state["papers.over"] = "ours" if "ours" in names else names[0]
    which = st.segmented_control(
        words.NUMBERS_OF, names, key="papers.over", required=True, label_visibility="collapsed", format_func=str.capitalize
    )
    one = tables[which]
    p = one["friedman"]["p"]
    text = words.FRIEDMAN.format(
        sets=format_count(one["sets"], "dataset"), p=f"p {format_p(p)}" if p < 1e-4 else f"p = {format_p(p)}"
    )
    if claim := one.get("claim"):
        text += " " + words.CLAIM.format(text=claim["text"].rstrip("."), verdict=SHOWN.get(claim["verdict"], claim["verdict"]))
    st.markdown(escape(text, 400))
    many = len(one["methods"]) > ranks.MANY
    note = words.RANKS_NOTE_MANY.format(width=f"{one['critical_difference']:.1f}") if many else words.RANKS_NOTE
    draw_chart(ranks.figure(one), "chart-papers-ranks", ranks.alt(one))
    st.caption(note)
    if one.get("left_out"):
        st.caption(escape(words.LEFT_OUT_OF_RANKS.format(names=", ".join(one["left_out"])), 600))
    rows = [
        {
            words.PAIRS["pair"]: words.AGAINST.format(left=q["left"], right=q["right"]),
            words.PAIRS["mean"]: format_change(q["mean"]),
            words.PAIRS["wins"]: q["wins"],
            words.PAIRS["ties"]: q["ties"],
            words.PAIRS["losses"]: q["losses"],
            words.PAIRS["p"]: format_p(q["p_holm"]),
        }
        for q in one["pairs"]
    ]
    alt = f"Pairs of methods over {one['sets']} datasets, margin {one['margin']}"
    st.dataframe(pd.DataFrame(rows), hide_index=True, alt=alt)
    share.offer_table(rows, "pairs", f"papers-pairs-{which}", alt)
