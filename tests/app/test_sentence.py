"""The sentence claims no more than the intervals allow."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from app.words.sentence import Story, describe_setting, write_story
from engine.spec import Imbalance, RunSpec
from engine.spec.companions import Companion, list_companions
from engine.spec.result import Result
from tests.app import fabricate


def told(
    spec: RunSpec, *, moved: float | None = 0.4, sd: float = 0.001, only: tuple[str, ...] | None = None, **aps: float
) -> Story:
    """A story with these average precisions (by role); sd: independent luck of each run, small = clear differences."""
    members, why = list_companions(spec, fabricate.catalog())
    level = {"method": 0.45, "control": 0.40, "baseline": 0.35, "oracle": 0.60} | aps
    results: dict[str, Result | None] = {
        m.key: fabricate.result(m.spec, ap=level[m.role], sd=sd, seed=i, moved=moved if i == 0 else None)
        for i, m in enumerate(members)
        if only is None or m.role in only
    }
    return write_story(members, results, native=11.6, why=why)


def words(value: Story) -> str:
    return " ".join((value.headline, *value.findings, value.fine))


CAREFUL: dict[str, Any] = {"folds": 4, "seeds": 5}


def test_a_clear_case_says_all_of_it() -> None:
    said = told(fabricate.spec(**CAREFUL))
    assert said.headline.startswith("At 20:1 Explicit gradient reaches average precision **0.4")
    for part in ("the same points frozen 0.", "CE, equal steps 0.", "Plain training", "the withheld real rows would give 0."):
        assert part in said.headline
    assert "**Moving helps** here: +0.0" in words(said)
    assert "% is recovered" in words(said) and "corrected resampled t" in said.fine and "n = 20 replicates" in said.fine
    assert "4.76% of the test rows are positive" in said.fine


def test_moving_is_said_to_help_only_above_frozen_not_above_ce() -> None:
    said = words(told(fabricate.spec(**CAREFUL), control=0.4501))
    assert "Moving helps" not in said and "cannot be told" in said
    assert "is ahead of Plain training" in said


def test_overlap_and_harm_are_said() -> None:
    assert "Moving hurts" in words(told(fabricate.spec(**CAREFUL), control=0.55))
    noisy = words(told(fabricate.spec(**CAREFUL), sd=0.3))
    assert "cannot be told" in noisy and "cannot be told apart from Plain training" in noisy and "Moving helps" not in noisy


@pytest.mark.parametrize(("moved", "hardly"), [(0.049, True), (0.051, False)])
def test_points_that_hardly_moved(moved: float, hardly: bool) -> None:
    assert ("hardly moved" in words(told(fabricate.spec(**CAREFUL), moved=moved))) == hardly


def test_no_share_and_no_potential_unless_the_potential_is_clearly_above_ce() -> None:
    said = words(told(fabricate.spec(**CAREFUL), oracle=0.3501))
    assert "is recovered" not in said and "would give" not in said and "no share to recover" in said
    assert "none is recovered" in words(told(fabricate.spec(**CAREFUL), method=0.30))


def test_native_data_have_no_potential_and_say_why() -> None:
    said = told(fabricate.spec("glass2", ratio=None, **CAREFUL))
    assert said.headline.startswith("As the data come (11.6:1)") and "no row was withheld" in words(said)
    assert "recovered" not in words(said)


def test_one_replicate_is_a_quick_look() -> None:
    said = told(fabricate.spec())
    assert "stratified bootstrap" in said.fine and "n = 1 replicate." in said.fine and "quick look" in said.fine


def test_what_is_not_there_yet_is_left_out() -> None:
    said = words(told(fabricate.spec(**CAREFUL), only=("method",)))
    assert "frozen" not in said and "recovered" not in said and "Moving" not in said


def test_baseline_and_oracle_alone() -> None:
    assert "the withheld rows are worth" in words(told(fabricate.spec(method="ce", **CAREFUL))).lower()
    assert "never ranked" in words(told(fabricate.spec(method="potential", **CAREFUL)))


def test_several_classes_are_macro() -> None:
    assert "averaged over the classes" in told(fabricate.spec("wine", ratio=None)).fine


def test_a_label_is_harmless() -> None:
    spec = fabricate.spec()
    member = Companion("x", "**bold** <b>", "method", spec)
    assert "\\*\\*bold" in write_story([member], {"x": fabricate.result(spec)}).headline


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
