"""Who may talk to the server: each Host and Origin by hand, then against a real server."""

from __future__ import annotations

import http.client
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from app.origin import is_loopback, read_hosts, why_refused, with_plain_origin
from tests.app.test_server import ask, server

HERE = ("127.0.0.1", 8501)
ANY = "0.0.0.0"


def scope(host: str, origin: str | None = None, scheme: str = "http", server: tuple[str, int] = HERE) -> dict[str, Any]:
    headers = [(b"host", host.encode())] + ([(b"origin", origin.encode())] if origin is not None else [])
    return {"type": "websocket" if scheme.startswith("ws") else "http", "scheme": scheme, "headers": headers, "server": server}


def is_taken(one: dict[str, Any], address: str | None = "127.0.0.1", hosts: tuple[str, ...] = ()) -> bool:
    return why_refused(one, address, frozenset(hosts)) is None


@pytest.mark.parametrize(
    ("host", "origin", "scheme"),
    [
        ("127.0.0.1:8501", "http://127.0.0.1:8501", "ws"),
        ("localhost:8501", "http://localhost:8501", "ws"),
        ("[::1]:8501", "http://[::1]:8501", "ws"),
        ("LOCALHOST:8501", "http://localhost:8501", "ws"),
        ("localhost", "http://localhost:80", "ws"),
        ("localhost:443", "https://localhost", "wss"),
        ("127.0.0.1:8501", None, "http"),
        ("127.8.8.8:8501", "http://127.8.8.8:8501", "http"),
    ],
)
def test_the_page_s_own_requests_are_taken(host, origin, scheme):
    assert is_taken(scope(host, origin, scheme))


@pytest.mark.parametrize(
    ("host", "origin", "scheme"),
    [
        ("127.0.0.1:8501", "http://127.0.0.1:8502", "ws"),  # a page on another port
        ("127.0.0.1:8501", "http://localhost:8501", "ws"),
        ("127.0.0.1:8501", "https://127.0.0.1:8501", "ws"),  # another scheme
        ("127.0.0.1:8501", "https://127.0.0.1:8501.evil.example", "ws"),
        ("127.0.0.1:8501", "http://127.0.0.1:8501@evil.example", "ws"),
        ("127.0.0.1:8501", "http://127.0.0.1:8501/", "ws"),
        ("127.0.0.1:8501", "null", "ws"),
        ("127.0.0.1:8501", "", "ws"),
        ("127.0.0.1:8501", None, "ws"),
        ("127.0.0.1:8501", "file://127.0.0.1:8501", "ws"),
        ("127.0.0.1:8501", "http://127.0.0.1:8502", "http"),
        ("evil.example:8501", "http://evil.example:8501", "ws"),  # a name that was pointed here
        ("evil.example", None, "http"),
        ("127.0.0.1.evil.example", None, "http"),
        ("127.0.0.1:99999", None, "http"),
        ("", None, "http"),
        ("127.0.0.1:8501 ", None, "http"),
    ],
)
def test_others_are_refused(host, origin, scheme):
    assert not is_taken(scope(host, origin, scheme))


def test_one_host_and_one_origin():
    one = scope("localhost:1", "http://localhost:1")
    for header in ((b"host", b"evil.example"), (b"origin", b"http://localhost:1")):
        assert not is_taken({**one, "headers": [*one["headers"], header]})
    assert not is_taken({**one, "headers": []})


def test_hosts_by_what_the_server_is_bound_to(monkeypatch):
    own = scope("lab.example", "http://lab.example")
    assert is_taken(own, ANY) and not is_taken(own)
    assert is_taken(own, ANY, ("lab.example",)) and not is_taken(own, ANY, ("other.example",))
    assert is_taken(own, "127.0.0.1", ("lab.example",))  # behind a proxy on the same machine
    assert is_taken(scope("127.0.0.1:8501"), ANY, ("lab.example",))  # the machine's own health check
    assert not is_taken(own, None) and is_taken(scope("lab.example", server=("10.0.0.7", 80)), None)
    monkeypatch.setenv("LAB_HOSTS", "Lab.Example, other.example:8501  [::2] ://")
    assert read_hosts() == {"lab.example", "other.example", "[::2]"}
    monkeypatch.delenv("LAB_HOSTS")
    assert read_hosts() == frozenset()


def test_streamlit_sees_an_origin_that_equals_the_host():
    made = with_plain_origin(scope("Lab.Example:80", "http://lab.example", "ws"))
    assert dict(made["headers"])[b"origin"] == b"http://Lab.Example:80"
    assert with_plain_origin(scope("a.example"))["headers"] == scope("a.example")["headers"]


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.1.2.3", True), ("[::1]", True), ("localhost", True), ("localhost.evil.example", False),
     ("0.0.0.0", False), ("10.0.0.1", False), ("127.0.0.1.example", False), ("", False)],
)  # fmt: skip
def test_loopback(host, loopback):
    assert is_loopback(host) is loopback


# ---- a real server, whose outgoing connections are written down

GUARD = """
import runpy, socket, sys
log = sys.argv[1]
def guarded(name):
    real = getattr(socket.socket, name)
    def call(self, address, *more):
        if self.family in (socket.AF_INET, socket.AF_INET6) and not str(address[0]).startswith(("127.", "::1")):
            with open(log, "a") as file:
                file.write(f"{address[0]}\\n")
        return real(self, address, *more)
    setattr(socket.socket, name, call)
for name in ("connect", "connect_ex"):
    guarded(name)
looked_up = socket.getaddrinfo
def getaddrinfo(host, *more, **named):
    if host not in (None, "", "127.0.0.1", "localhost", "::1", "0.0.0.0"):
        with open(log, "a") as file:
            file.write(f"{host}\\n")
    return looked_up(host, *more, **named)
socket.getaddrinfo = getaddrinfo
sys.argv = ["streamlit", "run", "app/server.py", *sys.argv[2:]]
runpy.run_module("streamlit", run_name="__main__")
"""


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """A server's port, and the file in which the hosts are written that it connects to."""
    folder = tmp_path_factory.mktemp("guarded")
    log = folder / "connections.txt"
    command = (sys.executable, "-c", GUARD, str(log), "--server.port=PORT", "--logger.hideWelcomeMessage=true")
    with server(folder, command=command) as (_, port):
        yield port, log


def handshake(port: int, origin: str | None, host: str | None = None) -> int:
    """The status with which a websocket is answered: 101 where it opens."""
    try:
        with connect(
            f"ws://{host or '127.0.0.1'}:{port}/_stcore/stream",
            origin=origin,  # type: ignore[arg-type]
            subprotocols=["streamlit"],  # type: ignore[list-item]
            open_timeout=20,
        ):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


def test_a_websocket_opens_for_the_page_alone(guarded):
    port, log = guarded
    assert handshake(port, f"http://127.0.0.1:{port}") == 101
    began = time.monotonic()
    for origin in (
        f"http://127.0.0.1:{port + 1}",
        f"https://127.0.0.1:{port}.evil.example",
        "http://evil.example",
        "null",
        None,
    ):
        assert handshake(port, origin) == 403
    assert time.monotonic() - began < 10  # no name was looked up while it was decided
    assert not log.exists()


def test_every_route_asks_for_host_and_origin(guarded):
    port, log = guarded
    for path in ("/", "/_stcore/health", "/_stcore/host-config", "/api/health", "/media/x", "/api/runs/0123456789abcdef"):
        for headers in (
            {"Host": "evil.example"},
            {"Origin": "http://evil.example"},
            {"Origin": f"http://127.0.0.1:{port + 1}"},
        ):
            status, answered, body = ask(port, path, **headers)
            assert status == 403 and answered["X-Content-Type-Options"] == "nosniff" and "Set-Cookie" not in answered
            assert body.endswith((b".\n", b'."}'))
    assert ask(port, "/", Origin=f"http://127.0.0.1:{port}")[0] == 200
    assert not log.exists()


def test_streamlits_uploader_is_closed(guarded):
    port, _ = guarded
    for path in ("/_stcore/upload_file/a/b", "/_stcore/upload_file", "/lab/_stcore/upload_file/a/b"):
        assert ask(port, path, Origin=f"http://127.0.0.1:{port}")[0] == 404
    assert_uploader_is_closed(port)


def assert_uploader_is_closed(port: int) -> None:
    """No method of no spelling of its address takes a file."""
    for method in ("PUT", "POST", "DELETE", "OPTIONS"):
        for path in (
            "/_stcore/upload_file/a/b",
            "//_stcore/upload_file/a/b",
            "/%5Fstcore/upload%5ffile/a/b",
            "/_stcore/./upload_file/a/b",
        ):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request(method, path, bytes(1000), {"Origin": f"http://127.0.0.1:{port}"})
            assert connection.getresponse().status in (404, 405), (method, path)
            connection.close()


def test_the_visitor_s_scheme_is_taken_from_named_proxies_alone(tmp_path):
    forwarded = {"X-Forwarded-Proto": "https"}
    launched = (sys.executable, "-m", "app.launch", "--port", "PORT")
    with server(tmp_path, command=launched) as (_, port):
        status, _, body = ask(port, Origin=f"https://127.0.0.1:{port}", **forwarded)
        assert status == 403 and b"LAB_PROXIES" in body
        assert "; Secure" not in ask(port, **forwarded)[1]["Set-Cookie"]
    with server(tmp_path, command=launched, LAB_PROXIES="127.0.0.1", LAB_HOSTS="lab.example") as (_, port):
        status, answered, _ = ask(port, Host="lab.example", Origin="https://lab.example", **forwarded)
        assert status == 200 and "; Secure" in answered["Set-Cookie"]
        assert ask(port, Host="lab.example", Origin="http://lab.example", **forwarded)[0] == 403
        assert ask(port, Host="other.example")[0] == 403
