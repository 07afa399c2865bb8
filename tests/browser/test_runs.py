"""The page of all runs in a real browser: chosen by keyboard, found again by address, deleted after a question."""

from __future__ import annotations

import pytest

from engine.errors import UnknownName
from engine.store import Store
from tests.app import fabricate
from tests.browser.visitor import Visitor

pytestmark = pytest.mark.browser


class Runs(Visitor):
    """A visitor of the page of all runs."""

    path = "runs"

    def text(self):
        return self.page.locator("[data-testid=stMain]").inner_text()

    def box(self, id):
        return self.page.locator(f".st-key-runs-row-{id} input[type=checkbox]")

    def rows(self):
        return self.page.locator("[class*=st-key-runs-row-]").count()


@pytest.fixture(scope="module")
def shop(serve, tmp_path_factory):
    """(address, store, ids): a server without an engine over a store with a little of everything."""
    place = f"sqlite:///{tmp_path_factory.mktemp('runs') / 'runs.db'}"
    store = Store(place)
    store.publish_catalog(fabricate.catalog())
    ids = {"first": fabricate.done(store, fabricate.spec(folds=4, seeds=2)).id}
    ids["second"] = fabricate.done(store, fabricate.spec("glass2", "smote", 10.0)).id
    ids["failed"] = fabricate.ended(
        store, fabricate.spec("wine", "ce", None), "failed", "The worker was killed: out of memory."
    ).id
    ids["sweep"] = store.keep_sweep({"datasets": ["moons"], "methods": ["smote"], "ratios": [5.0, 20.0], "seeds": 2})
    for seed in range(40):
        ids[f"queued{seed}"] = fabricate.queued(store, fabricate.spec("wine", "smote", None, seed=seed), priority=10).id
    yield serve("app/server.py", {"LAB_STORE": place, "LAB_ENGINE": "off"}), store, ids
    store.close()


def test_from_the_keyboard_to_a_pair_and_back(chromium, shop, until):
    url, _, ids = shop
    me = Runs(chromium, url, "?kind=run&state=done&sort=old")
    page = me.page
    until(lambda: all(me.box(ids[name]).count() for name in ("first", "second")), 20, "the finished runs")
    for name in ("first", "second"):
        me.box(ids[name]).focus()
        page.keyboard.press("Space")
        until(lambda name=name: me.box(ids[name]).is_checked(), 20, "a box ticked by the space bar")
        me.settle()
    until(lambda: "2 rows chosen" in me.text(), 20, "both chosen")
    me.shot("runs-chosen")
    link = page.get_by_role("link", name="Put side by side")
    link.focus()
    page.keyboard.press("Enter")
    until(lambda: "/compare" in page.evaluate("location.pathname"), 20, "the pair")
    until(lambda: me.words.get("run") == ids["first"] and me.words.get("beside") == ids["second"], 20, "both in the address")
    page.go_back()
    until(lambda: me.words == {"kind": "run", "state": "done", "sort": "old"}, 20, "the list as it was")
    until(lambda: me.box(ids["first"]).count() == 1, 20, "its rows")
    me.leave()


def test_filters_pages_and_reload(chromium, shop, until):
    url, _, ids = shop
    me = Runs(chromium, url)
    page = me.page
    until(lambda: me.rows() == 25, 20, "a page of rows")
    me.shot("runs")
    me.press("runs-next-page")
    until(lambda: me.words == {"page": "2"}, 20, "the second page")
    find = page.locator(".st-key-mine-runs-text input")
    find.fill("out of memory")
    find.press("Enter")
    until(lambda: me.rows() == 1 and "failed: The worker was killed" in me.text(), 20, "what failed and why")
    until(lambda: me.words == {"text": "out of memory"}, 20, "the question in the address")
    page.reload()
    until(lambda: me.rows() == 1 and find.input_value() == "out of memory", 30, "the same after a reload")
    page.get_by_role("link", name="Open").click()
    until(lambda: me.words.get("run") == ids["failed"], 20, "the run in the Lab")
    until(lambda: "The run failed." in me.text(), 20, "why it failed")
    me.leave()


def test_named_pinned_and_deleted_after_a_question(chromium, shop, until):
    url, store, ids = shop
    me = Runs(chromium, url, "?kind=sweep")
    page = me.page
    until(lambda: me.rows() == 1, 20, "the sweep")
    page.locator(f".st-key-runs-row-{ids['sweep']} label").click()
    until(lambda: "1 row chosen" in me.text(), 20, "chosen by a click on its words")
    me.press("runs-pin")
    until(lambda: page.locator(".st-key-runs-pin button:visible", has_text="Unpin").count() > 0, 20, "pinned")
    page.locator(".st-key-runs-naming button:visible").first.click()
    name = page.get_by_placeholder("what you call it")
    name.fill("<i>Friday</i>")
    name.press("Enter")
    until(
        lambda: "<i>Friday</i>" in page.locator(f".st-key-runs-row-{ids['sweep']}").inner_text(),
        20,
        "its name, letter by letter",
    )
    page.keyboard.press("Escape")
    me.press("runs-delete")
    until(lambda: "1 sweep from the list, whose runs stay" in me.text(), 20, "what goes")
    me.shot("runs-confirm")
    assert len(store.sweeps()) == 1
    me.press("runs-sure")
    until(lambda: "Nothing here is like that" in me.text(), 20, "an empty list")
    assert store.sweeps() == []
    me.leave()


def test_the_export_is_a_bundle(chromium, shop, until, tmp_path):
    url, store, ids = shop
    me = Runs(chromium, url, f"?text={ids['first']}")
    page = me.page
    until(lambda: me.rows() == 1, 20, "the run")
    page.locator(f".st-key-runs-row-{ids['first']} label").click()
    link = page.get_by_role("link", name="Export")
    link.wait_for(timeout=20_000)
    got = me.context.request.get(f"{url}{link.get_attribute('href')}")
    assert got.status == 200 and got.headers["content-type"] == "application/zip"
    (tmp_path / "runs.zip").write_bytes(got.body())
    other = Store(f"sqlite:///{tmp_path / 'other.db'}")
    assert other.load(tmp_path / "runs.zip") == [ids["first"]] and other.result(ids["first"]).n == 8
    other.close()
    for wrong in ("no", f"{ids['failed']}", f"{ids['first']}-x", "0" * 16):
        assert me.context.request.get(f"{url}/api/runs/{wrong}").status in (400, 404)
    me.leave()


def test_narrow_and_dark(chromium, shop, until):
    url, store, ids = shop
    me = Runs(chromium, url, color_scheme="dark")
    me.page.set_viewport_size({"width": 375, "height": 800})
    until(lambda: me.rows() == 25, 20, "rows")
    row = me.page.locator(f".st-key-runs-row-{ids['queued39']}")
    row.locator("label").click()
    until(lambda: "1 row chosen" in me.text(), 20, "one chosen")
    assert me.over() <= 1
    bar = me.page.locator(".st-key-runs-bar").bounding_box()
    assert bar["y"] + bar["height"] <= 800 + 1  # within reach wherever one has scrolled to
    me.shot("runs-narrow-dark")
    me.press("runs-stop")
    until(lambda: store.job(ids["queued39"]).state == "cancelled", 20, "cancelled")
    with pytest.raises(UnknownName):
        store.job("0" * 16)
    me.leave()
