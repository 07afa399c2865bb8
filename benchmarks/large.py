"""Memory and seconds of the largest tables that are taken.

    python -m benchmarks.large [--tables cards bytes cells] [--budget 60]

cards: 149 MB, 285,000 x 31, read and compared in `--budget` seconds. bytes: 499 MiB, 1,000,000 x 31; cells: 98,000,000 cells; both
are read, profiled and made a dataset. Each table has its own process. Prints a JSON object for each: its size, seconds until the
board has its first row and in all, the most MiB that the process had, and the machine's load before.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.engine.data.large import write_cards, write_counts

TOY = ("--tables", "cards", "cells", "--rows", "3000", "--budget", "5")
SHOWS = ('"table": "cards"', '"table": "cells"', '"read_seconds"', '"first_row_seconds"', '"most_mib"')
MAKERS = {"cards": write_cards, "bytes": write_cards, "cells": write_counts}
ROWS = {"cards": 285_000, "bytes": 1_000_000, "cells": 1_960_000}


def measure(name: str, file: Path, budget: float) -> dict[str, object]:
    """Reads a table in this process, and compares on it if it is `cards`."""
    from engine.compare.comparison import CompareSpec, compare, describe_sheet
    from engine.data.tables.profile import profile_table, to_dataset
    from engine.data.tables.reading import read_sheet
    from engine.events import Board, Running

    load_before = os.getloadavg()[0]
    began = time.monotonic()
    sheet = read_sheet(file.read_bytes(), file.name, target="Class")
    profile_table(sheet, "Class", None)
    dataset = to_dataset(sheet, "Class", name=name)
    read, first = time.monotonic() - began, None
    if name == "cards":
        spec = CompareSpec({"file": file.name}, "Class", budget=budget)
        running = Running(compare(dataset, spec, began=began, **describe_sheet(sheet, "Class", None)))
        for event in running:
            if isinstance(event, Board) and first is None:
                first = time.monotonic() - began
    return {
        "table": name,
        "mib": file.stat().st_size >> 20,
        "rows": sheet.rows,
        "columns": len(sheet.columns),
        "read_seconds": round(read, 1),
        "first_row_seconds": None if first is None else round(first, 1),
        "seconds": round(time.monotonic() - began, 1),
        "most_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
        "load": load_before,
    }


def main() -> None:
    """Makes the tables and measures each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", nargs="+", choices=MAKERS, default=list(MAKERS))
    parser.add_argument("--budget", type=float, default=60.0)
    parser.add_argument("--rows", type=int, help="of every table, in place of its own")
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.file is not None:
        print(json.dumps(measure(arguments.tables[0], arguments.file, arguments.budget)), flush=True)
        return
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.tables:
            file = MAKERS[name](Path(folder) / f"{name}.csv", arguments.rows or ROWS[name])
            given = ["--tables", name, "--budget", str(arguments.budget), "--file", str(file)]
            subprocess.run([sys.executable, "-m", "benchmarks.large", *given], check=True)
            file.unlink()


if __name__ == "__main__":
    main()
