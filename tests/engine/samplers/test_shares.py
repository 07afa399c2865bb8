"""Whole numbers from shares: the card's table, and what always holds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.samplers.shares import shares
from tests.engine.cards import read_cases


@pytest.mark.parametrize("case", read_cases("shares"))
def test_cases(case: dict[str, Any]) -> None:
    given = case["input"]
    cap = None if given["cap"] is None else torch.tensor(given["cap"])
    weights = torch.tensor([a / b for a, b in given["weights"]], dtype=torch.float64)
    assert shares(weights, given["n"], cap).tolist() == case["value"]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 50), st.integers(0, 9)), min_size=1, max_size=12), st.integers(0, 60))
def test_sum_caps_and_quotients(entries: list[tuple[float, int]], n: int) -> None:
    weights, cap = torch.tensor([w for w, _ in entries], dtype=torch.float64), torch.tensor([c for _, c in entries])
    whole = shares(weights, n)
    assert int(whole.sum()) == n
    quotient = weights / weights.sum() * n if bool((weights > 0).any()) else torch.full_like(weights, n / len(weights))
    assert bool(((whole - quotient).abs() <= 1 + 1e-6).all())
    room = cap[weights > 0] if bool((weights > 0).any()) else cap
    if int(room.sum()) < n:
        with pytest.raises(ValueError, match="room for"):
            shares(weights, n, cap)
    else:
        capped = shares(weights, n, cap)
        assert int(capped.sum()) == n and bool((capped <= cap).all())
        assert bool((capped[weights == 0] == 0).all()) or not bool((weights > 0).any())


def test_nothing_can_be_split_among_nobody() -> None:
    assert shares(torch.zeros(0), 0).tolist() == [] and shares(torch.zeros(3), 4).tolist() == [2, 1, 1]
    with pytest.raises(ValueError, match="among 0 entries"):
        shares(torch.zeros(0), 1)
    assert np.all(shares(torch.tensor([0.0, 1.0]), 5).numpy() == [0, 5])
