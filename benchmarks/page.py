"""Seconds of the page: opening to the first picture, the page script, a press on Run to the first event and first frame.

    python -m benchmarks.page [--repeats 10]

Starts the product as `make run` does, on a new store, and drives Debian's Chromium. Prints medians with their range, in
seconds, and how often a second films of 300 points are drawn while they play.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from benchmarks._ports import find_free_port

TOY = ("--repeats", "1")
SHOWS = ("opening to first picture", "Run to first frame", "page script", "two films of 300 points", '"median"')
PHASE = "long"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ARGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--no-first-run"]


def until(question: Callable[[], bool], limit: float = 60.0) -> None:
    """Calls `question` every 10 ms until it is true, or raises after `limit` seconds."""
    end = time.perf_counter() + limit
    while not question():
        if time.perf_counter() > end:
            raise TimeoutError
        time.sleep(0.01)


def data(page: Page, name: str) -> str:
    """A data attribute of the player; '' if there is none."""
    found = page.locator(".lab-player")
    return (found.first.get_attribute(f"data-{name}") or "") if found.count() else ""


def script_seconds(repeats: int) -> list[float]:
    """Seconds of a whole run of the page script over the bundled example, in this process, without the first run."""
    from streamlit.testing.v1 import AppTest

    at = AppTest.from_file(str(Path("app/main.py").resolve()), default_timeout=60)
    at.run()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        at.run()
        times.append(time.perf_counter() - began)
    return times


FILMS = {
    "redraws a second, one film of 300 points": "films=1&synthetic=300&frames=100",
    "redraws a second, two films of 300 points": "view=both&bar=0&synthetic=300&frames=100&short=0",
}


def is_up(address: str) -> bool:
    """Whether a server answers there."""
    try:
        return bool(urllib.request.urlopen(address, timeout=2).status == 200)
    except OSError:
        return False


def frame_rates(port: int, repeats: int) -> dict[str, list[float]]:
    """Redraws a second while films of 300 points play on the tests' own page of the stage, a value for each second."""
    command = [sys.executable, "-m", "streamlit", "run", "tests/browser/pages/stage_page.py", f"--server.port={port}"]
    server = subprocess.Popen([*command, "--server.headless=true", "--server.fileWatcherType=none"])
    rates: dict[str, list[float]] = {}
    try:
        url = f"http://127.0.0.1:{port}"

        until(lambda: is_up(f"{url}/_stcore/health"), 60)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
            for what, query in FILMS.items():
                page = browser.new_page(viewport={"width": 1440, "height": 900})
                page.goto(f"{url}/?{query}")
                rates[what] = []
                for _ in range(repeats):
                    until(lambda page=page: data(page, "phase") == "points" and data(page, "playing") == "true")
                    before, began = int(data(page, "redraws")), time.perf_counter()
                    time.sleep(1)
                    rates[what].append((int(data(page, "redraws")) - before) / (time.perf_counter() - began))
                page.close()
            browser.close()
    finally:
        server.terminate()
        server.wait()
    return rates


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    repeats, port = (asked := parser.parse_args()).repeats, asked.port or find_free_port()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LAB_STORE"] = f"sqlite:///{folder}/lab.db"
        server = subprocess.Popen([sys.executable, "-m", "app.launch", "--port", str(port)])
        url = f"http://127.0.0.1:{port}"
        opened, first_event, first_frame, finished = [], [], [], []
        try:
            until(lambda: is_up(f"{url}/api/health"), 120)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
                for number in range(repeats + 1):  # the first one warms up the server
                    page = browser.new_context(viewport={"width": 1280, "height": 1000}).new_page()
                    began = time.perf_counter()
                    page.goto(url)
                    until(lambda page=page: data(page, "frames") not in ("", "0"))
                    opened.append(time.perf_counter() - began)
                    page.goto(f"{url}/?dataset=moons&method=explicit-gradient&profile=ratio&ratio=20&seed={number + 100}")
                    until(lambda page=page: data(page, "frames") not in ("", "0"))
                    time.sleep(1.5)
                    began = time.perf_counter()
                    page.get_by_role("button", name="Run", exact=True).click()
                    until(lambda page=page: "run=" in page.evaluate("location.href"))
                    until(lambda page=page: data(page, "status") in ("training", "finished"))
                    first_event.append(time.perf_counter() - began)
                    until(lambda page=page: int(data(page, "frames") or 0) > 0)
                    first_frame.append(time.perf_counter() - began)
                    until(lambda page=page: data(page, "status") == "finished", 120)
                    finished.append(time.perf_counter() - began)
                    page.context.close()
                browser.close()
        finally:
            server.terminate()
            server.wait()
        figures = {
            "opening to first picture": opened[1:],
            "Run to first event on the page": first_event[1:],
            "Run to first frame": first_frame[1:],
            "Run to finished (quick look, moons 20:1)": finished[1:],
            "page script": script_seconds(repeats),
            **frame_rates(find_free_port(), repeats),
        }
    for what, times in figures.items():
        print(json.dumps({"what": what, "median": round(statistics.median(times), 3), "min": round(min(times), 3),
                          "max": round(max(times), 3), "n": len(times)}))  # fmt: skip


if __name__ == "__main__":
    main()
