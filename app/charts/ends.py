"""Labels at the right ends of lines, in place of a legend: ink, with a piece of the line before each, none closer than GAP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from app.charts.palette import INK, SOFT_INK, Stroke, safe

GAP = 16.0
"""Pixels between two labels at least."""
LETTERS = 24
"""Letters of a label at most."""
ROOM, LETTER = 44, 7
"""Pixels to the right of a line's end before the label, and of a letter."""


@dataclass(frozen=True)
class End:
    """Where a line ends: its height as a share of the plot's, from 0 at the foot; its label and its pen."""

    height: float
    label: str
    stroke: Stroke
    more: str = ""


def spread(heights: Sequence[float], most: float, gap: float = GAP) -> list[float]:
    """Return heights (pixels, in [0, most]) moved as little as needed to be `gap` apart, in their order."""
    order = sorted(range(len(heights)), key=lambda i: heights[i])
    if len(order) > 1:
        gap = min(gap, most / (len(order) - 1))
    groups: list[list[float]] = []  # of each: its lowest label's height, and how many labels it has
    for i in order:
        groups.append([min(max(heights[i], 0.0), most), 1])
        while len(groups) > 1 and groups[-2][0] + gap * groups[-2][1] > groups[-1][0]:
            low, high = groups[-2], groups.pop()
            whole = low[1] + high[1]
            middle = ((low[0] + gap * (low[1] - 1) / 2) * low[1] + (high[0] + gap * (high[1] - 1) / 2) * high[1]) / whole
            groups[-1] = [min(max(middle - gap * (whole - 1) / 2, 0.0), most - gap * (whole - 1)), whole]
    placed = [low + gap * k for low, many in groups for k in range(int(many))]
    out = [0.0] * len(heights)
    for i, height in zip(order, placed, strict=True):
        out[i] = height
    return out


def find_margin(ends: Sequence[End]) -> int:
    """Return the pixels that the labels need at the right."""
    longest = max((min(len(end.label), LETTERS) + len(end.more) for end in ends), default=0)
    return ROOM + LETTER * longest


def make_labels(ends: Sequence[End], height: float) -> dict[str, list[dict[str, Any]]]:
    """Return the annotations and shapes of plotly that label the ends. height: pixels of the plot."""
    notes, shapes = [], []
    for end, at in zip(ends, spread([end.height * height for end in ends], height), strict=True):
        y = at / height
        shapes += [
            _draw_piece(2, 12, end.height, y, {"color": SOFT_INK[0], "width": 1}),
            _draw_piece(14, 34, y, y, {"color": end.stroke.colour, "width": 2.5, "dash": end.stroke.dash}),
        ]
        more = f" <span style='color:{SOFT_INK[0]}'>{safe(end.more)}</span>" if end.more else ""
        notes.append(
            {
                "text": safe(end.label, LETTERS) + more,
                "x": 1,
                "xref": "paper",
                "xanchor": "left",
                "xshift": 38,
                "y": y,
                "yref": "paper",
            }
            | {"yanchor": "middle", "showarrow": False, "font": {"size": 13, "color": INK[0]}}
        )
    return {"annotations": notes, "shapes": shapes}


def _draw_piece(left: float, right: float, y0: float, y1: float, line: dict[str, Any]) -> dict[str, Any]:
    """Return a line to the right of the plot, from `left` to `right` pixels beyond its edge."""
    return {
        "type": "line", "xref": "paper", "xsizemode": "pixel", "xanchor": 1, "x0": left, "x1": right, "yref": "paper", "y0": y0, "y1": y1,
        "line": line,
    }  # fmt: skip


def add_line(fig: go.Figure, mean: np.ndarray, label: str, colour: str, dash: str) -> None:
    """Adds a line of values by epoch, from 1, with three digits where a person points. label: fixed words."""
    fig.add_trace(
        go.Scatter(
            x=np.arange(1, len(mean) + 1, dtype=np.float32),
            y=mean.astype(np.float32),
            mode="lines",
            name=label,
            line={"color": colour, "dash": dash, "width": 2},
            hovertemplate=f"%{{y:.3g}}<extra>{label}</extra>",
        )
    )
