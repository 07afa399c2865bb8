"""Replicates that have stopped leave the stack, and no number changes by it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import torch

from engine.data.dataset import Task
from engine.data.rows import take
from engine.events import Epoch, Progress, Running, encode
from engine.losses import LDAM, ClassBalanced, ClassWeighted, Mixed, cross_entropy
from engine.methods import methods
from engine.methods.base import Method, TableMethod
from engine.methods.explicit_gradient import MetaStep
from engine.methods.lws import ScaleSGD
from engine.methods.meta_weight_net import Weighing
from engine.methods.oltr import MemorySGD
from engine.models.cnn import CNN
from engine.models.memory import Memory
from engine.models.mlp import MLP
from engine.models.net import FEWEST_ROWS, Net, WithHead
from engine.training import loop, network_cache
from engine.training.batches import Passes
from engine.training.camera import Camera
from engine.training.class_means import RunningMeans
from engine.training.fitted import Fitted
from engine.training.loop import Meter, Step, new_net, streams, train
from engine.training.optimisers import Adam
from tests.engine.tasks import blobs, pictures, task
from tests.engine.test_methods import fields_of, small

TRAINED = {name: cls for name, cls in methods().items() if issubclass(cls, TableMethod) and "tabular" in cls.kinds}
EVERY = pytest.mark.parametrize("cls", TRAINED.values(), ids=TRAINED)
WHOLE = {
    "meta-weight-net": "its own products are not the same bits in every stack",
    "triplet": "its distances between rows are not the same bits in every stack",
    "bbn": "its schedule runs to its end",
    "mixup-drw": "its schedule runs to its end",
}
"""Methods whose stack stays whole, with the reason."""
LONG = {"epochs": 14, "meta_epochs": 12, "rounds": 8, "head_epochs": 8, "learning_rate": 0.03, "patience": 2}
LONG |= {"hidden": (16, 16), "batch_points": 6, "batch_outer": 9, "units": 16, "steps": 3}
"""Long enough that replicates stop at different epochs."""


@pytest.fixture
def heights(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The height of every stack that was made narrower, as they come."""
    seen: list[int] = []
    narrow = loop._Stack.narrow

    def counted(self: Any, going: torch.Tensor, *, exact: bool) -> None:
        before = len(self.numbers)
        narrow(self, going, exact=exact)
        if len(self.numbers) < before:
            assert len(self.net.flat) == len(self.valid.y) == len(self.numbers)
            seen.append(len(self.numbers))

    monkeypatch.setattr(loop._Stack, "narrow", counted)
    return seen


def fit_both(method: Method, on: Task, patch: pytest.MonkeyPatch, frames: int = 6) -> list[list[Any]]:
    """All that a fit gives and every event, with all replicates to the end and with stopped ones left out."""
    out = []
    for most_left in (0.0, 1.0):
        patch.setattr(loop, "MOST_LEFT", most_left)
        network_cache.clear()
        running = Running(method.fit(on, camera=Camera(on, frames)))
        events = [encode(e) for e in running if not isinstance(e, Progress)]
        out.append([*flat_events(events), *flat_fitted(running.value, on)])
    return out


def flat_events(events: list[Any]) -> Iterator[Any]:
    for kind, text, arrays in events:
        yield kind, text
        yield arrays


def flat_fitted(fitted: Fitted, on: Task) -> Iterator[Any]:
    yield fitted.epoch
    yield fitted.net(on.test.x)
    for net in (fitted.net, fitted.earlier):
        if net is not None:
            yield net.flat
            yield from net.state()
    for rows in (fitted.synthetic, fitted.embedded):
        yield from () if rows is None else (getattr(rows, f.name) for f in fields(rows))
    yield fitted.lines
    yield from fitted.chosen.values()


def assert_same(one: list[Any], other: list[Any]) -> None:
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        assert type(a) is type(b)
        if isinstance(a, torch.Tensor):
            assert a.dtype == b.dtype and torch.equal(a.nan_to_num(7.0), b.nan_to_num(7.0))
            assert torch.equal(a.isnan(), b.isnan())
        else:
            assert a == b


def uneven(on: Task) -> Task:
    """The task with fewer training rows, and so fewer batches, in every other replicate."""
    keep = on.train.mask.clone()
    keep[::2, :9] = False
    cut = replace(on, train=take(on.train, keep), source=tuple(s[9 * (r % 2 == 0) :] for r, s in enumerate(on.source)))
    batches = Passes(cut.train.sizes.tolist(), 20, [])
    assert len(set(batches.per_pass())) > 1 and batches.fewest >= FEWEST_ROWS, "some must pause, and no batch be tiny"
    return cut


@EVERY
@pytest.mark.parametrize("counts", [(109, 31), (96, 34, 23)], ids=["two classes", "three classes"])
def test_numbers_and_events_are_those_of_the_full_stack(
    cls: type[Method], counts: tuple[int, ...], monkeypatch: pytest.MonkeyPatch, heights: list[int]
) -> None:
    on = replace(uneven(task(blobs(counts, features=5), dtype=torch.float32)), patience=2)
    for batch in (20, 90):  # a method may make rows that leave a batch of fewer than FEWEST_ROWS
        if not heights:
            assert_same(*fit_both(small(cls, **LONG, batch=batch), on, monkeypatch))
    if cls.name in WHOLE:
        assert not heights, WHOLE[cls.name]
    else:
        assert heights and min(heights) < len(on.replicates) - 1, "some must have left, one after the other"


@EVERY
def test_where_bits_may_differ_float64_does_not(cls: type[Method], monkeypatch: pytest.MonkeyPatch, heights: list[int]) -> None:
    on = uneven(task(blobs((109, 31))))
    ends = torch.tensor([2, 7, 1, 9, 4, 3])
    on = replace(on, chosen={"training": ends, "points": ends.flip(0), "rounds": ends, "head": ends.flip(0), "metric": ends})
    monkeypatch.setattr(loop, "FEWEST_ROWS", 0)
    for one in (Net, MLP, Step, MetaStep, Weighing, ScaleSGD, Memory, MemorySGD, RunningMeans):
        monkeypatch.setattr(one, "keeps_bits", True)
    odd = LONG | {"hidden": (5,), "units": 7, "batch_outer": 7, "batch_points": 3}
    one, other = fit_both(small(cls, **odd), on, monkeypatch, frames=0)
    tensors = [pair for pair in zip(one, other, strict=True) if isinstance(pair[0], torch.Tensor)]
    for a, b in tensors:
        assert a.shape == b.shape and torch.allclose(a.double(), b.double(), rtol=0, atol=1e-9, equal_nan=True)
    assert heights[:3] == [5, 4, 3]


PICTURED = {name: cls for name, cls in TRAINED.items() if "images" in cls.kinds and "model" in fields_of(cls)}
QUICK = {"epochs": 3, "rounds": 3, "head_epochs": 3, "learning_rate": 0.01, "hidden": (16,)}


@pytest.mark.parametrize("cls", PICTURED.values(), ids=PICTURED)
def test_numbers_of_convolutional_networks_too(cls: type[Method], monkeypatch: pytest.MonkeyPatch, heights: list[int]) -> None:
    on = task(pictures((50, 30, 20)), ratio=3.0, folds=3, seeds=1, dtype=torch.float32)
    ends = torch.tensor([2, 3, 1])
    on = replace(on, chosen={"training": ends, "rounds": ends - 1, "head": 4 - ends, "metric": 4 - ends})
    for batch in (30, 1000):
        if not heights:
            assert_same(*fit_both(small(cls, **QUICK, augment=True, batch=batch), on, monkeypatch, frames=2))
    assert heights or cls.name == "triplet", WHOLE


def test_patience_of_a_convolutional_network(monkeypatch: pytest.MonkeyPatch, heights: list[int]) -> None:
    on = replace(task(pictures((50, 30)), folds=3, seeds=1, dtype=torch.float32), patience=1)
    assert_same(*fit_both(small(methods()["ce"], **QUICK | {"epochs": 9, "learning_rate": 0.05}), on, monkeypatch))
    assert heights


def test_chosen_epochs_let_replicates_leave_too(monkeypatch: pytest.MonkeyPatch, heights: list[int]) -> None:
    on = uneven(task(blobs((109, 31)), dtype=torch.float32))
    method = small(methods()["explicit-gradient"], **LONG | {"batch_points": 128})
    chosen = {"training": torch.tensor([3, 9, 1, 9, 0, 5]), "points": torch.tensor([2, 2, 7, 1, 5, 6])}
    assert_same(*fit_both(method, replace(on, chosen=chosen), monkeypatch))
    assert heights == [5, 4, 3, 2, 5, 3, 2, 1]


@pytest.mark.parametrize(
    "changes", [{"inner_steps": 2}, {"reset_each_pass": True}, {"inner": "balanced"}, {"outer": "holdout", "batch": 30}]
)
def test_explicit_gradients_other_ways(changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch, heights: list[int]) -> None:
    on = uneven(task(blobs((109, 31), features=5), dtype=torch.float32))
    method = small(
        methods()["explicit-gradient"],
        **LONG
        | {"batch": 20, "batch_outer": 64, "batch_points": 128, "confidence": 0.9, "copies": 2, "meta_epochs": 40}
        | changes,
    )
    assert_same(*fit_both(method, on, monkeypatch, frames=30))
    assert heights


@pytest.mark.parametrize("name", ["ce", "explicit-gradient", "eos"])
def test_rows_with_weights(name: str, monkeypatch: pytest.MonkeyPatch, heights: list[int]) -> None:
    on = replace(uneven(task(blobs((109, 31)), dtype=torch.float32)), patience=2)
    parts = {}
    for part in ("train", "valid"):
        rows = getattr(on, part)
        weight = torch.linspace(0.5, 2.0, rows.y.shape[1]).expand_as(rows.y) * rows.mask
        parts[part] = replace(rows, weight=weight)
    assert_same(*fit_both(small(methods()[name], **LONG), replace(on, **parts), monkeypatch))
    assert heights


def test_who_is_sent_away_leaves_and_the_others_go_on(heights: list[int]) -> None:
    on = uneven(task(blobs((109, 31))))

    def trained(sent: dict[int, list[int]]) -> tuple[list[Epoch], Net]:
        net = new_net(on, (6,))  # no multiple of 64 bytes: float64 to 1e-9
        batches = Passes(on.train.sizes.tolist(), 20, streams(on, "batch"))
        seen: list[torch.Tensor] = []

        def leaves(epoch: int, score: torch.Tensor) -> torch.Tensor:
            seen.append(score)
            assert score.shape == (6,) and bool((score == torch.stack(seen).amax(0)).all())
            going = torch.ones(6, dtype=torch.bool)
            going[sent.get(epoch, [])] = False
            return going

        running = Running(
            train(
                net, on, Adam(net, cross_entropy, rate=0.05), batches, rows=on.train, epochs=9, phase="training", meter=Meter(40),
                camera=Camera(on, 0), leaves=leaves,
            )
        )  # fmt: skip
        return [e for e in running if isinstance(e, Epoch)], net

    (all_epochs, every), (some_epochs, some) = trained({}), trained({2: [0, 4], 5: [1]})
    assert heights == [4, 3]
    for epoch, (one, other) in enumerate(zip(all_epochs, some_epochs, strict=True), 1):
        for r in range(6):
            gone = epoch > {0: 2, 4: 2, 1: 5}.get(r, 9)
            for name, values in other.values.items():
                assert np.isnan(values[r]) if gone else values[r] == pytest.approx(one.values[name][r], rel=0, abs=1e-9)
    for r in (2, 3, 5):
        assert torch.allclose(some.flat[r], every.flat[r], rtol=0, atol=1e-9)


def test_a_step_that_cannot_be_narrowed_keeps_all_replicates(heights: list[int]) -> None:
    on = replace(task(blobs((109, 31))), patience=2)
    net = new_net(on, (16,))
    inner = Adam(net, cross_entropy, rate=0.05)

    class Plain(Step):
        def begin(self, wanted: Sequence[int]) -> None:
            inner.begin(wanted)

        def __call__(self, batch: Any) -> torch.Tensor:
            return inner(batch)

    batches = Passes(on.train.sizes.tolist(), 200, streams(on, "batch"))
    running = Running(
        train(net, on, Plain(), batches, rows=on.train, epochs=20, phase="training", meter=Meter(9), camera=Camera(on, 0))
    )
    epochs = [e.values["valid_ap"] for e in running if isinstance(e, Epoch)]
    assert not heights and any(v != v for v in epochs[-1])


def test_losses_and_networks_give_their_replicates() -> None:
    index, y = torch.tensor([2, 0]), torch.randint(3, (3, 5))
    counts = torch.tensor([[9, 4, 1], [7, 7, 7], [3, 8, 2]])
    logits = torch.randn(3, 5, 3, dtype=torch.float64)
    for loss in (LDAM(counts), ClassWeighted(counts), ClassBalanced(counts), Mixed(y.flip(1), torch.rand(3, 1), LDAM(counts))):
        loss.begin(9, 10)
        own = loss.select(index)
        assert torch.equal(own(logits[index], y[index]), loss(logits, y)[index])
        weights, all_weights = own.row_weights(y[index]), loss.row_weights(y)
        assert (weights is None) == (all_weights is None)
        assert weights is None or torch.equal(weights, all_weights[index])  # type: ignore[index]
    assert cross_entropy.select(index) is cross_entropy
    on = task(pictures((30, 20)), ratio=None, folds=3, seeds=1)
    net = methods()["ce"](batch=20).create(on)  # type: ignore[attr-defined]
    assert isinstance(net, CNN)
    few = net.select(index)
    assert torch.equal(few(on.test.x[index]), net(on.test.x)[index]) and torch.equal(few.state()[0], net.state()[0][index])
    few.flat = few.flat + 1
    assert not torch.equal(few.flat, net.flat[index]), "parameters of its own"
    on_top = WithHead(net, lambda z: z[:, :, :2] * torch.arange(3).view(3, 1, 1))
    assert torch.equal(on_top.select(index)(on.test.x[index]), on_top(on.test.x)[index])
