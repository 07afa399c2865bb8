"""The two components of this room: the player (a film alone) and the stage (the first screen of the Lab)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from app.component import register_component
from app.player.chunks import add_to_head, join_chunks

HEIGHT = 520
"""Pixels of a player, with the controls."""
ASSETS = Path(__file__).parent / "assets"


def mount_player(payload: bytes, *, key: str, height: int = HEIGHT, on_need: Callable[[int], object] | None = None) -> Any:
    """Mounts the player, or hands the mounted one its next chunk. One `key` is one player: it keeps what it was sent.

    on_need(n) is called before the script or fragment reruns when the browser lacks frames from number n on. The result's
    `need` holds the same number in that one rerun, else None. height: pixels, controls included.
    """

    def request_frames() -> None:
        first = st.session_state[key].get("need")
        if on_need is not None and first is not None:
            on_need(int(first))

    return register_component("player", ASSETS)(key=key, data=payload, height=height, on_need_change=request_frames)


def mount_stage(
    films: Sequence[bytes],
    side: Mapping[str, Any],
    *,
    key: str,
    height: int | None = None,
    on_need: Callable[[int, int], object] | None = None,
    on_take: Callable[[dict[str, Any]], object] | None = None,
    on_edit: Callable[[str], object] | None = None,
    on_view: Callable[[str], object] | None = None,
    on_width: Callable[[int], object] | None = None,
) -> Any:
    """Mounts the stage, or hands the mounted one what is new. One `key` is one stage: it keeps what it was sent.

    films: one chunk, or two of runs that are compared (left, right), each of its own `Feed`. They are shown by the views that
    are films, in order; a view named "both" or "difference" shows the two together. side: plain JSON, all keys optional:
      views  [{"name", "label", "note"}], note: a few words beside the label where two films stand side by side
      view   the view to open with; the stage takes it up again whenever it changes
      pr     {"curves": [{"key", "label", "colour": [light, dark], "dash", "recall", "precision", "low", "high", "bold"}],
             "chance", "title"}; dash in plotly's words, low and high lists or None
      whatif {"controls": [{"name", "label", "unit", "format", "value", "stops" or "min", "max", "step"}], "spec", "button",
             "off"}; format: "{}" takes the value, with "," or ".2f" after a colon; off: why it cannot be used, "" where it can
      differences [{"label", "mean", "low", "high", "better", "n"}], drawn where whatif is None
      companions  [{"label", "state", "share"}], drawn while the run trains
      edit, save  of the tools "Edit points" and "Save"; None: no such button
      chip   a few words over the film, such as "stopped at 58%"
      shut   why the form in the sidebar is closed; a new reason closes it, "" lets a form that the stage closed be open again
    height: pixels; None: by the window, and equal in every state: 620, 572 where the window is lower than 800, 732 with two
    films side by side, one column below 700 of width. The callbacks run before the script or fragment reruns:
      on_need(film, n)  the browser lacks frames of films[film] from number n on (call `feed.rewind(n)`)
      on_take(values)   "Run this": {name of a control: value}
      on_edit(points)   released edits, base64url of (op u8, x i16, y i16)
      on_view(name)     another view was chosen; the stage shows it already if it has the films
      on_width(px)      the window's width, at first where it is below 768, then each time it passes 768
    """
    names = {"need": on_need, "take": on_take, "edit": on_edit, "view": on_view, "width": on_width}

    def answer(name: str, callback: Callable[..., object] | None) -> Callable[[], None]:
        def call() -> None:
            value = st.session_state[key].get(name)
            if callback is None or value is None:
                return
            if name == "need":
                callback(int(value["film"]), int(value["first"]))
            else:
                callback(int(value) if name == "width" else value)

        return call

    first, *others = films
    message = join_chunks([add_to_head(first, {"side": dict(side)}), *others])
    return register_component("stage", ASSETS, css="player.css")(
        key=key,
        data=message,
        height=height if height is not None else "content",
        **{f"on_{name}_change": answer(name, callback) for name, callback in names.items()},
    )
