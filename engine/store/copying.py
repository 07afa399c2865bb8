"""Moving a store from one database to another, row by row, and the check that both then hold the same.

Private rows are opened on the way, and padded or sealed again as the other database keeps them: then what is compared is what they say.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from engine.errors import BadInput, StoreError
from engine.store.database import Database
from engine.store.schema import CATALOGS, ENGINES, FACTS, JOBS, METADATA, REVISIONS, UPLOADS
from engine.store.sealing import Place

LEFT_OUT = (REVISIONS.name, FACTS.name, ENGINES.name, CATALOGS.name, "keys")
"""Tables that say something of their own database alone: its schema, its engines and its keys."""
_SEALED: dict[str, tuple[str, str | None, tuple[str, ...]]] = {
    "jobs": ("id", None, ("spec", "reason")),
    "events": ("job", "seq", ("words", "arrays")),
    "results": ("job", None, ("words", "arrays")),
    "artifacts": ("job", "name", ("data",)),
    "uploads": ("id", None, ("name",)),
    "pieces": ("upload", "n", ("data",)),
    "marks": ("job", None, ("name",)),
}
"""Tables with private rows: the column that says whose a row is, the one that numbers it, and those that are sealed."""
_NO_PAD: dict[str, Any] = {"artifacts": 0, "pieces": b""}
AT_ONCE = 50
"""Rows in memory at a time."""


class Copied(NamedTuple):
    """A table, its rows, and SHA-256 over them in the order of their keys."""

    table: str
    rows: int
    digest: str


def copy_store(source: Database, target: Database) -> list[Copied]:
    """Copy every row of a store into an empty one, in one transaction of each, and compare them afterwards.

    Raises BadInput where the target has rows, and StoreError where it cannot keep private tables and there are some, where one of the
    source cannot be opened, or where a table differs afterwards: then nothing is copied.
    """
    if source.url == target.url:
        raise BadInput("both are the same store; name another one to copy to.")
    tables = [table for table in METADATA.sorted_tables if table.name not in LEFT_OUT]
    out = []
    with source.reading() as reader, target.writing() as writer:
        for table in tables:
            if writer.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first() is not None:
                raise BadInput(f"the store {target.place} is not empty: its table {table.name} has rows; name an empty one.")
        keys = _name_keys(reader)
        if keys:
            target.refuse_private()
        for key in dict.fromkeys(keys.values()):
            target.make_key(writer, key)
        is_opened = source.seals or target.seals
        for table in tables:
            columns = [column for column in table.columns if column.computed is None]
            names = [column.name for column in columns]
            opening, sealing = (
                _Private(one, connection, table, keys) if is_opened and table.name in _SEALED else None
                for one, connection in ((source, reader), (target, writer))
            )
            for rows in _read_rows(reader, table, columns):
                values = [dict(zip(names, row, strict=True)) for row in rows]
                if opening is not None and sealing is not None:
                    values = [sealing.seal(opening.open(one)) for one in values]
                writer.execute(table.insert(), values)
            before, after = _digest(reader, table, columns, opening), _digest(writer, table, columns, sealing)
            if before != after:
                raise StoreError(f"the table {table.name} differs after it was copied to {target.place}; nothing was copied.")
            out.append(after)
    return out


def _read_rows(connection: Connection, table: sa.Table, columns: list[sa.Column[Any]]) -> Iterator[list[Any]]:
    """The rows of a table in the order of its key, AT_ONCE at a time."""
    query = sa.select(*columns).order_by(*table.primary_key.columns).execution_options(yield_per=AT_ONCE)
    yield from map(list, connection.execute(query).partitions())


def _name_keys(connection: Connection) -> dict[str, str]:
    """Id of a private table or job -> the name of its key."""
    out = {id: id for id in connection.execute(sa.select(UPLOADS.c.id)).scalars()}
    jobs = connection.execute(sa.select(JOBS.c.id, JOBS.c.upload).where(JOBS.c.owner.is_not(None)))
    return out | {id: upload or id for id, upload in jobs}


class _Private:
    """Opens and seals rows of a table of one database. Rows of what is public stay as they are."""

    def __init__(self, database: Database, connection: Connection, table: sa.Table, keys: dict[str, str]) -> None:
        self._database, self._connection, self._table, self._keys = database, connection, table.name, keys
        self._id, self._n, self._columns = _SEALED[table.name]

    def open(self, row: dict[str, Any]) -> dict[str, Any]:
        """A row without padding, its words and bytes opened."""
        key, out = self._keys.get(row[self._id]), dict(row)
        if key is None:
            return out
        for name in self._columns:
            value, place = row[name], self._place(name, row)
            if isinstance(value, str):
                out[name] = self._database.open_words(self._connection, value, key, place).lstrip(" ")
            elif value is not None:
                padding = row["pad"] if self._table == "artifacts" else 0
                out[name] = self._database.open_data(self._connection, bytes(value)[padding:], key, place)
        return out | ({"pad": _NO_PAD[self._table]} if "pad" in row else {})

    def seal(self, row: dict[str, Any]) -> dict[str, Any]:
        """A row that `open` gave, as this database stores it."""
        key, out, database = self._keys.get(row[self._id]), dict(row), self._database
        if key is None:
            return out
        if self._table == "artifacts":
            return database.artifact_row(self._connection, row["job"], row["name"], row["data"], key)
        for name in self._columns:
            value, place = row[name], self._place(name, row)
            if name == "reason":
                out[name] = database.seal_reason(self._connection, value, key, place) if value else value
            elif isinstance(value, str):
                out[name] = database.seal_words(self._connection, value, key, place)
            elif value is not None:
                out[name] = database.seal_data(self._connection, value, key, place)
        return out | ({"pad": database.pad_private(b"", key)} if "pad" in row else {})

    def _place(self, column: str, row: dict[str, Any]) -> Place:
        return self._table, column, row[self._id], row[self._n] if self._n else 0


def _digest(connection: Connection, table: sa.Table, columns: list[sa.Column[Any]], private: _Private | None) -> Copied:
    digest, count = hashlib.sha256(), 0
    for rows in _read_rows(connection, table, columns):
        for stored in rows:
            count += 1
            row = stored
            if private is not None:
                row = list(private.open(dict(zip([column.name for column in columns], stored, strict=True))).values())
            digest.update(repr(tuple(bytes(value) if isinstance(value, memoryview) else value for value in row)).encode())
    return Copied(table.name, count, digest.hexdigest())
