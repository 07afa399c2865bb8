"""SUGAR: new rows where a class is thin, pulled along the shape of the class."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from engine.samplers.around import BLOCK, Random, distances, in_blocks, join, median_distance
from engine.samplers.lines import Drawn
from engine.samplers.neighbours import nearest
from engine.samplers.shares import shares

BANDWIDTHS = ("median", "std")
SUGAR_NEIGHBORS = 5
LEAST = 1e-3
"""Kernel values between rows of the class below this are 0."""


@torch.no_grad()
def sugar(
    x: Tensor,
    y: Tensor,
    wanted: Mapping[int, int],
    rng: Random,
    *,
    k_neighbors: int = SUGAR_NEIGHBORS,
    bandwidth: str = "median",
    equalize: bool = True,
    passes: int = 1,
) -> Drawn:
    """SUGAR (Lindenbaum et al. 2018), class by class: the other classes are not looked at.

    Arguments as in `lines.eos`. Each row of the class gets the more new rows the fewer rows of the class are near it, by a Gaussian
    kernel. New rows are drawn from the Gaussian with the covariance of the k_neighbors rows nearest to it, itself among them.
    `passes` times each is replaced by a weighted mean of all new rows, by a kernel through the old ones (diffusion). bandwidth of the
    first kernel: the median distance in the class, or the standard deviation of the rows' mean distances, as released. equalize:
    numbers follow the spread of the neighbours too, as the paper has them.

    A class of one row is copied; `Drawn.instead` lists it. Draws k normals per new row, classes in ascending order; seeds are not drawn.
    """
    exact = x.double()
    parts, paths, instead = [], [], {}
    for c in sorted(wanted):
        if wanted[c] <= 0:
            continue
        own = torch.nonzero(y == c).squeeze(1)
        rows = exact[own]
        if len(own) == 1:
            instead[c] = "copies"
            parts.append((own.expand(wanted[c]), rows.expand(wanted[c], -1)))
            paths.append(rows.expand(wanted[c], -1))
            continue
        k = min(k_neighbors, len(own))
        around = torch.cat([torch.arange(len(own), device=x.device).unsqueeze(1), nearest_others(rows, k)], 1)
        sigma = kernel_width(rows, bandwidth)
        degree = degrees(rows, sigma)
        weights = weigh(rows, around, degree, sigma, equalize=equalize)
        at = torch.repeat_interleave(torch.arange(len(own), device=x.device), shares(weights, wanted[c]))
        normals = torch.from_numpy(rng.standard_normal((wanted[c], k))).to(x.device)
        blocks = zip(in_blocks(at, k * x.shape[1]), in_blocks(normals, k * x.shape[1]), strict=True)
        noisy = torch.cat([scatter(rows, around, *block) for block in blocks])
        made = noisy
        if passes:
            made = diffuse(rows, 1 / degree, noisy, *nearest_widths(rows, noisy, k_neighbors), passes=passes)
        parts.append((own[at], made))
        paths.append(noisy)
    drawn_x = torch.cat([*paths, exact[:0]])
    path = None
    drawn = join(x, y, parts, kind="noise", instead=instead)
    if 3 * drawn_x.numel() <= BLOCK:
        path = torch.stack([exact[drawn.base], drawn_x, drawn.x.double()], 1).float()
    return join(x, y, parts, kind="noise", instead=instead, path=path)


def nearest_others(rows: Tensor, k: int) -> Tensor:
    """The k - 1 nearest other rows of each row [n, k - 1]."""
    return nearest(rows, torch.arange(len(rows), device=rows.device), k - 1)


def kernel_width(rows: Tensor, bandwidth: str) -> float:
    """Width of the kernel between rows of a class: the median of their distances, or the standard deviation of their mean distances."""
    return median_distance(rows) if bandwidth == "median" else float(distances(rows, rows).mean(1).std())


def degrees(rows: Tensor, sigma: float) -> Tensor:
    """How many rows of the class are near each, by the kernel, divided by the mean [n]. sigma 0 (all rows alike): 1."""
    apart = distances(rows, rows)
    if sigma <= 1e-12 * float(apart.max()):
        return torch.ones_like(apart[0])
    kernel = torch.exp(-(apart / sigma).square())
    near = torch.where(kernel < LEAST, 0.0, kernel).sum(0)
    return near / near.mean()


def weigh(rows: Tensor, around: Tensor, degree: Tensor, sigma: float, *, equalize: bool) -> Tensor:
    """Each row's share of the new rows, up to a factor [n]: by how thin the class is there and, with equalize, by
    sqrt(det(I + S / (2 sigma^2))) with S the covariance of its neighbours.
    """
    thin = degree.max() - degree
    thin = torch.where(thin > 1e-12, thin, 0.0)
    if not equalize or sigma <= 0:
        return thin
    k = around.shape[1]
    logs = []
    for block in in_blocks(around, k * rows.shape[1]):
        centred = rows[block] - rows[block].mean(1, keepdim=True)
        inner = centred @ centred.transpose(1, 2) / (2 * sigma**2 * (k - 1))  # k x k: the same determinant as the d x d one
        logs.append(torch.linalg.slogdet(torch.eye(k, dtype=rows.dtype, device=rows.device) + inner).logabsdet / 2)
    log = torch.cat(logs)
    return thin * torch.exp(log - log.max())


def scatter(rows: Tensor, around: Tensor, at: Tensor, normals: Tensor) -> Tensor:
    """rows[at] + Gaussian noise with the covariance of their neighbours, from normals [m, k]."""
    near = rows[around[at]]
    centred = near - near.mean(1, keepdim=True)
    return rows[at] + (normals.unsqueeze(1) @ centred).squeeze(1) / math.sqrt(around.shape[1] - 1)


def nearest_widths(rows: Tensor, new: Tensor, k_neighbors: int) -> tuple[Tensor, Tensor]:
    """Distances of each old row to its (k + 1)-th nearest new row [n], and of each new row to its (k + 1)-th nearest old row [m]."""
    apart = distances(new, rows)
    k = min(k_neighbors, len(rows) - 1)
    return apart.sort(0).values[min(k, len(new) - 1)], apart.sort(1).values[:, k]


def diffuse(rows: Tensor, sparsity: Tensor, new: Tensor, old_width: Tensor, new_width: Tensor, *, passes: int = 1) -> Tensor:
    """New rows [m, d] as weighted means of all new rows, `passes` times: weights are a kernel from new rows to old rows and back,
    symmetrised; old rows count by `sparsity` [n]. A row without weight stays.
    """
    apart = distances(new, rows)
    there, back = (
        torch.exp(-torch.where(apart > 0, apart / width, 0.0).square()) for width in (old_width, new_width.unsqueeze(1))
    )

    def spread(values: Tensor) -> Tensor:
        forth: Tensor = there @ (sparsity.unsqueeze(1) * (back.T @ values))
        return (forth + back @ (sparsity.unsqueeze(1) * (there.T @ values))) / 2

    total = spread(torch.ones_like(new[:, :1]))
    for _ in range(passes):
        new = torch.where(total > 0, spread(new) / torch.where(total > 0, total, 1.0), new)
    return new
