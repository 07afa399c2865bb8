"""The gallery without an engine, in a real browser: every card opens, shows its picture and its numbers, and nothing goes wrong."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from engine.store import Store
from tests.app import fabricate
from tests.browser.visitor import Visitor

pytestmark = pytest.mark.browser

CARDS = json.loads((Path(__file__).resolve().parents[2] / "app" / "examples" / "index.json").read_text(encoding="utf-8"))


class Gallery(Visitor):
    """A visitor of the gallery."""

    path = "gallery"

    @property
    def main(self):
        """The page's text."""
        return self.page.locator("[data-testid=stMain]").inner_text()

    def drawn(self):
        """Pictures of cards that the browser could draw."""
        return self.page.evaluate(
            "[...document.querySelectorAll('img.card-picture')].filter(i => i.complete && i.naturalWidth > 100).length"
        )

    def canvas(self):
        """Whether something is drawn on the player's picture."""
        return self.page.evaluate(
            """() => [...document.querySelectorAll('*')].flatMap(e => e.shadowRoot ? [...e.shadowRoot.querySelectorAll('canvas')] : [])
            .concat([...document.querySelectorAll('canvas')]).some(c => {
                if (!c.width || !c.height) return false;
                const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
                for (let i = 0; i < d.length; i += 404) if (d[i] !== d[0] || d[i + 1] !== d[1]) return true;
                return false;
            })"""
        )


class Data(Gallery):
    """A visitor of the page of one's own table."""

    path = "data"


class Lab(Gallery):
    """A visitor of the first page."""

    path = ""


@pytest.fixture(scope="module")
def demo(serve, tmp_path_factory):
    """A demonstration over an empty store: the committed catalog, no engine."""
    return serve("app/server.py", {"LAB_STORE": f"sqlite:///{tmp_path_factory.mktemp('demo') / 'lab.db'}", "LAB_DEMO": "1"})


@pytest.fixture(scope="module")
def dead(serve, tmp_path_factory):
    """No demonstration, but the engine is long dead and no other comes."""
    place = f"sqlite:///{tmp_path_factory.mktemp('dead') / 'lab.db'}"
    store = Store(place)
    fabricate.beat(store, ago=3600)
    store.close()
    return serve("app/server.py", {"LAB_STORE": place, "LAB_ENGINE": "off"})


def opened(me, card, until):
    """From the gallery to what a card shows, by its link."""
    box = me.page.locator(f".st-key-card-{card['name']}")
    box.get_by_test_id("stPageLink-NavLink").click()
    me.page.wait_for_url(re.compile(rf"/{card['page']}\?|/\?"), timeout=20_000)
    me.settle()
    until(lambda: set(card["words"].items()) <= set(me.words.items()), 20, "the card's address")
    if card["page"] == "lab":
        until(lambda: ", average precision: " in me.main, 30, "the sentence")
        until(lambda: me.page.locator(".st-key-chart-pr .main-svg").count() > 0, 30, "the curves")
        until(me.canvas, 20, "a picture in the player")
    elif card["page"] == "deep":
        until(lambda: "Where the rows lie in feature space" in me.main, 30, "the map's heading")
        until(lambda: me.page.locator("[class*=st-key-chart-map] .main-svg").count() > 0, 30, "the map")
        until(lambda: me.page.locator(".st-key-chart-gap-deep .main-svg").count() > 0, 30, "the gap")
    elif card["page"] == "data":
        until(lambda: me.page.locator(".st-key-chart-calibration .main-svg").count() > 0, 30, "the calibration")
        assert me.page.locator("[class*=st-key-data-method] input").first.input_value() == "SMOTE"
    else:
        until(lambda: me.page.locator(".main-svg").count() > 0, 30, "a chart of the sweep")
    assert me.page.locator("[data-testid=stAlertContentError]").count() == 0


@pytest.mark.parametrize("kind", ["demo", "dead"])
def test_every_card_opens_without_an_engine(chromium, request, until, kind):
    url = request.getfixturevalue(kind)
    me = Gallery(chromium, url)
    until(lambda: me.drawn() == len(CARDS), 30, "every card's picture")
    for card in CARDS:
        box = me.page.locator(f".st-key-card-{card['name']}").inner_text()
        assert card["title"] in box and all(fact["said"] in box for fact in card["facts"])
        assert len(re.findall(r"[+−]?\d+\.\d+ \[", box)) >= sum(fact["low"] is not None for fact in card["facts"])
    assert ("Demonstration" in me.main) == (kind == "demo") and ("No engine" in me.main) == (kind == "dead")
    for card in CARDS if kind == "demo" else {card["page"]: card for card in CARDS}.values():
        opened(me, card, until)
        me.page.goto(f"{url}/gallery")
        me.page.locator(f".st-key-card-{card['name']}").wait_for(timeout=30_000)
    me.leave()


def test_a_link_to_the_lab_is_good_in_a_tab_of_its_own(chromium, demo, until):
    """Its address is '?run=...', as the Lab is the first page: beside the gallery's own address it must lead to the Lab too."""
    me = Gallery(chromium, demo)
    address = me.page.locator(".st-key-card-moons").get_by_test_id("stPageLink-NavLink").evaluate("link => link.href")
    me.page.goto(address)
    until(lambda: ", average precision: " in me.main, 30, "the run")
    me.leave()


def test_a_link_of_the_gallery_is_good_for_somebody_else_in_an_empty_store(chromium, serve, tmp_path_factory, until):
    place = f"sqlite:///{tmp_path_factory.mktemp('fresh') / 'lab.db'}"
    url = serve("app/server.py", {"LAB_STORE": place, "LAB_DEMO": "1"})
    card = next(card for card in CARDS if card["name"] == "rings")
    me = Lab(chromium, url, f"?run={card['words']['run']}")
    until(lambda: ", average precision: " in me.main, 30, "the sentence")
    me.leave()


def test_a_demonstration_refuses_a_table_and_queues_nothing(chromium, demo, until):
    me = Gallery(chromium, demo)
    answer = me.page.evaluate(
        """async () => {
            const sent = await fetch('/api/uploads', {method: 'POST', body: 'a,b\\n1,2\\n',
                headers: {'Content-Type': 'application/octet-stream', 'X-File-Name': 'a.csv'}});
            return [sent.status, (await sent.json()).error];
        }"""
    )
    assert answer[0] == 403 and answer[1].startswith("This is a demonstration")
    me.problems = [p for p in me.problems if "403" not in p]  # the browser says of itself that it was refused
    me.leave()
    data = Data(chromium, demo)
    until(lambda: "no table is taken" in data.main, 20, "the line that says so")
    assert data.page.locator("input[type=file]").count() == 0
    data.leave()
    lab = Lab(chromium, demo)
    lab.page.locator(".st-key-run button").first.wait_for(timeout=30_000)
    assert lab.page.locator(".st-key-run button").first.is_disabled()
    lab.leave()


def test_five_steps_by_keyboard_each_to_where_it_says(chromium, demo, until):
    me = Lab(chromium, demo)
    page = me.page
    page.locator(".st-key-start-step-1").wait_for(timeout=30_000)
    for number in range(1, 6):
        page.locator(f".st-key-start-step-{number}").wait_for(timeout=30_000)
        me.settle()
        if number > 2:  # the first two are on this page
            before = page.evaluate("location.pathname + location.search")
            link = page.locator(".st-key-start-steps").get_by_test_id("stPageLink-NavLink")
            link.focus()
            page.keyboard.press("Enter")
            until(lambda before=before: page.evaluate("location.pathname + location.search") != before, 20, "another address")
            me.settle()
            page.locator(f".st-key-start-step-{number}").wait_for(timeout=30_000)  # the steps come along
        page.locator(".st-key-start\\.next button, .st-key-start-next button").first.focus()
        page.keyboard.press("Enter")
    page.locator(".st-key-start-over").wait_for(timeout=30_000)
    page.go_back()  # the address bar is the person's own
    me.settle()
    me.leave()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("light", 375), ("dark", 1280)])
def test_the_gallery_fits_and_is_drawn_in_the_page_s_colours(chromium, demo, until, scheme, width):
    me = Gallery(chromium, demo, color_scheme=scheme)
    me.page.set_viewport_size({"width": width, "height": 900})
    until(lambda: me.drawn() == len(CARDS), 30, "every card's picture")
    assert me.over() <= 1
    me.shot(f"gallery-{scheme}-{width}")
    me.leave()
