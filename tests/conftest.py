"""What all tests share: a store of their own, and which tests need something that this machine may not have."""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

# Before anything imports torch: threads that wait for each other on a busy machine make single tests a hundred times slower.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from engine.store import Store
    from tests.postgres import Server

# A busy machine is slow now and then, which is no error; CI draws the same examples every time.
settings.register_profile("lab", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("lab")


@pytest.fixture(scope="session", autouse=True)
def own_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """LAB_STORE for the whole session, also for the processes that tests start: nobody's own runs are touched."""
    url = f"sqlite:///{tmp_path_factory.mktemp('store') / 'lab.db'}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAB_STORE", url)
        yield url


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A server of PostgreSQL for this process, started once."""
    from tests.postgres import lacking, serving

    if reason := lacking():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    with serving() as server:
        yield server


@pytest.fixture
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a store that nobody made yet: a file, or in the half of both_databases on PostgreSQL a schema."""
    if getattr(request, "param", "sqlite") == "sqlite":
        yield f"sqlite:///{tmp_path / 'lab.db'}"
        return
    from engine.store.postgres import PostgresDatabase

    server: Server = request.getfixturevalue("postgres")
    schema = f"test_{uuid.uuid4().hex[:12]}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PostgresDatabase, "refuse_private", lambda self: None)  # all but its promise is there
        yield server.make_schema(schema)
    server.run_sql(f"DROP SCHEMA {schema} CASCADE", "lab")


@pytest.fixture
def store(empty_url: str) -> Iterator[Store]:
    """An empty store of the test's own."""
    from engine.store import Store

    store = Store(empty_url)
    yield store
    store.close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests marked both_databases run on SQLite, and among the long ones on PostgreSQL, but those marked sqlite."""
    marks = {mark.name for mark in metafunc.definition.iter_markers()}
    if "both_databases" in marks and "sqlite" not in marks and "empty_url" in metafunc.fixturenames:
        theirs = pytest.param("postgres", marks=(pytest.mark.long, pytest.mark.timeout(180)))
        metafunc.parametrize("empty_url", ["sqlite", theirs], indirect=True)


@pytest.fixture(autouse=True)
def own_main() -> Iterator[None]:
    """Streamlit leaves the script it ran as `__main__`; a process that a later test spawns would run it again."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


ALONE = (
    "tests/browser/",
    "tests/engine/test_service.py",
    "tests/engine/test_forgetting.py",
    "tests/app/test_server.py",
    "tests/app/test_origin.py",
    "tests/test_benchmarks.py::test_it_runs_alone",
    "tests/test_portable.py",
    "tests/test_wheel.py",
)
"""Tests whose ids begin so start browsers, servers and engines, and wait for them: they run one after the other, beside nothing else."""

FIRST = ("tests/test_pretend.py", "tests/engine/test_one_file_method.py", "tests/test_one_file_kinds.py")
"""The longest tests run first: at the end, one of two workers would wait for the other."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what cannot run here, with one line why; `long` needs a timeout of its own; mark those of ALONE, begin with FIRST.

    Tests marked `browser` skip themselves (tests/browser/conftest.py).
    """
    items.sort(key=lambda item: not item.nodeid.startswith(FIRST))
    for item in items:
        if item.nodeid.startswith(ALONE):
            item.add_marker("alone")
        if item.get_closest_marker("long") and not item.get_closest_marker("timeout"):
            raise pytest.UsageError(f"{item.nodeid} is marked long and has no timeout of its own")
        for mark, absent in (("network", no_data), ("gpu", no_gpu)):
            if item.get_closest_marker(mark) and (reason := absent()):
                item.add_marker(pytest.mark.skip(reason=reason))


@cache
def no_data() -> str:
    """Why a test of fetched data cannot run, or ''."""
    from engine.data.sources import keel

    return "" if keel.available("glass2") else f"the KEEL data are not on this machine: {keel.HOW}"


@cache
def no_gpu() -> str:
    """Why a test of a CUDA device cannot run, or ''."""
    import torch

    return "" if torch.cuda.is_available() else "there is no CUDA device"
