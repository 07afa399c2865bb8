"""Paired dots: a measure of each class in two or three runs or states, hollow and filled, rare classes on the right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.charts.palette import FEW, NEUTRAL, SOFT_INK, centre, faint, frame, numbered, safe, spread, stroke, tick_lines

APART = 16
"""Pixels between two labels at least."""


@dataclass(frozen=True)
class Dots:
    """One run's or state's values per class [R, C]; NaN: not measured. key: of its pen; hollow: what the filled ones are held against."""

    key: str
    label: str
    values: np.ndarray
    hollow: bool = False


def order_classes(counts: Sequence[float]) -> np.ndarray:
    """Numbers of the classes, those with most training rows first."""
    return np.argsort(-np.asarray(counts, dtype=float), kind="stable")


def figure(
    series: Sequence[Dots], classes: Sequence[str], counts: Sequence[float], *, measure: str, height: int = 148
) -> go.Figure:
    """One column of dots a class, joined by a line; each series is named at its right end.

    counts: training rows of each class, which hover shows. measure: what the axis is. height: pixels of the plot.
    """
    order = order_classes(counts)
    names = [numbered(classes, 14 if len(classes) <= FEW else 8)[c] for c in order]
    place = np.arange(len(classes), dtype=np.float32)
    means = [centre(one.values)[order] for one in series]
    top = max((float(np.nanmax(mean)) for mean in means if np.isfinite(mean).any()), default=1.0) * 1.08 or 1.0
    least = min((float(np.nanmin(mean)) for mean in means if np.isfinite(mean).any()), default=0.0)
    bottom = least - 0.1 * (top - least) if least < 0 else 0.0
    fig = frame(
        "",
        measure,
        height=height,
        ticks=tick_lines(names),
        margin={"r": 132},
        hovermode="closest",
        xaxis={"tickvals": place, "ticktext": names, "range": [-0.6, len(classes) - 0.4], "showgrid": False},
        yaxis={"range": [bottom, top], "nticks": 5, "zeroline": False},
        annotations=_name_ends(series, means, bottom, top, height),
    )
    if len(means) > 1:
        ways = np.column_stack([np.fmin.reduce(means), np.fmax.reduce(means), np.full(len(place), np.nan)]).ravel()
        fig.add_trace(
            go.Scatter(
                x=np.repeat(place, 3), y=ways.astype(np.float32), mode="lines", line={"color": faint(NEUTRAL, 0.45), "width": 2},
                hoverinfo="skip", showlegend=False,
            )
        )  # fmt: skip
    for one, mean in zip(series, means, strict=True):
        _add_dots(fig, one, mean, place, order, counts)
    return fig


def _add_dots(
    fig: go.Figure, one: Dots, mean: np.ndarray, place: np.ndarray, order: np.ndarray, counts: Sequence[float]
) -> None:
    """Draw one series. mean [C] and order [C]: in the order of the axis; counts: of the classes as they are numbered."""
    ink = stroke(one.key).colour
    _, low, high = spread(one.values[:, order])
    several = len(one.values) > 1
    texts = [
        f"{safe(one.label)}: {value:.3g}"
        + (f"<br>95% of the replicates: {a:.3g} to {b:.3g}" if several and np.isfinite(a) else "")
        + f"<br>{counts[c]:,.0f} training rows"
        for c, value, a, b in zip(order, mean, low, high, strict=True)
    ]
    marker = {"symbol": "circle-open" if one.hollow else "circle", "size": 10, "color": ink, "line": {"width": 2, "color": ink}}
    fig.add_trace(
        go.Scatter(
            x=place, y=mean.astype(np.float32), mode="markers", marker=marker, name=safe(one.label), text=texts,
            hovertemplate="%{text}<extra></extra>", showlegend=False,
        )
    )  # fmt: skip


def _name_ends(
    series: Sequence[Dots], means: Sequence[np.ndarray], bottom: float, top: float, height: int
) -> list[dict[str, object]]:
    """The names of the series at the height of their last dots, APART from each other."""
    ends = []
    for one, mean in zip(series, means, strict=True):
        there = mean[np.isfinite(mean)]
        if len(there):
            ends.append(((float(there[-1]) - bottom) / (top - bottom) * height, one))
    ends.sort(key=lambda pair: pair[0])
    heights: list[float] = []
    for y, _ in ends:
        heights.append(max(y, heights[-1] + APART) if heights else y)
    over = max(0.0, heights[-1] - height) if heights else 0.0
    return [
        {
            "x": 1, "xref": "paper", "xanchor": "left", "xshift": 6, "y": 0, "yref": "paper", "yanchor": "middle", "yshift": y - over,
            "text": f"{'○' if one.hollow else '●'} {safe(one.label, 18)}", "showarrow": False, "font": {"size": 12, "color": SOFT_INK[0]},
        }
        for y, (_, one) in zip(heights, ends, strict=True)
    ]  # fmt: skip


def table(series: Sequence[Dots], classes: Sequence[str], counts: Sequence[float]) -> pd.DataFrame:
    """Means, one row a class, a column a series."""
    columns: dict[str, object] = {"class": list(classes), "training rows": [float(c) for c in counts]}
    return pd.DataFrame(columns | {one.label: centre(one.values) for one in series})


def alt(series: Sequence[Dots], classes: Sequence[str], *, measure: str) -> str:
    """What the picture says, for someone who cannot see it."""
    parts = []
    for one in series:
        each = ", ".join(f"{name} {_format_value(value)}" for name, value in zip(classes, centre(one.values), strict=True))
        parts.append(f"{one.label}: {each}")
    return f"{measure} per class. " + "; ".join(parts) + "."


def _format_value(value: float) -> str:
    return f"{value:.3g}" if np.isfinite(value) else "not measured"
