"""One slot of a Ray cluster: an actor that holds a `LocalExecutor` of one worker, and passes on what that says.

The job runs in the worker, a process of its own, as on the engine's machine: the same threads, limits, ends and sentences. The actor
itself computes nothing, so it hears a cancellation and says that it lives also while a library holds Python's lock in the worker.
This module imports no Ray, so a cluster's node needs the package `engine` as it is.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import socket
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from importlib import metadata
from typing import Any

from engine.executors import CatalogReceived, ExecutorEvent, Key, Work, WorkerEvents, WorkReturned
from engine.executors.local import LocalExecutor
from engine.executors.wire import pack_alive, pack_event, unpack_work
from engine.memory import default_limit
from engine.operate import logs
from engine.version import NUMERICS

ALIVE = 1.0
"""Seconds of silence after which a busy actor says that it lives."""
TURN = 0.05
"""Seconds that one turn of the actor's loop waits for its worker."""
PACKAGES = ("torch", "numpy", "scikit-learn")
"""Packages whose versions decide the bits of a result."""

log = logging.getLogger(__name__)


def list_versions() -> dict[str, str]:
    """NUMERICS, and the versions of Python, of this package (where it is installed as one) and of PACKAGES, builds left out."""
    found = {"numbers": str(NUMERICS), "Python": ".".join(map(str, sys.version_info[:2]))}
    for name in ("imbalance-lab", *PACKAGES):
        try:
            found[name] = metadata.version(name).partition("+")[0]
        except metadata.PackageNotFoundError:
            found[name] = ""
    return found


class SlotActor:
    """The actor. threads, target, catalog, private: as of `LocalExecutor`. memory_mb: MiB that a run may use, None = a processor's share
    of this node's memory. environment: settings of the engine that decide numbers and the form of logs, and the share of a GPU.
    """

    def __init__(
        self, target: str, catalog: str, private: str, threads: int, memory_mb: int | None, environment: Mapping[str, str]
    ) -> None:
        os.environ.update(environment)
        logs.configure_worker()
        vars(sys.modules["__main__"]).pop("__file__", None)  # else each worker would import Ray's own script
        self._arguments: dict[str, Any] = {
            "target": target,
            "catalog": catalog,
            "private": private,
            "threads": threads,
            "memory_mb": memory_mb or default_limit(max(1, (os.cpu_count() or 1) // threads)),
        }
        self._commands: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._said: queue.SimpleQueue[ExecutorEvent] = queue.SimpleQueue()
        self._executor: LocalExecutor | None = None
        self._catalog, self._trouble = "", ""
        self._settled = threading.Event()
        # Ray calls methods on threads of its own; the worker ends with the thread that started it, which is this one.
        threading.Thread(target=self._host, daemon=True, name="host").start()

    def locate(self) -> tuple[str, int, str, str]:
        """Host, process id, `list_versions` as JSON, and the numbers of the GPUs that Ray lets it see."""
        return socket.gethostname(), os.getpid(), json.dumps(list_versions()), os.environ.get("CUDA_VISIBLE_DEVICES", "")

    def describe(self) -> tuple[str, str]:
        """The worker's catalog as JSON once it has started; else '' and why it does not start."""
        self._settled.wait()
        return ("", self._trouble) if self._trouble else (self._catalog, "")

    def ping(self) -> None:
        """Nothing: its answer says that the actor lives."""

    def run(self, packed: object) -> Iterator[tuple[Any, ...]]:
        """Run a job (`wire.pack_work`) to its end: what its worker says (`wire.pack_event`), the job's end last, and at least once in
        ALIVE seconds that the actor lives (`wire.pack_alive`).
        """
        work = unpack_work(packed)
        self._ask("start", work)
        spoken = time.monotonic()
        while True:
            try:
                event = self._said.get(timeout=max(0.0, spoken + ALIVE - time.monotonic()))
            except queue.Empty:
                spoken = time.monotonic()
                yield pack_alive(self._list_pids())
                continue
            spoken = time.monotonic()
            yield pack_event(event)
            if not isinstance(event, WorkerEvents):
                return

    def cancel(self, id: str, attempt: int) -> None:
        """As of `LocalExecutor`. Any other job than this attempt goes on."""
        self._ask("cancel", (id, attempt))

    def _ask(self, verb: str, argument: Work | Key) -> None:
        self._commands.put((verb, argument))
        if self._executor is not None:
            self._executor.wake()

    def _list_pids(self) -> list[int]:
        return [os.getpid(), *(self._executor.pids if self._executor is not None else [])]

    def _host(self) -> None:
        try:
            self._executor = LocalExecutor(1, **self._arguments)
            while True:
                self._obey(self._executor)
                for event in self._executor.poll(TURN):
                    if isinstance(event, CatalogReceived):
                        self._catalog = json.dumps(event.catalog)
                    else:
                        self._said.put(event)
                if self._executor.trouble or (self._catalog and self._executor.ready):
                    self._trouble = self._executor.trouble
                    self._settled.set()
        except BaseException:
            if logs.is_json():
                log.critical("the worker of this slot cannot be driven", exc_info=True)
            else:
                traceback.print_exc()
            os._exit(1)  # the engine sees an actor that died

    def _obey(self, executor: LocalExecutor) -> None:
        while not self._commands.empty():
            verb, argument = self._commands.get()
            if verb == "cancel":
                executor.cancel(argument)
            elif not executor.start(argument):
                self._said.put(WorkReturned(argument.key))
