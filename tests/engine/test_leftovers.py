"""After a table is forgotten no live object of the engine holds a byte of it, nor of a worker that lets go of it."""

from __future__ import annotations

import importlib
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.events import finish
from engine.executors import private, worker
from engine.executors.local import LocalExecutor
from engine.runner.execute import run
from engine.service import Engine
from engine.spec import RunSpec
from engine.store import Store
from tests.engine.test_store_gone import Turns
from tests.leftovers import Canary, find_live

NUMBER = 7312.40625
"""A value of the table that no other array holds."""


@pytest.fixture
def canary() -> Canary:
    return f"k4{secrets.token_hex(4)}", f"n4{secrets.token_hex(4)}"


def write_table(canary: Canary) -> bytes:
    word = "".join(canary)
    lines = [f"age,{word},answer"]
    lines += [f"{NUMBER + n},{word if n % 2 else 'other'}-{n % 3},{'yes' if n < 20 else 'no'}" for n in range(80)]
    return "\n".join(lines).encode()


# ---- the engine's own process


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    store = Store(f"sqlite:///{tmp_path / 'lab.db'}")
    fakes = "tests.engine.fakes"
    executor = LocalExecutor(1, target=f"{fakes}:run", catalog=f"{fakes}:catalog", prepare=None, private=f"{fakes}:steps")
    engine = Engine(store, executor, 1)
    yield engine
    engine.stop()
    store.close()


def work_until(engine: Engine, question: Callable[[], Any]) -> None:
    end = time.monotonic() + 30
    while not question():
        assert time.monotonic() < end
        engine.work(Turns(1))


def test_the_engine_holds_nothing_of_a_forgotten_table(engine, canary):
    store = engine.store
    upload = store.add_upload("me", f"{''.join(canary)}.csv", write_table(canary))
    spec = {"reading": {"do": "shouts", "with": ["".join(canary)]}}
    jobs = [store.submit_profile("me", upload, spec), store.submit_profile("me", upload)]
    for job in jobs:
        work_until(engine, lambda id=job.id: store.job(id, "me").state in ("done", "failed"))
    assert store.job(jobs[1].id, "me").state == "done" and engine.executor.touched == {upload}
    store.forget("me", upload)
    del job, jobs, spec
    work_until(engine, lambda: not engine.executor.touched)
    work_until(engine, lambda: engine.executor.ready)
    live = find_live(canary, NUMBER)
    assert not live, "\n".join(live)


# ---- a worker


def test_a_worker_that_lets_go_of_a_table_holds_nothing_of_it(canary):
    def work() -> bool:
        table = (f"{''.join(canary)}.csv", write_table(canary))
        options = {"target": "answer", "positive": None, "reading": {}}
        finish(private.steps("profile", {"upload": "u", **options}, table, run=run, id="a"))
        for method in ("ce", "smote", "explicit-gradient"):
            spec = RunSpec("upload/u", method, data=options, params={"epochs": 3})
            finish(private.steps("run", spec.to_json(), table, run=run, id="b", device="cpu"))
        return bool(find_live(canary, NUMBER))

    assert work(), "it is held as long as it is worked on"
    worker._let_go()
    live = find_live(canary, NUMBER)
    assert not live, "\n".join(live)


def test_what_a_worker_empties_is_there():
    for name, empty in worker.HOLDERS:
        assert callable(getattr(importlib.import_module(name), empty)), f"{name} has no {empty}"
