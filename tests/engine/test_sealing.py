"""Private tables on PostgreSQL: sealed under a key of their own, gone with it, and never in data files, write-ahead log or log."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import numpy as np
import pytest
import sqlalchemy as sa

from engine import events as ev
from engine.errors import StoreError, UnknownName
from engine.store import Store
from engine.store.copying import copy_store
from engine.store.library import Meant
from engine.store.postgres import KEYS
from engine.store.schema import PIECES
from engine.store.sealing import KEY_GONE
from tests.engine.test_store import SPEC, finished, result_of
from tests.postgres import Server, lacking, serving

CANARY = "canary5e1f"
TABLE = f"{CANARY},y\n1.5,0\n2.5,1\n".encode()
pytestmark = [pytest.mark.alone, pytest.mark.long, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server that these tests may stop."""
    if reason := lacking():
        pytest.skip(reason)
    with serving() as one:
        yield one


@pytest.fixture
def store(server: Server) -> Iterator[Store]:
    store = Store(server.make_schema(f"sealed_{uuid.uuid4().hex[:8]}"))
    yield store
    store.close()


def fill(store: Store, owner: str = "me") -> tuple[str, str, str]:
    """A table with a run that is done and one that failed, events, artifacts and a name; (table, done, failed)."""
    table = store.add_upload(owner, f"{CANARY}.csv", TABLE)
    ids = []
    for seed in (1, 2):
        job = store.submit(SPEC.with_(dataset=f"upload/{table}", seed=seed), owner=owner)
        assert store.claim("e").id == job.id
        scene = ev.Note(f"{CANARY} said")
        assert store.append(job.id, [ev.Progress(1, 2), scene], attempt=1, first=1)
        ids.append(job.id)
    store.put_artifact(ids[0], "model", f"{CANARY} model".encode())
    result = result_of(store.job(ids[0], owner), own=np.frombuffer(CANARY.encode(), np.uint8))
    assert store.save_result(ids[0], result, {"comparison": CANARY.encode()}, attempt=1)
    assert store.finish(ids[1], "failed", f"the column {CANARY} is odd.", attempt=1)
    store.bookmark(ids[0], owner, name=f"{CANARY} run", pinned=True)
    return table, ids[0], ids[1]


def check(store: Store, table: str, done: str, failed: str, owner: str = "me") -> None:
    """All that `fill` stored is read as it was."""
    assert store.read_upload(table, owner) == (f"{CANARY}.csv", TABLE)
    assert [one.name for one in store.uploads(owner)] == [f"{CANARY}.csv"]
    job = store.job(done, owner)
    assert job.spec["dataset"] == f"upload/{table}" and job.state == "done"
    assert store.job(failed, owner).reason == f"the column {CANARY} is odd."
    assert [event for _, event in store.events(done, owner=owner)] == [ev.Progress(1, 2), ev.Note(f"{CANARY} said")]
    assert store.last_event(done, "note", owner=owner) == ev.Note(f"{CANARY} said")
    assert store.result(done, owner).arrays["own"].tobytes() == CANARY.encode()
    assert store.artifact(done, "model", owner=owner) == f"{CANARY} model".encode()
    assert store.artifact(done, "comparison", owner=owner) == CANARY.encode()
    assert store.bookmarks(owner)[done].name == f"{CANARY} run"


def holders(server: Server, what: bytes) -> list[str]:
    """Files of the server, its write-ahead log and its log among them, with these bytes."""
    files = [path for path in server.folder.rglob("*") if path.is_file()]
    return sorted(path.relative_to(server.folder).as_posix() for path in files if what in path.read_bytes())


def read_key(store: Store, table: str) -> bytes:
    with store.database.reading() as connection:
        return bytes(connection.execute(sa.select(KEYS.c.key).where(KEYS.c.id == table)).scalar_one())


def test_a_private_table_is_read_and_found_as_ever(store):
    public = finished(store)
    table, done, failed = fill(store)
    check(store, table, done, failed)
    assert store.job(public.id) == public and store.claim("e") is None
    assert store.list_names("me")[1] == [SPEC.method]
    assert {job.id for job in store.jobs(owner="me", names=[SPEC.method])} == {public.id, done, failed}
    assert set(store.read_results([done], "me", fields=["n"])[done][1]) == {"n"}
    assert store.read_results([done], "me")[done][1]["metrics"]["average_precision"]["mean"] == 0.5
    rows, count = store.search("me", sort="name")
    assert count == 3 and rows[0].bookmark.name == f"{CANARY} run" and rows[0].score["mean"] == 0.5
    assert {row.id for row in store.search("me", CANARY)[0]} == {done, failed}
    assert {row.id for row in store.search("me", method=SPEC.method)[0]} == {public.id, done, failed}
    meant = {"good": Meant(mean=(0.45, 0.55))}
    assert {row.id for row in store.search("me", "good", meant=meant)[0]} == {public.id, done}
    assert store.search("you", CANARY)[1] == store.search(None, CANARY)[1] == 0
    assert store.forget("me", table)[:2] == (1, 2) and store.uploads("me") == []
    with pytest.raises(UnknownName):
        store.job(done, "me")


def test_a_run_without_a_table_has_a_key_of_its_own(store):
    job = store.submit(SPEC, owner="me")
    assert store.job(job.id, "me").spec == job.spec and len(read_key(store, job.id)) == 32
    store.delete(job.id)
    with store.database.reading() as connection:
        assert connection.execute(sa.select(KEYS.c.id)).scalars().all() == [""]


def test_a_clean_restart_loses_nothing_and_a_crash_all_that_is_private(server, store):
    public = finished(store)
    ids = fill(store)
    server.stop("fast")
    server.start()
    check(store, *ids)
    server.stop("immediate")
    server.start()
    assert store.uploads("me") == [] and store.has_lost_key("me") and not store.has_lost_key("you")
    with pytest.raises(UnknownName, match="key is gone. Send it again."):
        store.upload(ids[0], "me")
    assert [job.id for job in store.jobs(owner="me")] == [public.id] and store.result(public.id) is not None
    assert [event for _, event in store.events(public.id)][2] == ev.Progress(3, 9)
    with store.database.reading() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(PIECES)).scalar() == 0
    check(store, *fill(store))
    assert not store.has_lost_key("me")


def test_a_store_opened_after_a_crash_forgets_what_has_no_key(server, store):
    fill(store)
    server.stop("immediate")
    server.start()
    store.close()
    other = Store(store.url)
    assert other.uploads("me") == [] and other.jobs(owner="me") == [] and other.has_lost_key("me")
    other.close()


def test_a_key_that_goes_while_it_is_used_is_the_sentence(store):
    table, *_ = fill(store)
    with store.database.writing() as connection:
        connection.execute(KEYS.delete().where(KEYS.c.id == table))
    with pytest.raises(StoreError) as caught:
        store.read_upload(table, "me")
    assert str(caught.value) == KEY_GONE


def test_nothing_is_left_after_forgetting(server, store):
    ids = fill(store)
    key = read_key(store, ids[0])
    server.run_sql("CHECKPOINT")
    assert holders(server, CANARY.encode()) == [] and holders(server, key) == []
    server.stop("fast")
    server.start()
    check(store, *ids)
    assert holders(server, key) != [], "a clean stop writes the keys to their file"
    assert store.forget("me").clean
    server.run_sql("CHECKPOINT")
    assert holders(server, key) == [] and holders(server, CANARY.encode()) == []


def test_the_debt_stays_while_an_older_snapshot_is_open(server, store):
    table, *_ = fill(store)
    key = read_key(store, table)
    reader = sa.create_engine(store.url).connect().execution_options(isolation_level="REPEATABLE READ")
    reader.exec_driver_sql("SELECT count(*) FROM jobs").scalar_one()
    assert not store.forget("me", patience=0.1).clean and not store.purge()
    reader.rollback()
    assert store.purge() and store.purge()
    server.run_sql("CHECKPOINT")
    assert holders(server, key) == []
    table, *_ = fill(store)
    reader.exec_driver_sql("SELECT count(*) FROM keys").scalar_one()
    assert not store.forget("me", patience=0.1).clean, "a reader of the keys holds them"
    reader.close()
    reader.engine.dispose()
    assert store.expire().clean


def test_pieces_that_changed_places_are_refused(store):
    ids = [store.add_upload("me", f"{n}.csv", TABLE + bytes([48 + n])) for n in range(2)]
    with store.database.writing() as connection:
        for old, new in ((ids[0], "x"), (ids[1], ids[0]), ("x", ids[1])):
            connection.execute(PIECES.update().where(PIECES.c.upload == old).values(upload=new))
    for id in ids:
        with pytest.raises(StoreError, match="not what was stored there") as caught:
            store.read_upload(id, "me")
        assert CANARY not in str(caught.value)


def test_a_copy_opens_and_seals_both_ways(server, store, tmp_path):
    finished(store)
    ids = fill(store)
    there = Store(f"sqlite:///{tmp_path / 'there.db'}")
    back = Store(server.make_schema(f"sealed_{uuid.uuid4().hex[:8]}"))
    first = copy_store(store.database, there.database)
    assert copy_store(there.database, back.database) == first
    check(there, *ids)
    check(back, *ids)
    assert read_key(back, ids[0]) != read_key(store, ids[0])
    there.database.empty_log()
    assert there.forget("me").clean and CANARY.encode() not in (tmp_path / "there.db").read_bytes()
    there.close()
    back.close()
