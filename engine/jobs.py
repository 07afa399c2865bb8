"""A job: one row of the queue and record, whatever its kind, and how it goes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from engine import techniques
from engine.database import ARTIFACTS, JOBS, MARKS, PARTS
from engine.uploads import owe

KINDS = ("run", "embed", "profile", "compare")
ACTIVE = ("queued", "running")
STATES = (*ACTIVE, "done", "failed", "cancelled", "interrupted")


@dataclass(frozen=True)
class Job:
    """A frozen copy of one row of the queue and record.

    kind: 'run' (spec: RunSpec.to_json()), 'embed' (spec: EmbedSpec.to_json(); fingerprint: its run's id), 'profile' (spec: see
    `engine.spec.table_options`) or 'compare' (spec: `engine.compare_spec.CompareSpec` as JSON). state: queued,
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
        name = techniques.artifact(read(row).spec["technique"], id)
        db.execute(ARTIFACTS.delete().where(ARTIFACTS.c.job == row.fingerprint, ARTIFACTS.c.name == name))
    clear(db, id)
    db.execute(MARKS.delete().where(MARKS.c.job == id))
    db.execute(JOBS.delete().where(JOBS.c.id == id))
    if row is not None and row.owner is not None:
        owe(db)
    return row is not None
