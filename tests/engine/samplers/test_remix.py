"""ReMix (card B10): what a batch becomes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from engine.samplers.remix import remix

Y = torch.tensor([0] * 11 + [2] * 4 + [3])
X = torch.arange(32, dtype=torch.float64).view(16, 2)


def test_rows_and_labels_are_mixed_alike() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        made = remix(X, Y, 5, rng)
        assert made.x.shape == X.shape and made.x.dtype == X.dtype and 0 <= made.share <= 1
        assert torch.equal(made.y_first, Y[made.first]) and torch.equal(made.y_second, Y[made.second])
        assert torch.allclose(made.x, made.share * X[made.first] + (1 - made.share) * X[made.second], rtol=0, atol=1e-12)
        assert torch.equal(made.first.sort().values, made.second.sort().values)  # a permutation of the same rows
        soft = made.share * torch.nn.functional.one_hot(made.y_first, 5) + (1 - made.share) * torch.nn.functional.one_hot(
            made.y_second, 5
        )
        assert torch.allclose(soft.sum(1), torch.ones(16)) and bool((soft[:, [1, 4]] == 0).all())


def test_every_class_present_is_expected_equally_often_and_its_rows_too() -> None:
    rng = np.random.default_rng(0)
    drawn = np.concatenate([remix(X, Y, 5, rng).first.numpy() for _ in range(600)])
    classes = np.bincount(Y.numpy()[drawn], minlength=5)
    assert classes[[1, 4]].tolist() == [0, 0] and stats.chisquare(classes[[0, 2, 3]]).pvalue > 0.01
    # 7 copies among 4 rows are drawn anew for every batch, so over batches the rows of a class are alike
    assert np.ptp(np.bincount(drawn, minlength=16)[11:15]) < 0.2 * np.bincount(drawn, minlength=16)[11:15].mean()


def test_shares_follow_the_beta_law_and_alpha_zero_mixes_nothing() -> None:
    rng = np.random.default_rng(0)
    assert stats.kstest([remix(X, Y, 5, rng, alpha=0.2).share for _ in range(800)], stats.beta(0.2, 0.2).cdf).pvalue > 0.01
    plain = [remix(X, Y, 5, rng, alpha=0.0) for _ in range(40)]
    assert {made.share for made in plain} == {0.0, 1.0}
    for made in plain:
        assert torch.equal(made.x, X[made.first if made.share else made.second])
    nearly = [remix(X, Y, 5, rng, alpha=1e-3).share for _ in range(200)]
    assert sum(min(s, 1 - s) < 1e-6 for s in nearly) > 190


def test_the_same_stream_gives_the_same_batch_and_labels_are_checked() -> None:
    one, two = (remix(X, Y, 5, np.random.default_rng(7)) for _ in range(2))
    assert torch.equal(one.x, two.x) and one.share == two.share
    for y in (Y + 2, Y[:0]):
        with pytest.raises(ValueError, match="labels in"):
            remix(X[: len(y)], y, 5, np.random.default_rng(0))
