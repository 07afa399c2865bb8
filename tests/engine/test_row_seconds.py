"""The guess of seconds of a method on a table: its law, what comparisons made here move, and where there is none."""

from __future__ import annotations

import pytest

from engine.errors import BadInput
from engine.events import finish
from engine.methods import method
from engine.spec import row_seconds
from engine.spec.choices import list_choices
from engine.spec.contest import INSTALLED
from engine.spec.limits import count_validation_rows
from engine.spec.row_seconds import (
    KNOWN_SPREAD,
    MEASURED,
    SLACK,
    SPREAD,
    TABLES,
    Guess,
    Pace,
    Size,
    Timing,
    count_width,
    guess_seconds,
    learn_pace,
    read_timings,
    round_range,
)
from engine.training.camera import Camera
from tests.engine.contenders import CATALOG
from tests.engine.tasks import blobs, task

SIZE = Size(1000, 10, 200)


def test_methods_for_tables_were_measured():
    named = {choice.name for choice in list_choices(CATALOG, (90, 10), {})[0]} - set(INSTALLED)
    assert set(MEASURED) <= named and all(len(values) == len(TABLES) for values in MEASURED.values())
    assert len(named - set(MEASURED)) <= 5, "new ones are to be measured: python -m benchmarks.row_seconds"
    assert {name for name in named if guess_seconds(name, SIZE) is None} == named - set(MEASURED)


@pytest.mark.parametrize("name", ["made", "rus"])
def test_a_law_is_near_what_was_measured(monkeypatch, name):
    def take(size):
        other = size.columns * size.balanced if name == "rus" else size.columns
        return 0.002 * size.rows**1.2 * other**0.5

    monkeypatch.setattr(row_seconds, "MEASURED", {name: tuple(map(take, TABLES.values())), "once": (1.0, None, None, None)})
    row_seconds._fit_law.cache_clear()
    for size in (Size(500, 10, 100), Size(2000, 20, 300), Size(4174, 30, 200)):
        guess = guess_seconds(name, size)
        assert guess.middle == pytest.approx(take(size), rel=0.15)
        assert (guess.low, guess.high) == pytest.approx((guess.middle / SPREAD, guess.middle * SPREAD)) and not guess.here
    assert guess_seconds("once", SIZE) is None, "one table tells nothing of others"
    near, far = guess_seconds(name, Size(4174, 10, 64)), guess_seconds(name, Size(4 * 4174, 10, 64))
    assert far.high / far.middle > near.high / near.middle and far.middle > 4 * near.middle
    row_seconds._fit_law.cache_clear()


def test_seconds_grow_with_the_table_and_no_law_runs_away():
    for name in MEASURED:
        small, large = guess_seconds(name, Size(300, 5, 60)), guess_seconds(name, Size(6000, 60, 1200))
        assert small.middle < large.middle < 1e4, name
        assert 0 < small.low < small.middle < small.high, name


def test_comparisons_made_here_move_a_guess_and_narrow_it():
    plain, other = guess_seconds("ce", SIZE), guess_seconds("smote", SIZE)
    taken = 3 * plain.middle + 2 * SLACK
    pace = learn_pace([Timing("ce", SIZE, taken), Timing("ce", SIZE, taken)])
    moved, also = guess_seconds("ce", SIZE, pace), guess_seconds("smote", SIZE, pace)
    assert moved.middle == pytest.approx(3 * plain.middle) and moved.here
    assert moved.high / moved.middle == pytest.approx(KNOWN_SPREAD)
    assert also.middle == pytest.approx(3 * other.middle) and not also.here and also.high / also.middle == pytest.approx(SPREAD)

    short = learn_pace([Timing("logistic", Size(214, 9, 34), 0.5)])
    assert 1 < short.machine < 2, "half a second more says nothing of long trainings"


def test_a_method_that_was_never_measured_has_a_guess_once_it_was_compared_here():
    assert guess_seconds("mine", SIZE) is None and guess_seconds("mine", SIZE, Pace()) is None
    pace = learn_pace([Timing("mine", Size(400, 10, 80), 2.0), Timing("mine", Size(4000, 10, 80), 90.0)])
    assert guess_seconds("mine", Size(800, 10, 80), pace).middle == pytest.approx(4.0) and pace.machine == 1.0


def test_runs_of_the_lab_move_what_was_not_compared():
    plain, other, drawing = guess_seconds("ce", SIZE), guess_seconds("smote", SIZE), 2.0
    run = Timing("ce", SIZE, 3 * (plain.middle + SLACK + drawing) - SLACK, drawing)
    pace = learn_pace([run])
    moved, also = guess_seconds("ce", SIZE, pace), guess_seconds("smote", SIZE, pace)
    assert moved.middle == pytest.approx(3 * plain.middle) and not moved.here, "less what was spent on pictures"
    assert moved.high / moved.middle == pytest.approx(SPREAD) and also.middle == pytest.approx(3 * other.middle)
    compared = Timing("ce", SIZE, plain.middle)
    assert learn_pace([run, compared]) == learn_pace([compared]), "a comparison of the method counts alone"
    mixed = learn_pace([run, Timing("smote", SIZE, other.middle)])
    assert mixed.machine == pytest.approx(1) and guess_seconds("ce", SIZE, mixed).middle == pytest.approx(3 * plain.middle)
    mine = guess_seconds("mine", SIZE, learn_pace([Timing("mine", SIZE, 5.0, drawing)]))
    assert (mine.low, mine.middle, mine.here) == (pytest.approx(3.0 / SPREAD), pytest.approx(3.0), False)


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
    found = {
        "data": {"counts": {"a": 260, "b": 40}, "features": 4, "width": 9},
        "protocol": {"folds": 5},
        "methods": [whole, *cut],
    }
    assert read_timings(found, CATALOG) == [Timing("ce", Size(300, 9, 80), 3.0)]
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
        "dropped": 3,  # rows without an answer
        "left_out": [{"name": "id", "kind": "id"}],
        "columns": [
            column | {"name": "y", "levels": 2}, column | {"name": "id"}, column | {"name": "when"}, column | {"name": "a"},
            column | {"name": "b", "missing": 3}, column | {"name": "c", "levels": 4, "missing": 2},
        ],
    }  # fmt: skip
    assert count_width(profile) == 1 + 1 + 2 + 4 and count_width(profile, ["when", None]) == 7
    assert count_width(profile | {"columns": profile["columns"][:1]}) == 1


def test_what_cannot_run_says_why(monkeypatch):
    choices, images = list_choices(CATALOG, (60, 30, 10), {"lightgbm": "4.6.0"})
    why = {choice.name: choice.why for choice in choices}
    assert why["ce"] == why["forest"] == why["lightgbm"] == "" and why["xgboost"] == "Not installed here."
    assert why["mesa"] == "It takes 2 classes at most; this table has 3." and "potential" not in why
    assert images == sum("tabular" not in entry["kinds"] for entry in CATALOG["methods"]) and "bagan" not in why
    assert next(choice.title for choice in choices if choice.name == "lightgbm") == "LightGBM 4.6.0"
    entry = next(entry for entry in CATALOG["methods"] if entry["name"] == "ce") | {"needs": ["no_such_module.part"]}
    assert list_choices({"methods": [entry]}, (90, 10), {})[0][0].why == "Its module no_such_module is not installed here."


@pytest.mark.parametrize("rows, why", [(8, ""), (7, "It needs 2 validation rows of every class; of the smallest there is 1.")])
def test_the_limit_of_a_method_closes_it_with_the_sentence_of_its_error(rows, why):
    choices, _ = list_choices(CATALOG, (92, rows), {})
    assert {choice.name: choice.why for choice in choices if choice.name not in INSTALLED and choice.why} == (
        {"mesa": why} if why else {}
    )
    on = task(blobs((92, rows)), ratio=None, folds=3, seeds=1)
    assert int(on.valid.counts(2).min()) == count_validation_rows(rows)
    if why:
        with pytest.raises(BadInput, match=f"^mesa: {why}$"):
            finish(method("mesa")().fit(on, camera=Camera(on, 0)))
    else:
        method("mesa")().refuse_few_valid(on)
