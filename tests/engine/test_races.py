"""Pairs of verbs at the same moment, on both databases: what one takes, ends or deletes the other neither doubles, loses nor leaves.

Each test meets in many rounds. The races are those of READ COMMITTED: PostgreSQL has them, and SQLite, which has one writer, has none.
"""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from engine.errors import BadInput, StoreError, UnknownName
from engine.events import Note, encode
from engine.service import Engine
from engine.store import Store
from engine.store.schema import ARTIFACTS, BOOKMARKS, ENGINES, EVENTS, JOBS, OWNERS, UPLOADS
from tests.engine.test_store import SPEC, info, result_of

pytestmark = pytest.mark.both_databases
ROUNDS = 8


@pytest.fixture
def rounds(empty_url: str) -> int:
    """Few on SQLite, where no race is."""
    return ROUNDS if empty_url.startswith("sqlite") else 3 * ROUNDS


def meet(*calls: Callable[[], object]) -> list[object]:
    """What calls return, or the errors that they raise, begun at the same moment in threads of their own."""
    barrier, out = threading.Barrier(len(calls)), [None] * len(calls)

    def run(n: int) -> None:
        barrier.wait()
        try:
            out[n] = calls[n]()
        except Exception as error:
            out[n] = error

    threads = [threading.Thread(target=run, args=(n,)) for n in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return out


def running(store: Store, seed: int):
    store.submit(SPEC.with_(seed=seed))
    job = store.claim("e")
    assert job is not None
    return job


def count_left(store: Store, table: sa.Table, column: str = "job") -> int:
    """Rows of a table that belong to no job."""
    with store.database.reading() as connection:
        query = sa.select(sa.func.count()).select_from(table).where(table.c[column].not_in(sa.select(JOBS.c.id)))
        return connection.execute(query).scalar_one()


def test_no_job_goes_to_two_engines(store, rounds):
    ids = [store.submit(SPEC.with_(seed=n)).id for n in range(2 * rounds)]
    taken: list[str] = []
    while len(taken) < len(ids):
        for choose in (None, lambda jobs: jobs[-1]):
            got = meet(*(lambda e=e, c=choose: store.claim(e, choose=c) for e in ("a", "b")))
            taken += [job.id for job in got if job is not None]
    assert Counter(taken) == Counter(ids)


def test_nothing_that_is_added_outlives_its_deleted_job(store, rounds):
    for n in range(rounds):
        job = running(store, n)
        words = [Note(str(i)) for i in range(5)]
        gone: Callable[[], object] = (
            (lambda j=job: store.delete(j.id)) if n % 2 else (lambda j=job: store.delete_many([j.id], None))
        )
        meet(lambda j=job, w=words: store.append(j.id, w), gone, lambda j=job: store.put_artifact(j.id, "a", b"1"))
    assert count_left(store, EVENTS) == count_left(store, ARTIFACTS) == 0


def test_nothing_that_is_added_outlives_a_forgotten_table(store, rounds):
    for n in range(rounds // 4):
        upload = store.add_upload("me", "a.csv", b"a,b\n1,2\n")
        private = SPEC.with_(dataset=f"upload/{upload}", data={"target": "b"}, seed=n)
        store.submit(private, owner="me")
        job = store.claim("e")
        meet(
            lambda j=job: store.append(j.id, [Note("canary")] * 5),
            lambda u=upload: store.forget("me", u),
            lambda p=private: store.submit(p.with_(seed=1000), owner="me"),
            lambda j=job: store.save_result(j.id, result_of(j), {"a": b"1"}),
        )
    assert count_left(store, EVENTS) == count_left(store, ARTIFACTS) == 0
    with store.database.reading() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(JOBS)).scalar() == 0


@pytest.mark.parametrize("back", ["release", "requeue"])
def test_no_wish_to_cancel_is_lost(store, rounds, back):
    states = Counter()
    for n in range(rounds):
        job = running(store, n)
        again = {"release": store.release, "requeue": store.requeue}[back]
        cancel = (lambda j=job: store.cancel(j.id)) if n % 2 else (lambda j=job: store.cancel_all([j.id], urgent=0))
        meet(cancel, lambda j=job, a=again: a(j.id, attempt=j.attempt))
        with store.database.reading() as connection:
            row = connection.execute(sa.select(JOBS.c.state, JOBS.c.cancel).where(JOBS.c.id == job.id)).one()
        states[
            "cancelled" if row.state == "cancelled" else "asked" if (row.state, row.cancel) == ("running", 1) else "lost"
        ] += 1
    assert states["lost"] == 0 and (back == "requeue" or states["cancelled"] == rounds)


def test_no_name_outlives_its_run(store, rounds):
    for n in range(rounds):
        id = store.submit(SPEC.with_(seed=n)).id
        meet(lambda i=id: store.bookmark(i, None, "mine", True), lambda i=id: store.delete(i))
    assert count_left(store, BOOKMARKS) == 0


def test_the_same_run_asked_for_twice_at_once_is_one_job(store, rounds):
    for n in range(rounds):
        got = meet(*[lambda n=n: store.submit(SPEC.with_(seed=n))] * 2)
        assert got[0] == got[1], got


def test_tables_that_arrive_at_once_keep_to_the_number_of_tables(store):
    got = meet(*[lambda: store.add_upload("me", "a.csv", b"a,b\n1,2\n")] * 11)
    assert sum(isinstance(one, str) for one in got) == 8 and sum(isinstance(one, BadInput) for one in got) == 3
    with store.database.reading() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(UPLOADS)).scalar() == 8


def test_a_sign_of_life_or_the_end_but_not_both(store, rounds):
    for _ in range(rounds // 2):
        store.add_upload("me", "a.csv", b"a,b\n1,2\n")
        with store.database.writing() as connection:
            connection.execute(OWNERS.update().values(seen=OWNERS.c.seen - 7200))
        meet(lambda: store.touch("me"), lambda: store.expire())
        with store.database.reading() as connection:
            owners = connection.execute(sa.select(sa.func.count()).select_from(OWNERS)).scalar()
            tables = connection.execute(sa.select(sa.func.count()).select_from(UPLOADS)).scalar()
        assert owners or not tables, "a table whose owner nobody would find silent"
        store.forget("me")


def test_deleting_and_adding_in_opposite_orders_ends(store, rounds):
    for _ in range(rounds // 4):
        jobs = [running(store, n) for n in range(6)]
        ids = [job.id for job in jobs]
        batches = [(job.id, job.attempt, [Note("a")], None) for job in jobs]
        got = meet(
            lambda b=batches: store.append_all(b),
            lambda b=batches: store.append_all(b[::-1]),
            lambda i=ids: store.cancel_all(i, urgent=0),
            lambda i=ids[::-1]: store.delete_many(i, None),
            lambda: store.submit_missing([(SPEC.with_(seed=n), "") for n in range(5, -1, -1)]),
        )
        assert not [one for one in got if isinstance(one, Exception) and not isinstance(one, UnknownName)], got
        for id in ids:
            store.delete(id)
    assert count_left(store, EVENTS) == 0


def test_no_run_is_interrupted_beside_a_fresh_heartbeat(store, rounds):
    for n in range(rounds // 2):
        store.record_heartbeat(info("e", heartbeat=time.time() - 100))
        job = running(store, n)
        _, ended = meet(lambda: store.record_heartbeat(info("e")), lambda: store.interrupt_orphans())
        taken = "interrupted" if store.database.on_this_machine else "queued"
        assert store.job(job.id).state == (taken if ended else "running")
        store.delete(job.id)
    with store.database.reading() as connection:
        assert connection.execute(sa.select(ENGINES.c.id)).scalars().all() == ["e"]


# ---- answers that are lost


def test_events_repeated_after_a_lost_answer_come_once(store):
    job = running(store, 0)
    assert store.append(job.id, [Note("1"), Note("2")], attempt=1, first=1)
    assert store.append(job.id, [Note("1"), Note("2")], attempt=1, first=1), "the answer was lost"
    assert store.append(job.id, [Note("1"), Note("2"), Note("3")], attempt=1, first=1), "and more came meanwhile"
    assert store.append(job.id, [Note("4")], attempt=1, first=4)
    assert not store.append(job.id, [Note("6")], attempt=1, first=6), "one is missing"
    assert not store.append(job.id, [Note("5")], attempt=2, first=5)
    assert [(n, event.text) for n, event in store.events(job.id)] == [(n, str(n)) for n in range(1, 5)]


def lose_answers(store: Store) -> list[bool]:
    """Each commit takes the first of this list, is done, and where it took True its connection is lost before the answer."""
    lose: list[bool] = []

    def commit(connection) -> None:
        connection.connection.driver_connection.commit()
        if lose and lose.pop(0):
            raise sa.exc.OperationalError("COMMIT", {}, ConnectionError("lost"), connection_invalidated=True)

    sa.event.listen(store.database.sql_engine, "commit", commit)
    return lose


def test_a_commit_whose_answer_is_lost_is_told_by_an_error_and_done_once(store):
    """The connection goes between the commit and its answer."""
    job, lose = running(store, 0), lose_answers(store)
    said = 0
    for n in range(20):
        batch = [encode(Note(str(n * 3 + i))) for i in range(3)]
        if n % 3 == 0:
            lose.append(True)
        for _ in range(2):
            try:
                assert store.append(job.id, batch, attempt=1, first=said + 1)
                break
            except StoreError:
                continue
        said += len(batch)
    assert [event.text for _, event in store.events(job.id)] == [str(n) for n in range(60)]


def test_a_result_whose_answer_was_lost_is_kept_once_and_owned_to(store):
    job, lose = running(store, 0), lose_answers(store)
    lose.append(True)
    with pytest.raises(StoreError):
        store.save_result(job.id, result_of(job), {"a": b"first"}, attempt=1)
    assert store.save_result(job.id, result_of(job), {"a": b"second"}, attempt=1)
    assert store.job(job.id).state == "done" and store.artifact(job.id, "a") == b"first"
    assert not store.save_result(job.id, result_of(job), attempt=2) and not store.save_result(job.id, result_of(job))


def test_a_claim_whose_answer_was_lost_is_given_back(store):
    """By what the engine's loop does after an error."""
    id, lose = store.submit(SPEC).id, lose_answers(store)
    lose += [False, True]  # the first is of the look whether there is anything
    with pytest.raises(StoreError):
        store.claim("e")
    engine = SimpleNamespace(store=store, id="e", _is_unsure=True, _running={})
    Engine._release_unknown(engine)
    again = store.claim("e")
    assert (again.id, again.attempt) == (id, 1) and store.claim("e") is None


@pytest.mark.parametrize("lost", [False, True])
def test_a_job_queued_anew_whose_answer_was_lost_is_queued_once(store, lost):
    job, lose = running(store, 0), lose_answers(store)
    store.append(job.id, [Note("1")], attempt=1)
    lose.append(True)
    with pytest.raises(StoreError):
        store.requeue(job.id, attempt=1, lost=lost)
    assert not store.requeue(job.id, attempt=1, lost=lost) and not store.finish(job.id, "failed", "lost", attempt=1)
    assert (store.job(job.id).state, store.job(job.id).attempt) == ("queued", 2) and store.events(job.id) == []
    with store.database.reading() as connection:
        assert connection.execute(sa.select(JOBS.c.lost)).scalar() == int(lost)


@pytest.mark.long
@pytest.mark.timeout(180)
@pytest.mark.sqlite
@pytest.mark.parametrize("empty_url", ["postgres"], indirect=True)
def test_a_restart_of_the_server_loses_nothing_and_doubles_nothing(store, postgres):
    told = running(store, 0)
    jobs = store.submit_missing([(SPEC.with_(seed=n), "") for n in range(1, 3000)])
    end, refused, taken, said = threading.Event(), Counter(), [], 0

    def say() -> None:
        nonlocal said
        while not end.is_set():
            try:
                assert store.append(told.id, [Note(str(said)), Note(str(said + 1))], attempt=1, first=said + 1)
                said += 2
            except StoreError:
                refused["append"] += 1

    def take() -> None:
        job = None
        engine = SimpleNamespace(store=store, id="other", _is_unsure=False, _running={})
        while not end.is_set() or job is not None:
            try:
                Engine._release_unknown(engine)
                job = job or store.claim("other")
                engine._running = {} if job is None else {(job.id, job.attempt): job}
                if job is not None:
                    assert store.save_result(job.id, ("{}", b""), {"a": b"1"}, attempt=job.attempt)
                    taken.append(job.id)
                    job = None
            except StoreError:
                engine._is_unsure = True
                refused["take"] += 1

    threads = [threading.Thread(target=work) for work in (say, take)]
    for thread in threads:
        thread.start()
    for _ in range(2):
        time.sleep(0.5)
        postgres.restart()
    time.sleep(0.5)
    end.set()
    for thread in threads:
        thread.join()
    assert refused["append"] and refused["take"], "nobody noticed"
    assert [(n, event.text) for n, event in store.events(told.id)] == [(n + 1, str(n)) for n in range(said)]
    with store.database.reading() as connection:
        states = {row.id: row.state for row in connection.execute(sa.select(JOBS.c.id, JOBS.c.state))}
    assert max(Counter(taken).values()) == 1 and {id for id, state in states.items() if state == "done"} == set(taken)
    assert Counter(states.values()) == {"running": 1, "done": len(taken), "queued": len(jobs) - len(taken)}


def take_all(url: str, name: str, results) -> None:
    store, mine, empty = Store(url), [], 0
    while empty < 20:
        job = store.claim(name)
        if job is None:
            empty += 1
            time.sleep(0.05)
        else:
            empty = 0
            mine.append(job.id)
    results.put((name, mine))
    store.close()


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.sqlite
@pytest.mark.parametrize("empty_url", ["postgres"], indirect=True)
def test_four_engines_take_two_thousand_jobs_once_each(store):
    jobs = store.submit_missing([(SPEC.with_(seed=n), "") for n in range(2000)])
    store.close()
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    processes = [context.Process(target=take_all, args=(store.url, f"e{n}", results)) for n in range(4)]
    for process in processes:
        process.start()
    taken = dict(results.get(timeout=240) for _ in processes)
    for process in processes:
        process.join()
    assert Counter(id for ids in taken.values() for id in ids) == Counter(job.id for job in jobs)
    assert min(len(ids) for ids in taken.values()) > 0
