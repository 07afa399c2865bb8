"""The stage in a real browser: its places, its two films in step, its curve, its what-if, its states."""

from __future__ import annotations

import re
import time
from urllib.parse import urlencode

import pytest

pytestmark = pytest.mark.browser
WIDE, LOW, PHONE = (1440, 900), (1280, 720), (390, 844)


class Page:
    """A page with the stage on it. What went wrong in the browser is in `problems`."""

    def __init__(self, browser, url, query, size, **context):
        self.context = browser.new_context(viewport={"width": size[0], "height": size[1]}, **context)
        self.page = self.context.new_page()
        self.problems, self.url = [], url
        self.page.on("console", lambda m: self.problems.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.goto(f"{url}/?{urlencode(query)}")
        self.root = self.page.locator(".lab-stage")
        self.root.wait_for(timeout=30_000)

    def __getitem__(self, name):
        return self.root.get_attribute(f"data-{name}")

    def number(self, name):
        value = self[name]
        return float(value) if value else -1.0

    def box(self, part, which=0):
        return self.root.locator(part).nth(which).bounding_box()

    def press(self, *keys):
        self.root.locator(".stage").first.focus()
        for key in keys:
            self.page.keyboard.press(key)
        self.page.wait_for_timeout(80)

    def button(self, name):
        return self.root.get_by_role("button", name=name, exact=True)

    def pixels(self, which=0):
        return self.root.locator(".stage canvas").nth(which).evaluate("e => e.toDataURL()")


@pytest.fixture
def stage(chromium, serve):
    """stage(size, context options, **query) -> Page; on the way out nothing may have gone wrong in it."""
    url = serve("tests/browser/pages/stage_app.py")
    pages = []

    def make(size=WIDE, context=None, **query):
        pages.append(Page(chromium, url, query, size, **(context or {})))
        return pages[-1]

    yield make
    for made in pages:
        problems = [p for p in made.problems if "429" not in p]
        made.context.close()
        assert problems == []


def test_unsafe_copies_are_counted_in_the_key(stage, until):
    s = stage(hidden=40)
    until(lambda: s.number("frame") >= 0, 20)
    s.press("End")
    until(lambda: s["frame"] == "59")
    count = int(s["unsafe"])
    assert 0 < count < 46 and f"unsafe copies: {count} of 46" in s.root.locator(".panel > .marks").inner_text()
    assert f"{count} of 46 synthetic points are unsafe, marked by a cross" in s.root.locator(
        ".stage canvas"
    ).first.get_attribute("aria-label")
    s.press("Home")
    until(lambda: s["frame"] == "0")
    assert s["unsafe"] == "" and "unsafe copy" in s.root.locator(".panel > .marks").inner_text()


def test_the_rows_that_a_member_saw_are_lit(stage, until):
    s = stage(synthetic=0, members=1)
    until(lambda: s.number("frame") >= 0, 20)
    s.press("Home")
    until(lambda: s["frame"] == "0" and s["seen"] == "28")
    first = s.pixels()
    mark = s.root.locator(".panel > .marks [data-mark=seen]")
    assert mark.inner_text() == "lit: 28 rows this member saw" and mark.locator("rect").count() == 10
    told = mark.get_attribute("title")
    assert sum(int(n) for n in re.findall(r"(\d+) of", told)) == 14
    s.press("ArrowRight")
    until(lambda: s["frame"] == "1")
    assert s.pixels() != first and mark.get_attribute("title") != told
    s.press("End")
    until(lambda: s["frame"] == "59")
    assert s["seen"] == ""


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ("sphere", ["sphere", "moved row"]),
        ("walk", ["way of a new row"]),
        ("line", ["from its seed"]),
        ("generated", ["from rows it is a mean of"]),
        ("codes", ["from rows mixed as codes"]),
        ("nearest", ["to the nearest row of its class"]),
    ],
)
def test_how_new_rows_were_made_is_drawn_and_can_be_hidden(stage, until, made, words):
    s = stage(made=made, hidden=40, worth=int(made == "sphere"))
    until(lambda: s.number("frame") >= 0)
    s.press("End")
    until(lambda: s["playing"] == "false")
    marks = s.root.locator(".panel > .marks").inner_text()
    name = "generated" if made in ("generated", "codes", "nearest") else "new row"
    assert all(word in marks for word in [*words, name, "unsafe rows:"]) and "cop" not in marks
    assert s.root.locator(".panel > .marks").evaluate("e => e.scrollWidth <= e.clientWidth"), "the key shows its last mark"
    shown = s.pixels()
    s.root.locator(".head .toggles button", has_text="Origins").evaluate("e => e.click()")
    until(lambda: s.pixels() != shown)
    assert not any(word in s.root.locator(".panel > .marks").inner_text() for word in words)
    s.root.locator(".head .toggles button", has_text="Origins").evaluate("e => e.click()")
    until(lambda: s.pixels() == shown)


def test_the_film_owns_the_first_screen(stage, until):
    s = stage()
    until(lambda: s.number("frame") >= 0, 20)
    for size, film in ((WIDE, (312, 200, 728, 490)), (LOW, (312, 168, 620, 480)), (PHONE, (0, 212, 390, 400))):
        s.page.set_viewport_size({"width": size[0], "height": size[1]})
        until(lambda film=film: round(s.box(".stage")["x"]) == film[0] and round(s.box(".stage")["height"]) == film[3], 10)
        box = s.box(".stage")
        assert [round(box[name]) for name in ("x", "y", "width", "height")] == list(film), size
        assert box["y"] + box["height"] <= size[1]
        assert s.page.evaluate("document.documentElement.scrollWidth") <= size[0]
        time_box = s.box(".time")
        assert time_box["height"] == 46 and time_box["y"] + 46 <= size[1] and time_box["y"] >= box["y"] + box["height"]


def test_its_height_is_the_same_in_every_state(stage, until):
    heights = {}
    for mode in ("empty", "failed", "cancelled", "live"):
        s = stage(mode=mode, films=1, rate=6.0)
        if mode != "empty":
            until(lambda s=s: s.number("frame") >= 0, 20)
        heights[mode] = (s.box(".stage")["height"], s.root.bounding_box()["height"])
        if mode == "empty":
            assert "Choose data and a method, then press Run." in s.root.locator(".empty").first.inner_text()
        if mode == "failed":
            assert s["playing"] == "false" and s.root.locator(".film").first.get_attribute("data-dimmed") == "true"
        if mode == "cancelled":
            assert s.root.locator(".said").inner_text() == "stopped at 58%"
        if mode == "live" and s["status"] == "training":
            assert s["rail"] == "companions" and s.root.locator(".companion progress").count() == 5
        if mode == "live":
            until(lambda s=s: s["status"] == "finished", 20)
            assert s["rail"] == "whatif" and (s.box(".stage")["height"], s.root.bounding_box()["height"]) == heights["live"]
    assert set(heights.values()) == {(490, 620)}


def test_a_pair_has_one_phase_and_step_share_at_any_scrub(stage, until):
    s = stage(view="both", bar=0)
    until(lambda: s["pair"] == "true" and s.number("frame") >= 0, 20)
    s.press("Home")
    left = {"training": (0, 12), "points": (12, 60)}
    right = {"training": (0, 6), "points": (6, 30)}
    box = s.box(".time")
    for part in (0.0, 0.13, 0.2, 0.42, 0.5, 0.77, 0.9, 1.0):
        s.page.mouse.click(box["x"] + 8 + (box["width"] - 16) * part, box["y"] + 20)
        s.page.wait_for_timeout(120)
        assert s["phase"] == s["other-phase"], part
        (a, b), (c, d) = left[s["phase"]], right[s["phase"]]
        share = (s.number("frame") - a) / (b - a - 1)
        assert abs(c + share * (d - c - 1) - s.number("other")) <= 1, part


def test_the_difference_of_a_run_with_itself_is_paper(stage, until):
    s = stage(view="both", bar=0, same=1)
    until(lambda: s["difference"] != "" and s.number("frame") >= 0, 20)
    s.press("End", "ArrowLeft")
    assert s["difference"] == "0.000" and s["largest"] == "0.000"
    assert "equal" in s.root.locator(".difference-words .above").inner_text()
    colours = s.root.locator(".difference-picture canvas").evaluate(
        "e => new Set(Array.from(new Uint32Array(e.getContext('2d').getImageData(0, 0, e.width, e.height).data.buffer))).size"
    )
    assert colours == 1
    s = stage(view="difference")
    until(lambda: s.number("largest") > 0.1, 20)
    words = s.root.locator(".panel > .marks").inner_text()
    assert f"Largest difference: {s['largest'].removeprefix('0')[:2]}" in words and "The colours end at" in words


def test_films_of_different_planes_are_not_compared(stage, until):
    s = stage(view="difference", plane=1)
    until(lambda: s.root.locator(".refusal").is_visible(), 20)
    assert s.root.locator(".refusal").inner_text() == "These runs have different planes." and s["difference"] == ""


def test_no_frame_takes_long_and_still_frames_pass(stage, until):
    for move in (0.9, 0.002):
        s = stage(move=move, films=1)
        until(lambda s=s: len((s["seconds"] or "").split()) == 60, 20)
        seconds = [float(value) for value in s["seconds"].split()]
        whole = sum(seconds)
        assert 1 < whole <= 10 and max(seconds) <= 1.2 + 1e-3 and max(seconds) <= 0.3 * whole + 1e-3
        still = sum(seconds[1:13])  # the first classifier: no point moves
        assert still <= 0.25 * whole + 1e-2


def test_arrows_stand_at_the_chosen_epoch_alone(stage, until):
    s = stage()
    until(lambda: s["playing"] == "true" and s.number("frame") > 0, 20)
    assert s["arrows"] == ""
    s.press("End")
    until(lambda: s["arrows"] == "46")
    assert (s["lowers"], s["raises"]) == ("30", "16")  # linspace(-.2, .1, 46): below 0, above 0
    with_arrows = s.pixels()
    s.press("a")
    until(lambda: s["arrows"] == "")
    assert s.pixels() != with_arrows
    s.press("a", "ArrowLeft")
    until(lambda: s["frame"] == "58" and s["arrows"] == "")
    marks = s.root.locator(".panel > .marks").inner_text()
    assert "copy, lowers the loss" in marks and "copy, raises it" in marks
    s = stage(synthetic=200)
    until(lambda: s.number("frame") >= 0, 20)
    s.press("End")
    until(lambda: s["arrows"] == "60")


def test_labels_stand_at_the_ends_of_lines_and_apart(stage, until):
    s = stage()
    for size in (WIDE, LOW, PHONE):
        s.page.set_viewport_size({"width": size[0], "height": size[1]})
        until(lambda: s.root.locator(".pr [data-label]").count() == 6, 20)
        s.page.wait_for_timeout(300)
        assert s.root.locator(".pr .legend").count() == 0
        boxes = s.root.locator(".pr [data-label]").evaluate_all(
            "all => all.map(e => { const b = e.getBoundingClientRect(); return [b.x, b.right, b.y]; })"
        )
        places = sorted(y for _, _, y in boxes)
        assert all(b - a >= 14 for a, b in zip(places, places[1:], strict=False)), size
        lines = s.root.locator(".pr polyline").evaluate_all("all => all.map(e => e.getBoundingClientRect().right)")
        room = s.box(".pr")
        assert min(x for x, _, _ in boxes) > max(lines) and max(right for _, right, _ in boxes) <= room["x"] + room["width"] + 1
        assert s.root.locator(".pr .band").count() == 0
    s.page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})
    s.page.wait_for_timeout(300)
    s.root.locator(".pr [data-label=frozen]").hover()
    until(lambda: s.root.locator(".pr .band").count() == 1)
    s.root.locator(".head").hover()
    until(lambda: s.root.locator(".pr .band").count() == 0)


def test_a_slider_previews_and_reset_returns(stage, until):
    s = stage()
    until(lambda: s["rail"] == "whatif" and s.number("frames") == 60, 20)
    s.press("Home")
    noise = s.root.locator("[data-control=noise] input")
    noise.focus()
    s.page.keyboard.press("ArrowRight")
    until(lambda: s["preview"] == "true" and s.number("frames") <= 12, 10)
    assert (
        s.root.locator(".said").inner_text() == "Preview"
        and "0.14" in s.root.locator("[data-control=noise] output").inner_text()
    )
    until(lambda: "preview" in (s.root.locator(".pr").get_attribute("data-lines") or ""), 10)
    assert s.number("frames") == 12 and s.root.locator(".pr polyline").count() == 5
    s.button("Run this with 20 replicates").click()
    until(lambda: "0.14" in s.page.locator("[data-testid=stJson]").inner_text(), 10)
    s.button("Reset").click()
    until(lambda: s["preview"] == "false" and s["frames"] == "60")
    assert s.root.locator(".said").is_hidden() and "preview" not in s.root.locator(".pr").get_attribute("data-lines")
    ratio = s.root.locator("[data-control=ratio] input")
    ratio.focus()
    s.page.keyboard.press("End")
    until(lambda: s.root.locator(".said").inner_text() == "Two others try something just now.", 10)
    assert s["frames"] == "60", "the picture stays"


def test_a_drag_sends_few_requests_and_the_last(stage, until):
    s = stage()
    until(lambda: s["rail"] == "whatif" and s.number("frames") == 60, 20)
    before = len(s.page.evaluate("fetch('/api/asked').then(a => a.json())")["asked"])
    elapsed = s.root.locator("[data-control=noise] input").evaluate(
        """async input => { const began = performance.now(); for (let i = 1; i <= 20; i++) {
        input.value = (0.13 + i / 100).toFixed(2); input.dispatchEvent(new Event('input', { bubbles: true }));
        await new Promise(done => setTimeout(done, 20)); } return performance.now() - began; }"""
    )
    until(lambda: s.number("frames") == 12 and s["status"] == "finished", 10)
    answer = s.page.evaluate("fetch('/api/asked').then(a => a.json())")
    mine = answer["asked"][before:]
    assert 2 <= len(mine) <= elapsed / 80 + 2 and mine[-1]["spec"]["data"]["noise"] == 0.33
    assert [body["seq"] for body in mine] == sorted(body["seq"] for body in mine) and len(
        {body["client"] for body in mine}
    ) == 1


def test_views_are_switched_by_key_and_told_to_the_page(stage, until):
    s = stage()
    until(lambda: s.number("frame") >= 0, 20)
    s.press("v")
    until(lambda: s["view"] == "frozen" and s["frames"] == "30")
    until(lambda: "frozen" in s.page.locator("[data-testid=stJson]").inner_text(), 10)
    s.press("?")
    assert s.root.locator(".help-panel").is_visible() and "trails" in s.root.locator(".help-panel").inner_text()
    s.press("Escape")
    assert s.root.locator(".help-panel").is_hidden()
    s.press("End", "]", "]")  # the first frames of a film have no synthetic points
    until(lambda: s["selected"] == "1", 10)


def test_reduced_motion_stands_on_the_last_frame(stage, until):
    s = stage(context={"reduced_motion": "reduce"})
    until(lambda: s["frames"] == "60" and s["frame"] == "59", 20)
    s.page.wait_for_timeout(500)
    s.page.evaluate(
        """() => { window.asked = 0; const plain = window.requestAnimationFrame;
        window.requestAnimationFrame = f => { window.asked++; return plain(f); }; }"""
    )
    redraws = s["redraws"]
    time.sleep(2)
    assert s["redraws"] == redraws and s.page.evaluate("window.asked") == 0
    assert s["playing"] == "false" and s["arrows"] == "46"


def test_differences_and_a_phone(stage, until):
    s = stage(rail="differences")
    until(lambda: s["rail"] == "differences", 20)
    rows = s.root.locator(".difference svg")
    assert rows.count() == 4
    assert rows.nth(1).get_attribute("aria-label") == "than the same points frozen: +.060, +.048 to +.072"
    filled = s.root.locator(".difference circle").evaluate_all(
        "all => all.map(e => e.getAttribute('fill') === e.getAttribute('stroke'))"
    )
    assert filled == [False, True, True, False]
    s = stage(PHONE)
    until(lambda: s.root.locator(".control:visible").count() == 1, 20)
    s.button("Noise").click()
    assert s.root.locator(".control:visible label").inner_text() == "Noise"
    assert s.button("Run this with 20 replicates").is_visible() and s.root.locator("[data-view=both]").is_hidden()
    run = s.button("Run this with 20 replicates").bounding_box()
    assert run["y"] + run["height"] <= 844
    until(lambda: "got.width" in s.page.locator("[data-testid=stJson]").inner_text(), 10)


def test_two_films_are_smooth(stage, until, capsys):
    s = stage(view="both", bar=0, synthetic=300, frames=100, short=0)
    until(lambda: s["pair"] == "true" and s["playing"] == "true" and s.number("frame") > 2, 30)
    before, began = s.number("redraws"), time.monotonic()
    time.sleep(3)
    rate = (s.number("redraws") - before) / (time.monotonic() - began)
    with capsys.disabled():
        print(f"\n[stage: {rate:.0f} redraws a second with two films of 300 points, {s['cost']} ms each]")
    assert rate >= 5
