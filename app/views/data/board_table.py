"""Draws the board of a comparison as one HTML table, which Streamlit changes in place: a body of rows a model, and a row a remedy with
its score as a dot and a number, its difference to the same model plain, and its seconds.
"""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from app.charts import palette
from app.charts.marks import shorten_change
from app.views.data.board import (
    Row,
    arrange_rows,
    estimate_next,
    group_ranked,
    group_rows,
    rank_rows,
)
from app.words import data as words
from app.words.text import format_count, format_duration, format_score
from engine.report.leaderboard import format_p
from engine.spec.result import METRICS
from engine.text import one_line

HIGH, LOW, MANY, WORDY = 40, 32, 18, 10
"""Pixels of a row, of a row on a long board, the rows from which a board is long, and those up to which hollow dots have a word."""
_SOFT, _PAPER = ("light-dark({}, {})".format(*pair) for pair in (palette.SOFT_INK, palette.PAPERS))
_STANDINGS = {"better": palette.COLOURS["green"], "worse": palette.DESTRUCTIVE}
MODEL_COLOURS = {
    "network": palette.COLOURS["green"], "boosting": palette.TWO_CLASSES[0], "forest": palette.COLOURS["orange"],
    "extra-trees": palette.COLOURS["vermilion"], "logistic": palette.COLOURS["pink"], "in use": palette.INK,
    "lightgbm": palette.TWO_CLASSES[1], "xgboost": palette.COLOURS["sky"], "catboost": palette.COLOURS["blue"],
}  # fmt: skip
"""Light and dark value of a model; others are drawn as the catalog says. The model's name always stands beside its colour."""
STYLE = f"""<style>
table.board {{ width: 100%; border-collapse: separate; border-spacing: 0; font-size: 14px; font-variant-numeric: tabular-nums;
  table-layout: fixed; --high: {HIGH}px; }}
table.board.long {{ --high: {LOW}px; }}
.board :is(th, td) {{ text-align: left; padding: 0 10px 0 0; height: var(--high); border: 0; vertical-align: middle; font-weight: 400; }}
.board thead :is(th, td) {{ height: 30px; font-size: 13px; color: {_SOFT}; border-bottom: 1px solid rgba(128, 128, 128, .32); }}
.board tbody::after, .board thead::after {{ content: ""; display: block; height: 8px; }}
.board tfoot td {{ height: 24px; }}
.board .model {{ width: 20%; padding-left: 12px; font-weight: 650; vertical-align: top; line-height: 1.2; overflow-wrap: anywhere; }}
.board thead .model {{ font-weight: 400; vertical-align: middle; }} .board thead .marks {{ white-space: nowrap; }}
.board tbody .model {{ padding-top: calc(var(--high) / 2 - 9px); border-radius: 8px 0 0 8px; }}
.board .model i {{ display: inline-block; width: 10px; height: 10px; border-radius: 50%; margin-right: 8px; }}
.board .name {{ width: 14%; line-height: 1.2; overflow-wrap: anywhere; }} .board .none {{ color: {_SOFT}; }}
.board small {{ display: block; font-size: 12px; line-height: 1.15; color: {_SOFT}; }}
.board .score {{ width: 62px; font-weight: 650; text-align: right; padding-right: 14px; }}
.board .said {{ width: 138px; font-size: 13px; color: {_SOFT}; }} .board .said.strong {{ font-weight: 650; color: inherit; }}
.board .seconds {{ width: 70px; text-align: right; font-size: 13px; color: {_SOFT}; }}
.board tbody tr:first-child .seconds {{ border-top-right-radius: 8px; }}
.board tbody tr:last-child .seconds {{ border-bottom-right-radius: 8px; }}
.board tbody tr:last-child :is(.tick, .zero) {{ bottom: -8px; }}
.board .scale {{ display: block; position: relative; height: var(--high); font-size: 12px; color: {_SOFT}; }}
.board .scale i {{ position: absolute; }} .board tfoot .scale {{ height: 24px; }}
.board .tick {{ top: 0; bottom: 0; border-left: 1px solid rgba(128, 128, 128, .22); }}
.board .zero {{ top: 0; bottom: 0; border-left: 2px dotted {_SOFT}; }}
.board .reach {{ top: calc(50% - 1.5px); height: 3px; border-radius: 2px; }} .board .reach.soft {{ opacity: .55; }}
.board .mean {{ top: calc(50% - 6px); width: 12px; height: 12px; margin-left: -6px; border-radius: 50%; border: 2px solid;
  box-sizing: border-box; }}
.board .at {{ top: 4px; transform: translateX(-50%); font-style: normal; white-space: nowrap; }}
.board tbody.leads :is(th, td) {{ background: light-dark(#F1F7F5, #14211D); }}
.board tr.leader .score {{ color: light-dark(#00644B, #3CC79A); }}
.board tr.waits :is(th, td):not(.model) {{ color: {_SOFT}; }}
.board tbody:has(.apart) ~ tbody {{ --high: 28px; }} .board tbody:has(.apart) ~ tbody::after {{ height: 2px; }}
.board tr.apart td {{ height: 30px; font-size: 13px; color: {_SOFT}; vertical-align: bottom; padding-left: 12px;
  border-bottom: 1px solid rgba(128, 128, 128, .22); }}
@media (max-width: 1359px) {{ .board .said {{ width: 122px; }} .board .seconds {{ width: 56px; }} }}
@media (max-width: 767px) {{
  table.board, .board tbody {{ display: block; }}
  .board tbody::after {{ height: 12px; }}
  .board thead, .board tfoot {{ display: none; }}
  .board tr {{ display: grid; grid-template-columns: 1fr 1fr 60px; align-items: center; padding: 5px 0;
    border-bottom: 1px solid rgba(128, 128, 128, .22); }}
  .board :is(th, td) {{ height: auto; padding: 0 6px !important; width: auto !important; }}
  .board .scale {{ --high: 26px; }} .board tbody.leads {{ background: light-dark(#F1F7F5, #14211D); border-radius: 8px; }}
  .board tbody.leads :is(th, td) {{ background: none; }} .board td.seconds:not(:empty)::after {{ content: " s"; }}
  .board .model {{ grid-area: 1 / 1 / 2 / 4; }} .board .name {{ grid-area: 2 / 1; }} .board .said {{ grid-area: 2 / 2; }}
  .board .score {{ grid-area: 2 / 3; }} .board .marks {{ grid-area: 3 / 1; }} .board .marks.against {{ grid-area: 3 / 2; }}
  .board .seconds {{ grid-area: 3 / 3; }} .board .apart td {{ grid-column: 1 / 4; }}
}}
</style>"""


def draw_board(
    rows: Sequence[Row], metric: str, *, spent: float | None = None, budget: float = math.inf, kind: str = ""
) -> None:
    """Draw the table. metric: of engine.spec.result.METRICS; spent: seconds so far while the comparison runs, None once it is done.

    budget: its seconds. kind: of the split, which says on which rows the score is.
    """
    st.html(write_board(rows, metric, spent=spent, budget=budget, kind=kind))


def write_board(
    rows: Sequence[Row], metric: str, *, spent: float | None = None, budget: float = math.inf, kind: str = ""
) -> str:
    """Return the table as HTML, every text escaped. While the comparison runs models and rows keep their order."""
    drawn = _Drawn(_scale_ends(rows, METRICS[metric][1]), _reach(rows), len(rows) < WORDY)
    if spent is not None:
        expected = estimate_next(rows, spent, budget)
        body = "".join(drawn.write_group(group, expected=expected) for group in group_rows(rows))
    else:
        body = _write_arranged(rows, drawn)
    label = html.escape(METRICS[metric][0])
    against = words.DIFFERENCE_EARLIER if any(row.earlier for row in rows) else words.DIFFERENCE
    head = (
        ("model", words.MODEL), ("name", words.REMEDY), ("marks", f"{label} {words.SCORED_ON.get(kind, '')}".strip()), ("score", ""),
        ("marks", f"<span title='{words.FILLED}'>{against}</span>"), ("said", ""), ("seconds", words.SECONDS),
    )  # fmt: skip
    cells = "".join(
        f"<th scope='col' class='{kind}'>{text}</th>" if text else f"<td class='{kind}'></td>" for kind, text in head
    )
    long = " long" if len(rows) >= MANY else ""
    caption = f"aria-label='{words.BOARD_ALT.format(metric=label)}'"
    return f'{STYLE}<table class="board{long}" {caption}><thead><tr>{cells}</tr></thead>{body}{drawn.write_axes()}</table>'


def _write_arranged(rows: Sequence[Row], drawn: _Drawn) -> str:
    ranked, others = arrange_rows(rows)
    places = {row.name: place for place, row in enumerate(ranked, 1)}
    body = "".join(drawn.write_group(group, places=places) for group in group_ranked(ranked))
    if others:
        if ranked and any(row.known for row in others):
            body += f"<tbody><tr class='apart'><td colspan='7'>{words.NOT_RANKED}</td></tr></tbody>"
        body += "".join(drawn.write_group(group) for group in group_rows(others))
    return body


@dataclass(frozen=True)
class _Drawn:
    """The scales of a board. ends: of the score; reach: of the difference, on both sides of 0. wordy: hollow dots have a word too."""

    ends: tuple[float, float]
    reach: float
    wordy: bool

    def write_group(
        self, group: Sequence[Row], *, places: Mapping[str, int] | None = None, expected: Mapping[str, float] | None = None
    ) -> str:
        """Return the rows of one model. places: of ranked rows; expected: seconds at which rows without a score have one."""
        leads = " class='leads'" if any((places or {}).get(row.name) == 1 for row in group) else ""
        body = ""
        for at, row in enumerate(group):
            body += self._write_row(
                row, len(group) if not at else 0, (places or {}).get(row.name), (expected or {}).get(row.name)
            )
        return f"<tbody{leads}>{body}</tbody>"

    def _write_row(self, row: Row, span: int, place: int | None, expected: float | None) -> str:
        """span: rows of the model where this is the first, 0 otherwise."""
        kind = "leader" if place == 1 else "waits" if not row.known else "plain" if row.plain else "row"
        remark = f"<small>{_escape(row.remark)}</small>" if row.failed else ""
        number = format_score(row.score.mean) if row.known else ""
        said, strong = words.WORDS.get(row.standing, ""), " strong" if row.standing in ("better", "worse") else ""
        if row.standing == "" and not self.wordy:
            said = ""
        if row.look and row.known:
            said = words.LOOK
        if not row.known and not row.failed:
            said = words.NEXT_SOON if expected is None else words.NEXT_AT.format(time=format_duration(expected))
        model = ""
        if span:
            dot = f"<i style='background:{_colour(row)}'></i>"
            model = f"<th scope='rowgroup' rowspan='{span}' class='model'>{dot}{_escape(row.model_title)}</th>"
        name = "name none" if row.plain else "name"
        ranked = f" title='{words.PLACE.format(place=place)}'" if place else ""
        return (
            f"<tr class='{kind}'>{model}"
            f"<th scope='row' class='{name}' title='{_escape(row.remark)}'>{_escape(row.remedy_title)}{remark}</th>"
            f"<td class='marks'>{self._write_score(row)}</td><td class='score'{ranked}>{number}</td>"
            f"<td class='marks against'>{self._write_difference(row)}</td><td class='said{strong}'>{said}</td>"
            f"<td class='seconds'>{f'{row.seconds:.1f}' if row.known else ''}</td></tr>"
        )

    def _write_score(self, row: Row) -> str:
        marks = "".join(_line(self._place_score(v), "tick") for v in self._ticks())
        if not row.known:
            return _write_plot(marks)
        colour = _colour(row)
        at = [self._place_score(v) for v in (row.score.low, row.score.mean, row.score.high)]
        return _write_plot(
            marks + _write_mark(at, colour, colour if row.plain else _PAPER, soft=not row.plain), describe_score(row)
        )

    def _write_difference(self, row: Row) -> str:
        marks, one = _line(50.0, "zero"), row.against
        if one is None or not math.isfinite(one.mean) or row.standing == "look":
            return _write_plot(marks)
        colour = "light-dark({}, {})".format(*_STANDINGS.get(row.standing, palette.COLOURS["grey"]))
        at = [self._place_difference(v) for v in (one.low, one.mean, one.high)]
        mark = _write_mark(at, colour, colour if row.standing in _STANDINGS else _PAPER)
        return _write_plot(marks + mark, _describe_difference(row))

    def _ticks(self) -> list[float]:
        low, high = self.ends
        step = 0.1 if high - low <= 0.6 else 0.2
        first = math.ceil(low / step - 1e-9)
        return [step * i for i in range(first, math.floor(high / step + 1e-9) + 1)]

    def write_axes(self) -> str:
        """Return the foot of the table: the scales of both drawings."""
        score = "".join(_text(self._place_score(v), format_score(v, 1)) for v in self._ticks())
        tick = self.reach / 1.25
        difference = "".join(_text(self._place_difference(v), "0" if v == 0 else shorten_change(v)) for v in (-tick, 0.0, tick))
        cells = ("", "", _write_plot(score), "", _write_plot(difference), "", "")
        return f"<tfoot><tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr></tfoot>"

    def _place_score(self, value: float) -> float:
        return 4 + 92 * min(1.0, max(0.0, (value - self.ends[0]) / (self.ends[1] - self.ends[0])))

    def _place_difference(self, value: float) -> float:
        return 50 + 46 * min(1.0, max(-1.0, value / self.reach))


def _colour(row: Row) -> str:
    light, dark = MODEL_COLOURS.get(row.model) or palette.find_pair(palette.stroke(row.model).colour)
    return f"light-dark({light}, {dark})"


def _write_mark(at: Sequence[float], colour: str, fill: str, *, soft: bool = False) -> str:
    low, mean, high = at
    reach = ""
    if math.isfinite(low) and math.isfinite(high):
        kind = "reach soft" if soft else "reach"
        reach = f'<i class="{kind}" style="left:{low:.1f}%;width:{max(high - low, 0.5):.1f}%;background:{colour}"></i>'
    return f'{reach}<i class="mean" style="left:{mean:.1f}%;border-color:{colour};background:{fill}"></i>'


def _line(at: float, kind: str) -> str:
    return f'<i class="{kind}" style="left:{at:.1f}%"></i>'


def _text(at: float, text: str) -> str:
    return f'<i class="at" style="left:{at:.1f}%">{html.escape(text)}</i>'


def _write_plot(marks: str, label: str = "") -> str:
    """Return a drawing. label: what it shows, '' for one that says nothing by itself."""
    text = html.escape(label, quote=True)
    said = f'role="img" aria-label="{text}" title="{text}"' if label else 'aria-hidden="true"'
    return f'<span class="scale" {said}>{marks}</span>'


def describe_score(row: Row) -> str:
    """Return '.520, 95% interval from .470 to .570, 10 replicates'."""
    replicates = format_count(row.n, "replicate")
    number = format_score(row.score.mean)
    if not math.isfinite(row.score.low):
        return f"{number}, {words.SCORE_ONE.format(replicates=replicates)}"
    low, high = format_score(row.score.low), format_score(row.score.high)
    return f"{number}, {words.SCORE_MORE.format(low=low, high=high, replicates=replicates)}"


def _describe_difference(row: Row) -> str:
    p = format_p(row.p)
    said = [words.P_MORE.format(p=p if p.startswith("<") else f"= {p}")] if math.isfinite(row.p) else []
    word = words.WORDS.get(row.standing, "")
    return " ".join([*([f"{word[:1].upper()}{word[1:]}."] if word else []), *(row.said.more if row.said else ()), *said])


def _scale_ends(rows: Sequence[Row], within: tuple[float, float]) -> tuple[float, float]:
    """Return the ends of the scale: tenths around all that is drawn, within the metric's range."""
    finite = [v for r in rows for v in (r.score.mean, r.score.low, r.score.high) if math.isfinite(v)]
    if not finite:
        return 0.0, 1.0
    low, high = math.floor(min(finite) * 10 - 1e-9) / 10, math.ceil(max(finite) * 10 + 1e-9) / 10
    return max(low, within[0]), min(max(high, low + 0.1), within[1])


def _reach(rows: Sequence[Row]) -> float:
    """Return the largest distance from 0 that is shown, a little more than a round number.

    It holds the intervals of ranked rows and the means of all: over two replicates an interval may be wider than all else.
    """
    ranked = {row.name for row in rank_rows(rows)}
    drawn = [row for row in rows if row.against is not None and row.standing not in ("look", "reference")]
    values = [abs(row.against.mean) for row in drawn if row.against is not None]
    values += [
        abs(v) for row in drawn if row.against is not None and row.name in ranked for v in (row.against.low, row.against.high)
    ]
    most = max((v for v in values if math.isfinite(v)), default=0.1)
    scale = 10.0 ** math.floor(math.log10(max(most, 1e-3)))
    return 1.25 * next(scale * step for step in (0.8, 1, 2, 4, 8, 10) if 1.25 * scale * step >= most)


def _escape(text: str) -> str:
    return html.escape(one_line(text, 120), quote=True)
