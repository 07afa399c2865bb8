"""Precision against recall on the test rows, one curve a method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.charts.palette import NEUTRAL, SOFT_INK, Stroke, band, bracket, centre, frame, safe, spread, stroke


@dataclass(frozen=True)
class Curve:
    """One method's curves: recall [G], precision [R, G], and its average precision with interval (NaN: none).

    key names its pen and is one curve's alone in a picture; drawn: another pen, where a method is there more than once.
    """

    key: str
    label: str
    recall: np.ndarray
    precision: np.ndarray
    mean: float
    low: float
    high: float
    oracle: bool = False
    drawn: Stroke | None = None

    @property
    def stroke(self) -> Stroke:
        """How it is drawn."""
        return self.drawn or stroke(self.key)

    @property
    def legend(self) -> str:
        """'Cross-entropy · AP 0.37 [0.30, 0.44]'."""
        note = "<br>an oracle, not ranked" if self.oracle else ""
        return f"{safe(self.label)} · AP {self.mean:.2f}{bracket(self.low, self.high)}{note}"


def figure(curves: Sequence[Curve], prevalence: float) -> go.Figure:
    """Means over replicates, the 2.5-97.5% band of the replicates where there are several, and the prevalence line.

    prevalence: NaN where the curves are of test rows with different ones; then there is no line.
    """
    ticks = {"tickvals": [0, 0.25, 0.5, 0.75, 1]}
    fig = frame(
        "Recall",
        "Precision",
        height=340,
        legend_rows=len(curves) + sum(c.oracle for c in curves),
        xaxis=ticks | {"range": [0, 1.005], "hoverformat": ".2f"},
        yaxis=ticks | {"range": [0, 1.03]},
    )
    for curve in reversed(curves):  # the chosen method is drawn last, above the others
        if len(curve.precision) > 1:
            _, low, high = spread(curve.precision)
            band(fig, curve.recall, low, high, curve.stroke.colour, curve.key, 0.2 if curve is curves[0] else 0.08)
    for rank, curve in enumerate(curves):
        mean = centre(curve.precision)
        fig.add_trace(
            go.Scatter(
                x=curve.recall.astype(np.float32),
                y=mean.astype(np.float32),
                mode="lines",
                name=curve.legend,
                legendgroup=curve.key,
                line={"color": curve.stroke.colour, "dash": curve.stroke.dash, "width": 3 if rank == 0 else 2},
                hovertemplate=f"%{{y:.2f}}<extra>{safe(curve.label)}</extra>",
                zorder=10 if rank == 0 else 1,
            )
        )
    if np.isfinite(prevalence):
        fig.add_hline(
            y=prevalence,
            line={"color": NEUTRAL, "width": 1, "dash": "dot"},
            annotation={
                "text": f"chance {prevalence:.3g}",
                "font": {"size": 12, "color": SOFT_INK[0]},
                "xanchor": "left",
                "yanchor": "bottom" if prevalence < 0.9 else "top",
                "x": 0.01,
            },
        )
    return fig


def table(curves: Sequence[Curve], recalls: Sequence[float] = (0.1, 0.25, 0.5, 0.75, 0.9, 1.0)) -> pd.DataFrame:
    """Mean precision at a few recalls, one row a method."""
    rows = []
    for curve in curves:
        mean = centre(curve.precision)
        at = {f"recall {r:g}": mean[min(int(np.searchsorted(curve.recall, r - 1e-9)), len(mean) - 1)] for r in recalls}
        rows.append({"method": curve.label, "AP": curve.mean, "AP low": curve.low, "AP high": curve.high} | at)
    return pd.DataFrame(rows)


def alt(curves: Sequence[Curve], prevalence: float) -> str:
    """What the picture says, for someone who cannot see it."""
    parts = "; ".join(f"{c.label} average precision {c.mean:.2f}{bracket(c.low, c.high)}" for c in curves)
    chance = f" Chance is {prevalence:.3g}." if np.isfinite(prevalence) else ""
    return f"Precision-recall curves on the test rows. {parts}.{chance}"
