"""Numbers of a paper's table beside what was measured here, one line a cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from app.charts.palette import MAJORITY, MINORITY, frame, safe

LINE = 26
"""Pixels for each cell."""


@dataclass(frozen=True)
class Line:
    """One cell. name: dataset, method and what else names it.
    low, high: 95% of the mean, or None; published: None where nothing is."""

    name: str
    mean: float | None
    low: float | None
    high: float | None
    published: float | None


def figure(lines: Sequence[Line], metric: str) -> go.Figure:
    """Draw dots with their interval for our values and open diamonds for the paper's, the first cell at the top."""
    fig = frame(metric, "", height=LINE * max(1, len(lines)) + 10, legend_rows=2)
    # a number in front keeps two lines apart whose names are cut to the same text
    names = [f"{i}. {safe(line.name, 40)}" for i, line in enumerate(lines, 1)]
    there = [(n, line) for n, line in zip(names, lines, strict=True) if line.mean is not None]
    means = [line.mean or 0.0 for _, line in there]
    fig.add_trace(
        go.Scatter(
            x=means,
            y=[n for n, _ in there],
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [
                    (line.mean if line.high is None else line.high) - m for (_, line), m in zip(there, means, strict=True)
                ],
                "arrayminus": [
                    m - (line.mean if line.low is None else line.low) for (_, line), m in zip(there, means, strict=True)
                ],
                "thickness": 2,
            },
            mode="markers",
            marker={"color": MAJORITY, "size": 9},
            name="measured here, with 95% of the mean",
        )
    )
    printed = [(n, line.published) for n, line in zip(names, lines, strict=True) if line.published is not None]
    fig.add_trace(
        go.Scatter(
            x=[value for _, value in printed],
            y=[n for n, _ in printed],
            mode="markers",
            marker={"color": MINORITY, "size": 11, "symbol": "diamond-open", "line": {"width": 2}},
            name="printed in the paper",
        )
    )
    fig.update_yaxes(categoryorder="array", categoryarray=names[::-1], automargin=True)
    fig.update_layout(hovermode="closest", margin={"l": 230})
    fig.layout.annotations = ()
    return fig


def alt(lines: Sequence[Line], metric: str) -> str:
    """In words, for who cannot see it."""
    parts = []
    for line in lines[:12]:
        mine = "not measured" if line.mean is None else f"{line.mean:.3f}"
        theirs = "nothing printed" if line.published is None else f"printed {line.published:.3f}"
        parts.append(f"{line.name}: {mine}, {theirs}")
    more = f" and {len(lines) - 12} more" if len(lines) > 12 else ""
    return f"{metric} of {len(lines)} cells. " + "; ".join(parts) + more
