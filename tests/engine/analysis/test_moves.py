"""How far points moved, and its summary."""

import math

import pytest
import torch

from engine.analysis.moves import move_lengths, summarise_moves


def test_by_hand():
    start = torch.zeros(2, 3, 2)
    end = torch.tensor([[[3.0, 4.0], [0.0, 0.0], [9.0, 9.0]], [[0.0, 1.0], [6.0, 8.0], [0.0, 2.0]]])
    mask = torch.tensor([[True, True, False], [True, True, True]])
    lengths = move_lengths(start, end, mask)
    assert lengths[0, :2].tolist() == [5, 0] and math.isnan(lengths[0, 2]) and lengths[1].tolist() == [1, 10, 2]
    got = summarise_moves(lengths)
    assert got == {"median": 2, "largest": 10, "values": [2.5, 2]}  # of 5 0 1 10 2; of 5 0; of 1 10 2
    assert move_lengths(start, end)[0, 2] == pytest.approx(9 * 2**0.5)


@pytest.mark.parametrize("shape", [(3, 0), (3, 2)])
def test_no_points_no_numbers(shape):
    lengths = move_lengths(torch.zeros(*shape, 4), torch.zeros(*shape, 4), torch.zeros(shape, dtype=torch.bool))
    got = summarise_moves(lengths)
    assert math.isnan(got["median"]) and math.isnan(got["largest"]) and all(math.isnan(v) for v in got["values"])
    assert len(got["values"]) == 3
