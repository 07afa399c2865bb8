"""What is said of a finished run claims no more than its intervals."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from app.run.differences import list_differences
from app.run.shown import Shown
from app.views.lab.bodies import list_findings
from app.words.sentence import describe_setting
from engine.spec import Imbalance, RunSpec
from engine.spec.companions import list_companions
from engine.spec.result import Result
from tests.app import fabricate

CAREFUL: dict[str, Any] = {"folds": 4, "seeds": 5}


def shown(spec: RunSpec, *, moved: float | None = 0.4, sd: float = 0.001, **aps: float) -> Shown:
    """A run with these average precisions (by role); sd: independent luck of each run, small = clear differences."""
    members, why = list_companions(spec, fabricate.catalog())
    level = {"method": 0.45, "control": 0.40, "baseline": 0.35, "oracle": 0.60} | aps
    results: dict[str, Result | None] = {
        m.key: fabricate.result(m.spec, ap=level[m.role], sd=sd, seed=i, moved=moved if i == 0 else None)
        for i, m in enumerate(members)
    }
    nothing: Any = None
    return Shown(nothing, members, why, {}, results, None)


def told(*args: Any, **more: Any) -> str:
    return " ".join(list_findings(shown(*args, **more), 0))


def test_a_clear_case_says_all_of_it() -> None:
    said = told(fabricate.spec(**CAREFUL))
    assert "Points moved 0.40 sd (median)." in said and "All rows would add .2" in said
    assert "The method recovers 4" in said or "The method recovers 3" in said
    rows = list_differences(shown(fabricate.spec(**CAREFUL)))
    assert [row.word for row in rows[:-1]] == ["better"] * 3 and rows[-1].is_oracle


@pytest.mark.parametrize(("moved", "hardly"), [(0.049, True), (0.051, False)])
def test_points_that_hardly_moved(moved: float, hardly: bool) -> None:
    said = told(fabricate.spec(**CAREFUL), moved=moved)
    assert ("Points moved less than 0.05 sd (median)." in said) == hardly
    assert ("Points moved 0.05 sd (median)." in said) != hardly


def test_no_share_and_no_gain_unless_all_rows_are_clearly_above_plain_training() -> None:
    said = told(fabricate.spec(**CAREFUL), oracle=0.3501)
    assert "recovers" not in said and "would add" not in said and "No gain found from more real rows." in said


@pytest.mark.parametrize(("sd", "method"), [(0.001, 0.30), (0.001, 0.3502), (0.05, 0.36), (0.02, 0.352), (0.001, 0.45)])
def test_a_share_is_recovered_only_where_the_run_is_above_plain_training(sd: float, method: float) -> None:
    """A run that no interval puts above plain training recovers nothing that can be measured."""
    there = shown(fabricate.spec(**CAREFUL), method=method, control=0.30, oracle=0.9, sd=sd)
    (own,) = (row for row in list_differences(there) if row.key == "ce")
    said = " ".join(list_findings(there, 0))
    assert "recovers" in said and ("% of it" in said) == own.interval.above_zero
    assert (own.word == "better") == own.interval.above_zero


def test_one_split_and_natural_data_say_nothing_of_all_rows() -> None:
    assert "rows" not in told(fabricate.spec()) and "rows" not in told(fabricate.spec("glass2", ratio=None, **CAREFUL))
    assert {row.word for row in list_differences(shown(fabricate.spec()))} == {"one split"}


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (Imbalance("ratio", 50), "At 50:1"),
        (Imbalance("ratio", 50, where="train"), "At 50:1, in the training rows only"),
        (Imbalance("exponential", 10), "At 10:1, falling exponentially, in the training rows only"),
        (Imbalance("remove", rate=0.9), "With 90% of the rows of some classes removed, in the training rows only"),
    ],
)
def test_settings(made: Imbalance, words: str) -> None:
    assert describe_setting(dataclasses.replace(fabricate.spec(), imbalance=made)) == words
