"""Methods that change the loss alone (cards B6, B7, C3): whose loss it is, and the same code as EOS where that offers it too."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine import losses
from engine.data.dataset import Task
from engine.errors import BadInput
from engine.losses import ClassBalanced as Balanced
from engine.losses import class_balanced_weights, cross_entropy
from engine.methods.asl import ASL
from engine.methods.ce import CE
from engine.methods.class_balanced import ClassBalanced
from engine.methods.class_weights import ClassWeights
from engine.methods.eos import EOS
from engine.methods.focal import Focal
from engine.methods.ldam import LDAM
from engine.training.loop import Batch
from engine.training.optimisers import mean_under
from tests.engine.tasks import blobs, task
from tests.engine.test_methods import fit, small

TWO = task()
THREE = task(blobs((61, 34, 23)), ratio=None)
BOTH = pytest.mark.parametrize("on", [TWO, THREE], ids=["two classes", "three classes"])


# ---- class-balanced


def test_effective_numbers_by_hand() -> None:
    """beta 1/2: a class of 1, 2 and 3 rows has 1, 3/2 and 7/4 effective rows."""
    weights = class_balanced_weights(torch.tensor([[1, 2, 3]]), 0.5)[0]
    by_hand = torch.tensor([1, 2 / 3, 4 / 7], dtype=torch.float64)
    assert torch.allclose(weights, 3 * by_hand / by_hand.sum(), rtol=1e-14, atol=0)


@BOTH
@pytest.mark.parametrize("each", [cross_entropy, losses.Focal(1.5)], ids=["softmax", "focal"])
def test_a_step_minimises_the_weighted_mean_of_the_formula(on: Task, each: losses.Loss) -> None:
    counts, net = on.train.counts(len(on.classes)), small(ClassBalanced).create(on)
    loss = Balanced(counts, 0.99, each)
    part = on.train
    batch = Batch(part.x, part.y, part.mask, torch.ones(len(part.y), dtype=torch.bool), 0)
    value, gradient = net.gradient(part.x, part.y, mean_under(loss, batch), loss)
    way = torch.from_numpy(np.random.default_rng(0).normal(size=net.flat.shape))
    at = net.flat.clone()

    def formula(flat: torch.Tensor) -> torch.Tensor:
        net.flat = flat
        weights = (0.01 / (1 - 0.99 ** counts.double())).gather(1, part.y) * part.mask
        return (weights * each(net(part.x), part.y)).sum(1) / weights.sum(1)

    assert torch.allclose(value, formula(at), rtol=1e-12, atol=0)
    found = (formula(at + 1e-6 * way) - formula(at - 1e-6 * way)) / 2e-6
    assert torch.allclose(found, (gradient * way).sum(1), rtol=1e-5, atol=1e-8)


def test_between_plain_training_and_class_weights() -> None:
    close = {"rtol": 0, "atol": 1e-4}
    none, all_ = (fit(small(ClassBalanced, unique_rows=n, epochs=2), THREE)[1].net.flat for n in (1, 1e6))
    assert torch.allclose(none, fit(small(CE, epochs=2), THREE)[1].net.flat, rtol=0, atol=1e-9)
    weighted = fit(small(ClassWeights, epochs=2), THREE)[1].net.flat
    assert torch.allclose(all_, weighted, **close) and not torch.allclose(none, weighted, **close)
    focal = fit(small(ClassBalanced, unique_rows=1, loss="focal", gamma=1.5, epochs=2), THREE)[1].net.flat
    assert torch.allclose(focal, fit(small(Focal, gamma=1.5, epochs=2), THREE)[1].net.flat, rtol=0, atol=1e-9)


def test_slope_and_curve_are_those_of_the_weighed_loss() -> None:
    each = losses.Focal(1.5)
    loss, z = Balanced(torch.tensor([[9, 3]]), 0.9, each), torch.tensor([[[0.3, -1.0], [2.0, 0.1]]], dtype=torch.float64)
    y, way = torch.tensor([[0, 1]]), torch.ones_like(z) * torch.tensor([1.0, -2.0])
    for ours, theirs in ((loss.slope(z, y), each.slope(z, y)), (loss.curve(z, y, way), each.curve(z, y, way))):
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    with pytest.raises(ValueError, match="beta"):
        Balanced(torch.tensor([[9, 3]]), 1.0)


# ---- LDAM


@BOTH
@pytest.mark.parametrize("deferred", [True, False])
def test_ldam_is_that_of_eos(on: Task, deferred: bool) -> None:
    one = fit(small(LDAM, deferred=deferred), on)[1]
    other = fit(small(EOS, space="pixel", sampler="none", loss="ldam", deferred=deferred), on)[1]
    assert torch.equal(one.net.flat, other.net.flat) and torch.equal(one.epoch, other.epoch) and one.net.cosine


def test_logits_are_cosines_and_weights_change_what_is_learnt() -> None:
    with_, without = (fit(small(LDAM, deferred=d, epochs=10), THREE)[1].net for d in (True, False))
    assert float(with_(THREE.test.x).abs().max()) <= 1 + 1e-12
    assert not torch.equal(with_.flat, without.flat)


def test_margins_and_scale_reach_the_loss() -> None:
    nets = [fit(small(LDAM, epochs=2, **o), THREE)[1].net.flat for o in ({}, {"max_margin": 0.50001}, {"scale": 10.0})]
    assert not torch.equal(nets[0], nets[1]) and not torch.equal(nets[0], nets[2])


# ---- ASL


@BOTH
def test_auto_is_the_papers_form_for_two_classes_and_the_codes_for_more(on: Task) -> None:
    made = ASL()._loss(on)
    assert made == (losses.BinaryASL(0.0, 4.0, 0.05, 0) if len(on.classes) == 2 else losses.ASL(0.0, 4.0, 0.1))
    assert ASL(form="one label")._loss(on) == losses.ASL(0.0, 4.0, 0.1)


@BOTH
def test_asl_is_that_of_eos(on: Task) -> None:
    one = fit(small(ASL), on)[1]
    loss = "asl-binary" if len(on.classes) == 2 else "asl"
    other = fit(small(EOS, space="pixel", sampler="none", loss=loss), on)[1]
    assert torch.equal(one.net.flat, other.net.flat)


def test_without_its_parts_it_is_plain_training() -> None:
    plain = fit(small(CE), TWO)[1].net.flat
    for options in (
        {"form": "one label", "smoothing": 0.0},
        {"form": "two classes", "gamma_negative": 0.0, "margin": 0.0},
    ):
        assert torch.allclose(fit(small(ASL, **options), TWO)[1].net.flat, plain, rtol=0, atol=1e-7)


def test_the_form_for_two_classes_is_refused_for_three() -> None:
    with pytest.raises(
        BadInput, match=r"asl\(form='two classes'\) is for two classes, these data have 3; use form='one label'\."
    ):
        fit(small(ASL, form="two classes"), THREE)
