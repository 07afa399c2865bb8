"""Settings of the network screened as stacks, against one at a time: seconds, ratio, and what the products alone would take.

    python -m benchmarks.tune [--dataset adult] [--settings 64] [--batch 16] [--rows 128] [--replicates 1] [--alone 6] [--threads 1]

Optuna proposes the settings in batches; each batch is screened by successive halving, as `compare --tune` does, in steps of as many rows
as a comparison takes, or of `--rows`. One at a time: every setting is trained alone to its end (`--epochs`, or `--patience` epochs
without a better validation score). That is measured on `--alone` settings drawn from all, and multiplied. Products alone: the rows and
parameters of the epochs that were screened, at the speed of the network's products in a stack of 16, measured here. Prints a JSON object,
with the longest time of the processor between two reports (a cancellation waits for one), the best setting, what it scores on
validation rows beside the defaults, and the machine's load.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from engine.compare.network_study import Proposals
from engine.compare.sizes import choose_batch
from engine.data.dataset import Task
from engine.data.prepare import prepare
from engine.data.rows import remove_test_rows, select_task
from engine.data.sources import load
from engine.events import finish
from engine.methods.ce import CE
from engine.runner.provenance import collect_provenance
from engine.spec import RunSpec
from engine.training.camera import Camera
from engine.training.screen import Rung, plan_rungs, screen

TOY = ("--dataset", "wine", "--settings", "6", "--batch", "3", "--epochs", "8", "--alone", "1")
SHOWS = ('"processor_seconds"', '"products_alone_seconds"', '"ratio"', '"best"')
FOLDS = 5
OWN = 128
"""Rows of a step of the method itself, for which step sizes are proposed."""
DEFAULT = {"learning_rate": 1e-3, "weight_decay": 0.0, "hidden": (64, 64)}
HEIGHT = 16
"""Members of the stack on which the speed of products is measured."""


def count_weights(task: Task, hidden: tuple[int, ...]) -> tuple[int, int]:
    """Weights of a network, and those of its first layer, whose input has no gradient."""
    sizes = (task.train.x.shape[2], *hidden, len(task.classes))
    return sum(a * b for a, b in zip(sizes, sizes[1:], strict=False)), sizes[0] * sizes[1]


def measure_products(task: Task, width: int, repeats: int) -> float:
    """Operations a second of the products of a step of the default network. width: rows of the step."""
    first, second = task.train.x.shape[2], 64
    x, h = torch.randn(1, width, first).expand(HEIGHT, -1, -1), torch.randn(HEIGHT, width, second)
    a, b = torch.randn(HEIGHT, first, second), torch.randn(HEIGHT, second, second)
    took = []
    for _ in range(repeats):
        began = time.process_time()
        for one, two in ((x, a), (h, b), (x.mT, h), (h.mT, h), (h, b.mT)):
            torch.bmm(one, two)
        took.append(time.process_time() - began)
    operations = 2 * HEIGHT * width * (2 * first * second + 3 * second * second)
    return float(operations / np.median(took))


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """Screens, trains some settings alone, and compares."""
    torch.set_num_threads(asked.threads)
    spec = RunSpec(asked.dataset, "ce", folds=FOLDS, seeds=max(1, -(-asked.replicates // FOLDS)))
    task = remove_test_rows(prepare(load(asked.dataset), spec, range(asked.replicates)))
    task = replace(task, patience=asked.patience)
    load_before = os.getloadavg()[0]
    rows, held = int(task.train.sizes.max()), int(task.valid.sizes.max())
    size = asked.rows or choose_batch(rows, OWN)
    params = {"epochs": asked.epochs, "batch": size}

    stacks = [field["name"] for field in CE.describe()["fields"] if "stacks" in field]
    proposals, rungs, settings = Proposals(0, DEFAULT, asked.batch), [], []
    best: tuple[float, dict[str, Any]] = (-np.inf, {})
    default, trained = np.nan, []
    began, busy = time.perf_counter(), time.process_time()
    longest, at = 0.0, busy
    for number in range(-(-asked.settings // asked.batch)):
        asked_now = [one | {"learning_rate": size / OWN * one["learning_rate"]} for one in proposals.ask()]
        found: list[Rung] = []
        schedule = plan_rungs(len(asked_now), asked.epochs)
        for _ in screen(
            lambda one: CE(**params | dict(one)), task, asked_now, stacks=stacks, schedule=schedule, rungs=found,
            keep=() if number else (0,),
        ):  # fmt: skip
            now = time.process_time()
            longest, at = max(longest, now - at), now
        proposals.tell(found)
        at = time.process_time()
        default = found[-1].scores[0] if not number else default
        best = max(best, *((score, asked_now[n]) for n, score in found[-1].scores.items()), key=lambda pair: pair[0])
        each = {n: epochs for rung in found for n, epochs in rung.trained.items()}
        trained += [each[n] for n in range(len(asked_now))]
        rungs.append([{"epochs": rung.epoch, "settings": len(rung.scores)} for rung in found])
        settings += asked_now
    seconds, stacked = time.perf_counter() - began, time.process_time() - busy

    alone, epochs = [], []
    for n in np.linspace(0, len(settings) - 1, asked.alone).round().astype(int).tolist():
        before = time.process_time()
        for r in range(asked.replicates):
            one = select_task(task, torch.tensor([r]))
            events: list[Any] = []
            finish(CE(**params | settings[n]).fit(one, camera=Camera(one, 0)), events.append)
            epochs.append(sum(type(event).__name__ == "Epoch" for event in events))
        alone.append(time.process_time() - before)

    work = 0.0
    for setting, count in zip(settings, trained, strict=True):
        every, first = count_weights(task, setting["hidden"])
        work += count * 2 * (rows * (3 * every - first) + held * every)
    bound = work / measure_products(task, size, 50)
    facts = collect_provenance(torch.device("cpu"), torch.float32)
    return {
        "dataset": asked.dataset,
        "rows": rows,
        "validation_rows": held,
        "columns": task.train.x.shape[2],
        "replicates": asked.replicates,
        "rows_of_a_step": size,
        "settings": len(settings),
        "batches": rungs,
        "seconds": round(seconds, 1),
        "processor_seconds": round(stacked, 1),
        "longest_without_report": round(longest, 3),
        "epochs": sum(trained),
        "products_alone_seconds": round(bound, 1),
        "times_products": round(stacked / bound, 2),
        "one_at_a_time": {
            "measured": len(alone),
            "epochs": epochs,
            "seconds_each": [round(one, 2) for one in alone],
            "seconds_of_all": round(len(settings) * float(np.mean(alone)), 1),
        },
        "ratio": round(len(settings) * float(np.mean(alone)) / stacked, 2),
        "default": default,
        "best": best[0],
        "setting": best[1],
        "most_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
        "threads": asked.threads,
        "load": [round(load_before, 1), round(os.getloadavg()[0], 1)],
        "cpu": facts["cpu"],
        "torch": facts["torch"],
    }


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="adult")
    parser.add_argument("--settings", type=int, default=64)
    parser.add_argument("--batch", type=int, default=16, help="settings proposed at a time")
    parser.add_argument("--rows", type=int, default=0, help="rows of a step; 0: as many as a comparison takes")
    parser.add_argument("--replicates", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--patience", type=int, default=20)
    parser.add_argument("--alone", type=int, default=6, help="settings that are also trained alone")
    parser.add_argument("--threads", type=int, default=1)
    print(json.dumps(measure(parser.parse_args())))


if __name__ == "__main__":
    main()
