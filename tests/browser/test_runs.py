"""The page of all runs in a real browser: ticked by hand and keyboard, found again by address and by any word, deleted after a question."""

from __future__ import annotations

import pytest

from engine.errors import UnknownName
from engine.store import Store
from tests.app import fabricate
from tests.browser.visitor import Visitor

pytestmark = pytest.mark.browser

ROW, HEAD = 52, 36
"""Pixels of a row of the list, and of its headings."""


class Runs(Visitor):
    """A visitor of the page of all runs."""

    path = "runs"
    viewport = (1440, 900)

    def text(self):
        return self.page.locator("[data-testid=stMain]").inner_text()

    def grid(self, kind="wide"):
        return self.page.locator(f".st-key-runs-{kind} [data-testid=stDataFrame]")

    def cells(self, kind="wide"):
        """The rows as a screen reader has them, each a text."""
        return self.page.evaluate(
            "(kind) => [...document.querySelectorAll(`.st-key-runs-${kind} canvas table tbody tr`)].map((row) => row.innerText)",
            kind,
        )

    def tick(self, number, kind="wide", row=ROW):
        """Press the box of a row, counted from 0."""
        self.grid(kind).locator("canvas").first.click(position={"x": 17, "y": HEAD + row * number + row // 2}, force=True)


@pytest.fixture(scope="module")
def shop(serve, tmp_path_factory):
    """(address, store, ids): a server without an engine over a store with a little of everything."""
    place = f"sqlite:///{tmp_path_factory.mktemp('runs') / 'runs.db'}"
    store = Store(place)
    store.publish_catalog(fabricate.catalog())
    ids = {"first": fabricate.done(store, fabricate.spec(folds=4, seeds=2)).id}
    ids["second"] = fabricate.done(store, fabricate.spec("glass2", "smote", 10.0)).id
    ids["third"] = fabricate.done(store, fabricate.spec("glass2", "ce", 10.0)).id
    ids["failed"] = fabricate.ended(
        store, fabricate.spec("wine", "ce", None), "failed", "The worker was killed: out of memory."
    ).id
    ids["sweep"] = store.keep_sweep({"datasets": ["moons"], "methods": ["smote"], "ratios": [5.0, 20.0], "seeds": 2})
    for seed in range(120):
        ids[f"queued{seed}"] = fabricate.queued(store, fabricate.spec("wine", "smote", None, seed=seed), priority=10).id
    yield serve("app/server.py", {"LAB_STORE": place, "LAB_ENGINE": "off"}), store, ids
    store.close()


def test_two_ticked_runs_are_compared_and_back_returns_the_list(chromium, shop, until):
    url, _, ids = shop
    me = Runs(chromium, url, "?state=done&dataset=glass2&sort=old")
    page = me.page
    until(lambda: len(me.cells()) == 2, 30, "the finished runs")
    headings = page.locator("h1")
    assert headings.count() == 1 and headings.inner_text() == "Runs"
    for number in (0, 1):
        me.tick(number)
        until(lambda number=number: f"{number + 1} row" in me.text(), 20, "a ticked row")
    me.settle()
    me.shot("runs-ticked")
    link = page.get_by_role("link", name="Compare").last
    link.focus()
    page.keyboard.press("Enter")
    until(lambda: "/compare" in page.evaluate("location.pathname"), 20, "the pair")
    until(lambda: {me.words.get("run"), me.words.get("beside")} == {ids["second"], ids["third"]}, 20, "both in the address")
    page.go_back()
    until(lambda: me.words == {"state": "done", "dataset": "glass2", "sort": "old"}, 20, "the list as it was")
    until(lambda: len(me.cells()) == 2, 30, "its rows")
    me.leave()


def test_search_finds_a_shown_word_and_the_address_brings_it_back(chromium, shop, until):
    url, _, ids = shop
    me = Runs(chromium, url)
    page = me.page
    until(lambda: me.grid().count() == 1, 30, "the list")
    me.settle()
    facts = page.evaluate(
        "() => { const m = document.querySelector('[data-testid=stMain]'), g = document.querySelector('.st-key-runs-wide canvas');"
        " return [m.scrollHeight, g.getBoundingClientRect().height, m.innerText] }"
    )
    assert facts[0] <= 1600 and facts[1] >= 10 * ROW + HEAD - 4 and "[" not in facts[2] and len(facts[2].split()) <= 140
    assert "eta_points" not in facts[2]
    me.press("runs-next-page")
    until(lambda: me.words == {"page": "2"}, 20, "the second page")
    find = page.locator(".st-key-mine-runs-text input")
    for text, shown in (("failed", "out of memory"), ("20:1 done", "Explicit gradient"), ("sweep", "5:1, 20:1")):
        find.fill(text)
        find.press("Enter")
        until(lambda shown=shown: any(shown in row for row in me.cells()), 20, shown)
        until(lambda text=text: me.words == {"text": text}, 20, "the question in the address")
    page.reload()
    until(lambda: len(me.cells()) == 1 and find.input_value() == "sweep", 30, "the same after a reload")
    find.fill("failed")
    find.press("Enter")
    until(lambda: any("out of memory" in row for row in me.cells()), 20, "what failed")
    until(lambda: len(me.cells()) == 1, 20, "it alone")
    me.tick(0)
    page.get_by_role("link", name="Open").click()
    until(lambda: me.words.get("run") == ids["failed"], 20, "the run in the Lab")
    me.leave()


def test_named_pinned_and_deleted_after_a_question(chromium, shop, until):
    url, store, ids = shop
    me = Runs(chromium, url, "?kind=sweep")
    page = me.page
    until(lambda: len(me.cells()) == 1, 30, "the sweep")
    me.tick(0)
    until(lambda: "1 row ticked" in me.text(), 20, "ticked")
    me.press("runs-pin")
    until(lambda: page.locator(".st-key-runs-pin button:visible", has_text="Unpin").count() > 0, 20, "pinned")
    page.locator(".st-key-runs-naming button:visible").first.click()
    name = page.get_by_placeholder("what you call it")
    name.fill("<i>Friday</i>")
    name.press("Enter")
    until(lambda: "<i>Friday</i>" in me.cells()[0] and "★" in me.cells()[0], 20, "its name, letter by letter")
    page.keyboard.press("Escape")
    delete = page.locator(".st-key-runs-delete button:visible").first
    colour = delete.evaluate("(one) => getComputedStyle(one).color")
    assert colour == "rgb(179, 38, 30)", "it deletes, so it is red"
    delete.click()
    until(lambda: "1 sweep from the list, whose runs stay" in me.text(), 20, "what goes")
    me.shot("runs-confirm")
    assert len(store.sweeps()) == 1
    me.press("runs-sure")
    until(lambda: "No run matches." in me.text(), 20, "an empty list")
    assert store.sweeps() == []
    me.leave()


def test_the_export_is_a_bundle(chromium, shop, until, tmp_path):
    url, store, ids = shop
    me = Runs(chromium, url, f"?text={ids['first']}")
    until(lambda: len(me.cells()) == 1, 30, "the run")
    me.tick(0)
    link = me.page.get_by_role("link", name="Export")
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
    me = Runs(chromium, url, f"?text={ids['queued119']}", color_scheme="dark")
    me.page.set_viewport_size({"width": 390, "height": 844})
    until(lambda: len(me.cells("narrow")) == 1, 30, "a run")
    assert not me.grid("wide").is_visible() and "waiting" in me.cells("narrow")[0] and "SMOTE" in me.cells("narrow")[0]
    me.tick(0, "narrow", 68)
    until(lambda: "1 row ticked" in me.text(), 20, "one ticked")
    assert me.over() <= 1
    bar = me.page.locator(".st-key-runs-bar").bounding_box()
    assert bar["y"] + bar["height"] <= 844 + 1  # within reach wherever one has scrolled to
    me.shot("runs-narrow-dark")
    me.press("runs-stop")
    until(lambda: store.job(ids["queued119"]).state == "cancelled", 20, "cancelled")
    with pytest.raises(UnknownName):
        store.job("0" * 16)
    me.leave()
