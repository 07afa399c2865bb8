"""The Deep page in a real browser with a real engine, on scikit-learn's digits: from one press to a second run beside the first."""

from __future__ import annotations

import math

import pytest

from engine.events import unpack
from engine.store import Store
from tests.app import fabricate
from tests.browser.visitor import Visitor

pytestmark = pytest.mark.browser

LONG = 240
"""Seconds a run and its companions may take on a busy machine."""


class Deep(Visitor):
    """A visitor of the Deep page."""

    path = "deep"
    ready = ".st-key-run button"

    def points(self):
        """Marks that the map shows."""
        return self.page.locator("[class*=st-key-chart-map] .scatterlayer .point").count()

    def lasso(self, share=0.25):
        """Draw a ring around the middle of the map."""
        area = self.page.locator("[class*=st-key-chart-map] .nsewdrag").first
        area.scroll_into_view_if_needed()
        box = area.bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        ring = [(math.sin(a), -math.cos(a)) for a in (i * math.pi / 12 for i in range(25))]
        self.page.mouse.move(x, y - share * box["height"])
        self.page.mouse.down()
        for right, down in ring:
            self.page.mouse.move(x + share * box["width"] * right, y + share * box["height"] * down)
        self.page.mouse.up()


def test_from_one_press_to_a_second_run_beside_the_first(chromium, product, until):
    url, store = product
    deep = Deep(chromium, url)
    page = deep.page
    until(lambda: deep.there("deep-state-empty"), 20, "the invitation")
    deep.press("deep-example")
    until(lambda: "run" in deep.words, 20, "the run in the address")
    until(lambda: deep.there("deep-state-running") or deep.there("deep-state-done"), 60, "the run to begin")
    until(lambda: deep.there("deep-state-done"), LONG, "the run to end")
    run = deep.words["run"]
    assert store.job(run).spec["method"] == "eos" and store.job(run).spec["dataset"] == "digits"
    found = unpack(store.artifact(run, "features/0"))

    # PCA comes by itself; all of the sample is drawn
    page.locator("[class*=st-key-chart-map] .nsewdrag").wait_for(timeout=60_000)
    until(lambda: deep.points() == len(found["y"]), 20, "every row of the sample")

    # t-SNE is asked for
    page.locator(".st-key-deep-technique").get_by_text("t-SNE").click()
    until(lambda: deep.there("deep-embed") or deep.there("deep-embedding"), 20, "the offer")
    if deep.there("deep-embed"):
        deep.press("deep-embed")
    until(lambda: any(name.startswith("embedding/tsne") for name in store.artifacts(run)), 120, "t-SNE")
    until(lambda: deep.points() == len(found["y"]), 30, "t-SNE's picture")

    # one class, a ring around it, a table, and real images of that class near it
    page.locator(".st-key-deep-classes").get_by_text("3", exact=True).click()
    until(lambda: deep.points() == int((found["y"] == 3).sum()), 20, "one class")
    deep.settle()
    deep.lasso(0.49)
    until(lambda: page.locator(".st-key-thumbs img").count() > 0, 20, "images")
    images = page.locator(".st-key-thumbs img")
    assert 0 < images.count() <= 24 and all("row" in images.nth(i).get_attribute("alt") for i in range(images.count()))
    assert images.first.evaluate("image => image.complete && image.naturalWidth > 0")

    # what if K were 3?
    until(
        lambda: not any(store.count_active().values()), LONG, "what it is compared with"
    )  # until then the page may redraw an open list
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
    assert store.job(deep.words["beside"]).spec["params"]["k_neighbors"] == 3
    until(lambda: deep.there("deep-beside-done"), LONG, "the other run's end")
    until(lambda: page.locator(".lab-player").count() == 2, 20, "both films")
    until(lambda: page.locator("[class*=st-key-chart-pr-beside] .main-svg").count() > 0, 20, "both curves")

    # the address is the view, and the Lab shows the same run
    page.reload()
    until(lambda: deep.there("deep-beside-done"), 40, "both runs after a reload")
    page.get_by_role("link", name="Open in the Lab").click()
    until(lambda: deep.there("run-state-done") and deep.words.get("run") == run, 40, "the Lab")
    page.get_by_role("link", name="Open in Deep").click()
    until(lambda: deep.there("deep-state-done") and deep.words.get("run") == run, 40, "Deep again")
    deep.leave()


# ---- looks that need no engine


@pytest.fixture(scope="module")
def shelf(serve, tmp_path_factory):
    """A server without an engine over a store filled by hand, and the ids in it."""
    place = f"sqlite:///{tmp_path_factory.mktemp('shelf') / 'shelf.db'}"
    store = Store(place)
    store.publish_catalog(fabricate.catalog())
    ids = {
        "done": fabricate.deep(store).id,
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
                until(lambda deep=deep: deep.points() > 0, 20, "the map")
            until(lambda deep=deep: deep.over() <= 1, 10, f"{state} at {width}px without a sideways scroll")
            assert deep.page.locator("img[src='x'], a[href*='evil']").count() == 0
            deep.shot(f"{state}-{scheme}")
        deep.leave()


def test_rows_are_chosen_with_the_keyboard(chromium, shelf, until):
    url, ids = shelf
    deep = Deep(chromium, url, f"?run={ids['done']}")
    until(lambda: deep.points() > 0, 20, "the map")
    deep.page.locator(".st-key-deep-by-table summary").focus()
    deep.page.keyboard.press("Enter")
    table = deep.page.locator(".st-key-deep-rows canvas").first
    table.wait_for(timeout=20_000)
    table.focus()
    for key in ("ArrowDown", "Shift+Space"):
        deep.page.keyboard.press(key)
    until(lambda: deep.page.locator(".st-key-thumbs img").count() == 24, 20, "the images nearest to that row")
    deep.leave()
