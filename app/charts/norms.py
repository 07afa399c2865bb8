"""Length of each class's output weights: an imbalanced fit leaves the small classes short."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.charts.palette import FEW, NEUTRAL, centre, frame, numbered, safe, spread, stroke, tick_lines


@dataclass(frozen=True)
class Norms:
    """One method's weight norms [R, C]; before: those of the last layer that it trained anew, None where there was none."""

    key: str
    label: str
    values: np.ndarray
    before: np.ndarray | None = None

    @property
    def anew(self) -> bool:
        """True where the last layer is another one than before."""
        return self.before is not None and not np.allclose(self.before, self.values, equal_nan=True)


def _names(classes: Sequence[str], counts: Sequence[float]) -> list[str]:
    if len(classes) > FEW:
        return numbered(classes, 8)
    # a number in front keeps two classes whose names are cut to the same text apart
    return [f"{i}: {safe(name, 22)}<br>{count:,.0f} rows" for i, (name, count) in enumerate(zip(classes, counts, strict=True))]


def figure(norms: Sequence[Norms], classes: Sequence[str], counts: Sequence[float]) -> go.Figure:
    """One group of bars a class (few classes: training rows below the name), one bar a method; whiskers: 2.5-97.5% of the replicates.

    A diamond in a bar is the norm before the method trained the last layer anew.
    """
    anew = any(item.anew for item in norms)
    fig = frame(
        "",
        "L2 norm of output weights",
        height=240,
        legend_rows=len(norms) + anew,
        ticks=tick_lines(_names(classes, counts)),
        barmode="group",
        scattermode="group",
        bargap=0.3,
        scattergap=0.3,
        xaxis={"type": "category"},
        yaxis={"rangemode": "tozero"},
    )
    for item in norms:
        mean, low, high = spread(item.values)
        whiskers = (
            {"type": "data", "array": high - mean, "arrayminus": mean - low, "thickness": 1} if len(item.values) > 1 else None
        )
        fig.add_trace(
            go.Bar(
                x=_names(classes, counts),
                y=mean.astype(np.float32),
                name=safe(item.label),
                marker={"color": stroke(item.key).colour},
                error_y=whiskers,
                hovertemplate=f"%{{y:.2f}}<extra>{safe(item.label)}</extra>",
                offsetgroup=item.key,
                legendgroup=item.key,
            )
        )
    for item in norms:
        if item.anew and item.before is not None:
            fig.add_trace(
                go.Scatter(
                    x=_names(classes, counts), y=centre(item.before).astype(np.float32), mode="markers", offsetgroup=item.key,
                    marker={"symbol": "diamond", "size": 9, "color": "#FFFFFF", "line": {"width": 2, "color": NEUTRAL}},
                    legendgroup=item.key, showlegend=False, hovertemplate=f"%{{y:.2f}}<extra>{safe(item.label)}, before</extra>",
                )
            )  # fmt: skip
    if anew:
        mark = {"symbol": "diamond", "size": 9, "color": "#FFFFFF", "line": {"width": 2, "color": NEUTRAL}}
        fig.add_trace(
            go.Scatter(x=[None], y=[None], mode="markers", marker=mark, name="before the last layer was trained anew")
        )
    return fig


def table(norms: Sequence[Norms], classes: Sequence[str], counts: Sequence[float]) -> pd.DataFrame:
    """Mean norms, one row a class."""
    columns: dict[str, object] = {"class": list(classes), "training rows": [float(c) for c in counts]}
    for item in norms:
        if item.anew and item.before is not None:
            columns[f"{item.label}, before"] = centre(item.before)
        columns[item.label] = centre(item.values)
    return pd.DataFrame(columns)


def alt(norms: Sequence[Norms], classes: Sequence[str]) -> str:
    """What the picture says, for someone who cannot see it."""
    parts = []
    for item in norms:
        mean = centre(item.values)
        each = ", ".join(f"{name} {value:.2f}" for name, value in zip(classes, mean, strict=True))
        parts.append(f"{item.label}: {each}")
    return "Mean L2 norm of each class's output weights. " + "; ".join(parts) + "."
