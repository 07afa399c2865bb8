"""What admins see and do: engines, queue, sizes, counts per person; cancel, drain, forget.

Who is an admin, LAB_ADMINS says (`engine.store.people.is_admin`); each verb checks it. No verb answers with a name or a row of a private
table, or with a browser's token. Each act stands in the table `audit`, in the transaction that does it where that is one; nothing deletes
from it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from engine.store.database import Database, Part, repeat_on_conflict
from engine.store.forgetting import Forgotten, delete_owner, purge, request_purge
from engine.store.jobs import ACTIVE, KINDS, TURN
from engine.store.people import name_person, require_admin
from engine.store.queue import cancel_jobs
from engine.store.quotas import DAY
from engine.store.schema import ARTIFACTS, ASKERS, AUDIT, BOOKMARKS, EVENTS, JOBS, OWNERS, SPENT, UPLOADS
from engine.text import one_line

LISTED = 200
"""Jobs, people and acts that a list has at most."""
_ACT, _SUBJECT, _OUTCOME = 40, 120, 200
"""Characters of an act's words."""


@dataclass(frozen=True)
class ActiveJob:
    """A job that waits or runs, as an admin sees it. dataset, method: '' of a private one. person: who asked, where that is known."""

    id: str
    kind: str
    state: str
    private: bool
    dataset: str
    method: str
    person: str
    created: float
    started: float | None
    engine: str | None


@dataclass(frozen=True)
class Sizes:
    """What the store holds. jobs: by state. table_bytes: of people's own tables. artifact_bytes: of all jobs together."""

    jobs: dict[str, int] = field(default_factory=dict)
    events: int = 0
    artifacts: int = 0
    artifact_bytes: int = 0
    tables: int = 0
    table_bytes: int = 0


@dataclass(frozen=True)
class PersonCounts:
    """What one person has here (`name_person`). seconds: of engines, in 24 hours. seen: unix seconds, None where not known."""

    person: str
    tables: int = 0
    table_bytes: int = 0
    private_jobs: int = 0
    queued: int = 0
    running: int = 0
    seconds: float = 0.0
    seen: float | None = None


@dataclass(frozen=True)
class Act:
    """A row of the audit log. at: unix seconds; admin: `name_person` of who did it, an admin but for what a person did with their own."""

    at: float
    admin: str
    act: str
    subject: str
    outcome: str


class Administration(Part):
    """Verbs of admins. Each raises NotAllowed for others."""

    def read_sizes(self, admin: str | None) -> Sizes:
        """What the store holds."""
        require_admin(admin)
        count = sa.func.count()
        with self.database.reading() as connection:
            jobs = connection.execute(sa.select(JOBS.c.state, count).where(JOBS.c.kind.in_(KINDS)).group_by(JOBS.c.state))
            states = {state: int(n) for state, n in jobs}
            events = connection.execute(sa.select(count).select_from(EVENTS)).scalar_one()
            kept = sa.select(count, sa.func.coalesce(sa.func.sum(sa.func.length(ARTIFACTS.c.data)), 0))
            artifacts, artifact_bytes = connection.execute(kept.select_from(ARTIFACTS)).one()
            own = sa.select(count, sa.func.coalesce(sa.func.sum(UPLOADS.c.size), 0)).select_from(UPLOADS)
            tables, table_bytes = connection.execute(own).one()
        return Sizes(states, int(events), int(artifacts), int(artifact_bytes), int(tables), int(table_bytes))

    def list_active(self, admin: str | None) -> list[ActiveJob]:
        """Jobs that run, then those that wait in their order, LISTED at most."""
        require_admin(admin)
        names = ("id", "kind", "state", "dataset", "method", "owner", "created", "started", "engine")
        columns = [JOBS.c[name] for name in names]
        query = sa.select(*columns, ASKERS.c.person).join(ASKERS, ASKERS.c.job == JOBS.c.id, isouter=True)
        query = query.where(JOBS.c.state.in_(ACTIVE), JOBS.c.kind.in_(KINDS))
        query = query.order_by(sa.case((JOBS.c.state == "running", 0), else_=1), *(JOBS.c[name] for name in TURN)).limit(LISTED)
        with self.database.reading() as connection:
            rows = connection.execute(query).all()
        return [
            ActiveJob(
                id=row.id,
                kind=row.kind,
                state=row.state,
                private=row.owner is not None,
                dataset="" if row.owner is not None else row.dataset or "",
                method="" if row.owner is not None else row.method or "",
                person=row.person or ("" if row.owner is None else name_person(row.owner)),
                created=row.created,
                started=row.started,
                engine=row.engine,
            )
            for row in rows
        ]

    def count_people(self, admin: str | None) -> list[PersonCounts]:
        """What each person has here, those with the most bytes of tables first, LISTED at most."""
        require_admin(admin)
        found: dict[str, dict[str, float]] = {}

        def add(person: str, **values: float) -> None:
            found.setdefault(person, {}).update(values)

        count, now = sa.func.count(), self.database.clock
        with self.database.reading() as connection:
            own = sa.select(UPLOADS.c.owner, count, sa.func.sum(UPLOADS.c.size)).group_by(UPLOADS.c.owner)
            for owner, tables, size in connection.execute(own):
                add(name_person(owner), tables=int(tables), table_bytes=int(size))
            private = (
                sa.select(JOBS.c.owner, count).where(JOBS.c.owner.is_not(None), JOBS.c.kind.in_(KINDS)).group_by(JOBS.c.owner)
            )
            for owner, jobs in connection.execute(private):
                add(name_person(owner), private_jobs=int(jobs))
            asked = sa.select(ASKERS.c.person, JOBS.c.state, count).join(JOBS, JOBS.c.id == ASKERS.c.job)
            asked = asked.where(JOBS.c.state.in_(ACTIVE)).group_by(ASKERS.c.person, JOBS.c.state)
            for person, state, jobs in connection.execute(asked):
                add(person, **{state: int(jobs)})
            spent = sa.select(SPENT.c.person, sa.func.sum(SPENT.c.seconds)).where(SPENT.c.at >= now - DAY)
            for person, seconds in connection.execute(spent.group_by(SPENT.c.person)):
                add(person, seconds=float(seconds))
            for owner, seen in connection.execute(sa.select(OWNERS.c.owner, OWNERS.c.seen)):
                add(name_person(owner), seen=float(seen))
        people = [PersonCounts(person, **values) for person, values in found.items()]  # type: ignore[arg-type]
        return sorted(people, key=lambda one: (-one.table_bytes, -one.private_jobs, one.person))[:LISTED]

    def list_acts(self, admin: str | None) -> list[Act]:
        """The audit log, newest first, LISTED at most."""
        require_admin(admin)
        row = AUDIT.c
        query = sa.select(row.at, row.admin, row.act, row.subject, row.outcome).order_by(row.id.desc()).limit(LISTED)
        with self.database.reading() as connection:
            return [Act(*found) for found in connection.execute(query)]

    @repeat_on_conflict
    def cancel_for(self, admin: str | None, job: str) -> bool:
        """Cancel anybody's job. False where it neither waits nor runs."""
        whose = require_admin(admin)
        with self.database.writing() as connection:
            stopped = cancel_jobs(self.database, connection, sa.and_(JOBS.c.id == job, JOBS.c.kind.in_(KINDS))) > 0
            record_act(
                self.database, connection, whose, "cancel", f"job {job}", "cancelled" if stopped else "nothing to cancel"
            )
        return stopped

    def forget_for(self, admin: str | None, person: str) -> Forgotten:
        """Forget a person's tables, everything made from them, and the names and pins that they gave.

        The act is in the log before the first table is deleted, and what it came to afterwards: nothing where nobody is called so.
        """
        whose = require_admin(admin)
        owner = self._find_owner(person)
        record = partial(record_act, self.database, who=whose, act="forget", subject=f"person {person}")

        def begin(connection: Connection) -> None:
            record(connection, outcome="begun")
            connection.execute(ASKERS.delete().where(ASKERS.c.person == person))
            if owner is not None:
                connection.execute(BOOKMARKS.delete().where(BOOKMARKS.c.owner == owner))
                request_purge(self.database, connection)

        self.database.write(begin)
        tables, jobs = (0, 0) if owner is None else delete_owner(self.database, owner)
        self.database.write(partial(record, outcome=f"{tables} tables and {jobs} jobs deleted"))
        return Forgotten(tables, jobs, purge(self.database))

    def drain_for(self, admin: str | None, engine: str, drain: Callable[[str], object]) -> None:
        """Let an engine end what it runs and take nothing new. drain: the store's verb that asks it to, of the engine's id.

        The act is in the log before the verb is called.
        """
        whose = require_admin(admin)
        said = {"who": whose, "act": "drain", "subject": f"engine {engine}", "outcome": "asked"}
        self.database.write(lambda connection: record_act(self.database, connection, **said))
        drain(engine)

    def _find_owner(self, person: str) -> str | None:
        """The owner whom `name_person` calls so, None where there is none (any more)."""
        owners = sa.union(
            sa.select(UPLOADS.c.owner),
            sa.select(JOBS.c.owner).where(JOBS.c.owner.is_not(None)),
            sa.select(BOOKMARKS.c.owner).where(BOOKMARKS.c.owner != ""),
            sa.select(OWNERS.c.owner),
        )
        with self.database.reading() as connection:
            for owner in connection.execute(owners).scalars():
                if name_person(owner) == person:
                    return str(owner)
        return None


def record_act(database: Database, connection: Connection, who: str, act: str, subject: str, outcome: str) -> None:
    """Add a row to the audit log, in the transaction that does what it says. who: the owner who acts."""
    words = {"act": one_line(act, _ACT), "subject": one_line(subject, _SUBJECT), "outcome": one_line(outcome, _OUTCOME)}
    last = sa.select(sa.func.coalesce(sa.func.max(AUDIT.c.id), 0) + 1).scalar_subquery()
    connection.execute(AUDIT.insert().values(id=last, at=database.clock, admin=name_person(who), **words))
