"""Several engines on one store: who may run what, what becomes of runs of silent engines, draining, and the slot kept for people."""

from __future__ import annotations

import itertools
import json
import os
import threading
import time

import pytest
import sqlalchemy as sa

from engine.events import Note
from engine.executors import WorkFinished
from engine.service import Engine
from engine.store.abilities import Abilities, Taker
from engine.store.catalogs import name_catalog
from engine.store.engines import KEPT
from engine.store.jobs import PRIORITY_SWEEP
from engine.store.schema import CATALOGS, ENGINES, JOBS
from engine.version import NUMERICS
from tests.engine.test_store import SPEC, info
from tests.engine.test_store_gone import Executor, Turns

pytestmark = pytest.mark.both_databases
CATALOG = {
    "devices": ["cpu"],
    "methods": [{"name": "ce"}],
    "datasets": [{"fingerprint": "here", "available": True}, {"fingerprint": "absent", "available": False}],
}
SMALL = Abilities.from_catalog(CATALOG)
LARGE = Abilities(NUMERICS, ("cpu", "cuda"), ("ce", "smote"), ("here", "absent"))


def add_engine(store, id: str, able: Abilities | None = None, **more) -> str:
    """An engine that lives, with what it can run."""
    store.record_heartbeat(info(id, host=id, numerics=NUMERICS, **more))
    if able is not None:
        store.publish_abilities(id, able)
    return id


def set_job(store, id: str, **values) -> None:
    with store.database.writing() as connection:
        connection.execute(JOBS.update().where(JOBS.c.id == id).values(**values))


def test_abilities_are_those_of_the_live_catalog():
    assert Abilities(NUMERICS, ("cpu",), ("ce",), ("here",)) == SMALL
    assert Abilities.from_json(LARGE.to_json()) == LARGE and Abilities.from_json("") is None
    assert Abilities.from_catalog(None) == Abilities(NUMERICS) == Abilities.from_catalog({"devices": [], "datasets": []})


@pytest.mark.parametrize(
    ("asked", "lack"),
    [
        ({"device": "cuda"}, "has no device 'cuda'"),
        ({"method": "smote"}, "has no method 'smote'"),
        ({"fingerprint": "absent"}, "lacks the data of 'moons', or has another version of it"),
        ({"fingerprint": "of another version"}, "lacks the data"),
    ],
)
def test_a_job_goes_to_an_engine_that_can_run_it(store, asked, lack):
    method = asked.get("method", "ce")
    spec = SPEC.with_(method=method)
    id = store.submit(spec, fingerprint=asked.get("fingerprint", "here"), device=asked.get("device", "auto")).id
    add_engine(store, "small", SMALL)
    add_engine(store, "other", SMALL)
    able = Abilities(NUMERICS, ("cpu", "cuda"), None, ("absent", "here", "of another version"))
    assert store.claim("small", able=SMALL) is None and store.job(id).state == "queued"
    assert lack in store.explain_waiting(id)
    add_engine(store, "large", able)
    assert store.explain_waiting(id) == ""
    assert store.claim("large", able=able).id == id
    assert store.explain_waiting(id) == "", "it is not queued"


def test_a_job_that_goes_before_holds_up_no_other(store):
    first = store.submit(SPEC, fingerprint="here", device="cuda").id
    second = store.submit(SPEC.with_(seed=1), fingerprint="here").id
    assert store.claim("small", able=SMALL).id == second
    assert store.claim("small", able=SMALL) is None
    assert store.claim("large", able=LARGE, choose=lambda jobs: jobs[-1]).id == first


def test_a_job_of_another_version_of_the_numbers_waits_for_its_engine(store):
    id = store.submit(SPEC).id
    set_job(store, id, numerics=NUMERICS + 1)
    add_engine(store, "old", SMALL)
    assert store.claim("old", able=SMALL.without_lists()) is None
    assert f"old computes by version {NUMERICS} of the numbers" in store.explain_waiting(id)
    assert store.claim("new", able=Abilities(NUMERICS + 1)).id == id
    before = store.submit(SPEC.with_(seed=2)).id
    set_job(store, before, numerics=None)
    assert store.claim("old", able=SMALL).id == before, "of a store of before, which has no version"


def offer(store) -> tuple[list[str], list[str], list[str]]:
    """(methods, datasets that are there, devices) of the store's catalog."""
    catalog = store.catalog()
    there = [entry["name"] for entry in catalog["datasets"] if entry["available"]]
    return [entry["name"] for entry in catalog["methods"]], there, catalog["devices"]


def publish(store, id: str, catalog: dict, **more) -> None:
    store.publish_catalog(catalog)
    add_engine(store, id, Abilities.from_catalog(catalog), catalog=name_catalog(catalog), **more)


def test_what_is_offered_is_what_the_engines_that_live_can_do_together(store):
    moons, glass = ({"name": name, "fingerprint": f"{name} 1", "available": True} for name in ("moons", "glass2"))
    one = {
        "numerics": NUMERICS,
        "methods": [{"name": "ce"}, {"name": "smote", "title": "older"}],
        "datasets": [moons, glass | {"available": False}],
        "devices": ["cpu"],
        "device": "a processor",
    }
    two = one | {
        "methods": [{"name": "ce"}, {"name": "mine"}],
        "datasets": [moons | {"available": False}, glass],
        "devices": ["cpu", "cuda"],
        "device": "a card",
    }
    publish(store, "one", one)
    assert store.catalog() == one
    publish(store, "two", two, started=time.time() + 1)
    assert offer(store) == (["ce", "mine", "smote"], ["moons", "glass2"], ["cpu", "cuda"])
    assert store.catalog()["device"] == "a card"
    store.drain("two")
    assert store.catalog() == one, "it takes nothing new"
    store.retire("two")
    assert store.catalog() == one
    store.retire("one")
    assert store.catalog() == two, "with no engine, what was published last"
    publish(store, "older", one | {"numerics": NUMERICS - 1, "methods": [{"name": "gone"}]})
    publish(store, "one", one)
    assert store.catalog() == one, "what this program asks for is computed by its own numbers"


def test_catalogs_of_engines_that_are_gone_are_deleted(store):
    publish(store, "one", {"methods": [{"name": "ce"}]})
    publish(store, "two", {"methods": [{"name": "smote"}]})
    store.retire("two")
    with store.database.writing() as connection:
        connection.execute(CATALOGS.update().values(published=CATALOGS.c.published - KEPT - 60))
    publish(store, "three", {"methods": []})
    with store.database.reading() as connection:
        kept = connection.execute(sa.select(CATALOGS.c.digest)).scalars().all()
    assert sorted(kept) == sorted(map(name_catalog, ({"methods": [{"name": "ce"}]}, {"methods": []})))


def test_what_no_engine_can_run_says_so_and_only_then(store):
    id = store.submit(SPEC, fingerprint="here", device="cuda", owner="me").id
    assert store.explain_waiting(id, "me") == "", "no engine lives"
    add_engine(store, "one", SMALL)
    alone = "" if store.database.on_this_machine else "No engine that lives can run this: one has no device 'cuda'."
    assert store.explain_waiting(id, "me") == alone, "alone on its machine it takes it, and the run says why it fails"
    add_engine(store, "two", SMALL)
    words = "No engine that lives can run this: one has no device 'cuda'; two has no device 'cuda'."
    assert store.explain_waiting(id, "me") == words
    assert store.explain_waiting(id) == store.explain_waiting(id, "you") == "", "it is somebody's own"
    add_engine(store, "three", None)
    assert store.explain_waiting(id, "me") == "", "one that has not said what it can is asked"
    assert store.explain_waiting("unknown") == ""


def test_the_condition_and_the_sentence_agree(store):
    with store.database.writing() as connection:
        connection.execute(JOBS.delete())
    every = itertools.product(
        ("run", "embed", "compare"), ("auto", "cuda"), ("", "here", "absent"), ("ce", "smote"), (None, 1, NUMERICS)
    )
    spec = {"dataset": "moons", "params": {}}
    for n, (kind, device, print_, method, numerics) in enumerate(every):
        id = store.submit(SPEC.with_(seed=n), fingerprint="here").id
        words = json.dumps(spec | {"method": method})
        set_job(store, id, kind=kind, device=device, fingerprint=print_, numerics=numerics, spec=words)
    for able in (SMALL, LARGE, SMALL.without_lists(), Abilities(1, ("cpu",))):
        with store.database.reading() as connection:
            can = set(connection.execute(sa.select(JOBS.c.id).where(able.can_run)).scalars())
            jobs = connection.execute(sa.select(JOBS)).all()
        assert can == {job.id for job in jobs if not able.name_lack(job)} and 0 < len(can) < len(jobs)


def test_words_of_a_later_program_are_left_out(store):
    add_engine(store, "later", catalog="0123", device_memory={"cuda": 1000}, mps="/tmp/nvidia-mps")
    with store.database.writing() as connection:
        words = json.loads(connection.execute(sa.select(ENGINES.c.words)).scalar_one()) | {"more": 1}
        connection.execute(ENGINES.update().values(words=json.dumps(words)))
    (one,) = store.engines()
    assert (one.id, one.catalog, one.device_memory, one.mps) == ("later", "0123", {"cuda": 1000}, "/tmp/nvidia-mps")


# ---- runs of silent engines


def take_from(store, n: int, *, engine: str) -> str:
    id = store.submit(SPEC.with_(seed=n)).id
    assert store.claim(engine).id == id
    return id


def fall_silent(store, id: str) -> None:
    with store.database.writing() as connection:
        connection.execute(ENGINES.update().where(ENGINES.c.id == id).values(heartbeat=ENGINES.c.heartbeat - 60))


def test_runs_of_a_silent_engine_begin_again_twice_on_one_beside_it(store):
    now = time.time()
    add_engine(store, "steady", started=now - 200)
    id = store.submit(SPEC).id
    for n in (1, 2, 3):
        add_engine(store, f"falls {n}", started=now - 100)
        assert store.claim(f"falls {n}").attempt == n
        assert store.append(id, [Note("said")], attempt=n)
        assert store.interrupt_orphans() == [], "it was just heard"
        fall_silent(store, f"falls {n}")
        assert store.interrupt_orphans() == [id]
        assert store.interrupt_orphans() == [], "once"
        if n < 3:
            assert (store.job(id).state, store.job(id).attempt, store.events(id)) == ("queued", n + 1, [])
    assert store.job(id).state == "interrupted" and "Run it again" in store.job(id).reason
    assert store.submit(SPEC).attempt == 4
    assert store.claim("falls 1").id == id
    assert store.interrupt_orphans() == [id] and store.job(id).state == "queued", "asked for anew, it may be lost twice again"


def test_what_an_engine_that_stood_alone_ran_is_interrupted_on_one_machine(store):
    add_engine(store, "first", started=time.time() - 100)
    id = take_from(store, 0, engine="first")
    fall_silent(store, "first")
    add_engine(store, "next", started=time.time() - 1)
    assert store.interrupt_orphans() == [id]
    assert store.job(id).state == ("queued" if not store.database.on_this_machine else "interrupted")


def test_what_somebody_wants_stopped_does_not_begin_again(store):
    add_engine(store, "steady", started=time.time() - 200)
    add_engine(store, "falls", started=time.time() - 100)
    id = take_from(store, 0, engine="falls")
    store.cancel(id)
    fall_silent(store, "falls")
    assert store.interrupt_orphans() == [id] and store.job(id).state == "interrupted"


# ---- draining


@pytest.fixture
def engine(store, monkeypatch):
    """An engine of two slots in this process, whose workers are the test."""
    monkeypatch.setattr("engine.service.BEAT", 3600.0)  # no second thread writes meanwhile
    engine = Engine(store, Executor(), 2)
    engine.executor.idle = 1
    yield engine
    engine._end.set()


def test_a_drained_engine_ends_what_it_runs_takes_nothing_new_and_goes(store, engine):
    id = store.submit(SPEC).id
    engine.work(Turns(1))
    assert store.job(id).engine == engine.id and not store.is_drained(engine.id)
    assert store.drain(engine.id) and store.drain(engine.id) and not store.drain("unknown")
    waiting = store.submit(SPEC.with_(seed=1)).id
    engine.work(Turns(2))
    assert store.job(waiting).state == "queued" and store.job(id).state == "running"
    assert "takes nothing new" in store.explain_waiting(waiting)
    engine.executor.news = [WorkFinished((id, 1), "failed", "why")]
    engine.work(Turns(1000))
    assert store.job(id).state == "failed"
    engine.stop()
    assert store.engines() == [] and store.job(waiting).state == "queued"


def test_what_has_not_ended_in_time_is_queued_anew(store, engine):
    id = store.submit(SPEC).id
    engine.work(Turns(1))
    draining = threading.Event()
    draining.set()
    engine.work(Turns(10**6), draining, 0.05)
    assert store.engines()[0].draining
    engine.stop()
    assert (store.job(id).state, store.job(id).attempt, store.job(id).engine) == ("queued", 2, None)


@pytest.mark.parametrize(("drains", "state"), [(False, "interrupted"), (True, "queued")])
def test_an_engine_that_stops_at_once_queues_anew_where_it_drains(store, engine, drains, state):
    id = store.submit(SPEC).id
    engine.work(Turns(1))
    draining = threading.Event()
    if drains:
        draining.set()
    engine.work(Turns(3), draining, 60.0)
    engine.stop()
    assert store.job(id).state == state


# ---- the slot kept for people


def test_one_slot_of_all_engines_is_kept_for_people(store, engine):
    add_engine(store, "other", slots=1)
    for n in range(3):
        store.submit(SPEC.with_(seed=n), priority=PRIORITY_SWEEP)
    assert store.claim("other", takers=store.list_takers()) is not None
    engine.executor.idle = 2
    engine.work(Turns(2))
    assert len(store.list_running(engine.id)) == 1, "three slots, two cells"
    assert store.claim("other", takers=store.list_takers()) is None
    person = store.submit(SPEC.with_(seed=9)).id
    engine.work(Turns(1))
    assert store.job(person).engine == engine.id


def count_cells(store, takers: list[Taker], id: str, able: Abilities) -> int:
    """How many of the queued cells an engine takes."""
    return sum(store.claim(id, able=able, takers=takers) is not None for _ in range(10))


def test_the_slot_kept_for_people_is_one_that_can_take_the_job(store):
    takers = [Taker("small", 4, SMALL), Taker("large", 3, LARGE)]
    for n in range(5):
        store.submit(SPEC.with_(seed=n, method="smote"), fingerprint="here", priority=PRIORITY_SWEEP)
    assert count_cells(store, takers, "small", SMALL) == 0
    assert count_cells(store, takers, "large", LARGE) == 2, "of the three slots that have the method"
    assert store.claim("large", able=LARGE, takers=()) is not None, "without the reserve"
    for n in range(10):
        store.submit(SPEC.with_(seed=n), fingerprint="here", priority=PRIORITY_SWEEP)
    assert count_cells(store, takers, "small", SMALL) == 3, "of seven slots that can run them three have cells, and one is kept"
    person = store.submit(SPEC.with_(seed=99), fingerprint="here").id
    assert store.claim("small", able=SMALL, takers=takers).id == person


@pytest.mark.parametrize(("slots", "cells"), [(1, 1), (2, 1), (3, 2)])
def test_the_only_slot_that_can_take_a_cell_is_not_kept(store, slots, cells):
    takers = [Taker("small", 8, SMALL), Taker("large", slots, LARGE)]
    for n in range(4):
        store.submit(SPEC.with_(seed=n), device="cuda", fingerprint="here", priority=PRIORITY_SWEEP)
    assert count_cells(store, takers, "large", LARGE) == cells


def test_engines_that_take_jobs_are_those_that_live_and_do_not_drain(store):
    add_engine(store, "small", SMALL, slots=2)
    add_engine(store, "silent about itself", slots=1)
    add_engine(store, "asked to end", LARGE)
    add_engine(store, "ends by itself", LARGE, draining=True)
    add_engine(store, "gone", LARGE)
    store.drain("asked to end")
    fall_silent(store, "gone")
    takers = {one.id: one for one in store.list_takers()}
    assert takers == {
        "small": Taker("small", 2, SMALL),
        "silent about itself": Taker("silent about itself", 1, Abilities(NUMERICS)),
    }


def test_an_engine_keeps_a_slot_among_those_that_can_take_the_cell(store, engine):
    add_engine(store, "other", SMALL, slots=4)
    engine._able = LARGE
    for n in range(3):
        store.submit(SPEC.with_(seed=n, method="smote"), fingerprint="here", priority=PRIORITY_SWEEP)
    engine.executor.idle = 2
    engine.work(Turns(3))
    assert len(store.list_running(engine.id)) == 1, "its own two slots alone have the method"


def test_a_full_engine_leaves_a_free_one_time_to_take_what_is_urgent(store):
    cell = store.submit(SPEC, priority=PRIORITY_SWEEP).id
    assert store.claim("full").id == cell
    store.submit(SPEC.with_(seed=1))
    assert store.should_yield(cell, attempt=1) and not store.should_yield(cell, attempt=1, waited=60.0)


# ---- what a heartbeat says of the machine


@pytest.mark.sqlite
def test_a_heartbeat_names_the_folder_of_mps_while_it_runs(store, tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_MPS_PIPE_DIRECTORY", str(tmp_path))
    engine = Engine(store, Executor(), 2)
    try:
        engine.work(Turns(1))
        assert store.engines()[0].mps == "", "a folder without the service's pipe"
        os.mkfifo(tmp_path / "control")
        engine.work(Turns(1))
        assert store.engines()[0].mps == str(tmp_path)
    finally:
        engine.stop()
