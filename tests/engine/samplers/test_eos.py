"""EOS and its parts against card A3: the one-dimensional cases, the draws, the fallbacks, and imbalanced-learn's own suite."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from imblearn.utils.estimator_checks import parametrize_with_checks
from scipy import sparse, stats

from engine.samplers import EOS
from engine.samplers.lines import Drawn, eos, smote
from engine.samplers.neighbours import nearest

# Default parameters apart from random_state: several of these checks fit twice and compare, and set none themselves.
suite = parametrize_with_checks([EOS(random_state=0, **o) for o in ({}, {"direction": "away"}, {"variant": "released"})])


@pytest.mark.parametrize("estimator, check", list(suite.args[1]), ids=suite.kwargs["ids"])
def test_imbalanced_learns_suite(estimator: Any, check: Any) -> None:
    check(estimator)


def rows(counts: tuple[int, ...] = (90, 30, 12), features: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(len(counts)), counts)
    x = rng.normal(size=(len(counts), features))[y] + rng.normal(size=(len(y), features))
    return x, y


def tensors(x: np.ndarray, y: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(x), torch.from_numpy(y)


def draw(x: np.ndarray, y: np.ndarray, seed: int = 0, **options: Any) -> Drawn:
    counts = np.bincount(y)
    return eos(*tensors(x, y), dict(enumerate((counts.max() - counts).tolist())), np.random.default_rng(seed), **options)


def slowly(x: np.ndarray, i: int, k: int) -> list[int]:
    """The k nearest rows of row i, one distance at a time."""
    distance = ((x.astype(np.float64) - x[i].astype(np.float64)) ** 2).sum(1)
    return [j for j in np.lexsort([np.arange(len(x)), distance]).tolist() if j != i][:k]


# ---- neighbours


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [2, 5, 60, 700])
def test_neighbours_are_those_of_the_plain_way(n: int, dtype: type) -> None:
    x = np.random.default_rng(n).normal(size=(n, 7)).astype(dtype)
    found = nearest(torch.from_numpy(x), torch.arange(n), 10)
    assert found.tolist() == [slowly(x, i, 10) for i in range(n)]


@pytest.mark.parametrize("shift", [0.0, 1e6])
def test_ties_and_duplicates_are_ordered_by_number(shift: float) -> None:
    x = np.random.default_rng(0).integers(0, 3, size=(400, 3)) + shift  # 27 places for 400 rows
    found = nearest(torch.from_numpy(x), torch.arange(400), 9)
    assert found.tolist() == [slowly(x, i, 9) for i in range(400)]


def test_neighbours_too_close_for_single_precision_are_told_apart() -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(size=(300, 5)) * 1e-7, [[1e3] * 5]])
    assert nearest(torch.from_numpy(x), torch.arange(300), 5).tolist() == [slowly(x, i, 5) for i in range(300)]


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(np.float64, st.tuples(st.integers(2, 120), st.integers(1, 3)), elements=st.integers(-4, 4).map(float)),
    st.integers(1, 12),
)
def test_neighbours_of_any_small_table(x: np.ndarray, k: int) -> None:
    assert nearest(torch.from_numpy(x), torch.arange(len(x)), k).tolist() == [slowly(x, i, k) for i in range(len(x))]


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.from_numpy(rows((200, 90))[0])
    whole = nearest(x, torch.arange(290), 10)
    monkeypatch.setattr("engine.samplers.neighbours.BLOCK", 290 * 7)
    assert torch.equal(nearest(x, torch.arange(290), 10), whole)
    assert torch.equal(nearest(x, torch.tensor([3, 280]), 10), whole[[3, 280]])


# ---- card A3


def one_dimension(**options: Any) -> np.ndarray:
    x, y = np.array([[0.0], *[[1.0]] * 2000]), np.array([1] + [0] * 2000)
    return EOS(k_neighbors=1, random_state=0, **options).fit_resample(x, y)[0][2001:, 0]


def test_toward_is_uniform_between_base_and_enemy() -> None:
    assert stats.kstest(one_dimension(), "uniform").pvalue > 0.01


def test_away_is_uniform_on_the_other_side() -> None:
    assert stats.kstest(-one_dimension(direction="away"), "uniform").pvalue > 0.01


def test_released_repeats_the_base_where_the_enemy_is_nearest() -> None:
    assert (one_dimension(variant="released") == 0).all() and len(one_dimension(variant="released")) == 1999


def test_released_takes_the_row_before_the_enemy() -> None:
    x, y = rows()
    paper, released = draw(x, y, k_neighbors=10), draw(x, y, k_neighbors=10, variant="released")
    assert torch.equal(paper.base, released.base) and torch.equal(paper.step, released.step)
    for b, enemy, taken in zip(paper.base.tolist(), paper.other.tolist(), released.other.tolist(), strict=True):
        order = [b, *slowly(x, b, 10)]
        assert order[order.index(enemy) - 1] == taken
    kinds = (released.base == released.other).sum(), (torch.from_numpy(y)[released.other] == released.y).sum()
    assert 0 < int(kinds[0]) < int(kinds[1]) < len(released.y)


@pytest.mark.parametrize("k", [1, 4, 10, 500])
def test_every_row_lies_between_its_base_and_an_enemy_near_it(k: int) -> None:
    x, y = rows()
    made = draw(x, y, k_neighbors=k)
    base, other = x[made.base.numpy()], x[made.other.numpy()]
    near = np.linalg.norm(made.x.numpy() - base, axis=1) + np.linalg.norm(other - made.x.numpy(), axis=1)
    assert np.allclose(near, np.linalg.norm(other - base, axis=1), rtol=0, atol=1e-12)
    assert (y[made.base.numpy()] == made.y.numpy()).all() and (y[made.other.numpy()] != made.y.numpy()).all()
    assert all(o in slowly(x, b, k) for b, o in zip(made.base.tolist(), made.other.tolist(), strict=True))


@pytest.mark.parametrize("direction", ["toward", "away"])
def test_counts_order_and_labels(direction: str) -> None:
    x, y = rows()
    names = np.array(["large", "middle", "small"])[y]
    new_x, new_y = EOS(direction=direction, random_state=0).fit_resample(x, names)
    assert np.array_equal(new_x[: len(x)], x) and np.array_equal(new_y[: len(y)], names)
    assert np.unique(new_y, return_counts=True)[1].tolist() == [90, 90, 90]


def test_bases_and_their_enemies_are_uniform() -> None:
    # three bases of class 1 with 1, 2 and 3 enemies among their 3 nearest; uniform over bases, then over enemies
    spots = {0.0: "b", 0.1: "b", 0.2: "b", 1.0: "e", 10.0: "b", 10.1: "e", 10.2: "e", 10.3: "e"}
    x = np.array([[s] for s in spots] + [[1000.0 + i] for i in range(20000)])
    y = np.array([1 if v == "b" else 0 for v in spots.values()] + [0] * 20000)
    made = draw(x, y, k_neighbors=3)
    pairs = list(zip(made.base.tolist(), made.other.tolist(), strict=True))
    expected = {(0, 3): 1 / 4, (1, 3): 1 / 4, (2, 3): 1 / 4, (4, 5): 1 / 12, (4, 6): 1 / 12, (4, 7): 1 / 12}
    assert set(pairs) == set(expected)
    seen = [pairs.count(p) for p in expected]
    assert stats.chisquare(seen, [share * len(pairs) for share in expected.values()]).pvalue > 0.01
    assert abs(float(made.step.mean()) - 0.5) < 0.01


def test_interior_rows_contribute_nothing() -> None:
    x, y = rows((90, 30), seed=1)
    inner = np.array([i for i in np.flatnonzero(y == 1) if all(y[j] == 1 for j in slowly(x, i, 4))])
    made = draw(x, y, k_neighbors=4)
    assert len(inner) and not np.isin(made.base.numpy(), inner).any()


@pytest.mark.parametrize("options", [{}, {"direction": "away"}, {"variant": "released"}])
def test_no_feature_of_training_gets_narrower(options: dict[str, Any]) -> None:
    x, y = rows()
    new_x, new_y = EOS(random_state=1, **options).fit_resample(x, y)
    for c in range(3):
        before, after = x[y == c], new_x[new_y == c]
        assert (after.max(0) >= before.max(0)).all() and (after.min(0) <= before.min(0)).all()


def test_a_row_is_its_own_base_also_among_its_duplicates() -> None:
    """Decision EOS-3: the nearest row of a row may be a duplicate, here of another class."""
    x = np.array([[0.0], [0.0], [5.0], [6.0], [7.0]])
    made = draw(x, np.array([0, 1, 0, 0, 0]), k_neighbors=1)
    assert made.base.tolist() == [1, 1, 1] and made.other.tolist() == [0, 0, 0]


# ---- fallbacks


def apart(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Class 1 with n rows far from the others, so that none has an enemy near it (where n > 2)."""
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(size=(30, 2)), 1e4 + rng.normal(size=(n, 2))]), np.repeat([0, 1], [30, n])


def test_a_class_without_enemies_is_made_by_smote_with_a_warning() -> None:
    x, y = apart(8)
    with pytest.warns(UserWarning, match="no row of class 1 has another class among its 3 nearest rows: SMOTE"):
        new_x, new_y = EOS(k_neighbors=3, random_state=0).fit_resample(x, y)
    made = new_x[38:]
    assert (new_y == 1).sum() == 30 and (made >= x[y == 1].min(0)).all() and (made <= x[y == 1].max(0)).all()
    assert len(np.unique(made, axis=0)) == 22


def test_a_single_row_beside_nobody_is_copied() -> None:
    drawn = smote(*tensors(*apart(1)), {1: 4}, np.random.default_rng(0))
    assert drawn.instead == {1: "copies"} and (drawn.x.numpy() == apart(1)[0][-1]).all()


def test_smote_lies_between_neighbours_of_its_class() -> None:
    x, y = rows()
    made = smote(*tensors(x, y), {1: 400, 2: 400, 0: 0}, np.random.default_rng(0), k_neighbors=3)
    assert made.y.tolist() == [1] * 400 + [2] * 400
    for b, o, c in zip(made.base.tolist(), made.other.tolist(), made.y.tolist(), strict=True):
        own = np.flatnonzero(y == c)
        assert o in own[slowly(x[own], int(np.flatnonzero(own == b)[0]), 3)]
    assert len(set(zip(made.base.tolist(), made.other.tolist(), strict=True))) > 100


# ---- interface


def test_one_generator_serves_the_whole_fit() -> None:
    x, y = rows((90, 20, 20))
    both = np.random.default_rng(0)
    made = eos(*tensors(x, y), {1: 70, 2: 70}, both)
    assert not torch.equal(made.step[:70], made.step[70:])
    state = np.random.RandomState(3)
    first, second = (EOS(random_state=state).fit_resample(x, y)[0] for _ in range(2))
    assert not np.array_equal(first, second)
    assert np.array_equal(*(EOS(random_state=3).fit_resample(x, y)[0] for _ in range(2)))


def test_sampling_strategy_chooses_classes() -> None:
    x, y = rows()
    new_x, new_y = EOS(sampling_strategy={2: 40}, random_state=0).fit_resample(x, y)
    assert np.bincount(new_y).tolist() == [90, 30, 40] and len(new_x) == 160


@pytest.mark.parametrize("bad", [{"k_neighbors": 0}, {"direction": "up"}, {"variant": "mine"}])
def test_bad_parameters_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        EOS(**bad).fit_resample(*rows())


def test_kinds_of_tables() -> None:
    x, y = rows()
    plain, labels = EOS(random_state=0).fit_resample(x, y)
    thin, _ = EOS(random_state=0).fit_resample(sparse.csc_matrix(x), y)
    assert thin.format == "csc" and np.array_equal(thin.toarray(), plain)
    frame, named = EOS(random_state=0).fit_resample(pd.DataFrame(x, columns=list("abcd")), pd.Series(y, name="label"))
    assert np.array_equal(frame.to_numpy(), plain) and list(frame.columns) == list("abcd") and np.array_equal(named, labels)
    single, _ = EOS(random_state=0).fit_resample(x.astype(np.float32), y)
    assert single.dtype == np.float32
    whole, _ = EOS(random_state=0).fit_resample(np.round(x * 10).astype(int), y)
    assert whole.dtype == np.float64 and (whole[132:] % 1 != 0).any()


def test_balanced_data_stay_as_they_are() -> None:
    x, y = rows((20, 20))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        new_x, new_y = EOS().fit_resample(x, y)
    assert np.array_equal(new_x, x) and np.array_equal(new_y, y)
