"""Every benchmark runs at toy size: `python -m benchmarks.NAME`, with the arguments that the module itself declares.

    TOY = ("--repeats", "1")     # the arguments of a run of seconds; a module without fails here
    SHOWS = ('"seconds":',)      # what the output must hold
    PHASE = "alone"              # where it starts servers or browsers; "long" where a toy takes more than 15 s

The names are read from the source: nothing of a benchmark is imported where tests are collected.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = {"map_page": "map"}
"""Pages that are no benchmarks -> the one that serves them. Modules whose names begin with _ are parts of others."""
NAMES = sorted(path.stem for path in (ROOT / "benchmarks").glob("*.py") if path.stem[0] != "_" and path.stem not in PAGES)


def read_facts(name: str) -> dict[str, Any]:
    """The constants of TOY, SHOWS and PHASE that a module assigns."""
    facts: dict[str, Any] = {}
    for node in ast.parse((ROOT / "benchmarks" / f"{name}.py").read_text(encoding="utf-8")).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target if isinstance(node, ast.AnnAssign) else None
        if isinstance(target, ast.Name) and target.id in ("TOY", "SHOWS", "PHASE"):
            facts[target.id] = ast.literal_eval(node.value)
    return facts


FACTS = {name: read_facts(name) for name in NAMES}


def list_names(phase: str) -> list[str]:
    """The benchmarks of a phase."""
    return [name for name in NAMES if FACTS[name].get("PHASE", "") == phase]


def run(name: str, folder: Path) -> None:
    """Run a benchmark at toy size with a store of its own; it ends well and shows what it must."""
    facts = FACTS[name]
    if "playwright" in (ROOT / "benchmarks" / f"{name}.py").read_text(encoding="utf-8") and "--no-browser" not in facts["TOY"]:
        pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
        if not shutil.which(os.environ.get("CHROMIUM", "/usr/bin/chromium")):
            pytest.skip("there is no Chromium")
    env = os.environ | {"LAB_STORE": f"sqlite:///{folder / 'lab.db'}"}
    command = [sys.executable, "-m", f"benchmarks.{name}", *facts["TOY"]]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    assert done.stdout.strip()
    for text in facts.get("SHOWS", ()):
        assert text in done.stdout, f"{text} is not in:\n{done.stdout[-4000:]}"


@pytest.mark.parametrize("name", NAMES)
def test_it_declares_its_toy(name: str):
    facts = FACTS[name]
    assert "TOY" in facts, f"benchmarks/{name}.py declares no TOY: the arguments with which it takes seconds"
    assert facts.get("SHOWS"), f"benchmarks/{name}.py declares no SHOWS: what its output holds"
    assert facts.get("PHASE", "") in ("", "alone", "long")
    assert all(isinstance(text, str) for text in (*facts["TOY"], *facts["SHOWS"]))


@pytest.mark.parametrize(("page", "server"), PAGES.items())
def test_a_page_is_served_by_a_benchmark(page: str, server: str):
    assert f"{page}.py" in (ROOT / "benchmarks" / f"{server}.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", list_names(""))
def test_it_runs(name: str, tmp_path: Path):
    run(name, tmp_path)


@pytest.mark.parametrize("name", list_names("alone"))
def test_it_runs_alone(name: str, tmp_path: Path):
    run(name, tmp_path)


@pytest.mark.long
@pytest.mark.alone
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", list_names("long"))
def test_it_runs_long(name: str, tmp_path: Path):
    run(name, tmp_path)
