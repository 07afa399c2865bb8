"""A hand-filled store under LAB_STORE, and the page over it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from app.session import recorded
from engine.store import Store
from tests.app import fabricate

MAIN = Path(__file__).resolve().parents[2] / "app" / "main.py"


def opened(name: str, state: Mapping[str, Any] | None = None, /, **query: str) -> AppTest:
    """The page of that name, run once; no exception may be on it. state: what its session holds before; query: its address."""
    page = AppTest.from_file(str(MAIN), default_timeout=60)
    page._page_hash = (
        "" if name == "lab" else calc_hash(name)
    )  # a page that is a function has no path that switch_page could take
    page.query_params.update(query)
    for key, value in (state or {}).items():
        page.session_state[key] = value
    page.run()
    assert not page.exception, page.exception
    return page


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """An empty store with the small catalog; no bundled example is in it."""
    store = fabricate.fresh(tmp_path)
    monkeypatch.setenv("LAB_STORE", store.url)
    monkeypatch.setattr(recorded, "EXAMPLES", tmp_path / "no examples")
    yield store
    st.cache_resource.clear()
    store.close()


@pytest.fixture
def look(store: Store) -> Callable[..., AppTest]:
    """look(query...) -> the page, run once; no exception may be on it."""

    def run(**query: str) -> AppTest:
        return opened("lab", **query)

    return run
