"""Figures of public runs, drawn once for all viewers: by what is drawn, the pens and the size. On dark paper it has the
dark colours."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import plotly.graph_objects as go
import plotly.io
from plotly.basedatatypes import BaseFigure

from app.charts import palette
from app.session.shared import fingerprint, get_shared


class Drawn(BaseFigure):
    """A figure as plotly writes it, to be shown and not to be changed: making and checking it anew is most of a picture's time."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self._spec = spec

    def to_dict(self) -> dict[str, Any]:
        """Return what plotly.js takes."""
        return self._spec


def share_figure(
    figure: partial[go.Figure], fit: Callable[[go.Figure], go.Figure], factor: float, dark: bool = False
) -> go.Figure | Drawn:
    """Return the figure that a chart's function draws of public values, drawn once in this process.

    figure: the function with its arguments. fit: brings it to a session's size, `factor` times the usual one. dark: on dark paper. Drawn
    anew where an argument is more than numbers, text and arrays.
    """
    content = fingerprint(figure.args, figure.keywords)
    if content is None:
        return paint_figure(fit(figure()), dark)
    key = ("figure", figure.func.__module__, figure.func.__qualname__, content, palette.version(), factor, dark)

    def make() -> tuple[Drawn, int]:
        spec = paint_figure(fit(figure()), dark).to_dict()
        return Drawn(spec), len(plotly.io.to_json(spec, validate=False))

    return get_shared().get(key, make)


def paint_figure(figure: go.Figure, dark: bool) -> go.Figure | Drawn:
    """Return the figure in the colours for its paper. Charts are drawn for light paper."""
    return Drawn(palette.recolour(figure.to_dict())) if dark else figure
