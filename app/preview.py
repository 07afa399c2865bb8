"""POST /api/preview: trains a points set for a moment while a slider moves, and streams what comes of it.

A preview is a job that no list has, in a worker beside the engine's slots (`engine.store.previews`). This route asks for it, reads its
events while they come, and deletes it at the end. Nothing of it has an address.
"""

from __future__ import annotations

import asyncio
import json
import re
import struct
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from app import api
from app.player.chunks import encode_chunk
from app.session.store import CATALOG
from app.session.visitor import explain_demo, is_demo
from app.words import preview as words
from engine.errors import BadInput, BadParameter, LabError, NotAllowed, StoreError, TooLarge, TooSlow, WrongType
from engine.events import Event, Frame, Phase, Scene
from engine.spec import Imbalance, RunSpec
from engine.spec.points import ADD, FAR, MOST, TOO_MANY, UNIT, encode_points
from engine.spec.run import find_entry
from engine.store.database import PREVIEWS_TOPIC
from engine.store.previews import PreviewNews

LARGEST = 8 << 10
"""Bytes of a request."""
ARRIVAL = 5.0
"""Seconds a request may take to arrive."""
POLL = 0.01
"""Seconds between two looks at the job."""
TOLD = 0.25
"""The same where the store tells when something is new of it, so that the wait ends then."""
APART = 0.033
"""Seconds between two parts, at least."""
MOST_FRAMES = 4
"""Frames of a part."""
TURN = 1.5
"""Seconds for which a request waits for another owner's preview."""
SILENCE = 5.0
"""Seconds without a word of the engine after which it counts as silent."""

_CLIENT = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SPEC = {"dataset", "data", "ratio", "method", "eta_points", "confidence", "seed"}
_ALWAYS = {"Cache-Control": "no-store"}


class NoPointsSet(LabError):
    """The data are no points set."""


class Busy(LabError):
    """Another owner's preview has the worker."""


class Silent(StoreError):
    """No engine answers."""


_STATUS = (
    (NoPointsSet, 409),
    (Busy, 429),
    (TooLarge, 413),
    (TooSlow, 408),
    (WrongType, 415),
    (NotAllowed, 403),
    (StoreError, 503),
)


@dataclass(frozen=True)
class Asked:
    """One request: who asks, with which number, for what."""

    owner: str
    client: str
    seq: int
    spec: RunSpec


async def send_preview(request: Request) -> Response:
    """Answer with the parts of a preview, each after its length (u32, little endian); else {"error": one sentence}.

    A request that a later one of the same browser overtakes ends without a last part.
    """
    try:
        asked = await _read_request(request)
        id = await asyncio.to_thread(_submit, asked)
        if id is None:
            return Response(b"", 200, _ALWAYS, api.BODY)
        film = _Film(id, asked)
        try:
            first = await film.read_first(request)
        except BaseException:
            _leave(id)
            raise
    except ClientDisconnect:
        return Response(status_code=400)  # the client is gone
    except LabError as error:
        status = next(
            (status for kind, status in _STATUS if isinstance(error, kind)), 400 if isinstance(error, BadInput) else 500
        )
        return JSONResponse({"error": str(error)}, status, _ALWAYS | ({"Retry-After": "1"} if status == 429 else {}))
    return StreamingResponse(film.stream(request, first), 200, _ALWAYS, api.BODY)


# ---- the request


async def _read_request(request: Request) -> Asked:
    if is_demo():
        raise NotAllowed(explain_demo(words.DEMO))
    owner = await asyncio.to_thread(api.read_owner, request)
    if not api.is_same_origin(request.headers):
        raise NotAllowed(words.FOREIGN)
    if owner is None:
        raise NotAllowed(words.NO_OWNER)
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise WrongType(words.NOT_JSON)
    body = b""
    try:
        async with asyncio.timeout(ARRIVAL):
            async for piece in request.stream():
                body += piece
                if len(body) > LARGEST:
                    raise TooLarge(words.TOO_LARGE)
    except TimeoutError:
        raise TooSlow(words.TOO_SLOW) from None
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise BadParameter(words.NOT_JSON) from None
    client, seq, spec = parse_request(value, await asyncio.to_thread(_read_catalog))
    return Asked(owner, client, seq, spec)


def parse_request(value: Any, catalog: Mapping[str, Any]) -> tuple[str, int, RunSpec]:
    """Return client, number and completed spec of a request's JSON. Raises BadInput, and NoPointsSet."""
    if not isinstance(value, Mapping) or set(value) - {"client", "seq", "spec", "points"}:
        raise BadParameter(words.BAD_REQUEST)
    client, seq, asked = value.get("client"), value.get("seq"), value.get("spec")
    if not isinstance(client, str) or not _CLIENT.fullmatch(client) or not isinstance(asked, Mapping) or set(asked) - _SPEC:
        raise BadParameter(words.BAD_REQUEST)
    if isinstance(seq, bool) or not isinstance(seq, int) or not 0 <= seq < 2**53:
        raise BadParameter(words.BAD_REQUEST)
    names = [asked.get(name) for name in ("dataset", "method")]
    if not all(isinstance(name, str) for name in names) or not isinstance(asked.get("data") or {}, Mapping):
        raise BadParameter(words.BAD_REQUEST)
    dataset, method = find_entry(catalog, "datasets", names[0]), find_entry(catalog, "methods", names[1])
    if dataset["kind"] != "points":
        raise NoPointsSet(words.NO_POINTS_SET)
    fields = {field["name"] for field in method["fields"]}
    params = {name: asked[name] for name in ("eta_points", "confidence") if asked.get(name) is not None and name in fields}
    ratio = None if dataset.get("parts") else asked.get("ratio")
    spec = RunSpec(
        names[0],
        names[1],
        Imbalance() if ratio is None else Imbalance("ratio", ratio),
        data=asked.get("data") or {},
        params=params,
        seed=0 if asked.get("seed") is None else asked["seed"],
        points=_read_points(value.get("points") or []),
    )
    return client, seq, spec.complete(catalog)


def _read_points(records: Any) -> str:
    """Return the text of points [op, x, y], in 1/1,000 of the set's units."""
    if not isinstance(records, list):
        raise BadParameter(words.BAD_POINTS)
    if len(records) > MOST:
        raise BadParameter(TOO_MANY)
    for record in records:
        whole = isinstance(record, list) and all(isinstance(v, int) and not isinstance(v, bool) for v in record)
        if not whole or len(record) != 3 or record[0] != ADD or max(abs(record[1]), abs(record[2])) > FAR:
            raise BadParameter(words.BAD_POINTS)
    return encode_points((x / UNIT, y / UNIT) for _, x, y in records)


def _read_catalog() -> dict[str, Any]:
    catalog: dict[str, Any] = api.get_store().catalog() or json.loads(CATALOG.read_text(encoding="utf-8"))
    return catalog


def _submit(asked: Asked) -> str | None:
    """Ask for the preview. Return its id, None where the browser asked for a later one already."""
    store = api.get_store()
    engines = store.engines()
    if not engines:
        raise Silent(words.SILENT)
    if not any(engine.previews for engine in engines):
        raise NotAllowed(words.OFF)
    return store.submit_preview(asked.owner, asked.client, asked.seq, asked.spec)


def _leave(id: str) -> None:
    """Say that nobody reads the preview any more, on a thread, since this task may be cancelled and wait for nothing."""

    def leave() -> None:
        with suppress(LabError):
            api.get_store().leave_preview(id)

    asyncio.get_running_loop().run_in_executor(None, leave)


async def _wait(told: asyncio.Event, is_told: bool) -> None:
    """Wait for the event, TOLD seconds at most, POLL where nobody may set it; and clear it."""
    with suppress(TimeoutError):
        async with asyncio.timeout(TOLD if is_told else POLL):
            await told.wait()
    told.clear()


# ---- the answer


@dataclass
class _Film:
    """What came of a preview and is not sent yet.

    first: number of the next frame. scenes: how many there were. after: number of the last event read. news: of the last look.
    """

    id: str
    asked: Asked
    frames: list[Frame] = field(default_factory=list)
    scene: Scene | None = None
    labels: dict[str, str] = field(default_factory=dict)
    first: int = 0
    scenes: int = 0
    after: int = 0
    news: PreviewNews | None = None

    @contextmanager
    def hear(self) -> Iterator[asyncio.Event]:
        """An event that is set, within the block, when the store tells of this preview."""
        loop, told = asyncio.get_running_loop(), asyncio.Event()

        def take(about: str) -> None:
            if about in ("", self.id):
                loop.call_soon_threadsafe(told.set)

        stop = api.get_store().database.subscribe(PREVIEWS_TOPIC, take)
        try:
            yield told
        finally:
            stop()

    async def look(self) -> bool:
        """Read what is new of the job. False where it is gone: a later request ended it."""
        self.news = await asyncio.to_thread(api.get_store().preview_news, self.id, self.after)
        for number, event in self.news.events if self.news else []:
            self.after = number
            self._take(event)
        return self.news is not None

    def _take(self, event: Event) -> None:
        if isinstance(event, Phase):
            self.labels[event.name] = event.text
        elif isinstance(event, Scene):
            self.scene, self.scenes = event, self.scenes + 1
        elif isinstance(event, Frame):
            self.frames.append(event)

    async def read_first(self, request: Request) -> bytes:
        """Wait for scene and first frame; return the part, b"" where a later request ended the preview or the browser left.

        Raises Busy, Silent, and BadParameter with the job's own reason where it failed.
        """
        began = time.monotonic()
        with self.hear() as told:
            while await self.look():
                assert self.news is not None
                if self.frames or self.news.facts is not None:
                    return self._part(1) if self.frames else b""
                waited = time.monotonic() - began
                if self.news.state not in ("queued", "running"):
                    raise BadParameter(self.news.reason or words.ENDED)
                if self.news.state == "queued" and self.news.contested and waited > TURN:
                    raise Busy(words.BUSY)
                if waited > (TURN + SILENCE if self.news.contested else SILENCE):
                    raise Silent(words.SILENT)
                if await request.is_disconnected():
                    raise ClientDisconnect
                await _wait(told, api.get_store().database.hears)
        return b""

    async def stream(self, request: Request, first: bytes) -> AsyncIterator[bytes]:
        """Yield the parts. Closes the preview where the browser leaves."""
        stop_hearing = ExitStack()
        try:
            told = stop_hearing.enter_context(self.hear())
            yield first
            sent = heard = time.monotonic()
            while self.news is not None and not await request.is_disconnected():
                now = time.monotonic()
                ended = self.news.state not in ("queued", "running")
                heard = now if self.news.events else heard
                if now - sent >= APART and (len(self.frames) > MOST_FRAMES or (self.frames and not ended)):
                    sent = now
                    yield self._part(MOST_FRAMES)
                elif ended and now - sent >= APART:
                    yield self._last_part()
                    return
                elif now - heard > SILENCE:
                    yield self._part(MOST_FRAMES, status="failed", text=words.SILENT)
                    return
                await _wait(told, api.get_store().database.hears and not ended and not self.frames)
                if not ended:
                    await self.look()
        finally:
            stop_hearing.close()
            _leave(self.id)

    def _last_part(self) -> bytes:
        assert self.news is not None
        if self.news.facts is None:
            return self._part(MOST_FRAMES, status="failed", text=self.news.reason or words.ENDED)
        return self._part(MOST_FRAMES, status="finished", more=self.news.facts)

    def _part(self, count: int, *, status: str = "training", text: str = "", more: Mapping[str, Any] | None = None) -> bytes:
        """The next frames, at most `count`, with the scene where it is new, after their length."""
        now, self.frames = self.frames[:count], self.frames[count:]
        scene, self.scene = self.scene, None
        chunk = encode_chunk(
            "preview",
            scene=scene,
            scenes=self.scenes,
            frames=now,
            first=self.first,
            status=status,
            engine_alive=True,
            take=f"{self.asked.client}/{self.asked.seq}",
            labels=self.labels,
            text=text,
            more={"preview": True, "seq": self.asked.seq} | dict(more or {}),
        )
        self.first += len(now)
        return struct.pack("<I", len(chunk)) + chunk


routes = [Route("/api/preview", send_preview, methods=["POST"])]
