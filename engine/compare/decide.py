"""Chooses the cut of every row of a comparison: the artifacts `decide/<name>`, and the result's `decide` of the row that leads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from engine.analysis import threshold_tables
from engine.compare.bench import Evaluator, ReplicateScore
from engine.compare.halving import SuccessiveHalving
from engine.data.dataset import Dataset
from engine.decide.build import Rows, Scored, build_arrays, weigh_classes
from engine.events import pack
from engine.plain import to_plain
from engine.seeds import numpy_stream
from engine.spec.comparison import CompareSpec
from engine.stats.decide import Rule, describe_calibrations, read_decide
from engine.stats.intervals import CORRECTED_T

NO_DAYS = "A budget per day needs a split by time. It was turned into alerts per 1,000 rows."
"""Said where test rows are a part of each day."""


def decide(
    halving: SuccessiveHalving, bench: Evaluator, spec: CompareSpec, result: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Keys of the result, and artifacts.

    `decide` {row, rule, unit, share, calibration {chosen, candidates}, chosen_on, reached, replicates, numbers (of the replicates),
    interval, cuts, ties, at_cut, note, and the readings of `engine.stats.decide.read_decide`, each {mean, low, high}; None for each where
    no cut reaches what is asked}. None where no row has scores. By time every seed has the same test rows: the replicates are those of the
    first seed, one per origin, and with one origin intervals are over its blocks. unit: an owner is the case with a budget per day, or
    where every owner's rows have one class.
    """
    facts = _Facts(bench, spec, result)
    share = float(result["protocol"]["test_share"])
    artifacts: dict[str, bytes] = {}
    leader, chosen = _choose_row(result), None
    numbers: list[int] = []
    for name in halving.names:
        outcomes = facts.list_outcomes(halving.outcomes(name).values())
        if not outcomes:
            continue
        kind = str(result["interval"]) if not facts.by_time or len(outcomes) == 1 else CORRECTED_T
        arrays = build_arrays(
            [facts.read(o) for o in outcomes],
            name=name,
            positive=bench.dataset.classes[bench.positive],
            classes=bench.dataset.classes,
            share=facts.share,
            test_share=share,
            interval=kind,
            rule=facts.rule,
            rng=numpy_stream(spec.seed, "decide"),
            owners_first=facts.owners_first,
        )
        artifacts[f"decide/{name}"] = pack(arrays)
        if chosen is None or name == leader:
            chosen, numbers = arrays, [o.replicate.number for o in outcomes]
    if chosen is None:
        return {"decide": None}, artifacts
    found = read_decide(chosen)
    readings = found.pop("readings") or dict.fromkeys(("cut", "alerts", "precision", "recall", "net_benefit", "cost"))
    found |= {"numbers": numbers, "calibration": describe_calibrations(chosen), "note": facts.note, **readings}
    return {"decide": to_plain(found)}, artifacts


def decide_seconds(bench: Evaluator) -> float:
    """Estimated seconds that `decide` takes for every row of the board."""
    seeds = min(bench.pooled_seeds, bench.spec.seeds)
    return 0.3 + len(bench.titles) * (0.05 + 1.5e-6 * seeds * len(bench.dataset.y))


def _choose_row(result: Mapping[str, Any]) -> str | None:
    """The leading row: the first in rank, else the best mean of those with the most replicates."""
    if ranked := result.get("ranked"):
        return str(ranked[0])
    metric = result["metric"]
    rows = [row for row in result["methods"] if row["metrics"][metric]["mean"] is not None]
    rows.sort(key=lambda row: (-row["replicates"], -row["metrics"][metric]["mean"]))
    return str(rows[0]["name"]) if rows else None


class _Facts:
    """What is known of the rows of a comparison. share: of the class looked for. note: a sentence, or ''."""

    def __init__(self, bench: Evaluator, spec: CompareSpec, result: Mapping[str, Any]) -> None:
        self.bench, data = bench, bench.dataset
        counts, kind = result["data"]["counts"], str((result.get("split") or {}).get("kind") or "random")
        self.share = counts[data.classes[bench.positive]] / sum(counts.values())
        self.by_time = "time" in kind.split("-")
        self.day = number_days(data) if self.by_time else None
        self.owner = number_owners(data)
        self.cost = _fill_costs(data)
        self.block = self.day if self.owner is None else self.owner
        self.note = ""
        self.rule = Rule(miss=1.0 if self.cost is None else None, alarm=1.0 if self.cost is None else 0.0)
        daily = spec.alerts is not None and spec.per == "day"
        if spec.alerts is not None:
            per, alerts = spec.per, spec.alerts
            days = number_days(data)
            if per == "day" and self.day is None and days is not None:
                self.note, per = NO_DAYS, "1000"
                alerts = min(1000.0, 1000 * alerts * len(np.unique(days)) / len(days))
            self.rule = Rule("alerts", alerts, per, self.rule.miss, self.rule.alarm)
        self.owners_first = self.owner is not None and (daily or _is_one_class(self.owner, data.y))

    def list_outcomes(self, every: Iterable[ReplicateScore]) -> list[ReplicateScore]:
        """The replicates whose scores are kept; by time those of the first seed."""
        kept = [o for o in every if len(o.test_rows) and len(o.valid_rows)]
        first = min((o.replicate.seed for o in kept), default=0)
        return [o for o in kept if not self.by_time or o.replicate.seed == first]

    def read(self, outcome: ReplicateScore) -> Scored:
        """A replicate's validation and test rows."""
        p, natural = self.bench.positive, self.bench.natural[outcome.replicate.number][1]
        weight = weigh_classes(outcome.valid_y, natural)
        return Scored(
            self._rows(outcome.valid_rows, outcome.valid_y == p, outcome.valid_p[:, p], weight),
            self._rows(outcome.test_rows, outcome.test_y == p, outcome.test_p[:, p], np.ones(len(outcome.test_y))),
            float(outcome.given[p]),
            float(outcome.natural[p]),
            threshold_tables.correct_prior(outcome.test_p, outcome.given, outcome.natural),
            outcome.test_y,
        )

    def _rows(self, numbers: np.ndarray, y: np.ndarray, score: np.ndarray, weight: np.ndarray) -> Rows:
        more = {
            name: None if values is None else values[numbers]
            for name, values in (("day", self.day), ("owner", self.owner), ("cost", self.cost), ("block", self.block))
        }
        return Rows(y, np.asarray(score, np.float64), weight, **more)


def number_days(data: Dataset) -> np.ndarray | None:
    """The day of each row, a whole number; None without a time. Rows without a time share a day of their own."""
    if data.order is None:
        return None
    known = np.isfinite(data.order)
    none = np.floor(data.order[known].min()) - 1 if known.any() else 0
    return np.floor(np.where(known, data.order, none)).astype(np.int64)


def number_owners(data: Dataset) -> np.ndarray | None:
    """The owner of each row; a row without one is its own."""
    if data.owner is None:
        return None
    own = int(data.owner.max(initial=0)) + 1 + np.arange(len(data.owner))
    return np.where(data.owner >= 0, data.owner, own)


def _fill_costs(data: Dataset) -> np.ndarray | None:
    """The cost of missing each row, at least 0. A missing cost is the mean of the known ones."""
    if data.cost is None:
        return None
    known = np.isfinite(data.cost)
    mean = float(data.cost[known].mean()) if known.any() else 0.0
    return np.maximum(np.where(known, data.cost, mean), 0.0)


def _is_one_class(owner: np.ndarray, y: np.ndarray) -> bool:
    """Whether every owner's rows have one class, and some owner has several rows."""
    _, first, which = np.unique(owner, return_index=True, return_inverse=True)
    return bool(len(first) < len(owner) and (y == y[first[which]]).all())
