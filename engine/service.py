"""The engine process: claims jobs, sends them to worker processes, writes their events and results to the store.

The main thread runs the loop. A second thread writes the heartbeat only, so that a slow write does not make a running engine
look dead. The store alone decides what this engine runs. A job that the store no longer lists for this engine (cancelled and
queued again, deleted, or marked as interrupted while this machine was suspended) is dropped, and nothing more is written for
it.

While the store is full or locked, what workers send waits here, and goes in few transactions as soon as it can. What does not fit
on a disk that still takes a sentence ends its own job alone. A store whose file was deleted or replaced (`Store.generation`) is
not waited for: what runs ends, and the file that is there now is this engine's store.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Any

from engine import system
from engine.errors import BadInput, ClusterLost, StoreError, StoreFull, StoreLocked
from engine.executors import CatalogReceived, ExecutorEvent, Key, WorkerEvents, WorkLost, WorkReturned
from engine.executors.local import LocalExecutor
from engine.executors.work import explain_lack, make_work
from engine.memory import default_limit, device_share
from engine.operate import logs
from engine.operate.tally import Tally
from engine.settings import read_setting
from engine.spec import RunSpec
from engine.spec.companions import name_first_phase
from engine.spec.run import canonical_json
from engine.store import EngineInfo, Job, Store
from engine.store.abilities import Abilities, Taker
from engine.store.catalogs import name_catalog
from engine.store.database import ENGINES_TOPIC, OF_AN_ENGINE
from engine.store.events import Batch
from engine.store.jobs import CANCELLED, INTERRUPTED, LOST_MOST, PREVIEW, PRIORITY_SWEEP
from engine.version import NUMERICS, read_version

if TYPE_CHECKING:
    from engine.executors.ray_cluster import RayExecutor
    from engine.executors.split import SplitExecutor

    Executor = LocalExecutor | SplitExecutor

TICK = 0.05
"""Seconds that one turn of the loop waits for worker events."""
QUICK_TICK, QUICK_FOR = 0.01, 3.0
"""The same for so many seconds after a preview began: the next one is asked for soon."""
LONG_TICK, STIRRED = 0.5, 1.0
"""The same where the store tells when there is something to do; for STIRRED seconds after a notification or a message of a worker it is
TICK again, since others may hold what is queued."""
BEAT = 1.0
"""Seconds between two heartbeats."""
STUCK = 30.0
"""Seconds after which a loop turn counts as stuck. The heartbeat stops then, so that the engine no longer counts as alive."""
PRIVATE_MB = 4096
"""Default MiB that work on an uploaded table may use beyond the idle worker."""
LOST = (
    f"The machine that ran this was lost, and so were those of the {LOST_MOST} attempts after it. Run it again to start over."
)
NO_ROOM = "What the run made could not be stored: {why}"
REPLACED = "The store was deleted or replaced while this was running. Run it again to start over."
ELSEWHERE = 2.0
"""Seconds that an interactive job has to start on an engine with a free slot, before a full one stops a cell for it."""
PATIENCE = 60.0
"""Seconds of failing store calls after which the engine stops, unless the store is full or locked."""
TROUBLES = 20
"""Sentences on slots that are not ready, in a heartbeat."""
AT_ONCE = 1000
"""Messages of workers that one transaction writes at most."""

log = logging.getLogger(__name__)


def serve(
    store_url: str | None = None,
    *,
    slots: int | None = None,
    target: str = "engine.runner.execute:run",
    catalog: str = "engine.catalog:build_catalog",
    prepare: str | None = "engine.embed.job:compile_library",
    private: str = "engine.executors.private:steps",
) -> None:
    """Runs the engine of a store until SIGTERM or SIGINT, then marks running jobs as interrupted and returns.

    With LAB_DRAIN_SECONDS, the first SIGTERM lets what runs end for so many seconds; a second SIGTERM, or SIGINT, stops at once. What has
    not ended by then is queued anew. An engine that the store asks to end (`Store.drain`) waits so long too, without a limit by default.

    store_url: default as in `Store`. slots: jobs at a time (LAB_SLOTS, else 2). LAB_THREADS: CPU threads of a run (default 1,
    see `engine.runner.execute`). LAB_WORKER_MEMORY: MiB of resident memory that a run may use beyond its idle worker (default: the
    worker's share of the machine, `engine.memory.default_limit`). LAB_PRIVATE_MEMORY: the same for work on uploaded tables (default
    PRIVATE_MB). LAB_DEVICE_SHARE: percent of a GPU's memory for each worker (default `engine.memory.device_share`). LAB_PREVIEW=0: no
    previews. LAB_GRAPH=0: no step is recorded (`engine.training.graph`). LAB_FORGET_AFTER: see `engine.store.uploads`. LAB_LOG: see
    `engine.operate.logs`. LAB_METRICS: where it reports to Prometheus (`engine.operate.metrics`), by default nowhere. LAB_EXECUTOR:
    local (the default), or ray, ray:auto or ray://HOST:PORT, for public jobs on a Ray cluster (docs/ray.md). Raises StoreError, and
    BadInput for an invalid setting. Must be called on the main thread.
    """
    logs.configure_logs()
    private_mb = read_setting("LAB_PRIVATE_MEMORY", PRIVATE_MB)
    system.refuse_core_dumps()  # one would hold private tables
    patience = read_setting("LAB_DRAIN_SECONDS", 0)
    stopping, draining = threading.Event(), threading.Event()

    def handle_stops() -> None:
        system.on_stop(stopping.set)
        if patience:
            system.on_terminate(lambda: stopping.set() if draining.is_set() else draining.set())

    handle_stops()
    store = Store(store_url, OF_AN_ENGINE)
    executor = make_executor(slots, target=target, catalog=catalog, prepare=prepare, private=private)
    handle_stops()  # again: Ray sets handlers of its own
    slots = sum(room.slots for room in executor.rooms)
    engine = Engine(store, executor, slots, private_mb=private_mb)
    stop_metrics = None
    try:
        stop_metrics = engine.report_metrics(os.environ.get("LAB_METRICS", ""))
        engine.work(stopping, draining, patience)
    finally:
        engine.stop()
        if stop_metrics is not None:
            stop_metrics()
        store.close()


def make_executor(slots: int | None, *, target: str, catalog: str, prepare: str | None, private: str) -> Executor:
    """The executor that LAB_EXECUTOR names; see `serve` for its settings. slots: of a cluster, those for public jobs. Raises BadInput."""
    where = os.environ.get("LAB_EXECUTOR", "") or "local"
    threads = read_setting("LAB_THREADS", 1)
    memory_mb = read_setting("LAB_WORKER_MEMORY", 0) or None
    functions = {"target": target, "catalog": catalog, "private": private}
    cluster: RayExecutor | None = None
    if where == "local":
        slots = slots or read_setting("LAB_SLOTS", 2)
    else:
        from engine.executors.ray_cluster import connect_cluster

        cluster = connect_cluster(where, slots or read_setting("LAB_SLOTS", 0) or None, **functions)
        slots = read_setting("LAB_PRIVATE_SLOTS", 1)
    os.environ.setdefault("LAB_DEVICE_SHARE", str(device_share(slots)))  # read in the workers: see engine.devices
    local = LocalExecutor(
        slots,
        threads=threads,
        memory_mb=memory_mb or default_limit(slots),
        prepare=prepare,
        previews=os.environ.get("LAB_PREVIEW", "") != "0",
        **functions,
    )
    if cluster is None:
        return local
    from engine.executors.split import SplitExecutor

    return SplitExecutor(cluster, local)


class Engine:
    """One engine: a store, an executor, and the executor's events that are not yet written."""

    def __init__(self, store: Store, executor: Executor, slots: int, private_mb: int = PRIVATE_MB) -> None:
        self.id = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self.store, self.executor, self.slots = store, executor, slots
        self._pending: deque[ExecutorEvent] = deque()
        self._running: dict[Key, Job] = {}
        self._said: dict[Key, int] = {}  # events of each that the store has
        self._yielding: set[Key] = set()
        self._asked: dict[Key, tuple[str, float]] = {}  # who asked for what runs, and since when it does (monotonic)
        self._spent: list[tuple[str, float]] = []  # seconds of people, to be written
        self._pids: list[int] = []
        self._started = time.time()
        self._turned = time.monotonic()
        self._previewed = float("-inf")
        self._stirred = float("-inf")  # when it last heard of the store or of a worker (monotonic)
        self._refused: float | None = None
        self._is_unsure = False  # whether an answer of the store may have been lost
        self._generation = store.generation
        self._catalog: dict[str, Any] | None = None
        self._digest = ""
        self._described = store.catalog()  # an earlier engine's, until a worker sends this one's
        self._private_mb = private_mb
        self._elsewhere: list[Taker] = []  # other engines that take jobs
        self._is_free_elsewhere = False
        self._drains: float | None = None  # since when it takes nothing new (monotonic)
        self._hands_back = False  # whether what still runs when it stops is queued anew
        self._able = Abilities.from_catalog(None)
        self._is_alone = store.database.on_this_machine
        self._tally = Tally()
        self._end = threading.Event()
        logs.name_engine(self.id)
        self.store.record_heartbeat(self._info())  # a job claimed by an engine without a heartbeat is an orphan
        self._heart = threading.Thread(target=self._beat, daemon=True, name="heartbeat")
        self._heart.start()
        self._unsubscribe = store.database.subscribe(ENGINES_TOPIC, self._hear)

    def work(self, stopping: threading.Event, draining: threading.Event | None = None, patience: float = 0.0) -> None:
        """Runs the loop until `stopping` is set, or the engine is drained: asked to by `draining` or the store, it takes nothing new and
        returns when nothing runs any more, or after `patience` seconds (0: no limit). Raises StoreError if store calls have failed for
        PATIENCE seconds, and ClusterLost where its cluster is gone: what ran is queued anew.
        """
        log.info("engine %s: %d slots, store %s", self.id, self.slots, self.store.database.place)
        looked = float("-inf")
        while not stopping.is_set():
            self._turned = time.monotonic()
            if draining is not None and draining.is_set():
                self._drain()
            if self._drains is not None and self._is_drained(patience):
                break
            self._pending += self.executor.poll(self._tick)
            self._stirred = time.monotonic() if self._pending else self._stirred
            self._pids = self.executor.pids
            try:
                if self.store.generation != self._generation:
                    self._start_over()
                self._write()
                if self.executor.lost:
                    self._hands_back = True  # what runs on this machine ends with the engine too
                    raise ClusterLost(self.executor.lost)
                self._write_spent()
                self._release_unknown()
                self._apply_cancellations()
                if time.monotonic() - looked >= BEAT:
                    looked = time.monotonic()
                    self.store.record_heartbeat(self._info())  # first, or after a long stop its own runs would be orphans
                    self._look_around()
                    for id in self.store.interrupt_orphans():
                        log.info("run %s was taken from an engine that is gone", id, extra={"job": id})
                    self.store.sweep_previews()
                    gone = self.store.expire()
                    if gone.tables or gone.jobs:
                        log.info("forgot %d tables and %d jobs whose owners are silent", gone.tables, gone.jobs)
                self._forget()
                if self._drains is None:
                    self._yield_to_urgent()
                    self._claim()
            except StoreError as error:
                self._wait_for_store(error)
            else:
                self._refused = None

    @property
    def _tick(self) -> float:
        """Seconds that this turn waits for workers."""
        if self._turned - self._previewed < QUICK_FOR:
            return QUICK_TICK
        return LONG_TICK if self.store.database.hears and self._turned - self._stirred > STIRRED else TICK

    def _hear(self, _: str) -> None:
        self._stirred = time.monotonic()
        self.executor.wake()

    def _drain(self) -> None:
        """Takes nothing new from now on."""
        if self._drains is None:
            self._drains, self._hands_back = time.monotonic(), True
            log.info("engine %s takes nothing new: %d runs end first", self.id, len(self._running))

    def _is_drained(self, patience: float) -> bool:
        """Whether a draining engine is to stop: nothing runs and all is written, or it has waited long enough."""
        assert self._drains is not None
        if not self._running and not self._pending:
            return True
        return bool(patience) and time.monotonic() - self._drains >= patience

    def stop(self) -> None:
        """Ends the workers, marks running jobs as interrupted, removes this engine from the store and empties the store's log.

        One that drains queues them anew: somebody replaces it on purpose, and what it runs did not end it.
        """
        self._end.set()
        self._unsubscribe()
        self._pending += self.executor.poll(0)
        self.executor.stop()
        self._heart.join()
        try:
            self._write()
            for id, attempt in self._running:
                if self._hands_back and not id.startswith(PREVIEW) and self.store.requeue(id, attempt=attempt):
                    log.info("run %s begins again elsewhere", id, extra={"job": id, "attempt": attempt})
                self.store.finish(id, "interrupted", INTERRUPTED, attempt=attempt)
                self._count_spent((id, attempt))
            self._write_spent()
            self.store.retire(self.id)
            self.store.database.empty_log()
        except StoreError as error:
            log.error("%s What was running will be marked by the next engine.", error)
        log.info("engine %s stopped", self.id)

    def report_metrics(self, place: str) -> Callable[[], None] | None:
        """Reports to Prometheus at the place that LAB_METRICS names, nowhere where that is empty; returns what ends it. Raises BadInput."""
        if not place:
            return None
        from engine.operate import metrics  # takes a tenth of a second

        def look() -> metrics.EngineState:
            now = self._info()
            turned = time.monotonic() - self._turned
            return metrics.EngineState(now.slots, now.ready, now.busy, now.memory_mb, turned, len(self._pending))

        own = metrics.EngineCollector(look, self._tally)
        return metrics.serve_metrics(metrics.make_registry(own, metrics.StoreCollector(lambda: self.store)), place)

    # ---- one turn of the loop

    def _write(self) -> None:
        """Writes pending events to the store in order. Those that the store refuses stay for the next turn."""
        while self._pending:
            batch = list(takewhile(lambda news: isinstance(news, WorkerEvents), islice(self._pending, AT_ONCE)))
            if batch:
                self._write_events([news for news in batch if isinstance(news, WorkerEvents)])
                continue
            self._write_one(self._pending[0])
            self._pending.popleft()

    def _write_events(self, batch: list[WorkerEvents]) -> None:
        """Writes events of several runs, the first of `_pending`, in one transaction; each run's in its own if they do not fit."""
        runs: dict[Key, list[tuple[str, str, bytes | None]]] = {}
        for news in batch:
            runs.setdefault(news.key, []).extend(news.events)
        numbered: list[Batch] = [(*key, events, self._said.get(key, 0) + 1) for key, events in runs.items()]
        try:
            stored = dict(zip(runs, self.store.append_all(numbered), strict=True))
            self._remove(batch)
        except StoreFull:
            stored = {}
            for key, events in runs.items():
                stored[key] = self._write_or_fail(key, events)
                self._remove([news for news in batch if news.key == key])
        self._tally.count_events(sum(len(runs[key]) for key, is_stored in stored.items() if is_stored))
        for key, is_stored in stored.items():
            if is_stored:
                self._said[key] = self._said.get(key, 0) + len(runs[key])
            else:
                self._drop(key)

    def _remove(self, written: list[WorkerEvents]) -> None:
        numbers = set(map(id, written))
        self._pending = deque(news for news in self._pending if id(news) not in numbers)

    def _write_or_fail(self, key: Key, events: list[tuple[str, str, bytes | None]]) -> bool:
        """Writes the events of one run, or its failure where they do not fit. Raises StoreFull where that does not fit either."""
        try:
            return self.store.append(key[0], events, attempt=key[1], first=self._said.get(key, 0) + 1)
        except StoreFull as error:
            self.store.finish(key[0], "failed", NO_ROOM.format(why=error), attempt=key[1])
            return False

    def _write_one(self, news: ExecutorEvent) -> None:
        if isinstance(news, CatalogReceived):
            self._catalog = self._described = news.catalog
            self._able = Abilities.from_catalog(news.catalog)
            self._digest = name_catalog(news.catalog)
            self.store.publish_catalog(news.catalog)
            self.store.publish_abilities(self.id, self._able)
            return
        assert not isinstance(news, WorkerEvents)
        id, attempt = news.key
        if isinstance(news, WorkReturned):
            self.store.release(id, attempt=attempt)
        elif isinstance(news, WorkLost):
            self._queue_anew(id, attempt)
        elif id.startswith(PREVIEW):
            self.store.end_preview(id, news.state, news.reason, news.result[0] if news.result else None, attempt=attempt)
        elif news.state == "cancelled" and news.key in self._yielding and self.store.requeue(id, attempt=attempt):
            log.info("run %s made way for one that somebody waits for", id, extra={"job": id, "attempt": attempt})
        elif news.result is not None:
            self._save_or_fail(news.key, news.result, news.artifacts)
        else:
            self.store.finish(id, news.state, news.reason, attempt=attempt)
        self._said.pop(news.key, None)
        job = self._running.pop(news.key, None)
        self._yielding.discard(news.key)
        self._count_spent(news.key)
        if job is not None:
            self._note_end(job, "released" if isinstance(news, WorkReturned | WorkLost) else news.state)

    def _count_spent(self, key: Key) -> None:
        """Note the seconds that a job took, for who asked for it, however it ended."""
        if (asked := self._asked.pop(key, None)) is not None:
            self._spent.append((asked[0], time.monotonic() - asked[1]))

    def _write_spent(self) -> None:
        while self._spent:
            self.store.record_spent(*self._spent[0])
            self._spent.pop(0)

    def _note_end(self, job: Job, state: str) -> None:
        """Counts and logs that a job ended here."""
        self._tally.count_end(job.kind, state, time.time() - (job.started or time.time()))
        log.debug("%s %s ended: %s", job.kind, job.id, state, extra={"job": job.id, "attempt": job.attempt})

    def _queue_anew(self, id: str, attempt: int) -> None:
        """Queues a job whose machine was lost, LOST_MOST times; then it has failed."""
        if self.store.requeue(id, attempt=attempt, lost=True):
            log.warning("run %s begins again: its machine was lost", id, extra={"job": id, "attempt": attempt})
        elif self.store.list_running(self.id).get(id) == (attempt, True):
            self.store.finish(id, "cancelled", CANCELLED, attempt=attempt)
        else:
            self.store.finish(id, "failed", LOST, attempt=attempt)

    def _save_or_fail(self, key: Key, result: tuple[str, bytes], artifacts: dict[str, bytes]) -> None:
        """Stores a result, or the job's failure where it does not fit. Raises StoreFull where that does not fit either."""
        try:
            self.store.save_result(key[0], result, artifacts, attempt=key[1])
        except StoreFull as error:
            log.error("the result of %s: %s", key[0], error, extra={"job": key[0], "attempt": key[1]})
            self.store.finish(key[0], "failed", NO_ROOM.format(why=error), attempt=key[1])

    def _start_over(self) -> None:
        """Ends what runs, since its store is gone, and begins with the one that is there now, maybe a copy with runs of its own."""
        generation = self.store.generation
        log.error("the store %s was deleted or replaced: %d runs end", self.store.database.place, len(self._running))
        for key in list(self._running):
            self._drop(key)
        self._pending = deque(news for news in self._pending if isinstance(news, CatalogReceived))
        self.store.record_heartbeat(self._info())
        for id, (attempt, _) in self.store.list_running(self.id).items():
            self.store.finish(id, "interrupted", REPLACED, attempt=attempt)
        if self._catalog is not None:
            self.store.publish_catalog(self._catalog)
            self.store.publish_abilities(self.id, self._able)
        self._generation = generation

    def _release_unknown(self) -> None:
        """Gives back, after an error, jobs that this engine has taken according to the store and does not know of."""
        if self._is_unsure:
            for id, (attempt, _) in self.store.list_running(self.id).items():
                if (id, attempt) not in self._running:
                    self.store.release(id, attempt=attempt)
            self._is_unsure = False

    def _apply_cancellations(self) -> None:
        """Cancels runs that the store marks and drops runs that it no longer lists."""
        if not self._running:
            return
        held = self.store.list_running(self.id)
        for key in list(self._running):
            attempt, cancel = held.get(key[0], (0, False))
            if attempt != key[1]:
                self._drop(key)
            elif cancel:
                self.executor.cancel(key)

    def _forget(self) -> None:
        """Ends the workers that hold data of a deleted table."""
        if touched := self.executor.touched:
            for upload in touched - self.store.list_existing(touched):
                for key, job in list(self._running.items()):
                    if upload in (job.upload, job.spec.get("origin")):
                        self._drop(key)
                self.executor.forget(upload)

    def _drop(self, key: Key) -> None:
        self._said.pop(key, None)
        self._yielding.discard(key)
        self._count_spent(key)
        if self._running.pop(key, None) is not None:
            log.info("run %s is no longer this engine's", key[0], extra={"job": key[0], "attempt": key[1]})
            self.executor.drop(key)

    def _yield_to_urgent(self) -> None:
        """Stops one running sweep cell if all slots are taken and an interactive job is queued; `_write_one` queues the cell
        again.

        It is cancelled like any run, so the worker stays warm and is free within a second. One cell at a time.
        """
        if self._yielding:
            return
        for room in self.executor.rooms:
            jobs = {key: job for key, job in self._running.items() if job.kind != PREVIEW and room.takes(job.owner is not None)}
            if len(jobs) < room.slots:
                continue
            for key, job in jobs.items():
                if job.priority >= PRIORITY_SWEEP and self._should_yield(key, room.private):
                    self._yielding.add(key)
                    self.executor.cancel(key)
                    return

    @property
    def _busy(self) -> int:
        """Number of the slots in use."""
        return sum(job.kind != PREVIEW for job in self._running.values())

    @property
    def _claims(self) -> Abilities:
        """What it claims jobs by: alone with a store of one machine, all of its version, so that those it cannot run say why."""
        return self._able.without_lists() if self._is_alone else self._able

    def _look_around(self) -> None:
        """Sees which other engines live."""
        others = [one for one in self.store.engines() if one.id != self.id]
        self._is_alone = not others and self.store.database.on_this_machine
        taking = [one for one in others if not one.draining]
        self._elsewhere = [one for one in self.store.list_takers() if one.id != self.id] if taking else []
        self._is_free_elsewhere = any(one.busy < one.ready for one in taking)
        if self.store.is_drained(self.id):
            self._drain()

    def _should_yield(self, key: Key, private: bool | None) -> bool:
        """Whether a running sweep cell should stop for a queued interactive job that this engine can run."""
        waited = ELSEWHERE if self._is_free_elsewhere else 0.0
        return self.store.should_yield(key[0], attempt=key[1], private=private, able=self._claims, waited=waited)

    def _claim(self) -> None:
        able = self._claims
        if self.executor.can_preview and (preview := self.store.claim(self.id, kinds=(PREVIEW,), able=able)) is not None:
            self._previewed = time.monotonic()
            self._start(preview)
        takers = [*self._elsewhere, Taker(self.id, self.slots, able)] if self._elsewhere else []
        for room in self.executor.rooms:
            for _ in range(room.idle):
                sweeps = sum(job.priority >= PRIORITY_SWEEP for job in self._running.values())
                # one slot is kept for interactive jobs, unless it is the only one: with others, one of all that can take the cell
                full = not takers and sweeps >= max(1, room.slots - 1)
                most = PRIORITY_SWEEP - 1 if full else None
                job = self.store.claim(
                    self.id, max_priority=most, choose=self._choose, private=room.private, able=able, takers=takers
                )
                if job is None or not self._start(job):
                    break

    def _choose(self, jobs: Sequence[Job]) -> Job:
        """The next job, or a run of its family: first one whose first phase an idle worker holds, last one whose first phase a busy
        worker trains or holds. A family is what is queued on the same data by the same splits, so nobody else waits longer.
        """
        if _family(jobs[0]) is None:
            return jobs[0]
        here, there = self.executor.list_phases(idle=True), self.executor.list_phases(idle=False)

        def rank(job: Job) -> int:
            phase = self._phase(job)
            return 0 if phase in here else 2 if phase in there else 1

        return min((job for job in jobs if _family(job) == _family(jobs[0])), key=rank)

    def _phase(self, job: Job) -> str:
        """`Work.phase` of a job."""
        if self._described is None or _family(job) is None:
            return ""
        try:
            return name_first_phase(RunSpec.from_json(job.spec), self._described)
        except BadInput:  # of another version, or a dataset that is gone: the run itself says so
            return ""

    def _start(self, job: Job) -> bool:
        """Starts a claimed job, or fails it. False, and the job is queued again, where no worker is idle any more."""
        work = make_work(self.store, job, phase=self._phase(job), private_mb=self._private_mb)
        if work is None and job.kind in ("run", "profile", "compare") and self.store.list_existing([str(job.upload)]):
            self.store.release(job.id, attempt=job.attempt)  # its table has another owner since it was claimed (`hand_over`)
            return True
        if work is None:
            self.store.finish(job.id, "failed", explain_lack(job), attempt=job.attempt)
            return True
        asker = None if job.kind == PREVIEW else self.store.read_asker(job.id)
        if not self.executor.start(work):
            self.store.release(job.id, attempt=job.attempt)
            return False
        if asker is not None:
            self._asked[work.key] = (asker, time.monotonic())
        self._running[work.key] = job
        log.debug("%s %s began", job.kind, job.id, extra={"job": job.id, "attempt": job.attempt})
        return True

    def _wait_for_store(self, error: StoreError) -> None:
        now = time.monotonic()
        self._is_unsure = True
        self._tally.count_refusal()
        if self._refused is None:
            self._refused = now
            log.error("%s", error)
        elif now - self._refused > PATIENCE and not isinstance(error, (StoreFull, StoreLocked)):
            raise error
        time.sleep(0.5)

    # ---- heartbeat

    def _beat(self) -> None:
        while not self._end.wait(BEAT):
            if time.monotonic() - self._turned > STUCK:
                continue
            try:
                self.store.record_heartbeat(self._info())
            except StoreError as error:
                log.warning("no heartbeat: %s", error)

    def _info(self) -> EngineInfo:
        catalog = self._catalog or {}
        return EngineInfo(
            id=self.id,
            host=socket.gethostname(),
            pid=os.getpid(),
            started=self._started,
            heartbeat=time.time(),
            device=str(catalog.get("device", "")),
            devices=list(catalog.get("devices", ())),
            slots=self.slots,
            ready=self.executor.ready,
            busy=self._busy,
            memory_mb=round(sum(map(system.memory_in_use, [os.getpid(), *self._pids])) / system.MIB, 1),
            trouble=self.executor.trouble,
            troubles=self.executor.troubles[:TROUBLES],
            previews=self.executor.previews,
            catalog=self._digest,
            version=read_version(),
            numerics=NUMERICS,
            device_memory=dict(catalog.get("device_memory", {})),
            share=int(os.environ.get("LAB_DEVICE_SHARE") or 0),
            mps=system.find_mps(),
            draining=self._drains is not None,
        )


def _family(job: Job) -> str | None:
    """Text that is equal for public runs on the same data by the same splits; None for other jobs."""
    if job.kind != "run" or job.owner is not None:
        return None
    return canonical_json({name: value for name, value in job.spec.items() if name not in ("method", "params")})
