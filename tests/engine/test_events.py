"""Events on their way through the store: the same values back, and BadData for whatever is not whole."""

from __future__ import annotations

import dataclasses
import io
import json
import pickle  # noqa: TID251  (to show that it is refused)
import zipfile
from collections.abc import Generator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import events
from engine.errors import BadData
from engine.events import (
    GRID,
    UNIT,
    Epoch,
    Event,
    Frame,
    Note,
    Phase,
    Progress,
    Running,
    Scene,
    decode,
    encode,
    finish,
    pack,
    unpack,
)
from tests.browser import fake

RNG = np.random.default_rng(0)
NONE = (np.zeros((0, 2), np.int16), np.zeros(0, np.uint16))


def scene(parents: int = 3) -> Scene:
    return Scene(
        replicate=4,
        points=RNG.integers(-UNIT, UNIT, (30, 2)).astype(np.int16),
        labels=np.repeat([0, 1, 2], 10).astype(np.uint8),
        centre=(0.5, -1.25),
        half=(2.0, 1e-3),
        share=0.625,
        exact=False,
        axes=("PC 1 (40%)", "PC 2 (22%)"),
        classes=("a", "b", "ç"),
        parents=np.full((parents, 2), 7, np.int16),
        parent_labels=np.ones(parents, np.uint8),
    )


def frame(step: int, n: int = 3, score: float = 0.5) -> Frame:
    points = (RNG.integers(-4 * UNIT, 4 * UNIT, (n, 2)).astype(np.int16), RNG.integers(0, 65536, n).astype(np.uint16))
    surface = RNG.integers(0, 256, (GRID, GRID)).astype(np.uint8)
    return Frame(4, "points", 1 + step // 2, step, score, *(points if n else NONE), surface)


EVERY = [
    Phase("points", "Moving the synthetic points"),
    Progress(3, 17),
    Note("Zwölf", "warning"),
    Epoch("training", 2, 18, 20, {"train_loss": [0.1, float("nan")], "valid_ap": [1.0, 1 / 3]}),
    scene(),
    scene(parents=0),
    frame(7),
    frame(0, n=0, score=float("nan")),
]
ids = [f"{events.kind(e)} {i}" for i, e in enumerate(EVERY)]


def same(a: object, b: object) -> bool:
    """Equal, where NaN equals NaN and arrays are compared with their types."""
    if dataclasses.is_dataclass(a) and not isinstance(a, type):
        return type(a) is type(b) and all(same(getattr(a, f.name), getattr(b, f.name)) for f in dataclasses.fields(a))
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and a.shape == b.shape and bool((a == b).all())
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(v, b[k]) for k, v in a.items())
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return a == b or (a != a and b != b)


@pytest.mark.parametrize("event", EVERY, ids=ids)
def test_an_event_comes_back_as_it_was(event: Event) -> None:
    kind, words, arrays = encode(event)
    assert kind == type(event).__name__.lower() and isinstance(json.loads(words), dict)
    assert (arrays is None) == (not hasattr(event, "arrays"))
    assert same(decode(kind, words, arrays), event)


@pytest.mark.parametrize(
    ("kind", "words", "arrays"),
    [
        ("tick", "{}", None),
        ("progress", "", None),
        ("progress", '{"done": 1, "total"', None),
        ("progress", '{"done": 1}', None),
        ("progress", '{"done": 1, "total": 2, "more": 3}', None),
        ("progress", "[1, 2]", None),
        ("progress", "7", None),
        ("progress", "null", None),
        ("note", '{"text": "a"}', pack({"points": NONE[0]})),
        ("frame", encode(frame(1))[1], None),
        ("frame", encode(frame(1))[1], pack({"points": NONE[0]})),
        ("frame", encode(frame(1))[1], b""),
        ("scene", encode(frame(1))[1], encode(frame(1))[2]),
    ],
)
def test_parts_that_make_no_event_are_bad_data(kind: str, words: str, arrays: bytes | None) -> None:
    with pytest.raises(BadData, match=f"the store holds a '{kind}' event that cannot be read"):
        decode(kind, words, arrays)


def film() -> tuple[Scene, list[Frame]]:
    return scene(), [frame(0, n=0, score=float("nan")), frame(1, n=0), frame(5), frame(9), frame(12)]


def test_a_film_comes_back_as_it_was() -> None:
    whole, frames = film()
    back, shown = events.unpack_film(events.pack_film(whole, frames))
    assert same(back, whole) and same(shown, frames)


@pytest.mark.parametrize("frames", [[], [frame(0, n=0)], [frame(3)]], ids=["none", "without points", "one"])
def test_a_short_film_comes_back_as_it_was(frames: list[Frame]) -> None:
    still = scene(parents=0)
    back, shown = events.unpack_film(events.pack_film(still, frames))
    assert same(back, still) and same(shown, frames)


def test_unsafe_points_come_back_and_old_films_have_none() -> None:
    scene, frames = fake.run(frames=30, synthetic=20, hidden=30)
    assert any(frame.unsafe.any() for frame in frames)
    back = events.unpack_film(events.pack_film(scene, frames))[1]
    assert [frame.unsafe.tolist() for frame in back] == [frame.unsafe.tolist() for frame in frames]
    for frame in frames:
        read = events.decode(*events.encode(frame))
        assert isinstance(read, Frame) and read.unsafe.tolist() == frame.unsafe.tolist()
    old = {name: array for name, array in unpack(events.pack_film(scene, frames)).items() if name != "unsafe"}
    assert all(frame.unsafe.shape == (0,) for frame in events.unpack_film(pack(old))[1])
    assert "unsafe" not in unpack(events.encode(dataclasses.replace(frames[-1], unsafe=np.zeros(0, bool)))[2] or b"")


def test_a_film_without_a_part_is_bad_data() -> None:
    whole = unpack(events.pack_film(*film()))
    for name in set(whole) - {"scene.faint"}:  # films of earlier versions lack it
        with pytest.raises(BadData, match="film that cannot be read"):
            events.unpack_film(pack({k: v for k, v in whole.items() if k != name}))
    for name, value in {
        "has_points": np.ones(5, bool),  # five frames with points, but three are there
        "words": np.frombuffer(b"{", np.uint8),
        "scene": np.frombuffer(b"[]", np.uint8),
        "surface": whole["surface"][:2],
    }.items():
        with pytest.raises(BadData, match="film that cannot be read"):
            events.unpack_film(pack(whole | {name: value}))


ARRAYS = {
    "a": RNG.integers(-9, 9, (20, 2)).astype(np.int16),
    "b": np.linspace(0, 1, 30),
    "none": np.zeros((0, 2), np.uint8),
}
PACKED = pack(ARRAYS)


def test_arrays_come_back_with_their_types() -> None:
    assert same(unpack(PACKED), ARRAYS)
    assert unpack(pack({})) == {}


@given(st.data())
def test_damaged_bytes_are_bad_data_or_unharmed(data: st.DataObject) -> None:
    """Whatever is done to the bytes: the arrays that are read are those that were packed, or the error is ours."""
    damaged = bytearray(PACKED)
    how = data.draw(st.sampled_from(["flip", "cut", "drop", "write"]))
    at = data.draw(st.integers(0, len(PACKED) - 1))
    if how == "flip":
        damaged[at] ^= 1 << data.draw(st.integers(0, 7))
    elif how == "cut":
        del damaged[at:]
    elif how == "drop":
        del damaged[at : at + data.draw(st.integers(1, 20))]
    else:
        damaged[at : at + 4] = data.draw(st.binary(min_size=4, max_size=4))
    try:
        found = unpack(bytes(damaged))
    except BadData:
        return
    kept = ARRAYS.keys() & found.keys()  # a damaged name or directory may hide an array, which its user misses
    assert same({k: found[k] for k in kept}, {k: ARRAYS[k] for k in kept})


def bare(array: np.ndarray, pickled: bool = False) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=pickled)
    return buffer.getvalue()


class Trap:
    """Touching it is the error."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('unpickled')",)


def test_nothing_is_unpickled() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.npy", bare(np.array([Trap()], object), pickled=True))
    for data in (buffer.getvalue(), pickle.dumps(Trap()), bare(np.array([Trap()], object), pickled=True)):
        with pytest.raises(BadData) as error:
            unpack(data)
        assert "unsafe" not in str(error.value)
    with pytest.raises(ValueError, match="allow_pickle"):
        pack({"a": np.array([Trap()], object)})


@pytest.mark.parametrize("data", [b"", b"x", b"PK", b"PK\x03\x04", bare(ARRAYS["a"]), b"\x93NUMPY", PACKED[:-1], PACKED[1:]])
def test_what_is_no_npz_is_bad_data(data: bytes) -> None:
    with pytest.raises(BadData, match="the store holds arrays that cannot be read"):
        unpack(data)


def counting(closed: list[int]) -> Generator[int, None, str]:
    """Three events and a return value; `closed` tells at which event it was closed."""
    at = 0
    try:
        for at in (1, 2, 3):
            yield at
    except GeneratorExit:
        closed.append(at)
        raise
    return "done"


def test_a_generator_is_driven_to_its_value():
    seen: list[int] = []
    assert finish(counting([]), seen.append) == "done" and seen == [1, 2, 3]
    running = Running(counting([]))
    assert list(running) == [1, 2, 3] and running.value == "done"
    pulled = Running(counting([]))
    assert [pulled.pull() for _ in range(4)] == [1, 2, 3, None] and pulled.value == "done"


def test_a_loop_that_is_left_closes_the_generator():
    closed: list[int] = []
    running = Running(counting(closed))
    for event in running:
        if event == 2:
            break
    assert closed == [2] and not hasattr(running, "value")
    running = Running(counting(closed))
    assert running.pull() == 1
    running.close()
    assert closed == [2, 1] and running.pull() is None


def test_what_a_generator_raises_passes():
    def failing() -> Generator[int, None, None]:
        yield 1
        raise BadData("no rows")

    with pytest.raises(BadData, match="no rows"):
        finish(failing())
