"""Differences to plain training: one row a method, one column a dataset and ratio; a number in each cell, its colour behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.charts.palette import SOFT_INK, frame, safe

ROW = 40
"""Pixels for each method."""
COLUMN = 82
"""Pixels for each column at least; where they do not fit, the picture scrolls sideways."""
BETTER, WORSE = "▲", "▼"
SCALE = [[0.0, "#F0A06B"], [0.5, "#F4F4F2"], [1.0, "#7FB8E0"]]
"""From worse (vermilion) over nothing to better (blue), light enough everywhere for black text."""
DEEP = 0.05
"""Differences of at least this size have the full colour where none is larger, so that noise has no strong colour."""


@dataclass(frozen=True)
class Square:
    """One cell. mean: difference of the means, None where there is none; mark: BETTER, WORSE or ''; why: what to say instead
    of a number.

    full: the difference in words, with its interval and p.
    """

    mean: float | None
    mark: str = ""
    why: str = ""
    full: str = ""

    @property
    def text(self) -> str:
        """'+0.041 ▲', 'running'."""
        if self.mean is None:
            return self.why
        written = f"{self.mean:+.3f}".replace("-", "−")
        written = written[1:] if float(f"{self.mean:.3f}") == 0 else written
        return f"{written} {self.mark}".rstrip()


def figure(methods: Sequence[str], columns: Sequence[tuple[str, str]], squares: Sequence[Sequence[Square]]) -> go.Figure:
    """Draw squares [M][C] of M methods on C columns (dataset, ratio), each with its number in words."""
    rows = [f"{i}. {safe(name, 24)}" for i, name in enumerate(methods, 1)]  # numbered: two may be cut to the same text
    heads = _heads(columns)
    z = np.array([[np.nan if s.mean is None else s.mean for s in line] for line in squares], dtype=np.float32)
    z = z.reshape(len(rows), len(heads))
    largest = max(DEEP, float(np.nanmax(np.abs(z))) if np.isfinite(z).any() else 0.0)
    fig = frame("", "", height=ROW * len(rows) + 8, ticks=3)
    fig.add_trace(
        go.Heatmap(
            z=z,
            x=heads,
            y=rows,
            zmin=-largest,
            zmax=largest,
            colorscale=SCALE,
            xgap=3,
            ygap=3,
            showscale=False,
            hoverinfo="skip",
        )
    )
    flat = [(r, c, s) for r, line in zip(rows, squares, strict=True) for c, s in zip(heads, line, strict=True)]
    fig.add_trace(
        go.Scatter(
            x=[c for _, c, _ in flat],
            y=[r for r, _, _ in flat],
            mode="text",
            text=[safe(s.text, 14) for _, _, s in flat],
            textfont={"size": 13, "color": [SOFT_INK[0] if s.mean is None else "#111111" for _, _, s in flat]},
            customdata=[safe(s.full or s.why, 300) for _, _, s in flat],
            hovertemplate="%{customdata}<extra></extra>",
            showlegend=False,
        )
    )
    fig.update_yaxes(categoryorder="array", categoryarray=rows[::-1], showgrid=False, fixedrange=True)
    fig.update_xaxes(categoryorder="array", categoryarray=heads, showgrid=False, fixedrange=True, tickangle=0)
    left = 24 + 7 * max(map(len, rows))
    fig.update_layout(hovermode="closest", margin={"l": left}, width=left + COLUMN * len(heads) + 12)
    fig.layout.annotations = ()
    return fig


def _heads(columns: Sequence[tuple[str, str]]) -> list[str]:
    """Ratio and, below it, the dataset; two that would be cut to the same text have their number in front."""
    cut = [(safe(dataset, 11), ratio) for dataset, ratio in columns]
    names = [f"{ratio}<br>{dataset}" for dataset, ratio in cut]
    if len(set(names)) == len(names):
        return names
    return [f"{ratio}<br>{i}: {dataset}" for i, (dataset, ratio) in enumerate(cut, 1)]


def table(methods: Sequence[str], columns: Sequence[tuple[str, str]], squares: Sequence[Sequence[Square]]) -> pd.DataFrame:
    """The differences in words, one row a method and column of the picture."""
    rows = [
        {"method": method, "dataset": dataset, "ratio": ratio, "difference to plain training": square.full or square.why}
        for method, line in zip(methods, squares, strict=True)
        for (dataset, ratio), square in zip(columns, line, strict=True)
    ]
    return pd.DataFrame(rows, columns=["method", "dataset", "ratio", "difference to plain training"])


def alt(methods: Sequence[str], columns: Sequence[tuple[str, str]], squares: Sequence[Sequence[Square]], metric: str) -> str:
    """What the picture says, for someone who cannot see it."""
    parts = []
    for method, line in zip(methods, squares, strict=True):
        better, worse = (
            [f"{d} at {r}" for (d, r), s in zip(columns, line, strict=True) if s.mark == m] for m in (BETTER, WORSE)
        )
        marked = [f"{word} on {', '.join(places)}" for word, places in (("better", better), ("worse", worse)) if places]
        parts.append(f"{method}: {' and '.join(marked) or 'nowhere clearly different'}")
    return f"Differences in {metric} to plain training. " + "; ".join(parts) + "."
