"""The generalisation gap against cards A5 and A6: values, invariants, and what samplers may do to it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from engine.analysis.gap import (
    Gap,
    bootstrap_gap,
    compute_gap,
    gap_intervals,
    gaps_at_equal_sizes,
    gaps_by_outcome,
    mean_over_classes,
)
from engine.samplers.lines import eos, smote


def column(*values: float) -> np.ndarray:
    return np.array(values, dtype=float)[:, None]


def zeros(n: int) -> np.ndarray:
    return np.zeros(n, dtype=np.int64)


def embeddings(counts: tuple[int, ...], seed: int, features: int = 5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(len(counts)), counts)
    return np.arange(len(counts))[y, None] + rng.normal(size=(len(y), features)), y


TRAIN, TEST = embeddings((80, 25, 9), 0), embeddings((60, 40, 30), 1)
FOUND = compute_gap(*TRAIN, *TEST, 3)


def test_one_plus_two_is_three() -> None:
    found = compute_gap(column(0, 1), zeros(2), column(-1, 3), zeros(2), 1)
    assert found.features.tolist() == [[3.0]] and found.mean.tolist() == [3.0] and found.net == 3.0


def test_a_part_of_the_training_rows_has_no_gap() -> None:
    x, y = TRAIN
    assert compute_gap(x, y, x[::3], y[::3], 3).features.tolist() == np.zeros((3, 5)).tolist()


def test_sum_is_the_mean_times_the_features_and_the_net_is_over_classes() -> None:
    assert np.allclose(FOUND.sum, FOUND.mean * 5, rtol=1e-14) and np.isclose(FOUND.net, FOUND.mean.mean(), rtol=1e-14)
    assert FOUND.mean[0] < FOUND.mean[2]  # few training rows span little


def test_a_class_that_is_absent_is_nan_and_skipped() -> None:
    x, y = TRAIN
    for train, test in (((x, y), (TEST[0][TEST[1] != 1], TEST[1][TEST[1] != 1])), ((x[y != 1], y[y != 1]), TEST)):
        found = compute_gap(*train, *test, 3)
        assert np.isnan(found.mean).tolist() == [False, True, False]
        assert found.net == pytest.approx(FOUND.mean[[0, 2]].mean())
    assert np.isnan(compute_gap(x, y, x[:0], y[:0], 3).net)


def test_the_literal_formula_charges_minima_inside_the_range() -> None:
    inside = compute_gap(column(0, 10), zeros(2), column(2, 5), zeros(2), 1, literal=True)
    assert inside.net == -2.0 and compute_gap(column(0, 10), zeros(2), column(2, 5), zeros(2), 1).net == 0.0
    outside = compute_gap(column(0, 1), zeros(2), column(-1, 3), zeros(2), 1, literal=True)
    assert outside.net == -2.0


def test_tables_of_unequal_width_are_refused() -> None:
    with pytest.raises(ValueError, match="one d"):
        compute_gap(np.zeros((2, 3)), zeros(2), np.zeros((2, 4)), zeros(2), 1)


@given(hnp.arrays(np.float64, (12, 3), elements=st.floats(-1e6, 1e6)), st.randoms(use_true_random=False))
def test_order_and_repetition_change_nothing(x: np.ndarray, random: object) -> None:
    train, test, y = x[:6], x[6:], np.array([0, 1, 0, 1, 0, 1])
    order = list(range(6))
    random.shuffle(order)  # type: ignore[attr-defined]
    twice = [*order, *order[:3]]
    found, again = compute_gap(train, y, test, y, 2), compute_gap(train[twice], y[twice], test[twice], y[twice], 2)
    assert np.array_equal(found.features, again.features)


@given(hnp.arrays(np.float64, (9, 2), elements=st.floats(-1e3, 1e3)))
def test_more_test_rows_never_lower_it_and_more_training_rows_never_raise_it(x: np.ndarray) -> None:
    train, test, more = x[:3], x[3:6], x[6:]
    before = compute_gap(train, zeros(3), test, zeros(3), 1).features
    assert (compute_gap(train, zeros(3), np.concatenate([test, more]), zeros(6), 1).features >= before).all()
    assert (compute_gap(np.concatenate([train, more]), zeros(6), test, zeros(3), 1).features <= before).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["toward", "away"]), st.sampled_from(["paper", "released"]))
def test_smote_cannot_change_it_and_eos_never_raises_it(seed: int, direction: str, variant: str) -> None:
    x, y = embeddings((60, 15, 6), seed)
    x_t, y_t = torch.from_numpy(x), torch.from_numpy(y)
    wanted, rng = {1: 45, 2: 54}, np.random.default_rng(seed)
    before = compute_gap(x, y, *TEST, 3)
    within = smote(x_t, y_t, wanted, rng)
    across = eos(x_t, y_t, wanted, rng, direction=direction, variant=variant)
    after = [
        compute_gap(np.concatenate([x, d.x.numpy()]), np.concatenate([y, d.y.numpy()]), *TEST, 3).features
        for d in (within, across)
    ]
    assert np.allclose(after[0], before.features, rtol=0, atol=1e-12)
    assert (after[1] <= before.features).all()


def test_eos_does_lower_it() -> None:
    x, y = TRAIN
    made = eos(torch.from_numpy(x), torch.from_numpy(y), {1: 55, 2: 71}, np.random.default_rng(0))
    after = compute_gap(np.concatenate([x, made.x.numpy()]), np.concatenate([y, made.y.numpy()]), *TEST, 3)
    assert (after.mean[1:] < FOUND.mean[1:]).all() and after.mean[0] == FOUND.mean[0]


# ---- correct against errors


def test_errors_are_grouped_by_their_true_class_or_by_the_predicted_one() -> None:
    train, train_y = column(0, 1, 10, 11), np.array([0, 0, 1, 1])
    test, test_y = column(0.5, 4, 10.5, 13), np.array([0, 0, 1, 1])
    predicted = np.array([0, 1, 1, 1])  # the second row is an error of class 0, taken for class 1
    true = gaps_by_outcome(train, train_y, test, test_y, predicted, 2)
    assert true.correct.mean.tolist() == [0.0, 2.0] and true.rows.tolist() == [[1, 2], [1, 0]]
    assert true.errors.mean[0] == 3.0 and np.isnan(true.errors.mean[1]) and np.isnan(true.ratio)
    taken = gaps_by_outcome(train, train_y, test, test_y, predicted, 2, errors_by="predicted")
    assert np.isnan(taken.errors.mean[0]) and taken.errors.mean[1] == 6.0 and taken.ratio == 3.0
    with pytest.raises(ValueError, match="errors_by"):
        gaps_by_outcome(train, train_y, test, test_y, predicted, 2, errors_by="neither")


def test_outcomes_at_equal_sizes() -> None:
    predicted = np.where(np.random.default_rng(2).random(len(TEST[1])) < 0.2, (TEST[1] + 1) % 3, TEST[1])
    whole = gaps_by_outcome(*TRAIN, *TEST, predicted, 3)
    equal = gaps_by_outcome(*TRAIN, *TEST, predicted, 3, equal=np.random.default_rng(0))
    assert (equal.rows == whole.rows.min(0)).all() and (whole.rows[0] > whole.rows[1]).all()
    assert (equal.correct.features <= whole.correct.features).all()
    assert np.array_equal(equal.errors.features, whole.errors.features)
    again = gaps_by_outcome(*TRAIN, *TEST, predicted, 3, equal=np.random.default_rng(0))
    assert np.array_equal(again.correct.features, equal.correct.features)


# ---- sample size


def test_the_control_draws_as_many_rows_of_every_class() -> None:
    drawn = gaps_at_equal_sizes(*TRAIN, *TEST, 3, np.random.default_rng(0), repeats=30)
    assert drawn.shape == (30, 3) and np.allclose(drawn[:, 2], FOUND.mean[2], rtol=0, atol=0)  # the smallest keeps its rows
    assert (drawn <= FOUND.mean).all() and (drawn[:, 0] < FOUND.mean[0]).any()
    assert np.array_equal(gaps_at_equal_sizes(*TRAIN, *TEST, 3, np.random.default_rng(0), repeats=30), drawn)
    few = gaps_at_equal_sizes(*TRAIN, *TEST, 3, np.random.default_rng(0), test_rows=35)
    assert np.isnan(few[:, 2]).all() and not np.isnan(few[:, :2]).any()


def test_sample_size_alone_makes_a_rising_curve_and_the_control_takes_it_away() -> None:
    rng = np.random.default_rng(0)
    counts = (400, 80, 16)
    train_y, test_y = np.repeat(np.arange(3), counts), np.repeat(np.arange(3), 50)
    train, test = rng.normal(size=(496, 64)), rng.normal(size=(150, 64))  # one distribution for all
    found = compute_gap(train, train_y, test, test_y, 3).mean
    assert found[0] < 0.5 * found[1] < 0.5 * found[2]
    equal = gaps_at_equal_sizes(train, train_y, test, test_y, 3, rng, train_rows=16).mean(0)
    assert equal.max() < 1.15 * equal.min()


# ---- intervals


def test_bootstrap_draws_are_those_of_the_plain_way() -> None:
    from engine.stats.bootstrap import bootstrap_weights

    drawn = bootstrap_gap(*TRAIN, *TEST, 4, np.random.default_rng(3), n=25)
    weights = bootstrap_weights(TEST[1], np.random.default_rng(3), 25)
    for i in range(25):
        rows = np.repeat(np.arange(len(TEST[1])), weights[i])
        assert np.allclose(drawn[i, :3], compute_gap(*TRAIN, TEST[0][rows], TEST[1][rows], 3).mean, rtol=1e-13)
    assert np.isnan(drawn[:, 3]).all() and (drawn[:, :3] <= FOUND.mean + 1e-12).all()


def test_intervals() -> None:
    drawn = bootstrap_gap(*TRAIN, *TEST, 4, np.random.default_rng(0))
    found = compute_gap(*TRAIN, *TEST, 4)
    per_class, net = gap_intervals(found, drawn)
    for c, interval in enumerate(per_class[:3]):
        assert interval.mean == found.mean[c] and 0 <= interval.low < interval.high <= interval.mean + 1e-12
    assert np.isnan(per_class[3].low) and net.mean == found.net and net.low < net.high <= net.mean + 1e-12


def test_over_classes_of_nothing() -> None:
    assert np.isnan(mean_over_classes(np.array([np.nan]))) and np.isnan(Gap(np.full((2, 3), np.nan)).net)
