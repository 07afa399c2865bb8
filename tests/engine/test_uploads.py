"""People's own tables in the store: whose they are, what they may be, how they go, and that no byte of them stays."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import secrets
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from engine import events as ev
from engine.data.tables import unpack
from engine.errors import BadData, BadInput, BadParameter, TooLarge, TooSlow, UnknownName, WrongType
from engine.executors import Work
from engine.spec import RunSpec, table_reading
from engine.store import Store, arrival, forgetting, uploads
from engine.store.database import Database
from engine.store.schema import FACTS, JOBS, OWNERS, UPLOADS
from tests.engine.test_store import finished, result_of

pytestmark = pytest.mark.both_databases
CANARY = "c4n4ry"


def spec(upload: str, **data: Any) -> RunSpec:
    return RunSpec(f"upload/{upload}", "ce", data={"target": f"{CANARY}-column", "positive": None, "reading": {}} | data)


def made(store: Store, owner: str = "me") -> tuple[str, list[str]]:
    """An upload and the ids of a profile, a comparison, a run and an embedding made from it, all with the canary everywhere."""
    words = f"{CANARY}," * 40_000
    id = store.add_upload(owner, f"{CANARY}.csv", words.encode())
    profile = store.submit_profile(owner, id, {"target": f"{CANARY}-column"})
    compare = store.submit_compare(owner, {"source": {"upload": id}, "budget": 15, "target": f"{CANARY}-column"})
    run = store.submit(spec(id), owner=owner)
    for job in (profile, compare, run):
        assert store.claim("e").id == job.id
        told = [ev.Note(f"{CANARY} {n}" * (n % 7)) for n in range(30)]
        assert store.append(job.id, told, attempt=1)
        artifacts = {"profile": json.dumps({"columns": [CANARY]}).encode()} | {
            f"a/{n}": CANARY.encode() * n for n in (1, 9, 999)
        }
        result = result_of(run) if job == run else (json.dumps({"seconds": 1, "said": CANARY}), b"")
        assert store.save_result(job.id, result, artifacts, attempt=1)
    failed = store.submit_profile(owner, id, {"target": "no"})
    store.claim("e")
    store.finish(failed.id, "failed", f"There is no column {CANARY}.", attempt=1)
    return id, [profile.id, compare.id, run.id, failed.id]


@pytest.fixture
def left(request: pytest.FixtureRequest, empty_url: str, tmp_path: Path) -> Callable[[], list[str]]:
    """left() -> files of the database with the canary in them; of PostgreSQL those of the server, its logs among them."""

    def find() -> list[str]:
        folder = tmp_path
        if not empty_url.startswith("sqlite"):
            server = request.getfixturevalue("postgres")
            server.run_sql("CHECKPOINT")
            folder = server.folder
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        return [path.name for path in files if CANARY.encode() in path.read_bytes()]

    return find


# ---- in


def test_a_table_comes_back_as_it_was_sent(store):
    data = os.urandom(3 * arrival.PIECE + 17)
    id = store.add_upload("me", "table.csv", data)
    assert len(id) == 32 and int(id, 16) and id != store.add_upload("me", "table.csv", data)
    one = store.upload(id, "me")
    assert (one.name, one.size) == ("table.csv", len(data)) and abs(one.created - time.time()) < 5
    assert one.digest not in repr(one)
    assert store.read_upload(id, "me") == ("table.csv", data)
    writer = store.begin_upload("me", "pieces.csv")
    for start in range(0, len(data), 77_777):
        writer.write(data[start : start + 77_777])
    assert store.uploads("me")[0].name != "pieces.csv", "it is not there before it is whole"
    assert store.read_upload(writer.finish(), "me")[1] == data
    assert store.upload(writer.id, "me").digest == one.digest
    exact = store.add_upload("me", "exact", data[: 2 * arrival.PIECE])
    assert store.read_upload(exact, "me")[1] == data[: 2 * arrival.PIECE]


def test_an_empty_a_large_and_a_slow_table_are_refused_and_leave_nothing(store, monkeypatch, tmp_path):
    monkeypatch.setattr(arrival, "MAX_BYTES", 3 * arrival.PIECE)
    with pytest.raises(BadData, match="The file is empty"):
        store.add_upload("me", "a", b"")
    with pytest.raises(TooLarge, match="more than 3 MiB"):
        store.begin_upload("me", "a", 3 * arrival.PIECE + 1)
    writer = store.begin_upload("me", "a")
    writer.write(bytes(2 * arrival.PIECE))
    with pytest.raises(TooLarge, match="more than 3 MiB"):
        writer.write(bytes(arrival.PIECE + 1))
    slow = store.begin_upload("me", "a")
    monkeypatch.setattr(arrival, "ARRIVAL", -1.0)
    late = store.begin_upload("me", "a")
    slow.write(b"x")
    with pytest.raises(TooSlow, match="minutes to arrive"):
        late.write(bytes(arrival.PIECE))
    slow.finish()
    assert len(store.uploads("me")) == 1
    with store.database.reading() as db:
        assert db.execute(sa.select(sa.func.count()).select_from(UPLOADS)).scalar() == 1


def test_only_so_many_tables_and_bytes_are_kept(store, monkeypatch):
    monkeypatch.setenv("LAB_MOST_TABLES", "2")
    for _ in range(2):
        store.add_upload("me", "a", b"x")
    with pytest.raises(BadInput, match="2 tables here"):
        store.add_upload("me", "a", b"x")
    store.add_upload("you", "a", b"x")
    monkeypatch.setattr(arrival, "MAX_TOTAL", 1000)
    with pytest.raises(BadInput, match="as many tables as it can"):
        store.add_upload("you", "a", bytes(1000))
    assert len(store.uploads("you")) == 1, "what did not fit is gone"
    for nobody in (None, ""):
        with pytest.raises(BadInput, match="cookie"):
            store.add_upload(nobody, "a", b"x")


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\data.csv", "data.csv"),
        ("a\r\nSet-Cookie: x=1.csv", "a Set-Cookie: x=1.csv"),
        ("<img src=x onerror=alert(1)>.csv", "<img src=x onerror=alert(1)>.csv"),
        ("\u202egnp.csv\x00", "gnp.csv"),
        ("  \ud800 tab\tle.csv ", "tab le.csv"),
        ("", "table"),
        ("..", ".."),
        ("///", "table"),
        ("x" * 500 + ".parquet", "x" * 180 + "…" + "x" * 11 + ".parquet"),
    ],
)
def test_a_file_s_name_is_text_without_folders_and_hidden_letters(store, sent, kept):
    assert uploads.clean_name(sent) == kept and len(kept) <= uploads.MAX_NAME
    assert store.upload(store.add_upload("me", sent, b"x"), "me").name == kept


@pytest.mark.parametrize("name", ["photo.png", "A.PDF", "x.csv.exe", "notes.docx", "old.xls"])
def test_a_name_that_no_table_has_is_refused_before_a_byte_of_it(store, name):
    with pytest.raises(WrongType, match=r"Files that end in \.[a-z]+ are not read here; read are CSV"):
        store.begin_upload("me", name)
    assert uploads.READ == unpack.READ


@pytest.mark.parametrize("name", ["a.CSV", "a.csv.gz", "table", "sales 2024.03", "iris.dat", "a.zip", "book.xlsx", "v1.2"])
def test_a_name_that_may_be_a_table_s_is_taken(store, name):
    assert store.upload(store.add_upload("me", name, b"x"), "me").name == name


# ---- whose


def test_nobody_else_finds_a_table_or_what_was_made_from_it(store):
    id, jobs = made(store)
    assert store.read_answer(jobs[0], "profile", "me") == {"columns": [CANARY]}
    assert store.read_answer(jobs[0], "a/9", "me") == CANARY.encode() * 9 and store.read_answer(jobs[0], "none", "me") is None
    assert store.job(jobs[3], "me").reason == f"There is no column {CANARY}."
    assert store.job(jobs[0], "me").upload == id and store.job(jobs[0], "me").spec["target"] == f"{CANARY}-column"
    for owner in (None, "", "you"):
        assert store.uploads(owner) == [] and store.read_upload(id, owner) is None
        for ask in (store.upload, lambda id, owner: store.submit(spec(id), owner=owner)):
            with pytest.raises(UnknownName, match="belong to another browser"):
                ask(id, owner)
        with pytest.raises(UnknownName, match="belong to another browser"):
            store.submit_profile(owner, id)
        with pytest.raises(UnknownName, match="belong to another browser"):
            store.submit_compare(owner, {"source": {"upload": id}, "target": "y", "budget": 15})
        for job in jobs:
            with pytest.raises(UnknownName):
                store.job(job, owner)
            assert store.events(job, owner=owner) == [] and store.artifacts(job, owner=owner) == []
            assert store.read_answer(job, "profile", owner) is None and store.result(job, owner) is None
        assert store.jobs(owner=owner, kinds=("run", "profile", "compare")) == []
        assert store.forget(owner, id) == (0, 0, True)
    assert store.upload(id, "me").name == f"{CANARY}.csv" and len(store.events(jobs[0], owner="me")) == 30


def test_the_latest_event_of_a_kind_is_its_owner_s(store):
    id = store.add_upload("me", "a.csv", b"x")
    job = store.submit_compare("me", {"source": {"upload": id}, "target": "y", "budget": 15})
    boards = [ev.Board(({"name": "ce", "of": CANARY},), n, 3, 9.5) for n in (1, 2)]
    assert store.last_event(job.id, "board", owner="me") is None
    store.claim("e")
    store.append(job.id, [boards[0], ev.Note("a"), boards[1], ev.Note("b")], attempt=1)
    last = store.last_event(job.id, "board", owner="me")
    assert isinstance(last, ev.Board) and (last.round, list(last.rows)) == (2, [{"name": "ce", "of": CANARY}])
    assert store.last_event(job.id, "phase", owner="me") is None and store.last_event(job.id, "board", owner="you") is None


def test_asking_twice_is_one_job_and_other_words_another(store):
    id = store.add_upload("me", "a.csv", b"x,y")
    profile = store.submit_profile("me", id)
    assert profile == store.submit_profile("me", id, {"reading": {}, "target": None})
    assert profile.id != store.submit_profile("me", id, {"reading": {"decimal": ","}}).id
    assert (profile.kind, profile.owner, profile.timeout_s) == ("profile", "me", 120.0)
    asked = {"source": {"upload": id}, "budget": 15, "target": "y"}
    compare = store.submit_compare("me", asked)
    assert compare == store.submit_compare("me", asked) and compare.timeout_s == 90
    assert compare.id != store.submit_compare("me", asked | {"budget": 60}).id
    run = store.submit(spec(id), owner="me")
    assert run == store.submit(spec(id), owner="me") and run.fingerprint.startswith(store.upload(id, "me").digest)
    with pytest.raises(BadParameter, match="reading"):
        store.submit_profile("me", id, {"reading": 3})


def test_a_new_reader_makes_new_jobs_of_a_table(store, monkeypatch):
    """Nothing that was computed under an old reading is taken for the new one; what hangs on no table stays."""
    id = store.add_upload("me", "a.csv", b"x,y")
    asked = {"source": {"upload": id}, "budget": 15, "target": "y"}

    def submit() -> list[str]:
        private = [store.submit_profile("me", id), store.submit_compare("me", asked), store.submit(spec(id), owner="me")]
        return [job.id for job in (*private, store.submit_compare(None, {"source": {"dataset": "moons"}, "budget": 5}))]

    before = submit()
    assert submit() == before
    monkeypatch.setattr(table_reading, "READER", table_reading.READER + 1)
    after = submit()
    assert not set(before[:3]) & set(after[:3]) and before[3] == after[3]


@pytest.mark.parametrize("owner", [None, "me"])
def test_a_comparison_on_a_public_dataset_is_everybody_s(store, owner):
    asked = {"source": {"dataset": "moons"}, "budget": 5}
    job = store.submit_compare(owner, asked, fingerprint="f")
    assert job.owner is None and job.upload is None
    assert store.submit_compare("you", {**asked, "seed": 0}, fingerprint="f") == job != store.submit_compare("you", asked)
    assert store.claim("e").id == job.id
    store.save_result(job.id, ("{}", b""), {"comparison": b'{"methods": []}'}, attempt=1)
    assert store.read_answer(job.id, "comparison") == {"methods": []}
    assert store.forget("me").tables == 0 and store.job(job.id).state == "done"


@pytest.mark.parametrize(
    "wrong",
    [
        {"source": {}, "budget": 15},
        {"source": {"upload": "a", "dataset": "b"}, "budget": 15},
        {"source": "moons", "budget": 15},
        {"budget": 15},
        {"source": {"dataset": "moons"}, "budget": 4},
        {"source": {"dataset": "moons"}, "budget": True},
        {"source": {"dataset": "moons"}, "budget": float("nan")},
        {"source": {"dataset": "moons"}, "budget": "60"},
        {"source": {"upload": "a"}, "budget": 15},
    ],
)
def test_a_comparison_that_cannot_be_is_refused(store, wrong):
    with pytest.raises(BadParameter, match=r"source|budget|target"):
        store.submit_compare("me", wrong)


def test_a_table_is_in_no_repr(tmp_path):
    assert CANARY not in repr(Work(("a", 1), {}, table=("a.csv", CANARY.encode()), features=CANARY.encode()))


# ---- out


def test_forget_leaves_no_byte_of_one_table_and_all_of_the_others(store, left, tmp_path):
    public = finished(store)
    id, jobs = made(store)
    other = store.add_upload("me", "kept.csv", b"kept")
    theirs = store.add_upload("you", "kept.csv", b"kept")
    assert store.database.seals or left(), "it was there"
    assert store.forget("me", id) == (1, 4, True)
    assert left() == [] and (store.database.seals or (tmp_path / "lab.db-wal").stat().st_size < 50_000)
    for job in jobs:
        with pytest.raises(UnknownName):
            store.job(job, "me")
    assert [one.id for one in store.uploads("me")] == [other] and [one.id for one in store.uploads("you")] == [theirs]
    assert store.job(public.id).state == "done" and store.result(public.id)
    assert store.forget("me", id) == (0, 0, True), "once more is nothing"


def test_forget_all_of_an_owner(store, left):
    made(store)
    made(store)
    theirs, _ = made(store, "you")
    assert store.forget("me") == (2, 8, True)
    assert store.uploads("me") == [] and store.upload(theirs, "you")
    store.forget("you")
    assert left() == []
    with store.database.reading() as db:
        assert db.execute(sa.select(OWNERS.c.owner)).all() == [] and db.execute(sa.select(JOBS.c.id)).all() == []


@pytest.mark.sqlite
@pytest.mark.parametrize("seed", [36, 55])
def test_no_byte_stays_among_other_people_s_rows(store, left, monkeypatch, seed):
    """With draws in which secure_delete alone leaves copies of short rows behind (rows of no padding failed both)."""
    rng = random.Random(seed)
    monkeypatch.setattr(secrets, "token_hex", lambda n: "ab" * n)  # rows lie by their ids
    mine = store.add_upload("me", f"{CANARY}.csv", CANARY.encode())
    running: list[tuple[str, str]] = []
    for n in range(150):
        private = rng.random() < 0.5
        word = CANARY if private else "public"
        words = {"n": n, "word": word * rng.choice([1, 10, 40, 150, 600])}
        asked = spec(mine, reading=words) if private else RunSpec("moons", "ce", params=words)
        job = store.submit(asked, owner="me" if private else None)
        assert store.claim("e").id == job.id
        running.append((job.id, word))
        for _ in range(6):
            id, word = rng.choice(running)
            store.append(id, [ev.Note(word * rng.choice([1, 5, 40, 150, 600])) for _ in range(rng.randrange(4))])
        if rng.random() < 0.5:
            id, word = running.pop(rng.randrange(len(running)))
            store.put_artifact(id, "a", word.encode() * rng.choice([1, 50, 500]))
            store.finish(id, "failed", word * rng.randrange(60))
            if rng.random() < 0.3:
                store.delete(id)
    store.forget("me")
    assert left() == []


@pytest.mark.sqlite
def test_what_is_private_is_padded_and_reads_the_same(store):
    id, jobs = made(store)
    with store.database.reading() as db:
        for table, column in (("jobs", "spec"), ("events", "words"), ("results", "words"), ("uploads", "name")):
            first = f"SELECT DISTINCT substr({column}, 1, {store.database.page_size}) FROM {table}"
            assert db.execute(sa.text(first)).scalars().all() == [" " * store.database.page_size], table
        for table, column in (("pieces", "pad"), ("artifacts", "data")):
            first = f"SELECT DISTINCT substr({column}, 1, {store.database.page_size}) FROM {table}"
            assert db.execute(sa.text(first)).scalars().all() == [bytes(store.database.page_size)], table
        for table, column, after in (("jobs", "spec", "reason"), ("events", "words", "arrays"), ("pieces", "pad", "data")):
            order = [row[1] for row in db.execute(sa.text(f"PRAGMA table_info({table})"))]
            assert order.index(column) < order.index(after), "columns are kept in this order"
        assert db.execute(sa.text("PRAGMA page_size")).scalar() == store.database.page_size
    store.put_artifact(jobs[2], "a", b"\0\0 x")
    assert store.artifact(jobs[2], "a", owner="me") == b"\0\0 x"
    assert store.jobs(owner="me", kinds=("profile",))[0].spec["upload"] == id


def test_owners_who_fell_silent_are_forgotten(store, left, monkeypatch):
    made(store)
    kept, _ = made(store, "you")

    def seen(owner: str, ago: float) -> None:
        with store.database.writing() as db:
            db.execute(OWNERS.update().where(OWNERS.c.owner == owner).values(seen=time.time() - ago))

    assert store.expire() == (0, 0, True)
    assert store.expire(now=time.time() + 29 * 60) == (0, 0, True)
    seen("me", 29 * 60)
    seen("you", 29 * 60)
    assert store.expire() == (0, 0, True) and store.uploads("me")
    store.touch("you")
    seen("me", 31 * 60)
    assert store.expire() == (1, 4, True)
    assert store.uploads("me") == [] and store.upload(kept, "you")
    monkeypatch.setenv("LAB_FORGET_AFTER", "10")
    seen("you", -20)
    assert store.expire() == (1, 4, True), "a sign of life from the future is none"
    assert left() == []


def test_scorings_and_models_on_all_rows_go_with_what_they_came_from(store):
    """A scoring goes with the scored table, with the table or the file that its model is or came from, and with its comparison."""
    made_of, model, scored = (store.add_upload("me", f"{name}.csv", b"a,b\n1,2\n") for name in ("table", "model", "next"))

    def begin() -> tuple[str, str, str, str]:
        compare = store.submit_compare("me", {"source": {"upload": made_of}, "target": "b"}).id
        for name in ("comparison", "model/ce"):
            store.put_artifact(compare, name, b"{}")
        refit = store.submit_refit("me", {"comparison": compare, "row": "ce"}).id
        by_row = store.submit_score("me", {"file": scored, "model": {"job": compare, "artifact": "model/ce"}}).id
        return compare, refit, by_row, store.submit_score("me", {"file": scored, "model": {"upload": model}}).id

    def ids() -> set[str]:
        return {job.id for job in store.jobs(owner="me", kinds=("compare", "score", "refit"))}

    compare, refit, by_row, by_file = begin()
    assert ids() == {compare, refit, by_row, by_file}
    assert store.forget("me", model) == (1, 1, True) and ids() == {compare, refit, by_row}
    model = store.add_upload("me", "model.csv", b"a,b\n1,2\n")
    *_, by_file = begin()
    store.delete(compare)
    assert ids() == {by_file}, "with the comparison"
    begin()
    assert store.forget("me", scored) == (1, 2, True) and ids() == {compare, refit}
    scored = store.add_upload("me", "next.csv", b"a,b\n1,2\n")
    *_, by_file = begin()
    assert store.forget("me", made_of) == (1, 3, True) and ids() == {by_file}
    assert store.forget("me").tables == 2 and ids() == set()


def test_a_sign_of_life_at_the_last_moment_is_heard(store, monkeypatch):
    id = store.add_upload("me", "a.csv", b"x")
    with store.database.writing() as db:
        db.execute(OWNERS.update().values(seen=time.time() - 1801))
    delete_owner = forgetting.delete_owner

    def late(database: Database, owner: str, **how: Any) -> tuple[int, int]:
        store.touch(owner)
        return delete_owner(database, owner, **how)

    monkeypatch.setattr(forgetting, "delete_owner", late)
    assert store.expire() == (0, 0, True) and store.upload(id, "me")


def test_a_sign_of_life_of_one_who_owns_nothing_writes_nothing(store):
    store.touch("me")
    store.touch(None)
    with store.database.reading() as db:
        assert db.execute(sa.select(OWNERS)).all() == []
    store.add_upload("me", "a", b"x")
    store.forget("me")
    store.touch("me")
    with store.database.reading() as db:
        assert db.execute(sa.select(OWNERS)).all() == []


def test_an_arrival_that_ended_midway_goes_too(store, left):
    writer = store.begin_upload("me", CANARY)
    writer.write(CANARY.encode() * arrival.PIECE)
    assert (store.database.seals or left()) and store.expire() == (0, 0, True)
    with store.database.writing() as db:
        db.execute(UPLOADS.update().values(created=time.time() - arrival.ARRIVAL - 1))
    assert store.expire() == (1, 0, True) and left() == []
    with pytest.raises(BadInput, match="forgotten while it arrived"):
        writer.finish()
    left_alone = store.begin_upload("me", "a")
    left_alone.write(CANARY.encode() * arrival.PIECE)
    left_alone.abandon()
    assert left() == []


@pytest.mark.sqlite
def test_the_log_is_emptied_once_the_last_reader_lets_go(store, left, tmp_path):
    id, _ = made(store)
    store.database.empty_log()
    with sqlite3.connect(tmp_path / "lab.db", isolation_level=None) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM jobs").fetchone()
        began = time.monotonic()
        assert store.forget("me", id, patience=0.3) == (1, 4, False)
        assert time.monotonic() - began < 2 and store.expire().clean is False and store.purge() is False
        reader.execute("COMMIT")
    reader.close()
    assert store.expire() == (0, 0, True) and left() == []
    with store.database.reading() as db:
        assert db.execute(sa.select(FACTS.c.key)).scalars().all() == ["schema"]


def dies(url: str) -> None:
    store = Store(url)
    store.database.pay_debt = lambda _: os._exit(9)  # type: ignore[method-assign]
    store.forget("me")


def test_a_crash_between_deleting_and_emptying_the_log_is_made_good_by_the_next(store, left):
    made(store)
    process = multiprocessing.get_context("spawn").Process(target=dies, args=(store.url,))
    process.start()
    process.join(30)
    assert process.exitcode == 9 and store.uploads("me") == []
    assert store.database.seals or left(), "the log still has it"
    store.close()
    later = Store(store.url)
    assert later.expire() == (0, 0, True) and left() == []
    later.close()


def test_what_still_comes_from_a_forgotten_job_is_not_kept(store, left):
    id = store.add_upload("me", "a.csv", b"x")
    run = store.submit(spec(id), owner="me")
    job = store.claim("e")
    store.forget("me", id)
    assert store.append(run.id, [ev.Note(CANARY)], attempt=job.attempt) is False
    assert store.save_result(run.id, result_of(run), {"a": CANARY.encode()}, attempt=job.attempt) is False
    assert store.finish(run.id, "failed", CANARY, attempt=job.attempt) is False
    assert store.release(run.id, attempt=job.attempt) is False
    with pytest.raises(UnknownName):
        store.put_artifact(run.id, "a", CANARY.encode())
    assert store.list_existing([id]) == set() and store.database.empty_log() and left() == []


@pytest.mark.sqlite
def test_a_store_of_the_first_schema_is_taken_over(left, tmp_path):
    with sqlite3.connect(tmp_path / "lab.db") as raw:
        raw.executescript(
            """
            PRAGMA journal_mode=WAL;
            CREATE TABLE meta (key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (key));
            CREATE TABLE jobs (id TEXT NOT NULL, kind TEXT NOT NULL, spec TEXT NOT NULL, fingerprint TEXT NOT NULL, state TEXT NOT NULL,
              reason TEXT NOT NULL, owner TEXT, priority INTEGER NOT NULL, device TEXT NOT NULL, timeout_s FLOAT,
              attempt INTEGER NOT NULL, done INTEGER NOT NULL, total INTEGER NOT NULL, created FLOAT NOT NULL, started FLOAT,
              finished FLOAT, engine TEXT, cancel INTEGER NOT NULL, last_seq INTEGER NOT NULL, PRIMARY KEY (id));
            CREATE INDEX jobs_by_turn ON jobs (state, priority, created);
            CREATE INDEX jobs_by_age ON jobs (created);
            CREATE TABLE events (job TEXT NOT NULL, seq INTEGER NOT NULL, kind TEXT NOT NULL, words TEXT NOT NULL, arrays BLOB,
              PRIMARY KEY (job, seq));
            CREATE TABLE results (job TEXT NOT NULL, words TEXT NOT NULL, arrays BLOB NOT NULL, PRIMARY KEY (job));
            CREATE TABLE artifacts (job TEXT NOT NULL, name TEXT NOT NULL, data BLOB NOT NULL, PRIMARY KEY (job, name));
            CREATE TABLE catalog (one INTEGER NOT NULL, words TEXT NOT NULL, PRIMARY KEY (one));
            CREATE TABLE engines (id TEXT NOT NULL, heartbeat FLOAT NOT NULL, words TEXT NOT NULL, PRIMARY KEY (id));
            INSERT INTO meta VALUES ('schema', '1');
            INSERT INTO jobs VALUES ('0123456789abcdef', 'run', '{"dataset":"moons"}', '', 'done', '', NULL, 0, 'auto', NULL, 1, 0, 0, 1.0,
              1.0, 2.0, NULL, 0, 0);
            INSERT INTO artifacts VALUES ('0123456789abcdef', 'frames/0', x'504b');
            """
        )
    raw.close()
    url = f"sqlite:///{tmp_path / 'lab.db'}"
    store = Store(url)
    assert store.job("0123456789abcdef").spec == {"dataset": "moons"} and store.job("0123456789abcdef").upload is None
    assert store.artifact("0123456789abcdef", "frames/0") == b"PK"
    made(store)
    store.forget("me")
    assert left() == []
    with store.database.reading() as db:
        names = "SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY 1"
        here = db.execute(sa.text(names)).scalars().all()
    store.close()
    fresh = Store(f"sqlite:///{tmp_path / 'fresh.db'}")
    with fresh.database.reading() as db:
        assert here == db.execute(sa.text(names)).scalars().all()
        columns = {t: [c[1] for c in db.execute(sa.text(f"PRAGMA table_info({t})"))] for t in ("jobs", "artifacts")}
    fresh.close()
    again = Store(url)
    with again.database.reading() as db:
        assert columns == {t: [c[1] for c in db.execute(sa.text(f"PRAGMA table_info({t})"))] for t in columns}
    again.close()
