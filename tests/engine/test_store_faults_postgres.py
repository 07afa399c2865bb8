"""An error at the n-th statement of every verb that writes, for many n, and a conflict at every commit, with the store on PostgreSQL.

Scene, cases and what must hold are those of `test_store_faults`. Errors are the driver's, by SQLSTATE, raised before a statement is sent. A
transaction that met a conflict (40P01) at its commit is done again, so that its verb does all of its work.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from engine.store import Store, arrival, sealing
from engine.store.postgres import PostgresDatabase
from tests.engine.test_store_faults import ADMIN, CASES, CAUSES, FAULTS, LASTING, NOW, Scene, list_verbs, record_states, strike
from tests.postgres import Server

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]
EACH, STEP = 8, 7
KEPT = "faults_kept"
"""The schema of the rows that `PostgresScene.restore` brings back."""


def make_error(cause: str) -> Exception:
    from psycopg import errors

    return {
        "full": errors.DiskFull("could not extend file"),
        "locked": errors.LockNotAvailable("canceling statement due to lock timeout"),
        "conflict": errors.DeadlockDetected("deadlock detected"),
        "lost": errors.OperationalError("consuming input failed"),
    }[cause]


def tick(connection: Any, *, commits: bool = False) -> None:
    """Count a statement or a commit, and let it fail where it is the armed one. connection: psycopg's.

    A conflict is met at commits of what was written, which alone are counted then.
    """
    if FAULTS.cause == "conflict" and (connection.read_only or not commits):
        return
    FAULTS.count += 1
    if not FAULTS.number or FAULTS.count < FAULTS.number or (FAULTS.struck and FAULTS.cause != LASTING):
        return
    FAULTS.struck = True
    if FAULTS.cause == "lost":
        connection.close()
    raise make_error(FAULTS.cause)


class PostgresScene(Scene):
    """A filled schema, and the same rows in a schema beside it."""

    def __init__(self, server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        import psycopg

        self.folder, self.token = folder, "ab"
        monkeypatch.setattr("secrets.token_hex", lambda n: self.token * n)
        self.store = Store(server.make_schema("faults"))
        server.make_schema(KEPT)
        self.fill(self.store)
        self.plain = psycopg.connect(server.url().replace("+psycopg", "").replace("?", ""), autocommit=True)
        tables = sa.inspect(self.store.database.sql_engine).get_table_names()
        columns = {
            table: ", ".join(
                c["name"] for c in sa.inspect(self.store.database.sql_engine).get_columns(table) if not c.get("computed")
            )
            for table in sorted(tables)
        }
        for table, names in columns.items():
            self.plain.execute(f"CREATE TABLE {KEPT}.{table} AS SELECT {names} FROM faults.{table}")
        again = [f"INSERT INTO faults.{t} ({names}) SELECT {names} FROM {KEPT}.{t}" for t, names in columns.items()]
        self._restore = "; ".join([*(f"DELETE FROM faults.{table}" for table in columns), *again])
        self._rows = {table: f"SELECT '{table}', t::text FROM faults.{table} AS t" for table in columns}

    def restore(self) -> Store:
        self.token = "cd"
        (self.folder / "again.zip").unlink(missing_ok=True)
        self.plain.execute(self._restore)
        return self.store

    def dump(self, only: tuple[str, ...] = ()) -> dict[str, Any]:
        rows: dict[str, list[str]] = {table: [] for table in only or self._rows}
        for table, row in self.plain.execute(" UNION ALL ".join(self._rows[table] for table in rows)):
            rows[table].append(row)
        return {table: sorted(found) for table, found in rows.items()}

    def check_connections(self, where: object) -> None:
        assert self.store.database.sql_engine.pool.checkedout() == 0, where


@pytest.fixture
def scene(postgres: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[PostgresScene]:
    """The scene, with a clock that stands still, tokens and nonces that repeat, and statements that can fail."""
    from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

    commit = PGDialect_psycopg.do_commit

    def do_commit(self: Any, connection: Any) -> None:
        tick(connection.dbapi_connection, commits=True)
        commit(self, connection)
        if FAULTS.committed is not None:
            FAULTS.committed()

    def count(cursor: Any, statement: str, parameters: Any, context: Any) -> None:
        tick(cursor.connection)

    monkeypatch.setattr(time, "time", lambda: NOW)
    monkeypatch.setattr(arrival, "PIECE", 1000)
    monkeypatch.setenv("LAB_ADMINS", ADMIN)
    monkeypatch.setattr(PostgresDatabase, "clock", property(lambda self: sa.literal(NOW, sa.Double)))
    monkeypatch.setattr(PostgresDatabase, "read_uptime", lambda *_: 3600.0)
    monkeypatch.setattr(PostgresDatabase, "describe_debt", lambda *_: "0")
    monkeypatch.setattr(sealing, "os", SimpleNamespace(urandom=lambda n: b"\7" * n))
    FAULTS.arm(0, "full")
    with tempfile.TemporaryDirectory() as folder:
        scene = PostgresScene(postgres, Path(folder), monkeypatch)
        monkeypatch.setattr(PGDialect_psycopg, "do_commit", do_commit)
        names = ("do_execute", "do_executemany")
        for name in names:
            sa.event.listen(scene.store.database.sql_engine, name, count)
        yield scene
        FAULTS.arm(0, "full")
        FAULTS.committed = None
        scene.plain.close()
        scene.store.close()
    for schema in ("faults", KEPT):
        postgres.run_sql(f"DROP SCHEMA {schema} CASCADE", "lab")


def test_an_error_at_statements_of_every_verb_that_writes(scene: PostgresScene) -> None:
    """The first EACH statements of a verb fail once each, the causes in turn, of later ones every STEP-th; on SQLite all do."""
    causes, written = list(CAUSES), 0
    for name in list_verbs():
        FAULTS.arm(0, "full")
        states, end = record_states(scene, name)
        if states[0] == end:
            continue
        number, written = 1, written + 1
        while strike(scene, name, causes[number % len(causes)], number, states, end):
            number += 1 if number < EACH else STEP
        assert number > 2, name
    assert written > 30


def test_a_transaction_that_met_another_is_done_again(scene: PostgresScene) -> None:
    """Each commit of what a verb writes fails once, as where two waited for each other; the verb does all of its work all the same."""
    for name in list_verbs():
        FAULTS.arm(0, "conflict")
        _, end = record_states(scene, name)
        for number in range(1, FAULTS.count + 1):
            store = scene.restore()
            FAULTS.arm(number, "conflict")
            CASES[name](store, scene)
            assert FAULTS.struck, (name, number)
            FAULTS.arm(0, "conflict")
            assert scene.dump() == end, (name, number)
