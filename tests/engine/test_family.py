"""The runs of a comparison share their first phase: each gives the bits that it gives alone, whatever ran before it in the process."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from engine.catalog import build_catalog
from engine.data.sources import load
from engine.events import Event, Frame, Progress
from engine.executors import worker
from engine.methods import method
from engine.runner import memory
from engine.runner.execute import drive, run
from engine.runner.memory import estimate_memory
from engine.spec import Imbalance, RunSpec
from engine.spec.companions import list_companions
from engine.spec.result import Result
from engine.training import camera as cameras
from engine.training import network_cache, optimisers
from engine.training.camera import Camera
from engine.training.loop import new_net
from tests.engine.tasks import task

CATALOG = build_catalog(found=True)
SHORT: dict[str, Any] = {"hidden": [8], "epochs": 6, "meta_epochs": 5, "batch": 32, "patience": 2}
Outcome = tuple[list[Event], Result, dict[str, bytes]]


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    network_cache.clear()
    yield
    network_cache.clear()


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each step of Adam."""
    taken: list[int] = []
    update = optimisers.Adam.update
    monkeypatch.setattr(optimisers.Adam, "update", lambda self, *a: (taken.append(1), update(self, *a))[1])
    return taken


def members() -> dict[str, RunSpec]:
    """The five runs of a points set, short."""
    spec = RunSpec("rings", "explicit-gradient", Imbalance("ratio", 8), {"rows": 300}, SHORT, folds=3, seeds=2)
    return {member.key: member.spec for member in list_companions(spec, CATALOG)[0]}


def plain(value: Any) -> Any:
    """Parts that are equal where all bits are, also those of NaN."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    if dataclasses.is_dataclass(value):
        return type(value).__name__, [plain(getattr(value, f.name)) for f in dataclasses.fields(value)]
    return [plain(one) for one in value] if isinstance(value, (list, tuple)) else repr(value)


def bits(outcome: Outcome) -> tuple[Any, ...]:
    """All of a run but its seconds, and the progress, which is reported by the clock."""
    events, result, artifacts = outcome
    words = {name: value for name, value in result.to_json().items() if name not in ("seconds", "provenance")}
    return plain([e for e in events if not isinstance(e, Progress)]), plain(words), plain(result.arrays), artifacts


@cache
def run_alone(key: str) -> tuple[Any, ...]:
    network_cache.clear()
    outcome = bits(drive(run(members()[key])))
    network_cache.clear()
    return outcome


KEYS = ["explicit-gradient", "frozen", "CE, equal steps", "ce", "potential"]


@pytest.mark.parametrize("order", [KEYS, KEYS[::-1], [*KEYS[2:], *KEYS[:2]]], ids=lambda order: order[0])
def test_each_run_of_a_family_gives_the_bits_that_it_gives_alone(order: list[str], steps: list[int]) -> None:
    alone = {key: run_alone(key) for key in order}
    family = members()
    assert sorted(family) == sorted(KEYS)
    shared = 0
    for key in order:
        steps.clear()
        outcome = drive(run(family[key]))
        shared += not steps
        assert bits(outcome) == alone[key], key
    assert shared == 3  # one of four trains the phase that the four share; the potential has other rows


def test_a_run_that_was_cancelled_leaves_nothing_to_the_next(steps: list[int]) -> None:
    alone = run_alone("frozen")
    for when in (3, 12, 20):
        running = run(members()["explicit-gradient"])
        for _ in range(when):
            next(running)
        running.close()
    assert bits(drive(run(members()["frozen"]))) == alone


def test_a_network_without_snapshots_is_trained_again_for_a_film(steps: list[int]) -> None:
    """A comparison records no frames. What it leaves in the cache has none to give."""
    alone = run_alone("ce")
    drive(run(members()["ce"], frames=0))
    steps.clear()
    assert bits(drive(run(members()["ce"]))) == alone and steps
    steps.clear()
    drive(run(members()["ce"], frames=0))
    assert not steps  # the other way round the cached network serves


def test_other_frames_than_those_foreseen_train_again(steps: list[int]) -> None:
    drive(run(members()["ce"], frames=100))
    steps.clear()
    drive(run(members()["ce"], frames=7))
    assert steps


def test_snapshots_are_bounded(monkeypatch: pytest.MonkeyPatch, steps: list[int]) -> None:
    alone = run_alone("ce")
    drive(run(members()["ce"]))
    size = network_cache.count_bytes()
    (kept,) = network_cache._kept.values()
    assert kept.film_size > size / 2
    assert 0 < size < network_cache.MOST_BYTES
    drive(run(members()["ce"].with_(seed=1)))
    assert network_cache.count_bytes() == pytest.approx(2 * size, rel=0.1)
    monkeypatch.setattr(network_cache, "MOST_BYTES", int(1.5 * size))
    drive(run(members()["ce"].with_(seed=2)))
    assert network_cache.count_bytes() == pytest.approx(size, rel=0.1)  # the older two are gone
    monkeypatch.setattr(network_cache, "MOST_IN_ALL", size // 2)
    drive(run(members()["ce"].with_(seed=3)))
    assert network_cache.count_bytes() == pytest.approx(size, rel=0.1)  # the latest one stays
    network_cache.clear()
    assert network_cache.count_bytes() == 0
    monkeypatch.setattr(network_cache, "MOST_BYTES", size // 4)
    drive(run(members()["ce"]))
    assert network_cache.count_bytes() < size / 4  # the network alone
    steps.clear()
    assert bits(drive(run(members()["ce"]))) == alone and steps


def test_a_run_that_needs_the_memory_empties_the_cache(monkeypatch: pytest.MonkeyPatch, steps: list[int]) -> None:
    spec = members()["ce"]
    drive(run(spec))
    need = estimate_memory(spec, load(spec.dataset, spec.data))
    held = network_cache.count_bytes() / 2**20
    monkeypatch.setattr(memory, "estimate_memory", lambda *_: 100 * need)
    for limit, kept in ((100 * need + held + 1, True), (100 * need + held / 2, False)):
        monkeypatch.setattr(memory, "read_setting", lambda *_, limit=limit: limit)
        memory.require_memory(spec, load(spec.dataset, spec.data))
        assert (network_cache.count_bytes() > 0) == kept


def test_a_worker_that_lets_a_table_go_keeps_no_snapshot() -> None:
    drive(run(members()["ce"]))
    assert network_cache.count_bytes() > 0
    worker._let_go()
    assert network_cache.count_bytes() == 0


@pytest.mark.parametrize("patience", [1, 3])
def test_a_phase_that_ends_early_is_repeated_as_it_was(patience: int, steps: list[int]) -> None:
    on = dataclasses.replace(task(folds=2, seeds=1), patience=patience)

    def fit() -> tuple[Any, torch.Tensor]:
        fitting = method("ce")(hidden=(6,), epochs=40, batch=20, learning_rate=0.3).fit(on, camera=Camera(on, 30))
        events: list[Event] = []
        while True:
            try:
                events.append(next(fitting))
            except StopIteration as end:
                return plain([e for e in events if not isinstance(e, Progress)]), end.value.net.flat

    (first, net), taken = fit(), len(steps)
    steps.clear()
    again, same = fit()
    assert taken < 40 * len(on.train.mask[0]) // 20 and not steps
    assert first == again and torch.equal(net, same)


@pytest.mark.parametrize("share", [1.0, 0.25, 0.07])
@pytest.mark.parametrize("planned", [1, 7, 250, 1999])
def test_the_steps_of_frames_are_known_beforehand(planned: int, share: float) -> None:
    on = task(folds=2, seeds=1)
    camera = Camera(on, 24)
    camera.share = share
    net = new_net(on, (4,))
    score = torch.full((2,), torch.nan)
    due = camera.list_due(planned)
    recorded: dict[int, int] = {}
    for taken in range(planned):
        for event in camera.record_frame(net, "training", 1, taken, score, taken=taken, planned=planned):
            recorded[taken] = recorded.get(taken, 0) + isinstance(event, Frame)
    assert recorded == due and max(due.values()) == 2 and cameras.EVERY_OTHER > 1
