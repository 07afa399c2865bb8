"""Classifiers on fixed features that need no gradient: tau-normalised weights and nearest class means (Kang et al. 2020; card
C15).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

FEATURES = ("raw", "l2", "cl2n")
TAUS = tuple(i / 10 for i in range(21))
"""0 to 2 in steps of 0.1."""


def tau_normalised(weights: Tensor, tau: Tensor | float) -> Tensor:
    """Each class's weights w divided by |w|^tau. weights [R, H, C], tau [R] or one number: 0 changes nothing, 1 makes the norms
    1.

    The classifier has no bias. A class whose weights are all 0 keeps them.
    """
    norms = weights.norm(dim=1, keepdim=True)
    norms = torch.where(norms > 0, norms, 1)
    power = tau.to(weights).view(-1, 1, 1) if isinstance(tau, Tensor) else tau
    return weights / norms**power


def scan_tau(
    z: Tensor, y: Tensor, mask: Tensor, weights: Tensor, taus: tuple[float, ...] = TAUS, *, weight: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """(tau [R] with the highest balanced accuracy, the lowest among equals; the balanced accuracies [R, T] of all).

    z [R, N, H], y [R, N], mask [R, N]: features of validation rows. The source takes the accuracy on a validation part with
    equally many rows of every class; balanced accuracy is the same there. weight [R, N]: see `balanced_accuracy`. It also gives
    each class a bias, see `class_biases`.
    """
    biases = class_biases(y, mask, weight, weights.shape[2])
    beside = 0 if biases is None else biases.to(z).unsqueeze(1)
    scores = torch.stack(
        [
            balanced_accuracy((z @ tau_normalised(weights, tau) + beside).argmax(-1), y, mask, weights.shape[2], weight)
            for tau in taus
        ],
        1,
    )
    return torch.tensor(taus, dtype=torch.float64, device=z.device)[scores.argmax(1)], scores


def balanced_accuracy(predicted: Tensor, y: Tensor, mask: Tensor, classes: int, weight: Tensor | None = None) -> Tensor:
    """Mean recall over the classes that have rows [R] float64; predicted, y, mask [R, N]. NaN without a row.

    weight [R, N]: of the rows, on top of the balance of the classes: a class counts by the mean weight of its rows.
    """
    own = torch.nn.functional.one_hot(y, classes).double() * mask.unsqueeze(2)
    counts = own.sum(1)
    if weight is not None:
        own = own * weight.double().unsqueeze(2)
    right = (own * (predicted == y).unsqueeze(2)).sum(1)
    if weight is None:
        return (right / counts).nanmean(1)
    each = torch.where(counts > 0, own.sum(1) / counts.clamp(min=1), 0.0)
    return (right / counts.clamp(min=1)).sum(1) / each.sum(1)


def class_biases(y: Tensor, mask: Tensor, weight: Tensor | None, classes: int) -> Tensor | None:
    """Logarithm of the mean weight of each class's rows [R, C], 0 for a class without rows; None without weights.

    A classifier that does not know how many rows a class has takes every class as equally frequent; weights of rows make a class
    as much more frequent as its rows weigh. y, mask, weight [R, N].
    """
    if weight is None:
        return None
    own = torch.nn.functional.one_hot(y, classes).double() * mask.unsqueeze(2)
    counts = own.sum(1)
    mean = (own * weight.double().unsqueeze(2)).sum(1) / counts.clamp(min=1)
    return torch.where(counts > 0, mean, 1.0).log()


@dataclass(frozen=True)
class ClassMeans:
    """Features [R, M, H] -> minus the squared distance to each class's mean [R, M, C]; -inf for a class without a row.

    means [R, C, H], counts [R, C], centre [R, 1, H]; features: as in `nearest_mean`. biases [R, C]: added to the scores; None:
    nothing is. Plain data, so that a network with it can be written to a file.
    """

    means: Tensor
    counts: Tensor
    centre: Tensor
    features: str
    biases: Tensor | None = None

    def __call__(self, z: Tensor) -> Tensor:
        """Scores [R, M, C] of features z [R, M, H]."""
        new = changed(z, self.centre, self.features)
        distance = torch.stack([(new - mean.unsqueeze(1)).square().sum(2) for mean in self.means.unbind(1)], 2)
        scores = -distance if self.biases is None else self.biases.unsqueeze(1) - distance
        return torch.where(self.counts.unsqueeze(1) > 0, scores, -torch.inf)


@dataclass(frozen=True)
class Mapped:
    """A classifier under a linear map of the features z [R, M, H]: it gets (z - mean) / scale times map.

    mean, scale [R, 1, H], map [R, H, h]. The map is applied in the precision of these tensors.
    """

    classify: Callable[[Tensor], Tensor]
    mean: Tensor
    scale: Tensor
    map: Tensor

    def __call__(self, z: Tensor) -> Tensor:
        """Scores [R, M, C] of features z [R, M, H], in their precision."""
        return self.classify(self.apply(z)).to(z.dtype)

    def apply(self, z: Tensor) -> Tensor:
        """Mapped features [R, M, h]."""
        return ((z.to(self.mean) - self.mean) / self.scale) @ self.map


@dataclass(frozen=True)
class Normalised:
    """A classifier of features z [R, M, H], each row of which is divided by its length first."""

    classify: Callable[[Tensor], Tensor]

    def __call__(self, z: Tensor) -> Tensor:
        """Scores [R, M, C]."""
        return self.classify(torch.nn.functional.normalize(z, dim=2))


def changed(z: Tensor, centre: Tensor, features: str) -> Tensor:
    """Features [R, N, H] unchanged (raw), each row divided by its length (l2), or the same after centre [R, 1, H] is subtracted
    (cl2n).
    """
    if features == "raw":
        return z
    return torch.nn.functional.normalize(z - centre if features == "cl2n" else z, dim=2)


def nearest_mean(
    z: Tensor, y: Tensor, mask: Tensor, classes: int, features: str = "cl2n", *, weight: Tensor | None = None
) -> tuple[ClassMeans, Tensor | None]:
    """(features [R, M, H] -> scores [R, M, C], the weights [R, H, C] of the equal linear classifier, None where there is none).

    Scores are minus the squared Euclidean distance to each class's mean of the training features z [R, N, H] with labels y and
    mask [R, N]. features: "raw" unchanged, "l2" each row divided by its length, "cl2n" the mean of all training rows subtracted
    first. The means are those of the transformed rows and are not transformed again, as in the authors' code. A class without a
    row scores -inf. Raw scores differ from those with weights 2 mean and bias -|mean|^2 by one number per row. weight [R, N]: of the
    rows in each mean; it also gives each class a bias, see `class_biases`.
    """
    if features not in FEATURES:
        raise ValueError(f"features must be one of {', '.join(FEATURES)}; got {features!r}")
    rows = mask.unsqueeze(2).to(z) if weight is None else (mask * weight).unsqueeze(2).to(z)
    centre = (z * rows).sum(1, keepdim=True) / _above_zero(rows.sum(1, keepdim=True))
    own = torch.nn.functional.one_hot(y, classes).to(z) * rows
    counts = own.sum(1)
    means = own.mT @ changed(z, centre, features) / _above_zero(counts).unsqueeze(2)
    biases = class_biases(y, mask, weight, classes)
    made = ClassMeans(means, counts, centre, features, None if biases is None else biases.to(z))
    return made, 2 * means.mT if features == "raw" else None


def _above_zero(total: Tensor) -> Tensor:
    """The sums, 1 where there is nothing."""
    return torch.where(total > 0, total, 1)
