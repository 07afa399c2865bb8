"""Closed forms of the methods' cards: `NAME.json` holds a list of cases, each with `case`, `what`, `input` and `value`.

case: the case in words. what: which function a test asks, by a name of the test's own. input: its arguments. value: the number or nested
lists that come out.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

FOLDER = Path(__file__).parent


def read_cases(name: str, *what: str) -> list[Any]:
    """The cases of one card, as parameters of a test. what: only cases with one of these names; none: all."""
    cases = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return [pytest.param(case, id=case["case"]) for case in cases if not what or case["what"] in what]


def assert_close(found: Any, value: Any, tolerance: float = 1e-9) -> None:
    """Fails where the shapes differ or an entry lies further than the tolerance from the card's."""
    found, value = np.asarray(found, dtype=np.float64), np.asarray(value, dtype=np.float64)
    assert found.shape == value.shape
    np.testing.assert_allclose(found, value, rtol=0, atol=tolerance)
