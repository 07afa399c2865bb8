"""Why a row decides so, and for whom, as HTML for `app.marks`: bars with intervals, small pictures over a column's values, groups.

Names of columns, levels and labels come from the data; `marks.text` escapes them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from app.charts import marks
from app.charts.marks import Scale, text
from app.words import decide as words
from app.words.naming import BLANK
from app.words.text import format_score
from engine.stats.intervals import CORRECTED_T, Interval
from engine.text import one_line

MOST_BARS = 10
PEN = "var(--series)"
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 212, 132, 34, 8, 34
"""Pixels of one small picture."""
NAME = 28
"""Letters of a name at most."""
MOST_NAMES = 4
"""Levels that a small picture names."""


def read_interval(one: Mapping[str, Any] | None) -> Interval:
    """{mean, low, high}, any of them missing, as an interval."""
    values = [number(one.get(key)) if one else math.nan for key in ("mean", "low", "high")]
    return Interval(values[0], values[1], values[2], 0, CORRECTED_T)


def number(value: Any) -> float:
    """A number from JSON, NaN where it is none."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan


def shorten(name: object, most: int = NAME) -> str:
    """A name from the data on one line, with a word where nothing of it can be seen."""
    return one_line(str(name), most) or BLANK


def draw_importance(found: Sequence[Mapping[str, Any]], metric: str) -> str:
    """A bar for each group of columns, the most important first. metric: the deciding one's label."""
    rows = [(" + ".join(shorten(c) for c in one.get("columns") or ()), read_interval(one)) for one in found]
    rows = [(name, one) for name, one in rows if math.isfinite(one.mean)]
    if not rows:
        return ""
    shown, rest = rows[:MOST_BARS], rows[MOST_BARS:]
    ends = [v for _, one in shown for v in (one.mean, one.low, one.high, 0.0) if math.isfinite(v)]
    scale = Scale(min(ends), 1.04 * max(*ends, 1e-6))
    body = "".join(_draw_bar(name, one, scale) for name, one in shown)
    stop = max((s for s in marks.STOPS if s <= 0.9 * scale.high), default=scale.high)
    ticks = marks.draw_ticks(scale, (0.0, stop), ("0", marks.shorten_change(stop).removeprefix("+")))
    axis = f'<div class="row axis"><span></span><div class="lane">{ticks}</div><span></span></div>'
    more = ""
    if rest:
        least = format_score(max(one.mean for _, one in rest), 3)
        more = f'<p class="quiet">{text(words.MORE_COLUMNS.format(count=len(rest), least=least))}</p>'
    head = f'<h3>{text(words.IMPORTANCE)} <span class="quiet">{text(words.IMPORTANCE_NOTE.format(metric=metric))}</span></h3>'
    return f'<div class="why-bars">{head}<div class="rows">{body}{axis}</div>{more}</div>'


def _draw_bar(name: str, one: Interval, scale: Scale) -> str:
    zero, at = scale.at(0.0), scale.at(one.mean)
    low, high = (format_score(v) if math.isfinite(v) else "" for v in (one.low, one.high))
    tip = words.IMPORTANCE_ALT if low else words.IMPORTANCE_BARE
    filled, said = one.low > 0, tip.format(column=name, mean=format_score(one.mean), low=low, high=high)
    bar = (
        f'<span class="length{"" if filled else " weak"}" style="left:{min(zero, at):.2f}%;width:{abs(at - zero):.2f}%"></span>'
    )
    lane = (
        marks.draw_zero(scale) + bar + marks.draw_bar(scale, one, 19, "var(--ink)", filled=True)
        + marks.draw_mark(at, 19, PEN, look=f"small{' filled' if filled else ''}", tip=said)
    )  # fmt: skip
    return (
        f'<div class="row"><span class="cell">{text(name)}</span><div class="lane">{lane}</div>'
        f'<span class="value">{format_score(one.mean)}</span></div>'
    )


def draw_dependence(found: Sequence[Mapping[str, Any]]) -> str:
    """A small picture a column: the mean probability over its values, on one scale."""
    kept = [one for one in found if _is_whole(one)]
    if not kept:
        return ""
    ends = [number(v) for one in kept for key in ("mean", "high") for v in one.get(key) or ()]
    most = _round_up(max(v for v in ends if math.isfinite(v)))
    body = "".join(_draw_small(one, most) for one in kept)
    head = f'<h3>{text(words.DEPENDENCE)} <span class="quiet">{text(words.DEPENDENCE_NOTE)}</span></h3>'
    return f'<div class="why-small">{head}<div class="few">{body}</div></div>'


def _is_whole(one: Mapping[str, Any]) -> bool:
    at, mean = one.get("at") or (), [number(v) for v in one.get("mean") or ()]
    whole = len(at) > 1 and len(at) == len(mean) and all(map(math.isfinite, mean))
    return whole and (one.get("kind") == "level" or all(math.isfinite(number(v)) for v in at))


def _round_up(value: float) -> float:
    unit = 10.0 ** math.floor(math.log10(max(value, 1e-6)))
    return min(1.0, next(step * unit for step in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if step * unit >= value * (1 - 1e-9)))


def _draw_small(one: Mapping[str, Any], most: float) -> str:
    at, n = list(one["at"]), len(one["at"])
    mean, low, high = ([number(v) for v in (one.get(key) or [math.nan] * n)] for key in ("mean", "low", "high"))
    low, high = (ends if len(ends) == n else [math.nan] * n for ends in (low, high))
    is_level = one.get("kind") == "level"
    places = [i + 0.5 for i in range(n)] if is_level else [number(v) for v in at]
    left, right = (0.0, float(n)) if is_level else (min(places), max(places))

    def x(value: float) -> float:
        return LEFT + (value - left) / ((right - left) or 1) * (WIDTH - LEFT - 10)

    def y(value: float) -> float:
        return TOP + (1 - min(1.0, max(0.0, value / most))) * (HEIGHT - TOP - BOTTOM)

    out = "".join(
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - 10}" y1="{y(v):.1f}" y2="{y(v):.1f}"></line>'
        f'<text class="t" x="{LEFT - 6}" y="{y(v) + 4:.1f}" text-anchor="end">{name}</text>'
        for v, name in ((0.0, "0"), (most, format_score(most, 3).rstrip("0").rstrip(".") or "0"))
    )  # fmt: skip
    known = [i for i in range(n) if math.isfinite(low[i]) and math.isfinite(high[i])]
    if is_level:
        for i in known:
            px = f"{x(places[i]):.1f}"
            out += f'<line class="whisker" x1="{px}" x2="{px}" y1="{y(low[i]):.1f}" y2="{y(high[i]):.1f}"></line>'
        out += "".join(
            f'<circle class="bin" cx="{x(p):.1f}" cy="{y(m):.1f}" r="3.6"></circle>' for p, m in zip(places, mean, strict=True)
        )
        step = math.ceil(n / MOST_NAMES)
        room = max(4, int((WIDTH - LEFT) / min(n, MOST_NAMES) / 6.6))
        names = [(places[i], shorten(at[i], room), "middle") for i in range(0, n, step)]
    else:
        if len(known) > 1:
            edge = [(x(places[i]), y(high[i])) for i in known] + [(x(places[i]), y(low[i])) for i in reversed(known)]
            out += f'<polygon class="band" points="{_points(edge)}"></polygon>'
        out += (
            f'<polyline class="line" points="{_points([(x(p), y(m)) for p, m in zip(places, mean, strict=True)])}"></polyline>'
        )
        names = [(left, _say(left), "start"), (right, _say(right), "end")]
    out += "".join(
        f'<text class="t" x="{x(p):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="{side}">{text(name)}</text>'
        for p, name, side in names
    )
    column = shorten(one.get("column"))
    out += f'<text x="{(LEFT + WIDTH - 10) / 2:.0f}" y="{HEIGHT - 3}" text-anchor="middle">{text(column)}</text>'
    ends = [shorten(v, 20) if is_level else _say(number(v)) for v in (at[0], at[-1])]
    alt = words.DEPENDENCE_ALT.format(
        column=column, first=format_score(mean[0]), start=ends[0], last=format_score(mean[-1]), end=ends[1]
    )
    return (
        f'<svg role="img" aria-label="{text(alt)}" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}">{out}</svg>'
    )


def _points(pairs: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in pairs)


def _say(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}".replace("-", "−")


def draw_groups(found: Sequence[Mapping[str, Any]], most: int = 60) -> str:
    """The table of groups: its rows and share, and three readings as dots with intervals. Small groups are said to be small."""
    scale = Scale(0.0, 1.0)
    body, last = "", None
    for one in found[:most]:
        column, small = shorten(one.get("column"), 40), bool(one.get("small"))
        if column != last:
            body += f'<tr class="of"><th scope="rowgroup" colspan="6">{text(column)}</th></tr>'
            last = column
        note = f' <span class="quiet">{text(words.GROUP_SMALL)}</span>' if small else ""
        share = number(one.get("share"))
        cells = "".join(
            _draw_reading(read_interval(one.get(key)), scale, small, f"{column} = {shorten(one.get('level'), 40)}: {name}")
            for key, name in zip(("ap", "recall", "precision"), words.GROUP_HEADS[3:], strict=True)
        )
        body += (
            f'<tr{" class=small" if small else ""}><th scope="row">{text(shorten(one.get("level"), 40))}{note}</th>'
            f"<td class=n>{_count(one.get('n'))}</td><td class=n>{f'{100 * share:.2g}%' if math.isfinite(share) else ''}</td>{cells}</tr>"
        )
    heads = "".join(
        f'<th scope="col"{" class=n" if i in (1, 2) else ""}>{text(name)}</th>' for i, name in enumerate(words.GROUP_HEADS)
    )
    more = f'<p class="quiet">{text(words.MORE_ROWS.format(count=len(found) - most))}</p>' if len(found) > most else ""
    caption = f'<caption class="sr">{text(words.GROUPS_ALT)}</caption>'
    return (
        f'<div class="groups scroll"><table>{caption}<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>{more}</div>'
    )


def _count(value: Any) -> str:
    found = number(value)
    return f"{found:,.0f}" if math.isfinite(found) else ""


def _draw_reading(one: Interval, scale: Scale, small: bool, what: str) -> str:
    if not math.isfinite(one.mean):
        return '<td><span class="quiet">–</span></td>'
    said = format_score(one.mean, 2)
    tip = (
        f"{what} {said}"
        if not math.isfinite(one.low)
        else f"{what} {words.FROM_TO.format(mean=said, low=format_score(one.low, 2), high=format_score(one.high, 2))}"
    )
    lane = marks.draw_bar(scale, one, 15, PEN, filled=not small) + marks.draw_mark(
        scale.at(one.mean), 15, PEN, look=f"small{'' if small else ' filled'}", tip=tip
    )
    return f'<td><div class="pair"><div class="lane">{lane}</div><span>{said}</span></div></td>'


def draw_unsafe(found: Mapping[str, Mapping[str, Any]], titles: Mapping[str, str]) -> str:
    """Bars of the share of made rows that are unsafe, a row a sampler."""
    rows = [
        (shorten(titles.get(name, name), 40), one) for name, one in found.items() if math.isfinite(number(one.get("share")))
    ]
    if not rows:
        return ""
    ends = [number(one.get(key)) for _, one in rows for key in ("share", "high")]
    scale = Scale(0.0, 1.04 * max(0.05, *(v for v in ends if math.isfinite(v))))
    body = ""
    for name, one in sorted(rows, key=lambda pair: number(pair[1].get("share"))):
        held = Interval(number(one.get("share")), number(one.get("low")), number(one.get("high")), 0, CORRECTED_T)
        tip = words.UNSAFE_ALT if math.isfinite(held.low) else words.UNSAFE_BARE
        said = tip.format(
            title=name, share=_percent(held.mean), count=_count(one.get("n")), low=_percent(held.low), high=_percent(held.high)
        )
        lane = (
            f'<span class="length" style="left:0;width:{scale.at(held.mean):.2f}%"></span>'
            + marks.draw_bar(scale, held, 19, "var(--ink)", filled=True)
            + marks.draw_mark(scale.at(held.mean), 19, PEN, look="small filled", tip=said)
        )  # fmt: skip
        body += (
            f'<div class="row"><span class="cell">{text(name)}</span><div class="lane">{lane}</div>'
            f'<span class="value">{_percent(held.mean)}</span></div>'
        )
    head = f'<h3>{text(words.UNSAFE)} <span class="quiet">{text(words.UNSAFE_NOTE)}</span></h3>'
    return f'<div class="why-bars">{head}<div class="rows">{body}</div></div>'


def _percent(value: float) -> str:
    return f"{100 * value:.2g}%" if math.isfinite(value) else ""


def draw_suspects(result: Mapping[str, Any], most: int = 20) -> str:
    """Rows whose label the scores contradict, by number, beside what chance would give; rows that repeat or contradict each other."""
    found = list(result.get("suspects") or ())
    tested, share = number(result.get("suspects_tested")), number(result.get("suspects_by_chance"))
    out = f'<div class="suspects"><div><h3>{text(words.SUSPECTS)} <span class="quiet">{text(words.SUSPECTS_NOTE)}</span></h3>'
    if found:
        heads = "".join(f'<th scope="col">{text(name)}</th>' for name in words.SUSPECT_HEADS)
        rows = "".join(
            f"<tr><td>{_count(one.get('row'))}</td><td>{text(shorten(one.get('label'), 40))}</td>"
            f"<td>{format_score(number(one.get('p')))}</td></tr>"
            for one in found[:most]
        )
        out += f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    else:
        out += f"<p>{text(words.SUSPECTS_NONE)}</p>"
    out += "</div><div>"
    facts = []
    if math.isfinite(number(result.get("suspects_found"))):
        facts.append((words.SUSPECTS_FOUND, _count(result["suspects_found"])))
    if math.isfinite(tested) and math.isfinite(share):
        facts.append((words.SUSPECTS_CHANCE, f"{tested * share:.1f}"))
    facts += [
        (name, _count(result.get(key)))
        for key, name in (("duplicates", words.DUPLICATES), ("conflicts", words.CONFLICTS))
        if result.get(key) is not None
    ]
    body = "".join(f'<tr><th scope="row">{text(name)}</th><td>{value}</td></tr>' for name, value in facts)
    return out + f"<table><tbody>{body}</tbody></table></div></div>"
