"""CCR, MC-CCR and RB-CCR: every minority row grows a sphere, rows of other classes inside are pushed out, and new rows are drawn within."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from engine.samplers.lines import Drawn, Moved
from engine.samplers.shares import shares

CLEANINGS = ("push", "remove", "ignore")
CLASSES = ("one-by-one", "sampling")
VARIANTS = ("paper", "released")
REGIONS = ("E", "L", "H", "LE", "LH", "EH", "LEH")
"""Where a sphere's new rows lie: at its seed's potential (E), below it (L), above it (H)."""
AUTO_ENERGY = 1.3
"""The energy that 0 stands for is this times the root of the number of columns."""
NOWHERE = 1e-20
"""Below this distance two rows lie in one place."""
BLOCK = 1 << 22
"""Distances computed at once for potentials, at most."""

Stream = np.random.Generator | np.random.RandomState
Place = Callable[[Tensor, Tensor, Tensor, Stream], Tensor]
"""Rows of the class [s, d], their radii [s], new rows of each [s] int64, the stream -> places of the new rows [m, d], seed after seed."""


@torch.no_grad()
def ccr(
    x: Tensor,
    y: Tensor,
    wanted: Mapping[int, int],
    rng: Stream,
    *,
    energy: float = 0.0,
    p: int = 2,
    cleaning: str = "push",
    classes: str = "one-by-one",
    volume: bool = False,
    variant: str = "paper",
    fixed: int = 0,
) -> Drawn:
    """CCR (Koziarski and Wozniak 2017), for many classes MC-CCR (Koziarski et al. 2020); card C12.1.

    x [n, d] finite floats, y [n] int64, wanted: class -> new rows. A row of a class grows a sphere of the p-norm by `energy` (0: 1.3 times
    the root of d): 1 for a unit of radius, and 1 more for each row of the others inside. Those inside are pushed to its surface, and
    pushes of several spheres add. A seed gets rows in inverse proportion to its radius, at uniform shares of the radius (volume:
    uniform in the ball) in directions of normal draws.

    cleaning: "remove" removes the rows inside, but never all of a class, "ignore" leaves them. classes: with more than two, each that gets
    rows is treated in turn, the largest first; its others are all rows of other classes as they lie then ("one-by-one"), or as many rows
    of each larger class as the largest class has, divided by the number of the turn, without replacement ("sampling"; the first turn
    takes all). variant: "released" divides by one row too few where all others are inside. fixed: in so many last columns no row is moved.

    Draws for each class: rows of the larger classes, directions of rows that lie on a seed, directions and shares of the new rows.
    """

    def place(own: Tensor, radius: Tensor, each: Tensor, stream: Stream) -> Tensor:
        at = torch.repeat_interleave(torch.arange(len(own), device=own.device), each)
        return own[at] + radius[at].unsqueeze(1) * _within(len(at), own, p, volume, stream)

    return _run(x, y, wanted, rng, place, energy=energy, p=p, cleaning=cleaning, classes=classes, variant=variant, fixed=fixed)


@torch.no_grad()
def rb_ccr(
    x: Tensor,
    y: Tensor,
    wanted: Mapping[int, int],
    rng: Stream,
    *,
    energy: float = 0.0,
    gamma: float = 2.5,
    region: str = "E",
    candidates: int = 100,
    threshold: float = 0.33,
    cleaning: str = "push",
    classes: str = "one-by-one",
    fixed: int = 0,
) -> Drawn:
    """RB-CCR (Koziarski, Bellinger, Wozniak 2021; card C12.2): CCR with p = 2, whose new rows are chosen by the class's own potential.

    Arguments as in `ccr`. Each seed has `candidates` in its sphere. One belongs to the region L where the class's potential of width gamma
    is lower than at the seed by more than `threshold` of the way to the lowest, to H where it is as much higher, else to E. New rows are
    drawn from those of the wanted regions, each once while there are enough. Where a seed has none, they come from E, then from any.
    All three regions, or gamma 0: plain CCR.
    """
    if gamma <= 0 or set(region) == set("LEH"):
        return ccr(x, y, wanted, rng, energy=energy, cleaning=cleaning, classes=classes, fixed=fixed)
    empty: list[int] = []

    def place(own: Tensor, radius: Tensor, each: Tensor, stream: Stream) -> Tensor:
        s, d = own.shape
        normals, u = _normals(stream, (s, candidates, d), own), _uniforms(stream, (s, candidates), own)
        step = normals / normals.norm(dim=2, keepdim=True).clamp(min=torch.finfo(torch.float64).tiny)
        drawn = own.unsqueeze(1) + (radius.unsqueeze(1) * u).unsqueeze(2) * step
        inside = potential(drawn.reshape(-1, d), own, gamma).reshape(s, candidates)
        regions = find_regions(inside, potential(own, own, gamma), threshold)
        chances = stream.random(int(each.sum()))
        out: Tensor = drawn.reshape(-1, d)[_choose(regions, each.cpu().numpy(), region, chances, empty).to(own.device)]
        return out

    drawn = _run(x, y, wanted, rng, place, energy=energy, p=2, cleaning=cleaning, classes=classes, variant="paper", fixed=fixed)
    if empty:
        text = (
            f"{sum(empty)} spheres have no candidate in region {region}: their new rows come from E, or from anywhere inside."
        )
        drawn = Drawn(**{**vars(drawn), "said": (*drawn.said, text)})
    return drawn


def grow_radii(distances: Tensor, energy: float, variant: str = "paper") -> Tensor:
    """Radius of each sphere [s] for the distances [s, m] of its seed to the others: energy = r + sum over d < r of (r - d).

    released: where all others are inside, the last of the energy is divided by m, not m + 1.
    """
    d = distances.sort(1).values
    s, m = d.shape
    within = torch.cat([d.new_zeros(s, 1), d.cumsum(1)], 1)
    counts = torch.arange(1, m + 2, dtype=d.dtype, device=d.device)
    radius = (energy + within) / counts  # with the k nearest inside, k = 0, 1, ..., m
    ends = torch.cat([d, d.new_full((s, 1), torch.inf)], 1)
    k = (radius <= ends).int().argmax(1, keepdim=True)
    out = radius.gather(1, k).squeeze(1)
    if variant == "released" and m:
        left = energy + within[:, -1] - (m + 1) * d[:, -1]
        out = torch.where(k.squeeze(1) == m, d[:, -1] + left / m, out)
    return out


def measure_distances(rows: Tensor, others: Tensor, p: int) -> Tensor:
    """[s, m] distances in the p-norm."""
    return torch.cdist(rows, others, p=float(p), compute_mode="donot_use_mm_for_euclid_dist")


def push_out(own: Tensor, others: Tensor, distances: Tensor, radius: Tensor, ways: Tensor, p: int) -> Tensor:
    """How far each of the others [m, d] is pushed: the sum over spheres of what takes it to the surface.

    ways: for each pair in one place, in the order (seed, other), the direction in which the other goes.
    """
    inside = distances < radius.unsqueeze(1)
    apart = distances >= NOWHERE
    share = torch.where(inside & apart, (radius.unsqueeze(1) - distances) / torch.where(apart, distances, 1.0), 0.0)
    centre = own.mean(0)
    out = (others - centre) * share.sum(0).unsqueeze(1) - share.T @ (own - centre)
    seed, other = torch.nonzero(~apart, as_tuple=True)
    length = torch.linalg.vector_norm(ways, ord=p, dim=1, keepdim=True)
    return out.index_add(0, other, radius[seed].unsqueeze(1) * ways / length)


def potential(x: Tensor, rows: Tensor, gamma: float) -> Tensor:
    """[k] sum over `rows` of exp(-(distance / gamma)^2) at the places x [k, d]."""
    block = max(1, BLOCK // max(1, len(rows)))
    parts = [torch.exp(-((measure_distances(part, rows, 2) / gamma) ** 2)).sum(1) for part in torch.split(x, block)]
    return torch.cat([*parts, x.new_zeros(0)])


def find_regions(inside: Tensor, at_seed: Tensor, threshold: float) -> Tensor:
    """Region of every candidate [s, k], 0 for L, 1 for E, 2 for H, by its potential [s, k] and that at its seed [s].

    Where all potentials of a sphere are alike, all are E.
    """
    middle = at_seed.unsqueeze(1)
    lowest = torch.minimum(inside.amin(1, keepdim=True), middle)
    highest = torch.maximum(inside.amax(1, keepdim=True), middle)
    low, high = middle - threshold * (middle - lowest), middle + threshold * (highest - middle)
    out = torch.where(inside <= low, 0, torch.where(inside >= high, 2, 1))
    return torch.where(highest == lowest, 1, out)


@dataclass
class _Ground:
    """All rows as they lie now: the old ones, then new ones. by: number of the row that pushed last, -1 for none; alive: not removed.
    spared: whether a class kept rows that were to be removed.
    """

    x: Tensor
    y: Tensor
    old: int
    by: Tensor
    alive: Tensor
    moved: Tensor
    base: list[Tensor] = field(default_factory=list)
    radius: list[Tensor] = field(default_factory=list)
    spheres: list[tuple[Tensor, Tensor]] = field(default_factory=list)
    spared: bool = False

    def add(self, x: Tensor, c: int, base: Tensor, radius: Tensor) -> None:
        """Appends new rows of class c."""
        count = len(x)
        self.x, self.y = torch.cat([self.x, x]), torch.cat([self.y, self.y.new_full((count,), c)])
        self.by = torch.cat([self.by, self.by.new_full((count,), -1)])
        self.alive = torch.cat([self.alive, self.alive.new_ones(count)])
        self.moved = torch.cat([self.moved, self.moved.new_zeros(count)])
        self.base.append(base)
        self.radius.append(radius)


def _run(
    x: Tensor,
    y: Tensor,
    wanted: Mapping[int, int],
    rng: Stream,
    place: Place,
    *,
    energy: float,
    p: int,
    cleaning: str,
    classes: str,
    variant: str,
    fixed: int,
) -> Drawn:
    n, d = x.shape
    energy = energy or AUTO_ENERGY * d**0.5
    none = torch.zeros(n, dtype=torch.bool, device=x.device)
    ground = _Ground(x.to(torch.float64, copy=True), y, n, torch.full_like(y, -1), ~none, none.clone())
    sizes = {c: int((y == c).sum()) for c in sorted(wanted)}
    order = sorted(sizes, key=lambda c: (-sizes[c], c))
    for turn, c in enumerate(order):
        if wanted[c] > 0:
            others = _find_others(ground, c, order[:turn], sizes[order[0]] // max(1, turn), classes, rng)
            _treat(ground, c, others, wanted[c], rng, place, energy, p, cleaning, variant, fixed)
    return _finish(ground, x, p, bool(fixed) and cleaning == "push")


def _find_others(ground: _Ground, c: int, larger: list[int], each: int, classes: str, rng: Stream) -> Tensor:
    """Numbers of the rows that the spheres of class c meet."""
    if classes == "one-by-one":
        return torch.nonzero((ground.y != c) & ground.alive).squeeze(1)
    parts = []
    for one in larger:
        own = torch.nonzero((ground.y == one) & ground.alive).squeeze(1)
        if each < len(own):
            own = own[torch.from_numpy(rng.permutation(len(own))[:each]).to(own.device)]
        parts.append(own)
    return torch.cat([*parts, ground.y.new_zeros(0)])


def _treat(
    ground: _Ground,
    c: int,
    others: Tensor,
    count: int,
    rng: Stream,
    place: Place,
    energy: float,
    p: int,
    cleaning: str,
    variant: str,
    fixed: int,
) -> None:
    """Grows the spheres of class c among the rows `others`, cleans them, and adds the new rows."""
    seeds = torch.nonzero((ground.y == c) & ground.alive).squeeze(1)
    own, there = ground.x[seeds], ground.x[others]
    distances = measure_distances(own, there, p)
    radius = grow_radii(distances, energy, variant)
    ways = 1e-6 * (1 + _uniforms(rng, (int((distances < NOWHERE).sum()), own.shape[1]), own))
    ground.spheres.append((seeds, radius))
    inside = distances < radius.unsqueeze(1)
    met = inside.any(0)
    if cleaning == "remove":
        for one in sorted(set(ground.y[others[met]].tolist())):  # no class loses its last row
            own_rows = (ground.y == one) & ground.alive
            if int(own_rows.sum()) == int((met & (ground.y[others] == one)).sum()):
                met = met & (ground.y[others] != one)
                ground.spared = True
        ground.alive[others[met]] = False
    elif cleaning == "push":
        pushed = push_out(own, there, distances, radius, ways, p)
        if fixed:
            pushed[:, pushed.shape[1] - fixed :] = 0.0
        at = others[met]
        ground.x[at] = there[met] + pushed[met]
        ground.moved[at] = True
        last = len(seeds) - 1 - inside.flip(0).int().argmax(0)
        ground.by[at] = seeds[last[met]]
    each = shares(1 / radius, count)
    made = place(own, radius, each, rng)
    at = torch.repeat_interleave(torch.arange(len(seeds), device=seeds.device), each)
    ground.add(made, c, seeds[at], radius[at])


def _finish(ground: _Ground, x: Tensor, p: int, held: bool) -> Drawn:
    """held: whether columns were kept from moving."""
    n = ground.old
    order = torch.argsort(ground.y[n:], stable=True)
    order = order[ground.alive[n:][order]]
    base = torch.cat([*ground.base, ground.y.new_zeros(0)])[order]
    radius = torch.cat([*ground.radius, ground.x.new_zeros(0)])[order]
    rows = torch.nonzero(ground.moved[:n] & ground.alive[:n]).squeeze(1)
    moved = Moved(rows, ground.x[rows].to(x.dtype), ground.by[rows])
    spheres = tuple(torch.cat([*(pair[i] for pair in ground.spheres), (base, radius)[i][:0]]) for i in (0, 1))
    said = []
    if held and len(rows):
        said.append("Rows that are pushed keep their categories: they move in the columns of numbers alone.")
    if ground.spared:
        said.append("All rows of a class lay in spheres: none of them was removed.")
    return Drawn(
        ground.x[n:][order].to(x.dtype), ground.y[n:][order], base, base, torch.zeros_like(radius), moved=moved,
        kept=None if bool(ground.alive[:n].all()) else ground.alive[:n], kind="sphere", norm=p, radius=radius,
        spheres=(spheres[0], spheres[1]), said=tuple(said),
    )  # fmt: skip


def _choose(regions: Tensor, each: np.ndarray, region: str, chances: np.ndarray, empty: list[int]) -> Tensor:
    """Numbers of the candidates, over all seeds [m] int64, that become rows: each[i] of seed i. chances [m] uniforms.

    Adds to `empty` the number of seeds that have none in the region.
    """
    kinds = regions.cpu().numpy()
    wanted = [("L", "E", "H").index(letter) for letter in region]
    out, begin, missing = [], 0, 0
    for i in np.flatnonzero(each):
        pool = np.flatnonzero(np.isin(kinds[i], wanted))
        if not len(pool):
            missing += 1
            pool = np.flatnonzero(kinds[i] == 1)
        if not len(pool):
            pool = np.arange(kinds.shape[1])
        u, begin = chances[begin : begin + each[i]], begin + int(each[i])
        if each[i] > len(pool):
            picked = pool[(u * len(pool)).astype(int)]
        else:
            for t, share in enumerate(u):  # a partial shuffle
                j = t + int(share * (len(pool) - t))
                pool[t], pool[j] = pool[j], pool[t]
            picked = pool[: each[i]]
        out.append(i * kinds.shape[1] + picked)
    if missing:
        empty.append(missing)
    return torch.from_numpy(np.concatenate([*out, np.zeros(0, np.int64)]).astype(np.int64))


def _within(count: int, own: Tensor, p: int, volume: bool, rng: Stream) -> Tensor:
    """Places in the unit sphere of the p-norm [count, d]."""
    d = own.shape[1]
    way, u = _normals(rng, (count, d), own), _uniforms(rng, (count,), own)
    length = torch.linalg.vector_norm(way, ord=p, dim=1, keepdim=True).clamp(min=torch.finfo(torch.float64).tiny)
    out: Tensor = way / length * (u ** (1 / d) if volume else u).unsqueeze(1)
    return out


def _normals(rng: Stream, shape: tuple[int, ...], like: Tensor) -> Tensor:
    """Standard normals, drawn on the CPU."""
    return torch.from_numpy(rng.standard_normal(shape)).to(like.device)


def _uniforms(rng: Stream, shape: tuple[int, ...], like: Tensor) -> Tensor:
    """Uniforms in [0, 1), drawn on the CPU."""
    return torch.from_numpy(np.asarray(rng.random(shape))).to(like.device)
