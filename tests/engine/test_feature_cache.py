"""Features kept between two looks at the same rows; augmentation and pooling that only move or compare values: all equal to the bit."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from engine.models import cnn, feature_cache
from engine.models.cnn import CNN
from engine.models.lenet import Pool
from engine.training import network_cache
from engine.training.loop import Batch
from engine.training.optimisers import Augment


@pytest.fixture(autouse=True)
def nothing_kept():
    feature_cache.clear()
    yield
    feature_cache.clear()


@pytest.fixture
def computed(monkeypatch):
    """How many blocks were really computed."""
    blocks = []
    through = CNN._through
    monkeypatch.setattr(CNN, "_through", lambda self, r, x: (blocks.append(len(x)), through(self, r, x))[1])
    return blocks


def build_net(model: str = "small-resnet") -> CNN:
    streams = [torch.Generator().manual_seed(r) for r in range(2)]
    return CNN.create(model, (1, 8, 8), 3, streams, device=torch.device("cpu"), dtype=torch.float32)


def rows(seed: int = 0) -> torch.Tensor:
    return torch.randn(2, 9, 64, generator=torch.Generator().manual_seed(seed))


def test_the_same_rows_under_the_same_layers_are_computed_once(computed):
    net, x = build_net(), rows()
    first = net.embed(x)
    taken = len(computed)
    net.flat[:, -net.classes :] = 7.0  # the last layer
    assert torch.equal(net.copy().embed(x.clone()), first)
    assert taken > 0 and len(computed) == taken


@pytest.mark.parametrize("what", ["rows", "weights", "statistics", "network"])
def test_what_has_changed_is_computed_anew(computed, what):
    net, x = build_net(), rows()
    first = net.embed(x)
    if what == "rows":
        x[0, 0] += 1.0  # in place
    elif what == "weights":
        net.flat[1, 3] += 0.5
    elif what == "statistics":
        net.state()[0][1, 0] += 0.5
    else:
        net = build_net("lenet")
    taken = len(computed)
    now = net.embed(x)
    assert len(computed) > taken and not (now.shape == first.shape and torch.equal(now, first))
    feature_cache.clear()
    assert torch.equal(net.embed(x), now)


def test_who_changes_what_is_handed_out_changes_it_alone():
    net, x = build_net(), rows()
    expected = net.embed(x).clone()
    net.embed(x).zero_()
    assert torch.equal(net.embed(x), expected)


def test_few_sets_and_no_large_one_are_kept(monkeypatch):
    net = build_net()
    for seed in range(feature_cache.MOST + 2):
        net.embed(rows(seed))
    assert len(feature_cache._kept) == feature_cache.MOST
    network_cache.clear()
    assert not feature_cache._kept
    monkeypatch.setattr(feature_cache, "LARGEST", 100)
    net.embed(rows())
    assert not feature_cache._kept


def test_a_part_of_the_replicates_shares_their_layers():
    net, x = build_net(), rows()
    some = net.first(1)
    assert torch.equal(some.embed(x[:1]), net.embed(x)[:1]) and some.flat.shape[0] == 1
    net.flat = net.flat * 0.9
    assert torch.equal(some(x[:1]), net(x)[:1])


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 16, 16), (2, 12, 20)])
def test_augmentation_crops_and_flips_image_by_image(shape):
    channels, height, width = shape
    x = torch.randn(2, 5, channels * height * width)
    mask = torch.ones(2, 5, dtype=torch.bool)
    mask[1, 3:] = False
    seen = Augment(shape, [torch.Generator().manual_seed(r) for r in range(2)])(
        Batch(x, torch.zeros(2, 5, dtype=torch.int64), mask, torch.ones(2, dtype=torch.bool), 0)
    )
    down, across = max(1, height // 8), max(1, width // 8)
    for r, count in enumerate((5, 3)):
        draws = torch.rand(count, 3, generator=torch.Generator().manual_seed(r), dtype=torch.float64).tolist()
        for i, (y, z, flip) in enumerate(draws):
            padded = nn.functional.pad(x[r, i].view(shape), (across, across, down, down))
            top, left = int(y * (2 * down + 1)), int(z * (2 * across + 1))
            expected = padded[:, top : top + height, left : left + width]
            expected = expected if flip < 0.5 else expected.flip(2)
            assert torch.equal(seen.x[r, i].view(shape), expected)


@pytest.mark.parametrize("side", [(8, 8), (9, 7), (2, 3)])
def test_pooling_equals_the_librarys(side):
    x = (torch.randn(4, 3, *side, generator=torch.Generator().manual_seed(1)) * 3).round()  # with equal values
    usual = nn.Sequential(nn.ReLU(), nn.MaxPool2d(2))
    ours = nn.Sequential(Pool(), nn.ReLU())
    with torch.no_grad():
        assert torch.equal(ours(x), usual(x))
    seen = []
    for layers in (ours, usual):
        leaf = x.clone().requires_grad_()
        out = layers(leaf)
        out.backward(torch.arange(out.numel(), dtype=out.dtype).view(out.shape))
        seen += [out.detach(), leaf.grad]
    assert torch.equal(seen[0], seen[2]) and torch.equal(seen[1], seen[3])


def test_only_batch_norm_differs_in_training():
    """`CNN._learn` switches batch norm alone."""
    known = (nn.Conv2d, nn.Linear, nn.ReLU, nn.MaxPool2d, nn.AvgPool2d, nn.Flatten, nn.Sequential, nn.Identity, nn.BatchNorm2d)
    for name, build in cnn.TRUNKS.items():
        for module in build((3, 32, 32)).modules():
            own = type(module).__module__.startswith("engine.")
            assert own or isinstance(module, known), f"{name}: does {type(module).__name__} differ in training?"
