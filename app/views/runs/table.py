"""The list of runs as one table: a row a run, its score as a picture of its interval and as a number. Ticked rows are chosen."""

from __future__ import annotations

import hashlib
import math
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import streamlit as st

from app.charts import palette
from app.parts import share
from app.run import listing
from app.views.runs.filters import PAGE, USUAL, RunsQuery, go_to_page, offer_everything
from app.words import runs as words
from app.words.naming import format_cell
from app.words.text import format_score
from engine.spec.result import DEFAULT_METRIC, METRICS
from engine.stats.intervals import find_open_end
from engine.store.library import Row

HIGH, ROWS = 52, 10
"""Pixels of a row, and rows that are seen at a time."""
HEADER = 36
"""Pixels of the table's headings."""
NARROW = 68
"""Pixels of a row of two lines; Streamlit wraps text in rows of more than 64."""
_WIDE, _HIGH = 184, 44
"""Pixels of the picture of an interval."""
_ACCENT = ("#00644B", "#3CC79A")
_COUNTER, CHOSEN = "runs.table.count", "runs.chosen"


def draw_table(
    rows: Sequence[Row], total: int, last: int, query: RunsQuery, known: Mapping[str, str], catalog: Mapping[str, Any]
) -> None:
    """Draw the rows of this page of the list, and the way to the others."""
    if not total:
        with st.container(key="runs-none"):
            if query == RunsQuery(**USUAL):
                st.info(words.EMPTY, icon=":material/inbox:")
            else:
                st.info(words.NO_MATCH, icon=":material/search_off:")
                offer_everything()
        return
    frame = make_frame(rows, known, catalog, dark=st.context.theme.type == "dark")
    ids = [row.id for row in rows]
    kinds = sorted({str(row.score["interval"]) for row in rows if row.score is not None})
    with st.container(key="runs-wide"):
        _draw_wide(frame, ids, kinds)
    with st.container(key="runs-narrow"):
        _draw_narrow(frame, ids)
    first = (query.page - 1) * PAGE
    with st.container(horizontal=True, vertical_alignment="center", key="runs-pages"):
        shown = words.SHOWN.format(first=f"{first + 1:,}", last=f"{first + len(rows):,}", total=f"{total:,}")
        st.caption(shown, width="stretch")
        if last > 1:
            _draw_pages(query.page, last)
        with st.popover(words.WHO, type="tertiary", key="runs-who"):
            st.markdown("\n".join(f"- {text}" for text in words.WHO_ALL))
    if kinds:
        share.offer_table(
            lambda: listing.list_scores(rows, known),
            "runs",
            "runs",
            words.COPY_CAPTION.format(kinds="; ".join(kinds)),
            download=not any(
                row.bookmark.name or row.job is not None and row.job.owner is not None for row in rows
            ),  # one's own
            text=listing.WORDY,
        )


def _draw_wide(frame: pd.DataFrame, ids: list[str], kinds: Sequence[str]) -> None:
    title, column = words.COLUMNS, st.column_config
    plot_help = words.PLOT_HELP_KINDS.format(kinds="; ".join(kinds)) if kinds else words.PLOT_HELP
    _draw_frame(
        frame[[*title]],
        ids,
        "wide",
        height=HEADER + HIGH * min(ROWS, len(ids)) + 2,
        row_height=HIGH,
        column_config={
            "when": column.DatetimeColumn(title["when"], format="distance", width=112),
            "data": column.TextColumn(title["data"], width=160),
            "ratio": column.TextColumn(title["ratio"], width=76),
            "method": column.TextColumn(title["method"], width=196),
            "plot": column.ImageColumn(title["plot"], width=200, help=plot_help),
            "number": column.TextColumn(title["number"], width=56),
            "state": column.TextColumn(title["state"], width=104),
            "name": column.TextColumn(title["name"], width=112),
            "pin": column.TextColumn(title["pin"], width=48, alignment="center"),
        },
    )


def _draw_narrow(frame: pd.DataFrame, ids: list[str]) -> None:
    """Draw the same rows in two lines each, for a narrow window."""
    column = st.column_config
    _draw_frame(
        frame[["lines", "pin"]],
        ids,
        "narrow",
        height=HEADER + NARROW * min(ROWS - 2, len(ids)) + 2,
        row_height=NARROW,
        column_config={
            "lines": column.TextColumn(words.RUN, width=270),
            "pin": column.TextColumn("", width=30, alignment="center"),
        },
    )


def _draw_frame(frame: pd.DataFrame, ids: list[str], kind: str, **settings: Any) -> None:
    """Draw a table whose ticked rows are the chosen ones. A list of other rows is another table, so that no tick moves to another run."""
    chosen = st.session_state[CHOSEN]
    mark = hashlib.sha256(" ".join(ids).encode()).hexdigest()[:10]
    key = f"runs.table.{kind}.{st.session_state.get(_COUNTER, 0)}.{mark}"
    st.dataframe(
        frame,
        hide_index=True,
        key=key,
        on_select=lambda: _take_ticks(key, ids),
        selection_mode="multi-row",
        selection_default={"selection": {"rows": [i for i, id in enumerate(ids) if id in chosen]}},
        placeholder="",
        alt=words.ALT.format(columns=", ".join(words.COLUMNS.values())),
        **settings,
    )


def _take_ticks(key: str, ids: Sequence[str]) -> None:
    """Make the ticked rows the chosen ones; those of other pages of the list stay."""
    state = st.session_state
    ticked = [ids[i] for i in state[key]["selection"]["rows"] if i < len(ids)]
    state[CHOSEN] = [*(id for id in state[CHOSEN] if id not in ids), *ticked]
    drop_question()


def choose_none() -> None:
    """Choose no row."""
    st.session_state[CHOSEN] = []
    reset_ticks()
    drop_question()


def reset_ticks() -> None:
    """Make the table show the chosen rows anew."""
    st.session_state[_COUNTER] = st.session_state.get(_COUNTER, 0) + 1


def drop_question() -> None:
    """Drop the question whether to delete: the choice has changed."""
    st.session_state.pop("runs.asking", None)


def _draw_pages(now: int, last: int) -> None:
    """Draw buttons to the page before and after."""
    for word, to, icon, key in (
        (words.BEFORE, now - 1, ":material/chevron_left:", "runs.before.page"),
        (words.NEXT, now + 1, ":material/chevron_right:", "runs.next.page"),
    ):
        st.button(word, key=key, icon=icon, disabled=not 1 <= to <= last, on_click=go_to_page, args=(to,))
        if to < now:
            st.markdown(words.PAGE.format(page=f"{now:,}", last=f"{last:,}"), width="content")


# ---- its cells


def make_frame(rows: Sequence[Row], known: Mapping[str, str], catalog: Mapping[str, Any], *, dark: bool) -> pd.DataFrame:
    """Return the rows with a column for each of `words.COLUMNS`, and `lines`: all of it as one text. Its index are the rows' ids."""
    records = [make_record(row, known, catalog, dark=dark) for row in rows]
    return pd.DataFrame(records, columns=[*words.COLUMNS, "lines"], index=[row.id for row in rows])


def make_record(row: Row, known: Mapping[str, str], catalog: Mapping[str, Any], *, dark: bool) -> dict[str, Any]:
    """Return the cells of a row: text, its time, and its interval as the address of a picture."""
    cells = {name: format_cell(text) for name, text in listing.list_cells(row, known, catalog).items()}
    number, plot = "", None
    if row.score is not None and row.score["mean"] is not None:
        number = format_score(float(row.score["mean"]))
        plot = draw_interval(row.score, dark=dark)
    elif row.job is not None and row.job.state == "running" and row.job.total:
        part = min(1.0, row.job.done / row.job.total)
        number, plot = f"{100 * part:.0f}%", draw_progress(part, dark=dark)
    name = format_cell(row.bookmark.name)
    first = [cells["method"], *([name] if name else [])]
    second = [cells["data"], cells["ratio"], cells["state"], number, listing.format_age(_age(row), row.created)]
    lines = " · ".join(part for part in (*first, *second) if part)
    return {
        "when": datetime.fromtimestamp(row.created, UTC), **cells, "plot": plot, "number": number, "name": name,
        "pin": words.PINNED_MARK if row.bookmark.pinned else words.FREE_MARK, "lines": lines,
    }  # fmt: skip


def _age(row: Row) -> float:
    return max(0.0, datetime.now(UTC).timestamp() - row.created)


def draw_interval(score: Mapping[str, Any], *, dark: bool) -> str:
    """Return the picture of a score from 0 to 1 with its interval, as an address. It sorts as its number does."""
    ink, line = _ACCENT[dark], palette.COLOURS["grey"][dark]
    mean, low, high = (math.nan if score[name] is None else float(score[name]) for name in ("mean", "low", "high"))
    body = f'<path d="M8 22H{_WIDE - 8}" stroke="{line}" stroke-opacity=".4"/>'
    if math.isfinite(low) and math.isfinite(high):
        body += f'<path d="M{_place(low):.1f} 22H{_place(high):.1f}" stroke="{ink}" stroke-width="3.5" stroke-linecap="round"/>'
    if side := find_open_end(mean, low, high, METRICS[DEFAULT_METRIC][1]):
        tip = _place(mean) + 13 * side  # an end at the metric's bound
        body += f'<path d="M{tip - 6 * side:.1f} 17L{tip:.1f} 22L{tip - 6 * side:.1f} 27" fill="none" stroke="{ink}" stroke-width="2"/>'
    fill = ink if math.isfinite(low) else palette.PAPERS[dark]
    body += f'<circle cx="{_place(mean):.1f}" cy="22" r="5.5" fill="{fill}" stroke="{ink}" stroke-width="2"/>'
    return _encode(body, mean)


def draw_progress(part: float, *, dark: bool) -> str:
    """Return the picture of a share that is done, as an address."""
    line = palette.COLOURS["grey"][dark]
    bar = f'<rect x="8" y="18" width="{(_WIDE - 16) * part:.1f}" height="8" rx="4" fill="{_ACCENT[dark]}"/>'
    return _encode(
        f'<rect x="8" y="18" width="{_WIDE - 16}" height="8" rx="4" fill="{line}" fill-opacity=".35"/>{bar}', -1 + part
    )


def _place(value: float) -> float:
    return 14 + (_WIDE - 28) * min(1.0, max(0.0, value))


def _encode(body: str, number: float) -> str:
    """Return an SVG as an address that begins with a number: the table sorts pictures by their addresses."""
    size = f'width="{_WIDE}" height="{_HIGH}" viewBox="0 0 {_WIDE} {_HIGH}"'
    text = f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{body}</svg>'
    return f"data:image/svg+xml;n={1 + number:.6f};base64,{b64encode(text.encode()).decode()}"
