"""Convolutional networks: their sizes, and that they behave as the stacked MLP does."""

from __future__ import annotations

import copy

import pytest
import torch

from engine.losses import cross_entropy
from engine.models.cnn import CNN, TRUNKS, parameters
from engine.models.net import WithHead
from engine.training.loop import Batch
from engine.training.optimisers import Augment

F64 = torch.float64
SHAPE = (1, 8, 8)


def net_of(model: str = "small-resnet", replicates: int = 2, shape: tuple[int, int, int] = SHAPE, cosine: bool = False) -> CNN:
    streams = [torch.Generator().manual_seed(r) for r in range(replicates)]
    return CNN.create(model, shape, 3, streams, device=torch.device("cpu"), dtype=F64, cosine=cosine)


def rows(replicates: int = 2, n: int = 9, size: int = 64) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    stream = torch.Generator().manual_seed(7)
    x = torch.randn(replicates, n, size, generator=stream, dtype=F64)
    return x, torch.randint(3, (replicates, n), generator=stream), torch.full((replicates, n), 1 / n, dtype=F64)


@pytest.mark.parametrize(
    ("model", "count"),
    [
        ("resnet32", 464_154),
        ("resnet56", 853_018),
        ("wrn-16-4", 2_748_890),
        ("wrn-28-4", 5_849_050),
        ("densenet-bc-100-12", 769_162),
    ],
)
def test_parameter_counts_for_ten_classes_of_colour_images(model, count):
    assert parameters(model, (3, 32, 32), 10) == count


def test_lenet_has_the_layers_of_the_papers_table():
    grey = 6 * 26 + 16 * (6 * 25 + 1) + 400 * (256 + 1) + 120 * 401 + 10 * 121
    colour = 20 * 76 + 50 * (20 * 25 + 1) + 500 * (1250 + 1) + 120 * 501 + 10 * 121
    assert parameters("lenet", (1, 28, 28), 10) == grey and parameters("lenet", (3, 32, 32), 10) == colour


@pytest.mark.parametrize("model", ["small-resnet", "lenet", "wrn-16-4", "densenet-bc-100-12"])
def test_the_gradient_is_the_slope_of_the_loss(model):
    net = net_of(model, 1, cosine=model == "small-resnet")
    x, y, w = rows(1)
    losses, gradient = net.gradient(x, y, w, cross_entropy)
    start = net.flat.clone()
    along = torch.randn(start.shape, generator=torch.Generator().manual_seed(3), dtype=F64) / start.shape[1] ** 0.5
    ends = []
    for step in (1e-6, -1e-6):
        net.flat = start + step * along
        ends.append(net.gradient(x, y, w, cross_entropy)[0])
    assert torch.allclose((ends[0] - ends[1]) / 2e-6, (gradient * along).sum(1), rtol=2e-4, atol=1e-8)
    assert losses.shape == (1,)


def test_replicates_do_not_mix_and_padding_is_not_seen():
    both = net_of()
    alone = both.first(1).copy()
    x, y, w = rows()
    w[0, 6:] = 0  # the first replicate has six rows, the rest is padding
    w[0] /= w[0].sum()
    _, gradient = both.gradient(x, y, w, cross_entropy)
    _, own = alone.gradient(x[:1, :6], y[:1, :6], w[:1, :6], cross_entropy)
    assert torch.allclose(gradient[0], own[0], rtol=0, atol=1e-12)
    assert torch.allclose(both.state()[0][0], alone.state()[0][0], rtol=0, atol=1e-12)


def test_a_replicate_without_rows_keeps_everything():
    net = net_of()
    x, y, w = rows()
    w[1] = 0
    before = net.state()[0].clone()
    _, gradient = net.gradient(x, y, w, cross_entropy)
    assert not gradient[1].any() and torch.equal(net.state()[0][1], before[1])
    assert not torch.equal(net.state()[0][0], before[0])


def test_evaluation_changes_nothing_and_depends_on_no_other_row():
    net = net_of()
    x, y, w = rows()
    net.gradient(x, y, w, cross_entropy)
    before = copy.deepcopy((net.flat, net.state()))
    whole = net(x)
    assert torch.allclose(net(x[:, :2]), whole[:, :2], rtol=0, atol=1e-12)
    assert torch.equal(net.flat, before[0]) and torch.equal(net.state()[0], before[1][0])


def test_a_copy_is_independent_and_equal():
    net = net_of()
    x, y, w = rows()
    net.gradient(x, y, w, cross_entropy)
    other = net.copy()
    assert torch.equal(other(x), net(x))
    other.flat = other.flat + 1
    assert not torch.equal(other(x), net(x))


def test_assigning_parameters_reaches_the_layers():
    one, two = net_of(), net_of()
    two.flat = two.flat * 0.5
    x, _, _ = rows()
    assert not torch.equal(one(x), two(x))
    two.flat = one.flat
    assert torch.equal(one(x), two(x))


def test_the_head_is_the_end_of_flat_in_every_network():
    net = net_of()
    weight = net.head_weights()
    assert weight.shape == (2, net.width, 3)
    z = net.embed(rows()[0])
    assert torch.allclose(net.head(z), z @ weight + net.flat[:, None, -3:], rtol=0, atol=1e-12)


def test_a_cosine_head_sees_directions_alone():
    net = net_of(cosine=True)
    z = net.embed(rows()[0])
    assert torch.allclose(net.head(3 * z), net.head(z), rtol=0, atol=1e-12) and bool((net.head(z).abs() <= 1 + 1e-12).all())


def test_another_classifier_on_the_same_features():
    net = net_of()
    x, _, _ = rows()
    other = WithHead(net, lambda z: -z[..., :3])
    assert torch.equal(other(x), -net.embed(x)[..., :3]) and bool(other.head_weights().isnan().all())
    assert torch.equal(other.first(1)(x[:1]), other(x)[:1])
    with pytest.raises(TypeError):
        other.gradient(*rows(), cross_entropy)


def test_every_name_makes_a_network_for_every_shape():
    for model in TRUNKS:
        for shape in (SHAPE, (1, 28, 28), (3, 32, 32)):
            net = net_of(model, 1, shape)
            x = torch.zeros(1, 2, shape[0] * shape[1] * shape[2], dtype=F64)
            assert net(x).shape == (1, 2, 3) and parameters(model, shape, 3) == net.flat.shape[1]


def test_augmentation_moves_and_flips_whole_images():
    shape = (2, 8, 8)
    image = torch.arange(128, dtype=F64).view(1, 1, 128)
    x = image.expand(2, 200, -1)
    mask = torch.ones(2, 200, dtype=torch.bool)
    batch = Batch(x, torch.zeros(2, 200, dtype=torch.int64), mask, torch.ones(2, dtype=torch.bool), 0)

    def augmented() -> torch.Tensor:
        return Augment(shape, [torch.Generator().manual_seed(r) for r in range(2)])(batch).x

    moved = augmented()
    assert torch.equal(moved, augmented()) and moved.shape == x.shape
    padded = torch.nn.functional.pad(image.view(2, 8, 8), (1, 1, 1, 1))
    possible = {}
    for down in range(3):
        for across in range(3):
            crop = padded[:, down : down + 8, across : across + 8]
            possible[crop.reshape(-1).numpy().tobytes()] = possible[crop.flip(2).reshape(-1).numpy().tobytes()] = True
    seen = {row.numpy().tobytes() for row in moved.reshape(-1, 128)}
    assert seen <= set(possible) and len(seen) == len(possible) == 18


def test_compiled_layers_are_asked_for_by_the_environment_alone(monkeypatch):
    compiled = []
    monkeypatch.setattr(torch, "compile", lambda trunk: compiled.append(trunk) or trunk)
    net_of()
    assert not compiled
    monkeypatch.setenv("LAB_COMPILE", "1")
    x, y, w = rows()
    assert net_of().gradient(x, y, w, cross_entropy)[0].shape == (2,) and len(compiled) == 2
