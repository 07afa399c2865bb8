"""The stacked MLP: hand-written derivatives against autograd, initialisation, one replicate at a time against torch.nn."""

from __future__ import annotations

import pytest
import torch

from engine.losses import Focal, Loss, cross_entropy
from engine.models.mlp import MLP
from engine.models.net import product

F64 = torch.float64
SIZES = [(3, 2), (3, 5, 2), (4, 17, 6, 3), (2, 20, 18, 4)]


def net_of(sizes: tuple[int, ...], activation: str, replicates: int = 3) -> MLP:
    streams = [torch.Generator().manual_seed(i) for i in range(replicates)]
    return MLP.create(sizes, activation, streams, device=torch.device("cpu"), dtype=F64)


def rows(net: MLP, n: int = 11) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(7)
    r = len(net.flat)
    x = torch.randn(r, n, net.sizes[0], generator=rng, dtype=F64)
    y = torch.randint(net.sizes[-1], (r, n), generator=rng)
    return x, y, torch.rand(r, n, generator=rng, dtype=F64)


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("loss", [cross_entropy, Focal(2.0), Focal(0.5, alpha=0.25)], ids=["ce", "focal", "focal alpha"])
def test_gradient_equals_autograd(sizes: tuple[int, ...], activation: str, loss: Loss) -> None:
    net = net_of(sizes, activation)
    x, y, w = rows(net)
    leaf = net.flat.clone().requires_grad_()
    expected = (loss(net(x, net.views(leaf)), y) * w).sum(1)
    (slope,) = torch.autograd.grad(expected.sum(), leaf)
    losses, gradient = net.gradient(x, y, w, loss, net.flat)
    assert torch.allclose(losses, expected, rtol=0, atol=1e-13)
    assert torch.allclose(gradient, slope, rtol=0, atol=1e-12)


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("loss", [cross_entropy, Focal(2.0)], ids=["ce", "focal"])
def test_mixed_equals_double_backward(sizes: tuple[int, ...], activation: str, loss: Loss) -> None:
    net = net_of(sizes, activation)
    x, y, w = rows(net)
    v = torch.randn(net.flat.shape, generator=torch.Generator().manual_seed(3), dtype=F64)
    x_leaf, leaf = x.clone().requires_grad_(), net.flat.clone().requires_grad_()
    total = (loss(net(x_leaf, net.views(leaf)), y) * w).sum()
    (slope,) = torch.autograd.grad(total, leaf, create_graph=True)
    at_x, at_flat = torch.autograd.grad((slope * v).sum(), (x_leaf, leaf))
    ours = net.mixed(x, y, w, loss, net.flat, v, at_parameters=True)
    assert torch.allclose(ours[0], at_x, rtol=0, atol=1e-12)
    assert torch.allclose(ours[1], at_flat, rtol=0, atol=1e-12)
    assert torch.equal(net.mixed(x, y, w, loss, net.flat, v)[0], ours[0])


def test_one_replicate_is_torchs_network() -> None:
    net = net_of((4, 6, 5, 3), "relu")
    x, _, _ = rows(net)
    for r in range(3):
        layers = net.views(net.flat)
        h = x[r]
        for k in range(3):
            linear = torch.nn.Linear(*layers[2 * k].shape[1:], dtype=F64)
            with torch.no_grad():
                linear.weight.copy_(layers[2 * k][r].T)
                linear.bias.copy_(layers[2 * k + 1][r, 0])
            h = linear(h) if k == 2 else torch.relu(linear(h))
        assert torch.allclose(net(x)[r], h, rtol=0, atol=1e-13)


def test_initial_weights_have_torchs_range_and_do_not_depend_on_neighbours() -> None:
    net = net_of((9, 300, 2), "relu")
    first, _, last, _ = net.views(net.flat)
    assert float(first.abs().max()) <= 1 / 3 and float(first.abs().max()) > 0.33
    assert float(last.abs().max()) <= 300**-0.5
    assert abs(float(first.mean())) < 0.01
    alone = MLP.create((9, 300, 2), "relu", [torch.Generator().manual_seed(1)], device=torch.device("cpu"), dtype=F64)
    assert torch.equal(alone.flat[0], net.flat[1])


@pytest.mark.parametrize("columns", [1, 2, 15, 16, 40])
def test_product_is_bmm(columns: int) -> None:
    rng = torch.Generator().manual_seed(0)
    a, b = torch.randn(3, 7, 5, generator=rng, dtype=F64), torch.randn(3, 5, columns, generator=rng, dtype=F64)
    assert torch.allclose(product(a, b), torch.bmm(a, b), rtol=0, atol=1e-13)
