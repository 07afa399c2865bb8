"""A finished comparison with everything that Decide and Use show, made up: the counts of every cut, reasons, groups, and a scoring."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from engine.decide.build import Rows, Scored, build_arrays
from engine.events import pack
from engine.spec.score import ScoreSpec
from engine.stats.decide import Rule, expit
from engine.stats.intervals import CORRECTED_T
from engine.store import Job, Store
from tests.app import tables
from tests.engine import comparisons


def part(
    rng: np.random.Generator, n: int, share: float, signal: float, *, days: int = 0, owners: int = 0, costs: bool = False
) -> Rows:
    """n rows whose scores tell the class by `signal` and are a little too sure."""
    y = np.zeros(n, bool)
    y[rng.permutation(n)[: max(6, round(n * share))]] = True
    z = rng.normal(0, 1, n) + signal * y
    score = expit(1.4 * (signal * z - signal**2 / 2 + np.log(share / (1 - share)))).astype(np.float32).astype(float)
    more: dict[str, Any] = {}
    if days:
        more["day"] = np.sort(rng.integers(0, days, n))
    if owners:
        more["owner"] = rng.integers(0, owners, n)
    if costs:
        more["cost"] = np.round(rng.lognormal(3, 1, n), 2)
    return Rows(y, score, np.ones(n), **more)


def cuts(
    *, name: str = "trees", replicates: int = 6, rows: int = 1000, share: float = 0.02, signal: float = 2.6, rule: Rule | None = None,
    seed: int = 0, positive: str = "yes", interval: str = CORRECTED_T, **more: Any,
) -> dict[str, np.ndarray]:  # fmt: skip
    """The artifact `decide/<name>` as an engine builds it. more: of `part`."""
    rng = np.random.default_rng(seed)
    scored = [
        Scored(part(rng, rows, share, signal, **more), part(rng, rows, share, signal, **more), share, share)
        for _ in range(replicates)
    ]
    if replicates == 1:
        first = scored[0]
        block = np.arange(len(first.test.y)) // 20
        scored = [
            Scored(
                first.valid,
                Rows(first.test.y, first.test.score, first.test.weight, first.test.day, None, first.test.cost, block),
                share,
                share,
            )
        ]
    return build_arrays(
        scored, name=name, positive=positive, classes=("no", positive), share=share, test_share=0.25, interval=interval,
        rule=rule or Rule("alerts", 5.0), rng=rng,
    )  # fmt: skip


def interval(mean: float, half: float = 0.03) -> dict[str, float]:
    """A reading."""
    return {"mean": mean, "low": mean - half, "high": mean + half}


def why(hostile: str = "<img src=x onerror=alert(1)>") -> dict[str, Any]:
    """The result's keys on reasons. hostile: the name of a column, a level and a label."""
    return {
        "why": {"row": "trees", "replicates": 5, "test_rows": 240, "columns": 3, "of": 3, "repeats": 3},
        "importance": [
            {"columns": ["spend"], **interval(0.21)}, {"columns": ["age", hostile], **interval(0.06)},
            {"columns": ["town"], **interval(0.01)},
        ],
        "dependence": [
            {"column": "spend", "kind": "number", "at": [1.0, 5.0, 9.0, 14.0, 20.0], "mean": [0.01, 0.02, 0.05, 0.11, 0.2],
             "low": [0.0, 0.01, 0.03, 0.08, 0.14], "high": [0.02, 0.03, 0.07, 0.14, 0.26]},
            {"column": hostile, "kind": "level", "at": ["Bonn", hostile, "Rome"], "mean": [0.03, 0.05, 0.02],
             "low": [0.02, 0.03, None], "high": [0.04, 0.07, None]},
        ],
        "groups": [
            {"column": "town", "level": level, "n": n, "share": 0.02 + 0.01 * i, "ap": interval(0.4 + 0.1 * i), "recall": interval(0.5),
             "precision": {"mean": None, "low": None, "high": None} if i == 2 else interval(0.3), "small": i == 2}
            for i, (level, n) in enumerate((("Bonn", 80), ("Oslo", 80), (hostile, 12)))
        ],
        "suspects": [{"row": 17, "label": "yes", "p": 0.004}, {"row": 203, "label": hostile, "p": 0.013}],
        "suspects_found": 2, "suspects_tested": 240, "suspects_by_chance": 0.005, "duplicates": 4, "conflicts": 1,
        "unsafe": {"smote": {"share": 0.12, "low": 0.08, "high": 0.16, "n": 150, "replicates": 5}},
    }  # fmt: skip


def compared(
    store: Store, table: str, *, names: tuple[str, ...] = ("trees", "ce", "smote"), reasons: bool = True,
    artifacts: tuple[str, ...] = ("model/trees",),
    result: dict[str, Any] | None = None, **more: Any,
) -> Job:  # fmt: skip
    """A finished comparison. names: rows that have their cuts. more: of `cuts`."""
    asked = tables.spec(table)
    job = store.submit_compare(tables.OWNER, asked.to_json())
    claimed = store.claim("engine-1", kinds=("compare",))
    assert claimed is not None and claimed.id == job.id
    found, arrays = comparisons.comparison()
    found |= {"spec": asked.to_json(), "metric": "average_precision", "decide": {"row": names[0] if names else None}}
    found |= (why() if reasons else {}) | (result or {})
    kept = {"comparison": json.dumps(found, allow_nan=False).encode(), "arrays": pack(arrays)}
    for i, name in enumerate(names):
        kept[f"decide/{name}"] = pack(cuts(**{"name": name, "seed": i, "signal": 2.6 - 0.3 * i} | more))
    kept |= dict.fromkeys(artifacts, b"zip")
    assert store.save_result(job.id, ("{}", b""), kept, attempt=claimed.attempt)
    return store.job(job.id, tables.OWNER)


def score(hostile: str = "<img src=x onerror=alert(1)>", **more: Any) -> dict[str, Any]:
    """The answer of a scoring, as `engine.spec.score` has it. hostile: the name of a column and of a level."""
    columns = [
        ("device", "categorical", 0.31, "drifted", None), ("town", "categorical", 0.12, "watch", None),
        (hostile, "numeric", 0.04, "usual", 0.03), ("card", "numeric", None, "unknown", None),
    ]  # fmt: skip
    return {
        "file": f"{hostile}.csv", "rows": 24102, "flagged": 118, "seconds": 3.0,
        "model": {"name": "trees", "title": "Gradient-boosted trees", "target": "left", "positive": "yes", "kind": "trees"},
        "rule": {"kind": "alerts", "cut": 0.82, "alerts": 5.0, "per": "1000", "own": True, "text": "Flagged are 5 of 1,000 rows."},
        "drift": {
            "columns": [
                {"column": name, "kind": kind, "psi": psi, "usual": 0.1, "state": state, "missing": {"then": 0.0, "now": 0.0},
                 "range": None if outside is None else {"then": [0, 1], "now": [0, 2], "outside": outside}, "unknown": 0}
                for name, kind, psi, state, outside in columns
            ],
            "flagged": {"then": 0.005, "now": 0.0049}, "usual": 0.1, "drifted": 0.25,
            "counts": {"usual": 1, "watch": 1, "drifted": 1, "unknown": 1},
        },
        "unknown": [{"column": "device", "rows": 41, "levels": ["tablet", hostile, "tv"], "counted_as": "missing"}],
        "lacking": [{"column": "card", "counted_as": "missing"}],
        "promise": {
            "target": "left", "rows": 24000, "positives": 210, "unanswered": 102, "broken": ["precision"],
            "figures": {
                "precision": {"promised": interval(0.61), "came": interval(0.44), "expected": {"low": 0.5, "high": 0.7}, "holds": False},
                "recall": {"promised": interval(0.34), "came": interval(0.33), "expected": {"low": 0.2, "high": 0.5}, "holds": True},
                "alerts": {"promised": interval(5.0, 0.2), "came": interval(4.9, 0.2), "expected": None, "holds": None},
            },
            "verdict": "not as promised", "text": "Precision came lower than promised.",
        },
        "histogram": [9000, 4000, 2000, 900, 300, 100, 40, 20, 60, 118],
        "top": [{"row": 1204, "probability": 0.97, "reasons": ["spend", hostile, "town"]}, {"row": 88, "probability": 0.95, "reasons": []}],
        "explained": 118, "notes": [],
    } | more  # fmt: skip


def scored(
    store: Store, job: str, *, row: str = "trees", state: str = "done", reason: str = "", found: dict[str, Any] | None = None
) -> Job:
    """A scoring of a second file by a model of a comparison, in a state."""
    file = tables.upload(store, name="next month.csv")
    asked = store.submit_score(tables.OWNER, ScoreSpec(file, {"job": job, "artifact": f"model/{row}"}).to_json())
    if state == "queued":
        return asked
    claimed = store.claim("engine-1", kinds=("score",))
    assert claimed is not None and claimed.id == asked.id
    if state == "done":
        kept = {"score": json.dumps(found or score()).encode(), "scored.csv": b"a,probability,flagged\n1,.5,0\n"}
        assert store.save_result(asked.id, ("{}", b""), kept, attempt=claimed.attempt)
    elif state != "running":
        assert store.finish(asked.id, state, reason, attempt=claimed.attempt)
    return store.job(asked.id, tables.OWNER)
