"""The gallery and the five steps, over the examples that come with the product and a store that knows none of them."""

from __future__ import annotations

import base64
import json
import re
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app.frame import start
from app.session import recorded
from app.views.gallery import examples
from engine.errors import BadData
from engine.store import Store
from tests.app.conftest import opened
from tests.app.test_lab import charts, keys, words

FOLDER = Path(__file__).resolve().parents[2] / "app" / "examples"
CARDS: list[dict[str, Any]] = json.loads((FOLDER / "index.json").read_text(encoding="utf-8"))
BY_NAME = {card["name"]: card for card in CARDS}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """An empty store, the catalog of the product, no engine, and the bundled examples."""
    store = Store(f"sqlite:///{tmp_path / 'lab.db'}")
    monkeypatch.setenv("LAB_STORE", store.url)
    yield store
    st.cache_resource.clear()
    store.close()


def shown(page: AppTest) -> str:
    return words(page).replace("\\", "")


def pictures(page: AppTest) -> list[tuple[str, str]]:
    """(alt, SVG) of the pictures of cards."""
    found = [re.search(r'src="data:image/svg\+xml;base64,([^"]*)" alt="([^"]*)"', str(e.proto.body)) for e in page.get("html")]
    return [(one[2], base64.b64decode(one[1]).decode()) for one in found if one]


def jobs(store: Store) -> set[str]:
    return {job.id for job in store.jobs(kinds=("run", "compare"), limit=500)}


@pytest.mark.parametrize("demo", ["", "1"])
def test_the_gallery_has_every_card_with_picture_and_numbers_and_loads_nothing(
    place: Store, monkeypatch: pytest.MonkeyPatch, demo: str
) -> None:
    monkeypatch.setenv("LAB_DEMO", demo)
    page = opened("gallery")
    said = shown(page)
    for card in CARDS:
        assert card["title"] in said and card["look"] in said and card["means"] in said
        for fact in card["facts"]:
            assert fact["said"] in said
    drawn = pictures(page)
    assert len(drawn) == len(CARDS)
    for alt, svg in drawn:
        assert alt and ET.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"
        assert "var(--" not in re.sub(r"(?s)<style>.*?</style>", "", svg) and "--lead:#" in svg
    assert jobs(place) == set()  # cards come from the index; bundles wait until somebody opens one


@pytest.mark.parametrize("name", BY_NAME)
def test_each_link_opens_its_example_in_an_empty_store(place: Store, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("LAB_DEMO", "1")
    card = BY_NAME[name]
    page = opened(card["page"], **card["words"])
    assert set(card["jobs"]) <= jobs(place)
    others = {id for other in CARDS for id in other["jobs"]} - set(card["jobs"]) - set(BY_NAME["moons"]["jobs"])
    assert not others & jobs(place)  # what nobody opened is not loaded; the Lab shows the first one's run by itself
    said = shown(page)
    assert not page.error and "There is no such run" not in said and "Nothing here for you" not in said
    if card["page"] == "lab":
        assert ", average precision: " in said and page.get("bidi_component") and len(charts(page)) >= 5
    elif card["page"] == "deep":
        assert "Where the rows lie" in said and page.get("bidi_component") and "was not" not in said  # the map is there
        assert ("What differs" in said) == ("beside" in card["words"])
    elif card["page"] == "data":
        assert page.selectbox(key="data.method").value == "smote" and "Are the probabilities right" in said
    else:
        assert card["page"] == "compare" and page.get("plotly_chart")


def test_a_link_that_names_no_example_loads_none(place: Store) -> None:
    recorded.load_examples("lab", {"run": "0" * 16})
    recorded.load_examples("compare", {"datasets": "moons", "methods": "smote", "ratios": "5"})
    assert jobs(place) == set()


def test_what_was_deleted_comes_back_with_its_link_and_what_is_there_stays(place: Store) -> None:
    card = BY_NAME["calibration"]
    recorded.load_examples("data", card["words"])
    created = place.job(card["jobs"][0]).created
    recorded.load_examples("data", card["words"])
    assert place.job(card["jobs"][0]).created == created
    place.delete(card["jobs"][0])
    recorded.load_examples("data", card["words"])
    assert place.job(card["jobs"][0]).state == "done"


def test_a_broken_bundle_is_said_in_a_sentence(place: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "examples"
    folder.mkdir()
    (folder / "index.json").write_text(json.dumps([BY_NAME["calibration"]]))
    (folder / "calibration.zip").write_bytes(b"no zip")
    monkeypatch.setattr(recorded, "EXAMPLES", folder)
    page = opened("data", **BY_NAME["calibration"]["words"])
    assert "The example of this link cannot be opened" in shown(page)
    with pytest.raises(BadData):
        recorded.load_examples("data", BY_NAME["calibration"]["words"])


def test_without_examples_the_gallery_says_how_to_make_one(
    place: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(recorded, "EXAMPLES", tmp_path / "none")
    assert "python -m engine example" in shown(opened("gallery"))


def test_the_gallery_costs_little(place: Store) -> None:
    """Page-process time once warm; measured 60 ms on an idle machine, so this only sees a load or a computation coming back."""
    opened("gallery")
    began = time.process_time()
    opened("gallery")
    assert time.process_time() - began < 3.0


def test_a_number_is_said_as_exactly_as_it_is(place: Store) -> None:
    fact = {"said": "x", "mean": -45.236, "low": -51.9, "high": -38.5, "n": 12, "kind": "95%", "sense": "below 0"}
    assert examples.read_interval(fact).mean == -45.236
    assert str(examples.read_interval({**fact, "low": None, "high": None}).low) == "nan"


# ---- the five steps


def press(page: AppTest, key: str) -> AppTest:
    page.button(key=key).click().run()
    assert not page.exception, page.exception
    return page


def test_a_first_visit_is_led_through_five_steps_and_each_says_what_is_seen(place: Store) -> None:
    page = opened("lab")
    assert "Start here: five steps" in shown(page) and page.query_params == {}
    for number in range(1, 6):
        said = shown(page)
        assert said.count("You will see:") == 1 and start.list_steps()[number - 1].see in said
        assert page.segmented_control(key="start.chosen").value == number - 1
        press(page, "start.next")
    assert "That was all five" in shown(page) and page.query_params == {}
    assert ", average precision: " in shown(page)  # the run below is there all the time


def test_the_steps_are_put_away_and_brought_back(place: Store) -> None:
    page = press(opened("lab"), "start.shut.now")
    assert "five steps" not in shown(page) and "A recorded example" in shown(page)
    state = {key: page.session_state[key] for key in (start.AT, start.SHUT) if key in page.session_state}
    gallery = opened("gallery", state)
    assert "Start here" not in shown(gallery)
    gallery = press(gallery, "gallery.start")
    assert "Start here" in shown(gallery) and gallery.session_state[start.AT] == 0


def test_the_steps_go_along_to_the_pages_they_lead_to_and_nowhere_unasked(place: Store) -> None:
    for number, step in enumerate(start.list_steps()):
        page = opened(step.page, {start.AT: number}, **step.query)
        assert step.see in shown(page) and not page.error, step.name
        assert set(step.query.values()) <= set(page.query_params.values())
    assert "Start here" not in shown(opened("papers")) and "start.next" not in keys(
        opened("lab", run=BY_NAME["rings"]["jobs"][0])
    )


def test_a_step_is_chosen_by_its_name(place: Store) -> None:
    page = opened("lab")
    page.segmented_control(key="start.chosen").set_value(3).run()
    assert start.list_steps()[3].see in shown(page) and page.session_state[start.AT] == 3


def test_the_steps_of_a_demonstration_ask_for_nothing_that_it_has_not(place: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_DEMO", "1")
    said = " ".join(step.do for step in start.list_steps())
    assert "press **Run**" not in said and "Drop a table" not in said and all(s.query for s in start.list_steps()[2:])
