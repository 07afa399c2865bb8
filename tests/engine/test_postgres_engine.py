"""An engine process, as it is shipped, on PostgreSQL: public and private work, a restart in mid-run, and a crash that takes the keys."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa
import streamlit as st

from app.session import recorded, visitor
from engine.errors import StoreError, UnknownName
from engine.events import Epoch, Event, Frame, Scene, encode, kind
from engine.spec import RunSpec
from engine.store import Job, Store
from engine.store.forgetting import FORGET_AFTER
from engine.store.jobs import CANCELLED
from engine.store.postgres import KEYS
from engine.store.schema import JOBS, OWNERS, PIECES
from engine.store.sealing import KEY_GONE
from tests.app.conftest import opened
from tests.engine.test_forgetting import CANARY, table
from tests.engine.test_sealing import holders, read_key
from tests.engine.test_service import Process, alive
from tests.postgres import Server, lacking, serving

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]
ME = "m" * 43
LONG = RunSpec("moons", "ce", params={"epochs": 2000}, folds=5, seeds=100)
"""It does not end within a test."""
PATIENCE = 240.0
"""Seconds for what takes a few on an idle machine."""


def until(what: Callable[[], Any]) -> Any:
    """The first truthy value of `what`, asked a few times a second: the runs need the processor."""
    end = time.monotonic() + PATIENCE
    while not (value := what()):
        assert time.monotonic() < end, f"waited {PATIENCE} s in vain"
        time.sleep(0.1)
    return value


class Shipped(Process):
    """`python -m engine serve` with LAB_STORE."""

    def command(self, catalog: str) -> list[str]:
        return [sys.executable, "-m", "engine", "serve"]


class Lab(NamedTuple):
    """A server that tests may stop, a store on it, and its engine, whose files are in `folder`."""

    server: Server
    store: Store
    engine: Shipped
    folder: Path

    def complete(self, spec: RunSpec) -> RunSpec:
        catalog = self.store.catalog()
        assert catalog is not None
        return spec.complete(catalog)

    def ask(self, seed: int = 0, **params: Any) -> RunSpec:
        return self.complete(RunSpec("moons", "ce", params={"hidden": [4]} | params, seed=seed))

    def end(self, id: str, owner: str | None = None) -> Job:
        """The job, once it has ended; the store may be away meanwhile."""
        return until(lambda: (job := self.read(id, owner)) and not job.active and job)

    def start(self, id: str, owner: str | None = None) -> None:
        """Wait until the run has trained for some epochs."""
        until(lambda: len(self.store.events(id, owner=owner, kinds=("epoch",))) > 5)

    def read(self, id: str, owner: str | None = None) -> Job | None:
        """None while the store cannot be read."""
        try:
            return self.store.job(id, owner)
        except UnknownName:
            raise
        except StoreError:
            return None

    def hold(self, what: bytes) -> list[str]:
        """Files of the server and of the engine with these bytes."""
        self.server.run_sql("CHECKPOINT")
        mine = [path for path in self.folder.rglob("*") if path.is_file() and what in path.read_bytes()]
        return holders(self.server, what) + [path.name for path in mine]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    if reason := lacking():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    folder = tmp_path_factory.mktemp("lab")
    homes = {name: str(folder / name) for name in ("home", "tmp")}
    for path in homes.values():
        Path(path).mkdir()
    env = {"HOME": homes["home"], "XDG_CACHE_HOME": homes["home"]} | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), homes["tmp"])
    with serving(synchronous_commit="on") as server:  # else a crash of the server takes the last commits along
        store = Store(server.url())
        engine = Shipped(store, folder / "engine.log", LAB_STORE=server.url(), **env)
        try:
            until(lambda: (info := engine.info()) and info.ready == 2)
            yield Lab(server, store, engine, folder)
            assert engine.popen.poll() is None, (folder / "engine.log").read_text()
        finally:
            engine.end()
            store.close()


def trained(events: list[tuple[int, Event]]) -> list[tuple[str, str, bytes | None]]:
    """What a run computed, as it is stored; its progress and its notes hold times."""
    return [encode(event) for _, event in events if isinstance(event, Scene | Epoch | Frame)]


def test_a_public_run_ends_and_another_is_cancelled(lab: Lab) -> None:
    done = lab.end(lab.store.submit(lab.ask(epochs=3)).id)
    assert (done.state, done.reason, done.attempt) == ("done", "", 1)
    result, events = lab.store.result(done.id), lab.store.events(done.id)
    assert result is not None and result.n == 1 and "frames/0" in lab.store.artifacts(done.id)
    assert [seq for seq, _ in events] == list(range(1, len(events) + 1)) and "epoch" in {kind(event) for _, event in events}
    long = lab.store.submit(lab.complete(LONG))
    lab.start(long.id)
    lab.store.cancel(long.id)
    job = lab.end(long.id)
    assert (job.state, job.reason) == ("cancelled", CANCELLED) and lab.store.result(job.id) is None
    until(lambda: lab.engine.info().ready == 2 and lab.engine.info().busy == 0)


def test_a_private_table_is_compared_and_learnt_and_gone_when_it_is_forgotten(lab: Lab) -> None:
    store = lab.store
    upload = store.add_upload(ME, f"{CANARY}.csv", table())
    asked = {"source": {"upload": upload}, "target": "answer", "budget": 5, "methods": ["ce"]}
    compare = store.submit_compare(ME, asked).id
    data = {"target": "answer", "positive": f"yes {CANARY}", "reading": {"types": {f"{CANARY} column": "numeric"}}}
    spec = RunSpec(f"upload/{upload}", "ce", data=data, params={"epochs": 2, "hidden": [4]})
    run = store.submit(lab.complete(spec), owner=ME).id
    for id in (compare, run):
        job = lab.end(id, ME)
        assert job.state == "done", job.reason
    found, result = store.read_answer(compare, "comparison", ME), store.result(run, ME)
    assert isinstance(found, dict) and CANARY in str(found["data"]) and [row["name"] for row in found["methods"]] == ["ce"]
    assert result is not None and result.run_id == run and CANARY in str(result.per_class)
    assert store.artifact(compare, "model/ce", owner=ME) and store.last_event(compare, "board", owner=ME) is not None
    key = read_key(store, upload)
    assert lab.hold(CANARY.encode()) == [], "what is private is sealed in every file"
    assert store.result(run, "you") is store.read_answer(compare, "comparison") is None

    workers = {info.pid: info for info in lab.engine.workers()}
    assert store.forget(ME, upload) == (1, 2, True)
    for id in (compare, run):
        with pytest.raises(UnknownName):
            store.job(id, ME)
        assert store.artifacts(id, owner=ME) == [] and store.events(id, owner=ME) == [] and store.result(id, ME) is None
    assert store.uploads(ME) == [] and store.read_upload(upload, ME) is None
    until(lambda: not all(map(alive, workers.values())))
    until(lambda: lab.engine.info().ready == 2)

    silent = store.add_upload(ME, f"{CANARY}.csv", table())
    profile = lab.end(store.submit_profile(ME, silent, {"target": "answer"}).id, ME)
    assert profile.state == "done", profile.reason
    workers = {info.pid: info for info in lab.engine.workers()}
    with store.database.writing() as connection:  # half an hour and a second pass; the engine notices
        connection.execute(OWNERS.update().values(seen=store.database.clock - FORGET_AFTER - 1))
    until(lambda: not store.uploads(ME))
    until(lambda: not all(map(alive, workers.values())))
    until(lambda: lab.engine.info().ready == 2)
    with pytest.raises(UnknownName):
        store.job(profile.id, ME)
    assert lab.hold(CANARY.encode()) == []
    with store.database.reading() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(PIECES)).scalar() == 0
        assert connection.execute(sa.select(KEYS.c.id)).scalars().all() == [""]
    assert lab.hold(key) == lab.hold(CANARY.encode()) == []


def test_a_restart_of_the_server_in_mid_run_loses_nothing_and_doubles_nothing(lab: Lab) -> None:
    store, asked = lab.store, lab.ask(seed=2, epochs=600)
    id = store.submit(asked).id
    waiting = [store.submit(lab.ask(seed=seed, epochs=2)).id for seed in range(3, 7)]
    lab.start(id)
    for _ in range(2):
        lab.server.restart()
        before = until(lambda: lab.read(id))
        assert before.active, "the run is longer than the restarts"
        time.sleep(0.3)
    jobs = [lab.end(one) for one in (id, *waiting)]
    assert [(job.state, job.reason, job.attempt) for job in jobs] == [("done", "", 1)] * 5
    assert "lost or refused" in (lab.folder / "engine.log").read_text(), "the engine did not notice"
    disturbed, result = store.events(id), store.result(id)
    assert [seq for seq, _ in disturbed] == list(range(1, len(disturbed) + 1))
    assert lab.end(store.submit(asked, again=True).id).attempt == 2
    again = store.result(id)
    assert trained(disturbed) == trained(store.events(id)) != []
    assert result is not None and again is not None and result.metrics == again.metrics


def kill_a_backend(server: Server) -> None:
    """kill -9 of one connection's process: the server ends all others, and empties UNLOGGED tables."""
    others = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() LIMIT 1"
    ((pid,),) = server.run_sql(others, "lab")
    os.kill(pid, signal.SIGKILL)


def written(page: Any) -> str:
    return " ".join(str(element.value) for kind in ("markdown", "error", "warning", "caption") for element in page.get(kind))


def test_a_killed_backend_takes_private_tables_and_the_page_says_so(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    store = lab.store
    monkeypatch.setenv("LAB_STORE", store.url)
    monkeypatch.setattr(recorded, "EXAMPLES", lab.folder / "no examples")
    monkeypatch.setattr(visitor, "read_owner", lambda: ME)
    kept = lab.end(store.submit(lab.ask(seed=8, epochs=3)).id)
    events, result = store.events(kept.id), store.result(kept.id)
    upload = store.add_upload(ME, "mine.csv", table())
    private_spec = LONG.with_(dataset=f"upload/{upload}", data={"target": "answer", "positive": f"yes {CANARY}", "reading": {}})
    short = private_spec.with_(params={"epochs": 2}, folds=1, seeds=1)
    private = lab.end(store.submit(lab.complete(short), owner=ME).id, ME)
    assert private.state == "done", private.reason
    busy = store.submit(lab.complete(private_spec), owner=ME).id
    public = store.submit(lab.ask(seed=9, epochs=600)).id
    lab.start(busy, ME)
    lab.start(public)
    workers = lab.engine.workers()
    try:
        for page in (opened("lab", run=private.id), opened("data", data=upload)):
            assert KEY_GONE not in written(page)
        kill_a_backend(lab.server)

        until(lambda: _answers(store))
        pages = [opened("data"), opened("data", data=upload), opened("lab", run=private.id), opened("deep", run=private.id)]
        for page in pages:  # `opened` fails where an exception is on the page
            assert KEY_GONE in written(page).replace("\\", ""), written(page)
        assert "belongs to another browser" not in written(pages[1]), "one reason"
        assert KEY_GONE not in written(opened("lab", run=kept.id)) and KEY_GONE not in written(opened("runs"))
    finally:
        st.cache_resource.clear()
    assert store.uploads(ME) == [] and store.has_lost_key(ME) and not store.has_lost_key("you")
    for id in (private.id, busy):
        with pytest.raises(UnknownName):
            store.job(id, ME)
    with store.database.reading() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(JOBS).where(JOBS.c.owner == ME)).scalar() == 0
    assert trained(store.events(kept.id)) == trained(events) != [] and store.job(kept.id) == kept and result is not None
    assert store.result(kept.id).metrics == result.metrics  # type: ignore[union-attr]
    until(lambda: not all(map(alive, workers)))  # the one that has read the table
    job, told = lab.end(public), store.events(public)
    assert (job.state, job.reason, job.attempt) == ("done", "", 1)
    assert [seq for seq, _ in told] == list(range(1, len(told) + 1))
    assert lab.engine.popen.poll() is None and CANARY not in (lab.folder / "engine.log").read_text()
    new = store.add_upload(ME, "mine.csv", table())
    assert not store.has_lost_key(ME) and store.read_upload(new, ME) == ("mine.csv", table())
    store.forget(ME)


def _answers(store: Store) -> bool:
    try:
        store.jobs()
    except StoreError:
        return False
    return True
