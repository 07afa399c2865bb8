"""The report of a comparison in a browser: it fits, it can be read in the dark, and hostile names do nothing in it."""

from __future__ import annotations

import pytest

from engine.report import comparison as report
from tests.engine.comparisons import comparison, profile, tables
from tests.engine.hostile import NAMES

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def opened(chromium, tmp_path_factory):
    """(page, what it asked for, what it said) of a report all of whose names are hostile; the file is opened as a person would."""
    classes = tuple(dict.fromkeys(name.strip() for name in NAMES if name.strip()))[:40]
    found, arrays = comparison(classes=classes, rows=8000, name=NAMES[2])
    for i, row in enumerate(found["methods"]):
        row["title"] = NAMES[i]
    found |= {"verdict": " ".join(NAMES), "shortened": list(NAMES), "notes": list(NAMES)}
    file = tmp_path_factory.mktemp("report") / "report.html"
    file.write_text(report.write_comparison(found, arrays, tables(found, arrays), profile=profile(NAMES)), encoding="utf-8")
    context = chromium.new_context(viewport={"width": 390, "height": 800})
    page = context.new_page()
    asked, said = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    page.goto(file.as_uri())
    yield page, asked, said
    context.close()


def test_hostile_names_load_nothing_and_say_nothing(opened):
    page, asked, said = opened
    assert asked == [page.url] and said == []
    assert page.title().startswith('Which method helps on "><img src=x onerror=alert(1)>')
    assert page.locator("script, img, iframe, form, input, link, base, object").count() == 0
    assert page.locator("svg title").count() == page.locator("svg[role=img]").count() > 20


@pytest.mark.parametrize("width", [360, 820, 1400])
def test_it_fits_its_window(opened, width):
    page, _, _ = opened
    page.set_viewport_size({"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    small = "[...document.querySelectorAll('p, td, dd, li')].filter(e => parseFloat(getComputedStyle(e).fontSize) < 12).length"
    assert page.evaluate(small) == 0


def test_dark_is_dark_and_paper_is_light(opened):
    page, _, _ = opened
    ground = "getComputedStyle(document.body).backgroundColor"
    seen = {}
    for scheme, media in (("light", "screen"), ("dark", "screen"), ("dark", "print")):
        page.emulate_media(color_scheme=scheme, media=media)
        seen[scheme, media] = sum(map(int, page.evaluate(ground).removeprefix("rgb(").removesuffix(")").split(","))) / 3
    page.emulate_media(color_scheme="light", media="screen")
    assert seen["light", "screen"] > 240 and seen["dark", "screen"] < 40 and seen["dark", "print"] > 240


def test_wide_tables_scroll_by_keyboard(opened):
    page, _, _ = opened
    page.set_viewport_size({"width": 390, "height": 800})
    frame = page.locator("#board .scroll").first
    frame.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(300)
    assert frame.evaluate("e => e.scrollLeft") > 0
