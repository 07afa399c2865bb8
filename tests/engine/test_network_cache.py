"""Networks kept between runs of one process: the same bits as training again, and never a wrong one."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from engine.events import Epoch, Running
from engine.methods import method
from engine.training import network_cache, optimisers
from engine.training.camera import Camera
from engine.training.fitted import Fitted
from tests.engine.tasks import task


@pytest.fixture(autouse=True)
def nothing_kept():
    network_cache.clear()
    yield
    network_cache.clear()


def fit(name: str = "ce", on=None, **params) -> tuple[list[Epoch], Fitted]:
    on = task(seeds=1) if on is None else on
    fitting = Running(method(name)(**{"hidden": (6,), "epochs": 4, "batch": 20} | params).fit(on, camera=Camera(on, 0)))
    return [event for event in fitting if isinstance(event, Epoch)], fitting.value


@pytest.fixture
def trained(monkeypatch):
    """How many steps were really taken."""
    steps = []
    update = optimisers.Adam.update
    monkeypatch.setattr(optimisers.Adam, "update", lambda self, *a: (steps.append(1), update(self, *a))[1])
    return steps


def test_the_second_time_nothing_is_trained_and_everything_is_said_again(trained):
    first, one = fit()
    taken = len(trained)
    second, two = fit()
    assert taken > 0 and len(trained) == taken
    assert repr(first) == repr(second)  # NaN is not equal to itself
    assert torch.equal(one.net.flat, two.net.flat) and torch.equal(one.epoch, two.epoch)


def test_what_is_kept_is_a_copy(trained):
    _, one = fit()
    expected = one.net.flat.clone()
    one.net.flat.mul_(0)
    _, two = fit()
    assert torch.equal(two.net.flat, expected)


@pytest.mark.parametrize(
    "change", [{"epochs": 5}, {"learning_rate": 0.01}, {"batch": 10}, {"hidden": (7,)}, {"activation": "tanh"}]
)
def test_another_recipe_trains(trained, change):
    fit()
    taken = len(trained)
    fit(**change)
    assert len(trained) > taken


def test_other_rows_another_loss_or_another_seed_train(trained):
    on = task(seeds=1)
    fit(on=on)
    for other in (
        dataclasses.replace(on, train=dataclasses.replace(on.train, x=on.train.x + 1)),
        dataclasses.replace(on, valid=dataclasses.replace(on.valid, y=1 - on.valid.y)),
        dataclasses.replace(on, seed=on.seed + 1),
    ):
        taken = len(trained)
        fit(on=other)
        assert len(trained) > taken
    taken = len(trained)
    fit("focal", on=on)
    assert len(trained) > taken
    taken = len(trained)
    fit("rs", on=on)
    assert len(trained) > taken
    taken = len(trained)
    fit("focal", on=on)
    assert len(trained) == taken


def test_few_are_kept(trained):
    for epochs in range(1, network_cache.MOST + 2):
        fit(epochs=epochs)
    taken = len(trained)
    fit(epochs=2)
    assert len(trained) == taken
    fit(epochs=1)
    assert len(trained) > taken


@pytest.mark.parametrize("name", ["threshold", "explicit-gradient", "eos", "dos", "tau"])
def test_methods_that_begin_with_plain_training_take_it_from_plain_training(trained, name):
    """Whoever made the network: the same one, trained alike on the same rows, is trained once."""
    short = {"rounds": 1, "head_epochs": 1, "meta_epochs": 1}
    own = {k: v for k, v in short.items() if k in method(name).__dataclass_fields__}
    alone = fit(name, **own)[1]
    network_cache.clear()
    fit("ce")
    taken = len(trained)
    after = fit(name, **own)[1]
    more = 0 if name != "dos" else len(trained) - taken  # its rounds are Adam's too
    assert len(trained) == taken + more and more <= 20
    assert torch.equal(alone.net.flat, after.net.flat)
