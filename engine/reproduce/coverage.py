"""Simulates how often the 95% intervals of one split hold the true average precision, with few positive test rows.

Scores of negative rows are of N(0, 1), of positive rows of N(d, 1). The true value is the average precision that test sets without end
would show at the same share of positive rows. The bias-corrected interval (BCa, Efron 1987) is here alone: it is one of those that are
compared.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from engine.analysis.metrics import Ranking
from engine.runner.provenance import describe_processor
from engine.seeds import numpy_stream
from engine.stats.bootstrap import add_prior_rows, bayesian_weights, bootstrap_weights
from engine.stats.intervals import LEVEL, Interval, draw_interval, percentile_interval

POSITIVES = (3, 5, 7, 10, 15, 20)
SEPARATIONS = (1.0, 2.0, 3.0)
SHARE = 0.02
"""Positive rows of all."""
SETS = 500
DRAWS = 1000
WAYS = {
    "percentile": "Percentile bootstrap",
    "bca": "Bias-corrected bootstrap, BCa",
    "bayesian": "Bayesian bootstrap",
    "prior": "Bayesian bootstrap, one prior row a class",
}
"""Compared intervals: name -> title. The percentile one is that of earlier versions, the last one that of this version."""
USED = "prior"


def measure_coverage(sets: int = SETS, say: Callable[[str], None] = print) -> dict[str, Any]:
    """The coverage table, as `engine.papers.coverage.read_coverage` describes it."""
    rows = []
    for separation in SEPARATIONS:
        truth = true_precision(separation, SHARE)
        for positives in POSITIVES:
            say(f"average precision {truth:.2f}, {positives} positive rows")
            found = [_measure_set(separation, positives, i) for i in range(sets)]
            for way in WAYS:
                ends = np.array([(one[way].low, one[way].high) for one in found])
                low, high = truth < ends[:, 0], truth > ends[:, 1]
                rows.append(
                    {
                        "way": way,
                        "truth": round(truth, 4),
                        "positives": positives,
                        "covered": float(1 - (low | high).mean()),
                        "below": float(low.mean()),
                        "above": float(high.mean()),
                        "width": float(np.nanmean(ends[:, 1] - ends[:, 0])),
                        "none": float(np.isnan(ends[:, 0]).mean()),
                    }
                )
    return {
        "ways": WAYS,
        "used": USED,
        "rows": rows,
        "provenance": {
            "command": "python -m engine coverage",
            "machine": describe_processor(),
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "n": sets,
            "draws": DRAWS,
            "share": SHARE,
            "metric": "average_precision",
        },
    }


def write_coverage(path: Path, table: dict[str, Any]) -> None:
    """Writes the table where the product reads it."""
    path.write_text(json.dumps(table, indent=1, allow_nan=False) + "\n", encoding="utf-8", newline="")


def true_precision(separation: float, share: float) -> float:
    """The average precision of test sets without end."""
    at = np.linspace(-8, 7.5, 40001)
    recall, alarms = 1 - ndtr(at - separation), 1 - ndtr(at)
    precision = share * recall / (share * recall + (1 - share) * alarms)
    return float(-np.sum((precision[1:] + precision[:-1]) / 2 * np.diff(recall)))


def _measure_set(separation: float, positives: int, number: int) -> dict[str, Interval]:
    """The intervals of one test set, by the name of their way."""
    rng = numpy_stream(0, f"coverage {separation:g} {positives}", number)
    y = np.repeat([0, 1], [round(positives * (1 - SHARE) / SHARE), positives])
    score = ndtr(rng.standard_normal(len(y)) + separation * y)
    ranking, ones = Ranking.of(score, y == 1), np.ones((len(y), 1))
    value = float(ranking.scores(ones)["average_precision"][0])
    drawn = ranking.scores(bootstrap_weights(y, rng, DRAWS).T.astype(float))["average_precision"]
    probability, labels = add_prior_rows(np.column_stack([1 - score, score]), y)
    weights = bayesian_weights(y, 2, rng, DRAWS).T.astype(float)
    bayesian = ranking.scores(weights[: len(y)])["average_precision"]
    prior = Ranking.of(probability[:, 1], labels == 1).scores(weights)["average_precision"]
    return {
        "percentile": percentile_interval(value, drawn),
        "bca": bca_interval(value, drawn, *_leave_out(ranking, y)),
        "bayesian": percentile_interval(value, bayesian),
        "prior": draw_interval(value, prior, (0.0, 1.0)),
    }


def _leave_out(ranking: Ranking, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The value without each row, and the rows' labels, positive rows first."""
    rows = np.concatenate([np.flatnonzero(y == 1), np.flatnonzero(y == 0)])
    left = np.ones((len(y), len(rows)))
    left[rows, np.arange(len(rows))] = 0
    return ranking.scores(left)["average_precision"], y[rows]


def bca_interval(value: float, draws: np.ndarray, without: np.ndarray, y: np.ndarray) -> Interval:
    """Efron's bias-corrected and accelerated interval of a statistic of two samples. without [T]: the value without each row; y: theirs.

    Widened to contain the value, as `percentile_interval`.
    """
    parts = []
    for c in (0, 1):
        own = without[y == c]
        parts.append((len(own) - 1) * (own.mean() - own) / len(own))
    influence = np.concatenate(parts)
    spread = float((influence**2).sum())
    acceleration = float((influence**3).sum()) / 6 / spread**1.5 if spread > 0 else 0.0
    share = ((draws < value).sum() + (draws == value).sum() / 2 + 0.5) / (len(draws) + 1)
    bias = ndtri(share)
    at = bias + ndtri([0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    low, high = np.quantile(draws, ndtr(bias + at / (1 - acceleration * at)))
    return Interval(value, min(float(low), value), max(float(high), value), 1, "95% BCa bootstrap of the test rows")
