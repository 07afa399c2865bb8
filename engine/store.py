"""The one meeting point of page and engine: jobs (queue and record), events, results, artifacts, catalog, heartbeats.

One SQLite file. Every write transaction is BEGIN IMMEDIATE, so two processes never both believe they hold a row; reads are
short. Words are JSON, arrays are npz; nothing is unpickled. Imports neither torch nor scikit-learn: the page uses it.

A run that is executed carries its `attempt`. Whoever writes for it passes that number, and a write for an attempt that is
no longer the running one changes nothing and returns False: an engine that slept through its own burial cannot spoil
the run that replaced it.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sqlite3
import time
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.engine import Connection, Row

from engine.errors import BadData, BadInput, LabError, StoreError, UnknownName
from engine.events import Event, Progress, decode, encode, pack, unpack
from engine.result import Result
from engine.spec import RunSpec, canonical

SCHEMA = 1
PRIORITY_INTERACTIVE = 0
"""A person waits for it."""
PRIORITY_COMPANION = 1
"""Shown beside what a person waits for: controls, baseline, ceiling."""
PRIORITY_SWEEP = 10
"""One cell of many."""
STALE = 3.0
"""Seconds without a heartbeat after which an engine counts as gone."""
ACTIVE = ("queued", "running")
STATES = (*ACTIVE, "done", "failed", "cancelled", "interrupted")
INTERRUPTED = "The engine stopped while this was running. Run it again to start over."
CANCELLED = "Cancelled."
BUNDLE_FORMAT = 1
BUNDLE_LIMIT = 1 << 30
"""A bundle that unpacks to more bytes than this is refused."""

Encoded = tuple[str, str, bytes | None]
"""An event as `events.encode` gives it."""

_meta = sa.MetaData()
_facts = sa.Table("meta", _meta, sa.Column("key", sa.Text, primary_key=True), sa.Column("value", sa.Text, nullable=False))
_jobs = sa.Table(
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
    sa.Index("jobs_by_turn", "state", "priority", "created"),
    sa.Index("jobs_by_age", "created"),
)
_events = sa.Table(
    "events",
    _meta,
    sa.Column("job", sa.Text, primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("words", sa.Text, nullable=False),
    sa.Column("arrays", sa.LargeBinary),
)
_results = sa.Table(
    "results",
    _meta,
    sa.Column("job", sa.Text, primary_key=True),
    sa.Column("words", sa.Text, nullable=False),
    sa.Column("arrays", sa.LargeBinary, nullable=False),
)
_artifacts = sa.Table(
    "artifacts",
    _meta,
    sa.Column("job", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("data", sa.LargeBinary, nullable=False),
)
_catalog = sa.Table(
    "catalog", _meta, sa.Column("one", sa.Integer, primary_key=True), sa.Column("words", sa.Text, nullable=False)
)
_engines = sa.Table(
    "engines",
    _meta,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("heartbeat", sa.Float, nullable=False),
    sa.Column("words", sa.Text, nullable=False),
)
_PARTS = (_events, _results, _artifacts)
_TURN = ("priority", "created", "id")


@dataclass(frozen=True)
class Job:
    """A frozen copy of one row of the queue and record.

    kind: 'run'. spec: RunSpec.to_json(). state: queued, running, done, failed, cancelled or interrupted. reason: one
    sentence for a person when failed, cancelled or interrupted, else ''. owner: None = anyone may see it. priority: 0 goes
    first. device: auto, cpu or cuda. timeout_s: seconds of running allowed, None = no limit. attempt: from 1, raised each
    time it is queued again. done, total: the latest Progress (0, 0 before it). created (when queued), started,
    finished: unix seconds. engine: who claimed it.
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

    @property
    def active(self) -> bool:
        """Queued or running."""
        return self.state in ACTIVE

    @property
    def finished_(self) -> bool:
        """Not active: done, failed, cancelled or interrupted."""
        return not self.active


_JOB_COLUMNS = [_jobs.c[f.name] for f in dataclasses.fields(Job)]


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


class Store:
    """A handle on the database; cheap to keep, safe to share between threads, to be opened anew in a child process.

    Every method raises StoreError where the database cannot be used. Reads take `owner`: a run owned by somebody else
    reads exactly as one that is not there.
    """

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
        self._db = sa.create_engine(parsed, connect_args={"timeout": 10.0}, pool_size=8, max_overflow=56)
        self._rw = self._db.execution_options(write=True)
        sa.event.listen(self._db, "connect", _configure)
        sa.event.listen(self._db, "begin", _begin)
        self._offset = time.time() - time.monotonic()
        self._grace = 0.0
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
        with self._read() as db:
            version = self._version(db)
        if version is None:
            self._use_wal()
            with self._write() as db:  # looked at again inside the lock: another process may have been first
                version = self._version(db)
                if version is None:
                    _meta.create_all(db)
                    db.execute(_facts.insert().values(key="schema", value=str(SCHEMA)))
                    version = str(SCHEMA)
        if version != str(SCHEMA):
            raise StoreError(
                f"the store {self.path} has schema {version} and this version reads schema {SCHEMA}; "
                "use the version that wrote it, or set LAB_STORE to another file."
            )

    def _version(self, db: Connection) -> str | None:
        """The schema's number as text, None in an empty file."""
        names = set(db.execute(sa.text("SELECT name FROM sqlite_master WHERE type = 'table'")).scalars())
        if not names:
            return None
        found = db.execute(sa.select(_facts.c.value).where(_facts.c.key == "schema")).scalar() if "meta" in names else None
        if found is None:
            raise StoreError(f"{self.path} is a database of another program; set LAB_STORE to another file.")
        return str(found)

    def _use_wal(self) -> None:
        # Switching an empty file to WAL needs it alone and does not wait for others, so several first openers must retry.
        last: Exception | None = None
        for _ in range(100):
            try:
                with self._raw() as raw:
                    raw.execute("PRAGMA journal_mode=WAL")
                return
            except StoreError as error:
                if "locked" not in str(error.__cause__):
                    raise
                last = error
                time.sleep(0.05)
        assert last is not None
        raise last

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
        """
        id = spec.run_id(fingerprint, owner)
        asked: dict[str, Any] = {"priority": priority, "device": device, "timeout_s": timeout_s}
        fresh = asked | {
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
        }
        one = _jobs.c.id == id
        with self._write() as db:
            row = db.execute(sa.select(_jobs.c.state, _jobs.c.cancel, _jobs.c.priority).where(one)).first()
            if row is None:
                words = canonical(spec.to_json())
                key = {"id": id, "kind": "run", "spec": words, "fingerprint": fingerprint, "owner": owner, "attempt": 1}
                db.execute(_jobs.insert().values(**key, **fresh))
            elif (row.state in ACTIVE and not row.cancel) or (row.state == "done" and not again):
                if priority < row.priority:
                    db.execute(_jobs.update().where(one).values(priority=priority))
            else:
                for part in _PARTS:
                    db.execute(part.delete().where(part.c.job == id))
                db.execute(_jobs.update().where(one).values(**fresh, attempt=_jobs.c.attempt + 1))
            return _job(db.execute(sa.select(*_JOB_COLUMNS).where(one)).one())

    def job(self, id: str, owner: str | None = None) -> Job:
        """The job. Raises UnknownName where there is none, or it is somebody else's."""
        with self._read() as db:
            row = db.execute(sa.select(*_JOB_COLUMNS).where(_jobs.c.id == id, _visible(owner))).first()
        if row is None:
            raise UnknownName(f"no run is called {id!r} here; it may have been deleted, or belong to another browser.")
        return _job(row)

    def jobs(self, *, owner: str | None = None, states: Sequence[str] | None = None, limit: int = 50) -> list[Job]:
        """Newest first, those that `owner` may see."""
        query = sa.select(*_JOB_COLUMNS).where(_visible(owner)).order_by(_jobs.c.created.desc(), _jobs.c.id).limit(limit)
        if states is not None:
            query = query.where(_jobs.c.state.in_(states))
        with self._read() as db:
            return [_job(row) for row in db.execute(query)]

    def queue(self) -> dict[str, int]:
        """{'queued': n, 'running': n}, everybody's."""
        with self._read() as db:
            query = sa.select(_jobs.c.state, sa.func.count()).where(_jobs.c.state.in_(ACTIVE)).group_by(_jobs.c.state)
            counted = {state: int(n) for state, n in db.execute(query)}
        return {state: counted.get(state, 0) for state in ACTIVE}

    def position(self, id: str) -> int:
        """Queued jobs that go before this one; 0 where it is next, or not queued."""
        mine = _jobs.alias("mine")
        before = sa.tuple_(*(_jobs.c[n] for n in _TURN)) < sa.tuple_(*(mine.c[n] for n in _TURN))
        query = sa.select(sa.func.count()).select_from(_jobs, mine)
        query = query.where(mine.c.id == id, mine.c.state == "queued", _jobs.c.state == "queued", before)
        with self._read() as db:
            return int(db.execute(query).scalar_one())

    def claim(self, engine_id: str, *, max_priority: int | None = None, kinds: Sequence[str] = ("run",)) -> Job | None:
        """Take the next queued job (lowest priority number, then oldest), or None. One statement: no job goes twice."""
        queued = sa.and_(_jobs.c.state == "queued", _jobs.c.kind.in_(kinds))
        if max_priority is not None:
            queued = sa.and_(queued, _jobs.c.priority <= max_priority)
        with self._read() as db:  # an idle engine asks twenty times a second and must not hold the write lock for it
            if db.execute(sa.select(_jobs.c.id).where(queued).limit(1)).first() is None:
                return None
        turn = sa.select(_jobs.c.id).where(queued).order_by(*(_jobs.c[n] for n in _TURN)).limit(1)
        taken = _jobs.update().where(_jobs.c.id == turn.scalar_subquery())
        with self._write() as db:
            row = db.execute(
                taken.values(state="running", engine=engine_id, started=time.time()).returning(*_JOB_COLUMNS)
            ).first()
        return None if row is None else _job(row)

    def cancel(self, id: str) -> None:
        """A queued job is cancelled at once, a running one is asked to stop; a finished or unknown one stays as it is."""
        with self._write() as db:
            one = _jobs.c.id == id
            values = {"state": "cancelled", "reason": CANCELLED, "finished": time.time()}
            db.execute(_jobs.update().where(one, _jobs.c.state == "queued").values(**values))
            db.execute(_jobs.update().where(one, _jobs.c.state == "running").values(cancel=1))

    def cancel_requested(self, engine_id: str) -> list[str]:
        """Ids of this engine's running jobs that somebody wants stopped."""
        return [id for id, (_, cancel) in self.held(engine_id).items() if cancel]

    def held(self, engine_id: str) -> dict[str, tuple[int, bool]]:
        """id -> (attempt, cancel requested) of the jobs this engine is running according to the store."""
        query = sa.select(_jobs.c.id, _jobs.c.attempt, _jobs.c.cancel)
        with self._read() as db:
            rows = db.execute(query.where(_jobs.c.state == "running", _jobs.c.engine == engine_id)).all()
        return {row.id: (row.attempt, bool(row.cancel)) for row in rows}

    def release(self, id: str, *, attempt: int) -> bool:
        """Put a claimed job back into the queue, where it could not be started. False where it is not running (any more)."""
        query = _jobs.update().where(_jobs.c.id == id, _jobs.c.state == "running", _attempt(attempt))
        with self._write() as db:
            return db.execute(query.values(state="queued", engine=None, started=None)).rowcount == 1

    def finish(self, id: str, state: str, reason: str = "", *, attempt: int | None = None) -> bool:
        """End a running job (or, as 'cancelled', a queued one) as failed, cancelled or interrupted, with its sentence.

        False, and nothing changed, where it is not running (any more), or runs as another attempt. 'done' comes from
        `save_result` alone.
        """
        if state not in ("failed", "cancelled", "interrupted"):
            raise StoreError(f"finish({state!r}): must be failed, cancelled or interrupted.")
        ending = ACTIVE if state == "cancelled" else ("running",)
        with self._write() as db:
            query = _jobs.update().where(_jobs.c.id == id, _jobs.c.state.in_(ending), _attempt(attempt))
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

        False, and nothing kept, where the job is not running (any more), or runs as another attempt.
        """
        words, arrays = encode_result(result) if isinstance(result, Result) else result
        with self._write() as db:
            query = _jobs.update().where(_jobs.c.id == id, _jobs.c.state == "running", _attempt(attempt))
            if db.execute(query.values(state="done", reason="", finished=time.time())).rowcount != 1:
                return False
            _upsert(db, _results, {"job": id, "words": words, "arrays": arrays})
            for name, data in (artifacts or {}).items():
                _upsert(db, _artifacts, {"job": id, "name": name, "data": data})
            return True

    def result(self, id: str, owner: str | None = None) -> Result | None:
        """The result, None where there is none. Raises BadData where it cannot be read."""
        query = sa.select(_results.c.words, _results.c.arrays).join(_jobs, _jobs.c.id == _results.c.job)
        with self._read() as db:
            row = db.execute(query.where(_jobs.c.id == id, _visible(owner))).first()
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
        self._insert_done(id, words, encode_result(result), [_encoded(e) for e in events], artifacts or {})
        return self.job(id)

    def delete(self, id: str) -> None:
        """Forget a job and all that came of it. An engine that is running it drops it."""
        with self._write() as db:
            for part in _PARTS:
                db.execute(part.delete().where(part.c.job == id))
            db.execute(_jobs.delete().where(_jobs.c.id == id))

    # ---- events and artifacts

    def append(self, id: str, events: Iterable[Event | Encoded], *, attempt: int | None = None) -> bool:
        """Add events (or `events.encode` of them) to a running job, in order, in one transaction.

        False, and nothing added, where the job is not running (any more), or runs as another attempt.
        """
        rows = [_encoded(event) for event in events]
        values: dict[str, Any] = {"last_seq": _jobs.c.last_seq + len(rows)}
        latest = [words for kind, words, _ in rows if kind == "progress"]
        if latest:
            progress = Progress(**json.loads(latest[-1]))
            values |= {"done": progress.done, "total": progress.total}
        with self._write() as db:
            query = _jobs.update().where(_jobs.c.id == id, _jobs.c.state == "running", _attempt(attempt))
            last = db.execute(query.values(**values).returning(_jobs.c.last_seq)).scalar()
            if last is None:
                return False
            _insert_events(db, id, rows, last - len(rows) + 1)
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
        query = sa.select(_events.c.seq, _events.c.kind, _events.c.words, _events.c.arrays)
        query = query.join(_jobs, _jobs.c.id == _events.c.job).where(
            _events.c.job == id, _events.c.seq > after, _visible(owner)
        )
        if kinds is not None:
            query = query.where(_events.c.kind.in_(kinds))
        with self._read() as db:
            rows = db.execute(query.order_by(_events.c.seq).limit(limit)).all()
        return [(row.seq, decode(row.kind, row.words, row.arrays)) for row in rows]

    def put_artifact(self, id: str, name: str, data: bytes) -> None:
        """Keep a named blob with a job, replacing one of that name. Raises UnknownName where there is no such job."""
        with self._write() as db:
            if db.execute(sa.select(_jobs.c.id).where(_jobs.c.id == id)).first() is None:
                raise UnknownName(f"no run is called {id!r} here.")
            _upsert(db, _artifacts, {"job": id, "name": name, "data": data})

    def artifact(self, id: str, name: str, *, owner: str | None = None) -> bytes | None:
        """The blob, None where there is none."""
        query = sa.select(_artifacts.c.data).join(_jobs, _jobs.c.id == _artifacts.c.job)
        with self._read() as db:
            row = db.execute(query.where(_artifacts.c.job == id, _artifacts.c.name == name, _visible(owner))).first()
        return None if row is None else bytes(row.data)

    def artifacts(self, id: str, *, owner: str | None = None) -> list[str]:
        """Names of the blobs, sorted."""
        query = sa.select(_artifacts.c.name).join(_jobs, _jobs.c.id == _artifacts.c.job).order_by(_artifacts.c.name)
        with self._read() as db:
            return list(db.execute(query.where(_artifacts.c.job == id, _visible(owner))).scalars())

    # ---- catalog and engines

    def publish_catalog(self, catalog: Mapping[str, Any]) -> None:
        """What the live engine can do; the newest replaces the last."""
        with self._write() as db:
            _upsert(db, _catalog, {"one": 1, "words": json.dumps(catalog)})

    def catalog(self) -> dict[str, Any] | None:
        """The catalog last published, None where none ever was."""
        with self._read() as db:
            words = db.execute(sa.select(_catalog.c.words)).scalar()
        return None if words is None else dict(json.loads(words))

    def beat(self, info: EngineInfo) -> None:
        """An engine's heartbeat."""
        with self._write() as db:
            _upsert(db, _engines, {"id": info.id, "heartbeat": info.heartbeat, "words": json.dumps(dataclasses.asdict(info))})

    def engines(self, alive_within: float = STALE) -> list[EngineInfo]:
        """Engines heard of in that many seconds, the longest running first."""
        with self._read() as db:
            found = [EngineInfo(**json.loads(words)) for words in db.execute(sa.select(_engines.c.words)).scalars()]
        now = time.time()
        return sorted((e for e in found if e.alive(now, alive_within)), key=lambda e: e.started)

    def retire(self, engine_id: str) -> None:
        """The engine is gone on purpose."""
        with self._write() as db:
            db.execute(_engines.delete().where(_engines.c.id == engine_id))

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
        living = sa.select(_engines.c.id).where(_engines.c.heartbeat.between(now - stale_after, now + stale_after))
        orphan = sa.and_(_jobs.c.state == "running", _jobs.c.engine.not_in(living))
        with self._read() as db:
            if db.execute(sa.select(_jobs.c.id).where(orphan).limit(1)).first() is None:
                return []
        with self._write() as db:
            marked = _jobs.update().where(orphan).values(state="interrupted", reason=INTERRUPTED, finished=now)
            ids = list(db.execute(marked.returning(_jobs.c.id)).scalars())
            db.execute(_engines.delete().where(_engines.c.heartbeat < now - 3600))
        return ids

    # ---- bundles

    def export(self, ids: Sequence[str], path: str | os.PathLike[str]) -> None:
        """Finished runs with their events and artifacts as one zip of JSON and npz.

        Raises UnknownName for an id that is not there, BadInput for a run that is not done or is private.
        """
        partial = Path(path).with_name(Path(path).name + ".part")
        try:
            with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as bundle:
                _put(bundle, "bundle.json", canonical({"format": BUNDLE_FORMAT, "runs": list(ids)}).encode())
                for id in ids:
                    self._export_one(bundle, id)
            partial.replace(path)  # a half-written bundle never has its name
        finally:
            partial.unlink(missing_ok=True)

    def _export_one(self, bundle: zipfile.ZipFile, id: str) -> None:
        with self._read() as db:
            row = db.execute(sa.select(*_JOB_COLUMNS).where(_jobs.c.id == id)).first()
            if row is None:
                raise UnknownName(f"no run is called {id!r} here.")
            job = _job(row)
            if job.owner is not None:
                raise BadInput(f"run {id} was made from a private table, which is in no file; it cannot be exported.")
            if job.state != "done":
                raise BadInput(f"run {id} is {job.state}; only a finished one can be exported.")
            result = db.execute(sa.select(_results).where(_results.c.job == id)).one()
            events = db.execute(sa.select(_events).where(_events.c.job == id).order_by(_events.c.seq)).all()
            artifacts = db.execute(sa.select(_artifacts).where(_artifacts.c.job == id).order_by(_artifacts.c.name)).all()
        facts = {"spec": job.spec, "fingerprint": job.fingerprint, "created": job.created, "finished": job.finished}
        facts |= {"artifacts": [a.name for a in artifacts]}
        _put(bundle, f"{id}/job.json", canonical(facts).encode())
        _put(bundle, f"{id}/result.json", result.words.encode())
        _put(bundle, f"{id}/result.npz", result.arrays)
        lines = [json.dumps([e.kind, e.words, e.arrays is not None]) for e in events]
        _put(bundle, f"{id}/events.jsonl", "\n".join(lines).encode())
        for number, event in enumerate(events, 1):
            if event.arrays is not None:
                _put(bundle, f"{id}/events/{number}.npz", event.arrays)
        for number, artifact in enumerate(artifacts):
            _put(bundle, f"{id}/artifacts/{number}", artifact.data)

    def load(self, path: str | os.PathLike[str]) -> list[str]:
        """Take in the runs of a bundle; returns the ids of all its runs. Those already done here stay as they are.

        Raises BadData for a file that is no bundle; then nothing of it was kept.
        """
        try:
            with zipfile.ZipFile(path) as bundle:
                if sum(entry.file_size for entry in bundle.infolist()) > BUNDLE_LIMIT:
                    raise BadData(f"{path} unpacks to more than {BUNDLE_LIMIT >> 20} MiB, which no bundle of runs does.")
                head = json.loads(bundle.read("bundle.json"))
                if head["format"] != BUNDLE_FORMAT:
                    raise BadData(f"{path} is a bundle of format {head['format']}; this version reads format {BUNDLE_FORMAT}.")
                runs = [(str(id), *_read_run(bundle, str(id))) for id in head["runs"]]
        except (OSError, EOFError, zipfile.BadZipFile, KeyError, TypeError, ValueError, RuntimeError) as error:
            if isinstance(error, LabError):
                raise
            raise BadData(f"{path} is no bundle of runs: {error}.") from error
        for run in runs:
            self._insert_done(*run)
        return [run[0] for run in runs]

    def _insert_done(
        self,
        id: str,
        facts: Mapping[str, Any],
        result: tuple[str, bytes],
        events: list[Encoded],
        artifacts: Mapping[str, bytes],
    ) -> None:
        """A finished public run from elsewhere, in one transaction; nothing where the job is done already."""
        with self._write() as db:
            row = db.execute(sa.select(_jobs.c.state, _jobs.c.attempt, _jobs.c.owner).where(_jobs.c.id == id)).first()
            if row is not None and (row.state == "done" or row.owner is not None):
                return
            for part in _PARTS:
                db.execute(part.delete().where(part.c.job == id))
            progress = [json.loads(words) for kind, words, _ in events if kind == "progress"]
            last = progress[-1] if progress else {"done": 0, "total": 0}
            values = {
                "id": id,
                "kind": "run",
                "spec": canonical(facts["spec"]),
                "fingerprint": facts["fingerprint"],
                "state": "done",
                "reason": "",
                "owner": None,
                "priority": PRIORITY_INTERACTIVE,
                "device": "auto",
                "timeout_s": None,
                "attempt": 1 if row is None else row.attempt + 1,
                "done": int(last["done"]),
                "total": int(last["total"]),
                "created": float(facts["created"]),
                "started": float(facts["created"]),
                "finished": float(facts["finished"]),
                "engine": None,
                "cancel": 0,
                "last_seq": len(events),
            }
            _upsert(db, _jobs, values)
            _upsert(db, _results, {"job": id, "words": result[0], "arrays": result[1]})
            _insert_events(db, id, events, 1)
            for name, data in artifacts.items():
                _upsert(db, _artifacts, {"job": id, "name": name, "data": data})

    # ---- upkeep

    def checkpoint(self) -> bool:
        """Move the write-ahead log into the database and empty it. False where another process is reading: try again later."""
        with self._raw() as raw:
            busy = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        return not busy

    def close(self) -> None:
        """Let go of all connections. The store can be used again afterwards."""
        self._db.dispose()

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with self._sentences(), self._db.begin() as db:
            yield db

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        with self._sentences(), self._rw.begin() as db:
            yield db

    @contextmanager
    def _raw(self) -> Iterator[Any]:
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
    for pragma in ("synchronous=NORMAL", "busy_timeout=10000", "secure_delete=ON", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    # A transaction that starts as a reader and turns writer fails at once when another wrote meanwhile; IMMEDIATE waits.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("write") else "BEGIN")


def _visible(owner: str | None) -> sa.ColumnElement[bool]:
    return _jobs.c.owner.is_(None) if owner is None else sa.or_(_jobs.c.owner.is_(None), _jobs.c.owner == owner)


def _attempt(attempt: int | None) -> sa.ColumnElement[bool]:
    return sa.true() if attempt is None else _jobs.c.attempt == attempt


def _job(row: Row[Any]) -> Job:
    values = dict(row._mapping)
    return Job(**values | {"spec": json.loads(values["spec"])})


def _encoded(event: Event | Encoded) -> Encoded:
    return event if isinstance(event, tuple) else encode(event)


def _insert_events(db: Connection, id: str, rows: list[Encoded], first: int) -> None:
    if rows:
        names = ("kind", "words", "arrays")
        values = [{"job": id, "seq": n, **dict(zip(names, row, strict=True))} for n, row in enumerate(rows, first)]
        db.execute(_events.insert(), values)


def _upsert(db: Connection, table: sa.Table, values: dict[str, Any]) -> None:
    keys = [c.name for c in table.primary_key]
    changed = {name: value for name, value in values.items() if name not in keys}
    db.execute(insert(table).values(**values).on_conflict_do_update(index_elements=keys, set_=changed))


def _put(bundle: zipfile.ZipFile, name: str, data: bytes) -> None:
    # A fixed date: the same runs give the same file, so a committed bundle changes only when its runs do.
    entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    entry.external_attr = 0o644 << 16
    bundle.writestr(entry, data, zipfile.ZIP_STORED if name.endswith(".npz") else zipfile.ZIP_DEFLATED)


def _read_run(bundle: zipfile.ZipFile, id: str) -> tuple[dict[str, Any], tuple[str, bytes], list[Encoded], dict[str, bytes]]:
    """One run of a bundle, every part of it read once to see that it can be. Raises BadData and what zipfile raises."""
    facts = json.loads(bundle.read(f"{id}/job.json"))
    RunSpec.from_json(facts["spec"])
    words, arrays = bundle.read(f"{id}/result.json").decode(), bundle.read(f"{id}/result.npz")
    if decode_result(words, arrays).run_id != id:
        raise BadData(f"the bundle's run {id} holds the result of another run.")
    events: list[Encoded] = []
    for number, line in enumerate(bundle.read(f"{id}/events.jsonl").decode().splitlines(), 1):
        kind, said, has_arrays = json.loads(line)
        event = (kind, said, bundle.read(f"{id}/events/{number}.npz") if has_arrays else None)
        decode(*event)
        events.append(event)
    artifacts = {str(name): bundle.read(f"{id}/artifacts/{n}") for n, name in enumerate(facts["artifacts"])}
    return facts, (words, arrays), events, artifacts
