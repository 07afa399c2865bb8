"""A run with the runs that it is compared with: together against the method alone, in processor time and through two slots.

    python -m benchmarks.family [--dataset rings] [--ratio 20] [--folds 4] [--seeds 3] [--epochs 200] [--repeats 3]

*alone*: each run in this process with empty caches. *together*: one after the other with shared caches, in the order of the queue with one
slot. Both in seconds of the processor, of neighbours in time; *shared* is together / method alone, *before* is the sum of alone / method
alone. *clock*: an engine process with two slots, from queueing the method until it is done, then from queueing the family of another seed
until all are done; *slots* is the ratio of these two. The result and the artifacts of each run together are those of it alone, or the
benchmark fails. Prints a JSON line: medians with [smallest, largest] over the repeats, and the load of the machine.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.waits import wait_for
from engine.catalog import build_catalog
from engine.runner.execute import drive, run
from engine.spec import Imbalance, RunSpec
from engine.spec.companions import list_companions
from engine.spec.run import find_entry
from engine.store import Store
from engine.store.jobs import PRIORITY_COMPANION, PRIORITY_INTERACTIVE
from engine.training import network_cache

ROOT = Path(__file__).resolve().parent.parent
TOY = ("--folds", "2", "--seeds", "1", "--epochs", "4", "--repeats", "1")
SHOWS = ('"before"', '"shared"', '"slots"', '"equal": true')
PHASE = "alone"
PATIENCE = 600.0
"""Seconds after which a wait has failed."""


def list_members(arguments: argparse.Namespace, catalog: Mapping[str, Any], seed: int) -> dict[str, RunSpec]:
    """The runs of a family by their keys, the method first."""
    spec = RunSpec(
        arguments.dataset,
        "explicit-gradient",
        Imbalance("ratio", arguments.ratio),
        folds=arguments.folds,
        seeds=arguments.seeds,
    ).complete(catalog)
    params = dict(spec.params) | {"epochs": arguments.epochs, "meta_epochs": arguments.epochs}
    return {member.key: member.spec for member in list_companions(spec.with_(params=params, seed=seed), catalog)[0]}


def time_run(spec: RunSpec) -> tuple[float, Any]:
    """(seconds of the processor, what the run gave)."""
    gc.collect()
    began = time.process_time()
    _, result, artifacts = drive(run(spec))
    return time.process_time() - began, (json.dumps(result.metrics), artifacts)


def measure_processor(members: Mapping[str, RunSpec]) -> tuple[dict[str, float], dict[str, float], bool]:
    """Seconds of each run alone and together, and whether they gave the same."""
    alone, together, same = {}, {}, True
    given: dict[str, Any] = {}
    for key, spec in members.items():
        network_cache.clear()
        alone[key], given[key] = time_run(spec)
    network_cache.clear()
    for key, spec in members.items():
        together[key], again = time_run(spec)
        same &= again == given[key]
    return alone, together, same


def measure_slots(families: Sequence[Mapping[str, RunSpec]], catalog: Mapping[str, Any]) -> tuple[list[float], list[float]]:
    """Seconds by the clock of methods alone and of whole families, in turn, through two slots. families: of different seeds."""
    alone, whole = [], []
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{folder}/lab.db")
        env = os.environ | {"LAB_SLOTS": "2", "LAB_PREVIEW": "0"}
        engine = subprocess.Popen([sys.executable, "-m", "engine", "serve", "--store", store.url], cwd=ROOT, env=env, stderr=-3)

        def take(specs: Sequence[RunSpec]) -> float:
            began = time.monotonic()
            ids = []
            for n, spec in enumerate(specs):
                found = find_entry(catalog, "datasets", spec.dataset)["fingerprint"]
                priority = PRIORITY_COMPANION if n else PRIORITY_INTERACTIVE
                ids.append(store.submit(spec, fingerprint=found, priority=priority).id)
            wait_for(lambda: not any(store.job(id).active for id in ids), PATIENCE)
            if any(store.job(id).state != "done" for id in ids):
                raise SystemExit("A run has failed.")
            return time.monotonic() - began

        try:
            wait_for(lambda: any(e.ready == 2 for e in store.engines()), PATIENCE)
            take(list(families[0].values())[:1])  # the workers' first run loads what runs need
            for one, other in zip(families[1::2], families[2::2], strict=True):
                alone.append(take(list(one.values())[:1]))
                whole.append(take(list(other.values())))
        finally:
            engine.terminate()
            engine.wait()
            store.close()
    return alone, whole


def summarise(values: Sequence[float]) -> list[float]:
    """Median, smallest and largest."""
    return [round(value, 2) for value in (statistics.median(values), min(values), max(values))]


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="rings")
    parser.add_argument("--ratio", type=float, default=20.0)
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=200, help="of the first phase, and at most of the second")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    catalog = build_catalog(found=True)
    first = list_members(arguments, catalog, 0)
    time_run(next(iter(first.values())))  # loads what runs need
    load = os.getloadavg()[0]
    found = [measure_processor(first) for _ in range(arguments.repeats)]
    method = next(iter(first))
    line: dict[str, Any] = {"dataset": arguments.dataset, "replicates": arguments.folds * arguments.seeds, "n": len(found)}
    line["alone"] = {key: summarise([alone[key] for alone, _, _ in found]) for key in first}
    line["together"] = {key: summarise([together[key] for _, together, _ in found]) for key in first}
    line["before"] = summarise([sum(alone.values()) / alone[method] for alone, _, _ in found])
    line["shared"] = summarise([sum(together.values()) / alone[method] for alone, together, _ in found])
    line["equal"] = all(same for _, _, same in found)
    families = [list_members(arguments, catalog, seed) for seed in range(1, 2 * arguments.repeats + 2)]
    alone, whole = measure_slots(families, catalog)
    line["clock"] = {"method": summarise(alone), "family": summarise(whole)}
    line["slots"] = summarise([b / a for a, b in zip(alone, whole, strict=True)])
    line["load"] = [round(load, 1), round(os.getloadavg()[0], 1)]
    print(json.dumps(line))
    if not line["equal"]:
        raise SystemExit("A run gave something else together than alone.")


if __name__ == "__main__":
    main()
