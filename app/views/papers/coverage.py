"""The simulated coverage of the intervals of one split."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.charts import printed
from app.charts.printed import Covered
from app.marks import draw_marks
from app.words import papers as words
from app.words.text import escape, format_count
from engine.errors import BadData
from engine.papers import coverage
from engine.stats.intervals import Interval


def draw_coverage() -> None:
    """Draw how often each interval holds the true value, at a number of positive test rows."""
    try:
        table = coverage.read_coverage()
    except BadData as error:
        st.error(escape(error, 400), icon=":material/error:")
        return
    if table is None:
        st.caption(words.COVERAGE_NONE)
        st.code(words.COVERAGE_COMMAND, language="bash")
        return
    counts = sorted({row["positives"] for row in table["rows"]})
    positives = st.segmented_control(
        words.COVERAGE_POSITIVES, counts, default=counts[len(counts) // 2], key="papers.positives", required=True
    )
    n = int(table["provenance"]["n"])
    rows = make_rows(table, positives, n)
    st.caption(words.COVERAGE_NOTE.format(n=f"{n:,}", positives=format_count(positives, "positive row")))
    draw_marks(printed.draw_coverage(rows), key="papers-coverage")
    st.caption(words.COVERAGE_FILLED)


def make_rows(table: Mapping[str, Any], positives: int, n: int) -> list[Covered]:
    """Return a row an interval: its coverage, the mean over the true values. n: simulated sets of each."""
    out = []
    for way, title in table["ways"].items():
        found = [row for row in table["rows"] if row["way"] == way and row["positives"] == positives]
        if not found:
            continue
        share = sum(row["covered"] for row in found) / len(found)
        width = sum(row["width"] for row in found) / len(found)
        sets = n * len(found)
        half = 1.96 * math.sqrt(max(share * (1 - share), 1e-6) / sets)
        one = Interval(share, share - half, min(1.0, share + half), sets, "")
        used = way == table["used"]
        tip = words.COVERAGE_TIP.format(
            covered=f"{share * sets:,.0f}", n=f"{sets:,}", width=f"{width:.2f}".replace("0.", ".", 1)
        )
        out.append(Covered(f"{title}, {words.COVERAGE_USED}" if used else title, one, used, tip))
    return out
