"""Charts as SVG text for a page that may load nothing: lines, intervals, bars. Colours come from the page's style sheet, by class.

Colour is never the only sign: lines differ in dash and mark too, and rows have their names. Names come from data and are escaped
here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.text import html

MARKS = {
    "dot": "M-3.5,0a3.5,3.5 0 1,0 7,0a3.5,3.5 0 1,0 -7,0z",
    "ring": "M-3.5,0a3.5,3.5 0 1,0 7,0a3.5,3.5 0 1,0 -7,0z",
    "up": "M0,-4.5L4.4,3.4H-4.4z",
    "down": "M0,4.5L4.4,-3.4H-4.4z",
    "square": "M-3.3,-3.3H3.3V3.3H-3.3z",
    "diamond": "M0,-4.6L4.6,0L0,4.6L-4.6,0z",
}
"""Paths around 0, 0. A ring is a dot that the page fills with its paper."""

STYLE = """\
svg{display:block;width:100%;height:auto}
svg text{fill:var(--soft);font:11px system-ui,sans-serif;paint-order:stroke;stroke:var(--paper);stroke-width:3px;stroke-linejoin:round}
svg .name{fill:var(--ink)}
.grid{stroke:var(--rule);stroke-width:1}
.axis,.level{fill:none}
.axis{stroke:var(--soft);stroke-width:1}
.level{stroke:var(--soft);stroke-width:1;stroke-dasharray:2 3}
.line{fill:none;stroke-width:2;stroke-linejoin:round}
.mark{stroke-width:1.5}
.mark.ring{fill:var(--paper)!important}
.a{stroke:var(--lead)}.a.mark,.a.bar{fill:var(--lead)}
.b{stroke:var(--plain)}.b.mark,.b.bar{fill:var(--plain)}
.b.line{stroke-dasharray:7 4}
.c{stroke:var(--warm)}.c.mark,.c.bar{fill:var(--warm)}
.c.line{stroke-dasharray:6 3 2 3}
.d{stroke:var(--green)}.d.mark,.d.bar{fill:var(--green)}
.d.line{stroke-dasharray:2 3}
.line.whole{stroke-dasharray:none}
.ends{fill:none;stroke-width:1.2;stroke-opacity:.8}
.dots{fill:none;stroke-width:3;stroke-linecap:round}
.dots.b{stroke-opacity:.45}
.dots.c{stroke-width:5}
.trail{fill:none;stroke-width:1.1;stroke-opacity:.75}
"""
"""For the page's style sheet, which defines --ink, --soft, --rule, --paper, --lead, --plain, --warm and --green. Styles of what is drawn:
a solid, b long dashes, c dash and dot, d dots."""


@dataclass(frozen=True)
class Line:
    """x, y [n]: NaN breaks the line. style: a, b, c or d. mark: one of MARKS at every `every`-th point, or none.

    low, high [n]: ends of each point's interval (NaN: none), or None. name: written at the line's end.
    """

    x: np.ndarray
    y: np.ndarray
    style: str = "a"
    mark: str = ""
    every: int = 1
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    name: str = ""

    @property
    def known(self) -> np.ndarray:
        """Which points there are, [n] bool."""
        found: np.ndarray = np.isfinite(self.x) & np.isfinite(self.y)
        return found


@dataclass(frozen=True)
class Row:
    """A named value with its interval (NaN: none), and the value as text."""

    name: str
    value: float
    text: str
    low: float = math.nan
    high: float = math.nan
    style: str = "a"
    mark: str = "dot"


def list_ticks(low: float, high: float, limit: int = 5) -> list[float]:
    """Round numbers in [low, high], at most `limit` + 1: multiples of 1, 2 or 5 times a power of ten. Empty where the range is."""
    span = high - low
    if not math.isfinite(span) or span <= 0:
        return []
    power: float = 10.0 ** math.floor(math.log10(span / limit))
    step = next(power * k for k in (1, 2, 5, 10) if power * k * limit >= span * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [k * step for k in range(first, last + 1)]


def draw_lines(
    drawn: Sequence[Line],
    *,
    label: str,
    x_title: str,
    y_title: str,
    x: tuple[float, float] = (0.0, 1.0),
    y: tuple[float, float] = (0.0, 1.0),
    level: float = math.nan,
    diagonal: bool = False,
    size: tuple[int, int] = (280, 210),
    x_ticks: Sequence[tuple[float, str]] = (),
) -> str:
    """A chart of lines over the ranges x and y. label: the text alternative. level: a dotted line at this height.

    x_ticks: (place, what is written there), ours; round numbers by default.
    """
    width, height = size
    left, right, top, bottom = 40, 8, 8, 36
    right += round(7.4 * max((len(line.name) for line in drawn), default=0))

    def at_x(v: float) -> float:
        return left + (v - x[0]) / (x[1] - x[0]) * (width - left - right)

    def at_y(v: float) -> float:
        return height - bottom - (v - y[0]) / (y[1] - y[0]) * (height - top - bottom)

    out = []
    for tick in list_ticks(*y):
        out.append(f'<path class="grid" d="M{left},{at_y(tick):.1f}H{width - right}"/>')
        out.append(f'<text x="{left - 5}" y="{at_y(tick) + 4:.1f}" text-anchor="end">{_format_tick(tick)}</text>')
    for tick, said in x_ticks or [(tick, _format_tick(tick)) for tick in list_ticks(*x)]:
        anchor = "end" if at_x(tick) > width - right - 8 else "middle"
        out.append(f'<text x="{at_x(tick):.1f}" y="{height - bottom + 14}" text-anchor="{anchor}">{said}</text>')
    out.append(f'<path class="axis" d="M{left},{top}V{height - bottom}H{width - right}"/>')
    out.append(f'<text x="{(left + width - right) / 2}" y="{height - 5}" text-anchor="middle">{html(x_title, 60)}</text>')
    middle = (top + height - bottom) / 2
    out.append(f'<text x="11" y="{middle}" text-anchor="middle" transform="rotate(-90 11 {middle})">{html(y_title, 60)}</text>')
    if diagonal:
        out.append(f'<path class="level" d="M{at_x(x[0]):.1f},{at_y(y[0]):.1f}L{at_x(x[1]):.1f},{at_y(y[1]):.1f}"/>')
    if math.isfinite(level):
        out.append(f'<path class="level" d="M{left},{at_y(level):.1f}H{width - right}"/>')
    for line in drawn:
        known = line.known
        path, pen = [], "M"
        for v, w, there in zip(line.x, line.y, known, strict=True):
            if there:
                path.append(f"{pen}{at_x(min(max(v, x[0]), x[1])):.1f},{at_y(min(max(w, y[0]), y[1])):.1f}")
            pen = "L" if there else "M"
        out.append(f'<path class="line {line.style}" d="{"".join(path)}"/>')
        if line.low is not None and line.high is not None:
            ends = [
                f"M{at_x(v):.1f},{at_y(min(max(a, y[0]), y[1])):.1f}V{at_y(min(max(b, y[0]), y[1])):.1f}"
                for v, a, b, there in zip(line.x, line.low, line.high, known, strict=True)
                if there and np.isfinite(a) and np.isfinite(b)
            ]
            out.append(f'<path class="ends {line.style}" d="{"".join(ends)}"/>')
        if line.mark:
            spots = np.flatnonzero(known)[:: max(1, line.every)]
            out += [_draw_mark(line.mark, line.style, at_x(line.x[i]), at_y(line.y[i])) for i in spots]
    named = [
        (at_y(min(max(line.y[line.known][-1], y[0]), y[1])), line.name) for line in drawn if line.name and line.known.any()
    ]
    for place, name in _push_apart(named, height - bottom):
        out.append(f'<text class="name" x="{width - right + 7}" y="{place + 4:.1f}">{html(name, 32)}</text>')
    return _write_svg(width, height, label, "".join(out))


def _push_apart(named: Sequence[tuple[float, str]], lowest: float) -> list[tuple[float, str]]:
    """Names with their heights, at least 14 apart and none below `lowest`."""
    out: list[tuple[float, str]] = []
    for place, name in sorted(named):
        out.append((max(place, out[-1][0] + 14) if out else place, name))
    for i in reversed(range(len(out))):
        most = lowest if i == len(out) - 1 else out[i + 1][0] - 14
        out[i] = (min(out[i][0], most), out[i][1])
    return out


def draw_intervals(rows: Sequence[Row], *, label: str, x_title: str, level: float = math.nan, lowest: float = math.nan) -> str:
    """One row each: name and text, and under them a mark with its interval. level: a dotted line through all rows.

    The range is that of the rows, not below `lowest`.
    """
    there = [v for r in rows for v in (r.value, r.low, r.high) if math.isfinite(v)] + ([level] if math.isfinite(level) else [])
    low, high = (min(there), max(there)) if there else (0.0, 1.0)
    room = 0.06 * (high - low) or 0.05
    low, high = low - room, high + room
    low = max(low, lowest) if math.isfinite(lowest) else low
    width, step, top, side = 400, 34, 4, 8
    height = top + step * len(rows) + 36

    def at(v: float) -> float:
        return side + (v - low) / (high - low) * (width - 2 * side)

    out = []
    base = top + step * len(rows) + 2
    for tick in list_ticks(low, high):
        edge = "start" if at(tick) < 16 else "end" if at(tick) > width - 16 else "middle"
        out.append(f'<path class="grid" d="M{at(tick):.1f},{top}V{base}"/>')
        out.append(f'<text x="{at(tick):.1f}" y="{base + 13}" text-anchor="{edge}">{_format_tick(tick)}</text>')
    if math.isfinite(level):
        out.append(f'<path class="level" d="M{at(level):.1f},{top}V{base}"/>')
    out.append(f'<text x="{width / 2}" y="{height - 5}" text-anchor="middle">{html(x_title, 70)}</text>')
    for k, row in enumerate(rows):
        y = top + step * k + 24
        out.append(f'<text class="name" x="{side}" y="{y - 11}">{html(row.name, 32)}</text>')
        out.append(f'<text x="{width - side}" y="{y - 11}" text-anchor="end">{html(row.text, 32)}</text>')
        if math.isfinite(row.low) and math.isfinite(row.high):
            a, b = at(max(row.low, low)), at(row.high)
            out.append(
                f'<path class="line {row.style} whole" d="M{a:.1f},{y}H{b:.1f}M{a:.1f},{y - 4}V{y + 4}M{b:.1f},{y - 4}V{y + 4}"/>'
            )
        if math.isfinite(row.value):
            out.append(_draw_mark(row.mark, row.style, at(max(row.value, low)), y))
    return _write_svg(width, height, label, "".join(out))


def draw_bars(rows: Sequence[Row], *, label: str) -> str:
    """One bar each from 0, with its name and text above it."""
    most = max((r.value for r in rows if math.isfinite(r.value)), default=1.0) or 1.0
    width, step = 400, 34
    out = []
    for k, row in enumerate(rows):
        y = step * k + 14
        out.append(f'<text class="name" x="1" y="{y}">{html(row.name, 34)}</text>')
        out.append(f'<text x="{width - 1}" y="{y}" text-anchor="end">{html(row.text, 30)}</text>')
        if math.isfinite(row.value):
            long = max(1.0, row.value / most * (width - 2))
            out.append(f'<rect class="bar {row.style}" x="1" y="{y + 4}" width="{long:.1f}" height="9"/>')
    return _write_svg(width, max(1, step * len(rows)), label, "".join(out))


def draw_moves(real: np.ndarray, rare: np.ndarray, start: np.ndarray, end: np.ndarray, *, label: str) -> str:
    """Points of two classes and the way of others: real [m, 2] in [-1, 1] with rare [m] bool, start and end [n, 2]. Real rows are dots,
    the rare ones larger; a way is a line that ends in a diamond. What lies outside is drawn at the edge."""
    width, height, room = 280, 210, 6

    def at(p: np.ndarray) -> np.ndarray:
        kept = np.clip(np.asarray(p, float), -1, 1)
        return np.stack(
            [room + (kept[:, 0] + 1) / 2 * (width - 2 * room), room + (1 - kept[:, 1]) / 2 * (height - 2 * room)], 1
        )

    def dots(points: np.ndarray, style: str) -> str:
        return f'<path class="dots {style}" d="{"".join(f"M{x:.0f},{y:.0f}h.1" for x, y in at(points))}"/>'

    ways = "".join(f"M{a:.0f},{b:.0f}L{c:.0f},{d:.0f}" for (a, b), (c, d) in zip(at(start), at(end), strict=True))
    marks = "".join(_draw_mark("diamond", "a", x, y) for x, y in at(end))
    drawn = f'{dots(real[~rare], "b")}<path class="trail a" d="{ways}"/>{dots(real[rare], "c")}{marks}'
    return _write_svg(width, height, label, drawn)


def draw_swatch(style: str, mark: str = "") -> str:
    """A piece of a line, for a legend in running text; its meaning is written beside it."""
    drawn = f'<path class="line {style}" d="M1,7H41"/>' + (_draw_mark(mark, style, 21, 7) if mark else "")
    return f'<svg class="swatch" viewBox="0 0 42 14" aria-hidden="true" focusable="false">{drawn}</svg>'


def _draw_mark(kind: str, style: str, x: float, y: float) -> str:
    return f'<path class="mark {style} {kind}" transform="translate({x:.1f} {y:.1f})" d="{MARKS[kind]}"/>'


def _format_tick(value: float) -> str:
    return f"{value:.6g}".replace("-", "\N{MINUS SIGN}") if abs(value) > 1e-12 else "0"


def _write_svg(width: int, height: int, label: str, inside: str) -> str:
    said = html(label, 400)
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{said}"><title>{said}</title>{inside}</svg>'
