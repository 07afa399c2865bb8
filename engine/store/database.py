"""The database under the store: its tables, its transactions, and what SQLite says of trouble in a person's words.

Every write transaction is BEGIN IMMEDIATE, so two processes never both believe they hold a row; reads are short. Words are
JSON, arrays are npz; nothing is unpickled.

Private rows are *sealed*: `secure_delete` overwrites what is deleted, but while SQLite moves short rows between pages it leaves
copies of them in the pages' unused middle, where only VACUUM, which rewrites everybody's data, would find them. So whatever
a private row holds stands behind a page's length of padding: there SQLite keeps it in overflow pages, which belong to that row
alone, never move, and are overwritten when it goes.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import platformdirs
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.engine import Connection

from engine.errors import BadData, StoreError
from engine.events import pack, unpack
from engine.spec.result import Result

SCHEMA = 3
BUSY_MS = 10_000
"""How long one waits for another's lock."""
PRIORITY_INTERACTIVE = 0
"""A person waits for it."""

Encoded = tuple[str, str, bytes | None]
"""An event as `events.encode` gives it."""

_meta = sa.MetaData()
FACTS = sa.Table("meta", _meta, sa.Column("key", sa.Text, primary_key=True), sa.Column("value", sa.Text, nullable=False))
_DATASET = "CASE WHEN owner IS NULL THEN coalesce(json_extract(spec, '$.dataset'), json_extract(spec, '$.source.dataset')) END"
_METHOD = "CASE WHEN owner IS NULL THEN coalesce(json_extract(spec, '$.method'), json_extract(spec, '$.technique')) END"
JOBS = sa.Table(
    "jobs",
    _meta,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("spec", sa.Text, nullable=False),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("owner", sa.Text),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("device", sa.Text, nullable=False),
    sa.Column("timeout_s", sa.Float),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("done", sa.Integer, nullable=False),
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("started", sa.Float),
    sa.Column("finished", sa.Float),
    sa.Column("engine", sa.Text),
    sa.Column("cancel", sa.Integer, nullable=False),
    sa.Column("last_seq", sa.Integer, nullable=False),
    sa.Column("upload", sa.Text),
    sa.Column("dataset", sa.Text, sa.Computed(_DATASET, persisted=False)),
    sa.Column("method", sa.Text, sa.Computed(_METHOD, persisted=False)),
    sa.Index("jobs_by_turn", "state", "priority", "created"),
    sa.Index("jobs_by_age", "created"),
    sa.Index("jobs_by_owner", "owner", "upload"),
    sa.Index("jobs_listed", "kind", "dataset", "method", "state", "created", "id", "owner", "upload"),
)
"""What follows `spec` in this order is sealed with it, `reason` among them. `dataset` and `method` are read out of it, so that
lists are made of an index alone. Of a private job they are NULL: an index is not sealed. Its `upload` names its dataset, and
`method_of` reads its method."""
EVENTS = sa.Table(
    "events",
    _meta,
    sa.Column("job", sa.Text, primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("words", sa.Text, nullable=False),
    sa.Column("arrays", sa.LargeBinary),
)
RESULTS = sa.Table(
    "results",
    _meta,
    sa.Column("job", sa.Text, primary_key=True),
    sa.Column("words", sa.Text, nullable=False),
    sa.Column("arrays", sa.LargeBinary, nullable=False),
)
ARTIFACTS = sa.Table(
    "artifacts",
    _meta,
    sa.Column("job", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("data", sa.LargeBinary, nullable=False),
    sa.Column("pad", sa.Integer, nullable=False, server_default="0"),
)
"""pad: bytes before the data."""
ARTIFACT = sa.func.substr(ARTIFACTS.c.data, ARTIFACTS.c.pad + 1, type_=sa.LargeBinary).label("data")
"""An artifact's bytes."""
UPLOADS = sa.Table(
    "uploads",
    _meta,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("whole", sa.Integer, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Index("uploads_by_owner", "owner"),
)
"""whole: 0 while it arrives. digest: SHA-256 of the bytes. name: sealed."""
PIECES = sa.Table(
    "pieces",
    _meta,
    sa.Column("upload", sa.Text, primary_key=True),
    sa.Column("n", sa.Integer, primary_key=True),
    sa.Column("pad", sa.LargeBinary, nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
)
"""The bytes of an upload in order."""
OWNERS = sa.Table("owners", _meta, sa.Column("owner", sa.Text, primary_key=True), sa.Column("seen", sa.Float, nullable=False))
"""When those who own something were last heard of, unix seconds."""
MARKS = sa.Table(
    "marks",
    _meta,
    sa.Column("job", sa.Text, primary_key=True),
    sa.Column("owner", sa.Text, primary_key=True),
    sa.Column("pinned", sa.Integer, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Index("marks_by_owner", "owner", "pinned"),
)
"""What somebody calls a job or sweep, and whether it stays on top of their list. owner: '' for who has no token. name: sealed where
the job is private."""
SWEEPS = sa.Table(
    "sweeps",
    _meta,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("words", sa.Text, nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Index("sweeps_by_age", "created"),
)
"""Sweeps that were started, on public datasets. words: what was asked, as JSON; their cells are jobs like any other."""
CATALOG = sa.Table(
    "catalog", _meta, sa.Column("one", sa.Integer, primary_key=True), sa.Column("words", sa.Text, nullable=False)
)
ENGINES = sa.Table(
    "engines",
    _meta,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("heartbeat", sa.Float, nullable=False),
    sa.Column("words", sa.Text, nullable=False),
)
PARTS = (EVENTS, RESULTS, ARTIFACTS)
"""What belongs to a job and goes with it."""


def default_url() -> str:
    """LAB_STORE, or SQLite in the user's data folder, which is made readable by that user alone."""
    if url := os.environ.get("LAB_STORE"):
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


class Database:
    """A handle on the SQLite file, made where it is not there; cheap to keep, safe to share between threads."""

    def __init__(self, url: str | None = None) -> None:
        self.url = url or default_url()
        try:
            parsed = sa.make_url(self.url)
        except sa.exc.ArgumentError:
            raise StoreError(f"{self.url!r} is no store's URL; it must look like sqlite:////folder/lab.db.") from None
        if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
            raise StoreError(
                f"the store's URL {parsed.render_as_string()!r} must name a SQLite file, such as sqlite:////folder/lab.db."
            )
        self.path = Path(parsed.database)
        self._page = 0
        self._db = sa.create_engine(parsed, connect_args={"timeout": 10.0}, pool_size=8, max_overflow=56)
        self._rw = self._db.execution_options(write=True)
        sa.event.listen(self._db, "connect", _configure)
        sa.event.listen(self._db, "begin", _begin)
        try:
            self._open()
        except BaseException:
            self._db.dispose()
            raise

    def _open(self) -> None:
        if not self.path.parent.is_dir():
            raise StoreError(
                f"the store's folder {self.path.parent} does not exist; make it, or set LAB_STORE to another place."
            )
        with self.reading() as db:
            version = self._version(db)
        if version is None:
            self._use_wal()
            with self.writing() as db:  # looked at again inside the lock: another process may have been first
                version = self._version(db)
                if version is None:
                    _meta.create_all(db)
                    db.execute(FACTS.insert().values(key="schema", value=str(SCHEMA)))
                    version = str(SCHEMA)
        if version == "1":
            self._add_uploads()
            version = "2"
        if version == "2":
            self._add_marks()
            version = str(SCHEMA)
        if version != str(SCHEMA):
            raise StoreError(
                f"the store {self.path} has schema {version} and this version reads schema {SCHEMA}; "
                "use the version that wrote it, or set LAB_STORE to another file."
            )

    def _add_uploads(self) -> None:
        """Schema 1 -> 2: nothing of what is there changes."""
        with self.writing() as db:
            if self._version(db) != "1":  # another process was first
                return
            db.execute(sa.text("ALTER TABLE jobs ADD COLUMN upload TEXT"))
            db.execute(sa.text("ALTER TABLE artifacts ADD COLUMN pad INTEGER DEFAULT 0 NOT NULL"))
            _meta.create_all(db, [UPLOADS, PIECES, OWNERS])
            _index("jobs_by_owner").create(db)
            db.execute(FACTS.update().where(FACTS.c.key == "schema").values(value="2"))

    def _add_marks(self) -> None:
        """Schema 2 -> 3: nothing of what is there changes."""
        with self.writing() as db:
            if self._version(db) != "2":  # another process was first
                return
            for name, words in (("dataset", _DATASET), ("method", _METHOD)):
                db.execute(sa.text(f"ALTER TABLE jobs ADD COLUMN {name} TEXT GENERATED ALWAYS AS ({words}) VIRTUAL"))
            _meta.create_all(db, [MARKS, SWEEPS])
            _index("jobs_listed").create(db)
            db.execute(FACTS.update().where(FACTS.c.key == "schema").values(value="3"))

    def _version(self, db: Connection) -> str | None:
        """The schema's number as text, None in an empty file."""
        names = set(db.execute(sa.text("SELECT name FROM sqlite_master WHERE type = 'table'")).scalars())
        if not names:
            return None
        found = db.execute(sa.select(FACTS.c.value).where(FACTS.c.key == "schema")).scalar() if "meta" in names else None
        if found is None:
            raise StoreError(f"{self.path} is a database of another program; set LAB_STORE to another file.")
        return str(found)

    def _use_wal(self) -> None:
        # Switching an empty file to WAL needs it alone and does not wait for others, so several first openers must retry.
        last: Exception | None = None
        for _ in range(100):
            try:
                with self.raw() as raw:
                    raw.execute("PRAGMA journal_mode=WAL")
                return
            except StoreError as error:
                if "locked" not in str(error.__cause__):
                    raise
                last = error
                time.sleep(0.05)
        assert last is not None
        raise last

    def checkpoint(self, *, wait: bool = True) -> bool:
        """Move the write-ahead log into the database and empty it. False where another process is reading: try again later.

        wait: up to ten seconds for others to let go of it.
        """
        with self.raw() as raw:
            raw.execute(f"PRAGMA busy_timeout={BUSY_MS if wait else 0}")
            try:
                busy = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            finally:
                raw.execute(f"PRAGMA busy_timeout={BUSY_MS}")
        return not busy

    def seal(self, words: str, owner: str | None) -> str:
        """Text as a row of that owner keeps it: JSON stays the same JSON."""
        return words if owner is None else " " * self.page + words

    def artifact_row(self, job: str, name: str, data: bytes, owner: str | None) -> dict[str, Any]:
        """A row of ARTIFACTS."""
        pad = 0 if owner is None else self.page
        return {"job": job, "name": name, "data": bytes(pad) + data, "pad": pad}

    @property
    def page(self) -> int:
        """Bytes of a page, all that SQLite ever keeps of a row among other rows."""
        if not self._page:
            with self.raw() as raw:
                self._page = int(raw.execute("PRAGMA page_size").fetchone()[0])
        return self._page

    def close(self) -> None:
        """Let go of all connections. The store can be used again afterwards."""
        self._db.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        with self._sentences(), self._db.begin() as db:
            yield db

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        with self._sentences(), self._rw.begin() as db:
            yield db

    @contextmanager
    def raw(self) -> Iterator[Any]:
        """The driver's own connection, outside any transaction."""
        with self._sentences():
            connection = self._db.raw_connection()
            try:
                yield connection.driver_connection
            finally:
                connection.close()

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        """What SQLite says, as a sentence that tells a person what to do."""
        try:
            yield
        except (sa.exc.DBAPIError, sqlite3.Error) as error:
            said = str(error.orig if isinstance(error, sa.exc.DBAPIError) else error)
            raise StoreError(self._sentence(said)) from error
        except sa.exc.TimeoutError as error:
            raise StoreError(f"too many connections to the store {self.path} are in use; try again.") from error

    def _sentence(self, said: str) -> str:
        low = said.lower()
        if "not a database" in low or "malformed" in low or "corrupt" in low:
            return f"the store {self.path} is damaged ({said}); move it away to start with an empty one, or restore a copy."
        if "locked" in low or "busy" in low:
            return f"the store {self.path} was held by another program for more than ten seconds; try again."
        if "full" in low:
            return f"the disk that holds the store {self.path} is full; make room, or set LAB_STORE to another place."
        if "readonly" in low or "read-only" in low or "unable to open" in low:
            return (
                f"the store {self.path} cannot be written ({said}); check its permissions, or set LAB_STORE to another place."
            )
        return f"the store {self.path} cannot be used: {said}."


def _index(name: str) -> sa.Index:
    return next(index for index in JOBS.indexes if index.name == name)


def encode_result(result: Result) -> tuple[str, bytes]:
    """(JSON, npz) as the store keeps a result."""
    return json.dumps(result.to_json(), allow_nan=False), pack(result.arrays)


def decode_result(words: str, arrays: bytes) -> Result:
    """The result back. Raises BadData where the parts do not make one."""
    try:
        return Result.from_json(json.loads(words), unpack(arrays))
    except (TypeError, ValueError, AttributeError) as error:
        if isinstance(error, BadData):
            raise
        raise BadData(f"the store holds a result that cannot be read: {error}.") from error


def _configure(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself; _begin does
    for pragma in ("synchronous=NORMAL", f"busy_timeout={BUSY_MS}", "secure_delete=ON", "foreign_keys=ON", "temp_store=MEMORY"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    # A transaction that starts as a reader and turns writer fails at once when another wrote meanwhile; IMMEDIATE waits.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("write") else "BEGIN")


def visible(owner: str | None) -> sa.ColumnElement[bool]:
    return JOBS.c.owner.is_(None) if owner is None else sa.or_(JOBS.c.owner.is_(None), JOBS.c.owner == owner)


def method_of(owner: str | None) -> sa.ColumnElement[Any]:
    """The method of a job, or the technique of a map, in a query of what `owner` may see: of a private one out of its sealed words.

    A query of its own does that, since those words are in no index, and the public jobs of a list are to be read from one alone.
    """
    if owner is None:
        return JOBS.c.method
    own = JOBS.alias("own")
    said = (sa.func.json_extract(own.c.spec, path) for path in ("$.method", "$.technique"))
    sealed = sa.select(sa.func.coalesce(*said)).where(own.c.id == JOBS.c.id).correlate(JOBS).scalar_subquery()
    return sa.case((JOBS.c.owner.is_(None), JOBS.c.method), else_=sealed)


def insert_events(db: Connection, id: str, rows: list[Encoded], first: int) -> None:
    if rows:
        names = ("kind", "words", "arrays")
        values = [{"job": id, "seq": n, **dict(zip(names, row, strict=True))} for n, row in enumerate(rows, first)]
        db.execute(EVENTS.insert(), values)


def upsert(db: Connection, table: sa.Table, values: dict[str, Any]) -> None:
    keys = [c.name for c in table.primary_key]
    changed = {name: value for name, value in values.items() if name not in keys}
    db.execute(insert(table).values(**values).on_conflict_do_update(index_elements=keys, set_=changed))
