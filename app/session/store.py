"""The store that this server shows, opened once, and the engine's catalog."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

import streamlit as st

from app.charts.palette import use_catalog
from app.session.visitor import explain_demo, is_demo
from engine.errors import BadInput, LabError
from engine.store import Store, default_url

CATALOG = Path(__file__).resolve().parents[2] / "engine" / "catalog.json"


def get_store() -> Store:
    """Return the store that LAB_STORE names, opened once in this process. Raises StoreError."""
    return open_once(default_url(), is_demo())


def open_store(url: str) -> Store:
    """Open a store as this server uses it: in a demonstration one that refuses changes. Raises StoreError."""
    return ReadOnlyStore(url) if is_demo() else Store(url)


class ReadOnlyStore(Store):
    """The store of a demonstration: asking it to queue, stop, take in, name or delete raises BadInput with one sentence.

    The pages draw no control that would ask; this is for what they overlook.
    """

    CLOSED = (
        *("submit", "submit_profile", "submit_compare", "submit_score", "submit_refit", "submit_embed", "submit_preview"),
        *("leave_preview", "cancel", "delete", "add_upload", "begin_upload", "forget", "bookmark", "delete_many", "keep_sweep"),
        *("submit_missing", "cancel_all", "sign_out", "sign_out_everywhere", "cancel_for", "forget_for", "drain", "drain_for"),
        "hand_over",
    )

    def __getattribute__(self, name: str) -> Any:
        if name in ReadOnlyStore.CLOSED:
            return _refuse
        return super().__getattribute__(name)


def _refuse(*_: Any, **__: Any) -> NoReturn:
    raise BadInput(explain_demo())


@st.cache_resource(show_spinner=False)
def open_once(url: str, closed: bool) -> Store:
    """Return the store at that URL, opened once. closed: for a demonstration."""
    return open_store(url)


def read_catalog() -> dict[str, Any]:
    """Return what the engine can do, as a live one last published it, else the committed file.
    Raises LabError where neither exists."""
    live = get_store().catalog()
    catalog = live if live is not None else _read_committed(CATALOG.stat().st_mtime_ns if CATALOG.is_file() else 0)
    use_catalog(catalog)
    return catalog


@st.cache_resource(show_spinner=False, max_entries=2)
def _read_committed(changed: int) -> dict[str, Any]:
    if not changed:
        raise LabError("there is no catalog: no engine has run here yet, and engine/catalog.json is missing. Start the engine.")
    committed: dict[str, Any] = json.loads(CATALOG.read_text(encoding="utf-8"))
    return committed
