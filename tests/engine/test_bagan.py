"""BAGAN: the card's closed forms, what the three phases hand over, and its options."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from engine.data.dataset import Task
from engine.errors import BadInput
from engine.events import Epoch, Note, Phase, Running
from engine.methods.bagan import BAGAN as Method
from engine.models.generators import bagan
from engine.models.generators.adversarial import Shuffled, Streams, draw_balanced
from engine.seeds import numpy_stream, torch_stream
from engine.training import network_cache
from engine.training.camera import Camera
from tests.engine.cards import assert_close, read_cases
from tests.engine.generators import train_generator
from tests.engine.tasks import blobs, pictures, task

F64 = torch.float64
TINY: dict[str, Any] = {"maps": 2, "trunk_maps": 2, "latent": 4, "batch": 16}


@pytest.fixture(autouse=True)
def nothing_kept():
    network_cache.clear()
    yield
    network_cache.clear()


def _streams() -> Streams:
    return Streams(*(torch_stream(0, f"gen-{name}", 0, 0) for name in ("init", "batch", "noise")))


def _make(**options: Any) -> bagan.BAGAN:
    """An untrained BAGAN of pictures of three classes in [-1, 1]."""
    made = pictures((20, 8, 5))
    x = torch.from_numpy(made.images).double().flatten(1) / 127.5 - 1
    return bagan.BAGAN(x, torch.from_numpy(made.y), 3, (1, 8, 8), bagan.Options(**(TINY | options)), _streams())


@pytest.mark.parametrize("case", read_cases("bagan", "parameters"))
def test_the_nets_have_the_released_parameters(case: dict[str, Any]) -> None:
    given = case["input"]
    shape = (1, given["side"], given["side"])
    with torch.device("meta"):
        nets = (
            bagan.Decoder(shape, given["latent"], given["maps"]),
            bagan.Critic(shape, given["trunk_maps"], given["latent"]),
            bagan.Critic(shape, given["trunk_maps"], given["classes"] + 1),
        )
    assert [sum(p.numel() for p in net.parameters()) for net in nets] == case["value"]


@pytest.mark.parametrize("case", read_cases("bagan", "mean", "covariance", "drawn", "rank"))
def test_latents_are_drawn_from_the_gaussian_of_the_class(case: dict[str, Any]) -> None:
    if case["what"] == "rank":
        n, width = case["input"]["rows"], case["input"]["width"]
        latents, normal = (torch.randn(*of, generator=torch_stream(0, "test"), dtype=F64) for of in ((n, width), (300, n)))
        assert torch.linalg.matrix_rank(torch.cov(bagan.draw_gaussian(latents, normal).T)) == case["value"]
        return
    latents = torch.tensor(case["input"]["latents"], dtype=F64)
    n = len(latents)
    if case["what"] == "mean":
        assert_close(bagan.draw_gaussian(latents, torch.zeros(1, n, dtype=F64))[0], case["value"])
    elif case["what"] == "covariance":  # of a linear map of N(0, I): the map times its transpose
        root = bagan.draw_gaussian(latents, torch.eye(n, dtype=F64)) - latents.mean(0)
        assert_close(root.T @ root, case["value"])
    else:
        normal = torch.randn(case["input"]["draws"], n, generator=torch_stream(0, "test"), dtype=F64)
        assert_close(torch.cov(bagan.draw_gaussian(latents, normal).T), case["value"], tolerance=0.03)


@pytest.mark.parametrize("case", read_cases("bagan", "loss", "slope"))
def test_the_discriminator_has_one_output_more_than_classes(case: dict[str, Any]) -> None:
    """A last layer of zeros gives equal logits."""
    with torch.device("cpu"):
        critic = bagan.Critic((1, 8, 8), 2, case["input"]["classes"] + 1).double()
    nn.init.zeros_(critic.dense.weight)
    nn.init.zeros_(critic.dense.bias)
    logits = critic(torch.rand(1, 1, 8, 8, generator=torch_stream(0, "test"), dtype=F64))
    loss = functional.cross_entropy(logits, torch.tensor([case["input"]["wanted"]]))
    (slope,) = torch.autograd.grad(loss, logits)
    found = loss.detach() if case["what"] == "loss" else slope[0, case["input"]["wanted"]]
    assert_close(found, case["value"])


@pytest.mark.parametrize("case", read_cases("bagan", "fakes", "fakes per class", "rarest"))
def test_a_batch_holds_few_generated_rows(case: dict[str, Any]) -> None:
    if case["what"] == "rarest":  # of a whole pass, for as many rows as a batch has; the card has two digits
        given = case["input"]
        batches = Shuffled(given["rows"], given["batch"], torch_stream(0, "test"))
        taken = [batches.take() for _ in range(-(-given["rows"] // given["batch"]))]
        of_rarest, every = (sum(int((one < most).sum()) for one in taken) for most in (given["rarest"], given["rows"]))
        assert_close(of_rarest / every * given["batch"], case["value"], 0.005)
        return
    fakes = bagan.count_fakes(case["input"]["rows"], case["input"]["classes"])
    assert_close(fakes if case["what"] == "fakes" else fakes / case["input"]["classes"], case["value"])


@pytest.mark.parametrize("case", read_cases("bagan", "sides"))
def test_strides_halve_the_side_as_same_padding_does(case: dict[str, Any]) -> None:
    x, sides = torch.zeros(1, 1, case["input"]["side"], case["input"]["side"]), []
    for layer in bagan.Trunk(tuple(x.shape[1:]), 2).layers:  # type: ignore[arg-type]
        x = layer(x)
        sides.append(x.shape[2])
    assert sides == case["value"]


def test_padding_lies_below_and_on_the_right() -> None:
    """With weights of 1, the corner's sum shows which pixels a convolution of stride 2 sees."""
    layer = bagan.Trunk((1, 8, 8), 1).layers[0]
    nn.init.ones_(layer[1].weight)
    nn.init.zeros_(layer[1].bias)
    assert_close(layer(torch.ones(1, 1, 8, 8))[0, 0, ::3, ::3].detach(), [[9, 6], [6, 4]])


def test_the_discriminator_takes_over_the_encoders_trunk_alone() -> None:
    one = _make(passes=1, steps=0)
    train_generator(one)
    assert one._discriminator is not None
    encoder, judge = one._encoder.state_dict(), one._discriminator.state_dict()
    assert all(torch.equal(encoder[name], judge[name]) for name in encoder if name.startswith("trunk."))
    assert encoder["dense.weight"].shape == (4, 64) and judge["dense.weight"].shape == (4, 64)
    assert not torch.equal(encoder["dense.weight"], judge["dense.weight"])


def test_the_auto_encoder_learns_and_latents_stay_in_the_third_phase() -> None:
    sizes = {"passes": 30, "encoder_rate": 3e-3, "maps": 4, "trunk_maps": 4, "latent": 8}
    one = _make(steps=0, **sizes)
    told = train_generator(one)
    assert sum(told["ae_loss"][-5:]) < 0.5 * sum(told["ae_loss"][:5])
    more = _make(steps=5, **sizes)
    train_generator(more)
    assert all(torch.equal(one._latents[c], more._latents[c]) for c in range(3))
    assert all(torch.equal(a, b) for a, b in zip(one._encoder.parameters(), more._encoder.parameters(), strict=True))
    assert not torch.equal(one._generator.dense[0].weight, more._generator.dense[0].weight)


def test_dropout_is_of_the_stream_and_for_training_alone() -> None:
    one = _make()
    x = one._x[:6]
    assert torch.equal(one._encoder(x), one._encoder(x))
    first, second = (one._encoder(x, torch_stream(0, "test")) for _ in range(2))
    assert torch.equal(first, second) and not torch.equal(first, one._encoder(x))


def test_drawing_changes_nothing_and_shows_reconstructions() -> None:
    one = _make(passes=1, steps=1)
    train_generator(one)
    made, again = (one.draw({1: 5, 2: 4}, numpy_stream(0, "points")) for _ in range(2))
    assert torch.equal(made.x, again.x) and made.y.tolist() == [1] * 5 + [2] * 4 and not made.instead
    assert torch.allclose(one._generator(made.how["code"]).flatten(1), made.x, rtol=0, atol=1e-12)
    pairs = made.pictures["reconstruction"]
    assert pairs.shape == (3, bagan.SHOWN, 2, 64) and bool(pairs[0].isnan().all())
    assert torch.equal(pairs[1, 0, 0], one._x[20].flatten()) and bool(pairs[2, 5:].isnan().all())
    assert not torch.equal(pairs[1, 0, 0], pairs[1, 0, 1])


def test_real_rows_come_alike_from_all_classes_or_as_the_data_have_them() -> None:
    rows = [torch.arange(90), torch.arange(90, 100)]
    drawn = draw_balanced(rows, 4000, torch_stream(0, "test"))
    assert abs(int((drawn >= 90).sum()) - 2000) < 130 and len(drawn.unique()) == 100
    one = _make(passes=0, steps=1, balanced=False, batch=33)
    for stage in one.stages:
        stage.end()
    assert sorted(one._take_reals().tolist()) == list(range(33))


def _fit(on: Task, **params: Any) -> list[Any]:
    return list(Running(Method(model="mlp", hidden=(4,), epochs=1, generator_batch=16, **params).fit(on, camera=Camera(on, 0))))


def test_three_phases_are_told_before_the_network_is_trained() -> None:
    events = _fit(task(pictures((40, 14, 8)), folds=1, seeds=1), maps=2, trunk_maps=2, latent=4, rounds=2, steps=2)
    assert [e.name for e in events if isinstance(e, Phase)] == [
        "auto-encoder",
        "gaussians",
        "generator",
        "sampling",
        "training",
    ]
    told = {e.phase: set(e.values) for e in events if isinstance(e, Epoch)}
    assert told["auto-encoder"] == {"ae_loss"} and told["generator"] == {"d_loss", "g_loss"}
    assert not any(isinstance(e, Note) for e in events)


def test_rows_that_are_no_square_images_are_refused() -> None:
    with pytest.raises(BadInput, match="needs images"):
        _fit(task(blobs()))
    with pytest.raises(BadInput, match="divisible by 4"):
        _fit(task(pictures(side=10)))
