"""The split that follows from the answers (`engine.stats.split_plan`), as stretches of rows to draw: folds, or origins along the time."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.views.data.answers import Answers
from app.views.data.guesses import Guesses, When
from app.views.data.question_pictures import Stretch
from app.words import data as words
from app.words.text import format_count
from engine.stats.split_plan import PARTS, VALID, plan_split


@dataclass(frozen=True)
class Sketch:
    """bars: the stretches of each fold or origin, as shares of the rows; names: of the bars; said: sentences, plain text.

    refusal: why the split cannot be made, '' where it can. over_time: the stretches of the last origin as shares of the time.
    """

    bars: tuple[tuple[Stretch, ...], ...] = ()
    names: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    refusal: str = ""
    over_time: tuple[Stretch, ...] = ()


def sketch_split(profile: Mapping[str, Any], guesses: Guesses, found: Answers) -> Sketch:
    """Return the split of the table's rows."""
    folds = int(profile.get("folds") or 0)
    if not folds:
        return Sketch(said=(words.SPLIT_NONE,))
    if guesses.tables is None:
        return _sketch_folds(folds, found)
    plan = plan_split(guesses.tables, time=found.time, group=found.group, delay=found.delay or 0.0)
    if plan["refusal"]:
        return Sketch(refusal=str(plan["refusal"]))
    if found.when is None or found.time is None:
        return _sketch_folds(len(plan["parts"]), found)
    by_rows, by_time = _measure_rows(found.when), _measure_time(found.when)
    bars = tuple(_place_parts(one, by_rows) for one in plan["parts"])
    names = tuple(words.ORIGIN.format(number=n) for n in range(1, len(bars) + 1))
    return Sketch(bars, names, _say_dropped(plan["dropped"]), "", _place_parts(plan["parts"][-1], by_time))


def _say_dropped(dropped: Mapping[str, Any]) -> tuple[str, ...]:
    """Return how many rows are left out, and why."""
    parts = [
        text.format(rows=format_count(dropped[word], "row"))
        for word, text in (("delay", words.DROPPED_DELAY), ("owner", words.DROPPED_OWNER), ("time", words.DROPPED_TIME))
        if dropped[word]
    ]
    return (words.DROPPED_ROWS.format(parts=", ".join(parts)),) if parts else ()


def _sketch_folds(folds: int, found: Answers) -> Sketch:
    """A bar a fold: the validation rows at the end are the same in all, each fold of the others is tested once."""
    rest, bars = 1 - VALID, []
    for fold in range(folds):
        start, end = rest * fold / folds, rest * (fold + 1) / folds
        parts = (
            Stretch("train", 0.0, start),
            Stretch("test", start, end),
            Stretch("train", end, rest),
            Stretch("valid", rest, 1.0),
        )
        bars.append(tuple(one for one in parts if one.end > one.start))
    said = [words.SPLIT_NOTE.format(folds=format_count(folds, "fold"))]
    if found.group is not None:
        said.append(words.SPLIT_OWNERS)
    return Sketch(tuple(bars), tuple(words.FOLD.format(number=n) for n in range(1, folds + 1)), tuple(said))


Measure = Callable[[float, bool], float]
"""Gives the place of a time as a share of the width; its second argument: behind that time."""


def _measure_rows(when: When) -> Measure:
    at, upto = np.array(when.at), np.concatenate([[0], np.cumsum(when.rows)])

    def place(time: float, behind: bool) -> float:
        first = int(np.searchsorted(at, time, "right" if behind else "left"))
        return float(upto[first] / max(upto[-1], 1))

    return place


def _measure_time(when: When) -> Measure:
    at = np.array(when.at)
    span = max(float(at[-1] - at[0]), 1e-12)

    def place(time: float, behind: bool) -> float:
        later = np.searchsorted(at, time, "right")
        edge = float(at[later]) if behind and later < len(at) else time
        return min(1.0, (edge - float(at[0])) / span)

    return place


def _place_parts(parts: Mapping[str, Any], measure: Measure) -> tuple[Stretch, ...]:
    """Return the parts of an origin, each from its first to behind its last time."""
    out = []
    for part in PARTS:
        one = parts[part]
        said = words.STRETCH.format(
            part=words.PARTS[part], rows=format_count(one["rows"], "row"), start=one["from"], end=one["to"]
        )
        out.append(Stretch(part, measure(_read_time(one["from"]), False), measure(_read_time(one["to"]), True), said))
    return tuple(out)


def _read_time(value: str | float) -> float:
    """Return a number that orders the rows, of a date its days."""
    if isinstance(value, str):
        return float((datetime.date.fromisoformat(value) - datetime.date(1970, 1, 1)).days)
    return float(value)
