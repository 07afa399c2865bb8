"""Features of training, test and synthetic rows laid out in two dimensions: one layer a kind of row, one colour a class."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from app.charts.palette import NEUTRAL, class_colours, faint, frame, numbered, safe

TRAIN, TEST, SYNTHETIC = range(3)
KINDS = ("training rows", "test rows", "synthetic rows")
_MARKS = (
    {"symbol": "circle", "size": 6, "opacity": 0.6},
    {"symbol": "square-open", "size": 7, "opacity": 0.9},
    {"symbol": "diamond-tall-open", "size": 9, "opacity": 0.8},
)
WRONG = "test rows that are misclassified"


@dataclass(frozen=True)
class Map:
    """A sample of rows with its places: xy [n, 2], y, part, predicted, row [n] and enemy [n] as in the artifact
    `features/<r>`."""

    xy: np.ndarray
    y: np.ndarray
    part: np.ndarray
    predicted: np.ndarray
    row: np.ndarray
    enemy: np.ndarray

    @property
    def wrong(self) -> np.ndarray:
        """Test rows that the network takes for another class [n] bool."""
        return (self.part == TEST) & (self.predicted != self.y)

    @property
    def joined(self) -> np.ndarray:
        """Synthetic rows whose enemy is in the sample [n] bool."""
        return (self.part == SYNTHETIC) & (self.enemy >= 0)


def figure(
    sample: Map,
    classes: Sequence[str],
    *,
    shown: Collection[int] | None = None,
    kinds: Collection[int] = (TRAIN, TEST, SYNTHETIC),
    enemies: bool = False,
    wrong: bool = False,
    axes: tuple[str, str] = ("", ""),
) -> go.Figure:
    """Marks by kind of row (symbol) and class (colour, and its name where the class lies); customdata is the place in the
    sample.

    shown: numbers of the classes to draw, None: all. enemies: join synthetic rows to their enemies. wrong: cross misclassified
    test rows.
    """
    keep = np.isin(sample.part, list(kinds))
    keep &= True if shown is None else np.isin(sample.y, list(shown))
    names, colours = numbered(classes, 16), np.array(class_colours(len(classes)))
    layers = [k for k in range(3) if (keep & (sample.part == k)).any()]
    lines = enemies and (keep & sample.joined).any()
    crossed = keep & sample.wrong if wrong else np.zeros(len(keep), bool)
    bare = {"showticklabels": False, "showgrid": False, "ticks": ""}
    fig = frame(
        axes[0],
        axes[1],
        height=480,
        legend_rows=len(layers) + bool(lines) + bool(crossed.any()),
        ticks=0,
        hovermode="closest",
        dragmode="lasso",
        xaxis=bare,
        yaxis=bare,
        annotations=_class_labels(sample, keep, names, colours),
    )
    if lines:
        _add_enemies(fig, sample, np.flatnonzero(keep & sample.joined))
    for kind in layers:
        _add_layer(fig, sample, kind, np.flatnonzero(keep & (sample.part == kind)), names, colours)
    if crossed.any():
        _add_crosses(fig, sample, np.flatnonzero(crossed), names)
    return fig


def _add_enemies(fig: go.Figure, sample: Map, at: np.ndarray) -> None:
    """Draw a line from each of these synthetic rows to its enemy. at: places in the sample."""
    ends = np.stack([sample.xy[at], sample.xy[sample.enemy[at]], np.full((len(at), 2), np.nan)], axis=1).reshape(-1, 2)
    fig.add_trace(
        go.Scatter(
            x=ends[:, 0].astype(np.float32), y=ends[:, 1].astype(np.float32), mode="lines", hoverinfo="skip",
            line={"color": faint(NEUTRAL, 0.35), "width": 1}, name="from a synthetic row to its enemy",
        )
    )  # fmt: skip


def _add_layer(fig: go.Figure, sample: Map, kind: int, at: np.ndarray, names: Sequence[str], colours: np.ndarray) -> None:
    """Draw the rows of one kind, and their entry of the legend. at: places in the sample."""
    texts = [_hover(sample, i, names) for i in at]
    fig.add_trace(
        go.Scatter(
            x=sample.xy[at, 0].astype(np.float32), y=sample.xy[at, 1].astype(np.float32), mode="markers",
            marker=_MARKS[kind] | {"color": colours[sample.y[at]].tolist()}, customdata=at, text=texts,
            hovertemplate=f"%{{text}}<extra>{KINDS[kind]}</extra>", legendgroup=KINDS[kind], showlegend=False,
            selected={"marker": {"opacity": 1}}, unselected={"marker": {"opacity": 0.25}},
        )
    )  # fmt: skip
    fig.add_trace(  # the layer's own legend entry: in the legend a colour would name a class
        go.Scatter(x=[None], y=[None], mode="markers", marker=_MARKS[kind] | {"color": NEUTRAL, "opacity": 1},
                   legendgroup=KINDS[kind], name=KINDS[kind])
    )  # fmt: skip


def _add_crosses(fig: go.Figure, sample: Map, at: np.ndarray, names: Sequence[str]) -> None:
    """Cross these rows out as misclassified. at: places in the sample."""
    fig.add_trace(
        go.Scatter(
            x=sample.xy[at, 0].astype(np.float32), y=sample.xy[at, 1].astype(np.float32), mode="markers", name=WRONG,
            marker={"symbol": "x-thin", "size": 9, "line": {"width": 2, "color": NEUTRAL}}, customdata=at,
            text=[_hover(sample, i, names) for i in at], hovertemplate="%{text}<extra>misclassified</extra>",
        )
    )  # fmt: skip


def _class_labels(sample: Map, keep: np.ndarray, names: Sequence[str], colours: np.ndarray) -> list[dict[str, Any]]:
    """The name of each class where the middle of its real rows is, as plotly's annotations."""
    out = []
    for c, name in enumerate(names):
        real = keep & (sample.y == c) & (sample.part != SYNTHETIC)
        rows = real if real.any() else keep & (sample.y == c)
        if rows.any():
            x, y = np.median(sample.xy[rows], axis=0)
            look = {"showarrow": False, "font": {"size": 13, "color": "#FFFFFF"}, "borderpad": 2, "opacity": 0.92}
            place = {"x": float(x), "y": float(y), "text": f"<b>{name}</b>", "bgcolor": _deep(str(colours[c]))}
            out.append(look | place)
    return out


def _deep(colour: str) -> str:
    """Return the colour dark enough to put white letters on."""
    red, green, blue = (int(int(colour[i : i + 2], 16) * 0.62) for i in (1, 3, 5))
    return f"#{red:02X}{green:02X}{blue:02X}"


def _hover(sample: Map, i: int, names: Sequence[str]) -> str:
    taken = names[sample.predicted[i]]
    true = f"class {names[sample.y[i]]}"
    row = "" if sample.part[i] == SYNTHETIC else f"row {sample.row[i]}, "
    return f"{row}{true}" + ("" if sample.predicted[i] == sample.y[i] else f", taken for {taken}")


def alt(sample: Map, classes: Sequence[str], technique: str) -> str:
    """What the picture says, for someone who cannot see it."""
    counts = [int((sample.part == k).sum()) for k in range(3)]
    parts = ", ".join(f"{n} {kind}" for n, kind in zip(counts, KINDS, strict=True) if n)
    wrong, tests = int(sample.wrong.sum()), counts[TEST]
    errors = f" {wrong} of the {tests} test rows are misclassified." if tests else ""
    middles = []
    for c, name in enumerate(classes):
        rows = (sample.y == c) & (sample.part == TRAIN)
        if rows.any():
            middles.append(f"{safe(name, 30)} {rows.sum()}")
    return f"{technique} of the network's features: {parts}.{errors} Training rows shown of each class: {', '.join(middles)}."
