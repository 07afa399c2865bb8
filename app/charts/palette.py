"""Colours, dashes, the common frame of every picture, and text made safe for it. No streamlit.

Every colour has a light and a dark value, for white and for near-black paper: at least 3:1 against it. Charts are drawn with the light
ones; `recolour` turns a drawn figure dark. The catalog says which colour, dash and marker a method or control has; no two share all
three, so no picture tells them apart by colour alone.
"""

from __future__ import annotations

import dataclasses
import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go

from engine.spec.fields import catalog_field
from engine.spec.pens import DASHES, EARLIER, MARKERS, RESERVED, UNKNOWN

PAPERS = ("#FFFFFF", "#121315")
"""Light and dark paper."""
LEGEND_ROW = 22
"""Pixels a line of a legend takes."""
CONFIG = {"showSendToCloud": False, "displaylogo": False, "displayModeBar": False, "responsive": True}
"""For every `st.plotly_chart`: nothing is ever sent anywhere."""


COLOURS = {
    "green": ("#007E5B", "#2FE0AE"), "sky": ("#229DE2", "#57B4E9"), "orange": ("#A47100", "#FFBA1E"), "grey": ("#8A8A8A", "#868686"),
    "pink": ("#8C3D69", "#E2B3CD"), "vermilion": ("#8A3C00", "#FF9B4D"), "blue": ("#005A8C", "#0075B6"),
}  # fmt: skip
"""Light and dark values of `engine.spec.pens.COLOURS`. The names of dashes and markers are plotly's own."""
TWO_CLASSES = (("#0072B2", "#56B4E9"), ("#D55E00", "#FF8B3D"))
"""Majority and minority."""
HELPS, HARMS = ("#005C42", "#57E3B6"), ("#86125C", "#FFC9EA")
"""Synthetic points that lower and that raise the validation loss."""
INK, SOFT_INK = ("#26282C", "#EDEEF0"), ("#595A63", "#B5B3AC")
"""Text, and text that stands back."""
DESTRUCTIVE = ("#B3261E", "#FF8B7E")
"""Buttons that delete."""
MAJORITY, MINORITY = TWO_CLASSES[0][0], TWO_CLASSES[1][0]
NEUTRAL = COLOURS["grey"][0]


@dataclass(frozen=True)
class Stroke:
    """How one method is drawn: colour (#rrggbb), plotly dash and plotly marker symbol."""

    colour: str
    dash: str
    marker: str


CLASSES = (
    TWO_CLASSES[0], COLOURS["orange"], COLOURS["green"], COLOURS["pink"], TWO_CLASSES[1], ("#7A4FB5", "#B497F0"), ("#6E7500", "#C7D04A"),
    ("#1B8A94", "#4FD3DC"), ("#7A5230", "#C79A6B"), COLOURS["grey"],
)  # fmt: skip
"""Colours of more than two classes, in turn; a class's name or number always stands beside its colour."""
_CATALOG = Path(__file__).resolve().parents[2] / "engine" / "catalog.json"
_strokes: dict[str, Stroke] = {}
"""The strokes of the catalog that `use_catalog` got last."""
_changes = 0
"""How often they have changed."""


def read_strokes(catalog: Mapping[str, Any]) -> dict[str, Stroke]:
    """The stroke of every method, control and row of a paper's table that a catalog has, by its name, of `RESERVED` and of `EARLIER`."""
    pens = {key: dataclasses.asdict(pen) for key, pen in (RESERVED | EARLIER).items()}
    for entry in catalog["methods"]:
        names = (entry["name"], *catalog_field(entry, "paper_rows"))
        pens |= dict.fromkeys(names, catalog_field(entry, "pen")) | catalog_field(entry, "control_pens")
    return {
        key: Stroke(COLOURS.get(pen["colour"], COLOURS["grey"])[0], pen["dash"], pen["marker"]) for key, pen in pens.items()
    }


def use_catalog(catalog: Mapping[str, Any]) -> None:
    """Draw as this catalog says, in the whole process. Before the first call the committed catalog counts."""
    global _strokes, _changes
    strokes = read_strokes(catalog)
    if strokes != _strokes:
        _strokes, _changes = strokes, _changes + 1


def version() -> int:
    """A number that changes with the strokes."""
    return _changes


@cache
def _committed() -> dict[str, Stroke]:
    return read_strokes(json.loads(_CATALOG.read_text(encoding="utf-8")))


def stroke(key: str) -> Stroke:
    """The stroke of a method, control or row of a paper's table; grey, solid, with open circles for a key that is not known."""
    known = _strokes or _committed()
    return known.get(key) or Stroke(COLOURS[UNKNOWN.colour][0], UNKNOWN.dash, UNKNOWN.marker)


def distinct(count: int) -> list[Stroke]:
    """That many strokes; the first 42 differ in colour and dash, neighbours in all three."""
    colours = [light for light, _ in COLOURS.values()]
    return [
        Stroke(colours[i % 7], DASHES[(i % 7 + i // 7) % len(DASHES)], MARKERS[i % len(MARKERS)])
        for i in range(count)
    ]  # fmt: skip


def class_colours(count: int) -> list[str]:
    """A colour for each of that many classes; two have the colours of the player, the larger class's first."""
    return [MAJORITY, MINORITY] if count == 2 else [CLASSES[c % len(CLASSES)][0] for c in range(count)]


_DARK = {
    light.upper(): dark for light, dark in (*COLOURS.values(), *TWO_CLASSES, *CLASSES, HELPS, HARMS, INK, SOFT_INK, DESTRUCTIVE)
}


def find_pair(light: str) -> tuple[str, str]:
    """The light value and its dark one; a colour that is in no set stands for both."""
    return light, _DARK.get(light.upper(), light)


_RGBA = re.compile(r"rgba\((\d+),(\d+),(\d+),")


def recolour(drawn: Any) -> Any:
    """A drawn figure, as plotly writes it (dicts, lists, text), with the dark value of every light colour; all else as it is."""
    if isinstance(drawn, str):
        return _darken(drawn)
    if isinstance(drawn, Mapping):
        return {key: recolour(value) for key, value in drawn.items()}
    return [recolour(value) for value in drawn] if isinstance(drawn, (list, tuple)) else drawn


def _darken(text: str) -> str:
    if text[:1] == "#":
        return _DARK.get(text.upper(), text)
    if (parts := _RGBA.match(text)) and (dark := _DARK.get("#" + "".join(f"{int(part):02X}" for part in parts.groups()))):
        return "rgba({},{},{},".format(*(int(dark[i : i + 2], 16) for i in (1, 3, 5))) + text[parts.end() :]
    return text


def numbered(classes: Sequence[str], limit: int = 22) -> list[str]:
    """Class names as plotly shows them letter by letter; equal once cut, they are told apart by a number in front."""
    names = [safe(name, limit) for name in classes]
    return names if len(set(names)) == len(names) else [f"{i}: {name}" for i, name in enumerate(names)]


FEW = 5
"""Up to so many classes there is room for a name and a count below each."""


def tick_lines(names: Sequence[str]) -> int:
    """Lines of text that the ticks of a class axis need: where names do not fit side by side, plotly turns them upright."""
    return 3 if len(names) > FEW and max(map(len, names), default=0) > 3 else 2


def safe(text: object, limit: int = 40) -> str:
    """Text from data as plotly shows it letter by letter: plotly reads a subset of HTML, and TeX between dollars."""
    words = " ".join(str(text).split())
    words = words if len(words) <= limit else words[: limit - 1] + "…"
    return html.escape(words, quote=False).replace("$", "&#36;").replace("%{", "%&#123;")


def faint(colour: str, alpha: float) -> str:
    """#rrggbb as rgba with that opacity."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha:g})"


def frame(x: str, y: str, *, height: int = 300, legend_rows: int = 0, ticks: int = 1, **more: Any) -> go.Figure:
    """An empty figure with its axes named ('': not) and the legend below, one line an entry (`legend_rows` of them).

    height: pixels of the plot itself. ticks: lines of text in a tick's label. more: of plotly's layout, above what is usual here, such
    as xaxis={"range": [0, 1]}: given here it costs nothing, while `update_layout` of a figure takes plotly milliseconds a word.
    """
    below = (26 if x else 8) + 22 * ticks + LEGEND_ROW * legend_rows
    # All at once: made by itself and updated afterwards, a figure takes plotly eight times as long, and a page has six of them.
    layout: dict[str, Any] = {
        "height": height + below + 28,
        "margin": {"l": 44, "r": 12, "t": 28, "b": below, "autoexpand": False},
        "hovermode": "x unified",
        "showlegend": legend_rows > 0,
        "legend": {
            "orientation": "v",
            "yref": "container",
            "y": 0,
            "yanchor": "bottom",
            "xref": "container",
            "x": 0,
            "xanchor": "left",
            "itemwidth": 40,
            "font": {"size": 13},
            "bgcolor": "rgba(0,0,0,0)",
            "tracegroupgap": 0,
        },
        "hoverlabel": {"namelength": -1},
        "xaxis": {"title": {"text": x, "standoff": 16}, "zeroline": False, "automargin": False},
        "yaxis": {"zeroline": False, "automargin": False},
    }
    # above its axis and level, where it is read without turning the head and needs no margin of its own
    name = {"text": y, "x": 0, "xref": "paper", "xanchor": "left", "xshift": -40, "y": 1, "yref": "paper", "yanchor": "bottom"}
    layout["annotations"] = [name | {"yshift": 6, "showarrow": False, "font": {"size": 13}}]
    for word, value in more.items():
        usual = layout.get(word)
        if isinstance(usual, dict) and isinstance(value, dict):
            layout[word] = usual | value
        else:
            layout[word] = [*usual, *value] if isinstance(usual, list) else value
    return go.Figure(layout=layout)


def band(
    figure: go.Figure, x: np.ndarray, low: np.ndarray, high: np.ndarray, colour: str, group: str, alpha: float = 0.16
) -> None:
    """A shaded band between two curves; it has no legend entry of its own and says nothing on hover."""
    there = np.isfinite(low) & np.isfinite(high)
    x, low, high = x[there], low[there], high[there]
    figure.add_trace(
        go.Scatter(
            x=np.concatenate([x, x[::-1]]).astype(np.float32),
            y=np.concatenate([high, low[::-1]]).astype(np.float32),
            mode="lines",  # of few points plotly would draw marks too
            fill="toself",
            fillcolor=faint(colour, alpha),
            line={"width": 0},
            hoverinfo="skip",
            showlegend=False,
            legendgroup=group,
            name="",
        )
    )


def centre(rows: np.ndarray) -> np.ndarray:
    """Mean over the rows [R, N] of an array, NaN left out; NaN where a column is all NaN."""
    rows = np.atleast_2d(np.asarray(rows, dtype=float))
    there = np.isfinite(rows)
    count = there.sum(axis=0)
    total = np.where(there, rows, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def spread(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(mean, 2.5% and 97.5% quantiles) over the rows [R, N] of an array, NaN left out; NaN where a column is all NaN."""
    rows = np.atleast_2d(np.asarray(rows, dtype=float))
    out = np.full((2, rows.shape[1]), np.nan)
    count = np.isfinite(rows).sum(axis=0)
    for n in np.unique(count[count > 0]):  # columns with equally many values at once: numpy's own nanquantile takes each alone
        columns = count == n
        out[:, columns] = np.quantile(np.sort(rows[:, columns], axis=0)[:n], [0.025, 0.975], axis=0)
    return centre(rows), out[0], out[1]


def bracket(low: float, high: float, digits: int = 2) -> str:
    """' [0.36, 0.46]', or '' where there is no interval."""
    return f" [{low:.{digits}f}, {high:.{digits}f}]" if np.isfinite(low) and np.isfinite(high) else ""


def listed(names: Sequence[str]) -> str:
    """'a, b and c'."""
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1] if names else ""
