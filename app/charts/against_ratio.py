"""A score against the imbalance ratio, one line a method. It shows where a method stops helping."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.charts.palette import band, bracket, frame, safe, stroke


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
    """Draw lines with bands over a logarithmic axis of ratios.

    bounds: range of the metric; the axis stays within it. ratios: always on the axis, so that it does not move while lines
    grow.
    """
    fig = frame("Largest to smallest class", metric, height=300, legend_rows=len(lines))
    for line in lines:
        if len(line.ratios) > 1:
            band(fig, line.ratios, line.low, line.high, stroke(line.key).colour, line.key, 0.03 if line.oracle else 0.05)
    for line in lines:
        how = stroke(line.key)
        fig.add_trace(
            go.Scatter(
                x=line.ratios,
                y=line.mean.astype(np.float32),
                mode="lines+markers",
                name=safe(line.label) + (" · an oracle, not ranked" if line.oracle else ""),
                legendgroup=line.key,
                line={"color": how.colour, "dash": how.dash, "width": 2},
                marker={"symbol": how.marker, "size": 9},
                error_y=None if len(line.ratios) > 1 else _bar(line),
                customdata=[bracket(low, high, 3) for low, high in zip(line.low, line.high, strict=True)],
                hovertemplate=f"%{{y:.3f}}%{{customdata}}<extra>{safe(line.label)}</extra>",
            )
        )
    ticks = sorted({*map(float, ratios), *(float(r) for line in lines for r in line.ratios)})
    low, high = np.log10(ticks[0]), np.log10(ticks[-1])
    room = 0.06 * (high - low) or 0.3
    fig.update_xaxes(type="log", tickvals=ticks, ticktext=[f"{r:g}:1" for r in ticks], range=[low - room, high + room])
    ends = [v for line in lines for part in (line.mean, line.low, line.high) for v in part if np.isfinite(v)]
    if ends:
        room = 0.06 * max(max(ends) - min(ends), 0.02)
        fig.update_yaxes(range=[max(bounds[0] - 0.01, min(ends) - room), min(bounds[1] + 0.01, max(ends) + room)])
    return fig


def _bar(line: Line) -> dict[str, object]:
    """Draw the interval of a line with one point."""
    up, down = (np.nan_to_num(np.abs(end - line.mean)) for end in (line.high, line.low))
    return {"type": "data", "symmetric": False, "array": up, "arrayminus": down, "thickness": 2}


def table(lines: Sequence[Line]) -> pd.DataFrame:
    """Means with their interval as text, one row a method, one column a ratio."""
    ratios = sorted({float(r) for line in lines for r in line.ratios})
    rows = []
    for line in lines:
        at = {float(r): i for i, r in enumerate(line.ratios)}
        row = {"method": line.label}
        for r in ratios:
            i = at.get(r)
            row[f"{r:g}:1"] = "" if i is None else f"{line.mean[i]:.3f}{bracket(line.low[i], line.high[i], 3)}"
        rows.append(row)
    return pd.DataFrame(rows)


def alt(lines: Sequence[Line], metric: str) -> str:
    """What the picture says, for someone who cannot see it."""
    parts = []
    for line in lines:
        each = ", ".join(f"{m:.3f} at {r:g} to 1" for r, m in zip(line.ratios, line.mean, strict=True))
        parts.append(f"{line.label}{' (an oracle, not ranked)' if line.oracle else ''}: {each}")
    return f"{metric} against the imbalance ratio. " + "; ".join(parts) + "."
