"""Warm worker processes on this machine: one spawned process, one duplex pipe and one reading thread per slot.

A slot whose process is gone, for whatever reason, is replaced at once by a warming one; no slot shares anything with
another, so that one can be killed at any moment without the others noticing. The process that owns the slots imports
neither torch nor scikit-learn, and must start them from the thread that lives as long as it does (its main thread).
"""

from __future__ import annotations

import atexit
import logging
import multiprocessing
import queue
import signal
import threading
import time
from dataclasses import dataclass, field
from multiprocessing import resource_tracker
from typing import Any

from engine.executors import CatalogReceived, ExecutorEvent, Key, Work, WorkerEvents, WorkFinished, WorkReturned
from engine.executors.worker import CANCELLED, prepare, work

GRACE = 0.8
"""Seconds a run has to stop by itself when it is cancelled; then its worker is killed."""
SLOWEST_RETRY = 30.0
"""Seconds between attempts to start a worker that does not come up."""
SPARE = 10.0
"""Seconds that all workers must be up and idle before something is prepared beside them."""

log = logging.getLogger(__name__)


@dataclass
class _Run:
    work: Work
    deadline: float
    begun: bool = False
    kill_at: float = float("inf")


@dataclass(eq=False)
class _Slot:
    """One worker process. Ready once it said so; busy while it has a run.

    touched: ids of the uploads it was given anything of. stale: one of them was forgotten, so the process ends with its run.
    """

    process: Any
    pipe: Any
    ready: bool = False
    run: _Run | None = None
    last_words: str = ""
    touched: set[str] = field(default_factory=set)
    stale: bool = False
    listener: threading.Thread = field(init=False)


class LocalExecutor:
    """`slots` warm workers. Every method is for one thread, the one that made it.

    target: 'module:function', run(spec, device=...) -> generator of events that returns (Result, artifacts). catalog:
    'module:function', called with live=True in each new worker. threads: of the libraries in a worker. It does not depend
    on how many are busy: another number of threads may add in another order, and the same spec must give the same bits.
    memory_mb: MiB a run may take beyond the idle worker; None = no limit. prepare: 'module:function', called once in a process of its
    own, at the lowest priority, when the workers have been idle for SPARE seconds; None for nothing.

    private: 'module:function', steps of what is done with a person's own table; see `engine.executors.private.steps`. Such
    work goes to workers
    that touched that table before, where one is idle, and other work to those that touched none.

    From the first embed job on, idle workers load what embed jobs use: about a second, and 120 MB each, which those who never look
    at features are spared. Not with a limit of memory, which would count it to the runs.
    """

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
    ) -> None:
        self.trouble = ""
        """Why no worker comes up, in one sentence; '' while they do."""
        self._context = multiprocessing.get_context("spawn")
        self._arguments = (target, catalog, private, threads, memory_mb)
        self._messages: queue.SimpleQueue[tuple[_Slot, Any]] = queue.SimpleQueue()
        self._failures = 0
        self._embeds = False  # an embed job was seen
        self._prepare = prepare
        self._preparing: Any = None
        self._busy_at = time.monotonic()
        self._waiting: list[float] = []  # when to start the replacements of workers that did not come up
        self._slots = [self._spawn() for _ in range(slots)]
        atexit.register(self.stop)  # multiprocessing would wait at exit for workers that never leave by themselves

    @property
    def idle(self) -> int:
        """Runs that could start now."""
        return len(self._free())

    @property
    def ready(self) -> int:
        """Workers that are up, busy or idle."""
        return sum(slot.ready for slot in self._slots)

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers."""
        return [slot.process.pid for slot in self._slots]

    def start(self, work: Work) -> bool:
        """Run it on an idle worker. False where there is none (any more)."""
        known = {work.upload} if work.upload is not None else set()
        for slot in sorted(self._free(), key=lambda slot: known != slot.touched):
            if work.upload is not None:
                slot.touched.add(work.upload)
            if self._send(slot, ("run", work)):
                limit = float("inf") if work.timeout_s is None else work.timeout_s
                slot.run = _Run(work, time.monotonic() + limit)
                if work.kind == "embed" and not self._embeds:
                    self._embeds = True
                    for other in self._free():
                        self._warm(other)
                return True
        return False

    def cancel(self, key: Key) -> None:
        """Ask the run to stop at its next event; it is killed if that takes longer than GRACE. `poll` says when it ended."""
        for slot in self._slots:
            if slot.run is not None and slot.run.work.key == key and slot.run.kill_at == float("inf"):
                slot.run.kill_at = time.monotonic() + GRACE
                self._send(slot, ("cancel", key))

    def drop(self, key: Key) -> None:
        """Kill the run now; nothing more is heard of it."""
        for slot in self._slots:
            if slot.run is not None and slot.run.work.key == key:
                self._replace(slot)

    @property
    def touched(self) -> set[str]:
        """Ids of the uploads that a worker was given anything of."""
        return set().union(*(slot.touched for slot in self._slots))

    def forget(self, upload: str) -> None:
        """End every worker that touched this upload: at once, or after its run where that is on something else."""
        for slot in [slot for slot in self._slots if upload in slot.touched]:
            if slot.run is None or slot.run.work.upload == upload:
                self._replace(slot)
            else:
                slot.touched.discard(upload)
                slot.stale = True

    def poll(self, timeout: float) -> list[ExecutorEvent]:
        """What happened, in order; waits at most `timeout` seconds for the first of it."""
        happened = self._overdue()
        self._use_spare_time()
        try:
            slot, message = self._messages.get(timeout=0 if happened else timeout)
            while True:
                if slot in self._slots:  # else it was replaced, and what it still says does not count
                    happened += self._handle_message(slot, message)
                slot, message = self._messages.get_nowait()
        except queue.Empty:
            return happened + self._overdue()

    def stop(self) -> None:
        """End all workers, now. Nothing can be started afterwards."""
        atexit.unregister(self.stop)
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

    def _free(self) -> list[_Slot]:
        return [slot for slot in self._slots if slot.ready and slot.run is None and slot.process.is_alive()]

    def _spawn(self) -> _Slot:
        here, there = self._context.Pipe()
        process = self._context.Process(target=work, args=(there, *self._arguments), name="worker", daemon=True)
        self._start_process(process)
        there.close()  # or the end of the worker would not be the end of the pipe
        slot = _Slot(process, here)
        slot.listener = threading.Thread(target=self._listen, args=(slot,), daemon=True, name="listener")
        slot.listener.start()
        return slot

    def _start_process(self, process: Any) -> None:
        # Ctrl-C and a service manager's stop reach the whole group of processes; workers leave the ending to the engine.
        resource_tracker.ensure_running()  # or `start` would, and unblock the signals again before it makes the worker
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _warm(self, slot: _Slot) -> None:
        if self._arguments[-1] is None:
            self._send(slot, ("warm",))

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
        """Reading blocks while a worker is halfway through a large message, so it has its own thread."""
        try:
            while True:
                self._messages.put((slot, slot.pipe.recv()))
        except (EOFError, OSError):
            slot.pipe.close()  # here alone: closed under a read, its number could name the next worker's pipe
            self._messages.put((slot, None))

    def _send(self, slot: _Slot, message: tuple[Any, ...]) -> bool:
        """False where the worker is gone; its listener says so soon."""
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
            if self._embeds:
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
            elif self._embeds:
                self._warm(slot)
            return [WorkFinished(*message[1:-1])]
        return []

    def _died(self, slot: _Slot) -> list[ExecutorEvent]:
        slot.process.join(1)
        run, code = slot.run, slot.process.exitcode
        if not slot.ready:
            self._failures += 1
            why = slot.last_words or _how(code)
            self.trouble = f"The workers do not start ({why}); the engine's log has the details."
            log.error("worker %d did not start: %s", slot.process.pid, why)
        self._replace(slot)
        if run is None:
            return []
        if not run.begun and run.kill_at == float("inf"):
            return [WorkReturned(run.work.key)]
        log.warning("worker %d ended during run %s: %s", slot.process.pid, run.work.key[0], _how(code))
        if run.kill_at != float("inf"):
            return [WorkFinished(run.work.key, "cancelled", CANCELLED)]
        if code == -signal.SIGKILL:
            reason = "The worker process was killed (signal 9), most likely because the machine ran out of memory."
        else:
            reason = f"The worker process {_how(code)} before the run was over."
        return [WorkFinished(run.work.key, "failed", reason)]

    def _overdue(self) -> list[ExecutorEvent]:
        """Kill what did not stop in time, and start the replacements that are due."""
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
        while self._waiting and now >= self._waiting[0]:
            self._waiting.pop(0)
            self._slots.append(self._spawn())
        return ended

    def _replace(self, slot: _Slot) -> None:
        slot.process.kill()
        slot.process.join(1)
        self._slots.remove(slot)
        if self._failures:  # not at once for ever, when no worker can come up
            self._waiting.append(time.monotonic() + min(SLOWEST_RETRY, 2.0 ** (self._failures - 1)))
            self._waiting.sort()
        else:
            self._slots.append(self._spawn())


def _how(code: int | None) -> str:
    """How a process ended, in words."""
    if code is None:
        return "closed its pipe"
    if code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else "unknown"
        return f"crashed (signal {-code}, {name})"
    return f"ended with exit code {code}"
