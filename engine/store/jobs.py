"""A job: one row of the queue and record, whatever its kind, with the steps that several parts of the store share.

Functions take an open transaction (`connection`), and the database where they write padded rows or read JSON.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from engine.errors import UnknownName
from engine.spec import embedding
from engine.store.database import ENGINES_TOPIC, Database, insert_row, private_key
from engine.store.forgetting import request_purge, touch_owner
from engine.store.quotas import count_job, count_jobs
from engine.store.schema import ARTIFACTS, ASKERS, BOOKMARKS, JOB_TABLES, JOBS, RESULTS
from engine.text import quote

KINDS = ("run", "embed", "profile", "compare", "score", "refit")
"""What waits for one of the engine's slots."""
FOLLOWERS = ("embed", "score", "refit")
"""Kinds whose fingerprint may be the id of the job that they are made from."""
PREVIEW = "preview"
"""A job beside the slots, in no list and no count; see `engine.store.previews`."""
ACTIVE = ("queued", "running")
STATES = (*ACTIVE, "done", "failed", "cancelled", "interrupted")
PRIORITY_INTERACTIVE = 0
"""A person waits for it."""
PRIORITY_COMPANION = 1
"""Shown beside what a person waits for: controls, baseline, ceiling."""
PRIORITY_SWEEP = 10
"""One cell of many."""
INTERRUPTED = "The engine stopped while this was running. Run it again to start over."
CANCELLED = "Cancelled."
LOST_MOST = 2
"""How often a job is queued anew because its machine was lost."""


@dataclass(frozen=True)
class Job:
    """A frozen copy of one row of the queue and record.

    kind: 'run' (spec: RunSpec.to_json()), 'embed' (spec: EmbedSpec.to_json(); fingerprint: its run's id), 'profile' (spec: see
    `engine.spec.run.table_options`), 'compare' (spec: `engine.spec.comparison.CompareSpec` as JSON), 'score' (spec:
    `engine.spec.score.ScoreSpec` as JSON; fingerprint: the id of the job that made its model, or the digest of a model file) or
    'refit' (spec: `engine.spec.refit.RefitSpec` as JSON; fingerprint: the id of its comparison), or
    PREVIEW. state: queued, running, done, failed, cancelled or interrupted. reason: one sentence for a person when failed, cancelled
    or interrupted, else ''. owner: None = anyone may see it. priority: 0 goes first. device: auto, cpu or cuda. timeout_s: seconds
    of running allowed, None = no limit. attempt: from 1, raised each time it is queued again. done, total: the latest Progress (0, 0 before
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


COLUMNS = [JOBS.c[f.name] for f in dataclasses.fields(Job)]
"""The columns that make a Job."""
ANEW: dict[str, Any] = {
    "state": "queued",
    "engine": None,
    "started": None,
    "done": 0,
    "total": 0,
    "last_seq": 0,
    "attempt": JOBS.c.attempt + 1,
}
"""What puts a running job back to its place in the queue, as if it had not begun; see `delete_outcome`."""
TURN = ("priority", "created", "id")
"""The order in which queued jobs start."""


# ---- conditions and columns of queries


def visible_to(owner: str | None) -> sa.ColumnElement[bool]:
    """Public jobs, and those of `owner`."""
    return JOBS.c.owner.is_(None) if owner is None else sa.or_(JOBS.c.owner.is_(None), JOBS.c.owner == owner)


def is_running(id: str, attempt: int | None) -> sa.ColumnElement[bool]:
    """That job while it runs, as that attempt where one is named."""
    running = sa.and_(JOBS.c.id == id, JOBS.c.state == "running")
    return running if attempt is None else sa.and_(running, JOBS.c.attempt == attempt)


def method_of(database: Database, owner: str | None) -> sa.ColumnElement[Any]:
    """The method of a job, or the technique of a map, in a query of what `owner` may see: of a private one from its spec.

    That takes a subquery, since a private spec is in no index and the public jobs of a list are read from an index alone.
    """
    if owner is None:
        return JOBS.c.method
    private = JOBS.alias("private")
    if database.seals:
        return _method_of_sealed(database, owner)
    names = (database.field(private.c.spec, path) for path in ("method", "technique"))
    of_private = sa.select(sa.func.coalesce(*names)).where(private.c.id == JOBS.c.id).correlate(JOBS).scalar_subquery()
    return sa.case((JOBS.c.owner.is_(None), JOBS.c.method), else_=of_private)


def _method_of_sealed(database: Database, owner: str) -> sa.ColumnElement[Any]:
    """`method_of` where queries do not read private specs: the owner's few jobs are read first."""
    with database.reading() as connection:
        rows = connection.execute(sa.select(*COLUMNS).where(JOBS.c.owner == owner)).all()
        jobs = [job_from_row(database, connection, row) for row in rows]
    by_method: dict[str, list[str]] = {}
    for job in jobs:
        if method := job.spec.get("method") or job.spec.get("technique"):
            by_method.setdefault(method, []).append(job.id)
    cases = [(JOBS.c.id.in_(ids), sa.literal(method, sa.Text)) for method, ids in by_method.items()]
    return sa.case((JOBS.c.owner.is_(None), JOBS.c.method), *cases)


# ---- reading


def job_from_values(database: Database, connection: Connection, values: Mapping[str, Any]) -> Job:
    """The job of a row's COLUMNS by name, opened where it is sealed. Raises StoreError."""
    id, key = values["id"], private_key(values["owner"], values["upload"], values["id"])
    spec, reason = (database.open_words(connection, values[name], key, ("jobs", name, id, 0)) for name in ("spec", "reason"))
    return Job(**dict(values) | {"spec": json.loads(spec), "reason": reason})


def job_from_row(database: Database, connection: Connection, row: Row[Any]) -> Job:
    """The job of a row that holds COLUMNS and nothing else. Raises StoreError."""
    return job_from_values(database, connection, dict(row._mapping))


def seal_spec(database: Database, connection: Connection, key: Mapping[str, Any], spec: str) -> str:
    """The spec of a job as its row stores it, JSON. key: its id, owner and upload; a private job without one has a key of its own."""
    name = private_key(key["owner"], key.get("upload"), key["id"])
    if name is not None and name == key["id"]:
        database.make_key(connection, name)
    return database.seal_words(connection, spec, name, ("jobs", "spec", key["id"], 0))


def read_job(database: Database, id: str, owner: str | None) -> Job:
    """The job. Raises UnknownName where there is none, or it is somebody else's."""
    with database.reading() as connection:
        row = connection.execute(sa.select(*COLUMNS).where(JOBS.c.id == id, visible_to(owner))).first()
        if row is None:
            raise UnknownName(f"no run is called {quote(id)} here; it may have been deleted, or belong to another browser.")
        return job_from_row(database, connection, row)


def open_results(
    database: Database, connection: Connection, ids: Sequence[str], owner: str | None
) -> dict[str, dict[str, Any]]:
    """id -> result without arrays of those of these jobs that are the owner's own, where they are sealed. Raises StoreError."""
    query = sa.select(JOBS.c.id, JOBS.c.upload, RESULTS.c.words).join(RESULTS, RESULTS.c.job == JOBS.c.id)
    rows = connection.execute(query.where(JOBS.c.id.in_(ids), JOBS.c.owner == owner)).all() if owner else []
    out = {}
    for id, upload, words in rows:
        opened = database.open_words(connection, words, private_key(owner, upload, id), ("results", "words", id, 0))
        out[id] = json.loads(opened)
    return out


def has_artifact(connection: Connection, id: str, name: str) -> bool:
    """Whether a job has an artifact of that name."""
    query = sa.select(ARTIFACTS.c.job).where(ARTIFACTS.c.job == id, ARTIFACTS.c.name == name)
    return connection.execute(query).first() is not None


# ---- writing


def delete_outcome(database: Database, connection: Connection, id: str) -> None:
    """Delete the events, result and artifacts of a job, and the jobs made from these: embed jobs, and tables that its models scored."""
    followers = _list_followers(connection, id)
    database.lock_jobs(connection, JOBS.c.id.in_([id, *followers]))
    for table in JOB_TABLES:
        connection.execute(table.delete().where(sa.or_(table.c.job == id, table.c.job.in_(followers))))
    for table in (BOOKMARKS, ASKERS):
        connection.execute(table.delete().where(table.c.job.in_(followers)))
    connection.execute(JOBS.delete().where(JOBS.c.id.in_(followers)))
    database.drop_keys(connection, followers)


def _list_followers(connection: Connection, id: str) -> list[str]:
    """Ids of the jobs made from a job, and of those made from them: a table scored by a model that was trained on all rows."""
    found: list[str] = []
    last = [id]
    while last:
        came = sa.and_(JOBS.c.kind.in_(FOLLOWERS), JOBS.c.fingerprint.in_(last), JOBS.c.id.not_in([id, *found]))
        last = list(connection.execute(sa.select(JOBS.c.id).where(came)).scalars())
        found += last
    return found


def delete_job(database: Database, connection: Connection, id: str) -> bool:
    """Delete a job with its events, results, artifacts and bookmarks. False if there is none."""
    row = connection.execute(sa.select(*COLUMNS).where(JOBS.c.id == id)).first()
    private = JOBS.c.id.in_(_list_followers(connection, id)) & JOBS.c.owner.is_not(None)
    if connection.execute(sa.select(JOBS.c.id).where(private)).first() is not None:
        request_purge(database, connection)
    if row is not None and row.kind == "embed":
        name = embedding.artifact_name(job_from_row(database, connection, row).spec["technique"], id)
        connection.execute(ARTIFACTS.delete().where(ARTIFACTS.c.job == row.fingerprint, ARTIFACTS.c.name == name))
    delete_outcome(database, connection, id)
    for table in (BOOKMARKS, ASKERS):
        connection.execute(table.delete().where(table.c.job == id))
    connection.execute(JOBS.delete().where(JOBS.c.id == id))
    database.drop_keys(connection, [id])
    if row is not None and row.owner is not None:
        request_purge(database, connection)
    if row is not None and row.state == "running":
        database.announce(connection, ENGINES_TOPIC)
    return row is not None


def enqueue_job(
    database: Database,
    connection: Connection,
    key: Mapping[str, Any],
    values: Mapping[str, Any],
    *,
    again: bool,
    asker: str | None = None,
) -> Job:
    """The job of that key, queued unless it is already, or is done and `again` is false. See `engine.store.Store.submit`.

    key: id, kind, spec (padded), fingerprint, owner, upload. values: priority, device, timeout_s, and what else is to differ.
    asker: who asks for a public job. Raises QuotaReached where it would be queued, and is one too many for them.
    """
    fresh = make_queued({"created": database.clock, **values})
    if key["owner"] is not None:
        touch_owner(database, connection, key["owner"])
    one = JOBS.c.id == key["id"]
    row = connection.execute(sa.select(JOBS.c.state, JOBS.c.cancel, JOBS.c.priority).where(one)).first()
    whose = key["owner"] or asker
    if row is None:
        count_job(database, connection, key["id"], whose)
        insert_row(connection, JOBS, {**key, **fresh, "attempt": 1})
        database.announce(connection, ENGINES_TOPIC)
    elif (row.state in ACTIVE and not row.cancel) or (row.state == "done" and not again):
        if values["priority"] < row.priority:
            connection.execute(JOBS.update().where(one).values(priority=values["priority"]))
    else:
        count_job(database, connection, key["id"], whose)
        delete_outcome(database, connection, key["id"])
        connection.execute(JOBS.update().where(one).values(**fresh, attempt=JOBS.c.attempt + 1))
        database.announce(connection, ENGINES_TOPIC)
    return job_from_row(database, connection, connection.execute(sa.select(*COLUMNS).where(one)).one())


def make_queued(values: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a job that waits, without its key and attempt. values: what differs, and `created`."""
    waiting = {"state": "queued", "reason": "", "started": None, "finished": None, "engine": None}
    return {**waiting, **dict.fromkeys(("done", "total", "cancel", "last_seq", "lost"), 0), **values}


def insert_jobs(database: Database, connection: Connection, rows: Sequence[Mapping[str, Any]], asker: str | None) -> None:
    """Queue new public jobs, as rows without attempt, in few statements. Raises QuotaReached where they are too many for the asker."""
    if rows:
        count_jobs(database, connection, [row["id"] for row in rows], asker)
        connection.execute(JOBS.insert(), [{**row, "attempt": 1} for row in rows])
        database.announce(connection, ENGINES_TOPIC)


def complete_job(database: Database, connection: Connection, key: Mapping[str, Any]) -> Job:
    """An embed job whose answer the run already has, as a done one. An engine that runs it finds its attempt replaced."""
    one = JOBS.c.id == key["id"]
    row = connection.execute(sa.select(JOBS.c.state, JOBS.c.attempt).where(one)).first()
    if row is None or row.state != "done":
        now = database.read_clock(connection)
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
        delete_outcome(database, connection, key["id"])
        database.upsert(connection, JOBS, dict(key) | fixed | times | counts | {"state": "done"})
    return job_from_row(database, connection, connection.execute(sa.select(*COLUMNS).where(one)).one())
