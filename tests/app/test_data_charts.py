"""Calibration as a picture, and the board as HTML: numbers, marks and words agree."""

from __future__ import annotations

import math

import numpy as np

from app.charts import calibration
from app.views.data import board, decide
from engine.analysis import threshold_tables
from engine.stats import thresholds
from tests.app import tables
from tests.engine import comparisons
from tests.engine.hostile import Page


def found() -> dict[str, dict]:
    truth = np.arange(1000) < 500
    score = np.linspace(0, 1, 1000)
    table = threshold_tables.build_table(dict.fromkeys(thresholds.VARIANTS, score), truth, 1)
    return {kind: thresholds.describe_calibration(table, kind) for kind in thresholds.VARIANTS}


def test_calibration_draws_each_kind_with_its_own_mark_and_the_line_it_should_be_on() -> None:
    figure = calibration.figure(found())
    lines = [t for t in figure.data if t.name != "as it should be"]
    assert [t.name.split(" · ")[0] for t in lines] == list(thresholds.VARIANTS)
    assert len({t.line.dash for t in lines}) == len({t.marker.symbol for t in lines}) == len({t.line.color for t in lines}) == 3
    assert lines[0].y[0] == 1 and lines[0].y[-1] == 0 and abs(lines[0].x[0] - 0.05) < 0.01
    assert sum(lines[0].customdata) == 1000
    assert "error 0.750" in lines[0].name and "calibration error 0.750" in calibration.alt(found(), "SMOTE")
    table = calibration.table(found())
    assert list(table.columns) == ["probabilities", "predicted", "observed", "rows"] and len(table) == 30


def test_a_kind_without_rows_is_no_error() -> None:
    empty = {"as trained": {"bins": [], "brier": 0.0, "ece": 0.0}}
    assert len(calibration.figure(empty).data) == 2 and calibration.table(empty).empty


def test_the_board_says_in_words_what_its_marks_show() -> None:
    comparison, _ = comparisons.comparison()
    rows = board.rows_of_result(comparison)
    page = Page(board.write_board(board.sort_rows(rows, board.rank_names(rows)), "average_precision", best="trees"))
    assert [t for t in page.texts if t in {r.title for r in rows}][0] == "Gradient-boosted trees"
    assert page.text.count("▲ better") == 1 and page.text.count("what the others are held against") == 1
    assert "0.521 [0.475, 0.567]" in page.text and "+0.109 [+0.059, +0.159]" in page.text and "n = 10" in page.text
    assert "dropped after round 1" in page.text
    places = [float(v.split("left:")[1].split("%")[0]) for v in page.values if v.startswith("left:") and "width" not in v]
    assert all(0 <= p <= 100 for p in places)
    headers = [attributes.get("scope") for tag, attributes in page.elements if tag == "th"]
    assert headers.count("col") == 5 and headers.count("row") == len(rows)


def test_the_scale_stays_within_what_the_metric_can_be() -> None:
    rows = board.rows_of_event(tables.live_rows({"ce": 0.02}))
    assert "from 0.0 to 0.1" in Page(board.write_board(rows, "average_precision")).text
    assert "from 0.0 to 1.0" in Page(board.write_board([], "average_precision")).text


def test_a_quick_look_claims_nothing() -> None:
    row = tables.live_rows()[1] | {"look": True}
    row["difference"] = row["difference"] | {"better": True, "p_holm": 0.001}
    (shown,) = board.rows_of_event([row])
    assert shown.standing == "" and "▲" not in Page(board.write_board([shown], "average_precision")).text


def test_rows_without_scores_come_last_and_say_so() -> None:
    rows = board.rows_of_event(
        [{"name": "ce", "title": "CE", "metric": "average_precision"}, *tables.live_rows({"smote": 0.3})]
    )
    assert board.rank_names(rows) == ["smote", "ce"] and math.isnan(rows[0].score.mean)
    assert "not yet" in Page(board.write_board(rows, "average_precision")).text


def test_thresholds_are_read_as_written() -> None:
    grid = threshold_tables.GRID
    assert [decide.format_threshold(t) for t in (0.0, 0.35, 1.0, grid[-1], 0.000045)] == [
        "0.00",
        "0.35",
        "1.00",
        "flag none",
        "4.5e-05",
    ]
