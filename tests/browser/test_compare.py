"""The Compare page in a real browser with a real engine: a sweep from start to link to reload to export."""

from __future__ import annotations

import csv
import re
from urllib.parse import urlencode

import pytest

from engine.catalog import build_catalog
from engine.sweep import SweepSpec
from engine.sweep.table import build_table
from tests.browser.visitor import Visitor

pytestmark = pytest.mark.browser

LONG = 300
"""Seconds the sweep may take on a busy machine."""
SPEC = SweepSpec(("iris",), ("smote", "rs"), (2.0, 5.0), folds=2, seeds=1)
PICTURED = 4
"""Cells of the heat map: each method at each ratio."""


class Compare(Visitor):
    """A visitor of the Compare page; counts what the server sends."""

    path = "compare"
    ready = ".st-key-compare-views"
    viewport = (1280, 1400)

    def __init__(self, *given, **context):
        self.bytes = 0
        super().__init__(*given, **context)

    def text(self, key):
        """The words of an element, spaces made one."""
        return " ".join(self.page.locator(f".st-key-{key}").first.inner_text().split())

    def cells(self):
        """The words in the cells of the heat map."""
        return [t.strip() for t in self.page.locator(".st-key-chart-heat .textpoint").all_text_contents()]

    def view(self, name):
        self.page.locator(".st-key-compare-view button", has_text=name).first.click()


def test_a_sweep_from_start_to_link_to_reload_to_export(chromium, product, until, tmp_path):
    url, store = product
    me = Compare(chromium, url, "?" + urlencode(SPEC.to_query() | {"view": "heat"}), accept_downloads=True)
    page = me.page
    until(lambda: me.there("compare-state-planned"), 20, "the plan")
    cells = SPEC.cells(build_catalog())
    assert f"{len(cells)} runs of 2 replicates" in me.text("run-bar")

    # one press; cells fill in by themselves
    me.press("run")
    until(lambda: me.there("compare-state-running"), 20, "the sweep to begin")
    assert {cell.id for cell in cells} <= {job.id for job in store.jobs(limit=100)}
    filled = until(lambda: [c for c in me.cells() if re.match(r"[+−]?0\.\d", c)], LONG, "the first cell")
    assert me.there("compare-state-running") or len(filled) == PICTURED
    until(lambda: "left" in me.text("compare-state-running") or me.there("compare-state-done"), LONG, "how long it takes")
    until(lambda: me.there("compare-state-done"), LONG, "the sweep to end")
    until(lambda: len([c for c in me.cells() if re.match(r"[+−]?0\.\d", c)]) == PICTURED, 20, "every cell of the picture")
    until(lambda: "so far" not in me.text("compare-answer"), 20, "all of it counted")
    shown, said = me.cells(), me.text("compare-answer")
    records = build_table(store, SPEC, build_catalog())
    wanted = [f"{r['difference']['mean']:+.3f}".replace("-", "−") for r in records if r["role"] == "method"]
    assert sorted(c.split()[0] for c in shown) == sorted(wanted)

    # the link opens the same view with the same numbers, somewhere else and after a reload
    link = page.evaluate("location.href")
    other = Compare(chromium, url, "?" + link.partition("?")[2])
    until(lambda: other.cells() == shown, 30, "the same numbers in another browser")
    assert other.text("compare-answer") == said and other.words == me.words
    other.leave()
    page.reload()
    until(lambda: me.cells() == shown, 30, "the same numbers after a reload")
    assert me.text("compare-answer") == said

    # another view is another address, and a step back
    me.settle()
    me.view("By ratio")
    until(
        lambda: me.words.get("view") == "ratio" and page.locator(".st-key-chart-ratio-0 .scatterlayer").count() > 0, 20, "lines"
    )
    page.wait_for_timeout(500)

    # a table and a report to take along
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
    mean = next(r["mean"] for r in records if r["method"] == "smote")
    assert f"{mean:.3f}" in text
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
    assert me.words == {"view": "pair", "run": run, "beside": beside}
    page.locator(".lab-player .time:visible").focus()
    page.keyboard.press("Home")
    until(lambda: [players.nth(i).get_attribute("data-frame") for i in (0, 1)] == ["0", "0"], 10, "both at the start")
    page.keyboard.press("End")
    until(lambda: [players.nth(i).get_attribute("data-frame") for i in (0, 1)] == [
        str(int(players.nth(i).get_attribute("data-frames")) - 1) for i in (0, 1)
    ], 10, "both at the end")  # fmt: skip
    assert "paired over replicates" in page.content() or me.there("compare-beside-done")
    me.leave()
