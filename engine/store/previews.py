"""Previews: jobs that live while somebody moves a slider. No list has them, nobody owns them, and their rows go when they end.

Who asked is kept as a hash of the owner's token. One owner has one live preview. The one who reads a preview deletes it; the engine
deletes those that nobody reads.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from engine.events import Event, decode
from engine.spec import RunSpec
from engine.spec.run import canonical_json
from engine.store.database import ENGINES_TOPIC, PREVIEWS_TOPIC, Database, Part, insert_row, repeat_on_conflict
from engine.store.jobs import ACTIVE, PREVIEW, PRIORITY_INTERACTIVE, is_running
from engine.store.schema import EVENTS, JOB_TABLES, JOBS, RESULTS

LIMIT_S = 10.0
"""Seconds after which the worker of a preview that hangs is killed."""
KEPT_S = 5.0
"""Seconds for which an ended preview waits for its reader."""
OLDEST_S = 60.0
"""Seconds after which any preview is deleted."""


@dataclass(frozen=True)
class PreviewNews:
    """What is new of a preview. state, reason: its job's. events: (number, event). facts: what it returned, None before its end.
    contested: another owner's preview is queued or running.
    """

    state: str
    reason: str
    events: list[tuple[int, Event]]
    facts: dict[str, Any] | None
    contested: bool


class Previews(Part):
    """Previews as the page that asks and the engine that computes see them."""

    @repeat_on_conflict
    def submit_preview(self, owner: str, client: str, seq: int, spec: RunSpec) -> str | None:
        """Ask for a preview of a completed spec; its id. None where the same client asked for a later one already.

        The owner's other previews end. A queued one leaves its place in the queue to this one, so that a slider
        that moves all the time holds up nobody.
        """
        asker = hashlib.sha256(owner.encode()).hexdigest()[:16]
        mine = sa.and_(JOBS.c.kind == PREVIEW, JOBS.c.fingerprint == asker)
        words = {"client": client, "seq": seq, "preview": spec.to_json()}
        id = f"{PREVIEW}-{secrets.token_hex(8)}"
        values: dict[str, Any] = {
            "id": id,
            "kind": PREVIEW,
            "fingerprint": asker,
            "spec": canonical_json(words),
            "state": "queued",
            "reason": "",
            "priority": PRIORITY_INTERACTIVE,
            "device": "cpu",
            "timeout_s": LIMIT_S,
            "attempt": 1,
            **dict.fromkeys(("done", "total", "cancel", "last_seq"), 0),
            **dict.fromkeys(("owner", "upload", "started", "finished", "engine")),
        }
        with self.database.writing() as connection:
            rows = connection.execute(sa.select(JOBS.c.state, JOBS.c.created, JOBS.c.spec).where(mine)).all()
            for row in rows:
                known = json.loads(row.spec)
                if known["client"] == client and known["seq"] >= seq:
                    return None
            _end(self.database, connection, mine)
            turn = min((row.created for row in rows if row.state == "queued"), default=self.database.clock)
            insert_row(connection, JOBS, {**values, "created": turn})
            self.database.announce(connection, ENGINES_TOPIC)
        return id

    def preview_news(self, id: str, after: int = 0) -> PreviewNews | None:
        """What is new of a preview, its events numbered above `after`. None where it is gone, or a later one of its owner ends it."""
        job = sa.select(JOBS.c.state, JOBS.c.reason, JOBS.c.cancel, JOBS.c.fingerprint, RESULTS.c.words)
        job = job.select_from(JOBS.outerjoin(RESULTS, RESULTS.c.job == JOBS.c.id)).where(
            JOBS.c.id == id, JOBS.c.kind == PREVIEW
        )
        events = sa.select(EVENTS.c.seq, EVENTS.c.kind, EVENTS.c.words, EVENTS.c.arrays)
        events = events.where(EVENTS.c.job == id, EVENTS.c.seq > after).order_by(EVENTS.c.seq)
        with self.database.reading() as connection:
            row = connection.execute(job).first()
            if row is None or row.cancel:
                return None
            other = sa.select(JOBS.c.id).where(
                JOBS.c.kind == PREVIEW, JOBS.c.fingerprint != row.fingerprint, JOBS.c.state.in_(ACTIVE)
            )
            contested = connection.execute(other.limit(1)).first() is not None
            found = [(e.seq, decode(e.kind, e.words, e.arrays)) for e in connection.execute(events)]
        return PreviewNews(row.state, row.reason, found, None if row.words is None else json.loads(row.words), contested)

    @repeat_on_conflict
    def leave_preview(self, id: str) -> None:
        """Nobody reads this preview any more: a running one is stopped, any other one is deleted."""
        with self.database.writing() as connection:
            _end(self.database, connection, sa.and_(JOBS.c.id == id, JOBS.c.kind == PREVIEW))

    @repeat_on_conflict
    def end_preview(self, id: str, state: str, reason: str, facts: str | None = None, *, attempt: int) -> None:
        """The engine's word that a preview ended, with its facts as JSON where it is done. Deleted where nobody reads it."""
        with self.database.writing() as connection:
            ended = JOBS.update().where(is_running(id, attempt), JOBS.c.cancel == 0)
            ended = ended.values(state=state, reason=reason, finished=self.database.clock)
            if connection.execute(ended).rowcount != 1:
                _delete(self.database, connection, sa.and_(is_running(id, attempt), JOBS.c.kind == PREVIEW))
            elif facts is not None:
                self.database.upsert(connection, RESULTS, {"job": id, "words": facts, "arrays": b""})
            self.database.announce(connection, PREVIEWS_TOPIC, id)

    @repeat_on_conflict
    def sweep_previews(self) -> None:
        """Delete the previews whose reader or engine has gone."""
        now = self.database.clock
        ended = sa.and_(JOBS.c.state.not_in(ACTIVE), sa.not_(JOBS.c.finished.between(now - KEPT_S, now + KEPT_S)))
        old = sa.not_(JOBS.c.created.between(now - OLDEST_S, now + OLDEST_S))
        stale = sa.and_(JOBS.c.kind == PREVIEW, sa.or_(ended, old))
        with self.database.reading() as connection:
            if connection.execute(sa.select(JOBS.c.id).where(stale).limit(1)).first() is None:
                return
        with self.database.writing() as connection:
            _delete(self.database, connection, stale)


def _end(database: Database, connection: Connection, jobs: sa.ColumnElement[bool]) -> None:
    """Stops those of these previews that run, which the engine then deletes, and deletes the others."""
    _delete(database, connection, sa.and_(jobs, JOBS.c.state != "running"))
    # also those that were claimed meanwhile
    running = connection.execute(JOBS.update().where(jobs, JOBS.c.state == "running").values(cancel=1))
    if running.rowcount:
        database.announce(connection, ENGINES_TOPIC)


def _delete(database: Database, connection: Connection, jobs: sa.ColumnElement[bool]) -> None:
    database.lock_jobs(connection, jobs)
    ids = list(connection.execute(sa.select(JOBS.c.id).where(jobs)).scalars())
    for table in JOB_TABLES:
        connection.execute(table.delete().where(table.c.job.in_(ids)))
    connection.execute(JOBS.delete().where(JOBS.c.id.in_(ids)))
