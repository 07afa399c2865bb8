"""Class weights against scikit-learn's and torch's, and plain training at power 0."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.utils.class_weight import compute_class_weight

from engine.losses import ClassWeighted, cross_entropy
from engine.methods.ce import CE
from engine.methods.class_weights import ClassWeights
from engine.training.loop import Batch, new_net
from engine.training.optimisers import Adam, mean_under
from tests.engine.tasks import blobs, task
from tests.engine.test_methods import fit

COUNTS = pytest.mark.parametrize("counts", [(101, 31), (61, 34, 23)], ids=["two classes", "three classes"])


@COUNTS
def test_the_weights_are_scikit_learn_s_balanced_ones(counts: tuple[int, ...]) -> None:
    on = task(blobs(counts))
    loss = ClassWeighted(on.train.counts(len(counts)))
    for r, mask in enumerate(on.train.mask):
        y = on.train.y[r][mask].numpy()
        theirs = compute_class_weight("balanced", classes=np.arange(len(counts)), y=y)
        assert np.allclose(loss.weights[r].numpy(), theirs, rtol=1e-12)
        assert np.allclose(ClassWeighted(on.train.counts(len(counts)), 0.5).weights[r], theirs**0.5, rtol=1e-12)


@COUNTS
def test_a_step_s_gradient_is_that_of_torch_s_weighted_mean(counts: tuple[int, ...]) -> None:
    on = task(blobs(counts))
    net = new_net(on, (5,))
    loss = ClassWeighted(on.train.counts(len(counts)))
    batch = Batch(on.train.x, on.train.y, on.train.mask, torch.ones(len(net.flat), dtype=torch.bool), 0)
    values, gradient = net.gradient(batch.x, batch.y, mean_under(loss, batch), loss)

    def theirs(net):
        return torch.stack(
            [
                torch.nn.functional.cross_entropy(z[m], y[m], weight=w)
                for z, y, m, w in zip(net(batch.x), batch.y, batch.mask, loss.weights, strict=True)
            ]
        )

    expected, slope = net.derive(theirs)
    assert torch.allclose(values, expected, rtol=0, atol=1e-12)
    assert torch.allclose(gradient, slope, rtol=0, atol=1e-12)


@COUNTS
def test_a_net_without_hidden_layers_becomes_balanced_logistic_regression(counts: tuple[int, ...]) -> None:
    data = blobs(counts)
    data.y[::4] = np.random.default_rng(0).permutation(data.y[::4])  # no line separates these: the weights stay finite
    on = task(data, ratio=None, folds=2, seeds=1)
    net = new_net(on, ())
    step = Adam(net, ClassWeighted(on.train.counts(len(counts))), rate=lambda epoch: 0.1 * 0.994 ** (epoch - 1))
    batch = Batch(on.train.x, on.train.y, on.train.mask, torch.ones(2, dtype=torch.bool), 0)
    for _ in range(800):
        step.begin([1, 1])
        step(batch)
    for r in range(2):
        mask, test = on.train.mask[r], on.test.mask[r]
        theirs = LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000, class_weight="balanced")
        theirs.fit(on.train.x[r][mask], on.train.y[r][mask])
        ours = net(on.test.x).softmax(-1)[r][test].numpy()
        assert np.allclose(ours, theirs.predict_proba(on.test.x[r][test]), rtol=0, atol=3e-3)


def test_without_power_it_is_plain_training() -> None:
    on = task()
    short = {"hidden": (6,), "epochs": 4, "batch": 20}
    plain = fit(CE(**short), on)[1].net.flat
    assert torch.allclose(fit(ClassWeights(power=0.0, **short), on)[1].net.flat, plain, rtol=0, atol=1e-9)
    assert not torch.allclose(fit(ClassWeights(**short), on)[1].net.flat, plain, rtol=0, atol=1e-3)


def test_its_slope_and_curve_are_cross_entropy_s() -> None:
    loss, logits, y = ClassWeighted(torch.tensor([[5, 2]])), torch.randn(1, 4, 2).double(), torch.tensor([[0, 1, 1, 0]])
    assert torch.equal(loss(logits, y), cross_entropy(logits, y))
    assert torch.equal(loss.slope(logits, y)[1], cross_entropy.slope(logits, y)[1])
    assert torch.equal(loss.curve(logits, y, logits)[1], cross_entropy.curve(logits, y, logits)[1])
    with pytest.raises(ValueError, match="power"):
        ClassWeighted(torch.tensor([[5, 2]]), -1.0)
