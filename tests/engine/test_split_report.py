"""How a comparison's split shows: in the report, at the terminal, and in the code that is taken away."""

from __future__ import annotations

from typing import Any

from engine.commands.compare import summarise_comparison
from engine.report.comparison import write_comparison
from engine.report.comparison_code import write_row
from engine.report.split import summarise_split, write_split
from engine.stats.blocks import BY_TIME
from tests.engine.comparisons import HOSTILE, comparison


def by_time(name: str = "day", **more: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A comparison that is split by time, as `engine.compare.comparison.compare` has it."""
    found, arrays = comparison(**more)
    part = {"rows": 700, "counts": [640, 60], "from": "2024-01-01", "to": "2024-03-31"}
    found["split"] = {
        "kind": "time", "time": name,
        "group": None, "delay": 7.0, "unit": "days", "parts": [dict.fromkeys(("train", "valid", "test"), part)],
        "dropped": {"time": 0, "delay": 12, "owner": 0}, "notes": ["Between the parts 7 days of delay: 12 rows left out."],
    }  # fmt: skip
    found["interval"], found["interval_covers"] = BY_TIME, "It covers other rows. It does not cover a later time."
    found["optimism"] = {
        "random": 0.42, "used": 0.36, "difference": {"mean": 0.06, "low": 0.03, "high": 0.09}, "shown": True,
        "text": "A random split reads too high: average precision .420 at random, .360 by time; difference +.030 to +.090.",
    }  # fmt: skip
    found["spec"] |= {"time": name, "delay": 7.0}
    return found, arrays


def test_the_report_has_the_parts_what_intervals_cover_and_the_finding():
    found, arrays = by_time()
    page = write_comparison(found, arrays)
    for text in (
        "How the rows are split",
        "by time: trained on the past",
        "2024-01-01 \N{EN DASH} 2024-03-31",
        "1: validation",
        "60",
    ):
        assert text in page
    assert "7 days" in page and "It does not cover a later time." in page and "reads too high" in page
    assert "The others form" not in page  # folds of a random split


def test_a_comparison_of_before_has_no_such_section():
    found, arrays = comparison()
    assert write_split(found) == "" and summarise_split(found) == []
    page = write_comparison(found, arrays)
    assert "How the rows are split" not in page and "The others form" in page


def test_the_terminal_says_it_too():
    found, _ = by_time()
    for row in found["methods"]:
        row["failed"] = None
    found["provenance"]["device"] = "cpu"
    said = summarise_comparison(found)
    for text in ("12 rows left out", "It does not cover a later time", "A random split reads too high", BY_TIME):
        assert text in said
    said.encode("ascii")


def test_the_code_splits_as_the_comparison_did():
    found, _ = by_time()
    found["reading"] = {"format": "text", "columns": []}
    code = write_row(found, "smote")
    compile(code, "code", "exec")
    assert "to_dataset(sheet, target, positive, time='day')" in code
    assert "plan = plan_split(rows, spec, 'time', 7.0)" in code and "plan.cut(rows, spec, seed)[fold]" in code
    assert "from engine.data.split import split" not in code


def test_names_of_columns_are_text():
    found, arrays = by_time(HOSTILE)
    page = write_comparison(found, arrays)
    assert "<script>" not in page and "&lt;script&gt;" in page
    found["reading"] = {"format": "text", "columns": []}
    compile(write_row(found, "smote"), "code", "exec")
