"""Compare's view of paired differences to plain training: a column a dataset, a row a method."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.charts import differences
from app.charts.differences import Column, Spot
from app.marks import draw_marks
from app.views.compare import sweep_words
from app.views.compare.context import Context, View, open_view
from app.views.compare.sweep_words import Record, read_interval
from app.words import compare as words
from app.words.text import escape, format_count, format_ratio
from engine.spec import limits
from engine.stats.intervals import Interval

PIECE = View(1, "Differences", needs=("records",))
PAIR = "pair"
"""The view that a press on a dot opens."""


def draw(context: Context) -> None:
    """Draw a dot and its interval for every method, dataset and ratio."""
    records = list(context.records or ())
    methods = list(dict.fromkeys((r["method"], r["title"]) for r in records if r["role"] == "method"))
    if not methods:
        st.info(words.NO_METHOD, icon=":material/add:")
        return
    held = sweep_words.hold_intervals(records)
    plain = {(r["dataset"], r["ratio"]): r["run"] for r in records if r["role"] == "baseline" and r["mean"] is not None}
    metric = context.label[0].lower() + context.label[1:] if context.label[1:2].islower() else context.label
    note = words.DIFFERENCE.format(plain=words.PLAIN, metric=metric, cells=format_count(len(held), "cell"))
    if not held:
        note = words.DIFFERENCE_UNTESTED.format(plain=words.PLAIN, metric=metric)
    html = differences.draw(
        methods, list_ratios(records, context), make_columns(records, held, plain, context), note, words.PRESS
    )
    partner = {r["run"]: plain[r["dataset"], r["ratio"]] for r in records if (r["dataset"], r["ratio"]) in plain}

    def press(run: str) -> None:
        if run in partner:
            open_view(PAIR, run=partner[run], beside=run)

    draw_marks(html, key="compare-differences", pressed=press)
    if notes := dict.fromkeys(r["note"] for r in records if r["note"]):
        st.caption(" ".join(escape(n, 300) for n in notes))


def list_ratios(records: Sequence[Record], context: Context) -> list[str]:
    """Return the labels of the rows of a method: the plan's ratios, and 'natural' for sets with a share of their own."""
    own = {d["name"] for d in context.catalog["datasets"] if d.get("parts")}
    values = sorted({r["ratio"] for r in records if r["dataset"] not in own})
    return [*map(format_ratio, values), *([words.NATURAL] if any(r["dataset"] in own for r in records) else [])]


def make_columns(
    records: Sequence[Record],
    held: Mapping[str, tuple[Interval, float]],
    plain: Mapping[tuple[str, float], str],
    context: Context,
) -> list[Column]:
    """Return a column a dataset. held: `sweep_words.hold_intervals`; plain: run of plain training by dataset and ratio."""
    entries = {d["name"]: d for d in context.catalog["datasets"]}
    out = []
    for name, of_dataset in sweep_words.group_places(records).items():
        entry: Mapping[str, Any] = entries[name]
        spots = {
            (r["method"], words.NATURAL if entry.get("parts") else format_ratio(r["ratio"])): make_spot(
                r, held, plain, context.label
            )
            for r in of_dataset
            if r["role"] == "method"
        }
        rows = format_count(sum(limits.class_counts(entry, {})), words.ROWS)
        out.append(Column(name, of_dataset[0]["dataset_title"], rows, spots))
    return out


def make_spot(
    record: Record, held: Mapping[str, tuple[Interval, float]], plain: Mapping[tuple[str, float], str], metric: str
) -> Spot:
    """Return a cell of the picture. Arguments as in `make_columns`; metric: its label."""
    tip = sweep_words.describe_difference(record, held, metric)
    difference = record["difference"]
    state = {"queued": "waits"}.get(record["state"], record["state"])
    if record["mean"] is None or not difference or difference["mean"] is None or not math.isfinite(difference["mean"]):
        return Spot(state, tip=tip)
    one = held[record["run"]][0] if record["run"] in held else read_interval(difference, int(difference["n"]))
    better = True if difference["better"] else False if difference["worse"] else None
    press = record["run"] if (record["dataset"], record["ratio"]) in plain else ""
    return Spot("done", one, better, tip, press)
