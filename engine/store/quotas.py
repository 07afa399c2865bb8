"""Quotas: what one person may keep and ask for. Without settings there are none but that of tables.

LAB_MOST_TABLES (8), LAB_MOST_MB (of all tables of a person), LAB_MOST_QUEUED (jobs that wait) and LAB_MOST_SECONDS (of engines, in 24
hours). A person is an owner: who signed in, or a browser. Jobs that a terminal asks for have no asker and count for nobody.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from engine.errors import QuotaReached
from engine.settings import read_setting
from engine.store.database import Database, Part, repeat_on_conflict
from engine.store.people import is_person, name_person
from engine.store.schema import ASKERS, JOBS, SPENT, UPLOADS

MOST_TABLES = 8
"""Tables of one owner at a time."""
DAY = 24 * 3600.0
"""Seconds that count for LAB_MOST_SECONDS."""


@dataclass(frozen=True)
class Quota:
    """What one person may keep and ask for; 0: no limit. mib: of all tables together. seconds: of engines, in 24 hours."""

    tables: int
    mib: int
    queued: int
    seconds: int

    @property
    def counts_jobs(self) -> bool:
        """Whether it limits jobs, so that who asks for one is recorded."""
        return bool(self.queued or self.seconds)


@dataclass(frozen=True)
class Used:
    """What one person keeps and has asked for, as quotas count it. size: bytes of all tables. seconds: of engines, in 24 hours."""

    tables: int
    size: int
    queued: int
    seconds: float


class Quotas(Part):
    """What people have asked of the engines."""

    def read_used(self, owner: str) -> Used:
        """What an owner keeps, has waiting and has used."""
        person = name_person(owner)
        with self.database.reading() as connection:
            tables, size = _count_kept(connection, owner)
            return Used(tables, size, count_queued(connection, person), count_seconds(self.database, connection, person))

    def read_asker(self, job: str) -> str | None:
        """Who asked for a job (`name_person`), None where that is not recorded."""
        with self.database.reading() as connection:
            asker: str | None = connection.execute(sa.select(ASKERS.c.person).where(ASKERS.c.job == job)).scalar()
        return asker

    @repeat_on_conflict
    def record_spent(self, person: str, seconds: float) -> None:
        """Count seconds of an engine for a person, as their job ends, whatever it came to."""
        now = self.database.clock
        values = {"id": secrets.token_hex(16), "person": person, "at": now, "seconds": max(0.0, seconds)}
        with self.database.writing() as connection:
            connection.execute(SPENT.delete().where(SPENT.c.at < now - DAY))
            connection.execute(SPENT.insert().values(**values))


def read_quota() -> Quota:
    """The quota of everybody here, from the environment. Raises BadInput for a wrong setting."""
    return Quota(
        read_setting("LAB_MOST_TABLES", MOST_TABLES),
        read_setting("LAB_MOST_MB", 0),
        read_setting("LAB_MOST_QUEUED", 0),
        read_setting("LAB_MOST_SECONDS", 0),
    )


def check_tables(connection: Connection, owner: str, more: int = 1) -> None:
    """Raises QuotaReached where `more` tables would be too many for the owner."""
    most = read_quota().tables
    kept, _ = _count_kept(connection, owner)
    if kept + more > most:
        tables = "1 table" if kept == 1 else f"{kept} tables"
        raise QuotaReached(
            f"You have {tables} here, and no more are kept at a time: forget one first."
            if kept >= most
            else f"You have {tables} here, and with {more} more there would be more than {most}: forget some first."
        )


def check_bytes(connection: Connection, owner: str, size: int) -> None:
    """Raises QuotaReached where `size` more bytes would be too many for the owner."""
    most = read_quota().mib
    if not most:
        return
    if _count_kept(connection, owner)[1] + size > most << 20:
        raise QuotaReached(f"Your tables may have {most:,} MiB together here, and this one is too many: forget one first.")


def _count_kept(connection: Connection, owner: str) -> tuple[int, int]:
    """(tables of an owner, their bytes)."""
    query = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(UPLOADS.c.size), 0)).where(UPLOADS.c.owner == owner)
    tables, size = connection.execute(query).one()
    return int(tables), int(size)


def check_queued(connection: Connection, person: str, more: int = 1) -> None:
    """Raises QuotaReached where `more` waiting jobs would be too many for a person."""
    most = read_quota().queued
    if most and more and (waiting := count_queued(connection, person)) + more > most:
        jobs = "1 job" if waiting == 1 else f"{waiting:,} jobs"
        if waiting < most:
            raise QuotaReached(
                f"With these {more:,} jobs you would have {waiting + more:,} waiting here, and {most:,} may wait at a time."
            )
        raise QuotaReached(f"You have {jobs} waiting here, and no more may wait at a time: try again when some have begun.")


def count_job(database: Database, connection: Connection, job: str, owner: str | None) -> None:
    """Record who asks for a job that is about to be queued, in that transaction. Raises QuotaReached where it is one too many."""
    count_jobs(database, connection, [job], owner)


def count_jobs(database: Database, connection: Connection, jobs: Sequence[str], owner: str | None) -> None:
    """`count_job` of many at once. Raises QuotaReached where not all of them may wait; then none is to be queued."""
    if owner is not None and (read_quota().counts_jobs or is_person(owner)):
        check_quota(database, connection, len(jobs), owner)
        person = name_person(owner)
        database.upsert(connection, ASKERS, *({"job": job, "person": person} for job in jobs))


def check_quota(database: Database, connection: Connection, jobs: int, owner: str) -> None:
    """Raises QuotaReached where so many more jobs may not wait for the owner."""
    quota, person = read_quota(), name_person(owner)
    check_queued(connection, person, jobs)
    if quota.seconds and (spent := count_seconds(database, connection, person)) >= quota.seconds:
        raise QuotaReached(
            f"You have used {spent:,.0f} s of the engines in the last 24 hours, and {quota.seconds:,} s is what one person may: "
            "try again later."
        )


def count_queued(connection: Connection, person: str) -> int:
    """Jobs of a person that wait."""
    query = sa.select(sa.func.count()).select_from(JOBS.join(ASKERS, ASKERS.c.job == JOBS.c.id))
    return int(connection.execute(query.where(ASKERS.c.person == person, JOBS.c.state == "queued")).scalar_one())


def count_seconds(database: Database, connection: Connection, person: str) -> float:
    """Seconds of engines that a person has used in 24 hours, those of running jobs until now too."""
    now = database.read_clock(connection)
    ended = sa.select(sa.func.coalesce(sa.func.sum(SPENT.c.seconds), 0.0))
    spent = float(connection.execute(ended.where(SPENT.c.person == person, SPENT.c.at >= now - DAY)).scalar_one())
    running = sa.select(JOBS.c.started).join(ASKERS, ASKERS.c.job == JOBS.c.id)
    running = running.where(ASKERS.c.person == person, JOBS.c.state == "running", JOBS.c.started.is_not(None))
    return spent + sum((max(0.0, now - float(started)) for started in connection.execute(running).scalars()), 0.0)
