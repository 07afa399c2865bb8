"""Warm worker processes on this machine: one spawned process, one duplex pipe and one reading thread per slot.

A slot whose process has ended is replaced at once by a new one that warms up. Slots share nothing, so one can be killed at any
moment without effect on the others. The process that owns the slots imports neither torch nor scikit-learn. It must start the
workers from its main thread, because they end with the thread that started them.
"""

from __future__ import annotations

import atexit
import logging
import multiprocessing
import queue
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from engine import system
from engine.executors import CatalogReceived, ExecutorEvent, Key, Room, Work, WorkerEvents, WorkFinished, WorkReturned
from engine.executors.worker import CANCELLED, OUT_OF_MEMORY, TABLE_KINDS, TABLE_OUT_OF_MEMORY, prepare, work

GRACE = 0.8
"""Seconds that a cancelled run has to stop by itself. Then its worker is killed."""
NICE = 5
"""How far the worker of previews goes before those of the slots."""
SLOWEST_RETRY = 30.0
"""Longest pause in seconds between attempts to start a worker that fails to start."""
SPARE = 10.0
"""Seconds that all workers must be ready and idle before `prepare` is called."""

PHASES = 6
"""First phases that a worker's cache holds (`engine.training.network_cache.MOST`)."""
WATCH = 0.05
"""Seconds between two looks at the memory of busy workers."""

log = logging.getLogger(__name__)


@dataclass
class _Run:
    work: Work
    deadline: float
    begun: bool = False
    kill_at: float = float("inf")


@dataclass(eq=False)
class _Slot:
    """One worker process. ready: it has started. run: the run it has, None while it is idle.

    touched: ids of the uploads it received. stale: one of them was deleted, so the process ends after its run. idle_mb: resident
    MiB when it was ready. exceeded: it was killed because its run used more memory than it may. previews: it is beside the slots, for
    previews alone. phases: first phases of its runs, which its cache may hold.
    """

    process: Any
    pipe: Any
    previews: bool = False
    ready: bool = False
    run: _Run | None = None
    last_words: str = ""
    touched: set[str] = field(default_factory=set)
    stale: bool = False
    idle_mb: float = 0.0
    exceeded: bool = False
    phases: deque[str] = field(default_factory=lambda: deque(maxlen=PHASES))
    listener: threading.Thread = field(init=False)


class LocalExecutor:
    """`slots` warm workers. Only the thread that created the executor may call its methods.

    target: 'module:function', run(spec, device=...) -> generator of events that returns (Result, artifacts). catalog:
    'module:function', called with live=True in each new worker. threads: of the libraries in a worker. It does not depend on
    the number of busy workers, because another number of threads may add in another order, and the same spec must give the same
    bits. memory_mb: resident MiB that a run may use beyond the idle worker, None = no limit. A thread watches it, on CPU and GPU
    alike, and kills the worker of a run that uses more: an address limit would count the gigabytes that a GPU's driver and memory
    maps only reserve. prepare: 'module:function', called once in a process of its own at the lowest priority, after all workers
    have been idle for SPARE seconds; None for nothing.

    private: 'module:function', the steps of jobs on an uploaded table; see `engine.executors.private.steps`. Such a job goes to
    an idle worker that had the same table before, if there is one. Other jobs go to workers that had no table. A run goes to the
    worker that trained its first phase (`Work.phase`), if that one is idle.

    previews: one more worker, of one thread, beside the slots, to which jobs of that kind go and no other. The workers of the slots then
    let it go first.

    After the first embed job, idle workers load the libraries of embed jobs: about 1 s and 120 MB each, so they are not loaded
    before they are needed.
    """

    lost = ""
    """As of `RayExecutor`: this machine is there while the engine is."""

    def __init__(
        self,
        slots: int = 2,
        *,
        target: str = "engine.runner.execute:run",
        catalog: str = "engine.catalog:build_catalog",
        threads: int = 1,
        memory_mb: int | None = None,
        prepare: str | None = None,
        private: str = "engine.executors.private:steps",
        previews: bool = False,
    ) -> None:
        self.trouble = ""
        """Why no worker starts, in one sentence; '' while workers start."""
        self._context = multiprocessing.get_context("spawn")
        self._arguments = (target, catalog, private)
        self._threads, self._nice = threads, NICE if previews else 0
        self.previews = previews
        self._memory_mb = memory_mb
        self._messages: queue.SimpleQueue[tuple[_Slot | None, Any]] = queue.SimpleQueue()
        self._failures = 0
        self._embeds = False  # whether an embed job was started
        self._prepare = prepare
        self._preparing: Any = None
        self._busy_at = time.monotonic()
        self._waiting: list[
            tuple[float, bool]
        ] = []  # times at which to replace workers that failed to start, and whether of previews
        self._slots = [self._spawn() for _ in range(slots)] + ([self._spawn(previews=True)] if previews else [])
        self._stopped = threading.Event()
        threading.Thread(target=self._watch_memory, daemon=True, name="memory").start()
        atexit.register(self.stop)  # multiprocessing would wait at exit for workers, which never end by themselves

    @property
    def troubles(self) -> list[str]:
        """`trouble`, where there is one."""
        return [self.trouble] if self.trouble else []

    @property
    def idle(self) -> int:
        """Number of workers that can be given a job now: idle ones, and those that start, which begin with it once they have."""
        return len(self._free())

    @property
    def rooms(self) -> tuple[Room, ...]:
        """Its slots, which take any job."""
        waiting = sum(not previews for _, previews in self._waiting)
        return (Room(sum(not slot.previews for slot in self._slots) + waiting, self.idle),)

    @property
    def can_preview(self) -> bool:
        """Whether a preview can start now."""
        return bool(self._free(previews=True))

    @property
    def ready(self) -> int:
        """Number of the slots' workers that have started, busy or idle."""
        return sum(slot.ready for slot in self._slots if not slot.previews)

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers."""
        return [slot.process.pid for slot in self._slots]

    def start(self, work: Work) -> bool:
        """Gives a job to an idle worker, else to one that is still starting. False if there is none."""
        known = set(work.uploads)
        free = self._free(previews=work.kind == "preview")
        for slot in sorted(free, key=lambda slot: (not slot.ready, known != slot.touched, work.phase not in slot.phases)):
            if slot.touched - known:
                slot.phases.clear()  # the worker empties its caches
            slot.touched |= known
            if work.phase and work.phase not in slot.phases:
                slot.phases.append(work.phase)
            if self._send(slot, ("run", work)):
                limit = float("inf") if work.timeout_s is None else work.timeout_s
                slot.run = _Run(work, time.monotonic() + limit)
                if work.kind == "embed" and not self._embeds:
                    self._embeds = True
                    for other in self._free():
                        if other.ready:
                            self._warm(other)
                return True
        return False

    def cancel(self, key: Key) -> None:
        """Asks the run to stop at its next event, and kills it after GRACE seconds. `poll` returns its end."""
        for slot in self._slots:
            if slot.run is not None and slot.run.work.key == key and slot.run.kill_at == float("inf"):
                slot.run.kill_at = time.monotonic() + GRACE
                self._send(slot, ("cancel", key))

    def drop(self, key: Key) -> None:
        """Kills the run now. `poll` returns nothing more of it."""
        for slot in self._slots:
            if slot.run is not None and slot.run.work.key == key:
                self._replace(slot)

    def list_phases(self, *, idle: bool) -> set[str]:
        """First phases that the caches of idle workers may hold, or those that busy ones hold or train."""
        slots = [slot for slot in self._slots if (slot.run is None) == idle and not slot.previews]
        return {phase for slot in slots for phase in slot.phases}

    @property
    def touched(self) -> set[str]:
        """Ids of the uploads that the workers received."""
        return set().union(*(slot.touched for slot in self._slots))

    def forget(self, upload: str) -> None:
        """Ends every worker that received this upload: at once, or after its run if that uses something else."""
        for slot in [slot for slot in self._slots if upload in slot.touched]:
            if slot.run is None or upload in slot.run.work.uploads:
                self._replace(slot)
            else:
                slot.touched.discard(upload)
                slot.stale = True

    def poll(self, timeout: float) -> list[ExecutorEvent]:
        """What happened, in order. Waits at most `timeout` seconds for the first event."""
        happened = self._overdue()
        self._use_spare_time()
        try:
            slot, message = self._messages.get(timeout=0 if happened else timeout)
            while True:
                if slot is not None and slot in self._slots:  # a replaced worker's messages do not count
                    happened += self._handle_message(slot, message)
                slot, message = self._messages.get_nowait()
        except queue.Empty:
            return happened + self._overdue()

    def wake(self) -> None:
        """Lets `poll` return now. Any thread may call this."""
        self._messages.put((None, None))

    def stop(self) -> None:
        """Ends all workers now. Nothing can be started afterwards."""
        atexit.unregister(self.stop)
        self._stopped.set()
        slots, self._slots, self._waiting = self._slots, [], []
        if self._preparing is not None:
            self._preparing.kill()
            self._preparing.join()
        for slot in slots:
            slot.process.kill()
        for slot in slots:
            slot.process.join()
            slot.listener.join()

    # ---- one slot

    def _free(self, *, previews: bool = False) -> list[_Slot]:
        """Workers without a job, also those that start, unless starting has failed. Previews wait for a worker that is ready."""
        starting = not previews and not self._failures
        own = [slot for slot in self._slots if slot.previews == previews and (slot.ready or starting)]
        return [slot for slot in own if slot.run is None and slot.process.is_alive()]

    def _spawn(self, *, previews: bool = False) -> _Slot:
        here, there = self._context.Pipe()
        threads, nice = (1, 0) if previews else (self._threads, self._nice)
        arguments = (there, *self._arguments, threads, self._memory_mb, nice, previews)
        process = self._context.Process(target=work, args=arguments, name="previews" if previews else "worker", daemon=True)
        self._start_process(process)
        there.close()  # else the pipe would stay open after the worker ends
        slot = _Slot(process, here, previews)
        slot.listener = threading.Thread(target=self._listen, args=(slot,), daemon=True, name="listener")
        slot.listener.start()
        return slot

    def _start_process(self, process: Any) -> None:
        # Ctrl-C and a service manager's stop signal the whole process group. Workers do not hear them, because the engine
        # ends them.
        with system.stop_signals_blocked():
            process.start()

    def _warm(self, slot: _Slot) -> None:
        self._send(slot, ("warm",))

    def _watch_memory(self) -> None:
        """Kills workers whose run uses more memory than it may. In its own thread, since the engine's may wait for the store."""
        while not self._stopped.wait(WATCH):
            for slot in list(self._slots):
                run = slot.run
                if run is None or not slot.ready or (limit := run.work.memory_mb or self._memory_mb) is None:
                    continue
                if _resident(slot) - slot.idle_mb > min(limit, self._memory_mb or limit):
                    slot.exceeded = slot.run is run  # it may have ended meanwhile
                    if slot.exceeded:
                        slot.process.kill()

    def _use_spare_time(self) -> None:
        if self._prepare is None:
            return
        now = time.monotonic()
        if self._waiting or any(not slot.ready or slot.run is not None for slot in self._slots):
            self._busy_at = now
        elif now - self._busy_at > SPARE:
            self._preparing = self._context.Process(target=prepare, args=(self._prepare,), name="prepare", daemon=True)
            self._prepare = None
            self._start_process(self._preparing)

    def _listen(self, slot: _Slot) -> None:
        """Puts a worker's messages in the queue. Has its own thread, since reading blocks while a worker sends a large message."""
        try:
            while True:
                self._messages.put((slot, slot.pipe.recv()))
        except (EOFError, OSError):
            slot.pipe.close()  # only here: if closed during a read, its number could belong to the next pipe
            self._messages.put((slot, None))

    def _send(self, slot: _Slot, message: tuple[Any, ...]) -> bool:
        """Sends a message. False if the worker has ended; its listener puts None in the queue."""
        try:
            slot.pipe.send(message)
        except OSError:
            return False
        return True

    def _handle_message(self, slot: _Slot, message: Any) -> list[ExecutorEvent]:
        if message is None:
            return self._died(slot)
        if message[0] == "catalog":
            return [CatalogReceived(message[1])]
        if message[0] == "ready":
            slot.ready, self._failures, self.trouble = True, 0, ""
            slot.idle_mb = _resident(slot)
            if self._embeds and not slot.previews:
                self._warm(slot)
        elif message[0] == "unable":
            slot.last_words = message[1]
        elif message[0] == "began" and slot.run is not None:
            slot.run.begun = True
        elif message[0] == "events":
            return [WorkerEvents(message[1], message[2])]
        elif message[0] == "ended":
            slot.run = None
            if slot.stale or not message[-1]:
                self._replace(slot)
            elif self._embeds and not slot.previews:
                self._warm(slot)
            return [WorkFinished(*message[1:-1])]
        return []

    def _died(self, slot: _Slot) -> list[ExecutorEvent]:
        slot.process.join(1)
        run, code = slot.run, slot.process.exitcode
        if not slot.ready:
            self._failures += 1
            why = slot.last_words or system.describe_exit(code)
            self.trouble = f"The workers do not start ({why}); the engine's log has the details."
            log.error("worker %d did not start: %s", slot.process.pid, why)
        self._replace(slot)
        if run is None:
            return []
        if not run.begun and run.kill_at == float("inf"):
            return [WorkReturned(run.work.key)]
        how = system.describe_exit(code)
        more = {"job": run.work.key[0], "attempt": run.work.key[1]}
        log.warning("worker %d ended during run %s: %s", slot.process.pid, run.work.key[0], how, extra=more)
        if run.kill_at != float("inf"):
            return [WorkFinished(run.work.key, "cancelled", CANCELLED)]
        if slot.exceeded:
            reason = TABLE_OUT_OF_MEMORY if run.work.kind in TABLE_KINDS else OUT_OF_MEMORY
        elif system.was_killed(code):
            reason = "The worker process was killed (signal 9), most likely because the machine ran out of memory."
        else:
            reason = f"The worker process {system.describe_exit(code)} before the run was over."
        return [WorkFinished(run.work.key, "failed", reason)]

    def _overdue(self) -> list[ExecutorEvent]:
        """Kills runs that did not stop in time, and starts the replacements that are due."""
        now = time.monotonic()
        ended: list[ExecutorEvent] = []
        for slot in list(self._slots):
            if slot.run is not None and now >= min(slot.run.kill_at, slot.run.deadline):
                work = slot.run.work
                if now >= slot.run.kill_at:
                    ended.append(WorkFinished(work.key, "cancelled", CANCELLED))
                else:
                    ended.append(WorkFinished(work.key, "failed", f"Stopped at its time limit of {work.timeout_s:g} s."))
                self._replace(slot)
        while self._waiting and now >= self._waiting[0][0]:
            self._slots.append(self._spawn(previews=self._waiting.pop(0)[1]))
        return ended

    def _replace(self, slot: _Slot) -> None:
        slot.process.kill()
        slot.process.join(1)
        self._slots.remove(slot)
        if self._failures:  # with growing pauses while no worker can start
            self._waiting.append((time.monotonic() + min(SLOWEST_RETRY, 2.0 ** (self._failures - 1)), slot.previews))
            self._waiting.sort()
        else:
            self._slots.append(self._spawn(previews=slot.previews))


def _resident(slot: _Slot) -> float:
    """MiB of a worker that are in memory."""
    return system.memory_in_use(slot.process.pid) / system.MIB
