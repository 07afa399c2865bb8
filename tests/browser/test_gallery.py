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


CARDS_BY_NAME = {card["name"]: card for card in CARDS}


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


FIRST_OF_PAGE = list({card["page"]: card for card in reversed(CARDS)}.values())
"""One card for each page that a card leads to; the first one of the gallery is among them."""


def opened(me, card, until):
    """From the gallery to what a card shows, by its link, which covers the card."""
    box = me.page.locator(f".st-key-card-{card['name']}")
    box.get_by_test_id("stPageLink-NavLink").wait_for(timeout=30_000)
    box.scroll_into_view_if_needed()
    place = box.locator(".card-setting").bounding_box()
    me.page.mouse.click(place["x"] + 30, place["y"] + 8)  # beside the title: the link covers the card
    me.page.wait_for_url(re.compile(rf"/{card['page']}\?|/\?"), timeout=30_000)
    me.settle()
    until(lambda: set(card["words"].items()) <= set(me.words.items()), 20, "the card's address")
    until(lambda: me.page.locator("h1").count() == 1, 30, "the verdict")
    if card["page"] == "lab":
        until(me.canvas, 40, "a picture")
    assert me.page.locator("[data-testid=stAlertContentError]").count() == 0


def test_every_card_is_there_and_opens_without_an_engine(chromium, demo, until):
    me = Gallery(chromium, demo)
    until(lambda: me.drawn() == len(CARDS), 40, "every card's picture")
    for card in CARDS:
        box = me.page.locator(f".st-key-card-{card['name']}")
        until(lambda box=box, card=card: card["title"] in box.inner_text(), 20, "the card's link")
        assert card["setting"] in box.inner_text()
        assert box.locator("[role=img]").get_attribute("aria-label").startswith(card["title"])
    assert "Demonstration" in me.page.locator("body").inner_text()
    for card in FIRST_OF_PAGE:
        opened(me, card, until)
        me.page.goto(f"{demo}/gallery")
        me.page.locator(f".st-key-card-{card['name']} .card-setting").wait_for(timeout=30_000)
    me.leave()


def test_the_gallery_says_that_no_engine_is_there(chromium, dead, until):
    me = Gallery(chromium, dead)
    until(lambda: me.drawn() == len(CARDS), 40, "every card's picture")
    assert "No engine" in me.page.locator("body").inner_text()
    me.leave()


def film_of(me, name):
    """Whether the film of a card is shown."""
    return me.page.locator(f".st-key-card-{name} .card-film").evaluate(
        "film => getComputedStyle(film).visibility === 'visible'"
    )


def test_films_play_under_the_pointer_and_with_the_focus(chromium, demo, until):
    me = Gallery(chromium, demo, reduced_motion="no-preference")
    until(lambda: me.drawn() == len(CARDS), 40, "every card's picture")
    assert not film_of(me, "hidden") and not film_of(me, "moons")
    me.page.hover(".st-key-card-hidden")
    until(lambda: film_of(me, "hidden"), 10, "the film under the pointer")
    me.page.locator(".st-key-card-moons").get_by_test_id("stPageLink-NavLink").focus()
    until(lambda: film_of(me, "moons"), 10, "the film of the card with the focus")
    me.page.emulate_media(reduced_motion="reduce")
    assert not film_of(me, "hidden") and not film_of(me, "moons")
    me.leave()


def test_a_link_to_the_lab_is_good_in_a_tab_of_its_own(chromium, demo, until):
    """Its address is '?run=...', as the Lab is the first page: beside the gallery's own address it must lead to the Lab too."""
    me = Gallery(chromium, demo)
    address = me.page.locator(".st-key-card-moons").get_by_test_id("stPageLink-NavLink").evaluate("link => link.href")
    me.page.goto(address)
    until(
        lambda: me.page.locator("h1").count() == 1 and me.words.get("run") == CARDS_BY_NAME["moons"]["jobs"][0], 30, "the run"
    )
    me.leave()


def test_a_link_of_the_gallery_is_good_for_somebody_else_in_an_empty_store(chromium, serve, tmp_path_factory, until):
    place = f"sqlite:///{tmp_path_factory.mktemp('fresh') / 'lab.db'}"
    url = serve("app/server.py", {"LAB_STORE": place, "LAB_DEMO": "1"})
    card = CARDS_BY_NAME["rings"]
    me = Lab(chromium, url, f"?run={card['words']['run']}")
    until(lambda: me.page.locator("h1").count() == 1 and me.canvas(), 40, "the run")
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


def test_the_first_steps_stand_above_the_first_film_and_compare_takes_its_own(chromium, demo, until):
    me = Lab(chromium, demo)
    page = me.page
    page.set_viewport_size({"width": 1440, "height": 900})
    page.locator(".steps").wait_for(timeout=40_000)
    box = page.locator(".steps").bounding_box()
    assert box["height"] <= 28 and box["y"] < 110
    assert page.locator(".steps li[aria-current]").inner_text().endswith("Watch")
    page.get_by_role("link", name="Compare").click()
    page.wait_for_url(re.compile("/compare"), timeout=30_000)
    me.settle()
    page.get_by_role("link", name="Lab").click()
    page.locator(".steps").wait_for(timeout=40_000)
    until(lambda: "✓ Compare" in page.locator(".steps").inner_text(), 20, "the step that was taken")
    me.leave()


@pytest.mark.parametrize(
    ("scheme", "width", "columns"), [("light", 1440, 3), ("light", 1280, 2), ("light", 390, 1), ("dark", 1440, 3)]
)
def test_the_gallery_fits_and_is_drawn_in_the_page_s_colours(chromium, demo, until, scheme, width, columns):
    me = Gallery(chromium, demo, color_scheme=scheme)
    me.page.set_viewport_size({"width": width, "height": 900})
    until(lambda: me.drawn() == len(CARDS), 40, "every card's picture")
    assert me.over() <= 1 and me.page.locator("h1").all_inner_texts() == ["Gallery"]
    boxes = me.page.locator(".st-key-gallery [class*=st-key-card-]").evaluate_all(
        "cards => cards.map(card => card.getBoundingClientRect().toJSON())"
    )
    assert len({round(box["x"]) for box in boxes}) == columns and all(abs(box["height"] - 322) < 2 for box in boxes)
    if width == 1440:
        assert all(abs(box["width"] - 421) < 2 for box in boxes)
        assert me.page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight") <= 1600
    me.shot(f"gallery-{scheme}-{width}")
    me.leave()
