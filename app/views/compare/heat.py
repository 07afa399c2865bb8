"""Compare's view of differences to plain training, as a heat map."""

from __future__ import annotations

import math

import streamlit as st

from app.charts import heat, palette
from app.charts.heat import Square
from app.parts import size
from app.parts.elements import draw_heading, draw_numbers
from app.session.figures import paint_figure
from app.views.compare import sweep_words
from app.views.compare.context import Context, View
from app.views.compare.sweep_words import Record
from app.words.text import escape, format_ratio

PIECE = View(2, "Differences", needs=("records",))


def draw(context: Context) -> None:
    """Draw the heat map of differences to plain training."""
    draw_heading(
        f"Difference in {context.label} to plain training",
        f"{heat.BETTER}: better, {heat.WORSE}: worse, after Holm's correction; no mark: not told apart. "
        f"{sweep_words.describe_correction(context.records)}",
    )
    methods = dict.fromkeys((r["method"], r["title"]) for r in context.records if r["role"] == "method")
    columns = dict.fromkeys((r["dataset"], r["dataset_title"], r["ratio"]) for r in context.records)
    if not methods:
        st.caption("The plan has plain training and the potential alone: choose a method to compare with it.")
        return
    at = {(r["method"], r["dataset"], r["ratio"]): r for r in context.records}
    squares = [[make_square(at.get((m, d, v))) for d, _, v in columns] for m, _ in methods]
    names = [title for _, title in methods]
    heads = [(title, format_ratio(value)) for _, title, value in columns]
    figure = size.fit_figure(heat.figure(names, heads, squares))
    wide = int(figure.layout.width)
    meaning = sweep_words.describe_heat(context.records)
    st.html(f"<style>.st-key-chart-heat {{ min-width: {wide}px }}</style>")  # a narrow screen scrolls it
    with st.container(key="compare-heat"):
        st.plotly_chart(
            paint_figure(figure, st.context.theme.type == "dark"),
            key="chart-heat",
            alt=heat.alt(names, heads, squares, context.label),
            config=palette.CONFIG,
            width=wide,
        )
        # a region that scrolls needs an element that the keyboard can reach
        draw_numbers(
            "heat",
            lambda: heat.table(names, heads, squares),
            f"Differences in {context.label} to plain training",
            name="differences",
        )
    st.markdown(meaning)
    if notes := dict.fromkeys(r["note"] for r in context.records if r["note"]):
        st.caption(" ".join(escape(n, 300) for n in notes))


def make_square(record: Record | None) -> Square:
    """Return a cell of the heat map."""
    if record is None:
        return Square(None, why="–", full="This cannot be run.")
    difference = record["difference"]
    if not difference or difference["mean"] is None or not math.isfinite(difference["mean"]):
        why = sweep_words.STATE[record["state"]] if record["mean"] is None else "–"
        return Square(None, why=why, full=record["reason"] or sweep_words.describe_difference(record))
    mark = heat.BETTER if difference["better"] else heat.WORSE if difference["worse"] else ""
    return Square(float(difference["mean"]), mark, full=sweep_words.describe_difference(record))
