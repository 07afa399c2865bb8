"""The Compare page in a real browser: what it shows at a glance, presses and keys, and a sweep with a real engine from start to export."""

from __future__ import annotations

import csv
import re
from urllib.parse import urlencode

import pytest

from engine.catalog import build_catalog
from engine.store import Store
from engine.sweep import SweepSpec
from engine.sweep.table import build_table
from tests.app import fabricate
from tests.app.test_compare import SPEC as FILLED
from tests.app.test_compare import filled
from tests.browser.facts import check_glance, read_facts
from tests.browser.visitor import Visitor

pytestmark = pytest.mark.browser

LONG = 300
"""Seconds the sweep may take on a busy machine."""
SPEC = SweepSpec(("iris",), ("smote", "rs"), (2.0, 5.0), folds=2, seeds=1)
PICTURED = 4
"""Dots of the sweep: each method at each ratio."""
ECHO = 1700
"""Milliseconds after which a step back is one: within these the browser may still send the address before."""


class Compare(Visitor):
    """A visitor of the Compare page."""

    path = "compare"
    ready = ".st-key-compare-top"
    viewport = (1440, 900)

    def text(self, key):
        """The words of an element, spaces made one."""
        return " ".join(self.page.locator(f".st-key-{key}").first.inner_text().split())

    def heading(self):
        return self.page.locator("h1").first.inner_text()

    def dots(self, look=""):
        """The dots of the picture of differences."""
        return self.page.locator(f".panel .mark[data-press]{look}")

    def tab(self, name):
        self.page.get_by_role("tab", name=name, exact=True).click()


@pytest.fixture(scope="module")
def shop(serve, tmp_path_factory):
    """A server without an engine over a store with a whole sweep, and the sweep's cells."""
    place = f"sqlite:///{tmp_path_factory.mktemp('compare') / 'compare.db'}"
    store = Store(place)
    store.publish_catalog(fabricate.catalog())
    cells = filled(store)
    store.close()
    return serve("app/server.py", {"LAB_STORE": place, "LAB_ENGINE": "off"}), cells


def test_the_first_screen_is_a_heading_and_a_picture(chromium, shop, until):
    me = Compare(chromium, shop[0], "?" + urlencode(FILLED.to_query()))
    until(lambda: me.dots().count() == 8, 20, "the dots")
    check_glance(me.page)
    assert me.heading() == "SMOTE beats plain training on 2 of 2 datasets."
    assert me.dots(".filled").count() > 0 and me.over() <= 1
    me.shot("compare-light")
    me.turn("dark", 1280, 720)
    found = read_facts(me.page)
    assert found["lines"][0] <= 2 and not found["clipped"] and me.over() <= 1
    me.turn("light", 390)
    until(lambda: me.page.locator(".panel:visible").count() == 1, 10, "one dataset on a narrow screen")
    me.page.locator(".pills button:visible").last.click()
    assert "Glass 2" in me.page.locator(".panel:visible").inner_text() and me.over() <= 1
    me.leave()


def test_a_press_on_a_dot_opens_two_runs_and_one_step_back_returns(chromium, shop, until):
    url, cells = shop
    me = Compare(chromium, url, "?" + urlencode(FILLED.to_query()))
    until(lambda: me.dots().count() == 8, 20, "the dots")
    first = me.words
    own = me.dots(".filled").first.get_attribute("data-press")
    assert own in {cell.id for cell in cells}
    me.dots(".filled").first.hover()
    until(lambda: "replicates" in me.page.locator(".marks .tip").first.inner_text(), 5, "the numbers of a dot")
    me.dots(".filled").first.click()
    until(lambda: me.words.get("tab") == "pair" and me.words.get("beside") == own, 20, "both runs in the address")
    until(lambda: me.heading() == "SMOTE beats plain training.", 20, "the verdict on both")
    until(lambda: me.page.locator(".rows .mark").count() >= 8, 20, "every measure on one scale")
    me.page.wait_for_timeout(ECHO)
    me.page.go_back()
    until(lambda: me.words == first and me.dots().count() == 8, 20, "the picture after one step back")
    # the same for a tab, and for a measure
    me.settle()
    me.tab("By ratio")
    until(lambda: me.words.get("tab") == "ratio" and me.there("chart-ratio-0"), 20, "lines")
    me.page.wait_for_timeout(ECHO)
    me.page.go_back()
    until(lambda: me.words == first and me.dots().count() == 8, 20, "the first tab after one step back")
    me.settle()
    me.page.locator(".st-key-compare-metric-pick button", has_text="F1").click()
    until(lambda: me.words.get("metric") == "f1" and "in F1" in me.page.locator(".note").inner_text(), 20, "another measure")
    me.page.wait_for_timeout(ECHO)
    me.page.go_back()
    until(lambda: me.words == first and "average precision" in me.page.locator(".note").inner_text(), 20, "the measure before")
    me.leave()


def test_dots_are_reached_by_keys_alone(chromium, shop, until):
    me = Compare(chromium, shop[0], "?" + urlencode(FILLED.to_query()))
    until(lambda: me.dots().count() == 8, 20, "the dots")
    assert me.page.locator(".panel .mark[tabindex='0']").count() == 1, "one stop for Tab"
    me.page.locator(".panel .mark[tabindex='0']").focus()
    names = []
    for key in ("ArrowDown", "ArrowRight", "ArrowUp", "ArrowLeft"):
        me.page.keyboard.press(key)
        names.append(me.page.locator(".panel .mark[tabindex='0']").get_attribute("data-mark"))
    assert [name.split("|")[0] for name in names] == ["moons", "glass2", "glass2", "moons"] and names[0] != names[3]
    me.page.keyboard.press("Enter")
    until(lambda: me.words.get("tab") == "pair", 20, "two runs by Enter")
    me.leave()


def test_enter_in_a_picker_adds_the_marked_entry_only(chromium, shop, until):
    me = Compare(chromium, shop[0], "?" + urlencode(FILLED.to_query()))
    page = me.page
    until(lambda: page.locator(".st-key-plan-datasets span[title]").count() == len(FILLED.datasets), 20, "the plan's datasets")
    me.settle()
    field = page.locator(".st-key-plan-datasets input").first
    field.click()
    field.press_sequentially("i")  # several datasets fit
    until(lambda: page.get_by_role("option").count() > 1, 10, "entries that fit")
    until(lambda: page.evaluate("document.activeElement.getAttribute('aria-activedescendant')"), 10, "a marked entry")
    page.keyboard.press("Enter")
    until(lambda: page.locator(".st-key-plan-datasets span[title]").count() == len(FILLED.datasets) + 1, 30, "one entry more")
    me.settle()
    assert page.locator(".st-key-plan-datasets span[title]").count() == len(FILLED.datasets) + 1
    me.leave()


@pytest.mark.parametrize("tab", ["ratio", "curves"])
def test_lines_are_labelled_at_their_ends(chromium, shop, until, tab):
    me = Compare(chromium, shop[0], "?" + urlencode(FILLED.to_query() | {"tab": tab}))
    until(lambda: me.page.locator(".js-plotly-plot .annotation").count() >= 4, 20, "labels")
    assert me.page.locator(".js-plotly-plot .legend").count() == 0
    for plot in me.page.locator(".js-plotly-plot").all():
        frame = plot.locator(".nsewdrag").first.bounding_box()
        boxes = [label.bounding_box() for label in plot.locator(".annotation-text").all()]
        ends = sorted(b["y"] + b["height"] / 2 for b in boxes if b["x"] > frame["x"] + frame["width"])
        assert len(ends) >= 4 and all(b - a >= 14 - 0.5 for a, b in zip(ends, ends[1:], strict=False))
        width = plot.bounding_box()["x"] + plot.bounding_box()["width"]
        assert all(b["x"] + b["width"] <= width + 1 for b in boxes), "no label is cut"
    me.leave()


def test_a_sweep_from_start_to_link_to_reload_to_export(chromium, product, until, tmp_path):
    url, store = product
    me = Compare(chromium, url, "?" + urlencode(SPEC.to_query()), accept_downloads=True)
    page = me.page
    cells = SPEC.cells(build_catalog())
    until(lambda: f"Run {len(cells)} runs" in me.text("run-bar"), 20, "the plan")

    # one press; dots fill in by themselves, in kept places
    me.press("run")
    until(lambda: me.there("compare-state-running"), 20, "the sweep to begin")
    assert {cell.id for cell in cells} <= {job.id for job in store.jobs(limit=100)}
    until(lambda: page.locator(".panel .mark").count() == PICTURED, 20, "the places")
    until(lambda: me.there("compare-state-done"), LONG, "the sweep to end")
    until(lambda: me.dots().count() == PICTURED, 20, "every dot")
    until(lambda: "Training" not in me.heading(), 20, "the verdict")
    said = me.heading()
    records = build_table(store, SPEC, build_catalog())
    shown = [mark.get_attribute("data-tip") for mark in me.dots().all()]
    wanted = [
        f"{r['difference']['mean']:+.3f}".replace("0.", ".", 1).replace("-", "−") for r in records if r["role"] == "method"
    ]
    found = [re.search(r": ([+−]?\.\d+)", tip)[1] for tip in shown]
    assert sorted(found) == sorted(w if float(w.replace("−", "-")) else ".000" for w in wanted)

    # the link opens the same picture, somewhere else and after a reload
    link = page.evaluate("location.href")
    other = Compare(chromium, url, "?" + link.partition("?")[2])
    until(lambda: [mark.get_attribute("data-tip") for mark in other.dots().all()] == shown, 30, "the same numbers elsewhere")
    assert other.heading() == said and other.words == me.words
    other.leave()
    page.reload()
    until(lambda: [mark.get_attribute("data-tip") for mark in me.dots().all()] == shown, 30, "the same numbers after a reload")

    # a table and a report to take along
    me.settle()
    me.tab("Numbers")
    until(lambda: me.there("compare-export"), 20, "what can be taken along")
    page.locator(".st-key-share-sweep summary").first.click()
    page.get_by_role("tab", name="CSV").click()
    table = me.download(page.get_by_role("button", name="Download CSV"))
    rows = list(csv.DictReader(table.read_text(encoding="utf-8-sig").splitlines()))
    assert {(r["dataset"], r["method"], float(r["ratio"])) for r in rows} == {(c.dataset, c.method, c.ratio) for c in cells}
    by_run = {r["run"]: r for r in records}
    assert all(float(r["mean"]) == pytest.approx(by_run[r["run"]]["mean"], abs=1e-6) for r in rows)
    page.keyboard.press("Escape")
    file = tmp_path / "report.html"
    file.write_bytes(me.download(page.locator(".st-key-compare-report button")).read_bytes())
    reader = chromium.new_context()
    report = reader.new_page()
    asked, wrong = [], []
    report.on("request", lambda request: asked.append(request.url))
    report.on("console", lambda message: wrong.append(message.text))
    report.goto(file.as_uri())
    assert asked == [report.url] and wrong == []
    text = report.locator("body").inner_text()
    assert "SMOTE" in text and "Iris" in text
    reader.close()
    me.leave()


def test_two_runs_have_one_scrubber(chromium, product, until):
    url, store = product
    cells = {(c.dataset, c.method, c.ratio): c.id for c in SPEC.cells(build_catalog())}
    run, beside = cells["iris", "ce", 5.0], cells["iris", "smote", 5.0]
    me = Compare(chromium, url, f"?view=pair&run={run}&beside={beside}")
    page = me.page
    players = page.locator(".lab-player")
    until(lambda: players.count() == 2 and page.locator(".lab-player .time:visible").count() == 1, 30, "one scrubber")
    assert me.words == {"tab": "pair", "run": run, "beside": beside}
    page.locator(".lab-player .time:visible").focus()
    page.keyboard.press("Home")
    until(lambda: [players.nth(i).get_attribute("data-frame") for i in (0, 1)] == ["0", "0"], 10, "both at the start")
    page.keyboard.press("End")
    until(lambda: [players.nth(i).get_attribute("data-frame") for i in (0, 1)] == [
        str(int(players.nth(i).get_attribute("data-frames")) - 1) for i in (0, 1)
    ], 10, "both at the end")  # fmt: skip
    me.leave()
