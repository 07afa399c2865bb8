"""Editing points: by pointer and by keys, a point is added, moved, removed; the boundary follows and the page is told."""

from __future__ import annotations

from importlib.resources import files

import pytest

from engine.spec.points import decode_points, encode_points
from engine.store import Store
from tests.app import fabricate
from tests.browser.pages.takeaway_run import CENTRE, HALF
from tests.browser.test_axe import BAD, SCAN
from tests.browser.test_save import stage  # noqa: F401 (a fixture)
from tests.browser.visitor import Visitor

pytestmark = pytest.mark.browser
LOOK = "e => e.toDataURL()"


class Editing:
    """A stage in which points are edited."""

    def __init__(self, made, until):
        self.s, self.until = made, until
        self.canvas = made.root.locator(".stage canvas").first
        self.page = made.page

    def begin(self):
        self.s.root.locator(".tool.edit").click()
        self.until(lambda: self.s["editing"] == "true")

    def click(self, x, y):
        box = self.canvas.bounding_box()
        self.page.mouse.click(box["x"] + x, box["y"] + y)

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)

    @property
    def asked(self):
        """The newest request for a preview."""
        self.page.wait_for_timeout(1)  # for Playwright to hear of it
        return self.s.previews[-1] if self.s.previews else {"spec": {"ratio": 0}, "points": []}

    @property
    def said(self):
        return self.s.root.locator(".edit-live").inner_text()

    def emitted(self, count):
        """The points that the page was told of, once there are so many."""
        text = self.page.locator("#emitted")
        self.until(lambda: (t := text.inner_text()) != "nothing" and len(decode_points(t)) == count, 20, f"{count} points")
        return decode_points(text.inner_text())


@pytest.fixture
def editing(stage, until):  # noqa: F811
    """editing(**query) -> Editing."""
    return lambda **query: Editing(stage(**query), until)


def test_a_click_adds_a_point_and_the_surface_follows(editing, until):
    e = editing()
    e.s.page.locator(".stage").first.focus()
    e.press("End")
    e.begin()
    before = e.canvas.evaluate(LOOK)
    e.click(200, 120)
    until(lambda: e.s["added"] == "1")
    (point,) = e.emitted(1)
    assert e.said.startswith("Point 1 of 50 at ")
    until(lambda: e.s["preview"] == "true", 20, "a preview")
    until(lambda: e.canvas.evaluate(LOOK) != before)
    assert e.asked["points"] == [[0, *(round(1000 * value) for value in point)]] and e.asked["spec"]["ratio"] == 50
    assert all(abs(value - c) <= 2 * h for value, c, h in zip(point, CENTRE, HALF, strict=True))

    # a drag moves it: previews while it moves, told once when the hand is off
    box = e.canvas.bounding_box()
    e.page.mouse.move(box["x"] + 200, box["y"] + 120)
    e.page.mouse.down()
    sent = e.asked["points"]
    e.page.mouse.move(box["x"] + 320, box["y"] + 220, steps=6)
    until(lambda: e.asked["points"] != sent)
    assert decode_points(e.page.locator("#emitted").inner_text()) == [point]
    e.page.mouse.up()
    until(lambda: decode_points(e.page.locator("#emitted").inner_text()) != [point], 20)
    (moved,) = e.emitted(1)
    assert moved[0] > point[0] and moved[1] < point[1]

    # a click on it removes it, Ctrl+Z brings it back
    e.click(320, 220)
    until(lambda: e.s["added"] == "0")
    e.emitted(0)
    e.press("Control+z")
    until(lambda: e.s["added"] == "1")
    assert e.emitted(1) == [moved]


def test_the_same_by_keys_alone(editing, until):
    e = editing()
    e.s.page.locator(".stage").first.focus()
    e.press("End", "e")
    until(lambda: e.s["editing"] == "true")
    before = e.canvas.evaluate(LOOK)
    e.press("ArrowLeft", "ArrowLeft", "ArrowUp", "Enter")
    (one,) = e.emitted(1)
    until(lambda: e.s["preview"] == "true" and e.canvas.evaluate(LOOK) != before, 20)
    e.press("Shift+ArrowLeft", "ArrowRight", "ArrowRight", "Enter")
    two = e.emitted(2)
    assert two[0] == one and two[1][0] > one[0] and two[1][1] == pytest.approx(one[1], abs=0.002)
    step = (two[1][0] - one[0]) / 15  # px: 2 x 8 - 1
    assert 0 < step * e.canvas.bounding_box()["width"] < 12 * HALF[0]
    e.press("[")
    assert e.said.startswith("Point 1 of 50 at ")
    e.press("]")
    assert e.said.startswith("Point 2 of 50 at ")
    e.press("Delete")
    assert e.emitted(1) == [one] and e.said == "Point removed. 1 left."
    e.press("Escape")
    until(lambda: e.s["editing"] == "false")
    e.press("Home")  # the keys are the film's again
    until(lambda: e.s["frame"] == "0")


def test_the_51st_point_is_refused(editing, until):
    text = encode_points([(0.01 * i, 0.2) for i in range(50)])
    e = editing(points=text)
    until(lambda: e.s["added"] == "50")
    e.begin()
    e.click(200, 60)
    until(lambda: e.said == "At most 50 points.")
    e.press("Enter")
    e.page.wait_for_timeout(300)
    assert e.s["added"] == "50" and e.said == "At most 50 points." and e.page.locator("#emitted").inner_text() == "nothing"


def test_a_slider_previews_with_the_points_of_the_address(editing, until):
    e = editing(points=encode_points([(0.2, 0.4)]))
    until(lambda: e.s["added"] == "1")
    e.s.root.locator("input[type=range]").first.focus()
    e.press("ArrowRight")
    until(lambda: e.asked["spec"]["ratio"] == 100, 20)
    assert e.asked["points"] == [[0, 200, 400]]
    until(lambda: e.s["preview"] == "true", 20)
    e.begin()
    e.click(200, 120)
    until(lambda: len(e.asked["points"]) == 2, 20)
    assert e.asked["spec"]["ratio"] == 100  # the slider's, not the run's


def test_a_film_that_does_not_know_the_units_asks_for_a_preview(editing, until):
    e = editing(known=0)
    e.begin()
    until(lambda: e.s["preview"] == "true", 20, "a preview")
    e.click(200, 120)
    e.emitted(1)


def test_quick_edits_are_not_lost_to_late_answers(editing, until):
    e = editing()
    e.begin()
    for _ in range(8):
        e.press("ArrowRight", "ArrowRight", "Enter")
    until(lambda: e.s["added"] == "8")
    e.emitted(8)
    assert e.s["added"] == "8"


def test_nobody_is_shut_out_of_the_tools(editing, until):
    """axe finds nothing serious while the menu of Save is open and while points are edited, light and wide, dark and narrow."""
    e = editing(points=encode_points([(0.2, 0.4)]))
    e.page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8"))
    for scheme, width in (("light", 1200), ("dark", 390)):
        e.page.emulate_media(color_scheme=scheme)
        e.page.set_viewport_size({"width": width, "height": 844})
        until(lambda scheme=scheme: e.s["dark"] == str(scheme == "dark").lower(), 20)
        for key, opened in (("s", ".save .menu"), ("e", ".edit-bar")):
            e.s.root.locator(".stage").first.focus()
            if width < 768:
                e.s.root.locator(".more-actions").click()
                e.s.root.locator(".stage").first.focus()
            e.press(key)
            until(lambda opened=opened: e.s.root.locator(opened).is_visible())
            assert [v for v in e.page.evaluate(SCAN) if v["impact"] in BAD] == [], (scheme, opened)
            e.press("Escape")
            until(lambda opened=opened: e.s.root.locator(opened).is_hidden())


class Guest(Visitor):
    """Somebody at the Lab, whose engine is off: without previews the edits reach form and address all the same."""

    ready = ".lab-stage"

    def stage(self, name):
        return self.page.locator(".lab-stage").get_attribute(f"data-{name}")


def test_added_points_are_in_the_address_and_come_back_with_it(chromium, serve, tmp_path_factory, until):
    place = f"sqlite:///{tmp_path_factory.mktemp('edit') / 'shelf.db'}"
    store = Store(place)
    store.publish_catalog(fabricate.catalog())
    run = fabricate.family_done(store, fabricate.spec(folds=2, seeds=2)).id
    url = serve("app/server.py", {"LAB_STORE": place, "LAB_ENGINE": "off"})
    me = Guest(chromium, url, f"?run={run}")
    until(lambda: me.stage("frames") not in ("0", None), 30, "the film")
    me.page.locator(".lab-stage .stage").first.focus()
    me.page.keyboard.press("e")
    until(lambda: me.stage("editing") == "true")
    box = me.page.locator(".lab-stage .stage canvas").first.bounding_box()
    me.page.mouse.click(box["x"] + 120, box["y"] + 150)
    until(lambda: "pts" in me.words, 20, "the points in the address")
    assert me.stage("added") == "1"
    me.page.keyboard.press("ArrowRight")
    me.page.keyboard.press("ArrowRight")
    me.page.keyboard.press("Enter")
    until(lambda: len(decode_points(me.words["pts"])) == 2, 20, "the second point")
    link = me.page.evaluate("location.href")
    me.page.goto(link)
    me.settle()
    until(lambda: me.stage("added") == "2", 30, "the points after a reload")
    me.problems = [text for text in me.problems if "503" not in text]  # no engine, no preview
    me.leave()
    store.close()
