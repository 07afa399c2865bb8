"""Why the leading row of a comparison decides as it does, and for whom: the section of the report, and the lines at the terminal.

Names of columns and levels come from the data and are escaped. Results of earlier versions lack these keys: the section is left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from engine.report import page as doc
from engine.report import svg, words
from engine.report.formats import MINUS, format_interval
from engine.report.leaderboard import list_titles, metric_label, positive_class, to_number
from engine.report.svg import Line, Row
from engine.stats.intervals import CORRECTED_T
from engine.text import html as safe
from engine.text import one_line

SHOWN_BARS, SHOWN_GROUPS, SHOWN_SUSPECTS = 15, 60, 50
LONGEST = 32
"""Letters of a name in a picture, and of a level on an axis 8."""


def write_why(comparison: Mapping[str, Any]) -> str:
    """The section; empty for a comparison that asked none of it."""
    parts = [
        _write_importance(comparison),
        _write_dependence(comparison),
        _write_groups(comparison),
        _write_suspects(comparison),
        _write_unsafe(comparison),
    ]
    row = _explained(comparison)
    kind = safe((comparison.get("why") or {}).get("interval") or comparison.get("interval") or CORRECTED_T, 120)
    lead = f"<p>{words.WHY_ROW.format(title=safe(row, 80), kind=kind)}</p>" if row and any(parts[:3]) else ""
    return lead + "".join(parts) if any(parts) else ""


def summarise_why(comparison: Mapping[str, Any]) -> list[str]:
    """Two lines for the terminal at most; none for a comparison that asked none of it."""
    out = []
    if found := comparison.get("importance"):
        first = "; ".join(
            f"{one_line(_join_names(one), 60)} {format_interval(_turn(one), sign=True).replace(MINUS, '-')}"
            for one in found[:3]
        )
        label = metric_label(comparison)
        out.append(words.WHY_LINE.format(title=one_line(_explained(comparison), 60), metric=label, columns=first))
    said = []
    if comparison.get("suspects_by_chance") is not None:
        said.append(words.SUSPECTS_LINE.format(**_count_suspects(comparison)))
    if comparison.get("duplicates") or comparison.get("conflicts"):
        said.append(words.REPEATED_LINE.format(same=comparison["duplicates"], mixed=comparison["conflicts"]))
    if unsafe := comparison.get("unsafe"):
        titles = list_titles(comparison)
        each = ", ".join(f"{one_line(titles.get(name, name), 40)} {one['share']:.0%}" for name, one in unsafe.items())
        said.append(words.UNSAFE_LINE.format(each=each))
    return [*out, " ".join(said)] if said else out


def _explained(comparison: Mapping[str, Any]) -> str:
    """The title of the row that is explained; empty where there is none."""
    name = (comparison.get("why") or {}).get("row")
    return str(list_titles(comparison).get(name, name)) if name else ""


def _join_names(one: Mapping[str, Any], sign: str = " + ") -> str:
    return sign.join(str(name) for name in one.get("columns") or ())


def _turn(one: Mapping[str, Any]) -> dict[str, Any]:
    """A fall as a difference: what the metric changes by."""
    ends = {"mean": one.get("mean"), "low": one.get("high"), "high": one.get("low")}
    return {name: None if value is None else -value for name, value in ends.items()}


def _write_importance(comparison: Mapping[str, Any]) -> str:
    found = comparison.get("importance") or ()
    if not found:
        return ""
    label, about = metric_label(comparison), comparison.get("why") or {}
    rows = []
    for one in found[:SHOWN_BARS]:
        value, low, high = (to_number(one.get(k)) for k in ("mean", "low", "high"))
        style = ("a", "dot") if low > 0 else ("b", "ring")
        rows.append(Row(_join_names(one), value, format_interval(one), low, high, *style))
    said = words.IMPORTANCE_ALT.format(metric=label) + "; ".join(f"{row.name[:40]} {row.text}" for row in rows)
    chart = svg.draw_intervals(rows, label=said, x_title=words.IMPORTANCE_AXIS.format(metric=label), level=0.0)
    out = f"<h3>{words.IMPORTANCE}</h3>" + doc.html_figure(
        words.IMPORTANCE_FIGURE.format(metric=safe(label)), words.IMPORTANCE_CAPTION, chart
    )
    out += doc.html_more(len(found), SHOWN_BARS, "groups of columns")
    if 0 < to_number(about.get("columns"), 0) < to_number(about.get("of"), 0):
        out += f"<p>{words.IMPORTANCE_PART.format(columns=about['columns'], of=about['of'])}</p>"
    return out + doc.html_how(
        words.IMPORTANCE_HOW.format(rows=doc.format_count(about.get("test_rows")), n=doc.format_count(about.get("replicates")))
    )


def _write_dependence(comparison: Mapping[str, Any]) -> str:
    found = comparison.get("dependence") or ()
    figures = "".join(_draw_dependence(one, positive_class(comparison)) for one in found)
    if not figures:
        return ""
    return f'<h3>{words.DEPENDENCE}</h3><div class="few">{figures}</div>{doc.html_how(words.DEPENDENCE_HOW)}'


def _draw_dependence(one: Mapping[str, Any], positive: str) -> str:
    """The mean probability over the values of a column, with intervals."""
    at, name = list(one.get("at") or ()), str(one.get("column"))
    mean, low, high = (np.array([to_number(v) for v in one.get(k) or ()]) for k in ("mean", "low", "high"))
    if not len(at) or not len(at) == len(mean) == len(low) == len(high):
        return ""
    levels = one.get("kind") == "level"
    x = np.arange(len(at), dtype=float) if levels else np.array([to_number(v) for v in at])
    if not np.isfinite(x).all() or not np.isfinite(mean).all():
        return ""
    room = (x.max() - x.min()) * (0.08 if levels else 0.02) or 0.5
    top = max(0.02, float(np.nanmax([mean.max(), *high[np.isfinite(high)]])) * 1.05)
    values = "; ".join(f"{str(v)[:20] if levels else f'{v:.4g}'} {m:.3f}" for v, m in zip(at, mean, strict=True))
    ticks = [(float(k), safe(str(v)[:8])) for k, v in enumerate(at)] if levels else ()
    chart = svg.draw_lines(
        [Line(x, mean, mark="dot", low=low, high=high)],
        label=words.DEPENDENCE_ALT.format(column=name[:40]) + values,
        x_title=name[:LONGEST],
        y_title=words.PROBABILITY,
        x=(float(x.min() - room), float(x.max() + room)),
        y=(0.0, min(1.0, top)),
        x_ticks=ticks,
    )
    return doc.html_figure(doc.html_name(name, 60), words.DEPENDENCE_CAPTION.format(label=doc.html_name(positive, 40)), chart)


def _write_groups(comparison: Mapping[str, Any]) -> str:
    found: Sequence[Mapping[str, Any]] = comparison.get("groups") or ()
    if not found:
        return ""
    label, rows = positive_class(comparison), []
    for one in found[:SHOWN_GROUPS]:
        share = to_number(one.get("share"))
        rows.append(
            [
                f"{doc.html_name(one.get('column'), 40)} = {doc.html_name(one.get('level'), 40)}",
                doc.format_count(one.get("n")),
                doc.DASH if math.isnan(share) else f"{share:.1%}",
                *(doc.html_interval(one.get(k) or {}) for k in ("ap", "recall", "precision")),
                words.SMALL if one.get("small") else "",
            ]
        )
    head = [*words.GROUPS_HEAD]
    out = f"<h3>{words.GROUPS}</h3>" + doc.html_table(words.GROUPS_TABLE.format(label=safe(label, 40)), head, rows, texts=(6,))
    return out + doc.html_more(len(found), SHOWN_GROUPS, "groups") + doc.html_how(words.GROUPS_HOW)


def _count_suspects(comparison: Mapping[str, Any]) -> dict[str, str]:
    tested = to_number(comparison.get("suspects_tested"), 0.0)
    found = to_number(comparison.get("suspects_found"), float(len(comparison.get("suspects") or ())))
    chance = to_number(comparison.get("suspects_by_chance"))
    expected = chance * tested
    return {
        "found": f"{found:,.0f}",
        "tested": f"{tested:,.0f}",
        "chance": f"{expected:,.1f}" if expected < 10 else f"{expected:,.0f}",
    }


def _write_suspects(comparison: Mapping[str, Any]) -> str:
    if comparison.get("suspects_by_chance") is None:
        return ""
    out = f"<h3>{words.SUSPECTS}</h3><p>{words.SUSPECTS_LINE.format(**_count_suspects(comparison))}</p>"
    rows = [
        [doc.format_count(one.get("row")), doc.html_name(one.get("label"), 40), doc.format_fixed(one.get("p"))]
        for one in (comparison.get("suspects") or ())[:SHOWN_SUSPECTS]
    ]
    if rows:
        out += doc.html_table(words.SUSPECTS_TABLE, [*words.SUSPECTS_HEAD], rows, texts=(1,))
    same, mixed = comparison.get("duplicates"), comparison.get("conflicts")
    if same is not None and mixed is not None:
        out += f"<p>{words.REPEATED_LINE.format(same=same, mixed=mixed)}</p>"
    return out + doc.html_how(words.SUSPECTS_HOW)


def _write_unsafe(comparison: Mapping[str, Any]) -> str:
    found = comparison.get("unsafe") or {}
    if not found:
        return ""
    titles, rows = list_titles(comparison), []
    for name, one in found.items():
        value, low, high = (to_number(one.get(k)) for k in ("share", "low", "high"))
        percent = "" if math.isnan(low) or math.isnan(high) else f" [{low:.0%}, {high:.0%}]"
        rows.append(Row(str(titles.get(name, name)), value, f"{value:.0%}{percent}", low, high, "c", "square"))
    said = words.UNSAFE_ALT + "; ".join(f"{row.name[:40]} {row.text}" for row in rows)
    chart = svg.draw_intervals(rows, label=said, x_title=words.UNSAFE_AXIS, lowest=0.0)
    return f"<h3>{words.UNSAFE}</h3>{doc.html_figure(words.UNSAFE_FIGURE, words.UNSAFE_CAPTION, chart)}{doc.html_how(words.UNSAFE_HOW)}"
