"""The results of a sweep in sentences that claim no more than its paired tests allow. Pure functions on the records of
`engine.sweep.table.build_table`; they return markdown.

"Better" and "worse" are `engine.sweep.spec`'s: the corrected resampled t on common replicates, after Holm over all methods
and cells of the sweep that could be tested. The potential is an oracle: it is named as what there is to gain, never as a
choice.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from app.charts.cost import Point, find_frontier
from app.charts.palette import listed
from app.charts.recovered import Share
from app.words.text import escape, format_bounds, format_count, format_ratio, format_signed
from engine.spec.companions import BASELINE
from engine.stats.intervals import Interval

Record = Mapping[str, Any]
NAMED = 2
"""Methods that one sentence names at most."""
DASH = "–"


def read_interval(values: Mapping[str, Any] | None, n: int = 0, kind: str = "") -> Interval:
    """Return {mean, low, high} as an interval; None gives NaN."""

    def end(name: str) -> float:
        return math.nan if values is None or values.get(name) is None else float(values[name])

    return Interval(end("mean"), end("low"), end("high"), n, kind)


STATE = {
    "missing": "not run",
    "queued": "waiting",
    "running": "running",
    "failed": "failed",
    "cancelled": "cancelled",
    "interrupted": "interrupted",
    "done": "not defined",
}
"""What stands in a cell without a number."""


def describe_difference(record: Record) -> str:
    """Return '+0.041 [+0.012, +0.070], p = 0.003 after Holm: better', or why there is none."""
    difference = record["difference"]
    if difference is None:
        return STATE[record["state"]] if record["mean"] is None else "plain training is not done here"
    one = read_interval(difference)
    if not math.isfinite(one.mean):
        return "not defined"
    text = format_signed(one.mean) + format_bounds(one, 3, sign=True)
    if (p := difference.get("p_holm")) is not None:
        text += f", {format_p(p)} after Holm: {name_verdict(difference)}"
    return text


def format_p(p: float) -> str:
    """Return 'p = 0.003', 'p < 0.0001'."""
    return "p < 0.0001" if p < 1e-4 else f"p = {p:.2g}"


def name_verdict(difference: Mapping[str, Any]) -> str:
    """Return 'better', 'worse' or 'not told apart'."""
    return "better" if difference["better"] else "worse" if difference["worse"] else "not told apart"


def group_places(records: Sequence[Record]) -> dict[str, list[Record]]:
    """Return dataset -> its records, in their order."""
    out: dict[str, list[Record]] = {}
    for record in records:
        out.setdefault(record["dataset"], []).append(record)
    return out


def list_tested(records: Sequence[Record]) -> list[Record]:
    """Return the methods' cells that have a paired test against plain training."""
    return [r for r in records if r["role"] == "method" and r["difference"] and r["difference"]["p_holm"] is not None]


def format_ratios(values: Sequence[float]) -> str:
    """Return '5:1, 20:1 and 50:1'."""
    return listed([format_ratio(v) for v in values])


def describe_correction(records: Sequence[Record]) -> str:
    """Return over what Holm's correction of these records runs, and how they are compared."""
    tests = format_count(len(list_tested(records)), "difference")
    partly = any(r["state"] != "done" for r in records)
    return (
        "Differences are paired, replicate by replicate on the same test rows, to plain training at the same dataset and ratio; p by the "
        "corrected resampled t (Nadeau and Bengio), corrected by Holm over "
        + f"the {tests} {'tested so far' if partly else 'of this sweep'}."
    )


def describe_answer(records: Sequence[Record]) -> list[str]:
    """Return one sentence a dataset: which method is better than plain training at which ratio, and which is worse."""
    out = []
    for of_dataset in group_places(records).values():
        sentences: list[tuple[float, tuple[str, ...]]] = []
        harms: dict[str, list[float]] = {}
        for value, cells in _group_ratios(of_dataset):
            ahead = sorted((r for r in list_tested(cells) if r["difference"]["better"]), key=lambda r: -r["difference"]["mean"])
            if list_tested(cells):
                sentences.append((value, tuple(r["title"] for r in ahead[:NAMED])))
            for r in list_tested(cells):
                if r["difference"]["worse"]:
                    harms.setdefault(r["title"], []).append(value)
        if not sentences:
            continue
        parts = []
        for names, group in groupby(sentences, key=lambda pair: pair[1]):
            at = format_ratios([value for value, _ in group])
            if not names:
                parts.append(f"at {at} nothing is clearly better than plain training")
            else:
                parts.append(f"at {at} **{' or '.join(escape(n) for n in names)}** is better than plain training")
        parts += [f"at {format_ratios(at)} {escape(title)} is worse" for title, at in harms.items()]
        out.append(f"{escape(of_dataset[0]['dataset_title'])}: {'; '.join(parts)}.")
    return out


def _group_ratios(records: Sequence[Record]) -> list[tuple[float, list[Record]]]:
    values = sorted({r["ratio"] for r in records})
    return [(value, [r for r in records if r["ratio"] == value]) for value in values]


def describe_stops(records: Sequence[Record]) -> list[str]:
    """Return one sentence a method: at which ratios it helps, and where it stops. records: of one dataset."""
    out = []
    for title in dict.fromkeys(r["title"] for r in list_tested(records)):
        of_method = sorted((r for r in list_tested(records) if r["title"] == title), key=lambda r: r["ratio"])
        out.append(f"**{escape(title)}** {_describe_stop(of_method)}.")
    return out


def _describe_stop(records: Sequence[Record]) -> str:
    values = [r["ratio"] for r in records]
    helps = [r["difference"]["better"] for r in records]
    harms = [value for value, r in zip(values, records, strict=True) if r["difference"]["worse"]]
    also = f", and is worse at {format_ratios(harms)}" if harms else ""
    if not any(helps):
        return (f"helps nowhere{also}" if harms else "cannot be told from plain training") + _describe_where(values, harms)
    if all(helps):
        return "helps at every ratio tested" if len(values) > 1 else f"helps at {format_ratio(values[0])}"
    first, last = helps.index(True), len(helps) - 1 - helps[::-1].index(True)
    if all(helps[: last + 1]):
        return f"helps up to {format_ratio(values[last])}, no gain found at {format_ratio(values[last + 1])}{also}"
    if all(helps[first:]):
        return f"helps from {format_ratio(values[first])} on{also}"
    return f"helps at {format_ratios([v for v, h in zip(values, helps, strict=True) if h])}{also}"


def _describe_where(values: Sequence[float], harms: Sequence[float]) -> str:
    return "" if harms else f" at {format_ratios(values)}"


def describe_heat(records: Sequence[Record]) -> str:
    """Return what the differences mean together, and what to do next."""
    tested = list_tested(records)
    if not tested:
        return "No difference can be tested yet: a test needs plain training and a method on the same cell, with two replicates or more."
    better, worse = (sum(r["difference"][word] for r in tested) for word in ("better", "worse"))
    text = f"Of {format_count(len(tested), 'difference')} tested, {better} {'is' if better == 1 else 'are'} better than plain training"
    text += f" and {worse} worse after Holm's correction"
    same = len(tested) - better - worse
    text += f"; the other {same} cannot be told apart. " if same < len(tested) else ": none can be told apart. "
    alone = sum(not (r["difference"]["low"] <= 0 <= r["difference"]["high"]) for r in tested) - better - worse
    if alone > 0:
        text += (
            f"Looked at alone, {alone} more {'has an interval that leaves' if alone == 1 else 'have intervals that leave'} out 0, and the "
            f"Lab says so of such a run; among {len(tested)} that can be chance. "
        )
    if better:
        top = max((r for r in tested if r["difference"]["better"]), key=lambda r: r["difference"]["mean"])
        where = f"{escape(top['dataset_title'])} at {format_ratio(top['ratio'])}"
        return (
            text + f"The largest gain is {escape(top['title'])} on {where}. Open a ▲ cell in the Lab to see how it comes about."
        )
    return text + "Plain training is enough here, or more seeds are needed to see a gain."


def describe_ranks(result: Mapping[str, Any], records: Sequence[Record]) -> str:
    """Return what the mean ranks mean. result: `engine.sweep.table.compare_over_cells` of the records."""
    p = result["friedman"]["p"]
    titles = {r["method"]: r["title"] for r in records}
    there = {(r["dataset"], r["ratio"], r["method"]) for r in records if r["mean"] is not None}
    places = {(r["dataset"], r["ratio"]) for r in records}
    ranked = Counter(dataset for dataset, at in places if all((dataset, at, name) in there for name in result["ranks"]))
    dependent = any(many > 1 for many in ranked.values())
    sets = format_count(result["sets"], "cell")
    order = sorted(result["ranks"], key=result["ranks"].__getitem__)
    if p >= 0.05:
        text = f"Over {sets} the methods do not rank differently (Friedman {format_p(p)}): choose by cost, or add datasets."
    else:
        best = order[0]
        joined = {name for clique in result["cliques"] if best in clique for name in clique} - {best}
        text = f"Over {sets} the methods rank differently (Friedman {format_p(p)}). {escape(titles[best])} ranks first"
        text += f", not told apart from {listed([escape(titles[n]) for n in order if n in joined])}." if joined else ", alone."
        if BASELINE in joined:
            text += " Plain training is among them: more datasets are needed to rank it lower."
        elif best == BASELINE:
            text += " Nothing ranks above plain training here."
        elif dependent:
            text += " Rank at one ratio of each of several datasets before taking it for others."
        else:
            text += " Begin with it on data like these."
    if len(ranked) == 1:
        text += (
            " All cells are of one dataset, so this is about that dataset alone: its ratios share rows, and p may be too small."
        )
    elif dependent:
        text += " Ratios of one dataset share its rows, so the cells are not independent, and p may be too small."
    return text


def describe_cost(points: Sequence[Point], lacking: int) -> str:
    """Return which method is worth its seconds. lacking: cells of methods and plain training there that have no point yet."""
    best = find_frontier(points)
    if not best:
        return "No method is done here yet."
    so_far = " so far" if lacking else ""
    if sum(not p.oracle and math.isfinite(p.mean) for p in points) == 1:
        return f"{escape(best[0].label)} is alone here{so_far}: there is nothing to hold its seconds against."
    if len(best) == 1:
        text = f"{escape(best[0].label)} is the cheapest and has the highest mean{so_far}: "
        return text + (
            "nothing else that is done is worth its seconds." if lacking else "nothing else is worth its seconds here."
        )
    first, last = best[0], best[-1]
    more = last.seconds / max(first.seconds, 1e-9)
    overlap = math.isfinite(first.high) and math.isfinite(last.low) and last.low <= first.high
    text = f"{escape(last.label)} has the highest mean{so_far}, for {more:.1f} times the seconds of {escape(first.label)}."
    if overlap:
        return text + " Their intervals overlap: look at the paired difference in *Differences* before paying for it."
    return text + " Their intervals are apart: the seconds buy something."


def describe_shares(shares: Sequence[Share], without: int) -> str:
    """Return what is recovered, and in how many places it cannot be measured."""
    if not shares:
        return "No cell has a share to recover: the reasons stand below."
    sure = [s for s in shares if s.low > 0]
    if sure:
        top = max(sure, key=lambda s: s.mean)
        what = "The most" if top.mean == max(s.mean for s in shares) else "The most that can be told from nothing"
        high = f"{what} is recovered by {escape(top.label)} on {escape(top.place, 90)}: {escape(_format_share(top))}."
    else:
        high = "No method recovers a share that can be told from nothing."
    rest = f" In {format_count(without, 'cell')} there is none, with the reason below." if without else ""
    return (
        high
        + " 0% is plain training, 100% having the withheld rows back; what is missing only more minority rows can give."
        + rest
    )


def _format_share(one: Share) -> str:
    percent = Interval(100 * one.mean, 100 * one.low, 100 * one.high, 0, "")
    text = f"{percent.mean:.0f}%" + (f" [{percent.low:.0f}%, {percent.high:.0f}%]" if math.isfinite(percent.low) else "")
    return text.replace("-", "−")
