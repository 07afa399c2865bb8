"""Learnable weight scaling: its numbers by hand, and what it does to a network."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from engine.analysis.norms import class_factors
from engine.events import Note, finish
from engine.losses import ClassWeighted, cross_entropy
from engine.methods.ce import CE
from engine.methods.lws import LWS, ScaleSGD
from engine.models.mlp import MLP
from engine.models.net import Net
from engine.training.camera import Camera
from engine.training.heads import half_cosine
from engine.training.loop import Batch
from tests.engine.cards import assert_close, read_cases
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


@pytest.mark.parametrize("case", read_cases("lws", "loss", "slope", "factors", "loss after"))
def test_a_step_of_the_card(case: dict[str, Any]) -> None:
    given, net = case["input"], identity()
    step = ScaleSGD(net, rate=given.get("rate", 0.0), decay=given.get("decay", 0.0), bias=True)
    rows = batch(given["logits"], given["y"])
    loss, gradient = step.gradient(rows)
    if case["what"] in ("loss", "slope"):
        assert_close(loss[0] if case["what"] == "loss" else gradient[0], case["value"])
        return
    step.begin([1])
    assert step(rows).item() == loss.item()
    assert torch.equal(net.head_weights()[0].diagonal(), step.net.flat[0])
    assert_close(step.net.flat[0] if case["what"] == "factors" else step.gradient(rows)[0][0], case["value"])


@pytest.mark.parametrize("case", read_cases("lws", "base", "scaled"))
def test_factors_are_multiplied_into_the_last_layer(case: dict[str, Any]) -> None:
    given = case["input"]
    layer = [*torch.tensor(given["weights"], **DOUBLE).T.flatten().tolist(), *given["biases"]]
    net, features = MLP((2, 3), "relu", torch.tensor([layer], **DOUBLE)), torch.tensor([[given["features"]]], **DOUBLE)
    if case["what"] == "base":
        assert_close(net(features)[0, 0], case["value"])
        return
    step = ScaleSGD(net, rate=0.0, decay=0.0, bias=given["bias"])
    before = net(features)[0, 0] - (0.0 if given["bias"] else torch.tensor(given["biases"], **DOUBLE))
    step.begin([1])
    step.apply(torch.ones(1, 3, **DOUBLE), TWO)
    assert net.flat[0].tolist() == layer
    step.net.flat = torch.tensor([given["factors"]], **DOUBLE)
    step.apply(torch.ones(1, 3, **DOUBLE), TWO)
    assert_close(net(features)[0, 0], case["value"])
    by_hand = torch.tensor(case["value"], **DOUBLE).softmax(0) - torch.tensor([1.0, 0.0, 0.0], **DOUBLE)
    assert_close(step.gradient(batch([given["features"]], [0]))[1][0], (by_hand * before).tolist())


@pytest.mark.parametrize("case", read_cases("lws", "rates"))
def test_the_rate_starts_whole_and_falls_along_half_a_cosine(case: dict[str, Any]) -> None:
    rate = half_cosine(case["input"]["rate"], case["input"]["epochs"])
    assert_close([rate(epoch) for epoch in range(1, case["input"]["epochs"] + 1)], case["value"])


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
    found = class_factors(fitted.earlier.head_weights().numpy(), fitted.net.head_weights().numpy())
    assert_close(found, factors[:, 0])
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
