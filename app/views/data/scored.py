"""What a scoring found, as HTML for `app.marks`: drift, the highest rows, the histogram of probabilities, and the promise.

Names of columns, levels and files come from the data; `marks.text` escapes them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from app.charts import marks
from app.charts.marks import text
from app.views.data.reasons import number, shorten
from app.words import use as words
from app.words.text import format_score
from engine.spec.score import DRIFT, FIGURES

MOST_COLUMNS, MOST_ROWS = 12, 8
REACH = 0.35
"""The population stability index at the end of the lane; larger ones end in an arrow."""
WIDTH, HEIGHT = 364, 112
"""Pixels of the histogram."""


def judge_drift(found: Mapping[str, Any]) -> str:
    """'One column has drifted.'"""
    counts = (found.get("drift") or {}).get("counts") or {}
    drifted = int(number(counts.get("drifted")) if math.isfinite(number(counts.get("drifted"))) else 0)
    if counts and not drifted and all(not counts.get(name) for name in ("usual", "watch")):
        return words.NO_FACTS
    return words.DRIFTED.get(drifted, words.DRIFTED_MANY.format(count=drifted))


def draw_drift(found: Mapping[str, Any]) -> str:
    """A row a column, those that moved most first, on a lane with the usual and the drifted range, and the share that is flagged."""
    drift, fresh = found.get("drift") or {}, {str(one.get("column")): one for one in found.get("unknown") or ()}
    lacking = {str(one.get("column")) for one in found.get("lacking") or ()}
    columns = list(drift.get("columns") or ())
    body = "".join(
        _draw_column(one, fresh.get(str(one.get("column"))), str(one.get("column")) in lacking)
        for one in columns[:MOST_COLUMNS]
    )
    rest = len(columns) - MOST_COLUMNS
    flagged = drift.get("flagged") or {}
    now, then = number(flagged.get("now")), number(flagged.get("then"))
    if math.isfinite(now):
        said = words.SHARE_EXPECTED.format(now=_percent(now), then=_percent(then)) if math.isfinite(then) else _percent(now)
        body += (
            f'<div class="row"><span class="cell">{text(words.SHARE_FLAGGED)}</span><div class="lane">{_draw_zones()}</div>'
            f'<span class="seen">{text(said)}</span></div>'
        )
    ticks = "".join(
        f'<span class="tickname" style="left:{_at(v):.2f}%">{name}</span>'
        for v, name in ((0.0, "0"), (DRIFT[0], ".1"), (DRIFT[1], ".25"))
    )
    more = f'<p class="quiet">{text(words.MORE_COLUMNS.format(count=rest))}</p>' if rest > 0 else ""
    return (
        f'<div class="drift"><h3>{text(words.DRIFT_HEAD)}</h3><div class="rows"><div class="row heads"><span></span>'
        f'<span>{text(words.DRIFT_INDEX)}</span><span class="seen">{text(words.DRIFT_SEEN)}</span></div>{body}'
        f'<div class="row axis"><span></span><div class="lane">{ticks}</div><span></span></div></div>{more}'
        f'<p class="quiet">{text(words.DRIFT_NOTE)}</p>{_list_strange(found)}</div>'
    )


def _at(value: float) -> float:
    return 100 * min(1.0, max(0.0, value / REACH))


def _draw_zones() -> str:
    return f'<i class="usual" style="width:{_at(DRIFT[0]):.2f}%"></i><i class="drifted" style="left:{_at(DRIFT[1]):.2f}%"></i>'


def _draw_column(one: Mapping[str, Any], fresh: Mapping[str, Any] | None, is_lacking: bool) -> str:
    column, psi, state = shorten(one.get("column"), 40), number(one.get("psi")), str(one.get("state"))
    state = state if state in words.STATES else "unknown"
    lane, bad = _draw_zones(), state == "drifted"
    if math.isfinite(psi):
        pen = "var(--bad)" if bad else "var(--accent)"
        tip = words.DRIFT_ALT.format(column=column, psi=format_score(psi, 2), state=words.STATES[state])
        end = f'<span class="beyond right" style="top:19px;--pen:{pen};left:100%"></span>' if psi > REACH else ""
        lane += f'<span class="bar" style="top:19px;--pen:{pen};left:0;width:{_at(psi):.2f}%"></span>' + (
            end or marks.draw_mark(_at(psi), 19, pen, look="small filled", tip=tip)
        )
    return (
        f'<div class="row{" strong" if bad else ""}"><span class="cell">{text(column)}</span><div class="lane">{lane}</div>'
        f'<span class="seen">{text(_say_seen(one, fresh, is_lacking, state))}</span></div>'
    )


def _say_seen(one: Mapping[str, Any], fresh: Mapping[str, Any] | None, is_lacking: bool, state: str) -> str:
    """What is seen of a column, in a few words: first what explains most."""
    if is_lacking:
        return words.LACKS
    said = [] if state == "usual" else [words.STATES[state]]
    levels = len(fresh.get("levels") or ()) if fresh is not None else 0
    if fresh is not None:
        said.append(
            words.NEW_VALUE if levels == 1 else words.NEW_VALUES.format(count=f"{levels}" if levels < 5 else "5 or more")
        )
    gone = one.get("missing") or {}
    now, then = number(gone.get("now")), number(gone.get("then"))
    if now > then + 0.05:
        said.append(words.MISSING_NOW.format(now=_percent(now), then=_percent(then)))
    outside = number((one.get("range") or {}).get("outside"))
    if outside > 0.01:
        said.append(words.OUTSIDE.format(share=_percent(outside)))
    return ", ".join(said[:2]) or words.STATES["usual"]


def _percent(value: float) -> str:
    return f"{100 * value:.2g}%" if 0 < value < 0.1 else f"{100 * value:.0f}%"


def _list_strange(found: Mapping[str, Any]) -> str:
    """A sentence for each column with values that training never saw, and for each that the file lacks."""
    said = []
    for one in found.get("lacking") or ():
        said.append(words.LACKING.format(column=shorten(one.get("column"), 40), counted=shorten(one.get("counted_as"), 40)))
    for one in found.get("unknown") or ():
        levels = len(one.get("levels") or ())
        name = words.NEW_VALUE if levels == 1 else words.NEW_VALUES.format(count=levels if levels < 5 else "5 or more")
        said.append(
            words.UNKNOWN.format(column=shorten(one.get("column"), 40), levels=name, counted=shorten(one.get("counted_as"), 40))
        )
    return f"<ul class='strange'>{''.join(f'<li>{text(one)}</li>' for one in said)}</ul>" if said else ""


def draw_top(found: Mapping[str, Any]) -> str:
    """The flagged rows with the highest probabilities, by number alone, each with the columns that raise it most."""
    rows = list(found.get("top") or ())[:MOST_ROWS]
    head = f"<h3>{text(words.TOP_HEAD)}</h3>"
    if not rows:
        return f'<div class="top">{head}<p class="quiet">{text(words.TOP_NONE)}</p></div>'
    heads = "".join(f'<th scope="col"{" class=n" if i < 2 else ""}>{text(name)}</th>' for i, name in enumerate(words.TOP_HEADS))
    body = "".join(
        f'<tr><td class="n">{int(one["row"]):,}</td><td class="n strong">{format_score(number(one.get("probability")), 2)}</td>'
        f"<td>{text(', '.join(shorten(reason, 24) for reason in one.get('reasons') or ()) or words.REASONS_NONE)}</td></tr>"
        for one in rows
    )
    return f'<div class="top">{head}<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>'


def draw_histogram(found: Mapping[str, Any]) -> str:
    """Rows by probability, with the cut; '' where the scoring kept no counts. Heights are square roots, so that few rows are seen."""
    counts = [number(v) for v in found.get("histogram") or ()]
    if not counts or not all(map(math.isfinite, counts)) or not max(counts):
        return ""
    n, most = len(counts), math.sqrt(max(counts))
    rule = found.get("rule") or {}
    cut = number(rule.get("cut")) if rule.get("per") != "day" else math.nan  # each day has a cut of its own
    base, step = HEIGHT - 22, WIDTH / n
    out = ""
    for i, count in enumerate(counts):
        high = max(1.0, (base - 12) * math.sqrt(count) / most) if count else 0.0
        is_flagged = math.isfinite(cut) and (i + 0.5) / n >= cut
        out += (
            f'<rect class="{"flagged" if is_flagged else "rest"}" x="{i * step + 1:.1f}" y="{base - high:.1f}" '
            f'width="{step - 2:.1f}" height="{high:.1f}" rx="1"></rect>'
        )
    if math.isfinite(cut):
        x = cut * WIDTH
        side = "end" if x > 40 else "start"
        beside = x - 6 if side == "end" else x + 6
        out += (
            f'<line class="cut" x1="{x:.1f}" x2="{x:.1f}" y1="4" y2="{base}"></line>'
            f'<text class="strong" x="{beside:.1f}" y="14" text-anchor="{side}">{words.CUT_AT}</text>'
        )
    for x, name, side in ((0, "0", "start"), (WIDTH / 2, words.PROBABILITY, "middle"), (WIDTH, "1", "end")):
        out += f'<text class="t" x="{x:.0f}" y="{HEIGHT - 5}" text-anchor="{side}">{name}</text>'
    alt = words.HISTOGRAM_ALT.format(
        rows=f"{int(number(found.get('rows'))):,}", flagged=f"{int(number(found.get('flagged'))):,}"
    )
    svg = (
        f'<svg role="img" aria-label="{text(alt)}" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}">{out}</svg>'
    )
    return f'<div class="histogram"><h3>{text(words.HISTOGRAM_HEAD)}</h3>{svg}</div>'


def draw_promise(found: Mapping[str, Any]) -> str:
    """What the model promised beside what came, with the verdict; '' where the file has no answers."""
    promise = found.get("promise")
    if not promise:
        return ""
    body = ""
    for name in FIGURES:
        one = (promise.get("figures") or {}).get(name) or {}
        digits = 1 if name == "alerts" else 2
        cells = "".join(f"<td>{text(_say_range(one.get(key), digits))}</td>" for key in ("promised", "came"))
        holds = one.get("holds")
        mark = (
            f'<td class="n {"good" if holds else "bad"}">{words.HOLDS[bool(holds)]}</td>' if holds is not None else "<td></td>"
        )
        body += f'<tr><th scope="row">{words.FIGURES[name]}</th>{cells}{mark}</tr>'
    heads = "".join(f'<th scope="col">{text(name)}</th>' if name else "<td></td>" for name in words.PROMISE_HEADS)
    rows = words.PROMISE_ROWS.format(rows=f"{int(number(promise.get('rows'))):,}", target=shorten(promise.get("target"), 40))
    return (
        f'<div class="promise"><h3>{text(words.PROMISE_HEAD)} <span class="quiet">{text(rows)}</span></h3>'
        f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
        f"<p>{text(promise.get('text') or promise.get('verdict') or '')}</p></div>"
    )


def _say_range(one: Mapping[str, Any] | None, digits: int) -> str:
    mean, low, high = (number((one or {}).get(key)) for key in ("mean", "low", "high"))
    if not math.isfinite(mean):
        return "–"
    if mean >= 100:
        digits = 0
    said = format_score(mean, digits)
    if not (math.isfinite(low) and math.isfinite(high)):
        return said
    return words.BETWEEN.format(mean=said, low=format_score(low, digits), high=format_score(high, digits))


def say_flagged(found: Mapping[str, Any]) -> str:
    """'118 of 24,102 rows are flagged. One column has drifted.'"""
    counts = {name: f"{int(found[name]):,}" for name in ("flagged", "rows")}
    return f"{words.FLAGGED.format(**counts)} {judge_drift(found)}"
