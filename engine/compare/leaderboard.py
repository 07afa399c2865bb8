"""The leaderboard of a comparison: scores, ranks and paired differences. Two questions are answered apart, each with Holm's correction:
does a remedy beat the same model plain, and does the leading row beat the best plain one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.compare.halving import SuccessiveHalving
from engine.compare.spread import read_value
from engine.methods import methods
from engine.plain import to_plain
from engine.spec.comparison import ENSEMBLES
from engine.spec.contest import IN_USE
from engine.spec.result import METRICS
from engine.stats.compared import Difference
from engine.stats.intervals import Interval


def find_differences(halving: SuccessiveHalving, metric: str) -> dict[str, Difference]:
    """Every remedy's difference to the same model plain, at the level that counts for it; one family of tests."""
    pairs = {name: halving.plain_of[name] for name in halving.names if halving.plain_of[name] != name}
    values = {}
    for name, plain in pairs.items():
        own, base = halving.outcomes(name), halving.outcomes(plain, halving.level_of(name))
        values[name] = {r: read_value(o, metric) - read_value(base[r], metric) for r, o in own.items() if r in base}
    values[""] = {r: one - one for own in values.values() for r, one in own.items()}
    return halving.spread.compare(values, "")


def compare_rows(halving: SuccessiveHalving, metric: str, names: Sequence[str], base: str) -> dict[str, Difference]:
    """Every other row's difference to `base`, on their common replicates; one family of tests. The models' levels may differ."""
    values = {name: {r: read_value(o, metric) for r, o in halving.outcomes(name).items()} for name in {*names, base}}
    ordered = {name: values[name] for name in dict.fromkeys((base, *names))}
    return halving.spread.compare(ordered, base)


def rank_rows(halving: SuccessiveHalving, metric: str) -> list[str]:
    """Rows with the same replicates, the highest mean first: the largest set that two rows have; those of one row where there is none.
    Rows of the quick look are ranked only where there is nothing else.
    """
    there = {name: frozenset(halving.outcomes(name)) for name in halving.names}
    beyond = {name: own for name, own in there.items() if own and not halving.is_looked(name)}
    there = beyond or {name: own for name, own in there.items() if own}
    if not there:
        return []
    times = Counter(there.values())
    shared = max(times, key=lambda own: (times[own] > 1, len(own), times[own]))
    means = {
        name: float(np.mean([o.metrics[metric] for o in halving.outcomes(name).values()]))
        for name, own in there.items()
        if own == shared
    }
    return sorted(means, key=lambda name: -means[name] if np.isfinite(means[name]) else np.inf)


@dataclass(frozen=True)
class Lead:
    """Which row leads. leader: the first ranked row. rival: the best plain row besides it, None where there is none. ahead: leader minus
    rival, tested together with every ranked row against the rival. behind: each other ranked row minus the leader, one family.
    """

    leader: str
    rival: str | None
    ahead: Difference | None
    behind: dict[str, Difference]


def find_lead(halving: SuccessiveHalving, metric: str, ranked: Sequence[str]) -> Lead:
    """The answer to the second question. ranked: of `rank_rows`, not empty."""
    leader = ranked[0]
    plain = [name for name in ranked if name != leader and is_plain_model(halving, name)]
    behind = compare_rows(halving, metric, ranked, leader)
    if not plain:
        return Lead(leader, None, None, behind)
    rival = plain[0]
    return Lead(leader, rival, compare_rows(halving, metric, ranked, rival)[leader], behind)


def is_plain_model(halving: SuccessiveHalving, name: str) -> bool:
    """Whether a row is a model without a remedy, no ensemble of under-sampled learners and no score in use."""
    model = halving.model_of[name]
    return halving.plain_of[name] == name and model != IN_USE and model not in ENSEMBLES and not is_own_ensemble(model)


def is_own_ensemble(model: str) -> bool:
    """Whether a model is an ensemble from a plugin file."""
    kind = methods().get(model)
    return kind is not None and bool(kind.plugin) and kind.family == "ensemble"


def is_settled(halving: SuccessiveHalving, metric: str, name: str) -> bool:
    """Whether more replicates of a row change no decision: it lies below the leading row, and a remedy apart from its plain row."""
    own = halving.outcomes(name)

    def test(base: str) -> Interval:
        other = halving.outcomes(base)
        gains = [read_value(o, metric) - read_value(other[r], metric) for r, o in own.items() if r in other]
        return halving.spread.interval(gains, None)

    if len(own) < 2:
        return False
    ranked = rank_rows(halving, metric)
    if not ranked or name == ranked[0] or not test(ranked[0]).below_zero:
        return False
    if halving.plain_of[name] == name:
        return not any(of == name and other != name for other, of in halving.plain_of.items())
    apart = test(halving.plain_of[name])
    return apart.below_zero or apart.above_zero


def count_folds(halving: SuccessiveHalving) -> int:
    """Replicates of a seed."""
    first = halving.names[0]
    return len(halving.evaluations[halving.look(halving.model_of[first])][first][0].outcomes)


def build_leaderboard(halving: SuccessiveHalving, metric: str) -> list[dict[str, Any]]:
    """Rows of an events.Board, one per row in the order in which they run, JSON-plain.

    name, title, model, remedy, metric, mean, low, high, replicates, difference (as in the result, or None), rows (mean number of training
    rows of a replicate), epochs (limit, None: the method's own number), look (True: from the quick look), stopped (round or None), failed
    (a sentence or None), seconds; built_in (True) of ensembles from a plugin file alone.
    """
    there = {name: halving.outcomes(name) for name in halving.names}
    against = find_differences(halving, metric) if there[halving.names[0]] else {}
    out = []
    for name, own in there.items():
        one = halving.spread.interval([read_value(o, metric) for o in own.values()], METRICS[metric][1])
        level = halving.level_of(name)
        out.append(
            {
                "name": name,
                "title": halving.titles[name],
                "model": halving.model_of[name],
                "remedy": "none" if halving.plain_of[name] == name else name.partition("+")[2] or name,
                "metric": metric,
                "mean": one.mean,
                "low": one.low,
                "high": one.high,
                "replicates": len(own),
                "difference": describe_difference(against[name], metric) if name in against else None,
                "rows": float(np.mean([o.counts.sum() for o in own.values()])) if own else None,
                "epochs": level.epochs,
                "look": halving.is_looked(name),
                "stopped": halving.stopped.get(name),
                "failed": halving.failed.get(name),
                "seconds": halving.seconds(name),
                **({"built_in": True} if is_own_ensemble(halving.model_of[name]) else {}),
            }
        )
    rows: list[dict[str, Any]] = to_plain(out)
    return rows


def describe_difference(d: Difference, metric: str) -> dict[str, Any]:
    t = d.test
    words = {"metric": metric, "mean": t.mean, "low": t.low, "high": t.high, "p": t.p, "p_holm": d.p_holm, "n": t.n}
    return words | {"better": d.better, "worse": d.worse}
