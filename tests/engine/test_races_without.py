"""The races of `tests/engine/test_races.py` without what keeps them from harm: each then does it, so that those tests can fail.

On PostgreSQL alone, and only until the first harm.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from sqlalchemy.sql.selectable import GenerativeSelect

from engine.events import Note
from engine.store import Store, queue
from engine.store.jobs import CANCELLED
from engine.store.schema import ARTIFACTS, BOOKMARKS, EVENTS, JOBS, UPLOADS
from tests.engine.test_races import count_left, meet, running
from tests.engine.test_store import SPEC

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]
MOST = 300
"""Rounds after which a race that did no harm counts as none."""


def drop_writers_lock(patch: pytest.MonkeyPatch) -> None:
    from engine.store import postgres

    patch.setattr(postgres, "LOCK", "SELECT 1")


def drop_row_locks(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(GenerativeSelect, "with_for_update", lambda self, **_: self)


def cancel_in_two_statements(patch: pytest.MonkeyPatch) -> None:
    def cancel_jobs(database, connection, jobs) -> int:
        first = JOBS.update().where(jobs, JOBS.c.state == "queued").values(state="cancelled", reason=CANCELLED)
        count = connection.execute(first).rowcount
        time.sleep(0.005)
        return count + connection.execute(JOBS.update().where(jobs, JOBS.c.state == "running").values(cancel=1)).rowcount

    patch.setattr(queue, "cancel_jobs", cancel_jobs)


def wait_before_writes(patch: pytest.MonkeyPatch) -> None:
    """Makes the moment between the look for a run and the write that belongs to it longer, so that a deletion falls into it."""
    from engine.store.postgres import PostgresDatabase

    upsert = PostgresDatabase.upsert

    def wait_and_write(*arguments) -> None:
        time.sleep(0.03)
        upsert(*arguments)

    patch.setattr(PostgresDatabase, "upsert", wait_and_write)


def claim_twice(store: Store, n: int) -> bool:
    """Whether one job went to two engines."""
    store.submit(SPEC.with_(seed=n))
    got = meet(lambda: store.claim("a"), lambda: store.claim("b"))
    return None not in got


def append_and_delete(store: Store, n: int) -> bool:
    """Whether events have no job."""
    job = running(store, n)
    meet(lambda: store.append(job.id, [Note(str(i)) for i in range(5)]), lambda: store.delete(job.id))
    return count_left(store, EVENTS) > 0


def put_and_delete(store: Store, n: int) -> bool:
    """Whether an artifact has no job."""
    job = running(store, n)
    meet(lambda: store.put_artifact(job.id, "a", b"1"), lambda: store.delete(job.id))
    return count_left(store, ARTIFACTS) > 0


def cancel_and_release(store: Store, n: int) -> bool:
    """Whether a wish to cancel is lost."""
    job = running(store, n)
    meet(lambda: store.cancel(job.id), lambda: store.release(job.id, attempt=job.attempt))
    with store.database.reading() as connection:
        row = connection.execute(sa.select(JOBS.c.state, JOBS.c.cancel).where(JOBS.c.id == job.id)).one()
    store.delete(job.id)
    return (row.state, row.cancel) == ("queued", 0)


def name_and_delete(store: Store, n: int) -> bool:
    """Whether a name has no run."""
    id = store.submit(SPEC.with_(seed=n)).id
    meet(lambda: store.bookmark(id, None, "mine", True), lambda: store.delete(id))
    return count_left(store, BOOKMARKS) > 0


def submit_twice(store: Store, n: int) -> bool:
    """Whether one of two who ask for the same is refused."""
    got = meet(*[lambda: store.submit(SPEC.with_(seed=n))] * 2)
    return any(isinstance(one, Exception) for one in got)


def send_too_many(store: Store, n: int) -> bool:
    """Whether an owner has more tables than they may."""
    owner = f"owner {n}"
    meet(*[lambda: store.add_upload(owner, "a.csv", b"a,b\n1,2\n")] * 11)
    with store.database.reading() as connection:
        return connection.execute(sa.select(sa.func.count()).where(UPLOADS.c.owner == owner)).scalar_one() > 8


RACES: dict[str, tuple[Callable[[Store, int], bool], list[Callable[[pytest.MonkeyPatch], None]]]] = {
    "claim against claim": (claim_twice, [drop_row_locks]),
    "append against delete": (append_and_delete, [drop_row_locks]),
    "artifact against delete": (put_and_delete, [drop_writers_lock, wait_before_writes]),
    "cancel against release": (cancel_and_release, [cancel_in_two_statements, drop_writers_lock]),
    "name against delete": (name_and_delete, [drop_writers_lock, wait_before_writes]),
    "submit against submit": (submit_twice, [drop_writers_lock]),
    "upload against upload": (send_too_many, [drop_writers_lock]),
}


@pytest.mark.parametrize("empty_url", ["postgres"], indirect=True)
@pytest.mark.parametrize("race", RACES)
def test_without_its_fix_a_race_does_harm(store, race, monkeypatch):
    play, fixes = RACES[race]
    for drop in fixes:
        drop(monkeypatch)
    assert any(play(store, n) for n in range(MOST)), race
