"""Stacks whose members differ in parameters on the pretend device, run by tests/test_pretend.py in a process of its own."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from engine.data.prepare import prepare
from engine.events import finish
from engine.methods.base import TableMethod
from engine.spec import Imbalance, RunSpec
from engine.training import network_cache
from engine.training.camera import Camera
from engine.training.fitted import Fitted
from tests.engine.tasks import blobs
from tests.engine.test_stacked_settings import make, three_settings
from tests.pretend.device import NAME, pretend
from tests.pretend.measure import Ledger

STEPS = (
    "focal", "asl", "ldam", "class-balanced", "class-weights", "remix", "explicit-gradient", "meta-weight-net", "eos", "lws", "dos", "tau"
)  # fmt: skip
"""Methods whose numbers are read within a step or after training; those of samplers are read before it, on the CPU."""


def train(method: TableMethod, settings: list[dict[str, Any]], device: str) -> Fitted:
    """Trains the settings in one stack."""
    network_cache.clear()
    task = prepare(blobs((61, 31)), RunSpec("blobs", method.name, Imbalance("ratio", 4.0), folds=2, seeds=1), device=device)
    stack = method.stack(task, settings)
    fitted: Fitted = finish(method.fit(stack, camera=Camera(stack, 0)))
    return fitted


@pytest.mark.parametrize("name", STEPS)
def test_a_stack_gives_the_bits_of_the_cpu_and_waits_no_more_for_its_settings(name: str) -> None:
    """Inside a step a stack of settings copies and waits no more than one whose members are all alike."""
    method, settings = make(name, {}), three_settings(type(make(name, {})))
    ledgers = []
    for some in (settings, [{}, {}, {}]):
        with pretend() as tally:
            ledger = Ledger(tally)
            with ledger.steps_watched():
                fitted = train(method, some, NAME)
            flat, epoch = fitted.net.flat.cpu(), fitted.epoch.cpu()
        ledgers.append(ledger.numbers()["step"])
        expected = train(method, some, "cpu")
        assert torch.equal(flat, expected.net.flat) and torch.equal(epoch, expected.epoch)
    assert ledgers[0] == ledgers[1]
