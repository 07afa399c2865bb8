"""A store that is full, locked, deleted or replaced while engines and pages use it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from engine.commands.main import main
from engine.errors import BadStore, StoreFull, StoreLocked, StoreReplaced
from engine.events import Note, Progress, encode
from engine.executors import CatalogReceived, Room, WorkerEvents, WorkFinished
from engine.service import NO_ROOM, REPLACED, Engine
from engine.spec import RunSpec
from engine.store import Store
from tests.engine.test_store import finished

SPEC = RunSpec(dataset="moons", method="ce")


class Executor:
    """An executor whose workers are the test: it reports what the test puts into `news`."""

    ready, pids, trouble, lost, idle = 2, [], "", "", 0
    touched: set[str] = set()
    troubles: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.news, self.dropped = [], []

    @property
    def rooms(self) -> tuple[Room, ...]:
        return (Room(2, self.idle),)

    def poll(self, timeout: float) -> list:
        news, self.news = self.news, []
        return news

    can_preview = previews = False

    def start(self, work) -> bool:
        return True

    def drop(self, key) -> None:
        self.dropped.append(key)

    def list_phases(self, *, idle: bool) -> set[str]:
        return set()

    def cancel(self, key) -> None: ...

    def wake(self) -> None: ...

    def stop(self) -> None: ...


class Turns:
    """Stands for the event that stops the engine: lets the loop turn so often."""

    def __init__(self, count: int) -> None:
        self.count = count

    def is_set(self) -> bool:
        self.count -= 1
        return self.count < 0


@pytest.fixture
def engine(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """An engine in this process that runs the jobs which `take` claims."""
    monkeypatch.setattr("engine.service.BEAT", 3600.0)  # no second thread writes meanwhile
    engine = Engine(store, Executor(), 4)
    yield engine
    engine._end.set()


def take(engine: Engine, count: int) -> list[tuple[str, int]]:
    """Keys of so many jobs that the engine now runs."""
    for seed in range(count):
        engine.store.submit(SPEC.with_(seed=seed))
    engine.executor.idle = count
    engine.work(Turns(1))
    engine.executor.idle = 0
    assert len(engine._running) == count
    return list(engine._running)


def events(*texts: str) -> list:
    return [encode(Note(text)) for text in texts]


def limit_pages(store: Store, more: int) -> None:
    """Let the file grow by so many pages of 4 KiB alone, as on a disk that is nearly full."""

    def configure(connection, _) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={pages + more}")

    store.close()
    sa.event.listen(store.database.sql_engine, "connect", configure)


def test_what_does_not_fit_fails_its_own_job_and_names_the_disk(engine):
    (first, second, third, fourth), store = take(engine, 4), engine.store
    limit_pages(store, 6)
    big = ("{}", os.urandom(200_000))
    engine.executor.news = [
        WorkerEvents(first, events("small")),
        WorkFinished(second, "done", result=big),
        WorkerEvents(third, [("note", '{"text": "x"}', os.urandom(200_000))]),
        WorkerEvents(first, events("small too")),
        WorkFinished(fourth, "done", result=("{}", b"")),
    ]
    engine.work(Turns(1))
    assert not engine._pending
    for key in (second, third):
        job = store.job(key[0])
        assert job.state == "failed" and job.reason.startswith(NO_ROOM.split("{")[0])
        assert "the disk that holds the store" in job.reason and store.database.place in job.reason
    assert engine.executor.dropped == [third], "its worker is stopped, the other had ended"
    assert [event.text for _, event in store.events(first[0])] == ["small", "small too"]
    assert store.job(first[0]).state == "running" and store.job(fourth[0]).state == "done"


def test_a_disk_without_any_room_keeps_everything_until_there_is_some(engine, monkeypatch):
    (first, second), store = take(engine, 2), engine.store
    monkeypatch.setattr("engine.service.PATIENCE", -1.0)
    monkeypatch.setattr("engine.service.time.sleep", lambda seconds: None)

    def refuse(connection, cursor, statement, *_):
        if statement.startswith(("UPDATE", "INSERT")):
            raise sqlite3.OperationalError("database or disk is full")

    sa.event.listen(store.database.sql_engine, "before_cursor_execute", refuse)
    for number in range(50):
        engine.executor.news += [WorkerEvents(key, events(f"{number}")) for key in (first, second)]
    engine.executor.news.append(WorkFinished(first, "done", result=("{}", b"")))
    engine.work(Turns(5))
    assert len(engine._pending) == 101
    sa.event.remove(store.database.sql_engine, "before_cursor_execute", refuse)
    engine.work(Turns(1))
    for key in (first, second):
        assert [event.text for _, event in store.events(key[0])] == [str(number) for number in range(50)]
    assert store.job(first[0]).state == "done" and not engine._pending


def test_queued_messages_go_in_few_transactions(engine):
    keys, store = take(engine, 3), engine.store
    transactions = []
    sa.event.listen(store.database.sql_engine, "commit", lambda connection: transactions.append(1))
    for number in range(300):
        engine.executor.news += [WorkerEvents(key, [encode(Progress(number, 300))]) for key in keys]
    engine.work(Turns(1))
    written = len(transactions)
    transactions.clear()
    engine.work(Turns(1))
    assert written - len(transactions) <= 4, "900 messages"
    assert all(len(store.events(key[0])) == 300 for key in keys)


def test_a_locked_store_is_served_within_two_seconds_of_its_end(engine, tmp_path, monkeypatch):
    keys, store = take(engine, 2), engine.store
    monkeypatch.setattr("engine.store.sqlite.BUSY_MS", 200)
    with sqlite3.connect(tmp_path / "lab.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with store.database._driver() as driver:
            driver.execute("PRAGMA busy_timeout=200")
        with pytest.raises(StoreLocked, match="held by another program"):
            store.submit(SPEC.with_(seed=99))
        engine.executor.news = [WorkerEvents(key, events(str(n))) for n in range(200) for key in keys]
        engine.work(Turns(2))
        assert len(engine._pending) == 400 and engine.executor.dropped == []
        other.execute("COMMIT")
    other.close()
    began = time.monotonic()
    late = store.submit(SPEC.with_(seed=99))
    engine.executor.idle = 1
    engine.work(Turns(1))
    assert store.job(late.id).state == "running" and time.monotonic() - began < 2
    assert all(len(store.events(key[0])) == 200 for key in keys)
    assert store.interrupt_orphans() == [], "the engine's heartbeat is there again"


@pytest.mark.parametrize("how", ["deleted", "with its log", "replaced", "put back"])
def test_an_engine_ends_what_runs_and_goes_on_with_the_file_that_is_there(engine, tmp_path, how, caplog):
    store, path = engine.store, tmp_path / "lab.db"
    engine.executor.news = [CatalogReceived({"device": "cpu", "devices": ["cpu"], "methods": []})]
    keys = take(engine, 2)
    store.database.empty_log()
    shutil.copyfile(path, tmp_path / "copy.db")  # both run in it
    store.append(keys[0][0], [Note("x" * 50_000)])  # and this is in the log alone
    if how == "deleted":
        path.unlink()
    elif how == "with its log":
        for file in tmp_path.glob("lab.db*"):
            file.unlink()
    elif how == "replaced":
        other = Store(f"sqlite:///{tmp_path / 'other.db'}")
        done = finished(other)
        other.database.empty_log()
        other.close()
        (tmp_path / "other.db").replace(path)
    else:
        (tmp_path / "copy.db").replace(path)
    engine.executor.news = [WorkerEvents(keys[0], events("too late"))]
    engine.work(Turns(3))
    assert sorted(engine.executor.dropped) == sorted(keys) and not engine._running
    assert "was deleted or replaced" in caplog.text and str(path) in caplog.text
    here = Store(store.url)
    assert [one.id for one in here.engines()] == [engine.id] and here.catalog() is not None
    states = {job.id: (job.state, job.reason) for job in here.jobs(states=None)}
    if how == "put back":
        assert set(states.values()) == {("interrupted", REPLACED)} and set(states) == {key[0] for key in keys}
        assert here.events(keys[0][0]) == [], "the log of the file that is gone is not put into this one"
    else:
        assert set(states) == ({done.id} if how == "replaced" else set())
    assert raw_check(path)
    take(engine, 2)
    here.close()


def raw_check(path: Path) -> bool:
    with sqlite3.connect(path) as raw:
        fine = raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    raw.close()
    return fine


def test_every_handle_notices_once_and_goes_on(store, tmp_path):
    done = finished(store)
    second = Store(store.url)
    assert (store.generation, store.replaced) == (0, None)
    (tmp_path / "lab.db").unlink()
    for handle in (store, second):
        with pytest.raises(StoreReplaced, match="was deleted or replaced while it was in use"):
            handle.submit(SPEC)
        assert handle.generation == 1 and time.time() - handle.replaced < 60
        assert handle.submit(SPEC).state == "queued"
    assert [job.id for job in second.jobs()] == [job.id for job in store.jobs()] != [done.id]
    (tmp_path / "lab.db").write_bytes(b"nonsense" * 1000)
    (tmp_path / "new.db").write_bytes(b"nonsense" * 1000)
    (tmp_path / "new.db").replace(tmp_path / "lab.db")
    for _ in range(2):
        with pytest.raises(Exception, match="is damaged"):
            store.jobs()
    second.close()


def test_a_full_store_says_so(store):
    limit_pages(store, 0)
    job = store.submit(SPEC)
    with pytest.raises(StoreFull, match="is full; make room"):
        store.put_artifact(job.id, "big", os.urandom(100_000))


ODD = [
    *("", " ", "lab.db", "/tmp", "-", "sqlite", "sqlite:", "sqlite:/", "sqlite://", "sqlite:///", "sqlite:////", "sqlite:///."),
    *("sqlite:///:memory:", "sqlite:///file:x?mode=memory&uri=true", "sqlite:///x.db?mode=ro", "sqlite://host/x.db"),
    *("sqlite://me:secret@host:1/x.db", "sqlite:////dev/null", "sqlite:////dev/zero", "sqlite:////proc/self/mem"),
    *(
        "sqlite:////no/such/folder/lab.db",
        "sqlite:///a\x00b",
        "sqlite:///a\nb",
        "sqlite:///\udcff\ud800",
        "sqlite:///" + "x" * 5000,
    ),
    *(
        "sqlite+aiosqlite:///x.db",
        "sqlite+nothing:///x.db",
        "postgresql://me:secret@host/db",
        "mysql+x://h/d",
        "http://[::1",
        "a://me:secret@b:c/d",
        "a://b:c/d",
    ),
    *("://", "sqlite:///\u202egnp.db", "x" * 10**5, "sqlite://[::1/x", "sqlite:////etc/passwd/lab.db"),
]


def test_a_store_in_any_odd_form_is_a_sentence(capsys, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for form in [*ODD, f"sqlite:///{tmp_path / 'pipe'}", f"sqlite:///{tmp_path}"]:
        assert main(["embed", "0123456789abcdef", f"--store={form}"]) == 2, form
        said = capsys.readouterr()
        sentence = said.err.rstrip("\n")
        assert said.out == "" and "\n" not in sentence and len(sentence) < 400 and "secret" not in sentence, form
        with pytest.raises(BadStore):
            Store(form)


def test_a_file_that_is_no_store_is_refused_alike(tmp_path, capsys):
    (tmp_path / "text.db").write_text("no database " * 100)
    with sqlite3.connect(tmp_path / "other.db") as raw:
        raw.execute("CREATE TABLE recipes (id)")
    raw.close()
    for name in ("text.db", "other.db"):
        assert main(["embed", "0123456789abcdef", "--store", f"sqlite:///{tmp_path / name}"]) == 2
        assert capsys.readouterr().err.count("\n") == 1
