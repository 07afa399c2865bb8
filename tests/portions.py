"""Environments that hold a list of requirements and nothing else, made of links to what is installed here."""

from __future__ import annotations

import importlib.metadata
import os
from pathlib import Path

from packaging.requirements import Requirement

from tests.test_imports import ROOT


def read_requirements(name: str) -> list[Requirement]:
    """The pins of one list at the top of the project."""
    lines = [line.partition("#")[0].strip() for line in (ROOT / name).read_text(encoding="utf-8").splitlines()]
    return [Requirement(line) for line in lines if line and not line.startswith("-")]


def link_packages(folder: Path, *lists: str) -> Path:
    """A folder that Python can search, with the packages that these lists pin as they are installed here.

    It should be called site-packages: Streamlit takes itself for one under development elsewhere.
    """
    folder.mkdir(parents=True)
    for required in (one for name in lists for one in read_requirements(name)):
        found = importlib.metadata.distribution(required.name)
        for top in {path.parts[0] for path in found.files or ()} - {"..", "__pycache__"}:
            if not (link := folder / top).exists():
                link.symlink_to(Path(str(found.locate_file(top))))
    return folder


def make_environment(packages: Path, **more: str) -> dict[str, str]:
    """Variables of a process started by `python -S` in a clean environment that has these packages alone."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    return kept | {"PYTHONPATH": str(packages), "PYTHONDONTWRITEBYTECODE": "1"} | more
