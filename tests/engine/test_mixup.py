"""Mixup with deferred re-weighting: the card's numbers, when weights begin, and that the last epoch is taken."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.events import finish
from engine.losses import Deferred, Mixed, class_balanced_weights, cross_entropy, mean_weights
from engine.methods.mixup_drw import MixupDRW
from engine.samplers.mixup import mixup
from engine.samplers.remix import mix_rows
from engine.training.camera import Camera
from engine.training.loop import Batch
from engine.training.mixing import Mixing
from engine.training.optimisers import SGD, mean_under
from tests.engine.cards import assert_close, read_cases
from tests.engine.tasks import blobs, task

F64 = torch.float64


@pytest.mark.parametrize("case", read_cases("mixup-drw"))
def test_numbers_of_the_card(case: dict[str, Any]) -> None:
    given = case["input"]
    counts = torch.tensor([given["counts"]])
    if case["what"] == "class weights":
        assert_close(class_balanced_weights(counts)[0], case["value"])
        return
    x, y = torch.tensor(given["x"], dtype=F64), torch.tensor(given["y"])
    made = mix_rows(x, y, np.arange(3), np.array(given["order"]), given["share"])
    logits = (made.x @ torch.tensor(given["weights"], dtype=F64) + torch.tensor(given["biases"], dtype=F64))[None]
    loss = Deferred(counts)
    loss.begin({"before": 8, "after": 9}.get(case["what"], 9), 10)
    first, second, share = made.y_first[None], made.y_second[None], torch.tensor([[given["share"]]], dtype=F64)
    if case["what"] == "rows":
        assert_close(made.x, case["value"])
    elif case["what"] == "logits":
        assert_close(logits[0], case["value"])
    elif case["what"] == "means":
        means = [
            (cross_entropy(logits, of) * loss.weights.gather(1, of)).sum() / loss.weights.gather(1, of).sum()
            for of in (first, second)
        ]
        assert_close(torch.stack(means), case["value"])
    else:
        mixed = Mixed(second, share, loss)
        weights = mean_weights(torch.ones(1, 3, dtype=torch.bool), F64, mixed.row_weights(first))
        assert_close((mixed(logits, first) * weights).sum(), case["value"])


def test_a_batch_is_mixed_with_itself() -> None:
    rng = np.random.default_rng(0)
    x, y = torch.arange(8.0, dtype=F64).view(4, 2), torch.tensor([0, 0, 1, 2])
    made = mixup(x, y, rng)
    assert sorted(made.second.tolist()) == made.first.tolist() == [0, 1, 2, 3] and 0 < made.share < 1
    assert torch.equal(made.x, made.share * x + (1 - made.share) * x[made.second]) and torch.equal(
        made.y_second, y[made.second]
    )
    assert {mixup(x, y, rng, alpha=0.0).share for _ in range(20)} == {0.0, 1.0}


def test_weights_begin_in_the_last_fifth_also_after_some_have_left() -> None:
    """What a step's loss hears of time reaches the weights inside mixed labels, also in the stack that is left."""
    on = task(blobs((61, 34, 13)))
    method = MixupDRW(hidden=(16,), epochs=10, batch=20)
    step = method.step(method.create(on), on, Deferred(on.train.counts(3)))
    rows = on.train
    weighing = []
    for epoch in range(1, 11):
        step.begin([1] * len(step.net.flat))
        alive = torch.ones(len(step.net.flat), dtype=torch.bool)
        step(Batch(rows.x[: len(alive)], rows.y[: len(alive)], rows.mask[: len(alive)], alive, 0))
        assert isinstance(step.loss, Mixed)
        weighing.append(step.loss.row_weights(rows.y[: len(alive)]) is not None)
        if epoch == 5:
            index = torch.arange(3)
            net = step.net.select(index)
            step.select(index)
            step.use(net)
    assert weighing == [False] * 8 + [True] * 2


def test_both_labels_count_by_their_rows_weights() -> None:
    on = task(blobs((61, 34, 13)), seeds=1, folds=2)
    method = MixupDRW(hidden=(6,), epochs=2, batch=20)
    net = method.create(on)
    step = SGD(net, cross_entropy, rate=0.0)
    order = np.array([2, 0, 1])

    def make(x: Tensor, y: Tensor, *, rng: np.random.Generator, alpha: float) -> Any:
        return mix_rows(x, y, np.arange(3), order, 0.7)

    step.change = Mixing(step, make, [np.random.default_rng(0)] * 2, [1.0] * 2)
    x, y = on.train.x[:, :3], torch.tensor([[0, 1, 2], [1, 1, 0]])
    weight = torch.tensor([[1.0, 2.0, 3.0], [1.0, 1.0, 1.0]], dtype=F64)
    batch = Batch(x, y, torch.ones(2, 3, dtype=torch.bool), torch.ones(2, dtype=torch.bool), 0, weight)
    changed = step.change(batch)
    value = (step.loss(net(changed.x), changed.y) * mean_under(step.loss, changed)).sum(1)
    logits, second = net(0.7 * x + 0.3 * x[:, order]), y[:, order]
    by_hand = 0.7 * weight * cross_entropy(logits, y) + 0.3 * weight[:, order] * cross_entropy(logits, second)
    assert_close(value, (by_hand.sum(1) / weight.sum(1)).detach().numpy())


def test_the_last_epoch_is_taken_and_patience_ends_nothing() -> None:
    on = replace(task(blobs((61, 34, 13))), patience=1)
    fitted = finish(MixupDRW(hidden=(6,), epochs=6, batch=20).fit(on, camera=Camera(on, 0)))
    assert fitted.epoch.tolist() == [6] * len(on.replicates)
