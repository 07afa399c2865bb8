"""Who signed in, without a provider: settings, claims, owners, the proxy's header, the way back, cookies, and what a script sees.

`tests/browser/test_sign_in.py` signs in at a provider.
"""

from __future__ import annotations

import ast
import json
import os
import stat
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.datastructures import MutableHeaders
from starlette.requests import Request

from app import api, launch, server, sign_in
from app.parts import quota
from app.session import uploads, visitor
from app.words.text import escape
from engine.errors import BadInput, NotAllowed
from engine.store import Store
from engine.store.engines import EngineInfo
from engine.store.people import name_person
from engine.store.quotas import Quota, Used
from tests.app.conftest import opened
from tests.app.test_lab import keys, words
from tests.app.test_server import ROOT
from tests.engine.test_store import SPEC, info

SECRET, PROXY = "c" * 40, "p" * 40
ISSUER, ADDRESS = "https://id.example.org", "https://lab.example.org"
AUTH = {
    "LAB_AUTH_METADATA_URL": f"{ISSUER}/.well-known/openid-configuration",
    "LAB_AUTH_CLIENT_ID": "lab",
    "LAB_AUTH_CLIENT_SECRET": "s3cret",
    "LAB_AUTH_COOKIE_SECRET": SECRET,
    "LAB_AUTH_ADDRESS": ADDRESS,
}
BROWSER = "m" * 43


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """LAB_AUTH_* are set, and Streamlit reads the secrets file that the launcher writes of them."""
    from streamlit import config
    from streamlit.runtime.secrets import secrets_singleton

    for name, value in AUTH.items():
        monkeypatch.setenv(name, value)
    before = config.get_option("secrets.files")
    config.set_option("secrets.files", [str(sign_in.write_secrets(sign_in.read_provider(), tmp_path))])
    secrets_singleton._reset()
    yield
    config.set_option("secrets.files", before)
    secrets_singleton._reset()


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> sign_in.Proxy:
    monkeypatch.setenv("LAB_PROXY_HEADER", "X-Forwarded-User")
    monkeypatch.setenv("LAB_PROXY_SECRET", PROXY)
    found = sign_in.read_proxy()
    assert found is not None
    return found


def claims(**changes: Any) -> dict[str, Any]:
    usual = {"iss": ISSUER, "sub": "ann", "iat": int(time.time()), "nonce": "n", "is_logged_in": True, "origin": ADDRESS}
    return usual | changes


def cookie(secret: str = SECRET, **changes: Any) -> dict[str, str]:
    """Streamlit's cookie, as its callback writes it."""
    from streamlit.web.server.starlette.starlette_app_utils import create_signed_value

    return {"_streamlit_user": create_signed_value(secret, "_streamlit_user", json.dumps(claims(**changes))).decode()}


def request(cookies: dict[str, str], **headers: str) -> Request:
    line = "; ".join(f"{name}={value}" for name, value in cookies.items())
    sent = {"host": "lab.example.org", "cookie": line, **{name.replace("_", "-"): value for name, value in headers.items()}}
    raw = [(name.encode(), value.encode()) for name, value in sent.items()]
    return Request({"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": raw, "scheme": "https"})


# ---- off


@pytest.mark.long
@pytest.mark.timeout(120)
def test_without_settings_there_are_no_accounts_and_nothing_is_imported():
    code = (
        "import sys; from app import sign_in; from app.session import visitor; sign_in.check_settings();"
        "assert not visitor.can_sign_in() and visitor.find_person({'_streamlit_user': 'x'}, {'x-forwarded-user': 'ann'}, None) is None;"
        "assert not {'authlib', 'httpx', 'joserfc', 'cryptography'} & {name.partition('.')[0] for name in sys.modules}"
    )
    env = {name: value for name, value in os.environ.items() if not name.startswith(("LAB_AUTH", "LAB_PROXY"))}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, check=True)


def test_a_demonstration_has_no_accounts(provider, monkeypatch):
    assert visitor.can_sign_in()
    monkeypatch.setenv("LAB_DEMO", "1")
    assert not visitor.can_sign_in() and visitor.find_person(cookie(), {}, pytest.fail) is None


# ---- settings


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"LAB_AUTH_CLIENT_ID": ""}, "LAB_AUTH_CLIENT_ID too"),
        ({"LAB_AUTH_COOKIE_SECRET": "short"}, "32 characters"),
        ({"LAB_AUTH_CLIENT_SECRET": "a\nb"}, "one line"),
        ({"LAB_AUTH_ADDRESS": "http://lab.example.org"}, "https"),
        ({"LAB_AUTH_ADDRESS": "https://lab.example.org/lab"}, "after the host"),
        ({"LAB_AUTH_ADDRESS": "lab.example.org"}, "an address"),
        ({"LAB_AUTH_METADATA_URL": "http://id.example.org/x"}, "https"),
        ({"LAB_SIGNED_IN_HOURS": "0"}, "LAB_SIGNED_IN_HOURS"),
        ({"LAB_PROXY_HEADER": "X-Forwarded-User", "LAB_PROXY_SECRET": PROXY}, "two ways"),
    ],
)
def test_settings_that_are_not_right_are_one_sentence_without_a_secret(monkeypatch, changed, said):
    for name, value in (AUTH | changed).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(BadInput, match=said) as caught:
        sign_in.check_settings()
    assert SECRET not in str(caught.value) and PROXY not in str(caught.value)


@pytest.mark.parametrize("secret", ["", "short"])
def test_a_header_without_its_secret_does_not_start_a_server(monkeypatch, capsys, secret):
    monkeypatch.setenv("LAB_PROXY_HEADER", "X-Forwarded-User")
    monkeypatch.setenv("LAB_PROXY_SECRET", secret)
    monkeypatch.setattr(launch, "serve", lambda *_: pytest.fail("it starts"))
    for host in ("127.0.0.1", "0.0.0.0"):
        with pytest.raises(SystemExit) as caught:
            launch.main(["--host", host])
        assert caught.value.code == 2 and "LAB_PROXY_SECRET" in capsys.readouterr().err


def test_what_is_not_installed_is_named(monkeypatch):
    for name, value in AUTH.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sign_in, "_is_installed", lambda name: name != "httpx")
    with pytest.raises(BadInput, match="needs httpx: .* -r requirements-auth.txt"):
        sign_in.check_settings()


def test_the_launcher_writes_a_secrets_file_that_it_alone_can_read(provider, monkeypatch, tmp_path):
    monkeypatch.setenv("LAB_AUTH_CLIENT_SECRET", 'with "quotes" \\ and more')
    seen: dict[str, Any] = {}

    def serve(arguments: list[str], listener: Any) -> None:
        listener.close()
        path = Path(next(a for a in arguments if a.startswith("--secrets.files=")).partition("=")[2])
        seen.update(path=path, mode=path.stat().st_mode, folder=path.parent.stat().st_mode, text=path.read_text())

    monkeypatch.setattr(launch, "serve", serve)
    launch.main([])
    assert (stat.S_IMODE(seen["mode"]), stat.S_IMODE(seen["folder"])) == (0o600, 0o700)
    assert tomllib.loads(seen["text"])["auth"] == {
        "redirect_uri": f"{ADDRESS}/oauth2callback",
        "cookie_secret": SECRET,
        "client_id": "lab",
        "client_secret": 'with "quotes" \\ and more',
        "server_metadata_url": AUTH["LAB_AUTH_METADATA_URL"],
    }
    assert not seen["path"].exists()


# ---- whose a request is


def test_a_signed_cookie_names_a_person_by_issuer_and_subject(provider):
    ann = sign_in.identify(cookie(email="ann@example.org", name="Ann <b>"), {})
    again = sign_in.identify(cookie(email="other@example.org", nonce="m"), {})
    assert ann is not None and again is not None and ann.owner == again.owner and ann.sign_in != again.sign_in
    assert ann.owner.startswith("oidc:") and len(ann.owner) == 5 + 64 and ann.name == "Ann <b>"
    others = [sign_in.identify(cookie(**c), {}) for c in ({"sub": "ben"}, {"iss": "https://else.example.org"})]
    assert len({one.owner for one in others if one} | {ann.owner}) == 3


def test_a_cookie_of_a_large_sign_in_is_put_together(provider):
    from streamlit.auth_util import set_cookie_with_chunks
    from streamlit.web.server.starlette.starlette_app_utils import create_signed_value

    kept: dict[str, str] = {}
    sign = lambda name, value: create_signed_value(SECRET, name, value)  # noqa: E731
    groups = [os.urandom(20).hex() for _ in range(300)]
    set_cookie_with_chunks(
        lambda name, value: kept.update({name: sign(name, value).decode()}),
        sign,
        "_streamlit_user",
        claims(groups=groups),
        cookie_attr_size=80,
    )
    assert len(kept) > 2
    person = sign_in.identify(kept, {})
    assert person is not None and person.owner == sign_in.identify(cookie(), {}).owner
    kept.popitem()
    assert sign_in.identify(kept, {}) is None


@pytest.mark.parametrize(
    "cookies",
    [
        {},
        {"_streamlit_user": "x"},
        lambda: cookie(secret="d" * 40),
        lambda: cookie(is_logged_in=False),
        lambda: cookie(sub=""),
        lambda: cookie(iss=None),
        lambda: cookie(iat=None),
        lambda: cookie(iat=True),
        lambda: cookie(iat=int(time.time()) - 12 * 3600 - 1),
        lambda: cookie(iat=int(time.time()) + 120),
        lambda: cookie(origin="https://other.example.org"),
    ],
)
def test_other_cookies_name_nobody(provider, cookies):
    assert sign_in.identify(cookies() if callable(cookies) else cookies, {}) is None


def test_a_sign_in_counts_for_the_hours_that_the_setting_names(provider, monkeypatch):
    monkeypatch.setenv("LAB_SIGNED_IN_HOURS", "1")
    now = int(time.time())
    assert sign_in.identify(cookie(iat=now - 3500), {}) is not None
    assert sign_in.identify(cookie(iat=now - 3601), {}) is None


def test_no_cookie_of_a_browser_names_a_person_and_no_person_is_a_token(provider):
    owner = sign_in.identify(cookie(), {}).owner
    for forged in (owner, owner[:43], owner.replace(":", "%3A"), f'"{owner}"', f"oidc:{'a' * 38}"):
        assert visitor.parse_owner(f"lab_owner={forged}") is None
    assert visitor._token(owner) is None and visitor._token(sign_in._name_by_proxy("ann").owner) is None
    assert visitor.parse_owner(f"lab_owner={BROWSER}") == BROWSER and ":" not in BROWSER


@pytest.mark.parametrize("other", ["name=Ben Okafor", 'set={"a": 1, "b"}', "odd", "=", "a=b=c", "é=ü", "lab_owner_of=x"])
def test_odd_cookies_of_other_programs_leave_a_browser_its_own(other):
    for header in (f"{other}; lab_owner={BROWSER}", f"lab_owner={BROWSER}; {other}", f"{other};lab_owner={BROWSER};{other}"):
        assert visitor.parse_owner(header) == BROWSER
    assert visitor.parse_owner(other) is None and visitor.parse_owner("") is None


def test_a_forged_owner_cookie_reads_nothing_of_a_person(provider, store, monkeypatch):
    monkeypatch.setattr(api, "get_store", lambda: store)
    person = sign_in.identify(cookie(), {})
    table = store.add_upload(person.owner, "mine.csv", b"a,b\n1,2\n")
    assert api.read_owner(request(cookie() | {"lab_owner": BROWSER})) == person.owner
    for forged in ({"lab_owner": person.owner}, {"lab_owner": BROWSER}, cookie(sub="ben"), cookie(secret="d" * 40)):
        owner = api.read_owner(request(forged))
        assert owner != person.owner and (owner is None or store.uploads(owner) == [])
    assert [one.id for one in store.uploads(person.owner)] == [table]


def test_a_cookie_is_refused_after_signing_out_everywhere_and_itself_after_signing_out(provider, store, monkeypatch):
    monkeypatch.setattr(api, "get_store", lambda: store)
    now = int(time.time())
    here, there = cookie(iat=now - 5, nonce="here"), cookie(iat=now - 5, nonce="there")
    ann = sign_in.identify(here, {})
    store.sign_out(ann.owner, ann.sign_in)
    assert api.read_owner(request(here)) is None, "the old cookie, in another browser"
    assert api.read_owner(request(there)) == ann.owner
    store.sign_out_everywhere(ann.owner, ann.issued)
    assert api.read_owner(request(there)) is None
    assert api.read_owner(request(there | {"lab_owner": BROWSER})) == BROWSER
    assert api.read_owner(request(cookie(iat=int(time.time()) + 2))) == ann.owner, "a new one counts"


def test_a_script_looks_again_at_each_run_and_empties_the_session(provider, store, monkeypatch):
    """A websocket keeps the cookies that it was opened with."""

    class Context:
        cookies, headers = cookie(iat=int(time.time()) - 5) | {"lab_owner": BROWSER}, {}

    monkeypatch.setattr("app.session.store.get_store", lambda: store)
    monkeypatch.setattr(visitor.st, "context", Context)
    monkeypatch.setattr(visitor.st, "session_state", state := {})
    ann = visitor.read_person()
    assert visitor.read_owner() == ann.owner
    visitor.note_owner()
    state["mine.table"] = "hers"
    visitor.note_owner()
    assert state["mine.table"] == "hers"
    monkeypatch.setenv("LAB_ADMINS", ann.owner)
    assert visitor.is_admin()
    store.sign_out_everywhere(ann.owner, ann.issued)
    assert visitor.read_owner() == BROWSER and not visitor.is_admin()
    visitor.note_owner()
    assert "mine.table" not in state


# ---- the proxy's header


def test_a_header_counts_with_its_secret_alone(proxy):
    sent = {"x-forwarded-user": "ann", "x-lab-proxy-secret": PROXY}
    person = sign_in.identify({}, sent)
    assert person is not None and person.owner.startswith("proxy:") and person.name == "ann" and person.issued is None
    assert sign_in.identify({}, sent | {"x-forwarded-user": "Ann"}).owner != person.owner
    for forged in (
        {"x-lab-proxy-secret": ""},
        {"x-lab-proxy-secret": PROXY[:-1]},
        {"x-lab-proxy-secret": "é"},
        {"x-forwarded-user": " "},
    ):
        assert sign_in.identify({}, sent | forged) is None
    assert sign_in.identify(cookie(), {"x-forwarded-user": "ann"}) is None


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ([("X-Forwarded-User", "ann"), ("X-Lab-Proxy-Secret", PROXY)], True),
        ([("X-Forwarded-User", "ann")], False),
        ([("X-Forwarded-User", "ann"), ("X-Lab-Proxy-Secret", "wrong")], False),
        ([("X-Forwarded-User", "eve"), ("X-Forwarded-User", "ann"), ("X-Lab-Proxy-Secret", PROXY)], False),
        ([("X-Forwarded-User", "ann"), ("X-Lab-Proxy-Secret", PROXY), ("X-Lab-Proxy-Secret", PROXY)], False),
    ],
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_the_server_drops_a_header_without_its_secret(proxy, sent, kept, kind):
    headers = [(b"host", b"a"), *((name.lower().encode(), value.encode()) for name, value in sent)]
    scope = sign_in.drop_untrusted({"type": kind, "headers": headers}, proxy)
    assert (dict(scope["headers"]).get(b"x-forwarded-user") == b"ann") is kept
    assert (b"host", b"a") in scope["headers"]
    assert sign_in.drop_untrusted(scope, None) is scope


@pytest.mark.parametrize(
    ("address", "kept"),
    [("127.0.0.1", True), ("::1", True), ("10.0.0.7", True), ("fd00::7", True), ("8.8.8.8", False), ("2001:4860:4860::8888", False),
     ("::ffff:8.8.8.8", False), ("/run/lab.sock", True)],
)  # fmt: skip
def test_the_header_does_not_count_at_a_public_address(proxy, address, kept):
    """Whatever the server was bound to: all addresses at once, too."""
    headers = [(b"x-forwarded-user", b"ann"), (b"x-lab-proxy-secret", PROXY.encode())]
    scope = sign_in.drop_untrusted({"type": "http", "headers": headers, "server": (address, 80)}, proxy)
    assert (scope["headers"] == headers) is kept and (kept or scope["headers"] == [])


# ---- the way back, and cookies under https


@pytest.mark.parametrize(
    "place",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "",
        "lab",
        "/a b",
        "/a\r\nSet-Cookie: x=1",
        "/é",
        "/" + "a" * 2000,
    ]
    + ["/auth/logout", "/api/sign-in", "/oauth2callback?code=1", "/_stcore/health", "/\t/evil.example"],
)
def test_nobody_is_led_elsewhere(provider, place):
    assert not sign_in.is_local(place)
    assert sign_in.find_way_back(f"{ADDRESS}{place}" if place[:1] == "/" else place, "lab.example.org") in ("/", "//"[:1]) or (
        sign_in.is_local(sign_in.find_way_back(f"{ADDRESS}{place}", "lab.example.org"))
    )
    signed = sign_in._serializer().dumps(place)
    assert sign_in.read_return_cookie({sign_in.RETURN_COOKIE: signed}) == "/", "not even by a cookie of this server's"


def test_one_is_led_back_to_where_one_was(provider, monkeypatch):
    place = "/compare?run=abc&x=%20"
    assert sign_in.find_way_back(f"{ADDRESS}{place}", "lab.example.org") == place
    assert sign_in.find_way_back(f"https://evil.example{place}", "lab.example.org") == "/"
    line = sign_in.write_return_cookie(place, secure=True)
    assert "; HttpOnly; SameSite=Lax" in line and line.endswith("; Secure") and "Max-Age=600" in line
    value = line.partition(";")[0].partition("=")[2]
    headers = MutableHeaders({"location": "/"})
    server.lead_back(request({sign_in.RETURN_COOKIE: value}), headers)
    assert headers["location"] == place and "Max-Age=0" in headers["set-cookie"]
    monkeypatch.setenv("LAB_AUTH_COOKIE_SECRET", "d" * 40)
    assert sign_in.read_return_cookie({sign_in.RETURN_COOKIE: value}) == "/"


def test_an_old_way_back_is_forgotten(provider, monkeypatch):
    value = sign_in.write_return_cookie("/runs", secure=False).partition(";")[0].partition("=")[2]
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 601)
    assert sign_in.read_return_cookie({sign_in.RETURN_COOKIE: value}) == "/"


def test_every_cookie_is_secure_under_https():
    lines = ["_streamlit_user=x; HttpOnly; Path=/; SameSite=lax", "_streamlit_xsrf=y; Path=/", "lab_owner=z; Secure"]
    message = {"headers": [(b"set-cookie", line.encode()) for line in lines] + [(b"content-type", b"text/html")]}
    server.secure_cookies(message)
    found = [value.decode() for key, value in message["headers"] if key == b"set-cookie"]
    assert found == [f"{lines[0]}; Secure", f"{lines[1]}; Secure", lines[2]]


# ---- the page


def test_a_person_who_asks_for_a_job_on_the_page_is_counted():
    """Each call of `submit` and its kin in the app names an owner or an asker."""
    naming = {"submit": "asker", "submit_missing": "asker", "submit_sweep": "asker"}
    found = []
    for path in sorted(Path(ROOT, "app").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)) if ".submit" in text else ():
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in naming:
                words = {keyword.arg for keyword in node.keywords}
                source = ast.unparse(node)
                found.append(source)
                assert naming[node.func.attr] in words or "owner" in words or "**asked" in source, (path, source)
    assert len(found) >= 8


ANN, BEN = (f"oidc:{letter * 64}" for letter in "ab")


@pytest.fixture
def admin(store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Ann, an admin, looks at a store where Ben has a table and a public job waits."""
    monkeypatch.setenv("LAB_PROXY_HEADER", "X-Forwarded-User")
    monkeypatch.setenv("LAB_ADMINS", ANN)
    monkeypatch.setattr(visitor, "read_person", lambda: sign_in.Person(ANN, "Ann"))
    store.add_upload(BEN, "p4tients.csv", b"a,b\n1,2\n")
    return store


def draws_admin(page: Any) -> bool:
    return any("<h1>Admin</h1>" in one.value for one in page.get("html"))


def test_admins_alone_have_the_page(admin, monkeypatch):
    page = opened("admin")
    assert draws_admin(page) and len(page.dataframe) == 1  # of people: nothing waits, no engine, no act
    monkeypatch.setattr(visitor, "read_person", lambda: sign_in.Person(BEN, "Ben"))
    page = opened("admin")
    assert "This page is for the people whom LAB_ADMINS names" in page.error[0].value and len(page.dataframe) == 0
    monkeypatch.setattr(visitor, "is_admin", lambda: True)  # even where the page is reached, the store's verbs refuse
    page = opened("admin")
    assert "This is for the people" in page.error[0].value and len(page.dataframe) == 0
    monkeypatch.delenv("LAB_PROXY_HEADER")
    assert "admin" not in opened("admin").session_state["pages"], "where nobody signs in there is no such page"


def test_an_admin_sees_every_slot_of_a_cluster_that_is_not_ready(admin, monkeypatch):
    monkeypatch.setattr(type(admin.database), "silence", 90.0)  # however long the page takes
    lacks = "The machine of slot 2 on the cluster has <b>torch</b> 1 where the engine has torch 2; install the same there."
    now = time.time()
    admin.record_heartbeat(EngineInfo("e", "here", 1, now, now, ready=1, trouble="first", troubles=["first", lacks]))
    admin.record_heartbeat(EngineInfo("gone", "there", 2, now - 999, now - 999, troubles=["of an engine that is gone"]))
    said = [one.value for one in opened("admin").warning]
    assert said == [escape(f"Engine on here: {why}", 300) for why in ("first", lacks)] and "<b>" not in said[1]


@pytest.mark.parametrize(("silence", "lives"), [(3.0, False), (90.0, True)])
def test_an_engine_is_silent_by_the_databases_limit(admin, monkeypatch, silence, lives):
    """As on SQLite, and as on PostgreSQL."""
    monkeypatch.setattr(type(admin.database), "silence", silence)
    admin.record_heartbeat(info(heartbeat=time.time() - 8.2))
    page = opened("admin")
    (state,) = page.dataframe[0].value["State"]
    assert state == "ready" if lives else state.startswith("silent for")
    helps = [one.proto.help for one in page.markdown]
    assert any(f"no heartbeat for more than {silence:.0f} s" in help for help in helps)


def test_an_admin_cancels_and_forgets_on_the_page(admin):
    job = admin.submit(SPEC, asker=BEN)
    page = opened("admin")
    assert "p4tients" not in repr([one.value for one in page.dataframe])
    page.button(key="admin.cancel").click().run()
    assert admin.job(job.id).state == "cancelled" and "cancelled" in page.info[0].value
    page.button(key="admin.forget").click().run()
    assert admin.uploads(BEN), "it asks first"
    page.button(key="admin.sure").click().run()
    assert not page.exception and admin.uploads(BEN) == [] and "1 table and 0 jobs" in page.info[0].value
    acts = page.dataframe[-1].value
    assert list(acts["Act"]) == ["forget", "forget", "cancel"]


def one_table(store: Store) -> None:
    store.begin_upload(BROWSER, "arriving.csv")


def nearly_a_mebibyte(store: Store) -> None:
    store.begin_upload(BROWSER, "arriving.csv").write(bytes(1 << 20))


def one_waiting_job(store: Store) -> None:
    store.submit(SPEC, asker=BROWSER)


def a_minute_of_an_engine(store: Store) -> None:
    store.record_spent(name_person(BROWSER), 61.0)


@pytest.mark.parametrize(
    ("setting", "most", "before", "press", "said", "used"),
    [
        (
            "LAB_MOST_TABLES",
            "1",
            one_table,
            ("data", "data.sample"),
            "You have 1 table here, and no more are kept at a time",
            "Kept for you: 1 of 1 tables.",
        ),
        (
            "LAB_MOST_MB",
            "1",
            nearly_a_mebibyte,
            ("data", "data.sample"),
            "Your tables may have 1 MiB together here",
            "Kept for you: 1.0 of 1 MiB.",
        ),
        (
            "LAB_MOST_QUEUED",
            "1",
            one_waiting_job,
            ("lab", "run"),
            "You have 1 job waiting here, and no more may wait at a time",
            "Yours: 1 of 1 jobs that may wait.",
        ),
        (
            "LAB_MOST_SECONDS",
            "60",
            a_minute_of_an_engine,
            ("lab", "run"),
            "You have used 61 s of the engines in the last 24 hours",
            "Yours: 61 of 60 s of the engines in 24 hours.",
        ),
    ],
)
def test_a_reached_quota_is_a_sentence_on_the_page(store, monkeypatch, setting, most, before, press, said, used):
    monkeypatch.setattr(visitor, "read_owner", lambda: BROWSER)
    monkeypatch.setenv(setting, most)
    before(store)
    jobs = len(store.jobs())
    page = opened(press[0])
    assert [one.value for one in page.caption if one.value.startswith(("Kept for you", "Yours"))] == [used]
    page.button(key=press[1]).click().run()
    assert not page.exception and [said in one.value for one in page.error] == [True]
    assert len(store.jobs()) == jobs and store.uploads(BROWSER) == [], "nothing was queued or kept"


def test_quotas_without_a_limit_are_not_named(monkeypatch):
    used = Used(tables=3, size=5 << 19, queued=1_200, seconds=75.4)
    assert quota.list_kept(Quota(8, 0, 0, 0), used) == [] and quota.list_asked(Quota(8, 0, 0, 0), used) == []
    assert quota.list_kept(Quota(6, 40, 0, 0), used) == ["3 of 6 tables", "2.5 of 40 MiB"], (
        "half of the tables that may be kept"
    )
    assert quota.list_asked(Quota(8, 0, 2_000, 3_600), used) == [
        "1,200 of 2,000 jobs that may wait",
        "75 of 3,600 s of the engines in 24 hours",
    ]
    monkeypatch.setenv("LAB_MOST_TABLES", "8")
    assert quota.list_kept(Quota(8, 0, 0, 0), used) == ["3 of 8 tables"]


@pytest.fixture
def signed_in(store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Ben has signed in where his browser sent a table before."""
    monkeypatch.setenv("LAB_PROXY_HEADER", "X-Forwarded-User")
    monkeypatch.setattr(visitor, "read_person", lambda: sign_in.Person(BEN, "Ben"))
    monkeypatch.setattr(visitor, "read_browser", lambda: BROWSER)
    store.add_upload(BROWSER, "before.csv", b"a,b\n1,2\n")
    store.add_upload("o" * 43, "others.csv", b"a,b\n1,2\n")
    return store


def test_tables_of_before_signing_in_are_taken_along_by_one_press(signed_in):
    page = opened("data")
    assert "before.csv" not in words(page) and "This browser sent 1 table before you signed in" in words(page)
    page.button(key="account.take.data").click().run()
    assert not page.exception and "1 table and 0 pieces of work belong to you" in page.success[0].value
    assert [one.name for one in signed_in.uploads(BEN)] == ["before.csv"] and signed_in.uploads(BROWSER) == []
    assert [one.name for one in signed_in.uploads("o" * 43)] == ["others.csv"]
    assert page.session_state["data.words"] == {"data": signed_in.uploads(BEN)[0].id}, "the table is shown"
    page.run()
    assert "account.take.data" not in keys(page) and "account.take.menu" not in keys(page) and not page.success


def test_what_the_quota_has_no_room_for_stays_and_says_why(signed_in, monkeypatch):
    monkeypatch.setenv("LAB_MOST_TABLES", "1")
    signed_in.add_upload(BEN, "mine.csv", b"a,b\n1,2\n")
    page = opened("lab")
    page.button(key="account.take.menu").click().run()
    assert not page.exception and "forget one first" in page.error[0].value
    assert [one.name for one in signed_in.uploads(BROWSER)] == ["before.csv"]


@pytest.mark.parametrize("browser", [BEN, None, "n" * 43])
def test_nothing_is_offered_where_this_browser_sent_nothing(signed_in, monkeypatch, browser):
    monkeypatch.setattr(visitor, "read_browser", lambda: None if browser is None else visitor._token(browser))
    assert "account.take.data" not in keys(opened("data"))


def test_nothing_is_offered_to_who_has_not_signed_in(signed_in, monkeypatch):
    monkeypatch.setattr(visitor, "read_person", lambda: None)
    page = opened("data")
    assert "account.take.data" not in keys(page)
    with pytest.raises(NotAllowed):
        uploads.take_along()
