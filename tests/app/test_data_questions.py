"""The three questions about a table: guesses, answers in the address, the split that is drawn, and the comparison that is asked for."""

from __future__ import annotations

import re
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from app.views.data import answers, question_pictures, questions, sample, split_sketch
from app.views.data.guesses import read_guesses
from engine.data.tables.profile import profile_table
from engine.data.tables.reading import read_sheet
from engine.store import Store
from tests.app import tables
from tests.app.test_data_page import Look, htmls, look, settled, title, who, words  # noqa: F401  (fixtures)
from tests.app.test_lab import button
from tests.engine.hostile import NAMES, Page

TIME, CARD, AMOUNT, RULE = 1, 2, 3, 8
"""Places of columns of the sample."""


@pytest.fixture(scope="module")
def profile() -> dict[str, Any]:
    """The sample's."""
    return profile_table(read_sheet(sample.write_sample(), sample.NAME))


@pytest.fixture
def shown(store: Store, look: Look) -> tuple[AppTest, str]:  # noqa: F811
    """The sample's questions, and its table."""
    table = tables.upload(store, sample.write_sample(), sample.NAME)
    tables.profiled(store, table)
    return look(data=table), table


def pick(page: AppTest, word: str) -> Any:
    return next(box for box in (*page.selectbox, *page.number_input) if (box.key or "").startswith(f"mine.{word}."))


def beside(page: AppTest) -> str:
    return " ".join(Page(body).text for body in htmls(page))


def test_guesses_are_shown_with_their_reasons_and_the_delay_is_asked(shown: tuple[AppTest, str]) -> None:
    page, _ = shown
    text = beside(page)
    assert "When does a row happen?" in text and "Whom does it belong to?" in text and "How many can you check?" in text
    assert "Guessed: a date in every row. How long after a row is its answer known?" in text
    assert re.search(r"Guessed: 2,\d\d\d values, \d+ of 100 repeat\. One card is never on both sides\.", text)
    assert pick(page, "time").value == TIME and pick(page, "group").value == CARD
    assert pick(page, "delay").value is None and button(page, "data.compare").disabled
    assert "Choose a delay first." in words(page) and "Split: time and owner" in text


def test_answers_stand_in_the_address_without_a_name_and_become_a_comparison(store: Store, shown: tuple[AppTest, str]) -> None:
    page, table = shown
    settled(pick(page, "delay").set_value(7.0).run())
    settled(pick(page, "alerts").set_value(5.0).run())
    per = next(one for one in page.segmented_control if (one.key or "").startswith("mine.per."))
    settled(per.set_value("day").run())
    query = dict(page.query_params.items())
    assert query == {"data": table, "step": "questions", "delay": "7", "alerts": "5", "per": "day"}
    assert re.search(r"About 3\d\d per 1,000 rows\.", beside(page))
    page.session_state["data-more"] = True
    settled(page.run())
    settled(pick(page, "score").set_value(RULE).run())
    settled(pick(page, "cost").set_value(AMOUNT).run())
    assert page.query_params["score"] == str(RULE) and "rule_score" not in str(dict(page.query_params.items()))
    assert "score in use" in beside(page)
    settled(button(page, "data.compare").click().run())
    (job,) = store.jobs(owner=tables.OWNER, kinds=("compare",))
    said = {k: job.spec.get(k) for k in ("time", "delay", "group", "alerts", "per", "score_column", "cost_column", "target")}
    assert said == {
        "time": "booked_at", "delay": 7.0, "group": "card", "alerts": 5.0, "per": "day", "score_column": "rule_score",
        "cost_column": "amount", "target": "fraud",
    }  # fmt: skip
    assert dict(page.query_params.items()) == {"data": table, "compare": job.id, "step": "compare"}


def test_nobody_and_no_order_are_answers(store: Store, shown: tuple[AppTest, str]) -> None:
    page, _ = shown
    settled(button(page, "data.nobody").click().run())
    assert page.query_params["group"] == "none" and "Split: time" in beside(page) and "One card" not in beside(page)
    settled(pick(page, "time").set_value(-1).run())
    assert page.query_params["time"] == "none" and "Split: random" in beside(page) and "5 folds." in beside(page)
    assert not button(page, "data.compare").disabled and not [
        b for b in page.selectbox if (b.key or "").startswith("mine.delay")
    ]
    settled(button(page, "data.compare").click().run())
    (job,) = store.jobs(owner=tables.OWNER, kinds=("compare",))
    assert not {"time", "group", "delay", "alerts", "per", "models", "remedies", "ensembles", "tune"} & job.spec.keys()


def test_an_address_with_answers_shows_them_and_nonsense_is_a_guess(store: Store, look: Look) -> None:  # noqa: F811
    table = tables.upload(store, sample.write_sample(), sample.NAME)
    tables.profiled(store, table)
    page = look(data=table, time=str(TIME), delay="30", group="none", alerts="20")
    assert pick(page, "delay").value == 30 and pick(page, "alerts").value == 20 and "Split: time" in beside(page)
    assert pick(page, "group").value == -1 and "one row in 50" in beside(page)
    for odd in ("-1", "99", "1e3", "<b>", "9" * 40, ""):
        page = look(data=table, time=odd, delay=odd, group=odd, alerts="nan", per=odd, keep=odd, cost=odd, score=odd)
        assert pick(page, "time").value == TIME and pick(page, "group").value == CARD and pick(page, "alerts").value is None


def test_a_comparison_brings_its_answers_back(store: Store, look: Look) -> None:  # noqa: F811
    table = tables.upload(store, sample.write_sample(), sample.NAME)
    tables.profiled(store, table, target="fraud", positive="yes")
    job = tables.ended(
        store, table, "cancelled", target="fraud", time="booked_at", delay=14.0, group=None, alerts=3.0, models=("forest", "network"),
        tune=True,
    )  # fmt: skip
    page = look(compare=job.id, step="questions")
    assert pick(page, "time").value == TIME and pick(page, "delay").value == 14 and pick(page, "group").value == -1
    assert pick(page, "alerts").value == 3 and set(page.session_state["data.models"]) == {"forest", "network"}
    assert page.session_state["data.tune"] is True
    settled(pick(page, "delay").set_value(30.0).run())
    assert page.query_params["group"] == "none" and page.query_params["time"] == str(TIME)
    settled(button(page, "data.compare").click().run())
    spec = next(j.spec for j in store.jobs(owner=tables.OWNER, kinds=("compare",)) if j.id != job.id)
    assert spec["models"] == ["forest", "network"] and spec["tune"] is True and spec["delay"] == 30.0 and "group" not in spec


def test_what_is_compared_is_chosen_and_nothing_is_not_compared(store: Store, shown: tuple[AppTest, str]) -> None:
    page, _ = shown
    settled(pick(page, "delay").set_value(0.0).run())
    pills = {one.key: one for one in page.get("button_group") if str(one.key).startswith("data.")}
    settled(pills["data.remedies"].set_value(["smote"]).run())
    settled(button(page, "data.compare").click().run())
    (job,) = store.jobs(owner=tables.OWNER, kinds=("compare",))
    assert job.spec["remedies"] == ["smote"] and "models" not in job.spec and "ensembles" not in job.spec
    page.session_state["data.said"] = {"models": [], "ensembles": []}
    page.segmented_control(key="data.step").set_value("questions")
    settled(page.run())
    settled(button(page, "data.compare").click().run())
    assert len(store.jobs(owner=tables.OWNER, kinds=("compare",))) == 1


def test_a_split_that_cannot_be_made_says_why_and_is_not_compared(store: Store, look: Look) -> None:  # noqa: F811
    table = tables.upload(store, sample.write_sample(), sample.NAME)
    tables.profiled(store, table)
    page = look(data=table, delay="500")
    assert "too long for these times" in beside(page) and button(page, "data.compare").disabled
    assert title(page) == "Questions"


def test_another_reading_drops_the_answers(store: Store, look: Look) -> None:  # noqa: F811
    table = tables.upload(store, sample.write_sample(), sample.NAME)
    first = tables.profiled(store, table)
    page = look(data=table, step="table", time="none", alerts="4")
    page.selectbox(key=f"mine.delimiter.{first.id}").select(",")
    next(b for b in page.button if b.label == "Read it this way").click()
    settled(page.run())
    assert "time" not in page.query_params and "alerts" not in page.query_params


def test_the_drawn_split_keeps_time_in_order(profile: dict[str, Any]) -> None:
    guesses = read_guesses(profile)
    found = answers.read_answers({"group": "none", "delay": "14"}, profile, guesses)
    sketch = split_sketch.sketch_split(profile, guesses, found)
    assert sketch.bars and not sketch.refusal and "within the delay" in sketch.said[0]
    for bar in sketch.bars:
        train, valid, test = bar
        assert [one.part for one in bar] == ["train", "valid", "test"] and train.start == 0
        assert train.end < valid.start < valid.end < test.start < test.end <= 1  # the delay lies between them
    assert sketch.bars[-1][-1].end == 1.0 and sketch.over_time[-1].end == 1.0
    assert re.fullmatch(r"test: [\d,]+ rows, 2026-\d\d-\d\d to 2026-\d\d-\d\d", sketch.bars[-1][-1].said)
    at_once = split_sketch.sketch_split(
        profile, guesses, answers.read_answers({"group": "none", "delay": "0"}, profile, guesses)
    )
    assert "within the delay" not in "".join(at_once.said)
    assert all(bar[0].end == pytest.approx(bar[1].start) for bar in at_once.bars)


def test_folds_test_every_row_but_those_that_choose(profile: dict[str, Any]) -> None:
    guesses = read_guesses(profile)
    found = answers.read_answers({"time": "none", "group": "none"}, profile, guesses)
    sketch = split_sketch.sketch_split(profile, guesses, found)
    tests = [one for bar in sketch.bars for one in bar if one.part == "test"]
    assert sum(one.end - one.start for one in tests) == pytest.approx(0.8) and len(sketch.bars) == profile["folds"]
    assert all(bar[-1].part == "valid" and bar[-1].start == pytest.approx(0.8) for bar in sketch.bars)


def test_words_and_fields_of_answers_are_one(profile: dict[str, Any]) -> None:
    said = {"time": "1", "delay": "7", "group": "2", "alerts": "5", "per": "day", "cost": "3", "score": "8", "keep": "1-2"}
    found = answers.read_answers(said, profile, read_guesses(profile))
    fields = found.make_fields()
    assert fields["keep"] == ("booked_at", "card") and found.left_out == {"rule_score": "score"} and found.kind == "time-group"
    assert answers.write_answers(fields, profile) == said
    unsaid = answers.write_answers({}, profile)
    assert unsaid == {"time": "none", "group": "none", "cost": "none", "score": "none"}


@pytest.mark.parametrize("rows", [0.001, 1.0, 5.0, 333.0, 1000.0])
def test_cells_that_can_be_checked_are_counted(rows: float) -> None:
    marked = question_pictures.draw_alerts(rows).count("i-test")
    assert marked == max(1, round(rows * question_pictures.CELLS / 1000))
    assert question_pictures.draw_alerts(None) == ""


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_owner_and_order_of_any_name_are_text(name: str, profile: dict[str, Any]) -> None:
    def draw(text: str) -> list[str]:
        found = answers.Answers(time=text, group=text, score=f"{text} 2")
        made = profile | {"columns": [{"name": text, "kind": "date", "why": ""}], "left_out": [{"name": text}]}
        sketch = split_sketch.Sketch(refusal=f"The column {text} is odd.", said=(text,))
        return [questions.write_left_out(made, found), questions.write_split(made, found, sketch)]

    assert [Page(one).skeleton for one in draw(name)] == [Page(one).skeleton for one in draw("a")]
