"""Contributions against autograd, finite differences, the meta-gradient's own steps, and training anew without each point."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor

from engine.data.dataset import Rows, Task
from engine.losses import cross_entropy, mean_weights, weighted_sum
from engine.methods.explicit_gradient import ExplicitGradient, MetaStep, Numbered
from engine.models.mlp import MLP
from engine.runner import contributions as module
from engine.runner.contributions import (
    compute_contributions,
    compute_descent,
    is_supported,
    measure_run,
    summarise_contributions,
    validation_gradient,
)
from engine.training.fitted import Fitted, Synthetic
from engine.training.loop import Batch, new_net
from tests.engine.tasks import blobs, task


def setting(activation: str = "tanh", counts: tuple[int, ...] = (101, 21)) -> tuple[MLP, Rows, Rows]:
    """A stacked net, points of unequal number, and validation rows."""
    on = task(blobs(counts))
    net = new_net(on, (7, 5), activation)
    net.flat = net.flat * 2
    points = ExplicitGradient()._copies(net, Numbered.of(on.train), on)
    stream = torch.Generator().manual_seed(1)
    moved = points.x + 0.5 * torch.randn(points.x.shape, generator=stream, dtype=torch.float64)
    mask = points.mask.clone()
    mask[1, 2:] = False  # replicates differ in size
    return net, Rows(moved, points.y, mask), on.valid


def by_autograd(net: MLP, points: Rows, valid: Rows) -> tuple[Tensor, Tensor]:
    """The definition, written out a point at a time: c [R, n] and -grad_z c [R, n, D]."""
    c, down = torch.full(points.y.shape, torch.nan, dtype=torch.float64), torch.zeros_like(points.x)
    for r, n in enumerate(points.mask.sum(1).tolist()):
        one = net.flat[r : r + 1].clone().requires_grad_()
        own = MLP(net.sizes, net.activation, one)
        real = valid.mask[r]
        (v,) = torch.autograd.grad(cross_entropy(own(valid.x[r : r + 1, real]), valid.y[r : r + 1, real]).mean(), one)
        for i in range(n):
            z = points.x[r, i].clone().requires_grad_()
            (g,) = torch.autograd.grad(
                cross_entropy(own(z[None, None]), points.y[r, i][None, None]).sum(), one, create_graph=True
            )
            value = -(g * v).sum()
            (slope,) = torch.autograd.grad(value, z)
            c[r, i], down[r, i] = value.detach(), -slope
    return c, down


@pytest.mark.parametrize("activation, counts", [("tanh", (101, 21)), ("relu", (80, 24, 18))])
def test_they_are_what_their_definition_says(activation: str, counts: tuple[int, ...]) -> None:
    net, points, valid = setting(activation, counts)
    v = validation_gradient(net, valid)
    c, down = by_autograd(net, points, valid)
    torch.testing.assert_close(compute_contributions(net, points, v), c, rtol=1e-9, atol=1e-12, equal_nan=True)
    torch.testing.assert_close(compute_descent(net, points, v), down, rtol=1e-9, atol=1e-12)
    assert (c[points.mask] < 0).any() and (c[points.mask] > 0).any()


def test_they_are_the_change_that_a_little_of_a_point_makes() -> None:
    """The weight of one point is changed by epsilon in a step: what the validation loss then does."""
    net, points, valid = setting()
    v, eps, eta = validation_gradient(net, valid), 1e-4, 0.1
    c = compute_contributions(net, points, v)

    def after(i: int, weight: float) -> Tensor:
        weights = torch.zeros_like(points.mask, dtype=torch.float64)
        weights[:, i] = weight
        stepped = MLP(net.sizes, net.activation, net.flat - eta * net.gradient(points.x, points.y, weights, cross_entropy)[1])
        return weighted_sum(cross_entropy(stepped(valid.x), valid.y), mean_weights(valid.mask, torch.float64))

    for i in range(2):
        change = (after(i, eps) - after(i, -eps)) / (2 * eps * eta)
        torch.testing.assert_close(change, c[:, i], rtol=1e-6, atol=1e-10)


def test_chunks_and_precision_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    net, points, valid = setting()
    v = validation_gradient(net, valid)
    whole = compute_contributions(net, points, v), compute_descent(net, points, v)
    monkeypatch.setattr(module, "MAX_VALUES", 1)
    torch.testing.assert_close(validation_gradient(net, valid), v, rtol=1e-12, atol=1e-15)
    torch.testing.assert_close((compute_contributions(net, points, v), compute_descent(net, points, v)), whole, equal_nan=True)
    single = MLP(net.sizes, net.activation, net.flat.float())
    assert compute_contributions(single, points, validation_gradient(single, valid)).dtype == torch.float64


def test_with_the_classes_alike_each_has_the_same_say() -> None:
    net, _, valid = setting(counts=(80, 24, 18))
    per_class = []
    for c in range(3):
        own = Rows(valid.x, valid.y, valid.mask & (valid.y == c))
        per_class.append(validation_gradient(net, own))
    torch.testing.assert_close(validation_gradient(net, valid, alike=True), sum(per_class) / 3, rtol=1e-9, atol=1e-12)
    two = Rows(valid.x, valid.y, valid.mask & (valid.y != 1))  # a class without rows has none
    torch.testing.assert_close(
        validation_gradient(net, two, alike=True), (per_class[0] + per_class[2]) / 2, rtol=1e-9, atol=1e-12
    )


def test_a_move_of_explicit_gradient_goes_down_them() -> None:
    """One step on all rows and one move by all validation rows: each point goes eta2 eta1 / N along `downhill` of the next network."""
    on = task()
    net = new_net(on, (6,), "tanh")
    method = ExplicitGradient(hidden=(6,), eta_points=3.0, eta_model=1e-5, batch=4096, batch_outer=4096, batch_points=4096)
    points = method._copies(net, Numbered.of(on.train), on)
    step = MetaStep(method, net, on, on.valid, points)
    step.begin([1] * len(on.replicates))
    everyone = torch.ones(len(on.replicates), dtype=torch.bool)
    step(Batch(on.train.x, on.train.y, on.train.mask, everyone, 0))
    rows = (on.train.mask.sum(1) + points.mask.sum(1)).view(-1, 1, 1)
    down = compute_descent(net, points, validation_gradient(net, on.valid))
    expected = 3.0 * 1e-5 / rows * down
    torch.testing.assert_close(step.points - points.x, expected, rtol=1e-3, atol=1e-12)  # eta1 is small, not 0


def logistic(x: Tensor, y: Tensor, weights: Tensor, decay: float) -> MLP:
    """Logistic regression with an L2 penalty on everything, to its minimum, one replicate a row of weights [R, n]."""
    net = MLP((x.shape[2], 2), "relu", torch.zeros(len(weights), 2 * (x.shape[2] + 1), dtype=torch.float64))
    x, y = x.expand(len(weights), -1, -1), y.expand(len(weights), -1)
    hidden = torch.cat([x, torch.ones_like(x[..., :1])], 2)
    for _ in range(12):  # Newton
        p = net(x).softmax(-1)
        gradient = net.gradient(x, y, weights, cross_entropy)[1] + decay * net.flat
        curve = torch.diag_embed(p) - p.unsqueeze(3) * p.unsqueeze(2)
        h = torch.einsum("rni,rnab,rnj,rn->riajb", hidden, curve, hidden, weights).flatten(3).flatten(1, 2)
        h = h + decay * torch.eye(h.shape[1], dtype=torch.float64)
        net.flat = net.flat - torch.linalg.solve(h, gradient)
    assert float(gradient.abs().max()) < 1e-10
    return net


def test_against_leaving_each_point_out_and_training_anew() -> None:
    """On a convex problem, the honest check: sign and rank against what presence really does, once all is trained anew."""
    rng = np.random.default_rng(3)
    shares, ranks = [], []
    for _ in range(4):
        centre = rng.normal(size=4)
        x = np.concatenate([rng.normal(size=(150, 4)), rng.normal(size=(20, 4)) + centre])
        y = np.repeat([0, 1], [150, 20])
        z = x[150:][rng.integers(0, 20, 30)] + 1.5 * rng.normal(size=(30, 4))
        other, other_y = (
            np.concatenate([rng.normal(size=(150, 4)), rng.normal(size=(50, 4)) + centre]),
            np.repeat([0, 1], [150, 50]),
        )
        every = torch.from_numpy(np.concatenate([x, z]))[None]
        labels = torch.from_numpy(np.concatenate([y, np.ones(30, int)]))[None]
        n = every.shape[1]
        left_out = torch.full((31, n), 1 / n, dtype=torch.float64)
        left_out[torch.arange(1, 31), torch.arange(170, 200)] = 0  # the first replicate has all
        net = logistic(every, labels, left_out, 0.05)
        valid = torch.from_numpy(other)[None], torch.from_numpy(other_y)[None]
        losses = cross_entropy(net(valid[0].expand(31, -1, -1)), valid[1].expand(31, -1)).mean(1)
        true = (losses[0] - losses[1:]).numpy()  # with the point, less without it
        one = MLP(net.sizes, net.activation, net.flat[:1])
        real = Rows(valid[0], valid[1], torch.ones_like(valid[1], dtype=torch.bool))
        points = Rows(every[:, 170:], labels[:, 170:], torch.ones(1, 30, dtype=torch.bool))
        c = compute_contributions(one, points, validation_gradient(one, real))[0].numpy()
        shares.append(float(np.mean(np.sign(c) == np.sign(true))))
        ranks.append(float(spearmanr(c, true).statistic))
    print(f"sign agrees in {np.round(shares, 2)}, Spearman {np.round(ranks, 2)}")
    assert min(ranks) > 0.7 and np.mean(shares) > 0.8


def fitted(on: Task, copies: int = 2) -> Fitted:
    """A net that was never trained, and copies a little away from their parents."""
    net = new_net(on, (6,), "tanh")
    points = ExplicitGradient(copies=copies)._copies(net, Numbered.of(on.train), on)
    x = points.x + 0.5 * points.mask.unsqueeze(2) / points.x.shape[2] ** 0.5
    return Fitted(net, torch.ones(len(on.replicates)), Synthetic(x, points.x, points.y, points.mask, points.number))


def test_what_is_kept_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    on = task()
    data = blobs()
    made = fitted(on)
    assert isinstance(made.net, MLP) and made.synthetic is not None
    s = made.synthetic
    drawn = [np.array([3, 5, 2]) for _ in on.replicates]
    axes = [np.eye(3)[:2] for _ in on.replicates]
    gradient = validation_gradient(made.net, on.valid)
    c = compute_contributions(made.net, Rows(s.x, s.y, s.mask), gradient).numpy()
    down = compute_descent(made.net, Rows(s.x, s.y, s.mask), gradient).numpy()
    every = measure_run(on, made, drawn, axes)
    assert every is not None and len(every) == len(on.replicates)
    for r, one in enumerate(every):
        n = int(s.mask[r].sum())
        assert one["number"].tolist() == list(range(n)) and np.allclose(one["value"], c[r, :n])
        assert np.allclose(one["every"], [c[r, :n], one["alike"]]) and not np.allclose(one["value"], one["alike"])
        assert np.allclose(one["moved"], 0.5) and set(one["label"].tolist()) == {1}
        assert (data.y[one["row"]] == 1).all() and len(set(one["row"].tolist())) == n // 2  # copied twice
        assert one["drawn"].tolist() == [3, 5, 2] and np.allclose(one["arrow"], down[r, [3, 5, 2], :2])
    assert measure_run(on, replace(made, synthetic=None), drawn, axes) is None
    assert measure_run(replace(on, held_out=False), made, drawn, axes) is None
    made.net.cosine = True
    assert not is_supported(made.net) and measure_run(on, made, drawn, axes) is None
    made.net.cosine = False
    monkeypatch.setattr(module, "MAX_POINTS", 4)
    monkeypatch.setattr(module, "MAX_ARROWS", 1)
    some = measure_run(on, made, drawn, [])
    assert some is not None
    for r, one in enumerate(some):
        values = c[r, : one["every"].shape[1]]
        assert {2, 3, 5} <= set(one["number"].tolist()) and len(one["number"]) <= 5 and not len(one["arrow"])
        assert np.allclose([one["value"].min(), one["value"].max()], [values.min(), values.max()])
        assert np.allclose(one["value"][one["drawn"]], c[r, [3, 5, 2]])


def test_the_summary_counts_the_helpful_and_passes_over_replicates_without_points() -> None:
    asked: list[tuple[float, float]] = []

    def interval(values: np.ndarray, bounds: tuple[float, float]) -> dict[str, list[float]]:
        asked.append(bounds)
        return {"values": values.tolist()}

    one = np.array([[-1.0, 2.0, 3.0, -4.0], [-1.0, -2.0, -3.0, 2.0]])
    out = summarise_contributions([one, np.zeros((2, 0)), np.array([[1.0], [2.0]])], interval)
    assert out["points"] == pytest.approx(5 / 3) and asked == 2 * [(0.0, 1.0), (-np.inf, np.inf)]
    np.testing.assert_equal(out["helpful_alike"]["values"], [0.75, np.nan, 0.0])
    np.testing.assert_equal(out["mean_alike"]["values"], [-1.0, np.nan, 2.0])
    np.testing.assert_equal(out["helpful"]["values"], [0.5, np.nan, 0.0])
    np.testing.assert_equal(out["mean"]["values"], [0.0, np.nan, 1.0])
    assert summarise_contributions([np.zeros((2, 0))], interval) == {}
