"""The guess of seconds of a method on a table: its law, what comparisons made here move, and where there is none."""

from __future__ import annotations

import pytest

from engine.spec import row_seconds
from engine.spec.choices import list_choices
from engine.spec.contest import INSTALLED
from engine.spec.row_seconds import (
    KNOWN_SPREAD,
    MEASURED,
    SPREAD,
    TABLES,
    Guess,
    Pace,
    Timing,
    count_width,
    guess_seconds,
    learn_pace,
    read_timings,
    round_range,
)
from tests.engine.contenders import CATALOG


def test_every_method_for_tables_was_measured():
    named = {choice.name for choice in list_choices(CATALOG, 2, {})[0]} - set(INSTALLED)
    assert set(MEASURED) == named and all(len(values) == len(TABLES) for values in MEASURED.values())
    assert not [name for name in named if guess_seconds(name, 1000, 10) is None]


def test_a_law_goes_through_what_was_measured(monkeypatch):
    made = {name: 0.001 * rows**1.5 * columns**0.5 for name, (rows, columns) in TABLES.items()}
    monkeypatch.setattr(row_seconds, "MEASURED", {"made": tuple(made.values()), "once": (1.0, None, None, None)})
    row_seconds._fit_law.cache_clear()
    for rows, columns in ((500, 10), (2000, 40), (4174, 100)):
        guess = guess_seconds("made", rows, columns)
        assert guess.middle == pytest.approx(0.001 * rows**1.5 * columns**0.5, rel=1e-6)
        assert (guess.low, guess.high) == pytest.approx((guess.middle / SPREAD, guess.middle * SPREAD)) and not guess.here
    assert guess_seconds("once", 500, 10) is None, "one table tells nothing of others"
    near, far = guess_seconds("made", 4174, 10), guess_seconds("made", 4 * 4174, 10)
    assert far.high / far.middle > near.high / near.middle and far.middle == pytest.approx(8 * near.middle)
    row_seconds._fit_law.cache_clear()


def test_comparisons_made_here_move_a_guess_and_narrow_it():
    plain, other = guess_seconds("ce", 1000, 10), guess_seconds("smote", 1000, 10)
    pace = learn_pace([Timing("ce", 1000, 10, 3 * plain.middle), Timing("ce", 1000, 10, 3 * plain.middle)])
    moved, also = guess_seconds("ce", 1000, 10, pace), guess_seconds("smote", 1000, 10, pace)
    assert moved.middle == pytest.approx(3 * plain.middle) and moved.here
    assert moved.high / moved.middle == pytest.approx(KNOWN_SPREAD)
    assert also.middle == pytest.approx(3 * other.middle) and not also.here and also.high / also.middle == pytest.approx(SPREAD)


def test_a_method_that_was_never_measured_has_a_guess_once_it_was_compared_here():
    assert guess_seconds("mine", 500, 10) is None and guess_seconds("mine", 500, 10, Pace()) is None
    pace = learn_pace([Timing("mine", 400, 10, 2.0), Timing("mine", 4000, 10, 90.0)])
    assert guess_seconds("mine", 800, 10, pace).middle == pytest.approx(4.0) and pace.machine == 1.0


def test_what_is_read_of_a_comparison():
    whole = {"name": "ce", "seconds": 6.0, "replicates": 10, "most_rows": None, "params": {"epochs": 200}}
    cut = [
        whole | {"name": "smote", "most_rows": 512},
        whole | {"name": "focal", "look": True},
        whole | {"name": "eos", "failed": "It failed."},
        whole | {"name": "dos", "params": {"epochs": 25}},
        whole | {"name": "forest", "params": {"trees": 24}},
        whole | {"name": "rus", "replicates": 0},
        whole | {"name": "forest+smote", "params": {}},
        whole | {"name": "gone"},
    ]
    found = {"data": {"used_rows": 300, "features": 4, "width": 9}, "protocol": {"folds": 5}, "methods": [whole, *cut]}
    assert read_timings(found, CATALOG) == [Timing("ce", 300, 9, 3.0)]
    assert read_timings({}, CATALOG) == [] and read_timings(found | {"protocol": None}, CATALOG) == []


@pytest.mark.parametrize(
    ("guess", "said"),
    [
        ((0.1, 0.3, 0.9), None),
        ((0.34, 0.7, 1.4), ("0.3", "1", "s")),
        ((2.2, 4.4, 8.8), ("2", "9", "s")),
        ((40, 70, 140), ("0.7", "2", "min")),
        ((900, 1800, 3600), ("20", "60", "min")),
        ((7200, 14400, 28800), ("2", "8", "h")),
    ],
    ids=str,
)
def test_a_range_is_rounded(guess, said):
    assert round_range(Guess(*guess)) == said


def test_columns_as_numbers():
    column = {"missing": 0, "levels": 0}
    profile = {
        "target": {"name": "y"},
        "dropped": [{"name": "id"}],
        "columns": [
            column | {"name": "y", "levels": 2}, column | {"name": "id"}, column | {"name": "when"}, column | {"name": "a"},
            column | {"name": "b", "missing": 3}, column | {"name": "c", "levels": 4, "missing": 2},
        ],
    }  # fmt: skip
    assert count_width(profile) == 1 + 1 + 2 + 4 and count_width(profile, ["when", None]) == 7
    assert count_width(profile | {"columns": profile["columns"][:1]}) == 1


def test_what_cannot_run_says_why(monkeypatch):
    choices, images = list_choices(CATALOG, 3, {"lightgbm": "4.6.0"})
    why = {choice.name: choice.why for choice in choices}
    assert why["ce"] == why["forest"] == why["lightgbm"] == "" and why["xgboost"] == "Not installed here."
    assert why["mesa"] == "It takes 2 classes at most; this table has 3." and "potential" not in why
    assert images == sum("tabular" not in entry["kinds"] for entry in CATALOG["methods"]) and "bagan" not in why
    assert next(choice.title for choice in choices if choice.name == "lightgbm") == "LightGBM 4.6.0"
    entry = next(entry for entry in CATALOG["methods"] if entry["name"] == "ce") | {"needs": ["no_such_module.part"]}
    assert list_choices({"methods": [entry]}, 2, {})[0][0].why == "Its module no_such_module is not installed here."
