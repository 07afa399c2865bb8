"""The whole product in a real browser: page, server, engine and workers, on data made to look at and on a KEEL set."""

from __future__ import annotations

import contextlib
import json
import re
import threading
import time
from pathlib import Path
from random import Random
from urllib.parse import urlparse

import psutil
import pytest
from playwright.sync_api import Error as PlaywrightError

from engine.spec.run import find_entry
from engine.store import Store
from tests.app import fabricate
from tests.browser.visitor import Visitor

pytestmark = pytest.mark.browser

LAB = "app/server.py"
LONG = 240
"""Seconds a run and its companions may take on a busy machine."""


class Lab(Visitor):
    """A visitor of the Lab."""

    ready = ".st-key-run-bar button"
    viewport = (1440, 900)

    def run(self):
        self.press("run")

    @property
    def verdict(self):
        return self.page.locator("h1").inner_text()

    @property
    def stage(self):
        return self.page.locator(".lab-stage").first

    def film(self, name):
        return self.stage.get_attribute(f"data-{name}", timeout=20_000)

    def open_tab(self, title):
        self.page.get_by_role("tab", name=title, exact=True).click()
        self.settle()

    def view(self, name):
        self.stage.locator(f".views button[data-view={name}]").click()

    @property
    def curves(self):
        return set((self.stage.locator(".pr").get_attribute("data-lines") or "").split(" "))


class Watch(threading.Thread):
    """Looks at the connections of the page's process while a test runs."""

    def __init__(self, port):
        super().__init__(daemon=True)
        listening = [c.pid for c in psutil.net_connections("tcp") if c.status == "LISTEN" and c.laddr.port == port and c.pid]
        self.process = psutil.Process(listening[0])
        self.strangers, self.looks, self.over = set(), 0, threading.Event()

    def run(self):
        while not self.over.wait(0.1):
            self.looks += 1
            try:
                for process in (self.process, *self.process.children(recursive=True)):
                    found = process.net_connections("inet")
                    self.strangers |= {c.raddr.ip for c in found if c.raddr and c.raddr.ip not in ("127.0.0.1", "::1")}
            except psutil.NoSuchProcess:
                continue  # a worker that ended between two questions


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="module")
def product(serve, place, until):
    """The address of the whole product, its engine up, and its store."""
    url = serve(LAB, {"LAB_STORE": f"sqlite:///{place / 'lab.db'}"})
    store = Store(f"sqlite:///{place / 'lab.db'}")
    until(lambda: any(e.ready for e in store.engines()), 90, "an engine that is ready")
    yield url, store
    store.close()


def see_it_through(lab, until, *, dataset, at_least):
    """What the first paragraph promises, from the form to the curves; returns the run's id."""
    lab.choose("dataset", dataset)
    name = {"Two moons": "moons"}.get(dataset, "glass2")
    until(lambda: lab.words.get("dataset") == name, 10, "the dataset in the address")
    lab.choose("method", "Explicit gradient")
    lab.page.locator(".st-key-cut").get_by_text("Set a ratio").click()
    slider = lab.page.locator(".st-key-ratio input[type=range]")
    slider.wait_for(state="attached")
    until(lambda: lab.words.get("profile") == "ratio", 10, "the imbalance in the address")

    def push():
        slider.press("ArrowRight")
        lab.page.wait_for_timeout(1000)
        return float(lab.words.get("ratio", 1)) >= at_least

    until(push, 60, "the ratio in the address")
    lab.page.locator(".st-key-protocol").get_by_text("Quick").click()
    until(lambda: lab.words["seeds"] == "1", 10, "one split in the address")
    ratio = f"{float(lab.words['ratio']):g}"
    lab.run()
    until(lambda: "run" in lab.words, 20, "the run in the address")
    until(lambda: lab.verdict.startswith(("Running ", "Waiting: ")) or lab.there("run-state-done"), 30, "the run to begin")
    until(lambda: lab.film("run") == lab.words["run"] and int(lab.film("frames") or 0) > 3, 60, "pictures")
    until(lambda: lab.there("run-state-done"), LONG, "the run to end")
    return lab.words["run"], ratio


CURVES = {"explicit-gradient", "frozen", "CE,", "equal", "steps", "ce", "potential"}
"""What the precision-recall curves are called, in words."""


def test_points_move_and_the_curve_stands_beside_the_baseline_and_the_ceiling(chromium, product, until, capsys):
    url, store = product
    watch = Watch(urlparse(url).port)
    watch.start()
    began = time.monotonic()
    first = Lab(chromium, url)
    until(lambda: int(first.film("frames") or 0) > 3, 30, "the first picture")
    picture = time.monotonic() - began
    assert "recorded example" in first.page.locator(".st-key-context").inner_text() and first.words == {}
    first.leave()
    lab = Lab(chromium, url, "?dataset=wine&method=ce&profile=ratio&ratio=2")  # nothing of what is asked for below
    run, ratio = see_it_through(lab, until, dataset="Two moons", at_least=50)
    until(lambda: lab.film("status") == "finished", 20)
    until(lambda: lab.curves >= CURVES, LONG, "five curves")
    assert "cannot tell" in lab.verdict or lab.verdict.startswith("One split: ")
    until(lambda: lab.page.locator(".st-key-lab-said").get_by_text("Points moved").count(), 20, "how far points moved")
    assert store.job(run).state == "done"
    lab.page.reload()  # the address is the view
    until(lambda: lab.there("run-state-done"), 30)
    until(lambda: f"{ratio}:1" in lab.page.locator(".st-key-ratio").inner_text(), 20, "the form as the run was")
    assert lab.words["run"] == run
    lab.leave()
    watch.over.set()
    watch.join()
    assert watch.looks > 20 and watch.strangers == set()
    maps = " ".join(m.path for m in watch.process.memory_maps())
    assert "streamlit" in " ".join(watch.process.cmdline()) and not re.search("libtorch|sklearn|umap|numba|ray/_raylet", maps)
    with capsys.disabled():
        print(f"\n  the first picture moved {picture:.2f} s after the address was opened")


def test_a_keel_set(chromium, product, until):
    url, store = product
    if not find_entry(store.catalog(), "datasets", "glass2")["available"]:
        pytest.skip("the KEEL data are not on this machine (python -m engine fetch keel)")
    lab = Lab(chromium, url, "?dataset=wine&method=ce&profile=ratio&ratio=2")
    see_it_through(lab, until, dataset="glass2 (KEEL)", at_least=15)
    until(lambda: lab.curves >= CURVES, LONG, "five curves")
    assert lab.stage.locator(".rail").first.get_attribute("data-state") != "whatif", "sliders are of points sets"
    lab.leave()


TRAINING = "?dataset=moons&method=ce&ratio=20&folds=4&seeds=5&p.epochs=2000"


def test_a_run_can_be_cancelled_and_started_again(chromium, product, until):
    url, store = product
    lab = Lab(chromium, url, f"{TRAINING}&seed=11")
    old = lab.verdict, lab.film("run")
    began = time.monotonic()
    lab.run()
    until(lambda: lab.verdict != old[0] and lab.film("run") != old[1], 10, "old verdict and film to be gone")
    assert time.monotonic() - began < 5, "the aim is 500 ms on a quiet machine"
    until(lambda: lab.there("run-state-running"), 30, "the run to begin")
    began = time.monotonic()
    lab.press("cancel")
    until(lambda: lab.there("run-state-cancelled"), 10, "the run to be cancelled")
    assert time.monotonic() - began < 5
    assert lab.verdict == "This run is stopped."
    lab.press("again")
    until(lambda: lab.there("run-state-running"), 30, "the run to begin again")
    lab.press("cancel")
    until(lambda: lab.there("run-state-cancelled"), 10)
    lab.leave()


def test_a_reload_in_the_middle_of_a_run_comes_back_to_it(chromium, product, until):
    url, store = product
    lab = Lab(chromium, url, f"{TRAINING}&seed=12")
    lab.run()
    until(lambda: lab.there("run-state-running"), 30, "the run to begin")
    until(lambda: lab.film("status") == "training" and int(lab.film("frames") or 0) > 2, 60, "pictures")
    run = lab.words["run"]
    lab.page.reload()
    until(lambda: lab.there("run-state-running") and int(lab.film("frames") or 0) > 2, 30, "the run to be back")
    assert lab.words["run"] == run and lab.words["p.epochs"] == "2000"
    lab.press("cancel")
    until(lambda: lab.there("run-state-cancelled"), 10)
    lab.leave()


SHIFTS = """() => { window.shifts = []; new PerformanceObserver((list) => { for (const e of list.getEntries())
  window.shifts.push([e.value, e.hadRecentInput]); }).observe({ type: "layout-shift", buffered: false }); }"""


def test_nothing_jumps_from_the_press_to_the_result(chromium, product, until):
    url, store = product
    lab = Lab(chromium, url, "?dataset=moons&method=smote&ratio=20&seed=21&p.epochs=50")
    until(lambda: int(lab.film("frames") or 0) > 3, 30, "the example")
    lab.page.evaluate(SHIFTS)
    box = lab.stage.bounding_box()
    lab.run()
    until(lambda: lab.there("run-state-done"), LONG, "the run to end")
    until(lambda: not any(job.active for job in store.jobs()), LONG, "the runs beside it")
    lab.settle()
    assert lab.stage.bounding_box() == box
    assert sum(value for value, _ in lab.page.evaluate("() => window.shifts")) < 0.02
    lab.leave()


def test_points_that_are_added_are_in_the_address_and_come_back(chromium, product, until):
    url, _ = product
    lab = Lab(chromium, url)
    until(lambda: int(lab.film("frames") or 0) > 3, 30, "the example")
    lab.stage.locator(".tool.edit").click()
    until(lambda: lab.film("editing") == "true", 10, "editing")
    canvas = lab.stage.locator(".stage canvas").first
    before, box = canvas.evaluate("e => e.toDataURL()"), canvas.bounding_box()
    lab.page.mouse.click(box["x"] + 500, box["y"] + 60)
    until(lambda: lab.film("added") == "1", 10, "a point")
    until(lambda: "pts" in lab.words, 20, "the point in the address")
    until(lambda: lab.film("preview") == "true", 60, "a preview")
    until(lambda: canvas.evaluate("e => e.toDataURL()") != before, 10, "another surface")
    assert "The form says 1 point added." in lab.page.locator(".st-key-stale").inner_text()
    kept = lab.words["pts"]
    lab.page.reload()
    until(lambda: lab.words.get("pts") == kept and lab.there("stale"), 30, "the address")
    lab.stage.locator(".tool.edit").click()
    until(lambda: lab.film("added") == "1", 20, "the point")
    lab.page.go_back()
    until(lambda: "pts" not in lab.words and not lab.there("stale"), 20, "one Back to the run without it")
    lab.leave()


LISTEN = """() => {
  const ask = window.fetch;
  window.fetch = async (...given) => {
    const answer = await ask(...given);
    if (String(given[0]).includes('/api/preview')) answer.clone().arrayBuffer().then((bytes) => {
      const found = [...new TextDecoder('latin1').decode(bytes).matchAll(/"ap":([0-9.]+)/g)];
      if (found.length) window.precisions.push([JSON.parse(given[1].body).spec.data.hidden, Number(found.at(-1)[1])]);
    }, () => {});
    return answer;
  };
}"""
"""Keeps what the last part of each preview says: hidden rows that were asked for, and average precision."""


def test_more_hidden_rows_lift_plain_training_in_the_preview(chromium, product, until):
    url, store = product
    Lab(chromium, url).leave()  # takes the example in
    there = store.jobs(dataset="hidden-cluster", limit=50)
    plain = next(job for job in there if job.spec["method"] == "ce" and not job.spec["data"]["given"])
    lab = Lab(chromium, url, f"?run={plain.id}")
    until(lambda: lab.there("run-state-done"), 30)
    slider = lab.stage.locator("[data-control=hidden] input")
    slider.wait_for(timeout=60_000)

    lab.page.evaluate(LISTEN)

    def preview(hidden):
        """Average precision on validation rows of the preview that the slider asks for."""
        lab.page.evaluate("() => { window.precisions = []; }")
        slider.evaluate("(e, v) => { e.value = v; e.dispatchEvent(new Event('input', { bubbles: true })); }", hidden)
        found = until(lambda: lab.page.evaluate("() => window.precisions"), 30, "the end of a preview")
        assert found[-1][0] == hidden
        return found[-1][1]

    # a preview ends after 1.5 s: on a busy machine one of few epochs tells nothing, and the next may
    until(lambda: preview(15) > preview(1) + 0.03, 120, "a lift")
    lab.leave()


# ---- the first screen

COUNT = """() => {
  const main = document.querySelector('[data-testid=stMain]'), words = [];
  const text = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (text.nextNode()) {
    const e = text.currentNode.parentElement;
    if (!e || e.closest('.js-plotly-plot, svg, canvas, [data-testid=stSidebar]')) continue;
    if (['STYLE', 'SCRIPT', 'NOSCRIPT'].includes(e.tagName)) continue;
    const b = e.getBoundingClientRect(), c = getComputedStyle(e);
    if (!b.width || b.top >= innerHeight || b.bottom <= 0 || c.visibility === 'hidden' || c.opacity === '0') continue;
    words.push(text.currentNode.textContent);
  }
  return { height: main.scrollHeight, text: words.join(' ') };
}"""


def test_the_first_screen_is_looked_at_not_read(chromium, product, until):
    url, _ = product
    lab = Lab(chromium, url)
    until(lambda: int(lab.film("frames") or 0) > 3, 30, "the example")
    found = lab.page.evaluate(COUNT)
    assert len(re.findall(r"[A-Za-z]{2,}", found["text"])) <= 140
    assert len(re.findall(r"(?<![\w.])[+−-]?\d[\d.,:]*", found["text"])) <= 25
    assert not re.findall(r"\[[+−-]?[0-9.]", found["text"])
    assert found["height"] <= 1600
    film = lab.stage.locator("canvas").first.bounding_box()
    assert film["y"] <= 210 and film["y"] + film["height"] <= 700 and (film["width"], film["height"]) == (728, 490)
    lab.page.set_viewport_size({"width": 1280, "height": 720})
    until(lambda: lab.stage.locator("canvas").first.bounding_box()["height"] == 480, 10, "the film of a low window")
    box = lab.stage.locator("canvas").first.bounding_box()
    assert box["width"] == 620 and box["y"] + box["height"] <= 720
    lab.page.set_viewport_size({"width": 390, "height": 844})
    until(lambda: lab.stage.locator("canvas").first.bounding_box()["width"] == 390, 10, "the film of a phone")
    box = lab.stage.locator("canvas").first.bounding_box()
    assert box["y"] <= 216 and 380 <= box["height"] <= 844 - box["y"]
    lab.leave()


def test_one_back_returns_from_tab_view_replicate_run_and_page(chromium, product, until):
    url, _ = product
    lab = Lab(chromium, url)
    until(lambda: int(lab.film("frames") or 0) > 3, 30, "the example")
    first = lab.film("run")

    def goes_back(act, changed):
        before, verdict = lab.words, lab.verdict
        act()
        until(lambda: changed() and lab.words != before, 20, "the change in the address")
        lab.settle()
        lab.page.go_back()
        until(lambda: lab.words == before and not changed(), 20, "one Back")
        until(lambda: lab.verdict == verdict and lab.film("run") == first, 20, "the picture")

    goes_back(lambda: lab.open_tab("Numbers"), lambda: lab.there("lab-numbers"))
    goes_back(lambda: lab.view("both"), lambda: lab.film("view") == "both")
    lab.open_tab("Points")
    until(lambda: lab.there("replicate"), 20)
    goes_back(lambda: lab.choose("replicate", "replicate 3 of 20"), lambda: lab.words.get("replicate") == "2")
    lab.page.go_back()
    until(lambda: lab.words == {}, 20)
    lab.choose("method", "SMOTE")
    until(lambda: lab.there("stale"), 20)
    goes_back(lambda: lab.press("run-stale"), lambda: "run" in lab.words)
    lab.page.get_by_role("link", name="Gallery").first.click()
    path = lambda: lab.page.evaluate("location.pathname")  # noqa: E731
    until(lambda: path() == "/gallery", 20)
    lab.page.go_back()
    until(lambda: path() == "/" and lab.there("stale") and lab.film("run") == first, 20, "the Lab as it was")
    lab.leave()


# ---- looks that need no engine


@pytest.fixture(scope="module")
def shelf(serve, place):
    """A server without an engine over a store filled by hand, and the ids in it."""
    store = Store(f"sqlite:///{place / 'shelf.db'}")
    store.publish_catalog(fabricate.catalog())
    ids = {
        "done": fabricate.family_done(store, fabricate.spec(folds=4, seeds=5)).id,
        "odd": fabricate.family_done(store, fabricate.spec("odd", ratio=10.0)).id,
        "failed": fabricate.ended(store, fabricate.spec(seed=3), "failed", "It was <b>too large</b>.").id,
        "queued": fabricate.queued(store, fabricate.spec(seed=7)).id,
        "smote": fabricate.family_done(store, fabricate.spec(method="smote", folds=4, seeds=5), baseline=0.45).id,
    }
    url = serve(LAB, {"LAB_STORE": f"sqlite:///{place / 'shelf.db'}", "LAB_ENGINE": "off"})
    yield url, ids
    store.close()


def test_every_state_is_drawn_without_an_exception_or_a_sideways_scroll(chromium, shelf, until):
    """Each in light and wide, then in dark and narrow."""
    url, ids = shelf
    for state, run in (*ids.items(), ("unknown", "0123456789abcdef"), ("done", None)):  # the last: the bundled example
        lab = Lab(chromium, url, f"?run={run}" if run else "", color_scheme="light")
        expected = {"odd": "done", "smote": "done"}.get(state, state)
        for scheme, width in (("light", 1600), ("dark", 390)):
            lab.turn(scheme, width)
            until(lambda lab=lab, expected=expected: lab.there(f"run-state-{expected}"), 20, state)
            if expected == "done":
                until(lambda lab=lab: int(lab.film("frames") or 0) > 3, 20, f"{state}: the film")
            assert lab.page.locator("h1").count() == 1
            until(lambda lab=lab: lab.over() <= 1, 10, f"{state} at {width}px without a sideways scroll")
        lab.leave()


def test_hostile_names_do_nothing(chromium, shelf, until):
    url, ids = shelf
    lab = Lab(chromium, url, f"?run={ids['odd']}&tab=classes")
    lab.page.locator(".st-key-chart-norms .main-svg").first.wait_for(timeout=20_000)
    assert lab.page.locator("img[src='x'], a[href*='evil']").count() == 0
    assert "<img src=x" in lab.page.locator(".st-key-chart-norms").inner_text()
    lab.leave()


def test_plain_streamlit_run_shows_the_page_too(chromium, serve, place, shelf, until):
    url = serve("app/main.py", {"LAB_STORE": f"sqlite:///{place / 'shelf.db'}"})
    lab = Lab(chromium, url, f"?run={shelf[1]['done']}")
    until(lambda: lab.there("run-state-done"), 20)
    until(lambda: int(lab.film("frames") or 0) == 100, 20, "the film")
    lab.leave()


def test_the_longest_titles_fit_into_the_heading(chromium, serve, place, until):
    shipped = json.loads((Path(__file__).resolve().parents[2] / "engine" / "catalog.json").read_text())["methods"]
    longest, second, *_ = sorted((m["title"] for m in shipped), key=len, reverse=True)
    catalog = fabricate.catalog()
    for method in catalog["methods"]:
        method["title"] = {"smote": longest, "ce": second}.get(method["name"], method["title"])
    store = Store(f"sqlite:///{place / 'long.db'}")
    store.publish_catalog(catalog)
    run = fabricate.family_done(store, fabricate.spec(method="smote", folds=4, seeds=5), baseline=0.45, method=0.4502).id
    store.close()
    url = serve(LAB, {"LAB_STORE": f"sqlite:///{place / 'long.db'}", "LAB_ENGINE": "off"})
    lab = Lab(chromium, url, f"?run={run}")
    assert lab.verdict.startswith("No difference found between ") and len(lab.verdict.split()) <= 20
    lines = """e => [Math.round(e.getBoundingClientRect().height / parseFloat(getComputedStyle(e).lineHeight)),
      e.scrollHeight - e.clientHeight]"""
    for width, most in ((1440, 1), (1280, 2)):
        lab.page.set_viewport_size({"width": width, "height": 900})
        until(
            lambda most=most: (f := lab.page.locator("h1").evaluate(lines))[0] <= most and f[1] <= 1,
            10,
            f"{most} lines at {width}",
        )
    lab.leave()


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_verdict_and_film_are_of_one_run_wherever_one_goes(chromium, shelf, until):
    """200 presses, links and Backs at random."""
    url, ids = shelf
    lab, random = Lab(chromium, url, f"?run={ids['done']}"), Random(5)
    main = lab.page.locator("[data-testid=stMain]")
    lab.page.set_default_timeout(2_000)  # what cannot be pressed is passed over

    def open_form():
        if lab.page.locator("[data-testid=stExpandSidebarButton]:visible").count():  # two films have taken its place
            lab.page.locator("[data-testid=stExpandSidebarButton]").click()
            lab.page.wait_for_timeout(500)

    def press_in_form(part, *names):
        open_form()
        lab.page.locator(part).get_by_text(random.choice(names)).first.click()

    def press_key(*keys):
        open_form()
        there = [key for key in keys if lab.page.locator(f".st-key-{key} button:visible").count()]
        if there:
            lab.press(random.choice(there))

    steps = [
        lambda: press_in_form(".st-key-protocol", "Quick", "Careful"),
        lambda: press_in_form(".st-key-cut", "Natural", "Set a ratio"),
        lambda: press_key("run", "run-stale", "again", "cancel", "start"),
        lambda: lab.open_tab(random.choice(["Differences", "Learning", "Classes", "Numbers", "Settings"])),
        lambda: lab.page.goto(f"{url}/?run={random.choice([*ids.values()])}", timeout=30_000),
        lambda: lab.page.go_back(timeout=30_000),
        lambda: lab.view(random.choice(["moving", "both"])) if lab.stage.locator(".views button").count() > 2 else None,
    ]
    for number in range(200):
        with contextlib.suppress(PlaywrightError):  # what it would press has just gone
            random.choice(steps)()
        lab.page.wait_for_timeout(150)
        if not lab.page.url.startswith(url):  # back to before the first page
            lab.page.goto(f"{url}/?run={ids['done']}")
        lab.page.locator(Lab.ready).first.wait_for(state="attached", timeout=30_000)
        lab.settle()

        def agrees():
            named = main.locator("[class*='st-key-verdict-of-']")
            if not named.count():
                return lab.film("run") == ""
            run = re.search(r"st-key-verdict-of-(\w+)", named.first.get_attribute("class")).group(1)
            shown = lab.words.get("run", run)
            return run == lab.film("run") == shown

        until(agrees, 20, f"one run after {number + 1} steps at {lab.page.url}")
    lab.leave()
