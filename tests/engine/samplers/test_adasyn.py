"""ADASYN (card C5): imbalanced-learn's rows for the same draws, a case by hand, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from imblearn.over_sampling import ADASYN

from engine.samplers.lines import Drawn, adasyn
from tests.engine.samplers.test_borderline import Told, rows, wanted


def draw(x: np.ndarray, y: np.ndarray, rng: Any = None, ask: dict[int, int] | None = None, **options: Any) -> Drawn:
    rng = np.random.default_rng(0) if rng is None else rng
    return adasyn(torch.from_numpy(x), torch.from_numpy(y), wanted(y) if ask is None else ask, rng, **options)


@pytest.mark.parametrize(("seed", "k"), [(0, 5), (1, 3), (2, 1), (3, 10)])
def test_it_is_imbalanced_learns_on_the_same_draws(seed: int, k: int) -> None:
    x, y = rows(seed=seed)
    new_x, new_y = ADASYN(random_state=seed, n_neighbors=k).fit_resample(x, y)
    stream, told = np.random.RandomState(seed), []
    for c in (1, 2):
        count = int((new_y[len(y) :] == c).sum())
        column = stream.choice(k, size=count)
        told.append(np.stack([np.zeros(count), (column + 0.5) / k, stream.uniform(size=(count, 1))[:, 0]], 1))
    made = draw(x, y, Told(told), k_neighbors=k)
    assert np.allclose(made.x.numpy(), new_x[len(x) :], rtol=0, atol=1e-12) and made.y.tolist() == new_y[len(y) :].tolist()
    assert not made.instead


def test_a_row_among_enemies_begins_more_by_hand() -> None:
    """Minority rows at 0, 1 and 10 with two neighbours each: enemies 0, 1 (at 1.5) and 2 (at 10.1 and 10.2): shares 0, 1/3, 2/3."""
    x = np.array([[0.0], [1.0], [-0.5], [10.0], [1.6], [10.1], [10.2], [30.0]])
    y = np.array([1, 1, 1, 1, 0, 0, 0, 0])
    made = draw(x, y, ask={1: 9}, k_neighbors=2)
    # neighbours: 0 -> -0.5, 1 (none); 1 -> 1.6, 0 (one); -0.5 -> 0, 1 (none); 10 -> 10.1, 10.2 (two)
    assert torch.bincount(made.base, minlength=8).tolist() == [0, 3, 0, 6, 0, 0, 0, 0]


def test_numbers_are_rounded_row_by_row() -> None:
    """imbalanced-learn's rounding: two rows of equal share of 1 new row get 0.5 each, rounded to even: none, so SMOTE makes it."""
    x, y = np.array([[0.0], [4.0], [0.1], [4.1], [9.0]]), np.array([1, 1, 0, 0, 0])
    made = draw(x, y, ask={1: 1}, k_neighbors=1)
    assert made.instead == {1: "smote"} and len(made.x) == 1
    assert not draw(x, y, ask={1: 4}, k_neighbors=1).instead


def test_a_class_apart_is_made_by_smote_where_imbalanced_learn_gives_up() -> None:
    x = np.concatenate([np.random.default_rng(0).normal(size=(30, 2)), 50 + np.random.default_rng(1).normal(size=(8, 2))])
    y = np.repeat([0, 1], [30, 8])
    with pytest.raises(RuntimeError, match="Not any neigbours"):
        ADASYN().fit_resample(x, y)
    made = draw(x, y)
    assert made.instead == {1: "smote"} and len(made.x) == 22


def test_few_rows_and_none() -> None:
    x, y = rows((40, 3, 1))
    made = draw(x, y)
    assert made.instead[2] == "copies" and bool((made.y == 1).any())
    assert len(draw(x, y, ask={1: 0}).x) == 0
