"""Costs of mistaking one class for another over the epochs, as a heat map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.charts.palette import centre, frame, safe

SCALE = [[0.0, "#7FB8E0"], [0.5, "#F4F4F2"], [1.0, "#F0A06B"]]
"""Below 0 blue, above it orange: the fields of the heat map of differences."""


def read_costs(arrays: Mapping[str, np.ndarray]) -> dict[tuple[int, int], np.ndarray]:
    """Return (class, called) -> costs [R, E], from `history/<phase>/cost/<class>/<called>`; {} where a run has none."""
    out = {}
    for key, values in arrays.items():
        parts = key.split("/")
        if len(parts) == 5 and parts[0] == "history" and parts[2] == "cost" and np.isfinite(values).any():
            out[int(parts[3]), int(parts[4])] = np.atleast_2d(np.asarray(values, dtype=float))
    return out


def _relate(costs: Mapping[tuple[int, int], np.ndarray]) -> dict[tuple[int, int], np.ndarray]:
    """Mean log2 of a cost over the cost of being called right [E], of every pair of two classes: the softmax sees no more of them."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return {(p, k): centre(np.log2(values / costs[p, p])) for (p, k), values in sorted(costs.items()) if p != k}


def figure(costs: Mapping[tuple[int, int], np.ndarray], classes: Sequence[str]) -> go.Figure:
    """One row a pair of classes, one column an epoch. Red: the mistake is dearer than being right; blue: cheaper."""
    rows = _relate(costs)
    names = [f"{p} {safe(classes[p], 12)} → {k} {safe(classes[k], 12)}" for p, k in rows]
    values = np.stack(list(rows.values())).astype(np.float32)
    far = float(np.nanmax(np.abs(values), initial=0.0)) or 1.0
    fig = frame(
        "Epoch",
        "",
        height=max(120, 18 * len(rows)),
        margin={"l": 170, "r": 76},
        yaxis={"autorange": "reversed", "showgrid": False},
    )
    fig.add_trace(
        go.Heatmap(
            x=np.arange(1, values.shape[1] + 1, dtype=np.float32), y=names, z=values, zmin=-far, zmax=far, colorscale=SCALE,
            colorbar={"title": {"text": "log2"}, "thickness": 10}, hovertemplate="%{y}<br>epoch %{x}: %{z:.2f}<extra></extra>",
        )
    )  # fmt: skip
    return fig


def table(costs: Mapping[tuple[int, int], np.ndarray], classes: Sequence[str]) -> pd.DataFrame:
    """Mean costs, one row an epoch, a column a pair of classes."""
    return pd.DataFrame(
        {f"{classes[p]} called {classes[k]} ({p}, {k})": pd.Series(centre(v)) for (p, k), v in sorted(costs.items())}
    ).rename_axis("epoch")


def alt(costs: Mapping[tuple[int, int], np.ndarray], classes: Sequence[str]) -> str:
    """What the picture says, for someone who cannot see it."""
    last = {
        pair: float(values[np.isfinite(values)][-1]) for pair, values in _relate(costs).items() if np.isfinite(values).any()
    }
    (p, k), most = max(last.items(), key=lambda item: item[1])
    return (
        f"Cost of each mistake over the cost of being right, over the epochs. Dearest at the end: {classes[p]} called {classes[k]}, "
        f"{2**most:.2f} times."
    )
