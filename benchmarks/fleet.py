"""Which part fills first as engines and viewers grow, by simulation (SimPy) with costs measured on one client alone.

    python -m benchmarks.fleet                  # the table of docs/scale.md, less than 5 minutes, always the same numbers
    python -m benchmarks.fleet --check          # each station against its queueing formula; the model against `run_real`
    python -m benchmarks.fleet --measure        # measure the costs anew into fleet.json, minutes
    python -m benchmarks.fleet --real           # measure anew what --check compares with, minutes

An engine is simulated as `engine/service.py` turns: it looks every TICK seconds, writes what its cells sent, and takes as many sweep
cells as it has slots but one. A page process is one interpreter lock, which scripts share in slices; two whole scripts run at a time.
The database is its processors, the lock that most writing verbs share, and the disk, which a commit waits for together with all that
came meanwhile. One page process stands for all (they are alike), and what all ask of the database is summed.
"""

from __future__ import annotations

import argparse
import dataclasses
import heapq
import json
import random
import statistics
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import simpy

TOY = ("--toy",)
SHOWS = ('"station"', '"engines"', '"viewers"', '"busiest"')
COSTS = Path(__file__).with_suffix(".json")
SEED = 25
TICK, BEAT = 0.05, 1.0
"""Seconds between an engine's looks, and between its heartbeats (`engine/service.py`)."""
SCRIPTS = 2
"""Whole scripts of a page process at a time (`app/frame/turns.py`)."""
SLICE = 0.005
"""Seconds after which Python gives its lock to another thread, and, about, Linux a processor."""
CELL_S = 2.6
"""Seconds of a cell: 154 cells of KEEL in 406 s of processor (docs/measured.md)."""
MILLION = 1_000_000
OF_ENGINE, OF_PAGE = 2, 5
"""Connections that an engine (its loop and its heart) and a page process (its pool, without overflow) keep."""
WRITES = {"claim", "append, 1 frame", "append, 10 frames", "record_heartbeat", "save_result", "submit", "submit, many"}
Step = Generator[simpy.Event, Any, None]


# ---- stations


class Station:
    """Servers that take who came first: Lindley's recursion, one event a visit."""

    def __init__(self, env: simpy.Environment, servers: int = 1) -> None:
        self.env, self.servers = env, servers
        self.busy, self.visits, self.waited = 0.0, 0, 0.0
        self._free = [0.0] * servers

    def serve(self, seconds: float) -> simpy.Event:
        """An event at the end of so many seconds of service."""
        begins = max(self.env.now, self._free[0])
        heapq.heapreplace(self._free, begins + seconds)
        self.busy += seconds
        self.visits += 1
        self.waited += begins - self.env.now
        return self.env.timeout(begins + seconds - self.env.now)


class Shared(Station):
    """Servers that all who are there share in slices, beside others that never end."""

    def __init__(self, env: simpy.Environment, servers: int = 1, piece: float = SLICE, others: float = 0.0) -> None:
        super().__init__(env, servers)
        self._piece, self._waiting, self._idle = piece, deque[list[Any]](), servers
        for _ in range(round(others)):
            self._waiting.append([float("inf"), None, 0.0])
            self._begin()

    def serve(self, seconds: float) -> simpy.Event:
        done = self.env.event()
        self.visits += 1
        if seconds <= 0:
            return done.succeed()
        self._waiting.append([seconds, done, self.env.now + seconds])
        self._begin()
        return done

    def _begin(self) -> None:
        while self._idle and self._waiting:
            self._idle -= 1
            self._slice(self._waiting.popleft())

    def _slice(self, job: list[Any]) -> None:
        length = min(self._piece, job[0])
        job[0] -= length
        if job[1] is not None:
            self.busy += length
        self.env.timeout(length).callbacks.append(lambda _: self._end(job))

    def _end(self, job: list[Any]) -> None:
        self._idle += 1
        if job[0] > 1e-12:
            self._waiting.append(job)
        elif job[1] is not None:
            self.waited += self.env.now - job[2]
            job[1].succeed()
        self._begin()


class Disk(Station):
    """A disk that each flush of takes `seconds`, with all that wait by then, `most` at once."""

    def __init__(self, env: simpy.Environment, seconds: float, most: int = 10_000) -> None:
        super().__init__(env)
        self._seconds, self._most, self._flushing = seconds, most, False
        self._waiting: deque[tuple[simpy.Event, float]] = deque()

    def serve(self, seconds: float = 0.0) -> simpy.Event:
        done = self.env.event()
        self._waiting.append((done, self.env.now))
        if not self._flushing:
            self._flush()
        return done

    def _flush(self) -> None:
        self._flushing = True
        batch = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
        self.busy += self._seconds
        self.visits += len(batch)
        self.waited += sum(self.env.now - came for _, came in batch)
        self.env.timeout(self._seconds).callbacks.append(lambda _: self._end(batch))

    def _end(self, batch: list[tuple[simpy.Event, float]]) -> None:
        for done, _ in batch:
            done.succeed()
        self._flushing = False
        if self._waiting:
            self._flush()


class Lock(Station):
    """What one holds at a time for as long as its work takes."""

    def __init__(self, env: simpy.Environment) -> None:
        super().__init__(env)
        self._resource = simpy.Resource(env)

    def hold(self, work: Iterator[simpy.Event]) -> Step:
        """Do the work while nobody else holds it."""
        came = self.env.now
        with self._resource.request() as turn:
            yield turn
            began = self.env.now
            self.waited += began - came
            self.visits += 1
            yield from work
            self.busy += self.env.now - began

    def serve(self, seconds: float) -> simpy.Event:
        return self.env.process(self.hold(iter([self.env.timeout(seconds)] if not seconds else self._wait(seconds))))

    def _wait(self, seconds: float) -> Iterator[simpy.Event]:
        yield self.env.timeout(seconds)


def measure_wait(make: Callable[[simpy.Environment], Station], service: float, load: float, arrivals: int, seed: int) -> float:
    """Mean seconds of wait at one station with Poisson arrivals and a fixed service: to be held against a formula."""
    env, draw = simpy.Environment(), random.Random(seed)
    station = make(env)

    def come() -> Step:
        for _ in range(arrivals):
            yield env.timeout(draw.expovariate(load / service))
            station.serve(service)

    env.process(come())
    env.run()
    return station.waited / station.visits


def wait_md1(service: float, load: float) -> float:
    """Mean wait in M/D/1 (Pollaczek and Khinchine)."""
    return load * service / (2 * (1 - load))


def wait_shared(service: float, load: float) -> float:
    """Mean wait in M/D/1 that is shared by all who are there, whatever the service's distribution."""
    return load * service / (1 - load)


# ---- the database


@dataclass(frozen=True)
class Site:
    """What is there. processors, trip_s: of the database's machine, and of a round trip to it.

    look_s: seconds between two looks of an engine with nothing to write or take. off_lock: verbs that take no lock beside those that take
    none today. save_share: what is left of save_result's work where arrays go elsewhere.
    """

    database: str = "postgres"
    processors: float = 8
    trip_s: float = 0.0003
    look_s: float = TICK
    off_lock: frozenset[str] = frozenset()
    save_share: float = 1.0


class Database:
    """The verbs of Store as they use processors, lock and disk."""

    def __init__(self, env: simpy.Environment, site: Site, costs: dict[str, Any], cores: Station | None = None) -> None:
        self.env, self.site, self.costs = env, site, costs["verbs"][site.database]
        self._cores = cores
        self.processors = cores or Station(env, max(1, round(site.processors)))
        self.lock, self.disk = Lock(env), Disk(env, costs["flush_ms"] / 1e3)
        self.seconds: dict[str, list[float]] = {}

    @property
    def stations(self) -> dict[str, Station]:
        return {"processors": self.processors, "lock": self.lock, "disk": self.disk}

    def call(self, name: str, times: float = 1.0) -> Step:
        """One call of a verb by a program that does nothing else meanwhile. times: work of so many."""
        cost, began = self.costs[name], self.env.now
        sqlite = self.site.database == "sqlite"
        is_locked = (name in WRITES if sqlite else cost["lock_ms"] > 0) and name not in self.site.off_lock
        client = times * cost["client_ms"] / 1e3
        if not sqlite and client:
            yield self._compute(client)
        work = self._work(name, cost, client if sqlite else times * cost["server_ms"] / 1e3, not sqlite)
        yield from self.lock.hold(work) if is_locked else work
        self.seconds.setdefault(name, []).append(self.env.now - began)

    def _compute(self, seconds: float) -> simpy.Event:
        return self.env.timeout(seconds) if self._cores is None else self._cores.serve(seconds)

    def _work(self, name: str, cost: dict[str, float], seconds: float, is_server: bool) -> Iterator[simpy.Event]:
        yield self.processors.serve(seconds)
        if is_server and self.site.trip_s:
            yield self.env.timeout(self.site.trip_s * (cost["statements"] + 3))  # a ping, BEGIN, COMMIT
        if is_server and name in WRITES:
            yield self.disk.serve()


# ---- engines


@dataclass
class Fleet:
    """What a fleet did in the time that was looked at."""

    cells: int = 0
    turns: list[float] = dataclasses.field(default_factory=list)


class Engine:
    """One engine of a sweep that has no end: `Service.work`, verb by verb."""

    def __init__(self, database: Database, slots: int, cell_s: float, events: float, draw: random.Random, fleet: Fleet) -> None:
        self.env, self.database, self.fleet = database.env, database, fleet
        self.slots, self.cell_s, self.events, self._draw = slots, cell_s, events, draw
        self.most = max(1, slots - 1)
        now = self.env.now
        self.ends = [now + cell_s * draw.random() for _ in range(self.most)]
        self._said = now
        self._beat = now + BEAT * draw.random()
        self._looked = now + database.site.look_s * draw.random()

    def work(self) -> Step:
        """Turn for ever."""
        call, env, site = self.database.call, self.env, self.database.site
        yield env.timeout(TICK * self._draw.random())
        while True:
            news = min(self.ends) if self.ends else float("inf")
            if self.events:
                news = min(news, env.now + max(TICK, self.cell_s / self.events / self.most))
            yield env.timeout(max(1e-4, min(news, env.now + TICK) - env.now))
            began = env.now
            sent = self.events * len(self.ends) * (began - self._said) / self.cell_s
            if sent >= 1:
                self._said = began
                rows = (self.database.costs[f"append, {n}"] for n in ("1 frame", "10 frames"))
                one, ten = (row["client_ms"] + row["server_ms"] for row in rows)
                yield from call("append, 1 frame", 1 + (sent - 1) * max(0.0, ten / one - 1) / 9)
            ended = [end for end in self.ends if end <= began]
            self.ends = [end for end in self.ends if end > began]
            for _ in ended:
                yield from call("save_result", site.save_share)
                self.fleet.cells += 1
            if env.now >= self._looked or ended:
                self._looked = env.now + site.look_s
                if self.ends:
                    yield from call("list_running")
                if len(self.ends) >= self.slots:
                    yield from call("should_yield")
                yield from call("claim, none queued")  # of previews
                if len(self.ends) < self.slots and not ended:
                    yield from call("claim, none queued")  # of what is more urgent, for the slot that a sweep leaves
            if env.now >= self._beat:
                self._beat = max(env.now, self._beat + BEAT)
                for name in ("record_heartbeat", "record_heartbeat", "interrupt_orphans", "sweep_previews", "expire"):
                    yield from call(name)
            while len(self.ends) < self.most:
                yield from call("claim")
                self.ends.append(env.now + self.cell_s)
            self.fleet.turns.append(env.now - began)


def simulate_fleet(
    costs: dict[str, Any],
    site: Site,
    engines: int,
    *,
    slots: int = 4,
    cell_s: float = CELL_S,
    visits: int = 40_000,
    seed: int = SEED,
) -> dict[str, Any]:
    """Engines on a sweep without an end; what a second of it holds once it runs."""
    env, draw, fleet = simpy.Environment(), random.Random(seed), Fleet()
    database = Database(env, site, costs)
    for _ in range(engines):
        env.process(Engine(database, slots, cell_s, costs["run"]["events"], draw, fleet).work())
    seconds = max(1.0, min(30.0, visits / (engines * 60)))
    env.run(seconds / 2)
    fleet.cells, fleet.turns = 0, []
    before = {name: (one.busy, one.visits) for name, one in database.stations.items()}
    database.seconds = {}
    env.run(1.5 * seconds)
    busy = {name: (one.busy - before[name][0]) / seconds / one.servers for name, one in database.stations.items()}
    ideal = engines * max(1, slots - 1) / cell_s
    return {
        "engines": engines,
        "cells_a_second": round(fleet.cells / seconds, 2),
        "share": round(fleet.cells / seconds / ideal, 3),
        "turn_ms": quantile(fleet.turns, 0.95),
        "claim_ms": quantile(database.seconds.get("claim", []), 0.95),
        "append_ms": quantile(database.seconds.get("append, 1 frame", []), 0.95),
        "save_ms": quantile(database.seconds.get("save_result", []), 0.95),
        "busy": {name: round(share, 3) for name, share in busy.items()},
        "commits_a_flush": round(database.disk.visits * costs["flush_ms"] / 1e3 / max(1e-9, database.disk.busy), 1),
        # a disk that is always busy takes more commits at once: it makes all wait, and holds the lock longer, but is never full
        "busiest": max(("processors", "lock"), key=busy.__getitem__),
        "million_h": round(MILLION * seconds / max(1, fleet.cells) / 3600, 1),
    }


def quantile(values: list[float], share: float) -> float | None:
    """Milliseconds; None of nothing."""
    if not values:
        return None
    values = sorted(values)
    return float(f"{1e3 * values[min(len(values) - 1, int(share * len(values)))]:.3g}")


def find_size(is_full: Callable[[int], bool], most: int, low: int = 1) -> int | None:
    """The least size above `low` that is full, within 8%; None where `most` is not."""
    high = min(2 * low, most)
    while not is_full(high):
        if high >= most:
            return None
        low, high = high, min(2 * high, most)
    while high - low > max(1, 0.08 * low):
        middle = (low + high) // 2
        low, high = (low, middle) if is_full(middle) else (middle, high)
    return high


# ---- viewers


def simulate_viewers(
    costs: dict[str, Any],
    viewers: int,
    *,
    live: bool = False,
    think_s: float = 30.0,
    seconds: float = 120.0,
    over: float | None = None,
    hold: float | None = None,
    cores: int = 0,
    others: float = 0.0,
    database: str = "postgres",
    seed: int = SEED,
) -> dict[str, Any]:
    """Viewers of one page process: each looks, keeps the page while its fragments run, and looks again.

    over, hold: as `benchmarks.viewers`: they arrive over so many seconds, keep the page so long and look once again. Without, they are
    there all the time and ask for something new every `think_s` seconds, exponentially distributed. cores: that page and clients share with
    so many others, 0: enough of them.
    """
    env, draw, cost = simpy.Environment(), random.Random(seed), costs["page"][database]
    lock, scripts = Shared(env), simpy.Resource(env, SCRIPTS)
    machine = Shared(env, cores, 0.004, others) if cores else None
    waits: dict[str, list[float]] = {"first": [], "again": [], "fragment": []}
    fragment = cost["fragment, live" if live else "fragment"]
    periods = (0.5, 1.0, 2.0) if live else (5.0,)

    def run(kind: str, row: dict[str, float], is_whole: bool) -> Step:
        began = env.now
        if is_whole:
            with scripts.request() as turn:
                yield turn
                yield from work(row)
        else:
            yield from work(row)
        waits[kind].append(env.now - began)

    def work(row: dict[str, float]) -> Step:
        # Python's lock is held by one thread at a time, which needs a processor meanwhile; the client needs one too
        if machine is None:
            yield lock.serve(row["page_ms"] / 1e3)
            return
        left = row["page_ms"] / 1e3
        while left > 0:
            piece = min(SLICE, left)
            with page.request() as turn:
                yield turn
                yield machine.serve(piece)
            left -= piece
        yield machine.serve(row["client_ms"] / 1e3)

    page = simpy.Resource(env)

    def tick(period: float, until: list[float]) -> Step:
        yield env.timeout(period if over is not None else period * draw.random())
        while env.now < until[0]:
            yield from run("fragment", fragment, False)
            yield env.timeout(period)

    def visit(delay: float) -> Step:
        yield env.timeout(delay)
        yield from run("first", cost["first view"], True)
        until = [float("inf")]
        for period in periods:
            env.process(tick(period, until))
        if hold is not None:
            yield env.timeout(hold)
            until[0] = env.now
            yield from run("again", cost["again"], True)
            return
        while True:
            yield env.timeout(draw.expovariate(1 / think_s))
            yield from run("again", cost["again"], True)

    if over is not None:
        done = [env.process(visit(over * n / viewers)) for n in range(viewers)]
        env.run(simpy.AllOf(env, done))
    else:
        for _ in range(viewers):
            env.process(visit(draw.random() * min(think_s, seconds / 4)))
        env.run(seconds / 2)
        for values in waits.values():
            values.clear()
        env.run(seconds)
    found: dict[str, Any] = {"viewers": viewers}
    for kind, values in waits.items():
        found[kind] = [round(statistics.median(values), 3), round((quantile(values, 0.95) or 0.0) / 1e3, 3)] if values else None
    return found | {
        "busy": round((machine or lock).busy / env.now / (machine or lock).servers, 3),
        "seconds": round(env.now, 1),
    }


def is_page_full(costs: dict[str, Any], viewers: int, live: bool, toy: bool) -> bool:
    """Whether one page process makes them wait: 0.3 s for a fragment or 1 s for a page, in 19 of 20 cases."""
    found = simulate_viewers(costs, viewers, live=live, seconds=10.0 if toy else 60.0)
    again = found["again"] or [0.0, 0.0]
    return found["fragment"][1] > 0.3 or again[1] > 1.0


# ---- checks


def check_stations(costs: dict[str, Any], arrivals: int, load: float = 0.5) -> Iterator[dict[str, Any]]:
    """Each station of the model alone, at its own service, against its formula."""
    verbs, page = costs["verbs"]["postgres"], costs["page"]["sqlite"]
    flush = costs["flush_ms"] / 1e3
    stations: dict[str, tuple[Callable[[simpy.Environment], Station], float, Callable[[float, float], float]]] = {
        "processors, claim": (Station, verbs["claim"]["server_ms"] / 1e3, wait_md1),
        "lock, save_result": (Lock, verbs["save_result"]["lock_ms"] / 1e3, wait_md1),
        "disk, one commit a flush": (lambda env: Disk(env, flush, 1), flush, wait_md1),
    }
    service = page["again"]["page_ms"] / 1e3
    stations["page process, one script after the other"] = (lambda env: Shared(env, piece=service), service, wait_md1)
    if arrivals >= 100_000:  # fifty events a visit
        stations["page process, scripts in slices"] = (lambda env: Shared(env, piece=service / 50), service, wait_shared)
    for name, (make, seconds, formula) in stations.items():
        wait = measure_wait(make, seconds, load, arrivals, SEED)
        right = formula(seconds, load)
        row = {"station": name, "service_ms": round(1e3 * seconds, 3), "load": load, "wait_ms": round(1e3 * wait, 4)}
        yield row | {"formula_ms": round(1e3 * right, 4), "off": round(wait / right - 1, 4), "n": arrivals}


def simulate_claimers(costs: dict[str, Any], claimers: int, jobs: int, cores: int, others: float) -> dict[str, Any]:
    """Programs that claim until nothing is queued, on a machine that they share with the server."""
    env = simpy.Environment()
    machine = Shared(env, cores, 0.004, others)
    database = Database(env, Site(trip_s=0.0), costs, machine)
    left = [jobs]

    def take() -> Step:
        while left[0]:
            left[0] -= 1
            yield from database.call("claim")

    env.run(simpy.AllOf(env, [env.process(take()) for _ in range(claimers)]))
    return {"seconds": round(env.now, 2), "processor_s": round(machine.busy, 2)}


def simulate_engines(costs: dict[str, Any], database: str, engines: int, slots: int, cells: int, cell_s: float) -> float:
    """Seconds from the first cell's begin to the last one's end, with cells that sleep."""
    env, draw, left, ended = simpy.Environment(), random.Random(SEED), [cells], [0.0]
    store = Database(env, Site(database, trip_s=0.0, processors=2), costs)

    def work() -> Step:
        yield env.timeout(TICK * draw.random())
        ends: list[float] = []
        while left[0] or ends:
            yield env.timeout(max(0.0, min([env.now + TICK, *ends]) - env.now))
            over = [end for end in ends if end <= env.now]
            ends = [end for end in ends if end > env.now]
            for _ in over:
                yield from store.call("save_result")
                ended[0] = env.now
            yield from store.call("list_running")
            yield from store.call("claim, none queued")
            while left[0] and len(ends) < max(1, slots - 1):
                left[0] -= 1
                yield from store.call("claim")
                ends.append(env.now + cell_s)

    env.run(simpy.AllOf(env, [env.process(work()) for _ in range(engines)]))
    return ended[0]


def check_model(costs: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The model against measurements, `real` of fleet.json: each with its source, and how many others used the machine."""
    real = costs["real"]

    def compare(what: str, row: dict[str, Any], measured: float, simulated: float) -> dict[str, Any]:
        off = simulated / measured - 1
        found = {"what": what, "source": row["source"], "measured": measured, "simulated": round(simulated, 3)}
        return found | {"off": round(off, 2), "within": abs(off) <= 0.3}

    for row in real["claimers"]:
        found = simulate_claimers(costs, row["claimers"], row["jobs"], row["cores"], row["others"])
        name = f"{row['claimers']} claimers, {row['jobs']} jobs"
        if "processor_s" in row:
            yield compare(f"{name}: processor seconds", row, row["processor_s"], found["processor_s"])
        yield compare(f"{name}: seconds", row, row["seconds"], found["seconds"])
    for row in real["viewers"]:
        how = {"over": row["over"], "hold": row["hold"], "cores": row["cores"], "others": row["others"], "database": "sqlite"}
        found = simulate_viewers(costs, row["viewers"], **how)
        for kind in ("first", "again", "fragment"):
            for n, share in enumerate(("p50", "p95")):
                yield compare(
                    f"{row['viewers']} viewers over {row['over']:g} s: {kind} {share}", row, row[kind][n], found[kind][n]
                )
    for row in real["engines"]:
        took = simulate_engines(costs, row["database"], row["engines"], row["slots"], row["cells"], row["cell_s"])
        yield compare(f"{row['engines']} engine(s) of {row['slots']} slots: seconds", row, row["seconds"], took)


# ---- the table


def list_changes(costs: dict[str, Any]) -> dict[str, list[tuple[str, dict[str, Any]]]]:
    """Station -> (change, what it makes of a site) that move it, in order."""
    save, put = (costs["verbs"]["postgres"][name] for name in ("save_result", "put_artifact, 1 MiB"))
    arrays = (costs["run"]["array_bytes"] + costs["run"]["artifact_bytes"]) / 2**20
    rest = 1 - min(1.0, arrays * put["server_ms"] / save["server_ms"])
    return {
        "processors": [
            ("engines look when they are told, else every 2 s", {"look_s": 2.0}),
            ("32 processors for the database", {"processors": 32}),
        ],
        "lock": [
            ("arrays and artifacts in object storage", {"save_share": rest}),
            ("save_result off the lock", {"off_lock": frozenset({"save_result"})}),
        ],
    }


def is_fleet_full(found: dict[str, Any]) -> bool:
    """Whether a tenth of the cells is lost, or an engine's turn takes a second in one of twenty."""
    return bool(found["share"] < 0.9 or (found["turn_ms"] or 0.0) > 1000)


def order_changes(costs: dict[str, Any], most: int, visits: int) -> Iterator[dict[str, Any]]:
    """Where engines fill the database, and again with each change that moves the part that is full."""
    site, name, used, low = Site(), "as it is", set[str](), 1
    changes = list_changes(costs)
    while True:
        size = find_size(lambda n: is_fleet_full(simulate_fleet(costs, site, n, visits=visits)), most, low)  # noqa: B023
        low = max(1, (size or most) // 2)
        found = simulate_fleet(costs, site, size or most, visits=visits)
        yield {"change": name, "full_at": size} | found
        following = [c for c in changes[found["busiest"]] if c[0] not in used]
        if size is None or not following:
            return
        name, what = following[0]
        used.add(name)
        site = dataclasses.replace(site, **what)


def sum_bytes(costs: dict[str, Any], cells: int) -> dict[str, Any]:
    """Bytes of a sweep in the database, and how long it takes to ask for."""
    run, submit = costs["run"], costs["verbs"]["postgres"]["submit, many"]
    each = run["event_bytes"] + run["result_bytes"] + run["artifact_bytes"]
    row = {"cells": cells, "gb": round(cells * each / 1e9, 1), "kb_a_cell": round(each / 1e3, 1)}
    row["gb_without_arrays"] = round(cells * (each - run["array_bytes"] - run["artifact_bytes"]) / 1e9, 1)
    return row | {"submit_s": round(cells * (submit["client_ms"] + submit["server_ms"]) / 1e3)}


def make_table(costs: dict[str, Any], *, toy: bool = False) -> Iterator[dict[str, Any]]:
    """Every line of docs/scale.md."""
    visits, most = (500, 4) if toy else (8_000, 1_000)
    for name in ("sqlite", "postgres"):
        for engines in (1, 2) if toy else (1, 3, 10, 30, 100, 300, 1000):
            if name == "sqlite" and engines > 10:
                continue  # engines of one machine
            site = Site(database=name, processors=2 if name == "sqlite" else Site.processors)
            yield {"database": name} | simulate_fleet(costs, site, engines, visits=visits)
    yield from order_changes(costs, most, visits)
    page = costs["page"]["postgres"]
    for live in (False, True):
        most = 4 if toy else 2_000
        size = find_size(lambda n: is_page_full(costs, n, live, toy), most) or most  # noqa: B023
        fragment = page["fragment, live" if live else "fragment"]
        rate = ((3.5 if live else 0.2) * fragment["server_ms"] + page["again"]["server_ms"] / 30) / 1e3
        for viewers in (10,) if toy else (10, 100, 1_000, 10_000, 100_000):
            pages = -(-viewers // size)
            row = {"viewers": viewers, "live": live, "a_page": size, "pages": pages, "connections": OF_PAGE * pages}
            yield row | {
                "database_processors": round(viewers * rate, 2),
                "mb_a_second": round(viewers * page["again"]["bytes"] / 30e6, 2),
            }
    yield sum_bytes(costs, MILLION)
    notify = costs["notify"]
    for engines in (1,) if toy else (10, 100, 1000):
        told = notify["server_ms"] + engines * notify["listener_ms"]
        looks = engines * 3 / TICK * costs["verbs"]["postgres"]["claim, none queued"]["server_ms"] / 1e3
        row = {"engines": engines, "a_notification_ms": round(told, 2), "full_at_a_second": round(1e3 / told) if told else None}
        yield row | {"looks_take_processors": round(looks, 2), "connections": OF_ENGINE * engines}


def main() -> None:
    """Print a JSON line for each row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", action="store_true", help="measure the costs anew")
    parser.add_argument("--real", action="store_true", help="measure anew what --check compares with")
    parser.add_argument("--n", type=int, default=40, help="calls of each verb in a round")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--views", type=int, default=5, help="views of the page in a round")
    parser.add_argument("--check", action="store_true", help="stations against formulas, the model against measurements")
    parser.add_argument("--toy", action="store_true", help="a second of each")
    options = parser.parse_args()
    costs = json.loads(COSTS.read_text(encoding="utf-8")) if COSTS.exists() else {}
    if options.measure or options.real:
        from benchmarks import _fleet_costs

        if options.measure:
            costs |= _fleet_costs.measure_costs(options.n, options.rounds, options.views)
        if options.real:
            costs["real"] = _fleet_costs.run_real()
        COSTS.write_text(json.dumps(costs, indent=1) + "\n", encoding="utf-8")
        return
    began = time.monotonic()
    if options.check or options.toy:
        for row in check_stations(costs, 500 if options.toy else 200_000):
            print(json.dumps(row), flush=True)
    if options.check:
        for row in check_model(costs):
            print(json.dumps(row), flush=True)
    else:
        for row in make_table(costs, toy=options.toy):
            print(json.dumps(row), flush=True)
    print(json.dumps({"seconds": round(time.monotonic() - began, 1)}))


if __name__ == "__main__":
    main()
