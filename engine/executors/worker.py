"""The worker process: imports torch once, then runs what it is given, one run at a time, until its pipe closes.

Messages out: ("catalog", dict), ("ready",), ("unable", sentence), ("began",), ("events", key, [encoded]) and ("ended", key, state,
reason, result, artifacts, whether the worker can go on). Messages in: ("run", Work), ("cancel", key), ("warm",). Nothing heavy is
imported here at the top: the first thing a worker does is to make sure that it dies with the engine, also in the middle of
importing torch.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import multiprocessing
import os
import resource
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from engine.errors import LabError
from engine.executors import Key, Work

if TYPE_CHECKING:
    from engine.events import Event

FLUSH = 0.05
"""Events leave a worker at most this many seconds after they were said, and at most once in that time."""
CANCELLED = "Cancelled."
OUT_OF_MEMORY = "The run ran out of memory; ask for fewer rows, replicates or synthetic points, or allow it more."
TABLE_OUT_OF_MEMORY = "The table needs more memory than there is for one job here: send fewer rows or columns of it."
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_NO_MEMORY = ("can't allocate memory", "out of memory", "not enough memory", "std::bad_alloc", "ALLOC_FAILED")


def work(pipe: Connection, target: str, catalog: str, private: str, threads: int, memory_mb: int | None) -> None:
    """The body of a worker process. target, catalog, private: 'module:function'. threads: of torch and the BLAS under numpy.

    memory_mb: MiB of address space that runs may take beyond what the idle worker has; None = no limit.
    """
    _die_with_parent()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash would leave memory, private tables too, in a file
    os.environ.update(dict.fromkeys(_THREADS, str(threads)))  # read when torch and numpy are imported
    try:
        run = _load(target)
        pipe.send(("catalog", _load(catalog)(live=True)))
        if memory_mb is not None:
            _limit_memory(memory_mb)
    except Exception as error:
        traceback.print_exc()
        pipe.send(("unable", _one_line(error)))
        return
    pipe.send(("ready",))
    held: str | None = None  # the table that caches of this process may hold something of
    while True:
        try:
            message = pipe.recv()
        except EOFError:
            return
        if message[0] == "run":
            if held not in (None, message[1].upload):
                _let_go()
            held = message[1].upload
            if not _run(pipe, run, private, message[1]):
                return  # what failed may have left this process in any state; the engine starts another
        if message[0] == "warm":
            _try("engine.embed.job:load_libraries")
        del message  # it may hold a table


def prepare(function: str) -> None:
    """The body of a process that gets something ready beside the workers, when the machine has nothing better to do."""
    _die_with_parent()
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    os.nice(19)
    _try(function)


def _let_go() -> None:
    """Empty what keeps something of the last table: its owner may forget it while this process is busy with another's work."""
    for name, empty in (("engine.executors.private", "forget"), ("engine.training.network_cache", "clear")):
        if name in sys.modules:
            getattr(sys.modules[name], empty)()


def _try(function: str) -> None:
    """Call 'module:function', which makes later work quicker; where that fails the log says so, and later work says why."""
    try:
        _load(function)()
    except Exception:
        traceback.print_exc()


def _run(pipe: Connection, run: Callable[..., Any], private: str, work: Work) -> bool:
    """One run to its end. False where the worker should not be used again."""
    pipe.send(("began",))
    with _silence(work.private), _memory(work.memory_mb):
        return _to_its_end(pipe, run, private, work)


def _to_its_end(pipe: Connection, run: Callable[..., Any], private: str, work: Work) -> bool:
    outbox = _Outbox(pipe, work.key)
    state, reason, healthy = "done", "", True
    result: tuple[str, bytes] | None = None
    artifacts: dict[str, bytes] = {}
    try:
        generator = _generator(run, private, work)
        done = _drive(generator, pipe, work.key, outbox)
        if done is None:
            state, reason = "cancelled", CANCELLED
            generator.close()
        else:
            result, artifacts = done
    except LabError as error:
        state, reason, healthy = "failed", str(error), not isinstance(error, MemoryError)
    except Exception as error:
        if not work.private:
            traceback.print_exc()
        healthy = False
        if state != "cancelled":
            state, reason = "failed", _sentence(error, work)
    outbox.close()
    pipe.send(("ended", work.key, state, reason, result, artifacts, healthy))
    return healthy


def _generator(run: Callable[..., Any], private: str, work: Work) -> Generator[Event, None, Any]:
    if work.kind == "embed":
        from engine.embed import job

        return job.run_json(work.spec, work.features)
    if work.kind != "run" or work.table is not None:
        steps: Generator[Event, None, Any] = _load(private)(
            work.kind, work.spec, work.table, run=run, id=work.key[0], device=work.device
        )
        return steps
    from engine.spec import RunSpec

    generator: Generator[Event, None, Any] = run(RunSpec.from_json(work.spec), device=work.device)
    return generator


_Done = tuple[tuple[str, bytes], dict[str, bytes]]


def _drive(generator: Generator[Event, None, Any], pipe: Connection, key: Key, outbox: _Outbox) -> _Done | None:
    """(encoded result, artifacts), or None as soon as somebody wants it cancelled."""
    from engine.events import Running, encode, pack

    running = Running(generator)
    while (event := running.pull()) is not None:  # not a loop over it: what closing it raises is the caller's
        outbox.put(encode(event))
        while pipe.poll():
            if pipe.recv() == ("cancel", key):
                return None
    result, artifacts = running.value
    if isinstance(result, dict):  # the facts of a job that is no run
        return (json.dumps(result, allow_nan=False), b""), artifacts
    return (json.dumps(result.to_json(), allow_nan=False), pack(result.arrays)), artifacts


class _Outbox:
    """Sends events in batches: the first at once, a late one without waiting for the next."""

    def __init__(self, pipe: Connection, key: Key) -> None:
        self._pipe, self._key = pipe, key
        self._events: list[Any] = []
        self._sent = 0.0
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._tick, daemon=True)
        self._thread.start()

    def put(self, event: tuple[str, str, bytes | None]) -> None:
        with self._lock:
            self._events.append(event)
            if time.monotonic() - self._sent >= FLUSH:
                self._flush()

    def close(self) -> None:
        self._closed.set()
        self._thread.join()
        with self._lock:
            self._flush()

    def _tick(self) -> None:
        while not self._closed.wait(FLUSH):
            with self._lock:
                if time.monotonic() - self._sent >= FLUSH:
                    self._flush()

    def _flush(self) -> None:
        if self._events:
            self._pipe.send(("events", self._key, self._events))
            self._events, self._sent = [], time.monotonic()


def _die_with_parent() -> None:
    """End this process when the engine's ends, however it ends."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(9)

    threading.Thread(target=follow, daemon=True).start()
    if sys.platform == "linux":  # the kernel does it also while a library holds Python's lock for seconds
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)
        if os.getppid() != parent.pid:  # it was quicker
            os._exit(9)


def _limit_memory(memory_mb: int) -> None:
    limit = _address_space() + memory_mb * (1 << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _address_space() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[0]) * resource.getpagesize()


@contextmanager
def _memory(memory_mb: int | None) -> Iterator[None]:
    """A limit for one job, below that of the worker."""
    if memory_mb is None:
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = _address_space() + memory_mb * (1 << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit if soft == resource.RLIM_INFINITY else min(limit, soft), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@contextmanager
def _silence(private: bool) -> Iterator[None]:
    """Where the work is private, what libraries print and warn of, values among it, goes nowhere."""
    if not private:
        yield
        return
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [(number, os.dup(number)) for number in (1, 2)]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        for number, _ in kept:
            os.dup2(nowhere, number)
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, before in kept:
            os.dup2(before, number)
            os.close(before)
        os.close(nowhere)


def _load(path: str) -> Callable[..., Any]:
    module, name = path.split(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__


def _sentence(error: Exception, work: Work) -> str:
    """What a person reads about an error that nobody foresaw. Its words are left out where they may hold private values."""
    if isinstance(error, MemoryError) or any(words in str(error) for words in _NO_MEMORY):
        return TABLE_OUT_OF_MEMORY if work.kind in ("profile", "compare") else OUT_OF_MEMORY
    if work.private:
        return f"The job failed with an error in the engine ({type(error).__name__}); of a private table no details are kept."
    return f"The run failed with an error in the engine ({_one_line(error)}); its log has the details."
