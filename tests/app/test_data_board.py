"""The board of models and remedies: grouped by model, ranked where replicates are equal, each remedy against the same model plain."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest

import engine
from app.views.data import board, board_table, cards, compare
from app.words import data as words
from engine.store import Store
from tests.app import boards, fabricate, tables
from tests.app.test_data_page import Look, htmls, look, settled, the_board, title, who  # noqa: F401  (fixtures)
from tests.app.test_lab import button
from tests.engine.hostile import NAMES, Page


def test_a_model_has_one_title_everywhere():
    catalog = json.loads((Path(engine.__file__).parent / "catalog.json").read_text(encoding="utf-8"))
    titles = {method["name"]: method["title"] for method in catalog["methods"]}
    named = {name: title for name, title in words.MODELS.items() if name in titles}
    assert len(named) == 14 and named == {name: titles[name] for name in named}


def test_rows_stand_by_model_plain_first_and_models_by_their_plain_row() -> None:
    found, _ = boards.comparison()
    rows = board.rows_of_result(found)
    groups = board.group_ranked(board.rank_rows(rows))
    assert [group[0].model for group in groups] == [
        "boosting", "forest", "balanced-forest", "network", "logistic", "in use",
    ]  # fmt: skip
    assert all(group[0].plain for group in groups)
    plain = [group[0].score.mean for group in groups]
    assert plain == sorted(plain, reverse=True)
    for group in groups:
        remedies = [row.score.mean for row in group[1:]]
        assert remedies == sorted(remedies, reverse=True)
    drawn = boards.read_rows(board_table.write_board(rows, "average_precision", kind="time"))
    assert drawn[:3] == [("Gradient boosting", "none"), ("Gradient boosting", "class weights"), ("Gradient boosting", "SMOTE")]
    assert (
        ("Balanced random forest", "built in") in drawn
        and ("Score in use", "as it is") in drawn
        and len(drawn) == len(boards.ROWS)
    )


def test_a_remedy_is_drawn_against_the_same_model_plain() -> None:
    found, _ = boards.comparison()
    drawn = board_table.write_board(board.rows_of_result(found), "average_precision", kind="time")
    text = Page(drawn).text
    assert "Against the same model plain" in text and "Average precision on later rows" in text
    by_name = {row.name: row for row in board.rows_of_result(found)}
    assert by_name["forest"].standing == "reference" and by_name["forest"].against is None
    smote = by_name["forest+smote"]
    assert smote.standing == "worse" and smote.against is not None and smote.against.mean == pytest.approx(-0.031)
    assert by_name["explicit-gradient"].standing == "better" and by_name["class-weights"].standing == ""
    said = " ".join(Page(drawn).values)
    assert "Worse. Difference: −.031" in said and "No difference found. Difference" in said
    assert text.count("worse") == sum(row.standing == "worse" for row in by_name.values())


def test_dot_and_number_are_one_quantity_and_equal_n_alone_is_ranked() -> None:
    found, _ = boards.comparison(few={"logistic+class-weights": 4, "balanced-forest": 3})
    rows = board.rows_of_result(found)
    ranked, others = board.arrange_rows(rows)
    assert {row.n for row in ranked} == {10} and [row.name for row in others] == ["logistic+class-weights", "balanced-forest"]
    drawn = board_table.write_board(rows, "average_precision")
    text = Page(drawn).text
    assert text.index("not ranked: fewer replicates") < text.index("Balanced random forest")
    shown = re.findall(r"aria-label=\"(\.\d{3}), 95% interval [^\"]*\".*?<td class='score'[^>]*>(\.\d{3})</td>", drawn)
    assert len(shown) == len(rows) and all(dot == number for dot, number in shown)
    places = [int(place) for place in re.findall(r"title='place (\d+)'", drawn)]
    assert sorted(places) == list(range(1, len(ranked) + 1)) and places[0] == 1


def test_a_running_board_says_when_the_next_rows_come() -> None:
    rows = board.rows_of_event(boards.live_rows(6))
    drawn = board_table.write_board(rows, "average_precision", spent=12.0)
    text = Page(drawn).text
    assert "next at 14 s" in text and "not ranked" not in text and drawn.count("class='waits'") == len(rows) - 6
    assert [group[0].model for group in board.group_rows(rows)][:3] == ["network", "logistic", "forest"]
    assert board.rank_names(rows)[0] == "boosting"


def test_the_verdict_answers_two_questions(store: Store, look: Look) -> None:  # noqa: F811
    found, arrays = boards.comparison()
    assert board.judge_comparison(found).text == "Gradient boosting leads. 1 of 9 remedies beats the same model plain."
    near, _ = boards.comparison(spread=0.09)
    assert board.judge_comparison(near).text.startswith("Gradient boosting reads highest. No remedy beats")
    table = tables.upload(store)
    tables.profiled(store, table, target="left", positive="yes")
    page = look(compare=tables.compared(store, table, found=(found, arrays), artifacts=()).id)
    assert title(page) == "Gradient boosting leads. 1 of 9 remedies beats the same model plain."
    assert any("split by time" in body for body in htmls(page)) and "Gradient boosting" in the_board(page)
    card = next(Page(body).text for body in htmls(page) if "class='card facts'" in body)
    assert "Gradient boosting, no remedy" in card and "768 of 1,200" in card and "Ahead of random forest" in card
    assert re.search(r"yes, by \.0\d\d", card) and "Gain from refitting" in card and "+.012" in card
    page.session_state["data-limits"] = True
    settled(page.run())
    listed = "\n".join(str(one.value) for one in page.markdown)
    assert "another sample of owners" in listed and "7 days between parts" in listed
    settled(button(page, "data.decide").click().run())
    assert page.session_state["data.method"] == "boosting"


def test_the_optimism_of_a_random_split_is_shown_where_its_interval_says_so() -> None:
    found, _ = boards.comparison()
    text = Page(cards.write_optimism(found)).text
    assert (
        "A random split reads too high" in text and "split by time .43" in text and "plain training reads .060 higher" in text
    )
    for low in (0.0, -0.01, None, math.nan):
        found["optimism"]["difference"]["low"] = low
        assert cards.write_optimism(found) == ""
    assert cards.write_optimism(found | {"optimism": None}) == "" and cards.write_optimism({}) == ""


def test_a_row_that_holds_rows_out_says_so() -> None:
    found, _ = boards.comparison()
    rows = {row.name: row for row in board.rows_of_result(found)}
    assert words.HELD_OUT in rows["explicit-gradient"].remark and words.HELD_OUT not in rows["smote"].remark
    assert words.HELD_OUT in " ".join(Page(board_table.write_board(list(rows.values()), "average_precision")).values)


def test_alerts_that_are_right_stand_on_the_card_of_the_row_that_is_decided_with() -> None:
    found, _ = boards.comparison()
    found["spec"] |= {"alerts": 5.0}
    found["decide"] = {"row": "boosting", "precision": {"mean": 0.61, "low": 0.5, "high": 0.7}}
    ranked = board.rank_rows(board.rows_of_result(found))
    text = Page(cards.write_leader(found, ranked)).text
    assert "Alerts right at 5 per 1,000 rows" in text and "61 of 100" in text
    found["decide"]["row"] = "forest"
    assert "Alerts right" not in Page(cards.write_leader(found, ranked)).text


@pytest.mark.parametrize("name", NAMES[:12], ids=range(12))
def test_titles_of_a_result_are_text_on_board_and_cards(name: str) -> None:
    seen = []
    for text in ("a", name):
        found, _ = boards.comparison()
        for row in found["methods"]:
            row["title"] = text
            row["failed"] = text if row["name"] == "smote" else None
        found["verdict"], found["verdict_more"] = text, [text]
        found["methods"][2] |= {"model": text, "remedy": text}
        found["split"]["kind"] = text
        rows = board.rows_of_result(found)
        drawn = [board_table.write_board(rows, "average_precision", kind=text)]
        drawn += [cards.write_leader(found, board.rank_rows(rows)), cards.write_optimism(found)]
        seen.append([Page(one).skeleton for one in drawn])
    assert seen[0] == seen[1]


@pytest.mark.parametrize("state", ["failed", "cancelled", "interrupted"])
def test_a_comparison_that_ended_shows_no_board(store: Store, look: Look, state: str) -> None:  # noqa: F811
    fabricate.beat(store)
    table = tables.upload(store)
    page = look(compare=tables.ended(store, table, state, "The class is too small." if state == "failed" else "").id)
    assert not any('class="board' in body for body in htmls(page)) and len(title(page).split()) <= 20


def test_what_limits_a_comparison_is_listed_without_the_new_keys_too() -> None:
    found, _ = boards.comparison()
    old = {key: value for key, value in found.items() if key not in ("split", "interval_covers", "optimism")}
    assert compare.list_limits(old) == [*found["shortened"], *found["notes"]]
