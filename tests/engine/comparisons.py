"""Comparisons as `engine.compare` leaves them, made up: for what shows and exports them."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.result import METRICS

HOSTILE = "<script>alert('x')</script>\"onload=x =1+1 | \\end{document} \u202etxt"
"""A name that is markup in HTML, a formula in no place, a cell's end in Markdown and a command in LaTeX."""

METHODS = (
    ("ce", "Cross-entropy", 0.412, 10), ("class-weights", "Class weights", 0.431, 10), ("threshold", "Threshold tuning", 0.412, 10),
    ("smote", "SMOTE", 0.455, 10), ("focal", "Focal loss", 0.405, 5), ("explicit-gradient", "Explicit gradient", 0.492, 10),
    ("eos", "EOS (three-phase)", 0.447, 5), ("dos", "DOS", 0.388, 2), ("trees", "Gradient-boosted trees", 0.521, 10),
)  # fmt: skip


def summary(mean: float, spread: float, n: int, rng: np.random.Generator, low: float = 0.0) -> dict[str, Any]:
    drawn = rng.normal(size=n)
    values = np.clip(mean + spread * (drawn - drawn.mean()), low, 1)
    half = 2.3 * spread / n**0.5 + 0.01
    return {
        "mean": float(values.mean()), "low": float(max(low, values.mean() - half)), "high": float(min(1, values.mean() + half)),
        "values": values.tolist(),
    }  # fmt: skip


def comparison(
    *, best: str | None = "trees", methods: tuple = METHODS, rows: int = 1200, rare: int = 90, classes: tuple[str, ...] = ("no", "yes"),
    name: str = "churn.csv", seed: int = 0,
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:  # fmt: skip
    """(the JSON, the arrays)."""
    rng = np.random.default_rng(seed)
    out = []
    truth = np.zeros(rows, np.int64)
    truth[rng.permutation(rows)[:rare]] = 1
    arrays: dict[str, np.ndarray] = {"truth": np.tile(truth, 2), "fold": np.tile(np.arange(rows) % 5, 2)}
    recall = np.arange(101) / 100
    for key, title, mean, n in methods:
        metrics = {
            m: summary(mean if m == "average_precision" else 0.5 + mean / 2, 0.05, n, rng, METRICS[m][1][0]) for m in METRICS
        }
        delta = mean - 0.412
        difference = None
        if key != "ce":
            p = float(np.exp(-abs(delta) * 60))
            difference = {
                "metric": "average_precision", "mean": delta, "low": delta - 0.05, "high": delta + 0.05, "p": p / 8, "p_holm": p,
                "better": key == best, "worse": False,
            }  # fmt: skip
        per_class = {
            c: {
                "support": float(s),
                **{m: summary(mean, 0.05, n, rng) for m in ("precision", "recall", "f1", "average_precision")},
            }
            for c, s in zip(classes, (rows - rare, rare), strict=False)
        }
        out.append(
            {
                "name": key, "title": title, "metrics": metrics, "difference": difference, "seconds": 3.2 + mean * n, "replicates": n,
                "stopped": None if n == 10 else 1 if n == 2 else 2, "params": {"epochs": 5} if key != "trees" else {"max_iter": 20},
                "per_class": per_class,
            }
        )  # fmt: skip
        logit = -3 + 2.2 * mean * 4 * arrays["truth"] + rng.normal(size=2 * rows) * 1.6
        arrays[f"score/{key}"] = (1 / (1 + np.exp(-logit))).astype(np.float32)
        arrays[f"pr/{key}"] = np.clip((0.95 - 0.8 * recall ** (0.3 + mean)), 0.05, 1)
    verdict = (
        "Gradient-boosted trees beat plain training by 0.11 in average precision (95% interval 0.06 to 0.16, p = 0.002 after Holm)."
        if best
        else "No method is better than plain training here."
    )
    return {
        "methods": out, "verdict": verdict, "best": best,
        "data": {
            "name": name, "rows": rows * 10, "used_rows": rows, "features": 23, "classes": list(classes), "counts": [rows - rare, rare],
            "ratio": (rows - rare) / rare, "positive": classes[-1], "dropped": ["customer_id"],
        },
        "spec": {
            "source": {"upload": "u-secret-id"}, "reading": {}, "target": "left", "positive": classes[-1], "budget": 60, "ratio": None,
            "methods": None, "seed": 0,
        },
        "shortened": ["1,200 of 12,000 rows were used: majority rows were left out first.", "DOS was dropped after the first round."],
        "seconds": 58.4,
        "provenance": {"device_name": "CPU (x86_64)", "date": "2026-11-21T14:00:00+00:00", "python": "3.11.9", "torch": "2.13.0", "numerics": 2},
    }, arrays  # fmt: skip


def hostile() -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Every text that comes from a file or could is HOSTILE."""
    found, arrays = comparison(classes=(f"a{HOSTILE}", HOSTILE), name=HOSTILE)
    found["verdict"] = HOSTILE
    found["shortened"] = [HOSTILE]
    found["data"]["dropped"] = [HOSTILE]
    found["data"]["positive"] = HOSTILE
    found["spec"] |= {"target": HOSTILE, "positive": HOSTILE}
    found["provenance"] = {HOSTILE: HOSTILE, "date": HOSTILE}
    for row in found["methods"]:
        row["title"] = HOSTILE
        row["params"] = {"epochs": HOSTILE}
    return found, arrays
