"""The choice of a threshold: a method, the costs of mistakes or a goal, and what follows.
Read from tables, nothing is computed anew."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st

from app.charts import calibration
from app.parts.elements import WIDE, draw_chart, draw_heading, draw_numbers
from app.session import jobs
from app.views.data import board
from app.words import glossary
from app.words.naming import BLANK, shorten_name
from app.words.text import format_count
from engine.stats import thresholds
from engine.text import one_line

HELP = glossary.explain_term("threshold")
KINDS = {"as trained": "As trained", "prior corrected": "Prior corrected", "isotonic": "Isotonic"}
KINDS_HELP = glossary.explain_terms("prior correction", "isotonic regression")
TERMS = {word: glossary.explain_term(word) for word in ("precision", "recall", "f1", "flagged")}
GOALS = {"cost": "Lowest cost", "recall": "Reach a recall", "precision": "Reach a precision", "hand": "By hand"}
STYLE = """<style>
table.confusion { border-collapse: collapse; font-variant-numeric: tabular-nums; width: 100%; max-width: 34rem; }
.confusion caption { text-align: left; font-size: .85rem; opacity: .75; padding-bottom: .3rem; }
.confusion th, .confusion td { border: 1px solid rgba(128, 128, 128, .35); padding: .45rem .6rem; text-align: left; }
.confusion th, .confusion td { font-weight: 400; overflow-wrap: anywhere; }
.confusion thead th, .confusion tbody th { font-size: .85rem; }
.confusion b { display: block; font-size: 1.15rem; }
.confusion .right { background: rgba(0, 158, 115, .13); }
.confusion .wrong { background: rgba(213, 94, 0, .13); }
</style>"""


def draw_decision(job: str, result: Mapping[str, Any]) -> None:
    """Draw the choice of a threshold for a finished comparison."""
    st.subheader("Decide", help=HELP, anchor="decide")
    there = set(jobs.list_artifacts(job))
    rows = [row for row in board.rows_of_result(result) if f"thresholds/{row.name}" in there]
    if not rows:
        st.info("This comparison keeps no threshold tables.", icon=":material/history:")
        return
    st.fragment(_draw_decision)(job, result, rows)


def _draw_decision(job: str, result: Mapping[str, Any], rows: list[board.Row]) -> None:
    """Draw the choice. A fragment: a move of the threshold redraws it alone."""
    titles = {row.name: row.title for row in rows}
    first = result.get("best") if result.get("best") in titles else board.rank_names(rows)[0]
    state = st.session_state
    if state.get("data.method") not in titles:
        state["data.method"] = first
    left, right = st.columns([1, 1], gap="large")
    with left:
        name = st.selectbox("Method", list(titles), format_func=titles.__getitem__, key="data.method")
        table = jobs.read_thresholds(job, name)
        if table is None:
            st.info("The table of this method is gone.", icon=":material/search_off:")
            return
        kind = st.segmented_control(
            "Probabilities", list(KINDS), format_func=KINDS.__getitem__, key="data.kind", required=True, default="as trained",
            help=KINDS_HELP,
        )  # fmt: skip
        goal = st.segmented_control(
            "Threshold for",
            list(GOALS),
            format_func=GOALS.__getitem__,
            key="data.goal",
            required=True,
            default="cost",
            wrap=True,
        )
        grid = table["grid"]
        best, target = _find_threshold(table, str(goal), str(kind))
        wanted = (job, name, kind, goal, target)
        place = _find_place(table, best, str(kind)) if best else None
        if "data.threshold" not in state or (state.get("data.wanted") != wanted and place is not None):
            state["data.threshold"] = place if place is not None else int(np.abs(grid - 0.5).argmin())
        state["data.threshold"] = min(int(state["data.threshold"]), len(grid) - 1)
        state["data.wanted"] = wanted
        chosen = int(
            st.select_slider(
                "Threshold", range(len(grid)), format_func=lambda i: format_threshold(grid[i]), key="data.threshold"
            )
        )
        if place is not None and chosen != place:
            st.button(
                f"Back to {format_threshold(grid[place])}, {GOALS[str(goal)].lower()}", key="data.back", icon=":material/undo:",
                on_click=_go_back, args=(place,),
            )  # fmt: skip
    with right:
        at = thresholds.counts_at(table, float(grid[chosen]), str(kind))
        _draw_outcome(at, result)
        if goal == "cost" and isinstance(target, tuple):
            _draw_cost(table, chosen, target, str(kind))
    _draw_calibration(table, titles[name])


def _find_place(table: thresholds.Table, best: Mapping[str, float], kind: str) -> int:
    """Return the place of a threshold on the grid. The one that flags nothing is told apart from 1 by its counts."""
    v = thresholds.variant_index(kind)
    same = np.flatnonzero((table["tp"][v] == best["tp"]) & (table["fp"][v] == best["fp"]))
    return int(same[np.abs(table["grid"][same] - best["threshold"]).argmin()])


def _go_back(place: int) -> None:
    st.session_state["data.threshold"] = place


def format_threshold(threshold: float) -> str:
    """Return '0.35', '0.0123', or 'flag none'."""
    if threshold > 1:
        return "flag none"
    return f"{threshold:.2f}" if abs(threshold * 100 - round(threshold * 100)) < 1e-9 else f"{threshold:.3g}"


def _find_threshold(table: thresholds.Table, goal: str, kind: str) -> tuple[dict[str, float] | None, Any]:
    """Draw the goal; return the threshold that reaches it and the goal, or warn where none does."""
    if goal == "cost":
        left, right = st.columns(2)
        miss = left.number_input("A miss costs", 0.0, 1e6, 10.0, key="data.miss", help="A positive row that is not flagged.")
        alarm = right.number_input(
            "A false alarm costs", 0.0, 1e6, 1.0, key="data.alarm", help="A row that is flagged and is not positive."
        )
        if miss + alarm <= 0:
            st.warning("One of the two must cost something.", icon=":material/warning:")
            return None, None
        return thresholds.threshold_for_cost(table, miss, alarm, kind), (miss, alarm)
    if goal == "hand":
        return None, None
    target = st.number_input(
        f"At least this {goal}", 0.01, 1.0, 0.8 if goal == "recall" else 0.5, step=0.05, key=f"data.{goal}",
        help=TERMS[goal],
    )  # fmt: skip
    find = thresholds.threshold_for_recall if goal == "recall" else thresholds.threshold_for_precision
    best = find(table, target, kind)
    if best is None:
        exact, recall = thresholds.precision_and_recall(table, kind)
        most = float(np.nanmax(exact if goal == "precision" else recall))
        st.warning(f"No threshold reaches a {goal} of {target:.2f} here; the highest is {most:.2f}.", icon=":material/warning:")
    return best, target


def _draw_outcome(at: Mapping[str, float], result: Mapping[str, Any]) -> None:
    data = result.get("data") or {}
    positive = str(data.get("positive"))
    others = [str(c) for c in data.get("classes") or () if str(c) != positive]
    st.html(write_confusion(at, positive, others[0] if len(others) == 1 else "any other class"))
    flagged = at["tp"] + at["fp"]
    right = f"{100 * at['precision']:.0f} of 100 are right" if math.isfinite(at["precision"]) else "nothing is flagged"
    st.markdown(
        f"Of {format_count(round(at['tp'] + at['fn']), 'row')} of class **{shorten_name(positive)}**, **{round(at['tp']):,}** are found "
        f"and {round(at['fn']):,} missed. Of {format_count(round(flagged), 'flagged row')}, {right}."
    )
    with st.container(horizontal=True, gap="small"):
        for label, key in (("Precision", "precision"), ("Recall", "recall"), ("F1", "f1"), ("Flagged", "flagged")):
            st.metric(label, f"{at[key]:.2f}" if math.isfinite(at[key]) else "–", help=TERMS[key])
    st.caption(
        "Every tested row counted once, without the validation rows, which no pass tests: counts are means over passes through the data, "
        "so they need not add up to the unit. These are readings at one threshold without an interval; how sure the scores are stands on "
        "the board."
    )


def write_confusion(at: Mapping[str, float], positive: str, others: str) -> str:
    """Return the four counts as an HTML table, every text escaped."""

    def cell(name: str, meaning: str, kind: str) -> str:
        return f"<td class='{kind}'><b>{round(at[name]):,}</b>{meaning}</td>"

    names = [html.escape(one_line(text, 40) or BLANK, quote=True) for text in (positive, others)]
    return (
        f"{STYLE}<table class='confusion'><caption>What becomes of the tested rows</caption><thead><tr><td></td>"
        f"<th scope='col'>flagged</th><th scope='col'>not flagged</th></tr></thead><tbody>"
        f"<tr><th scope='row'>is {names[0]}</th>{cell('tp', 'found', 'right')}{cell('fn', 'missed', 'wrong')}</tr>"
        f"<tr><th scope='row'>is {names[1]}</th>{cell('fp', 'false alarms', 'wrong')}{cell('tn', 'left alone', 'right')}</tr>"
        "</tbody></table>"
    )


def _draw_cost(table: thresholds.Table, chosen: int, prices: tuple[float, float], kind: str) -> None:
    costs = 1000 * thresholds.cost_per_row(table, *prices, kind)
    expected = prices[1] / sum(prices)
    st.markdown(
        f"Cost per 1,000 rows: **{costs[chosen]:,.1f}** here; {costs[-1]:,.1f} if nothing were flagged, {costs[0]:,.1f} if everything "
        f"were. Were the probabilities right, the best threshold would be {format_threshold(expected)}."
    )


def _draw_calibration(table: thresholds.Table, title: str) -> None:
    curves = {KINDS[kind]: thresholds.describe_calibration(table, kind) for kind in thresholds.VARIANTS}
    draw_heading(
        "Are the probabilities right?",
        glossary.explain_terms("calibration", "prior correction", "isotonic regression", "Brier score"),
    )
    with st.container(width=WIDE):
        draw_chart(calibration.figure(curves), "chart-calibration", calibration.alt(curves, title))
    best = min(curves, key=lambda kind: curves[kind]["brier"])
    st.markdown(
        "Brier score (lower is better): "
        + ", ".join(f"{kind.lower()} **{one['brier']:.3f}**" for kind, one in curves.items())
        + f". Lowest: {best.lower()}."
    )
    with st.container(width=WIDE):
        draw_numbers(
            "calibration",
            lambda: calibration.table(curves),
            "Bins of predicted probability with the observed share",
            download=False,
        )
