"""Reliability diagram: the observed share of positive rows against the predicted probability."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.charts.palette import COLOURS, NEUTRAL, frame

Curve = Mapping[str, Any]
"""{bins [{predicted, observed, rows}], brier, ece}, as `engine.stats.thresholds.describe_calibration` gives it."""


def figure(curve: Curve, cut: float = math.nan, *, x: str, y: str) -> go.Figure:
    """Draw observed share against mean predicted probability; the size of a mark grows with the rows in its bin.

    cut: a probability to mark, NaN for none. x, y: names of the axes.
    """
    fig = frame(x, y, height=230, margin={"l": 46, "r": 14, "t": 30, "b": 52, "autoexpand": False})
    fig.update_layout(hovermode="closest")
    fig.add_trace(
        go.Scatter(
            x=[0, 1],
            y=[0, 1],
            mode="lines",
            name="",
            line={"color": NEUTRAL, "width": 1, "dash": "dot"},
            hoverinfo="skip",
        )
    )
    bins = curve["bins"]
    rows = np.array([b["rows"] for b in bins])
    most = float(rows.max()) if len(rows) else 1.0
    fig.add_trace(
        go.Scatter(
            x=np.array([b["predicted"] for b in bins], np.float32),
            y=np.array([b["observed"] for b in bins], np.float32),
            customdata=rows,
            mode="lines+markers",
            name="",
            line={"color": COLOURS["blue"][0], "width": 2},
            marker={"symbol": "circle", "size": 6 + 8 * np.sqrt(rows / most)},
            hovertemplate="predicted %{x:.2f}, observed %{y:.2f}, %{customdata:,.0f} rows<extra></extra>",
        )
    )
    if math.isfinite(cut):
        fig.add_vline(x=min(cut, 1.0), line={"color": COLOURS["green"][0], "width": 2})
    for axis in (fig.update_xaxes, fig.update_yaxes):
        axis(range=[-0.03, 1.03], tickvals=[0, 0.5, 1], ticktext=["0", ".5", "1"])
    return fig


def table(curves: Mapping[str, Curve]) -> pd.DataFrame:
    """The bins of each kind of probability, one row each."""
    rows = [
        {"probabilities": kind, "predicted": b["predicted"], "observed": b["observed"], "rows": round(b["rows"], 1)}
        for kind, one in curves.items()
        for b in one["bins"]
    ]
    return pd.DataFrame(rows)
