"""Steps that are recorded once a shape and replayed, on the pretend device; run by tests/test_pretend.py in a process of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any
from unittest import mock

import pytest
import torch
from torch import Tensor

from engine.data.prepare import prepare
from engine.events import Progress, encode
from engine.methods import methods
from engine.training import graph, network_cache
from engine.training.graph import Operations, Replay
from engine.training.loop import Batch, Step
from tests.engine import tasks
from tests.engine.tasks import blobs, task
from tests.engine.test_methods import fit
from tests.pretend.device import NAME, Tally, pretend

SMALL: dict[str, Any] = {"hidden": (6,), "batch": 20}
CASES: dict[str, tuple[str, dict[str, Any], set[str]]] = {
    "Adam": ("ce", {"epochs": 6, "weight_decay": 0.01}, {"Adam"}),
    "SGD": ("ce", {"epochs": 6, "optimiser": "sgd", "learning_rate": 0.05, "schedule": "warm-up and drops"}, {"SGD"}),
    "a loss that changes": ("ldam", {"epochs": 6}, {"Adam"}),
    "explicit gradient": (
        "explicit-gradient",
        {"epochs": 3, "meta_epochs": 9, "patience": 2, "batch_points": 3, "batch_outer": 7, "clamp": True, "per_row": True},
        {"Adam", "MetaStep"},
    ),
    "explicit gradient, reset": (
        "explicit-gradient",
        {"epochs": 2, "meta_epochs": 4, "batch_points": 3, "reset_each_pass": True},
        {"Adam", "MetaStep"},
    ),
    "the last layer of EOS": ("eos", {"epochs": 3, "head_epochs": 7, "k_neighbors": 5}, {"Adam", "HeadSGD"}),
    "DOS": ("dos", {"epochs": 3, "rounds": 5}, {"Adam", "Rounds"}),
    "Meta-Weight-Net": ("meta-weight-net", {"epochs": 6, "units": 5, "batch_outer": 7}, {"Weighing"}),
}


class Watch:
    """Counts the steps that Python takes and those that are replayed, by the step's class and shape; a replay that enters the step's
    Python, copies to the device or waits for it fails.
    """

    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self.recorded: Counter[tuple[str, Hashable]] = Counter()
        self.replayed: Counter[tuple[str, Hashable]] = Counter()

    def call(self, replay: Replay, k: int, shape: Hashable, take: Callable[[Tensor], Tensor]) -> Tensor:
        own = (type(replay.step).__name__, (shape, replay.step.shape(k), len(replay.losses), id(replay.fixed)))
        known = (shape, replay.step.shape(k)) in replay.recordings
        (self.replayed if known else self.recorded)[own] += 1
        before = self.tally.copy()
        with mock.patch.object(type(replay.step), "__call__", refuse) if known else nullcontext():
            losses = CALL(replay, k, shape, take)
        assert self.tally == before, self.tally - before
        return losses


CALL = Replay.__call__


def refuse(step: Step, batch: Batch) -> Tensor:
    raise AssertionError(f"a replay entered the Python of {type(step).__name__}")


@contextmanager
def on_device(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    """Within, tasks are on the device and steps are watched."""
    network_cache.clear()
    with pretend() as tally, monkeypatch.context() as patches:
        patches.setattr(tasks, "prepare", partial(prepare, device=NAME))
        watch = Watch(tally)
        patches.setattr(Replay, "__call__", lambda *given: watch.call(*given))
        yield watch


def trained(name: str, changes: dict[str, Any], patience: int = 3) -> dict[str, Any]:
    """What a fit on replicates of unequal sizes, one of which pauses, tells and gives, as bytes."""
    network_cache.clear()
    events, fitted = fit(methods()[name](**SMALL | changes), replace(task(blobs((101, 31))), patience=patience), frames=6)
    told = {str(i): encode(e)[:2] for i, e in enumerate(e for e in events if not isinstance(e, Progress))}
    parts = {"net": fitted.net.flat, "epoch": fitted.epoch}
    if fitted.synthetic is not None:
        parts["points"] = fitted.synthetic.x
    return told | {name: part.cpu().numpy().tobytes() for name, part in parts.items()}


@pytest.mark.parametrize(("name", "changes", "steps"), CASES.values(), ids=CASES)
def test_a_replay_gives_the_bits_of_the_step_s_python(
    name: str, changes: dict[str, Any], steps: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = trained(name, changes)
    with on_device(monkeypatch) as watch:
        replayed = trained(name, changes)
    assert replayed == here
    assert {step for step, _ in watch.recorded} == steps == {step for step, _ in watch.replayed}
    assert set(watch.recorded.values()) == {1}, "the step's Python runs once a shape"
    for step in steps:
        widths = {shape[0] for own, shape in watch.replayed if own == step}
        assert len(widths) > 1, "some batches are shorter, or not all replicates take them"
    assert watch.replayed.total() > 3 * watch.recorded.total() / 2


@pytest.mark.parametrize("case", ["Adam", "SGD", "a loss that changes", "explicit gradient", "the last layer of EOS", "DOS"])
def test_a_stack_that_grows_smaller_is_recorded_anew(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, changes, steps = CASES[case]
    given = {"batch_points": 16, "batch_outer": 16, "patience": 1} | dict.fromkeys(("meta_epochs", "head_epochs", "rounds"), 12)
    changes = changes | {n: value for n, value in given.items() if n in changes}
    changes |= {"hidden": (16,), "batch": 24, "learning_rate": 0.05, "epochs": 12}  # of such a width members may leave
    here = trained(name, changes, patience=1)
    with on_device(monkeypatch) as watch:
        assert trained(name, changes, patience=1) == here
    assert set(watch.recorded.values()) == {1}, "the step's Python runs once a shape"
    for step in steps:
        assert len({shape[2] for own, shape in watch.replayed if own == step}) > 2, "stacks of several heights are replayed"


def test_it_is_off_by_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    name, changes, _ = CASES["Adam"]
    here = trained(name, changes)
    monkeypatch.setenv("LAB_GRAPH", "0")
    with on_device(monkeypatch) as watch:
        assert trained(name, changes) == here
    assert not watch.recorded and not watch.replayed


@pytest.mark.parametrize(
    ("name", "changes", "why"),
    [
        ("explicit-gradient", {"epochs": 2, "meta_epochs": 4, "inner_steps": 2}, "several steps"),
        ("remix", {"epochs": 3}, "on the CPU"),
        ("lws", {"epochs": 2, "head_epochs": 3}, "new last layer"),
    ],
)
def test_what_cannot_be_recorded_says_why_and_runs_by_its_python(
    name: str, changes: dict[str, Any], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    obstacle = graph.obstacle
    monkeypatch.setattr(graph, "obstacle", lambda step: found.append(obstacle(step)) or found[-1])
    here = trained(name, changes)
    with on_device(monkeypatch):
        assert trained(name, changes) == here
    assert why in found[-1]


REFUSED: dict[str, Callable[[Tensor], Any]] = {
    "a number": lambda x: x.sum().item(),
    "to the CPU": lambda x: x.cpu(),
    "to the device": lambda x: x + torch.ones(3).to(x.device),
    "rows by a mask": lambda x: x[x > 1],
    "places that are not 0": lambda x: x.nonzero(),
}


@pytest.mark.parametrize("do", REFUSED.values(), ids=REFUSED)
def test_a_recording_refuses_what_needs_the_host(do: Callable[[Tensor], Any]) -> None:
    with pretend():
        x = torch.arange(3.0).to(NAME)
        with pytest.raises(RuntimeError, match="cannot be recorded"):
            Operations(x.device).record(lambda: do(x))


def test_a_recording_does_again_what_it_did_on_the_same_tensors() -> None:
    with pretend():
        x, total = torch.arange(3.0).to(NAME), torch.zeros(3).to(NAME)
        recording = Operations(x.device)
        recording.record(lambda: total.add_(x[1:].sum() * x))
        x.add_(1)
        recording.replay()
        assert total.tolist() == [5.0, 3.0 + 10.0, 6.0 + 15.0]
