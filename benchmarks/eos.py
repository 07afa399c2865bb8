"""Seconds to make 37,594 EOS samples from 12,406 rows of 64 features (CIFAR-10 at 100:1) at K = 10, and in two other ways.

    python -m benchmarks.eos [--repeats 5] [--threads 2]

The loop takes one row at a time: its distances to all rows, its neighbours, then its samples. SMOTE is imbalanced-learn's,
which searches neighbours within a class only. Every repeat times all three one after the other. Prints the median and the
range, in wall and in CPU seconds. CPU seconds are more reliable on a busy machine.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from imblearn.over_sampling import SMOTE

from benchmarks._made import count_rows, make_embeddings
from engine.samplers import EOS

TOY = ("--repeats", "1", "--most", "800")
SHOWS = ('"eos"', '"loop"', '"smote"', '"cpu_seconds"', '"samples": 6018')


def loop(x: np.ndarray, y: np.ndarray) -> int:
    """EOS row by row. Returns the number of samples."""
    rng, made = np.random.default_rng(0), []
    counts = np.bincount(y)
    for c in range(1, 10):
        bases = []
        for i in np.flatnonzero(y == c):
            distance = ((x - x[i]) ** 2).sum(1)
            distance[i] = np.inf
            near = np.argpartition(distance, 10)[:10]
            if len(enemies := near[y[near] != c]):
                bases.append((i, enemies))
        for _ in range(counts.max() - counts[c]):
            i, enemies = bases[rng.integers(len(bases))]
            made.append(x[i] + rng.random() * (x[rng.choice(enemies)] - x[i]))
    return len(made)


def main() -> None:
    """Prints one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--most", type=int, default=5000, help="rows of the largest class; CIFAR-10 at 100:1 has 5,000")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    counts = count_rows(asked.most)
    x, y = make_embeddings(counts)
    samples = sum(max(counts) - n for n in counts)
    ways: dict[str, Callable[[], int]] = {
        "eos": lambda: len(EOS(random_state=0).fit_resample(x, y)[1]) - len(y),
        "loop": lambda: loop(x, y),
        "smote": lambda: len(SMOTE(random_state=0).fit_resample(x, y)[1]) - len(y),
    }
    wall: dict[str, list[float]] = {name: [] for name in ways}
    busy: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(asked.repeats):
        for name, way in ways.items():
            at, cpu = time.perf_counter(), time.process_time()
            assert way() == samples
            wall[name].append(time.perf_counter() - at)
            busy[name].append(time.process_time() - cpu)
    shown = {
        name: {
            "seconds": round(statistics.median(wall[name]), 3),
            "range": [round(min(wall[name]), 3), round(max(wall[name]), 3)],
            "cpu_seconds": round(statistics.median(busy[name]), 3),
        }
        for name in ways
    }
    print(json.dumps({"rows": len(y), "samples": samples, "threads": asked.threads, "repeats": asked.repeats} | shown))


if __name__ == "__main__":
    main()
