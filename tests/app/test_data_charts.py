"""The board as HTML: numbers, marks and words agree."""

from __future__ import annotations

import math

from app.views.data import board, board_table
from tests.app import boards, tables
from tests.engine import comparisons
from tests.engine.hostile import Page


def test_the_board_says_in_words_what_its_marks_show() -> None:
    comparison, _ = comparisons.comparison()
    rows = board.rows_of_result(comparison)
    page = Page(board_table.write_board(rows, "average_precision"))
    assert boards.read_rows(board_table.write_board(rows, "average_precision"))[:2] == [
        ("Gradient boosting", "none"),
        ("Network", "none"),
    ]
    assert page.text.count("better") == 2 and page.text.count("no difference found") == 6
    said = " ".join(page.values)
    assert ".521, 95% interval from .475 to .567, 10 replicates" in said and "Difference: +.109, 99.38% interval" in said
    assert "dropped after round 1" in said and "[" not in page.text
    places = [float(v.split("left:")[1].split("%")[0]) for v in page.values if v.startswith("left:") and "width" not in v]
    assert all(0 <= p <= 100 for p in places)
    headers = [attributes.get("scope") for tag, attributes in page.elements if tag == "th"]
    assert headers.count("col") == 5 and headers.count("row") == len(rows) and headers.count("rowgroup") == 3


def test_dots_are_filled_only_where_the_interval_leaves_zero_out() -> None:
    comparison, _ = comparisons.comparison()
    for row in board.rows_of_result(comparison):
        if row.against is not None:
            apart = row.against.above_zero or row.against.below_zero
            assert (row.standing in ("better", "worse")) is apart, row.name


def test_ranked_rows_stand_in_the_order_of_the_number_they_show() -> None:
    comparison, _ = comparisons.comparison()
    page = Page(board_table.write_board(board.rows_of_result(comparison), "average_precision"))
    numbers = [float(t) for t in page.texts[: page.texts.index("not ranked: fewer replicates")] if t.startswith(".")]
    assert numbers[0] == max(numbers) and len(numbers) == 6  # models by their plain row, remedies below it
    assert numbers[2:] == sorted(numbers[2:], reverse=True)


def test_the_scale_stays_within_what_the_metric_can_be() -> None:
    rows = board.rows_of_event(tables.live_rows({"ce": 0.02}))
    ticks = [t for t in Page(board_table.write_board(rows, "average_precision")).texts if t in (".0", ".1", ".2", "-.1")]
    assert ticks == [".0", ".1"]
    assert "1.0" in Page(board_table.write_board([], "average_precision")).texts


def test_a_quick_look_claims_nothing() -> None:
    row = tables.live_rows()[1] | {"look": True}
    row["difference"] = row["difference"] | {"better": True, "p_holm": 0.001}
    (shown,) = board.rows_of_event([row])
    assert shown.standing == "look" and "better" not in Page(board_table.write_board([shown], "average_precision")).text


def test_rows_without_scores_come_last_and_say_so() -> None:
    rows = board.rows_of_event(
        [{"name": "ce", "title": "CE", "metric": "average_precision"}, *tables.live_rows({"smote": 0.3})]
    )
    assert board.rank_names(rows) == ["smote", "ce"] and math.isnan(rows[0].score.mean)
    assert "next" in Page(board_table.write_board(rows, "average_precision", spent=0.0)).text
