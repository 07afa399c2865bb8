"""Names, pins, the list of what is there, deleting, sweeps that were started; and a store of the schema before."""

from __future__ import annotations

import sqlite3
import time

import pytest
import sqlalchemy as sa

from engine import events as ev
from engine.errors import BadInput, BadParameter, UnknownName
from engine.spec import Imbalance, RunSpec
from engine.spec.embedding import FEATURES
from engine.store import Store
from engine.store.bookmarks import MAX_NAME, Bookmark
from engine.store.jobs import PRIORITY_SWEEP
from engine.store.library import MAX_WORDS, Contents, Meant
from engine.store.schema import BOOKMARKS, JOBS, SWEEPS
from tests.engine.test_migrations import go_back
from tests.engine.test_store import finished
from tests.engine.test_uploads import spec as private

pytestmark = pytest.mark.both_databases
CANARY = "c4n4ry"
SPEC = RunSpec("moons", "ce", Imbalance("ratio", 5.0))
WORDS = {"datasets": ["moons", "glass2"], "methods": ["ce", "smote"], "ratios": [5.0, 20.0], "folds": 4, "seeds": 5}


def several(store: Store) -> dict[str, str]:
    """Runs by a short name: two done, one failed, one queued, a comparison."""
    made = {"first": finished(store, SPEC).id, "second": finished(store, SPEC.with_(method="smote", seed=1)).id}
    failed = store.submit(SPEC.with_(dataset="glass2"))
    store.finish(failed.id, "failed", "Killed: out of memory.", attempt=store.claim("e").attempt)
    compare = store.submit_compare("me", {"source": {"dataset": "wine"}, "budget": 15})
    return made | {"failed": failed.id, "compare": compare.id, "queued": store.submit(SPEC.with_(method="focal")).id}


def found(store: Store, owner: str | None = None, **asked) -> list[str]:
    rows, total = store.search(owner, **asked)
    assert total == len(rows)
    return [row.id for row in rows]


# ---- marks


def test_a_mark_is_its_makers_and_stays_when_the_run_is_run_again(store):
    job = store.submit(SPEC)
    assert store.bookmarks("me") == {}
    assert store.bookmark(job.id, "me", name="  the\tgood\u202e one ", pinned=True) == Bookmark("the good\ufffd one", True)
    assert store.bookmark(job.id, "me", name="the good one") == Bookmark("the good one", True)
    assert store.bookmark(job.id, None, pinned=True) == Bookmark("", True)
    assert store.bookmarks("me") == {job.id: Bookmark("the good one", True)} and store.bookmarks("you") == {}
    assert store.bookmarks(None) == {job.id: Bookmark("", True)}
    store.cancel(job.id)
    store.submit(SPEC)
    assert store.job(job.id).attempt == 2 and store.bookmarks("me")[job.id].name == "the good one"
    assert store.bookmark(job.id, "me", name="", pinned=False) == Bookmark() and store.bookmarks("me") == {}
    store.delete(job.id)
    assert store.bookmarks(None) == {}


def test_what_cannot_be_marked_is_refused(store):
    job = store.submit(SPEC)
    with pytest.raises(BadInput, match=f"{MAX_NAME} characters, and this one has {MAX_NAME + 1}"):
        store.bookmark(job.id, None, name="x" * (MAX_NAME + 1))
    for owner in (None, "you"):
        with pytest.raises(UnknownName, match="may have been deleted"):
            store.bookmark("0" * 16, owner, pinned=True)
    upload = store.add_upload("me", "a.csv", b"a,b\n1,2\n")
    mine = store.submit(private(upload), owner="me")
    for owner in (None, "you"):
        with pytest.raises(UnknownName):
            store.bookmark(mine.id, owner, name="not yours")


@pytest.mark.sqlite
def test_no_byte_of_a_private_runs_name_is_left(store, tmp_path):
    def left() -> list[str]:
        return [path.name for path in tmp_path.iterdir() if CANARY.encode() in path.read_bytes()]

    upload = store.add_upload("me", "a.csv", b"a,b\n1,2\n")
    jobs = [store.submit(private(upload, seedling=n), owner="me") for n in range(30)]
    for n, job in enumerate(jobs):
        store.bookmark(job.id, "me", name=f"{CANARY} {n}" + "x" * n)
    assert store.bookmarks("me")[jobs[3].id].name == f"{CANARY} 3xxx" and found(store, "me", text=f"{CANARY} 12x") == [
        jobs[12].id
    ]
    assert left() != []
    for job in jobs[:10]:  # renamed, unmarked, deleted, and forgotten with the table
        store.bookmark(job.id, "me", name="plain")
    for job in jobs[10:20]:
        store.bookmark(job.id, "me", name="")
    store.delete_many([job.id for job in jobs[20:25]], "me")
    assert len(store.bookmarks("me")) == 15
    store.forget("me", upload)
    assert store.bookmarks("me") == {} and store.database.empty_log() and left() == []


def test_deleting_a_run_takes_its_maps_and_all_their_marks(store):
    job = finished(store)
    store.put_artifact(job.id, FEATURES, ev.pack({"x": [0.0]}))
    embed = store.submit_embed(job.id, "pca")
    for id in (job.id, embed.id):
        store.bookmark(id, "me", pinned=True)
    held = store.count_contents([job.id], "me")
    assert (held.jobs, held.maps, held.sweeps) == (1, 1, 0) and held.size > 100
    assert store.delete_many([job.id], "me") == held
    with store.database.reading() as db:
        assert [db.execute(sa.select(sa.func.count()).select_from(t)).scalar_one() for t in (JOBS, BOOKMARKS)] == [0, 0]


def test_of_several_all_or_none_are_deleted_and_nobody_elses(store):
    upload = store.add_upload("me", "a.csv", b"a,b\n1,2\n")
    mine, public = store.submit(private(upload), owner="me"), store.submit(SPEC)
    for owner in ("you", None):
        assert store.count_contents([public.id, mine.id], owner).jobs == 1
        with pytest.raises(UnknownName):
            store.delete_many([public.id, mine.id], owner)
    assert store.job(public.id) and store.job(mine.id, "me")
    sweep = store.keep_sweep(WORDS)
    assert store.delete_many([public.id, mine.id, sweep], "me")[:3] == (2, 1, 0)
    assert found(store, "me") == [] and store.sweeps() == []
    assert store.count_contents(["0" * 16], "me") == Contents(0, 0, 0, 0)


# ---- the list


def test_what_is_there_is_found_by_text_and_filters(store):
    ids = several(store)
    store.bookmark(ids["second"], "me", name="Café 100%")
    everything = found(store, "me")
    assert everything == [ids[name] for name in ("queued", "compare", "failed", "second", "first")]
    for asked, names in {
        "text=moons": ("queued", "second", "first"),
        "text=SMOTE": ("second",),
        "text=moons smote": ("second",),
        "text=out of memory": ("failed",),
        "text=café": ("second",),
        "text=100%": ("second",),
        "text=%": ("second",),
        "text=_": (),
        "text=wine": ("compare",),
        "dataset=moons": ("queued", "second", "first"),
        "dataset=wine": ("compare",),
        "method=ce": ("failed", "first"),
    }.items():
        word, _, value = asked.partition("=")
        assert found(store, "me", **{word: value}) == [ids[name] for name in names], asked
    assert found(store, "you", text="café") == []
    assert found(store, text=ids["first"][:9]) == [ids["first"]]
    assert found(store, states=("done",), kinds=("run",)) == [ids["second"], ids["first"]]
    assert found(store, kinds=("compare",)) == [ids["compare"]] and found(store, kinds=()) == []
    assert found(store, text="synthetic", known={"smote": "Synthetic minority"}) == [ids["second"]]
    assert found(store, text="swapped", known={"glass2": "Swapped panes"}) == [ids["failed"]]


def test_a_word_finds_what_it_stands_for_too(store):
    ids = several(store)
    ids["frozen"] = store.submit(SPEC.with_(method="explicit-gradient", params={"eta_points": 0.0, "clamp": False})).id
    ids["natural"] = store.submit(SPEC.with_(imbalance=Imbalance())).id
    sweep = store.keep_sweep(WORDS)
    score = store.search(None, text=ids["first"])[0][0].score
    for word, meant, names in (
        ("done", Meant(states=("done",)), ("second", "first")),
        ("comparison", Meant(kinds=("compare",)), ("compare",)),
        ("natural", Meant(profile="native"), ("natural", "compare")),
        ("frozen", Meant(controls=(("explicit-gradient", {"eta_points": 0.0, "clamp": False}),)), ("frozen",)),
        ("other", Meant(controls=(("explicit-gradient", {"eta_points": 1.0}),)), ()),
        ("0.9", Meant(mean=(score["mean"], score["mean"] + 1e-9)), ("second", "first")),
        ("0.9", Meant(mean=(score["mean"] + 1e-9, 1.0)), ()),
    ):
        assert found(store, "me", text=word, meant={word: meant}) == [ids[name] for name in names], word
    assert sweep in found(store, text="5:1", meant={"5:1": Meant(ratio=5.0)})
    assert set(found(store, kinds=("run",), text="5:1", meant={"5:1": Meant(ratio=5.0)})) == set(ids.values()) - {
        ids["natural"], ids["compare"],
    }  # fmt: skip
    assert found(store, text="sweep", meant={"sweep": Meant(kinds=("sweep",))}) == [sweep]
    upload = store.add_upload("me", "a.csv", b"a,b\n1,2\n")
    mine = store.submit(private(upload), owner="me").id
    for owner, there in (("me", True), ("you", False), (None, False)):
        assert (mine in found(store, owner, text="qqq", meant={"qqq": Meant(states=("queued",))})) is there
        assert found(store, owner, text="qqq", meant={"qqq": Meant(own=True)}) == ([mine] if there else [])


def test_sorted_with_what_is_pinned_first_and_in_pages(store):
    ids = several(store)
    store.bookmark(ids["first"], "me", pinned=True, name="b")
    store.bookmark(ids["failed"], "me", name="a")
    assert found(store, "me")[0] == ids["first"] and found(store, "you")[-1] == ids["first"]
    assert found(store, "me", pinned=True) == [ids["first"]]
    assert found(store, "me", sort="name", descending=False)[:2] == [ids["first"], ids["failed"]]
    assert found(store, sort="method", descending=False, kinds=("run",)) == [
        ids[name] for name in ("failed", "first", "queued", "second")
    ]
    assert found(store, sort="dataset", descending=True)[0] == ids["compare"]
    assert found(store, sort="state", descending=True)[-1] in (ids["first"], ids["second"])
    assert set(found(store, sort="seconds")[:3]) == {ids["first"], ids["second"], ids["failed"]}
    pages = [store.search("me", offset=n, limit=2) for n in (0, 2, 4, 6)]
    assert [row.id for rows, _ in pages for row in rows] == found(store, "me") and {total for _, total in pages} == {5}


def test_a_row_says_what_is_known_of_it(store):
    ids = several(store)
    rows = {row.id: row for row in store.search("me")[0]}
    assert rows[ids["first"]].score == {"mean": 0.5, "low": 0.4, "high": 0.6, "n": 1, "interval": "no interval"}
    assert rows[ids["failed"]].job.reason == "Killed: out of memory." and rows[ids["failed"]].score is None
    assert rows[ids["compare"]].kind == "compare" and rows[ids["first"]].bookmark == Bookmark()
    for asked in ({"sort": "size"}, {"states": ("gone",)}, {"offset": -1}, {"limit": 10**6}):
        with pytest.raises(BadParameter):
            store.search("me", **asked)


def test_private_rows_are_their_owners_and_found_by_their_table(store):
    upload = store.add_upload("me", "Sales.csv", b"a,b\n1,2\n")
    mine, public = store.submit(private(upload), owner="me"), store.submit(SPEC)
    assert found(store, "me") == [public.id, mine.id] and found(store, "you") == found(store) == [public.id]
    assert found(store, "me", dataset=f"upload/{upload}") == [mine.id] and found(store, "you", dataset=f"upload/{upload}") == []
    assert found(store, "me", text="sales", known={f"upload/{upload}": "Sales.csv"}) == [mine.id]
    assert found(store, "me", text="c4n4ry") == []  # what its spec says of columns is not searched
    assert store.list_names("me") == (["moons", f"upload/{upload}"], ["ce"]) and store.list_names("you") == (["moons"], ["ce"])


@pytest.mark.sqlite
def test_a_private_method_is_in_no_index_and_found_all_the_same(store, tmp_path):
    way = f"{CANARY}-method"
    upload = store.add_upload("me", "a.csv", b"a,b\n1,2\n")
    store.submit(SPEC)
    mine = [store.submit(private(upload, n=n).with_(method=f"{way}-{n % 3}"), owner="me").id for n in range(60)]
    with store.database.reading() as db:
        kept = db.execute(
            sa.text("SELECT DISTINCT dataset, method FROM jobs INDEXED BY jobs_listed WHERE owner IS NOT NULL")
        ).all()
    assert kept == [(None, None)]
    assert set(found(store, "me", method=f"{way}-1")) == set(mine[1::3]) and found(store, "you", method=f"{way}-1") == []
    assert (
        set(found(store, "me", text=f"{way}-2"))
        == set(mine[2::3])
        == {j.id for j in store.jobs(owner="me", names=[f"{way}-2"])}
    )
    assert found(store, "me", text="swirl", known={f"{way}-0": "Swirl"}) == found(store, "me", method=f"{way}-0") != []
    assert store.list_names("me") == (["moons", f"upload/{upload}"], [f"{way}-0", f"{way}-1", f"{way}-2", "ce"])
    assert store.list_names("you") == (["moons"], ["ce"])
    by_method = found(store, "me", sort="method", descending=False, limit=100)
    assert set(by_method[:20]) == set(mine[::3]) and len(by_method) == 61
    store.forget("me", upload)
    assert store.database.empty_log() and [p.name for p in tmp_path.iterdir() if CANARY.encode() in p.read_bytes()] == []


def test_more_words_than_can_be_looked_for_are_refused(store):
    job = store.submit(SPEC)
    assert found(store, "me", text="moons " * MAX_WORDS) == [job.id]
    for many in (MAX_WORDS + 1, 1100):
        with pytest.raises(BadParameter, match=f"At most {MAX_WORDS} words .* these are {many}"):
            store.search("me", "moons " * many)


def test_who_waits_in_which_order_and_how_long_a_run_takes(store):
    assert store.list_queued("me") == [] and store.median_seconds() is None
    cell = store.submit(SPEC.with_(seed=9), priority=PRIORITY_SWEEP)
    upload = store.add_upload("you", "a.csv", b"a,b\n1,2\n")
    store.submit(private(upload), owner="you")
    last = store.submit(SPEC)
    assert [(n, job.id) for n, job in store.list_queued("me")] == [(1, last.id), (2, cell.id)]
    assert [n for n, _ in store.list_queued("you", limit=2)] == [0, 1]
    with store.database.writing() as db:
        db.execute(JOBS.update().where(JOBS.c.id == cell.id).values(state="done", started=100.0, finished=112.0))
    assert store.median_seconds() == 12.0


@pytest.mark.sqlite
def test_the_list_is_made_of_an_index(store):
    said = []

    def remember(connection, cursor, statement, parameters, *_):
        cursor = connection.connection.driver_connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
        said.append(" ".join(row[3] for row in cursor))

    sa.event.listen(store.database.sql_engine, "before_cursor_execute", remember)
    for owner in (None, "me"):
        for asked in ({}, {"text": ""}, {"dataset": "moons", "method": "ce", "states": ("done",)}, {"sort": "method"}):
            store.search(owner, **asked)
        store.list_names(owner)
    sa.event.remove(store.database.sql_engine, "before_cursor_execute", remember)
    own = "SEARCH private USING INDEX sqlite_autoindex_jobs_1 (id=?)"  # what a private row's method is read from, one by one
    plans = [plan.replace(own, "") for plan in said]
    lists = [plan for plan in plans if "jobs" in plan and "sqlite_autoindex_jobs" not in plan]
    assert len(lists) >= 18 and any(own in plan for plan in said)
    assert [plan for plan in lists if "INDEX jobs_listed" not in plan] == []


def test_jobs_below_thousands_of_cells_are_found(store):
    ids = several(store)
    upload = store.add_upload("me", "a.csv", b"a,b\n1,2\n")
    mine = store.submit(private(upload), owner="me").id
    for seed in range(5):
        store.submit(SPEC.with_(seed=100 + seed), priority=PRIORITY_SWEEP)
    assert [job.id for job in store.jobs(owner="me", urgent=0, limit=2)] == [mine, ids["queued"]]
    assert [job.id for job in store.jobs(owner="me", urgent=0, dataset="glass2")] == [ids["failed"]]
    assert [job.id for job in store.jobs(owner="me", dataset=f"upload/{upload}")] == [mine]
    assert store.jobs(owner="you", dataset=f"upload/{upload}") == []
    assert {job.id for job in store.jobs(names=["smote", "glass2"])} == {ids["second"], ids["failed"]}
    assert store.jobs(names=[]) == []


# ---- sweeps


def test_a_sweep_that_was_started_is_remembered_once(store):
    id = store.keep_sweep(WORDS)
    assert len(id) == 16 and store.keep_sweep(dict(reversed(WORDS.items()))) == id
    before = store.sweeps()[0]
    assert before.spec == WORDS and before.name == ""
    time.sleep(0.01)
    other = store.keep_sweep(WORDS | {"seeds": 1}, "Quick")
    assert [one.id for one in store.sweeps()] == [other, id] and [one.id for one in store.sweeps(1)] == [other]
    store.keep_sweep(WORDS)
    assert [one.id for one in store.sweeps()] == [id, other] and store.sweeps()[0].created > before.created


def test_sweeps_stand_among_the_runs(store):
    run, sweep = store.submit(SPEC), store.keep_sweep(WORDS)
    assert found(store) == [sweep, run.id] and found(store, kinds=("sweep",)) == [sweep]
    for asked in ({"dataset": "glass2"}, {"method": "smote"}, {"text": "glass2"}):
        assert found(store, **asked) == [sweep]
    assert found(store, text="swapped", known={"glass2": "Swapped panes"}) == [sweep]
    assert found(store, dataset="glass") == [] and found(store, states=("queued",)) == [run.id]
    store.bookmark(sweep, "me", name="Friday's", pinned=True)
    rows, _ = store.search("me", text="friday")
    assert rows[0].sweep.spec == WORDS and rows[0].bookmark == Bookmark("Friday's", True) and rows[0].job is None


# ---- a store of the schema before


def read_columns(db, table):
    """Its columns, without their order: a new store has them where they belong, an older one at the end."""
    return sorted(tuple(column)[1:] for column in db.execute(sa.text(f"PRAGMA table_xinfo({table})")))


def test_a_store_of_the_second_schema_is_taken_over(tmp_path):
    url = f"sqlite:///{tmp_path / 'lab.db'}"
    fresh = Store(url)
    job = finished(fresh)
    upload = fresh.add_upload("me", "a.csv", b"a,b\n1,2\n")
    mine = fresh.submit(private(upload), owner="me")
    names = "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY 1, 2"
    with fresh.database.reading() as db:
        facts = [read_columns(db, table) for table in ("jobs", "marks", "sweeps")]
        here = db.execute(sa.text(names)).all()
    fresh.close()
    with sqlite3.connect(tmp_path / "lab.db") as raw:  # what the second schema had not
        go_back(raw)
        raw.executescript(
            """
            DROP INDEX jobs_listed; DROP TABLE marks; DROP TABLE sweeps;
            ALTER TABLE jobs DROP COLUMN dataset; ALTER TABLE jobs DROP COLUMN method;
            UPDATE meta SET value = '2' WHERE key = 'schema';
            """
        )
        assert [c[1] for c in raw.execute("PRAGMA table_xinfo(jobs)")][-1] == "upload"
    raw.close()
    store = Store(url)
    assert store.job(job.id).state == "done" and store.result(job.id).n == 1
    assert found(store, dataset="moons") == [job.id] and set(found(store, "me")) == {job.id, mine.id}
    assert store.bookmark(job.id, "me", name="kept").name == "kept" and store.keep_sweep(WORDS)
    with store.database.reading() as db:
        assert [row[:2] for row in db.execute(sa.text(names))] == [row[:2] for row in here]
        assert [read_columns(db, table) for table in ("jobs", "marks", "sweeps")] == facts
        assert db.execute(sa.select(SWEEPS.c.id)).scalar() is not None
    store.close()
    again = Store(url)
    assert again.bookmarks("me") == {job.id: Bookmark("kept", False)}
    again.close()


def test_two_take_a_store_over_at_once(tmp_path):
    url = f"sqlite:///{tmp_path / 'lab.db'}"
    Store(url).close()
    with sqlite3.connect(tmp_path / "lab.db") as raw:
        raw.executescript(
            """
            DROP INDEX jobs_listed; DROP TABLE marks; DROP TABLE sweeps;
            ALTER TABLE jobs DROP COLUMN dataset; ALTER TABLE jobs DROP COLUMN method;
            UPDATE meta SET value = '2' WHERE key = 'schema';
            """
        )
    raw.close()
    one = Store(url)
    one.database._add_bookmarks()  # what a process does that read schema 2 before the other was done
    assert one.search(None) == ([], 0)
    one.close()


def test_a_result_without_that_measure_has_no_score(store):
    job = store.submit(SPEC)
    store.claim("e")
    store.save_result(job.id, ('{"metrics": {}}', b""), attempt=1)
    assert store.search(None)[0][0].score is None
