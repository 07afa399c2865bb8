"""RBO and MC-RBO: copies of minority rows walk by small steps to where the potentials of the classes cancel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.samplers.lines import Drawn, pick

GOALS = ("balance", "minimize", "maximize")
"""A step is taken where the potential comes nearer to 0, falls, or rises."""
NEAREST = 25
"""Rows besides the seed that a walk feels, where it does not feel all."""
MOST_PAIRS = 1 << 23
"""Pairs of a new row and a row above which walks feel the nearest alone."""
RENEW = 50
"""Steps after which distances are computed anew."""
POINTS, MOST_PATH = 32, 1 << 22
"""Places kept of a walk, and numbers of all walks, at most."""

Stream = np.random.Generator | np.random.RandomState


@torch.no_grad()
def rbo(
    x: Tensor,
    y: Tensor,
    wanted: Mapping[int, int],
    rng: Stream,
    *,
    gamma: float = 1.0,
    steps: int = 100,
    step_size: float = 0.05,
    stop: float = 0.02,
    p: int = 2,
    goal: str = "balance",
    k_neighbors: int = 0,
) -> Drawn:
    """RBO (Koziarski et al. 2017; card C12.3): each class in turn against all other rows.

    x [n, d] finite floats, y [n] int64, wanted: class -> new rows. The potential at a place is the sum over the other rows of
    exp(-(distance / gamma)^2), minus that over the class's own. A new row begins at a uniform seed. In each of at most `steps` steps it
    stops with probability `stop`, else tries one column, one way, by `step_size`; the step is taken where the goal comes nearer. p: norm
    of the distance. k_neighbors: the walk feels the seed and so many of its nearest rows; 0: all, or 25 where that would be too slow.

    Draws for each class: seeds [m], then for every step and row, also one that has stopped: whether it stops, column, way.
    """
    parts, at = [], torch.arange(len(y), device=y.device)
    for c in sorted(wanted):
        if wanted[c] > 0:
            own = torch.nonzero(y == c).squeeze(1)
            seeds = own[pick(torch.from_numpy(rng.random(wanted[c])).to(x.device), len(own))]
            draws = _draw(rng, steps, (3, wanted[c]), x)
            felt = _feel(x.double(), torch.where(y == c, -1.0, 1.0).double(), at, seeds, k_neighbors, p)
            kept = _keeps_paths(wanted, steps, x)
            parts.append((c, seeds, _walk(felt, x[seeds].double(), draws, gamma, step_size, stop, goal, kept)))
    return _join(x, y, parts)


@torch.no_grad()
def mc_rbo(
    x: Tensor,
    y: Tensor,
    wanted: Mapping[int, int],
    rng: Stream,
    *,
    gamma: float = 1.0,
    steps: int = 100,
    step_size: float = 0.05,
    p: int = 2,
    goal: str = "balance",
    k_neighbors: int = NEAREST,
) -> Drawn:
    """MC-RBO (Krawczyk et al. 2020): from the large class to the small one, each against as many rows of every larger class.

    Arguments as in `rbo`. For the class in place i of the order it draws, with replacement, as many rows of each larger class as the
    largest has, divided by i; new rows are among them. A walk tries each column and way once, in random order, and begins anew after a step
    that is taken, without the way back; it ends where none is left.

    Draws for each class: rows of the larger classes, seeds [m], then for every step and row which of the ways left is tried.
    """
    sizes = {c: int((y == c).sum()) for c in sorted(wanted)}
    order = sorted(sizes, key=lambda c: (-sizes[c], c))
    places, labels, parts = x.double(), y, []
    for turn, c in enumerate(order):
        if wanted[c] <= 0:
            continue
        own = torch.nonzero(y == c).squeeze(1)
        count, met = sizes[order[0]] // max(1, turn), []
        for larger in order[:turn]:
            theirs = torch.nonzero(labels == larger).squeeze(1)
            met.append(theirs[pick(torch.from_numpy(rng.random(count)).to(x.device), len(theirs))])
        at = torch.cat([own, *met])
        seeds = own[pick(torch.from_numpy(rng.random(wanted[c])).to(x.device), len(own))]
        draws = _draw(rng, steps, (wanted[c],), x)
        felt = _feel(places, torch.where(labels == c, -1.0, 1.0).double(), at, seeds, k_neighbors, p)
        walked = _walk_all_ways(felt, places[seeds], draws, gamma, step_size, goal, _keeps_paths(wanted, steps, x))
        parts.append((c, seeds, walked))
        places, labels = torch.cat([places, walked.x]), torch.cat([labels, labels.new_full((wanted[c],), c)])
    return _join(x, y, sorted(parts, key=lambda part: part[0]))


@dataclass
class Felt:
    """The rows that walks feel: columns [d, n] of all where each feels all of them (at None), else places [m, k, d] of each walk's own.

    sign [n] or [m, k]: 1 for rows of other classes, -1 for the class's own. p: the norm.
    """

    columns: Tensor | None
    places: Tensor | None
    sign: Tensor
    p: int

    def measure(self, x: Tensor) -> Tensor:
        """Distances [m, n or k] of the walks at x [m, d], squared where p = 2."""
        if self.columns is not None:
            found = torch.cdist(x, self.columns.T.contiguous(), p=float(self.p), compute_mode="donot_use_mm_for_euclid_dist")
            return found**2 if self.p == 2 else found
        assert self.places is not None
        away = (self.places - x.unsqueeze(1)).abs()
        return (away**2).sum(2) if self.p == 2 else away.sum(2)

    def read_column(self, column: Tensor) -> Tensor:
        """The felt rows' values [m, n or k] in each walk's column [m]."""
        if self.columns is not None:
            return self.columns[column]
        assert self.places is not None
        return self.places.gather(2, column.view(-1, 1, 1).expand(-1, self.places.shape[1], 1)).squeeze(2)

    def change(self, distances: Tensor, x: Tensor, column: Tensor, by: Tensor) -> Tensor:
        """The distances after a step of `by` [m] in `column` [m]: exact, in the one column that changes."""
        before = x.gather(1, column.unsqueeze(1)) - self.read_column(column)
        by = by.unsqueeze(1)
        if self.p == 2:
            return (distances + 2 * by * before + by**2).clamp(min=0)
        return (distances - before.abs() + (before + by).abs()).clamp(min=0)

    def sum_potential(self, distances: Tensor, gamma: float) -> Tensor:
        """[m] for `distances` as `measure` gives them."""
        power = distances / gamma**2 if self.p == 2 else (distances / gamma) ** 2
        return (self.sign * torch.exp(-power)).sum(1)


@dataclass
class Walked:
    """Where walks ended, x [m, d], and their steps if they are kept: column [S, m] and by [S, m], 0 where none was taken."""

    x: Tensor
    column: Tensor
    by: Tensor


def _feel(x: Tensor, sign: Tensor, at: Tensor, seeds: Tensor, k: int, p: int) -> Felt:
    """What walks from `seeds` feel of the rows `at`; both are numbers of rows of x, and each seed is among `at`."""
    if not k and len(seeds) * len(at) <= MOST_PAIRS:
        return Felt(x[at].T.contiguous(), None, sign[at], p)
    k = min(k or NEAREST, len(at) - 1)
    unique, which = torch.unique(seeds, return_inverse=True)
    found = []
    for part in torch.split(unique, max(1, MOST_PAIRS // len(at))):
        far = torch.cdist(x[part], x[at], p=float(p), compute_mode="donot_use_mm_for_euclid_dist")
        far[at.unsqueeze(0) == part.unsqueeze(1)] = -1.0  # the seed itself, by its own number, comes first
        found.append(at[far.argsort(dim=1, stable=True)[:, : k + 1]])
    table = torch.cat(found)[which]
    return Felt(None, x[table], sign[table], p)


def _draw(rng: Stream, steps: int, shape: tuple[int, ...], x: Tensor) -> Iterator[Tensor]:
    """Uniforms of this shape for each step, drawn on the CPU."""
    for _ in range(steps):
        yield torch.from_numpy(np.asarray(rng.random(shape))).to(x.device)


def _keeps_paths(wanted: Mapping[int, int], steps: int, x: Tensor) -> bool:
    return sum(wanted.values()) * min(POINTS, steps + 1) * x.shape[1] <= MOST_PATH


def _is_better(now: Tensor, before: Tensor, goal: str) -> Tensor:
    if goal == "balance":
        return now.abs() < before.abs()
    return now < before if goal == "minimize" else now > before


def _walk(
    felt: Felt, x: Tensor, draws: Iterator[Tensor], gamma: float, step_size: float, stop: float, goal: str, kept: bool
) -> Walked:
    """Walks from x [m, d] together. draws: for each step uniforms [3, m] for stopping, the column and the way. kept: whether steps are."""
    x = x.clone()
    distances = felt.measure(x)
    here = felt.sum_potential(distances, gamma)
    going = torch.ones(len(x), dtype=torch.bool, device=x.device)
    columns, steps = [], []
    for t, (halt, column, way) in enumerate(draws):
        if t and t % RENEW == 0:
            distances = felt.measure(x)
            here = felt.sum_potential(distances, gamma)
        going = going & (halt >= stop)
        tried = pick(column, x.shape[1])
        by = step_size * (1 - 2 * (way >= 0.5).double())
        changed = felt.change(distances, x, tried, by)
        there = felt.sum_potential(changed, gamma)
        taken = going & _is_better(there, here, goal)
        by = torch.where(taken, by, 0.0)
        x.scatter_add_(1, tried.unsqueeze(1), by.unsqueeze(1))
        distances = torch.where(taken.unsqueeze(1), changed, distances)
        here = torch.where(taken, there, here)
        if kept:
            columns.append(tried)
            steps.append(by)
    return _stack(x, columns, steps)


def _walk_all_ways(
    felt: Felt, x: Tensor, draws: Iterator[Tensor], gamma: float, step_size: float, goal: str, kept: bool
) -> Walked:
    """As `_walk`, each way once between two steps. draws: for each step uniforms [m] that say which of the ways left is tried. Way
    2 j + 1 is column j backwards.
    """
    x = x.clone()
    m, d = x.shape
    distances = felt.measure(x)
    here = felt.sum_potential(distances, gamma)
    left = torch.ones(m, 2 * d, dtype=torch.bool, device=x.device)
    rows = torch.arange(m, device=x.device)
    columns, steps = [], []
    for t, u in enumerate(draws):
        if t and t % RENEW == 0:
            distances = felt.measure(x)
            here = felt.sum_potential(distances, gamma)
        count = left.sum(1)
        going = count > 0
        rank = pick(u, count).clamp(min=0) + 1
        way = (left & (left.cumsum(1) == rank.unsqueeze(1))).int().argmax(1)
        left[rows, way] = left[rows, way] & ~going
        tried = way // 2
        by = step_size * (1 - 2 * (way % 2).double())
        changed = felt.change(distances, x, tried, by)
        there = felt.sum_potential(changed, gamma)
        taken = going & _is_better(there, here, goal)
        by = torch.where(taken, by, 0.0)
        x.scatter_add_(1, tried.unsqueeze(1), by.unsqueeze(1))
        distances = torch.where(taken.unsqueeze(1), changed, distances)
        here = torch.where(taken, there, here)
        left = left | taken.unsqueeze(1)
        left[rows, way ^ 1] = left[rows, way ^ 1] & ~taken
        if kept:
            columns.append(tried)
            steps.append(by)
    return _stack(x, columns, steps)


def _stack(x: Tensor, columns: list[Tensor], steps: list[Tensor]) -> Walked:
    none = x.new_zeros(0, len(x))
    return Walked(x, torch.stack(columns) if columns else none.long(), torch.stack(steps) if steps else none)


def read_path(start: Tensor, walked: Walked) -> Tensor:
    """Places of each walk [m, P, d] float32, first and last included, evenly thinned to POINTS; NaN after its end."""
    m, d = start.shape
    taken = (walked.by != 0).sum(0)
    points = (taken + 1).clamp(max=POINTS)
    out = torch.full((m, int(points.max()) if m else 1, d), torch.nan, dtype=torch.float32, device=start.device)
    number = torch.arange(out.shape[1], device=start.device).unsqueeze(0)
    kept = torch.round(number * taken.unsqueeze(1) / (points - 1).clamp(min=1).unsqueeze(1)).long()  # [m, P] numbers of steps
    kept[number >= points.unsqueeze(1)] = -1
    place, done = start.clone(), torch.zeros_like(taken)
    out[:, 0] = start.float()
    for column, by in zip(walked.column, walked.by, strict=True):
        place.scatter_add_(1, column.unsqueeze(1), by.unsqueeze(1))
        done = done + (by != 0)
        at = (kept == done.unsqueeze(1)) & (by != 0).unsqueeze(1)
        row, slot = torch.nonzero(at, as_tuple=True)
        out[row, slot] = place[row].float()
    return out


def _join(x: Tensor, y: Tensor, parts: list[tuple[int, Tensor, Walked]]) -> Drawn:
    """parts: class, seeds and walks, classes ascending."""
    base = torch.cat([*(seeds for _, seeds, _ in parts), y.new_zeros(0)])
    made = torch.cat([*(walked.x for _, _, walked in parts), x.new_zeros(0, x.shape[1], dtype=torch.float64)])
    path = None
    if parts and all(len(walked.by) for _, _, walked in parts):
        paths = [read_path(x[seeds].double(), walked) for _, seeds, walked in parts]
        path = torch.full((len(base), max(p.shape[1] for p in paths), x.shape[1]), torch.nan, device=x.device)
        begin = 0
        for part in paths:
            path[begin : begin + len(part), : part.shape[1]] = part
            begin += len(part)
    step = torch.zeros(len(base), dtype=torch.float64, device=x.device)
    return Drawn(made.to(x.dtype), y[base], base, base, step, kind="walk", path=path)
