"""Hostile text, wherever it goes, stays text."""

from __future__ import annotations

import csv
import io
import math

import numpy as np
import pytest

from engine.text import UNSEEN, csv_cell, csv_table, escape_block, html, latex, markdown, one_line
from tests.engine.hostile import NAMES, Page


@pytest.mark.parametrize("text", NAMES)
def test_html_is_text_in_elements_and_attributes(text):
    seen = Page(f"<p title=\"{html(text)}\" class='{html(text)}'>{html(text)}</p>")
    assert seen.elements == [("p", {"title": one_line(text), "class": one_line(text)})]
    assert seen.text == one_line(text) and not seen.other
    assert "\n" not in html(text)


@pytest.mark.parametrize("text", NAMES)
def test_markdown_has_no_markup_left(text):
    made = markdown(text)
    assert "<" not in made and "\n" not in made
    bare = made.replace("\\\\", "")
    for sign in "|`*_[]()#!{}:.":
        assert bare.count(sign) == bare.count(f"\\{sign}") + (bare.count("&#64;") if sign == "#" else 0), sign


@pytest.mark.parametrize("text", NAMES)
def test_latex_has_no_command_of_the_data(text):
    made = latex(text)
    for ours in ("textbackslash", "textasciicircum", "textasciitilde", "textless", "textgreater", "textbar", "char34"):
        made = made.replace(f"\\{ours}{{}}", "")
    made = made.replace("\\textasciigrave{}", "")
    for sign in "{}$&#%_":
        made = made.replace(f"\\{sign}", "")
    made = made.replace("-{}", "").replace("'{}", "").replace("{[}", "").replace("{]}", "")
    assert not set(made) & set('\\{}$&#%_^~<>|"`[]')


FORMULA = [t for t in NAMES if t != "-3.5" and t.lstrip(' \ufeff"\t\r\n')[:1] in tuple("=+-@\uff1d")]


@pytest.mark.parametrize("text", FORMULA)
def test_formulas_are_text_in_a_csv(text):
    assert csv_cell(text).startswith("'")
    (row,) = csv.reader(io.StringIO(csv_table([[text, 1]]), newline=""))
    assert row[0].startswith("'") and row[1] == "1"


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_nor_where_a_spreadsheet_cuts_elsewhere(delimiter):
    assert f"{delimiter}=" not in csv_cell(f"a{delimiter}=1+1")
    assert f'{delimiter}"=' not in csv_cell(f'a{delimiter}"=1+1"')


def test_numbers_stay_numbers():
    assert [csv_cell(v) for v in (-3.5, 2, 2.0, np.float32(0.5), np.int64(-4), True, None, math.nan, 1e300, "-3.5", "+4e2", "")] == [
        "-3.5", "2", "2", "0.5", "-4", "True", "", "", "1e+300", "-3.5", "+4e2", "",
    ]  # fmt: skip
    assert csv_cell("-3.5.1") == "'-3.5.1" and csv_cell("plain, text") == "plain, text"


def test_cells_come_back_as_they_were():
    rows = [["a,b", 'say "x"', "two\nlines", "plain", 1.5], ["", "\u00e4\u4e2d", "3", "b", None]]
    back = list(csv.reader(io.StringIO(csv_table(rows), newline="")))
    assert back == [["a,b", 'say "x"', "two\nlines", "plain", "1.5"], ["", "\u00e4\u4e2d", "3", "b", ""]]


def test_a_block_keeps_its_lines_and_nothing_unseen():
    assert escape_block("if a < b:\n    c('&')\n") == "if a &lt; b:\n    c(&#x27;&amp;&#x27;)\n"
    for text in NAMES:
        assert Page(f"<pre>{escape_block(text)}</pre>").skeleton == [("pre", ())]
        assert len(escape_block(text).splitlines()) <= len(text.split("\n"))


def test_a_line_is_one_line_and_cut():
    assert one_line(" a \n\t b ") == "a b"
    assert one_line("abcdef", 4) == "abc\N{HORIZONTAL ELLIPSIS}"
    assert one_line("a\u202eb\x07\u2066") == f"a{UNSEEN}b{UNSEEN}{UNSEEN}"
    family = "\U0001f468\N{ZERO WIDTH JOINER}\U0001f467"
    assert one_line(family) == family
