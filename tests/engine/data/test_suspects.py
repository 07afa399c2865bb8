"""Columns that know the answer and rows that contradict each other, against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from engine.data.tables import suspects
from engine.data.tables.suspects import auc, count_duplicates, is_copy, sample, score_alone

NAN = float("nan")


@given(st.lists(st.tuples(st.integers(-4, 4), st.booleans()), min_size=2, max_size=60))
def test_auc_is_scikit_learns(pairs):
    score, positive = (np.array(part) for part in zip(*pairs, strict=True))
    expected = roc_auc_score(positive, score) if 0 < positive.sum() < len(positive) else 0.5
    assert auc(score, positive) == pytest.approx(expected, abs=1e-12)


def test_numbers_tell_two_classes_apart_in_either_direction():
    y = np.array([0, 0, 0, 1, 1])
    assert score_alone(np.array([1.0, 2, 3, 4, 5]), y, 2, True) == 1 == score_alone(-np.array([1.0, 2, 3, 4, 5]), y, 2, True)
    assert score_alone(np.array([1.0, 2, 4, 3, 5]), y, 2, True) == pytest.approx(5 / 6)
    assert score_alone(np.full(5, NAN), y, 2, True) == 0.5


def test_where_a_number_is_missing_the_worse_side_counts():
    y = np.array([0, 0, 0, 0, 1, 1])
    # the row of class 0 that is not known may stand above both of class 1: 6 of 8 pairs are sure
    assert score_alone(np.array([1.0, 2, 3, NAN, 4, 5]), y, 2, True) == pytest.approx(6 / 8)


@pytest.mark.parametrize("numeric", [True, False])
def test_values_tell_many_classes_apart(numeric):
    y = np.arange(90) % 3
    values = np.array([7, 2, 5])[y]
    told = values.astype(float) if numeric else values
    assert score_alone(told, y, 3, numeric) == 1
    blind = np.zeros(90, float if numeric else int)
    assert score_alone(blind, y, 3, numeric) == pytest.approx(1 / 3)


def test_a_name_for_each_row_tells_nothing():
    """A rule learnt on half of the rows knows nothing of the names of the others."""
    y = np.arange(100) % 2
    assert score_alone(np.arange(100), y, 2, False) == 0


def test_missing_can_be_what_tells():
    y = np.r_[np.zeros(50, int), np.ones(20, int)]
    assert score_alone(np.where(y == 1, -1, np.arange(70) % 3), y, 2, False) == 1


def test_copies_stand_one_to_one():
    y = np.array([0, 1, 2, 0])
    assert is_copy(np.array([5, -1, 3, 5]), y)
    assert not is_copy(np.array([5, 5, 3, 5]), y), "two classes under one value"
    assert not is_copy(np.array([5, 1, 3, 4]), y), "two values for one class"


def test_duplicates_by_hand():
    x = np.array([1.0, 1.0, 2.0, 2.0, NAN, NAN, 0.0, -0.0])
    c = np.array([0, 0, 0, 1, -1, -1, 2, 2])
    assert count_duplicates([x, c], np.array([0, 0, 0, 0, 0, 1, 0, 1])) == (3, 4)
    assert count_duplicates([x], np.array([0, 0, 0, 1, 0, 0, 0, 0])) == (4, 2)
    assert count_duplicates([], np.array([0, 1])) == (0, 0)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(-1, 1), st.integers(0, 2)), min_size=1, max_size=40))
def test_duplicates_always(rows):
    a, b, y = (np.array(part) for part in zip(*rows, strict=True))
    groups: dict[tuple[int, int], list[int]] = {}
    for one, two, klass in zip(a.tolist(), b.tolist(), y.tolist(), strict=True):
        groups.setdefault((one, two), []).append(klass)
    again = sum(len(g) - 1 for g in groups.values())
    across = sum(len(g) for g in groups.values() if len(set(g)) > 1)
    assert count_duplicates([a.astype(float), b.astype(np.int64)], y) == (again, across)


def test_a_sample_keeps_all_of_the_smallest_classes(monkeypatch):
    monkeypatch.setattr(suspects, "SAMPLE", 3_000)
    y = np.repeat([0, 1, 2], [9_000, 40, 2_000])
    kept = sample(y)
    assert np.array_equal(kept, np.unique(kept)) and np.bincount(y[kept]).tolist() == [1480, 40, 1480]
    assert len(sample(y, columns=10**9)) == 2_000, "fewer rows of many columns"
    assert np.array_equal(sample(y[9_000:]), np.arange(2_040))
