"""Linear maps of features: LMNN and NCA by hand, against scikit-learn, and in a network's head."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier, NeighborhoodComponentsAnalysis

from engine.events import finish
from engine.export import load_model
from engine.export.pipeline import Pipeline
from engine.methods import method
from engine.models.feature_classifiers import Mapped
from engine.models.net import WithHead
from engine.training.camera import Camera
from engine.training.feature_maps import draw_rows, find_targets, first_map, fit_lmnn, fit_nca, lmnn_loss
from tests.engine.cards import assert_close, read_cases
from tests.engine.tasks import blobs, task

SMALL: dict[str, Any] = {"hidden": (16,), "epochs": 6, "batch": 20, "steps": 8}


def read(case: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    return np.array(case["input"]["x"], np.float64), np.array(case["input"]["y"])


@pytest.mark.parametrize("case", read_cases("lmnn", "targets"))
def test_targets(case: dict[str, Any]) -> None:
    x, y = read(case)
    rows, targets = find_targets(x, y, case["input"]["k"])
    assert [targets[rows == i].tolist() for i in range(len(y))] == case["value"]


@pytest.mark.parametrize("case", read_cases("lmnn", "loss", "parts", "active", "gradient"))
def test_lmnns_loss(case: dict[str, Any]) -> None:
    x, y = read(case)
    a, pairs = np.array(case["input"]["a"], np.float64), find_targets(x, y, case["input"]["k"])
    if case["what"] == "parts":  # each alone: (1 - mu) pull at mu 0, mu push at mu 1, both halved at mu .5
        found: Any = [lmnn_loss(a, x, y, pairs, mu)[0] / 2 for mu in (0.0, 1.0)]
    elif case["what"] == "active":
        found = sum(
            ((a @ (x[i] - x[j])) ** 2).sum() + 1 > ((a @ (x[i] - x[k])) ** 2).sum()
            for i, j in zip(*pairs, strict=True) for k in range(len(y)) if y[k] != y[i]
        )  # fmt: skip
    else:
        found = lmnn_loss(a, x, y, pairs, case["input"]["mu"])[case["what"] == "gradient"]
    assert_close(found, case["value"])


@pytest.mark.parametrize("balanced", [False, True])
def test_lmnns_gradient_is_autograds(balanced: bool) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 5)), rng.permutation(np.repeat([0, 1, 2], (18, 8, 4)))
    a, weights = rng.normal(size=(3, 5)), rng.random(30) + 0.5 if balanced else None
    (i, j) = pairs = find_targets(x, y, 3)
    value, gradient = lmnn_loss(a, x, y, pairs, 0.3, weights)
    leaf, rows = torch.tensor(a, requires_grad=True), torch.tensor(x)
    apart = (rows[:, None] - rows).matmul(leaf.T).square().sum(2)
    own = torch.tensor(np.ones(30) if weights is None else weights)[i]
    other = torch.tensor(y[i][:, None] != y)
    push = ((1 + apart[i, j][:, None] - apart[i]).clamp(min=0) * other).sum(1)
    loss = (own * (0.7 * apart[i, j] + 0.3 * push)).sum()
    (by_torch,) = torch.autograd.grad(loss, leaf)
    assert value == pytest.approx(loss.item(), abs=1e-9)
    assert_close(gradient, by_torch.numpy())


@pytest.mark.parametrize("case", read_cases("lmnn", "fit"))
def test_lmnn_comes_near_the_infimum(case: dict[str, Any]) -> None:
    """In a tenth of the steps it is below what another program reaches from the same start."""
    x, y = read(case)
    a = fit_lmnn(x, y, np.eye(2), k=1, mu=0.5, steps=20, balanced=False)
    pairs = find_targets(x, y, 1)
    assert 0 <= lmnn_loss(a, x, y, pairs, 0.5)[0] < lmnn_loss(np.array(case["input"]["a"]), x, y, pairs, 0.5)[0]
    assert_close(lmnn_loss(np.array(case["input"]["a"]), x, y, pairs, 0.5)[0], case["value"])
    assert np.array_equal(fit_lmnn(x, y, np.eye(2), k=1, mu=0.5, steps=0, balanced=False), np.eye(2))
    assert np.array_equal(fit_nca(x, y, np.eye(2), steps=0), np.eye(2))


def nca_shares(a: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """p_i by the formula."""
    apart = np.square((x[:, None] - x) @ a.T).sum(2)
    weight = np.exp(-apart) * (1 - np.eye(len(y)))
    return (weight * (y[:, None] == y)).sum(1) / weight.sum(1)


@pytest.mark.parametrize("case", read_cases("nca"))
def test_nca(case: dict[str, Any]) -> None:
    x, y = read(case)
    a = np.eye(x.shape[1])
    if case["what"] == "fit":
        assert_close(nca_shares(fit_nca(x, y, a, steps=case["input"]["steps"]), x, y).sum(), case["value"], 1e-6)
        return
    if case["what"] == "their loss":
        theirs = NeighborhoodComponentsAnalysis()
        theirs.n_iter_ = 1  # its first line of progress is printed at 0
        loss, _ = theirs._loss_grad_lbfgs(a.ravel(), x, y[:, None] == y, -1.0)
        assert_close(loss, case["value"])
        assert_close(-nca_shares(a, x, y).sum(), loss)
        return
    found = nca_shares(a, x, y)
    assert_close(found.sum() if case["what"] == "sum" else found, case["value"])


def test_the_map_begins_with_principal_components() -> None:
    x = np.random.default_rng(0).normal(size=(40, 12)) * np.arange(12, 0, -1)
    a = first_map(x, 4)
    assert np.allclose(a @ a.T, np.eye(4), atol=1e-12)
    covariance = np.cov(x.T)
    assert np.allclose(a @ covariance @ a.T, np.diag(np.linalg.eigvalsh(covariance)[::-1][:4]), atol=1e-9)
    assert first_map(x[:3], 4).shape == (4, 12) and np.array_equal(first_map(x[:, :3], 3), np.eye(3))


def test_rows_are_drawn_by_class_with_enough_of_each() -> None:
    y = np.repeat([0, 1, 2], (900, 90, 2))
    some = draw_rows(y, 100, 4, np.random.default_rng(0))
    assert np.bincount(y[some]).tolist() == [90, 9, 2] and len(set(some.tolist())) == len(some)
    assert draw_rows(y, 992, 4, np.random.default_rng(0)).tolist() == list(range(992))


@pytest.mark.parametrize("name", ["lmnn", "nca"])
def test_the_head_is_knn_under_the_map_on_the_features_of_plain_training(name: str) -> None:
    on = task(blobs((101, 41)), seeds=1, ratio=None)
    plain = finish(method("ce")(**{k: v for k, v in SMALL.items() if k != "steps"}).fit(on, camera=Camera(on, 0)))
    fitted = finish(method(name)(**SMALL).fit(on, camera=Camera(on, 0)))
    net = fitted.net
    assert isinstance(net, WithHead) and isinstance(net.classify, Mapped) and torch.equal(plain.net.flat, net.flat)
    for r in range(len(on.replicates)):
        z, t = (net.embed(part.x)[r][part.mask[r]] for part in (on.train, on.test))
        mean, scale = z.mean(0), z.std(0, correction=0)
        a = net.classify.map[r]
        assert not torch.allclose(a, a.new_zeros(()).expand_as(a))
        at = [((part - mean) / torch.where(scale > 0, scale, 1)) @ a for part in (z, t)]
        by_sklearn = KNeighborsClassifier().fit(at[0].numpy(), on.train.y[r][on.train.mask[r]])
        shares = net(on.test.x)[r][on.test.mask[r]].softmax(-1).numpy()
        assert_close(shares, by_sklearn.predict_proba(at[1].numpy()), 1e-6)


def test_what_is_learnt_brings_rows_of_a_class_together() -> None:
    """In columns of noise beside one that tells the classes apart, the fitted map looks at that one."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], (60, 30))
    x = rng.normal(size=(90, 8))
    x[:, 0] = (y * 2 - 1) + 0.2 * rng.normal(size=90)
    for a in (fit_lmnn(x, y, np.eye(8), k=3, mu=0.5, steps=50, balanced=True), fit_nca(x, y, np.eye(8), steps=50)):
        lengths = np.linalg.norm(a, axis=0)
        assert lengths[0] > 1.8 * lengths[1:].max()


@pytest.mark.parametrize("counts", [(101, 41), (90, 40, 20)])
def test_a_model_file_keeps_the_map(counts: tuple[int, ...]) -> None:
    from engine.data.prepare import encode, fit_scale
    from engine.errors import BadInput
    from engine.export.onnx import to_onnx
    from engine.export.write import model_bytes

    data = blobs(counts)
    on = task(data, seeds=1, ratio=None, dtype=torch.float32)
    fitted = finish(method("lmnn")(**SMALL).fit(on, camera=Camera(on, 0)))
    scale = fit_scale(encode(data)[0], len(data.numeric_names), on.source[1])
    model = load_model(io.BytesIO(model_bytes(fitted.net, Pipeline.of(data, scale), classes=data.classes, replicate=1)))
    now = model.predict_proba({name: data.numeric[on.test_source[1], i] for i, name in enumerate(data.numeric_names)})
    before = fitted.net(on.test.x)[1][on.test.mask[1]].double().softmax(-1)
    assert_close(now, before.numpy(), 1e-6)
    with pytest.raises(BadInput, match="nearest-neighbour classifier has no ONNX file"):
        to_onnx(model)
