"""Intervals: the corrected resampled t worked by hand, against scipy, its coverage; the percentile bootstrap; differences."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from engine.analysis.metrics import scores
from engine.stats import intervals
from engine.stats.bootstrap import add_prior_rows, bayesian_weights, bootstrap_weights
from engine.stats.intervals import corrected_t, difference_interval, draw_interval, find_open_end, percentile_interval


def test_corrected_t_by_hand():
    # Values 0.40 0.50 0.60 0.50: mean 0.5; squares of the deviations 0.01 0 0.01 0, so s^2 = 0.02 / 3 = 0.0066667.
    # Training 60%, test 20% of the rows: n_test / n_train = 1/3. Variance of the mean (1/4 + 1/3) * 0.0066667 = 0.0038889,
    # its root 0.0623610; t(0.975; 3) = 3.182446 from any table; half-width 0.1984603.
    got = corrected_t(np.array([0.40, 0.50, 0.60, 0.50]), 1 / 3)
    assert (got.mean, got.n, got.kind) == (pytest.approx(0.5), 4, intervals.CORRECTED_T)
    assert got.low == pytest.approx(0.3015397, abs=5e-7)
    assert got.high == pytest.approx(0.6984603, abs=5e-7)


@pytest.mark.parametrize("n", [2, 5, 20, 100])
def test_corrected_t_against_scipy(n):
    values = np.random.default_rng(n).normal(0.5, 0.01, n)
    for share in (0.0, 0.25, 1.0):
        scale = math.sqrt((1 / n + share) * values.var(ddof=1))
        low, high = stats.t.interval(0.95, n - 1, loc=values.mean(), scale=scale)
        got = corrected_t(values, share, bounds=None)
        assert got.low == pytest.approx(low, rel=1e-10) and got.high == pytest.approx(high, rel=1e-10)
    plain = corrected_t(values, 0.0, bounds=None)  # no overlap: Student's
    assert (plain.low, plain.high) == pytest.approx(stats.t.interval(0.95, n - 1, values.mean(), stats.sem(values)))


def test_clipped_to_the_range_of_the_metric():
    values = np.array([0.99, 0.9, 1.0])
    assert corrected_t(values, 0.5).high == 1 and corrected_t(1 - values, 0.5).low == 0
    wide = corrected_t(np.array([-0.9, 0.9]), 0.5, bounds=(-1, 1))
    assert (wide.low, wide.high) == (-1, 1)
    assert corrected_t(values, 0.5, bounds=None).high > 1


def test_replicates_without_a_value_are_left_out():
    got = corrected_t(np.array([0.4, np.nan, 0.6]), 0.2)
    assert got == corrected_t(np.array([0.4, 0.6]), 0.2) and got.n == 2
    for values, mean in (([0.3, np.nan], 0.3), ([np.nan], math.nan), ([], math.nan)):
        none = corrected_t(np.array(values), 0.2)
        assert none.kind == intervals.NONE and math.isnan(none.low) and math.isnan(none.high)
        assert none.mean == pytest.approx(mean, nan_ok=True)


def test_equal_values_have_an_interval_of_no_width():
    got = corrected_t(np.full(5, 0.25), 0.25)
    assert (got.low, got.mean, got.high) == (0.25, 0.25, 0.25)


def test_coverage_with_independent_replicates():
    """With no overlap of training sets (share 0) 95% of the intervals hold the truth: 4,000 of them, +- 4 sd."""
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(4000):
        got = corrected_t(rng.normal(0.2, 1.0, 8), 0.0, bounds=None)
        held += got.low <= 0.2 <= got.high
    assert abs(held / 4000 - 0.95) < 4 * math.sqrt(0.95 * 0.05 / 4000)


def test_coverage_with_correlated_replicates():
    """Replicates with a common part, of correlation rho = n_test / (n_test + n_train): what the correction is derived for."""
    rng = np.random.default_rng(1)
    share, n = 0.25, 10
    rho = share / (1 + share)
    held = {share: 0, 0.0: 0}
    for _ in range(4000):
        values = math.sqrt(rho) * rng.normal() + math.sqrt(1 - rho) * rng.normal(size=n)
        for s in held:
            got = corrected_t(values, s, bounds=None)
            held[s] += got.low <= 0 <= got.high
    assert abs(held[share] / 4000 - 0.95) < 4 * math.sqrt(0.95 * 0.05 / 4000)
    assert held[0.0] / 4000 < 0.8  # the uncorrected one is far too narrow


def test_percentile_closed_form():
    # Draws 0, 1, ..., 1000 in thousandths: the 2.5% and 97.5% quantiles are 0.025 and 0.975.
    draws = np.random.default_rng(0).permutation(1001) / 1000
    got = percentile_interval(0.4, draws)
    assert (got.mean, got.n, got.kind) == (0.4, 1, intervals.BOOTSTRAP)
    assert got.low == pytest.approx(0.025) and got.high == pytest.approx(0.975)
    with_gaps = percentile_interval(0.4, np.concatenate([draws, [np.nan] * 50]))
    assert (with_gaps.low, with_gaps.high) == (got.low, got.high)


@pytest.mark.parametrize(("value", "draws"), [(0.5, [0.4]), (0.5, [np.nan, np.nan, 0.3]), (np.nan, [0.1, 0.2, 0.3])])
def test_percentile_without_draws_or_value(value, draws):
    got = percentile_interval(value, np.array(draws))
    assert got.kind == intervals.NONE and math.isnan(got.low) and math.isnan(got.high)


def test_difference_is_paired():
    rng = np.random.default_rng(2)
    hard = rng.normal(0.5, 0.2, 6)  # how hard each replicate is: common to both methods
    mine, theirs = hard + np.array([0.03, 0.02, 0.04, 0.03, 0.02, 0.04]), hard
    got = difference_interval(mine, theirs, 0.25)
    assert got == corrected_t(mine - theirs, 0.25, bounds=None)
    assert got.above_zero and not got.below_zero and got.mean == pytest.approx(0.03)
    assert difference_interval(theirs, mine, 0.25).below_zero
    assert corrected_t(mine, 0.25).low < corrected_t(theirs, 0.25).high  # unpaired they overlap


def test_difference_of_one_replicate_uses_the_same_draws():
    common = np.random.default_rng(3).normal(0.5, 0.1, 2000)
    got = difference_interval(np.array([0.55]), np.array([0.5]), 0.25, common + 0.05, common, kind=intervals.BOOTSTRAP)
    assert got.kind == intervals.BOOTSTRAP and got.above_zero
    assert got.low == pytest.approx(0.05) and got.high == pytest.approx(0.05)
    new = difference_interval(np.array([0.55]), np.array([0.5]), 0.25, 1.2 * common + 0.05, common, kind=intervals.BAYESIAN)
    assert new.kind == intervals.BAYESIAN and new.low < 0.05 < new.high
    bare = difference_interval(np.array([0.55]), np.array([0.5]), 0.25)
    assert bare.kind == intervals.NONE and not bare.above_zero and not bare.below_zero


def test_an_interval_holds_its_value():
    """Ten positive rows ranked last of 100: nearly every draw repeats one of them and so scores better than the rows do."""
    y = np.repeat([0, 1], [90, 10])
    score = np.linspace(1, 0, 100)
    probability = np.column_stack([1 - score, score])
    value = float(scores(probability, y)["average_precision"][0])
    drawn = scores(probability, y, weights=bootstrap_weights(y, np.random.default_rng(0)))["average_precision"]
    assert np.quantile(drawn, 0.025) > value, "the case must be one"
    got = percentile_interval(value, drawn)
    assert got.low == value == got.mean < got.high
    assert percentile_interval(0.9, np.linspace(0.1, 0.8, 100)).high == 0.9


# ---- one split


THOUSANDTHS = st.integers(0, 1000).map(lambda k: k / 1000)


@given(THOUSANDTHS, st.lists(THOUSANDTHS, min_size=2, max_size=60), st.sampled_from([(0.0, 1.0), (-1.0, 1.0)]))
def test_an_end_equals_the_value_only_where_that_is_the_bound(value, draws, bounds):
    got = draw_interval(value, np.array(draws), bounds)
    if len(set(draws)) == 1:
        assert got.kind == intervals.NONE and math.isnan(got.low) and math.isnan(got.high)
    else:
        assert got.kind == intervals.BAYESIAN and bounds[0] <= got.low <= value <= got.high <= bounds[1]
        assert got.low < value or value == bounds[0]
        assert got.high > value or value == bounds[1]


def test_an_end_at_the_bound_is_open_where_it_is_the_value():
    assert find_open_end(1.0, 0.4, 1.0, (0, 1)) == 1 and find_open_end(0.0, 0.0, 0.3, (0, 1)) == -1
    for ends in ((0.5, 0.4, 1.0), (0.9, 0.4, 0.9), (0.5, 0.5, 0.5), (1.0, 1.0, 1.0), (1.0, math.nan, math.nan)):
        assert find_open_end(*ends, (0, 1)) == 0


def test_three_positive_rows_ranked_first_have_a_low_end_below_the_value():
    y = np.repeat([0, 1], [297, 3])
    score = np.concatenate([np.linspace(0, 0.5, 297), [0.9, 0.95, 0.99]])
    rows, labels = add_prior_rows(np.column_stack([1 - score, score]), y)
    drawn = scores(rows, labels, weights=bayesian_weights(y, 2, np.random.default_rng(0)))["average_precision"]
    got = draw_interval(1.0, drawn, (0.0, 1.0))
    assert got.kind == intervals.BAYESIAN and got.low < 0.7 and got.high == 1.0
    ranked_last = np.concatenate([np.linspace(0.5, 1, 297), [0.1, 0.2, 0.3]])
    value = float(scores(np.column_stack([1 - ranked_last, ranked_last]), y)["average_precision"][0])
    rows, labels = add_prior_rows(np.column_stack([1 - ranked_last, ranked_last]), y)
    drawn = scores(rows, labels, weights=bayesian_weights(y, 2, np.random.default_rng(0)))["average_precision"]
    got = draw_interval(value, drawn, (0.0, 1.0))
    assert got.low < value < got.high


def test_weights_keep_the_count_of_every_class_and_are_the_same_for_every_method():
    y = np.array([0, 1, 0, 2, 2, 0, 0, 0])
    one, other = (bayesian_weights(y, 4, np.random.default_rng(5), 200) for _ in range(2))
    assert (one == other).all() and one.shape == (200, 8 + 4 * 20)
    whole = np.concatenate([y, np.repeat([0, 1, 2, 3], 20)])
    for c, count in enumerate((5, 1, 2, 0)):
        assert one[:, whole == c].sum(1) == pytest.approx(np.full(200, count), rel=1e-5)
    assert one[:, :8].mean(0) == pytest.approx(np.array([5 / 6, 1 / 2, 5 / 6, 2 / 3, 2 / 3, 5 / 6, 5 / 6, 5 / 6]), abs=0.15)
