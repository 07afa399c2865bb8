"""Comparisons of models and remedies, made up: what the page draws of a finished one, and of one that runs."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from app.views.data import board
from engine.stats.compared import Difference
from engine.stats.intervals import CORRECTED_T, Interval
from engine.stats.significance import holm, holm_levels, t_test
from engine.stats.verdict import judge_board
from tests.engine import comparisons

ROWS = (
    ("ce", "Plain training", "network", "none", 0.431), ("class-weights", "Class weights", "network", "class-weights", 0.44),
    ("focal", "Focal loss", "network", "focal", 0.428), ("explicit-gradient", "Explicit gradient", "network", "explicit-gradient", 0.47),
    ("smote", "SMOTE", "network", "smote", 0.419), ("logistic", "Logistic regression", "logistic", "none", 0.362),
    ("logistic+class-weights", "Logistic regression, class weights", "logistic", "class-weights", 0.355),
    ("forest", "Random forest", "forest", "none", 0.521), 
    ("forest+class-weights", "Random forest, class weights", "forest", "class-weights", 0.517),
    ("forest+smote", "Random forest, SMOTE", "forest", "smote", 0.49), ("boosting", "Gradient boosting", "boosting", "none", 0.548),
    ("boosting+class-weights", "Gradient boosting, class weights", "boosting", "class-weights", 0.541),
    ("boosting+smote", "Gradient boosting, SMOTE", "boosting", "smote", 0.52),
    ("balanced-forest", "Balanced random forest", "balanced-forest", "none", 0.498), ("in use", "Score in use", "in use", "none", 0.31),
)  # fmt: skip
"""name, title, model, remedy, average precision."""
SHARE = 0.2


def comparison(
    *, few: Mapping[str, int] | None = None, spread: float = 0.008, **more: Any
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """(the JSON, the arrays) of a finished comparison by time. few: name -> replicates of rows that have fewer than 10.

    spread: of a row's own luck, on top of the luck of a replicate that all rows share.
    """
    found, arrays = comparisons.comparison(methods=tuple((name, title, mean, 10) for name, title, *_, mean in ROWS), best=None)
    luck = 0.05 * np.random.default_rng(1).standard_normal(10)
    rng, tests = np.random.default_rng(2), {}
    values: dict[str, np.ndarray] = {}
    for (name, _, model, remedy, mean), row in zip(ROWS, found["methods"], strict=True):
        own = spread * rng.standard_normal(10)
        n = (few or {}).get(name, 10)
        values[name] = (mean + luck - luck.mean() + own - own.mean())[:n]
        row |= {
            "model": model,
            "remedy": remedy,
            "replicates": n,
            "numbers": list(range(n)),
            "train_rows": 768,
            "difference": None,
        }
        half = 0.04
        row["metrics"]["average_precision"] = {
            "mean": float(values[name].mean()), "low": float(values[name].mean()) - half, "high": float(values[name].mean()) + half,
            "n": n, "values": values[name].tolist(),
        }  # fmt: skip
        row["refit"] = {
            "epochs": [30] * n,
            "held_out": name == "explicit-gradient",
            "gain": {"mean": 0.012, "low": 0.004, "high": 0.02},
        }
        row["difference_to_leader"] = None
    plains = {model: name for name, _, model, remedy, _ in ROWS if remedy == "none"}
    for name, _, model, remedy, _ in ROWS:
        if remedy != "none":
            n = min(len(values[name]), len(values[plains[model]]))
            tests[name] = t_test(values[name][:n] - values[plains[model]][:n], SHARE)
    p = [test.p for test in tests.values()]
    for (name, test), adjusted, level in zip(tests.items(), holm(p), holm_levels(p), strict=True):
        one = Difference(test, adjusted, level)
        row = next(row for row in found["methods"] if row["name"] == name)
        row["difference"] = {
            "metric": "average_precision", "mean": test.mean, "low": test.low, "high": test.high, "p": test.p, "p_holm": adjusted,
            "n": test.n, "better": one.better, "worse": one.worse,
        }  # fmt: skip
    found["protocol"] |= {"test_share": SHARE}
    n = max(len(own) for own in values.values())
    found["ranked"] = sorted((name for name in values if len(values[name]) == n), key=lambda name: -values[name].mean())
    leader, rival = (
        found["ranked"][0],
        next(name for name in found["ranked"][1:] if name in ("forest", "ce", "logistic", "boosting")),
    )
    found["lead"] = {"row": leader, "rival": rival}
    for key, other in (("difference", rival), ("in_use", "in use")):
        test = t_test(values[leader] - values[other], SHARE)
        found["lead"][key] = {"mean": test.mean, "low": test.low, "high": test.high, "p": test.p, "p_holm": test.p, "n": test.n}
        found["lead"][key] |= {"better": test.p < 0.05 and test.mean > 0, "worse": False}
    titles = {name: title for name, title, *_ in ROWS}
    one = found["lead"]["difference"]
    said = judge_board(
        titles[leader],
        Interval(one["mean"], one["low"], one["high"], n, CORRECTED_T),
        board.read_differences(found["methods"]),
        titles,
    )
    found |= {"verdict": said.text, "verdict_more": list(said.more)}
    found["split"] = {
        "kind": "time", "time": "booked_at", "group": None, "delay": 7.0, "dropped": {},
        "notes": ["Rows of 7 days between parts are left out."],
        "parts": [],
    }  # fmt: skip
    found["optimism"] = {
        "metric": "average_precision", "name": "ce", "title": "Plain training", "random": 0.49, "used": 0.43, "n": 10, "shown": True,
        "difference": {"mean": 0.06, "low": 0.02, "high": 0.1},
    }  # fmt: skip
    found["interval_covers"] = "It does not cover another sample of owners."
    return found | more, arrays


def read_rows(drawn: str) -> list[tuple[str, str]]:
    """(model, remedy) of every row of a drawn board, from the top."""
    out, model = [], ""
    for kind, cell in re.findall(r"<th scope='(rowgroup|row)'[^>]*>(.*?)</th>", drawn):
        text = html.unescape(re.sub(r"<small>.*?</small>|<[^>]*>", "", cell))
        if kind == "rowgroup":
            model = text
        else:
            out.append((model, text))
    return out


def live_rows(done: int) -> list[dict[str, Any]]:
    """Rows of a running comparison's board, the first `done` of ROWS with a score, plain rows first."""
    order = sorted(ROWS, key=lambda row: row[3] != "none")
    out = []
    for at, (name, title, model, remedy, mean) in enumerate(order):
        known = at < done
        out.append(
            {
                "name": name, "title": title, "model": model, "remedy": remedy, "metric": "average_precision",
                "mean": mean if known else None, "low": mean - 0.04 if known else None, "high": mean + 0.04 if known else None,
                "replicates": 3 if known else 0, "difference": None, "rows": 700.0, "epochs": None, "look": False, "stopped": None,
                "failed": None, "seconds": 1.2,
            }
        )  # fmt: skip
    return out
