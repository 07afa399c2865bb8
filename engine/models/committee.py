"""Fitted estimators in the place of a network: logits are logarithms of their probabilities."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.models.mlp import MLP
from engine.models.net import Net

LEAST = 1e-12
"""Smallest probability whose logarithm is taken."""
MAX_LEVELS = 255
"""Most levels of a column that scikit-learn's boosted trees take as one."""


class Committee(Net):
    """R fitted estimators, one per replicate, that answer as a network does. The features are the input rows, or those of `base`; `flat` is
    [R, 0].

    members: one per replicate. shifts [R, C] float64: added to the logits (a tuned threshold), or None. base: a network of R replicates
    whose features the members are fitted on. Logits are float64.
    """

    def __init__(
        self,
        members: Sequence[Member],
        width: int,
        shifts: Tensor | None = None,
        device: Any = "cpu",
        base: Net | None = None,
    ) -> None:
        self.members, self.shifts, self.base = tuple(members), shifts, base
        self.learns_features = base is not None
        self.width, self.classes = width, self.members[0].classes
        self._flat = torch.zeros(len(self.members), 0, dtype=torch.float64, device=device)

    @property
    def flat(self) -> Tensor:
        """See Net. Estimators have no parameters that are trained further."""
        return self._flat

    @flat.setter
    def flat(self, value: Tensor) -> None:
        self._flat = value

    def embed(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """See Net."""
        return x if self.base is None else self.base.embed(x, mask)

    def reach(self, grown: int) -> Committee:
        """The committee of the first so many trees or members of each estimator."""
        return Committee([m.reach(grown) for m in self.members], self.width, self.shifts, self._flat.device, self.base)

    def head(self, z: Tensor) -> Tensor:
        """See Net. float64."""
        rows = z.detach().cpu().numpy()
        each = [take_log(member.predict(own)) for member, own in zip(self.members, rows, strict=True)]
        logits = torch.from_numpy(np.stack(each)).to(z.device)
        return logits if self.shifts is None else logits + self.shifts.to(logits).unsqueeze(1)

    def head_weights(self) -> Tensor:
        """See Net. NaN: there is no output layer."""
        return torch.full((len(self.members), self.width, self.classes), torch.nan, dtype=torch.float64)

    def derive(self, objective: Callable[[Net], Tensor]) -> tuple[Tensor, Tensor]:
        """See Net. Raises TypeError."""
        raise TypeError("fitted estimators have no gradient")

    def copy(self) -> Net:
        """See Net. Members are never changed, so they are shared."""
        return Committee(self.members, self.width, self.shifts, self._flat.device, self.base)

    def first(self, count: int) -> Net:
        """See Net."""
        shifts = None if self.shifts is None else self.shifts[:count]
        base = None if self.base is None else self.base.first(count)
        return Committee(self.members[:count], self.width, shifts, self._flat.device, base)

    def select(self, index: torch.Tensor) -> Net:
        """See Net."""
        shifts = None if self.shifts is None else self.shifts[index]
        base = None if self.base is None else self.base.select(index)
        return Committee([self.members[i] for i in index.tolist()], self.width, shifts, self._flat.device, base)


def take_log(p: np.ndarray) -> np.ndarray:
    """The logarithm of probabilities, LEAST in place of 0."""
    logs: np.ndarray = np.log(np.maximum(p, LEAST))
    return logs


@dataclass(frozen=True)
class Member:
    """A fitted estimator. classes: how many the task has; `estimator.classes_` are those it knows."""

    estimator: Any
    classes: int

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Class probabilities [n, C] float64 of features [n, D]; 0 for a class without a training row."""
        out = np.zeros((len(x), self.classes))
        with one_thread():
            out[:, self._columns] = self.estimator.predict_proba(x)
        return out

    def stages(self, x: np.ndarray) -> Iterator[np.ndarray]:
        """The same after every tree or member; an estimator of one piece has one stage."""
        with one_thread():
            for part in _list_stages(self.estimator, x):
                out = np.zeros((len(x), self.classes))
                out[:, self._columns] = part
                yield out

    def reach(self, grown: int) -> Member:
        """With the first so many trees or members of an ensemble alone."""
        return Member(self.estimator.reach(grown), self.classes)

    @property
    def _columns(self) -> np.ndarray:
        return np.asarray(self.estimator.classes_).astype(np.int64)


@dataclass(frozen=True)
class Folded:
    """Boosted trees that take each category as one column of level numbers.

    levels: how many levels each category has; the features' last columns are theirs, one of 0 and 1 per level. seen: the levels of each
    that training rows have. A category of more than MAX_LEVELS levels keeps its columns.
    """

    estimator: Any
    levels: tuple[int, ...]
    seen: tuple[tuple[int, ...], ...]

    @classmethod
    def look(cls, x: np.ndarray, levels: Sequence[int]) -> Folded:
        """Without an estimator; the levels that the rows have."""
        return cls(None, tuple(levels), tuple(tuple(np.flatnonzero(own.any(0)).tolist()) for own in _split(x, levels)[1]))

    @property
    def count(self) -> int:
        """How many columns are level numbers: the first ones."""
        return sum(n <= MAX_LEVELS for n in self.levels)

    def fold(self, x: np.ndarray) -> np.ndarray:
        """float64 [n, D']: level numbers, from 0 among those seen and NaN for any other, then all other columns."""
        rest, blocks = _split(x, self.levels)
        folded, kept = [], [rest]
        for own, seen in zip(blocks, self.seen, strict=True):
            if own.shape[1] > MAX_LEVELS:
                kept.append(own)
                continue
            some = own[:, list(seen)]
            has = some.any(1) if len(seen) else np.zeros(len(x), bool)
            folded.append(np.where(has, some.argmax(1) if len(seen) else 0, np.nan)[:, None])
        return np.concatenate([*folded, *kept], 1, dtype=np.float64)

    @property
    def classes_(self) -> np.ndarray:
        """As in scikit-learn."""
        known: np.ndarray = self.estimator.classes_
        return known

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        """[n, C]."""
        p: np.ndarray = self.estimator.predict_proba(self.fold(x))
        return p

    def staged_predict_proba(self, x: np.ndarray) -> Iterator[np.ndarray]:
        """[n, C] after every tree."""
        yield from self.estimator.staged_predict_proba(self.fold(x))


def _split(x: np.ndarray, levels: Sequence[int]) -> tuple[np.ndarray, list[np.ndarray]]:
    """(the first columns, those of each category)."""
    numeric = x.shape[1] - sum(levels)
    ends = np.cumsum([numeric, *levels])
    return x[:, :numeric], [x[:, a:b] for a, b in zip(ends, ends[1:], strict=False)]


@dataclass
class Bag:
    """Decision trees whose answers are joined: the mean over groups. A group is the mean of its trees, or boosted by its weights.

    groups: (trees, weights [T] or None). The answer of a boosted group is that of scikit-learn's AdaBoost (SAMME). classes_ [C]: class
    numbers; those of a tree are positions among them.
    """

    classes_: np.ndarray
    groups: list[tuple[list[Any], np.ndarray | None]]

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        """[n, C]."""
        rows = np.ascontiguousarray(x, np.float32)  # what a tree compares
        out = np.zeros((len(rows), len(self.classes_)))
        for trees, weights in self.groups:
            for part in _list_group(trees, weights, rows, len(self.classes_)):
                last = part
            out += last
        mean: np.ndarray = out / len(self.groups)
        return mean

    def reach(self, grown: int) -> Bag:
        """The first so many trees of the one group, or groups."""
        if len(self.groups) > 1:
            return Bag(self.classes_, self.groups[:grown])
        trees, weights = self.groups[0]
        return Bag(self.classes_, [(trees[:grown], None if weights is None else weights[:grown])])


@dataclass
class Networks:
    """Networks whose answers are joined: the mean of their probabilities.

    net: an MLP of T replicates, one per member. classes_ [C]: class numbers.
    """

    net: MLP
    classes_: np.ndarray

    def answer(self, x: np.ndarray) -> Iterator[np.ndarray]:
        """Each network's probabilities [n, C] float64."""
        rows = torch.from_numpy(np.ascontiguousarray(x)).to(self.net.flat)
        for t in range(len(self.net.flat)):
            yield self.net.select(torch.tensor([t], device=rows.device))(rows.unsqueeze(0))[0].double().softmax(1).cpu().numpy()

    def stages(self, x: np.ndarray) -> Iterator[np.ndarray]:
        """[n, C] after every network."""
        total = np.zeros((len(x), len(self.classes_)))
        for t, p in enumerate(self.answer(x), 1):
            total += p
            yield total / t

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        """[n, C]."""
        *_, last = self.stages(x)
        return last

    def reach(self, grown: int) -> Networks:
        """The first so many networks."""
        return Networks(self.net.first(grown), self.classes_)


def _list_group(trees: Sequence[Any], weights: np.ndarray | None, x: np.ndarray, classes: int) -> Iterator[np.ndarray]:
    """The answer of the first 1, 2, ... trees of a group."""
    from scipy.special import softmax  # a start of the engine does without SciPy

    total = np.zeros((len(x), classes))
    for t, tree in enumerate(trees):
        p = np.zeros((len(x), classes))
        p[:, np.asarray(tree.classes_).astype(np.int64)] = tree.tree_.predict(x)
        if weights is None:
            total += p
            yield total / (t + 1)
        else:
            own = np.eye(classes, dtype=bool)[p.argmax(1)]
            total += np.where(own, weights[t], -weights[t] / (classes - 1))
            yield softmax(total / max(weights[: t + 1].sum(), LEAST) / (classes - 1), axis=1)


def _list_stages(estimator: Any, x: np.ndarray) -> Iterator[np.ndarray]:
    if isinstance(estimator, Networks):
        yield from estimator.stages(x)
    elif isinstance(estimator, Bag):
        rows = np.ascontiguousarray(x, np.float32)
        if len(estimator.groups) == 1:
            yield from _list_group(*estimator.groups[0], rows, len(estimator.classes_))
            return
        total = np.zeros((len(rows), len(estimator.classes_)))
        for n, (trees, weights) in enumerate(estimator.groups, 1):
            *_, last = _list_group(trees, weights, rows, len(estimator.classes_))
            total += last
            yield total / n
    elif hasattr(estimator, "staged_predict_proba"):
        yield from estimator.staged_predict_proba(x)
    elif isinstance(getattr(estimator, "estimators_", None), list) and hasattr(estimator.estimators_[0], "tree_"):
        rows = np.ascontiguousarray(x, np.float32)
        yield from _list_group(estimator.estimators_, None, rows, len(estimator.classes_))
    else:
        yield estimator.predict_proba(x)


@cache
def _pools() -> Any:
    """The thread pools of this process, cached: finding them takes longer than a small prediction."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def one_thread() -> Any:
    """A context in which the libraries below scikit-learn use one thread, so that sums do not depend on the number of cores."""
    return _pools().limit(limits=1)
