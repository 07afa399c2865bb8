"""The recorded examples that came with the product: taken into the store when an address names them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from app.session.store import get_store, open_once
from app.session.visitor import is_demo
from engine.errors import UnknownName
from engine.store import default_url

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
SHOWN_FIRST = "hidden"
"""The example that a first visit shows: in it a method beats plain training and its other controls, tested together."""


def load_first_example() -> str | None:
    """Return the id of the run that a first visit shows, loaded on the first call; None where its bundle is missing."""
    ids = _load_first(default_url(), str(EXAMPLES / f"{SHOWN_FIRST}.zip"), get_store().generation)
    return ids[0] if ids else None


def first_replicate() -> int:
    """Return the replicate of that run whose film is shown."""
    card = next((each for each in read_cards() if each["name"] == SHOWN_FIRST), None)
    return int(card["words"].get("replicate", 0)) if card else 0


@st.cache_resource(show_spinner=False)
def _load_first(url: str, path: str, generation: int) -> list[str]:
    return open_once(url, is_demo()).load(path) if Path(path).is_file() else []


def read_cards() -> list[dict[str, Any]]:
    """Return the cards of the gallery, as `engine.examples.index.build_card` makes them; [] where there are none."""
    path = EXAMPLES / "index.json"
    return _read_cards(str(path), path.stat().st_mtime_ns if path.is_file() else 0)


@st.cache_resource(show_spinner=False, max_entries=2)
def _read_cards(path: str, changed: int) -> list[dict[str, Any]]:
    return list(json.loads(Path(path).read_text(encoding="utf-8"))) if changed else []


def find_sentence(run: str) -> str:
    """Return what is seen in the run that a card opens; '' for any other run."""
    return next((str(card["said"]) for card in read_cards() if card["jobs"][0] == run), "")


def load_examples(page: str, query: Mapping[str, str]) -> None:
    """Load the example that an address names, where the store lacks it, so that links of the gallery work from anywhere.

    page: the page's name; query: its words. Raises StoreError and BadData.
    """
    for card in read_cards():
        named = [id for id in card["jobs"] if id in query.values()]
        if card["page"] == page and not named and "datasets" in query:
            named = card["jobs"] if all(query.get(word) == value for word, value in card["words"].items()) else []
        if any(not _is_there(id) for id in named):
            get_store().load(EXAMPLES / f"{card['name']}.zip")


def _is_there(id: str) -> bool:
    try:
        return get_store().job(id).state == "done"
    except UnknownName:
        return False


def list_bundled() -> set[str]:
    """Return the ids of all jobs that came with the product."""
    first = _load_first(default_url(), str(EXAMPLES / f"{SHOWN_FIRST}.zip"), get_store().generation)
    return {*first, *(id for card in read_cards() for id in card["jobs"])}
