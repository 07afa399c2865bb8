"""How much better a random split reads than the one in use: plain training both ways, on the same rows in parts of the same sizes.

A comparison that splits by time or owner keeps OPTIMISM_SHARE of its budget for that. Each replicate has a twin: the rows of its three
parts are dealt anew at random, each part with as many rows of each class. The difference of the two is what owners and time were worth to
a model that may look across.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any

import numpy as np

from engine.compare.bench import Evaluator
from engine.compare.halving import SuccessiveHalving
from engine.compare.spread import read_value
from engine.compare.tasks_in_use import TasksInUse
from engine.data.dataset import Dataset
from engine.data.split import Parts
from engine.data.splits.kept import build_parts
from engine.data.splits.plan import SplitPlan
from engine.events import Event, Phase
from engine.plain import to_plain
from engine.seeds import numpy_stream
from engine.spec import RunSpec
from engine.spec.companions import BASELINE
from engine.spec.result import METRICS
from engine.stats.blocks import Score
from engine.stats.time_cuts import PARTS
from engine.stats.verdict import format_change

OPTIMISM_SHARE = 0.1
"""Share of the budget, where the split is not at random."""

NO_TIME = "There was no time to measure how much better a random split would read."

BY = {"group": "owner", "time": "time", "time-group": "time and owner"}


def keep_for_optimism(plan: SplitPlan, budget: float) -> float:
    """Seconds of the budget that are kept."""
    return 0.0 if plan.kind == "random" else OPTIMISM_SHARE * budget


def deal_at_random(plan: SplitPlan) -> SplitPlan:
    """The plan whose parts hold the same rows, dealt at random, with as many of each class in each part."""

    def cut(dataset: Dataset, spec: RunSpec, index: int) -> list[Parts]:
        return [
            _deal(dataset.y, parts, numpy_stream(spec.seed, "optimism", index, fold))
            for fold, parts in enumerate(plan.cut(dataset, spec, index))
        ]

    return replace(plan, cut=cut)


def _deal(y: np.ndarray, parts: Parts, rng: np.random.Generator) -> Parts:
    own = [getattr(parts, name) for name in PARTS]
    rows = np.concatenate(own)
    dealt: list[list[np.ndarray]] = [[] for _ in PARTS]
    for c in np.unique(y[rows]):
        ends = np.cumsum([int((y[part] == c).sum()) for part in own])[:-1]
        for to, piece in zip(dealt, np.split(rng.permutation(rows[y[rows] == c]), ends), strict=True):
            to.append(piece)
    return build_parts(*(np.concatenate(pieces) for pieces in dealt))


def measure_optimism(
    halving: SuccessiveHalving, bench: Evaluator, metric: str, until: float
) -> Generator[Event, None, dict[str, Any] | None]:
    """The result's `optimism`, JSON-plain; None where the split is at random or there is no time for one seed until `until` (by the
    bench's clock).

    metric, name, title (of the row that was trained both ways: plain training, else the first one), look (whether at the level of the
    quick look, where there was no time for a higher one), random, used (means), difference {mean, low, high} (random minus used), n
    (replicates), shown (whether the interval leaves 0 out), text (a sentence).
    """
    if bench.plan.kind == "random":
        return None
    name = BASELINE if BASELINE in halving.names else halving.names[0]
    look = halving.look(halving.model_of[name])
    fits = bench.clock() + halving.expect_seconds(name, halving.level_of(name), 1) <= until
    level = halving.level_of(name) if fits else look
    own = halving.outcomes(name, level)
    twin = replace(bench, plan=deal_at_random(bench.plan), tasks=TasksInUse(), natural={}, kept={}, refitted={})
    other: dict[int, Any] = {}
    for seed in sorted({outcome.replicate.seed for outcome in own.values()}):
        if bench.clock() + halving.expect_seconds(name, level, 1) > until:
            break
        yield Phase("optimism", f"A random split beside it: {bench.titles[name]}")
        found, _ = yield from twin.evaluate(name, level, (seed,))
        other |= found
    if not other:
        return None
    values: dict[str, dict[int, Score]] = {
        side: {r: read_value(of[r], metric) for r in sorted(other)} for side, of in (("used", own), ("random", other))
    }
    gap = bench.spread.compare(values, "used")["random"].test
    means = {side: float(np.mean([one.value for one in found.values()])) for side, found in values.items()}
    shown = bool(gap.low > 0 or gap.high < 0)
    out: dict[str, Any] = to_plain(
        {
            "metric": metric,
            "name": name,
            "title": bench.titles[name],
            "look": level == look,
            **means,
            "difference": {"mean": gap.mean, "low": gap.low, "high": gap.high},
            "n": len(other),
            "shown": shown,
            "text": describe_optimism(means["random"], means["used"], gap.low, gap.high, bench.plan.kind, metric),
        }
    )
    return out


def describe_optimism(random: float, used: float, low: float, high: float, kind: str, metric: str) -> str:
    """What was found, in one or two sentences; that a random split reads too high only where the interval says so."""
    label, by = METRICS[metric][0], BY[kind]
    label = label if label[1:2].isupper() else label[0].lower() + label[1:]
    values = f"{label} {_format(random)} at random, {_format(used)} by {by}"
    if not np.isfinite(low):
        return f"No interval yet for a random split: {values}."
    ends = f"{format_change(low)} to {format_change(high)}"
    if low > 0:
        return f"A random split reads too high: {values}; difference {ends}."
    if high < 0:
        return f"A random split reads lower: {values}; difference {ends}."
    return f"A random split reads no higher for certain: {values}; difference {ends}."


def _format(value: float) -> str:
    return f"{value:.3f}".removeprefix("0")
