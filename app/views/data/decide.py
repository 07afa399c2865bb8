"""The choice of a cut: a row of the board, the costs of mistakes or a goal, and what follows, with the same cut in every picture.
Read from tables, nothing is computed anew."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from app.charts import calibration, cut, palette
from app.frame import headline
from app.parts.elements import draw_chart, draw_numbers
from app.session import jobs
from app.views.data import board
from app.words import data as words
from app.words import glossary
from app.words.naming import BLANK
from app.words.text import format_score
from engine.stats import thresholds
from engine.stats.verdict import Cut, State, verdict
from engine.text import one_line

KINDS_HELP = glossary.explain_terms("prior correction", "isotonic regression")
TERMS = {word: glossary.explain_term(word) for word in ("precision", "recall")}
STYLE = """<style>
table.confusion { border-collapse: separate; border-spacing: 3px; font-variant-numeric: tabular-nums; width: 100%; font-size: 13px; }
.confusion caption { text-align: left; font-size: 15.5px; font-weight: 650; padding-bottom: 4px; }
.confusion :is(th, td) { border: 0; border-radius: 6px; padding: 4px 8px; text-align: left; font-weight: 400; overflow-wrap: anywhere; }
.confusion b { display: block; font-size: 15px; }
.confusion .right { background: light-dark(#E3EFEB, #17302A); }
.confusion .wrong { background: light-dark(#FAEAE8, #3A211E); }
</style>"""


@dataclass(frozen=True)
class Choice:
    """What was chosen of a row's table: kind of probabilities, goal, what is asked of it, and the place of the cut on the grid.

    prices: of a miss and a false alarm, where the goal is the lowest cost. place: None where no cut reaches the goal.
    """

    kind: str
    goal: str
    target: float | None
    prices: tuple[float, float] | None
    place: int | None


def draw_decision(job: str, result: Mapping[str, Any]) -> None:
    """Draw the choice of a cut for a finished comparison."""
    there = set(jobs.list_artifacts(job))
    rows = [row for row in board.rows_of_result(result) if f"thresholds/{row.name}" in there]
    if not rows:
        headline.draw_title(words.NO_CUTS)
        return
    st.fragment(_draw_decision)(job, result, rows)


def _draw_decision(job: str, result: Mapping[str, Any], rows: list[board.Row]) -> None:
    """Draw the choice. A fragment: a move of the cut redraws it alone."""
    st.html(STYLE)
    titles = {row.name: row.title for row in rows}
    if st.session_state.get("data.method") not in titles:
        st.session_state["data.method"] = next(
            name for name in board.rank_names(board.rows_of_result(result)) if name in titles
        )
    top = st.container(key="data-cut")
    left, right = st.columns([304, 984], gap="medium")
    with left:
        name = str(st.selectbox(words.METHOD, list(titles), format_func=titles.__getitem__, key="data.method"))
        table = jobs.read_thresholds(job, name)
        if table is None:
            with top:
                headline.draw_title(words.CUTS_GONE)
            return
        chosen = _choose(job, name, table)
        at = None if chosen.place is None else thresholds.counts_at(table, float(table["grid"][chosen.place]), chosen.kind)
        if at is not None:
            st.html(write_confusion(at, *_name_classes(result)))
            st.caption(words.COUNTS_MORE)
    with top:
        _draw_verdict(chosen, at, str((result.get("data") or {}).get("positive")))
    with right:
        _draw_pictures(table, chosen, name, titles[name])


def _draw_verdict(chosen: Choice, at: Mapping[str, float] | None, positive: str) -> None:
    """Draw what follows from the cut as the heading; where none reaches the goal there are no counts."""
    if at is None:
        rule = f"{chosen.goal} {_write_target(chosen.target)}"
        headline.draw_headline(verdict("", "", None, 0, State(cut=Cut(rule=rule))))
    elif not math.isfinite(at["precision"]):
        headline.draw_title(words.NONE_FLAGGED)
    else:
        label = f'"{" ".join(one_line(positive, 24).split()[:2]) or BLANK}" rows'
        made = Cut(1000 * at["flagged"], 100 * at["precision"], 100 * at["recall"], label)
        headline.draw_headline(verdict("", "", None, 0, State(cut=made)))


def _write_target(target: float | None) -> str:
    return f"{target or 0:.3g}".replace("0.", ".", 1)


def _choose(job: str, name: str, table: thresholds.Table) -> Choice:
    """Draw the choice of probabilities, goal and cut; return what was chosen."""
    state = st.session_state
    kind = str(
        st.segmented_control(
            words.PROBABILITIES, list(words.KINDS), format_func=words.KINDS.__getitem__, key="data.kind", required=True,
            default="as trained", help=KINDS_HELP, wrap=True,
        )
    )  # fmt: skip
    goal = str(st.selectbox(words.GOAL, list(words.GOALS), format_func=words.GOALS.__getitem__, key="data.goal"))
    grid = table["grid"]
    best, target, prices = _find_cut(table, goal, kind)
    if goal in ("recall", "precision") and best is None:
        return Choice(kind, goal, target, prices, None)
    place = _find_place(table, best, kind) if best else None
    wanted = (job, name, kind, goal, target, prices)
    if "data.threshold" not in state or (state.get("data.wanted") != wanted and place is not None):
        state["data.threshold"] = place if place is not None else int(np.abs(grid - 0.5).argmin())
    state["data.threshold"] = min(int(state["data.threshold"]), len(grid) - 1)
    state["data.wanted"] = wanted
    at = int(
        st.select_slider(words.CUT, range(len(grid)), format_func=lambda i: format_cut(float(grid[i])), key="data.threshold")
    )
    if place is not None and at != place:
        back = words.BACK_TO.format(cut=format_cut(grid[place]))
        st.button(back, key="data.back", icon=":material/undo:", on_click=_go_back, args=(place,))
    if prices is not None:
        _draw_cost(table, at, prices, kind)
    return Choice(kind, goal, target, prices, at)


def _find_cut(
    table: thresholds.Table, goal: str, kind: str
) -> tuple[dict[str, float] | None, float | None, tuple[float, float] | None]:
    """Draw the goal's own fields; return (the cut that reaches it, the value that is asked for, the prices)."""
    if goal == "cost":
        left, right = st.columns(2)
        miss = left.number_input(words.MISS, 0.0, 1e6, 10.0, key="data.miss", help=words.MISS_HELP)
        alarm = right.number_input(words.ALARM, 0.0, 1e6, 1.0, key="data.alarm", help=words.ALARM_HELP)
        if miss + alarm <= 0:
            st.warning(words.NO_COST, icon=":material/warning:")
            return None, None, None
        return thresholds.threshold_for_cost(table, miss, alarm, kind), None, (miss, alarm)
    if goal == "hand":
        return None, None, None
    first = 0.8 if goal == "recall" else 0.5
    target = st.number_input(
        words.AT_LEAST.format(goal=goal), 0.01, 1.0, first, step=0.05, key=f"data.{goal}", help=TERMS[goal]
    )
    find = thresholds.threshold_for_recall if goal == "recall" else thresholds.threshold_for_precision
    best = find(table, target, kind)
    if best is None:
        exact, recall = thresholds.precision_and_recall(table, kind)
        most = float(np.nanmax(exact if goal == "precision" else recall))
        st.caption(words.HIGHEST.format(goal=goal, most=format_score(most, 2)))
    return best, target, None


def _find_place(table: thresholds.Table, best: Mapping[str, float], kind: str) -> int:
    """Return the place of a cut on the grid. The one that flags nothing is told apart from 1 by its counts."""
    v = thresholds.variant_index(kind)
    same = np.flatnonzero((table["tp"][v] == best["tp"]) & (table["fp"][v] == best["fp"]))
    return int(same[np.abs(table["grid"][same] - best["threshold"]).argmin()])


def _go_back(place: int) -> None:
    st.session_state["data.threshold"] = place


def format_cut(threshold: float) -> str:
    """Return '.35', '.0123', or 'flag none'."""
    if threshold > 1:
        return words.FLAG_NONE
    hundredths = abs(threshold * 100 - round(threshold * 100)) < 1e-9
    text = f"{threshold:.2f}" if hundredths else f"{threshold:.3g}"
    return text.replace("0.", ".", 1) if text.startswith("0.") else text


def _name_classes(result: Mapping[str, Any]) -> tuple[str, str]:
    """Return the class that is looked for and what all others are called."""
    data = result.get("data") or {}
    positive = str(data.get("positive"))
    others = [str(c) for c in data.get("classes") or () if str(c) != positive]
    return positive, others[0] if len(others) == 1 else words.OTHERS


def write_confusion(at: Mapping[str, float], positive: str, others: str) -> str:
    """Return the four counts per 1,000 rows as an HTML table, every text escaped."""
    scale = 1000 / (sum(at[name] for name in ("tp", "fp", "fn", "tn")) or 1)

    def cell(name: str, meaning: str, kind: str) -> str:
        return f"<td class='{kind}'><b>{at[name] * scale:,.1f}</b>{meaning}</td>"

    names = [html.escape(one_line(text, 40) or BLANK, quote=True) for text in (positive, others)]
    return (
        f"<table class='confusion'><caption>{words.COUNTS}</caption><thead><tr><td></td>"
        f"<th scope='col'>{words.FLAGGED}</th><th scope='col'>{words.NOT_FLAGGED}</th></tr></thead><tbody>"
        f"<tr><th scope='row'>{names[0]}</th>{cell('tp', words.FOUND, 'right')}{cell('fn', words.MISSED, 'wrong')}</tr>"
        f"<tr><th scope='row'>{names[1]}</th>{cell('fp', words.FALSE_ALARMS, 'wrong')}{cell('tn', words.LEFT_ALONE, 'right')}</tr>"
        "</tbody></table>"
    )


def _draw_cost(table: thresholds.Table, at: int, prices: tuple[float, float], kind: str) -> None:
    costs = 1000 * thresholds.cost_per_row(table, *prices, kind)
    said = words.COST_HERE.format(here=f"{costs[at]:,.1f}", none=f"{costs[-1]:,.1f}", all=f"{costs[0]:,.1f}")
    st.caption(f"{said} {words.COST_BEST.format(cut=format_cut(prices[1] / sum(prices)))}")


# ---- the pictures


def _draw_pictures(table: thresholds.Table, chosen: Choice, name: str, title: str) -> None:
    """Draw the pictures side by side, the cut in each of them."""
    places = iter(st.columns(3, gap="medium"))
    with next(places):
        _draw_precision(table, chosen, name, title)
    if chosen.prices is not None:
        with next(places):
            _draw_costs(table, chosen, title)
    with next(places):
        _draw_reliability(table, chosen, title)


def _draw_precision(table: thresholds.Table, chosen: Choice, name: str, title: str) -> None:
    precision, recall = thresholds.precision_and_recall(table, chosen.kind)
    st.markdown(f"**{words.PR_HEAD}**")
    label, alt = "", words.PR_ALT_BARE.format(title=title)
    if chosen.place is not None and math.isfinite(precision[chosen.place]):
        at = {"precision": format_score(precision[chosen.place], 2), "recall": format_score(recall[chosen.place], 2)}
        label, alt = words.CUT_POINT.format(**at), words.PR_ALT.format(title=title, **at)
    figure = cut.draw_precision(recall, precision, palette.stroke(name), chosen.place, label, x=words.RECALL, y=words.PRECISION)
    draw_chart(figure, "chart-cut-pr", alt)


def _draw_costs(table: thresholds.Table, chosen: Choice, title: str) -> None:
    assert chosen.prices is not None
    costs = 1000 * thresholds.cost_per_row(table, *chosen.prices, chosen.kind)
    here = "" if chosen.place is None else f"{costs[chosen.place]:,.0f}"
    lowest = f"{costs.min():,.0f}"
    st.markdown(f"**{words.COST_HEAD}**")
    figure = cut.draw_cost(
        table["grid"], costs, chosen.place, here, words.LOWEST.format(cost=lowest), x=words.CUT, y=words.COST_AXIS
    )
    draw_chart(figure, "chart-cut-cost", words.COST_ALT.format(title=title, lowest=lowest))


def _draw_reliability(table: thresholds.Table, chosen: Choice, title: str) -> None:
    curves = {words.KINDS[kind]: thresholds.describe_calibration(table, kind) for kind in thresholds.VARIANTS}
    shown = words.KINDS[chosen.kind]
    st.markdown(
        f"**{words.RELIABILITY}** :small[{words.AS_IT_SHOULD}]", help=glossary.explain_terms("calibration", "Brier score")
    )
    brier = format_score(curves[shown]["brier"])
    alt = words.RELIABILITY_ALT.format(title=title, kind=shown.lower(), brier=brier)
    at = math.nan if chosen.place is None else float(table["grid"][chosen.place])
    figure = calibration.figure(curves[shown], at, x=words.PREDICTED, y=words.OBSERVED)
    draw_chart(figure, "chart-calibration", alt)
    best = min(curves, key=lambda kind: curves[kind]["brier"])
    st.caption(words.BRIER.format(kind=best.lower(), brier=format_score(curves[best]["brier"])))
    draw_numbers("calibration", lambda: calibration.table(curves), words.BINS_ALT, download=False)
