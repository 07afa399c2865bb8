"""The store alone: queue, record, events, artifacts, catalog, heartbeats, bundles, and files that are damaged."""

from __future__ import annotations

import dataclasses
import itertools
import json
import multiprocessing
import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time
import zipfile

import numpy as np
import pytest
import sqlalchemy as sa

from engine import events as ev
from engine.errors import BadData, BadInput, StoreError, UnknownName
from engine.spec import RunSpec
from engine.spec.result import Result
from engine.store import PRIORITY_INTERACTIVE, EngineInfo, Store, default_url, queue
from engine.store.jobs import PRIORITY_SWEEP
from engine.store.migrations import latest_schema

pytestmark = pytest.mark.both_databases
SPEC = RunSpec(dataset="moons", method="ce", params={"steps": 3})


def info(id: str = "e", **changes) -> EngineInfo:
    now = time.time()
    return dataclasses.replace(EngineInfo(id, "here", os.getpid(), now, now, "cpu", ["cpu"], 2, 2, 0, 40.0), **changes)


def frame(step: int) -> ev.Frame:
    points = np.arange(8, dtype=np.int16).reshape(4, 2) + step
    surface = np.full((ev.GRID, ev.GRID), step % 256, np.uint8)
    return ev.Frame(0, "points", 1, step, 0.5, points, np.zeros(4, np.uint16), surface)


def result_of(job, **arrays) -> Result:
    metrics = {"average_precision": {"mean": 0.5, "low": 0.4, "high": 0.6, "values": [0.5]}}
    return Result(
        run_id=job.id,
        spec=job.spec,
        metrics=metrics,
        per_class={},
        class_counts={"train": {"0": 10.0}},
        interval="no interval",
        n=1,
        test_share=0.33,
        positive="1",
        prevalence=0.1,
        seconds=1.5,
        provenance={"device": "cpu"},
        arrays={"pr_recall": np.linspace(0, 1, 5), **arrays},
    )


def finished(store: Store, spec: RunSpec = SPEC):
    store.submit(spec)
    job = store.claim("e")
    store.append(job.id, [ev.Phase("fit", "Training"), frame(1), ev.Progress(3, 9), frame(2)], attempt=job.attempt)
    assert store.save_result(job.id, result_of(job), {"frames/0": b"\x00frames", "frames/1": b"more"}, attempt=job.attempt)
    return store.job(job.id)


# ---- queue


def test_the_same_spec_twice_is_the_same_job(store):
    first = store.submit(SPEC, priority=5)
    assert first.state == "queued" and first.active and first.attempt == 1
    again = store.submit(SPEC.with_(), priority=9)
    assert (again.id, again.priority, again.created) == (first.id, 5, first.created)
    assert store.submit(SPEC, priority=1).priority == 1
    assert RunSpec.from_json(first.spec) == SPEC
    assert store.submit(SPEC, fingerprint="other").id != first.id


def test_a_finished_run_is_answered_from_the_record(store):
    job = finished(store)
    asked = store.submit(SPEC)
    assert asked == job and asked.state == "done" and not asked.active
    assert store.result(asked.id) == result_of(job)
    assert np.array_equal(store.result(asked.id).arrays["pr_recall"], np.linspace(0, 1, 5))


def test_again_starts_over_and_leaves_nothing_of_the_old_run(store):
    job = finished(store)
    fresh = store.submit(SPEC, again=True, priority=2)
    assert (fresh.state, fresh.attempt, fresh.done, fresh.total, fresh.started) == ("queued", 2, 0, 0, None)
    assert store.events(job.id) == [] and store.artifacts(job.id) == [] and store.result(job.id) is None
    store.claim("e")
    store.append(job.id, [ev.Note("new")])
    assert [seq for seq, _ in store.events(job.id)] == [1]


@pytest.mark.parametrize("state", ["failed", "cancelled", "interrupted"])
def test_a_run_that_ended_badly_is_queued_anew(store, state):
    id = store.submit(SPEC).id
    store.claim("e")
    assert store.finish(id, state, "Because.")
    assert (store.job(id).state, store.job(id).reason) == (state, "Because.")
    again = store.submit(SPEC)
    assert (again.state, again.reason, again.attempt, again.engine) == ("queued", "", 2, None)


def test_the_urgent_go_first_then_the_oldest(store):
    sweep = [store.submit(SPEC.with_(seed=n), priority=PRIORITY_SWEEP) for n in range(2)]
    now = [store.submit(SPEC.with_(seed=n + 10), priority=PRIORITY_INTERACTIVE) for n in range(2)]
    order = [now[0].id, now[1].id, sweep[0].id, sweep[1].id]
    assert [store.position(id) for id in order] == [0, 1, 2, 3]
    assert store.count_active() == {"queued": 4, "running": 0}
    claimed = [store.claim("e", max_priority=PRIORITY_SWEEP - 1) for _ in range(3)]
    assert [job and job.id for job in claimed] == [*order[:2], None]
    assert [store.claim("e").id for _ in range(2)] == order[2:]
    assert store.claim("e") is None
    assert store.count_active() == {"queued": 0, "running": 4}
    assert store.claim("e", kinds=()) is None


def test_jobs_lists_the_newest_first(store):
    ids = [store.submit(SPEC.with_(seed=n)).id for n in range(4)]
    assert [job.id for job in store.jobs()] == ids[::-1]
    assert [job.id for job in store.jobs(limit=2)] == ids[:1:-1]
    store.claim("e")
    assert [job.id for job in store.jobs(states=("running",))] == ids[:1]


def test_cancel_ends_a_queued_job_and_asks_a_running_one(store):
    queued, running = store.submit(SPEC.with_(seed=2), priority=3).id, store.submit(SPEC).id
    assert store.claim("e").id == running
    store.cancel(queued)
    store.cancel(running)
    store.cancel("nobody")
    assert store.job(queued).state == "cancelled" and store.job(queued).finished is not None
    assert store.job(running).state == "running"
    assert store.cancel_requested("e") == [running] and store.cancel_requested("other") == []
    assert store.list_running("e") == {running: (1, True)}
    assert store.finish(running, "cancelled", "Cancelled.")
    store.cancel(running)
    assert store.job(running).state == "cancelled" and store.cancel_requested("e") == []


def test_asking_again_while_it_is_being_cancelled_starts_a_new_attempt(store):
    id = store.submit(SPEC).id
    store.claim("e")
    store.cancel(id)
    assert store.submit(SPEC).attempt == 2
    assert store.list_running("e") == {}
    assert not store.finish(id, "cancelled", attempt=1)
    assert store.job(id).state == "queued"


def test_a_finished_job_stays_as_it_is(store):
    job = finished(store)
    assert not store.finish(job.id, "failed", "Late.")
    assert not store.append(job.id, [ev.Note("late")])
    assert not store.save_result(job.id, result_of(job))
    assert store.job(job.id) == job
    with pytest.raises(StoreError, match="must be failed"):
        store.finish(job.id, "done")


def test_an_attempt_that_was_replaced_writes_nothing(store):
    id = store.submit(SPEC).id
    old = store.claim("sleeper")
    store.finish(id, "interrupted")
    store.submit(SPEC)
    new = store.claim("fresh")
    assert (old.attempt, new.attempt) == (1, 2)
    assert not store.append(id, [ev.Note("ghost")], attempt=old.attempt)
    assert not store.finish(id, "failed", "ghost", attempt=old.attempt)
    assert not store.save_result(id, result_of(old), {"a": b"ghost"}, attempt=old.attempt)
    assert store.append(id, [ev.Note("real")], attempt=new.attempt)
    assert [event for _, event in store.events(id)] == [ev.Note("real")]
    assert store.artifacts(id) == [] and store.job(id).state == "running"


# ---- events and artifacts


def test_events_come_in_order_after_a_number_and_by_kind(store):
    id = store.submit(SPEC).id
    store.claim("e")
    store.append(id, [ev.Phase("fit", "Training"), frame(1)])
    store.append(id, [ev.encode(frame(2)), ev.Progress(1, 4), ev.Epoch("fit", 1, 7, 0, {"valid_ap": [0.5, float("nan")]})])
    store.append(id, [])
    store.append(id, [ev.Progress(2, 4), frame(3)])
    every = store.events(id)
    assert [seq for seq, _ in every] == [1, 2, 3, 4, 5, 6, 7]
    assert [ev.kind(e) for _, e in every] == ["phase", "frame", "frame", "progress", "epoch", "progress", "frame"]
    assert [seq for seq, _ in store.events(id, after=4)] == [5, 6, 7]
    assert store.events(id, after=7) == []
    frames = store.events(id, after=2, kinds=("frame",), limit=1)
    assert [seq for seq, _ in frames] == [3]
    assert np.array_equal(frames[0][1].points, frame(2).points) and frames[0][1].points.dtype == np.int16
    assert (store.job(id).done, store.job(id).total) == (2, 4)


def test_artifacts_are_kept_by_name(store):
    job = finished(store)
    assert store.artifacts(job.id) == ["frames/0", "frames/1"]
    assert store.artifact(job.id, "frames/0") == b"\x00frames"
    store.put_artifact(job.id, "frames/0", b"new")
    assert store.artifact(job.id, "frames/0") == b"new" and store.artifact(job.id, "none") is None
    with pytest.raises(UnknownName):
        store.put_artifact("nobody", "x", b"")


def test_delete_leaves_no_byte(store, tmp_path):
    job = finished(store)
    secret = b"unmistakable-secret"
    store.put_artifact(job.id, "secret", secret * 50)
    store.delete(job.id)
    with pytest.raises(UnknownName):
        store.job(job.id)
    assert store.events(job.id) == [] and store.result(job.id) is None
    assert store.database.empty_log()
    assert all(secret not in file.read_bytes() for file in tmp_path.iterdir())


def test_another_owners_run_reads_like_one_that_is_not_there(store, tmp_path):
    mine = store.submit(SPEC, owner="me")
    assert mine.id != store.submit(SPEC, priority=1).id
    job = store.claim("e")
    assert job.id == mine.id
    store.append(job.id, [ev.Note("private")])
    store.save_result(job.id, result_of(job), {"a": b"private"})
    for owner in (None, "you"):
        with pytest.raises(UnknownName) as hidden:
            store.job(mine.id, owner)
        with pytest.raises(UnknownName) as absent:
            store.job("nobody", owner)
        assert str(hidden.value).replace(mine.id, "") == str(absent.value).replace("nobody", "")
        assert mine.id not in [j.id for j in store.jobs(owner=owner)]
        assert store.result(mine.id, owner) is None
        assert store.events(mine.id, owner=owner) == []
        assert store.artifacts(mine.id, owner=owner) == [] and store.artifact(mine.id, "a", owner=owner) is None
    assert store.job(mine.id, "me").owner == "me"
    assert [j.id for j in store.jobs(owner="me")][-1] == mine.id and len(store.jobs(owner="me")) == 2
    assert store.result(mine.id, "me") is not None and store.events(mine.id, owner="me")
    assert store.artifacts(mine.id, owner="me") == ["a"] and store.artifact(mine.id, "a", owner="me") == b"private"
    with pytest.raises(BadInput, match="private"):
        store.export([mine.id], tmp_path / "b.zip")


def test_the_last_event_of_a_kind_is_told_by_an_index_and_fetched_by_its_key(store):
    for seed in (1, 2):
        store.submit(SPEC.with_(seed=seed))
        job = store.claim("e")
        store.append(job.id, [event for n in range(300) for event in (ev.Note(str(n)), ev.Progress(n, 300))])
    with store.database.writing() as connection:
        connection.exec_driver_sql("ANALYZE")
    on_sqlite, plans = store.url.startswith("sqlite"), []

    def explain(connection, cursor, statement, parameters, *_):
        explained = f"EXPLAIN {'QUERY PLAN' if on_sqlite else '(COSTS OFF)'} {statement}"
        plans.append("\n".join(str(row[-1]) for row in connection.connection.driver_connection.execute(explained, parameters)))

    sa.event.listen(store.database.sql_engine, "before_cursor_execute", explain)
    assert store.last_event(job.id, "progress") == ev.Progress(299, 300) and store.last_event(job.id, "frame") is None
    sa.event.remove(store.database.sql_engine, "before_cursor_execute", explain)
    plan = next(plan for plan in plans if "events" in plan)
    by_kind, by_key = (
        ("same USING COVERING INDEX events_by_kind (job=? AND kind=?)", "sqlite_autoindex_events_1 (job=? AND seq=?)")
        if on_sqlite
        else ("Index Only Scan Backward using events_by_kind", "Index Scan using events_pkey")
    )
    assert by_kind in plan and by_key in plan and "Sort" not in plan and "Seq Scan on events" not in plan, plan


# ---- catalog, engines, orphans


def test_the_catalog_is_one_row_that_an_engines_restart_does_not_empty(store):
    assert store.catalog() is None
    store.publish_catalog({"numerics": 1, "methods": []})
    store.record_heartbeat(info("new"))
    assert store.catalog() == {"numerics": 1, "methods": []}
    store.publish_catalog({"numerics": 2})
    assert store.catalog() == {"numerics": 2}


def test_engines_are_those_heard_of_lately(store):
    now = time.time()
    for id, heartbeat in (("alive", now), ("dead", now - 60), ("ahead", now + 60)):
        store.record_heartbeat(info(id, heartbeat=heartbeat))
    assert [engine.id for engine in store.engines()] == ["alive"]
    one = store.engines()[0]
    assert one == info("alive", started=one.started, heartbeat=one.heartbeat) and abs(one.heartbeat - now) < 30
    assert len(store.engines(alive_within=100)) == 3
    store.retire("alive")
    assert store.engines() == []


def test_runs_of_engines_without_a_heartbeat_alone_are_interrupted(store):
    ids = {}
    for n, (engine, age) in enumerate((("alive", 0), ("silent", store.database.silence + 2), ("unheard", None))):
        ids[engine] = store.submit(SPEC.with_(seed=n), priority=n).id
        if age is not None:
            store.record_heartbeat(info(engine, heartbeat=time.time() - age))
        assert store.claim(engine).id == ids[engine]
    queued = store.submit(SPEC.with_(seed=9)).id
    assert sorted(store.interrupt_orphans()) == sorted([ids["silent"], ids["unheard"]])
    if store.database.on_this_machine:
        assert store.job(ids["silent"]).state == "interrupted"
        assert "Run it again" in store.job(ids["silent"]).reason
    else:
        assert store.job(ids["silent"]).state == store.job(ids["unheard"]).state == "queued"
    assert store.job(ids["alive"]).state == "running" and store.job(queued).state == "queued"
    assert store.interrupt_orphans() == []


def test_after_a_sleep_no_run_is_interrupted_before_its_engine_can_beat(store, monkeypatch):
    store.submit(SPEC)
    store.record_heartbeat(info("e"))
    id = store.claim("e").id
    awake = time.time
    monkeypatch.setattr(time, "time", lambda: awake() + 3600)
    assert store.interrupt_orphans(stale_after=0.3) == [] == store.interrupt_orphans(stale_after=0.3)
    store.record_heartbeat(info("e"))
    time.sleep(0.35)
    store.record_heartbeat(info("e"))
    assert store.interrupt_orphans(stale_after=0.3) == []
    time.sleep(0.35)
    assert store.interrupt_orphans(stale_after=0.3) == [id]


# ---- bundles


def test_a_bundle_carries_runs_to_another_store(store, tmp_path):
    jobs = [finished(store), finished(store, SPEC.with_(seed=1))]
    bundle = tmp_path / "runs.zip"
    store.export([job.id for job in jobs], bundle)
    other = Store(f"sqlite:///{tmp_path / 'other.db'}")
    assert other.load(bundle) == [job.id for job in jobs]
    for job in jobs:
        got = other.job(job.id)
        assert (got.state, got.spec, got.done, got.total) == ("done", job.spec, 3, 9)
        assert other.result(job.id) == store.result(job.id)
        assert [ev.encode(e) for _, e in other.events(job.id)] == [ev.encode(e) for _, e in store.events(job.id)]
        assert other.artifact(job.id, "frames/0") == b"\x00frames"
    assert other.submit(SPEC).state == "done"
    other.put_artifact(jobs[0].id, "frames/0", b"own")
    assert other.load(bundle) == [job.id for job in jobs]
    assert other.artifact(jobs[0].id, "frames/0") == b"own", "what is there already stays"
    second = tmp_path / "again.zip"
    store.export([job.id for job in jobs], second)
    assert second.read_bytes() == bundle.read_bytes()
    assert not list(tmp_path.glob("*.part"))
    other.close()


def test_only_finished_runs_that_are_there_are_exported(store, tmp_path):
    with pytest.raises(UnknownName):
        store.export(["nobody"], tmp_path / "b.zip")
    id = store.submit(SPEC).id
    with pytest.raises(BadInput, match="queued"):
        store.export([id], tmp_path / "b.zip")
    assert not list(tmp_path.glob("b.zip*"))


def test_a_damaged_bundle_is_refused_whole(store, tmp_path):
    jobs = [finished(store), finished(store, SPEC.with_(seed=1))]
    good = tmp_path / "good.zip"
    store.export([job.id for job in jobs], good)
    data = good.read_bytes()
    other = Store(f"sqlite:///{tmp_path / 'other.db'}")
    bad = tmp_path / "bad.zip"
    for damaged in (b"", b"no zip", data[: len(data) // 2], data[:300] + bytes(200) + data[500:]):
        bad.write_bytes(damaged)
        with pytest.raises(BadData):
            other.load(bad)
    with pytest.raises(BadData):
        other.load(tmp_path / "absent.zip")

    def rewritten(change):
        with zipfile.ZipFile(good) as source, zipfile.ZipFile(bad, "w") as target:
            for name in source.namelist():
                target.writestr(name, change(name, source.read(name)))
        return bad

    future = json.dumps({"format": 99, "runs": []}).encode()
    with pytest.raises(BadData, match="format 99"):
        other.load(rewritten(lambda name, data: future if name == "bundle.json" else data))
    last = f"{jobs[1].id}/result.npz"
    with pytest.raises(BadData):
        other.load(rewritten(lambda name, data: b"torn" if name == last else data))
    swapped = {f"{jobs[1].id}/result.json": f"{jobs[0].id}/result.json"}
    with zipfile.ZipFile(good) as source:
        other_words = {name: source.read(swapped[name]) for name in swapped}
    with pytest.raises(BadData, match="another run"):
        other.load(rewritten(lambda name, data: other_words.get(name, data)))
    assert other.jobs() == [], "a refused bundle leaves nothing"
    other.close()


def test_a_run_from_the_terminal_is_recorded_as_done(store):
    job = store.submit(SPEC)
    result = result_of(job)
    store.delete(job.id)
    kept = store.record_run(SPEC, result, [ev.Progress(4, 4), frame(1)], {"frames/0": b"f"})
    assert (kept.id, kept.state, kept.done, kept.attempt) == (job.id, "done", 4, 1)
    assert len(store.events(kept.id)) == 2 and store.result(kept.id) == result
    assert store.record_run(SPEC, result, []) == kept, "a run already done stays as it is"
    assert len(store.events(kept.id)) == 2


# ---- files that are not what they should be


@pytest.mark.parametrize("content", [b"this is no database at all, " * 100, b"SQLite format 3\x00" + bytes(2000)])
def test_a_file_that_is_no_database_is_one_sentence(tmp_path, content):
    path = tmp_path / "lab.db"
    path.write_bytes(content)
    with pytest.raises(StoreError, match="lab.db") as caught:
        Store(f"sqlite:///{path}").jobs()
    assert "Traceback" not in str(caught.value) and "\n" not in str(caught.value)
    assert path.read_bytes() == content, "a damaged file is left for its owner to look at"


@pytest.mark.sqlite
def test_a_half_written_database_is_one_sentence(store, tmp_path):
    job = finished(store)
    store.put_artifact(job.id, "big", os.urandom(200_000))
    store.database.empty_log()
    store.close()
    data = (tmp_path / "lab.db").read_bytes()
    half = tmp_path / "half.db"
    half.write_bytes(data[: len(data) // 2 // 4096 * 4096])
    with pytest.raises(StoreError, match="damaged"):
        Store(f"sqlite:///{half}").artifact(job.id, "big")


@pytest.mark.sqlite
def test_an_unknown_schema_is_refused(store, tmp_path):
    store.close()
    with sqlite3.connect(tmp_path / "lab.db") as raw:
        raw.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
    raw.close()
    with pytest.raises(StoreError, match=f"schema 99 and this version reads schema {latest_schema()};"):
        Store(store.url)


def test_a_database_of_another_program_is_refused(tmp_path):
    with sqlite3.connect(tmp_path / "other.db") as raw:
        raw.execute("CREATE TABLE recipes (id)")
    raw.close()
    with pytest.raises(StoreError, match="another program"):
        Store(f"sqlite:///{tmp_path / 'other.db'}")


@pytest.mark.parametrize("url", ["nonsense", "sqlite://", "sqlite:///:memory:", "postgresql://me:secret@host/db"])
def test_a_url_that_cannot_be_used_is_refused(url):
    with pytest.raises(StoreError, match="URL") as caught:
        Store(url)
    assert "secret" not in str(caught.value)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(StoreError, match="absent"):
        Store(f"sqlite:///{tmp_path / 'absent' / 'lab.db'}")


def test_the_default_store_is_private(tmp_path, monkeypatch):
    monkeypatch.delenv("LAB_STORE", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    url = default_url()
    folder = tmp_path / "imbalance-lab"
    assert url == f"sqlite:///{folder / 'lab.db'}"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    monkeypatch.setenv("LAB_STORE", "sqlite:////elsewhere.db")
    assert default_url() == "sqlite:////elsewhere.db"


@pytest.mark.sqlite
def test_a_polite_stop_leaves_all_in_one_file(store, tmp_path):
    job = finished(store)
    assert store.database.empty_log()
    assert (tmp_path / "lab.db-wal").stat().st_size == 0
    (tmp_path / "copy.db").write_bytes((tmp_path / "lab.db").read_bytes())
    copy = Store(f"sqlite:///{tmp_path / 'copy.db'}")
    assert copy.job(job.id).state == "done"
    copy.close()


def test_the_store_imports_neither_torch_nor_sklearn():
    code = "import sys, engine.store.store; print([m for m in ('torch', 'sklearn') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# ---- many at once


def claimer(url: str, name: str, pipe) -> None:
    try:
        store = Store(url)
        pipe.send("ready")
        pipe.recv()
        mine = []
        while (job := store.claim(name)) is not None:
            mine.append(job.id)
            store.append(job.id, [ev.Note("mine"), frame(1)])
            store.finish(job.id, "failed", "done with it")
        pipe.send(mine)
    except StoreError as error:
        pipe.send(str(error))


def reader(url: str, name: str, pipe) -> None:
    try:
        store = Store(url)
        pipe.send("ready")
        pipe.recv()
        looks = 0
        while store.count_active()["queued"]:
            for job in store.jobs(limit=5):
                store.events(job.id)
            store.interrupt_orphans()
            looks += 1
        pipe.send(looks)
    except StoreError as error:
        pipe.send(str(error))


def test_three_claimers_and_two_readers_meet_no_lock_and_share_every_job_once(tmp_path):
    url = f"sqlite:///{tmp_path / 'lab.db'}"
    store = Store(url)
    ids = {store.submit(SPEC.with_(seed=n)).id for n in range(150)}
    for name in "abc":
        store.record_heartbeat(info(name, heartbeat=time.time() + 2))
    context = multiprocessing.get_context("spawn")
    crowd = []
    for name, target in (("a", claimer), ("b", claimer), ("c", claimer), ("r", reader), ("s", reader)):
        here, there = context.Pipe()
        process = context.Process(target=target, args=(url, name, there))
        process.start()
        there.close()
        crowd.append((name, process, here))
    for _, _, pipe in crowd:
        assert pipe.poll(150) and pipe.recv() == "ready"
    for name in "abc":
        store.record_heartbeat(info(name))
    for _, _, pipe in crowd:
        pipe.send("go")
    said = {}
    for name, process, pipe in crowd:
        assert pipe.poll(150)
        said[name] = pipe.recv()
        process.join(60)
        assert process.exitcode == 0
        pipe.close()
    claimed = [said[name] for name in "abc"]
    assert all(isinstance(mine, list) for mine in claimed), said
    assert sum(map(len, claimed)) == 150 and set().union(*claimed) == ids
    assert all(isinstance(said[name], int) and said[name] > 0 for name in "rs"), said
    store.close()


def opener(url: str, barrier, pipe) -> None:
    barrier.wait(150)
    try:
        store = Store(url)
        store.submit(SPEC)
        pipe.send("")
    except StoreError as error:
        pipe.send(f"{error} {error.__cause__}")


def test_several_first_openers_make_one_store(tmp_path):
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(4)
    pipes = []
    for _ in range(4):
        here, there = context.Pipe()
        process = context.Process(target=opener, args=(f"sqlite:///{tmp_path / 'lab.db'}", barrier, there))
        process.start()
        there.close()
        pipes.append((process, here))
    for process, pipe in pipes:
        assert pipe.poll(150) and pipe.recv() == ""
        process.join(60)
        pipe.close()
    store = Store(f"sqlite:///{tmp_path / 'lab.db'}")
    assert len(store.jobs()) == 1
    store.close()


def test_a_store_is_shared_between_threads(store):
    errors = []

    def work(n: int) -> None:
        try:
            for k in range(20):
                id = store.submit(SPEC.with_(seed=100 * n + k)).id
                store.cancel(id)
                store.jobs(limit=3)
        except StoreError as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not errors and len(store.jobs(limit=500)) == 120


# ---- many at once


def many(n: int) -> list[tuple[RunSpec, str]]:
    return [(SPEC.with_(seed=k), "print") for k in range(n)]


def test_many_are_queued_in_their_order_and_only_where_they_are_missing(store):
    asked = many(6)
    ids = [spec.run_id("print") for spec, _ in asked]
    urgent = store.submit(asked[3][0], fingerprint="print")
    assert [job.id for job in store.submit_missing(asked[:5])] == [*ids[:3], ids[4]]
    assert store.submit_missing(asked[:5]) == [] and store.job(ids[3]) == urgent
    assert [store.claim("e").id for _ in range(3)] == [ids[3], ids[0], ids[1]]
    store.append(ids[0], [ev.Note("old")])
    assert store.finish(ids[0], "failed", "No memory.") and store.save_result(ids[1], result_of(store.job(ids[1])))
    store.cancel(ids[3])  # it runs, and was asked to stop
    again = store.submit_missing([*asked, asked[5]], priority=4, device="cpu")
    assert [job.id for job in again] == [ids[0], ids[3], ids[5]] and [job.attempt for job in again] == [2, 2, 1]
    assert {(job.priority, job.device, job.owner) for job in again} == {(4, "cpu", None)}
    assert store.events(ids[0]) == [] and store.job(ids[1]).state == "done"
    assert not store.save_result(ids[3], result_of(store.job(ids[3])), attempt=1), "what was asked to stop is not heard again"


def test_many_are_queued_in_few_statements(store):
    store.jobs()
    count = []
    sa.event.listen(store.database.sql_engine, "before_cursor_execute", lambda *_: count.append(1))
    assert len(store.submit_missing(many(400))) == 400
    assert len(count) < 12


def test_others_write_between_two_portions_and_the_order_stays(store, empty_url, monkeypatch):
    monkeypatch.setattr(queue, "PORTION", 3)
    other, asked = Store(empty_url), many(8)
    monkeypatch.setattr(queue.time, "sleep", lambda _: other.record_heartbeat(info()))  # fails where one transaction held all
    jobs = store.submit_missing([*asked[:4], asked[1], *asked[4:]])
    assert [job.id for job in jobs] == [spec.run_id("print") for spec, _ in asked]
    assert all(a.created < b.created for a, b in itertools.pairwise(jobs))
    assert [store.claim("e").id for _ in jobs] == [job.id for job in jobs]
    other.close()


def test_asking_again_queues_what_a_failure_left_out(store, monkeypatch):
    monkeypatch.setattr(queue, "PORTION", 3)

    def fail(_: float) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(queue.time, "sleep", fail)
        store.submit_missing(many(8))
    ids = [spec.run_id("print") for spec, _ in many(8)]
    assert {job.id for job in store.jobs()} == set(ids[:3])
    assert [job.id for job in store.submit_missing(many(8))] == ids[3:] and store.count_active()["queued"] == 8


def test_many_are_stopped_but_not_what_is_more_urgent(store):
    jobs = store.submit_missing(many(4))
    ids = [job.id for job in jobs]
    store.submit(many(4)[2][0], fingerprint="print")
    assert [store.claim("e").id for _ in range(2)] == [ids[2], ids[0]]
    assert store.cancel_all([*ids, "nobody"]) == 3
    assert [store.job(id).state for id in ids] == ["running", "cancelled", "running", "cancelled"]
    assert store.cancel_requested("e") == [ids[0]] and store.cancel_all(ids) == 0


def test_answers_of_many_are_jobs_and_words_of_those_one_may_see(store):
    job = finished(store)
    waiting = store.submit(SPEC.with_(seed=1))
    mine = store.submit(SPEC.with_(seed=2), owner="me")
    ids = [job.id, waiting.id, mine.id, "nobody", job.id, *map(str, range(1200))]
    found = store.read_results(ids)
    assert found == {job.id: (job, result_of(job).to_json()), waiting.id: (waiting, None)}
    assert store.read_results(ids, "me").keys() == {job.id, waiting.id, mine.id}
    some = store.read_results(ids, fields=("metrics", "n", "interval"))[job.id][1]
    assert some == {name: result_of(job).to_json()[name] for name in ("metrics", "n", "interval")}
    assert store.read_results(ids, fields=False)[job.id] == (job, None) and store.read_results([]) == {}


def test_a_cell_that_made_way_is_as_if_it_had_not_begun(store):
    cell = store.submit(SPEC, priority=PRIORITY_SWEEP)
    other = store.submit(SPEC.with_(seed=1), priority=PRIORITY_SWEEP)
    assert store.claim("e").id == cell.id and not store.should_yield(cell.id, attempt=1)
    urgent = store.submit(SPEC.with_(seed=2))
    assert store.should_yield(cell.id, attempt=1) and not store.should_yield(cell.id, attempt=2)
    assert not store.should_yield(other.id, attempt=1), "it is not running"
    store.append(cell.id, [ev.Phase("fit", "Training"), ev.Progress(3, 9)], attempt=1)
    assert not store.requeue(cell.id, attempt=2) and store.requeue(cell.id, attempt=1)
    given = store.job(cell.id)
    assert given == dataclasses.replace(cell, attempt=2) and store.events(cell.id) == []
    assert not store.append(cell.id, [ev.Note("late")], attempt=1) and not store.requeue(cell.id, attempt=1)
    assert [store.claim("e").id for _ in range(3)] == [urgent.id, cell.id, other.id]
    store.append(cell.id, [ev.Note("new")], attempt=2)
    assert [seq for seq, _ in store.events(cell.id)] == [1]


def test_a_cell_that_is_asked_for_or_cancelled_does_not_make_way(store):
    for seed in (0, 1):
        store.submit(SPEC.with_(seed=seed), priority=PRIORITY_SWEEP)
    cells = [store.claim("e") for _ in range(2)]
    store.submit(SPEC.with_(seed=9))
    store.submit(SPEC.with_(seed=0))  # a person asks for the first cell himself
    store.cancel(cells[1].id)
    assert [store.should_yield(cell.id, attempt=1) for cell in cells] == [False, False]
    assert not store.requeue(cells[1].id, attempt=1) and store.list_running("e")[cells[1].id] == (1, True)
