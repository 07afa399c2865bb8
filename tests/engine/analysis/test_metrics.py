"""Metrics against scikit-learn and imbalanced-learn on the same draws, by hand, and where they are not defined."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imblearn.metrics import geometric_mean_score
from sklearn import metrics as sk

from engine.analysis.metrics import RECALLS, both_scores, class_scores, probability_scores, scores
from engine.spec.result import METRICS
from engine.stats.bootstrap import bootstrap_weights


def cases(classes: int, rows: int, seed: int, levels: int | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(probability, y, weights) with every class present; `levels` makes ties."""
    rng = np.random.default_rng(seed)
    y = np.concatenate([np.arange(classes), rng.integers(classes, size=rows - classes)])
    p = rng.dirichlet(np.ones(classes), rows) + 0.7 * np.eye(classes)[y] * rng.random((rows, 1))
    if levels:
        p = np.round(p * levels) / levels
    return p, y, bootstrap_weights(y, rng, 4)


def expected(p: np.ndarray, y: np.ndarray, w: np.ndarray, positive: int | None) -> dict[str, float]:
    """What scikit-learn and imbalanced-learn say of one draw."""
    labels, classes = p.argmax(1), range(p.shape[1])
    about = classes if positive is None else [positive]
    f1 = sk.f1_score(y, labels, labels=list(classes), average=None, sample_weight=w, zero_division=0)
    out = {
        "average_precision": np.mean([sk.average_precision_score(y == c, p[:, c], sample_weight=w) for c in about]),
        "balanced_accuracy": sk.balanced_accuracy_score(y, labels, sample_weight=w),
        "g_mean": geometric_mean_score(y, labels, labels=list(classes), average="macro", sample_weight=w),
        "f1": f1.mean() if positive is None else f1[positive],
        "mcc": sk.matthews_corrcoef(y, labels, sample_weight=w),
        "kappa": sk.cohen_kappa_score(y, labels, sample_weight=w),
        "roc_auc": np.mean([sk.roc_auc_score(y == c, p[:, c], sample_weight=w) for c in about]),
    }
    for r in RECALLS:
        at = []
        for c in about:
            precision, recall, _ = sk.precision_recall_curve(y == c, p[:, c], sample_weight=w)
            at.append(precision[np.flatnonzero(recall >= r)[-1]])  # recall falls along the curve
        out[f"precision_at_recall_{r:g}"] = np.mean(at)
    return out


def test_names_are_those_of_a_result():
    p, y, _ = cases(2, 20, 0, None)
    assert list(scores(p, y)) == list(METRICS)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
@settings(deadline=None, max_examples=60)
@given(
    classes=st.integers(2, 4),
    rows=st.integers(8, 60),
    seed=st.integers(0, 10**6),
    levels=st.sampled_from([None, 2, 3, 10]),
    which=st.sampled_from([None, 0, 1]),
)
def test_equal_to_the_libraries_on_every_draw(classes, rows, seed, levels, which):
    p, y, weights = cases(classes, rows, seed, levels)
    got = scores(p, y, weights=weights, positive=which)
    about = 1 if which is None and classes == 2 else which
    for b, w in enumerate(weights):
        for name, value in expected(p, y, w.astype(float), about).items():
            assert got[name][b] == pytest.approx(value, abs=1e-12), (name, b)


@settings(deadline=None, max_examples=30)
@given(classes=st.integers(2, 4), seed=st.integers(0, 10**6), levels=st.sampled_from([None, 3]))
def test_a_weight_is_as_many_copies_of_the_row(classes, seed, levels):
    p, y, weights = cases(classes, 30, seed, levels)
    weighted = scores(p, y, weights=weights)
    for b, w in enumerate(weights):
        rows = np.repeat(np.arange(len(y)), w)
        for name, value in scores(p[rows], y[rows]).items():
            assert value.shape == (1,)
            assert value[0] == pytest.approx(weighted[name][b], abs=1e-12, nan_ok=True)


@settings(deadline=None, max_examples=30)
@given(classes=st.integers(2, 4), seed=st.integers(0, 10**6), levels=st.sampled_from([None, 3]))
def test_per_class_equals_scikit_learn(classes, seed, levels):
    p, y, weights = cases(classes, 40, seed, levels)
    got = class_scores(p, y, weights=weights)
    for b, w in enumerate(weights):
        want = sk.precision_recall_fscore_support(
            y, p.argmax(1), labels=list(range(classes)), sample_weight=w.astype(float), zero_division=0
        )
        for name, value in zip(("precision", "recall", "f1", "support"), want, strict=True):
            np.testing.assert_allclose(got[name][b], value, atol=1e-12)
        ap = [sk.average_precision_score(y == c, p[:, c], sample_weight=w) for c in range(classes)]
        np.testing.assert_allclose(got["average_precision"][b], ap, atol=1e-12)


def test_by_hand():
    # Ranking of the positive class: + - [+ -] -  (the third and fourth are tied), labels at argmax: + + + + -.
    p = np.array([0.9, 0.8, 0.7, 0.7, 0.2])
    y = np.array([1, 0, 1, 0, 0])
    got = {k: v[0] for k, v in scores(np.stack([1 - p, p], 1), y).items()}
    assert got["average_precision"] == pytest.approx(1 / 2 * 1 + 1 / 2 * 2 / 4)
    assert got["precision_at_recall_0.25"] == got["precision_at_recall_0.5"] == 1
    assert got["precision_at_recall_0.75"] == 2 / 4
    # Pairs: the first + beats 3 of 3; the second beats the last, ties with one, loses to one: (3 + 1.5) / 6.
    assert got["roc_auc"] == pytest.approx(4.5 / 6)
    # TP 2, FP 2, TN 1, FN 0: recalls 1 and 1/3.
    assert got["balanced_accuracy"] == pytest.approx(2 / 3)
    # Specificity of one class is the recall of the other, so the macro means agree.
    assert got["g_mean"] == pytest.approx(2 / 3)
    assert got["f1"] == pytest.approx(2 * 2 / (2 * 2 + 2))
    assert got["mcc"] == pytest.approx((2 * 1 - 0) / np.sqrt(4 * 2 * 3 * 1))
    # Observed agreement 3/5, by chance 2/5 * 4/5 + 3/5 * 1/5 = 11/25.
    assert got["kappa"] == pytest.approx((3 / 5 - 11 / 25) / (1 - 11 / 25))


def test_g_mean_is_the_macro_form_not_the_root_of_the_product():
    # Recalls 1, 0, 1: the C-th root of their product is 0, the macro form is not.
    p = np.eye(3)[[0, 0, 1, 1, 2, 2]]
    y = np.array([0, 0, 1, 1, 2, 2])
    p[2:4] = [1, 0, 0]
    got = scores(p, y)["g_mean"][0]
    assert got == pytest.approx(np.sqrt((1 + 0 + 1) / 3 * (2 / 4 + 1 + 1) / 3))
    assert geometric_mean_score(y, p.argmax(1), average="multiclass") == 0


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_perfect_and_constant_answers(classes):
    y = np.repeat(np.arange(classes), np.arange(2, classes + 2)[::-1])
    perfect = scores(np.eye(classes)[y], y)
    assert all(value == 1 for value in perfect.values())
    constant = {k: v[0] for k, v in scores(np.tile(np.eye(classes)[0], (len(y), 1)), y).items()}
    assert constant["mcc"] == constant["kappa"] == 0
    assert constant["balanced_accuracy"] == pytest.approx(1 / classes)
    assert constant["roc_auc"] == pytest.approx(0.5)
    assert constant["f1"] == (0 if classes == 2 else pytest.approx(sk.f1_score(y, 0 * y, average="macro", zero_division=0)))
    share = np.mean(y == 1) if classes == 2 else 1 / classes
    assert constant["average_precision"] == pytest.approx(share)
    assert constant["precision_at_recall_0.25"] == pytest.approx(share)


def test_a_class_absent_from_a_draw_is_not_a_number():
    p, y, _ = cases(2, 30, 3, None)
    weights = np.stack([np.ones_like(y), y == 0, y == 1]).astype(np.uint16)
    got = scores(p, y, weights=weights)
    assert all(np.isfinite(value[0]) for value in got.values())
    for name in METRICS:
        assert np.isnan(got[name][1]), name  # no positive row drawn
    only_positives = {name: got[name][2] for name in METRICS}
    assert np.isnan([only_positives[n] for n in ("balanced_accuracy", "g_mean", "mcc", "kappa", "roc_auc")]).all()
    assert only_positives["average_precision"] == only_positives["precision_at_recall_0.5"] == 1
    assert only_positives["f1"] == pytest.approx(sk.f1_score(y[y == 1], p[y == 1].argmax(1)))

    each = class_scores(p, y, weights=weights)
    assert each["support"][1, 1] == 0
    for name in ("precision", "recall", "f1", "average_precision"):
        assert np.isnan(each[name][1, 1])
        assert np.isfinite(each[name][0]).all()


def test_one_of_three_classes_absent():
    p, y, _ = cases(3, 40, 5, None)
    got = {k: v[0] for k, v in scores(p, y, weights=(y != 2)[None]).items()}
    kept = y != 2
    assert got["mcc"] == pytest.approx(sk.matthews_corrcoef(y[kept], p[kept].argmax(1)))
    assert got["kappa"] == pytest.approx(sk.cohen_kappa_score(y[kept], p[kept].argmax(1)))
    assert np.isnan([v for k, v in got.items() if k not in ("mcc", "kappa")]).all()


def test_a_class_never_predicted_scores_zero():
    y = np.array([0, 0, 0, 1])
    p = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4]])
    assert scores(p, y)["f1"][0] == 0
    each = class_scores(p, y)
    assert each["precision"][0, 1] == each["f1"][0, 1] == 0
    assert each["average_precision"][0, 1] == 1


def test_every_value_is_in_its_range():
    for seed in range(30):
        p, y, weights = cases(2 + seed % 3, 25, seed, (None, 2)[seed % 2])
        for name, value in scores(p, y, weights=weights).items():
            low, high = METRICS[name][1]
            assert (value >= low).all() and (value <= high + 1e-15).all(), name


@pytest.mark.parametrize(
    ("p", "y", "weights"),
    [
        (np.ones((3, 2)), np.array([0, 1]), None),
        (np.ones((3, 1)), np.zeros(3, int), None),
        (np.ones((0, 2)), np.zeros(0, int), None),
        (np.ones((3, 2)), np.array([0, 1, 2]), None),
        (np.full((3, 2), np.nan), np.array([0, 1, 1]), None),
        (np.ones((3, 2)), np.array([0, 1, 1]), np.ones((1, 2))),
    ],
)
def test_what_does_not_fit_is_refused(p, y, weights):
    with pytest.raises(ValueError):
        scores(p, y, weights=weights)


def test_a_thousand_draws_of_five_thousand_rows_take_about_a_second():
    rng = np.random.default_rng(0)
    y = (rng.random(5000) < 0.1).astype(int)
    p = rng.dirichlet([1, 1], 5000)
    weights = bootstrap_weights(y, rng, 1000)
    began = time.perf_counter()
    scores(p, y, weights=weights)
    assert time.perf_counter() - began < 2  # 0.05 s on an idle core; room for a busy machine


def test_draws_beyond_one_chunk_equal_those_alone():
    p, y, _ = cases(3, 600, 1, 5)
    weights = bootstrap_weights(y, np.random.default_rng(1), 1000)
    together = scores(p, y, weights=weights)
    for b in (0, 872, 873, 874, 999):
        for name, value in scores(p, y, weights=weights[b : b + 1]).items():
            assert value[0] == pytest.approx(together[name][b], abs=1e-14)


def test_log_loss_and_calibration_against_sklearn_and_by_hand():
    rng = np.random.default_rng(4)
    p = rng.dirichlet([1, 1, 1], 300)
    y = np.array([rng.choice(3, p=row) for row in p])
    found = probability_scores(p, y)
    assert found["log_loss"] == pytest.approx([sk.log_loss(y, p)])
    two, t = np.array([[0.9, 0.1], [0.8, 0.2], [0.4, 0.6], [0.3, 0.7]]), np.array([0, 0, 1, 0])
    got = probability_scores(two, t)  # four rows, so four bins of one row: 0.1, 0.2, 0.4 and 0.7 off
    assert got["calibration_error"] == pytest.approx([(0.1 + 0.2 + 0.4 + 0.7) / 4])
    assert got["log_loss"] == pytest.approx([-np.log([0.9, 0.8, 0.6, 0.3]).mean()])


def test_log_loss_of_a_sure_mistake_is_finite_and_weights_repeat_rows():
    p, y = np.array([[1.0, 0.0], [0.25, 0.75]]), np.array([1, 1])
    assert np.isfinite(probability_scores(p, y)["log_loss"]).all()
    drawn = probability_scores(p, y, weights=np.array([[0, 2], [1, 1]]))
    assert drawn["log_loss"] == pytest.approx([-np.log(0.75), (-np.log(1e-15) - np.log(0.75)) / 2])
    assert drawn["calibration_error"] == pytest.approx([0.25, (1 + 0.25) / 2])


@pytest.mark.parametrize("classes", [2, 4])
def test_scores_of_all_and_by_class_in_one_pass_are_those_of_two(classes):
    rng = np.random.default_rng(classes)
    p, y = rng.dirichlet(np.ones(classes), 40), rng.integers(classes, size=40)
    weights = rng.integers(0, 3, size=(17, 40))
    of_all, by_class = both_scores(p, y, weights=weights)
    for name, values in scores(p, y, weights=weights).items():
        np.testing.assert_array_equal(of_all[name], values)
    for c in range(classes):
        alone = scores(p, y, weights=weights, positive=c)
        np.testing.assert_array_equal(by_class["average_precision"][:, c], alone["average_precision"])
        np.testing.assert_array_equal(by_class["f1"][:, c], alone["f1"])
