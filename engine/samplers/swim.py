"""SWIM: new rows where the other classes are as rare as they are at a row of the class."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from engine.samplers.around import Random, distances, in_blocks, join, median_distance, pick_seeds
from engine.samplers.lines import Drawn

MEASURES = ("mahalanobis", "rbf")
SPREAD = 0.25
"""Largest step (Mahalanobis) or its standard deviation (RBF), in standard deviations of the class."""
TRIES = 5
"""Steps drawn for each row under RBF; the first that leads nowhere denser is taken."""
MOST_ROWS = 2000
"""Rows of the other classes, drawn, whose distances give the width of the RBF kernel."""
RANGE = 1e-10
"""Directions in which the other classes vary less than this share of their largest variance count as none."""


@torch.no_grad()
def swim(
    x: Tensor,
    y: Tensor,
    wanted: Mapping[int, int],
    rng: Random,
    *,
    measure: str = "mahalanobis",
    spread: float = SPREAD,
) -> Drawn:
    """Sampling with the majority (Sharma et al. 2018, Mahalanobis; Bellinger et al. 2019, RBF).

    Arguments as in `lines.eos`. Each class is sampled against all other rows together. A seed is drawn uniformly from the class.
    mahalanobis: the seed makes a uniform step of at most `spread` standard deviations of the class in each direction of the space in
    which the others have unit covariance, and is scaled back to its distance from their mean. rbf: it makes Gaussian steps until one
    leads to where the others are no denser; of five that all lead to denser places, the least dense is taken.

    A class of one row has no spread of its own and takes that of the others. In directions in which the others do not vary, a new
    row keeps its seed's place (Mahalanobis). `Drawn.said` tells of both. Draws from `rng`, classes in ascending order: one number per
    new row for its seed, then [m, d] uniforms or [5, m, d] normals; before them, under RBF with more than 2,000 other rows, which of
    those are compared.
    """
    exact = x.double()
    parts, radii, said = [], [], []
    for c in sorted(wanted):
        if wanted[c] <= 0:
            continue
        own, others = torch.nonzero(y == c).squeeze(1), exact[y != c]
        if len(own) == 1:
            said.append("A class has a single training row: SWIM took the spread of the other classes for it.")
        if measure == "rbf":
            width = kernel_width(others, rng)
            seeds = pick_seeds(rng, wanted[c], own)
            normals = torch.from_numpy(rng.standard_normal((TRIES, wanted[c], x.shape[1]))).to(x.device)
            scale = spread * (exact[own] if len(own) > 1 else others).std(0, correction=0).nan_to_num()
            made, refused = step_thinner(exact[seeds], others, normals * scale, width)
            if refused:
                said.append(
                    f"For {refused} of {wanted[c]} new rows all {TRIES} steps led to where other classes are denser; the least dense "
                    "was taken."
                )
        else:
            seeds = pick_seeds(rng, wanted[c], own)
            steps = 2 * torch.from_numpy(rng.random((wanted[c], x.shape[1]))).to(x.device) - 1
            made, radius, rank = step_at_distance(exact[seeds], exact[own], others, spread * steps)
            radii.append(radius)
            if rank < x.shape[1]:
                said.append(
                    f"The rows of the other classes vary in {rank} of {x.shape[1]} directions; in the others a new row keeps its "
                    "seed's place."
                )
        parts.append((seeds, made))
    if measure == "rbf":
        return join(x, y, parts, kind="noise", said=tuple(dict.fromkeys(said)))
    radius = torch.cat([*radii, exact.new_zeros(0)])
    return join(x, y, parts, kind="shell", radius=radius, said=tuple(dict.fromkeys(said)))


def whiten(others: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean [d] of rows [n, d], the directions [d, r] in which they vary, and their standard deviations [r] there (n - 1)."""
    if len(others) < 2:
        mean = others.mean(0) if len(others) else others.new_zeros(others.shape[1])
        return mean, others.new_zeros(others.shape[1], 0), others.new_zeros(0)
    mean = others.mean(0)
    centred = others - mean
    if len(others) > others.shape[1]:
        variances, directions = torch.linalg.eigh(centred.T @ centred / (len(others) - 1))
    else:  # no d x d matrix where rows are fewer than columns
        _, widths, rows = torch.linalg.svd(centred, full_matrices=False)
        variances, directions = widths.square() / (len(others) - 1), rows.T
    kept = variances > max(RANGE * float(variances.max()), 0.0)
    return mean, directions[:, kept], variances[kept].sqrt()


def step_at_distance(seeds: Tensor, own: Tensor, others: Tensor, steps: Tensor) -> tuple[Tensor, Tensor, int]:
    """(Rows [m, d] at the Mahalanobis distance of their seeds [m, d] from the other rows, those distances [m], the others' rank).

    own [n, d]: the rows of the class. steps [m, d]: in standard deviations of the class among the whitened rows, columns as in x.
    """
    mean, directions, scale = whiten(others)
    placed = (seeds - mean) @ directions / scale
    # the symmetric root has the columns of x, so steps do not depend on the order and the sign of eigenvectors
    whitened = ((own - mean) @ directions / scale) @ directions.T
    sd = whitened.std(0, correction=0) if len(own) > 1 else torch.ones_like(mean)
    radius = placed.norm(dim=1)
    moved = placed + (steps * sd) @ directions
    length = moved.norm(dim=1)
    moved = moved * (radius / torch.where(length > 0, length, 1.0)).unsqueeze(1)
    outside = (seeds - mean) - ((seeds - mean) @ directions) @ directions.T
    return mean + outside + (moved * scale) @ directions.T, radius, len(scale)


def step_thinner(seeds: Tensor, others: Tensor, steps: Tensor, width: float) -> tuple[Tensor, int]:
    """(The first of the places seeds + steps[t] [m, d] where the others are no denser than at the seed, else the least dense one, and
    the number of the latter).
    """
    tries = seeds + steps
    there = density(tries.flatten(0, 1), others, width).view(len(steps), len(seeds))
    fine = there <= density(seeds, others, width)
    taken = torch.where(fine.any(0), fine.int().argmax(0), there.argmin(0))
    return tries[taken, torch.arange(len(seeds), device=seeds.device)], int((~fine.any(0)).sum())


def density(x: Tensor, others: Tensor, width: float) -> Tensor:
    """sum over the other rows of exp(-(distance / width)^2), at each of x [m, d]: [m]."""
    parts = [torch.exp(-(distances(block, others) / width).square()).sum(1) for block in in_blocks(x, len(others))]
    return torch.cat([*parts, x.new_zeros(0)])


def kernel_width(others: Tensor, rng: Random) -> float:
    """The median distance between other rows, at most MOST_ROWS of them, drawn."""
    if len(others) > MOST_ROWS:
        others = others[torch.from_numpy(rng.permutation(len(others))[:MOST_ROWS]).to(others.device)]
    return median_distance(others)
