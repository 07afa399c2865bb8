"""Which rows a member of an under-sampled ensemble sees: as many of every class, drawn by their hardness. On indices alone.

Hardness of a row is 1 - the probability of its own class, by the mean of the members before.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from engine.samplers.shares import shares

Pick = Callable[[int, np.ndarray | None, np.random.Generator], np.ndarray]
"""(number of the member, hardness [n] or None, its stream) -> rows [m], ascending. Called for the members of a replicate in order."""

COUNTS = ("largest remainders", "released")
"""How many rows a bin of hardness gives: whole shares that sum to the size wanted; or, as released, each share cut and one more."""

TOLERANCE = 1e-9
"""What a product of rounded numbers may lack to the whole number that it stands for."""
LEAST = 1e-12


def pick_equally(y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rows [m], ascending: every row of the smallest class, and as many of each other class, without repetition. y [n] int."""
    members = [np.flatnonzero(y == c) for c in np.unique(y)]
    fewest = min(map(len, members))
    return np.sort(np.concatenate([own if len(own) == fewest else rng.choice(own, fewest, replace=False) for own in members]))


def pick_from_a_draw(y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rows [m], ascending, some of them several times: as many as there are drawn with repetition, then each class cut to the smallest.
    A draw that lacks a class is drawn anew. y [n] int.
    """
    classes = len(np.unique(y))
    drawn = rng.integers(len(y), size=len(y))
    while len(np.unique(y[drawn])) < classes:
        drawn = rng.integers(len(y), size=len(y))
    return np.sort(drawn[pick_equally(y[drawn], rng)])


def weigh_bins(hardness: np.ndarray, alpha: float, bins: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(bin of every row [m], rows of every bin, weight of every bin): 1 / (its mean hardness + alpha), 0 of an empty one.

    hardness [m] in [0, 1]. At alpha 0 every bin adds as much hardness, at a large alpha as many rows.
    """
    at = np.minimum((hardness * bins + TOLERANCE).astype(np.int64), bins - 1)
    size = np.bincount(at, minlength=bins)
    mean = np.bincount(at, hardness, minlength=bins) / np.maximum(size, 1)
    return at, size, np.where(size > 0, 1 / np.maximum(mean + alpha, LEAST), 0.0)


def count_by_hardness(
    hardness: np.ndarray, n: int, alpha: float, bins: int, counts: str = "largest remainders"
) -> tuple[np.ndarray, np.ndarray]:
    """(bin of every row, rows taken of every bin): the self-paced rule for one class, in proportion to the bins' weights (`weigh_bins`).

    counts: one of COUNTS; as released a bin may give more rows than it has.
    """
    at, size, weights = weigh_bins(hardness, alpha, bins)
    if counts == "released":
        return at, np.where(size > 0, (weights / weights.sum() * n + TOLERANCE).astype(np.int64) + 1, 0)
    return at, shares(torch.from_numpy(weights), n, torch.from_numpy(size)).numpy()


def pace(t: int, members: int) -> float:
    """alpha of `count_by_hardness` for member t of a self-paced ensemble: 0 for the first, practically infinite for the last."""
    return float(np.tan(np.pi / 2 * t / (members - 1)))


def pick_by_hardness(
    hardness: np.ndarray | None,
    y: np.ndarray,
    t: int,
    members: int,
    bins: int,
    rng: np.random.Generator,
    counts: str = "largest remainders",
) -> np.ndarray:
    """Rows [m], ascending, that member t of a self-paced ensemble sees: every row of the smallest class, and as many of each other.

    hardness [n]: of the members before; None for the first, which draws at random. counts: one of COUNTS; as released the rows of a bin
    are drawn with repetition, and there are up to `bins` too many.
    """
    if hardness is None or members == 1:
        return pick_equally(y, rng)
    alpha = pace(t, members)
    own = [np.flatnonzero(y == c) for c in np.unique(y)]
    fewest = min(map(len, own))
    picked = []
    for rows in own:
        if len(rows) == fewest:
            picked.append(rows)
            continue
        at, wanted = count_by_hardness(hardness[rows], fewest, alpha, bins, counts)
        picked += [rng.choice(rows[at == b], n, replace=counts == "released") for b, n in enumerate(wanted) if n]
    return np.sort(np.concatenate(picked))


def count_alive(most: int, fewest: int, t: int, members: int) -> int:
    """Rows of a class of `most` rows that are alive before member t of a balance cascade. fewest: rows of the smallest class.

    The same share goes before every member, so that the last one has the smallest class's number to draw from.
    """
    if members == 1:
        return most
    share = (fewest / most) ** (1 / (members - 1))
    return max(fewest, int(most * share**t + 1e-5))


class Cascade:
    """A `Pick` of a balance cascade: easy rows leave before every member, and each member draws from those alive, as many of each class.

    alive: rows of each class, ascending; the smallest class loses none. y [n] int.
    """

    def __init__(self, y: np.ndarray, members: int) -> None:
        self.alive = [np.flatnonzero(y == c) for c in np.unique(y)]
        self.sizes = [len(own) for own in self.alive]
        self.members = members

    def __call__(self, t: int, hardness: np.ndarray | None, rng: np.random.Generator) -> np.ndarray:
        """See `Pick`. Of rows as hard as each other the lower ones leave first."""
        fewest = min(self.sizes)
        if hardness is not None:
            for c, own in enumerate(self.alive):
                gone = len(own) - count_alive(self.sizes[c], fewest, t, self.members)
                if gone > 0:
                    self.alive[c] = np.sort(own[np.argsort(hardness[own], kind="stable")[gone:]])
        picked = [own if len(own) == fewest else rng.choice(own, fewest, replace=False) for own in self.alive]
        return np.sort(np.concatenate(picked))


def count_bagged(sizes: np.ndarray, t: int) -> tuple[np.ndarray, np.ndarray]:
    """(rows drawn, rows made) of each class for member t of SMOTE-bagging. sizes [C]: rows of each class.

    Every class gets as many as the largest has. The largest has none made; of the others a tenth is drawn for the first member, two for
    the second, all for the tenth, then again from a tenth.
    """
    most = int(sizes.max())
    drawn = np.where(sizes == most, most, ((t % 10 + 1) * most + 5) // 10)
    return drawn, most - drawn


def pick_with_repetition(y: np.ndarray, drawn: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rows [m], ascending, drawn with repetition: drawn[c] of class c. y [n] int in 0..C-1, with rows of every class."""
    own = [np.flatnonzero(y == c) for c in range(len(drawn))]
    return np.sort(np.concatenate([rows[rng.integers(len(rows), size=n)] for rows, n in zip(own, drawn.tolist(), strict=True)]))


def measure_errors(errors: np.ndarray, buckets: int, by_range: bool = False) -> np.ndarray:
    """Shares of errors [n] in equal buckets of [0, 1], times the number of buckets [b]; 0 without rows. 1 is of the last bucket.

    by_range: buckets go from the least to the greatest error, as released.
    """
    counts = np.histogram(np.clip(errors, 0, 1), buckets, None if by_range else (0, 1))[0]
    return counts * buckets / max(1, len(errors))


def weigh_errors(errors: np.ndarray, centre: float, spread: float) -> np.ndarray:
    """Shares [m] with which rows of these errors are drawn: a bell around `centre`; they sum to 1."""
    weights = np.maximum(np.exp(-0.5 * ((errors - centre) / spread) ** 2), LEAST)
    shares: np.ndarray = weights / weights.sum()
    return shares


def pick_around(errors: np.ndarray, y: np.ndarray, centre: float, spread: float, rng: np.random.Generator) -> np.ndarray:
    """Rows [m], ascending: every row of the smaller class, and as many of the other, without repetition, with errors around `centre`."""
    own = [np.flatnonzero(y == c) for c in np.unique(y)]
    fewest = min(map(len, own))
    picked = [
        rows if len(rows) == fewest else rng.choice(rows, fewest, replace=False, p=weigh_errors(errors[rows], centre, spread))
        for rows in own
    ]
    return np.sort(np.concatenate(picked))
