"""Fewer rows: the larger classes first, nested, test rows never."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data.split import Parts
from engine.data.thin import FEW, draw_rows, reduce_counts, thin


@pytest.mark.parametrize(
    ("counts", "most", "kept"),
    [
        ([900, 100], 2000, [900, 100]),  # nothing to cut
        ([9000, 100], 600, [500, 100]),  # the larger class alone
        ([9000, 100], 1100, [1000, 100]),  # down to ten to one
        ([9000, 100], 550, [450, 100]),
        ([5000, 3000, 100], 1000, [450, 450, 100]),  # the larger classes alike
        ([900, 100], 500, [400, 100]),
        ([90, 10], 50, [40, 10]),
        ([0, 50], 20, [0, 20]),
    ],
)
def test_sizes_by_hand(counts, most, kept):
    assert reduce_counts(counts, most, ratio=1.0) == kept


@pytest.mark.parametrize(
    ("counts", "most", "kept"),
    [
        ([90_000, 100], 5_000, [4_900, 100]),
        ([90_000, 100], 550, [500, 50]),  # at ten to one both lose alike
        ([900, 300], 600, [450, 150]),  # and those less skewed from the start
        ([90_000, 12], 60, [54, FEW]),  # but ten rows stay
        ([90_000, 5], 60, [55, 5]),
    ],
)
def test_the_ratio_stays_near_ten(counts, most, kept):
    assert reduce_counts(counts, most) == pytest.approx(kept, abs=6)
    assert reduce_counts(counts, most)[1] == pytest.approx(kept[1], abs=1)


COUNTS = st.lists(st.integers(0, 3000), min_size=2, max_size=6).filter(any)


@given(COUNTS, st.integers(1, 4000), st.integers(1, 4000))
def test_sizes_always(counts, a, b):
    few, many = reduce_counts(counts, min(a, b)), reduce_counts(counts, max(a, b))
    assert all(x <= y <= n for x, y, n in zip(few, many, counts, strict=True)), "more rows never keep fewer of a class"
    assert all(k >= min(n, FEW) for k, n in zip(few, counts, strict=True))
    assert sum(few) <= min(a, b) + FEW * len(counts)


def test_draws_are_nested_and_of_the_rows_given():
    y = np.r_[np.zeros(800, int), np.ones(60, int), np.full(140, 2)]
    rows = np.flatnonzero(np.arange(1000) % 3 > 0)
    kept = [set(draw_rows(y, rows, most, np.random.default_rng(5)).tolist()) for most in (80, 200, 400, 9999)]
    assert kept[0] < kept[1] < kept[2] < kept[3] == set(rows.tolist())
    assert draw_rows(y, rows, 200, np.random.default_rng(5)).tolist() == sorted(kept[1])


def test_training_and_validation_are_cut_in_proportion_and_test_is_not():
    y = np.r_[np.zeros(900, int), np.ones(100, int)]
    order = np.random.default_rng(0).permutation(1000)
    none = np.zeros(0, int)
    parts = Parts(order[:600], order[600:800], order[800:], none, none)
    cut = thin(parts, y, 300, np.random.default_rng(1))
    assert len(cut.train) == pytest.approx(300, abs=5) and len(cut.valid) == pytest.approx(100, abs=5)
    assert cut.test is parts.test and set(cut.train) <= set(parts.train) and set(cut.valid) <= set(parts.valid)
    assert thin(parts, y, 600, np.random.default_rng(1)) is parts
