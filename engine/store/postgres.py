"""The store on PostgreSQL 15 and later, and all that is PostgreSQL's alone: its locks, functions, errors and settings.

Verbs were written for SQLite's one writer. So a transaction that writes first takes one advisory lock, which all writers of the same
schema share; those that `writing(alone=False)` begins take locks of rows instead, each after a test of the race that this opens
(`tests/engine/test_races.py`). A transaction that reads sees one state (REPEATABLE READ).

Text has the collation C, so that lists sort, and searches lower letters, as on SQLite whatever the database was created with. What this
database cannot store in text, NUL and half surrogates, comes as U+FFFD; where a person gives it, it was refused before.

Private rows are sealed (`engine.store.sealing`) under the key of their table, or of their job where it has none. Keys are in an UNLOGGED
table: in no write-ahead log, no replica, and gone after a crash of the server, which empties it. A row of KEYS that is always there tells
of that: who connects and misses it forgets what has no key. Queries see nothing of sealed words; verbs open them in Python.

Errors are told by SQLSTATE alone, since messages change with the server's language, and never with their DETAIL, which quotes rows.
"""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, AnyStr
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, JSONPATH, insert
from sqlalchemy.engine import Connection
from sqlalchemy.ext.compiler import compiles

from engine.errors import BadStore, StoreError, StoreFull, StoreLocked
from engine.store import sealing
from engine.store.database import OF_A_PAGE, Conflict, Database, Result, show_url, upsert_by
from engine.store.migrations import latest_schema, stamp_latest, upgrade
from engine.store.schema import ARTIFACTS, FACTS, JOBS, METADATA, TEXT, PublicSpecColumn, PublicSpecField
from engine.store.sealing import KEY_GONE, MARK, Place
from engine.text import is_storable, make_storable, quote

if TYPE_CHECKING:
    from engine.store.listening import Listener

log = logging.getLogger(__name__)
LOCK_S = 10
"""Seconds that a statement waits for another's lock, and that a stopped client may hold one."""
LISTENS, CONNECT_S = "imbalance-lab listens", 3
"""The name of the connection for notifications in the server's lists, and seconds that it may take to be made."""
OLDEST = 15
"""The major version of the server that this needs."""
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('imbalance-lab ' || current_schema(), 0))"
"""Advisory locks belong to the database: two schemas have two numbers."""
FUNCTION = """
CREATE FUNCTION json_extract(text, text) RETURNS text IMMUTABLE PARALLEL SAFE LANGUAGE sql
AS $$ SELECT jsonb_path_query_first($1::jsonb, $2::jsonpath) #>> '{}' $$
"""
"""SQLite's function of that name: what JSON text has at a path, as text."""
KEYS = sa.Table(
    "keys",
    sa.MetaData(),
    sa.Column("id", TEXT, primary_key=True),
    sa.Column("key", sa.LargeBinary, nullable=False),
    prefixes=["UNLOGGED"],
)
"""The key of each private table, and of each private job without one. It belongs to this database alone."""
OLDER_SNAPSHOTS = """
SELECT CAST(%(debt)s AS xid8) < pg_snapshot_xmax(pg_current_snapshot()) AND (
    pg_snapshot_xmin(pg_current_snapshot()) <= CAST(%(debt)s AS xid8) OR EXISTS (
        SELECT FROM (SELECT backend_xmin AS oldest FROM pg_stat_activity
                     WHERE pid <> pg_backend_pid() AND (datname IS NULL OR datname = current_database())
                     UNION ALL SELECT xmin FROM pg_replication_slots) AS snapshots
        WHERE age(oldest) >= age(CAST(CAST(mod(CAST(CAST(%(debt)s AS text) AS numeric), 4294967296) AS text) AS xid))))
"""
"""Whether a transaction or a snapshot is open that may see what the transaction of that number deleted. Snapshots of those that only read
are no part of `pg_snapshot_xmin`. A number that this server has not reached came with a dump."""
ALWAYS = ""
"""The name of the row that a crash of the server takes along."""
KEYS_CHECKS = 3
"""Connections that are made anew until none shows up meanwhile that was not there when the keys were looked at."""
KEYS_LOCK_MS = 300
"""Milliseconds that writing the table of keys anew waits for those who read it."""
_handles: dict[tuple[int, str], PostgresDatabase] = {}
_opening = threading.Lock()


def open_postgres(url: str, connections: tuple[int, int] = OF_A_PAGE) -> PostgresDatabase:
    """The handle of this process on a database: one for all, so that its connections are few. Raises BadStore and StoreError."""
    key = (os.getpid(), url)
    with _opening:
        if key not in _handles:
            _handles[key] = PostgresDatabase(url, connections)
        return _handles[key]


class PostgresDatabase(Database):
    """A schema of a database of PostgreSQL: the one that the connection's search path names first."""

    silence = 15.0
    seals = True
    on_this_machine = False

    def __init__(self, url: str, connections: tuple[int, int] = OF_A_PAGE) -> None:
        self.url = url
        parsed = sa.make_url(url)
        self.place = _name_place(parsed)
        digest = hashlib.sha256(url.encode()).hexdigest()[:16]
        self.lock_path = Path(tempfile.gettempdir()) / f"imbalance-lab-{digest}.engine-lock"
        self.generation, self.replaced = 0, None
        try:
            self.sql_engine = sa.create_engine(
                parsed,
                connect_args=_settings(parsed),
                pool_size=connections[0],
                max_overflow=connections[1],
                pool_pre_ping=True,
                pool_timeout=LOCK_S,
                hide_parameters=True,
            )
        except ModuleNotFoundError:
            raise BadStore(
                "a store on PostgreSQL needs the package psycopg; `pip install -r requirements-postgres.txt` installs it."
            ) from None
        self._reader = self.sql_engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._keys: WeakKeyDictionary[Connection, dict[str, bytes]] = WeakKeyDictionary()
        self._news: WeakKeyDictionary[Connection, dict[tuple[str, str], None]] = WeakKeyDictionary()
        self._listener: Listener | None = None
        self._is_checked, self._checking = False, threading.Lock()
        self._lost = float("-inf")  # when a connection was lost or refused last (monotonic)
        sa.event.listen(self.sql_engine, "connect", self._doubt_keys)
        sa.event.listen(self.sql_engine, "before_cursor_execute", _replace_unstorable, retval=True)
        try:
            self._prepare()
        except BaseException as error:
            self.sql_engine.dispose()
            if type(error) is StoreError:  # what else there is may pass by itself
                raise BadStore(str(error)) from None
            raise

    # ---- transactions

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        with self._explain(), self._connect(self._reader) as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self, *, alone: bool = True, durable: bool = True) -> Iterator[Connection]:
        with self._explain(), self._connect(self.sql_engine) as connection, connection.begin():
            if not durable:
                connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
            if alone:
                connection.exec_driver_sql(LOCK)
            yield connection
            self._send_news(connection)

    def _connect(self, engine: sa.Engine) -> Connection:
        """A connection to a server whose keys were looked at since it was made, in most cases."""
        for _ in range(KEYS_CHECKS):
            self._check_keys()
            connection = engine.connect()
            if self._is_checked:
                return connection
            connection.close()
        return engine.connect()

    def write(self, work: Callable[[Connection], Result], *, alone: bool = True) -> Result:
        try:
            with self.writing(alone=alone) as connection:
                return work(connection)
        except Conflict:
            with self.writing(alone=alone) as connection:
                return work(connection)

    def close(self) -> None:
        with _opening:
            if _handles.get(key := (os.getpid(), self.url)) is self:
                del _handles[key]
            listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()
        self.sql_engine.dispose()

    def empty_log(self, *, wait: bool = True) -> bool:
        return True  # its write-ahead log is the server's own

    # ---- notifications

    def announce(self, connection: Connection, topic: str, about: str = "") -> None:
        self._news.setdefault(connection, {})[_name_channel(self.schema, topic), about] = None

    def _send_news(self, connection: Connection) -> None:
        """One statement at the end of a transaction, however much it announced."""
        if news := self._news.pop(connection, None):
            values = {f"{part}{n}": word for n, pair in enumerate(news) for part, word in zip("cp", pair, strict=True)}
            calls = ", ".join(f"pg_notify(%(c{n})s, %(p{n})s)" for n in range(len(news)))
            connection.exec_driver_sql(f"SELECT {calls}", values)

    def subscribe(self, topic: str, hear: Callable[[str], object]) -> Callable[[], None]:
        from engine.store.listening import Listener

        with _opening:
            if self._listener is None:
                self._listener = Listener(self._connect_alone, self.place)
            return self._listener.subscribe(_name_channel(self.schema, topic), hear)

    @property
    def hears(self) -> bool:
        return self._listener is not None and self._listener.is_alive

    def _connect_alone(self) -> Any:
        """A connection of the driver beside the pool, which commits each statement and notices a peer that is gone."""
        url = sa.make_url(self.url)
        _, arguments = self.sql_engine.dialect.create_connect_args(url)
        ours = _settings(url) | {
            "connect_timeout": CONNECT_S,
            "tcp_user_timeout": 1000 * LOCK_S,
            "autocommit": True,
            "application_name": LISTENS,
        }
        return self.sql_engine.dialect.loaded_dbapi.connect(**{**arguments, **ours})

    # ---- keys

    def refuse_private(self) -> None:
        sealing.require_cryptography()

    def make_key(self, connection: Connection, key: str) -> None:
        connection.execute(insert(KEYS).on_conflict_do_nothing(), {"id": key, "key": sealing.make_key()})

    def drop_keys(self, connection: Connection, keys: Sequence[str]) -> None:
        connection.execute(KEYS.delete().where(KEYS.c.id.in_(keys), KEYS.c.id != ALWAYS))

    def _read_key(self, connection: Connection, name: str) -> bytes:
        """A key, read once in a transaction. Raises StoreError where it is gone."""
        known = self._keys.setdefault(connection, {})
        if name not in known:
            found = connection.execute(sa.select(KEYS.c.key).where(KEYS.c.id == name)).scalar()
            if found is None:
                self._is_checked = False  # the next transaction forgets what has no key
                raise StoreError(KEY_GONE)
            known[name] = bytes(found)
        return known[name]

    def hide_sealed(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        return sa.case((sa.func.left(column, 1) != MARK, column), else_=sa.null())

    def seal_words(self, connection: Connection, text: str, key: str | None, place: Place) -> str:
        return text if key is None else sealing.seal_text(self._read_key(connection, key), make_storable(text), place)

    def seal_reason(self, connection: Connection, text: str, key: str | None, place: Place) -> str:
        return self.seal_words(connection, text, key, place)

    def seal_data(self, connection: Connection, data: bytes, key: str | None, place: Place) -> bytes:
        return data if key is None else sealing.seal(self._read_key(connection, key), data, place)

    def open_words(self, connection: Connection, text: str, key: str | None, place: Place) -> str:
        if key is None or not text.startswith(MARK):  # a sentence that is the same for all, such as `jobs.CANCELLED`
            return text
        return sealing.open_text(self._read_key(connection, key), text, place)

    def open_data(self, connection: Connection, data: bytes, key: str | None, place: Place) -> bytes:
        return data if key is None else sealing.open_sealed(self._read_key(connection, key), bytes(data), place)

    def _doubt_keys(self, *_: object) -> None:
        self._is_checked = False  # the server may have crashed since the last connection

    def _check_keys(self, *, fully: bool = False) -> None:
        """Forget what was sealed under keys that a crash of the server took. fully: look even where no crash shows."""
        if self._is_checked and not fully:
            return
        from engine.store.forgetting import any_keyless

        with self._checking, self._explain():
            if self._is_checked and not fully:
                return
            self._is_checked = True  # a connection that is made from here on is looked at anew
            try:
                with self._reader.begin() as connection:
                    is_whole = connection.execute(sa.select(KEYS.c.id).where(KEYS.c.id == ALWAYS)).first() is not None
                    if is_whole and fully:
                        is_whole = not any_keyless(connection, sa.select(KEYS.c.id))
                if not is_whole:
                    self._forget_keyless()
            except BaseException:
                self._is_checked = False
                raise

    @contextmanager
    def _begin_alone(self) -> Iterator[Connection]:
        with self.sql_engine.begin() as connection:
            connection.exec_driver_sql(LOCK)
            yield connection
            self._send_news(connection)

    def _forget_keyless(self) -> None:
        from engine.store.forgetting import forget_keyless

        with self._begin_alone() as connection:
            if any(forget_keyless(self, connection, sa.select(KEYS.c.id))):
                log.warning(
                    "the store %s lost keys, as after a crash of its server; what they sealed is forgotten.", self.place
                )
            self.make_key(connection, ALWAYS)

    def describe_debt(self, connection: Connection) -> str:
        # what deletes holds the one lock, so that the last debt has the highest number
        return f"{connection.exec_driver_sql('SELECT pg_current_xact_id()::text').scalar_one()} {secrets.token_hex(8)}"

    def pay_debt(self, debt: str) -> bool:
        """Write the table of keys anew: what was deleted stays in its file else, after a VACUUM too. False while somebody has a
        snapshot that is older than the deletion, since the new file then has the deleted key too.
        """
        number = debt.partition(" ")[0]
        number = number if number.isdecimal() else "0"  # of a version without keys
        with self._explain(), self.sql_engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            if connection.exec_driver_sql(OLDER_SNAPSHOTS, {"debt": number}).scalar_one():
                return False
            try:
                connection.exec_driver_sql(f"SET lock_timeout = {KEYS_LOCK_MS}")
                connection.exec_driver_sql("VACUUM (FULL) keys")
            except sa.exc.DBAPIError as error:
                if getattr(error.orig, "sqlstate", None) != "55P03":
                    raise
                return False
            finally:
                if not connection.invalidated:
                    connection.exec_driver_sql("RESET lock_timeout")
        return True

    # ---- the clock

    @property
    def clock(self) -> sa.ColumnElement[float]:
        # now() stands still within a transaction, which may have waited for its lock
        return sa.cast(sa.extract("epoch", sa.func.clock_timestamp()), sa.Double)

    def local_time(self, seconds: float) -> sa.ColumnElement[float]:
        return self.clock - (time.time() - seconds)

    def read_clock(self, connection: Connection) -> float:
        return float(connection.execute(sa.select(self.clock)).scalar_one())

    def read_uptime(self, connection: Connection) -> float:
        started = sa.cast(sa.extract("epoch", sa.func.pg_postmaster_start_time()), sa.Double)
        uptime = float(connection.execute(sa.select(self.clock - started)).scalar_one())
        # its processes may crash, and the network fail, while the first one runs on
        return min(uptime, time.monotonic() - self._lost)

    # ---- padding: none, since a page of this database keeps what was deleted until it is vacuumed; private rows are sealed

    def pad_private(self, text: AnyStr, owner: str | None) -> AnyStr:
        return text

    def artifact_row(self, connection: Connection, job: str, name: str, data: bytes, key: str | None) -> dict[str, Any]:
        return {
            "job": job,
            "name": name,
            "data": self.seal_data(connection, data, key, ("artifacts", "data", job, name)),
            "pad": 0,
        }

    # ---- expressions

    @property
    def artifact_bytes(self) -> sa.ColumnElement[bytes]:
        return ARTIFACTS.c.data

    def field(self, column: sa.ColumnElement[Any], path: str) -> sa.ColumnElement[Any]:
        return sa.func.json_extract(self.hide_sealed(column), _json_path(path), type_=sa.Text)

    def number(self, column: sa.ColumnElement[Any], path: str) -> sa.ColumnElement[Any]:
        found = sa.func.json_extract(self.hide_sealed(column), _json_path(path) + ' ? (@.type() == "number")', type_=sa.Text)
        return sa.cast(found, sa.Double)

    def is_value(self, column: sa.ColumnElement[Any], path: str, value: Any) -> sa.ColumnElement[bool]:
        if isinstance(value, bool):
            return self.field(column, path) == str(value).lower()
        if isinstance(value, int | float):
            return self.number(column, path) == value
        return self.field(column, path).is_(None) if value is None else self.field(column, path) == str(value)

    def object(self, column: sa.ColumnElement[Any], names: Sequence[str]) -> sa.ColumnElement[str]:
        parts: list[sa.ColumnElement[Any]] = []
        for name in names:
            path = sa.cast(_json_path(name), JSONPATH)
            parts += [sa.literal(name, sa.Text), sa.func.jsonb_path_query_first(sa.cast(self.hide_sealed(column), JSONB), path)]
        return sa.cast(sa.func.json_build_object(*parts), sa.Text)

    def unindexed(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        return sa.func.coalesce(column, "")

    def upsert(self, connection: Connection, table: sa.Table, *rows: dict[str, Any]) -> None:
        upsert_by(insert, connection, table, rows)

    def lock_jobs(self, connection: Connection, jobs: sa.ColumnElement[bool]) -> None:
        # all in one order, so that two never wait for each other
        connection.execute(sa.select(JOBS.c.id).where(jobs).order_by(JOBS.c.id).with_for_update()).all()

    def forget_statements(self) -> None:
        self.sql_engine.clear_compiled_cache()

    # ---- opening

    def _prepare(self) -> None:
        """Create the tables in an empty schema, or bring those of an older version up to date, under the lock."""
        with self._explain(), self._reader.begin() as connection:
            self._require_server(connection)
            version = self._read_version(connection)
        if version is None or version < latest_schema():
            with self._explain(), self._begin_alone() as connection:  # read again: another process may have been first
                version = self._read_version(connection)
                if version is None:
                    connection.exec_driver_sql(FUNCTION)
                    METADATA.create_all(connection)
                    KEYS.create(connection)
                    stamp_latest(connection)
                elif version < latest_schema():
                    upgrade(connection)
                version = self._read_version(connection)
        if version != latest_schema():
            raise StoreError(
                f"the store {self.place} has schema {version} and this version reads schema {latest_schema()}; "
                "use the version that wrote it, or set LAB_STORE to another database."
            )
        self._check_keys(fully=True)

    def _require_server(self, connection: Connection) -> None:
        """Raise StoreError where the server is too old, or the database has no place for these tables."""
        facts = "SELECT current_setting('server_version_num')::int, current_setting('server_encoding'), current_schema()"
        number, encoding, schema = connection.exec_driver_sql(facts).one()
        self.schema = str(schema)
        if number < OLDEST * 10_000:
            raise StoreError(f"the store {self.place} is PostgreSQL {number // 10_000}; version {OLDEST} or later is needed.")
        if encoding != "UTF8":
            raise StoreError(f"the store {self.place} has the encoding {encoding}; create its database with ENCODING 'UTF8'.")
        if schema is None:
            raise StoreError(f"the store {self.place} has no schema of its search path; create it, or name another one.")

    def _read_version(self, connection: Connection) -> int | None:
        """The schema's number, None where there are no tables."""
        query = sa.text("SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = current_schema()")
        names = set(connection.execute(query).scalars())
        if not names:
            return None
        found = sa.select(FACTS.c.value).where(FACTS.c.key == "schema")
        version = connection.execute(found).scalar() if FACTS.name in names else None
        if version is None or not version.isdecimal():
            raise StoreError(f"{self.place} has tables of another program; set LAB_STORE to another database or schema.")
        return int(version)

    # ---- errors

    @contextmanager
    def _explain(self) -> Iterator[None]:
        """Raise the database's errors as StoreError, with a sentence for a person, and without the error: it may quote rows."""
        try:
            yield
        except sa.exc.DBAPIError as error:
            raise self._explained(error) from None
        except sa.exc.TimeoutError:
            raise StoreError(f"too many connections to the store {self.place} are in use; try again.") from None

    def _explained(self, error: sa.exc.DBAPIError) -> StoreError:
        state = str(getattr(error.orig, "sqlstate", None) or "")
        place = self.place
        if state in ("40P01", "40001"):
            return Conflict(f"the store {place} was busy with the same rows twice; try again.")
        if state in ("55P03", "25P03", "57014"):
            return StoreLocked(f"the store {place} was held by another program for more than {LOCK_S} seconds; try again.")
        if state == "53100":
            return StoreFull(f"the disk that holds the store {place} is full; make room there.")
        if state.startswith("53"):
            return StoreError(f"the server of the store {place} has no room for another connection or for its work; try again.")
        is_cut = not state and isinstance(error, (sa.exc.OperationalError, sa.exc.InterfaceError))
        if is_cut or error.connection_invalidated or state.startswith(("08", "57")):
            self._lost = time.monotonic()
            return StoreError(
                f"the connection to the store {place} was lost or refused; check that its server runs, "
                "and the user, the password and the database's name in LAB_STORE."
            )
        if state in ("42501", "25006"):
            return StoreError(f"the store {place} cannot be written by this user; check its permissions.")
        if state.startswith(("22", "23")):  # such messages quote what was to be stored
            return StoreError(f"the store {place} cannot hold these words or numbers (SQLSTATE {state}).")
        if not state:
            return StoreError(f"the store {place} cannot be used: {type(error.orig).__name__} of its driver.")
        said = getattr(getattr(error.orig, "diag", None), "message_primary", None) or "no reason given"
        return StoreError(f"the store {place} cannot be used: {quote(said)} (SQLSTATE {state}).")


def check_postgres_url(url: sa.URL) -> None:
    """Raise BadStore where a URL of PostgreSQL names no database."""
    if not url.database or not url.database.isprintable():
        raise BadStore(f"the store's URL {show_url(url)} must name a database: postgresql+psycopg://user@host/database.")


def _name_place(url: sa.URL) -> str:
    host = url.host or "this machine"
    return f"{quote(url.database or '').strip(chr(39))} on {host}" + (f":{url.port}" if url.port else "")


def _name_channel(schema: str, topic: str) -> str:
    """Channels belong to the database: two schemas have two of each topic."""
    return f"lab_{topic}_{hashlib.sha256(schema.encode()).hexdigest()[:16]}"


def _settings(url: sa.URL) -> dict[str, Any]:
    """Arguments of a connection. A client that stops in a transaction loses it, and the lock with it."""
    ours = f"-c idle_in_transaction_session_timeout={LOCK_S}s -c lock_timeout={LOCK_S}s -c client_min_messages=warning"
    theirs = url.query.get("options", "")
    theirs = theirs if isinstance(theirs, str) else " ".join(theirs)
    settings: dict[str, Any] = {"options": f"{ours} {theirs}".strip()}
    if "connect_timeout" not in url.query:
        settings["connect_timeout"] = LOCK_S
    return settings


def _json_path(path: str) -> str:
    """`datasets.0` as this database has it: `$.datasets[0]`."""
    return "$" + "".join(f"[{part}]" if part.isdecimal() else f".{part}" for part in path.split("."))


def _replace_unstorable(_: Any, __: Any, statement: str, parameters: Any, ___: Any, is_many: bool) -> tuple[str, Any]:
    return statement, [_storable(row) for row in parameters] if is_many else _storable(parameters)


def _storable(row: Any) -> Any:
    """Parameters of a statement with U+FFFD for what text cannot hold here."""
    if isinstance(row, Mapping):
        return {name: _storable_text(value) for name, value in row.items()}
    return type(row)(_storable_text(value) for value in row)


def _storable_text(value: Any) -> Any:
    return make_storable(value) if isinstance(value, str) and not is_storable(value) else value


@compiles(PublicSpecField, "postgresql")
def _compile_public_field(field: PublicSpecField, *_: Any, **__: Any) -> str:
    values = ", ".join(f"json_extract(spec, '{_json_path(path)}')" for path in field.paths)
    return f"CASE WHEN owner IS NULL THEN coalesce({values}) END"


@compiles(PublicSpecColumn, "postgresql")
def _compile_public_column(column: PublicSpecColumn, compiler: Any, **_: Any) -> str:
    # computed when it is read only from version 18 on
    return f"GENERATED ALWAYS AS ({compiler.sql_compiler.process(column.sqltext)}) STORED"
