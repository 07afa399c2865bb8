"""The web server around the page: security headers, the owner's cookie, /api (see `app.api`, `app.preview`), and an engine where none is
alive.

    python -m streamlit run app/server.py        or        uvicorn app.server:app

Importing this module imports the page once, so that the first visitor does not wait for it. Nothing here imports torch.
"""

from __future__ import annotations

import sys
from pathlib import Path

if (root := str(Path(__file__).resolve().parent.parent)) not in sys.path:  # `streamlit run` puts only this folder there
    sys.path.insert(0, root)

import asyncio
import base64
import gc
import hashlib
import logging
import os
import re
import secrets
import subprocess
import threading
import time
import traceback
from collections.abc import AsyncIterator, Callable, MutableMapping
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import streamlit as st
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from app import api, garbage, logs, metrics, origin, preview, sign_in
from app.frame.pages import find_pages
from app.session.visitor import OWNER_COOKIE, drop_closed_sessions, is_demo, parse_owner
from engine import system
from engine.errors import LabError
from engine.store import Store

if TYPE_CHECKING:
    from filelock import BaseFileLock

find_pages("app.views")  # imports them all at start, so that no visitor waits for the imports
gc.freeze()  # imported objects stay: collecting them delayed pages by 0.1 s

log = logging.getLogger("imbalance_lab.server")

EXPIRE = 60.0
"""Seconds between two searches for owners without a sign of life."""
_MONTH = 30 * 24 * 3600


# ---- headers and cookie


def hash_scripts(page: str) -> list[str]:
    """Return the CSP sources of every inline script of an HTML page: 'sha256-...' of its text."""
    inline = re.findall(r"<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>", page, flags=re.S)
    return [f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in inline]


def write_policy(page: str) -> str:
    """Return the content security policy: this server alone, its own scripts, and the inline ones of Streamlit's index page.

    `blob:` is for components whose script Streamlit passes as text. No other host is named.
    """
    scripts = " ".join(["'self'", "blob:", *hash_scripts(page)])
    return (
        f"default-src 'self'; script-src {scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
        "font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; frame-ancestors 'self'; object-src 'none'; "
        "base-uri 'self'; form-action 'self'"
    )


def list_headers() -> dict[str, str]:
    """Return the headers of every answer. Reads the index page of the installed Streamlit."""
    index = Path(st.__file__).parent / "static" / "index.html"
    return {
        "Content-Security-Policy": write_policy(index.read_text(encoding="utf-8")),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "SAMEORIGIN",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    }


class Guard:
    """ASGI middleware: refuses what does not come from the page itself (`app.origin`), before Streamlit sees it; puts the security
    headers on every answer, and the owner's cookie on a page that comes without one. Metrics, Streamlit's own among them, are for
    those whom `app.metrics` lets in.
    Of who signs in (`app.sign_in`) it drops a proxy's header that comes without the secret, and leads back to where one was.

    The token is 256 random bits; scripts cannot read it (HttpOnly), other sites' requests do not carry it (SameSite=Lax), and
    over https it never travels in the clear (Secure).
    """

    def __init__(self, app: Any, headers: dict[str, str]) -> None:
        self.app, self.headers = app, headers
        self.hosts = origin.read_hosts()
        self.proxy = sign_in.read_proxy()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Handle one connection."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        scope = sign_in.drop_untrusted(scope, self.proxy)
        refusal = origin.why_refused(scope, st.get_option("server.address"), self.hosts)
        if scope["type"] == "websocket":
            if refusal:
                metrics.requests.count_refusal()
                await receive()  # the request to connect
                await send({"type": "websocket.close", "code": 1008, "reason": refusal})  # before it is accepted: 403
            else:
                metrics.requests.add_websockets(1)
                try:
                    await self.app(origin.with_plain_origin(scope), receive, send)
                finally:
                    metrics.requests.add_websockets(-1)
            return
        request = Request(scope)
        kinds = request.headers.get("accept", "")  # an unchanged page is answered without a content type
        known = parse_owner(request.headers.get("cookie", ""))
        began = time.monotonic()

        async def answer_without_cookie(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                route = metrics.name_route(request.url.path)
                metrics.requests.count_answer(route, message["status"], time.monotonic() - began)
                MutableHeaders(scope=message).update(self.headers)
            await send(message)

        async def answer(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if request.url.path == sign_in.CALLBACK:
                    lead_back(request, headers)
                if not known and request.method == "GET" and "text/html" in kinds + headers.get("content-type", ""):
                    headers.append("Set-Cookie", write_cookie(secrets.token_urlsafe(32), secure=scope["scheme"] == "https"))
                if scope["scheme"] == "https":
                    secure_cookies(message)
            await answer_without_cookie(message)

        if refusal:
            metrics.requests.count_refusal()
            sentence = (
                JSONResponse({"error": refusal}, 403) if "/api/" in request.url.path else PlainTextResponse(f"{refusal}\n", 403)
            )
            await sentence(scope, receive, answer_without_cookie)
        elif metrics.is_guarded(request.url.path) and not metrics.is_allowed(scope):
            await metrics.refuse()(scope, receive, answer_without_cookie)
        elif origin.UPLOADER in request.url.path:
            await PlainTextResponse("Files are taken at /api/uploads alone.\n", 404)(scope, receive, answer_without_cookie)
        else:
            await self.app(origin.with_plain_origin(scope), receive, answer)


def write_cookie(token: str, *, secure: bool) -> str:
    """Return the Set-Cookie line of an owner's token."""
    line = f"{OWNER_COOKIE}={token}; Path=/; Max-Age={_MONTH}; HttpOnly; SameSite=Lax"
    return line + ("; Secure" if secure else "")


def secure_cookies(message: MutableMapping[str, Any]) -> None:
    """Add Secure to every cookie that an answer by https sets: Streamlit's own lack it."""
    message["headers"] = [
        (key, sign_in.make_secure(value.decode("latin-1")).encode("latin-1") if key.lower() == b"set-cookie" else value)
        for key, value in message["headers"]
    ]


def lead_back(request: Request, headers: MutableHeaders) -> None:
    """Send the browser that comes from the provider to where it was when it began to sign in, instead of to the first page."""
    if "location" in headers and sign_in.RETURN_COOKIE in request.cookies and sign_in.is_on():
        headers["location"] = sign_in.read_return_cookie(request.cookies)
        headers.append("Set-Cookie", sign_in.drop_return_cookie())


# ---- health


def report_health(request: Request) -> JSONResponse:
    """Answer 200 with an engine alive or in a demonstration, 503 otherwise, as JSON.
    Runs on a worker thread, since it reads the store."""
    try:
        store = api.get_store()
        living, queue = store.engines(), store.count_active()
    except LabError as error:
        return JSONResponse({"status": "no store", "reason": str(error)}, 503)
    status = "demonstration" if is_demo() else "ok" if living else "no engine"
    body = {"status": status, "engines": len(living), **queue}
    return JSONResponse(body, 200 if living or is_demo() else 503, {"Cache-Control": "no-store"})


# ---- the embedded engine


class Engine:
    """Keeps one engine process on a SQLite store where none is alive, and ends it with the server.

    A lock file beside the database lets one server alone do this. An engine whose server ended without ending it is found by the
    name of its process beside the database, and taken over. An engine that dies is started again: at once
    where its workers had come up or it lived for a minute, else after a second and then after twice as long each time, up to a minute.
    """

    LONGEST = 60.0

    def __init__(self, store: Store) -> None:
        self.store = store
        self.process: subprocess.Popen[bytes] | system.AdoptedProcess | None = None
        self.starts: list[float] = []
        self._wait, self._next = 0.0, 0.0
        self._searched = self._up = False
        self._stop = threading.Event()
        self._lock: BaseFileLock | None = None
        self._thread = threading.Thread(target=self._watch, name="embedded-engine", daemon=True)

    def start(self) -> None:
        """Begin to watch; returns at once."""
        self._thread.start()

    def stop(self, patience: float = 5.0) -> None:
        """End the engine if this server started it: asked first, killed after `patience` seconds."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        if not self._searched and self._alone():
            self.process = self._find_left_behind()  # this server ends before it had looked for one
        if self.process is not None:
            system.stop_process(self.process, patience)
            self._record.unlink(missing_ok=True)
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _watch(self) -> None:
        while not self._stop.wait(0.2):
            try:
                self._look()
            except LabError as error:
                log.warning("the embedded engine cannot look after the store: %s", error)
                self._stop.wait(5.0)

    def _look(self) -> None:
        now = time.monotonic()
        if not self._searched and self._alone():
            self._searched, self.process = True, self._find_left_behind()
            self.starts += [now] if self.process is not None else []
        if self.process is not None:
            if self.process.poll() is None:
                self._up = self._up or any(one.pid == self.process.pid and one.ready for one in self.store.engines())
                return
            log.warning("the engine ended with code %s", self.process.returncode)
            lived = now - self.starts[-1]
            self._wait = 0.0 if lived >= self.LONGEST or self._up else min(self.LONGEST, max(1.0, 2 * self._wait))
            self._next, self.process, self._up = now + self._wait, None, False
        if now < self._next or not self._alone() or self.store.engines():
            return
        self.starts.append(now)
        env = os.environ | {"PYTHONPATH": os.pathsep.join(p for p in (root, os.environ.get("PYTHONPATH", "")) if p)}
        env["LAB_DRAIN_SECONDS"] = ""  # it ends with the server, which does not wait for runs
        words = ["--store", self.store.url]
        if not self.store.url.startswith("sqlite"):  # it may hold a password, and everybody can list commands
            words, env["LAB_STORE"] = [], self.store.url
            env.pop("LAB_STORE_FILE", None)
        command = [sys.executable, "-m", "engine", "serve", *words]
        self.process = system.start_process(command, cwd=root, stdin=subprocess.DEVNULL, env=env)
        with suppress(OSError):  # a full disk: the next server then starts an engine beside this one
            self._record.write_text(system.name_process(self.process.pid), encoding="utf-8", newline="")

    @property
    def _record(self) -> Path:
        """Names the engine that a server started, for the next server if this one ends without ending it."""
        return self.store.database.lock_path.with_suffix(".engine-process")

    def _find_left_behind(self) -> system.AdoptedProcess | None:
        """The engine of a server that is gone, to be kept and ended as one of its own."""
        try:
            process = system.find_process(self._record.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        if process is not None:
            log.warning("taking over engine %d, whose server is gone", process.pid)
        return process

    def _alone(self) -> bool:
        """Whether this server holds the lock file, now or from now on."""
        if self._lock is None:
            self._lock = system.lock_file(self.store.database.lock_path)
        return self._lock is not None


# ---- logs


def keep_quiet(make: Callable[..., logging.LogRecord]) -> Callable[..., logging.LogRecord]:
    """Return a factory of log records that leaves out the text of errors, which may quote a person's table; type and place
    stay."""

    def quiet(*args: Any, **more: Any) -> logging.LogRecord:
        record = make(*args, **more)
        if isinstance(record.exc_info, tuple) and (error := record.exc_info[1]) is not None:
            where = "".join(traceback.format_tb(error.__traceback__))
            record.exc_text = f"{where}{type(error).__name__} (what it says is not logged)"
            record.exc_info = None
        return record

    return quiet


@asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[dict[str, Any]]:
    """Quiet the logs, forget owners without a sign of life, and start and end the embedded engine with the server.

    LAB_ENGINE=off leaves engines to others; a demonstration (LAB_DEMO=1) has none.
    """
    logging.setLogRecordFactory(keep_quiet(logging.LogRecord))
    logs.configure_logs()
    expiring = asyncio.create_task(forget_expired())
    engine = Engine(api.get_store()) if os.environ.get("LAB_ENGINE", "on") != "off" and not is_demo() else None
    if engine is not None:
        engine.start()
    collector = garbage.Collector()
    collector.start()
    try:
        yield {} if engine is None else {"engine": engine}
    finally:
        collector.stop()
        expiring.cancel()
        if engine is not None:
            await asyncio.to_thread(engine.stop)


async def forget_expired() -> None:
    """Forget owners without a sign of life and the sessions of closed tabs, about once a minute. Engines do the first too, but
    there may be none.
    """
    while True:
        drop_closed_sessions()
        try:
            await asyncio.to_thread(api.get_store().expire)
            if not is_demo():
                await asyncio.to_thread(api.get_store().sweep_previews)
        except LabError as error:
            log.warning("those who fell silent cannot be forgotten now: %s", error)
        await asyncio.sleep(EXPIRE)


sign_in.check_settings()  # a server that cannot tell who is who does not start
app = st.App(
    Path(__file__).resolve().with_name("main.py"),
    lifespan=lifespan,
    routes=[Route("/api/health", report_health), Route("/metrics", metrics.report_metrics), *api.routes, *preview.routes],
    middleware=[Middleware(Guard, headers=list_headers())],
)
