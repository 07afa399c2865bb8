"""The drop zone: one components-v2 component that sends a file to this server's `/api/uploads`.

Streamlit's uploader keeps the bytes in the page's process, and in a temporary file while they arrive. A private table may be in
neither: the browser sends the file with the owner's cookie, and the page learns the table's id alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import streamlit as st

from app.component import register_component
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
    register_component("drop", ASSETS)(key=key, data=data, height="content", on_sent_change=take)
