"""The three-phase framework (card A4): what each phase changes, and what it leaves alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from engine.data.dataset import Task
from engine.errors import BadInput
from engine.events import Epoch, Note, Phase
from engine.losses import cross_entropy
from engine.methods.base import Fitted
from engine.methods.ce import CE
from engine.methods.eos import EOS, LOSSES
from engine.models.mlp import MLP
from tests.engine.tasks import blobs, task
from tests.engine.test_methods import fit

SMALL: dict[str, Any] = {"hidden": (6,), "epochs": 4, "batch": 20}


def last_layer(net: MLP) -> int:
    return (net.sizes[-2] + 1) * net.sizes[-1]


def plain(on: Task) -> Fitted:
    return fit(CE(**SMALL), on)[1]


@pytest.mark.parametrize("sampler", ["eos", "smote", "none"])
def test_the_extractor_stays_bit_for_bit(sampler: str) -> None:
    on = task()
    first, whole = plain(on).net, fit(EOS(**SMALL, sampler=sampler), on)[1].net
    n = last_layer(first)
    assert torch.equal(first.flat[:, :-n], whole.flat[:, :-n]) and not torch.equal(first.flat[:, -n:], whole.flat[:, -n:])


def test_without_sampling_a_warm_start_at_rate_zero_is_the_first_phase() -> None:
    on = task()
    whole = fit(EOS(**SMALL, sampler="none", warm_start=True, head_rate=0.0), on)[1]
    assert torch.equal(whole.net.flat, plain(on).net.flat) and bool((whole.epoch == 1).all())


def test_the_head_is_trained_as_torch_would() -> None:
    on = task(folds=2, seeds=1, numbers=[0])
    method = EOS(hidden=(6,), epochs=4, batch=4096, sampler="none", warm_start=True, head_epochs=7)
    events, whole = fit(method, on)
    first = fit(CE(hidden=(6,), epochs=4, batch=4096), on)[1].net
    z, y = first.embed(on.train.x)[0][on.train.mask[0]], on.train.y[0][on.train.mask[0]]
    head = torch.nn.Linear(6, 2, dtype=torch.float64)
    weight, bias = first.views(first.flat)[-2:]
    head.weight.data, head.bias.data = weight[0].T.clone(), bias[0, 0].clone()
    optimiser = torch.optim.SGD(head.parameters(), lr=0.1, momentum=0.9, weight_decay=2e-4)
    for epoch in range(1, int(whole.epoch[0]) + 1):
        optimiser.param_groups[0]["lr"] = 0.1 * min(1, epoch / 5)
        optimiser.zero_grad()
        cross_entropy(head(z), y).mean().backward()
        optimiser.step()
    assert torch.allclose(whole.net.head_weights()[0].T, head.weight.data, rtol=0, atol=1e-12)
    assert [e.phase for e in events if isinstance(e, Epoch)] == ["training"] * 4 + ["head"] * 7


@pytest.mark.parametrize("counts", [(101, 21), (61, 34, 23)])
@pytest.mark.parametrize("options", [{}, {"sampler": "smote"}, {"direction": "away"}, {"variant": "released"}])
def test_every_class_becomes_as_large_as_the_largest(counts: tuple[int, ...], options: dict[str, Any]) -> None:
    on = task(blobs(counts), ratio=None)
    net = plain(on).net
    sampling = EOS(**SMALL, **options)._sampled(net, on)
    while True:
        try:
            next(sampling)
        except StopIteration as end:
            rows = end.value
            break
    before, after = on.train.counts(len(counts)), rows.counts(len(counts))
    assert torch.equal(after, before.amax(1, keepdim=True).expand_as(after))
    for r in range(len(on.replicates)):
        n = int(on.train.sizes[r])
        assert torch.equal(rows.x[r, :n], net.embed(on.train.x)[r, :n]) and torch.equal(rows.y[r, :n], on.train.y[r, :n])


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_trains_the_first_phase(loss: str) -> None:
    on = task()
    whole = fit(EOS(**SMALL, loss=loss), on)[1].net
    n = last_layer(whole)
    assert bool(torch.isfinite(whole.flat).all())
    assert torch.equal(whole.flat[:, :-n], plain(on).net.flat[:, :-n]) == (loss == "ce")


def test_the_two_class_loss_is_refused_for_three() -> None:
    with pytest.raises(BadInput, match="two classes"):
        fit(EOS(**SMALL, loss="asl-binary"), task(blobs((61, 34, 23))))


def test_a_class_apart_is_made_by_smote_and_said_so() -> None:
    data = blobs((60, 24))
    data.numeric[60:] += 1000
    events, _ = fit(EOS(**SMALL, k_neighbors=1), task(data, ratio=None))
    assert [e.text for e in events if isinstance(e, Note)] == [
        "A class has no embedding with another class near it, so its new rows were made by SMOTE."
    ]
    assert [e.name for e in events if isinstance(e, Phase)] == ["training", "sampling", "head"]
