"""The pictures of a sweep: what they show, and that a name from anywhere does nothing in them."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from app.charts import against_ratio, cost, heat, pr, recovered
from app.charts.against_ratio import Line
from app.charts.cost import Point
from app.charts.heat import BETTER, WORSE, Square
from app.charts.palette import distinct, stroke
from app.charts.recovered import Share
from tests.app.fabricate import HOSTILE

NAN = math.nan


def line(key: str = "smote", label: str = "SMOTE", shift: float = 0.0, n: int = 3, oracle: bool = False) -> Line:
    mean = np.array([0.8, 0.6, 0.4])[:n] + shift
    return Line(key, label, np.array([5.0, 20.0, 50.0])[:n], mean, mean - 0.05, mean + 0.05, oracle)


def test_lines_stand_over_their_ratios_with_bands_and_never_by_colour_alone() -> None:
    lines = [line(), line("ce", "Plain training", -0.1), line("potential", "Potential", 0.1, oracle=True)]
    fig = against_ratio.figure(lines, "Average precision", (0, 1))
    drawn = [t for t in fig.data if t.showlegend is not False]
    assert len(fig.data) == 6 and len(drawn) == 3  # three bands without a name
    assert len({(t.line.dash, t.marker.symbol) for t in drawn}) == 3
    assert "not ranked" in drawn[2].name and "not ranked" not in drawn[0].name
    assert list(fig.layout.xaxis.ticktext) == ["5:1", "20:1", "50:1"]
    assert list(against_ratio.figure(lines[:1], "AP", (0, 1), [2.0, 5.0, 200.0]).layout.xaxis.tickvals) == [2, 5, 20, 50, 200]
    low, high = fig.layout.yaxis.range
    assert -0.01 <= low < 0.25 and 0.95 < high <= 1.01
    assert "SMOTE: 0.800 at 5 to 1" in against_ratio.alt(lines, "Average precision")
    table = against_ratio.table([line(n=2), *lines])
    assert table.loc[0, "50:1"] == "" and table.loc[1, "50:1"] == "0.400 [0.350, 0.450]"


def test_a_single_ratio_has_its_interval_as_a_bar() -> None:
    fig = against_ratio.figure([line(n=1)], "AP", (0, 1))
    assert len(fig.data) == 1 and list(fig.data[0].error_y.array) == pytest.approx([0.05])
    none = Line("ce", "CE", np.array([5.0]), np.array([0.5]), np.array([NAN]), np.array([NAN]))
    assert np.isfinite(np.asarray(against_ratio.figure([none], "AP", (0, 1)).data[0].error_y.array)).all()


def test_the_heat_map_says_every_number_in_its_cell() -> None:
    squares = [
        [Square(0.0412, BETTER, full="+0.041"), Square(-0.02, WORSE), Square(None, why="failed")],
        [Square(-0.0002), Square(None, why="running"), Square(None, why="no such ratio")],
    ]
    columns = [("Two moons", "5:1"), ("Two moons", "20:1"), ("Glass", "5:1")]
    fig = heat.figure(["SMOTE", "Focal"], columns, squares)
    z = np.asarray(fig.data[0].z, dtype=float)
    assert z.shape == (2, 3) and np.isnan(z).sum() == 3
    assert list(fig.data[1].text) == ["+0.041 ▲", "−0.020 ▼", "failed", "0.000", "running", "no such ratio"]
    assert fig.data[0].zmax == -fig.data[0].zmin == pytest.approx(heat.DEEP)  # small differences stay pale
    assert len(set(fig.data[0].x)) == 3
    said = heat.alt(["SMOTE", "Focal"], columns, squares, "AP")
    assert "SMOTE: better on Two moons at 5:1 and worse on Two moons at 20:1" in said and "Focal: nowhere" in said
    assert len(heat.table(["SMOTE", "Focal"], columns, squares)) == 6


def test_names_cut_alike_keep_their_own_column_and_row() -> None:
    columns = [("a dataset with a long name, one", "5:1"), ("a dataset with a long name, two", "5:1")]
    fig = heat.figure(["m" * 60, "m" * 61], columns, [[Square(0.1), Square(0.2)], [Square(0.3), Square(0.4)]])
    assert len(set(fig.data[0].x)) == 2 and len(set(fig.data[0].y)) == 2
    assert "width" in fig.layout.to_plotly_json()


@pytest.mark.parametrize("colour", [c for _, c in heat.SCALE])
def test_black_can_be_read_on_every_cell(colour: str) -> None:
    def light(code: str) -> float:
        parts = [int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    assert (light(colour) + 0.05) / (light("#111111") + 0.05) > 4.5


def test_the_frontier_holds_what_nothing_cheaper_equals() -> None:
    points = [
        Point("ce", "Plain", 2.0, 0.40, 0.3, 0.5),
        Point("focal", "Focal", 3.0, 0.40, 0.3, 0.5),
        Point("smote", "SMOTE", 4.0, 0.55, NAN, NAN),
        Point("eos", "EOS", 90.0, 0.50, 0.4, 0.6),
        Point("potential", "Potential", 1.0, 0.90, 0.8, 1.0, oracle=True),
    ]
    assert [p.key for p in cost.find_frontier(points)] == ["ce", "smote"]
    fig = cost.figure(points, "AP")
    assert list(fig.data[0].x) == [2.0, 4.0]
    assert 1 < len(fig.layout.xaxis.tickvals) <= 7
    assert cost.table(points)["nothing cheaper is as good"].tolist() == ["", "yes", "", "yes", ""]
    assert "SMOTE 0.550 after 4 seconds" in cost.alt(points, "AP")
    alone = cost.figure(points[:1], "AP")
    assert len(alone.data) == 1 and len(alone.layout.xaxis.tickvals) >= 1


def test_shares_beyond_the_picture_stand_at_its_edge() -> None:
    shares = [
        Share("smote", "SMOTE", "Two moons, 5:1", 0.43, 0.12, 0.71),
        Share("focal", "Focal", "Two moons, 5:1", -4.0, -9.0, 1.0),
    ]
    fig = recovered.figure(shares)
    assert [list(t.x) for t in fig.data] == [[0.43], [recovered.NARROWEST]]
    assert fig.data[0].error_x.array[0] == pytest.approx(0.28)
    far = recovered.figure([Share("smote", "SMOTE", "A dataset whose name is long (and more), 50:1", 0.4, 0.1, 0.7)])
    assert far.data[0].y[0].startswith("1. A dataset") and far.data[0].y[0].endswith("…, 50:1")
    assert recovered.format_share(shares[0]) == "43% [12%, 71%]"
    assert recovered.format_share(shares[1]) == "−400% [−900%, 100%]"
    assert recovered.table(shares).shape == (2, 3) and "SMOTE on Two moons, 5:1 43%" in recovered.alt(shares)


def test_curves_of_one_method_have_pens_of_their_own_and_may_have_no_prevalence_in_common() -> None:
    recall = np.linspace(0, 1, 5)
    curves = [pr.Curve(f"run{i}", "SMOTE", recall, np.ones((2, 5)), 0.5, 0.4, 0.6, drawn=distinct(2)[i]) for i in range(2)]
    fig = pr.figure(curves, NAN)
    assert len({(t.line.color, t.line.dash) for t in fig.data if t.name}) == 2 and not fig.layout.shapes
    assert "random" not in pr.alt(curves, NAN) and pr.figure(curves, 0.1).layout.shapes
    assert pr.Curve("ce", "CE", recall, np.ones((1, 5)), 0.5, NAN, NAN).stroke == stroke("ce")


def test_names_from_anywhere_do_nothing() -> None:
    figures = [
        against_ratio.figure([line(label=name) for name in HOSTILE], "AP", (0, 1)),
        heat.figure(list(HOSTILE), [(name, "5:1") for name in HOSTILE], [[Square(None, why=n, full=n) for n in HOSTILE]] * 2),
        cost.figure([Point("ce", name, 1.0, 0.5, 0.4, 0.6) for name in HOSTILE], "AP"),
        recovered.figure([Share("ce", name, name, 0.5, 0.4, 0.6) for name in HOSTILE]),
    ]
    for fig in figures:
        text = json.dumps(fig.to_plotly_json(), default=str)
        assert "<img" not in text and "$x$" not in text and "%{{" not in text
