"""Manifold over-sampling: steps along the plane or surface in which a class lies."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from engine.samplers.around import Random, join, pick_seeds
from engine.samplers.lines import Drawn

SURFACES = ("pca", "auto-encoder")
SPREAD = 0.25
"""Standard deviation of a step, in those of the class."""
VARIANCE = 0.95
"""Share of a class's variance that its principal components hold."""
FEWEST = 5
"""Rows of a class from which an auto-encoder is trained."""
RATE, NOISE, PASSES = 1e-2, 0.1, 2
"""Of the auto-encoder: Adam's step size, the noise in training in standard deviations, and how often a new row goes through it."""


@torch.no_grad()
def manifold(
    x: Tensor,
    y: Tensor,
    wanted: Mapping[int, int],
    rng: Random,
    *,
    surface: str = "pca",
    components: int = 0,
    residual: bool = False,
    spread: float = SPREAD,
    steps: int = 300,
) -> Drawn:
    """Manifold-based over-sampling (Bellinger et al. 2018), an interpretation: no text or code was at hand.

    Arguments as in `lines.eos`. A seed is drawn uniformly from the class. pca: it makes a Gaussian step in the plane of the class's
    principal components, as many as hold 95% of its variance (or `components`), each by `spread` standard deviations; what the seed has
    outside the plane is dropped, or kept with residual. auto-encoder: it makes a step in all columns and goes twice through a denoising
    auto-encoder trained on the class, for `steps` steps.

    A class of one row is copied (`Drawn.instead`); one of fewer than 5 takes pca (`Drawn.said`). Draws, classes in ascending order: one
    number per new row for its seed, then normals [m, p] or [m, d], then what the auto-encoder needs.
    """
    exact = x.double()
    parts, instead, said = [], {}, []
    for c in sorted(wanted):
        if wanted[c] <= 0:
            continue
        own = torch.nonzero(y == c).squeeze(1)
        if len(own) == 1:
            instead[c] = "copies"
            parts.append((own.expand(wanted[c]), exact[own].expand(wanted[c], -1)))
            continue
        seeds = pick_seeds(rng, wanted[c], own)
        rows = exact[own]
        if surface == "auto-encoder" and len(own) >= FEWEST:
            made = _by_auto_encoder(rows, exact[seeds], rng, spread, steps)
        else:
            made = step_in_plane(rows, exact[seeds], rng, components=components, residual=residual, spread=spread)
            if surface == "auto-encoder":
                said.append(
                    f"A class has fewer than {FEWEST} training rows: its new rows were made in the plane of its components."
                )
        parts.append((seeds, made))
    return join(x, y, parts, kind="plane", instead=instead, said=tuple(dict.fromkeys(said)))


def find_plane(rows: Tensor, components: int = 0) -> tuple[Tensor, Tensor]:
    """Mean [d] of the rows and p principal directions [d, p]; components 0: the fewest with 95% of the variance."""
    mean = rows.mean(0)
    _, widths, directions = torch.linalg.svd(rows - mean, full_matrices=False)
    rank = int((widths > 1e-10 * widths[0]).sum())
    if not components and rank:
        held = widths.square().cumsum(0) / widths.square().sum()
        components = int((held < VARIANCE - 1e-12).sum()) + 1
    return mean, directions[: min(components, rank)].T


def step_in_plane(rows: Tensor, seeds: Tensor, rng: Random, *, components: int, residual: bool, spread: float) -> Tensor:
    """Seeds [m, d] after a Gaussian step in the plane of the class's rows."""
    mean, directions = find_plane(rows, components)
    placed = (seeds - mean) @ directions
    sd = ((rows - mean) @ directions).square().mean(0).sqrt()
    normals = torch.from_numpy(rng.standard_normal((len(seeds), directions.shape[1]))).to(seeds.device)
    made = mean + (placed + spread * sd * normals) @ directions.T
    return made + (seeds - mean - placed @ directions.T) if residual else made


def _by_auto_encoder(rows: Tensor, seeds: Tensor, rng: Random, spread: float, steps: int) -> Tensor:
    """Seeds [m, d] after a Gaussian step and PASSES passes. On the CPU: classes are small, and draws come from there."""
    normals = rng.standard_normal(tuple(seeds.shape))
    given, start = rows.cpu().numpy(), seeds.cpu().numpy()
    rebuild, _ = train_auto_encoder(given, rng, steps)
    made = start + spread * given.std(0) * normals
    for _ in range(PASSES):
        made = rebuild(made)
    return torch.from_numpy(made).to(rows.device)


def train_auto_encoder(rows: np.ndarray, rng: Random, steps: int) -> tuple[Callable[[np.ndarray], np.ndarray], list[float]]:
    """(What rebuilds rows [m, d], the loss of every step) of a denoising auto-encoder: d columns, tanh, d columns.

    rows [n, d] float64. It has half as many hidden units as rows or columns, at least two. Each step takes all rows, with fresh noise in
    the input, by Adam. Columns are centred and divided by their standard deviations, so its step size suits any units; a column
    that does not vary is rebuilt as it is.
    """
    mean, sd = rows.mean(0), rows.std(0)
    unit = np.where(sd > 0, sd, 1.0)
    target = (rows - mean) / unit
    n, d = target.shape
    hidden = max(2, min(d, n) // 2)
    shapes = ((d, hidden), (hidden,), (hidden, d), (d,))
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    reach = np.repeat([d**-0.5, d**-0.5, hidden**-0.5, hidden**-0.5], np.diff([0, *ends]))
    flat = (2 * rng.random(int(ends[-1])) - 1) * reach
    # views into `flat` and into the gradient
    gradient, first, second = (np.zeros_like(flat) for _ in range(3))
    w_in, b_in, w_out, b_out = (part.reshape(shape) for part, shape in zip(np.split(flat, ends[:-1]), shapes, strict=True))
    g_in, gb_in, g_out, gb_out = (
        part.reshape(shape) for part, shape in zip(np.split(gradient, ends[:-1]), shapes, strict=True)
    )
    losses = []
    for t in range(1, steps + 1):
        noisy = target + NOISE * (sd > 0) * rng.standard_normal((n, d))
        code = np.tanh(noisy @ w_in + b_in)
        error = code @ w_out + b_out - target
        losses.append(float((error**2).mean()))
        error *= 2 / error.size
        back = error @ w_out.T * (1 - code**2)
        g_out[:], gb_out[:], g_in[:], gb_in[:] = code.T @ error, error.sum(0), noisy.T @ back, back.sum(0)
        first += 0.1 * (gradient - first)
        second += 0.001 * (gradient**2 - second)
        flat -= RATE * first / (1 - 0.9**t) / (np.sqrt(second / (1 - 0.999**t)) + 1e-8)

    def rebuild(x: np.ndarray) -> np.ndarray:
        out: np.ndarray = mean + sd * (np.tanh((x - mean) / unit @ w_in + b_in) @ w_out + b_out)
        return out

    return rebuild, losses
