"""About how many seconds a method takes on a table in a comparison: from measured seconds, and from comparisons that ended here.

One seed is meant: every fold of it, trained on all rows and trained again, on one free core. `MEASURED` is of another machine and of
other tables, so a guess is a range. Where this store has comparisons, their pace moves it: that of all methods, and more so that of the
method itself, whose range is then narrower. A method that was neither measured nor compared here has no guess.
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from engine.spec.fields import is_number
from engine.spec.run import default_params

TABLES = {"ecoli4": (336, 7), "breast-cancer": (569, 30), "yeast6": (1484, 8), "abalone19": (4174, 10)}
"""Name -> (rows, columns as numbers) of the tables of `MEASURED`, in its order."""
MEASURED: Mapping[str, tuple[float | None, ...]] = {}
"""Method -> seconds of a seed on each of TABLES, None where it was stopped after 20 s or not tried: `python -m benchmarks.row_seconds`,
seconds of the processor on one thread, AMD EPYC with AVX-512, 2026-12-01, n = 1, beside other work. What plain training leaves is used
again, so a method that begins with it has only its own seconds.
"""
SPREAD, KNOWN_SPREAD = 2.0, 1.5
"""The ends of a range divided by its middle, and that where the method itself was compared here."""
FEW_SPREAD = 3.0
"""That of a method with fewer than three measured tables."""
FAR = 1.25
"""By how much the spread grows each time the rows double beyond those measured."""
LEAST = 0.02
"""Seconds below which no number is told apart."""


@dataclass(frozen=True)
class Guess:
    """Seconds of one seed. here: whether the method itself was compared here."""

    low: float
    middle: float
    high: float
    here: bool = False


@dataclass(frozen=True)
class Timing:
    """A row of a comparison that ended: seconds of one seed on a table of so many rows and columns (as numbers)."""

    method: str
    rows: int
    columns: int
    seconds: float


@dataclass(frozen=True)
class Pace:
    """What comparisons that ended here say. machine: seconds taken / seconds measured, the median over all methods. methods: the same of
    one method. own: timings of methods that `MEASURED` lacks.
    """

    machine: float = 1.0
    methods: Mapping[str, float] = field(default_factory=dict)
    own: Mapping[str, tuple[Timing, ...]] = field(default_factory=dict)


def guess_seconds(method: str, rows: int, columns: int, pace: Pace | None = None) -> Guess | None:
    """The guess for a method on a table of so many rows and columns (as numbers); None where nothing is known of it."""
    pace = pace or Pace()
    if own := pace.own.get(method):
        near = min(own, key=lambda one: abs(math.log(rows / one.rows)))
        return _make_guess(near.seconds * rows / near.rows, rows, near.rows, near.rows, KNOWN_SPREAD, here=True)
    middle = _read_law(method, rows, columns)
    if middle is None:
        return None
    sizes = [size for size, _ in TABLES.values()]
    here = method in pace.methods
    spread = KNOWN_SPREAD if here else SPREAD if sum(one is not None for one in MEASURED[method]) > 2 else FEW_SPREAD
    return _make_guess(middle * pace.methods.get(method, pace.machine), rows, min(sizes), max(sizes), spread, here=here)


def _make_guess(middle: float, rows: int, fewest: int, most: int, spread: float, *, here: bool) -> Guess:
    """A guess and its range, which is wider outside of the numbers of rows that were seen."""
    spread *= FAR ** max(0.0, math.log2(rows / most), math.log2(fewest / rows))
    return Guess(middle / spread, middle, middle * spread, here)


def _read_law(method: str, rows: int, columns: int) -> float | None:
    """Seconds on a table by the measured ones: a power of the rows times a power of the columns."""
    law = _fit_law(method)
    if law is None:
        return None
    first, by_rows, by_columns = law
    most = max(size for size, _ in TABLES.values())
    beyond = max(
        0.0, math.log(rows / most)
    )  # above the largest table a step of training takes as long as there, so at least a line
    inside = math.log(rows) - beyond
    return math.exp(first + by_rows * inside + max(1.0, by_rows) * beyond + by_columns * math.log(max(1, columns)))


@cache
def _fit_law(method: str) -> tuple[float, float, float] | None:
    """(logarithm of the seconds of one row and column, power of the rows, power of the columns) by least squares over TABLES."""
    known = [
        (*TABLES[name], max(LEAST, seconds))
        for name, seconds in zip(TABLES, MEASURED.get(method, ()), strict=False)
        if seconds is not None
    ]
    if len(known) < 2:
        return None
    n, d, s = (np.log(np.array(values, float)) for values in zip(*known, strict=True))
    if len(known) == 2 or len(set(d.round(1))) < 2:  # too few to tell rows from columns
        by_rows = float(np.clip(np.polyfit(n, s, 1)[0], 0.0, 2.0)) if len(set(n)) > 1 else 1.0
        return float((s - by_rows * n).mean()), by_rows, 0.0
    found = np.linalg.lstsq(np.stack([np.ones(len(n)), n, d], 1), s, rcond=None)[0]
    by_rows, by_columns = float(np.clip(found[1], 0.0, 2.0)), float(np.clip(found[2], 0.0, 1.0))
    return float((s - by_rows * n - by_columns * d).mean()), by_rows, by_columns


def round_range(guess: Guess) -> tuple[str, str, str] | None:
    """(low, high, unit) with one digit that counts: ('2', '9', 's'); None where all of it is below a second."""
    if guess.high < 1:
        return None
    unit, scale = ("s", 1.0) if guess.high < 95 else ("min", 60.0) if guess.high < 5700 else ("h", 3600.0)
    low, high = (max(0.1, float(f"{end / scale:.1g}")) for end in (guess.low, guess.high))
    return f"{low:g}", f"{high:,g}", unit


# ---- comparisons that ended


def learn_pace(timings: Iterable[Timing]) -> Pace:
    """The pace of this machine and of methods on it."""
    factors: dict[str, list[float]] = defaultdict(list)
    own: dict[str, list[Timing]] = defaultdict(list)
    for one in timings:
        foreseen = _read_law(one.method, one.rows, one.columns)
        if foreseen is None:
            own[one.method].append(one)
        else:
            factors[one.method].append(one.seconds / foreseen)
    methods = {name: statistics.median(values) for name, values in factors.items()}
    machine = statistics.median(methods.values()) if methods else 1.0
    return Pace(machine, methods, {name: tuple(values) for name, values in own.items()})


def read_timings(comparison: Mapping[str, Any], catalog: Mapping[str, Any]) -> list[Timing]:
    """What the rows without a remedy of a finished comparison took for a seed, those whose training was cut left out."""
    data, folds = comparison.get("data") or {}, (comparison.get("protocol") or {}).get("folds") or 0
    rows, columns = data.get("used_rows"), data.get("width") or data.get("features")
    entries = {entry["name"]: entry for entry in catalog["methods"]}
    out = []
    for row in comparison.get("methods") or ():
        name, seconds, count = str(row.get("name")), row.get("seconds"), row.get("replicates") or 0
        whole = not row.get("look") and not row.get("failed") and row.get("most_rows") is None and count and folds
        if whole and name in entries and is_number(seconds) and rows and columns and not _is_cut(row, entries[name]):
            out.append(Timing(name, int(rows), int(columns), max(LEAST, seconds * folds / count)))
    return out


def _is_cut(row: Mapping[str, Any], entry: Mapping[str, Any]) -> bool:
    """Whether a row trained for less than its method does by itself."""
    own = {**default_params(entry, "tabular"), **(entry.get("quick") or {})}
    given = row.get("params") or {}
    return any(is_number(own.get(name)) and is_number(given.get(name)) and given[name] < own[name] for name in LENGTHS)


LENGTHS = ("epochs", "meta_epochs", "head_epochs", "rounds", "trees", "members")
"""Parameters that a comparison lowers to keep its time (`engine.compare.sizes.limit_length`)."""


def count_width(profile: Mapping[str, Any], left_out: Sequence[str | None] = ()) -> int:
    """Columns as numbers that a table has by its profile: one a number, one more where some are missing, and one a level. left_out: names
    of columns that are no features besides those that the profile drops.
    """
    target = (profile.get("target") or {}).get("name")
    dropped = {one["name"] if isinstance(one, Mapping) else one for one in profile.get("dropped") or ()}
    width = 0
    for column in profile["columns"]:
        if column["name"] in (target, *left_out) or column["name"] in dropped:
            continue
        levels = int(column.get("levels") or 0)
        width += levels if levels else 1 + bool(column.get("missing"))
    return max(1, width)
