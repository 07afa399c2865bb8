"""The share of the potential's gain that each method recovers, one line a method and place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go

from app.charts.palette import NEUTRAL, SOFT_INK, frame, safe, stroke

LINE = 26
"""Pixels for each share."""
PLACE = 22
"""Letters of a place's name at most."""
NARROWEST, WIDEST = -1.0, 2.0
"""Shares beyond these are drawn at the edge: where the potential gains little, a share can have any size."""


@dataclass(frozen=True)
class Share:
    """One method at one place (dataset, ratio): share of potential minus plain training that it recovers, with interval (NaN:
    none)."""

    key: str
    label: str
    place: str
    mean: float
    low: float
    high: float


def figure(shares: Sequence[Share]) -> go.Figure:
    """Dots with their interval, the first at the top; 0 is plain training, 1 the potential."""
    methods = list(dict.fromkeys((s.key, s.label) for s in shares))
    fig = frame("", "", height=LINE * max(1, len(shares)) + 20, legend_rows=len(methods))
    names = [f"{i}. {_shorten_place(s.place)}" for i, s in enumerate(shares, 1)]
    for key, label in methods:
        places = [(n, s) for n, s in zip(names, shares, strict=True) if (s.key, s.label) == (key, label)]
        at = [min(max(s.mean, NARROWEST), WIDEST) for _, s in places]
        fig.add_trace(
            go.Scatter(
                x=at,
                y=[n for n, _ in places],
                mode="markers",
                marker={"color": stroke(key).colour, "symbol": stroke(key).marker, "size": 10},
                error_x={
                    "type": "data",
                    "symmetric": False,
                    "array": [max(0.0, _clip_end(s.high, s.mean) - a) for (_, s), a in zip(places, at, strict=True)],
                    "arrayminus": [max(0.0, a - _clip_end(s.low, s.mean)) for (_, s), a in zip(places, at, strict=True)],
                    "thickness": 1.5,
                },
                name=safe(label),
                customdata=[safe(format_share(s), 80) for _, s in places],
                hovertemplate=f"%{{customdata}}<extra>{safe(label)}</extra>",
            )
        )
    for value, name, side in ((0.0, "plain training", "right"), (1.0, "potential", "left")):
        fig.add_vline(x=value, line={"color": NEUTRAL, "width": 1, "dash": "dot"}, annotation={
            "text": name, "font": {"size": 12, "color": SOFT_INK[0]}, "yanchor": "bottom", "y": 1, "xanchor": side, "showarrow": False,
        })  # fmt: skip
    ends = [v for s in shares for v in (s.mean, s.low, s.high) if math.isfinite(v)]
    low, high = min([-0.15, *ends]), max([1.15, *ends])
    fig.update_xaxes(range=[max(low, NARROWEST) - 0.05, min(high, WIDEST) + 0.05], tickformat=".0%")
    fig.update_yaxes(categoryorder="array", categoryarray=names[::-1])
    fig.update_layout(hovermode="closest", margin={"l": 20 + 7 * max(map(len, names), default=0)})
    fig.layout.annotations = fig.layout.annotations[1:]  # no title for the axis of places
    return fig


def _shorten_place(place: str) -> str:
    """A place cut to fit, its ratio kept."""
    dataset, _, ratio = place.rpartition(", ")
    return f"{safe(dataset, max(8, PLACE - len(ratio)))}, {safe(ratio, PLACE)}" if dataset else safe(place, PLACE)


def _clip_end(value: float, mean: float) -> float:
    return min(max(value if math.isfinite(value) else mean, NARROWEST), WIDEST)


def format_share(share: Share) -> str:
    """Return '43% [12%, 71%]'."""
    text = f"{100 * share.mean:.0f}%"
    if math.isfinite(share.low) and math.isfinite(share.high):
        text += f" [{100 * share.low:.0f}%, {100 * share.high:.0f}%]"
    return text.replace("-", "−")


def table(shares: Sequence[Share]) -> pd.DataFrame:
    """One row a share."""
    return pd.DataFrame(
        [{"place": s.place, "method": s.label, "share recovered": format_share(s)} for s in shares],
        columns=["place", "method", "share recovered"],
    )


def alt(shares: Sequence[Share]) -> str:
    """What the picture says, for someone who cannot see it."""
    return "Share of the potential recovered. " + "; ".join(f"{s.label} on {s.place} {format_share(s)}" for s in shares) + "."
