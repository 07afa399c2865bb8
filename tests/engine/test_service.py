"""The engine process with real processes and a real store: what happens when things are killed, cancelled or too slow.

The store is a SQLite file, in some tests PostgreSQL too. The runs are fakes (tests/engine/fakes.py); nothing here waits for torch.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from engine.embed.job import compile_library
from engine.embed.layout import lay_out
from engine.errors import BadInput
from engine.events import Note, Phase, Progress, kind, unpack
from engine.executors import Work, local
from engine.executors.worker import OUT_OF_MEMORY
from engine.memory import default_limit
from engine.settings import read_setting, read_text
from engine.spec import RunSpec
from engine.spec.embedding import FEATURES, TSNE
from engine.store import Job, Store, default_url
from engine.store.jobs import PRIORITY_COMPANION, PRIORITY_SWEEP
from engine.store.schema import ARTIFACTS, OWNERS
from tests.app.test_server import free_port
from tests.engine.test_embed import features

ROOT = Path(__file__).resolve().parents[2]
CODE = """
import sys
from engine.service import serve
url, slots, target, catalog, probe = sys.argv[1:]
serve(url, slots=int(slots), target=target, catalog=catalog, prepare=None, private="tests.engine.fakes:steps")
if probe:
    print("imported:", [m for m in ("torch", "sklearn") if m in sys.modules])
"""


def spec(method: str, seed: int = 0, **params: Any) -> RunSpec:
    return RunSpec(dataset="fake", method=method, params=params, seed=seed)


def wait(what: Callable[[], Any], seconds: float = 15.0) -> Any:
    """The first truthy value of `what`; fails after so many seconds."""
    end = time.monotonic() + seconds
    while not (value := what()):
        assert time.monotonic() < end, f"waited {seconds} s in vain"
        time.sleep(0.005)
    return value


ON_RAY = pytest.param("ray", marks=[pytest.mark.long, pytest.mark.timeout(180)])
"""The same test with the workers on a Ray cluster."""


class Process:
    """An engine process on a store, with the workers of its slots."""

    patience = 15.0

    def __init__(
        self, store: Store, log: Path, slots: int = 2, catalog: str = "tests.engine.fakes:catalog", **env: str
    ) -> None:
        self.store, self.log, self.slots = store, log, slots
        with log.open("ab") as stderr:
            self.popen = subprocess.Popen(
                self.command(catalog),
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                env=os.environ | {"LAB_PREVIEW": "0"} | env,
                start_new_session=True,
            )
        self.known: set[psutil.Process] = set()

    def command(self, catalog: str) -> list[str]:
        return [sys.executable, "-c", CODE, self.store.url, str(self.slots), "tests.engine.fakes:run", catalog, "probe"]

    def up(self) -> Process:
        """Wait until all its workers are warm, those beside a cluster's too."""
        wait(lambda: (info := self.info()) and info.ready == info.slots >= self.slots, self.patience)
        return self

    def info(self) -> Any:
        return next((e for e in self.store.engines() if e.pid == self.popen.pid), None)

    def family(self) -> set[psutil.Process]:
        """Every process it ever had, as far as anybody looked."""
        with contextlib.suppress(psutil.NoSuchProcess):
            self.known |= set(psutil.Process(self.popen.pid).children(recursive=True))
        return self.known

    def workers(self) -> list[psutil.Process]:
        return [p for p in self.family() if alive(p) and any("spawn_main" in word for word in p.cmdline())]

    def left(self) -> list[psutil.Process]:
        return [p for p in self.known if alive(p)]

    def kill(self) -> None:
        self.family()
        self.popen.kill()
        self.popen.wait(5)

    def terminate(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """(exit code, stdout) of a polite stop."""
        self.family()
        self.popen.send_signal(number)
        out, _ = self.popen.communicate(timeout=10)
        return self.popen.returncode, out

    def end(self) -> None:
        self.family()
        if self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait(5)
        for process in self.left():
            process.kill()
        if self.popen.stdout is not None:
            self.popen.stdout.close()


def alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def engine(store: Store, tmp_path: Path) -> Iterator[Callable[..., Process]]:
    started: list[Process] = []

    def start(**options: Any) -> Process:
        started.append(Process(store, tmp_path / "engine.log", **options))
        return started[-1]

    yield start
    for process in started:
        process.end()


@pytest.fixture(scope="module", params=["local", ON_RAY])
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """One engine with two slots for the tests that must leave it whole: each is also a test of that.

    On Ray the slots are those of a cluster, beside one for private jobs.
    """
    folder = tmp_path_factory.mktemp("shared")
    store = Store(f"sqlite:///{folder / 'lab.db'}")
    env = {}
    if request.param == "ray":
        cluster = request.getfixturevalue("ray_cluster")
        env = cluster.settings | {"LAB_EXECUTOR": f"ray://{cluster.address}"}
    process = Process(store, folder / "engine.log", **env)
    process.patience = 120.0 if env else Process.patience
    try:
        yield process.up()
        assert process.popen.poll() is None, "a run took the engine with it"
    finally:
        process.end()
        store.close()


def ended(store: Store, id: str, seconds: float = 15.0, owner: str | None = None) -> Job:
    return wait(lambda: not (job := store.job(id, owner)).active and job, seconds)


def read_metrics(port: int) -> dict[str, float]:
    """What an engine reports on this machine: name with labels -> value."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        lines = [line for line in answer.read().decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def running(store: Store, id: str) -> Job:
    """The job, once its run has said something."""
    return wait(lambda: (job := store.job(id)).state == "running" and store.events(id) and job)


@pytest.mark.both_databases
def test_a_run_goes_through_and_the_engine_has_no_torch(store, engine):
    process = engine().up()
    assert store.catalog()["live"] is True
    job = ended(store, store.submit(spec("quick"), device="cpu").id)
    assert (job.state, job.reason, job.done, job.total, job.engine) == ("done", "", 1, 1, process.info().id)
    assert [kind(event) for _, event in store.events(job.id)] == ["phase", "progress"]
    assert store.events(job.id)[0] == (1, Phase("begin", "quick on cpu"))
    assert store.result(job.id).run_id == job.id and store.artifact(job.id, "note") == b"done"
    info = process.info()
    assert (info.device, info.devices, info.slots, info.trouble) == ("a fake", ["cpu"], 2, "")
    assert info.memory_mb > 20
    assert len(process.workers()) == 2
    code, out = process.terminate()
    assert code == 0 and "imported: []" in out
    assert store.submit(spec("quick")).state == "done", "the same question needs no engine"


def test_large_results_cross_without_a_deadlock(shared):
    store = shared.store
    id = store.submit(spec("large")).id
    job = ended(store, id, 30)
    assert job.state == "done", job.reason
    assert len(store.events(id, kinds=("frame",))) == 60
    assert [len(store.artifact(id, name)) for name in store.artifacts(id)] == [8 << 20] * 3
    assert [seq for seq, _ in store.events(id)] == list(range(1, 62))


def test_an_event_does_not_wait_for_the_next_one(shared):
    store = shared.store
    id = store.submit(spec("late")).id
    wait(lambda: Note("second") in [event for _, event in store.events(id)], 1.5)
    assert store.job(id).state == "running"


def test_libraries_get_the_threads_that_were_set(store, engine):
    engine(slots=1, LAB_THREADS="3").up()
    id = store.submit(spec("shows")).id
    assert ended(store, id).state == "done"
    assert store.events(id)[1][1] == Note("3 threads")


# ---- the queue


def test_people_go_first_and_one_slot_is_never_given_to_sweeps(store, engine):
    sweep = [store.submit(spec("steady", seed=n), priority=PRIORITY_SWEEP).id for n in range(3)]
    engine(slots=3).up()
    for id in sweep[:2]:
        running(store, id)
    urgent = store.submit(spec("steady", seed=9)).id
    running(store, urgent)
    assert store.job(sweep[2]).state == "queued" and store.position(sweep[2]) == 0


def test_with_a_single_slot_sweeps_do_run(store, engine):
    engine(slots=1).up()
    assert ended(store, store.submit(spec("quick"), priority=PRIORITY_SWEEP).id).state == "done"


@pytest.mark.parametrize(("method", "priority"), [("steady", 0), ("blocks", PRIORITY_COMPANION)])
def test_a_single_slot_is_taken_from_a_sweep_by_what_somebody_waits_for(store, engine, tmp_path, method, priority):
    process = engine(slots=1).up()
    cell = store.submit(spec(method, seed=1, seconds=1.0), priority=PRIORITY_SWEEP).id
    later = store.submit(spec("quick", seed=2), priority=PRIORITY_SWEEP).id
    running(store, cell)
    asked = time.monotonic()
    urgent = store.submit(spec("steady", seed=3, seconds=0.3), priority=priority).id
    running(store, urgent)
    assert time.monotonic() - asked < 5, "it waited for the sweep"
    waiting = store.job(cell)
    assert (waiting.state, waiting.attempt, waiting.done, waiting.total, waiting.started) == ("queued", 2, 0, 0, None)
    assert store.events(cell) == [] and store.position(cell) == 0 and store.position(later) == 1
    assert ended(store, urgent).state == "done"
    job = ended(store, cell)
    assert (job.state, job.attempt) == ("done", 2)
    events = store.events(cell)
    assert [seq for seq, _ in events] == list(range(1, len(events) + 1))
    assert [kind(event) for _, event in events].count("phase") == 1, "nothing of the first attempt is mixed in"
    assert ended(store, later).state == "done" and process.popen.poll() is None


def test_the_last_slot_is_taken_from_a_sweep_too(store, engine):
    engine(slots=2).up()
    cell = store.submit(spec("steady", seed=1, seconds=30.0), priority=PRIORITY_SWEEP).id
    mine = store.submit(spec("steady", seed=2, seconds=30.0)).id
    running(store, cell)
    running(store, mine)
    running(store, store.submit(spec("steady", seed=3, seconds=0.3)).id)
    assert store.job(cell).state == "queued" and store.job(mine).state == "running"
    store.cancel(mine)


def test_a_cell_that_somebody_asks_for_himself_keeps_the_single_slot(store, engine):
    engine(slots=1).up()
    asked = spec("steady", seed=1, seconds=1.0)
    cell = store.submit(asked, priority=PRIORITY_SWEEP).id
    running(store, cell)
    assert store.submit(asked).priority == 0
    beside = store.submit(spec("quick", seed=2), priority=PRIORITY_COMPANION).id
    job = ended(store, cell)
    assert (job.state, job.attempt) == ("done", 1)
    assert ended(store, beside).state == "done"


def test_a_cell_that_is_cancelled_while_it_makes_way_stays_cancelled(store, engine):
    engine(slots=1).up()
    cell = store.submit(spec("blocks", seed=1), priority=PRIORITY_SWEEP).id
    running(store, cell)
    urgent = store.submit(spec("quick", seed=2)).id
    store.cancel(cell)
    assert ended(store, cell).state == "cancelled"
    assert ended(store, urgent).state == "done"
    assert store.job(cell).state == "cancelled"


@pytest.mark.both_databases
def test_two_engines_share_jobs_and_run_each_once(store, engine, tmp_path):
    trace = tmp_path / "trace"
    both = [engine(), engine()]
    for process in both:
        process.up()
    ids = [store.submit(spec("counts", seed=n, path=str(trace), pause=0.002)).id for n in range(120)]
    jobs = [ended(store, id, 40) for id in ids]
    assert {job.state for job in jobs} == {"done"}
    assert len(trace.read_text().splitlines()) == 120
    assert {job.attempt for job in jobs} == {1}
    assert {job.engine for job in jobs} == {process.info().id for process in both}, "one of them did nothing"
    assert "locked" not in (tmp_path / "engine.log").read_text()


# ---- ends of a run


@pytest.mark.parametrize(
    ("method", "params", "reason"),
    [
        ("exits", {"code": 3}, "The worker process ended with exit code 3 before the run was over."),
        ("segfaults", {}, "The worker process crashed (signal 11, SIGSEGV) before the run was over."),
        ("killed", {}, "was killed (signal 9), most likely because the machine ran out of memory."),
        ("memory", {}, "The run ran out of memory"),
        ("torch_memory", {}, "The run ran out of memory"),
        ("exhausts", {}, "Two replicates at once do not fit the device's 4 GiB."),
        ("bad", {}, "Nothing is called so; there are: this and that."),
        ("missing", {}, "glass9 is not on this machine; fetch it with `make data`."),
        ("bug", {}, "The run failed with an error in the engine (ValueError: secret-value-42 is not a number)"),
    ],
)
def test_each_bad_end_has_its_reason_and_harms_nobody_else(shared, method, params, reason):
    store = shared.store
    other = store.submit(spec("steady", seed=8), again=True).id
    running(store, other)
    job = ended(store, store.submit(spec(method, **params)).id, 8)
    assert job.state == "failed" and reason in job.reason and "\n" not in job.reason
    assert store.events(job.id), "what it said before is kept"
    assert ended(store, store.submit(spec("quick"), again=True).id, 8).state == "done", "the slot is there again"
    assert store.job(other).state == "running"
    store.cancel(other)
    assert ended(store, other).state == "cancelled"


def test_a_limit_of_memory_ends_the_run_that_passes_it_and_no_other(store, engine):
    engine(slots=2, LAB_WORKER_MEMORY="300").up()
    other = store.submit(spec("steady")).id
    running(store, other)
    assert ended(store, store.submit(spec("allocates", megabytes=100)).id).state == "done"
    for device in ("cpu", "cuda"):  # a fake takes either
        job = ended(store, store.submit(spec("allocates", megabytes=2000), device=device, again=True).id)
        assert job.state == "failed" and job.reason == OUT_OF_MEMORY
        assert ended(store, store.submit(spec("quick"), again=True).id).state == "done"
    assert store.job(other).state == "running"


def test_a_worker_has_a_limit_of_memory_by_default(store, engine):
    engine(slots=1).up()
    job = ended(store, store.submit(spec("limited")).id)
    assert [event.text for _, event in store.events(job.id, kinds=("note",))] == [f"{default_limit(1)} MiB"]


def test_an_error_is_logged_unless_the_table_is_private(store, engine, tmp_path):
    engine(slots=1).up()
    log = tmp_path / "engine.log"
    job = ended(store, store.submit(spec("bug"), owner="me").id, owner="me")
    assert job.state == "failed" and "ValueError" in job.reason and "secret-value-42" not in job.reason
    assert ended(store, store.submit(spec("quick")).id).state == "done"
    assert "secret-value-42" not in log.read_text() and "Traceback" not in log.read_text()
    ended(store, store.submit(spec("bug")).id)
    assert "secret-value-42" in log.read_text() and "Traceback" in log.read_text()


@pytest.mark.parametrize("method", ["steady", "blocks"])
def test_a_run_over_its_time_limit_is_stopped(shared, method):
    store = shared.store
    id = store.submit(spec(method, seed=2), timeout_s=0.5).id
    running(store, id)
    job = ended(store, id)
    assert (job.state, job.reason) == ("failed", "Stopped at its time limit of 0.5 s.")
    assert 0.4 < job.finished - job.started < 3
    assert ended(store, store.submit(spec("quick"), timeout_s=30, again=True).id).state == "done"


# ---- cancel


@pytest.mark.both_databases
def test_cancel_of_a_queued_run(store, engine):
    engine(slots=1).up()
    first, second = store.submit(spec("steady")).id, store.submit(spec("steady", seed=1)).id
    running(store, first)
    store.cancel(second)
    assert store.job(second).state == "cancelled"


@pytest.mark.parametrize("method", ["steady", "blocks", "holds", "stubborn"])
def test_a_running_run_is_cancelled_at_once_and_the_next_starts(shared, method):
    store = shared.store
    id = store.submit(spec(method, seed=3)).id
    running(store, id)
    asked = time.monotonic()
    store.cancel(id)
    job = ended(store, id)
    assert time.monotonic() - asked < 5.0  # 0.4 to 0.8 s idle
    assert (job.state, job.reason) == ("cancelled", "Cancelled.")
    both = [store.submit(spec("steady", seed=n, seconds=0.5), again=True).id for n in (4, 5)]
    for id in both:  # so also the slot whose worker had to be killed
        wait(lambda id=id: store.job(id).started is not None)
    assert [ended(store, id).state for id in both] == ["done", "done"]


def test_cancel_then_run_again_gives_a_new_run(shared):
    store = shared.store
    asked = spec("steady", seed=6, seconds=1.0)
    id = store.submit(asked).id
    running(store, id)
    store.cancel(id)
    assert store.submit(asked).attempt == 2
    job = ended(store, id)
    assert (job.state, job.attempt) == ("done", 2)
    assert [seq for seq, _ in store.events(id)][0] == 1
    assert [kind(event) for _, event in store.events(id)].count("phase") == 1, "nothing of the first attempt is mixed in"


def test_a_deleted_run_is_dropped(shared):
    store = shared.store
    id = store.submit(spec("steady", seed=7)).id
    running(store, id)
    store.delete(id)
    wait(lambda: shared.info() and shared.info().busy == 0)
    assert store.events(id) == []


# ---- kill -9 of workers


@pytest.mark.parametrize("how_many", [1, 2])
def test_killed_idle_workers_are_replaced(store, engine, how_many):
    process = engine().up()
    for worker in process.workers()[:how_many]:
        worker.kill()
    ids = [store.submit(spec("quick", seed=n)).id for n in range(4)]
    assert [ended(store, id).state for id in ids] == ["done"] * 4
    wait(lambda: process.info().ready == 2)
    assert len(process.workers()) == 2


def test_a_run_given_to_a_worker_that_died_unnoticed_is_given_to_another(store, engine):
    process = engine(slots=1).up()
    (worker,) = process.workers()
    worker.suspend()  # takes the run into its pipe, and never reads it
    id = store.submit(spec("quick")).id
    wait(lambda: store.job(id).state == "running")
    worker.kill()
    job = ended(store, id)
    assert (job.state, job.attempt) == ("done", 1)


@pytest.mark.both_databases
def test_a_killed_busy_worker_fails_its_run_alone(store, engine):
    process = engine().up()
    ids = [store.submit(spec("steady", seed=n, seconds=3.0)).id for n in range(2)]
    for id in ids:
        running(store, id)
    process.workers()[0].kill()
    victim = wait(lambda: next((job for job in map(store.job, ids) if not job.active), None))
    assert victim.state == "failed" and "signal 9" in victim.reason
    (other,) = set(ids) - {victim.id}
    assert ended(store, store.submit(spec("quick")).id).state == "done"
    assert ended(store, other).state == "done"
    assert store.submit(spec("steady", seed=RunSpec.from_json(victim.spec).seed, seconds=3.0)).attempt == 2


def test_all_workers_killed_at_once_busy_and_idle(store, engine):
    process = engine(slots=3).up()
    ids = [store.submit(spec("steady", seed=n)).id for n in range(2)]
    for id in ids:
        running(store, id)
    for worker in process.workers():
        worker.kill()
    assert [ended(store, id).state for id in ids] == ["failed", "failed"]
    assert ended(store, store.submit(spec("quick")).id).state == "done"
    assert process.popen.poll() is None


def test_workers_that_do_not_come_up_are_named_and_not_tried_at_full_speed(store, engine, tmp_path):
    process = engine(catalog="tests.engine.fakes:no_catalog")
    info = wait(lambda: (info := process.info()) and info.trouble and info)
    assert "No module named 'torch'" in info.trouble and info.ready == 0
    id = store.submit(spec("quick")).id
    time.sleep(2)
    assert store.job(id).state == "queued"
    assert 2 <= (tmp_path / "engine.log").read_text().count("did not start") <= 8
    process.kill()
    dead = engine(catalog="tests.engine.fakes:deadly_catalog")
    assert "exit code 7" in wait(lambda: (info := dead.info()) and info.trouble)


def test_a_job_is_claimed_while_workers_start_and_begins_once_one_has(store, engine):
    id = store.submit(spec("quick")).id
    process = engine(catalog="tests.engine.fakes:slow_catalog")
    wait(lambda: store.job(id).state == "running", 4.5)
    assert process.info().ready == 0 and store.events(id) == []
    job = ended(store, id)
    assert (job.state, job.attempt) == ("done", 1)


def test_a_job_of_a_worker_killed_while_it_starts_goes_to_another(store, engine):
    id = store.submit(spec("quick")).id
    process = engine(catalog="tests.engine.fakes:slow_catalog", slots=1)
    wait(lambda: store.job(id).state == "running", 4.5)
    wait(process.workers)[0].kill()
    job = ended(store, id)
    assert (job.state, job.reason) == ("done", "")


def test_cancelling_a_job_of_a_worker_that_starts_ends_it(store, engine):
    id = store.submit(spec("quick")).id
    engine(catalog="tests.engine.fakes:slow_catalog")
    wait(lambda: store.job(id).state == "running", 4.5)
    store.cancel(id)
    assert ended(store, id, 4.0).state == "cancelled"


def test_progress_is_sent_now_and_then_and_its_end_always(shared):
    store = shared.store
    id = store.submit(spec("steady", seconds=1.0)).id
    ended(store, id)
    told = [event.done for _, event in store.events(id, kinds=("progress",))]
    assert 2 <= len(told) <= 6 and told == sorted(told)
    assert ended(store, store.submit(spec("quick", seed=9)).id).done == 1


# ---- kill -9 of the engine


@pytest.mark.parametrize("moment", ["starting", "warming", "idle", "busy", "holding"])
def test_nothing_is_left_when_the_engine_is_killed(store, engine, moment):
    if moment in ("starting", "warming"):
        process = engine(catalog="tests.engine.fakes:slow_catalog")
        if moment == "warming":
            wait(lambda: len(process.workers()) == 2)
        else:
            time.sleep(0.5)
    else:
        process = engine().up()
        if moment != "idle":
            running(store, store.submit(spec("holds" if moment == "holding" else "steady")).id)
    process.family()
    if moment != "starting":
        assert len(process.workers()) == 2
    process.kill()
    wait(lambda: not process.left())


def test_an_orphan_is_interrupted_by_the_page_or_the_next_engine_and_can_be_run_again(store, engine):
    first = engine(slots=1).up()
    id = store.submit(spec("steady", seconds=1.0)).id
    running(store, id)
    first.kill()
    assert store.interrupt_orphans() == [] and store.job(id).state == "running", "it may still be heard"
    reaped = wait(lambda: store.interrupt_orphans())
    assert reaped == [id] and store.job(id).state == "interrupted"
    assert store.job(id).reason == "The engine stopped while this was running. Run it again to start over."

    assert store.submit(spec("steady", seconds=1.0)).attempt == 2
    second = engine(slots=1).up()
    running(store, id)
    second.kill()
    third = engine(slots=1)
    assert ended(store, id, 8).state == "interrupted"
    assert store.submit(spec("steady", seconds=1.0)).attempt == 3
    assert ended(store, id, 8).state == "done"
    assert [e.pid for e in store.engines()] == [third.popen.pid]


def test_an_engine_that_slept_drops_what_was_taken_from_it(store, engine):
    sleeper = engine(slots=1).up()
    id = store.submit(spec("steady", seconds=2.0)).id
    old = running(store, id)
    os.kill(sleeper.popen.pid, signal.SIGSTOP)
    try:
        wait(lambda: store.interrupt_orphans(), 6)
        new = store.submit(spec("steady", seconds=2.0))
        assert new.attempt == 2
        other = engine(slots=1).up()
        wait(lambda: store.job(id).engine == other.info().id)
    finally:
        os.kill(sleeper.popen.pid, signal.SIGCONT)
    job = ended(store, id)
    assert (job.state, job.attempt, job.engine) == ("done", 2, other.info().id) and job.engine != old.engine
    events = store.events(id)
    assert [seq for seq, _ in events] == list(range(1, len(events) + 1))
    assert [kind(event) for _, event in events].count("phase") == 1
    assert ended(store, store.submit(spec("quick")).id).state == "done"
    assert sleeper.popen.poll() is None


# ---- polite stops


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_polite_stop_marks_retires_and_leaves_one_file(store, engine, tmp_path, number):
    process = engine(LAB_LOG="json", LAB_METRICS=str(port := free_port())).up()
    done = ended(store, store.submit(spec("quick")).id)
    busy, waiting = store.submit(spec("blocks")).id, store.submit(spec("steady", seed=1), priority=PRIORITY_SWEEP).id
    running(store, busy)
    running(store, waiting)
    queued = store.submit(spec("quick", seed=5), priority=PRIORITY_SWEEP).id
    process.family()
    numbers = read_metrics(port)
    assert numbers['lab_engine_jobs_total{kind="run",state="done"}'] == numbers['lab_engine_job_seconds_count{kind="run"}'] == 1
    assert numbers["lab_engine_slots"] == numbers["lab_engine_slots_busy"] == 2 and numbers["lab_engine_events_total"] >= 3
    assert numbers['lab_jobs{state="running"}'] == 2 and numbers["lab_store_up"] == numbers["lab_engines"] == 1
    id = process.info().id
    store.close()  # a page that is reading would keep the log open
    code, _ = process.terminate(number)
    assert code == 0
    wait(lambda: not process.left())
    assert (tmp_path / "lab.db-wal").exists() is False or (tmp_path / "lab.db-wal").stat().st_size == 0
    assert [store.job(id).state for id in (done.id, busy, waiting, queued)] == ["done", "interrupted", "interrupted", "queued"]
    assert "Run it again" in store.job(busy).reason and store.engines() == []
    said = [json.loads(line) for line in (tmp_path / "engine.log").read_text().splitlines()]
    assert not [line for line in said if "engine" not in line], said
    assert {line["engine"] for line in said} == {id} and not [line for line in said if "error" in line]
    assert [(line["job"], line["attempt"]) for line in said if line["message"] == f"run {done.id} ended: done"] == [
        (done.id, 1)
    ]
    assert {line["job"] for line in said if line["message"].endswith(" began")} == {done.id, busy, waiting}
    assert said[-1]["message"] == f"engine {id} stopped" and said[-1]["level"] == "info" and said[-1]["time"].endswith("+00:00")


@pytest.mark.both_databases
def test_ctrl_c_in_a_terminal_reaches_all_and_is_quiet(store, engine, tmp_path):
    process = engine().up()
    id = store.submit(spec("steady")).id
    running(store, id)
    process.family()
    os.killpg(process.popen.pid, signal.SIGINT)
    assert process.popen.wait(5) == 0
    assert store.job(id).state == "interrupted", "not failed: the workers leave the ending to the engine"
    assert "Traceback" not in (tmp_path / "engine.log").read_text()
    wait(lambda: not process.left())


# ---- people's own tables


def test_a_store_that_is_deleted_is_noticed_within_a_heartbeat(store, engine, tmp_path):
    process = engine(slots=1).up()
    store.submit(spec("steady"))
    running(store, store.jobs()[0].id)
    workers = process.workers()
    for file in tmp_path.glob("lab.db*"):
        file.unlink()
    began = time.monotonic()
    fresh = Store(store.url)
    wait(lambda: [one for one in fresh.engines() if one.pid == process.popen.pid], 5)
    assert time.monotonic() - began < 2.5
    assert ended(fresh, fresh.submit(spec("quick")).id).state == "done"
    assert not any(alive(worker) for worker in workers), "what ran for the old file has ended"
    assert fresh.catalog() is not None
    fresh.close()


def private(store: Store, data: bytes = b"secret-value-42", owner: str = "me", **how: Any) -> Job:
    """A profile of a new table, which does what `how` says."""
    return store.submit_profile(owner, store.add_upload(owner, "mine.csv", data), {"reading": how})


@pytest.mark.both_databases
def test_profiles_comparisons_and_runs_go_through_with_their_table(store, engine):
    engine(slots=1).up()
    profile = private(store)
    job = ended(store, profile.id, owner="me")
    assert (job.state, job.reason, job.done) == ("done", "", 1)
    answer = store.read_answer(profile.id, "profile", "me")
    assert answer["source"] == ["mine.csv", "secret-value-42"] and store.read_answer(profile.id, "arrays", "me") == b"PK"
    compare = store.submit_compare("me", {"source": {"upload": profile.upload}, "target": "y", "budget": 5})
    assert ended(store, compare.id, owner="me").state == "done"
    found = store.read_answer(compare.id, "comparison", "me")
    assert found == answer | {"kind": "compare"}, "the worker that knows the table is taken"
    asked = RunSpec(f"upload/{profile.upload}", "quick", data={"target": "y"})
    run = ended(store, store.submit(asked, owner="me").id, owner="me")
    assert run.state == "done" and store.result(run.id, "me").run_id
    assert Note("mine.csv: secret-value-42") in [event for _, event in store.events(run.id, owner="me")]
    public = ended(store, store.submit_compare(None, {"source": {"dataset": "moons"}, "budget": 5}).id)
    assert public.state == "done" and store.read_answer(public.id, "comparison")["source"] is None


def test_what_is_said_of_a_private_table_reaches_no_log(store, engine, tmp_path):
    engine(slots=1).up()
    log = tmp_path / "engine.log"
    job = private(store, **{"do": "shouts", "with": ["secret-value-42"]})
    job = ended(store, job.id, owner="me")
    assert job.state == "failed" and "ValueError" in job.reason and "secret-value-42" not in job.reason
    assert ended(store, store.submit(spec("noisy")).id).state == "done"
    wait(lambda: "a library's words" in log.read_text())
    assert "secret-value-42" not in log.read_text()


def test_private_work_has_a_limit_of_memory_of_its_own(store, engine):
    engine(slots=1, LAB_PRIVATE_MEMORY="300").up()
    job = ended(store, private(store, **{"do": "allocates", "with": [1000]}).id, owner="me")
    assert job.state == "failed" and job.reason.startswith("The table needs more memory than there is for one job")
    assert ended(store, private(store, **{"do": "allocates", "with": [100]}).id, owner="me").state == "done"
    public = ended(store, store.submit(spec("allocates", megabytes=1000)).id)
    assert public.state == "done", "others have none, in the same worker"


def test_a_worker_keeps_a_table_only_until_it_takes_up_something_else(store, engine):
    engine(slots=1).up()
    upload = store.add_upload("me", "a.csv", b"x")

    def sheets(job: Job) -> str:
        assert ended(store, job.id, owner="me").state == "done"
        return "".join(event.text for _, event in store.events(job.id, owner="me") if isinstance(event, Note))

    mine = [store.submit_profile("me", upload, {"target": name, "reading": {"do": "keeps"}}) for name in ("a", "b")]
    assert [sheets(job) for job in mine] == ["0 sheets", "1 sheets"]
    assert sheets(store.submit(spec("keeps"))) == "0 sheets"


def test_a_worker_that_dies_over_a_table_takes_nobody_along(store, engine):
    process = engine(slots=1).up()
    for do, said in (("segfaults", "crashed (signal 11"), ("killed", "ran out of memory"), ("memory", "needs more memory")):
        job = ended(store, private(store, do=do).id, owner="me")
        assert job.state == "failed" and said in job.reason and job.reason.count(".") == 1, job.reason
    assert ended(store, private(store).id, owner="me").state == "done"
    assert process.popen.poll() is None


@pytest.mark.both_databases
def test_a_worker_that_touched_a_table_ends_when_it_is_forgotten(store, engine):
    process = engine().up()
    pids = {worker.pid for worker in process.workers()}
    first = ended(store, private(store).id, owner="me")
    touched = store.read_answer(first.id, "profile", "me")["pid"]
    assert touched in pids
    store.forget("me", first.upload)
    wait(lambda: touched not in {worker.pid for worker in process.workers()})
    wait(lambda: process.info().ready == 2)
    assert pids - {touched} <= {worker.pid for worker in process.workers()}, "the other one stays"
    assert process.popen.poll() is None


@pytest.mark.both_databases
def test_forget_while_a_job_runs_stops_it_and_ends_its_worker(store, engine, tmp_path):
    process = engine(slots=1).up()
    (worker,) = process.workers()
    job = private(store, do="blocks")
    wait(lambda: store.events(job.id, owner="me"))
    waiting = store.submit_profile("me", job.upload)
    asked = time.monotonic()
    assert store.forget("me", job.upload).tables == 1
    wait(lambda: not alive(worker))
    assert time.monotonic() - asked < 10
    for id in (job.id, waiting.id):
        assert store.events(id, owner="me") == [] and store.artifacts(id, owner="me") == []
    assert ended(store, store.submit(spec("quick")).id).state == "done"
    wait(lambda: process.info().busy == 0)
    assert "Traceback" not in (tmp_path / "engine.log").read_text()


def test_a_stranger_s_run_is_not_ended_by_somebody_who_forgets(store, engine):
    process = engine(slots=1).up()
    (worker,) = process.workers()
    first = ended(store, private(store).id, owner="me")
    other = store.submit(spec("steady", seconds=1.5)).id
    running(store, other)
    store.forget("me", first.upload)
    assert ended(store, other).state == "done"
    wait(lambda: not alive(worker))
    assert ended(store, store.submit(spec("quick")).id).state == "done"


def test_the_engine_forgets_who_is_silent_also_where_it_was_not_running(store, engine, tmp_path):
    old = private(store, b"secret-value-42" * 9)
    with store.database.writing() as db:
        db.execute(OWNERS.update().values(seen=time.time() - 3600))
    process = engine(slots=1, LAB_FORGET_AFTER="2")
    wait(lambda: store.uploads("me") == [])
    process.up()
    assert store.jobs(owner="me", kinds=("profile",)) == [], "it was not run first"
    job = ended(store, private(store, b"secret-value-42" * 9).id, owner="me")
    for _ in range(6):  # a sign of life keeps it
        time.sleep(0.5)
        with store.database.writing() as db:
            db.execute(OWNERS.update().values(seen=time.time()))
        assert store.uploads("me")
    (worker,) = process.workers()
    wait(lambda: store.uploads("me") == [], 6)
    wait(lambda: not alive(worker))
    assert old.id == job.id or store.read_answer(job.id, "profile", "me") is None
    wait(store.purge, 3)
    assert b"secret-value-42" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


# ---- embed jobs


def featured(store: Store, *, rows: int = 60, owner: str | None = None, seed: int = 20) -> Job:
    """A finished run that keeps features of 1.5 times as many rows."""
    job = ended(store, store.submit(spec("quick", seed=seed), owner=owner).id, owner=owner)
    store.put_artifact(job.id, FEATURES, features(rows, 64))
    return job


def test_an_embed_job_goes_through_like_a_run(shared):
    store = shared.store
    run = featured(store)
    job = ended(store, store.submit_embed(run.id, "pca").id, 30)
    assert (job.state, job.reason, job.done, job.total) == ("done", "", 1, 1)
    assert [event for _, event in store.events(job.id)] == [
        Phase("embedding", "PCA of 90 of 90 rows"),
        Progress(0, 1),
        Progress(1, 1),
    ]
    assert store.embedding(run.id, "pca").shape == (90, 2)
    assert store.submit_embed(run.id, "pca") == job
    assert store.embed_seconds("pca", 90, 64) > 0


def test_an_embedding_is_the_same_in_a_worker_as_here(shared):
    store = shared.store
    run = featured(store)
    params = {"iterations": 250, "perplexity": 8}
    assert ended(store, store.submit_embed(run.id, "tsne", params, seed=3).id, 30).state == "done"
    x = unpack(store.artifact(run.id, FEATURES))["x"]
    assert (store.embedding(run.id, "tsne", params, seed=3) == lay_out(x, TSNE(8.0, 250), 3)).all()


def test_an_embed_job_of_a_private_run_is_its_owner_s_and_leaves_no_trace(store, engine, tmp_path):
    engine(slots=1).up()
    run = featured(store, owner="me")
    job = ended(store, store.submit_embed(run.id, "pca", owner="me").id, 30, owner="me")
    assert job.state == "done" and job.owner == "me"
    assert store.embedding(run.id, "pca", owner="me") is not None and store.embedding(run.id, "pca") is None
    store.put_artifact(run.id, FEATURES, b"PK secret-value-42")
    bad = ended(store, store.submit_embed(run.id, "tsne", owner="me").id, owner="me")
    assert bad.state == "failed" and "cannot be read" in bad.reason
    assert "secret-value-42" not in (tmp_path / "engine.log").read_text()


def test_features_that_went_while_it_waited(store, engine):
    process = engine(slots=1).up()
    run = featured(store)
    process.kill()
    id = store.submit_embed(run.id, "pca").id
    with store.database.writing() as db:
        db.execute(ARTIFACTS.delete().where(ARTIFACTS.c.job == run.id))
    engine(slots=1)
    job = ended(store, id)
    assert (job.state, job.reason) == (
        "failed",
        f"The features of run {run.id} are no longer here; run it again to embed them.",
    )


def test_cancel_of_an_embed_job_inside_a_library_takes_a_second(shared):
    store = shared.store
    run = featured(store, rows=1000, seed=21)
    id = store.submit_embed(run.id, "tsne", {"iterations": 5000}).id
    wait(lambda: store.job(id).total == 1)
    time.sleep(0.3)
    asked = time.monotonic()
    store.cancel(id)
    assert ended(store, id).state == "cancelled" and time.monotonic() - asked < 7
    assert store.embedding(run.id, "tsne", {"iterations": 5000}) is None
    assert ended(store, store.submit(spec("quick", seed=22)).id).state == "done"


def test_umap_is_kept_warm_once_somebody_looked_at_features(store, engine):
    compile_library()  # the first time on a machine, which workers do not wait for
    engine(slots=1).up()
    run = featured(store)

    def loaded(seed: int) -> Any:
        job = ended(store, store.submit(spec("loaded", seed=seed, module="umap")).id)
        return next(event.text for _, event in store.events(job.id) if isinstance(event, Note))

    assert loaded(0) == "False", "who only runs pays nothing"
    ended(store, store.submit_embed(run.id, "pca").id, 30)
    assert loaded(1) == "True"


def test_what_takes_long_is_prepared_beside_idle_workers(monkeypatch, tmp_path):
    monkeypatch.setattr(local, "SPARE", 0.3)
    monkeypatch.setenv("FAKE_PREPARED", str(tmp_path / "prepared"))
    fakes = {"target": "tests.engine.fakes:run", "catalog": "tests.engine.fakes:catalog"}
    executor = local.LocalExecutor(1, **fakes, prepare="tests.engine.fakes:prepare")

    def until(what: Callable[[], Any]) -> None:
        wait(lambda: (executor.poll(0.02), what())[1])

    try:
        until(lambda: executor.idle)
        assert executor.start(Work(("busy", 1), spec("steady", seconds=1.0).to_json()))
        busy_until = time.monotonic() + 0.7
        until(lambda: time.monotonic() > busy_until)
        assert executor._preparing is None, "not while somebody waits for a run"
        until(lambda: (tmp_path / "prepared").exists() and (tmp_path / "prepared").read_text())
        assert (tmp_path / "prepared").read_text() == "19", "at the lowest priority"
        assert executor.idle == 1
    finally:
        executor.stop()


# ---- the real thing


class Real(Process):
    """`python -m engine serve`, with torch."""

    def command(self, catalog: str) -> list[str]:
        return [sys.executable, "-m", "engine", "serve", "--store", self.store.url]


def test_the_command_runs_a_real_spec_and_leaves_nothing(store, tmp_path):
    process = Real(store, tmp_path / "engine.log")
    try:
        catalog = wait(store.catalog, 60)
        asked = RunSpec("moons", "ce", params={"epochs": 3}).complete(catalog)
        job = ended(store, store.submit(asked).id, 60)
        assert job.state == "done", job.reason
        assert store.result(job.id).n == 1 and "frames/0" in store.artifacts(job.id)
        assert catalog["device"] != ""
        wait(lambda: process.info().device == catalog["device"], 10)  # said with the next heartbeat
        process.kill()
        wait(lambda: not process.left())
    finally:
        process.end()


@pytest.mark.parametrize("after", [0.5, 1.5])
def test_nothing_is_left_when_the_engine_is_killed_while_torch_is_imported(store, tmp_path, after):
    process = Real(store, tmp_path / "engine.log")
    try:
        time.sleep(after)
        process.kill()
        wait(lambda: not process.left())
    finally:
        process.end()


# ---- settings


def test_settings_are_whole_numbers(monkeypatch):
    monkeypatch.delenv("LAB_SLOTS", raising=False)
    assert read_setting("LAB_SLOTS", 2) == 2
    monkeypatch.setenv("LAB_SLOTS", "5")
    assert read_setting("LAB_SLOTS", 2) == 5
    for text in ("0", "many", "-1", "2.5"):
        monkeypatch.setenv("LAB_SLOTS", text)
        with pytest.raises(BadInput, match="LAB_SLOTS"):
            read_setting("LAB_SLOTS", 2)


def test_a_secret_comes_by_a_file(monkeypatch, tmp_path):
    for name in ("LAB_STORE", "LAB_STORE_FILE"):
        monkeypatch.delenv(name, raising=False)
    assert read_text("LAB_STORE") == "" and read_text("LAB_STORE", "none") == "none"
    (file := tmp_path / "secret").write_text(f"sqlite:///{tmp_path}/a b.db \r\n")
    monkeypatch.setenv("LAB_STORE_FILE", str(file))
    assert read_text("LAB_STORE") == default_url() == f"sqlite:///{tmp_path}/a b.db "
    monkeypatch.setenv("LAB_STORE", "sqlite:////another.db")
    with pytest.raises(BadInput, match="LAB_STORE and LAB_STORE_FILE are both set: keep one of them"):
        default_url()
    monkeypatch.delenv("LAB_STORE")
    for content in (None, b"\xff"):
        monkeypatch.setenv("LAB_STORE_FILE", str(tmp_path / "other"))
        if content is not None:
            (tmp_path / "other").write_bytes(content)
        with pytest.raises(BadInput, match="LAB_STORE_FILE=.*other.*: cannot be read"):
            default_url()


def test_a_log_in_json_has_the_lines_of_its_workers(engine, store):
    process = engine(LAB_LOG="json")
    process.patience = 90.0
    process.up()
    ids = [store.submit(spec(method)).id for method in ("noisy", "bug")]
    wait(lambda: {store.job(id).state for id in ids} <= {"done", "failed"}, process.patience)
    process.terminate()
    lines = [json.loads(line) for line in process.log.read_text(encoding="utf-8").splitlines()]
    worker = [line for line in lines if line["logger"] == "engine.executors.worker"]
    assert any(line["message"] == "a library's words" for line in worker)
    (error,) = (line for line in worker if "error" in line)
    assert error["job"] == ids[1] and error["error"].endswith("\nValueError")
    assert not any("secret-value-42" in line["message"] for line in lines)
