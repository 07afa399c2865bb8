"""Borderline-SMOTE against imbalanced-learn's (card B8): the rows in danger, the same draws, and what it leaves alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from imblearn.over_sampling import BorderlineSMOTE

from engine.samplers.lines import Drawn, borderline_smote, danger


def rows(
    counts: tuple[int, ...] = (200, 60, 25), features: int = 4, seed: int = 0, spread: float = 0.9
) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(len(counts)), counts)
    return rng.normal(size=(len(counts), features))[y] * spread + rng.normal(size=(len(y), features)), y


def wanted(y: np.ndarray) -> dict[int, int]:
    counts = np.bincount(y)
    return {c: int(counts.max() - n) for c, n in enumerate(counts) if n}


class Told:
    """A generator that gives the uniforms it is told."""

    def __init__(self, parts: list[np.ndarray]) -> None:
        self.parts = parts

    def random(self, size: tuple[int, int]) -> np.ndarray:
        out = self.parts.pop(0)
        assert out.shape == size
        return out


def draw(x: np.ndarray, y: np.ndarray, rng: Any = None, **options: Any) -> Drawn:
    rng = np.random.default_rng(0) if rng is None else rng
    return borderline_smote(torch.from_numpy(x), torch.from_numpy(y), wanted(y), rng, **options)


@pytest.mark.parametrize(("seed", "m", "k"), [(0, 10, 5), (1, 10, 5), (2, 7, 3), (3, 4, 1)])
def test_it_is_imbalanced_learns_on_the_same_draws(seed: int, m: int, k: int) -> None:
    x, y = rows(seed=seed)
    theirs = BorderlineSMOTE(random_state=seed, m_neighbors=m, k_neighbors=k)
    new_x, new_y = theirs.fit_resample(x, y)
    assert set(theirs.in_danger_indices) == {1, 2}
    told = []
    for c, bases in sorted(theirs.in_danger_indices.items()):
        own = torch.from_numpy(np.flatnonzero(y == c))
        found = own[danger(torch.from_numpy(x), torch.from_numpy(y), own, m_neighbors=m)]
        assert sorted(found.tolist()) == sorted(bases.tolist())
        stream, count = np.random.RandomState(seed), wanted(y)[c]  # which restarts for every class
        at, step = stream.randint(len(bases) * k, size=count), stream.uniform(size=count)
        told.append(np.stack([(at // k + 0.5) / len(bases), (at % k + 0.5) / k, step], 1))
    made = draw(x, y, Told(told), m_neighbors=m, k_neighbors=k)
    assert np.allclose(made.x.numpy(), new_x[len(x) :], rtol=0, atol=1e-12) and made.y.tolist() == new_y[len(y) :].tolist()
    assert not made.instead


@pytest.mark.parametrize("danger_min", [None, 1])
def test_bases_are_in_danger_and_rows_in_the_range_of_their_class(danger_min: int | None) -> None:
    x, y = rows(spread=1.6)
    made = draw(x, y, danger_min=danger_min)
    distance = ((x[:, None] - x[None]) ** 2).sum(2) + np.diag(np.full(len(x), np.inf))
    enemies = (y[distance.argsort(1)[:, :10]] != y[:, None]).sum(1)
    least = 5 if danger_min is None else danger_min
    bases = np.unique(made.base.numpy())
    expected = np.flatnonzero((y > 0) & (enemies >= least) & (enemies < 10))
    assert np.isin(bases, expected).all() and len(bases) > 0.9 * len(expected)
    assert ((enemies == 10) & (y > 0)).any() and ((enemies < least) & (y > 0)).any()  # noise and safe rows, none of them a base
    for c, n in wanted(y).items():
        own, new = x[y == c], made.x[made.y == c].numpy()
        assert len(new) == n and (new >= own.min(0)).all() | (n == 0) and (new <= own.max(0)).all() | (n == 0)
    assert (y[made.other.numpy()] == made.y.numpy()).all()


def test_a_class_without_danger_is_left_alone_there_and_made_by_smote_here() -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(size=(30, 2)), rng.normal(size=(14, 2)) + 1e3, [[-50.0, 0.0]]])
    y = np.repeat([0, 1, 2], [30, 14, 1])
    theirs = BorderlineSMOTE(random_state=0, sampling_strategy={1: 30}).fit_resample(x, y)[1]
    assert np.bincount(theirs).tolist() == [30, 14, 1]
    made = draw(x, y)
    assert made.instead == {1: "smote", 2: "copies"} and np.bincount(made.y.numpy()).tolist() == [0, 16, 29]
    assert (made.x[made.y == 2].numpy() == x[-1]).all() and len(np.unique(made.x[made.y == 1].numpy(), axis=0)) == 16


def test_few_rows_use_the_neighbours_there_are() -> None:
    x = np.array([[0.0], [1.0], [2.0], [3.5]])
    y = np.array([0, 1, 0, 1])
    labels = torch.from_numpy(y)
    # three other rows, of which row 1 has two enemies (2 of 3 >= half) and so has row 3
    assert danger(torch.from_numpy(x), labels, torch.tensor([1, 3])).tolist() == [True, True]
    made = borderline_smote(torch.from_numpy(x), labels, {1: 5, 0: 0}, np.random.default_rng(0))
    assert made.y.tolist() == [1] * 5 and not made.instead


def test_nothing_wanted_makes_nothing() -> None:
    x, y = rows((20, 20))
    assert len(draw(x, y).y) == 0
