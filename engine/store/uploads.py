"""People's own tables: how they come into the store, whose they are, and how nothing of them is left.

A table belongs to the owner's token that sent it. Its rows in the store, and those of every job made from it, are sealed
(`engine.store.database`). Forgetting is one transaction for each table, which deletes them and leaves a note that the write-ahead log
has still to be emptied; whoever comes next - the page that forgot, or any engine - empties it, so that a crash between the two
changes nothing.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from engine.errors import BadData, BadInput, StoreError, TooLarge, TooSlow, UnknownName, WrongType
from engine.settings import read_setting
from engine.store.database import FACTS, JOBS, MARKS, OWNERS, PARTS, PIECES, UPLOADS, Database, upsert

MAX_BYTES = 64 << 20
"""Bytes of one table as it is sent."""
MAX_TABLES = 8
"""Tables of one owner at a time."""
MAX_TOTAL = 1 << 30
"""Bytes of everybody's tables together."""
MAX_NAME = 200
"""Characters of a file's name that are kept."""
ENDINGS = (".csv", ".tsv", ".tab", ".txt", ".dat", ".data", ".xlsx", ".xlsm", ".parquet", ".pq", ".zip", ".gz")
"""What the name of a table ends in, where it has an ending."""
READ = "CSV, TSV, TXT, Excel (.xlsx), Parquet, or a zip or gz of one of them"
"""What is read, in words."""
FORGET_AFTER = 30 * 60
"""Seconds without a sign of life of an owner after which all that is theirs goes; LAB_FORGET_AFTER sets another number."""
HEARD = 20.0
"""A sign of life within so many seconds of the last one is not written."""
ARRIVAL = 10 * 60
"""Seconds a table may take to arrive."""
PIECE = 1 << 20
"""Bytes of an arriving table that are in memory at once."""
PATIENCE = 5.0
"""Seconds `forget` waits for readers to let go of the write-ahead log."""
NO_TABLE = "no table is called {id!r} here; it may have been forgotten, or belong to another browser."
_DEBT = "log to empty"
_ENDING = re.compile(r"\.[a-z][a-z0-9]{0,7}")  # the end of "sales 2024.03" is none


@dataclass(frozen=True)
class Upload:
    """What there is to say of a table but its rows. size: bytes; created: unix seconds; digest: SHA-256 of the bytes."""

    id: str
    name: str
    size: int
    created: float
    digest: str = field(repr=False)


class Forgotten(NamedTuple):
    """How many tables and jobs were deleted; clean: False where a reader still holds the log, which the engine then empties."""

    tables: int
    jobs: int
    clean: bool


class Uploads(Database):
    """The part of the store that holds people's own tables. An owner who is not the owner finds nothing."""

    def add_upload(self, owner: str | None, name: str, data: bytes) -> str:
        """Keep a table; returns its id. Raises as `receive` and `Arrival`."""
        arrival = self.receive(owner, name)
        arrival.write(data)
        return arrival.finish()

    def receive(self, owner: str | None, name: str, size: int | None = None) -> Arrival:
        """Begin to take in a table. size: bytes, where it is known.

        Raises BadInput without an owner or without room, WrongType for a name that is no table's, TooLarge.
        """
        if not owner:
            raise BadInput("A table needs an owner: allow this site's cookie and load the page again.")
        if (ending := PurePosixPath(clean(name)).suffix.lower()) not in ENDINGS and _ENDING.fullmatch(ending):
            raise WrongType(f"Files that end in {ending} are not read here; read are {READ}.")
        if size is not None and size > MAX_BYTES:
            raise TooLarge(_too_large())
        id = secrets.token_hex(16)
        now = time.time()
        with self.writing() as db:
            mine = sa.select(sa.func.count()).where(UPLOADS.c.owner == owner)
            if db.execute(mine).scalar_one() >= MAX_TABLES:
                raise BadInput(f"You have {MAX_TABLES} tables here, and no more are kept at a time: forget one first.")
            _room(db, size or 0)
            values = {"id": id, "owner": owner, "size": 0, "created": now, "whole": 0, "digest": ""}
            db.execute(UPLOADS.insert().values(**values, name=self.seal(clean(name), owner)))
            upsert(db, OWNERS, {"owner": owner, "seen": now})
        return Arrival(self, id, owner)

    def upload(self, id: str, owner: str | None) -> Upload:
        """Raises UnknownName where there is none, or it is somebody else's."""
        found = [one for one in self.uploads(owner) if one.id == id]
        if not found:
            raise UnknownName(NO_TABLE.format(id=id))
        return found[0]

    def uploads(self, owner: str | None) -> list[Upload]:
        """The owner's tables, newest first."""
        names = ("id", "name", "size", "created", "digest")
        query = sa.select(*(UPLOADS.c[n] for n in names)).where(UPLOADS.c.owner == owner, UPLOADS.c.whole == 1)
        with self.reading() as db:
            rows = db.execute(query.order_by(UPLOADS.c.created.desc(), UPLOADS.c.id)).all()
        return [Upload(row.id, row.name[self.page :], row.size, row.created, row.digest) for row in rows]

    def content(self, id: str, owner: str | None) -> tuple[str, bytes] | None:
        """(name, bytes) of a table for the worker that reads it; None where it is gone, or somebody else's."""
        with self.reading() as db:
            one = sa.select(UPLOADS.c.name).where(UPLOADS.c.id == id, UPLOADS.c.owner == owner, UPLOADS.c.whole == 1)
            name = db.execute(one).scalar()
            if name is None:
                return None
            pieces = db.execute(sa.select(PIECES.c.data).where(PIECES.c.upload == id).order_by(PIECES.c.n)).scalars()
            return name[self.page :], b"".join(pieces)

    def there(self, ids: Collection[str]) -> set[str]:
        """Those of these uploads that still are."""
        with self.reading() as db:
            return set(db.execute(sa.select(UPLOADS.c.id).where(UPLOADS.c.id.in_(ids))).scalars())

    # ---- staying and going

    def touch(self, owner: str | None) -> None:
        """A sign of life. Nothing is written for those who own nothing, nor within HEARD seconds of the last one."""
        now = time.time()
        with self.reading() as db:
            seen = db.execute(sa.select(OWNERS.c.seen).where(OWNERS.c.owner == owner)).scalar()
        if seen is not None and abs(now - seen) > HEARD:
            with self.writing() as db:  # an update: who was forgotten meanwhile stays forgotten
                db.execute(OWNERS.update().where(OWNERS.c.owner == owner).values(seen=now))

    def forget(self, owner: str | None, upload: str | None = None, *, patience: float = PATIENCE) -> Forgotten:
        """Delete a table (all of the owner's, where none is named) with every job made from it, and empty the write-ahead log.

        An engine that is running one of those jobs drops it, and ends each worker that ever touched the table.
        """
        if not owner:
            return Forgotten(0, 0, True)
        if upload is not None:
            with self.writing() as db:
                gone = _delete(db, (UPLOADS.c.owner == owner) & (UPLOADS.c.id == upload), _made_from(owner, upload))
        else:
            gone = self._forget_all(owner)
        return Forgotten(*gone, self.purge(patience) if any(gone) else True)

    def _forget_all(self, owner: str, unless: sa.ColumnElement[bool] | None = None) -> tuple[int, int]:
        """(tables, jobs) deleted of an owner. unless: of their row in OWNERS, what ends it, looked at inside the lock.

        A table at a time: overwriting a large one takes about a second, in which nobody else can write.
        """
        tables = jobs = 0
        heard = sa.select(OWNERS.c.owner).where(OWNERS.c.owner == owner, sa.false() if unless is None else unless)
        while True:
            with self.writing() as db:
                if db.execute(heard).first() is not None:
                    return tables, jobs
                one = db.execute(sa.select(UPLOADS.c.id).where(UPLOADS.c.owner == owner).limit(1)).scalar()
                if one is None:
                    jobs += _delete(db, sa.false(), JOBS.c.owner == owner)[1]
                    db.execute(OWNERS.delete().where(OWNERS.c.owner == owner))
                    return tables, jobs
                gone = _delete(db, UPLOADS.c.id == one, _made_from(owner, one))
                tables, jobs = tables + gone[0], jobs + gone[1]

    def expire(self, *, now: float | None = None) -> Forgotten:
        """Forget those who were not heard of for `kept_seconds()`, and arrivals that ended midway. now: unix seconds, the clock's.

        A sign of life from the future, as after a clock was set back, is none.
        """
        limit = kept_seconds()
        now = time.time() if now is None else now
        owned = sa.union(sa.select(UPLOADS.c.owner), sa.select(JOBS.c.owner).where(JOBS.c.owner.is_not(None)))
        recent = OWNERS.c.seen.between(now - limit, now + limit)
        stuck = (UPLOADS.c.whole == 0) & (UPLOADS.c.created < now - ARRIVAL)
        silent = owned.subquery().c.owner
        with self.reading() as db:
            heard = sa.select(OWNERS.c.owner).where(recent)
            owners = list(db.execute(sa.select(silent).where(silent.not_in(heard))).scalars())
            broken = db.execute(sa.select(UPLOADS.c.id).where(stuck).limit(1)).first() is not None
            debt = _debt(db) is not None
        tables = jobs = 0
        for owner in owners:
            gone = self._forget_all(owner, unless=recent)
            tables, jobs = tables + gone[0], jobs + gone[1]
        if broken:
            with self.writing() as db:
                tables += _delete(db, stuck, sa.false())[0]
        return Forgotten(tables, jobs, self.purge() if debt or tables or jobs else True)

    def purge(self, patience: float = 0.0) -> bool:
        """Empty the write-ahead log if something was forgotten since it last was. False where readers held it all the time."""
        end = time.monotonic() + patience
        while True:
            with self.reading() as db:
                debt = _debt(db)
            if debt is None:
                return True
            if self._emptied():
                with self.writing() as db:  # unless something was forgotten meanwhile
                    db.execute(FACTS.delete().where(FACTS.c.key == _DEBT, FACTS.c.value == debt))
            elif time.monotonic() >= end:
                return False
            else:
                time.sleep(0.02)

    def _emptied(self) -> bool:
        try:
            return self.checkpoint(wait=False)
        except StoreError as error:
            if "locked" in str(error.__cause__):
                return False
            raise


class Arrival:
    """A table on its way into the store, a piece at a time: this process keeps none of it.

    Raises TooLarge, TooSlow, BadData where it is empty, and BadInput where it was forgotten meanwhile; then nothing of
    it is left in the store. `abandon` it where its sender goes away.
    """

    def __init__(self, store: Uploads, id: str, owner: str) -> None:
        self._store, self.id, self._owner = store, id, owner
        self._digest = hashlib.sha256()
        self._piece = bytearray()
        self._size = self._pieces = 0
        self._end = time.monotonic() + ARRIVAL

    def write(self, data: bytes) -> None:
        """The next bytes."""
        try:
            self._size += len(data)
            if self._size > MAX_BYTES:
                raise TooLarge(_too_large())
            self._digest.update(data)
            for start in range(0, len(data), PIECE):
                self._piece += data[start : start + PIECE]
                if len(self._piece) >= PIECE:
                    self._keep()
        except BaseException:
            self.abandon()
            raise

    def finish(self) -> str:
        """All is here; returns the upload's id."""
        try:
            if not self._size:
                raise BadData("The file is empty: choose one with a table in it.")
            self._keep(whole=True)
        except BaseException:
            self.abandon()
            raise
        return self.id

    def abandon(self) -> None:
        """Leave nothing of it."""
        self._piece.clear()
        self._store.forget(self._owner, self.id, patience=0.0)

    def _keep(self, whole: bool = False) -> None:
        if time.monotonic() > self._end:
            raise TooSlow(too_slow())
        data = bytes(self._piece)
        self._piece.clear()
        with self._store.writing() as db:
            _room(db, len(data))
            values = {"size": self._size, "whole": int(whole), "digest": self._digest.hexdigest() if whole else ""}
            if not db.execute(UPLOADS.update().where(UPLOADS.c.id == self.id).values(**values)).rowcount:
                raise BadInput("The table was forgotten while it arrived; send it again.")
            pad = bytes(self._store.page)
            db.execute(PIECES.insert().values(upload=self.id, n=self._pieces, pad=pad, data=data))
        self._pieces += 1


def own(db: Connection, id: str, owner: str | None) -> str:
    """The digest of an owner's table, and a sign of life of its owner. Raises UnknownName."""
    query = sa.select(UPLOADS.c.digest).where(UPLOADS.c.id == id, UPLOADS.c.owner == owner, UPLOADS.c.whole == 1)
    digest = db.execute(query).scalar()
    if digest is None:
        raise UnknownName(NO_TABLE.format(id=id))
    return str(digest)


def hear(db: Connection, owner: str) -> None:
    """A sign of life within a transaction that gives the owner something."""
    upsert(db, OWNERS, {"owner": owner, "seen": time.time()})


def owe(db: Connection) -> None:
    """Note that something private was deleted, in the transaction that does it."""
    upsert(db, FACTS, {"key": _DEBT, "value": secrets.token_hex(8)})


def clean(name: str) -> str:
    """A file's name as text: without folders, invisible and control characters, and not long."""
    last = PurePosixPath(name.replace("\\", "/")).name
    seen = "".join(c if unicodedata.category(c)[0] not in "CZ" else " " if c.isspace() else "" for c in last)
    seen = " ".join(seen.split())
    if len(seen) > MAX_NAME:  # the ending says what the file is
        seen = seen[: MAX_NAME - 20] + "…" + seen[-19:]
    return seen or "table"


def kept_seconds() -> int:
    """Seconds without a sign of life of an owner after which all that is theirs goes. Raises BadInput for a setting that cannot be."""
    return read_setting("LAB_FORGET_AFTER", FORGET_AFTER)


def too_slow() -> str:
    """The sentence for a table that does not arrive."""
    return f"The file took more than {ARRIVAL / 60:.0f} minutes to arrive: send a smaller one, or zip it."


def _debt(db: Connection) -> str | None:
    value: str | None = db.execute(sa.select(FACTS.c.value).where(FACTS.c.key == _DEBT)).scalar()
    return value


def _room(db: Connection, size: int) -> None:
    total = db.execute(sa.select(sa.func.coalesce(sa.func.sum(UPLOADS.c.size), 0))).scalar_one()
    if total + size > MAX_TOTAL:
        raise BadInput("This server holds as many tables as it can; try again in half an hour, when some have gone.")


def _made_from(owner: str, upload: str) -> sa.ColumnElement[bool]:
    return (JOBS.c.owner == owner) & (JOBS.c.upload == upload)


def _delete(db: Connection, tables: sa.ColumnElement[bool], jobs: sa.ColumnElement[bool]) -> tuple[int, int]:
    """(tables, jobs) deleted, with all that belongs to them."""
    db.execute(PIECES.delete().where(PIECES.c.upload.in_(sa.select(UPLOADS.c.id).where(tables))))
    for part in (*PARTS, MARKS):
        db.execute(part.delete().where(part.c.job.in_(sa.select(JOBS.c.id).where(jobs))))
    gone = (
        db.execute(UPLOADS.delete().where(tables)).rowcount,
        db.execute(JOBS.delete().where(jobs)).rowcount,
    )
    if any(gone):
        owe(db)
    return gone


def _too_large() -> str:
    return f"The file has more than {MAX_BYTES >> 20} MiB, and no more are taken: send a sample of its rows, or zip it."
