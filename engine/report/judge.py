"""The verdicts on a run beside its companions and on a sweep, for the page, the reports and the terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from engine.spec.companions import BASELINE, Companion
from engine.spec.result import DEFAULT_METRIC, METRICS, Result
from engine.stats.compared import Difference, hold_together
from engine.stats.intervals import LEVEL, NONE, Interval
from engine.stats.significance import TTest, holm_levels
from engine.stats.verdict import Cells, State, Verdict, judge_methods, verdict

FAIR = "equal steps"
"""How the control is named that has as many optimiser steps as the method: a gain over plain training must hold over it too."""


def judge_run(members: Sequence[Companion], results: Mapping[str, Result | None]) -> Verdict:
    """The verdict on the first member against plain training, else against its first control that is done, by average precision.

    members: as `engine.spec.companions.list_companions` gives them; results: by their keys, as far as they are done. All differences
    to controls and plain training are tested together. The potential takes no part. A gain over plain training is claimed only where
    the control of equal steps, if the method has one, is beaten too; else the verdict is on that control.
    """
    main, result = members[0], results.get(members[0].key)
    if result is None:
        return verdict(main.label, "", None, 0)
    held = hold_differences(members, results)
    there = [m for m in members[1:] if m.key in held]
    base = next((m for m in there if m.role == "baseline"), there[0] if there else None)
    fair = next((m for m in members[1:] if m.role == "control" and m.key.endswith(FAIR)), None)
    positives = _count_positives(result)
    if base is None:
        return verdict(main.label, "", None, result.n, State(positives=positives))
    against, unfair = base, ""
    if fair is not None and held[base.key][0].above_zero:
        if fair.key not in held:
            unfair = fair.label
        elif not held[fair.key][0].above_zero:
            against = fair
    others = [(m.label, _turn(held[m.key][0])) for m in members[1:] if m.key in held and m is not against]
    rival = max(others, key=lambda pair: (pair[1].above_zero, pair[1].mean), default=None)
    interval, level = held[against.key]
    label, metric = against.label, METRICS[DEFAULT_METRIC][0]
    known = State(positives=positives, rival=rival, unfair=unfair)
    return verdict(main.label, label, interval, result.n, known, level=level, metric=metric)


def hold_differences(members: Sequence[Companion], results: Mapping[str, Result | None]) -> dict[str, tuple[Interval, float]]:
    """The first member minus each other that is done and not an oracle, tested together: key -> (interval, its level)."""
    result = results.get(members[0].key)
    if result is None:
        return {}
    there = [
        (m.key, other)
        for m in members[1:]
        if m.role != "oracle" and (other := results.get(m.key)) is not None and other.n == result.n
    ]
    gaps = [result.difference(other, DEFAULT_METRIC) for _, other in there]
    held = hold_together(gaps) if result.n > 1 else [(gap, LEVEL) for gap in gaps]
    return {key: pair for (key, _), pair in zip(there, held, strict=True)}


def _count_positives(result: Result) -> int | None:
    """Positive test rows of a replicate, on average; None where several classes count."""
    rows = result.class_counts.get("test", {}).get(result.positive)
    return None if rows is None else int(rows)


def _turn(one: Interval) -> Interval:
    return Interval(-one.mean, -one.high, -one.low, one.n, one.kind)


def judge_sweep(records: Sequence[Mapping[str, Any]], metric: str) -> Verdict:
    """The verdict on a sweep: of the method that is better than plain training in the most cells after Holm's correction. It counts
    datasets, of a single dataset its ratios.

    records: as `engine.sweep.table.build_table` has them; metric: theirs. Of one dataset at one ratio the verdict is
    `judge_methods`'s.
    """
    own = [r for r in records if r["role"] == "method" and r["difference"] and r["difference"]["mean"] is not None]
    plain = next((r["title"] for r in records if r["role"] == "baseline"), BASELINE)
    tested = [r for r in own if r["difference"]["p_holm"] is not None]
    if len({(r["dataset"], r["ratio"]) for r in own}) == 1:
        differences = dict(zip((r["method"] for r in own), _read_differences(own), strict=True))
        titles = {r["method"]: r["title"] for r in own} | {"": plain}
        return judge_methods(differences, titles, "", METRICS[metric][0])
    methods: dict[str, list[Mapping[str, Any]]] = {}
    for record in tested or own:
        methods.setdefault(record["title"], []).append(record)
    if not methods:
        return verdict(plain, "", None, 0)
    best = max(methods, key=lambda title: (_count(methods[title], "better"), _average(methods[title])))
    if not tested:
        one = Interval(_average(methods[best]), math.nan, math.nan, 1, NONE)
        return verdict(best, plain, one, 1, metric=f"{METRICS[metric][0]}, mean over {len(methods[best])} cells")
    counted = {title: _count_cells(cells) for title, cells in methods.items()}
    said = verdict(best, plain, None, 2, State(cells=counted[best]))
    more = [f"{title}: better on {c.better}, worse on {c.worse} of {c.tested} {c.unit}." for title, c in counted.items()]
    return Verdict(said.text, said.dot, tuple(more))


def _read_differences(records: Sequence[Mapping[str, Any]]) -> list[Difference]:
    """The differences of records that are tested together."""
    values = [{k: math.nan if v is None else v for k, v in r["difference"].items()} for r in records]
    levels = holm_levels([v["p"] for v in values])
    return [
        Difference(TTest(v["mean"], v["low"], v["high"], v["p"], int(v["n"])), v["p_holm"], level)
        for v, level in zip(values, levels, strict=True)
    ]


def _count_cells(records: Sequence[Mapping[str, Any]]) -> Cells:
    """Datasets on which one method is better at a ratio or more, and worse; of a single dataset its ratios.

    records: the method's, one a dataset and ratio.
    """
    names = ("dataset",) if len({r["dataset"] for r in records}) > 1 else ("dataset", "ratio")
    better, worse, tested = (
        len({tuple(r[name] for name in names) for r in records if word is None or r["difference"][word]})
        for word in ("better", "worse", None)
    )
    return Cells(better, worse, tested, "datasets" if names == ("dataset",) else "ratios")


def _count(records: Sequence[Mapping[str, Any]], word: str) -> int:
    return sum(bool(r["difference"][word]) for r in records)


def _average(records: Sequence[Mapping[str, Any]]) -> float:
    return math.fsum(float(r["difference"]["mean"]) for r in records) / len(records)
