"""Reliability diagram: the observed share of positive rows against the predicted probability."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.charts.palette import COLOURS, NEUTRAL, frame

LOOKS = tuple(
    (COLOURS[name][0], dash, mark)
    for name, dash, mark in (("vermilion", "solid", "circle"), ("blue", "dash", "square"), ("green", "dot", "diamond"))
)
"""(colour, dash, mark) of each kind of probability, in turn."""

Curves = Mapping[str, Mapping[str, Any]]
"""Kind of probability -> {bins [{predicted, observed, rows}], brier, ece}, as `engine.stats.thresholds.describe_calibration` gives it."""


def figure(curves: Curves) -> go.Figure:
    """Draw observed share against mean predicted probability, one line a kind; the size of a mark grows with the rows in its
    bin."""
    fig = frame("Predicted probability", "Observed share", height=300, legend_rows=len(curves) + 1)
    fig.update_layout(hovermode="closest")
    fig.add_trace(
        go.Scatter(
            x=[0, 1], y=[0, 1], mode="lines", name="as it should be", line={"color": NEUTRAL, "width": 1, "dash": "dot"},
            hoverinfo="skip",
        )
    )  # fmt: skip
    most = max((b["rows"] for one in curves.values() for b in one["bins"]), default=1.0)
    for (kind, one), (colour, dash, mark) in zip(curves.items(), LOOKS, strict=False):
        rows = np.array([b["rows"] for b in one["bins"]])
        fig.add_trace(
            go.Scatter(
                x=np.array([b["predicted"] for b in one["bins"]], np.float32),
                y=np.array([b["observed"] for b in one["bins"]], np.float32),
                customdata=rows,
                mode="lines+markers",
                name=f"{kind} · error {one['ece']:.3f}",
                line={"color": colour, "dash": dash, "width": 2},
                marker={"symbol": mark, "size": 6 + 8 * np.sqrt(rows / most)},
                hovertemplate="predicted %{x:.2f}, observed %{y:.2f}, %{customdata:,.0f} rows<extra>" + kind + "</extra>",
            )
        )
    for axis in (fig.update_xaxes, fig.update_yaxes):
        axis(range=[-0.03, 1.03], tickvals=[0, 0.25, 0.5, 0.75, 1])
    return fig


def table(curves: Curves) -> pd.DataFrame:
    """The bins, one row each."""
    rows = [
        {"probabilities": kind, "predicted": b["predicted"], "observed": b["observed"], "rows": round(b["rows"], 1)}
        for kind, one in curves.items()
        for b in one["bins"]
    ]
    return pd.DataFrame(rows)


def alt(curves: Curves, title: str) -> str:
    """What the picture says, for someone who cannot see it."""
    parts = "; ".join(
        f"{kind}: calibration error {one['ece']:.3f}, Brier score {one['brier']:.3f}" for kind, one in curves.items()
    )
    return f"Calibration of {title}: observed share of positive rows against predicted probability. {parts}."
