"""A tenth of `benchmarks/kills.py`: kills of worker, engine, page and all at random moments of real training, and of engines that share a
store.
"""

from __future__ import annotations

import pytest

from benchmarks._kill_engines import Change, check_history, kill_engines
from benchmarks.kills import kill_often

RUNS = Change("queued", "running", 1, "e", 0.0)
DONE = Change("running", "done", 1, "e", 2.0)


def lose(attempt: int) -> list[Change]:
    """A job begins as this attempt, and its engine falls silent."""
    return [Change("queued", "running", attempt, "e", 0.0), Change("running", "queued", attempt + 1, "e", 1.0)]


@pytest.mark.long
@pytest.mark.alone
@pytest.mark.timeout(900)
def test_nothing_is_lost_whatever_is_killed():
    report = kill_often(20, seed=20)
    assert report["lost"] == [], report
    assert report["states"]["next done"] == 20 and report["ended"]["n"] == 20


@pytest.mark.long
@pytest.mark.alone
@pytest.mark.timeout(900)
def test_nothing_is_lost_whichever_of_two_engines_is_killed(postgres):
    report = kill_engines(10, 3, postgres)
    assert report["lost"] == [], report
    assert report["count"] == 10 and min(report["kills"]["engine"], report["kills"]["worker"]) > 1, report["kills"]
    assert report["states"]["done"] > 10 and report["compared"] > 0


def test_a_job_that_begins_and_ends_once_is_in_order():
    assert check_history([RUNS, DONE]) == []
    assert check_history([RUNS, Change("running", "queued", 1, "e", 1.0), RUNS, DONE]) == [], "given back before it began"
    again = [*lose(1), *lose(2), Change("queued", "running", 3, "e", 3.0)]
    assert check_history([*again, Change("running", "done", 3, "e", 4.0)]) == []
    assert check_history([*again, Change("running", "interrupted", 3, "e", 4.0)]) == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ([], "never ended"),
        ([RUNS], "never ended"),
        ([RUNS, DONE, DONE], "was running where it should be done"),
        ([RUNS, RUNS._replace(was="running", engine="other"), DONE], "went from running to running"),
        ([RUNS, DONE, RUNS._replace(was="done"), DONE], "went from done to running"),
        ([RUNS, DONE._replace(attempt=2)], "is done as attempt 2 after 1"),
        ([*lose(1), RUNS, DONE], "is running as attempt 1 after 2"),
        ([RUNS, DONE._replace(was="running", state="interrupted")], "is interrupted after 0 losses"),
        ([*lose(1), *lose(2), *lose(3), RUNS._replace(attempt=4), DONE._replace(attempt=4)], "is done after 3 losses"),
    ],
)
def test_what_is_out_of_order_is_said(changes, says):
    assert any(says in what for what in check_history(changes)), check_history(changes)
