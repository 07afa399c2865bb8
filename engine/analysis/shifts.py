"""Class shifts, added to the logits to improve their argmax: a threshold for two classes, one number per class for more."""

from __future__ import annotations

import numpy as np

CRITERIA = ("balanced accuracy", "f1", "g-mean")
MAX_SWEEPS = 20
"""Most passes over all classes."""
TIE_TOLERANCE = 1e-12
"""Two values of a criterion that differ by less are equal: they are rounded sums of quotients."""


def find_shifts(
    logits: np.ndarray, y: np.ndarray, criterion: str = "balanced accuracy", weight: np.ndarray | None = None
) -> np.ndarray:
    """Shifts [C] float64 for which argmax(logits + shifts) scores highest on these rows. logits [N, C], y [N] int in 0..C-1.

    Two classes: only class 1 is shifted, by exactly the best threshold, halfway between the two rows it separates. More
    classes: one class at a time, each exactly, until no change gains. The result is never worse than no shift, but need not be
    the best. Ties go to the smallest change, so a shift only moves where it gains. Classes without rows do not count. F1 is
    that of class 1 of two, the macro mean of more. Logits that are not finite give shifts of 0. weight [N]: of the rows, above 0,
    on top of the balance of the classes: in a mean over classes each counts by the mean weight of its rows. Raises ValueError for
    an unknown criterion.
    """
    if criterion not in CRITERIA:
        raise ValueError(f"criterion must be one of {', '.join(CRITERIA)}; got {criterion!r}")
    logits = np.asarray(logits, np.float64)
    classes = logits.shape[1]
    shifts = np.zeros(classes)
    if not len(y) or not np.isfinite(logits).all():
        return shifts
    for _ in range(MAX_SWEEPS):
        moved = False
        for c in range(1 if classes == 2 else 0, classes):
            new = _best_shift(logits + shifts, y, c, criterion, weight)
            shifts[c] += new
            moved |= new != 0
        if not moved or classes == 2:
            break
    return shifts


def _best_shift(logits: np.ndarray, y: np.ndarray, c: int, criterion: str, weight: np.ndarray | None) -> float:
    """The best change of class c's logit with the other classes fixed; 0 where no change is better."""
    n, classes = logits.shape
    others = logits.copy()
    others[:, c] = -np.inf
    rival = others.argmax(1)
    margin = others[np.arange(n), rival] - logits[:, c]  # a row is predicted as c where the change exceeds this
    order = np.argsort(margin, kind="stable")
    margin, rival, labels = margin[order], rival[order], y[order]
    each = np.ones(n) if weight is None else np.asarray(weight, np.float64)[order]

    # once the first k rows are predicted as c: correct rows of every class [n + 1, C], rows predicted as every class [n + 1, C]
    lost = np.eye(classes)[rival] * each[:, None]
    correct = np.concatenate([np.zeros((1, classes)), np.cumsum(lost * (rival == labels)[:, None], 0)])
    predicted = np.concatenate([np.zeros((1, classes)), np.cumsum(lost, 0)])
    correct, predicted = correct[-1] - correct, predicted[-1] - predicted
    correct[:, c] = np.concatenate([[0], np.cumsum((labels == c) * each)])
    predicted[:, c] = np.concatenate([[0], np.cumsum(each)])

    counts, support = np.bincount(y, minlength=classes), np.bincount(labels, each, classes)
    value = _evaluate_criterion(
        correct, predicted, support, criterion, None if weight is None else support / np.maximum(counts, 1)
    )
    stands = np.concatenate([[True], margin[1:] > margin[:-1], [True]])  # no threshold fits between equal margins
    now = int(np.searchsorted(margin, 0.0))
    best = value[stands].max()
    if value[now] >= best - TIE_TOLERANCE:
        return 0.0
    between = np.concatenate([[margin[0] - 1], (margin[1:] + margin[:-1]) / 2, [margin[-1] + 1]])
    equal = np.flatnonzero(stands & (value >= best - TIE_TOLERANCE))
    return float(between[equal[np.abs(between[equal]).argmin()]])


def _evaluate_criterion(
    correct: np.ndarray, predicted: np.ndarray, support: np.ndarray, criterion: str, shares: np.ndarray | None
) -> np.ndarray:
    """The criterion [K] of correct rows `correct` and predicted rows `predicted`, both [K, C]. Defined as in
    `engine.analysis.metrics`, over the classes that have rows. shares [C]: of the classes in a mean; None: equal ones.
    """
    there = support > 0

    def mean_of(values: np.ndarray) -> np.ndarray:
        mean: np.ndarray = values.mean(1) if shares is None else np.average(values, axis=1, weights=shares[there])
        return mean

    recall = mean_of(correct[:, there] / support[there])
    if criterion == "balanced accuracy":
        return recall
    if criterion == "f1":
        f1 = 2 * correct / _above_zero(support + predicted)
        return f1[:, 1] if len(support) == 2 else mean_of(f1[:, there])
    others = support.sum() - support
    specificity = 1 - (predicted - correct)[:, there] / _above_zero(others[there])
    product: np.ndarray = np.sqrt(recall * mean_of(specificity))
    return product


def _above_zero(total: np.ndarray) -> np.ndarray:
    """The sums, 1 where there is nothing."""
    return np.where(total > 0, total, 1)
