"""Quintuplets of rows by clusters inside the classes, and the loss that keeps them apart (LMLE, Huang et al. 2016)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from engine.data.dataset import Rows
from engine.data.rows import select
from engine.losses import broadcast, mean_weights
from engine.models.net import Net
from engine.training.batches import Balanced, Plan, keep
from engine.training.loop import Batch
from engine.training.optimisers import Change, Descent, Number, select_number

PLACES = 5
"""Rows of a quintuplet: the anchor x, p+, p-, p-- and n."""
MOST_CLUSTERS = 20
"""Most clusters of a class."""
FEW = 200
"""Below so many rows all are candidates."""
MOST_CANDIDATES = 2000
"""Most candidates, whatever the share."""
STEPS = 10
"""Steps of Lloyd's algorithm."""


def count_clusters(rows: int, size: int) -> int:
    """Clusters of a class with this many rows, about `size` rows in each."""
    return min(MOST_CLUSTERS, max(1, round(rows / size)))


def find_clusters(z: np.ndarray, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(number of each row's cluster [n], centres [k, H]) by k-means on rows z [n, H]: seeds by k-means++, then Lloyd's steps. Fewer
    clusters where fewer rows differ.
    """
    centres = z[[rng.integers(len(z))]]
    for _ in range(count - 1):
        apart = _distances(z, centres).min(1)
        if not apart.any():
            break
        centres = np.concatenate([centres, z[[rng.choice(len(z), p=apart / apart.sum())]]])
    for _ in range(STEPS):
        own = _distances(z, centres).argmin(1)
        centres = np.stack([z[own == k].mean(0) if (own == k).any() else centre for k, centre in enumerate(centres)])
    own = _distances(z, centres).argmin(1)
    there, number = np.unique(own, return_inverse=True)
    return number, centres[there]


def cluster_classes(
    z: np.ndarray, y: np.ndarray, classes: int, size: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(number of each row's cluster [n], centres [L, H], class of each centre [L]): k-means in every class of rows z [n, H], y [n]."""
    number = np.zeros(len(y), np.int64)
    centres: list[np.ndarray] = []
    labels: list[int] = []
    for c in range(classes):
        rows = np.flatnonzero(y == c)
        if not len(rows):
            continue
        own, found = find_clusters(z[rows], count_clusters(len(rows), size), rng)
        number[rows] = len(labels) + own
        centres.append(found)
        labels += [c] * len(found)
    return number, np.concatenate(centres), np.array(labels, np.int64)


def draw_candidates(y: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Numbers of the rows that quintuplets are made of: all of fewer than FEW, else a share of every class, rounded up."""
    if len(y) < FEW:
        return np.arange(len(y))
    share = min(share, MOST_CANDIDATES / len(y))
    parts = [np.flatnonzero(y == c) for c in np.unique(y)]
    return np.sort(np.concatenate([rng.choice(rows, max(1, round(share * len(rows))), replace=False) for rows in parts]))


def make_table(z: np.ndarray, y: np.ndarray, clusters: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """The quintuplet of every row [n, 5], as numbers of rows: the row itself; p+, the farthest of its cluster; p-, the nearest of its
    class in another cluster; p--, the farthest of its class; n, the nearest of another class. All but the first among the candidates.

    A row that is alone is its own p+ and p--. Where a class is one cluster, p- is n, of another class. z [n, H], y, clusters [n].
    """
    table = np.zeros((len(y), PLACES), np.int64)
    height = max(1, (1 << 22) // len(candidates))
    for start in range(0, len(y), height):
        rows = np.arange(start, min(start + height, len(y)))
        apart = _distances(z[rows], z[candidates])
        same = y[rows][:, None] == y[candidates]
        inside = clusters[rows][:, None] == clusters[candidates]
        beside = same & ~inside
        own, far = (np.where(which.any(1), candidates[np.where(which, apart, -1).argmax(1)], rows) for which in (inside, same))
        near, other = (candidates[np.where(which, apart, np.inf).argmin(1)] for which in (beside, ~same))
        table[rows] = np.stack([rows, own, np.where(beside.any(1), near, other), far, other], 1)
    return table


def _distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Squared distances [n, m] of rows a [n, H] and b [m, H], rounded, so that of equal ones the first is taken in every stack."""
    apart: np.ndarray = np.maximum((a * a).sum(1)[:, None] + (b * b).sum(1) - 2 * a @ b.T, 0).round(9)
    return apart


class Quintuplets:
    """Batches of quintuplets [R, K, 5 B]: the anchors of `anchors`, each followed by the four rows of the table.

    The tables are made by the features of the step's network as an epoch begins, at first and then every `every` epochs. draws: one per
    replicate, for clusters and candidates. size: rows of a cluster.
    """

    def __init__(
        self, anchors: Balanced, step: Descent, rows: Rows, classes: int, draws: Sequence[np.random.Generator], *, size: int, share: float,
        every: int,
    ) -> None:  # fmt: skip
        self.anchors, self.step, self.rows, self.classes = anchors, step, rows, classes
        self.draws, self.size, self.share, self.every = list(draws), size, share, every
        self.tables: list[Tensor] = []
        self.age = 0

    def per_pass(self) -> list[int]:
        """Batches in one epoch, per replicate."""
        return self.anchors.per_pass()

    @property
    def fewest(self) -> int:
        """Rows of the smallest batch."""
        return PLACES * self.anchors.fewest

    def select(self, index: Tensor) -> None:
        """Goes on with replicates `index` [r] alone."""
        self.anchors.select(index)
        self.rows = select(self.rows, index)
        self.draws, self.tables = keep(self.draws, index), keep(self.tables, index)

    def take(self, wanted: Sequence[int], device: torch.device) -> Plan:
        """The next wanted[r] batches of each replicate."""
        if self.age % self.every == 0:
            self.tables = self._make(wanted)
        self.age += 1
        plan = self.anchors.take(wanted, torch.device("cpu"))
        index = torch.stack([table[own] for table, own in zip(self.tables, plan.index, strict=True)])
        return Plan.of(index.flatten(2), plan.mask.repeat_interleave(PLACES, dim=2), plan.fresh, device)

    def _make(self, wanted: Sequence[int]) -> list[Tensor]:
        """The tables [n, 5] of every replicate that goes on."""
        out = []
        for r, (z, y) in enumerate(list_features(self.step.net, self.rows)):
            if not wanted[r]:
                out.append(torch.zeros(len(y), PLACES, dtype=torch.int64))
                continue
            clusters, _, _ = cluster_classes(z, y, self.classes, self.size, self.draws[r])
            candidates = draw_candidates(y, self.share, self.draws[r])
            out.append(torch.from_numpy(make_table(z, y, clusters, candidates)))
        return out


@torch.no_grad()
def list_features(net: Net, rows: Rows) -> list[tuple[np.ndarray, np.ndarray]]:
    """(normalised features [n, H] float64, labels [n]) of each replicate's rows."""
    z = torch.nn.functional.normalize(net.embed(rows.x, rows.mask).double(), dim=2).cpu()
    parts = zip(z, rows.y.cpu(), rows.mask.cpu(), strict=True)
    return [(own[mask].numpy(), y[mask].numpy()) for own, y, mask in parts]


def quintuplet_losses(z: Tensor, y: Tensor, margins: Sequence[Number]) -> Tensor:
    """The loss of every quintuplet [R, B] of features z [R, B, 5, H], which are normalised here; y [R, B, 5]. margins: three.

    [g1 + D(p+) - D(p-)]+ + [g2 + D(p-) - D(p--)]+ + [g3 + D(p--) - D(n)]+ with squared distances D to the anchor. The first two count
    where p- is of the anchor's class.
    """
    z = torch.nn.functional.normalize(z, dim=3)
    inside, beside, far, other = (z[:, :, :1] - z[:, :, 1:]).square().sum(3).unbind(2)
    g1, g2, g3 = (broadcast(margin, inside) for margin in margins)
    first = (g1 + inside - beside).clamp(min=0) + (g2 + beside - far).clamp(min=0)
    return first * (y[:, :, 2] == y[:, :, 0]) + (g3 + far - other).clamp(min=0)


class QuintupletObjective:
    """What a step on batches of `Quintuplets` minimises: the mean of their losses. As the change of its batches it is `before`, and narrows
    the margins with the stack. margins: three, one each or [R, 1].
    """

    obstacle = "its batches are made by clusters on the CPU"

    def __init__(self, before: Change | None, margins: Sequence[Number]) -> None:
        self.before, self.margins = before, list(margins)

    def select(self, index: Tensor) -> None:
        """Goes on with replicates `index` [r] alone."""
        self.margins = [select_number(margin, index) for margin in self.margins]
        if self.before is not None:
            self.before.select(index)

    def __call__(self, batch: Batch) -> Batch:
        """The changed batch."""
        return batch if self.before is None else self.before(batch)

    def value(self, net: Net, batch: Batch) -> Tensor:
        """The loss of each replicate [R]."""
        count = batch.y.shape[1] // PLACES
        z = net.embed(batch.x, batch.mask).reshape(len(batch.y), count, PLACES, -1)
        y = batch.y.reshape(len(batch.y), count, PLACES)
        weight = None if batch.weight is None else batch.weight[:, ::PLACES]
        weights = mean_weights(batch.mask[:, ::PLACES], batch.x.dtype, weight)
        return (quintuplet_losses(z, y, self.margins) * weights).sum(1)
