"""What the store needs of a database: transactions, and the expressions that each database spells in its own way."""

from __future__ import annotations

import functools
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, AnyStr, ParamSpec, TypeVar

import platformdirs
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from engine.errors import BadStore, StoreError, StoreLocked
from engine.settings import read_text
from engine.store.sealing import Place
from engine.text import quote

Result = TypeVar("Result")
Arguments = ParamSpec("Arguments")
OF_A_PAGE, OF_AN_ENGINE = (5, 10), (2, 3)
"""Connections of a process that stay open, and those beside them at most, on a database that counts them."""
POSTGRES = "postgresql+psycopg"
"""How the URL of a store on PostgreSQL begins."""
ENGINES_TOPIC, PREVIEWS_TOPIC = "engines", "previews"
"""What `Database.announce` tells of: something to do or to stop for engines; news of the preview whose id it names."""
_NOT_A_FILE = "the store's URL {url} must name a SQLite file, such as sqlite:////folder/lab.db."
_NO_URL = "{url} is no store's URL; it must look like sqlite:////folder/lab.db."


class Conflict(StoreLocked):
    """Two transactions waited for each other, or one saw what the other changed: nothing was written, and asked again it works."""


def repeat_on_conflict(verb: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """A verb that is called once more where its transaction met a Conflict. Its arguments must not be used up by the first call."""

    @functools.wraps(verb)
    def twice(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        try:
            return verb(*args, **kwargs)
        except Conflict:
            return verb(*args, **kwargs)

    return twice


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


def open_database(url: str | None = None, connections: tuple[int, int] = OF_A_PAGE) -> Database:
    """The database at a URL, `default_url()` where none is given; created where it does not exist.

    connections: as OF_A_PAGE. Raises BadStore for what cannot be a store, and StoreError.
    """
    url = default_url() if url is None else url
    parsed = parse_url(url)
    if parsed.drivername == POSTGRES:
        from engine.store.postgres import check_postgres_url, open_postgres

        check_postgres_url(parsed)
        return open_postgres(url, connections)
    check_url(url)
    from engine.store.sqlite import SqliteDatabase

    return SqliteDatabase(url)


def parse_url(url: str) -> sa.URL:
    """The parts of a store's URL. Raises BadStore where it is none."""
    try:
        parsed = sa.make_url(url)
        parsed.render_as_string().encode()
        return parsed
    except (sa.exc.ArgumentError, ValueError):
        raise BadStore(_NO_URL.format(url=quote(re.sub("//.*@", "//", url[:1000], flags=re.S)))) from None


def show_url(url: sa.URL) -> str:
    """A URL as a sentence quotes it, without its password."""
    return quote(url.render_as_string())


def check_url(url: str) -> Path:
    """The file that a store's URL names. Raises BadStore where it names none, or the file cannot be a store."""
    parsed = parse_url(url)
    shown = show_url(parsed)
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
    silence: float
    """Seconds without a heartbeat after which an engine counts as gone."""
    seals: bool
    """Whether private rows are sealed (`engine.store.sealing`), so that queries see nothing of them."""
    on_this_machine: bool
    """Whether its clock is this machine's, and stands still or jumps with it."""

    @abstractmethod
    def reading(self) -> AbstractContextManager[Connection]:
        """A transaction that reads one state of the database."""

    @abstractmethod
    def writing(self, *, alone: bool = True, durable: bool = True) -> AbstractContextManager[Connection]:
        """A transaction that writes; it waits for others that do. An exception in the block rolls it back.

        alone: False where it locks the rows that it needs, and may run beside others on a database that can. durable: False where a
        crash of the database may lose it, so that it need not wait for the disk.
        """

    @abstractmethod
    def write(self, work: Callable[[Connection], Result], *, alone: bool = True) -> Result:
        """What `work` returns, called in a transaction that writes; once more in a new one where two waited for each other."""

    @abstractmethod
    def close(self) -> None:
        """Close all connections. The next transaction opens one again."""

    @abstractmethod
    def announce(self, connection: Connection, topic: str, about: str = "") -> None:
        """Tell those who subscribed to a topic, in whatever process, as soon as this transaction, which writes, is committed.

        about: an id, or nothing; never what somebody stored.
        """

    @abstractmethod
    def subscribe(self, topic: str, hear: Callable[[str], object]) -> Callable[[], None]:
        """Call `hear` with the id that each `announce` of a topic names, on another thread; with '' where some may have been lost.

        Returns what ends it; `close` does so too. It is never called where databases do not tell: `hears` is False then.
        """

    @property
    @abstractmethod
    def hears(self) -> bool:
        """Whether what is announced arrives just here and now, so that one may look less often by oneself."""

    @abstractmethod
    def refuse_private(self) -> None:
        """Raise StoreError where this database cannot keep what people send as private as it must be."""

    @abstractmethod
    def make_key(self, connection: Connection, key: str) -> None:
        """Make a key for what is to be sealed, where private rows are sealed and there is none of that name."""

    @abstractmethod
    def drop_keys(self, connection: Connection, keys: Sequence[str]) -> None:
        """Drop the keys of these names, those that there are."""

    @abstractmethod
    def hide_sealed(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """A column of text, NULL where it is sealed."""

    @abstractmethod
    def seal_words(self, connection: Connection, text: str, key: str | None, place: Place) -> str:
        """Words as a row stores them under a key (`private_key`): padded where that is enough, else sealed. None: as they are."""

    @abstractmethod
    def seal_reason(self, connection: Connection, text: str, key: str | None, place: Place) -> str:
        """A sentence as a row stores it that has padded words before it."""

    @abstractmethod
    def seal_data(self, connection: Connection, data: bytes, key: str | None, place: Place) -> bytes:
        """Bytes as a row stores them that has padded words before them."""

    @abstractmethod
    def open_words(self, connection: Connection, text: str, key: str | None, place: Place) -> str:
        """What `seal_words` or `seal_reason` was given; padding may be before it. Raises StoreError where it cannot be opened."""

    @abstractmethod
    def open_data(self, connection: Connection, data: bytes, key: str | None, place: Place) -> bytes:
        """What `seal_data` was given. Raises StoreError where it cannot be opened."""

    @property
    @abstractmethod
    def clock(self) -> sa.ColumnElement[float]:
        """The database's clock, unix seconds: that of all machines that share it."""

    @abstractmethod
    def local_time(self, seconds: float) -> Any:
        """A moment of this machine's clock, unix seconds, as a moment of the database's: a number, or an expression."""

    @abstractmethod
    def read_clock(self, connection: Connection) -> float:
        """`clock` as a number."""

    @abstractmethod
    def read_uptime(self, connection: Connection) -> float:
        """Seconds for which the database's server has run and this process has lost no connection to it; inf where it has none."""

    @abstractmethod
    def pad_private(self, text: AnyStr, owner: str | None) -> AnyStr:
        """Text or bytes as a row of that owner stores them, behind padding where deleting must leave no copy.

        Text is padded with spaces, so that JSON stays the same JSON; bytes with zeros. A public row (owner None) has no padding.
        """

    @abstractmethod
    def artifact_row(self, connection: Connection, job: str, name: str, data: bytes, key: str | None) -> dict[str, Any]:
        """A row of ARTIFACTS."""

    @property
    @abstractmethod
    def artifact_bytes(self) -> sa.ColumnElement[bytes]:
        """The column `data` of ARTIFACTS without its padding."""

    @abstractmethod
    def field(self, column: sa.ColumnElement[Any], path: str) -> sa.ColumnElement[Any]:
        """What a column of JSON text has at a path, such as `metrics.average_precision` or `datasets.0`; NULL where there is nothing.

        Texts are themselves, lists and objects are JSON text; whether a number is one or its text depends on the database.
        """

    @abstractmethod
    def number(self, column: sa.ColumnElement[Any], path: str) -> sa.ColumnElement[Any]:
        """The number that a column of JSON text has at a path; NULL, or what equals no number, where there is none."""

    @abstractmethod
    def is_value(self, column: sa.ColumnElement[Any], path: str, value: Any) -> sa.ColumnElement[bool]:
        """Whether a column of JSON text has this number, text, truth or None at a path."""

    @abstractmethod
    def object(self, column: sa.ColumnElement[Any], names: Sequence[str]) -> sa.ColumnElement[str]:
        """JSON text of an object with these fields of a column of JSON text, null where one is missing."""

    @abstractmethod
    def unindexed(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """A column of text, '' for NULL, written so that no index on it is used."""

    @abstractmethod
    def upsert(self, connection: Connection, table: sa.Table, *rows: dict[str, Any]) -> None:
        """Insert rows, one or more, or update those that have their primary keys. All name the same columns. A value may be an expression
        where there is one row."""

    @abstractmethod
    def lock_jobs(self, connection: Connection, jobs: sa.ColumnElement[bool]) -> None:
        """Keep these rows of JOBS until the transaction ends from writers beside it, before what belongs to them is deleted.

        A writer that comes first has added its rows when this returns; one that comes later finds no job.
        """

    @abstractmethod
    def forget_statements(self) -> None:
        """Drop the statements that are kept so that they are compiled once: each holds the values that it was first used with."""

    @abstractmethod
    def describe_debt(self, connection: Connection) -> str:
        """A new word for what a transaction that deletes private rows leaves to do, which `pay_debt` is given."""

    @abstractmethod
    def pay_debt(self, debt: str) -> bool:
        """Remove the copies that such a transaction left. False where others still read them: try again later."""

    @abstractmethod
    def empty_log(self, *, wait: bool = True) -> bool:
        """Move the write-ahead log into the database and empty it. False where another process is reading: try again later.

        wait: up to ten seconds for others to release it.
        """


def insert_row(connection: Connection, table: sa.Table, values: Mapping[str, Any]) -> None:
    """Insert a row whose values may be expressions. The others are no part of the statement, which is kept so that it is compiled once."""
    computed = {name: value for name, value in values.items() if isinstance(value, sa.ClauseElement)}
    plain = {name: value for name, value in values.items() if name not in computed}
    connection.execute(table.insert().values(computed) if computed else table.insert(), plain)


def private_key(owner: str | None, upload: str | None, id: str) -> str | None:
    """The name of the key of a job: its table's, or its own where it has none. None for a public job, which has no key."""
    return None if owner is None else upload or id


class Part:
    """A part of the store: verbs that need the database and nothing of other parts."""

    def __init__(self, database: Database) -> None:
        self.database = database


def upsert_by(insert: Any, connection: Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
    """`Database.upsert`. insert: the dialect's, which has `on_conflict_do_update`."""
    keys = [column.name for column in table.primary_key]
    computed = {name: value for row in rows for name, value in row.items() if isinstance(value, sa.ClauseElement)}
    assert not computed or len(rows) == 1, "each row would take the expressions of the last"
    adding = insert(table).values(computed) if computed else insert(table)
    changed = {name: adding.excluded[name] for name in rows[0] if name not in keys}
    plain = [{name: value for name, value in row.items() if name not in computed} for row in rows]
    connection.execute(adding.on_conflict_do_update(index_elements=keys, set_=changed), plain if len(plain) > 1 else plain[0])
