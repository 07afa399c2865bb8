"""`pip install .`: the wheel holds every file of the packages, and works in an environment of its own, from another folder."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from app import launch
from tests.app.test_server import ask, until
from tests.engine.plugged import make_folder
from tests.test_imports import ROOT

LISTS = ("requirements-page.txt", "requirements-engine.txt")
SOURCE = ("engine", "app", "pyproject.toml", *LISTS, "README.md", "LICENSE")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy without the network."""
    folder = tmp_path_factory.mktemp("source")
    for name in SOURCE:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder / name)
    pip = [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
    done = subprocess.run([*pip, "--wheel-dir", "dist"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = (folder / "dist").glob("imbalance_lab-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of scripts of an empty environment with the wheel in it, and nothing else."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    scripts = folder / ("Scripts" if os.name == "nt" else "bin")
    pip = [sys.executable, "-m", "pip", "--python", str(scripts / "python"), "install", "--no-deps", "--no-index", "--quiet"]
    done = subprocess.run([*pip, str(wheel)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return scripts


def bare_environment(**more: str) -> dict[str, str]:
    """This environment without paths to the checkout."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")} | more


def test_every_file_of_the_packages_is_in_the_wheel(wheel):
    there = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    source = {
        path.relative_to(ROOT).as_posix()
        for package in ("engine", "app")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert there == source
    assert {"engine/catalog.json", "app/.streamlit/config.toml", "app/examples/index.json"} <= there


def test_what_it_needs_is_what_requirements_say(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("METADATA"))
        needed = re.findall(r"(?m)^Requires-Dist: (.*)$", archive.read(name).decode())
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in LISTS]
    lines = [line.partition("#")[0].strip() for text in texts for line in text.splitlines()]
    assert set(needed) == {line for line in lines if line}
    assert not any(line.startswith("-") for line in lines)


def test_what_is_missing_is_named(installed, tmp_path):
    """No package is there: one sentence, and how to install them."""
    done = subprocess.run([installed / "imbalance-lab"], cwd=tmp_path, env=bare_environment(), capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout == ""
    needed = launch.read_requirements()
    assert done.stderr.startswith(f"Not installed: {', '.join(needed[:5])} and {len(needed) - 5} more. ")
    assert done.stderr.count("\n") == 1 and "-m pip install .` in the folder of its source installs" in done.stderr


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_folder_of_ones_own_takes_part_everywhere(installed, tmp_path):
    """A method of five lines and two tables outside of the package: listed, conforming, and in the table of all methods."""
    (site,) = installed.parent.rglob("site-packages")
    (site / "libraries.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    folder = make_folder(tmp_path / "own")

    def ask(*words: str) -> str:
        done = subprocess.run(
            [installed / "python", "-m", "engine", *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            env=bare_environment(LAB_PLUGINS=str(folder), LAB_STORE=f"sqlite:///{tmp_path / 'lab.db'}", LAB_DATA=str(tmp_path)),
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "naive-bayes" in ask("list", "methods") and {"tables/apples", "tables/pears"} <= set(ask("list", "datasets").split())
    assert json.loads(ask("conform", "--json"))["holds"]
    asked = ("--methods", "naive-bayes", "ce", "--datasets", "tables/apples", "tables/pears", "--seeds", "1", "--json")
    rows = json.loads(ask("table", "all-methods", "--reduced", *asked))["rows"]
    assert len(rows) == 4 and all(row["ours"]["n"] == 4 for row in rows)


def test_the_page_and_its_engine_start_from_another_folder(installed, tmp_path):
    libraries = Path(sysconfig.get_path("purelib"))
    (site,) = installed.parent.rglob("site-packages")
    (site / "libraries.pth").write_text(f"{libraries}\n", encoding="utf-8")
    where = subprocess.run(
        [installed / "python", "-c", "import app, engine; print(app.__file__, engine.__file__, engine.load_model.__name__)"],
        cwd=tmp_path,
        env=bare_environment(),
        capture_output=True,
        text=True,
    )
    assert where.returncode == 0 and where.stdout.count(str(site)) == 2, where.stdout + where.stderr
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path / "log"
    with log.open("wb") as out:
        page = subprocess.Popen(
            [installed / "imbalance-lab", "--port", str(port)],
            cwd=tmp_path,
            env=bare_environment(LAB_STORE=f"sqlite:///{tmp_path / 'lab.db'}"),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    try:
        until(lambda: page.poll() is not None or healthy(port), 120)
        status, headers, body = ask(port)
        assert status == 200 and b"<title>" in body and "Content-Security-Policy" in headers
        page.send_signal(signal.SIGTERM)
        assert page.wait(20) in (0, -signal.SIGTERM)
    finally:
        page.kill()
        page.wait()
        said = log.read_text(encoding="utf-8")
    assert f"http://127.0.0.1:{port} " in said
    assert "Traceback" not in said and "usage statistics" not in said, said  # the settings were read


def healthy(port: int) -> bool:
    """Whether the page answers and has an engine."""
    try:
        return ask(port, "/api/health")[0] == 200
    except OSError:
        return False


# ---- names


def test_no_text_tells_to_install_a_package_of_ours_from_an_index():
    """`pip install NAME` would fetch whatever somebody puts there under that name."""
    command = re.compile(r"pip3? install (?:-{1,2}(?!r |e )[a-z-]+ )*[A-Za-z]\S*")
    assert command.search("pip install imbalance-lab") and not command.search(
        "pip install . or pip install -r requirements.txt"
    )
    texts = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("engine/**/*.py"), *ROOT.glob("app/**/*.py")]
    found = {
        f"{path.relative_to(ROOT)}: {hit[0]}" for path in texts for hit in command.finditer(path.read_text(encoding="utf-8"))
    }
    assert found == set()


def test_missing_packages_in_a_checkout(monkeypatch, tmp_path, capsys):
    file = tmp_path / "requirements.txt"
    file.write_text("# a remark\nstreamlit==1.0  # there\n-r more.txt\n\nno.other_one==2\n", encoding="utf-8")
    file.with_name("more.txt").write_text("no-such-package==1\nstreamlit==1.0\n", encoding="utf-8")
    monkeypatch.delenv("LAB_ENGINE", raising=False)
    monkeypatch.setattr(launch, "REQUIREMENTS", file)
    monkeypatch.setattr(launch, "serve", lambda arguments: pytest.fail("it went on"))
    assert launch.read_requirements() == ["streamlit", "no-such-package", "no.other_one"]
    with pytest.raises(SystemExit) as stopped:
        launch.main([])
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert (
        said.startswith("Not installed: no-such-package, no.other_one. `") and "-m pip install -r requirements.txt` in" in said
    )
    monkeypatch.setenv("LAB_ENGINE", "off")  # a page whose engines run elsewhere
    file.with_name("requirements-page.txt").write_text("no-page-package==1\n", encoding="utf-8")
    assert launch.list_missing() == ["no-page-package"]
    assert "-m pip install -r requirements-page.txt` in" in launch.explain_missing(["no-page-package"])
