"""Cells of a sweep that sleep, on one engine and on two engines that share a store of PostgreSQL: how long all take.

    python -m benchmarks.engine_cells [--cells 200] [--seconds 0.5] [--rounds 2]

The clock runs from the first cell that begins to the last that ends. A sweep takes all slots but one, whatever the number of engines: one
engine of 3 slots, and one of 3 beside one of 2, are 2 and 4 cells at once. `ideal` is cells times seconds by that, `lost_ms` the rest
per cell and slot, and `speedup` how many times as fast two engines are. Cells sleep, so that the machine's processors do not decide.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks._sleeping_cells import queue_cells, time_cells
from engine.store import Store
from tests.engine.test_service import Process, wait
from tests.postgres import Server, serving

TOY = ("--cells", "6", "--seconds", "0.1", "--rounds", "1")
SHOWS = ('"engines": 1', '"engines": 2', '"speedup":')
PHASE = "long"
ENGINES = ((3,), (3, 2))
"""Slots of the engines of each row."""
PATIENCE = 120.0


def measure(server: Server, slots: Sequence[int], cells: int, seconds: float) -> dict[str, Any]:
    """One row: so many cells on engines with so many slots, on a store of their own."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(server.make_schema(f"cells_{uuid.uuid4().hex[:12]}"))
        engines = [Process(store, Path(folder) / f"{n}.log", count) for n, count in enumerate(slots)]
        try:
            for engine in engines:
                engine.patience = PATIENCE
                engine.up()
            ids = queue_cells(store, cells, seconds)
            wait(lambda: not sum(store.count_active().values()), PATIENCE + cells * seconds)
            jobs = [store.job(id) for id in ids]
        finally:
            for engine in engines:
                engine.end()
            store.close()
    at_once = sum(slots) - 1
    each = sorted(sum(job.engine == id for job in jobs) for id in {job.engine for job in jobs})
    return {"engines": len(slots), "at_once": at_once, "cells_of_each": each} | time_cells(jobs, seconds, at_once)


def main(words: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--rounds", type=int, default=2)
    asked = parser.parse_args(words)
    print(json.dumps({"date": time.strftime("%Y-%m-%d"), "processors": os.cpu_count()}))
    with serving() as server:
        for _ in range(asked.rounds):
            one, two = (measure(server, slots, asked.cells, asked.seconds) for slots in ENGINES)
            for row in (one, two):
                print(json.dumps(row), flush=True)
            print(json.dumps({"speedup": round(one["seconds"] / two["seconds"], 2)}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
