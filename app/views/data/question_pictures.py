"""The pictures of the questions about a table, as HTML: rows over time, rows of one owner, cases that can be checked, and the split."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

from app.charts import palette
from app.words import data as words

_SOFT, _GREY, _CHOOSE, _TEST = (
    "light-dark({}, {})".format(*pair)
    for pair in (palette.SOFT_INK, palette.COLOURS["grey"], palette.COLOURS["orange"], ("#00644B", "#3CC79A"))
)
CELLS, ACROSS = 200, 40
"""Cells of the picture of cases that can be checked, and how many stand in a line."""
STYLE = f"""<style>
.bars {{ display: flex; align-items: flex-end; gap: 2px; height: 44px; }} .bars i {{ flex: 1; border-radius: 1px; min-height: 1px; }}
.marks {{ position: relative; height: 16px; font-size: 12px; line-height: 16px; color: {_SOFT}; }}
.marks span {{ position: absolute; white-space: nowrap; }} .sizes {{ display: flex; gap: 8px; font-size: 12px; color: {_SOFT}; }}
.sizes span {{ flex: 1; text-align: center; }} .bars.sizes {{ gap: 8px; }}
.cells {{ display: grid; grid-template-columns: repeat({ACROSS}, 1fr); gap: 2px; }} .cells i {{ height: 6.5px; border-radius: 1.5px; }}
p.q-says {{ font-size: 12px; color: {_SOFT}; margin: 4px 0 0; text-align: left; }}
.i-train {{ background: {_GREY}; opacity: .5; }} .i-valid {{ background: {_CHOOSE}; }} .i-test {{ background: {_TEST}; }}
.i-cell {{ background: {_GREY}; opacity: .3; }}
.origins {{ display: grid; gap: 4px; font-size: 12px; color: {_SOFT}; }}
.origins .way {{ position: relative; height: 16px; }} .origins .way i {{ position: absolute; top: 0; bottom: 0; border-radius: 4px; }}
.key {{ display: flex; flex-wrap: wrap; gap: 4px 16px; margin-top: 10px; font-size: 12px; color: {_SOFT}; }}
.key i {{ display: inline-block; width: 11px; height: 11px; border-radius: 3px; margin-right: 6px; vertical-align: -1px; }}
</style>"""


@dataclass(frozen=True)
class Stretch:
    """A part of the rows as it is drawn. part: train, valid or test; start, end: shares of the width; said: what it is, plain text."""

    part: str
    start: float
    end: float
    said: str = ""


def draw_times(bars: Sequence[int], parts: Sequence[Stretch]) -> str:
    """Return rows over time, each bar in the colour of its part. parts: of the last origin, as shares of the time."""
    if not bars:
        return ""
    most = max(*bars, 1)
    body = ""
    for place, rows in enumerate(bars):
        middle = (place + 0.5) / len(bars)
        part = next((one.part for one in parts if one.start <= middle < one.end), "cell")
        body += f"<i class='i-{part}' style='height:{100 * rows / most:.0f}%'></i>"
    named = "".join(
        f"<span style='left:{100 * one.start:.1f}%'>{words.PARTS[one.part]}</span>"
        for one in parts
        if one.end - one.start > 0.05
    )
    return _frame(f"<div class='bars'>{body}</div><div class='marks'>{named}</div>", words.TIMES_ALT)


def _place_name(one: Stretch) -> str:
    """The last part's name ends with it, so that it stands apart from the one before."""
    return f"right:{100 - 100 * one.end:.1f}%" if one.part == "test" else f"left:{100 * one.start:.1f}%"


def draw_sizes(sizes: Sequence[int]) -> str:
    """Return how many owners have 1, 2, ... rows; the last place stands for all more."""
    if not sizes:
        return ""
    most = max(*sizes, 1)
    body = "".join(f"<i class='i-train' style='height:{max(2.0, 100 * n / most):.0f}%'></i>" for n in sizes)
    labels = "".join(f"<span>{n + 1}{'+' if n + 1 == len(sizes) else ''}</span>" for n in range(len(sizes)))
    said = words.SIZES_ALT
    return _frame(
        f"<div class='bars sizes'>{body}</div><div class='sizes'>{labels}</div><p class='q-says'>{words.SIZES}</p>", said
    )


def draw_alerts(per_1000: float | None) -> str:
    """Return the rows that can be checked among CELLS rows, and the same in words."""
    if per_1000 is None:
        return ""
    marked = max(1, round(per_1000 * CELLS / 1000)) if per_1000 > 0 else 0
    step = CELLS / marked if marked else CELLS + 1.0
    chosen = {int((k + 0.47) * step) for k in range(marked)}
    body = "".join(f"<i class='{'i-test' if cell in chosen else 'i-cell'}'></i>" for cell in range(CELLS))
    said = words.ALERTS_ONE.format(rows=f"{round(1000 / per_1000):,}")
    return _frame(f"<div class='cells'>{body}</div>", said) + f"<p class='q-says'>{html.escape(said)}</p>"


def draw_split(origins: Sequence[Sequence[Stretch]], names: Sequence[str], *, key: bool = True) -> str:
    """Return a bar an origin or fold. names: of the bars; key: draw what the colours are."""
    body = ""
    for name, parts in zip(names, origins, strict=True):
        ways = ""
        for one in parts:
            place = f"left:{100 * one.start:.1f}%;width:{100 * (one.end - one.start) - 0.6:.1f}%"
            ways += f"<i class='i-{one.part}' title='{html.escape(one.said, quote=True)}' style='{place}'></i>"
        body += f"<span>{html.escape(name)}</span><div class='way'>{ways}</div>"
    drawn = f"<div class='origins' role='img' aria-label='{words.SPLIT_ALT}'>{body}</div>"
    titles = "".join(f"<span><i class='i-{part}'></i>{title}</span>" for part, title in words.PARTS.items())
    return drawn + (f"<div class='key'>{titles}</div>" if key else "")


def _frame(body: str, label: str) -> str:
    return f"<div role='img' aria-label='{html.escape(label, quote=True)}'>{body}</div>"
