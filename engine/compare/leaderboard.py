"""The leaderboard of a comparison: scores and paired differences to plain training."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.compare.halving import SuccessiveHalving
from engine.plain import to_plain
from engine.spec.result import METRICS
from engine.stats.intervals import corrected_t
from engine.stats.significance import find_test_share
from engine.stats.verdict import Difference, compute_differences


def find_differences(halving: SuccessiveHalving, metric: str) -> dict[str, Difference]:
    """Every method's difference to plain training, at the level that counts for the method."""
    share = find_test_share(count_folds(halving))
    values, plain_name = {}, halving.names[0]
    for name in halving.names:
        own = halving.outcomes(name)
        base = halving.outcomes(plain_name, halving.level_of(name)) if name != plain_name else own
        # differences, so that methods at two levels can be compared while a round runs
        values[name] = {r: o.metrics[metric] - base[r].metrics[metric] for r, o in own.items() if r in base}
    values[plain_name] = {r: 0.0 for own in values.values() for r in own}
    return compute_differences(values, plain_name, share)


def count_folds(halving: SuccessiveHalving) -> int:
    return len(halving.evaluations[halving.look][halving.names[0]][0].outcomes)


def build_leaderboard(halving: SuccessiveHalving, metric: str) -> list[dict[str, Any]]:
    """Rows of an events.Board, one per method in the order in which they run, JSON-plain.

    name, title, metric, mean, low, high, replicates, difference (as in the result, or None), rows (mean number of training rows
    of a replicate), epochs (limit, None: the method's own number), look (True: from the quick look), stopped (round or None),
    failed (a sentence or None), seconds.
    """
    share = find_test_share(count_folds(halving))
    there = {name: halving.outcomes(name) for name in halving.names}
    against = find_differences(halving, metric) if there[halving.names[0]] else {}
    out = []
    for name, own in there.items():
        values = np.array([o.metrics[metric] for o in own.values()])
        one = corrected_t(values, share, METRICS[metric][1])
        level = halving.level_of(name)
        out.append(
            {
                "name": name,
                "title": halving.titles[name],
                "metric": metric,
                "mean": one.mean,
                "low": one.low,
                "high": one.high,
                "replicates": len(own),
                "difference": describe_difference(against[name], metric) if name in against else None,
                "rows": float(np.mean([o.counts.sum() for o in own.values()])) if own else None,
                "epochs": level.epochs,
                "look": level == halving.look,
                "stopped": halving.stopped.get(name),
                "failed": halving.failed.get(name),
                "seconds": halving.seconds(name),
            }
        )
    rows: list[dict[str, Any]] = to_plain(out)
    return rows


def describe_difference(d: Difference, metric: str) -> dict[str, Any]:
    t = d.test
    words = {"metric": metric, "mean": t.mean, "low": t.low, "high": t.high, "p": t.p, "p_holm": d.p_holm, "n": t.n}
    return words | {"better": d.better, "worse": d.worse}
