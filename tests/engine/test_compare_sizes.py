"""Batches that grow with the rows, epochs chosen on a weighted sample, and tasks that rows of a comparison share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.analysis.stacked import macro_average_precision
from engine.compare import comparison as module
from engine.compare import sizes
from engine.compare.halving import Resource
from engine.compare.result import _is_shorter
from engine.compare.tasks_in_use import TasksInUse
from engine.data.prepare import prepare
from engine.data.table import Dataset, numeric_only
from engine.events import Epoch, Running, finish
from engine.methods import method
from engine.spec import RunSpec
from engine.stats.intervals import corrected_t
from engine.training.camera import Camera
from tests.engine.test_compare import SPEC, table, ticking


def draw_rows(rows: int, share: float, seed: int = 0) -> Dataset:
    """Rows of two classes; the rare one is in two clusters of the first four of six columns."""
    rng = np.random.default_rng(seed)
    y = (rng.random(rows) < share).astype(np.int64)
    x = rng.standard_normal((rows, 6))
    for side in (0, 1):
        own = (y == 1) & (rng.random(rows) < 0.5)
        x[own, 2 * side : 2 * side + 2] = 0.7 * x[own, 2 * side : 2 * side + 2] + (1.6, -1.6)
    return numeric_only("drawn", "tabular", x, y, tuple("abcdef"), ("0", "1"))


def test_batches_grow_with_rows_up_to_a_limit():
    assert (sizes.estimate_cost(128), sizes.estimate_cost(512)) == pytest.approx((1, 0.5))
    assert [sizes.choose_batch(n, 128) for n in (500, 8_192, 12_288, 28_940, 182_400)] == [128, 128, 192, 448, 512]
    assert sizes.choose_batch(28_940, 1024) == 1024 and sizes.choose_batch(9_000, 128) == 128
    grown = sizes.grow_batch({"batch": 128, "learning_rate": 1e-3, "epochs": 7}, 28_940, rate=True)
    assert grown == {"batch": 448, "learning_rate": pytest.approx(3.5e-3), "epochs": 7}
    assert sizes.grow_batch({"batch": 128, "learning_rate": 0.02}, 28_940, rate=False)["learning_rate"] == 0.02


def test_a_comparison_takes_the_batch_of_its_level_and_a_tuned_step_size_grows_with_it(monkeypatch):
    bench, _ = module._make_evaluator(table((300, 30)), SPEC, ticking())
    assert bench.choose_params("ce", Resource())["batch"] == 128
    monkeypatch.setattr(sizes, "SMALL", 100)
    monkeypatch.setattr(sizes, "STEPS", 1)
    params = bench.choose_params("ce", Resource())
    assert params["batch"] == 192 and params["learning_rate"] == pytest.approx(1.5e-3)
    assert bench.choose_params("ce", Resource(rows=90))["batch"] == 128
    assert not _is_shorter(bench, "ce", Resource(rows=90)) and _is_shorter(bench, "ce", Resource(rows=90, epochs=3))
    bench.tuned["network"] = {"learning_rate": 0.01}
    assert bench.choose_params("ce", Resource())["learning_rate"] == pytest.approx(0.015)
    assert bench.choose_params("ce", Resource(rows=90))["learning_rate"] == 0.01
    outcomes, _ = finish(bench.evaluate("ce", Resource(epochs=3), (0,)))
    assert outcomes and np.isfinite(outcomes[0].metrics["average_precision"])


def test_average_precision_does_not_fall_with_a_batch_four_times_as_large(monkeypatch):
    """Paired over seeds: the interval of the difference to the method's own batch reaches above zero, and is narrow."""
    monkeypatch.setattr(sizes, "SMALL", 1_000)
    monkeypatch.setattr(sizes, "STEPS", 28)
    data, gains = draw_rows(5_000, 0.2), []
    own = {"batch": 32, "learning_rate": 1e-3, "epochs": 15}
    grown = sizes.grow_batch(own, 3_600, rate=True)
    assert grown["batch"] == 128
    for seed in range(6):
        task = replace(prepare(data, RunSpec("drawn", "ce", seeds=6), [seed]), patience=5)
        found = []
        for params in (own, grown):
            fitted = finish(method("ce")(**params, hidden=(16,)).fit(task, camera=Camera(task, 0)))
            p = fitted.net(task.test.x).softmax(-1)
            found.append(float(macro_average_precision(p, task.test.y, task.test.mask)[0]))
        gains.append(found[1] - found[0])
    gap = corrected_t(np.array(gains), 0.2 / 0.6, None)
    assert gap.high > 0 and gap.high - gap.low < 0.03, gap


def test_a_sample_keeps_rare_rows_and_its_average_precision_is_that_of_all(monkeypatch):
    data = draw_rows(20_000, 0.01)
    task = prepare(data, RunSpec("drawn", "ce", folds=2, seeds=2), [0, 1])
    assert sizes.sample_valid(task) is None
    monkeypatch.setattr(sizes, "SELECTION", 1_000)
    sample = sizes.sample_valid(task)
    assert sample is not None and sample.weight is not None
    assert sample.sizes.tolist() == [1_000, 1_000]
    whole, kept = task.valid.counts(2), sample.counts(2)
    assert torch.equal(whole[:, 1], kept[:, 1])
    for r in range(2):
        for c in (0, 1):
            own = sample.mask[r] & (sample.y[r] == c)
            assert float(sample.weight[r, own].sum()) == pytest.approx(float(whole[r, c]))
        assert not sample.weight[r, ~sample.mask[r]].any()
    again = sizes.sample_valid(task)
    assert again is not None and torch.equal(again.x, sample.x)
    estimates = []
    for seed in range(60):
        drawn = sizes.sample_valid(replace(task, seed=seed))
        p = torch.sigmoid(drawn.x[..., :4].sum(2) / 2)
        estimates.append(macro_average_precision(torch.stack([1 - p, p], 2), drawn.y, drawn.mask, drawn.weight))
    p = torch.sigmoid(task.valid.x[..., :4].sum(2) / 2)
    true = macro_average_precision(torch.stack([1 - p, p], 2), task.valid.y, task.valid.mask)
    assert torch.stack(estimates).mean(0).numpy() == pytest.approx(true.numpy(), abs=0.02)


def test_epochs_are_chosen_on_the_sample_and_scores_are_of_all_rows(monkeypatch):
    monkeypatch.setattr(sizes, "SELECTION", 40)
    bench, _ = module._make_evaluator(table((300, 30)), SPEC, ticking())
    level = Resource(epochs=6)
    outcomes, _ = finish(bench.evaluate("ce", level, (0,)))
    task = bench.prepare(level, (0,))
    assert task.chosen_on is task.sample and bench.sampled == (40, 66)
    assert [len(outcomes[r].valid_y) for r in outcomes] == task.valid.sizes.tolist()
    poisoned = replace(task, valid=replace(task.valid, x=task.valid.x + 9.0))
    params = bench.choose_params("ce", level)
    fits = [finish(method("ce")(**params).fit(own, camera=Camera(own, 0))) for own in (task, poisoned)]
    assert torch.equal(fits[0].net.flat, fits[1].net.flat)
    assert torch.equal(fits[0].epoch, torch.tensor([outcomes[r].epoch for r in outcomes]))


def test_rows_at_the_same_level_share_a_task_until_there_is_no_room(monkeypatch):
    bench, _ = module._make_evaluator(table((300, 30)), SPEC, ticking())
    one = bench.prepare(Resource(), (0,))
    other = bench.prepare(Resource(rows=90), (0,))
    joined = bench._join(one, False)
    assert bench.prepare(Resource(epochs=3), (0,)) is one and bench._join(one, False) is joined
    assert bench.prepare(Resource(rows=90, epochs=3), (0,)) is other
    monkeypatch.setattr("engine.compare.tasks_in_use.MOST_BYTES", 1)
    last = bench.prepare(Resource(), (1,))
    assert list(bench.tasks.tasks.values()) == [last] and not bench.tasks.joined
    assert torch.equal(bench.prepare(Resource(), (0,)).train.x, one.train.x)
    assert TasksInUse().bytes == 0


def test_what_was_grown_or_sampled_is_said(monkeypatch):
    assert sizes.describe_sizes({"batch": 128, "learning_rate": 1e-3}, 128, None) == []
    said = sizes.describe_sizes({"batch": 448, "learning_rate": 3.5e-3}, 128, (16_384, 57_000))
    assert said == [
        "The network trains on batches of 448 rows instead of 128, with a step size of 0.0035.",
        "The network's epochs are chosen on 16,384 of 57,000 validation rows, with weights.",
    ]
    monkeypatch.setattr(sizes, "SELECTION", 40)
    monkeypatch.setattr(sizes, "SMALL", 100)
    monkeypatch.setattr(sizes, "STEPS", 1)
    spec = replace(SPEC, methods=("ce",))
    found, _ = finish(module.compare(table((300, 30)), spec, clock=ticking()))
    assert sum("batches of 192 rows" in text or "epochs are chosen on 40 of" in text for text in found["shortened"]) == 2
    assert found["methods"][0]["params"]["batch"] == 192


@pytest.mark.parametrize("name", ["forest", "boosting", "logistic"])
def test_a_model_that_nobody_follows_is_the_same(name):
    bench, _ = module._make_evaluator(table((300, 30)), replace(SPEC, methods=(name,)), ticking())
    task = bench.prepare(Resource(), (0,))
    assert not task.followed and not bench._join(task, False).followed
    params = bench.choose_params(name, Resource(epochs=6))
    fits, told = [], []
    for followed in (True, False):
        running = Running(method(name)(**params).fit(replace(task, followed=followed), camera=Camera(task, 0)))
        told.append(sum(isinstance(event, Epoch) for event in running))
        fits.append(running.value)
    assert told == [int(fits[0].epoch.max()), 0]
    assert torch.equal(fits[0].epoch, fits[1].epoch) and torch.equal(fits[0].net(task.test.x), fits[1].net(task.test.x))
    assert fits[0].chosen.keys() == fits[1].chosen.keys()


def test_a_long_comparison_uses_more_rows(monkeypatch):
    monkeypatch.setattr(module, "MAX_ROWS", 120)
    monkeypatch.setattr(module, "MAX_ROWS_LONG", 200)
    used = [
        len(module._make_evaluator(table((300, 30)), replace(SPEC, budget=s), ticking())[0].dataset.y) for s in (60.0, 300.0)
    ]
    assert used == [pytest.approx(120, abs=2), pytest.approx(200, abs=2)]
