"""Are generated rows copies of training rows, averages of them, or as far from them as fresh rows of their class are?

For one class: training rows R, generated rows G, and held-out rows H that the generator has not seen. d1 and d2 are a row's distances
to its nearest and second nearest row of R. The distance alone cannot tell copies from averages: both lie nearer to training rows than
fresh rows do. The gap d1 / d2 is near 0 for copies and near 1 for averages, which in turn spread less than fresh rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.stats.intervals import Interval, percentile_interval

MOST_ROWS = 500
"""Generated rows of a class that are measured, at most."""
FEW_HELD_OUT, LEAST_HELD_OUT = 10, 3
"""Held-out rows below which a class is measured together with others, and below which it is not measured."""
DRAWS = 1000
"""Bootstrap draws of generated and of held-out rows."""
STATISTICS = ("distance_ratio", "closer_chance", "too_close", "gap", "held_gap", "gap_ratio", "spread")
COPIES, CLOSE, AVERAGES, OWN = "copies", "close to training rows", "averages", "its own rows"
COPIED_BELOW, CLOSE_BELOW, AVERAGED_BELOW = 0.1, 0.5, 0.6
"""Ends of the intervals of gap ratio (the first two) and spread below which the words hold."""
TOO_CLOSE = 0.05
"""Quantile of the held-out rows' distances below which a generated row is too close."""
CANDIDATES = 4
"""Training rows nearest by rough distances, among which the nearest two are found exactly."""


@dataclass(frozen=True)
class Distances:
    """Of m rows: nearest [m] int, the number of the nearest training row; first, second [m], distances to it and to the second nearest.

    second is NaN where there is a single training row.
    """

    nearest: np.ndarray
    first: np.ndarray
    second: np.ndarray

    @property
    def gap(self) -> np.ndarray:
        """first / second [m]; 0 / 0 counts as 0."""
        divided: np.ndarray = np.divide(self.first, self.second, out=np.zeros_like(self.first), where=self.second != 0)
        return divided


@dataclass(frozen=True)
class Memorised:
    """What one class shows. intervals: `STATISTICS` -> value with its 95% interval, empty where it is not measured.

    generated, held_out: rows measured. together: the classes measured as one, this one among them; empty where it stands alone. word: one
    of COPIES, CLOSE, AVERAGES, OWN. reason: why it is not measured, a sentence; "" where it is. unit: median distance of the class's
    held-out rows to their nearest training row, NaN where it is not measured.
    """

    intervals: dict[str, Interval]
    generated: int
    held_out: int
    together: tuple[int, ...] = ()
    word: str = ""
    reason: str = ""
    unit: float = float("nan")


def measure_distances(rows: np.ndarray, train: np.ndarray) -> Distances:
    """Distances of rows [m, d] to their nearest two of the training rows [n, d], n >= 1. Of equal distances the first row counts.

    Products find candidates, differences measure them: a copy has distance 0 exactly.
    """
    rows, train = rows.astype(np.float64), train.astype(np.float64)
    if not len(rows):
        return Distances(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
    rough = np.square(train).sum(1) - 2 * rows @ train.T
    near = np.sort(np.argpartition(rough, min(CANDIDATES, len(train)) - 1, axis=1)[:, :CANDIDATES], axis=1)
    exact = np.stack([np.sqrt(np.square(rows - train[near[:, k]]).sum(1)) for k in range(near.shape[1])], 1)
    order = np.argsort(exact, axis=1, kind="stable")
    sorted_exact = np.take_along_axis(exact, order, 1)
    second = sorted_exact[:, 1] if len(train) > 1 else np.full(len(rows), np.nan)
    return Distances(near[np.arange(len(rows)), order[:, 0]], sorted_exact[:, 0], second)


def check_memorising(
    train: np.ndarray,
    train_y: np.ndarray,
    held: np.ndarray,
    held_y: np.ndarray,
    made: np.ndarray,
    made_y: np.ndarray,
    classes: int,
    rng: np.random.Generator,
    *,
    draws: int = DRAWS,
) -> list[Memorised]:
    """What every class shows, [classes]. train, held, made: rows [n, d]; *_y [n] int: their classes. rng draws the bootstrap alone.

    A class of 3 to 9 held-out rows is measured together with all such classes, its distances divided by the median distance of its
    held-out rows.
    """
    parts = [_Part.build(train[train_y == c], held[held_y == c], made[made_y == c][:MOST_ROWS]) for c in range(classes)]
    reasons = [part if isinstance(part, str) else "" for part in parts]
    measured = {c: part for c, part in enumerate(parts) if isinstance(part, _Part)}
    few = tuple(c for c, part in measured.items() if len(part.held) < FEW_HELD_OUT)
    groups = [*((c,) for c in measured if c not in few), *([few] if few else [])]
    found: dict[int, Memorised] = {}
    for group in groups:
        own = [measured[c] for c in group]
        values = _measure(own, rng, draws)
        for c, part in zip(group, own, strict=True):
            together = group if len(group) > 1 else ()
            found[c] = Memorised(values, len(part.made), len(part.held), together, find_word(values), unit=part.unit)
    numbers = [(int((made_y == c).sum()), int((held_y == c).sum())) for c in range(classes)]
    return [
        found[c] if c in found else Memorised({}, min(numbers[c][0], MOST_ROWS), numbers[c][1], reason=reasons[c])
        for c in range(classes)
    ]


def find_word(intervals: dict[str, Interval]) -> str:
    """The word for what was measured: COPIES, CLOSE, AVERAGES or OWN."""
    ratio, spread = intervals["gap_ratio"], intervals["spread"]
    if ratio.high < COPIED_BELOW:
        return COPIES
    if ratio.high < CLOSE_BELOW:
        return CLOSE
    return AVERAGES if spread.high < AVERAGED_BELOW else OWN


@dataclass(frozen=True)
class _Part:
    """One class: held-out and generated rows, float64, and their distances to its training rows; unit: the median of the former."""

    held: np.ndarray
    made: np.ndarray
    to_held: Distances
    to_made: Distances
    unit: float

    @classmethod
    def build(cls, train: np.ndarray, held: np.ndarray, made: np.ndarray) -> _Part | str:
        """The class's part, or why it cannot be measured."""
        if not len(made):
            return "No row of it was generated."
        if len(train) < 2:
            return "It has fewer than two training rows, so no row has a second nearest one."
        if len(held) < LEAST_HELD_OUT:
            return f"Of its rows {len(held)} are held out; at least {LEAST_HELD_OUT} are needed."
        to_held = measure_distances(held, train)
        unit = float(np.median(to_held.first))
        if not unit:
            return "Most of its held-out rows equal a training row."
        return cls(held.astype(np.float64), made.astype(np.float64), to_held, measure_distances(made, train), unit)


def _measure(parts: Sequence[_Part], rng: np.random.Generator, draws: int) -> dict[str, Interval]:
    """The statistics of classes measured as one, with intervals. Rows are drawn within their class."""
    scaled = len(parts) > 1
    weights = [(_draw(len(part.made), draws, rng), _draw(len(part.held), draws, rng)) for part in parts]
    plain = [(np.arange(len(part.made))[None], np.arange(len(part.held))[None]) for part in parts]
    values, drawn = _compute(parts, plain, scaled), _compute(parts, weights, scaled)
    return {name: percentile_interval(float(values[name][0]), drawn[name]) for name in STATISTICS}


def _draw(rows: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    return rng.integers(rows, size=(draws, rows))


def _compute(parts: Sequence[_Part], rows: Sequence[tuple[np.ndarray, np.ndarray]], scaled: bool) -> dict[str, np.ndarray]:
    """Every statistic in B draws, each [B]. rows: of each class, the numbers of generated and of held-out rows, each [B, n]."""
    units = [part.unit if scaled else 1.0 for part in parts]
    made, held, made_gap, held_gap = (
        np.concatenate(columns, axis=1)
        for columns in zip(
            *(
                (p.to_made.first[g] / u, p.to_held.first[h] / u, p.to_made.gap[g], p.to_held.gap[h])
                for p, (g, h), u in zip(parts, rows, units, strict=True)
            ),
            strict=True,
        )
    )
    gap, fresh = np.median(made_gap, 1), np.median(held_gap, 1)
    spreads = [
        np.sqrt(sum(_square_spread(x, at) / u**2 for x, at, u in zip(xs, which, units, strict=True)))
        for xs, which in (
            ([p.made for p in parts], [g for g, _ in rows]),
            ([p.held for p in parts], [h for _, h in rows]),
        )
    ]
    return {
        "distance_ratio": _divide(np.median(made, 1), np.median(held, 1)),
        "closer_chance": np.array([_chance_below(a, b) for a, b in zip(made, held, strict=True)]),
        "too_close": (made < np.quantile(held, TOO_CLOSE, axis=1)[:, None]).mean(1),
        "gap": gap,
        "held_gap": fresh,
        "gap_ratio": _divide(gap, fresh),
        "spread": _divide(*spreads),
    }


def _square_spread(x: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Sum over the features of the variance of rows x[at], [B]; 0 for a single row."""
    (draws, total), rows = at.shape, len(x)
    centred = x - x.mean(0)
    cells = at + rows * np.arange(draws)[:, None]
    counts = np.bincount(cells.ravel(), minlength=draws * rows).reshape(draws, rows).astype(np.float64)
    means = counts @ centred / total
    squares = counts @ np.square(centred).sum(1) / total
    return np.asarray(np.maximum(squares - np.square(means).sum(1), 0) * total / max(1, total - 1))


def _chance_below(a: np.ndarray, b: np.ndarray) -> float:
    """P(a < b) + P(a = b) / 2 over all pairs."""
    ordered = np.sort(b)
    below, up_to = np.searchsorted(ordered, a, "left"), np.searchsorted(ordered, a, "right")
    return float((len(b) - (below + up_to) / 2).mean() / len(b))


def _divide(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    divided: np.ndarray = np.divide(a, b, out=np.full_like(a, np.nan), where=b != 0)
    return divided
