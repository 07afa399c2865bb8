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
from tests.browser.visitor import Visitor

pytestmark = pytest.mark.browser


class Papers(Visitor):
    """A visitor of the Papers page."""

    path = "papers"

    def text(self):
        return self.page.locator("[data-testid=stMain]").inner_text()


@pytest.fixture(scope="module")
def address(serve, tmp_path_factory):
    """A server without an engine over an empty store."""
    place = f"sqlite:///{tmp_path_factory.mktemp('papers') / 'papers.db'}"
    store = Store(place)
    store.publish_catalog(fabricate.catalog())
    store.close()
    return serve("app/server.py", {"LAB_STORE": place, "LAB_ENGINE": "off"})


def test_from_a_claim_to_another_paper(chromium, address, until):
    me = Papers(chromium, address, "?paper=eos&table=II")
    page = me.page
    until(lambda: "EOS above SMOTE" in me.text() and "does not hold" in me.text(), 20, "the claims")
    page.locator(".st-key-papers-undecided summary").click()
    until(lambda: me.text().count("undecided") > 10, 20, "what is undecided")
    until(lambda: page.locator(".st-key-chart-papers-cells .scatterlayer .point").count() == 20, 20, "a dot for each cell")

    # another paper; the address is the view
    me.settle()
    me.choose("papers-paper", "DOS")
    until(lambda: me.words == {"paper": "dos", "table": "1"}, 20, "the other paper")
    page.reload()
    until(lambda: "Deep Over-sampling Framework" in me.text(), 30, "the same view after a reload")
    me.leave()


@pytest.mark.parametrize(("scheme", "width"), [("light", 390), ("dark", 1280)])
def test_no_table_scrolls_sideways(chromium, address, until, scheme, width):
    me = Papers(chromium, address, "?paper=dos&table=6", color_scheme=scheme)
    me.page.set_viewport_size({"width": width, "height": 900})
    until(lambda: me.page.locator(".st-key-chart-papers-cells .scatterlayer .point").count() > 10, 20, "the picture")
    assert me.over() <= 1
    me.shot(f"papers-{scheme}")
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
    """What is missing of one set, by a real engine: asked for, followed, shown beside the shipped ones."""
    url, store = product
    wanted = stored.plan_runs(PAPERS["keel"].table("3", True).select((), ["glass2"]), store.catalog())
    for run in wanted.each[2:]:  # five of seven are there
        store.record_run(run.spec, replace(fabricate.result(run.spec), run_id=run.id), fingerprint=run.fingerprint)
    me = Papers(chromium, url, "?paper=keel&table=3")
    page = me.page
    page.locator(".st-key-papers-measure summary").click()
    until(lambda: me.there("papers-run"), 20, "the button")
    page.locator(".st-key-papers-protocol button", has_text="Reduced").click()
    me.settle()
    page.locator(".st-key-papers-sets input").click()
    page.locator(".st-key-papers-sets input").press_sequentially("glass2")
    until(lambda: choose_option(page, "glass2"), 30, "the set in the list")
    page.keyboard.press("Escape")
    until(lambda: "Measure what is missing: 2 runs" in page.locator(".st-key-papers-run").inner_text(), 30, "one set's runs")
    me.shot("papers-before")
    me.settle()
    me.press("papers-run")
    until(lambda: me.there("papers-stop"), 20, "what is under way")
    until(lambda: "7 of 7 runs done in this lab" in me.text() and not me.there("papers-run"), 120, "all seven")
    until(lambda: me.there("papers-whose"), 20, "two kinds of measurements")
    me.settle()
    me.choose("papers-place", "glass2")
    me.settle()
    page.locator(".st-key-papers-whose button", has_text="of this lab").click()
    until(lambda: page.locator(".st-key-chart-papers-cells .scatterlayer .point").count() >= 7, 20, "this lab's cells")
    assert me.over() <= 1
    me.shot("papers-measured")
    me.leave()
