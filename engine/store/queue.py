"""The queue: what is asked for, in which order it goes, and how it is cancelled or deleted."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from engine.spec import RunSpec
from engine.spec.run import canonical_json, upload_id
from engine.store.database import ENGINES_TOPIC, Database, Part, repeat_on_conflict
from engine.store.forgetting import purge
from engine.store.jobs import (
    ACTIVE,
    CANCELLED,
    COLUMNS,
    KINDS,
    PRIORITY_INTERACTIVE,
    PRIORITY_SWEEP,
    TURN,
    Job,
    delete_job,
    enqueue_job,
    insert_jobs,
    job_from_row,
    job_from_values,
    make_queued,
    method_of,
    open_results,
    read_job,
    seal_spec,
    visible_to,
)
from engine.store.quotas import check_quota
from engine.store.schema import JOBS, RESULTS
from engine.store.sealing import MARK
from engine.store.uploads import require_upload

PRIVATE_S = 3600.0
"""Seconds a run on a person's own table may take where it names no limit."""
STEP = 1e-5
"""Seconds between two jobs that are queued at once: enough to be told apart beside the seconds since 1970."""
PORTION = 500
"""Ids in one statement, and jobs that are queued in one transaction."""
PAUSE = 0.05
"""Seconds between two such transactions: writers that wait for SQLite look again at most a tenth of a second apart."""
PACE = 20
"""Latest finished runs that tell how long one takes here."""


class Queue(Part):
    """Jobs as those who ask for them see them."""

    @repeat_on_conflict
    def submit(
        self,
        spec: RunSpec,
        *,
        fingerprint: str = "",
        owner: str | None = None,
        priority: int = PRIORITY_INTERACTIVE,
        device: str = "auto",
        timeout_s: float | None = None,
        again: bool = False,
        asker: str | None = None,
    ) -> Job:
        """Ask for a run; asking twice gives the same job. `spec` is a completed one (`spec.complete(catalog)`).

        The id is `spec.run_id(fingerprint, owner)`. A job that is queued, running or done is returned as it is, more
        urgent if this call is. One that failed, was cancelled or interrupted (or any finished one with `again`) is
        queued anew: attempt + 1, its old events, result and artifacts deleted. So is one that is being cancelled.

        On `upload/<id>` the fingerprint is the table's. asker: who asks, where the run is public (`engine.store.quotas`). Raises
        UnknownName where the table is not the owner's, and QuotaReached.
        """
        upload = upload_id(spec.dataset)
        with self.database.writing() as connection:
            if upload is not None:
                fingerprint, timeout_s = require_upload(self.database, connection, upload, owner), timeout_s or PRIVATE_S
            key: dict[str, Any] = {
                "id": spec.run_id(fingerprint, owner),
                "kind": "run",
                "fingerprint": fingerprint,
                "owner": owner,
            }
            key |= {"upload": upload}
            key |= {"spec": seal_spec(self.database, connection, key, canonical_json(spec.to_json()))}
            values = {"priority": priority, "device": device, "timeout_s": timeout_s}
            return enqueue_job(self.database, connection, key, values, again=again, asker=asker)

    def submit_missing(
        self,
        runs: Sequence[tuple[RunSpec, str]],
        *,
        priority: int = PRIORITY_SWEEP,
        device: str = "auto",
        asker: str | None = None,
    ) -> list[Job]:
        """Ask for many public runs, (completed spec, fingerprint) each; those that this queued.

        They go in the order given. What is queued, running or done stays as it is, its priority too; what ended without a result
        is queued anew. asker: who asks; where they are too many for them, none is queued. Raises QuotaReached.

        Each PORTION of them is a transaction, so that other writers wait for one at most. Where one fails, those before it stay
        queued; asking again queues the rest.
        """
        keys: dict[str, dict[str, Any]] = {}  # made before the transactions, which keep other writers waiting
        for spec, fingerprint in runs:
            id = spec.run_id(fingerprint)
            keys[id] = {"id": id, "kind": "run", "fingerprint": fingerprint, "owner": None, "upload": None}
            keys[id]["spec"] = canonical_json(spec.to_json())
        values = {"priority": priority, "device": device, "timeout_s": None}
        if asker is not None:
            self._require_room(list(keys), asker)
        jobs: list[Job] = []
        for some in _split(keys):
            if jobs:
                time.sleep(PAUSE)
                values["created"] = jobs[-1].created + STEP  # the older job goes first
            own = [keys[id] for id in some]
            jobs += self.database.write(lambda connection, own=own: self._queue_missing(connection, own, values, asker))  # type: ignore[misc]
        return jobs

    def _queue_missing(
        self, connection: Connection, keys: Sequence[dict[str, Any]], values: Mapping[str, Any], asker: str | None
    ) -> list[Job]:
        """Queue those of these jobs that are missing. values: as of `enqueue_job`, `created` of the first, the clock's where it lacks."""
        ids = [key["id"] for key in keys]
        self.database.lock_jobs(connection, JOBS.c.id.in_(ids))
        missing = _find_missing(connection, ids)
        created = values.get("created") or self.database.read_clock(connection)
        fresh: list[dict[str, Any]] = []
        for n, key in enumerate(key for key in keys if key["id"] in missing):
            own = {**values, "created": created + STEP * n}
            if missing[key["id"]]:
                enqueue_job(self.database, connection, key, own, again=False, asker=asker)
            else:
                fresh.append({**key, **make_queued(own)})
        insert_jobs(self.database, connection, fresh, asker)
        rows = connection.execute(sa.select(*COLUMNS).where(JOBS.c.id.in_(list(missing))))
        jobs = {row.id: job_from_row(self.database, connection, row) for row in rows}
        return [jobs[id] for id in ids if id in missing]

    def _require_room(self, ids: Sequence[str], asker: str) -> None:
        """Raises QuotaReached where those of these jobs that are missing are too many for the asker."""
        with self.database.reading() as connection:
            missing = sum(len(_find_missing(connection, some)) for some in _split(ids))
            if missing:
                check_quota(self.database, connection, missing, asker)

    @repeat_on_conflict
    def cancel(self, id: str) -> None:
        """A queued job is cancelled at once, a running one is asked to stop; a finished or unknown one stays as it is."""
        with self.database.writing() as connection:
            cancel_jobs(self.database, connection, JOBS.c.id == id)

    @repeat_on_conflict
    def cancel_all(self, ids: Sequence[str], *, urgent: int = PRIORITY_SWEEP) -> int:
        """`cancel` of all those whose priority is `urgent` or less urgent, in one transaction; how many were queued or running."""
        with self.database.writing() as connection:
            less = JOBS.c.priority >= urgent
            return sum(cancel_jobs(self.database, connection, sa.and_(JOBS.c.id.in_(some), less)) for some in _split(ids))

    @repeat_on_conflict
    def delete(self, id: str) -> None:
        """Delete a job and all that came of it, of a run also its embeddings. An engine that is running it drops it."""
        with self.database.writing() as connection:
            delete_job(self.database, connection, id)
        purge(self.database)

    # ---- one job, and lists of them

    def job(self, id: str, owner: str | None = None) -> Job:
        """The job. Raises UnknownName where there is none, or it is somebody else's."""
        return read_job(self.database, id, owner)

    def jobs(
        self,
        *,
        owner: str | None = None,
        states: Sequence[str] | None = None,
        kinds: Sequence[str] = ("run",),
        limit: int = 50,
        urgent: int | None = None,
        dataset: str | None = None,
        names: Collection[str] | None = None,
    ) -> list[Job]:
        """Newest first, those that `owner` may see.

        urgent: only those of this priority or a more urgent one: what was asked for by hand, below the cells of a sweep. dataset: only
        those on it, `upload/<id>` for a table. names: only those whose method or public dataset is among them.
        """
        query = sa.select(*COLUMNS).where(visible_to(owner), JOBS.c.kind.in_(kinds))
        query = query.order_by(JOBS.c.created.desc(), JOBS.c.id).limit(limit)
        if states is not None:
            query = query.where(JOBS.c.state.in_(states))
        if urgent is not None:
            query = query.where(JOBS.c.priority <= urgent)
        if dataset is not None:
            upload = upload_id(dataset)
            query = query.where(JOBS.c.dataset == dataset if upload is None else JOBS.c.upload == upload)
        if names is not None:
            query = query.where(sa.or_(JOBS.c.dataset.in_(names), method_of(self.database, owner).in_(names)))
        with self.database.reading() as connection:
            return [job_from_row(self.database, connection, row) for row in connection.execute(query)]

    def read_results(
        self, ids: Iterable[str], owner: str | None = None, *, fields: bool | Sequence[str] = True
    ) -> dict[str, tuple[Job, dict[str, Any] | None]]:
        """id -> (job, its result without arrays as `Result.to_json` has it, None while there is none), of those that are there.

        Few queries for hundreds of runs. fields: True for whole results, False for the jobs alone; or names of fields of
        `Result`, which alone are read.
        """
        out: dict[str, tuple[Job, dict[str, Any] | None]] = {}
        with self.database.reading() as connection:
            for some in _split(ids):
                results: dict[str, dict[str, Any]] = {}
                if fields:
                    json_text: sa.ColumnElement[Any] = RESULTS.c.words
                    if not isinstance(fields, bool):  # the database finds them far faster than Python reads all the others
                        json_text = self.database.object(json_text, fields)
                    rows = connection.execute(sa.select(RESULTS.c.job, json_text).where(RESULTS.c.job.in_(some)))
                    results = {job: json.loads(text) for job, text in rows if not text.startswith(MARK)}
                    if self.database.seals:
                        results |= _pick(open_results(self.database, connection, some, owner), fields)
                for row in connection.execute(sa.select(*COLUMNS).where(JOBS.c.id.in_(some), visible_to(owner))):
                    out[row.id] = (job_from_row(self.database, connection, row), results.get(row.id))
        return out

    # ---- who waits, and how long

    def count_active(self) -> dict[str, int]:
        """{'queued': n, 'running': n}, everybody's."""
        query = (
            sa.select(JOBS.c.state, sa.func.count())
            .where(JOBS.c.state.in_(ACTIVE), JOBS.c.kind.in_(KINDS))
            .group_by(JOBS.c.state)
        )
        with self.database.reading() as connection:
            counts = {state: int(n) for state, n in connection.execute(query)}
        return {state: counts.get(state, 0) for state in ACTIVE}

    def count_states(self) -> tuple[dict[str, int], float | None]:
        """How many jobs are in each state, everybody's, previews apart; and when the oldest queued one was queued, if there is one."""
        query = sa.select(JOBS.c.state, sa.func.count(), sa.func.min(JOBS.c.created)).group_by(JOBS.c.state)
        with self.database.reading() as connection:
            rows = connection.execute(query.where(JOBS.c.kind.in_(KINDS))).all()
        return {row[0]: int(row[1]) for row in rows}, next((float(row[2]) for row in rows if row[0] == "queued"), None)

    def position(self, id: str) -> int:
        """Queued jobs that go before this one; 0 where it is next, or not queued."""
        this = JOBS.alias("this")
        before = sa.tuple_(*(JOBS.c[n] for n in TURN)) < sa.tuple_(*(this.c[n] for n in TURN))
        query = sa.select(sa.func.count()).select_from(JOBS, this)
        waiting = sa.and_(JOBS.c.state == "queued", JOBS.c.kind.in_(KINDS))
        query = query.where(this.c.id == id, this.c.state == "queued", waiting, before)
        with self.database.reading() as connection:
            return int(connection.execute(query).scalar_one())

    def list_queued(self, owner: str | None, limit: int = 20) -> list[tuple[int, Job]]:
        """(how many go before it, job) of those queued that `owner` may see, in order."""
        turn = sa.func.row_number().over(order_by=[JOBS.c[name] for name in TURN])
        queued = (
            sa.select(JOBS.c.id, (turn - 1).label("before")).where(JOBS.c.state == "queued", JOBS.c.kind.in_(KINDS)).subquery()
        )
        query = sa.select(queued.c.before, *COLUMNS).join(queued, queued.c.id == JOBS.c.id)
        query = query.where(visible_to(owner)).order_by(queued.c.before).limit(limit)
        with self.database.reading() as connection:
            rows = [dict(row._mapping) for row in connection.execute(query)]
            return [(int(row.pop("before")), job_from_values(self.database, connection, row)) for row in rows]

    def median_seconds(self) -> float | None:
        """Median seconds of the latest PACE finished runs, everybody's; None without any."""
        took = JOBS.c.finished - JOBS.c.started
        query = sa.select(took).where(JOBS.c.kind == "run", JOBS.c.state == "done").order_by(JOBS.c.created.desc())
        with self.database.reading() as connection:
            seconds = [s for s in connection.execute(query.limit(PACE)).scalars() if s is not None]
        return statistics.median(seconds) if seconds else None


def _find_missing(connection: Connection, ids: Sequence[str]) -> dict[str, bool]:
    """Those of these jobs that are neither queued, running nor done -> whether there is a row of them, which ended otherwise."""
    query = sa.select(JOBS.c.id, JOBS.c.state, JOBS.c.cancel).where(JOBS.c.id.in_(ids))
    known = {row.id: row.state == "done" or (row.state in ACTIVE and not row.cancel) for row in connection.execute(query)}
    return {id: id in known for id in ids if not known.get(id)}


def cancel_jobs(database: Database, connection: Connection, jobs: sa.ColumnElement[bool]) -> int:
    """How many of these jobs were queued, which are cancelled, or running, which are asked to stop.

    One statement: in two, a job that an engine puts back between them would be missed by both.
    """
    queued = JOBS.c.state == "queued"
    values = {
        "state": sa.case((queued, "cancelled"), else_=JOBS.c.state),
        "reason": sa.case((queued, CANCELLED), else_=JOBS.c.reason),
        "finished": sa.case((queued, database.clock), else_=JOBS.c.finished),
        "cancel": sa.case((queued, JOBS.c.cancel), else_=1),
    }
    active = sa.or_(queued, sa.and_(JOBS.c.state == "running", JOBS.c.cancel == 0))
    database.lock_jobs(connection, sa.and_(jobs, active))
    count = connection.execute(JOBS.update().where(jobs, active).values(**values)).rowcount
    if count:
        database.announce(connection, ENGINES_TOPIC)
    return count


def _pick(results: dict[str, dict[str, Any]], fields: bool | Sequence[str]) -> dict[str, dict[str, Any]]:
    """Results with these fields alone, None where one is missing."""
    if isinstance(fields, bool):
        return results
    return {id: {name: result.get(name) for name in fields} for id, result in results.items()}


def _split(ids: Iterable[str]) -> Iterator[list[str]]:
    """Ids without repeats, in lists short enough for one statement of any SQLite."""
    distinct = list(dict.fromkeys(ids))
    for first in range(0, len(distinct), PORTION):
        yield distinct[first : first + PORTION]
