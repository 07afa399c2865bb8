"""A paper's table as strips: a row a dataset, a column a method; a tick is printed, a dot is measured here."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from app.charts import printed
from app.charts.printed import Cell
from app.marks import draw_marks
from app.words import papers as words
from engine.spec.result import METRICS
from engine.stats.intervals import Interval

ROWS = 24
"""Rows of one picture at most, where datasets can be chosen one by one."""
TITLES = {
    "CE": "Plain", "CE, equal steps": "Equal steps", "ExplicitGradient": "Explicit gradient", "RS": "Balanced batches", "frozen": "Frozen",
    "Baseline": "Plain",
}  # fmt: skip
"""Names of the papers' rows as heads of columns."""


@dataclass(frozen=True)
class Layout:
    """Where the cells of a table stand. rows, columns: names in order; at: (row, column) -> the table's row."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    at: Mapping[tuple[str, str], Mapping[str, Any]]


def name_metric(name: str) -> str:
    """Return a measure in words."""
    return METRICS[name][0] if name in METRICS else name.replace("_", " ").capitalize()


def lay_out(rows: Sequence[Mapping[str, Any]]) -> Layout:
    """Return rows and columns of one measure's cells: a column a method, else a value of the label with the fewest values."""
    values: dict[str, list[str]] = {}
    for row in rows:
        for key, value in row["labels"].items():
            if key != "minority" and str(value) not in (known := values.setdefault(key, [])):
                known.append(str(value))
    several = {key: known for key, known in values.items() if len(known) > 1}
    across = "method" if "method" in several else min(several, key=lambda key: len(several[key]), default="method")
    places = len({row["dataset"] for row in rows}) > 1
    at: dict[tuple[str, str], Mapping[str, Any]] = {}
    for row in rows:
        rest = [_name_label(key, row["labels"][key]) for key in several if key != across and key in row["labels"]]
        name = ", ".join([*([str(row["dataset"])] if places or not rest else []), *rest])
        column = str(row["labels"].get(across, ""))
        at.setdefault((name, TITLES.get(column, words.LABELS.get(column, column))), row)
    return Layout(tuple(dict.fromkeys(r for r, _ in at)), tuple(dict.fromkeys(c for _, c in at)), at)


def _name_label(key: str, value: object) -> str:
    """Return a label of a cell; bare numbers with what they count."""
    text = words.LABELS.get(str(value), str(value))
    return f"{words.HEADS.get(key, key)} {text}" if key in ("p", "k", "digit", "real", "synthetic") else text


def choose_rows(rows: Sequence[Mapping[str, Any]]) -> tuple[str, list[Mapping[str, Any]]]:
    """Draw the choice of a measure, and of a dataset where all would be too many; return the measure and its rows."""
    state = st.session_state
    metrics = list(dict.fromkeys(r["metric"] for r in rows))
    if state.get("papers.metric") not in metrics:
        state["papers.metric"] = metrics[0]
    metric = str(state["papers.metric"])
    own = [r for r in rows if r["metric"] == metric]
    places = list(dict.fromkeys(r["dataset"] for r in own))
    many = len(lay_out(own).rows) > ROWS and len(places) > 1
    if len(metrics) > 1 or many:
        with st.container(horizontal=True, vertical_alignment="center", key="papers-choice"):
            if len(metrics) > 1:
                st.segmented_control(
                    words.METRIC,
                    metrics,
                    format_func=name_metric,
                    key="papers.metric",
                    required=True,
                    label_visibility="collapsed",
                )
            if many:
                if state.get("papers.place") not in places:
                    state["papers.place"] = next((r["dataset"] for r in own if r["ours"]), places[0])
                place = st.selectbox(words.DATASET, places, key="papers.place", label_visibility="collapsed", width=260)
                own = [r for r in own if r["dataset"] == place]
    return metric, own


def draw_cells(rows: Sequence[Mapping[str, Any]], here: Collection[str]) -> None:
    """Draw the strips. here: ids of runs that this store has."""
    metric, own = choose_rows(rows)
    if not own:
        st.caption(words.NO_CELL)
        return
    layout = lay_out(own)
    cells = {at: make_cell(row, f"{at[0]}, {at[1]}", here) for at, row in layout.at.items()}
    title = words.STRIPS.format(metric=name_metric(metric))

    def press(run: str) -> None:
        st.session_state["papers.open"] = run

    draw_marks(
        printed.draw_strips(layout.rows, layout.columns, cells, title, words.PRINTED, words.HERE_INTERVAL),
        key="papers-strips",
        pressed=press,
    )
    if any(cell.press for cell in cells.values()):
        st.caption(words.PRESS)


def make_cell(row: Mapping[str, Any], name: str, here: Collection[str]) -> Cell:
    """Return a cell as it is drawn. name: first line of its words."""
    found, ours = row["ours"], None
    if found is not None and found["mean"] is not None:
        ends = [float("nan") if found[end] is None else float(found[end]) for end in ("mean", "low", "high")]
        ours = Interval(*ends, int(found["n"]), str(found["interval"]))
    run = next((id for id in row["runs"] if id in here), "")
    lines = [name, printed.describe(row["published"], ours)]
    if row["mark"]:
        lines.append(words.MARK.format(reason=row["mark"]))
    return Cell(row["published"], ours, "\n".join(line for line in lines if line), run)
