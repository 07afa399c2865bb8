"""Which rows a member of an under-sampled ensemble sees: as many of every class, drawn by their hardness. On indices alone."""

from __future__ import annotations

import numpy as np

TOLERANCE = 1e-9
"""What a product of rounded numbers may lack to the whole number that it stands for."""
LEAST = 1e-12


def count_shares(weights: np.ndarray, n: int, cap: np.ndarray | None = None) -> np.ndarray:
    """Whole numbers [m] that sum to n, in proportion to weights [m] >= 0, by largest remainders; none above cap [m].

    What a cap leaves over goes to the others by the same rule. Weights of 0 alone count as equal ones. Raises ValueError where the caps
    hold fewer than n.
    """
    weights = np.asarray(weights, float)
    room = np.full(len(weights), n) if cap is None else np.asarray(cap, np.int64).copy()
    if room.sum() < n:
        raise ValueError(f"the caps hold {room.sum()} of {n}")
    counts, left = np.zeros(len(weights), np.int64), n
    while left > 0:
        own = np.where(room > 0, weights, 0.0)
        if not own.any():
            own = (room > 0).astype(float)
        quota = own / own.sum() * left
        whole = np.floor(quota + TOLERANCE).astype(np.int64)
        beside = np.where(own > 0, quota - whole, -np.inf)
        whole[np.argsort(-beside, kind="stable")[: left - whole.sum()]] += 1
        given = np.minimum(whole, room)
        counts += given
        room -= given
        left -= int(given.sum())
    return counts


def pick_equally(y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rows [m], ascending: every row of the smallest class, and as many of each other class, without repetition. y [n] int."""
    members = [np.flatnonzero(y == c) for c in np.unique(y)]
    fewest = min(map(len, members))
    return np.sort(np.concatenate([own if len(own) == fewest else rng.choice(own, fewest, replace=False) for own in members]))


def count_by_hardness(hardness: np.ndarray, n: int, alpha: float, bins: int) -> tuple[np.ndarray, np.ndarray]:
    """(bin of every row, rows taken of every bin): the self-paced rule for one class. hardness [m] in [0, 1].

    A bin's weight is 1 / (its mean hardness + alpha): at alpha 0 every bin adds as much hardness, at a large alpha as many rows.
    """
    at = np.minimum((hardness * bins + TOLERANCE).astype(np.int64), bins - 1)
    size = np.bincount(at, minlength=bins)
    mean = np.bincount(at, hardness, minlength=bins) / np.maximum(size, 1)
    weights = np.where(size > 0, 1 / np.maximum(mean + alpha, LEAST), 0.0)
    return at, count_shares(weights, n, size)


def pick_by_hardness(
    hardness: np.ndarray | None, y: np.ndarray, t: int, members: int, bins: int, rng: np.random.Generator
) -> np.ndarray:
    """Rows [m], ascending, that member t of a self-paced ensemble sees: every row of the smallest class, and as many of each other.

    hardness [n]: 1 - the probability of the row's own class, of the members before; None for the first, which draws at random.
    """
    if hardness is None or members == 1:
        return pick_equally(y, rng)
    alpha = np.tan(np.pi / 2 * t / (members - 1))
    own = [np.flatnonzero(y == c) for c in np.unique(y)]
    fewest = min(map(len, own))
    picked = []
    for rows in own:
        if len(rows) == fewest:
            picked.append(rows)
            continue
        at, counts = count_by_hardness(hardness[rows], fewest, alpha, bins)
        picked += [rng.choice(rows[at == b], n, replace=False) for b, n in enumerate(counts) if n]
    return np.sort(np.concatenate(picked))
