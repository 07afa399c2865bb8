"""People who sign in at a provider, in a browser: one provider and one server for all."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from app import sign_in
from engine.store import Store
from tests.app import fabricate
from tests.browser.conftest import ROOT, _end, _free_port, _healthy
from tests.browser.test_axe import BAD, KNOWN, SCAN
from tests.engine.test_store import SPEC, info
from tests.tls_proxy import tls_proxy

pytestmark = [pytest.mark.browser, pytest.mark.long, pytest.mark.timeout(300)]

FILE = "age;flag\n61;1\n"
PLACE = "/runs?state=failed"


class Site:
    """The page's address, its store, and the owners of people by their subject at the provider."""

    def __init__(self, url: str, store: Store, issuer: str) -> None:
        self.url, self.store, self.issuer = url, store, issuer

    def owner(self, subject: str) -> str:
        return "oidc:" + sign_in._digest(["oidc", self.issuer, subject])


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, until: Any) -> Iterator[Site]:
    """By http."""
    with serving(tmp_path_factory.mktemp("signed-in"), until) as site:
        yield site


@contextlib.contextmanager
def serving(folder: Path, until: Any, *, https: bool = False) -> Iterator[Site]:
    """A provider that believes everybody, and a server that `app.launch` starts. 'root' is its admin.

    https: behind a proxy that ends TLS.
    """
    ports = [_free_port(), _free_port()]
    metadata = f"http://localhost:{ports[0]}/.well-known/openid-configuration"
    with contextlib.ExitStack() as stack, (folder / "log").open("wb") as log:

        def start(module: str, *words: str, **env: str) -> None:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *words],
                cwd=ROOT, env=os.environ | env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
            stack.callback(_end, process)

        def read_metadata() -> dict[str, Any] | None:
            with contextlib.suppress(OSError), urllib.request.urlopen(metadata, timeout=2) as answer:
                return dict(json.load(answer))
            return None

        start("oidc_provider_mock", "--port", str(ports[0]))
        issuer = until(read_metadata, 180)["issuer"]
        store = fabricate.fresh(folder)
        plain = f"http://127.0.0.1:{ports[1]}"
        if https:
            port, _ = stack.enter_context(tls_proxy(folder, ports[1], {"X-Forwarded-Proto": "https"}))
        site = Site(f"https://localhost:{port}" if https else plain, store, issuer)
        start(
            "app.launch", "--port", str(ports[1]),
            LAB_STORE=store.url, LAB_ENGINE="off", LAB_ADMINS=site.owner("root"),
            LAB_AUTH_METADATA_URL=metadata, LAB_AUTH_CLIENT_ID="lab", LAB_AUTH_CLIENT_SECRET="secret",
            LAB_AUTH_COOKIE_SECRET="c" * 40, LAB_AUTH_ADDRESS=site.url, LAB_PROXIES="127.0.0.1" if https else "",
        )  # fmt: skip
        until(lambda: _healthy(plain), 180, Path(log.name).read_text)
        yield site
        store.close()


class Guest:
    """A browser of its own at a page. Its cookies may be those of another."""

    def __init__(self, chromium: Any, site: Site, place: str = "/", cookies: Any = (), **look: Any) -> None:
        self.site = site
        self.context = chromium.new_context(**({"viewport": {"width": 1440, "height": 900}, "reduced_motion": "reduce"} | look))
        if cookies:
            self.context.add_cookies(cookies)
        self.page = self.context.new_page()
        self.go(place)

    def go(self, place: str) -> None:
        self.page.goto(self.site.url + place)
        self.settle()

    def settle(self) -> None:
        self.page.locator(".st-key-top-tools").first.wait_for(state="attached", timeout=30_000)
        self.page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for(timeout=30_000)

    def sign_in(self, subject: str) -> Guest:
        self.page.get_by_role("link", name="Sign in", exact=True).click()
        self.page.locator("input[name=sub]").fill(subject)
        self.page.get_by_role("button", name="Authorize").click()
        self.page.wait_for_url(f"{self.site.url}/**")
        self.settle()
        return self

    @property
    def is_signed_in(self) -> bool:
        self.page.locator("a.sign-in, .st-key-account").first.wait_for(timeout=30_000)
        return bool(self.page.locator(".st-key-account").count())

    def open_account(self) -> None:
        self.page.locator(".st-key-account button").first.click()
        self.page.get_by_role("button", name="Sign out everywhere").wait_for()

    def leave(self, key: str) -> None:
        """Press a button of signing out, which leads to the provider."""
        self.open_account()
        self.page.locator(f".st-key-{key} button:visible").first.click()
        self.page.wait_for_url(lambda url: not url.startswith(self.site.url), timeout=30_000)

    def ask(self, job: str) -> tuple[int, str]:
        answer = self.context.request.get(f"{self.site.url}/api/jobs/{job}/scored.csv")
        return answer.status, answer.text()


def give(site: Site, subject: str) -> tuple[str, str]:
    """A table and a finished private file of a person: the table's name and the job's id."""
    name = f"of-{subject}.csv"
    table = site.store.add_upload(site.owner(subject), name, b"age,ill\n" + b"61,no\n" * 40)
    spec = SPEC.with_(dataset=f"upload/{table}", data={"target": "ill"})
    job = site.store.submit(spec, owner=site.owner(subject))
    site.store.put_artifact(job.id, "scored.csv", FILE.encode())
    return name, job.id


def test_a_person_has_the_same_tables_on_every_browser_and_nobody_else_does(chromium, site):
    name, job = give(site, "ann")
    here = Guest(chromium, site, PLACE)
    assert not here.is_signed_in and here.ask(job)[0] == 404
    here.sign_in("ann")
    assert here.page.url == site.url + PLACE, "one lands where one was"
    assert here.is_signed_in and here.ask(job) == (200, FILE)
    there = Guest(chromium, site).sign_in("ann")
    assert there.ask(job) == (200, FILE)
    there.go("/data")
    there.page.get_by_text(name).first.wait_for(timeout=30_000)
    ben = Guest(chromium, site).sign_in("ben")
    forger = Guest(chromium, site, cookies=[{"name": "lab_owner", "value": site.owner("ann"), "url": site.url}])
    token = {c["name"]: c["value"] for c in forger.context.cookies()}["lab_owner"]
    for other in (ben, forger):
        assert other.ask(job)[0] == 404, "another person's link"
        other.go(f"/?run={job}")
        assert name not in other.page.inner_text("body")
    assert token != site.owner("ann"), "the forged cookie was replaced"
    for guest in (here, there, ben, forger):
        guest.context.close()


def test_an_old_cookie_is_refused_after_signing_out(chromium, site):
    _, job = give(site, "cat")
    here = Guest(chromium, site).sign_in("cat")
    there = Guest(chromium, site).sign_in("cat")
    stolen = here.context.cookies(site.url)
    assert {"_streamlit_user", "_streamlit_user_tokens"} <= {cookie["name"] for cookie in stolen}
    thief = Guest(chromium, site, cookies=stolen)
    assert thief.is_signed_in and thief.ask(job)[0] == 200
    here.leave("account-out")
    here.go("/")
    assert not here.is_signed_in
    assert thief.ask(job)[0] == 404
    thief.page.get_by_role("link", name="Runs").first.click()  # over the websocket that is open
    thief.page.locator("a.sign-in").wait_for(timeout=30_000)
    assert there.ask(job)[0] == 200, "another sign-in goes on"
    assert Guest(chromium, site, cookies=stolen).is_signed_in is False


def test_signing_out_everywhere_ends_pages_that_are_open(chromium, site, until):
    _, job = give(site, "dan")
    here, there = (Guest(chromium, site).sign_in("dan") for _ in range(2))
    assert here.is_signed_in and there.is_signed_in
    here.leave("account-everywhere")
    assert there.ask(job)[0] == 404
    there.page.get_by_role("link", name="Runs").first.click()
    there.page.locator("a.sign-in").wait_for(timeout=30_000)
    until(lambda: there.sign_in("dan").is_signed_in, 30, "a new sign-in, from the next second on")
    assert there.ask(job)[0] == 200


def test_over_tls_every_cookie_is_secure_and_the_page_works(chromium, tmp_path, until):
    with serving(tmp_path, until, https=True) as site:
        _, job = give(site, "ann")
        here = Guest(chromium, site, PLACE, ignore_https_errors=True).sign_in("ann")
        assert here.page.url == site.url + PLACE and here.is_signed_in and here.ask(job) == (200, FILE)
        cookies = {cookie["name"]: cookie["secure"] for cookie in here.context.cookies(site.url)}
        assert {"_streamlit_user", "_streamlit_user_tokens", "lab_owner"} <= set(cookies) and all(cookies.values()), cookies
        here.context.close()


@pytest.mark.parametrize(("scheme", "width", "height"), [("light", 1440, 900), ("dark", 390, 844)])
def test_admins_alone_have_a_page_that_anybody_can_use(chromium, site, scheme, width, height):
    site.store.record_heartbeat(info())
    give(site, f"eve-{scheme}")
    site.store.submit(SPEC.with_(seed=width), asker=site.owner("ben"))
    root = Guest(chromium, site, color_scheme=scheme, viewport={"width": width, "height": height}).sign_in("root")
    root.go("/admin")
    root.page.get_by_role("heading", name="Admin").wait_for(timeout=30_000)
    root.page.locator("[data-testid=stDataFrame] canvas").first.wait_for(timeout=30_000)
    if folder := os.environ.get("LAB_PICTURES"):
        root.page.screenshot(path=f"{folder}/admin-{scheme}-{width}.png", full_page=True)
        root.open_account()
        root.page.screenshot(path=f"{folder}/account-{scheme}-{width}.png")
        root.page.keyboard.press("Escape")
    assert "of-eve" not in root.page.content()
    assert root.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    root.page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8"))
    found = [v for v in root.page.evaluate(SCAN) if v["impact"] in BAD and v["rule"] not in KNOWN]
    assert found == []
    ben = Guest(chromium, site).sign_in("ben")
    assert ben.page.get_by_role("link", name="Admin").count() == 0
    for guest in (root, ben):
        guest.context.close()
