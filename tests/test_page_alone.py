"""The page where nothing but `requirements-page.txt` is installed: without torch, scikit-learn, numba."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.portions import link_packages, make_environment
from tests.test_imports import HEAVY, ROOT

DRAW = """
import importlib.util, json, sys
from pathlib import Path
import app.server
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash
errors = {}
for name in ("lab", "compare", "deep", "data", "papers", "gallery", "runs"):
    page = AppTest.from_file(str(Path(app.server.__file__).with_name("main.py")), default_timeout=120)
    page._page_hash = "" if name == "lab" else calc_hash(name)
    page.run()
    errors[name] = [one.message for one in page.exception] + ([] if len(page.main) else ["nothing is drawn"])
there = [name for name in sys.argv[1:] if importlib.util.find_spec(name) is not None]
print(json.dumps({"errors": errors, "there": there}))
"""
"""Imports the server and draws every page; prints what went wrong, and which of the packages named as arguments can be found."""


def draw(command: list[str], folder: Path, env: dict[str, str]) -> None:
    """Draws the pages in that Python, from an empty folder."""
    folder.mkdir(exist_ok=True)
    env |= {"LAB_STORE": f"sqlite:///{folder / 'lab.db'}", "LAB_ENGINE": "off", "HOME": str(folder)}
    done = subprocess.run([*command, "-c", DRAW, *HEAVY], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["there"] == []
    assert len(said["errors"]) == 7 and not any(said["errors"].values()), said["errors"]


@pytest.mark.long
@pytest.mark.timeout(300)
def test_every_page_is_drawn_with_the_pages_packages_alone(tmp_path):
    packages = link_packages(tmp_path / "site-packages", "requirements-page.txt")
    env = make_environment(packages)
    draw([sys.executable, "-S"], tmp_path / "work", env)
    env |= {"LAB_STORE": f"sqlite:///{tmp_path / 'work' / 'lab.db'}"}
    doctor = [sys.executable, "-S", "-m", "engine", "doctor"]
    done = subprocess.run(doctor, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout.count("only the page is installed here") == 2, done.stdout + done.stderr
