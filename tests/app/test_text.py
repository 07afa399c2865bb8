"""Text from data shows letter by letter in markdown and in plotly; numbers carry their interval."""

from __future__ import annotations

import re

import pytest

from app.charts.palette import safe
from app.words.text import escape, format_difference, format_duration, format_interval, format_ratio
from engine.spec import fields
from engine.spec.fields import format_value
from engine.stats.intervals import Interval
from tests.app.fabricate import HOSTILE, TABLE


@pytest.mark.parametrize(
    "text", [*HOSTILE, "a_b_c", "# big", "- item", "1. item", ":smile:", "`code`", "x | y", "~~no~~", "a\nb", "\\*"]
)
def test_plain_leaves_no_markdown_character_bare(text: str) -> None:
    shown = escape(text, 500)
    assert not re.search(r"(?<!\\)(?:\\\\)*[*_`\[\]<>$#|~:]", shown), shown
    assert "\n" not in shown
    assert re.sub(r"\\(.)", r"\1", shown).replace("\u2060", "") == " ".join(text.split())


def test_plain_breaks_what_markdown_would_make_a_link_of() -> None:
    assert "www" not in escape("www.evil.example") and "http" not in escape("HTTPS://evil.example".lower())


def test_plain_cuts_long_text() -> None:
    assert escape("x" * 1000, 10) == "x" * 9 + "…"


@pytest.mark.parametrize("text", HOSTILE)
def test_safe_leaves_nothing_plotly_would_read_as_markup(text: str) -> None:
    assert not re.search(r"<|>|\$|%\{", safe(text, 500))


def test_numbers() -> None:
    whole, none = Interval(0.412, 0.36, 0.464, 20, "t"), Interval(0.412, float("nan"), float("nan"), 1, "none")
    assert format_interval(whole) == "0.41 [0.36, 0.46]" and format_interval(none) == "0.41"
    assert format_interval(Interval(float("nan"), float("nan"), float("nan"), 0, "")) == "not defined"
    assert format_difference(Interval(-0.0421, -0.08, 0.0002, 20, "t")) == "−0.042 [−0.080, 0.000]"
    assert [format_ratio(v) for v in (50, 11.59, 1, 128.6)] == ["50:1", "11.6:1", "1:1", "129:1"]
    assert [format_duration(v) for v in (0.44, 12, 200, 3900)] == ["0.4 s", "12 s", "3 min 20 s", "1 h 5 min"]


@pytest.mark.parametrize(
    ("name", "value"), [("hidden", [128, 16]), ("learning_rate", 0.00025), ("learning_rate", 1.0), ("epochs", 7)]
)
def test_written_is_read_back_by_parse(name: str, value: object) -> None:
    described = next(d for d in TABLE if d["name"] == name)
    assert fields.parse(described, format_value(value), "x") == value
