"""Pictures of HTML whose marks can be pointed at, walked with the arrow keys and pressed: one components-v2 component.

The HTML is made by `app.charts` (`marks.py` says what it may hold), where every text from data is escaped. The component adds
the words of a mark on hover and focus, the arrow keys, and the press.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from app.component import register_component

ASSETS = Path(__file__).resolve().with_name("assets")


def draw_marks(html: str, *, key: str, pressed: Callable[[str], object] | None = None) -> None:
    """Draw a picture. html: as `app.charts.marks` makes it.

    pressed(name) is called before the script or fragment reruns, with what the pressed mark carries (`data-press`).
    """

    def take() -> None:
        name = st.session_state[key].get("pressed")
        if pressed is not None and isinstance(name, str):
            pressed(name)

    register_component("marks", ASSETS)(key=key, data={"html": html}, height="content", on_pressed_change=take)
