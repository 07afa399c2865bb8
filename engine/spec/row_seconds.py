"""About how many seconds a method takes on a table in a comparison: from measured seconds, and from what ended here.

One seed is meant: every fold of it, trained on all rows and trained again, on one free core. `MEASURED` is of another machine and of
other tables, so a guess is a range. Where this store has comparisons, their pace moves it: that of all methods, and more so that of the
method itself, whose range is then narrower. Runs of the Lab move the guess of a method that was not compared here, less what they spend on
pictures. A method that was neither measured nor compared nor run here has no guess.
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


@dataclass(frozen=True)
class Size:
    """The size of a table. columns: as numbers. balanced: rows that are left where every class has as many as the smallest."""

    rows: int
    columns: int
    balanced: int

    @classmethod
    def of(cls, counts: Sequence[int], columns: int) -> Size:
        """Of a table with so many rows of each class."""
        return cls(max(1, sum(counts)), max(1, columns), max(1, len(counts) * min(counts)))


TABLES = {
    "ecoli4": Size(336, 7, 40),
    "breast-cancer": Size(569, 30, 424),
    "yeast6": Size(1484, 8, 70),
    "abalone19": Size(4174, 10, 64),
}
"""The tables of `MEASURED`, in its order."""
MEASURED: Mapping[str, tuple[float | None, ...]] = {
    "ce": (0.19, 0.37, 0.65, 2),
    "logistic": (0.033, 0.062, 0.067, 0.063),
    "forest": (0.64, 1.6, 1.4, 2.2),
    "extra-trees": (0.5, 1.1, 1.2, 1.4),
    "boosting": (0.15, 0.86, 0.31, 0.23),
    "balanced-forest": (1.1, 2.1, 2.1, 1.7),
    "easy-ensemble": (0.82, 2, 1.7, 1.3),
    "rus-boost": (0.53, 2.3, 1.4, 0.47),
    "balanced-bagging": (0.16, 0.4, 0.36, 0.32),
    "self-paced": (0.073, 0.4, 0.26, 0.14),
    "under-bagging": (0.053, 0.36, 0.16, 0.11),
    "balance-cascade": (0.052, 0.34, 0.17, 0.11),
    "smote-bagging": (0.11, 0.64, 0.62, 2),
    "mesa": (4.2, 10.9, 8.4, 7.4),
    "cost-tree": (0.02, 0.068, 0.048, 0.077),
    "class-weights": (0.27, 0.28, 0.67, 3.4),
    "threshold": (0.01, 0.015, 0.02, 0.032),
    "smote": (0.23, 0.31, 0.99, 2),
    "focal": (0.37, 0.34, 0.55, 3.8),
    "explicit-gradient": (1.1, 2.4, 0.57, 2.2),
    "eos": (0.047, 0.064, 0.16, 0.35),
    "dos": (0.41, 0.75, 1.1, 4.6),
    "rs": (0.24, 0.51, 0.98, 3.4),
    "rus": (0.09, 0.32, 0.2, 0.45),
    "logit-adjustment": (0.3, 0.3, 0.59, 3.6),
    "balanced-softmax": (0.34, 0.3, 0.58, 4),
    "cdt": (0.23, 0.32, 0.82, 0.6),
    "mixup-drw": (0.94, 2.4, 4.5, 12.5),
    "cosen": (0.51, 0.92, 1, 2.3),
    "cost-sensitive": (0.2, 0.3, 0.59, 2.1),
    "swim": (0.28, 0.37, 0.82, 2.3),
    "sugar": (0.21, 0.43, 0.97, 3.8),
    "manifold": (0.28, 0.25, 0.73, 3.7),
    "smote-enn": (0.28, 0.5, 1.2, 4.6),
    "smote-tomek": (0.3, 0.38, 1.4, 3.1),
    "ccr": (0.81, 0.26, 0.97, 2.7),
    "cmtnn": (0.57, 0.6, 1.9, 2.8),
    "mc-ccr": (0.63, 0.3, 1, 2.6),
    "rb-ccr": (0.32, 1.4, 1.1, 3),
    "rbo": (0.64, 0.66, 9.8, None),
    "mc-rbo": (0.56, 0.57, 1.9, 4.8),
    "gamo": (7.7, 10.3, 10.7, None),
    "lmnn": (15.3, 37.6, None, None),
    "nca": (1.6, 5.1, 19.9, 17.5),
    "triplet": (2.7, 4.5, 6.6, 12.9),
    "lmle": (0.93, 1.4, 6.2, None),
    "oltr": (0.2, 0.34, 0.83, 3.2),
    "bbn": (2, 5, 9.2, None),
    "asl": (0.3, 0.85, 0.93, 5),
    "class-balanced": (0.25, 0.28, 0.71, 3.7),
    "ldam": (0.17, 1.5, 3.1, 5.2),
    "adasyn": (0.21, 0.2, 1.3, 3.2),
    "balanced-svm": (0.26, 0.35, 1.5, 5.8),
    "borderline-smote": (0.28, 0.28, 1.5, 3.1),
    "remix": (0.59, 0.63, 1.3, 8.3),
    "smotenc": (0.33, 0.32, 1.1, 3.5),
    "meta-weight-net": (0.86, 1.6, 1.7, 13),
    "cnn-cl": (0.29, 0.32, 0.58, 2.7),
    "crt": (0.036, 0.058, 0.098, 0.2),
    "lws": (0.051, 0.062, 0.11, 0.26),
    "ncm": (0.014, 0.015, 0.021, 0.04),
    "tau": (0.014, 0.017, 0.021, 0.037),
}
"""Method -> seconds of a seed on each of TABLES, None where it was stopped (after 20 to 60 s) or not tried:
`python -m benchmarks.row_seconds`, seconds of the processor on one thread, AMD EPYC with AVX-512, 2026-12-01, n = 1, beside other
work. What plain training leaves is used again, so a method that begins with it has only its own seconds.
"""
BY_BALANCED = frozenset(
    (
        "balanced-forest",
        "easy-ensemble",
        "rus-boost",
        "balanced-bagging",
        "self-paced",
        "under-bagging",
        "balance-cascade",
        "mesa",
        "rus",
    )
)
"""Methods that train on as many rows of every class as the smallest has."""
USUAL_POWERS, PULL = {False: (1.0, 0.3), True: (0.3, 0.7)}, 0.1
"""(power of the rows, power of the columns), of methods of BY_BALANCED (power of the rows, power of balanced rows x columns): what a law
is pulled to, as if by PULL of a measured table, since few tables were measured.
"""
SPREAD, KNOWN_SPREAD = 3.0, 2.0
"""The ends of a range divided by its middle, and that where the method itself was compared here."""
FEW_SPREAD = 4.0
"""That of a method with fewer than three measured tables."""
FAR = 1.25
"""By how much the spread grows each time the rows double beyond those measured."""
SLACK = 0.5
"""Seconds added to those taken and those measured before they are divided: of short trainings most is not training."""
LEAST = 0.02
"""Seconds below which no number is told apart."""
DRAWING = {False: 0.4, True: 0.1}
"""About how many seconds a replicate of a run of the Lab spends on frames and measurements: of a network, and of a model or ensemble.
Seconds of the processor, six methods on ecoli4 and yeast6, AMD EPYC with AVX-512, 2026-12-01, n = 1.
"""


@dataclass(frozen=True)
class Guess:
    """Seconds of one seed. here: whether the method itself was compared here."""

    low: float
    middle: float
    high: float
    here: bool = False


@dataclass(frozen=True)
class Timing:
    """A row of a comparison that ended, or a run of the Lab: seconds of one seed on a table. drawing: of them about so many for pictures
    and measurements of a run; None for a comparison.
    """

    method: str
    size: Size
    seconds: float
    drawing: float | None = None


@dataclass(frozen=True)
class Pace:
    """What ended here says. machine: seconds taken / seconds measured, the median over all methods. methods: the same of one method that
    was compared; run: of one that was run alone. own: timings of methods that `MEASURED` lacks.
    """

    machine: float = 1.0
    methods: Mapping[str, float] = field(default_factory=dict)
    own: Mapping[str, tuple[Timing, ...]] = field(default_factory=dict)
    run: Mapping[str, float] = field(default_factory=dict)


def guess_seconds(method: str, size: Size, pace: Pace | None = None) -> Guess | None:
    """The guess for a method on a table; None where nothing is known of it."""
    pace = pace or Pace()
    if own := pace.own.get(method):
        near = min(own, key=lambda one: abs(math.log(size.rows / one.size.rows)))
        known, here = near.size.rows, near.drawing is None
        taken = max(LEAST, near.seconds - (near.drawing or 0.0))
        spread = KNOWN_SPREAD if here else SPREAD
        return _make_guess(taken * size.rows / known, size.rows, (known, known), spread, here=here)
    middle = _read_law(method, size)
    if middle is None:
        return None
    sizes = [one.rows for one in TABLES.values()]
    here = method in pace.methods
    spread = KNOWN_SPREAD if here else SPREAD if sum(one is not None for one in MEASURED[method]) > 2 else FEW_SPREAD
    factor = pace.methods.get(method, pace.run.get(method, pace.machine))
    return _make_guess(middle * factor, size.rows, (min(sizes), max(sizes)), spread, here=here)


def _make_guess(middle: float, rows: int, seen: tuple[int, int], spread: float, *, here: bool) -> Guess:
    """A guess and its range, which is wider outside of the numbers of rows that were seen: (fewest, most)."""
    spread *= FAR ** max(0.0, math.log2(rows / seen[1]), math.log2(seen[0] / rows))
    return Guess(middle / spread, middle, middle * spread, here)


def _read_law(method: str, size: Size) -> float | None:
    """Seconds on a table by the measured ones: a power of the rows times one of the columns, see USUAL_POWERS."""
    law = _fit_law(method)
    if law is None:
        return None
    first, by_rows, by_other = law
    rows, other = _list_logarithms(method, size)
    # above the largest table a step of training takes as long as there, so the seconds grow at least as the rows do
    beyond = max(0.0, math.log(size.rows / max(one.rows for one in TABLES.values())))
    steeper = 0.0 if method in BY_BALANCED else max(0.0, 1.0 - by_rows) * beyond
    return math.exp(first + by_rows * rows + by_other * other + steeper)


def _list_logarithms(method: str, size: Size) -> tuple[float, float]:
    """The logarithms that a law is of."""
    other = size.balanced * size.columns if method in BY_BALANCED else size.columns
    return math.log(size.rows), math.log(other)


@cache
def _fit_law(method: str) -> tuple[float, float, float] | None:
    """(logarithm of the seconds at 1, the two powers) by least squares over TABLES, pulled to USUAL_POWERS; None with fewer than two."""
    known = [
        (*_list_logarithms(method, size), math.log(max(LEAST, seconds)))
        for size, seconds in zip(TABLES.values(), MEASURED.get(method, ()), strict=False)
        if seconds is not None
    ]
    if len(known) < 2:
        return None
    x, s = np.array(known)[:, :2], np.array(known)[:, 2]
    usual = np.array(USUAL_POWERS[method in BY_BALANCED])
    apart = x - x.mean(0)
    left = s - s.mean() - apart @ usual
    powers = usual + np.linalg.solve(apart.T @ apart + PULL * np.eye(2), apart.T @ left)
    powers = powers.clip(0.0, 2.0)
    return float(s.mean() - x.mean(0) @ powers), float(powers[0]), float(powers[1])


def round_range(guess: Guess) -> tuple[str, str, str] | None:
    """(low, high, unit) with one digit that counts: ('2', '9', 's'); None where all of it is below a second."""
    if guess.high < 1:
        return None
    unit, scale = ("s", 1.0) if guess.high < 95 else ("min", 60.0) if guess.high < 5700 else ("h", 3600.0)
    low, high = (max(0.1, float(f"{end / scale:.1g}")) for end in (guess.low, guess.high))
    return f"{low:g}", f"{high:,g}", unit


# ---- comparisons and runs that ended


def learn_pace(timings: Iterable[Timing]) -> Pace:
    """The pace of this machine and of methods on it. Runs of the Lab count for methods that were not compared, and the machine's pace is
    theirs where nothing was.
    """
    timings = list(timings)
    compared = {one.method for one in timings if one.drawing is None}
    factors: dict[bool, dict[str, list[float]]] = {False: defaultdict(list), True: defaultdict(list)}
    own: dict[str, list[Timing]] = defaultdict(list)
    for one in timings:
        alone = one.drawing is not None
        if alone and one.method in compared:
            continue
        foreseen = _read_law(one.method, one.size)
        if foreseen is None:
            own[one.method].append(one)
        else:
            factors[alone][one.method].append((one.seconds + SLACK) / (foreseen + SLACK + (one.drawing or 0.0)))
    methods, run = ({name: statistics.median(values) for name, values in factors[alone].items()} for alone in (False, True))
    paces = methods or run
    machine = statistics.median(paces.values()) if paces else 1.0
    return Pace(machine, methods, {name: tuple(values) for name, values in own.items()}, run)


def read_timings(comparison: Mapping[str, Any], catalog: Mapping[str, Any]) -> list[Timing]:
    """What the rows without a remedy of a finished comparison took for a seed, those whose training was cut left out."""
    data, folds = comparison.get("data") or {}, (comparison.get("protocol") or {}).get("folds") or 0
    counts, columns = list((data.get("counts") or {}).values()), data.get("width") or data.get("features")
    entries = {entry["name"]: entry for entry in catalog["methods"]}
    out = []
    for row in comparison.get("methods") or ():
        name, seconds, count = str(row.get("name")), row.get("seconds"), row.get("replicates") or 0
        whole = not row.get("look") and not row.get("failed") and row.get("most_rows") is None and count and folds
        if whole and name in entries and is_number(seconds) and counts and columns and not _is_cut(row, entries[name]):
            out.append(Timing(name, Size.of(counts, int(columns)), max(LEAST, seconds * folds / count)))
    return out


def read_run(result: Mapping[str, Any], catalog: Mapping[str, Any]) -> Timing | None:
    """What a run of the Lab on a table of the catalog took for a seed; None where its values are not those of a comparison."""
    spec, counts = result["spec"], result["class_counts"]
    methods, tables = ({entry["name"]: entry for entry in catalog[kind]} for kind in ("methods", "datasets"))
    method, table = methods.get(spec.get("method")), tables.get(spec.get("dataset"))
    if method is None or table is None or table["kind"] != "tabular" or method.get("plugin", "") != (spec.get("plugin") or ""):
        return None
    own = {**default_params(method, "tabular"), **(method.get("quick") or {})}
    if any(own[name] != value for name, value in (spec.get("params") or {}).items() if name in own):
        return None
    folds, replicates = spec.get("folds") or 1, result["n"]
    rows = [max(1, round(sum(counts[part].get(label, 0.0) for part in PARTS))) for label in counts["train"]]
    drawing = folds * DRAWING[method["family"] in ("model", "ensemble")]
    return Timing(method["name"], Size.of(rows, table["features"]), max(LEAST, result["seconds"] * folds / replicates), drawing)


PARTS = ("train", "validation", "test")
"""Parts of a run whose rows a comparison would train on and score."""


def _is_cut(row: Mapping[str, Any], entry: Mapping[str, Any]) -> bool:
    """Whether a row trained for less than its method does by itself."""
    own = {**default_params(entry, "tabular"), **(entry.get("quick") or {})}
    given = row.get("params") or {}
    return any(is_number(own.get(name)) and is_number(given.get(name)) and given[name] < own[name] for name in LENGTHS)


LENGTHS = ("epochs", "meta_epochs", "head_epochs", "rounds", "trees", "members")
"""Parameters that a comparison lowers to keep its time (`engine.compare.sizes.limit_length`)."""


def count_width(profile: Mapping[str, Any], left_out: Sequence[str | None] = ()) -> int:
    """Columns as numbers that a table has by its profile: one a number, one more where some are missing, and one a level. left_out: names
    of columns that are no features besides those that the profile leaves out.
    """
    target = (profile.get("target") or {}).get("name")
    without = {target, *left_out, *(one["name"] for one in profile.get("left_out") or ())}
    width = 0
    for column in profile["columns"]:
        if column["name"] in without:
            continue
        levels = int(column.get("levels") or 0)
        width += levels if levels else 1 + bool(column.get("missing"))
    return max(1, width)
