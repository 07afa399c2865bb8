"""What a model promised and what came: precision, recall and alerts of a file that holds the answers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.spec.score import FIGURES
from engine.stats.intervals import LEVEL

KEPT = "as promised"

TAILS = {"precision": (0.0125, 0.0), "recall": (0.0125, 0.0), "alerts": (0.0025, 0.0025)}
"""Share of files like the test part of which a figure lies below and above its range: 3% in all. More precision or recall than promised
breaks nothing; their range ends as far above as below.
"""

WORDS = {"precision": "Precision", "recall": "Recall", "alerts": "Alerts per 1,000"}


def check_promise(
    flagged: np.ndarray,
    y: np.ndarray,
    promised: Mapping[str, Mapping[str, float | None]] | None,
    *,
    positive: int,
    target: str,
    is_budget: bool,
    own: bool = True,
    share: float | None = None,
) -> dict[str, Any]:
    """The promise beside what came (`engine.spec.score`).

    flagged [n] bool. y [n]: classes, -1 without an answer. promised: of the model's rule, alerts per 1,000; None where the file holds
    none. is_budget: whether the rule fixes the alerts. own: whether the rows were flagged by the model's rule; else nothing is compared.
    share: of the class looked for in the table that the model was made from.

    A figure breaks where it lies outside what a file like the test part would show (TAILS). That range holds the promise's own
    uncertainty and the chance of so few rows.
    """
    answered = y >= 0
    alarms, is_positive = flagged[answered], y[answered] == positive
    hits = int((alarms & is_positive).sum())
    counts = {
        "precision": (hits, int(alarms.sum())),
        "recall": (hits, int(is_positive.sum())),
        "alerts": (int(flagged.sum()), len(flagged)),
    }
    promised = promised if own else None
    judged = [f for f in FIGURES if promised is not None and _is_known(promised.get(f)) and not (is_budget and f == "alerts")]
    figures: dict[str, Any] = {}
    broken = []
    for name in FIGURES:
        k, n = counts[name]
        unit = 1000.0 if name == "alerts" else 1.0
        given = None if promised is None else promised.get(name)
        expected = holds = None
        if name in judged and given is not None and n:
            low, high = predict_range(given, n, unit, max(TAILS[name]))
            expected = {"low": low * unit, "high": high * unit}
            below, above = (tail > 0 for tail in TAILS[name])
            holds = not (below and k / n < low - 1e-12) and not (above and k / n > high + 1e-12)
            if not holds:
                broken.append(name)
        came = {key: None if value is None else value * unit for key, value in wilson(k, n).items()}
        figures[name] = {"promised": given, "came": came, "expected": expected, "holds": holds}
    verdict, text = _judge(figures, broken, own)
    text += _compare_shares(counts["recall"][1], int(answered.sum()), share)
    return {
        "target": target,
        "rows": int(answered.sum()),
        "positives": counts["recall"][1],
        "unanswered": int((~answered).sum()),
        "figures": figures,
        "broken": broken,
        "verdict": verdict,
        "text": text,
    }


def predict_range(given: Mapping[str, float | None], n: int, unit: float, tail: float) -> tuple[float, float]:
    """(low, high): the share that files with n rows to count lie below, and above, with probability `tail` each.

    given: mean and 95% interval of the rate, in `unit`. The distance to an end is that of the promise's own interval, scaled to `tail`,
    and that of a binomial count, squared and added. One row each way is added to the rate of the count: 0 or 1 is not certain.
    """
    from scipy.special import ndtri
    from scipy.stats import binom

    mean, low, high = (float(given[key] or 0.0) / unit for key in ("mean", "low", "high"))
    scale = float(ndtri(1 - tail) / ndtri(0.5 + LEVEL / 2))
    rate = (mean * n + 1) / (n + 2)
    under, over = mean - binom.ppf(tail, n, rate) / n, binom.ppf(1 - tail, n, rate) / n - mean
    below = math.hypot(scale * (mean - low), max(0.0, under))
    above = math.hypot(scale * (high - mean), max(0.0, over))
    return max(0.0, mean - below), min(1.0, mean + above)


def _compare_shares(positives: int, rows: int, share: float | None) -> str:
    """A sentence where the share of the class looked for is another than the model was made at; '' where chance explains it."""
    if share is None or not rows or not 0 < share < 1:
        return ""
    from scipy.stats import binomtest

    if binomtest(positives, rows, share).pvalue >= 0.001:
        return ""
    return f" The class looked for is {100 * positives / rows:.3g}% of the rows; the model was made at {100 * share:.3g}%."


def wilson(k: int, n: int) -> dict[str, float | None]:
    """{mean, low, high} of a share k / n, Wilson's 95% interval; None without rows."""
    if not n:
        return {"mean": None, "low": None, "high": None}
    from scipy.stats import binomtest

    found = binomtest(k, n).proportion_ci(LEVEL, "wilson")
    return {"mean": k / n, "low": float(found.low), "high": float(found.high)}


def _is_known(given: Mapping[str, float | None] | None) -> bool:
    return given is not None and all(
        isinstance(given.get(key), (int, float)) and math.isfinite(given[key] or 0.0) for key in ("mean", "low", "high")
    )


def _judge(figures: Mapping[str, Any], broken: list[str], own: bool) -> tuple[str, str]:
    """(verdict, a sentence)."""
    if not own:
        return "not compared", "The promise is about the model's own rule; these rows were flagged by another one."
    if all(figure["holds"] is None for figure in figures.values()):
        return "not compared", "The model file holds no promise that this file can be held against."
    if not broken:
        better = [
            WORDS[name]
            for name, figure in figures.items()
            if figure["holds"] and figure["came"]["mean"] > figure["expected"]["high"] + 1e-9
        ]
        if better:
            return KEPT, f"{' and '.join(better)} came higher than a file like the test part would have it."
        judged = [WORDS[name] for name, figure in figures.items() if figure["holds"] is not None]
        if len(judged) < len(figures):
            lie, them = ("lies", "it") if len(judged) == 1 else ("lie", "them")
            return KEPT, f"{' and '.join(judged).capitalize()} {lie} where a file like the test part would have {them}."
        return KEPT, "Every figure lies where a file like the test part would have it."
    said = [
        f"{WORDS[f]} is {figures[f]['came']['mean']:.3g}, outside {figures[f]['expected']['low']:.3g} to "
        f"{figures[f]['expected']['high']:.3g}"
        for f in broken
    ]
    return f"{' and '.join(broken)} broke", f"{'; '.join(said)}."
