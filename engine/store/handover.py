"""What a browser sent before its person signed in, handed over to them: tables, what is made from them, and the names of that."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from engine.errors import NotAllowed
from engine.store.administration import record_act
from engine.store.database import Part, repeat_on_conflict
from engine.store.forgetting import clear_loss, touch_owner
from engine.store.people import is_person, name_person
from engine.store.quotas import check_bytes, check_queued, check_tables
from engine.store.schema import ASKERS, BOOKMARKS, JOBS, OWNERS, UPLOADS


class HandedOver(NamedTuple):
    """How many tables, and jobs made from them, have another owner."""

    tables: int
    jobs: int


class Handover(Part):
    """Tables of a browser that become those of the person who signs in there."""

    @repeat_on_conflict
    def hand_over(self, browser: str | None, person: str | None) -> HandedOver:
        """Give a browser's tables to a person, with all jobs made from them: all, or none. Nothing is computed or sent anew.

        browser: its token, which only that browser has; person: who signed in there. A table that is still arriving stays. The act is in
        the audit log, without a name of a table. Raises NotAllowed where `browser` is a person, so that nobody's tables can be taken, or
        `person` is none; QuotaReached where these tables or waiting jobs are too many for the person.
        """
        if not browser or not person or is_person(browser) or not is_person(person):
            raise NotAllowed("Tables go from a browser to the person who signed in there, and no other way.")
        with self.database.writing() as connection:
            whole = sa.and_(UPLOADS.c.owner == browser, UPLOADS.c.whole == 1)
            sizes = {row.id: row.size for row in connection.execute(sa.select(UPLOADS.c.id, UPLOADS.c.size).where(whole))}
            if not sizes:
                return HandedOver(0, 0)
            check_tables(connection, person, len(sizes))
            check_bytes(connection, person, sum(sizes.values()))
            made = sa.and_(JOBS.c.owner == browser, JOBS.c.upload.in_(list(sizes)))
            self.database.lock_jobs(connection, made)
            states = list(connection.execute(sa.select(JOBS.c.state).where(made)).scalars())
            check_queued(connection, name_person(person), states.count("queued"))
            named = sa.and_(BOOKMARKS.c.job.in_(sa.select(JOBS.c.id).where(made)), BOOKMARKS.c.owner == browser)
            connection.execute(BOOKMARKS.update().where(named).values(owner=person))
            asked = ASKERS.c.job.in_(sa.select(JOBS.c.id).where(made))
            connection.execute(ASKERS.update().where(asked).values(person=name_person(person)))
            connection.execute(JOBS.update().where(made).values(owner=person))
            connection.execute(UPLOADS.update().where(whole).values(owner=person))
            touch_owner(self.database, connection, person)
            clear_loss(connection, person)
            left = sa.union(
                sa.select(UPLOADS.c.owner).where(UPLOADS.c.owner == browser),
                sa.select(JOBS.c.owner).where(JOBS.c.owner == browser),
            )
            if connection.execute(left).first() is None:
                connection.execute(OWNERS.delete().where(OWNERS.c.owner == browser))
            moved = HandedOver(len(sizes), len(states))
            subject = f"{name_person(browser)} to {name_person(person)}"
            record_act(self.database, connection, person, "hand over", subject, f"{moved.tables} tables and {moved.jobs} jobs")
        return moved
