"""The results of a sweep in sentences that claim no more than the paired tests allow. Pure functions on the records of
`engine.sweep.table.build_table`; they return plain text.

"Better" and "worse" are `engine.sweep`'s: the paired t on common replicates, after Holm over all methods and cells of the sweep
that could be tested. All rows is an oracle: it is named as what there is to gain, never as a choice.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from app.charts.cost import Point, find_frontier
from app.charts.palette import listed
from app.words import compare as words
from app.words.text import format_count, format_ratio
from engine.stats.compared import change_level
from engine.stats.intervals import CORRECTED_T, Interval
from engine.stats.significance import holm_levels
from engine.stats.verdict import describe_numbers

Record = Mapping[str, Any]


def read_interval(values: Mapping[str, Any] | None, n: int = 0, kind: str = "") -> Interval:
    """Return {mean, low, high} as an interval; None gives NaN."""

    def end(name: str) -> float:
        return math.nan if values is None or values.get(name) is None else float(values[name])

    return Interval(end("mean"), end("low"), end("high"), n, kind)


def describe_state(record: Record) -> str:
    """Return what is said of a cell without a number."""
    return words.STATES[record["state"]].format(reason=" ".join(str(record["reason"]).split()) or "no reason was kept.")


def name_cell(record: Record) -> str:
    """Return 'SMOTE on Two moons at 20:1'."""
    return words.SPOT.format(title=record["title"], dataset=record["dataset_title"], ratio=format_ratio(record["ratio"]))


def hold_intervals(records: Sequence[Record]) -> dict[str, tuple[Interval, float]]:
    """Return run -> (its difference to plain training, level): the interval leaves zero out exactly where Holm finds a difference."""
    tested = list_tested(records)
    levels = holm_levels([r["difference"]["p"] for r in tested])
    out = {}
    for record, level in zip(tested, levels, strict=True):
        one = read_interval(record["difference"], int(record["difference"]["n"]), CORRECTED_T)
        out[record["run"]] = (change_level(one, level), level)
    return out


def describe_difference(record: Record, held: Mapping[str, tuple[Interval, float]], metric: str) -> str:
    """Return the lines on one difference: what it is of, its numbers, and what Holm says; or why there is none."""
    name, difference = name_cell(record), record["difference"]
    if record["mean"] is None:
        return f"{name}\n{describe_state(record)}"
    if difference is None:
        return f"{name}\n{words.SPOT_PLAIN}"
    if difference["mean"] is None:
        return f"{name}\n{words.SPOT_UNDEFINED}"
    if record["run"] not in held:
        return f"{name}\n{describe_numbers(read_interval(difference, int(difference['n'])), metric)}"
    interval, level = held[record["run"]]
    said = words.BETTER if difference["better"] else words.WORSE if difference["worse"] else words.SAME
    return f"{name}\n{describe_numbers(interval, metric, level)}\n{said}"


def format_p(p: float) -> str:
    """Return 'p = .003', 'p < .0001'."""
    return "p < .0001" if p < 1e-4 else f"p = {shorten(f'{p:.2g}')}"


def shorten(number: str) -> str:
    """Return '.36' of '0.36', '−.02' of '-0.02'."""
    short = number.replace("0.", ".", 1) if number.lstrip("-").startswith("0.") else number
    return short.replace("-", "\N{MINUS SIGN}")


def group_places(records: Sequence[Record]) -> dict[str, list[Record]]:
    """Return dataset -> its records, in their order."""
    out: dict[str, list[Record]] = {}
    for record in records:
        out.setdefault(record["dataset"], []).append(record)
    return out


def list_tested(records: Sequence[Record]) -> list[Record]:
    """Return the methods' cells that have a paired test against plain training."""
    return [r for r in records if r["role"] == "method" and r["difference"] and r["difference"]["p_holm"] is not None]


def describe_stops(records: Sequence[Record]) -> str:
    """Return which methods are better at which ratios, and which are worse. records: of one dataset."""
    said = []
    for word, text in (("better", words.STOP_BETTER), ("worse", words.STOP_WORSE)):
        at: dict[str, list[float]] = {}
        for r in list_tested(records):
            if r["difference"][word]:
                at.setdefault(r["title"], []).append(r["ratio"])
        if at:
            where = [words.STOP_AT.format(title=title, ratios=format_ratios(ratios)) for title, ratios in at.items()]
            said.append(text.format(where=", ".join(where)))
    return " ".join(said) or (words.STOP_NONE if list_tested(records) else "")


def format_ratios(values: Sequence[float]) -> str:
    """Return '5:1, 20:1 and 50:1'."""
    return listed([format_ratio(v) for v in values])


def describe_ranks(result: Mapping[str, Any], records: Sequence[Record]) -> list[str]:
    """Return what the mean ranks mean, a sentence each. result: `engine.sweep.table.compare_over_cells` of the records."""
    p = result["friedman"]["p"]
    titles = {r["method"]: r["title"] for r in records}
    there = {(r["dataset"], r["ratio"], r["method"]) for r in records if r["mean"] is not None}
    places = {(r["dataset"], r["ratio"]) for r in records}
    ranked = Counter(dataset for dataset, at in places if all((dataset, at, name) in there for name in result["ranks"]))
    cells = format_count(result["sets"], "cell")
    order = sorted(result["ranks"], key=result["ranks"].__getitem__)
    if p >= 0.05:
        out = [words.RANKS_SAME.format(cells=cells, p=format_p(p))]
    else:
        joined = {name for clique in result["cliques"] if order[0] in clique for name in clique} - {order[0]}
        others = [titles[name] for name in order if name in joined]
        out = [words.RANKS_DIFFER.format(cells=cells, p=format_p(p))]
        out.append(
            words.RANKS_JOINED.format(title=titles[order[0]], others=listed(others))
            if others
            else words.RANKS_FIRST.format(title=titles[order[0]])
        )
    if len(ranked) == 1:
        out.append(words.RANKS_ONE_SET)
    elif any(many > 1 for many in ranked.values()):
        out.append(words.RANKS_SHARED)
    return out


def describe_cost(points: Sequence[Point]) -> str:
    """Return which method has the highest mean and what it costs."""
    best = find_frontier(points)
    if not best:
        return ""
    if sum(not p.oracle and math.isfinite(p.mean) for p in points) == 1:
        return words.COST_ALONE.format(title=best[0].label)
    if len(best) == 1:
        return words.COST_CHEAPEST.format(title=best[0].label)
    first, last = best[0], best[-1]
    text = words.COST_BEST.format(title=last.label, times=f"{last.seconds / max(first.seconds, 1e-9):.1f}", fastest=first.label)
    overlap = math.isfinite(first.high) and math.isfinite(last.low) and last.low <= first.high
    return f"{text} {words.COST_OVERLAP}" if overlap else text
