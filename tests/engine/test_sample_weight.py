"""Weights of rows, sparse matrices, odd columns and odd labels: every classifier, and the parts that weigh."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.pipeline import make_pipeline

from engine.analysis.shifts import CRITERIA, find_shifts
from engine.analysis.stacked import average_precision, macro_average_precision
from engine.data.arrays import MAX_DENSE, read_weights, to_dense
from engine.data.dataset import Rows
from engine.data.prepare import LEAST_SD
from engine.data.rows import append, take
from engine.errors import BadData
from engine.estimators import (
    BalancedBaggingClassifier,
    CEClassifier,
    EasyEnsembleClassifier,
    EOSClassifier,
    ExtraTreesClassifier,
    MESAClassifier,
    TableClassifier,
    TrainingWarning,
    classifiers,
)
from engine.losses import mean_weights
from engine.methods.picked_base import PickedMethod
from engine.models.feature_classifiers import balanced_accuracy, nearest_mean
from engine.samplers import EOS
from engine.training.probes import knn, logistic
from tests.engine.test_estimators import rows, small

ALL = pytest.mark.parametrize("cls", classifiers().values(), ids=classifiers())


UNWEIGHTED = {EasyEnsembleClassifier, BalancedBaggingClassifier}
"""They draw their rows without weights, and say so."""
GROWN_OUT = {
    ExtraTreesClassifier,
    MESAClassifier,
    *(cls for cls in classifiers().values() if issubclass(cls.method, PickedMethod)),
}
"""Their trees hold every training row in a leaf of its own class, whatever the rows weigh: weights move other rows alone."""


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainingWarning)
        yield


def quick(cls: type[TableClassifier], **changes: Any) -> TableClassifier:
    return small(cls, **{"epochs": 12, "meta_epochs": 4, "rounds": 4, "head_epochs": 4} | changes)


# ---- every classifier


@ALL
def test_weights_of_rows(cls: type[TableClassifier]) -> None:
    x, y = rows((100, 26))
    x += np.random.default_rng(1).normal(size=x.shape) * 2  # the classes overlap
    plain = quick(cls).fit(x, y).predict_proba(x)
    for same in (np.ones(len(y)), np.full(len(y), 7.5), 3):
        assert np.array_equal(quick(cls).fit(x, y, sample_weight=same).predict_proba(x), plain)
    rare = np.where(y == 1, 50.0, 1.0)
    heavy = quick(cls).fit(x, y, sample_weight=rare).predict_proba(x)
    if cls in UNWEIGHTED:
        with pytest.warns(TrainingWarning, match="the weights of the rows are not used"):
            assert np.array_equal(quick(cls).fit(x, y, sample_weight=rare).predict_proba(x), plain)
        return
    if cls not in GROWN_OUT:
        assert heavy[:, 1].mean() > plain[:, 1].mean() + 0.01
    else:
        assert not np.array_equal(heavy, plain)
    assert np.allclose(quick(cls).fit(x, y, sample_weight=rare * 1e6).predict_proba(x), heavy, rtol=0, atol=1e-6)
    kept = np.random.default_rng(1).random(len(y)) < 0.8
    left = quick(cls).fit(x, y, sample_weight=rare * kept).predict_proba(x)
    assert np.array_equal(left, quick(cls).fit(x[kept], y[kept], sample_weight=rare[kept]).predict_proba(x))


@ALL
def test_sparse_matrices(cls: type[TableClassifier]) -> None:
    x, y = rows((60, 25))
    x[np.random.default_rng(0).random(x.shape) < 0.6] = 0
    dense = quick(cls, epochs=5).fit(x, y).predict_proba(x)
    for form in (sparse.csr_matrix, sparse.csc_array, sparse.coo_array):
        fitted = quick(cls, epochs=5).fit(form(x), y)
        assert np.abs(fitted.predict_proba(form(x)) - dense).max() < 1e-6
        assert np.abs(fitted.predict_proba(x) - dense).max() < 1e-6


def test_a_pipeline_of_texts_and_a_classifier() -> None:
    texts = ["good and kind"] * 30 + ["bad and mean"] * 12
    y = ["fine"] * 30 + ["poor"] * 12
    model = make_pipeline(TfidfVectorizer(), small(EOSClassifier)).fit(texts, y, eosclassifier__sample_weight=np.ones(42))
    assert model.score(texts, y) == 1


def test_sparse_matrices_that_are_refused() -> None:
    x, y = rows()
    x[3, 1] = np.nan
    with pytest.raises(BadData, match=r"X holds NaN in row 3 \(from 0\), column 'x1'"):
        small(CEClassifier).fit(sparse.csr_matrix(x), y)
    wide = sparse.csr_matrix((100, MAX_DENSE // 100 + 1))
    with pytest.raises(BadData, match=r"100 rows and [\d,]+ columns, more than 2,147,483,648 numbers .* TruncatedSVD"):
        small(CEClassifier).fit(wide, [0, 1] * 50)
    assert to_dense(x) is x


def test_weights_that_are_refused() -> None:
    x, y = rows((60, 25))
    for weight, sentence in [
        (np.zeros(85), "Sample weights must contain at least one non-zero number"),
        (np.where(np.arange(85) == 4, -2.0, 1.0), r"sample_weight holds -2 in row 4 \(from 0\): weights are 0 or more"),
        (np.where(y == 1, 0.0, 1.0), "y has one class alone, 0"),
        (np.full(85, np.nan), "NaN"),
        (np.ones(84), "sample_weight.shape"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            small(CEClassifier).fit(x, y, sample_weight=weight)
    tiny = read_weights(np.where(y == 1, 1e308, 1e-308), x)
    assert tiny is not None and (tiny > 0).all() and np.isfinite(tiny).all() and np.isclose(tiny[y == 1].mean(), 85 / 25)


# ---- columns and labels


@ALL
def test_a_column_of_tiny_numbers_is_0(cls: type[TableClassifier]) -> None:
    x, y = rows((60, 25))
    for column in (x[:, 2] * 1e-200, x[:, 2] * 1e-300, LEAST_SD / 10 * x[:, 2]):
        tiny, none = x.copy(), x.copy()
        tiny[:, 2], none[:, 2] = column, 0
        assert np.array_equal(
            quick(cls, epochs=3).fit(tiny, y).predict_proba(tiny), quick(cls, epochs=3).fit(none, y).predict_proba(none)
        )
    assert np.isfinite(quick(cls, epochs=3).fit(x * 1e-200, y).predict_proba(x * 1e-200)).all()


def test_scaling_is_the_same_above_the_smallest_spread() -> None:
    x, y = rows((60, 25))
    one, other = (small(CEClassifier).fit(x * factor, y).predict_proba(x * factor) for factor in (1, 2.0**-100))
    assert np.allclose(one, other, rtol=0, atol=1e-9)
    with pytest.raises(BadData, match="column 'x0' of X holds values too large to standardise"):
        small(CEClassifier).fit(x * 1e200, y)


def test_long_doubles_are_doubles() -> None:
    x, y = rows((40, 15))
    long = x.astype(np.longdouble)
    assert np.array_equal(small(CEClassifier).fit(long, y).predict_proba(long), small(CEClassifier).fit(x, y).predict_proba(x))
    (made, labels), (same, theirs) = (EOS(random_state=0).fit_resample(given, y) for given in (long, x))
    assert made.dtype == np.float64 and np.array_equal(made, same) and np.array_equal(labels, theirs)


@pytest.mark.parametrize("dtype", ["Int64", "UInt8", "boolean", "int64[pyarrow]"])
def test_labels_of_pandas_stay_what_they_are(dtype: str) -> None:
    x, codes = rows((60, 25))
    whole = "oolean" not in dtype
    given = pd.Series(codes + 3 if whole else codes == 1, dtype=dtype)
    for y in (given, given.array):
        fitted = small(CEClassifier).fit(x, y)
        assert fitted.classes_.tolist() == ([3, 4] if whole else [False, True])
        assert fitted.classes_.dtype.kind in ("iu" if whole else "b")
        assert set(fitted.predict(x).tolist()) <= set(fitted.classes_.tolist())
    gap = pd.Series([pd.NA, *given[1:]], dtype=dtype)
    with pytest.raises(ValueError, match="NaN|missing|NA"):
        small(CEClassifier).fit(x, gap)
    if dtype == "Int64":
        assert EOS(random_state=0).fit_resample(x, given)[1].tolist()[:3] == given.tolist()[:3]


# ---- the parts that weigh


def some(weight: bool = True) -> Rows:
    rng = np.random.default_rng(3)
    y = torch.tensor([[0, 0, 1, 1, 1, 0, 2, 0], [0, 1, 0, 1, 0, 0, 0, 0]])
    mask = torch.tensor([[True] * 8, [True] * 5 + [False] * 3])
    x = torch.from_numpy(rng.normal(size=(2, 8, 3))) * mask.unsqueeze(2)
    w = torch.from_numpy(rng.uniform(0.5, 4, size=(2, 8))) * mask
    return Rows(x, y * mask, mask, weight=w if weight else None)


def test_rows_carry_their_weights() -> None:
    part = some()
    kept = take(part, part.y == 0)
    assert part.weight is not None and kept.weight is not None
    assert torch.equal(kept.weight[0][kept.mask[0]], part.weight[0][part.y[0] == 0])
    made = Rows(torch.zeros(2, 2, 3).double(), torch.tensor([[1, 2], [1, 0]]), torch.tensor([[True, True], [True, False]]))
    joined = append(part, made)
    assert joined.weight is not None
    assert torch.allclose(joined.weight[0, -2], part.weight[0][part.y[0] == 1].mean())
    assert torch.allclose(joined.weight[0, -1], part.weight[0, 6])
    assert torch.allclose(joined.weight[1, 5], part.weight[1, [1, 3]].mean()) and joined.weight[1, 6] == 0
    assert append(some(False), made).weight is None


def test_a_mean_by_weights() -> None:
    part = some()
    weights = mean_weights(part.mask, torch.float64, part.weight, None)
    assert torch.allclose(weights.sum(1), torch.ones(2).double()) and bool((weights[1, 5:] == 0).all())
    assert torch.allclose(weights[0] / weights[0, 0], part.weight[0] / part.weight[0, 0])  # type: ignore[index]
    assert torch.equal(mean_weights(part.mask, torch.float64, None), mean_weights(part.mask, torch.float64))


def test_average_precision_is_scikit_learns() -> None:
    part = some()
    assert part.weight is not None
    score = torch.tensor([[0.1, 0.5, 0.5, 0.9, 0.2, 0.4, 0.3, 0.6], [0.3, 0.3, 0.1, 0.7, 0.2, 9.0, 9.0, 9.0]])
    ours = average_precision(score, part.y == 1, part.mask, part.weight)
    for r, mask in enumerate(part.mask):
        theirs = average_precision_score(part.y[r][mask] == 1, score[r][mask], sample_weight=part.weight[r][mask])
        assert abs(float(ours[r]) - theirs) < 1e-12
    p = torch.stack([score, 1 - score, score.square()], 2).softmax(2)
    one = macro_average_precision(p, part.y, part.mask, part.weight)
    each = [average_precision(p[..., c], part.y == c, part.mask, part.weight) for c in range(3)]
    assert torch.allclose(one[0], torch.stack(each)[:, 0].mean())


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("classes", [2, 3])
def test_shifts_by_whole_weights_are_those_of_repeated_rows(criterion: str, classes: int) -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        y = rng.permutation(np.repeat(np.arange(classes), 8))
        z = rng.normal(size=(len(y), classes)) + np.eye(classes)[y]
        times = rng.integers(1, 4, len(y))
        # in a mean over classes, each counts by the mean weight of its rows: the same for all in this draw
        for c in range(classes):
            times[np.flatnonzero(y == c)[0]] += 40 - times[y == c].sum()
        if times.min() < 1:
            continue
        repeated = np.repeat(np.arange(len(y)), times)
        assert np.allclose(find_shifts(z, y, criterion, times.astype(float)), find_shifts(z[repeated], y[repeated], criterion))
        assert np.array_equal(find_shifts(z, y, criterion, np.ones(len(y))), find_shifts(z, y, criterion))


def test_a_heavier_class_is_predicted_more_often() -> None:
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [60, 20])
    z = np.stack([np.zeros(80), rng.normal(size=80) + y], 1)
    for criterion in ("balanced accuracy", "f1"):
        light, heavy = (find_shifts(z, y, criterion, np.where(y == 1, w, 1.0))[1] for w in (1.0, 50.0))
        assert heavy > light


def test_classifiers_on_features_by_weights() -> None:
    part = some()
    assert part.weight is not None
    classify, _, _ = logistic(part.x, part.y, part.mask, 3, part.weight)
    theirs = LogisticRegression(max_iter=1000).fit(part.x[0].numpy(), part.y[0].numpy(), part.weight[0].numpy())
    assert np.allclose(classify(part.x)[0].softmax(1).numpy(), theirs.predict_proba(part.x[0].numpy()), atol=1e-4)
    votes = knn(part.x, part.y, part.mask, 3, k=3, weight=part.weight)(part.x)[0].exp()
    near = torch.cdist(part.x[0], part.x[0]).topk(3, largest=False).indices
    for row, three in enumerate(near):
        share = part.weight[0][three][part.y[0][three] == 1].sum() / part.weight[0][three].sum()
        assert torch.allclose(votes[row, 1], share)
    means, _ = nearest_mean(part.x, part.y, part.mask, 3, "raw", weight=part.weight)
    one = part.y[0] == 1
    assert np.allclose(means.means[0, 1], np.average(part.x[0][one], 0, part.weight[0][one]))
    assert means.biases is not None and torch.allclose(means.biases[0, 1], part.weight[0][one].mean().log())
    right = balanced_accuracy(part.y, part.y, part.mask, 3, part.weight)
    assert torch.allclose(right, torch.ones(2).double())
    same = balanced_accuracy(0 * part.y, part.y, part.mask, 3, torch.ones(2, 8))
    assert torch.allclose(same, balanced_accuracy(0 * part.y, part.y, part.mask, 3))


def test_a_network_of_weighted_rows_is_not_taken_for_another() -> None:
    """Plain training is kept for the next method on the same rows; with other weights it is not the same."""
    x, y = rows((60, 25))
    weight = np.where(y == 1, 20.0, 1.0)
    twice = [small(EOSClassifier).fit(x, y, sample_weight=w).predict_proba(x) for w in (weight, None, weight, None)]
    assert np.array_equal(twice[0], twice[2]) and np.array_equal(twice[1], twice[3])
    assert not np.array_equal(twice[0], twice[1])


def test_rows_without_weights_have_none() -> None:
    assert replace(some(False), weight=None).class_weights(3) is None
