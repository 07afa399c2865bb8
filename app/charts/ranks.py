"""Mean ranks of methods over many data sets, and which cannot be told apart: Demsar's critical-difference diagram."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from app.charts.palette import COLOURS, NEUTRAL, frame, safe

MANY = 24
"""Methods above which lines stand closer."""


def figure(result: Mapping[str, Any]) -> go.Figure:
    """One line a method, the best at the top; bars at the right join methods within the critical difference.

    result: {ranks: method -> mean rank, critical_difference, cliques: [[method]]}, as `engine.stats.significance.compare_over_sets`
    gives.
    """
    order = sorted(result["ranks"], key=result["ranks"].__getitem__)
    names = [f"{i}. {safe(name, 30)}" for i, name in enumerate(order, 1)]  # numbered: two may be cut to the same text
    values = [result["ranks"][name] for name in order]
    fig = frame("Mean rank, 1 is best", "", height=(30 if len(order) <= MANY else 20) * len(order) + 20)
    best, width = values[0], result["critical_difference"]
    fig.add_trace(
        go.Scatter(
            x=[best, best + width],
            y=[names[0], names[0]],
            mode="lines",
            line={"color": NEUTRAL, "width": 6},
            opacity=0.5,
            name="",
            hovertemplate=f"critical difference {width:.2f}, from the best<extra></extra>",
        )
    )
    fig.add_trace(
        go.Scatter(
            x=values,
            y=names,
            mode="markers+text",
            marker={"color": COLOURS["green"][0], "size": 10},
            text=[f"{v:.2f}" for v in values],
            textposition="top center" if len(order) <= MANY else "middle right",
            cliponaxis=False,
            name="",
        )
    )
    right = max(*values, best + width) + 0.45
    for i, clique in enumerate(c for c in result["cliques"] if len(c) > 1):
        members = [n for n, name in zip(names, order, strict=True) if name in clique]
        fig.add_trace(
            go.Scatter(
                x=[right + 0.14 * i] * len(members),
                y=members,
                mode="lines+markers",
                line={"color": NEUTRAL, "width": 4},
                marker={"color": NEUTRAL, "size": 7},
                name="",
                hoverinfo="skip",
            )
        )
    fig.update_yaxes(categoryorder="array", categoryarray=names[::-1], automargin=True)
    fig.update_layout(hovermode="closest", margin={"l": 200, "r": 12, "t": 40})
    fig.layout.annotations = ()
    fig.add_annotation(
        x=best + width,
        y=names[0],
        text=f"critical difference {width:.2f}",
        xanchor="left",
        xshift=8,
        showarrow=False,
        font={"size": 12},
    )
    return fig


def alt(result: Mapping[str, Any]) -> str:
    """In words, for who cannot see it."""
    order = sorted(result["ranks"], key=result["ranks"].__getitem__)
    each = "; ".join(f"{name} {result['ranks'][name]:.2f}" for name in order)
    joined = "; ".join(" and ".join(c) for c in result["cliques"] if len(c) > 1)
    return f"Mean ranks over {result['sets']} sets: {each}. No difference found between: {joined or 'none'}."
