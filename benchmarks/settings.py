"""A step-size study in one stack: explicit gradient at ten step sizes of the points, against one step size, on one thread.

    python -m benchmarks.settings [--sets glass2] [--sizes 10] [--replicates 20] [--epochs 200] [--repeats 5]

The members share one first phase and one pass; each leaves when its patience ends. Every repeat trains one size, one size in a stack of
its own, all sizes stacked, and all sizes one after the other. It takes the processor's seconds, so that a ratio compares times under the
same load. One size in a stack of its own differs from one size where few rows are in a batch: a stored run keeps its replicates there,
since its bits would change. The bound is the ratio of the matrix products alone: each run's products are listed, and products of these
shapes are timed with nothing between them. Prints medians of the ratios with their range. Networks are not taken from the cache.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from unittest import mock

import numpy as np
import torch
from torch import Tensor

from engine.data.dataset import Task
from engine.data.prepare import prepare
from engine.data.sources import load
from engine.events import finish
from engine.methods.explicit_gradient import ExplicitGradient
from engine.models import mlp, net
from engine.runner.provenance import collect_provenance
from engine.spec import RunSpec
from engine.training import network_cache
from engine.training.camera import Camera
from engine.training.fitted import Fitted

TOY = ("--sets", "moons", "--epochs", "2", "--repeats", "1", "--replicates", "4", "--sizes", "3")
SHOWS = ('"stacked / one"', '"products alone"', '"one after the other / one"')
LARGEST = 10_000.0
"""Step sizes are spaced evenly in their logarithm, from 1 to this one."""

Shape = tuple[tuple[int, ...], tuple[int, ...]]


def train(method: ExplicitGradient, task: Task) -> Fitted:
    """Trains afresh."""
    network_cache.clear()
    fitted: Fitted = finish(method.fit(task, camera=Camera(task, 0)))
    return fitted


def list_products(work: Callable[[], object]) -> Counter[Shape]:
    """How many matrix products of each pair of shapes some work takes."""
    shapes: Counter[Shape] = Counter()

    def listed(a: Tensor, b: Tensor) -> Tensor:
        shapes[tuple(a.shape), tuple(b.shape)] += 1
        return product(a, b)

    product = net.product
    with mock.patch.object(mlp, "product", listed), mock.patch.object(net, "product", listed):
        work()
    return shapes


def time_products(shapes: Counter[Shape], repeats: int = 5) -> float:
    """The processor's seconds of products of these shapes: for each the quickest of some repeats times their number."""
    total = 0.0
    for (left, right), count in shapes.items():
        a, b = torch.randn(left), torch.randn(right)
        times = []
        for _ in range(repeats):
            began = time.process_time()
            net.product(a, b)
            times.append(time.process_time() - began)
        total += count * min(times)
    return total


def measure(name: str, asked: argparse.Namespace) -> dict[str, object]:
    """One set's ratios."""
    task = prepare(load(name), RunSpec(name, "explicit-gradient", folds=4, seeds=asked.replicates // 4))
    method = ExplicitGradient(epochs=asked.epochs, meta_epochs=asked.epochs)
    sizes = [float(size) for size in np.geomspace(1.0, LARGEST, asked.sizes)]
    stack = method.stack(task, [{"eta_points": size} for size in sizes])
    lone = method.stack(task, [{"eta_points": method.eta_points}])
    contenders: dict[str, Callable[[], list[Fitted]]] = {
        "one": lambda: [train(method, task)],
        "one in a stack": lambda: [train(method, lone)],
        "stacked": lambda: [train(method, stack)],
        "one after the other": lambda: [train(replace(method, eta_points=size), task) for size in sizes],
    }
    seconds: dict[str, list[float]] = {label: [] for label in contenders}
    fits: dict[str, list[Fitted]] = {}
    for _ in range(asked.repeats):
        for label, once in contenders.items():
            began = time.process_time()
            fits[label] = once()
            seconds[label].append(time.process_time() - began)
    alone = torch.cat([fitted.epoch for fitted in fits["one after the other"]])
    products = {label: time_products(list_products(contenders[label])) for label in ("one", "one in a stack", "stacked")}
    ratios = {
        f"{label} / {base}": [
            round(f(a / b for a, b in zip(seconds[label], seconds[base], strict=True)), 2)
            for f in (statistics.median, min, max)
        ]
        for label, base in (("stacked", "one"), ("stacked", "one in a stack"), ("one after the other", "one"))
    }
    return {
        "set": name,
        "replicates": len(task.replicates),
        "sizes": len(sizes),
        "seconds": {label: round(statistics.median(times), 3) for label, times in seconds.items()},
        **ratios,
        "products alone": {base: round(products["stacked"] / products[base], 2) for base in ("one", "one in a stack")},
        "members with the epoch they choose alone": f"{int((fits['stacked'][0].epoch == alone).sum())} of {len(alone)}",
    }


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=["glass2"])
    parser.add_argument("--sizes", type=int, default=10, help="how many step sizes, from 1 to 10,000")
    parser.add_argument("--replicates", type=int, default=20, help="a multiple of 4")
    parser.add_argument("--epochs", type=int, default=200, help="of each phase; patience ends the second")
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    for name in asked.sets:
        print(json.dumps(measure(name, asked)), flush=True)
    print(json.dumps(collect_provenance(torch.device("cpu"), torch.float32)))


if __name__ == "__main__":
    main()
