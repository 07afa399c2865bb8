"""Charts drawn by hand: what they say, where the ink is, and that no name becomes ink."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from engine.report.svg import MARKS, Line, Row, draw_bars, draw_intervals, draw_lines, draw_moves, draw_swatch, list_ticks
from tests.engine.hostile import NAMES, Page

NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


@pytest.mark.parametrize(
    ("low", "high", "found"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (-0.11, 0.13, [-0.1, -0.05, 0, 0.05, 0.1]),
        (3, 1234, [500, 1000]),
        (0.4121, 0.4139, [0.4125, 0.413, 0.4135]),
        (1, 1, []),
        (0, math.nan, []),
    ],
)
def test_ticks_are_round_and_inside(low, high, found):
    made = list_ticks(low, high)
    assert made == pytest.approx(found, abs=1e-12)
    assert len(made) <= 6


def path(svg: str) -> str:
    (found,) = re.findall(r'<path class="line [^"]*" d="([^"]*)"', svg)
    return found


def test_a_line_breaks_where_a_value_is_missing_and_stays_in_its_frame():
    y = np.array([0.0, 0.5, math.nan, 1.0, 7.0])
    svg = draw_lines([Line(np.arange(5) / 4, y, "a", "dot", 2)], label="x", x_title="a", y_title="b", size=(280, 210))
    drawn = path(svg)
    assert [c for c in drawn if c in "ML"] == ["M", "L", "M", "L"]
    numbers = [float(n) for n in NUMBER.findall(drawn)]
    assert max(numbers[0::2]) <= 272 and min(numbers[1::2]) >= 8 and max(numbers[1::2]) <= 174
    assert svg.count('class="mark a dot"') == 2  # of four known points, every other one
    assert path(draw_lines([Line(y, y)], label="", x_title="", y_title="")).count("M") == 2


def test_higher_values_are_drawn_higher_and_further_right():
    svg = draw_lines([Line(np.array([0.2, 0.7]), np.array([0.1, 0.9]))], label="x", x_title="", y_title="")
    x0, y0, x1, y1 = (float(n) for n in NUMBER.findall(path(svg)))
    assert x1 > x0 and y1 < y0


def test_intervals_lie_around_their_values():
    rows = [Row("a", 0.5, "0.5", 0.4, 0.6), Row("b", 0.3, "0.3", style="b", mark="diamond"), Row("c", math.nan, "none")]
    svg = draw_intervals(rows, label="x", x_title="score", level=0.35)
    low, high = (float(n) for n in re.match(r"M([\d.]+),[\d.]+H([\d.]+)", path(svg)).groups())
    at = float(re.search(r'mark a dot" transform="translate\(([\d.]+)', svg).group(1))
    assert low < at < high
    assert svg.count('class="mark') == 2 and svg.count('class="name"') == 3
    assert 'class="level"' in svg


def test_rows_that_are_all_alike_or_unknown_are_drawn():
    for rows in ([], [Row("a", math.nan, "-")], [Row("a", 0.0, "0", 0.0, 0.0)], [Row("a", 1e-9, "0"), Row("b", 1e9, "1")]):
        for svg in (draw_intervals(rows, label="x", x_title="y"), draw_bars(rows, label="x")):
            assert "nan" not in svg and "inf" not in svg


def test_a_bar_is_as_long_as_its_value():
    widths = [
        float(w) for w in re.findall(r'<rect[^>]* width="([\d.]+)"', draw_bars([Row("a", 100, ""), Row("b", 25, "")], label=""))
    ]
    assert widths[1] == pytest.approx(widths[0] / 4)


@pytest.mark.parametrize("kind", MARKS)
def test_every_mark_has_a_shape(kind):
    assert MARKS[kind].endswith("z") and len(Page(draw_swatch("a", kind)).elements) == 3


def test_no_name_becomes_ink():
    def drawn(name: str) -> list[Page]:
        return [
            Page(draw_intervals([Row(name, 0.5, name, 0.4, 0.6)], label=name, x_title=name)),
            Page(draw_bars([Row(name, 3, name)], label=name)),
            Page(draw_lines([Line(np.arange(2), np.arange(2))], label=name, x_title=name, y_title=name)),
        ]

    plain = [page.skeleton for page in drawn("plain")]
    for name in NAMES:
        pages = drawn(name)
        assert [page.skeleton for page in pages] == plain, repr(name)
        assert not any(page.other for page in pages)


def test_who_cannot_see_it_hears_it():
    page = Page(draw_bars([Row("a", 1, "one")], label="Rows: a 1"))
    assert page.elements[0][1]["role"] == "img" and page.elements[0][1]["aria-label"] == "Rows: a 1"
    assert page.elements[1][0] == "title" and page.texts[0] == "Rows: a 1"


def test_ways_of_points_begin_and_end_where_they_do_and_stay_in_the_picture():
    real, rare = np.array([[0.0, 0.0], [0.5, -0.5], [9.0, -9.0]]), np.array([False, True, True])
    svg = draw_moves(real, rare, np.array([[-1.0, -1.0]]), np.array([[1.0, 1.0]]), label="<ways>")
    (way,) = re.findall(r'<path class="trail a" d="([^"]*)"', svg)
    assert way == "M6,204L274,6"  # from the lower left to the upper right
    plain, larger = re.findall(r'<path class="dots ([bc])" d="([^"]*)"', svg)
    assert plain == ("b", "M140,105h.1") and larger[0] == "c" and larger[1].count("h.1") == 2
    assert "M274,204h.1" in larger[1]  # what lies outside is drawn at the edge
    assert svg.count('class="mark a diamond"') == 1 and 'aria-label="&lt;ways&gt;"' in svg
