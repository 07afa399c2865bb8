"""Workers on a real Ray cluster of this machine, a head and two nodes, and what happens when processes and nodes are killed or frozen.

`test_ray_driver.py` has the rest, without a cluster; `test_service.py` runs its shared tests on the cluster too.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest

from engine.executors import ExecutorEvent, Key, Work, WorkerEvents, WorkFinished, WorkLost, ray_checks
from engine.executors import ray_cluster as module
from engine.executors.ray_cluster import RayExecutor
from tests.engine.ray_nodes import Cluster
from tests.engine.test_service import alive, spec, wait

pytestmark = [pytest.mark.long, pytest.mark.timeout(240)]

FAKES = {
    name: f"tests.engine.fakes:{value}" for name, value in (("target", "run"), ("catalog", "catalog"), ("private", "steps"))
}
PATIENCE = 90.0


@pytest.fixture(scope="module")
def executor(ray_cluster: Cluster) -> Iterator[RayExecutor]:
    """Three slots, one per node, since each takes both its processors. Their runs are fakes."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ray_cluster.settings.items():
            patch.setenv(name, value)
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        executor = RayExecutor(ray_cluster.address, 3, threads=2, **FAKES)
        yield executor
        executor.stop()
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.fixture
def lab(executor: RayExecutor) -> Iterator[Lab]:
    lab = Lab(executor)
    lab.until(lambda: executor.ready == 3 and executor.idle == 3, PATIENCE)
    lab.seen.clear()
    yield lab
    for slot in executor._slots:
        if slot.run is not None:
            executor.drop(slot.run.work.key)


class Lab:
    """An executor with all that it has said."""

    number = 0

    def __init__(self, executor: Any) -> None:
        self.executor, self.seen = executor, list[ExecutorEvent]()

    def until(self, what: Callable[[], Any], seconds: float = 30.0) -> Any:
        def look() -> Any:
            self.seen += self.executor.poll(0.01)
            return what()

        return wait(look, seconds)

    def start(self, method: str, **params: Any) -> Key:
        """Starts a run; returns once it has said something."""
        Lab.number += 1
        key = (f"{method}{Lab.number}", 1)
        assert self.executor.start(Work(key, spec(method, **params).to_json()))
        self.until(lambda: [one for one in self.seen if isinstance(one, WorkerEvents) and one.key == key])
        return key

    def end(self, key: Key, seconds: float = 30.0) -> ExecutorEvent:
        """What it came to."""

        def find() -> Any:
            return next(
                (one for one in self.seen if getattr(one, "key", None) == key and not isinstance(one, WorkerEvents)), None
            )

        return self.until(find, seconds)

    def actor(self, key: Key) -> psutil.Process:
        """The process of the actor that has a run."""
        return psutil.Process(next(slot.pids[0] for slot in self.executor._slots if slot.run and slot.run.work.key == key))


def test_a_killed_actor_loses_its_run_and_no_other(lab):
    one, other = lab.start("steady"), lab.start("steady")
    lab.actor(one).kill()
    assert lab.end(one) == WorkLost(one)
    assert [slot.run.work.key for slot in lab.executor._slots if slot.run] == [other]
    lab.until(lambda: lab.executor.ready == 3, PATIENCE)


def test_a_killed_worker_fails_its_run_with_the_sentence_of_a_local_one(lab):
    key = lab.start("killed")
    end = lab.end(key)
    assert isinstance(end, WorkFinished) and end.state == "failed" and "was killed (signal 9)" in end.reason


def test_a_worker_has_the_threads_of_a_local_one_and_not_those_of_ray(lab):
    key = lab.start("shows")
    assert lab.end(key).state == "done"
    said = [event for one in lab.seen if isinstance(one, WorkerEvents) and one.key == key for event in one.events]
    assert "2 threads" in str(said)


def test_a_frozen_actor_is_lost_after_its_silence(lab, monkeypatch):
    one, other = lab.start("steady"), lab.start("steady")
    frozen = lab.actor(one)
    frozen.suspend()
    monkeypatch.setattr(module, "SILENCE", 4.0)
    assert lab.end(one) == WorkLost(one)
    assert [slot.run.work.key for slot in lab.executor._slots if slot.run] == [other]
    wait(lambda: not alive(frozen), 30)
    lab.until(lambda: lab.executor.ready == 3, PATIENCE)


def test_a_library_that_holds_pythons_lock_is_not_taken_for_frozen(lab, monkeypatch):
    monkeypatch.setattr(module, "SILENCE", 4.0)
    key = lab.start("holds")
    end = time.monotonic() + 6
    lab.until(lambda: time.monotonic() > end)
    assert [slot.run.work.key for slot in lab.executor._slots if slot.run] == [key]
    lab.executor.cancel(key)
    assert lab.end(key) == WorkFinished(key, "cancelled", "Cancelled.")


def test_a_late_cancellation_does_not_end_the_next_run(lab):
    key = lab.start("quick")
    lab.end(key)
    slots = [slot for slot in lab.executor._slots if slot.pids]
    following = [lab.start("steady", seconds=1.0) for _ in slots]
    for slot in slots:
        slot.actor.cancel.options(concurrency_group="control").remote(*key)
    assert {lab.end(other).state for other in following} == {"done"}


def test_a_dropped_run_ends_its_processes_and_says_nothing_more(lab):
    key = lab.start("blocks")
    actor = lab.actor(key)
    family = [actor, *actor.children(recursive=True)]
    lab.executor.drop(key)
    lab.seen.clear()
    wait(lambda: not any(alive(process) for process in family), 30)
    lab.until(lambda: lab.executor.ready == 3, PATIENCE)
    assert not [one for one in lab.seen if getattr(one, "key", None) == key]


def test_a_node_with_other_numbers_is_named_and_takes_nothing(lab, monkeypatch):
    here = ray_checks.list_versions()
    monkeypatch.setattr(ray_checks, "list_versions", lambda: here | {"numbers": "99"})
    lab.executor.drop(lab.start("steady"))
    lab.until(lambda: "numbers 2 where the engine has numbers 99" in lab.executor.trouble, PATIENCE)
    assert lab.executor.ready == 2
    monkeypatch.undo()
    lab.until(lambda: lab.executor.ready == 3 and lab.executor.trouble == "", PATIENCE)


def test_a_killed_node_loses_its_run_and_a_new_node_takes_its_place(lab, ray_cluster):
    keys = [lab.start("steady") for _ in range(3)]
    nodes = {node.pid for node in ray_cluster.nodes[1:]}
    on_nodes = [key for key in keys if nodes & {process.pid for process in lab.actor(key).parents()}]
    assert len(on_nodes) == 2, "one slot a node"
    ray_cluster.kill_node_of(lab.actor(on_nodes[0]).pid)
    assert lab.end(on_nodes[0]) == WorkLost(on_nodes[0])
    assert {slot.run.work.key for slot in lab.executor._slots if slot.run} == set(keys) - {on_nodes[0]}
    lab.until(lambda: "no room for slot" in lab.executor.trouble, PATIENCE)
    ray_cluster.add_node()
    lab.until(lambda: lab.executor.ready == 3 and lab.executor.trouble == "", PATIENCE)
