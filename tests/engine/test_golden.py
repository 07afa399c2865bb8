"""NUMERICS is part of a run's id: numbers may change only together with it."""

from __future__ import annotations

import json

import pytest

from tests.engine import golden

ADVICE = (
    "the numbers of this engine have changed. If that was meant, raise NUMERICS in engine/version.py, so that stored answers go "
    "stale, and run `python -m tests.engine.golden` and `python -m engine example` for the bundled ones."
)


def test_numbers_change_only_with_numerics() -> None:
    kept, now = json.loads(golden.FILE.read_text()), golden.numbers()
    assert kept["numerics"] == now["numerics"], "run `python -m tests.engine.golden` after raising NUMERICS"
    assert set(kept["runs"]) <= set(now["runs"]), "a method is gone"
    missing = set(now["runs"]) - set(kept["runs"])
    assert not missing, f"{missing}: a new method; run `python -m tests.engine.golden` (NUMERICS can stay)"
    for name, values in kept["runs"].items():
        for what, old in values.items():
            new = now["runs"][name][what]
            same = old == new if old is None or new is None else new == pytest.approx(old, rel=1e-6, abs=1e-9, nan_ok=True)
            assert same, f"{name}, {what}: {ADVICE}"
