"""Feature deviation of each class as bars, with a tick for equally many rows and one for what sampling alone gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.charts.before_after import order_classes
from app.charts.palette import FEW, INK, NEUTRAL, centre, frame, numbered, safe, spread, stroke, tick_lines

EQUAL, EXPECTED = "on equally many rows", "by sampling alone"


@dataclass(frozen=True)
class Deviations:
    """One run's deviations [R, C]: of all training rows, of equally many, and expected from sampling alone. NaN: not measured."""

    key: str
    label: str
    values: np.ndarray
    equal: np.ndarray
    expected: np.ndarray


def figure(one: Deviations, classes: Sequence[str], counts: Sequence[float], *, measure: str, height: int = 148) -> go.Figure:
    """One bar a class, rare classes on the right; whiskers: 2.5-97.5% of the replicates. counts: training rows of each class."""
    order = order_classes(counts)
    names = [numbered(classes, 14 if len(classes) <= FEW else 8)[c] for c in order]
    mean, low, high = spread(one.values[:, order])
    whiskers = {"type": "data", "array": high - mean, "arrayminus": mean - low, "thickness": 1} if len(one.values) > 1 else None
    rows = [f"{counts[c]:,.0f} training rows" for c in order]
    fig = frame(
        "",
        measure,
        height=height,
        legend_rows=3,
        ticks=tick_lines(names),
        bargap=0.45,
        xaxis={"type": "category"},
        yaxis={"rangemode": "tozero", "nticks": 5},
    )
    fig.add_trace(
        go.Bar(
            x=names, y=mean.astype(np.float32), name=safe(one.label), marker={"color": stroke(one.key).colour}, error_y=whiskers,
            customdata=rows, hovertemplate="%{y:.3g}<br>%{customdata}<extra></extra>",
        )
    )  # fmt: skip
    for label, values, symbol, ink in (
        (EQUAL, one.equal, "line-ew", INK[0]),
        (EXPECTED, one.expected, "diamond-open", NEUTRAL),
    ):
        fig.add_trace(
            go.Scatter(
                x=names, y=centre(values)[order].astype(np.float32), mode="markers", name=label,
                marker={"symbol": symbol, "size": 18 if symbol == "line-ew" else 9, "color": ink, "line": {"width": 2, "color": ink}},
                hovertemplate=f"%{{y:.3g}}<extra>{label}</extra>",
            )
        )  # fmt: skip
    return fig


def table(one: Deviations, classes: Sequence[str], counts: Sequence[float]) -> pd.DataFrame:
    """Means, one row a class."""
    columns: dict[str, object] = {"class": list(classes), "training rows": [float(c) for c in counts]}
    return pd.DataFrame(columns | {one.label: centre(one.values), EQUAL: centre(one.equal), EXPECTED: centre(one.expected)})


def alt(one: Deviations, classes: Sequence[str], *, measure: str) -> str:
    """What the picture says, for someone who cannot see it."""
    each = []
    for name, *values in zip(classes, centre(one.values), centre(one.equal), centre(one.expected), strict=True):
        own, equal, expected = (f"{value:.3g}" if np.isfinite(value) else "not measured" for value in values)
        each.append(f"{name} {own} ({equal} {EQUAL}, {expected} {EXPECTED})")
    return f"{measure}. {one.label}: {', '.join(each)}."
