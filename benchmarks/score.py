"""How long a model takes to score a large table, and what memory that needs.

    python -m benchmarks.score [--rows 356251] [--columns 50] [--model ce] [--alerts 10]

A table of numbers, levels and gaps is drawn, a model is fitted on its first rows by a comparison, and the whole table is scored: drift,
reasons, promise and CSV. Prints seconds by step and the peak of resident memory. The aim is 20 s for 356,251 rows and 50 columns.
"""

from __future__ import annotations

import argparse
import io
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from engine.commands.main import main as run_command
from engine.events import Phase, finish
from engine.export.read import load_model
from engine.score.score import score_table
from engine.score.scorer import Scorer

TOY = ("--rows", "2000", "--columns", "12", "--budget", "5")
SHOWS = ("2,000 rows, 12 columns", "in all", "with reasons", "peak")
TRAINED = 5000
"""Rows that the model is fitted on."""


def draw_table(rows: int, columns: int) -> bytes:
    """CSV of `columns` columns, every tenth of levels, some cells empty, and a rare answer that five numbers tell."""
    rng = np.random.default_rng(0)
    values: dict[str, object] = {}
    signal = np.zeros(rows)
    for k in range(columns - 1):
        if k % 10 == 9:
            values[f"c{k}"] = np.array(["red", "green", "blue", "it's"])[rng.integers(4, size=rows)]
        else:
            own = np.round(rng.normal(size=rows), 2 + k % 4)
            signal += own if k < 5 else 0
            values[f"v{k}"] = pa.array(own, mask=rng.random(rows) < (0.02 if k % 7 == 0 else 0))
    values["answer"] = np.where(signal + rng.normal(size=rows) > 4.8, "yes", "no")
    out = io.BytesIO()
    pyarrow.csv.write_csv(pa.table(values), out)
    return out.getvalue()


def main() -> None:
    """Draws, fits, scores and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=356_251)
    parser.add_argument("--columns", type=int, default=50)
    parser.add_argument("--model", default="ce")
    parser.add_argument("--budget", type=float, default=15.0, help="seconds of the comparison that fits the model")
    parser.add_argument("--alerts", type=float, default=10.0)
    arguments = parser.parse_args()
    data = draw_table(arguments.rows, arguments.columns)
    with tempfile.TemporaryDirectory() as folder:
        table, file = Path(folder) / "a.csv", Path(folder) / "model.zip"
        table.write_bytes(b"\n".join(data.split(b"\n", TRAINED + 1)[: TRAINED + 1]))
        asked = [
            "compare",
            str(table),
            "--target",
            "answer",
            "--budget",
            str(arguments.budget),
            "--of",
            arguments.model,
            "--model",
            str(file),
            "--json",
        ]
        if status := run_command(asked):
            raise SystemExit(status)
        model = load_model(file)
    print(f"{arguments.rows:,} rows, {arguments.columns} columns, {len(data) / 2**20:.0f} MiB, {arguments.model}")
    began, used = time.perf_counter(), time.process_time()
    last = began
    phase = "start"

    def tell(event: object) -> None:
        nonlocal last, phase
        if isinstance(event, Phase):
            now = time.perf_counter()
            print(f"{now - last:7.2f} s  {phase}")
            last, phase = now, event.text

    steps = score_table(Scorer.of(model), data, "new.csv", alerts=arguments.alerts, target="answer")
    answer, artifacts = finish(steps, tell)
    now = time.perf_counter()
    print(f"{now - last:7.2f} s  {phase}\n{now - began:7.2f} s  in all, {time.process_time() - used:.2f} s of a core")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    told = f"{answer['explained']:,} with reasons, {answer['drift']['counts']}"
    print(f"{answer['flagged']:,} flagged, {told}, {len(artifacts['scored.csv']) / 2**20:.0f} MiB of rows, peak {peak:.2f} GiB")


if __name__ == "__main__":
    main()
