"""Who may read what, asked of a server that `python -m app.launch` runs: behind a proxy that ends TLS and says who it is, and by
Streamlit's signed cookie. Each forged request stands beside the same request as it should be, which is answered."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect

from app import sign_in
from engine.store import Store
from tests.app import fabricate
from tests.app.test_server import ROOT, server
from tests.app.test_sign_in import AUTH, SECRET
from tests.engine.test_store import SPEC
from tests.tls_proxy import tls_proxy

pytestmark = pytest.mark.timeout(240)

LAUNCH = (sys.executable, "-m", "app.launch", "--port", "PORT")
PROXY = "proxy-secret-" + "p" * 40
HEADER, SENT = "X-Forwarded-User", "X-Lab-Proxy-Secret"
FILE = "age;flag\n61;1\n"
TOKEN = "m" * 43


class Site:
    """A server, the proxy before it, its store and what it printed."""

    def __init__(self, store: Store, port: int, outside: int, context: ssl.SSLContext, log: Path) -> None:
        self.store, self.port, self.outside, self.context, self.log = store, port, outside, context, log

    def give(self, owner: str) -> str:
        """The path of a finished private file of somebody."""
        table = self.store.add_upload(owner, "mine.csv", b"age,ill\n" + b"61,no\n" * 40)
        job = self.store.submit(SPEC.with_(dataset=f"upload/{table}", data={"target": "ill"}), owner=owner)
        self.store.put_artifact(job.id, "scored.csv", FILE.encode())
        return f"/api/jobs/{job.id}/scored.csv"

    def ask(self, path: str, *headers: tuple[str, str], proxied: bool = True) -> tuple[int, Any, str]:
        """Status, headers and body, through the proxy or straight from the server."""
        connection = (
            http.client.HTTPSConnection("localhost", self.outside, timeout=30, context=self.context)
            if proxied
            else http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        )
        with contextlib.closing(connection):
            connection.putrequest("GET", path)
            for name, value in (("Accept", "text/html"), *headers):
                connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode(errors="replace")

    def view(self, *headers: tuple[str, str], proxied: bool = True) -> str:
        """What a websocket is sent of the first page, as text: names stand in it as they are."""
        url, origin = (
            (f"wss://localhost:{self.outside}", f"https://localhost:{self.outside}")
            if proxied
            else (f"ws://127.0.0.1:{self.port}", f"http://127.0.0.1:{self.port}")
        )
        more = {"origin": origin, "subprotocols": ["streamlit"], "additional_headers": list(headers), "max_size": None}
        said = b""
        with connect(f"{url}/_stcore/stream", ssl=self.context if proxied else None, open_timeout=60, **more) as socket:
            message = BackMsg()
            message.rerun_script.query_string = message.rerun_script.page_name = ""
            socket.send(message.SerializeToString())
            while True:
                data = socket.recv(timeout=90)
                said += data
                one = ForwardMsg.FromString(data)
                if one.WhichOneof("type") == "script_finished" and one.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
                    return said.decode(errors="replace")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    pytest.importorskip("cryptography")
    folder = tmp_path_factory.mktemp("proxied")
    store = fabricate.fresh(folder)
    env = {"LAB_PROXY_HEADER": HEADER, "LAB_PROXY_SECRET": PROXY, "LAB_PROXIES": "127.0.0.1", "STREAMLIT_LOGGER_LEVEL": "debug"}
    with (
        (folder / "log").open("wb") as log,
        server(folder, command=LAUNCH, log=log, **env) as (_, port),
        tls_proxy(folder, port, {SENT: PROXY, "X-Forwarded-Proto": "https"}, HEADER) as (outside, context),
    ):
        yield Site(store, port, outside, context, folder / "log")
    store.close()


def proxied(name: str) -> str:
    return sign_in._name_by_proxy(name).owner


def test_the_proxy_says_who_it_is_and_nobody_elses_link_is_answered(site):
    path = site.give(proxied("ann"))
    assert site.ask(path, ("Cookie", "who=ann"))[::2] == (200, FILE)
    for cookies in ("who=ben", "who=Ann", f"lab_owner={TOKEN}", "other=1"):
        assert site.ask(path, ("Cookie", cookies))[0] == 404, "another person's link"
    forged = [(HEADER, "ann"), (SENT, PROXY)]
    assert site.ask(path, *forged)[0] == 404, "the proxy drops what a visitor sends under its names"
    assert site.ask(path, ("Cookie", "who=ben"), *forged)[0] == 404


def test_a_forged_header_is_refused_by_the_server_itself(site):
    """A request that comes past the proxy."""
    path = site.give(proxied("ann"))
    assert site.ask(path, (HEADER, "ann"), (SENT, PROXY), proxied=False)[0] == 200
    for forged in (
        [(HEADER, "ann")],
        [(HEADER, "ann"), (SENT, "")],
        [(HEADER, "ann"), (SENT, PROXY[:-1])],
        [(HEADER, "ann"), (SENT, PROXY + "p")],
        [(HEADER, "ann"), (SENT, PROXY.upper())],
        [(HEADER, "ann"), (SENT, PROXY), (SENT, PROXY)],
        [(HEADER, "ben"), (HEADER, "ann"), (SENT, PROXY)],
        [("X_Forwarded_User", "ann"), (SENT, PROXY)],
        [("Cookie", f"{HEADER}=ann; {SENT}={PROXY}")],
        [(SENT, PROXY)],
    ):
        assert site.ask(path, *forged, proxied=False)[0] == 404, forged


def test_a_forged_owner_cookie_names_nobody(site):
    owner = proxied("ann")
    path = site.give(owner)
    browsers = site.give(TOKEN)
    assert site.ask(browsers, ("Cookie", f"lab_owner={TOKEN}"), proxied=False)[0] == 200
    for forged in (owner, owner.replace(":", "%3A"), f'"{owner}"', owner[6:49], TOKEN):
        assert site.ask(path, ("Cookie", f"lab_owner={forged}"), proxied=False)[0] == 404
    answer = site.ask("/", ("Cookie", f"lab_owner={owner}"), proxied=False)[1]["Set-Cookie"]
    token = answer.partition(";")[0].removeprefix("lab_owner=")
    assert len(token) == 43 and owner not in answer, "the browser gets a token of its own"
    assert site.ask(browsers, ("Cookie", f"lab_owner={TOKEN}; who=ann"))[0] == 404, "who signs in owns what is theirs alone"


def test_a_websocket_belongs_to_whom_its_proxy_names(site):
    name = "Ann of the proxy"
    assert name in site.view(("Cookie", f"who={name}"))
    assert name in site.view((HEADER, name), (SENT, PROXY), proxied=False)
    for forged in ([(HEADER, name)], [(HEADER, name), (SENT, PROXY[:-1])]):
        said = site.view(*forged, proxied=False)
        assert name not in said and "Papers" in said


def test_cookies_are_secure_where_the_proxy_speaks_tls_and_only_there(site):
    secure = site.ask("/")[1]["Set-Cookie"]
    assert secure.startswith("lab_owner=") and {"Secure", "HttpOnly", "SameSite=Lax"} <= {p.strip() for p in secure.split(";")}
    assert "Secure" not in site.ask("/", proxied=False)[1]["Set-Cookie"]


def test_the_secret_is_in_no_line_that_the_server_prints(site):
    path = site.give(proxied("ann"))
    for more in ([], [(HEADER, "ann")], [(SENT, PROXY)], [("Host", "evil.example")], [("Origin", "http://evil.example")]):
        for place in (path, "/", "/no/such/page", "/api/jobs/x/y", "/metrics"):
            site.ask(place, *more, (SENT, PROXY), proxied=False)
    site.view((HEADER, "ann"), (SENT, PROXY), proxied=False)
    said = site.log.read_text(errors="replace")
    assert "Imbalance Lab: http" in said and len(said) > 200, "it is the log of this server"
    assert PROXY not in said and "p" * 20 not in said and SENT.lower() not in said.lower()


@pytest.mark.parametrize(
    ("words", "env", "why"),
    [
        (("--host", "0.0.0.0"), {}, "LAB_PROXY_SECRET"),
        ((), {"LAB_PROXY_SECRET": "short"}, "LAB_PROXY_SECRET"),
        (("--host", "8.8.8.8"), {"LAB_PROXY_SECRET": PROXY}, "public address"),
        (("--host", "2001:4860:4860::8888"), {"LAB_PROXY_SECRET": PROXY}, "public address"),
    ],
)
def test_a_header_is_refused_without_a_secret_and_at_a_public_address(tmp_path, words, env, why):
    more = {"LAB_STORE": f"sqlite:///{tmp_path / 'lab.db'}", "LAB_ENGINE": "off", "LAB_PROXY_HEADER": HEADER, **env}
    done = subprocess.run(
        [sys.executable, "-m", "app.launch", "--port", "18570", *words],
        cwd=ROOT, env=os.environ | more, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 2 and why in done.stderr and done.stderr.count("\n") == 1 and not done.stdout
    assert PROXY not in done.stderr


def test_an_old_cookie_after_signing_out_and_a_forged_one_are_refused(tmp_path):
    """Streamlit's signed cookie, as its callback writes it; nobody asks the provider."""
    from streamlit.web.server.starlette.starlette_app_utils import create_signed_value

    from tests.app.test_sign_in import claims

    def cookie(secret: str = SECRET, **changes: Any) -> tuple[str, str]:
        value = create_signed_value(secret, "_streamlit_user", json.dumps(claims(**changes))).decode()
        return "Cookie", f"_streamlit_user={value}; lab_owner={TOKEN}"

    store = fabricate.fresh(tmp_path)
    with server(tmp_path, command=LAUNCH, **AUTH) as (_, port):
        site = Site(store, port, 0, ssl.create_default_context(), tmp_path)
        issued = int(time.time()) - 5
        ann = sign_in.read_sign_in(claims(iat=issued), time.time())
        path = site.give(ann.owner)
        here, there = cookie(iat=issued), cookie(iat=issued, nonce="there")
        assert site.ask(path, here, proxied=False)[::2] == (200, FILE) and site.ask(path, there, proxied=False)[0] == 200
        for forged in (
            cookie("d" * 40, iat=issued),
            cookie(iat=issued, sub="ben"),
            cookie(iat=issued, iss="https://else.example.org"),
            cookie(iat=issued - 13 * 3600),
            ("Cookie", f"lab_owner={ann.owner}"),
            ("Cookie", here[1].replace("_streamlit_user=", "_streamlit_user=x")),
        ):
            assert site.ask(path, forged, proxied=False)[0] == 404, forged
        store.sign_out(ann.owner, ann.sign_in)
        assert site.ask(path, here, proxied=False)[0] == 404, "the old cookie after signing out"
        assert site.ask(path, there, proxied=False)[0] == 200
        store.sign_out_everywhere(ann.owner, ann.issued)
        assert site.ask(path, there, proxied=False)[0] == 404, "and all of them after signing out everywhere"
        assert site.ask(path, cookie(iat=int(time.time()) + 2, nonce="new"), proxied=False)[0] == 200
    store.close()
