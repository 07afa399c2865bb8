"""Weight norms of stacked heads."""

import numpy as np
import pytest
import torch

from engine.analysis.norms import weight_norms


def test_by_hand():
    heads = np.array([[[3.0, 0.0, 1.0], [4.0, 2.0, 1.0]], [[0.0, 6.0, -1.0], [0.0, -8.0, 1.0]]])  # R = 2, H = 2, C = 3
    np.testing.assert_allclose(weight_norms(heads), [[5, 2, 2**0.5], [0, 10, 2**0.5]])


def test_equal_to_torch():
    heads = torch.randn(3, 7, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    np.testing.assert_allclose(weight_norms(heads.numpy()), heads.norm(dim=1).numpy(), rtol=1e-14)


def test_one_head_is_a_stack_of_one():
    with pytest.raises(ValueError):
        weight_norms(np.ones((2, 3)))
