"""What an engine does with jobs: take the next one, run it, give it back or end it.

Writes carry the attempt number. A write for an attempt that no longer runs changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from engine.errors import StoreError
from engine.store.abilities import Abilities, Taker
from engine.store.database import ENGINES_TOPIC, Database, Part, private_key, repeat_on_conflict
from engine.store.jobs import (
    ACTIVE,
    ANEW,
    CANCELLED,
    COLUMNS,
    KINDS,
    LOST_MOST,
    PRIORITY_SWEEP,
    TURN,
    Job,
    delete_outcome,
    is_running,
    job_from_row,
)
from engine.store.schema import JOBS
from engine.text import make_storable, quote

AHEAD = 8
"""Queued jobs among which an engine may choose."""


class Claims(Part):
    """Jobs as the engine that runs them sees them."""

    @repeat_on_conflict
    def claim(
        self,
        engine_id: str,
        *,
        max_priority: int | None = None,
        kinds: Sequence[str] = KINDS,
        choose: Callable[[Sequence[Job]], Job] | None = None,
        private: bool | None = None,
        able: Abilities | None = None,
        takers: Sequence[Taker] = (),
    ) -> Job | None:
        """Take the next queued job (lowest priority number, then oldest), or None. One transaction: no job goes twice.

        None also where others are just taking those that are queued: ask again.

        choose: takes one of the next jobs of the same priority, at most AHEAD; the first by default. private: of those that are, or
        that are not; None for all. able: of those that it can run. takers: the engines that take
        jobs, this one too; no cell of a sweep that would fill the last slot of those that can run it, unless they have only one.
        """
        queued = sa.and_(JOBS.c.state == "queued", JOBS.c.kind.in_(kinds), _is_private(private))
        if able is not None:
            queued = sa.and_(queued, able.can_run)
        if takers:
            queued = sa.and_(queued, sa.or_(JOBS.c.priority < PRIORITY_SWEEP, _leaves_a_slot(takers)))
        if max_priority is not None:
            queued = sa.and_(queued, JOBS.c.priority <= max_priority)
        with self.database.reading() as connection:  # an idle engine asks twenty times a second: no write lock for that
            if connection.execute(sa.select(JOBS.c.id).where(queued).limit(1)).first() is None:
                return None
        first = sa.select(JOBS.c.id).where(queued).order_by(*(JOBS.c[n] for n in TURN)).limit(1)
        turn = first.with_for_update(skip_locked=True).scalar_subquery()
        values = {"state": "running", "engine": engine_id, "started": self.database.clock}
        with self.database.writing(alone=False) as connection:
            id = turn if choose is None else _choose(self.database, connection, queued, choose)
            taken = JOBS.update().where(JOBS.c.id == id).values(**values)
            row = connection.execute(taken.returning(*COLUMNS)).first()
            return None if row is None else job_from_row(self.database, connection, row)

    def cancel_requested(self, engine_id: str) -> list[str]:
        """Ids of this engine's running jobs that somebody wants stopped."""
        return [id for id, (_, cancel) in self.list_running(engine_id).items() if cancel]

    def list_running(self, engine_id: str) -> dict[str, tuple[int, bool]]:
        """id -> (attempt, cancel requested) of the jobs that this engine runs according to the store."""
        query = sa.select(JOBS.c.id, JOBS.c.attempt, JOBS.c.cancel)
        with self.database.reading() as connection:
            rows = connection.execute(query.where(JOBS.c.state == "running", JOBS.c.engine == engine_id)).all()
        return {row.id: (row.attempt, bool(row.cancel)) for row in rows}

    @repeat_on_conflict
    def release(self, id: str, *, attempt: int) -> bool:
        """Put a claimed job that could not be started back into the queue; one that somebody wants stopped is cancelled.

        False where it is not running (any more).
        """
        goes = JOBS.c.cancel == 0
        values = {
            "state": sa.case((goes, "queued"), else_="cancelled"),
            "reason": sa.case((goes, JOBS.c.reason), else_=CANCELLED),
            "finished": sa.case((goes, JOBS.c.finished), else_=self.database.clock),
            "started": sa.case((goes, sa.null()), else_=JOBS.c.started),
            "engine": sa.case((goes, sa.null()), else_=JOBS.c.engine),
        }
        with self.database.writing() as connection:
            return connection.execute(JOBS.update().where(is_running(id, attempt)).values(**values)).rowcount == 1

    def should_yield(
        self, id: str, *, attempt: int, private: bool | None = None, able: Abilities | None = None, waited: float = 0.0
    ) -> bool:
        """Whether this running sweep cell should stop so that a queued interactive job can start. private, able: as of `claim`. waited:
        seconds that the job has been queued for at least, since another engine may have a free slot for it.
        """
        cell = sa.select(JOBS.c.id).where(is_running(id, attempt), JOBS.c.cancel == 0, JOBS.c.priority >= PRIORITY_SWEEP)
        urgent = sa.select(JOBS.c.id).where(JOBS.c.state == "queued", JOBS.c.priority < PRIORITY_SWEEP, JOBS.c.kind.in_(KINDS))
        if waited:
            urgent = urgent.where(JOBS.c.created <= self.database.clock - waited)
        urgent = urgent.where(_is_private(private), sa.true() if able is None else able.can_run)
        with self.database.reading() as connection:
            return bool(connection.execute(sa.select(sa.and_(cell.exists(), urgent.exists()))).scalar())

    @repeat_on_conflict
    def requeue(self, id: str, *, attempt: int, lost: bool = False) -> bool:
        """Put a running job that was stopped for a more urgent one back to its place in the queue, as if it had not begun.

        Its events are deleted and its attempt raised: nothing comes twice. False where it is not running (any more), runs as another
        attempt, or somebody wants it cancelled. lost: it was not stopped, but its machine was lost. That is counted until somebody asks for
        it again; False where it has been so LOST_MOST times.
        """
        query = JOBS.update().where(is_running(id, attempt), JOBS.c.cancel == 0).values(**ANEW)
        if lost:
            query = query.where(JOBS.c.lost < LOST_MOST).values(lost=JOBS.c.lost + 1)
        with self.database.writing() as connection:
            if connection.execute(query).rowcount != 1:
                return False
            delete_outcome(self.database, connection, id)
            self.database.announce(connection, ENGINES_TOPIC)
            return True

    @repeat_on_conflict
    def finish(self, id: str, state: str, reason: str = "", *, attempt: int | None = None) -> bool:
        """End a running job (or, as 'cancelled', a queued one) as failed, cancelled or interrupted, with its sentence.

        False, and nothing changed, where it is not active (any more), or runs as another attempt. 'done' comes from
        `save_result` alone.
        """
        if state not in ("failed", "cancelled", "interrupted"):
            raise StoreError(f"finish({quote(state)}): must be failed, cancelled or interrupted.")
        active = JOBS.c.state.in_(ACTIVE if state == "cancelled" else ("running",))
        ours = sa.true() if attempt is None else JOBS.c.attempt == attempt
        one = sa.and_(JOBS.c.id == id, active, ours)
        with self.database.writing() as connection:
            said = make_storable(reason)
            if self.database.seals and (row := connection.execute(sa.select(JOBS.c.owner, JOBS.c.upload).where(one)).first()):
                key = private_key(row.owner, row.upload, id)
                said = self.database.seal_reason(connection, said, key, ("jobs", "reason", id, 0))
            ended = JOBS.update().where(one).values(state=state, reason=said, finished=self.database.clock)
            return connection.execute(ended).rowcount == 1


def _is_private(private: bool | None) -> sa.ColumnElement[bool]:
    """The jobs that are somebody's own, or that are nobody's; all for None."""
    return sa.true() if private is None else JOBS.c.owner.is_not(None) if private else JOBS.c.owner.is_(None)


def _leaves_a_slot(takers: Sequence[Taker]) -> sa.ColumnElement[bool]:
    """The jobs that leave a slot free on the engines that can run them, however many cells of sweeps these run, or find only one slot."""
    cells = JOBS.alias("cells")
    running = sa.select(sa.func.count()).where(cells.c.state == "running", cells.c.priority >= PRIORITY_SWEEP)
    slots: sa.ColumnElement[int] = sa.literal(0)
    taken: sa.ColumnElement[int] = sa.literal(0)
    for able in dict.fromkeys(one.able for one in takers):  # engines of one kind, of which there are few
        alike = [one for one in takers if one.able == able]
        theirs = running.where(cells.c.engine.in_([one.id for one in alike])).scalar_subquery()
        slots += sa.case((able.can_run, sum(one.slots for one in alike)), else_=0)
        taken += sa.case((able.can_run, theirs), else_=0)
    return taken < sa.case((slots > 2, slots - 1), else_=1)


def _choose(
    database: Database, connection: Connection, queued: sa.ColumnElement[bool], choose: Callable[[Sequence[Job]], Job]
) -> str | None:
    """The id that `choose` gives of the next queued jobs of one priority; None where there is none."""
    query = (
        sa.select(*COLUMNS).where(queued).order_by(*(JOBS.c[n] for n in TURN)).limit(AHEAD).with_for_update(skip_locked=True)
    )
    jobs = [job_from_row(database, connection, row) for row in connection.execute(query)]
    return choose([job for job in jobs if job.priority == jobs[0].priority]).id if jobs else None
