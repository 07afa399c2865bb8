"""Weight norms of stacked heads."""

import numpy as np
import pytest
import torch

from engine.analysis.norms import class_factors, weight_norms


def test_by_hand():
    heads = np.array([[[3.0, 0.0, 1.0], [4.0, 2.0, 1.0]], [[0.0, 6.0, -1.0], [0.0, -8.0, 1.0]]])  # R = 2, H = 2, C = 3
    np.testing.assert_allclose(weight_norms(heads), [[5, 2, 2**0.5], [0, 10, 2**0.5]])


def test_equal_to_torch():
    heads = torch.randn(3, 7, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    np.testing.assert_allclose(weight_norms(heads.numpy()), heads.norm(dim=1).numpy(), rtol=1e-14)


def test_one_head_is_a_stack_of_one():
    with pytest.raises(ValueError):
        weight_norms(np.ones((2, 3)))


def test_factors_are_found_only_where_every_class_was_multiplied():
    rng = np.random.default_rng(0)
    before, factors = rng.normal(size=(2, 5, 3)), np.array([[0.5, 2.0, -1.5], [1.0, 3.0, 0.0]])
    np.testing.assert_allclose(class_factors(before, before * factors[:, None]), factors, rtol=0, atol=1e-12)
    single = (before * factors[:, None]).astype(np.float32)
    np.testing.assert_allclose(class_factors(before.astype(np.float32), single), factors, rtol=0, atol=1e-6)
    assert class_factors(before, before) is None
    assert class_factors(before, before + 0.1) is None
    assert class_factors(before, np.full_like(before, np.nan)) is None
    assert class_factors(before, before[:, :, :2]) is None
    assert class_factors(np.zeros_like(before), before) is None
