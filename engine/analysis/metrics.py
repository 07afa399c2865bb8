"""Test metrics of one replicate, also on all bootstrap draws of its rows at once.

A draw is a row of multiplicities (see `engine.stats.bootstrap`), so rows are sorted once per class, whatever the number of
draws. Definitions follow scikit-learn and imbalanced-learn, with one difference: a class without rows has no recall, so metrics
that need it are NaN, never 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

RECALLS = (0.25, 0.5, 0.75)
"""Recalls at which precision is reported."""
BINS = 10
"""Bins of the calibration error, of equally many rows."""
LEAST = 1e-15
"""Smallest probability of the true class in the log loss, so that it stays finite."""
BLOCK_CELLS = 1 << 19  # (draw, row) pairs per block: 4 MiB of float64, which fits a processor's cache


def scores(
    probability: np.ndarray, y: np.ndarray, *, weights: np.ndarray | None = None, positive: int | None = None
) -> dict[str, np.ndarray]:
    """Every metric of `engine.spec.result.METRICS`, each of shape [B], float64.

    probability [T, C] float: any score that ranks the rows of a class. Labels are its argmax (the lowest label among equals). y
    [T] int in 0..C-1. weights [B, T]: how often each row is drawn (None: every row once, B = 1). positive: the class of F1 and
    the ranking metrics; None means class 1 of two, the macro mean of more.
    Precision at recall r is taken at the smallest attained recall >= r, rows of equal score together.
    NaN: balanced accuracy, G-mean and macro means where any class has no drawn rows; metrics of one class where it has none;
    ROC AUC also where the other classes have none; MCC and kappa where only one class has any.
    Raises ValueError for shapes that do not fit, labels outside 0..C-1 and NaN in `probability`.
    """
    probability, y, weights = _check_arrays(probability, y, weights)
    classes = probability.shape[1]
    if positive is None and classes == 2:
        positive = 1
    about = range(classes) if positive is None else (positive,)
    rankings = [Ranking.of(probability[:, c], y == c) for c in about]
    labels = probability.argmax(1)
    parts = []
    for drawn in _chunks(weights):
        confusion = _confusion(drawn, y, labels, classes)
        parts.append(_label_scores(confusion, positive) | _mean_scores([r.scores(drawn) for r in rankings]))
    return _join(parts, _NAMES)


def probability_scores(
    probability: np.ndarray, y: np.ndarray, *, weights: np.ndarray | None = None, positive: int | None = None
) -> dict[str, np.ndarray]:
    """Every metric of `engine.spec.result.PROBABILITY_METRICS`, each of shape [B]; lower is better. Arguments as `scores`, with
    probabilities.

    log_loss: mean of -ln p(true class). calibration_error: |mean probability - share of the class| in bins of equally many rows in the
    order of the probability, weighted by their rows; of `positive`, else of class 1 of two, else the mean over all classes.
    """
    probability, y, weights = _check_arrays(probability, y, weights)
    rows, classes = probability.shape
    about = range(classes) if positive is None and classes > 2 else (1 if positive is None else positive,)
    loss = -np.log(np.maximum(probability[np.arange(rows), y], LEAST))
    bins = (np.arange(rows) * min(BINS, rows) // rows).astype(int)
    starts = np.searchsorted(bins, np.arange(bins[-1] + 1))
    each = []
    for c in about:
        order = np.argsort(probability[:, c], kind="stable")
        each.append((order, (probability[:, c] - (y == c))[order]))
    parts = []
    for drawn in _chunks(weights):
        total = drawn.sum(0)
        gaps = [np.abs(np.add.reduceat(drawn[order] * gap[:, None], starts, axis=0)).sum(0) for order, gap in each]
        parts.append(
            {
                "log_loss": safe_ratio(loss @ drawn, total, np.nan),
                "calibration_error": safe_ratio(np.mean(gaps, axis=0), total, np.nan),
            }
        )
    return _join(parts, tuple(parts[0]))


def class_scores(probability: np.ndarray, y: np.ndarray, *, weights: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """support, precision, recall, f1 and average_precision (one against the rest), each [B, C]; arguments as `scores`.

    A class without drawn rows has NaN for all but its support. A class that is never predicted has precision and F1 of 0.
    """
    return both_scores(probability, y, weights=weights)[1]


def both_scores(
    probability: np.ndarray, y: np.ndarray, *, weights: np.ndarray | None = None
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """(`scores`, `class_scores`): the rows of every class are ranked, and counted in every draw, once for both."""
    probability, y, weights = _check_arrays(probability, y, weights)
    classes = probability.shape[1]
    positive = 1 if classes == 2 else None
    rankings = [Ranking.of(probability[:, c], y == c) for c in range(classes)]
    labels = probability.argmax(1)
    parts, each = [], []
    for drawn in _chunks(weights):
        confusion = _confusion(drawn, y, labels, classes)
        ranked = [r.scores(drawn) for r in rankings]
        parts.append(_label_scores(confusion, positive) | _mean_scores(ranked if positive is None else [ranked[positive]]))
        each.append(_class_scores(confusion))
        each[-1]["average_precision"] = np.stack([one["average_precision"] for one in ranked], axis=1)
    return _join(parts, _NAMES), _join(each, tuple(each[0]))


def _mean_scores(ranked: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Means over classes of `Ranking.scores`."""
    return {name: np.mean([one[name] for one in ranked], axis=0) for name in ranked[0]}


def _join(parts: list[dict[str, np.ndarray]], names: Sequence[str]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([part[name] for part in parts]) for name in names}


_NAMES = (
    "average_precision",
    "balanced_accuracy",
    "g_mean",
    "f1",
    "mcc",
    "kappa",
    "roc_auc",
    *(f"precision_at_recall_{r:g}" for r in RECALLS),
)


def _check_arrays(
    probability: np.ndarray, y: np.ndarray, weights: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    probability, y = np.asarray(probability, dtype=float), np.asarray(y)
    if probability.ndim != 2 or probability.shape[1] < 2 or y.shape != probability.shape[:1] or not len(y):
        raise ValueError(f"probability must be [T, C] with T > 0, C > 1 and y [T]; got {probability.shape} and {y.shape}")
    if y.min() < 0 or y.max() >= probability.shape[1]:
        raise ValueError(f"labels must be in 0..{probability.shape[1] - 1}; got {y.min()}..{y.max()}")
    if np.isnan(probability).any():
        raise ValueError("probability holds NaN: such rows cannot be ranked")
    weights = np.ones((1, len(y)), dtype=np.uint16) if weights is None else np.asarray(weights)
    if weights.ndim != 2 or weights.shape[1] != len(y):
        raise ValueError(f"weights must be [B, {len(y)}]; got {weights.shape}")
    return probability, y, weights


def _chunks(weights: np.ndarray) -> Iterator[np.ndarray]:
    """The draws as [T, b] float64, b at a time. In this layout sums over rows read contiguous draws."""
    size = max(1, BLOCK_CELLS // weights.shape[1])
    for i in range(0, len(weights), size):
        yield weights[i : i + size].T.astype(float, order="C")


@dataclass(frozen=True)
class Ranking:
    """Rows in descending order of score, cut into groups at whose ends a threshold can lie.

    Rows of equal score share a group. Neighbouring groups without a positive row are joined, since recall does not rise there.
    order [T]: row numbers. starts [G]: first place of each group. hits [P]: row numbers of the positive rows, in order;
    hit_starts, hit_groups: where each group begins among them, and the number of that group.
    """

    order: np.ndarray
    starts: np.ndarray
    hits: np.ndarray
    hit_starts: np.ndarray
    hit_groups: np.ndarray

    @classmethod
    def of(cls, score: np.ndarray, positive: np.ndarray) -> Ranking:
        """The ranking by `score` [T]; positive [T] bool marks the positive rows."""
        order = np.argsort(-score, kind="stable")
        ranked = score[order]
        new = np.concatenate([[True], ranked[1:] != ranked[:-1]])
        holds = np.logical_or.reduceat(positive[order], np.flatnonzero(new))
        new[new] = np.concatenate([[True], holds[1:] | holds[:-1]])
        group = np.cumsum(new) - 1
        hits = np.flatnonzero(positive[order])
        hit_groups, hit_starts = np.unique(group[hits], return_index=True)
        return cls(order, np.flatnonzero(new), order[hits], hit_starts, hit_groups)

    def tally(self, drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Positive rows and all rows up to the end of each group, both [G, b]. drawn [T, b]: how often each row is drawn."""
        seen = np.add.reduceat(drawn[self.order], self.starts, axis=0)
        hits = np.zeros_like(seen)
        if len(self.hits):
            hits[self.hit_groups] = np.add.reduceat(drawn[self.hits], self.hit_starts, axis=0)
        return hits.cumsum(0), seen.cumsum(0)

    def scores(self, drawn: np.ndarray) -> dict[str, np.ndarray]:
        """The ranking metrics on draws [T, b], each [b]."""
        hits, seen = self.tally(drawn)
        found, total = hits[-1], seen[-1]
        step = np.diff(hits, axis=0, prepend=0)
        misses = np.diff(seen, axis=0, prepend=0) - step
        precision = safe_ratio(hits, seen, 0.0)  # 0 where no row is drawn so far
        recall = safe_ratio(hits, found, np.nan)
        # A pair of equal scores counts half: the trapezium under the ROC curve.
        pairs = (misses * (hits - step / 2)).sum(0)
        out = {
            "average_precision": safe_ratio((step * precision).sum(0), found, np.nan),
            "roc_auc": safe_ratio(pairs, found * (total - found), np.nan),
        }
        for r in RECALLS:
            first = (recall >= r).argmax(0)
            at = np.take_along_axis(precision, first[None], axis=0)[0]
            out[f"precision_at_recall_{r:g}"] = np.where(found > 0, at, np.nan)
        return out


def safe_ratio(above: np.ndarray, below: np.ndarray, empty: float) -> np.ndarray:
    """above / below; `empty` where below is 0."""
    out = np.full(np.broadcast_shapes(above.shape, below.shape), empty)
    np.divide(above, below, out=out, where=np.broadcast_to(below != 0, out.shape))
    return out


def _confusion(drawn: np.ndarray, y: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Confusion matrices [b, true, predicted] of draws [T, b]."""
    cell = y * classes + labels
    order = np.argsort(cell, kind="stable")
    cells, starts = np.unique(cell[order], return_index=True)
    flat = np.zeros((classes * classes, drawn.shape[1]))
    flat[cells] = np.add.reduceat(drawn[order], starts, axis=0)
    return flat.T.reshape(-1, classes, classes)


def _class_scores(confusion: np.ndarray) -> dict[str, np.ndarray]:
    hits = np.diagonal(confusion, axis1=1, axis2=2)
    support, predicted = confusion.sum(2), confusion.sum(1)
    absent = support == 0
    return {
        "support": support,
        "precision": np.where(absent, np.nan, safe_ratio(hits, predicted, 0.0)),
        "recall": safe_ratio(hits, support, np.nan),
        "f1": safe_ratio(np.where(absent, np.nan, 2 * hits), support + predicted, np.nan),
    }


def _label_scores(confusion: np.ndarray, positive: int | None) -> dict[str, np.ndarray]:
    each = _class_scores(confusion)
    support, predicted = each["support"], confusion.sum(1)
    hits, n = np.diagonal(confusion, axis1=1, axis2=2), confusion.sum((1, 2))
    others = n[:, None] - support
    specificity = safe_ratio(others - (predicted - hits), others, np.nan)
    recall = each["recall"].mean(1)
    # Products of counts, so that perfect predictions give exactly 1 and constant ones exactly 0.
    by_chance = (support * predicted).sum(1)
    agreement = hits.sum(1) * n - by_chance
    spread = np.where((support > 0).sum(1) > 1, n**2 - (support**2).sum(1), np.nan)
    defined = np.isfinite(spread)
    return {
        "balanced_accuracy": recall,
        "g_mean": np.sqrt(recall * specificity.mean(1)),
        "f1": each["f1"].mean(1) if positive is None else each["f1"][:, positive],
        "mcc": np.where(defined, safe_ratio(agreement, np.sqrt(spread * (n**2 - (predicted**2).sum(1))), 0.0), np.nan),
        "kappa": np.where(defined, safe_ratio(agreement, n**2 - by_chance, np.nan), np.nan),
    }
