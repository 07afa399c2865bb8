"""Pictures of HTML whose marks can be pointed at, walked with the arrow keys and pressed: one components-v2 component.

The HTML is made by `app.charts` (`marks.py` says what it may hold), where every text from data is escaped. The component adds
the words of a mark on hover and focus, the arrow keys, and the press.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.components.v2.get_bidi_component_manager import get_bidi_component_manager
from streamlit.components.v2.manifest_scanner import ComponentConfig, ComponentManifest

ASSETS = Path(__file__).resolve().with_name("assets")


def draw_marks(html: str, *, key: str, pressed: Callable[[str], object] | None = None) -> None:
    """Draw a picture. html: as `app.charts.marks` makes it.

    pressed(name) is called before the script or fragment reruns, with what the pressed mark carries (`data-press`).
    """

    def take() -> None:
        name = st.session_state[key].get("pressed")
        if pressed is not None and isinstance(name, str):
            pressed(name)

    _mount()(key=key, data={"html": html}, height="content", on_pressed_change=take)


def _mount() -> Callable[..., Any]:
    """Return the component's mounting command, registered with the Streamlit runtime that runs this script (as `app.player`'s)."""
    name = f"marks-{_version()}"
    manager = get_bidi_component_manager()
    if manager.get_component_asset_root(f"labmarks.{name}") is None:
        manager.register_from_manifest(ComponentManifest("labmarks", "1", [ComponentConfig(name, ASSETS.name)]), ASSETS.parent)
    return st.components.v2.component(f"labmarks.{name}", js="marks.js", css="marks.css")


@cache
def _version() -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(ASSETS.iterdir()))).hexdigest()[:12]
