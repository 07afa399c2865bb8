"""Dots with their intervals as HTML, for `app.marks`: each stands at a share of its lane's width, so that a picture fits any window.

Every text is escaped here. A mark says its numbers in words (`tip`), on hover and focus and to a screen reader.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

from app.charts.palette import COLOURS, recolour
from engine.stats.intervals import Interval
from engine.stats.verdict import format_change

STOPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5, *(n * 10.0**power for power in range(4) for n in (1, 2, 5)))
"""Distances of ticks from zero."""


@dataclass(frozen=True)
class Scale:
    """The values at the two ends of a lane."""

    low: float
    high: float

    def at(self, value: float) -> float:
        """Where a value stands, in percent of the lane; values beyond stand at the end."""
        share = (value - self.low) / (self.high - self.low)
        return 100 * min(1.0, max(0.0, share))

    def find_middle(self) -> float:
        """Return the value in the middle of the lane."""
        return (self.low + self.high) / 2

    def has(self, value: float) -> bool:
        """Whether a value lies on the lane."""
        return self.low <= value <= self.high


@dataclass(frozen=True)
class LogScale(Scale):
    """A scale of logarithms, for values above 0 that differ by orders."""

    def at(self, value: float) -> float:
        """Where a value stands, in percent of the lane; values beyond, 0 and below among them, stand at the end."""
        if value <= self.low:
            return 0.0
        return 100 * min(1.0, math.log(value / self.low) / math.log(self.high / self.low))

    def find_middle(self) -> float:
        """Return the value in the middle of the lane."""
        return math.sqrt(self.low * self.high)


def text(words: object) -> str:
    """Return text from anywhere as HTML that shows it letter by letter, on one line."""
    line = " ".join("".join(c if c.isprintable() else " " for c in str(words)).split())
    return html.escape(line, quote=True)


def both(colour: str) -> str:
    """Return a light colour of the palette as CSS with its dark value."""
    return f"light-dark({colour}, {recolour(colour)})"


def span_differences(intervals: Sequence[Interval]) -> Scale:
    """Return one scale for these differences, the same on both sides of zero.

    Where the widest interval is more than twice as far from zero as nine tenths of them, its end is cut, with an arrow.
    """
    means = [abs(one.mean) for one in intervals if math.isfinite(one.mean)]
    ends = sorted(max(abs(one.low), abs(one.high)) for one in intervals if math.isfinite(one.low) and math.isfinite(one.high))
    usual = ends[min(len(ends) - 1, math.ceil(0.9 * len(ends)) - 1)] if ends else 0.0
    widest = ends[-1] if ends and ends[-1] <= 2 * usual else 1.25 * usual
    reach = 1.06 * max([0.02, widest, *(1.1 * mean for mean in means)])
    return Scale(-reach, reach)


def choose_stop(scale: Scale) -> float:
    """Return the tick beside zero of a scale that is the same on both sides."""
    return max((stop for stop in STOPS if stop <= 0.8 * scale.high), default=STOPS[0])


def draw_ticks(scale: Scale, values: Sequence[float], names: Sequence[str]) -> str:
    """Return the names of an axis below a lane."""
    return "".join(
        f'<span class="tickname" style="left:{scale.at(value):.2f}%">{text(name)}</span>'
        for value, name in zip(values, names, strict=True)
        if scale.has(value)
    )


def draw_change_axis(scale: Scale) -> str:
    """Return '−.1  0  +.1' below a lane of differences."""
    stop = choose_stop(scale)
    return draw_ticks(scale, (-stop, 0.0, stop), (shorten_change(-stop), "0", shorten_change(stop)))


def shorten_change(value: float) -> str:
    """Return '+.1', '−.05': a difference without zeros at its end."""
    written = format_change(value)
    return written.rstrip("0").rstrip(".") if "." in written else written


def draw_zero(scale: Scale, low: str = "0") -> str:
    """Return the dotted line at zero. low: pixels that it ends above the lane's foot."""
    return f'<span class="zero" style="left:{scale.at(0.0):.2f}%;bottom:{low}px"></span>'


def draw_bar(scale: Scale, one: Interval, top: float, pen: str, *, filled: bool) -> str:
    """Return an interval's line; '' where there is none. An end beyond the lane is an arrow. pen: CSS, '' for grey."""
    if not (math.isfinite(one.low) and math.isfinite(one.high)):
        return ""
    left, right = scale.at(one.low), scale.at(one.high)
    style = f"top:{top:g}px;" + (f"--pen:{pen};" if pen else "")
    out = f'<span class="bar{"" if filled else " hollow"}" style="{style}left:{left:.2f}%;width:{right - left:.2f}%"></span>'
    for value, side, at in ((one.low, "left", left), (one.high, "right", right)):
        if not scale.has(value):
            out += f'<span class="beyond {side}" style="{style}left:{at:.2f}%"></span>'
    return out


def draw_mark(at: float, top: float, pen: str, *, look: str, tip: str, press: str = "", name: str = "") -> str:
    """Return a mark at that percent of its lane: a button where it can be pressed, else an image.

    look: classes, as in marks.css. tip: its words; a line break starts a line. name: tells it apart from the others.
    """
    words = "\n".join(text(line) for line in tip.split("\n"))
    spoken = words.replace("\n", ". ").replace("..", ".")
    known = f'class="mark {look}" data-mark="{text(name or press or tip)}" data-tip="{words}" aria-label="{spoken}"'
    style = f'style="top:{top:g}px;left:{at:.2f}%{f";--pen:{pen}" if pen else ""}"'
    if press:
        return f'<button type="button" {known} {style} data-press="{text(press)}"></button>'
    return f'<span role="img" tabindex="-1" {known} {style}></span>'


def draw_printed(scale: Scale, value: float, top: float) -> str:
    """Return the tick of a printed number."""
    return f'<span class="printed" style="top:{top:g}px;left:{scale.at(value):.2f}%"></span>'


GREY = both(COLOURS["grey"][0])
