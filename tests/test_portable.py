"""No module but `engine.system` uses what some operating system lacks, and everything runs without it."""

from __future__ import annotations

import ast
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from engine import system
from engine.store import Store
from tests.app.test_server import ask, until
from tests.engine.test_service import Process, alive, ended, running, spec, wait
from tests.portable import not_everywhere, write_hiding
from tests.test_imports import ROOT, modules

PLACES = re.compile(r"/(proc|dev|sys|tmp|etc|var)(/|$)")
BESIDE = {"preexec_fn", "start_new_session", "process_group", "pass_fds"}
"""Arguments of subprocess.Popen that Windows refuses."""
ELSEWHERE = {("os", name) for name in ("execv", "execve", "execvp", "execl", "execlp", "spawnv", "kill", "startfile")}
"""Names that are there everywhere and do something else on Windows."""


# ---- the source


def find_unportable(tree: ast.Module) -> Iterator[str]:
    """What a module uses that some system lacks, as `line: name`."""
    imported = {
        alias.asname or alias.name: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    documents = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        used: list[tuple[str, str]] = []
        match node:
            case ast.Import(names=names):
                used = [(alias.name, "") for alias in names]
            case ast.ImportFrom(module=str(module), names=names, level=0):
                used = [(module, alias.name) for alias in names]
            case ast.Attribute(value=ast.Name(id=name), attr=attribute) if name in imported:
                used = [(imported[name], attribute)]
            case ast.Call(
                func=ast.Name(id="getattr" | "hasattr"), args=[ast.Name(id=name), ast.Constant(value=str(attribute)), *_]
            ):
                used = [(imported.get(name, ""), attribute)]
            case ast.keyword(arg=str(word)) if word in BESIDE:
                yield f"{node.value.lineno}: {word}="
            case ast.Constant(value=str(text)) if id(node) not in documents and PLACES.match(text):
                yield f"{node.lineno}: {text!r}"
        for module, name in used:
            lacking = not_everywhere(module)
            if lacking is None or name in lacking or (module, name) in ELSEWHERE:
                yield f"{node.lineno}: {module}.{name}".rstrip(".")


def test_the_search_finds_each_kind():
    found = find_unportable(
        ast.parse(
            "import os, signal as s, resource\nfrom os import nice\nfrom fcntl import flock\nos.killpg(1, s.SIGKILL)\n"
            "getattr(s, 'pthread_sigmask')\nPopen(x, start_new_session=True)\nopen('/proc/self/statm')\nos.kill(1, 2)\n"
            "os.replace('a', os.devnull); s.SIGTERM"
        )
    )
    assert sorted(found) == [
        "1: resource",
        "2: os.nice",
        "3: fcntl.flock",
        "4: os.killpg",
        "4: signal.SIGKILL",
        "5: signal.pthread_sigmask",
        "6: start_new_session=",
        "7: '/proc/self/statm'",
        "8: os.kill",
    ]


def test_one_module_alone_uses_what_some_system_lacks():
    found = {name: list(find_unportable(ast.parse(path.read_text(encoding="utf-8")))) for name, path in modules().items()}
    assert found.pop("engine.system"), "the search does not see it"
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_text_files_are_written_and_read_the_same_everywhere():
    """UTF-8 and not the system's code page; lines end as the text says, where something is written."""
    for name, path in modules().items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Attribute(attr="write_text"), keywords=words):
                    needed = {"encoding", "newline"}
                case ast.Call(func=ast.Attribute(attr="read_text"), keywords=words):
                    needed = {"encoding"}
                case ast.Call(func=ast.Name(id="open"), args=[_, *mode], keywords=words):
                    text = not (mode and isinstance(mode[0], ast.Constant) and "b" in mode[0].value)
                    needed = {"encoding", "newline"} if text else set()
                case _:
                    continue
            assert needed <= {word.arg for word in words}, f"{name}:{node.lineno}"


# ---- the other way, in real processes


@pytest.fixture
def hidden(tmp_path: Path) -> dict[str, str]:
    """An environment whose Python processes hide from our modules what some system lacks."""
    folder = tmp_path / "hiding"
    folder.mkdir()
    write_hiding(folder)
    return {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}


@pytest.fixture
def engine(store: Store, tmp_path: Path, hidden: dict[str, str]) -> Iterator[Process]:
    process = Process(store, tmp_path / "engine.log", slots=1, **hidden)
    yield process
    process.end()


def test_the_names_are_hidden_and_each_function_answers(hidden, tmp_path):
    code = """
import os
from pathlib import Path
from engine import system
from engine.runner.provenance import describe_processor
assert system.resource is None and system._BLOCK is None and system._KILL is None and not hasattr(system.os, "nice")
system.refuse_core_dumps()
system.lower_priority()
system.return_memory()
system.keep_freed_memory()
assert system.memory_in_use() > 1 << 20 and system.memory_in_use(2**22 + 1) == 0
assert not system.was_killed(-9) and system.describe_exit(-9) == "crashed (signal 9, SIGKILL)"
Path("file").write_bytes(b"1"), Path("link").symlink_to("file")
with open(system.open_unlinked(Path("file")), "rb") as file:
    assert file.read() == b"1"
try:
    system.open_unlinked(Path("link"))
except OSError as error:
    assert error.strerror == "it is a link"
else:
    raise AssertionError("the link was followed")
first = system.lock_file(Path("lock"))
assert first is not None and system.lock_file(Path("lock")) is None
first.release()
assert system.lock_file(Path("lock")) is not None
assert describe_processor()
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=os.environ | hidden, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_start_run_cancel_kill_and_stop(store, engine):
    engine.up()
    assert ended(store, store.submit(spec("quick")).id).state == "done"
    for n, method in enumerate(("steady", "stubborn")):  # one that stops when asked, one that is killed
        id = store.submit(spec(method, seed=n)).id
        running(store, id)
        store.cancel(id)
        assert ended(store, id).state == "cancelled"
    id = store.submit(spec("steady", seed=2)).id
    running(store, id)
    (worker,) = engine.workers()
    worker.kill()
    job = ended(store, id)
    assert job.state == "failed" and job.reason == "The worker process crashed (signal 9, SIGKILL) before the run was over."
    id = store.submit(spec("steady", seed=3)).id
    running(store, id)
    (worker,) = engine.workers()
    worker.send_signal(signal.SIGINT)  # Ctrl+C reaches every process of a console; the engine ends its workers
    worker.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    assert alive(worker) and store.job(id).state == "running"
    code, out = engine.terminate()
    assert code == 0 and store.job(id).state == "interrupted"
    wait(lambda: not engine.left())


def test_workers_end_with_their_engine(store, engine):
    engine.up()
    id = store.submit(spec("steady")).id
    running(store, id)
    engine.kill()
    wait(lambda: not engine.left())


def test_the_page_starts_an_engine_and_takes_it_along(hidden, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"sqlite:///{tmp_path / 'page.db'}"
    with (tmp_path / "page.log").open("wb") as log:
        page = subprocess.Popen(
            [sys.executable, "-m", "app.launch", "--port", str(port)],
            cwd=ROOT,
            env=os.environ | hidden | {"LAB_STORE": url, "LAB_ENGINE": "on"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    family: list[psutil.Process] = []
    try:
        until(lambda: page.poll() is not None or answers(port), 60)
        family = psutil.Process(page.pid).children(recursive=True)
        assert len(family) >= 2, (tmp_path / "page.log").read_text()
        page.terminate()
        page.wait(20)
        assert not psutil.wait_procs(family, 10)[1]
    finally:
        for process in (page, *family):
            if process.poll() is None if process is page else process.is_running():
                process.kill()
        page.wait()


def answers(port: int) -> bool:
    """Whether the page answers and has an engine."""
    try:
        return ask(port, "/api/health")[0] == 200
    except OSError:
        return False


# ---- what Windows has instead


def test_a_process_is_asked_by_what_the_system_has(monkeypatch):
    started: list[dict] = []
    sent: list[int | str] = []

    class Popen:
        def __init__(self, command, **options):
            started.append(options)

        def poll(self):
            return None

        def send_signal(self, number):
            sent.append(number)

        def terminate(self):
            sent.append("terminate")

        def wait(self, seconds=None):
            if seconds is not None and sent[-1] != "terminate":
                raise subprocess.TimeoutExpired("engine", seconds)

        def kill(self):
            sent.append("kill")

    monkeypatch.setattr(system.subprocess, "Popen", Popen)
    system.stop_process(system.start_process(["engine"], cwd="."), 0.1)
    assert started == [{"cwd": "."}] and sent == ["terminate"]
    monkeypatch.setattr(system, "_BREAK", 1)
    monkeypatch.setattr(system.subprocess, "CREATE_NEW_PROCESS_GROUP", 512, raising=False)
    system.stop_process(system.start_process(["engine"]), 0.1)
    assert started[1] == {"creationflags": 512} and sent[1:] == [1, "kill"]


def test_a_port_is_claimed_by_what_the_system_has(monkeypatch):
    with socket.socket() as one, socket.socket() as other:
        system.claim_port(one)
        assert one.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)
        monkeypatch.setattr(system.socket, "SO_EXCLUSIVEADDRUSE", socket.SO_KEEPALIVE, raising=False)
        system.claim_port(other)
        assert not other.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)
