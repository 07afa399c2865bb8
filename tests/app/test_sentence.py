"""The sentence claims no more than the intervals allow."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from app.words.sentence import Story, describe_setting, write_story
from engine.report.judge import hold_differences
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


def plain(text: str) -> str:
    """Markdown without what it is escaped by."""
    return text.replace("\\", "")


CAREFUL: dict[str, Any] = {"folds": 4, "seeds": 5}


def test_a_clear_case_says_all_of_it() -> None:
    said = told(fabricate.spec(**CAREFUL))
    assert plain(said.headline) == "Explicit gradient beats plain training."
    assert said.findings[0].startswith("At 20:1, average precision: **Explicit gradient 0.4")
    for part in ("Frozen 0.", "Equal steps 0.", "Plain training"):
        assert part in said.findings[0]
    assert "All rows would add ." in words(said) and "Moving beats frozen points." in words(said)
    assert "The method recovers 4" in words(said) and "corrected resampled t" in said.fine and "over 20 replicates" in said.fine
    assert "Difference in average precision: +." in plain(said.fine)
    assert "4.76% of the test rows are positive" in said.fine


def test_moving_is_said_to_help_only_above_frozen_not_above_ce() -> None:
    said = plain(words(told(fabricate.spec(**CAREFUL), control=0.4501)))
    assert "Moving beats" not in said and "No difference found between moving and frozen points." in said
    assert "No difference found between explicit gradient and equal steps." in said
    assert "beats plain training" not in said


def test_overlap_and_harm_are_said() -> None:
    harmed = plain(words(told(fabricate.spec(**CAREFUL), control=0.55)))
    assert "Moving is worse than frozen points." in harmed and "Frozen beats explicit gradient." in harmed
    noisy = plain(words(told(fabricate.spec(**CAREFUL), sd=0.3)))
    assert "No difference found between moving and frozen points." in noisy and "beats" not in noisy
    assert "No difference found between explicit gradient and plain training." in noisy


@pytest.mark.parametrize(("moved", "hardly"), [(0.049, True), (0.051, False)])
def test_points_that_hardly_moved(moved: float, hardly: bool) -> None:
    said = words(told(fabricate.spec(**CAREFUL), moved=moved))
    assert ("Points moved less than 0.05 sd (median)." in said) == hardly
    assert ("Points moved 0.05 sd (median)." in said) != hardly


def test_no_share_and_no_potential_unless_the_potential_is_clearly_above_ce() -> None:
    said = words(told(fabricate.spec(**CAREFUL), oracle=0.3501))
    assert "recovers" not in said and "would add" not in said and "No gain found from more real rows." in said
    assert "The method recovers no measurable share." in words(told(fabricate.spec(**CAREFUL), method=0.30))


@pytest.mark.parametrize(("sd", "method"), [(0.001, 0.30), (0.001, 0.3502), (0.05, 0.36), (0.02, 0.352), (0.001, 0.45)])
def test_a_share_is_recovered_only_where_the_run_is_above_plain_training(sd: float, method: float) -> None:
    """A run that no interval puts above plain training recovers nothing that can be measured."""
    members, why = list_companions(spec := fabricate.spec(**CAREFUL), fabricate.catalog())
    level = {"method": method, "control": 0.30, "baseline": 0.35, "oracle": 0.9}
    results: dict[str, Result | None] = {
        m.key: fabricate.result(m.spec, ap=level[m.role], sd=sd, seed=i) for i, m in enumerate(members)
    }
    main, base = results[members[0].key], results["ce"]
    assert main is not None and base is not None and spec == members[0].spec
    said = words(write_story(members, results, why=why))
    assert "recovers" in said and ("% of it" in said) == (hold_differences(members, results)["ce"][0].low > 0)


def test_native_data_have_no_potential_and_say_why() -> None:
    said = told(fabricate.spec("glass2", ratio=None, **CAREFUL))
    assert said.findings[0].startswith("Natural (11.6:1), average precision") and "No rows are removed" in words(said)
    assert "recovers" not in words(said)


def test_one_replicate_is_a_quick_look() -> None:
    said = told(fabricate.spec())
    assert "stratified bootstrap" in said.fine and "over 1 replicate." in said.fine and "another may differ" in said.fine
    assert "beats" not in words(said) and "recovers" not in words(said)


def test_what_is_not_there_yet_is_left_out() -> None:
    said = words(told(fabricate.spec(**CAREFUL), only=("method",)))
    assert "frozen" not in said and "recovers" not in said and "Moving" not in said


def test_baseline_and_oracle_alone() -> None:
    assert "All rows would add ." in words(told(fabricate.spec(method="ce", **CAREFUL)))
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
