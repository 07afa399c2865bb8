"""What the simulation of a fleet is given, and what it is checked against: `python -m benchmarks.fleet --measure` and `--real`.

Costs come from one client alone on an otherwise empty store. The machine may be busy: seconds are those of processors, and of the clock the
least over all calls, each the least of several rounds' means. What is checked (`run_real`) is measured apart and is no cost.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import platform
import queue
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import sqlalchemy as sa
from websockets.asyncio.client import connect

from benchmarks import viewers
from benchmarks._pages import EXAMPLES, make_store, serve_page
from engine.spec import RunSpec
from engine.store import EngineInfo, Store
from engine.store.jobs import PRIORITY_SWEEP
from engine.store.postgres import LOCK
from engine.store.schema import ARTIFACTS, EVENTS, RESULTS
from tests.postgres import Server, serving

SPEC = RunSpec(dataset="moons", method="ce", params={"steps": 3})
SETTINGS = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}
"""As a server that keeps what it has said is kept."""
ON_ENGINE = 4
"""Running jobs of an engine."""


def describe_machine() -> dict[str, Any]:
    """Machine, date and the load of others."""
    model = next(
        (x.partition(":")[2].strip() for x in Path("/proc/cpuinfo").read_text().splitlines() if x.startswith("model name")), ""
    )
    return {
        "processor": model or platform.processor(),
        "processors": os.cpu_count(),
        "python": platform.python_version(),
        "date": time.strftime("%Y-%m-%d"),
        "load": round(os.getloadavg()[0], 1),
    }


def read_busy(process: psutil.Process | None) -> float:
    """Seconds of processor that a server's living processes have taken."""
    total = 0.0
    for one in [] if process is None else [process, *process.children(recursive=True)]:
        try:
            total += int(Path(f"/proc/{one.pid}/schedstat").read_text().split()[0]) / 1e9
        except (OSError, psutil.Error):
            continue
    return total


# ---- verbs


class Meter:
    """Times calls: the least over rounds of a verb's mean processor time here and in the server, and of single calls the least by clock."""

    def __init__(self, store: Store, server: psutil.Process | None) -> None:
        self.store, self.server = store, server
        self.found: dict[str, dict[str, float]] = {}
        self._statements, self._locked = 0, None
        sa.event.listen(store.database.sql_engine, "after_cursor_execute", self._count)

    def _count(self, _: Any, __: Any, statement: str, *___: Any) -> None:
        self._statements += 1
        if statement == LOCK:
            self._locked = time.perf_counter()

    def time(self, name: str, calls: Sequence[Callable[[], Any]], *, each: int = 1) -> None:
        """Make the calls one after the other. each: how many of the verb one call is."""
        walls, holds, self._statements = [], [], 0
        busy, own = read_busy(self.server), time.process_time()
        for call in calls:
            self._locked = None
            began = time.perf_counter()
            call()
            ended = time.perf_counter()
            walls.append(ended - began)
            if self._locked is not None:
                holds.append(ended - self._locked)
        own, busy = time.process_time() - own, read_busy(self.server) - busy
        n = len(calls) * each
        row = {"client_ms": 1e3 * own / n, "server_ms": 1e3 * busy / n, "clock_ms": 1e3 * min(walls) / each}
        row["lock_ms"] = 1e3 * min(holds) / each if holds else 0.0
        row["statements"] = self._statements / n
        known = self.found.get(name)
        self.found[name] = row if known is None else {key: min(value, known[key]) for key, value in row.items()}


def read_cell() -> dict[str, Any]:
    """What a cell of the recorded sweep left: its events, its result, and bytes a run."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{Path(folder) / 'lab.db'}")
        ids = store.load(EXAMPLES / "sweep.zip")
        with store.database.reading() as db:
            events = [
                [
                    (e.kind, e.words, e.arrays)
                    for e in db.execute(EVENTS.select().where(EVENTS.c.job == id).order_by(EVENTS.c.seq))
                ]
                for id in ids
            ]
            results = {r.job: (r.words, r.arrays) for r in db.execute(RESULTS.select().where(RESULTS.c.job.in_(ids)))}
            artifacts = sum(len(a.data) for a in db.execute(ARTIFACTS.select().where(ARTIFACTS.c.job.in_(ids))))
        store.close()
    sizes = [sum(len(words) + len(arrays or b"") for _, words, arrays in rows) for rows in events]
    middle = sorted(range(len(ids)), key=sizes.__getitem__)[len(ids) // 2]
    arrays = sum(len(data or b"") for rows in events for *_, data in rows) + sum(len(data) for _, data in results.values())
    texts = [len(words) + len(arrays or b"") for words, arrays in results.values()]
    facts = {
        "runs": len(ids),
        "events": statistics.fmean(map(len, events)),
        "frames": statistics.fmean(sum(kind == "frame" for kind, _, _ in rows) for rows in events),
        "event_bytes": statistics.fmean(sizes),
        "result_bytes": statistics.fmean(texts),
        "artifact_bytes": artifacts / len(ids),
        "array_bytes": arrays / len(ids),
    }
    return {"events": events[middle], "result": results[ids[middle]], "facts": facts}


def measure_verbs(store: Store, server: psutil.Process | None, cell: dict[str, Any], n: int, rounds: int) -> dict[str, Any]:
    """Milliseconds of each verb on this store."""
    meter = Meter(store, server)
    for number in range(rounds):
        _time_round(meter, store, cell, n, number)
    return {name: {key: round_to(value) for key, value in row.items()} for name, row in meter.found.items()}


def _time_round(meter: Meter, store: Store, cell: dict[str, Any], n: int, number: int) -> None:
    """Each verb n times."""
    frame = next(e for e in cell["events"] if e[0] == "frame")
    now, data = time.time(), os.urandom(1 << 20)
    engines = [EngineInfo(f"e{i}", "h", 1, now, now, "CPU", ["cpu"], 4, 4, 4, 0.0, "") for i in range(n // ON_ENGINE)]
    specs = [(SPEC.with_(seed=number * 10_000 + i), "") for i in range(n)]
    jobs: list[Any] = []
    meter.time("claim, none queued", [lambda: store.claim("e0")] * n)
    meter.time("submit, many", [lambda: store.submit_missing(specs, priority=PRIORITY_SWEEP)], each=n)
    meter.time("record_heartbeat", [lambda i=i: store.record_heartbeat(engines[i % len(engines)]) for i in range(n)])
    meter.time("claim", [lambda i=i: jobs.append(store.claim(f"e{i // ON_ENGINE}", choose=lambda j: j[0])) for i in range(n)])
    ids = [job.id for job in jobs]
    meter.time("append, 1 frame", [lambda id=id: store.append(id, [frame], attempt=1, first=1) for id in ids])
    meter.time("append, 10 frames", [lambda id=id: store.append(id, [frame] * 10, attempt=1, first=2) for id in ids])
    meter.time("list_running", [lambda i=i: store.list_running(f"e{i // ON_ENGINE}") for i in range(n)])
    meter.time("should_yield", [lambda id=id: store.should_yield(id, attempt=1) for id in ids])
    meter.time("interrupt_orphans", [store.interrupt_orphans] * n)
    meter.time("sweep_previews", [store.sweep_previews] * n)
    meter.time("expire", [store.expire] * n)
    meter.time("engines", [store.engines] * n)
    meter.time("count_active", [store.count_active] * n)
    meter.time("job", [lambda id=id: store.job(id) for id in ids])
    meter.time("events, 1 frame", [lambda id=id: store.events(id, 10) for id in ids])
    meter.time("last_event", [lambda id=id: store.last_event(id, "frame") for id in ids])
    meter.time("save_result", [lambda id=id: store.save_result(id, cell["result"], {}, attempt=1) for id in ids])
    meter.time("put_artifact, 1 MiB", [lambda id=id: store.put_artifact(id, "a", data) for id in ids[:10]])
    meter.time("submit", [lambda i=i: store.submit(SPEC.with_(seed=5_000_000 + number * n + i)) for i in range(n)])
    store.cancel_all([job.id for job in store.jobs(limit=n)], urgent=0)


def round_to(value: float) -> float:
    """Three digits."""
    return float(f"{value:.3g}")


def measure_flush(folder: Path, n: int = 30) -> float:
    """Milliseconds until 8 KiB are on the disk, the least of ten rounds' medians."""
    rounds = []
    with (folder / "flush").open("wb", buffering=0) as file:
        file.write(bytes(8192 * n))  # as a log's file, which is there before it is written to
        os.fsync(file.fileno())
        for _ in range(10):
            times = []
            file.seek(0)
            for _ in range(n):
                began = time.perf_counter()
                file.write(bytes(8192))
                os.fdatasync(file.fileno())
                times.append(time.perf_counter() - began)
            rounds.append(statistics.median(times))
    return 1e3 * min(rounds)


def measure_notify(server: Server, process: psutil.Process, n: int = 200) -> dict[str, float]:
    """Milliseconds of a NOTIFY: in the server with nobody listening, and besides for each of 8 who listen."""
    import psycopg

    def join() -> Any:
        return psycopg.connect(host="127.0.0.1", port=server.port, user="postgres", dbname="lab", autocommit=True)

    def busy(times: int) -> float:
        began = read_busy(process)
        for i in range(times):
            sender.execute(f"NOTIFY lab, '{i}'")
        time.sleep(0.3)
        return 1e3 * (read_busy(process) - began) / times

    sender = join()
    alone = min(busy(n) for _ in range(2))
    listeners = [join() for _ in range(8)]
    for one in listeners:
        one.execute("LISTEN lab")
    both = min(busy(n) for _ in range(2))
    for one in (sender, *listeners):
        one.close()
    return {"server_ms": round_to(alone), "listener_ms": round_to(max(0.0, both - alone) / 8)}


# ---- the page


def take(process: psutil.Process) -> float:
    """Seconds of processor of a process, ended threads included."""
    times = process.cpu_times()
    return float(times.user + times.system)


async def _look(url: str, page: psutil.Process, server: psutil.Process | None, n: int, live: str) -> dict[str, Any]:
    """Milliseconds of one viewer alone: first views, views again, timed fragments idle and of a live run."""
    found: dict[str, Any] = {}
    counts: list[tuple[int, int]] = []

    async def open_one(query: dict[str, str]) -> tuple[Any, viewers.Viewer]:
        cookie = await asyncio.to_thread(viewers.fetch_cookie, url)
        place = url.removeprefix("http://")
        socket = await connect(
            f"ws://{place}/_stcore/stream",
            origin=url,  # type: ignore[arg-type]
            subprotocols=["streamlit"],  # type: ignore[list-item]
            additional_headers={"Cookie": cookie} if cookie else {},
            max_size=None,
        )
        return socket, viewers.Viewer(socket, "lab", query, viewers.Times())

    async def time_all(name: str, calls: int, call: Callable[[], Any]) -> None:
        best: dict[str, float] = {}
        for _ in range(2):
            began = (take(page), time.process_time(), read_busy(server))
            walls = []
            for _ in range(calls):
                clock = time.perf_counter()
                await call()
                walls.append(time.perf_counter() - clock)
            ended = (take(page), time.process_time(), read_busy(server))
            row = dict(
                zip(
                    ("page_ms", "client_ms", "server_ms"),
                    (1e3 * (b - a) / calls for a, b in zip(began, ended, strict=True)),
                    strict=True,
                )
            )
            row["clock_ms"] = 1e3 * min(walls)
            best = {key: min(value, best.get(key, value)) for key, value in row.items()}
        found[name] = {key: round_to(value) for key, value in best.items()}

    async def first() -> None:
        socket, viewer = await open_one({})
        await viewer.view()
        counts.append((viewer.messages, viewer.bytes))
        await viewer.close()
        await socket.close()

    await first()
    counts.clear()
    await time_all("first view", n, first)
    messages, sizes = zip(*counts, strict=True)
    found["first view"] |= {"messages": statistics.median(messages), "bytes": statistics.median(sizes)}
    socket, viewer = await open_one({})
    await viewer.view()
    await time_all("again", n, viewer.view)
    found["again"] |= {"messages": viewer.messages, "bytes": viewer.bytes}

    async def ask(viewer: viewers.Viewer, fragment: str) -> None:
        done = len(viewer._times.fragment)
        viewer._asked[fragment] = time.perf_counter()
        await viewer._ask(fragment)
        while len(viewer._times.fragment) == done:
            await asyncio.sleep(0.002)
        await asyncio.sleep(0.3)  # what viewers share for a quarter of a second is read anew

    one = next(iter(viewer._timers))
    viewer._stop_timer(one)
    await time_all("fragment", n, lambda: ask(viewer, one))
    await viewer.close()
    await socket.close()
    socket, viewer = await open_one({"run": live})
    await viewer.view()
    names = list(viewer._timers)
    for name in names:
        viewer._stop_timer(name)
    turn = iter(names * n * 9)
    await time_all("fragment, live", n, lambda: ask(viewer, next(turn)))
    found["fragment, live"]["a_view"] = len(names)
    await viewer.close()
    await socket.close()
    return found


def measure_page(store: Store, server: psutil.Process | None, n: int) -> dict[str, Any]:
    """What a viewer of the Lab costs on this store."""
    for bundle in sorted(EXAMPLES.glob("*.zip")):
        store.load(bundle)
    with tempfile.TemporaryDirectory() as folder, serve_page(store, Path(folder) / "page.log") as (url, page):
        live = viewers.LiveRun(store)
        live.start()
        try:
            return asyncio.run(_look(url, page, server, n, live.id))
        finally:
            live.ending.set()
            live.join()


def measure_costs(n: int, rounds: int, views: int) -> dict[str, Any]:
    """All costs, as `fleet.json` holds them. n: calls of a verb in each round. views: of the page, in each of two rounds."""
    out: dict[str, Any] = {"machine": describe_machine(), "n": n, "rounds": rounds, "n_page": views, "verbs": {}, "page": {}}
    cell = read_cell()
    out["run"] = {key: round_to(value) for key, value in cell["facts"].items()}
    with tempfile.TemporaryDirectory() as folder, serving(**SETTINGS) as server:
        process = psutil.Process(server.pid)

        def open_stores(name: str) -> Iterator[tuple[str, Store, psutil.Process | None]]:
            urls = {"postgres": server.make_schema(name), "sqlite": f"sqlite:///{Path(folder) / name}.db"}
            for kind, url in urls.items():
                store = Store(url)
                yield kind, store, process if kind == "postgres" else None
                store.close()

        for kind, store, one in open_stores("verbs"):
            out["verbs"][kind] = measure_verbs(store, one, cell, n, rounds)
        out["flush_ms"] = round_to(measure_flush(Path(folder)))
        out["notify"] = measure_notify(server, process)
        for kind, store, one in open_stores("page"):
            out["page"][kind] = measure_page(store, one, views)
    out["machine"]["load_after"] = round(os.getloadavg()[0], 1)
    return out


# ---- what the simulation is checked against


def _claim_all(url: str, name: str, barrier: Any, results: Any) -> None:
    store, taken = Store(url), 0
    barrier.wait()
    began, busy = time.time(), time.process_time()
    while store.claim(name, choose=lambda jobs: jobs[0]) is not None:
        taken += 1
    results.put((taken, began, time.time(), time.process_time() - busy))
    store.close()


def race_claimers(claimers: int, jobs: int) -> dict[str, Any]:
    """Processes that claim until nothing is queued: seconds by the clock and of processors, in them and in the server."""
    context = multiprocessing.get_context("spawn")
    with serving(**SETTINGS) as server:
        store = Store(server.url())
        store.submit_missing([(SPEC.with_(seed=i), "") for i in range(jobs)])
        barrier, results = context.Barrier(claimers), context.Queue()
        load = count_running()
        processes = [context.Process(target=_claim_all, args=(store.url, f"e{i}", barrier, results)) for i in range(claimers)]
        for one in processes:
            one.start()
        postgres = psutil.Process(server.pid)
        busy, peak = read_busy(postgres), 0.0
        rows = []
        while len(rows) < claimers:  # a backend's time is gone with its client, so it is read while all are there
            try:
                rows.append(results.get(timeout=0.05))
            except queue.Empty:
                peak = max(peak, read_busy(postgres))
        for one in processes:
            one.join()
        store.close()
    assert sum(row[0] for row in rows) >= jobs * 0.99, rows
    seconds = max(row[2] for row in rows) - min(row[1] for row in rows)
    out = {
        "claimers": claimers,
        "jobs": jobs,
        "seconds": seconds,
        "client_s": sum(row[3] for row in rows),
        "server_s": peak - busy,
    }
    return {key: round_to(value) for key, value in out.items()} | {"others": load}


def count_running(seconds: float = 2.0) -> float:
    """Processes of others that want a processor, the mean of looks over some seconds."""
    looks = []
    for _ in range(int(seconds / 0.05)):
        looks.append(int(Path("/proc/loadavg").read_text().split()[3].partition("/")[0]) - 1)
        time.sleep(0.05)
    return round(statistics.fmean(looks), 2)


def time_engines(engines: int, slots: int, cells: int, seconds: float) -> dict[str, Any]:
    """Cells that sleep on so many engines of one store on PostgreSQL: from the first that begins to the last that ends."""
    from tests.engine.test_service import Process, wait

    with tempfile.TemporaryDirectory() as folder, serving(**SETTINGS) as server:
        store = Store(server.url())
        running = [Process(store, Path(folder) / f"engine{i}.log", slots) for i in range(engines)]
        try:
            for one in running:
                one.patience = 120.0
            if engines > 1:
                wait(lambda: len([e for e in store.engines() if e.ready == slots]) == engines, 120.0)
            else:
                running[0].up()
            load = count_running()
            runs = [(RunSpec("fake", "blocks", params={"seconds": seconds}, seed=i), "") for i in range(cells)]
            ids = [job.id for job in store.submit_missing(runs, priority=PRIORITY_SWEEP)]
            wait(lambda: not any(store.count_active().values()), 120.0 + cells * seconds)
            jobs = [store.job(id) for id in ids]
        finally:
            for one in running:
                one.end()
            store.close()
    took = max(job.finished or 0.0 for job in jobs) - min(job.started or 0.0 for job in jobs)
    assert {job.state for job in jobs} == {"done"}, {job.reason for job in jobs}
    return {"engines": engines, "slots": slots, "cells": cells, "cell_s": seconds, "seconds": round_to(took), "others": load}


def look_at_once(count: int, over: float, hold: float) -> dict[str, Any]:
    """Viewers of the Lab on SQLite: what they wait for, and processor seconds of the page and of the clients."""
    with (
        tempfile.TemporaryDirectory() as folder,
        make_store("sqlite", Path(folder)) as store,
        serve_page(store, Path(folder) / "page.log") as (url, page),
    ):
        for _ in range(2):
            asyncio.run(viewers.run_round(url, "lab", {}, 5, 0.0, 0.0))
        others = count_running()
        began, own = take(page), time.process_time()
        line = asyncio.run(viewers.run_round(url, "lab", {}, count, over, hold))
        spent = {"page_s": round_to(take(page) - began), "client_s": round_to(time.process_time() - own)}
    kept = {key: line[key] for key in ("viewers", "over", "first", "again", "fragment", "fragments_a_second")}
    return kept | {"hold": hold, "others": others} | spent


def run_real() -> dict[str, Any]:
    """Everything that the simulation is checked against, as `fleet.json` holds it."""
    where = {"source": f"--real, {time.strftime('%Y-%m-%d')}", "cores": os.cpu_count()}
    looks = [look_at_once(30, 10.0, 6.0), look_at_once(30, 0.0, 6.0), look_at_once(100, 30.0, 6.0)]
    engines = [time_engines(1, 3, 40, 0.5), time_engines(2, 3, 40, 0.5)]
    return {
        "claimers": [race_claimers(4, 2000) | where],
        "viewers": [row | where for row in looks],
        "engines": [row | where | {"database": "postgres"} for row in engines],
    }
