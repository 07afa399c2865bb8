"""Seconds of a quick look at EOS on digits by part, of a step of each small network, and of a replicate of a paper's reduced tables.

    python -m benchmarks.images [--repeats 5] [--threads 1] [--epochs 30] [--tables eos dos]

A step is one minibatch of one replicate. The plain loop is what papers publish: a DataLoader, a module, torch.optim.Adam. The bound
is the step's multiplications and additions over the rate of a product of two 512 x 512 matrices, measured beside it. Every repeat
times all ways one after the other. Prints seconds by the clock and of processor; on a busy machine only the second says something.
A replicate of a table is all its runs with one seed, whose data must be on this machine; the paper's twenty take twenty times as long.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.flop_counter import FlopCounterMode

from engine.data.sources import available
from engine.events import Phase
from engine.losses import cross_entropy
from engine.models.cnn import CNN, TRUNKS
from engine.papers import dos, eos
from engine.papers.protocol import Table
from engine.reproduce.parallel import run_spec
from engine.runner import run
from engine.spec import Imbalance, RunSpec
from engine.training import network_cache
from engine.training.loop import Batch
from engine.training.optimisers import Adam

TOY = ("--repeats", "1", "--epochs", "1", "--steps", "1", "--tables")
SHOWS = ('"quick look"', '"plain loop"', '"bound ms"')

STEPS = (
    ("small-resnet", "digits", (1, 8, 8), 64),
    ("small-resnet", "CIFAR-10", (3, 32, 32), 64),
    ("lenet", "MNIST", (1, 28, 28), 60),
)
"""Network, the images it is timed on, their shape, rows of a batch."""
TABLES: dict[str, tuple[Any, tuple[str, ...]]] = {"eos": (eos, ("I", "II", "IV")), "dos": (dos, ("1", "2", "3", "6", "7"))}


def time_once(way: Callable[[], Any]) -> tuple[float, float]:
    """(seconds by the clock, seconds of processor)."""
    clock, busy = time.perf_counter(), time.process_time()
    way()
    return time.perf_counter() - clock, time.process_time() - busy


def describe(times: list[tuple[float, float]], each: int = 1) -> dict[str, Any]:
    """Median and range in milliseconds of one of `each`."""
    clock, busy = ([1e3 * t[i] / each for t in times] for i in (0, 1))
    return {
        "clock ms": round(statistics.median(clock), 2),
        "range": [round(min(clock), 2), round(max(clock), 2)],
        "processor ms": round(statistics.median(busy), 2),
    }


def look(epochs: int) -> dict[str, float]:
    """Seconds by the clock of a quick look at EOS on digits, by part, and in all; with pictures, as the page asks for it."""
    network_cache.clear()
    began, busy = time.perf_counter(), time.process_time()
    running = run(RunSpec("digits", "eos", Imbalance("exponential", 50.0), params={"epochs": epochs}))
    parts: dict[str, float] = {}
    name, at = "first", began
    for event in running:
        if isinstance(event, Phase):
            now = time.perf_counter()
            parts[name], name, at = round(now - at, 3), event.name, now
    parts[name] = round(time.perf_counter() - at, 3)
    return parts | {"all": round(time.perf_counter() - began, 3), "processor": round(time.process_time() - busy, 3)}


class Published(nn.Module):
    """The layers of a network with its last one."""

    def __init__(self, model: str, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.trunk = TRUNKS[model](shape)
        self.last = nn.Linear(int(self.trunk.width), 10)  # type: ignore[arg-type]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x [B, channels, height, width] -> logits [B, 10]."""
        z: torch.Tensor = self.last(self.trunk(x))
        return z


def time_steps(model: str, shape: tuple[int, int, int], rows: int, steps: int, repeats: int) -> dict[str, Any]:
    """Our step and the plain loop's on the same made rows, and the bound."""
    size = shape[0] * shape[1] * shape[2]
    x, y = torch.randn(1, rows * steps, size), torch.randint(10, (1, rows * steps))
    net = CNN.create(model, shape, 10, [torch.Generator()], device=torch.device("cpu"), dtype=torch.float32)
    ours = Adam(net, cross_entropy, rate=1e-3)
    mask, alive = torch.ones(1, rows, dtype=torch.bool), torch.ones(1, dtype=torch.bool)
    plain = Published(model, shape)
    optimiser = torch.optim.Adam(plain.parameters(), 1e-3, (0.5, 0.999))
    loader = DataLoader(TensorDataset(x[0].view(-1, *shape), y[0]), rows, shuffle=True)

    def step() -> None:
        ours.begin([steps])
        for k in range(steps):
            at = slice(k * rows, (k + 1) * rows)
            ours(Batch(x[:, at], y[:, at], mask, alive, k))

    def loop() -> None:
        for images, labels in loader:
            optimiser.zero_grad()
            nn.functional.cross_entropy(plain(images), labels).backward()
            optimiser.step()

    square = torch.randn(512, 512)
    ways: dict[str, Callable[[], Any]] = {
        "ours": step,
        "plain loop": loop,
        "product": lambda: [square @ square for _ in range(20)],
    }
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for repeat in range(repeats + 1):
        for name, way in ways.items():
            once = time_once(way)
            if repeat:  # the first one warms up
                times[name].append(once)
    with FlopCounterMode(display=False) as counted:
        nn.functional.cross_entropy(plain(x[0, :rows].view(-1, *shape)), y[0, :rows]).backward()
    rate = 20 * 2 * 512**3 / statistics.median(busy for _, busy in times["product"])
    bound = 1e3 * counted.get_total_flops() / rate
    shown = {name: describe(times[name], steps) for name in ("ours", "plain loop")}
    ratios = sorted(b[1] / a[1] for a, b in zip(times["ours"], times["plain loop"], strict=True))
    return {
        **shown,
        "plain / ours": [round(r, 2) for r in (statistics.median(ratios), ratios[0], ratios[-1])],
        "bound ms": round(bound, 2),
        "share of the bound": round(bound / shown["ours"]["processor ms"], 2),
    }


def time_replicate(tables: list[Table]) -> dict[str, Any]:
    """Seconds of every run of these tables with one seed, on data that are here."""
    arms = {arm.key: arm for table in tables for arm in table.arms() if available(arm.dataset)}
    if not arms:
        return {"runs": 0}
    network_cache.clear()
    read: dict[str, Any] = {}
    clock, busy = time_once(lambda: [run_spec(arm.spec(1), "cpu", read) for arm in arms.values()])
    return {"runs": len(arms), "clock s": round(clock, 1), "processor s": round(busy, 1)}


def main() -> None:
    """Measures and prints, one JSON object a line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=30, help="of the quick look")
    parser.add_argument("--steps", type=int, default=20, help="of a network in one repeat")
    parser.add_argument("--tables", nargs="*", choices=list(TABLES), default=[], help="papers of which one replicate is timed")
    asked = parser.parse_args()
    looks = [look(asked.epochs) for _ in range(asked.repeats)]
    torch.set_num_threads(asked.threads)
    middle = {part: round(statistics.median(one[part] for one in looks), 3) for part in looks[0]}
    every = [one["all"] for one in looks]
    print(json.dumps({"what": "quick look", "seconds": middle, "range": [min(every), max(every)]}), flush=True)
    for model, images, shape, rows in STEPS:
        shown = time_steps(model, shape, rows, asked.steps, asked.repeats)
        print(json.dumps({"what": f"a step of {model} on {images}", **shown}), flush=True)
    for name in asked.tables:
        paper, tables = TABLES[name]
        shown = time_replicate([paper.table(table, True) for table in tables])
        print(json.dumps({"what": f"a replicate of the reduced tables of {name}", **shown}), flush=True)


if __name__ == "__main__":
    main()
