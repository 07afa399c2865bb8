"""Labels at the ends of lines, in place of a legend box: ink with a piece of the line before them, pushed apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from app.charts.palette import Stroke, safe

GAP = 16
"""Pixels between two labels at least."""
_PIECE, _SPACE = 14, 4
"""Pixels of the piece of line, and of the space at both its sides."""
_CHARACTER = 7
"""Pixels of a character, about."""


@dataclass(frozen=True)
class End:
    """The end of a line: its label, where it ends on the vertical axis, and how it is drawn."""

    label: str
    y: float
    stroke: Stroke
    bold: bool = False


def spread_apart(places: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Return places that lie `gap` apart at least and within [low, high] as far as they fit, in their order, near where they were."""
    order = sorted(range(len(places)), key=lambda i: places[i])
    out = sorted(places)
    for i in range(1, len(out)):
        out[i] = max(out[i], out[i - 1] + gap)
    if out and out[-1] > high:
        out[-1] = high
        for i in range(len(out) - 2, -1, -1):
            out[i] = min(out[i], out[i + 1] - gap)
        if out[0] < low:
            out = [low + gap * i for i in range(len(out))]
    found = [0.0] * len(places)
    for place, i in zip(out, order, strict=True):
        found[i] = place
    return found


def label_ends(figure: go.Figure, ends: Sequence[End], low: float, high: float, height: int, *, log: bool = False) -> None:
    """Write the labels at the right of a figure, whose vertical axis gets the range [low, high], `height` pixels of the plot."""
    ends = [end for end in ends if np.isfinite(end.y) and (end.y > 0 or not log)]
    scale = np.log10 if log else float
    bottom, top = float(scale(low)), float(scale(high))
    figure.layout.yaxis.range = [bottom, top]
    at = [height * (float(scale(end.y)) - bottom) / (top - bottom) for end in ends]
    longest = max((len(end.label) for end in ends), default=0)
    figure.layout.margin.r = min(220, _PIECE + 3 * _SPACE + _CHARACTER * longest)
    figure.layout.showlegend = False
    for end, pixels in zip(ends, spread_apart(at, GAP, 0, height), strict=True):
        y = pixels / height
        # shapes and notes in pixels from the right edge of the plot
        common = {"xref": "paper", "yref": "paper"}
        figure.add_shape(
            type="line", xsizemode="pixel", xanchor=1, x0=_SPACE, x1=_SPACE + _PIECE, y0=y, y1=y,
            line={"color": end.stroke.colour, "dash": end.stroke.dash, "width": 3 if end.bold else 2}, **common,
        )  # fmt: skip
        text = safe(end.label)
        figure.add_annotation(
            x=1, y=y, xshift=_PIECE + 2 * _SPACE, text=f"<b>{text}</b>" if end.bold else text, showarrow=False, xanchor="left",
            yanchor="middle", font={"size": 12}, **common,
        )  # fmt: skip
