"""CGAN: the card's closed forms, its options, and that its images are of their classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from engine.errors import BadInput
from engine.events import Running
from engine.methods.cgan import CGAN as Method
from engine.models.generators import cgan
from engine.models.generators.adversarial import Streams
from engine.seeds import numpy_stream, torch_stream
from engine.training.camera import Camera
from tests.engine.cards import assert_close, read_cases
from tests.engine.generators import train_generator
from tests.engine.tasks import blobs, pictures, task

F64 = torch.float64
TINY: dict[str, Any] = {"maps": 2, "noise": 4, "embedding": 3, "batch": 16, "steps": 2}


def _streams() -> Streams:
    return Streams(*(torch_stream(0, f"gen-{name}", 0, 0) for name in ("init", "batch", "noise")))


def _make(counts: tuple[int, ...] = (20, 8, 5), dtype: torch.dtype = F64, **options: Any) -> cgan.CGAN:
    """An untrained CGAN of pictures in [-1, 1]."""
    made = pictures(counts)
    x = torch.from_numpy(made.images).to(dtype).flatten(1) / 127.5 - 1
    return cgan.CGAN(x, torch.from_numpy(made.y), len(counts), (1, 8, 8), cgan.Options(**(TINY | options)), _streams())


def _discriminator(**options: Any) -> cgan.Discriminator:
    net = cgan.Discriminator((1, 8, 8), 3, 4, **({"spectral": False, "spread": False, "attention": False} | options)).double()
    net.begin(torch_stream(0, "test"))
    return net


def _images(count: int = 6) -> torch.Tensor:
    return torch.rand(count, 1, 8, 8, generator=torch_stream(0, "test"), dtype=F64)


@pytest.mark.parametrize("case", read_cases("cgan", "parameters"))
def test_the_nets_have_the_cards_parameters(case: dict[str, Any]) -> None:
    given = case["input"]
    shape = (1, given["side"], given["side"])
    with torch.device("meta"):
        nets = (
            cgan.Generator(shape, given["classes"], given["noise"], given["embedding"], given["maps"], attention=False),
            cgan.Discriminator(shape, given["classes"], given["maps"], spectral=False, spread=False, attention=False),
        )
    assert [sum(p.numel() for p in net.parameters()) for net in nets] == case["value"]


@pytest.mark.parametrize("case", read_cases("cgan", "discriminator", "generator", "slope", "minimax", "minimax slope", "floor"))
def test_losses_are_those_of_the_card(case: dict[str, Any]) -> None:
    if case["what"] == "floor":  # least where the discriminator says the target; without smoothing, as here, it is 0
        target, sure = case["input"]["target"], torch.tensor([800.0], dtype=F64)

        def smoothed(z: torch.Tensor) -> float:
            real, made = cgan.discriminator_loss(z, -sure, "logistic"), cgan.discriminator_loss(sure, z, "logistic")
            return float(target * real + (1 - target) * made)

        logits = torch.linspace(-6, 6, 2401, dtype=F64).split(1)
        least = torch.logit(torch.tensor([target], dtype=F64))
        assert_close(smoothed(least), case["value"], 5e-6)  # the card has five digits
        assert min(map(smoothed, logits)) >= smoothed(least) and float(cgan.discriminator_loss(sure, -sure, "logistic")) == 0
        return
    logit = torch.tensor([case["input"]["logit"]], dtype=F64, requires_grad=True)
    if "minimax" in case["what"]:  # minus the discriminator's loss on generated rows; of real rows it is sure
        sure = torch.full_like(logit, 800.0)
        value = -cgan.discriminator_loss(sure, logit, "logistic")
        found = value.detach() if case["what"] == "minimax" else torch.autograd.grad(value, logit)[0].squeeze()
        assert_close(found, case["value"])
        return
    loss = case["input"]["loss"]
    if case["what"] == "discriminator":
        assert_close(cgan.discriminator_loss(logit, logit, loss).detach(), case["value"])
        return
    value = cgan.generator_loss(logit, loss)
    assert_close(
        value.detach() if case["what"] == "generator" else torch.autograd.grad(value, logit)[0].squeeze(), case["value"]
    )


@pytest.mark.parametrize("case", read_cases("cgan", "spread"))
def test_batch_spread_is_that_of_the_class(case: dict[str, Any]) -> None:
    h = torch.tensor(case["input"]["h"], dtype=F64, requires_grad=True)
    found = cgan.measure_spread(h, torch.tensor(case["input"]["y"]), case["input"]["classes"])
    assert_close(found.detach(), case["value"])
    (slope,) = torch.autograd.grad(found.sum(), h)
    assert bool(slope.isfinite().all()) and not slope[2].any()


@pytest.mark.parametrize("spectral", [False, True])
def test_the_discriminator_begins_without_the_class(spectral: bool) -> None:
    net = _discriminator(spectral=spectral)
    torch.nn.init.zeros_(net.projection)
    net.eval()
    assert torch.equal(net(_images(), torch.zeros(6, dtype=torch.int64)), net(_images(), torch.full((6,), 2)))
    net.projection.data[2] = 1.0
    assert not torch.equal(net(_images(), torch.zeros(6, dtype=torch.int64)), net(_images(), torch.full((6,), 2)))


def test_attention_changes_nothing_at_the_start() -> None:
    block = cgan.Attention(8).double()
    x = torch.rand(2, 8, 4, 4, generator=torch_stream(0, "test"), dtype=F64)
    assert torch.equal(block(x), x)
    block.gamma.data.fill_(0.5)
    assert not torch.equal(block(x), x)
    plain, with_block = _make(steps=0), _make(steps=0, attention=True)
    generators = [one._pairs[-1].generator.state_dict() for one in (plain, with_block)]
    assert {name for name in generators[1] if name.endswith("gamma")} and len(generators[1]) > len(generators[0])
    assert all(not value.any() for name, value in generators[1].items() if name.endswith("gamma"))


def test_spectral_norm_finds_the_largest_singular_value() -> None:
    layer = cgan.SpectralNorm(torch.nn.Linear(5, 4, bias=False)).double()
    layer.begin(torch_stream(0, "test"))
    for _ in range(200):
        layer(torch.zeros(1, 5, dtype=F64))
    weight = layer(torch.eye(5, dtype=F64)).T
    assert_close(torch.linalg.matrix_norm(weight, 2).detach(), 1.0, tolerance=1e-6)
    layer.eval()
    before = layer.left.clone()
    layer(torch.zeros(1, 5, dtype=F64))
    assert torch.equal(before, layer.left)


@pytest.mark.parametrize(
    "options",
    [
        *({}, {"stabilise": "none"}, {"stabilise": "spectral"}, {"loss": "hinge"}),
        *({"balanced": False}, {"attention": True}, {"per_class": True}),
    ],
    ids=str,
)
def test_every_option_trains_and_draws(options: dict[str, Any]) -> None:
    made = []
    for _ in range(2):
        one = _make(**options)
        told = train_generator(one)
        assert len(told["d_loss"]) == len(told["g_loss"]) == 2 and np.isfinite([*told["d_loss"], *told["g_loss"]]).all()
        one.settle()
        made.append(one.draw({1: 5, 2: 4}, numpy_stream(0, "points")))
        assert torch.equal(made[-1].x, one.draw({1: 5, 2: 4}, numpy_stream(0, "points")).x)
    assert torch.equal(made[0].x, made[1].x) and made[0].y.tolist() == [1] * 5 + [2] * 4
    assert bool((made[0].x.abs() <= 1).all())
    pair, label = (one._pairs[1], 0) if options.get("per_class") else (one._pairs[-1], 1)
    assert torch.allclose(pair.make(made[-1].how["code"][:5], label).flatten(1), made[-1].x[:5], rtol=0, atol=1e-12)


def test_a_gan_per_class_sees_its_own_rows_alone() -> None:
    one = _make(per_class=True)
    assert {c: len(pair._x) for c, pair in one._pairs.items()} == {1: 8, 2: 5}


def test_larger_images_have_one_block_more() -> None:
    assert [cgan.count_doublings(side) for side in (8, 28, 32, 64)] == [2, 2, 2, 3]
    with torch.device("meta"):
        made = cgan.Generator((3, 64, 64), 4, 8, 4, 4, attention=True)(torch.empty(2, 8), torch.zeros(2, dtype=torch.int64))
    assert made.shape == (2, 3, 64, 64)


def test_its_images_are_of_their_classes() -> None:
    """A nearest-mean rule of real rows names the class of generated ones more often than chance."""
    one = _make((30, 20, 12), torch.float32, maps=8, noise=8, embedding=8, batch=48, steps=120)
    train_generator(one)
    made = one.draw({0: 40, 1: 40, 2: 40}, numpy_stream(0, "points"))
    fresh = pictures((60, 60, 60), seed=5)
    real = torch.from_numpy(fresh.images).float().flatten(1) / 127.5 - 1
    means = torch.stack([real[torch.from_numpy(fresh.y) == c].mean(0) for c in range(3)])
    named = torch.cdist(made.x, means).argmin(1)
    recalls = [float((named[made.y == c] == c).float().mean()) for c in range(3)]
    assert np.mean(recalls) > 0.4


def test_more_than_twenty_classes_have_no_gan_each() -> None:
    on = task(pictures((8,) * 21), ratio=None, folds=1, seeds=1)
    with pytest.raises(BadInput, match="at most 20 classes; these data have 21"):
        list(Running(Method(per_class=True).fit(on, camera=Camera(on, 0))))


def test_rows_that_are_no_images_are_refused() -> None:
    on = task(blobs())
    with pytest.raises(BadInput, match="needs images"):
        list(Running(Method().fit(on, camera=Camera(on, 0))))
