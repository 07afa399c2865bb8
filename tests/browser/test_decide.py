"""From a finished comparison to next month's file in a real browser: the cut, its six pictures, and what is made of it."""

from __future__ import annotations

import base64
import csv
import itertools
import json
import re
from collections import Counter
from dataclasses import asdict, replace
from datetime import date

import numpy as np
import pytest

from app.decide import choose_first, encode_decide
from engine.stats.decide import read_about, read_decide
from engine.store import Store
from tests.app import decided, tables
from tests.browser.visitor import Visitor

pytestmark = pytest.mark.browser

PICTURES = ("pr", "gains", "benefit", "cost", "reliability", "shares")
LONG = 120
"""Seconds a comparison of 15 s may take on a busy machine, with its wait for a worker."""


class Data(Visitor):
    """A visitor of the page of a person's own table."""

    path = "data"
    viewport = (1440, 900)

    def title(self):
        return self.page.locator("h1").first.inner_text()

    def text(self):
        return self.page.locator("[data-testid=stMain]").inner_text()

    def owner(self):
        return next(c["value"] for c in self.context.cookies() if c["name"] == "lab_owner")

    def picture(self, name):
        return self.page.locator(f".decide .picture[data-picture={name}] svg")

    def values(self):
        """What each picture says of its cut."""
        return [self.picture(name).get_attribute("aria-valuetext") for name in PICTURES]

    def step(self, title):
        self.page.locator(".st-key-data-step button", has_text=title).click()


@pytest.fixture(scope="module")
def shelf(serve, tmp_path_factory):
    """A server without an engine over a store filled by hand, and the queries of what is in it."""
    place = f"sqlite:///{tmp_path_factory.mktemp('decide') / 'shelf.db'}"
    store = Store(place)
    table = tables.upload(store)
    tables.profiled(store, table, target="left", positive="yes")
    done = decided.compared(store, table, replicates=4, rows=900, share=0.05, result=decided.why())
    decided.scored(store, done.id)
    other = tables.upload(store, name="old.csv")
    tables.profiled(store, other, target="left", positive="yes")
    old = tables.compared(store, other)
    one = tables.upload(store, name="time.csv")
    tables.profiled(store, one, target="left", positive="yes")
    single = decided.compared(store, one, replicates=1, rows=900, share=0.05, days=30, costs=True, names=("trees",))
    found = {"decide": f"?compare={done.id}&step=decide", "use": f"?compare={done.id}&step=use"}
    found |= {"old": f"?compare={old.id}&step=decide", "one": f"?compare={single.id}&step=decide"}
    yield serve("app/server.py", {"LAB_STORE": place, "LAB_ENGINE": "off"}), found
    store.close()


def mine():
    return {"cookies": [{"name": "lab_owner", "value": tables.OWNER, "domain": "127.0.0.1", "path": "/"}], "origins": []}


@pytest.fixture
def me(chromium, shelf, until):
    """The choice of a cut, drawn."""
    url, found = shelf
    visitor = Data(chromium, url, found["decide"], storage_state=mine(), color_scheme="light")
    until(lambda: visitor.picture("shares").count() and visitor.values()[0], 20, "the pictures")
    yield visitor
    visitor.leave()


def test_a_key_moves_the_cut_in_all_six_pictures_and_the_verdict_follows(me, until):
    before, said = me.values(), me.title()
    assert len(set(before)) == 1 and re.match(r"Cut \.\d+: [\d.,]+ alerts, precision [.\d]+, recall [.\d]+\.", before[0])
    seen = set()
    for name in PICTURES:
        me.picture(name).focus()
        me.page.keyboard.press("PageUp")
        now = me.values()
        assert len(set(now)) == 1, "one cut"
        seen.add(now[0])
    assert len(seen) > 2
    me.picture("gains").focus()
    me.page.keyboard.press("End")
    assert "recall 1" in me.values()[0]
    until(lambda: me.title() != said and "100 of 100" in me.title(), 15, "the verdict")
    assert me.page.locator(".decide select").input_value() == "hand"
    numbers = [float(t.replace(",", "")) for t in me.page.locator(".decide .counts td").all_inner_texts() if t]
    assert numbers[1] == numbers[3] == 0 and sum(numbers) == pytest.approx(1000, abs=0.2)


def test_the_cut_is_dragged_without_a_rerun_for_each_pixel(me, until):
    box = me.picture("benefit").bounding_box()
    said = me.title()
    me.page.mouse.move(box["x"] + 60, box["y"] + 90)
    me.page.mouse.down()
    seen = set()
    for k in range(8):
        me.page.mouse.move(box["x"] + 60 + 15 * k, box["y"] + 90)
        seen.add(me.values()[0])
    assert len(seen) >= 4 and me.title() == said, "the page is told on release"
    me.page.mouse.up()
    until(lambda: me.title() != said, 15, "the verdict")


def test_budget_and_share_move_the_counts_as_the_verdict_says(me, until):
    page = me.page
    budget = page.locator(".decide .field:visible input[type=number]").first
    budget.fill("20")
    budget.press("Enter")
    until(lambda: re.match(r"At (1[5-9]|2\d)[.\d]* alerts", me.title()), 15, "the verdict at 20 alerts")
    share = page.locator(".decide .form > input[type=range]")
    share.focus()
    for _ in range(37):
        page.keyboard.press("ArrowLeft")
    chip = page.locator(".decide .ends .chip")
    until(lambda: chip.is_visible() and chip.inner_text().startswith("computed for 0."), 5, "the chip")
    assert page.locator(".decide.other").count() == 1  # lines are dashed
    dashes = page.locator(".decide .line.main").first.evaluate("(e) => getComputedStyle(e).strokeDasharray")
    assert dashes not in ("none", "")

    def agrees():
        """The numbers that the browser computed are those of the engine in the heading."""
        said = re.match(r"At ([.\d,]+) alerts per 1,000, (\d+) of 100 alerts are right and (\d+) of 100", me.title())
        told = re.search(r": ([.\d,]+) alerts, precision ([.\d]+), recall ([.\d]+)\.", me.values()[0])
        if not said or not told:
            return False
        alerts, right, found = (float(v.replace(",", "")) for v in said.groups())
        mine = [float(v.replace(",", "")) for v in told.groups()]
        near = abs(alerts - mine[0]) <= 0.051 * max(1, alerts / 10)
        return near and abs(right / 100 - mine[1]) < 0.0051 and abs(found / 100 - mine[2]) < 0.0051

    until(agrees, 15, "the same numbers in both")
    page.locator(".decide select").select_option("precision")
    number = page.locator(".decide .field:visible input[type=number]").first
    number.fill("1")
    number.press("Enter")
    until(lambda: me.title().startswith(("No cut reaches precision 1.", "At ")), 15, "a verdict")
    if me.title().startswith("No cut"):
        assert page.locator(".decide .counts td").count() == 0 and page.locator(".decide .use").is_disabled()


READ = """async ([url, payload, choices]) => {
  const { readMessage, Table } = await import(url);
  const { head, arrays } = await readMessage(Uint8Array.from(atob(payload), (c) => c.charCodeAt(0)), '');
  const table = new Table(head, arrays);
  return choices.map((choice) => {
    const now = table.read(choice, false), scale = now.isDay ? 1000 / now.unit : 1;
    const ends = ({mean, low, high}, by = 1) => [mean, low, high].map((v) => Number.isFinite(v) ? v * by : null);
    return now.at && [ends(now.at.alerts, scale), ...['precision', 'recall', 'alarms', 'benefit', 'cost'].map((k) => ends(now.at[k]))];
  });
}"""
RULES = (
    {"rule": "alerts", "alerts": 37.0}, {"rule": "alerts", "alerts": 3.0, "per": "day"}, {"rule": "recall", "recall": 0.7},
    {"rule": "precision", "precision": 0.99}, {"rule": "cost", "miss": 20.0}, {"rule": "cost", "column": True, "alarm": 2.0},
    {"rule": "f-beta", "beta": 2.0}, {"rule": "hand", "cut": 0.123},
)  # fmt: skip
NAMES = ("alerts", "precision", "recall", "false_alarms", "net_benefit", "cost")


@pytest.mark.parametrize("replicates", [1, 3])
def test_the_browser_computes_what_the_engine_does(me, replicates):
    arrays = decided.cuts(replicates=replicates, rows=500, share=0.06, days=20, costs=True)
    about = read_about(arrays)
    first = choose_first(about)
    choices, wanted = [], []
    for kind, share, change in itertools.product(about["calibrations"], (None, 0.02, 1e-4), RULES):
        choice = replace(first, kind=kind, share=share or first.share, **change)
        read = read_decide(arrays, rule=choice.make_rule(), share=share, calibration=kind)["readings"]
        choices.append(asdict(choice))
        wanted.append(None if read is None else [[read[name][end] for end in ("mean", "low", "high")] for name in NAMES])
    url = next(address for address in me.requests if address.endswith("/readings.js"))
    payload = base64.b64encode(encode_decide(arrays, first, title="t", positive="yes", others="no")).decode()
    found = me.page.evaluate(READ, [url, payload, choices])
    assert [one is None for one in found] == [one is None for one in wanted]
    numbers = [np.array([one for one in both if one is not None], float) for both in (found, wanted)]
    assert numbers[0].size > 1000
    np.testing.assert_allclose(*numbers, rtol=1e-6, atol=1e-9)


def test_it_fits_a_phone_and_a_dark_room(me, until):
    me.turn("dark", 390)
    until(lambda: me.over() <= 1, 5, "to fit")
    shown = [name for name in PICTURES if me.picture(name).is_visible()]
    assert shown == ["pr"]
    pill = me.page.locator(".decide .pills button[data-pick=gains]")
    pill.click()
    assert [name for name in PICTURES if me.picture(name).is_visible()] == ["gains"]
    top = me.picture("gains").bounding_box()["y"]
    form = me.page.locator(".decide .form").bounding_box()["y"]
    assert top < form, "the picture stands above the sliders"
    me.shot("decide-390")
    me.turn("light", 1280, 720)
    until(lambda: me.over() <= 1, 5, "to fit")
    assert all(me.picture(name).is_visible() for name in PICTURES)
    me.shot("decide-1280")


def test_other_states_are_drawn(chromium, shelf, until):
    url, found = shelf
    for state, there in (("old", ".decide .counts td"), ("one", ".decide .counts td"), ("use", ".st-key-use-found .drift")):
        you = Data(chromium, url, found[state], storage_state=mine(), color_scheme="light")
        until(lambda you=you, there=there: you.page.locator(there).count() > 0, 20, state)
        you.settle()
        if state == "one":  # bands from draws of one split
            assert you.page.locator(".decide .band").count() >= 4
            assert you.page.locator(".decide .per button").count() == 2
        assert you.page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight") <= 1600
        you.shot(f"decide-{state}")
        for scheme, width in (("dark", 390), ("light", 1280)):
            you.turn(scheme, width)
            until(lambda you=you: you.over() <= 1, 5, f"{state} to fit into {width} px")
        you.leave()


def test_the_whole_way_from_a_table_to_next_months_file(chromium, product, until):
    """With a real engine: upload, three questions, compare, decide with budget and share, refit, score a second file, forget."""
    url, store = product
    me = Data(chromium, url, accept_downloads=True)
    page = me.page
    until(lambda: me.there("data-state-empty"), 20, "the invitation")
    march = {"name": "march.csv", "mimeType": "text/csv", "buffer": tables.payments(600, 60)}
    page.locator(".st-key-mine-drop input[type=file]").set_input_files(march)
    until(lambda: me.there("data-state-profile") and "Split: time" in me.text(), 60, "the questions")

    # when, with a typed delay; whose; how many can be checked
    compare = page.locator(".st-key-data-compare button:visible")
    until(lambda: compare.is_disabled() and "Choose a delay first." in me.text(), 20, "that a delay is asked for")
    delay = page.locator("[class*=st-key-mine-delay] input").first
    delay.focus()
    delay.press_sequentially("2")
    until(lambda: page.get_by_role("option").count() == 1, 20, "the offer of another delay")
    page.keyboard.press("Enter")
    until(lambda: me.words.get("delay") == "2" and compare.is_enabled(), 20, "the delay")
    me.settle()
    me.press("data-nobody")
    until(lambda: me.words.get("group") == "none" and "Split: time and owner" not in me.text(), 20, "nobody")
    me.settle()
    me.choose(page.locator("[class*=st-key-mine-group]").first.get_attribute("class").split("st-key-")[1].split()[0], "card")
    until(lambda: me.words.get("group") == "1" and "Split: time and owner" in me.text(), 20, "the owner")
    me.settle()
    alerts = page.locator("[class*=st-key-mine-alerts] input").first
    alerts.fill("2")
    alerts.press("Enter")
    until(lambda: me.words.get("alerts") == "2", 20, "the alerts")
    me.settle()
    page.locator("[class*=st-key-mine-per]").get_by_text("per day").click()
    until(lambda: me.words.get("per") == "day", 20, "a day's alerts")
    me.settle()

    # two models alone are compared
    page.locator(".st-key-data-budget").get_by_text("15 s").click()
    me.settle()
    page.locator(".st-key-data-chooser button:visible").first.click()
    for title, left in (("Network", "3 models"), ("Gradient boosting", "2 models")):
        page.locator(".st-key-data-models button", has_text=title).click()
        until(lambda left=left: left in page.locator(".st-key-data-chooser").inner_text(), 20, left)
        me.settle()
    page.keyboard.press("Escape")
    me.press("data-compare")
    until(lambda: me.there("data-state-done") or me.there("data-state-failed"), LONG, "the end")
    assert me.there("data-state-done"), me.text()
    me.settle()
    result = json.loads(store.artifact(me.words["compare"], "comparison", owner=me.owner()))
    spec, split = result["spec"], result["split"]
    assert [spec[name] for name in ("time", "delay", "group", "alerts", "per")] == ["booked", 2, "card", 2, "day"]
    assert (split["kind"], split["delay"]) == ("time-group", 2) and {row["model"] for row in result["methods"]} == {
        "logistic",
        "forest",
    }
    parts = split["parts"][0]
    assert parts["train"]["to"] < parts["valid"]["from"] and parts["valid"]["to"] < parts["test"]["from"]
    assert "by time and owner" in me.text() and page.locator("table.board tbody tr").count() == 2

    # the day's budget decides; another share in use moves what follows, and back
    me.step("Decide")
    until(lambda: me.picture("pr").count() and me.values()[0], 30, "the pictures")
    assert result["decide"]["row"] and page.locator(".decide select").input_value() == "alerts"
    assert page.locator(".decide .per button[aria-pressed=true]").inner_text() == "per day"
    budget = page.locator(".decide .field:visible input[type=number]").first
    assert budget.input_value() == "2"
    first, counts = me.title(), page.locator(".decide .counts")
    assert (
        page.get_by_label("Count each owner once").is_checked() and "Per 1,000 owners as in the table." in counts.inner_text()
    )
    assert "Each day has a cut of its own" in counts.inner_text()
    page.get_by_label("Count each owner once").uncheck()
    until(lambda: "Per 1,000 rows as in the table." in counts.inner_text() and me.title() != first, 20, "rows counted")
    me.settle()
    page.get_by_label("Count each owner once").check()
    until(lambda: me.title() == first, 20, "owners counted again")
    me.settle()
    budget.fill("3")
    budget.press("Enter")
    until(lambda: me.title() != first and re.match(r"At \d+[.\d]* alerts per 1,000", me.title()), 20, "the verdict at 3 a day")
    me.settle()
    table_share, chip = me.title(), page.locator(".decide .chip")
    share = page.locator(".decide .form > input[type=range]")
    share.focus()
    page.keyboard.press("PageDown")
    until(lambda: chip.is_visible() and me.title() != table_share, 20, "the verdict at another share")
    me.settle()
    me.shot("way-decide")
    share.focus()
    page.keyboard.press("End")
    until(lambda: not chip.is_visible() and me.title() == table_share, 20, "the table's share again")
    me.settle()
    page.locator(".decide .use").click()
    drop = page.locator(".st-key-use-drop input[type=file]")
    until(lambda: me.words.get("step") == "use" and drop.count() > 0, 30, "the drop field")

    # refitted on all rows, it scores next month's file: three rows of each day
    me.press("use-refit")
    told = page.locator(".st-key-use-model")
    until(lambda: "is trained on all 600 rows" in told.inner_text() or me.there("use-refit-failed"), LONG, "the refit")
    assert "all 600 rows" in told.inner_text() and "3 a day" in told.inner_text(), told.inner_text()
    assert f"scikit-learn {result['provenance']['scikit_learn']}" in told.inner_text()
    me.settle()
    data = tables.payments(300, 30, first=date(2026, 3, 6), days=30, seed=1)
    drop.set_input_files({"name": "april.csv", "mimeType": "text/csv", "buffer": data})
    until(lambda: "rows are flagged." in me.title() or me.there("use-failed"), LONG, "the scoring")
    assert "of 300 rows are flagged." in me.title(), me.text()
    until(lambda: page.locator(".st-key-use-found .drift .row").count() >= 3, 20, "the drift")
    assert page.locator(".st-key-use-found .promise tbody tr").count() == 3, "the file has the answers"
    me.settle()
    me.shot("way-use")
    with page.expect_download(timeout=30_000) as coming:
        page.locator(".st-key-use-head .take a").click()
    got = list(csv.reader(coming.value.path().read_text(encoding="utf-8-sig").splitlines(), delimiter=";"))
    names = ["booked", "card", "amount", "hour", "shop", "fraud", "probability", "flagged", "reason_1", "reason_2", "reason_3"]
    assert got[0] == names and len(got) == 301
    flagged = [row for row in got[1:] if row[7] == "1"]
    assert f"{len(flagged)} of 300" in me.title()
    of_days = Counter(row[0] for row in flagged)
    assert of_days == {day: min(3, rows) for day, rows in Counter(row[0] for row in got[1:]).items()}, "three of each day"
    drift = page.locator(".st-key-use-found .drift .row", has_text="share flagged").inner_text()
    assert f"{len(flagged) / 3:.0f}%" in drift and "expected" in drift
    assert [row[:6] for row in got[1:]] == [line.split(";") for line in data.decode().splitlines()[1:]]

    # forgotten: both files and all that came of them
    link = page.url
    page.locator("[class*=st-key-mine-forget-top] button:visible").first.click()
    page.locator("[class*=st-key-mine-gone-top] button:visible").first.click()
    until(lambda: me.there("data-state-forgotten"), 30, "that it is forgotten")
    page.goto(link)
    until(lambda: me.there("data-state-unknown"), 30, "nothing behind the old link")
    me.leave()
