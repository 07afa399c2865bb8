"""Learnable weight scaling: its numbers by hand, and what it does to a network."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from engine.events import Note, finish
from engine.losses import ClassWeighted, cross_entropy
from engine.methods.ce import CE
from engine.methods.lws import LWS, ScaleSGD
from engine.models.mlp import MLP
from engine.models.net import Net
from engine.training.camera import Camera
from engine.training.loop import Batch
from tests.engine.tasks import blobs, task

SMALL = {"hidden": (6,), "epochs": 7, "batch": 20}
DOUBLE = {"dtype": torch.float64}
ALIVE = torch.ones(1, dtype=torch.bool)


def batch(x: list[list[float]], y: list[int]) -> Batch:
    return Batch(torch.tensor([x], **DOUBLE), torch.tensor([y]), torch.ones(1, len(y), dtype=torch.bool), ALIVE, 0)


def identity() -> MLP:
    """A last layer whose logits are its features."""
    return MLP((3, 3), "relu", torch.cat([torch.eye(3, **DOUBLE).flatten(), torch.zeros(3, **DOUBLE)])[None])


TWO = batch([[2.0, 0.5, -1.0], [1.0, 0.0, 0.25]], [2, 0])


@pytest.mark.parametrize(
    ("decay", "factors", "after"),
    [
        (0.0, (0.8885400319121706, 0.9912354803929981, 0.8974940914386005), 1.81377812034646),
        (5e-4, (0.8884400319121706, 0.9911354803929981, 0.8973940914386005), 1.8136719633059901),
    ],
)
def test_one_step_by_hand(decay: float, factors: tuple[float, ...], after: float) -> None:
    net = identity()
    step = ScaleSGD(net, rate=0.2, decay=decay, bias=True)
    loss, gradient = step.gradient(TWO)
    assert loss.item() == pytest.approx(1.9256052758428766, abs=1e-9)
    assert gradient[0].tolist() == pytest.approx([0.5572998404391474, 0.04382259803500917, 0.5125295428069976], abs=1e-9)
    step.begin([1])
    assert step(TWO).item() == loss.item()
    assert step.net.flat[0].tolist() == pytest.approx(factors, abs=1e-9)
    assert net.head_weights()[0].diagonal().tolist() == pytest.approx(factors, abs=1e-9)
    assert step.gradient(TWO)[0].item() == pytest.approx(after, abs=1e-9)


@pytest.mark.parametrize(("bias", "scaled"), [(True, (0.3, 3.75, -2.75)), (False, (0.35, 3.75, -2.7))])
def test_factors_are_multiplied_into_the_last_layer(bias: bool, scaled: tuple[float, ...]) -> None:
    layer = [1.0, 0.25, 0.0, -0.5, 0.75, -1.0, 0.1, 0.0, -0.2]
    net, features = MLP((2, 3), "relu", torch.tensor([layer], **DOUBLE)), torch.tensor([[[1.5, 2.0]]], **DOUBLE)
    assert net(features)[0, 0].tolist() == pytest.approx((0.6, 1.875, -2.2), abs=1e-9)
    step = ScaleSGD(net, rate=0.0, decay=0.0, bias=bias)
    step.begin([1])
    step.apply(torch.ones(1, 3, **DOUBLE), TWO)
    assert net.flat[0].tolist() == layer
    step.net.flat = torch.tensor([[0.5, 2.0, 1.25]], **DOUBLE)
    step.apply(torch.ones(1, 3, **DOUBLE), TWO)
    assert net(features)[0, 0].tolist() == pytest.approx(scaled, abs=1e-9)
    moved = step.gradient(batch([[1.5, 2.0]], [0]))
    by_hand = torch.tensor(scaled, **DOUBLE).softmax(0) - torch.tensor([1.0, 0.0, 0.0], **DOUBLE)
    before = torch.tensor((0.6, 1.875, -2.2), **DOUBLE) - (0.0 if bias else torch.tensor((0.1, 0.0, -0.2), **DOUBLE))
    assert moved[1][0].tolist() == pytest.approx((by_hand * before).tolist(), abs=1e-9)


def test_a_replicate_that_pauses_keeps_its_factors() -> None:
    net = MLP((3, 3), "relu", identity().flat.repeat(2, 1))
    step = ScaleSGD(net, rate=0.2, decay=0.0, bias=True)
    both = [t.repeat(2, *[1] * (t.dim() - 1)) for t in (TWO.x, TWO.y, TWO.mask)]
    step.begin([1, 0])
    step(Batch(*both, torch.tensor([True, False]), 0))
    assert step.net.flat[1].tolist() == [1.0] * 3 and torch.equal(net.flat[1], identity().flat[0])
    assert step.net.flat[0].tolist() == pytest.approx((0.8885400319121706, 0.9912354803929981, 0.8974940914386005), abs=1e-9)


def test_without_steps_it_is_plain_training_to_the_bit() -> None:
    on = task(blobs((61, 34, 23)))
    plain = finish(CE(**SMALL).fit(on, camera=Camera(on, 0)))
    scaled = finish(LWS(**SMALL, head_rate=0.0).fit(on, camera=Camera(on, 0)))
    assert torch.equal(plain.net.flat, scaled.net.flat) and torch.equal(plain.net(on.test.x), scaled.net(on.test.x))


def test_the_last_epoch_is_taken_and_only_the_last_layer_changes() -> None:
    on = task(blobs((61, 34, 23)))
    fitted = finish(LWS(**SMALL, head_epochs=4).fit(on, camera=Camera(on, 0)))
    assert fitted.epoch.tolist() == [4] * len(on.replicates) and fitted.earlier is not None
    head = (fitted.net.width + 1) * 3
    assert torch.equal(fitted.net.flat[:, :-head], fitted.earlier.flat[:, :-head])
    factors = (fitted.net.flat / fitted.earlier.flat)[:, -head:].unflatten(1, (-1, 3))
    assert torch.allclose(factors, factors[:, :1].expand_as(factors), atol=1e-9)
    rows = on.train
    by_class = ClassWeighted(rows.counts(3)).row_weights(rows.y) * rows.mask

    def balanced_loss(net: Net) -> torch.Tensor:
        return (cross_entropy(net(rows.x), rows.y) * by_class).sum(1) / by_class.sum(1)

    assert balanced_loss(fitted.net).mean() < balanced_loss(fitted.earlier).mean()


def test_a_negative_factor_is_said() -> None:
    on, events = task(blobs((61, 34, 23)), seeds=1), []
    finish(
        LWS(**SMALL, head_rate=1.0, head_epochs=40).fit(
            replace(on, train=replace(on.train, y=on.train.y.flip(1))), camera=Camera(on, 0)
        ),
        events.append,
    )
    assert any(isinstance(e, Note) and "factor of a class is negative" in e.text for e in events)
