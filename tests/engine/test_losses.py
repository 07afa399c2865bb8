"""Losses against the cards' numbers (B1, B4, B6, B7), torch, and finite differences."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from engine.losses import (
    ASL,
    LDAM,
    BinaryASL,
    Focal,
    Loss,
    Mixed,
    class_balanced_weights,
    cross_entropy,
    mean_weights,
    weighted_sum,
)

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


MIXED = Mixed(torch.tensor([2, 1, 0, 0, 1, 2]), torch.tensor([0.3, 0.0, 1.0, 0.5, 0.9, 0.1], dtype=F64))


@pytest.mark.parametrize(
    "loss",
    [cross_entropy, Focal(2.0), Focal(1.5, alpha=0.3), ASL(), ASL(1.5, 2.0), LDAM(torch.tensor([16, 1, 5]), scale=3.0), MIXED],
)
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


@pytest.mark.parametrize(("y", "value"), [(0, 0.15854), (1, 2.02806), (2, 2.96141)])
def test_asymmetric_values_of_the_card(y: int, value: float) -> None:
    logits = torch.tensor([[2.0, 0.0, -1.0]], dtype=F64)
    assert ASL()(logits, torch.tensor([y])).item() == pytest.approx(value, abs=5e-6)


def test_asymmetric_at_zero_logits_and_without_smoothing() -> None:
    assert ASL()(torch.zeros(1, 2, dtype=F64), torch.tensor([0])).item() == pytest.approx(0.66066, abs=5e-6)
    rng = torch.Generator().manual_seed(0)
    logits, y = torch.randn(40, 4, generator=rng, dtype=F64), torch.randint(4, (40,), generator=rng)
    assert torch.allclose(ASL(smoothing=0.0)(logits, y), cross_entropy(logits, y), rtol=0, atol=1e-14)


@pytest.mark.parametrize("largest", [0, 1])
def test_binary_asymmetric_is_its_formula(largest: int) -> None:
    rng = torch.Generator().manual_seed(0)
    logits, y = torch.randn(60, 2, generator=rng, dtype=F64) * 2, torch.randint(2, (60,), generator=rng)
    loss = BinaryASL(1.0, 4.0, 0.05, largest)
    for row, label, value in zip(logits, y.tolist(), loss(logits, y).tolist(), strict=True):
        p = row.softmax(0)[1 - largest].item()
        shifted = max(p - 0.05, 0.0)
        expected = -(shifted**4) * math.log(1 - shifted) if label == largest else -(1 - p) * math.log(p)
        assert value == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert torch.allclose(BinaryASL(0.0, 0.0, 0.0, largest)(logits, y), cross_entropy(logits, y), rtol=0, atol=1e-12)
    h = 1e-6
    for c in range(2):
        step = torch.zeros(2, dtype=F64)
        step[c] = h
        numeric = (loss(logits + step, y) - loss(logits - step, y)) / (2 * h)
        assert torch.allclose(loss.slope(logits, y)[1][:, c], numeric, rtol=1e-6, atol=1e-8)


def test_binary_asymmetric_refuses_three_classes() -> None:
    with pytest.raises(ValueError, match="two logits"):
        BinaryASL()(torch.zeros(1, 3), torch.tensor([0]))


@pytest.mark.parametrize("loss", [ASL(), ASL(0.5, 0.5), BinaryASL(), BinaryASL(0.5, 0.5, 0.0)])
def test_asymmetric_losses_stay_finite_where_the_row_is_certain(loss: Loss) -> None:
    logits = torch.tensor([[0.0, 80.0], [80.0, 0.0]])
    for y in (0, 1):
        losses, slope = loss.slope(logits, torch.tensor([y, y]))
        assert bool(torch.isfinite(losses).all()) and bool(torch.isfinite(slope).all())


def test_class_balanced_weights_are_the_cards() -> None:
    counts = torch.tensor([5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50])
    expected = [0.0506, 0.0769, 0.1211, 0.1950, 0.3188, 0.5246, 0.8683, 1.4426, 2.4092, 3.9927]
    weights = class_balanced_weights(counts)
    assert weights.tolist() == pytest.approx(expected, abs=5e-5) and weights.sum().item() == pytest.approx(10)
    assert class_balanced_weights(counts, 0.0).tolist() == pytest.approx([1.0] * 10)
    inverse = 10 / counts / (1 / counts).sum()
    assert class_balanced_weights(counts, 1 - 1e-9).tolist() == pytest.approx(inverse.tolist(), rel=1e-4)
    for bad in ((counts, 1.0), (torch.tensor([0, 3]), 0.9)):
        with pytest.raises(ValueError, match="row of every class"):
            class_balanced_weights(*bad)


# ---- LDAM (card B7)

CIFAR = torch.tensor([5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50])


def test_margins_are_the_cards() -> None:
    assert LDAM(torch.tensor([16, 1])).margins.tolist() == pytest.approx([0.25, 0.5])
    expected = [0.158, 0.180, 0.204, 0.232, 0.264, 0.300, 0.341, 0.387, 0.441, 0.5]
    assert LDAM(CIFAR).margins.tolist() == pytest.approx(expected, abs=6e-4)


@pytest.mark.parametrize(("y", "value"), [(1, 15.0000003), (0, 7.50055)])
def test_ldam_at_zero_logits(y: int, value: float) -> None:
    loss = LDAM(torch.tensor([16, 1]))
    assert loss(torch.zeros(1, 2, dtype=F64), torch.tensor([y])).item() == pytest.approx(value, rel=2e-8 if y else 1e-6)


def test_ldam_without_margin_is_scaled_cross_entropy() -> None:
    rng = torch.Generator().manual_seed(0)
    logits, y = torch.randn(2, 20, 3, generator=rng, dtype=F64), torch.randint(3, (2, 20), generator=rng)
    counts = torch.tensor([[9, 4, 2], [1, 8, 3]])
    assert torch.allclose(LDAM(counts, max_margin=0.0)(logits, y), cross_entropy(30 * logits, y), rtol=0, atol=1e-12)


def test_ldam_is_its_formula_for_each_replicates_own_counts() -> None:
    rng = torch.Generator().manual_seed(0)
    logits, y = torch.rand(2, 20, 3, generator=rng, dtype=F64) * 2 - 1, torch.randint(3, (2, 20), generator=rng)
    counts = torch.tensor([[90, 4, 20], [1, 8, 3]])
    stacked = LDAM(counts)(logits, y)
    for r in range(2):
        assert torch.equal(stacked[r], LDAM(counts[r])(logits[r], y[r]))
        for row, label, value in zip(logits[r], y[r].tolist(), stacked[r].tolist(), strict=True):
            moved = row.clone()
            moved[label] -= 0.5 * (int(counts[r].min()) / int(counts[r, label])) ** 0.25
            assert value == pytest.approx(-(30 * moved).log_softmax(0)[label].item(), rel=1e-9, abs=1e-12)
    single = LDAM(counts)(logits.float(), y)
    assert single.dtype == torch.float32 and torch.allclose(single.double(), stacked, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("epochs", "first"), [(200, 161), (50, 41), (4, 4), (3, 3), (1, 1)])
def test_weights_come_for_the_last_fifth(epochs: int, first: int) -> None:
    loss, y = LDAM(CIFAR), torch.tensor([[0, 9]])
    plain = LDAM(CIFAR, deferred=False)
    for epoch in range(1, epochs + 1):
        loss.begin(epoch, epochs)
        plain.begin(epoch, epochs)
        assert (loss.row_weights(y) is not None) == (epoch >= first) and plain.row_weights(y) is None
    weights = loss.row_weights(torch.arange(10).unsqueeze(0))
    assert weights is not None and torch.allclose(weights[0], class_balanced_weights(CIFAR), rtol=0, atol=1e-12)
    loss.begin(1, 200)  # the next training starts afresh
    assert loss.row_weights(y) is None


def test_a_class_without_rows_has_the_largest_margin_and_no_weight() -> None:
    loss = LDAM(torch.tensor([[16, 0, 1], [4, 4, 4]]))
    loss.begin(5, 5)
    assert loss.margins.tolist() == [pytest.approx([0.25, 0.5, 0.5]), pytest.approx([0.5, 0.5, 0.5])]
    weights = loss.row_weights(torch.tensor([[0, 1, 2], [0, 1, 2]]))
    assert weights is not None
    two = class_balanced_weights(torch.tensor([16, 1])).tolist()
    assert weights.tolist() == [pytest.approx([two[0], 0, two[1]]), pytest.approx([1, 1, 1])]
    for bad in ({"counts": torch.tensor([0, 0])}, {"counts": CIFAR, "scale": -1.0}, {"counts": CIFAR, "max_margin": -0.1}):
        with pytest.raises(ValueError, match="LDAM needs"):
            LDAM(**bad)


# ---- two labels


def test_mixed_is_cross_entropy_with_soft_labels() -> None:
    rng = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 9, 4, generator=rng, dtype=F64)
    y, second = (torch.randint(4, (2, 9), generator=rng) for _ in range(2))
    share = torch.tensor([[0.3], [1.0]], dtype=F64)
    hot = functional.one_hot(y, 4) * share.unsqueeze(2) + functional.one_hot(second, 4) * (1 - share.unsqueeze(2))
    expected = functional.cross_entropy(logits.flatten(0, 1), hot.flatten(0, 1), reduction="none").view(2, 9)
    assert torch.allclose(Mixed(second, share)(logits, y), expected, rtol=0, atol=1e-13)
