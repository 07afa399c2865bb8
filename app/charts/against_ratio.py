"""A score against the imbalance ratio, one line a method, labelled at its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from app.charts.ends import End, find_margin, make_labels
from app.charts.palette import frame, safe, stroke
from engine.stats.verdict import format_change

HEIGHT = 250
"""Pixels of the plot."""


@dataclass(frozen=True)
class Line:
    """One method on one dataset: ratios [N], ascending, with mean, low and high [N] of the score (NaN: no interval).

    key names its pen; label is text from anywhere. oracle: drawn apart and never ranked.
    """

    key: str
    label: str
    ratios: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    oracle: bool = False


def figure(lines: Sequence[Line], metric: str, bounds: tuple[float, float], ratios: Sequence[float] = ()) -> go.Figure:
    """Draw lines over a logarithmic axis of ratios; the intervals show on hover.

    bounds: range of the metric; the axis stays within it. ratios: always on the axis, so that it does not move while lines
    grow.
    """
    ticks = sorted({*map(float, ratios), *(float(r) for line in lines for r in line.ratios)})
    low, high = np.log10(ticks[0]), np.log10(ticks[-1])
    room = 0.04 * (high - low) or 0.3
    means = [float(v) for line in lines for v in line.mean if np.isfinite(v)]
    bottom, top = _find_range(means, bounds)
    ends = [End((float(line.mean[-1]) - bottom) / (top - bottom), line.label, stroke(line.key)) for line in lines]
    labels = make_labels(ends, HEIGHT)
    fig = frame(
        "Largest to smallest class",
        metric,
        height=HEIGHT,
        margin={"r": find_margin(ends)},
        hovermode="closest",
        annotations=labels["annotations"],
        shapes=labels["shapes"],
        xaxis={
            "type": "log",
            "tickvals": ticks,
            "ticktext": [f"{r:g}:1" for r in ticks],
            "range": [low - room, high + (0.02 * (high - low) or 0.3)],
        },
        yaxis={"range": [bottom, top]},
    )
    for line in lines:
        how = stroke(line.key)
        fig.add_trace(
            go.Scatter(
                x=line.ratios,
                y=line.mean.astype(np.float32),
                mode="lines+markers",
                name=safe(line.label),
                line={"color": how.colour, "dash": how.dash, "width": 2},
                marker={"symbol": how.marker, "size": 8},
                cliponaxis=False,
                customdata=[say(line, i) for i in range(len(line.ratios))],
                hovertemplate="%{customdata}<extra></extra>",
            )
        )
    return fig


def _find_range(means: Sequence[float], bounds: tuple[float, float]) -> tuple[float, float]:
    """Return the ends of the axis of scores."""
    if not means:
        return bounds
    room = 0.08 * max(max(means) - min(means), 0.02)
    return max(bounds[0] - 0.01, min(means) - room), min(bounds[1] + 0.01, max(means) + room)


def say(line: Line, i: int) -> str:
    """Return the words of one point: 'SMOTE at 20:1: .612, interval .571 to .653'."""
    text = f"{safe(line.label)} at {line.ratios[i]:g}:1: {format_score(line.mean[i])}"
    if np.isfinite(line.low[i]) and np.isfinite(line.high[i]):
        text += f"<br>95% interval {format_score(line.low[i])} to {format_score(line.high[i])}"
    return text


def format_score(value: float) -> str:
    """Return '.612', '1.000'."""
    return format_change(float(value)).removeprefix("+")


def alt(lines: Sequence[Line], metric: str) -> str:
    """What the picture says, for someone who cannot see it."""
    parts = []
    for line in lines:
        each = ", ".join(f"{m:.3f} at {r:g} to 1" for r, m in zip(line.ratios, line.mean, strict=True))
        parts.append(f"{line.label}{', not ranked' if line.oracle else ''}: {each}")
    return f"{metric} against the imbalance ratio. " + "; ".join(parts) + "."
