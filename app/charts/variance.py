"""Variance of the features within a class, round by round, for methods that draw features towards their own class."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.charts.palette import MAJORITY, MINORITY, SOFT_INK, band, centre, frame, spread

LINES = {
    "variance_minority": ("minority classes", MINORITY, "solid"),
    "variance_majority": ("majority classes", MAJORITY, "dash"),
}
"""history name -> (label, colour, dash)."""


def read_history(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return name of LINES -> [R, rounds], of the phase that has any; {} for a method without rounds."""
    history: dict[str, np.ndarray] = {}
    for key, values in arrays.items():
        name = key.rpartition("/")[2]
        if key.startswith("history/") and name in LINES and np.isfinite(values).any():
            history[name] = np.atleast_2d(np.asarray(values, dtype=float))
    return {name: history[name] for name in LINES if name in history}


def figure(values: Mapping[str, np.ndarray]) -> go.Figure:
    """Means over replicates of values [R, rounds], each line named at its end, with the band of 2.5-97.5% where there are several."""
    fig = frame("Round", "Variance of the features", height=240, margin={"r": 128})
    ends = {name: _last(spread(rows)[0]) for name, rows in values.items()}
    highest = max(ends, key=lambda name: ends[name][1], default="")
    for name, rows in values.items():
        label, colour, dash = LINES[name]
        mean, low, high = spread(rows)
        rounds = np.arange(1, len(mean) + 1, dtype=np.float32)
        if len(rows) > 1:
            band(fig, rounds, low, high, colour, name)
        fig.add_trace(
            go.Scatter(
                x=rounds,
                y=mean.astype(np.float32),
                mode="lines+markers",
                name=label,
                line={"color": colour, "dash": dash, "width": 2},
                hovertemplate=f"%{{y:.3g}}<extra>{label}</extra>",
                showlegend=False,
            )
        )
        at, value = ends[name]
        above = {"yanchor": "bottom", "yshift": 2} if name == highest else {"yanchor": "top", "yshift": -2}
        font = {"size": 12, "color": SOFT_INK[0]}
        fig.add_annotation(x=at + 1, y=value, text=label, xanchor="left", xshift=8, showarrow=False, font=font, **above)
    longest = max((rows.shape[1] for rows in values.values()), default=1)
    fig.update_xaxes(dtick=max(1, longest // 10))
    fig.update_yaxes(rangemode="tozero")
    return fig


def _last(mean: np.ndarray) -> tuple[int, float]:
    """The last finite value with its number."""
    at = int(np.flatnonzero(np.isfinite(mean))[-1]) if np.isfinite(mean).any() else 0
    return at, float(mean[at])


def table(values: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Means over replicates, one row a round."""
    columns = {LINES[name][0]: pd.Series(centre(rows)) for name, rows in values.items()}
    return pd.DataFrame(columns).rename_axis("round").rename(index=lambda i: i + 1)


def list_ends(values: Mapping[str, np.ndarray]) -> dict[str, tuple[float, float]]:
    """Return label -> (first, last) finite mean."""
    out = {}
    for name, rows in values.items():
        mean = centre(rows)
        kept = mean[np.isfinite(mean)]
        if len(kept):
            out[LINES[name][0]] = (float(kept[0]), float(kept[-1]))
    return out


def alt(values: Mapping[str, np.ndarray]) -> str:
    """What the picture says, for someone who cannot see it."""
    each = "; ".join(f"{label} from {a:.3g} to {b:.3g}" for label, (a, b) in list_ends(values).items())
    return f"Variance of the features within a class, mean over classes, round by round. {each or 'No values'}."
