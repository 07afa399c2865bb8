"""Tables taken in and files handed out by the server: capped, from its own page alone, and to their owner alone."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.requests import Request

from app import api
from engine.events import pack
from engine.spec import table_limits
from engine.store import Store, arrival, quotas
from engine.store.schema import OWNERS, PIECES, UPLOADS
from tests.app import fabricate
from tests.app.test_server import server, until
from tests.engine.comparisons import comparison, profile, tables

ME, YOU = "m" * 43, "y" * 43
CANARY = "c4n4ry"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Store]]:
    folder = tmp_path_factory.mktemp("store")
    store = fabricate.fresh(folder)
    (folder / "tmp").mkdir()
    store.add_upload("an owner who is silent", "old.csv", b"a,b")
    with store.database.writing() as db:
        db.execute(OWNERS.update().values(seen=time.time() - 1801))
    with (folder / "server.log").open("wb") as log, server(folder, log=log, TMPDIR=str(folder / "tmp")) as (_, port):
        yield port, store
    store.close()


def call(
    port: int, method: str, path: str, body: Any = None, **headers: str | None
) -> tuple[int, http.client.HTTPMessage, bytes]:
    """As the page's own script asks, but for what `headers` change (None leaves one out)."""
    usual: dict[str, str | None] = {"Cookie": f"lab_owner={ME}", "Origin": f"http://127.0.0.1:{port}"}
    if method == "POST":
        usual |= {"Content-Type": "application/octet-stream", "X-File-Name": "mine.csv"}
    sent = {name.replace("_", "-"): value for name, value in (usual | headers).items() if value is not None}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def send(port: int, data: Any, **headers: str | None) -> tuple[int, dict[str, Any]]:
    status, answered, body = call(port, "POST", "/api/uploads", data, **headers)
    assert answered["Cache-Control"] == "no-store" and answered["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in answered
    return status, json.loads(body)


def kept(store: Store) -> int:
    with store.database.reading() as db:
        return int(db.execute(sa.select(sa.func.count()).select_from(UPLOADS)).scalar_one())


def test_a_server_without_an_engine_forgets_who_is_silent(served: tuple[int, Store]) -> None:
    _, store = served
    until(lambda: not store.uploads("an owner who is silent"), 10)
    assert "Traceback" not in (store.database.lock_path.parent / "server.log").read_text()


def test_a_table_arrives_whole_under_its_owner(served: tuple[int, Store]) -> None:
    port, store = served
    data = bytes(range(256)) * 10_000  # 2.5 MB, in many pieces
    status, answer = send(port, data, X_File_Name="Umsatz%20%C3%BC%3Cb%3E.csv")
    assert (status, answer) == (201, {"id": answer["id"], "name": "Umsatz ü<b>.csv", "bytes": len(data)})
    assert store.read_upload(answer["id"], ME) == ("Umsatz ü<b>.csv", data) and store.uploads(YOU) == []
    pieces = (data[start : start + 100_000] for start in range(0, len(data), 100_000))
    status, chunked = send(port, pieces, Sec_Fetch_Site="same-origin", Origin=None)
    assert status == 201 and store.read_upload(chunked["id"], ME) == ("mine.csv", data), "and without a length said before"
    store.forget(ME)


@pytest.mark.parametrize(
    ("headers", "status", "said"),
    [
        ({"Cookie": None}, 403, "cookie"),
        ({"Cookie": "lab_owner=chosen-by-me"}, 403, "cookie"),
        ({"Cookie": "other=1"}, 403, "cookie"),
        ({"Origin": "http://evil.example"}, 403, "did not come from this page"),
        ({"Origin": "null"}, 403, "did not come from this page"),
        ({"Origin": None}, 403, "did not come from this page"),
        ({"Sec_Fetch_Site": "cross-site"}, 403, "did not come from this page"),
        ({"Sec_Fetch_Site": "same-site"}, 403, "did not come from this page"),
        ({"Content_Type": "multipart/form-data; boundary=x"}, 415, "forms are not taken"),
        ({"Content_Type": "text/plain"}, 415, "forms are not taken"),
        ({"X_File_Name": "photo.PNG"}, 415, r"end in \.png are not read"),
        ({"X_File_Name": "old.xls"}, 415, r"Excel \(\.xlsx\)"),
        ({"Content_Length": str(table_limits.MAX_BYTES + 1)}, 413, "more than 512 MiB"),
    ],
)
def test_what_is_refused_gets_one_sentence_and_is_not_kept(
    served: tuple[int, Store], headers: dict[str, str | None], status: int, said: str
) -> None:
    port, store = served
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    usual = {"Cookie": f"lab_owner={ME}", "Origin": f"http://127.0.0.1:{port}", "X_File_Name": "a.csv"}
    sent = usual | {"Content_Type": "application/octet-stream", "Content_Length": "7"} | headers
    connection.putrequest("POST", "/api/uploads")
    for name, value in sent.items():
        if value is not None:
            connection.putheader(name.replace("_", "-"), value)
    connection.endheaders(b"a,b\n1,2")
    answer = connection.getresponse()
    assert answer.status == status
    words = json.loads(answer.read())
    connection.close()
    assert list(words) == ["error"] and re.search(said, words["error"])
    assert words["error"].endswith((".", "again.")) and "\n" not in words["error"]
    assert kept(store) == 0


def test_an_empty_table_and_one_too_many_are_refused(served: tuple[int, Store]) -> None:
    port, store = served
    status, answer = send(port, b"")
    assert status == 400 and "empty" in answer["error"]
    for _ in range(quotas.MOST_TABLES):
        assert send(port, b"a")[0] == 201
    status, answer = send(port, b"a")
    assert status == 400 and "forget one first" in answer["error"]
    store.forget(ME)
    for method in ("PUT", "DELETE"):
        assert call(port, method, "/api/uploads")[0] in (404, 405)


# ---- the route itself, with a browser that misbehaves


def ask(store: Store, monkeypatch: pytest.MonkeyPatch, pieces: list[Any], **headers: str) -> tuple[int, Any]:
    """POST with those pieces; "gone" ends the connection, "waits" sends nothing more."""
    monkeypatch.setattr(api, "get_store", lambda: store)
    named = {"host": "h", "origin": "http://h", "cookie": f"lab_owner={ME}", "content-type": api.BODY, "x-file-name": CANARY}
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in (named | headers).items()]
    left = list(pieces)

    async def receive() -> dict[str, Any]:
        one = left.pop(0) if left else b""
        if one == "gone":
            return {"type": "http.disconnect"}
        if one == "waits":
            await asyncio.sleep(60)
        return {"type": "http.request", "body": one, "more_body": bool(left)}

    answer = asyncio.run(api.receive_table(Request({"type": "http", "method": "POST", "headers": raw, "path": "/"}, receive)))
    return answer.status_code, bytes(answer.body)


def nothing(store: Store, folder: Path) -> bool:
    with store.database.reading() as db:
        counts = [db.execute(sa.select(sa.func.count()).select_from(table)).scalar_one() for table in (UPLOADS, PIECES)]
    store.purge(5.0)
    return counts == [0, 0] and not [p for p in folder.rglob("*") if p.is_file() and CANARY.encode() in p.read_bytes()]


def test_a_table_that_grows_too_large_is_cut_off_while_it_arrives(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrival, "MAX_BYTES", 2 << 20)
    piece = (CANARY * 20_000).encode()
    status, body = ask(store, monkeypatch, [piece] * 40)
    assert status == 413 and b"more than 2 MiB" in body and nothing(store, tmp_path)


@pytest.mark.parametrize("ending", ["gone", "waits"])
def test_a_browser_that_leaves_or_falls_asleep_leaves_nothing(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    monkeypatch.setattr(arrival, "ARRIVAL", 0.6)
    monkeypatch.setattr(api, "LISTEN", 0.1)
    began = time.monotonic()
    status, body = ask(store, monkeypatch, [(CANARY * 200_000).encode(), ending])
    assert time.monotonic() - began < 5 and nothing(store, tmp_path)
    assert (status, body) == (400, b"") if ending == "gone" else status == 408 and b"minutes to arrive" in body


def test_a_stop_of_the_server_leaves_nothing(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "get_store", lambda: store)

    async def scenario() -> None:
        arrived = asyncio.Event()

        async def receive() -> dict[str, Any]:
            if arrived.is_set():
                await asyncio.sleep(60)
            arrived.set()
            return {"type": "http.request", "body": (CANARY * 200_000).encode(), "more_body": True}

        raw = {"host": "h", "origin": "http://h", "cookie": f"lab_owner={ME}", "content-type": api.BODY}
        headers = [(name.encode(), value.encode()) for name, value in raw.items()]
        task = asyncio.create_task(api.receive_table(Request({"type": "http", "method": "POST", "headers": headers}, receive)))
        await arrived.wait()
        await asyncio.sleep(0.3)
        assert kept(store) == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())
    assert nothing(store, tmp_path)


# ---- out


def finished(store: Store, owner: str) -> str:
    """A comparison of a new table, done."""
    upload = store.add_upload(owner, "mine <i>.csv", b"a,b")
    job = store.submit_compare(owner, {"source": {"upload": upload}, "target": "b", "budget": 15})
    claimed = store.claim("e", kinds=("compare",))
    assert claimed is not None and claimed.id == job.id
    found, _ = comparison()
    found["methods"].append(found["methods"][0] | {"name": "in use", "title": "Score in use", "model": "in use"})
    artifacts = {"comparison": json.dumps(found).encode(), "model/smote": b"PK the model", "augmented/ce": b"a,b\n1,2\n"}
    assert store.save_result(job.id, ("{}", b""), artifacts, attempt=1)
    return job.id


def test_files_of_a_comparison_are_its_owner_s_alone(served: tuple[int, Store]) -> None:
    port, store = served
    job = finished(store, ME)
    files = {
        "leaderboard.csv": b"Gradient-boosted trees",
        "leaderboard.md": b"| ",
        "leaderboard.tex": b"tabular",
        "comparison.json": b'"verdict"',
        "code-smote.py": b"import",
        "code-in-use.py": b"turn_score",
        "model-smote.zip": b"PK the model",
        "augmented-ce.csv": b"a,b",
    }
    for name, holds in files.items():
        status, headers, body = call(port, "GET", f"/api/jobs/{job}/{name}")
        assert status == 200 and holds in body, (name, status, body[:200])
        assert headers["Content-Disposition"] == f'attachment; filename="{name}"' and headers["Cache-Control"] == "no-store"
        for cookie in (None, f"lab_owner={YOU}", "lab_owner="):
            refused = call(port, "GET", f"/api/jobs/{job}/{name}", Cookie=cookie)
            assert refused[0] == 404 and refused[2].decode() == api.NO_FILE
    for name in ("no.csv", "model-ce.zip", "model-nothing.zip", "model-smote.csv", "code-smote.zip", "..%2f..%2fetc"):
        assert call(port, "GET", f"/api/jobs/{job}/{name}")[0] in (400, 404), name
    assert call(port, "GET", "/api/jobs/0123456789abcdef/leaderboard.csv")[2].decode() == api.NO_FILE
    store.forget(ME)
    assert call(port, "GET", f"/api/jobs/{job}/leaderboard.csv")[2].decode() == api.NO_FILE
    with store.database.reading() as db:
        assert db.execute(sa.select(OWNERS)).all() == []


def test_the_report_of_a_run_is_for_those_who_may_see_it(served: tuple[int, Store]) -> None:
    port, store = served
    public = fabricate.family_done(store, fabricate.spec(folds=2, seeds=2))
    status, headers, body = call(port, "GET", f"/api/jobs/{public.id}/report.html", Cookie=None)
    assert status == 200 and body.startswith(b"<!DOCTYPE html>") and b"Explicit gradient" in body
    assert headers["Content-Type"].startswith("text/html") and headers["Content-Disposition"].startswith("attachment")
    upload = store.add_upload(ME, "mine.csv", b"a,b")
    spec = (
        fabricate.spec("glass2", "ce", None)
        .with_(dataset=f"upload/{upload}", data={"target": "b"})
        .complete(fabricate.catalog())
    )
    answer = fabricate.result(fabricate.spec("glass2", "ce", None))
    private = store.submit(spec, owner=ME)
    claimed = store.claim("e", kinds=("run",))
    assert claimed is not None and claimed.id == private.id
    waiting = call(port, "GET", f"/api/jobs/{private.id}/report.html")
    assert waiting[0] == 404 and waiting[2].decode() == api.NO_FILE
    answer.spec.update(spec.to_json())
    assert store.save_result(private.id, (json.dumps(answer.to_json()), pack(answer.arrays)), {}, attempt=claimed.attempt)
    assert call(port, "GET", f"/api/jobs/{private.id}/report.html")[0] == 200
    for cookie in (None, f"lab_owner={YOU}"):
        assert call(port, "GET", f"/api/jobs/{private.id}/report.html", Cookie=cookie)[2].decode() == api.NO_FILE
    assert call(port, "GET", f"/api/jobs/{public.id}/leaderboard.csv")[0] == 404
    store.forget(ME)


def test_another_browser_s_run_is_answered_like_one_that_is_not_there(served: tuple[int, Store]) -> None:
    port, store = served
    job, unknown = finished(store, YOU), "0123456789abcdef"
    nothing = call(port, "GET", f"/api/runs/{unknown}", Cookie=None)
    assert nothing[0] == 404
    for cookie in (None, f"lab_owner={ME}"):
        status, headers, body = call(port, "GET", f"/api/runs/{job}", Cookie=cookie)
        assert (status, body) == (404, nothing[2].replace(unknown.encode(), job.encode()))
        assert headers.keys() == nothing[1].keys()
    own = call(port, "GET", f"/api/runs/{job}", Cookie=f"lab_owner={YOU}")
    assert own[0] == 400 and b"private table" in own[2]
    store.forget(YOU)


def test_the_report_is_of_all_that_is_there(served: tuple[int, Store]) -> None:
    port, store = served
    upload = store.add_upload(ME, "mine <i>.csv", b"a,b")
    found, arrays = comparison()
    for target, name in (("left", "customer_id"), ("other", "not this one")):
        asked = store.submit_profile(ME, upload, {"target": target})
        assert store.claim("e", kinds=("profile",)).id == asked.id
        about = profile(names=(name, target))
        assert store.save_result(asked.id, ("{}", b""), {"profile": json.dumps(about).encode()}, attempt=1)
    job = store.submit_compare(ME, {"source": {"upload": upload}, "target": "left", "budget": 15}).id
    assert store.claim("e", kinds=("compare",)).id == job
    packed = {f"thresholds/{key}": pack(made) for key, made in tables(found, arrays).items()}
    artifacts = {"comparison": json.dumps(found).encode(), "arrays": pack(arrays), **packed}
    assert store.save_result(job, ("{}", b""), artifacts, attempt=1)
    status, headers, body = call(port, "GET", f"/api/jobs/{job}/report.html")
    text = body.decode()
    assert status == 200 and headers["Content-Type"].startswith("text/html") and "attachment" in headers["Content-Disposition"]
    assert "mine &lt;i&gt;.csv" in text and "customer_id" in text and "not this one" not in text
    assert "Thresholds" in text and "Precision and recall" in text and upload not in text
    assert call(port, "GET", f"/api/jobs/{job}/report.html", Cookie=f"lab_owner={YOU}")[0] == 404


def test_the_server_writes_names_and_rows_nowhere_but_into_the_store(served: tuple[int, Store]) -> None:
    port, store = served
    folder = store.database.lock_path.parent

    def holds() -> set[str]:
        return {path.name for path in folder.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()}

    status, answer = send(port, CANARY.encode() * 500_000, X_File_Name=f"{CANARY}.csv")  # 3 MB: a form's parser would spool it
    assert status == 201 and answer["name"] == f"{CANARY}.csv"
    assert send(port, b"", X_File_Name=f"{CANARY}.csv")[0] == 400 and send(port, b"", X_File_Name=f"{CANARY}.png")[0] == 415
    assert call(port, "GET", f"/api/jobs/0123456789abcdef/{CANARY}.csv")[0] == 404
    assert holds() <= {"lab.db", "lab.db-wal", "server.log"} and holds() & {"lab.db", "lab.db-wal"}
    lines = [line for line in (folder / "server.log").read_text().splitlines() if CANARY in line]
    assert all("/api/jobs/" in line for line in lines), "an address that somebody typed, at most"
    store.forget(ME)
    assert not holds() & {"lab.db", "lab.db-wal"}
    assert list((folder / "tmp").iterdir()) == []


def test_the_server_s_health_names_nothing(served: tuple[int, Store]) -> None:
    port, store = served
    finished(store, ME)
    body = call(port, "GET", "/api/health", Cookie=f"lab_owner={YOU}")[2].decode()
    assert set(json.loads(body)) == {"status", "engines", "queued", "running"} and "mine" not in body
    store.forget(ME)
