"""Results: what a job ends with, in one transaction with its artifacts and its state."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from engine.errors import BadData
from engine.events import Event, pack, unpack
from engine.spec import RunSpec
from engine.spec.result import Result
from engine.spec.run import canonical_json
from engine.store.database import Database, Part, private_key, repeat_on_conflict
from engine.store.events import Encoded, encode_event, insert_events
from engine.store.jobs import PRIORITY_INTERACTIVE, Job, is_running, read_job, visible_to
from engine.store.schema import ARTIFACTS, JOB_TABLES, JOBS, RESULTS
from engine.text import make_storable, may_be_unstorable, one_line

_NO_NUMBER = re.compile(r"\bNaN\b|\bInfinity\b")


class Results(Part):
    """What jobs end with."""

    @repeat_on_conflict
    def save_result(
        self,
        id: str,
        result: Result | tuple[str, bytes],
        artifacts: Mapping[str, bytes] | None = None,
        *,
        attempt: int | None = None,
    ) -> bool:
        """The result (or `encode_result` of it), its artifacts and state done, in one transaction.

        For a job that is no run `result` is (its facts as JSON, b""); an embed job's artifacts are stored with the run. False, and
        nothing stored, where the job is not running (any more), or runs as another attempt. True, and nothing stored, where this attempt
        is done already, so that a call whose answer was lost with the connection can be repeated.
        """
        text, arrays = encode_result(result) if isinstance(result, Result) else (clean_json(result[0]), result[1])
        query = JOBS.update().where(is_running(id, attempt)).values(state="done", reason="", finished=self.database.clock)
        with self.database.writing() as connection:
            row = connection.execute(query.returning(JOBS.c.kind, JOBS.c.fingerprint, JOBS.c.owner, JOBS.c.upload)).first()
            if row is None:
                same = sa.and_(JOBS.c.id == id, JOBS.c.state == "done", JOBS.c.attempt == attempt)
                return connection.execute(sa.select(JOBS.c.id).where(same)).first() is not None
            key = private_key(row.owner, row.upload, id)
            words = self.database.seal_words(connection, text, key, ("results", "words", id, 0))
            arrays = self.database.seal_data(connection, arrays, key, ("results", "arrays", id, 0))
            self.database.upsert(connection, RESULTS, {"job": id, "words": words, "arrays": arrays})
            home = row.fingerprint if row.kind == "embed" else id
            key = private_key(row.owner, row.upload, home)
            for name, data in (artifacts or {}).items():
                self.database.upsert(connection, ARTIFACTS, self.database.artifact_row(connection, home, name, data, key))
            return True

    def result(self, id: str, owner: str | None = None) -> Result | None:
        """The result, None where there is none. Raises BadData where it cannot be read."""
        query = sa.select(RESULTS.c.words, RESULTS.c.arrays, JOBS.c.owner, JOBS.c.upload).join(JOBS, JOBS.c.id == RESULTS.c.job)
        with self.database.reading() as connection:
            row = connection.execute(query.where(JOBS.c.id == id, JOBS.c.kind == "run", visible_to(owner))).first()
            if row is None:
                return None
            key = private_key(row.owner, row.upload, id)
            words = self.database.open_words(connection, row.words, key, ("results", "words", id, 0))
            arrays = self.database.open_data(connection, row.arrays, key, ("results", "arrays", id, 0))
        return decode_result(words, arrays)

    def record_run(
        self,
        spec: RunSpec,
        result: Result,
        events: Iterable[Event | Encoded] = (),
        artifacts: Mapping[str, bytes] | None = None,
        *,
        fingerprint: str = "",
    ) -> Job:
        """Store a run that was computed outside the queue (at a terminal) as a finished job; one already done stays as it is.

        A run that an engine is busy with is replaced: the engine finds its attempt gone and drops it.
        """
        id = spec.run_id(fingerprint)
        facts: dict[str, Any] = {"spec": spec.to_json(), "fingerprint": fingerprint}
        rows = [encode_event(event) for event in events]
        encoded = encode_result(result)

        def insert(connection: Connection) -> None:
            now = self.database.read_clock(connection)
            times = {"created": now - result.seconds, "finished": now}
            insert_finished(self.database, connection, id, facts | times, encoded, rows, artifacts or {})

        self.database.write(insert)
        return read_job(self.database, id, None)


def encode_result(result: Result) -> tuple[str, bytes]:
    """(JSON, npz) as the store has a result."""
    return clean_json(json.dumps(result.to_json(), allow_nan=False)), pack(result.arrays)


def clean_json(text: str) -> str:
    """JSON as every database reads it: U+FFFD for characters that cannot be stored. Raises BadData for a number that is none.

    A database that reads JSON in a query would refuse the whole list for one such row.
    """
    if may_be_unstorable(text) or _NO_NUMBER.search(text):
        return json.dumps(_clean(json.loads(text, parse_constant=_refuse_constant)))
    return text


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return make_storable(value)
    if isinstance(value, dict):
        return {make_storable(key): _clean(one) for key, one in value.items()}
    return [_clean(one) for one in value] if isinstance(value, list) else value


def _refuse_constant(name: str) -> Any:
    raise BadData(f"a result holds {name}, which is no number.")


def decode_result(text: str, arrays: bytes) -> Result:
    """The result of its JSON and npz. Raises BadData where they do not make one."""
    try:
        return Result.from_json(json.loads(text), unpack(arrays))
    except BadData:
        raise
    except Exception as error:  # text and arrays of any other shape
        raise BadData(f"the store holds a result that cannot be read: {one_line(error, 200)}.") from error


def insert_finished(
    database: Database,
    connection: Connection,
    id: str,
    facts: Mapping[str, Any],
    result: tuple[str, bytes],
    events: list[Encoded],
    artifacts: Mapping[str, bytes],
) -> None:
    """Store a finished public job from elsewhere; nothing changes where the job is done already.

    facts: spec, fingerprint, created, finished, and the kind where it is no run. result: (JSON, npz).
    """
    row = connection.execute(sa.select(JOBS.c.state, JOBS.c.attempt, JOBS.c.owner).where(JOBS.c.id == id)).first()
    if row is not None and (row.state == "done" or row.owner is not None):
        return
    database.lock_jobs(connection, JOBS.c.id == id)
    for table in JOB_TABLES:
        connection.execute(table.delete().where(table.c.job == id))
    progress = [json.loads(text) for kind, text, _ in events if kind == "progress"]
    last = progress[-1] if progress else {"done": 0, "total": 0}
    values = {
        "id": id,
        "kind": facts.get("kind", "run"),
        "spec": canonical_json(facts["spec"]),
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
    database.upsert(connection, JOBS, values)
    database.upsert(connection, RESULTS, {"job": id, "words": clean_json(result[0]), "arrays": result[1]})
    insert_events(connection, id, events, 1)
    for name, data in artifacts.items():
        database.upsert(connection, ARTIFACTS, {"job": id, "name": name, "data": data})
