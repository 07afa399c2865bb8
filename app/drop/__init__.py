"""The drop zone: one components-v2 component that sends a file to this server's `/api/uploads`.

Streamlit's uploader keeps the bytes in the page's process, and in a temporary file while they arrive. A private table may be in
neither: the browser sends the file with the owner's cookie, and the page learns the table's id alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

import streamlit as st
from streamlit.components.v2.get_bidi_component_manager import get_bidi_component_manager
from streamlit.components.v2.manifest_scanner import ComponentConfig, ComponentManifest

from engine.spec.table_limits import MAX_BYTES

ASSETS = Path(__file__).resolve().with_name("assets")


def draw_drop_zone(
    what: str,
    taken: str,
    *,
    endings: Sequence[str],
    key: str,
    sent: Callable[[str], object],
    texts: Mapping[str, str],
    small: bool = False,
    height: int = 0,
) -> None:
    """Draw a place to drop a file on, with a button that does the same.

    what, taken: what it is for, and what it takes, as plain text; endings: of names in the file dialog.
    sent(id) is called before the script reruns, once a file is whole in the store.
    texts: what it says while a file is sent (`app.words.data.DROP_WORDS`). height: pixels at least.
    """

    def take() -> None:
        id = st.session_state[key].get("sent")
        if isinstance(id, str):
            sent(id)

    data = {"url": "/api/uploads", "most": MAX_BYTES, "endings": list(endings), "what": what, "taken": taken, "small": small}
    data |= {"texts": dict(texts), "height": height}
    _mount()(key=key, data=data, height="content", on_sent_change=take)


def _mount() -> Callable[..., object]:
    """Return the component's mounting command, registered with the Streamlit runtime that runs this script (as
    `app.player`'s)."""
    name = f"drop-{_version()}"
    manager = get_bidi_component_manager()
    if manager.get_component_asset_root(f"labdrop.{name}") is None:
        manager.register_from_manifest(ComponentManifest("labdrop", "1", [ComponentConfig(name, ASSETS.name)]), ASSETS.parent)
    return st.components.v2.component(f"labdrop.{name}", js="drop.js", css="drop.css")


@cache
def _version() -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(ASSETS.iterdir()))).hexdigest()[:12]
