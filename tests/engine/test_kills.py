"""A tenth of `benchmarks/kills.py`: kills of worker, engine, page and all at random moments of real training."""

from __future__ import annotations

import pytest

from benchmarks.kills import kill_often


@pytest.mark.long
@pytest.mark.alone
@pytest.mark.timeout(900)
def test_nothing_is_lost_whatever_is_killed():
    report = kill_often(20, seed=20)
    assert report["lost"] == [], report
    assert report["states"]["next done"] == 20 and report["ended"]["n"] == 20
