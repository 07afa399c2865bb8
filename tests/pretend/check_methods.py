"""Every method on the pretend device, run by tests/test_pretend.py in a process of its own."""

from __future__ import annotations

import os
from typing import Any
from unittest import mock

import numpy as np
import pytest

from engine import devices
from engine.data.sources import load
from engine.estimators import CEClassifier
from engine.methods import methods
from engine.training.optimisers import Adam
from tests.pretend import measure
from tests.pretend.device import NAME, Pretend, pretend


def assert_same(on_device: dict[str, Any], on_cpu: dict[str, Any]) -> None:
    different = [name for name in on_cpu | on_device if on_cpu.get(name) != on_device.get(name)]
    assert not different, f"{len(different)} of {len(on_cpu)} parts differ from the CPU's: {different[:5]}"


@pytest.mark.parametrize(("name", "kind"), measure.CASES)
def test_a_run_gives_the_bits_of_the_cpu_and_waits_no_more_than_before(name: str, kind: str) -> None:
    spec = measure.request(name, *measure.SETS[kind])
    given, ledger = measure.on_device(spec)
    assert_same(given, measure.on_cpu(spec))
    kept, now = measure.read().get(f"{name} {kind}"), ledger.numbers()
    assert kept is not None, f"no counts are recorded for {name} on {kind}: run `{measure.COMMAND}`"
    worse = {f"{what}s in {place}": dict(ledger.most[place, what]) for place, what in measure.risen(kept, now)}
    assert not worse, f"{name} on {kind} copies or waits more than recorded, {kept}; by line: {worse}"
    assert now == kept, f"{name} on {kind} copies or waits less than recorded: run `{measure.COMMAND}` and commit the file"


def test_no_counts_are_kept_of_what_is_gone() -> None:
    gone = measure.read().keys() - {f"{name} {kind}" for name, kind in measure.CASES}
    assert not gone, f"{gone}: run `{measure.COMMAND}`"


@pytest.mark.network
@pytest.mark.parametrize("name", [name for name, method in methods().items() if "tabular" in method.kinds])
def test_glass2_gives_the_bits_of_the_cpu(name: str) -> None:
    spec = measure.request(name, "glass2", {}, 21, ratio=15.0)  # it has 11.6 by itself
    assert_same(measure.on_device(spec)[0], measure.on_cpu(spec))


def test_an_estimator_gives_the_bits_of_the_cpu() -> None:
    rows = load("wine", {})
    x, y = rows.numeric, rows.y
    own = {"epochs": 2, "random_state": 0}
    with pretend(), mock.patch.object(devices, "list_devices", lambda: ["cpu", NAME]):
        there = CEClassifier(device="auto", **own).fit(x, y)
        assert isinstance(there.net_.flat, Pretend)
        given = there.predict_proba(x)
    assert np.array_equal(given, CEClassifier(device="cpu", **own).fit(x, y).predict_proba(x))


def test_what_a_step_waits_for_is_found_and_told_by_its_line() -> None:
    """One more than recorded, where a step that runs in Python reads a value."""
    gradient = Adam.gradient
    eager = mock.patch.dict(os.environ, {"LAB_GRAPH": "0"})
    with eager, mock.patch.object(Adam, "gradient", lambda step, batch: (batch.x.sum().item(), gradient(step, batch))[1]):
        ledger = measure.on_device(measure.request("ce", *measure.SETS["tabular"]))[1]
    kept = measure.read()["ce tabular"]
    assert ledger.numbers()["step"]["wait"] == kept["step"]["wait"] + 1
    assert measure.risen(kept, ledger.numbers()) == [("step", "wait")]
    assert all(line.startswith("engine/training/") for line in ledger.most["step", "wait"])
