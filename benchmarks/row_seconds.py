"""Seconds of one seed of each method on tables, as a comparison trains it on all rows: what `engine.spec.row_seconds` guesses from.

    python -m benchmarks.row_seconds [--datasets ecoli4 breast-cancer yeast6 abalone19] [--rows 5000] [--methods ce smote] [--most 60]

One process a table; plain training goes first, as it does in a comparison, so what it leaves is used again. Seconds are of the processor,
on one thread, after the modules are imported. A method is left once it takes more than --most seconds. --rows: at most so many rows of a
table, drawn class by class. Prints a JSON object for each method and table, with the guess beside it, then the machine, then the lines
of `MEASURED`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

TOY = ("--datasets", "ecoli4", "--methods", "ce", "logistic", "--most", "20")
SHOWS = ('"seconds":', '"guess":', '"processor":', '"ce": (')
TABLES = ("ecoli4", "breast-cancer", "yeast6", "abalone19")


def measure(name: str, rows: int | None, methods: Sequence[str], most: float) -> Iterator[dict[str, Any]]:
    """Measures the methods on a table, in this process."""
    import numpy as np
    import torch

    from engine.compare.comparison import CompareSpec, rebuild_evaluator
    from engine.compare.halving import Resource
    from engine.data.prepare import encode
    from engine.data.sources import load
    from engine.data.thin import draw_rows
    from engine.events import Running
    from engine.methods import describe_methods
    from engine.seeds import numpy_stream
    from engine.spec.contest import NONE, list_rows
    from engine.spec.row_seconds import Size, guess_seconds

    torch.set_num_threads(1)
    dataset = load(name).join_parts()
    if rows is not None and rows < len(dataset.y):
        kept = draw_rows(dataset.y, np.arange(len(dataset.y)), rows, numpy_stream(0, "sample"), 1e9)
        dataset = dataset.rows(kept)
    size = Size.of(dataset.counts.tolist(), encode(dataset)[0].shape[1])
    catalog = {"methods": describe_methods()}
    every = [entry["name"] for entry in catalog["methods"] if entry["ranked"] and "tabular" in entry["kinds"]]
    spec = CompareSpec({"dataset": name}, methods=tuple(methods or every), budget=600.0)
    bench = rebuild_evaluator(dataset, spec, None)
    for row in list_rows(spec, catalog):
        if row.remedy not in (NONE, row.method):
            continue
        bench.import_needs(row.name)
        began, failed = time.process_time(), None
        running = Running(bench.evaluate(row.name, Resource(), (0,)))
        try:
            while running.pull() is not None:
                if time.process_time() - began > most:
                    failed = f"more than {most:g} s"
                    running.close()
                    break
        except Exception as error:  # a method that cannot take this table
            failed = f"{type(error).__name__}: {error}"
        seconds = time.process_time() - began
        guess = guess_seconds(row.method, size)
        yield {
            "table": name,
            "rows": len(dataset.y),
            "columns": size.columns,
            "folds": bench.spec.folds,
            "method": row.name,
            "seconds": round(seconds, 3) if failed is None else None,
            "guess": None if guess is None else [round(guess.low, 3), round(guess.middle, 3), round(guess.high, 3)],
            "failed": failed,
        }


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", nargs="+", default=list(TABLES))
    parser.add_argument("--rows", type=int, help="at most so many rows of a table")
    parser.add_argument("--methods", nargs="+", default=[], help="default: all for tables")
    parser.add_argument("--most", type=float, default=60.0, help="seconds after which a method is left")
    parser.add_argument("--one", action="store_true", help="the first table alone, in this process")
    asked = parser.parse_args()
    if asked.one:
        for line in measure(asked.datasets[0], asked.rows, asked.methods, asked.most):
            print(json.dumps(line), flush=True)
        return
    found: dict[str, dict[str, float | None]] = {}
    for name in asked.datasets:
        words = [sys.executable, "-m", "benchmarks.row_seconds", "--one", "--datasets", name, "--most", str(asked.most)]
        words += ["--rows", str(asked.rows)] if asked.rows is not None else []
        words += ["--methods", *asked.methods] if asked.methods else []
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=os.environ | {"LAB_THREADS": "1"}) as child:
            assert child.stdout is not None
            for text in child.stdout:
                print(text, end="", flush=True)
                line = json.loads(text)
                found.setdefault(line["method"], {})[name] = line["seconds"]
        if child.returncode:
            raise SystemExit(child.returncode)
    from engine.runner.provenance import describe_processor

    print(json.dumps({"processor": describe_processor(), "cores": os.cpu_count()}))
    for method, by_table in found.items():
        values = [by_table.get(name) for name in asked.datasets]
        print(f'    "{method}": ({", ".join("None" if v is None else f"{v:.3g}" for v in values)},),')


if __name__ == "__main__":
    main()
