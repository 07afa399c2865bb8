"""Compare's view of precision-recall curves of chosen cells."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import streamlit as st

from app.charts import palette, pr
from app.parts.elements import draw_chart, draw_heading, draw_numbers
from app.run.whatif import has_same_test_rows
from app.session import shared, visitor
from app.session.store import get_store
from app.views.compare.context import Context, View, keep_choice, list_runs
from app.words.text import escape
from engine.errors import BadData
from engine.spec.result import DEFAULT_METRIC

PIECE = View(6, "PR curves", needs=("records",), selections=("curves", "cell"), measured=False)

CURVES = 6
"""Curves in one picture at most."""


def draw(context: Context) -> None:
    """Draw precision-recall curves of chosen cells."""
    draw_heading(
        "Precision and recall on the test rows",
        "Rows are ranked by the network's score. Recall: the share of all positive rows among those ranked so far; precision: the share of "
        "those that are positive. The area below a curve is its average precision, AP. The bands hold 95% of the replicates' curves.",
    )
    names = list_runs(context)
    state = st.session_state
    chosen = [id for id in context.chosen.get("curves") or () if id in names]
    state["compare.curves"] = chosen or _choose_first(context)
    picked = st.multiselect(
        "Cells",
        list(names),
        format_func=names.__getitem__,
        key="compare.curves",
        max_selections=CURVES,
        on_change=keep_choice("curves", "compare.curves"),
    )
    drawn, base = _read_curves(context, picked, names)
    if not drawn:
        st.caption("Choose cells that keep curves.")
        return
    draw_chart(pr.figure(drawn, base), "chart-curves", pr.alt(drawn, base))
    first, *others = [cell.spec for cell in context.spec.cells(context.catalog) if cell.id in {curve.key for curve in drawn}]
    same = all(has_same_test_rows(first, other) for other in others)
    within = "dataset" if context.spec.where == "train" else "dataset and ratio"
    st.markdown(
        "All curves are on the same test rows: the higher one is better at that recall. Read off the precision at the recall that you need."
        if same
        else f"The curves are of different test rows, with other shares of positive ones: heights compare within a {within} alone."
    )
    draw_numbers("curves", lambda: pr.table(drawn), "Precision at a few recalls, one row a cell", name="curves")


def _choose_first(context: Context) -> list[str]:
    """Return the ids of the cells at the place that has most of them; of equal places, the one with the highest ratio."""
    by_place: dict[tuple[str, float], list[str]] = {}
    for r in context.there:
        by_place.setdefault((r["dataset"], r["ratio"]), []).append(r["run"])
    best = max(by_place, key=lambda at: (len(by_place[at]), at[1]))
    return by_place[best][:CURVES]


def _read_curves(context: Context, picked: Sequence[str], names: Mapping[str, str]) -> tuple[list[pr.Curve], float]:
    """Return the curves of these runs, and the prevalence that all have, else NaN."""
    store, owner = get_store(), visitor.read_owner()
    known = {r["run"]: r for r in context.there}
    methods = [known[id]["method"] for id in picked]
    places = {(known[id]["dataset"], known[id]["ratio"]) for id in picked}
    twice = len(set(methods)) < len(methods)
    strokes = palette.distinct(len(picked))
    out, prevalences = [], set()
    for i, id in enumerate(picked):
        try:
            result = shared.read_result(store, store.job(id, owner), owner)
        except BadData as error:
            st.caption(escape(error, 300))
            continue
        if result is None or "pr_recall" not in result.arrays:
            continue
        ap = result.metric(DEFAULT_METRIC)
        record = known[id]
        label = record["title"] if len(places) == 1 else names[id]
        arrays = (result.arrays["pr_recall"], np.atleast_2d(result.arrays["pr_precision"]))
        stroke = strokes[i] if twice else palette.stroke(record["method"])
        out.append(pr.Curve(id, label, *arrays, ap.mean, ap.low, ap.high, record["role"] == "oracle", stroke))
        prevalences.add(round(result.prevalence, 6))
    return out, prevalences.pop() if len(prevalences) == 1 else math.nan
