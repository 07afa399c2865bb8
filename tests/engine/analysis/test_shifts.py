"""Shifts of the decision against exhaustive search, scikit-learn, and what no shift may do."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score

from engine.analysis import metrics
from engine.analysis.shifts import CRITERIA, find_shifts

OURS = {"balanced accuracy": "balanced_accuracy", "f1": "f1", "g-mean": "g_mean"}


def drawn(counts: tuple[int, ...], seed: int, digits: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(len(counts)), counts)
    logits = rng.normal(size=(len(y), len(counts))) + np.log(counts) + 1.2 * np.eye(len(counts))[y]
    return (logits if digits is None else logits.round(digits)), y


def value(logits: np.ndarray, y: np.ndarray, criterion: str) -> float:
    return float(metrics.scores(logits, y)[OURS[criterion]][0])


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("digits", [None, 1])
def test_two_classes_reach_the_best_threshold_there_is(criterion: str, seed: int, digits: int | None) -> None:
    logits, y = drawn((60, 9), seed, digits)
    shifts = find_shifts(logits, y, criterion)
    assert shifts[0] == 0
    # rounded logits have equal ones: thresholds stand between, never on them
    cuts = np.unique(logits[:, 0] - logits[:, 1])
    tried = np.concatenate([[cuts[0] - 1], (cuts[1:] + cuts[:-1]) / 2, [cuts[-1] + 1]])
    best = max(value(logits + [0, cut], y, criterion) for cut in tried)
    assert value(logits + shifts, y, criterion) == pytest.approx(best, abs=1e-12)


def test_the_values_are_scikit_learn_s() -> None:
    logits, y = drawn((60, 9), 3)
    for criterion, score in (("balanced accuracy", balanced_accuracy_score), ("f1", f1_score)):
        shifted = (logits + find_shifts(logits, y, criterion)).argmax(1)
        tried = [score(y, (logits[:, 1] - logits[:, 0] > -cut).astype(int)) for cut in np.linspace(-6, 6, 2401)]
        assert score(y, shifted) >= max(tried) - 1e-12


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("seed", range(4))
def test_many_classes_never_lose_and_no_single_shift_gains_more(criterion: str, seed: int) -> None:
    logits, y = drawn((80, 25, 12, 6), seed)
    shifted = logits + find_shifts(logits, y, criterion)
    at = value(shifted, y, criterion)
    assert at >= value(logits, y, criterion)
    for c in range(4):
        for change in np.linspace(-5, 5, 101):
            assert value(shifted + change * np.eye(4)[c], y, criterion) <= at + 1e-12


def test_the_tuned_decision_undoes_a_known_shift() -> None:
    """Balanced classes, logits that favour one by 3: what is found brings it back."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 4000)
    score = np.where(y == 1, 1.0, -1.0) + rng.normal(size=8000)
    logits = np.stack([np.zeros(8000) + 3, 2 * score], 1)
    assert find_shifts(logits, y)[1] == pytest.approx(3, abs=0.3)


def test_where_nothing_gains_nothing_moves() -> None:
    y = np.array([0, 0, 0, 1, 1])
    right = 5 * np.eye(2)[y]
    assert (find_shifts(right, y) == 0).all()
    assert (find_shifts(np.zeros((0, 2)), y[:0]) == 0).all()
    assert (find_shifts(np.full((5, 2), np.nan), y) == 0).all()
    assert (find_shifts(5 * np.eye(3)[y], y, "f1") == 0).all()  # a class without rows does not count


def test_the_shift_is_halfway_between_rows() -> None:
    logits = np.array([[0, -4], [0, -3], [0, -1.0]])
    assert find_shifts(logits, np.array([0, 0, 1])).tolist() == [0, 2.0]


def test_an_unknown_criterion_is_refused() -> None:
    with pytest.raises(ValueError, match="criterion must be one of"):
        find_shifts(np.zeros((2, 2)), np.array([0, 1]), "luck")
