from __future__ import annotations

import pytest

from engine.data import sources


@pytest.fixture
def adult_here() -> None:
    if not sources.available("adult"):
        pytest.skip("adult.csv.gz is not on this machine (python -m engine fetch adult)")


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A machine without data: LAB_DATA is an empty folder, and so is the cache. Returns the first."""
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("LAB_DATA", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder
