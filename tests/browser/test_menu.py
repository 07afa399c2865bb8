"""The menu of methods in a real browser, with as many as there may be: searched and chosen by keys alone, on a narrow screen too."""

from __future__ import annotations

import pytest

from engine.store import Store
from tests.app.test_method_menu import make_catalog
from tests.browser.visitor import Visitor

pytestmark = pytest.mark.browser


class Chooser(Visitor):
    """A visitor of Compare."""

    path = "compare"
    ready = ".st-key-plan-menu"


@pytest.fixture(scope="module")
def address(serve, tmp_path_factory):
    """A server without an engine, whose catalog has 65 methods."""
    place = f"sqlite:///{tmp_path_factory.mktemp('menu') / 'menu.db'}"
    store = Store(place)
    store.publish_catalog(make_catalog())
    store.close()
    return serve("app/server.py", {"LAB_STORE": place, "LAB_ENGINE": "off"})


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_a_method_is_found_and_taken_by_keys(chromium, address, until, scheme, width):
    me = Chooser(chromium, address, color_scheme=scheme, viewport={"width": width, "height": 844})
    if width < 768 and (folded := me.page.locator("[data-testid=stExpandSidebarButton]:visible")).count():
        folded.press("Enter")
        me.page.wait_for_timeout(600)
    me.page.locator(".st-key-plan-menu button").first.press("Enter")
    field = me.page.locator(".menu input")
    until(lambda: field.count() == 1, 20, "the menu")
    assert me.page.locator(".menu button").count() >= 60 and me.over() <= 1
    field.focus()
    me.page.keyboard.type("made 17")
    until(lambda: me.page.locator(".menu button:visible").count() == 1, 5, "the one that fits")
    me.shot(f"menu-{scheme}-{width}")
    assert me.page.locator(".menu button[aria-pressed=true]", has_text="Made 17").count() == 0
    me.page.keyboard.press("ArrowDown")
    me.page.keyboard.press("Enter")
    until(
        lambda: me.page.locator(".menu button[aria-pressed=true]", has_text="Made 17").count() == 1,
        20,
        "the method in the plan",
    )
    me.leave()
