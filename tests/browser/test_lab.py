"""The whole product in a real browser: page, server, engine and workers, on data made to look at and on a KEEL set."""

from __future__ import annotations

import re
import threading
import time
from urllib.parse import urlparse

import psutil
import pytest

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

    ready = ".st-key-run button"
    viewport = (1280, 900)

    def run(self):
        self.press("run")

    def text(self, key):
        return self.page.locator(f".st-key-{key}").inner_text()

    def player(self, name):
        return self.page.locator(".lab-player").first.get_attribute(f"data-{name}", timeout=20_000)


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
    name = {"Two moons": "moons"}.get(dataset, dataset)
    until(lambda: lab.words.get("dataset") == name, 10, "the dataset in the address")
    lab.choose("method", "Explicit gradient")
    lab.page.locator(".st-key-cut").get_by_text("Make it skewed").click()
    slider = lab.page.locator(".st-key-ratio input[type=range]")
    slider.wait_for(state="attached")
    until(lambda: lab.words.get("profile") == "ratio", 10, "the imbalance in the address")

    def push():
        slider.press("ArrowRight")
        lab.page.wait_for_timeout(1000)
        return float(lab.words.get("ratio", 1)) >= at_least

    until(push, 60, "the ratio in the address")
    ratio = f"{float(lab.words['ratio']):g}"
    lab.run()
    until(lambda: "run" in lab.words, 20, "the run in the address")
    until(lambda: lab.there("run-state-running") or lab.there("run-state-done"), 30, "the run to begin")
    until(lambda: lab.player("status") != "waiting" and int(lab.player("frames") or 0) > 3, 60, "pictures")
    run = lab.words["run"]
    until(lambda: lab.there("run-state-done"), LONG, "the run to end")
    until(lambda: "precision" in lab.text("findings"), 20, "the sentence")
    return run, ratio


CURVES = ("Explicit gradient", "frozen", "CE, equal steps", "Plain training", "All rows")


def names(lab):
    """What the precision-recall curves are called, without their numbers."""
    return {text.split(" · AP ")[0] for text in lab.page.locator(".st-key-chart-pr .legendtext").all_text_contents()}


def test_points_move_and_the_curve_stands_beside_the_baseline_and_the_ceiling(chromium, product, until, capsys):
    url, store = product
    watch = Watch(urlparse(url).port)
    watch.start()
    began = time.monotonic()
    first = Lab(chromium, url)
    until(lambda: int(first.player("frame") or -1) >= 0, 30, "the first picture")
    picture = time.monotonic() - began
    assert "A recorded example" in first.text("run-top")
    first.leave()
    lab = Lab(chromium, url, "?dataset=wine&method=ce&profile=ratio&ratio=2")  # nothing of what is asked for below
    run, ratio = see_it_through(lab, until, dataset="Two moons", at_least=50)
    until(lambda: lab.player("status") == "finished", 20)
    lab.page.locator(".lab-player .stage").first.focus()
    lab.page.keyboard.press("End")
    until(lambda: float(lab.player("drawn") or 0) >= 20, 20, "a median drawn move of 20 pixels")
    until(lambda: set(CURVES) <= names(lab), LONG, "five curves")
    assert f"At {ratio}:1, average precision: Explicit gradient" in lab.text("findings")
    until(lambda: "positive" in lab.text("findings"), 20, "the share of positive rows")
    assert lab.page.locator(".js-plotly-plot").count() >= 4
    assert store.job(run).state == "done"
    lab.page.reload()  # the address is the view
    until(lambda: lab.there("run-state-done"), 30)
    until(lambda: f"{ratio}:1" in lab.text("ratio"), 20, "the form as the run was")
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
    see_it_through(lab, until, dataset="glass2", at_least=15)
    until(lambda: set(CURVES) <= names(lab), LONG, "five curves")
    assert "slice" in lab.page.locator(".lab-player").first.inner_text()
    lab.leave()


def test_a_run_can_be_cancelled_and_started_again(chromium, product, until):
    url, store = product
    lab = Lab(chromium, url, "?dataset=moons&method=ce&ratio=20&folds=4&seeds=5&p.epochs=2000&seed=11")
    lab.run()
    until(lambda: lab.there("run-state-running"), 30, "the run to begin")
    began = time.monotonic()
    lab.press("cancel")
    until(lambda: lab.there("run-state-cancelled"), 10, "the run to be cancelled")
    assert time.monotonic() - began < 5
    lab.press("again")
    until(lambda: lab.there("run-state-running"), 30, "the run to begin again")
    lab.press("cancel")
    until(lambda: lab.there("run-state-cancelled"), 10)
    lab.leave()


def test_a_reload_in_the_middle_of_a_run_comes_back_to_it(chromium, product, until):
    url, store = product
    lab = Lab(chromium, url, "?dataset=moons&method=ce&ratio=20&folds=4&seeds=5&p.epochs=2000&seed=12")
    lab.run()
    until(lambda: lab.there("run-state-running"), 30, "the run to begin")
    until(lambda: lab.player("status") == "training" and int(lab.player("frames") or 0) > 2, 60, "pictures")
    run = lab.words["run"]
    lab.page.reload()
    until(lambda: lab.there("run-state-running") and int(lab.player("frames") or 0) > 2, 30, "the run to be back")
    assert lab.words["run"] == run and lab.words["p.epochs"] == "2000"
    lab.press("cancel")
    until(lambda: lab.there("run-state-cancelled"), 10)
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
    }
    url = serve(LAB, {"LAB_STORE": f"sqlite:///{place / 'shelf.db'}", "LAB_ENGINE": "off"})
    yield url, ids
    store.close()


def test_every_state_is_drawn_without_an_exception_or_a_sideways_scroll(chromium, shelf, until):
    """Each in light and wide, then in dark and narrow."""
    url, ids = shelf
    for state, run in (*ids.items(), ("unknown", "0123456789abcdef"), ("done", None)):  # the last: the bundled example
        lab = Lab(chromium, url, f"?run={run}" if run else "", color_scheme="light")
        expected = {"odd": "done"}.get(state, state)
        for scheme, width in (("light", 1600), ("dark", 390)):
            lab.turn(scheme, width)
            until(lambda lab=lab, expected=expected: lab.there(f"run-state-{expected}"), 20, state)
            if expected == "done":
                lab.page.locator(".st-key-chart-norms .main-svg").first.wait_for(timeout=20_000)
            until(lambda lab=lab: lab.over() <= 1, 10, f"{state} at {width}px without a sideways scroll")
        lab.leave()


def test_hostile_names_do_nothing(chromium, shelf, until):
    url, ids = shelf
    lab = Lab(chromium, url, f"?run={ids['odd']}")
    lab.page.locator(".st-key-chart-norms .main-svg").first.wait_for(timeout=20_000)
    assert lab.page.locator("img[src='x'], a[href*='evil']").count() == 0
    assert "<img src=x" in lab.page.locator(".st-key-chart-norms").inner_text()
    lab.leave()


def test_plain_streamlit_run_shows_the_page_too(chromium, serve, place, shelf, until):
    url = serve("app/main.py", {"LAB_STORE": f"sqlite:///{place / 'shelf.db'}"})
    lab = Lab(chromium, url, f"?run={shelf[1]['done']}")
    until(lambda: lab.there("run-state-done"), 20)
    until(lambda: int(lab.player("frames") or 0) == 100, 20, "the film")
    lab.leave()
