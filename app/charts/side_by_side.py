"""The differences of two runs in every measure, a row a measure, all on one scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.charts import marks
from app.charts.marks import text
from app.charts.palette import COLOURS, DESTRUCTIVE
from engine.stats.intervals import Interval
from engine.stats.verdict import format_change

MIDDLE = 19
"""Pixels from a row's top to its mark."""


@dataclass(frozen=True)
class Gap:
    """One measure: its label, the paired difference, and its words."""

    label: str
    interval: Interval
    tip: str


def draw(gaps: Sequence[Gap]) -> str:
    """Return the picture; filled where zero is outside the interval."""
    scale = marks.span_differences([gap.interval for gap in gaps])
    rows = []
    for gap in gaps:
        one = gap.interval
        filled = one.n > 1 and (one.above_zero or one.below_zero)
        pen = marks.both(COLOURS["green"][0] if one.mean > 0 else DESTRUCTIVE[0]) if filled else ""
        drawn = f'<span class="rail" style="top:{MIDDLE}px"></span>' + marks.draw_zero(scale)
        drawn += marks.draw_bar(scale, one, MIDDLE, pen, filled=filled)
        drawn += marks.draw_mark(
            scale.at(one.mean), MIDDLE, pen, look="filled" if filled else "", tip=f"{gap.label}\n{gap.tip}", name=gap.label
        )
        rows.append(
            f'<div class="row"><span>{text(gap.label)}</span><div class="lane">{drawn}</div>'
            f'<span class="value">{format_change(one.mean)}</span></div>'
        )
    axis = f'<div class="row axis"><span></span><div class="lane">{marks.draw_change_axis(scale)}</div><span></span></div>'
    return f'<div class="rows" role="group" aria-label="{text(alt(gaps))}">{"".join(rows)}{axis}</div>'


def alt(gaps: Sequence[Gap]) -> str:
    """What the picture says, for someone who cannot see it."""
    return (
        "Differences, second run minus first. " + "; ".join(f"{g.label} {format_change(g.interval.mean)}" for g in gaps) + "."
    )
