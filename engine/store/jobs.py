"""A job: one row of the queue and record, whatever its kind; how it is queued and how it goes."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from engine.spec import embedding
from engine.store.database import ARTIFACTS, JOBS, MARKS, PARTS, PRIORITY_INTERACTIVE, upsert
from engine.store.uploads import hear, owe

KINDS = ("run", "embed", "profile", "compare")
ACTIVE = ("queued", "running")
STATES = (*ACTIVE, "done", "failed", "cancelled", "interrupted")


@dataclass(frozen=True)
class Job:
    """A frozen copy of one row of the queue and record.

    kind: 'run' (spec: RunSpec.to_json()), 'embed' (spec: EmbedSpec.to_json(); fingerprint: its run's id), 'profile' (spec: see
    `engine.spec.run.table_options`) or 'compare' (spec: `engine.spec.comparison.CompareSpec` as JSON). state: queued,
    running, done, failed, cancelled or interrupted. reason: one sentence for a person when failed, cancelled or interrupted,
    else ''. owner: None = anyone may see it. priority: 0 goes first. device: auto, cpu or cuda. timeout_s: seconds of running
    allowed, None = no limit. attempt: from 1, raised each time it is queued again. done, total: the latest Progress (0, 0 before
    it). created (when queued), started, finished: unix seconds. engine: who claimed it. upload: the table it is made from.
    """

    id: str
    kind: str
    spec: dict[str, Any]
    fingerprint: str
    state: str
    reason: str
    owner: str | None
    priority: int
    device: str
    timeout_s: float | None
    attempt: int
    done: int
    total: int
    created: float
    started: float | None
    finished: float | None
    engine: str | None
    upload: str | None = None

    @property
    def active(self) -> bool:
        """Queued or running."""
        return self.state in ACTIVE

    @property
    def finished_(self) -> bool:
        """Not active: done, failed, cancelled or interrupted."""
        return not self.active


COLUMNS = [JOBS.c[f.name] for f in dataclasses.fields(Job)]
"""What `read` takes of a row."""


TURN = ("priority", "created", "id")
"""What decides who of the queued goes first."""


def made(values: Mapping[str, Any]) -> Job:
    """The job of a row's COLUMNS by name."""
    return Job(**dict(values) | {"spec": json.loads(values["spec"])})


def read(row: Row[Any]) -> Job:
    """The job of a row that holds COLUMNS and nothing else."""
    return made(dict(row._mapping))


def clear(db: Connection, id: str) -> None:
    """Delete what came of a job, of a run also its embed jobs: their answers are among its artifacts."""
    embeds = sa.select(JOBS.c.id).where(JOBS.c.kind == "embed", JOBS.c.fingerprint == id)
    for part in PARTS:
        db.execute(part.delete().where(sa.or_(part.c.job == id, part.c.job.in_(embeds))))
    db.execute(MARKS.delete().where(MARKS.c.job.in_(embeds)))
    db.execute(JOBS.delete().where(JOBS.c.kind == "embed", JOBS.c.fingerprint == id))


def remove(db: Connection, id: str) -> bool:
    """Delete a job with all that came of it and its marks. False where there is none."""
    row = db.execute(sa.select(*COLUMNS).where(JOBS.c.id == id)).first()
    if row is not None and row.kind == "embed":
        name = embedding.artifact_name(read(row).spec["technique"], id)
        db.execute(ARTIFACTS.delete().where(ARTIFACTS.c.job == row.fingerprint, ARTIFACTS.c.name == name))
    clear(db, id)
    db.execute(MARKS.delete().where(MARKS.c.job == id))
    db.execute(JOBS.delete().where(JOBS.c.id == id))
    if row is not None and row.owner is not None:
        owe(db)
    return row is not None


def queue(db: Connection, key: Mapping[str, Any], asked: Mapping[str, Any], *, again: bool) -> Job:
    """The job of that key, queued unless it is already, or done and not wanted `again`. See `engine.store.Store.submit`."""
    fresh = {
        "state": "queued",
        "reason": "",
        "done": 0,
        "total": 0,
        "created": time.time(),
        "started": None,
        "finished": None,
        "engine": None,
        "cancel": 0,
        "last_seq": 0,
    } | dict(asked)
    if key["owner"] is not None:
        hear(db, key["owner"])
    one = JOBS.c.id == key["id"]
    row = db.execute(sa.select(JOBS.c.state, JOBS.c.cancel, JOBS.c.priority).where(one)).first()
    if row is None:
        db.execute(JOBS.insert().values(**key, **fresh, attempt=1))
    elif (row.state in ACTIVE and not row.cancel) or (row.state == "done" and not again):
        if asked["priority"] < row.priority:
            db.execute(JOBS.update().where(one).values(priority=asked["priority"]))
    else:
        clear(db, key["id"])
        db.execute(JOBS.update().where(one).values(**fresh, attempt=JOBS.c.attempt + 1))
    return read(db.execute(sa.select(*COLUMNS).where(one)).one())


def answered(db: Connection, key: Mapping[str, Any]) -> Job:
    """An embed job whose answer the run already keeps, as a done one; whoever is busy with it finds its attempt gone."""
    one = JOBS.c.id == key["id"]
    row = db.execute(sa.select(JOBS.c.state, JOBS.c.attempt).where(one)).first()
    if row is None or row.state != "done":
        now = time.time()
        fixed = {
            "priority": PRIORITY_INTERACTIVE,
            "device": "cpu",
            "timeout_s": None,
            "engine": None,
            "cancel": 0,
            "reason": "",
        }
        times = {"created": now, "started": now, "finished": now}
        counts = {"done": 1, "total": 1, "last_seq": 0, "attempt": 1 if row is None else row.attempt + 1}
        clear(db, key["id"])
        upsert(db, JOBS, dict(key) | fixed | times | counts | {"state": "done"})
    return read(db.execute(sa.select(*COLUMNS).where(one)).one())


def has(db: Connection, id: str, artifact: str) -> bool:
    query = sa.select(ARTIFACTS.c.job).where(ARTIFACTS.c.job == id, ARTIFACTS.c.name == artifact)
    return db.execute(query).first() is not None
