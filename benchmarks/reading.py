"""Tables drawn from a seed, read and compared with what was drawn: how many are read otherwise.

    python -m benchmarks.reading [--tables 2000] [--seed 0]

Every table is read by a guess and again by its reading alone. Prints each difference with its seed and, at the end, how many
tables differ and the seconds a table took.
"""

from __future__ import annotations

import argparse
import json
import time

from engine.data.tables.reading import read_sheet
from engine.data.tables.target import describe_target
from engine.errors import BadData
from engine.spec.table_reading import TableReading
from tests.engine.data.tables_made import compare_sheet, draw_table

TOY = ("--tables", "5")
SHOWS = ("0 of 5 tables differ", "s a table")


def read_table(seed: int) -> list[str]:
    """What is read otherwise than drawn."""
    drawn = draw_table(seed)
    try:
        sheet = read_sheet(drawn.data, "a", drawn.options, target=drawn.target if drawn.named else None)
        text = json.dumps(describe_target(sheet, drawn.target).to_json())
        again = read_sheet(drawn.data, "a", reading=TableReading.from_json(json.loads(text)))
    except BadData as error:
        return [str(error)]
    return [f"{drawn.what}: {one}" for one in (*compare_sheet(sheet, drawn), *compare_sheet(again, drawn))]


def main() -> None:
    """Reads the tables and prints what differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    began, differ = time.perf_counter(), 0
    for seed in range(arguments.seed, arguments.seed + arguments.tables):
        if found := read_table(seed):
            differ += 1
            print(f"{seed}: {found[0]}")
    seconds = (time.perf_counter() - began) / arguments.tables
    print(f"{differ} of {arguments.tables} tables differ; {seconds:.3f} s a table")


if __name__ == "__main__":
    main()
