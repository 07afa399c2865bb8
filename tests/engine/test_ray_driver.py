"""The engine's side of a Ray cluster, on a pretend `ray` module: what it makes of what actors say, of their silence and of their ends."""

from __future__ import annotations

import json
import os
import queue
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest

from engine import devices
from engine.data.sources import load
from engine.errors import BadInput, ClusterLost
from engine.executors import (
    CatalogReceived,
    ExecutorEvent,
    Room,
    Work,
    WorkerEvents,
    WorkFinished,
    WorkLost,
    WorkReturned,
    ray_groups,
    ray_head,
    ray_share,
    worker,
)
from engine.executors import ray_cluster as module
from engine.executors.ray_actor import list_versions
from engine.executors.ray_checks import merge_devices
from engine.executors.ray_cluster import BROKE, HEAD_LOST, RayExecutor
from engine.executors.ray_groups import LOST as LOST_CELL
from engine.executors.ray_groups import ClusterRuns
from engine.executors.ray_head import read_address
from engine.executors.ray_share import estimate_need, find_share
from engine.executors.split import SplitExecutor
from engine.executors.wire import pack_alive, pack_event, unpack_work
from engine.models.cnn import TRUNKS, parameters
from engine.runner import chunks, memory
from engine.runner.memory import estimate_memory
from engine.service import LOST, Engine
from engine.spec import RunSpec
from engine.store import Store
from engine.store.jobs import PRIORITY_SWEEP

DATA = [{"name": "moons", "fingerprint": "points 1", "available": True}]
CATALOG = {"numerics": 1, "device": "a processor", "devices": ["cpu"], "datasets": DATA, "methods": [{"name": "ce"}]}
EVENT = ("phase", "{}", None)
KEY = ("a", 1)


class TaskError(Exception):
    """Stands for `ray.exceptions.RayTaskError`."""


class Call:
    """A method of an actor: `.options(...).remote(...)`."""

    def __init__(self, act: Callable[..., Any]) -> None:
        self.remote = act

    def options(self, **_: Any) -> Call:
        return self


class Actor:
    """An actor whose words the test puts into `says`: an exception there is raised at the reader, None ends the generator."""

    def __init__(self, ray: PretendRay, environment: dict[str, str], options: dict[str, Any]) -> None:
        self.environment, self.wanted, self.killed, self.asked = environment, options, threading.Event(), []
        self.says: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.locate = Call(lambda: lambda: self._place(ray))
        self.describe = Call(lambda: lambda: (json.dumps(ray.catalog), ray.trouble))
        self.run = Call(self._run)
        self.cancel = Call(lambda *key: self.asked.append(key))
        self.ping, self.is_frozen = Call(self._ping), False
        ray.actors.append(self)

    def _place(self, ray: PretendRay) -> tuple[str, int, str]:
        if not ray.has_room:
            self.killed.wait(10)
            raise RuntimeError("secret-host-42")
        return socket.gethostname(), 7, json.dumps(ray.versions), "0"

    def _ping(self) -> Any:
        answer: Future[None] = Future()
        if self.killed.is_set():
            answer.set_exception(RuntimeError("secret-host-42"))
        elif not self.is_frozen:
            answer.set_result(None)
        self.asked.append("ping")
        return SimpleNamespace(future=lambda: answer)

    def _run(self, packed: Any) -> Iterator[Any]:
        self.given = packed
        while True:
            try:
                said = self.says.get(timeout=0.01)
            except queue.Empty:
                if self.killed.is_set():
                    raise RuntimeError("secret-host-42") from None
                continue
            if said is None:
                return
            if isinstance(said, Exception):
                raise said
            yield lambda said=said: said


class PretendRay:
    """The module `ray`, as far as the executor uses it."""

    exceptions = SimpleNamespace(RayTaskError=TaskError)

    def __init__(self, **resources: float) -> None:
        self.actors: list[Actor] = []
        self.resources, self.has_room = {"CPU": 2.0} | resources, True
        self.versions, self.catalog, self.trouble = list_versions(), CATALOG, ""

    def remote(self, **_: Any) -> Any:
        def make(options: dict[str, Any]) -> Any:
            return SimpleNamespace(remote=lambda *arguments: Actor(self, arguments[-1], options))

        return lambda kind: SimpleNamespace(options=lambda **options: make(options))

    def cluster_resources(self) -> dict[str, float]:
        return self.resources

    def get(self, reference: Callable[[], Any]) -> Any:
        return reference()

    def kill(self, actor: Actor, no_restart: bool) -> None:
        assert no_restart
        actor.killed.set()

    def get_runtime_context(self) -> Any:
        return SimpleNamespace(gcs_address="head:1")

    def shutdown(self) -> None: ...


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., RayExecutor]]:
    made: list[RayExecutor] = []

    def start(ray: PretendRay, slots: int | None = None, **options: Any) -> RayExecutor:
        monkeypatch.setattr(module, "connect_ray", lambda *_: (ray, None))
        monkeypatch.setattr(module, "watch_head", lambda *_: None)
        made.append(RayExecutor("auto", slots, **options))
        return made[-1]

    yield start
    for executor in made:
        executor.stop()


def until(executor: Any, what: Callable[[], Any]) -> list[ExecutorEvent]:
    """Everything that happens until `what`."""
    out: list[ExecutorEvent] = []
    end = time.monotonic() + 10
    while not what():
        out += executor.poll(0.005)
        assert time.monotonic() < end, out
    return out


def after(executor: Any) -> ExecutorEvent:
    """The next thing that happens."""
    out: list[ExecutorEvent] = []
    end = time.monotonic() + 10
    while not out:
        out = executor.poll(0.005)
        assert time.monotonic() < end
    assert len(out) == 1, out
    return out[0]


@pytest.fixture
def one(make: Callable[..., RayExecutor]) -> tuple[PretendRay, RayExecutor, Actor]:
    """A cluster of one slot, whose actor has a run."""
    ray = PretendRay()
    executor = make(ray, 1)
    assert until(executor, lambda: executor.ready) == [CatalogReceived(CATALOG)]
    assert executor.start(Work(KEY, {})) and executor.idle == 0 and not executor.start(Work(("b", 1), {}))
    return ray, executor, ray.actors[0]


def test_a_run_goes_through(one):
    _, executor, actor = one
    assert executor.pids == [7] and executor.rooms == (Room(1, 0, private=False),)
    for event in (WorkerEvents(KEY, [EVENT]), WorkFinished(KEY, "done", "", ("{}", b""), {"a": b"1"})):
        actor.says.put(pack_event(event))
        assert after(executor) == event
    assert executor.idle == 1 and not actor.killed.is_set()


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("how", ["dies", "silent"])
def test_what_is_lost_is_returned_before_its_first_event_and_lost_after(one, monkeypatch, caplog, begun, how):
    ray, executor, actor = one
    actor.says.put(pack_alive([7, 8]))
    until(executor, lambda: executor.pids == [7, 8])
    if begun:
        actor.says.put(pack_event(WorkerEvents(KEY, [EVENT])))
        assert after(executor) == WorkerEvents(KEY, [EVENT])
    if how == "dies":
        actor.says.put(RuntimeError("secret-host-42"))
    else:
        monkeypatch.setattr(module, "SILENCE", 0.05)
    assert after(executor) == (WorkLost(KEY) if begun else WorkReturned(KEY))
    assert actor.killed.is_set(), "its run may still be going on"
    monkeypatch.undo()
    until(executor, lambda: executor.idle)
    assert len(ray.actors) == 2 and executor.trouble == "" and "secret" not in caplog.text


@pytest.mark.parametrize(
    "said",
    [
        TaskError("secret-host-42"),
        None,
        "events",
        ("finished", "a", 1, "done", "", None, {}),
        pack_event(WorkReturned(("b", 1))),
    ],
    ids=["error", "nothing", "text", "no result", "of another run"],
)
def test_an_actor_that_breaks_fails_its_run_and_is_replaced(one, caplog, said):
    ray, executor, actor = one
    actor.says.put(said)
    assert after(executor) == WorkFinished(KEY, "failed", BROKE)
    assert actor.killed.is_set() and "secret" not in caplog.text
    until(executor, lambda: executor.idle)
    assert len(ray.actors) == 2


def test_a_cancelled_run_is_asked_and_an_actor_that_does_not_hear_it_is_killed(one, monkeypatch):
    _, executor, actor = one
    monkeypatch.setattr(module, "GRACE", 0.05)
    monkeypatch.setattr(module, "MARGIN", 0.0)
    executor.cancel(("a", 2))
    assert actor.asked == [], "another attempt"
    executor.cancel(KEY)
    executor.cancel(KEY)
    assert actor.asked == [KEY]
    assert after(executor) == WorkFinished(KEY, "cancelled", "Cancelled.") and actor.killed.is_set()


def test_a_dropped_run_says_nothing_more(one):
    ray, executor, actor = one
    actor.says.put(pack_event(WorkerEvents(KEY, [EVENT])))
    executor.drop(KEY)
    assert actor.killed.is_set()
    assert until(executor, lambda: executor.idle) == [] and len(ray.actors) == 2


def test_a_time_limit_holds_where_the_actor_does_not_keep_it(make, monkeypatch):
    monkeypatch.setattr(module, "MARGIN", 0.0)
    executor = make(ray := PretendRay(), 1)
    until(executor, lambda: executor.ready)
    assert executor.start(Work(KEY, {}, timeout_s=0.05))
    assert after(executor) == WorkFinished(KEY, "failed", "Stopped at its time limit of 0.05 s.")
    assert ray.actors[0].killed.is_set()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"versions": list_versions() | {"numbers": "1"}},
            "slot 1 on the cluster has numbers 1 where the engine has numbers 2",
        ),
        ({"versions": list_versions() | {"torch": ""}}, "has no torch where the engine has torch"),
        ({"trouble": "secret-host-42"}, "The worker of slot 1 on the cluster does not start"),
        ({"catalog": {"datasets": 3}}, "The worker of slot 1 on the cluster does not start"),
        ({"has_room": False}, "The cluster has no room for slot 1"),
    ],
    ids=["NUMERICS", "torch", "worker", "words", "room"],
)
def test_a_slot_that_cannot_be_used_says_why_and_takes_nothing(make, monkeypatch, changed, said):
    monkeypatch.setattr(module, "NO_ROOM_AFTER", 0.0)
    monkeypatch.setattr(module, "SLOWEST_RETRY", 0.02)
    ray = PretendRay()
    vars(ray).update(changed)
    executor = make(ray, 1)
    until(executor, lambda: said in executor.trouble)
    assert executor.idle == executor.ready == 0 and not executor.start(Work(KEY, {})) and "secret" not in executor.trouble
    vars(ray).update(vars(PretendRay()) | {"actors": ray.actors})
    if "has_room" in changed:
        ray.actors[0].killed.set()  # its actor comes to an end, and the next finds room
    until(executor, lambda: executor.ready and executor.trouble == "")


@pytest.mark.parametrize(
    "other",
    [
        {"datasets": [{"name": "moons", "fingerprint": "points 2"}]},
        {"datasets": [DATA[0] | {"available": False}]},
        {"methods": []},
    ],
    ids=["rows", "nothing", "methods"],
)
def test_a_machine_with_other_data_or_methods_takes_nothing(make, other):
    ray = PretendRay()
    executor = make(ray, 1)
    until(executor, lambda: executor.ready)
    ray.catalog = CATALOG | other
    executor.start(Work(KEY, {}))
    executor.drop(KEY)
    until(executor, lambda: f"lacks {'ce' if 'methods' in other else 'moons'} or has" in executor.trouble)
    assert executor.ready == 0


def test_jobs_go_where_their_device_is(make):
    ray = PretendRay(GPU=1.0)
    ray.catalog = CATALOG | {"device": "a card", "devices": ["cpu", "cuda"]}
    executor = make(ray, 3, gpu=0.5)
    until(executor, lambda: executor.ready == 3)
    assert [actor.wanted["num_gpus"] for actor in ray.actors] == [0.5, 0.5, 0.0]
    assert [actor.environment.get("LAB_DEVICE_SHARE") for actor in ray.actors] == ["45", "45", None]
    assert [actor.environment.get("CUDA_VISIBLE_DEVICES") for actor in ray.actors] == [None, None, ""]
    for id, device in (("cpu", "cpu"), ("one", "cuda"), ("two", "auto")):
        assert executor.start(Work((id, 1), {}, device))
    assert [slot.run.work.key[0] for slot in executor._slots] == ["one", "two", "cpu"]
    ray.actors[2].says.put(pack_event(WorkFinished(("cpu", 1), "failed", "x")))
    after(executor)
    for id in ("three", "four"):  # the one waits for a card, and its place counts
        assert executor.start(Work((id, 1), {}, "cuda")) is (id == "three")
    assert executor.idle == 0
    ray.actors[0].says.put(pack_event(WorkFinished(("one", 1), "failed", "x")))
    after(executor)
    until(executor, lambda: executor._slots[0].run is not None)
    assert executor._slots[0].run.work.key == ("three", 1) and executor.idle == 1
    assert executor.start(Work(("five", 1), {}, "cuda")) and executor.idle == 0
    executor.cancel(("five", 1))
    assert after(executor) == WorkFinished(("five", 1), "cancelled", "Cancelled.") and executor.idle == 1


ROWS = {"rows": 2000, "features": 2, "classes": ["a", "b"], "shape": None}
PIXELS = {"name": "pictures", "rows": 10_000, "features": 784, "classes": ["a", "b"], "shape": [1, 28, 28]}
CARD = CATALOG | {
    "devices": ["cpu", "cuda"],
    "device": "a card",
    "device_memory": {"cpu": 64_000, "cuda": 16_000},
    "datasets": [DATA[0] | ROWS, DATA[0] | PIXELS],
}
SMALL = RunSpec("moons", "ce", params={"hidden": [64, 32]}).to_json()
LARGE = RunSpec("pictures", "ce", params={"model": "resnet56", "batch": 4096}).to_json()


@pytest.mark.parametrize(
    ("gpu", "slots", "shares"), [(None, [0.25] * 4, [0.05, 0.05]), (0.5, [0.5, 0.5, 0.0, 0.0], [0.5, 0.5])]
)
def test_a_run_has_the_share_of_a_gpu_that_its_spec_needs(make, gpu, slots, shares):
    ray = PretendRay(GPU=1.0)
    ray.catalog = CARD
    executor = make(ray, 4, gpu=gpu)
    until(executor, lambda: executor.ready == 4)
    assert [actor.wanted["num_gpus"] for actor in ray.actors] == slots
    for id in ("one", "two"):
        assert executor.start(Work((id, 1), SMALL, "cuda"))
    runs = [slot.run for slot in executor._slots if slot.run is not None]
    assert [run.share for run in runs] == pytest.approx(shares)
    given = [unpack_work(actor.given).device_share for actor in ray.actors[:2]]
    assert given == [int(90 * share) for share in shares], "of what all may use"


def test_a_run_that_needs_more_of_a_gpu_waits_and_goes_before_later_ones(make):
    ray = PretendRay(GPU=1.0)
    ray.catalog = CARD
    executor = make(ray, 4)
    until(executor, lambda: executor.ready == 4)

    def begun() -> set[str]:
        return {slot.run.work.key[0] for slot in executor._slots if slot.run is not None}

    for id, spec, device in (
        ("small", SMALL, "cuda"),
        ("large", LARGE, "cuda"),
        ("later", SMALL, "auto"),
        ("cpu", SMALL, "cpu"),
    ):
        assert executor.start(Work((id, 1), spec, device))
    assert begun() == {"small", "cpu"} and executor.idle == 0, "the others have their places"
    slot = next(slot for slot in executor._slots if slot.run is not None and slot.run.work.key[0] == "small")
    slot.actor.says.put(pack_event(WorkFinished(("small", 1), "failed", "x")))
    after(executor)
    assert begun() == {"large", "cpu"} and {slot.run.share for slot in executor._slots if slot.run} == {1.0, 0.0}
    slot = next(slot for slot in executor._slots if slot.run is not None and slot.run.work.key[0] == "large")
    slot.actor.says.put(pack_event(WorkFinished(("large", 1), "failed", "x")))
    after(executor)
    assert begun() == {"later", "cpu"}


@pytest.mark.parametrize(("kind", "spec"), [("compare", {}), ("run", LARGE | {"dataset": "unknown"}), ("run", {"dataset": 1})])
def test_what_nobody_can_tell_the_need_of_has_a_whole_gpu_or_what_the_setting_says(kind, spec):
    work = Work(KEY, spec, kind=kind)
    assert find_share(work, CARD, None) == find_share(Work(KEY, SMALL), CATALOG, None) == 1.0
    assert find_share(work, CARD, 0.25) == 0.25


def test_the_need_is_what_a_worker_estimates():
    spec = RunSpec("moons", "ce", params={"hidden": [64, 32]}, folds=5, seeds=3)
    assert estimate_need(spec.to_json(), CARD) == pytest.approx(estimate_memory(spec, load("moons", {})), rel=0.05)


@pytest.mark.long
@pytest.mark.timeout(120)
def test_networks_of_the_estimate_are_those_there_are():
    assert set(ray_share.TRUNKS) == set(TRUNKS)
    assert (ray_share.CHUNK, ray_share.MAX_VALUES) == (chunks.CHUNK, chunks.MAX_VALUES)
    assert (ray_share.COPIES, ray_share.VALUE) == (memory.COPIES, memory.VALUE)
    for name, (per_pixel, base, more) in ray_share.TRUNKS.items():
        for side in (8, 28) if base < 120_000 else (28,):
            exact, guess = memory.count_activations(name, (3, side, side)), max(ray_share.VALUES, per_pixel * side * side)
            assert 0.99 * exact <= guess <= max(1.8 * exact, ray_share.VALUES), (name, side)
            exact, guess = parameters(name, (3, side, side), 10), base + more * side * side
            assert 0.99 * exact <= guess <= 2 * exact, (name, side)


def test_a_worker_keeps_to_the_share_of_its_job(monkeypatch):
    monkeypatch.setenv("LAB_DEVICE_SHARE", "45")
    freed = []
    monkeypatch.setattr(devices, "release_unused", lambda: freed.append(os.environ["LAB_DEVICE_SHARE"]))
    with worker._share(9):
        assert os.environ["LAB_DEVICE_SHARE"] == "9"
    assert os.environ["LAB_DEVICE_SHARE"] == "45" and freed == ["45"]
    with worker._share(None):
        assert os.environ["LAB_DEVICE_SHARE"] == "45"
    assert len(freed) == 1
    devices.release_unused()


def test_only_public_work_is_started(make):
    ray = PretendRay()
    executor = make(ray, 1)
    until(executor, lambda: executor.ready)
    for more in ({"private": True}, {"upload": "u"}, {"origin": "u"}, {"table": ("t", b"")}, {"kind": "preview"}):
        assert not executor.start(Work(KEY, {}, **more))
    assert executor.idle == 1 and executor.touched == set() and not hasattr(ray.actors[0], "given")


def test_a_worker_that_did_not_begin_returns_its_run_and_is_replaced(one, monkeypatch):
    ray, executor, actor = one
    monkeypatch.setattr(module, "SLOWEST_RETRY", 0.02)
    actor.says.put(pack_event(WorkReturned(KEY)))
    assert after(executor) == WorkReturned(KEY)
    assert executor.idle == 0 and actor.killed.is_set() and "does not start" in executor.trouble
    until(executor, lambda: executor.idle and executor.trouble == "")
    assert len(ray.actors) == 2


def test_folders_of_killed_engines_are_deleted(tmp_path, monkeypatch):
    monkeypatch.setattr(ray_head.tempfile, "gettempdir", lambda: str(tmp_path))
    kept = [f"lab-ray-{os.getpid()}-a", "lab-ray-abc", "lab-ray-x-1", "other-99999999-a"]
    for name in (*kept, "lab-ray-99999999-a"):
        (tmp_path / name).mkdir()
    ray_head.clear_folders()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)


def test_settings_that_decide_numbers_travel(make, monkeypatch):
    monkeypatch.setenv("LAB_GRAPH", "0")
    monkeypatch.setenv("LAB_LOG", "json")
    ray = PretendRay()
    make(ray, 1, threads=2)
    assert ray.actors[0].environment["LAB_LOG"] == "json"
    assert (ray.actors[0].environment["LAB_GRAPH"], ray.actors[0].environment["LAB_THREADS"]) == ("0", "2")
    assert ray.actors[0].wanted["num_cpus"] == 2


ACTOR = """
import threading, warnings
from engine.executors import ray_actor
def fail(*_, **__):
    warnings.warn("a library warns")
    raise ValueError("p4tients")
ray_actor.LocalExecutor = fail
ray_actor.SlotActor("", "", "", 1, None, {"LAB_LOG": %r})
threading.Event().wait(20)
"""


def test_what_an_actor_prints_is_json_where_logs_are():
    def ask(kind: str) -> str:
        run = subprocess.run([sys.executable, "-c", ACTOR % kind], stderr=subprocess.PIPE, text=True, check=False, timeout=60)
        assert run.returncode == 1, "the engine sees an actor that died"
        return run.stderr

    lines = [json.loads(line) for line in ask("json").splitlines()]
    assert any("a library warns" in line["message"] for line in lines)
    assert (lines[-1]["level"], lines[-1]["logger"]) == ("critical", "engine.executors.ray_actor")
    assert lines[-1]["error"].endswith("ValueError") and "in fail" in lines[-1]["error"] and "p4tients" not in str(lines[-1])
    assert "Traceback" in ask("text")


def test_a_catalog_has_the_devices_of_all():
    card = CATALOG | {"devices": ["cpu", "cuda"], "device": "a card"}
    assert merge_devices([CATALOG, card]) == CATALOG | {"devices": ["cpu", "cuda"], "device": "a card"}
    assert merge_devices([CATALOG]) == CATALOG


def test_addresses(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert [read_address(text) for text in ("ray", "ray:auto", "ray://head:6379")] == ["local", "auto", "head:6379"]
    monkeypatch.setenv("RAY_ADDRESS", "head:1")
    assert read_address("ray") == "head:1"
    for text in ("ray:", "rays", "ray://", "ray://head", "ray://head:x", "cluster"):
        with pytest.raises(BadInput, match="must be local"):
            read_address(text)


def test_what_is_missing_is_a_sentence(monkeypatch):
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    with pytest.raises(BadInput, match="Keep the token on"):
        RayExecutor("auto")
    monkeypatch.delenv("RAY_AUTH_MODE")
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(BadInput, match="requirements-ray.txt"):
        RayExecutor("auto")
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
    monkeypatch.delenv("RAY_USAGE_STATS_ENABLED")


@pytest.mark.parametrize("end", ["is_frozen", "killed"])
def test_an_idle_slot_is_asked_and_replaced_where_it_is_silent_or_gone(make, monkeypatch, end):
    monkeypatch.setattr(module, "PING", 0.02)
    ray = PretendRay()
    executor = make(ray, 2)
    until(executor, lambda: executor.ready == 2)
    one, other = ray.actors
    until(executor, lambda: one.asked.count("ping") > 2 < other.asked.count("ping"))
    assert len(ray.actors) == 2
    monkeypatch.setattr(module, "SILENCE", 0.3)
    if end == "killed":
        one.killed.set()
    else:
        one.is_frozen = True
    until(executor, lambda: len(ray.actors) == 3 and executor.ready == 2)
    assert one.killed.is_set() and not other.killed.is_set() and executor.idle == 2 and executor.trouble == ""


def test_a_busy_slot_is_not_asked(make, monkeypatch):
    monkeypatch.setattr(module, "PING", 0.01)
    ray = PretendRay()
    executor = make(ray, 1)
    until(executor, lambda: executor.ready)
    assert executor.start(Work(KEY, {}))
    asked = len(ray.actors[0].asked)
    end = time.monotonic() + 0.3
    until(executor, lambda: time.monotonic() > end)
    assert len(ray.actors[0].asked) == asked
    ray.actors[0].says.put(pack_event(WorkFinished(KEY, "failed", "x")))
    until(executor, lambda: len(ray.actors[0].asked) > asked + 1)


def test_without_a_head_all_jobs_are_lost_and_nothing_starts(make):
    ray = PretendRay(GPU=1.0)
    executor = make(ray, 4)
    until(executor, lambda: executor.ready == 4)
    for id, device in (("begun", "cuda"), ("waits", "cuda"), ("new", "cpu"), ("stopped", "cpu")):
        assert executor.start(Work((id, 1), {}, device))
    begun = next(actor for actor in ray.actors if actor.wanted["num_gpus"])
    begun.says.put(pack_event(WorkerEvents(("begun", 1), [EVENT])))
    after(executor)
    executor.cancel(("stopped", 1))
    assert executor.lost == ""
    executor._messages.put((None, None, "headless", ""))
    found = []
    until(executor, lambda: found.extend(executor.poll(0)) or executor.lost)
    assert sorted(map(str, found)) == sorted(
        map(str, [WorkLost(("begun", 1)), WorkReturned(("waits", 1)), WorkReturned(("new", 1)), CANCELLED_RUN])
    )
    assert executor.lost == HEAD_LOST == executor.trouble and executor.troubles == [HEAD_LOST]
    assert executor.idle == executor.ready == 0 and not executor.start(Work(("more", 1), {}))
    assert executor.poll(0) == []


CANCELLED_RUN = WorkFinished(("stopped", 1), "cancelled", "Cancelled.")


class Head(socketserver.BaseRequestHandler):
    """Answers as HTTP/2 does."""

    def handle(self) -> None:
        if self.request.recv(100) == ray_head.HELLO:
            self.request.sendall(bytes(9))


def test_a_head_is_lost_that_is_gone_or_frozen(monkeypatch):
    with socketserver.TCPServer(("127.0.0.1", 0), Head) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        address = f"127.0.0.1:{server.server_address[1]}"
        assert ray_head.does_head_answer(address)
        server.shutdown()
        thread.join()
        monkeypatch.setattr(ray_head, "PROBE", 0.2)
        assert not ray_head.does_head_answer(address), "the kernel alone accepts the connection"
        monkeypatch.setenv("RAY_USE_TLS", "1")
        assert ray_head.does_head_answer(address), "under TLS nothing plain is answered"
    assert not ray_head.does_head_answer(address) and not ray_head.does_head_answer("no-port")


def test_the_head_is_watched(make, monkeypatch):
    answers = iter([True, False, True, False, False])
    monkeypatch.setattr(ray_head, "does_head_answer", lambda address: next(answers, False))
    monkeypatch.setattr(ray_head, "PING", 0.01)
    monkeypatch.setattr(ray_head, "SILENCE", 0.1)
    executor = make(PretendRay(), 1)
    ray_head.watch_head("head:1", threading.Event(), lambda: executor._messages.put((None, None, "headless", "")))
    until(executor, lambda: executor.lost)
    assert next(answers, None) is None


def test_a_head_that_does_not_answer_is_named_at_once(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace())
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(BadInput, match=f"LAB_EXECUTOR=ray://127.0.0.1:{port}: no Ray cluster answers there"):
        RayExecutor(f"127.0.0.1:{port}")
    monkeypatch.delenv("RAY_USAGE_STATS_ENABLED")


# ---- tables over it


class Clerk:
    """Runs groups on a pretend cluster of two slots. does: seed -> what comes of each attempt at it, in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, does: dict[int, list[Any]]) -> None:
        self.ray, self.said, self.began, self.ran = PretendRay(), list[str](), list[str](), list[tuple[int, int]]()
        more = {"methods": [{"name": "ce", "fields": []}], "datasets": [DATA[0] | {"kind": "points"}]}
        self.ray.catalog = CATALOG | more

        def run(actor: Actor, packed: Any) -> Iterator[Any]:
            work = unpack_work(packed)
            seed = work.spec["seed"]
            self.ran.append((self.ray.actors.index(actor), seed))
            outcome = does[seed].pop(0)
            if isinstance(outcome, Exception):
                yield lambda: pack_event(WorkerEvents(work.key, [EVENT]))
                raise outcome
            said = WorkReturned(work.key) if outcome is None else WorkFinished(work.key, *outcome)
            yield lambda: pack_event(said)

        def connect(*words: Any, **functions: Any) -> RayExecutor:
            self.executor = module.connect_cluster(*words, **functions)
            return self.executor

        monkeypatch.setattr(ray_groups, "connect_cluster", connect)
        monkeypatch.setattr(Actor, "_run", run)
        monkeypatch.setattr(module, "connect_ray", lambda *_: (self.ray, None))
        monkeypatch.setattr(module, "watch_head", lambda *_: None)
        monkeypatch.setattr(module, "SLOWEST_RETRY", 0.02)

    def run(self, *groups: list[int], skipped: tuple[str, ...] = ()) -> dict[str, Any]:
        def start(item: str) -> bool:
            self.began.append(item)
            return item not in skipped

        todo = [[(f"cell {seed}", {"dataset": "moons", "method": "ce", "seed": seed}) for seed in group] for group in groups]
        return dict(ClusterRuns("ray", self.said.append)(todo, 2, "cpu", start))


def test_cells_of_a_table_are_run_in_the_order_of_their_groups(monkeypatch):
    clerk = Clerk(monkeypatch, {seed: [("failed", f"reason {seed}")] for seed in range(5)})
    found = clerk.run([0, 1, 2], [3], [4], skipped=("cell 1",))
    assert found == {f"cell {seed}": f"reason {seed}" for seed in (0, 2, 3, 4)}
    assert sorted(clerk.began) == [f"cell {seed}" for seed in range(5)] and clerk.began[0] == "cell 0"
    places = [clerk.began.index(f"cell {seed}") for seed in range(5)]
    assert places[0] < places[1] < places[2] and places[3] < places[4]
    assert all(actor.killed.is_set() for actor in clerk.ray.actors) and clerk.run() == {}


def test_a_lost_cell_begins_again_twice_and_its_group_goes_on(monkeypatch):
    lost = RuntimeError("secret-host-42")
    clerk = Clerk(monkeypatch, {0: [lost] * 3, 1: [lost, None, ("failed", "too few rows")]})
    assert clerk.run([0, 1]) == {"cell 0": LOST_CELL, "cell 1": "too few rows"}
    assert [seed for _, seed in clerk.ran] == [0, 0, 0, 1, 1, 1] and clerk.began == ["cell 0", "cell 1"]
    assert not any("secret" in line for line in clerk.said)


def test_cells_without_a_cluster_end_with_a_sentence(monkeypatch):
    clerk = Clerk(monkeypatch, {})
    clerk.ray.versions = list_versions() | {"numbers": "1"}
    monkeypatch.setattr(ray_groups, "PATIENCE", 0.5)
    with pytest.raises(BadInput, match="has numbers 1 where the engine has numbers 2"):
        clerk.run([0])
    assert [line for line in clerk.said if "numbers 1" in line] and clerk.ran == []


def test_cells_of_a_cluster_that_is_lost_end_with_a_sentence(monkeypatch):
    clerk = Clerk(monkeypatch, {0: [("failed", "x")], 1: []})
    runs = ClusterRuns("ray", clerk.said.append)(
        [[("cell", {"dataset": "moons", "method": "ce", "seed": 0})] * 2], 1, "cpu", bool
    )
    assert next(runs) == ("cell", "x")
    executor = clerk.executor
    executor._messages.put((None, None, "headless", ""))
    with pytest.raises(ClusterLost, match="head of the Ray cluster"):
        next(runs)


# ---- the engine over it


class Rooms:
    """An executor of a private and a public slot, whose workers are the test."""

    ready, pids, trouble, previews, can_preview = 2, [], "", False, False
    lost, troubles = "", ()
    touched: set[str] = set()

    def __init__(self) -> None:
        self.news: list[ExecutorEvent] = []
        self.given: dict[tuple[str, int], Work] = {}
        self.cancelled: list[Any] = []

    @property
    def rooms(self) -> tuple[Room, ...]:
        private = sum(work.private for work in self.given.values())
        return Room(1, 1 - private, private=True), Room(1, 1 - len(self.given) + private, private=False)

    def start(self, work: Work) -> bool:
        self.given[work.key] = work
        return True

    def poll(self, timeout: float) -> list[ExecutorEvent]:
        news, self.news = self.news, []
        return news

    def cancel(self, key: Any) -> None:
        self.cancelled.append(key)

    def list_phases(self, *, idle: bool) -> set[str]:
        return set()

    def drop(self, key: Any) -> None: ...
    def stop(self) -> None: ...


@pytest.fixture
def engine(store: Store) -> Iterator[Engine]:
    made = Engine(store, Rooms(), 2)
    yield made
    made.stop()


def lose(engine: Engine, id: str) -> tuple[str, int]:
    """What becomes of a job whose machine is lost while it runs."""
    engine._claim()
    (key,) = engine.executor.given
    assert key[0] == id
    engine.executor.given.clear()
    engine._pending.append(WorkLost(key))
    engine._write()
    job = engine.store.job(id)
    return job.state, job.attempt


def test_a_lost_job_begins_again_twice(store, engine):
    id = store.submit(RunSpec("moons", "ce")).id
    assert [lose(engine, id) for _ in range(2)] == [("queued", 2), ("queued", 3)]
    assert store.events(id) == [] and not engine._running
    assert lose(engine, id) == ("failed", 3) and store.job(id).reason == LOST
    store.submit(RunSpec("moons", "ce"))
    assert lose(engine, id) == ("queued", 5), "who asks again begins with no loss"


def test_without_its_cluster_the_engine_ends_and_what_ran_is_queued_anew(store, engine):
    lost, mine = store.submit(RunSpec("moons", "ce")).id, store.submit(RunSpec("moons", "ce", seed=1), owner="me").id
    engine._claim()
    assert len(engine.executor.given) == 2
    engine.executor.news, engine.executor.lost = [WorkLost((lost, 1))], HEAD_LOST
    with pytest.raises(ClusterLost, match="no longer answers"):
        engine.work(threading.Event())
    engine.stop()
    for id, owner in ((lost, None), (mine, "me")):
        job = store.job(id, owner)
        assert (job.state, job.attempt) == ("queued", 2)
    assert store.engines() == []


def test_a_heartbeat_names_every_slot_that_is_not_ready(store, engine):
    engine.executor.troubles = [f"slot {n}" for n in range(30)]
    store.record_heartbeat(engine._info())
    assert store.engines()[0].troubles == [f"slot {n}" for n in range(20)]


def test_a_lost_job_that_was_being_cancelled_is_cancelled(store, engine):
    id = store.submit(RunSpec("moons", "ce")).id
    engine._claim()
    store.cancel(id)
    engine._pending.append(WorkLost((id, 1)))
    engine._write()
    assert store.job(id).state == "cancelled"


def test_each_slot_takes_jobs_of_its_kind_and_none_waits_behind_the_other(store, engine):
    mine = [store.submit(RunSpec("moons", "ce", seed=n), owner="me").id for n in range(2)]
    cells = [store.submit(RunSpec("moons", "ce", seed=n), priority=PRIORITY_SWEEP).id for n in range(2)]
    engine._claim()
    assert sorted(key[0] for key in engine.executor.given) == sorted((mine[0], cells[0]))
    engine._yield_to_urgent()
    assert engine.executor.cancelled == [], "what waits for the private slot takes no public one"
    store.submit(RunSpec("moons", "ce", seed=9))
    engine._yield_to_urgent()
    assert engine.executor.cancelled == [(cells[0], 1)]


def test_private_work_and_previews_stay_here():
    class Side:
        def __init__(self, name: str) -> None:
            self.name, self.given, self.previews, self.can_preview = name, [], name == "private", name == "private"
            self.rooms, self.idle, self.ready, self.pids, self.trouble, self.touched = (Room(1, 1),), 1, 1, [1], "", {name}
            self.troubles, self.lost = [name], name
            self.news: list[ExecutorEvent] = [CatalogReceived(CATALOG | {"device": name})]

        def start(self, work: Work) -> bool:
            self.given.append(work.key[0])
            return True

        def poll(self, timeout: float) -> list[ExecutorEvent]:
            news, self.news = self.news, []
            return news

        def forget(self, upload: str) -> None:
            self.given.append(f"forget {upload}")

        def ask(self, key: Any) -> None:
            self.given.append(f"ask {key}")

        def list_phases(self, *, idle: bool) -> set[str]:
            return {self.name}

        cancel = drop = ask

        def stop(self) -> None:
            self.given.append("stop")

    here, there = Side("private"), Side("public")
    both = SplitExecutor(there, here)
    for id, more in (("a", {}), ("b", {"private": True}), ("c", {"upload": "u"}), ("d", {"kind": "preview"}), ("e", {})):
        assert both.start(Work((id, 1), {}, **more))
    assert (here.given, there.given) == (["b", "c", "d"], ["a", "e"])
    assert both.rooms == (Room(1, 1, private=True), Room(1, 1)) and both.idle == both.ready == 2
    assert both.previews and both.can_preview and both.pids == [1, 1] and both.trouble == "" and both.touched == {"private"}
    assert both.troubles == ["private", "public"] and both.lost == "public"
    assert [event.catalog["device"] for event in both.poll(0)] == ["private", "public"]
    assert both.list_phases(idle=True) == {"public"}
    both.cancel("k"), both.drop("k"), both.forget("u"), both.stop()
    assert here.given[3:] == ["ask k", "ask k", "forget u", "stop"] and there.given[2:] == ["ask k", "ask k", "stop"]
