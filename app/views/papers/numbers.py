"""A paper's table cell by cell in numbers: printed, measured here, and the runs behind a cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app.frame import links
from app.parts import share
from app.views.papers import measuring
from app.views.papers.cells import choose_rows, name_metric
from app.words import papers as words
from app.words.text import escape, format_count
from engine.errors import UnknownName
from engine.stats.verdict import format_change
from engine.store import Store

PICKED = 6
"""Chosen cells whose runs are listed at most."""
EXACT = 1e-9
"""Values of the same run differ by no more than this where processor and torch are the same."""
HEIGHT = 560
"""Pixels of the table."""


def draw_numbers(rows: Sequence[Mapping[str, Any]], store: Store, mine: Mapping[str, Any] | None, lab: bool) -> None:
    """Draw the table of one measure, and the runs of those cells that are chosen.

    mine: this lab's measurements, None without; lab: `rows` are those.
    """
    metric, shown = choose_rows(rows)
    if not shown:
        st.caption(words.NO_CELL)
        return
    frame = make_frame(shown, mine, lab)
    alt = f"{name_metric(metric)}: printed, measured here, and what one says of the other"
    st.caption(words.NUMBERS_NOTE)
    picked = st.dataframe(
        frame,
        hide_index=True,
        key=f"papers-cells-{metric}-{len(shown)}",
        on_select="rerun",
        selection_mode="multi-row",  # a single one cannot be chosen by keyboard
        alt=alt,
        height=min(HEIGHT, 36 * len(frame) + 39),
    )
    share.offer_table(frame, "cells", "papers-cells", alt)
    marks = sorted({r["mark"] for r in shown if r["mark"]})
    for reason in marks[:2]:
        st.caption(escape(words.MARK.format(reason=reason), 300))
    chosen = picked["selection"]["rows"]
    for i in chosen[:PICKED]:
        draw_runs(shown[i], store, measuring.find_row(mine, shown[i]), bool(mine and mine["other"]))
    if not chosen:
        st.caption(words.CHOOSE_ROWS)


def make_frame(rows: Sequence[Mapping[str, Any]], mine: Mapping[str, Any] | None, lab: bool) -> pd.DataFrame:
    """Return one line a cell, all text, so that a number stands with its interval. Arguments as in `draw_numbers`."""
    labels = list(dict.fromkeys(k for r in rows for k in r["labels"]))
    heads, out = words.HEADS, []
    for r in rows:
        ours = r["ours"]
        line = {words.DATASET.lower(): r["dataset"]}
        line |= {heads.get(k, k): words.LABELS.get(value := str(r["labels"].get(k, "")), value) for k in labels}
        line[heads["printed"]] = "" if r["published"] is None else f"{_write(r['published'])}{' ✱' if r['mark'] else ''}"
        if not lab:
            line |= {heads["here"]: _write_mean(ours), heads["interval"]: _write_ends(ours), heads["n"]: _write_n(ours)}
        if mine is not None:
            found = measuring.find_row(mine, r)
            own = None if found is None else found["ours"]
            line |= {heads["lab"]: _write_mean(own), heads["lab_interval"]: _write_ends(own), heads["lab_n"]: _write_n(own)}
        line[heads["verdict"]] = r["verdict"] + (f": {r['reason']}" if r["reason"] else "")
        out.append(line)
    return pd.DataFrame(out)


def _write(value: float) -> str:
    """Return '.9106', '12.31': four digits, as the papers print them."""
    return f"{value:.4f}".replace("0.", ".", 1) if 0 <= value < 1 else f"{value:.4f}".replace("-", "\N{MINUS SIGN}")


def _write_mean(ours: Mapping[str, Any] | None) -> str:
    return "" if ours is None or ours["mean"] is None else _write(ours["mean"])


def _write_ends(ours: Mapping[str, Any] | None) -> str:
    if ours is None or ours["low"] is None or ours["high"] is None:
        return ""
    return words.TO.format(low=_write(ours["low"]), high=_write(ours["high"]))


def _write_n(ours: Mapping[str, Any] | None) -> str:
    return "" if ours is None else str(ours["n"])


def draw_runs(row: Mapping[str, Any], store: Store, lab_row: Mapping[str, Any] | None = None, other: bool = False) -> None:
    """Draw the replicates of a cell, and links to those of its runs that this store has.

    lab_row: the cell as this lab measured it, None where it did not; other: by another protocol.
    """
    if row["ours"] is None and lab_row is None:
        st.caption(escape(words.NOT_YET.format(reason=row["reason"]), 300))
        return
    best = lab_row or row
    name = ", ".join([str(row["dataset"]), *map(str, row["labels"].values())])
    st.markdown(
        words.CELL.format(name=escape(name, 200), replicates=format_count(len(best["values"]), "replicate")),
        help=escape(best["ours"]["interval"], 200),
    )
    for whose, one in (("", row), (words.IN_THIS_LAB, lab_row)):
        if one is not None and one["ours"] is not None and (one is not lab_row or row["values"] != lab_row["values"]):
            st.caption(whose) if whose else None
            st.code(", ".join(f"{v:.4f}" for v in one["values"] if v is not None), language=None, wrap_lines=True)
    if lab_row is not None and row is not lab_row and row["ours"] is not None:
        st.caption(words.OTHER_PROTOCOL if other else _compare_values(row, lab_row))
    there = list_here([*(lab_row["runs"] if lab_row else []), *row["runs"]], store)
    if not there:
        st.caption(words.RUNS_ABSENT)
        return
    with st.container(horizontal=True):
        for i, id in enumerate(there[:5], 1):
            links.draw_link("lab", words.OPEN_RUN.format(number=i), ":material/science:", run=id)
    if len(there) > 5:
        st.caption(words.FIRST_RUNS.format(shown=5, count=len(there)))


def list_here(ids: Sequence[str], store: Store) -> list[str]:
    """Return those of these runs that the store has, each once."""
    there = []
    for id in dict.fromkeys(ids):
        try:
            store.job(id)
        except UnknownName:
            continue
        there.append(id)
    return there


def _compare_values(row: Mapping[str, Any], lab_row: Mapping[str, Any]) -> str:
    """Return how this lab's values differ from the shipped ones, in a sentence."""
    if row["runs"] != lab_row["runs"]:
        inside = row["ours"]["low"] is not None and row["ours"]["low"] <= lab_row["ours"]["mean"] <= row["ours"]["high"]
        return words.OTHER_RUNS.format(where=words.INSIDE if inside else words.OUTSIDE)
    off = [abs(a - b) for a, b in zip(row["values"], lab_row["values"], strict=True) if a is not None and b is not None]
    largest = max(off, default=0.0)
    return (
        words.EQUAL
        if largest <= EXACT
        else words.APART.format(most=format_change(largest).removeprefix("+") if largest >= 0.001 else f"{largest:.2g}")
    )
