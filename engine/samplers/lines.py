"""New rows on lines through two rows: EOS (towards or away from a near row of another class), SMOTE (within a class),
Borderline-SMOTE (within a class, from its border rows) and ADASYN (within a class, more from rows among other classes).

imbalanced-learn has the last three for NumPy arrays. The versions here draw from the same distribution for rows on an
accelerator, work without imbalanced-learn, and handle classes that it skips or rejects. Tests compare them with its rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from engine.samplers.neighbours import nearest

DIRECTIONS = ("toward", "away")
VARIANTS = ("paper", "released")
KINDS = ("line", "sphere", "walk", "shell", "noise", "plane", "generated")
"""How a new row was made: on a line, in a sphere, by a walk, at a distance kept, with noise added, in a plane or surface,
by a network."""
SMOTE_NEIGHBORS = 5
"""SMOTE's own number of neighbours (Chawla et al. 2002)."""
DANGER_NEIGHBORS = 10
"""Nearest rows of any class that Borderline-SMOTE inspects for each row (imbalanced-learn's m_neighbors)."""


@dataclass(frozen=True)
class Moved:
    """Old rows that now lie elsewhere. rows [q] int64: their numbers, each once. to [q, d]: their new places. by [q] int64: the
    number of the row that pushed last, -1 where none did.
    """

    rows: Tensor
    to: Tensor
    by: Tensor


@dataclass(frozen=True)
class Drawn:
    """New rows x [m, d] of classes y [m], and how each was made: x = x[base] + step (x[other] - x[base]).

    base, other [m] int64: numbers of old rows. step [m] in [0, 1], negative away from `other`; 0, with the base for `other`, where
    the row lies on no line. instead: class -> "smote" or "copies", where the sampler could not be applied to the class. relabelled
    [n]: new classes of the old rows, where the sampler changes them; None: unchanged.

    moved: old rows that lie elsewhere now. kept [n] bool: old rows that stay; the others are to be removed. kind: how rows were made,
    one of KINDS. norm: of the distances, 2 or 1. radius [m] float64: of the sphere that the row was drawn in, or the distance that it
    keeps; NaN for none. path [m, P, d] float32: places from the base to the row, both included, NaN after the end. spheres: (rows [s]
    int64, radius [s]), also of rows without a new one. said: sentences about what could not be done as asked. None where a sampler has
    no such thing.
    """

    x: Tensor
    y: Tensor
    base: Tensor
    other: Tensor
    step: Tensor
    instead: Mapping[int, str] = field(default_factory=dict)
    relabelled: Tensor | None = None
    moved: Moved | None = None
    kept: Tensor | None = None
    kind: str = "line"
    norm: int = 2
    radius: Tensor | None = None
    path: Tensor | None = None
    spheres: tuple[Tensor, Tensor] | None = None
    said: tuple[str, ...] = ()


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
    class) among their k_neighbors nearest rows. One of its enemies is drawn uniformly. The new row lies a uniform share of the
    way towards it or, with "away", as far on the other side. "released" is the authors' code: it draws the same enemies, but
    takes the row before the enemy in the order of distance, which is the base itself for the nearest row.

    A class without such a base is sampled by SMOTE, a class of one row by copies; `Drawn.instead` lists them. Every random
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
        draw = uniforms(rng, wanted[c], x)
        if not len(bases):
            instead[c] = "smote" if len(here) > 1 else "copies"
            parts.append(_within(x, here, SMOTE_NEIGHBORS, draw))
            continue
        picked = bases[pick(draw[0], len(bases))]
        ranks = torch.argsort(~near, dim=1, stable=True)[picked]  # enemies first, in the order of distance
        rank = ranks.gather(1, pick(draw[1], near.sum(1)[picked]).unsqueeze(1))
        step = draw[2] if direction == "toward" else -draw[2]
        parts.append((here[picked], table[own][picked].gather(1, rank).squeeze(1), step))
    return on_lines(x, y, parts, instead)


@torch.no_grad()
def smote(
    x: Tensor,
    y: Tensor,
    wanted: Mapping[int, int],
    rng: np.random.Generator | np.random.RandomState,
    *,
    k_neighbors: int = SMOTE_NEIGHBORS,
) -> Drawn:
    """SMOTE (Chawla et al. 2002): from a row of the class, a uniform share of the way to one of its k_neighbors nearest in the
    class.

    Arguments as in `eos`. A class of n <= k_neighbors rows uses n - 1. A class of one row is copied; `Drawn.instead` lists it.
    """
    parts, instead = [], {}
    for c in sorted(wanted):
        if wanted[c] > 0:
            own = torch.nonzero(y == c).squeeze(1)
            if len(own) == 1:
                instead[c] = "copies"
            parts.append(_within(x, own, k_neighbors, uniforms(rng, wanted[c], x)))
    return on_lines(x, y, parts, instead)


@torch.no_grad()
def borderline_smote(
    x: Tensor,
    y: Tensor,
    wanted: Mapping[int, int],
    rng: np.random.Generator | np.random.RandomState,
    *,
    k_neighbors: int = SMOTE_NEIGHBORS,
    m_neighbors: int = DANGER_NEIGHBORS,
    danger_min: float | None = None,
) -> Drawn:
    """Borderline-SMOTE, first kind (Han et al. 2005; card B8): SMOTE with only the class's rows in danger as bases.

    Arguments as in `eos`. A row is in danger where at least danger_min (m_neighbors / 2 by default; 1 in the EOS paper's
    wording) but not all of its m_neighbors nearest rows are of other classes. Partners are the base's k_neighbors nearest rows
    of the class, in danger or not, so new rows stay in the class's range. Follows imbalanced-learn's kind "borderline-1", which
    skips a class without a row in danger. Here such a class is sampled by SMOTE, a class of one row by copies; `Drawn.instead`
    lists them. With m_neighbors or fewer other rows in all, "all" and the half refer to the rows there are.
    """
    classes = [c for c in sorted(wanted) if wanted[c] > 0]
    members = {c: torch.nonzero(y == c).squeeze(1) for c in classes}
    in_danger = danger(x, y, torch.cat([*members.values(), y.new_zeros(0)]), m_neighbors=m_neighbors, danger_min=danger_min)
    parts, instead, begin = [], {}, 0
    for c in classes:
        own, begin = members[c], begin + len(members[c])
        bases = torch.nonzero(in_danger[begin - len(own) : begin]).squeeze(1)
        if len(own) == 1 or not len(bases):
            instead[c] = "smote" if len(own) > 1 else "copies"
            bases = torch.arange(len(own), device=own.device)
        parts.append(_within(x, own, k_neighbors, uniforms(rng, wanted[c], x), bases))
    return on_lines(x, y, parts, instead)


@torch.no_grad()
def adasyn(
    x: Tensor,
    y: Tensor,
    wanted: Mapping[int, int],
    rng: np.random.Generator | np.random.RandomState,
    *,
    k_neighbors: int = SMOTE_NEIGHBORS,
) -> Drawn:
    """ADASYN (He et al. 2008; card C5): SMOTE from every row of the class, more often where more enemies are near.

    Arguments as in `eos`, but the numbers of new rows only approximate `wanted`. With r_i the share of rows of other classes
    among the k_neighbors nearest of row i of class c, row i is the base of round(wanted[c] r_i / sum r) new rows, half rounded
    to even. Each lies a uniform share of the way to one of its k_neighbors nearest rows in the class. imbalanced-learn rejects
    a class of k_neighbors rows or fewer, one without any near enemy, and one whose numbers all round to 0. Here the first uses
    its available neighbours, the others are sampled by SMOTE, and a class of one row by copies; `Drawn.instead` lists them.
    """
    parts, instead = [], {}
    for c in sorted(wanted):
        if wanted[c] <= 0:
            continue
        own = torch.nonzero(y == c).squeeze(1)
        near = nearest(x, own, k_neighbors)
        # by NumPy, in imbalanced-learn's order: halves are common, and the last bit decides their rounding
        shares = (y[near] != c).sum(1).cpu().numpy() / max(1, near.shape[1])
        each = torch.from_numpy(np.rint(shares / (shares.sum() or 1.0) * wanted[c]).astype(np.int64)).to(y.device)
        if len(own) == 1 or not each.any():
            instead[c] = "smote" if len(own) > 1 else "copies"
            parts.append(_within(x, own, k_neighbors, uniforms(rng, wanted[c], x)))
            continue
        at = torch.repeat_interleave(torch.arange(len(own), device=own.device), each)
        draw = uniforms(rng, len(at), x)
        table = own[nearest(x[own], torch.arange(len(own), device=own.device), k_neighbors)]
        parts.append((own[at], table[at, pick(draw[1], table.shape[1])], draw[2]))
    return on_lines(x, y, parts, instead)


@torch.no_grad()
def danger(
    x: Tensor, y: Tensor, rows: Tensor, *, m_neighbors: int = DANGER_NEIGHBORS, danger_min: float | None = None
) -> Tensor:
    """Which of x[rows] are in danger, [m] bool; see `borderline_smote`. rows [m] int64."""
    table = nearest(x, rows, m_neighbors)
    enemies = (y[table] != y[rows].unsqueeze(1)).sum(1)
    least = table.shape[1] / 2 if danger_min is None else danger_min
    return (enemies >= least) & (enemies < table.shape[1])


def _within(x: Tensor, own: Tensor, k: int, draw: Tensor, bases: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """SMOTE in the rows `own` of a class, from its `bases` (positions in `own`; None: all)."""
    bases = torch.arange(len(own), device=own.device) if bases is None else bases
    table = own[nearest(x[own], bases, k)]
    at = pick(draw[0], len(bases))
    base = own[bases[at]]
    other = table[at, pick(draw[1], table.shape[1])] if table.shape[1] else base
    return base, other, draw[2]


def on_lines(x: Tensor, y: Tensor, parts: list[tuple[Tensor, Tensor, Tensor]], instead: Mapping[int, str]) -> Drawn:
    base, other = (torch.cat([*(p[i] for p in parts), y.new_zeros(0)]) for i in (0, 1))
    step = torch.cat([*(p[2] for p in parts), x.new_zeros(0, dtype=torch.float64)])
    made = x[base] + step.to(x.dtype).unsqueeze(1) * (x[other] - x[base])
    return Drawn(made, y[base], base, other, step, instead)


def uniforms(rng: np.random.Generator | np.random.RandomState, count: int, like: Tensor) -> Tensor:
    """[3, count] float64 in [0, 1), drawn on the CPU."""
    return torch.from_numpy(np.ascontiguousarray(rng.random((count, 3)).T)).to(like.device)


def pick(u: Tensor, count: int | Tensor) -> Tensor:
    """u [m] in [0, 1) -> a number below `count`, all equally likely. u <= 1 - 2^-53, so the product rounds to less than count."""
    return (u * count).long()
