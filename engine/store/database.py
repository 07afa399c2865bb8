"""What the store needs of a database: transactions, and the expressions that each database spells in its own way."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, AnyStr

import platformdirs
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from engine.errors import BadStore, StoreError
from engine.settings import read_text
from engine.text import quote

_NOT_A_FILE = "the store's URL {url} must name a SQLite file, such as sqlite:////folder/lab.db."
_NO_URL = "{url} is no store's URL; it must look like sqlite:////folder/lab.db."


def default_url() -> str:
    """LAB_STORE, or what the file LAB_STORE_FILE holds, or SQLite in the user's data folder, which is made readable by that user
    alone. Raises BadInput where both are set, or that file cannot be read.
    """
    if url := read_text("LAB_STORE"):
        return url
    folder = Path(platformdirs.user_data_dir("imbalance-lab", appauthor=False))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise StoreError(
            f"the data folder {folder} cannot be made ({error.strerror}); set LAB_STORE to another place."
        ) from error
    return f"sqlite:///{folder / 'lab.db'}"


def open_database(url: str | None = None) -> Database:
    """The database at a URL, `default_url()` where none is given; created where it does not exist.

    Raises BadStore for what cannot be a store, and StoreError.
    """
    url = default_url() if url is None else url
    check_url(url)
    from engine.store.sqlite import SqliteDatabase

    return SqliteDatabase(url)


def check_url(url: str) -> Path:
    """The file that a store's URL names. Raises BadStore where it names none, or the file cannot be a store."""
    try:
        parsed = sa.make_url(url)
        shown = quote(parsed.render_as_string())  # without a password
    except (sa.exc.ArgumentError, ValueError):
        raise BadStore(_NO_URL.format(url=quote(re.sub("//.*@", "//", url[:1000], flags=re.S)))) from None
    elsewhere = parsed.host or parsed.port or parsed.username or parsed.password or parsed.query
    name = parsed.database or ""
    if parsed.drivername not in ("sqlite", "sqlite+pysqlite") or elsewhere or name.startswith((":memory:", "file:")):
        raise BadStore(_NOT_A_FILE.format(url=shown))
    if not name.strip() or any(not c.isprintable() for c in name):
        raise BadStore(_NOT_A_FILE.format(url=shown))
    path = Path(name)
    try:
        if path.exists() and not path.is_file():
            raise BadStore(f"the store {quote(name)} is no file: name one, such as sqlite:////folder/lab.db.")
        if not path.parent.is_dir():
            folder = quote(str(path.parent))
            raise BadStore(f"the store's folder {folder} does not exist; make it, or set LAB_STORE to another place.")
    except BadStore:
        raise
    except (OSError, ValueError) as error:
        raise BadStore(f"the store {quote(name)} cannot be opened ({getattr(error, 'strerror', error)}).") from None
    return path


class Database(ABC):
    """A handle on a database; safe to share between threads, to be opened anew in a child process.

    Every method raises StoreError, with a sentence for a person, where the database cannot be used.
    """

    url: str
    """What it was opened with."""
    place: str
    """Where it is, for a person: of SQLite the file's path."""
    generation: int
    """How often its file was deleted or replaced while it was open. The call that notices raises StoreReplaced."""
    replaced: float | None
    """When that was noticed last, unix seconds."""
    lock_path: Path
    """The file that a server locks while it runs the engine of this database."""

    @abstractmethod
    def reading(self) -> AbstractContextManager[Connection]:
        """A transaction that reads one state of the database."""

    @abstractmethod
    def writing(self) -> AbstractContextManager[Connection]:
        """A transaction that writes; it waits for others that do. An exception in the block rolls it back."""

    @abstractmethod
    def close(self) -> None:
        """Close all connections. The next transaction opens one again."""

    @abstractmethod
    def pad_private(self, text: AnyStr, owner: str | None) -> AnyStr:
        """Text or bytes as a row of that owner stores them, behind padding where deleting must leave no copy.

        Text is padded with spaces, so that JSON stays the same JSON; bytes with zeros. A public row (owner None) has no padding.
        """

    @abstractmethod
    def artifact_row(self, job: str, name: str, data: bytes, owner: str | None) -> dict[str, Any]:
        """A row of ARTIFACTS."""

    @property
    @abstractmethod
    def artifact_bytes(self) -> sa.ColumnElement[bytes]:
        """The column `data` of ARTIFACTS without its padding."""

    @abstractmethod
    def field(self, column: sa.ColumnElement[Any], path: str) -> sa.ColumnElement[Any]:
        """What a column of JSON text has at a path, such as `metrics.average_precision` or `datasets.0`; NULL where there is nothing.

        Numbers and texts are themselves, lists and objects are JSON text.
        """

    @abstractmethod
    def object(self, column: sa.ColumnElement[Any], names: Sequence[str]) -> sa.ColumnElement[str]:
        """JSON text of an object with these fields of a column of JSON text, null where one is missing."""

    @abstractmethod
    def unindexed(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """A column of text, '' for NULL, written so that no index on it is used."""

    @abstractmethod
    def upsert(self, connection: Connection, table: sa.Table, values: dict[str, Any]) -> None:
        """Insert a row, or update the one that has its primary key."""

    @abstractmethod
    def forget_statements(self) -> None:
        """Drop the statements that are kept so that they are compiled once: each holds the values that it was first used with."""

    @abstractmethod
    def empty_log(self, *, wait: bool = True) -> bool:
        """Move the write-ahead log into the database and empty it. False where another process is reading: try again later.

        wait: up to ten seconds for others to release it.
        """


class Part:
    """A part of the store: verbs that need the database and nothing of other parts."""

    def __init__(self, database: Database) -> None:
        self.database = database
