"""A split by owner: all rows of an owner are in one part. Classes keep their shares as far as owners allow, and every seed index deals
the owners anew, which scikit-learn's StratifiedGroupKFold does not: it sorts owners by their classes, so that seeds differ in ties alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from engine.data.split import Parts
from engine.data.splits.kept import build_parts, find_short, keep_rows, refuse_short, split_owners
from engine.data.table import Dataset
from engine.errors import BadData
from engine.seeds import numpy_stream
from engine.spec import RunSpec

TRIES = 20
"""Draws of one seed index until every part has enough rows of each class."""

ALIKE = 30
"""From this many owners on with the same rows of each class, they are dealt at once."""

VALID = 0.2
"""Share of the rows in the validation part, as in a random split."""


def choose_folds(dataset: Dataset, spec: RunSpec) -> int:
    """The folds of the spec, or as many fewer, but two, as give every part enough rows of each class. Raises BadData."""
    for folds in range(spec.folds, 1, -1):
        try:
            split_groups(dataset, replace(spec, folds=folds), 0)
        except BadData:
            if folds == 2:
                raise
        else:
            return folds
    return spec.folds


def split_groups(dataset: Dataset, spec: RunSpec, index: int) -> list[Parts]:
    """The parts of every fold of seed index `index`: about a fifth of the rows is validation, the other owners are dealt into
    `spec.folds` folds, each in turn the test part. Raises BadData where a part has too few rows of a class in every draw.
    """
    assert dataset.owner is not None
    rows = keep_rows(dataset, spec)
    y, owner = dataset.y[rows], split_owners(dataset.owner[rows])
    k = spec.folds
    shares = [VALID, *[(1 - VALID) / k] * k]
    if int(owner.max()) + 1 < len(shares):
        raise BadData(f"A split by owner needs {len(shares)} owners or more; the column holds {int(owner.max()) + 1}.")
    rng = numpy_stream(spec.seed, "owners", index)
    short = None
    for _ in range(TRIES):
        place = deal_owners(y, owner, shares, len(dataset.classes), rng)[owner]
        valid = rows[place == 0]
        out = [build_parts(rows[(place > 0) & (place != fold)], valid, rows[place == fold]) for fold in range(1, len(shares))]
        short = next(filter(None, (find_short(dataset, parts) for parts in out)), None)
        if short is None:
            return out
    if index:  # the first draw is known to serve
        return split_groups(dataset, spec, 0)
    assert short is not None
    raise refuse_short(dataset, "owner", short)


def deal_owners(
    y: np.ndarray, owner: np.ndarray, shares: Sequence[float], classes: int, rng: np.random.Generator
) -> np.ndarray:
    """int64 [owners]: the part of each owner, such that every part has about its share of the rows of every class.

    y, owner [n]; owner from 0 on. Owners come in a random order; each goes to the part that then is nearest to its shares. Where many
    have the same rows of each class, they are dealt at once, in those shares.
    """
    many = int(owner.max()) + 1
    counts = np.zeros((many, classes))
    np.add.at(counts, (owner, y), 1)
    total = np.maximum(counts.sum(0), 1)
    share = np.asarray(shares, float)
    share = share / share.sum()
    goal = share[:, None] * total
    have = np.zeros_like(goal)
    out = np.full(many, -1, np.int64)
    kinds, of_owner, sizes = np.unique(counts, axis=0, return_inverse=True, return_counts=True)
    of_owner = of_owner.reshape(-1)
    single: list[np.ndarray] = []
    by_kind = np.split(np.argsort(of_owner, kind="stable"), np.cumsum(sizes)[:-1])
    for kind in np.argsort(-sizes, kind="stable"):
        own = rng.permutation(by_kind[kind])
        if len(own) < ALIKE:
            single.append(own)
            continue
        ends = np.floor(np.cumsum(share) * len(own) + rng.random()).astype(int)
        ends[-1] = len(own)
        place = np.searchsorted(ends, np.arange(len(own)), "right")
        out[own] = place
        have += np.bincount(place, minlength=len(share))[:, None] * kinds[kind]
    weight = 1 / (total**2 * share[:, None])
    for one in rng.permutation(np.concatenate(single)) if single else ():
        add = counts[one]
        rise = ((add * (add + 2 * (have - goal))) * weight).sum(1)
        best = np.flatnonzero(rise <= rise.min() + 1e-12)
        part = int(best[rng.integers(len(best))])
        out[one] = part
        have[part] += add
    return out
