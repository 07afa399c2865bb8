"""The one meeting point of page and engine: jobs (queue and record), events, results, artifacts, catalog, heartbeats.

One SQLite file (`engine.store.database`). Imports neither torch nor scikit-learn: the page uses it.

A run that is executed carries its `attempt`. Whoever writes for it passes that number, and a write for an attempt that is
no longer the running one changes nothing and returns False: an engine that slept through its own burial cannot spoil
the run that replaced it.

Jobs of kind `profile` and `compare` answer with artifacts alone. What is made from an uploaded table (`engine.store.uploads`) is its
owner's and goes with it; a comparison on a public dataset is everybody's.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from engine.errors import BadParameter, StoreError, UnknownName
from engine.events import Event, Progress, decode, encode, unpack
from engine.spec import RunSpec
from engine.spec.comparison import CompareSpec
from engine.spec.embedding import EmbedSpec
from engine.spec.result import Result
from engine.spec.run import canonical_json, table_options, upload_id
from engine.store import bundles, jobs
from engine.store.database import (
    ARTIFACT,
    ARTIFACTS,
    CATALOG,
    ENGINES,
    EVENTS,
    JOBS,
    PRIORITY_INTERACTIVE,
    RESULTS,
    Encoded,
    decode_result,
    default_url,
    encode_result,
    insert_events,
    method_of,
    upsert,
    visible,
)
from engine.store.jobs import ACTIVE, KINDS, STATES, Job
from engine.store.maps import Embeddings
from engine.store.uploads import own
from engine.version import NUMERICS

__all__ = ["ACTIVE", "KINDS", "PRIORITY_INTERACTIVE", "STATES", "EngineInfo", "Job", "Store", "default_url"]

PRIORITY_COMPANION = 1
"""Shown beside what a person waits for: controls, baseline, ceiling."""
PRIORITY_SWEEP = 10
"""One cell of many."""
STALE = 3.0
"""Seconds without a heartbeat after which an engine counts as gone."""
INTERRUPTED = "The engine stopped while this was running. Run it again to start over."
CANCELLED = "Cancelled."
PROFILE_S = 120.0
"""Seconds a profile may take."""
PRIVATE_S = 3600.0
"""Seconds a run on a person's own table may take where it names no limit."""
STEP = 1e-5
"""Seconds between two jobs that are asked for at once: enough to be told apart beside the seconds since 1970."""


@dataclass(frozen=True)
class EngineInfo:
    """What an engine says of itself about once a second. started, heartbeat: unix seconds; memory_mb: it and its workers, MiB.

    device: the one `auto` would take, as a worker reported it ('' while none has). devices: those that can be asked for.
    slots: runs at a time; ready: workers that are up; busy: slots in use. trouble: why its workers do not start, '' while they do.
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

    def alive(self, now: float | None = None, limit: float = STALE) -> bool:
        """True where the heartbeat is at most `limit` seconds from now (a clock set back must not keep the dead alive)."""
        return abs((time.time() if now is None else now) - self.heartbeat) <= limit


class Store(Embeddings):
    """A handle on the database; cheap to keep, safe to share between threads, to be opened anew in a child process.

    Every method raises StoreError where the database cannot be used. Reads take `owner`: a run owned by somebody else
    reads exactly as one that is not there.
    """

    def __init__(self, url: str | None = None) -> None:
        super().__init__(url)
        self._offset = time.time() - time.monotonic()
        self._grace = 0.0

    # ---- jobs

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
    ) -> Job:
        """Ask for a run; asking twice gives the same job. `spec` is a completed one (`spec.complete(catalog)`).

        The id is `spec.run_id(fingerprint, owner)`. A job that is queued, running or done is returned as it is, more
        urgent if this call is. One that failed, was cancelled or interrupted (or any finished one with `again`) is
        queued anew: attempt + 1, its old events, result and artifacts deleted. So is one whose cancelling is under way.

        On `upload/<id>` the fingerprint is the table's. Raises UnknownName where that is not the owner's.
        """
        upload = upload_id(spec.dataset)
        with self.writing() as db:
            if upload is not None:
                fingerprint, timeout_s = own(db, upload, owner), timeout_s or PRIVATE_S
            key = {"id": spec.run_id(fingerprint, owner), "kind": "run", "fingerprint": fingerprint, "owner": owner}
            key |= {"spec": self.seal(canonical_json(spec.to_json()), owner), "upload": upload}
            return jobs.queue(db, key, {"priority": priority, "device": device, "timeout_s": timeout_s}, again=again)

    def submit_missing(
        self, asked: Sequence[tuple[RunSpec, str]], *, priority: int = PRIORITY_SWEEP, device: str = "auto"
    ) -> list[Job]:
        """Ask for many public runs, (completed spec, fingerprint) each, in one transaction; those that this queued.

        They go in the order given. What is queued, running or done stays as it is, its priority too; what ended without a result
        is queued anew.
        """
        ids = {spec.run_id(fingerprint): (spec, fingerprint) for spec, fingerprint in asked}
        out: list[Job] = []
        with self.writing() as db:
            states = sa.select(JOBS.c.id, JOBS.c.state, JOBS.c.cancel)
            there = {row.id: row for some in _portions(ids) for row in db.execute(states.where(JOBS.c.id.in_(some)))}
            now = time.time()
            for id, (spec, fingerprint) in ids.items():
                row = there.get(id)
                if row is not None and (row.state == "done" or (row.state in ACTIVE and not row.cancel)):
                    continue
                key = {"id": id, "kind": "run", "fingerprint": fingerprint, "owner": None, "upload": None}
                key |= {"spec": canonical_json(spec.to_json())}
                times = {"created": now + STEP * len(out), "timeout_s": None}  # whoever is older goes first
                out.append(jobs.queue(db, key, {"priority": priority, "device": device, **times}, again=False))
        return out

    def cancel_all(self, ids: Sequence[str], *, urgent: int = PRIORITY_SWEEP) -> int:
        """`cancel` of all those whose priority is `urgent` or less urgent, in one transaction; how many were queued or running."""
        now, many = time.time(), 0
        with self.writing() as db:
            for some in _portions(ids):
                ours = sa.and_(JOBS.c.id.in_(some), JOBS.c.priority >= urgent)
                values = {"state": "cancelled", "reason": CANCELLED, "finished": now}
                many += db.execute(JOBS.update().where(ours, JOBS.c.state == "queued").values(**values)).rowcount
                running = sa.and_(ours, JOBS.c.state == "running", JOBS.c.cancel == 0)
                many += db.execute(JOBS.update().where(running).values(cancel=1)).rowcount
        return many

    def answers(
        self, ids: Iterable[str], owner: str | None = None, *, words: bool | Sequence[str] = True
    ) -> dict[str, tuple[Job, dict[str, Any] | None]]:
        """id -> (job, its result without arrays as `Result.to_json` has it, None while there is none), of those that are there.

        Few queries for hundreds of runs. words: False for the jobs alone, None for every result; or names of fields of
        `Result`, which alone are read.
        """
        out: dict[str, tuple[Job, dict[str, Any] | None]] = {}
        with self.reading() as db:
            for some in _portions(ids):
                said: dict[str, dict[str, Any]] = {}
                if words:
                    wanted: sa.ColumnElement[Any] = RESULTS.c.words
                    if not isinstance(words, bool):  # SQLite finds them far faster than Python reads all the others
                        pairs = [part for name in words for part in (name, sa.func.json_extract(RESULTS.c.words, f"$.{name}"))]
                        wanted = sa.func.json_object(*pairs)
                    found = db.execute(sa.select(RESULTS.c.job, wanted).where(RESULTS.c.job.in_(some)))
                    said = {job: json.loads(text) for job, text in found}
                for row in db.execute(sa.select(*jobs.COLUMNS).where(JOBS.c.id.in_(some), visible(owner))):
                    out[row.id] = (jobs.read(row), said.get(row.id))
        return out

    def job(self, id: str, owner: str | None = None) -> Job:
        """The job. Raises UnknownName where there is none, or it is somebody else's."""
        with self.reading() as db:
            row = db.execute(sa.select(*jobs.COLUMNS).where(JOBS.c.id == id, visible(owner))).first()
        if row is None:
            raise UnknownName(f"no run is called {id!r} here; it may have been deleted, or belong to another browser.")
        return jobs.read(row)

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
        query = sa.select(*jobs.COLUMNS).where(visible(owner), JOBS.c.kind.in_(kinds))
        query = query.order_by(JOBS.c.created.desc(), JOBS.c.id).limit(limit)
        if states is not None:
            query = query.where(JOBS.c.state.in_(states))
        if urgent is not None:
            query = query.where(JOBS.c.priority <= urgent)
        if dataset is not None:
            upload = upload_id(dataset)
            query = query.where(JOBS.c.dataset == dataset if upload is None else JOBS.c.upload == upload)
        if names is not None:
            query = query.where(sa.or_(JOBS.c.dataset.in_(names), method_of(owner).in_(names)))
        with self.reading() as db:
            return [jobs.read(row) for row in db.execute(query)]

    def queue(self) -> dict[str, int]:
        """{'queued': n, 'running': n}, everybody's."""
        with self.reading() as db:
            query = sa.select(JOBS.c.state, sa.func.count()).where(JOBS.c.state.in_(ACTIVE)).group_by(JOBS.c.state)
            counted = {state: int(n) for state, n in db.execute(query)}
        return {state: counted.get(state, 0) for state in ACTIVE}

    def position(self, id: str) -> int:
        """Queued jobs that go before this one; 0 where it is next, or not queued."""
        mine = JOBS.alias("mine")
        before = sa.tuple_(*(JOBS.c[n] for n in jobs.TURN)) < sa.tuple_(*(mine.c[n] for n in jobs.TURN))
        query = sa.select(sa.func.count()).select_from(JOBS, mine)
        query = query.where(mine.c.id == id, mine.c.state == "queued", JOBS.c.state == "queued", before)
        with self.reading() as db:
            return int(db.execute(query).scalar_one())

    def claim(self, engine_id: str, *, max_priority: int | None = None, kinds: Sequence[str] = KINDS) -> Job | None:
        """Take the next queued job (lowest priority number, then oldest), or None. One statement: no job goes twice."""
        queued = sa.and_(JOBS.c.state == "queued", JOBS.c.kind.in_(kinds))
        if max_priority is not None:
            queued = sa.and_(queued, JOBS.c.priority <= max_priority)
        with self.reading() as db:  # an idle engine asks twenty times a second and must not hold the write lock for it
            if db.execute(sa.select(JOBS.c.id).where(queued).limit(1)).first() is None:
                return None
        turn = sa.select(JOBS.c.id).where(queued).order_by(*(JOBS.c[n] for n in jobs.TURN)).limit(1)
        taken = JOBS.update().where(JOBS.c.id == turn.scalar_subquery())
        with self.writing() as db:
            row = db.execute(
                taken.values(state="running", engine=engine_id, started=time.time()).returning(*jobs.COLUMNS)
            ).first()
        return None if row is None else jobs.read(row)

    def cancel(self, id: str) -> None:
        """A queued job is cancelled at once, a running one is asked to stop; a finished or unknown one stays as it is."""
        with self.writing() as db:
            one = JOBS.c.id == id
            values = {"state": "cancelled", "reason": CANCELLED, "finished": time.time()}
            db.execute(JOBS.update().where(one, JOBS.c.state == "queued").values(**values))
            db.execute(JOBS.update().where(one, JOBS.c.state == "running").values(cancel=1))

    def cancel_requested(self, engine_id: str) -> list[str]:
        """Ids of this engine's running jobs that somebody wants stopped."""
        return [id for id, (_, cancel) in self.held(engine_id).items() if cancel]

    def held(self, engine_id: str) -> dict[str, tuple[int, bool]]:
        """id -> (attempt, cancel requested) of the jobs this engine is running according to the store."""
        query = sa.select(JOBS.c.id, JOBS.c.attempt, JOBS.c.cancel)
        with self.reading() as db:
            rows = db.execute(query.where(JOBS.c.state == "running", JOBS.c.engine == engine_id)).all()
        return {row.id: (row.attempt, bool(row.cancel)) for row in rows}

    def release(self, id: str, *, attempt: int) -> bool:
        """Put a claimed job back into the queue, where it could not be started. False where it is not running (any more)."""
        query = JOBS.update().where(JOBS.c.id == id, JOBS.c.state == "running", _attempt(attempt))
        with self.writing() as db:
            return db.execute(query.values(state="queued", engine=None, started=None)).rowcount == 1

    def in_the_way(self, id: str, *, attempt: int) -> bool:
        """True where a running job is a cell of a sweep that nobody waits for, while something more urgent is queued."""
        ours = sa.and_(JOBS.c.id == id, JOBS.c.state == "running", _attempt(attempt), JOBS.c.cancel == 0)
        cell = sa.select(JOBS.c.id).where(ours, JOBS.c.priority >= PRIORITY_SWEEP)
        urgent = sa.select(JOBS.c.id).where(JOBS.c.state == "queued", JOBS.c.priority < PRIORITY_SWEEP)
        with self.reading() as db:
            return bool(db.execute(sa.select(sa.and_(cell.exists(), urgent.exists()))).scalar())

    def give_back(self, id: str, *, attempt: int) -> bool:
        """Put a running job that was stopped for a more urgent one back to its place in the queue, as if it had not begun.

        What it said is deleted and its attempt raised: nothing comes twice. False where it is not running (any more), runs as another
        attempt, or somebody wants it cancelled.
        """
        ours = sa.and_(JOBS.c.id == id, JOBS.c.state == "running", _attempt(attempt), JOBS.c.cancel == 0)
        anew = {
            "state": "queued",
            "engine": None,
            "started": None,
            "done": 0,
            "total": 0,
            "last_seq": 0,
            "attempt": attempt + 1,
        }
        with self.writing() as db:
            if db.execute(JOBS.update().where(ours).values(**anew)).rowcount != 1:
                return False
            jobs.clear(db, id)
            return True

    def finish(self, id: str, state: str, reason: str = "", *, attempt: int | None = None) -> bool:
        """End a running job (or, as 'cancelled', a queued one) as failed, cancelled or interrupted, with its sentence.

        False, and nothing changed, where it is not running (any more), or runs as another attempt. 'done' comes from
        `save_result` alone.
        """
        if state not in ("failed", "cancelled", "interrupted"):
            raise StoreError(f"finish({state!r}): must be failed, cancelled or interrupted.")
        ending = ACTIVE if state == "cancelled" else ("running",)
        with self.writing() as db:
            query = JOBS.update().where(JOBS.c.id == id, JOBS.c.state.in_(ending), _attempt(attempt))
            done = db.execute(query.values(state=state, reason=reason, finished=time.time()))
            return done.rowcount == 1

    def save_result(
        self,
        id: str,
        result: Result | tuple[str, bytes],
        artifacts: Mapping[str, bytes] | None = None,
        *,
        attempt: int | None = None,
    ) -> bool:
        """The result (or `encode_result` of it), its artifacts and state done, in one transaction.

        For a job that is no run `result` is (its facts as JSON, b""); an embed job's artifacts are kept with the run. False, and nothing
        kept, where the job is not running (any more), or runs as another attempt.
        """
        words, arrays = encode_result(result) if isinstance(result, Result) else result
        with self.writing() as db:
            query = JOBS.update().where(JOBS.c.id == id, JOBS.c.state == "running", _attempt(attempt))
            query = query.values(state="done", reason="", finished=time.time())
            row = db.execute(query.returning(JOBS.c.kind, JOBS.c.fingerprint, JOBS.c.owner)).first()
            if row is None:
                return False
            upsert(db, RESULTS, {"job": id, "words": self.seal(words, row.owner), "arrays": arrays})
            home = row.fingerprint if row.kind == "embed" else id
            for name, data in (artifacts or {}).items():
                upsert(db, ARTIFACTS, self.artifact_row(home, name, data, row.owner))
            return True

    def result(self, id: str, owner: str | None = None) -> Result | None:
        """The result, None where there is none. Raises BadData where it cannot be read."""
        query = sa.select(RESULTS.c.words, RESULTS.c.arrays).join(JOBS, JOBS.c.id == RESULTS.c.job)
        with self.reading() as db:
            row = db.execute(query.where(JOBS.c.id == id, JOBS.c.kind == "run", visible(owner))).first()
        return None if row is None else decode_result(row.words, row.arrays)

    def record(
        self,
        spec: RunSpec,
        result: Result,
        events: Iterable[Event | Encoded] = (),
        artifacts: Mapping[str, bytes] | None = None,
        *,
        fingerprint: str = "",
    ) -> Job:
        """Keep a run that was computed outside the queue (at a terminal) as a finished job; one already done stays as it is.

        A run that an engine is busy with is taken over: the engine finds its attempt gone and drops it.
        """
        id = spec.run_id(fingerprint)
        now = time.time()
        words = {"spec": spec.to_json(), "fingerprint": fingerprint, "created": now - result.seconds, "finished": now}
        with self.writing() as db:
            said = [_encoded(e) for e in events]
            bundles.insert_done(db, id, words, encode_result(result), said, artifacts or {})
        return self.job(id)

    def delete(self, id: str) -> None:
        """Forget a job and all that came of it, of a run also its embeddings. An engine that is running it drops it."""
        with self.writing() as db:
            jobs.remove(db, id)
        self.purge()  # where a reader holds the log, an engine does it later

    # ---- profiles and comparisons

    def submit_profile(self, owner: str | None, upload: str, options: Mapping[str, Any] | None = None) -> Job:
        """Ask what is in a table; asking twice gives the same job. Its answer is `answer(id, "profile", owner)`.

        options: see `engine.spec.run.table_options`; all may be left out. Raises UnknownName where the table is not the owner's, and
        BadParameter.
        """
        spec = {"upload": upload, **table_options(options or {}, target=False)}
        with self.writing() as db:
            data = own(db, upload, owner)
            facts = {"profile": spec, "data": data, "numerics": NUMERICS, "owner": owner}
            id = hashlib.sha256(canonical_json(facts).encode()).hexdigest()[:16]
            return self._ask(db, "profile", id, spec, data, owner, upload, PROFILE_S)

    def submit_compare(self, owner: str | None, spec: Mapping[str, Any], *, fingerprint: str = "", again: bool = False) -> Job:
        """Ask for a comparison of methods; asking twice gives the same job. Its answer is `answer(id, "comparison", owner)`.

        spec: `engine.spec.comparison.CompareSpec` as JSON; its source names the owner's table {"upload": id} or a public dataset
        {"dataset": name}, whose `fingerprint` is the catalog's: that comparison is everybody's, whoever asks. Raises UnknownName
        where the table is not the owner's, and BadParameter.
        """
        asked = CompareSpec.from_json(spec)
        upload = asked.source.get("upload")
        if upload is not None and asked.target is None:
            raise BadParameter("a comparison on a table must name its target, the column to predict.")
        limit = 2 * asked.budget + 60  # the comparison keeps its own budget; this is for one that hangs
        with self.writing() as db:
            data, whose = (fingerprint, None) if upload is None else (own(db, upload, owner), owner)
            return self._ask(db, "compare", asked.id(data, whose), asked.to_json(), data, whose, upload, limit, again=again)

    def answer(self, id: str, name: str, owner: str | None = None) -> dict[str, Any] | bytes | None:
        """An artifact of a profile or comparison: `profile` and `comparison` read from JSON, all others as bytes; None without it."""
        data = self.artifact(id, name, owner=owner)
        if data is None or name not in ("profile", "comparison"):
            return data
        return dict(json.loads(data))

    def _ask(
        self,
        db: Connection,
        kind: str,
        id: str,
        spec: Mapping[str, Any],
        data: str,
        owner: str | None,
        upload: str | None,
        timeout_s: float,
        *,
        again: bool = False,
    ) -> Job:
        key = {"id": id, "kind": kind, "fingerprint": data, "owner": owner, "upload": upload}
        asked = {"priority": PRIORITY_INTERACTIVE, "device": "auto", "timeout_s": timeout_s}
        return jobs.queue(db, key | {"spec": self.seal(canonical_json(spec), owner)}, asked, again=again)

    # ---- events and artifacts

    def append(self, id: str, events: Iterable[Event | Encoded], *, attempt: int | None = None) -> bool:
        """Add events (or `events.encode` of them) to a running job, in order, in one transaction.

        False, and nothing added, where the job is not running (any more), or runs as another attempt.
        """
        rows = [_encoded(event) for event in events]
        values: dict[str, Any] = {"last_seq": JOBS.c.last_seq + len(rows)}
        latest = [words for kind, words, _ in rows if kind == "progress"]
        if latest:
            progress = Progress(**json.loads(latest[-1]))
            values |= {"done": progress.done, "total": progress.total}
        with self.writing() as db:
            query = JOBS.update().where(JOBS.c.id == id, JOBS.c.state == "running", _attempt(attempt))
            row = db.execute(query.values(**values).returning(JOBS.c.last_seq, JOBS.c.owner)).first()
            if row is None:
                return False
            sealed = [(kind, self.seal(words, row.owner), arrays) for kind, words, arrays in rows]
            insert_events(db, id, sealed, row.last_seq - len(rows) + 1)
            return True

    def events(
        self,
        id: str,
        after: int = 0,
        kinds: tuple[str, ...] | None = None,
        limit: int | None = None,
        *,
        owner: str | None = None,
    ) -> list[tuple[int, Event]]:
        """(number, event) in order, those numbered above `after`. Numbers start at 1 and rise by 1 in each job.

        kinds: only these, such as ('frame',). [] where there is no such job. Raises BadData for an unreadable one.
        """
        query = sa.select(EVENTS.c.seq, EVENTS.c.kind, EVENTS.c.words, EVENTS.c.arrays)
        query = query.join(JOBS, JOBS.c.id == EVENTS.c.job).where(EVENTS.c.job == id, EVENTS.c.seq > after, visible(owner))
        if kinds is not None:
            query = query.where(EVENTS.c.kind.in_(kinds))
        with self.reading() as db:
            rows = db.execute(query.order_by(EVENTS.c.seq).limit(limit)).all()
        return [(row.seq, decode(row.kind, row.words, row.arrays)) for row in rows]

    def latest(self, id: str, kind: str, *, owner: str | None = None) -> Event | None:
        """The last event of a kind, such as 'board'; None where there is none. Raises BadData for an unreadable one."""
        query = sa.select(EVENTS.c.kind, EVENTS.c.words, EVENTS.c.arrays).join(JOBS, JOBS.c.id == EVENTS.c.job)
        query = query.where(EVENTS.c.job == id, EVENTS.c.kind == kind, visible(owner)).order_by(EVENTS.c.seq.desc())
        with self.reading() as db:
            row = db.execute(query.limit(1)).first()
        return None if row is None else decode(row.kind, row.words, row.arrays)

    def put_artifact(self, id: str, name: str, data: bytes) -> None:
        """Keep a named blob with a job, replacing one of that name. Raises UnknownName where there is no such job."""
        with self.writing() as db:
            row = db.execute(sa.select(JOBS.c.owner).where(JOBS.c.id == id)).first()
            if row is None:
                raise UnknownName(f"no run is called {id!r} here.")
            upsert(db, ARTIFACTS, self.artifact_row(id, name, data, row.owner))

    def artifact(self, id: str, name: str, *, owner: str | None = None) -> bytes | None:
        """The blob, None where there is none."""
        query = sa.select(ARTIFACT).join(JOBS, JOBS.c.id == ARTIFACTS.c.job)
        with self.reading() as db:
            row = db.execute(query.where(ARTIFACTS.c.job == id, ARTIFACTS.c.name == name, visible(owner))).first()
        return None if row is None else bytes(row.data)

    def artifacts(self, id: str, *, owner: str | None = None) -> list[str]:
        """Names of the blobs, sorted."""
        query = sa.select(ARTIFACTS.c.name).join(JOBS, JOBS.c.id == ARTIFACTS.c.job).order_by(ARTIFACTS.c.name)
        with self.reading() as db:
            return list(db.execute(query.where(ARTIFACTS.c.job == id, visible(owner))).scalars())

    def embedding(
        self,
        run_id: str,
        technique: str,
        params: Mapping[str, Any] | None = None,
        seed: int = 0,
        owner: str | None = None,
    ) -> np.ndarray | None:
        """xy float32 [n, 2] in the order of the rows of the run's features, None while there is none (`submit_embed`).

        Raises UnknownName and BadParameter; BadData where what is kept cannot be read.
        """
        data = self.artifact(run_id, EmbedSpec(run_id, technique, params or {}, seed).artifact, owner=owner)
        return None if data is None else unpack(data)["xy"]

    # ---- catalog and engines

    def publish_catalog(self, catalog: Mapping[str, Any]) -> None:
        """What the live engine can do; the newest replaces the last."""
        with self.writing() as db:
            upsert(db, CATALOG, {"one": 1, "words": json.dumps(catalog)})

    def catalog(self) -> dict[str, Any] | None:
        """The catalog last published, None where none ever was."""
        with self.reading() as db:
            words = db.execute(sa.select(CATALOG.c.words)).scalar()
        return None if words is None else dict(json.loads(words))

    def beat(self, info: EngineInfo) -> None:
        """An engine's heartbeat."""
        with self.writing() as db:
            upsert(db, ENGINES, {"id": info.id, "heartbeat": info.heartbeat, "words": json.dumps(dataclasses.asdict(info))})

    def engines(self, alive_within: float = STALE) -> list[EngineInfo]:
        """Engines heard of in that many seconds, the longest running first."""
        with self.reading() as db:
            found = [EngineInfo(**json.loads(words)) for words in db.execute(sa.select(ENGINES.c.words)).scalars()]
        now = time.time()
        return sorted((e for e in found if e.alive(now, alive_within)), key=lambda e: e.started)

    def retire(self, engine_id: str) -> None:
        """The engine is gone on purpose."""
        with self.writing() as db:
            db.execute(ENGINES.delete().where(ENGINES.c.id == engine_id))

    def reap(self, stale_after: float = STALE) -> list[str]:
        """Mark running jobs whose engine has not been heard of for `stale_after` seconds as interrupted; returns their ids.

        Engine and page may both call it, at any rate. After the machine slept or its clock was set, every heartbeat
        looks old: then nothing is reaped for `stale_after` seconds, in which a living engine is heard again.
        """
        offset = time.time() - time.monotonic()
        if abs(offset - self._offset) > 1:
            self._offset, self._grace = offset, time.monotonic() + stale_after
        if time.monotonic() < self._grace:
            return []
        now = time.time()
        living = sa.select(ENGINES.c.id).where(ENGINES.c.heartbeat.between(now - stale_after, now + stale_after))
        orphan = sa.and_(JOBS.c.state == "running", JOBS.c.engine.not_in(living))
        with self.reading() as db:
            if db.execute(sa.select(JOBS.c.id).where(orphan).limit(1)).first() is None:
                return []
        with self.writing() as db:
            marked = JOBS.update().where(orphan).values(state="interrupted", reason=INTERRUPTED, finished=now)
            ids = list(db.execute(marked.returning(JOBS.c.id)).scalars())
            db.execute(ENGINES.delete().where(ENGINES.c.heartbeat < now - 3600))
        return ids

    # ---- bundles

    def export(self, ids: Sequence[str], path: str | os.PathLike[str]) -> None:
        """Finished runs with their events and artifacts as one zip (see `engine.store.bundles.export`)."""
        bundles.export(self, ids, path)

    def load(self, path: str | os.PathLike[str]) -> list[str]:
        """Take in the runs of a bundle; returns the ids of all its runs (see `engine.store.bundles.load`)."""
        return bundles.load(self, path)


def _portions(ids: Iterable[str]) -> Iterator[list[str]]:
    """As many at once as any SQLite takes in one statement."""
    every = list(dict.fromkeys(ids))
    for first in range(0, len(every), 500):
        yield every[first : first + 500]


def _attempt(attempt: int | None) -> sa.ColumnElement[bool]:
    return sa.true() if attempt is None else JOBS.c.attempt == attempt


def _encoded(event: Event | Encoded) -> Encoded:
    return event if isinstance(event, tuple) else encode(event)
