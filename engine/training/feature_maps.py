"""Linear maps of features, fitted on training rows so that rows of one class are near: LMNN and NCA."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Protocol

import numpy as np
import torch

from engine.data.dataset import Task
from engine.events import Event, Progress
from engine.models.feature_classifiers import Mapped
from engine.models.net import Net, WithHead
from engine.seeds import numpy_stream
from engine.training.loop import Meter
from engine.training.probes import knn

IDENTITY = 10
"""Up to so many features the map begins as the identity, beyond with principal components."""
RANK = 32
"""Most dimensions of the mapped features."""


class Fit(Protocol):
    """Fits the map of one replicate: (features x [n, H] float64, labels y [n], first map [h, H]) -> map [h, H]."""

    def __call__(self, x: np.ndarray, y: np.ndarray, first: np.ndarray, /) -> np.ndarray: ...


@torch.no_grad()
def fit_mapped(
    net: Net, task: Task, fit: Callable[[int], Fit], *, k: int, most: int, meter: Meter
) -> Generator[Event, None, WithHead]:
    """The features of `net` under a linear map, with the k-NN probe on top. fit: replicate -> its fit. Features are standardised by all
    training rows of their replicate; the map is fitted on at most `most` rows with at least k + 1 of each class, and the neighbours are
    all training rows.
    """
    rows = task.train
    z = net.embed(rows.x, rows.mask).double()
    own = rows.mask.unsqueeze(2).to(z)
    count = own.sum(1, keepdim=True)
    mean = (z * own).sum(1, keepdim=True) / count
    scale = (((z - mean) * own).square().sum(1, keepdim=True) / count).sqrt()
    scale = torch.where(scale > 1e-9 * scale.amax(2, keepdim=True), scale, 1.0)
    ready = (z - mean) / scale
    rank = find_rank(z.shape[2])
    maps = []
    for r, replicate in enumerate(task.replicates):
        x, y = ready[r][rows.mask[r]].cpu().numpy(), rows.y[r][rows.mask[r]].cpu().numpy()
        some = draw_rows(y, most, k + 1, numpy_stream(task.seed, "metric", replicate.seed, replicate.fold))
        maps.append(torch.from_numpy(fit(r)(x[some], y[some], first_map(x[some], rank)).T.copy()))
        yield Progress(min(meter.done, meter.total), meter.total)  # a caller can stop here
    mapped = torch.stack(maps).to(z)
    votes = knn(ready @ mapped, rows.y, rows.mask, net.classes, weight=rows.weight)
    return WithHead(net, Mapped(votes, mean, scale, mapped))


def find_rank(width: int) -> int:
    """Dimensions of the mapped features: all of a few, else at most RANK."""
    return min(width, RANK)


def first_map(x: np.ndarray, rank: int) -> np.ndarray:
    """The map [h, H] at which a fit begins: the identity, or the first principal components of x [n, H]."""
    if x.shape[1] <= IDENTITY:
        return np.eye(x.shape[1])
    axes = np.linalg.svd(x - x.mean(0), full_matrices=len(x) < x.shape[1])[2][:rank]
    signed: np.ndarray = axes * np.sign(axes[np.arange(rank), np.abs(axes).argmax(1)])[:, None]
    return signed


def draw_rows(y: np.ndarray, most: int, least: int, rng: np.random.Generator) -> np.ndarray:
    """Numbers of at most about `most` rows, all where there are no more: of each class its share, and at least `least` or all it has."""
    if len(y) <= most:
        return np.arange(len(y))
    parts = []
    for c in np.unique(y):
        own = np.flatnonzero(y == c)
        wanted = max(min(least, len(own)), int(most * len(own) / len(y)))
        parts.append(rng.choice(own, wanted, replace=False))
    return np.sort(np.concatenate(parts))


# ---- large-margin nearest neighbours


def find_targets(x: np.ndarray, y: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The pairs (rows i [t], targets j [t]): the k rows of its class nearest to each row; fewer where its class has fewer. Of equally near
    ones the lower number.
    """
    apart = _distances(x)
    rows: list[int] = []
    targets: list[int] = []
    for i in range(len(y)):
        same = np.flatnonzero((y == y[i]) & (np.arange(len(y)) != i))
        near = same[np.argsort(apart[i, same], kind="stable")[:k]]
        rows += [i] * len(near)
        targets += near.tolist()
    return np.array(rows, np.int64), np.array(targets, np.int64)


def lmnn_loss(
    a: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    pairs: tuple[np.ndarray, np.ndarray],
    mu: float,
    weights: np.ndarray | None = None,
) -> tuple[float, np.ndarray]:
    """(LMNN's loss of a map a [h, H] (Weinberger and Saul 2009), its gradient [h, H]).

    (1 - mu) sum of D(i, j) + mu sum of max(0, 1 + D(i, j) - D(i, l)) over pairs (i, j) and rows l of another class, where D is the squared
    distance of mapped rows. weights [n]: of the terms of each row i; None: all 1. At a kink the gradient is of the side that counts.
    """
    i, j = pairs
    apart = _distances(x @ a.T)
    own = np.ones(len(y)) if weights is None else weights
    excess = 1 + apart[i, j][:, None] - apart[i]
    active = (excess >= 0) & (y[i][:, None] != y)
    each = own[i]
    pull, push = float(each @ apart[i, j]), float(each @ np.where(active, excess, 0).sum(1))
    # the gradient is 2 a x' L x with L the Laplacian of the pairs' weights
    pair = np.zeros((len(y), len(y)))
    np.add.at(pair, (i, j), each * ((1 - mu) + mu * active.sum(1)))
    np.subtract.at(pair, i, mu * each[:, None] * active)
    both = pair + pair.T
    gradient: np.ndarray = 2 * (a @ x.T) @ (both.sum(1)[:, None] * x - both @ x)
    return (1 - mu) * pull + mu * push, gradient


def fit_lmnn(x: np.ndarray, y: np.ndarray, first: np.ndarray, *, k: int, mu: float, steps: int, balanced: bool) -> np.ndarray:
    """The map [h, H] after at most `steps` steps of L-BFGS from `first`. Targets are nearest in x and stay. balanced: the terms of a row
    weigh by 1 / rows of its class, with mean 1.
    """
    from scipy.optimize import minimize

    if not steps:
        return first
    pairs = find_targets(x, y, k)
    weights = None
    if balanced:
        sizes = np.bincount(y)
        weights = len(y) / (np.count_nonzero(sizes) * sizes[y])

    def value(flat: np.ndarray) -> tuple[float, np.ndarray]:
        loss, gradient = lmnn_loss(flat.reshape(first.shape), x, y, pairs, mu, weights)
        return loss, gradient.ravel()

    found: np.ndarray = minimize(value, first.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": steps}).x
    return found.reshape(first.shape)


def _distances(x: np.ndarray) -> np.ndarray:
    """Squared distances [n, n] of rows x [n, h]; 0 on the diagonal."""
    square = (x * x).sum(1)
    apart: np.ndarray = np.maximum(square[:, None] + square - 2 * x @ x.T, 0)
    np.fill_diagonal(apart, 0)
    return apart


# ---- neighbourhood components


def fit_nca(x: np.ndarray, y: np.ndarray, first: np.ndarray, *, steps: int) -> np.ndarray:
    """The map [h, H] of scikit-learn's neighbourhood components analysis after at most `steps` steps from `first`."""
    from sklearn.neighbors import NeighborhoodComponentsAnalysis

    if not steps:
        return first
    fitted = NeighborhoodComponentsAnalysis(n_components=len(first), init=first, max_iter=steps).fit(x, y)
    components: np.ndarray = fitted.components_
    return components
