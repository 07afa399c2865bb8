"""A heading with help, a chart with its text alternative, and the numbers behind it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app.charts import palette
from app.parts import share, size
from app.session.figures import paint_figure, share_figure

WIDE = 900
"""Pixels of width at most for a single picture."""


def draw_heading(text: str, help: str) -> None:
    """Draw the name of a picture or table. help: what its words mean."""
    st.markdown(f"**{text}**", help=help)


def draw_chart(figure: go.Figure | partial[go.Figure], key: str, alt: str) -> None:
    """Draw a figure with its text alternative. figure: as in `fit_figure`."""
    st.plotly_chart(fit_figure(figure), key=key, alt=alt, config=palette.CONFIG)


def fit_figure(figure: go.Figure | partial[go.Figure]) -> Any:
    """Return a figure at this session's size, in the colours of its theme.

    figure: made already, or a chart's function with its arguments, which is drawn once for all viewers unless something on
    this page is of a person's own table.
    """
    dark = st.context.theme.type == "dark"
    if not isinstance(figure, partial):
        return paint_figure(size.fit_figure(figure), dark)
    if share.is_private():
        return paint_figure(size.fit_figure(figure()), dark)
    return share_figure(figure, size.fit_figure, size.size_factor(), dark)


def draw_numbers(key: str, table: Callable[[], pd.DataFrame], alt: str, *, name: str = "", download: bool = True) -> None:
    """Draw an expander with the numbers behind a picture, to read and to copy; they are made when it is opened.

    name, download: as in `share.offer_table`.
    """
    with draw_fold("The numbers", f"numbers-{key}", ":material/table:") as fold:
        if fold.open:
            frame = table()
            st.dataframe(frame, hide_index=frame.index.name is None, alt=alt)
            share.offer_table(frame, name or key, key, alt, download=download)


def draw_fold(label: str, key: str, icon: str) -> Any:
    """Return an expander that knows whether it is open, so that what is in a closed one need not be made or sent."""
    return st.expander(label, key=key, icon=icon or None, on_change="rerun")
