"""The split that follows from the answers, as stretches of rows to draw: folds where rows are unordered, origins along the time otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from app.views.data.answers import Answers
from app.views.data.question_pictures import Stretch
from app.words import data as words
from app.words.text import format_count

VALID, TEST, ORIGINS = 0.2, 0.2, 3
"""Shares of validation and test rows, and origins of a split by time, as they are sketched."""


def sketch_split(profile: Mapping[str, Any], found: Answers) -> tuple[list[list[Stretch]], list[str], list[str]]:
    """Return (the stretches of each bar, the names of the bars, what is said below them)."""
    folds = int(profile.get("folds") or 0)
    if not folds:
        return [], [], [words.SPLIT_NONE]
    if found.time is not None:
        origins = sketch_origins()
        return origins, [words.ORIGIN.format(number=n) for n in range(1, len(origins) + 1)], _say_time(found)
    bars = sketch_folds(folds)
    said = [words.SPLIT_NOTE.format(folds=format_count(folds, "fold"))]
    if found.group is not None:
        said.append(words.SPLIT_OWNERS)
    return bars, [words.FOLD.format(number=n) for n in range(1, folds + 1)], said


def _say_time(found: Answers) -> list[str]:
    said = [words.SPLIT_TIME]
    if found.delay:
        said.append(words.SPLIT_DELAY)
    if found.group is not None:
        said.append(words.SPLIT_CROSS)
    return said


def sketch_folds(folds: int) -> list[list[Stretch]]:
    """Return a bar a fold: the validation rows at the end are the same in all, each fold of the others is tested once."""
    rest, out = 1 - VALID, []
    for fold in range(folds):
        start, end = rest * fold / folds, rest * (fold + 1) / folds
        parts = [
            Stretch("train", 0.0, start),
            Stretch("test", start, end),
            Stretch("train", end, rest),
            Stretch("valid", rest, 1.0),
        ]
        out.append([one for one in parts if one.end > one.start])
    return out


def sketch_origins() -> list[list[Stretch]]:
    """Return a bar an origin, each testing rows that are later than those of the one before; the last one ends with the table."""
    out = []
    for number in range(ORIGINS):
        end = 1 - (ORIGINS - 1 - number) * TEST / 2
        out.append(
            [
                Stretch("train", 0.0, end - 0.32),
                Stretch("valid", end - 0.32, end - TEST + 0.04),
                Stretch("test", end - TEST + 0.04, end),
            ]
        )
    return out


def last_origin(profile: Mapping[str, Any], found: Answers) -> list[Stretch]:
    """Return the parts of the last origin as shares of the time: its stretches are shares of the rows."""
    if found.time is None or found.when is None or not found.when.bars:
        return []
    return [
        Stretch(one.part, place_share(one.start, found.when.bars), place_share(one.end, found.when.bars))
        for one in sketch_origins()[-1]
    ]


def place_share(share: float, bars: Sequence[int]) -> float:
    """Return the share of the width of bars at which this share of their rows is reached."""
    total = sum(bars)
    if not total or share >= 1:
        return min(1.0, share)
    for place, upto in enumerate(accumulate(bars)):
        if upto >= share * total:
            before = upto - bars[place]
            return (place + (share * total - before) / max(bars[place], 1)) / len(bars)
    return 1.0
