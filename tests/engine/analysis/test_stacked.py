"""Stacked average precision against scikit-learn, with ties, padding and what is not defined."""

import math
import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from engine.analysis import stacked
from engine.analysis.metrics import scores
from engine.analysis.stacked import average_precision, macro_average_precision


def stack(replicates: int, rows: int, classes: int, seed: int, levels: int | None):
    """Scores [R, N, C] float64, labels and masks with padding in odd places."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(classes), (replicates, rows))
    if levels:
        p = np.round(p * levels) / levels
    y = rng.integers(classes, size=(replicates, rows))
    mask = rng.random((replicates, rows)) < 0.8
    return torch.tensor(p), torch.tensor(y), torch.tensor(mask)


def libraries(score: np.ndarray, positive: np.ndarray) -> float:
    return average_precision_score(positive, score) if positive.any() else math.nan


@settings(deadline=None, max_examples=100)
@given(
    replicates=st.integers(1, 5),
    rows=st.integers(1, 50),
    seed=st.integers(0, 10**6),
    levels=st.sampled_from([None, 1, 2, 4, 20]),
)
def test_equal_to_scikit_learn(replicates, rows, seed, levels):
    p, y, mask = stack(replicates, rows, 2, seed, levels)
    got = average_precision(p[..., 1], y == 1, mask)
    assert got.shape == (replicates,) and got.dtype == torch.float64
    for r in range(replicates):
        want = libraries(p[r, mask[r], 1].numpy(), (y[r, mask[r]] == 1).numpy())
        assert got[r].item() == pytest.approx(want, abs=1e-12, nan_ok=True)
    torch.testing.assert_close(macro_average_precision(p, y, mask), got, rtol=0, atol=0, equal_nan=True)


@settings(deadline=None, max_examples=60)
@given(score=st.lists(st.floats(allow_nan=False), min_size=2, max_size=30), data=st.data())
def test_any_floats(score, data):
    positive = data.draw(st.lists(st.booleans(), min_size=len(score), max_size=len(score)))
    got = average_precision(torch.tensor([score], dtype=torch.float64), torch.tensor([positive]), torch.ones(1, len(score)) > 0)
    # scikit-learn refuses infinite scores; their ranks say as much.
    ranks = np.unique(score, return_inverse=True)[1]
    assert got.item() == pytest.approx(libraries(ranks, np.array(positive)), abs=1e-12, nan_ok=True)


@settings(deadline=None, max_examples=40)
@given(classes=st.integers(3, 5), seed=st.integers(0, 10**6), levels=st.sampled_from([None, 3]))
def test_macro_is_the_mean_over_classes_with_rows(classes, seed, levels):
    p, y, mask = stack(4, 15, classes, seed, levels)
    y[0] = y[0].clamp(max=classes - 2)  # the last class has no row in replicate 0
    mask[1] = False
    got = macro_average_precision(p, y, mask)
    assert got.shape == (4,) and math.isnan(got[1])
    for r in (0, 2, 3):
        rows = mask[r]
        each = [libraries(p[r, rows, c].numpy(), (y[r, rows] == c).numpy()) for c in range(classes)]
        want = np.nanmean(each) if rows.any() else math.nan
        assert got[r].item() == pytest.approx(want, abs=1e-12, nan_ok=True)


def test_equal_to_the_test_metric():
    p, y, _ = stack(3, 60, 3, 0, 8)
    got = macro_average_precision(p, y, torch.ones_like(y, dtype=torch.bool))
    for r in range(3):
        assert got[r].item() == pytest.approx(scores(p[r].numpy(), y[r].numpy())["average_precision"][0], abs=1e-12)


def test_padding_changes_no_bit():
    p, y, _ = stack(4, 57, 3, 1, 30)
    alone = macro_average_precision(p, y, torch.ones_like(y, dtype=torch.bool))
    wide = (
        torch.cat([p, torch.full((4, 200, 3), 0.5, dtype=p.dtype)], 1),
        torch.cat([y, torch.zeros(4, 200, dtype=y.dtype)], 1),
    )
    padded = macro_average_precision(*wide, torch.arange(257).expand(4, -1) < 57)
    assert torch.equal(alone, padded)


def test_a_net_that_broke_scores_not_a_number():
    p, y, mask = stack(2, 20, 3, 2, None)
    broken = p.clone()
    broken[0, :, 1] = torch.nan
    broken[1, ~mask[1]] = torch.nan  # padding may hold anything
    got = macro_average_precision(broken, y, mask)
    assert math.isnan(got[0]) and got[1] == macro_average_precision(p, y, mask)[1]


def test_float32_scores_count_the_same():
    p, y, mask = stack(5, 40, 2, 3, 16)
    torch.testing.assert_close(macro_average_precision(p.float(), y, mask), macro_average_precision(p, y, mask), rtol=0, atol=0)


def test_twenty_replicates_take_well_under_a_millisecond():
    p, y, mask = stack(20, 100, 2, 4, None)
    p = p.float()
    best = math.inf
    for _ in range(50):
        began = time.perf_counter()
        macro_average_precision(p, y, mask)
        best = min(best, time.perf_counter() - began)
    assert best < 1e-3  # 0.12 ms on an idle core


@pytest.mark.gpu
def test_no_call_waits_for_the_device():
    p, y, mask = (part.cuda() for part in stack(20, 100, 3, 5, None))
    on_cpu = macro_average_precision(p.cpu(), y.cpu(), mask.cpu())
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        got = macro_average_precision(p, y, mask)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    torch.testing.assert_close(got.cpu(), on_cpu, rtol=0, atol=1e-12)


@settings(deadline=None, max_examples=200)
@given(
    replicates=st.integers(1, 4),
    rows=st.integers(1, 60),
    seed=st.integers(0, 10**6),
    levels=st.sampled_from([None, 1, 3, 20]),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    odd=st.sampled_from([None, -0.0, math.nan, -1.0, 1.5, math.inf]),
)
def test_both_ways_have_the_same_bits(replicates, rows, seed, levels, dtype, odd):
    p, y, mask = stack(replicates, rows, 2, seed, levels)
    score = p[..., 1].to(dtype)
    if odd is not None:
        score[0, 0] = odd
    with pytest.MonkeyPatch.context() as patch:
        got = average_precision(score, y == 1, mask)
        patch.setattr(stacked, "_INTEGERS", {})
        want = average_precision(score, y == 1, mask)
    weighted = average_precision(score, y == 1, mask, torch.ones_like(score))
    assert torch.equal(got.nan_to_num(-1), want.nan_to_num(-1)) and torch.equal(got.isnan(), want.isnan())
    assert torch.equal(got.nan_to_num(-1), weighted.nan_to_num(-1))
