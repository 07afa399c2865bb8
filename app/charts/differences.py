"""Paired differences to plain training: a column a dataset, a row a method, its ratios inside; a dot and its interval each.

A dot is filled only where its interval leaves zero out; the interval is at the level of the difference's step of Holm's correction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.charts import marks
from app.charts.marks import Scale, text
from app.charts.palette import stroke
from engine.stats.intervals import Interval

HEIGHT = 560
"""Pixels of a panel's rows at most, as long as they are no closer than CLOSEST."""
WIDEST, CLOSEST = 29.0, 18.0
"""Pixels between two ratios."""
SIDEWAYS = 6
"""Datasets that fit beside each other; above these the panels scroll."""
FULL, NARROW = 190, 132
"""Pixels of a panel's width at least, where they scroll and where they do not."""
WIDE = {1: 640, 2: 480}
"""Datasets -> pixels of a panel's width at most."""


@dataclass(frozen=True)
class Spot:
    """One cell. state: done, or why there is no dot: failed, running, waits, missing. interval: of the difference (NaN: none).

    better: None where zero is inside. tip: its words; press: what a press gives, '' for nothing.
    """

    state: str
    interval: Interval | None = None
    better: bool | None = None
    tip: str = ""
    press: str = ""


@dataclass(frozen=True)
class Column:
    """A dataset. spots: (method's key, ratio's label) -> its cell; rows: '2,000 rows'."""

    name: str
    title: str
    rows: str
    spots: Mapping[tuple[str, str], Spot]


def draw(methods: Sequence[tuple[str, str]], ratios: Sequence[str], columns: Sequence[Column], note: str, help: str) -> str:
    """Return the picture. methods: (key, title); ratios: labels, in their order. note: what is drawn; help: at its right."""
    scale = find_scale(columns)
    pitch = min(WIDEST, max(CLOSEST, (HEIGHT / max(1, len(methods)) - 25) / max(1, len(ratios))))
    block = pitch * len(ratios) + 25
    height = block * len(methods)
    least, most = FULL if len(columns) > SIDEWAYS else NARROW, WIDE.get(len(columns), FULL * 2)
    pills = "".join(
        f'<button type="button" data-choose="{text(c.name)}" aria-pressed="false">{text(c.title)}</button>' for c in columns
    )
    names = "".join(_draw_names(key, title, ratios, block, pitch) for key, title in methods)
    panels = "".join(_draw_panel(c, methods, ratios, scale, block, pitch, height) for c in columns)
    return (
        f'<div role="group" aria-label="{text(alt(methods, columns))}">'
        + (f'<div class="pills" role="group" aria-label="Dataset">{pills}</div>' if len(columns) > 1 else "")
        + f'<div class="scroll" style="--least:{least}px;--most:{most}px"><div class="panels">'
        + f'<div class="names">{names}</div>{panels}</div></div>'
        + f'<p class="quiet note"><span>{text(note)}</span><span>{text(help)}</span></p></div>'
    )


def find_scale(columns: Sequence[Column]) -> Scale:
    """Return the scale that all panels have."""
    return marks.span_differences([s.interval for c in columns for s in c.spots.values() if s.interval is not None])


def _find_top(number: int, pitch: float) -> float:
    """Pixels from the top of a method's rows to the middle of its ratio of that number."""
    return 12.5 + pitch * (number + 0.5)


def _draw_names(key: str, title: str, ratios: Sequence[str], block: float, pitch: float) -> str:
    at = "".join(
        f'<span class="ratio" style="top:{_find_top(i, pitch):g}px">{text(label)}</span>' for i, label in enumerate(ratios)
    )
    pen = marks.both(stroke(key).colour)
    top = max(6, _find_top(0, pitch) - 9)
    return (
        f'<div class="method" style="height:{block:g}px;padding-top:{top:g}px" title="{text(title)}">'
        f'<span><i style="--pen:{pen}"></i>{text(title)}</span>{at}</div>'
    )


def _draw_panel(
    column: Column,
    methods: Sequence[tuple[str, str]],
    ratios: Sequence[str],
    scale: Scale,
    block: float,
    pitch: float,
    height: float,
) -> str:
    drawn = [marks.draw_zero(scale)]
    for row, (key, _) in enumerate(methods):
        if row:
            drawn.append(f'<span class="block" style="top:{row * block:g}px"></span>')
        for number, label in enumerate(ratios):
            if (spot := column.spots.get((key, label))) is not None:
                drawn.append(
                    _draw_spot(spot, key, scale, row * block + _find_top(number, pitch), f"{column.name}|{key}|{label}")
                )
    return (
        f'<div class="panel" data-part="{text(column.name)}"><div class="head"><b title="{text(column.title)}">{text(column.title)}</b>'
        f'<span class="quiet">{text(column.rows)}</span></div>'
        f'<div class="box"><div class="lane" style="height:{height:g}px">{"".join(drawn)}</div></div>'
        f'<div class="lane axis">{marks.draw_change_axis(scale)}</div></div>'
    )


def _draw_spot(spot: Spot, key: str, scale: Scale, top: float, name: str) -> str:
    if spot.interval is None:
        look = {"failed": "failed", "running": "runs"}.get(spot.state, "waits")
        return marks.draw_mark(scale.at(0.0), top, "", look=look, tip=spot.tip, press=spot.press, name=name)
    filled = spot.better is not None
    pen = marks.both(stroke(key).colour) if filled else ""
    mark = marks.draw_mark(
        scale.at(spot.interval.mean), top, pen, look="filled" if filled else "", tip=spot.tip, press=spot.press, name=name
    )
    return marks.draw_bar(scale, spot.interval, top, pen, filled=filled) + mark


def alt(methods: Sequence[tuple[str, str]], columns: Sequence[Column]) -> str:
    """What the picture says, for someone who cannot see it."""
    parts = []
    for key, title in methods:
        said = []
        for word, wanted in (("better", True), ("worse", False)):
            places = [
                f"{c.title} at {label}" for c in columns for (m, label), s in c.spots.items() if m == key and s.better is wanted
            ]
            said += [f"{word} on {', '.join(places)}"] if places else []
        parts.append(f"{title}: {' and '.join(said) or 'no difference found'}")
    return "Differences to plain training. " + "; ".join(parts) + "."
