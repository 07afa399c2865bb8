"""Seconds of training and a score, a row a method: a dot for each on an axis of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from app.charts import marks
from app.charts.marks import Scale, text
from app.charts.palette import stroke
from engine.stats.intervals import Interval
from engine.stats.verdict import format_change


@dataclass(frozen=True)
class Point:
    """One method: training seconds (> 0) and its score with interval (NaN: none). oracle: not ranked, never on the frontier."""

    key: str
    label: str
    seconds: float
    mean: float
    low: float
    high: float
    oracle: bool = False


def find_frontier(points: Sequence[Point]) -> list[Point]:
    """Return the points that no cheaper method equals in the mean, cheapest first; oracles are left out."""
    out: list[Point] = []
    for point in sorted((p for p in points if not p.oracle and math.isfinite(p.mean)), key=lambda p: (p.seconds, -p.mean)):
        if not out or point.mean > out[-1].mean:
            out.append(point)
    return out


def draw(points: Sequence[Point], metric: str, seconds: str) -> str:
    """Return the picture, the fastest method first; filled where nothing faster has a higher mean. seconds: the name of that axis."""
    order = sorted(points, key=lambda p: p.seconds)
    best = find_frontier(points)
    times = Scale(*_find_times(order))
    ends = [v for p in points for v in (p.mean, p.low, p.high) if math.isfinite(v)]
    room = 0.05 * max(max(ends) - min(ends), 0.02)
    scores = Scale(min(ends) - room, max(ends) + room)
    rows = "".join(_draw_row(p, times, scores, p in best) for p in order)
    stops = _list_times(times)
    shown = marks.draw_ticks(times, [math.log10(s) for s in stops], [f"{s:g}" for s in stops])
    values = _list_scores(scores)
    scored = marks.draw_ticks(
        scores, values, [format_change(v).removeprefix("+").rstrip("0").rstrip(".") or "0" for v in values]
    )
    return (
        f'<div role="group" class="costs" aria-label="{text(alt(points, metric))}"><div class="row head"><span></span>'
        f'<span class="quiet">{text(seconds)}</span><span class="quiet">{text(metric)}</span></div>{rows}'
        f'<div class="row axis"><span></span><div class="lane">{shown}</div><div class="lane">{scored}</div></div></div>'
    )


def _draw_row(point: Point, times: Scale, scores: Scale, best: bool) -> str:
    pen, look = marks.both(stroke(point.key).colour), "filled" if best else ""
    score = Interval(point.mean, point.low, point.high, 0, "")
    said = format_change(point.mean).removeprefix("+")
    if math.isfinite(point.low):
        said += f", 95% interval {format_change(point.low).removeprefix('+')} to {format_change(point.high).removeprefix('+')}"
    first = marks.draw_mark(
        times.at(math.log10(point.seconds)),
        19,
        pen,
        look=look,
        tip=f"{point.label}: {point.seconds:.3g} s",
        name=f"{point.key} s",
    )
    second = marks.draw_mark(scores.at(point.mean), 19, pen, look=look, tip=f"{point.label}: {said}", name=f"{point.key} score")
    rail, bar = '<span class="rail" style="top:19px"></span>', marks.draw_bar(scores, score, 19, pen, filled=best)
    return (
        f'<div class="row"><span class="name"><i style="--pen:{pen}"></i>{text(point.label)}</span>'
        f'<div class="lane">{rail}{first}</div><div class="lane">{rail}{bar}{second}</div></div>'
    )


def _find_times(points: Sequence[Point]) -> tuple[float, float]:
    low, high = math.log10(points[0].seconds), math.log10(points[-1].seconds)
    room = max(0.15, 0.06 * (high - low))
    return low - room, high + room


def _list_times(scale: Scale) -> list[float]:
    """Return round seconds on a logarithmic axis, at most seven."""
    stops = [m * 10.0**e for e in range(math.floor(scale.low) - 1, math.ceil(scale.high) + 1) for m in (1, 2, 5)]
    shown = [s for s in stops if scale.has(math.log10(s))]
    while len(shown) > 7:
        shown = shown[::2]
    return shown


def _list_scores(scale: Scale) -> list[float]:
    """Return round scores on an axis, at most six."""
    step = next(stop for stop in marks.STOPS if (scale.high - scale.low) / stop <= 6)
    return [step * k for k in range(math.ceil(scale.low / step), math.floor(scale.high / step) + 1)]


def alt(points: Sequence[Point], metric: str) -> str:
    """What the picture says, for someone who cannot see it."""
    each = "; ".join(f"{p.label} {p.mean:.3f} after {p.seconds:.3g} seconds" for p in sorted(points, key=lambda p: p.seconds))
    return f"{metric} against seconds of training: {each}."
