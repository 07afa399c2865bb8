"""Engines: their heartbeats, the catalog they publish, and the runs of those that ended without a word."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from engine.store.catalogs import merge_catalogs, name_catalog
from engine.store.database import ENGINES_TOPIC, Database, Part, repeat_on_conflict
from engine.store.jobs import ANEW, INTERRUPTED, LOST_MOST, PREVIEW, delete_outcome
from engine.store.schema import CATALOG, CATALOGS, ENGINES, JOBS

STALE = 3.0
"""Seconds without a heartbeat after which an engine of a store on this machine counts as gone; others have `Database.silence`."""

KEPT = 3600.0
"""Seconds for which a silent engine's row is kept, and a catalog that no row names."""


@dataclass(frozen=True)
class EngineInfo:
    """What an engine reports about once a second. started, heartbeat: unix seconds; memory_mb: it and its workers, MiB.

    device: the one `auto` would take, as a worker reported it ('' while none has). devices: those that can be asked for.
    slots: runs at a time; ready: workers that are up; busy: slots in use. trouble: why its workers do not start, '' while they do.
    troubles: the same of each slot of a cluster that is not ready, such as another version on its machine.
    previews: whether it computes previews, in a worker beside the slots. catalog: `name_catalog` of it, '' without one. version: of the
    program, '' where it is not installed as a package; numerics: `engine.version.NUMERICS`, 0 for programs of before.
    device_memory: MiB of each device; share: percent of a GPU's memory for each worker; mps: the folder of NVIDIA's Multi-Process Service,
    '' where none runs. draining: it takes nothing new, and stops when what it runs has ended.
    """

    id: str
    host: str
    pid: int
    started: float
    heartbeat: float
    device: str = ""
    devices: list[str] = dataclasses.field(default_factory=list)
    slots: int = 0
    ready: int = 0
    busy: int = 0
    memory_mb: float = 0.0
    trouble: str = ""
    previews: bool = False
    catalog: str = ""
    version: str = ""
    numerics: int = 0
    device_memory: dict[str, int] = dataclasses.field(default_factory=dict)
    share: int = 0
    mps: str = ""
    draining: bool = False
    troubles: list[str] = dataclasses.field(default_factory=list)

    def alive(self, now: float | None = None, limit: float = STALE) -> bool:
        """Whether the heartbeat lies within `limit` seconds of `now`, on either side, since a clock may be set back."""
        return abs((time.time() if now is None else now) - self.heartbeat) <= limit


_FIELDS = {field.name for field in dataclasses.fields(EngineInfo)}


def read_info(row: Any) -> EngineInfo:
    """What a row of ENGINES says (`heartbeat`, `words`); what a later program says on top is left out."""
    words = {name: value for name, value in json.loads(row.words).items() if name in _FIELDS}
    return EngineInfo(**words | {"heartbeat": row.heartbeat})


class Engines(Part):
    """Which engines run, and what they can do."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._clock_offset = time.time() - time.monotonic()
        self._trusted_from = 0.0

    @repeat_on_conflict
    def publish_catalog(self, catalog: Mapping[str, Any]) -> None:
        """What an engine can do; it counts as long as an engine lives whose heartbeat names it (`name_catalog`), and then until the next
        is published. Those of engines that are gone are deleted."""
        words, now = json.dumps(catalog, allow_nan=False), self.database.clock
        with self.database.writing() as connection:
            named = {read_info(row).catalog for row in connection.execute(sa.select(ENGINES.c.heartbeat, ENGINES.c.words))}
            gone = CATALOGS.c.digest.not_in(named) & (CATALOGS.c.published < now - KEPT)
            connection.execute(CATALOGS.delete().where(gone))
            self.database.upsert(connection, CATALOGS, {"digest": name_catalog(catalog), "words": words, "published": now})
            self.database.upsert(connection, CATALOG, {"one": 1, "words": words})

    def catalog(self) -> dict[str, Any] | None:
        """What the engines that live and take jobs can do together (`merge_catalogs`), the newest engine's first; the catalog published
        last where none does, None where none ever was."""
        with self.database.reading() as connection:
            rows = connection.execute(sa.select(ENGINES.c.heartbeat, ENGINES.c.words).where(ENGINES.c.drain.is_(None))).all()
            now = self.database.read_clock(connection)
            known = sorted((read_info(row) for row in rows), key=lambda e: -e.started)
            taking = dict.fromkeys(e.catalog for e in known if e.alive(now, self.database.silence) and not e.draining)
            query = sa.select(CATALOGS.c.digest, CATALOGS.c.words).where(CATALOGS.c.digest.in_(list(taking)))
            texts = {row.digest: row.words for row in connection.execute(query)} if taking else {}
            if not texts:
                text = connection.execute(sa.select(CATALOG.c.words)).scalar()
                return None if text is None else dict(json.loads(text))
        return merge_catalogs([json.loads(texts[digest]) for digest in taking if digest in texts])

    @repeat_on_conflict
    def record_heartbeat(self, info: EngineInfo) -> None:
        """Store an engine's heartbeat, by the database's clock: as old as it is by this machine's."""
        row: dict[str, Any] = {"id": info.id, "words": json.dumps(dataclasses.asdict(info), allow_nan=False)}
        row["heartbeat"] = self.database.local_time(info.heartbeat)
        with self.database.writing(alone=False, durable=False) as connection:
            self.database.upsert(connection, ENGINES, row)

    def engines(self, alive_within: float | None = None) -> list[EngineInfo]:
        """Engines whose heartbeat is at most that many seconds old (`Database.silence`), the longest running first."""
        with self.database.reading() as connection:
            rows = connection.execute(sa.select(ENGINES.c.heartbeat, ENGINES.c.words)).all()
            now = self.database.read_clock(connection)
        known = [read_info(row) for row in rows]
        limit = self.database.silence if alive_within is None else alive_within
        return sorted((e for e in known if e.alive(now, limit)), key=lambda e: e.started)

    @repeat_on_conflict
    def retire(self, engine_id: str) -> None:
        """Delete the heartbeat of an engine that stops on purpose."""
        with self.database.writing() as connection:
            connection.execute(ENGINES.delete().where(ENGINES.c.id == engine_id))

    @repeat_on_conflict
    def interrupt_orphans(self, stale_after: float | None = None) -> list[str]:
        """Take running jobs from engines that have had no heartbeat for `stale_after` seconds (`Database.silence`); returns their ids.

        They are queued anew, LOST_MOST times, where engines of several machines may use the store, or an engine lives that ran beside the
        silent one; else they are interrupted, and so are previews and what somebody wants stopped. An engine that stood alone may
        have ended by what it ran, so nobody begins that again unasked.

        Engine and page may both call it, at any rate. After the machine slept or its clock was set, every heartbeat of a store on this
        machine looks old: then nothing is marked for `stale_after` seconds, in which a living engine sends a new one. So it is
        after the database's server started, or could not be reached from here: others may have had no server either.
        """
        stale_after = self.database.silence if stale_after is None else stale_after
        offset = time.time() - time.monotonic()
        if self.database.on_this_machine and abs(offset - self._clock_offset) > 1:
            self._clock_offset, self._trusted_from = offset, time.monotonic() + stale_after
        if time.monotonic() < self._trusted_from:
            return []
        now = self.database.clock
        living = sa.select(ENGINES.c.id).where(ENGINES.c.heartbeat.between(now - stale_after, now + stale_after))
        orphan = sa.and_(JOBS.c.state == "running", JOBS.c.engine.not_in(living))
        with self.database.reading() as connection:
            if connection.execute(sa.select(JOBS.c.id).where(orphan).limit(1)).first() is None:
                return []
            if self.database.read_uptime(connection) < stale_after:
                return []
        began = time.monotonic()
        with self.database.writing() as connection:
            if (
                self.database.on_this_machine and time.monotonic() - began > 1
            ):  # locked, for engines too: heartbeats may be on their way
                return []
            # a heartbeat that is just written counts, and one that comes now waits; what is looked at is what is there then
            silent = sa.select(ENGINES.c.id).where(ENGINES.c.id.not_in(living)).with_for_update(skip_locked=True)
            gone = list(connection.execute(silent).scalars())
            orphan = sa.and_(orphan, sa.or_(JOBS.c.engine.in_(gone), JOBS.c.engine.not_in(sa.select(ENGINES.c.id))))
            self.database.lock_jobs(connection, orphan)
            ids = self._queue_anew(connection, orphan, stale_after)
            ended = JOBS.update().where(orphan).values(state="interrupted", reason=INTERRUPTED, finished=now)
            ids += connection.execute(ended.returning(JOBS.c.id)).scalars()
            connection.execute(ENGINES.delete().where(ENGINES.c.heartbeat < now - KEPT))
        return ids

    def _queue_anew(self, connection: Connection, orphan: sa.ColumnElement[bool], stale_after: float) -> list[str]:
        """Queue those of the orphans that may begin again, and return their ids."""
        again = sa.and_(orphan, JOBS.c.cancel == 0, JOBS.c.kind != PREVIEW, JOBS.c.lost < LOST_MOST)
        if self.database.on_this_machine:
            now = self.database.read_clock(connection)
            rows = connection.execute(sa.select(ENGINES.c.id, ENGINES.c.heartbeat, ENGINES.c.words)).all()
            oldest = min((one.started for row in rows if (one := read_info(row)).alive(now, stale_after)), default=now)
            beside = [row.id for row in rows if oldest < row.heartbeat < now - stale_after]
            again = sa.and_(again, JOBS.c.engine.in_(beside))
        queued = JOBS.update().where(again).values(**ANEW, lost=JOBS.c.lost + 1)
        ids = [str(id) for id in connection.execute(queued.returning(JOBS.c.id)).scalars()]
        for id in ids:
            delete_outcome(self.database, connection, id)
        if ids:
            self.database.announce(connection, ENGINES_TOPIC)
        return ids
