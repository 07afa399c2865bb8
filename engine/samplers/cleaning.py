"""SMOTE, then rows of all classes that lie among others are removed, by imbalanced-learn's objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from engine.errors import BadInput
from engine.samplers.around import Random
from engine.samplers.lines import SMOTE_NEIGHBORS, Drawn, smote

CLEANINGS = ("enn", "tomek")
RULES = ("all", "mode")
ENN_NEIGHBORS = 3
"""Nearest rows that edited nearest neighbours compares (imbalanced-learn's n_neighbors)."""
FEWEST = 2
"""Real rows that a class keeps at least, where it had as many."""


def smote_cleaned(
    x: Tensor,
    y: Tensor,
    wanted: Mapping[int, int],
    rng: Random,
    *,
    cleaning: str = "enn",
    k_neighbors: int = SMOTE_NEIGHBORS,
    n_neighbors: int = ENN_NEIGHBORS,
    rule: str = "all",
) -> Drawn:
    """SMOTE to wanted[c] more rows of each class c, then cleaning of all classes (Batista et al. 2004).

    Arguments and draws as in `lines.smote`. cleaning: see `find_clean`. Old rows that stay are in `Drawn.kept`; of the new ones, those
    that stay are returned. A class of which fewer than two real rows would stay keeps all its real rows, where it had two or more;
    `Drawn.said` tells so. Raises BadInput where imbalanced-learn is not installed. Runs on the CPU in double precision.
    """
    drawn = smote(x, y, wanted, rng, k_neighbors=k_neighbors)
    rows = torch.cat([x, drawn.x]).to("cpu", torch.float64).numpy()
    labels = torch.cat([y, drawn.y]).cpu().numpy()
    stays = find_clean(rows, labels, cleaning=cleaning, n_neighbors=n_neighbors, rule=rule)
    kept, made = stays[: len(x)], torch.from_numpy(stays[len(x) :]).to(y.device)
    old, said = labels[: len(x)], []
    for c in np.unique(old):
        own = old == c
        if kept[own].sum() < min(own.sum(), FEWEST):
            kept[own] = True
            said.append("Cleaning would have left a class fewer than two real rows: it keeps all of them.")
    return replace(
        drawn, x=drawn.x[made], y=drawn.y[made], base=drawn.base[made], other=drawn.other[made], step=drawn.step[made],
        kept=torch.from_numpy(kept).to(y.device), said=tuple(dict.fromkeys(said)),
    )  # fmt: skip


def find_clean(
    rows: np.ndarray, labels: np.ndarray, *, cleaning: str, n_neighbors: int = ENN_NEIGHBORS, rule: str = "all"
) -> np.ndarray:
    """Which rows [n] stay. enn: a row goes unless its n_neighbors nearest rows are of its class, all or most of them (`rule`). tomek: a
    row goes that is the nearest one of a row of another class, and that row its nearest. Raises BadInput without imbalanced-learn.
    """
    try:  # an accelerator machine may lack it
        from imblearn.under_sampling import EditedNearestNeighbours, TomekLinks
    except ImportError as error:
        raise BadInput(f"cleaning needs imbalanced-learn, which cannot be imported here ({error}); install it.") from error
    if cleaning not in CLEANINGS:
        raise ValueError(f"cleaning must be one of {', '.join(CLEANINGS)}; got {cleaning!r}")
    stays = np.zeros(len(rows), bool)
    if len(np.unique(labels)) < 2:
        return ~stays
    if cleaning == "tomek":
        cleaner = TomekLinks(sampling_strategy="all")
    else:
        near = min(n_neighbors, len(rows) - 1)
        cleaner = EditedNearestNeighbours(sampling_strategy="all", n_neighbors=near, kind_sel=rule)
    cleaner.fit_resample(rows, labels)
    stays[cleaner.sample_indices_] = True
    return stays
