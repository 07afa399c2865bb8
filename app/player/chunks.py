"""Chunks: what a player is told, as raw bytes. Written here, read by assets/data.js. No streamlit.

`encode_chunk` writes one, `decode_chunk` is the reference reader. `join_chunks` puts several into one message, framed as
`POST /api/preview` streams them.
"""

from __future__ import annotations

import json
import math
import struct
import zlib
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.events import GRID, Frame, Scene

BADGES = {
    "waiting": "waiting",
    "queued": "waiting",
    "training": "training",
    "running": "training",
    "finished": "finished",
    "done": "finished",
    "cancelled": "cancelled",
    "failed": "failed",
    "interrupted": "interrupted",
}
"""A job's state, by the store's name or the player's -> the player's badge."""

MADE = {"seeds": 2, "walks": 2, "spheres": 4, "moves": 4}
"""Arrays of a scene that say how points were made -> numbers of each entry; of walks, of each step."""


def encode_chunk(
    run: str,
    *,
    scene: Scene | None,
    frames: Sequence[Frame],
    first: int,
    status: str,
    engine_alive: bool,
    replicate: int = 0,
    scenes: int | None = None,
    take: str = "",
    labels: Mapping[str, str] | None = None,
    majority: int | None = None,
    text: str = "",
    title: str = "",
    group: str = "",
    autoplay: bool = True,
    contributions: np.ndarray | None = None,
    downhill: np.ndarray | None = None,
    more: Mapping[str, Any] | None = None,
    remember: Callable[[Hashable, Callable[[], bytes]], bytes] | None = None,
) -> bytes:
    """One message to the player.

    frames: only what is new; `first` is the number of frames[0] in the run's list, from 0. scene: None where the player has
    it; scenes: how many there were so far, with this one, for a player that missed one (default: 1 with a scene, else 0).
    status: one of BADGES. engine_alive: False turns the badge of an unfinished run into "engine silent".
    The player forgets all it holds when run, replicate or take changes (take: the number of the attempt, where a run can be
    run again). labels: phase name -> what the timeline calls it. majority: the largest class's number (default: the class with
    most points in the scene). text: a sentence for the empty stage (default: made from the status). title: shown first in the
    caption. group: players with the same non-empty group share one scrubber. autoplay: a finished run begins to play by itself.
    contributions [n]: what each point of a frame does to the validation loss at the chosen epoch; downhill [n, 2]: where the
    meta-gradient would push it, in the plane (`engine.runner.contributions`). Both are of a finished run, and sent with every
    chunk of it. remember(part, pack): returns what pack() gives, or gave before for the same part of this run: players that show it
    are sent the same arrays (default: each packs its own). more: further keys of the head, plain JSON, such as those of a
    preview: `preview`, `seq` and, in its last part, `ap` and `pr`.

    Bytes: u32 length of the head | head, JSON padded with spaces to 4 | zlib of the arrays, see `_pack_arrays`.
    Raises ValueError for an unknown status, frames of another replicate, or directions of other points than the contributions'.
    """
    if status not in BADGES:
        raise ValueError(f"encode_chunk(status={status!r}): must be one of {', '.join(BADGES)}.")
    if any(frame.replicate != replicate for frame in frames) or (scene is not None and scene.replicate != replicate):
        raise ValueError(f"encode_chunk(replicate={replicate}): the scene and every frame must be of this replicate.")
    if downhill is not None and (contributions is None or downhill.shape != (len(contributions), 2)):
        raise ValueError("encode_chunk(downhill): there must be a direction for every contribution.")
    head: dict[str, Any] = {"run": run, "replicate": replicate, "take": take, "first": first}
    head["scenes"] = scenes if scenes is not None else int(scene is not None)
    head |= {"status": BADGES[status], "alive": engine_alive, **_describe_frames(frames, labels or {})}
    if any(len(frame.unsafe) for frame in frames):
        head["unsafe"] = [int(_has_marks(frame)) for frame in frames]
    if any(len(frame.seen) for frame in frames):
        head["seen"] = [len(frame.seen) for frame in frames]
    head |= {"text": text, "title": title, "group": group, "autoplay": autoplay}
    head |= more or {}
    if scene is not None:
        head["scene"] = _describe_scene(scene, majority)
    extra = b""
    if contributions is not None:
        head["contributions"] = {"n": len(contributions), "arrows": downhill is not None}
        extra = b"".join(np.asarray(a, "<f4").tobytes() for a in (contributions, downhill) if a is not None)

    def pack() -> bytes:
        body = _pack_arrays(scene, frames) + extra
        return zlib.compress(body, 6) if body else b""

    part = (first, len(frames), head["scenes"], scene is not None, len(extra))
    packed = remember(part, pack) if remember is not None else pack()
    return _write_head(head) + packed


def _has_marks(frame: Frame) -> bool:
    """Whether it is known which points of a frame are unsafe."""
    return 0 < len(frame.unsafe) == len(frame.points)


def _write_head(head: Mapping[str, Any]) -> bytes:
    """The head's length and the head, padded to a multiple of 4 bytes."""
    text = json.dumps(head, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    return struct.pack("<I", len(text)) + text


def add_to_head(chunk: bytes, more: Mapping[str, Any]) -> bytes:
    """The chunk with further keys in its head, plain JSON."""
    (length,) = struct.unpack_from("<I", chunk)
    return _write_head(json.loads(chunk[4 : 4 + length]) | dict(more)) + chunk[4 + length :]


def join_chunks(chunks: Sequence[bytes]) -> bytes:
    """Chunks as one message: each after its length, a u32."""
    return b"".join(struct.pack("<I", len(chunk)) + chunk for chunk in chunks)


def split_chunks(message: bytes) -> list[bytes]:
    """The chunks of `join_chunks`. Raises ValueError where the message ends too early."""
    chunks = []
    at = 0
    while at < len(message):
        if len(message) - at < 4 or len(message) - at - 4 < (length := struct.unpack_from("<I", message, at)[0]):
            raise ValueError("split_chunks: the message ends too early.")
        chunks.append(message[at + 4 : at + 4 + length])
        at += 4 + length
    return chunks


def _describe_frames(frames: Sequence[Frame], labels: Mapping[str, str]) -> dict[str, Any]:
    """The head's keys on the frames: lists with an entry for each, and the phases they name."""
    phases = list(dict.fromkeys(frame.phase for frame in frames))
    return {
        "phases": phases,
        "labels": {name: label for name, label in labels.items() if name in phases},
        "phase": [phases.index(frame.phase) for frame in frames],
        "epoch": [frame.epoch for frame in frames],
        "step": [frame.step for frame in frames],
        "score": [None if math.isnan(frame.score) else round(frame.score, 5) for frame in frames],
        "n": [len(frame.points) for frame in frames],
    }


def _describe_scene(scene: Scene, majority: int | None) -> dict[str, Any]:
    if majority is None:
        majority = int(np.bincount(scene.labels).argmax()) if len(scene.labels) else 0
    return {
        "centre": list(scene.centre),
        "half": list(scene.half),
        "data_centre": scene.data_centre,
        "data_half": scene.data_half,
        "share": scene.share,
        "exact": scene.exact,
        "axes": list(scene.axes),
        "classes": list(scene.classes),
        "majority": majority,
        "real": len(scene.points),
        "parents": len(scene.parents),
        "faint": len(scene.faint),
        **_describe_making(scene),
    }


def _describe_making(scene: Scene) -> dict[str, Any]:
    """The head's key on how points were made, where that is known."""
    if not scene.kind:
        return {}
    counts = {name: len(getattr(scene, name)) for name in MADE}
    shape = {"steps": scene.walks.shape[1]}
    if len(scene.sources):
        shape |= {"sources": len(scene.sources), "each": scene.sources.shape[1]}
    return {"made": {"kind": scene.kind, "norm": scene.norm, **counts, **shape}}


def _pack_arrays(scene: Scene | None, frames: Sequence[Frame]) -> bytes:
    """The arrays of scene and frames, made small for zlib; contributions and directions follow them as float32.

    Scene: points, labels, parents, parent_labels, faint, seeds, walks, spheres, moves, sources, weights (a byte each). Frames: all
    surfaces, then all points, then all moved, then a byte a point of the frames that say which points are unsafe (`unsafe` of the head),
    then a byte a row of those that say which rows a member saw (`seen` of the head: how many). 16-bit values as all low bytes, then all
    high bytes. A frame holds differences (modulo 2^8 or 2^16) to the frame before it in the chunk;
    the first one, and points whose number has changed, stand as they are, the first surface as differences along its rows.
    """
    parts: list[bytes] = []
    if scene is not None:
        for points, labels in ((scene.points, scene.labels), (scene.parents, scene.parent_labels)):
            parts += [_split_bytes(points), np.asarray(labels, np.uint8).tobytes()]
        parts.append(_split_bytes(scene.faint))
        parts += [_split_bytes(getattr(scene, name)) for name in MADE]
        parts += [_split_bytes(scene.sources), np.asarray(scene.weights, np.uint8).tobytes()]
    before: np.ndarray | None = None
    for frame in frames:
        surface = np.asarray(frame.surface, np.uint8).ravel()
        parts.append((np.diff(surface, prepend=np.uint8(0)) if before is None else surface - before).tobytes())
        before = surface
    for name in ("points", "moved"):
        before = None
        for frame in frames:
            values = np.ascontiguousarray(getattr(frame, name)).view(np.uint16).ravel()
            is_difference = before is not None and len(before) == len(values)
            parts.append(_split_bytes(values - before if is_difference else values))
            before = values
    parts += [np.asarray(frame.unsafe, np.uint8).tobytes() for frame in frames if _has_marks(frame)]
    parts += [np.asarray(frame.seen, np.uint8).tobytes() for frame in frames]
    return b"".join(parts)


def _split_bytes(values: np.ndarray) -> bytes:
    """16-bit integers as all low bytes, then all high bytes."""
    little = np.ascontiguousarray(values).astype("<i2" if values.dtype == np.int16 else "<u2")
    return little.view(np.uint8).reshape(-1, 2).T.tobytes()


@dataclass(frozen=True)
class Chunk:
    """What `decode_chunk` reads: the head as it was written, the scene's arrays, the frames, contributions [n] and downhill [n, 2]."""

    head: dict[str, Any]
    scene: dict[str, np.ndarray] | None
    frames: list[Frame]
    contributions: np.ndarray | None = None
    downhill: np.ndarray | None = None


def decode_chunk(payload: bytes) -> Chunk:
    """The reference reader of `encode_chunk`: what assets/data.js does, for tests of what a page sends."""
    (length,) = struct.unpack_from("<I", payload)
    head = json.loads(payload[4 : 4 + length])
    reader = _Reader(zlib.decompress(payload[4 + length :]) if len(payload) > 4 + length else b"")
    scene = None
    if "scene" in head:
        m, n = head["scene"]["real"], head["scene"]["parents"]
        scene = {"points": reader.take16(2 * m, np.int16).reshape(m, 2), "labels": reader.take(m)}
        scene |= {"parents": reader.take16(2 * n, np.int16).reshape(n, 2), "parent_labels": reader.take(n)}
        scene["faint"] = reader.take16(2 * head["scene"].get("faint", 0), np.int16).reshape(-1, 2)
        made = head["scene"].get("made", {})
        for name, width in MADE.items():
            shape = (made.get(name, 0), *([made.get("steps", 0)] if name == "walks" else []), width)
            scene[name] = reader.take16(math.prod(shape), np.int16).reshape(shape)
        means = (made.get("sources", 0), made.get("each", 0))
        scene["sources"] = reader.take16(2 * math.prod(means), np.int16).reshape(*means, 2)
        scene["weights"] = reader.take(math.prod(means)).reshape(means)
    frames = _read_frames(head, reader)
    known = head.get("contributions")
    if known is None:
        return Chunk(head, scene, frames)
    contributions = reader.take_floats(known["n"])
    downhill = reader.take_floats(2 * known["n"]).reshape(-1, 2) if known["arrows"] else None
    return Chunk(head, scene, frames, contributions, downhill)


def _read_frames(head: Mapping[str, Any], reader: _Reader) -> list[Frame]:
    counts = head["n"]
    surfaces: list[np.ndarray] = []
    for _ in counts:
        values = reader.take(GRID * GRID)
        surfaces.append(surfaces[-1] + values if surfaces else np.cumsum(values, dtype=np.uint8))
    points: list[np.ndarray] = []
    moved: list[np.ndarray] = []
    for arrays, width, dtype in ((points, 2, np.int16), (moved, 1, np.uint16)):
        for number, n in enumerate(counts):
            values = reader.take16(width * n, np.uint16)
            if number and counts[number - 1] == n:
                values = values + arrays[-1].view(np.uint16).ravel()
            arrays.append(values.view(dtype).reshape((n, 2) if width == 2 else n))
    marked = head.get("unsafe", [0] * len(counts))
    unsafe = [reader.take(n if there else 0).astype(bool) for n, there in zip(counts, marked, strict=True)]
    seen = [reader.take(m) for m in head.get("seen", [0] * len(counts))]
    return [
        Frame(
            head["replicate"],
            head["phases"][head["phase"][i]],
            head["epoch"][i],
            head["step"][i],
            math.nan if head["score"][i] is None else head["score"][i],
            points[i],
            moved[i],
            surfaces[i].reshape(GRID, GRID),
            unsafe[i],
            seen[i],
        )
        for i in range(len(counts))
    ]


class _Reader:
    """Takes arrays off a chunk's body, one after the other."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.offset = 0

    def take(self, count: int) -> np.ndarray:
        self.offset += count
        return np.frombuffer(self.body, np.uint8, count, self.offset - count)

    def take16(self, count: int, dtype: type) -> np.ndarray:
        """The reverse of `_split_bytes`."""
        low, high = self.take(count).astype(np.uint16), self.take(count).astype(np.uint16)
        return (low | high << 8).view(dtype)

    def take_floats(self, count: int) -> np.ndarray:
        return self.take(4 * count).copy().view("<f4")
