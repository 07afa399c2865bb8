"""What a model promised and what came: precision, recall and alerts of a file that holds the answers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.spec.score import FIGURES
from engine.stats.intervals import LEVEL

KEPT = "as promised"

OUTSIDE = 0.03
"""Share of files like the test part of which some figure lies outside its range."""

SIDES = {"precision": (True, False), "recall": (True, False), "alerts": (True, True)}
"""Whether a figure breaks below and above its range: more precision or recall than promised breaks nothing."""

MOST = 1e6
"""Rows that a promise is worth at most, however narrow its interval."""

WORDS = {"precision": "Precision", "recall": "Recall", "alerts": "Alerts per 1,000"}


def check_promise(
    flagged: np.ndarray,
    y: np.ndarray,
    promised: Mapping[str, Mapping[str, float | None]] | None,
    *,
    positive: int,
    target: str,
    is_budget: bool,
) -> dict[str, Any]:
    """The promise beside what came (`engine.spec.score`).

    flagged [n] bool. y [n]: classes, -1 without an answer. promised: of the model's rule, alerts per 1,000; None where the rows were
    flagged by another one. is_budget: whether the rule fixes the alerts.

    A figure breaks where it lies outside what a file like the test part would show (SIDES). That range holds the promise's own
    uncertainty and the chance of so few rows: with a beta rate as the promise's interval says, the count is beta-binomial. The figures
    that can break share OUTSIDE.
    """
    answered = y >= 0
    own, is_positive = flagged[answered], y[answered] == positive
    hits = int((own & is_positive).sum())
    counts = {
        "precision": (hits, int(own.sum())),
        "recall": (hits, int(is_positive.sum())),
        "alerts": (int(flagged.sum()), len(flagged)),
    }
    judged = [f for f in FIGURES if promised is not None and _is_known(promised.get(f)) and not (is_budget and f == "alerts")]
    figures: dict[str, Any] = {}
    broken = []
    for name in FIGURES:
        k, n = counts[name]
        unit = 1000.0 if name == "alerts" else 1.0
        given = None if promised is None else promised.get(name)
        expected = holds = None
        if name in judged and given is not None and n:
            low, high = predict_range(given, n, unit, OUTSIDE / len(judged))
            below, above = SIDES[name]
            expected = {"low": low * unit, "high": high * unit}
            holds = not (below and k / n < low - 1e-12) and not (above and k / n > high + 1e-12)
            if not holds:
                broken.append(name)
        came = {key: None if value is None else value * unit for key, value in wilson(k, n).items()}
        figures[name] = {"promised": given, "came": came, "expected": expected, "holds": holds}
    verdict, text = _judge(figures, broken, promised)
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


def predict_range(given: Mapping[str, float | None], n: int, unit: float, alpha: float) -> tuple[float, float]:
    """The share (low, high) that 1 - alpha of files with n rows to count show, where the rate is what the promise says.

    given: mean and 95% interval of the rate, in `unit`. The interval's half width over 1.96 is taken as the rate's standard deviation.
    """
    from scipy.stats import betabinom

    mean, low, high = (float(given[key] or 0.0) / unit for key in ("mean", "low", "high"))
    sd = max(high - mean, mean - low) / 1.959964
    worth = MOST if sd <= 0 else min(MOST, max(1.0, mean * (1 - mean) / sd**2 - 1))
    a, b = mean * worth + 0.5, (1 - mean) * worth + 0.5  # half a row each: a rate of 0 or 1 is not certain
    return float(betabinom.ppf(alpha / 2, n, a, b)) / n, float(betabinom.ppf(1 - alpha / 2, n, a, b)) / n


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


def _judge(figures: Mapping[str, Any], broken: list[str], promised: Any) -> tuple[str, str]:
    """(verdict, a sentence)."""
    if promised is None:
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
        return KEPT, "Every figure lies where a file like the test part would have it."
    said = [
        f"{WORDS[f]} is {figures[f]['came']['mean']:.3g}, outside {figures[f]['expected']['low']:.3g} to "
        f"{figures[f]['expected']['high']:.3g}"
        for f in broken
    ]
    return f"{' and '.join(broken)} broke", f"{'; '.join(said)}."
