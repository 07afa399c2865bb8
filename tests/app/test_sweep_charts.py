"""The pictures of a sweep: what they show, and that a name from anywhere does nothing in them."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest

from app.charts import against_ratio, cost, differences, marks, pr, recalls, side_by_side
from app.charts.against_ratio import Line
from app.charts.cost import Point
from app.charts.differences import Column, Spot
from app.charts.ends import GAP, End, find_margin, make_labels, spread
from app.charts.palette import distinct, stroke
from app.charts.side_by_side import Gap
from engine.stats.intervals import Interval
from engine.stats.verdict import format_change
from tests.app.fabricate import HOSTILE

NAN = math.nan


def line(key: str = "smote", label: str = "SMOTE", shift: float = 0.0, n: int = 3, oracle: bool = False) -> Line:
    mean = np.array([0.8, 0.6, 0.4])[:n] + shift
    return Line(key, label, np.array([5.0, 20.0, 50.0])[:n], mean, mean - 0.05, mean + 0.05, oracle)


def test_lines_are_labelled_at_their_ends_and_never_by_colour_alone() -> None:
    lines = [line(), line("ce", "Plain", -0.1), line("potential", "All rows", 0.1, oracle=True)]
    fig = against_ratio.figure(lines, "Average precision", (0, 1))
    assert len(fig.data) == 3 and fig.layout.showlegend is False
    assert len({(t.line.dash, t.marker.symbol) for t in fig.data}) == 3
    labels = [a for a in fig.layout.annotations if a.xshift == 38]
    assert [a.text for a in labels] == ["SMOTE", "Plain", "All rows"] and fig.layout.margin.r >= 38 + 7 * 8
    assert list(fig.layout.xaxis.ticktext) == ["5:1", "20:1", "50:1"]
    assert list(against_ratio.figure(lines[:1], "AP", (0, 1), [2.0, 5.0, 200.0]).layout.xaxis.tickvals) == [2, 5, 20, 50, 200]
    low, high = fig.layout.yaxis.range
    assert -0.01 <= low < 0.3 and 0.9 < high <= 1.01
    said = against_ratio.alt(lines, "Average precision")
    assert "SMOTE: 0.800 at 5 to 1" in said and "All rows, not ranked" in said
    assert fig.data[0].customdata[1] == "SMOTE at 20:1: .600<br>95% interval .550 to .650"
    none = Line("ce", "CE", np.array([5.0]), np.array([0.5]), np.array([NAN]), np.array([NAN]))
    assert against_ratio.figure([none], "AP", (0, 1)).data[0].customdata[0] == "CE at 5:1: .500"


@pytest.mark.parametrize("seed", range(20))
def test_labels_stand_apart_in_the_order_of_their_lines(seed: int) -> None:
    rng = np.random.default_rng(seed)
    heights = list(rng.uniform(0, 250, rng.integers(1, 12)).round(rng.integers(-1, 3)))
    placed = spread(heights, 250)
    order = sorted(range(len(heights)), key=lambda i: heights[i])
    gaps = np.diff([placed[i] for i in order])
    assert (gaps >= GAP - 1e-6).all() and min(placed) >= -1e-6 and max(placed) <= 250 + 1e-6
    far = spread([0.0, 100.0, 250.0], 250)
    assert far == [0.0, 100.0, 250.0], "labels with room stay at their line"


def test_many_labels_share_what_room_there_is() -> None:
    placed = sorted(spread([10.0] * 40, 200.0))
    assert placed[0] >= -1e-6 and placed[-1] <= 200 + 1e-6 and np.allclose(np.diff(placed), 200 / 39)
    drawn = make_labels([End(0.5, "a", stroke("ce")), End(0.5, "b", stroke("smote"))], 250)
    notes = [a["y"] * 250 for a in drawn["annotations"]]
    assert abs(notes[0] - notes[1]) >= GAP - 1e-6 and len(drawn["shapes"]) == 4
    assert find_margin([End(0, "x" * 99, stroke("ce"))]) < 250


def spot(low: float, high: float, better: bool | None, **more: object) -> Spot:
    return Spot("done", Interval((low + high) / 2, low, high, 12, ""), better, "tip", **more)


def test_differences_have_a_column_a_dataset_and_are_filled_where_zero_is_out() -> None:
    spots = {
        ("smote", "5:1"): spot(-0.01, 0.03, None, press="run1"),
        ("smote", "20:1"): spot(0.01, 0.05, True, press="run2"),
        ("focal", "5:1"): spot(-0.06, -0.02, False, press="run3"),
        ("focal", "20:1"): Spot("failed", tip="Failed: no memory"),
    }
    columns = [Column("moons", "Two moons", "2,000 rows", spots), Column("glass", "Glass", "214 rows", {})]
    methods = [("smote", "SMOTE"), ("focal", "Focal loss")]
    drawn = differences.draw(methods, ["5:1", "20:1"], columns, "note", "help")
    assert drawn.count('class="panel"') == 2 and drawn.count('data-choose="') == 2
    assert re.findall(r'class="mark ([^"]*)"', drawn) == ["", "filled", "filled", "failed"]
    assert set(re.findall(r'data-press="([^"]*)"', drawn)) == {"run1", "run2", "run3"}
    assert "2,000 rows" in drawn and "Failed: no memory" in drawn and drawn.count("light-dark(") >= 4
    assert "SMOTE: better on Two moons at 20:1; Focal loss: worse on Two moons at 5:1" in drawn
    tops = [float(t) for t in re.findall(r'data-mark="moons[^>]*?top:([\d.]+)px', drawn)]
    assert len(set(tops)) == 4 and max(tops) < differences.HEIGHT
    many = differences.draw(methods, ["5:1"], [Column(str(i), str(i), "", {}) for i in range(9)], "", "")
    assert f"--least:{differences.FULL}px" in many and f"--least:{differences.NARROW}px" in drawn


def test_one_scale_holds_all_differences_and_cuts_only_what_is_far_wider() -> None:
    usual = [Interval(0.0, -0.1, 0.1, 5, "")] * 12
    assert marks.span_differences(usual).high == pytest.approx(0.106)
    scale = marks.span_differences([*usual, Interval(0.0, -3.0, 3.0, 5, "")])
    assert scale.high < 0.2 and 'class="beyond left"' in marks.draw_bar(scale, Interval(0, -3, 3, 5, ""), 0, "", filled=False)
    assert marks.span_differences([*usual, Interval(0.4, NAN, NAN, 1, "")]).has(0.4)
    assert marks.span_differences([]).high > 0 and marks.choose_stop(scale) == 0.1
    assert [marks.shorten_change(v) for v in (-0.1, 0.05, 1.0, 10.0, 20.5)] == [
        "\N{MINUS SIGN}.1",
        "+.05",
        "+1",
        "+10",
        "+20.5",
    ]
    assert [format_change(v) for v in (10.25, -100.0, 0.0004, -0.5)] == [
        "+10.250",
        "\N{MINUS SIGN}100.000",
        ".000",
        "\N{MINUS SIGN}.500",
    ]
    assert marks.choose_stop(marks.Scale(-53.0, 53.0)) == 20.0


def test_the_frontier_holds_what_nothing_cheaper_equals() -> None:
    points = [
        Point("ce", "Plain", 2.0, 0.40, 0.3, 0.5),
        Point("focal", "Focal", 3.0, 0.40, 0.3, 0.5),
        Point("smote", "SMOTE", 4.0, 0.55, NAN, NAN),
        Point("eos", "EOS", 90.0, 0.50, 0.4, 0.6),
        Point("potential", "All rows", 1.0, 0.90, 0.8, 1.0, oracle=True),
    ]
    assert [p.key for p in cost.find_frontier(points)] == ["ce", "smote"]
    drawn = cost.draw(points, "AP", "Seconds")
    names = re.findall(r'data-mark="(\w+) s" [^>]*', drawn)
    assert names == ["potential", "ce", "focal", "smote", "eos"], "the fastest first"
    filled = re.findall(r'class="mark filled" data-mark="(\w+) s"', drawn)
    assert filled == ["ce", "smote"] and "SMOTE 0.550 after 4 seconds" in drawn
    assert cost.draw(points[:1], "AP", "Seconds").count('class="mark') == 2


def test_two_runs_stand_on_one_scale() -> None:
    gaps = [Gap("AP", Interval(0.1, 0.05, 0.15, 5, ""), "t"), Gap("F1", Interval(-0.1, -0.2, 0.01, 5, ""), "t")]
    drawn = side_by_side.draw(gaps)
    assert re.findall(r'class="mark ([^"]*)"', drawn) == ["filled", ""] and "+.100" in drawn
    alone = side_by_side.draw([Gap("AP", Interval(0.1, 0.05, 0.15, 1, ""), "t")])
    assert 'class="mark filled"' not in alone, "one split decides nothing"


def test_curves_of_one_method_have_pens_of_their_own_and_may_have_no_prevalence_in_common() -> None:
    recall = np.linspace(0, 1, 5)
    curves = [pr.Curve(f"run{i}", "SMOTE", recall, np.ones((2, 5)), 0.5, 0.4, 0.6, drawn=distinct(2)[i]) for i in range(2)]
    fig = recalls.figure(curves, NAN, "")
    assert len({(t.line.color, t.line.dash) for t in fig.data}) == 2 and fig.layout.showlegend is False
    labels = [a for a in fig.layout.annotations if a.xshift == 38]
    assert abs(labels[0].y - labels[1].y) * recalls.HEIGHT >= 14
    chance = recalls.figure(curves, 0.1, "chance .100")
    assert any(a.text == "chance .100" for a in chance.layout.annotations)
    assert pr.Curve("ce", "CE", recall, np.ones((1, 5)), 0.5, NAN, NAN).stroke == stroke("ce")


def test_names_from_anywhere_do_nothing() -> None:
    figures = [against_ratio.figure([line(label=name) for name in HOSTILE], "AP", (0, 1))]
    for fig in figures:
        text = json.dumps(fig.to_plotly_json(), default=str)
        assert "<img" not in text and "$x$" not in text and "%{{" not in text
    column = Column(HOSTILE[0], HOSTILE[0], HOSTILE[0], {("ce", "5:1"): Spot("failed", tip=HOSTILE[0], press='"><b>')})
    drawn = differences.draw([("ce", HOSTILE[0])], ["5:1"], [column], HOSTILE[0], HOSTILE[0])
    drawn += cost.draw([Point("ce", HOSTILE[0], 1.0, 0.5, 0.4, 0.6)], HOSTILE[0], HOSTILE[0])
    drawn += side_by_side.draw([Gap(HOSTILE[0], Interval(0.1, 0.0, 0.2, 3, ""), HOSTILE[0])])
    assert "<img" not in drawn and "<b>" not in drawn and "onerror=alert(1)&gt;" in drawn
