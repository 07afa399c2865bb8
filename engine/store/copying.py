"""Moving a store from one database to another, row by row, and the check that both then hold the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from engine.errors import BadInput, StoreError
from engine.store.database import Database
from engine.store.schema import ENGINES, FACTS, JOBS, METADATA, REVISIONS, UPLOADS

LEFT_OUT = (REVISIONS.name, FACTS.name, ENGINES.name, "keys")
"""Tables that say something of their own database alone: its schema, its engines and its keys."""
AT_ONCE = 50
"""Rows in memory at a time."""


class Copied(NamedTuple):
    """A table, its rows, and SHA-256 over them in the order of their keys."""

    table: str
    rows: int
    digest: str


def copy_store(source: Database, target: Database) -> list[Copied]:
    """Copy every row of a store into an empty one, in one transaction of each, and compare them afterwards.

    Raises BadInput where the target has rows, and StoreError where it cannot keep private tables and there are some, or where a table
    differs afterwards: then nothing is copied.
    """
    if source.url == target.url:
        raise BadInput("both are the same store; name another one to copy to.")
    tables = [table for table in METADATA.sorted_tables if table.name not in LEFT_OUT]
    out = []
    with source.reading() as reader, target.writing() as writer:
        for table in tables:
            if writer.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first() is not None:
                raise BadInput(f"the store {target.place} is not empty: its table {table.name} has rows; name an empty one.")
        private = sa.union_all(sa.select(UPLOADS.c.id), sa.select(JOBS.c.id).where(JOBS.c.owner.is_not(None))).limit(1)
        if reader.execute(private).first() is not None:
            target.refuse_private()
        for table in tables:
            columns = [column for column in table.columns if column.computed is None]
            names = [column.name for column in columns]
            for rows in _read_rows(reader, table, columns):
                writer.execute(table.insert(), [dict(zip(names, row, strict=True)) for row in rows])
            before, after = _digest(reader, table, columns), _digest(writer, table, columns)
            if before != after:
                raise StoreError(f"the table {table.name} differs after it was copied to {target.place}; nothing was copied.")
            out.append(after)
    return out


def _read_rows(connection: Connection, table: sa.Table, columns: list[sa.Column[Any]]) -> Iterator[list[Any]]:
    """The rows of a table in the order of its key, AT_ONCE at a time."""
    query = sa.select(*columns).order_by(*table.primary_key.columns).execution_options(yield_per=AT_ONCE)
    yield from map(list, connection.execute(query).partitions())


def _digest(connection: Connection, table: sa.Table, columns: list[sa.Column[Any]]) -> Copied:
    digest, count = hashlib.sha256(), 0
    for rows in _read_rows(connection, table, columns):
        for row in rows:
            count += 1
            digest.update(repr(tuple(bytes(value) if isinstance(value, memoryview) else value for value in row)).encode())
    return Copied(table.name, count, digest.hexdigest())
