"""Whether a comparison keeps its budget: seconds used and allowed, and seconds until the board has its first row.

    python -m benchmarks.compare [--datasets adult abalone9-18] [--budgets 15 60]

Every comparison has its own process, which like an idle worker has imported torch and read the data, and nothing else. Prints
one JSON object per comparison, with the level reached, the replicates and the machine's load, then whether all budgets were
kept within 10%.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time

TOY = ("--datasets", "wine", "--budgets", "5")
SHOWS = ('"first_row"', '"cpu_seconds"', '"replicates"', '"all_kept_within"')
WITHIN = 0.1
"""Share of the budget by which a comparison may exceed it."""


def measure(name: str, budget: float) -> dict[str, object]:
    """Runs one comparison on a dataset of the catalog, in this process."""
    from engine.compare.comparison import CompareSpec, compare
    from engine.data.sources import load
    from engine.events import Board, Running

    dataset = load(name)
    load_before = os.getloadavg()[0]
    began, busy, first = time.monotonic(), time.process_time(), None
    running = Running(compare(dataset, CompareSpec({"dataset": name}, budget=budget)))
    for event in running:
        if isinstance(event, Board) and first is None:
            first = time.monotonic() - began
    found, artifacts = running.value
    seconds = time.monotonic() - began
    assert first is not None
    replicates = [m["replicates"] for m in found["methods"]]
    return {
        "dataset": name,
        "rows": len(dataset.y),
        "budget": budget,
        "seconds": round(seconds, 2),
        "first_row": round(first, 2),
        "cpu_seconds": round(time.process_time() - busy, 2),
        "kept": seconds <= (1 + WITHIN) * budget,
        "train_rows": found["data"]["train_rows"],
        "replicates": [min(replicates), max(replicates)],
        "look_alone": found["methods"][0]["look"],
        "failed": [m["name"] for m in found["methods"] if m["failed"]],
        "best": found["best"],
        "shortened": found["shortened"],
        "artifact_bytes": sum(map(len, artifacts.values())),
        "load": [round(load_before, 1), round(os.getloadavg()[0], 1)],
        "cores": os.cpu_count(),
    }


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", nargs="+", default=["abalone9-18", "adult"])
    parser.add_argument("--budgets", nargs="+", type=float, default=[15.0, 60.0])
    parser.add_argument("--one", action="store_true", help="the first of each alone, in this process")
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(measure(asked.datasets[0], asked.budgets[0])))
        return
    kept = True
    for name in asked.datasets:
        for budget in asked.budgets:
            words = [sys.executable, "-m", "benchmarks.compare", "--one", "--datasets", name, "--budgets", str(budget)]
            line = subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
            print(line, flush=True)
            kept = kept and json.loads(line)["kept"]
    print(json.dumps({"all_kept_within": WITHIN, "kept": kept}))


if __name__ == "__main__":
    main()
