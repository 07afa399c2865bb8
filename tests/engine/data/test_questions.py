"""Guesses for time, owner, cost and score in use, and the split that the page draws from their tables."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from engine.data.splits.plan import describe_split
from engine.data.splits.plan import plan_split as plan_exactly
from engine.data.tables.profile import profile_table
from engine.data.tables.questions import MOST_TIMES, NO_OWNER, NO_TIME, guess_questions
from engine.data.tables.reading import read_sheet
from engine.data.tables.target import to_dataset
from engine.spec import RunSpec
from engine.stats.split_plan import plan_split
from engine.stats.time_cuts import PARTS

RUN = RunSpec("t", "ce", folds=5, seeds=2)
N = 2000


def write(*, gaps: bool = False, date: bool = True) -> bytes:
    rng = np.random.default_rng(1)
    cards = rng.geometric(0.004, N) + 100
    first = "created," if date else ""
    lines = [first + "card_id,amount,risk_score,birth_date,colour,fraud"]
    for i in range(N):
        day = i * 300 // N
        when = f"2024-{1 + day // 25:02d}-{1 + day % 25:02d} {i % 24:02d}:30," if date else ""
        when = "," if date and gaps and i % 100 == 0 else when
        born, fraud = f"19{50 + i % 50}-03-{1 + i % 28:02d}", "yes" if rng.random() < 0.1 else "no"
        lines.append(f"{when}c{cards[i]},{rng.gamma(2) * 9:.2f},{rng.random():.3f},{born},{'rgb'[i % 3]},{fraud}")
    return "\n".join(lines).encode()


@pytest.fixture(scope="module")
def sheet():
    return read_sheet(write(), "t.csv")


def test_what_is_guessed_and_why(sheet):
    found = profile_table(sheet, "fraud")["questions"]
    json.dumps(found, allow_nan=False)
    assert found["time"]["column"] == "created" and found["time"]["reason"] == "Guessed: a date in every row."
    values = len(set(sheet.column("card_id").values.tolist()))
    repeats = round(100 * (np.bincount(sheet.column("card_id").values) > 1).sum() / values)
    assert found["group"]["column"] == "card_id"
    assert found["group"]["reason"] == f"Guessed: {values} values, {repeats} of 100 repeat."
    assert found["cost"]["columns"][0] == "amount" and found["score"]["columns"][0] == "risk_score"
    assert found["cost"]["column"] is None and found["score"]["column"] is None
    assert "birth_date" in found["time"]["columns"] and "colour" not in found["group"]["columns"]
    gaps = guess_questions(read_sheet(write(gaps=True), "t.csv"), "fraud")
    assert gaps["time"]["reason"] == "Guessed: a date in 1,980 of 2,000 rows."


def test_a_table_without_dates_and_owners():
    lines = ["a,b,left", *(f"{i % 7}.5,{'xy'[i % 2]},{'no' if i % 4 else 'yes'}" for i in range(200))]
    found = guess_questions(read_sheet("\n".join(lines).encode(), "t.csv"), "left")
    assert (found["time"]["column"], found["time"]["reason"]) == (None, NO_TIME)
    assert (found["group"]["column"], found["group"]["reason"]) == (None, NO_OWNER)
    assert plan_split(found)["kind"] == "random"
    born = guess_questions(read_sheet(write(date=False), "t.csv"), "fraud")
    assert born["time"]["column"] is None and born["time"]["columns"] == ["birth_date"]


@pytest.mark.parametrize("delay", [0.0, 7.0, 30.0])
def test_the_page_draws_the_split_that_is_made(sheet, delay):
    questions = json.loads(json.dumps(guess_questions(sheet, "fraud", "yes")))
    data = to_dataset(sheet, "fraud", "yes", time="created", group="card_id")
    drawn = plan_split(questions, time="created", delay=delay)
    plan = plan_exactly(data, RUN, "time", delay)
    made = describe_split(plan, data, RUN, "created", None)
    assert drawn["refusal"] == "" and drawn["parts"] == made["parts"] and drawn["dropped"] == made["dropped"]
    assert drawn["notes"] == made["notes"] and drawn["unit"] == made["unit"] == "days"


def test_rows_that_owners_cost_are_estimated(sheet):
    questions = guess_questions(sheet, "fraud", "yes")
    data = to_dataset(sheet, "fraud", "yes", time="created", group="card_id")
    drawn = plan_split(questions, time="created", group="card_id", delay=7.0)
    made = describe_split(plan_exactly(data, RUN, "time-group", 7.0), data, RUN, "created", "card_id")
    assert drawn["kind"] == "time-group" and abs(len(drawn["parts"]) - len(made["parts"])) <= 1
    assert drawn["dropped"]["owner"] == pytest.approx(made["dropped"]["owner"], rel=0.35) and made["dropped"]["owner"] > 200
    for name in PARTS:
        assert drawn["parts"][-1][name]["rows"] == pytest.approx(made["parts"][-1][name]["rows"], rel=0.4)


def test_many_times_are_joined_to_a_few(sheet):
    rows = np.arange(20_000)
    lines = "\n".join(["step,y", *(f"{i}.5,{'ab'[i % 5 == 0]}" for i in rows.tolist())])
    questions = guess_questions(read_sheet(lines.encode(), "t.csv"), "y", "b")
    table = questions["time"]["tables"]["step"]
    assert questions["time"]["column"] == "step" and len(table["at"]) <= MOST_TIMES
    assert np.sum(table["counts"]) == 20_000
    drawn = plan_split(questions, time="step", delay=100.0)
    assert drawn["unit"] == "units" and len(drawn["parts"]) == 4
    sizes = [part["test"]["rows"] for part in drawn["parts"]]
    assert sizes == pytest.approx([2000] * 4, abs=60)


def test_what_cannot_be_split_says_why(sheet):
    questions = guess_questions(sheet, "fraud", "yes")
    for words, says in (
        ({"time": "created", "delay": 500.0}, "delay of 500"),
        ({"split": "time"}, "Name the column that says when"),
        ({"split": "group"}, "Name the column that says whom"),
        ({"time": "colour"}, "holds no dates"),
    ):
        found = plan_split(questions, **words)
        assert says in found["refusal"] and found["parts"] == [] and found["refusal"].endswith(".")


def test_owners_alone(sheet):
    questions = guess_questions(sheet, "fraud", "yes")
    drawn = plan_split(questions, group="card_id")
    assert drawn["kind"] == "group" and len(drawn["parts"]) == 5
    assert sum(drawn["parts"][0][name]["rows"] for name in PARTS) == pytest.approx(N, abs=2)
    assert any("all rows of an owner" in note for note in drawn["notes"])
    few = replace(sheet, columns=tuple(c for c in sheet.columns if c.name != "card_id"))
    assert guess_questions(few, "fraud")["group"]["column"] is None
