"""A person's own table in a real browser with a real engine: sent, compared, decided on, taken along, forgotten."""

from __future__ import annotations

import json

import pytest

from engine.store import Store
from tests.app import tables
from tests.browser.visitor import Visitor

pytestmark = pytest.mark.browser

LONG = 120
"""Seconds a comparison of 15 s may take on a busy machine, with its wait for a worker."""
NAME = "<img src=x onerror=alert(1)>.csv"


class Data(Visitor):
    """A visitor of the page of a person's own table."""

    path = "data"

    def text(self):
        return self.page.locator("[data-testid=stMain]").inner_text()


def test_a_table_is_sent_compared_decided_on_taken_along_and_forgotten(chromium, product, until, tmp_path):
    url, store = product
    me = Data(chromium, url, accept_downloads=True)
    page = me.page
    until(lambda: me.there("data-state-empty"), 20, "the invitation")
    zone = page.locator(".st-key-mine-drop")

    # what is no table is refused in a sentence, where it was dropped
    zone.locator("input[type=file]").set_input_files({"name": "a.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.4"})
    until(lambda: ".pdf are not read here" in zone.locator(".wrong").inner_text(), 10, "the refusal")
    me.problems = [p for p in me.problems if "415" not in p]  # the browser's own note of the refusal

    # sent, by a file's name that is markup, and read
    file = {"name": NAME, "mimeType": "text/csv", "buffer": tables.csv(400, 60)}
    zone.locator("input[type=file]").set_input_files(file)
    until(lambda: me.there("data-state-profile"), 60, "the profile")
    until(lambda: "400 rows, 4 columns." in me.text() and "5.7:1" in me.text(), 20, "rows and ratio")
    assert "onerror" in me.text() and page.locator("img[src=x]").count() == 0
    (mine,) = store.uploads(_owner(me))
    assert mine.size == len(file["buffer"]) and "400" not in page.url

    # compared within 15 s
    page.locator(".st-key-data-budget").get_by_text("15 s").click()
    me.settle()
    me.press("data-compare")
    until(lambda: page.locator("table.board").count() > 0, 60, "the first board")
    until(lambda: me.there("data-state-done") or me.there("data-state-failed"), LONG, "the end")
    assert me.there("data-state-done"), me.text()
    until(lambda: page.locator(".st-key-chart-calibration .main-svg").count() > 0, 30, "the last picture")
    me.settle()
    job = page.url.rpartition("compare=")[2]
    result = json.loads(store.artifact(job, "comparison", owner=_owner(me)))
    assert result["verdict"].split(":")[0] in me.text()
    assert page.locator("table.board tbody tr").count() == len(result["methods"])

    # the threshold, by keyboard: at its lowest end everything is flagged
    cells = page.locator("table.confusion td b")
    before = cells.all_inner_texts()
    thumb = page.locator(".st-key-data-threshold").get_by_role("slider").first
    thumb.focus()
    thumb.press("Home")
    until(lambda: cells.all_inner_texts()[1::2] == ["0", "0"], 10, "everything flagged")
    assert cells.all_inner_texts() != before

    # the report is one file that opens anywhere
    with page.expect_download(timeout=30_000) as coming:
        page.locator(".take a", has_text="Report").click()
    report = tmp_path / "report.html"
    coming.value.save_as(report)
    other = me.context.new_page()
    asked, wrong = [], []
    other.on("request", lambda request: asked.append(request.url))
    other.on("pageerror", lambda error: wrong.append(str(error)))
    other.goto(report.as_uri())
    assert result["methods"][0]["title"] in other.locator("body").inner_text() and "svg" in other.content()
    assert [a for a in asked if not a.startswith("file:")] == [] and wrong == [] and other.locator("img[src=x]").count() == 0
    other.close()

    # another browser with the link finds nothing
    link = page.url
    you = Data(chromium, url, link.removeprefix(f"{url}/data"))
    until(lambda: you.there("data-state-unknown"), 20, "nothing")
    assert "onerror" not in you.text() and "left" not in you.text()
    answer = you.context.request.get(f"{url}/api/jobs/{job}/report.html")
    assert answer.status == 404
    you.leave()

    # a reload is not the end; forgetting is
    page.reload()
    until(lambda: me.there("data-state-done"), 40, "the comparison after a reload")
    me.settle()
    page.locator("[class*=st-key-mine-forget-top] button:visible").first.click()
    page.locator("[class*=st-key-mine-gone-top] button:visible").first.click()
    until(lambda: me.there("data-state-forgotten"), 30, "that it is forgotten")
    assert "Forgotten. 1 table and" in me.text() and me.there("data-state-empty")
    assert me.context.request.get(f"{url}/api/jobs/{job}/report.html").status == 404
    page.goto(link)
    until(lambda: me.there("data-state-unknown"), 30, "nothing behind the old link")
    me.leave()


def _owner(visitor):
    return next(c["value"] for c in visitor.context.cookies() if c["name"] == "lab_owner")


# ---- looks that need no engine


@pytest.fixture(scope="module")
def shelf(serve, tmp_path_factory):
    """A server without an engine over a store filled by hand, and the queries of what is in it."""
    place = f"sqlite:///{tmp_path_factory.mktemp('shelf') / 'shelf.db'}"
    store = Store(place)
    table = tables.upload(store)
    tables.profiled(store, table)
    tables.profiled(store, table, target="left", positive="yes")
    found = {"profile": f"?data={table}", "done": f"?compare={tables.compared(store, table).id}", "empty": ""}
    found["failed"] = f"?compare={tables.ended(store, table, 'failed', 'It <b>was</b> too small.', budget=60.0).id}"
    yield serve("app/server.py", {"LAB_STORE": place, "LAB_ENGINE": "off"}), found
    store.close()


def test_every_state_is_drawn_without_an_exception_or_a_sideways_scroll(chromium, shelf, until):
    url, found = shelf
    for state, query in found.items():
        owner = tables.STRANGER if state == "empty" else tables.OWNER
        you = Data(chromium, url, query, storage_state=with_cookie(owner))
        page = you.page
        until(lambda you=you, state=state: you.there(f"data-state-{state}"), 20, state)
        if state == "done":
            until(lambda page=page: page.locator(".main-svg").count() > 1, 20, "pictures")
            alts = page.locator("[data-testid=stPlotlyChart] [aria-label], [data-testid=stPlotlyChart][aria-label]")
            until(lambda alts=alts: alts.count() >= 2, 20, "what the pictures show, in words")
        for scheme, width in (("light", 390), ("dark", 1280)):
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": 900})
            until(lambda you=you: you.over() <= 1, 5, f"{state} to fit into {width} px")
            you.shot(f"{state}-{scheme}")
        you.leave()


def with_cookie(owner):
    """A browser's storage that has that owner's cookie."""
    cookie = {"name": "lab_owner", "value": owner, "domain": "127.0.0.1", "path": "/", "expires": -1, "secure": False}
    return {"cookies": [cookie | {"httpOnly": True, "sameSite": "Lax"}], "origins": []}
