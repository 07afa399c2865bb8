"""Class-dependent temperatures and feature deviation: the card's numbers, and what temperatures do to a network."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch

from engine.analysis.deviation import deviation, deviation_at_equal_sizes, expected_deviation
from engine.catalog import build_catalog
from engine.events import finish
from engine.losses import CDT
from engine.methods import cdt
from engine.methods.ce import CE
from engine.runner import drive, run
from engine.spec import Imbalance, RunSpec
from engine.training.camera import Camera
from tests.engine.cards import assert_close, read_cases
from tests.engine.tasks import blobs, task

F64 = torch.float64


@pytest.mark.parametrize("case", read_cases("cdt", "loss", "temperatures", "slope", "curve"))
def test_numbers_of_the_card(case: dict[str, Any]) -> None:
    given = case["input"]
    loss, logits = CDT(torch.tensor(given["counts"]), given["gamma"]), torch.tensor(given["logits"], dtype=F64)
    if case["what"] == "temperatures":
        assert_close(loss.temperatures, case["value"])
    elif case["what"] == "loss":
        assert_close(loss(logits.expand(3, 3), torch.arange(3)), case["value"])
        stacked = CDT(torch.tensor([given["counts"]]), torch.tensor([[given["gamma"]]], dtype=F64))
        assert_close(stacked(logits.expand(1, 3, 3), torch.arange(3)[None])[0], case["value"])
    elif case["what"] == "slope":
        assert_close(loss.slope(logits, torch.tensor(given["y"]))[1], case["value"])
    else:
        along = torch.tensor(given["along"], dtype=F64)
        assert_close(loss.curve(logits, torch.tensor(given["y"]), along)[1], case["value"])


def test_slope_and_curve_are_autograds() -> None:
    rng = torch.Generator().manual_seed(0)
    logits, along = torch.randn(2, 5, 3, generator=rng, dtype=F64), torch.randn(2, 5, 3, generator=rng, dtype=F64)
    y, loss = torch.randint(3, (2, 5), generator=rng), CDT(torch.tensor([[50, 7, 2], [30, 30, 1]]), 0.3)
    for own, plain in zip(loss.slope(logits, y), super(CDT, loss).slope(logits, y), strict=True):
        assert_close(own, plain.numpy(), 1e-12)
    for own, plain in zip(loss.curve(logits, y, along), super(CDT, loss).curve(logits, y, along), strict=True):
        assert_close(own, plain.numpy(), 1e-12)


def test_temperatures_wait_where_they_are_deferred() -> None:
    logits, y = torch.tensor([[2.0, 0.5, -1.0]], dtype=F64), torch.tensor([1])
    loss, plain = CDT(torch.tensor([100, 25, 4]), deferred=True), CDT(torch.tensor([100, 25, 4]), 0.0)
    for epoch, waits in ((1, True), (8, True), (9, False), (10, False)):
        loss.begin(epoch, 10)
        assert loss.stage() is waits and bool(loss(logits, y) == plain(logits, y)) is waits
    on = task(blobs((61, 34, 13)))
    small = {"hidden": (6,), "epochs": 4, "batch": 20}
    nets = [
        finish(one.fit(on, camera=Camera(on, 0))).net.flat
        for one in (CE(**small), cdt.CDT(**small, gamma=0.0), cdt.CDT(**small))
    ]
    late = finish(cdt.CDT(**small, deferred=True).fit(replace(on, patience=1), camera=Camera(on, 0)))
    assert late.epoch.tolist() == [4] * 6
    assert torch.equal(nets[0], nets[1]) and not torch.equal(nets[0], nets[2])


@pytest.mark.parametrize("case", read_cases("cdt", "deviation", "pairs", "each pair"))
def test_deviation_of_the_card(case: dict[str, Any]) -> None:
    train, test = (np.array(case["input"][part], float) for part in ("train", "test"))
    y, new = np.zeros(len(train), int), np.zeros(len(test), int)
    if case["what"] == "deviation":
        assert_close(deviation(train, y, test, new, 1)[0], case["value"])
        return
    pairs = [deviation(train[list(pair)], y[:2], test, new, 1)[0] for pair in combinations(range(3), 2)]
    assert_close(np.mean(pairs) if case["what"] == "pairs" else pairs, case["value"])
    # beside a class of two rows every draw takes two of the three
    both, labels = np.concatenate([train, train[:2]]), np.array([0, 0, 0, 1, 1])
    drawn = deviation_at_equal_sizes(both, labels, test, new, 2, np.random.default_rng(0), repeats=40)
    assert {round(v, 9) for v in drawn[:, 0]} == {round(v, 9) for v in pairs} and np.isnan(drawn[:, 1]).all()


@pytest.mark.parametrize("case", read_cases("cdt", "expected"))
def test_deviation_by_sampling_alone(case: dict[str, Any]) -> None:
    given = case["input"]
    side = np.sqrt(given["variance"] * 3 / 4)  # four values, two above and two below, of this sample variance
    train = np.outer([1, 1, -1, -1], np.full(given["features"], side))
    found = expected_deviation(train, np.zeros(4, int), np.zeros(given["m"], int), 2)
    assert_close(found[0] ** 2, case["value"])
    assert np.isnan(found[1]) and np.isnan(expected_deviation(train[:1], np.zeros(1, int), np.zeros(3, int), 1)[0])
    rng = np.random.default_rng(0)
    squares = [
        deviation(rng.normal(size=(4, 64)), np.zeros(4, int), rng.normal(size=(100, 64)), np.zeros(100, int), 1)[0] ** 2
        for _ in range(300)
    ]
    assert np.mean(squares) == pytest.approx(case["value"], rel=0.05)


def test_a_result_has_the_deviation_of_every_class() -> None:
    params = {"hidden": [6], "epochs": 2}
    spec = RunSpec("moons", "cdt", Imbalance("ratio", 10.0), data={"rows": 300}, params=params, folds=2).complete(
        build_catalog()
    )
    _, result, _ = drive(run(spec, device="cpu", frames=0))
    for name in ("deviation", "deviation_equal_size", "deviation_expected"):
        values = np.array(result.gap[name], float)
        assert values.shape == (2, 2) and (values > 0).all()
    assert "deviation" not in result.gap["net"]
