"""Classifiers on fixed features against scikit-learn's own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from engine.methods.ce import CE
from engine.models.mlp import MLP
from engine.training.probes import knn, logistic, with_probe
from tests.engine.tasks import blobs, task
from tests.engine.test_methods import fit

SIZES = (60, 41)


def rows(classes: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Features [2, 60, 4], labels, mask of two replicates of unequal size, and new rows."""
    rng = np.random.default_rng(classes)
    y = rng.integers(0, classes, (2, 60))
    z = rng.normal(size=(2, 60, 4)) + y[:, :, None]
    mask = np.arange(60) < np.array(SIZES)[:, None]
    return (*map(torch.from_numpy, (z, y, mask)), torch.from_numpy(rng.normal(size=(2, 25, 4)) + 1))


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("k", [5, 100])
def test_knn(classes: int, k: int) -> None:
    z, y, mask, new = rows(classes)
    found = knn(z, y, mask, classes, k)(new).softmax(-1)
    for r, n in enumerate(SIZES):
        theirs = KNeighborsClassifier(min(k, n)).fit(z[r, :n], y[r, :n]).predict_proba(new[r])
        assert np.allclose(found[r], theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("classes", [2, 3])
def test_logistic_regression(classes: int) -> None:
    z, y, mask, new = rows(classes)
    classify, weights, converged = logistic(z, y, mask, classes)
    assert converged and weights.shape == (2, 4, classes)
    for r, n in enumerate(SIZES):
        theirs = LogisticRegression(max_iter=1000).fit(z[r, :n], y[r, :n])
        assert np.allclose(classify(new)[r].softmax(-1), theirs.predict_proba(new[r]), rtol=0, atol=1e-12)
        assert torch.allclose(weights[r].sum(1), torch.zeros(4, dtype=torch.float64), atol=1e-4)


def test_a_class_without_a_row_is_never_predicted() -> None:
    z, y, mask, new = rows(2)
    for classify in (knn(z, y, mask, 3), logistic(z, y, mask, 3)[0], logistic(z, 0 * y, mask, 3)[0]):
        p = classify(new).softmax(-1)
        assert bool((p[..., 2] == 0).all()) and torch.allclose(p.sum(-1), torch.ones(2, 25, dtype=torch.float64))


def test_separable_rows_stop_without_a_warning() -> None:
    z = torch.tensor([[[0.0], [0.0], [1e-4], [1e9]]])
    classify, _, _ = logistic(z, torch.tensor([[0, 0, 1, 1]]), torch.ones(1, 4, dtype=torch.bool), 2)
    assert bool(torch.isfinite(classify(z)).all())


@pytest.mark.parametrize("probe", ["knn", "lr"])
def test_the_features_stay_and_replicates_do_not_mix(probe: str) -> None:
    on = task(blobs((61, 34, 23)))
    net = fit(CE(hidden=(6,), epochs=3), on)[1].net
    probed, converged = with_probe(net, on.train, probe)
    assert converged and torch.equal(probed.embed(on.test.x), net.embed(on.test.x))
    assert bool(probed.head_weights().isnan().all()) == (probe == "knn")
    alone = task(blobs((61, 34, 23)), numbers=[1])
    assert isinstance(net, MLP)
    one, _ = with_probe(MLP(net.sizes, net.activation, net.flat[1:2].clone()), alone.train, probe)
    width = alone.test.x.shape[1]
    assert torch.allclose(one(alone.test.x).exp()[0], probed(on.test.x).exp()[1, :width], rtol=0, atol=1e-9)
