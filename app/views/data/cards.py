"""The cards beside the board of a comparison: the leading row, and what a random split would have read."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from app.charts import palette
from app.views.data import board
from app.words import data as words
from app.words.text import format_duration, format_score
from engine.report.leaderboard import to_number
from engine.stats.verdict import format_change, verdict
from engine.text import one_line

_SOFT = "light-dark({}, {})".format(*palette.SOFT_INK)
_RANDOM, _USED = ("light-dark({}, {})".format(*palette.COLOURS[name]) for name in ("orange", "green"))
STYLE = f"""<style>
.card {{ border: 1px solid rgba(128, 128, 128, .32); border-radius: 10px; padding: 14px 18px; font-size: 14px; }}
.card h2 {{ font-size: 15.5px; font-weight: 650; margin: 0 0 8px; padding: 0; }}
.card p {{ margin: 6px 0 0; font-size: 13px; color: {_SOFT}; }}
.card table {{ width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }}
.card td {{ padding: 5px 0; border: 0; border-bottom: 1px solid rgba(128, 128, 128, .22); overflow-wrap: anywhere; font-size: 13px; }}
.card td + td {{ text-align: right; color: {_SOFT}; padding-left: 12px; }}
.card.facts td + td {{ white-space: nowrap; color: inherit; }}
.card .two {{ font-size: 12px; color: {_SOFT}; }}
.card .line {{ position: relative; display: block; height: 18px; }} .card .line i {{ position: absolute; }}
.card .axis {{ left: 0; right: 0; top: 8px; border-top: 1px solid rgba(128, 128, 128, .32); }}
.card .from {{ top: -2px; bottom: -2px; border-left: 2px dotted {_SOFT}; margin-left: -1px; }}
.card .reach {{ top: 7px; height: 3px; border-radius: 2px; }}
.card .mean {{ top: 3px; width: 11px; height: 11px; margin-left: -5.5px; border-radius: 50%; }}
</style>"""


def read_interval(value: Any) -> tuple[float, float, float]:
    """Return (mean, low, high) of a stored reading, which may be a bare number; NaN for what is not there."""
    if isinstance(value, Mapping):
        mean, low, high = (to_number(value.get(k)) for k in ("mean", "low", "high"))
        return mean, low, high
    return to_number(value), math.nan, math.nan


def write_leader(result: Mapping[str, Any], ranked: Sequence[board.Row]) -> str:
    """Return the leading row's card as HTML, every text escaped: whether it is ahead of the next row is the verdict's to say."""
    leader = ranked[0]
    found = next(row for row in result["methods"] if row["name"] == leader.name)
    facts = [*_list_costs(result, found, leader), *_list_alerts(result, leader), *_list_rivals(result, ranked)]
    gain = read_interval((found.get("refit") or {}).get("gain"))
    if math.isfinite(gain[0]):
        facts.append((words.CARD_REFIT, format_change(gain[0]), _say_interval(gain)))
    if (result.get("spec") or {}).get("tune"):
        facts.append((words.CARD_SETTINGS, words.CARD_TUNED, ""))
    body = "".join(
        f"<tr><td>{html.escape(name)}</td><td title='{html.escape(more, quote=True)}'>{html.escape(text)}</td></tr>"
        for name, text, more in facts
    )
    return f"<div class='card facts'><h2>{html.escape(name_row(leader))}</h2><table>{body}</table></div>"


def name_row(row: board.Row) -> str:
    """Return 'Random forest, SMOTE', 'Network, no remedy'; of an earlier comparison the row's own title."""
    if row.earlier:
        return one_line(row.title, 60)
    return one_line(f"{row.model_title}, {words.NO_REMEDY if row.plain else row.remedy_title}", 60)


def _list_costs(result: Mapping[str, Any], found: Mapping[str, Any], leader: board.Row) -> list[tuple[str, str, str]]:
    facts = []
    data = result.get("data") or {}
    whole = data.get("used_rows") or data.get("rows")
    trained = to_number(found.get("train_rows"), to_number(found.get("rows")))
    if trained == trained:
        rows = f"{trained:,.0f}"
        full = whole and to_number(whole) >= trained
        facts.append((words.CARD_ROWS, words.CARD_ROWS_OF.format(rows=rows, whole=f"{whole:,.0f}") if full else rows, ""))
    if leader.n:
        facts.append((words.CARD_FIT, format_duration(leader.seconds / leader.n), ""))
    return facts


def _list_alerts(result: Mapping[str, Any], leader: board.Row) -> list[tuple[str, str, str]]:
    """How many alerts are right within the budget, where the leading row is the one that is decided with."""
    decided = result.get("decide") or {}
    alerts = (result.get("spec") or {}).get("alerts")
    mean, *_ = reading = read_interval(decided.get("precision"))
    if decided.get("row") != leader.name or not alerts or not math.isfinite(mean):
        return []
    per = words.PER[str((result.get("spec") or {}).get("per") or "1000")]
    said = words.CARD_ALERTS.format(alerts=f"{float(alerts):,.5g}", per=per)
    return [(said, words.OF_100.format(count=f"{100 * mean:.0f}"), _say_interval(reading))]


def _list_rivals(result: Mapping[str, Any], ranked: Sequence[board.Row]) -> list[tuple[str, str, str]]:
    """Whether the leading row is ahead of the best other plain row, and of the score in use."""
    leader, lead = ranked[0], result.get("lead")
    if lead is None:  # stored before: of the next row, by the paired interval
        other = ranked[1] if len(ranked) > 1 else None
        return (
            []
            if other is None
            else [(words.CARD_AHEAD.format(next=one_line(other.title, 40)), say_ahead(result, leader, other), "")]
        )
    rows = {row.name: row for row in ranked}
    out = []
    for name, found in ((lead.get("rival"), lead.get("difference")), (board.IN_USE, lead.get("in_use"))):
        if found and (row := rows.get(str(name))) is not None:
            mean, low, high = read_interval(found)
            by = words.CARD_YES.format(by=format_change(mean).lstrip("+")) if found.get("better") else words.CARD_NOT
            out.append((words.CARD_AHEAD.format(next=_name_inside(row)), by, _say_interval((mean, low, high))))
    return out


def _name_inside(row: board.Row) -> str:
    if row.model == board.IN_USE:
        return words.THE_SCORE
    title = row.model_title if row.plain else row.title
    return title[:1].lower() + title[1:] if title[1:2].islower() and title in words.MODELS.values() else title


def say_ahead(result: Mapping[str, Any], leader: board.Row, other: board.Row) -> str:
    """Return 'yes, by .03' where the verdict on the two rows says so, else 'not shown'."""
    interval = board.hold_pair(result, leader.name, other.name)
    n = interval.n if interval is not None else 0
    said = verdict(leader.title, other.title, interval, n)
    if interval is None or said.dot.better is not True:
        return words.CARD_NOT
    return words.CARD_YES.format(by=format_change(interval.mean).lstrip("+"))


def _say_interval(reading: tuple[float, float, float]) -> str:
    low, high = reading[1:]
    if not (math.isfinite(low) and math.isfinite(high)):
        return ""
    return words.INTERVAL_MORE.format(low=format_score(low), high=format_score(high))


def write_optimism(result: Mapping[str, Any]) -> str:
    """Return the card that says how much too high a random split reads, '' where the interval of the difference is not above 0."""
    found = result.get("optimism") or {}
    mean, low, high = read_interval(found.get("difference"))
    if not (math.isfinite(mean) and math.isfinite(low) and low > 0):
        return ""
    kind = board.find_kind(result)
    random, used = read_interval(found.get("random")), read_interval(found.get("used"))
    if not math.isfinite(random[1]):  # means alone are stored: the interval is that of the difference, from the other dot on
        random = (random[0], used[0] + low, used[0] + high)
    rows = [(words.RANDOM_SPLIT, random, _RANDOM), (words.SPLIT_BY.get(kind, words.SPLIT_USED), used, _USED)]
    values = [v for _, reading, _ in rows for v in reading if math.isfinite(v)]
    if not values:
        return ""
    bottom, top = min(values), max(values)
    span = max(top - bottom, 0.02)

    def place(value: float) -> float:
        return 6 + 88 * (value - bottom) / span

    drawn, zero = "", f"<i class='from' style='left:{place(used[0]):.1f}%'></i>"
    for name, reading, colour in rows:
        drawn += (
            f"<span>{html.escape(name)} {format_score(reading[0], 2)}</span>{_draw_reading(reading, colour, place, name, zero)}"
        )
    by = format_change(mean)
    more = html.escape(_say_interval((mean, low, high)), quote=True)
    said = words.OPTIMISM_MORE.get(kind, words.OPTIMISM_BY).format(by=by.lstrip("+"))
    return f"<div class='card'><h2>{words.OPTIMISM}</h2><div class='two'>{drawn}</div><p title='{more}'>{said}</p></div>"


def _draw_reading(
    reading: tuple[float, float, float], colour: str, place: Callable[[float], float], name: str, under: str
) -> str:
    mean, low, high = reading
    reach = ""
    if math.isfinite(low) and math.isfinite(high):
        reach = (
            f"<i class='reach' style='left:{place(low):.1f}%;width:{place(high) - place(low):.1f}%;background:{colour}'></i>"
        )
    label = html.escape(f"{name}: {format_score(mean)}. {_say_interval(reading)}", quote=True)
    dot = f"<i class='mean' style='left:{place(mean):.1f}%;background:{colour}'></i>"
    return f"<span class='line' role='img' aria-label='{label}' title='{label}'><i class='axis'></i>{under}{reach}{dot}</span>"
