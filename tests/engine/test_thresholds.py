"""Threshold tables against closed forms and scikit-learn: counts, costs, targets, calibration and its two corrections."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import brier_score_loss, confusion_matrix, precision_recall_fscore_support

from engine.analysis.threshold_tables import (
    BINS,
    GRID,
    build_table,
    calibrate_isotonic,
    compute_reliability,
    correct_prior,
    count_outcomes,
)
from engine.errors import BadParameter
from engine.stats import thresholds
from engine.stats.thresholds import (
    VARIANTS,
    cost_per_row,
    counts_at,
    describe_calibration,
    precision_and_recall,
    threshold_for_cost,
    threshold_for_precision,
    threshold_for_recall,
)

TRUTH = np.array([0, 0, 0, 0, 0, 0, 1, 0, 1, 1], bool)
SCORE = np.array([0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.45, 0.6, 0.7, 0.9])


def same(score: np.ndarray = SCORE, truth: np.ndarray = TRUTH, passes: int = 1) -> dict[str, np.ndarray]:
    return build_table(dict.fromkeys(VARIANTS, score), truth, passes)


@pytest.fixture(scope="module")
def drawn() -> tuple[np.ndarray, np.ndarray]:
    """(score, truth): 4,000 rows, one in ten positive; a score too high by a factor of 3 in odds."""
    rng = np.random.default_rng(7)
    p = rng.beta(0.5, 4.5, 4000)
    return 3 * p / (3 * p + 1 - p), rng.random(4000) < p


def test_by_hand():
    t = same()
    half = counts_at(t, 0.5)
    assert (half["tp"], half["fp"], half["fn"], half["tn"]) == (2, 1, 1, 6)
    assert half["precision"] == pytest.approx(2 / 3) and half["recall"] == pytest.approx(2 / 3)
    assert half["f1"] == pytest.approx(2 / 3) and half["false_alarms"] == pytest.approx(1 / 7) and half["flagged"] == 0.3
    assert counts_at(t, 0.6)["tp"] == 2 and counts_at(t, 0.6)["fp"] == 1  # a score equal to the threshold is flagged
    assert counts_at(t, 0.61)["fp"] == 0


def test_the_ends_flag_everything_and_nothing():
    t = same()
    assert (counts_at(t, 0.0)["fn"], counts_at(t, 0.0)["tn"]) == (0, 0)
    none = counts_at(t, 2.0)
    assert none["tp"] == none["fp"] == 0 and np.isnan(none["precision"]) and none["recall"] == 0 and none["threshold"] == 1
    sure = same(np.ones(4), np.array([True, False, True, True]))
    assert counts_at(sure, 1.0)["tp"] == 3  # scores of 1 are flagged at 1
    assert counts_at(sure, 2.0)["tp"] == 0


@pytest.mark.parametrize("threshold", [0.0, 0.01, 0.05, 0.25, 0.5, 0.77, 0.99, 1.0])
def test_counts_are_scikit_learns(drawn, threshold):
    score, truth = drawn
    found = counts_at(same(score, truth), threshold)
    (tn, fp), (fn, tp) = confusion_matrix(truth, score >= threshold, labels=[False, True])
    assert [found[k] for k in ("tn", "fp", "fn", "tp")] == [tn, fp, fn, tp]
    precision, recall, f1, _ = precision_recall_fscore_support(truth, score >= threshold, average="binary", zero_division=0)
    assert np.nan_to_num(found["precision"]) == pytest.approx(precision)
    assert (found["recall"], found["f1"]) == pytest.approx((recall, f1))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1, width=32), st.booleans()), min_size=1, max_size=40))
def test_counts_add_up_at_every_threshold(pairs):
    score, truth = np.array([p for p, _ in pairs], np.float32), np.array([y for _, y in pairs])
    found = count_outcomes(score, truth)
    for i in (0, 7, 50, len(GRID) // 2, len(GRID) - 1):
        flagged = score >= GRID[i]
        assert (found["tp"][i], found["fp"][i]) == ((flagged & truth).sum(), (flagged & ~truth).sum())
    assert (found["tp"] + found["fn"] == truth.sum()).all() and (found["fp"] + found["tn"] == (~truth).sum()).all()
    assert (np.diff(found["tp"]) <= 0).all() and (np.diff(found["fp"]) <= 0).all()


def test_several_passes_are_counted_as_one():
    once, thrice = same(), same(np.tile(SCORE, 3), np.tile(TRUTH, 3), 3)
    for name in ("tp", "fp", "fn", "tn", "mean", "observed", "count", "brier", "ece"):
        np.testing.assert_allclose(once[name], thrice[name], err_msg=name)


def test_the_cheapest_threshold_by_hand():
    t = same()
    # a miss is dear: 0.45 finds all three with one false alarm; costs are per row
    found = threshold_for_cost(t, 10, 1)
    assert (found["tp"], found["fp"], found["fn"]) == (3, 1, 0) and found["cost"] == pytest.approx(0.1)
    assert found["expected"] == pytest.approx(1 / 11)
    # a false alarm is dear: 0.7 and above, two found, one missed
    found = threshold_for_cost(t, 1, 10)
    assert (found["tp"], found["fp"], found["fn"]) == (2, 0, 1) and found["cost"] == pytest.approx(0.1)
    assert threshold_for_cost(t, 0, 1)["fp"] == 0 and threshold_for_cost(t, 1, 0)["fn"] == 0


def test_no_threshold_is_cheaper(drawn):
    score, truth = drawn
    t = same(score, truth)
    for miss, alarm in ((1, 1), (20, 1), (1, 5)):
        by_hand = [(miss * (truth & (score < g)).sum() + alarm * (~truth & (score >= g)).sum()) / len(truth) for g in GRID]
        np.testing.assert_allclose(cost_per_row(t, miss, alarm), by_hand, atol=1e-12)
        assert threshold_for_cost(t, miss, alarm)["cost"] == pytest.approx(min(by_hand))


def test_right_probabilities_need_no_tuning():
    rng = np.random.default_rng(3)
    p = rng.random(200_000)
    found = threshold_for_cost(same(p, rng.random(len(p)) < p), 4, 1)
    assert abs(found["threshold"] - found["expected"]) < 0.03 and found["expected"] == 0.2


def test_targets_by_hand():
    t = same()
    assert (threshold_for_recall(t, 1.0)["recall"], threshold_for_recall(t, 1.0)["precision"]) == (1, 0.75)
    assert threshold_for_recall(t, 0.6)["precision"] == 1 and threshold_for_recall(t, 0.6)["recall"] == pytest.approx(2 / 3)
    assert threshold_for_precision(t, 1.0)["recall"] == pytest.approx(2 / 3)
    assert threshold_for_precision(t, 0.75)["recall"] == 1
    hopeless = same(np.array([0.9, 0.8, 0.1]), np.array([False, False, True]))
    assert threshold_for_precision(hopeless, 0.5) is None and threshold_for_recall(hopeless, 1.0)["precision"] == pytest.approx(
        1 / 3
    )


def test_rates_are_those_of_the_thresholds(drawn):
    t = same(*drawn)
    precision, recall = precision_and_recall(t)
    for i in (0, 60, 150):
        found = counts_at(t, GRID[i])
        assert (precision[i], recall[i]) == pytest.approx((found["precision"], found["recall"]))
    assert np.isnan(precision[-1]) and recall[-1] == 0


@pytest.mark.parametrize(
    "ask",
    [
        lambda t: threshold_for_cost(t, -1, 1), lambda t: threshold_for_cost(t, 0, 0), lambda t: threshold_for_cost(t, float("nan"), 1),
        lambda t: threshold_for_cost(t, float("inf"), 1), lambda t: threshold_for_recall(t, 0), lambda t: threshold_for_recall(t, 1.1),
        lambda t: threshold_for_precision(t, float("nan")), lambda t: counts_at(t, 0.5, "magic"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_one_sentence(ask):
    with pytest.raises(BadParameter, match=r"\.$"):
        ask(same())


# ---- calibration


def test_reliability_is_scikit_learns(drawn):
    score, truth = drawn
    found = compute_reliability(score, truth)
    held = found["count"] > 0
    observed, mean = calibration_curve(truth, score, n_bins=BINS)
    np.testing.assert_allclose(found["observed"][held], observed)
    np.testing.assert_allclose(found["mean"][held], mean)
    told = describe_calibration(same(score, truth))
    assert told["brier"] == pytest.approx(brier_score_loss(truth, score))
    assert sum(b["rows"] for b in told["bins"]) == len(score)
    by_hand = sum(b["rows"] * abs(b["predicted"] - b["observed"]) for b in told["bins"]) / len(score)
    assert told["ece"] == pytest.approx(by_hand)


def test_empty_bins_are_left_out():
    told = describe_calibration(same(np.array([0.05, 0.95, 0.96]), np.array([False, True, True])))
    assert [b["rows"] for b in told["bins"]] == [1, 2] and told["bins"][1] == {
        "predicted": pytest.approx(0.955),
        "observed": 1,
        "rows": 2,
    }


def test_prior_correction_by_hand():
    # trained on as many of each, while one in ten is positive: odds are divided by 9
    corrected = correct_prior(np.array([[0.5, 0.5], [0.1, 0.9], [1.0, 0.0]]), np.array([50, 50]), np.array([90, 10]))
    np.testing.assert_allclose(corrected[:, 1], [0.1, 0.5, 0.0])
    np.testing.assert_allclose(corrected.sum(1), 1)
    # three classes: p_c natural_c / given_c, by hand 0.2 * 3, 0.3 * 2, 0.5 * 1 over their sum 1.7
    three = correct_prior(np.array([[0.2, 0.3, 0.5]]), np.array([1, 1, 1]), np.array([3, 2, 1]))
    np.testing.assert_allclose(three, [[0.6 / 1.7, 0.6 / 1.7, 0.5 / 1.7]])
    unseen = correct_prior(np.array([[0.5, 0.5]]), np.array([10, 0]), np.array([10, 5]))
    np.testing.assert_allclose(unseen, [[0.5, 0.5]])


def test_prior_correction_undoes_what_balancing_did():
    # two normal classes: the posterior at one mixture, corrected, is the posterior at the other
    x = np.linspace(-4, 5, 200)
    densities = np.stack([np.exp(-(x**2) / 2), np.exp(-((x - 1) ** 2) / 2)], 1)

    def posterior(shares: np.ndarray) -> np.ndarray:
        joint = densities * shares
        return joint / joint.sum(1, keepdims=True)

    balanced, natural = np.array([0.5, 0.5]), np.array([0.95, 0.05])
    np.testing.assert_allclose(correct_prior(posterior(balanced), balanced, natural), posterior(natural), atol=1e-12)


def test_prior_correction_repairs_over_sampled_scores(drawn):
    score, truth = drawn  # odds three times too high, as after over-sampling by 3
    fixed = correct_prior(np.stack([1 - score, score], 1), np.array([1, 3]), np.array([1, 1]))[:, 1]
    t = build_table({"as trained": score, "prior corrected": fixed, "isotonic": fixed}, truth, 1)
    before, after = describe_calibration(t), describe_calibration(t, "prior corrected")
    assert after["ece"] < 0.02 < 0.05 < before["ece"] and after["brier"] < before["brier"]
    # the ranking is the same, so are the counts at thresholds that correspond
    np.testing.assert_array_equal(np.argsort(score, kind="stable"), np.argsort(fixed, kind="stable"))


def test_isotonic_by_hand():
    # pooling of adjacent violators: 0.2 and 0.4 are out of order and share their mean
    score, truth = np.array([0.1, 0.2, 0.4, 0.8]), np.array([False, True, False, True])
    out = calibrate_isotonic(score, truth, np.ones(4), np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.8, 1.0]))
    np.testing.assert_allclose(out, [0, 0, 0.5, 0.5, 0.5, 1, 1])
    # a negative row that stands for three: (1 * 1 + 0 * 3) / 4
    weighted = calibrate_isotonic(score, truth, np.array([1, 1, 3, 1]), np.array([0.2]))
    np.testing.assert_allclose(weighted, [0.25])


def test_isotonic_is_scikit_learns_on_validation_rows(drawn):
    score, truth = drawn
    valid, test = slice(0, 1500), slice(1500, None)
    weight = np.where(truth[valid], 1.0, 2.5)
    ours = calibrate_isotonic(score[valid], truth[valid], np.ones(1500), score[test])
    for weights in (np.ones(1500), weight):
        for rounded in (score, score.round(2)):  # ties too
            theirs = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
            theirs.fit(rounded[valid], truth[valid].astype(float), sample_weight=weights)
            found = calibrate_isotonic(rounded[valid], truth[valid], weights, rounded[test])
            np.testing.assert_allclose(found, theirs.predict(rounded[test]), atol=1e-12)
    t = build_table({"as trained": score[test], "prior corrected": score[test], "isotonic": ours}, truth[test], 1)
    assert describe_calibration(t, "isotonic")["ece"] < describe_calibration(t)["ece"] / 2


def test_the_grid():
    assert (np.diff(GRID) > 0).all() and GRID[0] == 0 and GRID[-1] > 1 and set(np.arange(101) / 100) <= set(GRID)
    assert GRID[1] < 1e-4  # probabilities of rare classes are small
    assert thresholds.variant_index("isotonic") == 2
