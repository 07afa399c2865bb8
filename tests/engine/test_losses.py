"""Losses against the cards' numbers (B1, B4), torch, and finite differences."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from engine.losses import Focal, Loss, cross_entropy, mean_weights, weighted_sum

F64 = torch.float64


def logits_of(p: float) -> torch.Tensor:
    return torch.tensor([[0.0, math.log(p / (1 - p))]], dtype=F64)


@pytest.mark.parametrize("classes", [2, 5])
def test_zero_logits_cost_log_c(classes: int) -> None:
    assert cross_entropy(torch.zeros(1, classes, dtype=F64), torch.tensor([1])).item() == pytest.approx(math.log(classes))


def test_cross_entropy_is_torchs() -> None:
    rng = torch.Generator().manual_seed(0)
    logits, y = torch.randn(3, 4, 5, generator=rng, dtype=F64), torch.randint(5, (3, 4), generator=rng)
    expected = functional.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="none").view(3, 4)
    assert torch.allclose(cross_entropy(logits, y), expected, rtol=0, atol=1e-14)


def test_two_logits_are_the_sigmoid_of_their_difference() -> None:
    z = torch.linspace(-5, 5, 11, dtype=F64)
    two = torch.stack([torch.zeros_like(z), z], 1)
    one = functional.binary_cross_entropy_with_logits(z, torch.ones_like(z), reduction="none")
    assert torch.allclose(cross_entropy(two, torch.ones(11, dtype=torch.int64)), one, rtol=0, atol=1e-14)


@pytest.mark.parametrize(("p", "value"), [(0.5, 0.1732868), (0.9, 0.00105361)])
def test_focal_values_of_the_card(p: float, value: float) -> None:
    assert Focal(2.0)(logits_of(p), torch.tensor([1])).item() == pytest.approx(value, rel=1e-5)


def test_focal_without_gamma_is_cross_entropy_and_alpha_weighs() -> None:
    rng = torch.Generator().manual_seed(0)
    logits, y = torch.randn(40, 3, generator=rng, dtype=F64), torch.randint(3, (40,), generator=rng)
    assert torch.allclose(Focal(0.0)(logits, y), cross_entropy(logits, y), rtol=0, atol=1e-14)
    weighted = Focal(0.0, alpha=0.25, largest=2)(logits, y)
    assert torch.allclose(weighted, torch.where(y == 2, 0.75, 0.25) * cross_entropy(logits, y), rtol=0, atol=1e-14)


def test_focal_stays_finite_where_the_row_is_certain() -> None:
    logits = torch.tensor([[0.0, 800.0], [800.0, 0.0]], dtype=F64)
    for gamma in (0.0, 0.5, 2.0):
        losses, slope = Focal(gamma).slope(logits, torch.tensor([1, 1]))
        assert bool(torch.isfinite(losses).all()) and bool(torch.isfinite(slope).all())


@pytest.mark.parametrize("loss", [cross_entropy, Focal(2.0), Focal(1.5, alpha=0.3)])
def test_slope_and_curve_by_finite_differences(loss: Loss) -> None:
    rng = torch.Generator().manual_seed(0)
    logits, y = torch.randn(6, 3, generator=rng, dtype=F64), torch.randint(3, (6,), generator=rng)
    along = torch.randn(6, 3, generator=rng, dtype=F64)
    losses, slope = loss.slope(logits, y)
    assert torch.allclose(losses, loss(logits, y), rtol=0, atol=1e-14)
    h = 1e-6
    for c in range(3):
        step = torch.zeros(3, dtype=F64)
        step[c] = h
        numeric = (loss(logits + step, y) - loss(logits - step, y)) / (2 * h)
        assert torch.allclose(slope[:, c], numeric, rtol=1e-6, atol=1e-9)
    same, curve = loss.curve(logits, y, along)
    assert torch.allclose(same, slope, rtol=0, atol=1e-13)
    numeric = (loss.slope(logits + h * along, y)[1] - loss.slope(logits - h * along, y)[1]) / (2 * h)
    assert torch.allclose(curve, numeric, rtol=1e-6, atol=1e-8)


def test_mean_weights() -> None:
    mask = torch.tensor([[True, True, False], [False, False, False]])
    weights = mean_weights(mask, F64)
    assert weights.dtype == F64 and weights.tolist() == [[0.5, 0.5, 0.0], [0.0, 0.0, 0.0]]
    assert weighted_sum(torch.tensor([[1.0, 3.0, 99.0], [1.0, 1.0, 1.0]], dtype=F64), weights).tolist() == [2.0, 0.0]
