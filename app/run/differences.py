"""The paired differences of a run to the runs beside it, as rows: for the page, the stage and what is saved."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from app.run.heading import begin_small
from app.run.shown import Shown
from app.words import lab as words
from engine.report.judge import hold_differences
from engine.spec.result import DEFAULT_METRIC
from engine.stats.intervals import LEVEL, Interval
from engine.stats.verdict import Dot, describe_numbers, verdict


@dataclass(frozen=True)
class Row:
    """The run minus another one. label: 'than plain training'. word: better, worse or not. level: of the interval."""

    key: str
    label: str
    interval: Interval
    dot: Dot
    level: float = LEVEL
    is_oracle: bool = False

    @property
    def word(self) -> str:
        """What the interval says, in words."""
        if self.dot.n is None:
            return words.ONE_SPLIT
        return {True: words.BETTER, False: words.WORSE, None: words.NOT_FOUND}[self.dot.better]

    @property
    def numbers(self) -> str:
        """The difference with its interval in a sentence."""
        return describe_numbers(self.interval, level=self.level)


def list_differences(shown: Shown) -> list[Row]:
    """Return the run's differences in average precision to all that are done: those that beat it first, the oracle last."""
    result = shown.result
    if result is None:
        return []
    held = hold_differences(shown.members, shown.results)
    rows = []
    for member in shown.members[1:]:
        other = shown.results.get(member.key)
        if other is None or other.n != result.n:
            continue
        is_oracle = member.role == "oracle"
        interval, level = (result.difference(other, DEFAULT_METRIC), LEVEL) if is_oracle else held[member.key]
        dot = verdict(shown.main.label, member.label, interval, result.n).dot
        rows.append(Row(member.key, name_difference(member.key, member.label), interval, dot, level, is_oracle))
    return sorted(rows, key=lambda row: (row.is_oracle, row.dot.better is not False))


def name_difference(key: str, label: str) -> str:
    """Return 'than plain training' of a companion."""
    return words.THAN.get(key) or words.THAN_OTHER.format(name=begin_small(label))


def list_plain(rows: list[Row]) -> list[dict[str, Any]]:
    """Return the rows as plain values."""
    return [
        {"label": row.label, "better": row.dot.better, "n": row.interval.n}
        | {end: _plain(getattr(row.interval, end)) for end in ("mean", "low", "high")}
        for row in rows
    ]


def _plain(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None
