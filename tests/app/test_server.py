"""The server as a browser meets it: headers, cookie, health; and the engine it keeps."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

import psutil
import pytest
import streamlit

from engine.store import Store
from tests.app import fabricate

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(port: int, path: str = "/", **headers: str) -> tuple[int, http.client.HTTPMessage, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers={"Accept": "text/html"} | headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def until(question: Callable[[], Any], seconds: float) -> Any:
    deadline = time.monotonic() + seconds
    while not (answer := question()):
        assert time.monotonic() < deadline, f"waited {seconds} s; the last answer was {answer!r}"
        time.sleep(0.1)
    return answer


def healthy(port: int) -> bool:
    with contextlib.suppress(OSError, http.client.HTTPException):
        return ask(port, "/_stcore/health")[0] == 200
    return False


@contextlib.contextmanager
def server(
    store: Path, *, engine: str = "off", command: tuple[str, ...] = (), log: IO[bytes] | None = None, **env: str
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A real server on a store in that folder, and its port. log: takes what it prints."""
    port = free_port()
    words = command or (sys.executable, "-m", "streamlit", "run", "app/server.py", f"--server.port={port}")
    env = os.environ | {"LAB_STORE": f"sqlite:///{store / 'lab.db'}", "LAB_ENGINE": engine} | env
    env.pop("PYTHONPATH", None)
    process = subprocess.Popen(
        [w.replace("PORT", str(port)) for w in words], cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
    )
    try:
        until(lambda: healthy(port) or process.poll() is not None, 60)
        assert process.poll() is None
        yield process, port
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Store]]:
    folder = tmp_path_factory.mktemp("store")
    store = fabricate.fresh(folder)
    with server(folder) as (_, port):
        yield port, store
    store.close()


def test_every_answer_carries_the_security_headers(served: tuple[int, Store]) -> None:
    port, _ = served
    for path in ("/", "/_stcore/health", "/api/health", "/no/such/page"):
        headers = ask(port, path)[1]
        policy = headers["Content-Security-Policy"]
        for part in (
            "default-src 'self'",
            "object-src 'none'",
            "base-uri 'self'",
            "frame-ancestors 'self'",
            "connect-src 'self'",
        ):
            assert part in policy
        assert "unsafe-eval" not in policy and "http:" not in policy and "https:" not in policy and "*" not in policy
        assert "'unsafe-inline'" not in re.search(r"script-src [^;]*", policy)[0]  # type: ignore[index]
        assert headers["X-Content-Type-Options"] == "nosniff" and headers["X-Frame-Options"] == "SAMEORIGIN"
        assert headers["Referrer-Policy"] == "same-origin"


def test_the_policy_allows_the_inline_scripts_of_the_page_that_is_served(served: tuple[int, Store]) -> None:
    from app.server import hash_scripts

    _, headers, body = ask(served[0])
    hashes = hash_scripts(body.decode())
    assert hashes and all(h in headers["Content-Security-Policy"] for h in hashes)
    assert body.decode() == (Path(streamlit.__file__).parent / "static" / "index.html").read_text()


def test_script_hashes_are_those_of_the_text_alone() -> None:
    from app.server import hash_scripts

    page = '<script src="a.js"></script><script type="module">alert(1)</script><script>\n</script>'
    assert hash_scripts(page) == [
        "'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI='",
        "'sha256-AbpHGcgLb+kRsJGnwFEktk7uzpZOCcBY74+YBdrKVGs='",
    ]


def test_the_owners_cookie(served: tuple[int, Store]) -> None:
    port, _ = served
    first, second = (ask(port)[1]["Set-Cookie"] for _ in range(2))
    name, token = first.split(";")[0].split("=", 1)
    assert name == "lab_owner" and len(token) == 43 and token not in second
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= {part.strip() for part in first.split(";")} and "Secure" not in first
    assert ask(port, Cookie=f"lab_owner={token}; other=1")[1]["Set-Cookie"] is None
    assert ask(port, Cookie="lab_owner=chosen-by-me")[1]["Set-Cookie"].startswith("lab_owner=")
    assert "lab_owner" not in str(ask(port, "/_stcore/health", Accept="*/*")[1]["Set-Cookie"])


def test_health_follows_the_engine(served: tuple[int, Store]) -> None:
    port, store = served
    status, headers, body = ask(port, "/api/health")
    assert status == 503 and b'"no engine"' in body and headers["Content-Type"] == "application/json"
    fabricate.beat(store)
    status, _, body = ask(port, "/api/health")
    assert status == 200 and b'"ok"' in body and b'"queued":0' in body
    store.retire("engine-1")
    assert ask(port, "/api/health")[0] == 503


def test_metrics_are_served_to_this_machine(served: tuple[int, Store]) -> None:
    status, headers, body = ask(served[0], "/metrics", Accept="*/*")
    assert status == 200 and headers["Cache-Control"] == "no-store" and headers["Set-Cookie"] is None
    assert b'lab_jobs{state="done"}' in body and b"lab_store_up 1.0" in body and b"process_resident_memory_bytes" in body
    forwarded = {"X-Forwarded-For": "192.0.2.7"}
    assert ask(served[0], "/_stcore/metrics")[0] == 200 and ask(served[0], "/_stcore/metrics", **forwarded)[0] == 403


@pytest.mark.parametrize(
    "command",
    [
        (sys.executable, "-m", "streamlit", "run", "app/main.py", "--server.port=PORT"),
        (str(Path(sys.executable).with_name("streamlit")), "run", "app/main.py", "--server.port=PORT"),
        (str(Path(sys.executable).with_name("uvicorn")), "app.server:app", "--port=PORT"),
    ],
)
def test_the_other_ways_to_start_it(tmp_path: Path, command: tuple[str, ...]) -> None:
    with server(tmp_path, command=command) as (_, port):
        assert ask(port)[0] == 200


def engines(parent: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return [p for p in psutil.Process(parent).children() if "engine" in p.cmdline() and "serve" in p.cmdline()]
    return []


def test_the_server_keeps_an_engine_and_takes_it_along(tmp_path: Path) -> None:
    with server(tmp_path, engine="on") as (process, port):
        until(lambda: ask(port, "/api/health")[0] == 200, 60)
        (engine,) = engines(process.pid)
        # a second server on the same store leaves the engine to the first
        with server(tmp_path, engine="on") as (other, _):
            time.sleep(1.0)
            assert not engines(other.pid)
        engine.send_signal(signal.SIGKILL)
        gone, _ = psutil.wait_procs([engine], 5)
        assert gone
        (again,) = until(lambda: engines(process.pid), 30)
        until(lambda: ask(port, "/api/health")[0] == 200, 60)
        family = [again, *again.children(recursive=True)]
    assert not psutil.wait_procs(family, 10)[1]


def test_an_engine_that_keeps_dying_is_not_restarted_in_a_tight_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from app import server as module

    monkeypatch.setattr(module.sys, "executable", "/bin/false")
    store = fabricate.fresh(tmp_path)
    engine = module.Engine(store)
    engine.start()
    time.sleep(4.5)
    engine.stop()
    store.close()
    gaps = [b - a for a, b in zip(engine.starts, engine.starts[1:], strict=False)]
    assert 1 <= len(gaps) <= 2 and all(gap >= 2**place for place, gap in enumerate(gaps)), gaps


def test_a_password_of_the_store_is_in_no_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from app import server as module

    started: list[tuple[list[str], dict[str, Any]]] = []

    def start(command: list[str], **options: Any) -> SimpleNamespace:
        started.append((command, options["env"]))
        return SimpleNamespace(pid=os.getpid())

    monkeypatch.setattr(module.system, "start_process", start)
    monkeypatch.setenv("LAB_STORE_FILE", "/run/secrets/store_url")
    url = "postgresql+psycopg://lab:s3cret@db/lab"
    store: Any = SimpleNamespace(url=url, engines=list, database=SimpleNamespace(lock_path=tmp_path / "lab.engine-lock"))
    engine = module.Engine(store)
    engine._look()
    ((command, env),) = started
    assert command == [sys.executable, "-m", "engine", "serve"] and env["LAB_STORE"] == url and "LAB_STORE_FILE" not in env
    assert engine._lock is not None
    engine._lock.release()


def test_no_engine_is_started_beside_a_living_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from app import server as module

    monkeypatch.setattr(module.sys, "executable", "/bin/false")
    store = fabricate.fresh(tmp_path)
    fabricate.beat(store)
    engine = module.Engine(store)
    engine.start()
    time.sleep(0.8)
    engine.stop()
    store.close()
    assert engine.starts == []
