"""What all viewers of this process share: public things alone, each by its version, read or made once however many ask.

A caller first looks up the job for its visitor (`Store.job`), which fails for a deleted job and for one of another browser. Jobs on a
person's own table (`Job.owner`) are read from the store each time and never kept.
"""

from __future__ import annotations

import dataclasses
import hashlib
import threading
import time
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from engine.errors import UnknownName
from engine.events import Event, Phase, unpack, unpack_film
from engine.spec.result import Result
from engine.store import EngineInfo, Job, Store

LIMIT = 128 << 20
"""Bytes of all that is kept; what was used longest ago goes first."""
WINDOW = 0.25
"""Seconds for which an answer about what changes all the time (engines, the newest events) is given to other sessions too."""
FILM = ("phase", "scene", "frame")
"""The kinds of events that the player shows."""
_WORDS = 50_000
"""Bytes that count for the numbers and words beside a value's arrays."""

T = TypeVar("T")


class Shared:
    """Values by key, up to `limit` bytes. Each is made once: others who ask meanwhile wait for it. An error is kept for nobody."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit, self.size = limit, 0
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._making: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()

    def __contains__(self, key: Hashable) -> bool:
        return key in self._values

    def get(self, key: Hashable, make: Callable[[], tuple[T, int]]) -> T:
        """Return the value of a key. make: gives (value, its bytes) where there is none yet."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key][0]  # type: ignore[no-any-return]
            making = self._making.setdefault(key, threading.Lock())
        try:
            with making:
                if (known := self._values.get(key)) is not None:
                    return known[0]  # type: ignore[no-any-return]
                value, size = make()
                self._keep(key, value, size)
                return value
        finally:
            with self._lock:
                self._making.pop(key, None)

    def grow(self, key: Hashable, by: int) -> None:
        """Count so many bytes more for a value that has grown."""
        if (known := self._values.get(key)) is not None:
            self._keep(key, known[0], known[1] + by)

    def _keep(self, key: Hashable, value: Any, size: int) -> None:
        with self._lock:
            self.size += size - self._values.pop(key, (None, 0))[1]
            self._values[key] = (value, size)
            while self.size > self.limit and self._values:
                _, (_, gone) = self._values.popitem(last=False)
                self.size -= gone


@st.cache_resource(show_spinner=False)
def get_shared() -> Shared:
    """Return what this process shares."""
    return Shared()


def job_version(store: Store, job: Job) -> tuple[Hashable, ...]:
    """Return what names the content of a public job: nothing of it changes while this stays, but for events that are added."""
    if job.owner is not None:
        raise ValueError("what belongs to a person is not shared.")
    return (store.url, job.id, job.attempt, job.started, job.finished)


# ---- results and arrays


def read_result(store: Store, job: Job, owner: str | None) -> Result | None:
    """Return the result of a job that `owner` may see, None where there is none. Its arrays cannot be written to.
    Raises BadData."""
    if job.owner is not None or job.state != "done":
        return store.result(job.id, owner)

    def make() -> tuple[Result | None, int]:
        result = store.result(job.id)
        return result, _freeze(result.arrays) if result is not None else 0

    return get_shared().get(("result", *job_version(store, job)), make)


def read_arrays(store: Store, job: Job, artifact: str, owner: str | None) -> dict[str, np.ndarray] | None:
    """Return the arrays of a finished job's artifact, None where it keeps none. They cannot be written to. Raises BadData."""
    if job.owner is not None or job.state != "done":
        data = store.artifact(job.id, artifact, owner=owner)
        return None if data is None else unpack(data)

    def make() -> tuple[dict[str, np.ndarray] | None, int]:
        data = store.artifact(job.id, artifact)
        arrays = None if data is None else unpack(data)
        return arrays, _freeze(arrays or {})

    return get_shared().get(("arrays", artifact, *job_version(store, job)), make)


def _freeze(arrays: Mapping[str, np.ndarray]) -> int:
    """Refuse writing to arrays that several viewers see; return the bytes to count for them."""
    for array in arrays.values():
        array.flags.writeable = False
    return _WORDS + sum(array.nbytes for array in arrays.values())


# ---- films


class Freshness:
    """Whether an answer may be given again: it is younger than WINDOW, and to a session that has not had it. Who asks twice gets
    a new one.
    """

    def __init__(self) -> None:
        self._read_at = float("-inf")
        self._sessions: set[str] = set()

    def give(self) -> bool:
        """Give the answer to the session that asks. False where it is to be read first: it counts as given all the same."""
        session = context.session_id if (context := get_script_run_ctx(suppress_warning=True)) is not None else ""
        fresh = time.monotonic() - self._read_at < WINDOW and session not in self._sessions
        if not fresh:
            self._sessions = set()
        self._sessions.add(session)
        return fresh

    def was_read(self) -> None:
        """Record that the answer was read now."""
        self._read_at = time.monotonic()


class Film:
    """The events of a public run that its player shows, read once for all who watch, the newest of them each WINDOW."""

    def __init__(self) -> None:
        self.events: list[tuple[int, Event]] = []
        self._numbers: list[int] = []
        self._ended = False
        self._freshness = Freshness()
        self._lock = threading.Lock()

    def read(self, store: Store, job: Job) -> int:
        """Read what is new of the job; return its bytes. A job that was begun again meanwhile has another film."""
        with self._lock:
            if self._ended or self._freshness.give():
                return 0
            last = self._numbers[-1] if self._numbers else 0
            rows = store.events(job.id, last, FILM)
            if rows and not _is_same_attempt(store, job):
                return 0
            self.events += rows
            self._numbers += [number for number, _ in rows]
            self._ended = not job.active  # everything was there when the job was looked up
            self._freshness.was_read()
            return sum(_count_bytes(event) for _, event in rows)

    def after(self, number: int) -> list[tuple[int, Event]]:
        """Return (number, event) in order, those numbered above `number`."""
        return self.events[bisect_right(self._numbers, number) :]


def _is_same_attempt(store: Store, job: Job) -> bool:
    try:
        return store.job(job.id).attempt == job.attempt
    except UnknownName:  # deleted meanwhile
        return False


def _count_bytes(event: Event) -> int:
    return 500 + sum(getattr(event, name).nbytes for name in getattr(event, "arrays", ()))


def read_film(store: Store, job: Job, after: int, owner: str | None) -> list[tuple[int, Event]]:
    """Return what the player shows of a run that `owner` may see, the events numbered above `after`. Raises BadData."""
    if job.owner is not None:
        return store.events(job.id, after, FILM, owner=owner)
    key = ("film", *job_version(store, job))
    film = get_shared().get(key, lambda: (Film(), 0))
    if grown := film.read(store, job):
        get_shared().grow(key, grown)
    return film.after(after)


def has_film(store: Store, job: Job, owner: str | None) -> bool:
    """Whether pictures of a finished run that `owner` may see are kept. Raises BadData."""

    def read() -> tuple[bool, int]:
        return store.last_event(job.id, "scene", owner=owner) is not None, 1

    return read()[0] if job.owner is not None else get_shared().get(("has film", *job_version(store, job)), read)


def read_replicate(store: Store, job: Job, replicate: int, owner: str | None) -> list[Event]:
    """Return scene and frames of a finished run's later replicate, [] where they are not kept. Raises BadData."""
    name = f"frames/{replicate}"
    if job.owner is not None:
        data = store.artifact(job.id, name, owner=owner)
        return [] if data is None else _list_film(data)

    def make() -> tuple[list[Event], int]:
        data = store.artifact(job.id, name)
        events = [] if data is None else _list_film(data)
        return events, sum(map(_count_bytes, events))

    return get_shared().get(("film", replicate, *job_version(store, job)), make)


def _list_film(data: bytes) -> list[Event]:
    scene, frames = unpack_film(data)
    return [scene, *frames]


def remember_chunks(store: Store, job: Job, replicate: int) -> Callable[[Hashable, Callable[[], bytes]], bytes] | None:
    """Return what keeps the packed arrays of a public run's chunks, for `app.player.encode_chunk`; None of a private one."""
    if job.owner is not None:
        return None
    version = job_version(store, job)

    def remember(part: Hashable, pack: Callable[[], bytes]) -> bytes:
        def make() -> tuple[bytes, int]:
            data = pack()
            return data, len(data)

        return get_shared().get(("chunk", replicate, part, *version), make)

    return remember


# ---- what changes all the time


class Answer:
    """What was read last, and whether it may be given again."""

    def __init__(self) -> None:
        self.value: Any = None
        self.freshness = Freshness()
        self.lock = threading.Lock()


class Ticks:
    """Answers that several sessions get within WINDOW; those asked for longest ago go first."""

    KEPT = 1000

    def __init__(self) -> None:
        self._answers: OrderedDict[Hashable, Answer] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, read: Callable[[], T]) -> T:
        """Return the answer of a key, read anew where it is older than WINDOW or the session had it already."""
        with self._lock:
            answer = self._answers.setdefault(key, Answer())
            self._answers.move_to_end(key)
            if len(self._answers) > self.KEPT:
                self._answers.popitem(last=False)
        with answer.lock:
            if not answer.freshness.give():
                answer.value = read()
                answer.freshness.was_read()
            return answer.value  # type: ignore[no-any-return]


@st.cache_resource(show_spinner=False)
def _get_ticks() -> Ticks:
    return Ticks()


def read_engines(store: Store) -> list[EngineInfo]:
    """Return the living engines, as they were WINDOW ago at most. Raises StoreError."""
    return _get_ticks().get(("engines", store.url), store.engines)


def explain_waiting(store: Store, job: Job, owner: str | None) -> str:
    """Return why no living engine can run a queued job, '' where one can; of a public job as it was WINDOW ago at most."""
    if job.owner is not None:
        return store.explain_waiting(job.id, owner)
    return _get_ticks().get(("waiting", store.url, job.id), lambda: store.explain_waiting(job.id))


def count_active(store: Store) -> dict[str, int]:
    """Return how many jobs wait and run, as it was WINDOW ago at most. Raises StoreError."""
    return _get_ticks().get(("active", store.url), store.count_active)


def read_job(store: Store, id: str, owner: str | None) -> Job:
    """Return a job that `owner` may see; a public one as it was WINDOW ago at most. Raises UnknownName."""
    try:
        return _get_ticks().get(("job", store.url, id), lambda: store.job(id))
    except UnknownName:
        return store.job(id, owner)


def read_phase(store: Store, job: Job, owner: str | None) -> str:
    """Return the text of a running job's last phase, '' before the first; of a public one as it was WINDOW ago at most."""

    def read() -> str:
        phase = store.last_event(job.id, "phase", owner=owner)
        return phase.text if isinstance(phase, Phase) else ""

    return read() if job.owner is not None else _get_ticks().get(("phase", *job_version(store, job)), read)


# ---- content


def fingerprint(*values: Any) -> str | None:
    """Return a digest of plain values: numbers, text, arrays, dataclasses, lists and mappings of these; None with anything else in
    them.
    """
    digest = hashlib.blake2b(digest_size=20)
    try:
        _add(digest, values)
    except TypeError:
        return None
    return digest.hexdigest()


def _add(digest: Any, value: Any) -> None:
    """Add a value to a digest, with its kind and length, so that no two values are written alike. Raises TypeError."""
    if value is None or isinstance(value, (bool, int, float, str, bytes, np.generic)):
        text = repr(value)
        digest.update(f"{type(value).__name__} {len(text)} {text}".encode("utf-8", "surrogatepass"))
    elif isinstance(value, np.ndarray) and value.dtype != object:
        digest.update(f"array {value.dtype.str} {value.shape} ".encode())
        digest.update(np.ascontiguousarray(value).tobytes())
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        digest.update(f"{type(value).__qualname__} ".encode())
        for part in dataclasses.fields(value):
            _add(digest, getattr(value, part.name))
    elif isinstance(value, Mapping):
        digest.update(f"mapping {len(value)} ".encode())
        for key, inner in value.items():
            _add(digest, key)
            _add(digest, inner)
    elif isinstance(value, Sequence):
        digest.update(f"list {len(value)} ".encode())
        for inner in value:
            _add(digest, inner)
    else:
        raise TypeError(f"{type(value).__name__} has no digest.")
