"""A person's own table in a real browser with a real engine: sent, compared, decided on, taken along, forgotten."""

from __future__ import annotations

import io
import json
import re
import time
import zipfile

import pytest

from app.views.data import sample
from engine.store import Store
from tests.app import boards, tables
from tests.browser.visitor import Visitor

pytestmark = pytest.mark.browser

LONG = 120
"""Seconds a comparison of 15 s may take on a busy machine, with its wait for a worker."""
NAME = "<img src=x onerror=alert(1)>.csv"
RED = "rgb(179, 38, 30)"
PAYER = "C" * 43
"""The owner of the sample on the shelf."""
SEEN = """() => {
  const words = [], text = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (text.nextNode()) {
    const one = text.currentNode.parentElement;
    if (!one || one.closest('.js-plotly-plot, svg, canvas, .board tbody, [data-testid=stIconMaterial]')) continue;
    if (['STYLE', 'SCRIPT', 'NOSCRIPT'].includes(one.tagName)) continue;
    const box = one.getBoundingClientRect(), style = getComputedStyle(one);
    const shown = style.visibility !== 'hidden' && style.opacity !== '0';
    if (box.width && box.top < innerHeight && box.bottom > 0 && shown) words.push(text.currentNode.textContent);
  }
  const heading = document.querySelector('h1').getBoundingClientRect();
  return { text: words.join(' '), height: document.querySelector('[data-testid=stMain]').scrollHeight, line: heading.height };
}"""
"""What is in the first screen, beside charts and the rows of the board."""


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
    until(lambda: "400 rows" in me.text() and "Split: random" in me.text(), 20, "rows and split")
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
    models = {row["model"] for row in result["methods"]}
    assert page.locator("table.board th.model[scope=rowgroup]").count() >= len(models) > 1

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
    time.sleep(0.01)
    models = tables.compared(store, table, found=boards.comparison(few={"balanced-forest": 4}), artifacts=(), budget=45.0).id
    payments = tables.upload(store, sample.write_sample(), sample.NAME, owner=PAYER)
    tables.profiled(store, payments, owner=PAYER)
    found = {"models": f"?compare={models}", "payments": f"?data={payments}"}
    found |= {"profile": f"?data={other}", "table": f"?data={other}&step=table", "done": f"?compare={done}", "empty": ""}
    found |= {step: f"?compare={done}&step={step}" for step in ("decide", "use")}
    found["failed"] = f"?compare={tables.ended(store, table, 'failed', 'It <b>was</b> too small.', budget=60.0).id}"
    yield serve("app/server.py", {"LAB_STORE": place, "LAB_ENGINE": "off"}), found
    store.close()


def test_every_state_is_drawn_without_an_exception_or_a_sideways_scroll(chromium, shelf, until):
    url, found = shelf
    for state, query in found.items():
        owner = {"empty": tables.STRANGER, "payments": PAYER}.get(state, tables.OWNER)
        you = Data(chromium, url, query, storage_state=with_cookie(owner))
        page = you.page
        place = {"decide": "done", "use": "done", "models": "done", "payments": "profile"}.get(state, state)
        if state in ("decide", "use"):
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


def test_a_method_of_the_whole_list_is_compared_and_stays_chosen(chromium, shelf, until):
    url, found = shelf
    me = Data(chromium, url, found["profile"], storage_state=with_cookie(tables.OWNER))
    page = me.page
    until(lambda: me.there("data-state-profile"), 20, "the questions")
    page.locator(".st-key-data-all button").first.press("Enter")
    field, pressed = page.locator(".menu input"), page.locator(".menu button[aria-pressed=true]")
    until(lambda: field.count() == 1 and pressed.count() > 10, 20, "the list with the usual rows pressed")
    assert page.locator(".menu button[data-press]").count() > 55
    assert page.locator(".menu button", has_text="SWIM").inner_text().endswith(" s")
    field.focus()
    page.keyboard.type("swim mahal")
    until(lambda: page.locator(".menu button:visible").count() <= 1, 5, "what fits")
    field.fill("swim")
    page.keyboard.press("Enter")
    until(lambda: pressed.filter(has_text="SWIM").count() == 1, 20, "the method among the chosen ones")
    assert field.input_value() == "swim" and page.locator(".menu button:visible").count() < 5, "the search stays after a press"
    page.keyboard.press("Escape")
    until(lambda: field.count() == 0, 10, "the list closed: the focus is still in it after a press")
    until(lambda: "10 remedies" in page.locator(".st-key-data-chooser").inner_text(), 20, "the count on the page")
    me.press("data-compare")
    until(lambda: "compare" in me.words, 20, "the comparison that was asked for")
    me.step("Questions")
    until(lambda: me.there("data-state-profile"), 20, "the questions again")
    page.locator(".st-key-data-chooser button").first.press("Enter")
    besides = page.locator(".st-key-data-besides button", has_text="SWIM")
    until(lambda: besides.count() > 0, 20, "the row besides, to be taken out")
    me.leave()


def test_ranked_rows_stand_by_model_with_the_number_that_they_show(chromium, shelf, until):
    url, found = shelf
    you = Data(chromium, url, found["models"], storage_state=with_cookie(tables.OWNER))
    until(lambda: you.page.locator("table.board").count() > 0, 20, "the board")
    groups = you.page.evaluate(
        "() => [...document.querySelectorAll('table.board tbody')].map((body) => [...body.rows].map((row) => "
        "[row.querySelector('.name')?.innerText, row.querySelector('.score')?.innerText, row.querySelector('.score')?.title, "
        "row.querySelector('.marks')?.querySelector('[role=img]')?.title || '']))"
    )
    ranked = [group for group in groups if group[0][2]]
    assert len(ranked) >= 5 and all(group[0][0] in ("none", "as it is") for group in ranked)
    plain = [float(group[0][1]) for group in ranked]
    assert plain == sorted(plain, reverse=True), "models by their plain row"
    for group in ranked:
        remedies = [float(number) for _, number, _, _ in group[1:]]
        assert remedies == sorted(remedies, reverse=True)
    rows = [row for group in ranked for row in group]
    counts = {re.search(r"(\d+) replicates", dot)[1] for *_, dot in rows}
    assert len(counts) == 1, "ranked rows have equally many replicates"
    assert all(dot.startswith(number) for _, number, _, dot in rows), "dot and number are one quantity"
    by_place = sorted(rows, key=lambda row: int(row[2].removeprefix("place ")))
    assert [row[1] for row in by_place] == sorted((row[1] for row in rows), reverse=True)
    apart = you.page.locator("table.board tbody:has(.apart) + tbody")
    assert "Balanced random forest" in apart.inner_text() and "A random split reads too high" in you.text()
    you.leave()


def test_three_questions_are_answered_by_keyboard_and_stand_in_the_address(chromium, shelf, until):
    url, found = shelf
    me = Data(chromium, url, found["payments"], storage_state=with_cookie(PAYER))
    page = me.page
    until(lambda: me.there("data-state-profile"), 20, "the questions")
    until(lambda: "Guessed: a date in every row." in me.text() and "Split: time and owner" in me.text(), 20, "the guesses")
    compare = page.locator(".st-key-data-compare button")
    assert compare.is_disabled() and "Choose a delay first." in me.text()
    assert page.locator(".origins .way").count() >= 1 and page.locator(".bars .i-test").count() > 0

    # the delay is typed; the split is drawn anew
    def first_gap():
        boxes = [page.locator(f".origins .way:last-child .i-{part}").bounding_box() for part in ("train", "valid")]
        return boxes[1]["x"] - boxes[0]["x"] - boxes[0]["width"]

    before = first_gap()
    delay = page.locator("[class*=st-key-mine-delay] input").first
    delay.focus()
    delay.press_sequentially("45")
    until(lambda: page.get_by_role("option").count() == 1, 10, "the offer of another delay")
    page.keyboard.press("Enter")
    until(lambda: me.words.get("delay") == "45" and compare.is_enabled(), 20, "the delay in the address")
    until(lambda: first_gap() > before + 3, 20, "the delay in the picture")

    # owner, cases that can be checked: one Back takes the last answer back
    me.press("data-nobody")
    until(lambda: me.words.get("group") == "none" and "Split: time" in me.text(), 20, "nobody")
    alerts = page.locator("[class*=st-key-mine-alerts] input").first
    alerts.fill("20")
    alerts.press("Enter")
    until(lambda: me.words.get("alerts") == "20" and "one row in 50" in me.text(), 20, "the alerts")
    page.go_back()
    until(lambda: "alerts" not in me.words and "one row in 50" not in me.text(), 20, "the answer taken back")
    assert me.words["delay"] == "45" and me.words["group"] == "none"
    assert not any(name in page.url for name in ("booked", "card", "fraud"))
    page.reload()
    until(lambda: "Split: time" in me.text() and me.words.get("delay") == "45", 40, "the answers after a reload")
    me.leave()


def with_cookie(owner):
    """A browser's storage that has that owner's cookie."""
    cookie = {"name": "lab_owner", "value": owner, "domain": "127.0.0.1", "path": "/", "expires": -1, "secure": False}
    return {"cookies": [cookie | {"httpOnly": True, "sameSite": "Lax"}], "origins": []}
