"""New rows on lines through two rows: EOS (towards or away from a near row of another class) and SMOTE (within a class)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from engine.samplers.neighbours import nearest

DIRECTIONS = ("toward", "away")
VARIANTS = ("paper", "released")
SMOTE_NEIGHBORS = 5
"""SMOTE's own number of neighbours (Chawla et al. 2002)."""


@dataclass(frozen=True)
class Drawn:
    """New rows x [m, d] of classes y [m], and how each was made: x = x[base] + step (x[other] - x[base]).

    base, other [m] int64: numbers of old rows; step [m] in [0, 1], negative away from `other`. instead: class -> what was done
    where its own way could not be gone: "smote" or "copies".
    """

    x: Tensor
    y: Tensor
    base: Tensor
    other: Tensor
    step: Tensor
    instead: Mapping[int, str] = field(default_factory=dict)


@torch.no_grad()
def eos(
    x: Tensor,
    y: Tensor,
    wanted: Mapping[int, int],
    rng: np.random.Generator | np.random.RandomState,
    *,
    k_neighbors: int = 10,
    direction: str = "toward",
    variant: str = "paper",
) -> Drawn:
    """Expansive over-sampling: wanted[c] new rows for each class c (card A3; Algorithm 2 of the EOS paper).

    x [n, d] finite floats, y [n] int64. A base is drawn uniformly from the class's rows that have an enemy (a row of another
    class) among their k_neighbors nearest rows, one of its enemies uniformly, and the new row lies a uniform share of the way
    to it, or, "away", as far on the other side. "released" is the authors' code: probabilities are those of
    the enemies, but the row taken is the one before the enemy in the order of distance, the base itself before the first.

    A class without such a base is made by SMOTE, a class of one row without by copies; `Drawn.instead` says so. Every random
    number comes from `rng`: three per new row, classes in ascending order.
    """
    classes = [c for c in sorted(wanted) if wanted[c] > 0]
    members = {c: torch.nonzero(y == c).squeeze(1) for c in classes}
    rows = torch.cat([*members.values(), y.new_zeros(0)])
    table = nearest(x, rows, k_neighbors)
    enemies = y[table] != y[rows].unsqueeze(1)
    if variant == "released":
        table = torch.cat([rows.unsqueeze(1), table[:, :-1]], 1)
    parts, instead, begin = [], {}, 0
    for c in classes:
        own = slice(begin, begin + len(members[c]))
        begin = own.stop
        near, here = enemies[own], rows[own]
        bases = torch.nonzero(near.any(1)).squeeze(1)
        draw = _uniforms(rng, wanted[c], x)
        if not len(bases):
            instead[c] = "smote" if len(here) > 1 else "copies"
            parts.append(_within(x, here, SMOTE_NEIGHBORS, draw))
            continue
        picked = bases[_index(draw[0], len(bases))]
        ranks = torch.argsort(~near, dim=1, stable=True)[picked]  # enemies first, in the order of distance
        rank = ranks.gather(1, _index(draw[1], near.sum(1)[picked]).unsqueeze(1))
        step = draw[2] if direction == "toward" else -draw[2]
        parts.append((here[picked], table[own][picked].gather(1, rank).squeeze(1), step))
    return _made(x, y, parts, instead)


@torch.no_grad()
def smote(
    x: Tensor,
    y: Tensor,
    wanted: Mapping[int, int],
    rng: np.random.Generator | np.random.RandomState,
    *,
    k_neighbors: int = SMOTE_NEIGHBORS,
) -> Drawn:
    """SMOTE (Chawla et al. 2002): a row of the class, one of its k_neighbors nearest in the class, a uniform share of the way.

    Arguments as in `eos`. A class of n <= k_neighbors rows uses n - 1; a class of one row is copied, `Drawn.instead` says so.
    """
    parts, instead = [], {}
    for c in sorted(wanted):
        if wanted[c] > 0:
            own = torch.nonzero(y == c).squeeze(1)
            if len(own) == 1:
                instead[c] = "copies"
            parts.append(_within(x, own, k_neighbors, _uniforms(rng, wanted[c], x)))
    return _made(x, y, parts, instead)


def _within(x: Tensor, own: Tensor, k: int, draw: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    table = own[nearest(x[own], torch.arange(len(own), device=own.device), k)]
    base = _index(draw[0], len(own))
    other = table[base, _index(draw[1], table.shape[1])] if table.shape[1] else own[base]
    return own[base], other, draw[2]


def _made(x: Tensor, y: Tensor, parts: list[tuple[Tensor, Tensor, Tensor]], instead: Mapping[int, str]) -> Drawn:
    base, other = (torch.cat([*(p[i] for p in parts), y.new_zeros(0)]) for i in (0, 1))
    step = torch.cat([*(p[2] for p in parts), x.new_zeros(0, dtype=torch.float64)])
    made = x[base] + step.to(x.dtype).unsqueeze(1) * (x[other] - x[base])
    return Drawn(made, y[base], base, other, step, instead)


def _uniforms(rng: np.random.Generator | np.random.RandomState, count: int, like: Tensor) -> Tensor:
    """[3, count] float64 in [0, 1), drawn on the CPU."""
    return torch.from_numpy(np.ascontiguousarray(rng.random((count, 3)).T)).to(like.device)


def _index(u: Tensor, count: int | Tensor) -> Tensor:
    """u [m] in [0, 1) -> a number below `count`, each as likely. u <= 1 - 2^-53, so the product rounds to less than count."""
    return (u * count).long()
