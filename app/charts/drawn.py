"""A paper's figures, drawn from what was measured here: curves over a common axis, and the three panels of the sine."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from app.charts.ends import End, find_margin, make_labels
from app.charts.palette import COLOURS, MAJORITY, MINORITY, NEUTRAL, Stroke, frame, safe, stroke

LOSSES = {
    "train_loss": Stroke(COLOURS["grey"][0], "dashdot", "cross"),
    "valid_loss": Stroke(COLOURS["sky"][0], "solid", "diamond"),
    "synthetic_loss": Stroke(COLOURS["orange"][0], "dot", "triangle-down"),
    "adapted_loss": Stroke(COLOURS["green"][0], "solid", "circle"),
}
"""Losses of explicit gradient."""


HEIGHT = 320
"""Pixels of a plot of curves."""


def draw_lines(curves: Mapping[str, tuple[Sequence[float], Sequence[float]]], x: str, y: str) -> go.Figure:
    """Draw curves by name, each (x, y), with a colour and a dash of its own, labelled at the right."""
    values = [v for _, up in curves.values() for v in up if v is not None and math.isfinite(v)]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    room = 0.05 * ((high - low) or 1.0)
    low, high = low - room, high + room
    pens = {name: LOSSES.get(name) or stroke(name) for name in curves}
    ends = []
    for name, (_, up) in curves.items():
        last = next((v for v in reversed(list(up)) if v is not None and math.isfinite(v)), low)
        ends.append(End((last - low) / (high - low), name.replace("_", " "), pens[name]))
    labels = make_labels(ends, HEIGHT)
    fig = frame(
        x, y, height=HEIGHT, hovermode="closest", margin={"r": find_margin(ends)}, annotations=labels["annotations"],
        shapes=labels["shapes"], yaxis={"range": [low, high]},
    )  # fmt: skip
    for name, (across, up) in curves.items():
        fig.add_trace(
            go.Scatter(
                x=list(across),
                y=list(up),
                mode="lines",
                name=safe(name.replace("_", " ")),
                line={"color": pens[name].colour, "dash": pens[name].dash, "width": 2},
                hovertemplate=f"%{{y:.3f}}<extra>{safe(name)}</extra>",
            )
        )
    return fig


POINTS = {
    "train": ("training points", MAJORITY, "circle"),
    "valid": ("validation points", COLOURS["green"][0], "square"),
    "synthetic": ("synthetic points, before", MINORITY, "diamond-open"),
    "moved": ("synthetic points, moved", MINORITY, "diamond"),
}


def draw_panel(panel: Mapping[str, Any]) -> go.Figure:
    """Draw one panel of the sine: the true curve, the fit where there is one, and the points.

    panel: grid, curve [G], perhaps fit [G], and of `POINTS` those that are there as {x, y}.
    """
    there = [name for name in POINTS if name in panel]
    fig = frame("x", "y", height=260, legend_rows=1 + ("fit" in panel) + len(there))
    fig.add_trace(
        go.Scatter(
            x=panel["grid"],
            y=panel["curve"],
            mode="lines",
            name="sin(πx/2)",
            line={"color": NEUTRAL, "dash": "dash", "width": 2},
        )
    )
    if "fit" in panel:
        fig.add_trace(
            go.Scatter(x=panel["grid"], y=panel["fit"], mode="lines", name="the network", line={"color": MAJORITY, "width": 3})
        )
    for name in there:
        label, colour, symbol = POINTS[name]
        fig.add_trace(
            go.Scatter(
                x=panel[name]["x"],
                y=panel[name]["y"],
                mode="markers",
                name=label,
                marker={"color": colour, "symbol": symbol, "size": 9},
            )
        )
    fig.update_layout(hovermode="closest")
    return fig


def describe_panel(panel: Mapping[str, Any]) -> str:
    """In words, for who cannot see it."""
    counts = ", ".join(f"{len(panel[name]['x'])} {POINTS[name][0]}" for name in POINTS if name in panel)
    fit = "; the network's fit stands beside it" if "fit" in panel else ""
    return f"A sine over [{panel['grid'][0]:g}, {panel['grid'][-1]:g}] with {counts}{fit}."
