"""Compare's view of precision-recall curves of chosen cells."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import streamlit as st

from app.charts import palette, pr, recalls
from app.parts.elements import draw_chart
from app.run.whatif import has_same_test_rows
from app.session import shared, visitor
from app.session.store import get_store
from app.views.compare.context import Context, View, keep_choice, list_runs
from app.words import compare as words
from app.words.text import escape
from engine.errors import BadData
from engine.spec.result import DEFAULT_METRIC
from engine.stats.verdict import format_change

PIECE = View(5, "Curves", needs=("records",), selections=("curves",), measured=False)

CURVES = 6
"""Curves in one picture at most."""


def draw(context: Context) -> None:
    """Draw precision-recall curves of chosen cells."""
    names = list_runs(context)
    state = st.session_state
    chosen = [id for id in context.chosen.get("curves") or () if id in names]
    state["compare.curves"] = chosen or _choose_first(context)
    picked = st.multiselect(
        words.CURVES_CHOICE,
        list(names),
        format_func=names.__getitem__,
        key="compare.curves",
        max_selections=CURVES,
        on_change=keep_choice("curves", "compare.curves"),
        select_all=False,
        help=words.CURVES_HELP,
    )
    drawn, base = _read_curves(context, picked, names)
    if not drawn or context.spec is None:
        st.caption(words.CURVES_NONE)
        return
    chance = words.CHANCE.format(value=format_change(base).removeprefix("+")) if math.isfinite(base) else ""
    draw_chart(recalls.figure(drawn, base, chance), "chart-curves", pr.alt(drawn, base))
    first, *others = [cell.spec for cell in context.spec.cells(context.catalog) if cell.id in {curve.key for curve in drawn}]
    same = all(has_same_test_rows(first, other) for other in others)
    within = words.DATASET if context.spec.where == "train" else words.DATASET_AND_RATIO
    st.caption(words.CURVES_SAME if same else words.CURVES_OTHER.format(within=within))


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
