"""An error at the n-th statement of every verb of the store, for every n, as SQLite tests itself.

A store is copied, its n-th statement (or commit) fails as a full disk, a lock that stays or a lost connection makes it fail, and the
verb must answer with a sentence that names the cause. Afterwards the file must hold what one of the verb's own transactions left,
nothing between two of them; the store opens, and the verb asked again does all of its work.
"""

from __future__ import annotations

import inspect
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.errors import StoreError
from engine.spec.embedding import FEATURES, EmbedSpec
from engine.spec.run import upload_id
from engine.store import Store, arrival
from engine.store.abilities import Abilities
from engine.store.engines import EngineInfo
from engine.store.people import name_person
from tests.engine import test_store as plain
from tests.engine.test_embed import features

MEMORY = Path("/dev/shm")
NOW = 1_800_000_000.0
QUEUED, DONE, RUNNING = (plain.SPEC.with_(seed=seed) for seed in (1, 2, 3))
COMPARE = {"source": {"dataset": "moons"}, "target": None}
CSV = b"age,ill\n" + b"61,no\n" * 400
CAUSES = {
    "full": (sqlite3.OperationalError("database or disk is full"), "is full"),
    "locked": (sqlite3.OperationalError("database is locked"), "held by another program"),
    "lost": (None, "connection to the store"),
}
"""name -> (what SQLite raises, what the sentence says); a lost connection is closed and raises by itself."""
ADMIN = f"oidc:{'a' * 64}"
LASTING = "locked"
"""The cause that stays until the verb is over; the others strike once."""


class Faults:
    """Counts statements, and lets one fail."""

    def __init__(self) -> None:
        self.arm(0, "full")
        self.committed: Callable[[], None] | None = None

    def arm(self, number: int, cause: str) -> None:
        """Let the number-th statement from now fail, 0 for none."""
        self.number, self.cause, self.count, self.struck = number, cause, 0, False

    def tick(self, connection: sqlite3.Connection) -> None:
        self.count += 1
        if not self.number or self.count < self.number or (self.struck and self.cause != LASTING):
            return
        self.struck = True
        error = CAUSES[self.cause][0]
        if error is None:
            sqlite3.Connection.close(connection)
        else:
            raise type(error)(*error.args)


FAULTS = Faults()


class Cursor(sqlite3.Cursor):
    def execute(self, *arguments: Any) -> Any:
        FAULTS.tick(self.connection)
        return super().execute(*arguments)

    def executemany(self, *arguments: Any) -> Any:
        FAULTS.tick(self.connection)
        return super().executemany(*arguments)


class Connection(sqlite3.Connection):
    def cursor(self, factory: type[sqlite3.Cursor] = Cursor) -> Any:
        return super().cursor(factory)

    def execute(self, *arguments: Any) -> Any:
        return self.cursor().execute(*arguments)

    def commit(self) -> None:
        FAULTS.tick(self)
        super().commit()
        if FAULTS.committed is not None:
            FAULTS.committed()


@pytest.fixture(autouse=True)
def faulty(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Connections that can fail, a clock that stands still and tokens that repeat."""
    connect = sqlite3.dbapi2.connect
    monkeypatch.setattr(sqlite3.dbapi2, "connect", lambda *a, **k: connect(*a, **{"factory": Connection} | k))
    monkeypatch.setattr(time, "time", lambda: NOW)
    monkeypatch.setattr(arrival, "PIECE", 1000)
    monkeypatch.setenv("LAB_ADMINS", ADMIN)
    FAULTS.arm(0, "full")
    yield
    FAULTS.arm(0, "full")
    FAULTS.committed = None


class Scene:
    """A filled store: one job in each state, a table with a run of its own, a sweep, names, an engine, a bundle."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.path = folder, folder / "lab.db"
        self.token = "ab"
        monkeypatch.setattr("secrets.token_hex", lambda n: self.token * n)
        store = Store(f"sqlite:///{folder / 'template.db'}")
        self.fill(store)
        store.database.empty_log()
        store.close()
        self.store = Store(f"sqlite:///{self.path}")

    def fill(self, store: Store) -> None:
        """Put everything into an empty store, and the bundles beside it."""
        folder = self.folder
        self.done = plain.finished(store, DONE)
        store.put_artifact(self.done.id, FEATURES, features(6))
        store.export([self.done.id], folder / "runs.zip")
        other = Store(f"sqlite:///{folder / 'other.db'}")
        for seed in (11, 12):
            plain.finished(other, plain.SPEC.with_(seed=seed))
        other.export([job.id for job in other.jobs()], folder / "others.zip")
        other.close()
        store.record_heartbeat(EngineInfo("e", "here", 1, NOW, NOW))
        store.publish_catalog({"methods": []})
        store.submit(RUNNING)
        self.running = store.claim("e")
        store.append(self.running.id, [plain.frame(1)])
        store.submit(plain.SPEC.with_(seed=4))
        self.orphan = store.claim("gone")
        self.queued = store.submit(QUEUED)
        self.table = store.add_upload("me", "mine.csv", CSV)
        assert upload_id(f"upload/{self.table}") == self.table
        options = {"target": "ill"}
        private = plain.SPEC.with_(dataset=f"upload/{self.table}", data=options)
        self.private = store.submit(private, owner="me")
        store.bookmark(self.private.id, "me", "mine", True)
        store.bookmark(self.done.id, None, "first", True)
        self.preview = str(store.submit_preview("somebody", "a page", 1, plain.SPEC))
        self.sweep = store.keep_sweep({"datasets": ["moons"], "methods": ["ce"]}, "a sweep")
        with store.database.writing() as connection:
            connection.exec_driver_sql("UPDATE owners SET seen = seen - 1000")

    def restore(self) -> Store:
        """The store as it was at first. One handle for all, since a new one compiles every query again."""
        self.token = "cd"
        self.store.close()
        for ending in ("", "-wal", "-shm"):
            Path(f"{self.path}{ending}").unlink(missing_ok=True)
        (self.folder / "again.zip").unlink(missing_ok=True)
        shutil.copyfile(self.folder / "template.db", self.path)
        self.store._clock_offset = NOW - time.monotonic()  # else the clock that stands still looks as one that was set
        return self.store

    def dump(self, only: tuple[str, ...] = ()) -> dict[str, Any]:
        """All rows by table, those of some tables where they are named."""
        return dump(self.path, only)

    def check_connections(self, where: object) -> None:
        """A connection that saw an error waits for others as long as before."""
        for connection in [self.store.database.sql_engine.raw_connection() for _ in range(2)]:
            assert connection.driver_connection.execute("PRAGMA busy_timeout").fetchone() == (10_000,), where
            connection.close()


Verb = Callable[[Store, Scene], Any]


def result_of(store: Store, scene: Scene) -> Any:
    return store.save_result(scene.running.id, plain.result_of(scene.running), {"a": b"1", "b": b"2"}, attempt=1)


def begin_upload(store: Store, scene: Scene) -> Any:
    writer = store.begin_upload("me", "next.csv")
    for _ in range(2):
        writer.write(CSV[:1500])
    return writer.finish()


def submit_refit(store: Store, scene: Scene) -> Any:
    """Of a comparison that has just ended."""
    compared = store.submit_compare(None, COMPARE)
    store.put_artifact(compared.id, "comparison", b"{}")
    return store.submit_refit(None, {"comparison": compared.id, "row": "ce"})


PRIVATE = {"target": "ill"}
CASES: dict[str, Verb] = {
    "add_upload": lambda s, x: s.add_upload("me", "next.csv", CSV),
    "append": lambda s, x: s.append(x.running.id, [plain.frame(2), plain.frame(3)], attempt=1),
    "append_all": lambda s, x: s.append_all([(x.running.id, 1, [plain.frame(2)], 2), (x.orphan.id, 1, [plain.frame(1)], None)]),
    "artifact": lambda s, x: s.artifact(x.done.id, "frames/0"),
    "artifacts": lambda s, x: s.artifacts(x.done.id),
    "begin_upload": begin_upload,
    "bookmark": lambda s, x: s.bookmark(x.private.id, "me", "renamed"),
    "bookmarks": lambda s, x: s.bookmarks("me"),
    "cancel": lambda s, x: s.cancel(x.queued.id),
    "cancel_all": lambda s, x: s.cancel_all([x.queued.id, x.running.id], urgent=0),
    "cancel_for": lambda s, x: s.cancel_for(ADMIN, x.queued.id),
    "cancel_requested": lambda s, x: s.cancel_requested("e"),
    "catalog": lambda s, x: s.catalog(),
    "claim": lambda s, x: s.claim("e", choose=lambda jobs: jobs[0]),
    "count_active": lambda s, x: s.count_active(),
    "count_states": lambda s, x: s.count_states(),
    "count_contents": lambda s, x: s.count_contents([x.done.id, x.sweep], None),
    "count_people": lambda s, x: s.count_people(ADMIN),
    "delete": lambda s, x: s.delete(x.done.id),
    "delete_many": lambda s, x: s.delete_many([x.done.id, x.private.id, x.sweep], "me"),
    "drain_for": lambda s, x: s.drain_for(ADMIN, "e", str),
    "drain": lambda s, x: s.drain("e"),
    "embed_seconds": lambda s, x: s.embed_seconds("pca", 100, 5),
    "embedding": lambda s, x: s.embedding(x.done.id, "pca"),
    "end_preview": lambda s, x: s.end_preview(x.preview, "done", "", "{}", attempt=1),
    "engines": lambda s, x: s.engines(),
    "events": lambda s, x: s.events(x.done.id),
    "expire": lambda s, x: s.expire(now=NOW + 7200),
    "explain_waiting": lambda s, x: s.explain_waiting(x.queued.id),
    "export": lambda s, x: s.export([x.done.id], x.folder / "again.zip"),
    "features": lambda s, x: s.features(x.done.id),
    "finish": lambda s, x: s.finish(x.running.id, "failed", "why", attempt=1),
    "forget": lambda s, x: s.forget("me", patience=0.0),
    "forget_for": lambda s, x: s.forget_for(ADMIN, name_person("me")),
    "hand_over": lambda s, x: s.hand_over("me", ADMIN),
    "interrupt_orphans": lambda s, x: s.interrupt_orphans(),
    "is_drained": lambda s, x: s.is_drained("e"),
    "is_signed_out": lambda s, x: s.is_signed_out(ADMIN, "one", NOW),
    "job": lambda s, x: s.job(x.private.id, "me"),
    "jobs": lambda s, x: s.jobs(owner="me"),
    "keep_sweep": lambda s, x: s.keep_sweep({"datasets": ["blobs"], "methods": ["ce"]}, "two"),
    "last_event": lambda s, x: s.last_event(x.done.id, "frame"),
    "leave_preview": lambda s, x: s.leave_preview(x.preview),
    "list_active": lambda s, x: s.list_active(ADMIN),
    "list_acts": lambda s, x: s.list_acts(ADMIN),
    "list_existing": lambda s, x: s.list_existing([x.table]),
    "list_names": lambda s, x: s.list_names("me"),
    "list_queued": lambda s, x: s.list_queued("me"),
    "list_running": lambda s, x: s.list_running("e"),
    "list_takers": lambda s, x: s.list_takers(),
    "load": lambda s, x: s.load(x.folder / "others.zip"),
    "median_seconds": lambda s, x: s.median_seconds(),
    "position": lambda s, x: s.position(x.queued.id),
    "preview_news": lambda s, x: s.preview_news(x.preview),
    "publish_abilities": lambda s, x: s.publish_abilities("e", Abilities(2, ("cpu",))),
    "publish_catalog": lambda s, x: s.publish_catalog({"methods": ["ce"]}),
    "purge": lambda s, x: (s.delete(x.private.id), s.purge()),
    "put_artifact": lambda s, x: s.put_artifact(x.done.id, "more", b"1" * 9000),
    "read_answer": lambda s, x: s.read_answer(x.done.id, "frames/0"),
    "read_asker": lambda s, x: s.read_asker(x.queued.id),
    "read_results": lambda s, x: s.read_results([x.done.id, x.queued.id]),
    "read_sizes": lambda s, x: s.read_sizes(ADMIN),
    "read_used": lambda s, x: s.read_used("me"),
    "read_upload": lambda s, x: s.read_upload(x.table, "me"),
    "record_embedding": lambda s, x: s.record_embedding(EmbedSpec(x.done.id, "pca", {}, 0), {"seconds": 1.0}, {"xy": b"1"}),
    "record_heartbeat": lambda s, x: s.record_heartbeat(EngineInfo("f", "here", 2, NOW, NOW)),
    "record_run": lambda s, x: s.record_run(plain.SPEC.with_(seed=9), plain.result_of(x.done), [plain.frame(1)], {"a": b"1"}),
    "record_spent": lambda s, x: s.record_spent("somebody", 2.0),
    "release": lambda s, x: s.release(x.running.id, attempt=1),
    "requeue": lambda s, x: s.requeue(x.running.id, attempt=1, lost=True),
    "result": lambda s, x: s.result(x.done.id),
    "retire": lambda s, x: s.retire("e"),
    "save_result": result_of,
    "search": lambda s, x: s.search("me", "moons"),
    "should_yield": lambda s, x: s.should_yield(x.running.id, attempt=1),
    "sign_out": lambda s, x: s.sign_out(ADMIN, "one"),
    "sign_out_everywhere": lambda s, x: s.sign_out_everywhere(ADMIN, NOW),
    "submit": lambda s, x: s.submit(DONE, again=True),
    "submit_compare": lambda s, x: s.submit_compare(None, COMPARE),
    "submit_refit": submit_refit,
    "submit_score": lambda s, x: s.submit_score("me", {"file": x.table, "model": {"upload": x.table}}),
    "submit_embed": lambda s, x: s.submit_embed(x.done.id, "pca"),
    "submit_missing": lambda s, x: s.submit_missing([(plain.SPEC.with_(seed=n), "") for n in (5, 6, 2)]),
    "submit_preview": lambda s, x: s.submit_preview("me", "another page", 1, plain.SPEC),
    "submit_profile": lambda s, x: s.submit_profile("me", x.table),
    "sweep_previews": lambda s, x: s.sweep_previews(),
    "sweeps": lambda s, x: s.sweeps(),
    "has_lost_key": lambda s, x: s.has_lost_key("me"),
    "touch": lambda s, x: s.touch("me"),
    "upload": lambda s, x: s.upload(x.table, "me"),
    "uploads": lambda s, x: s.uploads("me"),
}
CLEANED = ("add_upload", "begin_upload")
"""Verbs that clean up after an error, in transactions of their own: then only their tables are compared."""


QUIET = ("bookmark", "delete", "delete_many", "expire", "forget", "forget_for", "purge")
"""Verbs that end well where only the log could not be emptied: an engine does it later."""


SILENT = ("has_lost_key",)
"""Verbs that ask nothing of SQLite: it has no keys that could be lost."""


def list_verbs() -> list[str]:
    """The verbs of the store, by inspection; `close` asks nothing of the database."""
    return sorted({name for name, _ in inspect.getmembers(Store, inspect.isfunction) if name[0] != "_"} - {"close"})


def dump(path: Path, only: tuple[str, ...] = ()) -> dict[str, Any]:
    """All rows by table, read by SQLite itself, which must find no damage."""
    with sqlite3.Connection(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = {n: sorted(connection.execute(f"SELECT * FROM {n}"), key=repr) for n in names if not only or n in only}
    connection.close()
    return rows


def test_every_verb_has_a_case():
    assert list_verbs() == sorted(CASES)


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:  # thousands of commits: in memory
        yield Scene(Path(folder), monkeypatch)


def test_an_error_at_every_statement_of_every_verb(scene):
    """Each statement fails once, the causes in turn."""
    for name in sorted(set(list_verbs()) - set(SILENT)):
        strike_everywhere(scene, name, [list(CAUSES)])


@pytest.mark.long
@pytest.mark.timeout(300)
def test_every_cause_at_every_statement_of_every_verb(scene):
    for name in sorted(set(list_verbs()) - set(SILENT)):
        strike_everywhere(scene, name, [[cause] for cause in CAUSES])


def strike_everywhere(scene: Scene, name: str, rounds: list[list[str]]) -> None:
    """Let each statement of a verb fail, once in each round by the causes of that round in turn."""
    states, end = record_states(scene, name)
    for causes in rounds:
        number = 1
        while strike(scene, name, causes[number % len(causes)], number, states, end):
            number += 1
        assert number > 2, name
    Store(scene.store.url).close()


def record_states(scene: Scene, name: str) -> tuple[list[Any], Any]:
    """(all rows at first and after each commit of a verb, all rows at its end)."""
    store = scene.restore()
    states = [scene.dump()]
    FAULTS.committed = lambda: states.append(scene.dump())
    CASES[name](store, scene)
    FAULTS.committed = None
    return states, scene.dump()


def strike(scene: Scene, name: str, cause: str, number: int, states: list[Any], end: Any) -> bool:
    """Whether the verb has so many statements."""
    store, where, sentence = scene.restore(), (name, cause, number), None
    FAULTS.arm(number, cause)
    try:
        CASES[name](store, scene)
    except StoreError as error:
        sentence = str(error)
    struck = FAULTS.struck
    FAULTS.arm(0, cause)
    if not struck:
        assert sentence is None, where
        return False
    assert sentence is None or CAUSES[cause][1] in sentence, (where, sentence)
    assert sentence is not None or name in QUIET, where
    assert not list(scene.folder.glob("*.part")) and not list(scene.folder.glob("again.zip")), where
    left = scene.dump(("uploads", "pieces") if name in CLEANED else ())
    assert left in [{table: state[table] for table in left} for state in states], where
    scene.check_connections(where)
    if sentence is not None:
        if number % 2:  # the connection that saw the error goes on; so does a new one
            store.close()
        scene.token = "ef" if name in CLEANED else "cd"
        CASES[name](store, scene)
        if name not in CLEANED and left == states[0]:
            assert scene.dump() == end, where
    return True


def test_opening_a_new_store_fails_whole_or_not_at_all(scene):
    for number in range(1, 200):
        path, cause = scene.folder / f"{number}.db", list(CAUSES)[number % 3]
        FAULTS.arm(number, cause)
        try:
            Store(f"sqlite:///{path}").close()
        except StoreError as error:
            assert CAUSES[cause][1] in str(error), (cause, number)
        struck = FAULTS.struck
        FAULTS.arm(0, cause)
        store = Store(f"sqlite:///{path}")
        assert store.submit(plain.SPEC).state == "queued"
        store.close()
        if not struck:
            break
    assert not struck and number > 20
