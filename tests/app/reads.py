"""What a page reads of its store: statements, rows, bytes and SQLite's own steps, none of which depends on how busy the machine is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from engine.store import Store

STEPS = 1000


@dataclass
class Reads:
    """statements: sent to the database. rows, size: what came back, size in bytes of text and blobs. steps: of SQLite's machine."""

    statements: int = 0
    rows: int = 0
    size: int = 0
    steps: int = 0


@contextmanager
def reads(store: Store) -> Iterator[Reads]:
    """Count what goes on in this store's database within the block, from whatever thread."""
    found = Reads()

    def row(cursor: Any, values: Any) -> Any:
        found.rows += 1
        found.size += sum(len(v) for v in values if isinstance(v, str | bytes))
        return values

    def step() -> int:
        found.steps += STEPS
        return 0

    def taken(connection: Any, *_: Any) -> None:
        connection.row_factory = row
        connection.set_progress_handler(step, STEPS)

    def given_back(connection: Any, *_: Any) -> None:
        if connection is not None:
            connection.row_factory = None
            connection.set_progress_handler(None, 0)

    def said(*_: Any) -> None:
        found.statements += 1

    listeners = (("checkout", taken), ("checkin", given_back), ("after_cursor_execute", said))
    for name, listener in listeners:
        sa.event.listen(store.database.sql_engine, name, listener)
    try:
        yield found
    finally:
        for name, listener in listeners:
            sa.event.remove(store.database.sql_engine, name, listener)
