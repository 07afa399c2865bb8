"""Components of the page whose JavaScript and CSS are files of the app, served as such."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import streamlit as st
from streamlit.components.v2.get_bidi_component_manager import get_bidi_component_manager
from streamlit.components.v2.manifest_scanner import ComponentConfig, ComponentManifest

Mount = Callable[..., Any]
_registered: WeakKeyDictionary[object, dict[str, Mount]] = WeakKeyDictionary()
"""The mounting commands by the manager of the runtime that they were registered with."""


def register_component(name: str, assets: Path, css: str = "") -> Mount:
    """Return the mounting command of the component in a folder, registered with the Streamlit runtime that runs this script.

    assets: holds NAME.js, NAME.css (or `css`) and the modules that they need. The component's name carries a hash of the files, and with
    it the address they are served at: no browser keeps an old version.
    """
    manager = get_bidi_component_manager()
    known = _registered.setdefault(manager, {})
    if name not in known:
        full = f"{name}-{_hash_files(assets)}"
        if manager.get_component_asset_root(f"lab{name}.{full}") is None:
            # What Streamlit does for a component of an installed package; this one lives in the app.
            manager.register_from_manifest(
                ComponentManifest(f"lab{name}", "1", [ComponentConfig(full, assets.name)]), assets.parent
            )
        known[name] = st.components.v2.component(f"lab{name}.{full}", js=f"{name}.js", css=css or f"{name}.css")
    return known[name]


@cache
def _hash_files(assets: Path) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(assets.iterdir()))).hexdigest()[:12]
