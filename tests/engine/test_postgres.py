"""What is PostgreSQL's alone: which server and database are taken, what errors say, its lock, its clock, and words it cannot hold."""

from __future__ import annotations

import threading
import time

import pytest
import sqlalchemy as sa

from engine import events as ev
from engine.errors import BadParameter, BadStore, StoreError, StoreLocked
from engine.store import Store, migrations
from engine.store.database import POSTGRES
from engine.store.postgres import PostgresDatabase
from engine.store.schema import ENGINES, JOBS
from tests.engine.test_migrations import describe
from tests.engine.test_store import SPEC, finished, info, result_of

ON_POSTGRES = [
    pytest.mark.parametrize("empty_url", ["postgres"], indirect=True),
    pytest.mark.long,
    pytest.mark.timeout(180),
]


def on_postgres(test):
    for mark in ON_POSTGRES:
        test = mark(test)
    return test


@pytest.mark.parametrize("url", ["", "/", "/a%0Ab", "me:secret@host"])
def test_a_url_without_a_database_is_refused(url):
    with pytest.raises(BadStore, match="must name a database|is no store's URL") as caught:
        Store(f"{POSTGRES}://{url}")
    assert "secret" not in str(caught.value)


def test_a_server_that_is_not_there_is_a_sentence():
    with pytest.raises(StoreError, match=r"lab on 127.0.0.1:1 was lost or refused; check that its server runs") as caught:
        Store(f"{POSTGRES}://me:secret@127.0.0.1:1/lab")
    assert "secret" not in str(caught.value) and caught.value.__suppress_context__


@on_postgres
def test_what_cannot_be_a_store_is_refused(postgres, empty_url):
    for url, said in (
        (postgres.url().replace("/lab", "/absent"), "database's name"),
        (postgres.url("absent"), "no schema of its search path"),
    ):
        with pytest.raises(StoreError, match=said):
            Store(url)
    schema = empty_url.rpartition("%3D")[2]
    postgres.run_sql(f"CREATE TABLE {schema}.recipes (id int)", "lab")
    with pytest.raises(BadStore, match="tables of another program"):
        Store(empty_url)
    postgres.run_sql("CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    with pytest.raises(BadStore, match="encoding LATIN1"):
        Store(postgres.url().replace("/lab", "/latin"))


@on_postgres
def test_a_newer_schema_is_refused(store):
    store.close()
    with store.database.writing() as connection:
        connection.execute(sa.text("UPDATE meta SET value = '77' WHERE key = 'schema'"))
    store.close()
    with pytest.raises(StoreError, match=f"schema 77 and this version reads schema {migrations.latest_schema()}"):
        Store(store.url)


@on_postgres
def test_all_files_together_make_the_tables_of_today(store, postgres):
    with store.database.reading() as connection:
        today = describe(sa.inspect(connection))
    postgres.run_sql("CREATE SCHEMA migrated", "lab")
    other = sa.create_engine(postgres.url("migrated"))
    with other.begin() as connection:
        migrations.upgrade(connection)
        assert describe(sa.inspect(connection)) == today
    other.dispose()
    postgres.run_sql("DROP SCHEMA migrated CASCADE", "lab")
    assert today["jobs"][0][0]["type"] == 'TEXT COLLATE "C"'


@on_postgres
def test_several_first_openers_make_the_tables_once(empty_url):
    from engine.store.postgres import PostgresDatabase

    made, barrier = [], threading.Barrier(4)

    def open_one() -> None:
        barrier.wait()
        made.append(PostgresDatabase(empty_url))

    threads = [threading.Thread(target=open_one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 4
    for one in made:
        one.close()


@on_postgres
def test_errors_never_quote_rows(store):
    secret = "canary-of-a-row"
    with pytest.raises(StoreError) as caught, store.database.writing() as connection:
        for _ in range(2):
            connection.execute(sa.text("INSERT INTO meta VALUES (:key, :key)"), {"key": secret})
    assert "SQLSTATE 23505" in str(caught.value) and secret not in str(caught.value)
    with pytest.raises(StoreError) as caught, store.database.reading() as connection:
        connection.execute(sa.text("SELECT CAST(:word AS integer)"), {"word": secret})
    assert "SQLSTATE 22P02" in str(caught.value) and secret not in str(caught.value)
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


@on_postgres
def test_a_writer_waits_for_another_and_says_so_in_the_end(store, postgres, monkeypatch):
    from engine.store import postgres as module

    monkeypatch.setattr(module, "LOCK_S", 1)
    impatient = module.PostgresDatabase(store.url)
    other = module.PostgresDatabase(postgres.make_schema("beside"))
    with store.database.writing() as connection:
        connection.execute(sa.select(1))
        began = time.monotonic()
        with pytest.raises(StoreLocked, match="held by another program"), impatient.writing():
            pass
        assert time.monotonic() - began > 0.5
        with other.writing():
            pass  # another schema has another number
        with impatient.writing(alone=False):
            pass
    for one in (impatient, other):
        one.close()
    postgres.run_sql("DROP SCHEMA beside CASCADE", "lab")


@on_postgres
def test_a_client_that_stops_within_a_transaction_loses_the_lock(store, monkeypatch):
    from engine.store import postgres as module

    monkeypatch.setattr(module, "LOCK_S", 1)
    stopped = module.PostgresDatabase(store.url)
    with pytest.raises(StoreError), stopped.writing() as connection:
        connection.execute(sa.select(1))
        assert store.submit(SPEC).state == "queued"  # waits until the server ends the other
        connection.execute(sa.select(1))
    stopped.close()


@on_postgres
def test_times_are_the_databases(store, monkeypatch):
    here = time.time
    monkeypatch.setattr(time, "time", lambda: here() + 1000)
    job = finished(store)
    store.record_heartbeat(info("e"))
    assert all(abs(at - here()) < 100 for at in (job.created, job.started, job.finished))
    assert [abs(one.heartbeat - here()) < 100 for one in store.engines()] == [True]


@pytest.mark.both_databases
def test_words_that_a_database_cannot_hold(store):
    for odd in ("a\x00b", "a\ud800b"):
        with pytest.raises(BadParameter, match="cannot be stored"):
            store.submit(SPEC.with_(data={"target": odd}))
        with pytest.raises(BadParameter, match="cannot be stored"):
            store.keep_sweep({"datasets": [odd], "methods": ["ce"]})
    job = finished(store, SPEC.with_(data={"target": "😀"}))
    store.bookmark(job.id, "me", name="a\x00\ud800b")
    assert store.bookmarks("me")[job.id].name == "a��b"
    again = store.submit(SPEC)
    store.claim("e")
    assert store.append(again.id, [ev.Note("a\x00\ud800b")])
    assert len(store.events(again.id)) == 1
    result = result_of(again)
    result.metrics["odd \x00"] = {"mean": 0.5, "name": "half \ud800"}
    assert store.save_result(again.id, result)
    assert store.result(again.id).metrics["odd �"]["name"] == "half �"
    third = store.submit(SPEC.with_(seed=3))
    store.claim("e")
    assert store.finish(third.id, "failed", "because \x00 \ud800")
    assert store.job(third.id).reason == "because � �"
    rows, count = store.search("me", "moons")
    assert count == 3 and len(store.read_results([job.id, again.id], fields=["metrics"])) == 2
    assert [row.score["mean"] for row in rows if row.score] == [0.5, 0.5]


@on_postgres
def test_odd_words_that_are_asked_for_find_nothing(store):
    finished(store)
    assert store.search(None, "\x00 \ud800") == ([], 0)
    assert store.events("\x00") == [] and store.artifact("\ud800", "\x00") is None


@on_postgres
def test_lists_sort_and_search_as_on_sqlite(store, tmp_path):
    other = Store(f"sqlite:///{tmp_path / 'lab.db'}")
    for one in (store, other):
        for n, name in enumerate(("b", "A", "a", "B", "Ä", "ä", "_", "Éa")):
            one.bookmark(one.submit(SPEC.with_(seed=n)).id, None, name=name)
    for asked in ({"sort": "name", "descending": False}, {"sort": "name"}, {"text": "ä"}, {"text": "A"}):
        names = [[row.bookmark.name for row in one.search(None, **asked)[0]] for one in (store, other)]
        assert sorted(names[0]) == sorted(names[1]) and ("sort" not in asked or names[0] == names[1]), asked
    other.close()


@on_postgres
def test_computed_columns_are_public_alone(store):
    upload = store.add_upload("me", "a.csv", b"a,b\n1,2\n")
    store.submit(SPEC.with_(dataset=f"upload/{upload}", data={"target": "b"}), owner="me")
    store.submit(SPEC)
    with store.database.reading() as connection:
        rows = connection.execute(sa.select(JOBS.c.owner, JOBS.c.dataset, JOBS.c.method).order_by(JOBS.c.owner)).all()
    assert sorted(map(tuple, rows), key=str) == [("me", None, None), (None, "moons", "ce")]


read_uptime = PostgresDatabase.read_uptime
"""As it is outside of tests."""


@on_postgres
def test_after_an_outage_no_run_is_taken_before_its_engine_can_beat(store, monkeypatch):
    """Two engines, and a server that is gone for longer than either may be silent: the first one back hears of the other first."""
    silence, uptime = store.database.silence, [0.0]
    store.record_heartbeat(info("a"))
    id = store.submit(SPEC).id
    assert store.claim("a").id == id
    fall_silent(store, "a")
    monkeypatch.setattr(PostgresDatabase, "read_uptime", lambda *_: uptime[0])
    for seconds in (0.0, silence - 0.1):
        uptime[0] = seconds
        store.record_heartbeat(info("b"))
        assert store.interrupt_orphans() == [] and store.job(id).engine == "a"
    store.record_heartbeat(info("a"))
    uptime[0] = silence + 0.1
    assert store.interrupt_orphans() == [] and store.job(id).attempt == 1, "it lives"
    fall_silent(store, "a")
    assert store.interrupt_orphans() == [id] and store.job(id).attempt == 2, "it does not"


@on_postgres
def test_the_uptime_is_the_servers_or_that_of_the_connection_to_it(store, postgres, monkeypatch):
    monkeypatch.setattr(PostgresDatabase, "read_uptime", read_uptime)
    with store.database.reading() as connection:
        first, second = store.database.read_uptime(connection), store.database.read_uptime(connection)
    ((now,),) = postgres.run_sql("SELECT extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())::float8")
    assert 0 < first < second < now < first + 60
    before = time.monotonic()
    with pytest.raises(StoreError, match="lost or refused"), store.database.reading() as connection:
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        postgres.run_sql(f"SELECT pg_terminate_backend({pid})")
        connection.exec_driver_sql("SELECT 1")
    time.sleep(0.1)
    with store.database.reading() as connection:
        assert 0.1 <= store.database.read_uptime(connection) < time.monotonic() - before


@on_postgres
@pytest.mark.parametrize("state", ["40P01", "40001"])
def test_verbs_of_several_transactions_are_tried_again_where_one_met_another(store, monkeypatch, state):
    """The first transaction that writes is ended by the server at its end, as one of two that wait for each other."""
    monkeypatch.setattr("engine.store.arrival.PIECE", 4)
    data, met, most, end = b"a,b\n1,2\n", [], [0], PostgresDatabase._send_news

    def meet(database, connection) -> None:
        end(database, connection)
        if len(met) < most[0]:
            met.append(1)
            connection.exec_driver_sql(f"DO $$ BEGIN RAISE EXCEPTION 'met' USING ERRCODE = '{state}'; END $$")

    def let_meet(count: int) -> None:
        met.clear()
        most[0] = count

    monkeypatch.setattr(PostgresDatabase, "_send_news", meet)
    let_meet(1)
    id = store.add_upload("me", "a.csv", data)
    assert met and store.read_upload(id, "me") == ("a.csv", data)
    let_meet(1)
    assert store.forget("me") == (1, 0, True) and met and store.uploads("me") == []
    writer = store.begin_upload("me", "b.csv")
    for part in (data[:5], data[5:]):
        let_meet(1)
        writer.write(part)
        assert met
    assert store.read_upload(writer.finish(), "me") == ("b.csv", data)
    stuck = store.begin_upload("you", "c.csv")
    let_meet(1)
    assert store.expire(now=9e9)[:2] == (2, 0) and met and stuck.id and store.uploads("me") == []
    let_meet(2)
    with pytest.raises(StoreLocked, match="busy with the same rows twice"):
        store.add_upload("me", "a.csv", data)
    assert len(met) == 2 and store.uploads("me") == []


def fall_silent(store: Store, id: str) -> None:
    with store.database.writing() as connection:
        set_back = ENGINES.update().where(ENGINES.c.id == id)
        connection.execute(set_back.values(heartbeat=ENGINES.c.heartbeat - store.database.silence - 5))
