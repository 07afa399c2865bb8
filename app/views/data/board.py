"""The board of a comparison: a row a method, its score as a dot with its interval and as a number, and its difference to plain training.

It is one HTML table, which Streamlit changes in place. Rows with the most replicates are ranked, by the number that they show; all of
them are measured on the same splits, so the order of the numbers is the order of the paired differences. Other rows stand below.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from app.charts import palette
from app.words import data as words
from app.words.text import format_count, format_duration, format_score
from engine.report.leaderboard import count_replicates, deciding_metric, format_p, metric_interval, to_number
from engine.spec.companions import BASELINE
from engine.spec.result import METRICS
from engine.stats.compared import Difference
from engine.stats.intervals import CORRECTED_T, Interval
from engine.stats.significance import TTest, holm_levels, t_test
from engine.stats.verdict import Verdict, format_change, judge_methods, verdict
from engine.text import one_line

HIGH = 40
"""Pixels of a row."""
_SOFT, _PAPER = ("light-dark({}, {})".format(*pair) for pair in (palette.SOFT_INK, palette.PAPERS))
_COLOURS = {"better": palette.COLOURS["green"], "worse": palette.DESTRUCTIVE}
STYLE = f"""<style>
table.board {{ width: 100%; border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; table-layout: fixed; }}
.board :is(th, td) {{ text-align: left; padding: 0 10px 0 0; height: {HIGH}px; border: 0; vertical-align: middle; font-weight: 400; }}
.board thead :is(th, td) {{ height: 30px; font-size: 13px; color: {_SOFT}; border-bottom: 1px solid rgba(128, 128, 128, .32); }}
.board tfoot td {{ height: 24px; }}
.board tbody th {{ font-weight: 600; overflow-wrap: anywhere; line-height: 1.2; }}
.board small {{ display: block; font-weight: 400; font-size: 12.5px; color: {_SOFT}; }}
.board .place {{ width: 34px; padding-left: 10px; color: {_SOFT}; }}
.board .name {{ width: 24%; }} .board .score {{ width: 58px; font-weight: 650; text-align: right; }}
.board .said {{ width: 142px; font-size: 13px; color: {_SOFT}; }} .board .said.strong {{ font-weight: 650; color: inherit; }}
.board .seconds {{ width: 74px; text-align: right; font-size: 13px; color: {_SOFT}; }}
.board .scale {{ display: block; position: relative; height: {HIGH}px; font-size: 12px; color: {_SOFT}; }}
.board .scale i {{ position: absolute; }} .board tfoot .scale {{ height: 24px; }}
.board .tick {{ top: 0; bottom: 0; border-left: 1px solid rgba(128, 128, 128, .22); }}
.board .zero {{ top: 0; bottom: 0; border-left: 2px dotted {_SOFT}; }}
.board .reach {{ top: calc(50% - 1.5px); height: 3px; border-radius: 2px; }}
.board .mean {{ top: calc(50% - 6.5px); width: 13px; height: 13px; margin-left: -6.5px; border-radius: 50%; border: 2px solid; }}
.board .at {{ top: 4px; transform: translateX(-50%); font-style: normal; }}
.board tr.leads {{ background: light-dark(#F1F7F5, #14211D); box-shadow: inset 3px 0 0 light-dark(#00644B, #3CC79A); }}
.board tr.waits {{ color: {_SOFT}; }} .board tr.waits th {{ font-weight: 400; }}
.board tr.apart td {{ height: 30px; font-size: 13px; color: {_SOFT}; vertical-align: bottom;
  border-bottom: 1px solid rgba(128, 128, 128, .22); }}
@media (max-width: 767px) {{
  table.board, .board tbody {{ display: block; }}
  .board thead, .board tfoot {{ display: none; }}
  .board tr {{ display: grid; grid-template-columns: 34px 1fr 1fr 64px; align-items: center; padding: 6px 0;
    border-bottom: 1px solid rgba(128, 128, 128, .22); }}
  .board :is(th, td) {{ height: auto; padding: 0 6px; width: auto !important; }}
  .board .place {{ grid-area: 1 / 1; }} .board .name {{ grid-area: 1 / 2 / 2 / 4; }} .board .score {{ grid-area: 1 / 4; }}
  .board .marks {{ grid-area: 2 / 1 / 3 / 3; }} .board .marks.against {{ grid-area: 2 / 3 / 3 / 5; }}
  .board .said {{ grid-area: 3 / 2 / 4 / 4; }} .board .seconds {{ grid-area: 3 / 4; }} .board .apart td {{ grid-column: 1 / 5; }}
}}
</style>"""


@dataclass(frozen=True)
class Row:
    """One method as the board shows it. numbers: its replicates, () where they are not known.

    against: its paired difference to plain training at the level of its step of Holm's correction, None where there is none (yet); p: by
    Holm. standing: a key of `words.WORDS`, or 'look' while nothing can be said. remark: what was done differently; look: a quick one.
    """

    name: str
    title: str
    score: Interval
    n: int
    numbers: tuple[int, ...]
    against: Interval | None
    p: float
    standing: str
    remark: str
    look: bool
    failed: bool
    seconds: float
    said: Verdict | None = None

    @property
    def known(self) -> bool:
        """Whether there is a score."""
        return math.isfinite(self.score.mean)


def rows_of_event(rows: Iterable[Mapping[str, Any]]) -> list[Row]:
    """Return the rows of an events.Board."""
    listed = list(rows)
    return _make_rows(listed, listed)


def rows_of_result(comparison: Mapping[str, Any]) -> list[Row]:
    """Return the rows of a finished comparison, in the order in which they ran."""
    rows = list(comparison.get("methods") or ())
    return _make_rows(rows, [metric_interval(row, deciding_metric(comparison)) for row in rows])


def _make_rows(rows: Sequence[Mapping[str, Any]], scores: Sequence[Mapping[str, Any]]) -> list[Row]:
    differences = read_differences(rows)
    plain = next((str(row.get("title") or row["name"]) for row in rows if row["name"] == BASELINE), BASELINE)
    return [_make_row(row, score, differences.get(str(row["name"])), plain) for row, score in zip(rows, scores, strict=True)]


def _make_row(row: Mapping[str, Any], score: Mapping[str, Any], difference: Difference | None, plain: str) -> Row:
    title, n = str(row.get("title") or row["name"]), count_replicates(row)
    mean, low, high = (to_number(score.get(k)) for k in ("mean", "low", "high"))
    against = difference.interval if difference is not None else None
    said = verdict(title, plain, against, against.n, level=difference.level) if against is not None and difference else None
    standing = "look"
    if row["name"] == BASELINE:
        standing = "reference"
    elif said is not None and against is not None and not row.get("look"):
        standing = "split" if against.n < 2 else {True: "better", False: "worse", None: ""}[said.dot.better]
    return Row(
        str(row["name"]),
        title,
        Interval(mean, low, high, n, CORRECTED_T),
        n,
        tuple(row.get("numbers") or ()),
        against,
        difference.p_holm if difference is not None else math.nan,
        standing,
        _write_remark(row),
        bool(row.get("look")),
        bool(row.get("failed")),
        to_number(row.get("seconds"), 0.0),
        said,
    )


def read_differences(rows: Iterable[Mapping[str, Any]]) -> dict[str, Difference]:
    """Return each method's paired difference to plain training, all of them tested together."""
    found = {str(row["name"]): row["difference"] for row in rows if row.get("difference")}
    numbers = {name: {k: to_number(one.get(k)) for k in ("mean", "low", "high", "p", "p_holm")} for name, one in found.items()}
    levels = holm_levels([one["p"] for one in numbers.values()])
    return {
        name: Difference(
            TTest(one["mean"], one["low"], one["high"], one["p"], count_replicates({"replicates": found[name].get("n")})),
            one["p_holm"],
            level,
        )
        for (name, one), level in zip(numbers.items(), levels, strict=True)
    }


def judge_comparison(comparison: Mapping[str, Any]) -> Verdict:
    """The verdict on a finished comparison; of a quick look alone its own sentence."""
    rows = list(comparison.get("methods") or ())
    if rows and all(row.get("look") for row in rows):
        return Verdict(str(comparison["verdict"]), verdict("", "", None, 0).dot)
    titles = {str(row["name"]): str(row.get("title") or row["name"]) for row in rows} or {BASELINE: BASELINE}
    plain = BASELINE if BASELINE in titles else next(iter(titles))
    return judge_methods(read_differences(rows), titles, plain, METRICS[deciding_metric(comparison)][0])


def _write_remark(row: Mapping[str, Any]) -> str:
    parts = []
    if row.get("look") and count_replicates(row):
        parts.append(words.QUICK_LOOK)
    if row.get("stopped") is not None:
        parts.append(words.DROPPED.format(round=row["stopped"]))
    if row.get("failed"):
        parts.append(words.ROW_FAILED.format(reason=row["failed"]))
    return "; ".join(parts)


def rank_rows(rows: Sequence[Row]) -> list[Row]:
    """Return the rows that are ranked, the highest number first: those with the most replicates, all of them the same ones."""
    measured = [row for row in rows if row.known and not row.look]
    most = max(measured, key=lambda row: (row.n, row.name == BASELINE), default=None)
    if most is None:
        return []
    same = [row for row in measured if (row.n, row.numbers) == (most.n, most.numbers)]
    return sorted(same, key=lambda row: -row.score.mean)


def arrange_rows(rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """Return (ranked rows, the others, those with more replicates first)."""
    ranked = rank_rows(rows)
    names = {row.name for row in ranked}
    others = [row for row in rows if row.name not in names]
    return ranked, sorted(others, key=lambda row: (row.failed, -row.n, -row.score.mean if row.known else math.inf))


def rank_names(rows: Sequence[Row]) -> list[str]:
    """Return the names, ranked rows first."""
    ranked, others = arrange_rows(rows)
    return [row.name for row in (*ranked, *others)]


def sort_rows(rows: Sequence[Row], names: Sequence[str]) -> list[Row]:
    """Return the rows in the order of `names`; those that are not among them come last."""
    places = {name: i for i, name in enumerate(names)}
    return sorted(rows, key=lambda r: places.get(r.name, len(places)))


def hold_pair(comparison: Mapping[str, Any], a: str, b: str) -> Interval | None:
    """Return one method minus another on their common replicates with its 95% interval, None where there are none."""
    values = {}
    for row in comparison.get("methods") or ():
        if row["name"] in (a, b):
            own = (row["metrics"].get(deciding_metric(comparison)) or {}).get("values") or ()
            numbers = row.get("numbers") or range(len(own))
            values[row["name"]] = {n: to_number(v) for n, v in zip(numbers, own, strict=False)}
    if len(values) < 2:
        return None
    common = sorted(values[a].keys() & values[b].keys())
    share = to_number((comparison.get("protocol") or {}).get("test_share"), 0.0)
    test = t_test([values[a][n] - values[b][n] for n in common], share)
    return Interval(test.mean, test.low, test.high, test.n, CORRECTED_T) if test.n else None


def estimate_next(rows: Sequence[Row], spent: float) -> dict[str, float]:
    """Return the second at which each row without a score is expected to have one: rows come one after the other."""
    done = sum(row.known for row in rows)
    waiting = [row.name for row in rows if not row.known and not row.failed]
    return {name: spent / done * (done + place) for place, name in enumerate(waiting, 1)} if done and spent > 0 else {}


# ---- drawn


def draw_board(rows: Sequence[Row], metric: str, *, spent: float | None = None) -> None:
    """Draw the table. metric: of engine.spec.result.METRICS; spent: seconds so far while the comparison runs, None once it is done."""
    st.html(write_board(rows, metric, spent=spent))


def write_board(rows: Sequence[Row], metric: str, *, spent: float | None = None) -> str:
    """Return the table as HTML, every text escaped. While the comparison runs rows keep their order and have no places."""
    plain = next((row for row in rows if row.name == BASELINE), None)
    drawn = _Drawn(_scale_ends(rows, METRICS[metric][1]), _reach(rows), plain)
    if spent is not None:
        expected = estimate_next(rows, spent)
        body = "".join(drawn.write_row(row, None, False, expected.get(row.name)) for row in _plain_first(rows))
    else:
        body = _write_arranged(rows, drawn)
    label = html.escape(METRICS[metric][0])
    place = f"<span style='display:block;width:1px;height:1px;overflow:hidden'>{words.PLACE}</span>"
    difference = f"<span title='{words.FILLED}'>{words.DIFFERENCE}</span>"
    head = (
        ("place", place), ("name", words.ROW), ("marks", label), ("score", ""), ("marks", difference), ("said", ""),
        ("seconds", words.SECONDS),
    )  # fmt: skip
    cells = "".join(
        f"<th scope='col' class='{kind}'>{text}</th>" if text else f"<td class='{kind}'></td>" for kind, text in head
    )
    caption = f"aria-label='{words.BOARD_ALT.format(metric=label)}'"
    return f'{STYLE}<table class="board" {caption}><thead><tr>{cells}</tr></thead><tbody>{body}</tbody>{drawn.write_axes()}</table>'


def _plain_first(rows: Sequence[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: row.name != BASELINE)


def _write_arranged(rows: Sequence[Row], drawn: _Drawn) -> str:
    ranked, others = arrange_rows(rows)
    leader = ranked[0].name if ranked else ""
    body, place = "", 0
    for row in _plain_first(ranked):
        place += row.name != BASELINE
        body += drawn.write_row(row, place if row.name != BASELINE else None, row.name == leader)
    if others:
        if ranked and any(row.known for row in others):
            body += f"<tr class='apart'><td colspan='7'>{words.NOT_RANKED}</td></tr>"
        body += "".join(drawn.write_row(row, None, False) for row in others)
    return body


@dataclass(frozen=True)
class _Drawn:
    """The scales of a board. ends: of the score; reach: of the difference, on both sides of 0; plain: plain training."""

    ends: tuple[float, float]
    reach: float
    plain: Row | None

    def write_row(self, row: Row, place: int | None, leads: bool, expected: float | None = None) -> str:
        kind = "leads" if leads else "waits" if not row.known else "plain" if row.name == BASELINE else "row"
        remark = f"<small>{_escape(row.remark)}</small>" if row.failed or row.standing == "look" and row.remark else ""
        number = format_score(row.score.mean) if row.known else ""
        said, strong = words.WORDS.get(row.standing, ""), " strong" if row.standing in ("better", "worse") else ""
        if not row.known and not row.failed:
            said = words.NEXT_SOON if expected is None else words.NEXT_AT.format(time=format_duration(expected))
        return (
            f"<tr class='{kind}'><td class='place'>{place or ''}</td>"
            f"<th scope='row' class='name' title='{_escape(row.remark)}'>{_escape(row.title)}{remark}</th>"
            f"<td class='marks'>{self._write_score(row)}</td><td class='score'>{number}</td>"
            f"<td class='marks against'>{self._write_difference(row)}</td><td class='said{strong}'>{said}</td>"
            f"<td class='seconds'>{f'{row.seconds:.1f}' if row.known else ''}</td></tr>"
        )

    def _write_score(self, row: Row) -> str:
        marks = "".join(_line(self._place_score(v), "tick") for v in self._ticks())
        if self.plain is not None and self.plain.known:
            marks += _line(self._place_score(self.plain.score.mean), "zero")
        if not row.known:
            return _write_plot(marks)
        light = palette.stroke(row.name).colour
        colour = f"light-dark({light}, {palette.recolour(light)})"
        at = [self._place_score(v) for v in (row.score.low, row.score.mean, row.score.high)]
        return _write_plot(marks + _write_mark(at, colour, colour), _describe_score(row))

    def _write_difference(self, row: Row) -> str:
        marks, one = _line(50.0, "zero"), row.against
        if one is None or not math.isfinite(one.mean) or row.standing == "look":
            return _write_plot(marks)
        colour = "light-dark({}, {})".format(*_COLOURS.get(row.standing, palette.COLOURS["grey"]))
        at = [self._place_difference(v) for v in (one.low, one.mean, one.high)]
        mark = _write_mark(at, colour, colour if row.standing in _COLOURS else _PAPER)
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
        difference = "".join(
            _text(self._place_difference(v), "0" if v == 0 else format_change(v).rstrip("0")) for v in (-tick, 0.0, tick)
        )
        cells = ("", "", _write_plot(score), "", _write_plot(difference), "", "")
        return f"<tfoot><tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr></tfoot>"

    def _place_score(self, value: float) -> float:
        return 4 + 92 * min(1.0, max(0.0, (value - self.ends[0]) / (self.ends[1] - self.ends[0])))

    def _place_difference(self, value: float) -> float:
        return 50 + 46 * min(1.0, max(-1.0, value / self.reach))


def _write_mark(at: Sequence[float], colour: str, fill: str) -> str:
    low, mean, high = at
    reach = ""
    if math.isfinite(low) and math.isfinite(high):
        reach = f'<i class="reach" style="left:{low:.1f}%;width:{max(high - low, 0.5):.1f}%;background:{colour}"></i>'
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


def _describe_score(row: Row) -> str:
    replicates = format_count(row.n, "replicate")
    number = format_score(row.score.mean)
    if not math.isfinite(row.score.low):
        return f"{number}, {words.SCORE_ONE.format(replicates=replicates)}"
    low, high = format_score(row.score.low), format_score(row.score.high)
    return f"{number}, {words.SCORE_MORE.format(low=low, high=high, replicates=replicates)}"


def _describe_difference(row: Row) -> str:
    p = format_p(row.p)
    said = [words.P_MORE.format(p=p if p.startswith("<") else f"= {p}")] if math.isfinite(row.p) else []
    return " ".join([*(row.said.more if row.said else ()), *said])


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


def describe_replicates(rows: Sequence[Row]) -> str:
    """Return '10 replicates each', 'up to 10 replicates'."""
    counts = {row.n for row in rows if row.n}
    text = format_count(max(counts, default=0), "replicate")
    return words.EACH.format(replicates=text) if len(counts) == 1 else words.UP_TO.format(replicates=text)
