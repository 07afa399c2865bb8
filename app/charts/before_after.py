"""Two states of one measure per class, such as the gap before and after over-sampling, with the class counts behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.charts.palette import FEW, NEUTRAL, centre, faint, frame, numbered, safe, spread, stroke, tick_lines


@dataclass(frozen=True)
class Pair:
    """One method's values per class: before [R, C], after [R, C]; NaN: not measured."""

    key: str
    label: str
    before: np.ndarray
    after: np.ndarray


def figure(
    pairs: Sequence[Pair],
    classes: Sequence[str],
    counts: Sequence[float],
    *,
    measure: str,
    states: tuple[str, str] = ("before", "after"),
) -> go.Figure:
    """One group of marks a class: open before, filled after, joined by a line; whiskers: 2.5-97.5% of the replicates.

    Bars behind, on the axis at the right: training rows of each class. measure: what the left axis is. states: what the open
    and the filled marks are.
    """
    names = numbered(classes, 14 if len(classes) <= FEW else 8)
    place = np.arange(len(classes))
    left = {"overlaying": "y", "side": "left", "rangemode": "tozero", "zeroline": False, "automargin": False}
    fig = frame(
        "",
        measure,
        height=260,
        legend_rows=len(pairs) + 2,
        ticks=tick_lines(names),
        margin={"r": 52},
        hovermode="closest",
        xaxis={"tickvals": place, "ticktext": names, "range": [-0.55, len(classes) - 0.45], "showgrid": False},
        yaxis={"side": "right", "showgrid": False, "rangemode": "tozero", "nticks": 5},
        yaxis2=left | {"tickmode": "auto", "nticks": 6},
    )
    fig.add_trace(
        go.Bar(
            x=place,
            y=np.asarray(counts, np.float32),
            name="training rows (axis at the right)",
            marker={"color": faint(NEUTRAL, 0.28), "line": {"width": 0}},
            width=0.86,
            hovertemplate="%{y:,.0f} training rows<extra></extra>",
        )
    )
    step = 0.8 / max(1, len(pairs))
    for rank, pair in enumerate(pairs):
        _add_pair(fig, pair, place + (rank - (len(pairs) - 1) / 2) * step, states)
    mark = {"size": 9, "color": NEUTRAL, "line": {"width": 2, "color": NEUTRAL}}
    fig.add_trace(
        go.Scatter(x=[None], y=[None], mode="markers", yaxis="y2", marker=mark | {"symbol": "circle-open"},
                   name=f"open: {states[0]}; filled: {states[1]}")
    )  # fmt: skip
    return fig


def _add_pair(fig: go.Figure, pair: Pair, x: np.ndarray, states: tuple[str, str]) -> None:
    """Draw one method's marks at x [C], each class's two joined by a line, with whiskers where there are several replicates."""
    ink, symbol = stroke(pair.key).colour, stroke(pair.key).marker.removesuffix("-open")
    centres = [centre(values) for values in (pair.before, pair.after)]
    ways = np.column_stack([*centres, np.full(len(x), np.nan)]).ravel()
    fig.add_trace(
        go.Scatter(
            x=np.repeat(x, 3).astype(np.float32), y=ways.astype(np.float32), mode="lines", yaxis="y2",
            line={"color": ink, "width": 1.5}, legendgroup=pair.key, showlegend=False, hoverinfo="skip",
        )
    )  # fmt: skip
    for state, values in zip(states, (pair.before, pair.after), strict=True):
        filled = state == states[1]
        mean, low, high = spread(values)
        whiskers = {"type": "data", "array": high - mean, "arrayminus": mean - low, "thickness": 1.2, "width": 3}
        fig.add_trace(
            go.Scatter(
                x=x.astype(np.float32),
                y=mean.astype(np.float32),
                yaxis="y2",
                mode="markers",
                name=safe(pair.label),
                marker={
                    "symbol": symbol if filled else f"{symbol}-open",
                    "size": 8,
                    "color": ink,
                    "line": {"width": 2, "color": ink},
                },
                error_y=whiskers if len(values) > 1 else None,
                legendgroup=pair.key,
                showlegend=filled,
                hovertemplate=f"%{{y:.3g}}<extra>{safe(pair.label)}, {state}</extra>",
            )
        )


def table(
    pairs: Sequence[Pair], classes: Sequence[str], counts: Sequence[float], states: tuple[str, str] = ("before", "after")
) -> pd.DataFrame:
    """Means, one row a class, two columns a method."""
    columns: dict[str, object] = {"class": list(classes), "training rows": [float(c) for c in counts]}
    for pair in pairs:
        columns[f"{pair.label}, {states[0]}"] = centre(pair.before)
        columns[f"{pair.label}, {states[1]}"] = centre(pair.after)
    return pd.DataFrame(columns)


def alt(pairs: Sequence[Pair], classes: Sequence[str], *, measure: str, states: tuple[str, str] = ("before", "after")) -> str:
    """What the picture says, for someone who cannot see it."""
    parts = []
    for pair in pairs:
        values = zip(classes, centre(pair.before), centre(pair.after), strict=True)
        each = ", ".join(f"{name} {_format_value(a)} and {_format_value(b)}" for name, a, b in values)
        parts.append(f"{pair.label}: {each}")
    return f"{measure} per class, {states[0]} and {states[1]}. " + "; ".join(parts) + "."


def _format_value(value: float) -> str:
    return f"{value:.3g}" if np.isfinite(value) else "not measured"
