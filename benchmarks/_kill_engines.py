"""Several engines on one store of PostgreSQL: kill one of them, or a worker of it, at random moments, and see what becomes of the runs.

Part of `benchmarks/kills.py`. Runs are real training of a second or two on `python -m engine serve`, or sleep as long in the same engine
without torch, which starts sooner. There are always more than slots. A trigger in the database notes each change of a job's state, so that
what is said of runs does not rest on the store's own words.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from benchmarks._polling import PATIENCE, wait
from engine.events import kind
from engine.spec import RunSpec
from engine.store import ACTIVE, Store
from engine.store.jobs import LOST_MOST, STATES
from tests.postgres import Server

ROOT = Path(__file__).resolve().parent.parent
SLOTS = 2
AHEAD = 4
"""Runs that wait at least, beside those in slots."""
SLEEPING = """
import sys
from engine.service import serve
fakes = "tests.engine.fakes:"
serve(sys.argv[1], target=fakes + "run", catalog=fakes + "catalog", prepare=None, private=fakes + "steps")
"""
COMPARED = 20
"""Runs that began more than once and are done again undisturbed, at most."""
AUDIT = """
CREATE SCHEMA {schema}_audit;
CREATE TABLE {schema}_audit.changes (
    n bigint GENERATED ALWAYS AS IDENTITY, job text, was text, state text, attempt int, engine text, at float8);
CREATE FUNCTION {schema}_audit.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO {schema}_audit.changes (job, was, state, attempt, engine, at)
    VALUES (NEW.id, OLD.state, NEW.state, NEW.attempt, coalesce(NEW.engine, OLD.engine), extract(epoch FROM clock_timestamp()));
    RETURN NULL;
END $$;
CREATE TRIGGER note AFTER UPDATE OF state ON {schema}.jobs FOR EACH ROW EXECUTE FUNCTION {schema}_audit.note()
"""


class Change(NamedTuple):
    """A job's state before and after, as which attempt, by which engine, and when (unix seconds)."""

    was: str
    state: str
    attempt: int
    engine: str | None
    at: float


class EngineProcess:
    """An engine process on a store, started again whenever it is killed."""

    def __init__(self, url: str, log: Path, *, trains: bool) -> None:
        self.log = log
        self.command = ["-m", "engine", "serve", "--store", url] if trains else ["-c", SLEEPING, url]
        self.known: set[psutil.Process] = set()
        self.start()

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.popen = subprocess.Popen(
                [sys.executable, *self.command],
                cwd=ROOT,
                env=os.environ | {"LAB_SLOTS": str(SLOTS), "LAB_PREVIEW": "0", "OMP_NUM_THREADS": "1"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def find_id(self, store: Store) -> str | None:
        """Its id, once it has had a heartbeat."""
        return next((one.id for one in store.engines() if one.pid == self.popen.pid), None)

    def find_children(self) -> list[psutil.Process]:
        """Its processes; all that were ever seen are in `known`."""
        found: list[psutil.Process] = []
        with contextlib.suppress(psutil.NoSuchProcess):
            found += psutil.Process(self.popen.pid).children(recursive=True)
        self.known.update(found)
        return found

    def find_workers(self) -> list[psutil.Process]:
        """The workers that live."""
        found = []
        for child in self.find_children():
            with contextlib.suppress(psutil.Error):
                if child.status() != psutil.STATUS_ZOMBIE and any("spawn_main" in word for word in child.cmdline()):
                    found.append(child)
        return found

    def kill(self, target: str, chance: random.Random) -> None:
        """End the engine, which is started again at once, or one of its workers, with SIGKILL."""
        workers = self.find_workers()
        if target == "engine":
            self.popen.kill()
            self.popen.wait()
            self.start()
        elif workers:
            with contextlib.suppress(psutil.NoSuchProcess):
                chance.choice(workers).kill()

    def stop(self) -> list[psutil.Process]:
        """Stop it politely; returns what it has left behind, which is then killed."""
        self.find_children()
        self.popen.terminate()
        try:
            self.popen.wait(30)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
        left: list[psutil.Process] = psutil.wait_procs(self.known, 10)[1]
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        return left


def make_spec(number: int, *, trains: bool) -> RunSpec:
    """A run of a second or two."""
    if not trains:
        return RunSpec("fake", "tells", params={"steps": 30, "pause": 0.05}, seed=number)
    return RunSpec("moons", ("ce", "balanced-softmax")[number % 2], params={"epochs": 8}, seeds=1, seed=number)


def check_history(changes: Sequence[Change]) -> list[str]:
    """What is wrong with the changes of one job's state, ends of sentences: it begins once an attempt, ends once, and begins again at
    most LOST_MOST times. It is interrupted only after that.
    """
    wrong, state, attempt, lost = [], "queued", 1, 0
    for change in changes:
        if change.was != state:
            wrong.append(f"was {change.was} where it should be {state}")
        step = (change.was, change.state)
        if step == ("running", "queued"):
            lost += change.attempt == attempt + 1
            if change.attempt not in (attempt, attempt + 1):
                wrong.append(f"came back as attempt {change.attempt} after {attempt}")
        elif step != ("queued", "running") and (change.was != "running" or change.state in ACTIVE):
            wrong.append(f"went from {change.was} to {change.state}")
        elif change.attempt != attempt:
            wrong.append(f"is {change.state} as attempt {change.attempt} after {attempt}")
        state, attempt = change.state, change.attempt
    if state in ACTIVE:
        wrong.append(f"never ended: it is {state}")
    if lost > LOST_MOST or (state == "interrupted" and lost < LOST_MOST):
        wrong.append(f"is {state} after {lost} losses: {[(*change[:3], change.engine) for change in changes]}")
    return wrong


def count_losses(changes: Sequence[Change]) -> int:
    """How often a job began again."""
    return max((change.attempt for change in changes), default=1) - 1


def check_parts(store: Store, id: str) -> list[str]:
    """What is wrong with a job's events and result, ends of sentences."""
    job, numbers, wrong = store.job(id), [n for n, _ in store.events(id)], []
    if numbers != list(range(1, len(numbers) + 1)):
        wrong.append(f"has events {numbers}")
    if job.state == "done":
        if not numbers or store.result(id) is None:
            wrong.append("is done without events or a result")
    elif not job.reason:
        wrong.append(f"is {job.state} without a reason")
    elif store.result(id) is not None:
        wrong.append(f"is {job.state} and has a result")
    return wrong


def digest_result(store: Store, id: str) -> str:
    """A number that tells a result from any other, but for seconds and where it was made; with names and lengths of artifacts, and the
    kinds of its events, of which those of time alone are left out.
    """
    result = store.result(id)
    assert result is not None, f"run {id} is done and has no result"
    words = {name: value for name, value in result.to_json().items() if name not in ("seconds", "provenance")}
    arrays = {name: (array.shape, hashlib.sha256(array.tobytes()).hexdigest()) for name, array in result.arrays.items()}
    artifacts = {name: len(store.artifact(id, name) or b"") for name in store.artifacts(id)}
    events = Counter(kind(event) for _, event in store.events(id))
    whole = [words, arrays, artifacts, {name: events[name] for name in ("epoch", "frame", "note", "phase")}]
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


@contextlib.contextmanager
def open_store(server: Server) -> Iterator[tuple[Store, str]]:
    """An empty store in a schema of its own, which is dropped in the end, and the schema's name."""
    schema = f"kills_{uuid.uuid4().hex[:12]}"
    store = Store(server.make_schema(schema))
    try:
        yield store, schema
    finally:
        store.close()
        server.run_sql(f"DROP SCHEMA {schema} CASCADE", "lab")
        server.run_sql(f"DROP SCHEMA IF EXISTS {schema}_audit CASCADE", "lab")


class Load:
    """Runs that are asked for as others end, so that engines have always something to do."""

    def __init__(self, store: Store, engines: int, *, trains: bool) -> None:
        self.store, self.engines, self.trains = store, engines, trains
        self.ids: list[str] = []

    def top_up(self) -> None:
        active = self.store.count_active()
        for _ in range(self.engines * SLOTS + AHEAD - active["queued"] - active["running"]):
            self.ids.append(self.store.submit(make_spec(len(self.ids), trains=self.trains)).id)

    def find_running(self, engine: EngineProcess) -> bool:
        """Whether an engine runs something, according to the store."""
        self.top_up()
        id = engine.find_id(self.store)
        return id is not None and bool(self.store.list_running(id))


def kill_engines(
    count: int, seed: int, server: Server, engines: int = 2, *, trains: bool = False, say: Callable[[str], None] = print
) -> dict[str, Any]:
    """Kill `count` times; returns what was found. lost: a sentence for each thing that is not as it should be."""
    chance, lost = random.Random(seed), []
    kills: Counter[str] = Counter()
    ends: dict[str, float] = {}  # id of a killed engine -> when
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, open_store(server) as (store, schema):
        server.run_sql(AUDIT.format(schema=schema), "lab")
        load = Load(store, engines, trains=trains)
        processes = [EngineProcess(store.url, Path(folder) / f"{n}.log", trains=trains) for n in range(engines)]
        done: dict[str, str] = {}
        try:
            for number in range(count):
                n = chance.randrange(engines)
                if not wait(partial(load.find_running, processes[n])):
                    lost.append(f"{number}: engine {n} never ran anything")
                    break
                time.sleep(chance.uniform(0.0, 1.5))
                target = chance.choice(("engine", "worker"))
                if target == "engine":
                    ends[processes[n].find_id(store) or ""] = time.time()
                processes[n].kill(target, chance)
                kills[target] += 1
                states = dict(server.run_sql(f"SELECT id, state FROM {schema}.jobs", "lab"))
                done |= {id: digest_result(store, id) for id, state in states.items() if state == "done" and id not in done}
                say(f"{number + 1}/{count} {target} of engine {n}: {dict(Counter(states.values()))}")
            if not wait(lambda: not sum(store.count_active().values())):
                lost.append("some runs never ended")
        finally:
            left = [process for one in processes for process in one.stop()]
        lost += [f"process {process.pid} was left behind" for process in left]
        rows = server.run_sql(
            f"SELECT job, was, state, attempt, engine, at FROM {schema}_audit.changes ORDER BY n",
            "lab",
        )
        histories: dict[str, list[Change]] = {id: [] for id in load.ids}
        for id, *change in rows:
            histories[id].append(Change(*change))
        for id, changes in histories.items():
            lost += [f"run {id} {what}" for what in check_history(changes) + check_parts(store, id)]
        lost += [f"run {id} is no longer what it was" for id in done if digest_result(store, id) != done[id]]
        ended = Counter(store.job(id).state for id in load.ids)
        if ended["failed"] > kills["worker"]:
            lost.append(f"{ended['failed']} runs failed by {kills['worker']} kills of workers")
        again = [id for id in load.ids if store.job(id).state == "done" and count_losses(histories[id])]
        lost += compare_undisturbed(store, chance.sample(again, min(COMPARED, len(again))), server, trains=trains)
    waits = [
        change.at - ends[change.engine]
        for changes in histories.values()
        for before, change in zip(changes, changes[1:], strict=False)
        if change.state in ("queued", "interrupted") and before.state == "running" and change.engine in ends
    ]
    return {
        "count": sum(kills.values()),
        "seed": seed,
        "engines": engines,
        "runs": "train" if trains else "sleep",
        "lost": lost,
        "kills": dict(kills),
        "states": {state: ended[state] for state in STATES if ended[state]},
        "began_again": dict(sorted(Counter(map(count_losses, histories.values())).items())),
        "compared": min(COMPARED, len(again)),
        "taken_after": waits,
        "seconds": round(time.monotonic() - began),
    }


def compare_undisturbed(store: Store, ids: Sequence[str], server: Server, *, trains: bool) -> list[str]:
    """Do these runs again on an engine that nobody kills; a sentence for each whose result differs."""
    if not ids:
        return []
    with tempfile.TemporaryDirectory() as folder, open_store(server) as (other, _):
        engine = EngineProcess(other.url, Path(folder) / "engine.log", trains=trains)
        try:
            for id in ids:
                other.submit(RunSpec.from_json(store.job(id).spec))
            if not wait(lambda: not sum(other.count_active().values()), PATIENCE + 10 * len(ids)):
                return ["the undisturbed runs never ended"]
        finally:
            engine.stop()
        return [
            f"run {id} differs from an undisturbed one" for id in ids if digest_result(store, id) != digest_result(other, id)
        ]
