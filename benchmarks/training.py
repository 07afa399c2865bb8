"""Training steps per second: stacked replicates against one at a time, the published loop, and scikit-learn's MLP.

    python -m benchmarks.training [--sets glass2 yeast4 abalone19] [--replicates 20] [--repeats 5] [--threads 1 2] [--ours]

A step is one minibatch of one replicate. The published explicit-gradient loop is a DataLoader, one replicate, `create_graph`
and SGD on the synthetic rows, written here from Algorithm 1. Every repeat times all programs one after the other, so that a
ratio compares times under the same load. Prints medians of the ratios with their range.

The bound is what the stacked run's matrix products take alone, those of its evaluations included: products of the same shapes, with
nothing between them, in the same repeat. The share of the bound compares processor seconds. --ours: the stacked run and its bound alone.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import time
import warnings
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.settings import list_products, time_products
from engine.data.dataset import Task
from engine.data.prepare import prepare
from engine.data.sources import load
from engine.events import Epoch
from engine.methods import method
from engine.runner.provenance import collect_provenance
from engine.spec import RunSpec
from engine.training import network_cache
from engine.training.camera import Camera

TOY = ("--sets", "moons", "--replicates", "4", "--repeats", "1", "--threads", "1", "--steps", "30")
SHOWS = (
    '"ms per step"',
    '"processor ms per step"',
    '"bound"',
    '"share of the bound"',
    '"load"',
    '"ratio to stacked"',
    "explicit gradient",
)
HIDDEN = (64, 64)
BATCH = 128


class Seconds(NamedTuple):
    """Seconds per step and replicate, by the clock and of the processor."""

    clock: float
    processor: float


def now() -> Seconds:
    """Both at once."""
    return Seconds(time.perf_counter(), time.process_time())


def since(began: Seconds, steps: float, ended: Seconds | None = None) -> Seconds:
    """What so many steps took."""
    ended = ended or now()
    return Seconds((ended.clock - began.clock) / steps, (ended.processor - began.processor) / steps)


def ours(name: str, task: Task, **params: object) -> Callable[[], Seconds]:
    """This project's trainer from its first epoch's end on, with evaluation of every epoch and without pictures."""

    def once() -> Seconds:
        network_cache.clear()
        fitting = method(name)(hidden=HIDDEN, batch=BATCH, **params).fit(task, camera=Camera(task, 0))
        phase = "points" if name == "explicit-gradient" else "training"
        ends = [(now(), event.step) for event in fitting if isinstance(event, Epoch) and event.phase == phase]
        (first, begun), (last, ended) = ends[0], ends[-1]
        return since(first, (ended - begun) * len(task.replicates), last)

    return once


def bound(name: str, task: Task, steps: int, few: Mapping[str, object], many: Mapping[str, object]) -> Callable[[], float]:
    """Processor seconds per step and replicate of the products alone that a run with `many` epochs takes beyond one with `few`.

    steps: that it takes beyond it, of all replicates together.
    """
    shapes = list_products(ours(name, task, **many)) - list_products(ours(name, task, **few))
    return lambda: time_products(shapes) / steps / len(task.replicates)


def published(task: Task, meta: bool, steps: int) -> Callable[[], Seconds]:
    """One replicate in the published loop. It has no evaluation, which makes it faster."""

    def once() -> Seconds:
        torch.manual_seed(0)
        x, y = task.train.x[0][task.train.mask[0]], task.train.y[0][task.train.mask[0]].float()
        held = DataLoader(
            TensorDataset(task.valid.x[0][task.valid.mask[0]], task.valid.y[0][task.valid.mask[0]].float()), BATCH, shuffle=True
        )
        real = DataLoader(TensorDataset(x, y), BATCH, shuffle=True)
        z = x[y == 1].clone().requires_grad_()
        copies = DataLoader(TensorDataset(torch.arange(len(z))), BATCH, shuffle=True)
        sizes = (x.shape[1], *HIDDEN, 1)
        layers = [torch.nn.Linear(i, o) for i, o in itertools.pairwise(sizes)]
        net = torch.nn.Sequential(*itertools.chain(*((layer, torch.nn.ReLU()) for layer in layers[:-1])), layers[-1])
        adam, descent = torch.optim.Adam(net.parameters(), 1e-3, (0.5, 0.999)), torch.optim.SGD([z], 1000.0)
        loss = torch.nn.BCEWithLogitsLoss()
        epochs = itertools.chain.from_iterable(itertools.repeat(real))
        cycles = zip(epochs, itertools.cycle(copies), itertools.cycle(held), strict=False)
        began = now()
        for (xb, yb), (rows,), (vx, vy) in itertools.islice(cycles, steps):
            if not meta:
                adam.zero_grad()
                loss(net(xb).squeeze(1), yb).backward()
                adam.step()
                continue
            parameters = dict(net.named_parameters())
            both, labels = torch.cat([z[rows], xb]), torch.cat([torch.ones(len(rows)), yb])
            inner = loss(torch.func.functional_call(net, parameters, both).squeeze(1), labels)
            gradients = torch.autograd.grad(inner, list(parameters.values()), create_graph=True)
            stepped = {k: p - 1e-2 * g for (k, p), g in zip(parameters.items(), gradients, strict=True)}
            descent.zero_grad()
            loss(torch.func.functional_call(net, stepped, vx).squeeze(1), vy).backward()
            descent.step()
            with torch.no_grad():
                for p, g in zip(parameters.values(), gradients, strict=True):
                    p -= 1e-2 * g
                    p.grad = None
        return since(began, steps)

    return once


def library(task: Task, epochs: int) -> Callable[[], Seconds]:
    """scikit-learn's MLPClassifier with the same network, one replicate."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    def once() -> Seconds:
        x, y = task.train.x[0][task.train.mask[0]].numpy(), task.train.y[0][task.train.mask[0]].numpy()
        net = MLPClassifier(
            HIDDEN, alpha=0.0, batch_size=min(BATCH, len(x)), beta_1=0.5, max_iter=epochs, n_iter_no_change=epochs
        )
        began = now()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            net.fit(x, y)
        return since(began, epochs * -(-len(x) // BATCH))

    return once


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=["glass2", "yeast4", "abalone19"])
    parser.add_argument("--replicates", type=int, default=20, help="a multiple of 4")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--steps", type=int, default=300, help="of the published loop; ours take four fifths, 20 epochs at least"
    )
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--ours", action="store_true", help="the stacked run and its bound alone")
    asked = parser.parse_args()
    out = {"provenance": collect_provenance(torch.device("cpu"), torch.float32), "replicates": asked.replicates, "rows": []}
    for threads in asked.threads:
        torch.set_num_threads(threads)
        for name in asked.sets:
            data, spec = load(name), RunSpec(name, "ce", folds=4, seeds=asked.replicates // 4)
            many, one = prepare(data, spec), prepare(data, spec, [0])
            per_pass = -(-int(many.train.sizes.max()) // BATCH)
            epochs = max(3, min(20, asked.steps // 15), 4 * asked.steps // 5 // per_pass)
            plain = {
                "stacked": ours("ce", many, epochs=epochs),
                "one at a time": ours("ce", one, epochs=epochs),
                "as published": published(one, False, asked.steps),
                "scikit-learn": library(one, epochs),
            }
            options = {"epochs": 1, "meta_epochs": epochs, "patience": 2000}
            meta = {
                "stacked": ours("explicit-gradient", many, **options),
                "one at a time": ours("explicit-gradient", one, **options),
                "as published": published(one, True, asked.steps),
            }
            steps = (epochs - 2) * per_pass  # the two runs below differ by so many
            bounds = {
                "plain training": bound("ce", many, steps, {"epochs": 2}, {"epochs": epochs}),
                "explicit gradient": bound("explicit-gradient", many, steps, options | {"meta_epochs": 2}, options),
            }
            for what, contenders in (("plain training", plain), ("explicit gradient", meta)):
                if asked.ours:
                    contenders = {"stacked": contenders["stacked"]}
                times: dict[str, list[float]] = {label: [] for label in contenders}
                worked: dict[str, list[float]] = {label: [] for label in contenders}
                least: list[float] = []
                for _ in range(asked.repeats):
                    for label, once in contenders.items():
                        found = once()
                        times[label].append(found.clock)
                        worked[label].append(found.processor)
                    least.append(bounds[what]())
                row = {"set": name, "rows": int(many.train.sizes[0]), "what": what, "threads": threads, "n": asked.repeats}
                row["ms per step"] = {label: round(1e3 * statistics.median(t), 4) for label, t in times.items()}
                row["processor ms per step"] = {label: round(1e3 * statistics.median(t), 4) for label, t in worked.items()}
                row["processor ms per step"]["bound"] = round(1e3 * statistics.median(least), 4)
                shares = [a / b for a, b in zip(least, worked["stacked"], strict=True)]
                row["share of the bound"] = [round(f(shares), 3) for f in (statistics.median, min, max)]
                row["load"] = round(os.getloadavg()[0], 1)
                row["ratio to stacked"] = {
                    label: [
                        round(f(a / b for a, b in zip(t, times["stacked"], strict=True)), 1)
                        for f in (statistics.median, min, max)
                    ]
                    for label, t in times.items()
                    if label != "stacked"
                }
                out["rows"].append(row)
                print(json.dumps(row), flush=True)
    print(json.dumps(out["provenance"]))


if __name__ == "__main__":
    main()
