"""Precision on the recall grid: by hand, against scikit-learn, bands."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_curve

from engine.analysis.curves import GRID, macro_precision_on_grid, percentile_band, precision_on_grid, precision_recall
from engine.analysis.metrics import scores


def test_the_grid():
    assert len(GRID) == 101 and GRID[0] == 0 and GRID[-1] == 1
    assert all(GRID[i] == i / 100 for i in range(101))
    with pytest.raises(ValueError):
        GRID[0] = 1


def test_by_hand():
    # Ranking - + [+ -] +: recalls 0, 1/3, 2/3, 1 with precision 0, 1/2, 2/4, 3/5.
    score = np.array([0.9, 0.8, 0.5, 0.5, 0.1])
    positive = np.array([False, True, True, False, True])
    grid = np.array([0, 0.2, 1 / 3, 0.34, 2 / 3, 0.7, 1])
    np.testing.assert_array_equal(precision_on_grid(score, positive, grid), [0.5, 0.5, 0.5, 0.5, 0.5, 0.6, 0.6])


@settings(deadline=None, max_examples=60)
@given(rows=st.integers(1, 120), seed=st.integers(0, 10**6), levels=st.sampled_from([2, 5, 10**6]))
def test_equal_to_scikit_learn(rows, seed, levels):
    rng = np.random.default_rng(seed)
    positive = rng.random(rows) < 0.4
    positive[0] = True
    score = rng.integers(levels, size=rows) / levels
    precision, recall, _ = precision_recall_curve(positive, score)
    got = precision_on_grid(score, positive)
    for i in range(1, 101):
        assert got[i] == precision[np.flatnonzero(recall >= i / 100)[-1]]
    assert got[0] == precision[np.flatnonzero(recall > 0)[-1]]


@pytest.mark.parametrize("classes", [2, 3])
def test_the_curve_agrees_with_the_metrics(classes):
    rng = np.random.default_rng(1)
    y = rng.integers(classes, size=90)
    p = rng.dirichlet(np.ones(classes), 90)
    curve, values = precision_recall(p, y), scores(p, y)
    for r in (25, 50, 75):
        assert curve[r] == pytest.approx(values[f"precision_at_recall_{r / 100:g}"][0], abs=1e-15)


def test_which_class():
    rng = np.random.default_rng(2)
    y = rng.integers(2, size=50)
    p = rng.dirichlet([1, 1], 50)
    one, zero = precision_on_grid(p[:, 1], y == 1), precision_on_grid(p[:, 0], y == 0)
    np.testing.assert_array_equal(precision_recall(p, y), one)
    np.testing.assert_array_equal(precision_recall(p, y, positive=0), zero)
    np.testing.assert_allclose(macro_precision_on_grid(p, y), (one + zero) / 2)


def test_no_positive_row_no_curve():
    assert np.isnan(precision_on_grid(np.array([0.2, 0.4]), np.array([False, False]))).all()
    p = np.full((4, 3), 1 / 3)
    assert np.isnan(macro_precision_on_grid(p, np.array([0, 1, 1, 0]))).all()
    with pytest.raises(ValueError):
        precision_on_grid(np.array([np.nan, 0.4]), np.array([True, False]))


def test_band_leaves_out_replicates_without_a_curve():
    curves = np.array([[0.0, 1.0], [1.0, 0.0], [np.nan, np.nan], [0.5, 0.5]])
    mean, low, high = percentile_band(curves)
    np.testing.assert_allclose(mean, [0.5, 0.5])
    np.testing.assert_allclose(low, [0.025, 0.025])  # quantile 0.025 of 0, 0.5, 1: a twentieth of the way to 0.5
    np.testing.assert_allclose(high, [0.975, 0.975])
    for part in percentile_band(curves[:1]):
        np.testing.assert_array_equal(part, curves[0])
    for part in percentile_band(curves[2:3]):
        assert np.isnan(part).all()
