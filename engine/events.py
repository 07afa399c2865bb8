"""Events of a run. Frozen values with plain fields: text as JSON, arrays as npz, no pickle.

Order in a run: Phase and Note anywhere; one Scene per replicate before its first Frame; Epoch once an epoch; Frame about 100
times; Progress at least every half second. Replicates are counted from 0. Only replicate 0's scene and frames are sent live;
the others are kept with the result.
"""

from __future__ import annotations

import dataclasses
import io
import json
import zipfile
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np

from engine.errors import BadData
from engine.text import one_line, quote

E = TypeVar("E")
T = TypeVar("T")

GRID = 48
"""The decision surface is GRID x GRID values; row 0 is the lowest y."""
UNPACKED = 1 << 30
"""Bytes of the arrays of one npz, at most."""
SEEN = 128
"""In `Frame.seen`: the bit of a row that the member was fitted on; the others are its hardness."""
UNIT = 8191
"""int16 coordinates: the view box reaches from -UNIT to UNIT, positions are kept up to 4 boxes away."""


@dataclass(frozen=True)
class Phase:
    """A part of the run begins. `name` is short and stable, `text` is for a person."""

    name: str
    text: str


@dataclass(frozen=True)
class Progress:
    """`done` of `total` steps of this run's work, over all its phases (an upper bound where a phase may stop early)."""

    done: int
    total: int


@dataclass(frozen=True)
class Note:
    """Something a person should know. `level`: info or warning."""

    text: str
    level: str = "info"


@dataclass(frozen=True)
class Epoch:
    """One epoch of `phase` has ended. `values`: name -> one value per replicate (NaN if that replicate has stopped).

    Names: train_loss, valid_loss, valid_ap. Explicit gradient adds adapted_loss (the stepped classifier on validation rows) and
    synthetic_loss (on the synthetic points alone). Meta-Weight-Net adds meta_loss (on validation rows after its virtual step)
    and minority_weight (share of the weights that rows of the smaller classes have). DOS adds, in its rounds, rho_self,
    variance_minority, variance_majority and variance_0, variance_1, ... by class (see methods/dos.py). A generator's phases have losses of
    their own alone (see models/generators), since no classifier is there yet. MESA's phase `policy` has an epoch per episode, `members`
    one per member of what is built: mu (the action), reward, and a state as state_train_0, ..., state_valid_0, .... `first`: number of the
    first replicate in `values`. `step`: optimiser steps since the run began.
    """

    phase: str
    epoch: int
    step: int
    first: int
    values: dict[str, list[float]]


@dataclass(frozen=True)
class Scene:
    """The fixed part of one replicate's picture. Positions are int16 in units of the view box (see UNIT).

    points [m, 2] int16 and labels [m] uint8: real training rows (at most 1,500; every minority row of up to 1,000). centre [2],
    half [2]: the view box in plane coordinates, which are sd of the standardised features. share: share of training variance in
    the plane, in [0, 1]. exact: True if the plane holds all of the data (2-D). axes: names of the two axes. classes: names. data_centre,
    data_half: the view box in the units of a points set; None elsewhere.
    parents [n, 2] int16: where each synthetic point was copied from (n = 0 before there are any). parent_labels [n] uint8. A
    scene is sent again when the synthetic points are created. The last scene counts, also for earlier frames. faint [k, 2] int16:
    validation rows that the data mark (`Dataset.faint`); none in scenes of earlier versions.

    How synthetic points were made, as far as it is known; all empty in scenes of earlier versions. kind: see
    `engine.samplers.lines.Drawn`, of a generator `engine.methods.generator.describe_filled`; '' where it is not known. norm: of
    distances, 2 or 1. seeds [n, 2] int16: the row that each was made from. walks [n, P, 2] int16: its places on the way from there, the
    last one repeated. spheres [s, 4] int16: place of a row, and how far its sphere reaches along both axes. moves [q, 4] int16: old and
    new place of a training row that was moved. sources [n, S, 2] int16: the rows with the largest weights in a row that is a mean,
    weights [n, S] uint8: 255 x the weights.
    """

    replicate: int
    points: np.ndarray
    labels: np.ndarray
    centre: tuple[float, float]
    half: tuple[float, float]
    share: float
    exact: bool
    axes: tuple[str, str]
    classes: tuple[str, ...]
    parents: np.ndarray
    parent_labels: np.ndarray
    data_centre: tuple[float, float] | None = None
    data_half: tuple[float, float] | None = None
    faint: np.ndarray = field(default_factory=lambda: np.zeros((0, 2), np.int16))
    kind: str = ""
    norm: int = 2
    seeds: np.ndarray = field(default_factory=lambda: np.zeros((0, 2), np.int16))
    walks: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 2), np.int16))
    spheres: np.ndarray = field(default_factory=lambda: np.zeros((0, 4), np.int16))
    moves: np.ndarray = field(default_factory=lambda: np.zeros((0, 4), np.int16))
    sources: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 2), np.int16))
    weights: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.uint8))
    arrays: ClassVar[tuple[str, ...]] = (
        "points", "labels", "parents", "parent_labels", "faint", "seeds", "walks", "spheres", "moves", "sources", "weights",
    )  # fmt: skip


@dataclass(frozen=True)
class Frame:
    """Positions of the synthetic points at one moment, with the decision surface.

    points [n, 2] int16; moved [n] uint16: distance from the start in 1/1000 sd, in all dimensions (65,535 = more); surface
    [GRID, GRID] uint8: 255 x probability of a minority class (any class below the largest). n = 0 before the points exist; n
    never changes afterwards. score: validation average precision, NaN if not yet known. unsafe [n] bool: points nearer to a test row of
    the largest class than to any training row of their own (`engine.analysis.unsafe`); empty where that is not known, as in recordings of
    earlier versions. seen [m] uint8, of an ensemble: for each of the scene's points SEEN where the member that this frame adds was
    fitted on it, plus its hardness for the members before in 1/127; empty elsewhere.
    """

    replicate: int
    phase: str
    epoch: int
    step: int
    score: float
    points: np.ndarray
    moved: np.ndarray
    surface: np.ndarray
    unsafe: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    seen: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint8))
    arrays: ClassVar[tuple[str, ...]] = ("points", "moved", "surface", "unsafe", "seen")


@dataclass(frozen=True)
class Board:
    """The leaderboard of a comparison after a change. rows: JSON-plain, one per method
    (`engine.compare.leaderboard.build_leaderboard`). round: of `rounds`. left: seconds left of the budget.
    """

    rows: tuple[dict[str, Any], ...]
    round: int
    rounds: int
    left: float


Event = Phase | Progress | Note | Epoch | Scene | Frame | Board
_TYPES: dict[str, type] = {t.__name__.lower(): t for t in (Phase, Progress, Note, Epoch, Scene, Frame, Board)}


SELDOM = ("unsafe", "seeds", "walks", "spheres", "moves", "sources", "weights")
"""Arrays that are left out where they are empty."""


def kind(event: Event) -> str:
    """'phase', 'progress', 'note', 'epoch', 'scene', 'frame' or 'board'."""
    return type(event).__name__.lower()


def encode(event: Event) -> tuple[str, str, bytes | None]:
    """(kind, JSON, npz or None), the form in which the store keeps an event."""
    names = getattr(event, "arrays", ())
    plain = {f.name: getattr(event, f.name) for f in dataclasses.fields(event) if f.name not in names}
    arrays = {n: getattr(event, n) for n in names}
    for name in SELDOM:
        if not len(arrays.get(name, ())):
            arrays.pop(name, None)
    return kind(event), json.dumps(plain), pack(arrays) if names else None


def decode(kind: str, text: str, arrays: bytes | None) -> Event:
    """The event of `encode`'s parts. Raises BadData if they do not make one."""
    try:
        values: dict[str, Any] = json.loads(text)
        for name, value in values.items():
            if isinstance(value, list):
                values[name] = tuple(value)
        event: Event = _TYPES[kind](**values, **(unpack(arrays) if arrays is not None else {}))
        return event
    except Exception as error:  # text of any other shape, such as lists in lists without end
        raise BadData(f"the store holds a {quote(kind)} event that cannot be read: {one_line(error, 200)}.") from error


def pack_film(scene: Scene, frames: list[Frame]) -> bytes:
    """One replicate's scene and frames as one npz: the artifact `frames/<replicate>`."""
    plain = [{"phase": f.phase, "epoch": f.epoch, "step": f.step, "score": f.score} for f in frames]
    sent = [f for f in frames if len(f.points)]
    arrays = {
        "points": np.stack([f.points for f in sent]) if sent else np.zeros((0, 0, 2), np.int16),
        "moved": np.stack([f.moved for f in sent]) if sent else np.zeros((0, 0), np.uint16),
        "has_points": np.array([len(f.points) > 0 for f in frames], bool),
        "surface": np.stack([f.surface for f in frames]) if frames else np.zeros((0, GRID, GRID), np.uint8),
        "words": _text(json.dumps(plain)),
        "scene": _text(encode(scene)[1]),
    }
    if sent and all(len(f.unsafe) == len(f.points) for f in sent):
        arrays["unsafe"] = np.stack([f.unsafe for f in sent])
    if members := [f.seen for f in frames if len(f.seen)]:
        arrays |= {"seen": np.stack(members), "has_seen": np.array([len(f.seen) > 0 for f in frames], bool)}
    fixed = {name: getattr(scene, name) for name in Scene.arrays}
    return pack(arrays | {f"scene.{name}": array for name, array in fixed.items() if len(array) or name not in SELDOM})


def unpack_film(data: bytes) -> tuple[Scene, list[Frame]]:
    """The scene and frames of `pack_film`. Raises BadData."""
    arrays = unpack(data)
    try:
        scene_words = json.loads(arrays["scene"].tobytes())
        fixed: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in scene_words.items()}
        scene = Scene(**fixed | {n: arrays[f"scene.{n}"] for n in Scene.arrays if f"scene.{n}" in arrays})
        index = np.cumsum(arrays["has_points"]) - 1
        none = (np.zeros((0, 2), np.int16), np.zeros(0, np.uint16), np.zeros(0, bool))
        unsafe = arrays.get("unsafe", np.zeros((len(arrays["points"]), 0), bool))
        is_member = arrays.get("has_seen", np.zeros(len(index), bool))
        seen = [
            arrays["seen"][i] if has else np.zeros(0, np.uint8)
            for i, has in zip(np.cumsum(is_member) - 1, is_member, strict=True)
        ]
        frames = [
            Frame(scene.replicate, **plain, points=points, moved=moved, surface=surface, unsafe=marks, seen=lit)
            for plain, (points, moved, marks), surface, lit in zip(
                json.loads(arrays["words"].tobytes()),
                [
                    (arrays["points"][i], arrays["moved"][i], unsafe[i]) if has else none
                    for i, has in zip(index, arrays["has_points"], strict=True)
                ],
                arrays["surface"],
                seen,
                strict=True,
            )
        ]
    except Exception as error:  # arrays of any other shape or kind
        raise BadData(f"the store holds a film that cannot be read: {one_line(error, 200)}.") from error
    return scene, frames


def _text(text: str) -> np.ndarray:
    return np.frombuffer(text.encode(), np.uint8)


def pack(arrays: dict[str, np.ndarray]) -> bytes:
    """Arrays as compressed npz."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def unpack(data: bytes) -> dict[str, np.ndarray]:
    """Arrays from `pack`. Raises BadData for anything else; never unpickles."""
    if not data.startswith(b"PK"):  # numpy would take it for a pickle and suggest loading it as one
        raise BadData("the store holds arrays that cannot be read: they are not an npz file.")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if (size := sum(entry.file_size for entry in archive.infolist())) > UNPACKED:
                raise BadData(f"the store holds arrays of {size >> 20:,} MiB; at most {UNPACKED >> 20:,} are read.")
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            read = {name: arrays[name] for name in arrays.files}
        if not all(isinstance(array, np.ndarray) for array in read.values()):
            raise ValueError("a part of it is no array")
        return read
    except BadData:
        raise
    except Exception as error:  # whatever numpy, zipfile, zlib and numpy's header parser raise on damaged bytes
        raise BadData(f"the store holds arrays that cannot be read: {one_line(error, 200)}.") from error


class Running(Generic[E, T]):
    """A running generator: iterating gives its events, and at its end `value` is what it returned.

    A loop that ends early closes the generator.
    """

    value: T

    def __init__(self, generator: Generator[E, None, T]) -> None:
        self._generator = generator

    def __iter__(self) -> Iterator[E]:
        try:
            self.value = yield from self._generator
        finally:
            self.close()

    def pull(self) -> E | None:
        """The next event, None after the generator has ended. Raises what the generator raises."""
        try:
            return next(self._generator)
        except StopIteration as end:
            self.value = end.value
            return None

    def close(self) -> None:
        """Stops the generator at the event it gave last."""
        self._generator.close()


def finish(generator: Generator[E, None, T], each: Callable[[E], object] | None = None) -> T:
    """Runs a generator to its end and returns what it returns. each: called with every event."""
    running = Running(generator)
    for event in running:
        if each is not None:
            each(event)
    return running.value
