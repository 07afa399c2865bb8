"""The structure of a text by DuckDB: what separates and quotes its cells, and its rows as columns of texts.

The text is a file of a memory file system of our own, which DuckDB reads as memory:///NAME; nothing touches the disk. Neither the
page nor the engine's own process loads this module.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import duckdb
from fsspec.implementations.memory import MemoryFile, MemoryFileSystem  # type: ignore[import-untyped]

from engine.errors import BadData

LIMIT = "3GB"
"""Memory of one reading; a text has at most `table_limits.MAX_INFLATED` bytes."""

SETTINGS = (
    "autoinstall_known_extensions=false",
    "autoload_known_extensions=false",
    "temp_directory=''",
    "enable_external_file_cache=false",
    f"memory_limit='{LIMIT}'",
    "threads=1",
    "allowed_directories=['memory://']",
    "enable_external_access=false",
    "lock_configuration=true",
)
"""In this order: after the last two no other path is read, nothing is installed and no setting can be changed."""

LONGEST = 1 << 21
"""Bytes of a row that DuckDB takes without being asked for more."""


class TextStore(MemoryFileSystem):  # type: ignore[misc]
    """Files in memory. `MemoryFileSystem` keeps its files on the class, for the whole process; these are apart."""

    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    cachable = False


class Bytes(MemoryFile):  # type: ignore[misc]
    """A file that is read only. It shares the bytes that it is made of; `MemoryFile` copies them when it is asked for its size."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data=data)
        self._length = len(data)

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self._length


@dataclass(frozen=True)
class Dialect:
    """What separates cells, quotes them and escapes a quote ("" where none occurs), and how many lines stand above the table."""

    delimiter: str
    quote: str
    escape: str
    skipped: int


_numbers = itertools.count()


_lock = threading.Lock()


@cache
def _connect() -> duckdb.DuckDBPyConnection:
    """The locked connection of this process. It keeps nothing of what it has read."""
    connection = duckdb.connect(":memory:")
    connection.register_filesystem(TextStore())
    for setting in SETTINGS:
        connection.execute(f"SET {setting}")
    return connection


class Duck:
    """Reads texts from memory; close it after one file. Nothing of a text stays in the store."""

    def __init__(self) -> None:
        self._store = TextStore()
        with _lock:
            self._connection = _connect().cursor()

    def __enter__(self) -> Duck:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    @contextmanager
    def _put(self, data: bytes) -> Iterator[str]:
        """The path by which the connection reads these bytes."""
        name = f"/text-{next(_numbers)}"
        try:
            self._store.store[name] = Bytes(data)
            yield f"memory://{name}"
        finally:
            self._store.store.pop(name, None)

    def sniff_dialect(self, sample: bytes, delimiter: str | None = None) -> Dialect | None:
        """What DuckDB takes the beginning of a text for: by rows that are all alike, else with some that are shorter or longer.
        None where it sees a single column. delimiter: where it is known.
        """
        given = "" if delimiter is None else ", delim=?"
        with self._put(sample) as path:
            for how in ("strict_mode=false", "ignore_errors=true", "strict_mode=false, null_padding=true"):
                query = (
                    "SELECT Delimiter, Quote, Escape, SkipRows, len(Columns) "
                    f"FROM sniff_csv(?, all_varchar=true, sample_size=-1, {how}{given})"
                )
                try:
                    rows = self._connection.execute(query, [path] if delimiter is None else [path, delimiter]).fetchall()
                except duckdb.Error:
                    continue
                for row in rows:
                    if row[4] < 2:
                        continue
                    separator, quote, escape = ("" if text in (None, "(empty)") else str(text) for text in row[:3])
                    return Dialect(separator, quote, escape, int(row[3]))
        return None

    def read_columns(self, data: bytes, dialect: Dialect, width: int, rows: int) -> list[Any] | None:
        """The columns as pyarrow arrays of strings, "" where a cell is empty; None where the rows do not all have `width` cells, or
        where DuckDB cannot parse them. rows: the most that a table may have; one more is read, to notice a larger one.
        """
        longest = max(map(len, data.splitlines())) if len(data) > LONGEST else LONGEST
        given = {
            "delim": dialect.delimiter,
            "quote": dialect.quote,
            "escape": dialect.escape,
            "max_line_size": max(LONGEST, longest + 1),
            "buffer_size": max(32 << 20, 16 * (longest + 1)),
        }
        names = ", ".join(f"'c{i}': 'VARCHAR'" for i in range(width))
        query = (
            f"SELECT * FROM read_csv(?, auto_detect=false, columns={{{names}}}, header=false, nullstr='', parallel=false, "
            + ", ".join(f"{name}=?" for name in given)
            + f") LIMIT {rows + 1}"
        )
        with self._put(data) as path:
            try:
                table = self._connection.sql(query, params=[path, *given.values()]).to_arrow_table()
            except duckdb.OutOfMemoryException:
                raise BadData("The table needs more memory than there is for it: send fewer rows or columns.") from None
            except duckdb.Error:
                return None
        chunks = table.columns
        del table
        chunks.reverse()
        return [_join_chunks(chunks.pop()) for _ in range(width)]  # one after the other, so that two tables are never kept


def _join_chunks(column: Any) -> Any:
    import pyarrow as pa

    return column.combine_chunks().fill_null("").cast(pa.string())
