"""What a person waits for, in milliseconds: the engine's start, the first frame of a run, a cancellation.

    python -m benchmarks.waits [--repeats 5] [--busy 0]

Each repeat starts the engine process on a new store that has a run queued. *claim*: from the start to its claim; *warm*: until a worker is
ready; *start_frame*: until its first frame. Then, warm: *frame*: from queueing a run of two moons to its first frame in the store;
*cancel*: from asking a careful run to stop, half a second after its first frame, until the store calls it cancelled. --busy: runs that
train meanwhile on the engine's other slots. Prints a JSON line: median, smallest and largest of each, and the load of the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.spec import Imbalance, RunSpec
from engine.store import Store

ROOT = Path(__file__).resolve().parent.parent
CATALOG = json.loads((ROOT / "engine" / "catalog.json").read_text(encoding="utf-8"))
TOY = ("--repeats", "1")
SHOWS = ('"claim_ms"', '"start_frame_ms"', '"frame_ms"', '"cancel_ms"')
PHASE = "alone"
PATIENCE = 120.0
"""Seconds after which a wait has failed."""


def make_spec(seed: int, *, careful: bool = False) -> RunSpec:
    """A run of explicit gradient on two moons; careful: 12 replicates."""
    spec = RunSpec("moons", "explicit-gradient", Imbalance("ratio", 50), seed=seed)
    return (spec.with_(folds=4, seeds=3) if careful else spec).complete(CATALOG)


def wait_for(what: Callable[[], Any], patience: float = PATIENCE) -> float:
    """The monotonic time at which `what` becomes true. Raises SystemExit after so many seconds."""
    end = time.monotonic() + patience
    while not what():
        if time.monotonic() > end:
            raise SystemExit("The engine does not do what is waited for.")
        time.sleep(0.005)
    return time.monotonic()


def measure(busy: int, seed: int) -> dict[str, float]:
    """Milliseconds of one start."""
    out = {}
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{folder}/lab.db")
        first = store.submit(make_spec(seed)).id
        env = os.environ | {"LAB_SLOTS": str(busy + 1)}
        began = time.monotonic()
        engine = subprocess.Popen([sys.executable, "-m", "engine", "serve", "--store", store.url], cwd=ROOT, env=env, stderr=-3)

        def has_frame(id: str) -> bool:
            return bool(store.events(id, kinds=("frame",), limit=1))

        def has_ended(id: str) -> bool:
            return not store.job(id).active

        try:
            out["claim"] = wait_for(lambda: store.job(first).state != "queued") - began
            out["start_frame"] = wait_for(lambda: has_frame(first)) - began
            out["warm"] = wait_for(lambda: any(e.ready == busy + 1 for e in store.engines())) - began
            wait_for(lambda: has_ended(first))
            for n in range(busy):
                other = store.submit(make_spec(seed + 1000 + n, careful=True)).id
                wait_for(lambda id=other: has_frame(id))  # type: ignore[misc]
            asked = time.monotonic()
            id = store.submit(make_spec(seed + 1, careful=True)).id
            out["frame"] = wait_for(lambda: has_frame(id)) - asked
            time.sleep(0.5)
            asked = time.monotonic()
            store.cancel(id)
            out["cancel"] = wait_for(lambda: has_ended(id)) - asked
        finally:
            engine.terminate()
            engine.wait()
            store.close()
    return {name: 1000 * seconds for name, seconds in out.items()}


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--busy", type=int, default=0)
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    found = [measure(arguments.busy, 10 * n) for n in range(arguments.repeats)]
    line: dict[str, Any] = {"n": len(found), "busy": arguments.busy, "load": round(load, 1)}
    for name in found[0]:
        values = [times[name] for times in found]
        line[f"{name}_ms"] = [round(value) for value in (statistics.median(values), min(values), max(values))]
    print(json.dumps(line))


if __name__ == "__main__":
    main()
