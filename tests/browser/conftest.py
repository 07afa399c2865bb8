"""What browser tests share: a Chromium, and real servers.

    def test_it(serve, chromium):
        url = serve("app/server.py", {"LAB_STORE": ...})
        page = chromium.new_page()

Playwright's `wait_for_function` needs `unsafe-eval`, which our pages refuse: use `until` with `page.evaluate`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from engine.store import Store

ROOT = Path(__file__).resolve().parents[2]
ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A Playwright Browser: $CHROMIUM, or the system's. Tests are skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="no browser tests: playwright is not installed")
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if not path or not Path(path).exists():
        pytest.skip("no browser tests: there is no Chromium (install Debian's `chromium`, or name one in $CHROMIUM)")
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=path, args=ARGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def serve() -> Iterator[Callable[..., str]]:
    """serve(script, env={}, flags=()) -> address of `streamlit run script`, up and healthy. The same call: the same server.

    script: path from the repository's root. env: added to this process's environment. flags: more for `streamlit run`. The
    server and all it started are ended after the last test; what it printed is shown where it does not come up.
    """
    running: dict[Any, tuple[subprocess.Popen[bytes], str]] = {}
    logs: list[Any] = []

    def start(script: str, env: Mapping[str, str] | None = None, flags: tuple[str, ...] = ()) -> str:
        key = (script, tuple(sorted((env or {}).items())), flags)
        if key in running and running[key][0].poll() is None:
            return running[key][1]
        port = _free_port()
        log = tempfile.TemporaryFile()  # noqa: SIM115 (open as long as the server)
        logs.append(log)
        command = [sys.executable, "-m", "streamlit", "run", str(ROOT / script), f"--server.port={port}", *flags]
        command += ["--server.address=127.0.0.1", "--server.headless=true", "--server.fileWatcherType=none"]
        command += ["--browser.gatherUsageStats=false"]
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **(env or {})},
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        url = f"http://127.0.0.1:{port}"
        running[key] = process, url
        deadline = time.monotonic() + 60
        while not _healthy(url):
            if process.poll() is not None or time.monotonic() > deadline:
                log.seek(0)
                pytest.fail(f"the server of {script} did not come up:\n{log.read().decode(errors='replace')[-4000:]}")
            time.sleep(0.1)
        return url

    yield start
    for process, _ in running.values():
        _end(process)
    for log in logs:
        log.close()


@pytest.fixture(scope="session")
def until() -> Callable[..., Any]:
    """until(question, seconds=10) -> the first true answer of question(); fails with the last one where none comes."""

    def wait(question: Callable[[], Any], seconds: float = 10, what: str = "") -> Any:
        deadline = time.monotonic() + seconds
        while True:
            answer = question()
            if answer:
                return answer
            if time.monotonic() > deadline:
                pytest.fail(f"waited {seconds} s for {what or question}; the last answer was {answer!r}")
            time.sleep(0.05)

    return wait


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM to the server, then SIGKILL to whatever of its own session is left."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    with contextlib.suppress(ProcessLookupError):  # nothing was left
        os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def product(serve: Callable[..., str], tmp_path_factory: pytest.TempPathFactory, until: Callable[..., Any]) -> Iterator[Any]:
    """The address of the whole product, its engine up, and its store; each module has its own."""
    place = f"sqlite:///{tmp_path_factory.mktemp('product') / 'lab.db'}"
    url = serve("app/server.py", {"LAB_STORE": place})
    store = Store(place)
    until(lambda: any(e.ready for e in store.engines()), 90, "an engine that is ready")
    yield url, store
    store.close()
