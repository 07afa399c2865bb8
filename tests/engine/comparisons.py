"""Comparisons as `engine.compare.comparison` leaves them, made up: for what shows and exports them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.analysis import threshold_tables
from engine.spec.result import METRICS
from engine.stats.intervals import CORRECTED_T

HOSTILE = "<script>alert('x')</script>\"onload=x =1+1 | \\end{document} \u202etxt"
"""A name that is markup in HTML, a formula in no place, a cell's end in Markdown and a command in LaTeX."""

TREES = {"learning_rate": 0.1, "n_iter_no_change": 10}

METHODS = (
    ("ce", "Plain training", 0.412, 10), ("class-weights", "Class weights", 0.431, 10), ("threshold", "Threshold tuning", 0.412, 10),
    ("smote", "SMOTE", 0.455, 10), ("focal", "Focal loss", 0.405, 5), ("explicit-gradient", "Explicit gradient", 0.492, 10),
    ("eos", "EOS (three-phase)", 0.447, 5), ("dos", "DOS", 0.388, 2), ("trees", "Gradient-boosted trees", 0.521, 10),
)  # fmt: skip


def summary(mean: float, spread: float, n: int, rng: np.random.Generator, low: float = 0.0) -> dict[str, Any]:
    drawn = rng.normal(size=n)
    values = np.clip(mean + spread * (drawn - drawn.mean()), low, 1)
    half = 2.3 * spread / n**0.5 + 0.01
    return {
        "mean": float(values.mean()), "low": float(max(low, values.mean() - half)), "high": float(min(1, values.mean() + half)),
        "n": n, "values": values.tolist(),
    }  # fmt: skip


def comparison(
    *, best: str | None = "trees", methods: tuple = METHODS, rows: int = 1200, rare: int = 90, classes: tuple[str, ...] = ("no", "yes"),
    name: str = "churn.csv", seed: int = 0,
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:  # fmt: skip
    """(the JSON, the arrays), as `engine.compare.comparison.compare` has them; `tables` makes what goes beside them."""
    rng = np.random.default_rng(seed)
    out = []
    counts = dict(zip(classes, (rows - rare, *[rare] * (len(classes) - 1)), strict=True))
    truth = np.zeros(rows, np.int64)
    truth[rng.permutation(rows)[:rare]] = 1
    recall = np.arange(101) / 100
    arrays: dict[str, np.ndarray] = {
        "pr_recall": recall, "truth": np.tile(truth, 2).astype(bool), "fold": np.tile(np.arange(rows) % 5, 2),
        "seed": np.repeat([0, 1], rows),
    }  # fmt: skip
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
                "n": n, "better": key == best, "worse": False,
            }  # fmt: skip
        per_class = {
            c: {
                "support": float(s),
                **{m: summary(mean, 0.05, n, rng) for m in ("precision", "recall", "f1", "average_precision")},
            }
            for c, s in counts.items()
        }
        out.append(
            {
                "name": key, "title": title, "metrics": metrics, "difference": difference, "seconds": 3.2 + mean * n, "replicates": n,
                "numbers": list(range(n)), "rows": rows * 0.64, "epochs": [30] * n,
                "stopped": None if n == 10 else 1 if n == 2 else 2,
                "params": {"epochs": 5} if key != "trees" else {"max_iter": 20, **TREES},
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
        "methods": out, "verdict": verdict, "best": best, "metric": "average_precision", "interval": CORRECTED_T,
        "data": {
            "name": name, "rows": rows, "used_rows": rows, "train_rows": int(rows * 0.64), "features": 3, "classes": list(classes),
            "train_counts": {c: int(n * 0.64) for c, n in counts.items()}, "counts": counts, "ratio": (rows - rare) / rare,
            "positive": classes[-1], "dropped": [{"name": "customer_id", "kind": "id"}],
        },
        "spec": {
            "source": {"upload": "u-secret-id"}, "reading": {}, "target": "left", "positive": classes[-1], "budget": 60, "ratio": None,
            "methods": None, "metric": "average_precision", "seed": 0,
        },
        "protocol": {"folds": 5, "seeds": 10, "test_share": 0.25, "patience": 20}, "notes": ["Focal loss: a note."],
        "shortened": ["1,200 of 12,000 rows were used: majority rows were left out first.", "DOS was dropped after the first round."],
        "seconds": 58.4,
        "provenance": {
            "device_name": "CPU (x86_64)", "date": "2026-11-21T14:00:00+00:00", "python": "3.11.9", "torch": "2.13.0",
            "numerics": 2,
        },
    }, arrays  # fmt: skip


def tables(found: dict[str, Any], arrays: dict[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    """Threshold tables of all methods; the corrected probabilities are made up."""
    out = {}
    for row in found["methods"]:
        score, truth = arrays[f"score/{row['name']}"].astype(float), arrays["truth"]
        scores = {"as trained": score, "prior corrected": score**1.5, "isotonic": score**2}
        out[row["name"]] = threshold_tables.build_table(scores, truth, 2)
    return out


def profile(
    names: Sequence[str] = ("customer_id", "a", "b", "colour", "left"), classes: Sequence[str] = ("no", "yes")
) -> dict[str, Any]:
    """As `engine.data.tables.profile.profile_table` has it."""
    columns = [
        {
            "name": name, "kind": "numeric" if i % 2 else "categorical", "missing": 3 * i, "distinct": 10, "guessed": True,
            "examples": ["a value of a row"], "levels": 0, "low": 0.125, "high": 98765.4321,
        }
        for i, name in enumerate(names)
    ]  # fmt: skip
    return {
        "rows": 1234, "used": 1200, "columns": columns, "target": {"name": names[-1], "guessed": False}, "positive": classes[-1],
        "precision": {"rows": 90, "half_width": 0.083, "formula": "", "text": "90 minority rows: differences below 0.083 cannot be shown."},
        "suspicious": [], "warnings": [
            {"level": "warning", "text": f"{names[0]!r} alone tells the classes apart almost perfectly."},
            {"level": "info", "text": f"34 rows without an answer in {names[-1]!r} left out."},
        ],
    }  # fmt: skip


def hostile(name: str = HOSTILE, methods: tuple = METHODS) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Every text that comes from a file or could is `name`."""
    found, arrays = comparison(classes=(f"a{name}", name), name=name, methods=methods)
    found["verdict"] = name
    found["shortened"] = [name]
    found["notes"] = [name]
    found["interval"] = name
    found["data"]["dropped"] = [{"name": name, "kind": name}]
    found["data"]["positive"] = name
    found["spec"] |= {"target": name, "positive": name, "reading": {"missing": [name]}}
    found["provenance"] = {name: name, "date": name, "machine": name}
    for row in found["methods"]:
        row["title"] = name
        row["params"] = {"epochs": name}
    return found, arrays
