"""Notifications of a store on PostgreSQL: what tells, who hears it and how soon, and what becomes of a lost connection."""

from __future__ import annotations

import logging
import queue
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial

import pytest

from engine import service
from engine.events import Note
from engine.service import Engine
from engine.store import Store, listening
from engine.store.database import ENGINES_TOPIC, PREVIEWS_TOPIC
from engine.store.jobs import PREVIEW, PRIORITY_SWEEP
from engine.store.postgres import LISTENS
from tests.engine.test_postgres import on_postgres
from tests.engine.test_service import wait
from tests.engine.test_store import SPEC, info
from tests.engine.test_store_gone import Executor

psycopg = pytest.importorskip("psycopg")


class Waiting(Executor):
    """An executor that waits as a real one: until its time is over, or somebody wakes it."""

    idle = 2

    def __init__(self) -> None:
        super().__init__()
        self.woken, self.started, self.cancelled = queue.SimpleQueue(), [], []

    def poll(self, timeout: float) -> list:
        with suppress(queue.Empty):
            self.woken.get(timeout=timeout)
        return super().poll(timeout)

    def wake(self) -> None:
        self.woken.put(None)

    def start(self, work) -> bool:
        self.started.append(work.key)
        return True

    def cancel(self, key) -> None:
        self.cancelled.append(key)


@contextmanager
def running(store: Store) -> Iterator[Waiting]:
    """An engine's loop in a thread; its executor."""
    executor, stopping = Waiting(), threading.Event()
    engine = Engine(store, executor, 2)
    thread = threading.Thread(target=engine.work, args=(stopping,))
    thread.start()
    try:
        yield executor
    finally:
        stopping.set()
        executor.wake()
        thread.join()
        engine.stop()


@pytest.fixture
def heard(store: Store) -> dict[str, list[str]]:
    """What this process is told of the store, by topic."""
    found: dict[str, list[str]] = {ENGINES_TOPIC: [], PREVIEWS_TOPIC: []}
    for topic, said in found.items():
        store.database.subscribe(topic, said.append)
    wait(lambda: store.database.hears and all(found.values()))
    forget_heard(found)
    return found


def forget_heard(heard: dict[str, list[str]]) -> None:
    for said in heard.values():
        said.clear()


def list_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "notifications"]


def list_pids(postgres) -> list[int]:
    return [pid for (pid,) in postgres.run_sql(f"SELECT pid FROM pg_stat_activity WHERE application_name = '{LISTENS}'")]


def has_other_pid(postgres, pids: list[int]) -> bool:
    return bool(set(list_pids(postgres)) - set(pids))


def has_started(executor: Waiting, count: int) -> bool:
    return len(executor.started) == count


def claim_new(store: Store, **options):
    store.submit(SPEC, **options)
    return store.claim("e")


def ask_for_preview(store: Store) -> str:
    id = store.submit_preview("me", "tab", 1, SPEC)
    assert id is not None
    return id


def claim_preview(store: Store):
    ask_for_preview(store)
    return store.claim("e", kinds=(PREVIEW,))


def lose_engine(store: Store) -> None:
    store.interrupt_orphans(stale_after=-1)


VERBS = {
    "submit": (lambda store: None, lambda store, _: store.submit(SPEC)),
    "submit again": (lambda store: store.cancel(store.submit(SPEC).id), lambda store, _: store.submit(SPEC)),
    "submit_missing": (lambda store: None, lambda store, _: store.submit_missing([(SPEC, ""), (SPEC.with_(seed=1), "")])),
    "submit_compare": (
        lambda store: None,
        lambda store, _: store.submit_compare("me", {"source": {"dataset": "moons"}, "target": None}),
    ),
    "submit_profile": (
        lambda store: store.add_upload("me", "a.csv", b"a,b\n1,2\n"),
        lambda store, id: store.submit_profile("me", id),
    ),
    "submit_preview": (lambda store: None, lambda store, _: ask_for_preview(store)),
    "leave_preview": (claim_preview, lambda store, job: store.leave_preview(job.id)),
    "cancel a queued one": (lambda store: store.submit(SPEC), lambda store, job: store.cancel(job.id)),
    "cancel a running one": (claim_new, lambda store, job: store.cancel(job.id)),
    "cancel_all": (lambda store: claim_new(store, priority=PRIORITY_SWEEP), lambda store, job: store.cancel_all([job.id])),
    "delete": (claim_new, lambda store, job: store.delete(job.id)),
    "requeue": (claim_new, lambda store, job: store.requeue(job.id, attempt=1)),
    "interrupt_orphans": (claim_new, lambda store, _: lose_engine(store)),
    "forget": (lambda store: store.add_upload("me", "a.csv", b"a,b\n1,2\n"), lambda store, id: store.forget("me", id)),
}


@on_postgres
@pytest.mark.parametrize("name", VERBS)
def test_what_gives_engines_something_to_do_tells_them_once(store, heard, name):
    before, verb = VERBS[name]
    value = before(store)
    wait_for_all(store)
    forget_heard(heard)
    verb(store, value)
    wait_for_all(store)
    assert heard == {ENGINES_TOPIC: [""], PREVIEWS_TOPIC: []}


def wait_for_all(store: Store) -> None:
    """Until all that was announced before this has arrived: one connection hears it in order."""
    arrived, word = threading.Event(), uuid.uuid4().hex
    stop = store.database.subscribe("marker", lambda about: about == word and arrived.set())
    end = time.monotonic() + 15
    while not arrived.is_set():
        with store.database.writing() as connection:
            store.database.announce(connection, "marker", word)
        assert arrived.wait(0.5) or time.monotonic() < end
    stop()


@on_postgres
def test_readers_of_a_preview_are_told_of_it_and_no_append_of_a_run_tells(store, heard):
    preview, run = claim_preview(store), claim_new(store)
    wait_for_all(store)
    forget_heard(heard)
    store.append(run.id, [Note("a")])
    store.touch("me")
    store.record_heartbeat(info("e"))
    store.finish(run.id, "failed", "no")
    wait_for_all(store)
    assert heard == {ENGINES_TOPIC: [], PREVIEWS_TOPIC: []}
    store.append(preview.id, [Note("a"), Note("b")])
    store.end_preview(preview.id, "done", "", "{}", attempt=1)
    wait_for_all(store)
    assert heard == {ENGINES_TOPIC: [], PREVIEWS_TOPIC: [preview.id, preview.id]}


@on_postgres
def test_what_is_rolled_back_or_in_another_schema_tells_nobody(store, heard, postgres):
    class Stop(Exception): ...

    with pytest.raises(Stop), store.database.writing() as connection:
        store.database.announce(connection, ENGINES_TOPIC)
        raise Stop
    other = Store(postgres.make_schema("beside_it"))
    other.submit(SPEC)
    other.close()
    postgres.run_sql("DROP SCHEMA beside_it CASCADE", "lab")
    store.cancel("unknown")
    wait_for_all(store)
    assert heard[ENGINES_TOPIC] == []
    store.submit(SPEC)
    wait_for_all(store)
    assert heard[ENGINES_TOPIC] == [""]


@on_postgres
def test_a_queued_run_and_a_cancel_wake_the_engine(store, monkeypatch):
    monkeypatch.setattr(service, "TICK", 60.0)
    monkeypatch.setattr(service, "LONG_TICK", 60.0)
    with running(store) as executor:
        wait(lambda: store.database.hears)
        job = store.submit(SPEC)
        wait(lambda: executor.started == [(job.id, 1)], 20)
        store.cancel(job.id)
        wait(lambda: (job.id, 1) in executor.cancelled, 20)
        store.delete(job.id)
        wait(lambda: executor.dropped == [(job.id, 1)], 20)


@on_postgres
def test_an_idle_engine_looks_less_often_while_it_hears(store, monkeypatch):
    engine = Engine(store, Waiting(), 2)
    assert engine._tick == service.TICK or store.database.hears
    wait(lambda: store.database.hears)
    engine._turned = time.monotonic() + 60
    assert engine._tick == service.LONG_TICK > service.TICK
    engine._hear("")
    engine._turned = time.monotonic()
    assert engine._tick == service.TICK, "others may hold what is queued"
    engine._turned += 60
    monkeypatch.setattr(listening, "SILENT", -1.0)
    assert engine._tick == service.TICK, "nothing is heard"
    engine.stop()


@on_postgres
def test_a_lost_connection_is_made_anew_and_nobody_is_hurt(store, postgres, caplog):
    with running(store) as executor:
        wait(lambda: store.database.hears)
        for count in (1, 2, 3):
            pids = list_pids(postgres)
            postgres.run_sql(f"SELECT pg_terminate_backend({pids[0]})")
            store.submit(SPEC.with_(seed=count))  # at once, so that nothing may tell of it
            wait(partial(has_other_pid, postgres, pids), 30)
            wait(partial(has_started, executor, count), 20)
        wait(lambda: store.database.hears)
    assert [r.message for r in caplog.records if "sends no notifications" in r.message]
    assert not [r for r in caplog.records if r.levelno >= logging.ERROR]


@on_postgres
def test_one_thread_hears_for_all_and_ends_with_the_store(store, postgres):
    assert not list_threads() and not store.database.hears
    said: list[str] = []
    stops = [store.database.subscribe(ENGINES_TOPIC, said.append) for _ in range(3)]
    wait(lambda: store.database.hears and len(said) == 3)
    assert len(list_threads()) == len(list_pids(postgres)) == 1
    stops[0]()
    store.submit(SPEC)
    wait(lambda: len(said) == 5)
    store.close()
    assert not list_threads() and not store.database.hears
    wait(lambda: not list_pids(postgres))
    store.database.subscribe(ENGINES_TOPIC, said.append)
    wait(lambda: store.database.hears and len(said) == 6)
    store.close()
    assert not list_threads()


@on_postgres
def test_one_that_fails_keeps_no_other_from_hearing(store, caplog):
    said: list[str] = []
    store.database.subscribe(ENGINES_TOPIC, lambda _: [][0])
    store.database.subscribe(ENGINES_TOPIC, said.append)
    wait(lambda: said == [""])
    store.submit(SPEC)
    wait(lambda: said == ["", ""])
    assert "IndexError" in caplog.text


def test_sqlite_has_no_thread(store):
    engine = Engine(store, Waiting(), 2)
    assert not list_threads() and not store.database.hears and engine._tick == service.TICK
    store.submit(SPEC)
    assert engine.executor.woken.empty()
    engine.stop()


def test_a_server_that_is_gone_is_tried_again_with_pauses_and_said_once(monkeypatch, caplog):
    monkeypatch.setattr(listening, "PAUSES", (0.0, 0.01))
    tried: list[float] = []

    def connect():
        tried.append(time.monotonic())
        raise psycopg.OperationalError("secret")

    one = listening.Listener(connect, "here")
    one.subscribe("a", lambda _: None)
    wait(lambda: len(tried) > 5)
    assert not one.is_alive
    monkeypatch.setattr(listening, "PAUSES", (60.0,))
    one.close()
    assert not list_threads()
    assert caplog.text.count("sends no notifications") == 1 and "secret" not in caplog.text


class Deaf:
    """A connection that takes every statement and brings no notification, as through a pooler."""

    closed = 0

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        Deaf.closed += 1

    def execute(self, statement: str) -> None:
        assert statement.split()[0] in ("LISTEN", "NOTIFY")

    def notifies(self, *, timeout: float, stop_after: int) -> list:
        time.sleep(timeout)
        return []


def test_a_connection_that_brings_nothing_does_not_count(monkeypatch):
    for name, value in {"WAIT": 0.01, "PING": 0.05, "SILENT": 0.1, "PAUSES": (0.0,)}.items():
        monkeypatch.setattr(listening, name, value)
    one, alive = listening.Listener(Deaf, "here"), []
    one.subscribe("a", lambda _: alive.append(one.is_alive))
    wait(lambda: Deaf.closed > 2)
    one.close()
    assert alive and not any(alive)
