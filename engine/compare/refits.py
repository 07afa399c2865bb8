"""What is said of the models that were trained again on training and validation rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from engine.compare.bench import ReplicateScore
from engine.spec.result import METRICS
from engine.stats.intervals import Interval, corrected_t


def describe_refit(outcomes: Sequence[ReplicateScore], metric: str, share: float) -> dict[str, Any] | None:
    """The `refit` of a row of the result, None where no replicate was trained again.

    {epochs {name: [a replicate: number or numbers]} (what validation rows chose and was taken over: epochs of a phase, trees, ...), rows
    (mean number trained on), held_out (mean number kept apart for a method that reads validation rows, 0: none), gain {metric, mean, low,
    high, n} (of the deciding metric, over the first fit on the same test rows)}. share: `find_test_share`.
    """
    own = [(o, o.again) for o in outcomes if o.again is not None]
    if not own:
        return None
    gain = find_gain(outcomes, metric, share)
    return {
        "epochs": {name: [again.chosen[name] for _, again in own] for name in own[0][1].chosen},
        "rows": float(np.mean([again.rows for _, again in own])),
        "held_out": float(np.mean([again.held for _, again in own])),
        "gain": {"metric": metric, "mean": gain.mean, "low": gain.low, "high": gain.high, "n": gain.n},
    }


def list_chosen(outcomes: Sequence[ReplicateScore]) -> dict[str, list[Any]]:
    """The `chosen` of a row: {name: [a replicate: number or numbers]}, what validation rows chose."""
    names = outcomes[0].chosen if outcomes else {}
    return {name: [o.chosen[name] for o in outcomes] for name in names}


def find_gain(outcomes: Sequence[ReplicateScore], metric: str, share: float) -> Interval:
    """How much the metric gained by training again: paired, over replicates."""
    gains = [o.metrics[metric] - o.again.before[metric] for o in outcomes if o.again is not None]
    return corrected_t(np.array(gains), share, None)


def summarise_refit(rows: Sequence[Mapping[str, Any]], *, by_time: bool = False) -> dict[str, Any] | None:
    """{row, gain (of the first row that was trained again), sentences: on that, and on rows that keep some rows apart}, or None.

    rows: the `methods` of a result, plain training first. by_time: whether the split is by time.
    """
    row = next((row for row in rows if row["refit"] is not None), None)
    if row is None:
        return None
    apart = [str(own["title"]) for own in rows if own["refit"] is not None and own["refit"]["held_out"]]
    kept = f"A fifth of those rows is kept apart for what reads validation rows while it trains: {', '.join(apart)}."
    return {
        "row": row["name"],
        "gain": row["refit"]["gain"],
        "sentences": [say_gain(row, by_time=by_time), *([kept] if apart else [])],
    }


def say_gain(row: Mapping[str, Any], by_time: bool = False) -> str:
    """What training again gained, for the row of plain training. by_time: whether the split is by time."""
    refit = row["refit"]
    gain = refit["gain"]
    why = " (always so by time)" if by_time else ""
    said = f"Before test rows are scored, models are trained again on training and validation rows{why}."
    if gain["mean"] is None or gain["low"] is None:
        return said
    name = METRICS[gain["metric"]][0].lower()
    return (
        f"{said} For {row['title'].lower()} that gains {gain['mean']:+.3f} of {name} [{gain['low']:+.3f}, {gain['high']:+.3f}]."
    )
