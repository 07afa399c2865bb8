"""Compare's view of every number: a row a run, and the whole sweep as a file, a table and code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app.parts import share
from app.views.compare import sweep_words
from app.views.compare.context import Context, View
from app.views.compare.sweep_words import Record, describe_state, read_interval, shorten
from app.words import compare as words
from app.words import naming
from app.words.text import format_count, format_ratio
from engine.report import ReportRequest, write_report
from engine.stats.intervals import Interval
from engine.stats.verdict import format_change

PIECE = View(7, "Numbers", needs=("records",))
HEIGHT = 560
"""Pixels of the table."""


def draw(context: Context) -> None:
    """Draw the table of all runs, and what can be taken along."""
    records, spec = list(context.records or ()), context.spec
    if spec is None:
        return
    request = ReportRequest(context.catalog, given={"spec": spec, "records": records, "metric": context.metric})
    cells = format_count(len(sweep_words.list_tested(records)), "cell")
    st.caption(words.NUMBERS_NOTE.format(metric=context.label, cells=cells), help=words.SHARE_HELP)
    frame = make_frame(records)
    st.dataframe(frame, hide_index=True, height=min(HEIGHT, 36 * (len(frame) + 1) + 3), alt=f"{context.label} of every run")
    with st.container(horizontal=True, vertical_alignment="top", key="compare-export"):
        st.download_button(
            words.REPORT,
            lambda: write_report("sweep", request).encode("utf-8", "replace"),  # made when it is pressed
            "sweep.html",
            "text/html",
            key="compare.report",
            icon=":material/description:",
            on_click="ignore",
            help=words.REPORT_HELP,
        )
        share.offer_table(
            lambda: flatten_records(records, context.metric), "sweep", "sweep", f"{context.label}, one row a cell"
        )
        share.offer_sweep_code(spec, context.metric, "sweep")


def make_frame(records: Sequence[Record]) -> pd.DataFrame:
    """Return a row a run, as it is shown."""
    rows = []
    for r in records:
        one, gap, part = read_interval(r), read_interval(r["difference"]), read_interval(r["share"])
        p = (r["difference"] or {}).get("p_holm")
        row = {
            "dataset": naming.format_cell(r["dataset_title"]),
            "ratio": format_ratio(r["ratio"]),
            "method": naming.format_cell(r["title"]),
            "state": "" if r["mean"] is not None else naming.format_cell(describe_state(r)),
            "mean": _write(one.mean),
            "interval": _write_ends(one.low, one.high),
            "difference": _write(gap.mean, sign=True),
            "between": _write_ends(gap.low, gap.high, sign=True),
            "p": "" if p is None else shorten(f"{p:.2g}"),
            "share": _write_share(part),
            "seconds": "" if r["seconds"] is None else f"{r['seconds']:.3g}",
            "n": str(r["n"] or ""),
        }
        rows.append({words.COLUMNS[name]: value for name, value in row.items()})
    frame = pd.DataFrame(rows, columns=list(words.COLUMNS.values()))
    return frame if (frame[words.COLUMNS["state"]] != "").any() else frame.drop(columns=words.COLUMNS["state"])


def _write(value: float, *, sign: bool = False) -> str:
    """Return '.612', with its sign where it is a difference; '' for NaN."""
    return "" if value != value else format_change(value) if sign else format_change(value).removeprefix("+")


def _write_ends(low: float, high: float, *, sign: bool = False) -> str:
    return "" if low != low or high != high else words.TO.format(low=_write(low, sign=sign), high=_write(high, sign=sign))


def _write_share(one: Interval) -> str:
    """Return '43%, 12% to 71%'; '' for NaN."""
    if one.mean != one.mean:
        return ""
    mean, low, high = (f"{100 * v:.0f}%".replace("-", "\N{MINUS SIGN}") for v in (one.mean, one.low, one.high))
    return f"{mean}, {words.TO.format(low=low, high=high)}" if one.low == one.low else mean


def flatten_records(records: Sequence[Mapping[str, Any]], metric: str) -> list[dict[str, Any]]:
    """Return records as rows of a table: a difference and a share have one column for each of their numbers."""
    parts = {"difference": ("mean", "low", "high", "p", "p_holm"), "share": ("mean", "low", "high")}
    out = []
    for r in records:
        row = {name: r[name] for name in ("dataset", "method", "ratio", "role", "run", "state", "n")}
        row |= {"metric": metric} | {name: r[name] for name in ("mean", "low", "high", "seconds")}
        for part, names in parts.items():
            values = r[part] or {}
            row |= {part if name == "mean" else f"{part}_{name}": values.get(name) for name in names}
        out.append(row | {"reason": r["reason"]})
    return out
