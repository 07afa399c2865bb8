"""People: ended sign-ins, who is an admin, what admins see and do, and quotas."""

from __future__ import annotations

import inspect
import time

import pytest
import sqlalchemy as sa

from engine.errors import NotAllowed, QuotaReached, UnknownName
from engine.executors import WorkFinished
from engine.service import Engine
from engine.spec.run import upload_id
from engine.store import Store, people, queue
from engine.store.administration import Administration
from engine.store.people import is_admin, name_person
from engine.store.quotas import Used, count_seconds
from engine.store.schema import ASKERS, AUDIT, BOOKMARKS, JOBS, OWNERS, SPENT, UPLOADS
from tests.engine.test_store import SPEC, info
from tests.engine.test_store_gone import Executor, Turns

pytestmark = pytest.mark.both_databases

ANN, BEN = (f"oidc:{letter * 64}" for letter in "ab")
BROWSER = "m" * 43
CSV = b"age,ill\n" + b"61,no\n" * 40
SECRET = "p4tients"


@pytest.fixture
def admin(monkeypatch: pytest.MonkeyPatch) -> str:
    """Ann, whom LAB_ADMINS names beside a browser's token."""
    monkeypatch.setenv("LAB_ADMINS", f"{ANN}, {BROWSER}")
    return ANN


def private(store: Store, owner: str):
    table = store.add_upload(owner, f"{SECRET}.csv", CSV)
    assert upload_id(f"upload/{table}") == table
    return store.submit(SPEC.with_(dataset=f"upload/{table}", data={"target": "ill"}), owner=owner)


# ---- sign-ins


def test_an_ended_sign_in_counts_no_more(store):
    store.sign_out(ANN, "one")
    assert store.is_signed_out(ANN, "one", 10.0) and not store.is_signed_out(ANN, "two", 10.0)
    assert not store.is_signed_out(BEN, "one", 10.0)


@pytest.mark.sqlite  # on PostgreSQL the database's clock counts, which no test sets
def test_signing_out_everywhere_ends_what_was_issued_until_then(store, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 1000.5)
    store.sign_out_everywhere(ANN, 990.0)
    assert store.is_signed_out(ANN, "any", 990.0) and store.is_signed_out(ANN, "other", 1000.0)
    assert not store.is_signed_out(ANN, "any", 1001.0) and not store.is_signed_out(BEN, "any", 990.0)
    store.sign_out_everywhere(ANN, 1030.0)  # the provider's clock is ahead
    assert store.is_signed_out(ANN, "any", 1030.0), "at the same second it is refused"
    assert not store.is_signed_out(ANN, "any", 1031.0)
    monkeypatch.setattr(time, "time", lambda: 1030.0 + people.KEPT + 1)
    store.sign_out(BEN, "one")
    assert not store.is_signed_out(ANN, "any", 990.0), "rows whose cookies have run out go"


# ---- admins


def test_admins_are_people_whom_the_setting_names(admin, monkeypatch):
    assert is_admin(ANN) and not is_admin(BEN) and not is_admin(None)
    assert not is_admin(BROWSER), "a browser's token is no person, even where it is named"
    monkeypatch.delenv("LAB_ADMINS")
    assert not is_admin(ANN)


VERBS = {
    "read_sizes": (),
    "list_active": (),
    "count_people": (),
    "list_acts": (),
    "cancel_for": ("a job",),
    "forget_for": ("oidc-0",),
    "drain_for": ("an engine", lambda engine: pytest.fail("it was asked")),
}


def test_every_verb_of_admins_refuses_others_and_writes_nothing(store, admin):
    assert sorted(VERBS) == sorted(n for n, _ in inspect.getmembers(Administration, inspect.isfunction) if n[0] != "_")
    for name, more in VERBS.items():
        for other in (None, "", BEN, BROWSER, name_person(ANN)):
            with pytest.raises(NotAllowed, match="LAB_ADMINS"):
                getattr(store, name)(other, *more)
    assert store.list_acts(admin) == []


def test_nothing_that_admins_see_names_what_is_private(store, admin):
    public, mine = store.submit(SPEC, asker=BEN), private(store, BROWSER)
    store.bookmark(mine.id, BROWSER, f"{SECRET} named")
    store.record_heartbeat(info())
    sizes, jobs, counted = store.read_sizes(admin), store.list_active(admin), store.count_people(admin)
    assert (sizes.jobs, sizes.tables, sizes.table_bytes) == ({"queued": 2}, 1, len(CSV))
    assert {job.id: (job.private, job.dataset, job.method) for job in jobs} == {
        public.id: (False, "moons", "ce"),
        mine.id: (True, "", ""),
    }
    assert {job.id: job.person for job in jobs} == {public.id: name_person(BEN), mine.id: name_person(BROWSER)}
    by_name = {one.person: one for one in counted}
    assert (by_name[name_person(BROWSER)].tables, by_name[name_person(BROWSER)].private_jobs) == (1, 1)
    assert by_name[name_person(BEN)].queued == 1
    said = repr((sizes, jobs, counted, store.list_acts(admin)))
    assert SECRET not in said and BROWSER not in said, "a token is as good as a key to the tables"


def test_admins_cancel_and_forget_and_each_act_is_in_the_log(store, admin):
    public, mine = store.submit(SPEC, asker=BEN), private(store, BEN)
    assert store.cancel_for(admin, public.id) and not store.cancel_for(admin, public.id)
    assert store.job(public.id).state == "cancelled"
    store.bookmark(public.id, BEN, "a name of Ben's", True)
    gone = store.forget_for(admin, name_person(BEN))
    assert (gone.tables, gone.jobs) == (1, 1) and store.uploads(BEN) == [] and store.bookmarks(BEN) == {}
    with pytest.raises(UnknownName):
        store.job(mine.id, BEN)
    assert store.forget_for(admin, name_person(BEN))[:2] == (0, 0), "there is nobody so called"
    drained = []
    store.drain_for(admin, "e", drained.append)
    assert drained == ["e"]
    acts = store.list_acts(admin)
    assert {act.admin for act in acts} == {name_person(ANN)}
    assert sorted((act.act, act.outcome) for act in acts) == [
        ("cancel", "cancelled"),
        ("cancel", "nothing to cancel"),
        ("drain", "asked"),
        ("forget", "0 tables and 0 jobs deleted"),
        ("forget", "1 tables and 1 jobs deleted"),
        ("forget", "begun"),
        ("forget", "begun"),
    ]
    with store.database.reading() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(AUDIT)).scalar() == 7


# ---- tables of a browser become its person's


def owners_of(store: Store) -> set[str]:
    """Everybody whom a row of the store names."""
    columns = (UPLOADS.c.owner, JOBS.c.owner, BOOKMARKS.c.owner, OWNERS.c.owner, ASKERS.c.person)
    with store.database.reading() as connection:
        found = {owner for column in columns for owner in connection.execute(sa.select(column)).scalars()}
    return found - {None, ""}


def test_a_browsers_tables_become_its_persons_with_all_that_is_made_from_them(store, admin, monkeypatch):
    monkeypatch.setenv("LAB_MOST_QUEUED", "9")
    mine, others, public = private(store, BROWSER), private(store, "o" * 43), store.submit(SPEC, asker="o" * 43)
    store.put_artifact(mine.id, "scored.csv", b"age;flag\n")
    store.bookmark(mine.id, BROWSER, f"{SECRET} named", True)
    (kept,) = store.uploads(BROWSER)
    assert store.hand_over(BROWSER, BEN) == (1, 1)
    assert store.uploads(BROWSER) == [] and store.uploads(BEN) == [kept]
    assert store.read_upload(kept.id, BEN) == (f"{SECRET}.csv", CSV) and store.read_upload(kept.id, BROWSER) is None
    job = store.job(mine.id, BEN)
    assert (job.owner, job.spec, job.state) == (BEN, mine.spec, "queued")
    assert store.artifact(mine.id, "scored.csv", owner=BEN) == b"age;flag\n"
    assert store.bookmarks(BEN)[mine.id].name == f"{SECRET} named" and store.bookmarks(BROWSER) == {}
    assert store.read_asker(mine.id) == name_person(BEN)
    with pytest.raises(UnknownName):
        store.job(mine.id, BROWSER)
    assert owners_of(store) == {BEN, "o" * 43, name_person(BEN), name_person("o" * 43)}, "nothing names the browser any more"
    assert [one.id for one in store.uploads("o" * 43)] == [others.upload] and store.job(public.id).owner is None
    assert store.hand_over(BROWSER, BEN) == (0, 0), "there is nothing left"
    (act,) = store.list_acts(admin)
    assert (act.admin, act.act, act.outcome) == (name_person(BEN), "hand over", "1 tables and 1 jobs")
    assert BROWSER not in repr(act) and SECRET not in repr(act)
    gone = store.forget(BEN)
    assert (gone.tables, gone.jobs) == (1, 1) and store.forget(BROWSER)[:2] == (0, 0)


@pytest.mark.parametrize(
    ("browser", "person"), [(ANN, BEN), (BROWSER, "n" * 43), (BROWSER, None), (None, BEN), ("", BEN), (ANN, ANN), (BROWSER, "")]
)
def test_nobody_elses_tables_can_be_taken(store, admin, browser, person):
    for owner in (ANN, BROWSER):
        private(store, owner)
    with pytest.raises(NotAllowed, match="who signed in there"):
        store.hand_over(browser, person)
    assert len(store.uploads(ANN)) == len(store.uploads(BROWSER)) == 1 and store.list_acts(admin) == []


@pytest.mark.parametrize(
    ("setting", "most", "said"),
    [
        ("LAB_MOST_TABLES", "2", "1 table here, and with 2 more"),
        ("LAB_MOST_MB", "1", "1 MiB together"),
        ("LAB_MOST_QUEUED", "2", "3 waiting here, and 2 may"),
    ],
)
def test_what_is_too_much_for_a_person_stays_with_the_browser(store, admin, monkeypatch, setting, most, said):
    monkeypatch.setattr("tests.engine.test_people.CSV", CSV + b"61,no\n" * 70_000)  # 0.4 MiB
    for owner in (BROWSER, BROWSER, BEN):
        private(store, owner)
    monkeypatch.setenv("LAB_MOST_QUEUED", "9")
    monkeypatch.setenv(setting, most)
    for job in store.jobs(owner=BEN):
        with store.database.writing() as connection:  # as where it was asked for under a quota
            store.database.upsert(connection, ASKERS, {"job": job.id, "person": name_person(BEN)})
    with pytest.raises(QuotaReached, match=said):
        store.hand_over(BROWSER, BEN)
    assert len(store.uploads(BROWSER)) == 2 and len(store.uploads(BEN)) == 1 and store.list_acts(admin) == []


def test_a_table_that_is_still_arriving_stays_with_the_browser(store):
    private(store, BROWSER)
    writer = store.begin_upload(BROWSER, "next.csv")
    assert store.hand_over(BROWSER, BEN) == (1, 1)
    writer.write(CSV)
    late = writer.finish()
    assert [one.id for one in store.uploads(BROWSER)] == [late] and len(store.uploads(BEN)) == 1
    assert BROWSER in owners_of(store)


@pytest.mark.sqlite  # on PostgreSQL rows are sealed, and their keys stay as they are
def test_what_was_handed_over_and_forgotten_is_in_no_file(store, tmp_path):
    mine = private(store, BROWSER)
    store.put_artifact(mine.id, "scored.csv", SECRET.encode() * 3)
    store.bookmark(mine.id, BROWSER, f"{SECRET} named", True)
    store.hand_over(BROWSER, BEN)
    assert any(SECRET.encode() in path.read_bytes() for path in tmp_path.iterdir())
    assert store.forget(BEN) == (1, 1, True)
    assert not any(SECRET.encode() in path.read_bytes() for path in tmp_path.iterdir())


def test_a_job_whose_table_changes_hands_as_it_is_claimed_is_claimed_again(store, monkeypatch):
    monkeypatch.setattr("engine.service.BEAT", 3600.0)
    engine, mine = Engine(store, Executor(), 1), private(store, BROWSER)
    claim = store.claim

    def hand_over_between(*words, **more):
        job = claim(*words, **more)
        store.hand_over(BROWSER, BEN)
        return job

    monkeypatch.setattr(store, "claim", hand_over_between)
    engine.executor.idle = 1
    engine.work(Turns(1))
    assert store.job(mine.id, BEN).state == "queued" and not engine._running
    engine.work(Turns(2))
    assert store.job(mine.id, BEN).state == "running" and len(engine._running) == 1


# ---- quotas


def test_without_settings_no_job_of_a_browser_is_counted(store):
    store.submit(SPEC, asker=BROWSER)
    with store.database.reading() as connection:
        assert connection.execute(sa.select(ASKERS.c.job)).first() is None


def test_so_many_jobs_of_a_person_wait(store, monkeypatch):
    monkeypatch.setenv("LAB_MOST_QUEUED", "2")
    for seed in (1, 2):
        store.submit(SPEC.with_(seed=seed), asker=BROWSER)
    assert store.submit(SPEC.with_(seed=1), asker=BROWSER).state == "queued", "what waits already is no more"
    with pytest.raises(QuotaReached, match="2 jobs waiting"):
        store.submit(SPEC.with_(seed=3), asker=BROWSER)
    with pytest.raises(QuotaReached):
        private(store, BROWSER)
    assert [job.spec["seed"] for job in store.jobs()] == [2, 1]
    with pytest.raises(QuotaReached):
        store.submit_missing([(SPEC.with_(seed=seed), "") for seed in (4, 5, 6)], asker=ANN)
    monkeypatch.setattr(queue, "PORTION", 2)
    with pytest.raises(QuotaReached, match="these 3 jobs you would have 3 waiting here, and 2 may wait"):
        store.submit_missing([(SPEC.with_(seed=seed), "") for seed in (4, 5, 6)], asker=ANN)
    assert len(store.jobs()) == 2, "of too many none is queued"
    store.submit(SPEC.with_(seed=3), asker=ANN)
    store.submit(SPEC.with_(seed=9))  # a terminal has no asker
    store.claim("e")
    assert store.submit(SPEC.with_(seed=8), asker=BROWSER).state == "queued", "one has begun"


@pytest.mark.sqlite  # on PostgreSQL the database's clock counts, which no test sets
def test_so_many_seconds_of_engines_are_a_persons_in_a_day(store, monkeypatch):
    monkeypatch.setenv("LAB_MOST_SECONDS", "100")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)
    store.record_spent(name_person(ANN), 60.0)
    job = store.submit(SPEC, asker=ANN)
    assert store.read_asker(job.id) == name_person(ANN) and store.read_asker("none") is None
    store.claim("e")
    now += 45.0  # it runs
    with pytest.raises(QuotaReached, match="used 105 s .* 100 s"):
        store.submit(SPEC.with_(seed=1), asker=ANN)
    store.submit(SPEC.with_(seed=1), asker=BEN)
    store.delete(job.id)
    store.record_spent(name_person(ANN), 45.0)  # as the engine that ran it does
    with pytest.raises(QuotaReached):
        store.submit(SPEC.with_(seed=2), asker=ANN)
    now += 24 * 3600.0 + 1
    assert store.submit(SPEC.with_(seed=2), asker=ANN).state == "queued"
    store.record_spent(name_person(BEN), 1.0)
    with store.database.reading() as connection:
        assert connection.execute(sa.select(SPENT.c.person)).scalars().all() == [name_person(BEN)], "rows of a day are kept"


def test_the_tables_of_a_person_have_so_many_bytes(store, monkeypatch):
    monkeypatch.setenv("LAB_MOST_MB", "1")
    store.add_upload(ANN, "a.csv", bytes(700 << 10))
    with pytest.raises(QuotaReached, match="1 MiB together"):
        store.add_upload(ANN, "b.csv", bytes(400 << 10))
    with pytest.raises(QuotaReached):
        store.begin_upload(ANN, "b.csv", 400 << 10)
    assert [one.name for one in store.uploads(ANN)] == ["a.csv"]
    store.add_upload(BEN, "b.csv", bytes(400 << 10))


def test_a_person_reads_what_is_used_of_their_quotas(store, monkeypatch):
    monkeypatch.setenv("LAB_MOST_QUEUED", "5")
    assert store.read_used(BROWSER) == Used(0, 0, 0, 0.0)
    store.add_upload(BROWSER, "a.csv", bytes(700))
    for seed in (1, 2, 3):
        store.submit(SPEC.with_(seed=seed), asker=BROWSER)
    store.submit(SPEC.with_(seed=4), asker=ANN)
    store.claim("e")
    store.record_spent(name_person(BROWSER), 45.0)
    used = store.read_used(BROWSER)
    assert (used.tables, used.size, used.queued) == (1, 700, 2) and 45.0 <= used.seconds < 60.0, "one of three runs"


def test_who_asked_is_deleted_with_the_job(store):
    job, mine = store.submit(SPEC, asker=ANN), private(store, ANN)
    store.delete(job.id)
    assert store.read_asker(job.id) is None and store.read_asker(mine.id) == name_person(ANN)
    store.forget(ANN)
    assert store.read_asker(mine.id) is None


def test_an_engine_counts_the_seconds_of_every_job_however_it_ends(store, monkeypatch):
    monkeypatch.setattr("engine.service.BEAT", 3600.0)
    engine = Engine(store, Executor(), 4)
    jobs = [store.submit(SPEC.with_(seed=seed), asker=ANN) for seed in range(3)]
    store.submit(SPEC.with_(seed=9))  # a terminal's
    engine.executor.idle = 4
    engine.work(Turns(1))
    engine.executor.idle = 0
    assert len(engine._running) == 4 and {key[0] for key in engine._asked} == {job.id for job in jobs}
    engine._asked = {key: (who, since - 700.0) for key, (who, since) in engine._asked.items()}
    engine.executor.news = [WorkFinished((jobs[0].id, 1), "failed", "why")]
    store.delete(jobs[1].id)
    engine.work(Turns(2))
    with store.database.reading() as connection:
        assert count_seconds(store.database, connection, name_person(ANN)) >= 1400.0, (
            "of one that failed and one that was deleted"
        )
    engine.stop()
    with store.database.reading() as connection:
        spent = connection.execute(sa.select(SPENT.c.person, SPENT.c.seconds)).all()
    assert [row.person for row in spent] == [name_person(ANN)] * 3 and all(row.seconds >= 700.0 for row in spent)
