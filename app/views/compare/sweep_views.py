"""The views of a sweep: each a picture with words for who cannot see it, what it means, what to do next, and its numbers below."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from app import session
from app.charts import against_ratio, cost, heat, palette, pr, ranks, recovered
from app.charts.against_ratio import Line
from app.charts.heat import Square
from app.charts.recovered import Share
from app.frame import links
from app.parts import share, size
from app.parts.elements import chart, heading, numbers
from app.run.whatif import same_test_rows
from app.views.compare import sweep_words
from app.views.compare.sweep_words import Record, interval, p_value
from app.words import naming
from app.words.text import many, plain, ratio
from engine.errors import BadData
from engine.spec import RunSpec
from engine.spec.result import DEFAULT_METRIC, METRICS
from engine.sweep import SweepSpec
from engine.sweep.table import compare_over_cells

PICTURES = 6
"""Datasets with a picture of their own at most."""
LINES = 40
"""Shares in one picture at most; the table below has all."""
CURVES = 6
"""Curves in one picture at most."""


@dataclass(frozen=True)
class Sweep:
    """What is shown: the plan, its records (`engine.sweep.table.build_table`) of one metric, the catalog, and where selections are kept.

    chosen: at (dataset@ratio), curves (ids of runs), cell (id of a run); the page writes them into the address.
    """

    spec: SweepSpec
    records: Sequence[Record]
    metric: str
    catalog: Mapping[str, Any]
    chosen: dict[str, Any]

    @property
    def label(self) -> str:
        """The metric in words."""
        return METRICS[self.metric][0]

    @property
    def there(self) -> list[Record]:
        """Records with a number."""
        return [r for r in self.records if r["mean"] is not None]


def draw(view: str, sweep: Sweep) -> None:
    """The view of that name (a key of VIEWS)."""
    if not sweep.there:
        with st.container(key="compare-nothing"):
            st.info(
                "No cell of this plan is done yet. Pictures appear here with the first ones.", icon=":material/hourglass_empty:"
            )
        return
    VIEWS[view](sweep)


# ---- names


def place(record: Record) -> str:
    """'Two moons, 20:1'."""
    return f"{record['dataset_title']}, {ratio(record['ratio'])}"


def _places(sweep: Sweep) -> dict[str, str]:
    """'dataset@ratio' -> name, of the cells with a number."""
    found = {f"{r['dataset']}@{r['ratio']:g}": place(r) for r in sweep.there}
    return _unlike(found)


def _runs(sweep: Sweep) -> dict[str, str]:
    """Run's id -> 'SMOTE on Two moons, 20:1', of the cells with a number."""
    return _unlike({r["run"]: f"{r['title']} on {place(r)}" for r in sweep.there})


def _unlike(names: Mapping[str, str]) -> dict[str, str]:
    """The same with visible names of which no two are equal."""
    shown = naming.listed(list(dict.fromkeys(names.values())), 90)
    out = {key: shown[name] for key, name in names.items()}
    seen = list(out.values())
    return {key: name if seen.count(name) == 1 else f"{name} ({key})" for key, name in out.items()}


def _keep(name: str, key: str) -> Callable[[], None]:
    def take() -> None:
        value = st.session_state[key]
        st.session_state["compare.chosen"][name] = tuple(value) if isinstance(value, list) else value

    return take


# ---- against the ratio


def against(sweep: Sweep) -> None:
    """Score against ratio, one picture a dataset, and where each method stops helping."""
    heading(
        f"{sweep.label} against the imbalance ratio",
        f"Means over replicates with their 95% intervals. {METRICS[sweep.metric][2]} The potential has the withheld rows back: it shows "
        f"what there is to gain and is never ranked. {sweep_words.holm(sweep.records)}",
    )
    found = sweep_words.places(sweep.records)
    if len(found) > PICTURES:
        st.caption(f"The first {PICTURES} of {len(found)} datasets are drawn; choose fewer to see the others.")
    shown = list(found.values())[:PICTURES]
    for start in range(0, len(shown), 2):
        columns = st.columns(2, gap="medium") if len(shown) > 1 else [st.container()]
        for i, (column, own) in enumerate(zip(columns, shown[start : start + 2], strict=False), start):
            with column:
                _one_dataset(sweep, own, i)
    st.caption(
        "Where a method stops helping, more of it will not do: try another, or look under *Potential* whether the rows that are withheld "
        "would still bring anything there."
    )


def _one_dataset(sweep: Sweep, own: Sequence[Record], i: int) -> None:
    st.markdown(f"**{plain(own[0]['dataset_title'])}**")
    lines = lines_of(own)
    if not lines:
        st.caption("Nothing is done here yet.")
        return
    chart(
        against_ratio.figure(lines, sweep.label, METRICS[sweep.metric][1], [r["ratio"] for r in own]),
        f"chart-ratio-{i}",
        against_ratio.alt(lines, sweep.label),
    )
    said = sweep_words.stops(own)
    if said:
        st.markdown("\n".join(f"- {text}" for text in said))
    else:
        st.caption(
            "Where methods help cannot be said yet: a test needs plain training beside them, with two replicates or more."
        )
    numbers(
        f"ratio-{i}",
        lambda: against_ratio.table(lines),
        f"{sweep.label} on {own[0]['dataset_title']}, one row a method",
        name="score",
    )


def lines_of(own: Sequence[Record]) -> list[Line]:
    """Lines of the methods of one dataset that have a number anywhere, in the records' order."""
    out = []
    for method in dict.fromkeys(r["method"] for r in own):
        there = sorted((r for r in own if r["method"] == method and r["mean"] is not None), key=lambda r: r["ratio"])
        if there:
            found = [interval(r) for r in there]
            mean, low, high = (np.array([getattr(v, name) for v in found]) for name in ("mean", "low", "high"))
            values = np.array([r["ratio"] for r in there])
            out.append(Line(method, there[0]["title"], values, mean, low, high, there[0]["role"] == "oracle"))
    return out


# ---- differences


def differences(sweep: Sweep) -> None:
    """The heat map of differences to plain training."""
    heading(
        f"Difference in {sweep.label} to plain training",
        f"{heat.BETTER}: better, {heat.WORSE}: worse, after Holm's correction; no mark: not told apart. {sweep_words.holm(sweep.records)}",
    )
    methods = dict.fromkeys((r["method"], r["title"]) for r in sweep.records if r["role"] == "method")
    columns = dict.fromkeys((r["dataset"], r["dataset_title"], r["ratio"]) for r in sweep.records)
    if not methods:
        st.caption("The plan has plain training and the potential alone: choose a method to compare with it.")
        return
    at = {(r["method"], r["dataset"], r["ratio"]): r for r in sweep.records}
    squares = [[square(at.get((m, d, v))) for d, _, v in columns] for m, _ in methods]
    names = [title for _, title in methods]
    heads = [(title, ratio(value)) for _, title, value in columns]
    figure = size.figure(heat.figure(names, heads, squares))
    wide = int(figure.layout.width)
    said = sweep_words.heat(sweep.records)
    st.html(f"<style>.st-key-chart-heat {{ min-width: {wide}px }}</style>")  # on a narrow screen it scrolls, it is not squeezed
    with st.container(key="compare-heat"):
        st.plotly_chart(
            figure, key="chart-heat", alt=heat.alt(names, heads, squares, sweep.label), config=palette.CONFIG, width=wide
        )
        # in what scrolls there has to be something that the keyboard can reach
        numbers(
            "heat",
            lambda: heat.table(names, heads, squares),
            f"Differences in {sweep.label} to plain training",
            name="differences",
        )
    st.markdown(said)
    if notes := dict.fromkeys(r["note"] for r in sweep.records if r["note"]):
        st.caption(" ".join(plain(n, 300) for n in notes))


def square(record: Record | None) -> Square:
    """A cell of the heat map."""
    if record is None:
        return Square(None, why="–", full="This cannot be run.")
    found = record["difference"]
    if not found or found["mean"] is None or not math.isfinite(found["mean"]):
        why = sweep_words.STATE[record["state"]] if record["mean"] is None else "–"
        return Square(None, why=why, full=record["reason"] or sweep_words.gap(record))
    mark = heat.BETTER if found["better"] else heat.WORSE if found["worse"] else ""
    return Square(float(found["mean"]), mark, full=sweep_words.gap(record))


# ---- ranks


def ranked(sweep: Sweep) -> None:
    """The critical-difference diagram."""
    heading(
        f"Mean ranks by {sweep.label}",
        "In every cell (a dataset at a ratio) the methods are ranked, 1 the best; the potential is left out. Methods joined by a bar "
        "cannot be told apart: their mean ranks differ by less than Nemenyi's critical difference at 5%. Friedman's test asks first "
        "whether any differs.",
    )
    found = compare_over_cells(sweep.records, sweep.metric)
    if found is None:
        st.info(
            "Ranks need three methods, plain training among them, done on two cells or more. Add methods, ratios or datasets to the plan.",
            icon=":material/leaderboard:",
        )
        return
    titles = {r["method"]: r["title"] for r in sweep.records}
    shown = naming.listed([titles[name] for name in found["ranks"]])
    named = {name: shown[titles[name]] for name in found["ranks"]}
    drawn = found | {
        "ranks": {named[name]: value for name, value in found["ranks"].items()},
        "cliques": [[named[name] for name in clique] for clique in found["cliques"]],
    }
    chart(ranks.figure(drawn), "chart-ranks", ranks.alt(drawn))
    st.markdown(sweep_words.ranks(found, sweep.records))

    def table() -> pd.DataFrame:
        rows = [
            {
                "method": titles[name],
                "mean rank": round(found["ranks"][name], 2),
                "mean score": round(found["means"][name], 3),
                "best or within 0.01": found["best"][name],
                "cells": found["sets"],
            }
            for name in sorted(found["ranks"], key=found["ranks"].__getitem__)
        ]
        pairs = {q["right"]: q["p_holm"] for q in found["pairs"]}
        for name, row in zip(sorted(found["ranks"], key=found["ranks"].__getitem__), rows, strict=True):
            p = pairs.get(name)
            row["against plain training (Wilcoxon, Holm)"] = "" if p is None else p_value(p)
        return pd.DataFrame(rows)

    numbers("ranks", table, f"Mean ranks by {sweep.label} over {many(found['sets'], 'cell')}", name="ranks")


# ---- cost


def _at(sweep: Sweep) -> str:
    """The cell that is looked at; a list where there are several."""
    found = _places(sweep)
    state = st.session_state
    chosen = sweep.chosen.get("at")
    state["compare.at"] = chosen if chosen in found else next(iter(found))
    return st.selectbox(
        "Dataset and ratio",
        list(found),
        format_func=found.__getitem__,
        key="compare.at",
        on_change=_keep("at", "compare.at"),
        width=420,
    )


def quality(sweep: Sweep) -> None:
    """Score against the seconds of training, at one dataset and ratio."""
    heading(
        f"{sweep.label} against seconds of training",
        "Seconds of the whole run, all replicates, as measured on the engine's machine: they depend on what else it did. The dotted line "
        "joins methods to which nothing cheaper is equal in the mean.",
    )
    at = _at(sweep)
    own = [r for r in sweep.there if f"{r['dataset']}@{r['ratio']:g}" == at]
    points = []
    for r in own:
        if r["seconds"]:
            one = interval(r)
            points.append(
                cost.Point(r["method"], r["title"], float(r["seconds"]), one.mean, one.low, one.high, r["role"] == "oracle")
            )
    if not points:
        st.caption("These runs kept no seconds.")
        return
    chart(cost.figure(points, sweep.label), "chart-cost", cost.alt(points, sweep.label))
    there = {p.key for p in points}
    lacking = [
        r
        for r in sweep.records
        if f"{r['dataset']}@{r['ratio']:g}" == at and r["role"] != "oracle" and r["method"] not in there
    ]
    st.markdown(sweep_words.cost(points, len(lacking)))
    numbers("cost", lambda: cost.table(points), f"{sweep.label} and seconds on {place(own[0])}", name="seconds")


# ---- share


def shared(sweep: Sweep) -> None:
    """The share of the potential that each method recovers."""
    heading(
        "Share of the potential recovered",
        "What a method gains over plain training, as a share of what having the withheld rows back gains (the potential, an oracle). It is "
        "shown only where that gain has an interval above 0. Brackets: 95% Fieller intervals over paired replicates.",
    )
    own = [r for r in sweep.records if r["role"] == "method"]
    found = [
        Share(r["method"], r["title"], place(r), *(interval(r["share"]).__getattribute__(n) for n in ("mean", "low", "high")))
        for r in own
        if r["share"] and r["share"]["mean"] is not None
    ]
    without = [r for r in own if not r["share"]]
    if found:
        chart(recovered.figure(found[:LINES]), "chart-share", recovered.alt(found[:LINES]))
        if len(found) > LINES:
            st.caption(f"The picture has the first {LINES} of {len(found)} shares.")
    st.markdown(sweep_words.shares(found, len(without)))
    reasons: dict[str, list[str]] = {}
    for r in without:
        reasons.setdefault(r["share_why"], []).append(place(r))
    for why, where in reasons.items():
        at = list(dict.fromkeys(where))
        more = f" and {len(at) - 6} more" if len(at) > 6 else ""
        st.caption(f"{plain('; '.join(at[:6]), 400)}{more}: {plain(why, 300)}")
    if found:
        numbers("share", lambda: recovered.table(found), "Share of the potential recovered", name="share")


# ---- curves


def curves(sweep: Sweep) -> None:
    """Precision-recall curves of chosen cells."""
    heading(
        "Precision and recall on the test rows",
        "Rows are ranked by the network's score. Recall: the share of all positive rows among those ranked so far; precision: the share of "
        "those that are positive. The area below a curve is its average precision, AP. The bands hold 95% of the replicates' curves.",
    )
    found = _runs(sweep)
    state = st.session_state
    asked = [id for id in sweep.chosen.get("curves") or () if id in found]
    state["compare.curves"] = asked or _first_curves(sweep)
    picked = st.multiselect(
        "Cells",
        list(found),
        format_func=found.__getitem__,
        key="compare.curves",
        max_selections=CURVES,
        on_change=_keep("curves", "compare.curves"),
    )
    drawn, base = _drawn(sweep, picked, found)
    if not drawn:
        st.caption("Choose cells that keep curves.")
        return
    chart(pr.figure(drawn, base), "chart-curves", pr.alt(drawn, base))
    first, *others = [cell.spec for cell in sweep.spec.cells(sweep.catalog) if cell.id in {curve.key for curve in drawn}]
    same = all(same_test_rows(first, other) for other in others)
    within = "dataset" if sweep.spec.where == "train" else "dataset and ratio"
    st.markdown(
        "All curves are on the same test rows: the higher one is better at that recall. Read off the precision at the recall that you need."
        if same
        else f"The curves are of different test rows, with other shares of positive ones: heights compare within a {within} alone."
    )
    numbers("curves", lambda: pr.table(drawn), "Precision at a few recalls, one row a cell", name="curves")


def _first_curves(sweep: Sweep) -> list[str]:
    """The cells at the place with most of them, those of the highest ratio before others."""
    by_place: dict[tuple[str, float], list[str]] = {}
    for r in sweep.there:
        by_place.setdefault((r["dataset"], r["ratio"]), []).append(r["run"])
    best = max(by_place, key=lambda at: (len(by_place[at]), at[1]))
    return by_place[best][:CURVES]


def _drawn(sweep: Sweep, picked: Sequence[str], names: Mapping[str, str]) -> tuple[list[pr.Curve], float]:
    """The curves of these runs, and the prevalence that all have, else NaN."""
    store, owner = session.store(), session.owner()
    known = {r["run"]: r for r in sweep.there}
    methods = [known[id]["method"] for id in picked]
    places = {(known[id]["dataset"], known[id]["ratio"]) for id in picked}
    twice = len(set(methods)) < len(methods)
    pens = [pen for name, pen in palette.PENS.items() if name not in ("frozen", "beside")]
    out, prevalences = [], set()
    for i, id in enumerate(picked):
        try:
            result = store.result(id, owner)
        except BadData as error:
            st.caption(plain(error, 300))
            continue
        if result is None or "pr_recall" not in result.arrays:
            continue
        ap = result.metric(DEFAULT_METRIC)
        record = known[id]
        label = record["title"] if len(places) == 1 else names[id]
        arrays = (result.arrays["pr_recall"], np.atleast_2d(result.arrays["pr_precision"]))
        pen = pens[i % len(pens)] if twice else palette.pen(record["method"])
        out.append(pr.Curve(id, label, *arrays, ap.mean, ap.low, ap.high, record["role"] == "oracle", pen))
        prevalences.add(round(result.prevalence, 6))
    return out, prevalences.pop() if len(prevalences) == 1 else math.nan


# ---- one cell


def one_cell(sweep: Sweep) -> None:
    """A cell to take along: open it in the Lab, beside plain training, or as code."""
    found = _runs(sweep)
    if not found:
        return
    state = st.session_state
    chosen = sweep.chosen.get("cell")
    first = next((r["run"] for r in sweep.there if r["role"] == "method"), next(iter(found)))
    state["compare.cell"] = chosen if chosen in found else first
    st.markdown(
        "**Look closer at one cell**", help="Watch it train in the Lab, put it beside plain training, or take it along as code."
    )
    with st.container(horizontal=True, vertical_alignment="center", key="compare-cell"):
        id = st.selectbox(
            "One cell",
            list(found),
            format_func=found.__getitem__,
            key="compare.cell",
            on_change=_keep("cell", "compare.cell"),
            label_visibility="collapsed",
            width=380,
        )
        links.to("lab", "Open in the Lab", ":material/science:", run=id)
        own = next(r for r in sweep.there if r["run"] == id)
        base = next(
            (r for r in sweep.there if (r["dataset"], r["ratio"], r["role"]) == (own["dataset"], own["ratio"], "baseline")),
            None,
        )
        if base is not None and base["run"] != id:
            words = {**sweep.spec.to_query(), "view": "pair", "metric": sweep.metric, "run": base["run"], "beside": id}
            links.to("compare", "Beside plain training", ":material/compare:", **words)
        spec = next((c.spec for c in sweep.spec.cells(sweep.catalog) if c.id == id), None)
        if isinstance(spec, RunSpec):
            share.code(spec, sweep.catalog, "cell")


VIEWS: dict[str, Callable[[Sweep], None]] = {
    "ratio": against,
    "heat": differences,
    "ranks": ranked,
    "cost": quality,
    "share": shared,
    "curves": curves,
}
