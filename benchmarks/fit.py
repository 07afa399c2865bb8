"""One fit of the network on large tables: seconds of one core and average precision, beside the bound and scikit-learn's network.

    python -m benchmarks.fit [--tables adult fraud] [--rows 285000] [--seeds 5] [--epochs 200] [--ways 0 1 2 3]

Ways, for each table and seed, on the training rows of one fold: 0, the network as a run of the Lab trains it (its own batch size, all
epochs, the best chosen on every validation row); 1, as a comparison trains it (`engine.compare.sizes`); 2, the same for all epochs; 3,
MLPClassifier at its defaults on the same features. Test rows are scored once. Seconds are of the processor, on one thread; `bound` are
those of the matrix products of the epochs trained, measured beside them. adult: 28,941 training rows, 104 columns. fraud: a made table,
182,400 training rows of 285,000, 30 columns, 1.7 positive rows in 1,000 in four clusters. Prints a JSON object for each fit, then one for
each table and way with the paired difference to the first way and its interval.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from sklearn.neural_network import MLPClassifier

from engine.analysis import metrics
from engine.compare.bench import PATIENCE
from engine.compare.comparison import CompareSpec, rebuild_evaluator
from engine.compare.halving import Resource
from engine.compare.sizes import sample_valid
from engine.data.dataset import Dataset, Task
from engine.data.prepare import prepare
from engine.data.sources import load
from engine.data.table import numeric_only
from engine.events import Epoch, Running
from engine.methods import method
from engine.stats.intervals import corrected_t
from engine.training.camera import Camera

TOY = ("--tables", "fraud", "--rows", "20000", "--seeds", "2", "--epochs", "2")
SHOWS = ('"way": "comparison"', '"seconds":', '"difference":')

WAYS = ("own batch, all epochs", "comparison", "comparison, all epochs", "MLPClassifier")


def make_fraud(rows: int) -> Dataset:
    """A made table of 30 columns: rows of the rare class lie in one of four clusters, each in six of the columns."""
    rng = np.random.default_rng(0)
    y = (rng.random(rows) < 0.0017).astype(np.int64)
    x, kind = rng.standard_normal((rows, 30)), rng.integers(0, 4, rows)
    for k in range(4):
        own, columns = np.flatnonzero((y == 1) & (kind == k)), np.arange(6 * k, 6 * k + 6)
        x[np.ix_(own, columns)] = 0.6 * x[np.ix_(own, columns)] + 2.2 * (-1.0) ** np.arange(6)
    return numeric_only("fraud", "tabular", x, y, tuple(f"V{i}" for i in range(30)), ("0", "1"))


def find_bound(rows: int, batch: int, sizes: Sequence[int]) -> float:
    """Seconds of an epoch's matrix products alone: forward, and backward into weights and hidden layers."""
    a = [torch.randn(batch, n) for n in sizes]
    w = [torch.randn(i, o) for i, o in zip(sizes, sizes[1:], strict=False)]
    steps, best = max(1, rows // batch), float("inf")
    for _ in range(3):
        began = time.process_time()
        for _ in range(min(steps, 50)):
            for k, weight in enumerate(w):
                a[k] @ weight
                a[k].T @ a[k + 1]
                if k:
                    a[k + 1] @ weight.T
        best = min(best, (time.process_time() - began) / min(steps, 50))
    return best * rows / batch


def fit(task: Task, **params: object) -> dict[str, object]:
    """Fits the network and scores its test rows."""
    began = time.process_time()
    running = Running(method("ce")(**params).fit(task, camera=Camera(task, 0)))
    epochs = sum(isinstance(event, Epoch) for event in running)
    seconds = time.process_time() - began
    with torch.no_grad():
        p = running.value.net(task.test.x)[0].double().softmax(-1).numpy()
    sizes = (task.train.x.shape[2], *running.value.net.sizes[1:])
    bound = epochs * find_bound(int(task.train.sizes[0]), int(params["batch"]), sizes)  # type: ignore[call-overload]
    more = {"batch": params["batch"], "epochs": epochs, "chosen": int(running.value.epoch[0]), "bound": round(bound, 2)}
    return {"seconds": round(seconds, 2), "ap": score(task, p), **more}


def fit_scikit(task: Task, seed: int) -> dict[str, object]:
    """MLPClassifier at its defaults."""
    train, test = (part.x[0][part.mask[0]].numpy() for part in (task.train, task.test))
    model = MLPClassifier(random_state=seed)
    began = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(train, task.train.y[0][task.train.mask[0]].numpy())
    seconds = time.process_time() - began
    return {"seconds": round(seconds, 2), "ap": score(task, model.predict_proba(test)), "batch": 200, "epochs": model.n_iter_}


def score(task: Task, p: np.ndarray) -> float:
    """Average precision on the test rows."""
    return round(float(metrics.scores(p, task.test.y[0].numpy())["average_precision"][0]), 5)


def measure(name: str, dataset: Dataset, seeds: int, epochs: int, wanted: Sequence[int]) -> None:
    """Measures a table. wanted: places in WAYS."""
    bench = rebuild_evaluator(dataset, CompareSpec({"dataset": name}, methods=("ce",), budget=600.0), None)
    asked = bench.choose_params("ce", Resource(epochs=epochs))
    own = {**asked, "batch": method("ce")().batch, "learning_rate": method("ce")().learning_rate}
    found: dict[str, list[float]] = {}
    for seed in range(seeds):
        number = seed * bench.spec.folds
        task = prepare(bench.dataset, bench.spec, [number], cut=bench.plan.cut)
        shown = replace(task, patience=PATIENCE, sample=sample_valid(task))
        ways = (
            partial(fit, task, **own),
            partial(fit, shown, **asked),
            partial(fit, replace(shown, patience=0), **asked),
            partial(fit_scikit, task, seed),
        )
        for way in wanted:
            one = ways[way]()
            found.setdefault(WAYS[way], []).append(float(str(one["ap"])))
            print(json.dumps({"table": name, "seed": seed, "way": WAYS[way], **one}), flush=True)
    for way, values in found.items():
        gap = corrected_t(np.subtract(values, found[WAYS[wanted[0]]]), 0.2 / 0.64, None)
        difference = {"mean": round(gap.mean, 5), "low": round(gap.low, 5), "high": round(gap.high, 5), "n": gap.n}
        print(
            json.dumps({"table": name, "way": way, "ap": round(float(np.mean(values)), 5), "difference": difference}),
            flush=True,
        )


def main() -> None:
    """Measures the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", nargs="+", choices=("adult", "fraud"), default=["adult", "fraud"])
    parser.add_argument("--rows", type=int, default=285_000, help="rows of the fraud table")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--ways", nargs="+", type=int, choices=range(len(WAYS)), default=list(range(len(WAYS))))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for name in arguments.tables:
        dataset = load("adult") if name == "adult" else make_fraud(arguments.rows)
        measure(name, dataset, arguments.seeds, arguments.epochs, arguments.ways)
    print(json.dumps({"load": [round(n, 1) for n in os.getloadavg()], "threads": torch.get_num_threads()}))


if __name__ == "__main__":
    main()
