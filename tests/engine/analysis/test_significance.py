"""Paired tests and Holm's correction, against SciPy's and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from engine.analysis.intervals import corrected_t
from engine.analysis.significance import TTest, holm, split_share, t_test


def test_plain_is_scipys_paired_t():
    rng = np.random.default_rng(0)
    for n in (2, 5, 20):
        a, b = rng.normal(size=n), rng.normal(0.4, 1, size=n)
        mine, theirs = t_test(a - b), stats.ttest_rel(a, b)
        assert mine.p == pytest.approx(theirs.pvalue, rel=1e-10)
        interval = theirs.confidence_interval(0.95)
        assert (mine.low, mine.high, mine.n) == pytest.approx((interval.low, interval.high, n), rel=1e-10)


def test_corrected_is_the_houses_interval():
    values = np.array([0.1, 0.15, 0.08, 0.2, 0.11])
    mine, house = t_test(values, 1 / 3), corrected_t(values, 1 / 3, bounds=None)
    assert (mine.mean, mine.low, mine.high) == pytest.approx((house.mean, house.low, house.high), rel=1e-12)
    # the p that goes with it: 0.05 where the interval just touches 0
    shift = values - mine.low
    assert t_test(shift, 1 / 3).p == pytest.approx(0.05, rel=1e-9)
    assert t_test(values, 1 / 3).p > t_test(values).p


def test_edges():
    assert t_test([0.0, 0.0, 0.0]) == TTest(0.0, 0.0, 0.0, 1.0, 3)
    assert t_test([0.5, 0.5]).p == 0.0
    assert np.isnan(t_test([0.5]).p) and t_test([0.5]).mean == 0.5
    assert np.isnan(t_test([]).mean) and t_test([]).n == 0
    assert t_test([1.0, np.nan, 3.0]).n == 2


def test_it_errs_as_often_as_it_says():
    """Independent differences around 0: a plain test at 0.05 rejects in 5% of cases."""
    rng = np.random.default_rng(1)
    wrong = np.mean([t_test(row).p < 0.05 for row in rng.normal(size=(2000, 20))])
    assert 0.035 < wrong < 0.065


def test_correction_makes_up_for_shared_test_rows():
    """Values that share a part rho of their variance, as splits that share test rows do: corrected 5%, plain far more."""
    rng = np.random.default_rng(2)
    share = split_share(1)
    rho = share / (1 + share)
    common = rng.normal(size=(2000, 1)) * np.sqrt(rho)
    draws = common + rng.normal(size=(2000, 20)) * np.sqrt(1 - rho)
    assert 0.035 < np.mean([t_test(row, share).p < 0.05 for row in draws]) < 0.065
    assert np.mean([t_test(row).p < 0.05 for row in draws]) > 0.3


@pytest.mark.parametrize(("folds", "share"), [(1, 1 / 3), (4, 1 / 3), (2, 1.0), (5, 0.25)])
def test_share_of_a_split(folds, share):
    assert split_share(folds) == pytest.approx(share)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    adjusted = holm([0.04, float("nan"), 0.03])
    assert np.isnan(adjusted[1]) and adjusted[0] == adjusted[2] == pytest.approx(0.06)
    assert holm([]) == []
