"""Why the row that was decided on decides so, and for whom: below the choice of a cut, a tab a question."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.frame import tabs
from app.marks import draw_marks
from app.views.data import board, reasons
from app.words import decide as words
from app.words.text import escape
from engine.report.leaderboard import deciding_metric
from engine.spec.result import METRICS

TABS = "data.why"
"""Session key of the open tab."""
_KEYS = {
    "columns": ("importance", "dependence"),
    "groups": ("groups",),
    "rows": ("suspects_by_chance", "duplicates"),
    "made": ("unsafe",),
}
"""Tab -> keys of a result, one of which it needs."""


def draw_why(result: Mapping[str, Any]) -> None:
    """Draw what a comparison found of reasons and groups; of an earlier one, what comparing again would add."""
    titles = {
        name: title
        for name, title in words.WHY_TABS.items()
        if any(result.get(key) not in (None, [], {}) for key in _KEYS[name])
    }
    if not titles:
        st.caption(f":material/history: {words.WHY_NONE}")
        return
    st.fragment(_draw_tabs)(result, titles)


def _draw_tabs(result: Mapping[str, Any], titles: Mapping[str, str]) -> None:
    name, place = tabs.draw_tabs(titles, TABS)
    rows = {row.name: row.title for row in board.rows_of_result(result)}
    explained = (result.get("why") or {}).get("row")
    with place:
        if name != "made" and explained in rows:
            st.caption(words.WHY_ROW.format(title=escape(rows[explained])))
        draw_marks(write_tab(name, result, rows), key=f"why-{name}")


def write_tab(name: str, result: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    """Return what a tab holds as HTML, every text escaped."""
    if name == "columns":
        metric = METRICS[deciding_metric(result)][0].lower()
        parts = (
            reasons.draw_importance(result.get("importance") or (), metric),
            reasons.draw_dependence(result.get("dependence") or ()),
        )
        return f'<div class="why-two">{"".join(parts)}</div>'
    if name == "groups":
        return reasons.draw_groups(result.get("groups") or ()) + f'<p class="quiet">{reasons.text(words.GROUPS_NOTE)}</p>'
    if name == "rows":
        return reasons.draw_suspects(result)
    return reasons.draw_unsafe(result.get("unsafe") or {}, titles)
