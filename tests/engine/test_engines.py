"""Two engine processes on one store: both work, each takes what it can, one drains or stops and the other goes on.

The runs are fakes (tests/engine/fakes.py).
"""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.store import Store
from engine.version import NUMERICS
from tests.engine.test_fleet import set_job
from tests.engine.test_service import CODE, Process, ended, running, spec, wait

pytestmark = [pytest.mark.both_databases, pytest.mark.timeout(300)]
PATIENCE = 60.0
ANOTHER_VERSION = f"import engine.version\nengine.version.NUMERICS = {NUMERICS + 1}\n"
QUICK, SHOWS = ({"name": name, "reuses_plain": False} for name in ("quick", "shows"))
COMMON, RARE = ({"name": "fake", "fingerprint": name} for name in ("common", "rare"))
FULL = {"devices": ["cpu", "cuda"], "methods": [QUICK, SHOWS], "datasets": [COMMON, RARE]}
SMALL = {"devices": ["cpu"], "methods": [QUICK], "datasets": [COMMON]}


class Another(Process):
    """An engine that computes by another version of the numbers."""

    def command(self, catalog: str) -> list[str]:
        return [ANOTHER_VERSION + CODE if word == CODE else word for word in super().command(catalog)]


@pytest.fixture
def start(store: Store, tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Starts an engine of the store, and ends it after the test."""
    started: list[Process] = []

    def start_one(kind: type[Process] = Process, **options: Any) -> Process:
        started.append(kind(store, tmp_path / f"{len(started)}.log", **options))
        started[-1].patience = PATIENCE
        return started[-1].up()

    yield start_one
    for process in started:
        process.end()


def start_with(start: Callable[..., Process], catalog: dict[str, Any], kind: type[Process] = Process) -> Process:
    return start(kind, slots=1, catalog="tests.engine.fakes:named_catalog", FAKE_CATALOG=json.dumps(catalog))


def test_both_take_jobs_and_each_job_is_run_once(store, start, tmp_path):
    ids = {start().info().id for _ in range(2)}
    runs = [store.submit(spec("counts", n, path=str(tmp_path / f"run {n}"), pause=0.3)).id for n in range(12)]
    jobs = [ended(store, id, PATIENCE) for id in runs]
    assert {job.state for job in jobs} == {"done"} and {job.attempt for job in jobs} == {1}
    assert {job.engine for job in jobs} == ids
    assert [len((tmp_path / f"run {n}").read_text().split()) for n in range(12)] == [1] * 12


def test_a_drained_engine_ends_its_run_and_takes_no_other(store, start, tmp_path):
    first = start(slots=2, LAB_DRAIN_SECONDS="120")
    long = running(store, store.submit(spec("awaits", path=str(tmp_path / "go on"))).id)
    second = start(slots=1)
    ids = [process.info().id for process in (first, second)]
    first.family()
    first.popen.send_signal(signal.SIGTERM)
    wait(lambda: first.info().draining, PATIENCE)
    others = [ended(store, store.submit(spec("quick", n)).id, PATIENCE) for n in range(4)]
    assert {(job.state, job.engine) for job in others} == {("done", ids[1])}, "the first has a free slot and takes none"
    assert store.job(long.id).state == "running" and first.popen.poll() is None
    (tmp_path / "go on").touch()
    job = ended(store, long.id, PATIENCE)
    assert (job.state, job.attempt, job.engine) == ("done", 1, ids[0])
    assert first.popen.wait(PATIENCE) == 0 and wait(lambda: not first.left(), PATIENCE)
    assert [one.id for one in store.engines()] == [ids[1]]


def test_a_second_stop_ends_a_draining_engine_at_once_and_the_other_does_its_run(store, start, tmp_path):
    first = start(slots=1, LAB_DRAIN_SECONDS="120")
    id = running(store, store.submit(spec("awaits", path=str(tmp_path / "go on"))).id).id
    second = start(slots=1)
    first.family()
    first.popen.send_signal(signal.SIGTERM)
    wait(lambda: first.info().draining, PATIENCE)
    first.popen.send_signal(signal.SIGTERM)
    assert first.popen.wait(PATIENCE) == 0 and wait(lambda: not first.left(), PATIENCE)
    wait(lambda: store.job(id).engine == second.info().id, PATIENCE)
    (tmp_path / "go on").touch()
    job = ended(store, id, PATIENCE)
    assert (job.state, job.attempt, job.engine) == ("done", 2, second.info().id)
    assert [seq for seq, _ in store.events(id)] == list(range(1, len(store.events(id)) + 1))


@pytest.mark.parametrize(
    ("asked", "lack"),
    [
        ({"device": "cuda"}, "has no device 'cuda'"),
        ({"fingerprint": "rare"}, "lacks the data of 'fake', or has another version of it"),
        ({"method": "shows"}, "has no method 'shows'"),
    ],
    ids=["device", "dataset", "method"],
)
def test_a_job_waits_with_a_sentence_for_an_engine_that_can_run_it(store, start, asked, lack):
    for _ in range(2):
        start_with(start, SMALL)
    wanted = spec(asked.get("method", "quick"))
    id = store.submit(wanted, fingerprint=asked.get("fingerprint", "common"), device=asked.get("device", "auto")).id
    common = ended(store, store.submit(spec("quick", 1), fingerprint="common").id, PATIENCE)
    assert common.state == "done" and store.job(id).state == "queued", "the job behind it goes before"
    said = store.explain_waiting(id)
    assert said.startswith("No engine that lives can run this: ") and lack in said
    full = start_with(start, FULL)
    job = ended(store, id, PATIENCE)
    assert (job.state, job.engine) == ("done", full.info().id)


def test_a_job_waits_for_an_engine_of_its_version(store, start):
    id = store.submit(spec("quick")).id
    set_job(store, id, numerics=NUMERICS + 1)
    for _ in range(2):
        start(slots=1)
    assert ended(store, store.submit(spec("quick", 1)).id, PATIENCE).state == "done"
    assert store.job(id).state == "queued"
    assert f"computes by version {NUMERICS} of the numbers" in store.explain_waiting(id)
    another = start(Another, slots=1)
    job = ended(store, id, PATIENCE)
    assert (job.state, job.engine) == ("done", another.info().id)
