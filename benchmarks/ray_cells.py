"""Cells of a sweep that sleep, on slots of this machine and on a Ray cluster of it: how long all take, and what is lost per cell.

    python -m benchmarks.ray_cells [--cells 200] [--seconds 0.5] [--slots 3 5] [--workers 1] [--processors 3]

Each row is an engine process of its own on an SQLite store of its own, on the machine's slots or on a cluster of a head and so many
nodes. The clock runs from the first cell that begins to the last that ends. A sweep takes all slots but one, so 3 and 5 slots are 2 and 4
cells at once; `ideal` is cells times seconds by that, and `lost_ms` the rest per cell and slot. Cells sleep, so that the machine's
processors do not decide; Ray's own processes need some all the same.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

from benchmarks._sleeping_cells import queue_cells, time_cells
from engine.store import Store
from tests.engine.ray_nodes import Cluster
from tests.engine.test_service import Process, wait

TOY = ("--cells", "4", "--seconds", "0.1", "--slots", "2", "--workers", "0")
SHOWS = ('"where": "local"', '"where": "ray"', '"seconds":', '"lost_ms":')
PHASE = "long"
PATIENCE = 120.0


def measure(where: str, env: dict[str, str], slots: int, cells: int, seconds: float) -> dict[str, object]:
    """One row."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{Path(folder) / 'lab.db'}")
        process = Process(store, Path(folder) / "engine.log", slots, **env)
        process.patience = PATIENCE
        try:
            process.up()
            ids = queue_cells(store, cells, seconds)
            wait(lambda: not store.job(ids[-1]).active, PATIENCE + cells * seconds)
            wait(lambda: all(not store.job(id).active for id in ids), PATIENCE)
            jobs = [store.job(id) for id in ids]
        finally:
            process.end()
            store.close()
    return {"where": where, "slots": slots} | time_cells(jobs, seconds, max(1, slots - 1))


def main(words: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--slots", type=int, nargs="+", default=[3, 5])
    parser.add_argument("--workers", type=int, default=1, help="nodes beside the head")
    parser.add_argument("--processors", type=int, default=3, help="that Ray shall believe each node to have")
    asked = parser.parse_args(words)
    print(json.dumps({"date": time.strftime("%Y-%m-%d"), "processors": os.cpu_count(), "nodes": 1 + asked.workers}))
    for slots in asked.slots:
        print(json.dumps(measure("local", {}, slots, asked.cells, asked.seconds)), flush=True)
    cluster = Cluster(asked.workers, asked.processors)
    try:
        env = cluster.settings | {"LAB_EXECUTOR": f"ray://{cluster.address}"}
        for slots in asked.slots:
            print(json.dumps(measure("ray", env, slots, asked.cells, asked.seconds)), flush=True)
    finally:
        cluster.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
