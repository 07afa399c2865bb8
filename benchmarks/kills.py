"""Kill worker, engine, page or all of them at random moments of real training, and see what is lost.

    .venv/bin/python -m benchmarks.kills [--count 200] [--seed 0] [--engines 2 [--runs sleep]]

After each kill: every run that was done is done with the same result, the run that was hit has ended (as done, failed or
interrupted, never without a word), and a next run is trained to its end. Reports what was lost and the seconds from the kill to
the next run's beginning and end.

With `--engines`, so many engines without a page work on one store of PostgreSQL, and one of them or a worker of it is killed. Every run
must end: done once, with the result of an undisturbed run, or failed with its worker, or interrupted after it began again twice.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from benchmarks._polling import wait
from benchmarks._ports import find_free_port
from engine.spec import RunSpec
from engine.store import ACTIVE, Store

ROOT = Path(__file__).resolve().parent.parent
TARGETS = ("worker", "engine", "page", "all")
TOY = ("--count", "1")
SHOWS = ('"lost": []', '"begun"', '"ended"')
PHASE = "long"


class Place:
    """A page with the engine that it keeps, over a store of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = Store(f"sqlite:///{folder / 'lab.db'}")
        self.port = find_free_port()
        self.page: subprocess.Popen[bytes] | None = None
        self.open_page()

    def open_page(self) -> None:
        """Start the page, as `make run` does."""
        with (self.folder / "server.log").open("ab") as log:
            self.page = subprocess.Popen(
                [sys.executable, "-m", "app.launch", "--port", str(self.port)],
                cwd=ROOT,
                env=os.environ | {"LAB_STORE": self.store.url, "LAB_ENGINE": "on", "LAB_SLOTS": "2"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def engines(self) -> list[psutil.Process]:
        """The engine processes of this store."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.status() != psutil.STATUS_ZOMBIE and process.cmdline()[-3:] == ["serve", "--store", self.store.url]:
                    found.append(process)
        return found

    def workers(self) -> list[psutil.Process]:
        """The workers of the engines."""
        found = []
        for engine in self.engines():
            with contextlib.suppress(psutil.Error):
                found += [child for child in engine.children() if any("spawn_main" in word for word in child.cmdline())]
        return found

    def kill(self, target: str, chance: random.Random) -> None:
        """End a target with SIGKILL, and start the page again where it was hit."""
        victims: list[Any] = []
        if target == "worker":
            victims = [chance.choice(workers)] if (workers := self.workers()) else []
        if target in ("engine", "all"):
            victims += self.engines()
        if target == "all":
            victims += self.workers()
        if target in ("page", "all"):
            victims.insert(0, self.page)
        for victim in victims:
            with contextlib.suppress(psutil.NoSuchProcess):
                victim.kill()
        if target in ("page", "all"):
            assert self.page is not None
            self.page.wait()
            self.open_page()

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def close(self) -> list[psutil.Process]:
        """Stop the page; returns the processes that it left behind, which are then killed."""
        family = [*self.engines(), *self.workers()]
        if self.page is not None:
            wait(self._answers, 30)  # a page that has just come up takes over the engine of the one before
            time.sleep(1.0)
            self.page.terminate()
            try:
                self.page.wait(30)
            except subprocess.TimeoutExpired:
                self.page.kill()
                self.page.wait()
        _, left = psutil.wait_procs(family, 10)
        left += self.engines()
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.store.close()
        return left


def make_spec(number: int) -> RunSpec:
    """A run of some seconds of real training."""
    return RunSpec("moons", ("ce", "smote", "explicit-gradient")[number % 3], params={"epochs": 60}, seeds=2, seed=number)


def digest(store: Store, id: str) -> str:
    """A number that tells a result from any other."""
    result = store.result(id)
    assert result is not None, f"run {id} is done and has no result"
    return hashlib.sha256(json.dumps(result.to_json(), sort_keys=True).encode()).hexdigest()


def kill_often(count: int, seed: int, say: Callable[[str], None] = print) -> dict[str, Any]:
    """Kill `count` times; returns what was found. lost: a sentence for each thing that is not as it should be."""
    chance, lost, begun, ended = random.Random(seed), [], [], []
    states: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder))
        store, done = place.store, {}
        try:
            if not wait(lambda: any(engine.ready for engine in store.engines())):
                return {"lost": ["the engine never came up"]}
            for number in range(count):
                target = chance.choice(TARGETS)
                hit = store.submit(make_spec(2 * number))
                if not wait(lambda id=hit.id: store.job(id).state != "queued"):
                    lost.append(f"{number} ({target}): the run before it never began")
                    break
                time.sleep(chance.uniform(0.0, 2.0))
                place.kill(target, chance)
                at = time.monotonic()
                after = store.submit(make_spec(2 * number + 1))
                if not wait(lambda id=after.id: store.job(id).state != "queued"):
                    lost.append(f"{number} ({target}): the next run never began")
                    break
                begun.append(time.monotonic() - at)
                if not wait(lambda id=after.id: store.job(id).state not in ACTIVE):
                    lost.append(f"{number} ({target}): the next run never ended")
                    break
                ended.append(time.monotonic() - at)
                if not wait(lambda id=hit.id: store.job(id).state not in ACTIVE):
                    lost.append(f"{number} ({target}): the run that was hit never ended")
                for id, kind in ((hit.id, "hit"), (after.id, "next")):
                    job = store.job(id)
                    states[f"{kind} {job.state}"] += 1
                    if job.state == "done":
                        done[id] = digest(store, id)
                    elif not job.reason:
                        lost.append(f"{number} ({target}): the {kind} run is {job.state} without a reason")
                if store.job(after.id).state != "done" and target != "worker":
                    lost.append(
                        f"{number} ({target}): the next run is {store.job(after.id).state}: {store.job(after.id).reason}"
                    )
                lost += [
                    f"{number} ({target}): run {id} is no longer what it was" for id in done if digest(store, id) != done[id]
                ]
                if len(place.engines()) != 1:
                    lost.append(f"{number} ({target}): {len(place.engines())} engines run")
                say(f"{number + 1}/{count} {target}: next run began after {begun[-1]:.1f} s, was over after {ended[-1]:.1f} s")
        finally:
            left = place.close()
    lost += [f"process {process.pid} was left behind" for process in left]
    return {
        "count": count,
        "seed": seed,
        "lost": lost,
        "states": dict(states),
        "begun": summarise(begun),
        "ended": summarise(ended),
    }


def summarise(seconds: list[float]) -> dict[str, float]:
    """Median, 95th percentile and maximum."""
    if not seconds:
        return {}
    ordered = sorted(seconds)
    high = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    return {"n": len(ordered), "p50": statistics.median(ordered), "p95": high, "max": ordered[-1]}


def main() -> None:
    """Runs it and prints the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--engines", type=int, default=0, help="that share a store of PostgreSQL; 0: a page with its engine on SQLite"
    )
    parser.add_argument("--runs", choices=("train", "sleep"), default="train", help="with --engines: what runs do")
    options = parser.parse_args()

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    if options.engines:
        from benchmarks._kill_engines import kill_engines
        from tests.postgres import serving

        with serving() as server:
            report = kill_engines(options.count, options.seed, server, options.engines, trains=options.runs == "train", say=say)
        report["taken_after"] = summarise(report["taken_after"])
    else:
        report = kill_often(options.count, options.seed, say)
    print(json.dumps(report, indent=2))
    sys.exit(bool(report["lost"]))


if __name__ == "__main__":
    main()
