"""One cut marked in two pictures of a method: precision against recall, and cost against the cut."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from app.charts.palette import COLOURS, SOFT_INK, Stroke, frame

_GREEN = COLOURS["green"][0]
_MARGIN = {"l": 46, "r": 14, "t": 12, "b": 52, "autoexpand": False}


def draw_precision(
    recall: np.ndarray, precision: np.ndarray, pen: Stroke, at: int | None, label: str, *, x: str, y: str
) -> go.Figure:
    """Draw precision against recall over all cuts. at: place of the chosen cut, None for none; label: what stands at it."""
    there = np.isfinite(precision)
    fig = _frame(x, y)
    fig.add_trace(
        go.Scatter(
            x=recall[there].astype(np.float32), y=precision[there].astype(np.float32), mode="lines", name="",
            line={"color": pen.colour, "dash": pen.dash, "width": 2},
            hovertemplate=f"{x.lower()} %{{x:.2f}}, {y.lower()} %{{y:.2f}}<extra></extra>",
        )
    )  # fmt: skip
    if at is not None and np.isfinite(precision[at]):
        _mark(fig, float(recall[at]), float(precision[at]), label, below=recall[at] >= 0.5)
    for axis in (fig.update_xaxes, fig.update_yaxes):
        axis(range=[-0.03, 1.03], tickvals=[0, 0.5, 1], ticktext=["0", ".5", "1"])
    return fig


def draw_cost(grid: np.ndarray, cost: np.ndarray, at: int | None, label: str, lowest: str, *, x: str, y: str) -> go.Figure:
    """Draw the cost against the cut. at, label: as in `draw_precision`; lowest: what stands at its lowest point."""
    low = int(cost.argmin())
    place = np.minimum(grid, 1.0)
    fig = _frame(x, y)
    fig.add_trace(
        go.Scatter(
            x=place.astype(np.float32), y=cost.astype(np.float32), mode="lines", name="",
            line={"color": COLOURS["blue"][0], "width": 2}, hovertemplate="%{x:.2f}: %{y:,.1f}<extra></extra>",
        )
    )  # fmt: skip
    fig.add_trace(
        go.Scatter(
            x=[place[low]], y=[cost[low]], mode="markers", name="", hoverinfo="skip",
            marker={"symbol": "circle-open", "size": 10, "color": COLOURS["blue"][0]},
        )
    )  # fmt: skip
    if at is not None:
        _mark(fig, float(place[at]), float(cost[at]), label)
    if at != low:
        fig.add_annotation(
            x=float(place[low]), y=float(cost[low]), text=lowest, showarrow=False, yanchor="top", yshift=-8,
            xanchor="left" if place[low] < 0.5 else "right", font={"size": 12, "color": SOFT_INK[0]},
        )  # fmt: skip
    top = float(cost.max()) * 1.12 or 1.0
    fig.update_xaxes(range=[-0.03, 1.03], tickvals=[0, 0.5, 1], ticktext=["0", ".5", "1"])
    fig.update_yaxes(range=[-0.14 * top, top], nticks=4)
    return fig


def _frame(x: str, y: str) -> go.Figure:
    fig = frame(x, y, height=230, margin=_MARGIN | {"t": 30})
    fig.update_layout(hovermode="closest")
    return fig


def _mark(fig: go.Figure, x: float, y: float, label: str, *, below: bool = False) -> None:
    """Mark the cut: a line through the picture, a dot on the curve, and its numbers, right above it or left below it."""
    fig.add_vline(x=x, line={"color": _GREEN, "width": 2})
    fig.add_trace(
        go.Scatter(
            x=[x], y=[y], mode="markers", name="", hoverinfo="skip", marker={"size": 11, "color": _GREEN, "symbol": "circle"}
        )
    )
    left = below or x > 0.6
    fig.add_annotation(
        x=x, y=y, text=f"<b>{label}</b>", showarrow=False, xanchor="right" if left else "left", xshift=-10 if left else 10,
        yanchor="top" if below else "bottom", yshift=-6 if below else 4, font={"size": 12.5},
    )  # fmt: skip
