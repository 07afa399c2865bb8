"""Deleting what is private so that nothing of it remains, on request or when its owner is no longer seen.

Deleted rows are overwritten, but copies of them stay in the write-ahead log until it is emptied. So the transaction that deletes
also requests that (`request_purge`), and whoever comes next does it (`purge`): the page that forgot, or any engine. A crash
between the two changes nothing.
"""

from __future__ import annotations

import hashlib
import json
import time
from functools import partial
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from engine.errors import StoreError
from engine.settings import read_setting
from engine.store.database import ENGINES_TOPIC, Database, Part, private_key, repeat_on_conflict
from engine.store.schema import ASKERS, BOOKMARKS, FACTS, JOB_TABLES, JOBS, OWNERS, PIECES, UPLOADS

FORGET_AFTER = 30 * 60
"""Seconds without a sign of life of an owner after which all that is theirs goes; LAB_FORGET_AFTER sets another number."""
ARRIVAL = 10 * 60
"""Seconds a table may take to arrive."""
HEARD = 20.0
"""Seconds after a sign of life within which the next one is not written."""
PATIENCE = 5.0
"""Seconds `forget` waits for readers to release the write-ahead log."""
CLEAR = 30.0
"""Seconds after which `expire` drops the statements that this process keeps."""
LOSS_KEPT = 24 * 3600.0
"""Seconds for which it is at least recorded that an owner's tables went with their keys."""
_LOSS = "key gone "
"""How keys in FACTS begin that record so; a digest of the owner follows."""
_REQUEST = "log to empty"
"""Key in FACTS of the request to purge; its value is new each time."""


class Forgotten(NamedTuple):
    """How many tables and jobs were deleted; clean: False where a reader still holds the log, which the engine then empties."""

    tables: int
    jobs: int
    clean: bool


class Forgetting(Part):
    """Owners: when they were seen, and how what is theirs is deleted."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._cleared = time.monotonic()

    @repeat_on_conflict
    def touch(self, owner: str | None) -> None:
        """Records that the owner was seen. Writes only if the last record is older than HEARD seconds."""
        clock = self.database.clock
        with self.database.reading() as connection:
            age = connection.execute(sa.select(clock - OWNERS.c.seen).where(OWNERS.c.owner == owner)).scalar()
        if age is not None and abs(age) > HEARD:
            with self.database.writing(alone=False, durable=False) as connection:
                # an update: an owner who was forgotten meanwhile stays forgotten
                connection.execute(OWNERS.update().where(OWNERS.c.owner == owner).values(seen=clock))

    def forget(self, owner: str | None, upload: str | None = None, *, patience: float = PATIENCE) -> Forgotten:
        """Delete a table or a model file (all of the owner's, where none is named) with every job made from it, and empty the
        write-ahead log.

        An engine that is running one of those jobs drops it, and ends each worker that ever touched the table.
        """
        if not owner:
            return Forgotten(0, 0, True)
        deleted = delete_owner(self.database, owner) if upload is None else delete_upload(self.database, owner, upload)
        return Forgotten(*deleted, purge(self.database, patience) if any(deleted) else True)

    def expire(self, *, now: float | None = None) -> Forgotten:
        """Forget owners who were not seen for `kept_seconds()`, and uploads that ended midway. now: unix seconds, the clock's.

        A sign of life from the future, as after a clock was set back, does not count.
        """
        limit = kept_seconds()
        if time.monotonic() - self._cleared > CLEAR:  # another process may have forgotten what statements here hold
            self._cleared = time.monotonic()
            self.database.forget_statements()
        clock = self.database.clock if now is None else sa.literal(now, sa.Float)
        owned = sa.union(sa.select(UPLOADS.c.owner), sa.select(JOBS.c.owner).where(JOBS.c.owner.is_not(None)))
        recent = OWNERS.c.seen.between(clock - limit, clock + limit)
        stuck = (UPLOADS.c.whole == 0) & (UPLOADS.c.created < clock - ARRIVAL)
        silent = owned.subquery().c.owner
        with self.database.reading() as connection:
            present = sa.select(OWNERS.c.owner).where(recent)
            owners = list(connection.execute(sa.select(silent).where(silent.not_in(present))).scalars())
            is_stuck = connection.execute(sa.select(UPLOADS.c.id).where(stuck).limit(1)).first() is not None
            is_requested = _read_request(connection) is not None
        tables = jobs = 0
        for owner in owners:
            deleted = delete_owner(self.database, owner, unless=recent)
            tables, jobs = tables + deleted[0], jobs + deleted[1]
        if is_stuck:
            tables += self.database.write(lambda connection: _delete(self.database, connection, stuck, sa.false()))[0]
        return Forgotten(tables, jobs, self.purge() if is_requested or tables or jobs else True)

    def has_lost_key(self, owner: str | None) -> bool:
        """Whether tables of this owner were forgotten because a crash of the database emptied its keys, and none was sent since."""
        if not owner or not self.database.seals:
            return False
        with self.database.reading() as connection:
            return find_loss(connection, owner)

    def purge(self, patience: float = 0.0) -> bool:
        """Empty the write-ahead log if something private was deleted since it last was. False if readers held it all the time."""
        return purge(self.database, patience)


def purge(database: Database, patience: float = 0.0) -> bool:
    """Empty the write-ahead log if something private was deleted since it last was. patience: seconds to wait for readers.

    False if readers held it all that time, or the database failed: what was deleted is deleted, and an engine empties the log later.
    """
    end = time.monotonic() + patience
    database.forget_statements()
    try:
        while True:
            with database.reading() as connection:
                request = _read_request(connection)
            if request is None:
                return True
            if database.pay_debt(request):
                database.write(partial(_remove_request, request=request))
            elif time.monotonic() >= end:
                return False
            else:
                time.sleep(0.02)
    except StoreError:
        return False


def request_purge(database: Database, connection: Connection) -> None:
    """Record that something private was deleted, in the transaction that deletes it."""
    database.upsert(connection, FACTS, {"key": _REQUEST, "value": database.describe_debt(connection)})


def touch_owner(database: Database, connection: Connection, owner: str) -> None:
    """Record that the owner was seen, in a transaction that gives the owner something."""
    database.upsert(connection, OWNERS, {"owner": owner, "seen": database.clock})


@repeat_on_conflict
def delete_upload(database: Database, owner: str, upload: str) -> tuple[int, int]:
    """(tables, jobs) deleted: a table of that owner with every job made from it."""
    with database.writing() as connection:
        table = (UPLOADS.c.owner == owner) & (UPLOADS.c.id == upload)
        return _delete(database, connection, table, _made_from(database, connection, owner, upload))


def delete_owner(database: Database, owner: str, unless: sa.ColumnElement[bool] | None = None) -> tuple[int, int]:
    """(tables, jobs) deleted of an owner. unless: a condition on their row in OWNERS that ends it, checked inside the lock.

    One table at a time: overwriting a large one takes about a second, in which nobody else can write.
    """
    spared = sa.select(OWNERS.c.owner).where(OWNERS.c.owner == owner, sa.false() if unless is None else unless)

    def delete_next(connection: Connection) -> tuple[int, int, bool]:
        """(tables, jobs, whether it was the last of theirs)."""
        connection.execute(sa.select(OWNERS.c.owner).where(OWNERS.c.owner == owner).with_for_update()).first()
        if connection.execute(spared).first() is not None:
            return 0, 0, True
        upload = connection.execute(sa.select(UPLOADS.c.id).where(UPLOADS.c.owner == owner).limit(1)).scalar()
        if upload is not None:
            made = _made_from(database, connection, owner, upload)
            return *_delete(database, connection, UPLOADS.c.id == upload, made), False
        deleted = _delete(database, connection, sa.false(), JOBS.c.owner == owner)
        connection.execute(OWNERS.delete().where(OWNERS.c.owner == owner))
        clear_loss(connection, owner)
        return *deleted, True

    tables = jobs = 0
    is_last = False
    while not is_last:
        more_tables, more_jobs, is_last = database.write(delete_next)
        tables, jobs = tables + more_tables, jobs + more_jobs
    return tables, jobs


def forget_keyless(database: Database, connection: Connection, keys: sa.Select[tuple[str]]) -> tuple[int, int]:
    """(tables, jobs) deleted: those that were sealed and whose key is gone. keys: names of those that are there.

    It is recorded whose they were, for `Forgetting.has_lost_key`.
    """
    tables, jobs = _without(keys)
    owners = sa.union(sa.select(UPLOADS.c.owner).where(tables), sa.select(JOBS.c.owner).where(jobs))
    now = database.read_clock(connection)
    told = sa.select(FACTS.c.key, FACTS.c.value).where(FACTS.c.key.startswith(_LOSS))
    old = [key for key, value in connection.execute(told) if now - float(value) > LOSS_KEPT]
    connection.execute(FACTS.delete().where(FACTS.c.key.in_(old)))
    for owner in connection.execute(owners).scalars().all():
        database.upsert(connection, FACTS, {"key": _name_loss(owner), "value": str(now)})
    return _delete(database, connection, tables, jobs)


def any_keyless(connection: Connection, keys: sa.Select[tuple[str]]) -> bool:
    """Whether `forget_keyless` would delete something."""
    tables, jobs = _without(keys)
    either = sa.or_(sa.exists().where(tables), sa.exists().where(jobs))
    return bool(connection.execute(sa.select(either)).scalar())


def _without(keys: sa.Select[tuple[str]]) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    """Tables, and private jobs, that none of these keys opens."""
    return UPLOADS.c.id.not_in(keys), sa.and_(
        JOBS.c.owner.is_not(None), sa.func.coalesce(JOBS.c.upload, JOBS.c.id).not_in(keys)
    )


def find_loss(connection: Connection, owner: str) -> bool:
    """Whether tables of this owner went with their keys, and none came since."""
    return connection.execute(sa.select(FACTS.c.key).where(FACTS.c.key == _name_loss(owner))).first() is not None


def clear_loss(connection: Connection, owner: str) -> None:
    """Record that the owner sends a table again."""
    connection.execute(FACTS.delete().where(FACTS.c.key == _name_loss(owner)))


def _name_loss(owner: str) -> str:
    return f"{_LOSS}{hashlib.sha256(owner.encode()).hexdigest()[:32]}"


def kept_seconds() -> int:
    """Seconds without a sign of life of an owner after which all that is theirs goes. Raises BadInput for a wrong setting."""
    return read_setting("LAB_FORGET_AFTER", FORGET_AFTER)


def _read_request(connection: Connection) -> str | None:
    value: str | None = connection.execute(sa.select(FACTS.c.value).where(FACTS.c.key == _REQUEST)).scalar()
    return value


def _remove_request(connection: Connection, request: str) -> None:
    # it stays if more was deleted meanwhile
    connection.execute(FACTS.delete().where(FACTS.c.key == _REQUEST, FACTS.c.value == request))


def _made_from(database: Database, connection: Connection, owner: str, upload: str) -> sa.ColumnElement[bool]:
    """Jobs of the owner on this upload, and scorings by a model that came from it."""
    scored = sa.and_(JOBS.c.kind == "score", database.field(JOBS.c.spec, "origin") == upload)
    if database.seals:
        specs = sa.select(JOBS.c.id, JOBS.c.spec, JOBS.c.upload).where(JOBS.c.owner == owner, JOBS.c.kind == "score")
        rows = [(id, private_key(owner, table, id), spec) for id, spec, table in connection.execute(specs)]
        opened = {id: database.open_words(connection, spec, key, ("jobs", "spec", id, 0)) for id, key, spec in rows}
        scored = JOBS.c.id.in_([id for id, spec in opened.items() if json.loads(spec).get("origin") == upload])
    return sa.and_(JOBS.c.owner == owner, sa.or_(JOBS.c.upload == upload, scored))


def _delete(
    database: Database, connection: Connection, tables: sa.ColumnElement[bool], jobs: sa.ColumnElement[bool]
) -> tuple[int, int]:
    """(tables, jobs) deleted, with all that belongs to them."""
    database.lock_jobs(connection, jobs)
    if database.seals:
        names = sa.select(UPLOADS.c.id).where(tables).union_all(sa.select(JOBS.c.id).where(jobs))
        database.drop_keys(connection, list(connection.execute(names).scalars()))
    connection.execute(PIECES.delete().where(PIECES.c.upload.in_(sa.select(UPLOADS.c.id).where(tables))))
    for table in (*JOB_TABLES, BOOKMARKS, ASKERS):
        connection.execute(table.delete().where(table.c.job.in_(sa.select(JOBS.c.id).where(jobs))))
    deleted = (
        connection.execute(UPLOADS.delete().where(tables)).rowcount,
        connection.execute(JOBS.delete().where(jobs)).rowcount,
    )
    if any(deleted):
        request_purge(database, connection)
        database.announce(connection, ENGINES_TOPIC)  # workers that hold such data end
    return deleted
