"""Mean ranks of methods over many data sets, and which cannot be told apart: Demsar's critical-difference diagram."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from app.charts.palette import COLOURS, NEUTRAL, frame, safe

MANY = 20
"""Methods above which lines stand closer, and no bars join them: they would hide each other."""


def figure(result: Mapping[str, Any]) -> go.Figure:
    """One line a method, the best at the top; bars at the right join methods within the critical difference. Of many, a line stands where
    the best one's ends, and methods beyond it are hollow.

    result: {ranks: method -> mean rank, critical_difference, cliques: [[method]]}, as `engine.stats.significance.compare_over_sets`
    gives.
    """
    order = sorted(result["ranks"], key=result["ranks"].__getitem__)
    names = [f"{i}. {safe(name, 30)}" for i, name in enumerate(order, 1)]  # numbered: two may be cut to the same text
    values = [result["ranks"][name] for name in order]
    many = len(order) > MANY
    fig = frame("Mean rank, 1 is best", "", height=(20 if many else 30) * len(order) + (90 if many else 20))
    best, width = values[0], result["critical_difference"]
    dots = go.Scatter(
        x=values,
        y=names,
        mode="markers+text",
        marker={
            "color": COLOURS["green"][0],
            "size": 10,
            "symbol": ["circle-open" if many and value > best + width else "circle" for value in values],
        },
        text=[f"{v:.2f}" for v in values],
        textposition="middle right" if many else "top center",
        cliponaxis=False,
        name="",
    )
    fig.update_yaxes(categoryorder="array", categoryarray=names[::-1], automargin=True)
    fig.update_layout(hovermode="closest", margin={"l": 200, "r": 12, "t": 40})
    if many:
        fig.add_trace(dots)
        fig.add_vline(x=best + width, line={"color": NEUTRAL, "width": 1, "dash": "dash"})
        fig.update_xaxes(range=[0, max(*values, best + width) * 1.15])  # room for the last number
        fig.update_yaxes(range=[-0.7, len(names) - 0.3])
        fig.layout.annotations = ()
        return fig
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
    fig.add_trace(dots)
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
    if len(order) > MANY:
        end = result["ranks"][order[0]] + result["critical_difference"]
        beyond = [name for name in order if result["ranks"][name] > end]
        far = f"Beyond the critical difference from the best: {', '.join(beyond) or 'none'}."
        return f"Mean ranks over {result['sets']} sets: {each}. {far}"
    joined = "; ".join(" and ".join(c) for c in result["cliques"] if len(c) > 1)
    return f"Mean ranks over {result['sets']} sets: {each}. No difference found between: {joined or 'none'}."
