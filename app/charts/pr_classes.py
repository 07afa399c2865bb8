"""Precision against recall on the test rows, one curve a class against the rest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.charts.palette import bracket, centre, class_colours, frame, numbered
from engine.stats.intervals import Interval

DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")


def figure(recall: np.ndarray, precision: np.ndarray, classes: Sequence[str], scores: Sequence[Interval]) -> go.Figure:
    """Means over replicates. recall [G]; precision [R, C, G]; scores: average precision of each class."""
    ticks = {"tickvals": [0, 0.25, 0.5, 0.75, 1]}
    fig = frame(
        "Recall of the class",
        "Precision",
        height=320,
        legend_rows=len(classes),
        hovermode="closest",
        xaxis=ticks | {"range": [0, 1.005]},
        yaxis=ticks | {"range": [0, 1.03]},
    )
    for c, (name, score) in enumerate(zip(numbered(classes), scores, strict=True)):
        fig.add_trace(
            go.Scatter(
                x=recall.astype(np.float32),
                y=centre(precision[:, c]).astype(np.float32),
                mode="lines",
                name=f"{name} · AP {score.mean:.2f}{bracket(score.low, score.high)}",
                line={"color": class_colours(len(classes))[c], "dash": DASHES[c % len(DASHES)], "width": 2},
                hovertemplate=f"recall %{{x:.2f}}, precision %{{y:.2f}}<extra>{name}</extra>",
            )
        )
    return fig


def table(
    recall: np.ndarray, precision: np.ndarray, classes: Sequence[str], at: Sequence[float] = (0.25, 0.5, 0.75, 1)
) -> pd.DataFrame:
    """Mean precision at a few recalls, one row a class."""
    places = [min(int(np.searchsorted(recall, r - 1e-9)), len(recall) - 1) for r in at]
    rows = [[name, *centre(precision[:, c])[places]] for c, name in enumerate(classes)]
    return pd.DataFrame(rows, columns=["class", *(f"precision at recall {r:g}" for r in at)])


def alt(classes: Sequence[str], scores: Sequence[Interval]) -> str:
    """What the picture says, for someone who cannot see it."""
    each = "; ".join(f"{name} {s.mean:.2f}{bracket(s.low, s.high)}" for name, s in zip(classes, scores, strict=True))
    return f"Precision-recall curves on the test rows, each class against the rest. Average precision: {each}."
