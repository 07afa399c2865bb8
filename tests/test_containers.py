"""The images, compose.yaml, systemd's units and the dashboard: their form, and the images' commands as they stand."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from app import metrics as page
from engine.doctor.store import SETTINGS
from engine.operate import metrics
from engine.operate.tally import Tally
from engine.spec import RunSpec
from engine.store import Store
from tests.app.test_server import ask, free_port, until
from tests.containerfiles import FOLDER, Image, lay_out, read_image
from tests.test_imports import ROOT
from tests.test_operate import engine_state

IMAGES = ("page", "engine")


@pytest.mark.parametrize("name", IMAGES)
def test_hadolint_has_nothing_to_say(name):
    linter = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    assert linter, "requirements-test.txt installs it"
    done = subprocess.run([linter, str(FOLDER / f"{name}.Dockerfile")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_is_pinned_and_runs_as_nobody(name):
    image = read_image(name)
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-[a-z]+", image.args["BASE"])
    assert {rest.split()[0] for word, rest in image.instructions if word == "FROM"} == {"${BASE}"}
    assert image.value("USER") == "10001:10001" and image.value("VOLUME") == "/data" and image.value("STOPSIGNAL") == "SIGTERM"
    assert image.command[:2] == image.health[:1] + ["-m"] == ["python", "-m"]  # exec form: the process itself takes signals
    env = image.env
    assert env["HOME"] == "/tmp" and {env["XDG_DATA_HOME"], env["XDG_CACHE_HOME"]} == {"/data"}
    assert set(image.copied) == {"requirements*.txt", "LICENSE", "engine"} | ({"app"} if name == "page" else set())
    assert image.lists == [f"requirements-{name}.txt"]
    text = (FOLDER / f"{name}.Dockerfile").read_text(encoding="utf-8")
    assert not re.search(r"https?://(?!127\.0\.0\.1)|index-url|--find-links", text)
    kept = (FOLDER / f"{name}.Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert kept[0] == "*" and {line[1:] for line in kept if line[0] == "!"} == set(image.copied)


def test_the_engines_image_takes_another_index_for_torch():
    assert read_image("engine").args["PIP_EXTRA_INDEX_URL"] == ""  # pip reads the variable of a build argument
    assert read_image("engine").env["NUMBA_CACHE_DIR"].startswith("/tmp/")
    assert read_image("page").env["LAB_ENGINE"] == "off"


def test_no_list_that_an_image_installs_names_another():
    """`-r requirements.txt` in one would bring torch into the page's image."""
    for name in IMAGES:
        for one in (*read_image(name).lists, *list_extras(name)):
            assert not re.search(r"(?m)^-", (ROOT / one).read_text(encoding="utf-8")), one


def list_extras(name: str) -> list[str]:
    """Lists of requirements that compose.yaml adds to an image."""
    found: list[str] = re.findall(r"-r (\S+)", read_compose()["services"][name]["build"]["args"]["EXTRAS"])
    return found


def read_compose() -> dict[str, Any]:
    """containers/compose.yaml."""
    compose: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))
    return compose


# ---- compose


def test_compose_keeps_secrets_in_files_and_the_database_to_itself():
    compose = read_compose()
    db, *labs = (compose["services"][name] for name in ("db", *IMAGES))
    assert "ports" not in db and "ports" not in compose["services"]["engine"]
    assert all(port.startswith("127.0.0.1:") for port in compose["services"]["page"]["ports"])
    assert re.fullmatch(r"postgres:\$\{POSTGRES:-\d+\.\d+-[a-z]+\}", db["image"]) and db["shm_size"] == "256mb"
    assert dict(word.removeprefix("-c").split("=") for word in db["command"][1:]) == {
        k: wanted for k, (wanted, _) in SETTINGS.items()
    }
    for service in (db, *labs):
        assert service["stop_grace_period"] == "30s" and not any("SECRET" in k or "PASSWORD" in k for k in environment(service))
        files = {value.rpartition("/")[2] for key, value in environment(service, True).items() if key.endswith("_FILE")}
        assert files == set(service["secrets"]) <= set(compose["secrets"])
    for service in labs:
        assert service["read_only"] is True and service["tmpfs"] == ["/tmp"] and service["cap_drop"] == ["ALL"]
        assert service["depends_on"]["db"]["condition"] == "service_healthy" and "healthcheck" in db
        assert (FOLDER / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
        assert all(volume.partition(":")[0] in compose["volumes"] for volume in service["volumes"])
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert "/containers/secrets/" in ignored
    assert all(one["file"].startswith("secrets/") for one in compose["secrets"].values())


def environment(service: dict[str, Any], files: bool = False) -> dict[str, str]:
    """Variables of a service: those that name files, or the others."""
    return {k: v for k, v in service["environment"].items() if k.endswith("_FILE") == files}


# ---- systemd


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_takes_the_units(tmp_path):
    units = sorted((ROOT / "docs" / "systemd").glob("*.service"))
    assert [unit.stem for unit in units] == ["imbalance-lab-engine", "imbalance-lab-page"]
    for unit in units:
        text = unit.read_text(encoding="utf-8")
        wanted = {
            "KillMode=mixed",
            "TimeoutStopSec=30",
            "DynamicUser=yes",
            "StateDirectory=imbalance-lab",
            "ProtectSystem=strict",
        }
        assert wanted <= set(text.splitlines())
        here = re.sub(r"(?m)(?<==)/opt/imbalance-lab/\.venv/bin/python", sys.executable, text)
        (tmp_path / unit.name).write_text(here, encoding="utf-8")
    verify = ["systemd-analyze", "verify", *(str(tmp_path / unit.name) for unit in units)]
    done = subprocess.run(verify, capture_output=True, text=True, check=False)
    assert "imbalance-lab" not in done.stderr and done.returncode == 0, done.stderr


# ---- the dashboard


def test_the_dashboard_asks_for_numbers_that_are_reported():
    tally = Tally()
    tally.count_end("run", "done", 1.0)
    page.requests.count_answer("page", 200, 0.1)
    own = metrics.EngineCollector(engine_state, tally)
    registry = metrics.make_registry(own, metrics.StoreCollector(Store), page.requests)
    lines = metrics.write_metrics(registry)[0].decode().splitlines()
    reported = {re.split(r"[{ ]", line)[0] for line in lines if not line.startswith("#")}
    panels = json.loads((FOLDER / "grafana.json").read_text(encoding="utf-8"))["panels"]
    queries = [target["expr"] for panel in panels for target in panel["targets"]]
    asked = {name for query in queries for name in re.findall(r"\b(?:lab|process)_[a-z_]+", query)}
    assert len(panels) >= 12 and asked - reported == set()
    ours = {re.sub(r"_(bucket|sum|count|created)$", "", name) for name in reported if name.startswith("lab_")}
    shown = {re.sub(r"_(bucket|sum|count)$", "", name) for name in asked}
    assert ours - shown == {
        "lab_engine_info",
        "lab_engine_slots",
        "lab_engine_slots_ready",
        "lab_engine_slots_busy",
        "lab_engines_memory_bytes",
    }
    labels = {name for query in queries for part in re.findall(r"by \(([a-z, ]+)\)", query) for name in part.split(", ")}
    assert labels <= {"state", "kind", "le", "route", "code", "instance"}
    places = [tuple(panel["gridPos"].values()) for panel in panels]
    assert len(set(places)) == len(places) and all(x + w <= 24 for x, _, w, _ in places)


# ---- the images' commands


@pytest.fixture
def containers(tmp_path: Path) -> Iterator[Any]:
    """start(name) -> (image, process, port, what runs a command in it); all on one /data."""
    started: list[subprocess.Popen[bytes]] = []
    (data := tmp_path / "data").mkdir()

    def start(name: str) -> tuple[Image, subprocess.Popen[bytes], int, Any]:
        image, port = read_image(name), free_port()
        (root := tmp_path / name).mkdir()
        (root / "data").symlink_to(data)
        home, env = lay_out(image, root)

        def words(command: list[str]) -> list[str]:
            return [word.replace("8501", str(port)).replace("0.0.0.0", "127.0.0.1") for word in command]

        def run(command: list[str]) -> subprocess.CompletedProcess[bytes]:
            return subprocess.run(words(command), cwd=home, env=env, capture_output=True, check=False)

        with (root / "log").open("wb") as log:
            started.append(
                subprocess.Popen(words(image.command), cwd=home, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            )
        return image, started[-1], port, run

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.long
@pytest.mark.alone
@pytest.mark.timeout(600)
def test_the_images_commands_run_as_they_stand_and_stop_when_asked(containers, tmp_path):
    """Page and engine with the packages of their lists alone: healthy by their own checks, one store, SIGTERM in mid-run."""
    engine, serving, _, in_engine = containers("engine")
    shown, page, port, in_page = containers("page")
    before = {name: list_files(tmp_path / name) for name in IMAGES}
    until(lambda: in_page(shown.health).returncode == 0, 120)
    until(lambda: in_engine(engine.health).returncode == 0, 120)
    until(lambda: ask(port, "/api/health")[0] == 200, 60)  # readiness: the page sees the engine
    assert in_engine(["python", "-m", "engine", "doctor"]).returncode == 0
    store = Store(f"sqlite:///{tmp_path / 'data' / 'imbalance-lab' / 'lab.db'}")
    until(lambda: (alive := store.engines()) and alive[0].ready, 120)
    catalog = until(store.catalog, 60)
    job = store.submit(RunSpec(dataset="moons", method="ce", folds=10, seeds=100).complete(catalog))
    until(lambda: store.job(job.id).state == "running" and store.events(job.id), 120)
    for process in (serving, page):
        process.send_signal(signal.SIGTERM)
    assert [process.wait(30) for process in (serving, page)] == [0, 0] or page.returncode == -signal.SIGTERM
    ended = store.job(job.id)
    assert ended.state == "interrupted" and "Run it again" in ended.reason
    assert store.engines() == [] and serving.returncode == 0
    store.close()
    for name in IMAGES:
        assert "Traceback" not in (tmp_path / name / "log").read_text(encoding="utf-8")
        assert list_files(tmp_path / name) == before[name], "something was written beside /data and /tmp"


def list_files(root: Path) -> set[str]:
    """Files below a container's root, without /data, /tmp and our log."""
    kept = [path for path in root.rglob("*") if path.relative_to(root).parts[0] not in ("data", "tmp", "log")]
    return {path.relative_to(root).as_posix() for path in kept}
