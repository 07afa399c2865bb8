"""The Papers page in a real browser, without an engine: it is full on the first day."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from engine.papers import stored
from engine.papers.tables import PAPERS
from engine.store import Store
from tests.app import fabricate
from tests.browser.facts import check_glance, read_facts
from tests.browser.visitor import Visitor

pytestmark = pytest.mark.browser

ECHO = 1700
"""Milliseconds after which a step back is one: within these the browser may still send the address before."""


class Papers(Visitor):
    """A visitor of the Papers page."""

    path = "papers"
    ready = ".st-key-papers-top"
    viewport = (1440, 900)

    def text(self):
        return self.page.locator("[data-testid=stMain]").inner_text()

    def strips(self):
        """The cells of the table that have a mark."""
        return self.page.locator(".strips .mark")

    def part(self, key, name):
        self.page.locator(f".st-key-papers-{key} button", has_text=name).first.click()


@pytest.fixture(scope="module")
def address(serve, tmp_path_factory):
    """A server without an engine over an empty store."""
    place = f"sqlite:///{tmp_path_factory.mktemp('papers') / 'papers.db'}"
    store = Store(place)
    store.publish_catalog(fabricate.catalog())
    store.close()
    return serve("app/server.py", {"LAB_STORE": place, "LAB_ENGINE": "off"})


def test_the_first_screen_is_claims_and_a_table(chromium, address, until):
    me = Papers(chromium, address)
    until(lambda: me.strips().count() == 154, 20, "the cells")
    check_glance(me.page)
    assert me.page.locator("h1").inner_text() == "0 of 6 claims hold here." and me.page.locator(".claim").count() == 6
    assert me.page.locator(".st-key-papers-strips .printed").count() == 110, "a tick for each printed number"
    me.strips().first.hover()
    until(lambda: "printed" in me.page.locator(".st-key-papers-strips .tip").inner_text(), 5, "both numbers")
    me.shot("papers-light")
    me.turn("dark", 1280, 720)
    found = read_facts(me.page)
    assert found["lines"][0] <= 2 and not found["clipped"] and me.over() <= 1
    me.turn("light", 390)
    assert me.over() <= 1
    me.leave()


def test_from_a_table_to_another_paper_and_one_step_back(chromium, address, until):
    me = Papers(chromium, address, "?paper=eos&table=II")
    until(lambda: "claims hold here" in me.text() and me.strips().count() > 20, 20, "the claims")
    me.part("group", "DOS")
    until(lambda: me.words == {"paper": "dos", "table": "1"}, 20, "the other paper")
    me.page.wait_for_timeout(ECHO)
    me.page.go_back()
    until(lambda: me.words == {"paper": "eos", "table": "II"}, 20, "the paper before")
    until(lambda: "57 claims" in me.page.locator("h1").inner_text(), 20, "its claims")
    me.settle()
    me.page.get_by_role("tab", name="How it was made").click()
    until(lambda: me.words.get("tab") == "made" and "Efficient Augmentation" in me.text(), 20, "where it comes from")
    me.page.reload()
    until(lambda: "Efficient Augmentation" in me.text(), 30, "the same tab after a reload")
    me.settle()
    me.page.locator(".st-key-papers-group button").get_by_text("Methods", exact=True).click()
    until(lambda: "87 of 87 methods" in me.text(), 20, "all methods")
    me.settle()
    check_glance(me.page)
    me.leave()


@pytest.mark.parametrize(("scheme", "width"), [("light", 390), ("dark", 1280)])
def test_no_table_scrolls_the_page_sideways(chromium, address, until, scheme, width):
    me = Papers(chromium, address, "?paper=dos&table=6", color_scheme=scheme)
    me.page.set_viewport_size({"width": width, "height": 900})
    until(lambda: me.strips().count() > 10, 20, "the picture")
    assert me.over() <= 1
    me.shot(f"papers-{scheme}-{width}")
    me.leave()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 1440), ("light", 390)])
def test_the_methods_are_walked_opened_and_followed_by_keys(chromium, address, until, scheme, width):
    me = Papers(chromium, address, "?paper=methods", color_scheme=scheme)
    me.page.set_viewport_size({"width": width, "height": 900})
    lines = me.page.locator(".methods summary")
    until(lambda: lines.count() == 87, 20, "the methods")
    assert me.over() <= 1
    lines.first.focus()
    me.page.keyboard.press("Enter")
    until(lambda: me.page.locator(".methods details[open] .more").inner_text(), 5, "what was decided")
    me.shot(f"papers-methods-{scheme}-{width}")
    me.page.keyboard.press("ArrowDown")
    until(lambda: lines.nth(1).evaluate("line => line === line.getRootNode().activeElement"), 5, "the next line")
    me.page.keyboard.press("ArrowUp")
    me.page.keyboard.press("ArrowRight")
    me.page.keyboard.press("Enter")
    until(lambda: me.words.get("method") == "explicit-gradient", 20, "its page")
    me.leave()


def choose_option(page: Any, name: str) -> bool:
    """Click an option of the open list; False where it was drawn anew under the click."""
    from playwright.sync_api import Error

    with suppress(Error):
        page.get_by_role("option", name=name, exact=True).click(timeout=2000)
        return True
    return False


@pytest.mark.network
def test_a_table_is_measured_from_the_page(chromium, product, until):
    """What is missing of one set, by a real engine: asked for, followed, shown beside the shipped ones, and opened by a press."""
    url, store = product
    wanted = stored.plan_runs(PAPERS["keel"].table("3", True).select((), ["glass2"]), store.catalog())
    for run in wanted.each[2:]:  # five of seven are there
        store.record_run(run.spec, replace(fabricate.result(run.spec), run_id=run.id), fingerprint=run.fingerprint)
    me = Papers(chromium, url, "?tab=run")
    page = me.page
    until(lambda: me.there("papers-run"), 20, "the button")
    page.locator(".st-key-papers-protocol button", has_text="Reduced").click()
    me.settle()
    page.locator(".st-key-papers-sets input").click()
    page.locator(".st-key-papers-sets input").press_sequentially("glass2")
    until(lambda: choose_option(page, "glass2"), 30, "the set in the list")
    page.keyboard.press("Escape")
    until(lambda: "Run the missing 2 runs" in page.locator(".st-key-papers-run").inner_text(), 30, "one set's runs")
    me.settle()
    me.press("papers-run")
    until(lambda: me.there("papers-stop"), 20, "what is under way")
    until(lambda: "7 of 7 runs done in this lab" in me.text() and not me.there("papers-run"), 120, "all seven")
    until(lambda: me.there("papers-whose"), 20, "two kinds of measurements")
    me.settle()
    me.part("whose", "Of this lab")
    me.settle()
    me.page.get_by_role("tab", name="Printed and here").click()
    until(lambda: page.locator(".strips .mark[data-press]").count() >= 7 or me.strips().count() >= 7, 20, "this lab's cells")
    assert me.over() <= 1
    me.leave()
