"""The base of ensembles whose members each see rows that are picked for them, as many of every class."""

from __future__ import annotations

import abc
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from engine.events import Event, Note
from engine.methods.base import param
from engine.methods.estimator import EnsembleMethod, Growing, Sample, choose_smote
from engine.models.committee import Bag
from engine.samplers.hardness import Pick


@dataclass(frozen=True)
class Picked:
    """What one member is fitted on. rows [m]: picked training rows, by number, ascending. x [n, D], y [n], weight [n] or None: those rows,
    then rows that were made for it. y: positions among the classes that have rows.
    """

    rows: np.ndarray
    x: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None


@dataclass(frozen=True)
class PickedMethod(EnsembleMethod, abc.ABC):
    """Members on picked rows; the mean of their answers.

    follows: whether the rows of a member depend on the members before it.
    """

    follows: ClassVar[bool] = False

    members: int = param(10, low=1, high=500, log=True, help="How many members are grown, each on rows of its own.")

    @abc.abstractmethod
    def start(self, y: np.ndarray) -> Pick:
        """What picks the rows of one replicate's members. y [n]: positions among the classes that have rows."""

    def count_made(self, y: np.ndarray, t: int) -> Mapping[int, int]:
        """Rows that are made for member t, by class; none by default."""
        return {}

    def draw(self, sample: Sample, y: np.ndarray, pick: Pick, t: int, hardness: np.ndarray | None) -> Picked:
        """The rows of member t. y: as in `start`. hardness [n]: of the members before, None for the first."""
        rng = sample.stream("member", t)
        rows = pick(t, hardness, rng)
        weight = None if sample.weight is None else sample.weight[rows]
        wanted = {c: n for c, n in self.count_made(y, t).items() if n}
        if not wanted:
            return Picked(rows, sample.x[rows], y[rows], weight)
        made = choose_smote(sample.task.levels)(torch.from_numpy(sample.x), torch.from_numpy(y), wanted, rng)
        new = made.y.numpy()
        if weight is not None and sample.weight is not None:
            mean = np.bincount(y, sample.weight) / np.bincount(y)
            weight = np.concatenate([weight, mean[new]])
        return Picked(rows, np.concatenate([sample.x[rows], made.x.numpy()]), np.concatenate([y[rows], new]), weight)

    def fit_member(self, sample: Sample, t: int, on: Picked) -> tuple[list[Any], np.ndarray | None]:
        """Member t: trees and their weights, as a group of `Bag`."""
        return [grow_tree(sample, t, on)], None

    def grow(self, sample: Sample) -> Growing:
        """See EstimatorMethod. Hardness is measured on training rows alone."""
        classes, y = np.unique(sample.y, return_inverse=True)
        pick = self.start(y)
        groups: list[tuple[list[Any], np.ndarray | None]] = []
        total = np.zeros((len(y), len(classes)))
        for t in range(self.members):
            yield sample.progress(t / self.members)
            hardness = None if t == 0 or not self.follows else 1 - (total / t)[np.arange(len(y)), y]
            on = self.draw(sample, y, pick, t, hardness)
            yield from note_copies(y, self.count_made(y, t), t)
            trees, weights = self.fit_member(sample, t, on)
            groups.append((trees, weights))
            if self.follows:
                total += Bag(np.arange(len(classes)), [(trees, weights)]).predict_proba(sample.x)
        if all(weights is None and len(trees) == 1 for trees, weights in groups):
            return Bag(classes, [([tree for trees, _ in groups for tree in trees], None)])
        return Bag(classes, groups)


def grow_tree(sample: Sample, t: int, on: Picked) -> Any:
    """A tree of full depth on the rows of member t."""
    from sklearn.tree import DecisionTreeClassifier

    return DecisionTreeClassifier(random_state=sample.draw("trees", t)).fit(on.x, on.y, sample_weight=on.weight)


def note_copies(y: np.ndarray, wanted: Mapping[int, int], t: int) -> Generator[Event, None, None]:
    """Says, at the first member, that the made rows of a class of one row are copies."""
    sizes = np.bincount(y)
    if t == 0 and any(n and sizes[c] == 1 for c, n in wanted.items()):
        yield Note("A class with a single training row has no neighbour to lie towards: it was repeated instead.", "warning")
