"""Where a split by time cuts: train on the past, choose on the next part, test on the last, with a delay between the parts.

Times are distinct and ascending (`engine.data.splits.time` floors dates to days), so that no day is ever cut in two. Used by the
comparison and, on tables of counts, by the page. NumPy alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LEAST = 5
"""Rows of every class that each part keeps."""

AMPLE = 10
"""Rows of every class that validation and test parts keep where there are several origins."""

SHARES = ((4, 0.1), (3, 0.125), (2, 0.15), (1, 0.2), (1, 0.25), (1, 0.3), (1, 0.35))
"""(origins, share of the rows in each test part, and in each validation part), the first that the rows allow."""

PARTS = ("train", "valid", "test")
OWNER_WEIGHTS = (3.0, 1.0, 1.0)
"""How often an owner seen in several parts stays in training, validation and test."""


@dataclass(frozen=True)
class Origin:
    """Ranges [first, behind the last) of distinct times that one origin trains on, chooses on and is tested on."""

    train: tuple[int, int]
    valid: tuple[int, int]
    test: tuple[int, int]


@dataclass(frozen=True)
class Cuts:
    """The origins, the earliest first; none where the rows do not allow one: `refusal` then is why, in one sentence."""

    origins: tuple[Origin, ...]
    refusal: str = ""


def cut_times(
    at: np.ndarray, counts: np.ndarray, delay: float, classes: list[str] | None = None, *, most: int = SHARES[0][0]
) -> Cuts:
    """The origins of a split by time. at [T]: distinct times, ascending. counts [T, C]: rows of each class at each of them. delay: in
    the unit of `at`: a row counts as known at a later time t where its own time + delay <= t.

    Training rows are known when the first validation row happens, validation rows when the first test row happens; rows between are
    left out. classes: names, for the sentence of a refusal. most: origins.
    """
    if len(at) < 3:
        n = f"{len(at)} different time{'' if len(at) == 1 else 's'}"
        return Cuts((), f"A split by time needs three different times or more; the column holds {n}.")
    refusal = ""
    for origins, share in SHARES:
        if origins > most:
            continue
        found = [_cut_once(at, counts, delay, *window, share) for window in _list_windows(counts, origins, share)]
        cuts = tuple(one for one in found if one is not None)
        if len(cuts) < origins:
            refusal = refusal if origins > 1 or refusal else _refuse_delay(delay)
            continue
        least = LEAST if origins == 1 else AMPLE
        short = next(filter(None, (_find_short(one, counts, least) for one in cuts)), None)
        if short is None:
            return Cuts(cuts)
        if origins == 1 and not refusal:
            name, c, rows = short
            refusal = describe_short("time", name, classes[c] if classes else str(c), rows, delay > 0)
    return Cuts((), refusal)


def describe_short(kind: str, part: str, name: str, n: int, delayed: bool = False) -> str:
    """Why a split cannot be made: a part has n rows of a class."""
    what = {"train": "training", "valid": "validation", "test": "test"}[part]
    rows = f"{n} row{'' if n == 1 else 's'}"
    shown = " ".join(name.split())[:40]
    mend = "use a shorter delay or another split" if delayed else "use another split"
    return f"Split by {kind}, the {what} part has {rows} of {shown!r}; every part needs {LEAST}: {mend}."


def _refuse_delay(delay: float) -> str:
    return f"The delay of {delay:g} is too long for these times: no part is left before the test part; use a shorter one."


def _list_windows(counts: np.ndarray, origins: int, share: float) -> list[tuple[int, int]]:
    """The test parts: equal shares of the rows at the end, cut between times."""
    before = np.concatenate([[0], np.cumsum(counts.sum(1))])
    total = before[-1]
    ends = [_nearest(before, total * (1 - share * k)) for k in range(origins, 0, -1)] + [len(counts)]
    return [(first, last) for first, last in zip(ends[:-1], ends[1:], strict=True)]


def _nearest(before: np.ndarray, goal: float) -> int:
    """The time with the number of rows before it nearest to `goal`."""
    return int(np.abs(before - goal).argmin())


def _cut_once(at: np.ndarray, counts: np.ndarray, delay: float, first: int, last: int, share: float) -> Origin | None:
    """The origin that is tested on times [first, last), None where nothing is left to train or to choose on."""
    if not 2 <= first < last:
        return None
    known = min(first, int(np.searchsorted(at, at[first] - delay, "right")))
    before = np.concatenate([[0], np.cumsum(counts.sum(1))])
    start = min(_nearest(before[: known + 1], before[known] - share * before[-1]), known - 1)
    if start < 1:
        return None
    end = min(start, int(np.searchsorted(at, at[start] - delay, "right")))
    return Origin((0, end), (start, known), (first, last)) if end else None


def _find_short(origin: Origin, counts: np.ndarray, least: int) -> tuple[str, int, int] | None:
    """(part, class, rows) of a part with fewer rows of a class than it needs. Training always needs LEAST."""
    for part in PARTS:
        first, last = getattr(origin, part)
        rows = counts[first:last].sum(0)
        if rows.min() < (LEAST if part == "train" else least):
            c = int(rows.argmin())
            return part, c, int(rows[c])
    return None
