"""Milliseconds from asking for a preview to its first frame, its first moved points and its end, by a client of the real server.

    python -m benchmarks.preview [--repeats 20] [--cases moons,hidden] [--url http://127.0.0.1:8501]

Starts the server with its engine on a new store and waits until its worker is warm; --url measures one that is there already. Each case
is asked for --repeats times, one after the other, each with another step and seed, so that nothing is kept from the one before; then as
often with another step alone (`again`), as a slider does, which trains the first phase once. Then it is asked for while the slider moves, a
new one each 80 ms or at the first frame of the last. Prints a JSON line a case: median, smallest and largest of each time, previews shown
in a second while the slider moves, and the load of the machine.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks._ports import find_free_port

ROOT = Path(__file__).resolve().parent.parent
TOY = ("--repeats", "1", "--cases", "plain", "--drag", "1")
SHOWS = ('"first_ms"', '"whole_ms"', '"shown_a_second"')
PHASE = "alone"
OWNER = "b" * 43
CASES: dict[str, dict[str, Any]] = {
    "moons": {"dataset": "moons", "data": {}, "ratio": 50, "method": "explicit-gradient"},
    "hidden": {"dataset": "hidden-cluster", "data": {"hidden": 5}, "method": "explicit-gradient"},
    "plain": {"dataset": "hidden-cluster", "data": {"hidden": 5}, "method": "ce"},
}
EVERY, PATIENCE = 0.08, 0.5
"""Seconds between two requests of a slider, and those for which it waits for a first frame (app/player/assets/whatif.js)."""


def ask(port: int, spec: dict[str, Any], seq: int, seen: threading.Event | None = None) -> dict[str, float]:
    """Milliseconds until the first frame, the first frame with points and the end, as far as it came."""
    body = json.dumps({"client": "bench", "seq": seq, "spec": spec, "points": []})
    headers = {"Cookie": f"lab_owner={OWNER}", "Origin": f"http://127.0.0.1:{port}", "Content-Type": "application/json"}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    began = time.monotonic()
    times: dict[str, float] = {}
    try:
        connection.request("POST", "/api/preview", body, headers)
        answer = connection.getresponse()
        if answer.status != 200:
            return times
        while length := answer.read(4):
            chunk = answer.read(struct.unpack("<I", length)[0])
            head = json.loads(chunk[4 : 4 + struct.unpack_from("<I", chunk)[0]])
            now = 1000 * (time.monotonic() - began)
            times.setdefault("first", now)
            if seen is not None:
                seen.set()
            if any(head["n"]):
                times.setdefault("points", now)
            if head["status"] == "finished":
                times["whole"] = now
        return times
    finally:
        connection.close()


def measure(port: int, name: str, repeats: int, seconds: float) -> dict[str, Any]:
    """The line of one case."""
    line: dict[str, Any] = {"case": name, "load": round(os.getloadavg()[0], 1)}
    for prefix, other_seed in (("", True), ("again_", False)):
        found = []
        for seq in range(repeats):
            time.sleep(0.3)  # idle in between
            asked = CASES[name] | {"eta_points": 1000 + seq + 100 * other_seed, "seed": 1 + seq * other_seed}
            times = ask(port, asked, int(1000 * time.time()))
            found += [times] if "whole" in times else []
        line[f"{prefix}n"] = len(found)
        for what in ("first", "points", "whole"):
            values = [times[what] for times in found if what in times]
            if values:
                line[f"{prefix}{what}_ms"] = [round(value) for value in (statistics.median(values), min(values), max(values))]
    return line | {"shown_a_second": drag(port, name, seconds)}


def drag(port: int, name: str, seconds: float) -> float:
    """Previews in a second that show their first frame while a slider moves for so many seconds."""
    shown: list[bool] = []

    def send(seq: int, seen: threading.Event) -> None:
        with suppress(OSError, http.client.HTTPException):
            shown.append("first" in ask(port, CASES[name] | {"eta_points": 1000 + seq % 997}, seq, seen))

    end = time.monotonic() + seconds
    threads = []
    while time.monotonic() < end:
        seen = threading.Event()
        threads.append(threading.Thread(target=send, args=(int(1000 * time.time()), seen)))
        threads[-1].start()
        time.sleep(EVERY)
        seen.wait(PATIENCE - EVERY)
    for thread in threads:
        thread.join()
    return round(sum(shown) / seconds, 1)


@contextmanager
def serve() -> Iterator[int]:
    """The port of a server with a warm engine on a new store."""
    port = find_free_port()
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, "-m", "streamlit", "run", "app/server.py", f"--server.port={port}", "--server.headless=true"]
        env = os.environ | {"LAB_STORE": f"sqlite:///{folder}/lab.db"}
        process = subprocess.Popen(words, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            end = time.monotonic() + 120
            while not is_ready(port):
                if time.monotonic() > end or process.poll() is not None:
                    raise SystemExit("The server does not start.")
                time.sleep(0.5)
            yield port
        finally:
            process.terminate()
            process.wait()


def is_ready(port: int) -> bool:
    """Whether a preview comes to its end."""
    with suppress(OSError, http.client.HTTPException):
        return "whole" in ask(port, CASES["plain"], int(1000 * time.time()))
    return False


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--drag", type=float, default=5.0, help="seconds that the slider moves")
    parser.add_argument("--url", default="")
    arguments = parser.parse_args()
    with suppress(KeyboardInterrupt):
        if arguments.url:
            for name in arguments.cases.split(","):
                print(
                    json.dumps(measure(urlsplit(arguments.url).port or 80, name, arguments.repeats, arguments.drag)), flush=True
                )
            return
        with serve() as port:
            for name in arguments.cases.split(","):
                print(json.dumps(measure(port, name, arguments.repeats, arguments.drag)), flush=True)


if __name__ == "__main__":
    main()
