"""Precision against recall of several runs, labelled at the right: no bands, so that curves can be told apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from app.charts.ends import End, find_margin, make_labels
from app.charts.palette import NEUTRAL, SOFT_INK, centre, frame, safe
from app.charts.pr import Curve
from engine.stats.verdict import format_change

HEIGHT = 440
"""Pixels of the plot."""


def figure(curves: Sequence[Curve], prevalence: float, chance: str) -> go.Figure:
    """Draw means over replicates, and chance as a dotted line. Where all end alike, labels stand in the order of average precision.

    prevalence: NaN where the curves are of test rows with different ones; then there is no line. chance: its name.
    """
    means = [centre(curve.precision) for curve in curves]
    ends = []
    for curve, mean in zip(curves, means, strict=True):
        height = min(1.0, max(0.0, (float(mean[-1]) + 1e-6 * curve.mean) / 1.03))
        ends.append(End(height, curve.label, curve.stroke, format_change(curve.mean).removeprefix("+")))
    labels = make_labels(ends, HEIGHT)
    ticks = {"tickvals": [0, 0.25, 0.5, 0.75, 1], "ticktext": ["0", ".25", ".5", ".75", "1"]}
    fig = frame(
        "Recall",
        "Precision",
        height=HEIGHT,
        margin={"r": find_margin(ends)},
        hovermode="closest",
        xaxis=ticks | {"range": [0, 1]},
        yaxis=ticks | {"range": [0, 1.03]},
        annotations=labels["annotations"],
        shapes=labels["shapes"],
    )
    for curve, mean in zip(curves, means, strict=True):
        fig.add_trace(
            go.Scatter(
                x=curve.recall.astype(np.float32),
                y=mean.astype(np.float32),
                mode="lines",
                name=safe(curve.label),
                line={"color": curve.stroke.colour, "dash": curve.stroke.dash, "width": 2},
                hovertemplate=f"{safe(curve.label)}<br>recall %{{x:.2f}}, precision %{{y:.2f}}<extra></extra>",
            )
        )
    if np.isfinite(prevalence):
        fig.add_hline(
            y=prevalence,
            line={"color": NEUTRAL, "width": 1, "dash": "dot"},
            annotation={
                "text": safe(chance), "font": {"size": 12, "color": SOFT_INK[0]}, "xanchor": "left", "x": 0.01,
                "yanchor": "bottom" if prevalence < 0.9 else "top",
            },
        )  # fmt: skip
    return fig
