"""The events of a job: numbered from 1 in the order in which they came."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from engine.events import Event, Progress, decode, encode
from engine.store.database import PREVIEWS_TOPIC, Part, private_key
from engine.store.jobs import PREVIEW, is_running, visible_to
from engine.store.schema import EVENTS, JOBS

Encoded = tuple[str, str, bytes | None]
"""(kind, JSON, npz): an event as `engine.events.encode` gives it."""


Batch = tuple[str, int | None, Iterable[Event | Encoded], int | None]
"""(job, attempt, events, number of the first): see `Events.append`."""


_STORED = (EVENTS.c.seq, EVENTS.c.kind, EVENTS.c.words, EVENTS.c.arrays, JOBS.c.owner, JOBS.c.upload)


class Events(Part):
    """What jobs report while they run."""

    def append(
        self, id: str, events: Iterable[Event | Encoded], *, attempt: int | None = None, first: int | None = None
    ) -> bool:
        """Add events (or `encode` of them) to a running job, in order, in one transaction.

        first: the number of the first of these. Those that are there already are not added again, so that a call whose answer was
        lost with the connection can be repeated, with more events behind. None: they follow the last.
        False, and nothing added, where the job is not running (any more), runs as another attempt, or lacks those before `first`.
        """
        return self.append_all([(id, attempt, events, first)])[0]

    def append_all(self, batches: Sequence[Batch]) -> list[bool]:
        """`append` of several jobs' events, (id, attempt, events, first) each, in one transaction; what each returns."""
        encoded = [(id, attempt, [encode_event(event) for event in events], first) for id, attempt, events, first in batches]
        order = sorted(range(len(encoded)), key=lambda n: encoded[n][0])  # so that two transactions never wait for each other

        def add(connection: Connection) -> list[bool]:
            added = {n: self._append(connection, *encoded[n]) for n in order}
            return [added[n] for n in range(len(encoded))]

        return self.database.write(add, alone=False)

    def _append(self, connection: Connection, id: str, attempt: int | None, rows: list[Encoded], first: int | None) -> bool:
        if first is not None:
            known = sa.select(JOBS.c.last_seq).where(is_running(id, attempt)).with_for_update()
            last = connection.execute(known).scalar()
            if last is None or last < first - 1:
                return False
            rows = rows[last - (first - 1) :]
            if not rows:
                return True
        values: dict[str, Any] = {"last_seq": JOBS.c.last_seq + len(rows)}
        latest = [text for kind, text, _ in rows if kind == "progress"]
        if latest:
            progress = Progress(**json.loads(latest[-1]))
            values |= {"done": progress.done, "total": progress.total}
        query = JOBS.update().where(is_running(id, attempt)).values(**values)
        row = connection.execute(query.returning(JOBS.c.last_seq, JOBS.c.owner, JOBS.c.upload)).first()
        if row is None:
            return False
        key, start = private_key(row.owner, row.upload, id), row.last_seq - len(rows) + 1
        insert_events(connection, id, [self._seal(connection, id, key, n, one) for n, one in enumerate(rows, start)], start)
        if id.startswith(PREVIEW):  # a page waits for each; of runs it shows what is new about once a second
            self.database.announce(connection, PREVIEWS_TOPIC, id)
        return True

    def _seal(self, connection: Connection, id: str, key: str | None, seq: int, event: Encoded) -> Encoded:
        kind, text, arrays = event
        if arrays is not None:
            arrays = self.database.seal_data(connection, arrays, key, ("events", "arrays", id, seq))
        return kind, self.database.seal_words(connection, text, key, ("events", "words", id, seq)), arrays

    def _open(self, connection: Connection, id: str, row: Any) -> Encoded:
        key, arrays = private_key(row.owner, row.upload, id), row.arrays
        if arrays is not None:
            arrays = self.database.open_data(connection, arrays, key, ("events", "arrays", id, row.seq))
        return row.kind, self.database.open_words(connection, row.words, key, ("events", "words", id, row.seq)), arrays

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
        query = sa.select(*_STORED)
        query = query.join(JOBS, JOBS.c.id == EVENTS.c.job).where(EVENTS.c.job == id, EVENTS.c.seq > after, visible_to(owner))
        if kinds is not None:
            query = query.where(EVENTS.c.kind.in_(kinds))
        with self.database.reading() as connection:
            rows = connection.execute(query.order_by(EVENTS.c.seq).limit(limit)).all()
            opened = [(row.seq, self._open(connection, id, row)) for row in rows]
        return [(seq, decode(*event)) for seq, event in opened]

    def last_event(self, id: str, kind: str, *, owner: str | None = None) -> Event | None:
        """The last event of a kind, such as 'board'; None where there is none. Raises BadData for an unreadable one."""
        query = _last_of_kind(id, kind).where(visible_to(owner))
        with self.database.reading() as connection:
            row = connection.execute(query).first()
            event = None if row is None else self._open(connection, id, row)
        return None if event is None else decode(*event)


def _last_of_kind(id: str, kind: str) -> sa.Select[Any]:
    """The last event of a kind: an index alone tells which it is, and its key finds it. Sorting would read the arrays of all."""
    same = EVENTS.alias("same")
    last = sa.select(sa.func.max(same.c.seq)).where(same.c.job == id, same.c.kind == kind).scalar_subquery()
    query = sa.select(*_STORED).join(JOBS, JOBS.c.id == EVENTS.c.job)
    return query.where(EVENTS.c.job == id, EVENTS.c.seq == last)


def encode_event(event: Event | Encoded) -> Encoded:
    """An event as it is stored."""
    return event if isinstance(event, tuple) else encode(event)


def insert_events(connection: Connection, id: str, rows: list[Encoded], first: int) -> None:
    """Add events to a job, numbered from `first`."""
    if rows:
        names = ("kind", "words", "arrays")
        values = [{"job": id, "seq": n, **dict(zip(names, row, strict=True))} for n, row in enumerate(rows, first)]
        connection.execute(EVENTS.insert(), values)
