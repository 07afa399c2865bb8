"""Classifiers fitted on fixed features to replace the network's head: nearest neighbours and logistic regression (cards A7,
B17).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.data.dataset import Rows
from engine.models.feature_classifiers import Normalised
from engine.models.net import Net, WithHead

PROBES = ("knn", "lr")
NEIGHBOURS = 5
"""k of the k-NN classifier: scikit-learn's default, as the DOS paper gives none."""
BLOCK = 2**22
"""Distances computed at once."""

Classify = Callable[[Tensor], Tensor]


@torch.no_grad()
def with_probe(net: Net, rows: Rows, probe: str) -> tuple[WithHead, bool]:
    """(the features of `net` with a classifier fitted on them at `rows`, whether every fit converged).

    probe: "knn" or "lr". The classifier has the network's classes; a class without a row has probability 0.
    """
    z = net.embed(rows.x, rows.mask)
    if probe == "knn":
        return WithHead(net, knn(z, rows.y, rows.mask, net.classes, weight=rows.weight)), True
    classify, weights, converged = logistic(z, rows.y, rows.mask, net.classes, rows.weight)
    return WithHead(net, classify, weights), converged


@torch.no_grad()
def with_normalised_knn(net: Net, rows: Rows) -> WithHead:
    """The features of `net`, each row divided by its length, with the k-NN probe at `rows`."""
    z = torch.nn.functional.normalize(net.embed(rows.x, rows.mask), dim=2)
    return WithHead(net, Normalised(knn(z, rows.y, rows.mask, net.classes, weight=rows.weight)))


@dataclass(frozen=True)
class Neighbours:
    """Features [R, M, H] -> log of each class's share among the k nearest rows. kept: per replicate rows [n, H], one-hot labels
    [n, C], times the weight of the row where rows have weights.

    Plain data like `Linear`, so that a network with this head can be written to a file.
    """

    kept: tuple[tuple[Tensor, Tensor], ...]
    k: int

    def __call__(self, new: Tensor) -> Tensor:
        """Log shares [R, M, C] of features [R, M, H]."""
        out = []
        for (own, labels), rows in zip(self.kept, new, strict=True):
            height = max(1, BLOCK // len(own))
            out.append(torch.cat([_votes(own, labels, part.double(), self.k) for part in torch.split(rows, height)]))
        return torch.stack(out).log().to(new.dtype)


@dataclass(frozen=True)
class Linear:
    """Features [R, M, H] -> logits [R, M, C]: weight [R, H, C], bias [R, 1, C]."""

    weight: Tensor
    bias: Tensor

    def __call__(self, new: Tensor) -> Tensor:
        """Logits [R, M, C] of features [R, M, H]."""
        return new @ self.weight + self.bias


def knn(z: Tensor, y: Tensor, mask: Tensor, classes: int, k: int = NEIGHBOURS, *, weight: Tensor | None = None) -> Classify:
    """Features [R, M, H] -> log of each class's share [R, M, C] among the k nearest (Euclidean) of z [R, N, H], labels y, mask
    [R, N].

    As scikit-learn's KNeighborsClassifier with its default weights. Uses all rows where there are fewer than k. Distances are
    float64. weight [R, N]: how much the vote of a row counts.
    """
    own = []
    for r in range(len(z)):
        labels = torch.nn.functional.one_hot(y[r][mask[r]], classes).double()
        if weight is not None:
            labels = labels * weight[r][mask[r]].double().unsqueeze(1)
        own.append((z[r][mask[r]].double(), labels))
    return Neighbours(tuple(own), k)


def _votes(reference: Tensor, labels: Tensor, rows: Tensor, k: int) -> Tensor:
    """Share of each class [m, C] among the k rows of `reference` [n, H] nearest to each of `rows` [m, H]."""
    centre = reference.mean(0)
    a, b = rows - centre, reference - centre
    distance = torch.addmm(b.square().sum(1), a, b.T, alpha=-2)  # without |a|^2, which is the same for all
    near = distance.topk(min(k, len(reference)), largest=False).indices
    votes = labels[near]
    return votes.sum(1) / votes.sum((1, 2)).unsqueeze(1)


def logistic(z: Tensor, y: Tensor, mask: Tensor, classes: int, weight: Tensor | None = None) -> tuple[Classify, Tensor, bool]:
    """(features [R, M, H] -> logits [R, M, C], weights [R, H, C], whether all fits converged within 1,000 steps).

    scikit-learn's LogisticRegression with its default penalty (C = 1), fitted in float64 on z [R, N, H] where mask [R, N]. With
    two classes each gets half of the weights, with opposite signs: the same probabilities at the smallest norm. A class without
    a row has logit -inf and weights 0. weight [R, N]: of the rows.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    slope = z.new_zeros(len(z), z.shape[2], classes, dtype=torch.float64)
    bias = z.new_full((len(z), 1, classes), -torch.inf, dtype=torch.float64)
    steps = 1000
    converged = True
    for r in range(len(z)):
        labels = y[r][mask[r]]
        there = torch.unique(labels).tolist()
        if len(there) == 1:
            bias[r, 0, there[0]] = 0
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the caller gets it as a value
            counts = None if weight is None else weight[r][mask[r]].double().cpu().numpy()
            fitted = LogisticRegression(max_iter=steps).fit(
                z[r][mask[r]].double().cpu().numpy(), labels.cpu().numpy(), sample_weight=counts
            )
        converged &= int(fitted.n_iter_.max()) < steps
        coefficients, intercepts = torch.from_numpy(fitted.coef_), torch.from_numpy(fitted.intercept_)
        if len(there) == 2:
            coefficients, intercepts = (torch.cat([-t, t]) / 2 for t in (coefficients, intercepts))
        slope[r, :, there] = coefficients.T.to(slope)
        bias[r, 0, there] = intercepts.to(bias)
    slope, bias = slope.to(z.dtype), bias.to(z.dtype)
    return Linear(slope, bias), slope, converged
