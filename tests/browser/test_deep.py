"""The Deep page in a real browser: the map while others are computed, its lasso and keys, and every state wide, narrow and dark."""

from __future__ import annotations

import math
import time

import pytest

from app.words import deep as said
from engine.events import unpack
from engine.spec import Imbalance, RunSpec
from engine.spec.run import find_entry
from engine.store import Store
from tests.app import fabricate
from tests.browser.visitor import Visitor

pytestmark = pytest.mark.browser

PLANE = 10
"""Seconds from a page that is drawn to its first map, at most; a busy machine gets as many more as it took to open the page, twice."""
LONG = 240
"""Seconds that a map or a run may take on a busy machine."""


class Deep(Visitor):
    """A visitor of the Deep page."""

    path = "deep"
    ready = ".st-key-deep-row"

    @property
    def map(self):
        """What the map says of itself."""
        root = self.page.locator(".lab-map")
        return root.evaluate("root => ({...root.dataset})") if root.count() else {}

    def box(self):
        """Where the map's canvas is."""
        return self.page.locator(".lab-map .place canvas").bounding_box()

    def lasso(self, share=0.45):
        """Draw a ring around the middle of the map."""
        box = self.box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self.page.mouse.move(x, y - share * box["height"])
        self.page.mouse.down()
        for angle in (i * math.pi / 12 for i in range(25)):
            self.page.mouse.move(x + share * box["width"] * math.sin(angle), y - share * box["height"] * math.cos(angle))
        self.page.mouse.up()

    def height(self):
        """Pixels that the page takes."""
        return self.page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")


def test_the_old_map_stays_until_the_new_one_is_there(chromium, product, until):
    url, store = product
    catalog = until(store.catalog, 30, "the catalog")
    params = {"epochs": 3, "head_epochs": 2}
    spec = RunSpec("digits", "eos", Imbalance("exponential", 20.0), params=params).complete(catalog)
    run = store.submit(spec, fingerprint=find_entry(catalog, "datasets", "digits")["fingerprint"]).id
    until(lambda: store.job(run).state == "done", LONG, "the run to end")
    began = time.monotonic()
    deep = Deep(chromium, url, f"?run={run}")
    page, opened = deep.page, time.monotonic() - began
    until(
        lambda: deep.map.get("technique") == "pca" and int(deep.map.get("drawn") or 0) > 0, PLANE + 2 * opened, "the map of PCA"
    )
    kept = unpack(store.artifact(run, "features/0"))
    assert int(deep.map["drawn"]) == int((kept["part"] != 1).sum())  # test rows are asked for

    if "umap" not in deep.map["ready"]:
        page.locator(".lab-map [data-technique=umap]").click()
        assert deep.map["wanted"] == "umap" and deep.map["technique"] == "pca" and int(deep.map["drawn"]) > 0
    until(lambda: "tsne" in deep.map["ready"] and "umap" in deep.map["ready"], LONG, "both maps")
    until(lambda: deep.map["technique"] == "umap" or deep.map["wanted"] == "", 20, "the map that was asked for")
    page.locator(".lab-map [data-technique=tsne]").click()
    until(lambda: deep.map["technique"] == "tsne", 5, "t-SNE at once")
    assert page.locator("h1").count() == 1

    # one change and everything else stays: both runs are beside each other, in the tab that was open
    page.get_by_role("tab", name=said.TABS["what-if"]).click()
    until(lambda: deep.words.get("tab") == "what-if", 20, "the tab in the address")
    deep.settle()
    deep.choose("deep-knob", "k neighbors")
    field = page.locator(f"[class*=st-key-deep-w-{run}-k_neighbors] input").last
    field.wait_for(timeout=20_000)
    field.fill("3")
    field.press("Enter")
    until(lambda: page.locator(".st-key-deep-whatif button:visible").first.is_enabled(), 20, "a value that differs")
    deep.settle()
    deep.press("deep-whatif")
    until(lambda: "beside" in deep.words, 20, "the other run in the address")
    assert store.job(deep.words["beside"]).spec["params"]["k_neighbors"] == 3 and deep.words["tab"] == "what-if"
    until(lambda: deep.there("deep-beside-done"), LONG, "the other run's end")
    deep.leave()


# ---- looks that need no engine


@pytest.fixture(scope="module")
def shelf(serve, tmp_path_factory):
    """A server without an engine over a store filled by hand, and the ids in it."""
    place = f"sqlite:///{tmp_path_factory.mktemp('shelf') / 'shelf.db'}"
    store = Store(place)
    store.publish_catalog(fabricate.catalog())
    ids = {
        "done": fabricate.deep(store, maps=("pca", "tsne")).id,
        "odd": fabricate.deep(store, fabricate.spec("odd", "eos", 3.0)).id,
        "failed": fabricate.ended(store, fabricate.DIGITS.with_(seed=3), "failed", "It was <b>too large</b>.").id,
    }
    yield serve("app/server.py", {"LAB_STORE": place, "LAB_ENGINE": "off"}), ids
    store.close()


def test_every_state_is_drawn_without_an_exception_or_a_sideways_scroll(chromium, shelf, until):
    """Each in light and narrow, then in dark and wide."""
    url, ids = shelf
    for state, run in ids.items():
        deep = Deep(chromium, url, f"?run={run}", color_scheme="light")
        for scheme, width in (("light", 390), ("dark", 1400)):
            deep.turn(scheme, width, 900)
            until(
                lambda deep=deep, state=state: deep.there(f"deep-state-{'failed' if state == 'failed' else 'done'}"), 20, state
            )
            if state != "failed":
                until(lambda deep=deep: int(deep.map.get("drawn") or 0) > 0, 60, "the map")
            until(lambda deep=deep: deep.over() <= 1, 10, f"{state} at {width}px without a sideways scroll")
            assert deep.page.locator("img[src='x'], a[href*='evil']").count() == 0
            until(lambda deep=deep: deep.page.locator("h1").count() == 1, 10, "one heading")
            deep.shot(f"{state}-{scheme}")
        deep.leave()


def test_the_map_has_its_sizes_and_the_page_its_height(chromium, shelf, until):
    url, ids = shelf
    deep = Deep(chromium, url, f"?run={ids['done']}")
    for width, height, least in ((1440, 900, 800), (1280, 720, 640), (390, 844, 390)):
        deep.turn("light", width, height)
        until(lambda deep=deep: int(deep.map.get("drawn") or 0) > 0, 60, "the map")
        until(lambda deep=deep, least=least: deep.box()["width"] >= least, 10, f"a map {least} wide at {width}")
        if width == 1440:
            assert deep.height() <= 1600 and deep.box()["y"] <= 230
            lines = deep.page.locator("h1").evaluate("e => e.getBoundingClientRect().height / 25.2")
            assert lines < 1.6
        if width == 390:
            assert 380 <= deep.box()["height"] <= 420
    deep.leave()


def test_the_lasso_shows_counts_and_images(chromium, shelf, until):
    url, ids = shelf
    deep = Deep(chromium, url, f"?run={ids['done']}")
    deep.turn("light", 1440, 900)
    until(lambda: deep.map.get("drawn") == "280", 60, "training rows and synthetic points")
    deep.lasso(0.5)
    until(lambda: int(deep.map.get("selected") or 0) > 0, 5, "points in the lasso")
    panel = deep.page.locator(".lab-map .panel")
    assert panel.locator("h2").inner_text() == f"{deep.map['selected']} points in the lasso"
    assert 0 < panel.locator(".grid figure canvas").count() <= 16 and panel.locator(".bar").count() > 0
    assert panel.locator(".line canvas").count() == 6  # three synthetic points, two rows each
    assert panel.locator("figure.made").count() == 0  # a point of feature space has no image
    panel.get_by_role("button", name="Clear").click()
    until(lambda: deep.map["selected"] == "", 5, "no lasso")

    deep.page.locator(".lab-map").get_by_role("button", name="Mark errors").click()
    until(lambda: deep.map["drawn"] == "380", 5, "test rows too")
    deep.page.locator(".lab-map [data-technique=tsne]").click()
    until(lambda: deep.map["technique"] == "tsne" and deep.map["flying"] == "false", 5, "the other map")
    deep.leave()


def test_the_map_is_walked_with_the_keyboard(chromium, shelf, until):
    url, ids = shelf
    deep = Deep(chromium, url, f"?run={ids['done']}")
    page = deep.page
    until(lambda: int(deep.map.get("drawn") or 0) > 0, 60, "the map")
    page.locator(".lab-map .place canvas").focus()
    page.keyboard.press("ArrowRight")
    first = until(lambda: int(deep.map["point"]) >= 0 and deep.map["point"], 5, "a first point")
    page.keyboard.press("ArrowRight")
    until(lambda: deep.map["point"] != first, 5, "the next point to the right")
    panel = page.locator(".lab-map .panel")
    title = panel.locator("h2").inner_text()
    assert "class" in title and page.locator(".lab-map .live").inner_text() == title
    assert panel.locator(".grid figure canvas").count() == 8
    page.keyboard.press("Enter")
    until(lambda: deep.map["pinned"] == "true", 5, "a pinned point")
    page.keyboard.press("l")
    until(lambda: deep.map["selected"] in ("20", "28"), 5, "the points of its class")
    page.keyboard.press("Escape")
    until(lambda: deep.map["selected"] == "" and deep.map["point"] == "-1", 5, "nothing chosen")
    alt = page.locator(".lab-map .place canvas").get_attribute("aria-label")
    assert "PCA of the features" in alt and alt.startswith(page.locator("h1").inner_text())
    deep.leave()


def test_a_table_shows_the_columns_of_the_row_under_the_pointer(chromium, shelf, until):
    url, ids = shelf
    deep = Deep(chromium, url, f"?run={ids['odd']}")
    until(lambda: int(deep.map.get("drawn") or 0) > 0, 60, "the map")
    deep.page.locator(".lab-map .place canvas").focus()
    deep.page.keyboard.press("ArrowDown")
    table = deep.page.locator(".lab-map .panel table")
    table.wait_for(timeout=5000)
    assert table.locator("tbody tr").count() == 3 and table.locator("img").count() == 0
    assert fabricate.HOSTILE[0] in table.inner_text()
    deep.leave()


def test_one_press_of_back_returns_the_map_and_the_tab(chromium, shelf, until):
    url, ids = shelf
    deep = Deep(chromium, url, f"?run={ids['done']}")
    page = deep.page
    until(lambda: int(deep.map.get("drawn") or 0) > 0, 60, "the map")
    page.get_by_role("tab", name=said.TABS["classes"]).click()
    until(lambda: deep.words.get("tab") == "classes", 20, "the tab in the address")
    deep.settle()
    page.locator(".lab-map [data-technique=tsne]").click()
    until(lambda: deep.words.get("map") == "tsne" and deep.map["technique"] == "tsne", 20, "the other map in the address")
    deep.settle()
    page.go_back()
    until(lambda: deep.words == {"run": ids["done"], "tab": "classes"}, 10, "the address before")
    until(lambda: deep.map["technique"] == "pca", 20, "the map before")
    deep.settle()
    page.go_back()
    until(lambda: "tab" not in deep.words, 10, "the address before")
    until(lambda: page.get_by_role("tab", name=said.TABS["gap"]).get_attribute("aria-selected") == "true", 20, "the tab before")
    deep.leave()
