"""The server's routes besides the page: a table is taken in, files of a person's jobs are handed out to their owner alone, and the way to
the sign-in.

They are routes of our own because Streamlit's uploader and download button keep the bytes in the page's process and answer
anybody who has the link. Names of files travel in headers and bodies and never in an address, since logs keep addresses.
"""

from __future__ import annotations

import asyncio
import io
import json
import re
import tempfile
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

import engine
from app import sign_in
from app.session.jobs import BUNDLED
from app.session.lab_address import is_run_id
from app.session.store import CATALOG, open_store
from app.session.visitor import NO_OWNER, can_sign_in, explain_demo, find_person, is_demo, parse_owner
from engine.errors import BadInput, LabError, NotAllowed, StoreError, TooLarge, TooSlow, UnknownName, WrongType
from engine.report import comparison_code, leaderboard
from engine.store import Store, arrival, default_url

BODY = "application/octet-stream"
"""The content type of a table that is sent. A page of another site cannot send it without a preflight request."""
FOREIGN = "The table did not come from this page: open the page anew and send it from there."
NO_BUNDLE = "There is no such file here: a bundle is of finished runs, by their ids, and of a hundred at most."
NO_SIGN_IN = "Nobody signs in here: this server has no accounts."
NO_FILE = "There is no such file here: the comparison is not finished, was forgotten, or belongs to another browser."
LISTEN = 2.0
"""Seconds for which the rest of a refused table is read, since a browser that is cut off while it sends reads no answer."""
_STATUS = (
    (NotAllowed, 403),
    (TooLarge, 413),
    (TooSlow, 408),
    (WrongType, 415),
    (UnknownName, 404),
    (BadInput, 400),
    (StoreError, 503),
)
_METHOD = re.compile(r"(model|augmented|code|onnx-script|onnx)-([a-z0-9+-]{1,60})\.(zip|csv|py|onnx)")
_KEPT = {
    ("model", "zip"): "application/zip",
    ("onnx", "onnx"): "application/octet-stream",
    ("onnx-script", "py"): "text/x-python; charset=utf-8",
    ("augmented", "csv"): "text/csv",  # in the encoding of the table
}
"""Files of a row that a job keeps as artifacts: (what, ending) -> content type."""
_ALWAYS = {"Cache-Control": "no-store"}

_stores: dict[str, Store] = {}
_opening = threading.Lock()


def get_store() -> Store:
    """Return the store that LAB_STORE names, opened once for the server's own threads. Raises StoreError."""
    url = default_url()
    with _opening:
        if url not in _stores:
            _stores[url] = open_store(url)
        return _stores[url]


def read_owner(request: Request) -> str | None:
    """Return whose tables a request may read: the person's who has signed in, else the token of its cookie; None without one.

    Call it on a worker thread: it asks the store. Raises StoreError.
    """
    person = find_person(request.cookies, request.headers, get_store)
    return person.owner if person is not None else parse_owner(request.headers.get("cookie", ""))


def begin_sign_in(request: Request) -> Response:
    """GET /api/sign-in: to the provider, remembering the page that it was asked from, by its Referer."""
    if not can_sign_in() or sign_in.read_provider() is None:
        return PlainTextResponse(NO_SIGN_IN, 404, _ALWAYS)
    place = sign_in.find_way_back(request.headers.get("referer", ""), request.headers["host"])
    answer = RedirectResponse(sign_in.begin_sign_in(), 302, _ALWAYS)
    answer.headers.append("Set-Cookie", sign_in.write_return_cookie(place, secure=request.url.scheme == "https"))
    return answer


async def receive_table(request: Request) -> Response:
    """POST /api/uploads: the bytes of a table as the body, its name percent-encoded in X-File-Name.

    201 {"id", "name", "bytes"}; else {"error": one sentence} and nothing is kept.
    """
    try:
        answer = await _store_table(request)
    except ClientDisconnect:
        return Response(status_code=400)  # the client is gone
    except LabError as error:
        await _drain(request)
        return JSONResponse({"error": str(error)}, _status_code(error), _ALWAYS)
    return answer


async def _store_table(request: Request) -> Response:
    if is_demo():
        raise NotAllowed(explain_demo("no table is taken"))
    owner = await asyncio.to_thread(read_owner, request)
    if not is_same_origin(request.headers):
        raise NotAllowed(FOREIGN)
    if owner is None:
        raise NotAllowed(NO_OWNER)
    if request.headers.get("content-type", "") != BODY:
        raise WrongType(f"A table is sent as it is, as {BODY}; forms are not taken.")
    length = request.headers.get("content-length", "")
    name = unquote(request.headers.get("x-file-name", ""), errors="replace")
    writer = await asyncio.to_thread(_begin_upload, owner, name, int(length) if length.isdecimal() else None)
    whole = False
    try:
        try:
            async with asyncio.timeout(arrival.ARRIVAL):
                async for piece in request.stream():
                    await asyncio.to_thread(writer.write, piece)
        except TimeoutError:
            raise TooSlow(arrival.too_slow()) from None
        id = await asyncio.to_thread(writer.finish)
        whole = True
    finally:
        if not whole:
            writer.abandon()  # here and now: this task may be cancelled, and wait for nothing
    one = await asyncio.to_thread(get_store().upload, id, owner)
    return JSONResponse({"id": id, "name": one.name, "bytes": one.size}, 201, _ALWAYS)


async def _drain(request: Request) -> None:
    with suppress(TimeoutError, ClientDisconnect, RuntimeError):  # RuntimeError: the body was read already
        async with asyncio.timeout(LISTEN):
            async for _ in request.stream():
                pass


def _begin_upload(owner: str, name: str, size: int | None) -> arrival.UploadWriter:
    return get_store().begin_upload(owner, name, size)


def is_same_origin(headers: Mapping[str, str]) -> bool:
    """Whether the request comes from a page of this server. A browser names its origin; a request that names none is
    refused."""
    if "sec-fetch-site" in headers:
        return headers["sec-fetch-site"] == "same-origin"
    return bool(headers.get("host")) and urlsplit(headers.get("origin", "")).netloc == headers["host"]


def send_file(request: Request) -> Response:
    """GET /api/jobs/{job}/{file}: a file of a finished comparison or run, to those who may see it.
    See `app.session.jobs.file_url`."""
    job, name = request.path_params["job"], request.path_params["file"]
    try:
        content = _make_file(job, name, read_owner(request))
    except LabError as error:
        return PlainTextResponse(str(error), _status_code(error), _ALWAYS)
    if content is None:
        return PlainTextResponse(NO_FILE, 404, _ALWAYS)
    data, kind = content
    return Response(data, 200, {**_ALWAYS, "Content-Disposition": f'attachment; filename="{name}"'}, kind)


def send_bundle(request: Request) -> Response:
    """GET /api/runs/{ids}: finished public runs, ids joined by '-', as one zip. See `app.session.jobs.bundle_url`.

    A run of another browser's table is answered like one that is not there.
    """
    ids = list(dict.fromkeys(request.path_params["ids"].split("-")))
    if len(ids) > BUNDLED or not all(map(is_run_id, ids)):
        return PlainTextResponse(NO_BUNDLE, 404, _ALWAYS)
    try:
        owner = read_owner(request)
        for id in ids:
            get_store().job(id, owner)
        folder = tempfile.TemporaryDirectory()
        try:
            get_store().export(ids, Path(folder.name) / "runs.zip")
        except BaseException:
            folder.cleanup()
            raise
    except LabError as error:
        return PlainTextResponse(str(error), _status_code(error), _ALWAYS)
    headers = {**_ALWAYS, "Content-Disposition": 'attachment; filename="runs.zip"'}
    return StreamingResponse(_read_chunks(folder, "runs.zip"), 200, headers, "application/zip")


def _read_chunks(folder: tempfile.TemporaryDirectory[str], name: str) -> Iterator[bytes]:
    """Yield a file of a folder piece by piece, and remove the folder."""
    with folder as path, (Path(path) / name).open("rb") as data:
        while piece := data.read(1 << 18):
            yield piece


def send_engine(request: Request) -> Response:
    """GET /api/engine.zip: the package `engine` with the list of what it needs, so that a model or code taken away runs elsewhere."""
    headers = {"Content-Disposition": 'attachment; filename="engine.zip"'}
    return Response(zip_engine(), 200, headers, "application/zip")


@cache
def zip_engine() -> bytes:
    """The package `engine` as it is here, its licence and `requirements.txt` of what it needs, as a zip for one's own code."""
    home = Path(engine.__file__).resolve().parent
    files = [path for path in sorted(home.rglob("*")) if path.is_file() and "__pycache__" not in path.parts]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for path in files:
            made.write(path, f"engine/{path.relative_to(home).as_posix()}")
        made.writestr("requirements.txt", "\n".join(_list_requirements(home.parent)) + "\n")
        if (licence := home.parent / "LICENSE").is_file():
            made.write(licence, "LICENSE")
    return out.getvalue()


def _list_requirements(root: Path) -> list[str]:
    """What the engine needs: the list in the source's folder, else that of the installed package."""
    listed = root / "requirements-engine.txt"
    if listed.is_file():
        return listed.read_text(encoding="utf-8").splitlines()
    return list(metadata.requires("imbalance-lab") or ())


def _make_file(job: str, name: str, owner: str | None) -> tuple[bytes | str, str] | None:
    """Return (content, content type) of a file, None where it cannot be made."""
    here = get_store()
    if name == "report.html":
        return _make_report(here, job, owner)
    if name == "scored.csv":
        rows = here.artifact(job, name, owner=owner)
        return None if rows is None else (rows, "text/csv")  # in the encoding of the table
    if (found := _METHOD.fullmatch(name)) is not None and (found[1], found[3]) in _KEPT:
        kept = here.artifact(job, f"{found[1]}/{found[2]}", owner=owner)
        return None if kept is None else (kept, _KEPT[found[1], found[3]])
    comparison = here.read_answer(job, "comparison", owner)
    if not isinstance(comparison, dict):
        return None
    if name == "comparison.json":
        return json.dumps(comparison, indent=2), "application/json"
    tables = {
        "leaderboard.csv": (leaderboard.write_leaderboard_csv, "text/csv; charset=utf-8"),
        "leaderboard.md": (leaderboard.write_leaderboard_markdown, "text/markdown; charset=utf-8"),
        "leaderboard.tex": (leaderboard.write_leaderboard_latex, "application/x-tex; charset=utf-8"),
    }
    if name in tables:
        write, kind = tables[name]
        return write(comparison), kind
    return _make_method_file(here, job, name, owner, comparison)


def _make_report(here: Store, job: str, owner: str | None) -> tuple[str, str] | None:
    """The report of a finished job, if there is one of its kind."""
    from engine.report import ReportRequest, kinds, write_report  # most people never ask for it

    found, _ = here.read_results([job], owner, fields=False).get(job, (None, None))
    if found is None or found.state != "done" or found.kind not in kinds():
        return None
    catalog = here.catalog() or json.loads(CATALOG.read_text(encoding="utf-8"))
    return write_report(found.kind, ReportRequest(catalog, here, job, owner)), "text/html; charset=utf-8"


def _make_method_file(
    here: Store, job: str, name: str, owner: str | None, comparison: Mapping[str, Any]
) -> tuple[bytes | str, str] | None:
    found = _METHOD.fullmatch(name)
    rows = {comparison_code.name_code(row["name"]): row["name"] for row in comparison["methods"]}
    if found is None or name not in rows:
        return None
    upload = here.job(job, owner).upload
    named = {"file": here.upload(upload, owner).name} if upload is not None else {}
    return comparison_code.write_row(comparison, rows[name], **named), "text/x-python; charset=utf-8"


def _status_code(error: LabError) -> int:
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


routes = [
    Route("/api/uploads", receive_table, methods=["POST"]),
    Route("/api/jobs/{job}/{file}", send_file, methods=["GET"]),
    Route("/api/runs/{ids}", send_bundle, methods=["GET"]),
    Route("/api/engine.zip", send_engine, methods=["GET"]),
    Route("/api/sign-in", begin_sign_in, methods=["GET"]),
]
