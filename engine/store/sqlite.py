"""The store on one SQLite file, and all that is SQLite's alone: its pragmas, locks, functions, errors and migrations.

Every write transaction is BEGIN IMMEDIATE, so that two processes never both hold a row; reads are short.

`secure_delete` overwrites what is deleted. But when SQLite moves short rows between pages it leaves copies of them in the unused
middle of those pages; only VACUUM, which rewrites the whole file, would remove them. So the values of a private row stand behind
one page of padding: SQLite then stores them in overflow pages, which belong to that row alone, never move, and are
overwritten when the row is deleted.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, AnyStr

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.engine import Connection
from sqlalchemy.ext.compiler import compiles

from engine.errors import BadStore, StoreError, StoreFull, StoreLocked, StoreReplaced
from engine.store.database import Database, Result, check_url, upsert_by
from engine.store.migrations import latest_schema, stamp, stamp_latest, upgrade
from engine.store.schema import ARTIFACTS, FACTS, METADATA, REVISIONS, PublicSpecField
from engine.store.sealing import Place

BUSY_MS = 10_000
"""Milliseconds that a statement waits for another's lock."""


class SqliteDatabase(Database):
    """A database in one SQLite file."""

    silence = 3.0
    seals = False
    on_this_machine = True

    def __init__(self, url: str) -> None:
        self.url = url
        self._path = check_url(url)
        self.place = str(self._path)
        self.lock_path = Path(f"{self._path}.engine-lock")
        self._page_size = 0
        self.generation, self.replaced = 0, None
        self._file: tuple[int, int] | None = None  # what the open connections belong to, None while there are none
        self._log: tuple[int, int] | None = None
        self._changing = threading.RLock()
        waiting = {"timeout": BUSY_MS / 1000}
        self.sql_engine = sa.create_engine(url, connect_args=waiting, pool_size=8, max_overflow=56, hide_parameters=True)
        self._writer = self.sql_engine.execution_options(write=True)
        sa.event.listen(self.sql_engine, "connect", _configure)
        sa.event.listen(self.sql_engine, "begin", _begin)
        try:
            self._prepare()
            self._remember_files()
        except BaseException as error:
            self.sql_engine.dispose()
            if type(error) is StoreError:  # what else there is may pass by itself
                raise BadStore(str(error)) from error
            raise

    # ---- transactions

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        self._require_same_file()
        with self._explain(), self.sql_engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self, *, alone: bool = True, durable: bool = True) -> Iterator[Connection]:
        self._require_same_file()
        with self._explain(), self._writer.begin() as connection:
            yield connection

    def write(self, work: Callable[[Connection], Result], *, alone: bool = True) -> Result:
        with self.writing() as connection:  # the only writer, so that nobody else waits for what it has
            return work(connection)

    def close(self) -> None:
        self.sql_engine.dispose()
        self._file = None

    def describe_debt(self, connection: Connection) -> str:
        return secrets.token_hex(8)

    def pay_debt(self, debt: str) -> bool:
        return self.empty_log(wait=False)

    def empty_log(self, *, wait: bool = True) -> bool:
        try:
            with self._driver() as driver:
                driver.execute(f"PRAGMA busy_timeout={BUSY_MS if wait else 0}")
                try:
                    busy = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
                finally:
                    driver.execute(f"PRAGMA busy_timeout={BUSY_MS}")
        except StoreError as error:
            if wait or not _is_locked(error):
                raise
            return False
        return not busy

    # ---- the file

    def _require_same_file(self) -> None:
        """Raise StoreReplaced, once, where the file is another one than the open connections belong to.

        Without this, writes would go on into a file that nobody else can see.
        """
        if self._file is None:
            self._remember_files()
            return
        if _identify(self._path) == self._file:
            return
        with self._changing:
            if _identify(self._path) == self._file:  # another thread was first
                return
            self.sql_engine.dispose()
            for ending in ("-wal", "-shm") if _identify(self._log_path) == self._log else ():
                Path(f"{self._path}{ending}").unlink(
                    missing_ok=True
                )  # of the file that is gone: SQLite would put it into this one
            kept, self._file = self._file, None
            try:
                self._prepare()
            except BaseException:
                self.sql_engine.dispose()
                self._file = kept
                raise
            self._remember_files()
            self.generation, self.replaced = self.generation + 1, time.time()
        raise StoreReplaced(
            f"the store {self.place} was deleted or replaced while it was in use; from now on the file that is there now is used."
        )

    def _remember_files(self) -> None:
        self._file, self._log = _identify(self._path), _identify(self._log_path)

    @property
    def _log_path(self) -> Path:
        return Path(f"{self._path}-wal")

    # ---- the clock: the machine's, since all who use the file are on it

    @property
    def clock(self) -> sa.ColumnElement[float]:
        return sa.literal(time.time(), sa.Float)

    def local_time(self, seconds: float) -> float:
        return seconds

    def read_clock(self, connection: Connection) -> float:
        return time.time()

    # ---- private rows: padded, never sealed

    def announce(self, connection: Connection, topic: str, about: str = "") -> None:
        pass

    def subscribe(self, topic: str, hear: Callable[[str], object]) -> Callable[[], None]:
        return lambda: None

    @property
    def hears(self) -> bool:
        return False

    def refuse_private(self) -> None:
        """Nothing: deleting leaves no copy here."""

    def make_key(self, connection: Connection, key: str) -> None:
        """Nothing."""

    def drop_keys(self, connection: Connection, keys: Sequence[str]) -> None:
        """Nothing."""

    def hide_sealed(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        return column

    def seal_words(self, connection: Connection, text: str, key: str | None, place: Place) -> str:
        return self.pad_private(text, key)

    def seal_reason(self, connection: Connection, text: str, key: str | None, place: Place) -> str:
        return text

    def seal_data(self, connection: Connection, data: bytes, key: str | None, place: Place) -> bytes:
        return data

    def open_words(self, connection: Connection, text: str, key: str | None, place: Place) -> str:
        return text

    def open_data(self, connection: Connection, data: bytes, key: str | None, place: Place) -> bytes:
        return data

    @property
    def page_size(self) -> int:
        """Bytes of a page, the most that SQLite stores of a row among other rows."""
        if not self._page_size:
            with self._driver() as driver:
                self._page_size = int(driver.execute("PRAGMA page_size").fetchone()[0])
        return self._page_size

    def read_uptime(self, connection: Connection) -> float:
        return float("inf")

    def pad_private(self, text: AnyStr, owner: str | None) -> AnyStr:
        if owner is None:
            return text
        return " " * self.page_size + text if isinstance(text, str) else bytes(self.page_size) + text

    def artifact_row(self, connection: Connection, job: str, name: str, data: bytes, key: str | None) -> dict[str, Any]:
        padded = self.pad_private(data, key)
        return {"job": job, "name": name, "data": padded, "pad": len(padded) - len(data)}

    # ---- expressions

    @property
    def artifact_bytes(self) -> sa.ColumnElement[bytes]:
        return sa.func.substr(ARTIFACTS.c.data, ARTIFACTS.c.pad + 1, type_=sa.LargeBinary).label("data")

    def field(self, column: sa.ColumnElement[Any], path: str) -> sa.ColumnElement[Any]:
        return sa.func.json_extract(column, _json_path(path))

    def number(self, column: sa.ColumnElement[Any], path: str) -> sa.ColumnElement[Any]:
        return self.field(column, path)

    def is_value(self, column: sa.ColumnElement[Any], path: str, value: Any) -> sa.ColumnElement[bool]:
        same: sa.ColumnElement[bool] = self.field(column, path) == value
        return same

    def object(self, column: sa.ColumnElement[Any], names: Sequence[str]) -> sa.ColumnElement[str]:
        return sa.func.json_object(*(part for name in names for part in (name, self.field(column, name))))

    def unindexed(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        return sa.func.coalesce(column, "")

    def upsert(self, connection: Connection, table: sa.Table, *rows: dict[str, Any]) -> None:
        upsert_by(insert, connection, table, rows)

    def lock_jobs(self, connection: Connection, jobs: sa.ColumnElement[bool]) -> None:
        pass  # there is no writer beside it

    def forget_statements(self) -> None:
        self.sql_engine.clear_compiled_cache()

    # ---- opening

    def _prepare(self) -> None:
        """Create the tables in an empty file, or bring those of an older schema up to date."""
        check_url(self.url)  # its folder may have gone since
        with self.reading() as connection:
            version = self._read_version(connection)
            is_stamped = version is None or version > 3 or REVISIONS.name in _list_tables(connection)
        if version is None:
            self._use_wal()
            with self.writing() as connection:  # read again inside the lock: another process may have been first
                version = self._read_version(connection)
                if version is None:
                    METADATA.create_all(connection)
                    stamp_latest(connection)
                    version = latest_schema()
        if version == 1:
            self._add_uploads()
            version = 2
        if version == 2:
            self._add_bookmarks()
            version = 3
        if not is_stamped:
            self._stamp()
        if 3 <= version < latest_schema():
            with self.writing() as connection:
                if self._read_version(connection) == version:  # else another process was first
                    upgrade(connection)
            version = latest_schema()
        if version != latest_schema():
            raise StoreError(
                f"the store {self.place} has schema {version} and this version reads schema {latest_schema()}; "
                "use the version that wrote it, or set LAB_STORE to another file."
            )

    def _add_uploads(self) -> None:
        """Schema 1 to 2: adds tables and columns, changes no row."""
        from engine.store.migrations.v0001_first_tables import JOBS, OWNERS, PIECES, TABLES, UPLOADS

        with self.writing() as connection:
            if self._read_version(connection) != 1:  # another process was first
                return
            connection.execute(sa.text("ALTER TABLE jobs ADD COLUMN upload TEXT"))
            connection.execute(sa.text("ALTER TABLE artifacts ADD COLUMN pad INTEGER DEFAULT 0 NOT NULL"))
            TABLES.create_all(connection, [UPLOADS, PIECES, OWNERS])
            _index(JOBS, "jobs_by_owner").create(connection)
            connection.execute(FACTS.update().where(FACTS.c.key == "schema").values(value="2"))

    def _add_bookmarks(self) -> None:
        """Schema 2 to 3: adds tables and columns, changes no row."""
        from engine.store.migrations.v0001_first_tables import BOOKMARKS, JOBS, SWEEPS, TABLES

        with self.writing() as connection:
            if self._read_version(connection) != 2:  # another process was first
                return
            for column in (JOBS.c.dataset, JOBS.c.method):
                assert column.computed is not None and isinstance(column.computed.sqltext, PublicSpecField)
                value = _write_public_field(column.computed.sqltext)
                connection.execute(
                    sa.text(f"ALTER TABLE jobs ADD COLUMN {column.name} TEXT GENERATED ALWAYS AS ({value}) VIRTUAL")
                )
            TABLES.create_all(connection, [BOOKMARKS, SWEEPS])
            _index(JOBS, "jobs_listed").create(connection)
            connection.execute(FACTS.update().where(FACTS.c.key == "schema").values(value="3"))

    def _stamp(self) -> None:
        """Schema 3 of the versions without Alembic to its first revision."""
        with self.writing() as connection:
            if self._read_version(connection) == 3 and REVISIONS.name not in _list_tables(connection):
                REVISIONS.create(connection)
                stamp(connection, 3)

    def _read_version(self, connection: Connection) -> int | None:
        """The schema's number, None in an empty file."""
        names = _list_tables(connection)
        if not names:
            return None
        query = sa.select(FACTS.c.value).where(FACTS.c.key == "schema")
        version = connection.execute(query).scalar() if "meta" in names else None
        if version is None or not version.isdecimal():
            raise StoreError(f"{self.place} is a database of another program; set LAB_STORE to another file.")
        return int(version)

    def _use_wal(self) -> None:
        # Switching an empty file to WAL needs it alone and does not wait for others, so several first openers must retry.
        last: Exception | None = None
        for _ in range(100):
            try:
                with self._driver() as driver:
                    driver.execute("PRAGMA journal_mode=WAL")
                return
            except StoreError as error:
                if not _is_locked(error):
                    raise
                last = error
                time.sleep(0.05)
        assert last is not None
        raise last

    @contextmanager
    def _driver(self) -> Iterator[Any]:
        """The driver's own connection, outside any transaction."""
        with self._explain():
            connection = self.sql_engine.raw_connection()
            try:
                yield connection.driver_connection
            except BaseException:
                connection.invalidate()  # its settings may not be as the next one needs them
                raise
            finally:
                connection.close()

    # ---- errors

    @contextmanager
    def _explain(self) -> Iterator[None]:
        """Raise SQLite's errors as StoreError, with a sentence that tells a person what to do."""
        try:
            yield
        except (sa.exc.DBAPIError, sqlite3.Error) as error:
            message = str(error.orig if isinstance(error, sa.exc.DBAPIError) else error)
            raise _kind_of(message)(self._write_sentence(message)) from error
        except sa.exc.TimeoutError as error:
            raise StoreError(f"too many connections to the store {self.place} are in use; try again.") from error

    def _write_sentence(self, message: str) -> str:
        low = message.lower()
        if "not a database" in low or "malformed" in low or "corrupt" in low:
            return f"the store {self.place} is damaged ({message}); move it away to start with an empty one, or restore a copy."
        if "locked" in low or "busy" in low:
            return f"the store {self.place} was held by another program for more than ten seconds; try again."
        if "full" in low:
            return f"the disk that holds the store {self.place} is full; make room, or set LAB_STORE to another place."
        if "closed database" in low or "disk i/o" in low:
            return f"the connection to the store {self.place} was lost ({message}); check the disk that holds it and try again."
        if "readonly" in low or "read-only" in low or "unable to open" in low:
            return (
                f"the store {self.place} cannot be written ({message}); check its permissions, "
                "or set LAB_STORE to another place."
            )
        return f"the store {self.place} cannot be used: {message}."


def _kind_of(message: str) -> type[StoreError]:
    low = message.lower()
    return StoreLocked if "locked" in low or "busy" in low else StoreFull if "is full" in low else StoreError


def _identify(path: Path) -> tuple[int, int] | None:
    """Device and number of a file, None where there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _is_locked(error: StoreError) -> bool:
    return "locked" in str(error.__cause__)


def _list_tables(connection: Connection) -> set[str]:
    return set(connection.execute(sa.text("SELECT name FROM sqlite_master WHERE type = 'table'")).scalars())


def _index(table: sa.Table, name: str) -> sa.Index:
    return next(index for index in table.indexes if index.name == name)


def _json_path(path: str) -> str:
    """`datasets.0` as SQLite has it: `$.datasets[0]`."""
    return "$" + "".join(f"[{part}]" if part.isdecimal() else f".{part}" for part in path.split("."))


def _write_public_field(field: PublicSpecField) -> str:
    values = ", ".join(f"json_extract(spec, '{_json_path(path)}')" for path in field.paths)
    return f"CASE WHEN owner IS NULL THEN coalesce({values}) END"


@compiles(PublicSpecField, "sqlite")
def _compile_public_field(field: PublicSpecField, *_: Any, **__: Any) -> str:
    return _write_public_field(field)


def _configure(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # the driver begins no transaction by itself; _begin does
    for pragma in ("synchronous=NORMAL", f"busy_timeout={BUSY_MS}", "secure_delete=ON", "foreign_keys=ON", "temp_store=MEMORY"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    # A transaction that begins as a reader and then writes fails at once if another wrote meanwhile; IMMEDIATE waits.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("write") else "BEGIN")
