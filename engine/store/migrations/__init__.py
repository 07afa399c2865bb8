"""Changes to the tables, one file each, run by Alembic on either database.

A file is called `vNNNN_what_it_does.py`, NNNN one more than the last, and declares `revision` (NNNN), `down_revision` (the one before)
and `upgrade()`, which changes tables by `alembic.op` as a database of that age has them: it never reads `engine.store.schema`'s tables,
which are those of today. There is no way back. A new database gets today's tables at once, and a test holds that they are what all files
together make. Alembic is imported where something is to be changed alone, since opening a store must be quick.
"""

from __future__ import annotations

import pkgutil
import threading
from functools import cache
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from engine.store.schema import FACTS, REVISIONS

BEFORE = 2
"""Schemas that were there before the first file: the table `meta` calls what that one leaves schema 3."""
FOLDER = Path(__file__).parent
"""Where the files are."""
_ALONE = threading.Lock()
"""`alembic.op` belongs to the process: one database is changed at a time."""


@cache
def latest_schema() -> int:
    """The number of the tables of today, which `meta` has under `schema`."""
    return BEFORE + max(int(name[1:5]) for _, name, _ in pkgutil.iter_modules([str(FOLDER)]))


def stamp_latest(connection: Connection) -> None:
    """Record that this database has the tables of today, in the transaction that made them."""
    stamp(connection, latest_schema())


def stamp(connection: Connection, schema: int) -> None:
    """Record which tables an open transaction leaves, for Alembic and for the next one that opens the store."""
    connection.execute(REVISIONS.delete())
    connection.execute(REVISIONS.insert().values(version_num=f"{schema - BEFORE:04}"))
    connection.execute(FACTS.delete().where(FACTS.c.key == "schema"))
    connection.execute(FACTS.insert().values(key="schema", value=str(schema)))


def upgrade(connection: Connection) -> None:
    """Run the files that this database has not seen, all in the open transaction. An empty database gets all of them."""
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    files = ScriptDirectory(FOLDER, version_locations=[FOLDER])
    with _ALONE, EnvironmentContext(Config(), files, fn=lambda seen, _: files._upgrade_revs("head", seen)) as context:
        context.configure(connection=connection, target_metadata=sa.MetaData())
        context.run_migrations()
    stamp_latest(connection)
