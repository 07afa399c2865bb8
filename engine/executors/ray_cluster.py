"""Warm workers on a Ray cluster: one actor per slot, which this process drives. Only this process writes the store.

Ray is imported when an executor is made, and never otherwise. What an actor says arrives by a generator that one thread reads; all
other calls are made on the executor's thread. Nothing of an error that Ray raises is shown, since its text names hosts, ids and
paths: the log has its class and the host (of a cluster that does not answer, the text).

A cluster notices a frozen machine after a minute, so a busy actor says each second that it lives, and an idle one is asked every PING
seconds. After SILENCE seconds without a word it is killed and its job is lost (`WorkLost`), or returned where nothing of it had come.

Where the head of the cluster does not answer for SILENCE seconds, all jobs there are lost and `lost` says so: Ray ends the process of a
driver without a head after a minute, and does not connect again in the same process, so the engine ends and is started anew.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import shutil
import socket
import sys
import threading
import time
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any

from engine.executors import CatalogReceived, ExecutorEvent, Key, Room, Work, WorkerEvents, WorkFinished, WorkLost, WorkReturned
from engine.executors.local import GRACE, PHASES, SLOWEST_RETRY
from engine.executors.ray_actor import SlotActor
from engine.executors.ray_checks import find_other_parts, find_other_version, merge_devices
from engine.executors.ray_head import PING, SILENCE, connect_ray, read_address, watch_head
from engine.executors.ray_share import MOST_SLOTS, find_share
from engine.executors.wire import is_public, pack_work, unpack_item
from engine.executors.worker import CANCELLED
from engine.memory import DEVICE_SHARE
from engine.settings import read_setting

MARGIN = 1.0
"""Seconds that an actor has beyond GRACE and time limits, which it keeps itself, before it is killed."""
NO_ROOM_AFTER = 10.0
"""Seconds after which an actor without a place on the cluster is named."""
TRAVELS = ("LAB_COMPILE", "LAB_GRAPH", "LAB_FRAMES", "LAB_LOG")
"""Settings of the engine that decide numbers, films and the form of logs, which the actors take over."""
BROKE = "The run failed with an error in the engine on its machine of the cluster; the log there has the details."
NO_ROOM = "The cluster has no room for slot {slot}, or the machine that has it does not answer."
HEAD_LOST = (
    "The head of the Ray cluster no longer answers. What ran there is queued anew; the engine ends, and must be started again when the "
    "head and its nodes are there."
)
NOT_STARTING = "The worker of slot {slot} on the cluster does not start; the engine's log names its machine."
log = logging.getLogger(__name__)


@dataclass
class _Run:
    """begun: something of it has come. heard: when its actor last said anything. share: the part of its card that it may use."""

    work: Work
    deadline: float
    heard: float
    begun: bool = False
    kill_at: float = float("inf")
    share: float = 0.0


@dataclass(eq=False)
class _Slot:
    """One actor. number: from 1. gpus: the share of a GPU that Ray keeps for it. card: host and number of that GPU, '' without one.
    placed: it has a machine. ready: its worker has started.

    phases: first phases of its runs, which its worker's cache may hold. here: it is on this machine. pids: of its processes. shaky: its
    last run ended badly, so its worker may just begin anew. heard: when it last said anything while idle. asked: since when a question
    to it has no answer.
    """

    number: int
    gpus: float
    actor: Any
    made: float
    placed: bool = False
    ready: bool = False
    host: str = ""
    card: str = ""
    here: bool = False
    pids: list[int] = field(default_factory=list)
    run: _Run | None = None
    shaky: bool = False
    heard: float = 0.0
    asked: float | None = None
    phases: deque[str] = field(default_factory=lambda: deque(maxlen=PHASES))


def connect_cluster(where: str, slots: int | None, **functions: str) -> RayExecutor:
    """The executor that LAB_EXECUTOR=`where` asks for, by the settings that docs/ray.md names. functions: target, catalog, private.

    Raises BadInput.
    """
    return RayExecutor(
        read_address(where),
        slots,
        threads=read_setting("LAB_THREADS", 1),
        memory_mb=read_setting("LAB_WORKER_MEMORY", 0) or None,
        gpu=read_setting("LAB_RAY_GPU", 0) / 100 or None,
        **functions,
    )


class RayExecutor:
    """`slots` warm workers on a Ray cluster, with the verbs of `LocalExecutor`. It takes public jobs alone. Only the thread that made it
    may call its methods, and that must be the main thread; handlers of signals are set after it is made, since Ray sets its own.

    address: 'local' for a cluster of this machine that ends with this process, 'auto' for one that runs here, or host:port of a cluster
    that has a node here. slots: None for one per `threads` processors of the cluster. gpu: the share of a GPU that a slot has, and each of
    its runs at least; None: all slots share the GPUs, MOST_SLOTS each, and a run has what it needs (`find_share`). As many slots as fit the
    cluster's GPUs have one, the others none. cuda jobs go to the first, cpu jobs to the others if one is idle; runs on one GPU have at most
    all of it together, and who finds no room waits, before others that want a GPU. target, catalog, threads, memory_mb, private: as of
    `LocalExecutor`, on the actor's machine.

    A slot counts once its machine has NUMERICS and the versions of this one, and the datasets and methods of the slot that was first.
    Raises BadInput where there is no Ray or no cluster.
    """

    can_preview = previews = False

    def __init__(
        self,
        address: str = "local",
        slots: int | None = None,
        *,
        target: str = "engine.runner.execute:run",
        catalog: str = "engine.catalog:build_catalog",
        threads: int = 1,
        memory_mb: int | None = None,
        private: str = "engine.executors.private:steps",
        gpu: float | None = None,
    ) -> None:
        self.lost = ""
        """Why the cluster as a whole is gone, in one sentence: nothing can be started any more. '' while it is there."""
        self._stopped = threading.Event()
        self._messages: queue.SimpleQueue[tuple[_Slot | None, _Run | None, str, Any]] = queue.SimpleQueue()
        self._ray, self._folder = connect_ray(address, max(os.cpu_count() or 1, (slots or 1) * threads))
        head = self._ray.get_runtime_context().gcs_address
        watch_head(head, self._stopped, lambda: self._messages.put((None, None, "headless", "")))
        there = self._ray.cluster_resources()
        count = slots or max(1, int(there.get("CPU", 1)) // threads)
        cards = int(there.get("GPU", 0))
        self._least = gpu
        if gpu is None:  # Ray counts in parts of 10,000
            gpu = 10_000 // min(MOST_SLOTS, -(-count // max(1, cards))) / 10_000
        with_gpu = min(count, int(there.get("GPU", 0) / gpu + 1e-9))
        self._threads = threads
        self._arguments = (target, catalog, private, threads, memory_mb)
        self._remote = self._ray.remote(max_restarts=0, max_task_retries=0, concurrency_groups={"control": 1})(SlotActor)
        self._troubles: dict[int, str] = {}
        self._failures = 0
        self._reference: dict[str, Any] | None = None
        self._published: dict[str, Any] | None = None
        self._catalogs: dict[int, dict[str, Any]] = {}
        self._held: deque[Work] = deque()
        self._ended: list[ExecutorEvent] = []
        self._waiting: list[tuple[float, int, float]] = []
        self._readers: list[threading.Thread] = []
        self._slots: list[_Slot] = []
        self.count = count
        for number in range(1, count + 1):
            self._make(number, gpu if number <= with_gpu else 0.0)

    # ---- the verbs of executors

    @property
    def troubles(self) -> list[str]:
        """Why slots are not ready, a sentence each; of those that may still become so none."""
        return [self.lost] if self.lost else [self._troubles[number] for number in sorted(self._troubles)]

    @property
    def trouble(self) -> str:
        """The first of `troubles`, '' where there is none."""
        return next(iter(self.troubles), "")

    @property
    def idle(self) -> int:
        """Number of the workers that can be given a job now."""
        return max(0, len(self._free()) - len(self._held))

    @property
    def rooms(self) -> tuple[Room, ...]:
        """Its slots, which take public jobs."""
        return (Room(self.count, self.idle, private=False),)

    @property
    def ready(self) -> int:
        """Number of the workers that have started, busy or idle."""
        return sum(slot.ready for slot in self._slots)

    @property
    def pids(self) -> list[int]:
        """Process ids of the actors and workers that are on this machine."""
        return [pid for slot in self._slots if slot.here for pid in slot.pids]

    @property
    def touched(self) -> set[str]:
        """Ids of uploads that the workers received: none."""
        return set()

    def forget(self, upload: str) -> None:
        """Nothing: no worker of a cluster received an upload."""

    def list_phases(self, *, idle: bool) -> set[str]:
        """As of `LocalExecutor`."""
        return {phase for slot in self._slots if (slot.run is None) == idle for phase in slot.phases}

    def start(self, work: Work) -> bool:
        """Gives a public job to an idle worker. False if there is none, and for any private job.

        A cuda job waits here for a slot with a GPU, where the cluster has one.
        """
        if not is_public(work) or not self.idle:
            return False
        if not self._place(work, behind=any(map(_wants_gpu, self._held))):
            self._held.append(work)
        return True

    def cancel(self, key: Key) -> None:
        """As of `LocalExecutor`. An actor that does not answer is killed a little later."""
        for work in [work for work in self._held if work.key == key]:
            self._held.remove(work)
            self._ended.append(WorkFinished(key, "cancelled", CANCELLED))
        for slot in self._slots:
            if slot.run is not None and slot.run.work.key == key and slot.run.kill_at == float("inf"):
                slot.run.kill_at = time.monotonic() + GRACE + MARGIN
                slot.actor.cancel.options(concurrency_group="control").remote(*key)

    def drop(self, key: Key) -> None:
        """Kills the run now. `poll` returns nothing more of it."""
        self._held = deque(work for work in self._held if work.key != key)
        for slot in list(self._slots):
            if slot.run is not None and slot.run.work.key == key:
                self._replace(slot)

    def poll(self, timeout: float) -> list[ExecutorEvent]:
        """What happened, in order. Waits at most `timeout` seconds for the first event."""
        happened = self._overdue()
        try:
            message = self._messages.get(timeout=0 if happened else timeout)
            while True:
                happened += self._handle_message(*message)
                message = self._messages.get_nowait()
        except queue.Empty:
            pass
        behind = False
        for work in list(self._held):
            if self._place(work, behind=behind):
                self._held.remove(work)
            else:
                behind = behind or _wants_gpu(work)
        return happened + self._overdue()

    def wake(self) -> None:
        """Lets `poll` return now. Any thread may call this."""
        self._messages.put((None, None, "woken", None))

    def stop(self) -> None:
        """Ends all workers and leaves the cluster; one that this process started ends. Nothing can be started afterwards."""
        self._stopped.set()
        slots, self._slots, self._waiting = self._slots, [], []
        self._held.clear()
        for slot in slots:
            self._kill(slot)
        if not self.lost:  # without a head all would wait for it; what is left ends with this process
            end = time.monotonic() + 2
            for reader in self._readers:
                reader.join(max(0.0, end - time.monotonic()))  # one that waits for a frozen machine ends with this process
            self._ray.shutdown()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    # ---- actors

    def _make(self, number: int, gpus: float) -> None:
        environment = {name: os.environ[name] for name in TRAVELS if name in os.environ} | {"LAB_THREADS": str(self._threads)}
        if gpus:
            environment["LAB_DEVICE_SHARE"] = str(max(1, int(DEVICE_SHARE * min(1.0, gpus))))
        else:
            environment["CUDA_VISIBLE_DEVICES"] = ""
        actor = self._remote.options(num_cpus=self._threads, num_gpus=gpus).remote(*self._arguments, environment)
        slot = _Slot(number, gpus, actor, time.monotonic())
        self._slots.append(slot)
        self._read(self._introduce, slot)

    def _read(self, read: Any, *arguments: Any) -> None:
        self._readers = [reader for reader in self._readers if reader.is_alive()]
        self._readers.append(threading.Thread(target=read, args=arguments, daemon=True, name="reader"))
        self._readers[-1].start()

    def _introduce(self, slot: _Slot) -> None:
        """Puts what a new actor says of itself in the queue. In its own thread, as it may wait for a place for long."""
        try:
            place = self._ray.get(slot.actor.locate.options(concurrency_group="control").remote())
            self._messages.put((slot, None, "placed", place))
            self._messages.put((slot, None, "described", self._ray.get(slot.actor.describe.remote())))
        except Exception as error:
            self._messages.put((slot, None, "gone", type(error).__name__))

    def _ask(self, slot: _Slot) -> None:
        """Asks an idle actor whether it lives. The answer comes on a thread of Ray's."""

        def note(answer: Future[None]) -> None:
            if (error := answer.exception()) is None:
                slot.heard, slot.asked = time.monotonic(), None
            else:
                self._messages.put((slot, None, "gone", type(error).__name__))

        slot.asked = time.monotonic()
        slot.actor.ping.options(concurrency_group="control").remote().future().add_done_callback(note)

    def _follow(self, slot: _Slot, run: _Run, items: Any) -> None:
        """Puts what an actor says of a run in the queue. In its own thread, since reading blocks."""
        try:
            for reference in items:
                item = self._ray.get(reference)
                run.heard = time.monotonic()  # here, since the executor's thread may be busy elsewhere for long
                self._messages.put((slot, run, "item", item))
            self._messages.put((slot, run, "broke", "it ended without a word"))
        except self._ray.exceptions.RayTaskError as error:
            self._messages.put((slot, run, "broke", type(error).__name__))
        except Exception as error:
            self._messages.put((slot, run, "gone", type(error).__name__))

    # ---- one slot

    def _free(self) -> list[_Slot]:
        return [slot for slot in self._slots if slot.ready and slot.run is None]

    def _place(self, work: Work, *, behind: bool) -> bool:
        """Gives a job to an idle worker that fits it. False if there is none now. behind: another waits for a GPU, so it gets none."""
        free, wants_gpu = self._free(), _wants_gpu(work)
        if work.device == "cuda" and any(slot.gpus for slot in self._slots):
            free = [slot for slot in free if slot.gpus]
        if wants_gpu:
            free = [slot for slot in free if not slot.gpus or (not behind and self._has_room(slot, work))]
        if not free:
            return False
        slot = min(free, key=lambda slot: (bool(slot.gpus) != wants_gpu, slot.shaky, work.phase not in slot.phases))
        share = self._find_share(slot, work) if slot.gpus and wants_gpu else 0.0
        if share:
            work = replace(work, device_share=max(1, int(DEVICE_SHARE * share)))
        if work.phase and work.phase not in slot.phases:
            slot.phases.append(work.phase)
        now = time.monotonic()
        slot.run = _Run(work, now + (float("inf") if work.timeout_s is None else work.timeout_s + MARGIN), now, share=share)
        self._read(self._follow, slot, slot.run, slot.actor.run.options(num_returns="streaming").remote(pack_work(work)))
        return True

    def _find_share(self, slot: _Slot, work: Work) -> float:
        return find_share(work, self._catalogs.get(slot.number, {}), self._least)

    def _has_room(self, slot: _Slot, work: Work) -> bool:
        """Whether the GPU of a slot has room for a job beside the runs that are on it."""
        used = sum(other.run.share for other in self._slots if other.run is not None and other.card == slot.card)
        return used + self._find_share(slot, work) <= 1 + 1e-9

    def _handle_message(self, slot: _Slot | None, run: _Run | None, kind: str, value: Any) -> list[ExecutorEvent]:
        if slot is None:
            return self._lose_head() if kind == "headless" else []
        if slot not in self._slots or (run is not slot.run and run is not None):
            return []  # a replaced actor's messages, and what comes after a run's end, do not count
        if kind == "gone":
            return self._lose(slot, value)
        if kind == "broke":
            return self._break(slot, value)
        try:
            if kind == "item":
                assert run is not None
                return self._handle_item(slot, run, unpack_item(value))
            return self._check_place(slot, value) if kind == "placed" else self._check_worker(slot, value)
        except (ValueError, TypeError, KeyError, AttributeError):
            return self._break(slot, "a message of another form")

    def _handle_item(self, slot: _Slot, run: _Run, item: Any) -> list[ExecutorEvent]:
        if isinstance(item, list):
            slot.pids = item
            return []
        if item.key != run.work.key:
            return self._break(slot, "a message of another run")
        if isinstance(item, WorkerEvents):
            run.begun = True
        elif isinstance(item, WorkReturned):  # its worker ended before it began, and may not start again
            self._refuse(slot, NOT_STARTING.format(slot=slot.number))
        else:
            slot.run, slot.shaky = None, item.state != "done"
            slot.heard, slot.asked = time.monotonic(), None
        return [item]

    def _check_place(self, slot: _Slot, place: Any) -> list[ExecutorEvent]:
        host, pid, text, card = place
        slot.placed, slot.host, slot.here, slot.pids = True, str(host), host == socket.gethostname(), [int(pid)]
        slot.card = f"{host} {card}" if slot.gpus else ""
        self._troubles.pop(slot.number, None)
        other = find_other_version(slot.number, text)
        return self._refuse(slot, other) if other else []

    def _check_worker(self, slot: _Slot, answer: Any) -> list[ExecutorEvent]:
        text, trouble = answer
        if trouble:
            log.error("slot %d on %s: %s", slot.number, slot.host, trouble)
            return self._refuse(slot, NOT_STARTING.format(slot=slot.number))
        catalog = json.loads(text)
        if other := find_other_parts(slot.number, self._reference or catalog, catalog):
            return self._refuse(slot, other)
        slot.ready, slot.heard, self._failures = True, time.monotonic(), 0
        log.info("slot %d is ready on %s", slot.number, slot.host)
        self._troubles.pop(slot.number, None)
        self._reference = self._reference or catalog
        self._catalogs[slot.number] = catalog
        whole = merge_devices([self._reference, *self._catalogs.values()])
        if whole == self._published:
            return []
        self._published = whole
        return [CatalogReceived(whole)]

    def _refuse(self, slot: _Slot, trouble: str) -> list[ExecutorEvent]:
        """Ends an actor that cannot be used. Another is tried later, which may come to another machine."""
        log.error("slot %d on %s: %s", slot.number, slot.host or "no machine", trouble)
        self._failures += 1
        self._troubles[slot.number] = trouble
        self._replace(slot, pause=min(SLOWEST_RETRY, 2.0 ** (self._failures - 1)))
        return []

    def _lose(self, slot: _Slot, why: str) -> list[ExecutorEvent]:
        """Ends an actor whose machine or process is gone, or silent. It is killed in any case: its run may still be going on."""
        log.warning("slot %d on %s is lost: %s", slot.number, slot.host, why)
        run = slot.run
        if not slot.ready:
            return self._refuse(slot, NOT_STARTING.format(slot=slot.number))
        self._replace(slot)
        return [] if run is None else [_end_lost(run)]

    def _lose_head(self) -> list[ExecutorEvent]:
        """Ends all slots: their runs may still be going on, and nothing can be asked of them any more."""
        self.lost = HEAD_LOST
        log.error(self.lost)
        sys.excepthook = sys.__excepthook__  # Ray's tells the head of the error, and would wait for it
        ended = [_end_lost(slot.run) for slot in self._slots if slot.run is not None]
        ended += [WorkReturned(work.key) for work in self._held]
        self._slots, self._waiting = [], []
        self._held.clear()
        return ended

    def _break(self, slot: _Slot, why: str) -> list[ExecutorEvent]:
        """Ends an actor that raised an error or said something that it never says."""
        log.error("slot %d on %s broke: %s", slot.number, slot.host, why)
        if not slot.ready:
            return self._refuse(slot, NOT_STARTING.format(slot=slot.number))
        run = slot.run
        self._replace(slot)
        return [] if run is None else [WorkFinished(run.work.key, "failed", BROKE)]

    def _overdue(self) -> list[ExecutorEvent]:
        """Ends runs that did not stop in time and actors that are silent, and makes the replacements that are due."""
        now = time.monotonic()
        ended, self._ended = self._ended, []
        for slot in list(self._slots):
            if not slot.placed and now - slot.made > NO_ROOM_AFTER and slot.number not in self._troubles:
                self._troubles[slot.number] = NO_ROOM.format(slot=slot.number)
                log.warning(self._troubles[slot.number])
            run = slot.run
            if run is None:
                if slot.ready and slot.asked is None and now - slot.heard >= PING:
                    self._ask(slot)
                elif (asked := slot.asked) is not None and now - asked > SILENCE:
                    ended += self._lose(slot, f"idle and silent for {SILENCE:g} s")
                continue
            if now >= run.kill_at:
                ended.append(WorkFinished(run.work.key, "cancelled", CANCELLED))
                self._replace(slot)
            elif now >= run.deadline:
                ended.append(WorkFinished(run.work.key, "failed", f"Stopped at its time limit of {run.work.timeout_s:g} s."))
                self._replace(slot)
            elif now - run.heard > SILENCE:
                ended += self._lose(slot, f"silent for {SILENCE:g} s")
        while self._waiting and now >= self._waiting[0][0]:
            self._make(*self._waiting.pop(0)[1:])
        return ended

    def _replace(self, slot: _Slot, pause: float = 0.0) -> None:
        self._kill(slot)
        self._slots.remove(slot)
        self._catalogs.pop(slot.number, None)
        if pause:
            self._waiting.append((time.monotonic() + pause, slot.number, slot.gpus))
            self._waiting.sort()
        else:
            self._make(slot.number, slot.gpus)

    def _kill(self, slot: _Slot) -> None:
        try:
            self._ray.kill(slot.actor, no_restart=True)
        except Exception as error:
            log.warning("slot %d on %s could not be ended: %s", slot.number, slot.host, type(error).__name__)


def _wants_gpu(work: Work) -> bool:
    return work.device != "cpu"


def _end_lost(run: _Run) -> ExecutorEvent:
    """What becomes of a run whose actor is lost."""
    if run.kill_at != float("inf"):
        return WorkFinished(run.work.key, "cancelled", CANCELLED)
    return WorkLost(run.work.key) if run.begun else WorkReturned(run.work.key)
