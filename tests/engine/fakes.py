"""Runs that do nothing but one thing each, for the tests of executor and engine. `spec.method` says which, `spec.params` how.

They import no torch, so that a worker is warm in a fraction of a second.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import sys
import time
import warnings
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import BadInput, DataMissing, OutOfMemory
from engine.events import GRID, Event, Frame, Note, Phase, Progress
from engine.spec import RunSpec
from engine.spec.result import Result

METHODS = (
    "quick",
    "steady",
    "late",
    "large",
    "blocks",
    "holds",
    "stubborn",
    "exits",
    "segfaults",
    "killed",
    "shows",
    "limited",
)
METHODS += (
    "loaded",
    "memory",
    "allocates",
    "torch_memory",
    "exhausts",
    "bad",
    "missing",
    "bug",
    "noisy",
    "counts",
    "tells",
    "awaits",
)


def catalog(live: bool = False) -> dict[str, Any]:
    return {"numerics": 1, "device": "a fake", "devices": ["cpu"], "methods": [], "datasets": [], "live": live}


def named_catalog(live: bool = False) -> dict[str, Any]:
    """That of FAKE_CATALOG, JSON."""
    return catalog(live) | json.loads(os.environ["FAKE_CATALOG"])


def slow_catalog(live: bool = False) -> dict[str, Any]:
    time.sleep(5)
    return catalog(live)


def no_catalog(live: bool = False) -> dict[str, Any]:
    raise ModuleNotFoundError("No module named 'torch'")


def deadly_catalog(live: bool = False) -> dict[str, Any]:
    os._exit(7)


def prepare() -> None:
    Path(os.environ["FAKE_PREPARED"]).write_text(f"{os.nice(0)}")


def run(spec: RunSpec, *, device: str = "auto", dtype: Any = None) -> Generator[Event, None, tuple[Result, dict[str, bytes]]]:
    yield Phase("begin", f"{spec.method} on {device}")
    artifacts = yield from globals()[f"_{spec.method}"](**spec.params)
    return result(spec), artifacts or {}


def steps(kind: str, spec: Any, table: Any, *, run: Any, id: str, device: str = "auto") -> Generator[Event, None, Any]:
    """The stand-in for `engine.executors.private.steps`: what a fake does is named by spec["reading"]; a run is a fake run on the table."""
    if kind == "run":
        yield Note(f"{table[0]}: {table[1].decode()}")
        return (yield from globals()["run"](RunSpec.from_json(spec), device=device))
    how = spec.get("reading") or {}
    yield from globals()[f"_{how.get('do', 'quick')}"](*how.get("with", ()))
    said = {"kind": kind, "pid": os.getpid(), "source": table and [table[0], table[1].decode()]}
    name = {"profile": "profile", "compare": "comparison"}[kind]
    return {"seconds": 0.1}, {name: json.dumps(said).encode(), "arrays": b"PK"}


def _keeps():
    """Says how many sheets this process has, and leaves one."""
    from engine.executors import private

    yield Note(f"{len(private._sheets)} sheets")
    private._sheets["a"] = "a sheet"


def _shouts(word):
    """All that a library may say of what it has read, and a crash on top."""
    yield Note(word)
    print(word, file=sys.stderr, flush=True)
    os.write(1, word.encode())
    warnings.warn(word, UserWarning, stacklevel=1)
    logging.getLogger("a library").warning(word)
    raise ValueError(word)


def result(spec: RunSpec) -> Result:
    one = {"mean": 0.5, "low": 0.4, "high": 0.6, "values": [0.5]}
    return Result(
        run_id=spec.run_id(""),
        spec=spec.to_json(),
        metrics={"average_precision": one},
        per_class={},
        class_counts={},
        interval="no interval",
        n=1,
        test_share=0.25,
        positive="1",
        prevalence=0.1,
        seconds=0.1,
        provenance={"pid": os.getpid()},
        arrays={"pr_recall": np.linspace(0, 1, 3)},
    )


def _quick():
    yield Progress(1, 1)
    return {"note": b"done"}


def _steady(seconds=60.0, pause=0.01):
    total, n = int(seconds / pause), 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        n += 1
        yield Progress(n, total)
        time.sleep(pause)


def _tells(steps=30, pause=0.05):
    """Says its number at each of so many steps."""
    for n in range(1, steps + 1):
        yield Note(f"step {n}")
        yield Progress(n, steps)
        time.sleep(pause)
    return {"note": f"{steps} steps".encode()}


def _awaits(path, seconds=60.0):
    """Goes on until a file is there."""
    end = time.monotonic() + seconds
    while not Path(path).exists() and time.monotonic() < end:
        yield Progress(0, 1)
        time.sleep(0.02)


def _late():
    yield Note("first")
    yield Note("second")
    time.sleep(2.0)


def _large(megabytes=8, frames=60):
    points = np.random.default_rng(0).integers(-8000, 8000, (20_000, 2)).astype(np.int16)
    for step in range(frames):
        yield Frame(0, "x", 1, step, 0.5, points, np.zeros(len(points), np.uint16), np.zeros((GRID, GRID), np.uint8))
    return {f"big/{n}": os.urandom(megabytes << 20) for n in range(3)}


def _blocks(seconds=60.0):
    yield Progress(0, 1)
    time.sleep(seconds)


def _holds():
    """One call into C that never lets go of Python's lock."""
    yield Progress(0, 1)
    sum(range(10**12))


def _stubborn():
    while True:
        try:
            yield Progress(0, 1)
            time.sleep(0.01)
        except GeneratorExit:
            continue


def _exits(code=3):
    yield Progress(0, 1)
    os._exit(code)


def _segfaults():
    yield Progress(0, 1)
    ctypes.string_at(0)


def _killed():
    yield Progress(0, 1)
    os.kill(os.getpid(), 9)


def _shows():
    yield Note(f"{os.environ['OMP_NUM_THREADS']} threads")


def _limited():
    yield Note(f"{os.environ['LAB_WORKER_MEMORY']} MiB")


def _loaded(module):
    yield Note(f"{module in sys.modules}")


def _memory():
    yield Progress(0, 1)
    raise MemoryError


def _allocates(megabytes):
    yield Progress(0, 1)
    kept = [np.ones(1 << 20, np.uint8) for _ in range(megabytes)]
    yield Note(f"allocated {len(kept)} MiB")


def _torch_memory():
    yield Progress(0, 1)
    raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes.")


def _exhausts():
    yield Progress(0, 1)
    raise OutOfMemory("Two replicates at once do not fit the device's 4 GiB.")


def _bad():
    yield Progress(0, 1)
    raise BadInput("Nothing is called so; there are: this and that.")


def _missing():
    yield Progress(0, 1)
    raise DataMissing("glass9 is not on this machine; fetch it with `make data`.")


def _bug():
    yield Progress(0, 1)
    raise ValueError("secret-value-42 is not a number")


def _noisy():
    yield Progress(0, 1)
    warnings.warn("a library's warning", UserWarning, stacklevel=1)
    print("a library's words", file=sys.stderr)


def _counts(path, pause=0.0):
    """Leaves one line per execution in a file, to see how often each job was run."""
    yield Progress(0, 1)
    time.sleep(pause)
    with Path(path).open("a") as file:
        file.write(f"{os.getpid()}\n")
