"""What is told of a cut: one sentence, lines at the terminal, the section of the report, the code taken away."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from engine.events import pack
from engine.report.comparison import write_comparison
from engine.report.comparison_code import find_cut, write_row
from engine.report.decide import list_remarks, say_decision, summarise_decide, write_decide
from engine.stats.decide import read_decide
from tests.engine.comparisons import HOSTILE, comparison, tables
from tests.engine.decide.made import SPEC, N, compared, table


def decided(kind="alerts", value=5.0, per="1000", unit="row", alerts=5.0, precision=0.61, recall=0.34):
    def one(mean):
        return None if mean is None else {"mean": mean, "low": mean / 2, "high": min(1.0, 2 * mean)}

    return {
        "row": "ce", "rule": {"kind": kind, "value": value, "per": per, "miss": 1.0, "alarm": 1.0}, "unit": unit, "alerts": one(alerts),
        "precision": one(precision), "recall": one(recall), "cut": one(0.4), "net_benefit": one(1.5), "cost": one(9.0), "reached": 3,
        "replicates": 3, "ties": {"cases": 1.0, "flagged": "none"}, "note": "", "cuts": [0.3, 0.5, None],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({}, "At 5 alerts per 1,000, 61 of 100 alerts are right and 34 of 100 fraud are found."),
        (
            {"alerts": 7.31},
            "At 5 alerts per 1,000 (7.31 on test rows), 61 of 100 alerts are right and 34 of 100 fraud are found.",
        ),
        ({"kind": "f-beta", "value": 1.0, "alerts": 12.34}, "At 12.3 alerts per 1,000, 61 of 100 alerts are right"),
        ({"value": 100.0, "per": "day", "unit": "owner"}, "At 100 alerts a day (an owner counts once), 61 of 100"),
        ({"kind": "recall", "value": 0.9, "recall": None, "precision": None}, "No cut reaches recall .9."),
        ({"kind": "precision", "value": 0.75, "recall": None}, "No cut reaches precision .75."),
        ({"precision": None, "recall": 0.0, "alerts": 0.0}, "At 5 alerts per 1,000 (0 on test rows), no row is flagged."),
    ],
)
def test_one_sentence_tells_what_the_cut_does(how, said):
    assert say_decision(decided(**how), "fraud").startswith(said)
    assert say_decision(None, "fraud") == ""


def test_a_class_that_is_no_word_is_called_a_class():
    assert say_decision(decided(), "1").endswith("34 of 100 rows of class 1 are found.")


def test_remarks_tell_ties_and_replicates_that_miss_the_goal():
    found = decided() | {"ties": {"cases": 3.5, "flagged": "none"}, "reached": 2, "note": "A note."}
    assert list_remarks(found) == [
        "On average 3.5 validation rows tie just below the cut. None of them fits the budget.",
        "In 1 of 3 replicates no cut reaches it on validation rows; there no row is flagged.",
        "A note.",
    ]
    assert list_remarks(decided()) == []


def whole(**how):
    """A comparison with a cut: its JSON, its arrays, tables and cuts."""
    found, arrays = comparison(methods=(("ce", "Plain training", 0.4, 10), ("forest", "Forest", 0.5, 10)), best="forest")
    own, kept, _ = compared(table(), replace(SPEC, **how))
    cuts = {name.removeprefix("decide/"): value for name, value in kept.items()}
    return found | {"decide": own}, arrays, tables(found, arrays), cuts


def test_the_terminal_tells_it_with_intervals():
    found, _, _, _ = whole(alerts=50.0)
    lines = summarise_decide(found)
    assert lines[0].startswith("Forest: At 50 alerts per 1,000") and lines[1].startswith("Cut 0.")
    assert re.search(r"read on test rows: precision \d\.\d+ \[\d\.\d+, \d\.\d+\]; recall", lines[1])
    assert all(line.isascii() for line in lines)
    assert summarise_decide(comparison()[0]) == []


def test_the_report_has_the_decision_in_place_of_thresholds_chosen_on_test_rows():
    found, arrays, kept, cuts = whole(alerts=50.0)
    text = write_comparison(found, arrays, kept, cuts=cuts)
    assert 'id="decide"' in text and 'id="thresholds"' not in text and say_decision(found["decide"], "yes") in text
    section = write_decide(found, cuts)
    assert section.count("<svg") == 3 and section.count("<table") == 3
    at = read_decide(cuts["forest"])["readings"]["recall"]["mean"]
    assert f"{at:.3f}" in section and "Prior-corrected" in section and "nan" not in section.lower()
    old = write_comparison({k: v for k, v in found.items() if k != "decide"}, arrays, kept)
    assert 'id="thresholds"' in old and 'id="decide"' not in old


def test_names_from_the_data_are_escaped_in_the_section():
    found, _, _, cuts = whole()
    found["data"]["positive"] = HOSTILE
    for row in found["methods"]:
        row["title"] = HOSTILE
    section = write_decide(found, cuts)
    assert "<script" not in section and "onload=x" not in re.sub(r"&[a-z#0-9]+;", "", re.findall(r"<[^>]*>", section)[0])
    assert all("alert('x')" not in tag for tag in re.findall(r"<[a-z][^>]*>", section))


def test_a_goal_out_of_reach_has_a_dash_and_no_picture_fails():
    data = table()
    found, kept, _ = compared(replace(data, y=np.random.default_rng(5).permutation(data.y)), replace(SPEC, alerts=1.0))
    base, _ = comparison(methods=(("ce", "Plain training", 0.4, 10), ("forest", "Forest", 0.5, 10)), best="forest")
    section = write_decide(base | {"decide": found}, {k.removeprefix("decide/"): v for k, v in kept.items()})
    assert "\N{EN DASH}" in section and "nan" not in section.lower()


def test_the_code_taken_away_uses_the_cut():
    found, _, _, _ = whole(alerts=50.0)
    cut = np.mean([c for c in found["decide"]["cuts"] if c is not None])
    code = write_row(found, "forest")
    compile(code, "taken", "exec")
    assert find_cut(found, "forest") == (pytest.approx(cut, abs=1e-6), 1) and find_cut(found, "ce") is None
    assert "cut, looked_for = 0." in code and "flagged, rare = probability[:, looked_for] >= cut" in code
    assert "looked_for" not in write_row(found, "ce")
    lines = [line[4:] for line in code.splitlines() if line.startswith(("    flagged,", "    hits"))]
    y, score = np.arange(N) % 5 == 0, np.linspace(0, 1, N)
    space = {
        "probability": np.stack([1 - score, score], 1), "y": y.astype(int), "parts": type("P", (), {"test": np.arange(N)}), "hits": [],
        "cut": cut, "looked_for": 1,
    }  # fmt: skip
    exec("\n".join(lines), space)
    assert space["hits"] == [[(y & (score >= cut)).sum(), (score >= cut).sum(), y.sum(), N]]


def test_the_arrays_survive_the_file():
    _, _, _, cuts = whole()
    assert pack(dict(cuts["ce"]))
