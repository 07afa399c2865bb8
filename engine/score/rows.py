"""The scored rows as CSV: the file's own columns, then probability, flag and reasons."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from engine.export.rows import choose_delimiter
from engine.spec.score import ROW_COLUMNS
from engine.spec.table_reading import TableReading
from engine.text import csv_cell

BLOCK = 2**16
"""Rows written at once."""

_RISKY = "^[\\t\\r\\n]|\\x00|(^|[;\\t\\r\\n])[^0-9A-Za-z]*[=+\\-@\uff1d\uff0b\uff0d\uff20]"
"""Finds every text that `csv_cell` changes, and some more."""
_NUMBER = r"^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$"


def write_scored(names: Sequence[str], texts: Sequence[Any], added: Mapping[str, Any], reading: TableReading | None) -> bytes:
    """The CSV, in the encoding of the table's file and with its delimiter.

    names, texts: of the file's own columns, pyarrow arrays [n] of cells as written. They stay as they are, but that a cell which a
    spreadsheet would read as a formula starts with an apostrophe. added: pyarrow arrays [n] by name (ROW_COLUMNS).
    """
    import pyarrow.compute as pc

    delimiter = choose_delimiter(reading)
    header = io.StringIO()
    csv.writer(header, delimiter=delimiter, lineterminator="\r\n").writerow([csv_cell(n) for n in [*names, *name_added(names)]])
    columns = [*texts, *(added[name] for name in ROW_COLUMNS)]
    out = _Encoded(reading)
    out.write(header.getvalue())
    rows = len(columns[-1])
    for start in range(0, rows, BLOCK):
        block = [_quote(_escape(_to_strings(column.slice(start, BLOCK))), delimiter) for column in columns]
        lines = pc.binary_join_element_wise(*block, delimiter) if len(block) > 1 else block[0]
        out.write("\r\n".join(lines.to_pylist()) + "\r\n")
    return bytes(out.data)


class _Encoded:
    """Text in the encoding of the table's file; all of it in UTF-8 where the file has none, or none that can write it."""

    def __init__(self, reading: TableReading | None) -> None:
        self.data = bytearray()
        self._name = reading.encoding if reading is not None and reading.encoding else "utf-8"
        try:
            self._encoder = codecs.getincrementalencoder(self._name)()
        except LookupError:
            self._name, self._encoder = "utf-8", codecs.getincrementalencoder("utf-8")()

    def write(self, text: str) -> None:
        """Adds text."""
        try:
            self.data += self._encoder.encode(text)
        except UnicodeEncodeError:
            self.data = bytearray(self.data.decode(self._name).encode())
            self._name, self._encoder = "utf-8", codecs.getincrementalencoder("utf-8")()
            self.data += self._encoder.encode(text)


def name_added(names: Sequence[str]) -> list[str]:
    """Names of the columns that are added; `_` is put behind one that the file has already."""
    out = []
    for name in ROW_COLUMNS:
        while name in names:
            name += "_"
        out.append(name)
    return out


def write_numbers(values: np.ndarray, decimal: str) -> Any:
    """Numbers [n] as texts with this decimal mark."""
    import pyarrow as pa
    import pyarrow.compute as pc

    out = pc.cast(pa.array(values), pa.string())
    return out if decimal == "." else pc.replace_substring(out, ".", decimal)


def _to_strings(column: Any) -> Any:
    """One pyarrow array of texts, "" where empty."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = pc.fill_null(pc.cast(column, pa.string()), "")
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _escape(column: Any) -> Any:
    """The texts, each as `csv_cell` writes it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    risky = pc.match_substring_regex(column, _RISKY)
    if not pc.any(risky).as_py():
        return column
    risky = pc.and_(risky, pc.invert(pc.match_substring_regex(column, _NUMBER)))
    at = np.flatnonzero(risky.to_numpy(zero_copy_only=False))
    if not len(at):
        return column
    said = column.take(pa.array(at)).to_pylist()
    known = {text: csv_cell(text) for text in set(said)}
    return pc.replace_with_mask(column, risky, pa.array([known[text] for text in said], pa.string()))


def _quote(column: Any, delimiter: str) -> Any:
    """The texts, those with a delimiter, a quote or a line end within quotes."""
    import pyarrow.compute as pc

    special = pc.match_substring_regex(column, f'[{re.escape(delimiter)}"\\r\\n]')
    if not pc.any(special).as_py():
        return column
    doubled = pc.replace_substring(column, '"', '""')
    return pc.if_else(special, pc.binary_join_element_wise('"', doubled, '"', ""), column)
