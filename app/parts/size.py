"""Presenter size: text, pictures and player large enough for a projector. The address holds it: `size=big`."""

from __future__ import annotations

from typing import Any

import streamlit as st

FACTOR = 1.35
"""How many times as large."""
_STYLE = f"""<style>
html:root {{ font-size: {100 * FACTOR:g}%; --lab-zoom: {FACTOR}; }}
[data-testid="stMetricLabel"] p {{ white-space: normal; }}
</style>"""


def is_enlarged() -> bool:
    """Whether this session is shown in presenter size."""
    return bool(st.session_state.get("size.big", False))


def size_factor() -> float:
    """Return how many times as large as usual this session is shown."""
    return FACTOR if is_enlarged() else 1.0


def begin_page() -> None:
    """Take the size from the address on a session's first page, and write it there on later ones.

    A page calls it before it reads its address.
    """
    state, query = st.session_state, st.query_params
    state.pop("size.changed", None)
    if "size.big" not in state:
        state["size.big"] = query.get("size") == "big"
    if is_enlarged() and query.get("size") != "big":
        query["size"] = "big"
    elif not is_enlarged() and "size" in query:
        del query["size"]
    if is_enlarged():
        st.html(_STYLE)


def draw_switch() -> None:
    """Draw the switch between the two sizes. In a dialog it draws the whole page again, which closes the dialog."""
    state = st.session_state
    state["size.pick"] = is_enlarged()

    def take() -> None:
        state["size.big"], state["size.changed"] = bool(state["size.pick"]), True

    st.toggle("Large text and pictures", key="size.pick", on_change=take, help="For a projector.")
    if state.pop("size.changed", False):
        st.rerun()


def fit_figure(figure: Any) -> Any:
    """Return a plotly figure at this session's size: as it is, or with text, lines, marks, margins and height enlarged."""
    return enlarge_figure(figure, FACTOR) if is_enlarged() else figure


def enlarge_figure(figure: Any, by: float) -> Any:
    """Make everything in a figure that is measured in pixels `by` times as large, but for its width; return the figure."""
    layout = figure.layout
    for name in ("height", "width"):
        if layout[name]:
            layout[name] = round(layout[name] * by)
    layout.font.size = by * (layout.font.size or 12)
    layout.hoverlabel.font.size = by * (layout.hoverlabel.font.size or 13)
    layout.legend.font.size = by * (layout.legend.font.size or 12)
    layout.legend.itemwidth = by * (layout.legend.itemwidth or 30)
    for side in ("l", "r", "t", "b"):
        if layout.margin[side] is not None:
            layout.margin[side] = round(by * layout.margin[side])
    for axis in (*figure.select_xaxes(), *figure.select_yaxes()):
        axis.tickfont.size = by * (axis.tickfont.size or 12)
        axis.title.font.size = by * (axis.title.font.size or 14)
        if axis.title.standoff is not None:
            axis.title.standoff = by * axis.title.standoff
    for note in layout.annotations:
        note.font.size = by * (note.font.size or 12)
        for shift in ("xshift", "yshift", "ax", "ay"):
            if isinstance(note[shift], (int, float)):
                note[shift] = by * note[shift]
    for trace in figure.data:
        for part in ("line", "marker"):
            if part in trace and trace[part] is not None:
                _enlarge_marks(trace[part], by)
        if "textfont" in trace:
            trace.textfont.size = by * (trace.textfont.size or 12)
    return figure


def _enlarge_marks(part: Any, by: float) -> None:
    """Enlarge line widths and the sizes of marks, one number or one a point."""
    for name in ("width", "size"):
        if name in part and part[name] is not None:
            value = part[name]
            part[name] = by * value if isinstance(value, (int, float)) else [by * v for v in value]
