"""A page of another port, and one whose host name points at this machine, with the owner's cookie in the browser."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest

pytestmark = pytest.mark.browser

OPEN = """async url => await new Promise(done => {
    const socket = new WebSocket(url, ["streamlit"]);
    socket.onopen = () => done("open");
    socket.onerror = () => done("refused");
})"""


class Blank(BaseHTTPRequestHandler):
    """An empty page, without a policy of its own."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>another page</title>")

    def log_message(self, *_: Any) -> None:
        """Nothing is logged."""


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[int]:
    """The port of another server on this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Blank)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def lab(serve: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    place = f"sqlite:///{tmp_path_factory.mktemp('origin') / 'lab.db'}"
    return str(serve("app/server.py", {"LAB_STORE": place, "LAB_ENGINE": "off"}))


def test_a_page_of_another_port_opens_no_socket(chromium, lab, elsewhere):
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{lab}/papers")
    socket = f"ws://{urlsplit(lab).netloc}/_stcore/stream"
    assert any(c["name"] == "lab_owner" for c in context.cookies())
    assert page.evaluate(OPEN, socket) == "open"  # the page itself does
    page.goto(f"http://127.0.0.1:{elsewhere}/")
    assert page.evaluate(OPEN, socket) == "refused"  # the same host: the cookie went along
    status = page.evaluate(
        "async url => (await fetch(url, {mode: 'no-cors', credentials: 'include'})).type", f"{lab}/api/health"
    )
    assert status == "opaque"
    context.close()


def test_a_name_that_points_here_gets_no_page(chromium, lab, elsewhere):
    port = urlsplit(lab).port
    with_names = chromium.browser_type.launch(
        executable_path=_path(), args=["--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP evil.example 127.0.0.1"]
    )
    page = with_names.new_page()
    answer = page.goto(f"http://evil.example:{port}/")
    assert answer.status == 403 and "LAB_HOSTS" in page.content() and not page.context.cookies()
    page.goto(f"http://evil.example:{elsewhere}/")
    assert page.evaluate(OPEN, f"ws://evil.example:{port}/_stcore/stream") == "refused"
    with_names.close()


def _path() -> str:
    return os.environ.get("CHROMIUM") or shutil.which("chromium") or str(shutil.which("chromium-browser"))
