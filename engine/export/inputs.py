"""What a model is given: the path of a file, a data frame of pandas, or rows as mappings."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.data.tables.frame import read_frame
from engine.data.tables.reading import read_sheet
from engine.data.tables.sheet import Sheet
from engine.errors import BadData
from engine.spec.table_limits import MAX_BYTES
from engine.spec.table_reading import TableReading
from engine.text import one_line


def open_table(table: Any, reading: TableReading | None) -> Any:
    """The table as a Sheet where it is read by `reading`: a path, a data frame, rows or columns as mappings; else the table itself,
    as is a Sheet.

    reading: how the table that the model was fitted on was read; None where the model does not hold that, or it was no file. Raises
    BadData for a path without a reading, and for what the reading does not fit; OSError as `open` does.
    """
    if isinstance(table, (str, os.PathLike)):
        return read_path(table, reading)
    if reading is None or isinstance(table, Sheet):
        return table
    if not hasattr(table, "columns"):
        table = _to_frame(table)
    return read_frame(table, reading)


def read_path(path: str | os.PathLike[str], reading: TableReading | None) -> Sheet:
    """The file, read as the model's table was."""
    if reading is None:
        raise BadData("This model does not hold how its table was read from a file: give it a data frame with its columns.")
    file = Path(path)
    if file.is_file() and file.stat().st_size > MAX_BYTES:
        raise BadData(
            f"{one_line(file, 200)!r} has more than {MAX_BYTES >> 20} MiB, and no more are read: send fewer rows or columns."
        )
    return read_sheet(file.read_bytes(), file.name, reading=reading)


def _to_frame(table: Any) -> Any:
    import pandas as pd

    if isinstance(table, Mapping):
        return pd.DataFrame(dict(table))
    if isinstance(table, Iterable) and not isinstance(table, (str, bytes)):
        rows = list(table)
        if all(isinstance(row, Mapping) for row in rows):
            return pd.DataFrame(rows)
    raise BadData("The model takes the path of a file, a data frame, or a list of one dict per row.")


def columns_of(table: Any, names: Sequence[str]) -> tuple[dict[str, Any], int]:
    """({name: its values}, rows) of a data frame, a mapping of columns, or rows as mappings. Raises BadData."""
    if hasattr(table, "columns") or isinstance(table, Mapping):
        keys = list(table.columns if hasattr(table, "columns") else table)
        found = [str(key) for key in keys]
        twice = [name for name in names if found.count(name) > 1]
        if twice:
            raise BadData(
                f"The table has {found.count(twice[0])} columns called {one_line(twice[0], 40)!r}; the model takes one."
            )
        wanted = set(names)
        values = {name: table[key] for name, key in zip(found, keys, strict=True) if name in wanted}
    elif isinstance(table, Iterable) and not isinstance(table, (str, bytes)):
        rows = list(table)
        if not all(isinstance(row, Mapping) for row in rows):
            raise BadData("The model takes a data frame, or a list of one dict per row.")
        values = {name: [row.get(name) for row in rows] for name in names if not rows or any(name in row for row in rows)}
    else:
        raise BadData("The model takes a data frame, or a list of one dict per row.")
    if absent := [name for name in names if name not in values]:
        raise BadData(describe_absent(absent, len(names)))
    lengths = {len(v) for v in values.values()} or {0}
    if len(lengths) > 1:
        raise BadData("The columns of the table are not equally long.")
    return values, lengths.pop()


def describe_absent(absent: Sequence[str], wanted: int) -> str:
    """Which columns the table lacks, in one sentence. wanted: how many the model takes."""
    more = f" and {len(absent) - 5} more" if len(absent) > 5 else ""
    listed = ", ".join(repr(one_line(name, 40)) for name in absent[:5]) + more
    return f"The table lacks {len(absent)} of the {wanted} columns that the model takes: {listed}."
