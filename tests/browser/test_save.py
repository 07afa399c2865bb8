"""Save: what is taken away from the stage is a file that others can open, and making it asks no other host."""

from __future__ import annotations

import os
import shutil
from urllib.parse import urlencode

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.browser


class Stage:
    """A page of takeaway_app.py. What went wrong in the browser is in `problems`."""

    def __init__(self, chromium, url, **query):
        self.context = chromium.new_context(viewport={"width": 1200, "height": 800}, reduced_motion="reduce")
        self.page = self.context.new_page()
        self.problems, self.requests, self.previews = [], [], []
        self.page.on("console", lambda m: self.problems.append(m.text) if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("request", self._asked)
        self.page.goto(f"{url}/?{urlencode(query)}")
        self.root = self.page.locator(".lab-stage")
        self.root.wait_for(timeout=30_000)

    def _asked(self, request):
        self.requests.append(request.url)
        if request.url.endswith("/api/preview"):
            self.previews.append(request.post_data_json)

    def __getitem__(self, name):
        return self.root.get_attribute(f"data-{name}")

    def save(self, kind, folder):
        """Save as `kind`; the file, under the name that the page gave it."""
        self.root.locator(".save .opener").click()
        with self.page.expect_download(timeout=90_000) as coming:
            self.root.locator(f"[data-format={kind}]").click()
        path = folder / f"{kind}-{coming.value.suggested_filename}"
        coming.value.save_as(path)
        if shots := os.environ.get("LAB_SHOTS"):
            shutil.copy(path, shots)
        return path


@pytest.fixture
def stage(chromium, serve, until):
    """stage(**query) -> Stage with its films; on the way out nothing may have gone wrong in it."""
    url = serve("tests/browser/pages/takeaway_app.py")
    made = []

    def make(**query):
        made.append(Stage(chromium, url, **query))
        until(lambda: made[-1]["frames"] == "40", 20)
        return made[-1]

    yield make
    for each in made:
        strangers = [r for r in each.requests if not r.startswith((url, "blob:", "data:"))]
        each.context.close()
        assert each.problems == [] and strangers == []


def test_pictures_and_animations_open_in_pillow(stage, tmp_path):
    s = stage()
    png = s.save("png", tmp_path)
    assert png.name == "png-two-moons-50-1.png" and png.stat().st_size > 10_000
    with Image.open(png) as picture:
        picture.load()
        still = picture.convert("RGB")
        assert still.width >= 1200 and len(still.getcolors(1 << 24)) > 200
    for kind, width, most in (("gif", 546, 20_000_000), ("small", 420, 2_000_000)):
        path = s.save(kind, tmp_path)
        assert 10_000 < path.stat().st_size < most and path.suffix == ".gif"
        with Image.open(path) as film:
            assert film.width == width and film.n_frames >= 20
            assert kind == "gif" or film.n_frames == 40
            first = film.convert("RGB").tobytes()
            film.seek(film.n_frames - 1)
            last = film.convert("RGB")
            assert last.tobytes() != first
            far = np.abs(np.asarray(last, int) - np.asarray(still.resize(last.size), int)).max(2)
            assert np.median(far) <= 4  # the stage stands at its last frame: the same colours, out of 255


def test_a_video_plays(stage, tmp_path, until):
    s = stage(pair=0)
    s.root.locator(".save .opener").click()
    s.root.locator("[data-format=webm]").click()
    until(lambda: s.root.locator(".saving progress").evaluate("e => e.value") > 0, 20)
    s.root.locator(".stop").click()
    until(lambda: s.root.locator(".saving").is_hidden(), 20)
    path = s.save("webm", tmp_path)
    assert path.stat().st_size > 10_000 and path.suffix in (".webm", ".mp4")
    page = s.context.new_page()
    page.goto(path.as_uri())
    playing = (
        "() => { const v = document.querySelector('video'); v.muted = true; v.play(); return v.videoWidth && v.currentTime }"
    )
    until(lambda: page.evaluate(playing) > 0.5, 20, "a video that plays")
    assert page.evaluate("document.querySelector('video').videoWidth") >= 728


def test_a_saved_page_plays_without_a_network(stage, chromium, tmp_path, until):
    s = stage(lazy=1)
    path = s.save("html", tmp_path)
    assert 10_000 < path.stat().st_size <= 5_000_000
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, offline=True, color_scheme="light")
    page = context.new_page()
    problems, requests = [], []
    page.on("console", lambda m: problems.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(path.as_uri())
    root = page.locator(".lab-stage")
    data = lambda name: root.get_attribute(f"data-{name}")  # noqa: E731 (one page)
    until(lambda: data("frames") == "40", 20)

    # it plays by itself, and scrubs
    until(lambda: data("playing") == "true" and int(data("frame")) > 2, 20)
    time = root.get_by_role("slider")
    box = time.bounding_box()
    page.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + box["height"] / 2)
    until(lambda: data("playing") == "false" and 5 < int(data("frame")) < 35)
    root.locator(".stage").first.focus()
    page.keyboard.press("End")
    until(lambda: data("frame") == "39")

    # it switches films
    look = "e => e.toDataURL()"
    moving = root.locator(".stage canvas").first.evaluate(look)
    page.locator("[data-view=frozen]").click()
    until(lambda: data("view") == "frozen")
    until(lambda: root.locator(".stage canvas").first.evaluate(look) != moving)
    page.locator("[data-view=both]").click()
    until(lambda: data("pair") == "true" and data("other") == "39")

    # verdict and differences are there as text, and nothing in it is markup
    assert page.locator("h1").inner_text() == "</script><b>No difference</b> found between 'moving' & \"frozen\" {points}."
    assert "than <i>frozen</i> points" in page.locator("table").last.inner_text()
    assert "+.060" in page.locator("table").last.inner_text() and page.locator("main i, main h1 b").count() == 0
    assert "http://lab.example/?dataset=moons&ratio=50" in page.locator("footer").inner_text()
    assert root.locator(".save, .tool:visible").locator("visible=true").count() == 0

    # light and dark
    page.get_by_role("button", name="Dark").click()
    until(lambda: data("dark") == "true")
    context.close()
    assert problems == [] and [r for r in requests if not r.startswith(("data:", "blob:"))] == [path.as_uri()]


@pytest.mark.parametrize("made", ["sphere", "walk", "generated"])
def test_a_saved_page_shows_how_rows_were_made(stage, chromium, tmp_path, until, made):
    s = stage(made=made, pair=0)
    words = {"sphere": ["sphere", "moved row"], "walk": ["way of a new row"], "generated": ["generated", "a mean of"]}[made]
    until(lambda: all(word in s.root.locator(".panel > .marks").inner_text() for word in words))
    s.root.locator(".stage").first.focus()
    s.page.keyboard.press("End")
    until(lambda: s["frame"] == "39" and s["playing"] == "false")
    path = s.save("html", tmp_path)
    context = chromium.new_context(viewport={"width": 1200, "height": 800}, offline=True, reduced_motion="reduce")
    page = context.new_page()
    problems = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(path.as_uri())
    root = page.locator(".lab-stage")
    until(lambda: root.get_attribute("data-frames") == "40", 20)
    assert all(word in root.locator(".panel > .marks").inner_text() for word in words)
    for name in ("points", "unsafe"):
        until(lambda name=name: root.get_attribute(f"data-{name}") == s[name])
    context.close()
    assert problems == []


def test_the_menu_is_reached_by_keys(stage, until):
    s = stage()
    s.root.locator(".stage").first.focus()
    s.page.keyboard.press("s")
    menu = s.root.get_by_role("menu")
    until(lambda: menu.is_visible())
    assert s.root.locator("[data-format=png]").evaluate("e => e === e.getRootNode().activeElement")
    s.page.keyboard.press("ArrowDown")
    assert s.root.locator("[data-format=webm]").evaluate("e => e === e.getRootNode().activeElement")
    s.page.keyboard.press("Escape")
    until(lambda: menu.is_hidden())
    assert s.root.locator(".opener").evaluate("e => e === e.getRootNode().activeElement")
