"""Paired differences as dots with their intervals on one scale, as HTML."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np

from app.charts import palette
from app.run.differences import Row
from app.words import lab as words
from engine.stats.intervals import Interval
from engine.stats.verdict import format_change

_STYLE = """<style>
ul.dots { display: grid; grid-template-columns: minmax(150px, 270px) 1fr minmax(130px, auto); align-items: center; gap: 0 16px;
  margin: 0; padding: 0; list-style: none; font-size: 14px; }
.dots > li { display: contents; margin: 0; padding: 0; }
.dots .axis { position: relative; height: 28px; border-radius: 6px; }
.dots .axis::before { content: ""; position: absolute; left: 0; right: 0; top: 13.5px; height: 1px;
  background: light-dark(#E3E3E1, #33363A); }
.dots .zero { position: absolute; left: 50%; top: 0; bottom: 0; border-left: 1.5px dotted SOFT; }
.dots .line { position: absolute; top: 12.5px; height: 3px; border-radius: 2px; }
.dots .dot { position: absolute; top: 8px; width: 12px; height: 12px; margin-left: -6px; border-radius: 50%; border: 2px solid;
  box-sizing: border-box; }
.dots .word { color: SOFT; font-variant-numeric: tabular-nums; }
.dots .word i { font-style: normal; }
.dots .word b { display: none; font-weight: 400; }
.dots li:hover .word b, .dots li:has(.axis:focus) .word b { display: inline; }
.dots li:hover .word i, .dots li:has(.axis:focus) .word i { display: none; }
.dots .ends { display: flex; justify-content: space-between; color: SOFT; font-size: 12px; }
@media (max-width: 767px) { ul.dots { display: block; } .dots > li { display: grid; grid-template-columns: 1fr auto; }
  .dots .axis, .dots .ends { grid-column: 1 / -1; grid-row: 2; } .dots .last { display: block; } }
</style>""".replace("SOFT", "light-dark({}, {})".format(*palette.SOFT_INK))
_COLOURS = {True: palette.COLOURS["green"], False: palette.DESTRUCTIVE, None: palette.COLOURS["grey"]}
"""By whether the run is better, worse or neither."""


def write_dots(rows: Sequence[Row]) -> str:
    """Return the rows as HTML: label, dot with its interval on an axis whose middle is 0, and a word; the numbers on hover and focus."""
    values = [abs(v) for row in rows for v in (row.interval.mean, row.interval.low, row.interval.high) if np.isfinite(v)]
    reach = 1.08 * max(values, default=1.0) or 1.0
    items = "".join(_write_row(row, reach) for row in rows)
    ends = f'<span class="ends"><span>{words.WORSE}</span><span>{words.BETTER}</span></span>'
    ends = f'<li aria-hidden="true" class="last"><span></span>{ends}<span></span></li>'
    return f'{_STYLE}<ul class="dots">{items}{ends}</ul>'


def _write_row(row: Row, reach: float) -> str:
    one = row.interval
    colour = "light-dark({}, {})".format(*_COLOURS[row.dot.better])
    marks = '<span class="zero"></span>'
    if np.isfinite(one.low) and np.isfinite(one.high):
        left, right = _place(one.low, reach), _place(one.high, reach)
        marks += f'<span class="line" style="left:{left:.2f}%;width:{right - left:.2f}%;background:{colour}"></span>'
    if np.isfinite(one.mean):
        fill = colour if row.dot.look == "filled" else "light-dark({}, {})".format(*palette.PAPERS)
        marks += (
            f'<span class="dot" style="left:{_place(one.mean, reach):.2f}%;border-color:{colour};background:{fill}"></span>'
        )
    numbers, label = html.escape(row.numbers), html.escape(row.label)
    word = html.escape(words.ORACLE if row.is_oracle else row.word)
    span = html.escape(describe_span(one))
    return (
        f'<li><span>{label}</span><span class="axis" role="img" tabindex="0" aria-label="{label}: {word}. {numbers}" title="{numbers}">'
        f'{marks}</span><span class="word"><i>{word}</i><b>{span}</b></span></li>'
    )


def describe_span(one: Interval) -> str:
    """Return '+.009, −.027 to +.045'."""
    ends = f", {format_change(one.low)} to {format_change(one.high)}" if np.isfinite(one.low) else ""
    return format_change(one.mean) + ends


def _place(value: float, reach: float) -> float:
    """Return where a difference lies on its axis, in percent."""
    return 50 + 50 * max(-1.0, min(1.0, value / reach))
