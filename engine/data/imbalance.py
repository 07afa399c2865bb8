"""Chooses the rows that an imbalance keeps and drops. `engine.spec.limits` computes their number per class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.spec import Imbalance, limits


def target_counts(
    counts: Sequence[int], imbalance: Imbalance, rng: np.random.Generator, *, whole: Sequence[int] | None = None
) -> list[int]:
    """Rows each class keeps, at most counts[c] each. Depends only on counts, imbalance and the generator's state.

    rng draws the classes that lose rows under `remove`, nothing else. whole: class counts of the whole dataset where `counts`
    are those of a part, so that all parts have the same largest and smallest class.
    """
    whole = counts if whole is None else whole
    removed = limits.removed_classes(whole, rng.permutation(len(whole)).tolist()) if imbalance.profile == "remove" else ()
    return limits.target_counts(counts, imbalance, head=limits.head_class(whole, imbalance.profile), removed=removed)


def cut_rows(rows: Sequence[np.ndarray], kept: Sequence[int]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Per class the first kept[c] of rows[c], and the dropped rest of the minority classes (those that keep fewer rows).

    rows[c]: row numbers of class c in random order. A higher ratio keeps a subset of the rows of a lower one. Dropped rows of
    majority classes are in neither list.
    """
    small = limits.minority_classes(kept)
    dropped = [r[n:] if c in small else r[:0] for c, (r, n) in enumerate(zip(rows, kept, strict=True))]
    return [r[:n] for r, n in zip(rows, kept, strict=True)], dropped
