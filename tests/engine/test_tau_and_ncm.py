"""Tau-normalisation and nearest class means (card C15), against their formulas and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score
from sklearn.neighbors import NearestCentroid
from sklearn.preprocessing import normalize

from engine.models.feature_classifiers import FEATURES, TAUS, balanced_accuracy, nearest_mean, scan_tau, tau_normalised

F64 = torch.float64


def features(sizes: tuple[int, ...] = (40, 31), classes: int = 3, width: int = 4) -> tuple[torch.Tensor, ...]:
    """z, y, mask of two replicates of unequal size, every class in both."""
    rng = torch.Generator().manual_seed(0)
    n = max(sizes)
    y = torch.randint(classes, (len(sizes), n), generator=rng)
    y[:, :classes] = torch.arange(classes)
    centres = torch.randn(classes, width, generator=rng, dtype=F64) * 1.5
    z = torch.randn(len(sizes), n, width, generator=rng, dtype=F64) + centres[y] + 2
    mask = torch.arange(n) < torch.tensor(sizes).unsqueeze(1)
    return z * mask.unsqueeze(2), y * mask, mask


def weights() -> torch.Tensor:
    rng = torch.Generator().manual_seed(1)
    return torch.randn(2, 4, 3, generator=rng, dtype=F64) * torch.tensor([3.0, 1.0, 0.2], dtype=F64)


def test_tau_zero_leaves_the_weights_and_one_makes_them_unit() -> None:
    w = weights()
    assert torch.equal(tau_normalised(w, 0.0), w)
    assert torch.allclose(tau_normalised(w, 1.0).norm(dim=1), torch.ones(2, 3, dtype=F64), rtol=0, atol=1e-14)
    half = tau_normalised(w, torch.tensor([0.5, 2.0]))
    assert torch.allclose(half.norm(dim=1)[0], w.norm(dim=1)[0] ** 0.5) and torch.allclose(
        half.norm(dim=1)[1], 1 / w.norm(dim=1)[1]
    )
    assert torch.equal(tau_normalised(torch.zeros(1, 2, 2), 2.0), torch.zeros(1, 2, 2))


def test_balanced_accuracy_is_scikit_learns() -> None:
    _, y, mask = features()
    said = y.roll(1, 1) * mask
    for r, value in enumerate(balanced_accuracy(said, y, mask, 4).tolist()):  # class 3 has no row
        assert value == pytest.approx(balanced_accuracy_score(y[r][mask[r]], said[r][mask[r]]))


def test_the_scan_takes_the_best_tau_and_the_lowest_of_equals() -> None:
    z, y, mask = features()
    w = weights()
    best, scores = scan_tau(z, y, mask, w)
    assert scores.shape == (2, 21) and TAUS[0] == 0 and TAUS[-1] == 2
    for r in range(2):
        own = [balanced_accuracy_score(y[r][mask[r]], (z[r][mask[r]] @ (w[r] / w[r].norm(dim=0) ** t)).argmax(1)) for t in TAUS]
        assert scores[r].tolist() == pytest.approx(own) and best[r].item() == TAUS[int(np.argmax(own))]
    assert scan_tau(z, y, mask, torch.ones_like(w))[0].tolist() == [0.0, 0.0]  # one direction: all taus are alike


@pytest.mark.parametrize("kind", FEATURES)
def test_class_means_score_zero_and_belong_to_their_class(kind: str) -> None:
    z, y, mask = features()
    classify, _ = nearest_mean(z, y, mask, 3, kind)
    if kind == "raw":
        means = torch.stack([torch.stack([z[r][mask[r] & (y[r] == c)].mean(0) for c in range(3)]) for r in range(2)])
        scores = classify(means)
        assert torch.allclose(scores.diagonal(dim1=1, dim2=2), torch.zeros(2, 3, dtype=F64), rtol=0, atol=1e-24)
        assert torch.equal(scores.argmax(2), torch.arange(3).expand(2, 3))
    for r in range(2):
        own, rows = z[r][mask[r]].numpy(), z[r].numpy()
        if kind == "cl2n":
            own, rows = own - own.mean(0), rows - own.mean(0)
        if kind != "raw":
            own, rows = normalize(own), normalize(rows)
        said = NearestCentroid().fit(own, y[r][mask[r]].numpy()).predict(rows)
        assert np.array_equal(classify(z)[r].argmax(1)[mask[r]].numpy(), said[mask[r].numpy()])


def test_raw_means_are_a_linear_classifier() -> None:
    z, y, mask = features()
    classify, linear = nearest_mean(z, y, mask, 3, "raw")
    assert linear is not None and nearest_mean(z, y, mask, 3, "l2")[1] is None
    logits = z @ linear - (linear / 2).square().sum(1, keepdim=True)
    assert torch.allclose(classify(z).softmax(2), logits.softmax(2), rtol=0, atol=1e-12)


def test_a_class_without_rows_is_never_chosen() -> None:
    z, y, mask = features()
    classify, _ = nearest_mean(z, y, mask, 4)
    scores = classify(z)
    assert bool((scores[..., 3] == -torch.inf).all()) and bool(torch.isfinite(scores[..., :3]).all())
    with pytest.raises(ValueError, match="features must be"):
        nearest_mean(z, y, mask, 3, "cosine")
