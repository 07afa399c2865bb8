"""A paper's table cell by cell: printed, measured here, and the runs behind a cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app.charts import cells
from app.frame import links
from app.parts import share
from app.parts.elements import draw_chart, draw_heading
from app.views.papers import measuring
from app.words.text import escape, format_count
from engine.errors import UnknownName
from engine.spec.result import METRICS
from engine.store import Store

PICKED = 6
"""Chosen cells whose runs are listed at most."""
LABELS = {"mnr": "minority (mnr)", "mjr": "majority (mjr)"}
HEADS = {"p": "share removed (p)", "k": "neighbours (k)", "minority": "loses rows"}
EXACT = 1e-9
"""Values of the same run differ by no more than this where processor and torch are the same."""
LINES = 40
"""Cells in the picture at most; the table below has all."""


def _name_cell(row: Mapping[str, Any]) -> list[str]:
    """Return the labels of a cell of one dataset; bare numbers with what they count."""
    return [f"{k} {v}" if k in ("p", "k", "digit") else str(v) for k, v in row["labels"].items() if k != "minority"]


def draw_cells(rows: Sequence[Mapping[str, Any]], store: Store, mine: Mapping[str, Any] | None, lab: bool) -> None:
    """Draw a picture of one metric's cells, the table of all, and the runs of those that are chosen.

    mine: this lab's measurements, None without; lab: `rows` are those.
    """
    draw_heading(
        "Cell by cell",
        "A printed number is inside, above or below the central 95% of our single-split values where the protocols are the same; "
        "elsewhere it is not comparable, and says why.",
    )
    metrics = list(dict.fromkeys(r["metric"] for r in rows))
    places = list(dict.fromkeys(r["dataset"] for r in rows))
    left, right = st.columns(2)
    if st.session_state.get("papers.metric") not in metrics:
        st.session_state["papers.metric"] = metrics[0]
    with left:
        metric = st.segmented_control("Metric", metrics, format_func=_name_metric, key="papers.metric", required=True)
    with right:
        if st.session_state.get("papers.place") not in places:
            st.session_state["papers.place"] = next((r["dataset"] for r in rows if r["ours"]), places[0])
        place = st.selectbox("Dataset", places, key="papers.place")
    shown = [r for r in rows if r["metric"] == metric and r["dataset"] == place]
    if not shown:
        st.caption("The paper and the protocol have no such cell.")
        return
    lines = [_make_line(r) for r in shown[:LINES]]
    if any(line.mean is not None or line.published is not None for line in lines):
        draw_chart(cells.figure(lines, _name_metric(metric)), "chart-papers-cells", cells.alt(lines, _name_metric(metric)))
    if len(shown) > LINES:
        st.caption(f"The picture has the first {LINES} of {len(shown)} cells.")
    frame, alt = (
        _make_frame(shown, mine, lab),
        f"{_name_metric(metric)} on {place}: printed, measured here, and what one says of the other",
    )
    picked = st.dataframe(
        frame,
        hide_index=True,
        key=f"papers-cells-{metric}-{places.index(place)}",
        on_select="rerun",
        selection_mode="multi-row",  # a single one cannot be chosen by keyboard
        alt=alt,
    )
    share.offer_table(frame, "cells", "papers-cells", alt)
    marks = sorted({r["mark"] for r in shown if r["mark"]})
    if marks:
        st.caption(f"✱ {escape(marks[0], 300)}" + (f" (and {len(marks) - 1} other reasons)" if len(marks) > 1 else ""))
    chosen = picked["selection"]["rows"]
    for i in chosen[:PICKED]:
        draw_runs(shown[i], store, measuring.find_row(mine, shown[i]), bool(mine and mine["other"]))
    if not chosen:
        st.caption("Choose rows to see their replicates and open their runs.")


def _name_metric(name: str) -> str:
    return METRICS[name][0] if name in METRICS else name.replace("_", " ")


def _make_line(row: Mapping[str, Any]) -> cells.Line:
    ours = row["ours"] or {}
    name = ", ".join(_name_cell(row)) or row["dataset"]
    return cells.Line(name, ours.get("mean"), ours.get("low"), ours.get("high"), row["published"])


def _make_frame(rows: Sequence[Mapping[str, Any]], mine: Mapping[str, Any] | None, lab: bool) -> pd.DataFrame:
    """Return one line a cell, all text, so that a number stands with its interval. Arguments as in `draw_cells`."""
    labels = list(dict.fromkeys(k for r in rows for k in r["labels"]))
    protocol = "" if mine is None or not mine["other"] else " (reduced)" if mine["reduced"] else " (full)"
    out = []
    for r in rows:
        ours = r["ours"]
        line = {HEADS.get(k, k): LABELS.get(value := str(r["labels"].get(k, "")), value) for k in labels}
        line["printed"] = "" if r["published"] is None else f"{r['published']:.4f}{' ✱' if r['mark'] else ''}"
        if not lab:
            line["here"] = "" if ours is None else f"{ours['mean']:.4f}{_format_bounds(ours)}"
            line["n"] = "" if ours is None else str(ours["n"])
        if mine is not None:
            lab_row = measuring.find_row(mine, r)
            line[f"in this lab{protocol}"] = (
                "" if lab_row is None else f"{lab_row['ours']['mean']:.4f}{_format_bounds(lab_row['ours'])}"
            )
            line["n, this lab"] = "" if lab_row is None else str(lab_row["ours"]["n"])
        line["the printed number is"] = r["verdict"] + (f": {r['reason']}" if r["reason"] else "")
        out.append(line)
    return pd.DataFrame(out)


def _format_bounds(ours: Mapping[str, Any]) -> str:
    return "" if ours["low"] is None else f" [{ours['low']:.4f}, {ours['high']:.4f}]"


def draw_runs(row: Mapping[str, Any], store: Store, lab_row: Mapping[str, Any] | None = None, other: bool = False) -> None:
    """Draw the replicates of a cell, and links to those of its runs that this store has.

    lab_row: the cell as this lab measured it, None where it did not; other: by another protocol.
    """
    if row["ours"] is None and lab_row is None:
        st.caption(f"Not measured here yet: {escape(row['reason'], 300)}.")
        return
    best = lab_row or row
    name = ", ".join([row["dataset"], *_name_cell(row)])
    st.markdown(
        f"**{escape(name, 200)}**: {format_count(len(best['values']), 'replicate')} · {escape(best['ours']['interval'], 160)}"
    )
    for whose, one in (("", row), ("In this lab: ", lab_row)):
        if one is not None and one["ours"] is not None and (one is not lab_row or row["values"] != lab_row["values"]):
            st.caption(whose) if whose else None
            st.code(", ".join(f"{v:.4f}" for v in one["values"] if v is not None), language=None, wrap_lines=True)
    if lab_row is not None and row is not lab_row and row["ours"] is not None:
        st.caption(
            "Another protocol than the shipped one: the two say nothing of each other."
            if other
            else _compare_values(row, lab_row)
        )
    there = []
    for id in dict.fromkeys([*(lab_row["runs"] if lab_row else []), *row["runs"]]):
        try:
            store.job(id)
        except UnknownName:
            continue
        there.append(id)
    if there:
        with st.container(horizontal=True):
            for i, id in enumerate(there[:5], 1):
                links.draw_link("lab", f"Open run {i} in the Lab", ":material/science:", run=id)
        if len(there) > 5:
            st.caption(f"The first 5 of {len(there)} runs.")
    else:
        st.caption("Its runs are not in this store: measure them above.")


def _compare_values(row: Mapping[str, Any], lab_row: Mapping[str, Any]) -> str:
    """Return how this lab's values differ from the shipped ones, in a sentence."""
    if row["runs"] != lab_row["runs"]:
        inside = row["ours"]["low"] is not None and row["ours"]["low"] <= lab_row["ours"]["mean"] <= row["ours"]["high"]
        return f"Not all of them are the shipped runs; this lab's mean is {'inside' if inside else 'outside'} the shipped interval."
    off = [abs(a - b) for a, b in zip(row["values"], lab_row["values"], strict=True) if a is not None and b is not None]
    largest = max(off, default=0.0)
    return (
        "Equal to the shipped values to 1e-9."
        if largest <= EXACT
        else f"Apart from the shipped values by at most {largest:.2g}."
    )
