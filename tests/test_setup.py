"""Set-up: pins, make's targets, the Procfile, Streamlit's settings, and the launcher's search for a port."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import tomllib
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from app import launch
from engine.store import Store
from tests.conftest import ALONE, BESIDE, EACH_TIME, LONG
from tests.containerfiles import read_image

ROOT = Path(__file__).resolve().parent.parent
PINS = {path.name: path.read_text(encoding="utf-8") for path in sorted(ROOT.glob("requirements*.txt"))}
PARTS = (
    "not long and not alone",
    "alone and not long",
    "long and not alone",
    "long and beside",
    "long and alone and not beside",
)
"""Of the tests, in the order of `make test` and `make test-long`."""
ROOMS = ("requirements-page.txt", "requirements-engine.txt")
"""Lists that are installed by themselves, so that both name what both need."""


def read_pins(*names: str) -> list[Requirement]:
    """The pins of some lists, without their `-r` lines."""
    lines = [line.partition("#")[0].strip() for name in names for line in PINS[name].splitlines()]
    return [Requirement(line) for line in lines if line and not line.startswith("-")]


REQUIRED = list({str(r): r for r in read_pins(*PINS)}.values())


def test_every_pin_is_exact_and_there_once():
    for name in PINS:
        names = [canonicalize_name(r.name) for r in read_pins(name)]
        assert len(names) == len(set(names)), name
    names = [canonicalize_name(r.name) for r in REQUIRED]
    assert len(names) == len(set(names)) > 40, "a package is pinned to two versions"
    for r in REQUIRED:
        assert re.fullmatch(r"==[0-9][0-9a-z.]*", str(r.specifier)), r  # no +cpu: the same file serves CPU and CUDA


def test_the_list_for_people_includes_page_and_engine():
    assert [line for line in PINS["requirements.txt"].splitlines() if line[0] != "#"] == [f"-r {name}" for name in ROOMS]


@pytest.mark.parametrize("room", ROOMS)
def test_a_list_is_whole_by_itself(room):
    """It pins all that its pins need, and nothing that neither is imported nor needed by what is."""
    pinned = {canonicalize_name(r.name): r for r in read_pins(room)}
    needed = {name for r in pinned.values() for name in list_needs(r) if not is_of_torch(name)}
    assert needed <= set(pinned)
    lone = PINS[room].rpartition("\n\n")[2]
    assert {canonicalize_name(r.name) for r in map(Requirement, lone.splitlines())} <= needed


def test_the_pages_list_has_nothing_heavy():
    heavy = {"torch", "scikit-learn", "numba", "llvmlite", "imbalanced-learn", "umap-learn", "onnxruntime", "duckdb", "optuna"}
    page = {canonicalize_name(r.name) for r in read_pins("requirements-page.txt")}
    assert not heavy & page and not page & {"lightgbm", "xgboost", "ray"}
    assert heavy <= {canonicalize_name(r.name) for r in read_pins("requirements-engine.txt")}


def test_ray_is_an_extra():
    """It changes no pin of the others, so that the same spec gives the same bits with it."""
    assert "-r requirements.txt" in PINS["requirements-ray.txt"].splitlines()
    assert {r.name for r in read_pins("requirements-ray.txt")} == {"ray", "msgpack"}
    assert not {"ray", "msgpack"} & {r.name for r in read_pins("requirements.txt", *ROOMS)}
    assert "-r requirements-ray.txt" in PINS["requirements-test.txt"].splitlines()


def list_needs(required: Requirement) -> set[str]:
    """What an installed package needs here."""
    lines = map(Requirement, importlib.metadata.requires(required.name) or [])
    return {canonicalize_name(r.name) for r in lines if r.marker is None or r.marker.evaluate({"extra": ""})}


def is_of_torch(name: str) -> bool:
    """Whether torch itself pins this package."""
    return name.startswith(("nvidia-", "cuda-")) or name == "triton"


@pytest.mark.parametrize("required", REQUIRED, ids=lambda r: r.name)
def test_the_pin_is_what_is_installed(required):
    assert required.specifier.contains(importlib.metadata.version(required.name), prereleases=True)


def test_what_the_pins_need_is_pinned():
    pinned = {canonicalize_name(r.name) for r in REQUIRED}
    for r in REQUIRED:
        assert {name for name in list_needs(r) if not is_of_torch(name)} <= pinned, r


def test_nothing_of_the_tests_is_installed_by_run():
    for name in ("requirements.txt", *ROOMS):
        assert not re.search(r"(?m)^(pytest|ruff|mypy|hypothesis|playwright)\b", PINS[name])
    assert "-r requirements.txt" in PINS["requirements-test.txt"].splitlines()


def test_no_file_names_a_package_index_or_a_folder_of_one_machine():
    for name in (*PINS, "Makefile", "Procfile", ".ci/run", "pyproject.toml", "app/.streamlit/config.toml"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert not re.search(r"index-url|find-links|trusted-host|https?://(?!127\.0\.0\.1)|/root/|/home/|/opt/", text), name


def make(*words: str) -> subprocess.CompletedProcess[str]:
    """What make says it would do."""
    return subprocess.run(["make", "-n", "-B", *words], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("run", ["-m venv .venv", "-r requirements.txt", "engine fetch keel", '--host "127.0.0.1" --port "8501"']),
        (
            "test",
            ["-r requirements-test.txt", "ruff check .", "mypy", *(f'-m "{part}"' for part in PARTS[:2])],
        ),
        ("test-long", ["-r requirements-test.txt", *(f'-m "{part}"' for part in PARTS[2:])]),
        ("lint", ["ruff check .", "ruff format --check .", "mypy"]),
        ("clean", ["rm -rf .venv"]),
    ],
)
def test_targets_of_make(target, said):
    done = make(target)
    assert done.returncode == 0, done.stderr
    at = [done.stdout.index(words) for words in said]
    assert at == sorted(at)


@pytest.mark.parametrize("marks", ["", "long", "alone", "alone long", "alone beside long"])
def test_each_test_belongs_to_one_part(marks):
    parts = re.findall(r' -m "([^"]+)"', (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert tuple(parts) == PARTS
    assert sum(eval(part, {mark: mark in marks.split() for mark in ("long", "alone", "beside")}) for part in parts) == 1


@pytest.mark.parametrize("ids", [ALONE, BESIDE, EACH_TIME, LONG], ids=["ALONE", "BESIDE", "EACH_TIME", "LONG"])
def test_each_id_that_decides_when_a_test_runs_is_the_beginning_of_one(ids):
    for id in ids:
        path, _, name = id.partition("::")
        name = name.partition("[")[0]
        assert (ROOT / path).exists() and (not name or f"def {name}" in (ROOT / path).read_text(encoding="utf-8")), id
    assert all(id.startswith(ALONE) for id in EACH_TIME)


def test_browser_tests_are_counted_in_every_part():
    """`.ci/run` fails where one was skipped, and reads the reports that the targets write."""
    reports = re.findall(r"--junitxml=(\S+)", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert len(reports) == len(PARTS) == len(set(reports)) and all(Path(path).match("out/tests*.xml") for path in reports)
    assert (ROOT / ".ci/run").read_text(encoding="utf-8").count("out/tests*.xml") == 2


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_only_the_command_line_of_make_shares_the_page(monkeypatch):
    monkeypatch.setenv("HOST", "0.0.0.0")
    assert '--host "127.0.0.1"' in make("run").stdout
    assert '--host "0.0.0.0" --port "9000"' in make("run", "HOST=0.0.0.0", "PORT=9000").stdout


def test_the_procfile_has_one_web_line():
    """It starts what the page's image starts, at the port that the host names and behind the host's proxy."""
    (line,) = (ROOT / "Procfile").read_text(encoding="utf-8").splitlines()
    assert line == "web: LAB_PROXIES=${LAB_PROXIES:-*} python -m app.launch --host 0.0.0.0 --port $PORT"
    shown = read_image("page").command
    assert line.endswith(" ".join(shown[:-1]) + " $PORT")


def test_ci_run_can_be_run():
    path = ROOT / ".ci/run"
    assert os.access(path, os.X_OK)
    assert subprocess.run(["bash", "-n", str(path)], check=False).returncode == 0


def settings() -> dict:
    return tomllib.loads((ROOT / "app/.streamlit/config.toml").read_text(encoding="utf-8"))


def test_the_settings_at_the_top_are_those_beside_the_script():
    """At the top people and hosts look for them; beside the script every way to start the page finds them."""
    assert (ROOT / ".streamlit/config.toml").samefile(ROOT / "app/.streamlit/config.toml")


def test_settings_of_the_server_are_as_promised():
    config = settings()
    assert config["server"]["address"] == "127.0.0.1"
    assert config["server"]["headless"] is True
    assert config["server"]["maxUploadSize"] <= 20
    assert config["server"]["enableXsrfProtection"] is config["server"]["enableCORS"] is True
    assert config["server"].get("enableAgentApi", False) is config["server"].get("enableStaticServing", False) is False
    assert config["server"]["fileWatcherType"] == "none"
    assert config["runner"]["postScriptGC"] is False, "app/garbage.py has the schedule in its place"
    assert config["browser"]["gatherUsageStats"] is False
    assert config["client"]["showErrorDetails"] == "none"
    assert config["client"]["toolbarMode"] == "minimal"


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb, as the WCAG define it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(("theme", "background"), [("light", "#FFFFFF"), ("dark", "#171614")])
def test_both_themes_have_contrast(theme, background):
    chosen = settings()["theme"][theme]
    background = chosen.get("backgroundColor", background)
    assert contrast(background, chosen["primaryColor"]) >= 3  # a button, a slider; the words on one are the page's own
    if "linkColor" in chosen:
        assert contrast(background, chosen["linkColor"]) >= 4.5
    if "textColor" in chosen:
        assert contrast(background, chosen["textColor"]) >= 7


# ---- the launcher


def take(host: str, port: int) -> int:
    with launch.take_port(host, port) as listener:
        return int(listener.getsockname()[1])


def test_a_port_that_is_taken_is_listened_at():
    with launch.take_port("127.0.0.1", 20_000) as first, launch.take_port("127.0.0.1", first.getsockname()[1]) as second:
        assert second.getsockname()[1] > first.getsockname()[1]
        for listener in (first, second):
            socket.create_connection(listener.getsockname(), 2).close()


def test_a_taken_port_moves_to_the_next_free_one():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert take("127.0.0.1", port) > port
        assert take("localhost", port) > port
    assert take("127.0.0.1", port) == port


def test_a_port_taken_at_every_address_is_taken_here():
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert take("127.0.0.1", port) > port


def test_no_port_left(monkeypatch):
    monkeypatch.setattr(launch, "TRIES", 1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ValueError, match="are taken; name a free one"):
            launch.take_port("127.0.0.1", port)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--port", "0"], "PORT=0: must be a whole number in 1..65535."),
        (["--port", "70000"], "PORT=70000: must be"),
        (["--port", "web"], "PORT=web: must be"),
        (["--host", "nowhere.invalid"], "HOST=nowhere.invalid:"),
        (["--host", "192.0.2.1"], "HOST=192.0.2.1:"),  # kept for documentation: no machine has it
    ],
)
def test_a_wrong_host_or_port_is_one_sentence(words, said, capsys):
    with pytest.raises(SystemExit) as stopped:
        launch.main(words)
    assert stopped.value.code == 2
    told = capsys.readouterr().err
    assert told.startswith(said) and told.count("\n") == 1


@pytest.mark.parametrize(
    ("host", "address", "shared"),
    [
        ("127.0.0.1", "http://127.0.0.1:80", False),
        ("localhost", "http://localhost:80", False),
        ("::1", "http://[::1]:80", False),
        ("0.0.0.0", "http://127.0.0.1:80", True),
        ("::", "http://127.0.0.1:80", True),
        ("10.1.2.3", "http://10.1.2.3:80", True),
    ],
)
def test_address_and_who_is_let_in(host, address, shared):
    assert launch.page_url(host, 80) == address
    assert launch.is_loopback(host) is not shared
    flags = launch.server_arguments(host, 80)
    assert f"--server.address={host}" in flags and "--server.port=80" in flags


@pytest.mark.parametrize(("host", "warned"), [("127.0.0.1", False), ("0.0.0.0", True)])
def test_what_is_said_before_the_server_takes_over(host, warned, monkeypatch, capsys):
    ran = []
    monkeypatch.setattr(launch, "serve", lambda words, listener: (ran.append(words), listener.close()))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        launch.main(["--host", host, "--port", str(port)])
    told = capsys.readouterr().out
    chosen = int(next(w for w in ran[0] if w.startswith("--server.port=")).partition("=")[2])
    assert chosen > port
    assert f"Port {port} is taken, so this is port {chosen}.\n" in told
    assert f"http://127.0.0.1:{chosen} " in told
    assert ("WARNING" in told) is warned


def test_the_server_comes_up_where_it_was_said(tmp_path):
    """The real thing, without an engine: from the command to a page that answers, and away again on SIGTERM."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "app.launch", "--port", str(port)],
        cwd=ROOT,
        env=os.environ | {"LAB_ENGINE": "off", "LAB_STORE": f"sqlite:///{tmp_path / 'lab.db'}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    killer = threading.Timer(60, process.kill)
    killer.start()
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        url = re.search(r"http://127\.0\.0\.1:\d+", first)
        assert url, first
        while not answers(f"{url[0]}/_stcore/health"):
            assert process.poll() is None, process.stdout.read()
            time.sleep(0.1)
        assert answers(url[0])
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
        assert process.wait() in (0, -signal.SIGTERM)
        assert "http" not in rest, rest  # no second address, and no look-up of a public one
    finally:
        killer.cancel()
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def launch_at(port: int, folder: Path, **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "app.launch", "--port", str(port)],
        cwd=ROOT,
        env=os.environ | {"LAB_ENGINE": "off", "LAB_STORE": f"sqlite:///{folder / 'lab.db'}"} | env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )


def wait_for(question, seconds: float = 60.0):
    end = time.monotonic() + seconds
    while not (answer := question()):
        assert time.monotonic() < end, f"waited {seconds} s in vain"
        time.sleep(0.1)
    return answer


@pytest.mark.alone
def test_of_two_that_start_at_once_each_has_the_port_that_it_says(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    both = [launch_at(port, tmp_path) for _ in range(2)]
    try:
        said, urls = [], []
        for process in both:
            while not (url := re.search(r"http://127\.0\.0\.1:\d+", line := process.stdout.readline())):
                said.append(line)
            urls.append(url[0])
        assert len(set(urls)) == 2 and f"http://127.0.0.1:{port}" in urls
        assert said == [f"Port {port} is taken, so this is port {max(int(url.rpartition(':')[2]) for url in urls)}.\n"]
        for url, process in zip(urls, both, strict=True):
            wait_for(lambda url=url: answers(f"{url}/_stcore/health"))
            assert process.poll() is None
    finally:
        for process in both:
            process.kill()
            process.wait()
            process.stdout.close()


def engines_of(url: str) -> list[psutil.Process]:
    return [p for p in psutil.process_iter() if is_engine_of(p, url)]


def is_engine_of(process: psutil.Process, url: str) -> bool:
    with contextlib.suppress(psutil.Error):
        return process.status() != psutil.STATUS_ZOMBIE and process.cmdline()[-3:] == ["serve", "--store", url]
    return False


@pytest.mark.alone
def test_an_engine_whose_page_has_gone_is_taken_over_and_ctrl_c_leaves_none(tmp_path):
    store = f"sqlite:///{tmp_path / 'lab.db'}"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    first = launch_at(port, tmp_path, LAB_ENGINE="on")
    second = None
    try:
        (engine,) = wait_for(lambda: engines_of(store))
        wait_for(lambda: Store(store).engines())
        family = [engine, *engine.children(recursive=True)]
        first.kill()
        first.wait()
        assert engine.is_running(), "the page went without a word to its engine"
        second = launch_at(port, tmp_path, LAB_ENGINE="on")
        wait_for(lambda: answers(f"http://127.0.0.1:{port}/api/health"))
        time.sleep(1.0)
        assert engines_of(store) == [engine], "none is started beside it"
        family += [second_one for second_one in engine.children(recursive=True) if second_one not in family]
        os.killpg(second.pid, signal.SIGINT)  # as a terminal does
        second.wait(20)
        assert not psutil.wait_procs(family, 10)[1] and not engines_of(store)
    finally:
        for process in (first, second):
            if process is not None:
                process.kill()
                process.wait()
                process.stdout.close()
        for process in engines_of(store):
            process.kill()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
