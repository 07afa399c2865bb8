"""Printed and measured numbers of a paper: claims as cards, a table's cells as strips; a tick is printed, a dot is measured here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.charts import marks
from app.charts.marks import LogScale, Scale, text
from app.charts.palette import COLOURS, DESTRUCTIVE
from engine.stats.intervals import Interval
from engine.stats.verdict import format_change

PRINTED_Y, HERE_Y = 22, 52
"""Pixels from a card's lane's top to the tick and to the dot."""
MIDDLE = 17
"""Pixels from a strip's top to its middle."""
ORDERS = 50
"""How many times the least value the largest is where strips show logarithms."""


@dataclass(frozen=True)
class Claim:
    """One card. verdict: its word; better: True where the claim holds, False where it does not, None where nothing is decided.

    interval: of our difference, None where nothing was measured; printed: the paper's difference, None for none. tip: its words.
    """

    title: str
    verdict: str
    better: bool | None
    interval: Interval | None
    printed: float | None
    tip: str


@dataclass(frozen=True)
class Cell:
    """One cell of a table: the printed number and ours, None for none. tip: both in words; press: what a press gives."""

    printed: float | None
    ours: Interval | None
    tip: str
    press: str = ""


def draw_claims(claims: Sequence[Claim], printed: str, here: str) -> str:
    """Return the cards. printed, here: names of the two rows of each."""
    return f'<div class="claims">{"".join(_draw_claim(claim, printed, here) for claim in claims)}</div>'


def _draw_claim(claim: Claim, printed: str, here: str) -> str:
    known = [claim.interval] if claim.interval is not None else []
    if claim.printed is not None:
        known.append(Interval(claim.printed, math.nan, math.nan, 1, ""))
    scale = marks.span_differences(known)
    word = {True: " holds", False: " fails", None: ""}[claim.better]
    lane = [marks.draw_zero(scale, "20")]
    for y, name in ((PRINTED_Y, printed), (HERE_Y, here)):
        if name == here or claim.printed is not None:
            lane.append(
                f'<span class="rail" style="top:{y}px"></span><span class="side" style="top:{y - 2}px">{text(name)}</span>'
            )
    if claim.printed is not None:
        lane.append(marks.draw_printed(scale, claim.printed, PRINTED_Y))
    if claim.interval is not None:
        filled = claim.better is not None
        pen = marks.both(DESTRUCTIVE[0] if claim.better is False else COLOURS["green"][0])
        lane.append(marks.draw_bar(scale, claim.interval, HERE_Y, pen, filled=filled))
        at, look = scale.at(claim.interval.mean), "filled" if filled else ""
        lane.append(marks.draw_mark(at, HERE_Y, pen, look=look, tip=claim.tip, name=f"{claim.title} {claim.tip}"))
    stop = marks.choose_stop(scale)
    axis = marks.draw_ticks(scale, (0.0, stop), ("0", marks.shorten_change(stop)))
    lane.append(f'<span class="feet">{axis}</span>')
    return (
        f'<section class="claim"><div class="head"><h3>{text(claim.title)}</h3><span class="chip{word}">{text(claim.verdict)}</span></div>'
        f'<div class="lane">{"".join(lane)}</div></section>'
    )


def draw_strips(
    rows: Sequence[str], columns: Sequence[str], cells: Mapping[tuple[str, str], Cell], title: str, printed: str, here: str
) -> str:
    """Return the table. cells: (row, column) -> its cell, where there is one. title, printed, here: names of the table and of its marks."""
    scale = find_scale(list(cells.values()))
    head = "".join(f'<th scope="col">{text(name)}</th>' for name in columns)
    body = []
    for row in rows:
        drawn = "".join(
            f"<td>{_draw_cell(cells[row, column], scale, f'{row}|{column}')}</td>" if (row, column) in cells else "<td></td>"
            for column in columns
        )
        body.append(f'<tr><th scope="row" title="{text(row)}">{text(row)}</th>{drawn}</tr>')
    stops = (scale.low, scale.find_middle(), scale.high)
    ticks = [_name_tick(stop) for stop in stops]
    spots = ("first", "", "last")
    names = "".join(
        f'<span class="tickname {spot}" style="left:{scale.at(stop):g}%">{text(tick)}</span>'
        for stop, tick, spot in zip(stops, ticks, spots, strict=True)
    )
    foot = "".join(f'<td><div class="lane" aria-hidden="true">{names}</div></td>' for _ in columns)
    return (
        f'<div class="strips"><div class="key"><b>{text(title)}</b><span class="quiet"><i class="tick"></i>{text(printed)}</span>'
        f'<span class="quiet"><i class="disc"></i>{text(here)}</span></div>'
        f'<table aria-label="{text(alt(rows, columns, cells, title))}">'
        f"<thead><tr><th></th>{head}</tr></thead><tbody>{''.join(body)}</tbody>"
        f'<tfoot><tr><th scope="row"></th>{foot}</tr></tfoot></table></div>'
    )


def find_scale(cells: Sequence[Cell]) -> Scale:
    """Return the scale of all strips: 0 to 1 for shares, else from 0, or the least, to the largest.

    Values above 0 of which one is ORDERS times another get the logarithms from a power of ten to one an even number of powers above.
    """
    values = [
        v for c in cells for v in (c.printed, *((c.ours.mean, c.ours.low, c.ours.high) if c.ours else ())) if v is not None
    ]
    known = [v for v in values if math.isfinite(v)]
    if not known or (min(known) >= 0 and max(known) <= 1):
        return Scale(0.0, 1.0)
    means = [v for c in cells for v in (c.printed, c.ours.mean if c.ours else None) if v is not None and math.isfinite(v)]
    if min(means) > 0 and max(means) >= ORDERS * min(means):
        low, high = math.floor(math.log10(min(means))), math.ceil(math.log10(max(means)))
        return LogScale(10.0**low, 10.0 ** (high + (high - low) % 2))
    return Scale(min(0.0, *known), max(known) * 1.05)


def _name_tick(value: float) -> str:
    if 0 < value < 1:
        return f"{value:.3g}".replace("0.", ".", 1)
    return f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}"


def _draw_cell(cell: Cell, scale: Scale, name: str) -> str:
    drawn = f'<span class="rail" style="top:{MIDDLE}px"></span>'
    if cell.ours is not None:
        drawn += marks.draw_bar(scale, cell.ours, MIDDLE, "var(--accent)", filled=True)
        drawn += marks.draw_mark(
            scale.at(cell.ours.mean), MIDDLE, "", look="filled small", tip=cell.tip, press=cell.press, name=name
        )
    if cell.printed is not None:
        drawn += marks.draw_printed(scale, cell.printed, MIDDLE)
        if cell.ours is None:
            drawn += marks.draw_mark(scale.at(cell.printed), MIDDLE, "", look="alone", tip=cell.tip, name=name)
    return f'<div class="lane">{drawn}</div>'


def alt(rows: Sequence[str], columns: Sequence[str], cells: Mapping[tuple[str, str], Cell], title: str) -> str:
    """What the table shows, for someone who cannot see it; each mark has its numbers as its name."""
    both = sum(c.printed is not None and c.ours is not None for c in cells.values())
    return f"{title}. {len(rows)} rows, {len(columns)} columns; {both} of {len(cells)} cells are both printed and measured."


def describe(printed: float | None, ours: Interval | None) -> str:
    """Return 'printed .911, here .836, interval .712 to .961, 20 replicates', as far as there are numbers."""
    parts = [] if printed is None else [f"printed {_write(printed)}"]
    if ours is not None:
        parts.append(f"here {_write(ours.mean)}")
        if math.isfinite(ours.low) and math.isfinite(ours.high):
            parts.append(f"interval {_write(ours.low)} to {_write(ours.high)}")
        parts.append(f"{ours.n} replicate{'' if ours.n == 1 else 's'}")
    return ", ".join(parts)


def _write(value: float) -> str:
    return format_change(value).removeprefix("+")


@dataclass(frozen=True)
class Covered:
    """Simulated coverage of one interval: share of sets whose interval holds the true value, with its own 95% interval."""

    title: str
    share: Interval
    used: bool
    tip: str


def draw_coverage(rows: Sequence[Covered], aim: float = 0.95) -> str:
    """Return the coverage of intervals, a row each, around the share that is aimed at. Filled: the one that is used."""
    scale = Scale(min([0.85, *(r.share.low - 0.01 for r in rows)]), 1.0)
    drawn = []
    for row in rows:
        short = row.share.high < aim
        pen = marks.both(DESTRUCTIVE[0] if short else COLOURS["green"][0])
        at = scale.at(aim - 0.01)
        lane = f'<span class="goal" style="left:{at:.2f}%;width:{scale.at(aim + 0.01) - at:.2f}%"></span>'
        lane += f'<span class="rail" style="top:19px"></span>{marks.draw_bar(scale, row.share, 19, pen, filled=True)}'
        lane += marks.draw_mark(
            scale.at(row.share.mean), 19, pen, look="filled" if row.used else "", tip=f"{row.title}\n{row.tip}", name=row.title
        )
        value = f"{row.share.mean:.2f}".replace("0.", ".", 1)
        drawn.append(
            f'<div class="row"><span>{text(row.title)}</span><div class="lane">{lane}</div><span class="value">{value}</span></div>'
        )
    axis = marks.draw_ticks(scale, (0.85, 0.9, aim, 1.0), (".85", ".9", ".95", "1"))
    foot = f'<div class="row axis"><span></span><div class="lane">{axis}</div><span></span></div>'
    said = "; ".join(f"{row.title} {row.share.mean:.3f}" for row in rows)
    return f'<div class="rows" role="group" aria-label="{text(f"Coverage of intervals. {said}.")}">{"".join(drawn)}{foot}</div>'
