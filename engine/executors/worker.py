"""The worker process: imports torch once, then runs one job at a time until its pipe closes.

Messages out: ("catalog", dict), ("ready",), ("unable", sentence), ("began",), ("events", key, [encoded]) and ("ended", key,
state, reason, result, artifacts, whether the worker can go on). Messages in: ("run", Work), ("cancel", key), ("warm",). This
module imports no large library at its top. The first step of a worker is to make sure that it ends with the engine, also during
the import of torch.
"""

from __future__ import annotations

import importlib
import json
import logging
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from engine import system
from engine.errors import LabError
from engine.executors import Key, Work
from engine.operate import logs
from engine.settings import read_setting

if TYPE_CHECKING:
    from engine.events import Event

log = logging.getLogger(__name__)

FLUSH = 0.05
"""Seconds: an event is sent at most this long after it happened, and batches are at least this far apart."""
QUICK_FLUSH = 0.02
"""The same of a preview."""
PROGRESS = 0.25
"""Seconds between two Progress events that are sent. A run makes more of them, since it can be cancelled at each."""
CANCELLED = "Cancelled."
OUT_OF_MEMORY = "The run ran out of memory; ask for fewer rows, replicates or synthetic points, or allow it more."
SCORE = "engine.score.job:run_json"
REFIT = "engine.executors.private:train_all"
PREVIEW, WARM_UP = "engine.runner.preview:run_preview", "engine.runner.preview:warm_up"
TABLE_OUT_OF_MEMORY = "The table needs more memory than there is for one job here: send fewer rows or columns of it."
TABLE_KINDS = ("profile", "compare", "score", "refit")
"""Kinds of jobs whose memory goes to a table."""
HOLDERS = (("engine.executors.private", "forget"), ("engine.training.network_cache", "clear"))
"""Modules that may hold data of the last table, with the function that empties each; named so that none is imported for it."""
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_NO_MEMORY = ("can't allocate memory", "out of memory", "not enough memory", "std::bad_alloc", "ALLOC_FAILED")


def work(
    pipe: Connection, target: str, catalog: str, private: str, threads: int, memory_mb: int | None, nice: int, previews: bool
) -> None:
    """The body of a worker process. target, catalog, private: 'module:function'. threads: of torch and the BLAS under numpy. nice: how
    far others go before this process. previews: whether it computes previews, and nothing else.

    memory_mb: MiB that runs may use beyond the idle worker, None = no limit. The engine watches it; here it is LAB_WORKER_MEMORY, by
    which `engine.runner` refuses a run that needs more.
    """
    system.end_with_parent(multiprocessing.parent_process())
    system.ignore_stop_signals()
    system.refuse_core_dumps()  # one would hold private tables
    system.keep_freed_memory()
    logs.configure_worker()
    os.environ.update(dict.fromkeys(_THREADS, str(threads)))  # read when torch and numpy are imported
    _set_limit(memory_mb)
    if nice:
        system.lower_priority(nice)
    try:
        run = _load(target)
        if previews:
            _load(WARM_UP)()
        else:
            pipe.send(("catalog", _load(catalog)(live=True)))
    except Exception as error:
        log.exception("a worker cannot work")
        pipe.send(("unable", _one_line(error)))
        return
    pipe.send(("ready",))
    held: frozenset[str] = frozenset()  # ids of the uploads whose data this process's caches may hold
    while True:
        try:
            message = pipe.recv()
        except EOFError:
            return
        if message[0] == "run":
            if held and held != message[1].uploads:
                _let_go()
            held = message[1].uploads
            if not _run(pipe, run, private, message[1]):
                return  # the failure may have left any state in this process; the engine starts another
            system.return_memory()
        if message[0] == "warm":
            _try("engine.embed.job:load_libraries")
        del message  # it may hold a table


def prepare(function: str) -> None:
    """The body of a process that calls `function` at the lowest priority."""
    system.end_with_parent(multiprocessing.parent_process())
    system.ignore_stop_signals()
    logs.configure_worker()
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    system.lower_priority()
    _try(function)


def _let_go() -> None:
    """Empties the caches that hold data of the last table, so that the table can be deleted while this process runs another
    job.
    """
    for name, empty in HOLDERS:
        if name in sys.modules:
            getattr(sys.modules[name], empty)()


def _try(function: str) -> None:
    """Calls 'module:function', which makes later work faster. A failure is printed only, since later work reports it."""
    try:
        _load(function)()
    except Exception:
        log.exception("%s failed", function)


def _run(pipe: Connection, run: Callable[..., Any], private: str, work: Work) -> bool:
    """Runs a job to its end. False if the worker should not be used again."""
    pipe.send(("began",))
    with _silence(work.private), _memory(work.memory_mb), _share(work.device_share):
        return _to_its_end(pipe, run, private, work)


def _to_its_end(pipe: Connection, run: Callable[..., Any], private: str, work: Work) -> bool:
    outbox = _Outbox(pipe, work.key, QUICK_FLUSH if work.kind == "preview" else FLUSH)
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
            id, attempt = work.key
            log.exception("run %s ended by an error", id, extra={"job": id, "attempt": attempt})
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
    if work.kind == "preview":
        preview: Generator[Event, None, Any] = _load(PREVIEW)(work.spec["preview"])
        return preview
    if work.kind == "score":
        scoring: Generator[Event, None, Any] = _load(SCORE)(work.spec, work.table, work.features)
        return scoring
    if work.kind == "refit":
        training: Generator[Event, None, Any] = _load(REFIT)(work.spec, work.table, work.features)
        return training
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
    """(encoded result, artifacts), or None as soon as the job is cancelled."""
    from engine.events import Progress, Running, encode, pack

    running, told = Running(generator), float("-inf")
    while (event := running.pull()) is not None:  # no for loop: the caller handles what closing raises
        if not isinstance(event, Progress):
            outbox.put(encode(event))
        elif (now := time.monotonic()) - told >= PROGRESS or event.done >= event.total:
            told = now
            outbox.put(encode(event))
        while pipe.poll():
            if pipe.recv() == ("cancel", key):
                return None
    result, artifacts = running.value
    if isinstance(result, dict):  # the facts of a job that is no run
        return (json.dumps(result, allow_nan=False), b""), artifacts
    return (json.dumps(result.to_json(), allow_nan=False), pack(result.arrays)), artifacts


class _Outbox:
    """Sends events in batches: the first event at once, later ones within `flush` seconds."""

    def __init__(self, pipe: Connection, key: Key, flush: float = FLUSH) -> None:
        self._pipe, self._key, self._pause = pipe, key, flush
        self._events: list[Any] = []
        self._sent = 0.0
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._tick, daemon=True)
        self._thread.start()

    def put(self, event: tuple[str, str, bytes | None]) -> None:
        with self._lock:
            self._events.append(event)
            if time.monotonic() - self._sent >= self._pause:
                self._flush()

    def close(self) -> None:
        self._closed.set()
        self._thread.join()
        with self._lock:
            self._flush()

    def _tick(self) -> None:
        while not self._closed.wait(self._pause):
            with self._lock:
                if time.monotonic() - self._sent >= self._pause:
                    self._flush()

    def _flush(self) -> None:
        if self._events:
            self._pipe.send(("events", self._key, self._events))
            self._events, self._sent = [], time.monotonic()


def _set_limit(memory_mb: int | None) -> None:
    os.environ["LAB_WORKER_MEMORY"] = "" if memory_mb is None else str(memory_mb)


@contextmanager
def _memory(memory_mb: int | None) -> Iterator[None]:
    """Sets a memory limit for one job, below that of the worker."""
    usual = read_setting("LAB_WORKER_MEMORY", 0) or None
    limits = [limit for limit in (usual, memory_mb) if limit is not None]
    _set_limit(min(limits, default=None))
    try:
        yield
    finally:
        _set_limit(usual)


@contextmanager
def _silence(private: bool) -> Iterator[None]:
    """Discards what libraries print and warn if the work is private, since it may contain values of the table."""
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
    """The reason shown for an unexpected error. The error's own text is left out if it may contain private values."""
    if isinstance(error, MemoryError) or any(words in str(error) for words in _NO_MEMORY):
        return TABLE_OUT_OF_MEMORY if work.kind in TABLE_KINDS else OUT_OF_MEMORY
    if work.private:
        return f"The job failed with an error in the engine ({type(error).__name__}); of a private table no details are kept."
    return f"The run failed with an error in the engine ({_one_line(error)}); its log has the details."


@contextmanager
def _share(percent: int | None) -> Iterator[None]:
    """Sets the share of a GPU's memory for one job (`engine.devices.keep_share`); then it lets go of memory that is free, for others."""
    if percent is None:
        yield
        return
    usual = os.environ.get("LAB_DEVICE_SHARE", "")
    os.environ["LAB_DEVICE_SHARE"] = str(percent)
    try:
        yield
    finally:
        os.environ["LAB_DEVICE_SHARE"] = usual
        if (devices := sys.modules.get("engine.devices")) is not None:
            devices.release_unused()
