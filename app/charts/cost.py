"""A score against the seconds of training, one point a method."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.charts.palette import NEUTRAL, bracket, frame, safe, stroke


@dataclass(frozen=True)
class Point:
    """One method: training seconds (> 0) and its score with interval (NaN: none). oracle: not ranked, never on the frontier."""

    key: str
    label: str
    seconds: float
    mean: float
    low: float
    high: float
    oracle: bool = False


def find_frontier(points: Sequence[Point]) -> list[Point]:
    """Return the points that no cheaper method equals in the mean, cheapest first; oracles are left out."""
    out: list[Point] = []
    for point in sorted((p for p in points if not p.oracle and math.isfinite(p.mean)), key=lambda p: (p.seconds, -p.mean)):
        if not out or point.mean > out[-1].mean:
            out.append(point)
    return out


def figure(points: Sequence[Point], metric: str) -> go.Figure:
    """Draw points with intervals over a logarithmic axis of seconds, and a line through the frontier."""
    best = find_frontier(points)
    fig = frame("Seconds of training", metric, height=320, legend_rows=len(points) + (len(best) > 1))
    if len(best) > 1:
        fig.add_trace(
            go.Scatter(
                x=[p.seconds for p in best],
                y=[p.mean for p in best],
                mode="lines",
                line={"color": NEUTRAL, "width": 1, "dash": "dot", "shape": "hv"},
                name="nothing cheaper has a higher mean",
                hoverinfo="skip",
            )
        )
    for point in points:
        up, down = (0.0 if not math.isfinite(end) else abs(end - point.mean) for end in (point.high, point.low))
        fig.add_trace(
            go.Scatter(
                x=[point.seconds],
                y=[point.mean],
                mode="markers",
                marker={"color": stroke(point.key).colour, "symbol": stroke(point.key).marker, "size": 12},
                error_y={"type": "data", "symmetric": False, "array": [up], "arrayminus": [down], "thickness": 1.5},
                name=safe(point.label) + (" · an oracle, not ranked" if point.oracle else ""),
                hovertemplate=f"{point.seconds:.3g} s, %{{y:.3f}}{bracket(point.low, point.high, 3)}"
                f"<extra>{safe(point.label)}</extra>",
            )
        )
    fig.update_layout(hovermode="closest")
    low, high = (f(p.seconds for p in points) for f in (min, max))
    stops = [m * 10.0**e for e in range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1) for m in (1, 2, 5)]
    room = max(0.08, 0.06 * (math.log10(high) - math.log10(low)))
    shown = [s for s in stops if math.log10(low) - room <= math.log10(s) <= math.log10(high) + room]
    while len(shown) > 7:
        shown = shown[::2]
    fig.update_xaxes(
        type="log", range=[np.log10(low) - room, np.log10(high) + room], tickvals=shown, ticktext=[f"{s:g}" for s in shown]
    )
    return fig


def table(points: Sequence[Point]) -> pd.DataFrame:
    """Cheapest first, one row a method."""
    rows = [
        {
            "method": p.label,
            "seconds": round(p.seconds, 2),
            "score": f"{p.mean:.3f}{bracket(p.low, p.high, 3)}",
            "nothing cheaper is as good": "yes" if p in find_frontier(points) else "",
        }
        for p in sorted(points, key=lambda p: p.seconds)
    ]
    return pd.DataFrame(rows)


def alt(points: Sequence[Point], metric: str) -> str:
    """What the picture says, for someone who cannot see it."""
    each = "; ".join(f"{p.label} {p.mean:.3f} after {p.seconds:.3g} seconds" for p in sorted(points, key=lambda p: p.seconds))
    return f"{metric} against seconds of training: {each}."
