"""Stratified draws: counts kept, every row as likely as the next, the interval of a mean as theory has it."""

import numpy as np
from scipy.stats import binom

from engine.analysis.metrics import scores
from engine.stats import intervals
from engine.stats.bootstrap import bootstrap_weights


def test_every_draw_keeps_every_class_count():
    y = np.array([2, 0, 0, 1, 0, 2, 0, 0])
    weights = bootstrap_weights(y, np.random.default_rng(0), 500)
    assert weights.shape == (500, 8) and weights.dtype == np.uint16
    for c in (0, 1, 2):
        assert (weights[:, y == c].sum(1) == (y == c).sum()).all()
    assert (weights[:, y == 1] == 1).all()  # the only row of its class


def test_same_stream_same_draws():
    y = np.arange(50) % 3
    first, again, other = (bootstrap_weights(y, np.random.default_rng(s), 20) for s in (4, 4, 5))
    assert (first == again).all() and (first != other).any()


def test_rows_are_drawn_as_a_binomial():
    n, k = 4000, 10
    weights = bootstrap_weights(np.zeros(k, int), np.random.default_rng(1), n)
    for times in range(4):
        share = (weights == times).mean()
        expected = binom.pmf(times, k, 1 / k)
        assert abs(share - expected) < 5 * np.sqrt(expected / n)


def test_recall_of_a_draw_spreads_as_a_binomial():
    """Closed form: with k of m positives found, recall on a draw is Binomial(m, k / m) / m."""
    m, k = 40, 30
    y = np.repeat([0, 1], [60, m])
    p = np.zeros(len(y))
    p[60 : 60 + k] = 1
    got = scores(np.stack([1 - p, p], 1), y, weights=bootstrap_weights(y, np.random.default_rng(2), 4000))
    recall = 2 * got["balanced_accuracy"] - 1  # recall of class 0 is 1
    interval = intervals.percentile_interval(k / m, recall)
    assert interval.kind == intervals.BOOTSTRAP and interval.n == 1 and interval.mean == k / m
    low, high = binom.ppf([0.025, 0.975], m, k / m) / m
    assert abs(interval.low - low) <= 1 / m + 1e-9 and abs(interval.high - high) <= 1 / m + 1e-9
