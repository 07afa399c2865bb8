"""The leaderboard of a comparison: a row a method, with its interval as a picture and as numbers, and its difference to plain
training.

It is one HTML table, which Streamlit changes in place: rows keep their places until somebody asks for another order.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from app.words.text import format_bounds, format_count, format_signed
from engine.report.leaderboard import count_replicates, deciding_metric, format_p, metric_interval, to_number
from engine.spec.companions import BASELINE
from engine.spec.result import METRICS
from engine.stats.intervals import CORRECTED_T, Interval
from engine.text import one_line

STYLE = """<style>
table.board { width: 100%; border-collapse: collapse; font-size: .95rem; font-variant-numeric: tabular-nums; }
.board caption { text-align: left; padding: 0 0 .4rem; opacity: .75; font-size: .85rem; }
.board th, .board td { text-align: left; padding: .45rem .6rem .45rem 0; vertical-align: middle; }
.board th, .board td { border: 0; border-top: 1px solid rgba(128, 128, 128, .28); }
.board thead th { border-top: 0; font-size: .82rem; font-weight: 500; opacity: .75; white-space: nowrap; }
.board tbody th { font-weight: 600; }
.board small { display: block; font-weight: 400; font-size: .8rem; opacity: .75; }
.board .place { width: 1.6rem; opacity: .7; font-weight: 400; }
.board .bar { width: 26%; min-width: 8rem; }
.board .scale { position: relative; display: block; height: 1.4rem; }
.board .scale::before { content: ""; position: absolute; left: 0; right: 0; top: 50%; border-top: 1px solid rgba(128, 128, 128, .4); }
.board .reach { position: absolute; top: calc(50% - 3px); height: 6px; border-radius: 3px; }
.board .reach { background: light-dark(rgba(0, 114, 178, .45), rgba(86, 180, 233, .5)); }
.board .mean { position: absolute; top: calc(50% - 5px); width: 10px; height: 10px; margin-left: -5px; border-radius: 50%; }
.board .mean { background: light-dark(#0072B2, #56B4E9); }
.board .plain { position: absolute; top: 0; bottom: 0; border-left: 2px dotted #8A8A8A; }
.board .better { color: light-dark(#00644B, #3CC79A); font-weight: 600; }
.board .worse { color: light-dark(#A84300, #FF9A5C); font-weight: 600; }
.board .best th { box-shadow: inset 3px 0 0 light-dark(#00644B, #3CC79A); padding-left: .5rem; }
.board .num { white-space: nowrap; }
.board .none { opacity: .65; }
@media (max-width: 700px) {
  .board caption { display: block; }
  .board thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .board, .board tbody, .board tr, .board th, .board td { display: block; }
  .board tr { border-top: 1px solid rgba(128, 128, 128, .35); padding: .5rem 0; }
  .board th, .board td { border: 0; padding: .12rem 0; }
  .board .place { float: left; width: 1.8rem; }
  .board .bar { width: 100%; }
  .board .num { white-space: normal; }
}
</style>"""


@dataclass(frozen=True)
class Row:
    """One method as the board shows it. against: its paired difference to plain training, None where there is none (yet); p:
    by Holm.

    standing: better, worse, not told apart, reference, or '' while nothing can be said, as after a quick look.
    remark: what was done differently.
    """

    name: str
    title: str
    score: Interval
    n: int
    against: Interval | None
    p: float
    standing: str
    remark: str
    seconds: float


def rows_of_event(rows: Iterable[Mapping[str, Any]]) -> list[Row]:
    """Return the rows of an events.Board."""
    return [_make_row(row, row, _write_remark(row)) for row in rows]


def rows_of_result(comparison: Mapping[str, Any]) -> list[Row]:
    """Return the rows of a finished comparison, in the order in which they ran."""
    return [
        _make_row(row, metric_interval(row, deciding_metric(comparison)), _write_remark(row))
        for row in comparison.get("methods") or ()
    ]


def _make_row(row: Mapping[str, Any], score: Mapping[str, Any], remark: str) -> Row:
    against = row.get("difference") or None
    standing = ""
    if row["name"] == BASELINE:
        standing = "reference"
    elif against and not row.get("look") and not math.isnan(to_number(against.get("p_holm"))):
        standing = "better" if against.get("better") else "worse" if against.get("worse") else "not told apart"
    return Row(
        str(row["name"]),
        str(row.get("title") or row["name"]),
        _read_interval(score),
        count_replicates(row),
        _read_interval(against) if against else None,
        to_number(against.get("p_holm")) if against else math.nan,
        standing,
        remark,
        to_number(row.get("seconds"), 0.0),
    )


def _read_interval(values: Mapping[str, Any]) -> Interval:
    mean, low, high = (to_number(values.get(k)) for k in ("mean", "low", "high"))
    return Interval(mean, low, high, count_replicates({"replicates": values.get("n")}), CORRECTED_T)


def _write_remark(row: Mapping[str, Any]) -> str:
    parts = []
    if row.get("look") and count_replicates(row):
        parts.append("quick look: few rows, few epochs")
    if row.get("stopped") is not None:
        parts.append(f"dropped after round {row['stopped']}")
    if row.get("failed"):
        parts.append(f"failed: {row['failed']}")
    return "; ".join(parts)


def rank_names(rows: Sequence[Row]) -> list[str]:
    """Return the names, highest score first; those without one last.

    Methods may have different replicates, which are not equally hard: the order is by the paired difference to plain
    training, and by the mean only where there is no pair.
    """
    plain = next((r.score.mean for r in rows if r.name == BASELINE), math.nan)

    def height(row: Row) -> float:
        if row.against is not None and math.isfinite(row.against.mean):
            return -row.against.mean
        gain = row.score.mean - (plain if math.isfinite(plain) else 0.0)
        return -gain if math.isfinite(gain) else math.inf

    return [r.name for r in sorted(rows, key=height)]


def sort_rows(rows: Sequence[Row], names: Sequence[str]) -> list[Row]:
    """Return the rows in the order of `names`; those that are not among them come last."""
    places = {name: i for i, name in enumerate(names)}
    return sorted(rows, key=lambda r: places.get(r.name, len(places)))


MARKS = {
    "better": "▲ better",
    "worse": "▼ worse",
    "not told apart": "≈ not told apart",
    "reference": "● what the others are held against",
}


def draw_board(rows: Sequence[Row], metric: str, *, best: str | None = None) -> None:
    """Draw the table. metric: of engine.spec.result.METRICS; best: the method that is named the best."""
    st.html(write_board(rows, metric, best=best))


def write_board(rows: Sequence[Row], metric: str, *, best: str | None = None) -> str:
    """Return the table as HTML, every text escaped."""
    places = {name: i for i, name in enumerate(rank_names([r for r in rows if math.isfinite(r.score.mean)]), 1)}
    label, bounds_of, _ = METRICS[metric]
    ends = _scale_ends(rows, bounds_of)
    plain = next((r.score.mean for r in rows if r.name == BASELINE), math.nan)
    body = "".join(_write_row(row, places.get(row.name), ends, plain, row.name == best) for row in rows)
    scale = f"from {ends[0]:.1f} to {ends[1]:.1f}, dotted: plain training"
    return (
        f'{STYLE}<table class="board"><caption>Mean over n replicates with its 95% interval; the difference to plain training is paired, '
        f"p is corrected by Holm over all methods.</caption><thead><tr><th scope='col'>#</th><th scope='col'>Method</th>"
        f"<th scope='col'>{_escape(label)}, {scale}</th><th scope='col'>Mean [interval]</th>"
        f"<th scope='col'>Against plain training</th></tr></thead><tbody>{body}</tbody></table>"
    )


def _write_row(row: Row, place: int | None, ends: tuple[float, float], plain: float, best: bool) -> str:
    known = math.isfinite(row.score.mean)
    marks = ""
    if known:
        if math.isfinite(row.score.low) and math.isfinite(row.score.high):
            left, right = _position(row.score.low, ends), _position(row.score.high, ends)
            marks += f'<span class="reach" style="left:{left:.1f}%;width:{max(right - left, 0.5):.1f}%"></span>'
        marks += f'<span class="mean" style="left:{_position(row.score.mean, ends):.1f}%"></span>'
    if math.isfinite(plain):
        marks += f'<span class="plain" style="left:{_position(plain, ends):.1f}%"></span>'
    score = f"{row.score.mean:.3f}{format_bounds(row.score, 3)}" if known else "not yet"
    count = f"<small>n = {row.n}</small>" if row.n else ""
    remark = f"<small>{_escape(row.remark)}</small>" if row.remark else ""
    named = "<small>the best here</small>" if best else ""
    return (
        f"<tr{' class=best' if best else ''}><td class='place'>{place if place is not None else ''}</td>"
        f"<th scope='row'>{_escape(row.title)}{named}{remark}</th>"
        f"<td class='bar'><span class='scale' aria-hidden='true'>{marks}</span></td>"
        f"<td class='num'>{score}{count}</td><td>{_write_difference(row)}</td></tr>"
    )


def _write_difference(row: Row) -> str:
    if row.standing == "reference":
        return f"<span class='none'>{MARKS['reference']}</span>"
    if row.against is None or not math.isfinite(row.against.mean):
        return "<span class='none'>not yet</span>" if row.n < 2 else "<span class='none'>no pair yet</span>"
    text = format_signed(row.against.mean) + format_bounds(row.against, 3, sign=True)
    p = format_p(row.p)
    p = f"<small>p {_escape(p) if p.startswith('<') else f'= {p}'} (Holm)</small>" if row.standing else ""
    kind = row.standing if row.standing in ("better", "worse") else ""
    mark = f"<span class='{kind}'>{MARKS[row.standing]}</span> " if row.standing else ""
    return f"{mark}<span class='num'>{text}</span>{p}"


def _scale_ends(rows: Sequence[Row], within: tuple[float, float]) -> tuple[float, float]:
    """Return the ends of the scale: tenths around all that is drawn, within the metric's range."""
    finite = [v for r in rows for v in (r.score.mean, r.score.low, r.score.high) if math.isfinite(v)]
    if not finite:
        return 0.0, 1.0
    low, high = math.floor(min(finite) * 10 - 1e-9) / 10, math.ceil(max(finite) * 10 + 1e-9) / 10
    return max(low, within[0]), min(max(high, low + 0.1), within[1])


def _position(value: float, ends: tuple[float, float]) -> float:
    return 100 * min(1.0, max(0.0, (value - ends[0]) / (ends[1] - ends[0])))


def _escape(text: str) -> str:
    return html.escape(one_line(text, 120), quote=True)


def describe_replicates(rows: Sequence[Row]) -> str:
    """Return '9 methods, up to 20 replicates each'."""
    most = max((r.n for r in rows), default=0)
    return f"{format_count(len(rows), 'method')}, up to {format_count(most, 'replicate')} each"
