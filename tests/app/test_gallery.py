"""The gallery and the first steps, over the examples that come with the product and a store that knows none of them."""

from __future__ import annotations

import base64
import html
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
from app.words import gallery as words_of
from engine.errors import BadData
from engine.store import Store
from tests.app.conftest import opened
from tests.app.test_lab import words

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


def bodies(page: AppTest) -> str:
    """What the page writes as HTML."""
    return " ".join(html.unescape(str(e.proto.body)) for e in page.get("html"))


@pytest.mark.parametrize("demo", ["", "1"])
def test_the_gallery_has_every_card_with_picture_and_difference_and_loads_nothing(
    place: Store, monkeypatch: pytest.MonkeyPatch, demo: str
) -> None:
    monkeypatch.setenv("LAB_DEMO", demo)
    page = opened("gallery")
    titles = [link.proto.label.replace("\\", "") for link in page.get("page_link")]
    assert [card["title"] for card in CARDS] == titles
    said = bodies(page)
    assert said.count("<h1") == 1 and ">Gallery</h1>" in said
    for card in CARDS:
        assert f">{card['setting']}<" in said and f"<b>{card['zero']}</b>" in said
    drawn = pictures(page)
    assert len(drawn) == len(CARDS)
    for alt, svg in drawn:
        assert alt and ET.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"
        assert "var(--" not in re.sub(r"(?s)<style>.*?</style>", "", svg) and "--lead:#" in svg
    assert said.count('class="card-film"') == sum(bool(card["film"]) for card in CARDS) >= 4
    assert jobs(place) == set()  # cards come from the index; bundles wait until somebody opens one


def test_a_dot_is_filled_only_where_zero_is_outside(place: Store) -> None:
    said = bodies(opened("gallery"))
    for card, part in zip(CARDS, said.split('<div class="card-setting">')[1:], strict=True):
        dot, drawn = card["dot"], part.partition("</span></div>")[0]
        outside = dot["low"] > 0 or dot["high"] < 0
        assert (f'class="{dot["look"]}"' in drawn) and (dot["look"] == "hollow" or outside), card["name"]
        side = words_of.NEITHER if dot["better"] is None else words_of.BETTER if dot["better"] else words_of.WORSE
        assert drawn.endswith(f">{side}") and (dot["better"] is None or outside)
        assert f"{dot['n']} replicates" in drawn


@pytest.mark.parametrize("name", BY_NAME)
def test_each_link_opens_its_example_in_an_empty_store(place: Store, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("LAB_DEMO", "1")
    card = BY_NAME[name]
    page = opened(card["page"], **card["words"])
    assert set(card["jobs"]) <= jobs(place)
    others = {id for other in CARDS for id in other["jobs"]} - set(card["jobs"]) - set(BY_NAME[recorded.SHOWN_FIRST]["jobs"])
    assert not others & jobs(place)  # what nobody opened is not loaded; the Lab shows the first one's run by itself
    said = shown(page)
    assert not page.error and "There is no such run" not in said and "Nothing here for you" not in said
    if card["page"] == "lab":
        assert "Points moved" in said and card["said"] in said and page.get("bidi_component")


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
    assert "This recorded run cannot be opened" in shown(page)
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


def test_the_table_of_all_numbers_has_every_one(place: Store) -> None:
    rows = examples.list_facts(CARDS)
    assert len(rows) == sum(len(card["facts"]) for card in CARDS)
    assert {row["against 0"] for row in rows} <= {"above 0", "below 0", "no difference found", ""}


# ---- the first steps


def test_a_first_visit_shows_the_example_whose_verdict_holds(place: Store) -> None:
    card = BY_NAME[recorded.SHOWN_FIRST]
    assert recorded.load_first_example() == card["jobs"][0]
    assert recorded.first_replicate() == int(card["words"]["replicate"])
    assert card["title"].startswith("Points move and help.") and card["dot"]["better"]


def strip_of(taken: set[str]) -> str:
    """The strip in a session that has taken these steps."""

    def script(taken: list[str]) -> None:

        from app.frame import start

        for name in taken:
            start.take_step(name)
        start.draw_strip()

    page = AppTest.from_function(script, args=(sorted(taken),), default_timeout=30).run()
    assert not page.exception, page.exception
    return bodies(page)


def test_events_take_the_steps_in_any_order_and_the_strip_goes_after_the_last(place: Store) -> None:
    first = strip_of(set())
    assert first.count("<li") == 5 and "2 Change a slider" in first
    assert "some points walk to a cluster that training lacks" in first
    later = strip_of({start.WATCH, start.COMPARE})
    assert later.count("✓") == 2 and 'aria-current="step" title="Raise the hidden rows in training."' in later
    assert "<li" not in strip_of({start.WATCH, start.CHANGE, start.COMPARE, start.TABLE})


def test_the_steps_of_a_demonstration_ask_for_nothing_that_it_has_not(place: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_DEMO", "1")
    said = " ".join(start.list_hints().values())
    assert "Raise" not in said and "own" not in said


def test_other_words_stand_above_another_first_film(place: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded, "SHOWN_FIRST", "moons")
    assert not any("hidden" in hint or "cluster" in hint for hint in start.list_hints().values())


def test_pages_take_the_steps_that_lead_to_them(place: Store) -> None:
    assert opened("compare").session_state[start.TAKEN] == {start.COMPARE}
    assert start.TAKEN not in opened("data").session_state
    card = BY_NAME["calibration"]
    assert opened("data", **card["words"]).session_state[start.TAKEN] == {start.TABLE}
