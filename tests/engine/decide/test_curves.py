"""Curves of a cut: by hand, by an independent form, and against stored numbers of dcurves."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, precision_recall_curve, roc_curve

from engine.stats.decide import AS_TRAINED, Rule, expit, logit, move_share, read_decide
from engine.stats.decide_curves import read_curves
from tests.engine.decide.made import build, draw, pair, rows

STORED = json.loads((Path(__file__).parent / "dcurves.json").read_text(encoding="utf-8"))
"""Net benefit as dcurves 1.1.7 (Sjoberg and others) gives it, which needs pandas below 3. A case counts as positive at p >= threshold."""


def curves(arrays, **more):
    return read_curves(arrays, calibration=AS_TRAINED, **more)


def net_benefit(y, p, threshold, share=None):
    """TP/n - FP/n t/(1 - t) (Vickers and Elkin 2006), in plain Python."""
    n, positive = len(y), sum(y)
    tp = sum(1 for truth, risk in zip(y, p, strict=True) if truth and risk >= threshold)
    fp = sum(1 for truth, risk in zip(y, p, strict=True) if not truth and risk >= threshold)
    odds = threshold / (1 - threshold)
    if share is None:
        return tp / n - fp / n * odds
    return share * tp / positive - (1 - share) * fp / (n - positive) * odds


def test_net_benefit_is_that_of_dcurves_and_of_its_definition():
    y, p, t = np.array(STORED["y"]), np.array(STORED["p"]), np.array(STORED["threshold"])
    arrays = build([pair(rows(y, p))] * 2)
    found, there = curves(arrays)["net_benefit"], curves(arrays, share=0.05)["net_benefit"]
    at = [int(np.argmin(abs(found["x"] - one))) for one in t]
    np.testing.assert_allclose(found["x"][at], t, rtol=0, atol=1e-15)
    np.testing.assert_allclose(found["mean"][at] / 1000, STORED["model"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(found["all"][at] / 1000, STORED["all"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(there["mean"][at] / 1000, STORED["model_at_5_percent"], rtol=0, atol=1e-12)
    plain = [net_benefit(y, p, one) for one in t]
    np.testing.assert_allclose(found["mean"][at] / 1000, plain, rtol=0, atol=1e-12)
    plain = [net_benefit(y, p, one, 0.05) for one in t]
    np.testing.assert_allclose(there["mean"][at] / 1000, plain, rtol=0, atol=1e-12)


def test_gains_lift_and_cost_by_hand():
    y = [1, 1, 0, 1, 0, 0, 0, 0, 0, 0]
    found = curves(
        build([pair(rows(y, [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.15, 0.1]))] * 2), rule=Rule("cost", miss=4, alarm=1)
    )
    gains, lift, cost = found["gains"], found["lift"], found["cost"]
    for alerts, hit in ((100, 1), (1000, 3), (50, 0.5)):
        assert np.interp(alerts, gains["x"], gains["mean"]) == pytest.approx(hit / 3)
    assert np.interp(100, lift["x"], lift["mean"]) == pytest.approx(1 / 0.3)
    assert lift["mean"][-1] == pytest.approx(1.0)
    np.testing.assert_allclose(gains["random"], gains["x"] / 1000)
    for cut, price in ((0.55, 4 * 0 + 1), (0.65, 4 + 1), (0.0, 7), (0.99, 12)):
        assert cost["mean"][int(np.argmin(abs(cost["x"] - cut)))] == pytest.approx(100 * price)
    assert cost["lowest"]["y"] == pytest.approx(100)


def test_precision_recall_and_roc_are_those_of_scikit_learn():
    rng = np.random.default_rng(1)
    test = draw(rng, 400, 0.2, signal=1.5)
    found = curves(build([pair(test)] * 2))
    precision, recall, _ = precision_recall_curve(test.y, test.score)
    own = [precision[np.flatnonzero(recall >= r - 1e-12)[-1]] for r in found["pr"]["x"][1:]]
    np.testing.assert_allclose(found["pr"]["mean"][1:], own, rtol=0, atol=1e-12)
    fpr, tpr, _ = roc_curve(test.y, test.score, drop_intermediate=False)
    np.testing.assert_allclose(found["roc"]["mean"], np.interp(found["roc"]["x"], fpr, tpr), rtol=0, atol=1e-12)


def test_reliability_is_that_of_its_definition():
    rng = np.random.default_rng(2)
    test = draw(rng, 3000, 0.3, signal=2.0)
    found = curves(build([pair(test)] * 2))["reliability"]
    place = np.ceil(np.maximum(test.score, 1e-9) * 10).astype(int) - 1
    for i, k in enumerate(sorted(set(place))):
        here = place == k
        assert found["x"][i] == pytest.approx(test.score[here].mean()) and found["mean"][i] == pytest.approx(
            test.y[here].mean()
        )
        assert found["count"][i] == pytest.approx(here.mean())


def test_bayes_moves_odds_alone():
    p = np.array([0.0, 0.01, 0.3, 0.9, 1.0])
    np.testing.assert_allclose(move_share(p, 0.1, 0.1), p, atol=1e-15)
    moved = move_share(p, 0.2, 0.01)
    np.testing.assert_allclose(move_share(moved, 0.01, 0.2), p, atol=1e-12)
    np.testing.assert_allclose(logit(moved[1:4]) - logit(p[1:4]), logit(np.array(0.01)) - logit(np.array(0.2)), atol=1e-12)
    joint = 0.01 * 0.3 / 0.2  # by the definition: P(y, x) where the class has a share of .01
    assert moved[2] == pytest.approx(joint / (joint + 0.99 * 0.7 / 0.8))
    assert expit(logit(p))[1:4] == pytest.approx(p[1:4])


def test_a_share_in_use_is_that_of_rows_really_thinned_to_it():
    """Test rows thinned at random from a share of .2 to .02, many times: the mean of their counts is what Bayes says."""
    rng = np.random.default_rng(3)
    valid, test = draw(rng, 4000, 0.2), draw(rng, 4000, 0.2)
    arrays = build([pair(valid, test)] * 2)
    rule = Rule("hand", 0.5)
    said = {k: v["mean"] for k, v in read_decide(arrays, rule=rule, share=0.02, calibration=AS_TRAINED)["readings"].items()}
    positive, other = np.flatnonzero(test.y), np.flatnonzero(~test.y)
    n = round(len(other) * 0.02 / 0.98)
    kept = {k: [] for k in ("alerts", "tp", "fp", "fn", "cost", "net_benefit")}
    for _ in range(400):
        thin = test.take(np.concatenate([rng.choice(positive, n, replace=False), other]))
        found = read_decide(build_test(thin), rule=rule, calibration=AS_TRAINED)["readings"]
        for name, values in kept.items():
            values.append(found[name]["mean"])
    for name, values in kept.items():
        error = np.std(values) / np.sqrt(len(values))
        assert abs(np.mean(values) - said[name]) < 4 * error + 0.02, name
    assert said["precision"] == pytest.approx(np.mean(kept["tp"]) / np.mean(kept["alerts"]), rel=0.01)


def build_test(test):
    """Arrays of one part as test cases, with few validation cases."""
    return build([pair(test.take(np.arange(50)), test)] * 2)


def test_probabilities_at_a_share_are_calibrated_on_rows_thinned_to_it():
    rng = np.random.default_rng(4)
    valid, test = draw(rng, 20_000, 0.2, signal=2.0, calibrated=True), draw(rng, 100_000, 0.2, signal=2.0, calibrated=True)
    thin = test.take(~test.y | (rng.random(len(test.y)) < 0.05 / 0.95 / (0.2 / 0.8)))
    moved = move_share(thin.score, 0.2, 0.05)
    best = brier_score_loss(thin.y, moved)
    assert best < brier_score_loss(thin.y, thin.score)
    assert moved.mean() == pytest.approx(thin.y.mean(), rel=0.05)
    found = read_curves(build([pair(valid, test)] * 2), share=0.05, calibration="sigmoid")["reliability"]
    assert np.average(abs(found["x"] - found["mean"]), weights=found["count"]) < 0.01


def test_budgets_recalls_and_precisions_hold_at_the_share_in_use():
    rng = np.random.default_rng(5)
    part = draw(rng, 20_000, 0.2)
    arrays = build([pair(part)] * 2)
    for share in (None, 0.05, 0.001):
        at = read_decide(arrays, rule=Rule("alerts", 10), share=share)["readings"]
        assert 9 < at["alerts"]["mean"] <= 10 + 1e-9
        at = read_decide(arrays, rule=Rule("recall", 0.8), share=share)["readings"]
        assert 0.8 <= at["recall"]["mean"] < 0.85
    high = read_decide(arrays, rule=Rule("precision", 0.6), share=0.05)["readings"]
    assert 0.6 <= high["precision"]["mean"] < 0.65
    found = read_curves(arrays, rule=Rule("recall", 0.8))["shares"]
    usual = read_decide(arrays, rule=Rule("recall", 0.8))["cuts"]
    assert (np.diff(found["mean"]) > 0).all() and found["x"][0] == pytest.approx(1e-4)
    for i in (0, 20, 40):
        thin = read_decide(arrays, rule=Rule("hand", usual[0]), share=float(found["x"][i]), calibration=AS_TRAINED)["readings"]
        assert found["mean"][i] == pytest.approx(thin["precision"]["mean"])
        assert found["alerts"]["mean"][i] == pytest.approx(thin["alerts"]["mean"])
