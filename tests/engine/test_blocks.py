"""Intervals over whole days or owners: an independent form, coverage where rows of a block are alike, and differences that are paired."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from engine.analysis import metrics
from engine.compare.spread import COVERS, Spread
from engine.seeds import numpy_stream
from engine.stats.blocks import BY_OWNER, BY_TIME, MOST, Score, block_interval, block_test, count_draws, draw_weights
from engine.stats.compared import change_level
from engine.stats.intervals import CORRECTED_T


def test_a_mean_has_the_standard_error_of_its_block_means():
    """With blocks of one size the bootstrap's standard error is that of the mean of block means; t has one degree less than blocks."""
    rng = np.random.default_rng(0)
    blocks, size = 30, 5
    values = np.repeat(rng.normal(size=blocks), size) + 0.2 * rng.normal(size=blocks * size)
    halves = []
    for seed in range(30):
        weights = draw_weights(np.repeat(np.arange(blocks), size), blocks, np.random.default_rng(seed)).astype(float)
        found = block_test([Score(float(values.mean()), weights @ values / weights.sum(1), blocks)])
        halves.append((found.high - found.low) / 2)
        assert found.n == blocks and len(weights) == MOST
    means = values.reshape(blocks, size).mean(1)
    expected = stats.t.ppf(0.975, blocks - 1) * means.std(ddof=1) / np.sqrt(blocks)
    assert np.mean(halves) == pytest.approx(expected, rel=0.03)


def test_intervals_cover_where_rows_of_a_day_are_alike_and_rows_alone_do_not():
    """200 tables whose rows share their day's level: whole days cover the true mean nearly as often as said, rows alone do not."""
    days, size, hits, naive = 25, 20, 0, 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        values = np.repeat(rng.normal(size=days), size) + rng.normal(size=days * size)
        weights = draw_weights(np.repeat(np.arange(days), size), days, rng).astype(float)
        found = block_test([Score(float(values.mean()), weights @ values / weights.sum(1), days)])
        hits += found.low <= 0 <= found.high
        alone = stats.t.interval(0.95, len(values) - 1, values.mean(), values.std(ddof=1) / np.sqrt(len(values)))
        naive += alone[0] <= 0 <= alone[1]
    assert 180 <= hits <= 199 and naive < 150


def test_p_and_interval_say_the_same_at_every_level():
    rng = np.random.default_rng(3)
    draws = 0.03 + 0.012 * rng.normal(size=300)
    found = block_test([Score(0.03, draws, 12)])
    interval = block_interval([Score(0.03, draws, 12)], BY_TIME, None)
    for level in (0.9, 0.95, 0.99, 0.999):
        assert (change_level(interval, level).low > 0) == (found.p < 1 - level)
    assert found.p == pytest.approx(2 * stats.t.sf(0.03 / ((found.high - 0.03) / stats.t.ppf(0.975, 11)), 11), rel=1e-9)


def test_origins_share_no_blocks_and_one_mean_each():
    draws = np.random.default_rng(0).normal(size=100)
    one = block_test([Score(0.1, draws, 10, 0), Score(0.1, draws, 10, 0)])
    two = block_test([Score(0.1, draws, 10, 0), Score(0.1, -draws, 10, 1)])
    assert one.n == 10 and two.n == 19
    assert two.high - two.low == pytest.approx(0, abs=1e-12)  # the draws of the mean over origins cancel here
    assert np.isnan(block_test([Score(0.1, None, 0)]).low) and np.isnan(block_test([Score(0.1, draws, 1)]).low)


def test_the_chance_of_training_is_counted():
    """Methods that are alike differ by chance: a test over days alone finds a difference far too often, this one about as said."""
    days, size, found, alone = 30, 10, 0, 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        scores = []
        for fold in range(4):
            for _ in range(1 + seed % 2):  # one seed, or two
                rows = np.repeat(0.3 * rng.normal(size=days), size) + rng.normal(size=days * size) + 0.4 * rng.normal()
                weights = draw_weights(np.repeat(np.arange(days), size), days, np.random.default_rng(fold)).astype(float)
                scores.append(Score(float(rows.mean()), weights @ rows / weights.sum(1), days, fold))
        found += block_test(scores).p < 0.05
        draws = np.mean([one.draws for one in scores], axis=0)
        alone += abs(np.mean([one.value for one in scores])) > 1.98 * draws.std()
    assert found <= 0.09 * 300 and alone > 0.25 * 300


def test_a_block_has_the_same_weights_whichever_rows_are_tested():
    first = draw_weights(np.array([0, 2, 2]), 5, np.random.default_rng(1))
    other = draw_weights(np.array([4, 2]), 5, np.random.default_rng(1))
    np.testing.assert_array_equal(first[:, 1], other[:, 1])
    np.testing.assert_array_equal(first[:, 1], first[:, 2])
    assert count_draws(10**9) < count_draws(1)


def test_a_spread_draws_days_for_all_methods_alike_and_nothing_at_random():
    rng = np.random.default_rng(0)
    y, day = (rng.random(400) < 0.3).astype(int), rng.integers(0, 40, 900)
    rows = np.arange(400)
    p = np.clip(0.3 * y + rng.random(400) * 0.7, 0, 1)
    both = np.stack([1 - p, p], 1)
    spread = Spread("time", 2, day)
    drawn, blocks = spread.draw(rows, y, both, 7, 1)
    assert blocks == len(np.unique(day[rows])) and set(drawn) >= {"average_precision", "f1", "mcc"}
    weights = draw_weights(day[rows], day.max() + 1, numpy_stream(7, "blocks", 1))
    np.testing.assert_allclose(drawn["average_precision"], metrics.scores(both, y, weights=weights)["average_precision"])
    assert drawn["average_precision"].std() > 0
    again = spread.draw(rows, y, both, 7, 1)[0]["average_precision"]
    np.testing.assert_array_equal(again, drawn["average_precision"])
    same = spread.compare({"a": {0: Score(0.5, again, blocks)}, "b": {0: Score(0.5, again, blocks)}}, "a")["b"]
    assert same.test.mean == same.test.low == same.test.high == 0 and same.kind == BY_TIME
    assert Spread().draw(rows, y, both, 7, 1) == ({}, 0)


def test_each_kind_says_what_it_covers_and_what_not():
    day = np.arange(4)
    names = {
        kind: Spread(kind, 2, day if "time" in kind else None, "group" in kind)
        for kind in ("random", "group", "time", "time-group")
    }
    assert [one.name for one in names.values()] == [CORRECTED_T, CORRECTED_T, BY_TIME, BY_OWNER]
    for kind, one in names.items():
        covers, lacks = one.covers.split(". ")
        assert covers.startswith("It covers") and "does not cover" in lacks and one.covers == COVERS[kind]
