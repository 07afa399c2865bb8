"""POST /api/preview: from a request to a streamed film, who may ask, what is refused, and that no row is left."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import struct
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from app import preview
from app.player.chunks import decode_chunk, split_chunks
from app.session import store as session_store
from app.session.lab_address import is_run_id
from engine.errors import BadInput
from engine.spec.points import decode_points
from engine.store import EngineInfo, Store
from engine.store.jobs import PREVIEW
from engine.store.schema import EVENTS, JOBS, RESULTS
from tests.app import fabricate
from tests.app.test_server import server, until

ME, YOU = "m" * 43, "y" * 43
SPEC = {
    "dataset": "moons",
    "data": {"rows": 600},
    "ratio": 20,
    "method": "explicit-gradient",
    "eta_points": 500,
    "confidence": 1,
}


CATALOG = json.loads(session_store.CATALOG.read_text(encoding="utf-8"))


def parse(value: Any) -> Any:
    return preview.parse_request(value, CATALOG)


def body(seq: int = 1, *, client: str = "a", points: Any = (), **spec: Any) -> bytes:
    return json.dumps({"client": client, "seq": seq, "spec": SPEC | {"seed": 0} | spec, "points": list(points)}).encode()


def head(chunk: bytes) -> dict[str, Any]:
    (length,) = struct.unpack_from("<I", chunk)
    return dict(json.loads(chunk[4 : 4 + length]))


# ---- one request


def test_a_request_is_read_into_a_completed_spec() -> None:
    client, seq, spec = parse(json.loads(body(7, points=[[0, 420, -1100]], confidence=None)))
    assert (client, seq, spec.dataset, spec.imbalance.ratio, spec.replicates) == ("a", 7, "moons", 20.0, 1)
    assert spec.params["eta_points"] == 500 and spec.params["confidence"] == 1.0 and spec.data["noise"] == 0.2
    assert decode_points(spec.points) == [(0.42, -1.1)]
    own = parse(json.loads(body(dataset="hidden-cluster", data={"hidden": 15}, method="ce")))[2]
    assert own.imbalance.profile == "native" and own.data["hidden"] == 15 and "eta_points" not in own.params


WRONG: list[Any] = [
    [],
    {"client": "a"},
    json.loads(body()) | {"more": 1},
    json.loads(body(client="")),
    json.loads(body(client="a b")),
    json.loads(body(-1)),
    json.loads(body()) | {"seq": True},
    json.loads(body(folds=5)),
    json.loads(body(data=[1])),
    json.loads(body(data={"noise": 7})),
    json.loads(body(data={"noises": 0.1})),
    json.loads(body(method="nothing")),
    json.loads(body(ratio="20")),
    json.loads(body(ratio=0.5)),
    json.loads(body(eta_points=-1)),
    json.loads(body(eta_points=float("nan"))),
    json.loads(body(seed=1.5)),
    json.loads(body(points=[[0, 1]])),
    json.loads(body(points=[[1, 0, 0]])),
    json.loads(body(points=[[0, 0.5, 0]])),
    json.loads(body(points=[[0, 40000, 0]])),
    json.loads(body(points=[[0, 0, 0]] * 51)),
]


@pytest.mark.parametrize("value", WRONG, ids=range(len(WRONG)))
def test_a_wrong_value_is_refused_in_a_sentence(value: Any) -> None:
    with pytest.raises(BadInput) as refused:
        parse(value)
    assert len(str(refused.value)) < 900  # the longest lists the methods


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@given(st.sampled_from(["client", "seq", "points", *SPEC, "seed"]), JSON)
def test_any_value_is_taken_or_refused(name: str, value: Any) -> None:
    asked = json.loads(body())
    (asked["spec"] if name in asked["spec"] else asked)[name] = value
    with contextlib.suppress(BadInput, preview.NoPointsSet):
        parse(asked)


# ---- who may ask, in this process


def ask_here(content: bytes = b"", **headers: str) -> tuple[int, dict[str, Any]]:
    """The answer to a request that is refused before it is streamed."""
    usual = {"cookie": f"lab_owner={ME}", "sec-fetch-site": "same-origin", "content-type": "application/json"}
    usual |= {key.replace("_", "-"): value for key, value in headers.items()}
    sent = [(key.encode(), value.encode()) for key, value in usual.items() if value]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": content or body(), "more_body": False}

    answer = asyncio.run(
        preview.send_preview(Request({"type": "http", "method": "POST", "path": "/", "headers": sent}, receive))
    )
    return answer.status_code, json.loads(bytes(answer.body))


def test_requests_of_others_and_of_other_kinds_are_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    assert ask_here()[0] == 503, "no engine lives"
    store.record_heartbeat(EngineInfo("e", "here", 1, now, now))
    assert ask_here() == (403, {"error": "Previews are off here."})
    store.record_heartbeat(EngineInfo("e", "here", 1, now, now, previews=True))
    for changed, status in (
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "", "origin": "http://elsewhere", "host": "here"}, 403),
        ({"cookie": ""}, 403),
        ({"content_type": "text/plain"}, 415),
    ):
        assert ask_here(**changed)[0] == status, changed
    assert ask_here(b"{" + b" " * 8192)[0] == 413
    assert ask_here(b"{")[0] == ask_here(b"[" * 8000)[0] == ask_here(b"\xff")[0] == 400
    assert ask_here(body(dataset="wine"))[0] == 409
    monkeypatch.setenv("LAB_DEMO", "1")
    status, answer = ask_here()
    assert status == 403 and answer["error"].startswith("This is a demonstration")
    with store.database.reading() as connection:
        assert not connection.execute(sa.select(JOBS.c.id)).all()


def test_a_silent_worker_is_not_waited_for(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    store.record_heartbeat(EngineInfo("e", "here", 1, now, now, previews=True))
    monkeypatch.setattr(preview, "SILENCE", 0.1)
    assert ask_here() == (503, {"error": "The engine is silent."})
    until(lambda: not rows(store), 5)


# ---- a server with its engine


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Store]]:
    folder = tmp_path_factory.mktemp("store")
    store = fabricate.fresh(folder)
    with (folder / "server.log").open("wb") as log, server(folder, engine="on", log=log, LAB_SLOTS="1") as (_, port):
        until(lambda: any(e.previews and e.ready for e in store.engines()), 90)
        until(lambda: ask(port, body(1, client="warm"))[0] == 200, 90)
        yield port, store
    store.close()


def rows(store: Store) -> list[Any]:
    with store.database.reading() as connection:
        return list(connection.execute(sa.select(JOBS.c.id, JOBS.c.state, JOBS.c.cancel).where(JOBS.c.kind == PREVIEW)))


def left_behind(store: Store) -> int:
    with store.database.reading() as connection:
        return sum(
            connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one() for table in (JOBS, EVENTS, RESULTS)
        )


def begin(port: int, content: bytes, owner: str = ME) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Cookie": f"lab_owner={owner}", "Origin": f"http://127.0.0.1:{port}", "Content-Type": "application/json"}
    connection.request("POST", "/api/preview", content, headers)
    return connection, connection.getresponse()


def ask(port: int, content: bytes, owner: str = ME) -> tuple[int, list[bytes]]:
    connection, answer = begin(port, content, owner)
    try:
        data = answer.read()
        return answer.status, split_chunks(data) if answer.status == 200 else [data]
    finally:
        connection.close()


@pytest.mark.timeout(240)
def test_a_preview_is_streamed_from_its_first_frame_to_its_curve(served: tuple[int, Store]) -> None:
    port, store = served
    status, parts = ask(port, body(2, points=[[0, 500, 500]]))
    assert status == 200
    heads = [head(part) for part in parts]
    assert all(one["preview"] is True and one["seq"] == 2 for one in heads)
    assert "scene" in heads[0] and len(heads[0]["phase"]) == 1 and heads[0]["scene"]["data_half"]
    assert all(1 <= len(one["phase"]) <= 4 for one in heads[:-1]) and [one["status"] for one in heads[:-1]] == ["training"] * (
        len(heads) - 1
    )
    counts = [len(decode_chunk(part).frames) for part in parts]
    assert [one["first"] for one in heads] == [sum(counts[:i]) for i in range(len(counts))] and sum(counts) <= 26
    last = heads[-1]
    assert (
        last["status"] == "finished" and 0 < last["ap"] <= 1 and len(last["pr"]["recall"]) == len(last["pr"]["precision"]) == 64
    )
    until(lambda: left_behind(store) == 0, 10)


@pytest.mark.timeout(240)
def test_20_requests_in_a_second_leave_one_live_preview_and_no_row(served: tuple[int, Store]) -> None:
    port, store = served
    answers: dict[int, tuple[int, list[bytes]]] = {}

    def send(seq: int) -> None:
        answers[seq] = ask(port, body(seq, client="slider", eta_points=100 * seq))

    threads = [threading.Thread(target=send, args=(seq,)) for seq in range(1, 21)]
    most = 0
    for thread in threads:
        thread.start()
        time.sleep(0.05)
        most = max(most, sum(not row.cancel for row in rows(store)))
    for thread in threads:
        thread.join()
    assert most <= 1
    assert {status for status, _ in answers.values()} == {200}
    finished = [seq for seq, (_, parts) in answers.items() if parts and head(parts[-1])["status"] == "finished"]
    assert 20 in finished and len(finished) <= 10, "those that were overtaken end without a last part"
    until(lambda: left_behind(store) == 0, 10)


@pytest.mark.timeout(240)
def test_a_closed_stream_ends_its_preview(served: tuple[int, Store]) -> None:
    port, store = served
    connection, answer = begin(port, body(1, client="leaver"))
    assert answer.status == 200 and answer.read(4)
    (row,) = rows(store)
    assert not is_run_id(row.id) and store.search(None)[1] == 0 and store.count_active() == {"queued": 0, "running": 0}
    for path in (f"/api/jobs/{row.id}/report.html", f"/api/runs/{row.id}"):
        other = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        other.request("GET", path)
        assert other.getresponse().status == 404
        other.close()
    answer.close()
    connection.close()
    until(lambda: left_behind(store) == 0, 10)


@pytest.mark.timeout(240)
def test_another_owner_gets_a_turn_while_a_slider_moves(served: tuple[int, Store]) -> None:
    port, store = served
    stop = threading.Event()

    def drag() -> None:
        seq = 0
        while not stop.is_set():
            seq += 1
            threading.Thread(target=ask, args=(port, body(seq, client="dragger", eta_points=seq)), daemon=True).start()
            time.sleep(0.1)

    dragger = threading.Thread(target=drag)
    dragger.start()
    try:
        status, parts = ask(port, body(1, client="other"), YOU)
    finally:
        stop.set()
        dragger.join()
    assert status in (200, 429)
    assert status == 429 or head(parts[-1])["status"] == "finished"
    until(lambda: left_behind(store) == 0, 20)


def test_a_request_waits_no_longer_than_a_turn(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    store.record_heartbeat(EngineInfo("e", "here", 1, now, now, previews=True))
    spec = parse(json.loads(body()))[2]
    for owner in (YOU, "t" * 43):
        store.submit_preview(owner, "b", 1, spec)
    monkeypatch.setattr(preview, "TURN", 0.2)
    assert ask_here() == (429, {"error": "Someone else's preview is running. Try again in 1 s."})
    until(lambda: len(rows(store)) == 2, 5)


@pytest.mark.parametrize("empty_url", ["postgres"], indirect=True)
@pytest.mark.long
@pytest.mark.timeout(180)
def test_postgresql_tells_a_reader_who_does_not_wait_for_the_next_look(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(empty_url)
    monkeypatch.setattr(preview.api, "get_store", lambda: store)
    monkeypatch.setattr(preview, "TOLD", 90.0)
    monkeypatch.setattr(preview, "SILENCE", 120.0)
    monkeypatch.setattr(Request, "is_disconnected", lambda _: asyncio.sleep(0, False))
    asked = preview.Asked(ME, "a", 1, parse(json.loads(body()))[2])
    id = store.submit_preview(ME, "a", 1, asked.spec)
    assert id is not None

    def compute() -> None:
        until(lambda: store.database.hears, 20)
        time.sleep(1)  # the reader has looked, and waits
        assert store.claim("e", kinds=(PREVIEW,)) is not None
        store.end_preview(id, "done", "", "{}", attempt=1)

    worker, began = threading.Thread(target=compute), time.monotonic()
    worker.start()
    assert asyncio.run(preview._Film(id, asked).read_first(Request({"type": "http"}))) == b""
    assert time.monotonic() - began < 60
    worker.join()
    store.close()
