"""Reads a pandas DataFrame as a table of a known reading: for models that are given what pandas read from the file."""

from __future__ import annotations

import csv
import io
from typing import Any

from engine.data.tables.sheet import Sheet
from engine.errors import BadData
from engine.spec.table_reading import TableReading

ASK = "Give the path of the file instead, so that it is read as the table was."


def read_frame(frame: Any, reading: TableReading) -> Sheet:
    """The features of `reading`, and its target where it is there, from a frame as `pandas.read_csv`, `read_excel` or `read_parquet`
    has it by default. All rows of the frame are kept, also those without a value.

    Names agree after trimming. Raises BadData where a column lacks or its values cannot be the file's.
    """
    from engine.data.tables.reading import read_sheet

    names = {str(name).strip(): name for name in frame.columns}
    lacking = [c.name for c in reading.features if c.name not in names]
    if lacking:
        raise BadData(f"The frame lacks the column {lacking[0]!r}. {ASK}")
    kept = [c.name for c in reading.columns if c.name in names]
    out = io.StringIO()
    write = csv.writer(out).writerow
    write(kept)
    bare = frame[[names[name] for name in kept]]
    for row in bare.itertuples(index=False):
        write(["" if value is None or value != value else value for value in row])
    return read_sheet(out.getvalue().encode(), "frame", {"delimiter": ",", "header": True, "encoding": "utf-8"})
