"""Cost of a full store for the page: the time of every view's script, what it reads, and the bytes it sends to the browser.

    python -m benchmarks.store [--runs 10000] [--repeats 10] [--folder FOLDER] [--no-browser]
    python -m benchmarks.store --private postgresql+psycopg://... [--repeats 10]

Makes a store of artificial runs over all datasets and methods of the catalog. Finished ones have results as large as those of
the bundled example; some are failed, cancelled and queued. Newer than these are a sweep of 60 cells and a few complete runs
with films and maps. With --folder the store is kept there and used again.

Script time is a whole run of the page's script in this process (`AppTest`): processor seconds in an open session (cpu) and in
the first run of a new session (open), and wall seconds, which depend on other load of the machine. Reads are counted in SQLite.
Bytes are network bytes in Chromium's DevTools: of the websocket, of HTTP, and separately of Streamlit's own files (/static/),
which a browser caches. The server has no engine.

With --private it measures instead, on an empty store, what private rows cost against public ones: milliseconds to append ten frames, and to
list 50 finished runs. Public and private runs take turns, and the ratio is that of each turn.
"""

from __future__ import annotations

import argparse
import dataclasses
import gc
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from benchmarks.page import ARGS, CHROMIUM, until
from engine.events import Phase, encode, pack, pack_film
from engine.spec import Imbalance, RunSpec, limits
from engine.spec.companions import list_companions
from engine.spec.embedding import FEATURES, EmbedSpec
from engine.spec.run import canonical_json, find_entry
from engine.store import PRIORITY_INTERACTIVE, Store
from engine.store.jobs import PRIORITY_COMPANION, PRIORITY_SWEEP
from engine.store.results import decode_result
from engine.store.schema import JOBS, RESULTS
from engine.sweep import SweepSpec
from tests.app import fabricate
from tests.app.reads import reads

ROOT = Path(__file__).resolve().parent.parent
TOY = ("--runs", "20", "--repeats", "1", "--no-browser", "--only", "Runs, pinned")
SHOWS = ('"listed"', '"cpu_ms"', '"open_cpu_ms"', '"statements"', '"over"')
BATCH = 500
SWEEP = SweepSpec(
    datasets=("moons", "rings", "clusters"), methods=("smote", "focal", "class-weights"), ratios=(5.0, 10.0, 20.0, 50.0)
)
STATES = ("done",) * 17 + ("failed", "cancelled", "queued")
QUIET, SMALL = 4, 3000
"""A view is complete after QUIET seconds with fewer than SMALL bytes in each."""
LIMIT_MS, LIMIT_BYTES = 300, 1_000_000
OWNER, TABLE, LISTED = "o" * 43, b"a,b\n1,2\n", 50


def fill(store: Store, catalog: Mapping[str, Any], runs: int) -> dict[str, str]:
    """Makes the runs. Returns the ids of those that the views show."""
    random_state = random.Random(0)
    store.load(ROOT / "app" / "examples" / "moons.zip")
    with store.database.reading() as db:
        model = db.execute(RESULTS.select().limit(1)).one()
    answer = decode_result(model.words, model.arrays)

    def row(spec: RunSpec, state: str, created: float, priority: int) -> dict[str, Any]:
        fingerprint = find_entry(catalog, "datasets", spec.dataset)["fingerprint"]
        words = {
            "id": spec.run_id(fingerprint),
            "kind": "run",
            "spec": canonical_json(spec.to_json()),
            "fingerprint": fingerprint,
        }
        words |= {"state": state, "reason": "The worker was killed: out of memory." if state == "failed" else "", "owner": None}
        words |= {"priority": priority, "device": "auto", "attempt": 1, "done": 1, "total": 1, "cancel": 0, "last_seq": 0}
        times = {"created": created, "started": created + 1, "finished": created + 1 + random_state.expovariate(0.05)}
        return words | (times if state != "queued" else {"created": created, "started": None, "finished": None})

    made, now = [], time.time()
    for n in range(runs):
        method = random_state.choice([m for m in catalog["methods"] if m["name"] != "potential"])
        dataset = random_state.choice([d for d in catalog["datasets"] if d["kind"] in method["kinds"]])
        folds, seeds = limits.count_replicates(dataset, 4, 5)
        spec = RunSpec(dataset["name"], method["name"], folds=folds, seeds=seeds, seed=n).complete(catalog)
        priority = random_state.choice((PRIORITY_INTERACTIVE, PRIORITY_COMPANION, PRIORITY_SWEEP))
        made.append((spec, row(spec, random_state.choice(STATES), now - 90 * 86400 * random_state.random(), priority)))
    made += [(cell.spec, row(cell.spec, "done", now - 3600, PRIORITY_SWEEP)) for cell in SWEEP.cells(catalog)]
    for start in range(0, len(made), BATCH):
        some = made[start : start + BATCH]
        with store.database.writing() as db:
            db.execute(JOBS.insert().prefix_with("OR IGNORE"), [words for _, words in some])
            kept = []
            for spec, words in some:
                if words["state"] != "done":
                    continue
                mean = random_state.uniform(0.1, 0.9)
                values = [min(1.0, max(0.0, random_state.gauss(mean, 0.05))) for _ in range(20)]
                scored = dict(answer.metrics) | {"average_precision": _summary(values)}
                facts = answer.to_json() | {"run_id": words["id"], "spec": spec.to_json(), "metrics": scored}
                kept.append({"job": words["id"], "words": json.dumps(facts), "arrays": model.arrays})
            db.execute(RESULTS.insert().prefix_with("OR IGNORE"), kept)
    store.keep_sweep(SWEEP.to_json())
    return _whole(store, catalog)


def _summary(values: list[float]) -> dict[str, Any]:
    mean = statistics.fmean(values)
    return {"mean": mean, "low": max(0.0, mean - 0.05), "high": min(1.0, mean + 0.05), "values": values}


def _whole(store: Store, catalog: Mapping[str, Any]) -> dict[str, str]:
    """A complete run with its film and companions, and one with features and maps."""
    spec = RunSpec("moons", "explicit-gradient", Imbalance("ratio", 20.0), folds=4, seeds=5).complete(catalog)
    beside = spec.with_(method="smote", params={}).complete(catalog)
    deep = RunSpec("digits", "eos", Imbalance("exponential", 20.0)).complete(catalog)
    ids = {}
    for name, one in {"run": spec, "beside": beside, "deep": deep}.items():
        fingerprint = find_entry(catalog, "datasets", one.dataset)["fingerprint"]
        for member in list_companions(one, catalog)[0]:
            id = member.spec.run_id(fingerprint)
            answer = dataclasses.replace(fabricate.result(member.spec, moved=0.4), run_id=id)
            classes = answer.per_class.keys()
            scene, frames = fabricate.film(classes=tuple(classes)[:2])
            events = [Phase("training", "Training the network"), scene, *frames]
            films = {f"frames/{r}": pack_film(*fabricate.film(r)) for r in range(min(20, one.replicates))}
            store.record_run(member.spec, answer, events, films, fingerprint=fingerprint)
        ids[name] = one.run_id(fingerprint)
    features = fabricate.features(10)
    store.put_artifact(ids["deep"], FEATURES, pack(features))
    for way in ("pca", "tsne"):
        wanted = EmbedSpec(ids["deep"], way)
        facts = {"seconds": 1.0, "foreseen": 1.0}
        store.record_embedding(wanted, facts, {wanted.artifact: pack({"xy": features["x"][:, :2]})})
    return ids


def views(ids: Mapping[str, str], catalog: Mapping[str, Any]) -> dict[str, tuple[str, dict[str, str]]]:
    """Name of a view -> (page, query)."""
    first = catalog["datasets"][0]["name"]
    return {
        "Lab, a run": ("lab", {"run": ids["run"]}),
        "Lab, first visit": ("lab", {}),
        "Deep": ("deep", {"run": ids["deep"]}),
        "Compare, sweep of 60 cells": ("compare", SWEEP.to_query()),
        "Compare, by ratio": ("compare", SWEEP.to_query() | {"tab": "ratio"}),
        "Compare, ranks": ("compare", SWEEP.to_query() | {"tab": "ranks"}),
        "Compare, seconds": ("compare", SWEEP.to_query() | {"tab": "cost"}),
        "Compare, PR curves": ("compare", SWEEP.to_query() | {"tab": "curves"}),
        "Compare, two runs": ("compare", {"tab": "pair", "run": ids["run"], "beside": ids["beside"]}),
        "Your data": ("data", {}),
        "Papers": ("papers", {}),
        "Gallery": ("gallery", {}),
        "Runs": ("runs", {}),
        "Runs, page 200": ("runs", {"page": "200"}),
        "Runs, text": ("runs", {"text": "smote seed"}),
        "Runs, text of many": ("runs", {"text": "e"}),
        "Runs, a dataset": ("runs", {"dataset": first}),
        "Runs, a method": ("runs", {"method": "smote"}),
        "Runs, failed": ("runs", {"state": "failed"}),
        "Runs, sweeps": ("runs", {"kind": "sweep"}),
        "Runs, by name": ("runs", {"sort": "name"}),
        "Runs, by dataset": ("runs", {"sort": "dataset"}),
        "Runs, longest": ("runs", {"sort": "long"}),
        "Runs, pinned": ("runs", {"pinned": "1"}),
    }


def scripts(name: str, query: Mapping[str, str], repeats: int) -> dict[str, Any]:
    """Milliseconds of the page's script, and what one run of it reads."""
    from streamlit.testing.v1 import AppTest
    from streamlit.util import calc_hash

    from app.session.store import get_store

    def session_() -> AppTest:
        at = AppTest.from_file(str(ROOT / "app" / "main.py"), default_timeout=120)
        at._page_hash = "" if name == "lab" else calc_hash(name)
        at.query_params.update(dict(query))
        return at

    at = session_()
    at.run()
    gc.collect()
    gc.freeze()  # as in app/server.py
    times, worked, opened = [], [], []
    for _ in range(repeats):
        began, busy = time.perf_counter(), time.process_time()
        at.run()
        times.append(1000 * (time.perf_counter() - began))
        worked.append(1000 * (time.process_time() - busy))
    for _ in range(repeats):
        visitor, busy = session_(), time.process_time()
        visitor.run()
        opened.append(1000 * (time.process_time() - busy))
    with reads(get_store()) as found:
        at.run()
    assert not at.exception, (name, query, at.exception)
    spent: dict[str, Any] = {"cpu_ms": round(statistics.median(worked)), "cpu_max_ms": round(max(worked))}
    spent |= {"open_cpu_ms": round(statistics.median(opened)), "open_cpu_max_ms": round(max(opened))}
    spent |= {"clock_ms": round(statistics.median(times)), "clock_max_ms": round(max(times)), "n": repeats}
    return spent | {"statements": found.statements, "rows": found.rows, "read_kB": round(found.size / 1e3)}


@contextmanager
def serving(port: int) -> Iterator[str]:
    """Runs the product without an engine."""
    env = os.environ | {"LAB_ENGINE": "off"}
    server = subprocess.Popen([sys.executable, "-m", "app.launch", "--port", str(port)], env=env)
    url = f"http://127.0.0.1:{port}"

    def up() -> bool:
        try:
            return bool(urllib.request.urlopen(f"{url}/_stcore/health", timeout=2).status == 200)
        except OSError:
            return False

    try:
        until(up, 120)
        yield url
    finally:
        server.terminate()
        server.wait()


def sent(browser: Any, url: str, name: str, query: Mapping[str, str]) -> dict[str, int]:
    """Bytes that opening a view sends to a browser with an empty cache."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    page = context.new_page()
    network = context.new_cdp_session(page)
    network.send("Network.enable")
    count = {"socket": 0, "view": 0, "static": 0}
    kinds: dict[str, str] = {}

    def frame(event: Mapping[str, Any]) -> None:
        response = event["response"]  # DevTools give binary frames as base64
        count["socket"] += len(response["payloadData"]) * (3 / 4 if response["opcode"] == 2 else 1)

    def response(event: Mapping[str, Any]) -> None:
        kinds[event["requestId"]] = "static" if "/static/" in event["response"]["url"] else "view"

    def done(event: Mapping[str, Any]) -> None:
        count[kinds.get(event["requestId"], "view")] += max(0, int(event["encodedDataLength"]))

    network.on("Network.webSocketFrameReceived", frame)
    network.on("Network.responseReceived", response)
    network.on("Network.loadingFinished", done)
    page.goto(f"{url}/{'' if name == 'lab' else name}?{urlencode(query)}")
    page.locator(".st-key-status-line").wait_for(state="attached", timeout=60_000)
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for(timeout=60_000)
    quiet = 0
    while quiet < QUIET:  # films come in parts that the player requests; the status line never stops but is small
        before = sum(count.values())
        page.wait_for_timeout(1000)
        quiet = quiet + 1 if sum(count.values()) - before < SMALL else 0
    context.close()
    return {name: round(size) for name, size in count.items()}


def compare_private(url: str, repeats: int) -> None:
    """Prints what private rows cost against public ones, one line per verb: medians, and the ratio's lowest and highest."""
    store, frames = Store(url), fabricate.film()[1]
    if store.jobs():
        raise SystemExit("The store is not empty.")
    batch, result = [encode(frame) for frame in (frames * 10)[:10]], fabricate.result(fabricate.spec("moons", "ce"))
    taken: dict[str, dict[str | None, list[float]]] = {verb: {None: [], OWNER: []} for verb in ("append", "search")}
    for turn in range(repeats):
        for owner in (None, OWNER):
            dataset = "moons" if owner is None else f"upload/{store.add_upload(owner, 'a.csv', TABLE)}"
            ids, each = [], []
            for seed in range(LISTED):
                spec = RunSpec(dataset, "ce", data={} if owner is None else {"target": "b"}, seed=turn * LISTED + seed)
                job, claimed = store.submit(spec, owner=owner), store.claim("benchmark")
                assert claimed is not None and claimed.id == job.id
                began = time.perf_counter()
                assert store.append(job.id, batch, attempt=1)
                each.append(1e3 * (time.perf_counter() - began))
                assert store.save_result(job.id, result, attempt=1)
                ids.append(job.id)
            taken["append"][owner].append(statistics.median(each))
            began = time.perf_counter()
            assert len(store.search(owner)[0]) == LISTED
            taken["search"][owner].append(1e3 * (time.perf_counter() - began))
            store.delete_many(ids, owner) if owner is None else store.forget(owner)
    for verb, by_owner in taken.items():
        ratios = [private / public for public, private in zip(by_owner[None], by_owner[OWNER], strict=True)]
        words: dict[str, Any] = {"verb": verb, "public_ms": round(statistics.median(by_owner[None]), 2)}
        words |= {"private_ms": round(statistics.median(by_owner[OWNER]), 2), "ratio": round(statistics.median(ratios), 2)}
        words |= {"lowest": round(min(ratios), 2), "highest": round(max(ratios), 2), "n": repeats, "load": os.getloadavg()[0]}
        print(json.dumps(words))
    store.close()


def main() -> None:
    """Measures and prints one line per view."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--port", type=int, default=8795)
    parser.add_argument("--browser", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--only", default="", help="views whose name begins so")
    parser.add_argument("--private", metavar="URL", help="measure what private rows cost in this empty store")
    asked = parser.parse_args()
    if asked.private:
        compare_private(asked.private, asked.repeats)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        place = folder / "lab.db"
        there = place.exists()
        os.environ["LAB_STORE"] = f"sqlite:///{place}"
        catalog = json.loads((ROOT / "engine" / "catalog.json").read_text())
        store = Store()
        ids = _whole(store, catalog) if there else fill(store, catalog, asked.runs)
        _, total = store.search(None)
        store.close()
        print(
            json.dumps({"listed": total, "store_MB": round(place.stat().st_size / 1e6), "load": os.getloadavg()[0]}), flush=True
        )
        chosen = {what: view for what, view in views(ids, catalog).items() if what.startswith(asked.only)}
        found: dict[str, dict[str, Any]] = {}
        for what, view in chosen.items():
            found[what] = scripts(*view, asked.repeats)
            print(json.dumps({"view": what, **found[what]}), flush=True)
        if asked.browser:
            from playwright.sync_api import sync_playwright

            with serving(asked.port) as url, sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
                for what, view in chosen.items():
                    found[what] |= {f"{kind}_kB": round(size / 1e3, 1) for kind, size in sent(browser, url, *view).items()}
                browser.close()
    for what, figures in found.items():
        size = figures.get("socket_kB", 0) + figures.get("view_kB", 0)
        slowest = max(figures["cpu_max_ms"], figures["open_cpu_max_ms"])
        wrong = [word for word, over in (("time", slowest > LIMIT_MS), ("bytes", size * 1e3 > LIMIT_BYTES)) if over]
        print(json.dumps({"view": what, **figures, "over": wrong}))


if __name__ == "__main__":
    main()
