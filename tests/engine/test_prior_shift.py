"""Logit adjustment and balanced softmax: the card's numbers, and what they do to a network. Losses of mixed labels under weights."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.events import finish
from engine.losses import LDAM, LogitAdjusted, Mixed, cross_entropy, log_priors
from engine.methods.balanced_softmax import BalancedSoftmax
from engine.methods.ce import CE
from engine.methods.logit_adjustment import LogitAdjustment
from engine.methods.prior_shift_base import TAUS
from engine.training.camera import Camera
from engine.training.fitted import Fitted
from tests.engine.cards import assert_close, read_cases
from tests.engine.tasks import blobs, task

SMALL = {"hidden": (6,), "epochs": 5, "batch": 20}
F64 = torch.float64


def tensor(values: Any) -> Tensor:
    return torch.tensor(values, dtype=F64)


def fit(method: Any, on: Any) -> Fitted:
    fitted: Fitted = finish(method.fit(on, camera=Camera(on, 0)))
    return fitted


@pytest.mark.parametrize("case", read_cases("logit-adjustment") + read_cases("balanced-softmax"))
def test_numbers_of_the_card(case: dict[str, Any]) -> None:
    given = case["input"]
    counts, tau = tensor(given["counts"]), given.get("tau", 1.0)
    if case["what"] == "shift":
        assert_close(LogitAdjusted(counts, tau).shift[0], case["value"])
        return
    if case["what"] == "floored":  # the release adds 1e-12 to what our shift is the logarithm of; the card has six digits
        assert_close((LogitAdjusted(counts, tau).shift[0].exp() + 1e-12).log(), case["value"], 5e-7)
        return
    logits = tensor(given["logits"])
    if case["what"] == "posthoc":
        moved = logits - tau * log_priors(counts)
        assert_close(moved, case["value"])
        assert (logits.argmax().item(), moved.argmax().item()) == (0, 2)
    elif case["what"] == "slope":
        assert_close(LogitAdjusted(counts, tau).slope(logits, torch.tensor(given["y"]))[1], case["value"])
    else:
        every = logits.expand(3, 3)
        assert_close(LogitAdjusted(counts, tau)(every, torch.arange(3)), case["value"])
        assert_close(LogitAdjusted(counts[None], tensor([[tau]]))(every[None], torch.arange(3)[None])[0], case["value"])


def test_slope_and_curve_are_autograds() -> None:
    rng = torch.Generator().manual_seed(0)
    logits, along = torch.randn(2, 5, 3, generator=rng, dtype=F64), torch.randn(2, 5, 3, generator=rng, dtype=F64)
    y, loss = torch.randint(3, (2, 5), generator=rng), LogitAdjusted(tensor([[50, 7, 2], [30, 30, 1]]), tensor([[1.0], [0.4]]))
    for own, plain in zip(loss.slope(logits, y), super(LogitAdjusted, loss).slope(logits, y), strict=True):
        assert_close(own, plain.numpy(), 1e-12)
    for own, plain in zip(loss.curve(logits, y, along), super(LogitAdjusted, loss).curve(logits, y, along), strict=True):
        assert_close(own, plain.numpy(), 1e-12)


def test_without_tau_it_is_plain_training_and_with_one_it_is_balanced_softmax() -> None:
    on = task(blobs((61, 34, 13)))
    plain, none = fit(CE(**SMALL), on), fit(LogitAdjustment(**SMALL, tau=0.0), on)
    assert torch.equal(plain.net.flat, none.net.flat)
    one, balanced = fit(LogitAdjustment(**SMALL), on), fit(BalancedSoftmax(**SMALL), on)
    assert torch.equal(one.net.flat, balanced.net.flat) and not torch.equal(one.net.flat, plain.net.flat)


def test_after_training_the_shift_lies_in_the_biases() -> None:
    on = task(blobs((61, 34, 13)))
    plain, method = fit(CE(**SMALL), on), LogitAdjustment(**SMALL, posthoc=True, tau=0.5)
    shifted = fit(method, on)
    counts = on.train.counts(3).double()
    moved = plain.net(on.test.x) - shifted.net(on.test.x)
    assert torch.allclose(moved, (0.5 * log_priors(counts)).unsqueeze(1).expand_as(moved), rtol=0, atol=1e-12)
    assert shifted.earlier is not None and torch.equal(shifted.earlier.flat, plain.net.flat)
    shares = method.class_shares(on, shifted)
    assert torch.allclose(shares / shares[:, :1], (counts / counts[:, :1]) ** 0.5, rtol=0, atol=1e-12)
    equal = LogitAdjustment(**SMALL).class_shares(on, shifted)
    assert torch.allclose(equal, equal[:, :1].expand_as(equal), rtol=1e-12)


def test_tau_is_the_best_on_validation_rows() -> None:
    on = task(blobs((121, 34, 13)))
    method = LogitAdjustment(**SMALL, choose=True)
    found, plain = fit(method, on), fit(CE(**SMALL), on)
    tau, counts = found.chosen["tau"], on.train.counts(3).double()
    logits = plain.net(on.valid.x).double()

    def score(r: int, value: float) -> float:
        y, own = on.valid.y[r][on.valid.mask[r]], logits[r][on.valid.mask[r]] - value * log_priors(counts)[r]
        return float(np.mean([(own[y == c].argmax(1) == c).double().mean() for c in y.unique().tolist()]))

    for r, value in enumerate(tau.tolist()):
        scores = {each: score(r, each) for each in TAUS}
        best = [each for each, one in scores.items() if one >= max(scores.values()) - 1e-9]
        assert value == min(best, key=lambda each: abs(each - 1))
    assert len(set(tau.tolist())) > 1 and TAUS[0] == 0 and TAUS[-1] == 2
    shift = plain.net(on.test.x) - found.net(on.test.x)
    assert torch.allclose(shift, (tau.unsqueeze(1) * log_priors(counts)).unsqueeze(1).expand_as(shift), rtol=0, atol=1e-12)
    shares = method.class_shares(on, found)
    wanted = counts ** (1 - tau.unsqueeze(1))
    assert torch.allclose(shares / shares[:, :1], wanted / wanted[:, :1], rtol=0, atol=1e-9)
    given = replace(on, chosen=dict(found.chosen) | {"tau": torch.full_like(tau, 0.5)})
    assert fit(method, given).chosen["tau"].tolist() == [0.5] * len(tau), "a tau that was chosen before is taken over"


def test_two_labels_count_by_the_weights_of_both() -> None:
    """Deferred weights inside mixed labels: from 80% of the epochs on, and of each label its own."""
    counts, y, second = torch.tensor([[100, 25, 4]]), torch.tensor([[0, 1, 2]]), torch.tensor([[2, 2, 1]])
    inner = LDAM(counts, max_margin=0.0, scale=1.0)
    mixed = Mixed(second, tensor([[0.7]]), inner)
    logits = tensor([[[0.7, 0.05, -0.8], [0.8, -0.55, 0.3], [1.8, -1, 0.2]]])
    mixed.begin(8, 10)
    assert mixed.row_weights(y) is None and mixed.stage() is False
    mixed.begin(9, 10)
    assert inner.weighing and mixed.stage() is True
    u = inner.weights[0]
    weights = mixed.row_weights(y)
    assert weights is not None
    by_hand = 0.7 * u[y] * cross_entropy(logits, y) + 0.3 * u[second] * cross_entropy(logits, second)
    assert_close(weights * mixed(logits, y), by_hand.numpy())
    losses, slope = mixed.slope(logits, y)
    assert_close(losses, mixed(logits, y).numpy())
    assert_close(slope, super(Mixed, mixed).slope(logits, y)[1].numpy())
