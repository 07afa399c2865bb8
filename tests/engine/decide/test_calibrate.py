"""Calibrations: equal to scikit-learn's, chosen on validation rows alone, and right where the truth is known."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator

from engine.analysis.threshold_tables import correct_prior
from engine.decide.build import weigh_classes
from engine.decide.calibrate import fit_calibrations, fit_curve, sample_rows
from engine.stats.decide import PRIOR, calibrate, describe_calibrations, logit, read_about
from tests.engine.decide.made import build, draw, pair, rows


class Given(ClassifierMixin, BaseEstimator):
    """Gives its input back as decision."""

    def fit(self, x, y, sample_weight=None):
        self.classes_ = np.array([0, 1])
        return self

    def decision_function(self, x):
        return x[:, 0]

    def predict(self, x):
        return (x[:, 0] > 0).astype(int)


@pytest.mark.parametrize("name", ["sigmoid", "temperature", "isotonic"])
def test_calibrations_are_those_of_scikit_learn(name):
    rng = np.random.default_rng(1)
    valid = draw(rng, 1500, 0.2, signal=1.5)
    new = draw(rng, 200, 0.2, signal=1.5).score
    own = fit_curve(name, valid)
    z = logit(valid.score) if name != "isotonic" else valid.score
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of weights, which are all 1 here
        theirs = CalibratedClassifierCV(FrozenEstimator(Given().fit(None, None)), method=name, ensemble=False).fit(
            z[:, None], valid.y.astype(int)
        )
    at = logit(new) if name != "isotonic" else new
    np.testing.assert_allclose(own(new), theirs.predict_proba(at[:, None])[:, 1], rtol=0, atol=2e-6)


def test_weights_count_as_copies():
    rng = np.random.default_rng(2)
    valid = draw(rng, 300, 0.3, signal=1.5)
    twice = rows(np.r_[valid.y, valid.y[:100]], np.r_[valid.score, valid.score[:100]])
    weighted = replace(valid, weight=np.r_[np.full(100, 2.0), np.ones(200)])
    at = np.linspace(0.01, 0.99, 50)
    for name in ("sigmoid", "temperature", "isotonic"):
        np.testing.assert_allclose(fit_curve(name, weighted)(at), fit_curve(name, twice)(at), rtol=0, atol=1e-6)


def test_many_rows_are_sampled_with_weights_that_keep_the_shares():
    rng = np.random.default_rng(10)
    every = draw(rng, 60_000, 0.01, signal=2.0)
    some = sample_rows(every, rng)
    assert len(some.y) == 10_000 and some.y.sum() == every.y.sum() and some.weight.sum() == pytest.approx(60_000)
    assert np.average(some.y, weights=some.weight) == pytest.approx(every.y.mean())
    at = np.array([0.02, 0.1, 0.5])
    for name in ("sigmoid", "temperature"):
        np.testing.assert_allclose(fit_curve(name, some)(at), fit_curve(name, every)(at), rtol=0.15)
    rich = sample_rows(draw(rng, 30_000, 0.9), rng)
    assert len(rich.y) == 10_000 and (~rich.y).sum() > 2000
    assert sample_rows(every, rng, 100_000) is every


def test_prior_correction_is_that_of_saerens():
    p = np.array([0.01, 0.4, 0.97])
    own = fit_curve(PRIOR, draw(np.random.default_rng(0), 50, 0.5), given=0.5, natural=0.02)
    theirs = correct_prior(np.stack([1 - p, p], 1), np.array([0.5, 0.5]), np.array([0.98, 0.02]))[:, 1]
    np.testing.assert_allclose(own(p), theirs, rtol=0, atol=1e-12)


def test_the_choice_finds_what_is_wrong_with_the_scores():
    rng = np.random.default_rng(3)
    right = draw(rng, 4000, 0.2, signal=2.0, calibrated=True)
    loss = build([pair(right)] * 2)["log_loss"].mean(1)
    assert loss[0] - loss.min() < 5e-4  # nothing was wrong, so nothing helps
    balanced = replace(right, score=fit_curve(PRIOR, right, given=0.2, natural=0.5)(right.score))
    about = read_about(build([pair(balanced, given=0.5)] * 2))
    assert about["calibration"] == PRIOR
    sharp = replace(right, score=1 / (1 + np.exp(-3 * logit(right.score))))
    arrays = build([pair(sharp)] * 2)
    about = read_about(arrays)
    assert about["calibration"] in ("temperature", "sigmoid")
    v = about["calibrations"].index("temperature")
    np.testing.assert_allclose(arrays["slope"][v], 1 / 3, rtol=0.1)
    assert (arrays["test_log_loss"][v] < arrays["test_log_loss"][0]).all()
    crooked = replace(right, score=np.where(right.score > 0.1, 0.5 + right.score / 2, right.score / 2))
    assert read_about(build([pair(crooked)] * 2))["calibration"] == "isotonic"


def test_isotonic_needs_1000_validation_rows():
    rng = np.random.default_rng(4)
    assert "isotonic" not in read_about(build([pair(draw(rng, 999, 0.2))] * 2))["calibrations"]
    assert "isotonic" in read_about(build([pair(draw(rng, 1000, 0.2))] * 2))["calibrations"]


def test_calibration_reads_no_test_row():
    rng = np.random.default_rng(5)
    valid, test = draw(rng, 1200, 0.2), draw(rng, 500, 0.2)
    one = build([pair(valid, test)] * 2)
    other = build([pair(valid, replace(test, y=~test.y, score=test.score[::-1].copy()))] * 2)
    for key in ("slope", "shift", "log_loss", "isotonic_x", "isotonic_y"):
        np.testing.assert_array_equal(one[key], other[key])
    assert read_about(one)["calibration"] == read_about(other)["calibration"]


def test_log_loss_is_cross_fitted():
    """On noise, isotonic regression looks better than it is on the rows it was fitted to; cross-fitted it looks no better."""
    rng = np.random.default_rng(6)
    noise = draw(rng, 1000, 0.2, signal=0.0)
    fitted = fit_calibrations([pair(noise)] * 2, np.random.default_rng(0))
    v, sigmoid = fitted.names.index("isotonic"), fitted.names.index("sigmoid")
    assert fitted.arrays["log_loss"][v].mean() > fitted.arrays["log_loss"][sigmoid].mean()
    assert (
        fitted.arrays["test_log_loss"][v].mean() < fitted.arrays["log_loss"][v].mean()
    )  # here the test rows are those fitted to


def test_scores_that_rank_the_wrong_way_are_not_turned_round():
    rng = np.random.default_rng(7)
    valid = draw(rng, 500, 0.3, signal=2.0)
    turned = replace(valid, score=1 - valid.score)
    curve = fit_curve("sigmoid", turned)
    assert curve.slope == 0 and curve(np.array([0.1, 0.9])) == pytest.approx(valid.y.mean())


@pytest.mark.parametrize("name", ["sigmoid", "temperature", "isotonic", "prior corrected"])
def test_degenerate_scores_are_calibrated_without_a_stop(name):
    for y, score in (([0, 0, 1, 1], [0, 0, 1, 1]), ([0, 1, 0, 1], [0.5] * 4), ([0, 0, 0, 0], [0.1, 0.2, 0.3, 0.4])):
        p = fit_curve(name, rows(y, score), given=0.5, natural=0.4)(np.array([0.0, 0.5, 1.0]))
        assert np.isfinite(p).all() and (np.diff(p) >= -1e-12).all() and p.min() >= 0 and p.max() <= 1


def test_weights_restore_the_classes_left_out():
    y = np.array([0, 0, 1, 1, 1, 2])
    weight = weigh_classes(y, np.array([8, 3, 1]))
    assert np.bincount(y, weight) / weight.sum() == pytest.approx(np.array([8, 3, 1]) / 12) and weight.mean() == pytest.approx(
        1
    )


def test_arrays_calibrate_as_the_curves_do():
    rng = np.random.default_rng(8)
    scored = [pair(draw(rng, 1100, 0.2), given=0.4), pair(draw(rng, 1100, 0.2), given=0.4)]
    arrays, at = build(scored), np.linspace(0, 1, 21)
    for name in read_about(arrays)["calibrations"]:
        for r, one in enumerate(scored):
            np.testing.assert_allclose(
                calibrate(arrays, name, r, at), fit_curve(name, one.valid, one.given, one.natural)(at), atol=1e-9
            )


def test_calibrations_are_described_before_and_after():
    arrays = build([pair(draw(np.random.default_rng(9), 300, 0.2))] * 3)
    found = describe_calibrations(arrays)
    assert [one["name"] for one in found["candidates"]] == ["as trained", "prior corrected", "sigmoid", "temperature"]
    assert min(found["candidates"], key=lambda one: one["log_loss"])["name"] == found["chosen"]
    assert all(one["test_log_loss"]["mean"] > 0 for one in found["candidates"])
