"""A person's own table in a real browser with a real engine: sent, compared, decided on, taken along, forgotten."""

from __future__ import annotations

import io
import json
import re
import zipfile

import pytest

from engine.store import Store
from tests.app import tables
from tests.browser.visitor import Visitor

pytestmark = pytest.mark.browser

LONG = 120
"""Seconds a comparison of 15 s may take on a busy machine, with its wait for a worker."""
NAME = "<img src=x onerror=alert(1)>.csv"
RED = "rgb(179, 38, 30)"
SEEN = """() => {
  const words = [], text = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (text.nextNode()) {
    const one = text.currentNode.parentElement;
    if (!one || one.closest('.js-plotly-plot, svg, canvas') || ['STYLE', 'SCRIPT', 'NOSCRIPT'].includes(one.tagName)) continue;
    const box = one.getBoundingClientRect(), style = getComputedStyle(one);
    const shown = style.visibility !== 'hidden' && style.opacity !== '0';
    if (box.width && box.top < innerHeight && box.bottom > 0 && shown) words.push(text.currentNode.textContent);
  }
  const heading = document.querySelector('h1').getBoundingClientRect();
  return { text: words.join(' '), height: document.querySelector('[data-testid=stMain]').scrollHeight, line: heading.height };
}"""
"""What is in the first screen, beside charts."""


class Data(Visitor):
    """A visitor of the page of a person's own table."""

    path = "data"

    viewport = (1440, 900)

    def text(self):
        return self.page.locator("[data-testid=stMain]").inner_text()

    def headings(self):
        return self.page.locator("h1").all_inner_texts()

    def step(self, title):
        """Press a step."""
        self.page.locator(".st-key-data-step button", has_text=title).click()


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
    until(lambda: "400 rows" in me.text() and "5.7:1" in me.text(), 20, "rows and ratio")
    assert me.headings() == ["Questions"] and me.words == {"data": me.words["data"]}
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
    me.settle()
    job = me.words["compare"]
    result = json.loads(store.artifact(job, "comparison", owner=_owner(me)))
    assert me.headings() == [result["verdict"]]
    assert page.locator("table.board tbody tr:not(.apart)").count() == len(result["methods"])

    # decided on: a press opens the step, one Back returns, and the cut is moved by keyboard to where everything is flagged
    me.step("Decide")
    cut = page.locator(".decide .picture[data-picture=cost] svg")
    until(lambda: me.words.get("step") == "decide" and cut.get_attribute("aria-valuetext"), 30, "cuts")
    page.go_back()
    until(lambda: me.words.get("step") == "compare" and page.locator("table.board").count() > 0, 20, "the board again")
    me.step("Decide")
    until(lambda: cut.count() and cut.get_attribute("aria-valuetext"), 30, "the pictures")
    me.settle()
    cells = page.locator(".decide .counts tbody td")
    before = cells.all_inner_texts()
    cut.focus()
    cut.press("Home")
    until(lambda: cells.all_inner_texts()[1::2] == ["0.0", "0.0"], 10, "everything flagged")
    until(lambda: me.headings()[0].startswith("At 1,000 alerts per 1,000, "), 10, "the verdict")
    assert cells.all_inner_texts() != before

    # the report is one file that opens anywhere
    me.step("Use")
    until(lambda: page.locator(".take a", has_text="Report").count() > 0, 20, "what can be taken")
    assert me.headings() == ["Use"]
    got = me.context.request.get(f"{url}/api/engine.zip")
    assert got.status == 200 and zipfile.is_zipfile(io.BytesIO(got.body()))
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
    page.goto(f"{url}/data")
    until(lambda: me.there("data-state-done"), 40, "the comparison on the bare page")
    me.settle()
    assert me.headings() == [result["verdict"]] and me.words == {}
    forget = page.locator("[class*=st-key-mine-forget-top] button:visible").first
    assert forget.evaluate("(one) => getComputedStyle(one).color") == RED
    forget.click()
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
    other = tables.upload(store, name="other.csv")
    tables.profiled(store, other)
    done = tables.compared(store, table).id
    found = {"profile": f"?data={other}", "table": f"?data={other}&step=table", "done": f"?compare={done}", "empty": ""}
    found |= {step: f"?compare={done}&step={step}" for step in ("decide", "use")}
    found["failed"] = f"?compare={tables.ended(store, table, 'failed', 'It <b>was</b> too small.', budget=60.0).id}"
    yield serve("app/server.py", {"LAB_STORE": place, "LAB_ENGINE": "off"}), found
    store.close()


def test_every_state_is_drawn_without_an_exception_or_a_sideways_scroll(chromium, shelf, until):
    url, found = shelf
    for state, query in found.items():
        owner = tables.STRANGER if state == "empty" else tables.OWNER
        you = Data(chromium, url, query, storage_state=with_cookie(owner))
        page = you.page
        place = "done" if state in ("decide", "use") else state
        if place == "done" and state != "done":
            until(lambda page=page: page.locator(".st-key-data-cut, .st-key-use-model").count() > 0, 20, state)
        else:
            until(lambda you=you, place=place: you.there(f"data-state-{place}"), 20, state)
        if state == "decide":
            alts = page.locator(".decide .picture svg[aria-label][aria-valuetext]")
            until(lambda alts=alts: alts.count() == 6, 20, "what the pictures show, in words")
        you.settle()
        first_screen(you, state)
        for scheme, width in (("light", 390), ("dark", 1280)):
            you.turn(scheme, width, 900)
            until(lambda you=you: you.over() <= 1, 5, f"{state} to fit into {width} px")
            you.shot(f"{state}-{scheme}")
        you.leave()


def first_screen(you, state):
    """One heading on one line; no step longer than 1,600 pixels as opened; at most 140 words and no bracket in its first screen."""
    you.page.locator("h1").first.wait_for(timeout=20_000)
    seen = you.page.evaluate(SEEN)
    assert len(you.headings()) == 1 and len(you.headings()[0].split()) <= 20, state
    assert seen["height"] <= 1600, f"{state} is {seen['height']} pixels long"
    assert len(re.findall(r"[A-Za-z]{2,}", seen["text"])) <= 140, f"{state}: {seen['text']}"
    assert not re.search(r"\[[+−-]?[0-9.]", seen["text"]), state
    assert seen["line"] <= 48, f"the heading of {state} takes {seen['line']} pixels"


def test_a_closed_step_says_why_on_hover_and_is_not_opened(chromium, shelf, until):
    url, found = shelf
    you = Data(chromium, url, found["profile"], storage_state=with_cookie(tables.OWNER))
    until(lambda: you.there("data-state-profile"), 20, "the questions")
    use = you.page.locator(".st-key-data-step button", has_text="Use")
    use.hover()
    said = "(one) => getComputedStyle(one, '::after').content"
    assert use.evaluate(said) == '"Press Compare under Questions first."'
    use.click()
    until(lambda: "Press Compare under Questions first." in you.text(), 10, "why it is closed")
    assert you.headings() == ["Questions"] and "step" not in you.words
    you.leave()


def test_rows_that_are_ranked_stand_in_the_order_of_the_number_they_show(chromium, shelf, until):
    url, found = shelf
    you = Data(chromium, url, found["done"], storage_state=with_cookie(tables.OWNER))
    until(lambda: you.page.locator("table.board").count() > 0, 20, "the board")
    rows = you.page.evaluate(
        "() => [...document.querySelectorAll('table.board tbody tr')].map((row) => [row.querySelector('.place')?.innerText, "
        "row.querySelector('.score')?.innerText, row.querySelector('.marks')?.querySelector('[role=img]')?.title || ''])"
    )
    ranked = [row for row in rows if row[0]]
    assert [int(place) for place, _, _ in ranked] == list(range(1, len(ranked) + 1)) and len(ranked) >= 4
    numbers = [float(number) for _, number, _ in ranked]
    assert numbers == sorted(numbers, reverse=True)
    counts = {re.search(r"(\d+) replicates", title)[1] for _, _, title in ranked}
    assert len(counts) == 1, "ranked rows have equally many replicates"
    assert all(title.startswith(number) for _, number, title in ranked), "dot and number are one quantity"
    you.leave()


def with_cookie(owner):
    """A browser's storage that has that owner's cookie."""
    cookie = {"name": "lab_owner", "value": owner, "domain": "127.0.0.1", "path": "/", "expires": -1, "secure": False}
    return {"cookies": [cookie | {"httpOnly": True, "sameSite": "Lax"}], "origins": []}
