"""The map: points of feature space on a canvas, and what lies under the pointer or in a lasso beside it.

The page sends messages: the scene (classes, kinds, images, rows), once for a run, and the places of every way to lay it out that is
there. The browser keeps what it has. Where it lacks the scene it asks for it by a trigger, once.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from app.component import register_component

ASSETS = Path(__file__).parent / "assets"
UNIT = 32767
"""Places are integers: a map reaches from -UNIT to UNIT on its longer side."""
TRAIN, TEST, SYNTHETIC = range(3)
"""Kinds of points, as in the artifact `features/<replicate>`."""
_TYPES = {"u1": np.uint8, "u2": np.uint16, "i2": np.int16, "i4": np.int32, "f4": np.float32}
_SCENE = {
    "y": "u2", "part": "u1", "predicted": "u2", "row": "i4", "base": "i4", "partner": "i4", "enemy": "i4", "step": "f4", "near": "i4",
    "thumbs": "u1", "made": "u1", "cells": "f4", "attention": "f4",
}  # fmt: skip
"""Arrays of a scene and their types in a message."""


@dataclass(frozen=True)
class Layout:
    """One way to lay the points out. xy [n, 2]: their places, None while they are not there.

    name, title: of the way. said: below the map. alt: the picture in words. state: ready, waiting (it comes by itself), none (it can
    be asked for) or off; note: beside the title until it is there, and why: what its button says then.
    """

    name: str
    title: str
    xy: np.ndarray | None = None
    said: str = ""
    alt: str = ""
    state: str = "ready"
    note: str = ""
    why: str = ""


def encode_map(
    run: str,
    layouts: Sequence[Layout],
    *,
    classes: Sequence[str],
    colours: Sequence[tuple[str, str]],
    words: Mapping[str, str],
    scene: Mapping[str, np.ndarray] | None = None,
    first: str = "",
    empty: str = "",
) -> bytes:
    """One message to the map.

    run: names what is drawn; the map forgets all it holds when it changes. scene: the arrays of `engine.analysis.sample`, with near
    [n, k], the nearest real rows of each point, -1 for none; None where the map has it. first: the way to begin with, and to go to
    where it changes. empty: what the map says while there is no way. colours: a light and a dark one a class. words: `app.words`, the
    map's texts by name.

    Bytes: u32 length of the head | head, JSON filled up with spaces to 4 | zlib of the arrays, each filled up to 4 bytes.
    """
    arrays: list[tuple[str, str, np.ndarray]] = []
    head: dict[str, Any] = {"run": run, "first": first, "empty": empty, "classes": list(classes), "colours": list(colours)}
    head |= {"words": dict(words), "columns": [], "levels": [], "image": None, "near": 0, "real": 0}
    if scene is not None:
        head |= _describe_scene(scene)
        arrays += [(name, kind, scene[name]) for name, kind in _SCENE.items() if name in scene]
        if "step" not in scene:  # of an earlier version, which kept no lines
            lost = np.full(len(scene["y"]), -1)
            arrays += [("base", "i4", lost), ("partner", "i4", lost), ("step", "f4", np.full(len(lost), np.nan))]
    head["maps"] = [
        {
            "name": one.name,
            "title": one.title,
            "said": one.said,
            "alt": one.alt,
            "state": one.state,
            "note": one.note,
            "why": one.why,
        }
        for one in layouts
    ]
    arrays += [(f"xy.{one.name}", "i2", _to_units(one.xy)) for one in layouts if one.xy is not None]
    head["arrays"] = [[name, kind, int(array.size)] for name, kind, array in arrays]
    body = b"".join(_fill(np.ascontiguousarray(array, _TYPES[kind]).tobytes()) for _, kind, array in arrays)
    text = json.dumps(head, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    return struct.pack("<I", len(text)) + text + zlib.compress(body, 4)


def _describe_scene(scene: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The head's keys on a scene."""
    out: dict[str, Any] = {"real": int((scene["part"] != SYNTHETIC).sum())}
    if "near" in scene:
        out["near"] = scene["near"].shape[1]
    if "thumbs" in scene:
        out["image"] = list(scene["thumbs"].shape[1:])
    if "cells" in scene:
        out |= {"columns": scene["columns"].tolist(), "levels": json.loads(str(scene["levels"]))}
    return out


def _to_units(xy: np.ndarray) -> np.ndarray:
    """Places as integers, both axes on one scale."""
    low, high = xy.min(0), xy.max(0)
    half = max(float((high - low).max()) / 2, 1e-12)
    return np.rint((xy - (low + high) / 2) / half * UNIT).astype(np.int16)


def _fill(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def decode_map(payload: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The reference reader of `encode_map`: (head, flat arrays by name). It does what assets/data.js does, for tests of a page."""
    (length,) = struct.unpack_from("<I", payload)
    head = json.loads(payload[4 : 4 + length])
    body, at, arrays = zlib.decompress(payload[4 + length :]), 0, {}
    for name, kind, count in head["arrays"]:
        arrays[name] = np.frombuffer(body, np.dtype(_TYPES[kind]), count, at)
        at += arrays[name].nbytes + -arrays[name].nbytes % 4
    return head, arrays


def mount_map(
    payload: bytes,
    *,
    key: str,
    on_need: Callable[[], object] | None = None,
    on_ask: Callable[[str], object] | None = None,
    on_show: Callable[[str], object] | None = None,
) -> None:
    """Mount the map, or hand the mounted one its next message. One `key` is one map: it keeps what it was sent.

    on_need() is called before the script or fragment reruns where the browser lacks the scene; on_ask(name) where a person asks for a
    way that nobody has asked for; on_show(name) where a person has changed the way.
    """

    def send_scene() -> None:
        if on_need is not None and st.session_state[key].get("need") is not None:
            on_need()

    def tell(word: str, answer: Callable[[str], object] | None) -> None:
        name = st.session_state[key].get(word)
        if answer is not None and isinstance(name, str):
            answer(name)

    mount = register_component("map", ASSETS)
    mount(
        key=key,
        data=payload,
        height="content",
        on_need_change=send_scene,
        on_ask_change=lambda: tell("ask", on_ask),
        on_show_change=lambda: tell("show", on_show),
    )
