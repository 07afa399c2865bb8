"""Manifold over-sampling: steps along the plane or surface in which a class lies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from engine.samplers.around import Random, join, pick_seeds
from engine.samplers.lines import Drawn

Key = tuple[int, int]
"""Replicate and class."""
Rebuild = Callable[[np.ndarray], np.ndarray]

SURFACES = ("pca", "auto-encoder")
SPREAD = 0.25
"""Standard deviation of a step, in those of the class."""
VARIANCE = 0.95
"""Share of a class's variance that its principal components hold."""
FEWEST = 5
"""Rows of a class from which an auto-encoder is trained."""
RATE, NOISE, PASSES = 1e-2, 0.1, 2
"""Of the auto-encoder: Adam's step size, the noise in training in standard deviations, and how often a new row goes through it."""
STACKED = 1 << 14
"""Numbers of all rows in a stack of auto-encoders, at most, unless there is one alone: training it takes below half a second."""


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
    trained: Callable[[int], Rebuild] | None = None,
) -> Drawn:
    """Manifold-based over-sampling (Bellinger et al. 2018), an interpretation: no text or code was at hand.

    Arguments as in `lines.eos`. A seed is drawn uniformly from the class. pca: it makes a Gaussian step in the plane of the class's
    principal components, as many as hold 95% of its variance (or `components`), each by `spread` standard deviations; what the seed has
    outside the plane is dropped, or kept with residual. auto-encoder: it makes a step in all columns and goes twice through a denoising
    auto-encoder trained on the class, for `steps` steps.

    trained: class -> what rebuilds its rows, where that is trained elsewhere (`AutoEncoders`).

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

            def find(given: np.ndarray, c: int = c) -> Rebuild:
                return trained(c) if trained else train_auto_encoders(given[None], [(rng, rng)], steps)[0][0]

            made = _by_auto_encoder(rows, exact[seeds], rng, spread, find)
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


def _by_auto_encoder(rows: Tensor, seeds: Tensor, rng: Random, spread: float, find: Callable[[np.ndarray], Rebuild]) -> Tensor:
    """Seeds [m, d] after a Gaussian step and PASSES passes. On the CPU: classes are small, and draws come from there."""
    normals = rng.standard_normal(tuple(seeds.shape))
    given, start = rows.cpu().numpy(), seeds.cpu().numpy()
    rebuild = find(given)
    made = start + spread * given.std(0) * normals
    for _ in range(PASSES):
        made = rebuild(made)
    return torch.from_numpy(made).to(rows.device)


class AutoEncoders:
    """The auto-encoders of classes, by a key of each. Those with equally many rows are trained as one stack, when the first is asked for.

    rows: key -> [n, d] float64. chances: key -> what its weights begin with and the noise of its inputs are drawn from. An auto-encoder
    trained alone is, to the bit, the one of a stack.
    """

    def __init__(self, rows: Mapping[Key, np.ndarray], chances: Callable[[Key], tuple[Random, Random]], steps: int) -> None:
        self._rows, self._chances, self._steps = rows, chances, steps
        self._trained: dict[Key, Rebuild] = {}

    def find(self, key: Key) -> Rebuild:
        """What rebuilds rows of this class."""
        if key not in self._trained:
            shape = self._rows[key].shape
            alike = [k for k, rows in self._rows.items() if rows.shape == shape and k not in self._trained]
            most = max(1, STACKED // self._rows[key].size)
            block = [key, *(k for k in alike if k != key)][:most]
            chances = [self._chances(k) for k in block]
            found, _ = train_auto_encoders(np.stack([self._rows[k] for k in block]), chances, self._steps)
            self._trained |= zip(block, found, strict=True)
        return self._trained[key]


def train_auto_encoders(
    rows: np.ndarray, chances: Sequence[tuple[Random, Random]], steps: int
) -> tuple[list[Rebuild], np.ndarray]:
    """(What rebuilds rows [m, d], of each; the loss of every step [steps, G]) of G denoising auto-encoders: d columns, tanh, d columns.

    rows [G, n, d] float64. Each has half as many hidden units as rows or columns, at least two. Each step takes all rows, with fresh noise
    in the input, by Adam. Columns are centred and divided by their standard deviations, so its step size suits any units; a column
    that does not vary is rebuilt as it is. chances: of each, where its first weights and its noise come from.
    """
    mean, sd = (np.stack([take(one, axis=0) for one in rows])[:, None] for take in (np.mean, np.std))
    unit = np.where(sd > 0, sd, 1.0)
    target = (rows - mean) / unit
    count, n, d = target.shape
    hidden = max(2, min(d, n) // 2)
    shapes = ((d, hidden), (1, hidden), (hidden, d), (1, d))
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    reach = np.repeat([d**-0.5, d**-0.5, hidden**-0.5, hidden**-0.5], np.diff([0, *ends]))
    flat = np.stack([(2 * init.random(int(ends[-1])) - 1) * reach for init, _ in chances])
    # views into `flat` and into the gradient
    gradient, first, second = (np.zeros_like(flat) for _ in range(3))
    (w_in, b_in, w_out, b_out), (g_in, gb_in, g_out, gb_out) = (
        [part.reshape(count, *shape) for part, shape in zip(np.split(whole, ends[:-1], axis=1), shapes, strict=True)]
        for whole in (flat, gradient)
    )
    losses = []
    for t in range(1, steps + 1):
        noisy = target + NOISE * (sd > 0) * np.stack([noise.standard_normal((n, d)) for _, noise in chances])
        code = np.tanh(noisy @ w_in + b_in)
        error = code @ w_out + b_out - target
        losses.append((error**2).mean((1, 2)))
        error *= 2 / (n * d)
        back = error @ w_out.transpose(0, 2, 1) * (1 - code**2)
        g_out[:], gb_out[:, 0] = code.transpose(0, 2, 1) @ error, error.sum(1)
        g_in[:], gb_in[:, 0] = noisy.transpose(0, 2, 1) @ back, back.sum(1)
        first += 0.1 * (gradient - first)
        second += 0.001 * (gradient**2 - second)
        flat -= RATE * first / (1 - 0.9**t) / (np.sqrt(second / (1 - 0.999**t)) + 1e-8)

    def rebuild(g: int, x: np.ndarray) -> np.ndarray:
        code = np.tanh((x - mean[g]) / unit[g] @ w_in[g] + b_in[g])
        out: np.ndarray = mean[g] + sd[g] * (code @ w_out[g] + b_out[g])
        return out

    return [partial(rebuild, g) for g in range(count)], np.array(losses)
